"""The engine against the same guaranteed debt worked by hand from its pages, payment by payment."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings

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
from tests.models.debt_by_hand import Figures, debt_by_hand
from tests.models.sib_by_hand import Books, Draws, draws_of
from tests.models.strategies import Json, debt_portfolios, read
from tests.properties.test_sib_equals_hand_model import CAUSES, CLOSE, by_party, of_row, of_year, same

USUAL = settings(
    max_examples=examples(25, 60),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
SEED = 11
PATHS = np.array([0, 1, 2, 17, 4096], dtype=np.uint64)


def draws_in(deal: ReadyDeal, structure: ReadyStructure, source: Any, common: Any, path: int) -> Draws:
    """One path's draws, those of the structure included."""
    futures = futures_of(deal, source, common)
    by_row = own_draws(structure.lowered, source, futures.rows)
    names = [one.name for one in flat(structure.lowered.draws)]
    own = dict(zip(names, zip(*(flat(row) for row in by_row), strict=True), strict=True))
    exits = [row.vehicle.exits for row in by_row]
    return draws_of(futures, price_level(deal, common), exits, path, own)  # type: ignore[arg-type]


def plan_draws(ready: ReadyPortfolio, deal: ReadyDeal) -> Draws:
    """The plan's draws."""
    source = Certain(deal.programme.programme.drivers)
    return draws_in(deal, deal.own, source, ready.common(0, None), 0)


def worked(
    ready: ReadyPortfolio, deal: ReadyDeal, draws: Draws, variation: bool = False
) -> tuple[Books, Figures]:
    """The deal by hand."""
    terms = deal.deal
    assert terms.tariff is not None
    plan = plan_draws(ready, deal)
    return debt_by_hand(terms.programme, terms.tariff, terms.instrument, plan, draws, variation)  # type: ignore[arg-type]


def same_figures(books: Books, mine: Figures, outcome: Outcome, column: int) -> None:
    """Drawn, arrears, cause of the end, and every figure that the deal adds."""
    state = outcome.state

    def of(x: Any) -> float:
        return float(x[column]) if np.ndim(x) else float(x)

    read_off = {one.measure: of(one.read(state)) for one in outcome.lowered.figures}
    expected = {
        "payment_missed": float(mine.payment_missed),
        "called_in": float(mine.called_in),
        "peak_loan": mine.peak_loan,
        "loss_covered": mine.loss_covered,
        "loss_uncovered": mine.written_off,
        "loss_before_guarantees": mine.loss_covered + mine.written_off,
    }
    size = CLOSE * max(1.0, books.drawn, books.worst_arrears)
    for measure, value in expected.items():
        assert abs(read_off[measure] - value) <= size, (
            measure,
            "by hand",
            value,
            "engine",
            read_off[measure],
        )
    assert abs(of(state.drawn) - books.drawn) <= size
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
        books, figures = worked(ready, deal, plan_draws(ready, deal))
        same(by_party(deal, books), of_row(ledger))
        same_figures(books, figures, outcome, 0)


def hold_paths(file: Json) -> None:
    """Some paths of every deal as contracted and with variation: a block by year, its last path by row."""
    ready = prepare(read(file))
    for deal in ready.deals:
        for structure in (deal.own, deal.varied):
            if structure is None:
                continue
            varied = structure is deal.varied
            common = ready.common(SEED, PATHS)
            source = drawn(deal, common, SEED, PATHS)
            level = price_level(deal, common)
            ledger = Ledger(deal.calendar.year_of_row, len(PATHS))
            futures = futures_of(deal, source, common)
            outcome = run(deal, (structure,), futures, level, (ledger,))[0]
            for column in range(len(PATHS)):
                draws = draws_in(deal, structure, source, common, column)
                books, figures = worked(ready, deal, draws, varied)
                same(by_party(deal, books, deal.calendar.year_of_row), of_year(ledger, column))
                same_figures(books, figures, outcome, column)
            alone = PATHS[-1:]
            common = ready.common(SEED, alone)
            futures = futures_of(deal, drawn(deal, common, SEED, alone), common)
            journal = Ledger(deal.calendar.year_of_row, 1, journal=True)
            run(deal, (structure,), futures, price_level(deal, common), (journal,))
            same(by_party(deal, books), of_row(journal))


@USUAL
@given(debt_portfolios())
def test_the_plan_case(file: Json) -> None:
    hold_the_plan_case(file)


@USUAL
@given(debt_portfolios())
def test_paths_as_contracted_and_with_variation(file: Json) -> None:
    hold_paths(file)
