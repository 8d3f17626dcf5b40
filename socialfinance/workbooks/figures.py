"""A run's figures as cells: each with the format of its unit, and a word where there is none."""

from __future__ import annotations

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.measures.statistics import Row
from socialfinance.workbooks.cells import BASIS_POINTS, COUNT, PER_CENT, PLAIN, money

BASIS = 1e4
"""Basis points in one."""


def style_of(unit: str, symbol: str) -> str:
    """The number format of a unit."""
    if unit == "pounds":
        return money(symbol)
    known = {
        "fraction": PER_CENT,
        "fraction a year": PER_CENT,
        "share of paths": PER_CENT,
        "people": COUNT,
        "basis points": BASIS_POINTS,
        "times": '0.00"x"',
        "years": "0.0",
    }
    return known.get(unit, PLAIN)


def value(row: Row | None) -> float | str | None:
    """The number; where it does not exist, why; nothing where the run has no such figure.

    What is less than half a penny is nil, so that no cell says minus nothing.
    """
    if row is None:
        return None
    if row.value is None:
        return f"none: {row.status}"
    return 0.0 if row.unit == "pounds" and abs(row.value) < HALF_A_PENNY else row.value


def points(row: Row | None) -> float | str | None:
    """A fraction in basis points."""
    found = value(row)
    return found * BASIS if isinstance(found, float) else found


def number(row: Row | None) -> float:
    """The number, nil where there is none: for sums."""
    return row.value if row is not None and row.value is not None else 0.0
