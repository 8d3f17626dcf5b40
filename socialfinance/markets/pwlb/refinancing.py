"""A loan that is refinanced when it ends, at a rate not known today: a process for that rate, and the cost.

Nothing here is rounded. Arrays are ``(period, path)``, half-years from the first advance, or ``(path,)``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from socialfinance.core.errors import InputError
from socialfinance.kernels import returns
from socialfinance.kernels.luck import uniform_block
from socialfinance.kernels.schedules import check_method
from socialfinance.markets.pwlb.checks import (
    A_FRACTION,
    LONGEST,
    Amount,
    between,
    fraction,
    half_years,
    pounds,
    whole,
)
from socialfinance.markets.pwlb.loans import fees

Array = NDArray[np.float64]

LEAST_RATE = 0.0001
"""The lowest rate that is charged, 0.01% a year (DMO, for loans agreed from 8 September 2021)."""
_STREAM = int.from_bytes(b"pwlbrate", "little")
"""Second word of the key of these draws: the first is the seed."""


@dataclass(frozen=True)
class RateProcess:
    """A rate that returns to its mean, as fractions a year; by assumption of whoever states it.

    r_(t+1) = m + (r_t - m) e^(-k) + sigma sqrt((1 - e^(-2k)) / (2k)) z, z standard normal: a year of
    dr = k (m - r) dt + sigma dW (Vasicek 1977), exactly. ``reversion`` k is a year^-1 (half of a gap is gone
    in ln 2 / k years; nil is a random walk), ``volatility`` sigma a year^-1/2. What is charged is r_t, or
    ``floor`` where that is higher; r_t itself goes on below it.
    """

    start: float
    mean: float
    reversion: float
    volatility: float
    floor: float = LEAST_RATE

    def __post_init__(self) -> None:
        for name in ("start", "mean", "volatility", "floor"):
            fraction(getattr(self, name), name)
        between(self.reversion, Decimal(0), Decimal(100), "reversion", "0 to 100 a year")

    @property
    def yearly_sd(self) -> float:
        """Standard deviation of a year's step: sigma sqrt((1 - e^(-2k)) / (2k)), sigma where k is nil."""
        twice = 2.0 * self.reversion
        return self.volatility * math.sqrt(-math.expm1(-twice) / twice if twice else 1.0)


def rate_paths(process: RateProcess, years: int, paths: int, seed: int = 1) -> Array:
    """Rates charged ``(year, path)``: row 0 is today's, row t that in t years.

    The draw of a path and year is fixed by the seed: path 7 is the same whatever the number of paths.
    """
    from scipy.special import ndtri

    span = whole(years, "years", 0, LONGEST)
    numbers = np.arange(whole(paths, "paths", 1, 1_000_000), dtype=np.uint64)
    luck = ndtri(uniform_block(whole(seed, "seed", 0, 2**64 - 1), _STREAM, range(span), numbers))
    rates = np.empty((span + 1, len(numbers)))
    rates[0] = process.start
    stays = math.exp(-process.reversion)
    for year, z in enumerate(luck, 1):
        rates[year] = process.mean + (rates[year - 1] - process.mean) * stays + process.yearly_sd * z
    return np.maximum(rates, process.floor)


class LongLoan(NamedTuple):
    """One loan for the whole term, at today's rate, to hold a refinancing against."""

    total_interest: float
    """pounds"""
    present_value: float
    """of what is paid and the fee, pounds"""
    all_in_rate: float
    """annual effective, with the fee"""
    discount_rate: float
    """at which present values are taken, annual effective"""


class Refinancing(NamedTuple):
    """What two loans cost, one after the other, path by path; pounds and fractions a year."""

    service: Array
    """``(period, path)``: interest, and principal that is not borrowed again, by half-year"""
    refinanced: float
    """borrowed again when the first loan ends"""
    fees: tuple[float, float]
    """on the first advance and on the second [unverified]"""
    total_interest: Array
    present_value: Array
    """of service and fees, at the long loan's discount rate"""
    all_in_rate: Array
    """annual effective, with both fees"""
    long: LongLoan
    """one loan of the first one's method for the whole term"""
    break_even_rate: float
    """the new loan's rate at which both cost the same all in; NaN where no rate from 0 to 1 does that"""


