"""What must hold for any guaranteed debt, whatever its terms, on blocks of eight paths."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from numpy.typing import NDArray

from socialfinance.core.ledger import nil_sum
from socialfinance.engine.deal import Outcome, run
from socialfinance.engine.ready import ReadyDeal, ReadyPortfolio, drawn, futures_of, prepare, price_level
from socialfinance.instruments.guarantees import Layer
from tests.examples import examples
from tests.models.strategies import Json, debt_portfolios, read
from tests.properties.test_sib_properties import PATHS, SEED, Watched, doubled, parties, priced

Array = NDArray[np.float64]
USUAL = settings(
    max_examples=examples(12, 30),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
PENNY = 1e-6
NO_FEES: Json = {"arrangement_fee": 0.0, "commitment_fee": 0.0, "arrears_margin": 0.0, "performance": {}}
ONLY_REPAID: Json = {**NO_FEES, "surplus": {"payers": 1.0, "provider": 0.0, "investor": 0.0}}
"""Terms under which the lender has its rate and no more."""


def watched(
    ready: ReadyPortfolio, deal: ReadyDeal, varied: bool = False
) -> tuple[Watched, Outcome, list[Any]]:
    """One deal on eight paths: its ledger, its end, and its state after each row."""
    block = np.arange(PATHS, dtype=np.uint64)
    common = ready.common(SEED, block)
    ledger = Watched(deal.calendar.year_of_row, PATHS)
    structure = deal.varied if varied and deal.varied is not None else deal.own
    states: list[Any] = []

    def step(terms: Any, state: Any, now: Any) -> Any:
        found = structure.lowered.step(terms, state, now)
        states.append(found[0])
        return found

    spied = replace(structure, lowered=structure.lowered._replace(step=step))
    futures = futures_of(deal, drawn(deal, common, SEED, block), common)
    outcome = run(deal, (spied,), futures, price_level(deal, common), (ledger,))[0]
    return ledger, outcome, states


def each(file: Json) -> Any:
    """Every deal of a file in both runs."""
    ready = prepare(read(file))
    for deal in ready.deals:
        for varied in (False, True):
            yield (deal, deal.deal.instrument, *watched(ready, deal, varied))


def wide(x: Any) -> Array:
    """A figure on every path."""
    return np.broadcast_to(x, (PATHS,)).astype(float)


def by_row(states: list[Any], read_off: Any) -> Array:
    """A figure of the state after every row, (row, path)."""
    return np.stack([wide(read_off(state)) for state in states])


@USUAL
@given(debt_portfolios())
def test_parties_sum_to_nil_and_no_payment_is_negative(file: Json) -> None:
    for *_, ledger, _, _ in each(file):
        if ledger.net:
            assert np.abs(nil_sum(ledger.net)).max() <= 1e-9 * ledger.gross


@USUAL
@given(debt_portfolios())
def test_nothing_that_is_owed_or_held_is_below_nil(file: Json) -> None:
    """Loan, overdue, interest, fees, what guarantors are owed; the vehicle's cash, none of which is left."""
    for deal, debt, ledger, outcome, states in each(file):
        for name in ("balance", "overdue", "interest", "drawn"):
            assert by_row(states, lambda s, name=name: getattr(s, name)).min() >= 0.0
        for i in range(len(debt.layers)):
            for part in ("seen", "called", "called_this_year", "owed_back"):
                assert by_row(states, lambda s, i=i, part=part: getattr(s.guarantees, part)[i]).min() >= 0.0
            assert by_row(states, lambda s, i=i: s.fees[i]).min() >= 0.0
        assert by_row(states, lambda s: s.drawn).max() <= outcome.lowered.commitment * (1.0 + 1e-12) + 1e-9
        (vehicle,) = parties(deal, "vehicle")
        if vehicle in ledger.net:
            cash = np.cumsum(ledger.net[vehicle], axis=0)
            assert cash.min() >= -PENNY
            owed = wide(outcome.state.interest) + sum(wide(x) for x in outcome.state.guarantees.owed_back)
            assert np.all((np.abs(cash[-1]) <= 1e-9 * ledger.gross + 1e-9) | (owed > 0.005))


