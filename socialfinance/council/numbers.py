"""Numbers as they are given to rules: within limits, or an error that says which."""

from __future__ import annotations

import math
from operator import index
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from socialfinance.core.errors import InputError

Array = NDArray[np.float64]
SHARE = (0.0, 1.0, "a fraction from 0 to 1")
NOT_NEGATIVE = (0.0, math.inf, "0 or more")
ANY = (-math.inf, math.inf, "a finite number")
Limits = tuple[float, float, str]


def numbers(field: str, given: ArrayLike, limits: Limits = NOT_NEGATIVE) -> Array:
    """The numbers as an array of floats; InputError where one is not finite or outside its limits."""
    least, most, allowed = limits
    try:
        found = np.asarray(given, dtype=float)
    except (TypeError, ValueError):
        raise InputError("is not a number", field=field, given=given, allowed=allowed) from None
    if not np.all(np.isfinite(found) & (found >= least) & (found <= most)):
        raise InputError("is out of range", field=field, given=given, allowed=allowed)
    return found


def number(field: str, given: Any, limits: Limits = NOT_NEGATIVE) -> float:
    """One number; InputError where it is not finite or outside its limits."""
    found = numbers(field, given, limits)
    if found.ndim:
        raise InputError("must be one number", field=field, given=given, allowed=limits[2])
    return float(found)


def whole(field: str, given: Any, least: int, most: int) -> int:
    """A whole number within limits; InputError where it is none."""
    try:
        found = index(given)
    except TypeError:
        found = least - 1
    if isinstance(given, bool) or not least <= found <= most:
        allowed = f"a whole number from {least} to {most}"
        raise InputError("is out of range", field=field, given=given, allowed=allowed)
    return found
