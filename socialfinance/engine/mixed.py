"""A fund's figures for life over the deals of a world met in other mixes (``scenarios/points.py``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from socialfinance.engine.fund import Alone, run_fund
from socialfinance.engine.fund_figures import life_figures
from socialfinance.engine.ready import ReadyDeal, ReadyPortfolio
from socialfinance.measures.paths import Key, fund_investors
from socialfinance.scenarios.common import Common
from socialfinance.scenarios.points import places

Array = NDArray[np.float64]
Paths = NDArray[np.uint64]


class Met(NamedTuple):
    """What a fund meets of a deal on a block of paths."""

    deal: ReadyDeal
    paid_in: Array
    """by all who fund it, ``(row, path)`` on its own rows, pounds"""
    back: Array
    alone: Alone | None
    """the same as the fund needs it; None where it does not hold the deal"""


def mixed_figures(
    ready: ReadyPortfolio, met: Sequence[Met], seed: int, paths: Paths, common: Common
) -> dict[Key, Array]:
    """Of all investors and of the fund, ``(mix, path)``: every mix but the first, which the block has."""
    assert ready.points is not None
    numbers = {one.deal.draws: ready.points.mixed(one.deal.draws, paths) for one in met}
    found: dict[Key, list[Array]] = {}
    for mix in range(1, ready.points.mixes):
        own = {draws: by_mix[mix] for draws, by_mix in numbers.items()}
        for key, values in _figures(ready, met, seed, paths, common, own).items():
            found.setdefault(key, []).append(values)
    return {key: np.stack(values) for key, values in found.items()}


def _figures(
    ready: ReadyPortfolio, met: Sequence[Met], seed: int, paths: Paths, common: Common,
    own: Mapping[str, Paths],
) -> dict[Key, Array]:  # fmt: skip
    """One mix: ``own`` says by whose draws on which path each future has the deal."""
    again = [_on(one, places(own[one.deal.draws], paths)) for one in met]
    paid_in, back = (np.zeros((ready.calendar.quarters + 1, len(paths))) for _ in range(2))
    for deal, put_in, had_back, _ in again:
        rows = slice(deal.first_row, deal.first_row + len(put_in))
        paid_in[rows] += put_in
        back[rows] += had_back
    found = fund_investors(paid_in, back, ready.discount) if paid_in.any() else {}
    if ready.fund is not None:
        runs = [one.alone for one in again if one.alone is not None]
        ran = run_fund(ready, runs, seed, paths, common, policy=False, own=own)
        found.update(life_figures(ready, ran, "fund"))
    return found


def _on(met: Met, path: NDArray[np.int64]) -> Met:
    """A deal with other paths of the block in place of each."""

    def taken(flows: Array) -> Array:
        return np.take(flows, path, axis=1)

    if met.alone is None:
        return Met(met.deal, taken(met.paid_in), taken(met.back), None)
    calls, recovered = (None if one is None else taken(one) for one in (met.alone.calls, met.alone.recovered))
    alone = Alone(taken(met.paid_in), taken(met.back), calls, recovered, None, {})
    return Met(met.deal, alone.paid_in, alone.back, alone)
