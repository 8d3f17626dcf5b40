"""Groups and what is between them: sectors of projects, projects of metrics; one-way random effects.

    y = m + a + e,  a ~ N(0, t²) by group, e ~ N(0, s²) within

by analysis of variance and by restricted maximum likelihood (REML), for groups of any size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from socialfinance.core.errors import InputError
from socialfinance.evidence.mixture import LEVEL, Interval
from socialfinance.evidence.panel import Metric

Array = NDArray[np.float64]
MOST_BETWEEN = 1e4
"""The largest t² / s² that is looked for."""


class Effect(NamedTuple):
    """One group."""

    group: str
    n: int
    mean: float
    """of its own values"""
    weight: float
    """that its own mean has: t² / (t² + s² / n)"""
    shrunk: float
    """weight × mean + (1 − weight) × m"""
    error: float
    """standard error of the shrunk mean: √(t² (1 − weight) + (1 − weight)² × variance of m)"""


class OneWay(NamedTuple):
    """One-way random effects."""

    mean: float
    """m, by weighted least squares"""
    between: float
    """t², by REML (or ML)"""
    within: float
    """s²"""
    correlation: float
    """of two values of one group: t² / (t² + s²)"""
    between_anova: float
    """(MSB − MSW) / n0: unbiased, and may be below nought"""
    correlation_anova: float
    by_f: Interval
    """the correlation by analysis of variance, and its interval by the F distribution"""
    effects: tuple[Effect, ...]
    values: int


def one_way(groups: Mapping[str, Sequence[float]], reml: bool = True, level: float = LEVEL) -> OneWay:
    """Random effects of groups of values (no unit of its own: that of the values).

    REML: with λ = t² / s², w = n / (1 + n λ), m = Σ w ȳ / Σ w and Q = SSW + Σ w (ȳ − m)²,

        −2 l = (N − 1) ln Q + Σ ln(1 + n λ) + ln Σ w,  s² = Q / (N − 1)

    is least; ML has N for N − 1 and no ln Σ w. Source: Searle, Casella and McCulloch, Variance Components,
    1992. InputError unless there are two groups, one of them with two values.
    """
    from scipy.optimize import minimize_scalar

    if len(groups) < 2 or max(map(len, groups.values())) < 2:
        raise InputError("random effects need two groups, one of them with two values", given=len(groups))
    if not differ_within(groups):
        raise InputError("random effects need values that differ within a group")
    n, means, ssw = _summed(groups)

    def loss(share: float) -> float:
        return _fitted(share, n, means, ssw, reml)[0]

    found = minimize_scalar(loss, bounds=(0.0, MOST_BETWEEN / (1 + MOST_BETWEEN)), method="bounded",
                            options={"xatol": 1e-10})  # fmt: skip
    share = 0.0 if loss(0.0) <= found.fun else float(found.x)
    _, mean, within, variance_of_mean = _fitted(share, n, means, ssw, reml)
    between = within * share / (1.0 - share)
    weight = between / (between + within / n)
    errors = np.sqrt(between * (1.0 - weight) + (1.0 - weight) ** 2 * variance_of_mean)
    shrunk = weight * means + (1.0 - weight) * mean
    rows = zip(groups, n, means, weight, shrunk, errors, strict=True)
    effects = tuple(Effect(g, int(c), *map(float, rest)) for g, c, *rest in rows)
    anova, correlation, by_f = _anova(n, means, ssw, level)
    return OneWay(mean, between, within, share, anova, correlation, by_f, effects, int(n.sum()))


def differ_within(groups: Mapping[str, Sequence[float]]) -> bool:
    """Whether any group has two values that are not alike."""
    return any(max(values) > min(values) for values in groups.values())


def _summed(groups: Mapping[str, Sequence[float]]) -> tuple[Array, Array, float]:
    """Sizes and means of groups, and the sum of squares within."""
    n = np.array([len(values) for values in groups.values()], dtype=float)
    means = np.array([float(np.mean(values)) for values in groups.values()])
    ssw = sum(float(np.sum((np.asarray(v) - np.mean(v)) ** 2)) for v in groups.values())
    return n, means, ssw


def _fitted(
    share: float, n: Array, means: Array, ssw: float, reml: bool
) -> tuple[float, float, float, float]:
    """−2 l, m, s² and the variance of m, where a share t² / (t² + s²) lies between."""
    ratio, total = share / (1.0 - share), float(n.sum())
    w = n / (1.0 + n * ratio)
    mean = float(np.sum(w * means) / np.sum(w))
    q = ssw + float(np.sum(w * (means - mean) ** 2))
    freedom = total - 1.0 if reml else total
    loss = freedom * math.log(q) + float(np.sum(np.log1p(n * ratio)))
    loss += math.log(float(np.sum(w))) if reml else 0.0
    return loss, mean, q / freedom, q / freedom / float(np.sum(w))


def _anova(n: Array, means: Array, ssw: float, level: float) -> tuple[float, float, Interval]:
    """t² by (MSB − MSW) / n0, the correlation it gives, and its interval.

    n0 = (N − Σ n² / N) / (k − 1). With F = MSB / MSW, the ends are (F / q − 1) / (F / q + n0 − 1), q the
    upper and the lower quantile of F with k − 1 and N − k degrees of freedom: exact for groups of one size,
    near it otherwise. What would be below nought is nought.
    """
    from scipy.special import fdtri

    k, total = len(n), float(n.sum())
    grand = float(np.sum(n * means) / total)
    msb, msw = float(np.sum(n * (means - grand) ** 2)) / (k - 1), ssw / (total - k)
    n0 = (total - float(np.sum(n * n)) / total) / (k - 1)
    between = (msb - msw) / n0
    tail = (1.0 - level) / 2.0

    def at(q: float) -> float:
        f = msb / msw / q
        return max((f - 1.0) / (f + n0 - 1.0), 0.0)

    low, high = (at(float(fdtri(k - 1, total - k, u))) for u in (1.0 - tail, tail))
    correlation = between / (between + msw)
    return between, correlation, Interval(max(correlation, 0.0), low, high)


def bootstrap_correlation(
    groups: Mapping[str, Sequence[float]], draws: int = 499, seed: int = 1, level: float = LEVEL
) -> tuple[float, float]:
    """The interval of the correlation (by analysis of variance) by drawing whole groups anew.

    Percentiles of ``draws`` panels of as many groups. Needs no normal distribution, and many groups.
    """
    generator = np.random.default_rng(seed)
    values, found = list(groups.values()), []
    for _ in range(draws):
        chosen = generator.integers(0, len(values), len(values))
        n, means, ssw = _summed({str(i): values[one] for i, one in enumerate(chosen)})
        if ssw > 0.0:
            found.append(max(_anova(n, means, ssw, level)[1], 0.0))
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(found, [tail, 1.0 - tail])
    return float(low), float(high)


# --- the funnel ------------------------------------------------------------------------------------


class Stage(NamedTuple):
    """Achieved / target of the metrics of one stage of the funnel."""

    stage: str
    projects: int
    metrics: int
    mean: float
    sd: float
    sd_beyond_luck: float
    """√(sd² − mean of ratio / target), nought where luck alone is as wide: the spread without people's own
    luck, which is at most that of a Poisson count"""


def stages(metrics: Sequence[Metric]) -> list[Stage]:
    """Mean and dispersion by stage, in the order in which stages first appear."""
    found = []
    for stage in dict.fromkeys(one.stage for one in metrics):
        rows = [one for one in metrics if one.stage == stage]
        ratio = np.array([one.ratio for one in rows])
        luck = float(np.mean([one.ratio / one.target for one in rows]))
        sd = float(ratio.std(ddof=1)) if len(rows) > 1 else 0.0
        beyond = math.sqrt(max(sd * sd - luck, 0.0))
        projects = len({one.project for one in rows})
        found.append(Stage(stage, projects, len(rows), float(ratio.mean()), sd, beyond))
    return found


def by_project(metrics: Sequence[Metric], without: str = "engagement") -> dict[str, list[float]]:
    """Achieved / target by project, but for metrics of one stage."""
    groups: dict[str, list[float]] = {}
    for one in metrics:
        if one.stage != without:
            groups.setdefault(one.project, []).append(one.ratio)
    return groups
