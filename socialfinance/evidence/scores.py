"""How good a forecast of one number was: coverage, PIT, CRPS; and what a few forecasts can show.

CRPS(F, y) = E|X − y| − ½ E|X − X'|, X and X' drawn from F independently: in the unit of y, the absolute error
where the forecast is a single number, and less is better. Source: Gneiting and Raftery, Journal of the
American Statistical Association 102 (2007), 359-378.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from socialfinance.evidence.mixture import LEVEL, Regimes

Array = NDArray[np.float64]
BANDS = (0.50, 0.80, 0.95)
BINS = 5
"""of the histogram of PIT values"""


class Points(NamedTuple):
    """A forecast as weighted values, in order."""

    values: Array
    weights: Array
    """sum to 1"""

    def cdf(self, x: float) -> float:
        """Weight of values no larger."""
        return float(self.weights[self.values <= x].sum())

    def quantile(self, u: float) -> float:
        """The least value at which the weight reaches ``u``."""
        reached = np.cumsum(self.weights)
        return float(self.values[min(int(np.searchsorted(reached, u - 1e-12)), len(self.values) - 1)])


def points(values: Sequence[float] | Array, weights: Array | None = None) -> Points:
    """Values put in order; weights alike unless given."""
    array = np.asarray(values, dtype=float)
    weight = np.full(len(array), 1.0) if weights is None else np.asarray(weights, dtype=float)
    order = np.argsort(array, kind="stable")
    return Points(array[order], weight[order] / weight.sum())


# --- CRPS ------------------------------------------------------------------------------------------


def crps(forecast: Regimes | Points, y: float) -> float:
    """CRPS of a forecast of ``y``: closed form for both kinds."""
    return crps_regimes(forecast, y) if isinstance(forecast, Regimes) else crps_points(forecast, y)


def crps_points(forecast: Points, y: float) -> float:
    """Σ w |x − y| − ½ ΣΣ w w' |x − x'|, the double sum by 2 Σ w x (2 W − w − 1) over ordered values.

    W is the weight up to and including x. Of one value, |x − y|.
    """
    x, w = forecast.values, forecast.weights
    spread = 2.0 * float(np.sum(w * x * (2.0 * np.cumsum(w) - w - 1.0)))
    return float(np.sum(w * np.abs(x - y))) - 0.5 * spread


def crps_regimes(forecast: Regimes, y: float) -> float:
    """CRPS of a mixture of Uniform(a, b) with weight f and a lognormal of median m, log sd s with 1 − f.

    E|X − y| = f E|U − y| + (1 − f) E|L − y| and E|X − X'| = f² (b − a) / 3 + 2 f (1 − f) E|U − L| + (1 − f)²
    E|L − L'|:

        E|U − y| = ((y − a)² + (b − y)²) / (2 (b − a)) for a ≤ y ≤ b, else |y − (a + b) / 2|
        E|L − y| = y (2 Φ(ω) − 1) + M (1 − 2 Φ(ω − s)),  ω = ln(y / m) / s,  M = m exp(s² / 2)
        E|L − L'| = 2 M (2 Φ(s / √2) − 1)
        E|U − L| = (a + b) / 2 − M + (K(a) − K(b)) / (b − a)
        K(k) = E[(L − k)²; L > k] = M² exp(s²) Φ(2 s − ω) − 2 k M Φ(s − ω) + k² Φ(−ω),  ω = ln(k / m) / s
    """
    from scipy.special import ndtr

    f, a, b, s = forecast.probability, forecast.low, forecast.high, forecast.sd_log
    mean = forecast.spike_mean
    between = (a + b) / 2.0 - mean + (_above(forecast, a) - _above(forecast, b)) / (b - a)
    spike = 2.0 * mean * (2.0 * float(ndtr(s / math.sqrt(2.0))) - 1.0)
    apart = f * f * (b - a) / 3.0 + 2.0 * f * (1.0 - f) * between + (1.0 - f) ** 2 * spike
    return f * _from_uniform(a, b, y) + (1.0 - f) * _from_spike(forecast, y) - 0.5 * apart


def _from_uniform(a: float, b: float, y: float) -> float:
    if a <= y <= b:
        return ((y - a) ** 2 + (b - y) ** 2) / (2.0 * (b - a))
    return abs(y - (a + b) / 2.0)


def _from_spike(one: Regimes, y: float) -> float:
    from scipy.special import ndtr

    if y <= 0.0:
        return one.spike_mean - y
    w = math.log(y / one.median) / one.sd_log
    return float(y * (2.0 * ndtr(w) - 1.0) + one.spike_mean * (1.0 - 2.0 * ndtr(w - one.sd_log)))


def _above(one: Regimes, k: float) -> float:
    """E[(L − k)²; L > k]."""
    from scipy.special import ndtr

    s, mean = one.sd_log, one.spike_mean
    w = math.log(k / one.median) / s if k > 0.0 else -math.inf
    square = mean**2 * math.exp(s * s)
    return float(square * ndtr(2.0 * s - w) - 2.0 * k * mean * ndtr(s - w) + k * k * ndtr(-w))


# --- coverage and PIT --------------------------------------------------------------------------------


class Covered(NamedTuple):
    """How often a central band held what happened."""

    band: float
    held: int
    n: int
    low: float
    high: float
    """Clopper and Pearson's exact interval for the true coverage"""

    @property
    def share(self) -> float:
        """Held / n."""
        return self.held / self.n


