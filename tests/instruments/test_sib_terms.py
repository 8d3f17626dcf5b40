"""Terms of the bond that meet each other, each in a case small enough to do by hand."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from socialfinance.core.ledger import Ledger
from socialfinance.engine.block import deal_figures, run_block
from socialfinance.engine.cases import run_case
from socialfinance.engine.deal import Outcome
from socialfinance.engine.explain import explain_path
from socialfinance.engine.ready import PLAN, ReadyPortfolio, prepare
from socialfinance.funds.portfolio import Case, Portfolio
from tests.fixtures import one_deal

EASY: dict[str, Any] = {"commitment": {"amount": 100_000.0}, "draw_ahead": 0, "reserve_quarters": 0}


def changed(portfolio: Portfolio, deal: dict[str, Any], **whole: Any) -> Portfolio:
    """The portfolio with parts of its only deal, and of itself, replaced."""
    data = portfolio.model_dump(exclude_unset=True)
    data["deals"]["deal"].update(deal)
    data.update(whole)
    return Portfolio.model_validate(data)


def ran(portfolio: Portfolio, case: Case = PLAN) -> Outcome:
    ready = prepare(portfolio)
    return run_case(ready, ready.deals[0], case, "deals.deal.cases.x.set", journal=True)


def total(ledger: Ledger, **leg: str) -> float:
    found = ledger.of(**leg)
    return 0.0 if isinstance(found, float) else float(found.sum())


def by_row(ledger: Ledger, reason: str) -> dict[int, float]:
    found: dict[int, float] = {}
    for entry in ledger.journal or []:
        if entry.reason == reason:
            found[entry.row] = found.get(entry.row, 0.0) + entry.amount
    return found


def two_payers(**more: Any) -> dict[str, Any]:
    return {
        "parties": {"council": "anytown", "health": "nhs", "investor": "fund", "provider": "charity"},
        **more,
    }


PARTIES: dict[str, Any] = {
    "anytown": {"kind": "council"}, "nhs": {"kind": "nhs"}, "fund": {"kind": "investor"},
    "charity": {"kind": "provider"},
}  # fmt: skip


def test_the_contracts_cap_cuts_payers_alike() -> None:
    """30 outcomes at 1,000 under a cap of 12,000: a payer of three quarters pays 9,000, the other 3,000."""
    tariff = {"prices": {"outcome": 1_000.0}, "cap": 12_000.0,
              "payers": {"council": {"share": 0.75}, "health": {"share": 0.25}}}  # fmt: skip
    portfolio = changed(one_deal(prices={"outcome": 1.0}), two_payers(tariff=tariff), parties=PARTIES)
    ledger = ran(portfolio).ledger
    assert total(ledger, payer="anytown", reason="outcome payment") == pytest.approx(9_000.0)
    assert total(ledger, payer="nhs", reason="outcome payment") == pytest.approx(3_000.0)
    assert prepare(portfolio).deals[0].own.lowered.contract_value == {"council": 9_000.0, "health": 3_000.0}


def test_what_a_payer_cannot_take_is_passed_on_before_the_contracts_cap() -> None:
    """Of 30,000 the first takes its own cap of 5,000 and passes on 10,000; 30,000 is cut to 24,000 by 0.8."""
    payers = {"council": {"share": 0.5, "cap": 5_000.0, "passes_on": True}, "health": {"share": 0.5}}
    tariff = {"prices": {"outcome": 1_000.0}, "cap": 24_000.0, "payers": payers}
    ledger = ran(
        changed(one_deal(prices={"outcome": 1.0}), two_payers(tariff=tariff), parties=PARTIES)
    ).ledger
    assert total(ledger, payer="anytown", reason="outcome payment") == pytest.approx(4_000.0)
    assert total(ledger, payer="nhs", reason="outcome payment") == pytest.approx(20_000.0)


def test_a_claim_that_nobody_accepts_uses_up_no_cap() -> None:
    """Two cohorts of 30 outcomes, a line cap for one of them; the payer joins for the second."""
    portfolio = one_deal(
        prices={"outcome": 1_000.0}, instrument=EASY, caps={"outcome": 30_000.0},
        programme={"referrals": {"schedule": (100.0, 100.0), "arrival": "as planned"}},
        payers={"council": {"share": 1.0, "joins": 3}},
    )  # fmt: skip
    assert total(ran(portfolio).ledger, reason="outcome payment") == pytest.approx(30_000.0)


def test_a_payer_that_has_left_owes_nothing_for_referrals_or_cost() -> None:
    """Half of 100 people short in quarter 4, when only the second payer is there: it owes all of 100 x 10."""
    costs = {"inside": {"per_quarter": 10.0, "last_quarter": 2},
             "outside": {"one_off": 700.0, "first_quarter": 4, "inside_cap": False}}  # fmt: skip
    payers = {"council": {"share": 0.5, "leaves": 2}, "health": {"share": 0.5}}
    tariff = {"prices": {"outcome": 1.0}, "payers": payers,
              "minimum_referrals": {"per_quarter": 50.0, "payment": 10.0}}  # fmt: skip
    small = one_deal(
        prices={"outcome": 1.0},
        programme={
            "referrals": {"schedule": (100.0, 0.0, 0.0, 0.0), "arrival": "as planned"},
            "costs": costs,
        },
    )
    ledger = ran(changed(small, two_payers(tariff=tariff), parties=PARTIES)).ledger
    assert total(ledger, payer="anytown", reason="minimum-referral payment") == 0.0
    assert total(ledger, payer="nhs", reason="minimum-referral payment") == pytest.approx(1_000.0)
    assert total(ledger, payer="anytown", reason="reimbursed cost") == 0.0
    assert total(ledger, payer="nhs", reason="reimbursed cost") == pytest.approx(700.0)


@pytest.mark.parametrize("ahead", [1, 2, 8])
def test_what_is_drawn_ahead_is_not_handed_back(ahead: int) -> None:
    """Without a reserve: 20,000 of cost is drawn once, and nothing is returned before the first receipt."""
    instrument = {"commitment": {"amount": 20_000.0}, "draw_ahead": ahead, "reserve_quarters": 0}
    ledger = ran(one_deal(prices={"outcome": 1_000.0}, instrument=instrument)).ledger
    assert total(ledger, reason="drawdown") == pytest.approx(20_000.0)
    assert min(by_row(ledger, "capital returned")) == 3
    assert total(ledger, reason="investor return") == pytest.approx(10_000.0)


def test_the_provider_has_its_fee_before_payers_share_a_surplus() -> None:
    """A cap of nil a year: investors get 16,000 back, the provider its 4,000, the payer the rest of 30,000.

    A coupon counts towards the cap, so capital is never fully "returned"; the fee is due all the same.
    """
    coupon = {"line": "outcome", "steps": ({"at": 0.0, "rate": 0.1},)}
    instrument = {**EASY, "cap": {"irr": 0.0}, "provider_at_risk": 0.2, "performance_coupon": coupon}
    programme = {"costs": {"delivery": {"per_quarter": 10_000.0, "last_quarter": 2}},
                 "outcomes": {"outcome": {"probability": 0.3, "lag": 6}}}  # fmt: skip
    ledger = ran(one_deal(prices={"outcome": 1_000.0}, instrument=instrument, programme=programme)).ledger
    assert total(ledger, payee="fund") == pytest.approx(16_000.0)
    assert total(ledger, reason="deferred fee") == pytest.approx(4_000.0)
    assert total(ledger, reason="surplus share") == pytest.approx(10_000.0)


def test_clawback_is_kept_aside_until_it_is_paid() -> None:
    """A tenth of 30,000 is taken back four quarters after it was paid, and is there to be taken."""
    clawback = {"share": 0.1, "after": 4}
    ledger = ran(one_deal(prices={"outcome": 1_000.0}, instrument=EASY, clawback=clawback)).ledger
    assert by_row(ledger, "clawback") == {7: pytest.approx(3_000.0)}
    assert total(ledger, payee="fund") == pytest.approx(27_000.0)


def test_referrals_turned_away_in_an_agreed_pause_were_made() -> None:
    """A review pauses starts from quarter 3 on; 20 come a quarter where 15 must: nobody is short."""
    uncertain = {"distribution": "uniform", "low": 0.0, "high": 1.0}
    portfolio = one_deal(
        prices={"outcome": 1_000.0}, quarters=20,
        instrument={**EASY, "review": {"quarters": (2,), "below": 1.0, "pause_quarters": 6}},
        programme={"referrals": {"schedule": (20.0,) * 8, "arrival": "as planned"},
                   "outcomes": {"outcome": {"probability": uncertain}}},
        minimum_referrals={"per_quarter": 15.0, "payment": 100.0},
    )  # fmt: skip
    ready = prepare(portfolio)
    futures = [explain_path(ready, ready.deals[0], path, 1, with_variation=True) for path in range(12)]
    paused = [one for one in futures if sum(q.figures["people started"] for q in one.happened) < 100.0]
    assert paused  # of 160 who came
    for one in futures:
        assert all(payment.reason != "minimum-referral payment" for payment in one.payments)


def test_a_contract_that_has_run_its_course_is_not_insolvent() -> None:
    """The last bill is a little dearer than what is left: it stays unpaid, and nothing ends early."""
    overrun = {"distribution": "uniform", "low": 0.9, "high": 1.1}
    programme = {"costs": {"delivery": {"per_quarter": 10_000.0, "last_quarter": 2, "overrun": overrun}}}
    instrument = {"commitment": {"amount": 20_000.0}, "draw_ahead": 0, "reserve_quarters": 0,
                  "termination": {"insolvency": {"arrears_quarters": 3}}}  # fmt: skip
    outcome = ran(
        one_deal(prices={"outcome": 0.0}, instrument=instrument, programme=programme),
        Case(set={"costs.delivery.overrun": 1.1}),
    )
    assert outcome.state.vehicle.worst_arrears == pytest.approx(2_000.0)
    assert outcome.state.vehicle.exits.cause == 0.0


def test_an_early_end_is_settled_after_the_tail_even_where_the_plan_has_reached_the_cap() -> None:
    """The plan reaches the cap with its first cohort; a weak future still has its tail before it settles."""
    uncertain = {"distribution": "uniform", "low": 0.0, "high": 0.6}
    portfolio = one_deal(
        prices={"outcome": 1_000.0}, instrument={**EASY, "termination": {
            "policy": {"at_quarter": 2}, "compensation": {"policy": 1.0}, "wind_down_quarters": 0}},
        programme={"referrals": {"schedule": (100.0, 100.0), "arrival": "as planned"},
                   "outcomes": {"outcome": {"probability": uncertain, "lag": 4}}},
        cap=30_000.0, quarters=24,
    )  # fmt: skip
    ledger = ran(portfolio, Case(set={"outcomes.outcome.probability": 0.05})).ledger
    assert by_row(ledger, "outcome payment") == {6: pytest.approx(5_000.0), 7: pytest.approx(5_000.0)}
    assert by_row(ledger, "termination compensation") == {7: pytest.approx(10_000.0)}


def test_harm_costs_what_as_much_good_saves() -> None:
    """A fall of 10% in one event each of 100 people saves 10 x 50 a quarter for a year; a rise costs it."""
    effect = {"cohort_trigger": 0.05, "pooled_trigger": 0.05, "per_event": 1.0}
    saving = {"beds": {"on": "effect", "agency": "council", "unit_value": 50.0, "cashable": 0.6}}
    true = {"distribution": "uniform", "low": -0.2, "high": 0.2}
    portfolio = one_deal(effect=effect, quarters=20, programme={"savings": saving})
    data = portfolio.model_dump(exclude_unset=True)
    data["deals"]["deal"]["programme"]["effect"]["true"] = true
    portfolio = Portfolio.model_validate(data)
    good = ran(portfolio, Case(set={"effect.true": 0.1})).ledger
    harm = ran(portfolio, Case(set={"effect.true": -0.1})).ledger
    assert total(good, reason="saving") == pytest.approx(0.6 * 10 * 50.0 * 4)
    assert total(harm, reason="saving") == 0.0
    assert total(harm, payer="anytown", reason="extra cost") == pytest.approx(0.6 * 10 * 50.0 * 4)
    memo = harm.memo_by_year["anytown", "outside", "non-cashable extra cost"]
    assert float(memo.sum()) == pytest.approx(800.0)
    assert float(harm.saved["anytown"].sum()) == pytest.approx(-1_200.0)


def figures_of(portfolio: Portfolio) -> tuple[ReadyPortfolio, dict[tuple[str, str, str], float]]:
    ready = prepare(portfolio)
    deal = ready.deals[0]
    found = deal_figures(ready, deal, run_case(ready, deal, PLAN, ""), "deal")
    return ready, {(key.party, key.role, key.measure): float(values[0]) for key, values in found.items()}


def test_an_investor_is_measured_by_what_it_does_as_one() -> None:
    """The council puts in half of the money beside the fund: the investment is what it was without it."""
    alone = one_deal(prices={"outcome": 1_000.0}, instrument=EASY)
    half = [{"party": "fund", "share": 0.5}, {"party": "anytown", "share": 0.5}]
    parties = {"council": "anytown", "investor": tuple(half), "provider": "charity"}
    _, one = figures_of(alone)
    _, two = figures_of(changed(alone, {"parties": parties}))
    for measure in ("drawn", "received", "gain", "irr", "peak"):
        assert two["fund and anytown", "investor", measure] == pytest.approx(one["fund", "investor", measure])
    gain = one["fund", "investor", "gain"]
    assert two["anytown", "council", "net_cost"] == pytest.approx(
        one["anytown", "council", "net_cost"] - gain / 2
    )


def test_present_values_of_a_deal_and_of_a_council_are_of_one_day() -> None:
    """A deal that closes two years in: what it costs its only council is the same in both tables."""
    portfolio = changed(
        one_deal(prices={"outcome": 1_000.0}, quarters=20),
        {"start": date(2028, 10, 1)},
        discount={"rate": 0.06},
    )
    figures = run_block(prepare(portfolio), 1, 0, 256).figures
    about = ("anytown", "council", "net_cost_pv")
    by_scope = {k.scope: v for k, v in figures.items() if (k.party, k.role, k.measure) == about}
    assert by_scope["deal"] == pytest.approx(by_scope["council"], rel=1e-12)
