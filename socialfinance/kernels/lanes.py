"""Straight-line arithmetic compiled for a few paths at a time, by LLVM.

A traced program is cut where people are counted: each *stage* between two rounds of counts becomes one loop
over paths, in vectors of ``LANES``. What it hands on to a later stage goes through an array. LLVM is given
every operation as it stands (nothing is reassociated or fused), so the bits are NumPy's.

A program of some 500 operations compiles in a few hundredths of a second, once: ``machine_code`` keeps it.

Import this module only inside a function: it imports llvmlite, which comes with Numba.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from socialfinance.kernels import luck
from socialfinance.kernels.backend import loaded_compiled
from socialfinance.kernels.machine_code import NAME, Machine
from socialfinance.kernels.tracing import Node, Program, number, reads

LANES = 8
WIDE, NARROW = f"<{LANES} x double>", "double"
PREDICATES = {"lt": "olt", "le": "ole", "gt": "ogt", "ge": "oge", "eq": "oeq", "ne": "une"}
BINARY = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv"}
DATA = object.__basicsize__
"""Bytes from the address of an array to that of its numbers' address: NumPy's C interface has it right behind
the head that every object has."""


class Plan(NamedTuple):
    """A program cut into stages."""

    stage: list[int]
    """by node: the first stage in which it can be worked out"""
    stages: int
    counts: list[list[int]]
    """by stage: the counts that follow it"""
    kept: dict[int, int]
    """by node that a later stage, a count or the caller reads: its array"""
    scalars: dict[int, int]
    """by narrow node that comes out or is counted: its place among the numbers that come out"""


def plan(program: Program) -> Plan:
    """Cut a program where people are counted, and find what has to be kept in arrays."""
    stage: list[int] = []
    for node in program.nodes:
        before = max((stage[x] for x in reads(node)), default=0)
        stage.append(before + 1 if node[0] == "count" else before)
    last = max(stage, default=0)
    counts: list[list[int]] = [[] for _ in range(last + 1)]
    wanted = dict.fromkeys(x for x in program.outputs if isinstance(x, int))
    for place, node in enumerate(program.nodes):
        if node[0] == "count":
            counts[stage[place] - 1].append(place)
            wanted.update(dict.fromkeys(node[1:3]))
            wanted[place] = None
        else:
            for x in reads(node):
                if stage[x] < stage[place] and program.wide[x]:
                    wanted[x] = None
    loaded = {place for place, node in enumerate(program.nodes) if node[0] in ("wide", "constant")}
    arrays = [x for x in wanted if program.wide[x] and x not in loaded]
    scalars = [x for x in wanted if not program.wide[x] and program.nodes[x][0] != "constant"]
    return Plan(
        stage, last + 1, counts, {x: i for i, x in enumerate(arrays)}, {x: i for i, x in enumerate(scalars)}
    )


# --- as text ---------------------------------------------------------------------------------------


def text(program: Program, cut: Plan) -> str:
    """The program in LLVM's language: one function a stage."""
    found = [
        f"declare {WIDE} @llvm.floor.v{LANES}f64({WIDE})",
        "declare double @llvm.floor.f64(double)",
    ]
    return "\n".join(found + [_Stage(program, cut, stage).text() for stage in range(cut.stages)]) + "\n"


