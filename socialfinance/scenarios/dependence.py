"""What moves together: a Gaussian factor, a shock that hits every deal at once, and delivery that fails.

Deals differ by their own luck most of the time (a base correlation near nil) and share the bad times.
The functions are pure: uniforms in, multipliers out. Neither shock nor failure is in anybody's plan.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from socialfinance.core.terms import Quarters, Share, Sourced
from socialfinance.scenarios.distributions import DrawnOnce, draw
from socialfinance.scenarios.points import as_first

Array = NDArray[np.float64]
Multiplier = Annotated[float, Field(ge=0, le=10, description="times")]

LEAST_UNIFORM = 2.0**-53
"""Correlated uniforms stay this far from 0 and 1."""


class Multipliers(NamedTuple):
    """What outcome probabilities and referrals are multiplied by, ``(row, path)``."""

    outcomes: Array
    referrals: Array


class GaussianFactor(Sourced):
    """A common standard normal score, on which drivers load."""

    kind: Literal["gaussian"] = "gaussian"
    by: Literal["all", "theme", "place", "provider"] = "all"
    """One score for all deals, or one for each theme, place or provider."""


class CommonShock(Sourced):
    """A bad time for every deal at once, such as 2020: it starts, bites by a profile, and ends."""

    kind: Literal["common-shock"] = "common-shock"
    annual_probability: Annotated[float, Field(ge=0, lt=1)]
    """Chance that one starts in a year in which none is running."""
    duration: Annotated[Quarters, Field(ge=1)]
    depth: DrawnOnce
    """Fraction lost at its worst: a number, or a distribution drawn once a path; held within 0 and 1."""
    profile: tuple[Share, ...] | None = None
    """Share of the depth in each quarter since the start; all of it throughout unless given."""
    referrals: Share = 1.0
    """Share of the depth that hits referrals."""
    outcomes: Share = 0.5
    """Share of the depth that hits outcome probabilities."""
    first_row: Quarters = 1
    """The first row in which it can start."""
    last_row: Quarters | None = None
    """The last row in which it can start; no end unless given."""

    @model_validator(mode="after")
    def _fits(self) -> CommonShock:
        if self.profile is not None and len(self.profile) != self.duration:
            raise ValueError(f"one share a quarter: duration {self.duration}, profile of {len(self.profile)}")
        if self.last_row is not None and self.last_row < self.first_row:
            raise ValueError(f"last_row {self.last_row} is before first_row {self.first_row}")
        _refuse_loadings("depth", self.depth)
        return self

    @property
    def quarterly_probability(self) -> float:
        """1 − (1 − p)^(1/4)."""
        return -math.expm1(math.log1p(-self.annual_probability) / 4)


class DeliveryFailure(Sourced):
    """A provider that fails: from the onset on, outcomes (and referrals) are a fraction of the plan."""

    kind: Literal["delivery-failure"] = "delivery-failure"
    probability: Share
    """Chance that it happens in the life of the deal."""
    performance: DrawnOnce
    """Multiplier on outcome probabilities: a number, or a distribution drawn once a path; never below 0."""
    referrals: Multiplier = 1.0
    """Multiplier on referrals."""
    onset: Quarters = 0
    """The row from which it shows."""

    @model_validator(mode="after")
    def _size_alone(self) -> DeliveryFailure:
        _refuse_loadings("performance", self.performance)
        return self


def _refuse_loadings(field: str, size: object) -> None:
    if getattr(size, "loadings", None):
        raise ValueError(f"{field}.loadings: the size of a bad time loads on no factor")


def correlated(u_own: Array, loadings: Mapping[str, float], z_factors: Mapping[str, Array]) -> Array:
    """Uniforms that share factors: Φ(Σ lᶠ zᶠ + √(1 − Σ lᶠ²) Φ⁻¹(u)), an exact Gaussian copula.

    ``z_factors`` holds standard normal scores that broadcast to ``u_own``. Two drivers with loadings l
    and k have the score correlation Σ lᶠ kᶠ. Without loadings, ``u_own`` as it is.
    """
    if not loadings:
        return u_own
    from scipy.special import ndtr, ndtri

    own = math.sqrt(1 - math.fsum(loading**2 for loading in loadings.values()))
    score = own * ndtri(u_own)
    for factor in sorted(loadings):
        score = score + loadings[factor] * z_factors[factor]
    return np.clip(ndtr(score), LEAST_UNIFORM, 1 - LEAST_UNIFORM)


def first_start(shock: CommonShock, u: Array, starts: Array) -> Array:
    """Start uniforms ``(row, path)`` whose first start is decided by one uniform a path; of the same law."""
    p, last = shock.quarterly_probability, len(starts) - 1 if shock.last_row is None else shock.last_row
    return as_first(starts, [p if shock.first_row <= row <= last else 0.0 for row in range(len(starts))], u)


def shock_depth(shock: CommonShock, u_start: Array, u_depth: Array) -> Array:
    """Fraction lost in each row of each path, from uniforms ``(row, path)`` and ``(path,)``.

    A shock starts in a row with the quarterly probability when none is running, so shocks do not overlap.
    """
    chance, last = shock.quarterly_probability, len(u_start) if shock.last_row is None else shock.last_row
    depth = np.clip(draw(shock.depth, u_depth), 0.0, 1.0)
    profile = np.array([*(shock.profile or (1.0,) * shock.duration), 0.0])
    since = np.full(u_depth.shape, shock.duration)
    lost = np.zeros(u_start.shape)
    for row in range(len(u_start)):
        since = np.minimum(since + 1, shock.duration)
        if shock.first_row <= row <= last:
            since = np.where((since == shock.duration) & (u_start[row] < chance), 0, since)
        lost[row] = profile[since] * depth
    return lost


def shock_multipliers(shock: CommonShock, depth: Array) -> Multipliers:
    """What a shock leaves: 1 − share × depth, for outcomes and for referrals."""
    return Multipliers(1 - shock.outcomes * depth, 1 - shock.referrals * depth)


def failure(terms: DeliveryFailure, u: Array, u_size: Array, rows: int) -> Multipliers:
    """What delivery failure leaves: paths with u < probability fall to ``performance`` from the onset on."""
    failed = (u < terms.probability) & (np.arange(rows)[:, None] >= terms.onset)
    performance = np.maximum(draw(terms.performance, u_size), 0.0)
    return Multipliers(np.where(failed, performance, 1.0), np.where(failed, terms.referrals, 1.0))
