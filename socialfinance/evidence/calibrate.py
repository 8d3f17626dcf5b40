"""Fits what a portfolio file needs to know of luck to a table of projects, and writes it down as priors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from pathlib import PurePath
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field, model_validator

from socialfinance.core.errors import InputError
from socialfinance.core.terms import Share, Terms
from socialfinance.evidence.effects import (
    OneWay,
    Stage,
    bootstrap_correlation,
    by_project,
    differ_within,
    one_way,
    stages,
)
from socialfinance.evidence.mixture import (
    FAILURE,
    LEVEL,
    Fit,
    Interval,
    RatioTest,
    Regimes,
    against_single,
    data_of,
    fit,
    intervals,
    shock_test,
    single,
)
from socialfinance.evidence.panel import BAD_YEAR, Metrics, Panel
from socialfinance.scenarios.dependence import DeliveryFailure
from socialfinance.scenarios.distributions import Lognormal, Uniform

FEWEST_SHOWN = 3
"""projects in a group whose own figures are written: of fewer, a table would give single projects away"""
METHOD = (
    "maximum likelihood of a mixture of a uniform (delivery failed; its ends are stated) and a lognormal; "
    "intervals by profile likelihood; sectors by REML on the logarithm of paid / plan"
)


class Shock(NamedTuple):
    """The common shock: the mixture fitted to what was earned (claims off), by exposure to a bad year."""

    year: int
    fit: Fit
    intervals: Mapping[str, Interval]
    test: RatioTest
    mean_exposure: float
    """share of a project's months in the year"""


class Claims(NamedTuple):
    """Emergency payments."""

    projects: int
    """with any"""
    total: float
    share: float
    """of these projects' payments, money-weighted"""


class Funnel(NamedTuple):
    """A table of metrics."""

    metrics: Metrics
    stages: tuple[Stage, ...]
    within: OneWay
    """achieved / target by project, engagement left out: REML and analysis of variance; no single project"""
    by_ml: OneWay
    bootstrap: tuple[float, float]
    """interval of the intra-project correlation, projects drawn anew"""


class Calibration(NamedTuple):
    """All that was fitted to a table of projects."""

    panel: Panel
    fit: Fit
    intervals: Mapping[str, Interval]
    single: Fit | None
    """one lognormal; None where a project was paid nothing"""
    test: RatioTest | None
    shock: Shock | None
    claims: Claims | None
    sectors: OneWay | None
    left_out: int
    """projects that were paid nothing, which a logarithm has no place for"""
    funnel: Funnel | None


def calibrate(
    panel: Panel, metrics: Metrics | None = None, failure: tuple[float, float] = FAILURE,
    bad_year: int = BAD_YEAR, draws: int = 199, seed: int = 1,
) -> Calibration:  # fmt: skip
    """Fit the regime mixture, the common shock, sectors and, where there are metrics, the funnel.

    ``failure`` is the range of paid / plan of a project whose delivery failed; ``draws`` is how many panels
    the bootstrap draws. InputError where there are too few projects, or they do not differ.
    """
    ratio = np.array([one.ratio for one in panel.projects])
    try:
        data = data_of(ratio, failure)
        best = fit(data)
        none_paid = bool(np.any(ratio <= 0.0))
        return Calibration(
            panel, best, intervals(data, best), None if none_paid else single(data),
            None if none_paid else against_single(data, best, draws, seed), _shock(panel, failure, bad_year),
            _claims(panel), _sectors(panel), int(np.sum(ratio <= 0.0)),
            None if metrics is None else _funnel(metrics, seed),
        )  # fmt: skip
    except InputError as error:
        raise error.at(panel.file, None) from None


def _shock(panel: Panel, failure: tuple[float, float], year: int) -> Shock | None:
    """None where dates are missing, or all projects saw as much of the year."""
    exposure = [one.exposure(year) for one in panel.projects]
    known = [one for one in exposure if one is not None]
    if len(known) < len(exposure):
        return None
    earned = np.array([one.earned_ratio for one in panel.projects])
    data = data_of(earned, failure, np.array(known))
    if data.exposure is None:
        return None
    best = fit(data)
    return Shock(year, best, intervals(data, best), shock_test(data, best), float(np.mean(known)))


def _claims(panel: Panel) -> Claims | None:
    if all(one.claims is None for one in panel.projects):
        return None
    some = [one for one in panel.projects if one.claims]
    total = sum(one.claims or 0.0 for one in some)
    return Claims(len(some), total, total / sum(one.paid for one in some) if some else 0.0)


def _sectors(panel: Panel) -> OneWay | None:
    """Sector effects on ln(paid / plan); None for one sector, or where none has two projects that differ."""
    groups: dict[str, list[float]] = {}
    for one in panel.projects:
        if one.paid > 0.0:
            groups.setdefault(one.sector, []).append(math.log(one.ratio))
    return one_way(groups) if len(groups) > 1 and differ_within(groups) else None


def _funnel(metrics: Metrics, seed: int) -> Funnel:
    try:
        groups = by_project(metrics.rows)
        if len(groups) < 2 or max(map(len, groups.values())) < 2:
            raise InputError(
                "needs two projects with metrics beyond engagement, one of them with two", given=len(groups)
            )
        within, by_ml = (one_way(groups, reml)._replace(effects=()) for reml in (True, False))
        return Funnel(
            metrics, tuple(stages(metrics.rows)), within, by_ml, bootstrap_correlation(groups, seed=seed)
        )
    except InputError as error:
        raise error.at(metrics.file, None) from None


