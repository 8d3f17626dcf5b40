"""What is kept of a run: figures by path, or moments and sketches of them; sums of flows over units of paths.

A unit is always the same paths whatever the chunk or worker, and units are added up by a tree of their
numbers (``tree.py``), so that every sum is taken over the same numbers in the same order: the same bits.
What grows with the number of paths is figures by path, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from socialfinance.engine.reduced import Reduced
from socialfinance.engine.tree import Tree, nil_moments, together
from socialfinance.measures.figure import ByPath, Figure
from socialfinance.measures.paths import Key
from socialfinance.measures.sample import EQUAL, Sample
from socialfinance.measures.sketch import Sketch, Sketched, all_alike, merged

Array = NDArray[np.float64]
UNIT = 256
"""Paths in a unit."""
FINE = 32
"""Paths in a unit of net flows by row: many units even of few paths, as an error is taken over them."""
GROUPS = 1024
"""Most groups of fine units: more are put together two by two, and still say enough of an error."""
PENDING = 16
"""Blocks whose sketch of a figure may wait to be merged."""
WHOLE = 63
"""A level of the tree that no run reaches."""


AGAINST = "net cost instead"
"""In place of a reason: a public body's net cost had each of its deals been done otherwise. No payment."""


class FlowKey(NamedTuple):
    """A leg of a deal; its columns in the flows frame.

    Under ``AGAINST`` the payer is a public body and the payee what all of its deals are held against.
    """

    deal: str
    payer: str
    payee: str
    reason: str


class Block:
    """What one block of paths leaves behind: figures by path or reduced, unit sums of flows and of rows.

    ``weights`` ``(path,)`` are those of paths that do not stand for equally much: sums are weighted. Figures
    are ``(path,)``, those of a fund that meets its deals in several mixes ``(mix, path)``.
    """

    def __init__(self, first: int, count: int, weights: Array | None = None) -> None:
        self.first, self.count, self.weights = first, count, weights
        self.figures: dict[Key, Array] = {}
        self.flows: dict[FlowKey, Array] = {}
        self.rows: dict[tuple[str, str], Array] = {}
        self.reduced: Reduced | None = None

    def put_flows(self, flows: dict[FlowKey, Array]) -> None:
        """Keep unit sums and unit sums of squares of ``(year, path)`` flows as ``(2, unit, year)``."""
        for key, amounts in flows.items():
            amounts = self._weighted(amounts)
            self.flows[key] = np.stack([_unit_sums(amounts), _unit_sums(amounts * amounts)])

    def put_rows(self, deal: str, role: str, net: Array) -> None:
        """Keep sums over fine units of a role's net flows by row, for the IRR of expected flows."""
        self.rows[deal, role] = _unit_sums(self._weighted(net), FINE)

    def _weighted(self, amounts: Array) -> Array:
        return amounts if self.weights is None else amounts * self.weights


