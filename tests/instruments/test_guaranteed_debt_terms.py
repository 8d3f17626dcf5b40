"""Terms of guaranteed debt that meet each other, each in a case small enough to do by hand.

In all of them the rate is 8% a year payable quarterly, 2% a quarter; a row's receipts are what it is given
(so many people, £1 for each, paid at once); and what is not said is nil.
"""

from __future__ import annotations

from typing import Any

import pytest

from socialfinance.engine.deal import Outcome
from socialfinance.funds.portfolio import Case, Portfolio
from tests.fixtures import one_deal
from tests.worked import worked

Paid = dict[tuple[int, str, str, str], float]
Json = dict[str, Any]

LOAN: Json = {
    "kind": "guaranteed-debt",
    "commitment": {"amount": 10_000.0},
    "draw_ahead": 0,
    "reserve_quarters": 0,
    "availability_quarters": 0,
    "rate": {"reference": "fixed", "value": 0.08, "basis": "nominal quarterly"},
    "default_after": 40,
}
ONE_PERCENT = 1.01**4 - 1.0
"""a year effective: 1% a quarter"""


def deal(
    receipts: tuple[float, ...],
    cost: tuple[float, ...] = (10_000.0,),
    quarters: int | None = None,
    programme: Json | None = None,
    tariff: Json | None = None,
    **terms: Any,
) -> Portfolio:
    """A loan for ``cost`` by row from close, repaid from ``receipts`` by row from quarter 1."""
    what = {
        "referrals": {"schedule": receipts, "arrival": "as planned"},
        "outcomes": {"outcome": {"probability": 1.0, "lag": 0}},
        "costs": {"all": {"schedule": cost, "first_quarter": 0}},
    }
    whole = one_deal(
        prices={"outcome": 1.0},
        quarters=quarters or len(receipts) + 1,
        programme=what | (programme or {}),
        payers={"council": {"share": 1.0, "payment_lag": 0}},
        tail=0,
    ).model_dump(exclude_unset=True)
    only = whole["deals"]["deal"]
    only["instrument"] = LOAN | terms
    only["tariff"] |= tariff or {}
    for role in {layer["guarantor"] for layer in terms.get("layers", ())} | {terms.get("peg", {}).get("by")}:
        if role is not None and role not in only["parties"]:
            whole["parties"][role] = {"kind": "guarantor"}
            only["parties"][role] = role
    return Portfolio.model_validate(whole)


def as_it_went(*receipts: float) -> Case:
    """A case in which other receipts come than were planned."""
    return Case(set={"referrals": receipts})


def by_row(paid: Paid, reason: str, payer: str | None = None, payee: str | None = None) -> dict[int, float]:
    """Pounds by row for a reason."""
    found: dict[int, float] = {}
    for (row, by, to, why), amount in paid.items():
        if why == reason and payer in (None, by) and payee in (None, to):
            found[row] = found.get(row, 0.0) + amount
    return {row: amount for row, amount in found.items() if amount > 1e-9}


def figure(outcome: Outcome, measure: str) -> float:
    """A figure of the deal."""
    return next(float(one.read(outcome.state)) for one in outcome.lowered.figures if one.measure == measure)


def pounds(expected: dict[int, float]) -> Any:
    """To a thousandth of a penny."""
    return pytest.approx(expected, abs=1e-5)