def most_accepted(layer: Layer, row: int, lent: Array, commitment: float, seen: Array) -> Array:
    """By path: the most a layer may have accepted up to a row, from its terms."""
    scale = {"pounds": np.ones(PATHS), "share of commitment": np.full(PATHS, commitment)}
    edge = scale.get(layer.unit, lent)
    above = np.maximum(seen - layer.attach * edge, 0.0)
    depth = np.inf if layer.detach is None else (layer.detach - layer.attach) * edge
    most = layer.cover * np.minimum(above, depth)
    most = most if layer.cap is None else np.minimum(most, layer.cap)
    most = most if layer.cap_rate is None else np.minimum(most, layer.cap_rate * lent)
    amounts = [step.amount for step in layer.schedule if step.from_quarter <= row]
    return np.minimum(most, amounts[-1] if amounts else 0.0) if layer.schedule else most


@USUAL
@given(debt_portfolios())
def test_no_guarantor_pays_beyond_its_slice_its_caps_or_its_schedule(file: Json) -> None:
    for deal, debt, ledger, outcome, states in each(file):
        for i, layer in enumerate(debt.layers):
            accepted = by_row(states, lambda s, i=i: s.guarantees.called[i])
            new = np.diff(accepted, axis=0, prepend=np.zeros((1, PATHS)))
            assert new.min() >= 0.0
            for row, state in enumerate(states):
                most = most_accepted(
                    layer, row, wide(state.drawn), outcome.lowered.commitment, wide(state.guarantees.seen[i])
                )
                assert np.all((new[row] <= PENNY) | (accepted[row] <= most + PENNY))
            if layer.cap_a_year is not None:
                for first in range(1, len(states), 4):
                    year = new[0 if first == 1 else first : first + 4].sum(axis=0)
                    assert year.max() <= layer.cap_a_year + PENNY
            back = accepted[-1] - wide(outcome.state.guarantees.owed_back[i])
            assert back.min() >= -PENNY
        for role, most in outcome.lowered.guaranteed.items():
            paid = ledger.flows(parties(deal, role), parties(deal, "investor"), "guarantee call").sum(axis=0)
            assert paid.max() <= most * (1.0 + 1e-9) + PENNY, role


@USUAL
@given(debt_portfolios())
def test_all_that_is_accepted_is_paid(file: Json) -> None:
    for deal, debt, ledger, outcome, _ in each(file):
        accepted = sum((wide(x) for x in outcome.state.guarantees.called), np.zeros(PATHS))
        calls = ledger.flows(payees=parties(deal, "investor"), reason="guarantee call").sum(axis=0)
        assert np.all(accepted <= calls + PENNY)
        if debt.peg is None:
            assert np.abs(accepted - calls).max() <= PENNY


@USUAL
@given(debt_portfolios(changes=NO_FEES))
def test_principal_is_repaid_made_good_or_written_off(file: Json) -> None:
    """Drawn + rolled up = all three, with nothing outstanding at the end; covered + uncovered is the loss."""
    for _, debt, ledger, outcome, states in each(file):
        rolls = debt.repayment.interest_in_grace == "rolled up"
        rolled = np.zeros(PATHS)
        for row, before in enumerate(states[:-1], start=1):
            grace = rolls and row < debt.repayment.first_quarter
            owed = wide(before.balance) + wide(before.overdue) + wide(before.interest)
            rolled += grace * (wide(before.called_in) == 0.0) * owed * debt.rate.quarterly()
        end = outcome.state
        accounted = wide(end.repaid) + wide(end.made_good) + wide(end.written_off)
        assert np.abs(wide(end.drawn) + rolled - accounted).max() <= 1e-9 * ledger.gross
        assert wide(end.balance).max() == wide(end.overdue).max() == 0.0
        figures = {one.measure: wide(one.read(end)) for one in outcome.lowered.figures}
        whole = figures["loss_covered"] + figures["loss_uncovered"]
        assert np.abs(whole - figures["loss_before_guarantees"]).max() <= PENNY
        assert figures["loss_covered"].min() >= -PENNY


