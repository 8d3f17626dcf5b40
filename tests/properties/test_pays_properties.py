"""What must hold for any pay-as-you-save deal, whatever its terms, on blocks of eight paths."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from numpy.typing import NDArray

from socialfinance.core.ledger import nil_sum
from socialfinance.engine.deal import Outcome
from socialfinance.engine.ready import ReadyDeal
from tests.examples import examples
from tests.models.pays_strategies import pays_portfolios
from tests.models.strategies import Json
from tests.properties.test_debt_properties import by_row, double, doubled_debt, wide, worth
from tests.properties.test_debt_properties import watched as watch
from tests.properties.test_pays_equals_hand_model import prepared
from tests.properties.test_sib_properties import PATHS, Watched, doubled, parties, priced

Array = NDArray[np.float64]
USUAL = settings(
    max_examples=examples(12, 30),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
HALF_A_PENNY = 0.005
ALL_SHARE: Json = {"surplus": {"agencies": 0.25, "provider": 0.1, "investor": 0.15, "reinvest": 0.5}}
"""Everybody has a part of the surplus, so what one of them has tells what there was."""


@dataclass
class Went:
    """One run of a deal: what was paid, how it ended, and its state after each row."""

    deal: ReadyDeal
    ledger: Watched
    outcome: Outcome
    states: list[Any]

    @property
    def terms(self) -> Any:
        """The term sheet."""
        return self.deal.deal.instrument

    @property
    def agencies(self) -> Json:
        """Who pays out of savings: role and terms."""
        savings = self.deal.deal.tariff.savings if self.deal.deal.tariff else None
        if savings is not None:
            return dict(savings.agencies)
        mine = self.terms.savings
        programme = self.deal.programme.programme
        return {
            saving.agency: mine.model_copy(update={"cap": None})
            for saving in programme.savings.values()
            if saving.cashable > 0.0 or mine.of == "all"
        }

    @property
    def slack(self) -> float:
        """Pounds that rounding may make."""
        return 1e-9 * self.ledger.gross + 1e-6

    @property
    def long_stop(self) -> int:
        """The row in which the balance is closed."""
        stop = self.terms.long_stop_quarter
        return self.ledger.rows - 1 if stop is None else int(stop)

    def state(self, read_off: Any) -> Array:
        """A figure of the state after every row, (row, path)."""
        return by_row(self.states, read_off)

    def new(self, read_off: Any) -> Array:
        """What a figure of the state grew by in every row, (row, path)."""
        return np.diff(self.state(read_off), axis=0, prepend=np.zeros((1, PATHS)))

    def running_before(self) -> Array:
        """1 where no early end has happened before the row, (row, path)."""
        since = self.state(lambda s: s.vehicle.exits.since)
        return np.vstack([np.ones((1, PATHS)), (since[:-1] < 0.0).astype(float)])

    def to_funder(self, *reasons: str) -> Array:
        """What the funder has for these reasons, (row, path)."""
        who = parties(self.deal, "investor")
        return sum((self.ledger.flows(payees=who, reason=why) for why in reasons), np.zeros((1, PATHS)))

    def accepted(self) -> Array:
        """Claims that guarantors accept, by the row in which they do, (row, path)."""
        return self.new(lambda s: sum(wide(x) for x in s.guarantees.called))


def each(file: Json) -> Iterator[Went]:
    """Every deal of a file, as contracted and with variation."""
    ready = prepared(file)
    for deal in ready.deals:
        for varied in (False, True):
            yield Went(deal, *watch(ready, deal, varied))


# --- whatever the terms ------------------------------------------------------------------------------


def parties_sum_to_nil_and_the_vehicle_keeps_nothing(went: Went) -> None:
    """No payment is below nil (the ledger watches), nor the vehicle's cash, all of which is paid out."""
    ledger = went.ledger
    if ledger.net:
        assert np.abs(nil_sum(ledger.net)).max() <= 1e-9 * ledger.gross
    (vehicle,) = parties(went.deal, "vehicle")
    if vehicle in ledger.net:
        cash = np.cumsum(ledger.net[vehicle], axis=0)
        assert cash.min() >= -went.slack
        assert np.abs(cash[-1]).max() <= went.slack + HALF_A_PENNY


