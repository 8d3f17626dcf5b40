"""A figure over any number of paths in bounded memory: exact moments, and a sketch of its distribution.

Values are counted in buckets of fixed relative width, as in DDSketch: Masson, C., Rim, J. E. and Lee, H. K.
(2019), "DDSketch: a fast and fully-mergeable quantile sketch with relative-error guarantees", Proceedings of
the VLDB Endowment 12(12). A bucket is told by a value's sign, exponent and first ``BITS`` binary places, and
keeps its count, its least and its greatest value. Integers and extremes merge without rounding: sketches of
parts give the same bits in whatever order they are put together.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from socialfinance.measures.figure import Figure
from socialfinance.measures.sample import Estimate

Array = NDArray[np.float64]
BITS = 10
"""Binary places that tell buckets apart."""
WITHIN = 2.0**-BITS
"""Widest bucket over its end nearer nil, and so the most by which a quantile can be off, relatively: 0.1%."""
NIL = 1e-9
"""What is nearer nil than this is in one bucket with nil: there the error is absolute."""
BEFORE = (int(np.float64(NIL).view(np.int64)) >> (52 - BITS)) - 1
"""What the bits of a bucket's values are above its number: that next to nil's is 1."""
SHORT = 2**16
"""Buckets from the first to the last up to which their numbers fit 16 bits, and are sorted in no time."""
BUCKET_BYTES = 4 + 4 + 8 + 8
"""Of one bucket: number, count, least and greatest value."""


class Sketch(NamedTuple):
    """Counts by bucket, in the order of their values, and how many values were missing."""

    bucket: NDArray[np.int32]
    counts: NDArray[np.uint32]
    least: Array
    greatest: Array
    missing: int = 0

    @property
    def there(self) -> int:
        """Values that are counted in a bucket."""
        return int(self.counts.sum(dtype=np.int64))


def buckets(values: Array) -> NDArray[np.int64]:
    """The bucket of each value: nil's is 0, and they are ordered as values are."""
    size = np.abs(values)
    number = (size.view(np.int64) >> (52 - BITS)) - BEFORE
    number[size < NIL] = 0
    return np.where(values < 0.0, -number, number)


def sketch(values: Array) -> Sketch:
    """Of some values; NaN is missing."""
    low, high = values.min(), values.max()
    if low == high:
        return all_alike(float(low), len(values))
    there = values[~np.isnan(values)] if np.isnan(low) else values
    number, missing = buckets(there), len(values) - len(there)
    if not len(there) or number.max() - number.min() < SHORT:
        return Sketch(*_counted(there, number), missing)
    sides = [side for side in (number < 0, number == 0, number > 0) if side.any()]
    parts = [_counted(there[side], number[side]) for side in sides]
    bucket, counts, least, greatest = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return Sketch(bucket, counts, least, greatest, missing)


def all_alike(value: float, count: int) -> Sketch:
    """Of one value, so many times."""
    only = np.array([value]) + 0.0  # nil has no sign
    bucket = buckets(only).astype(np.int32)
    return Sketch(bucket, np.array([count], dtype=np.uint32), only, only.copy())


def _counted(
    values: Array, number: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.uint32], Array, Array]:
    """Bucket, count, least and greatest of those that occur."""
    if not len(values):
        return np.zeros(0, np.int32), np.zeros(0, np.uint32), values, values
    first = number.min()
    short = number.max() - first < SHORT
    order = np.argsort((number - first).astype(np.uint16) if short else number, kind="stable")
    values, number = values[order] + 0.0, number[order]  # nil has no sign, whichever came first
    at = _starts(number)
    return (
        number[at].astype(np.int32), np.diff(at, append=len(number)).astype(np.uint32),
        np.minimum.reduceat(values, at), np.maximum.reduceat(values, at),
    )  # fmt: skip


def _starts(number: NDArray[Any]) -> NDArray[np.int64]:
    """Where a bucket's run begins, of buckets in order."""
    return np.concatenate([[0], np.flatnonzero(number[1:] != number[:-1]) + 1])


def merged(parts: Sequence[Sketch]) -> Sketch:
    """Sketches put together: the same bits in any order and any grouping."""
    bucket = np.concatenate([part.bucket for part in parts])
    missing = sum(part.missing for part in parts)
    if not len(bucket):
        return parts[0]._replace(missing=missing)
    order = np.argsort(bucket, kind="stable")
    bucket = bucket[order]
    at = _starts(bucket)
    count, least, greatest = (
        np.concatenate([part[i] for part in parts])[order] for i in (1, 2, 3)
    )  # fmt: skip
    return Sketch(
        bucket[at], np.add.reduceat(count, at).astype(np.uint32),
        np.minimum.reduceat(least, at), np.maximum.reduceat(greatest, at), missing,
    )  # fmt: skip


