"""Scores of forecasts: closed forms against integrals and sums, published values, and propriety."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import kstest

from socialfinance.evidence.mixture import Regimes
from socialfinance.evidence.scores import (
    ERRORS,
    binomial_interval,
    coverage,
    crps,
    histogram,
    points,
    powers,
    skill,
    uniform_test,
)

regimes = st.builds(
    lambda f, low, width, median, s: Regimes(f, low, low + width, median, s),
    st.floats(0.0, 1.0), st.floats(0.0, 0.4), st.floats(0.1, 0.6), st.floats(0.5, 1.5), st.floats(0.03, 0.6),
)  # fmt: skip


@given(regimes, st.floats(0.0, 2.5))
@settings(max_examples=60)
def test_the_closed_form_is_the_integral(one, y):
    """CRPS = ∫ (F(x) − 1[x ≥ y])² dx."""
    top = max(3.0, one.median * math.exp(9 * one.sd_log))
    breaks = sorted(
        {0.0, one.low, one.high, one.median, min(y, top), one.median * math.exp(3 * one.sd_log), top}
    )
    total = sum(
        quad(lambda x: (float(one.cdf(x)) - (x >= y)) ** 2, a, b, limit=200)[0] for a, b in pairwise(breaks)
    )
    assert crps(one, y) == pytest.approx(total, abs=2e-6)


@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0.01, 1)), min_size=1, max_size=12), st.floats(0, 3))
def test_points_against_the_plain_double_sum(rows, y):
    total = sum(w for _, w in rows)
    near = sum(w * abs(x - y) for x, w in rows) / total
    apart = sum(v * w * abs(x - z) for x, v in rows for z, w in rows) / total**2
    found = crps(points([x for x, _ in rows], np.array([w for _, w in rows])), y)
    assert found == pytest.approx(near - apart / 2, abs=1e-9)


def test_of_a_single_number_it_is_the_absolute_error():
    assert crps(points([1.0]), 0.78) == pytest.approx(0.22)


def test_many_quantiles_give_the_closed_form():
    one = Regimes(0.2, 0.1, 0.5, 0.95, 0.2)
    sample = points(one.quantile((np.arange(4000) + 0.5) / 4000))
    for y in (0.0, 0.3, 0.9, 1.7):
        assert crps(sample, y) == pytest.approx(crps(one, y), abs=1e-5)


@given(regimes, regimes)
@settings(max_examples=40)
def test_no_other_forecast_does_better_on_average_than_the_truth(true, other):
    """Propriety: the mean CRPS over the truth's quantiles is least for the truth."""
    y = true.quantile((np.arange(200) + 0.5) / 200)
    own = np.mean([crps(true, v) for v in y.tolist()])
    assert own <= np.mean([crps(other, v) for v in y.tolist()]) + 1e-3


def test_coverage_counts_the_central_band():
    pit = np.array([0.03, 0.1, 0.2, 0.5, 0.74, 0.76, 0.9, 0.99])
    assert [coverage(pit, band).held for band in (0.5, 0.8, 0.95)] == [2, 6, 7]
    assert histogram(pit) == (2, 1, 1, 2, 2)


def test_the_exact_binomial_interval():
    """0 of n has the upper end 1 − α^(1/n); and 10 of 13 inverts both tails of the binomial."""
    assert binomial_interval(0, 13) == (0.0, pytest.approx(1 - 0.05 ** (1 / 13)))
    assert binomial_interval(13, 13) == (pytest.approx(0.05 ** (1 / 13)), 1.0)
    low, high = binomial_interval(10, 13)

    def tail(p: float, counts: range) -> float:
        return sum(math.comb(13, k) * p**k * (1 - p) ** (13 - k) for k in counts)

    assert tail(low, range(10, 14)) == pytest.approx(0.05, abs=1e-9)
    assert tail(high, range(11)) == pytest.approx(0.05, abs=1e-9)


def test_the_kolmogorov_smirnov_table():
    """Critical values at 5%: n = 5 0.563, n = 10 0.409, n = 20 0.294; at them the exact p is 5%.

    Miller, Table of percentage points of Kolmogorov statistics, J. Am. Stat. Assoc. 51, 1956, 111-121.
    """
    for n, critical in ((5, 0.563), (10, 0.409), (20, 0.294)):
        high = np.linspace(1 / n, 1, n) - critical  # the largest distance is at every value
        statistic, p = uniform_test(np.clip(high, 0.0, 1.0))
        assert statistic == pytest.approx(critical, abs=1e-9)
        assert p == pytest.approx(0.05, abs=0.002)


def test_the_power_against_a_plain_simulation():
    """1,000 samples of 13 scores N(0, 2²): within four standard errors of both."""
    from scipy.special import ndtr

    generator = np.random.default_rng(9)
    found = {one.error: one for one in powers(13)}
    for error, (shift, scale) in list(ERRORS.items())[:1]:
        drawn = ndtr(shift + scale * generator.standard_normal((1000, 13)))
        share = np.mean([kstest(row, "uniform", method="exact").pvalue < 0.05 for row in drawn])
        spread = math.hypot(found[error].standard_error, math.sqrt(share * (1 - share) / 1000))
        assert abs(found[error].power - share) < 4 * spread


def test_more_projects_find_more():
    few, many = powers(13, draws=4000), powers(100, draws=4000)
    assert all(b.power > a.power for a, b in zip(few, many, strict=True))


def test_skill_and_its_interval():
    """Errors of half the benchmark's, project by project, are a skill of one half whatever is drawn."""
    benchmark = np.array([0.1, 0.2, 0.3, 0.05, 0.4])
    found = skill(benchmark / 2, benchmark)
    assert found is not None
    assert tuple(found) == pytest.approx((0.5, 0.5, 0.5))
    worse = skill(benchmark * 2, benchmark)
    assert worse is not None
    assert worse.value == pytest.approx(-1.0)
    assert skill(benchmark, np.zeros(5)) is None


def test_the_interval_of_skill_holds_its_value():
    generator = np.random.default_rng(2)
    own, benchmark = generator.random(13), generator.random(13)
    found = skill(own, benchmark)
    assert found is not None
    assert found.low < found.value < found.high
