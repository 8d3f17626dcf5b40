"""Frames read row by row, whatever their columns hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

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
