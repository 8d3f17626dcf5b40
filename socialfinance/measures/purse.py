"""Figures of a shared purse: who saves, who pays, and what each agency has with pooling and without.

Everything is over the life and undiscounted, ``(path,)`` arrays of pounds by agency.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def agency_figures(
    saved: Array, verified: Array, paid: Array, returned: Array, pooled: Array, alone: Array
) -> dict[str, tuple[str, Array]]:
    """Of one agency: true cashable savings, what was verified of them, what it paid out and had back.

    net_pooled = saved - all that it pays under the deal, less what comes back; net_alone = the same if the
    commissioner alone paid what all agencies pay.
    """
    return {
        "saved": ("pounds", saved),
        "verified": ("pounds", verified),
        "paid_from_savings": ("pounds", paid),
        "had_back": ("pounds", returned),
        "net_pooled": ("pounds", pooled),
        "net_alone": ("pounds", alone),
    }


def without_pooling(
    saved: Mapping[str, Array], pooled: Mapping[str, Array], commissioners: Mapping[str, float]
) -> dict[str, Array]:
    """By agency: saved - its share as commissioner of all that agencies pay, sum of (saved - net_pooled)."""
    paid = np.zeros(1)
    for agency in sorted(saved):
        paid = paid + (saved[agency] - pooled[agency])
    return {agency: saved[agency] - commissioners.get(agency, 0.0) * paid for agency in saved}


def wrong_pockets(net: Mapping[str, Array], pays: Collection[str]) -> Array:
    """The gap: sum over agencies that do not pay for what they save of max(0, saved - paid).

    ``net`` is saved - paid by agency, with pooling or without; ``pays`` are those that pay.
    """
    gap = np.zeros(len(next(iter(net.values()))))
    for agency in sorted(net):
        if agency not in pays:
            gap = gap + np.maximum(0.0, net[agency])
    return gap
