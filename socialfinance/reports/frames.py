"""Frames read row by row, whatever their columns hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from socialfinance.reports.numbers import NOTHING, PERCENT, THOUSANDS, Scale, text, with_error

NEXT_TO_NOTHING = 50.0
"""Pounds a year; years at the end with less are left out."""


def each(table: Any) -> Iterator[Any]:
    """Rows whose columns are attributes."""
    yield from table.itertuples(index=False)


def groups(table: Any, by: str) -> Iterator[tuple[str, Any]]:
    """The rows that share a column's value, in order of appearance."""
    for name, rows in table.groupby(by, sort=False):
        yield str(name), rows


def shown(table: Any, columns: Iterable[str]) -> Any:
    """Rows of a table by year up to the last with anything to speak of."""
    money = table[list(columns)].abs().max(axis=1).to_numpy() >= NEXT_TO_NOTHING
    last = int(money.nonzero()[0][-1]) if money.any() else 0
    return table.iloc[: last + 1]


def missing(value: Any) -> bool:
    """Whether there is no figure: None, or not a number."""
    return value is None or value != value


def written(value: Any, scale: Scale, error: Any = None) -> str:
    """A cell: the figure, with its standard error where one is given; a mark where there is none."""
    if missing(value):
        return NOTHING
    if value == float("inf"):
        return "no limit"
    if missing(error):
        return text(float(value), None, scale)
    return with_error(float(value), float(error), scale)


def thousands(value: Any) -> str:
    """Pounds in a table headed £000."""
    return written(value, THOUSANDS)


def percent(value: Any) -> str:
    """A fraction in per cent."""
    return written(value, PERCENT)


def odds(value: Any) -> str:
    """A share of futures; none seen, and all of them, are said so."""
    if missing(value):
        return NOTHING
    return "none seen" if value == 0.0 else "always" if value == 1.0 else f"{value:.1%}"
