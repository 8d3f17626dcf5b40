"""A pure function of one row run the quick way: traced once, compiled, and used wherever that is the same.

What its leaves are (arrays over paths, numbers fixed by the terms, numbers that differ by row) is watched
while the function runs on NumPy. From then on a row runs compiled where it is handed what was watched and
every decision falls as it did; any other row runs on NumPy. Both give the same bits, so it makes no
difference to a result which of them ran. A program is compiled once NumPy has spent on its rows about what
compiling costs.

The environment variable ``SOCIALFINANCE_BACKEND`` says what may be compiled: ``numpy`` nothing, ``numba``
draws only, anything else steps too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

from socialfinance.kernels.backend import steps_compiled
from socialfinance.kernels.tracing import (
    NUMBERS,
    Leaf,
    Program,
    UntraceableError,
    decided_by,
    decides_alike,
    kind,
    maker,
    outline,
    rebuilt,
    taker,
    trace,
)

Step = Callable[..., tuple[Any, ...]]
Kinds = list[Leaf | float]
FEWEST = 8
"""Paths that a compiled row takes at least: it works on so many at a time."""
WORTH_WATCHING = 8192
"""Paths that run on NumPy before anybody watches."""
WORTH_COMPILING = 400_000
"""Rows x paths after which a program is compiled: on NumPy they have cost about as much by then."""
WORTH_COMPILING_ALL = 100_000
"""Rows x paths of a function, for each of its programs, after which all are compiled, those of few rows too:
a deal whose rows all run compiled goes onto a tape, where they take about half the time."""
MOST_PROGRAMS = 128
"""Programs kept for one function on one shape; what decides otherwise again is left to NumPy."""
MOST_REMEMBERED = 10_000
"""Decisions remembered for one program."""
NEVER = -(10**18)
SPECIAL = frozenset({0.0, 1.0, float("inf")})
"""Numbers that say whether a term is there at all: one that never changes is written into the program."""


class Variant:
    """One program, and the rows it is good for."""

    def __init__(self, program: Program, width: int) -> None:
        self.program, self.decided_by = program, decided_by(program)
        self.numbers = _picked([leaf for leaf in range(width) if leaf not in program.arrays])
        self.fixed, self.values = _picked(list(program.fixed)), tuple(program.fixed.values())
        on = [program.nodes[place] for place in self.decided_by]
        self.deciding = _picked([node[1] for node in on if node[0] == "narrow"])
        self.alike: dict[tuple[Any, ...], bool] = {}
        """by the numbers on which decisions hang: whether they fall as they did"""
        self.make = maker(program.shape)
        self.weight = 0
        """rows x paths it was good for so far"""
        self.draft: Any = None
        self.run: Any = None
        """the machine code, once it is worth it"""

    def fits(self, given: Sequence[Any]) -> bool:
        """Whether this row is handed what the program was written for, and decides alike."""
        if not NUMBERS.issuperset(map(type, self.numbers(given))) or self.fixed(given) != self.values:
            return False
        deciding = self.deciding(given)
        alike = self.alike.get(deciding)
        if alike is None:
            alike = decides_alike(self.program, self.decided_by, given)
            if len(self.alike) < MOST_REMEMBERED:
                self.alike[deciding] = alike
        return alike

    def machine_code(self, paths: int, all_worth_it: bool) -> Any:
        """What runs it on a row, where it is kept or has become worth compiling; None before."""
        if self.run is None and self.weight != NEVER:
            self.weight += paths
            try:
                self.run = self._run(all_worth_it or self.weight >= WORTH_COMPILING)
            except (ImportError, RuntimeError):  # an LLVM that does not take it: NumPy goes on
                self.weight = NEVER
        return self.run

    def _run(self, worth_it: bool) -> Any:
        if self.draft is None:
            from socialfinance.kernels.lanes import Draft

            self.draft = Draft(self.program)
            worth_it = worth_it or self.draft.at_hand()
        return self.draft.compiled() if worth_it else None


def _picked(places: list[int]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    if len(places) > 1:
        return itemgetter(*places)
    return lambda given: tuple(given[place] for place in places)


class Shape:
    """One function on nested tuples of one shape: what is known of it in this process."""

    def __init__(self, function: Step, given: tuple[Any, ...]) -> None:
        self.function, self.leaves = function, taker(given)
        self.paths = 0
        """that went through so far"""
        self.weight = 0
        """rows x paths of it"""
        self.variants: list[Variant] = []
        self.by_row: dict[int, Variant] = {}
        """what was good for this row the last time: tried first"""
        self.left_alone = False
        """whether nothing more is compiled"""
        self.watched: tuple[Any, list[Kinds]] | None = None
        """nested tuples for an example, and the kinds of their leaves by row, not yet learnt from"""

    def variant(self, row: int, given: Sequence[Any]) -> Variant | None:
        """The program that is good for this row, if there is one."""
        before = self.by_row.get(row)
        if before is not None and before.fits(given):
            return before
        for one in self.variants:
            if one is not before and one.fits(given):
                self.by_row[row] = one
                return one
        return None

    def all_worth_it(self) -> bool:
        """Whether every program is to be compiled, however few rows it has."""
        return self.weight >= WORTH_COMPILING_ALL * len(self.variants)

    def learn(self) -> None:
        """Write down what the rows that were watched need and is not there yet."""
        if self.watched is None:
            return
        example, rows = self.watched
        self.watched = None
        wide, fixed = _kinds(rows)
        for row, kinds in enumerate(rows):
            variant = self.variant(row, kinds)
            if variant is None and not self.left_alone:
                variant = self._written(example, kinds, wide, fixed)
            if variant is not None:
                variant.weight += self.paths

    def _written(self, example: Any, kinds: Kinds, wide: set[int], fixed: dict[int, float]) -> Variant | None:
        self.left_alone = len(self.variants) >= MOST_PROGRAMS
        if self.left_alone:
            return None
        try:
            program = trace(self.function, example, kinds, wide, fixed)
        except UntraceableError:
            self.left_alone = True
            return None
        variant = Variant(program, len(kinds))
        self.variants.append(variant)
        return variant


def _kinds(rows: Sequence[Kinds]) -> tuple[set[int], dict[int, float]]:
    """Leaves that are arrays in any row, and those that are one special number in all."""
    wide, fixed = set(), {}
    for leaf, values in enumerate(zip(*rows, strict=True)):
        if Leaf.WIDE in values:
            wide.add(leaf)
        elif values[0] in SPECIAL and values.count(values[0]) == len(values):
            fixed[leaf] = float(values[0])
    return wide, fixed


_SHAPES: dict[Any, Shape] = {}


class Watcher:
    """Is told how the rows of a block ran."""

    all_compiled = True
    at_once = False
    """whether rows are watched, and programs compiled, however few paths ran before"""
    watched = 0
    """rows that had no program and were watched"""

    def left_to_numpy(self) -> None:
        """A row did not run compiled."""
        self.all_compiled = False

    def ran(self, given: tuple[Any, ...], run: Any, ran: Any) -> None:
        """A row ran compiled: what it was given, as nested tuples, the program, and its arrays."""


class Through:
    """A function on its way through all rows of one block: called as it is, with ``done`` at the end."""

    def __init__(self, function: Step, paths: int, watcher: Watcher) -> None:
        self.function, self.paths, self.row, self.watcher = function, paths, -1, watcher
        self.shape: Shape | None = None
        self.seen: list[Kinds] = []
        self.example: Any = None

    def __call__(self, *given: Any) -> tuple[Any, ...]:
        """The next row."""
        self.row += 1
        shape = self.shape = self.shape or self._known(given)
        shape.weight += self.paths
        if shape.variants:
            flat = shape.leaves(given)
            variant = shape.variant(self.row, flat)
            if variant is not None:
                run = variant.machine_code(self.paths, self.watcher.at_once or shape.all_worth_it())
                if run is None:
                    self.watcher.left_to_numpy()
                    return self.function(*given)
                ran = run.ran(flat, self.paths)
                self.watcher.ran(given, run, ran)
                found: tuple[Any, ...] = variant.make(ran.comes_out)
                return found
        self.watcher.left_to_numpy()
        if (shape.paths >= WORTH_WATCHING or self.watcher.at_once) and not shape.left_alone:
            self._watch(shape, given)
        return self.function(*given)

    def _known(self, given: tuple[Any, ...]) -> Shape:
        key = self.function, outline(given)
        if key not in _SHAPES:
            _SHAPES[key] = Shape(self.function, given)
        _SHAPES[key].learn()
        return _SHAPES[key]

    def _watch(self, shape: Shape, given: tuple[Any, ...]) -> None:
        """Keep of a row what kind each leaf is, not its paths."""
        try:
            kinds = [kind(x) for x in shape.leaves(given)]
        except UntraceableError:
            shape.left_alone = True
            return
        self.watcher.watched += 1
        self.seen.append(kinds)
        self.example = self.example or rebuilt(given, iter(kinds))

    def done(self) -> None:
        """Keep what was watched, for the next block to learn from."""
        if self.shape is not None:
            self.shape.paths += self.paths
            if self.seen:
                self.shape.watched = self.example, self.seen


def through(function: Step, paths: int, watcher: Watcher | None = None) -> Step | Through:
    """The function for all rows of one block: as it is, where nothing is to be compiled."""
    watcher = watcher or Watcher()
    if paths >= FEWEST and steps_compiled():
        return Through(function, paths, watcher)
    watcher.left_to_numpy()
    return function


def done(*functions: Step | Through) -> None:
    """All rows of a block are through."""
    for one in functions:
        if isinstance(one, Through):
            one.done()
