"""What must hold in house, on a credit line and on a grant, whatever the terms, on blocks of eight paths."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from socialfinance.core.ledger import nil_sum
from socialfinance.engine.ready import ReadyDeal, prepare
from tests.examples import examples
from tests.models.alternatives import credit_files, files, grant_files, own_files
from tests.models.strategies import Json, read
from tests.properties.test_sib_properties import Watched, priced

USUAL = settings(
    max_examples=examples(12, 30),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
ANY = st.one_of(files(own_files), files(credit_files), files(grant_files))


def each(file: Json) -> Any:
    """The deal in both runs: its ready form, ledger and outcome."""
    ready = prepare(read(file))
    for deal in ready.deals:
        for varied in (False, True) if deal.varied is not None else (False,):
            yield (deal, *priced(ready, deal, varied=varied))


def by(deal: ReadyDeal, role: str) -> set[str]:
    """Who fills a role."""
    return {party for party, _ in deal.roles[role]}


def so_far(ledger: Watched, *legs: tuple[Any, Any, str]) -> np.ndarray:
    """What has moved for these reasons up to each row: received less given back, by sign of the leg."""
    return np.cumsum(sum(ledger.flows(payers, payees, why) for payers, payees, why in legs), axis=0)


@USUAL
@given(ANY)
def test_parties_sum_to_nil_and_no_payment_is_negative(file: Json) -> None:
    for _, ledger, _ in each(file):
        if ledger.net:
            assert np.abs(nil_sum(ledger.net)).max() <= 1e-9 * ledger.gross


@USUAL
@given(st.one_of(files(credit_files), files(grant_files)))
def test_the_account_is_never_overdrawn_and_ends_with_nothing(file: Json) -> None:
    for deal, ledger, _ in each(file):
        (vehicle,) = by(deal, "vehicle")
        if vehicle in ledger.net:
            cash = np.cumsum(ledger.net[vehicle], axis=0)
            assert cash.min() >= -1e-6
            assert np.abs(cash[-1]).max() <= 1e-9 * ledger.gross + 1e-9


@USUAL
@given(files(credit_files))
def test_neither_line_nor_buffer_is_ever_overstretched(file: Json) -> None:
    """At the end of a row the line is within its limit, the buffer within its pounds, neither below nil."""
    for deal, ledger, outcome in each(file):
        bank, provider, vehicle = by(deal, "investor"), by(deal, "provider"), by(deal, "vehicle")
        line = so_far(ledger, (bank, vehicle, "drawdown")) - so_far(ledger, (vehicle, bank, "principal"))
        assert line.max() <= deal.own.lowered.commitment * (1.0 + 1e-9) + 1e-6
        assert line.min() >= -1e-6
        own = so_far(ledger, (provider, vehicle, "drawdown"))
        own -= so_far(ledger, (vehicle, provider, "capital returned"))
        assert own.max() <= deal.deal.instrument.buffer + 1e-6
        assert own.min() >= -1e-6
        lives = np.broadcast_to(outcome.state.failed, (ledger.paths,)) == 0.0
        paid = ledger.flows(payees=bank, reason="termination compensation").sum(axis=0)
        assert np.all(np.abs(line[-1] - paid)[lives] <= 1e-6 * ledger.gross + 1e-6)


@USUAL
@given(files(credit_files))
def test_payers_pay_no_more_than_their_caps_and_nothing_under_another_provider(file: Json) -> None:
    for deal, ledger, _ in each(file):
        tariff, vehicle = deal.deal.tariff, by(deal, "vehicle")
        everybody = np.zeros(ledger.paths)
        for role, payer in tariff.payers.items():
            paid = ledger.flows(by(deal, role), vehicle, "outcome payment").sum(axis=0)
            everybody = everybody + paid
            if payer.cap is not None:
                assert np.all(paid <= payer.cap + 1e-6)
        if tariff.cap is not None:
            assert np.all(everybody <= tariff.cap + 1e-6)


@USUAL
@given(files(credit_files, {"step_in": {"after_quarters": 1, "cost": 100.0}}))
def test_who_steps_in_pays_the_whole_cost_and_once_for_the_start(file: Json) -> None:
    """Service payments of the commissioner are what recipients then spend, in the rows after the gap."""
    for deal, ledger, outcome in each(file):
        commissioner = by(deal, "commissioner")
        service = ledger.flows(payers=commissioner, reason="service payment").sum(axis=0)
        stepped = np.broadcast_to(outcome.state.stepped_in, (ledger.paths,)) > 0.0
        once = ledger.flows(commissioner, {"outside"}, "other cost").sum(axis=0)
        assert np.all(np.abs(once - 100.0 * stepped) <= 1e-9)
        assert np.all(service[~stepped] == 0.0)


@USUAL
@given(files(own_files))
def test_a_reserve_is_never_given_more_than_it_is_owed(file: Json) -> None:
    for deal, ledger, _ in each(file):
        terms = deal.deal.instrument
        if getattr(terms, "reserve", None) is None:
            continue
        reserve, council = by(deal, "reserve"), by(deal, "commissioner")
        taken = so_far(ledger, (reserve, council, "drawdown"))
        out = taken - so_far(ledger, (None, reserve, "principal"))
        assert out.min() >= -1e-6
        assert out.max() <= (terms.reserve.amount or np.inf) + 1e-6
        saved = so_far(ledger, ({"outside"}, by(deal, terms.reserve.repaid_by), "saving"))
        back = so_far(ledger, (None, reserve, "principal"), (None, reserve, "interest"))
        assert np.all(back <= terms.reserve.share * saved + 1e-6 * ledger.gross)


@USUAL
@given(files(own_files))
def test_what_is_borrowed_is_repaid_or_still_owed(file: Json) -> None:
    for _, ledger, outcome in each(file):
        drawn = ledger.flows(payers={"pwlb"}, reason="drawdown").sum(axis=0)
        repaid = ledger.flows(payees={"pwlb"}, reason="principal").sum(axis=0)
        owed = outcome.lowered.figures[0].read(outcome.state)
        assert np.all(np.abs(drawn - repaid - owed) <= 1e-9 * ledger.gross)


@USUAL
@given(files(grant_files))
def test_a_grant_is_never_more_than_agreed_and_only_what_is_unspent_comes_back(file: Json) -> None:
    for deal, ledger, _ in each(file):
        terms, funder, vehicle = deal.deal.instrument, by(deal, "investor"), by(deal, "vehicle")
        granted = ledger.flows(funder, vehicle, "grant").sum(axis=0)
        assert np.all(granted <= terms.amount + 1e-6)
        back = ledger.flows(vehicle, funder, "clawback").sum(axis=0)
        assert np.all(back <= (1.0 - terms.overheads) * granted + 1e-6)
        if deal.deal.tariff is None:
            assert not ledger.flows(payees=vehicle).any() or np.all(
                np.abs(ledger.flows(payees=vehicle).sum(axis=0) - granted) <= 1e-6
            )


@settings(USUAL, max_examples=examples(6, 15))
@given(ANY)
def test_a_block_is_its_paths_one_by_one(file: Json) -> None:
    ready = prepare(read(file))
    for deal in ready.deals:
        together = priced(ready, deal)[0]
        for path in range(together.paths):
            alone = priced(ready, deal, (path,))[0]
            for leg, amounts in together.by_row.items():
                mine = alone.by_row.get(leg, np.zeros((alone.rows, 1)))
                assert np.array_equal(amounts[:, path], mine[:, 0]), leg


@pytest.mark.parametrize("of", [own_files, credit_files, grant_files])
def test_every_kind_of_file_is_drawn(of: Any) -> None:
    """The strategies reach what they are for: failures, reserves, missed milestones."""
    found: set[str] = set()
    expected = {
        own_files: {"loan_owed_at_end", "reserve_not_repaid", "interest_forgone", "receipts_used"},
        credit_files: {"provider_failed", "bank_lost", "buffer_gone", "stepped_in", "people_cut_short",
                       "people_turned_away", "ended_insolvency", "ended_policy"},
        grant_files: {"unspent_returned", "grantees_own_contribution", "not_all_released", "contributed"},
    }  # fmt: skip

    @settings(USUAL, max_examples=400 if of is own_files else 60)  # a loan that is still owed is rare
    @given(files(of))
    def look(file: Json) -> None:
        if found >= expected[of]:
            return
        for deal, _, outcome in each(file):
            for figure in outcome.lowered.figures:
                if np.any(np.asarray(figure.read(outcome.state)) > 0.0):
                    found.add(figure.measure.split(":")[0])
            found.add(deal.deal.instrument.kind)

    look()
    assert found >= expected[of]
