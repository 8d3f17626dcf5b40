"""Forecasts of paid / plan held against what was paid: each project without knowing its own result."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from socialfinance.core.errors import InputError
from socialfinance.evidence.mixture import FAILURE, FEWEST, Regimes, data_of, fit
from socialfinance.evidence.panel import Panel, Project
from socialfinance.evidence.scores import (
    BANDS,
    Covered,
    Points,
    Power,
    Skill,
    coverage,
    crps,
    histogram,
    points,
    powers,
    skill,
    uniform_test,
)

Array = NDArray[np.float64]
Forecast = Regimes | Points

WEAK = Regimes(0.1, 0.2, 0.4, math.exp(-0.04), 0.13)
"""The weak prior (judgement): ln ratio Normal(−0.04, 0.13) with probability 0.9, else Uniform(0.2, 0.4)."""
WEAK_WIDE = WEAK._replace(sd_log=0.3)
"""The same for child and family welfare, and health."""
WIDE_SECTORS = ("child", "health")
"""How the names of these sectors begin."""
FITTED, JUDGED, GIVEN = "fitted to the others", "weak prior (judgement)", "the prior file"
PLAN, SECTOR_MEAN, SECTOR_SPREAD = (
    "the plan",
    "plan x sector mean of the others",
    "sector's others, as they were",
)
REST_OF_PLAN = "paid so far + rest of the plan"

POINTS = 2000
"""quantiles that stand for a forecast where it is updated"""
FEWEST_OTHERS = 4
"""projects with a year's figures that the year's error is taken from"""
LEAST_ERROR = 0.02
"""The least standard deviation, in logs, of a year's figures about the final ratio."""


class Scored(NamedTuple):
    """One way of forecasting, over all projects."""

    forecast: str
    pit: Array
    crps: Array
    """by project; less is better"""
    covered: tuple[Covered, ...]
    histogram: tuple[int, ...]
    statistic: float
    """Kolmogorov and Smirnov's"""
    p: float
    """exact for independent values"""
    width_50: float
    width_80: float
    """mean width of the bands: sharpness"""
    skills: dict[str, Skill | None]
    """by benchmark"""

    @property
    def mean_crps(self) -> float:
        """Mean over projects."""
        return float(self.crps.mean())


class Backtest(NamedTuple):
    """What came out."""

    panel: Panel
    failure: tuple[float, float]
    scored: tuple[Scored, ...]
    """at the start"""
    benchmarks: dict[str, float]
    """mean CRPS at the start"""
    years: dict[int, Scored]
    """updated after so many years, for projects that still had plan to go"""
    year_benchmarks: dict[int, tuple[float, float]]
    """mean CRPS for the same projects, of paid so far + rest of the plan, and of the forecast at the start"""
    powers: tuple[Power, ...]


def backtest(
    panel: Panel, failure: tuple[float, float] = FAILURE, given: Regimes | None = None, seed: int = 1
) -> Backtest:
    """Forecast every project's paid / plan and score the forecasts.

    Forecasts: the mixture fitted to all other projects (its parameters as they are: their own doubt is left
    out); the weak prior; and ``given``, of a prior file. Benchmarks: the plan; the mean and the values of the
    other projects of the sector (of all others where the sector has fewer than two). InputError for too few
    projects.
    """
    if len(panel.projects) <= FEWEST:
        raise InputError(
            "has too few projects for each to be left out in turn", file=panel.file,
            given=len(panel.projects), allowed=f"{FEWEST + 1} or more",
        )  # fmt: skip
    y = np.array([one.ratio for one in panel.projects])
    naive = _benchmarks(panel.projects)
    lost = {name: _scores(forecasts, y) for name, forecasts in naive.items()}
    fitted = _left_out(panel, y, failure)
    made: dict[str, Sequence[Forecast]] = {FITTED: fitted, JUDGED: [_weak(one) for one in panel.projects]}
    if given is not None:
        made[GIVEN] = [given] * len(y)
    scored = tuple(_scored(name, forecasts, y, lost, seed) for name, forecasts in made.items())
    years, year_benchmarks = _by_year(panel.projects, fitted, y, seed)
    return Backtest(
        panel, failure, scored, {name: float(one.mean()) for name, one in lost.items()}, years,
        year_benchmarks, tuple(powers(len(y), seed=seed)),
    )  # fmt: skip


def _left_out(panel: Panel, y: Array, failure: tuple[float, float]) -> list[Regimes]:
    """The mixture fitted to all projects but one, for each."""
    try:
        return [fit(data_of(np.delete(y, i), failure)).regimes for i in range(len(y))]
    except InputError as error:
        raise error.at(panel.file, None) from None


def _weak(project: Project) -> Regimes:
    return WEAK_WIDE if project.sector.lower().startswith(WIDE_SECTORS) else WEAK


def _benchmarks(projects: Sequence[Project]) -> dict[str, list[Points]]:
    """Naive forecasts, by name."""
    peers = [_peers(projects, i) for i in range(len(projects))]
    return {
        PLAN: [points([1.0]) for _ in projects],
        SECTOR_MEAN: [points([float(np.mean(one))]) for one in peers],
        SECTOR_SPREAD: [points(one) for one in peers],
    }


