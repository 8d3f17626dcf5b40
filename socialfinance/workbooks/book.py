"""A run's result as a workbook, sheet by sheet."""

from __future__ import annotations

from socialfinance.core.currency import CURRENCIES
from socialfinance.engine.ready import prepare
from socialfinance.reports.figures import Figures
from socialfinance.results.result import Result
from socialfinance.workbooks.cells import as_bytes
from socialfinance.workbooks.flows import by_party, by_year, councils, quantiles, result_years
from socialfinance.workbooks.future import future
from socialfinance.workbooks.inputs import inputs, provenance
from socialfinance.workbooks.page import Sheets
from socialfinance.workbooks.promised import contingent, notes
from socialfinance.workbooks.summary import add_checks, summary

FLOWS = "Flows"


def workbook(result: Result, path: int | None = None) -> bytes:
    """The file of a workbook; ``path`` is the future that is explained, by number.

    Without one, the future whose net cost is nearest the P95 of whoever pays most; it is looked for by
    running the first futures again. InputError for a number that no future has.
    """
    figures = Figures(result, prepare(result.portfolio))
    sheets = Sheets(CURRENCIES[result.portfolio.currency].symbol)
    years = result_years(result)
    first = sheets.page("Summary", result.portfolio.title or result.portfolio.name)
    row = summary(first, figures)
    parties = sheets.page("By party", "What each party receives and pays")
    flows = by_year(sheets.page(FLOWS, "Who pays whom, by financial year"), result, years)
    by_party(parties, figures, flows, FLOWS)
    councils(sheets.page("Councils by year", "Each public body, year by year"), figures, years)
    notes(sheets.page("Notes", "The fund's notes"), figures)
    contingent(sheets.page("Contingent liabilities", "Guarantees and promises"), figures, years)
    quantiles(sheets.page("Cash-flow quantiles", "Yearly figures and their quantiles"), figures, years)
    future(sheets.page("One future", "One future, line by line"), figures, path)
    inputs(sheets.page("Inputs", "Inputs and their sources"), result)
    provenance(sheets.page("Provenance", "Where this workbook comes from"), result)
    add_checks(first, row, sheets.page("Checks", "Live sums against the result"))
    sheets.book.calculation.fullCalcOnLoad = True
    sheets.book.properties.creator = "socialfinance"
    return as_bytes(sheets.book)
