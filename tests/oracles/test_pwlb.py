"""PWLB loan arithmetic and the published table against computed and observed values."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from socialfinance.kernels.annuity import annuity_factor
from socialfinance.kernels.schedules import pence_schedule, schedule
from socialfinance.markets import pwlb

VECTORS = {v["id"]: v for v in json.loads(Path(__file__).with_name("vectors.json").read_text())["vectors"]}
LOANS = [VECTORS[f"pwlb.10m_10y_4.50.{method}"] for method in ("maturity", "eip", "annuity")]


def as_fraction(percent):
    return float(Decimal(str(percent)) / 100)


def loan(vector, **options):
    given = vector["inputs"]
    rate = as_fraction(given["annual_rate_pct"])
    return pwlb.schedule(given["principal"], rate, given["half_years"] / 2, given["method"], **options)


@pytest.mark.parametrize("vector", LOANS, ids=lambda v: v["inputs"]["method"])
def test_schedule_to_the_penny(vector):
    expected, found = vector["expected"], loan(vector)
    columns = ["period", "principal", "interest", "payment", "balance"]
    rows = [[int(k), *(f"{x:.2f}" for x in money)] for k, *money in found[columns].itertuples(index=False)]
    assert rows == expected["rows_k_principal_interest_payment_balance"]
    assert f"{found.payment.iloc[0]:.2f}" == expected["first_payment"]
    assert f"{found.payment.iloc[-1]:.2f}" == expected["last_payment"]
    assert f"{found.balance.iloc[-1]:.2f}" == expected["final_balance"]
    assert f"{found.interest.sum():.2f}" == expected["total_interest"]
    assert f"{found.payment.sum():.2f}" == expected["total_paid"]


@pytest.mark.parametrize("vector", LOANS, ids=lambda v: v["inputs"]["method"])
def test_unrounded_schedules_agree(vector):
    given, expected = vector["inputs"], float(vector["expected"]["total_interest_unrounded"])
    exact = loan(vector, rounding=False)
    floats = schedule(
        float(given["principal"]), as_fraction(given["annual_rate_pct"]) / 2, 20, given["method"]
    )
    assert exact.interest.sum() == pytest.approx(expected, rel=1e-12)
    assert floats.interest.sum() == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(floats.principal, exact.principal, rtol=1e-12)
    np.testing.assert_allclose(floats.interest, exact.interest, rtol=1e-12)


def test_level_payment():
    expected = float(LOANS[2]["expected"]["level_payment_unrounded"])
    assert loan(LOANS[2], rounding=False).payment.iloc[0] == pytest.approx(expected, rel=1e-15)


def test_eip_balances_of_real_loans():
    vector = VECTORS["pwlb.eip_ledger_check"]
    given = vector["inputs"]
    found = [
        int(pence_schedule(given["principal"], "0.025", n, "eip").rows[given["paid"] - 1].balance.quantize(1))
        for n in given["instalments"]
    ]
    assert found == vector["expected"]["outstanding_whole_pounds"]


@pytest.mark.parametrize("kind", ["fixed", "variable"])
def test_fees(kind):
    vector = VECTORS["pwlb.fees"]
    found = [str(pwlb.fees(principal, kind)) for principal in vector["inputs"]["loans"]]
    assert found == vector["expected"][kind]


def test_effective_rate():
    vector = VECTORS["pwlb.effective_rate"]
    found = [pwlb.effective_rate(as_fraction(percent)) for percent in vector["inputs"]["nominal_pct"]]
    expected = [float(rate) for rate in vector["expected"]["effective_annual"]]
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", ["pwlb.broken_first_period", "pwlb.variable"])
def test_interest_by_days(name):
    given = VECTORS[name]["inputs"]
    found = pwlb.interest(given["principal"], as_fraction(given["rate_pct"]), given["days"])
    assert str(found) == VECTORS[name]["expected"]["interest"]


@pytest.mark.parametrize("name", ["pwlb.prem.dmo1989", "pwlb.prem.eip_0d_3.30", "pwlb.prem.par"])
def test_premature_repayment(name):
    """The lender's own published example among them, to the penny."""
    given, expected = VECTORS[name]["inputs"], VECTORS[name]["expected"]
    found = pwlb.premature_repayment(
        given["method"], given["outstanding"], as_fraction(given["loan_rate_pct"]),
        as_fraction(given["discount_rate_pct"]), given["remaining_half_years"],
        given["days_since_last_interest"],
    )  # fmt: skip
    assert str(found.amount) == expected["amount"]
    assert str(found.accrued_interest) == expected["accrued_interest"]
    assert float(found.factor) == pytest.approx(float(expected["factor"]), abs=1e-14)
    assert found.total == Decimal(given["outstanding"]) + found.amount + found.accrued_interest