class Sketched:
    """A figure of which moments and a sketch are known.

    ``moments`` are how often it exists, its sum, and its squares about the mean; ``paths`` are all.
    """

    within = WITHIN

    def __init__(self, paths: int, moments: Sequence[float], known: Sketch) -> None:
        self.paths, self.sketch = paths, known
        self.n, self.sum, self.squares = (float(x) for x in moments)

    @property
    def there(self) -> float:
        """Share of paths."""
        return self.n / self.paths

    def mean(self) -> Estimate:
        """Sum / n, and sd / sqrt(n)."""
        return _mean(self.n, self.sum, self.squares)

    def sd(self) -> float | None:
        """With n - 1 below."""
        return float(np.sqrt(self.squares / (self.n - 1.0))) if self.n > 1.0 else None

    def ends(self) -> tuple[float, float]:
        """Exact: of the first and the last bucket."""
        return float(self.sketch.least[0]), float(self.sketch.greatest[-1])

    def quantiles(self, levels: Sequence[float]) -> list[Estimate]:
        """Inverted CDF, as of values by path: a value that occurred, in the bucket of the exact one.

        The error by the same rule through the sketch: half the distance between the order statistics one
        binomial standard deviation either side, values taken to lie evenly between the ends of a bucket.
        """
        return [self._quantile(level) for level in levels]

    def _quantile(self, q: float) -> Estimate:
        n = self.sketch.there
        if n == 0:
            return None, None
        at = min(max(int(np.ceil(q * n - 1e-9)) - 1, 0), n - 1)
        reach = max(int(np.ceil(np.sqrt(n * q * (1.0 - q)))), 1)
        low, high = self._evenly(max(at - reach, 0)), self._evenly(min(at + reach, n - 1))
        bucket, along = self._where(at)
        ends = self.sketch.least if along < 0.5 else self.sketch.greatest
        return float(ends[bucket]), (high - low) / 2.0 if n > 1 else None

    @cached_property
    def _up_to(self) -> NDArray[np.int64]:
        return np.cumsum(self.sketch.counts, dtype=np.int64)

    def _where(self, rank: int) -> tuple[int, float]:
        """The bucket that holds the value of a rank from 0, and how far along it, 0 to 1."""
        bucket = int(np.searchsorted(self._up_to, rank, side="right"))
        count = int(self.sketch.counts[bucket])
        return bucket, (rank - int(self._up_to[bucket]) + count) / max(count - 1, 1)

    def _evenly(self, rank: int) -> float:
        bucket, along = self._where(rank)
        least, greatest = float(self.sketch.least[bucket]), float(self.sketch.greatest[bucket])
        return least + along * (greatest - least)

    def shortfall(self, level: float) -> Estimate:
        """As :class:`~socialfinance.measures.figure.ByPath`, each value at its bucket's middle.

        Off by no more than ``WITHIN`` of the mean size of the values in the tail: the expected shortfall is
        monotone, and scales with its values.
        """
        n = self.sketch.there
        middle = (self.sketch.least + self.sketch.greatest) / 2.0
        at = min(max(int(np.ceil(level * n - 1e-9)) - 1, 0), n - 1)
        q = float(middle[self._where(at)[0]])
        beyond, count = np.maximum(middle - q, 0.0), self.sketch.counts.astype(float)
        mean = float(np.sum(count * beyond)) / n
        squares = float(np.sum(count * (beyond - mean) ** 2))
        _, error = _mean(n, mean * n, squares)
        return q + mean / (1.0 - level), None if error is None else error / (1.0 - level)

    def probability(self) -> tuple[float, float]:
        """p, and sqrt(p (1 - p) / n)."""
        return self._share(self.sum / self.paths)

    def share_at(self, code: int) -> tuple[float, float]:
        """Small whole numbers have buckets of their own."""
        mine = self.sketch.bucket == buckets(np.array([float(code)]))[0]
        return self._share(float(self.sketch.counts[mine].sum()) / self.paths)

    def above_nil(self) -> tuple[tuple[float, float], Estimate]:
        """What is nil adds nothing to sums, so that of the rest Q' = Q + S^2 (1 / n - 1 / n')."""
        above = float(self.sketch.counts[self.sketch.bucket > 0].sum())
        if above == 0.0:
            return self._share(0.0), (None, None)
        squares = self.squares + self.sum**2 * (1.0 / self.n - 1.0 / above)
        return self._share(above / self.paths), _mean(above, self.sum, max(squares, 0.0))

    def ranked(self, status: Figure) -> Figure:
        """The sketch of an IRR is of ranks already."""
        return Sketched(self.paths, (self.sketch.there, self.sum, self.squares), self.sketch)

    def _share(self, p: float) -> tuple[float, float]:
        return p, float(np.sqrt(p * (1.0 - p) / self.paths))


def _mean(n: float, total: float, squares: float) -> Estimate:
    if n == 0.0:
        return None, None
    return total / n, float(np.sqrt(squares / (n - 1.0) / n)) if n > 1.0 else None
