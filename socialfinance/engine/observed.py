"""A portfolio some of whose quarters are over: what was returned takes the place of what would be drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.core.errors import InputError
from socialfinance.core.ledger import Ledger, Leg
from socialfinance.engine.deal import Outcome, run
from socialfinance.engine.ready import (
    ReadyDeal,
    ReadyPortfolio,
    ReadyStructure,
    drawn,
    futures_of,
    price_level,
)
from socialfinance.instruments.base import flat
from socialfinance.programmes.known import Quarter, pasts

CASH: Mapping[str, tuple[str, ...]] = {
    "paid": ("outcome payment",),
    "savings paid": ("savings payment",),
    "drawn": ("drawdown",),
    "repaid": ("capital returned", "principal"),
    "return": ("investor return", "interest"),
}
"""Items of cash that a return can name, and the ledger's reasons that each stands for."""
BY_PAYER = ("paid", "savings paid")
"""Items that are returned by payer; the others are one sum a quarter."""
OF_FUNDERS = ("drawn", "repaid", "return")
"""Items returned together, with all other cash and all costs: then what the vehicle holds is sure."""


class Past(NamedTuple):
    """What was returned of one deal, its own quarters 1, 2, … in order."""

    quarters: tuple[Quarter, ...]
    cash: tuple[Mapping[tuple[str, str], float], ...]
    """by quarter, (item, payer's role or nothing): pounds; what is not there is as the terms make of it"""
    effects: Mapping[str, float]
    """by cohort: the effect that its evaluator has reported"""
    paid_by_line: tuple[Mapping[str, float], ...] = ()
    """by quarter, outcome line: pounds received for it; it is published, and moves nothing"""


@dataclass(frozen=True)
class Observed:
    """The portfolio with its past in place, and what could not be brought together."""

    ready: ReadyPortfolio
    remarks: tuple[str, ...]


def observed(ready: ReadyPortfolio, past: Mapping[str, Past]) -> Observed:
    """Put returned quarters in place of drawn ones; from the last of them on, every deal is as it was.

    In rows that are over people, cost and cash are those returned, on every path. No contract has ended by
    chance there. Where a performance test would have ended one that returns show to run on, its payer is
    taken to have waived it. InputError where returns do not fit the deal.
    """
    remarks: list[str] = []
    deals = []
    for deal in ready.deals:
        if deal.name in past:
            deal = _with_past(deal, past[deal.name])
            deal, said = _still_running(replace(ready, deals=(deal,)), deal)
            remarks += said
            _check_cash(replace(ready, deals=(deal,)), deal)
        deals.append(deal)
    return Observed(replace(ready, deals=tuple(deals), past=past), tuple(remarks))


def _with_past(deal: ReadyDeal, past: Past) -> ReadyDeal:
    if not hasattr(deal.programme.terms, "parent"):
        raise InputError(
            "returns are read for people's programmes", field=deal.name, given=deal.deal.programme.kind,
            allowed="people-programme",
        )  # fmt: skip
    known = pasts(deal.programme, past.quarters).rows
    programme = deal.programme._replace(known=known, reported=past.effects)
    structures = [_chance_is_over(one, len(known) - 1) for one in _structures(deal)]
    own = replace(structures[0], cash=_cash(structures[0], past))
    varied = None if deal.varied is None else structures[1]
    return replace(
        deal, programme=programme, own=own, varied=varied, comparators=tuple(structures[1 + bool(varied) :])
    )


def _structures(deal: ReadyDeal) -> list[ReadyStructure]:
    return [deal.own, *([] if deal.varied is None else [deal.varied]), *deal.comparators]


def _chance_is_over(structure: ReadyStructure, last: int, tested: bool = True) -> ReadyStructure:
    """The structure with no end for certain in the rows that are over, and no test either unless ``tested``.

    Hazards need nothing: what a structure draws by chance is 1 there (``engine/deal.py: own_draws``).
    """

    def quiet(row: Any) -> Any:
        exits = row.vehicle.exits._replace(policy_now=0.0, can_fail=0.0)
        if not tested:
            exits = exits._replace(test=0.0)
        return row._replace(vehicle=row.vehicle._replace(exits=exits))

    schedule = structure.lowered.schedule
    if not hasattr(schedule[0], "vehicle"):
        return structure
    over = tuple(quiet(row) if 0 < at <= last else row for at, row in enumerate(schedule))
    return replace(structure, lowered=structure.lowered._replace(schedule=over))


