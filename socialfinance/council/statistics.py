"""Figures of ``(path,)`` arrays for a council's tables: mean, its error, quantiles that occurred."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from socialfinance.council.numbers import Array
from socialfinance.measures.sample import mean_error, quantile


class Figure(NamedTuple):
    """A figure over paths, in the unit of what it was taken from."""

    mean: float
    error: float
    """standard error of the mean; nil on a single path"""
    p5: float
    p50: float
    p95: float
    largest: float


def figure(values: Array) -> Figure:
    """Mean and standard error, quantiles by the inverted CDF, and the largest simulated."""
    ordered = np.sort(values)
    p5, p50, p95 = (float(quantile(ordered, q)[0] or 0.0) for q in (0.05, 0.5, 0.95))
    return Figure(float(values.mean()), mean_error(values), p5, p50, p95, float(ordered[-1]))


class Chance(NamedTuple):
    """A share of paths and its standard error."""

    share: float
    error: float


def chance(happens: NDArray[np.bool_]) -> Chance:
    """Share of paths on which it is true; error sqrt(p (1 - p) / n)."""
    p = float(np.mean(happens))
    return Chance(p, float(np.sqrt(p * (1.0 - p) / len(happens))))
