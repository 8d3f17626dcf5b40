"""What became of the loans of a book, and who bore the losses."""

from __future__ import annotations

from collections.abc import Iterator

from socialfinance.engine.ready import ReadyDeal
from socialfinance.reports.figures import Figures, cell, chance
from socialfinance.reports.numbers import NOTHING, PEOPLE, PERCENT, THOUSANDS, text
from socialfinance.reports.page import Page

KIND = "loan-book"
COUNTED = (
    "loans made", "loans defaulted", "loans repaid early", "lent", "principal defaulted", "recovered", "lost",
)  # fmt: skip
"""What is counted of a loan book, in the order in which it is shown."""
RATES = {"default_rate": "default rate", "loss_rate": "loss rate"}
STATISTICS = ("p5", "p50", "p95", "p99")


def loans(page: Page, figures: Figures) -> None:
    """Loans made, defaulted and lost, and who bore the losses; only where a loan book is financed."""
    deals = [deal for deal in figures.deals if deal.deal.programme.kind == KIND]
    if not deals:
        return
    page.heading("Loans")
    page.table(
        "Over the life",
        ("Deal", "", "Plan", "Expected", "P5", "Median", "P95", "P99"),
        [row for deal in deals for row in _loans(page, figures, deal)],
        names=2,
    )
    page.say(
        "Lost: principal of loans in default that was never recovered; its expected value is the portfolio's "
        "expected loss. Default rate: loans that defaulted over loans made. Loss rate: lost over lent. In "
        "the plan as many loans default as are expected to. Borrowers belong to the world outside."
    )
    page.table(
        "Who bore the losses (£000)",
        ("Deal", "", "Plan", "Expected", "of the loss", "P5", "Median", "P95", "P99"),
        [row for deal in deals for row in _bearers(page, figures, deal)],
        names=2,
    )
    page.say(
        "A layer: what it accepted to pay less what it recovered. The pool: the rest, which its income bears "
        "first, then a grant, and last its investors, whose own loss is in the tables above."
        + _stopped(page, figures, deals)
    )


def _loans(page: Page, figures: Figures, deal: ReadyDeal) -> Iterator[tuple[str, ...]]:
    for i, measure in enumerate(COUNTED):
        mean = figures.programme(deal.name, measure)
        pounds = mean is not None and mean.unit == "pounds"
        scale = THOUSANDS if pounds else PEOPLE
        yield (
            "" if i else deal.name,
            measure + (" (£000)" if pounds else ""),
            cell(figures.programme(deal.name, measure, "plan"), scale, page),
            cell(mean, scale, page, error=True),
            *(cell(figures.programme(deal.name, measure, at), scale, page) for at in STATISTICS),
        )
    for measure, words in RATES.items():
        yield (
            "",
            words,
            cell(figures.structure(deal.name, measure, "plan"), PERCENT, page),
            cell(figures.structure(deal.name, measure), PERCENT, page, error=True),
            *(cell(figures.structure(deal.name, measure, at), PERCENT, page) for at in STATISTICS),
        )


def _bearers(page: Page, figures: Figures, deal: ReadyDeal) -> Iterator[tuple[str, ...]]:
    whole = figures.structure(deal.name, "loss_on_loans")
    names = [figure.measure for figure in deal.own.lowered.figures if figure.measure.startswith("borne: ")]
    for i, measure in enumerate(names):
        mean = figures.structure(deal.name, measure)
        share = NOTHING
        if whole and whole.value and mean and mean.value is not None:
            error = mean.standard_error / whole.value if mean.standard_error else None
            share = text(mean.value / whole.value, error, PERCENT)
        yield (
            "" if i else deal.name,
            _bearer(figures, deal, measure.removeprefix("borne: ")),
            cell(figures.structure(deal.name, measure, "plan"), THOUSANDS, page),
            cell(mean, THOUSANDS, page, error=True),
            share,
            *(cell(figures.structure(deal.name, measure, at), THOUSANDS, page) for at in STATISTICS),
        )


def _bearer(figures: Figures, deal: ReadyDeal, name: str) -> str:
    """``layer 1, Council``, or the pool."""
    if name == "pool":
        return "left in the pool"
    number, role = name.split(" ", 1)
    who = " and ".join(figures.title(party) for party, _ in deal.roles[role])
    return f"layer {number}, {who}"


def _stopped(page: Page, figures: Figures, deals: list[ReadyDeal]) -> str:
    """In which share of futures losses ended lending."""
    found = [(deal.name, figures.structure(deal.name, "lending_stopped", "probability")) for deal in deals]
    said = [f"{name} {chance(row, page)}" for name, row in found if row is not None]
    return f" Lending ended early because of defaults, share of futures: {', '.join(said)}." if said else ""
