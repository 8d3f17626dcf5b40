"""The by-year tables of public bodies against the ledger they come from, path by path."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import socialfinance as sf
from socialfinance.core.errors import InputError
from socialfinance.core.ledger import MEMO, REASONS, Ledger
from socialfinance.core.parties import PUBLIC
from socialfinance.council.budget import payments, savings
from socialfinance.engine.books import OWN, Accounts, deals_with, keep_books
from socialfinance.engine.deal import run
from socialfinance.engine.ready import (
    ReadyDeal,
    ReadyPortfolio,
    drawn,
    first_year,
    futures_of,
    prepare,
    price_level,
)
from socialfinance.funds.portfolio import Portfolio
from tests.fixtures import one_deal

FILES = (
    "collective-impact-fund", "community-fund", "demo-asset-backed", "demo-guaranteed-debt",
    "demo-income-strip", "demo-pay-as-you-save", "edge-of-care-structures", "vision-fund",
)  # fmt: skip
PATHS, SEED = 96, 11
GAIN, HARM = frozenset({"saving"}), frozenset({"extra cost"})
FREED, BOUND = frozenset({"non-cashable saving"}), frozenset({"non-cashable extra cost"})
SAVED = GAIN | HARM | FREED | BOUND


@cache
def ready(name: str) -> ReadyPortfolio:
    return prepare(sf.load(name).portfolio)


@cache
def accounts(name: str, chunk: int = 96) -> Accounts:
    return keep_books(ready(name), ready(name).deals, SEED, PATHS, chunk=chunk)


def ledger(of: ReadyPortfolio, deal: ReadyDeal, count: int, seed: int) -> Ledger:
    """The deal's own ledger as the engine books it, nothing of the books kept."""
    paths = np.arange(count, dtype=np.uint64)
    common = of.common(seed, paths)
    futures = futures_of(deal, drawn(deal, common, seed, paths), common)
    made = Ledger(deal.calendar.year_of_row, count)
    return run(deal, (deal.own,), futures, price_level(deal, common), (made,))[0].ledger


def gross(legs: Mapping[tuple[str, str, str], np.ndarray], paths: int = PATHS) -> np.ndarray:
    """All that moved, by path: what an error is measured against."""
    return sum((amounts.sum(axis=0) for amounts in legs.values()), np.zeros(paths))


class Whole(NamedTuple):
    """One deal's ledger as the engine books it, and where its years stand among the file's."""

    booked: Ledger
    bodies: frozenset[str]
    offset: int
    years: int

    def crossing(self, out: bool, reasons: frozenset[str]) -> np.ndarray:
        """What leaves public bodies for others, or comes to them, by the file's years and path."""
        total = np.zeros((self.years, self.booked.paths))
        legs = {**self.booked.by_year, **self.booked.memo_by_year}
        for (payer, payee, why), amounts in legs.items():
            mine, other = (payer, payee) if out else (payee, payer)
            if why in reasons and mine in self.bodies and other not in self.bodies:
                total[self.offset : self.offset + len(amounts)] += amounts
        return total

    def between(self, reasons: frozenset[str], *more: frozenset[str]) -> np.ndarray:
        """What leaves for some reasons, less what comes for them; with more, less what leaves for those."""
        if more:
            return self.crossing(False, reasons) - self.crossing(True, more[0])
        return self.crossing(True, reasons) - self.crossing(False, reasons)

    @property
    def net(self) -> np.ndarray:
        """Received less paid of all public bodies."""
        total = np.zeros((self.years, self.booked.paths))
        for body, rows in self.booked.net.items():
            if body in self.bodies:
                for row, year in enumerate(self.booked.year_of_row):
                    total[self.offset + year] += rows[row]
        return total


def check_sums(of: ReadyPortfolio, kept: Accounts) -> None:
    """Sum over councils and agencies of payments, savings and net = the ledger's, every path and year."""
    bodies = frozenset(party for party, one in of.parties.items() if one.kind in PUBLIC)
    for deal in of.deals:
        legs, shape = kept.deals[deal.name].own.legs, (len(kept.years), kept.paths)
        offset = first_year(of, deal)
        whole = Whole(ledger(of, deal, kept.paths, kept.seed), bodies, offset, shape[0])
        paid = sum((payments(legs, body, shape) for body in bodies), np.zeros(shape))
        cash = sum((savings(legs, body, shape) for body in bodies), np.zeros(shape))
        freed = sum((savings(legs, body, shape, cashable=False) for body in bodies), np.zeros(shape))
        within = 1e-9 * gross({**whole.booked.by_year, **whole.booked.memo_by_year}, kept.paths)
        assert np.all(np.abs(paid - whole.between(REASONS - MEMO - SAVED)) <= within), deal.name
        assert np.all(np.abs(cash - whole.between(GAIN, HARM)) <= within), deal.name
        assert np.all(np.abs(freed - whole.between(FREED, BOUND)) <= within), deal.name
        assert np.all(np.abs(cash - paid - whole.net) <= within), deal.name


@pytest.mark.parametrize("name", FILES)
def test_by_year_tables_of_all_public_bodies_add_up_to_the_ledger(name: str) -> None:
    check_sums(ready(name), accounts(name))


