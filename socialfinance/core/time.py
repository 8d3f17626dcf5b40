"""Quarterly rows from a start date, and the financial year (April to March) each row falls in."""

from __future__ import annotations

import calendar as _calendar
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

from socialfinance.core.errors import InputError


def add_months(day: date, months: int) -> date:
    """The same day of the month ``months`` later, or the month's last day where there is none."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    return date(year, month + 1, min(day.day, _calendar.monthrange(year, month + 1)[1]))


def years_between(first: date, last: date) -> float:
    """Whole months / 12, then days / 365.25; negative where ``last`` comes before ``first``."""
    months = (last.year - first.year) * 12 + last.month - first.month
    return months / 12 + (last - add_months(first, months)).days / 365.25


def financial_year(day: date) -> str:
    """The English council financial year, 1 April to 31 March, as ``2026/27``."""
    first = day.year if (day.month, day.day) >= (4, 1) else day.year - 1
    return f"{first}/{(first + 1) % 100:02d}"


@dataclass(frozen=True)
class Calendar:
    """Row 0 is financial close on ``start``; row t is the last day of quarter t.

    ``quarters`` quarters make ``quarters + 1`` rows. A quarter is three months from ``start``, which
    may be any day: the first and last financial years are then part years.
    """

    start: date
    quarters: int

    def row_date(self, row: int) -> date:
        """The start for row 0; else the last day of quarter ``row``."""
        return self.start if row == 0 else add_months(self.start, 3 * row) - timedelta(days=1)

    @cached_property
    def dates(self) -> tuple[date, ...]:
        """One date a row, ``quarters + 1`` of them."""
        return tuple(self.row_date(row) for row in range(self.quarters + 1))

    @cached_property
    def financial_years(self) -> tuple[str, ...]:
        """The distinct financial years of the rows, in order."""
        return tuple(dict.fromkeys(financial_year(day) for day in self.dates))

    @cached_property
    def year_of_row(self) -> tuple[int, ...]:
        """For each row the position of its financial year in ``financial_years``."""
        position = {year: i for i, year in enumerate(self.financial_years)}
        return tuple(position[financial_year(day)] for day in self.dates)

    def year_fraction(self, row: int) -> float:
        """Years from close to a row on equal quarters: row / 4."""
        return row / 4

    def quarters_in_year(self, year: str) -> int:
        """How many quarter ends fall in a financial year: fewer than four is a part year."""
        return sum(financial_year(day) == year for day in self.dates[1:])

    def row_on_or_after(self, day: date) -> int:
        """The first row whose date is not before ``day``; ``quarters + 1`` if there is none."""
        return next((row for row, end in enumerate(self.dates) if end >= day), self.quarters + 1)

    def row_of_start(self, day: date, field: str) -> int:
        """The row at which something that starts on ``day`` closes: a quarter begins then."""
        for row in range(self.quarters + 1):
            if add_months(self.start, 3 * row) == day:
                return row
        raise InputError(
            "is not the first day of a quarter of this fund",
            field=field,
            given=day.isoformat(),
            allowed=f"{self.start.isoformat()} or every third month after it",
        )
