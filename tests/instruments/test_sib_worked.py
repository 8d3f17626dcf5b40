"""The bond small enough to redo by hand: the tables in its page, row by row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from socialfinance.engine.cases import run_case
from socialfinance.engine.ready import PLAN, prepare
from tests.fixtures import one_deal

PAGE = Path(__file__).parents[2] / "docs" / "structures" / "social-impact-bond.md"
REASONS = {
    "received": "outcome payment",
    "cost": "service payment",
    "drawn": "drawdown",
    "capital returned": "capital returned",
    "return": "investor return",
    "surplus to payer": "surplus share",
    "compensation": "termination compensation",
}
TERMS: dict[str, Any] = {
    "commitment": {"amount": 30_000.0},
    "draw_ahead": 0,
    "reserve_quarters": 0,
    "cap": {"multiple": 1.25},
}
EARLY = {
    "policy": {"at_quarter": 2},
    "compensation": {"policy": 0.5},
    "wind_down_quarters": 0,
}


def tables() -> list[list[dict[str, float]]]:
    """The two tables of the page: a row as numbers by heading."""
    found: list[list[dict[str, float]]] = []
    heading: list[str] = []
    for line in PAGE.read_text(encoding="utf-8").split("## A worked example")[1].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| row |"):
            heading = cells
            found.append([])
        elif line.startswith("| "):
            numbers = [float(cell.replace(",", "")) for cell in cells]
            found[-1].append(dict(zip(heading, numbers, strict=True)))
    return found


@pytest.mark.parametrize(
    ("table", "instrument", "tariff"),
    [(0, TERMS, {}), (1, TERMS | {"termination": EARLY}, {"tail": 0})],
    ids=["runs its course", "ended by policy"],
)
def test_the_page_row_by_row(table: int, instrument: dict[str, Any], tariff: dict[str, Any]) -> None:
    """Every payment of the plan case is in the table, and every number of the table is paid."""
    portfolio = one_deal(
        prices={"outcome": 4_500.0},
        instrument=instrument,
        programme={
            "referrals": {"schedule": (10.0, 10.0), "arrival": "as planned"},
            "outcomes": {"outcome": {"probability": 0.5, "lag": 1}},
            "costs": {
                "set-up": {"reason": "set-up cost", "one_off": 4_000.0, "first_quarter": 0},
                "delivery": {"per_quarter": 10_000.0, "first_quarter": 1, "last_quarter": 3},
            },
        },
        **tariff,
    )
    ready = prepare(portfolio)
    outcome = run_case(ready, ready.deals[0], PLAN, "", journal=True)
    paid: dict[tuple[int, str], float] = {}
    for entry in outcome.ledger.journal or []:
        paid[entry.row, entry.reason] = paid.get((entry.row, entry.reason), 0.0) + entry.amount
    shown = tables()[table]
    outstanding = 0.0
    for row in shown:
        t = int(row["row"])
        for heading, reason in REASONS.items():
            assert paid.pop((t, reason), 0.0) == pytest.approx(row.get(heading, 0.0), abs=1e-9), (t, heading)
        back = row["capital returned"] + row.get("compensation", 0.0)
        outstanding += row["drawn"] - back
        assert row["capital outstanding"] == pytest.approx(outstanding)
    assert outcome.state.vehicle.claimed == pytest.approx(sum(row["claims"] for row in shown))
    outside = {"set-up cost", "delivery cost"}
    assert {reason for (_, reason), amount in paid.items() if amount} == outside
