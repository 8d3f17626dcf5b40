"""What ``order`` counts and picks out, compiled by Numba.

Import this module only inside a function: it imports Numba.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from socialfinance.kernels.compiled import kernel

Floats = NDArray[np.float64]


@kernel
def counted(
    values: Floats, least: float, scale: float, buckets: int
) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
    """By value its bucket, which never falls as values rise; by bucket how many are in it.

    The first is for the least alone: of many figures most futures are there.
    """
    bucket, counts = np.empty(values.size, dtype=np.int16), np.zeros(buckets, dtype=np.int64)
    for i in range(values.size):
        place = np.ceil((values[i] - least) * scale)
        bucket[i] = np.int16(0 if values[i] == least else max(place, 1.0))
    for i in range(values.size):
        counts[bucket[i]] += 1
    return bucket, counts


@kernel
def of_buckets(values: Floats, bucket: NDArray[np.int16], wanted: NDArray[np.bool_], size: int) -> Floats:
    """The ``size`` values that are in buckets that are wanted."""
    found, at = np.empty(size + 1), 0
    for i in range(values.size):
        found[at] = values[i]  # written over unless it is kept: no branch to be guessed
        at += wanted[bucket[i]]
    return found[:size]
