"""A deal's rows on a block of paths, gone through natively once all of them are known.

A deal takes the same way in every block. Before the first block of a long run, in a short one once all rows
have run compiled, small blocks (``SMALL`` paths, thrown away) run with a tape at their side, until all rows
are known and compiled. From then on the tape is played: draws are handed in, and the ledger, the last state
and what is counted of each row come out, with the same bits. Whatever a tape cannot know is left to
``deal.run``: draws of another kind than those it was written with (a driver that turns from a number into
draws), a journal, books, cash that was returned.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from socialfinance.core.ledger import Ledger, Leg
from socialfinance.engine import deal as row_by_row
from socialfinance.engine.deal import Booking, Outcome, RowWatcher, own_draws
from socialfinance.engine.ready import ReadyDeal, ReadyStructure
from socialfinance.instruments.base import Now
from socialfinance.kernels.backend import steps_compiled
from socialfinance.kernels.luck import LUCK, Luck, Quantile
from socialfinance.kernels.quick import FEWEST
from socialfinance.kernels.tracing import NUMBERS, leaves, maker, taker
from socialfinance.programmes.base import Futures
from socialfinance.scenarios.sources import at

SMALL = 256
"""Paths of the block that a tape is written with."""
TRIES = 5
"""Small blocks until all rows are known, if they ever are: what a row hands to the next is of another kind
once it runs compiled."""
NOT_KEPT = None
"""Stands in an activity for what nobody reads."""


class _Handed(NamedTuple):
    """What a program of one row is handed from outside: draws, and numbers that belong to the row."""

    take: Any
    """the leaves of what is handed, in order"""
    numbers: Any
    """of the leaves: those that were numbers when the tape was written"""
    values: tuple[float, ...]
    arrays: tuple[int, ...]
    """places of leaves that a program reads as arrays"""
    lucks: tuple[int, ...]


class _Found(NamedTuple):
    """Nested tuples that come out: rebuilt from numbers, and arrays by their place among those wanted."""

    make: Any
    leaves: list[Any]
    """a number, a place (``_Wanted``), or ``NOT_KEPT``"""

    def of(self, arrays: Sequence[Any]) -> Any:
        """The tuples."""
        return self.make([arrays[x.place] if type(x) is _Wanted else x for x in self.leaves])


class _Wanted(NamedTuple):
    place: int


class _Script(NamedTuple):
    """What is needed to play a deal under some structures."""

    player: Any
    over: int
    """rows that are over"""
    handed: list[_Handed]
    """by program in the order of calls"""
    tables: list[tuple[int, str, Any]]
    """by table: which structure's ledger, and where in it"""
    activity: list[_Found]
    states: list[_Found]


@dataclass
class _Known:
    """How far it is with a deal under some structures, in this process."""

    went_through: bool = False
    """all its rows have run compiled"""
    hopeless: bool = False
    script: _Script | None = None


_KNOWN: WeakKeyDictionary[ReadyDeal, dict[Any, _Known]] = WeakKeyDictionary()


def run(
    ready: ReadyDeal,
    structures: Sequence[ReadyStructure],
    futures: Futures,
    level: Sequence[Any],
    ledgers: Sequence[Ledger],
    whole: bool = False,
    long: bool = False,
    learn: bool = True,
) -> list[Outcome]:
    """``deal.run``, sooner; of activity only what is counted is there, unless ``whole``.

    ``structures`` are the deal's own, with variation, or its comparators. In a ``long`` run the deal goes
    onto a tape at once, which takes about as long as 30,000 paths do without. Futures that are not those of
    the deal itself are not to ``learn`` from: its tape is played for them where there is one.
    """
    if not _can_be_taped(structures, ledgers):
        return row_by_row.run(ready, structures, futures, level, ledgers)
    key = tuple(map(id, structures)), tuple((one.watched, one.watch) for one in ledgers), whole
    all_known = _KNOWN.setdefault(ready, {})
    known = all_known.setdefault(key, _Known())
    if known.script is None and not known.hopeless and learn and (long or known.went_through):
        _write(known, ready, structures, futures, level, ledgers, whole)
    if known.script is not None:
        try:
            return _play(known.script, structures, futures, level, ledgers)
        except _OtherDrawsError:
            pass  # this block goes through its rows
    watcher = RowWatcher()
    outcomes = row_by_row.run(ready, structures, futures, level, ledgers, watcher)
    if watcher.all_compiled:
        known.went_through = True
    return outcomes


def _can_be_taped(structures: Sequence[ReadyStructure], ledgers: Sequence[Ledger]) -> bool:
    return (
        steps_compiled()
        and ledgers[0].paths >= FEWEST
        and not any(structure.cash for structure in structures)
        and not any(ledger.journal is not None or ledger.books for ledger in ledgers)
    )


# --- written -----------------------------------------------------------------------------------------