# --- the prior file -----------------------------------------------------------------------------------


class Made(Terms):
    """Where a prior file comes from."""

    table: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    projects: int
    metrics_table: str | None = None
    metrics_sha256: str | None = None
    on: date
    by: str
    method: str
    level: Share
    """of the intervals"""


class Estimate(Terms):
    """An estimate and its interval."""

    value: float
    low: float
    high: float


class SectorPrior(Terms):
    """A sector's paid / plan, shrunk."""

    projects: int
    weight: Share
    """of the sector's own mean"""
    geometric_mean: Annotated[float, Field(gt=0)]


class StagePrior(Terms):
    """Achieved / target at one stage of the funnel."""

    projects: int
    metrics: int
    mean: float
    sd: float
    sd_beyond_luck: float


class Priors(Terms):
    """A prior file. ``failure``, ``volume`` and ``loadings`` are written as programme files write them."""

    kind: Literal["priors"]
    illustrative: bool = False
    made: Made
    estimates: dict[str, Estimate]
    failure: DeliveryFailure
    spike: Lognormal
    """paid / plan where delivery does not fail"""
    volume: Lognormal | None = None
    """people engaged over target"""
    loadings: dict[str, Share] = Field(default_factory=dict)
    """``project``: √ of the intra-project correlation, for the probabilities of a programme's outcomes"""
    stages: dict[str, StagePrior] = Field(default_factory=dict)
    sectors: dict[str, SectorPrior] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _can_forecast(self) -> Priors:
        if not isinstance(self.failure.performance, Uniform):
            raise ValueError("failure.performance: must be a uniform distribution")
        ends = self.failure.performance
        if not 0.0 <= ends.low < ends.high:
            raise ValueError(
                f"failure.performance: from 0, low below high, given {ends.low:g}, {ends.high:g}"
            )
        if self.spike.sd <= 0.0:
            raise ValueError("spike.sd: must be above 0")
        return self

    @property
    def regimes(self) -> Regimes:
        """The distribution of paid / plan that these priors stand for."""
        ends = self.failure.performance
        assert isinstance(ends, Uniform)
        variance = math.log1p((self.spike.sd / self.spike.mean) ** 2)
        median = self.spike.mean * math.exp(-variance / 2.0)
        return Regimes(self.failure.probability, ends.low, ends.high, median, math.sqrt(variance))


def priors(found: Calibration, on: date, by: str) -> Priors:
    """The prior file of a calibration; ``by`` names the version that made it."""
    one, made_up = found.fit.regimes, found.panel.illustrative
    table = PurePath(found.panel.file).name
    said: dict[str, object] = (
        {"illustrative": True, "note": f"fitted to a made-up table, {table}"}
        if made_up
        else {
            "source": f"fitted to {found.fit.projects} projects of {table}, sha256 {found.panel.sha256[:16]}"
        }
    )
    funnel = found.funnel
    return Priors.model_validate({
        "kind": "priors",
        "illustrative": made_up,
        "made": {
            "table": table, "sha256": found.panel.sha256, "projects": found.fit.projects,
            "metrics_table": PurePath(funnel.metrics.file).name if funnel else None,
            "metrics_sha256": funnel.metrics.sha256 if funnel else None,
            "on": on, "by": by, "method": METHOD, "level": LEVEL,
        },
        "estimates": {name: _rounded(each._asdict()) for name, each in found.intervals.items()},
        "failure": {
            "probability": _six(one.probability),
            "performance": {"distribution": "uniform", "low": one.low, "high": one.high}, **said,
        },
        "spike": {
            "distribution": "lognormal", "mean": _six(one.spike_mean), "sd": _six(one.spike_sd), **said,
        },
        "volume": _volume(funnel, said) if funnel else None,
        "loadings": {"project": _six(math.sqrt(funnel.within.correlation))} if funnel else {},
        "stages": {
            each.stage: _rounded({k: v for k, v in each._asdict().items() if k != "stage"})
            for each in (funnel.stages if funnel else ()) if each.projects >= FEWEST_SHOWN
        },
        "sectors": {
            each.group: {
                "projects": each.n, "weight": _six(each.weight),
                "geometric_mean": _six(math.exp(each.shrunk)),
            }
            for each in (found.sectors.effects if found.sectors else ()) if each.n >= FEWEST_SHOWN
        },
    })  # fmt: skip


def _volume(funnel: Funnel, said: Mapping[str, object]) -> dict[str, object] | None:
    """People engaged over target, their own luck taken out; None without such a stage."""
    for one in funnel.stages:
        if one.stage == "engagement" and one.projects >= FEWEST_SHOWN and one.mean > 0.0:
            size = {"mean": _six(one.mean), "sd": _six(one.sd_beyond_luck), "plan": 1.0}
            return {"distribution": "lognormal", **size, **said}
    return None


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: value if isinstance(value, int) else _six(value) for name, value in values.items()}


def _six(value: float) -> float:
    """Six significant digits: more than any of these panels support."""
    return float(f"{value:.6g}")
