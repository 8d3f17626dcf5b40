"""Guaranteed debt small enough to redo by hand: the table in its page, row by row."""

from __future__ import annotations

from typing import Any

import pytest

from socialfinance.engine.cases import run_case
from socialfinance.engine.explain import explain_path
from socialfinance.engine.ready import PLAN, prepare
from socialfinance.funds.portfolio import Portfolio
from socialfinance.io.files import load
from tests.fixtures import one_deal
from tests.worked import DOCS, tables

QUARTERLY = 4 * 0.02
TERMS: dict[str, Any] = {
    "kind": "guaranteed-debt",
    "commitment": {"amount": 30_000.0},
    "draw_ahead": 0,
    "reserve_quarters": 0,
    "availability_quarters": 4,
    "rate": {"reference": "fixed", "value": QUARTERLY, "basis": "nominal quarterly"},
    "repayment": {"profile": "eip", "first_quarter": 3, "last_quarter": 4},
    "layers": (
        {"guarantor": "first", "cover": 0.8, "detach": 5_000.0, "when": "acceleration", "claim_lag": 0},
        {"guarantor": "second", "cover": 0.5, "when": "maturity", "claim_lag": 1},
    ),
}
"""The terms that the page states."""


def portfolio(**terms: Any) -> Portfolio:
    """The page's deal; some of its terms changed."""
    whole = one_deal(
        prices={"outcome": 2_000.0},
        quarters=6,
        programme={
            "referrals": {"schedule": (10.0, 10.0), "arrival": "as planned"},
            "outcomes": {"outcome": {"probability": 0.5, "lag": 1}},
            "costs": {
                "set-up": {"reason": "set-up cost", "one_off": 4_000.0, "first_quarter": 0},
                "delivery": {"per_quarter": 10_000.0, "first_quarter": 1, "last_quarter": 2},
            },
        },
    ).model_dump(exclude_unset=True)
    deal = whole["deals"]["deal"]
    deal["instrument"] = {**TERMS, **terms}
    for guarantor in ("first", "second"):
        whole["parties"][guarantor] = {"kind": "guarantor"}
        deal["parties"][guarantor] = guarantor
    return Portfolio.model_validate(whole)


def test_the_page_row_by_row() -> None:
    """Every payment is in the table, and every number of the table is paid."""
    ready = prepare(portfolio())
    deal = ready.deals[0]
    ledger = run_case(ready, deal, PLAN, "", journal=True).ledger
    paid: dict[tuple[int, str, str], float] = {}
    for entry in ledger.journal or []:
        about = (entry.row, entry.payer, entry.reason)
        paid[about] = paid.get(about, 0.0) + entry.amount
    for row in tables("guaranteed-debt")[0]:
        t = int(row["row"])
        for heading, (payer, reason) in {
            "received": ("anytown", "outcome payment"),
            "cost": ("deal vehicle", "service payment"),
            "drawn": ("fund", "drawdown"),
            "interest": ("deal vehicle", "interest"),
            "principal": ("deal vehicle", "principal"),
            "first guarantor": ("first", "guarantee call"),
            "second guarantor": ("second", "guarantee call"),
        }.items():
            assert paid.pop((t, payer, reason), 0.0) == pytest.approx(row[heading], abs=1e-9), (t, heading)
    assert {reason for (_, payer, reason), amount in paid.items() if amount and payer != "charity"} == set()


def test_the_page_s_call_by_hand() -> None:
    """Every pound of the page's story is on that future, and follows from the ones before it."""
    ready = prepare(load("demo-guaranteed-debt").portfolio)
    future = explain_path(ready, ready.deals[0], 1, seed=1)
    paid: dict[tuple[int, str], float] = {}
    for payment in future.payments:
        key = (payment.quarter, f"{payment.payer} {payment.reason}")
        paid[key] = paid.get(key, 0.0) + payment.amount
    owed = {balance.quarter: balance.owed for balance in future.balances}
    drawn = sum(amount for (_, why), amount in paid.items() if why == "lender drawdown")
    due = owed[12]["loan"] * (1.0 + ready.deals[0].deal.instrument.rate.quarterly())
    repaid = paid[13, "edge-of-care vehicle principal"]
    compensation, rest = (due - repaid) / 2.0, (due - repaid) / 2.0
    council = 0.8 * rest
    left = rest - council
    above = left - 0.02 * drawn
    insurer = 0.75 * above
    assert paid[13, "eastmere termination compensation"] == pytest.approx(compensation)
    assert paid[14, "eastmere guarantee call"] == pytest.approx(council)
    assert paid[15, "insurer guarantee call"] == pytest.approx(insurer)
    assert owed[13]["overdue"] == pytest.approx(left - insurer)
    assert owed[13]["owed to guarantors"] == pytest.approx(council + insurer)
    assert owed[32]["written off so far"] == pytest.approx(left - insurer)
    story = (DOCS / "guaranteed-debt.md").read_text(encoding="utf-8").split("A call is checked by hand")[1]
    told = (drawn, due, repaid, due - repaid, compensation, council, left, left - above, above, insurer,
            left - insurer, future.sums["lender"])  # fmt: skip
    for amount in told:
        assert f"£{amount:,.2f}" in story.split("## ")[0]
