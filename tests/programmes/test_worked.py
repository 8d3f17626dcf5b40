"""Programmes small enough to redo by hand: the plan case, row by row."""

from __future__ import annotations

import math

import numpy as np
import pytest

from socialfinance.engine.ready import prepare
from socialfinance.programmes.futures import evaluation_error
from socialfinance.programmes.people import Effect
from tests.fixtures import one_deal


def plan(programme: dict, **change):
    """The plan case of a one-cohort programme."""
    return prepare(one_deal(prices={"outcome": 1.0}, programme=programme, **change)).deals[0].plan


def test_savings_by_hand() -> None:
    """10 people save £100 a quarter for 3 quarters, a tenth lost a year, from one quarter after the outcome.

    Outcome row 2: 100 x 0.1 = 10 people, a fifth of whom deadweight: 8. Rows 3, 4, 5 then
    8 x 100 x 0.9^(0, 1/4, 2/4); half of it cashable.
    """
    activity = plan(
        {
            "outcomes": {"outcome": {"probability": 0.1, "lag": 1, "deadweight": 0.2}},
            "savings": {
                "care": {"on": "outcome", "agency": "commissioner", "unit_value": 100.0, "lag": 1,
                         "duration": 3, "drop_off": 0.1, "cashable": 0.5}
            },
        }
    )  # fmt: skip
    expected = [0.0, 0.0, 0.0, 400.0, 400.0 * 0.9**0.25, 400.0 * 0.9**0.5, 0.0, 0.0]
    assert [row.cashable[0] for row in activity[:8]] == pytest.approx(expected, abs=1e-9)
    assert [row.not_cashable[0] for row in activity[:8]] == pytest.approx(expected, abs=1e-9)


def test_cost_follows_volume_after_its_lag() -> None:
    """80 planned starts, 60 in a case: 25% under; at an elasticity of 0.4 cost falls 10% a quarter later."""
    portfolio = one_deal(
        prices={"outcome": 1.0},
        programme={
            "referrals": {"schedule": (100.0, 100.0), "arrival": "as planned"},
            "engagement": {"distribution": "beta", "mean": 0.8, "sd": 0.05},
            "costs": {
                "delivery": {"per_quarter": 1000.0, "last_quarter": 4, "elasticity": 0.4, "response_lag": 1}
            },
        },
    )
    from socialfinance.engine.cases import run_case
    from socialfinance.funds.portfolio import Case

    ready = prepare(portfolio)
    case = run_case(ready, ready.deals[0], Case(set={"engagement": 0.6}), "")
    costs = [float(row.costs[0]) for row in case.activity[:6]]
    assert costs == pytest.approx([0.0, 1000.0, 900.0, 900.0, 1000.0, 0.0])


def test_evaluation_error_by_hand() -> None:
    """sqrt((1/1000 + 1/10000) / 1.55), Poisson."""
    effect = Effect.model_validate(
        {
            "true": 0.1,
            "baseline": 1.55,
            "cohorts": {
                "one": {"first_quarter": 1, "last_quarter": 2, "measured_quarter": 3, "people": 1000.0,
                        "controls": 10000.0}
            },
        }
    )  # fmt: skip
    assert evaluation_error(effect, 1000.0, 10000.0) == pytest.approx(math.sqrt(0.0011 / 1.55))


def test_evaluation_error_matches_two_simulated_counts() -> None:
    """The delta method against two Poisson counts, 200,000 trials, seed 5, within 4 standard errors."""
    effect = Effect.model_validate(
        {
            "true": 0.0,
            "baseline": 1.5,
            "cohorts": {
                "one": {"first_quarter": 1, "last_quarter": 1, "measured_quarter": 1, "people": 800.0,
                        "controls": 4000.0}
            },
        }
    )  # fmt: skip
    rng = np.random.default_rng(5)
    treated, controls = rng.poisson(1.5 * 800, 200_000) / 800, rng.poisson(1.5 * 4000, 200_000) / 4000
    simulated = (1 - treated / controls).std()
    stated = evaluation_error(effect, 800.0, 4000.0)
    assert abs(simulated - stated) < 4 * stated / math.sqrt(2 * 200_000) + 0.002 * stated
