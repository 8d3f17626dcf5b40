"""Promises and the rules they fall under: held to the page, to what deals pay, and to their maxima."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from socialfinance import load
from socialfinance.core.errors import InputError
from socialfinance.core.ledger import MEMO, Ledger
from socialfinance.council.disclosure import draft_note, most_likely, under_ias37
from socialfinance.council.liabilities import assess
from socialfinance.council.promises import (
    BORROWING,
    CONSOLIDATION,
    COVENANT,
    NO_PROMISE,
    PUBLIC_DEBTOR,
    Promise,
    most_called,
    promises,
)
from socialfinance.council.recourse import COMMITMENTS, TREATMENTS, Treatment, classify
from socialfinance.engine.deal import run
from socialfinance.engine.ready import ReadyDeal, drawn, futures_of, prepare, price_level
from socialfinance.funds.portfolio import Portfolio
from tests.developments import one_development
from tests.fixtures import one_deal
from tests.instruments import test_credit_line_terms as line
from tests.instruments import test_guaranteed_debt_terms as debt
from tests.instruments import test_income_strip_worked as strip
from tests.instruments import test_pay_as_you_save_terms as pays
from tests.pools import one_pool

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "council" / "guarantees.md").read_text(encoding="utf-8")
Json = dict[str, Any]


def rows_under(heading: str) -> list[list[str]]:
    """The first table under a heading of the page, as cells."""
    found: list[list[str]] = []
    for text in PAGE.split(f"\n## {heading}\n")[1].splitlines():
        if text.startswith("|"):
            found.append([cell.strip() for cell in text.strip("|").split("|")])
        elif found:
            break
    return found[2:]


def only(portfolio: Portfolio, council: str = "anytown") -> tuple[Promise, ...]:
    return promises(prepare(portfolio).deals[0], council)


def one(found: tuple[Promise, ...], what: str) -> Promise:
    """The promise whose description begins like this."""
    return next(promise for promise in found if promise.what.startswith(what))


# --- the rules ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", rows_under("Recourse first"), ids=lambda row: f"{row[0]}, {row[1]}")
def test_the_rules_are_those_of_the_page(row: list[str]) -> None:
    found = classify(row[0], row[1])  # type: ignore[arg-type]
    assert [found.name, found.standard] == row[2:]


def test_every_treatment_is_on_the_page_and_says_what_it_rests_on() -> None:
    assert {row[2] for row in rows_under("Recourse first")} == {one.name for one in TREATMENTS}
    for treatment in TREATMENTS:
        assert treatment.reason
        assert "[unverified]" in treatment.citation


@pytest.mark.parametrize(
    ("given", "field"), [(("it rains", "nobody"), "pays"), (("in any event", "somebody"), "owes")]
)
def test_what_no_rule_knows_is_refused(given: tuple[str, str], field: str) -> None:
    with pytest.raises(InputError) as caught:
        classify(*given)  # type: ignore[arg-type]
    assert caught.value.field == field


# --- which term says so -------------------------------------------------------------------------------

LAYER: Json = {"guarantor": "council", "cover": 0.5, "claim_lag": 0}
REPAID: Json = {"profile": "eip", "first_quarter": 1, "last_quarter": 6}


def loan(layers: tuple[Json, ...] = (LAYER,), **terms: Any) -> Portfolio:
    """A loan over six quarters, with a file that ends two years after close."""
    return debt.deal((2_000.0,) * 6, quarters=8, repayment=REPAID, layers=layers, **terms)


def recourse_to_council() -> Portfolio:
    return loan(recourse={"to": "commissioner", "limit": 4_000.0})


def secured(covenants: Json, **more: Any) -> Portfolio:
    cure = {"cure": {"by": "commissioner", "limit": 50_000.0}}
    return one_development(None, {"covenants": {**covenants, **cure}, **more}, quarters=24)


def bond(**terms: Any) -> Portfolio:
    return one_deal(
        prices={"outcome": 1_000.0}, cap=30_000.0, instrument=terms,
        minimum_referrals={"per_quarter": 50.0, "payment": 100.0},
    )  # fmt: skip


def leased() -> Portfolio:
    fixed = {"every": 2, "rises": [0.0, 0.02]}
    terms = {**strip.STRIP, "indexation": fixed}
    return one_development(strip.DEVELOPMENT, terms, quarters=6, roles={"partner": None})


VALUE = {"loan_to_value": {"most": 0.8, "first_quarter": 4}}
COVER = {"interest_cover": {"least": 1.1, "first_quarter": 6}}
BACKED = ({"guarantor": "commissioner", "cover": 0.5},)
POOL = {"layers": ({"guarantor": "scheme", "cover": 0.5},), "grant": {"by": "giver", "share": 0.2}}
SAMPLES: dict[tuple[str, str], Any] = {
    ("loan-pool", "`layers`"): lambda: one_pool(pool=POOL, parties={"scheme": "borough", "giver": "giver"}),
    ("loan-pool", "`grant`"): lambda: one_pool(pool=POOL, parties={"scheme": "backer", "giver": "borough"}),
    ("asset-backed", "`layers`"): lambda: secured(VALUE, layers=BACKED),
    ("asset-backed", "`covenants.cure`, with `loan_to_value`"): lambda: secured(VALUE),
    ("asset-backed", "`covenants.cure`, with `interest_cover` alone"): lambda: secured(COVER),
    ("asset-backed", "`capital`"): lambda: secured(VALUE, capital={"land": {"amount": 10_000.0}}),
    ("guaranteed-debt", "`layers`, `recourse.to: outcome payments`"): loan,
    ("guaranteed-debt", "`layers`, `recourse.to: provider`"): lambda: loan(recourse={"to": "provider"}),
    ("guaranteed-debt", "`layers`, `recourse.to: provider` with a `limit`"): lambda: loan(
        recourse={"to": "provider", "limit": 1_000.0}
    ),
    ("guaranteed-debt", "`layers`, `recourse.to: commissioner`, which it is"): recourse_to_council,
    ("guaranteed-debt", "`recourse.to: commissioner`"): recourse_to_council,
    ("guaranteed-debt", "`peg`"): lambda: loan(
        (), peg={"by": "council", "floor": 5_000.0, "baseline": "a year"}
    ),
    ("pay-as-you-save", "`floor`"): lambda: pays.deal(
        (1.0,), 6, floor={"by": "council", "share": 0.5, "claim_lag": 0}
    ),
    ("pay-as-you-save", "`layers`"): lambda: pays.deal((1.0,), 6, layers=(LAYER,)),
    ("pay-as-you-save", "`unpaid: paid by the commissioner`"): lambda: pays.deal(
        (1.0,), 6, unpaid="paid by the commissioner"
    ),
    ("pay-as-you-save", "`savings`"): lambda: pays.deal((1.0,), 6),
    ("social-impact-bond", "`tariff.prices`"): bond,
    ("social-impact-bond", "`tariff.minimum_referrals`"): bond,
    ("social-impact-bond", "`termination.compensation`"): bond,
    ("social-impact-bond", "`floor_coupon`"): lambda: bond(
        floor_coupon={"by": "council", "rate": 0.02, "years": 2}
    ),
    ("social-impact-bond", "`protection`"): lambda: bond(
        protection={"by": "council", "schedule": ({"from_quarter": 0, "share": 0.5},)}
    ),
    ("credit-line", "`termination.compensation`"): lambda: line.deal(cap=30_000.0),
    ("credit-line", "`step_in`"): lambda: line.deal(line={"step_in": {"after_quarters": 1, "cost": 5_000.0}}),
    ("income-strip", "`rent`"): leased,
    ("pwlb-loan", "the loan"): lambda: load("demo-pwlb-loan").portfolio,
}


def council_of(structure: str) -> str:
    return {"loan-pool": "borough", "pwlb-loan": "eastmere"}.get(structure, "anytown")


@pytest.mark.parametrize("row", rows_under("Which term says so"), ids=lambda row: f"{row[0]}: {row[1]}")
def test_the_terms_are_those_of_the_page(row: list[str]) -> None:
    structure, term, what, treated = row
    portfolio = SAMPLES[structure, term]()
    found = one(only(portfolio, council_of(structure)), what)
    assert next(iter(portfolio.deals.values())).instrument.kind == structure
    assert found.treatment.name == treated
    assert found.maximum is None or found.maximum > 0.0
    assert found.legs
    assert all(payer == council_of(structure) for payer, _, _ in found.legs)


def test_every_sample_is_on_the_page() -> None:
    assert {(row[0], row[1]) for row in rows_under("Which term says so")} == set(SAMPLES)


# --- maxima, lags, flags --------------------------------------------------------------------------------


def test_the_promises_of_a_bond_in_pounds() -> None:
    """Prices: the cap. 2% for 2 years and 50% of 100,000; compensation at worst all of it; 50 x 1 x £100."""
    found = only(
        bond(
            floor_coupon={"by": "council", "rate": 0.02, "years": 2},
            protection={"by": "council", "schedule": ({"from_quarter": 0, "share": 0.5},)},
        )
    )
    assert {promise.what.split(" of ")[0]: promise.maximum for promise in found} == pytest.approx(
        {
            "payments for outcomes": 30_000.0, "payments for people not referred": 5_000.0,
            "compensation after an early end": 100_000.0, "floor coupon": 4_000.0,
            "capital protection": 50_000.0,
        }
    )  # fmt: skip
    flagged = {promise.what.split(" of ")[0] for promise in found if BORROWING in promise.flags}
    assert flagged == {"floor coupon", "capital protection"}


def test_two_layers_of_one_council() -> None:
    """The first is limited to 2,000 by itself; the second only by what both can cost together."""
    first = {"guarantor": "council", "detach": 2_000.0, "claim_lag": 1, "fee": {"running": 0.01}}
    deal = prepare(loan((first, LAYER))).deals[0]
    found = [promise for promise in promises(deal, "anytown") if promise.layer is not None]
    assert [promise.claim_lag for promise in found] == [1, 0]
    assert found[0].maximum == pytest.approx(2_000.0)
    assert found[1].maximum == pytest.approx(most_called(deal, "anytown"))
    assert found[0].what == ("guarantee, layer 1: 100% of the loss from £0 to £2,000, on acceleration")
    assert found[0].legs == found[1].legs == (("anytown", "fund", "guarantee call"),)


def test_a_role_that_is_shared_is_promised_in_part() -> None:
    data = loan().model_dump(exclude_unset=True)
    data["parties"]["nextown"] = {"kind": "council"}
    filled = ({"party": "anytown", "share": 0.75}, {"party": "nextown", "share": 0.25})
    data["deals"]["deal"]["parties"]["council"] = filled
    deal = prepare(Portfolio.model_validate(data)).deals[0]
    whole = deal.own.lowered.guaranteed["council"]
    for party, share in (("anytown", 0.75), ("nextown", 0.25)):
        assert one(promises(deal, party), "guarantee").maximum == pytest.approx(share * whole)
        assert most_called(deal, party) == pytest.approx(share * whole)


def test_what_else_has_to_be_looked_at() -> None:
    full = one(only(loan(({**LAYER, "cover": 1.0},))), "guarantee")
    assert {BORROWING, CONSOLIDATION} <= set(full.flags)
    assert BORROWING not in one(only(loan()), "guarantee").flags
    to_the_end = {**LAYER, "cover": 1.0, "detach": 1.0, "unit": "share of commitment"}
    assert BORROWING in one(only(loan((to_the_end,))), "guarantee").flags
    assert COVENANT in one(only(secured(VALUE, layers=BACKED)), "guarantee").flags
    void = {**LAYER, "enforceability": {"void": 0.02}}
    assert "void with a chance of 2.0% when it is called" in one(only(loan((void,))), "guarantee").flags


def test_a_council_guarantees_what_another_owes() -> None:
    """The debtor is a council that owes the loan whatever the results: no loss where statute prevents it."""
    data = loan(({**LAYER, "guarantor": "backer"},), recourse={"to": "commissioner"}).model_dump(
        exclude_unset=True
    )
    data["parties"]["backer"] = {"kind": "council"}
    found = one(only(Portfolio.model_validate(data), "backer"), "guarantee")
    assert found.treatment.name == "financial guarantee contract"
    assert PUBLIC_DEBTOR in found.flags


def test_one_loan_is_a_debtor_and_ten_are_a_pool() -> None:
    roles = {"scheme": "borough"}
    pool = {"layers": ({"guarantor": "scheme", "claim_lag": 3},)}
    ten, single = (
        one(only(one_pool(pool=pool, parties=roles, segment=segment), "borough"), "guarantee")
        for segment in ({}, {"schedule": (1.0,)})
    )
    assert (ten.by, single.by) == ("pool", "loan")
    assert ten.claim_lag == 3


def test_who_fills_no_role_promises_nothing() -> None:
    with pytest.raises(InputError) as caught:
        only(loan(), "nobody")
    assert caught.value.field == "council"
    assert "anytown" in str(caught.value)


# --- against all shipped files ------------------------------------------------------------------------

FILES = sorted(path.stem for path in (ROOT / "portfolios").glob("*.yaml"))


def councils(deal: ReadyDeal, portfolio: Portfolio) -> list[str]:
    """The councils that fill a role of a deal."""
    filled = {party for shares in deal.roles.values() for party, _ in shares}
    return sorted(p for p in filled if p in portfolio.parties and portfolio.parties[p].kind == "council")


@pytest.mark.parametrize("name", FILES)
def test_promises_add_up_to_the_most_that_can_be_asked(name: str) -> None:
    """By role; money that funders put in, and the PWLB's loans, are beside what a contract can ask."""
    portfolio = load(name).portfolio
    for deal in prepare(portfolio).deals:
        for council in councils(deal, portfolio):
            found = promises(deal, council)
            for role, most in deal.own.lowered.maximum.items():
                share = dict(deal.roles[role]).get(council, 0.0)
                mine = sum(x.maximum or 0.0 for x in found if x.role == role) if share else 0.0
                if deal.deal.instrument.kind == "income-strip":
                    mine += deal.deal.instrument.option * share  # a right, and no promise
                assert mine == pytest.approx(most * share if share else 0.0, rel=1e-9), (deal.name, role)


