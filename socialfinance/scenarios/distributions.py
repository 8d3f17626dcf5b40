"""What is uncertain, and how: distributions drawn once, processes over the quarters, drivers by name.

A distribution turns uniforms into values by its inverse CDF, so the same uniform (keyed, quasi-random or
correlated) serves any of them. A number that may be uncertain is written as the number itself, as
``{distribution: beta, mean: 0.4, sd: 0.1}`` or as ``{driver: referral rate}``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from socialfinance.core.errors import InputError
from socialfinance.core.terms import AnnualRate, Name, Share, Sourced
from socialfinance.scenarios.counts import LARGEST_MEAN as LARGEST_MEAN
from socialfinance.scenarios.counts import counts as counts
from socialfinance.scenarios.drawn import (
    Array,
    Distribution,
    NotNegative,
    Positive,
    Random,
    from_logit,
    logit_normal_moments,
    lognormal_quantile,
    score,
)
from socialfinance.scenarios.drawn import beta_quantile as beta_quantile
from socialfinance.scenarios.pedigree import Graded, Multiple, ReferenceClass, TrackRecord


class Fixed(Distribution):
    """One value, for certain."""

    distribution: Literal["fixed"] = "fixed"
    value: float

    @property
    def mean(self) -> float:
        """The value."""
        return self.value

    @property
    def sd(self) -> float:
        """Nought."""
        return 0.0

    def quantile(self, u: Array) -> Array:
        """The value."""
        return np.full(np.shape(u), self.value)

    @model_validator(mode="after")
    def _loads_on_nothing(self) -> Fixed:
        if self.loadings:
            raise ValueError("loadings: what is certain has no luck to share")
        return self


class Uniform(Distribution):
    """Anything from ``low`` to ``high`` alike: low + (high − low) u."""

    distribution: Literal["uniform"] = "uniform"
    low: float
    high: float

    @model_validator(mode="after")
    def _in_order(self) -> Uniform:
        if self.low > self.high:
            raise ValueError(f"low must not exceed high, given {self.low:g} and {self.high:g}")
        return self

    @property
    def mean(self) -> float:
        """(low + high) / 2."""
        return (self.low + self.high) / 2

    @property
    def sd(self) -> float:
        """(high − low) / √12."""
        return (self.high - self.low) / math.sqrt(12)

    def quantile(self, u: Array) -> Array:
        """Inverse CDF."""
        return self.low + (self.high - self.low) * np.asarray(u)


class Triangular(Distribution):
    """From ``low`` to ``high``, most likely ``mode``."""

    distribution: Literal["triangular"] = "triangular"
    low: float
    mode: float
    high: float

    @model_validator(mode="after")
    def _in_order(self) -> Triangular:
        if not (self.low <= self.mode <= self.high and self.low < self.high):
            raise ValueError(
                f"low <= mode <= high and low < high, given {self.low:g}, {self.mode:g}, {self.high:g}"
            )
        return self

    @property
    def mean(self) -> float:
        """(low + mode + high) / 3."""
        return (self.low + self.mode + self.high) / 3

    @property
    def sd(self) -> float:
        """√((l² + m² + h² − lm − lh − mh) / 18), by the sides of the triangle."""
        left, right = self.mode - self.low, self.high - self.mode
        return math.sqrt((left**2 + right**2 + left * right) / 18)

    def quantile(self, u: Array) -> Array:
        """low + √(u (high − low)(mode − low)) up to the mode, and the mirror image beyond it."""
        u = np.asarray(u)
        width, left, right = self.high - self.low, self.mode - self.low, self.high - self.mode
        rising = self.low + np.sqrt(u * width * left)
        falling = self.high - np.sqrt((1 - u) * width * right)
        return np.where(u * width <= left, rising, falling)


class Normal(Distribution):
    """The bell: mean + sd Φ⁻¹(u)."""

    distribution: Literal["normal"] = "normal"
    mean: float
    sd: NotNegative

    def quantile(self, u: Array) -> Array:
        """Inverse CDF."""
        return self.mean + self.sd * score(u)


class Lognormal(Distribution):
    """A positive number whose logarithm is normal: ln X ~ N(ln mean − s²/2, s²), s² = ln(1 + (sd/mean)²)."""

    distribution: Literal["lognormal"] = "lognormal"
    mean: Positive
    sd: NotNegative

    @model_validator(mode="after")
    def _possible(self) -> Lognormal:
        if self.sd > 1e6 * self.mean:
            raise ValueError(f"sd: is more than a million times the mean of {self.mean:g}")
        return self

    def quantile(self, u: Array) -> Array:
        """Inverse CDF."""
        return lognormal_quantile(self.mean, self.sd, u)


class LogitNormal(Distribution):
    """A fraction whose log odds are normal: logit X ~ N(logit median, sigma²)."""

    distribution: Literal["logit-normal"] = "logit-normal"
    median: Annotated[float, Field(gt=0, lt=1)]
    sigma: Annotated[float, Field(ge=0, le=5)]
    """Standard deviation on the logit scale."""

    @property
    def mean(self) -> float:
        """By Gauss–Hermite quadrature (there is no closed form)."""
        return logit_normal_moments(self.median, self.sigma)[0]

    @property
    def sd(self) -> float:
        """By Gauss–Hermite quadrature."""
        return logit_normal_moments(self.median, self.sigma)[1]

    def quantile(self, u: Array) -> Array:
        """Inverse CDF."""
        return from_logit(math.log(self.median / (1 - self.median)) + self.sigma * score(u))


class Beta(Distribution):
    """A fraction between ``low`` and ``high``, by its mean and standard deviation.

    On (0, 1) with mean m and standard deviation s: a = m (m (1 − m) / s² − 1), b = a (1 − m) / m.
    """

    distribution: Literal["beta"] = "beta"
    mean: float
    sd: NotNegative
    low: float = 0.0
    high: float = 1.0

    @model_validator(mode="after")
    def _possible(self) -> Beta:
        if not self.low < self.mean < self.high:
            raise ValueError(f"low < mean < high, given {self.low:g}, {self.mean:g}, {self.high:g}")
        most = math.sqrt((self.mean - self.low) * (self.high - self.mean))
        if self.sd >= 0.999999 * most:
            raise ValueError(f"sd is too large for the mean: below {most:.4g}, given {self.sd:g}")
        return self

    @property
    def shape(self) -> tuple[float, float]:
        """The parameters a and b."""
        width = self.high - self.low
        m, s = (self.mean - self.low) / width, self.sd / width
        total = m * (1 - m) / s**2 - 1
        return m * total, (1 - m) * total

    def quantile(self, u: Array) -> Array:
        """Inverse CDF from a table: within 1e-6 of the width (:func:`beta_quantile`)."""
        if self.sd < 1e-7 * (self.high - self.low):
            return np.full(np.shape(u), self.mean)
        return self.low + (self.high - self.low) * beta_quantile(*self.shape, u)


class Discrete(Distribution):
    """One of some values, by weight."""

    distribution: Literal["discrete"] = "discrete"
    values: Annotated[tuple[float, ...], Field(min_length=1)]
    weights: tuple[Share, ...]

    @model_validator(mode="after")
    def _whole(self) -> Discrete:
        if len(self.values) != len(self.weights):
            raise ValueError(f"one weight a value, given {len(self.values)} and {len(self.weights)}")
        if abs(math.fsum(self.weights) - 1) > 1e-9:
            raise ValueError(f"the weights must sum to 1, given {math.fsum(self.weights):.12g}")
        return self

    @property
    def mean(self) -> float:
        """Σ wᵢ xᵢ."""
        return math.fsum(w * x for w, x in zip(self.weights, self.values, strict=True))

    @property
    def sd(self) -> float:
        """√ Σ wᵢ (xᵢ − mean)²."""
        mean = self.mean
        return math.sqrt(
            math.fsum(w * (x - mean) ** 2 for w, x in zip(self.weights, self.values, strict=True))
        )

    def quantile(self, u: Array) -> Array:
        """The least value whose cumulative weight reaches u."""
        pairs = sorted(pair for pair in zip(self.values, self.weights, strict=True) if pair[1] > 0)
        below = np.cumsum([w for _, w in pairs])[:-1]
        return np.array([x for x, _ in pairs])[np.searchsorted(below, u, side="left")]


class GammaPoisson(Distribution):
    """A count of arrivals whose rate is itself uncertain: variance = mean + dispersion × mean².

    Dispersion 0 is a Poisson count; above it, a negative binomial one.
    """

    distribution: Literal["gamma-poisson"] = "gamma-poisson"
    mean: Annotated[float, Field(ge=0, le=LARGEST_MEAN)]
    dispersion: NotNegative = 0.0

    @property
    def sd(self) -> float:
        """√(mean + dispersion mean²)."""
        return math.sqrt(self.mean + self.dispersion * self.mean**2)

    def quantile(self, u: Array) -> Array:
        """The least count whose cumulative probability reaches u."""
        return counts(np.asarray(self.mean), self.dispersion, u)


class _Process(Random):
    """Drawn every quarter from row 1 on; row 0 is ``start``."""

    start: float

    @model_validator(mode="after")
    def _loads_on_nothing(self) -> _Process:
        if self.loadings:
            raise ValueError("loadings: only what is drawn once can load on a factor, not a process")
        return self

    def path(self, u: Array) -> Array:
        """The values ``(period, path)`` for uniforms of that shape; row 0 of the uniforms is not used."""
        raise NotImplementedError

    def expected(self, rows: int) -> Array:
        """The mean of each row."""
        raise NotImplementedError

    def plan_path(self, rows: int) -> Array:
        """The figure in the plan by row: ``plan`` throughout, or the mean of each row."""
        return self.expected(rows) if self.plan is None else np.full(rows, self.plan)


class MeanReverting(_Process):
    """A rate pulled back to its mean: dX = k (m − X) dt + s dW, exact by the quarter.

    X(t + 1) = m + (X(t) − m) e^(−k/4) + s √((1 − e^(−k/2)) / 2k) z.
    """

    distribution: Literal["mean-reverting"] = "mean-reverting"
    mean: float
    reversion: NotNegative
    """Speed of return a year: half the gap closes in ln 2 / reversion years."""
    volatility: NotNegative
    """Standard deviation of a year's change without reversion."""

    def path(self, u: Array) -> Array:
        """The values ``(period, path)``."""
        keep, spread = self._quarter
        values = np.empty(np.shape(u))
        values[0] = self.start
        shocks = spread * score(u)
        for t in range(1, len(values)):
            values[t] = self.mean + (values[t - 1] - self.mean) * keep + shocks[t]
        return values

    def expected(self, rows: int) -> Array:
        """The mean of each row: m + (start − m) e^(−k t/4)."""
        return np.asarray(self.mean + (self.start - self.mean) * self._quarter[0] ** np.arange(rows))

    @property
    def _quarter(self) -> tuple[float, float]:
        """What is kept of the gap after a quarter, and the standard deviation of a quarter's shock."""
        k = self.reversion
        time = 0.25 if k == 0 else -math.expm1(-k / 2) / (2 * k)
        return math.exp(-k / 4), self.volatility * math.sqrt(time)


