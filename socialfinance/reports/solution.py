"""A solved term as text: the answer with its error, how the figure moved, and the figure at the answer."""

from __future__ import annotations

from socialfinance.pricing.solve import Met, Solution, Solved
from socialfinance.reports.numbers import digits, rounded
from socialfinance.reports.page import Page


def solution_page(solution: Solution, page: Page) -> str:
    """The page of ``solve``."""
    for met in solution.targets:
        basis = f", which is {met.wanted:.3%}: {met.basis}" if met.basis else ""
        page.say(f"Wanted: {met.target}{basis}.")
    for term in solution.terms:
        page.gap()
        _term(page, term)
    page.gap()
    for met in solution.targets:
        page.say(_figure(met))
    page.say(
        f"{solution.runs} runs of {solution.paths:,} futures, seed {solution.seed}, the same each time.",
        "± is one standard error of the simulation: of a term, that of its figure over the figure's slope.",
    )
    return page.text


def _term(page: Page, term: Solved) -> None:
    what = "Multiple of all numbers in" if term.is_multiple else "Answer for"
    before = "" if term.is_multiple else f"The file has {plain(term.before)}."
    page.say(f"{what} {term.path}: {_with_error(term.value, term.standard_error)}.", before)
    if term.standard_error is None:
        page.say("It has no error of its own: the figure jumps there, is flat around it, or has none.")
    if term.bracket is not None:
        low, high = term.bracket
        page.say(
            f"From {plain(term.low)} to {plain(term.high)} the figure {term.course};",
            f"the answer was looked for between {plain(low)} and {plain(high)}.",
        )
    for note in term.notes:
        page.say(f"Note: {note}.")
    if term.grid:
        page.table("", ("Term", "Figure"), [(plain(x), plain(y)) for x, y in term.grid])
    if not term.is_multiple:
        page.gap()
        page.say(f'To run it: --set "{term.path}={term.value!r}"')


def _figure(met: Met) -> str:
    return f"There {met.figure} is {_with_error(met.value, met.standard_error)} ({met.unit})."


def plain(value: float | None) -> str:
    """A number to six digits."""
    return "none" if value is None else f"{value:,.6g}" if abs(value) < 1e6 else f"{value:,.0f}"


def _with_error(value: float, error: float | None) -> str:
    """A number to the first digit of its error, and the error."""
    places = digits(error) if error else None
    if error is None or places is None:
        return plain(value)
    shown = max(places, 0)
    return f"{rounded(value, error) + 0.0:,.{shown}f} ± {rounded(error, error):,.{shown}f}"
