"""The grant small enough to redo by hand: the tables in its page, row by row."""

from __future__ import annotations

from typing import Any

import pytest

from socialfinance.engine.ready import PLAN
from socialfinance.funds.portfolio import Case
from tests.fixtures import one_deal
from tests.worked import tables, without_tariff, worked

GRANT: dict[str, Any] = {
    "kind": "grant",
    "amount": 40_000.0,
    "instalments": {
        "first": {"share": 0.5},
        "second": {"share": 0.5, "from_quarter": 2, "milestone": {"line": "outcome", "of_plan": 0.8}},
    },
    "overheads": 0.1,
    "monitoring": {"per_quarter": 500.0, "last_quarter": 3},
}
COLUMNS = {
    "grant": ("fund", "deal vehicle", "grant"),
    "overheads": ("deal vehicle", "charity", "grant"),
    "service paid": ("deal vehicle", "charity", "service payment"),
    "returned": ("deal vehicle", "fund", "clawback"),
    "following it": ("fund", "outside", "other cost"),
}


@pytest.mark.parametrize(
    ("table", "case"),
    [(0, PLAN), (1, Case(set={"outcomes.outcome.probability": 0.3}))],
    ids=["as planned", "milestone missed"],
)
def test_the_page_row_by_row(table: int, case: Case) -> None:
    """Every payment of the case is in the table, and every number of the table is paid."""
    outcome, paid = worked(
        without_tariff(
            one_deal(
                prices={"outcome": 1.0},
                programme={
                    "referrals": {"schedule": (10.0, 10.0), "arrival": "as planned"},
                    "outcomes": {"outcome": {"probability": 0.5, "lag": 1}},
                    "costs": {
                        "set-up": {"reason": "set-up cost", "one_off": 4_000.0, "first_quarter": 0},
                        "delivery": {"per_quarter": 10_000.0, "first_quarter": 1, "last_quarter": 3},
                    },
                },
            ),
            instrument=GRANT,
            parties={"commissioner": "anytown", "investor": "fund", "provider": "charity"},
        ),
        case,
    )
    cost = carried = 0.0
    for row in tables("grant")[table]:
        t = int(row["row"])
        for heading, leg in COLUMNS.items():
            assert paid.pop((t, *leg), 0.0) == pytest.approx(row[heading], abs=1e-9), (t, heading)
        assert sum(outcome.activity[t].achieved) == pytest.approx(row["settled"])
        cost = 4_000.0 if t == 0 else 10_000.0
        carried += cost - row["service paid"]
        assert row["carried"] == carried
        assert paid.pop((t, "charity", "outside", "other cost"), 0.0) == row["overheads"]
    assert {reason for (*_, reason), amount in paid.items() if amount} == {"set-up cost", "delivery cost"}