def coverage(pit: Array, band: float, level: float = LEVEL) -> Covered:
    """A central band holds y where (1 − band) / 2 ≤ F(y) ≤ (1 + band) / 2."""
    held = int(np.sum(np.abs(pit - 0.5) <= band / 2.0 + 1e-12))
    return Covered(band, held, len(pit), *binomial_interval(held, len(pit), level))


def binomial_interval(held: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """Clopper and Pearson's interval: quantiles of Beta(x, n − x + 1) and Beta(x + 1, n − x)."""
    from scipy.special import betaincinv

    tail = (1.0 - level) / 2.0
    low = 0.0 if held == 0 else float(betaincinv(held, n - held + 1, tail))
    high = 1.0 if held == n else float(betaincinv(held + 1, n - held, 1.0 - tail))
    return low, high


def histogram(pit: Array, bins: int = BINS) -> tuple[int, ...]:
    """How many PIT values F(y) lie in each of ``bins`` alike; level if forecasts are right."""
    return tuple(int(x) for x in np.histogram(np.clip(pit, 0.0, 1.0), bins, (0.0, 1.0))[0])


def uniform_test(pit: Array) -> tuple[float, float]:
    """Kolmogorov and Smirnov's statistic against Uniform(0, 1) and its exact p, for independent values."""
    from scipy.stats import kstest

    found = kstest(pit, "uniform", method="exact")
    return float(found.statistic), float(found.pvalue)


class Power(NamedTuple):
    """How often a wrong forecast is found out."""

    error: str
    power: float
    standard_error: float


ERRORS = {
    "bands half as wide as they should be": (0.0, 2.0),
    "bands twice as wide as they should be": (0.0, 0.5),
    "centre off by half a standard deviation": (0.5, 1.0),
    "centre off by a whole one": (1.0, 1.0),
}
"""What may be wrong with a normal forecast: the score of what happens is N(shift, scale²), not N(0, 1)."""


def powers(n: int, size: float = 0.05, draws: int = 20_000, seed: int = 1) -> list[Power]:
    """The power of the Kolmogorov–Smirnov test of ``n`` PIT values at a size, by simulation, for ``ERRORS``.

    The critical value is exact; standard error √(p (1 − p) / draws).
    """
    from scipy.special import ndtr
    from scipy.stats import kstwo

    critical = float(kstwo.ppf(1.0 - size, n))
    normal = np.random.default_rng(seed).standard_normal((draws, n))
    steps = np.arange(n) / n
    found = []
    for error, (shift, scale) in ERRORS.items():
        u = np.sort(ndtr(shift + scale * normal), axis=1)
        distance = np.maximum((steps + 1.0 / n - u).max(axis=1), (u - steps).max(axis=1))
        p = float(np.mean(distance > critical))
        found.append(Power(error, p, math.sqrt(p * (1.0 - p) / draws)))
    return found


# --- skill -------------------------------------------------------------------------------------------


class Skill(NamedTuple):
    """Mean CRPS against a benchmark's: 1 − CRPS / CRPS of the benchmark; above nought is better than it."""

    value: float
    low: float
    high: float
    """percentiles of the bootstrap"""


def skill(
    own: Array, benchmark: Array, draws: int = 4000, seed: int = 1, level: float = LEVEL
) -> Skill | None:
    """Skill of forecasts of the same projects, with an interval by drawing projects anew in pairs.

    None where the benchmark made no error at all.
    """
    if benchmark.sum() <= 0.0:
        return None
    chosen = np.random.default_rng(seed).integers(0, len(own), (draws, len(own)))
    below = benchmark[chosen].sum(axis=1)
    drawn = 1.0 - own[chosen].sum(axis=1)[below > 0.0] / below[below > 0.0]
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(drawn, [tail, 1.0 - tail])
    return Skill(1.0 - float(own.sum() / benchmark.sum()), float(low), float(high))