@pytest.mark.parametrize("name", FILES)
def test_whatever_a_council_pays_was_promised_or_is_no_promise(name: str) -> None:
    """On 64 futures of each deal: every leg belongs to a promise, or its reason is known to be none.

    What a council pays to its own reserve or receipts is no promise to anybody else.
    """
    portfolio = load(name).portfolio
    ready, numbered = prepare(portfolio), np.arange(64, dtype=np.uint64)
    common = ready.common(5, numbered)
    for deal in ready.deals:
        mine = frozenset(councils(deal, portfolio))
        if not mine:
            continue
        ledger = Ledger(deal.calendar.year_of_row, 64, books=mine)
        futures = futures_of(deal, drawn(deal, common, 5, numbered), common)
        run(deal, (deal.own,), futures, price_level(deal, common), (ledger,))
        for council in mine:
            promised = {leg for promise in promises(deal, council) for leg in promise.legs}
            for leg in ledger.by_row:
                payer, payee, why = leg
                own = payee in deal.council and payee != council
                if payer != council or payee == council or why in MEMO or own or why == "extra cost":
                    continue
                assert leg in promised or why in NO_PROMISE, (deal.name, leg)


# --- notes ----------------------------------------------------------------------------------------------

ASSESSED = assess(np.array([[0.0, 0.0, 0.0, 1_000.0, 3_000.0]]), maximum=5_000.0, years=["2027/28"])
DAY = date(2027, 3, 31)


