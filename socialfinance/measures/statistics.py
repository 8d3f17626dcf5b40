"""From figures by path to the rows people read, each with its standard error."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from socialfinance.kernels.returns import NONE, OK, STATUS_NAMES, TOTAL_LOSS, irr_with_status
from socialfinance.measures.paths import Key

Array = NDArray[np.float64]
NEARLY_ALL = 0.99
"""Share of what comes back by which a life is taken to be over: a last small payment does not stretch it."""
LEAST_UNITS = 8
"""Units of paths below which their spread says nothing of an error."""
QUANTILES = {"p5": 0.05, "p50": 0.50, "p95": 0.95, "p99": 0.99}


class Row(NamedTuple):
    """One row of the measures frame. None where a figure does not exist; then ``status`` says why."""

    scope: str
    deal: str
    party: str
    role: str
    financial_year: str
    measure: str
    statistic: str
    value: float | None
    standard_error: float | None
    unit: str
    status: str
    share_of_paths: float


def rows_of(key: Key, values: Array) -> Iterator[Row]:
    """The statistics of one figure."""
    if key.measure == "irr_status":
        return
    if key.unit == "share of paths":
        yield from _probability(key, values)
    elif key.measure == "loss":
        yield from _amounts(key, values)
        yield from _loss(key, values)
    elif key.measure != "irr":
        yield from _amounts(key, values)


def irr_rows(key: Key, rates: Array, status: Array) -> Iterator[Row]:
    """Of the IRR by path: the mean where it exists with its share, quantiles with a total loss ranked -1.

    Paths on which nothing was ever paid in, or with several roots, are left out of the quantiles and said.
    """
    paths = len(rates)
    ok, lost = status == OK, status == TOTAL_LOSS
    ranked = np.where(lost, -1.0, rates)[ok | lost]
    exists = rates[ok]
    for code, name in enumerate(STATUS_NAMES):
        share = float(np.mean(status == code))
        error = float(np.sqrt(share * (1 - share) / paths))
        yield _row(key, f"share_{name}", share, error, "", 1.0, "share of paths")
    if len(exists):
        spread = float(exists.std(ddof=1) / np.sqrt(len(exists))) if len(exists) > 1 else None
        yield _row(
            key, "mean", float(exists.mean()), spread, "mean of paths with an IRR", len(exists) / paths
        )
    else:
        yield _row(key, "mean", None, None, "no path has an IRR", 0.0)
    ordered = np.sort(ranked)
    for name, q in QUANTILES.items():
        value, within = quantile(ordered, q)
        yield _row(key, name, value, within, "a total loss ranks -1", len(ranked) / paths)


def expected_flow_irr(key: Key, unit_sums: Array) -> Row:
    """The headline: the IRR of the mean flows; its standard error by the delta method over units of paths.

    With d_t = (1 + r)^(-t / 4) and S_u the summed flows of unit u, sum over t and u of d_t S_u is nil at r;
    error = sqrt(U / (U - 1) sum over u of (d . S_u)^2) / |d/dr sum of d_t S_t|. Units may differ in size.
    """
    total = unit_sums.sum(axis=0)
    rate, status = irr_with_status(total[:, None])
    name = STATUS_NAMES[int(status[0])]
    if name != STATUS_NAMES[OK]:
        return _row(key, "of_mean_flows", None, None, f"no IRR of the expected flows: {name}", 1.0)
    return _row(key, "of_mean_flows", float(rate[0]), _irr_error(unit_sums, float(rate[0])), "ok", 1.0)


def _irr_error(unit_sums: Array, rate: float) -> float | None:
    units, rows = unit_sums.shape
    years = np.arange(rows) / 4
    discount = (1.0 + rate) ** -years
    slope = float(np.sum(unit_sums * (years * discount / (1.0 + rate))))
    if units < LEAST_UNITS or slope == 0.0:
        return None
    worth = np.sum(unit_sums * discount, axis=1)
    return float(np.sqrt(units / (units - 1) * np.sum(worth * worth))) / abs(slope)


def back_by_half_life(key: Key, unit_sums: Array) -> Row:
    """Share of expected drawings that has come back by half time.

    Half time: half way from the first expected flow to the row by which 99% of what comes back has. Expected
    receipts up to that row over expected drawings, both netted within a row.
    """
    total = unit_sums.sum(axis=0)
    key = key._replace(measure="back_by_half_life", unit="fraction")
    drawn, back = float(np.maximum(-total, 0.0).sum()), np.cumsum(np.maximum(total, 0.0))
    if drawn <= 0.0:
        return _row(key, "of_mean_flows", None, None, "nothing is ever drawn", 1.0)
    first = int(np.flatnonzero(total)[0])
    last = int(np.flatnonzero(back >= NEARLY_ALL * back[-1])[0])
    return _row(key, "of_mean_flows", float(back[(first + last) // 2]) / drawn, None, "ok", 1.0)


def mean_error(values: Array) -> float:
    """Standard error of the mean: sd / sqrt(n); nil on a single path."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0


