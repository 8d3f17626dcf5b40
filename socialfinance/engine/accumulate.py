"""What is kept of a run: figures by path, and means of flows by units of paths of fixed size.

A unit is always the same paths whatever the chunk or worker, and units are merged in order, so that every
sum is taken over the same numbers in the same order: the same bits.
"""

from __future__ import annotations

from threading import Lock
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from socialfinance.measures.paths import Key
from socialfinance.measures.sample import EQUAL, Sample

Array = NDArray[np.float64]
UNIT = 256
"""Paths in a unit."""
FINE = 32
"""Paths in a unit of net flows by row: many units even of few paths, as an error is taken over them."""


class FlowKey(NamedTuple):
    """A leg of a deal; its columns in the flows frame."""

    deal: str
    payer: str
    payee: str
    reason: str


class Block:
    """What one block of paths leaves behind: figures by path, unit sums of flows and of rows.

    ``weights`` ``(path,)`` are those of paths that do not stand for equally much: sums are weighted.
    """

    def __init__(self, first: int, count: int, weights: Array | None = None) -> None:
        self.first, self.count, self.weights = first, count, weights
        self.figures: dict[Key, Array] = {}
        self.flows: dict[FlowKey, Array] = {}
        self.rows: dict[tuple[str, str], Array] = {}

    def put_flows(self, flows: dict[FlowKey, Array]) -> None:
        """Keep unit sums and unit sums of squares of ``(year, path)`` flows as ``(2, unit, year)``."""
        for key, amounts in flows.items():
            parts = _units(self._weighted(amounts))
            sums = [part.sum(axis=1) for part in parts]
            self.flows[key] = np.stack([sums, [(part * part).sum(axis=1) for part in parts]])

    def put_rows(self, deal: str, role: str, net: Array) -> None:
        """Keep sums over fine units of a role's net flows by row, for the IRR of expected flows."""
        self.rows[deal, role] = np.stack([part.sum(axis=1) for part in _units(self._weighted(net), FINE)])

    def _weighted(self, amounts: Array) -> Array:
        return amounts if self.weights is None else amounts * self.weights


class Kept:
    """Arrays over all paths and units, filled block by block in any order."""

    def __init__(self, paths: int, sample: Sample = EQUAL) -> None:
        self.paths, self.sample = paths, sample
        self.units = -(-paths // UNIT)
        self.figures: dict[Key, Array] = {}
        self.flows: dict[FlowKey, Array] = {}
        self.rows: dict[tuple[str, str], Array] = {}
        self._lock = Lock()

    def grow(self, paths: int, sample: Sample) -> None:
        """Make room for more paths; those that are there must be whole units."""
        with self._lock:
            self.paths, self.sample, self.units = paths, sample, -(-paths // UNIT)
            self.figures = {key: _longer(values, paths) for key, values in self.figures.items()}
            self.flows = {leg: _longer(sums, self.units, axis=1) for leg, sums in self.flows.items()}
            self.rows = {who: _longer(sums, -(-paths // FINE)) for who, sums in self.rows.items()}

    def add(self, block: Block) -> None:
        """Put a block in its place."""
        paths = slice(block.first, block.first + block.count)
        units, fine = (
            slice(block.first // size, -(-(block.first + block.count) // size)) for size in (UNIT, FINE)
        )
        with self._lock:
            for key, values in block.figures.items():
                self.figures.setdefault(key, np.zeros(self.paths))[paths] = values
            for leg, sums in block.flows.items():
                shape = (2, self.units, sums.shape[2])
                self.flows.setdefault(leg, np.zeros(shape))[:, units] = sums
            for who, by_row in block.rows.items():
                self.rows.setdefault(who, np.zeros((-(-self.paths // FINE), by_row.shape[1])))[fine] = by_row


def _longer(values: Array, size: int, axis: int = 0) -> Array:
    more = [(0, 0)] * values.ndim
    more[axis] = (0, size - values.shape[axis])
    return np.pad(values, more)


def _units(amounts: Array, size: int = UNIT) -> list[Array]:
    """The units of a block, which begins with one; each part contiguous, so that sums pair alike."""
    return [
        np.ascontiguousarray(amounts[:, start : start + size]) for start in range(0, amounts.shape[1], size)
    ]
