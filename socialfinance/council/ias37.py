"""Provisions and contingent liabilities (IAS 37), for promises that IFRS 9 does not cover [unverified]."""

from __future__ import annotations

from typing import overload

import numpy as np
from numpy.typing import ArrayLike

from socialfinance.core.errors import InputError
from socialfinance.council.numbers import ANY, SHARE, number, numbers

PROVISION, DISCLOSE, REMOTE = "provision", "contingent liability - disclose", "remote - no disclosure"
PROBABLE = 0.5
"""More likely than not is above this."""


@overload
def classify(probabilities: float, remote_threshold: float = 0.05) -> str: ...
@overload
def classify(probabilities: list[float], remote_threshold: float = 0.05) -> list[str]: ...
def classify(probabilities: float | list[float], remote_threshold: float = 0.05) -> str | list[str]:
    """How an obligation of this chance is treated: a provision, disclosed, or nothing.

    Above 50%, more likely than not: a provision of the best estimate. Else disclosed as a contingent
    liability, unless the chance is below ``remote_threshold``, a council's own policy: the standard gives no
    number for remote. Not for financial guarantee contracts, which are in IFRS 9.
    """
    remote = number("remote_threshold", remote_threshold, (0.0, PROBABLE, "a fraction from 0 to 0.5"))
    chances = numbers("probabilities", probabilities, SHARE)
    found = [
        PROVISION if chance > PROBABLE else REMOTE if chance < remote else DISCLOSE
        for chance in np.atleast_1d(chances)
    ]
    return found if chances.ndim else found[0]


def expected_value(probabilities: ArrayLike, amounts: ArrayLike) -> float:
    """Best estimate for many items: sum of chance x amount, pounds (IAS 37, paragraph 39).

    Chances must not sum to more than 1; what is missing to 1 is nothing paid.
    """
    chances, pounds = numbers("probabilities", probabilities, SHARE), numbers("amounts", amounts, ANY)
    if chances.shape != pounds.shape:
        raise InputError(
            "as many amounts as chances", field="amounts", given=pounds.size, allowed=str(chances.size)
        )
    if chances.sum() > 1.0 + 1e-12:
        raise InputError("sum to more than 1", field="probabilities", given=float(chances.sum()))
    return float((chances * pounds).sum())