def _still_running(ready: ReadyPortfolio, deal: ReadyDeal) -> tuple[ReadyDeal, list[str]]:
    """Waive performance tests that would have ended a contract whose returns go on."""
    last = len(deal.programme.known) - 1
    if not hasattr(deal.own.lowered.opening, "vehicle"):
        return deal, []
    ended = [row for row, state in enumerate(_states(ready, deal)[: last + 1]) if _ended(state)]
    if not ended:
        return deal, []
    waived = replace(deal, own=_chance_is_over(deal.own, last, tested=False))
    day = deal.calendar.row_date(ended[0])
    return waived, [f"{deal.name}: its performance test was failed on {day}, and it runs on: taken as waived"]


def _ended(state: Any) -> bool:
    return bool(np.any(np.asarray(state.vehicle.exits.since) >= 0.0))


def _states(ready: ReadyPortfolio, deal: ReadyDeal) -> list[Any]:
    """The own structure's state after each row on one future."""
    return _one_future(ready, deal).history


def _one_future(ready: ReadyPortfolio, deal: ReadyDeal) -> Outcome:
    paths = np.zeros(1, dtype=np.uint64)
    common = ready.common(0, paths)
    ledger = Ledger(deal.calendar.year_of_row, 1, journal=True)
    futures = futures_of(deal, drawn(deal, common, 0, paths), common)
    return run(deal, (deal.own,), futures, price_level(deal, common), (ledger,))[0]


def _cash(structure: ReadyStructure, past: Past) -> tuple[Mapping[int, float], ...]:
    """By row from close, the place of a leg in the payments: pounds that were paid on it."""
    legs = [leg for leg, _, _ in structure.legs]
    rows: list[Mapping[int, float]] = [{}]
    for returned in past.cash:
        rows.append(_by_leg(legs, returned) if returned else {})
    if any(rows) and structure.lowered.restate is None:
        raise InputError(
            "returns of cash are not read for this structure", field="item", given=structure.name
        )
    return tuple(rows)


def _by_leg(legs: Sequence[Leg], returned: Mapping[tuple[str, str], float]) -> Mapping[int, float]:
    """Every leg that an item stands for, where it was returned: the first has it all, the others nothing."""
    found: dict[int, float] = {}
    for item, reasons in CASH.items():
        places: dict[str, list[int]] = {}
        for place, leg in enumerate(legs):
            if leg.reason in reasons:
                places.setdefault(leg.payer if item in BY_PAYER else "", []).append(place)
        for who, mine in places.items():
            if (item, who) in returned:
                found.update(dict.fromkeys(mine, 0.0))
                found[mine[0]] = returned[item, who]
    return found


def cash_lines(deal: ReadyDeal) -> dict[str, tuple[str, ...]]:
    """By item of cash that the deal's returns can name: the payers, or one nothing."""
    tariff = deal.deal.tariff
    legs = [
        leg
        for leg in flat(deal.own.lowered.legs)
        if leg.reason != "savings payment" or (tariff is not None and tariff.savings is not None)
    ]
    found: dict[str, tuple[str, ...]] = {}
    for item, reasons in CASH.items():
        payers = tuple(dict.fromkeys(leg.payer for leg in legs if leg.reason in reasons))
        if payers:
            found[item] = payers if item in BY_PAYER else ("",)
    return found


def _check_cash(ready: ReadyPortfolio, deal: ReadyDeal) -> None:
    """Refuse cash that a vehicle cannot have paid: it has no money but what it was paid."""
    if not any(deal.own.cash):
        return
    states = _states(ready, deal)
    for row in range(1, len(deal.own.cash)):
        left = float(np.min(states[row].vehicle.cash))
        if deal.own.cash[row] and left < -HALF_A_PENNY:
            raise InputError(
                f"the vehicle has paid {-left:,.2f} more than it ever had, by {deal.calendar.row_date(row)}",
                field=deal.name, allowed="drawn and paid in less cost, repaid and return at nil or above",
            )  # fmt: skip
