"""The first sheet: what was run, every deal, every public body, and whether the workbook's sums agree."""

from __future__ import annotations

from openpyxl.styles import Alignment

from socialfinance.engine.ready import ReadyDeal
from socialfinance.measures.sketch import WITHIN
from socialfinance.reports.figures import Figures
from socialfinance.reports.inputs import changed_line, count_sources
from socialfinance.workbooks.cells import PER_CENT, money, put_text
from socialfinance.workbooks.figures import number, value
from socialfinance.workbooks.page import BOLD, OK_OR_NOT, Column, Formula, Page


def summary(page: Page, figures: Figures) -> int:
    """Write it; the row in which all checks of the workbook are to be added up."""
    _about(page, figures)
    checked = page.row
    page.row += 2
    _deals(page, figures)
    _bodies(page, figures)
    page.finish()
    return checked


def _about(page: Page, figures: Figures) -> None:
    result, ready = figures.result, figures.ready
    end = ready.calendar.row_date(ready.calendar.quarters)
    counted = count_sources(ready.portfolio)
    unverified = sum(count for _, count in counted.unverified)
    page.say(
        f"{result.paths:,} simulated futures, seed {result.seed}; {len(ready.deals)} "
        f"deal{'s' * (len(ready.deals) != 1)} over "
        f"{ready.calendar.quarters} quarters from {ready.calendar.start.isoformat()} to {end.isoformat()}."
    )
    page.say(
        f"Present values at {result.discount:.3%} a year, annual effective, to the first day. "
        f"Basis: {result.discount_basis}. Other amounts are cash of the day."
    )
    page.say(
        f"Inputs: {counted.total:,} numbers; {counted.sourced:,} with a source, {counted.illustrative:,} "
        f"illustrative (invented), {counted.unsaid:,} neither"
        + (f"; {unverified:,} [unverified], still to be confirmed." if unverified else ".")
        + " They stand on the sheet Inputs."
    )
    if "keep" in result.extra:
        page.say(f"Quantiles are read off a sketch, and within {WITHIN:.1%} of the exact ones.")
    if result.portfolio.counts == "near":
        page.say("Large groups of people are counted nearly, not one by one (docs/scale.md).")
    if result.set:
        page.say(changed_line(result.set))
    page.say(
        "Means and quantiles are over the simulated futures; they say nothing of how well inputs are known."
    )


def _deals(page: Page, figures: Figures) -> None:
    symbol = page.sheets.symbol
    pounds = money(symbol)
    page.part("What the investors of each deal put in and have back, expected, over the life")
    block = page.table(
        (
            Column("Deal", width=30),
            Column("What it is", width=44),
            Column("Structure", width=22),
            Column("Drawn", pounds, 16),
            Column("Received", pounds, 16),
            Column("Gain", pounds, 16, sums=True),
            Column("Present value of gain", pounds, 16, sums=True),
            Column("IRR of expected flows", PER_CENT, 14),
            Column("Chance of a loss", PER_CENT, 14),
        ),
        [_deal(figures, deal) for deal in figures.deals],
    )
    if figures.whole and block.total:
        expected = {
            column: found.value
            for column, measure in ((6, "gain"), (7, "npv"))
            if (found := figures.investor("", measure)) is not None and found.value is not None
        }
        page.check(block, expected, "all investors together, from the result")


def _deal(figures: Figures, deal: ReadyDeal) -> tuple[object, ...]:
    def one(measure: str, statistic: str = "mean") -> object:
        return value(figures.investor(deal.name, measure, statistic))

    return (
        deal.name,
        deal.deal.title or deal.programme.programme.title,
        deal.deal.instrument.kind,
        one("drawn"),
        one("received"),
        one("gain"),
        one("npv"),
        one("irr", "of_mean_flows"),
        one("loss", "probability"),
    )


def _bodies(page: Page, figures: Figures) -> None:
    bodies = figures.bodies()
    if not bodies:
        return
    pounds = money(page.sheets.symbol)
    page.part(
        "What each public body pays and saves, expected, over the life (savings that leave a budget as cash)"
    )
    first = page.row + 1
    rows = []
    for n, party in enumerate(bodies, start=first):
        rows.append(
            (
                party,
                figures.title(party),
                figures.ready.parties[party].kind,
                value(figures.public(party, "paid")),
                value(figures.public(party, "saving")),
                Formula(f"=D{n}-E{n}"),
                value(figures.public(party, "net_cost", "p5")),
                value(figures.public(party, "net_cost", "p95")),
                value(figures.public(party, "net_cost_pv")),
            )
        )
    block = page.table(
        (
            Column("Party"),
            Column("Title"),
            Column("Kind"),
            Column("Pays", pounds, sums=True),
            Column("Saves", pounds, sums=True),
            Column("Net cost", pounds, sums=True),
            Column("Net cost, P5", pounds),
            Column("Net cost, P95", pounds),
            Column("Present value of net cost", pounds, sums=True),
        ),
        rows,
    )
    page.check(block, {6: sum(number(figures.public(party, "net_cost")) for party in bodies)})


def add_checks(page: Page, row: int, checks: Page) -> None:
    """A list of the workbook's checks on a sheet of its own, and what they come to on the first."""
    found = list(page.sheets.checks)
    checks.say(
        "Each compares a live sum of this workbook with the result of the run: the two agree to half a penny."
    )
    block = checks.table(
        (Column("Cell", width=40), Column("Check", OK_OR_NOT, 16, sums=True)),
        [(place, Formula(f"={place}")) for place in found],
    )
    checks.finish()
    put_text(page.sheet.cell(row=row, column=1), "Live sums against the result")
    cell = page.sheet.cell(row=row, column=2)
    cell.value = f"='{checks.sheet.title}'!B{block.total}" if found else 0
    cell.number_format = OK_OR_NOT.replace('"ok"', f'"all {len(found)} agree to half a penny"')
    cell.alignment = Alignment(horizontal="left")
    for column in (1, 2):
        page.sheet.cell(row=row, column=column).font = BOLD
