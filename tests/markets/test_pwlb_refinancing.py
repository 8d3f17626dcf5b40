"""Refinancing: the rate's process against its closed forms, two loans against loans by themselves."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from socialfinance.core.errors import InputError
from socialfinance.kernels import returns
from socialfinance.markets import pwlb

METHODS = ["maturity", "eip", "annuity"]
PROCESS = pwlb.RateProcess(start=0.06, mean=0.045, reversion=0.25, volatility=0.009)


# --- the process ----------------------------------------------------------------------------------


def test_without_volatility_it_goes_to_its_mean():
    """m + (r_0 - m) e^(-kt): from 6% to 4.5%."""
    still = pwlb.RateProcess(0.06, 0.045, 0.25, 0.0)
    found = pwlb.rate_paths(still, 10, 3)
    expected = 0.045 + 0.015 * np.exp(-0.25 * np.arange(11))
    assert found == pytest.approx(np.tile(expected[:, None], 3), rel=1e-14)


@pytest.mark.parametrize("reversion", [0.0, 0.25, 5.0])
def test_mean_and_variance_of_every_year(reversion):
    """m + (r_0 - m) e^(-kt); sigma^2 (1 - e^(-2kt)) / (2k), or sigma^2 t: within 4 standard errors."""
    process = pwlb.RateProcess(0.06, 0.045, reversion, 0.004)
    paths = 40_000
    found = pwlb.rate_paths(process, 6, paths, seed=3)
    t = np.arange(1, 7)
    mean = 0.045 + 0.015 * np.exp(-reversion * t)
    variance = 0.004**2 * (-np.expm1(-2 * reversion * t) / (2 * reversion) if reversion else t.astype(float))
    assert np.all(np.abs(found[1:].mean(axis=1) - mean) < 4 * np.sqrt(variance / paths))
    assert np.all(np.abs(found[1:].var(axis=1) / variance - 1) < 4 * math.sqrt(2 / paths))


def test_the_floor_is_what_is_charged_at_least():
    """E max(r, f) = f + (mu - f) Phi(d) + s phi(d), d = (mu - f) / s: the rate itself goes on below."""
    process = pwlb.RateProcess(0.005, 0.005, 0.1, 0.01)
    found = pwlb.rate_paths(process, 4, 60_000, seed=5)
    s = 0.01 * math.sqrt(-math.expm1(-0.8) / 0.2)
    d = (0.005 - 0.0001) / s
    expected = 0.0001 + 0.0049 * ndtr(d) + s * math.exp(-d * d / 2) / math.sqrt(2 * math.pi)
    assert found.min() == 0.0001
    assert abs(found[4].mean() - expected) < 4 * found[4].std() / math.sqrt(60_000)


def test_a_path_is_the_same_whatever_the_number_of_paths_or_years():
    many, few = pwlb.rate_paths(PROCESS, 9, 5_000, seed=8), pwlb.rate_paths(PROCESS, 4, 11, seed=8)
    assert np.array_equal(many[:5, :11], few)
    assert not np.array_equal(few, pwlb.rate_paths(PROCESS, 4, 11, seed=9))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"start": 5.87}, "start"),
        ({"mean": -0.01}, "mean"),
        ({"reversion": -0.1}, "reversion"),
        ({"reversion": float("nan")}, "reversion"),
        ({"volatility": 1.5}, "volatility"),
        ({"floor": "low"}, "floor"),
    ],
)
def test_a_process_that_is_none_is_refused(changes, field):
    usual = {"start": 0.06, "mean": 0.05, "reversion": 0.2, "volatility": 0.01}
    with pytest.raises(InputError) as caught:
        pwlb.RateProcess(**{**usual, **changes})
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("years", "paths", "seed", "field"),
    [(51, 10, 1, "years"), (2.5, 10, 1, "years"), (5, 0, 1, "paths"), (5, 10, -1, "seed")],
)
def test_paths_that_are_none_are_refused(years, paths, seed, field):
    with pytest.raises(InputError) as caught:
        pwlb.rate_paths(PROCESS, years, paths, seed)
    assert caught.value.field == field


# --- two loans ------------------------------------------------------------------------------------


def test_two_maturity_loans_by_hand():
    """£1m for a year at 4%, again at 6%, beside two years at 5%: 20, 20, 30 and 30 thousand."""
    found = pwlb.refinance(1_000_000, 0.04, 1, "maturity", 1, "maturity", 0.06, long_rate=0.05)
    assert found.service[:, 0].tolist() == [20_000, 20_000, 30_000, 1_030_000]
    assert found.refinanced == 1_000_000
    assert found.fees == (350.0, 350.0)
    assert found.total_interest.tolist() == [100_000]
    assert found.long.total_interest == 100_000
    flows = [[350 - 1_000_000], [20_000], [20_350], [30_000], [1_030_000]]
    assert found.all_in_rate == pytest.approx(returns.irr(flows, 2), abs=1e-14)
    assert found.long.all_in_rate == pytest.approx(
        pwlb.all_in_rate(pwlb.schedule(1_000_000, 0.05, 2, "maturity"), 350), abs=1e-14
    )
    assert found.long.present_value == pytest.approx(1_000_000, abs=1e-6)


@pytest.mark.parametrize("again", METHODS)
def test_without_volatility_it_is_two_loans_one_after_the_other(again):
    still = pwlb.RateProcess(0.06, 0.045, 0.25, 0.0)
    new = pwlb.rate_paths(still, 5, 2)[5]
    found = pwlb.refinance(10_000_000, 0.0565, 5, "maturity", 7, again, new, long_rate=0.06)
    first = pwlb.schedule(10_000_000, 0.0565, 5, "maturity", rounding=False)
    second = pwlb.schedule(10_000_000, repr(float(new[0])), 7, again, rounding=False)
    expected = np.concatenate([first.interest, second.payment])
    for path in range(2):
        assert found.service[:, path] == pytest.approx(expected, rel=1e-12)
    assert found.total_interest == pytest.approx(first.interest.sum() + second.interest.sum(), rel=1e-12)


@pytest.mark.parametrize("method", ["eip", "annuity"])
def test_at_the_same_rate_the_two_are_one_loan(method):
    """Five of ten years, then what is left over five more at the old rate."""
    found = pwlb.refinance(
        2_000_000, 0.055, 5, method, 5, method, [0.055, 0.055], long_rate=0.055, amortise_over=10
    )
    whole = pwlb.schedule(2_000_000, 0.055, 10, method, rounding=False)
    assert found.service[:, 1] == pytest.approx(whole.payment.to_numpy(), rel=1e-12)
    assert found.refinanced == pytest.approx(whole.balance.iloc[9], rel=1e-12)
    assert found.total_interest == pytest.approx(found.long.total_interest, rel=1e-12)


def test_the_same_maturity_rate_costs_one_more_fee():
    found = pwlb.refinance(5_000_000, 0.05, 3, "maturity", 3, "maturity", 0.05, long_rate=0.05)
    whole = pwlb.schedule(5_000_000, 0.05, 6, "maturity", rounding=False)
    assert found.service[:, 0] == pytest.approx(whole.payment.to_numpy(), rel=1e-14)
    dearer = found.present_value[0] - found.long.present_value
    assert dearer == pytest.approx(1_750 * (1 + found.long.all_in_rate) ** -3, rel=1e-6)
    assert found.break_even_rate < 0.05


@pytest.mark.parametrize("method", ["eip", "annuity"])
def test_a_loan_that_repays_over_its_term_leaves_nothing(method):
    found = pwlb.refinance(1_000_000, 0.05, 5, method, 5, "eip", [0.01, 0.2], long_rate=0.055)
    assert found.refinanced == 0.0
    assert found.fees[1] == 0.0
    assert not found.service[10:].any()
    assert found.total_interest[0] == found.total_interest[1]
    assert math.isnan(found.break_even_rate)


@pytest.mark.parametrize("again", METHODS)
@pytest.mark.parametrize(("method", "over"), [("maturity", None), ("eip", 20), ("annuity", 15)])
def test_at_the_break_even_rate_both_cost_the_same(again, method, over):
    ask = (8_000_000, 0.05, 4, method, 6, again)
    same = pwlb.refinance(*ask, 0.05, long_rate=0.053, amortise_over=over).break_even_rate
    found = pwlb.refinance(*ask, [same, same + 1e-6], long_rate=0.053, amortise_over=over)
    assert found.all_in_rate[0] == pytest.approx(found.long.all_in_rate, abs=1e-13)
    assert found.present_value[0] == pytest.approx(found.long.present_value, abs=1e-4)
    assert found.all_in_rate[1] > found.long.all_in_rate


def test_a_break_even_rate_below_nil_is_none():
    found = pwlb.refinance(1_000_000, 0.30, 10, "maturity", 1, "maturity", 0.0, long_rate=0.01)
    assert math.isnan(found.break_even_rate)
    assert found.all_in_rate[0] > found.long.all_in_rate


def test_break_even_of_maturity_loans_in_closed_form():
    """Interest c = r / 2 a half-year, d the long loan's all-in: w(r) = r / 2 a(d, m) + v^m, solved for r."""
    found = pwlb.refinance(1_000_000, 0.05, 5, "maturity", 5, "maturity", 0.05, long_rate=0.06)
    d = math.sqrt(1 + found.long.all_in_rate) - 1
    v, a = (1 + d) ** -10, (1 - (1 + d) ** -10) / d
    left = 1_000_000 - 350 - 25_000 * a - 350 * v
    assert found.break_even_rate == pytest.approx(2 * (left / (1_000_000 * v) - v) / a, abs=1e-13)


