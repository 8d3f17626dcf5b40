"""Uncertain numbers with a pedigree: a provider's record, a class of real projects, a confidence grade.

Each is a distribution like any other, and says what it rests on: what was held before the data (the prior),
how much of the mean comes from the data (the weight), and how the figure in the plan was moved.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import date
from typing import Annotated, Literal, NamedTuple, Self

import numpy as np
from pydantic import Field, model_validator

from socialfinance.core.terms import LARGEST_AMOUNT, Name, Share, Sourced
from socialfinance.markets.optimism_bias import Side, corrected
from socialfinance.scenarios.drawn import (
    Array,
    Distribution,
    NotNegative,
    beta_quantile,
    lognormal_quantile,
)
from socialfinance.scenarios.reference_classes import Measure, Ratio, Sector, Stage, ratio

CORRELATION = 0.37
"""Correlation between two outcome metrics of one project, as achieved over target (variance between projects
0.07, within them 0.12), UK projects, engagement left out. Source: GO Lab (University of Oxford), INDIGO
Impact Bond Dataset, May 2025 vintage; computed. Taken for two programmes of one provider, the nearest thing
measured. It is no correlation between two people of a programme, which is far lower."""
LARGEST_RECORD = 10_000_000
LEAST_SD = 1e-6
LEAST_RATE = 1e-4
NARROW = 1e-7
"""A share with a smaller sd is drawn as its mean."""
LARGEST_SPREAD = 1e3
"""A spread is at most this many times its value: more is a slip, and no sample would show such a mean."""

PlanFigure = Annotated[float, Field(gt=0, le=LARGEST_AMOUNT)]


# --- a provider's record --------------------------------------------------------------------------


class Learned(NamedTuple):
    """What a record says of the provider's next programme."""

    a: float
    b: float
    """the predictive beta distribution"""
    weight: float
    """share of the mean that comes from the record, the rest from the sector"""
    sector_people: float
    """how many people the sector's mean counts for"""
    effective_people: float
    """how many independent people the record counts for"""
    share: float
    """share of successes in the record, programmes weighted by effective people"""


def learn(
    record: Iterable[tuple[int, int]], mean: float, sd: float, correlation: float, overdispersion: float
) -> Learned:
    """The success rate of a provider's next programme, by a hierarchical Beta-Binomial.

    ``record`` has (users, successes) a programme; ``mean`` m and ``sd`` s are those of programmes' true rates
    over the sector; ``correlation`` r is the share of s² that programmes of one provider have in common;
    ``overdispersion`` d correlates two people of one programme beyond its own rate (teams, cohorts).

        sector       f = s² / (m (1 - m));   f1 = r f;   f2 = (f - f1) / (1 - f1)
        provider     rate P ~ Beta, mean m, variance m (1 - m) f1: it counts for K = 1 / f1 - 1 people
        programme    rate Q ~ Beta, mean P, variance P (1 - P) f2
        people       n of them, of whom x succeed; with c = f2 + (1 - f2) d they count for
                     e = n / (1 + (n - 1) c)
        posterior    weight w = E / (K + E), E = Σ e;   mean M = (1 - w) m + w Σ e x/n / E
        next         f3 = 1 / (K + E + 1);   F = f3 + f2 (1 - f3);   variance M (1 - M) F
                     Beta with a + b = 1 / F - 1, a = M (a + b)

    M is the best forecast that is linear in the shares x/n, and M (1 - M) F on average over records its
    squared error, exactly. The whole is exact, a Beta-Binomial, where r = 1 and d = 0; elsewhere the shape is
    a beta by matched moments.
    """
    spread = sd**2 / (mean * (1 - mean))
    between = correlation * spread
    own = (spread - between) / (1 - between)
    alike = own + (1 - own) * overdispersion
    sector_people = 1 / between - 1
    people = successes = 0.0
    for users, succeeded in record:
        counted = users / (1 + (users - 1) * alike)
        people += counted
        successes += counted * succeeded / users
    total = sector_people + people
    centre = (sector_people * mean + successes) / total
    left = 1 / (total + 1)
    size = 1 / (left + own * (1 - left)) - 1
    return Learned(
        centre * size, (1 - centre) * size, people / total, sector_people, people, successes / people
    )


class PastProgramme(Sourced):
    """What a programme of the provider's achieved."""

    users: Annotated[int, Field(ge=1, le=LARGEST_RECORD)]
    """people who could have succeeded: those at the line before"""
    successes: Annotated[int, Field(ge=0)]
    """of them, how many did"""
    until: date | None = None
    """day up to which successes are counted"""

    @model_validator(mode="after")
    def _some_of_them(self) -> Self:
        if self.successes > self.users:
            raise ValueError(f"successes: must be at most the users, {self.users:,}")
        return self