class Kept:
    """All that is kept of a run, filled block by block in any order.

    ``groups`` are the most groups over which the error of an IRR of expected flows is taken; None keeps every
    fine unit. ``sample`` says what the paths stand for, ``mixed`` what the futures do that a fund meets in
    several mixes of its deals, mix by mix.
    """

    def __init__(
        self, paths: int, sample: Sample = EQUAL, mixed: Sample | None = None, groups: int | None = GROUPS
    ) -> None:
        self.paths, self.sample, self.mixed, self._groups = paths, sample, mixed, groups
        self.figures: dict[Key, Array] = {}
        self._flows = Tree[FlowKey](UNIT, paths, self._most(UNIT))
        self._rows = Tree[tuple[str, str]](FINE, paths, self._fine())
        self._moments = Tree[Key](UNIT, paths, WHOLE, together, nil_moments)
        self._sketches: dict[Key, list[Sketch]] = {}
        self._lock = Lock()

    def _most(self, unit: int) -> int:
        """The highest level of sums that do not go over the edge of a group of the sample."""
        apart = self.sample.apart(self.paths)
        return WHOLE if apart is None else (apart // unit).bit_length() - 1

    def _fine(self) -> int:
        """The level of sums of fine units at which there are no more groups than are wanted."""
        if self._groups is None:
            return 0
        units = -(-self.paths // FINE)
        return min(max(-(-units // self._groups) - 1, 0).bit_length(), self._most(FINE))

    def grow(self, paths: int, sample: Sample, mixed: Sample | None = None) -> None:
        """Make room for more paths; those that are there must be whole units."""
        with self._lock:
            self.paths, self.sample, self.mixed = paths, sample, mixed
            self.figures = {key: _longer(values, paths, -1) for key, values in self.figures.items()}
            self._flows.raise_to(paths, self._most(UNIT))
            self._rows.raise_to(paths, self._fine())
            self._moments.raise_to(paths, WHOLE)

    def add(self, block: Block) -> None:
        """Put a block in its place."""
        paths = slice(block.first, block.first + block.count)
        with self._lock:
            self._make_room(block.figures)
            for key, values in block.figures.items():
                self.figures[key][..., paths] = values
            if block.flows:
                sums = np.stack(list(block.flows.values())).transpose(2, 0, 1, 3)
                self._flows.add(block.first // UNIT, tuple(block.flows), sums)
            if block.rows:
                by_row = np.stack(list(block.rows.values()), axis=1)
                self._rows.add(block.first // FINE, tuple(block.rows), by_row)
            if block.reduced is not None:
                self._moments.add(block.first // UNIT, block.reduced.keys, block.reduced.moments)
                for key, one in block.reduced.sketches():
                    self._sketch(key, one)

    def _make_room(self, figures: Mapping[Key, Array]) -> None:
        """Noughts for figures that are new, in one piece of memory: fewer page faults."""
        shapes: dict[tuple[int, ...], list[Key]] = {}
        for key, values in figures.items():
            if key not in self.figures:
                shapes.setdefault(values.shape[:-1], []).append(key)
        for shape, keys in shapes.items():
            self.figures.update(zip(keys, np.zeros((len(keys), *shape, self.paths)), strict=True))

    def _sketch(self, key: Key, one: Sketch) -> None:
        """Put a sketch with the others of its figure; merge them once those that wait weigh as much."""
        parts = self._sketches.setdefault(key, [])
        parts.append(one)
        waiting = sum(len(part.bucket) for part in parts[1:])
        if len(parts) > 1 and (2 * waiting >= len(parts[0].bucket) or len(parts) > PENDING):
            parts[:] = [merged(parts)]

    @property
    def keys(self) -> list[Key]:
        """Every figure, in order."""
        return sorted({*self.figures, *self._sketches})

    def figure(self, key: Key) -> Figure:
        """What is known of a figure. One that a block does not have is nil there."""
        if key in self.figures:
            return self.by_path(key)
        known = merged(self._sketches[key])
        nil = self.paths - known.there - known.missing
        if nil > 0:
            known = merged([known, all_alike(0.0, nil)])
        return Sketched(self.paths, self._moments.sums(key)[0].tolist(), known)

    def by_path(self, key: Key) -> ByPath:
        """A figure whose values are kept: of its paths, or of the futures that a fund meets, mix by mix."""
        values = self.figures[key]
        if values.ndim == 1:
            return ByPath(values, self.sample)
        assert self.mixed is not None
        return ByPath(values.ravel(), self.mixed)

    @property
    def rows(self) -> Mapping[tuple[str, str], Array]:
        """Sums of net flows by row over groups of fine units, ``(group, row)``, by whose they are."""
        return self._rows.by_key()

    @property
    def flows(self) -> Mapping[FlowKey, Array]:
        """Sums of flows and of their squares, ``(2, group, year)``, by leg."""
        return {key: sums.swapaxes(0, 1) for key, sums in self._flows.by_key().items()}


def _longer(values: Array, size: int, axis: int = 0) -> Array:
    more = [(0, 0)] * values.ndim
    more[axis] = (0, size - values.shape[axis])
    return np.pad(values, more)


def _unit_sums(amounts: Array, size: int = UNIT) -> Array:
    """Sums ``(unit, row)`` over the units of a block, which begins with one; each alike in any block."""
    rows, paths = amounts.shape
    full = paths - paths % size
    sums: Array = amounts[:, :full].reshape(rows, -1, size).sum(axis=2).T
    if full == paths:
        return sums
    return np.concatenate([sums, np.ascontiguousarray(amounts[:, full:]).sum(axis=1)[None]])
