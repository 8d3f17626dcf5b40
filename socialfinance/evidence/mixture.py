"""Paid over plan as two regimes: delivery that fails, and a tight spike near 1; fitted by maximum likelihood.

With probability f delivery fails and the ratio r is Uniform(low, high); else ln r ~ N(ln m − d e, s²)::

    g(r) = f 1[low ≤ r ≤ high] / (high − low) + (1 − f) φ((ln r − ln m + d e) / s) / (s r)

m is the spike's median, s the standard deviation of its logarithm, e the share of the project's life in a bad
year and d what such a year costs (log points; for a small e about the fraction of a year's payments lost).
low and high are stated, not fitted: the likelihood of a uniform's ends has no interior maximum, and two
failures close to each other would make it infinite.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from socialfinance.core.errors import InputError

Array = NDArray[np.float64]

LEVEL = 0.90
"""of all intervals here"""
FEWEST = 6
"""projects that a mixture is fitted to"""
FAILURE = (0.0, 0.5)
"""Paid / plan where delivery failed, unless given: 3 of 26 Life Chances Fund projects were below 0.5 (GO Lab,
INDIGO Impact Bond Dataset, May 2025, computed)."""
TIGHTEST, WIDEST = 0.01, 3.0
"""The range in which s is looked for."""
FURTHEST = 5.0
"""The range of ln m and of d, either side of nought."""
STARTS = (0.02, 0.15, 0.4)
"""Values of f from which the maximum is looked for."""
PARAMETERS = ("failure probability", "spike median", "spike sd of logs", "cost of a bad year")
_ROOT = math.sqrt(2.0 * math.pi)


class Regimes(NamedTuple):
    """The two regimes of one project: the ratio's distribution."""

    probability: float
    """of delivery failure, f"""
    low: float
    high: float
    median: float
    """of the spike, m"""
    sd_log: float
    """of the spike, s"""

    @property
    def spike_mean(self) -> float:
        """The mean of a lognormal: m exp(s² / 2)."""
        return self.median * math.exp(self.sd_log**2 / 2.0)

    @property
    def spike_sd(self) -> float:
        """Mean × √(exp(s²) − 1)."""
        return self.spike_mean * math.sqrt(math.expm1(self.sd_log**2))

    @property
    def mean(self) -> float:
        """Of both regimes: f (low + high) / 2 + (1 − f) × the spike's mean."""
        return self.probability * (self.low + self.high) / 2.0 + (1.0 - self.probability) * self.spike_mean

    def cdf(self, ratio: Array | float) -> Array:
        """Probability of no more than a ratio."""
        from scipy.special import ndtr

        x = np.asarray(ratio, dtype=float)
        failed = np.clip((x - self.low) / (self.high - self.low), 0.0, 1.0)
        with np.errstate(divide="ignore"):
            spike = ndtr((np.log(np.maximum(x, 0.0)) - math.log(self.median)) / self.sd_log)
        return np.asarray(self.probability * failed + (1.0 - self.probability) * spike)

    def quantile(self, u: Array | float) -> Array:
        """Inverse CDF, by halving to 1e-12 of the range."""
        wanted = np.asarray(u, dtype=float)
        low = np.zeros_like(wanted)
        high = np.full_like(wanted, max(self.high, self.median * math.exp(9.0 * self.sd_log)))
        for _ in range(60):
            middle = (low + high) / 2.0
            below = self.cdf(middle) < wanted
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return high

    def draw(self, n: int, generator: np.random.Generator) -> Array:
        """``n`` ratios."""
        failed = generator.random(n) < self.probability
        spike = self.median * np.exp(self.sd_log * generator.standard_normal(n))
        return np.where(failed, generator.uniform(self.low, self.high, n), spike)


class Interval(NamedTuple):
    """An estimate and where the profile likelihood puts its ends."""

    value: float
    low: float
    high: float

    @property
    def width(self) -> float:
        """High − low."""
        return self.high - self.low


class Fit(NamedTuple):
    """What maximum likelihood found."""

    regimes: Regimes
    shock: float | None
    """d, where exposure was given"""
    log_likelihood: float
    projects: int


class Data(NamedTuple):
    """Ratios, their exposure to the bad year, and the failure range."""

    ratio: Array
    exposure: Array | None
    low: float
    high: float


