"""The loan pool small enough to redo by hand: the tables in its pages, row by row."""

from __future__ import annotations

from typing import Any

import pytest

from socialfinance.engine.cases import run_case
from socialfinance.engine.ready import PLAN, prepare
from tests.pools import one_pool
from tests.worked import tables

LOANS: dict[str, Any] = {
    "size": 10_000.0, "term": 4, "repayment": "eip", "rate": 0.08, "basis": "nominal quarterly",
    "default_basis": "to term", "loss_given_default": 0.6, "recovery_lag": 1,
}  # fmt: skip
BOOK: dict[str, Any] = {
    "segments": {
        "first": {**LOANS, "schedule": (10.0,), "default_probability": 0.1, "default_timing": (0.0, 1.0)},
        "later": {**LOANS, "schedule": (0.0, 0.0, 10.0), "default_probability": 0.0},
    }
}
POOL: dict[str, Any] = {
    "commitment": {"amount": 80_000.0},
    "grant": {"by": "giver", "share": 0.2},
    "revolving_quarters": 3,
    "rate": {"reference": "fixed", "value": 0.04, "basis": "nominal quarterly"},
    "layers": ({"guarantor": "scheme", "cover": 0.5, "claim_lag": 1, "recoveries": "pro rata"},),
    "surplus": {"to": "giver"},
}
"""The terms that the page states."""
PAID = {
    "interest received": ("outside", "interest"),
    "principal": ("outside", "principal"),
    "recovered": ("outside", "recovery"),
    "call": ("backer", "guarantee call"),
    "to scheme": ("pool vehicle", "recovery"),
    "lent": ("pool vehicle", "drawdown"),
    "drawn": ("fund", "drawdown"),
    "grant": ("giver", "grant"),
    "interest paid": ("pool vehicle", "interest"),
    "capital returned": ("pool vehicle", "capital returned"),
    "surplus": ("pool vehicle", "surplus share"),
}
"""By heading: who pays, and for what."""


def test_the_page_row_by_row() -> None:
    """Every payment is in the table, and every number of the table is paid."""
    ready = prepare(one_pool(BOOK, pool=POOL, parties={"scheme": "backer", "giver": "giver"}, quarters=10))
    outcome = run_case(ready, ready.deals[0], PLAN, "", journal=True)
    paid: dict[tuple[int, str, str], float] = {}
    for entry in outcome.ledger.journal or []:
        about = (entry.row, entry.payer, entry.reason)
        paid[about] = paid.get(about, 0.0) + entry.amount
    for row in tables("loan-pool")[0]:
        t = int(row["row"])
        for heading, about in PAID.items():
            assert paid.pop((t, *about), 0.0) == pytest.approx(row[heading], abs=1e-9), (t, heading)
        assert sum(outcome.activity[t].made) == row["made"], t
        assert sum(outcome.activity[t].defaulted) == pytest.approx(row["defaulted"]), t
    assert paid == {}
