"""Who bears the risk: each party's share of the variance and of the tail of a programme's net value.

With X_p what a party has less what it pays (present value, pounds, by path) and V the sum over all parties,
which is minus the net of the world outside: what the programme is worth, whoever has it. Euler's allocation
takes V apart: shares add up to 100% whatever the structure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from socialfinance.core.errors import InputError
from socialfinance.measures.sample import worst_paths

Array = NDArray[np.float64]
TAILS = (0.95, 0.99)
NO_RISK = 1e-9
"""Of the scale of V: with less spread than this there is nothing to share out."""


class Shares(NamedTuple):
    """Of one structure, by party."""

    variance: dict[str, float] | None
    """cov(X_p, V) / var(V); None where V never moves"""
    tail: dict[float, dict[str, float] | None]
    """by level a: (E[X_p] - E[X_p | worst]) / (E[V] - E[V | worst]), worst the 1 - a of paths with least V"""
    sd: float
    """of V, pounds"""
    shortfall: dict[float, float]
    """by level: E[V] - E[V | worst], pounds"""
    own_sd: dict[str, float]
    """of each party's own X_p, pounds"""
    own_shortfall: dict[str, float]
    """by party at the first level: E[X_p] - E[X_p | its own worst paths], pounds"""


def risk_shares(value: Mapping[str, Array], tails: Sequence[float] = TAILS) -> Shares:
    """Share out the risk of ``value``, ``{party: (path,)}`` without the world outside.

    InputError without a party, with arrays of several lengths, or a level that is none.
    """
    if not value:
        raise InputError("names no party", field="value")
    if len({len(x) for x in value.values()}) != 1:
        raise InputError("has parties with several numbers of paths", field="value")
    for level in tails:
        if not 0.0 < level < 1.0:
            raise InputError("is no level", field="tails", given=level, allowed="between 0 and 1")
    whole: Array = np.sum(list(value.values()), axis=0)
    moved = {party: x - x.mean() for party, x in value.items()}
    together: Array = np.sum(list(moved.values()), axis=0)
    scale = NO_RISK * max(float(np.abs(x).max()) for x in value.values())
    spread = float(np.sum(together * together))
    sd = float(np.sqrt(spread / max(len(whole) - 1, 1)))
    variance = {
        party: float(np.sum(x * together)) / spread for party, x in moved.items()
    } if sd > scale else None  # fmt: skip
    tail: dict[float, dict[str, float] | None] = {}
    shortfall: dict[float, float] = {}
    for level in tails:
        worst = worst_paths(whole, level)
        lost = {party: -float(x[worst].mean()) for party, x in moved.items()}
        shortfall[level] = sum(lost.values())
        tail[level] = {p: x / shortfall[level] for p, x in lost.items()} if shortfall[level] > scale else None
    return Shares(
        variance, tail, sd, shortfall,
        {party: float(np.sqrt(np.sum(x * x) / max(len(x) - 1, 1))) for party, x in moved.items()},
        {party: -float(x[worst_paths(x, tails[0])].mean()) for party, x in moved.items()},
    )  # fmt: skip
