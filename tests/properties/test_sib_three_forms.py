"""The programme and the bond on plain floats, on blocks and compiled: the same counts, the same pounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from socialfinance.engine.deal import own_draws
from socialfinance.engine.ready import ReadyDeal, ReadyPortfolio, drawn, futures_of, prepare, price_level
from socialfinance.instruments.base import INFINITE, Now
from socialfinance.instruments.sib_step import step
from socialfinance.kernels.delays import Delays
from socialfinance.kernels.luck import Luck
from socialfinance.programmes.base import AS_PLANNED
from socialfinance.programmes.delivery import deliver
from socialfinance.scenarios.sources import at
from tests.compiled import Compiled, same_bits
from tests.models.strategies import Json, read

SEED = 23
PATHS = np.array([0, 1, 5, 7, 12, 1000, 1001, 4000], dtype=np.uint64)
MONEY = 1e-12

SMALL: Json = {
    "name": "small",
    "start": "2025-04-01",
    "quarters": 14,
    "discount": {"rate": 0.035},
    "comparison": {"pwlb_method": "maturity", "pwlb_term_years": 1},
    "parties": {
        "council": {"kind": "council"},
        "charity": {"kind": "provider"},
        "fund": {"kind": "investor"},
    },
    "deals": {
        "small": {
            "programme": {
                "title": "Two lines",
                "referrals": {"per_quarter": 20.0, "quarters": 5},
                "engagement": 0.8,
                "outcomes": {
                    "housed": {"probability": {"distribution": "beta", "mean": 0.6, "sd": 0.1}},
                    "stays": {"of": "housed", "probability": 0.7, "lag": 2, "verification_lag": 1},
                },
                "costs": {"delivery": {"per_quarter": 16000.0, "elasticity": 0.5, "vat": 0.2}},
                "savings": {
                    "beds": {"on": "stays", "agency": "council", "unit_value": 900.0, "cashable": 0.5}
                },
            },
            "tariff": {"payers": {"council": {"share": 1.0}}, "prices": {"housed": 900.0, "stays": 2600.0}},
            "instrument": {
                "kind": "social-impact-bond",
                "commitment": {"peak_need": 1.1},
                "cap": {"irr": 0.08},
            },
            "parties": {"council": "council", "provider": "charity", "investor": "fund"},
        }
    },
}


def large() -> Json:
    """Eight lines, three payers, four cost lines, three savings, and every term a bond can have."""
    names = [f"line {n}" for n in range(8)]
    outcomes = {
        name: {
            "probability": {"distribution": "uniform", "low": 0.5, "high": 0.95},
            "lag": n % 3,
            "verification_lag": n % 2,
            "deadweight": 0.1,
            **({"of": names[n - 2]} if n >= 2 else {}),
        }
        for n, name in enumerate(names)
    }
    kinds = (
        ("provider", "delivery cost"),
        ("provider", "set-up cost"),
        ("intermediary", "intermediary cost"),
        ("evaluator", "evaluation cost"),
    )
    costs = {
        reason: {
            "paid_to": paid_to,
            "reason": reason,
            "per_quarter": 9000.0 + 700.0 * n,
            "per_user": 15.0 * n,
            "one_off": 2500.0 * n,
            "elasticity": 0.3 * n,
            "response_lag": n % 3,
            "overrun": {"distribution": "uniform", "low": 0.9, "high": 1.3},
            "inside_cap": n != 3,
            "vat": 0.2,
            "vat_recoverable": 0.5,
            "index": "wages",
        }
        for n, (paid_to, reason) in enumerate(kinds)
    }
    savings = {
        f"saving {n}": {
            "on": names[2 * n],
            "agency": "nhs",
            "unit_value": 300.0 + 50.0 * n,
            "lag": n,
            "duration": 3 + n,
            "drop_off": 0.2 * n,
            "cashable": 0.4,
            "index": "wages",
        }
        for n in range(3)
    }
    payers = {
        role: {
            "share": share,
            "cap": 900000.0 * share,
            "payment_lag": lag,
            "passes_on": lag < 2,
            "joins": lag,
        }
        for role, share, lag in (("council", 0.5, 0), ("nhs", 0.3, 1), ("dwp", 0.2, 2))
    }
    file: Json = {key: value for key, value in SMALL.items() if key != "deals"}
    file["quarters"] = 20
    file["parties"] = SMALL["parties"] | {
        "nhs": {"kind": "nhs"},
        "dwp": {"kind": "dwp"},
        "guarantor": {"kind": "guarantor"},
    }
    file["indices"] = {
        "wages": {
            "annual": {
                "distribution": "mean-reverting", "start": 0.04, "mean": 0.02, "reversion": 0.5,
                "volatility": 0.02,
            }
        }
    }  # fmt: skip
    file["factors"] = {
        "bad time": {"kind": "common-shock", "annual_probability": 0.6, "duration": 3, "depth": 0.6}
    }
    file["deals"] = {
        "large": {
            "programme": {
                "title": "Eight lines",
                "referrals": {"per_quarter": 45.0, "quarters": 7, "dispersion": 0.3, "ramp": [0.4, 0.8]},
                "engagement": 0.85,
                "outcomes": outcomes,
                "costs": costs,
                "savings": savings,
                "failure": {"probability": 0.4, "performance": 0.5, "onset": 4},
            },
            "tariff": {
                "payers": payers,
                "prices": {name: 700.0 + 90.0 * n for n, name in enumerate(names)},
                "cap": 850000.0,
                "caps": {names[0]: 120000.0, names[3]: 60000.0},
                "index": "wages",
                "rejected": 0.03,
                "delayed": {"share": 0.2, "quarters": 2},
                "clawback": {"share": 0.1, "after": 2},
                "tail": 3,
                "minimum_referrals": {"per_quarter": 40.0, "payment": 120.0, "tested_every": 2},
                "emergency_support": 0.5,
            },
            "instrument": {
                "kind": "social-impact-bond",
                "commitment": {"peak_need": 1.1},
                "revolving": True,
                "provider_at_risk": 0.15,
                "tranches": {
                    "first": {"share": 0.6},
                    "second": {"share": 0.4, "from_quarter": 3, "gate": 0.3},
                },
                "cap": {"irr": 0.1, "multiple": 1.5},
                "above_cap": {"payers": 0.5, "provider": 0.3, "investor": 0.2},
                "protection": {
                    "by": "guarantor",
                    "schedule": [{"from_quarter": 2, "share": 0.4}, {"from_quarter": 8, "share": 0.7}],
                },
                "floor_coupon": {"by": "guarantor", "rate": 0.02, "years": 3},
                "performance_coupon": {
                    "line": names[1],
                    "steps": [{"at": 0.3, "rate": 0.01}, {"at": 0.7, "rate": 0.03}],
                },
                "termination": {
                    "performance_test": {"first_quarter": 6, "below": 0.5},
                    "voluntary": {"annual_probability": 0.05},
                    "policy": {"annual_probability": 0.05},
                    "insolvency": {"annual_probability": 0.05},
                },
                "review": {
                    "quarters": [4, 8],
                    "below": 0.9,
                    "pause_quarters": 1,
                    "price": 1.1,
                    "performance": 1.1,
                    "times": 2,
                },
            },
            "parties": {
                "council": "council", "nhs": "nhs", "dwp": "dwp", "guarantor": "guarantor",
                "provider": "charity", "investor": "fund",
            },
        }
    }  # fmt: skip
    return file


def numbers(x: Any) -> list[Any]:
    """All numbers in nested tuples."""
    return [leaf for part in x for leaf in numbers(part)] if isinstance(x, tuple) else [x]


def on_path(x: Any, i: int) -> Any:
    """One path of nested tuples over a block, with plain floats and whole numbers."""
    if isinstance(x, Luck):
        path = x.path[i] if isinstance(x.path, np.ndarray) else x.path
        return x._replace(path=int(path))
    if isinstance(x, tuple):
        parts = [on_path(part, i) for part in x]
        return type(x)(*parts) if hasattr(x, "_fields") else tuple(parts)
    return float(x[i]) if isinstance(x, np.ndarray) else float(x)


class Deal:
    """A deal and its draws on a block of paths."""

    def __init__(self, file: Json, varied: bool, its_step: Any = step) -> None:
        ready: ReadyPortfolio = prepare(read(file))
        self.deal: ReadyDeal = ready.deals[0]
        common = ready.common(SEED, PATHS)
        self.futures = futures_of(self.deal, drawn(self.deal, common, SEED, PATHS), common)
        self.level = price_level(self.deal, common)
        structure = self.deal.varied if varied else self.deal.own
        assert structure is not None
        self.lowered = structure.lowered
        self.drawn = own_draws(self.lowered, self.futures.source, self.futures.rows)
        assert self.lowered.step is its_step

    def rows(self, run_programme: Any, run_bond: Any, cut: Callable[[Any], Any]) -> list[tuple[Any, Any]]:
        """Activity and payments by row in one form; ``cut`` takes what this form is given out of a block."""
        programme, lowered = self.deal.programme, self.lowered
        people, bond = cut(programme.opening), cut(lowered.opening)
        on_the_way, in_delay = Delays(programme.lags), Delays(lowered.lags)
        orders, found = cut(AS_PLANNED), []
        terms, bond_terms = cut(programme.terms), cut(lowered.terms)
        for row in range(self.futures.rows):
            now = cut(self.futures.now(row, ()))._replace(due=on_the_way.due())
            people, done, entering = run_programme(terms, people, now, orders)
            on_the_way.enter(entering)
            schedule, drawn = cut(lowered.schedule[row]), cut(self.drawn[row])
            shock, level = cut(at(self.futures.shock_runs, row)), cut(self.level[row])
            given = Now(schedule, done, in_delay.due(), INFINITE, drawn, shock, level)
            bond, payments, orders, moved = run_bond(bond_terms, bond, given)
            in_delay.enter(moved)
            found.append((done, payments))
        return found


def people_of(done: Any) -> list[Any]:
    """Everything in an activity that counts people."""
    return numbers((done.referred, done.starts, done.eligible, done.achieved, done.verified, done.people))


def pounds_of(done: Any, payments: Any) -> list[Any]:
    """Everything that is money."""
    return numbers((done.costs, done.cashable, done.not_cashable, payments))


def agree(block: list[tuple[Any, Any]], other: list[tuple[Any, Any]], i: int) -> float:
    """Path ``i`` of a block against the same path in another form; gives the pounds that moved."""
    moved, wrong = 0.0, []
    for row, ((done, paid), (mine, my_paid)) in enumerate(zip(block, other, strict=True)):
        for people, my_people in zip(people_of(done), people_of(mine), strict=True):
            assert on_path(people, i) == my_people, row
        for pounds, my_pounds in zip(pounds_of(done, paid), pounds_of(mine, my_paid), strict=True):
            amount = on_path(pounds, i)
            moved += abs(amount)
            wrong.append((abs(amount - my_pounds), row))
    assert max(wrong)[0] <= MONEY * moved, max(wrong)
    return moved


SHAPES = pytest.mark.parametrize(
    ("file", "varied"), [(SMALL, False), (large(), False), (large(), True)], ids=["small", "large", "varied"]
)


@SHAPES
def test_floats_are_blocks(file: Json, varied: bool) -> None:
    deal = Deal(file, varied)
    block = deal.rows(deliver, step, lambda x: x)
    for i in range(0, len(PATHS), 2):
        by_floats = deal.rows(deliver, step, lambda x, i=i: on_path(x, i))
        assert agree(block, by_floats, i) > 1000.0


@pytest.mark.parametrize(("file", "varied"), [(SMALL, False), (large(), True)], ids=["small", "large"])
def test_compiled_are_blocks(file: Json, varied: bool) -> None:
    pytest.importorskip("numba")
    hold_compiled(Deal(file, varied), deliver, step)


def hold_compiled(deal: Any, play: Any, its_step: Any) -> None:
    """Rows compiled beside the same on NumPy: the same bits."""
    run_programme, run_step = Compiled(play, len(PATHS)), Compiled(its_step, len(PATHS))
    block = deal.rows(play, its_step, lambda x: x)
    by_compiled = deal.rows(run_programme, run_step, lambda x: x)
    assert same_bits(block, by_compiled, len(PATHS)) > 1000.0
    assert run_programme.programs
    assert run_step.programs
