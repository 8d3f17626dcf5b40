"""Counts of arrivals whose rate is itself uncertain, by one uniform each."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from socialfinance.kernels.backend import loaded_compiled
from socialfinance.kernels.quantiles import LARGEST_ADDED_UP, Places, least_count
from socialfinance.scenarios.drawn import Array, score

LARGEST_MEAN = 1e6
"""The largest mean that ``counts`` is tested for."""


def counts(mean: ArrayLike, dispersion: float, u: ArrayLike) -> Array:
    """Gamma–Poisson counts by one uniform each: the least k with F(k; mean, dispersion) ≥ u.

    With r = 1 / dispersion: p(0) = (r / (r + mean))^r, p(k + 1) = p(k) (k + r) / (k + 1) x mean / (r + mean);
    for dispersion 0 (Poisson) p(0) = e^-mean, p(k + 1) = p(k) mean / (k + 1). Added up until they reach u.
    Above a mean of 100, F(k) = Q(k + 1, mean) or I_q(r, k + 1) with q = r / (r + mean): a guess
    from the first three moments is bracketed, then halved down.
    ``mean`` and ``u`` are broadcast; a mean of nought counts nought.
    """
    rates, shares = np.broadcast_arrays(np.asarray(mean, dtype=float), np.asarray(u, dtype=float))
    shape, rates, shares = rates.shape, rates.ravel(), shares.ravel()
    found = np.zeros(rates.size)
    at = np.flatnonzero(~(rates <= 0))
    if at.size:
        in_a_row = at[-1] - at[0] + 1 == at.size  # then nothing need be gathered
        where = slice(at[0], at[-1] + 1) if in_a_row else at
        mean, u = rates[where], shares[where]
        large = ~(mean <= LARGEST_ADDED_UP)
        counted = _added_up(_none_at_all(mean, dispersion), mean, dispersion, u, ~large)
        counted[large] = _least_count(mean[large], dispersion, u[large])
        found[where] = counted
    return found.reshape(shape)


def _none_at_all(mean: Array, dispersion: float) -> Array:
    """p(0)."""
    if dispersion == 0:
        return np.exp(-mean)
    return np.exp(-np.log1p(dispersion * mean) / dispersion)


def _added_up(start: Array, mean: Array, dispersion: float, u: Array, where: NDArray[np.bool_]) -> Array:
    """The least k whose p(0) + ... + p(k) reaches u; the same sums in the same order in either backend."""
    found = np.zeros(len(u))
    if loaded_compiled() is not None:
        loaded_compiled().counts_added_up(start, mean, dispersion, u, where, found)  # type: ignore[union-attr]
        return found
    at = np.flatnonzero(where & (start < u))
    share = mean[at] / (1.0 + dispersion * mean[at])
    p, total, k = start[at], start[at], 0.0
    while at.size:
        p = p * (((1.0 + k * dispersion) / (k + 1.0)) * share)
        total = total + p
        k += 1.0
        found[at] = k
        going = (total < u[at]) & ((p > 0.0) & (k < LARGEST_MEAN))
        at, p, total, share = at[going], p[going], total[going], share[going]
    return found


def _least_count(mean: Array, dispersion: float, u: Array) -> Array:
    def reached(k: Array, at: Places) -> Array:
        return _cdf(k, mean[at], dispersion)

    return least_count(_guess(mean, dispersion, u), reached, u)


def _guess(mean: Array, dispersion: float, u: Array) -> Array:
    """Cornish–Fisher to the third moment."""
    z = score(u)
    sd = np.sqrt(mean + dispersion * mean**2)
    skewed = (1 + 2 * dispersion * mean) * (z**2 - 1) / 6
    return np.maximum(np.ceil(mean + sd * z + skewed - 0.5), 0.0)


def _cdf(k: Array, mean: Array, dispersion: float) -> Array:
    from scipy.special import betainc, gammaincc

    if dispersion == 0:
        return np.asarray(gammaincc(k + 1, mean))
    return np.asarray(betainc(1 / dispersion, k + 1, 1 / (1 + dispersion * mean)))
