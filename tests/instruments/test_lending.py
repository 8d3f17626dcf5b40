"""A lender's rate: the reference, its basis and the margin, converted once."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from socialfinance.instruments.lending import LendingRate
from socialfinance.markets import pwlb


def rate(**terms: Any) -> LendingRate:
    return LendingRate.model_validate(terms)


def test_a_pwlb_rate_with_a_margin_by_hand() -> None:
    """7 years, maturity: the notice's rate less 0.20 points, plus 1.25 points, then two half-years a year."""
    quoted = pwlb.rate(7, "maturity", "certainty") + 0.0125
    found = rate(reference="pwlb", term_years=7.0, margin=0.0125)
    assert found.nominal() == pytest.approx(quoted, abs=1e-15)
    assert found.effective() == pytest.approx((1 + quoted / 2) ** 2 - 1, abs=1e-15)
    assert found.quarterly() == pytest.approx((1 + quoted / 2) ** 0.5 - 1, abs=1e-15)
    assert (1 + found.quarterly()) ** 4 - 1 == pytest.approx(found.effective(), abs=1e-14)


@pytest.mark.parametrize(
    ("basis", "effective"),
    [("annual effective", 0.0587), ("nominal half-yearly", 0.0595614), ("nominal quarterly", 0.06000482)],
)
def test_the_same_figure_on_each_basis(basis: str, effective: float) -> None:
    """5.87% is 5.956% effective half-yearly: the nine basis points that a wrong basis loses."""
    found = rate(reference="fixed", value=0.0587, basis=basis)
    assert found.effective() == pytest.approx(effective, abs=5e-8)
    assert (1 + found.quarterly()) ** 4 == pytest.approx(1 + effective, abs=5e-8)


def test_margin_is_added_before_the_rate_is_converted() -> None:
    gilt = rate(reference="gilt", value=0.04, basis="nominal half-yearly", margin=0.01)
    assert gilt.quarterly() == pytest.approx(1.025**0.5 - 1, abs=1e-15)
    assert gilt.quarterly(0.005) == pytest.approx(1.0275**0.5 - 1, abs=1e-15)
    assert gilt.quarterly(-0.05) == 0.0


def test_a_loan_without_interest() -> None:
    assert rate(reference="fixed", value=0.0, basis="annual effective").quarterly() == 0.0


def test_method_and_product_name_another_column() -> None:
    eip = rate(reference="pwlb", term_years=7.5, method="eip", product="standard")
    assert eip.nominal() == pwlb.rate(7.5, "eip", "standard")
    assert eip.nominal() != rate(reference="pwlb", term_years=7.5).nominal()


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ({"reference": "pwlb"}, "term_years: the reference pwlb needs it"),
        ({"reference": "pwlb", "term_years": 7.2}, "term_years: no new maturity rate is published"),
        ({"reference": "pwlb", "term_years": 1.0, "method": "eip"}, "term_years: no new eip rate"),
        ({"reference": "pwlb", "term_years": 7.0, "value": 0.05}, "value: is read from the table"),
        ({"reference": "pwlb", "term_years": 7.0, "basis": "annual effective"}, "basis: PWLB rates are"),
        ({"reference": "fixed", "basis": "annual effective"}, "value: a fixed reference needs it"),
        ({"reference": "gilt", "value": 0.04}, "basis: a gilt reference needs it"),
        (
            {"reference": "gilt", "value": 0.04, "basis": "annual effective", "term_years": 7.0},
            "term_years: belongs to the reference pwlb",
        ),
    ],
)
def test_what_makes_no_rate(terms: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        rate(**terms)
