"""Where a council's own money for a people's programme comes from in England, and what each way rests on.

The cost of a people's programme is revenue. A council may not borrow for it unless a direction lets it treat
the cost as capital.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from socialfinance.core.terms import AnnualRate, Name, Pounds, Share, Sourced
from socialfinance.instruments.pwlb_loan import Borrowing

FundedFrom = Literal[
    "revenue budget", "invest-to-save reserve", "flexible capital receipts", "capitalisation direction"
]


class Basis(NamedTuple):
    """What a way of funding rests on."""

    paid: str
    """how the cost is paid"""
    says: str
    """what it allows, and on which condition"""
    rests_on: str
    """who said so, where, and for what date"""
    verified: bool


LAWFUL: dict[FundedFrom, Basis] = {
    "revenue budget": Basis(
        "from the revenue budget",
        "ordinary spending, inside a budget that has to balance each year",
        "Local Government Finance Act 1992, sections 31A and 32",
        False,
    ),
    "invest-to-save reserve": Basis(
        "from an invest-to-save reserve",
        "ordinary spending, met from money set aside and given back out of savings; reserves have to stay "
        "adequate",
        "Local Government Finance Act 1992, sections 32 and 43",
        False,
    ),
    "flexible capital receipts": Basis(
        "from capital receipts, used flexibly",
        "spending of 2025/26 to 2029/30 that is designed to bring lasting savings may be met from sales of "
        "the council's own assets, right-to-buy sales apart, and never from borrowing; the plan is sent to "
        "the ministry before the year",
        "MHCLG, Flexible use of capital receipts: direction of 26 March 2025 under the Local Government Act "
        "2003, sections 16(2)(b) and 20",
        True,
    ),
    "capitalisation direction": Basis(
        "on a capitalisation direction",
        "given case by case to a council in difficulty, for named years and an amount; the cost then counts "
        "as capital and may be borrowed for, with minimum revenue provision over 20 years. That provision is "
        "a charge in the accounts and moves no cash, so it is not in these figures: they have the loan",
        "case by case: MHCLG, Exceptional Financial Support for 2026-27, February 2026; 20 years: "
        "Arlingclose, Capitalisation Direction",
        False,
    ),
}
BORROWING = (
    "a cost-of-money benchmark and not a way to pay: the cost is revenue, and councils cannot borrow for the "
    "revenue cost of reforming a service (DLUHC, Guidance on the flexible use of capital receipts, August "
    "2022)"
)
"""What the PWLB is for revenue spending."""
FOR_CAPITAL = (
    "real borrowing for the cost lines that the file calls capital spending ({lines}); whether they are is "
    "for the council's accounts to say, and the PWLB lends to no council that plans to buy assets mainly for "
    "yield (HM Treasury's guidance, as read by Brodies, May 2022)"
)
"""What it is for capital spending."""


def basis_of(funded_from: FundedFrom) -> str:
    """The way of funding, what it allows and what that rests on, in a sentence."""
    basis = LAWFUL[funded_from]
    mark = "" if basis.verified else " [unverified]"
    return f"paid {basis.paid}: {basis.says} ({basis.rests_on}){mark}"


# --- terms, as they stand in a file --------------------------------------------------------------------


class Reserve(Sourced):
    """An earmarked reserve that is used as cost falls and given back out of what the programme saves.

    The role ``reserve`` pays the commissioner; ``repaid_by`` pays the reserve: first the interest it went
    without, then what was taken.
    """

    amount: Pounds | None = None
    """most that may be out of it at any time; the revenue budget pays the rest; none: no limit"""
    interest_forgone: Annotated[AnnualRate, Field(ge=0)]
    """what its money would have earned; added to what it is owed"""
    repaid_by: Name = "commissioner"
    """role whose cashable savings give it back, as the programme's savings name it"""
    share: Share = 1.0
    """share of those savings"""


class CapitalReceipts(Sourced):
    """Receipts from sold assets, used as cost falls and not given back: role ``capital receipts`` pays."""

    available: Pounds | None = None
    """most that is used; the revenue budget pays the rest; none: no limit"""
    until: date
    """last day of spending that the direction covers; after it the revenue budget pays"""


class Direction(Borrowing):
    """A capitalisation direction: cost is borrowed for as it falls."""

    amount: Pounds | None = None
    """most that may be treated as capital; the revenue budget pays the rest; none: no limit"""
    until: date | None = None
    """last day of spending that it covers; none: all of it"""
