"""Figures for life of those who meet several deals, over the deals of a world in other mixes.

See ``scenarios/points.py`` for what a mix is. A fund's rows run again on every mix; what public bodies pay
over the life is the sum of what they pay in each deal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.engine.fund import Alone, run_fund
from socialfinance.engine.fund_figures import life_figures
from socialfinance.engine.ready import ReadyDeal, ReadyPortfolio, add_rows
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


SUMS = ("paid", "saving", "net_cost", "net_cost_pv", "paid_pv")
"""Of a public body: sums over its deals."""


def mixed_figures(
    ready: ReadyPortfolio, figures: Mapping[Key, Array], met: Sequence[Met], seed: int, paths: Paths,
    common: Common,
) -> dict[Key, Array]:  # fmt: skip
    """Of all investors, the fund, and public bodies in several deals, ``(mix, path)``.

    ``figures`` are those of the block, whose own are the first mix.
    """
    assert ready.points is not None
    numbers = {one.deal.draws: ready.points.mixed(one.deal.draws, paths) for one in met}
    found: dict[Key, list[Array]] = {}
    for mix in range(1, ready.points.mixes):
        own = {draws: by_mix[mix] for draws, by_mix in numbers.items()}
        for key, values in _figures(ready, met, seed, paths, common, own).items():
            found.setdefault(key, []).append(values)
    mixed = {key: np.stack(values) for key, values in found.items()}
    mixed.update(_bodies(ready, figures, {draws: places(by, paths) for draws, by in numbers.items()}))
    return {key: np.concatenate([figures[key][None], values]) for key, values in mixed.items()}


def _bodies(
    ready: ReadyPortfolio, figures: Mapping[Key, Array], path: Mapping[str, NDArray[np.int64]]
) -> dict[Key, Array]:
    """Public bodies' figures for life in every mix but the first, by the paths on which deals are met."""
    found: dict[Key, Array] = {}
    for key in figures:
        if key.scope != "council" or key.financial_year or key.measure not in SUMS:
            continue
        here = {deal: key._replace(scope="deal", deal=deal.name) for deal in ready.deals}
        mine = {deal: one for deal, one in here.items() if one in figures}
        if len({deal.draws for deal in mine}) > 1:
            found[key] = np.sum([figures[one][path[deal.draws][1:]] for deal, one in mine.items()], axis=0)
            if key.measure == "net_cost":
                never = key._replace(measure="never_pays_for_itself", unit="share of paths")
                found[never] = (found[key] > HALF_A_PENNY).astype(float)
    return found


def _figures(
    ready: ReadyPortfolio, met: Sequence[Met], seed: int, paths: Paths, common: Common,
    own: Mapping[str, Paths],
) -> dict[Key, Array]:  # fmt: skip
    """One mix: ``own`` says by whose draws on which path each future has the deal."""
    again = [_on(one, places(own[one.deal.draws], paths)) for one in met]
    paid_in, back = (np.zeros((ready.calendar.quarters + 1, len(paths))) for _ in range(2))
    for deal, put_in, had_back, _ in again:
        add_rows(paid_in, deal, put_in)
        add_rows(back, deal, had_back)
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