@pytest.mark.parametrize("method", ["maturity", "eip", "annuity"])
@pytest.mark.parametrize("rate", [0.0, 0.0001, 0.03, 0.12])
def test_early_repayment_is_worth_what_is_left_of_the_loan(method, rate):
    """On an interest date: the instalments still to come, at the repayment rate, less what is outstanding."""
    left, loan_rate = 13, 0.0475
    rows = schedule(1_000_000.0, loan_rate / 2, left, method)
    worth = np.sum((rows.principal + rows.interest) * (1 + rate / 2) ** -np.arange(1.0, left + 1))
    found = pwlb.premature_repayment(method, 1_000_000, loan_rate, rate, left)
    assert float(found.amount) == pytest.approx(worth - 1_000_000, abs=0.006)


@pytest.mark.parametrize("method", ["maturity", "eip", "annuity"])
@pytest.mark.parametrize("days", [0, 1, 91, 182])
def test_early_repayment_at_the_loans_own_rate_costs_nothing(method, days):
    found = pwlb.premature_repayment(method, 7_654_321, 0.0587, 0.0587, 31, days)
    assert str(found.amount) == "0.00"


def test_margins_on_one_day():
    expected = VECTORS["pwlb.margins_same_day"]["expected"]
    standard = Decimal(str(expected["implied_standard"]))
    day = date(2026, 8, 17)
    assert standard + pwlb.offset("certainty", day) == Decimal(str(expected["certainty"]))
    assert standard + pwlb.offset("hra", day) == Decimal(str(expected["hra"]))


def standard(term, method, **options):
    return 100 * pwlb.rate(term, method, "standard", **options)


def test_eip_is_the_maturity_rate_at_its_average_life():
    expected = VECTORS["pwlb.rate_shape_rule"]["expected"]["eip_max_abs_err_pct_points"]
    terms = np.arange(2.0, 50.5, 0.5)
    errors = [standard(t, "eip") - standard(t / 2 + 0.25, "maturity", interpolate=True) for t in terms]
    assert len(errors) == 97
    assert np.abs(errors).max() == pytest.approx(expected, abs=0.001)


def test_annuity_is_the_maturity_rate_at_its_average_life():
    expected = VECTORS["pwlb.rate_shape_rule"]["expected"]["annuity_max_abs_err_pct_points"]
    errors = []
    for term in np.arange(2.0, 50.5, 0.5):
        yield_ = (standard(term, "annuity") - 1.0) / 200
        life = (2 * term / annuity_factor(yield_, 2 * term) - 1) / yield_ / 2
        errors.append(standard(term, "annuity") - standard(life, "maturity", interpolate=True))
    assert np.abs(errors).max() == pytest.approx(expected, abs=0.001)


def test_premature_rate_is_a_fixed_step_below_the_new_one():
    expected = VECTORS["pwlb.premature_vs_new"]["expected"]
    for term in np.arange(2.0, 50.0, 0.5):
        step = standard(term, "eip") - 100 * pwlb.rate(term + 0.5, "eip", kind="premature")
        assert step == pytest.approx(expected["new_standard_minus_premature"], abs=0.005)
