"""The PWLB question: what a structure costs a council against borrowing for the same programme itself.

Same futures on both sides, so differences are taken path by path. Pounds of present value first, per cent of
delivery cost second, basis points last and on a named balance: capital that is paid back and used again makes
a rate on it say little.

For people's programmes the PWLB row is notional: such cost is revenue, and councils may not borrow for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.council.numbers import Array
from socialfinance.council.statistics import Chance, Figure, chance, figure
from socialfinance.engine.books import OWN, DealBooks, Kept, expected_rate
from socialfinance.kernels.returns import OK
from socialfinance.measures.sample import worst_paths

if TYPE_CHECKING:
    import pandas as pd

WORST = 0.05
"""Share of futures that count as the worst."""


class Against(NamedTuple):
    """A structure less one alternative, for one public body; pounds of present value unless said."""

    alternative: str
    net_cost: Figure
    """of the structure"""
    their_cost: Figure
    """of the alternative"""
    difference: Figure
    """structure less alternative: above nil it costs more"""
    share_of_cost: float | None
    """mean difference over what the alternative pays, a fraction; None where it pays nothing, or in some
    future has more back than it pays"""
    dearer: Chance
    """futures in which the structure costs more"""
    spread: float | None
    """mean difference over that money, a fraction a year; None without any"""
    spread_by_path: Figure | None
    """the same path by path, where there is any: its mean is not the ratio of means"""
    balance: float
    """investors' money out of pocket: expected discounted pound-years"""
    all_in_rate: float | None
    """annual effective: the IRR of the expected difference in cash, what the council pays to pay later"""
    all_in_status: str
    all_in_by_path: Figure | None
    """the same by path, where it exists"""
    all_in_exists: float
    """share of paths on which it does"""
    moved: Moved


class Moved(NamedTuple):
    """How much risk a structure takes off a body, and at what price; pounds of present value."""

    price: float
    """mean difference: what the body pays for it"""
    spread_here: float
    """standard deviation of net cost under the structure"""
    spread_there: float
    """under the alternative"""
    share: float | None
    """1 - spread_here / spread_there: below nil there is more risk, not less; None where there was none"""
    worst_there: float
    """alternative: mean net cost of its worst 5% of futures, less its mean"""
    worst_here: float
    """structure: the same, in its own worst 5%"""


def against(books: DealBooks, party: str, alternative: str) -> Against | None:
    """A deal's own structure against one alternative; None where the party has no part in either."""
    mine, theirs = net_cost(books.own, party), net_cost(books.structures[alternative], party)
    if mine is None and theirs is None:
        return None
    nil = np.zeros(len(books.balance))
    here, there = nil if mine is None else mine, nil if theirs is None else theirs
    more = here - there
    worth = books.structures[alternative].worth.get(party)
    pays = float(worth["paid_pv"].mean()) if worth else 0.0
    always = worth is not None and bool(np.all(worth["paid_pv"] >= -HALF_A_PENNY))
    lent = books.balance > HALF_A_PENNY
    balance = float(books.balance.mean())
    rate, status = expected_rate(books.own, books.structures[alternative], party)
    rates, codes = books.rate.get((party, alternative), (nil, nil + 1.0))
    exists = codes == OK
    return Against(
        alternative, figure(here), figure(there), figure(more),
        float(more.mean()) / pays if pays > HALF_A_PENNY and always else None, chance(more > HALF_A_PENNY),
        float(more.mean()) / balance if lent.any() else None,
        figure(more[lent] / books.balance[lent]) if lent.any() else None, balance, rate,
        status, figure(rates[exists]) if exists.any() else None, float(exists.mean()), moved(here, there),
    )  # fmt: skip


def net_cost(kept: Kept, party: str) -> Array | None:
    """Present value of what a body pays less what it saves, ``(path,)``; None where it has no part."""
    worth = kept.worth.get(party)
    return None if worth is None else worth["net_cost_pv"]


def moved(here: Array, there: Array) -> Moved:
    """Risk under a structure against an alternative, from net cost by path."""
    mine, theirs = float(here.std()), float(there.std())
    return Moved(
        float((here - there).mean()), mine, theirs, 1.0 - mine / theirs if theirs > HALF_A_PENNY else None,
        _worst(there), _worst(here),
    )  # fmt: skip


def _worst(cost: Array) -> float:
    """Mean of the dearest 5% of futures less the mean of all."""
    return float(cost[worst_paths(-cost, 1.0 - WORST)].mean() - cost.mean())


def break_even_uplift(books: DealBooks, party: str, alternative: str) -> float | None:
    """How much more the structure must save than the alternative for a body to be no worse off.

    The structure's figures stand; the alternative saves s / (1 + u) where s is what the same starts save at
    the structure's performance. Equal net costs give 1 + u = s / (payments of the alternative - net cost
    here), all expected present values. Below nil: the structure may perform that much worse. None where no
    uplift would do: the structure's net cost alone is as much as the alternative pays.
    """
    here, there = books.own.worth.get(party), books.structures[alternative].worth.get(party)
    if here is None or there is None:
        return None
    effect = 1.0 + books.deal.deal.performance_effect
    saved = float(there["saving_pv"].mean()) * effect
    left = float(there["paid_pv"].mean() - here["net_cost_pv"].mean())
    return saved / left - 1.0 if left > HALF_A_PENNY and saved > 0.0 else None


def yearly_difference(
    years: Sequence[str], books: DealBooks, party: str, alternatives: Sequence[str]
) -> pd.DataFrame:
    """By financial year: a body's net budget effect under the structure and under each alternative.

    Received less paid, savings included, nominal pounds: below nil the year costs. Columns: structure,
    financial_year, expected, standard_error, p5, p95, and less_expected, less_p5, less_p95: the structure's
    less the alternative's, path by path.
    """
    import pandas as pd

    mine = net(books.own, party, len(years), len(books.balance))
    rows = []
    for name in (OWN, *alternatives):
        theirs = net(books.structures[name], party, len(years), len(books.balance))
        for t, year in enumerate(years):
            own, less = figure(theirs[t]), figure(mine[t] - theirs[t])
            rows.append((name, year, own.mean, own.error, own.p5, own.p95, less.mean, less.p5, less.p95))
    names = ["structure", "financial_year", "expected", "standard_error", "p5", "p95"]
    return pd.DataFrame(rows, columns=[*names, "less_expected", "less_p5", "less_p95"])


def net(kept: Kept, party: str, years: int, paths: int) -> Array:
    """A body's cash by year and path, received less paid; memo is no cash."""
    from socialfinance.core.ledger import MEMO

    total = np.zeros((years, paths))
    for (payer, payee, why), amounts in kept.legs.items():
        if why not in MEMO:
            total = total + amounts * float(payee == party) - amounts * float(payer == party)
    return total
