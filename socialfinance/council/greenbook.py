"""Appraisal by HM Treasury's Green Book: real flows, discounted at the social time preference rate.

Real and nominal never meet: these functions take flows in the prices of one year. Council cash is discounted
at a treasury's nominal rate instead (``socialfinance.npv``).
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from socialfinance.core.errors import InputError
from socialfinance.council.numbers import ANY, SHARE, Array, numbers, whole


class Schedule(NamedTuple):
    """Real rates a year from a year on, and where they come from."""

    bands: tuple[tuple[int, float], ...]
    """first year after the base year, rate"""
    published: date
    source: str


_TAG = (
    "HM Treasury, Green Book 2026 (5 February 2026), as given by the Department for Transport, TAG "
    "forthcoming change, 16 April 2026"
)
_FROM = (1, 31, 76, 126, 201, 301)
SCHEDULES = {
    name: Schedule(tuple(zip(_FROM, rates, strict=True)), date(2026, 2, 5), _TAG)
    for name, rates in {
        "standard": (0.035, 0.03, 0.025, 0.02, 0.015, 0.01),
        "health": (0.015, 0.0129, 0.0107, 0.0086, 0.0064, 0.0043),
        "no pure time preference": (0.03, 0.0257, 0.0214, 0.0171, 0.0129, 0.0086),
    }.items()
}
"""By name. The third is the sensitivity for horizons beyond 50 years. HM Treasury's review of the rates was
due in June 2026; its outcome is not confirmed."""
LONGEST = 1000


def discount_factors(years: int | ArrayLike, schedule: str = "standard") -> Array:
    """Worth in the base year of £1 in each year: DF_0 = 1, DF_t = DF_(t-1) / (1 + rate of year t).

    ``years``: a whole number n for years 0 to n, or the years wanted, whole numbers. Rates fall with time
    and each year is discounted at its own (the forward convention): DF_31 = DF_30 / 1.03 on the standard
    schedule.
    """
    if schedule not in SCHEDULES:
        raise InputError(
            "is no schedule of rates", field="schedule", given=schedule, allowed=", ".join(SCHEDULES)
        )
    if np.ndim(years) == 0:
        wanted = np.arange(whole("years", years, 0, LONGEST) + 1)
    else:
        given = numbers("years", years, (0.0, LONGEST, f"whole numbers from 0 to {LONGEST}"))
        wanted = given.astype(int)
        if np.any(wanted != given):
            raise InputError("are not whole numbers", field="years", given=years, allowed="whole numbers")
    bands = SCHEDULES[schedule].bands
    firsts, rates = np.array([first for first, _ in bands]), np.array([rate for _, rate in bands])
    every = np.arange(1, int(wanted.max(initial=0)) + 1)
    rate_of_year = rates[np.searchsorted(firsts, every, side="right") - 1]
    factors = np.concatenate([[1.0], np.cumprod(1.0 / (1.0 + rate_of_year))])
    chosen: Array = factors[wanted]
    return chosen


def npsv(benefits: ArrayLike, costs: ArrayLike, schedule: str = "standard") -> float:
    """Net present social value: PV(benefits) - PV(costs), real pounds by year from the base year."""
    return _present("benefits", benefits, schedule) - _present("costs", costs, schedule)


def bcr(benefits: ArrayLike, costs: ArrayLike, schedule: str = "standard") -> float:
    """Benefit-cost ratio: PV(benefits) / PV(costs), with public-sector cost below the line."""
    below = _present("costs", costs, schedule)
    if not below > 0.0:
        raise InputError("have no present value above nil, so there is no ratio", field="costs", given=costs)
    return _present("benefits", benefits, schedule) / below


def real_to_nominal(real: float, inflation: float) -> float:
    """The nominal rate of a real one: (1 + r) (1 + g) - 1, fractions a year."""
    growth = (-0.99, 10.0, "fractions a year: 0.035 is 3.5%")
    return float(
        (1.0 + numbers("real", real, growth)) * (1.0 + numbers("inflation", inflation, growth)) - 1.0
    )


def additionality(
    gross: float, deadweight: float = 0.0, displacement: float = 0.0, leakage: float = 0.0,
    substitution: float = 0.0, multiplier: float = 1.0,
) -> float:  # fmt: skip
    """What would not have been without it.

    gross x (1 - deadweight) (1 - displacement) (1 - leakage) (1 - substitution) x multiplier.
    """
    kept = 1.0
    for name, share in (
        ("deadweight", deadweight), ("displacement", displacement), ("leakage", leakage),
        ("substitution", substitution),
    ):  # fmt: skip
        kept *= 1.0 - float(numbers(name, share, SHARE))
    return float(numbers("gross", gross, ANY) * kept * numbers("multiplier", multiplier))


def _present(field: str, flows: ArrayLike, schedule: str) -> float:
    amounts = np.atleast_1d(numbers(field, flows, ANY))
    if amounts.ndim != 1 or not len(amounts):
        raise InputError("must be one amount a year", field=field, given=flows)
    return float((amounts * discount_factors(len(amounts) - 1, schedule)).sum())
