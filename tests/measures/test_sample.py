"""Weighted points in sets against equal paths, closed forms, and how often an interval covers."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm, t

from socialfinance.measures.figure import ByPath
from socialfinance.measures.sample import EQUAL, InSets

RNG = np.random.default_rng(5)
VALUES = RNG.normal(100.0, 20.0, 9_600)
MEMBER = np.repeat(np.arange(24), 400)
LEVELS = (0.05, 0.5, 0.95, 0.99)


def test_equal_weights_are_equal_paths() -> None:
    """The same values; errors over sets within the noise of 24 sets (a fifth, at 4 standard errors 60%)."""
    sets = InSets(np.ones(9_600), MEMBER, 24)
    for found, plain in (
        (sets.mean(VALUES), EQUAL.mean(VALUES)),
        (sets.share(VALUES > 130.0), EQUAL.share(VALUES > 130.0)),
        *zip(sets.quantiles(VALUES, LEVELS), EQUAL.quantiles(VALUES, LEVELS), strict=True),
        (ByPath(VALUES, sets).shortfall(0.99), ByPath(VALUES).shortfall(0.99)),
    ):
        assert found[0] == pytest.approx(plain[0], rel=1e-12)
        assert found[1] == pytest.approx(plain[1], rel=0.6)
    assert sets.sd(VALUES) == pytest.approx(VALUES.std(), rel=1e-12)
    assert np.array_equal(sets.worst(VALUES, 0.03), EQUAL.worst(VALUES, 0.03))


def test_a_weight_of_two_is_the_same_path_twice() -> None:
    values, weights = np.array([5.0, 1.0, 3.0, 4.0]), np.array([1.0, 2.0, 1.0, 1.0])
    twice = InSets(weights, np.array([0, 0, 1, 1]), 2)
    each = np.array([1.0, 1.0, 3.0, 4.0, 5.0])
    assert twice.mean(values)[0] == pytest.approx(each.mean())
    assert twice.sd(values) == pytest.approx(each.std())
    assert [q for q, _ in twice.quantiles(values, (0.4, 0.41, 0.8, 1.0))] == [1.0, 3.0, 4.0, 5.0]
    assert twice.worst(values, 0.4).tolist() == [1]
    assert twice.worst(values, 0.5).tolist() == [1, 2]
    assert twice.on(values > 1.0).mean(values[values > 1.0])[0] == pytest.approx(4.0)


def test_the_error_of_a_mean_by_hand() -> None:
    """Two sets of sums 3 and 5 of weight 2 each: mean 2, each set off by 1/4 of 4 x (-1, 1) / 2."""
    sets = InSets(np.ones(4), np.array([0, 0, 1, 1]), 2)
    mean, error = sets.mean(np.array([1.0, 2.0, 2.0, 3.0]))
    assert mean == 2.0
    few = t.ppf(0.975, 1) / norm.ppf(0.975)
    assert error == pytest.approx(few * np.std([1.5, 2.5], ddof=1) / np.sqrt(2.0))


def test_flows_by_unit_agree_with_the_mean_by_path() -> None:
    weights = RNG.uniform(0.0, 2.0, 9_600)
    sets = InSets(weights, MEMBER, 24)
    sums = (weights * VALUES).reshape(48, 200).sum(axis=1)[:, None]
    mean, error = sets.mean_of_units(sums, sums, 9_600)
    assert (mean[0], error[0]) == pytest.approx(sets.mean(VALUES), rel=1e-12)
    assert sets.sets(sums).shape == (24, 1)


def test_expected_shortfall_of_a_normal() -> None:
    """100 + 20 phi(z) / 0.01 with z the 99% quantile: within 4 standard errors."""
    values = np.random.default_rng(8).normal(100.0, 20.0, 400_000)
    found, error = ByPath(values).shortfall(0.99)
    exact = 100.0 + 20.0 * norm.pdf(norm.ppf(0.99)) / 0.01
    assert error is not None
    assert abs(found - exact) < 4.0 * error
    again = [ByPath(part).shortfall(0.99)[0] for part in values.reshape(100, -1)]
    assert error == pytest.approx(np.std(again, ddof=1) / 10.0, rel=0.35)


@pytest.mark.parametrize("weights", [RNG.uniform(0.0, 2.0, 9_600), np.ones(9_600), np.full(9_600, 0.3)])
def test_errors_of_quantiles_are_those_worked_out_one_by_one(weights: NDArray[np.float64]) -> None:
    """Levels in no order, two of them alike, many values equal: as by ``share`` and a search."""
    values = np.round(np.maximum(VALUES, 90.0))
    sets, levels = InSets(weights, MEMBER, 24), (0.95, 0.05, 0.5, 0.95, 1.0, 0.99)
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order]) / weights.sum()

    def at(level: float) -> float:
        return float(values[order][min(np.searchsorted(reached, level - 1e-9), 9_599)])

    for level, (value, error) in zip(levels, sets.quantiles(values, levels), strict=True):
        _, of_f = sets.share(values <= at(level))
        wide = norm.ppf(0.975)
        assert value == at(level)
        assert error == pytest.approx(
            (at(level + wide * of_f) - at(level - wide * of_f)) / (2 * wide), abs=1e-9
        )
    smooth = [error for _, error in sets.quantiles(VALUES, LEVELS)]
    assert min(smooth) > 0.0  # type: ignore[type-var]