class _Writer(RowWatcher):
    """At the side of a small block: keeps what is called, with what, and what is booked where.

    It stops writing where a row does not run compiled, or holds what has no number.
    """

    at_once = writing = True

    def __init__(self, ledgers: Sequence[Ledger]) -> None:
        from socialfinance.kernels.tape import Tape

        self.ledgers, self.tape = ledgers, Tape()
        self.handed: list[_Handed] = []
        self.tables: dict[tuple[int, str, Any], int] = {}
        self.places: dict[Any, list[tuple[int, bool, float]]] = {}
        """by ledger and payment: the tables in which it is booked, whether by year, and the sign"""
        self.outside: dict[int, tuple[list[int], Any]] = {}
        """by program: the places of the leaves handed from outside, and what takes them"""

    def left_to_numpy(self) -> None:
        """A row did not run compiled."""
        super().left_to_numpy()
        self.writing = False

    def ran(self, given: tuple[Any, ...], run: Any, ran: Any) -> None:
        """A program: number what it is handed from outside, then put it on the tape."""
        if not self.writing:
            return
        flat = ran.values[0]
        if id(run) not in self.outside:  # a program is for nested tuples of one shape
            numbered = maker(given)(range(len(flat)))
            self.outside[id(run)] = leaves(_outside(numbered)), taker(_outside(given))
        places, take = self.outside[id(run)]
        arrays, lucks = [], []
        for i, leaf in enumerate(places):
            x = flat[leaf]
            if leaf in run.luck:
                self.tape.hand_in_luck(x)
                lucks.append(i)
            elif leaf in run.wide and isinstance(x, np.ndarray):
                self.tape.hand_in(x)
                arrays.append(i)
        numbers = [i for i, leaf in enumerate(places) if type(flat[leaf]) in NUMBERS]
        self.handed.append(
            _Handed(take, numbers, tuple(flat[places[i]] for i in numbers), tuple(arrays), tuple(lucks))
        )
        self.writing = all(self.has_number(flat[leaf]) for leaf in run.wide)
        if self.writing:
            self.tape.add_program(run, ran)

    def has_number(self, x: Any) -> bool:
        return not isinstance(x, np.ndarray) or self.tape.number_of(x) is not None

    def book(self, ledger: Ledger, row: int, bookings: Sequence[Booking], amounts: Sequence[Any]) -> None:
        """The amounts of a row, on the tape alone: nobody reads the ledger of a small block."""
        which = next(i for i, one in enumerate(self.ledgers) if one is ledger)
        for one in bookings:
            amount = amounts[one.place]
            if type(amount) in NUMBERS and amount == 0.0:
                continue
            self.writing = self.writing and self.has_number(amount)
            if not self.writing:
                return
            if one.leg is not None:
                self._book(amount, one, 1.0, row, self._places(which, one.leg))
            for payer, payee, part, why in one.between:
                self._book(amount, one, part, row, self._places(which, (payer, payee, why)))

    def _book(
        self, amount: Any, one: Booking, part: float, row: int, places: Iterable[tuple[int, bool, float]]
    ) -> None:
        year = self.ledgers[0].year_of_row[row]
        targets = [(table, year if yearly else row, sign) for table, yearly, sign in places]
        if targets:
            self.tape.add_booking(amount, (one.share, one.side, part), targets)

    def _places(self, which: int, payment: Leg | tuple[str, str, str]) -> list[tuple[int, bool, float]]:
        by_role = isinstance(payment, Leg)  # a party may have the name of a role: then both are equal
        key = which, by_role, payment
        if key not in self.places:
            ledger = self.ledgers[which]
            found = ledger.noted(payment) if isinstance(payment, Leg) else ledger.places(*payment)
            self.places[key] = [
                (self._table(which, place.table, place.key), place.yearly, place.sign) for place in found
            ]
        return self.places[key]

    def _table(self, which: int, name: str, key: Any) -> int:
        if (which, name, key) not in self.tables:
            self.tables[which, name, key] = self.tape.table(self.ledgers[which].lines_of(name))
        return self.tables[which, name, key]


def _outside(given: tuple[Any, ...]) -> tuple[Any, ...]:
    """Of what a programme or a step is handed: draws and numbers of the row, not what rows before it made."""
    now = given[2]
    if isinstance(now, Now):
        return now.drawn, now.shock, now.level
    return _drawn(now)


def _drawn(now: Any) -> tuple[Any, ...]:
    """Of a programme's row, all but what leaves its delay lines."""
    return tuple(x for name, x in zip(now._fields, now, strict=True) if name != "due")


def _write(known: _Known, *block: Any) -> None:
    """Small blocks until there is a tape, or nothing new is seen."""
    for _ in range(TRIES):
        known.script, writer = _written(*block)
        if known.script is not None:
            return
        if not writer.watched:
            break
    known.hopeless = True


