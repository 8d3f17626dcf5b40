"""A provider that bears the risk: how often it loses and fails, and what that does to people and council."""

from __future__ import annotations

from collections.abc import Iterator

from socialfinance.engine.ready import ReadyDeal
from socialfinance.measures.statistics import Row
from socialfinance.reports.figures import Figures, cell, chance
from socialfinance.reports.numbers import NOTHING, PEOPLE, THOUSANDS, text
from socialfinance.reports.page import Page
from socialfinance.reports.public import IN_HOUSE

FAILED = "provider_failed"


def at_risk(page: Page, figures: Figures) -> None:
    """Only where a structure has a provider that can fail."""
    deals = [d for d in figures.deals if figures.structure(d.name, FAILED, "probability") is not None]
    if not deals:
        return
    page.heading("The provider, and what its failure does")
    page.table(
        "The provider (£000 unless said)",
        ("Deal", "Gain, plan", "Gain, expected", "P5", "P95", "Chance it loses", "Chance its buffer is gone",
         "Chance it fails", "Bank's loss, expected"),
        [_provider(page, figures, deal) for deal in deals],
    )  # fmt: skip
    page.say(
        "Gain: what the provider has received under the contract less its cost, what it paid in and what the "
        "bank had from its other assets. Fails: it could not pay its bills or repay its bank, during "
        "delivery or at the end. Its buffer is gone: all of it was paid in and nothing came back."
    )
    page.table(
        "What a failure during delivery does",
        ("Deal", "Chance of it", "People left without a service, if so", "People turned away, if so",
         "Chance another takes over"),
        [_people(figures, deal, page) for deal in deals],
    )  # fmt: skip
    page.say(
        "Left without a service: people who had started and may still have had outcomes before them; they "
        "lose these, or most of them, unless another takes over in time. Turned away: people referred while "
        "there was none."
    )
    rows = [row for deal in deals for row in _outcomes(page, figures, deal)]
    if rows:
        page.table(
            "Outcomes expected on the same futures",
            ("Deal", "Outcome", "In house, where nobody fails", "Here", "Lost"), rows, names=2,
        )  # fmt: skip
        page.say("Lost: by failures, and by contracts that end early for another cause.")


def _provider(page: Page, figures: Figures, deal: ReadyDeal) -> tuple[str, ...]:
    return (
        deal.name,
        cell(figures.structure(deal.name, "provider_gain", "plan"), THOUSANDS, page),
        cell(figures.structure(deal.name, "provider_gain"), THOUSANDS, page, error=True),
        *(cell(figures.structure(deal.name, "provider_gain", at), THOUSANDS, page) for at in ("p5", "p95")),
        *(
            chance(figures.structure(deal.name, measure, "probability"), page, error=True)
            for measure in ("provider_loses", "buffer_gone", FAILED)
        ),
        cell(figures.structure(deal.name, "bank_lost"), THOUSANDS, page, error=True),
    )


def _people(figures: Figures, deal: ReadyDeal, page: Page) -> tuple[str, ...]:
    failed = figures.structure(deal.name, "ended_insolvency", "probability")
    return (
        deal.name,
        chance(failed, page, error=True),
        *(
            _if_so(figures.structure(deal.name, measure), failed)
            for measure in ("people_cut_short", "people_turned_away")
        ),
        chance(figures.structure(deal.name, "stepped_in", "probability"), page),
    )


def _if_so(people: Row | None, failed: Row | None) -> str:
    """The mean over the futures in which it fails: it is nil in all others."""
    if people is None or people.value is None or failed is None or not failed.value:
        return NOTHING
    return text(people.value / failed.value, None, PEOPLE)


def _outcomes(page: Page, figures: Figures, deal: ReadyDeal) -> Iterator[tuple[str, ...]]:
    for i, line in enumerate(deal.programme.lines):
        measure = f"achieved: {line}"
        there = figures.row(measure, deal=deal.name, role=IN_HOUSE)
        here = figures.programme(deal.name, measure)
        if there is None or here is None or there.value is None or here.value is None:
            return
        yield (
            "" if i else deal.name, line, cell(there, PEOPLE, page), cell(here, PEOPLE, page),
            text(there.value - here.value, None, PEOPLE),
        )  # fmt: skip
