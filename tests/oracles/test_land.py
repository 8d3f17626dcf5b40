"""Options on land through the structures: overage is a call, a guarantee of a loan on land a put."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from socialfinance.core.ledger import Ledger
from socialfinance.engine.deal import run
from socialfinance.engine.ready import drawn, futures_of, prepare, price_level
from tests.developments import one_development

VECTORS = {v["id"]: v for v in json.loads((Path(__file__).parent / "vectors.json").read_text())["vectors"]}
POUNDS = 10_000.0
"""Pounds for each unit of the vector, so that a half-penny is nothing."""
SEED, PATHS = 7, 40_000
Json = dict[str, Any]


def land(volatility: float, rate: float, spot: float) -> Json:
    """A site that is sold before any works begin: all that is held is land, by geometric Brownian motion."""
    market = {"distribution": "geometric-brownian", "start": 1.0, "drift": rate, "volatility": volatility}
    return {
        "land": {"value": spot, "market": market},
        "planning": {"quarters": 40},
        "costs": {"works": None, "agents": None, "management": None, "none": {"one_off": 0.0}},
        "last_quarter": 8,
    }


def with_overage(strike: float) -> Json:
    return {
        "overage": {"share": 1.0, "above": strike, "on": "sales and exit"},
        "exit": {"quarter": 4},
        "sale_cost": 0.0,
    }


def with_guarantee(strike: float) -> Json:
    """The council is paid for its land by a loan without interest, which the land alone repays."""
    return {
        "land": {"agreed": strike, "payments": [{"quarter": 0, "share": 1.0}]},
        "capital": {"land": None, "partner": {"amount": 0.0}},
        "loan": {
            "commitment": {"amount": strike},
            "rate": {"reference": "fixed", "value": 0.0, "basis": "annual effective"},
            "repayment": {"first_quarter": 4, "last_quarter": 4},
        },
        "layers": [{"guarantor": "commissioner", "cover": 1.0, "claim_lag": 0}],
        "exit": {"quarter": 4},
        "sale_cost": 0.0,
    }


def paid(development: Json, deal: Json, reason: str, paths: int = PATHS) -> np.ndarray:
    """By path: what was paid for a reason, all of it in the row of the exit, pounds."""
    ready = prepare(one_development(development, deal, quarters=16))
    one = ready.deals[0]
    block = np.arange(paths, dtype=np.uint64)
    common = ready.common(SEED, block)
    futures = futures_of(one, drawn(one, common, SEED, block), common)
    ledger = Ledger(one.calendar.year_of_row, paths)
    run(one, (one.own,), futures, price_level(one, common), (ledger,))
    found = ledger.of(reason=reason)
    return np.zeros(paths) if isinstance(found, float) else np.asarray(found.sum(axis=0))


@pytest.fixture(scope="module")
def vector() -> tuple[dict[str, float], dict[str, float]]:
    given = VECTORS["land.bs_textbook"]
    return given["inputs"], {name: float(value) for name, value in given["expected"].items()}


@pytest.mark.parametrize(
    ("which", "deal", "reason"),
    [("call", with_overage, "overage"), ("put", with_guarantee, "guarantee call")],
)
def test_the_closed_form_within_four_standard_errors(vector: Any, which: str, deal: Any, reason: str) -> None:
    given, expected = vector
    rate = math.exp(given["r"]) - 1.0
    development = land(given["sigma"], rate, given["S"] * POUNDS)
    found = paid(development, deal(given["K"] * POUNDS), reason) / POUNDS / (1.0 + rate) ** given["T"]

    error = float(found.std(ddof=1)) / math.sqrt(PATHS)
    assert abs(float(found.mean()) - expected[which]) <= 4.0 * error
    assert error < 0.1


def test_overage_and_guarantee_together_are_the_land(vector: Any) -> None:
    """On every path: what overage pays less what the guarantee pays is the value less the strike."""
    given, _ = vector
    development = land(given["sigma"], math.exp(given["r"]) - 1.0, given["S"] * POUNDS)
    strike = given["K"] * POUNDS
    call = paid(development, with_overage(strike), "overage", 500)
    put = paid(development, with_guarantee(strike), "guarantee call", 500)
    worth = paid(development, with_overage(strike), "property sale", 500)

    assert call - put == pytest.approx(worth - strike, abs=1e-6)
    assert (call > 0.0).any()
    assert (put > 0.0).any()


@pytest.mark.parametrize("strike", [80.0, 100.0, 105.0, 120.0])
def test_without_volatility_it_is_exact(vector: Any, strike: float) -> None:
    given, _ = vector
    worth = given["S"] * math.exp(given["r"] * given["T"]) * POUNDS
    development = land(0.0, math.exp(given["r"]) - 1.0, given["S"] * POUNDS)

    call = paid(development, with_overage(strike * POUNDS), "overage", 2)
    put = paid(development, with_guarantee(strike * POUNDS), "guarantee call", 2)
    assert call == pytest.approx(max(0.0, worth - strike * POUNDS), rel=1e-12, abs=1e-6)
    assert put == pytest.approx(max(0.0, strike * POUNDS - worth), rel=1e-12, abs=1e-6)


def test_head_rent_of_an_income_strip_is_a_growing_annuity() -> None:
    """annuity.basics: £1 at the end of 25 intervals, growing 2% from one to the next, at 4.5%."""
    vector = VECTORS["annuity.basics"]
    strip = {
        "kind": "income-strip",
        "capital_sum": 1_000.0,
        "rent": 4e6,
        "starts": 0,
        "quarters": vector["inputs"]["n"],
        "indexation": {"index": "prices", "every": 1},
    }
    index = {"indices": {"prices": {"annual": 1.02**4 - 1.0}}}
    ready = prepare(one_development({}, strip, quarters=25, roles={"partner": None}, **index))
    one = ready.deals[0]
    ledger = Ledger(one.calendar.year_of_row, 1, journal=True)
    common = ready.common(0, None)
    from socialfinance.scenarios.sources import Certain

    run(one, (one.own,), futures_of(one, Certain({}), common), price_level(one, common), (ledger,))
    rents = {entry.row: entry.amount for entry in ledger.journal or [] if entry.reason == "head rent"}
    present = sum(amount / 1.045**row for row, amount in rents.items()) / 1e6

    assert len(rents) == 25
    assert present == pytest.approx(float(vector["expected"]["growing_2pct"]), rel=1e-12)
