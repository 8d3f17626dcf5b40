"""The engine against the same development and deal worked by hand from the pages, payment by payment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from socialfinance.core.ledger import Ledger
from socialfinance.engine.deal import Outcome, own_draws, run
from socialfinance.engine.ready import ReadyDeal, ReadyPortfolio, drawn, futures_of, prepare, price_level
from socialfinance.io.files import load_data
from socialfinance.programmes.development import Development
from socialfinance.scenarios.sources import Certain, at
from tests.examples import examples
from tests.models.asset_backed_by_hand import Books, Draws, asset_backed
from tests.models.asset_backed_strategies import Json, deals, portfolios

USUAL = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
SEED = 19
PATHS = np.array([0, 1, 17, 4096], dtype=np.uint64)
CLOSE = 1e-9
Legs = dict[tuple[Any, ...], float]
ByHand = Callable[[Any, Any, Draws, Draws], Books]


def column(x: Any, i: int) -> float:
    return float(x[i]) if isinstance(x, np.ndarray) and x.ndim else float(x)


def draws_of(ready: ReadyPortfolio, deal: ReadyDeal, futures: Any, common: Any, level: Any, i: int) -> Draws:
    """What one path of a block (or the plan case) drew, in the words of the hand model."""
    what: Development = deal.deal.programme
    rows = futures.rows
    raw: dict[str, Any] = {
        "land.market": futures.land, "planning.delay": futures.decision_delay,
        "planning.granted": futures.consent, "planning.gain": futures.gain,
        "build.delay": futures.build_delay,
    }  # fmt: skip
    for k, name in enumerate(what.sales):
        raw |= {f"sales.{name}.market": futures.price[k], f"sales.{name}.demand": futures.buyers[k]}
    for k, name in enumerate(what.lettings):
        raw |= {
            f"lettings.{name}.market": futures.rent[k], f"lettings.{name}.demand": futures.tenants[k],
            f"lettings.{name}.void": futures.void[k], f"lettings.{name}.gross_yield": futures.gross_yield[k],
        }  # fmt: skip
    for k, name in enumerate(what.costs):
        raw[f"costs.{name}.overrun"] = futures.overrun[k]
    for k, name in enumerate(what.savings):
        raw[f"savings.{name}.unit_value"] = futures.unit_value[k]
    known: dict[Any, list[float]] = {}

    def levels(index: str | None, base: Any) -> list[float]:
        if (index, base) not in known:
            found = common.level(index, base or deal.calendar.start)
            known[index, base] = [column(x, i) for x in found]
        return known[index, base]

    guarantees = [one.guarantees for one in own_draws(deal.own.lowered, futures.source, rows)
                  if hasattr(one, "guarantees")]  # fmt: skip
    layers = len(guarantees[0].void) if guarantees else 0
    return Draws(
        rows=rows,
        value={name: [column(at(x, t), i) for t in range(rows)] for name, x in raw.items()},
        level=levels,
        rent_index=[column(x, i) for x in level],
        shock_outcomes=[column(at(futures.prices_left, t), i) for t in range(rows)],
        shock_referrals=[column(at(futures.demand_left, t), i) for t in range(rows)],
        void=[column(guarantees[0].void[n], i) for n in range(layers)],
        failure=[[column(one.failure[n], i) for one in guarantees] for n in range(layers)],
    )


def by_party(deal: ReadyDeal, books: Books, years: tuple[int, ...] | None) -> Legs:
    found: Legs = defaultdict(float)
    for (row, payer, payee, reason), amount in books.paid.items():
        when = row if years is None else years[row]
        names = [deal.roles[role][0][0] for role in (payer, payee)]
        found[when, *names, reason] += amount
    return found


def of_year(ledger: Ledger, i: int) -> Legs:
    legs = {**ledger.by_year, **ledger.memo_by_year}
    return {(y, *leg): float(x[i]) for leg, rows in legs.items() for y, x in enumerate(rows)}


def of_row(ledger: Ledger) -> Legs:
    found: Legs = defaultdict(float)
    for entry in ledger.journal or []:
        found[entry.row, entry.payer, entry.payee, entry.reason] += entry.amount
    return found


def same(mine: Legs, theirs: Legs) -> float:
    """Every payment to 1e-9 of all that moved; gives what moved."""
    size = max(1.0, sum(mine.values()))
    for key in {*mine, *theirs}:
        gap = abs(mine.get(key, 0.0) - theirs.get(key, 0.0))
        assert gap <= CLOSE * size, (key, mine.get(key, 0.0), theirs.get(key, 0.0))
    return size


def same_figures(books: Books, outcome: Outcome, i: int, size: float) -> None:
    """Every figure of the structure, none left out."""
    found = {f.measure: f.read(outcome.state) for f in outcome.lowered.figures}
    assert set(books.figures) == set(found)
    for name, value in books.figures.items():
        assert abs(column(np.asarray(found[name]), i) - value) <= CLOSE * size, name


def hold(file: Json, by_hand: ByHand) -> None:
    """The plan case by row, a block by year, and its last path alone by row."""
    ready = prepare(load_data(file).portfolio)
    deal = ready.deals[0]
    what, terms = deal.deal.programme, deal.deal.instrument
    common = ready.common(0, None)
    futures = futures_of(deal, Certain(deal.programme.programme.drivers), common)
    plan = draws_of(ready, deal, futures, common, price_level(deal, common), 0)
    ledger = Ledger(deal.calendar.year_of_row, 1, journal=True)
    outcome = run(deal, (deal.own,), futures, price_level(deal, common), (ledger,))[0]
    books = by_hand(what, terms, plan, plan)
    same_figures(books, outcome, 0, same(by_party(deal, books, None), of_row(ledger)))

    for block, journal in ((PATHS, False), (PATHS[-1:], True)):
        common = ready.common(SEED, block)
        futures = futures_of(deal, drawn(deal, common, SEED, block), common)
        level = price_level(deal, common)
        ledger = Ledger(deal.calendar.year_of_row, len(block), journal=journal)
        outcome = run(deal, (deal.own,), futures, level, (ledger,))[0]
        for i in range(len(block)):
            draws = draws_of(ready, deal, futures, common, level, i)
            books = by_hand(what, terms, plan, draws)
            theirs = of_row(ledger) if journal else of_year(ledger, i)
            years = None if journal else deal.calendar.year_of_row
            same_figures(books, outcome, i, same(by_party(deal, books, years), theirs))


@settings(USUAL, max_examples=examples(16, 40))
@given(portfolios(deals()))
def test_asset_backed_deals(file: Json) -> None:
    hold(file, asset_backed)


@pytest.mark.slow
@settings(USUAL, max_examples=600)
@given(portfolios(deals()))
def test_many_asset_backed_deals(file: Json) -> None:
    hold(file, asset_backed)
