"""Terms of pay-as-you-save that meet each other, each in a case small enough to do by hand.

In all of them 10,000 is the cost at close; people who start in a row save so much in that row, which is
verified at once and paid over whole; the rate is 8% a year payable quarterly, 2% a quarter; unless said. What
is not said is nil.
"""

from __future__ import annotations

from typing import Any

import pytest

from socialfinance.funds.portfolio import Case, Portfolio
from tests.fixtures import one_deal
from tests.instruments.test_guaranteed_debt_terms import ONE_PERCENT, by_row, figure, pounds
from tests.worked import worked

Json = dict[str, Any]
TERMS: Json = {
    "kind": "pay-as-you-save",
    "commitment": {"amount": 10_000.0},
    "draw_ahead": 0,
    "reserve_quarters": 0,
    "rate": {"reference": "fixed", "value": 0.08, "basis": "nominal quarterly"},
}
FREE: Json = {"reference": "fixed", "value": 0.0, "basis": "annual effective"}
FULL_COST: Json = {"schedule": (10_000.0,), "first_quarter": 0}


def saving(pounds: float, agency: str = "council", **more: Any) -> Json:
    """What each person who starts saves an agency, in the quarter of the start unless said."""
    return {"on": "outcome", "agency": agency, "unit_value": pounds, "cashable": 1.0, "duration": 1,
            "lag": 0, **more}  # fmt: skip


def deal(
    people: tuple[float, ...],
    quarters: int,
    savings: Json | None = None,
    costs: Json | None = None,
    agencies: Json | None = None,
    lag: int = 0,
    **terms: Any,
) -> Portfolio:
    """So many people by row from quarter 1, each of whom saves the council £1 unless said."""
    whole = one_deal(
        quarters=quarters,
        programme={
            "referrals": {"schedule": people, "arrival": "as planned"},
            "outcomes": {"outcome": {"probability": 1.0, "lag": 0}},
            "costs": costs or {"all": FULL_COST},
            "savings": savings or {"care": saving(1.0)},
        },
        payers={"council": {"share": 1.0, "payment_lag": 0}},
        savings={"verification_lag": lag, "agencies": agencies or {"council": {}}},
    ).model_dump(exclude_unset=True)
    only = whole["deals"]["deal"]
    only["instrument"] = TERMS | terms
    roles = set(agencies or {}) | {terms.get("floor", {}).get("by")}
    for role in sorted(
        {role for role in roles if role} | {one["guarantor"] for one in terms.get("layers", ())}
    ):
        if role not in only["parties"]:
            whole["parties"][role] = {"kind": "guarantor" if role in ("foundation", "insurer") else "nhs"}
            only["parties"][role] = role
    return Portfolio.model_validate(whole)


RUNNING_COST: Json = {
    "all": FULL_COST,
    "team": {
        "per_quarter": 1_000.0,
        "first_quarter": 1,
        "last_quarter": 5,
        "elasticity": 1.0,
        "response_lag": 0,
    },
}


def test_a_floor_with_a_surplus_put_into_more() -> None:
    """400 people a quarter save £10 each, at a cost of 1,000: 3,000 a quarter is left. Nothing is charged.

    In quarter 2 the funder has 6,000 of the 7,500 that the floor promises: 1,500 is accepted, paid a quarter
    later, and owed to the foundation. Row 3: 3,000 goes 2,500 to 1,500. Row 4: the last 625 and 375; half of
    the 2,000 that is left is put into more: at £2.50 a start it doubles the 400 of row 5. These 800 save
    8,000 and cost 2,000, half of it kept back in row 4. No more starts are planned, so 7,000 goes to the
    council.
    """
    portfolio = deal(
        (400.0,) * 5,
        7,
        savings={"care": saving(10.0)},
        costs=RUNNING_COST,
        rate=FREE,
        availability_quarters=0,
        floor={"by": "foundation", "share": 0.75},
        floor_quarter=2,
        surplus={"agencies": 0.5, "reinvest": 0.5},
        reinvest={"cost_per_start": 2.5},
    )
    outcome, paid = worked(portfolio)
    assert by_row(paid, "principal") == pounds({1: 3_000.0, 2: 3_000.0, 3: 1_875.0, 4: 625.0})
    assert by_row(paid, "guarantee call", "foundation") == pounds({3: 1_500.0})
    assert by_row(paid, "recovery", payee="foundation") == pounds({3: 1_125.0, 4: 375.0})
    assert by_row(paid, "savings payment")[5] == pytest.approx(8_000.0)
    assert by_row(paid, "service payment") == pounds(
        {0: 10_000.0, 1: 1_000.0, 2: 1_000.0, 3: 1_000.0, 4: 1_000.0, 5: 2_000.0}
    )
    assert by_row(paid, "surplus share") == pounds({4: 1_000.0, 5: 7_000.0})
    assert figure(outcome, "reinvested") == pytest.approx(1_000.0)
    assert figure(outcome, "repaid_in_full") == 1.0