def lender(ledger: Watched, deal: ReadyDeal) -> Array:
    """By row and path: what the lender has less what it pays."""
    who = parties(deal, "investor")
    return ledger.flows(payees=who) - ledger.flows(payers=who)


def worth(flows: Array, quarterly: float) -> Array:
    """By path: flows discounted to close."""
    return (1.0 + quarterly) ** -np.arange(float(len(flows))) @ flows


def with_layers(file: Json, layers: list[Json]) -> Json:
    """The file with other layers."""
    found = deepcopy(file)
    for deal in found["deals"].values():
        deal["instrument"]["layers"] = layers
        named = {layer["guarantor"] for layer in layers}
        for role in ("insurer", "foundation"):
            by = deal["instrument"].get("peg", {}).get("by")
            if role not in named and role != by:
                deal["parties"].pop(role, None)
        for role in named - set(deal["parties"]):
            deal["parties"][role] = role
    found["parties"] |= {layer["guarantor"]: {"kind": "guarantor"} for layer in layers}
    return found


@USUAL
@given(debt_portfolios())
def test_more_cover_never_means_more_loss_to_the_lender(file: Json) -> None:
    """Layers that pay once the loan is called in, and no fee: what is drawn does not depend on them."""
    for deal in file["deals"].values():
        layers = deal["instrument"]["layers"]
        for layer in layers:
            layer["when"] = "acceleration" if layer["when"] == "missed payment" else layer["when"]
            layer.pop("fee", None)
    more = [{**layer, "cover": min(1.0, 1.3 * layer["cover"])} for layer in layers]
    found = []
    for stack in (layers, more):
        ready = prepare(read(with_layers(file, stack)))
        found.append(watched(ready, ready.deals[0])[1].state)
    less_cover, more_cover = found
    assert np.array_equal(wide(less_cover.drawn), wide(more_cover.drawn))
    assert np.all(wide(more_cover.written_off) <= wide(less_cover.written_off) + PENNY)


ALL_OF_IT: Json = {
    "guarantor": "insurer", "cover": 1.0, "when": "acceleration", "interest": True, "claim_lag": 0,
}  # fmt: skip


@USUAL
@given(debt_portfolios(changes=ONLY_REPAID))
def test_with_all_principal_and_interest_covered_the_lender_has_its_rate_on_every_path(file: Json) -> None:
    """Whatever the programme does: a guarantor that never fails and pays at once leaves no loss at all."""
    ready = prepare(read(with_layers(file, [ALL_OF_IT])))
    for deal in ready.deals:
        ledger, outcome, _ = watched(ready, deal)
        assert wide(outcome.state.written_off).max() <= PENNY
        assert wide(outcome.state.interest).max() <= 0.01
        rate = deal.deal.instrument.rate.quarterly()
        flows = lender(ledger, deal)
        assert np.abs(worth(flows, rate)).max() <= 1e-9 * ledger.gross + 0.02


@USUAL
@given(debt_portfolios(changes={**ONLY_REPAID, "commitment": {"peak_need": 10.0}}))
def test_a_plan_that_repays_earns_the_contract_s_rate(file: Json) -> None:
    """No layers, no fees, no ratchet, nothing by chance: drawn, compounded, is what comes back."""
    ready = prepare(read(with_layers(file, [])))
    for deal in ready.deals:
        ledger, outcome = priced_in_the_plan(ready, deal)
        state = outcome.state
        if state.written_off <= 0.005 and state.interest <= 0.005:
            flows = lender(ledger, deal)
            assert abs(worth(flows, deal.deal.instrument.rate.quarterly())[0]) <= 1e-9 * ledger.gross + 0.01


