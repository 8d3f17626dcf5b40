"""Counts by one uniform each: the least whole number whose chance of not being passed reaches it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from socialfinance.kernels.backend import loaded_compiled

Array = NDArray[np.float64]
Places = NDArray[np.intp]
LARGEST_ADDED_UP = 100.0
"""The largest mean for which chances are added up from nought; above it rounding would begin to show."""
LARGEST = 2.0**53
"""Numbers of people from here on are refused (NaN)."""


def binomial(n: Any, p: Any, u: Array) -> Array:
    """The least k with F(k; n, p) >= u, ``(path,)``: exact, and it falls neither in ``n``, ``p`` nor ``u``.

    p(0) = (1 - p)^n, p(k + 1) = p(k) (n - k) / (k + 1) x p / (1 - p), added up until they reach u. Where p is
    above 1/2 those who fail are counted, by 1 - u: there are fewer. Where more than 100 are expected,
    F(k) = I_(1 - p)(n - k, k + 1), and a guess from the first three moments is bracketed.

    Parameters
    ----------
    n
        People: one number, or one per path, taken to the nearest whole (halves up). Nought or less counts
        nobody.
    p
        Probability: one, or one per path. 1 or more counts everybody, 0 or less nobody.
    u
        Uniforms ``(path,)`` in (0, 1).
    """
    found = np.zeros(u.shape)
    n, p = np.broadcast_to(np.asarray(n, dtype=float), u.shape), np.broadcast_to(p, u.shape)
    some = ~(n <= 0.0) & ~(p <= 0.0)
    found[some & (~(n < LARGEST) | (p != p))] = np.nan
    some &= n < LARGEST
    everybody = some & (p >= 1.0)
    found[everybody] = np.floor(n[everybody] + 0.5)
    at = np.flatnonzero(some & (p < 1.0))
    if at.size == u.size:
        return _counted(np.floor(n + 0.5), np.asarray(p, dtype=float), u)
    if at.size:
        found[at] = _counted(np.floor(n[at] + 0.5), np.asarray(p[at], dtype=float), u[at])
    return found


def _counted(n: Array, p: Array, u: Array) -> Array:
    """Where p is inside (0, 1)."""
    failing = p > 0.5
    chance, share = np.where(failing, 1.0 - p, p), np.where(failing, 1.0 - u, u)
    small = n * chance <= LARGEST_ADDED_UP
    found = _added_up(n, chance, share, small)
    large = np.flatnonzero(~small)
    if large.size:
        found[large] = _searched(n[large], chance[large], share[large])
    return np.where(failing, n - found, found)


def _added_up(n: Array, p: Array, u: Array, where: NDArray[np.bool_]) -> Array:
    """The same sums in the same order in either backend."""
    start, odds, found = np.exp(n * np.log1p(-p)), p / (1.0 - p), np.zeros(len(u))
    fast = loaded_compiled()
    if fast is not None:
        fast.binomial_added_up(start, n, odds, u, where, found)
        return found
    at = np.flatnonzero(where & (start < u) & (n > 0.0))
    chance, total, k = start[at], start[at], 0.0
    while at.size:
        chance = chance * ((n[at] - k) / (k + 1.0)) * odds[at]
        total = total + chance
        k += 1.0
        found[at] = k
        going = (total < u[at]) & (k < n[at])
        at, chance, total = at[going], chance[going], total[going]
    return found


def _searched(n: Array, p: Array, u: Array) -> Array:
    from scipy.special import betainc, ndtri

    z, sd = ndtri(u), np.sqrt(n * p * (1.0 - p))
    guess = np.ceil(n * p + sd * z + (1.0 - 2.0 * p) * (z**2 - 1.0) / 6.0 - 0.5)

    def reached(k: Array, at: Places) -> Array:
        inside = np.clip(k, 0.0, n[at] - 1.0)
        chance = betainc(n[at] - inside, inside + 1.0, 1.0 - p[at])
        return np.where(k < 0.0, 0.0, np.where(k >= n[at], 1.0, chance))

    return least_count(np.clip(guess, 0.0, n), reached, u)


def least_count(guess: Array, reached: Callable[[Array, Places], Array], u: Array) -> Array:
    """The least k >= 0 with F(k) >= u, sought from a guess by the invariant F(low) < u <= F(high).

    ``reached`` gives F of some counts, for the places that they stand in.
    """
    low, high = guess - 1, guess.copy()
    reach, at = 1.0, np.arange(len(u))
    while (at := at[reached(high[at], at) < u[at]]).size:
        low[at], high[at] = high[at], high[at] + reach
        reach *= 2
    reach, at = 1.0, np.flatnonzero(low >= 0)
    while (at := at[(low[at] >= 0) & (reached(low[at], at) >= u[at])]).size:
        low[at], high[at] = np.maximum(low[at] - reach, -1.0), low[at]
        reach *= 2
    while (at := np.flatnonzero(high - low > 1)).size:
        middle = np.floor((low[at] + high[at]) / 2)
        enough = reached(middle, at) >= u[at]
        low[at], high[at] = np.where(enough, low[at], middle), np.where(enough, middle, high[at])
    return high
