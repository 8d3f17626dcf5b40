"""Figures of a fund, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from socialfinance.engine.fund_rows import ratio_of_means, relative_gain
from socialfinance.measures.fund import (
    at_year_ends,
    held_against,
    index_levels,
    note_figures,
    tail_contributions,
)
from socialfinance.measures.sample import EQUAL


def test_an_index_grows_by_its_year() -> None:
    """10% in the first year and 21% from then on: a level of 1.1 at row 4, of 1.1 x 1.1 at row 6."""
    level = index_levels((0.1, 0.21), 13)
    assert level[4] == pytest.approx(1.1)
    assert level[6] == pytest.approx(1.1 * 1.1)
    assert level[12] == pytest.approx(1.1 * 1.21 * 1.21)


def test_a_public_market_equivalent_by_hand() -> None:
    """100 in at row 0, 121 back at row 8; in an index of 10% a year 121 / (100 x 1.21) = 1; of 5%, 1.0975."""
    paid, back = np.zeros((9, 2)), np.zeros((9, 2))
    paid[0], back[8] = (100.0, 0.0), (121.0, 0.0)
    assert held_against(paid, back, (0.1,))[0] == pytest.approx(1.0)
    assert held_against(paid, back, (0.05,))[0] == pytest.approx(121.0 / 110.25)
    assert np.isnan(held_against(paid, back, (0.05,))[1])


def test_deals_parts_of_the_tail_sum_to_it() -> None:
    """Of ten futures the worst fifth are two: losses of 30 and 20, then of 10 and 20; 40 on average."""
    gains = np.full((2, 10), 5.0)
    gains[:, 3], gains[:, 7] = (-30.0, -20.0), (-10.0, -20.0)
    means, _, total = tail_contributions(gains, 0.2)
    assert means == pytest.approx([20.0, 20.0])
    assert total == pytest.approx(40.0)


def test_the_tail_has_at_least_one_future() -> None:
    means, errors, total = tail_contributions(np.array([[1.0, -2.0, 3.0]]), 0.01)
    assert (means[0], errors[0], total) == (2.0, 0.0, 2.0)


def test_balances_at_year_ends_are_those_of_the_last_row() -> None:
    rows = np.arange(6.0)[:, None]
    assert at_year_ends(rows, (0, 0, 0, 1, 1, 2))[:, 0].tolist() == [2.0, 4.0, 5.0]


def test_a_note_that_is_never_drawn_has_no_loss_rate() -> None:
    rate = note_figures(np.array([100.0, 0.0]), np.array([25.0, 0.0]))["loss_rate"][1]
    assert rate[0] == 0.25
    assert np.isnan(rate[1])


def test_a_ratio_of_means_and_its_error() -> None:
    """(1 + 3) / (10 + 10) = 0.2; 1 - 2 and 3 - 2 over 10 are -0.1 and 0.1: sd 0.1414 / sqrt 2 = 0.1."""
    assert ratio_of_means(EQUAL, np.array([1.0, 3.0]), np.array([10.0, 10.0])) == pytest.approx((0.2, 0.1))
    assert ratio_of_means(EQUAL, np.ones(2), np.zeros(2)) == (None, None)


def test_a_gain_is_paired() -> None:
    """Twice the value at the same cost on every future: a gain of 100%, without error."""
    value, cost = np.array([1.0, 2.0, 4.0]), np.array([3.0, 3.0, 5.0])
    gain, error = relative_gain(EQUAL, 2.0 * value, cost, value, cost)
    assert gain == pytest.approx(1.0)
    assert error == pytest.approx(0.0, abs=1e-15)


def test_the_error_of_a_gain_is_that_of_a_bootstrap() -> None:
    """Delta method against 400 resamples of 2,000 futures, seed 1: within a tenth."""
    draw = np.random.default_rng(1)
    cost = 10.0 + draw.normal(size=2000)
    value = cost * (1.0 + 0.2 * draw.normal(size=2000))
    cost2, value2 = cost * 0.9, value * (0.95 + 0.05 * draw.normal(size=2000))
    gain, error = relative_gain(EQUAL, value2, cost2, value, cost)
    assert gain is not None
    assert error is not None
    again = []
    for _ in range(400):
        some = draw.integers(0, 2000, 2000)
        again.append(relative_gain(EQUAL, value2[some], cost2[some], value[some], cost[some])[0])
    assert np.std(again) == pytest.approx(error, rel=0.1)
