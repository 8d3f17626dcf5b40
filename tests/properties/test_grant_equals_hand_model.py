"""The engine against the same grant worked by hand from its page, payment by payment."""

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
from tests.models.alternatives import files, grant_files
from tests.models.grant_by_hand import Figures, grant_by_hand
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


def worked(ready: ReadyPortfolio, deal: ReadyDeal, draws: Draws) -> tuple[Books, Figures]:
    """The deal by hand."""
    terms = deal.deal
    source = Certain(deal.programme.programme.drivers)
    plan = draws_in(deal, deal.own, source, ready.common(0, None), 0)
    return grant_by_hand(terms.programme, terms.tariff, terms.instrument, plan, draws)  # type: ignore[arg-type]


def same_figures(books: Books, mine: Figures, outcome: Outcome, amount: float, column: int) -> None:
    """Everything that the structure says of itself."""

    def of(x: Any) -> float:
        return float(x[column]) if np.ndim(x) else float(x)

    expected = {
        "granted": mine.granted,
        "unspent_returned": mine.returned,
        "grantees_own_contribution": mine.carried,
        "carried_by_grantees_at_worst": mine.most_carried,
        "not_all_released": float(mine.granted < amount - 0.005),
        **{f"ended_{cause}": float(cause == books.cause) for cause in CAUSES if cause},
    }
    size = CLOSE * max(1.0, amount, mine.most_carried)
    for figure in outcome.lowered.figures:
        value, measure = of(figure.read(outcome.state)), figure.measure
        wanted = mine.impact if measure.startswith("contributed: ") else expected[measure]
        assert abs(value - wanted) <= size, (measure, value, wanted)


@USUAL
@given(files(grant_files))
def test_the_plan_case(file: Json) -> None:
    ready = prepare(read(file))
    for deal in ready.deals:
        common, source = ready.common(0, None), Certain(deal.programme.programme.drivers)
        ledger = Ledger(deal.calendar.year_of_row, 1, journal=True)
        futures = futures_of(deal, source, common)
        outcome = run(deal, (deal.own,), futures, price_level(deal, common), (ledger,))[0]
        books, figures = worked(ready, deal, draws_in(deal, deal.own, source, common, 0))
        same(by_party(deal, books), of_row(ledger))
        same_figures(books, figures, outcome, deal.deal.instrument.amount, 0)


@USUAL
@given(files(grant_files))
def test_paths(file: Json) -> None:
    ready = prepare(read(file))
    for deal in ready.deals:
        common = ready.common(SEED, PATHS)
        source = drawn(deal, common, SEED, PATHS)
        ledger = Ledger(deal.calendar.year_of_row, len(PATHS))
        futures = futures_of(deal, source, common)
        outcome = run(deal, (deal.own,), futures, price_level(deal, common), (ledger,))[0]
        for column in range(len(PATHS)):
            draws = draws_in(deal, deal.own, source, common, column)
            books, figures = worked(ready, deal, draws)
            same(by_party(deal, books, deal.calendar.year_of_row), of_year(ledger, column))
            same_figures(books, figures, outcome, deal.deal.instrument.amount, column)
