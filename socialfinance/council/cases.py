"""What deterministic cases tell a council: exit cost by year end, and the inputs that turn the answer.

Everything is in the plan case, counts at their expectation and nothing by chance, but for what is said to
differ; pounds, present values at the portfolio's discount rate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.core.ledger import MEMO, SAVED, Ledger
from socialfinance.council.budget import payments
from socialfinance.council.numbers import Array
from socialfinance.engine.deal import Asked, Outcome, Told, periods, run
from socialfinance.engine.ready import (
    ReadyDeal,
    ReadyPortfolio,
    ReadyStructure,
    futures_of,
    on_years,
    price_level,
)
from socialfinance.measures.paths import lives_of, together
from socialfinance.scenarios.distributions import Given
from socialfinance.scenarios.sources import Certain, Side

NUDGE = 0.1
"""By how much inputs are moved to see which of them matter."""
MOST = 3.0
"""Largest multiple of an input, or of success, that is tried."""
STEPS = 24
"""Between nil and the largest multiple."""
FRACTIONS = frozenset(
    {"engagement", "probability", "deadweight", "granted", "void", "default_probability",
     "loss_given_default", "prepayment"}
)  # fmt: skip
"""Last words of the names of inputs that are never above 1."""
WITHIN = 0.0005
"""How near a multiple is taken to where the answer turns."""


class Exit(NamedTuple):
    """Ending a contract by agreement on the last day of a financial year, pounds, undiscounted."""

    financial_year: str
    compensation: float
    """for investors, by the terms"""
    other: float
    """paid afterwards for people already started and on its guarantees, less what comes back"""
    going_on: float
    """paid afterwards if the contract goes on as planned"""

    @property
    def total(self) -> float:
        """All that ending it costs this body."""
        return self.compensation + self.other


class Switch(NamedTuple):
    """An input on which the answer hangs."""

    name: str
    plan: float
    swing: float
    """pounds: largest change of net cost when it alone is 10% above or below plan"""
    pays_for_itself: float | None
    """its value at which the body saves as much as it pays; None: at no multiple from 0 to 3"""
    as_alternative: float | None
    """its value at which the structure costs as much as the alternative"""


class Scaled(Certain):
    """The plan case with some inputs multiplied; ``planned`` collects every input's plan by name."""

    def __init__(self, drivers: Any, scale: Mapping[str, float] | None = None) -> None:
        super().__init__(drivers)
        self.scale: Mapping[str, float] = scale or {}
        self.planned: dict[str, Any] = {}

    def value(self, name: str, x: Given, bad: Side) -> Any:
        """The plan times its multiple; a fraction stays one."""
        plan = super().value(name, x, bad)
        self.planned[name] = plan
        by, most = self.scale.get(name, 1.0), _largest(name)
        if isinstance(plan, tuple):
            return tuple(min(float(one) * by, most) for one in plan)
        return min(float(plan) * by, most)

    def arrivals(self, name: str, mean: Any, dispersion: float | None, planned: Sequence[float]) -> Any:
        """The expected number times its multiple."""
        found = super().arrivals(name, mean, dispersion, planned)
        numbers = [float(one) for one in np.atleast_1d(np.asarray(found, dtype=float)).ravel()]
        self.planned[name] = max(numbers, default=0.0)
        by = self.scale.get(name, 1.0)
        return tuple(one * by for one in found) if isinstance(found, tuple) else found * by


class EndsAt(Certain):
    """The plan case in which the contract ends by agreement in one row."""

    def __init__(self, drivers: Any, row: int, rows: int) -> None:
        super().__init__(drivers)
        self.row, self.rows = row, rows

    def by_chance(self, chances: Mapping[str, Sequence[float]]) -> Mapping[str, Any]:
        """1.0 but for the draw of an end by agreement in that row: below any chance."""
        here = tuple(-1.0 if row == self.row else 1.0 for row in range(1, self.rows))
        return {**super().by_chance(chances), "exits.voluntary": here}


