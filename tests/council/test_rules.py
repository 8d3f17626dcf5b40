"""What holds whatever the numbers, and what is refused."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from socialfinance import gmca, greenbook, ias37, ifrs9, mrp, prudential, sroi
from socialfinance.core.errors import InputError

USUAL = settings(deadline=None)
POUNDS = st.decimals(1, 10**9, places=2).map(float)
LIFE = st.integers(1, 50)
RATE = st.floats(0.0, 0.2)


@USUAL
@given(POUNDS, LIFE, RATE)
def test_all_of_it_is_charged_and_no_year_is_below_nil(amount: float, life: int, rate: float) -> None:
    """To the penny, by every method; an annuity never falls by more than a penny's rounding."""
    for found in (mrp.annuity(amount, life, rate), mrp.equal_instalments(amount, life)):
        assert len(found) == life
        assert round(found.sum(), 2) == pytest.approx(amount, abs=0.005)
        assert np.all(found >= 0.0)
        assert np.all(np.diff(found) >= -0.0201)


@USUAL
@given(POUNDS, LIFE, RATE)
def test_a_year_is_within_a_penny_of_the_formula(amount: float, life: int, rate: float) -> None:
    """P (1 + r)^(k - 1) r / ((1 + r)^life - 1)."""
    rate = max(rate, 1e-6)
    k = np.arange(life)
    exact = amount * (1 + rate) ** k * rate / np.expm1(life * np.log1p(rate))
    assert mrp.annuity(amount, life, rate) == pytest.approx(exact, abs=0.011, rel=1e-9)


@USUAL
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40), st.floats(-5, 5))
def test_present_value_is_linear(flows: list[float], scale: float) -> None:
    nothing = [0.0] * len(flows)
    once = greenbook.npsv(flows, nothing)
    assert greenbook.npsv([scale * x for x in flows], nothing) == pytest.approx(scale * once, abs=1e-3)
    assert greenbook.npsv(nothing, flows) == pytest.approx(-once, abs=1e-6)


@USUAL
@given(
    st.floats(0, 1e5), st.lists(st.floats(0, 1e6), min_size=1, max_size=30), st.floats(0, 0.9),
    st.floats(0, 1), st.floats(0, 0.2),
)  # fmt: skip
def test_the_higher_of_is_below_neither(
    premium: float, exposure: list[float], pd: float, lgd: float, rate: float
) -> None:
    for worse in (False, True):
        table = ifrs9.financial_guarantee(premium, exposure, pd, lgd, rate, significant_increase=worse)
        assert np.all(table.liability >= table.allowance)
        assert np.all(table.liability >= table.unearned)
        assert np.all(table.ecl_lifetime >= table.ecl_12m - 1e-9)
        assert table.liability.iloc[-1] == 0.0
        assert table.unearned.iloc[0] == premium


def test_years_of_a_roll_follow_one_another() -> None:
    found = mrp.cfr_roll(100.0, [10.0, 0.0, 20.0], mrp=[4.0, 5.0, 5.0], grants=2.0)
    assert found.close_cfr == pytest.approx([104.0, 97.0, 110.0])
    assert found.open_cfr == pytest.approx([100.0, 104.0, 97.0])


def test_expected_loss_is_charged_when_it_is_recognised() -> None:
    """A rise is charged, a fall is not given back."""
    assert mrp.expected_loss([10.0, 25.0, 5.0, 8.0]) == pytest.approx([10.0, 15.0, 0.0, 3.0])


def test_a_capitalisation_direction_takes_twenty_years() -> None:
    assert mrp.capitalisation_direction(1_000_000.0) == pytest.approx(np.full(20, 50_000.0))
    assert len(mrp.capitalisation_direction(1_000_000.0, 0.05)) == 20


def test_benchmark_and_headroom() -> None:
    found = prudential.liability_benchmark([100.0, 90.0], [30.0, 30.0], 10.0, [60.0, 80.0])
    assert found.benchmark == pytest.approx([80.0, 70.0])
    assert found.to_borrow == pytest.approx([20.0, -10.0])
    room = prudential.headroom([95.0, 120.0], 100.0, 110.0)
    assert room.operational_boundary == pytest.approx([5.0, -20.0])
    assert room.authorised_limit == pytest.approx([15.0, -10.0])


def test_a_confidence_grade_is_a_correction() -> None:
    by_grade = gmca.chain(200, 0.8, 0.25, 0.3, 9_234, confidence_grade=4)
    assert by_grade == gmca.chain(200, 0.8, 0.25, 0.3, 9_234, -0.15)


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: mrp.annuity(-1.0, 10, 0.04), "amount"),
        (lambda: mrp.annuity(100.0, 0, 0.04), "life"),
        (lambda: mrp.annuity(100.0, 51, 0.04), "life"),
        (lambda: mrp.annuity(100.0, 10, 4.5), "rate"),
        (lambda: mrp.annuity("a lot", 10, 0.04), "amount"),
        (lambda: mrp.equal_instalments(100.0, 2.5), "life"),
        (lambda: mrp.depreciation(100.0, 100.0, 10), "residual"),
        (lambda: mrp.depreciation(100.0, 0.0, 10, financed=101.0), "financed"),
        (lambda: mrp.cfr_four_per_cent(100.0, 5, date(2026, 4, 1)), "spent"),
        (lambda: mrp.cfr_roll(1.0, [1.0, 2.0], mrp=[1.0, 2.0, 3.0]), "capex"),
        (lambda: prudential.ratio(1.0, 1.0, 1.0, 0.0), "net_revenue_stream"),
        (lambda: prudential.headroom(1.0, 10.0, 9.0), "authorised_limit"),
        (lambda: ifrs9.pd_term(1.0, 5), "annual_pd"),
        (lambda: ifrs9.pd_term(0.1, -1), "years"),
        (
            lambda: ifrs9.financial_guarantee(0.0, [1.0, 2.0], 0.1, significant_increase=[True, False]),
            "significant_increase",
        ),
        (lambda: ias37.classify([1.2]), "probabilities"),
        (lambda: ias37.classify([0.2], remote_threshold=0.6), "remote_threshold"),
        (lambda: ias37.expected_value([0.6, 0.6], [1.0, 2.0]), "probabilities"),
        (lambda: ias37.expected_value([0.6], [1.0, 2.0]), "amounts"),
        (lambda: greenbook.discount_factors(10, "brisk"), "schedule"),
        (lambda: greenbook.discount_factors([0.5]), "years"),
        (lambda: greenbook.discount_factors(-1), "years"),
        (lambda: greenbook.bcr([1.0], [0.0]), "costs"),
        (lambda: greenbook.additionality(1.0, deadweight=20.0), "deadweight"),
        (lambda: gmca.chain(200, 0.8, 0.25, 0.3, 9_234, 0.15), "optimism_bias_correction"),
        (lambda: gmca.chain(200, 0.8, 0.25, 0.3, 9_234, confidence_grade=7), "confidence_grade"),
        (lambda: sroi.ratio(60, 8_500, 0.4, 0.3, 0.3, 0.035, 0.0), "inputs"),
        (lambda: sroi.ratio(60, 8_500, 0.4, 0.3, 0.3, float("nan"), 1.0), "rate"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(call: Any, field: str) -> None:
    """By field, with what is allowed."""
    with pytest.raises(InputError) as caught:
        call()
    assert caught.value.field == field
