"""In house small enough to redo by hand: the tables in its page, row by row."""

from __future__ import annotations

from typing import Any

import pytest

from socialfinance.funds.portfolio import Portfolio
from tests.fixtures import one_deal
from tests.worked import tables, without_tariff, worked

PARTIES: dict[str, Any] = {"commissioner": "anytown", "provider": "charity"}
RESERVE = {
    "kind": "fee-for-service",
    "funded_from": "invest-to-save reserve",
    "reserve": {"amount": 20_000.0, "interest_forgone": 1.01**4 - 1.0},
}
DIRECTION = {
    "kind": "fee-for-service",
    "funded_from": "capitalisation direction",
    "direction": {"amount": 20_000.0, "method": "eip", "term_years": 2, "rate": 0.08},
}


def deal(instrument: dict[str, Any], **parties: Any) -> Portfolio:
    """The example's programme; the reserve is kept by whoever is kind enough."""
    return without_tariff(
        one_deal(
            prices={"outcome": 1.0},
            programme={
                "referrals": {"schedule": (10.0,), "arrival": "as planned"},
                "outcomes": {"outcome": {"probability": 0.5, "lag": 1}},
                "costs": {
                    "set-up": {"reason": "set-up cost", "one_off": 4_000.0, "first_quarter": 0},
                    "delivery": {"per_quarter": 10_000.0, "first_quarter": 1, "last_quarter": 2},
                },
                "savings": {
                    "care": {"on": "outcome", "agency": "commissioner", "unit_value": 4_000.0,
                             "duration": 2, "cashable": 1.0},
                },
            },
        ),
        instrument=instrument,
        parties={**PARTIES, **parties},
    )  # fmt: skip


def test_the_reserve_row_by_row() -> None:
    _, paid = worked(deal(RESERVE, reserve="fund"))
    columns = {
        "cost": ("anytown", "charity", "service payment"),
        "taken from the reserve": ("fund", "anytown", "drawdown"),
        "saving": ("outside", "anytown", "saving"),
        "interest": ("anytown", "fund", "interest"),
        "principal": ("anytown", "fund", "principal"),
    }
    out = 0.0
    for row in tables("in-house")[0]:
        t = int(row["row"])
        for heading, leg in columns.items():
            assert paid.pop((t, *leg), 0.0) == pytest.approx(row[heading], abs=1e-9), (t, heading)
        out += row["taken from the reserve"] - row["principal"]
        assert row["out of the reserve"] == out
    assert {reason for (*_, reason), amount in paid.items() if amount} == {"set-up cost", "delivery cost"}


def test_the_direction_row_by_row() -> None:
    outcome, paid = worked(deal(DIRECTION))
    columns = {
        "cost": ("anytown", "charity", "service payment"),
        "advance": ("pwlb", "anytown", "drawdown"),
        "principal": ("anytown", "pwlb", "principal"),
        "interest": ("anytown", "pwlb", "interest"),
    }
    owed = 0.0
    for row in tables("in-house")[1]:
        t = int(row["row"])
        for heading, leg in columns.items():
            assert paid.pop((t, *leg), 0.0) == pytest.approx(row[heading], abs=1e-9), (t, heading)
        owed += row["advance"] - row["principal"]
        assert row["owed"] == owed
    left = {reason for (*_, reason), amount in paid.items() if amount}
    assert left == {"set-up cost", "delivery cost", "saving"}
    assert outcome.lowered.figures[0].read(outcome.state) == 0.0
