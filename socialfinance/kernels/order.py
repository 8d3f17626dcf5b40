"""Values at some places in order, without putting all of them in order."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from socialfinance.kernels.backend import loaded_compiled

Floats = NDArray[np.float64]
BUCKETS = 4096
"""Equal parts of the range of values into which they are counted."""
WORTH_COUNTING = 16_384
"""Values from which counting first is sooner."""


def in_order(values: Floats, places: Sequence[int]) -> Floats:
    """The values that would stand in ``places`` of ``values`` ``(path,)`` sorted; none may be missing.

    Compiled, values are counted by bucket first, and only those of buckets in which a place falls are put
    in order. Values far from the others leave most in few buckets: then no time is won.
    """
    fast = _loaded() if len(values) >= WORTH_COUNTING else None
    if fast is None:
        return _parted(values, np.asarray(places))
    least, greatest = float(values.min()), float(values.max())
    if least == greatest:
        return np.full(len(places), least)
    with np.errstate(over="ignore"):
        scale = (BUCKETS - 2) / (np.float64(greatest) - least)  # rounded up, still a bucket that is there
    if not 0.0 < scale < np.inf:
        return _parted(values, np.asarray(places))
    bucket, counts = fast.counted(values, least, scale, BUCKETS)
    here = np.searchsorted(np.cumsum(counts), places, side="right")
    above = here > 0
    wanted = np.zeros(BUCKETS, dtype=np.bool_)
    wanted[here[above]] = True
    passed = np.cumsum(np.where(wanted, 0, counts))
    some = fast.of_buckets(values, bucket, wanted, int(counts[wanted].sum()))
    found = np.full(len(places), least)
    found[above] = _parted(some, (np.asarray(places) - passed[here])[above])
    return found


def _parted(values: Floats, places: NDArray[np.int64]) -> Floats:
    found: Floats = np.partition(values, np.unique(places))[places]
    return found


def _loaded() -> ModuleType | None:
    if loaded_compiled() is None:
        return None
    from socialfinance.kernels import compiled_order

    return compiled_order
