"""One deal through its rows: programme, then structure, then the ledger."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from socialfinance.core.ledger import Ledger, Leg
from socialfinance.core.parties import OUTSIDE
from socialfinance.engine.ready import ReadyDeal, ReadyStructure, Shares
from socialfinance.instruments.base import INFINITE, Lowered, Now, Restated, flat, shaped
from socialfinance.kernels.delays import Delays
from socialfinance.kernels.elementwise import most, part
from socialfinance.kernels.quick import Watcher, done, through
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


AS_IT_IS, GAIN, LOSS = 0.0, 1.0, -1.0


class Booking(NamedTuple):
    """How an amount of a row is booked."""

    place: int
    """among the amounts of the row"""
    share: float
    """of it that counts here"""
    side: float
    """``GAIN``: what is above nil; ``LOSS``: what is below it, sign turned; ``AS_IT_IS``: all"""
    between: tuple[tuple[str, str, float, str], ...]
    """payer, payee, share, why"""
    leg: Leg | None = None
    """whose roles are noted"""


class RowWatcher(Watcher):
    """Books, too, what a row pays."""

    def book(self, ledger: Ledger, row: int, bookings: Sequence[Booking], amounts: Sequence[Any]) -> None:
        """The amounts of a row."""
        _book(ledger, row, bookings, amounts)


class Outcome(NamedTuple):
    """A structure's end: its ledger, its last state, and what the programme did by row."""

    lowered: Lowered
    ledger: Ledger
    state: Any
    activity: list[Activity]
    futures: Futures
    """the draws that all of this came from"""
    history: list[Any]
    """the state after each row, where the ledger keeps a journal"""


def own_draws(lowered: Lowered, source: Source, rows: int, over: int = 0) -> list[Any]:
    """By row, what a structure drew, in the shape in which it asks for it.

    Rows 1 to ``over`` are over, and what can happen there by chance has not.
    """
    asked, by_chance = flat(lowered.draws), source.by_chance(chances(lowered, rows, over))
    values = [
        by_chance[one.name]
        if one.given is None
        else source.value(f"instrument.{one.name}", one.given, one.bad)
        for one in asked
    ]

    def of(row: int) -> Iterator[Any]:
        past = 0 < row <= over
        for one, value in zip(asked, values, strict=True):
            yield 1.0 if past and one.given is None else at(value, row)

    return [shaped(lowered.draws, of(row)) for row in range(rows)]


def chances(lowered: Lowered, rows: int, over: int = 0) -> dict[str, list[float]]:
    """By name of what can happen under a structure: its chance by row, nil in rows 1 to ``over``."""
    schedule = lowered.schedule[:rows]
    by_name = {one.name: one.by_row(schedule) for one in flat(lowered.draws) if one.given is None}
    return {
        name: [0.0 if 0 < row <= over else chance for row, chance in enumerate(by_row)]
        for name, by_row in by_name.items()
    }


