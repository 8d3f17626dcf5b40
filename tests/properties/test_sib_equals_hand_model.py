"""The engine against the same deal worked by hand from the term sheets, payment by payment."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from socialfinance.core.ledger import Ledger
from socialfinance.engine.deal import Outcome, own_draws, run
from socialfinance.engine.ready import ReadyDeal, ReadyPortfolio, drawn, futures_of, prepare, price_level
from socialfinance.scenarios.sources import Certain
from tests.examples import examples
from tests.models.sib_by_hand import Books, Draws, by_hand, draws_of
from tests.models.strategies import Json, portfolios, read

USUAL = settings(
    max_examples=examples(25, 60),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
SEED = 11
PATHS = np.array([0, 1, 2, 17, 4096], dtype=np.uint64)
CAUSES = ("", "performance", "voluntary", "policy", "insolvency")
CLOSE = 1e-9
Legs = dict[tuple[Any, ...], float]


def plan_draws(ready: ReadyPortfolio, deal: ReadyDeal) -> Draws:
    """The plan's draws."""
    common = ready.common(0, None)
    source = Certain(deal.programme.programme.drivers)
    return draws_of(futures_of(deal, source, common), price_level(deal, common), [], 0)


def worked(ready: ReadyPortfolio, deal: ReadyDeal, draws: Draws, variation: bool = False) -> Books:
    """The deal by hand."""
    terms = deal.deal
    assert terms.tariff is not None
    plan = plan_draws(ready, deal)
    return by_hand(terms.programme, terms.tariff, terms.instrument, plan, draws, variation)  # type: ignore[arg-type]


def by_party(deal: ReadyDeal, books: Books, years: tuple[int, ...] | None = None) -> Legs:
    """The journal by row (or financial year), parties and reason."""
    found: Legs = defaultdict(float)
    for entry in books.journal:
        when = entry.row if years is None else years[entry.row]
        for payer, part in deal.roles[entry.payer]:
            for payee, share in deal.roles[entry.payee]:
                found[when, payer, payee, entry.reason] += entry.amount * part * share
    return found


def of_year(ledger: Ledger, column: int) -> Legs:
    """The ledger of one path of a block by financial year."""
    legs = {**ledger.by_year, **ledger.memo_by_year}
    return {(year, *leg): float(x[year, column]) for leg, x in legs.items() for year in range(ledger.years)}


def of_row(ledger: Ledger) -> Legs:
    """The journal of a ledger."""
    found: Legs = defaultdict(float)
    for entry in ledger.journal or []:
        found[entry.row, entry.payer, entry.payee, entry.reason] += entry.amount
    return found


def same(mine: Legs, theirs: Legs) -> None:
    """Every payment within 1e-9 of the largest."""
    size = max([1.0, *mine.values()])
    for leg in {*mine, *theirs}:
        one, other = mine.get(leg, 0.0), theirs.get(leg, 0.0)
        assert abs(one - other) <= CLOSE * size, (leg, "by hand", one, "engine", other)


def same_figures(books: Books, outcome: Outcome, column: int) -> None:
    """Drawn, peak capital, worst arrears, cause of the end."""
    state = outcome.state

    def of(x: Any) -> float:
        return float(np.broadcast_to(x, (column + 1,))[column]) if np.ndim(x) == 0 else float(x[column])

    size = CLOSE * max(1.0, books.drawn, books.worst_arrears)
    assert abs(of(state.drawn) - books.drawn) <= size
    assert abs(of(state.peak) - books.peak_capital) <= size
    assert abs(of(state.vehicle.worst_arrears) - books.worst_arrears) <= size
    assert CAUSES[int(of(state.vehicle.exits.cause))] == books.cause


def hold_the_plan_case(file: Json) -> None:
    """The plan case of every deal, row by row."""
    ready = prepare(read(file))
    for deal in ready.deals:
        common = ready.common(0, None)
        futures = futures_of(deal, Certain(deal.programme.programme.drivers), common)
        ledger = Ledger(deal.calendar.year_of_row, 1, journal=True)
        outcome = run(deal, (deal.own,), futures, price_level(deal, common), (ledger,))[0]
        books = worked(ready, deal, plan_draws(ready, deal))
        same(by_party(deal, books), of_row(ledger))
        same_figures(books, outcome, 0)


def hold_paths(file: Json) -> None:
    """Some paths of every deal as contracted and with variation: a block by year, its last path by row."""
    ready = prepare(read(file))
    for deal in ready.deals:
        for structure in (deal.own, deal.varied):
            if structure is None:
                continue
            varied = structure is deal.varied
            common = ready.common(SEED, PATHS)
            futures = futures_of(deal, drawn(deal, common, SEED, PATHS), common)
            level = price_level(deal, common)
            ledger = Ledger(deal.calendar.year_of_row, len(PATHS))
            outcome = run(deal, (structure,), futures, level, (ledger,))[0]
            draws = own_draws(deal.own.lowered, futures.source, futures.rows)
            exits = [one.exits for one in draws]
            for column in range(len(PATHS)):
                books = worked(ready, deal, draws_of(futures, level, exits, column), varied)
                same(by_party(deal, books, deal.calendar.year_of_row), of_year(ledger, column))
                same_figures(books, outcome, column)
            alone = PATHS[-1:]
            common = ready.common(SEED, alone)
            futures = futures_of(deal, drawn(deal, common, SEED, alone), common)
            journal = Ledger(deal.calendar.year_of_row, 1, journal=True)
            run(deal, (structure,), futures, price_level(deal, common), (journal,))
            same(by_party(deal, books), of_row(journal))


