"""What a fund tells a deal: starts, caps and commitment, and leaving the contract."""

from __future__ import annotations

from typing import Any

import numpy as np

import socialfinance as sf
from socialfinance.core.ledger import Ledger
from socialfinance.engine.deal import Outcome, Told, periods
from socialfinance.engine.ready import drawn, futures_of, prepare, price_level
from socialfinance.funds.portfolio import Portfolio
from socialfinance.instruments.contract import WITHDRAWN

PATHS = np.arange(200, dtype=np.uint64)


def edge_of_care(**exits: Any) -> Portfolio:
    given = sf.load("edge-of-care").portfolio.model_dump(exclude_unset=True)
    if exits:
        given["deals"]["edge-of-care"]["instrument"]["termination"] = exits
    return Portfolio.model_validate(given)


def told(portfolio: Portfolio, by_row: Any) -> Outcome:
    """The deal, told ``by_row(row)`` in each row and granted all that it asks."""
    ready = prepare(portfolio)
    deal, common = ready.deals[0], ready.common(3, PATHS)
    futures = futures_of(deal, drawn(deal, common, 3, PATHS), common)
    ledger = Ledger(deal.calendar.year_of_row, len(PATHS))
    rows = periods(deal, (deal.own,), futures, price_level(deal, common), (ledger,), rationed=True)
    asked, row = next(rows), 0
    while True:
        try:
            asked = rows.send(by_row(row)._replace(granted=asked.wish))
        except StopIteration as end:
            outcome: Outcome = end.value[0]
            return outcome
        row += 1


def paid(outcome: Outcome, why: str) -> Any:
    amounts = outcome.ledger.of(reason=why)
    return np.zeros(len(PATHS)) if isinstance(amounts, float) else amounts.sum(axis=0)


def starts(outcome: Outcome) -> Any:
    return np.array([np.broadcast_to(done.starts, PATHS.shape) for done in outcome.activity])


def test_a_deal_that_is_told_nothing_runs_as_agreed() -> None:
    plain = told(edge_of_care(), lambda row: Told())
    same = told(edge_of_care(), lambda row: Told(scale=1.0, performance=1.0, size=1.0))
    assert np.array_equal(paid(plain, "outcome payment"), paid(same, "outcome payment"))


def test_leaving_ends_the_contract_and_nobody_is_compensated() -> None:
    """Told in row 8: no starts from row 9, the cause is the fund's, and compensation of all causes is nil."""
    owed = {"performance": 1.0, "voluntary": 1.0, "policy": 1.0, "insolvency": 1.0}
    left = told(
        edge_of_care(compensation=owed, illustrative=True),
        lambda row: Told(withdrawn=float(row >= 8) + 0.0 * PATHS),
    )
    runs = np.broadcast_to(left.state.vehicle.exits.cause, PATHS.shape) == WITHDRAWN
    assert runs.mean() > 0.9
    assert np.all(starts(left)[9:, runs] == 0.0)
    assert np.all(paid(left, "termination compensation")[runs] == 0.0)
    whole = told(edge_of_care(), lambda row: Told())
    assert paid(left, "service payment").mean() < paid(whole, "service payment").mean()


def test_twice_the_starts_need_twice_the_caps() -> None:
    """Twice the starts under the old caps are paid for up to the cap; with caps doubled, beyond it."""
    cap = sf.load("edge-of-care").portfolio.deals["edge-of-care"].tariff.cap
    assert cap is not None
    plain = told(edge_of_care(), lambda row: Told())
    more = told(edge_of_care(), lambda row: Told(scale=2.0))
    grown = told(edge_of_care(), lambda row: Told(scale=2.0, size=2.0))
    assert starts(more).sum(axis=0).mean() > 1.5 * starts(plain).sum(axis=0).mean()
    assert paid(more, "outcome payment").max() <= cap + 1e-6
    assert paid(grown, "outcome payment").max() > 1.3 * cap
    assert paid(grown, "outcome payment").max() <= 2.0 * cap + 1e-6
    assert paid(grown, "drawdown").max() > paid(plain, "drawdown").max()


def test_performance_moves_outcomes() -> None:
    better = told(edge_of_care(), lambda row: Told(performance=1.1))
    worse = told(edge_of_care(), lambda row: Told(performance=0.5))
    assert paid(worse, "outcome payment").mean() < 0.8 * paid(better, "outcome payment").mean()
