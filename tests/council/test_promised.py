"""Notes and accounts of promises that are measured together, late or remote; what the page says of limits."""

from __future__ import annotations

from datetime import date
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from socialfinance import load
from socialfinance.council import promised
from socialfinance.council.capital import Finances, Side, Spending, by_year
from socialfinance.council.disclosure import draft_note, under_ias37
from socialfinance.council.liabilities import assess
from socialfinance.council.promises import promises
from socialfinance.council.recourse import DERIVATIVE, FINANCIAL_GUARANTEE
from socialfinance.council.view import View, view
from socialfinance.engine.books import keep_books
from socialfinance.engine.ready import prepare
from socialfinance.funds.books import CapitalSide, Promises
from socialfinance.funds.portfolio import Portfolio
from socialfinance.reports.accounts import _limits, _one_limit, revenue_and_capital
from socialfinance.reports.page import Page
from tests.developments import one_development
from tests.instruments import test_guaranteed_debt_terms as debt
from tests.pools import one_pool

DAY = date(2027, 3, 31)
REPAID = {"profile": "eip", "first_quarter": 1, "last_quarter": 6}


def loan(layers: tuple[dict[str, Any], ...], **terms: Any) -> Portfolio:
    return debt.deal((2_000.0,) * 6, quarters=8, repayment=REPAID, layers=layers, **terms)


def exposure(portfolio: Portfolio, party: str) -> promised.Exposure:
    """What a council's guarantees cost, measured on 400 paths."""
    ready = prepare(portfolio)
    kept = keep_books(ready, ready.deals, 1, 400, promised.reasons(ready.deals, party))
    found = promised.exposures(ready, kept.deals[ready.deals[0].name], party, Promises())
    return next(one for one in found if one.promises[0].what.startswith("guarantee"))


# --- notes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [FINANCIAL_GUARANTEE, DERIVATIVE])
def test_what_is_remote_is_left_out_under_ias_37_alone(kind: Any) -> None:
    """One path in a hundred is called: a guarantee or derivative is recognised, so its figures are shown."""
    deal = prepare(load("demo-guaranteed-debt").portfolio).deals[0]
    promise = next(one for one in promises(deal, "eastmere") if one.what.startswith("guarantee"))
    calls = np.array([[0.0] * 99 + [1_000.0]])
    assessed, tested = assess(calls, maximum=5_000.0), under_ias37(calls.sum(axis=0))
    assert tested.treatment.startswith("remote")
    said = draft_note(promise._replace(treatment=kind), assessed, tested, as_at=DAY, liability=8.0)
    assert "Most that can be called: £5,000." in said
    assert "Most that can be called" not in draft_note(promise, assessed, tested, as_at=DAY)


TWO = (
    {"guarantor": "council", "cover": 0.5, "claim_lag": 1},
    {"guarantor": "council", "cover": 0.5, "claim_lag": 2},
)


def test_notes_of_promises_measured_together_say_that_they_count_once() -> None:
    found = exposure(loan(TWO), "anytown")
    assert len(found.notes) == len(found.promises) == 2
    for note, other in zip(found.notes, reversed(found.promises), strict=True):
        assert "2 promises together" in note
        assert other.what in note
    assert "together" not in exposure(loan(TWO[:1]), "anytown").notes[0]


# --- in the accounts --------------------------------------------------------------------------------------


def pool(layers: tuple[dict[str, Any], ...], **segment: Any) -> Portfolio:
    loans = {
        "schedule": (1.0,), "size": 100_000.0, "rate": 0.0, "loss_given_default": 0.4, "recovery_lag": 1,
        "default_probability": 0.5, "term": 12, **segment,
    }  # fmt: skip
    terms = {"commitment": {"amount": 100_000.0}, "layers": layers}
    return one_pool(segment=loans, pool=terms, parties={"scheme": "borough"}, quarters=18)


def test_layers_with_different_lags_are_measured() -> None:
    """A call after one quarter beside a layer that pays after eight: no claim is older than the deal."""
    layers = tuple({"guarantor": "scheme", "cover": 0.5, "claim_lag": lag} for lag in (0, 8))
    found = exposure(pool(layers), "borough")
    assert found.ecl is not None
    assert found.assessed.calls.value > 0.0
    assert np.all(found.ecl["ecl_lifetime"] >= 0.0)


def test_a_fee_at_close_is_earned_until_the_loan_is_to_be_repaid() -> None:
    """2% of £5,000 guaranteed is £100 at close, paid with the first drawing and earned in six quarters."""
    fee = {"upfront": 0.02, "paid_by": "vehicle"}
    layers = ({"guarantor": "council", "cover": 0.5, "claim_lag": 1, "fee": fee},)
    found = exposure(loan(layers, recourse={"to": "provider"}), "anytown")
    assert found.liability is not None
    rows = found.liability["row"].to_numpy()
    premium = found.assessed.fees.value
    assert premium == pytest.approx(100.0)
    np.testing.assert_allclose(found.liability["unearned"], premium * np.maximum(0.0, 1.0 - rows / 6.0))


