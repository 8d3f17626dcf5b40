"""Loans at fixed and variable rates: every instalment, fees, early repayment, and what they cost all in.

Sources: UK Debt Management Office (DMO), technical notes and the formula for premature repayment.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal, localcontext
from itertools import pairwise
from numbers import Real
from typing import TYPE_CHECKING, NamedTuple, cast

from socialfinance.core.errors import InputError
from socialfinance.core.time import add_months
from socialfinance.kernels import returns
from socialfinance.kernels.schedules import Instalment, check_method, pence_schedule, to_pence
from socialfinance.markets.pwlb.checks import (
    A_FRACTION,
    LARGEST,
    LONGEST,
    Amount,
    between,
    fraction,
    half_years,
    pounds,
    term,
    whole,
)

if TYPE_CHECKING:
    import pandas as pd

VARIABLE_YEARS = (1, 10)
"""Shortest and longest term of a variable-rate loan [unverified: PWLB Circular 163, October 2021]."""
NO_RATE = Decimal("1e-30")
"""Half-yearly rates below it are nil: 1 + i would lose them, and (1 - (1 + i)^-n) / i with them."""
RESETS = (1, 3, 6)
"""Months between resets of its rate [unverified, as above; rates are published for these]."""


def effective_rate(nominal: float) -> float:
    """Annual effective rate (1 + r / 2)^2 - 1 of a PWLB rate r: 0.0587 is 0.05956."""
    return float(returns.effective_rate(nominal, 2))


def schedule(
    principal: Amount, rate: float, years: float, method: str, *, rounding: bool = True,
    first_days: int | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Half-yearly instalments of a fixed-rate loan; the first six months after the advance.

    Columns: ``period`` from 1, ``interest``, ``principal``, ``payment``, ``balance`` after it, pounds. Each
    interest and principal is rounded half-up to a penny and the last instalment clears the balance, or, with
    ``rounding=False``, nothing is rounded. ``rate`` is a fraction, nominal a year. Terms are whole
    half-years: maturity 1 to 50 years, EIP and annuity 2 to 50 [unverified: PWLB Circular 163, October 2021].
    The formulas are those of ``socialfinance.kernels.schedules``, where the same is in decimals.

    ``first_days``, 1 to 182, is for a broken first period: the first instalment falls due so many days after
    the advance, the others each half a year later. Its interest is P r days / 365 [unverified]; every
    principal stays what it is over full half-years, and so does all other interest. The first payment of an
    annuity is therefore below the level payment by the interest that its shorter period does not bear.
    """
    import pandas as pd

    amount, yearly = pounds(principal), fraction(rate)
    count = half_years(years, check_method(method))
    rows = list(pence_schedule(amount, yearly / 2, count, method, rounding=rounding).rows)
    if first_days is not None:
        days = whole(first_days, "first_days", 1, 182)
        borne = _simple_interest(amount, yearly, Decimal(days), rounding)
        rows[0] = rows[0]._replace(interest=borne, payment=borne + rows[0].principal)
    return pd.DataFrame({"period": [row.period for row in rows], **_money(rows)})


def variable_schedule(
    principal: Amount, rates: Amount | Sequence[Amount], years: float, method: str, reset_months: int, *,
    on: date | None = None, principal_months: int = 6, rounding: bool = True,
) -> pd.DataFrame:  # fmt: skip
    """Instalments of a variable-rate loan: a row for each period between resets of its rate.

    Columns: ``period`` from 1, its ``months`` and ``rate``, then ``interest``, ``principal``, ``payment`` and
    ``balance`` after it, in pounds. ``rates`` is one fraction a year, or one for each period in order. Method
    ``eip`` or ``maturity``, terms of 1 to 10 years by half-years, a reset every 1, 3 or 6 months [all
    unverified: PWLB Circular 163, October 2021].

    Interest on the opening balance B is B r days / 365 [unverified], due at the period's end [unverified].
    Days are those of the calendar from the advance, ``on``; without it 365 / 12 a month, so interest is
    B r months / 12. EIP repays equal parts of P, one every ``principal_months``: six, or as often as the rate
    is reset, as a second-hand account of these loans has it [unverified], never more than is owed. Rounding
    as in ``schedule``.
    """
    import pandas as pd

    check_variable_method(method)
    amount, half = pounds(principal), term(years, *VARIABLE_YEARS, "a variable-rate")
    months = _one_of(reset_months, RESETS, "reset_months")
    every = _one_of(principal_months, [m for m in RESETS if m % months == 0], "principal_months")
    count = 6 * half // months
    yearly = _rate_of_each(rates, count)
    rows: list[Instalment] = []
    with localcontext(prec=50):
        owed, share = amount, amount * every / (6 * half)
        for period, (rate, days) in enumerate(zip(yearly, _days(on, count, months), strict=True), 1):
            borne = _simple_interest(owed, rate, days, rounding)
            due = share if method == "eip" and period * months % every == 0 else Decimal(0)
            repaid = owed if period == count else min(owed, to_pence(due) if rounding else due)
            owed -= repaid
            rows.append(Instalment(period, repaid, borne, repaid + borne, owed))
    head = {"period": range(1, count + 1), "months": months, "rate": [float(rate) for rate in yearly]}
    return pd.DataFrame({**head, **_money(rows)})