def promise_of(treatment: Treatment) -> Promise:
    """A promise of the kind, whatever its terms."""
    return one(only(loan()), "guarantee")._replace(treatment=treatment, flags=("to be looked at",))


def test_the_ias_37_test() -> None:
    """A chance of 40% is disclosed at its mean; 80% is a provision: the commonest amount, or the mean."""
    possible = under_ias37(np.array([0.0, 0.0, 0.0, 1_000.0, 3_000.0]))
    assert possible.treatment == "contingent liability - disclose"
    assert possible.best_estimate.value == pytest.approx(800.0)
    losses = np.array([0.0, 2_900.0, 3_000.0, 3_100.0, 9_000.0])
    single, many = under_ias37(losses), under_ias37(losses, "many")
    assert single.treatment == many.treatment == "provision"
    assert (single.best_estimate.value, single.basis) == (3_000.0, "most likely amount")
    assert (many.best_estimate.value, many.basis) == (pytest.approx(18_000.0 / 5), "expected value")
    spread = under_ias37(np.array([0.0, 1_000.0, 3_000.0, 3_100.0, 9_000.0]))  # none in more than half
    assert (spread.best_estimate.value, spread.basis) == (pytest.approx(16_100.0 / 5), "expected value")
    assert under_ias37(np.array([0.0] * 9 + [1.0]), remote=0.2).treatment == "remote - no disclosure"
    assert under_ias37(np.array([-5.0, 0.0])).chance.value == 0.0
    assert most_likely(np.array([100.0, 240.0, 160.0]), nearest=100.0) == (200.0, pytest.approx(2 / 3))