def test_a_chance_of_payment_is_that_of_a_call_whatever_comes_back() -> None:
    """IAS 37, 53: what is to be had back is an asset of its own, and takes nothing off the provision."""
    layer = {"guarantor": "scheme", "cover": 1.0, "claim_lag": 0, "recoveries": "guarantor first"}
    found = exposure(pool((layer,), loss_given_default=0.0), "borough")
    assert found.assessed.calls.value > 100.0 * abs(found.assessed.expected_loss.value)
    assert found.tested.chance == found.assessed.called
    if found.tested.basis == "expected value":
        assert found.tested.best_estimate.value == pytest.approx(found.assessed.calls.value)


# --- the capital side -------------------------------------------------------------------------------------


def said_of(side: Side) -> str:
    page = Page()
    _limits(page, side)
    return " ".join(page.text.split())


def test_a_limit_that_is_broken_is_said() -> None:
    """£100 is borrowed in one future of two, £140 in the other: a limit of £120 is passed in one, by £20."""
    spent = np.array([[100.0, 140.0], [0.0, 0.0]])
    told = Finances(operational_boundary=90.0, authorised_limit=120.0, asset_life=10, mrp="equal instalments")
    said = said_of(by_year(["2026/27", "2027/28"], Spending(spent), told))
    assert "BROKEN: the authorised limit is passed in 2026/27 (50.0% of futures, by up to £20)" in said
    assert "operational boundary is passed in 2026/27 (100.0% of futures, by up to £50)" in said
    fine = by_year(["2026/27", "2027/28"], Spending(spent), Finances(authorised_limit=150.0))
    assert said_of(fine).startswith("No limit that was given is passed")
    assert said_of(by_year(["2026/27"], Spending(1.0), Finances())) == ""


def test_with_a_boundary_alone_its_room_is_shown() -> None:
    head = ("headroom_limit", "Under the limit")
    assert _one_limit(*head, ("authorised_limit",)) == ("headroom_boundary", "Under the boundary")
    assert _one_limit(*head, ("authorised_limit", "operational_boundary")) == head
    assert _one_limit(*head, ()) == head


def test_debt_above_the_requirement_is_said() -> None:
    """£100 is drawn for £60 of spending: £40 more than will be needed, unless next year needs them."""
    years = ["2026/27", "2027/28"]
    over = by_year(years, Spending([60.0, 0.0], drawn=[100.0, 0.0], repaid=0.0, interest=0.0))
    assert "above the CFR of the year and the 2 after it in 2026/27, 2027/28" in said_of(over)
    early = by_year(years, Spending([60.0, 60.0], drawn=[100.0, 0.0], repaid=0.0, interest=0.0))
    assert said_of(early) == ""


def test_a_council_that_builds_from_reserves_borrows_nothing() -> None:
    built = {"kind": "council-build"}
    slow = {"sales": {"flats": {"presold": 0.0, "per_quarter": 0.5}}, "last_quarter": 23}
    portfolio = one_development(slow, built, quarters=24, roles={"investor": None, "partner": None})
    ready = prepare(portfolio)
    council = next(name for name, one in ready.parties.items() if one.kind == "council")
    side = view(ready, council, 1, 8).capital
    assert side is not None
    assert side.columns["capital_spend"].sum() > 0.0
    assert np.all(side.columns["by_revenue"] >= 0.0)
    for name in ("unfinanced", "cfr_close", "loans", "mrp", "interest"):
        np.testing.assert_allclose(side.columns[name], 0.0, atol=0.01, err_msg=name)


@cache
def strip() -> View:
    return view(prepare(load("demo-income-strip").portfolio), "eastmere", 1, 24)


def test_capital_sums_had_before_rent_begins_are_said_to_be_owed() -> None:
    page = Page()
    revenue_and_capital(page, strip())
    assert "are owed to the institution all the same" in " ".join(page.text.split())


def test_what_the_capital_sum_pays_for_enters_the_requirement_once() -> None:
    """Where works cost less than the sum on a path, the requirement is the lease and no loan is left."""
    side = strip().capital
    assert side is not None
    spent = side.columns["capital_spend"].sum(axis=0)
    had = side.columns["by_lease_sum"].sum(axis=0) + side.columns["unapplied"][-1]
    met = spent <= had + 1.0
    assert met.any()
    assert np.all(side.columns["by_lease_sum"].sum(axis=0) <= 12_000_000.0 + 1.0)
    assert np.all(np.abs(side.columns["loans"][6:, met]) < 1.0)
    requirement = side.columns["cfr_close"] - side.columns["lease_liability"]
    np.testing.assert_allclose(requirement[6:, met], 0.0, atol=1.0)


def test_what_files_do_not_tell_counts_as_not_given_and_opening_books_stand_still() -> None:
    ready = prepare(load("collective-impact-fund").portfolio)
    told = ready.portfolio.books["eastmere"].capital
    assert told is not None
    found = view(ready, "eastmere", 1, 8)
    page = Page()
    revenue_and_capital(page, found)
    assert "leaves out MRP on the opening requirement" in " ".join(page.text.split())
    few = CapitalSide(opening_cfr=1.0, illustrative=True)
    books = SimpleNamespace(structures={}, rows={}, deal=ready.deals[0])
    from socialfinance.council.accounts import capital_side

    side = capital_side(ready, [books], "nobody", {}, few)  # type: ignore[list-item]
    assert {"resources", "liquidity", "loans", "investment_income"} <= set(side.not_given)
    assert np.all(np.isnan(side.columns["liability_benchmark"]))