def test_a_given_discount_rate():
    found = pwlb.refinance(
        1_000_000, 0.04, 1, "maturity", 1, "maturity", [0.06, 0.02], long_rate=0.05, discount_rate=0.0
    )
    assert found.present_value == pytest.approx([1_100_700, 1_060_700])
    assert found.long.present_value == pytest.approx(1_100_350)


@settings(max_examples=60, deadline=None)
@given(
    principal=st.floats(1_000, 1e9),
    rate=st.floats(0, 0.2),
    new=st.lists(st.floats(0, 0.2), min_size=1, max_size=4),
    first=st.integers(4, 40),
    second=st.integers(4, 40),
    method=st.sampled_from(METHODS),
    again=st.sampled_from(METHODS),
    more=st.integers(0, 20),
)
def test_principal_comes_back_once(principal, rate, new, first, second, method, again, more):
    """Service is interest and the principal, on every path; twice the loan is twice the service."""
    over = None if method == "maturity" else (first + more) / 2
    ask = (rate, first / 2, method, second / 2, again, new)
    found = pwlb.refinance(principal, *ask, long_rate=rate, amortise_over=over)
    twice = pwlb.refinance(2 * principal, *ask, long_rate=rate, amortise_over=over)
    assert found.service.shape == (first + second, len(new))
    assert np.all(found.service >= 0.0)
    assert found.service.sum(axis=0) - found.total_interest == pytest.approx(
        np.full(len(new), principal), rel=1e-9
    )
    assert twice.service == pytest.approx(2 * found.service, rel=1e-12, abs=1e-9)
    assert not np.isnan(found.all_in_rate).any()