def test_a_measurement_error_with_a_baseline_that_is_wrong_and_a_lag() -> None:
    """4,000 is saved in rows 1 and 3; 80% of it is measured, against a line of 5,000 that is 5% too low.

    Measured: 3,200 - 250 in row 1, -250 in row 2, 3,200 - 250 in row 3; verified and paid a quarter later.
    Row 2: 2,950. Row 3: 2,700 so far, less than was paid: nothing. Row 4: 5,650 - 2,950. The balance is
    10,404 - 2,950 = 7,454; 7,603.08; 7,755.1416 - 2,700; 5,156.244432 at the long stop.
    """
    baseline = {"per_quarter": 5_000.0, "first_quarter": 1, "last_quarter": 3, "counterfactual": 1.0}
    portfolio = deal((4_000.0, 0.0, 4_000.0), 5, agencies={"council": {"baseline": baseline}}, lag=1)
    wrong = Case(set={"instrument.savings.error": 0.8, "instrument.savings.council.counterfactual": 1.05})
    outcome, paid = worked(portfolio, wrong)
    assert by_row(paid, "savings payment") == pounds({2: 2_950.0, 4: 2_700.0})
    assert by_row(paid, "interest") == pounds({2: 404.0, 4: 301.1416})
    assert by_row(paid, "principal") == pounds({2: 2_546.0, 4: 2_398.8584})
    assert figure(outcome, "unpaid_at_long_stop") == pytest.approx(5_156.244432)


THREE_COSTS: Json = {"all": {"schedule": (4_000.0,) * 3, "first_quarter": 0}}
FEES: Json = {"arrangement_fee": 0.01, "commitment_fee": 0.04, "availability_quarters": 1}


def test_fees_rolled_up_with_interest_until_the_money_can_no_longer_be_drawn() -> None:
    """4,000 of cost in rows 0, 1 and 2; the money is available up to row 1.

    Row 0: 4,000 and 1% of 10,000. Row 1: 2% of 4,100, 1% of the 6,000 not drawn, and 4,000: 8,242. Row 2:
    164.84; no fee any more, and the cost stays owed. Row 3: of 6,000 the provider has 4,000 first; the
    funder's 2,000 is 574.9768 of interest and fees and 1,425.0232 of capital. Row 4: 131.499536 on
    6,574.9768; what is left of 7,000 goes back.
    """
    portfolio = deal((0.0, 0.0, 6_000.0, 7_000.0), 5, costs=THREE_COSTS, **FEES)
    outcome, paid = worked(portfolio)
    assert by_row(paid, "drawdown") == pounds({0: 4_000.0, 1: 4_000.0})
    assert by_row(paid, "arrangement fee") == by_row(paid, "commitment fee") == {}
    assert by_row(paid, "service payment") == pounds({0: 4_000.0, 1: 4_000.0, 3: 4_000.0})
    assert by_row(paid, "interest") == pounds({3: 574.9768, 4: 131.499536})
    assert by_row(paid, "principal") == pounds({3: 1_425.0232, 4: 6_574.9768})
    assert by_row(paid, "surplus share") == pounds({4: 7_000.0 - 6_706.476336})
    assert figure(outcome, "cash_ran_out") == 1.0