def nothing_that_is_owed_or_held_is_below_nil(went: Went) -> None:
    for name in ("balance", "accrued", "drawn", "received", "pot", "held", "reinvested", "unpaid"):
        assert went.state(lambda s, name=name: getattr(s, name)).min() >= 0.0, name
    for i in range(len(went.states[0].fees)):
        assert went.state(lambda s, i=i: s.fees[i]).min() >= 0.0
        assert went.state(lambda s, i=i: s.guarantees.owed_back[i]).min() >= 0.0
    assert np.all(went.state(lambda s: s.accrued) <= went.state(lambda s: s.balance) + went.slack)


def no_more_is_drawn_than_was_committed(went: Went) -> None:
    drawn = went.ledger.flows(payers=parties(went.deal, "investor"), reason="drawdown")
    assert np.all(drawn.sum(axis=0) <= went.outcome.lowered.commitment * (1.0 + 1e-12) + 1e-9)
    last = went.long_stop if went.terms.availability_quarters is None else went.terms.availability_quarters
    assert np.all(drawn[last + 1 :] == 0.0)


def an_agency_pays_no_more_than_its_share_of_its_verified_savings(went: Went) -> None:
    """So far, in every row in which it pays; under its cap; and nothing after the long stop."""
    for place, (role, agency) in enumerate(went.agencies.items()):
        paid = went.ledger.flows(parties(went.deal, role), parties(went.deal, "vehicle"), "savings payment")
        verified = went.state(lambda s, place=place: s.vehicle.savings.verified[place])
        most = np.minimum(agency.share * verified, np.inf if agency.cap is None else agency.cap)
        assert np.all((paid == 0.0) | (np.cumsum(paid, axis=0) <= most + went.slack)), role
        assert np.all(paid[went.long_stop + 1 :] == 0.0)


def what_else_public_bodies_pay_the_funder_is_what_they_promised(went: Went) -> None:
    """Guarantees up to their most, compensation after an early end, the balance at the long stop."""
    ledger, who = went.ledger, parties(went.deal, "investor")
    allowed = {"unpaid balance", "guarantee call", "termination compensation", "guarantee fee"}
    (vehicle,) = parties(went.deal, "vehicle")
    outside = [leg for leg in ledger.by_row if leg[1] in who and leg[0] != vehicle]
    assert {why for *_, why in outside} <= allowed
    for role, most in went.outcome.lowered.guaranteed.items():
        calls = ledger.flows(parties(went.deal, role), who, "guarantee call").sum(axis=0)
        assert calls.max() <= most * (1.0 + 1e-9) + went.slack, role
    unpaid = went.to_funder("unpaid balance")
    assert np.all(np.delete(unpaid, went.long_stop, axis=0) == 0.0)
    owed = np.zeros(PATHS) if went.terms.unpaid == "written off" else wide(went.outcome.state.unpaid)
    assert np.abs(unpaid.sum(axis=0) - owed).max() <= went.slack
    ended = wide(went.outcome.state.vehicle.exits.since) >= 0.0
    assert np.all(went.to_funder("termination compensation").sum(axis=0)[~ended] == 0.0)
    if not went.terms.outcome_payments:
        for why in ("outcome payment", "emergency support", "clawback"):
            assert not ledger.flows(reason=why).any()


def fees_due(went: Went) -> Array:
    """The funder's fees by row and path, from the term sheet."""
    terms, committed = went.terms, went.outcome.lowered.commitment
    drawn = went.state(lambda s: s.drawn)
    due = np.zeros_like(drawn)
    due[0] = terms.arrangement_fee * committed
    last = went.deal.own.lowered.schedule
    available = np.array([[row.available] for row in last])
    due[1:] = terms.commitment_fee / 4.0 * np.maximum(0.0, committed - drawn[:-1])
    due[1:] *= (available * went.running_before())[1:]
    return due


def the_funder_has_its_capital_and_the_fair_rate_less_what_is_written_off(went: Went) -> None:
    """At the fair rate, to close: drawn + fees due = what it has or is promised + what it loses.

    A claim counts when it is accepted, which is before it is paid: what the funder really has is worth less.
    """
    q = went.terms.rate.quarterly()
    fees = went.to_funder("arrangement fee", "commitment fee")
    other = went.to_funder("interest", "principal", "termination compensation", "unpaid balance")
    lost = went.new(lambda s: s.unpaid) - went.to_funder("unpaid balance")
    drawn = went.ledger.flows(payers=parties(went.deal, "investor"), reason="drawdown")
    due = drawn + fees_due(went)
    assert lost.min() >= -went.slack
    promised = fees + other + went.accepted()
    assert np.abs(worth(promised + lost - due, q)).max() <= went.slack
    had = fees + other + went.to_funder("guarantee call")
    assert np.all(worth(had, q) <= worth(due, q) + went.slack)
    everything = went.ledger.flows(payees=parties(went.deal, "investor"))
    assert np.abs(had + went.to_funder("surplus share") - everything).max() <= went.slack