class GeometricBrownian(_Process):
    """A positive number that grows by random per cents.

    ln X(t + 1) = ln X(t) + ln(1 + drift) / 4 − s² / 8 + s z / 2.
    """

    distribution: Literal["geometric-brownian"] = "geometric-brownian"
    start: Positive
    drift: AnnualRate = 0.0
    """Growth of the mean, annual effective."""
    volatility: NotNegative
    """Standard deviation of a year's change of the logarithm."""

    def path(self, u: Array) -> Array:
        """The values ``(period, path)``."""
        steps = math.log1p(self.drift) / 4 - self.volatility**2 / 8 + self.volatility / 2 * score(u)
        steps[0] = 0.0
        return self.start * np.exp(np.cumsum(steps, axis=0))

    def expected(self, rows: int) -> Array:
        """The mean of each row: start × (1 + drift)^(t/4)."""
        return self.start * (1 + self.drift) ** (np.arange(rows) / 4)


class DriverRef(Sourced):
    """A driver of the portfolio, by its name."""

    driver: Name


AnyDistribution: TypeAlias = (
    Fixed | Uniform | Triangular | Normal | Lognormal | LogitNormal | Beta | Discrete | GammaPoisson
    | TrackRecord | ReferenceClass | Graded
)  # fmt: skip
AnyProcess: TypeAlias = MeanReverting | GeometricBrownian


