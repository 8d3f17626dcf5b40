"""Present and future value of level and growing payments; exact at a nil rate, accurate near it.

``rate`` is a fraction for each payment interval, ``n`` the number of payments; numbers or arrays.
Source: standard compound-interest theory.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Number = Any
"""A float, or an array of floats."""


def annuity_factor(rate: Number, n: Number) -> Number:
    """Value now of 1 paid at the end of each of n intervals: a_n = (1 - (1 + i)^-n) / i; n at i = 0."""
    return _per_rate(rate, n, -1.0)


def annuity_due(rate: Number, n: Number) -> Number:
    """Value now of 1 paid at the start of each of n intervals: (1 + i) a_n."""
    return (1.0 + rate) * annuity_factor(rate, n)


def accumulation(rate: Number, n: Number) -> Number:
    """Value after n intervals of 1 paid at the end of each: s_n = ((1 + i)^n - 1) / i; n at i = 0."""
    return _per_rate(rate, n, 1.0)


def capital_recovery_factor(rate: Number, n: Number) -> Number:
    """Level payment at the end of each of n intervals that repays 1: i / (1 - (1 + i)^-n); 1/n at i = 0."""
    return 1.0 / annuity_factor(rate, n)


def growing_annuity(rate: Number, growth: Number, n: Number) -> Number:
    """Value now of 1, (1 + g), (1 + g)^2, … paid at the end of n intervals; n / (1 + i) at g = i.

    (1 - ((1 + g) / (1 + i))^n) / (i - g), taken as a_n at the rate (i - g) / (1 + g), over (1 + g).
    """
    return annuity_factor((rate - growth) / (1.0 + growth), n) / (1.0 + growth)


def _per_rate(rate: Number, n: Number, sign: float) -> Number:
    """((1 + i)^(sign n) - 1) / (sign i), and n at i = 0."""
    nil = np.equal(rate, 0.0)
    safe = np.where(nil, 1.0, rate)
    return np.where(nil, n, np.expm1(sign * n * np.log1p(safe)) / (sign * safe))[()]
