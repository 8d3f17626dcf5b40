"""A shared purse: who saves, who pays, what is in the wrong pocket, and a rule to share it out.

Amounts are pounds; ``(year, path)`` by agency, or expected present values where a rule shares them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from math import factorial
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

import numpy as np

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.core.errors import InputError
from socialfinance.council.numbers import Array, number
from socialfinance.council.statistics import figure

if TYPE_CHECKING:
    import pandas as pd

Rule = Literal["pro rata to savings", "equal", "shapley"]
MOST_AGENCIES = 10
"""Most that Shapley's rule is worked out for: it looks at every one of 2^n coalitions."""


def matrix(years: Sequence[str], by_agency: Mapping[str, Array]) -> pd.DataFrame:
    """Agency x financial year: expected, its standard error, P5 and P95; and each agency's whole.

    Columns: agency, financial_year ('' for the whole), expected, standard_error, p5, p95.
    """
    import pandas as pd

    rows = []
    for agency, amounts in by_agency.items():
        for year, values in [*zip(years, amounts, strict=True), ("", amounts.sum(axis=0))]:
            one = figure(values)
            rows.append((agency, year, one.mean, one.error, one.p5, one.p95))
    names = ["agency", "financial_year", "expected", "standard_error", "p5", "p95"]
    return pd.DataFrame(rows, columns=names)


def wrong_pockets(saved: Mapping[str, Array], paid: Mapping[str, Array]) -> Array:
    """The gap by year and path: sum over agencies that pay nothing in any year of what they save.

    sum over agencies with paid = 0 of max(0, saved); nil where every agency that saves pays.
    """
    first = next(iter(saved.values()))
    gap = np.zeros(first.shape)
    for agency in saved:
        pays = np.any(np.abs(paid.get(agency, np.zeros(first.shape))) > HALF_A_PENNY)
        if not pays:
            gap = gap + np.maximum(0.0, saved[agency])
    return gap


class Shared(NamedTuple):
    """A purse shared out among agencies, pounds of present value by agency."""

    net: dict[str, float]
    """what each is left with: positive is better off than with no programme"""
    pays: dict[str, float]
    """what each pays of the cost: its savings less its net"""
    alone: dict[str, float]
    """what each could reach by commissioning it alone: max(0, its savings - the whole cost)"""
    all_better_off: bool
    """whether every agency has at least what it could reach alone"""


def share_out(savings: Mapping[str, float], cost: float, rule: Rule) -> Shared:
    """Share the net benefit of a programme, sum of savings - cost, among those that save.

    - pro rata to savings: net_i = s_i (S - C) / S, so that each pays s_i C / S;
    - equal: net_i = (S - C) / n;
    - shapley: the mean over all orders in which agencies join of what each adds. Some of them are worth
      max(0, sum of their savings - C), as they do nothing where they would lose; all of them S - C, as they
      have agreed. Up to ten agencies.

    InputError for another rule, no agency, negative savings or cost, or more agencies than ten (shapley).
    """
    if rule not in get_args(Rule):
        raise InputError("is no rule", field="rule", given=rule, allowed=", ".join(get_args(Rule)))
    saved = {agency: number(f"savings.{agency}", amount) for agency, amount in savings.items()}
    whole = number("cost", cost)
    if not saved:
        raise InputError("names no agency", field="savings")
    total = sum(saved.values())
    if rule == "shapley":

        def worth(some: tuple[str, ...]) -> float:
            gain = sum(saved[agency] for agency in some) - whole
            return gain if len(some) == len(saved) else max(0.0, gain)

        net = shapley(tuple(saved), worth)
    elif rule == "equal":
        net = {agency: (total - whole) / len(saved) for agency in saved}
    else:
        net = {agency: saved[agency] - whole * _part(saved[agency], total, len(saved)) for agency in saved}
    alone = {agency: max(0.0, amount - whole) for agency, amount in saved.items()}
    better = all(net[agency] >= alone[agency] - HALF_A_PENNY for agency in saved)
    return Shared(net, {agency: saved[agency] - net[agency] for agency in saved}, alone, better)


def shapley(players: Sequence[str], worth: Callable[[tuple[str, ...]], float]) -> dict[str, float]:
    """Shapley's value: sum over coalitions S without i of |S|! (n - |S| - 1)! / n! (v(S with i) - v(S)).

    InputError for more than ten players.
    """
    n = len(players)
    if n > MOST_AGENCIES:
        raise InputError(
            "are too many for Shapley's rule", field="savings", given=n, allowed=f"up to {MOST_AGENCIES}"
        )
    value = {some: worth(some) for size in range(n + 1) for some in combinations(players, size)}
    found = {}
    for i, player in enumerate(players):
        others, total = [*players[:i], *players[i + 1 :]], 0.0
        for size in range(n):
            weight = factorial(size) * factorial(n - size - 1) / factorial(n)
            for some in combinations(others, size):
                joined = tuple(p for p in players if p in some or p == player)
                total += weight * (value[joined] - value[some])
        found[player] = total
    return found


def _part(amount: float, total: float, count: int) -> float:
    """Its part of the total; an equal part where the total is nil."""
    return amount / total if total > 0.0 else 1.0 / count
