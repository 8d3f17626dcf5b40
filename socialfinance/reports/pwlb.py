"""Loans of the Public Works Loan Board as pages: a schedule, a rate, what it costs to repay early."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from socialfinance.markets import pwlb
from socialfinance.reports.page import Page

if TYPE_CHECKING:
    import pandas as pd

METHODS = {"maturity": "maturity", "eip": "equal instalments of principal", "annuity": "annuity"}


def schedule_page(frame: pd.DataFrame, principal: Decimal, rate: float, method: str, basis: str) -> str:
    """Every half-yearly instalment, with the sums."""
    page = Page()
    page.say(
        f"£{principal:,.2f} over {len(frame) / 2:g} years, {METHODS[method]}, at {rate:.2%} a year, nominal,",
        f"payable half-yearly ({pwlb.effective_rate(rate):.3%} annual effective). {basis}",
    )
    names = ("interest", "principal", "payment", "balance")
    rows = [
        (str(period), *(f"{frame[name].iloc[i]:,.2f}" for name in names))
        for i, period in enumerate(frame["period"])
    ]
    sums = [f"{frame[name].map(str).map(Decimal).sum():,.2f}" for name in names[:3]]
    page.table(
        "Half-yearly, the first six months after the advance (£)",
        ("Period", "Interest", "Principal", "Payment", "Balance"), rows, ("Sum", *sums, ""),
    )  # fmt: skip
    page.say(
        f"Fee on the advance £{pwlb.fees(principal):,.2f} [unverified]. Each interest and principal is",
        "rounded to a penny; the last instalment clears the balance.",
    )
    return page.text


def rate_page(rate: float, years: float, method: str, what: str, table: pwlb.RateTable) -> str:
    """One published rate."""
    page = Page()
    page.say(
        f"{rate:.2%} a year, nominal, payable half-yearly: {pwlb.effective_rate(rate):.3%} annual effective.",
        f"{what}, {METHODS[method]}, {years:g} years, from rates of {table.published}: {table.source}.",
    )
    return page.text


def premature_page(
    found: pwlb.PrematureRepayment, outstanding: Decimal, loan: float, now: float, basis: str
) -> str:
    """What repaying early costs."""
    page = Page()
    name = "Premium" if found.amount >= 0 else "Discount"
    rows = [
        ("Outstanding", f"{outstanding:,.2f}"),
        (name, f"{found.amount:,.2f}"),
        ("Accrued interest", f"{found.accrued_interest:,.2f}"),
    ]
    page.say(
        f"The loan bears {loan:.3%}; loans of its method and the years left are repaid early at {now:.3%},",
        f"{basis}.",
    )
    page.table("To repay now (£)", ("", "Pounds"), rows, ("To pay", f"{found.total:,.2f}"))
    page.say(f"Over what is outstanding: {found.factor:.4%}. A premium is paid by the borrower.")
    return page.text
