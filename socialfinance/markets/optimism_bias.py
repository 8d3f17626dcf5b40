"""Optimism bias: by how much a claimed value is corrected, by confidence in what it rests on."""

from __future__ import annotations

from typing import Literal

Side = Literal["benefit", "cost"]

CORRECTION = {1: 0.0, 2: -0.05, 3: -0.10, 4: -0.15, 5: -0.25, 6: -0.40}
"""Optimism bias correction of benefits by confidence grade: 1 is a trial, or agency data under a year old; 6
is judgement that nothing bears out, or over five years old. Costs are corrected upwards by as much. From
``SOURCE``, [unverified]."""

SOURCE = (
    "HM Treasury and others, Supporting public service transformation: cost benefit analysis guidance for "
    "local partnerships, April 2014 [unverified]"
)


def corrected(value: float, grade: int, side: Side) -> float:
    """The value after correction, in its own units: value x (1 + c) for a benefit, x (1 - c) for a cost.

    c is ``CORRECTION[grade]``, nil or below it; KeyError for a grade that is none of 1 to 6.
    """
    correction = CORRECTION[grade]
    return value * (1.0 + correction if side == "benefit" else 1.0 - correction)
