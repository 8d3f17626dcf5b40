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
    return pwlb.loan_schedule(given["principal"], given["half_years"] / 2, given["method"], rate, **options)


@pytest.mark.parametrize("vector", LOANS, ids=lambda v: v["inputs"]["method"])
def test_schedule_to_the_penny(vector):
    expected, found = vector["expected"], loan(vector)
    rows = [[row.period, *(str(item) for item in row[1:])] for row in found.rows]
    assert [
        [k, *(str(Decimal(i).quantize(Decimal("0.01"))) for i in items)] for k, *items in rows
    ] == expected["rows_k_principal_interest_payment_balance"]
    assert found.rows[0].payment == Decimal(expected["first_payment"])
    assert found.rows[-1].payment == Decimal(expected["last_payment"])
    assert found.rows[-1].balance == Decimal(expected["final_balance"])
    assert found.total_interest == Decimal(expected["total_interest"])
    assert found.total_paid == Decimal(expected["total_paid"])


@pytest.mark.parametrize("vector", LOANS, ids=lambda v: v["inputs"]["method"])
def test_unrounded_schedules_agree(vector):
    given, expected = vector["inputs"], float(vector["expected"]["total_interest_unrounded"])
    exact = loan(vector, rounding=False)
    floats = schedule(
        float(given["principal"]), as_fraction(given["annual_rate_pct"]) / 2, 20, given["method"]
    )
    assert float(exact.total_interest) == pytest.approx(expected, rel=1e-12)
    assert floats.interest.sum() == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(floats.principal, [float(r.principal) for r in exact.rows], rtol=1e-12)
    np.testing.assert_allclose(floats.interest, [float(r.interest) for r in exact.rows], rtol=1e-12)


def test_level_payment():
    row = loan(LOANS[2], rounding=False).rows[0]
    expected = float(LOANS[2]["expected"]["level_payment_unrounded"])
    assert float(row.payment) == pytest.approx(expected, rel=1e-15)


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
    found = [pwlb.effective(as_fraction(percent)) for percent in vector["inputs"]["nominal_pct"]]
    expected = [float(rate) for rate in vector["expected"]["effective_annual"]]
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "interest"),
    [
        ("pwlb.broken_first_period", pwlb.broken_first_period_interest),
        ("pwlb.variable", pwlb.variable_interest),
    ],
)
def test_interest_by_days(name, interest):
    given = VECTORS[name]["inputs"]
    found = interest(given["principal"], as_fraction(given["rate_pct"]), given["days"])
    assert str(found) == VECTORS[name]["expected"]["interest"]


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
