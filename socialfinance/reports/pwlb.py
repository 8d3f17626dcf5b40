"""Loans of the Public Works Loan Board as pages: schedules, a rate, early repayment, refinancing."""

from __future__ import annotations

import math
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from socialfinance.markets import pwlb
from socialfinance.measures.sample import quantile
from socialfinance.reports.numbers import PERCENT, POUNDS, Scale, with_error
from socialfinance.reports.page import Page

if TYPE_CHECKING:
    import pandas as pd

MONEY = ("interest", "principal", "payment", "balance")
METHODS = {"maturity": "maturity", "eip": "equal instalments of principal", "annuity": "annuity"}


def schedule_page(
    frame: pd.DataFrame, principal: Decimal, rate: float, method: str, basis: str,
    first_days: int | None = None,
) -> str:  # fmt: skip
    """Every half-yearly instalment, with the sums."""
    page = Page()
    page.say(
        f"£{principal:,.2f} over {_years(len(frame) / 2)}, {METHODS[method]}, at {rate:.2%} a year, nominal,",
        f"payable half-yearly ({pwlb.effective_rate(rate):.3%} annual effective). {basis}",
    )
    first = "six months" if first_days is None else f"{first_days} day{'s' * (first_days != 1)}"
    rows = [
        (str(period), *(f"{frame[name].iloc[i]:,.2f}" for name in MONEY))
        for i, period in enumerate(frame["period"])
    ]
    page.table(
        f"Half-yearly, the first {first} after the advance (£)",
        ("Period", *map(str.capitalize, MONEY)), rows, ("Sum", *_sums(frame), ""),
    )  # fmt: skip
    page.say(
        f"Fee on the advance £{pwlb.fees(principal):,.2f} [unverified]. Each interest and principal is",
        "rounded to a penny; the last instalment clears the balance.",
    )
    if first_days is not None:
        page.say(
            "Interest of the first period is principal x rate x days / 365 [unverified]; every principal is",
            "what it would be over full half-years.",
        )
    return page.text


def variable_page(frame: pd.DataFrame, principal: Decimal, method: str, on: date | None) -> str:
    """Every period between resets of the rate, with the sums."""
    page = Page()
    months = int(frame["months"].iloc[0])
    page.say(
        f"£{principal:,.2f} over {_years(len(frame) * months / 12)}, {METHODS[method]}, at a variable rate,",
        f"reset every {f'{months} months' if months > 1 else 'month'} [terms unverified].",
    )
    rows = [
        (str(row["period"]), f"{row['rate']:.2%}", *(f"{row[name]:,.2f}" for name in MONEY))
        for row in frame.to_dict("records")
    ]
    page.table(
        "By period between resets (£)",
        ("Period", "Rate", *map(str.capitalize, MONEY)), rows, ("Sum", "", *_sums(frame), ""),
    )  # fmt: skip
    days = "of 365 / 12 a month" if on is None else f"of the calendar from {on}"
    page.say(
        f"Interest is balance x rate x days / 365 [unverified], days {days}, due at the end of each period",
        f"[unverified]. Fee on the advance £{pwlb.fees(principal, 'variable'):,.2f} [unverified]. Rounded",
        "to a penny; the last instalment clears the balance.",
    )
    return page.text


def _years(number: float) -> str:
    return f"{number:g} year{'s' * (number != 1)}"


def _sums(frame: pd.DataFrame) -> list[str]:
    return [f"{frame[name].map(str).map(Decimal).sum():,.2f}" for name in MONEY[:3]]


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


class RefinancingTerms(NamedTuple):
    """What a page of a refinancing says of its loans; rates are fractions, nominal a year."""

    principal: Decimal
    rate: float
    years: float
    method: str
    again_years: float
    again_method: str
    long_rate: float
    process: pwlb.RateProcess
    seed: int
    basis: str


FIGURES = {"total_interest": "Total interest (£)", "present_value": "Present value (£)",
           "all_in_rate": "All-in rate"}  # fmt: skip
RATE = Scale(100.0, "", "%", 3, 3)
DEARER, BREAK_EVEN = "dearer_than_one_loan", "break_even_rate"


