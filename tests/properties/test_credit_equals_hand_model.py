"""The engine against the same credit line worked by hand from its page, payment by payment."""

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
from tests.models.alternatives import credit_files, files
from tests.models.credit_by_hand import Figures, credit_by_hand
from tests.models.sib_by_hand import Books, Draws, draws_of
from tests.models.strategies import Json, read
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
    exits = [row.exits for row in by_row]
    return draws_of(futures, price_level(deal, common), exits, path, own)  # type: ignore[arg-type]


def worked(
    ready: ReadyPortfolio, deal: ReadyDeal, draws: Draws, variation: bool = False
) -> tuple[Books, Figures]:
    """The deal by hand."""
    terms = deal.deal
    assert terms.tariff is not None
    source = Certain(deal.programme.programme.drivers)
    plan = draws_in(deal, deal.own, source, ready.common(0, None), 0)
    return credit_by_hand(terms.programme, terms.tariff, terms.instrument, plan, draws, variation)  # type: ignore[arg-type]


def same_figures(books: Books, mine: Figures, outcome: Outcome, buffer: float, column: int) -> None:
    """Everything that the structure says of itself."""
    state = outcome.state

    def of(x: Any) -> float:
        return float(x[column]) if np.ndim(x) else float(x)

    expected = {
        "peak_loan": mine.peak_loan,
        "bank_lost": mine.bank_lost,
        "provider_failed": mine.provider_failed,
        "provider_gain": mine.provider_gain,
        "provider_loses": float(mine.provider_gain < -0.005),
        "people_cut_short": mine.people_cut_short,
        "people_turned_away": mine.people_turned_away,
        "stepped_in": mine.stepped_in,
        "buffer_gone": float(mine.paid_in >= buffer - 0.005),
        "unpaid_cost_at_worst": books.worst_arrears,
        "cash_ran_out": float(books.worst_arrears > 0.005),
        **{f"ended_{cause}": float(cause == books.cause) for cause in CAUSES if cause},
    }
    size = CLOSE * max(1.0, books.drawn, books.worst_arrears, *(abs(x.amount) for x in books.journal))
    for figure in outcome.lowered.figures:
        value = of(figure.read(state))
        assert abs(value - expected[figure.measure]) <= size, (figure.measure, value, expected)


def hold(ready: ReadyPortfolio, deal: ReadyDeal, varied: bool) -> None:
    """Some paths of a deal: a block by year, its last path by row."""
    structure = deal.varied if varied else deal.own
    assert structure is not None
    common = ready.common(SEED, PATHS)
    source = drawn(deal, common, SEED, PATHS)
    level = price_level(deal, common)
    ledger = Ledger(deal.calendar.year_of_row, len(PATHS))
    outcome = run(deal, (structure,), futures_of(deal, source, common), level, (ledger,))[0]
    buffer = deal.deal.instrument.buffer
    for column in range(len(PATHS)):
        draws = draws_in(deal, structure, source, common, column)
        books, figures = worked(ready, deal, draws, varied)
        same(by_party(deal, books, deal.calendar.year_of_row), of_year(ledger, column))
        same_figures(books, figures, outcome, buffer, column)
    alone = PATHS[-1:]
    common = ready.common(SEED, alone)
    futures = futures_of(deal, drawn(deal, common, SEED, alone), common)
    journal = Ledger(deal.calendar.year_of_row, 1, journal=True)
    run(deal, (structure,), futures, price_level(deal, common), (journal,))
    same(by_party(deal, books), of_row(journal))


@USUAL
@given(files(credit_files))
def test_the_plan_case(file: Json) -> None:
    ready = prepare(read(file))
    for deal in ready.deals:
        common, source = ready.common(0, None), Certain(deal.programme.programme.drivers)
        ledger = Ledger(deal.calendar.year_of_row, 1, journal=True)
        futures = futures_of(deal, source, common)
        outcome = run(deal, (deal.own,), futures, price_level(deal, common), (ledger,))[0]
        books, figures = worked(ready, deal, draws_in(deal, deal.own, source, common, 0))
        same(by_party(deal, books), of_row(ledger))
        same_figures(books, figures, outcome, deal.deal.instrument.buffer, 0)


@USUAL
@given(files(credit_files))
def test_paths_as_contracted_and_with_variation(file: Json) -> None:
    ready = prepare(read(file))
    for deal in ready.deals:
        for varied in (False, True):
            if not varied or deal.varied is not None:
                hold(ready, deal, varied)