class SectorRates(Sourced):
    """True success rates of the sector's programmes: their mean and standard deviation."""

    mean: Annotated[float, Field(gt=0, lt=1)]
    sd: Annotated[float, Field(ge=LEAST_SD)]
    """between programmes, without the chance of small numbers"""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        most = math.sqrt(self.mean * (1 - self.mean))
        if self.sd >= 0.999 * most:
            raise ValueError(f"sd: is too large for the mean: must be below {0.999 * most:.4g}")
        return self


class TrackRecord(Distribution):
    """A success probability by the provider's own record, shrunk towards the sector: :func:`learn`.

    The sector is given by the rates of its programmes (``sector``), or as a shipped class of projects
    (``reference``) times the plan's figure (``of``), held in [0, 1]. The spread of a class is of achieved
    over target: it has volume and optimistic targets in it, and overstates that of rates.
    """

    distribution: Literal["track-record"] = "track-record"
    record: Annotated[dict[Name, PastProgramme], Field(min_length=1)]
    """past programmes of the provider"""
    sector: SectorRates | None = None
    """rates of the sector's programmes"""
    reference: Sector | None = None
    """a shipped class of projects, in place of sector"""
    of: Annotated[float, Field(ge=LEAST_RATE, le=1)] | None = None
    """the plan's figure, by which the class's ratio is multiplied"""
    stage: Stage = "all"
    """stage of the funnel, of the class"""
    finished: bool = False
    """of the class: finished projects only"""
    correlation: Annotated[float, Field(gt=0, le=1)] = CORRELATION
    """share of the sector's variance that programmes of one provider have in common (default 0.37: two
    outcome metrics of one project, GO Lab INDIGO May 2025)"""
    overdispersion: Share = 0.0
    """correlation of two people of one programme beyond its own rate; nothing measured is known, so none"""

    @model_validator(mode="after")
    def _one_sector(self) -> Self:
        if (self.sector is None) == (self.reference is None):
            raise ValueError("give either sector (mean and sd) or reference (a class of projects)")
        if self.reference is not None and self.of is None:
            raise ValueError("of: is missing: a class's ratio needs the plan's figure")
        for field in ("of", "stage", "finished"):
            if self.sector is not None and getattr(self, field) != type(self).model_fields[field].default:
                raise ValueError(f"{field}: belongs to a reference, and a sector is given")
        return self

    @property
    def prior(self) -> tuple[float, float]:
        """Mean and sd of the sector's rates."""
        if self.sector is not None:
            return self.sector.mean, self.sector.sd
        found, of = self.ratio, self.of
        assert found is not None
        assert of is not None
        return held_moments(of * found.mean, of * found.sd)

    @property
    def ratio(self) -> Ratio | None:
        """The class of projects, where one stands for the sector."""
        if self.reference is None:
            return None
        return ratio("achieved", self.reference, self.stage, self.finished)

    @property
    def learned(self) -> Learned:
        """What the record says, by :func:`learn`."""
        record = ((one.users, one.successes) for one in self.record.values())
        return learn(record, *self.prior, self.correlation, self.overdispersion)

    @property
    def shape(self) -> tuple[float, float]:
        """The parameters a and b of the predictive beta distribution."""
        found = self.learned
        return found.a, found.b

    @property
    def weight(self) -> float:
        """Share of the mean that comes from the record."""
        return self.learned.weight

    @property
    def mean(self) -> float:
        """a / (a + b)."""
        a, b = self.shape
        return a / (a + b)

    @property
    def sd(self) -> float:
        """√(a b / (a + b + 1)) / (a + b)."""
        a, b = self.shape
        return math.sqrt(a * b / (a + b + 1)) / (a + b)

    @property
    def plan_value(self) -> float:
        """The figure in the plan: ``plan``, or ``of``, or the mean."""
        given = self.of if self.plan is None else self.plan
        return self.mean if given is None else given

    def quantile(self, u: Array) -> Array:
        """Inverse CDF from a table: within 1e-6."""
        if self.sd < NARROW:
            return np.full(np.shape(u), self.mean)
        return beta_quantile(*self.shape, u)


# --- a positive number, held below one where it is a share --------------------------------------------


def held_moments(mean: float, sd: float) -> tuple[float, float]:
    """Mean and sd of min(X, 1), X lognormal with this mean m and sd s.

    With v² = ln(1 + (s/m)²) and d = (v²/2 - ln m) / v (the score of 1):
    E = m Φ(d - v) + 1 - Φ(d), E² = (m² + s²) Φ(d - 2v) + 1 - Φ(d).
    """
    v = math.sqrt(math.log1p((sd / mean) ** 2))
    if v == 0:
        return min(mean, 1.0), 0.0
    d = v / 2 - math.log(mean) / v
    above = _normal_cdf(-d)
    first = mean * _normal_cdf(d - v) + above
    second = (mean**2 + sd**2) * _normal_cdf(d - 2 * v) + above
    return first, math.sqrt(max(second - first**2, 0.0))


