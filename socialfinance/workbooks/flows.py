"""Who pays whom, and each public body's years: means with live sums, quantiles, charts."""

from __future__ import annotations

from collections.abc import Sequence

from openpyxl.utils import get_column_letter

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.core.ledger import MEMO
from socialfinance.reports.figures import Figures
from socialfinance.results.result import FlowRow, Result
from socialfinance.workbooks.cells import money
from socialfinance.workbooks.figures import number, style_of, value
from socialfinance.workbooks.page import Block, Column, Formula, Page

YEARLY = ("paid", "saving", "net_cost")
STATISTICS = ("mean", "sd", "min", "p5", "p50", "p95", "p99", "max", "es99")
CHART_ROWS = 17
"""Rows that a chart covers."""
CALLS = "guarantee call"


def by_year(page: Page, result: Result, years: Sequence[str]) -> Block:
    """Every leg's mean by financial year, with its live sum; without what is not cash."""
    cash = [row for row in result.flow_rows if row.reason not in MEMO]
    table: dict[tuple[str, str, str, str], dict[str, float]] = {}
    for row in cash:
        table.setdefault((row.deal, row.payer, row.payee, row.reason), {})[row.financial_year] = row.value
    pounds = money(page.sheets.symbol, pence=True)
    page.say("Means over all futures. A line without a deal is the fund's own. What is not cash is left out.")
    first, last = get_column_letter(5), get_column_letter(4 + len(years))
    columns = [
        Column("Deal", width=24),
        Column("From", width=24),
        Column("To", width=24),
        Column("Why", width=24),
    ]
    columns += [Column(year, pounds, 16, sums=True) for year in years]
    columns += [Column("Life", pounds, 18, sums=True), Column("Life, from the result", pounds, 18, sums=True)]
    top = page.row + 1
    rows = [
        (*leg, *(by.get(year) for year in years), Formula(f"=SUM({first}{n}:{last}{n})"), by.get("", 0.0))
        for n, (leg, by) in enumerate(table.items(), start=top)
    ]
    block = page.table(columns, rows, freeze=4)
    lives = {5 + len(years): sum(row.value for row in cash if row.financial_year == "")}
    page.check(block, lives if rows else {})
    page.finish(pages_wide=2)
    return block


def by_party(page: Page, figures: Figures, flows: Block, sheet: str) -> None:
    """What each party pays and has over the life: live sums over the sheet of all flows."""
    result = figures.result
    cash = [row for row in result.flow_rows if row.reason not in MEMO and row.financial_year == ""]
    parties = sorted({name for row in cash for name in (row.payer, row.payee)})
    page.say(
        "Expected, over the life. Received less paid; the parties sum to nil. Live sums over the sheet Flows."
    )
    if not parties:
        page.say("Nothing is paid.")
        page.finish()
        return
    pounds = money(page.sheets.symbol, pence=True)
    width = len(result_years(result)) + 5
    payers, payees = flows.cells(2, f"{sheet}!"), flows.cells(3, f"{sheet}!")
    lives = flows.cells(width, f"{sheet}!")
    first = page.row + 1
    rows = []
    for n, party in enumerate(parties, start=first):
        rows.append(
            (
                party,
                figures.title(party),
                Formula(f"=SUMIFS({lives},{payees},A{n})"),
                Formula(f"=SUMIFS({lives},{payers},A{n})"),
                Formula(f"=C{n}-D{n}"),
                _net(cash, party),
                Formula(f"=IF(ABS(E{n}-F{n})<0.005,0,1)"),
            )
        )
    block = page.table(
        (
            Column("Party", width=32),
            Column("Title", width=44),
            Column("Receives", pounds, 18, sums=True),
            Column("Pays", pounds, 18, sums=True),
            Column("Net", pounds, 18, sums=True),
            Column("Net, from the result", pounds, 18),
            Column("Rows that differ", '[=0]"ok";"differs"', 12, sums=True),
        ),
        rows,
        freeze=1,
    )
    page.check(block, {5: 0.0, 7: 0.0}, "nil, as money has two sides")
    page.finish()


def _net(cash: Sequence[FlowRow], party: str) -> float:
    net = sum(row.value * ((row.payee == party) - (row.payer == party)) for row in cash)
    return net if abs(net) >= HALF_A_PENNY else 0.0


def result_years(result: Result) -> list[str]:
    """Financial years in which anything is paid or counted, in order."""
    years = {row.financial_year for row in result.flow_rows} | {
        row.financial_year for row in result.measures_rows
    }
    return sorted(years - {""})