class _Stage:
    """The text of one stage: narrow numbers before the loop, a loop over paths, stores as it goes."""

    def __init__(self, program: Program, cut: Plan, stage: int) -> None:
        self.program, self.cut, self.stage = program, cut, stage
        self.wide, self.narrow = leaves_of(program, "wide"), leaves_of(program, "narrow")
        self.names: dict[tuple[int, bool], str] = {}
        self.head: list[str] = []
        self.body: list[str] = []

    def text(self) -> str:
        for place, kept in self.cut.kept.items():
            if self.cut.stage[place] == self.stage and self.program.nodes[place][0] != "count":
                self._store(place, kept)
        if self.stage == 0:
            for place, kept in self.cut.scalars.items():
                name = self._narrow(place)
                self.head.append(f"  %o{place} = getelementptr double, ptr %out, i64 {kept}")
                self.head.append(f"  store double {name}, ptr %o{place}")
        return "\n".join((
            f"define void @{NAME}{self.stage}"
            "(ptr %wide, ptr %kept, ptr %narrow, ptr %out, i64 %first, i64 %last) {",
            "start:", *self.head, "  br label %loop", "loop:",
            "  %i = phi i64 [ %first, %start ], [ %next, %loop ]", *self.body,
            f"  %more = add i64 %i, {LANES}",
            "  %over = icmp sgt i64 %more, %last",
            "  %next = select i1 %over, i64 %last, i64 %more",  # the last vector overlaps the one before
            "  %end = icmp sge i64 %i, %last",
            "  br i1 %end, label %done, label %loop", "done:", "  ret void", "}",
        ))  # fmt: skip

    def _store(self, place: int, kept: int) -> None:
        """Work a value out in the order of the trace, and store it."""
        name = self.value(place, True)
        if _is_truth(self.program.nodes[place]):
            self.body.append(f"  %s{place} = uitofp <{LANES} x i1> {name} to {WIDE}")
            name = f"%s{place}"
        self.body += [
            f"  %s{place}p = getelementptr ptr, ptr %kept, i64 {kept}",
            f"  %s{place}o = load ptr, ptr %s{place}p",
            f"  %s{place}d = getelementptr i8, ptr %s{place}o, i64 {DATA}",
            f"  %s{place}q = load ptr, ptr %s{place}d",
            f"  %s{place}r = getelementptr double, ptr %s{place}q, i64 %i",
            f"  store {WIDE} {name}, ptr %s{place}r, align 8",
        ]

    def value(self, place: int, wide: bool) -> str:
        """The name of a value, as a vector or as one number; written out where it was not yet.

        Without recursion: a row is a chain of thousands of operations.
        """
        waiting = [(place, wide)]
        while waiting:
            at = waiting[-1]
            if at in self.names:
                waiting.pop()
                continue
            missing = [x for x in self._needs(*at) if x not in self.names]
            if missing:
                waiting.extend(reversed(missing))
                continue
            waiting.pop()
            self.names[at] = self._write(*at)
        return self.names[place, wide]

    def _narrow(self, place: int) -> str:
        return self.value(place, False)

    def _loaded(self, place: int) -> bool:
        return self.program.nodes[place][0] in ("wide", "count") or self.cut.stage[place] < self.stage

    def _needs(self, place: int, wide: bool) -> list[tuple[int, bool]]:
        node = self.program.nodes[place]
        if self.program.wide[place]:
            if self._loaded(place):
                return []
            narrow_choice = node[0] == "select" and not self.program.wide[node[1]]
            return [(x, not (narrow_choice and i == 0)) for i, x in enumerate(reads(node))]
        if wide:
            return [] if node[0] == "constant" else [(place, False)]
        return [(x, False) for x in reads(node)]

    def _write(self, place: int, wide: bool) -> str:
        node = self.program.nodes[place]
        name = f"%{'v' if wide else 'n'}{place}"
        if node[0] == "constant":
            return _constant(node[1], wide)
        if node[0] == "narrow" and not wide:
            self.head.append(f"  {name}p = getelementptr double, ptr %narrow, i64 {self.narrow[node[1]]}")
            self.head.append(f"  {name} = load double, ptr {name}p")
        elif wide and not self.program.wide[place]:
            self._spread(place, name)
        elif wide and self._loaded(place):
            self._load(place, name)
        else:
            self._operate(node, name, wide)
        return name

    def _spread(self, place: int, name: str) -> None:
        """One number for all lanes."""
        one = "i1" if _is_truth(self.program.nodes[place]) else "double"
        vector = f"<{LANES} x {one}>"
        self.head.append(
            f"  {name}a = insertelement {vector} poison, {one} {self.names[place, False]}, i32 0"
        )
        self.head.append(
            f"  {name} = shufflevector {vector} {name}a, {vector} poison, <{LANES} x i32> zeroinitializer"
        )

    def _load(self, place: int, name: str) -> None:
        node = self.program.nodes[place]
        table, at = ("%wide", self.wide[node[1]]) if node[0] == "wide" else ("%kept", self.cut.kept[place])
        self.body += [
            f"  {name}p = getelementptr ptr, ptr {table}, i64 {at}",
            f"  {name}o = load ptr, ptr {name}p",
            f"  {name}h = getelementptr i8, ptr {name}o, i64 {DATA}",
            f"  {name}q = load ptr, ptr {name}h",
            f"  {name}r = getelementptr double, ptr {name}q, i64 %i",
            f"  {name}{'d' if _is_truth(node) else ''} = load {WIDE}, ptr {name}r, align 8",
        ]
        if _is_truth(node):  # a truth is kept as 1 or 0
            self.body.append(f"  {name} = fcmp one {WIDE} {name}d, zeroinitializer")

    def _operate(self, node: Node, name: str, wide: bool) -> None:
        lines = self.body if wide else self.head
        given = [self.names[x] for x in self._needs(int(name[2:]), wide)]
        number = WIDE if wide else NARROW
        truth = f"<{LANES} x i1>" if wide else "i1"
        kind = node[0]
        if kind in BINARY:
            lines.append(f"  {name} = {BINARY[kind]} {number} {given[0]}, {given[1]}")
        elif kind in PREDICATES:
            lines.append(f"  {name} = fcmp {PREDICATES[kind]} {number} {given[0]}, {given[1]}")
        elif kind in ("and", "or"):
            lines.append(f"  {name} = {kind} {truth} {given[0]}, {given[1]}")
        elif kind == "not":
            lines.append(f"  {name} = xor {truth} {given[0]}, {_constant(True, wide)}")
        elif kind == "floor":
            form = f"v{LANES}f64" if wide else "f64"
            lines.append(f"  {name} = call {number} @llvm.floor.{form}({number} {given[0]})")
        elif kind == "select":
            condition = truth if wide and self.program.wide[node[1]] else "i1"
            lines.append(
                f"  {name} = select {condition} {given[0]}, {number} {given[1]}, {number} {given[2]}"
            )
        else:
            self._extreme(kind, name, number, truth, given, lines)

    def _extreme(
        self, kind: str, name: str, number: str, truth: str, given: Sequence[str], lines: list[str]
    ) -> None:
        """The lesser or greater of two; no number where either is none, as in NumPy."""
        a, b = given
        lines += [
            f"  {name}a = fcmp {'olt' if kind == 'least' else 'ogt'} {number} {a}, {b}",
            f"  {name}b = select {truth} {name}a, {number} {a}, {number} {b}",
            f"  {name}c = fcmp uno {number} {a}, {a}",
            f"  {name} = select {truth} {name}c, {number} {a}, {number} {name}b",
        ]


