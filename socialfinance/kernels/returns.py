"""What flows earn: IRR with a status for every row, NPV, dated XIRR, multiples and rate conversion.

Flows are ``(period, path)`` in pounds, receipts positive, payments negative; rates are fractions a
year, annual effective. A rate that does not exist is NaN and its status says why.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from socialfinance.kernels.backend import loaded_compiled

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Flags = NDArray[np.bool_]
Signs = NDArray[np.int8]

OK, TOTAL_LOSS, NONE, MANY = 0, 1, 2, 3
STATUS_NAMES = ("ok", "total_loss", "none", "many")
"""What the status codes 0 to 3 are called."""

LEAST_RATE = -0.75
"""A year. Roots below it count only where there is no other."""

STEPS = 400  # of the search for a root, at most
NEAR = 4e-7  # a Newton step times the rows: the last
STILL = 1e-13  # any other step: the last
EPS = float(np.finfo(np.float64).eps)
_BLOCK = 8192  # paths worked on at once
_NOISE = 1e-14  # of the largest coefficient: what rounding can do to a polynomial


class IrrResult(NamedTuple):
    """Rates and, path by path, why one is missing (codes as in ``STATUS_NAMES``)."""

    rate: Floats
    status: NDArray[np.int8]


def irr(flows: ArrayLike, periods_per_year: int = 4) -> Floats:
    """Annual effective internal rate of return (1 + q)^k - 1 of each path; NaN where none exists."""
    return irr_with_status(flows, periods_per_year).rate


def irr_with_status(flows: ArrayLike, periods_per_year: int = 4) -> IrrResult:
    """IRR of flows ``(period, path)`` at k equal periods a year, with a status for every path.

    q solves sum of flow_t / (1 + q)^t = 0 over q > -1, and the rate is (1 + q)^k - 1. Status:

    - ``ok``: exactly one such q.
    - ``total_loss``: money was paid in and nothing ever received. The rate is NaN, not -100%.
    - ``none``: nothing paid in, all nil, no root, or a flow that is not finite.
    - ``many``: more than one root above -75% a year. The rate is NaN: no root is better than another.
      (A small payment after the last receipt adds a root near -100%, which says nothing: a root below
      -75% a year counts only where there is no other.) Roots too close to be told apart (about 1e-7)
      count as many.

    Roots are counted before any is sought. The sign changes of the cumulative flows, run forward, bound
    the roots with q > 0, and run backward those with q < 0 (Norstrom 1972); the parity is exact, so a
    bound of nil or one is a count. Rows left open are looked at once more, discounted at -75% a year:
    one sign change is one root above that. Rows still open are counted by Bernstein subdivision. The root
    itself is found by Newton's method on log(PV receipts / PV payments) in log(1 + q), inside a
    bracket. Each path is worked on its own: its result does not depend on its neighbours.

    Blocks run compiled where the kernels of :mod:`socialfinance.kernels.luck` do, on NumPy elsewhere. The
    statuses are the same; log(1 + q) agrees to 1e-13 (2 + 1 / D), where D is how many periods the mean times
    of discounted payments and receipts lie apart.
    """
    flows = np.asarray(flows, dtype=np.float64)
    rows = flows.reshape(flows.shape[0], math.prod(flows.shape[1:]))
    rate = np.full(rows.shape[1], np.nan)
    status = np.full(rows.shape[1], NONE, dtype=np.int8)
    for start in range(0, rows.shape[1], _BLOCK):
        block = slice(start, start + _BLOCK)
        growth, status[block] = _block(
            np.ascontiguousarray(rows[:, block]), math.log1p(LEAST_RATE) / periods_per_year
        )
        rate[block] = np.expm1(periods_per_year * growth)
    return IrrResult(rate.reshape(flows.shape[1:]), status.reshape(flows.shape[1:]))


def npv(flows: ArrayLike, annual_rate: ArrayLike, periods_per_year: int = 4) -> Floats:
    """Net present value at row 0: sum of flow_t (1 + r)^(-t / k), in pounds, ``(path,)``.

    ``annual_rate`` is one annual effective rate, or one for each path. Summed in order of time.
    """
    flows = np.asarray(flows, dtype=np.float64)
    growth = np.log1p(np.asarray(annual_rate, dtype=np.float64)) / periods_per_year
    total: Floats = np.zeros(np.broadcast_shapes(flows.shape[1:], growth.shape))
    for period, flow in enumerate(flows):
        total = total + flow * np.exp(-period * growth)
    return total


def discount_factors(annual_rate: float, periods: int, periods_per_year: int = 4) -> Floats:
    """(1 + r)^(-t / k) by period t, from 0."""
    growth = np.log1p(np.asarray(annual_rate, dtype=np.float64)) / periods_per_year
    return np.array([np.exp(-period * growth) for period in range(periods)])


def weighted_sums(flows: ArrayLike, weights: ArrayLike) -> Floats:
    """Sums of flows ``(row, path)`` over rows, in order, by weights ``(sum, row)``: ``(sum, path)``."""
    flows = np.ascontiguousarray(flows, dtype=np.float64)
    weights = np.ascontiguousarray(weights, dtype=np.float64)
    found: Floats = np.zeros((len(weights), flows.shape[1]))
    fast = loaded_compiled()
    if fast is not None:
        fast.weighted_sums(flows, weights, found)
        return found
    for row, flow in enumerate(flows):
        for total, weight in zip(found, weights[:, row], strict=True):
            total += flow * weight
    return found


def sum_and_npv(flows: ArrayLike, annual_rate: float, periods_per_year: int = 4) -> tuple[Floats, Floats]:
    """Sum of flows over rows, and their :func:`npv`; pounds, ``(path,)`` each."""
    flows = np.asarray(flows, dtype=np.float64)
    factors = discount_factors(annual_rate, len(flows), periods_per_year)
    total, present = weighted_sums(flows, np.stack((np.ones(len(flows)), factors)))
    return total, present


def xirr(dates: Sequence[date], flows: Sequence[float]) -> IrrResult:
    """IRR of one dated series, ACT/365: sum of flow (1 + r)^(-days / 365) = 0, day 0 the first flow.

    Same statuses as ``irr_with_status``, and the same rule: a root below -75% a year counts only where there
    is no other. Nothing is raised for a series without a rate. Where the sign changes of the cumulative flows
    leave the count open, roots are counted on a grid of 4,000 rates.
    """
    by_day: dict[int, float] = {}
    for day, flow in sorted(zip((d.toordinal() for d in dates), flows, strict=True)):
        by_day[day] = by_day.get(day, 0.0) + float(flow)
    days = np.array([day for day, flow in by_day.items() if flow != 0], dtype=np.float64)
    amounts = np.array([flow for flow in by_day.values() if flow != 0], dtype=np.float64)
    growth, status = _dated_root((days - days[:1]) / 365, amounts)
    return IrrResult(np.asarray(np.expm1(growth)), np.asarray(status, dtype=np.int8))


def multiple(paid_in: ArrayLike, received: ArrayLike) -> Floats:
    """Money multiple: received / paid in; NaN where nothing was paid in."""
    paid_in, received = np.asarray(paid_in, dtype=np.float64), np.asarray(received, dtype=np.float64)
    shape = np.broadcast_shapes(paid_in.shape, received.shape)
    ratio: Floats = np.divide(received, paid_in, out=np.full(shape, np.nan), where=paid_in > 0)
    return ratio


class FundMultiples(NamedTuple):
    """DPI, RVPI, TVPI and PIC, each a number or one for each path."""

    dpi: Floats
    rvpi: Floats
    tvpi: Floats
    pic: Floats


def fund_multiples(
    paid_in: ArrayLike, distributions: ArrayLike, net_asset_value: ArrayLike, commitment: ArrayLike
) -> FundMultiples:
    """A fund's multiples, all inputs in pounds; NaN where the divisor is nil.

    DPI = distributions / paid-in; RVPI = net asset value / paid-in; TVPI = DPI + RVPI;
    PIC = paid-in / commitment.
    """
    dpi, rvpi = multiple(paid_in, distributions), multiple(paid_in, net_asset_value)
    return FundMultiples(dpi, rvpi, dpi + rvpi, multiple(commitment, paid_in))


def effective_rate(nominal: Any, compounding: int) -> Any:
    """Annual effective rate (1 + r / m)^m - 1 of a nominal rate r payable m times a year."""
    return np.expm1(compounding * np.log1p(nominal / compounding))


def nominal_rate(effective: Any, compounding: int) -> Any:
    """Nominal rate m ((1 + e)^(1 / m) - 1), payable m times a year, of an annual effective rate e."""
    return compounding * np.expm1(np.log1p(effective) / compounding)


# One block of paths -----------------------------------------------------------------------------------


class _Look(NamedTuple):
    """What a look at each path shows, before any root is counted or sought."""

    paid: Flags
    received: Flags
    finite: Flags
    forward: Counts  # sign changes of the cumulative flows
    backward: Counts  # the same, added up from the last flow
    total: Signs  # sign of all flows together
    again: Signs  # the same, added up from the last flow


def _block(flows: Floats, floor: float) -> tuple[Floats, NDArray[np.int8]]:
    """log(1 + q) a period, NaN where there is no single root, and the status of each path."""
    look = _look(flows)
    growth = np.full(flows.shape[1], np.nan)
    status = np.full(flows.shape[1], NONE, dtype=np.int8)
    status[look.paid & ~look.received & look.finite] = TOTAL_LOSS
    count, cut = _count_roots(flows, look, floor)
    status[count == 1] = OK
    status[count > 1] = MANY
    growth[count == 1] = 0.0
    sought, most = (count == 1) & (look.total != 0), np.where(cut, -floor, np.inf)
    fast = _loaded_compiled()
    if fast is not None and len(flows):
        fast.roots(flows, sought, look.total, most, growth)
    elif sought.any():
        growth[sought] = _root(_scaled(flows[:, sought]), look.total[sought], most[sought])
    return growth, status


def _loaded_compiled() -> ModuleType | None:
    """The compiled forms of ``_look`` and ``_root``, where the compiled kernels are there and wanted."""
    if loaded_compiled() is None:
        return None
    from socialfinance.kernels import compiled_returns

    return compiled_returns


def _look(flows: Floats) -> _Look:
    """What the flows of each path show, on either backend."""
    fast = _loaded_compiled()
    if fast is not None:
        return _Look(*fast.look(flows))
    finite: Flags = np.asarray(np.isfinite(flows).all(axis=0))
    flows = _scaled(flows if finite.all() else np.where(finite, flows, 0.0))
    forward, total = _cumulative(flows)
    backward, again = _cumulative(flows[::-1])
    paid, received = flows.min(axis=0, initial=0.0) < 0, flows.max(axis=0, initial=0.0) > 0
    return _Look(paid, received, finite, forward, backward, total, again)


def _scaled(flows: Floats) -> Floats:
    """Each path times a power of two that brings its largest flow near 1: exact, and sums are safe."""
    exponent = np.frexp(np.abs(flows).max(axis=0, initial=0.0))[1]
    scaled: Floats = flows * np.ldexp(1.0, -np.clip(exponent, -1000, 1000))
    return scaled


# How many roots? ----------------------------------------------------------------------------------------


def _count_roots(flows: Floats, look: _Look, floor: float) -> tuple[Counts, Flags]:
    """Roots that count, and which paths may have others, with log(1 + q) below ``floor``, beside the one."""
    some = look.paid & look.received & look.finite
    forward, backward, total = look.forward, look.backward, look.total
    count = np.where(some, forward + backward + (total == 0), 0)
    cut = np.zeros(len(count), dtype=np.bool_)
    nil = (total == 0) & (forward + backward == 0)
    sure = (total == look.again) & (nil | ((total != 0) & (forward <= 1) & (backward <= 1)))
    sure &= (count < 2) | (backward == 0)
    at = np.flatnonzero(some & ~sure)
    if len(at):
        flows = _scaled(flows[:, at])
        single = (total[at] != 0) & _single_above(flows, floor)
        count[at[single]], cut[at[single]] = 1, True
        at, flows = at[~single], flows[:, ~single]
    if len(at):
        every, above = _count_open(flows, total[at], floor)
        count[at] = np.where(above == 0, every, above)
        cut[at] = (above == 1) & (every > 1)
    return count, cut


def _single_above(flows: Floats, floor: float) -> Flags:
    """Which paths have exactly one root above the floor, by the cumulative flows discounted at the floor.

    Their sign changes bound the roots above it, and share their parity: one is one.
    """
    growth = -floor * np.arange(len(flows))
    if growth[-1] > 600.0:  # no room for the sums
        return np.zeros(flows.shape[1], dtype=np.bool_)
    look = _look(flows * np.exp(growth)[:, None])
    single: Flags = (look.forward == 1) & (look.total != 0)
    return single


def _cumulative(flows: Floats) -> tuple[Counts, Signs]:
    """Sign changes of the cumulative flows, and the sign of the last; what is within rounding is nil."""
    rounding = len(flows) * EPS
    total, gross, nil = (np.zeros(flows.shape[1]) for _ in range(3))
    signs = np.zeros((len(flows) + 1, flows.shape[1]), dtype=np.int8)
    for flow, sign in zip(flows, signs[1:], strict=True):
        total += flow
        gross += np.abs(flow, out=nil)
        np.multiply(gross, rounding, out=nil)
        up, down = total > nil, total < np.negative(nil, out=nil)
        np.subtract(up.view(np.int8), down.view(np.int8), out=sign)
    return _sign_changes(signs), signs[-1]


def _sign_changes(series: NDArray[Any]) -> Counts:
    """Sign changes down each column, nils passed over."""
    changes = np.zeros(series.shape[1], dtype=np.int64)
    above = np.zeros(series.shape[1], dtype=np.bool_)
    below = np.zeros(series.shape[1], dtype=np.bool_)
    for row in series:
        up, down = row > 0, row < 0
        changes += (up & below) | (down & above)
        above = up | (above & ~down)
        below = down | (below & ~up)
    return changes


def _count_open(flows: Floats, total: Signs, floor: float) -> tuple[Counts, Counts]:
    """All roots, and those above the floor: both sides of q = 0, and at it (twice if it only touches nil)."""
    end = np.where(total == 0, 0.0, np.add.accumulate(flows)[-1])
    times = np.arange(len(flows), dtype=np.float64)[:, None]
    tilt, gross = np.cumsum(times * flows, axis=0)[-1], np.cumsum(times * np.abs(flows), axis=0)[-1]
    at_nil = np.where(total == 0, 1 + (np.abs(tilt) <= _NOISE * gross), 0)
    positive = _roots_inside(_bernstein(flows), end) + at_nil
    turned = _bernstein(flows[::-1])
    above = _cut(turned, math.exp(floor))[1]
    return positive + _roots_inside(turned, end), positive + _roots_inside(above, end)


def _roots_inside(points: Floats, end: Floats) -> Counts:
    """Roots inside a piece, by halving it until each part shows nil or one.

    The sign changes of the Bernstein coefficients ``points`` bound the roots in a piece and share their
    parity. ``end`` is the value at its upper end, nil within rounding.
    """
    points = points.copy()
    points[-1] = end
    path = np.arange(points.shape[1])
    count = np.zeros(points.shape[1], dtype=np.int64)
    noise = _NOISE * np.abs(points).max(axis=0, initial=0.0)
    for _ in range(60):
        changes = _sign_changes(points)
        blurred = (changes > 1) & (np.abs(points).max(axis=0, initial=0.0) <= noise)
        np.add.at(count, path, np.where(blurred, 2, changes == 1))
        split = (changes > 1) & ~blurred
        path, noise = path[split], noise[split]
        if not len(path):
            return count
        left, right = _cut(points[:, split], 0.5)
        np.add.at(count, path, (left[-1] == 0).astype(np.int64))
        points = np.concatenate([left, right], axis=1)
        path, noise = np.tile(path, 2), np.tile(noise, 2)
    np.add.at(count, path, 2)
    return count


def _bernstein(flows: Floats) -> Floats:
    """Bernstein coefficients on 0 to 1: b_j = sum over i of C(j, i) / C(n, i) flow_i."""
    degree = len(flows) - 1
    points: Floats = flows / np.array([[float(math.comb(degree, i))] for i in range(degree + 1)])
    for k in range(1, degree + 1):
        points[k:] += points[k - 1 : -1].copy()
    return points


def _cut(points: Floats, at: float) -> tuple[Floats, Floats]:
    """Bernstein coefficients below and above the fraction ``at`` of a piece (de Casteljau)."""
    left, right = np.empty_like(points), points.copy()
    for k in range(len(points)):
        left[k] = right[0]
        lower, upper = right[: len(points) - 1 - k], right[1 : len(points) - k]
        right[: len(points) - 1 - k] = (1.0 - at) * lower + at * upper
    return left, right


# Where is the root? -------------------------------------------------------------------------------------


def _root(flows: Floats, total: Signs, most: Floats) -> Floats:
    """log(1 + q) a period of paths with one root, q not nil; ``most`` is the most it can be below nil.

    A path with q < 0 is turned in time, which turns the sign of log(1 + q): every path is then solved
    with discount factors below 1, so nothing overflows.
    """
    nonzero = flows != 0
    first = nonzero.argmax(axis=0)
    last = len(flows) - 1 - nonzero[::-1].argmax(axis=0)
    turned = total == np.sign(flows[first, np.arange(flows.shape[1])])
    towards = np.where(turned, -1, 1)
    flows = flows * total.astype(np.float64)
    at = np.flatnonzero(turned | (first > 0))
    row = np.where(turned, last, first)[at] + towards[at] * np.arange(len(flows))[:, None]
    inside = (row >= first[at]) & (row <= last[at])
    flows[:, at] = np.where(inside, flows[np.clip(row, 0, len(flows) - 1), at], 0.0)
    return towards * _newton(flows, np.where(turned, most, np.inf))


def _newton(flows: Floats, most: Floats) -> Floats:
    """The single root x > 0 of h(x) = log(PV receipts / PV payments) at v = e^-x; h(0) > 0.

    Bracket: 0 < x < log(1 + largest flow / first flow) (Cauchy), or ``most``. Bisection where Newton
    leaves the bracket, and every fourth step once twelve were not enough. A Newton step of d over n rows
    leaves an error below (n d)^2 / (8 |h'|), as h'' is a difference of two variances of times: once n d is
    below ``NEAR`` that is what rounding leaves.
    """
    split = np.empty((len(flows), 2, flows.shape[1]))
    np.maximum(flows, 0.0, out=split[:, 0])
    np.subtract(split[:, 0], flows, out=split[:, 1])
    low, x = np.zeros(flows.shape[1]), np.zeros(flows.shape[1])
    largest, first = np.abs(flows).max(axis=0, initial=0.0), np.abs(flows[0])
    high = np.minimum(np.log(largest + first) - np.log(first), most)
    root, path = np.empty(flows.shape[1]), np.arange(flows.shape[1])
    for step in range(STEPS):
        value, slope = _log_ratio(split, x)
        low, high = np.where(value > 0, x, low), np.where(value > 0, high, x if step else high)
        with np.errstate(divide="ignore", invalid="ignore"):
            target = x - value / slope
        newton = (target > low) & (target < high) & (step <= 12 or step % 4 != 0)
        target = np.where(newton, target, 0.5 * (low + high))
        target = np.where(np.abs(value) <= len(flows) * EPS, x, target)
        moving = np.abs(target - x) > np.where(newton, NEAR / len(flows), STILL)
        root[path] = target
        if not moving.any():
            break
        x = target
        if not moving.all():
            path, low, high, x = path[moving], low[moving], high[moving], x[moving]
            split = np.take(split, np.flatnonzero(moving), axis=2)
    return root


def _log_ratio(split: Floats, x: Floats) -> tuple[Floats, Floats]:
    """log(PV receipts / PV payments) at v = e^-x and its slope in x, by Horner's rule."""
    v = np.exp(-x)
    value, slope = np.zeros(split.shape[1:]), np.zeros(split.shape[1:])
    for row in split[::-1]:
        slope *= v
        slope += value
        value *= v
        value += row
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        duration = v * slope / value
        return np.log(value[0] / value[1]), duration[1] - duration[0]


# One dated series ---------------------------------------------------------------------------------------


def _dated_root(years: Floats, flows: Floats) -> tuple[float, int]:
    """log(1 + r) and status of one series without nil flows, in order of time."""
    if not np.isfinite(flows).all() or not (flows < 0).any():
        return np.nan, NONE
    if not (flows > 0).any():
        return np.nan, TOTAL_LOSS
    every = _dated_brackets(years, flows / np.abs(flows).max())
    found = [(low, high) for low, high in every if low >= math.log1p(LEAST_RATE)] or every
    if len(found) != 1:
        return np.nan, MANY if found else NONE
    return _dated_search(years, flows, *found[0]), OK


def _dated_brackets(years: Floats, flows: Floats) -> list[tuple[float, float]]:
    """Two values of log(1 + r) around every root, which may be the same."""
    (forward,), (total,) = _cumulative(flows[:, None])
    (backward,), _ = _cumulative(flows[::-1, None])
    if forward + backward + (total == 0) > 1:
        return _brackets_on_grid(years, flows, total == 0)
    if total == 0:
        return [(0.0, 0.0)]
    low, high = _furthest(years, flows)
    return [(0.0, high)] * int(forward) + [(low, 0.0)] * int(backward)


def _brackets_on_grid(years: Floats, flows: Floats, root_at_nil: bool) -> list[tuple[float, float]]:
    """Where the NPV changes sign on 2,000 rates above nil, 2,000 below, nil, and the least that counts."""
    low, high = _furthest(years, flows)
    grid = np.concatenate(
        [-np.geomspace(1e-9, -low, 2000), [0.0, math.log1p(LEAST_RATE)], np.geomspace(1e-9, high, 2000)]
    )
    grid.sort()
    values = np.array([_balance(x, years, flows) for x in grid])
    values[(np.abs(values) <= _NOISE) | (root_at_nil & (grid == 0.0))] = 0.0
    grid, signs = grid[values != 0.0], np.sign(values[values != 0.0])
    at = np.flatnonzero(signs[:-1] != signs[1:])
    touches = abs((years * flows).sum()) <= _NOISE * (years * np.abs(flows)).sum()
    twice = [(0.0, 0.0)] * 2 if root_at_nil and touches else []
    return [*((float(grid[i]), float(grid[i + 1])) for i in at), *twice]


def _balance(x: float, years: Floats, flows: Floats) -> float:
    """(PV receipts - PV payments) / (PV receipts + PV payments) at log(1 + r) = x, which never overflows."""
    present = flows * np.exp(-x * (years if x >= 0.0 else years - years[-1]))
    return float(present.sum() / np.abs(present).sum())


def _furthest(years: Floats, flows: Floats) -> tuple[float, float]:
    """Bounds on log(1 + r): beyond them the last flow, or the first, outweighs all others."""
    high = np.log(np.abs(flows[1:]).sum() / abs(flows[0]) + 1.0) / years[1]
    low = np.log(np.abs(flows[:-1]).sum() / abs(flows[-1]) + 1.0) / (years[-1] - years[-2])
    return -float(low) - 1e-9, float(high) + 1e-9


def _dated_search(years: Floats, flows: Floats, low: float, high: float) -> float:
    """The single root between two values of log(1 + r), by Brent's method on a bounded function."""
    from scipy.optimize import brentq

    if low == high:
        return low
    return float(brentq(_balance, low, high, (years, flows), xtol=1e-15, rtol=4 * EPS))
