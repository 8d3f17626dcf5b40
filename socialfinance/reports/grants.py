"""Money that is not to come back: what was granted, what it brought, and what it cost to follow."""

from __future__ import annotations

from collections.abc import Iterator

from socialfinance.engine.block import investors
from socialfinance.engine.ready import ReadyDeal
from socialfinance.reports.figures import Figures, cell, chance
from socialfinance.reports.numbers import NOTHING, PEOPLE, POUNDS, THOUSANDS, text
from socialfinance.reports.page import Page

CONTRIBUTED = "contributed: "
TO_THE_POUND = POUNDS._replace(before="")


def grants(page: Page, figures: Figures) -> None:
    """Each grant: paid, returned, carried by grantees; and its part of the shared impact."""
    deals = [deal for deal in figures.deals if not deal.own.lowered.repayable]
    if not deals:
        return
    page.heading("Grants")
    page.table(
        "Over the life, undiscounted (£000)",
        ("Deal", "Funder", "Agreed", "Paid, expected", "Unspent and returned", "Following it",
         "Own contribution of grantees", "P95", "They carry at worst, P95", "Chance not all is paid"),
        [_grant(page, figures, deal) for deal in deals], names=2,
    )  # fmt: skip
    page.say(
        "Following it: what the funder spends beside the grant. Own contribution: cost that the grant did "
        "not meet in the end; at worst, what grantees carry while they wait for an instalment. Not all is "
        "paid: an instalment's milestone was not reached, or the grant ended early."
    )
    page.table(
        "What it contributed",
        ("Deal", "For each person started (£)", "Outcome of the shared impact", "All, expected",
         "of it this grant's", "P5", "P95", "For each of them (£)"),
        [row for deal in deals for row in _impact(page, figures, deal)],
    )  # fmt: skip
    page.say(
        "This grant's: the share of the outcomes that the file holds it to have contributed; the rest is "
        "what others gave and did. Pounds are the grant, less what was returned, and what the funder spent "
        "on following it."
    )


def _grant(page: Page, figures: Figures, deal: ReadyDeal) -> tuple[str, ...]:
    return (
        deal.name,
        ", ".join(figures.title(party) for party in investors(deal)),
        text(deal.own.lowered.commitment, None, THOUSANDS),
        *(
            cell(figures.structure(deal.name, measure), THOUSANDS, page, error=True)
            for measure in ("granted", "unspent_returned")
        ),
        text(_following(figures, deal), None, THOUSANDS),
        cell(figures.structure(deal.name, "grantees_own_contribution"), THOUSANDS, page, error=True),
        *(
            cell(figures.structure(deal.name, measure, "p95"), THOUSANDS, page)
            for measure in ("grantees_own_contribution", "carried_by_grantees_at_worst")
        ),
        chance(figures.structure(deal.name, "not_all_released", "probability"), page),
    )


def _spent(figures: Figures, deal: ReadyDeal) -> float | None:
    """All that the funder spends, less what comes back, on average."""
    gain = figures.investor(deal.name, "gain")
    return None if gain is None or gain.value is None else -gain.value


def _following(figures: Figures, deal: ReadyDeal) -> float | None:
    spent, granted = _spent(figures, deal), figures.structure(deal.name, "granted")
    back = figures.structure(deal.name, "unspent_returned")
    if spent is None or granted is None or back is None or granted.value is None or back.value is None:
        return None
    return spent - granted.value + back.value


def _impact(page: Page, figures: Figures, deal: ReadyDeal) -> Iterator[tuple[str, ...]]:
    started, spent = figures.programme(deal.name, "people started"), _spent(figures, deal)
    each = _over(spent, started.value if started else None)
    measures = [one.measure for one in deal.own.lowered.figures if one.measure.startswith(CONTRIBUTED)]
    for measure in measures or [""]:
        line = measure.removeprefix(CONTRIBUTED)
        part = figures.structure(deal.name, measure) if measure else None
        yield (
            deal.name, each, line or NOTHING,
            cell(figures.programme(deal.name, f"achieved: {line}"), PEOPLE, page),
            cell(part, PEOPLE, page, error=True),
            *(cell(figures.structure(deal.name, measure, at), PEOPLE, page) for at in ("p5", "p95")),
            _over(spent, part.value if part else None),
        )  # fmt: skip


def _over(spent: float | None, count: float | None) -> str:
    return NOTHING if spent is None or not count else text(spent / count, None, TO_THE_POUND)
