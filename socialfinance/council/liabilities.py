"""A contingent liability assessed: what it can cost, how likely, when, against which fee and which reserve.

Sources: HM Treasury, Contingent Liability Approval Framework, August 2021, and Government as insurer of last
resort, March 2020, which are for central government; UKGI's guidance, July 2022 (titles and opening sections
only). No percentile of a reasonable worst case is confirmed there: several are shown, and the choice is a
parameter [unverified].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.core.errors import InputError
from socialfinance.council.numbers import ANY, Array, number, numbers
from socialfinance.council.statistics import chance
from socialfinance.measures.sample import mean_error, quantile

if TYPE_CHECKING:
    import pandas as pd

PERCENTILES = (0.90, 0.95, 0.99, 0.999)
INSIDE = (1e-9, 1.0 - 1e-9, "a fraction between 0 and 1")


class Estimate(NamedTuple):
    """A figure and its standard error."""

    value: float
    error: float


class Affordability(NamedTuple):
    """A reserve against what is called."""

    reserve: float
    """pounds named for it"""
    exhausted: Estimate
    """chance that it does not last"""
    shortfall: Estimate
    """mean over paths of the most that is missing at any year's end, pounds"""
    by_year: pd.DataFrame
    """financial_year, first (chance that it is exhausted in this year), first_error, by_then, left (mean)"""


class Assessment(NamedTuple):
    """What an approval asks of a contingent liability; pounds undiscounted unless said."""

    maximum: float
    calls: Estimate
    """expected calls, before recoveries"""
    expected_loss: Estimate
    """expected calls less recoveries"""
    percentiles: dict[float, Estimate]
    """of the loss over the life"""
    percentile: float
    worst_case: Estimate
    """reasonable worst case: the loss at ``percentile``"""
    expected_shortfall: Estimate
    """mean loss of the paths beyond that"""
    called: Estimate
    """chance of any call"""
    fees: Estimate
    rate: float | None
    """cost of risk: fraction of worst case less expected loss; None: not given"""
    cost_of_risk: float | None
    fee_less_cost: Estimate
    """fees less expected loss and cost of risk; the error is at most this"""
    by_year: pd.DataFrame
    """financial_year, expected (calls), standard_error, percentile (of the calls of that year), chance,
    chance_error"""
    affordability: Affordability | None

    def table(self) -> pd.DataFrame:
        """Measure, value, standard_error (None: exact), note."""
        import pandas as pd

        open_ = "[unverified]: no percentile is confirmed for a reasonable worst case"
        worst = f"at P{100 * self.percentile:g}; {open_}"
        rows: list[tuple[str, float | None, float | None, str]] = [
            ("maximum exposure", self.maximum, None, "undiscounted"),
            ("expected calls", *self.calls, "before recoveries"),
            ("expected loss", *self.expected_loss, "calls less recoveries"),
            *((f"loss, P{100 * q:g}", *one, open_) for q, one in self.percentiles.items()),
            ("reasonable worst case", *self.worst_case, worst),
            ("expected shortfall", *self.expected_shortfall, "mean loss beyond the reasonable worst case"),
            ("chance of any call", *self.called, "share of paths"),
            ("fees", *self.fees, ""),
            ("cost of risk", self.cost_of_risk, None, _rate_of(self.rate)),
            ("fees less expected loss and cost of risk", *self.fee_less_cost, "the error is at most this"),
        ]
        held = self.affordability
        if held is not None:
            rows.append(("reserve", held.reserve, None, "spent by calls less fees and recoveries"))
            rows.append(("chance that it is exhausted", *held.exhausted, "share of paths"))
            rows.append(("expected shortfall beyond it", *held.shortfall, "largest at any year's end"))
        return pd.DataFrame(rows, columns=["measure", "value", "standard_error", "note"])


def _rate_of(rate: float | None) -> str:
    if rate is None:
        return "no rate given: left out"
    return f"{rate:.1%} of reasonable worst case less expected loss"


