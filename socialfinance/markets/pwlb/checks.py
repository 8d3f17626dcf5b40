"""What may be given to the arithmetic of a loan: amounts, rates, terms; or an error that says what may."""

from __future__ import annotations

import math
from decimal import Decimal, InvalidOperation
from numbers import Real
from operator import index
from typing import Any

from socialfinance.core.errors import InputError
from socialfinance.kernels.schedules import Method

Amount = Decimal | int | str | float
SHORTEST = {"maturity": 1, "eip": 2, "annuity": 2}
"""Years of the shortest loan of each method."""
LONGEST = 50
A_FRACTION = "a fraction a year from 0 to 1: 0.0587 is 5.87%"
LARGEST = Decimal(10**12)
"""Pounds: above it a penny would be rounded away."""


def pounds(given: Any, field: str = "principal") -> Decimal:
    """An amount from nil."""
    return between(given, Decimal(0), LARGEST, field, f"0 to {LARGEST:,f} pounds")


def fraction(given: Any, field: str = "rate") -> Decimal:
    """A rate a year."""
    return between(given, Decimal(0), Decimal(1), field, A_FRACTION)


def between(given: Any, least: Decimal, most: Decimal, field: str, allowed: str) -> Decimal:
    """A number as it is written, or an error that says what may stand there."""
    try:
        number = Decimal(str(given))
    except InvalidOperation:
        raise InputError("is not a number", field=field, given=given, allowed=allowed) from None
    if not number.is_finite() or not least <= number <= most:
        raise InputError("is out of range", field=field, given=given, allowed=allowed)
    return number


def whole(given: Any, field: str, least: int, most: int) -> int:
    """A whole number within limits."""
    try:
        number = index(given)
    except TypeError:
        number = least - 1
    if not least <= number <= most:
        raise InputError("is no such whole number", field=field, given=given, allowed=f"{least} to {most}")
    return number


def half_years(years: Any, method: Method, field: str = "years") -> int:
    """The term of a fixed-rate loan in half-years: maturity 1 to 50 years, EIP and annuity 2 to 50."""
    return term(years, SHORTEST[method], LONGEST, f"{'a' if method == 'maturity' else 'an'} {method}", field)


def term(years: Any, shortest: int, longest: int, kind: str, field: str = "years") -> int:
    """Years by half-years within limits, in half-years."""
    halves = 2 * float(years) if isinstance(years, Real) else math.nan
    if not 2 * shortest <= halves <= 2 * longest or not halves.is_integer():
        allowed = f"{shortest} to {longest} years by half-years"
        raise InputError(f"not a term of {kind} loan", field=field, given=years, allowed=allowed)
    return int(halves)
