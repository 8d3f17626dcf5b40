"""The engine against the same loan pool worked by hand from the term sheets, payment by payment."""

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
from tests.models.pool_by_hand import Books, Draws, by_hand, draws_of
from tests.models.pool_strategies import pool_files
from tests.models.strategies import Json, read

USUAL = settings(
    max_examples=examples(25, 60),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
SEED = 11
PATHS = np.array([0, 1, 2, 17, 4096], dtype=np.uint64)
CLOSE = 1e-9
Legs = dict[tuple[Any, ...], float]


def plan_draws(ready: ReadyPortfolio, deal: ReadyDeal) -> Draws:
    """The plan's draws."""
    common = ready.common(0, None)
    source = Certain(deal.programme.programme.drivers)
    futures = futures_of(deal, source, common)
    return draws_of(futures, own_draws(deal.own.lowered, source, futures.rows), 0)


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
    return {
        (year, *leg): float(x[year, column])
        for leg, x in ledger.by_year.items()
        for year in range(ledger.years)
    }


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
    """Loans, losses and who bore them; the what was drawn, and the largest arrears."""
    state, figures = outcome.state, {f.measure: f.read for f in outcome.lowered.figures}

    def of(x: Any) -> float:
        return float(x[column]) if np.ndim(x) else float(x)

    size = CLOSE * max(1.0, books.lent, books.worst_arrears)
    for mine, theirs in (
        (books.made, state.made), (books.defaults, state.defaults), (books.lent, state.lent),
        (books.lost, state.lost), (books.drawn, state.drawn), (books.worst_arrears, state.worst_arrears),
        (float(books.stopped), state.stopped),
        (books.lost / books.lent if books.lent else 0.0, figures["loss_rate"](state)),
        (books.lost - sum(books.borne), figures["borne: pool"](state)),
        *zip(books.borne, state.guarantees.owed_back, strict=False),
    ):  # fmt: skip
        assert abs(mine - of(theirs)) <= size


def hold_the_plan(file: Json) -> None:
    """The plan case, row by row."""
    ready = prepare(read(file))
    deal = ready.deals[0]
    common = ready.common(0, None)
    futures = futures_of(deal, Certain(deal.programme.programme.drivers), common)
    ledger = Ledger(deal.calendar.year_of_row, 1, journal=True)
    outcome = run(deal, (deal.own,), futures, price_level(deal, common), (ledger,))[0]
    plan = plan_draws(ready, deal)
    books = by_hand(deal.deal.programme, deal.deal.instrument, plan, plan)  # type: ignore[arg-type]
    same(by_party(deal, books), of_row(ledger))
    same_figures(books, outcome, 0)


def hold_paths(file: Json) -> None:
    """Some paths: a block by year, its last path by row."""
    ready = prepare(read(file))
    deal = ready.deals[0]
    common = ready.common(SEED, PATHS)
    futures = futures_of(deal, drawn(deal, common, SEED, PATHS), common)
    ledger = Ledger(deal.calendar.year_of_row, len(PATHS), journal=True)
    outcome = run(deal, (deal.own,), futures, price_level(deal, common), (ledger,))[0]
    own = own_draws(deal.own.lowered, futures.source, futures.rows)
    plan = plan_draws(ready, deal)
    for column in range(len(PATHS)):
        draws = draws_of(futures, own, column)
        books = by_hand(deal.deal.programme, deal.deal.instrument, plan, draws)  # type: ignore[arg-type]
        same(by_party(deal, books, tuple(deal.calendar.year_of_row)), of_year(ledger, column))
        same_figures(books, outcome, column)
        if column == 0:  # a journal is that of the first path
            same(by_party(deal, books), of_row(ledger))


@USUAL
@given(pool_files())
def test_the_plan_case(file: Json) -> None:
    hold_the_plan(file)


@USUAL
@given(pool_files())
def test_simulated_paths(file: Json) -> None:
    hold_paths(file)


@pytest.mark.slow
@settings(USUAL, max_examples=600)
@given(pool_files())
def test_many_paths(file: Json) -> None:
    hold_the_plan(file)
    hold_paths(file)
