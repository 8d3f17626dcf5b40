"""Where a figure reaches its target as one term moves: a grid first, then halving or Brent's method."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq

from socialfinance.core.errors import RunError
from socialfinance.measures.statistics import QUANTILES, Row
from socialfinance.pricing.targets import Target
from socialfinance.pricing.vary import Term

GRID = 5
"""Values of the term, ends included, at which the figure is looked at first."""
FINE = 2.0**-13
"""To how much of the range a step is found: of a probability or a quantile, which jump with the term."""
EXACT = 1e-9
"""To how much of the range another figure's root is found."""
SLOPE = 0.005
"""Share of the range either side over which a slope is taken."""
CLEAR = 2.0
"""Standard errors by which two values of a stepped figure must differ to give a slope."""
ENOUGH = 0.25
"""Standard errors of a stepped figure over a bracket at which it need not be halved again."""
STEPPED = ("probability", *QUANTILES, "min", "max")
At = Callable[[float], Row]


class Found(NamedTuple):
    """The answer for one term."""

    value: float
    row: Row
    slope: float | None
    """of the figure, for one unit of the term; none where it is flat or jumps"""
    bracket: tuple[float, float]
    """between which the answer was looked for"""
    course: str
    """rises, falls, or is not monotone, on the grid"""
    grid: tuple[tuple[float, float | None], ...]
    notes: tuple[str, ...]


def find(term: Term, target: Target, reading: At) -> Found:
    """The value of the term at which the target just holds.

    The figure is a function of the term, as the draws are the same at each value. Of ``==`` the root; of
    ``<=`` and ``>=`` the edge of the values that satisfy it, and always a value that does. Raises RunError
    with the reason where there is none.
    """
    tried: dict[float, float] = {}

    def at(x: float) -> Row:
        row = reading(x)
        if row.value is not None:
            tried[x] = row.value
        return row

    points = [(x, at(x)) for x in _grid(term)]
    known = [(x, row.value) for x, row in points if row.value is not None]
    _check_exists(target, points, known)
    course = _course([y for _, y in known])
    edges = [(a, b) for (a, one), (b, other) in pairwise(known) if target.holds(one) != target.holds(other)]
    exact = [x for x, y in known if y == target.value and target.sign == "=="]
    if not edges and not exact:
        _refuse(term, target, known)
    notes = []
    if len(edges) > 1:
        others = ", ".join(f"{number(a)} to {number(b)}" for a, b in edges[1:])
        notes.append(f"the target is crossed again between {others}: this is the first from below")
    if len(known) < len(points):
        missing = next(row for _, row in points if row.value is None)
        notes.append(f"in a part of the range the figure does not exist ({missing.status})")
    bracket = edges[0] if edges else (exact[0], exact[0])
    value = exact[0] if exact else _edge(term, target, bracket, at)
    row = at(value)
    jumps = _jumps(term, target, value, row, max(abs(y) for _, y in known))
    slope = None if jumps else _slope(term, value, at, tried)
    grid = tuple((x, row.value) for x, row in points)
    return Found(value, row, slope, bracket, course, grid, (*notes, *jumps))


def is_stepped(term: Term, row: Row) -> bool:
    """Whether the figure jumps as the term moves."""
    return term.whole or row.statistic in STEPPED


def number(value: float | None) -> str:
    """A number in a sentence."""
    return "none" if value is None else f"{value:,.6g}"


def _grid(term: Term) -> list[float]:
    points = np.linspace(term.low, term.high, GRID)
    return sorted({float(round(x)) if term.whole else float(x) for x in points})


def _check_exists(target: Target, points: list[tuple[float, Row]], known: list[tuple[float, float]]) -> None:
    if not known:
        raise RunError(f"{target.figure} does not exist on these futures: {points[0][1].status}")


def _refuse(term: Term, target: Target, known: list[tuple[float, float]]) -> None:
    """Say why there is no answer."""
    (low, at_low), (high, at_high) = known[0], known[-1]
    ends = f"it is {number(at_low)} at {number(low)} and {number(at_high)} at {number(high)}"
    if len({y for _, y in known}) == 1:
        raise RunError(f"{target.figure} does not depend on {term.path}: {ends}")
    if target.sign != "==" and target.holds(at_low):
        raise RunError(
            f"{target.text} holds whatever {term.path} is from {number(low)} to {number(high)}: {ends}; "
            "a wider range may have an edge"
        )
    raise RunError(
        f"{target.text} is not reached with {term.path} from {number(low)} to {number(high)}: {ends}"
    )


