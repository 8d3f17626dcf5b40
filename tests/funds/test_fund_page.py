"""The example of docs/fund.md, row by row, as the code has it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from socialfinance.core.time import Calendar
from socialfinance.funds import fund_step
from socialfinance.funds.fund import Fund
from socialfinance.funds.lower import Planned, lower

PAGE = Path(__file__).parents[2] / "docs" / "fund.md"
DRAWS, BACK = (500_000.0, 400_000.0, 0.0, 0.0, 0.0), (0.0, 0.0, 100_000.0, 500_000.0, 450_000.0)


def table() -> list[list[float]]:
    """The rows of the example, numbers only."""
    lines = PAGE.read_text(encoding="utf-8").split("## Worked example")[1].split("\n## ")[0].splitlines()
    rows = [line.strip("|").split("|") for line in lines if line.startswith("|")][2:]
    return [[float(cell.replace(",", "")) for cell in row] for row in rows]


def test_the_example() -> None:
    fund = Fund.model_validate(
        {
            "party": "fund",
            "notes": {
                "senior": {"holder": "a", "commitment": 600_000.0, "rank": 1,
                           "rate": {"basis": "fixed", "annual": 0.04060401}},
                "residual": {"holder": "a", "commitment": 300_000.0, "rank": 2,
                             "rate": {"basis": "residual"}},
                "grant": {"holder": "a", "commitment": 100_000.0, "rank": 3, "rate": {"basis": "grant"}},
            },
            "costs": {"per_year": 20_000.0},
        }
    )  # fmt: skip
    made = lower(fund, Calendar(date(2026, 10, 1), 4), [Planned(DRAWS, BACK)])
    state, found = made.opening, []
    for row, plan in enumerate(made.schedule):
        state, called = fund_step.draw(
            made.terms, state, plan, fund_step.rates(made.terms, state, plan), 1.0, 0.0, (DRAWS[row],)
        )
        state, paid = fund_step.distribute(made.terms, state, plan, called, (BACK[row],), (0.0,))
        cash = state.waiting + state.retained + state.held + state.reserve
        found.append(
            [row, *called.calls, called.costs + paid.arrears, paid.interest[0], paid.principal[0],
             paid.principal[1], paid.more[1], state.balance[0], state.owed[0], cash]
        )  # fmt: skip
    printed = table()
    assert len(printed) == len(found)
    for mine, theirs in zip(found, printed, strict=True):
        assert mine == pytest.approx(theirs, abs=0.005)