def refinance_rows(found: pwlb.Refinancing) -> list[dict[str, Any]]:
    """Figure, statistic, value and standard error: pounds and fractions. The one loan has no error."""
    rows: list[dict[str, Any]] = []
    for name in FIGURES:
        values = getattr(found, name)
        rows += [_row(name, statistic, *pair) for statistic, pair in _statistics(values).items()]
        rows.append(_row(name, "one_loan", getattr(found.long, name), None))
    chance, paths = float(np.mean(found.all_in_rate > found.long.all_in_rate)), found.all_in_rate.size
    rows.append(_row(DEARER, "probability", chance, math.sqrt(chance * (1 - chance) / paths)))
    same = None if math.isnan(found.break_even_rate) else found.break_even_rate
    return [*rows, _row(BREAK_EVEN, "value", same, None)]


def _row(figure: str, statistic: str, value: float | None, error: float | None) -> dict[str, Any]:
    return {"figure": figure, "statistic": statistic, "value": value, "standard_error": error}


def _statistics(values: NDArray[np.float64]) -> dict[str, tuple[float | None, float | None]]:
    """Mean, P5 and P95, each with its standard error; none from one path."""
    ordered, n = np.sort(values), values.size
    error = float(values.std(ddof=1)) / math.sqrt(n) if n > 1 else None
    return {
        "mean": (float(values.mean()), error),
        "p5": quantile(ordered, 0.05),
        "p95": quantile(ordered, 0.95),
    }


def refinance_page(found: pwlb.Refinancing, rows: list[dict[str, Any]], terms: RefinancingTerms) -> str:
    """What two loans cost, beside one loan for the whole term."""
    page = Page()
    by_name = {(row["figure"], row["statistic"]): row for row in rows}
    term, method = _years(terms.years + terms.again_years), METHODS[terms.method]
    page.say(
        f"£{terms.principal:,.2f} for {_years(terms.years)}, {method}, at {terms.rate:.2%} a year;",
        f"then £{found.refinanced:,.2f} again for {_years(terms.again_years)},",
        f"{METHODS[terms.again_method]}, at the rate of the day. Beside it one loan of {term}, {method}, at",
        f"{terms.long_rate:.2%}. {terms.basis}",
    )
    _say_process(page, terms, found.all_in_rate.size)
    cells = [
        (title, *(_figure(name, by_name[name, said]) for said in ("mean", "p5", "p95", "one_loan")))
        for name, title in FIGURES.items()
    ]
    head = ("", "Mean", "P5", "P95", f"One loan of {term}")
    page.table("Over both terms, by simulated rate (± is one standard error)", head, cells)
    page.say(
        "The all-in rate is annual effective, with the fees",
        f"(£{found.fees[0]:,.2f} and £{found.fees[1]:,.2f} [unverified]).",
        f"Present values are of payments and fees, at {found.long.discount_rate:.3%} a year.",
    )
    page.say(_verdict(by_name[DEARER, "probability"], by_name[BREAK_EVEN, "value"]["value"], found, terms))
    return page.text


def _say_process(page: Page, terms: RefinancingTerms, paths: int) -> None:
    rate = terms.process
    page.say(
        f"The rate of the day starts at {rate.start:.2%} and returns to {rate.mean:.2%}",
        f"at {rate.reversion:g} a year, with a volatility of {rate.volatility:.2%} a year; no less than",
        f"{rate.floor:.2%} is charged.",
        "Mean, reversion and volatility are the user's own assumption: no source gives them.",
        f"{paths:,} path{'s' * (paths != 1)}, seed {terms.seed}.",
    )


def _verdict(
    chance: dict[str, Any], same: float | None, found: pwlb.Refinancing, terms: RefinancingTerms
) -> str:
    dearer = f"Chance that it costs more all in than the one loan: {_figure(DEARER, chance)}."
    if found.refinanced == 0.0:
        return f"Nothing is left to borrow again. {dearer}"
    if same is None:
        return f"No new rate from 0% to 100% makes both cost the same. {dearer}"
    return f"Both cost the same if the rate in {_years(terms.years)} is {same:.3%}. {dearer}"


def _figure(name: str, row: dict[str, Any]) -> str:
    scale = {"all_in_rate": RATE, DEARER: PERCENT}.get(name, POUNDS._replace(before=""))
    return with_error(row["value"], row["standard_error"], scale)
