"""The regime mixture: closed forms, an independent fit, and known parameters found again."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime, brentq
from scipy.special import chdtri
from scipy.stats import t as student

from socialfinance.core.errors import InputError
from socialfinance.evidence.mixture import (
    PARAMETERS,
    Data,
    Regimes,
    _loss,
    against_single,
    data_of,
    drop,
    fit,
    intervals,
    profile,
    shock_test,
    single,
)

TRUE = Regimes(0.1, 0.0, 0.5, 0.96, 0.13)
WANTED = (TRUE.probability, TRUE.median, TRUE.sd_log)


def panel(n: int, seed: int, true: Regimes = TRUE) -> Data:
    return data_of(true.draw(n, np.random.default_rng(seed)), (true.low, true.high))


# --- the distribution ------------------------------------------------------------------------------

regimes = st.builds(
    lambda f, low, width, median, s: Regimes(f, low, low + width, median, s),
    st.floats(0.0, 1.0), st.floats(0.0, 0.4), st.floats(0.1, 0.6), st.floats(0.5, 1.5), st.floats(0.03, 0.6),
)  # fmt: skip


@given(regimes, st.floats(0.001, 0.999))
def test_a_quantile_has_its_share_below_it(one, u):
    assert float(one.cdf(one.quantile(u))) == pytest.approx(u, abs=1e-6)


def test_moments_of_what_is_drawn():
    """100,000 draws: the mean within four standard errors, and the share that failed."""
    drawn = TRUE.draw(100_000, np.random.default_rng(1))
    assert abs(drawn.mean() - TRUE.mean) < 4 * drawn.std() / math.sqrt(100_000)
    below = float(TRUE.cdf(0.5))
    assert abs(np.mean(drawn <= 0.5) - below) < 4 * math.sqrt(below * (1 - below) / 100_000)
    spike = Regimes(0.0, 0.0, 0.5, 0.96, 0.13)
    assert spike.mean == spike.spike_mean == pytest.approx(0.96 * math.exp(0.13**2 / 2))
    assert spike.spike_sd == pytest.approx(spike.spike_mean * math.sqrt(math.exp(0.13**2) - 1))


# --- the fit -----------------------------------------------------------------------------------------


@given(st.floats(0.02, 0.9), st.floats(-0.5, 0.5), st.floats(0.05, 0.8), st.floats(-1, 1))
@settings(max_examples=30)
def test_the_gradient_is_the_slope(f, log_median, s, shock):
    ratio = np.array([0.0, 0.2, 0.45, 0.7, 0.9, 1.0, 1.1])
    data = Data(ratio, np.linspace(0.0, 0.3, 7), 0.0, 0.5)
    x = np.array([f, log_median, s, shock])
    value, gradient = _loss(x, data)
    slope = approx_fprime(x, lambda at: _loss(at, data)[0], 1e-7)
    assert gradient == pytest.approx(slope, rel=1e-3, abs=1e-3 * max(1.0, abs(value)))


def test_without_failures_it_is_the_lognormal_in_closed_form():
    """All above the failure range and close: f = 0, m the geometric mean, s the sd of logs with divisor n."""
    ratio = np.array([0.85, 0.9, 0.93, 0.97, 1.0, 1.02, 1.1, 1.2])
    found = fit(data_of(ratio))
    assert found.regimes.probability == pytest.approx(0.0, abs=1e-9)
    assert found.regimes.median == pytest.approx(np.exp(np.log(ratio).mean()), rel=1e-6)
    assert found.regimes.sd_log == pytest.approx(np.log(ratio).std(), rel=1e-5)


def test_its_interval_is_then_students():
    """ln m ± t s' / √n, s' with divisor n − 1."""
    ratio = np.array([0.85, 0.9, 0.93, 0.97, 1.0, 1.02, 1.1, 1.2])
    data = data_of(ratio)
    found = profile(data, fit(data), 1)
    logs = np.log(ratio)
    reach = student.ppf(0.95, 7) * logs.std(ddof=1) / math.sqrt(8)
    assert found.low == pytest.approx(math.exp(logs.mean() - reach), rel=1e-4)
    assert found.high == pytest.approx(math.exp(logs.mean() + reach), rel=1e-4)


def test_many_projects_drop_by_chi_squared():
    assert drop(10**6) == pytest.approx(chdtri(1, 0.1), rel=1e-4)
    assert drop(13) > drop(26) > drop(260)


def test_regimes_far_apart_are_counted():
    """A tight spike at 1 and failures below 0.5: f = k / n, its interval that of the binomial likelihood."""
    ratio = np.array([0.1, 0.22, 0.4, *np.exp(np.linspace(-0.05, 0.05, 23))])
    data = data_of(ratio)
    best = fit(data)
    assert best.regimes.probability == pytest.approx(3 / 26, abs=1e-5)
    found = profile(data, best, 0)

    def fall(f: float) -> float:
        of = lambda p: 3 * math.log(p) + 23 * math.log(1 - p)  # noqa: E731
        return 2 * (of(3 / 26) - of(f)) - drop(26)

    assert found.low == pytest.approx(brentq(fall, 1e-6, 3 / 26), abs=1e-4)
    assert found.high == pytest.approx(brentq(fall, 3 / 26, 0.9), abs=1e-4)


def by_expectation_maximisation(ratio: np.ndarray, low: float, high: float) -> tuple[float, float, float]:
    """The same maximum by the other classical way, in plain Python."""
    logs, n = [math.log(r) for r in ratio], len(ratio)
    f, mu, s = 0.2, 0.0, 0.2
    for _ in range(4000):
        share = []
        for r, y in zip(ratio, logs, strict=True):
            failed = f / (high - low) if low <= r <= high else 0.0
            spike = (1 - f) * math.exp(-(((y - mu) / s) ** 2) / 2) / (math.sqrt(2 * math.pi) * s * r)
            share.append(spike / (failed + spike))
        total = sum(share)
        mu = sum(w * y for w, y in zip(share, logs, strict=True)) / total
        s = math.sqrt(sum(w * (y - mu) ** 2 for w, y in zip(share, logs, strict=True)) / total)
        f = 1 - total / n
    return f, math.exp(mu), s


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_against_expectation_maximisation(seed):
    true = Regimes(0.25, 0.0, 0.8, 0.9, 0.2)  # regimes that overlap
    data = panel(40, seed, true)
    found = fit(data).regimes
    expected = by_expectation_maximisation(data.ratio, 0.0, 0.8)
    assert (found.probability, found.median, found.sd_log) == pytest.approx(expected, rel=1e-3, abs=1e-4)


@given(st.integers(0, 10_000))
@settings(max_examples=8)
def test_no_starting_point_does_better(seed):
    """Property: the likelihood at the truth is never above the maximum; an interval holds its estimate."""
    data = panel(26, seed)
    best = fit(data)
    x = np.array([TRUE.probability, math.log(TRUE.median), TRUE.sd_log])
    assert -_loss(x, data)[0] <= best.log_likelihood + 1e-8
    for one in intervals(data, best).values():
        assert one.low <= one.value <= one.high


def test_projects_that_were_paid_nothing_count_as_failed():
    ratio = np.array([0.0, 0.0, 0.9, 0.95, 1.0, 1.05, 1.1])
    assert fit(data_of(ratio)).regimes.probability == pytest.approx(2 / 7, abs=1e-4)
    with pytest.raises(InputError, match="has no place for projects that were paid nothing"):
        single(data_of(ratio))


BAD = {
    "too few": (np.ones(5), (0.0, 0.5), "too few projects"),
    "all alike": (np.ones(8), (0.0, 0.5), "too few different ratios above"),
    "all failed": (np.linspace(0.1, 0.4, 8), (0.0, 0.5), "too few different ratios above"),
    "a range upside down": (np.linspace(0.6, 1, 8), (0.5, 0.2), "is no range"),
    "a range without end": (np.linspace(0.6, 1, 8), (0.0, math.inf), "is no range"),
    "nothing paid outside the range": (np.array([0.0, 0.7, 0.8, 0.9, 1, 1.1]), (0.2, 0.5), "range from 0"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_fitted_is_refused(name):
    ratio, failure, words = BAD[name]
    with pytest.raises(InputError, match=words):
        data_of(ratio, failure)


# --- against one lognormal ---------------------------------------------------------------------------


def test_two_regimes_are_told_from_one():
    data = panel(60, 4)
    found = against_single(data, fit(data), draws=39)
    assert found.p_bootstrap == 1 / 40  # none of those drawn gained as much
    assert found.p_asymptotic < 1e-4


def test_one_wide_lognormal_is_not_called_two_regimes():
    data = panel(26, 5, Regimes(0.0, 0.0, 0.5, 0.8, 0.4))
    found = against_single(data, fit(data), draws=39)
    assert found.p_bootstrap is not None
    assert found.p_bootstrap > 0.1


# --- the common shock ----------------------------------------------------------------------------------


def shocked(n: int, seed: int, cost: float) -> Data:
    generator = np.random.default_rng(seed)
    exposure = generator.uniform(0.0, 0.5, n)
    ratio = TRUE.draw(n, generator)
    return data_of(np.where(ratio > 0.5, ratio * np.exp(-cost * exposure), ratio), exposure=exposure)


@pytest.mark.slow
def test_what_a_bad_year_costs_is_found_again():
    """16 panels of 60 projects: the mean estimate within four standard errors of 0.6; intervals hold it."""
    found, held = [], 0
    for seed in range(16):
        data = shocked(60, seed, 0.6)
        best = fit(data)
        found.append(best.shock)
        one = profile(data, best, 3)
        held += one.low <= 0.6 <= one.high
    assert abs(np.mean(found) - 0.6) < 4 * np.std(found) / 4
    assert abs(held / 16 - 0.9) < 4 * math.sqrt(0.09 / 16)


def test_no_cost_is_not_found_and_a_heavy_one_is():
    light, heavy = shocked(60, 1, 0.0), shocked(60, 1, 1.0)
    assert shock_test(light, fit(light)).p_asymptotic > 0.05
    assert shock_test(heavy, fit(heavy)).p_asymptotic < 1e-4


def test_one_exposure_for_all_is_none():
    ratio = np.linspace(0.6, 1.1, 8)
    assert data_of(ratio, exposure=np.full(8, 0.3)).exposure is None


# --- known parameters found again --------------------------------------------------------------------


def coverage_of(n: int, panels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Share of intervals that hold the truth, mean width, and mean estimate, by parameter."""
    held, width, value = np.zeros(3), np.zeros(3), np.zeros(3)
    for seed in range(panels):
        data = panel(n, 1000 + seed)
        found = intervals(data, fit(data))
        for i, (name, true) in enumerate(zip(PARAMETERS, WANTED, strict=False)):
            held[i] += found[name].low <= true <= found[name].high
            width[i] += found[name].width
            value[i] += found[name].value
    return held / panels, width / panels, value / panels


def test_26_projects_find_the_parameters_with_the_width_they_say():
    """8 panels: coverage of 90% intervals ± 4 × √(0.9 × 0.1 / 8) = 0.42. f is known to about ± 0.1 only."""
    held, width, value = coverage_of(26, 8)
    assert np.all(np.abs(held - 0.9) <= 0.42), held
    assert 0.15 < width[0] < 0.25
    assert value == pytest.approx(WANTED, abs=0.08)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "widest"), [(26, 0.25), (260, 0.075)])
def test_coverage_of_the_intervals(n, widest):
    """200 panels: coverage of 90% intervals ± 4 × √(0.9 × 0.1 / 200) = 0.085."""
    held, width, value = coverage_of(n, 200)
    print(n, held, width, value)
    assert np.all(np.abs(held - 0.9) <= 0.085), held
    assert width[0] < widest
    assert value == pytest.approx(WANTED, abs=0.02)