def _peers(projects: Sequence[Project], i: int) -> list[float]:
    """Ratios of the sector's other projects; of all others where it has fewer than two."""
    others = [one for j, one in enumerate(projects) if j != i]
    sector = [one.ratio for one in others if one.sector == projects[i].sector]
    return sector if len(sector) > 1 else [one.ratio for one in others]


# --- scores -----------------------------------------------------------------------------------------


def _scores(forecasts: Sequence[Forecast], y: Array) -> Array:
    return np.array([crps(one, value) for one, value in zip(forecasts, y.tolist(), strict=True)])


def _scored(name: str, forecasts: Sequence[Forecast], y: Array, lost: dict[str, Array], seed: int) -> Scored:
    pit = np.array([float(one.cdf(value)) for one, value in zip(forecasts, y.tolist(), strict=True)])
    own = _scores(forecasts, y)
    statistic, p = uniform_test(pit)
    return Scored(
        name, pit, own, tuple(coverage(pit, band) for band in BANDS), histogram(pit), statistic, p,
        _mean_width(forecasts, 0.5), _mean_width(forecasts, 0.8),
        {benchmark: skill(own, other, seed=seed) for benchmark, other in lost.items()},
    )  # fmt: skip


def _mean_width(forecasts: Sequence[Forecast], band: float) -> float:
    low, high = (1.0 - band) / 2.0, (1.0 + band) / 2.0
    return float(np.mean([float(one.quantile(high)) - float(one.quantile(low)) for one in forecasts]))


# --- as results arrive --------------------------------------------------------------------------------


def updated(start: Regimes, so_far: float, to_date: float, bias: float, error: float) -> Points:
    """A forecast of the final ratio R once part of it is known, by re-weighting quantiles of the first.

    ``so_far``: paid by now / the whole plan, which R cannot fall below. ``to_date``: paid / planned by now,
    q, with ln q = ln R + bias + error × N(0, 1); where nothing was paid it says nothing but R ≥ 0. Weights
    φ((ln q − ln x − bias) / error) at x ≥ so_far.
    """
    x = start.quantile((np.arange(POINTS) + 0.5) / POINTS)
    possible = x >= so_far
    if not possible.any():
        return points([so_far])
    x = x[possible]
    if to_date <= 0.0:
        return points(x)
    score = (math.log(to_date) - np.log(x) - bias) / error
    log_weight = -0.5 * score * score
    return points(x, np.exp(log_weight - log_weight.max()))


def _by_year(
    projects: Sequence[Project], fitted: Sequence[Regimes], y: Array, seed: int
) -> tuple[dict[int, Scored], dict[int, tuple[float, float]]]:
    """Forecasts updated after each year for which enough projects have figures."""
    found: dict[int, Scored] = {}
    benchmarks: dict[int, tuple[float, float]] = {}
    for year in range(1, 1 + max(len(one.paid_by_year) for one in projects)):
        running = [i for i, one in enumerate(projects) if _to_go(one, year)]
        if len(running) <= FEWEST_OTHERS:
            continue
        forecasts: list[Forecast] = []
        scored: list[int] = []
        for i in running:
            errors = [e for j in running if j != i and (e := _error(projects[j], year)) is not None]
            if len(errors) < FEWEST_OTHERS:
                continue
            paid, planned = projects[i].paid_by_year[year - 1], projects[i].plan_by_year[year - 1]
            spread = max(float(np.std(errors, ddof=1)), LEAST_ERROR)
            so_far, to_date = paid / projects[i].plan, paid / planned
            forecasts.append(updated(fitted[i], so_far, to_date, float(np.mean(errors)), spread))
            scored.append(i)
        if len(scored) <= FEWEST_OTHERS:
            continue
        at = y[scored]
        rest = np.abs(at - np.array([_rest_of_plan(projects[i], year) for i in scored]))
        before = _scores([fitted[i] for i in scored], at)
        lost = {REST_OF_PLAN: rest, FITTED: before}
        found[year] = _scored(f"after year {year}", forecasts, at, lost, seed)
        benchmarks[year] = float(rest.mean()), float(before.mean())
    return found, benchmarks


def _to_go(project: Project, year: int) -> bool:
    """Whether the year's figures are there, something was planned by then, and some plan is left."""
    if len(project.paid_by_year) < year:
        return False
    planned = project.plan_by_year[year - 1]
    return 0.0 < planned < project.plan * (1.0 - 1e-6)


def _error(project: Project, year: int) -> float | None:
    """Ln (paid / planned by then) − ln (paid / plan in the end); None where either is nothing."""
    paid = project.paid_by_year[year - 1]
    return math.log(paid / project.plan_by_year[year - 1] / project.ratio) if paid > 0.0 else None


def _rest_of_plan(project: Project, year: int) -> float:
    paid, planned = project.paid_by_year[year - 1], project.plan_by_year[year - 1]
    return (paid + project.plan - planned) / project.plan