def test_a_note_says_that_it_is_a_draft_and_what_it_rests_on() -> None:
    for treatment in TREATMENTS:
        promise = promise_of(treatment)
        note = draft_note(
            promise,
            ASSESSED,
            under_ias37(ASSESSED.by_year["expected"].to_numpy()),
            as_at=DAY,
            liability=800.0,
        )
        assert "[unverified]" in note
        if treatment in COMMITMENTS:
            assert "\n" not in note
            assert "commitment" in note
            assert "DRAFT" not in note
            continue
        assert note.startswith("DRAFT")
        assert treatment.standard in note
        assert treatment.citation in note
        assert "Most that can be called: £5,000. Expected loss £800 (standard error £583)" in note
        assert "To look at: to be looked at." in note


def test_what_a_note_recognises() -> None:
    guarantee = classify("a debtor misses a payment", "a debtor, whatever the results")
    shortfall = classify("results fall short", "nobody beyond the results")
    losses = np.array([0.0, 0.0, 0.0, 1_000.0, 3_000.0])
    said = draft_note(promise_of(guarantee), ASSESSED, as_at=DAY, liability=800.0)
    assert "Recognised: £800, the higher of the loss allowance and the fee not yet earned" in said
    said = draft_note(promise_of(shortfall), ASSESSED, under_ias37(losses), as_at=DAY)
    assert "Payment is possible, at 40.0% (standard error 21.9%)" in said
    said = draft_note(promise_of(shortfall), ASSESSED, under_ias37(losses + 1.0), as_at=DAY)
    assert "Payment is probable" in said
    said = draft_note(promise_of(shortfall), ASSESSED, under_ias37(losses, remote=0.45), as_at=DAY)
    assert "Payment is remote" in said
    assert "Most that can be called" not in said


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: under_ias37([1.0], "some"), "items"),  # type: ignore[arg-type]
        (lambda: under_ias37([1.0], remote=0.7), "remote_threshold"),
        (lambda: under_ias37([float("nan")]), "losses"),
        (lambda: under_ias37([1.0], nearest=0.0), "nearest"),
        (lambda: draft_note(promise_of(TREATMENTS[0]), ASSESSED, as_at=DAY), "liability"),
        (lambda: draft_note(promise_of(TREATMENTS[1]), ASSESSED, as_at=DAY), "tested"),
    ],
)
def test_what_makes_no_sense_is_refused(call: Any, field: str) -> None:
    with pytest.raises(InputError) as caught:
        call()
    assert caught.value.field == field
    assert "\n" not in str(caught.value)