def test_fees_from_cash_are_drawn_and_bear_interest_too() -> None:
    """Row 0: 4,000 and the fee, 100, are drawn. Row 1: 1% of the 5,900 left, 59, and 4,000; 2% of 4,100.

    8,159 is drawn; 82 + 164.82 + 168.1164 of interest by row 3, 574.9364 - 160 = 414.9364. Cash is short of
    the same 4,000 in row 2.
    """
    portfolio = deal((0.0, 0.0, 6_000.0, 7_000.0), 5, costs=THREE_COSTS, fees="from cash", **FEES)
    _, paid = worked(portfolio)
    assert by_row(paid, "drawdown") == pounds({0: 4_100.0, 1: 4_059.0})
    assert by_row(paid, "arrangement fee") == pounds({0: 100.0})
    assert by_row(paid, "commitment fee") == pounds({1: 59.0})
    assert by_row(paid, "interest")[3] == pytest.approx(82.0 + 164.82 + 168.1164)
    assert by_row(paid, "principal")[3] == pytest.approx(2_000.0 - 414.9364)


def test_a_long_stop_with_an_agency_at_its_cap() -> None:
    """The council saves 3,000 a quarter, capped at 1,000 in all; the health service 1,000, and pays half.

    Row 1: 10,200 - 1,500 = 8,700. Row 2: 8,874 - 500 = 8,374 is left at the long stop, and paid by what each
    has saved, 6,000 to 2,000: the cap is on payments out of savings, not on what was promised at the long
    stop. In row 3 both still save, and pay nothing.
    """
    portfolio = deal(
        (1_000.0,) * 3,
        4,
        savings={"care": saving(3.0), "beds": saving(1.0, "health")},
        agencies={"council": {"cap": 1_000.0}, "health": {"share": 0.5}},
        long_stop_quarter=2,
        unpaid="paid by agencies",
    )
    outcome, paid = worked(portfolio)
    assert by_row(paid, "savings payment", "anytown") == pounds({1: 1_000.0})
    assert by_row(paid, "savings payment", "health") == pounds({1: 500.0, 2: 500.0})
    assert by_row(paid, "unpaid balance", "anytown", "fund") == pounds({2: 6_280.5})
    assert by_row(paid, "unpaid balance", "health", "fund") == pounds({2: 2_093.5})
    assert figure(outcome, "unpaid_at_long_stop") == pytest.approx(8_374.0)
    assert figure(outcome, "repaid_in_full") == 0.0


def test_a_surplus_is_shared_with_an_agency_only_once_it_has_saved() -> None:
    """The council saves 12,000 a quarter; the health service 1,000, a quarter later, of which it pays half.

    Its line of 1,000 is 10% too low: it is 100 below nil in row 1, and 800 above in row 2. Row 1: 10,200 to
    the funder; 1,800 is left: 540 to the provider, 180 to the funder, 1,080 to agencies, all to the council.
    Row 2: 12,400 comes: 7,440 to agencies, by 24,000 - 1,080 and 400. In row 3 nothing comes.
    """
    baseline = {"per_quarter": 1_000.0, "first_quarter": 1, "last_quarter": 2}
    portfolio = deal(
        (1_000.0, 1_000.0),
        4,
        savings={"care": saving(12.0), "beds": saving(1.0, "health", lag=1)},
        agencies={"council": {}, "health": {"share": 0.5, "baseline": baseline}},
        surplus={"agencies": 0.6, "provider": 0.3, "investor": 0.1},
    )
    _, paid = worked(portfolio, Case(set={"instrument.savings.health.counterfactual": 1.1}))
    assert by_row(paid, "savings payment", "health") == pounds({2: 400.0})
    assert by_row(paid, "surplus share", payee="charity") == pounds({1: 540.0, 2: 3_720.0})
    assert by_row(paid, "surplus share", payee="fund") == pounds({1: 180.0, 2: 1_240.0})
    to_council = 7_440.0 * 22_920.0 / 23_320.0
    assert by_row(paid, "surplus share", payee="anytown") == pounds({1: 1_080.0, 2: to_council})
    assert by_row(paid, "surplus share", payee="health") == pounds({2: 7_440.0 - to_council})


