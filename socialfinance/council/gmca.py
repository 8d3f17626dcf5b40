"""The benefit chain of Greater Manchester's cost-benefit model: from people to pounds saved."""

from __future__ import annotations

from typing import NamedTuple

from socialfinance.core.errors import InputError
from socialfinance.council.numbers import ANY, NOT_NEGATIVE, SHARE, number

CORRECTION = {1: 0.0, 2: -0.05, 3: -0.10, 4: -0.15, 5: -0.25, 6: -0.40}
"""Optimism bias correction of benefits by confidence grade: 1 is a trial, or agency data under a year old; 6
is judgement that nothing bears out, or over five years old. Source: HM Treasury and others, Supporting public
service transformation: cost benefit analysis guidance for local partnerships, April 2014 [unverified]."""


class Chain(NamedTuple):
    """Value at each step, pounds a year."""

    gross: float
    """population x engagement x impact x retention x unit cost"""
    net_of_deadweight: float
    optimism_corrected: float


def chain(
    population: float, engagement: float, impact: float, deadweight: float, unit_cost: float,
    optimism_bias_correction: float | None = None, retention: float = 1.0,
    confidence_grade: int | None = None,
) -> Chain:  # fmt: skip
    """People x engagement x impact x retention x (1 - deadweight) x unit cost x (1 + correction).

    The correction is nil or below it, given as it is or by ``confidence_grade`` (see ``CORRECTION``); none
    where neither is given. ``unit_cost`` in pounds, at its own price year.
    """
    if optimism_bias_correction is not None and confidence_grade is not None:
        raise InputError("give a correction or a grade, not both", field="confidence_grade")
    if confidence_grade is not None and confidence_grade not in CORRECTION:
        raise InputError("is no grade", field="confidence_grade", given=confidence_grade, allowed="1 to 6")
    correction = CORRECTION[confidence_grade] if confidence_grade is not None else optimism_bias_correction
    limits = (-1.0, 0.0, "from -1 to 0: -0.15 takes 15% off")
    corrected = number("optimism_bias_correction", correction or 0.0, limits)
    gross = (
        number("population", population, NOT_NEGATIVE) * number("engagement", engagement, SHARE)
        * number("impact", impact, (-1.0, 1.0, "a fraction from -1 to 1"))
        * number("retention", retention, SHARE) * number("unit_cost", unit_cost, ANY)
    )  # fmt: skip
    net = gross * (1.0 - number("deadweight", deadweight, SHARE))
    return Chain(gross, net, net * (1.0 + corrected))
