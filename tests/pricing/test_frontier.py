"""Grids of terms: which points nothing beats, and the cheapest that holds."""

from __future__ import annotations

import numpy as np
import pytest

from socialfinance.core.errors import InputError, RunError
from socialfinance.pricing.frontier import cheapest, efficient, frontier
from tests.fixtures import one_deal

PRICE = "deals.deal.tariff.prices.outcome"
COST = "deals.deal.programme.costs.delivery.per_quarter"
GAIN, PAID = "investor.gain.mean", "council.paid.mean"


def sure():
    """Gain = 100 x price - 2 x cost a quarter; the council pays 100 x price."""
    return one_deal(prices={"outcome": 300.0}, probability=1.0)


def test_efficient_set_by_hand():
    """More return for less risk: (5, 1) and (7, 2) stand; (4, 1), (7, 3) and one without figures do not."""
    points = np.array([[5.0, 1.0], [4.0, 1.0], [7.0, 2.0], [7.0, 3.0], [np.nan, 0.0], [7.0, 2.0]])

    assert efficient(points, ["max", "min"]).tolist() == [True, False, True, False, False, True]
    assert efficient(points, ["min", "max"]).tolist() == [False, True, False, True, False, False]


def test_frontier_by_hand():
    found = frontier(
        sure(), {PRICE: [250.0, 300.0], COST: [9_000.0, 10_000.0]}, {GAIN: "max", PAID: "min"}, paths=8
    )

    assert found.table[GAIN].tolist() == pytest.approx([7_000.0, 5_000.0, 12_000.0, 10_000.0])
    assert found.table[PAID].tolist() == pytest.approx([25_000.0, 25_000.0, 30_000.0, 30_000.0])
    assert found.table["efficient"].tolist() == [True, False, True, False]
    assert found.efficient[COST].tolist() == [9_000.0, 9_000.0]
    assert found.runs == 4


def test_refused_terms_are_a_row_that_says_so():
    found = frontier(sure(), {PRICE: [-1.0, 300.0]}, {GAIN: "max"}, paths=8)

    assert found.table["status"][0].startswith("refused")
    assert found.table["efficient"].tolist() == [False, True]


def test_cheapest_by_hand():
    """The least that the council can pay so that investors gain £5,000: 100 x price - £20,000 = £5,000."""
    found = cheapest(sure(), {PRICE: (100.0, 500.0)}, PAID, [f"{GAIN} >= 5000"], paths=8)

    assert found.terms[PRICE] == pytest.approx(250.0, rel=0.01)
    assert found.value == pytest.approx(25_000.0, rel=0.01)
    assert found.limits[f"{GAIN} >= 5000"] >= 5_000.0
    assert len(found.tried) > found.grid == 9
    assert found.tried["holds"].sum() < len(found.tried)


def test_no_terms_hold():
    with pytest.raises(RunError, match="no point of 9 on the grid holds"):
        cheapest(sure(), {PRICE: (100.0, 150.0)}, PAID, [f"{GAIN} >= 5000"], paths=8)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: frontier(sure(), {}, [GAIN], 8), "axis: names no term to vary"),
        (lambda: frontier(sure(), {PRICE: []}, [GAIN], 8), f"{PRICE}: has no values"),
        (
            lambda: frontier(sure(), {"deals.deal.nothing": [1.0]}, [GAIN], 8),
            "deals.deal.nothing: is not there",
        ),
        (lambda: frontier(sure(), {PRICE: [1.0]}, {GAIN: "up"}, 8), f"{GAIN}: is no direction"),
        (lambda: frontier(sure(), {PRICE: range(1, 1000)}, [GAIN], 8), "axis: makes too many points"),
        (lambda: cheapest(sure(), {}, PAID), "vary: one to three terms"),
        (lambda: cheapest(sure(), {PRICE: (5.0, 1.0)}, PAID), f"{PRICE}: needs a range"),
        (
            lambda: cheapest(sure(), {"deals.deal.tariff": (1.0, 5.0)}, PAID),
            "deals.deal.tariff: is not a number",
        ),
        (lambda: cheapest(sure(), {PRICE: (1.0, 5.0)}, PAID, [f"{GAIN} == 0"]), "subject_to: is no limit"),
    ],
)
def test_bad_input_is_one_clear_line(call, words):
    with pytest.raises(InputError) as told:
        call()

    assert str(told.value).startswith(words)
    assert "\n" not in str(told.value)
