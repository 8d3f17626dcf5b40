"""Sums over units of paths by a fixed binary tree: the same bits in whatever order units come.

Two neighbours of a level (2j and 2j + 1) are replaced by their sum as soon as both are there. Which is added
to which hangs on nothing but their numbers, and no more is held than what still waits for its neighbour: of n
units that came in order at most log2(n) sums.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
K = TypeVar("K")


def plus(left: Array, right: Array) -> Array:
    """Sums of plain sums."""
    total: Array = left + right
    return total


def together(left: Array, right: Array) -> Array:
    """Moments of two lots of paths together: ``(…, 3)`` numbers n, sums S, squares Q about the mean.

    Q = Q_l + Q_r + (n_r S_l - n_l S_r)^2 / (n_l n_r (n_l + n_r)): Chan, T. F., Golub, G. H. and LeVeque,
    R. J. (1983), "Algorithms for computing the sample variance", The American Statistician 37(3), eq. 1.5.
    """
    (n, s, q), (m, t, r) = np.moveaxis(left, -1, 0), np.moveaxis(right, -1, 0)
    with np.errstate(invalid="ignore", over="ignore"):
        apart = m * s - n * t
        below = np.maximum(n * m * (n + m), 1.0)
        return np.stack([n + m, s + t, q + r + apart / below * apart], axis=-1)


class Tree(Generic[K]):
    """Sums by key over units of ``unit`` paths; a key that a unit lacks is ``blank`` there.

    Sums of more than 2^``top`` units are not made: groups that must be told apart stay so. ``join`` adds two
    sums, ``blank`` those of nil over ``(unit,)`` numbers of paths; without it they are 0.
    """

    def __init__(
        self, unit: int, paths: int, top: int,
        join: Callable[[Array, Array], Array] = plus, blank: Callable[[Array], Array] | None = None,
    ) -> None:  # fmt: skip
        self.unit, self.paths, self.top = unit, paths, top
        self._join, self._blank = join, blank
        self._place: dict[K, int] = {}
        self._order: tuple[K, ...] = ()
        self._levels: list[dict[int, Array]] = [{}]
        self._read: Array | None = None

    def add(self, first: int, keys: Sequence[K], sums: Array) -> None:
        """Add units from number ``first``: ``(unit, key, …)``."""
        self._read = None
        numbers, level = np.arange(first, first + len(sums)), 0
        sums = self._placed(numbers, tuple(keys), sums)
        while level < self.top and len(sums):
            if first % 2:
                self._put(level, first, sums[0])
                first, sums = first + 1, sums[1:]
            if len(sums) % 2:
                self._put(level, first + len(sums) - 1, sums[-1])
                sums = sums[:-1]
            first, sums, level = first // 2, self._join(sums[0::2], sums[1::2]), level + 1
        for number, one in enumerate(sums, first):
            self._put(level, number, one)

    def raise_to(self, paths: int, top: int) -> None:
        """Make room for more paths, and put sums together up to a higher level."""
        self.paths, before, self.top, self._read = paths, self.top, top, None
        if top > before and before < len(self._levels):
            held, self._levels[before] = self._levels[before], {}
            for number in sorted(held):
                self._put(before, number, held[number])

    def sums(self, key: K) -> Array:
        """Sums ``(group, …)`` of a key over groups of 2^top units."""
        if self._read is None:
            self._read = self._groups()
        mine: Array = self._read[:, self._place[key]]
        return mine

    def by_key(self) -> dict[K, Array]:
        """The sums of every key."""
        return {key: self.sums(key) for key in self._place}

    def _groups(self) -> Array:
        """Groups in order; what still waits for its neighbour is added in order."""
        size = 2**self.top
        waiting = sorted(
            (number << level, level, number)
            for level, held in enumerate(self._levels) for number in held
        )  # fmt: skip
        found: dict[int, Array] = {}
        for begin, level, number in waiting:
            one, group = self._levels[level][number], begin // size
            found[group] = self._join(found[group], one) if group in found else one
        units, shape = -(-self.paths // self.unit), next(iter(found.values())).shape
        for group in range(-(-units // size)):
            if group not in found:  # nothing at all came of these paths
                found[group] = self._nil(np.array([group]), self.top, shape)[0]
        return np.stack([found[group] for group in sorted(found)])

    def _put(self, level: int, number: int, one: Array) -> None:
        """Put a sum in its place, or with its neighbour into the next level."""
        while True:
            while level >= len(self._levels):
                self._levels.append({})
            other = self._levels[level].pop(number ^ 1, None) if level < self.top else None
            if other is None:
                self._levels[level][number] = one.copy()  # not a view, which would hold the whole block
                return
            one = self._join(other, one) if number % 2 else self._join(one, other)
            level, number = level + 1, number // 2

    def _placed(self, numbers: NDArray[np.int64], keys: tuple[K, ...], sums: Array) -> Array:
        """The sums of a block with every key that is known in its place."""
        new = [key for key in keys if key not in self._place]
        if new:
            self._place |= {key: i for i, key in enumerate(new, len(self._place))}
            self._order += tuple(new)
            for level, held in enumerate(self._levels):
                for number, one in held.items():
                    more = self._nil(np.array([number]), level, (len(new), *one.shape[1:]))[0]
                    held[number] = np.concatenate([one, more])
        if keys == self._order:
            return sums
        out = self._nil(numbers, 0, (len(self._place), *sums.shape[2:]))
        out[:, [self._place[key] for key in keys]] = sums
        return out

    def _nil(self, numbers: NDArray[np.int64], level: int, shape: tuple[int, ...]) -> Array:
        """What some units have of keys without any figure: nil on each of their paths."""
        nil: Array = np.zeros((len(numbers), *shape))
        if self._blank is not None:
            size = self.unit << level
            paths = np.clip(self.paths - numbers * size, 0, size).astype(float)
            nil[...] = self._blank(paths)[:, None]
        return nil


def nil_moments(paths: Array) -> Array:
    """Moments of nil over ``(unit,)`` numbers of paths."""
    return np.stack([paths, np.zeros(len(paths)), np.zeros(len(paths))], axis=-1)