def check_variable_method(method: str) -> None:
    """Variable-rate loans are repaid by equal instalments of principal or at the end."""
    if check_method(method) == "annuity":
        raise InputError("is no method of a variable-rate loan", field="method", given=method,
                         allowed="eip, maturity")  # fmt: skip


def _rate_of_each(rates: Amount | Sequence[Amount], count: int) -> list[Decimal]:
    """The rate of each period; InputError where one is missing."""
    if isinstance(rates, str | Decimal | Real):
        return [fraction(rates, "rates")] * count
    each = list(cast("Sequence[Amount]", rates))
    if len(each) != count:
        raise InputError("do not cover the term", field="rates", given=f"{len(each)} rates",
                         allowed=f"one, or {count}: one for each period between resets")  # fmt: skip
    for period, rate in enumerate(each, 1):
        if rate is None or rate != rate:
            raise InputError("have a hole", field="rates", given=f"no rate for period {period}",
                             allowed=A_FRACTION)  # fmt: skip
    return [fraction(rate, f"rates[{period}]") for period, rate in enumerate(each, 1)]


def _days(on: date | None, count: int, months: int) -> list[Decimal]:
    """Days of each period: the calendar's, or 365 / 12 a month."""
    if on is None:
        return [Decimal(365 * months) / 12] * count
    days = payment_dates(on, count, months)
    return [Decimal((end - start).days) for start, end in pairwise(days)]


def _one_of(given: int, known: Sequence[int], field: str) -> int:
    if given not in known:
        raise InputError("is not offered", field=field, given=given, allowed=", ".join(map(str, known)))
    return given


def _simple_interest(owed: Decimal, rate: Decimal, days: Decimal, rounding: bool) -> Decimal:
    """Simple interest B r days / 365."""
    unrounded = owed * rate * days / 365
    return to_pence(unrounded) if rounding else unrounded


def _money(rows: Sequence[Instalment]) -> dict[str, list[float]]:
    names = ("interest", "principal", "payment", "balance")
    return {name: [float(getattr(row, name)) for row in rows] for name in names}


def payment_dates(on: date, count: int, months: int = 6, first_days: int | None = None) -> list[date]:
    """The day of the advance and of ``count`` payments, ``months`` apart; the first after ``first_days``.

    A day that a month does not have is its last day.
    """
    if first_days is None:
        return [add_months(on, months * k) for k in range(count + 1)]
    first = on + timedelta(days=whole(first_days, "first_days", 1, 182))
    return [on, *(add_months(first, months * k) for k in range(count))]