def refinance(
    principal: Amount, rate: float, years: float, method: str, again_years: float, again_method: str,
    rates: ArrayLike, *, long_rate: float, amortise_over: float | None = None,
    discount_rate: float | None = None,
) -> Refinancing:  # fmt: skip
    """Borrow for some years, and borrow what is then still owed again, at a rate not known today.

    The all-in rate y solves principal - fee = sum of (service_k + fee_k) / (1 + y)^(k / 2), k in half-years
    from 1, the second fee at the end of the first loan. At the break-even rate y is that of the long loan.

    Parameters
    ----------
    principal, rate, years, method
        The first loan: pounds, a fraction nominal a year, its term and its method.
    again_years, again_method
        The second loan, of what is owed at the end of the first.
    rates
        Its rate, nominal a year: one number, or one for each path, as in ``rate_paths(...)[years]``.
    long_rate
        Today's rate for one loan over both terms by the first method.
    amortise_over
        Years over which the first loan would repay if it went on: EIP and annuity then leave something at
        the end (n of N half-years paid: P (1 - n / N), or P ((1 + i)^N - (1 + i)^n) / ((1 + i)^N - 1)). By
        default its own term, which leaves nothing. A maturity loan leaves all of P. No lender's product is
        meant: the PWLB's loans amortise over their own term.
    discount_rate
        Annual effective, for present values; by default the all-in rate of the long loan.
    """
    n, m, over = _terms(years, method, again_years, again_method, amortise_over)
    amount, again = float(pounds(principal)), _rates(rates) / 2
    now, throughout = (
        np.full_like(again, float(fraction(given, name)) / 2)
        for given, name in ((rate, "rate"), (long_rate, "long_rate"))
    )
    first = _balances(amount, now, n, over, method)
    owed = float(first[-1, 0])
    second = _cleared(_balances(owed, again, m, m, again_method))
    charged = _fees(principal, owed)
    service = np.concatenate([_service(first, now), _service(second, again)])
    outlay = np.concatenate([np.full_like(service[:1], charged[0]), service])
    outlay[n] += charged[1]
    long = _long_loan(amount, charged[0], throughout[:1], n + m, method, discount_rate)
    same = _break_even(outlay[: n + 1, 0], amount, owed, m, again_method, long.all_in_rate)
    return Refinancing(
        service, owed, charged, service.sum(axis=0) - amount, returns.npv(outlay, long.discount_rate, 2),
        _all_in(outlay, amount), long, same,
    )  # fmt: skip


def _long_loan(
    amount: float, fee: float, half_yearly: Array, n: int, method: str, discount_rate: float | None
) -> LongLoan:
    service = _service(_cleared(_balances(amount, half_yearly, n, n, method)), half_yearly)
    outlay = np.concatenate([np.full((1, 1), fee), service])
    cost = float(_all_in(outlay, amount)[0])
    at = cost if discount_rate is None else float(fraction(discount_rate, "discount_rate"))
    return LongLoan(float(service.sum()) - amount, float(returns.npv(outlay, at, 2)[0]), cost, at)


def _terms(
    years: float, method: str, again_years: float, again_method: str, amortise_over: float | None
) -> tuple[int, int, int]:
    """Half-years of both loans, and of the first one's amortisation."""
    n = half_years(years, check_method(method))
    m = half_years(again_years, check_method(again_method), "again_years")
    if n + m > 2 * LONGEST:
        raise InputError("is too long after the first loan", field="again_years", given=again_years,
                         allowed=f"up to {LONGEST - n / 2:g} years")  # fmt: skip
    over = n if amortise_over is None else half_years(amortise_over, check_method(method), "amortise_over")
    if over < n or (method == "maturity" and over != n):
        allowed = "none for a maturity loan" if method == "maturity" else f"{years:g} years or more"
        raise InputError("does not fit the first loan", field="amortise_over", given=amortise_over,
                         allowed=allowed)  # fmt: skip
    return n, m, over