def _course(values: list[float]) -> str:
    """Rises, falls, or is not monotone."""
    steps = np.diff(values)
    least = 1e-12 * max(abs(y) for y in values)
    if np.all(steps >= -least):
        return "rises"
    return "falls" if np.all(steps <= least) else "is not monotone"


def _edge(term: Term, target: Target, bracket: tuple[float, float], at: At) -> float:
    """The edge inside a bracket: of an inequality on the side that satisfies it."""
    low, high = bracket
    if is_stepped(term, at(low)):
        return _halved(term, target, low, high, at)
    width = term.high - term.low
    root = float(brentq(lambda x: _value(at(x), target) - target.value, low, high, xtol=EXACT * width))
    if target.sign == "==" or target.holds(_value(at(root), target)):
        return root
    good = low if target.holds(_value(at(low), target)) else high
    step = EXACT * width
    while not target.holds(_value(at(root), target)) and root != good:
        root = max(root - step, low) if good == low else min(root + step, high)
        step *= 4.0
    return root


def _halved(term: Term, target: Target, low: float, high: float, at: At) -> float:
    """Halve the bracket; the end that satisfies the target, or of ``==`` that which is nearer to it."""
    first = target.holds(_value(at(low), target))
    while high - low > _fine(term, at(low), at(high)):
        middle = (low + high) / 2.0
        middle = math.floor(middle) if term.whole else middle
        if target.holds(_value(at(middle), target)) == first:
            low = middle
        else:
            high = middle
    if target.sign == "==":
        return min((low, high), key=lambda x: abs(_value(at(x), target) - target.value))
    return low if first else high


def _fine(term: Term, one: Row, other: Row) -> float:
    """How narrow a bracket need be: no more than noise is worth, but finer where the figure jumps by more."""
    if term.whole:
        return 1.0
    noise = max(one.standard_error or 0.0, other.standard_error or 0.0)
    if _apart(one, other) <= ENOUGH * noise:
        return math.inf
    return (EXACT if _apart(one, other) > noise else FINE) * (term.high - term.low)


def _apart(one: Row, other: Row) -> float:
    return abs((one.value or 0.0) - (other.value or 0.0))


def _value(row: Row, target: Target) -> float:
    if row.value is None:
        raise RunError(f"{target.figure} does not exist on the way to the answer: {row.status}")
    return row.value


def _jumps(term: Term, target: Target, value: float, row: Row, size: float) -> list[str]:
    """Where the figure jumps over the target at the answer: said, or of ``==`` refused."""
    assert row.value is not None
    apart = abs(row.value - target.value)
    noise = max(row.standard_error or 0.0, 1e-6 * size)
    if apart <= noise:
        return []
    if target.sign == "==":
        raise RunError(
            f"{target.text} is not met by any {term.path}: the figure jumps over it near {number(value)}, "
            f"where it is {number(row.value)}"
        )
    if term.whole:
        return [f"the term is a whole number: the figure is {number(row.value)} there, past the target"]
    return [
        f"the figure jumps: it is {number(row.value)} at the answer, and beyond it misses the target; "
        "where it jumps does not depend on noise, but on which side the target lies may"
    ]


def _slope(term: Term, value: float, at: At, tried: dict[float, float]) -> float | None:
    """How much the figure moves for one unit of the term, on the same draws: (y(b) - y(a)) / (b - a).

    Of a figure without steps a and b lie either side of the answer; of one with steps they are the nearest
    of the values already tried whose figures differ by more than noise.
    """
    row = at(value)
    if is_stepped(term, row):
        pairs = [(a, b) for a in tried if a <= value for b in tried if b >= value and b > a]
        noise = CLEAR * (row.standard_error or 0.0)
        clear = [(a, b) for a, b in pairs if abs(tried[b] - tried[a]) > noise]
        chosen = min(clear, key=lambda pair: pair[1] - pair[0], default=None)
        return (tried[chosen[1]] - tried[chosen[0]]) / (chosen[1] - chosen[0]) if chosen else None
    reach = SLOPE * (term.high - term.low)
    a, b = max(value - reach, term.low), min(value + reach, term.high)
    one, other = at(a).value, at(b).value
    return None if one is None or other is None else (other - one) / (b - a)
