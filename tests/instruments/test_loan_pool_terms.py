"""Terms of the loan pool that meet each other, each in a case small enough to do by hand.

Ten loans of £10,000 are made in row 1; in the plan one of them defaults in its second quarter, row 3, owing
£10,000, of which £6,000 is never recovered.
"""

from __future__ import annotations

from typing import Any

import pytest

from socialfinance.engine.run import simulate
from tests.pools import one_pool
from tests.worked import worked

Json = dict[str, Any]
ONE_DEFAULT: Json = {
    "default_probability": 0.1, "default_basis": "to term", "default_timing": (0.0, 1.0),
}  # fmt: skip
BOTH = {"scheme": "backer", "insurer": "insurer"}


def paid(why: str, payer: str = "", payee: str = "", **terms: Any) -> dict[int, float]:
    """By row, what was paid for a reason in the plan."""
    found: dict[int, float] = {}
    for (row, a, b, reason), amount in worked(one_pool(**terms))[1].items():
        if reason == why and payer in ("", a) and payee in ("", b) and amount > 0.005:
            found[row] = found.get(row, 0.0) + amount
    return found


def test_a_first_loss_then_a_share_within_a_cap_a_year() -> None:
    """Of 6,000 lost the first layer has 2% of 100,000; half of the other 4,000 is 2,000, cut to 1,500."""
    layers = (
        {
            "guarantor": "scheme",
            "detach": 0.02,
            "unit": "share of drawn",
            "of": "the whole loss",
            "claim_lag": 0,
        },
        {"guarantor": "insurer", "cover": 0.5, "cap_a_year": 1_500.0, "claim_lag": 0},
    )
    terms: Json = {
        "segment": ONE_DEFAULT, "parties": BOTH, "pool": {"claims": "final loss", "layers": layers},
    }  # fmt: skip
    assert paid("guarantee call", "backer", **terms) == pytest.approx({3: 2_000.0})
    assert paid("guarantee call", "insurer", **terms) == pytest.approx({3: 1_500.0})


def test_a_capped_guarantor_has_its_part_of_recoveries() -> None:
    """Half of 10,000 is 5,000, cut to 3% of 100,000. It bore 3,000 of 10,000: 30% of 4,000 is 1,200."""
    layer = {"guarantor": "scheme", "cover": 0.5, "cap_rate": 0.03, "claim_lag": 0, "recoveries": "pro rata"}
    terms: Json = {
        "segment": {**ONE_DEFAULT, "recovery_lag": 1}, "parties": {"scheme": "backer"},
        "pool": {"layers": (layer,)},
    }  # fmt: skip
    assert paid("guarantee call", **terms) == pytest.approx({3: 3_000.0})
    assert paid("recovery", payee="backer", **terms) == pytest.approx({4: 1_200.0})


def test_a_fee_falls_with_the_balance() -> None:
    """4% a year on half of what is owed: 1.04^(1/4) - 1 of 50,000, then of 37,500, 25,000 and 12,500."""
    layer = {"guarantor": "scheme", "cover": 0.5, "fee": {"running": 0.04, "paid_by": "vehicle"}}
    fees = paid(
        "guarantee fee", segment={"repayment": "eip"}, parties={"scheme": "backer"}, pool={"layers": (layer,)}
    )
    quarter = 1.04**0.25 - 1.0
    owed = {2: 50_000.0, 3: 37_500.0, 4: 25_000.0, 5: 12_500.0}
    assert fees == pytest.approx({row: quarter * balance for row, balance in owed.items()})


def test_what_is_repaid_early_is_lent_again_in_whole_loans() -> None:
    """A tenth of loans a quarter repay early: 10,000 in row 2 and 9,000 in row 3 make one loan of 10,000.

    Ten more were planned for row 4, and the investors' 100,000 has been drawn.
    """
    lent = paid(
        "drawdown", "pool vehicle", segment={"prepayment": 1.0 - 0.9**4, "schedule": (10.0, 0.0, 0.0, 10.0)},
        pool={"revolving_quarters": 4},
    )  # fmt: skip
    assert lent == pytest.approx({1: 100_000.0, 4: 10_000.0})


def test_a_claim_that_would_be_paid_after_the_last_row_is_said() -> None:
    """A default in the last row, a claim lag of one: nothing is called, and the cut is said."""
    layer = {"guarantor": "scheme", "cover": 0.5, "claim_lag": 1}
    portfolio = one_pool(
        segment={**ONE_DEFAULT, "default_timing": (0.0, 0.0, 0.0, 1.0)}, quarters=5,
        parties={"scheme": "backer"}, pool={"layers": (layer,)},
    )  # fmt: skip
    assert not any(reason == "guarantee call" for *_, reason in worked(portfolio)[1])
    result = simulate(portfolio, paths=10, workers=1, compare=False)
    row = next(row for row in result.measures_rows if row.measure == "quarters_beyond_horizon")
    assert row.value == 1.0
    assert row.status == "cut off by the horizon"
