"""A capped payment by measured effect is a put spread on the events that still happen.

With X the reported fall, events a person are Y = b (1 - X). A payment of £c for each event avoided, from nil
up to a cap, is c x people x (max(0, K1 - Y) - max(0, K2 - Y)), with K1 = b (nothing changed) and K2 where the
cap binds: a pay-for-success contract is a put spread (Andrikopoulos and Tsekrekos, 2024).
"""

from __future__ import annotations

import math

import pytest
from scipy.stats import norm

from socialfinance.engine.run import simulate
from tests.fixtures import one_deal

MEAN, TRUE_SD, PEOPLE, PER_EVENT, PATHS = 0.10, 0.08, 400.0, 500.0, 40_000
ERROR = math.sqrt(1 / PEOPLE + 1 / 100.0)
SD = math.hypot(TRUE_SD, ERROR)
"""of the reported fall: the true one and the evaluation's error"""


def call_spread(low: float, high: float) -> float:
    """E[min(max(X - low, 0), high - low)] for X ~ N(MEAN, SD²): two calls, each (m - k) Φ(d) + s φ(d)."""

    def call(k: float) -> float:
        d = (MEAN - k) / SD
        return float((MEAN - k) * norm.cdf(d) + SD * norm.pdf(d))

    return call(low) - call(high)


def payment(trigger: float, most: float):
    """Mean outcome payment by the engine and its standard error, pounds."""
    scale = PER_EVENT * PEOPLE
    portfolio = one_deal(
        effect={"pooled_trigger": trigger, "per_event": PER_EVENT}, people=PEOPLE, cap=most * scale,
        programme={
            "effect": {
                "true": {"distribution": "normal", "mean": MEAN, "sd": TRUE_SD},
                "baseline": 1.0,
                "cohorts": {"all": {"first_quarter": 1, "last_quarter": 1, "measured_quarter": 2,
                                    "people": PEOPLE, "controls": 100.0}},
            }
        },
    )  # fmt: skip
    result = simulate(portfolio, PATHS, seed=11, workers=1, compare=False)
    row = next(
        row for row in result.measures_rows
        if row[:4] == ("deal", "deal", "anytown", "council") and row[5:7] == ("paid", "mean")
    )  # fmt: skip
    return row.value, row.standard_error, scale


def test_capped_payment_from_nil_is_a_put_spread():
    """Threshold at no change, cap at a fall of 20%."""
    paid, error, scale = payment(0.0, 0.20)

    assert 0 < error < 0.01 * paid
    assert abs(paid - scale * call_spread(0.0, 0.20)) < 4 * error


def test_a_trigger_above_nil_adds_a_digital():
    """From a fall of 7.5% on, the whole fall is paid: the spread above it, and 7.5% at once."""
    trigger, most = 0.075, 0.20
    paid, error, scale = payment(trigger, most)
    digital = trigger * float(norm.sf((trigger - MEAN) / SD))

    assert abs(paid - scale * (call_spread(trigger, most) + digital)) < 4 * error
    assert abs(paid - scale * call_spread(trigger, most)) > 20 * error


def test_put_and_call_spread_are_the_same():
    """On events Y = 1 - X a person: max(0, 1 - Y) - max(0, 0.8 - Y)."""

    def put(k: float) -> float:
        d = (k - (1 - MEAN)) / SD
        return float((k - (1 - MEAN)) * norm.cdf(d) + SD * norm.pdf(d))

    assert put(1.0) - put(0.8) == pytest.approx(call_spread(0.0, 0.2), rel=1e-12)