def pence(least: int, most: int) -> st.SearchStrategy[float]:
    """Pounds to the penny."""
    return st.integers(least, most).map(lambda x: x / 100)


@settings(max_examples=12, deadline=None)
@given(
    share=st.floats(0.05, 0.95), part=st.floats(0.05, 0.95), probability=st.floats(0.0, 1.0),
    price=pence(0, 500_000), saving=pence(-200_000, 200_000), seed=st.integers(0, 2**31),
)  # fmt: skip
def test_they_add_up_whatever_the_terms(
    share: float, part: float, probability: float, price: float, saving: float, seed: int
) -> None:
    """Two councils that share a role, health beside them, savings that may be harm: to 1e-9 of gross flow."""
    made = one_deal(
        {"outcome": price}, probability=probability,
        payers={"council": {"share": share}, "nhs": {"share": 1.0 - share}},
        programme={
            "savings": {
                "beds": {"agency": "nhs", "on": "outcome", "unit_value": saving, "cashable": part,
                         "duration": 4}
            }
        },
    )  # fmt: skip
    data = made.model_dump(mode="json", exclude_unset=True, by_alias=True)
    data["parties"] |= {"otherton": {"kind": "council"}, "health": {"kind": "nhs"}}
    data["deals"]["deal"]["parties"] |= {
        "council": [{"party": "anytown", "share": part}, {"party": "otherton", "share": 1.0 - part}],
        "nhs": "health",
    }
    of = prepare(Portfolio.model_validate_json(json.dumps(data)))
    check_sums(of, keep_books(of, of.deals, seed, 16))


@pytest.mark.parametrize("name", FILES)
def test_what_is_accrued_is_what_is_paid_over_the_life(name: str) -> None:
    """Accrual moves payments between years and makes none: years sum to nil on every path."""
    for books in accounts(name).deals.values():
        for kept in books.structures.values():
            for payer, moved in kept.accrued.items():
                scale = gross({leg: amounts for leg, amounts in kept.legs.items() if leg[0] == payer})
                assert np.all(np.abs(moved.sum(axis=0)) <= 1e-9 * scale + 1e-9)


def test_a_payment_by_results_is_accrued_in_the_year_in_which_it_was_verified() -> None:
    """With a lag of one quarter, what is paid in the first quarter of a year belongs to the year before."""
    books = accounts("collective-impact-fund").deals["family-therapy"]
    moved = books.own.accrued["eastmere"].mean(axis=1)
    assert moved[0] > 0.0  # growing payments: more is earned in the first years than paid
    assert moved[np.flatnonzero(moved)[-1]] < 0.0  # and the last year pays what the one before earned


@pytest.mark.parametrize("chunk", [32, 96])
def test_the_same_books_whatever_the_chunk(chunk: int) -> None:
    one, other = accounts("demo-guaranteed-debt", 96), accounts("demo-guaranteed-debt", chunk)
    for name, books in one.deals.items():
        for structure, kept in books.structures.items():
            theirs = other.deals[name].structures[structure]
            for leg, amounts in kept.legs.items():
                assert np.array_equal(amounts, theirs.legs[leg])
            for party, worth in kept.worth.items():
                assert all(np.array_equal(worth[m], theirs.worth[party][m]) for m in worth)
        assert np.array_equal(books.balance, other.deals[name].balance)


def test_the_same_figures_as_a_run_of_the_whole_file() -> None:
    """Draws are keyed by deal: a council's deals alone give what they give among all the others."""
    of = ready("collective-impact-fund")
    result = sf.simulate(of.portfolio, paths=PATHS, seed=SEED, workers=1, compare=False)
    books = keep_books(of, deals_with(of, "eastmere"), SEED, PATHS)
    for name, deal in books.deals.items():
        for measure in ("net_cost", "net_cost_pv", "paid", "saving"):
            row = result.figure(measure, who="eastmere", deal=name)
            assert row.value == pytest.approx(deal.own.worth["eastmere"][measure].mean(), rel=1e-12)


def test_a_stated_effect_on_performance_takes_savings_off_the_alternatives_only() -> None:
    """10% more saved under the structure: in house saves 1 / 1.1 of it, and the structure as before."""
    portfolio = ready("demo-guaranteed-debt").portfolio
    name, deal = next(iter(portfolio.deals.items()))
    better = portfolio.model_copy(
        update={"deals": {**portfolio.deals, name: deal.model_copy(update={"performance_effect": 0.1})}}
    )
    of = prepare(better)
    books = keep_books(of, of.deals, SEED, PATHS).deals[name]
    before = accounts("demo-guaranteed-debt").deals[name]
    for structure, kept in books.structures.items():
        for leg, amounts in kept.legs.items():
            by = 1.1 if structure != OWN and leg[2] in SAVED else 1.0
            assert np.allclose(amounts * by, before.structures[structure].legs[leg], rtol=1e-12)


def test_a_body_that_is_none_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match=r"is no public body of this file.*eastmere"):
        deals_with(ready("demo-guaranteed-debt"), "nobody")