@USUAL
@given(portfolios())
def test_the_plan_case(file: Json) -> None:
    hold_the_plan_case(file)


@USUAL
@given(portfolios())
def test_paths_as_contracted_and_with_variation(file: Json) -> None:
    hold_paths(file)


# --- where the two once differed ---------------------------------------------------------------------


def small(tariff: Json, bond: Json, cost: Json, effect: Json | None = None) -> Json:
    """Ten people a quarter for a year, half of whom are housed a quarter later (or an evaluated effect)."""
    roles = list(tariff["payers"])
    measured: Json = {"outcomes": {"housed": {"probability": 0.5}}} if effect is None else {"effect": effect}
    people = {"schedule": [10.0, 10.0, 10.0, 10.0], "arrival": "as planned"}
    instrument = {"kind": "social-impact-bond", "reserve_quarters": 0, "commitment": {"amount": 50000.0}}
    return {
        "name": "small",
        "start": "2025-07-01",
        "quarters": 12,
        "discount": {"rate": 0.035},
        "comparison": {"pwlb_method": "maturity", "pwlb_term_years": 1},
        "parties": {role: {"kind": "council"} for role in roles}
        | {"charity": {"kind": "provider"}, "fund": {"kind": "investor"}},
        "deals": {
            "a": {
                "programme": {
                    "title": "Small",
                    "referrals": people,
                    "costs": {"delivery": {"last_quarter": 5, **cost}},
                    **measured,
                },
                "tariff": tariff,
                "instrument": instrument | bond,
                "parties": {role: role for role in roles} | {"provider": "charity", "investor": "fund"},
            }
        },
    }


ONE_PAYER: Json = {"payers": {"council": {"share": 1.0}}, "prices": {"housed": 4000.0}}


def in_the_plan(file: Json, reason: str) -> float:
    """Pounds paid for a reason in the plan case, after holding it against the hand model."""
    hold_the_plan_case(file)
    ready = prepare(read(file))
    deal = ready.deals[0]
    books = worked(ready, deal, plan_draws(ready, deal))
    return sum(entry.amount for entry in books.journal if entry.reason == reason)


@pytest.mark.parametrize("cost", [1000.37, 1001.37, 1003.37])
def test_a_rounding_error_is_not_a_drawing(cost: float) -> None:
    """All cost is reimbursed: nothing is drawn, so nobody is owed a return and the payers get the surplus."""
    payers = {"first": {"share": 0.3333}, "second": {"share": 0.3333}, "third": {"share": 0.3334}}
    tariff = {"payers": payers, "prices": {"housed": 400.0}}
    file = small(tariff, {}, {"per_quarter": cost, "inside_cap": False})
    assert in_the_plan(file, "investor return") == 0.0
    assert in_the_plan(file, "surplus share") == pytest.approx(8000.0)


@pytest.mark.parametrize("cap", [{"irr": 0.0}, {"multiple": 1.0}])
@pytest.mark.parametrize("cost", range(1000, 1020))
def test_capital_is_back_when_a_rounding_error_is_not(cost: int, cap: Json) -> None:
    """At a cap of nil capital exhausts the room; the provider's deferred tenth is then due."""
    bond = {"cap": cap, "provider_at_risk": 0.1}
    file = small(ONE_PAYER, bond, {"per_quarter": cost + 0.37})
    assert in_the_plan(file, "deferred fee") == pytest.approx(0.5 * (cost + 0.37))


def test_an_effect_paid_before_is_taken_off_like_for_like() -> None:
    """40 people x 2 events x 20% x £1,000, half refused, is £8,000, however it is split over cohorts."""
    cohorts = {
        name: {"first_quarter": first, "last_quarter": first + 1, "measured_quarter": report,
               "people": 20.0, "controls": 20.0}
        for name, first, report in (("one", 1, 3), ("two", 3, 6))
    }  # fmt: skip
    payment = {"pooled_trigger": 0.05, "cohort_trigger": 0.1, "per_event": 1000.0}
    tariff = {"payers": {"council": {"share": 1.0}}, "effect": payment, "rejected": 0.5}
    file = small(tariff, {}, {"per_quarter": 1000.0}, {"true": 0.2, "baseline": 2.0, "cohorts": cohorts})
    assert in_the_plan(file, "outcome payment") == pytest.approx(8000.0)


def test_a_late_first_tranche_does_not_change_the_plan() -> None:
    """The peak need is that of the plan, in which money is there when it is needed."""
    late = {"commitment": {"peak_need": 1.0}, "tranches": {"only": {"share": 1.0, "from_quarter": 6}}}
    at_once = {**late, "tranches": {"only": {"share": 1.0}}}
    cost = {"per_quarter": 1000.0, "first_quarter": 0}
    committed = [
        prepare(read(small(ONE_PAYER, bond, cost))).deals[0].own.lowered.terms.tranche
        for bond in (late, at_once)
    ]
    assert committed[0] == committed[1]
    hold_the_plan_case(small(ONE_PAYER, late, cost))
