"""The compiled forms of the IRR of a block: what the cumulative flows show, and the search for a root.

Import this module only inside a function: it imports Numba. What is found here means what
:mod:`socialfinance.kernels.returns` says; the NumPy forms stand there. Paths are worked on side by side,
``LANE`` at a time, in a buffer that stays in cache; each is computed from its own flows alone.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from socialfinance.kernels.compiled import kernel, part
from socialfinance.kernels.returns import EPS, NEAR, STEPS, STILL

Floats = NDArray[np.float64]

LANE = 32
"""Paths worked on side by side."""


def look(flows: Floats) -> tuple[NDArray[Any], ...]:
    """What ``returns._look`` finds."""
    paths = flows.shape[1]
    kinds, changes = np.empty((3, paths), np.bool_), np.empty((2, paths), np.int64)
    signs = np.empty((2, paths), np.int8)
    _look(flows, kinds, changes, signs)
    return (*kinds, *changes, *signs)


@kernel
def _look(
    flows: Floats, kinds: NDArray[np.bool_], changes: NDArray[np.int64], signs: NDArray[np.int8]
) -> None:
    lane = _lane(flows)
    for start in range(0, flows.shape[1], LANE):
        size = min(LANE, flows.shape[1] - start)
        least, largest, wrong = _load(flows, start, size, lane)
        forward, total = _cumulative(lane, len(flows) * EPS, False)
        backward, again = _cumulative(lane, len(flows) * EPS, True)
        for j in range(size):
            i = start + j
            kinds[0, i], kinds[1, i], kinds[2, i] = least[j] < 0.0, largest[j] > 0.0, wrong[j] == 0.0
            changes[0, i], changes[1, i] = np.int64(forward[j]), np.int64(backward[j])
            signs[0, i], signs[1, i] = np.int8(total[j]), np.int8(again[j])


def roots(
    flows: Floats, sought: NDArray[np.bool_], total: NDArray[np.int8], most: Floats, growth: Floats
) -> None:
    """``returns._root`` of the paths ``sought``, into ``growth``."""
    # What is compiled is kept on disk by the date of this file, so limits said in another are handed in.
    _roots(flows, sought, total, most, growth, (STEPS, NEAR / len(flows), STILL))


@kernel
def _roots(
    flows: Floats,
    sought: NDArray[np.bool_],
    total: NDArray[np.int8],
    most: Floats,
    growth: Floats,
    limits: tuple[int, float, float],
) -> None:
    lane, turned = _lane(flows), _lane(flows)
    towards, low, high = np.empty(LANE), np.empty(LANE), np.empty(LANE)
    for start in range(0, flows.shape[1], LANE):
        paths = slice(start, min(start + LANE, flows.shape[1]))
        size = paths.stop - start
        moving = sought[paths].copy()
        if not moving.any():
            continue
        least, largest, _ = _load(flows, start, size, lane)
        _turn(lane, total[paths], turned, towards)
        for j in range(size):
            first = abs(turned[0, j])
            low[j], high[j] = 0.0, math.log(max(largest[j], -least[j]) + first) - math.log(first)
            if towards[j] < 0.0:
                high[j] = min(high[j], most[start + j])
        x = _search(turned, len(flows) * EPS, limits, low, high, moving)
        for j in range(size):
            if sought[start + j]:
                growth[start + j] = towards[j] * x[j]


@part
def _lane(flows: Any) -> Any:
    """Room for the flows of a lane, a multiple of four rows: the last may be nil, which changes nothing."""
    return np.zeros((-(-len(flows) // 4) * 4, LANE))


@part
def _load(flows: Any, start: Any, size: Any, lane: Any) -> Any:
    """Flows scaled by ``returns._scaled``; the least, the largest, and nil where all are finite."""
    for t in range(len(flows)):
        for j in range(size):
            lane[t, j] = flows[t, start + j]
    least, largest, wrong = np.zeros(LANE), np.zeros(LANE), np.zeros(LANE)
    for t in range(0, len(lane), 4):
        for j in range(LANE):
            low, high, sum_ = least[j], largest[j], wrong[j]
            for k in range(4):
                flow = lane[t + k, j]
                low = flow if flow < low else low
                high = flow if flow > high else high
                sum_ += flow - flow
            least[j], largest[j], wrong[j] = low, high, sum_
    scale = np.empty(LANE)
    for j in range(LANE):
        exponent = math.frexp(max(largest[j], -least[j]))[1]
        scale[j] = math.ldexp(1.0, -min(max(exponent, -1000), 1000))
        least[j] *= scale[j]
        largest[j] *= scale[j]
    for t in range(len(lane)):
        for j in range(LANE):
            lane[t, j] *= scale[j]
    return least, largest, wrong


@part
def _cumulative(lane: Any, rounding: Any, backward: Any) -> Any:
    """``returns._cumulative`` of a lane: sign changes, and the sign of the last cumulative flow."""
    total, gross = np.zeros(LANE), np.zeros(LANE)
    changes, before, sign = np.zeros(LANE), np.zeros(LANE), np.zeros(LANE)
    for i in range(0, len(lane), 4):
        first, step = (len(lane) - 1 - i, -1) if backward else (i, 1)
        for j in range(LANE):
            sum_, size, count, last, now = total[j], gross[j], changes[j], before[j], sign[j]
            for k in range(4):
                flow = lane[first + step * k, j]
                sum_ += flow
                size += abs(flow)
                nil = rounding * size
                now = 1.0 if sum_ > nil else -1.0 if sum_ < -nil else 0.0
                count += 1.0 if now * last < 0.0 else 0.0
                last = last if now == 0.0 else now
            total[j], gross[j], changes[j], before[j], sign[j] = sum_, size, count, last, now
    return changes, sign


@part
def _turn(lane: Any, total: Any, turned: Any, towards: Any) -> None:
    """Each path from its first flow that is not nil, turned in time where q < 0, that flow negative."""
    first, last = np.full(LANE, -1), np.zeros(LANE, np.int64)
    for t in range(len(lane)):
        for j in range(LANE):
            some = lane[t, j] != 0.0
            last[j] = t if some else last[j]
            first[j] = t if some and first[j] < 0 else first[j]
    sign = np.ones(LANE)
    sign[: len(total)] = total
    for t in range(len(lane)):
        for j in range(LANE):
            turned[t, j] = sign[j] * lane[t, j]
    for j in range(LANE):
        back = sign[j] * lane[max(first[j], 0), j] > 0.0
        towards[j] = -1.0 if back else 1.0
        if back or first[j] > 0:
            turned[:, j] = 0.0
            t = last[j] if back else first[j]
            for i in range(last[j] - first[j] + 1):
                turned[i, j] = sign[j] * lane[t, j]
                t += -1 if back else 1


@part
def _search(lane: Any, exact: Any, limits: Any, low: Any, high: Any, moving: Any) -> Any:
    """``returns._newton`` of a lane."""
    x, v = np.zeros(LANE), np.ones(LANE)
    value, slope = np.empty((2, LANE)), np.empty((2, LANE))
    steps, near, still = limits
    step = 0
    while moving.any() and step < steps:
        _horner(lane, v, value, slope)
        for j in range(len(moving)):
            if moving[j]:
                h = math.log(value[0, j] / value[1, j])
                dh = v[j] * (slope[1, j] / value[1, j] - slope[0, j] / value[0, j])
                if h > 0.0:
                    low[j] = x[j]
                elif step > 0:
                    high[j] = x[j]
                target = x[j] - h / dh
                newton = low[j] < target < high[j] and not (step > 12 and step % 4 == 0)
                if not newton:
                    target = 0.5 * (low[j] + high[j])
                if abs(h) <= exact:
                    target = x[j]
                moving[j] = abs(target - x[j]) > (near if newton else still)
                x[j] = target
                v[j] = math.exp(-target)
        step += 1
    return x


@part
def _horner(lane: Any, v: Any, value: Any, slope: Any) -> None:
    """Receipts and payments of a lane, discounted at v, and their derivatives in v."""
    value[:] = 0.0
    slope[:] = 0.0
    for t in range(len(lane) - 4, -1, -4):
        for j in range(LANE):
            up, down, up_slope, down_slope = value[0, j], value[1, j], slope[0, j], slope[1, j]
            for k in range(3, -1, -1):
                flow = lane[t + k, j]
                up_slope = up_slope * v[j] + up
                down_slope = down_slope * v[j] + down
                up = up * v[j] + (flow if flow > 0.0 else 0.0)
                down = down * v[j] + (-flow if flow < 0.0 else 0.0)
            value[0, j], value[1, j], slope[0, j], slope[1, j] = up, down, up_slope, down_slope