def all_in_rate(loan: pd.DataFrame, fee: Amount, *, dates: Sequence[date] | None = None) -> float:
    """What a loan costs with its fee: the annual effective rate r, a fraction.

    sum of payment_t / (1 + r)^t = principal - fee, t in years. ``loan`` is what ``schedule`` or
    ``variable_schedule`` gives, ``fee`` pounds off the advance, such as ``fees(principal)``. Payments are
    equally far apart, or fall on ``dates`` (the advance's day first, as in ``payment_dates``), ACT/365: give
    these where the first period is broken.
    """
    advance = float(loan["principal"].sum())
    charged = float(pounds(fee, "fee"))
    if charged >= advance:
        raise InputError("leaves nothing of the advance", field="fee", given=fee,
                         allowed=f"below {advance:,.2f} pounds")  # fmt: skip
    flows = [charged - advance, *map(float, loan["payment"])]
    if dates is None:
        months = int(loan["months"].iloc[0]) if "months" in loan else 6
        return float(returns.irr([[flow] for flow in flows], 12 // months)[0])
    if len(dates) != len(flows):
        raise InputError("are not the day of the advance and of each payment", field="dates",
                         given=f"{len(dates)} days", allowed=f"{len(flows)} days")  # fmt: skip
    return float(returns.xirr(dates, flows).rate)


class PrematureRepayment(NamedTuple):
    """What a lender is paid beside what is outstanding when a fixed-rate loan is repaid early, pounds."""

    amount: Decimal
    """premium where positive, discount where negative"""
    accrued_interest: Decimal
    """since the last interest payment"""
    factor: Decimal
    """amount over what is outstanding, unrounded"""
    total: Decimal
    """outstanding, amount and accrued interest together"""


def premature_repayment(
    method: str, outstanding: Amount, loan_rate: float, repayment_rate: float, remaining_half_years: int,
    days: int = 0,
) -> PrematureRepayment:  # fmt: skip
    """Premium or discount on early repayment, by the lender's formula.

    With l and d half the loan's and the repayment rate, N half-years left, D days since interest was last
    paid, a(i, N) = (1 - (1 + i)^-N) / i, A = 1 + d D / 182.5 and B = 1 + l D / 182.5, per pound outstanding:
    maturity A (l a(d, N) + (1 + d)^-N) - B; EIP A ((a(d, N) / N) (1 - l / d) + l / d) - B; annuity
    A a(d, N) / a(l, N) - B. Accrued interest is l D / 182.5. The repayment rate is that published for
    premature repayment, for the same method and the years left: ``rate(..., kind="premature")``. Source:
    PWLB, Formula for calculating the premium or discount on premature repayment of half-yearly fixed-rate
    loans (Debt Management Office).
    """
    check_method(method)
    n = whole(remaining_half_years, "remaining_half_years", 1, 2 * LONGEST)
    passed = Decimal(whole(days, "days", 0, 183)) / Decimal("182.5")
    owed = between(outstanding, Decimal(0), LARGEST, "outstanding", f"0 to {LARGEST:,f} pounds")
    with localcontext(prec=100):
        loan = between(loan_rate, Decimal(0), Decimal(1), "loan_rate", A_FRACTION) / 2
        now = between(repayment_rate, Decimal(0), Decimal(1), "repayment_rate", A_FRACTION) / 2
        if method == "maturity":
            worth = loan * _annuity(now, n) + (1 + now) ** -n
        elif method == "eip":
            # interest l on the balance and 1 / N of principal each half-year; its limit where d is nil
            later = (1 - _annuity(now, n) / n) / now if now > NO_RATE else Decimal(n + 1) / 2
            worth = _annuity(now, n) / n + loan * later
        else:
            worth = _annuity(now, n) / _annuity(loan, n)
        factor = (1 + now * passed) * worth - (1 + loan * passed)
        amount = to_pence(owed * factor) + Decimal(0)
        interest = to_pence(owed * loan * passed)
    return PrematureRepayment(amount, interest, factor, owed + amount + interest)


def _annuity(rate: Decimal, n: int) -> Decimal:
    """Worth of 1 a half-year, n times: (1 - (1 + i)^-n) / i, or n at no interest."""
    return (1 - (1 + rate) ** -n) / rate if rate > NO_RATE else Decimal(n)


def fees(principal: Amount, kind: str = "fixed") -> Decimal:
    """Fee on an advance, in pounds: 35p per 1,000 at a fixed rate, 45p variable, at least 25.

    [unverified]: PWLB Circular 163, October 2021, not confirmed.
    """
    per_thousand = {"fixed": Decimal("0.35"), "variable": Decimal("0.45")}
    if kind not in per_thousand:
        raise InputError("unknown kind of loan", field="kind", given=kind, allowed="fixed, variable")
    return max(to_pence(pounds(principal) / 1000 * per_thousand[kind]), Decimal("25.00"))


def interest(principal: Amount, rate: float, days: int) -> Decimal:
    """Simple interest P r days / 365, to the penny: a broken first period, or one of a variable-rate loan.

    [unverified]: inferred from D / 182.5 in the lender's premature repayment formula.
    """
    return to_pence(pounds(principal) * fraction(rate) * whole(days, "days", 0, 366) / 365)
