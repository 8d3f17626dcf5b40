"""The words a programme or a step may use: the same source on floats, on NumPy blocks, and compiled.

Each works on Python floats or on arrays over paths. ``socialfinance.kernels.tracing``
has the same words for symbols. Nothing is written in place.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Number = Any
"""A float, or a float64 array over paths."""
Truth = Any
"""A bool, or a bool array over paths."""


def least(a: Number, b: Number) -> Number:
    """min(a, b), elementwise."""
    if isinstance(a, float) and isinstance(b, float):
        return a if a < b else b
    return np.minimum(a, b)


def most(a: Number, b: Number) -> Number:
    """max(a, b), elementwise."""
    if isinstance(a, float) and isinstance(b, float):
        return a if a > b else b
    return np.maximum(a, b)


def where(condition: Truth, a: Number, b: Number) -> Number:
    """``a`` where the condition holds, else ``b``."""
    if isinstance(condition, (bool, np.bool_)):
        return a if condition else b
    return np.where(condition, a, b)


def both(a: Truth, b: Truth) -> Truth:
    """a and b, elementwise."""
    return a & b


def either(a: Truth, b: Truth) -> Truth:
    """a or b, elementwise."""
    return a | b


def negate(a: Truth) -> Truth:
    """not a, elementwise."""
    return (not a) if isinstance(a, (bool, np.bool_)) else ~a


def ratio(a: Number, b: Number, otherwise: Number) -> Number:
    """a / b where b > 0, else ``otherwise``."""
    if isinstance(b, float) and isinstance(a, float):
        return a / b if b > 0 else otherwise
    positive = np.asarray(b) > 0
    if isinstance(otherwise, float) and positive.all():
        return a / b
    return np.where(positive, a / np.where(positive, b, 1.0), otherwise)


def part(amount: Number, share: Number) -> Number:
    """amount x share; nil, without the arithmetic, where either is the plain number nil."""
    if isinstance(share, float):
        if share == 0.0:
            return 0.0
        if share == 1.0:
            return amount
    if isinstance(amount, float) and amount == 0.0:
        return 0.0
    return amount * share


def whole(a: Number) -> Number:
    """The nearest whole number, halves up: floor(a + 0.5)."""
    return math.floor(a + 0.5) * 1.0 if isinstance(a, float) else np.floor(a + 0.5)


def put(entries: tuple[Any, ...], i: int, value: Any) -> tuple[Any, ...]:
    """The tuple with entry ``i`` replaced."""
    return (*entries[:i], value, *entries[i + 1 :])
