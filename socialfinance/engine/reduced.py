"""Figures by path reduced to what can be kept of any number of paths: moments by unit, and sketches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from socialfinance.measures.figure import ranked
from socialfinance.measures.paths import Key
from socialfinance.measures.sketch import Sketch, sketch

Array = NDArray[np.float64]
AT_ONCE = 8
"""Figures whose moments are taken at once: enough to hide Python's overhead, few enough for the cache."""


class Reduced(NamedTuple):
    """Some figures of a block: arrays only, so that it travels and is stored as it is."""

    keys: tuple[Key, ...]
    moments: Array
    """``(unit, key, 3)``: how often it exists, its sum, its squares about the mean"""
    missing: NDArray[np.int64]
    lengths: NDArray[np.int64]
    """by key: buckets of its sketch; the buckets of all follow one another"""
    bucket: NDArray[np.int32]
    counts: NDArray[np.uint32]
    least: Array
    greatest: Array

    def sketches(self) -> Iterator[tuple[Key, Sketch]]:
        """By key its sketch, in arrays of its own: a view would hold the whole block."""
        ends = np.cumsum(self.lengths)
        for key, end, length, missing in zip(self.keys, ends, self.lengths, self.missing, strict=True):
            mine = slice(int(end - length), int(end))
            yield key, Sketch(
                self.bucket[mine].copy(), self.counts[mine].copy(), self.least[mine].copy(),
                self.greatest[mine].copy(), int(missing),
            )  # fmt: skip


def status_of(key: Key) -> Key:
    """Where the codes of an IRR by path stand."""
    return key._replace(measure="irr_status", unit="code")


def reduced(figures: Mapping[Key, Array], chosen: tuple[Key, ...], unit: int) -> Reduced:
    """Some of a block's figures; the sketch of an IRR is of ranks, a total loss being -1."""
    known = [
        sketch(ranked(figures[key], figures[status_of(key)]) if key.measure == "irr" else figures[key])
        for key in chosen
    ]  # fmt: skip
    parts = [
        moments(np.stack([figures[key] for key in chosen[at : at + AT_ONCE]]), unit)
        for at in range(0, len(chosen), AT_ONCE)
    ]
    return Reduced(
        chosen, np.concatenate(parts, axis=1),
        np.array([one.missing for one in known], dtype=np.int64),
        np.array([len(one.bucket) for one in known], dtype=np.int64),
        np.concatenate([one.bucket for one in known]), np.concatenate([one.counts for one in known]),
        np.concatenate([one.least for one in known]), np.concatenate([one.greatest for one in known]),
    )  # fmt: skip


def moments(values: Array, unit: int) -> Array:
    """Of ``(figure, path)`` over units of paths, ``(unit, figure, 3)``: n, sum and squares about the mean."""
    figures, paths = values.shape
    units = -(-paths // unit)
    if units * unit > paths:
        values = np.pad(values, ((0, 0), (0, units * unit - paths)), constant_values=np.nan)
    table = values.reshape(figures, units, unit)
    n, absent = np.full((figures, units), float(unit)), None
    with np.errstate(invalid="ignore", over="ignore"):  # a figure that overflowed has a status that says so
        total = table.sum(axis=2)
        if np.isnan(total).any():
            absent = np.isnan(table)
            n -= absent.sum(axis=2)
            table = np.where(absent, 0.0, table)
            total = table.sum(axis=2)
        apart = table - (total / np.maximum(n, 1.0))[:, :, None]
        if absent is not None:
            apart[absent] = 0.0
        squares = np.square(apart, out=apart).sum(axis=2)
    return np.stack([n, total, squares], axis=2).swapaxes(0, 1)
