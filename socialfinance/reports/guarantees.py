"""Who stands behind a deal, how likely they are to be called, and for how much."""

from __future__ import annotations

from collections.abc import Iterator

from socialfinance.engine.ready import ReadyDeal
from socialfinance.reports.figures import Figures, cell, chance
from socialfinance.reports.numbers import NOTHING, PERCENT, THOUSANDS, text
from socialfinance.reports.page import Page


def guarantees(page: Page, figures: Figures) -> None:
    """Each guarantor of each deal: exposure, chance and size of calls, fees and recoveries."""
    rows = [row for deal in figures.deals for row in _rows(page, figures, deal)]
    if not rows:
        return
    page.heading("Guarantees")
    page.table(
        "Over the life, undiscounted (£000)",
        ("Deal", "Guarantor", "Most it can be called for", "Chance of a call", "Expected calls",
         "over the most", "Calls, P95", "Calls, P99", "Fees", "Recovered", "Loss after fees"),
        rows, names=2,
    )  # fmt: skip
    page.say(
        "Most: what the terms allow. Calls are what was paid under the guarantee; recovered, what came "
        "back later from the borrower; loss after fees, expected calls less both. A guarantor that fails, "
        "or whose guarantee is void, pays nothing: the chance of a call is that of a payment."
    )


def _rows(page: Page, figures: Figures, deal: ReadyDeal) -> Iterator[tuple[str, ...]]:
    most: dict[str, float] = {}
    for role, amount in deal.own.lowered.guaranteed.items():
        for party, share in deal.roles[role]:
            most[party] = most.get(party, 0.0) + amount * share
    for party, amount in most.items():
        calls = figures.row("calls", deal=deal.name, party=party, role="guarantor")
        part = calls.value / amount if calls and calls.value is not None and amount > 0.0 else None
        error = calls.standard_error / amount if calls and calls.standard_error and amount > 0.0 else None
        yield (
            deal.name, figures.title(party),
            "no limit" if amount == float("inf") else text(amount, None, THOUSANDS),
            chance(figures.row("called", "probability", deal=deal.name, party=party, role="guarantor"), page),
            cell(calls, THOUSANDS, page, error=True),
            NOTHING if amount == float("inf") else text(part, error, PERCENT),
            *(
                cell(figures.row("calls", at, deal=deal.name, party=party, role="guarantor"), THOUSANDS, page)
                for at in ("p95", "p99")
            ),
            *(
                cell(figures.row(measure, deal=deal.name, party=party, role="guarantor"), THOUSANDS, page)
                for measure in ("fees", "recoveries", "loss_after_fees")
            ),
        )  # fmt: skip
