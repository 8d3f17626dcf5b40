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
MOST_ADDED_UP = 1_000.0
"""The most people for whom they are: the power of so many is still good to 13 digits."""
NEAR_FROM = 9.0
"""The least variance n p (1 - p) of counts that a formula stands for."""
LARGEST = 2.0**53
"""Numbers of people from here on are refused (NaN)."""


def binomial(n: Any, p: Any, u: Array, near: bool = False) -> Array:
    """The least k with F(k; n, p) >= u, ``(path,)``: exact, and it falls neither in ``n``, ``p`` nor ``u``.

    p(0) = (1 - p)^n, p(k + 1) = p(k) (n - k) / (k + 1) x p / (1 - p), added up until they reach u. Where p is
    above 1/2 those who fail are counted, by 1 - u: there are fewer. Where more than 100 are expected, or of
    more than 1,000 people, F(k) = I_(1 - p)(n - k, k + 1), and a guess from the first three moments is
    bracketed. ``near`` puts a formula (:func:`from_cumulants`) in place of all counts of a variance of
    ``NEAR_FROM`` or more.

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
    n = np.ascontiguousarray(np.broadcast_to(np.asarray(n, dtype=float), u.shape))
    p = np.ascontiguousarray(np.broadcast_to(np.asarray(p, dtype=float), u.shape))
    u, found = np.ascontiguousarray(u), np.empty(u.shape)
    fast = loaded_compiled()
    if fast is not None:
        fast.binomial_added_up(n, p, u, near, found)
    else:
        _added_up(n, p, u, near, found)
    large = np.flatnonzero(found < 0.0)
    if large.size:
        people, failing = np.floor(n[large] + 0.5), p[large] > 0.5
        chance = np.where(failing, 1.0 - p[large], p[large])
        if near:
            from scipy.special import ndtri

            z = ndtri(u[large])
            counted = from_cumulants(people, chance, np.where(failing, -z, z))
        else:
            counted = _searched(people, chance, np.where(failing, 1.0 - u[large], u[large]))
        found[large] = np.where(failing, people - counted, counted)
    return found


def _added_up(n: Array, p: Array, u: Array, near: bool, found: Array) -> None:
    """Counts by adding up, -1 where they are too large for it; the same sums in the same order compiled."""
    found[:] = np.where((n <= 0.0) | (p <= 0.0), 0.0, np.where((n < LARGEST) & (p == p), -1.0, np.nan))
    some = found < 0.0
    people = np.floor(np.where(some, n, 0.0) + 0.5)
    everybody = some & (p >= 1.0)
    found[everybody] = people[everybody]
    failing = p > 0.5
    chance, share = np.where(failing, 1.0 - p, p), np.where(failing, 1.0 - u, u)
    mean = people * chance
    if near:
        few = mean * (1.0 - chance) < NEAR_FROM
    else:
        few = (mean <= LARGEST_ADDED_UP) & (people <= MOST_ADDED_UP)
    at = np.flatnonzero(some & (p < 1.0) & few)
    first = _power(1.0 - chance[at], people[at].astype(np.int64))
    counted, odds, last = np.zeros(at.size), chance[at] / (1.0 - chance[at]), people[at]
    here, total, k = first.copy(), first, 0.0
    going = np.flatnonzero((total < share[at]) & (k < last))
    while going.size:
        here[going] = here[going] * (((last[going] - k) / (k + 1.0)) * odds[going])
        total[going] = total[going] + here[going]
        k += 1.0
        counted[going] = k
        going = going[(total[going] < share[at][going]) & (k < last[going])]
    found[at] = np.where(failing[at], last - counted, counted)


def _power(x: Array, n: NDArray[np.int64]) -> Array:
    """x^n by squares."""
    power, square, left = np.ones(x.shape), x.copy(), n.copy()
    while left.any():
        power = np.where(left & 1, power * square, power)
        square, left = square * square, left >> 1
    return power


def from_cumulants(n: Array, p: Array, z: Array) -> Array:
    """Binomial counts near their quantile at Phi(z): Cornish and Fisher's expansion to the fourth cumulant.

    A whole number is a number of a density, rounded, so that second and fourth cumulants are the binomial
    law's without those of rounding (Sheppard): s^2 = n p q - 1/12, k3 = n p q (q - p),
    k4 = n p q (1 - 6 p q) + 1/120. With a = k3 / s^2 and b = k4 / s^2:

        k = round(n p + s z + a (z^2 - 1) / 6 + z (b (z^2 - 3) / 24 - a^2 (2 z^2 - 5) / 36) / s)

    From a variance of 9 on it is the quantile itself for all but at most 14 in 10,000 draws, and one person
    off for those; it falls neither in ``n``, ``p`` nor ``u``. Formula: Cornish and Fisher (1938);
    Abramowitz and Stegun 26.2.49.
    """
    square, skew, spread = z * z, 1.0 - 2.0 * p, n * p * (1.0 - p)
    density = spread - 1.0 / 12.0
    s, a = np.sqrt(density), spread * skew / density
    b = (spread * (1.0 - 6.0 * p * (1.0 - p)) + 1.0 / 120.0) / density
    bend = b * (square - 3.0) / 24.0 - a * a * (2.0 * square - 5.0) / 36.0
    return np.clip(np.floor(n * p + s * z + a * (square - 1.0) / 6.0 + z * bend / s + 0.5), 0.0, n)


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
