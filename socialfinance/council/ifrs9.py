"""Expected credit loss, and a financial guarantee contract in its issuer's accounts (IFRS 9).

Sources: IFRS 9, 4.2.1(c), 5.5, B5.5.28 to B5.5.55 [unverified]; BDO, IFRS 9 Explained: issued financial
guarantee contracts, 2018. A layer of loss needs its whole distribution, which a simulation gives: what is
here is the closed form for one loan with a constant chance of default.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from socialfinance.core.errors import InputError
from socialfinance.council.numbers import SHARE, Array, number, numbers, whole

if TYPE_CHECKING:
    import pandas as pd

CHANCE = (0.0, np.nextafter(1.0, 0.0), "a fraction a year from 0 to below 1")


class Term(NamedTuple):
    """Default over a term, fractions."""

    lifetime_pd: float
    survival: float
    flat_hazard: float
    """a year, continuous: the constant hazard with this annual chance"""


def pd_term(annual_pd: float, years: float) -> Term:
    """Default over ``years`` at a constant annual chance p: 1 - (1 - p)^years; hazard -ln(1 - p)."""
    chance, term = number("annual_pd", annual_pd, CHANCE), number("years", years)
    hazard = -np.log1p(-chance)
    return Term(float(-np.expm1(-hazard * term)), float(np.exp(-hazard * term)), float(hazard))


def financial_guarantee(
    premium: float, exposure: ArrayLike, annual_pd: float, lgd: float = 1.0, rate: float = 0.0,
    cover: float = 1.0, significant_increase: ArrayLike = False,
) -> pd.DataFrame:  # fmt: skip
    """A guarantee in its issuer's accounts at each year end: the higher of loss allowance and premium left.

    Columns: ``year`` 0 to n; ``stage`` 1, or 2 once credit risk has risen significantly; ``ecl_12m`` and
    ``ecl_lifetime``; ``allowance``, the first in stage 1, the second in stage 2; ``unearned``, the premium
    less what was earned, in a straight line over the term; ``liability``, the higher of the two. Pounds.

    ``premium`` is the fair value at the start (if free, the value of what is expected to be paid).
    ``exposure`` is what is outstanding in each year, so the term is as long. ECL at the end of year t =
    cover x lgd x sum over k > t of exposure_k (1 - p)^(k - t - 1) p / (1 + rate)^(k - t), over the next year
    or all of them; default at a year's end, ``rate`` a fraction a year. ``significant_increase`` is one, or
    one for each year end from 0.
    """
    owed = np.atleast_1d(numbers("exposure", exposure))
    n = whole("exposure", len(owed), 1, 200)
    chance, loss = number("annual_pd", annual_pd, CHANCE), number("lgd", lgd, SHARE)
    share, discount = number("cover", cover, SHARE), number("rate", rate, SHARE)
    worse = _by_year_end(significant_increase, n + 1)
    lifetime, year_ahead = np.zeros(n + 1), np.zeros(n + 1)
    for t in range(n - 1, -1, -1):
        year_ahead[t] = share * loss * owed[t] * chance / (1.0 + discount)
        lifetime[t] = year_ahead[t] + (1.0 - chance) / (1.0 + discount) * lifetime[t + 1]
    allowance: Array = np.where(worse, lifetime, year_ahead)
    unearned = number("premium", premium) * (1.0 - np.arange(n + 1) / n)
    import pandas as pd

    return pd.DataFrame(
        {
            "year": np.arange(n + 1), "stage": np.where(worse, 2, 1), "ecl_12m": year_ahead,
            "ecl_lifetime": lifetime, "allowance": allowance, "unearned": unearned,
            "liability": np.maximum(allowance, unearned),
        }
    )  # fmt: skip


def _by_year_end(given: ArrayLike, count: int) -> NDArray[np.bool_]:
    """One answer for every year end, or one for each."""
    answers = np.atleast_1d(np.asarray(given, dtype=bool))
    if len(answers) not in (1, count):
        raise InputError(
            "has another number of year ends", field="significant_increase", given=len(answers),
            allowed=f"one, or {count}: from the start to the end of the term",
        )  # fmt: skip
    return np.broadcast_to(answers, (count,))
