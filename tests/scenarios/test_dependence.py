"""Copula, shocks and failure against their closed forms."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import stats

from socialfinance.core.time import Calendar
from socialfinance.scenarios.common import Common
from socialfinance.scenarios.dependence import (
    CommonShock,
    DeliveryFailure,
    GaussianFactor,
    correlated,
    failure,
    shock_depth,
    shock_multipliers,
)
from socialfinance.scenarios.distributions import Normal, Uniform

PATHS = 60_000


def uniforms(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).uniform(2.0**-53, 1, shape)


def within(seen: float, share: float, paths: int = PATHS) -> bool:
    return abs(seen - share) < 4 * math.sqrt(share * (1 - share) / paths)


@pytest.mark.parametrize(
    ("first", "second", "rho"),
    [
        ({"economy": 0.6}, {"economy": 0.5}, 0.3),
        ({"economy": 0.6, "place": 0.4}, {"economy": -0.5, "place": 0.7}, -0.02),
        ({"economy": 0.9}, {"economy": -0.8}, -0.72),
        ({"economy": 0.6}, {"place": 0.6}, 0.0),
    ],
)
def test_copula_is_the_bivariate_normal(
    first: dict[str, float], second: dict[str, float], rho: float
) -> None:
    generator = np.random.default_rng(2)
    z = {"economy": generator.standard_normal(PATHS), "place": generator.standard_normal(PATHS)}
    u = correlated(uniforms(PATHS, seed=3), first, z)
    v = correlated(uniforms(PATHS, seed=4), second, z)
    normal = stats.multivariate_normal([0, 0], [[1, rho], [rho, 1]])
    for p, q in ((0.1, 0.1), (0.3, 0.5), (0.9, 0.8)):
        assert within((u < p).mean(), p)
        both = float(normal.cdf([stats.norm.ppf(p), stats.norm.ppf(q)]))
        assert within(((u < p) & (v < q)).mean(), both)


def test_a_positive_loading_follows_its_factor() -> None:
    u = correlated(np.array([0.5, 0.5]), {"economy": 0.6}, {"economy": np.array([1.0, -2.0])})
    np.testing.assert_allclose(u, stats.norm.cdf([0.6, -1.2]), rtol=1e-12)
    u = correlated(np.array([0.9]), {"economy": -0.6}, {"economy": np.array([1.0])})
    np.testing.assert_allclose(u, stats.norm.cdf(0.8 * stats.norm.ppf(0.9) - 0.6), rtol=1e-12)


def test_a_factor_broadcasts_over_rows_and_extremes_stay_inside() -> None:
    u = correlated(uniforms(5, 4), {"economy": 0.99}, {"economy": np.array([-40.0, 0.0, 1.0, 40.0])})
    assert u.shape == (5, 4)
    assert u.min() > 0
    assert u.max() < 1


def test_without_loadings_nothing_changes() -> None:
    u = uniforms(3, 4)
    assert correlated(u, {}, {}) is u


def shock(**terms: Any) -> CommonShock:
    return CommonShock(**({"annual_probability": 0.2, "duration": 3, "depth": 0.5} | terms))


def test_shocks_start_as_often_as_the_closed_form_says() -> None:
    one = shock()
    rows, q = 21, 1 - 0.8**0.25
    lost = shock_depth(one, uniforms(rows, PATHS), uniforms(PATHS, seed=5))
    assert one.quarterly_probability == pytest.approx(q)
    assert (lost[0] == 0).all()
    assert within((lost[1:5] == 0).all(axis=0).mean(), 0.8)
    # started[t] = q × P(none running before t); one that starts runs for three rows
    started = [0.0]
    for t in range(1, rows):
        started.append(q * (1 - sum(started[max(t - 2, 0) : t])))
    for t in (1, 2, 3, 10, 20):
        assert within((lost[t] > 0).mean(), sum(started[max(t - 2, 0) : t + 1]))


def test_a_shock_follows_its_profile_and_does_not_overlap() -> None:
    one = shock(profile=(1.0, 0.5, 0.25), depth=0.8)
    u_start = np.full((9, 1), 0.99)
    u_start[[0, 2, 3, 5, 6]] = 0.0
    lost = shock_depth(one, u_start, np.array([0.5]))
    assert lost[:, 0] == pytest.approx([0, 0, 0.8, 0.4, 0.2, 0.8, 0.4, 0.2, 0])


def test_the_window_bounds_starts_only() -> None:
    one = shock(first_row=2, last_row=4, depth=1.0)
    lost = shock_depth(one, np.zeros((9, 1)), np.array([0.5]))
    assert lost[:, 0].tolist() == [0, 0, 1, 1, 1, 0, 0, 0, 0]
    one = shock(first_row=2, last_row=2, depth=1.0)
    assert shock_depth(one, np.zeros((9, 1)), np.array([0.5]))[:, 0].tolist() == [0, 0, 1, 1, 1, 0, 0, 0, 0]


def test_depth_may_be_uncertain_and_stays_a_fraction() -> None:
    one = shock(depth=Uniform(low=-0.5, high=1.5), first_row=0)
    lost = shock_depth(one, np.zeros((3, 3)), np.array([0.1, 0.5, 0.9]))
    assert lost[0].tolist() == [0.0, 0.5, 1.0]


def test_what_a_shock_leaves() -> None:
    left = shock_multipliers(shock(referrals=1.0, outcomes=0.5), np.array([[0.0, 0.4]]))
    assert left.outcomes.tolist() == [[1.0, 0.8]]
    assert left.referrals.tolist() == [[1.0, 0.6]]


def test_no_chance_no_shock() -> None:
    assert not shock_depth(shock(annual_probability=0.0), uniforms(9, 50), uniforms(50)).any()


def test_failure() -> None:
    terms = DeliveryFailure(probability=0.1, performance=Uniform(low=0.2, high=0.4), referrals=0.5, onset=2)
    left = failure(terms, uniforms(PATHS), uniforms(PATHS, seed=6), rows=5)
    failed = left.referrals[4] < 1
    assert left.outcomes.shape == (5, PATHS)
    assert within(failed.mean(), 0.1)
    assert (left.outcomes[:2] == 1).all()
    assert (left.outcomes[2:, ~failed] == 1).all()
    assert (left.outcomes[2] == left.outcomes[4]).all()
    fallen = left.outcomes[2, failed]
    assert fallen.min() >= 0.2
    assert fallen.max() <= 0.4
    assert abs(fallen.mean() - 0.3) < 4 * 0.2 / math.sqrt(12 * len(fallen))


def test_failure_by_a_number() -> None:
    left = failure(
        DeliveryFailure(probability=1.0, performance=0.25), np.array([0.5]), np.array([0.5]), rows=2
    )
    assert left.outcomes.tolist() == [[0.25], [0.25]]
    assert left.referrals.tolist() == [[1.0], [1.0]]


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ({"profile": (1.0, 0.5)}, "one share a quarter"),
        ({"first_row": 5, "last_row": 4}, "before first_row"),
        ({"annual_probability": 1.0}, "less than 1"),
        ({"depth": {"driver": "x"}}, "write a number, or a mapping with `distribution`|Input tag 'driver'"),
        ({"duration": 0}, "greater than or equal to 1"),
    ],
)
def test_what_a_shock_refuses(terms: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        shock(**terms)


def test_an_index_that_is_drawn_once_follows_its_factor() -> None:
    """Growth is normal, so its correlation with the score is the loading."""
    growth = Normal(mean=0.03, sd=0.01, loadings={"economy": 0.6})
    factors = {"economy": GaussianFactor(), "place": GaussianFactor(by="place")}
    paths = np.arange(PATHS, dtype=np.uint64)
    calendar = Calendar(date(2026, 4, 1), 4)
    common = Common(1, calendar, factors, {"pay": growth, "prices": growth}, paths)
    score = common.scores({})["economy"]
    pay, prices = common.growth["pay"], common.growth["prices"]
    noise = 4 / math.sqrt(PATHS)
    assert np.corrcoef(pay, score)[0, 1] == pytest.approx(0.6, abs=noise)
    assert np.corrcoef(pay, prices)[0, 1] == pytest.approx(0.36, abs=noise)
    assert pay.mean() == pytest.approx(0.03, abs=0.01 * noise)
    assert pay.std() == pytest.approx(0.01, rel=noise)
    alone = Common(1, calendar, {}, {"pay": Normal(mean=0.03, sd=0.01)}, paths)
    assert np.corrcoef(alone.growth["pay"], score)[0, 1] == pytest.approx(0.0, abs=noise)


def test_a_score_by_a_tag_that_is_not_there_does_not_exist() -> None:
    factors = {"economy": GaussianFactor(), "place": GaussianFactor(by="place")}
    common = Common(1, Calendar(date(2026, 4, 1), 4), factors, {}, np.arange(8, dtype=np.uint64))
    assert set(common.scores({})) == {"economy"}
    assert set(common.scores({"place": "north"})) == {"economy", "place"}
    assert not np.array_equal(
        common.scores({"place": "north"})["place"], common.scores({"place": "s"})["place"]
    )


def test_a_factor_is_for_all_unless_said() -> None:
    assert GaussianFactor().by == "all"
    assert GaussianFactor(kind="gaussian", by="theme").by == "theme"
