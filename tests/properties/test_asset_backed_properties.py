"""What must hold for any asset-backed deal and income strip, whatever its terms, on blocks of eight paths."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings

from socialfinance.core.ledger import nil_sum
from socialfinance.engine.ready import prepare
from socialfinance.io.files import load_data
from tests.models.asset_backed_strategies import Json, deals, portfolios, strips
from tests.properties.test_sib_properties import PATHS, Watched, priced

USUAL = settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def each(file: Json) -> Any:
    """The deal of a file, its ledger and its outcome."""
    ready = prepare(load_data(file).portfolio)
    deal = ready.deals[0]
    ledger, outcome = priced(ready, deal)
    return deal, ledger, outcome


def held(ledger: Watched, party: str) -> np.ndarray:
    return np.cumsum(ledger.net.get(party, np.zeros((ledger.rows, ledger.paths))), axis=0)


def of(ledger: Watched, payers: set[str], reason: str) -> np.ndarray:
    return ledger.flows(payers=payers, reason=reason).sum(axis=0)


def parties_sum_to_nil_and_the_vehicle_ends_with_nothing(
    file: Json, deal: Any, ledger: Watched, outcome: Any
) -> None:
    """No payment is below nil (the ledger watches), and cash never is."""
    if ledger.net:
        assert np.abs(nil_sum(ledger.net)).max() <= 1e-9 * ledger.gross
    cash = held(ledger, "deal vehicle")
    assert cash.min() >= -1e-6
    assert np.abs(cash[-1]).max() <= 1e-9 * ledger.gross + 1e-9


def nobody_puts_in_or_makes_good_more_than_was_agreed(
    file: Json, deal: Any, ledger: Watched, outcome: Any
) -> None:
    terms, lowered = deal.deal.instrument, outcome.lowered
    slack = 1e-6 * ledger.gross
    assert np.all(of(ledger, {"fund"}, "drawdown") <= lowered.commitment + slack)
    for role, most in lowered.guaranteed.items():
        party = deal.roles[role][0][0]
        calls = of(ledger, {party}, "guarantee call")
        assert np.all(calls <= most + slack)
    given_in: dict[str, float] = {}
    for entry in terms.capital.values():
        party = deal.roles[entry.by][0][0]
        given_in[party] = given_in.get(party, 0.0) + entry.amount
    for party, amount in given_in.items():
        assert np.all(of(ledger, {party}, "drawdown") <= amount + slack)
    cure = terms.covenants.cure
    if cure is not None:
        party = deal.roles[cure.by][0][0]
        assert np.all(of(ledger, {party}, "cure payment") <= cure.limit + slack)


def the_lender_has_its_rate_and_fees_and_no_more(
    file: Json, deal: Any, ledger: Watched, outcome: Any
) -> None:
    """Discounted at the loan's rate, all that it has beside fees is worth no more than what it paid in."""
    rate = deal.deal.instrument.loan.rate.quarterly()
    discount = (1.0 + rate) ** -np.arange(ledger.rows, dtype=float)
    paid = ledger.flows(payers={"fund"}, reason="drawdown")
    back = sum(ledger.flows(payees={"fund"}, reason=why)
               for why in ("interest", "principal", "guarantee call"))  # fmt: skip
    assert np.all(discount @ (back - paid) <= 1e-9 * ledger.gross + 1e-6)


def capital_without_a_share_of_the_surplus_has_its_rate_and_no_more(
    file: Json, deal: Any, ledger: Watched, outcome: Any
) -> None:
    """Members are paid nothing else, so their receipts at their own rate never exceed what they put in."""
    entry = deal.deal.instrument.capital["members"]
    discount = (1.0 + entry.rate) ** (-np.arange(ledger.rows) / 4.0)
    net = ledger.net.get("members", np.zeros((ledger.rows, ledger.paths)))
    assert np.all(discount @ net <= 1e-9 * ledger.gross + 1e-6)


def nothing_happens_after_all_was_sold(file: Json, deal: Any, ledger: Watched, outcome: Any) -> None:
    sold = ledger.flows(reason="property sale") > 0.0
    after = np.zeros_like(sold)
    after[1:] = np.cumsum(sold, axis=0)[:-1] > 0
    assert np.all(sold.sum(axis=0) <= 1)
    for why in ("sale receipt", "rent", "delivery cost", "ground rent", "grant"):
        assert np.all(ledger.flows(reason=why)[after] <= 1e-9)


CHECKS = (
    parties_sum_to_nil_and_the_vehicle_ends_with_nothing,
    nobody_puts_in_or_makes_good_more_than_was_agreed,
    the_lender_has_its_rate_and_fees_and_no_more,
    capital_without_a_share_of_the_surplus_has_its_rate_and_no_more,
    nothing_happens_after_all_was_sold,
)


@USUAL
@given(portfolios(deals()))
def test_whatever_the_terms(file: Json) -> None:
    deal, ledger, outcome = each(file)
    for check in CHECKS:
        check(file, deal, ledger, outcome)


@settings(USUAL, max_examples=10)
@given(portfolios(deals()))
def test_a_block_is_its_paths_one_by_one(file: Json) -> None:
    ready = prepare(load_data(file).portfolio)
    deal = ready.deals[0]
    together = priced(ready, deal)[0]
    for path in range(0, PATHS, 3):
        alone = priced(ready, deal, (path,))[0]
        for leg, amounts in together.by_row.items():
            mine = alone.by_row.get(leg, np.zeros((alone.rows, 1)))
            assert np.array_equal(amounts[:, path], mine[:, 0]), leg


@settings(USUAL, max_examples=12)
@given(portfolios(strips()))
def test_an_income_strip_pays_its_rent_and_passes_the_property(file: Json) -> None:
    deal, ledger, _ = each(file)
    if ledger.net:
        assert np.abs(nil_sum(ledger.net)).max() <= 1e-9 * ledger.gross
    terms = deal.deal.instrument
    ends = terms.starts + terms.quarters
    rent = ledger.flows(reason="head rent")
    assert np.all(rent[: terms.starts + 1] == 0.0)
    assert np.all(rent[ends + 1 :] == 0.0)
    assert np.all(of(ledger, {"fund"}, "drawdown") <= terms.capital_sum * (1.0 + 1e-12))
    most = deal.own.lowered.maximum["commissioner"]
    paid = rent.sum(axis=0) + of(ledger, {"council"}, "option price")
    assert np.all(paid <= most * (1.0 + 1e-9))
    paid_in, back = ledger.of_role("investor")
    assert np.allclose(back.sum(axis=0), paid)
    assert np.allclose(paid_in.sum(axis=0), of(ledger, {"fund"}, "drawdown"))