def exit_costs(ready: ReadyPortfolio, deal: ReadyDeal, party: str) -> tuple[Exit, ...]:
    """What ending the contract by agreement costs a body, by year end as long as the plan pays later.

    Empty where the structure has no such end.
    """
    if not any(figure.measure == "ended_voluntary" for figure in deal.own.lowered.figures):
        return ()
    drivers = deal.programme.programme.drivers
    planned = _run(ready, deal, (deal.own,), Certain(drivers))[0].ledger
    found = []
    for year, row in _year_ends(deal).items():
        going_on = sum(_rows_paid(planned, party, row).values())
        if going_on <= HALF_A_PENNY:
            continue
        source = EndsAt(drivers, row, deal.calendar.quarters + 1)
        outcome = _run(ready, deal, (deal.own,), source)[0]
        if not _ended(deal, outcome):
            continue
        paid = _rows_paid(outcome.ledger, party, row)
        found.append(Exit(year, paid["termination compensation"], paid["other"], going_on))
    return tuple(found)


def planned_payments(ready: ReadyPortfolio, deal: ReadyDeal, party: str) -> Array:
    """What a body pays less what it has back, savings apart, by the portfolio's financial year, pounds."""
    outcome = _run(ready, deal, (deal.own,), Certain(deal.programme.programme.drivers))[0]
    paid = payments(outcome.ledger.by_year, party, (outcome.ledger.years, 1))[:, 0]
    placed: Array = on_years(ready, deal, paid)
    return placed


def _year_ends(deal: ReadyDeal) -> dict[str, int]:
    """By financial year, the deal's last row in it; without the file's last."""
    calendar = deal.calendar
    last = {calendar.financial_years[year]: row for row, year in enumerate(calendar.year_of_row)}
    return {year: row for year, row in last.items() if 0 < row < calendar.quarters}


def _ended(deal: ReadyDeal, outcome: Outcome) -> bool:
    figures = {figure.measure: figure for figure in deal.own.lowered.figures}
    return bool(np.all(np.asarray(figures["ended_voluntary"].read(outcome.state)) > 0.0))


def _rows_paid(ledger: Ledger, party: str, row: int) -> dict[str, float]:
    """Compensation from a row on, and everything else paid less received after it, savings apart."""
    paid = {"termination compensation": 0.0, "other": 0.0}
    for (payer, payee, why), rows in ledger.by_row.items():
        if why in SAVED or why in MEMO:
            continue
        sign = float(payer == party) - float(payee == party)
        if why == "termination compensation":
            paid[why] += sign * float(rows[row:].sum())
        else:
            paid["other"] += sign * float(rows[row + 1 :].sum())
    return paid


def switches(
    ready: ReadyPortfolio, deal: ReadyDeal, party: str, alternative: str, count: int = 3
) -> tuple[Switch, ...]:
    """The inputs that matter most to a body, and the value of each at which the answer turns.

    Ranked by the change of net cost when one alone is 10% above or below plan; each is then moved from nil to
    three times plan, fractions up to 1. Inputs that move nothing are left out.
    """
    other = next(one for one in deal.comparators if one.name == alternative)
    base = Scaled(deal.programme.programme.drivers)
    at_plan = _costs(ready, deal, party, other, base)
    plans = {name: _one(plan) for name, plan in base.planned.items() if _one(plan) > 0.0}
    swings = {
        name: max(
            abs(_costs(ready, deal, party, other, _scaled(deal, name, by))[0] - at_plan[0])
            for by in (1.0 - NUDGE, 1.0 + NUDGE)
        )
        for name in plans
    }
    moving = [name for name in plans if swings[name] > HALF_A_PENNY]
    chosen = sorted(moving, key=lambda name: (-swings[name], name))[:count]
    found = []
    for name in chosen:

        @cache  # both turning points begin on the same grid
        def costs(by: float, name: str = name) -> tuple[float, float]:
            return _costs(ready, deal, party, other, _scaled(deal, name, by))

        itself = turning_point(lambda by: costs(by)[0], MOST)
        same = turning_point(lambda by: costs(by)[1], MOST)
        found.append(
            Switch(name, plans[name], swings[name], _value(name, plans, itself), _value(name, plans, same))
        )
    return tuple(found)


class Success(NamedTuple):
    """How well the programme must work for a structure to cost as much as an alternative."""

    multiple: float
    """of the chance of every first outcome, all else as planned"""
    paid_over_plan: float | None
    """payments by results there over those of the plan"""