def test_a_ratchet_with_a_cash_sweep() -> None:
    """A margin of 4% (3% a quarter in all) from 90% of plan on; 2,000, 4,000, 4,000 and 4,000 are planned.

    Row 1: nothing was planned before it, which counts as on plan: 3% of 10,000 is 300, and of the 1,000 that
    comes 700 is swept. Row 2: 1,000 of 2,000 so far: 2% of 9,300 is 186; 5,800 comes, 5,614 is swept. Row 3:
    6,800 of 6,000: 3% of 3,686 is 110.58, and 3,686 is swept. What is left, 203.42, waits for maturity: in
    row 4 it goes to the payer with that row's 4,000.
    """
    portfolio = deal(
        (2_000.0, 4_000.0, 4_000.0, 4_000.0),
        repayment={"profile": "cash sweep", "first_quarter": 1, "last_quarter": 4},
        performance={"ratchet": ({"at": 0.9, "margin": 0.04},)},
    )
    _, paid = worked(portfolio, as_it_went(1_000.0, 5_800.0, 4_000.0, 4_000.0))
    assert by_row(paid, "interest") == pounds({1: 300.0, 2: 186.0, 3: 110.58})
    assert by_row(paid, "principal") == pounds({1: 700.0, 2: 5_614.0, 3: 3_686.0})
    assert by_row(paid, "surplus share") == pounds({4: 4_203.42})


def test_a_success_fee_with_a_cap() -> None:
    """5% of drawn, 500, is earned; the lender may earn 3% a quarter in all.

    Interest is rolled up for three quarters: 10,000 x 1.02^3 = 10,612.08, and 2% of that, 212.2416, is paid
    in row 4: 10,824.3216. At 3%, 10,000 x 1.03^4 = 11,255.0881 may come back: 430.7665 is left of it. 12,000
    comes.
    """
    portfolio = deal(
        (0.0, 0.0, 0.0, 12_000.0),
        repayment={"profile": "bullet", "first_quarter": 4, "last_quarter": 4},
        performance={"success_fee": ({"at": 1.0, "fee": 0.05},), "cap": 1.03**4 - 1.0},
    )
    _, paid = worked(portfolio)
    assert by_row(paid, "interest") == pounds({4: 212.2416})
    assert by_row(paid, "principal") == pounds({4: 10_612.08})
    assert by_row(paid, "investor return") == pounds({4: 430.7665})
    assert by_row(paid, "surplus share") == pounds({4: 12_000.0 - 10_824.3216 - 430.7665})


def test_a_guarantee_fee_on_a_falling_balance() -> None:
    """Four instalments of 2,500; 80% of the first 5,000 is covered, for 1% at close and 1% a quarter.

    At close 1% of 4,000. What is covered after rows 0, 1, 2 and 3, of 10,000, 7,500, 5,000 and 2,500: 4,000,
    4,000, 4,000 and 2,000. The council pays it. A second guarantor covers half of what the first leaves of
    the loan, 6,000, 3,500, 1,000 and 500, and is paid 1% of that half by the vehicle, out of receipts.
    """
    portfolio = deal(
        (3_000.0,) * 4,
        repayment={"profile": "eip", "first_quarter": 1, "last_quarter": 4},
        layers=(
            {"guarantor": "insurer", "cover": 0.8, "detach": 5_000.0,
             "fee": {"upfront": 0.01, "running": ONE_PERCENT, "paid_by": "council"}},
            {"guarantor": "foundation", "cover": 0.5, "fee": {"running": ONE_PERCENT}},
        ),
    )  # fmt: skip
    _, paid = worked(portfolio)
    fees = by_row(paid, "guarantee fee", "anytown", "insurer")
    assert fees == pounds({0: 40.0, 1: 40.0, 2: 40.0, 3: 40.0, 4: 20.0})
    fees = by_row(paid, "guarantee fee", "deal vehicle", "foundation")
    assert fees == pounds({1: 30.0, 2: 17.5, 3: 5.0, 4: 2.5})
    assert by_row(paid, "interest") == pounds({1: 200.0, 2: 150.0, 3: 100.0, 4: 50.0})