def periods(
    ready: ReadyDeal,
    structures: Sequence[ReadyStructure],
    futures: Futures,
    level: Sequence[Any],
    ledgers: Sequence[Ledger],
    rationed: bool = False,
    watcher: RowWatcher | None = None,
) -> Generator[Any, Any, list[Outcome]]:
    """Run one programme under one or more structures, one row at each ``next``.

    The programme follows the orders of the first structure; the others share its futures and give none of
    consequence (in house nothing is ever ordered). A fund that rations reads the ``Asked`` this yields and
    sends back ``Told``; otherwise None is yielded and everything is granted.
    """
    programme, watcher = ready.programme, watcher or RowWatcher()
    state, delays, orders = programme.opening, Delays(programme.lags), AS_PLANNED
    play = through(programme.play, ledgers[0].paths, watcher)
    steps = [through(s.lowered.step, ledgers[0].paths, watcher) for s in structures]
    asks = [through(s.lowered.ask, ledgers[0].paths) for s in structures] if rationed else [None] * len(steps)
    over = len(programme.known) - 1
    drawn = [own_draws(s.lowered, futures.source, futures.rows, over) for s in structures]
    own = [[s.lowered.opening, Delays(s.lowered.lags)] for s in structures]
    bookings: list[tuple[Booking, ...]] = []
    history: list[list[Any]] = [[] for _ in structures]
    activity: list[Activity] = []
    steered = Told()
    for row in range(futures.rows):
        now = futures.now(row, delays.due())
        state, did, entering = play(programme.terms, state, now, orders)
        delays.enter(entering)
        activity.append(did)
        next_orders = orders
        bookings = bookings or [bookings_of(s, ready.saving_legs, did) for s in structures]
        for structure, step, ask, slot, ledger, draws, states, booked in zip(
            structures, steps, asks, own, ledgers, drawn, history, bookings, strict=True
        ):
            lowered = structure.lowered
            given = Now(
                lowered.schedule[row], did, slot[1].due(), INFINITE, draws[row],
                at(futures.shock_runs, row), level[row],
            )  # fmt: skip
            asked = None
            if ask is not None:
                given = given._replace(size=steered.size)
                asked = Asked(ask(lowered.terms, slot[0], given), orders.scale, did)
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
            watcher.book(ledger, row, booked, amounts_of(payments, did))
        orders = next_orders
        if rationed:
            orders = orders._replace(
                scale=orders.scale * steered.scale, performance=orders.performance * steered.performance
            )
    done(play, *steps, *(ask for ask in asks if ask is not None))
    return [
        Outcome(structure.lowered, ledger, slot[0], activity, futures, states)
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
    watcher: RowWatcher | None = None,
) -> list[Outcome]:
    """All rows of one deal, nothing rationed."""
    rows = periods(ready, structures, futures, level, ledgers, watcher=watcher)
    while True:
        try:
            next(rows)
        except StopIteration as end:
            outcomes: list[Outcome] = end.value
            return outcomes


def bookings_of(
    structure: ReadyStructure, saving_legs: Sequence[Shares], did: Activity
) -> tuple[Booking, ...]:
    """How each of a row's amounts is booked: the structure's legs, programme costs, savings."""
    found, place = [], 0
    for leg, payers, payees in structure.legs:
        found.append(Booking(place, 1.0, AS_IT_IS, _between(payers, payees, leg.reason), leg))
        place += 1
    outside: Shares = ((OUTSIDE, 1.0),)
    for at_cost, (spenders, why) in enumerate(structure.cost_legs[: len(did.costs)]):
        if spenders:
            found.append(Booking(place + at_cost, 1.0, AS_IT_IS, _between(spenders, outside, why)))
    place += len(did.costs)
    if structure.lowered.delivers and structure.savings != 0.0:
        saved = len(did.cashable)
        for at_saving, agencies in enumerate(saving_legs[:saved]):
            for first, gain, loss in (
                (place, "saving", "extra cost"),
                (place + saved, "non-cashable saving", "non-cashable extra cost"),
            ):
                here, share = first + at_saving, structure.savings
                found.append(Booking(here, share, GAIN, _between(outside, agencies, gain)))
                found.append(Booking(here, share, LOSS, _between(agencies, outside, loss)))
    return tuple(found)


def _between(payers: Shares, payees: Shares, why: str) -> tuple[tuple[str, str, float, str], ...]:
    return tuple((payer, payee, paid * share, why) for payer, paid in payers for payee, share in payees)


def amounts_of(payments: Any, did: Activity) -> list[Any]:
    """A row's amounts, pounds, in the order in which ``bookings_of`` counts their places."""
    return [*flat(payments), *did.costs, *did.cashable, *did.not_cashable]


def _book(ledger: Ledger, row: int, bookings: Sequence[Booking], amounts: Sequence[Any]) -> None:
    """Everything that was paid in this row."""
    for one in bookings:
        amount = _side(part(amounts[one.place], one.share), one.side)
        if one.leg is not None:
            ledger.note(row, one.leg, amount)
        if isinstance(amount, float):
            if amount == 0.0:
                continue
        elif amount[0] == 0.0 and not amount.any():
            continue
        for payer, payee, share, why in one.between:
            ledger.pay(row, payer, payee, amount if share == 1.0 else amount * share, why)


def _side(amount: Any, side: float) -> Any:
    if side == AS_IT_IS:
        return amount
    if not np.any(amount < 0.0):
        return amount if side == GAIN else 0.0
    return most(0.0, amount * side)