def with_a_floor_the_funder_has_its_share_of_what_was_drawn(went: Went) -> None:
    """Paid or promised, once it is tested; and whoever gives the floor never owes more than that."""
    floor = went.terms.floor
    if floor is None:
        return
    tested = went.long_stop if went.terms.floor_quarter is None else went.terms.floor_quarter
    drawn = wide(went.states[tested].drawn)
    least = floor.share * drawn if floor.share is not None else np.minimum(floor.amount, drawn)
    assert np.all(wide(went.states[tested].received) >= least - went.slack)
    accepted = wide(went.outcome.state.guarantees.called[-1])
    assert np.all(accepted <= least + went.slack)


def after_the_long_stop_nothing_is_owed(went: Went) -> None:
    later = slice(went.long_stop + 1, None)
    for name in ("balance", "accrued"):
        assert went.state(lambda s, name=name: getattr(s, name))[went.long_stop :].max() == 0.0
    assert np.all(went.to_funder("interest", "principal", "commitment fee")[later] == 0.0)


CHECKS = (
    parties_sum_to_nil_and_the_vehicle_keeps_nothing,
    nothing_that_is_owed_or_held_is_below_nil,
    no_more_is_drawn_than_was_committed,
    an_agency_pays_no_more_than_its_share_of_its_verified_savings,
    what_else_public_bodies_pay_the_funder_is_what_they_promised,
    the_funder_has_its_capital_and_the_fair_rate_less_what_is_written_off,
    with_a_floor_the_funder_has_its_share_of_what_was_drawn,
    after_the_long_stop_nothing_is_owed,
)


@USUAL
@given(pays_portfolios())
def test_whatever_the_terms(file: Json) -> None:
    for went in each(file):
        for check in CHECKS:
            check(went)


# --- the surplus -------------------------------------------------------------------------------------


def split(went: Went) -> tuple[Array, Array]:
    """The surplus by row and path, worked back from the provider's part, and what of it is put aside."""
    shares, ledger = went.terms.surplus, went.ledger
    (vehicle,) = parties(went.deal, "vehicle")
    to_provider = ledger.flows({vehicle}, parties(went.deal, "provider"), "surplus share")
    surplus = to_provider / shares.provider
    owners = list(went.agencies) or ["commissioner"]
    to_agencies = sum(
        (ledger.flows({vehicle}, parties(went.deal, role), "surplus share") for role in owners),
        np.zeros_like(surplus),
    )
    assert np.abs(went.to_funder("surplus share") - shares.investor * surplus).max() <= went.slack
    return surplus, (shares.agencies + shares.reinvest) * surplus - to_agencies


def ordered_by_the_rules(went: Went, ordered: Array, scale: float) -> None:
    """In rows with an order: within a quarter's most, before the last one, while running, above the stop."""
    how = went.terms.reinvest
    schedule = went.deal.own.lowered.schedule
    saved = went.state(lambda s: sum(wide(x) for x in s.vehicle.savings.verified))
    spent = went.state(lambda s: s.spent)
    running = went.state(lambda s: s.vehicle.exits.since) < 0.0
    for row, more in enumerate(ordered > 0.0):
        if not more.any():
            continue
        assert row + 1 < went.long_stop
        assert running[row][more].all()
        assert ordered[row].max() <= (scale - 1.0) * schedule[row].coming * (1.0 + 1e-12)
        if how is not None:
            assert how.until_quarter is None or row <= how.until_quarter
            over = schedule[row].planned_verified if how.stop_measure == "verified over plan" else spent[row]
            over = wide(over)
            reached = np.where(over > 0.0, saved[row] / np.where(over > 0.0, over, 1.0), 1.0)
            assert np.all(reached[more] >= how.stop_below * (1.0 - 1e-12))