def test_grace_rolled_up_with_availability() -> None:
    """4,000 of cost in rows 0, 1 and 2; the loan may be drawn up to row 1.

    Rolled up: 80 in row 1 and 2% of 8,080, 161.60, in row 2, whose cost stays owed. Row 3: of 6,000 the
    provider has its 4,000 first; interest is 2% of 8,241.60, 164.832; half of the loan is due, 4,120.80, and
    1,835.168 is there.
    """
    portfolio = deal(
        (0.0, 0.0, 6_000.0, 9_000.0),
        (4_000.0, 4_000.0, 4_000.0),
        availability_quarters=1,
        repayment={"profile": "eip", "first_quarter": 3, "last_quarter": 4},
    )
    outcome, paid = worked(portfolio)
    assert by_row(paid, "drawdown") == pounds({0: 4_000.0, 1: 4_000.0})
    assert by_row(paid, "service payment") == pounds({0: 4_000.0, 1: 4_000.0, 3: 4_000.0})
    assert by_row(paid, "interest")[3] == pytest.approx(164.832)
    assert by_row(paid, "principal")[3] == pytest.approx(1_835.168)
    assert figure(outcome, "payment_missed") == 1.0
    assert figure(outcome, "cash_ran_out") == 1.0


def test_a_peg_with_a_layer_behind_it() -> None:
    """A foundation sees to it that 5,000 comes back; an insurer covers half of what is still lost.

    Rolled up, 10,612.08 is due in row 4 with 212.2416 of interest. 3,000 comes: 2,787.7584 of principal. The
    peg adds 2,212.2416; of the 5,612.08 that is left the insurer owes 2,806.04, and the lender loses as much.
    """
    portfolio = deal(
        (0.0, 0.0, 0.0, 3_000.0),
        repayment={"profile": "bullet", "first_quarter": 4, "last_quarter": 4},
        peg={"by": "foundation", "floor": 5_000.0, "baseline": "as agreed"},
        layers=({"guarantor": "insurer", "cover": 0.5},),
    )
    outcome, paid = worked(portfolio)
    assert by_row(paid, "principal") == pounds({4: 2_787.7584})
    assert by_row(paid, "guarantee call", "foundation") == pounds({4: 2_212.2416})
    assert by_row(paid, "guarantee call", "insurer") == pounds({5: 2_806.04})
    assert figure(outcome, "loss_covered") == pytest.approx(5_018.2816)
    assert figure(outcome, "loss_uncovered") == pytest.approx(2_806.04)


def test_a_claim_lag_with_recoveries_pro_rata() -> None:
    """9,000 is overdue at maturity in row 2; 60% of it is accepted, paid in row 4, owed back from row 2 on.

    Row 3: of 1,072, 2% of the lender's 3,600 is interest, 72; 1,000 is shared 5,400 to 3,600. Row 4: 2% of
    3,200 is 64; 800 is shared 4,800 to 3,200. Row 5: nothing comes, and 2,880 is written off.
    """
    portfolio = deal(
        (200.0, 1_200.0, 1_072.0, 864.0, 0.0),
        quarters=5,
        repayment={"profile": "bullet", "first_quarter": 1, "last_quarter": 2},
        layers=({"guarantor": "insurer", "cover": 0.6, "claim_lag": 2, "recoveries": "pro rata"},),
    )
    outcome, paid = worked(portfolio)
    assert by_row(paid, "principal") == pounds({2: 1_000.0, 3: 400.0, 4: 320.0})
    assert by_row(paid, "recovery") == pounds({3: 600.0, 4: 480.0})
    assert by_row(paid, "guarantee call") == pounds({4: 5_400.0})
    assert by_row(paid, "interest") == pounds({1: 200.0, 2: 200.0, 3: 72.0, 4: 64.0})
    assert figure(outcome, "loss_covered") == pytest.approx(5_400.0 - 1_080.0)
    assert figure(outcome, "loss_uncovered") == pytest.approx(2_880.0)


