"""One deal through its rows: programme, then structure, then the ledger."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from socialfinance.core.ledger import Ledger
from socialfinance.core.parties import OUTSIDE
from socialfinance.engine.ready import ReadyDeal, ReadyStructure, Shares
from socialfinance.instruments.base import INFINITE, Lowered, Now, Restated, flat, shaped
from socialfinance.kernels.delays import Delays
from socialfinance.kernels.elementwise import most, part
from socialfinance.kernels.quick import done, through
from socialfinance.programmes.base import AS_PLANNED, Activity, Futures
from socialfinance.scenarios.sources import Source, at

RESTATED = {
    "drawdown": "drawn", "capital returned": "repaid", "principal": "repaid",
    "investor return": "earned", "interest": "earned",
}  # fmt: skip
"""What a payment for a reason is to a funder, where it is put right by returns."""


class Told(NamedTuple):
    """What a fund answers a deal that asks: pounds, and how its policy steers what is financed."""

    granted: Any = INFINITE
    """pounds, of what the investor's role was asked for"""
    scale: Any = 1.0
    """new starts over those agreed, from the next row"""
    performance: Any = 1.0
    """multiplier on the probability of lines that follow no other, from the next row"""
    size: Any = 1.0
    """of caps and commitment over those agreed, from the next row"""
    withdrawn: Any = 0.0
    """1 where the fund leaves the contract in this row"""


class Asked(NamedTuple):
    """What a deal asks of its fund in a row."""

    wish: Any
    """pounds of the investor's role"""
    runs: Any
    """new starts over those planned, as ordered for this row: 0 once its contract has ended"""
    done: Activity | None
    """what the programme did in this row; None where it ran before"""


class Outcome(NamedTuple):
    """A structure's end: its ledger, its last state, and what the programme did by row."""

    lowered: Lowered
    ledger: Ledger
    state: Any
    activity: list[Activity]
    inside: list[Any]
    """what is still in the structure's delay lines after the last row"""
    futures: Futures
    """the draws that all of this came from"""
    history: list[Any]
    """the state after each row, where the ledger keeps a journal"""


def own_draws(lowered: Lowered, source: Source, rows: int, over: int = 0) -> list[Any]:
    """By row, what a structure drew, in the shape in which it asks for it.

    Rows 1 to ``over`` are over, and what can happen there by chance has not.
    """
    values = [
        source.uniforms(one.name)
        if one.given is None
        else source.value(f"instrument.{one.name}", one.given, one.bad)
        for one in flat(lowered.draws)
    ]
    by_chance = [one.given is None for one in flat(lowered.draws)]

    def of(row: int) -> Iterator[Any]:
        past = 0 < row <= over
        for value, chance in zip(values, by_chance, strict=True):
            yield 1.0 if chance and past else at(value, row)

    return [shaped(lowered.draws, of(row)) for row in range(rows)]


def periods(
    ready: ReadyDeal,
    structures: Sequence[ReadyStructure],
    futures: Futures,
    level: Sequence[Any],
    ledgers: Sequence[Ledger],
    rationed: bool = False,
) -> Generator[Any, Any, list[Outcome]]:
    """Run one programme under one or more structures, one row at each ``next``.

    The programme follows the orders of the first structure; the others share its futures and give none of
    consequence (in house nothing is ever ordered). A fund that rations reads the ``Asked`` this yields and
    sends back ``Told``; otherwise None is yielded and everything is granted.
    """
    programme = ready.programme
    state, delays, orders = programme.opening, Delays(programme.lags), AS_PLANNED
    play = through(programme.play, ledgers[0].paths)
    steps = [through(s.lowered.step, ledgers[0].paths) for s in structures]
    over = len(programme.known) - 1
    drawn = [own_draws(s.lowered, futures.source, futures.rows, over) for s in structures]
    own = [[s.lowered.opening, Delays(s.lowered.lags)] for s in structures]
    history: list[list[Any]] = [[] for _ in structures]
    activity: list[Activity] = []
    steered = Told()
    for row in range(futures.rows):
        now = futures.now(row, delays.due())
        state, did, entering = play(programme.terms, state, now, orders)
        delays.enter(entering)
        activity.append(did)
        next_orders = orders
        for structure, step, slot, ledger, draws, states in zip(
            structures, steps, own, ledgers, drawn, history, strict=True
        ):
            lowered = structure.lowered
            given = Now(
                lowered.schedule[row], did, slot[1].due(), INFINITE, draws[row],
                at(futures.shock_runs, row), level[row],
            )  # fmt: skip
            asked = None
            if rationed:
                given = given._replace(size=steered.size)
                asked = Asked(lowered.ask(lowered.terms, slot[0], given), orders.scale, did)
            told = yield asked
            if told is not None:
                given = given._replace(granted=told.granted, withdrawn=told.withdrawn)
                steered = told
            slot[0], payments, ordered, moved = step(lowered.terms, slot[0], given)
            slot[1].enter(moved)
            if row < len(structure.cash) and structure.cash[row]:
                slot[0], payments = _really_paid(structure, row, slot[0], payments)
            if ledger.journal is not None:
                states.append(slot[0])
            next_orders = ordered if structure is structures[0] else next_orders
            _book(ledger, row, structure, ready.saving_legs, payments, did)
        orders = next_orders
        if rationed:
            orders = orders._replace(
                scale=orders.scale * steered.scale, performance=orders.performance * steered.performance
            )
    done(play, *steps)
    return [
        Outcome(structure.lowered, ledger, slot[0], activity, slot[1].held(), futures, states)
        for structure, ledger, slot, states in zip(structures, ledgers, own, history, strict=True)
    ]


