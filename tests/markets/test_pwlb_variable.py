"""Variable-rate loans, broken first periods and all-in rates, against values worked by hand."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from socialfinance.core.errors import InputError
from socialfinance.kernels import returns
from socialfinance.markets import pwlb

METHODS = ["maturity", "eip", "annuity"]


def pence(column) -> int:
    return sum(round(100 * amount) for amount in column)


# --- variable rates -------------------------------------------------------------------------------


def test_a_year_by_quarters_by_hand():
    """£12,000, EIP, 4, 5, 6 and 7%: 12,000 x 4% / 4 = 120, 150, then half is repaid: 90, 105."""
    found = pwlb.variable_schedule(12_000, [0.04, 0.05, 0.06, 0.07], 1, "eip", 3)
    assert list(found.columns) == ["period", "months", "rate", "interest", "principal", "payment", "balance"]
    assert found.period.tolist() == [1, 2, 3, 4]
    assert found.months.tolist() == [3, 3, 3, 3]
    assert found.rate.tolist() == [0.04, 0.05, 0.06, 0.07]
    assert found.interest.tolist() == [120, 150, 90, 105]
    assert found.principal.tolist() == [0, 6_000, 0, 6_000]
    assert found.payment.tolist() == [120, 6_150, 90, 6_105]
    assert found.balance.tolist() == [12_000, 6_000, 6_000, 0]


def test_principal_at_every_reset_by_hand():
    """The same with £3,000 repaid each quarter: 12,000, 9,000, 6,000 and 3,000 bear interest."""
    found = pwlb.variable_schedule(12_000, [0.04, 0.05, 0.06, 0.07], 1, "eip", 3, principal_months=3)
    assert found.interest.tolist() == [120, 112.5, 90, 52.5]
    assert found.principal.tolist() == [3_000] * 4


def test_days_of_the_calendar_by_hand():
    """£10m at 4.71% from 1 January 2027: 31 days are 40,002.74, 28 days 36,131.51, as P r days / 365."""
    found = pwlb.variable_schedule(10_000_000, 0.0471, 1, "maturity", 1, on=date(2027, 1, 1))
    assert found.interest.tolist()[:2] == [40_002.74, 36_131.51]
    assert found.principal.tolist() == [0.0] * 11 + [10_000_000]
    whole = pwlb.variable_schedule(10_000_000, 0.0471, 1, "maturity", 6, on=date(2027, 1, 1))
    assert whole.interest.tolist() == [233_564.38, 237_435.62]  # 181 and 184 days


@pytest.mark.parametrize("method", ["maturity", "eip"])
def test_one_rate_by_half_years_is_a_fixed_loan(method):
    """365 / 12 days a month: six months are half a year exactly."""
    variable = pwlb.variable_schedule(1_234_567.89, 0.0475, 7, method, 6)
    fixed = pwlb.schedule(1_234_567.89, 0.0475, 7, method)
    columns = ["interest", "principal", "payment", "balance"]
    assert variable[columns].equals(fixed[columns])


@settings(max_examples=60, deadline=None)
@given(
    principal=st.decimals("0.01", "1e9", places=2),
    half_years=st.integers(2, 20),
    method=st.sampled_from(["maturity", "eip"]),
    months=st.sampled_from([1, 3, 6]),
    rate=st.floats(0, 0.2),
    on=st.none() | st.dates(date(2000, 1, 1), date(2080, 1, 1)),
)
def test_principal_comes_back_to_the_penny(principal, half_years, method, months, rate, on):
    found = pwlb.variable_schedule(principal, rate, half_years / 2, method, months, on=on)
    assert len(found) == 6 * half_years / months
    assert pence(found.principal) == round(100 * principal)
    assert found.balance.iloc[-1] == 0.0
    assert pence(found.payment) == pence(found.interest) + pence(found.principal)
    assert (found.balance.diff().dropna() <= 1e-9).all()


def test_halves_of_a_penny_rounded_up_never_repay_more_than_is_owed():
    """2p over four half-years: half a penny each, rounded up to one, twice."""
    found = pwlb.variable_schedule("0.02", 0, 2, "eip", 6)
    assert found.principal.tolist() == [0.01, 0.01, 0.0, 0.0]
    assert pwlb.schedule("0.02", 0, 2, "eip").principal.tolist() == [0.01, 0.01, 0.0, 0.0]


def test_twice_the_principal_is_twice_everything():
    rates = [0.03 + 0.001 * k for k in range(12)]
    one = pwlb.variable_schedule(777_777, rates, 3, "eip", 3, rounding=False)
    two = pwlb.variable_schedule(1_555_554, rates, 3, "eip", 3, rounding=False)
    for column in ("interest", "principal", "payment", "balance"):
        assert two[column].to_numpy() == pytest.approx(2 * one[column].to_numpy(), rel=1e-14)


BAD_VARIABLE = {
    "annuity": ({"method": "annuity"}, "method", "eip, maturity"),
    "no method": ({"method": "bullet"}, "method", "maturity, eip, annuity"),
    "too short": ({"years": 0.5}, "years", "1 to 10 years"),
    "too long": ({"years": 10.5}, "years", "1 to 10 years"),
    "between half-years": ({"years": 1.25}, "years", "by half-years"),
    "a reset not offered": ({"reset_months": 2}, "reset_months", "1, 3, 6"),
    "principal between resets": ({"principal_months": 1}, "principal_months", "3, 6"),
    "a hole": ({"rates": [0.04, None, 0.04, 0.04]}, "rates", "a fraction"),
    "a hole of no number": ({"rates": [0.04, 0.04, 0.04, float("nan")]}, "rates", "a fraction"),
    "too few rates": ({"rates": [0.04] * 3}, "rates", "one, or 4"),
    "too many rates": ({"rates": [0.04] * 5}, "rates", "one, or 4"),
    "a rate in per cent": ({"rates": [0.04, 4.0, 0.04, 0.04]}, "rates[2]", "0.0587 is 5.87%"),
    "a rate of words": ({"rates": "four"}, "rates", "a fraction"),
    "principal below nil": ({"principal": -1}, "principal", "pounds"),
}


@pytest.mark.parametrize("name", BAD_VARIABLE)
def test_what_is_no_variable_loan_is_refused(name):
    changes, field, allowed = BAD_VARIABLE[name]
    usual = {"principal": 1_000, "rates": 0.04, "years": 1, "method": "eip", "reset_months": 3}
    with pytest.raises(InputError) as caught:
        pwlb.variable_schedule(**{**usual, **changes})
    assert caught.value.field == field
    assert allowed in caught.value.allowed


# --- broken first periods -------------------------------------------------------------------------


def test_a_first_period_of_73_days_by_hand():
    """£1m at 4.5%: 73 days are a fifth of a year, 9,000; a full half-year is 22,500."""
    usual = pwlb.schedule(1_000_000, 0.045, 2, "annuity")
    broken = pwlb.schedule(1_000_000, 0.045, 2, "annuity", first_days=73)
    assert list(broken.columns) == list(usual.columns)
    assert broken.interest.tolist() == [9_000, *usual.interest.tolist()[1:]]
    assert broken.principal.equals(usual.principal)
    assert broken.balance.equals(usual.balance)
    assert broken.payment.iloc[0] == pytest.approx(usual.payment.iloc[0] - 13_500)
    assert broken.payment.iloc[1:].equals(usual.payment.iloc[1:])


@settings(max_examples=60, deadline=None)
@given(
    principal=st.decimals("1", "1e9", places=2),
    half_years=st.integers(4, 100),
    method=st.sampled_from(METHODS),
    days=st.integers(1, 182),
    rate=st.decimals("0", "0.2", places=4),
)
def test_only_the_first_interest_is_another(principal, half_years, method, days, rate):
    broken = pwlb.schedule(principal, rate, half_years / 2, method, first_days=days)
    usual = pwlb.schedule(principal, rate, half_years / 2, method)
    assert broken.interest.iloc[0] == float(pwlb.interest(principal, rate, days))
    assert broken.interest.iloc[1:].equals(usual.interest.iloc[1:])
    assert pence(broken.principal) == round(100 * principal)
    assert broken.balance.iloc[-1] == 0.0


def test_unrounded_by_days():
    found = pwlb.schedule(1_000_000, 0.0457, 10, "eip", rounding=False, first_days=100)
    assert found.interest.iloc[0] == pytest.approx(1_000_000 * 0.0457 * 100 / 365, rel=1e-15)


@pytest.mark.parametrize("days", [0, 183, -1, 45.5, "many"])
def test_days_that_are_no_broken_period_are_refused(days):
    with pytest.raises(InputError, match=r"first_days.*1 to 182"):
        pwlb.schedule(1_000, 0.04, 5, "eip", first_days=days)
    with pytest.raises(InputError, match="first_days"):
        pwlb.payment_dates(date(2027, 1, 1), 2, first_days=days)


def test_days_of_payment():
    assert pwlb.payment_dates(date(2026, 8, 31), 2) == [
        date(2026, 8, 31), date(2027, 2, 28), date(2027, 8, 31),
    ]  # fmt: skip
    assert pwlb.payment_dates(date(2026, 8, 31), 3, 3, first_days=10) == [
        date(2026, 8, 31), date(2026, 9, 10), date(2026, 12, 10), date(2027, 3, 10),
    ]  # fmt: skip


# --- all-in rates ---------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_without_a_fee_it_is_the_effective_rate(method):
    loan = pwlb.schedule(1_000_000, 0.0587, 10, method, rounding=False)
    assert pwlb.all_in_rate(loan, 0) == pytest.approx(pwlb.effective_rate(0.0587), abs=1e-12)


def test_a_fee_by_hand():
    """£1,000 for a year at 10%, £50 off the advance: 50 and 1,050 against 950.

    950 x^2 - 50 x - 1,050 = 0 has x = (50 + sqrt(50^2 + 4 950 1,050)) / 1,900 a half-year.
    """
    loan = pwlb.schedule(1_000, 0.10, 1, "maturity")
    x = (50 + (50**2 + 4 * 950 * 1_050) ** 0.5) / 1_900
    assert pwlb.all_in_rate(loan, 50) == pytest.approx(x**2 - 1, abs=1e-12)


def test_a_variable_loan_by_its_periods():
    """1% a month of simple interest, paid monthly, is 1.01^12 - 1 a year."""
    loan = pwlb.variable_schedule(1_000_000, 0.12, 2, "eip", 1, rounding=False)
    assert pwlb.all_in_rate(loan, 0) == pytest.approx(1.01**12 - 1, abs=1e-12)


def test_a_broken_first_period_by_its_days():
    """The all-in rate is what brings all payments back to the advance on their days, ACT / 365."""
    loan = pwlb.schedule(1_000_000, 0.05, 2, "eip", first_days=90)
    days = pwlb.payment_dates(date(2026, 10, 1), 4, first_days=90)
    rate = pwlb.all_in_rate(loan, 350, dates=days)
    worth = [
        paid * (1 + rate) ** (-(day - days[0]).days / 365)
        for paid, day in zip(loan.payment, days[1:], strict=True)
    ]
    assert sum(worth) == pytest.approx(1_000_000 - 350, abs=1e-5)


def test_a_fee_makes_a_loan_dearer():
    loan = pwlb.schedule(1_000_000, 0.05, 5, "annuity")
    rates = [pwlb.all_in_rate(loan, fee) for fee in (0, pwlb.fees(1_000_000), 10_000)]
    assert rates == sorted(rates)
    assert len(set(rates)) == 3


@pytest.mark.parametrize(
    ("fee", "dates", "field"),
    [(1_000, None, "fee"), (-1, None, "fee"), ("much", None, "fee"), (1, [date(2026, 1, 1)], "dates")],
)
def test_an_all_in_rate_that_is_none_is_refused(fee, dates, field):
    loan = pwlb.schedule(1_000, 0.05, 5, "eip")
    with pytest.raises(InputError) as caught:
        pwlb.all_in_rate(loan, fee, dates=dates)
    assert caught.value.field == field


def test_it_is_the_irr_of_the_kernels():
    loan = pwlb.schedule(2_500_000, 0.0567, 20, "annuity")
    flows = [[-(2_500_000 - 875.0)], *([paid] for paid in loan.payment)]
    assert pwlb.fees(2_500_000) == Decimal("875.00")
    assert pwlb.all_in_rate(loan, 875) == pytest.approx(float(returns.irr(flows, 2)[0]), abs=1e-15)