def test_a_cap_a_year_over_two_calls_and_two_years() -> None:
    """Ten instalments of 1,000 are missed; each is covered, up to 1,500 a year; receipts pay the interest.

    The years are rows 0 to 4, 5 to 8, 9 on: 1,000 and 500, 1,000 and 500, 1,000 and 500. What a year's cap
    cuts, 5,500 in all, is not made up later. The last instalment is missed like the others.
    """
    interest = (200.0, 180.0, 170.0, 170.0, 170.0, 150.0, 140.0, 140.0, 140.0, 120.0)
    portfolio = deal(
        interest,
        repayment={"profile": "eip", "first_quarter": 1, "last_quarter": 10},
        layers=({"guarantor": "insurer", "when": "missed payment", "claim_lag": 0, "cap_a_year": 1_500.0},),
    )
    outcome, paid = worked(portfolio)
    assert by_row(paid, "interest") == pounds(dict(enumerate(interest, start=1)))
    calls = {1: 1_000.0, 2: 500.0, 5: 1_000.0, 6: 500.0, 9: 1_000.0, 10: 500.0}
    assert by_row(paid, "guarantee call") == pounds(calls)
    assert figure(outcome, "loss_uncovered") == pytest.approx(5_500.0)
    assert outcome.lowered.guaranteed == {"insurer": 4_500.0}


@pytest.mark.parametrize(("void", "first", "second"), [(0.0, 0.0, 5_000.0), (1.0, 8_000.0, 1_000.0)])
def test_a_void_guarantee_with_a_second_layer(void: float, first: float, second: float) -> None:
    """10,000 is lost: the council covers 80%, an insurer half of what that leaves.

    The council covers nothing where its guarantee turns out to be void, at a draw not above 0.05.
    """
    portfolio = deal(
        (200.0,),
        quarters=2,
        repayment={"profile": "bullet", "first_quarter": 1, "last_quarter": 1},
        layers=(
            {"guarantor": "council", "cover": 0.8, "enforceability": {"void": 0.05}},
            {"guarantor": "insurer", "cover": 0.5},
        ),
    )
    _, paid = worked(portfolio, Case(set={"instrument.guarantee 1 council.void": void}))
    assert by_row(paid, "guarantee call", "anytown") == pounds({2: first} if first else {})
    assert by_row(paid, "guarantee call", "insurer") == pounds({2: second})


def test_a_schedule_as_on_rikers_island() -> None:
    """7.2m of 9.6m is drawn when the programme is ended in quarter 2; the guarantee then stands at 6.0m.

    The lender loses 1.2m, a sixth of what it lent: 75% of the commitment was an amount by quarter, and no
    share.
    """
    portfolio = deal(
        (0.0,) * 5,
        (2_400_000.0,) * 4,
        quarters=6,
        commitment={"amount": 9_600_000.0},
        availability_quarters=3,
        rate={"reference": "fixed", "value": 0.0, "basis": "annual effective"},
        repayment={"profile": "bullet", "first_quarter": 4, "last_quarter": 4},
        layers=(
            {"guarantor": "foundation",
             "schedule": ({"from_quarter": 0, "amount": 2_400_000.0},
                          {"from_quarter": 2, "amount": 6_000_000.0},
                          {"from_quarter": 4, "amount": 7_200_000.0})},
        ),
        termination={"policy": {"at_quarter": 2}, "wind_down_quarters": 0, "compensation": {"policy": 0.0}},
    )  # fmt: skip
    outcome, paid = worked(portfolio)
    assert sum(by_row(paid, "drawdown").values()) == pytest.approx(7_200_000.0)
    assert by_row(paid, "guarantee call") == pounds({3: 6_000_000.0})
    assert figure(outcome, "loss_uncovered") == pytest.approx(1_200_000.0)


def test_recourse_to_the_provider_with_a_limit() -> None:
    """10,000 is lost in row 2, half of it an insurer's.

    When accounts are settled, in row 3, the provider owes 3,000 of the rest; 2,000 is the lender's loss.
    """
    portfolio = deal(
        (200.0, 200.0),
        quarters=3,
        repayment={"profile": "bullet", "first_quarter": 1, "last_quarter": 2},
        layers=({"guarantor": "insurer", "cover": 0.5, "claim_lag": 0},),
        recourse={"to": "provider", "limit": 3_000.0},
    )
    outcome, paid = worked(portfolio)
    assert by_row(paid, "guarantee call") == pounds({2: 5_000.0})
    assert by_row(paid, "principal", "charity") == pounds({3: 3_000.0})
    assert figure(outcome, "loss_uncovered") == pytest.approx(2_000.0)