def data_of(ratio: Array, failure: tuple[float, float] = FAILURE, exposure: Array | None = None) -> Data:
    """Ratios made ready to fit. InputError for too few of them, or a range that is none."""
    low, high = failure
    if not (math.isfinite(low) and math.isfinite(high)) or not 0.0 <= low < high <= 1.0:
        raise InputError(
            "is no range for paid / plan of failed delivery", field="failure", given=f"{low:g} to {high:g}",
            allowed="from 0 to 1, the lower first",
        )  # fmt: skip
    if len(ratio) < FEWEST:
        raise InputError("has too few projects to fit", given=len(ratio), allowed=f"{FEWEST} or more")
    if np.any(ratio <= 0.0) and low > 0.0:
        raise InputError("projects that were paid nothing need a failure range from 0", field="failure",
                         given=f"{low:g} to {high:g}")  # fmt: skip
    above = ratio[ratio > high]
    if len(np.unique(above)) < 3:
        raise InputError(
            "has too few different ratios above the failure range to fit a spike",
            given=len(np.unique(above)), allowed="3 or more",
        )  # fmt: skip
    if exposure is not None and np.ptp(exposure) < 1e-9:
        exposure = None  # all alike: what a bad year costs cannot be told from the median
    return Data(np.asarray(ratio, dtype=float), exposure, low, high)


def fit(data: Data, fixed: dict[int, float] | None = None, near: Fit | None = None) -> Fit:
    """The maximum of the likelihood, by L-BFGS-B from several values of f; f may be 0.

    ``fixed`` holds parameters by place (f, ln m, s, d) where they are; ``near`` is a fit to start from.
    """
    from scipy.optimize import minimize

    held = fixed or {}
    limits = [(0.0, 1.0), (-FURTHEST, FURTHEST), (TIGHTEST, WIDEST), (-FURTHEST, FURTHEST)]
    limits = limits[: 3 + (data.exposure is not None)]
    bounds = [(held[i], held[i]) if i in held else ends for i, ends in enumerate(limits)]
    best: tuple[float, Array] | None = None
    for start in _starts(data, near):
        at = np.array([held.get(i, value) for i, value in enumerate(start)])
        found = minimize(
            _loss, at, args=(data,), jac=True, method="L-BFGS-B", bounds=bounds,
            options={"ftol": 1e-12, "gtol": 1e-7, "maxiter": 500},
        )  # fmt: skip
        if best is None or found.fun < best[0]:
            best = float(found.fun), np.asarray(found.x)
    assert best is not None
    f, log_median, s = (float(x) for x in best[1][:3])
    regimes = Regimes(f, data.low, data.high, math.exp(log_median), s)
    shock = float(best[1][3]) if data.exposure is not None else None
    return Fit(regimes, shock, -best[0], len(data.ratio))


def _starts(data: Data, near: Fit | None) -> list[list[float]]:
    more = [0.0] if data.exposure is not None else []
    if near is not None:
        shock = [near.shock or 0.0] if more else []
        return [[near.regimes.probability, math.log(near.regimes.median), near.regimes.sd_log, *shock]]
    logs = np.log(data.ratio[data.ratio > data.high])
    middle, spread = float(np.median(logs)), max(float(logs.std()), 0.05)
    return [[f, middle, spread, *more] for f in STARTS]


def _loss(x: Array, data: Data) -> tuple[float, Array]:
    """Minus the log likelihood, and its gradient by f, ln m, s (and d)."""
    f, log_median, s = x[0], x[1], x[2]
    paid = data.ratio > 0.0
    r = np.where(paid, data.ratio, 1.0)
    off = np.log(r) - log_median
    if data.exposure is not None:
        off = off + x[3] * data.exposure
    z = off / s
    spike = np.where(paid, np.exp(-0.5 * z * z) / (_ROOT * s * r), 0.0)
    failed = ((data.ratio >= data.low) & (data.ratio <= data.high)) / (data.high - data.low)
    density = np.maximum(f * failed + (1.0 - f) * spike, 1e-300)
    share = (1.0 - f) * spike / density  # the chance that a project is of the spike
    gradient = [
        np.sum((failed - spike) / density),
        np.sum(share * z / s),
        np.sum(share * (z * z - 1.0) / s),
    ]
    if data.exposure is not None:
        gradient.append(-np.sum(share * z * data.exposure / s))
    return -float(np.sum(np.log(density))), -np.array(gradient)


# --- how well it is known --------------------------------------------------------------------------


def drop(n: int, level: float = LEVEL) -> float:
    """How far twice the log likelihood falls at the ends of an interval: n ln(1 + t² / (n − 1)).

    t is Student's quantile with n − 1 degrees of freedom. For the median of a single lognormal this gives the
    exact interval; for n without end it is the chi-squared quantile with one degree of freedom (2.71 at 90%).
    """
    from scipy.special import stdtrit

    return n * math.log1p(float(stdtrit(n - 1, 0.5 + level / 2.0)) ** 2 / (n - 1))


