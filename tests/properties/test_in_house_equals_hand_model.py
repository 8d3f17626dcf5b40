"""In-house delivery against the same worked by hand from its page, payment by payment."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings

from socialfinance.core.ledger import Ledger
from socialfinance.engine.deal import Outcome, run
from socialfinance.engine.ready import ReadyDeal, ReadyPortfolio, drawn, futures_of, prepare, price_level
from socialfinance.scenarios.sources import Certain
from tests.examples import examples
from tests.models.alternatives import files, own_files
from tests.models.in_house_by_hand import InHouse, in_house_by_hand
from tests.models.sib_by_hand import Draws, draws_of
from tests.models.strategies import Json, read
from tests.properties.test_sib_equals_hand_model import CLOSE, by_party, of_row, of_year, same

USUAL = settings(
    max_examples=examples(25, 60),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
SEED = 11
PATHS = np.array([0, 1, 2, 17, 4096], dtype=np.uint64)


def plan_draws(ready: ReadyPortfolio, deal: ReadyDeal) -> Draws:
    """The plan's draws."""
    common = ready.common(0, None)
    source = Certain(deal.programme.programme.drivers)
    return draws_of(futures_of(deal, source, common), price_level(deal, common), [], 0)


def worked(ready: ReadyPortfolio, deal: ReadyDeal, draws: Draws) -> InHouse:
    """The deal by hand."""
    terms = deal.deal
    return in_house_by_hand(
        terms.programme, terms.instrument, plan_draws(ready, deal), draws, deal.calendar.dates
    )


def same_figures(mine: InHouse, outcome: Outcome, column: int) -> None:
    """What is owed at the end, and what the reserve or receipts have lost."""
    expected = {
        "loan_owed_at_end": mine.figures.loan_owed_at_end,
        "reserve_out_at_most": mine.figures.out_at_most,
        "reserve_short_at_end": mine.figures.short_at_end,
        "interest_forgone": mine.figures.forgone,
        "receipts_used": mine.figures.used,
    }
    size = CLOSE * max(1.0, *(abs(one) for one in expected.values()))
    for figure in outcome.lowered.figures:
        found: Any = figure.read(outcome.state)
        value = float(found[column]) if np.ndim(found) else float(found)
        if figure.measure == "reserve_not_repaid":
            assert value == float(mine.figures.short_at_end > 0.005)
            continue
        assert abs(value - expected[figure.measure]) <= size, figure.measure


@USUAL
@given(files(own_files))
def test_the_plan_case(file: Json) -> None:
    ready = prepare(read(file))
    for deal in ready.deals:
        common = ready.common(0, None)
        futures = futures_of(deal, Certain(deal.programme.programme.drivers), common)
        ledger = Ledger(deal.calendar.year_of_row, 1, journal=True)
        outcome = run(deal, (deal.own,), futures, price_level(deal, common), (ledger,))[0]
        mine = worked(ready, deal, plan_draws(ready, deal))
        same(by_party(deal, mine), of_row(ledger))  # type: ignore[arg-type]
        same_figures(mine, outcome, 0)


@USUAL
@given(files(own_files))
def test_paths(file: Json) -> None:
    ready = prepare(read(file))
    for deal in ready.deals:
        common = ready.common(SEED, PATHS)
        futures = futures_of(deal, drawn(deal, common, SEED, PATHS), common)
        level = price_level(deal, common)
        ledger = Ledger(deal.calendar.year_of_row, len(PATHS))
        outcome = run(deal, (deal.own,), futures, level, (ledger,))[0]
        for column in range(len(PATHS)):
            mine = worked(ready, deal, draws_of(futures, level, [], column))
            same(by_party(deal, mine, deal.calendar.year_of_row), of_year(ledger, column))  # type: ignore[arg-type]
            same_figures(mine, outcome, column)