def test_a_higher_new_rate_costs_more():
    new = np.linspace(0.0, 0.2, 9)
    for again in METHODS:
        found = pwlb.refinance(1e6, 0.05, 5, "maturity", 6, again, new, long_rate=0.05)
        for figure in (found.total_interest, found.present_value, found.all_in_rate):
            assert np.all(np.diff(figure) > 0.0)


BAD = {
    "principal below nil": ({"principal": -1}, "principal"),
    "principal below its fee": ({"principal": 25}, "principal"),
    "a rate in per cent": ({"rate": 5.65}, "rate"),
    "a long rate in per cent": ({"long_rate": 6}, "long_rate"),
    "no method": ({"method": "bullet"}, "method"),
    "no second method": ({"again_method": "bullet"}, "method"),
    "a term too short": ({"years": 0.5}, "years"),
    "a second term between half-years": ({"again_years": 5.3}, "again_years"),
    "both terms too long": ({"years": 30, "again_years": 25}, "again_years"),
    "amortised over less than the term": ({"method": "eip", "amortise_over": 4}, "amortise_over"),
    "a maturity loan amortised": ({"amortise_over": 10}, "amortise_over"),
    "a new rate in per cent": ({"rates": [0.05, 5]}, "rates"),
    "a hole in the new rates": ({"rates": [0.05, float("nan")]}, "rates"),
    "new rates of words": ({"rates": ["five"]}, "rates"),
    "no new rates": ({"rates": []}, "rates"),
    "new rates by year": ({"rates": [[0.05], [0.06]]}, "rates"),
    "a discount rate in per cent": ({"discount_rate": 6}, "discount_rate"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_refinanced_is_refused(name):
    changes, field = BAD[name]
    usual = {"principal": 1_000_000, "rate": 0.05, "years": 5, "method": "maturity", "again_years": 5,
             "again_method": "maturity", "rates": 0.05, "long_rate": 0.055}  # fmt: skip
    with pytest.raises(InputError) as caught:
        pwlb.refinance(**{**usual, **changes})
    assert caught.value.field == field
