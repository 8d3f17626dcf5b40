"""Numbers as people read them: no more digits than the standard error supports."""

from __future__ import annotations

import math
from typing import NamedTuple

NOTHING = "-"
"""What stands where there is no figure."""
TIE = "\ue000"
"""A space at which no line is broken; a page writes it as a space."""


class Scale(NamedTuple):
    """How a kind of number is written: value x ``times``, between ``before`` and ``after``."""

    times: float
    before: str
    after: str
    decimals: int
    """most decimals ever shown"""
    usual: int
    """decimals where there is no standard error"""
    fine_below: float = math.inf
    """from this size on no decimals, where the error is not shown beside it"""


POUNDS = Scale(1.0, "£", "", 0, 0)
THOUSANDS = Scale(1e-3, "", "", 1, 0, 100.0)
"""Pounds in a table headed £000."""
PERCENT = Scale(100.0, "", "%", 2, 1)
TIMES = Scale(1.0, "", "x", 3, 2)
YEARS = Scale(1.0, "", "", 2, 1)
PEOPLE = Scale(1.0, "", "", 0, 0)


def digits(error: float) -> int | None:
    """Decimals that a standard error supports: up to its first significant digit once rounded.

    0.0042 gives 3, 86 gives -1, and 0.096 gives 1, as it rounds to 0.1. None where the error is nil.
    """
    if not math.isfinite(error) or error <= 0.0:
        return None
    return -int(f"{error:.0e}".split("e")[1])


def rounded(value: float, error: float | None) -> float:
    """The value to the first significant digit of its standard error; as it is where there is none."""
    places = digits(error) if error else None
    return value if places is None else round(value, places)


def text(value: float | None, error: float | None, scale: Scale) -> str:
    """A value to the digits its standard error supports."""
    if value is None:
        return NOTHING
    number, places = value * scale.times, _decimals(error, scale)
    return _written(number, places if abs(number) < scale.fine_below else min(places, 0), scale)


def with_error(value: float | None, error: float | None, scale: Scale) -> str:
    """A value and its standard error, to the digits the error supports: ``1,670 ± 20`` (with ties)."""
    if value is None:
        return NOTHING
    places = _decimals(error, scale)
    if not _counts(error, scale):
        return _written(value * scale.times, places, scale)
    bare = scale._replace(before="")
    return f"{_written(value * scale.times, places, scale)}{TIE}±{TIE}{_error(error, places, bare)}"


def pounds(value: float | None, error: float | None = None) -> str:
    """Pounds in a sentence: ``£1.67m ± £0.02m``, ``£412k``, ``£5,300``."""
    if value is None:
        return NOTHING
    scale = scale_of(value, error)
    if not _counts(error, scale):
        return text(value, None, scale)
    return f"{text(value, error, scale)}{TIE}±{TIE}{_error(error, _decimals(error, scale), scale)}"


def scale_of(value: float, error: float | None = None) -> Scale:
    """Pounds, thousands or millions."""
    size = max(abs(value), error or 0.0)
    if size >= 999_500.0:
        return Scale(1e-6, "£", "m", 3, 2)
    return Scale(1e-3, "£", "k", 0, 0) if size >= 10_000.0 else POUNDS


def _decimals(error: float | None, scale: Scale) -> int:
    places = digits(error * scale.times) if error and _counts(error, scale) else None
    return scale.usual if places is None else min(places, scale.decimals)


def _counts(error: float | None, scale: Scale) -> bool:
    """Whether an error is more than the rounding of a computer."""
    return error is not None and error * scale.times > 10.0 ** -(scale.decimals + 2)


def _error(error: float | None, places: int, scale: Scale) -> str:
    """An error, never shown as nil where it is not."""
    return _written(max((error or 0.0) * scale.times, 10.0**-places), places, scale)


def _written(number: float, places: int, scale: Scale) -> str:
    number = round(number, places) + 0.0  # no minus nought
    sign = "-" if number < 0 else ""
    return f"{sign}{scale.before}{abs(number):,.{max(places, 0)}f}{scale.after}"
