"""The programme and guaranteed debt on plain floats, on blocks and compiled: the same counts and pounds."""

from __future__ import annotations

import pytest

from socialfinance.instruments.debt_step import step
from socialfinance.programmes.delivery import deliver
from tests.models.strategies import Json
from tests.properties import test_sib_three_forms as bond
from tests.properties.test_sib_three_forms import PATHS, Deal, agree, hold_compiled, on_path


def small() -> Json:
    """The bond's small deal on a loan, one guarantor behind it."""
    deal = bond.SMALL["deals"]["small"]
    debt = {
        "kind": "guaranteed-debt",
        "commitment": {"peak_need": 1.1},
        "rate": {"reference": "fixed", "value": 0.05, "basis": "annual effective"},
        "repayment": {"profile": "eip", "first_quarter": 5, "last_quarter": 10},
        "availability_quarters": 8,
        "layers": [{"guarantor": "insurer", "cover": 0.7}],
    }
    return {
        **bond.SMALL,
        "parties": {**bond.SMALL["parties"], "insurer": {"kind": "guarantor"}},
        "deals": {
            "small": {**deal, "instrument": debt, "parties": {**deal["parties"], "insurer": "insurer"}}
        },
    }


def large() -> Json:
    """Eight lines, three payers, payment out of savings, three layers, and every term of a loan."""
    file = bond.large()
    deal = file["deals"]["large"]
    old = deal["instrument"]
    deal["tariff"]["savings"] = {
        "agencies": {
            "nhs": {
                "share": 0.6,
                "of": "all",
                "cap": 90000.0,
                "baseline": {
                    "per_quarter": 900000.0,
                    "growth": 0.02,
                    "last_quarter": 16,
                    "counterfactual": {
                        "distribution": "uniform", "low": 0.99, "high": 1.005, "plan": 1.0,
                    },
                },
            }
        },
        "verification_lag": 2,
        "error": {"distribution": "uniform", "low": 0.8, "high": 1.1},
    }  # fmt: skip
    deal["instrument"] = {
        "kind": "guaranteed-debt",
        "commitment": {"peak_need": 0.9},
        "availability_quarters": 9,
        "draw_ahead": 1,
        "rate": {"reference": "pwlb", "term_years": 4.0, "method": "eip", "margin": 0.0125},
        "arrears_margin": 0.02,
        "arrangement_fee": 0.01,
        "commitment_fee": 0.005,
        "repayment": {"profile": "sculpted", "first_quarter": 6, "last_quarter": 17, "every": 2},
        "cash_sweep": 0.5,
        "provider_at_risk": 0.15,
        "default_after": 3,
        "performance": {
            "ratchet": [{"at": 0.6, "margin": 0.0025}, {"at": 0.9, "margin": -0.005}],
            "success_fee": [{"at": 0.4, "fee": 0.01}, {"at": 0.8, "fee": 0.03}],
            "cap": 0.09,
        },
        "layers": [
            {
                "guarantor": "guarantor", "cover": 0.5, "detach": 0.1, "unit": "share of commitment",
                "of": "the whole loss", "when": "missed payment", "interest": True, "claim_lag": 0,
                "cap_a_year": 20000.0, "recoveries": "guarantor first",
                "fee": {"upfront": 0.01, "running": 0.01},
            },
            {
                "guarantor": "insurer", "cover": 0.8, "attach": 0.02, "detach": 0.4, "unit": "share of drawn",
                "when": "acceleration", "claim_lag": 1, "cap_rate": 0.2, "failure": 0.1,
                "fee": {"running": 0.02, "paid_by": "investor"},
                "enforceability": {"void": 0.2},
            },
            {
                "guarantor": "foundation", "cover": 1.0, "when": "maturity", "interest": True, "claim_lag": 3,
                "cap": 60000.0, "recoveries": "lender first",
                "schedule": [{"from_quarter": 4, "amount": 30000.0}, {"from_quarter": 12, "amount": 70000.0}],
            },
        ],
        "peg": {"by": "council", "floor": 30000.0, "baseline": "as agreed"},
        "recourse": {"to": "provider", "limit": 20000.0},
        "surplus": {"payers": 0.5, "provider": 0.3, "investor": 0.2},
        "termination": old["termination"],
        "review": old["review"],
    }  # fmt: skip
    for role in ("insurer", "foundation"):
        deal["parties"][role] = role
        file["parties"][role] = {"kind": "guarantor"}
    return file


SHAPES = pytest.mark.parametrize(
    ("file", "varied"),
    [(small(), False), (large(), False), (large(), True)],
    ids=["small", "large", "varied"],
)


@SHAPES
def test_floats_are_blocks(file: Json, varied: bool) -> None:
    deal = Deal(file, varied, step)
    block = deal.rows(deliver, step, lambda x: x)
    for i in range(0, len(PATHS), 2):
        by_floats = deal.rows(deliver, step, lambda x, i=i: on_path(x, i))
        assert agree(block, by_floats, i) > 1000.0


@pytest.mark.parametrize(("file", "varied"), [(small(), False), (large(), True)], ids=["small", "large"])
def test_compiled_are_blocks(file: Json, varied: bool) -> None:
    pytest.importorskip("numba")
    hold_compiled(Deal(file, varied, step), deliver, step)