def _kind(given: Any) -> str | None:
    """Which branch a value belongs to; None where it belongs to none."""
    if isinstance(given, (int, float)):
        return "number"
    if isinstance(given, Mapping):
        return next((word for word in ("driver", "distribution") if word in given), None)
    if isinstance(given, DriverRef):
        return "driver"
    return "distribution" if isinstance(given, Random) else None


_Number: TypeAlias = Annotated[float, Field(allow_inf_nan=False), Tag("number")]

Uncertain: TypeAlias = Annotated[
    _Number
    | Annotated[
        Annotated[AnyDistribution | AnyProcess, Field(discriminator="distribution")], Tag("distribution")
    ]
    | Annotated[DriverRef, Tag("driver")],
    Discriminator(
        _kind,
        custom_error_type="not_a_number_distribution_or_driver",
        custom_error_message="write a number, a mapping with `distribution`, or a mapping with `driver`",
    ),
]
"""A number, a distribution, a process, or a driver by name."""


def _within_one(x: Given) -> Given:
    """A share or chance that is planned to be one: 80 for 80% is a slip of the pen."""
    if not isinstance(x, DriverRef) and not 0.0 <= plan_of(x) <= 1.0:
        raise ValueError(f"must be planned from 0 to 1, given {plan_of(x):g}: 0.8 is 80%")
    return x.as_share() if isinstance(x, Multiple) else x


