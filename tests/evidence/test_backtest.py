"""Forecasts held against what was paid: out of sample, right where they should be, found out where not."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from socialfinance.core.errors import InputError
from socialfinance.evidence.backtest import (
    FITTED,
    GIVEN,
    JUDGED,
    PLAN,
    REST_OF_PLAN,
    SECTOR_MEAN,
    SECTOR_SPREAD,
    WEAK,
    WEAK_WIDE,
    Backtest,
    Scored,
    backtest,
    updated,
)
from socialfinance.evidence.mixture import Regimes, data_of, fit
from socialfinance.evidence.panel import Panel, Project, read_panel
from socialfinance.evidence.scores import crps, points
from socialfinance.io.shipped import library
from socialfinance.reports.backtest import backtest_page
from socialfinance.reports.calibrate import calibration_page

TRUE = Regimes(0.1, 0.0, 0.5, 0.96, 0.13)
SHARES = (0.15, 0.45, 0.8, 1.0)


def panel_of(projects: list[Project]) -> Panel:
    return Panel(tuple(projects), "made up", "0" * 64, (), True)


def panel(n: int, seed: int, true: Regimes = TRUE, noise: float | None = None) -> Panel:
    """Projects of one sector; with ``noise``, cumulative payments by year that lead to the total."""
    generator = np.random.default_rng(seed)
    found = []
    for i, ratio in enumerate(true.draw(n, generator).tolist()):
        years: dict[str, tuple[float, ...]] = {}
        if noise is not None:
            to_date = [
                share * min(ratio * math.exp(noise * generator.standard_normal()), ratio / share)
                for share in SHARES
            ]
            paid = np.maximum.accumulate([*to_date[:3], ratio])
            years = {"plan_by_year": SHARES, "paid_by_year": tuple(np.minimum(paid, ratio).tolist())}
        found.append(Project(f"p{i}", "employment", 1.0, ratio, **years))
    return panel_of(found)


@pytest.fixture(scope="module")
def large() -> Backtest:
    return backtest(panel(100, 1), given=TRUE)


@pytest.fixture(scope="module")
def yearly() -> Backtest:
    return backtest(panel(60, 2, noise=0.08))


def by_name(found: Backtest, name: str) -> Scored:
    return next(one for one in found.scored if one.forecast == name)


# --- out of sample -----------------------------------------------------------------------------------


def test_a_project_is_forecast_by_the_others():
    """PIT and CRPS of the first are those of the mixture fitted without it."""
    projects = panel(20, 3).projects
    others = fit(data_of(np.array([one.ratio for one in projects[1:]]))).regimes
    one = by_name(backtest(panel_of(list(projects))), FITTED)
    assert one.pit[0] == pytest.approx(float(others.cdf(projects[0].ratio)), abs=1e-9)
    assert one.crps[0] == pytest.approx(crps(others, projects[0].ratio), abs=1e-9)


def test_the_benchmarks_know_only_the_others():
    projects = [
        Project(name, sector, 100.0, paid)
        for name, sector, paid in [
            ("a", "x", 60.0), ("b", "x", 80.0), ("c", "x", 100.0), ("d", "y", 90.0), ("e", "y", 70.0),
            ("f", "y", 110.0), ("g", "z", 95.0),
        ]
    ]  # fmt: skip
    found = backtest(panel_of(projects))
    ratio = np.array([one.ratio for one in projects])
    peers = [[0.8, 1.0], [0.6, 1.0], [0.6, 0.8], [0.7, 1.1], [0.9, 1.1], [0.9, 0.7], ratio[:6].tolist()]
    pairs = list(zip(peers, ratio.tolist(), strict=True))
    assert found.benchmarks[PLAN] == pytest.approx(np.abs(ratio - 1).mean())
    assert found.benchmarks[SECTOR_MEAN] == pytest.approx(np.mean([abs(np.mean(p) - y) for p, y in pairs]))
    assert found.benchmarks[SECTOR_SPREAD] == pytest.approx(np.mean([crps(points(p), y) for p, y in pairs]))


def test_the_order_of_projects_changes_nothing():
    projects = list(panel(15, 4).projects)
    one, two = backtest(panel_of(projects)), backtest(panel_of(projects[::-1]))
    for a, b in zip(one.scored, two.scored, strict=True):
        assert a.pit == pytest.approx(b.pit[::-1], abs=1e-5)
        assert a.mean_crps == pytest.approx(b.mean_crps, abs=1e-6)


def test_the_weak_prior_is_wide_in_two_sectors():
    names = ["Child and family welfare", "Health", "Employment and training"] * 3
    projects = [Project(str(i), name, 100.0, 70.0 + 4 * i) for i, name in enumerate(names)]
    found = by_name(backtest(panel_of(projects)), JUDGED)
    expected = [float((WEAK if "Emp" in one.sector else WEAK_WIDE).cdf(one.ratio)) for one in projects]
    assert found.pit == pytest.approx(expected)


# --- calibrated or not ---------------------------------------------------------------------------------


def test_the_truth_is_calibrated_and_so_nearly_is_what_is_fitted(large):
    """100 projects: coverage within four binomial standard errors, and no test at 0.1%."""
    for name in (GIVEN, FITTED):
        one = by_name(large, name)
        for each in one.covered:
            assert abs(each.share - each.band) < 4 * math.sqrt(each.band * (1 - each.band) / 100), (
                name,
                each,
            )
        assert one.p > 0.001
        assert sum(one.histogram) == 100


def test_what_is_fitted_beats_the_plan_and_is_close_to_the_truth(large):
    fitted, true = by_name(large, FITTED), by_name(large, GIVEN)
    against_plan = fitted.skills[PLAN]
    assert against_plan is not None
    assert against_plan.low > 0.0
    assert fitted.mean_crps == pytest.approx(true.mean_crps, rel=0.03)
    assert fitted.mean_crps < min(large.benchmarks.values())


def test_a_forecast_that_is_too_sure_is_found_out():
    """The forecast's spike is a third as wide as it should be."""
    found = by_name(backtest(panel(60, 5), given=TRUE._replace(sd_log=0.04)), GIVEN)
    assert found.p < 0.001
    assert found.covered[1].high < 0.8


