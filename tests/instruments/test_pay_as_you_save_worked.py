"""Pay-as-you-save small enough to redo by hand: the tables in its page, row by row."""

from __future__ import annotations

from typing import Any

import pytest

from socialfinance.engine.cases import run_case
from socialfinance.engine.explain import explain_path
from socialfinance.engine.purse import purse_figures
from socialfinance.engine.ready import PLAN, prepare
from socialfinance.funds.portfolio import Portfolio
from socialfinance.io.files import load
from tests.fixtures import one_deal
from tests.worked import DOCS, tables

TERMS: dict[str, Any] = {
    "kind": "pay-as-you-save",
    "commitment": {"amount": 30_000.0},
    "draw_ahead": 0,
    "reserve_quarters": 0,
    "rate": {"reference": "fixed", "value": 0.08, "basis": "nominal quarterly"},
    "arrangement_fee": 0.01,
    "commitment_fee": 0.04,
}
FLOOR: dict[str, Any] = {
    "long_stop_quarter": 7,
    "floor": {"by": "foundation", "share": 0.75, "claim_lag": 1},
    "unpaid": "paid by agencies",
}
COLUMNS = {
    "cost": ("deal vehicle", "charity", "service payment"),
    "drawn": ("fund", "deal vehicle", "drawdown"),
    "paid by council": ("anytown", "deal vehicle", "savings payment"),
    "paid by health": ("nhs", "deal vehicle", "savings payment"),
    "surplus to council": ("deal vehicle", "anytown", "surplus share"),
    "surplus to health": ("deal vehicle", "nhs", "surplus share"),
    "floor": ("foundation", "fund", "guarantee call"),
    "unpaid, council": ("anytown", "fund", "unpaid balance"),
    "unpaid, health": ("nhs", "fund", "unpaid balance"),
}


def portfolio(council: float, health: float, **terms: Any) -> Portfolio:
    """The page's deal: these shares of what the council and the health service save."""
    saving = {"on": "outcome", "duration": 4, "cashable": 1.0}
    whole = one_deal(
        quarters=8,
        programme={
            "referrals": {"schedule": (10.0, 10.0), "arrival": "as planned"},
            "outcomes": {"outcome": {"probability": 0.5, "lag": 1}},
            "costs": {
                "set-up": {"reason": "set-up cost", "one_off": 4_000.0, "first_quarter": 0},
                "delivery": {"per_quarter": 10_000.0, "first_quarter": 1, "last_quarter": 2},
            },
            "savings": {
                "care": {**saving, "agency": "council", "unit_value": 600.0},
                "beds": {**saving, "agency": "health", "unit_value": 200.0},
            },
        },
        savings={
            "verification_lag": 1,
            "agencies": {"council": {"share": council}, "health": {"share": health}},
        },
    ).model_dump(exclude_unset=True)
    deal = whole["deals"]["deal"]
    deal["instrument"] = {**TERMS, **terms}
    whole["parties"]["nhs"] = {"kind": "nhs"}
    deal["parties"]["health"] = "nhs"
    if "floor" in terms:
        whole["parties"]["foundation"] = {"kind": "guarantor"}
        deal["parties"]["foundation"] = "foundation"
    return Portfolio.model_validate(whole)


@pytest.mark.parametrize(
    ("table", "shares", "terms"), [(0, (1.0, 0.5), {}), (1, (0.5, 0.25), FLOOR)], ids=["repaid", "floor"]
)
def test_the_page_row_by_row(table: int, shares: tuple[float, float], terms: dict[str, Any]) -> None:
    """Every payment is in the table, and every number of the table is paid."""
    ready = prepare(portfolio(*shares, **terms))
    ledger = run_case(ready, ready.deals[0], PLAN, "", journal=True).ledger
    paid: dict[tuple[int, str, str, str], float] = {}
    for entry in ledger.journal or []:
        paid[entry[:4]] = paid.get(entry[:4], 0.0) + entry.amount
    balance = 0.0
    for row in tables("pay-as-you-save")[table]:
        t = int(row["row"])
        for heading, about in COLUMNS.items():
            if heading in row:
                assert paid.pop((t, *about), 0.0) == pytest.approx(row[heading], abs=1e-6), (t, heading)
        to_funder = sum(paid.pop((t, "deal vehicle", "fund", why), 0.0) for why in ("interest", "principal"))
        assert to_funder == pytest.approx(row["to funder"], abs=1e-6), t
        balance += row["drawn"] + row["interest and fees"] - to_funder
        if t == 7 and table == 1:
            balance -= 4_000.0 + row["unpaid, council"] + row["unpaid, health"]
        assert balance == pytest.approx(row["balance"], abs=2e-6), t
    left = {about[3] for about, amount in paid.items() if amount and about[1] not in ("charity", "outside")}
    assert left == ({"service payment"} if table else set())


def test_the_shared_purse_of_the_page() -> None:
    """What each saves, pays and ends up with, and what the council alone would have lost."""
    ready = prepare(portfolio(1.0, 0.5))
    deal = ready.deals[0]
    outcome = run_case(ready, deal, PLAN, "", journal=True)
    found = {
        (party, measure): float(values[0])
        for party, _, figures in purse_figures(deal, outcome)
        for measure, (_, values) in figures.items()
    }
    assert found["anytown", "saved"] == found["anytown", "verified"] == 24_000.0
    assert found["anytown", "net_pooled"] == pytest.approx(1_224.456692, abs=1e-6)
    assert found["nhs", "had_back"] == pytest.approx(204.076115, abs=1e-6)
    assert found["nhs", "net_pooled"] == pytest.approx(8_000.0 - 3_795.92, abs=0.005)
    assert found["anytown", "net_alone"] == pytest.approx(24_000.0 - 26_571.47, abs=0.005)
    assert found["nhs", "net_alone"] == 8_000.0
    assert found["", "wrong_pockets_gap"] == 0.0
    assert found["", "wrong_pockets_gap_alone"] == 8_000.0


def test_a_call_on_the_floor_checked_by_hand() -> None:
    """The future of the demonstration that the page takes apart."""
    ready = prepare(load("demo-pay-as-you-save").portfolio)
    future = explain_path(ready, ready.deals[0], 285, 7)
    sums: dict[str, float] = {}
    for one in future.payments:
        sums[one.reason] = sums.get(one.reason, 0.0) + one.amount
    drawn, repaid, call = sums["drawdown"], sums["interest"], sums["guarantee call"]
    assert call == pytest.approx(0.5 * drawn - repaid)
    assert {one.quarter for one in future.payments if one.reason == "guarantee call"} == {41}
    assert not {"principal", "termination compensation", "surplus share"} & set(sums)
    page = (DOCS / "pay-as-you-save.md").read_text(encoding="utf-8")
    for amount in (drawn, 0.5 * drawn, repaid, call):
        assert f"{amount:,.2f}" in page
