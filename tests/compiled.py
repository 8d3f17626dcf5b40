"""A pure function with every row compiled, as long runs have it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from socialfinance.kernels.lanes import Draft
from socialfinance.kernels.tracing import (
    Leaf,
    decided_by,
    decides_alike,
    kind,
    leaves,
    outline,
    rebuilt,
    trace,
)


class Compiled:
    """A step or a programme of which every row with arrays in it is written down and compiled.

    ``programs`` are those that its rows needed. What cannot be written down is an error here.
    """

    def __init__(self, function: Any, paths: int) -> None:
        self.function, self.paths = function, paths
        self.programs: list[tuple[Any, Any, Any]] = []

    def __call__(self, *given: Any) -> Any:
        """A row."""
        flat = leaves(given)
        kinds = [kind(x) for x in flat]
        wide = {leaf for leaf, x in enumerate(kinds) if x is Leaf.WIDE}
        if not wide:
            return self.function(*given)
        program, run = self._found((outline(given), wide), flat) or self._made(given, kinds, wide)
        return rebuilt(program.shape, iter(run(flat, self.paths)))

    def _found(self, shape: Any, flat: list[Any]) -> Any:
        for known, program, run in self.programs:
            if known == shape and decides_alike(program, decided_by(program), flat):
                return program, run
        return None

    def _made(self, given: Any, kinds: list[Any], wide: set[int]) -> Any:
        program = trace(self.function, rebuilt(given, iter(kinds)), kinds, wide, {})
        self.programs.append(((outline(given), wide), program, Draft(program).compiled()))
        return self.programs[-1][1:]


def same_bits(one: Iterable[Any], other: Iterable[Any], paths: int) -> float:
    """Hold rows of nested tuples to each other, number by number; the sum of all amounts."""
    moved = 0.0
    for mine, theirs in zip(one, other, strict=True):
        for x, y in zip(leaves(mine), leaves(theirs), strict=True):
            whole = np.broadcast_to(x, (paths,))
            np.testing.assert_array_equal(whole, np.broadcast_to(y, (paths,)))
            moved += float(np.abs(whole).sum())
    return moved
