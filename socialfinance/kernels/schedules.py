"""Repayment of a loan by equal intervals: in pence for a loan ledger, in floats for the simulation.

Three methods: ``maturity`` (principal at the end), ``eip`` (equal instalments of principal) and
``annuity`` (level payments). Interest accrues at the interval's rate on the opening balance.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Literal, NamedTuple, cast, get_args

import numpy as np
from numpy.typing import NDArray

from socialfinance.core.errors import InputError
from socialfinance.kernels.annuity import capital_recovery_factor

Method = Literal["maturity", "eip", "annuity"]
METHODS: tuple[str, ...] = get_args(Method)

PENNY = Decimal("0.01")


class Instalment(NamedTuple):
    """One row of a loan schedule, in pounds; ``balance`` is what is still owed after it."""

    period: int
    principal: Decimal
    interest: Decimal
    payment: Decimal
    balance: Decimal


class LoanSchedule(NamedTuple):
    """All instalments of a loan and their totals, in pounds."""

    rows: tuple[Instalment, ...]
    total_interest: Decimal
    total_paid: Decimal


class Schedule(NamedTuple):
    """Principal and interest of each instalment, unrounded pounds, ``(n,)`` each."""

    principal: NDArray[np.float64]
    interest: NDArray[np.float64]


def check_method(method: str) -> Method:
    """The method itself, or an error that names the three."""
    if method not in METHODS:
        raise InputError("unknown repayment method", field="method", given=method, allowed=", ".join(METHODS))
    return cast(Method, method)


def schedule(principal: float, half_yearly_rate: float, n: int, method: str) -> Schedule:
    """Unrounded schedule of n instalments: the simulation's version of ``pence_schedule``.

    Balance before instalment k of n, k from 0: maturity P; EIP P (1 - k / n);
    annuity P ((1 + i)^n - (1 + i)^k) / ((1 + i)^n - 1).
    """
    method = check_method(method)
    _check_instalments(n)
    if method == "maturity":
        repaid = np.zeros(n)
        repaid[-1] = principal
    elif method == "eip":
        repaid = np.full(n, principal / n)
    else:
        first = principal * (capital_recovery_factor(half_yearly_rate, n) - half_yearly_rate)
        repaid = first * np.exp(np.arange(n) * np.log1p(half_yearly_rate))
    owed = principal - np.concatenate([[0.0], np.cumsum(repaid[:-1])])
    return Schedule(repaid, half_yearly_rate * owed)


def pence_schedule(
    principal: Decimal | int | str | float,
    half_yearly_rate: Decimal | str | float,
    n: int,
    method: str,
    *,
    rounding: bool = True,
) -> LoanSchedule:
    """Schedule of n instalments, each interest and principal item rounded half-up to a penny.

    Interest is i times the opening balance; principal is nil (maturity), P / n (EIP) or the level
    payment P i / (1 - (1 + i)^-n) less interest (annuity), never more than is owed. The last instalment
    clears the balance.
    ``rounding=False`` gives the same rows unrounded, to 50 digits. PWLB publishes no rounding rule;
    this one agrees with balances in its loan data.
    """
    method = check_method(method)
    _check_instalments(n)
    with localcontext(prec=50):
        amount, rate = Decimal(str(principal)), Decimal(str(half_yearly_rate))
        level = _level_payment(amount, rate, n)
        rows: list[Instalment] = []
        owed = amount
        for period in range(1, n + 1):
            interest = to_pence(owed * rate) if rounding else owed * rate
            due = {"maturity": Decimal(0), "eip": amount / n, "annuity": level - interest}[method]
            repaid = owed if period == n else min(owed, to_pence(due) if rounding else due)
            owed -= repaid
            rows.append(Instalment(period, repaid, interest, repaid + interest, owed))
        total = sum((row.interest for row in rows), Decimal(0))
        return LoanSchedule(tuple(rows), total, total + amount)


def to_pence(amount: Decimal) -> Decimal:
    """The amount to the nearest penny, halves up."""
    return amount.quantize(PENNY, ROUND_HALF_UP)


def _level_payment(principal: Decimal, rate: Decimal, n: int) -> Decimal:
    if rate == 0:
        return principal / n
    return principal * rate / (1 - (1 + rate) ** -n)


def _check_instalments(n: int) -> None:
    if n < 1:
        raise InputError("a loan needs at least one instalment", field="n", given=n, allowed="1 or more")
