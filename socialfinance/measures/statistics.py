"""From figures by path to the rows people read, each with its standard error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from socialfinance.kernels.returns import NONE, OK, STATUS_NAMES, TOTAL_LOSS, irr_with_status
from socialfinance.measures.paths import Key
from socialfinance.measures.sample import EQUAL, Sample

Array = NDArray[np.float64]
NEARLY_ALL = 0.99
"""Share of what comes back by which a life is taken to be over: a last small payment does not stretch it."""
LEAST_UNITS = 8
"""Units of paths below which their spread says nothing of an error."""
WORST_HUNDREDTH = 0.99
BAD_WHEN_HIGH = frozenset({"calls", "loss", "net_cost", "net_cost_pv", "paid", "paid_pv"})
"""Measures whose worst futures are the highest: their expected shortfall is shown too."""
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


def figure_rows(
    key: Key, figures: Mapping[Key, Array], rows: Mapping[tuple[str, str], Array], sample: Sample = EQUAL
) -> Iterator[Row]:
    """Every statistic of one of the ``figures`` by path; of an IRR also those of its expected flows.

    ``rows`` holds sums of net flows by row over units of paths, ``(unit, row)``, for all who have an IRR.
    """
    values = figures[key]
    if key.measure != "irr":
        yield from rows_of(key, values, sample)
        return
    flows = sample.sets(rows[_flows_of(key)])
    yield expected_flow_irr(key, flows)
    yield back_by_half_life(key, flows)
    yield from irr_rows(key, values, figures[key._replace(measure="irr_status", unit="code")], sample)


def _flows_of(key: Key) -> tuple[str, str]:
    """Where the net flows by row stand that a figure's IRR is taken from."""
    if key.role == "investor":
        return key.deal, "with variation" if key.scope == "deal with variation" else "investor"
    return key.deal, f"{key.scope}: {key.role} {key.party}"


def rows_of(key: Key, values: Array, sample: Sample = EQUAL) -> Iterator[Row]:
    """The statistics of one figure."""
    if key.measure == "irr_status":
        return
    if key.unit == "share of paths":
        yield from _probability(key, values, sample)
    elif key.measure == "loss":
        yield from _amounts(key, values, sample)
        yield from _loss(key, values, sample)
    elif key.measure != "irr":
        yield from _amounts(key, values, sample)


def irr_rows(key: Key, rates: Array, status: Array, sample: Sample = EQUAL) -> Iterator[Row]:
    """Of the IRR by path: the mean where it exists with its share, quantiles with a total loss ranked -1.

    Paths on which nothing was ever paid in, or with several roots, are left out of the quantiles and said.
    """
    ok, lost = status == OK, status == TOTAL_LOSS
    for code, name in enumerate(STATUS_NAMES):
        share, error = sample.share(status == code)
        yield _row(key, f"share_{name}", share, error, "", 1.0, "share of paths")
    if ok.any():
        mean, spread = sample.on(ok).mean(rates[ok])
        yield _row(key, "mean", mean, spread, "mean of paths with an IRR", sample.share(ok)[0])
    else:
        yield _row(key, "mean", None, None, "no path has an IRR", 0.0)
    ranks = ok | lost
    ranked = np.where(lost, -1.0, rates)[ranks]
    for name, (value, within) in _quantiles(sample.on(ranks), ranked):
        yield _row(key, name, value, within, "a total loss ranks -1", sample.share(ranks)[0])


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


def _amounts(key: Key, values: Array, sample: Sample) -> Iterator[Row]:
    there = ~np.isnan(values)
    if not there.any():
        yield _row(key, "mean", None, None, "does not exist on any path", 0.0)
        return
    share = 1.0
    if not there.all():
        share, values, sample = sample.share(there)[0], values[there], sample.on(there)
    status = "ok" if share == 1.0 else "where it exists"
    mean, error = sample.mean(values)
    yield _row(key, "mean", mean, error, status, share)
    yield _row(key, "sd", sample.sd(values), None, status, share)
    for name, (value, spread_of) in _quantiles(sample, values):
        yield _row(key, name, value, spread_of, status, share)
    if key.measure in BAD_WHEN_HIGH:
        worst, worst_error = expected_shortfall(sample, values, WORST_HUNDREDTH)
        yield _row(key, "es99", worst, worst_error, "mean of the worst hundredth", share)
    yield _row(key, "min", float(values.min()), None, status, share)
    yield _row(key, "max", float(values.max()), None, "largest simulated", share)


def expected_shortfall(sample: Sample, values: Array, level: float) -> tuple[float, float | None]:
    """The mean of the worst (highest) 1 - level of futures, and its standard error.

    q + E (x - q)+ / (1 - level) with q the quantile at the level: Rockafellar, R. T. and Uryasev, S. (2000),
    "Optimization of conditional value-at-risk", Journal of Risk 2(3). To first order the error of q drops
    out.
    """
    q = sample.quantiles(values, (level,))[0][0]
    assert q is not None
    beyond, error = sample.mean(np.maximum(values - q, 0.0))
    return q + beyond / (1.0 - level), None if error is None else error / (1.0 - level)


def _quantiles(sample: Sample, values: Array) -> Iterator[tuple[str, tuple[float | None, float | None]]]:
    yield from zip(QUANTILES, sample.quantiles(values, tuple(QUANTILES.values())), strict=True)


def _probability(key: Key, values: Array, sample: Sample) -> Iterator[Row]:
    p, error = sample.share(values)
    yield _row(key, "probability", p, error, "ok", 1.0)


def _loss(key: Key, values: Array, sample: Sample) -> Iterator[Row]:
    lost = values > 0.0
    p, error = sample.share(lost)
    yield _row(key, "probability", p, error, "ok", 1.0, "share of paths")
    if not lost.any():
        yield _row(key, "given_loss", None, None, "no path has a loss", 0.0)
        return
    mean, spread = sample.on(lost).mean(values[lost])
    yield _row(key, "given_loss", mean, spread, "mean of paths with a loss", p)


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