def priced_in_the_plan(ready: ReadyPortfolio, deal: ReadyDeal) -> tuple[Watched, Outcome]:
    """The deal in its plan."""
    from socialfinance.scenarios.sources import Certain

    common = ready.common(0, None)
    ledger = Watched(deal.calendar.year_of_row, 1)
    futures = futures_of(deal, Certain(deal.programme.programme.drivers), common)
    return ledger, run(deal, (deal.own,), futures, price_level(deal, common), (ledger,))[0]


@USUAL
@given(debt_portfolios())
def test_a_success_fee_stays_under_the_lender_s_cap(file: Json) -> None:
    """In a row in which one is paid, all the lender had so far, a share of surplus aside, earns no more."""
    for deal, debt, ledger, _, _ in each(file):
        cap = debt.performance.cap
        who, fees = parties(deal, "investor"), ledger.flows(reason="investor return")
        if cap is None or not fees.any():
            continue
        fee_to_guarantors = ledger.flows(payers=who, reason="guarantee fee")
        flows = lender(ledger, deal) + fee_to_guarantors - ledger.flows(payees=who, reason="surplus share")
        for row in range(ledger.rows):
            grown = (1.0 + cap) ** ((row - np.arange(row + 1.0)) / 4.0) @ flows[: row + 1]
            assert np.all((fees[row] == 0.0) | (grown <= 1e-9 * ledger.gross + PENNY))


def twice(file: Json) -> Json:
    """A copy of a file with every amount in pounds doubled."""
    found = deepcopy(file)
    for name, deal in file["deals"].items():
        terms, tariff = deepcopy(deal["instrument"]), deepcopy(deal["tariff"])
        saved = tariff.pop("savings", None)
        found["deals"][name] = doubled({**deal, "tariff": tariff, "instrument": {}})
        found["deals"][name]["instrument"] = doubled_debt(terms)
        if saved is not None:
            for agency in saved["agencies"].values():
                double(agency, "cap")
                double(agency.get("baseline", {}), "per_quarter")
            found["deals"][name]["tariff"]["savings"] = saved
    return found


def doubled_debt(terms: Json) -> Json:
    """The same terms for twice the pounds."""
    double(terms["commitment"], "amount")
    double(terms.get("peg", {}), "floor")
    double(terms.get("recourse", {}), "limit")
    if "draws" in terms:
        terms["draws"] = [2.0 * one for one in terms["draws"]]
    for layer in terms["layers"]:
        if layer.get("unit", "pounds") == "pounds":
            double(layer, "attach", "detach")
        double(layer, "cap", "cap_a_year")
        for step in layer.get("schedule", []):
            double(step, "amount")
    return terms


def double(block: Json, *names: str) -> None:
    """Double what is there of these."""
    for name in names:
        if name in block:
            block[name] *= 2.0


@USUAL
@given(debt_portfolios())
def test_twice_the_pounds_twice_every_flow(file: Json) -> None:
    once, larger = prepare(read(file)), prepare(read(twice(file)))
    for deal, same in zip(once.deals, larger.deals, strict=True):
        one, two = priced(once, deal, varied=True)[0], priced(larger, same, varied=True)[0]
        assert set(one.by_row) == set(two.by_row)
        for leg, amounts in one.by_row.items():
            assert np.allclose(two.by_row[leg], 2.0 * amounts, rtol=0, atol=1e-9 * one.gross), leg


@USUAL
@given(debt_portfolios())
def test_a_block_is_its_paths_one_by_one(file: Json) -> None:
    ready = prepare(read(file))
    for deal in ready.deals:
        together = priced(ready, deal, varied=True)[0]
        for path in range(PATHS):
            alone = priced(ready, deal, (path,), varied=True)[0]
            for leg, amounts in together.by_row.items():
                mine = alone.by_row.get(leg, np.zeros((alone.rows, 1)))
                assert np.array_equal(amounts[:, path], mine[:, 0]), leg
