"""What pictures draw: curves agree with the measures they stand beside, to the last digit or to rounding."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import socialfinance as sf
from socialfinance.measures.sample import EQUAL
from tests.fixtures import one_deal
from tests.pages.made import SEED, of

HELD = ("in house, own costs", "in house, same costs", "pwlb, own costs", "pwlb, same costs")


@pytest.fixture(scope="module")
def small() -> sf.Result:
    return sf.simulate(one_deal({"outcome": 2_000.0}), paths=512, seed=SEED)


def test_quantiles_are_those_of_the_measures():
    result = of("community-fund")
    known = {(*row[:6], row.statistic): row.value for row in result.measures_rows}
    names = {0.05: "p5", 0.5: "p50", 0.95: "p95", 0.99: "p99", 0.0: "min", 1.0: "max"}
    compared = 0
    for point in result.curve_rows:
        if point.along == "level" and point.at in names and (*point[:6], names[point.at]) in known:
            assert point.value == known[(*point[:6], names[point.at])], point
            compared += 1
    assert compared > 100


def test_net_cost_by_year_in_house_sums_to_that_of_life(small):
    """Two ways to the same mean: flows summed by year over paths, and figures of the life by path."""
    for name in HELD:
        by_year = [point.value for point in small.curve_rows if point.role == name and point.along == "year"]
        life = small.figure("net_cost", deal="deal", who=name).value

        assert by_year
        assert sum(by_year) == pytest.approx(life, rel=1e-12)


def test_net_cost_in_house_over_two_deals_is_the_sum_over_both():
    portfolio = one_deal({"outcome": 2_000.0})
    deal = portfolio.deals["deal"]
    both = portfolio.model_copy(update={"deals": {"deal": deal, "later": deal}})
    result = sf.simulate(both, paths=256, seed=SEED)
    for name in HELD:
        by_year = [p.value for p in result.curve_rows if p.role == name and p.along == "year"]
        life = sum(result.figure("net_cost", deal=one, who=name).value or 0.0 for one in both.deals)

        assert sum(by_year) == pytest.approx(life, rel=1e-12)


def test_nothing_is_held_against_where_nothing_is_compared():
    result = sf.simulate(one_deal({"outcome": 2_000.0}), paths=64, seed=SEED, compare=False)

    assert not [point for point in result.curve_rows if point.along == "year"]
    assert "PWLB" not in result.plot.fan().alt


def test_the_j_curve_ends_at_the_expected_gain(small):
    points = [p for p in small.curve_rows if (p.scope, p.along) == ("deal", "quarter")]
    gain = small.figure("gain", deal="deal", who="investor")

    assert points[-1].value == pytest.approx(gain.value, rel=1e-12)
    # the error is taken over 16 groups: chi-square with 15 degrees of freedom, 4 standard errors
    assert points[-1].standard_error == pytest.approx(gain.standard_error, rel=4 / np.sqrt(2 * 15))


def test_the_same_curves_whatever_the_chunk():
    portfolio = one_deal({"outcome": 2_000.0})
    one, other = (sf.simulate(portfolio, paths=1024, seed=SEED, chunk=chunk) for chunk in (256, 1024))

    assert one.curve_rows == other.curve_rows


def test_sums_keep_the_curves_within_a_thousandth():
    portfolio = one_deal({"outcome": 2_000.0})
    whole, sums = (sf.simulate(portfolio, paths=512, seed=SEED, keep=keep) for keep in ("all", "sums"))

    assert len(whole.curve_rows) == len(sums.curve_rows)
    for mine, theirs in zip(whole.curve_rows, sums.curve_rows, strict=True):
        assert mine[:8] == theirs[:8]
        assert theirs.value == pytest.approx(mine.value, rel=1.01e-3, abs=1e-9)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=60))
def test_groups_of_one_path_give_the_textbook_error(values):
    """With a path in each group it is sd / sqrt(n), as from sums of squares."""
    sums = np.array(values)[:, None]
    mean, error = EQUAL.mean_of_groups(sums, len(values))

    assert mean[0] == pytest.approx(np.mean(values), rel=1e-9, abs=1e-6)
    assert error[0] == pytest.approx(np.std(values, ddof=1) / np.sqrt(len(values)), rel=1e-9, abs=1e-6)


def test_one_group_says_nothing_of_an_error():
    assert np.isnan(EQUAL.mean_of_groups(np.array([[3.0]]), 3)[1][0])