def break_even_success(
    ready: ReadyPortfolio, deal: ReadyDeal, party: str, alternative: str
) -> Success | None:
    """The multiple of success at which a body's net costs are equal: below it the structure is cheaper.

    None where there is none from nil to three times plan.
    """
    other = next(one for one in deal.comparators if one.name == alternative)

    def less(multiple: float) -> float:
        here, there = _performing(ready, deal, (deal.own, other), multiple)
        return _net_cost(ready, deal, here, party) - _net_cost(ready, deal, there, party)

    found = turning_point(less, most=MOST)
    if found is None:
        return None
    ledger = _performing(ready, deal, (deal.own,), found)[0].ledger
    paid = sum(float(np.sum(ledger.of(reason=why))) for why in ("outcome payment", "savings payment"))
    return Success(found, paid / deal.planned_payments if deal.planned_payments > 0.0 else None)


def turning_point(function: Callable[[float], float], most: float) -> float | None:
    """The multiple nearest to 1 at which a function changes sign; None if it does not from 0 to ``most``.

    Where it is nil it has no sign: a cost that is nil while nobody is there does not turn at nil.
    """
    grid = sorted({1.0, *(most * i / STEPS for i in range(STEPS + 1))})
    values = [(x, function(x)) for x in grid]
    signed = [(x, value) for x, value in values if abs(value) > HALF_A_PENNY]
    turns = [(a, b) for (a, fa), (b, fb) in pairwise(signed) if (fa > 0.0) != (fb > 0.0)]
    if not turns:
        return None
    low, high = min(turns, key=lambda pair: abs(sum(pair) / 2.0 - 1.0))
    above = function(high) > 0.0
    while high - low > WITHIN:
        middle = (low + high) / 2.0
        low, high = (low, middle) if (function(middle) > 0.0) == above else (middle, high)
    return (low + high) / 2.0


def _performing(
    ready: ReadyPortfolio, deal: ReadyDeal, structures: tuple[ReadyStructure, ...], multiple: float
) -> list[Outcome]:
    """The plan with the chance of every first outcome multiplied, from the first row on."""
    source = Certain(deal.programme.programme.drivers)
    common = ready.common(0, None)
    ledgers = [Ledger(deal.calendar.year_of_row, 1) for _ in structures]
    rows = periods(
        deal, structures, futures_of(deal, source, common), price_level(deal, common), ledgers, rationed=True
    )
    answer: Told | None = None
    while True:
        try:
            asked = rows.send(answer)
        except StopIteration as end:
            return list(end.value)
        assert isinstance(asked, Asked)
        answer = Told(performance=multiple)


def _scaled(deal: ReadyDeal, name: str, by: float) -> Scaled:
    return Scaled(deal.programme.programme.drivers, {name: by})


def _costs(
    ready: ReadyPortfolio, deal: ReadyDeal, party: str, other: ReadyStructure, source: Certain
) -> tuple[float, float]:
    """Net cost of a body under the structure, and that less its net cost under the alternative."""
    here = _run(ready, deal, (deal.own,), source)[0]
    there = _run(ready, deal, (other,), source)[0]
    mine = _net_cost(ready, deal, here, party)
    return mine, mine - _net_cost(ready, deal, there, party)


def _net_cost(ready: ReadyPortfolio, deal: ReadyDeal, outcome: Outcome, party: str) -> float:
    lives = lives_of(outcome.ledger, ready.discount, deal.first_row)
    return -float(together(lives, (party,), outcome.ledger.paths).net_pv[0])


def _run(
    ready: ReadyPortfolio, deal: ReadyDeal, structures: tuple[ReadyStructure, ...], source: Certain
) -> list[Outcome]:
    common = ready.common(0, None)
    futures, level = futures_of(deal, source, common), price_level(deal, common)
    public = frozenset(ready.parties)
    ledgers = [Ledger(deal.calendar.year_of_row, 1, books=public) for _ in structures]
    return run(deal, structures, futures, level, ledgers)


def _largest(name: str) -> float:
    """The largest value that an input can have: 1 for a fraction."""
    return 1.0 if name.rpartition(".")[2] in FRACTIONS else float("inf")


def _one(plan: Any) -> float:
    """One number for an input that may have one a quarter: its mean."""
    return float(np.mean(plan)) if isinstance(plan, tuple | float | int) else 0.0


def _value(name: str, plans: Mapping[str, float], multiple: float | None) -> float | None:
    return None if multiple is None else min(plans[name] * multiple, _largest(name))