def worst_paths(value: Array, level: float) -> NDArray[np.int64]:
    """The paths with the least value: the smallest whole number of them that is 1 - level of all or more."""
    count = max(1, int(np.ceil((1.0 - level) * len(value) - 1e-9)))
    return np.argsort(value, kind="stable")[:count]


def quantile(ordered: Array, q: float) -> tuple[float | None, float | None]:
    """The inverted-CDF quantile of sorted values (one that occurred) and its standard error.

    Error: half the distance between the order statistics one binomial standard deviation either side.
    """
    n = len(ordered)
    if n == 0:
        return None, None
    at = min(max(int(np.ceil(q * n - 1e-9)) - 1, 0), n - 1)
    reach = max(int(np.ceil(np.sqrt(n * q * (1 - q)))), 1)
    low, high = max(at - reach, 0), min(at + reach, n - 1)
    error = float((ordered[high] - ordered[low]) / 2) if n > 1 else None
    return float(ordered[at]), error


def _amounts(key: Key, values: Array) -> Iterator[Row]:
    exists = values[~np.isnan(values)]
    share = len(exists) / len(values)
    status = "ok" if share == 1.0 else "where it exists"
    if len(exists) == 0:
        yield _row(key, "mean", None, None, "does not exist on any path", 0.0)
        return
    spread = float(exists.std(ddof=1)) if len(exists) > 1 else None
    error = None if spread is None else spread / float(np.sqrt(len(exists)))
    yield _row(key, "mean", float(exists.mean()), error, status, share)
    yield _row(key, "sd", spread, None, status, share)
    ordered = np.sort(exists)
    for name, q in QUANTILES.items():
        value, spread_of = quantile(ordered, q)
        yield _row(key, name, value, spread_of, status, share)
    yield _row(key, "min", float(ordered[0]), None, status, share)
    yield _row(key, "max", float(ordered[-1]), None, "largest simulated", share)


def _probability(key: Key, values: Array) -> Iterator[Row]:
    p = float(values.mean())
    yield _row(key, "probability", p, float(np.sqrt(p * (1 - p) / len(values))), "ok", 1.0)


def _loss(key: Key, values: Array) -> Iterator[Row]:
    lost = values[values > 0.0]
    p = len(lost) / len(values)
    error = float(np.sqrt(p * (1 - p) / len(values)))
    yield _row(key, "probability", p, error, "ok", 1.0, "share of paths")
    if len(lost) == 0:
        yield _row(key, "given_loss", None, None, "no path has a loss", 0.0)
        return
    spread = float(lost.std(ddof=1) / np.sqrt(len(lost))) if len(lost) > 1 else None
    yield _row(key, "given_loss", float(lost.mean()), spread, "mean of paths with a loss", p)


def _row(
    key: Key, statistic: str, value: float | None, error: float | None, status: str, share: float,
    unit: str | None = None,
) -> Row:  # fmt: skip
    return Row(
        key.scope, key.deal, key.party, key.role, key.financial_year, key.measure, statistic, value, error,
        unit or key.unit, status or "ok", share,
    )  # fmt: skip


UNDEFINED = STATUS_NAMES[NONE]
"""The name of the status of flows that have no IRR."""
