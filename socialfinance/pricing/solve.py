"""A term solved for a target: which price, cover, commitment or rate makes a figure what it is to be."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
from scipy.optimize import root

from socialfinance.core.errors import InputError, RunError
from socialfinance.funds.portfolio import Portfolio
from socialfinance.measures.statistics import Row
from socialfinance.pricing.read import Futures, Wanted
from socialfinance.pricing.search import SLOPE, Found, find, number
from socialfinance.pricing.targets import Target, target_of
from socialfinance.pricing.vary import Range, Term, term_of

Vary = str | Sequence[str] | Mapping[str, Range | None]
MOST_TRIES = 60
"""Pairs of values tried before the search for two terms goes through them one inside the other."""
NEAR = 0.02
"""Standard errors within which two figures must come to their targets."""


ROUNDING = 1e-6
"""Of a target or of 1: two figures that are no further from their targets are there."""


class HasPortfolio(Protocol):
    """What was loaded from a file."""

    @property
    def portfolio(self) -> Portfolio:
        """The portfolio itself."""


class Solved(NamedTuple):
    """The answer for one term."""

    path: str
    value: float
    standard_error: float | None
    """from the noise of the figure, over its slope; none where the figure is flat or jumps"""
    before: float
    """what the file has; of a mapping of numbers the answer is a multiple of all of them, and this is 1"""
    is_multiple: bool
    low: float
    high: float
    bracket: tuple[float, float] | None
    """between which the answer was found; none where two terms were solved together"""
    course: str
    """what the figure does over the range: rises, falls, is not monotone"""
    grid: tuple[tuple[float, float | None], ...]
    """the range looked at first: the term and the figure"""
    notes: tuple[str, ...]


class Met(NamedTuple):
    """A target, and the figure at the answer."""

    target: str
    figure: str
    wanted: float
    basis: str
    value: float
    standard_error: float | None
    unit: str
    status: str


@dataclass(frozen=True)
class Solution:
    """What makes the targets hold, and how well that is known."""

    terms: tuple[Solved, ...]
    targets: tuple[Met, ...]
    paths: int
    seed: int
    runs: int
    """times that the futures were run"""
    seconds: float
    times_one_run: float
    """the same as a multiple of the first run"""
    portfolio: Portfolio = field(repr=False)
    """with the answer put in"""

    @property
    def value(self) -> float:
        """Of the first term."""
        return self.terms[0].value

    @property
    def standard_error(self) -> float | None:
        """Of the first term."""
        return self.terms[0].standard_error

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "terms": [one._asdict() for one in self.terms],
            "targets": [one._asdict() for one in self.targets],
            "paths": self.paths, "seed": self.seed, "runs": self.runs, "seconds": self.seconds,
            "times_one_run": self.times_one_run,
        }  # fmt: skip


def solve(
    fund: Portfolio | HasPortfolio,
    vary: Vary,
    target: str | Sequence[str],
    paths: int = 10_000,
    seed: int = 1,
) -> Solution:
    """The value of one or two terms at which as many targets hold.

    ``vary`` names terms by path, with the range of each or without: ``{"fund.pool.cover": (0.0, 1.0)}``. The
    path of a mapping of numbers (``deals.NAME.tariff.prices``) stands for all of them, varied by one
    multiple. A target is ``[deal:]party-or-role.measure.statistic``, then ``<=``, ``>=`` or ``==``, and a
    number or ``pwlb + 0.0125``. Of an inequality the answer is the edge of what satisfies it, on the side
    that does. Draws are the same at every value. Raises RunError, with the reason, where there is no answer.
    """
    portfolio = portfolio_of(fund)
    terms = [term_of(portfolio, path, given) for path, given in _ranges(vary).items()]
    targets = [target_of(one, portfolio) for one in ([target] if isinstance(target, str) else target)]
    _check_counts(terms, targets)
    only_fund = all(term.path.startswith("fund.") for term in terms)
    futures = Futures(portfolio, paths, seed, only_fund)
    runs = _Runs(portfolio, terms, [futures.find(one.figure) for one in targets], futures)
    solved = _one(terms[0], targets[0], runs) if len(terms) == 1 else _two(terms, targets, runs)
    at = tuple(one.value for one in solved)
    return Solution(
        tuple(solved), tuple(_met(t, row) for t, row in zip(targets, runs.at(*at), strict=True)), paths, seed,
        len(runs.seen), runs.seconds, runs.seconds / runs.first, runs.portfolio_at(*at),
    )  # fmt: skip


def portfolio_of(fund: Portfolio | HasPortfolio) -> Portfolio:
    """The portfolio, of what was loaded or as it is."""
    return fund if isinstance(fund, Portfolio) else fund.portfolio


def _ranges(vary: Vary) -> dict[str, Range | None]:
    if isinstance(vary, str):
        return {vary: None}
    return dict(vary) if isinstance(vary, Mapping) else dict.fromkeys(vary)


def _check_counts(terms: Sequence[Term], targets: Sequence[Target]) -> None:
    if not 1 <= len(terms) <= 2:
        raise InputError("one or two terms can be varied", field="vary", given=len(terms), allowed="1 or 2")
    if len(targets) != len(terms):
        raise InputError(
            "each term needs one target", field="target", given=f"{len(targets)} for {len(terms)}",
            allowed=str(len(terms)),
        )  # fmt: skip


class _Runs:
    """Figures at values of the terms, each read once."""

    def __init__(
        self, portfolio: Portfolio, terms: Sequence[Term], wanted: Sequence[Wanted], futures: Futures
    ) -> None:
        self.portfolio, self.terms, self.wanted, self.futures = portfolio, terms, wanted, futures
        self.seen: dict[tuple[float, ...], list[Row]] = {}
        self.seconds = self.first = 0.0

    def portfolio_at(self, *values: float) -> Portfolio:
        """The portfolio with the terms at these values."""
        made = self.portfolio
        for term, value in zip(self.terms, values, strict=True):
            made = term.put(made, value)
        return made

    def at(self, *values: float) -> list[Row]:
        """The figures there."""
        if values not in self.seen:
            began = time.perf_counter()
            try:
                self.seen[values] = self.futures.read(self.portfolio_at(*values), self.wanted)
            except InputError as error:
                raise self._outside(error, values) from None
            taken = time.perf_counter() - began
            self.seconds += taken
            self.first = self.first or taken
        return self.seen[values]

    def _outside(self, error: InputError, values: Sequence[float]) -> InputError:
        """The same error, and at which value of the term it came."""
        tried = ", ".join(f"{term.path} = {number(x)}" for term, x in zip(self.terms, values, strict=True))
        return InputError(
            f"{error.problem}, with {tried}: give another range", field=error.field, given=error.given,
            allowed=error.allowed,
        )  # fmt: skip


def _met(target: Target, row: Row) -> Met:
    assert row.value is not None
    return Met(
        target.text, target.figure, target.value, target.basis, row.value, row.standard_error, row.unit,
        row.status,
    )  # fmt: skip


def _one(term: Term, target: Target, runs: _Runs) -> list[Solved]:
    """One term for one target. Its error: that of the figure over the slope of the figure."""
    found = find(term, target, lambda x: runs.at(x)[0])
    return [_solved(term, found, _over(found.row.standard_error, found.slope))]


def _over(error: float | None, slope: float | None) -> float | None:
    return None if error is None or not slope else error / abs(slope)


def _solved(term: Term, found: Found, error: float | None) -> Solved:
    return Solved(
        term.path, found.value, error, term.now, bool(term.scaled), term.low, term.high, found.bracket,
        found.course, found.grid, found.notes,
    )  # fmt: skip


# --- two terms --------------------------------------------------------------------------------------


def _two(terms: Sequence[Term], targets: Sequence[Target], runs: _Runs) -> list[Solved]:
    """Two terms for two targets: Powell's hybrid method, else one search inside the other; then a check.

    Errors: |J^-1| s, J being how both figures move with both terms and s their standard errors, added up as
    if they went the same way.
    """
    if any(term.whole for term in terms):
        raise InputError("two terms together must not be whole numbers", field="vary", given=terms[0].path)
    values = _together(terms, targets, runs)
    if values is None:
        values = _nested(terms, targets, runs)
    rows = runs.at(*values)
    if not _near(rows, targets, 1.0):
        _refuse(terms, targets, runs, values)
    errors = _errors(terms, rows, values, runs)
    notes = tuple(
        f"{target.text} holds to within {number(abs(row.value - target.value))}"
        for target, row in zip(targets, rows, strict=True)
        if row.value is not None
        and abs(row.value - target.value) > ROUNDING * max(1.0, abs(target.value))
        and (target.sign == "==" or not target.holds(row.value))
    )
    return [
        Solved(
            term.path, value, error, term.now, bool(term.scaled), term.low, term.high, None,
            "was solved with another", (), notes if term is terms[-1] else (),
        )
        for term, value, error in zip(terms, values, errors, strict=True)
    ]  # fmt: skip


def _near(rows: Sequence[Row], targets: Sequence[Target], errors: float) -> bool:
    """Whether figures are at their targets, but for so many standard errors."""
    for row, target in zip(rows, targets, strict=True):
        within = max(errors * (row.standard_error or 0.0), ROUNDING * max(1.0, abs(target.value)))
        if row.value is None or abs(row.value - target.value) > within:
            return False
    return True


def _together(terms: Sequence[Term], targets: Sequence[Target], runs: _Runs) -> tuple[float, ...] | None:
    """Both terms at once, from the middle of their ranges; None where that leads nowhere."""
    low, high = np.array([t.low for t in terms]), np.array([t.high for t in terms])
    scales = [max(abs(target.value), 1e-9) for target in targets]

    def values_of(unit: Any) -> tuple[float, ...]:
        return tuple(float(x) for x in low + np.clip(unit, 0.0, 1.0) * (high - low))

    def gaps(unit: Any) -> list[float]:
        outside = float(np.abs(np.clip(unit, 0.0, 1.0) - unit).sum())
        rows = runs.at(*values_of(unit))
        if any(row.value is None for row in rows):
            raise RunError(rows[0].status)
        pairs = zip(rows, targets, scales, strict=True)
        return [((row.value or 0.0) - target.value) / scale + outside for row, target, scale in pairs]

    options: Any = {"eps": SLOPE, "xtol": 1e-9, "maxfev": MOST_TRIES}
    try:
        tried = root(gaps, [0.5, 0.5], method="hybr", options=options)
    except RunError:
        return None
    values = values_of(tried.x)
    return values if _near(runs.at(*values), targets, NEAR) else None


def _nested(terms: Sequence[Term], targets: Sequence[Target], runs: _Runs) -> tuple[float, ...]:
    """The second term inside the first: for each value of the first, the second that meets its target."""
    inner: dict[float, float] = {}

    def outer_at(first: float) -> Row:
        try:
            inner[first] = find(terms[1], targets[1], lambda second: runs.at(first, second)[1]).value
        except RunError as error:
            empty = runs.at(first, terms[1].low)[0]
            return empty._replace(value=None, standard_error=None, status=str(error))
        return runs.at(first, inner[first])[0]

    first = find(terms[0], targets[0], outer_at).value
    return first, inner[first]


def _refuse(terms: Sequence[Term], targets: Sequence[Target], runs: _Runs, values: tuple[float, ...]) -> None:
    corners = [(x, y) for x in (terms[0].low, terms[0].high) for y in (terms[1].low, terms[1].high)]
    shown = "; ".join(
        f"({', '.join(map(number, corner))}): {', '.join(number(row.value) for row in runs.at(*corner))}"
        for corner in corners
    )
    wanted = " and ".join(target.text for target in targets)
    raise RunError(f"no pair was found for {wanted}; figures at the corners of the ranges: {shown}")


def _errors(
    terms: Sequence[Term], rows: Sequence[Row], values: tuple[float, ...], runs: _Runs
) -> list[float | None]:
    """|J^-1| s; none where J cannot be turned round or an error is not known."""
    slopes = np.zeros((2, 2))
    for j, term in enumerate(terms):
        reach = SLOPE * (term.high - term.low)
        ends = [list(values), list(values)]
        ends[0][j], ends[1][j] = max(values[j] - reach, term.low), min(values[j] + reach, term.high)
        below, above = runs.at(*ends[0]), runs.at(*ends[1])
        for i in range(2):
            if below[i].value is None or above[i].value is None:
                return [None, None]
            slopes[i, j] = (above[i].value - below[i].value) / (ends[1][j] - ends[0][j])  # type: ignore[operator]
    noise = [row.standard_error for row in rows]
    if any(one is None for one in noise) or abs(np.linalg.det(slopes)) < 1e-300:
        return [None, None]
    return [float(x) for x in np.abs(np.linalg.inv(slopes)) @ np.array(noise, dtype=float)]
