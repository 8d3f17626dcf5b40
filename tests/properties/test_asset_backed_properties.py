"""What must hold for any way to pay for a development, whatever its terms, on blocks of eight paths."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from socialfinance.core.ledger import nil_sum
from socialfinance.engine.ready import prepare
from socialfinance.io.files import load_data
from tests.examples import examples
from tests.models.asset_backed_strategies import Json, council_builds, deals, portfolios, strips
from tests.properties.test_debt_properties import double
from tests.properties.test_sib_properties import PATHS, Watched, priced

USUAL = settings(
    max_examples=examples(12, 30),
    deadline=None,
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


@settings(USUAL, max_examples=examples(5, 10))
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


@settings(USUAL, max_examples=examples(6, 12))
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


@settings(USUAL, max_examples=examples(8, 20))
@given(portfolios(strips()))
def test_head_rent_rises_within_its_collar_at_reviews_and_never_between(file: Json) -> None:
    """Once all of the capital sum is paid, a rent over that of the row before is the rise of a review."""
    deal, ledger, _ = each(file)
    terms = deal.deal.instrument
    _, smallest, largest = terms.indexation.limits()
    rent, paid = ledger.flows(reason="head rent"), np.cumsum(ledger.flows(reason="drawdown"), axis=0)
    for row in range(terms.starts + 2, terms.starts + terms.quarters + 1):
        settled = (rent[row - 1] > 0.0) & (paid[row] == paid[row - 2])
        rise = rent[row][settled] / rent[row - 1][settled]
        reviewed = (row - 1 - terms.starts) % terms.indexation.every == 0
        low, high = (smallest, largest) if reviewed else (1.0, 1.0)
        assert np.all((rise >= low * (1.0 - 1e-12)) & (rise <= high * (1.0 + 1e-12))), row


@settings(USUAL, max_examples=examples(8, 20))
@given(portfolios(strips()))
def test_a_council_takes_what_is_worth_its_option_and_owns_nothing_else(file: Json) -> None:
    deal, ledger, outcome = each(file)
    terms = deal.deal.instrument
    ends = terms.starts + terms.quarters
    passed = ledger.flows(reason="property in kind")
    taken = passed[ends] >= max(terms.option, 1e-9)
    assert np.all(passed.sum(axis=0) == passed[ends])
    assert np.allclose(ledger.flows(reason="option price")[ends][taken], terms.option)
    if terms.option > 0.0:
        after = (ledger.flows(reason="rent") + ledger.flows(payers={"council"}))[ends + 1 :]
        assert np.all(after[:, ~taken] == 0.0)
        assert np.array_equal(column(outcome, "option_lapsed", ledger.paths), ~taken)


@settings(USUAL, max_examples=examples(8, 20))
@given(portfolios(council_builds()))
def test_a_council_that_builds_owes_what_it_borrowed_and_has_not_repaid(file: Json) -> None:
    """Parties sum to nil, nothing is borrowed for running cost, and the rest of each loan is still owed."""
    _, ledger, outcome = each(file)
    if ledger.net:
        assert np.abs(nil_sum(ledger.net)).max() <= 1e-9 * ledger.gross
    borrowed, repaid = of(ledger, {"pwlb"}, "drawdown"), of(ledger, {"council"}, "principal")
    owed = column(outcome, "loan_owed_at_end", ledger.paths)
    assert np.all(np.abs(borrowed - repaid - owed) <= 1e-9 * ledger.gross + 1e-5)
    built = ledger.flows(payees={"builder", "agents"}, reason="service payment")
    assert np.all(ledger.flows(payers={"pwlb"}) <= built + 1e-9 * ledger.gross)


def column(outcome: Any, measure: str, paths: int) -> np.ndarray:
    """A figure of the structure by path."""
    figure = next(f for f in outcome.lowered.figures if f.measure == measure)
    return np.broadcast_to(np.asarray(figure.read(outcome.state)), (paths,))


def twice(file: Json) -> Json:
    """A copy of a file with every amount in pounds doubled, of what is built and of who pays for it."""
    found = deepcopy(file)
    deal = found["deals"]["deal"]
    what, terms = deal["programme"], deal["instrument"]
    double(what["land"], "value")
    for one in (*what["sales"].values(), *what["lettings"].values()):
        double(one, "price", "rent")
    for line in what["costs"].values():
        double(line, "works", "one_off", "per_quarter", "per_unit")
    double(what.get("grant", {}), "amount")
    for saving in what.get("savings", {}).values():
        saving["unit_value"] = larger(saving["unit_value"])
    double(terms, "capital_sum", "rent", "option")
    double(terms.get("fee", {}), "least")
    double(terms.get("loan", {}).get("commitment", {}), "amount")
    land = terms.get("land", {})
    if land.get("agreed") is not None:
        double(land, "agreed")
    double(land, "ground_rent")
    for entry in terms.get("capital", {}).values():
        double(entry, "amount")
    double(terms.get("covenants", {}).get("cure", {}), "limit")
    double(terms.get("overage") or {}, "above")
    for layer in terms.get("layers", []):
        double(layer, "cap", "cap_a_year")
        for step in layer.get("schedule", []):
            double(step, "amount")
    return found


def larger(value: Any) -> Any:
    """A number, or the bounds or level of a distribution of pounds, doubled."""
    if not isinstance(value, dict):
        return 2.0 * value
    names = ("low", "high", "start", "mean", "volatility")
    return {key: 2.0 * x if key in names else x for key, x in value.items()}


@settings(USUAL, max_examples=examples(10, 25))
@given(portfolios(st.one_of(deals(), strips(), council_builds())))
def test_twice_the_pounds_twice_every_flow(file: Json) -> None:
    one, two = each(file)[1], each(twice(file))[1]
    assert set(one.by_row) == set(two.by_row)
    for leg, amounts in one.by_row.items():
        assert np.allclose(two.by_row[leg], 2.0 * amounts, rtol=0, atol=1e-9 * one.gross), leg