def councils(page: Page, figures: Figures, years: Sequence[str]) -> None:
    """Each public body's years: pays, saves, net; quantiles of the net; a chart of it."""
    page.say(
        "Pays, saves and net cost are means, which add up. Quantiles are of each year's net cost by itself, "
        "and do not: the line Life says what they are over the whole life."
    )
    for party in figures.bodies():
        _council(page, figures, party, years)
    page.finish()


def _council(page: Page, figures: Figures, party: str, years: Sequence[str]) -> None:
    pounds = money(page.sheets.symbol, pence=True)
    page.part(f"{figures.title(party)} ({party})")
    start, first = page.row, page.row + 1

    def row(n: int, year: str, label: str) -> tuple[object, ...]:
        paid, saved = (value(figures.public(party, one, year=year)) for one in ("paid", "saving"))
        quantiles = [value(figures.public(party, "net_cost", one, year)) for one in ("p5", "p50", "p95")]
        return (
            label,
            paid or 0.0,
            saved or 0.0,
            quantiles[0],
            Formula(f"=B{n}-C{n}"),
            quantiles[2],
            quantiles[1],
        )

    columns = (
        Column("Financial year", width=22),
        Column("Pays", pounds, 17, sums=True),
        Column("Saves", pounds, 17, sums=True),
        Column("Net cost, P5", pounds, 17),
        Column("Net cost, mean", pounds, 17, sums=True),
        Column("Net cost, P95", pounds, 17),
        Column("Net cost, P50", pounds, 17),
    )
    block = page.table(columns, [row(first + n, year, year) for n, year in enumerate(years)], total="Life")
    life = {
        column: number(figures.public(party, measure))
        for column, measure in ((2, "paid"), (3, "saving"), (5, "net_cost"))
    }
    page.check(block, life, "life, from the result")
    for column, statistic in ((4, "p5"), (6, "p95"), (7, "p50")):
        cell = page.sheet.cell(row=block.total, column=column)
        cell.value = value(figures.public(party, "net_cost", statistic))
        cell.number_format = pounds
    page.lines_chart("Net cost by year: mean, P5 and P95", block, (4, 5, 6), page.sheets.symbol, f"I{start}")
    page.row = max(page.row, start + CHART_ROWS)


def quantiles(page: Page, figures: Figures, years: Sequence[str]) -> None:
    """Every yearly figure of public bodies and of the fund, with its quantiles."""
    symbol = page.sheets.symbol
    page.say(
        "By financial year; each statistic is of that year by itself. Rows without a year are the whole life."
    )
    found: dict[tuple[str, str, str, str, str], dict[str, float | str | None]] = {}
    units: dict[tuple[str, str, str, str, str], str] = {}
    for row in figures.result.measures_rows:
        if (row.scope == "council" and row.measure in YEARLY) or (row.scope == "fund" and row.role == "fund"):
            of = "public body" if row.scope == "council" else "fund"
            key = (of, row.party, row.measure, row.financial_year, row.unit)
            if row.statistic in STATISTICS:
                found.setdefault(key, {})[row.statistic] = value(row)
                units[key] = row.unit
    yearly = {key[:3] for key in found if key[3]}
    order = {year: n for n, year in enumerate([*years, ""])}
    keys = sorted(
        (key for key in found if key[:3] in yearly), key=lambda key: (key[:3], order.get(key[3], len(order)))
    )
    columns = (
        Column("Of", width=14),
        Column("Party", width=24),
        Column("Figure", width=22),
        Column("Year", width=12),
        Column("Unit", width=12),
        *(Column(name, money(symbol), 17) for name in STATISTICS),
    )
    block = page.table(
        columns,
        [
            (*key[:3], key[3] or "life", key[4], *(found[key].get(name) for name in STATISTICS))
            for key in keys
        ],
        freeze=4,
    )
    for n, key in enumerate(keys, start=block.first):
        for column in range(6, 6 + len(STATISTICS)):
            page.sheet.cell(row=n, column=column).number_format = style_of(units[key], symbol)
    if keys:
        page.sheet.auto_filter.ref = f"A{block.head}:{get_column_letter(len(columns))}{block.last}"
    page.finish()


def calls_by_year(rows: Sequence[FlowRow], years: Sequence[str]) -> dict[str, dict[str, float]]:
    """By guarantor, the mean of what it is called for in each financial year, pounds."""
    found: dict[str, dict[str, float]] = {}
    for row in rows:
        if row.reason == CALLS and row.financial_year:
            by = found.setdefault(row.payer, dict.fromkeys(years, 0.0))
            by[row.financial_year] += row.value
    return found