def test_a_sculpted_repayment_with_payment_out_of_savings() -> None:
    """10 and 20 people start; each saves 100 in two quarters, paid over a quarter later: 1,000, 3,000, 2,000.

    5,000 is drawn at close, 5,100 rolled up by row 1. Row 2: interest 102; a sixth of the loan is due, 850;
    48 is left. Row 3: 85 on 4,250; three fifths, 2,550; 413 is left. Row 4: 34 on 1,700; and 1,700; the
    payer has the 679 that is left.
    """
    programme = {
        "referrals": {"schedule": (10.0, 20.0), "arrival": "as planned"},
        "savings": {
            "beds": {
                "on": "outcome",
                "agency": "council",
                "unit_value": 100.0,
                "cashable": 1.0,
                "duration": 2,
            }
        },
    }
    portfolio = deal(
        (),
        (5_000.0,),
        quarters=4,
        programme=programme,
        tariff={"prices": {}, "savings": {"agencies": {"council": {}}, "verification_lag": 1}},
        repayment={"profile": "sculpted", "first_quarter": 2, "last_quarter": 4},
    )
    _, paid = worked(portfolio)
    assert by_row(paid, "savings payment") == pounds({2: 1_000.0, 3: 3_000.0, 4: 2_000.0})
    assert by_row(paid, "interest") == pounds({2: 102.0, 3: 85.0, 4: 34.0})
    assert by_row(paid, "principal") == pounds({2: 850.0, 3: 2_550.0, 4: 1_700.0})
    assert by_row(paid, "surplus share") == pounds({4: 679.0})


def test_an_early_end_with_compensation_and_acceleration() -> None:
    """Ended by policy in quarter 2, and settled at once: all 10,000 is due, and 200 of interest is paid.

    The payer owes half, 5,000; the loan is called in, and 80% of what is left, 4,000, is the insurer's, a
    quarter later. The lender loses 1,000.
    """
    portfolio = deal(
        (200.0, 200.0, 5_000.0, 5_000.0),
        repayment={"profile": "bullet", "first_quarter": 1, "last_quarter": 4},
        layers=({"guarantor": "insurer", "cover": 0.8},),
        termination={"policy": {"at_quarter": 2}, "wind_down_quarters": 0, "compensation": {"policy": 0.5}},
    )
    outcome, paid = worked(portfolio)
    assert by_row(paid, "outcome payment") == pounds({1: 200.0, 2: 200.0})
    assert by_row(paid, "termination compensation") == pounds({2: 5_000.0})
    assert by_row(paid, "guarantee call") == pounds({3: 4_000.0})
    assert figure(outcome, "called_in") == 1.0
    assert figure(outcome, "loss_uncovered") == pytest.approx(1_000.0)


def test_a_missed_payment_acceleration_and_maturity_in_one_row() -> None:
    """A loan with one instalment, 10,000, is not repaid: a missed payment; it is called in; it matures.

    60% of it is the first guarantor's; half of the 4,000 that is left the second's, though it stands first in
    the file; the third has the last 2,000.
    """
    portfolio = deal(
        (200.0, 200.0),
        quarters=3,
        repayment={"profile": "bullet", "first_quarter": 1, "last_quarter": 2},
        layers=(
            {"guarantor": "second", "cover": 0.5, "when": "acceleration"},
            {"guarantor": "first", "cover": 0.6, "when": "missed payment"},
            {"guarantor": "third", "when": "maturity"},
        ),
    )
    outcome, paid = worked(portfolio)
    assert by_row(paid, "guarantee call", "first") == pounds({3: 6_000.0})
    assert by_row(paid, "guarantee call", "second") == pounds({3: 2_000.0})
    assert by_row(paid, "guarantee call", "third") == pounds({3: 2_000.0})
    assert figure(outcome, "loss_uncovered") == pytest.approx(0.0, abs=1e-9)