def _normal_cdf(x: float) -> float:
    return math.erfc(-x / math.sqrt(2)) / 2


class Multiple(Distribution):
    """A positive number, lognormal; a share is held at 1, and its mean and sd are those after that."""

    share: bool = False
    """whether it is a share or a chance, never above 1; known by itself where a file asks for one"""

    def as_share(self) -> Self:
        """The same, held at 1."""
        return self.model_copy(update={"share": True})

    @property
    def free(self) -> tuple[float, float]:
        """Mean and sd before a share is held at 1."""
        raise NotImplementedError

    @property
    def mean(self) -> float:
        """The mean, of a share after it is held at 1 (:func:`held_moments`)."""
        return held_moments(*self.free)[0] if self.share else self.free[0]

    @property
    def sd(self) -> float:
        """The standard deviation, of a share after it is held at 1."""
        return held_moments(*self.free)[1] if self.share else self.free[1]

    def quantile(self, u: Array) -> Array:
        """Inverse CDF of the lognormal, a share held at 1."""
        values = lognormal_quantile(*self.free, u)
        return np.minimum(values, 1.0) if self.share else values


class ReferenceClass(Multiple):
    """The plan's figure times what a class of real projects achieved over its plan: lognormal.

    Mean ``of`` x m and sd ``of`` x s with the class's m and s, shrunk to all sectors by its size:
    :func:`socialfinance.scenarios.reference_classes.ratio`. Projects that failed are in the class: a delivery
    failure beside it counts them twice.
    """

    distribution: Literal["reference-class"] = "reference-class"
    of: PlanFigure
    """the plan's figure"""
    sector: Sector
    """sector of the projects; all, where it has fewer than three in the table"""
    stage: Stage = "all"
    """stage of the funnel"""
    measure: Measure = "achieved"
    """achieved: outcomes over target; paid: payments over the first plan"""
    finished: bool = False
    """finished projects only (fewer, and not in all sectors)"""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.measure == "paid" and self.stage != "all":
            raise ValueError("stage: payments are not known by stage: leave it out")
        if self.share and self.of > 1:
            raise ValueError(f"of: a share is at most 1, given {self.of:g}")
        return self

    @property
    def ratio(self) -> Ratio:
        """Achieved over plan in the class."""
        return ratio(self.measure, self.sector, self.stage, self.finished)

    @property
    def weight(self) -> float:
        """Share of the mean that comes from the class, the rest from all sectors."""
        return self.ratio.weight

    @property
    def prior(self) -> tuple[float, float]:
        """Mean and sd by all sectors."""
        found = self.ratio
        whole = self.of * found.whole_mean, self.of * found.whole_sd
        return held_moments(*whole) if self.share else whole

    @property
    def free(self) -> tuple[float, float]:
        """Mean and sd before a share is held at 1."""
        found = self.ratio
        return self.of * found.mean, self.of * found.sd

    @property
    def plan_value(self) -> float:
        """The figure in the plan: ``plan``, or ``of``."""
        return self.of if self.plan is None else self.plan


class Graded(Multiple):
    """A claimed value, corrected for optimism by confidence grade [unverified]: lognormal.

    Mean ``value`` x (1 + c) for a benefit, x (1 - c) for a cost, c by grade
    (:data:`socialfinance.markets.optimism_bias.CORRECTION`). The guidance gives no spread: the file does.
    """

    distribution: Literal["graded"] = "graded"
    value: PlanFigure
    """as claimed, before correction"""
    grade: Annotated[int, Field(ge=1, le=6)]
    """1: a trial, or agency data under a year old; 6: judgement that nothing bears out"""
    side: Side
    """benefit: corrected downwards; cost: upwards"""
    spread: NotNegative
    """standard deviation about the corrected value, in its units (of a share, before it is held at 1)"""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.share and self.value > 1:
            raise ValueError(f"value: a share is at most 1, given {self.value:g}")
        if self.spread > LARGEST_SPREAD * self.value:
            raise ValueError(f"spread: is more than {LARGEST_SPREAD:,.0f} times the value of {self.value:g}")
        return self

    @property
    def free(self) -> tuple[float, float]:
        """The corrected value and its spread, before a share is held at 1."""
        return corrected(self.value, self.grade, self.side), self.spread

    @property
    def plan_value(self) -> float:
        """The figure in the plan: ``plan``, or ``value``."""
        return self.value if self.plan is None else self.plan