def _is_truth(node: Node) -> bool:
    return node[0] in PREDICATES or node[0] in ("and", "or", "not")


def _constant(value: Any, wide: bool) -> str:
    if isinstance(value, bool):
        one, word = "i1", "true" if value else "false"
    else:
        one, word = "double", f"0x{struct.unpack('>Q', struct.pack('>d', number(value)))[0]:016X}"
    return f"<{', '.join([f'{one} {word}'] * LANES)}>" if wide else word


# --- as machine code -------------------------------------------------------------------------------


class Compiled:
    """A program that runs: called with the leaves that its function is handed, it gives what comes out."""

    def __init__(self, program: Program, cut: Plan, addresses: Sequence[int]) -> None:
        self.program, self.cut = program, cut
        form = ctypes.CFUNCTYPE(None, *(ctypes.c_void_p,) * 4, *(ctypes.c_int64,) * 2)
        self.addresses, self.stages = tuple(addresses), [form(address) for address in addresses]
        self.wide, self.narrow = leaves_of(program, "wide"), leaves_of(program, "narrow")
        self.luck = {node[3] for node in program.nodes if node[0] == "count"}
        self.outputs = [self._found(x) for x in program.outputs]
        self.counts: list[list[tuple[int, tuple[int, Any], tuple[int, Any], int]]] = [
            [(cut.kept[place], self._found(node[1]), self._found(node[2]), node[3])
             for place, node in ((place, program.nodes[place]) for place in places)]
            for places in cut.counts
        ]  # fmt: skip

    def _found(self, x: int | float) -> tuple[int, Any]:
        """Where a value is when the stages have run: handed in, in an array, among numbers; or the number."""
        if isinstance(x, float):
            return _IS, x
        node = self.program.nodes[x]
        if node[0] == "wide":
            return _GIVEN, node[1]
        if node[0] == "constant":
            return _IS, number(node[1])
        return (_KEPT, self.cut.kept[x]) if self.program.wide[x] else (_NUMBER, self.cut.scalars[x])

    def __call__(self, given: Sequence[Any], paths: int) -> list[Any]:
        """What comes out of all paths."""
        return self.ran(given, paths).comes_out

    def ran(self, given: Sequence[Any], paths: int) -> Ran:
        """Run all paths through all stages, counting people between them."""
        handed = [_array(given[leaf], paths) for leaf in self.wide]
        kept = [np.empty(paths) for _ in self.cut.kept]
        narrow = np.array([given[leaf] for leaf in self.narrow], dtype=np.float64)
        found = np.empty(len(self.cut.scalars))
        objects = (
            np.array(list(map(id, handed)), dtype=np.uintp),
            np.array(list(map(id, kept)), dtype=np.uintp),
        )
        tables = [_address(table) for table in (*objects, narrow, found)]
        values: tuple[Any, ...] = (given, kept, found)
        for call, counts in zip(self.stages, self.counts, strict=True):
            call(*tables, 0, paths - LANES)
            for at, n, p, leaf in counts:
                counted = luck.count(value_of(n, values), value_of(p, values), given[leaf])
                kept[at] = _array(counted, paths)
                objects[1][at] = id(kept[at])
        return Ran(handed, kept, narrow, values, [value_of(x, values) for x in self.outputs])


