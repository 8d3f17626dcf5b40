"""Published and exact values of capped and thresholded outcome payments, through a programme and a tariff."""

from __future__ import annotations

import json
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from socialfinance.engine.ready import prepare
from socialfinance.engine.run import simulate
from socialfinance.funds.portfolio import Portfolio
from socialfinance.instruments import claims
from socialfinance.programmes.delivery import Activity
from socialfinance.programmes.futures import lower
from tests.fixtures import one_deal

VECTORS = {v["id"]: v for v in json.loads((Path(__file__).parent / "vectors.json").read_text())["vectors"]}


def paid(portfolio: Portfolio, verified: np.ndarray | None = None, reported: np.ndarray | None = None) -> Any:
    """What the tariff of a one-deal portfolio accepts in the row of verification, pounds by path."""
    deal = portfolio.deals["deal"]
    assert deal.tariff is not None
    ready = lower(deal.programme, deal.tariff.needs_classes)
    terms, state, lags = claims.lower_claims(deal.tariff, deal.programme, ready.nodes, ready.lines)
    calendar = prepare(portfolio).deals[0].calendar
    row = claims.claim_rows(deal.tariff, deal.programme, calendar)[2]
    counts = np.zeros(101) if verified is None else verified
    falls = (np.zeros(101) if reported is None else reported,)
    flag = (float(reported is not None),)
    activity = Activity(
        100.0, 100.0, 100.0, (100.0,), (counts,), (counts,), (), (), (), falls, flag, (100.0,)
    )
    due = claims.Pipelines(*((0.0,) * len(lags.prompt),) * 3)
    return claims.claim(terms, state, row, activity, due, 1.0, 1.0, 1.0)[1].total


def binomial(n: int, p: float) -> np.ndarray:
    """Probabilities of 0 to n."""
    return np.array([comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)])


def test_capped_rate_card_is_exact() -> None:
    """sib.capped_binomial: E[min(price x Bin(100, 0.3), cap)] to 1e-10, through the tariff."""
    vector = VECTORS["sib.capped_binomial"]
    given, expected = vector["inputs"], vector["expected"]
    weights, counts = binomial(given["n"], given["p"]), np.arange(101.0)
    for cap, value in zip(given["caps"], expected["expected"], strict=True):
        portfolio = one_deal(prices={"outcome": float(given["price"])}, cap=float(cap))
        assert weights @ paid(portfolio, counts) == pytest.approx(float(value), rel=1e-10)
    uncapped = one_deal(prices={"outcome": float(given["price"])})
    assert weights @ paid(uncapped, counts) == pytest.approx(float(expected["uncapped"]), rel=1e-10)
    hit = weights[paid(one_deal(prices={"outcome": 5000.0}, cap=150_000.0), counts) >= 150_000.0].sum()
    assert hit == pytest.approx(float(expected["prob_cap_hit_150k"]), rel=1e-10)


def test_cliff_and_spread_are_exact() -> None:
    """sib.spread_and_threshold: a cliff at 25 of 100 and a call spread 25 to 40, as effect payments."""
    vector = VECTORS["sib.spread_and_threshold"]
    expected = vector["expected"]
    weights, falls = binomial(100, 0.3), np.arange(101.0) / 100
    cliff = one_deal(effect={"pooled_trigger": 0.25, "per_event": 5000.0})
    cliff_paid = paid(cliff, reported=falls)
    assert weights @ cliff_paid == pytest.approx(float(expected["E_pay_if_at_least_25"]), rel=1e-10)
    assert weights[cliff_paid > 0].sum() == pytest.approx(float(expected["prob_threshold"]), rel=1e-10)
    steps = tuple({"at": (25 + j) / 100, "pays": float(j)} for j in range(1, 16))
    spread = one_deal(effect={"pooled_trigger": 0.25, "steps": steps})
    assert weights @ paid(spread, reported=falls) == pytest.approx(
        float(expected["E_call_spread_units"]), rel=1e-10
    )


@pytest.mark.parametrize("case", range(4))
def test_capped_rate_card_by_simulation(case: int) -> None:
    """The same through the whole engine, 40,000 paths, seed 3, within 4 standard errors."""
    vector = VECTORS["sib.capped_binomial"]
    cap = float(vector["inputs"]["caps"][case])
    portfolio = one_deal(prices={"outcome": 5000.0}, cap=cap, people=100.0, probability=0.3)
    row = simulate(portfolio, paths=40_000, seed=3, workers=1, compare=False).figure(
        "paid", who="anytown", deal="deal"
    )
    assert row.value is not None
    assert row.standard_error is not None
    exact = float(vector["expected"]["expected"][case])
    assert abs(row.value - exact) < 4 * row.standard_error