def profile(data: Data, best: Fit, place: int, level: float = LEVEL) -> Interval:
    """The profile-likelihood interval of one parameter: f, m, s or d by ``place`` 0 to 3.

    All values whose likelihood, maximised over the other parameters, is no further below the maximum than
    ``drop``. At a boundary (f = 0) the interval ends there, and covers more often than it says.
    """
    from scipy.optimize import brentq

    floor = best.log_likelihood - drop(best.projects, level) / 2.0
    centre = _parameters(best)[place]
    least, most = [(0.0, 1.0 - 1e-6), (-FURTHEST, FURTHEST), (TIGHTEST, WIDEST), (-FURTHEST, FURTHEST)][place]

    def above(value: float) -> float:
        near = fit(data, {place: value}, best).log_likelihood
        if near < floor + 0.5:  # another maximum may be higher there
            near = max(near, fit(data, {place: value}).log_likelihood)
        return near - floor

    def end(limit: float, step: float) -> float:
        inner = centre
        while True:
            outer = min(max(inner + step, least), most)
            if above(outer) < 0.0:
                return float(brentq(above, min(inner, outer), max(inner, outer), xtol=1e-5))
            if outer == limit:
                return limit
            inner, step = outer, 2.0 * step

    reach = _reach(best, place)
    low, high = end(least, -reach), end(most, reach)
    if place == 1:
        return Interval(math.exp(centre), math.exp(low), math.exp(high))
    return Interval(centre, low, high)


def _parameters(best: Fit) -> tuple[float, float, float, float]:
    one = best.regimes
    return one.probability, math.log(one.median), one.sd_log, best.shock or 0.0


def _reach(best: Fit, place: int) -> float:
    """A first step: about two standard errors."""
    n, s = best.projects, best.regimes.sd_log
    f = max(best.regimes.probability, 1.0 / n)
    return (2.0 * math.sqrt(f * (1 - min(f, 0.9)) / n), 2.0 * s / math.sqrt(n), 1.5 * s / math.sqrt(n), 1.0)[
        place
    ]


class RatioTest(NamedTuple):
    """One hypothesis against another by likelihood ratio."""

    statistic: float
    """twice the gain of log likelihood"""
    p_asymptotic: float
    p_bootstrap: float | None
    """share of panels drawn from the simpler model that gain as much; None where none were drawn"""
    draws: int


def single(data: Data) -> Fit:
    """One lognormal for all: f = 0."""
    if np.any(data.ratio <= 0.0):
        raise InputError("a lognormal has no place for projects that were paid nothing", field="ratio")
    return fit(data, {0: 0.0})


def against_single(data: Data, best: Fit, draws: int = 199, seed: int = 1) -> RatioTest:
    """The mixture against one lognormal.

    f = 0 lies on the boundary, so the gain is 0 half of the time: p = ½ P(χ²₁ > gain) for large n. For small
    n the bootstrap is the one to read: panels drawn from the fitted lognormal, both models fitted to each,
    p = (1 + number that gain as much) / (1 + draws).
    """
    from scipy.special import chdtrc

    alone = single(data)
    gain = max(2.0 * (best.log_likelihood - alone.log_likelihood), 0.0)
    generator = np.random.default_rng(seed)
    centre = math.log(alone.regimes.median) - (alone.shock or 0.0) * (
        data.exposure if data.exposure is not None else np.zeros(len(data.ratio))
    )
    reached = 0
    for _ in range(draws):
        drawn = np.exp(centre + alone.regimes.sd_log * generator.standard_normal(len(data.ratio)))
        panel = data._replace(ratio=drawn)
        reached += _gain(panel) >= gain - 1e-9
    p = (1 + reached) / (1 + draws) if draws else None
    return RatioTest(gain, float(chdtrc(1, gain)) / 2.0 if gain > 0.0 else 1.0, p, draws)


def _gain(data: Data) -> float:
    if not np.any(data.ratio > data.high):
        return 0.0
    near = fit(data, {0: 0.0})
    return 2.0 * (fit(data).log_likelihood - near.log_likelihood)


def shock_test(data: Data, best: Fit) -> RatioTest:
    """Whether the bad year cost anything: d = 0 against d free, chi-squared with one degree of freedom."""
    from scipy.special import chdtrc

    gain = max(2.0 * (best.log_likelihood - fit(data, {3: 0.0}).log_likelihood), 0.0)
    return RatioTest(gain, float(chdtrc(1, gain)), None, 0)


def intervals(data: Data, best: Fit, level: float = LEVEL) -> dict[str, Interval]:
    """The profile interval of each parameter, by name."""
    places = range(3 + (data.exposure is not None))
    return {PARAMETERS[place]: profile(data, best, place, level) for place in places}