UncertainShare: TypeAlias = Annotated[Uncertain, AfterValidator(_within_one)]
"""The same for a share or a chance: what is planned is from 0 to 1; what is drawn is held there."""

DrawnOnce: TypeAlias = Annotated[
    _Number | Annotated[Annotated[AnyDistribution, Field(discriminator="distribution")], Tag("distribution")],
    Discriminator(
        _kind,
        custom_error_type="not_a_number_or_distribution",
        custom_error_message="write a number, or a mapping with `distribution`",
    ),
]
"""A number, or a distribution."""

Given: TypeAlias = float | AnyDistribution | AnyProcess | DriverRef
Drivers: TypeAlias = Mapping[str, Given]


def mean_of(x: Given, drivers: Drivers | None = None) -> float:
    """The mean of a number, a distribution, or the driver it names."""
    x = resolve(x, drivers)
    if isinstance(x, _Process):
        raise InputError("a process has a mean for every row, not one", allowed="a number or a distribution")
    return float(x) if isinstance(x, (int, float)) else x.mean


def plan_of(x: Given, drivers: Drivers | None = None) -> float:
    """The figure in the plan: of a process, ``plan`` or where it starts."""
    x = resolve(x, drivers)
    if isinstance(x, _Process):
        return x.start if x.plan is None else x.plan
    return float(x) if isinstance(x, (int, float)) else x.plan_value


def is_certain(x: Given, drivers: Drivers | None = None) -> bool:
    """Whether it is one number whatever happens. A driver that cannot be looked up is not."""
    if isinstance(x, DriverRef) and drivers is None:
        return False
    x = resolve(x, drivers)
    if isinstance(x, _Process):
        return False
    return True if isinstance(x, (int, float)) else x.sd == 0


def resolve(x: Given, drivers: Drivers | None = None) -> float | AnyDistribution | AnyProcess:
    """What a driver's name stands for; anything else as it is."""
    seen: list[str] = []
    while isinstance(x, DriverRef):
        if x.driver in seen:
            raise InputError(f"drivers name each other in a ring: {' → '.join([*seen, x.driver])}")
        if drivers is None or x.driver not in drivers:
            raise InputError("no such driver", given=x.driver, allowed=", ".join(drivers or ()) or None)
        seen.append(x.driver)
        x = drivers[x.driver]
    return x


def draw(x: float | AnyDistribution, u: Array) -> Array:
    """The number, or the distribution's quantiles, in the shape of ``u``."""
    return np.full(np.shape(u), float(x)) if isinstance(x, (int, float)) else x.quantile(u)
