"""Budget exposure of outcome contracts: payments by year against a list of yearly budgets.

A contract that pays for outcomes is a commitment, not a contingent liability: what it can cost is called
budget exposure. All arrays ``(year, path)`` in pounds, financial years April to March.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.core.errors import InputError
from socialfinance.core.ledger import MEMO, SAVED
from socialfinance.council.numbers import Array, numbers
from socialfinance.council.statistics import chance, figure
from socialfinance.funds.books import Budget

if TYPE_CHECKING:
    import pandas as pd

Leg = tuple[str, str, str]


class Spent(NamedTuple):
    """A budget spent year by year; ``(year, path)`` pounds, chances are taken from it."""

    available: Array
    """money of the year: its budget and what was carried into it"""
    spent: Array
    over: Array
    """max(0, spent - available)"""
    from_reserve: Array
    uncovered: Array
    """of the overspend, what the reserve does not pay"""
    under: Array
    """max(0, available - spent)"""
    reserve: Array
    """at the year's end"""
    over_cap: Array
    """spending above the year's cap"""


def spend(budget: Array, spent: Array, plan: Budget | None = None, caps: Array | None = None) -> Spent:
    """Run payments through a budget, year by year.

    available_t = budget_t + carried_t; over = max(0, spent - available); the reserve pays over as far as it
    goes; of under = max(0, available - spent) the share ``carry_forward`` is next year's, and of the rest the
    share ``to_reserve`` goes to the reserve. ``budget`` and ``caps`` are ``(year,)``, ``spent`` ``(year,
    path)``; without a ``plan`` nothing is carried and there is no reserve.
    """
    years, paths = spent.shape
    amounts = numbers("budget", budget)
    if amounts.shape != (years,):
        raise InputError("has another number of years", field="budget", given=len(amounts), allowed=years)
    carry, keep = (plan.carry_forward, plan.to_reserve) if plan else (0.0, 0.0)
    reserve = np.full(paths, plan.reserve if plan else 0.0)
    carried = np.zeros(paths)
    limit = np.full(years, np.inf) if caps is None else caps
    rows: list[tuple[Array, ...]] = []
    for t in range(years):
        available = amounts[t] + carried
        over = np.maximum(0.0, spent[t] - available)
        under = np.maximum(0.0, available - spent[t])
        drawn = np.minimum(over, reserve)
        carried = carry * under
        reserve = reserve - drawn + keep * (under - carried)
        above = np.maximum(0.0, spent[t] - limit[t])
        rows.append((available, spent[t], over, drawn, over - drawn, under, reserve, above))
    return Spent(*(np.stack(column) for column in zip(*rows, strict=True)))


def budget_of(plan: Budget, years: Sequence[str]) -> tuple[Array, Array]:
    """By financial year: what is set aside, and the caps (infinite where there is none).

    InputError for a year that is not among those of the file.
    """
    for field, given in (("by_year", plan.by_year), ("caps", plan.caps)):
        for year in given:
            if year not in years:
                raise InputError(
                    "is no financial year of this file", field=f"budget.{field}", given=year,
                    allowed=f"{years[0]} to {years[-1]}",
                )  # fmt: skip
    amounts = np.array([plan.by_year.get(year, 0.0) for year in years])
    caps = np.array([plan.caps.get(year, np.inf) for year in years])
    return amounts, caps


def payments(legs: Mapping[Leg, Array], payer: str, shape: tuple[int, int]) -> Array:
    """What a body pays under a deal less what comes back, by year and path; savings are apart.

    Everything it pays but extra cost of the programme on its services, less everything it has but savings.
    """
    total = np.zeros(shape)
    for (a, b, why), amounts in legs.items():
        if why in SAVED or why in MEMO:
            continue
        if a == payer:
            total = total + amounts
        if b == payer:
            total = total - amounts
    return total


def savings(legs: Mapping[Leg, Array], party: str, shape: tuple[int, int], cashable: bool = True) -> Array:
    """Savings less extra cost of a body by year and path, cashable or not."""
    gain, loss = ("saving", "extra cost") if cashable else ("non-cashable saving", "non-cashable extra cost")
    total = np.zeros(shape)
    for (a, b, why), amounts in legs.items():
        if why == gain and b == party:
            total = total + amounts
        elif why == loss and a == party:
            total = total - amounts
    return total


def exposure_table(years: Sequence[str], spent: Spent, budget: Array) -> pd.DataFrame:
    """By financial year: expected, P5, P95 and largest payments, budget, and the odds of passing it.

    Columns: financial_year, expected, standard_error, p5, p95, largest, budget, chance_over, mean_over (given
    that it is over), chance_uncovered, mean_uncovered, chance_under, mean_under, chance_over_cap,
    reserve_left (mean), reserve_spent (chance that none is left).
    """
    import pandas as pd

    rows = []
    for t, year in enumerate(years):
        paid = figure(spent.spent[t])
        rows.append(
            {
                "financial_year": year, "expected": paid.mean, "standard_error": paid.error, "p5": paid.p5,
                "p95": paid.p95, "largest": paid.largest, "budget": float(budget[t]),
                **_odds("over", spent.over[t]), **_odds("uncovered", spent.uncovered[t]),
                **_odds("under", spent.under[t]),
                "chance_over_cap": chance(spent.over_cap[t] > HALF_A_PENNY).share,
                "reserve_left": float(spent.reserve[t].mean()),
                "reserve_spent": chance(spent.reserve[t] < HALF_A_PENNY).share,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def _odds(name: str, amounts: Array) -> dict[str, float | None]:
    """Chance that there is any, its error, and the mean where there is."""
    happens = amounts > HALF_A_PENNY
    odds = chance(happens)
    mean = float(amounts[happens].mean()) if happens.any() else None
    return {f"chance_{name}": odds.share, f"chance_{name}_error": odds.error, f"mean_{name}": mean}
