"""Social return on investment: the worth of outcomes over what was put in."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from socialfinance.core.errors import InputError
from socialfinance.council.numbers import NOT_NEGATIVE, SHARE, Array, number, whole


class Return(NamedTuple):
    """Value by year and the ratio."""

    value: Array
    """pounds by year from year 1, undiscounted"""
    present_value: Array
    """the same discounted"""
    ratio: float
    """present value over inputs"""


def ratio(
    participants: float, proxy: float, deadweight: float, attribution_to_others: float, drop_off: float,
    rate: float, inputs: float, years: int = 2,
    first_year: Literal["undiscounted", "discounted"] = "undiscounted",
) -> Return:  # fmt: skip
    """Discounted value of outcomes over ``years``, over what was put in.

    Value of year t: participants x proxy x (1 - deadweight) (1 - attribution to others) (1 - drop-off)^(t -
    1). Discounted by (1 + rate)^(t - 1) where year 1 is undiscounted, else by (1 + rate)^t: say which, as it
    moves the ratio (1.436 against 1.388 in one worked case). ``proxy`` in pounds for each participant.
    """
    if first_year not in ("undiscounted", "discounted"):
        raise InputError(
            "is no convention", field="first_year", given=first_year, allowed="undiscounted, discounted"
        )
    t = np.arange(whole("years", years, 1, 100))
    first = (
        number("participants", participants) * number("proxy", proxy)
        * (1.0 - number("deadweight", deadweight, SHARE))
        * (1.0 - number("attribution_to_others", attribution_to_others, SHARE))
    )  # fmt: skip
    value = np.asarray(first * (1.0 - number("drop_off", drop_off, SHARE)) ** t, dtype=np.float64)
    later = t + (first_year == "discounted")
    worth = np.asarray(value / (1.0 + number("rate", rate, SHARE)) ** later, dtype=np.float64)
    put_in = number("inputs", inputs, NOT_NEGATIVE)
    if not put_in > 0.0:
        raise InputError("must be above nil", field="inputs", given=inputs)
    return Return(value, worth, float(worth.sum()) / put_in)
