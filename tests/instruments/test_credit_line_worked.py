"""The credit line small enough to redo by hand: the tables in its page, row by row."""

from __future__ import annotations

from typing import Any

import pytest

from socialfinance.engine.deal import Outcome
from tests.fixtures import one_deal
from tests.worked import changed, tables, worked

LINE: dict[str, Any] = {
    "kind": "credit-line",
    "limit": {"amount": 30_000.0},
    "rate": {"reference": "fixed", "value": 1.01**4 - 1.0, "basis": "annual effective"},
    "buffer": 5_000.0,
    "reserve_quarters": 0,
}
FAILS = {
    "limit": {"amount": 8_000.0},
    "recovery": 0.4,
    "termination": {"insolvency": {"arrears_quarters": 1}},
}
COLUMNS = {
    "received": ("anytown", "deal vehicle", "outcome payment"),
    "buffer": ("charity", "deal vehicle", "drawdown"),
    "drawn": ("fund", "deal vehicle", "drawdown"),
    "interest": ("deal vehicle", "fund", "interest"),
    "principal": ("deal vehicle", "fund", "principal"),
    "buffer back": ("deal vehicle", "charity", "capital returned"),
    "surplus": ("deal vehicle", "charity", "surplus share"),
    "service paid": ("deal vehicle", "charity", "service payment"),
    "recovery": ("charity", "fund", "recovery"),
}


def example(**terms: Any) -> tuple[Outcome, dict[tuple[int, str, str, str], float]]:
    """The example's deal in the plan case: a line too small fails for certain."""
    bond = one_deal(
        prices={"outcome": 4_500.0},
        programme={
            "referrals": {"schedule": (10.0, 10.0), "arrival": "as planned"},
            "outcomes": {"outcome": {"probability": 0.5, "lag": 1}},
            "costs": {
                "set-up": {"reason": "set-up cost", "one_off": 4_000.0, "first_quarter": 0},
                "delivery": {"per_quarter": 10_000.0, "first_quarter": 1, "last_quarter": 3},
            },
        },
    )
    return worked(changed(bond, {"instrument": {**LINE, **terms}}))


@pytest.mark.parametrize(("table", "terms"), [(0, {}), (1, FAILS)], ids=["lives", "fails"])
def test_the_page_row_by_row(table: int, terms: dict[str, Any]) -> None:
    """Every payment of the plan case is in the table, and every number of the table is paid."""
    outcome, paid = example(**terms)
    shown, line = tables("credit-line")[table], 0.0
    spent = {int(row["row"]): 0.0 for row in shown}
    for (t, _, payee, _), amount in list(paid.items()):
        if payee == "outside":
            spent[t] += amount
    for row in shown:
        t = int(row["row"])
        assert row["cost"] == spent[t]
        for heading, leg in COLUMNS.items():
            if heading in row:
                assert paid.pop((t, *leg), 0.0) == pytest.approx(row[heading], abs=1e-9), (t, heading)
        line += row["drawn"] - row.get("principal", 0.0)
        assert row["line"] == pytest.approx(0.0 if table == 1 and t == 4 else line)
    left = {leg[1:] for leg, amount in paid.items() if amount and leg[2] != "outside"}
    assert left == ({("deal vehicle", "charity", "service payment")} if table == 0 else set())
    figures = {one.measure: one.read(outcome.state) for one in outcome.lowered.figures}
    if table == 0:
        assert figures["provider_gain"] == pytest.approx(45_000.0 - 34_000.0 - 348.709)
        assert figures["provider_failed"] == figures["provider_loses"] == figures["buffer_gone"] == 0.0
    else:
        assert figures["provider_gain"] == pytest.approx(-5_000.0 - 1_000.0 - 3_296.9632)
        assert figures["bank_lost"] == pytest.approx(4_945.4448)
        assert figures["provider_failed"] == figures["buffer_gone"] == 1.0
        assert figures["people_cut_short"] == figures["people_turned_away"] == 10.0
