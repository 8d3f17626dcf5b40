"""Pay-as-you-save on plain floats, on blocks and compiled: the same pounds, the same starts."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from socialfinance.engine.ready import ReadyPortfolio, prepare
from socialfinance.instruments.base import Lowered, flat
from socialfinance.instruments.pays_step import step
from socialfinance.programmes.delivery import deliver
from tests.compiled import Compiled, same_bits
from tests.contracts.test_contract_six import (
    PATHS,
    for_one_path,
    for_one_path_with_int_luck,
    leaves,
    walk,
)
from tests.models.strategies import Json, read
from tests.properties.test_sib_three_forms import SMALL, large


def whole() -> Json:
    """Three agencies, prices paid as well, two layers and a floor, fees in cash, a surplus put into more."""
    file = large()
    deal = file["deals"]["large"]
    programme, tariff = deal["programme"], deal["tariff"]
    agencies = ("council", "nhs", "dwp")
    for role, saving in zip(agencies, programme["savings"].values(), strict=True):
        saving |= {"agency": role, "unit_value": 500.0, "cashable": 0.7}
    programme["referrals"] = {"per_quarter": 45.0, "quarters": 14}
    tariff["prices"] = {line: 0.1 * price for line, price in tariff["prices"].items()}
    tariff["savings"] = {
        "verification_lag": 1,
        "error": {"distribution": "uniform", "low": 0.8, "high": 1.1},
        "agencies": {
            "council": {
                "share": 0.9,
                "baseline": {
                    "per_quarter": 4e6, "growth": 0.02, "first_quarter": 2, "last_quarter": 16,
                    "counterfactual": {"distribution": "normal", "mean": 1.0, "sd": 0.01},
                },
            },
            "nhs": {"share": 0.5, "of": "all", "cap": 400000.0},
            "dwp": {},
        },
    }  # fmt: skip
    deal["instrument"] = {
        "kind": "pay-as-you-save",
        "commitment": {"peak_need": 0.9},
        "availability_quarters": 12,
        "reserve_quarters": 1,
        "rate": {"reference": "pwlb", "term_years": 5.0, "margin": 0.0125},
        "arrangement_fee": 0.01,
        "commitment_fee": 0.01,
        "fees": "from cash",
        "outcome_payments": True,
        "layers": [
            {"guarantor": "guarantor", "cover": 0.5, "detach": 0.3, "unit": "share of drawn",
             "when": "maturity", "failure": 0.02, "interest": True,
             "fee": {"running": 0.01, "upfront": 0.01}},
            {"guarantor": "nhs", "cover": 0.5, "attach": 2000.0, "when": "maturity", "claim_lag": 0,
             "enforceability": {"void": 0.3}, "recoveries": "guarantor first"},
        ],
        "floor": {"by": "council", "share": 0.6, "claim_lag": 2},
        "floor_quarter": 8,
        "long_stop_quarter": 18,
        "unpaid": "paid by agencies",
        "surplus": {"agencies": 0.4, "provider": 0.1, "investor": 0.1, "reinvest": 0.4},
        "reinvest": {"most_scale": 1.5, "stop_below": 0.3, "until_quarter": 12},
        "termination": deal["instrument"]["termination"]
        | {"voluntary": {"annual_probability": 0.3}, "compensation": {"voluntary": 0.6}},
        "review": deal["instrument"]["review"],
    }  # fmt: skip
    return file


def small() -> Json:
    """Two lines, one agency, a floor, and a surplus put into more."""
    file = json.loads(json.dumps(SMALL))
    deal = file["deals"]["small"]
    deal["programme"]["savings"]["beds"] |= {"on": "housed", "unit_value": 1900.0, "duration": 3}
    deal["instrument"] = {
        "kind": "pay-as-you-save",
        "commitment": {"peak_need": 1.1},
        "reserve_quarters": 0,
        "rate": {"reference": "fixed", "value": 0.08, "basis": "annual effective"},
        "commitment_fee": 0.01,
        "floor": {"by": "council", "share": 0.9, "claim_lag": 0},
        "floor_quarter": 4,
        "surplus": {"agencies": 0.5, "reinvest": 0.5},
    }
    return file


def block(file: Json) -> tuple[ReadyPortfolio, Lowered, np.ndarray]:
    """The deal, with variation where it has any, and all that comes out on a block of paths."""
    ready = prepare(read(file))
    lowered = (ready.deals[0].varied or ready.deals[0].own).lowered
    assert lowered.step is step
    return ready, lowered, leaves(walk(ready, lowered, PATHS))


def test_everything_happens() -> None:
    """The larger deal is one in which every kind of payment is made on some path."""
    ready, lowered, seen = block(whole())
    payments = [row[1] for row in walk(ready, lowered, PATHS)]
    for name in set(payments[0]._fields) - {"receipts", "unpaid_commissioner"}:
        amounts = flat(tuple(getattr(paid, name) for paid in payments))
        assert sum(float(np.sum(amount)) for amount in amounts) > 0.0, name
    assert np.isfinite(seen).all()


def same(ready: ReadyPortfolio, lowered: Lowered, together: np.ndarray, form: Any, path: int) -> None:
    """One path of a block, in another form."""
    alone = walk(ready, lowered, PATHS, for_one_path_with_int_luck(path), for_one_path(form, path))
    one = np.array([[float(leaf) for leaf in flat(row)] for row in alone])
    assert np.allclose(one, together[:, :, path], rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("file", [small(), whole()], ids=["small", "large"])
def test_floats_are_blocks(file: Json) -> None:
    ready, lowered, together = block(file)
    for path in (0, 3, 5):
        same(ready, lowered, together, step, path)


@pytest.mark.parametrize("file", [small(), whole()], ids=["small", "large"])
def test_compiled_are_blocks(file: Json) -> None:
    pytest.importorskip("numba")
    ready, lowered, _ = block(file)
    form = Compiled(step, len(PATHS))
    rows = walk(ready, lowered, PATHS, Compiled(deliver, len(PATHS)), form)
    assert same_bits(walk(ready, lowered, PATHS), rows, len(PATHS)) > 1000.0
    assert form.programs
