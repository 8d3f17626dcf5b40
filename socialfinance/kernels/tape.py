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

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from socialfinance.kernels.backend import loaded_compiled
from socialfinance.kernels.lanes import Compiled, Ran, value_of
from socialfinance.kernels.luck import Luck, Quantile

CHUNK = 512
"""Paths done at a time: what a row reads and makes of them fits into the cache of a core."""
STAGE, COUNT, BOOK = 0, 1, 2
NOTHING = -1


class Target(NamedTuple):
    """A line of a table to which an amount is added. Nothing stands in it before the first is."""

    table: int
    line: int
    sign: float


class Call(NamedTuple):
    """One operation on arrays by number."""

    kind: int
    reads: tuple[int, ...]
    makes: tuple[int, ...]
    detail: tuple[int, ...]
    """for the machine: what follows ``kind`` in its table"""


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
        self.targets: list[Target] = []
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

    def add_booking(
        self, amount: Any, factors: tuple[float, float, float], targets: Sequence[Target]
    ) -> None:
        """amount x share, of which a side, x share of it, added to each target."""
        source = self._operand(amount)
        at, first = len(self.numbers), len(self.targets)
        self.numbers += [source if isinstance(source, float) else 0.0, *factors]
        self.targets += targets
        array = NOTHING if isinstance(source, float) else source
        reads = () if isinstance(source, float) else (source,)
        self.calls.append(Call(BOOK, reads, (), (array, first, len(targets), at)))

    # --- finished ---

    def finish(self, wanted: Sequence[Any]) -> Player:
        """Ready to be played; the arrays ``wanted`` come out of it."""
        numbers = [self._known[id(array)] for array in wanted]
        booked = {(x.table, x.line) for x in self.targets}
        every = ((table, line) for table, lines in enumerate(self.tables) for line in range(lines))
        self.add_booking(0.0, (1.0, 0.0, 1.0), [Target(*one, 1.0) for one in every if one not in booked])
        places, size = self._places(set(numbers))
        self._known.clear()
        self._alive.clear()
        return Player(self, numbers, places, size)

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
        self.targets = _targets(tape.targets)
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
        for call in self.calls:
            if call[0] == COUNT:
                call[1:3] = [where[x] if x != NOTHING else x for x in call[1:3]]
                call[4] = where[call[4]]
            elif call[0] == BOOK and call[1] != NOTHING:
                call[1] = where[call[1]]

    def play(
        self, outside: Sequence[NDArray[np.float64]], lucks: Sequence[Luck | Quantile],
        tables: Sequence[NDArray[np.float64]], paths: NDArray[np.uint64],
    ) -> tuple[list[NDArray[np.float64]] | None, NDArray[np.bool_]]:  # fmt: skip
        """The arrays that were wanted, in order; and by table, whether anything but nil was booked in it.

        Every line of every table is written, whatever stood in it.
        """
        count = len(paths)
        places = np.empty((self.size, count))
        made = [np.empty(count) for _ in range(self.made)]
        constants = [np.full(count, value) for value in self.constants]
        arrays = [*places, *made, *outside, *constants, *tables]
        objects = np.array(list(map(id, arrays)), dtype=np.uintp)
        keys = np.array(
            [(x.key0, x.key1, x.period) if isinstance(x, Luck) else (0, 0, 0) for x in lucks],
            dtype=np.uint64,
        ).reshape(-1, 3)
        spread = [None if isinstance(x, Luck) else np.ascontiguousarray(x.u) for x in lucks]
        scores = [_scores(x.u) if isinstance(x, Quantile) and x.near else None for x in lucks]
        moved = np.zeros(len(tables), dtype=np.bool_)
        fast = loaded_compiled()
        assert fast is not None
        done = fast.play_tape(
            self.calls, self.numbers, self.targets, objects, objects[self.wide], objects[self.kept], keys,
            _addresses(spread), _addresses(scores), np.ascontiguousarray(paths, dtype=np.uint64),
            self.first_table, moved, np.empty(self.scalars), CHUNK,
        )  # fmt: skip
        return [arrays[at] for at in self.wanted] if done else None, moved


def _targets(targets: Sequence[Target]) -> NDArray[np.int64]:
    """Table, line, sign, and 1 where it is the first that is booked in that line."""
    seen: set[tuple[int, int]] = set()
    found = np.zeros((len(targets), 4), dtype=np.int64)
    for i, (table, line, sign) in enumerate(targets):
        found[i] = table, line, sign, (table, line) not in seen
        seen.add((table, line))
    return found


def _scores(u: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.special import ndtri

    return np.ascontiguousarray(ndtri(u))


def _addresses(arrays: Sequence[NDArray[np.float64] | None]) -> NDArray[np.uint64]:
    """Of the numbers of each array; nought where there is none."""
    return np.array([0 if x is None else x.ctypes.data for x in arrays], dtype=np.uint64)