def test_a_ratchet_down_with_a_margin_on_arrears() -> None:
    """From 50% of plan on the rate is 6% a year, 1.5% a quarter; 4% more, 2.5%, on what is overdue.

    Row 1: 150 on 10,000; of the 2,500 due 1,850 is there. Row 2: 80% of plan so far, so 1.5% of 7,500 and
    2.5% of 650: 128.75.
    """
    portfolio = deal(
        (2_500.0, 2_500.0, 5_000.0, 5_000.0),
        repayment={"profile": "eip", "first_quarter": 1, "last_quarter": 4},
        performance={"ratchet": ({"at": 0.5, "margin": -0.02},)},
        arrears_margin=0.04,
    )
    _, paid = worked(portfolio, as_it_went(2_000.0, 5_000.0, 5_000.0, 5_000.0))
    assert by_row(paid, "interest")[1] == pytest.approx(150.0)
    assert by_row(paid, "principal")[1] == pytest.approx(1_850.0)
    assert by_row(paid, "interest")[2] == pytest.approx(128.75)


def test_interest_that_is_covered_with_recoveries() -> None:
    """10,000 and 200 of interest are not paid at maturity in row 1: all of it is the guarantor's.

    It has 500 back: 200 for interest, so the loss of principal is 9,700. Nothing is overdue any more, so the
    lender's interest ends.
    """
    portfolio = deal(
        (0.0, 500.0),
        quarters=2,
        repayment={"profile": "bullet", "first_quarter": 1, "last_quarter": 1},
        layers=({"guarantor": "insurer", "interest": True, "recoveries": "guarantor first"},),
    )
    outcome, paid = worked(portfolio)
    assert by_row(paid, "guarantee call") == pounds({2: 10_200.0})
    assert by_row(paid, "recovery") == pounds({2: 500.0})
    assert by_row(paid, "interest") == {}
    assert figure(outcome, "loss_covered") == pytest.approx(9_700.0)


def test_draws_by_schedule_with_a_commitment_by_need() -> None:
    """The plan needs 8,000, drawn as needed; half as much again is committed.

    10,000 is scheduled, and 5,000 in row 1, of which 2,000 is left.
    """
    portfolio = deal(
        (0.0, 14_000.0),
        (4_000.0, 4_000.0),
        commitment={"peak_need": 1.5},
        availability_quarters=1,
        draws=(10_000.0, 5_000.0),
        repayment={"profile": "bullet", "first_quarter": 2, "last_quarter": 2},
    )
    _, paid = worked(portfolio)
    assert by_row(paid, "drawdown") == pounds({0: 10_000.0, 1: 2_000.0})
    assert by_row(paid, "principal") == pounds({2: 12_200.0})


def test_a_lender_s_fee_that_is_not_paid_is_owed_as_interest() -> None:
    """1% of 10,000 at close, when nothing is drawn; 1% a quarter on the 10,000 left to draw in row 1.

    Row 1: 2% on the 100 that is owed and the fee of 100; 10,000 is drawn: 202 is paid.
    """
    portfolio = deal(
        (0.0, 10_500.0),
        (0.0, 9_000.0),
        availability_quarters=1,
        draws=(0.0, 10_000.0),
        arrangement_fee=0.01,
        commitment_fee=ONE_PERCENT,
        repayment={"profile": "bullet", "first_quarter": 1, "last_quarter": 2},
    )
    _, paid = worked(portfolio)
    assert by_row(paid, "arrangement fee") == {}
    assert by_row(paid, "commitment fee") == pounds({1: 100.0})
    assert by_row(paid, "interest") == pounds({1: 102.0, 2: 200.0})