class Ran(NamedTuple):
    """A program that ran: what it was handed and what it made, an array each."""

    handed: list[NDArray[np.float64]]
    """by wide leaf"""
    kept: list[NDArray[np.float64]]
    narrow: NDArray[np.float64]
    values: tuple[Any, ...]
    """what was given, arrays kept, numbers found: see ``value_of``"""
    comes_out: list[Any]


_IS, _GIVEN, _KEPT, _NUMBER = -1, 0, 1, 2


def value_of(where: tuple[int, Any], values: tuple[Any, ...]) -> Any:
    """A value where a program has it, among the values of a run."""
    table, at = where
    if table == _IS:
        return at
    return float(values[table][at]) if table == _NUMBER else values[table][at]


def leaves_of(program: Program, name: str) -> dict[int, int]:
    """The wide or narrow leaves that a program reads, each with its place in the table it is handed."""
    leaves = sorted({node[1] for node in program.nodes if node[0] == name})
    return {leaf: place for place, leaf in enumerate(leaves)}


def _address(array: NDArray[Any]) -> int:
    address: int = array.__array_interface__["data"][0]
    return address


def _array(x: Any, paths: int) -> NDArray[np.float64]:
    """One number a path, close together."""
    if isinstance(x, np.ndarray) and x.strides == (8,) and x.size == paths:
        return x
    return np.ascontiguousarray(np.broadcast_to(np.asarray(x, dtype=np.float64), (paths,)))


@cache
def machine() -> Machine:
    """The processor at hand, asked once; programs are kept where Numba keeps its kernels."""
    known = np.zeros(1)
    if ctypes.c_void_p.from_address(id(known) + DATA).value != _address(known):
        raise RuntimeError("arrays are laid out in a way that is not known")
    fast = loaded_compiled()
    return Machine(None if fast is None else fast.kept_in())


class Draft:
    """A program in LLVM's language, on its way to machine code."""

    def __init__(self, program: Program) -> None:
        self.program, self.cut = program, plan(program)
        self.text = text(program, self.cut)

    def at_hand(self) -> bool:
        """Whether it need not be compiled any more."""
        return machine().at_hand(self.text)

    def compiled(self) -> Compiled:
        """The program as machine code."""
        return Compiled(self.program, self.cut, machine().addresses(self.text, self.cut.stages))
