"""A worst-case peg in pounds: proposed from a pilot of the programme alone, with draws of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from socialfinance.core.time import Calendar
from socialfinance.funds.portfolio import Deal, Portfolio
from socialfinance.instruments import claims
from socialfinance.instruments.guaranteed_debt import GuaranteedDebt, Peg
from socialfinance.kernels.delays import Delays
from socialfinance.programmes.base import AS_PLANNED, Levels, Ready
from socialfinance.scenarios.common import Common
from socialfinance.scenarios.sources import Drawn

SEED = 20_140_711
"""Of every pilot, whatever the run's own: a peg is a term of the contract and does not move with a run."""


def with_peg(
    deal: Deal, name: str, programme: Ready, portfolio: Portfolio, calendar: Calendar, first: int
) -> tuple[Deal, dict[str, Any]]:
    """The deal with its peg in pounds, and what was proposed, by path into the file."""
    debt = deal.instrument
    if not isinstance(debt, GuaranteedDebt) or debt.peg is None or debt.peg.floor is not None:
        return deal, {}
    peg = debt.peg
    worth = np.sort(pilot(deal, name, programme, portfolio, calendar, first))
    place = min(max(int(np.ceil(peg.quantile * len(worth) - 1e-9)) - 1, 0), len(worth) - 1)
    floor = max(0.0, peg.share * float(worth[place]))
    agreed = debt.model_copy(update={"peg": peg.model_copy(update={"floor": floor})})
    told = {f"deals.{name}.instrument.peg.floor": floor}
    return deal.model_copy(update={"instrument": agreed}), told


def pilot(
    deal: Deal, name: str, programme: Ready, portfolio: Portfolio, calendar: Calendar, first: int
) -> NDArray[np.float64]:
    """What the programme alone brings over its life on each path of the pilot, at scale 1, pounds."""
    peg = _peg(deal)
    paths = np.arange(peg.pilot_paths, dtype=np.uint64)
    whole = Calendar(portfolio.start, portfolio.quarters)
    growth = {index: one.annual for index, one in portfolio.indices.items()}
    common = Common(SEED, whole, portfolio.factors, growth, paths)
    rows = calendar.quarters + 1
    given = {"theme": deal.theme, "place": deal.place, "provider": deal.provider}
    scores = common.scores({key: value for key, value in given.items() if value is not None})
    draws = f"{deal.draws or name} pilot"
    source = Drawn(SEED, draws, rows, paths, scores, programme.programme.drivers)

    def levels(index: str | None, base: Any) -> list[Any]:
        return common.level(index, base or calendar.start)[first:]

    shock = type(common.shock)(*(x if isinstance(x, float) else x[first:] for x in common.shock))
    futures = programme.draw(programme, source, rows, shock, levels)
    return _brought(deal, programme, futures, levels, len(paths))


def _peg(deal: Deal) -> Peg:
    assert isinstance(deal.instrument, GuaranteedDebt)
    assert deal.instrument.peg is not None
    return deal.instrument.peg


def _brought(deal: Deal, programme: Ready, futures: Any, levels: Levels, paths: int) -> NDArray[np.float64]:
    """Cashable savings to agencies, or verified outcomes at their price, summed over rows."""
    tariff = deal.tariff
    assert tariff is not None
    terms, _, _ = claims.lower_claims(tariff, programme.programme, programme.nodes, programme.lines)
    prices = levels(tariff.index, tariff.price_base)
    state, delays = programme.opening, Delays(programme.lags)
    total = np.zeros(paths)
    for row in range(futures.rows):
        now = futures.now(row, delays.due())
        state, done, entering = programme.play(programme.terms, state, now, AS_PLANNED)
        delays.enter(entering)
        if _peg(deal).of == "savings":
            for saved in done.cashable:
                total += saved
        else:
            for verified, price in zip(done.verified, terms.price, strict=True):
                total += verified * price * terms.kept * prices[row]
    return total