def test_a_forecast_that_is_off_is_found_out():
    found = by_name(backtest(panel(60, 5), given=TRUE._replace(median=1.15)), GIVEN)
    assert found.p < 0.001
    assert found.histogram[0] > 24


# --- as results arrive ---------------------------------------------------------------------------------


def test_the_update_is_the_conjugate_one():
    """ln R ~ N(ln m, s²), ln q = ln R + b + N(0, v²): precisions 1 / s² and 1 / v² add up."""
    start, b, v, q = Regimes(0.0, 0.0, 0.5, 0.9, 0.2), -0.05, 0.1, 0.7
    found = updated(start, 0.0, q, b, v)
    logs = np.log(found.values)
    precision = 1 / 0.2**2 + 1 / v**2
    mean = (math.log(0.9) / 0.2**2 + (math.log(q) - b) / v**2) / precision
    centre = float(np.sum(found.weights * logs))
    assert centre == pytest.approx(mean, abs=1e-3)
    spread = float(np.sum(found.weights * (logs - centre) ** 2))
    assert spread == pytest.approx(1 / precision, rel=0.01)


def test_little_paid_makes_failure_likely():
    """Odds by Bayes: q = 0.3 of plan leaves next to no chance of the spike, q = 0.95 none of failure."""
    found = updated(TRUE, 0.05, 0.3, 0.0, 0.1)
    assert found.cdf(0.55) > 0.999
    assert updated(TRUE, 0.05, 0.95, 0.0, 0.1).cdf(0.55) < 0.01


def test_what_was_paid_is_not_taken_back():
    found = updated(TRUE, 0.9, 1.2, 0.0, 0.3)
    assert found.values[0] >= 0.9
    assert updated(TRUE, 40.0, 1.2, 0.0, 0.3).values.tolist() == [40.0]


def test_nothing_paid_yet_says_nothing():
    found = updated(TRUE, 0.0, 0.0, 0.0, 0.1)
    assert np.ptp(found.weights) == 0.0
    assert found.quantile(0.5) == pytest.approx(float(TRUE.quantile(0.5)), abs=2e-3)


def test_forecasts_get_sharper_and_better_year_by_year(yearly):
    assert list(yearly.years) == [1, 2, 3]  # after year 4 no plan is left
    assert [len(one.pit) for one in yearly.years.values()] == [60, 60, 60]
    start = by_name(yearly, FITTED)
    for year, one in yearly.years.items():
        assert one.mean_crps < 0.8 * start.mean_crps, year
        assert one.width_80 < start.width_80
        assert yearly.year_benchmarks[year][1] == pytest.approx(start.mean_crps)
        assert one.skills[REST_OF_PLAN] is not None


def test_rest_of_plan_is_what_it_says(yearly):
    projects = yearly.panel.projects
    off = [abs(one.paid_by_year[0] + 1.0 - SHARES[0] - one.ratio) for one in projects]
    assert yearly.year_benchmarks[1][0] == pytest.approx(np.mean(off))


def test_few_projects_with_years_are_not_updated():
    few = [one._replace(paid_by_year=(), plan_by_year=()) for one in panel(12, 6, noise=0.1).projects]
    some = [*panel(4, 7, noise=0.1).projects, *few]
    projects = [one._replace(name=str(i)) for i, one in enumerate(some)]
    assert backtest(panel_of(projects)).years == {}


# --- the page -------------------------------------------------------------------------------------------


def test_seven_projects_are_the_fewest():
    projects = list(panel(40, 8, TRUE._replace(probability=0.0)).projects)
    with pytest.raises(InputError, match="too few projects for each to be left out"):
        backtest(panel_of(projects[:6]))
    assert "next to nothing" in backtest_page(backtest(panel_of(projects[:7])))


def test_a_page_names_no_project():
    from socialfinance.evidence.calibrate import calibrate

    read = read_panel(library() / "portfolios" / "panels" / "made-up-panel.csv")
    pages = backtest_page(backtest(read)) + calibration_page(calibrate(read, draws=5))
    assert not [one.name for one in read.projects if one.name in pages]


def test_sectors_of_one_or_two_projects_keep_their_figures():
    """Their figures would give single projects away: a dash on the page, nothing in the prior file."""
    from datetime import date

    from socialfinance.evidence.calibrate import calibrate, priors

    projects = [
        one._replace(sector="lonely" if i < 2 else "many") for i, one in enumerate(panel(20, 9).projects)
    ]
    found = calibrate(panel_of(projects), draws=5)
    row = next(line for line in calibration_page(found).splitlines() if line.startswith("lonely"))
    assert row.split()[1] == "2"
    assert row.split()[2] == row.split()[4] == "-"
    assert set(priors(found, date(2026, 1, 1), "a test").sectors) == {"many"}


def test_the_documents_say_what_thirteen_projects_cannot_show():
    """The figures of docs/validation.md that hang on the number of projects alone."""
    from socialfinance.evidence.scores import binomial_interval, powers

    text = " ".join((Path(__file__).parents[2] / "docs" / "validation.md").read_text("utf-8").split())
    low, high = binomial_interval(10, 13)
    assert f"true coverage may be anything from {low:.0%} to {high:.0%}" in text
    for one in powers(13):
        assert f"{one.error} {one.power:.0%}" in text
