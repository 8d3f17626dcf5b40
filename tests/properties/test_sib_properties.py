"""What must hold for any social impact bond, whatever its terms, on blocks of eight paths."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from numpy.typing import NDArray

from socialfinance.core.ledger import MEMO, Ledger, nil_sum
from socialfinance.engine.deal import Outcome, run
from socialfinance.engine.ready import ReadyDeal, ReadyPortfolio, drawn, futures_of, prepare, price_level
from socialfinance.scenarios.sources import Certain
from tests.examples import examples
from tests.models.sib_by_hand import draws_of, plan_case
from tests.models.strategies import Json, portfolios, read

Array = NDArray[np.float64]
USUAL = settings(
    max_examples=examples(16, 40),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
SEED, PATHS = 5, 8
TO_PAYERS: Json = {"above_cap": {"payers": 1.0, "provider": 0.0, "investor": 0.0}}


class Watched(Ledger):
    """A ledger that also keeps every leg by row, and refuses a negative payment."""

    def __init__(self, year_of_row: Any, paths: int) -> None:
        super().__init__(year_of_row, paths)
        self.by_row: dict[tuple[str, str, str], Array] = {}

    def pay(self, row: int, payer: str, payee: str, amount: Any, why: str) -> None:
        """Book it, and look at it."""
        assert np.all(np.asarray(amount) >= 0.0), (row, payer, payee, why, amount)
        leg = self.by_row.setdefault((payer, payee, why), np.zeros((self.rows, self.paths)))
        leg[row] += amount
        super().pay(row, payer, payee, amount, why)

    def flows(self, payers: Any = None, payees: Any = None, reason: str | None = None) -> Array:
        """All that moved between these parties for this reason, by row and path."""
        total = np.zeros((self.rows, self.paths))
        for (payer, payee, why), amounts in self.by_row.items():
            if (payers is None or payer in payers) and (payees is None or payee in payees):
                total += amounts if reason in (None, why) else 0.0
        return total

    @property
    def gross(self) -> float:
        """All cash that moved on the path where most did, pounds; at least one."""
        cash = [amounts.sum(axis=0) for (*_, why), amounts in self.by_row.items() if why not in MEMO]
        return float(max(1.0, *np.sum(cash, axis=0))) if cash else 1.0


def priced(
    ready: ReadyPortfolio, deal: ReadyDeal, paths: Any = range(PATHS), varied: bool = False
) -> tuple[Watched, Outcome]:
    """One deal on some paths, as contracted or with variation."""
    block = np.array(list(paths), dtype=np.uint64)
    common = ready.common(SEED, block)
    ledger = Watched(deal.calendar.year_of_row, len(block))
    structure = deal.varied if varied and deal.varied is not None else deal.own
    futures = futures_of(deal, drawn(deal, common, SEED, block), common)
    return ledger, run(deal, (structure,), futures, price_level(deal, common), (ledger,))[0]


def each(file: Json) -> Any:
    """Every deal of a file in both runs: its ready form, ledger and outcome."""
    ready = prepare(read(file))
    for deal in ready.deals:
        for varied in (False, True):
            yield (ready, deal, *priced(ready, deal, varied=varied))


def parties(deal: ReadyDeal, role: str) -> set[str]:
    """Who fills a role."""
    return {party for party, _ in deal.roles[role]}


def commitment(ready: ReadyPortfolio, deal: ReadyDeal) -> float:
    """Pounds that investors undertake, with the peak need worked by hand."""
    common, terms = ready.common(0, None), deal.deal
    futures = futures_of(deal, Certain(deal.programme.programme.drivers), common)
    draws = draws_of(futures, price_level(deal, common), [], 0)
    assert terms.tariff is not None
    return plan_case(terms.programme, terms.tariff, terms.instrument, draws)[1]  # type: ignore[arg-type]


@USUAL
@given(portfolios())
def test_parties_sum_to_nil_and_no_payment_is_negative(file: Json) -> None:
    for _, _, ledger, _ in each(file):
        if ledger.net:
            assert np.abs(nil_sum(ledger.net)).max() <= 1e-9 * ledger.gross


@USUAL
@given(portfolios(changes=TO_PAYERS))
def test_investors_never_receive_more_than_the_cap(file: Json) -> None:
    for _, deal, ledger, _ in each(file):
        funders, cap = parties(deal, "investor"), deal.deal.instrument.cap
        paid = ledger.flows(payers=funders)
        received = ledger.flows(payees=funders)
        size = paid.sum(axis=0)
        if cap.irr is not None:
            discount = (1.0 + cap.irr) ** (-np.arange(ledger.rows) / 4.0)
            assert np.all(discount @ (received - paid) <= 1e-6 * size + 1e-9)
        if cap.multiple is not None:
            assert np.all(np.cumsum(received, axis=0) <= cap.multiple * np.cumsum(paid, axis=0) + 1e-6)


@USUAL
@given(portfolios())
def test_payers_never_pay_more_than_their_caps_and_the_contract_s(file: Json) -> None:
    for _, deal, ledger, outcome in each(file):
        tariff = deal.deal.tariff
        everybody = np.zeros(ledger.paths)
        for place, (role, payer) in enumerate(tariff.payers.items()):
            payees = parties(deal, "vehicle")
            paid = ledger.flows(parties(deal, role), payees, "outcome payment").sum(axis=0)
            paid = paid + ledger.flows(parties(deal, role), payees, "emergency support").sum(axis=0)
            accepted = outcome.state.vehicle.claims.accepted[place]
            assert np.all(paid <= accepted + 1e-6)
            if payer.cap is not None:
                assert np.all(accepted <= payer.cap + 1e-6)
            everybody = everybody + accepted
        support = ledger.flows(reason="emergency support").sum(axis=0)
        if tariff.cap is not None:  # support is within each payer's cap, but not within the contract's
            assert np.all(everybody - support <= tariff.cap + 1e-6)


@USUAL
@given(portfolios())
def test_no_more_is_drawn_than_was_committed(file: Json) -> None:
    for ready, deal, ledger, _ in each(file):
        funders, bond = parties(deal, "investor"), deal.deal.instrument
        used = np.cumsum(ledger.flows(payers=funders, reason="drawdown"), axis=0)
        if bond.revolving:
            back = sum(
                ledger.flows(payees=funders, reason=why)
                for why in ("capital returned", "termination compensation", "capital protection")
            )
            used[1:] -= np.cumsum(back, axis=0)[:-1]
        committed = commitment(ready, deal)
        assert np.all(used <= committed * (1.0 + 1e-9) + 1e-6)


@USUAL
@given(portfolios())
def test_the_vehicle_is_never_overdrawn_and_ends_with_nothing(file: Json) -> None:
    """Accepted claims still on their way, clawback owed and arrears may remain; cash may not."""
    for _, deal, ledger, _ in each(file):
        (vehicle,) = parties(deal, "vehicle")
        if vehicle in ledger.net:
            cash = np.cumsum(ledger.net[vehicle], axis=0)
            assert cash.min() >= -1e-6
            assert np.abs(cash[-1]).max() <= 1e-9 * ledger.gross + 1e-9


POUNDS = frozenset(
    {
        "per_quarter", "per_user", "one_off", "amount", "cap", "cap_per_person", "per_event", "payment",
        "pays", "prices", "caps", "schedule", "unit_value", "low", "high",
    }
)  # fmt: skip
"""Names under which pounds stand in a file (people under referrals are not pounds)."""


def doubled(x: Any, name: str = "") -> Any:
    """A copy of a file with every amount in pounds doubled."""
    if isinstance(x, dict):
        if name in ("prices", "caps", "unit_value"):
            return {
                key: doubled(value, "pays" if key not in ("distribution",) else "")
                for key, value in x.items()
            }
        kept = (
            "referrals",
            "minimum_referrals",
            "cap",
            "protection",
            "engagement",
            "outcomes",
            "overrun",
            "effect",
        )
        found = {}
        for key, value in x.items():
            if key in kept and isinstance(value, dict):
                found[key] = double_inside(key, value)
            else:
                found[key] = doubled(value, key)
        return found
    if isinstance(x, list):
        return [doubled(one, name) for one in x]
    return 2.0 * x if name in POUNDS and isinstance(x, float) else x


def double_inside(key: str, x: Json) -> Json:
    """The blocks in which a name that means pounds elsewhere means people or a rate."""
    if key == "minimum_referrals":
        return {**x, "payment": 2.0 * x["payment"]}
    if key == "effect" and "pooled_trigger" in x:
        steps = [{**step, "pays": 2.0 * step["pays"]} for step in x.get("steps", [])]
        found = {**x, "steps": steps}
        return found | ({"per_event": 2.0 * x["per_event"]} if "per_event" in x else {})
    return x


def test_doubling_finds_the_pounds() -> None:
    file = {
        "referrals": {"per_quarter": 3.0},
        "costs": {"delivery": {"per_quarter": 5.0, "overrun": {"low": 0.7}, "schedule": [1.0]}},
        "tariff": {"prices": {"housed": 7.0}, "cap": 9.0, "payers": {"nhs": {"cap": 2.0, "share": 1.0}}},
        "instrument": {"cap": {"multiple": 1.3}, "commitment": {"amount": 4.0}},
        "savings": {"beds": {"unit_value": {"distribution": "uniform", "low": 3.0, "high": 5.0}}},
    }
    assert doubled(file) == {
        "referrals": {"per_quarter": 3.0},
        "costs": {"delivery": {"per_quarter": 10.0, "overrun": {"low": 0.7}, "schedule": [2.0]}},
        "tariff": {"prices": {"housed": 14.0}, "cap": 18.0, "payers": {"nhs": {"cap": 4.0, "share": 1.0}}},
        "instrument": {"cap": {"multiple": 1.3}, "commitment": {"amount": 8.0}},
        "savings": {"beds": {"unit_value": {"distribution": "uniform", "low": 6.0, "high": 10.0}}},
    }


@USUAL
@given(portfolios())
def test_twice_the_pounds_twice_every_flow(file: Json) -> None:
    once, twice = prepare(read(file)), prepare(read({**file, "deals": doubled(file["deals"])}))
    for deal, larger in zip(once.deals, twice.deals, strict=True):
        one, two = priced(once, deal, varied=True)[0], priced(twice, larger, varied=True)[0]
        assert set(one.by_row) == set(two.by_row)
        for leg, amounts in one.by_row.items():
            assert np.allclose(two.by_row[leg], 2.0 * amounts, rtol=0, atol=1e-9 * one.gross), leg


@USUAL
@given(portfolios())
def test_a_block_is_its_paths_one_by_one(file: Json) -> None:
    ready = prepare(read(file))
    for deal in ready.deals:
        together = priced(ready, deal, varied=True)[0]
        for path in range(PATHS):
            alone = priced(ready, deal, (path,), varied=True)[0]
            for leg, amounts in together.by_row.items():
                mine = alone.by_row.get(leg, np.zeros((alone.rows, 1)))
                assert np.array_equal(amounts[:, path], mine[:, 0]), leg


@USUAL
@given(portfolios())
def test_variation_changes_nothing_where_the_contract_says_that_it_would_not(file: Json) -> None:
    ready = prepare(read(file))
    for deal in ready.deals:
        own, outcome = priced(ready, deal)
        varied = priced(ready, deal, varied=True)[0]
        same = np.broadcast_to(outcome.state.vehicle.would_change == 0.0, (PATHS,))
        for leg in {*own.by_row, *varied.by_row}:
            nothing = np.zeros((own.rows, PATHS))
            one, other = own.by_row.get(leg, nothing), varied.by_row.get(leg, nothing)
            assert np.array_equal(one[:, same], other[:, same]), leg


def only(file: Json, name: str) -> Json:
    """The file with one deal and nothing that it does not need."""
    deals = {name: file["deals"][name]}
    found = {**file, "deals": deals}
    text = json.dumps(deals)
    for block, names in (("factors", ("economy",)), ("indices", ("wages",))):
        unused = [one for one in names if f'"{one}"' not in text]
        found[block] = {key: value for key, value in file.get(block, {}).items() if key not in unused}
    return found


@settings(USUAL, max_examples=examples(8, 20))
@given(portfolios(deals=3))
def test_a_deal_does_not_change_when_others_stand_beside_it(file: Json) -> None:
    ready = prepare(read(file))
    for deal in ready.deals:
        beside = priced(ready, deal, varied=True)[0]
        by_itself = prepare(read(only(file, deal.name)))
        alone = priced(by_itself, by_itself.deals[0], varied=True)[0]
        assert set(beside.by_row) == set(alone.by_row)
        for leg, amounts in beside.by_row.items():
            assert np.array_equal(amounts, alone.by_row[leg]), leg