def test_a_slice_in_shares_of_drawn_moves_as_more_is_drawn() -> None:
    """The first 10% of drawn is the lender's; beyond it all of what is missed is covered, paid at once.

    Row 1: a quarter of 4,000 is due and missed; beyond 400, 600 is accepted. Row 2: 10,000 is drawn by now,
    so 1,000 is the lender's. 3,000 is due beside the 400; 2,700 is there after interest of 68, so 300 more is
    missed: 1,300 in all, of which 300 is covered, less than was accepted. Nothing is. Row 3: 500 more is
    missed after interest of 134; of 1,800 in all 800 is covered, and 200 is accepted. Row 4 pays the 80 of
    interest and the 4,000 that the lender is owed.
    """
    portfolio = deal(
        (80.0, 2_768.0, 2_634.0, 4_080.0),
        (4_000.0, 0.0, 6_000.0),
        availability_quarters=2,
        draws=(4_000.0, 0.0, 6_000.0),
        repayment={"profile": "eip", "first_quarter": 1, "last_quarter": 4},
        layers=({"guarantor": "insurer", "attach": 0.1, "unit": "share of drawn", "when": "missed payment",
                 "claim_lag": 0, "recoveries": "lender first"},),
    )  # fmt: skip
    outcome, paid = worked(portfolio)
    assert by_row(paid, "interest") == pounds({1: 80.0, 2: 68.0, 3: 134.0, 4: 80.0})
    assert by_row(paid, "principal") == pounds({2: 2_700.0, 3: 2_500.0, 4: 4_000.0})
    assert by_row(paid, "guarantee call") == pounds({1: 600.0, 3: 200.0})
    assert figure(outcome, "loss_uncovered") == pytest.approx(0.0, abs=1e-9)


def test_a_success_fee_in_two_parts() -> None:
    """5% of 10,000 drawn, 500: 300 is left of what comes in row 2, and the other 200 is paid in row 3.

    Row 2: 2% of 10,200 is 204, and 10,200 is repaid: 300 of 10,704 is left. Row 3: of 1,000 the lender has
    200 more, and no more than that; the payer has 800.
    """
    portfolio = deal(
        (0.0, 10_704.0, 1_000.0),
        repayment={"profile": "bullet", "first_quarter": 2, "last_quarter": 2},
        performance={"success_fee": ({"at": 1.0, "fee": 0.05},)},
    )
    _, paid = worked(portfolio)
    assert by_row(paid, "investor return") == pounds({2: 300.0, 3: 200.0})
    assert by_row(paid, "surplus share") == pounds({3: 800.0})


@pytest.mark.parametrize(
    ("quarters_late", "called"), [(1, {2: 8_000.0}), (2, {3: 8_000.0}), (3, {4: 8_000.0})]
)
def test_a_loan_is_called_in_after_so_many_quarters_in_arrears(
    quarters_late: int, called: dict[int, float]
) -> None:
    """Nothing comes but the interest: the first instalment is missed in row 2, and the loan stays late.

    80% of all of it, due or not, is called in the first, second or third late row.
    """
    portfolio = deal(
        (200.0,) * 6,
        quarters=8,
        repayment={"profile": "eip", "first_quarter": 2, "last_quarter": 6, "interest_in_grace": "paid"},
        layers=({"guarantor": "insurer", "cover": 0.8, "claim_lag": 0},),
        default_after=quarters_late,
    )
    _, paid = worked(portfolio)
    assert by_row(paid, "guarantee call") == pounds(called)


@pytest.mark.parametrize(("first", "in_grace"), [(1, "paid"), (3, "rolled up"), (3, "paid")])
def test_an_annuity_pays_the_same_every_quarter(first: int, in_grace: str) -> None:
    """The closed form: L i / (1 - (1 + i)^-n), L being 10,000 and what was rolled up, n quarters to row 8."""
    portfolio = deal(
        (3_000.0,) * 8,
        repayment={
            "profile": "annuity",
            "first_quarter": first,
            "last_quarter": 8,
            "interest_in_grace": in_grace,
        },
    )
    _, paid = worked(portfolio)
    lent = 10_000.0 * (1.02 ** (first - 1) if in_grace == "rolled up" else 1.0)
    level = lent * 0.02 / (1.0 - 1.02 ** -(9 - first))
    interest, principal = by_row(paid, "interest"), by_row(paid, "principal")
    for row in range(first, 9):
        assert interest[row] + principal[row] == pytest.approx(level, rel=1e-12)
    assert sum(principal.values()) == pytest.approx(lent)
