"""The loan book and the pool on plain floats, on blocks and compiled: the same loans, the same pounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from socialfinance.engine.deal import own_draws
from socialfinance.engine.ready import drawn, futures_of, prepare
from socialfinance.funds.portfolio import Portfolio
from socialfinance.instruments.base import INFINITE, Now
from socialfinance.instruments.pool_step import step
from socialfinance.kernels.delays import Delays
from socialfinance.programmes.base import AS_PLANNED
from socialfinance.programmes.loans import lend
from socialfinance.scenarios.sources import at
from tests.pools import one_pool
from tests.properties.test_sib_three_forms import hold_compiled, numbers, on_path

SEED = 23
PATHS = np.array([0, 1, 5, 7, 12, 1000, 1001, 4000], dtype=np.uint64)
MONEY = 1e-12


def small() -> Portfolio:
    """No layers, no cost, investors have the income."""
    return one_pool(segment={"default_probability": 0.2, "recovery_lag": 1})


def large() -> Portfolio:
    """Two segments, two cost lines, a grant, four layers, and every term of a pool."""
    loans: dict[str, Any] = {
        "size": 9_000.0, "repayment": "annuity", "rate": 0.09, "basis": "annual effective",
        "default_probability": {"distribution": "beta", "mean": 0.12, "sd": 0.04},
        "loss_given_default": {"distribution": "beta", "mean": 0.6, "sd": 0.1},
        "correlation": 0.2, "prepayment": 0.1,
        "volume": {"distribution": "uniform", "low": 0.7, "high": 1.4},
    }  # fmt: skip
    segments = {
        "growing": {**loans, "per_quarter": 6.0, "quarters": 8, "term": 10, "recovery_lag": 3},
        "starting": {**loans, "per_quarter": 4.5, "quarters": 6, "term": 4, "recovery_lag": 0},
    }
    costs = {
        "team": {"per_loan_made": 200.0, "per_loan": 15.0,
                 "overrun": {"distribution": "uniform", "low": 0.9, "high": 1.3}},
        "rent": {"paid_to": "intermediary", "per_quarter": 900.0, "of_balance": 0.01, "one_off": 500.0},
    }  # fmt: skip
    layers = (
        {"guarantor": "giver", "detach": 0.02, "unit": "share of drawn", "of": "the whole loss",
         "claim_lag": 0},
        {"guarantor": "scheme", "cover": 0.7, "cap_rate": 0.1, "claim_lag": 2, "fee": {"running": 0.01}},
        {"guarantor": "insurer", "attach": 2_000.0, "detach": 40_000.0, "cap_a_year": 9_000.0, "failure": 0.1,
         "recoveries": "lender first", "fee": {"running": 0.02, "upfront": 0.01, "paid_by": "investor"}},
        {"guarantor": "council", "cover": 0.5, "enforceability": {"void": 0.3},
         "recoveries": "guarantor first"},
    )  # fmt: skip
    pool = {
        "commitment": {"peak_need": 0.9}, "grant": {"by": "giver", "share": 0.2}, "revolving_quarters": 9,
        "most_lending": 1.4, "most_lent": 700_000.0, "stop_lending_at": 0.3, "reserve_quarters": 2,
        "rate": {"reference": "fixed", "value": 0.04, "basis": "annual effective"}, "layers": layers,
        "surplus": {"to": "giver"},
    }  # fmt: skip
    parties = {
        "giver": "giver",
        "scheme": "backer",
        "insurer": "insurer",
        "council": "borough",
        "provider": "manager",
    }
    book = {"segments": segments, "costs": costs, "loadings": {"economy": 0.5}}
    return one_pool(book, pool=pool, parties=parties, quarters=22, factors={"economy": {"kind": "gaussian"}})


class Deal:
    """A pool and its draws on a block of paths."""

    def __init__(self, portfolio: Portfolio) -> None:
        self.deal = prepare(portfolio).deals[0]
        common = prepare(portfolio).common(SEED, PATHS)
        self.futures = futures_of(self.deal, drawn(self.deal, common, SEED, PATHS), common)
        self.lowered = self.deal.own.lowered
        self.drawn = own_draws(self.lowered, self.futures.source, self.futures.rows)

    def rows(self, book: Any, pool: Any, cut: Callable[[Any], Any]) -> list[tuple[Any, Any]]:
        """Activity and payments by row in one form; ``cut`` takes what this form is given out of a block."""
        programme, lowered = self.deal.programme, self.lowered
        loans, state = cut(programme.opening), cut(lowered.opening)
        in_default, in_delay = Delays(programme.lags), Delays(lowered.lags)
        orders, found = cut(AS_PLANNED), []
        terms, pool_terms = cut(programme.terms), cut(lowered.terms)
        for row in range(self.futures.rows):
            now = cut(self.futures.now(row, ()))._replace(due=in_default.due())
            loans, done, entering = book(terms, loans, now, orders)
            in_default.enter(entering)
            schedule, luck = cut(lowered.schedule[row]), cut(self.drawn[row])
            given = Now(
                schedule, done, in_delay.due(), INFINITE, luck, cut(at(self.futures.shock_runs, row)), 1.0
            )
            state, payments, orders, moved = pool(pool_terms, state, given)
            in_delay.enter(moved)
            found.append((done, payments))
        return found


def agree(block: list[tuple[Any, Any]], other: list[tuple[Any, Any]], i: int) -> float:
    """Path ``i`` of a block against the same path in another form; gives the pounds that moved."""
    moved, wrong = 0.0, []
    for row, ((done, paid), (mine, my_paid)) in enumerate(zip(block, other, strict=True)):
        for loans, my_loans in zip(done.made + done.defaults, mine.made + mine.defaults, strict=True):
            assert on_path(loans, i) == my_loans, row
        for pounds, my_pounds in zip(numbers((done, paid)), numbers((mine, my_paid)), strict=True):
            amount = on_path(pounds, i)
            moved += abs(amount)
            wrong.append((abs(amount - my_pounds), row))
    assert max(wrong)[0] <= MONEY * moved, max(wrong)
    return moved


SHAPES = pytest.mark.parametrize("portfolio", [small(), large()], ids=["small", "large"])


@SHAPES
def test_floats_are_blocks(portfolio: Portfolio) -> None:
    deal = Deal(portfolio)
    assert deal.lowered.step is step
    block = deal.rows(lend, step, lambda x: x)
    for i in range(0, len(PATHS), 2):
        by_floats = deal.rows(lend, step, lambda x, i=i: on_path(x, i))
        assert agree(block, by_floats, i) > 1000.0


@SHAPES
def test_compiled_are_blocks(portfolio: Portfolio) -> None:
    pytest.importorskip("numba")
    hold_compiled(Deal(portfolio), lend, step)
