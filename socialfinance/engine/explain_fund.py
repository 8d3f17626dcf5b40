"""One future of the fund: every payment that it makes and receives beside its deals', and its balances."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

import numpy as np

from socialfinance.core.ledger import Ledger
from socialfinance.core.time import financial_year
from socialfinance.engine.deal import run
from socialfinance.engine.fund import Ran, alone, run_fund, watched_reasons
from socialfinance.engine.ready import ReadyPortfolio, drawn, futures_of, price_level
from socialfinance.funds.policy_step import NEVER


class FundPayment(NamedTuple):
    """One line of the fund's audit trail."""

    quarter: int
    date: date
    financial_year: str
    payer: str
    payee: str
    reason: str
    amount: float


class FundRow(NamedTuple):
    """The fund in one quarter, pounds."""

    quarter: int
    date: date
    called: float
    into_deals: float
    from_deals: float
    to_notes: float
    cash: float
    locked: bool
    owed: dict[str, float]
    """by note, after the quarter"""


class FundExplained(NamedTuple):
    """One future of the fund."""

    payments: tuple[FundPayment, ...]
    rows: tuple[FundRow, ...]
    steered: dict[str, str]
    """by programme, what the policy did"""
    unmet: float
    """the most of deals' asks in a quarter that was not granted, a fraction"""


def explain_fund(ready: ReadyPortfolio, path: int, seed: int) -> FundExplained | None:
    """The fund on the path that a run of many would give this number; None where there is no fund."""
    fund = ready.fund
    if fund is None:
        return None
    paths = np.array([path], dtype=np.uint64)
    common = ready.common(seed, paths)
    runs = []
    for position in fund.positions:
        deal = position.deal
        futures = futures_of(deal, drawn(deal, common, seed, paths), common)
        watch = frozenset(party for party, _ in fund.guarantors)
        ledger = Ledger(deal.calendar.year_of_row, 1, watched=watched_reasons(position), watch=watch)
        outcome = run(deal, (deal.own,), futures, price_level(deal, common), (ledger,))[0]
        runs.append(alone(ready, position, outcome))
    ran = run_fund(ready, runs, seed, paths, common, policy=fund.policy is not None)
    calendar = ready.calendar
    payments = tuple(
        FundPayment(
            entry.row, calendar.row_date(entry.row), financial_year(calendar.row_date(entry.row)),
            entry.payer,
            entry.payee, entry.reason, entry.amount,
        )
        for entry in ran.ledger.journal or ()
    )  # fmt: skip
    return FundExplained(payments, tuple(_rows(ready, ran)), _steered(ready, ran), float(1.0 - ran.met.min()))


def _rows(ready: ReadyPortfolio, ran: Ran) -> list[FundRow]:
    assert ready.fund is not None
    names = ready.fund.names
    return [
        FundRow(
            row, ready.calendar.row_date(row), sum(float(one[row, 0]) for one in ran.calls),
            float(ran.paid_in[row, 0]), float(ran.received[row, 0]),
            sum(float(one[row, 0]) for one in ran.back), float(ran.cash[row, 0]),
            bool(ran.locked[row, 0] > 0.0),
            {name: float(one[row, 0]) for name, one in zip(names, ran.repaid, strict=True)},
        )
        for row in range(ready.calendar.quarters + 1)
    ]  # fmt: skip


def _steered(ready: ReadyPortfolio, ran: Ran) -> dict[str, str]:
    """What the policy did to each programme that it touched."""
    assert ready.fund is not None
    if ran.policy is None:
        return {}
    found = {}
    for d, position in enumerate(ready.fund.positions):
        at, scale = float(np.ravel(ran.policy.cut_at[d])[0]), float(np.ravel(ran.policy.scale[d])[0])
        said = []
        if scale > 1.0:
            said.append(f"grown to {scale:.0%} of the starts agreed at first")
        if at < NEVER:
            said.append(f"cut at the review of {ready.calendar.row_date(int(at)).isoformat()}")
        if said:
            found[position.deal.name] = " and ".join(said)
    return found