@USUAL
@given(pays_portfolios(changes=ALL_SHARE))
def test_the_surplus_adds_up_and_buys_more_only_by_the_rules(file: Json) -> None:
    """There is one only once nothing is owed; each has its share; all that is ordered comes out of it."""
    for went in each(file):
        surplus, kept = split(went)
        shares, slack = went.terms.surplus, went.slack
        owed = went.state(lambda s: wide(s.balance) + sum(wide(x) for x in s.guarantees.owed_back))
        assert np.all(owed[surplus > slack] <= HALF_A_PENNY + slack)
        assert np.all((np.abs(kept) <= slack) | (np.abs(kept - shares.reinvest * surplus) <= slack))
        ordered = went.new(lambda s: s.reinvested)
        assert ordered.min() >= 0.0
        assert np.all(np.cumsum(ordered, axis=0) <= np.cumsum(kept, axis=0) + slack)
        pot = went.state(lambda s: s.pot)
        before = np.vstack([np.zeros((1, PATHS)), pot[:-1]])
        assert np.all(pot <= before + kept - ordered + slack)
        ordered_by_the_rules(went, ordered, went.terms.reinvest.most_scale if went.terms.reinvest else 2.0)


# --- one deal held against another -------------------------------------------------------------------


@settings(USUAL, max_examples=examples(8, 20))
@given(pays_portfolios())
def test_a_higher_floor_never_means_more_loss_to_the_funder(file: Json) -> None:
    """Tested at the long stop, and without a fee: what is drawn does not depend on it."""
    losses = []
    for share in (0.0, 0.4, 0.8):
        changed = deepcopy(file)
        for deal in changed["deals"].values():
            deal["instrument"].pop("floor_quarter", None)
            by = deal["instrument"].get("floor", {"by": "foundation"})["by"]
            deal["instrument"]["floor"] = {"by": by, "share": share, "claim_lag": 0}
            deal["parties"][by] = by
            changed["parties"].setdefault(by, {"kind": "guarantor"})
        ready = prepared(changed)
        ledger, outcome, _ = watch(ready, ready.deals[0])
        who = parties(ready.deals[0], "investor")
        drawn = ledger.flows(payers=who, reason="drawdown").sum(axis=0)
        losses.append((drawn, wide(outcome.state.unpaid), 1e-9 * ledger.gross + 1e-6))
    for (drawn, lower, slack), (same, higher, _) in pairwise(losses):
        assert np.array_equal(drawn, same)
        assert np.all(higher <= lower + slack)


def twice(file: Json) -> Json:
    """A copy of a file with every amount in pounds doubled."""
    found = deepcopy(file)
    for name, deal in file["deals"].items():
        terms, tariff = deepcopy(deal["instrument"]), deepcopy(deal["tariff"])
        saved = tariff.pop("savings", None)
        found["deals"][name] = doubled({**deal, "tariff": tariff, "instrument": {}})
        double(terms.get("floor", {}), "amount")
        double(terms.get("reinvest", {}), "cost_per_start")
        found["deals"][name]["instrument"] = doubled_debt(terms)
        if saved is not None:
            for agency in saved["agencies"].values():
                double(agency, "cap")
                double(agency.get("baseline", {}), "per_quarter")
            found["deals"][name]["tariff"]["savings"] = saved
    return found


@settings(USUAL, max_examples=examples(8, 20))
@given(pays_portfolios())
def test_twice_the_pounds_twice_every_flow(file: Json) -> None:
    once, larger = prepared(file), prepared(twice(file))
    for deal, same in zip(once.deals, larger.deals, strict=True):
        one, two = priced(once, deal, varied=True)[0], priced(larger, same, varied=True)[0]
        assert set(one.by_row) == set(two.by_row)
        for leg, amounts in one.by_row.items():
            assert np.allclose(two.by_row[leg], 2.0 * amounts, rtol=0, atol=1e-9 * one.gross), leg


@settings(USUAL, max_examples=examples(6, 15))
@given(pays_portfolios())
def test_a_block_is_its_paths_one_by_one(file: Json) -> None:
    ready = prepared(file)
    for deal in ready.deals:
        together = priced(ready, deal, varied=True)[0]
        for path in range(0, PATHS, 3):
            alone = priced(ready, deal, (path,), varied=True)[0]
            for leg, amounts in together.by_row.items():
                mine = alone.by_row.get(leg, np.zeros((alone.rows, 1)))
                assert np.array_equal(amounts[:, path], mine[:, 0]), leg