def _written(
    ready: ReadyDeal,
    structures: Sequence[ReadyStructure],
    futures: Futures,
    level: Sequence[Any],
    ledgers: Sequence[Ledger],
    whole: bool,
) -> tuple[_Script | None, _Writer]:
    """Some paths of the block run with a tape at their side; no script where that cannot be."""
    chosen = np.arange(ledgers[0].paths) < SMALL
    small = [ledger.like(int(chosen.sum())) for ledger in ledgers]
    fewer = [x[..., chosen] if isinstance(x, np.ndarray) else x for x in level]
    writer = _Writer(small)
    outcomes = row_by_row.run(ready, structures, futures.on(chosen), fewer, small, writer)
    if not writer.writing:
        return None, writer
    wanted: list[Any] = []
    read = None if whole else ready.programme.read
    activity = [_found(_read(done, read), wanted) for done in outcomes[0].activity]
    states = [_found(outcome.state, wanted) for outcome in outcomes]
    if not all(map(writer.has_number, wanted)):
        return None, writer
    player = writer.tape.finish(wanted)
    over = len(ready.programme.known) - 1
    return _Script(player, over, writer.handed, list(writer.tables), activity, states), writer


def _read(done: Any, read: Sequence[str] | None) -> Any:
    """An activity with nothing in the fields that nobody reads."""
    if read is None:
        return done
    return type(done)(*(x if name in read else NOT_KEPT for name, x in zip(done._fields, done, strict=True)))


def _found(shape: Any, wanted: list[Any]) -> _Found:
    """Nested tuples taken apart; their arrays join those that are wanted."""
    found: list[Any] = []
    for x in leaves((shape,)):
        if isinstance(x, np.ndarray):
            wanted.append(x)
            found.append(_Wanted(len(wanted) - 1))
        else:
            found.append(x)
    make = maker((shape,))
    return _Found(lambda given: make(given)[0], found)


# --- played ------------------------------------------------------------------------------------------


class _OtherDrawsError(Exception):
    """Draws are not of the kind that the tape was written with."""


def _play(
    script: _Script,
    structures: Sequence[ReadyStructure],
    futures: Futures,
    level: Sequence[Any],
    ledgers: Sequence[Ledger],
) -> list[Outcome]:
    """The block natively."""
    arrays: list[Any] = []
    lucks: list[Luck | Quantile] = []
    paths = ledgers[0].paths
    given = _from_outside(structures, futures, level, script.over)
    same: dict[str, Any] = {}
    for handed, one in zip(script.handed, given, strict=True):
        flat = handed.take(one)
        if not _alike(handed, flat):
            raise _OtherDrawsError
        for i in handed.arrays:
            x = flat[i]
            if type(x) in NUMBERS:
                text = float(x).hex()
                if text not in same:
                    same[text] = np.full(paths, x)
                x = same[text]
            arrays.append(_close_together(x, paths))
        lucks += [flat[i] for i in handed.lucks]
    words = next((x.path for x in lucks if isinstance(x, Luck)), np.zeros(paths, dtype=np.uint64))
    tables = [ledgers[which].unwritten(name, key) for which, name, key in script.tables]
    found, moved = script.player.play(arrays, lucks, tables, words)
    for (which, name, key), some in zip(script.tables, moved.tolist(), strict=True):
        if not (some or name == "by_role"):
            del getattr(ledgers[which], name)[key]
    activity = [one.of(found) for one in script.activity]
    return [
        Outcome(structure.lowered, ledger, state.of(found), activity, futures, [])
        for structure, ledger, state in zip(structures, ledgers, script.states, strict=True)
    ]


def _from_outside(
    structures: Sequence[ReadyStructure], futures: Futures, level: Sequence[Any], over: int
) -> Iterator[tuple[Any, ...]]:
    """What each program is handed from outside, in the order in which they are called."""
    draws = [own_draws(structure.lowered, futures.source, futures.rows, over) for structure in structures]
    for row in range(futures.rows):
        yield _drawn(futures.now(row, ()))
        for drawn in draws:
            yield drawn[row], at(futures.shock_runs, row), level[row]


def _alike(handed: _Handed, flat: Sequence[Any]) -> bool:
    """Whether numbers are the numbers that they were when the tape was written, and draws are there at all.

    A number in place of a draw is taken as the same on every path.
    """
    numbers = [flat[i] for i in handed.numbers]
    return (
        NUMBERS.issuperset(map(type, numbers))
        and tuple(numbers) == handed.values
        and all(type(flat[i]) is np.ndarray or type(flat[i]) in NUMBERS for i in handed.arrays)
        and all(isinstance(flat[i], LUCK) for i in handed.lucks)
    )


def _close_together(x: Any, paths: int) -> Any:
    if x.strides == (8,) and x.size == paths:
        return x
    return np.ascontiguousarray(np.broadcast_to(x, (paths,)))
