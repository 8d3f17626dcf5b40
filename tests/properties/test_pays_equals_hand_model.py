"""The engine against the same pay-as-you-save deal worked by hand from its pages, payment by payment."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import HealthCheck, assume, given, settings

from socialfinance.core.errors import InputError
from socialfinance.core.ledger import Ledger
from socialfinance.engine.deal import Outcome, own_draws, run
from socialfinance.engine.ready import (
    ReadyDeal,
    ReadyPortfolio,
    ReadyStructure,
    drawn,
    futures_of,
    prepare,
    price_level,
)
from socialfinance.instruments.base import flat
from socialfinance.scenarios.sources import Certain
from tests.examples import examples
from tests.models.pays_by_hand import Deal, pays_by_hand
from tests.models.pays_strategies import pays_portfolios
from tests.models.sib_by_hand import Books, Draws, draws_of
from tests.models.strategies import Json, read
from tests.properties.test_sib_equals_hand_model import CAUSES, CLOSE, by_party, of_row, of_year, same

USUAL = settings(
    max_examples=examples(25, 60),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
SEED = 11
PATHS = np.array([0, 1, 2, 17, 4096], dtype=np.uint64)


def prepared(file: Json) -> ReadyPortfolio:
    """The file made ready; one whose dates do not fit together is no example."""
    try:
        return prepare(read(file))
    except InputError as error:
        assume("long_stop" not in str(error) and "claim_lag" not in str(error) and "floor_" not in str(error))
        raise


def draws_in(deal: ReadyDeal, structure: ReadyStructure, source: Any, common: Any, path: int) -> Draws:
    """One path's draws, those of the structure included."""
    futures = futures_of(deal, source, common)
    by_row = own_draws(structure.lowered, source, futures.rows)
    names = [one.name for one in flat(structure.lowered.draws)]
    own = dict(zip(names, zip(*(flat(row) for row in by_row), strict=True), strict=True))
    exits = [row.vehicle.exits for row in by_row]
    return draws_of(futures, price_level(deal, common), exits, path, own)  # type: ignore[arg-type]


def worked(
    ready: ReadyPortfolio, deal: ReadyDeal, draws: Draws, variation: bool = False
) -> tuple[Books, Deal]:
    """The deal by hand."""
    terms, source = deal.deal, Certain(deal.programme.programme.drivers)
    plan = draws_in(deal, deal.own, source, ready.common(0, None), 0)
    return pays_by_hand(terms.programme, terms.tariff, terms.instrument, plan, draws, variation)  # type: ignore[arg-type]


def same_figures(books: Books, mine: Deal, outcome: Outcome, column: int) -> None:
    """Every figure of the deal, and how it stands in the end."""
    state = outcome.state

    def of(x: Any) -> float:
        return float(x[column]) if np.ndim(x) else float(x)

    terms = mine.tariff.savings
    expected = {
        "drawn": (state.drawn, books.drawn),
        "peak": (state.peak, books.peak_capital),
        "arrears": (state.vehicle.worst_arrears, books.worst_arrears),
        "balance": (state.balance, mine.balance),
        "received": (state.received, mine.received),
        "pot": (state.pot, mine.pot),
        "unpaid": (state.unpaid, mine.unpaid),
        "reinvested": (state.reinvested, mine.reinvested),
    }
    for place, role in enumerate(terms.agencies if terms else ()):
        expected[f"verified, {role}"] = (state.vehicle.savings.verified[place], mine.verified_savings[role])
    size = CLOSE * max(1.0, books.drawn, books.worst_arrears, *mine.verified_savings.values())
    for name, (engine, by_hand) in expected.items():
        assert abs(of(engine) - by_hand) <= size, (name, "by hand", by_hand, "engine", of(engine))
    assert CAUSES[int(of(state.vehicle.exits.cause))] == books.cause


def hold_the_plan_case(file: Json) -> None:
    """The plan case of every deal, row by row."""
    ready = prepared(file)
    for deal in ready.deals:
        common, source = ready.common(0, None), Certain(deal.programme.programme.drivers)
        futures = futures_of(deal, source, common)
        ledger = Ledger(deal.calendar.year_of_row, 1, journal=True)
        outcome = run(deal, (deal.own,), futures, price_level(deal, common), (ledger,))[0]
        books, mine = worked(ready, deal, draws_in(deal, deal.own, source, common, 0))
        same(by_party(deal, books), of_row(ledger))
        same_figures(books, mine, outcome, 0)


def hold_paths(file: Json) -> None:
    """Some paths of every deal as contracted and with variation: a block by year, its last path by row."""
    ready = prepared(file)
    for deal in ready.deals:
        for structure in (deal.own, deal.varied):
            if structure is None:
                continue
            varied = structure is deal.varied
            common = ready.common(SEED, PATHS)
            source = drawn(deal, common, SEED, PATHS)
            ledger = Ledger(deal.calendar.year_of_row, len(PATHS))
            futures = futures_of(deal, source, common)
            outcome = run(deal, (structure,), futures, price_level(deal, common), (ledger,))[0]
            for column in range(len(PATHS)):
                books, mine = worked(ready, deal, draws_in(deal, structure, source, common, column), varied)
                same(by_party(deal, books, deal.calendar.year_of_row), of_year(ledger, column))
                same_figures(books, mine, outcome, column)
            alone = PATHS[-1:]
            common = ready.common(SEED, alone)
            futures = futures_of(deal, drawn(deal, common, SEED, alone), common)
            journal = Ledger(deal.calendar.year_of_row, 1, journal=True)
            run(deal, (structure,), futures, price_level(deal, common), (journal,))
            same(by_party(deal, books), of_row(journal))


@USUAL
@given(pays_portfolios())
def test_the_plan_case(file: Json) -> None:
    hold_the_plan_case(file)


@USUAL
@given(pays_portfolios())
def test_paths_as_contracted_and_with_variation(file: Json) -> None:
    hold_paths(file)
