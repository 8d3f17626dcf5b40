"""From what is known of figures to the rows people read, each with its standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from socialfinance.kernels.returns import NONE, OK, STATUS_NAMES, irr_with_status
from socialfinance.measures.figure import Figure
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

SKETCHED = "~"
"""Marks a figure that is read off a sketch, and within what of the exact one it is."""


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
    key: Key, figure: Callable[[Key], Figure], rows: Mapping[tuple[str, str], Array], sample: Sample = EQUAL
) -> Iterator[Row]:
    """Every statistic of a figure; of an IRR also those of its expected flows.

    ``figure`` says what is known of any figure. ``rows`` holds sums of net flows by row over groups of paths,
    ``(group, row)``, for all who have an IRR.
    """
    if key.measure != "irr":
        yield from rows_of(key, figure(key))
        return
    flows = sample.sets(rows[flows_of(key)])
    yield expected_flow_irr(key, flows)
    yield back_by_half_life(key, flows)
    yield from irr_rows(key, figure(key), figure(key._replace(measure="irr_status", unit="code")))


def flows_of(key: Key) -> tuple[str, str]:
    """Where the net flows by row stand that a figure's IRR is taken from."""
    if key.role == "investor":
        return key.deal, "with variation" if key.scope == "deal with variation" else "investor"
    return key.deal, f"{key.scope}: {key.role} {key.party}"


def rows_of(key: Key, figure: Figure) -> Iterator[Row]:
    """The statistics of one figure."""
    if key.measure == "irr_status":
        return
    if key.unit == "share of paths":
        yield _row(key, "probability", *figure.probability(), "ok", 1.0)
    elif key.measure == "loss":
        yield from _amounts(key, figure)
        yield from _loss(key, figure)
    elif key.measure != "irr":
        yield from _amounts(key, figure)


def irr_rows(key: Key, rates: Figure, status: Figure) -> Iterator[Row]:
    """Of the IRR by path: the mean where it exists with its share, quantiles with a total loss ranked -1.

    Paths on which nothing was ever paid in, or with several roots, are left out of the quantiles and said.
    """
    for code, name in enumerate(STATUS_NAMES):
        yield _row(key, f"share_{name}", *status.share_at(code), "", 1.0, "share of paths")
    if rates.there > 0.0:
        yield _row(key, "mean", *rates.mean(), "mean of paths with an IRR", rates.there)
    else:
        yield _row(key, "mean", None, None, "no path has an IRR", 0.0)
    ranked = rates.ranked(status)
    yield from _quantiles(key, ranked, "a total loss ranks -1", ranked.there)


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


def _amounts(key: Key, figure: Figure) -> Iterator[Row]:
    share = figure.there
    if share == 0.0:
        yield _row(key, "mean", None, None, "does not exist on any path", 0.0)
        return
    status = "ok" if share == 1.0 else "where it exists"
    yield _row(key, "mean", *figure.mean(), status, share)
    yield _row(key, "sd", figure.sd(), None, status, share)
    yield from _quantiles(key, figure, status, share)
    if key.measure in BAD_WHEN_HIGH:
        said = _about("mean of the worst hundredth", figure)
        yield _row(key, "es99", *figure.shortfall(WORST_HUNDREDTH), said, share)
    least, greatest = figure.ends()
    yield _row(key, "min", least, None, status, share)
    yield _row(key, "max", greatest, None, "largest simulated", share)


def _quantiles(key: Key, figure: Figure, status: str, share: float) -> Iterator[Row]:
    found = figure.quantiles(tuple(QUANTILES.values()))
    for name, (value, error) in zip(QUANTILES, found, strict=True):
        yield _row(key, name, value, error, _about(status, figure), share)


def _about(status: str, figure: Figure) -> str:
    """A status that says so where a figure is read off a sketch."""
    if figure.within == 0.0:
        return status
    sketched = f"{SKETCHED} within {figure.within:.1%}"
    return sketched if status == "ok" else f"{status}; {sketched}"


def _loss(key: Key, figure: Figure) -> Iterator[Row]:
    (p, error), given = figure.above_nil()
    yield _row(key, "probability", p, error, "ok", 1.0, "share of paths")
    if p == 0.0:
        yield _row(key, "given_loss", None, None, "no path has a loss", 0.0)
        return
    yield _row(key, "given_loss", *given, "mean of paths with a loss", p)


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
