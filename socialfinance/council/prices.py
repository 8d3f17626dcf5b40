"""Nominal and real amounts, kept apart by type, and the deflator that turns one into the other."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from socialfinance.core.errors import InputError
from socialfinance.council.numbers import Array, number


class Nominal(NamedTuple):
    """Cash of the day."""

    amounts: Array
    """``(year,)`` or ``(year, path)``, pounds"""
    years: tuple[str, ...]
    """financial years, consecutive"""


class Real(NamedTuple):
    """Amounts in the prices of one financial year."""

    amounts: Array
    """``(year,)`` or ``(year, path)``, pounds"""
    years: tuple[str, ...]
    price_year: str


class Deflator(NamedTuple):
    """A price index by financial year."""

    level: Mapping[str, float]
    source: str

    def between(self, from_year: str, to_year: str) -> float:
        """Prices of one year over those of another: level_to / level_from. InputError for one outside."""
        for year in (from_year, to_year):
            if year not in self.level:
                first, last = min(self.level), max(self.level)
                raise InputError(
                    "is a year that the deflator does not have", field="deflator", given=year,
                    allowed=f"{first} to {last}",
                )  # fmt: skip
        return self.level[to_year] / self.level[from_year]


def deflate(cash: Nominal, deflator: Deflator, price_year: str) -> Real:
    """Cash of the day in the prices of one year: amount_t x level_price_year / level_t."""
    factors = np.array([deflator.between(year, price_year) for year in cash.years])
    shape = (len(factors),) + (1,) * (cash.amounts.ndim - 1)
    return Real(cash.amounts * factors.reshape(shape), cash.years, price_year)


def steady(
    years: Sequence[str], inflation: float | Mapping[str, float], source: str = "a stated assumption"
) -> Deflator:
    """A deflator from growth a year: level 1 in the first year, level_t = level_(t-1) (1 + growth of year t).

    One growth for all years, or one by year; a year without one grows as the last before it that has one.
    """
    level, now, growth = {years[0]: 1.0}, 1.0, None
    for year in years[1:]:
        if isinstance(inflation, Mapping):
            growth = inflation.get(year, growth)
            if growth is None:
                raise InputError("has no growth up to this year", field="inflation", given=year)
            now *= 1.0 + number(f"inflation.{year}", growth, (-0.5, 1.0, "a fraction a year"))
        else:
            now *= 1.0 + number("inflation", inflation, (-0.5, 1.0, "a fraction a year"))
        level[year] = now
    return Deflator(level, source)


def read_deflator(path: str | Path) -> Deflator:
    """A deflator from a CSV file with the columns ``financial_year`` (2026/27) and ``index``.

    InputError, with the line, for another heading, a year out of order or left out, or an index that is no
    number above nil.
    """
    file = Path(path)
    try:
        text = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(f"cannot be read: {why}", file=str(path)) from None
    rows = list(csv.reader(text.splitlines()))
    if not rows or [cell.strip() for cell in rows[0]] != ["financial_year", "index"]:
        raise InputError(
            "has another heading", file=str(path), line=1, given=",".join(rows[0]) if rows else "nothing",
            allowed="financial_year,index",
        )  # fmt: skip
    level: dict[str, float] = {}
    last = None
    for line, row in enumerate(rows[1:], start=2):
        if not row:
            continue
        year, value = _line(file, line, row)
        if last is not None and year != following(last):
            raise InputError(
                "is not the year after the one before", file=str(path), line=line, field="financial_year",
                given=year, allowed=following(last),
            )  # fmt: skip
        level[year] = value
        last = year
    if not level:
        raise InputError("has no year", file=str(path))
    return Deflator(level, f"{file.name}")


def following(year: str) -> str:
    """The financial year after this one: 2026/27 gives 2027/28."""
    first = int(year[:4]) + 1
    return f"{first}/{(first + 1) % 100:02d}"


def _line(file: Path, line: int, row: Sequence[str]) -> tuple[str, float]:
    year = row[0].strip()
    if not re.fullmatch(r"[0-9]{4}/[0-9]{2}", year) or following(str(int(year[:4]) - 1)) != year:
        raise InputError(
            "is no financial year", file=str(file), line=line, field="financial_year", given=year,
            allowed="such as 2026/27",
        )  # fmt: skip
    try:
        value = float(row[1])
    except (IndexError, ValueError):
        value = float("nan")
    if not (np.isfinite(value) and value > 0.0):
        raise InputError("is no number above nil", file=str(file), line=line, field="index",
                         given=row[1] if len(row) > 1 else "nothing")  # fmt: skip
    return year, value
