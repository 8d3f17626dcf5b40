"""Compiled rows written down as one list of calls, and done again without Python in between.

A deal goes the same way through its rows in every block: the same programs, people counted in the same
places, the same amounts booked; only what is drawn differs. A ``Tape`` keeps that way: which program is
called with which arrays, in order. It is then gone through natively for some hundred paths at a time, so
that what one row hands to the next is still close to the processor. The machine code and the order of every
operation are those of the rows one by one: same bits.

Arrays go by number. What is handed in anew each time (draws) is *outside*; what a program makes is *made*,
and several share one place in memory where one is no longer needed when the next is made; a number that
stands for an array is *constant*; what is booked goes into *tables* ``(line, path)``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from socialfinance.kernels.backend import loaded_compiled
from socialfinance.kernels.lanes import Compiled, Ran, value_of
from socialfinance.kernels.luck import Luck, Quantile

CHUNK = 512
"""Paths done at a time: what a row reads and makes of them fits into the cache of a core."""
PAGE, OFF = 512, 72
"""Numbers in a page of memory; by how many an array is set off from the one before."""
STAGE, COUNT, BOOK = 0, 1, 2
NOTHING = -1
Factors = tuple[float, float, float]
"""A share; which side, and the share of what is on it (see ``Tape.add_booking``)."""
WHOLE: Factors = (1.0, 0.0, 1.0)
Target = tuple[int, int, float]
"""A table, a line of it, and the sign with which an amount is added: to nothing, where it is the first."""


class Booking(NamedTuple):
    """An amount, by number of its array, and where it is booked."""

    array: int
    factors: Factors
    targets: Sequence[Target]


class Call(NamedTuple):
    """One operation on arrays by number."""

    kind: int
    reads: tuple[int, ...]
    makes: tuple[int, ...]
    detail: tuple[int, ...]
    """for the machine: what follows ``kind`` in its table"""


class Sheet:
    """What is booked at once, again and again: amounts, and then by line what of them is added there.

    On each line amounts are added in the order in which they were booked, so that sums have the same bits.
    """

    def __init__(self) -> None:
        self.amounts: list[int] = []
        self.factors: list[Factors] = []
        self.lines: list[tuple[int, int, bool, int, int]] = []
        """table, line, whether anything stands in it, and the terms that are added: from, to before"""
        self.terms: list[tuple[int, float]] = []
        """place among the amounts that are booked at once, and sign"""
        self._begun: set[tuple[int, int]] = set()

    def add(self, bookings: Sequence[Booking]) -> Call:
        """Book at once."""
        amounts: dict[tuple[int, Factors], int] = {}
        terms: dict[tuple[int, int], list[tuple[int, float]]] = {}
        for array, factors, targets in bookings:
            place = amounts.setdefault((array, factors), len(amounts))
            for table, line, sign in targets:
                terms.setdefault((table, line), []).append((place, sign))
        first = len(self.amounts), len(self.lines)
        self.amounts += [array for array, _ in amounts]
        self.factors += [factors for _, factors in amounts]
        for where, added in terms.items():
            self._line(where, added)
        reads = tuple(array for array, _ in amounts)
        return Call(BOOK, reads, (), (first[0], len(self.amounts), first[1], len(self.lines)))

    def clear(self, tables: Sequence[int]) -> Call:
        """Noughts for every line of ``tables``, so many in each, in which nothing is booked."""
        first = len(self.lines)
        for table, lines in enumerate(tables):
            for line in range(lines):
                if (table, line) not in self._begun:
                    self._line((table, line), [])
        return Call(BOOK, (), (), (0, 0, first, len(self.lines)))

    def _line(self, where: tuple[int, int], added: Sequence[tuple[int, float]]) -> None:
        first = len(self.terms)
        self.terms += added
        self.lines.append((*where, where in self._begun, first, len(self.terms)))
        self._begun.add(where)


class Tape:
    """The way of one deal through its rows. Written with arrays at hand, then ``finish``ed."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.outside = self.lucks = self.made = self.scalars = 0
        self.tables: list[int] = []
        """lines of each"""
        self.constants: dict[str, int] = {}
        """array by number, as exact text: -0 is not 0"""
        self.kinds: list[tuple[str, Any]] = []
        """by number of array: what it is, and which"""
        self.wide: list[int] = []
        self.kept: list[int] = []
        self.numbers: list[float] = []
        self.bookings: list[Booking] = []
        self.sheet = Sheet()
        self._known: dict[int, int] = {}
        self._alive: list[Any] = []

    # --- written down ---

    def _new(self, what: str, which: Any, array: Any = None) -> int:
        self.kinds.append((what, which))
        if array is not None:
            self._known[id(array)] = len(self.kinds) - 1
            self._alive.append(array)  # while it lives, its identity is its own
        return len(self.kinds) - 1

    def number_of(self, array: Any) -> int | None:
        """The number of an array that was handed in or made; None where it was not."""
        return self._known.get(id(array))

    def hand_in(self, array: Any) -> int:
        """An array from outside."""
        self.outside += 1
        return self._new("outside", self.outside - 1, array)

    def _make(self, array: Any) -> int:
        self.made += 1
        return self._new("made", self.made - 1, array)

    def table(self, lines: int) -> int:
        """A table to book in; its number among tables."""
        self.tables.append(lines)
        self._new("table", len(self.tables) - 1)
        return len(self.tables) - 1

    def _operand(self, x: Any) -> int | float:
        if isinstance(x, np.ndarray):
            return self._known[id(x)]
        return float(x)

    def _constant(self, value: float) -> int:
        text = value.hex()
        if text not in self.constants:
            self.constants[text] = self._new("constant", len(self.constants))
        return self.constants[text]

    def add_program(self, run: Compiled, ran: Ran) -> None:
        """A program that ran, people counted between its stages; what it read must have a number."""
        given = ran.values[0]
        operands = [self._operand(given[leaf]) for leaf in run.wide]
        wide = tuple(self._constant(x) if isinstance(x, float) else x for x in operands)
        counted = {at for counts in run.counts for at, *_ in counts}
        kept = tuple(self._make(array) for array in ran.kept)
        places = len(self.wide), len(self.kept), len(self.numbers)
        self.wide += wide
        self.kept += kept
        self.numbers += ran.narrow.tolist()
        self.scalars = max(self.scalars, len(ran.values[2]))
        made_at_once = tuple(x for at, x in enumerate(kept) if at not in counted)
        for address, counts in zip(run.addresses, run.counts, strict=True):
            self.calls.append(Call(STAGE, (*wide, *kept), made_at_once, (address, *places)))
            for at, n, p, leaf in counts:
                self._add_count(
                    self._operand(value_of(n, ran.values)), self._operand(value_of(p, ran.values)),
                    self._known[id(given[leaf])], kept[at],
                )  # fmt: skip
        self.calls.append(Call(NOTHING, (*wide, *kept), (), ()))

    def hand_in_luck(self, luck: Luck | Quantile) -> int:
        """Luck from outside; its number among lucks."""
        self.lucks += 1
        self._known[id(luck)] = self.lucks - 1
        self._alive.append(luck)
        return self.lucks - 1

    def _add_count(self, n: int | float, p: int | float, luck: int, into: int) -> None:
        at = len(self.numbers)
        self.numbers += [float(x) if isinstance(x, float) else 0.0 for x in (n, p)]
        arrays = tuple(NOTHING if isinstance(x, float) else x for x in (n, p))
        reads = tuple(x for x in arrays if x != NOTHING)
        self.calls.append(Call(COUNT, reads, (into,), (*arrays, luck, into, at)))

    def add_booking(self, amount: Any, factors: Factors, targets: Sequence[Target]) -> None:
        """amount x share, of which a side, x share of it, added to each target."""
        source = self._operand(amount)
        if isinstance(source, float):
            share, side, portion = factors
            value = source * share if side == 0.0 else max(source * share * side, 0.0)
            if value * portion == 0.0:
                return
            source, factors = self._constant(value * portion), WHOLE
        self.calls.append(Call(BOOK, (), (), (len(self.bookings),)))
        self.bookings.append(Booking(source, factors, targets))

    # --- finished ---

    def finish(self, wanted: Sequence[Any]) -> Player:
        """Ready to be played; the arrays ``wanted`` come out of it."""
        numbers = [self._known[id(array)] for array in wanted]
        self.calls = [*self._at_once(), self.sheet.clear(self.tables)]
        places, size = self._places(set(numbers))
        self._known.clear()
        self._alive.clear()
        return Player(self, numbers, places, size)

    def _at_once(self) -> Iterator[Call]:
        """The calls, bookings that follow each other as one."""
        for books, calls in groupby(self.calls, lambda call: call.kind == BOOK):
            if books:
                yield self.sheet.add([self.bookings[call.detail[0]] for call in calls])
            else:
                yield from calls

    def _places(self, wanted: set[int]) -> tuple[dict[int, int], int]:
        """A place in memory for each array made; again, once what was there is not needed any more."""
        last: dict[int, int] = {}
        for at, call in enumerate(self.calls):
            last.update(dict.fromkeys((*call.reads, *call.makes), at))
        ends: dict[int, list[int]] = {}
        for number, at in last.items():
            ends.setdefault(at, []).append(number)
        places: dict[int, int] = {}
        free: list[int] = []
        size = 0
        for at, call in enumerate(self.calls):
            for number in call.makes:
                if number not in places and number not in wanted:
                    if not free:
                        free.append(size)
                        size += 1
                    places[number] = free.pop()
            free += [places[number] for number in ends.get(at, ()) if number in places]
        return places, size