def test_an_early_end_with_compensation_and_a_floor() -> None:
    """2,000 start in each of quarters 1 to 4 and save 50p in that quarter and the next. Nothing is charged.

    Policy ends it in quarter 2: nobody starts after it, but those who have still save, and the council pays:
    1,000, 2,000, 1,000. Nothing more was planned after row 5: the council owes half of the 6,000 then lost.
    At the long stop, quarter 6, the funder has 7,000 of 8,000: the foundation owes 1,000; 2,000 is lost.
    """
    portfolio = deal(
        (2_000.0,) * 4,
        7,
        savings={"care": saving(0.5, duration=2)},
        rate=FREE,
        long_stop_quarter=6,
        floor={"by": "foundation", "share": 0.8},
        termination={"policy": {"at_quarter": 2}, "wind_down_quarters": 0, "compensation": {"policy": 0.5}},
    )
    outcome, paid = worked(portfolio)
    assert by_row(paid, "savings payment") == pounds({1: 1_000.0, 2: 2_000.0, 3: 1_000.0})
    assert by_row(paid, "termination compensation", "anytown", "fund") == pounds({5: 3_000.0})
    assert by_row(paid, "guarantee call", "foundation") == pounds({7: 1_000.0})
    assert figure(outcome, "unpaid_at_long_stop") == pytest.approx(2_000.0)
    assert figure(outcome, "ended_policy") == 1.0


def test_a_layer_with_a_fee_before_a_floor_in_pounds() -> None:
    """4,000 comes, free of charge. An insurer covers half of the first 4,000 of loss, the foundation 8,000.

    The insurer has 1% of 2,000 at close, and 1% a quarter of what it covers, from the council: 2,000 as long
    as 4,000 or more is out. At the long stop, quarter 3, 6,000 is lost: 2,000 is the insurer's; the funder
    would have 6,000 back; the foundation owes the 2,000 to 8,000.
    """
    portfolio = deal(
        (4_000.0, 0.0, 0.0),
        4,
        rate=FREE,
        long_stop_quarter=3,
        layers=(
            {"guarantor": "insurer", "cover": 0.5, "detach": 4_000.0, "when": "maturity", "claim_lag": 0,
             "fee": {"upfront": 0.01, "running": ONE_PERCENT, "paid_by": "council"}},
        ),
        floor={"by": "foundation", "amount": 8_000.0},
    )  # fmt: skip
    outcome, paid = worked(portfolio)
    fees = by_row(paid, "guarantee fee", "anytown", "insurer")
    assert fees == pounds({0: 20.0, 1: 20.0, 2: 20.0, 3: 20.0})
    assert by_row(paid, "guarantee call", "insurer") == pounds({3: 2_000.0})
    assert by_row(paid, "guarantee call", "foundation") == pounds({4: 2_000.0})
    assert figure(outcome, "unpaid_at_long_stop") == pytest.approx(2_000.0)
    assert outcome.lowered.guaranteed == {"insurer": 2_000.0, "foundation": 8_000.0}


@pytest.mark.parametrize(
    ("measure", "to_council", "reinvested"),
    [
        ("verified over plan", {1: 200.0, 2: 2_200.0, 3: 2_200.0}, 0.0),
        ("verified per pound of cost", {3: 7_240.0}, 1_200.0),
    ],
)
def test_a_stop_rule_with_a_measurement_error(measure: str, to_council: Any, reinvested: float) -> None:
    """80% of 4,000 a quarter is measured; 2,000 is the cost at close, 1,000 a quarter; 0.9 is the stop.

    All of the surplus goes into more. Over plan it is 0.8: the council has it all back. Per pound of cost it
    is 3,200 / 3,000 in row 1: the 200 that is left buys 80 starts. Row 2: 480 start; 3,840 - 1,200 and the
    200 kept is 2,840, of which 1,000 may be ordered. Row 3: 800 start; 6,400 - 2,000 + 2,840, and no more is
    planned: the council has 7,240.
    """
    portfolio = deal(
        (400.0,) * 3,
        5,
        savings={"care": saving(10.0)},
        costs={
            "all": {"schedule": (2_000.0,), "first_quarter": 0},
            "team": {**RUNNING_COST["team"], "last_quarter": 3},
        },
        rate=FREE,
        surplus={"agencies": 0.0, "reinvest": 1.0},
        reinvest={"cost_per_start": 2.5, "stop_below": 0.9, "stop_measure": measure},
    )
    outcome, paid = worked(portfolio, Case(set={"instrument.savings.error": 0.8}))
    assert by_row(paid, "surplus share", payee="anytown") == pounds(to_council)
    assert figure(outcome, "reinvested") == pytest.approx(reinvested)