def _really_paid(structure: ReadyStructure, row: int, state: Any, payments: Any) -> tuple[Any, Any]:
    """The row's payments as they were returned, and the state put right by the difference.

    What the vehicle then lacks was drawn, unless returns say what was.
    """
    lowered, cash = structure.lowered, structure.cash[row]
    assert lowered.restate is not None
    legs, amounts = flat(lowered.legs), list(flat(payments))
    moved = {"cash": 0.0, "drawn": 0.0, "repaid": 0.0, "earned": 0.0}
    for place, pounds in cash.items():
        leg, off = legs[place], pounds - amounts[place]
        amounts[place] = amounts[place] * 0.0 + pounds
        moved["cash"] += off * ((leg.payee == "vehicle") - (leg.payer == "vehicle"))
        what = RESTATED.get(leg.reason)
        if what is not None:
            moved[what] += off
    drawdown = [place for place, leg in enumerate(legs) if leg.reason == "drawdown"]
    if drawdown and drawdown[0] not in cash:
        short = most(0.0, -(state.vehicle.cash + moved["cash"]))
        amounts[drawdown[0]] = amounts[drawdown[0]] + short
        moved["cash"], moved["drawn"] = moved["cash"] + short, moved["drawn"] + short
    return lowered.restate(state, Restated(**moved)), shaped(payments, iter(amounts))


def run(
    ready: ReadyDeal,
    structures: Sequence[ReadyStructure],
    futures: Futures,
    level: Sequence[Any],
    ledgers: Sequence[Ledger],
) -> list[Outcome]:
    """All rows of one deal, nothing rationed."""
    rows = periods(ready, structures, futures, level, ledgers)
    while True:
        try:
            next(rows)
        except StopIteration as end:
            outcomes: list[Outcome] = end.value
            return outcomes


def _book(
    ledger: Ledger,
    row: int,
    structure: ReadyStructure,
    saving_legs: Sequence[Shares],
    payments: Any,
    done: Activity,
) -> None:
    """Everything that was paid in this row: the structure's legs, programme costs, savings."""
    amounts = flat(payments)
    for (leg, payers, payees), amount in zip(structure.legs, amounts, strict=True):
        _pay(ledger, row, payers, payees, amount, leg.reason)
        ledger.note(row, leg, amount)
    for (spenders, why), cost in zip(structure.cost_legs, done.costs, strict=False):
        if spenders:
            _pay(ledger, row, spenders, ((OUTSIDE, 1.0),), cost, why)
    if not structure.lowered.delivers:
        return
    for agencies, cashable, rest in zip(saving_legs, done.cashable, done.not_cashable, strict=False):
        cash, other = part(cashable, structure.savings), part(rest, structure.savings)
        _save(ledger, row, agencies, cash, "saving", "extra cost")
        _save(ledger, row, agencies, other, "non-cashable saving", "non-cashable extra cost")


def _save(ledger: Ledger, row: int, agencies: Shares, amount: Any, gain: str, loss: str) -> None:
    """Book what agencies save; where the programme does harm, what it costs them."""
    outside: Shares = ((OUTSIDE, 1.0),)
    harm = np.any(amount < 0.0)
    _pay(ledger, row, outside, agencies, most(0.0, amount) if harm else amount, gain)
    if harm:
        _pay(ledger, row, agencies, outside, most(0.0, -amount), loss)


def _pay(ledger: Ledger, row: int, payers: Shares, payees: Shares, amount: Any, why: str) -> None:
    if isinstance(amount, float):
        if amount == 0.0:
            return
    elif amount[0] == 0.0 and not amount.any():
        return
    for payer, paid in payers:
        for payee, share in payees:
            whole = paid * share
            ledger.pay(row, payer, payee, amount if whole == 1.0 else amount * whole, why)
