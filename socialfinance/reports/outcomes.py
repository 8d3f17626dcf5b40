"""How contracts ended, whom they reached, and what an outcome cost."""

from __future__ import annotations

from socialfinance.engine.ready import ReadyDeal
from socialfinance.reports.figures import Figures, cell, chance
from socialfinance.reports.numbers import NOTHING, PEOPLE, PERCENT, THOUSANDS, text
from socialfinance.reports.page import Page

ENDED = "ended_"
WORDS = {
    "performance": "Failed its tests",
    "voluntary": "Notice by a party",
    "policy": "Change of policy",
    "insolvency": "Insolvency",
    "covenant": "Covenant breached",
    "missed payment": "Payment missed",
    "unpaid bills": "Bills unpaid",
    "planning refused": "Planning refused",
}
TOLD_ELSEWHERE = ("loan-book", "development")
"""Kinds of which what was done has a part of the report to itself."""
STATISTICS = ("plan", "mean", "p5", "p95")


def endings(page: Page, figures: Figures) -> None:
    """The share of futures in which a contract ended early, by cause."""
    rows = figures.result.measures_rows
    causes = dict.fromkeys(row.measure for row in rows if row.role == "structure" and ENDED in row.measure)
    if not causes:
        return
    page.heading("How contracts ended")
    lines = []
    for deal in figures.deals:
        found = [figures.structure(deal.name, cause, "probability") for cause in causes]
        early = sum(row.value or 0.0 for row in found if row is not None)
        error = (max(early * (1.0 - early), 0.0) / figures.result.paths) ** 0.5
        share = text(1.0 - early, error, PERCENT) if early < 1.0 else "never"
        lines.append((deal.name, share, *(chance(row, page) for row in found)))
    heads = [WORDS.get(cause.removeprefix(ENDED), cause.removeprefix(ENDED)) for cause in causes]
    page.table("Share of futures", ("Deal", "Ran its course", *heads), lines)


def cut_off(page: Page, figures: Figures) -> None:
    """What lies beyond the last quarter of the file: outcomes, payments or savings that no table shows."""
    found = []
    for deal in figures.deals:
        row = figures.row("quarters_beyond_horizon", "terms", deal=deal.name, role="programme")
        if row is not None and row.value:
            found.append(f"{deal.name} {row.value:.0f}")
    if found:
        page.heading("Beyond the last quarter")
        page.say(
            "Outcomes, payments or savings of these contracts go on after the last quarter of the file, for "
            f"so many quarters, and no table has them: {', '.join(found)}. A longer `quarters` shows them."
        )


def done(page: Page, figures: Figures) -> None:
    """What was done over the life: people started, outcomes achieved, and outcomes for each £1,000 paid."""
    deals = [
        deal for deal in figures.deals
        if deal.deal.programme.kind not in TOLD_ELSEWHERE and deal.own.lowered.delivers
    ]  # fmt: skip
    if not deals:
        return
    page.heading("What was done")
    rows = [line for deal in deals for line in _lines(page, figures, deal)]
    page.table(
        "Over the life",
        ("Deal", "", "Plan", "Expected", "P5", "P95", "Beyond what would have been", "For each £1,000 paid"),
        rows,
        names=2,
    )
    if any(deal.programme.lines for deal in figures.deals):
        page.say(
            "Outcomes are those truly achieved. Beyond what would have been: expected outcomes that would "
            "not have happened anyway, where the file says which share would (deadweight). Paid: expected "
            "payments of all public bodies, undiscounted, savings not taken off."
        )


def _lines(page: Page, figures: Figures, deal: ReadyDeal) -> list[tuple[str, ...]]:
    counted = [
        row for row in figures.result.measures_rows
        if (row.scope, row.deal, row.role, row.statistic) == ("deal", deal.name, "programme", "mean")
        and not row.measure.startswith("beyond: ")
    ]  # fmt: skip
    counted.sort(key=lambda row: _place(deal, row.measure))
    paid = figures.total(deal.name, "paid")
    lines = []
    for i, row in enumerate(counted):
        scale = THOUSANDS if row.unit == "pounds" else PEOPLE
        rate = NOTHING
        if row.measure.startswith("achieved: ") and row.value and paid and paid.value:
            rate = f"{1000.0 * row.value / paid.value:.3g}"
        name = row.measure.removeprefix("people ").replace("achieved: ", "achieved ")
        lines.append((
            "" if i else deal.name,
            name + (" (£000)" if row.unit == "pounds" else ""),
            *(cell(figures.programme(deal.name, row.measure, at), scale, page) for at in STATISTICS),
            _beyond(page, figures, deal, row.measure),
            rate,
        ))  # fmt: skip
    return lines


def _place(deal: ReadyDeal, measure: str) -> int:
    """Where a figure stands: people first, then outcomes as they fall; of anything else, as it is counted."""
    order = ["people referred", "people started", *(f"achieved: {line}" for line in deal.programme.lines)]
    return order.index(measure) if measure in order else len(order)


def _beyond(page: Page, figures: Figures, deal: ReadyDeal, measure: str) -> str:
    """Outcomes that would not have happened anyway, where the file gives a line's deadweight."""
    line = measure.removeprefix("achieved: ")
    outcome = getattr(deal.programme.programme, "outcomes", {}).get(line)
    if outcome is None or "deadweight" not in outcome.model_fields_set:
        return NOTHING
    return cell(figures.programme(deal.name, f"beyond: {line}"), PEOPLE, page)