def assess(
    calls: ArrayLike, recoveries: ArrayLike | None = None, fees: ArrayLike | None = None, *,
    maximum: float, reserve: float | None = None, percentile: float = 0.95, cost_of_risk: float | None = None,
    years: Sequence[str] | None = None,
) -> Assessment:  # fmt: skip
    """Assess a contingent liability from simulated payments, ``(year, path)`` pounds as paid.

    Loss of a path = its calls less its recoveries. Reasonable worst case: the smallest loss that at least
    ``percentile`` of the paths do not pass (inverted CDF). Expected shortfall = worst case + E[max(0, loss -
    worst case)] / (1 - percentile). Cost of risk = ``cost_of_risk`` x max(0, worst case - expected loss). The
    reserve is spent by calls less fees and recoveries, year by year, and is exhausted in the first year at
    whose end it is below nil. InputError where a path is called for more than ``maximum``, pounds.
    """
    paid = numbers("calls", calls)
    if paid.ndim != 2 or 0 in paid.shape:
        raise InputError("must have a row a year and a column a path", field="calls", given=paid.shape,
                         allowed="(year, path)")  # fmt: skip
    back, earned = _beside("recoveries", recoveries, paid), _beside("fees", fees, paid)
    most = _maximum(maximum, paid)
    q = number("percentile", percentile, INSIDE)
    names = _names(years, len(paid))
    total, loss = paid.sum(axis=0), (paid - back).sum(axis=0)
    ordered = np.sort(loss)
    worst, expected, income = _quantile(ordered, q), estimate(loss), estimate(earned.sum(axis=0))
    beyond = estimate(np.maximum(0.0, loss - worst.value))
    rate = None if cost_of_risk is None else number("cost_of_risk", cost_of_risk, (0.0, 1.0, "0 to 1"))
    risk = None if rate is None else rate * max(0.0, worst.value - expected.value)
    left = estimate(earned.sum(axis=0) - loss)
    return Assessment(
        maximum=most,
        calls=estimate(total),
        expected_loss=expected,
        percentiles={one: _quantile(ordered, one) for one in PERCENTILES},
        percentile=q,
        worst_case=worst,
        expected_shortfall=Estimate(worst.value + beyond.value / (1.0 - q), beyond.error / (1.0 - q)),
        called=Estimate(*chance(total > HALF_A_PENNY)),
        fees=income,
        rate=rate,
        cost_of_risk=risk,
        fee_less_cost=Estimate(
            left.value - (risk or 0.0), left.error + (rate or 0.0) * (worst.error + expected.error)
        ),
        by_year=_crystallises(names, paid, q),
        affordability=None if reserve is None else afford(paid - back - earned, reserve, names),
    )


def _beside(field: str, given: ArrayLike | None, paid: Array) -> Array:
    found = np.zeros(paid.shape) if given is None else numbers(field, given)
    if found.shape != paid.shape:
        raise InputError("has another shape than calls", field=field, given=found.shape,
                         allowed=str(paid.shape))  # fmt: skip
    return found


def _maximum(maximum: float, paid: Array) -> float:
    most = np.inf if maximum == np.inf else number("maximum", maximum)
    largest = float(paid.sum(axis=0).max())
    if largest > most * (1.0 + 1e-9) + HALF_A_PENNY:
        raise InputError("is less than what a path is called for", field="maximum", given=maximum,
                         allowed=f"at least {largest:,.2f}")  # fmt: skip
    return most


def _names(years: Sequence[str] | None, count: int) -> list[str]:
    names = [f"year {i + 1}" for i in range(count)] if years is None else list(years)
    if len(names) != count:
        raise InputError("has another number of years", field="years", given=len(names), allowed=str(count))
    return names


def estimate(values: Array) -> Estimate:
    """The mean over paths and its standard error."""
    return Estimate(float(values.mean()), mean_error(values))


def _quantile(ordered: Array, q: float) -> Estimate:
    value, error = quantile(ordered, q)
    return Estimate(value or 0.0, error or 0.0)


def _crystallises(years: Sequence[str], paid: Array, q: float) -> pd.DataFrame:
    """When calls are paid, by financial year."""
    import pandas as pd

    rows = []
    for year, values in zip(years, paid, strict=True):
        odds = chance(values > HALF_A_PENNY)
        rows.append(
            (year, *estimate(values), _quantile(np.sort(values), q).value, odds.share, odds.error)
        )  # fmt: skip
    names = ["financial_year", "expected", "standard_error", "percentile", "chance", "chance_error"]
    return pd.DataFrame(rows, columns=names)


def afford(net: ArrayLike, reserve: float, years: Sequence[str]) -> Affordability:
    """Whether a reserve lasts: balance_t = reserve - sum over s <= t of net_s, ``(year, path)`` pounds.

    ``net`` is calls less fees and recoveries. Exhausted: the first year with a balance below nil; shortfall:
    max over years of max(0, -balance).
    """
    import pandas as pd

    held = number("reserve", reserve)
    balance = held - np.cumsum(numbers("net", net, ANY), axis=0)
    below = balance < -HALF_A_PENNY
    ever = np.maximum.accumulate(below, axis=0)
    first = ever & ~np.vstack([np.zeros((1, ever.shape[1]), dtype=bool), ever[:-1]])
    rows = [
        (year, *chance(now), float(then.mean()), float(left.mean()))
        for year, now, then, left in zip(years, first, ever, balance, strict=True)
    ]
    names = ["financial_year", "first", "first_error", "by_then", "left"]
    missing = np.where(below, -balance, 0.0).max(axis=0)
    return Affordability(
        held, Estimate(*chance(ever[-1])), estimate(missing), pd.DataFrame(rows, columns=names)
    )
