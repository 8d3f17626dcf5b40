"""Losses of a pool of like loans: layers of loss, the one-factor model, closed forms and exact pools.

The one-factor Gaussian model (Vasicek 2002, "Loan portfolio value", Risk 15(12), 160-162; Li 2000 for the
copula): a loan defaults where √ρ z + √(1 − ρ) e < Φ⁻¹(p), z the score of the economy, shared by all loans,
and e the loan's own, both standard normal. Given z, loans default independently of one another.

``p`` default probability, ``rho`` correlation ρ (0 to below 1), ``lgd`` loss given default, ``attach`` and
``detach`` edges of a tranche as fractions of the pool: numbers, or arrays that broadcast.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from socialfinance.core.errors import InputError

Number = Any
"""A float, or an array of floats."""

NODES = 4000
"""Quadrature nodes over the score of the economy, evenly spaced from -10 to 10."""


class Tranche(NamedTuple):
    """Expected loss of a tranche, as a fraction of the pool and for each unit of the tranche."""

    of_pool: Number
    of_tranche: Number


class PoolTranche(NamedTuple):
    """Expected loss of a tranche of a finite pool, and the standard deviation of its loss (of the pool)."""

    of_pool: float
    of_tranche: float
    sd: float


def layer(losses: Number, attach: Number, detach: Number) -> Number:
    """The part of a loss that falls in a layer: min(max(L − A, 0), D − A)."""
    return np.minimum(np.maximum(np.subtract(losses, attach), 0.0), np.subtract(detach, attach))[()]


def conditional_default(p: Number, rho: Number, z: Number) -> Number:
    """Default probability once the economy's score z is known: Φ((Φ⁻¹(p) − √ρ z) / √(1 − ρ)).

    Its mean over z is p (Vasicek 2002).
    """
    from scipy.special import ndtr, ndtri

    _check(p=p, rho=rho)
    shifted = ndtri(p) - np.sqrt(rho) * np.asarray(z, dtype=float)
    return np.asarray(ndtr(shifted / np.sqrt(1.0 - np.asarray(rho, dtype=float))))[()]


def vasicek_quantile(p: Number, rho: Number, lgd: Number, q: Number) -> Number:
    """Quantile q of the loss of a large pool of like loans, a fraction of the pool.

    L_q = LGD Φ((Φ⁻¹(p) + √ρ Φ⁻¹(q)) / √(1 − ρ)): the loss at the (1 − q) quantile of z (Vasicek 2002; the
    formula of the Basel capital rules at q = 99.9%). With ``lgd`` 1, the quantile of the default rate.
    """
    from scipy.special import ndtri

    _check(p=p, rho=rho, lgd=lgd, q=q)
    return np.multiply(lgd, conditional_default(p, rho, -np.asarray(ndtri(q))))[()]


def vasicek_tranche(p: Number, rho: Number, lgd: Number, attach: Number, detach: Number) -> Tranche:
    """Expected loss of a tranche of a large pool of like loans, in closed form.

    With X the default rate and k a level of it, E[(X − k)⁺] = Φ₂(−Φ⁻¹(k), Φ⁻¹(p); −√(1 − ρ)) (bivariate
    normal; Vasicek 2002), so E[min(LGD X, K)] = LGD (p − E[(X − K/LGD)⁺]), and the tranche loses
    E[min(L, D)] − E[min(L, A)]; divided by D − A, for each unit of it.
    """
    _check(p=p, rho=rho, lgd=lgd, attach=attach, detach=detach)
    if np.any(np.greater_equal(attach, detach)):
        raise InputError("must be above attach", field="detach", given=detach)
    over = _excess(p, rho, np.divide(attach, lgd)) - _excess(p, rho, np.divide(detach, lgd))
    of_pool = np.multiply(lgd, over)
    return Tranche(of_pool[()], np.divide(of_pool, np.subtract(detach, attach))[()])


def pool_defaults(loans: int, p: float, rho: float) -> NDArray[np.float64]:
    """Probability of 0, 1, … n defaults among n like loans: ∫ C(n, k) p(z)^k (1 − p(z))^(n−k) φ(z) dz.

    Given z the number is binomial, exactly; the integral is taken over evenly spaced z, which for so smooth
    an integrand is as exact as the computer (trapezoidal rule; Trefethen and Weideman 2014). Without
    correlation it is the binomial distribution itself.
    """
    _check(p=p, rho=rho)
    if loans < 1:
        raise InputError("at least one loan is needed", field="loans", given=loans, allowed="1 or more")
    return _pool_defaults(int(loans), float(p), float(rho)).copy()


def pool_tranche(loans: int, p: float, rho: float, lgd: float, attach: float, detach: float) -> PoolTranche:
    """Expected loss of a tranche of n like loans of one size, and its standard deviation: exact sums.

    Σ P(k) min(max(LGD k/n − A, 0), D − A), with P(k) of :func:`pool_defaults`.
    """
    _check(lgd=lgd, attach=attach, detach=detach)
    chance = pool_defaults(loans, p, rho)
    lost = np.asarray(layer(lgd * np.arange(loans + 1) / loans, attach, detach))
    mean = float(chance @ lost)
    spread = float(chance @ (lost - mean) ** 2)
    return PoolTranche(mean, mean / (detach - attach), spread**0.5)


def bivariate_normal(h: Number, k: Number, r: Number) -> Number:
    """P(X < h, Y < k) of two standard normal numbers with correlation r strictly between -1 and 1.

    Φ₂ = (Φ(h) + Φ(k)) / 2 − T(h, (k − r h) / (h √(1 − r²))) − T(k, (h − r k) / (k √(1 − r²))) − d, with
    Owen's function T, and d = 1/2 where h and k have opposite signs (Owen 1956), nil elsewhere.
    """
    from scipy.special import ndtr, owens_t

    h, k = (np.asarray(x, dtype=float) + 0.0 for x in (h, k))
    # at nil the limit from above is taken: a score of 1e-300 is nil to any number of digits
    h, k = np.where(h == 0.0, 1e-300, h), np.where(k == 0.0, 1e-300, k)
    spread = np.sqrt(1.0 - np.square(r))
    apart = np.where(h * np.sign(k) < 0.0, 0.5, 0.0)
    both = (ndtr(h) + ndtr(k)) / 2.0 - apart
    mine = owens_t(h, (k / h - r) / spread)
    return np.asarray(both - mine - owens_t(k, (h / k - r) / spread))[()]


def _excess(p: Number, rho: Number, level: Number) -> Number:
    """E[(X − k)⁺] of the default rate X of a large pool."""
    from scipy.special import ndtri

    p, rho, k = np.broadcast_arrays(*(np.asarray(x, dtype=float) for x in (p, rho, level)))
    inside = (k > 0.0) & (k < 1.0) & (p > 0.0) & (p < 1.0) & (rho > 0.0)
    p_, rho_, k_ = np.where(inside, p, 0.5), np.where(inside, rho, 0.5), np.where(inside, k, 0.5)
    spread = bivariate_normal(-ndtri(k_), ndtri(p_), -np.sqrt(1.0 - rho_))
    return np.where(inside, spread, np.maximum(p - np.maximum(k, 0.0), 0.0))


@lru_cache(maxsize=64)
def _pool_defaults(loans: int, p: float, rho: float) -> NDArray[np.float64]:
    from scipy.special import gammaln

    k = np.arange(loans + 1.0)
    ways = gammaln(loans + 1.0) - gammaln(k + 1.0) - gammaln(loans - k + 1.0)
    z = np.linspace(-10.0, 10.0, NODES + 1) if rho > 0.0 else np.zeros(1)
    weight = np.exp(-(z**2) / 2.0)
    weight /= weight.sum()
    chance = np.zeros(loans + 1)
    for share, one in zip(weight, np.atleast_1d(conditional_default(p, rho, z)), strict=True):
        with np.errstate(divide="ignore", invalid="ignore"):
            log = ways + np.where(k > 0, k * np.log(one), 0.0)
            log = log + np.where(k < loans, (loans - k) * np.log1p(-one), 0.0)
        chance += share * np.exp(log)
    chance.flags.writeable = False
    return chance


def _check(**given: Number) -> None:
    """Refuse what is no fraction; a correlation of one has no closed form."""
    for name, value in given.items():
        x = np.asarray(value, dtype=float)
        most = x < 1.0 if name == "rho" else x <= 1.0
        if not np.all((x >= 0.0) & most):
            allowed = "0 to below 1" if name == "rho" else "0 to 1"
            raise InputError("is not a fraction", field=name, given=value, allowed=allowed)
