"""A worst-case peg is proposed from a pilot of the programme alone, and does not move with the run."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

import socialfinance as sf
from socialfinance.engine.explain import explain_path
from socialfinance.engine.pilot import SEED, pilot
from socialfinance.engine.ready import prepare
from socialfinance.funds.portfolio import Portfolio
from socialfinance.reports.console import report
from tests.fixtures import one_deal

PEOPLE, CHANCE, PRICE, SAVED = 100, 0.3, 5_000.0, 900.0
PLACE = "deals.deal.instrument.peg.floor"


def with_peg(**peg: Any) -> Portfolio:
    """One cohort of 100, each with a chance of 0.3 of an outcome that is paid for and saves."""
    portfolio = one_deal(
        prices={"outcome": PRICE},
        people=PEOPLE,
        probability=CHANCE,
        instrument={
            "kind": "guaranteed-debt",
            "commitment": {"amount": 20_000.0},
            "rate": {"reference": "fixed", "value": 0.05, "basis": "annual effective"},
            "repayment": {"profile": "cash sweep", "first_quarter": 3, "last_quarter": 8},
            "availability_quarters": 2,
            "peg": {"by": "council", "baseline": "the year before", **peg},
        },
        programme={
            "savings": {
                "care": {
                    "on": "outcome", "agency": "council", "unit_value": SAVED, "cashable": 1.0, "duration": 1,
                }
            }
        },
    )  # fmt: skip
    return portfolio


def proposed(portfolio: Portfolio) -> float:
    """The floor that the model proposes, pounds."""
    return float(prepare(portfolio).proposed[PLACE])


def count_between(quantile: float, paths: int) -> tuple[float, float]:
    """The binomial's own quantile, within four standard errors of the share of paths below it."""
    error = 4.0 * np.sqrt(quantile * (1.0 - quantile) / paths)
    low, high = binom.ppf([quantile - error, quantile + error], PEOPLE, CHANCE)
    return float(low), float(high)


@pytest.mark.parametrize("quantile", [0.05, 0.25, 0.5])
@pytest.mark.parametrize(("of", "each"), [("savings", SAVED), ("outcome payments", PRICE)])
def test_it_is_the_quantile_of_what_the_programme_brings(of: str, each: float, quantile: float) -> None:
    """A count of people out of 100, each worth the same: the binomial's quantile."""
    paths = 20_000
    floor = proposed(with_peg(quantile=quantile, of=of, pilot_paths=paths))
    low, high = count_between(quantile, paths)
    assert low <= floor / each <= high
    assert floor / each == pytest.approx(round(floor / each), abs=1e-9)  # a value that occurred


def test_a_share_of_the_quantile() -> None:
    """Half of it is half of it."""
    assert proposed(with_peg(share=0.5)) == pytest.approx(0.5 * proposed(with_peg()), abs=1e-9)


def test_it_does_not_move_with_the_run() -> None:
    """Seed, paths, chunk and workers of the run leave it alone, and its provenance holds it."""
    portfolio = with_peg()
    expected = proposed(portfolio)
    for seed, paths, chunk, workers in ((1, 300, 256, 1), (9, 600, 256, 2), (1, 600, 8192, 1)):
        result = sf.simulate(portfolio, paths=paths, seed=seed, chunk=chunk, workers=workers)
        assert result.provenance["proposed"] == {PLACE: expected}


def test_its_draws_are_not_those_of_the_run() -> None:
    """Not even of a run with the pilot's own seed: a peg that knew the run's futures would be a forecast."""
    ready = prepare(with_peg())
    deal = ready.deals[0]
    worth = pilot(deal.deal, "deal", deal.programme, ready.portfolio, deal.calendar, deal.first_row)
    in_the_run = [
        sum(one.amount for one in explain_path(ready, deal, path, SEED).payments if one.reason == "saving")
        for path in range(30)
    ]
    assert np.mean(in_the_run) == pytest.approx(np.mean(worth), rel=0.2)  # the same programme
    assert sum(np.abs(worth[:30] - in_the_run) < 0.01) < 10  # and other people


def test_an_agreed_floor_is_left_alone() -> None:
    """Pounds in the contract are the contract's."""
    assert prepare(with_peg(floor=12_000.0)).proposed == {}


def test_the_page_shows_pounds_and_baseline() -> None:
    """As a proposal: a contract holds pounds, a baseline and a day."""
    portfolio = with_peg()
    page = report(sf.simulate(portfolio, paths=300), prepare(portfolio))
    told = " ".join(page.split())
    assert f"£{proposed(portfolio):,.0f}" in told
    assert "(baseline: the year before; no day of agreement given)" in told
    assert "(baseline: the year before; agreed on 2026-09-30)" in " ".join(
        prepare(with_peg(agreed=date(2026, 9, 30))).deals[0].own.lowered.notes
    )