def _rates(given: ArrayLike) -> Array:
    """The new loan's rate, one for each path."""
    try:
        rates = np.atleast_1d(np.asarray(given, dtype=np.float64))
    except (TypeError, ValueError):
        raise InputError("is not a number", field="rates", given=given, allowed=A_FRACTION) from None
    if rates.ndim > 1 or not rates.size:
        raise InputError("must be one rate, or one for each path", field="rates",
                         given=f"shape {rates.shape}", allowed="rate_paths(...)[years]")  # fmt: skip
    wrong = rates[~((rates >= 0.0) & (rates <= 1.0))]
    if wrong.size:
        raise InputError("is out of range", field="rates", given=float(wrong[0]), allowed=A_FRACTION)
    return rates


def _fees(principal: Amount, owed: float) -> tuple[float, float]:
    """The fee on each of both advances; nil where nothing is borrowed again."""
    first = float(fees(principal))
    if first >= pounds(principal):
        raise InputError("is all taken by the fee", field="principal", given=principal,
                         allowed=f"above {first:,.2f} pounds")  # fmt: skip
    return first, float(fees(owed)) if owed > 0.0 else 0.0


def _balances(amount: float, half_yearly: Array, n: int, over: int, method: str) -> Array:
    """Owed after each of n half-years, ``(n + 1, path)``, of a loan that repays over ``over`` of them.

    After k: maturity P; EIP P (1 - k / over); annuity P (1 - ((1 + i)^k - 1) / ((1 + i)^over - 1)).
    """
    k = np.arange(n + 1.0)[:, None]
    evenly = np.broadcast_to(k / over, (n + 1, len(half_yearly)))
    if method == "maturity":
        repaid = np.zeros_like(evenly)
    elif method == "eip":
        repaid = evenly
    else:
        growth = np.log1p(np.where(half_yearly > 0.0, half_yearly, 1.0))
        repaid = np.where(half_yearly > 0.0, np.expm1(k * growth) / np.expm1(over * growth), evenly)
    return np.asarray(amount * (1.0 - repaid))


def _cleared(balances: Array) -> Array:
    """What is left at the end is repaid."""
    return np.concatenate([balances[:-1], np.zeros_like(balances[-1:])])


def _service(balances: Array, half_yearly: Array) -> Array:
    """Interest on the opening balance and what the balance falls by, each half-year."""
    return np.asarray(half_yearly * balances[:-1] - np.diff(balances, axis=0))


def _all_in(outlay: Array, amount: float) -> Array:
    """Annual effective rate of all that is paid against the amount lent."""
    flows = outlay.copy()
    flows[0] -= amount
    return returns.irr(flows, 2)


def _break_even(outlay: Array, amount: float, owed: float, m: int, again_method: str, all_in: float) -> float:
    """The new loan's rate at which the all-in rate is that of the long loan.

    With v the half-year's discount factor at that rate and w(r) the worth, when it begins, of a new loan's
    payments for each pound: amount = sum of outlay_k v^k up to the first loan's end n + owed w(r) v^n.
    """
    from scipy.optimize import brentq

    if owed <= 0.0:
        return math.nan
    n = len(outlay) - 1
    discount = (1.0 + all_in) ** (-np.arange(max(n, m) + 1) / 2)
    wanted = (amount - float(outlay @ discount[: n + 1])) / (owed * float(discount[n]))

    def short(rate: float) -> float:
        half_yearly = np.array([rate / 2])
        paid = _service(_cleared(_balances(1.0, half_yearly, m, m, again_method)), half_yearly)
        return float(paid[:, 0] @ discount[1 : m + 1]) - wanted

    if short(0.0) > 0.0 or short(1.0) < 0.0:
        return math.nan
    return float(brentq(short, 0.0, 1.0, xtol=1e-15))
