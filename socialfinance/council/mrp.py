"""Minimum revenue provision (MRP): what a council sets aside each year to repay debt for capital spending.

England. Charges begin in the financial year after the spending, or after the asset is in use, and end when
all of it has been charged. Amounts are pounds; those by year are arrays from the first year of charge, each
year's end rounded half-up to a penny. Sources: Local Authorities (Capital Finance and Accounting) (England)
Regulations 2003 (SI 2003/3146), regulations 27 and 28; Ministry of Housing, Communities and Local Government,
Capital finance: guidance on minimum revenue provision (5th edition), 10 April 2024.
"""

from __future__ import annotations

from datetime import date
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal, localcontext
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from socialfinance.core.errors import InputError
from socialfinance.council.numbers import ANY, NOT_NEGATIVE, Array, number, numbers, whole

LONGEST_LIFE = 50
"""Years of the longest life without evidence for a longer one."""
CAPITALISATION_LIFE = 20
"""Years over which spending under a capitalisation direction is charged (Arlingclose)."""
SUPPORTED_UNTIL = date(2008, 3, 31)
"""Last day of spending for which the regulatory and the CFR method are open, unless debt is supported."""
RATE = (0.0, 1.0, "a fraction a year from 0 to 1: 0.045 is 4.5%")
PENNY = Decimal("0.01")


def annuity(amount: float, life: int, rate: float) -> Array:
    """Asset life, annuity method: the principal of a level payment at ``rate`` a year over ``life`` years.

    MRP_k = P (1 + r)^(k - 1) r / ((1 + r)^life - 1), k from 1; P / life where r is nil. ``rate`` is commonly
    the PWLB's annuity rate. Option 3b of the guidance.
    """
    with localcontext(prec=50):
        owed, r = _pounds("amount", amount), Decimal(str(number("rate", rate, RATE)))
        years = whole("life", life, 1, LONGEST_LIFE)
        grown = (1 + r) ** years - 1
        if not grown:
            return equal_instalments(amount, life)
        first = owed * r / grown
        return _charged([first * (1 + r) ** k for k in range(years)], owed)


def equal_instalments(amount: float, life: int) -> Array:
    """Asset life, equal instalments: P / life a year. Option 3a of the guidance."""
    with localcontext(prec=50):
        owed, years = _pounds("amount", amount), whole("life", life, 1, LONGEST_LIFE)
        return _charged([owed / years] * years, owed)


def capitalisation_direction(amount: float, rate: float | None = None) -> Array:
    """Spending under a capitalisation direction, over 20 years: equal instalments, or an annuity."""
    if rate is None:
        return equal_instalments(amount, CAPITALISATION_LIFE)
    return annuity(amount, CAPITALISATION_LIFE, rate)


def depreciation(
    cost: float, residual: float = 0.0, life: int = LONGEST_LIFE, financed: float | None = None
) -> Array:
    """Depreciation method, straight line: (cost - residual) / life a year, until the debt has been charged.

    ``financed`` is the part of the cost that debt paid for, pounds; the charge goes on at the same amount
    until all of it is charged, even where the asset is worth its residual by then. Default the depreciable
    amount, so ``life`` years. Option 4 of the guidance.
    """
    with localcontext(prec=50):
        whole_cost, left = _pounds("cost", cost), _pounds("residual", residual)
        years = whole("life", life, 1, LONGEST_LIFE)
        if left >= whole_cost:
            raise InputError("must be below cost", field="residual", given=residual, allowed=f"below {cost}")
        each = (whole_cost - left) / years
        owed = whole_cost - left if financed is None else _pounds("financed", financed)
        if owed > whole_cost:
            raise InputError("is more than cost", field="financed", given=financed, allowed=f"at most {cost}")
        count = max(1, int((owed / each).to_integral_value(ROUND_CEILING)))
        return _charged([each] * count, owed)


def cfr_four_per_cent(cfr: float, years: int, spent: date, supported: bool = False) -> Array:
    """CFR method: 4% a year of what is left, for ``years`` years; it never ends.

    Open only for debt that the government supported, or spending before 1 April 2008; InputError for newer
    spending. Option 2 of the guidance; option 1, the regulatory method, takes Adjustment A off ``cfr`` first.
    """
    if spent > SUPPORTED_UNTIL and not supported:
        raise InputError(
            "the CFR method is not open for this spending", field="spent", given=spent.isoformat(),
            allowed=f"up to {SUPPORTED_UNTIL.isoformat()}, or supported debt; else by asset life",
        )  # fmt: skip
    left, found = number("cfr", cfr), []
    for _ in range(whole("years", years, 1, 200)):
        found.append(0.04 * left)
        left -= found[-1]
    return np.array(found)


def expected_loss(losses: ArrayLike) -> Array:
    """Capital loans for a service: what is expected to be lost on them, in full in the year it is recognised.

    ``losses`` is the allowance for expected credit loss at each year end, pounds; the charge is its rise,
    never below nil. Commercial loans bear MRP in full. Source: Arlingclose on the guidance of 10 April 2024
    [unverified: final text].
    """
    allowance = numbers("losses", losses)
    charged = np.diff(allowance, prepend=0.0)
    kept: Array = np.maximum(charged, 0.0)
    return kept


class Roll(NamedTuple):
    """The capital financing requirement by year, in the unit given."""

    open_cfr: Array
    net_financing_need: Array
    close_cfr: Array


def cfr_roll(
    open_cfr: float, capex: ArrayLike, grants: ArrayLike = 0.0, receipts: ArrayLike = 0.0,
    revenue_financing: ArrayLike = 0.0, mrp: ArrayLike = 0.0, pfi_additions: ArrayLike = 0.0,
) -> Roll:  # fmt: skip
    """The capital financing requirement rolled forward, year by year.

    close = open + (capex - grants - receipts - revenue financing) + leases and PFI - MRP, voluntary
    provision included; the bracket is the net financing need. One number stands for every year. Source:
    CIPFA, Prudential Code 2021 [unverified].
    """
    given: dict[str, Any] = {
        "capex": capex, "grants": grants, "receipts": receipts, "revenue_financing": revenue_financing,
        "mrp": mrp, "pfi_additions": pfi_additions,
    }  # fmt: skip
    arrays = {name: np.atleast_1d(numbers(name, value, NOT_NEGATIVE)) for name, value in given.items()}
    years = max(len(array) for array in arrays.values())
    for name, array in arrays.items():
        if len(array) not in (1, years):
            allowed = f"one number, or {years}, one a year"
            raise InputError("has another number of years", field=name, given=len(array), allowed=allowed)
    need = arrays["capex"] - arrays["grants"] - arrays["receipts"] - arrays["revenue_financing"]
    moved = np.broadcast_to(need + arrays["pfi_additions"] - arrays["mrp"], (years,))
    close = number("open_cfr", open_cfr, ANY) + np.cumsum(moved)
    return Roll(close - moved, np.broadcast_to(need, (years,)).copy(), close)


def _pounds(field: str, given: float) -> Decimal:
    number(field, given, (0.0, 1e12, "0 to 1,000,000,000,000 pounds"))
    return Decimal(str(given))


def _charged(unrounded: list[Decimal], owed: Decimal) -> Array:
    """To the penny: what is still to be charged is rounded, halves up, so that roundings do not add up."""
    left, found = owed, []
    exact = owed
    for one in unrounded[:-1]:
        exact -= one
        after = exact.quantize(PENNY, ROUND_HALF_UP)
        found.append(float(left - after))
        left = after
    return np.array([*found, float(left)])