class Player:
    """A tape in the form in which the machine reads it."""

    def __init__(self, tape: Tape, wanted: Sequence[int], places: dict[int, int], size: int) -> None:
        self.size, self.scalars = size, tape.scalars
        self.calls = np.array(
            [(call.kind, *call.detail, *(0,) * (5 - len(call.detail))) for call in tape.calls
             if call.kind != NOTHING], dtype=np.int64,
        )  # fmt: skip
        self.wide, self.kept = np.array(tape.wide, dtype=np.intp), np.array(tape.kept, dtype=np.intp)
        self.numbers = np.array(tape.numbers)
        sheet = tape.sheet
        self.factors = np.array(sheet.factors).reshape(-1, 3)
        self.lines = np.array(sheet.lines, dtype=np.int64).reshape(-1, 5)
        self.terms = np.array([place for place, _ in sheet.terms], dtype=np.int64)
        self.signs = np.array([sign for _, sign in sheet.terms])
        self.at_once = max(
            (call.detail[1] - call.detail[0] for call in tape.calls if call.kind == BOOK), default=0
        )
        self.constants = [float.fromhex(text) for text in tape.constants]
        own = dict.fromkeys(x for x in wanted if tape.kinds[x][0] == "made")
        places = {**places, **{number: size + i for i, number in enumerate(own)}}
        self.made = len(own)
        first = {"outside": size + self.made}
        first["constant"] = first["outside"] + tape.outside
        first["table"] = self.first_table = first["constant"] + len(self.constants)
        where = np.zeros(len(tape.kinds), dtype=np.intp)
        """by number: where the array stands among those that ``play`` lines up"""
        for number, (what, which) in enumerate(tape.kinds):
            where[number] = places[number] if what == "made" else first[what] + which
        self.wanted = [int(where[x]) for x in wanted]
        self.wide, self.kept = where[self.wide], where[self.kept]
        self.amounts = where[np.array(sheet.amounts, dtype=np.intp)]
        for call in self.calls:
            if call[0] == COUNT:
                call[1:3] = [where[x] if x != NOTHING else x for x in call[1:3]]
                call[4] = where[call[4]]

    def play(
        self, outside: Sequence[NDArray[np.float64]], lucks: Sequence[Luck | Quantile],
        tables: Sequence[NDArray[np.float64]], paths: NDArray[np.uint64],
    ) -> tuple[list[NDArray[np.float64]], NDArray[np.bool_]]:  # fmt: skip
        """The arrays that were wanted, in order; and by table, whether anything but nil was booked in it.

        Every line of every table is written, whatever stood in it.
        """
        count = len(paths)
        made, constants = _apart(self.size + self.made, count), _apart(len(self.constants), count)
        constants[:] = np.array(self.constants)[:, None]
        arrays = [*made, *outside, *constants, *tables]
        objects = np.array(list(map(id, arrays)), dtype=np.uintp)
        keys = np.array(
            [(x.key0, x.key1, x.period) if isinstance(x, Luck) else (0, 0, 0) for x in lucks],
            dtype=np.uint64,
        ).reshape(-1, 3)
        spread = [None if isinstance(x, Luck) else np.ascontiguousarray(x.u) for x in lucks]
        near = np.array([isinstance(x, Quantile) and x.near for x in lucks], dtype=np.bool_)
        scipy = _scipy() if any(x is not None for x in spread) else (np.uint64(0), np.uint64(0))
        moved = np.zeros(len(tables), dtype=np.bool_)
        fast = loaded_compiled()
        assert fast is not None
        fast.play_tape(
            self.calls, self.numbers, (self.amounts, self.factors, self.lines, self.terms, self.signs),
            objects, objects[self.wide], objects[self.kept], keys, _addresses(spread), near, scipy,
            np.ascontiguousarray(paths, dtype=np.uint64), self.first_table, moved, np.empty(self.scalars),
            np.empty((self.at_once, 2 * CHUNK)), CHUNK,
        )  # fmt: skip
        return [arrays[at] for at in self.wanted], moved


def _apart(arrays: int, paths: int) -> NDArray[np.float64]:
    """Empty arrays ``(array, path)`` that begin at unlike places of a page of memory.

    A processor that tells addresses apart by their last twelve bits takes what is loaded from one array for
    what was just stored in another, and waits: twice the time for a row.
    """
    whole = -(-paths // PAGE) * PAGE
    return np.empty((arrays, whole + OFF))[:, :paths]


@cache
def _scipy() -> tuple[np.uint64, np.uint64]:
    """The addresses of ``scipy.special.ndtri`` and ``betainc`` of doubles: the bits of arrays."""
    from numba.extending import get_cython_function_address as address

    module = "scipy.special.cython_special"
    return np.uint64(address(module, "ndtri")), np.uint64(address(module, "__pyx_fuse_0betainc"))


def _addresses(arrays: Sequence[NDArray[np.float64] | None]) -> NDArray[np.uint64]:
    """Of the numbers of each array; nought where there is none."""
    return np.array([0 if x is None else x.ctypes.data for x in arrays], dtype=np.uint64)
