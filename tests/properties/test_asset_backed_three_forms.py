"""Development, asset-backed deal, income strip and council build on floats, on blocks and compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from socialfinance.engine.deal import own_draws
from socialfinance.engine.ready import ReadyStructure, drawn, futures_of, prepare, price_level
from socialfinance.instruments import asset_backed_step, council_build, income_strip
from socialfinance.instruments.base import INFINITE, Now
from socialfinance.io.files import load_data
from socialfinance.kernels.delays import Delays
from socialfinance.programmes.base import AS_PLANNED
from socialfinance.programmes.building import develop
from socialfinance.scenarios.sources import at
from tests.developments import file_of
from tests.properties.test_sib_three_forms import hold_compiled, numbers, on_path

SEED, MONEY = 23, 1e-12
PATHS = np.array([0, 1, 5, 7, 12, 1000, 1001, 4000], dtype=np.uint64)
Json = dict[str, Any]

PROCESS: Json = {"distribution": "geometric-brownian", "start": 1.0, "volatility": 0.35}
WIDE: Json = {"distribution": "uniform", "low": 0.7, "high": 1.6}
DEVELOPMENT: Json = {
    "land": {"market": PROCESS},
    "planning": {"quarters": 2, "delay": WIDE, "chance": 0.8, "gain": WIDE},
    "build": {"quarters": 3, "delay": WIDE, "s_curve": 0.6, "phases": 2},
    "sales": {"flats": {"market": PROCESS, "demand": WIDE, "index": "prices"}},
    "lettings": {"rented": {"market": PROCESS, "void": 0.1, "index": "prices", "collar": [0.0, 0.05]}},
    "costs": {"works": {"overrun": WIDE}},
    "grant": {"by": "agency", "amount": 60_000.0},
    "savings": {"beds": {"on": "rented", "agency": "commissioner", "unit_value": 300.0, "cashable": 0.3}},
    "last_quarter": 20,
}
DEAL: Json = {
    "land": {"ground_rent": 800.0, "payments": [{"quarter": 2, "share": 0.2}]},
    "indexation": {"index": "prices", "every": 4, "rises": [0.0, 0.03]},
    "loan": {
        "arrangement_fee": 0.01, "commitment_fee": 0.01, "availability_quarters": 10,
        "repayment": {"profile": "annuity", "first_quarter": 11, "last_quarter": 14, "balloon": 0.3},
    },
    "layers": [
        {"guarantor": "commissioner", "cover": 0.5, "enforceability": {"void": 0.2},
         "fee": {"running": 0.01, "upfront": 0.01}},
        {"guarantor": "partner", "cover": 0.5, "when": "missed payment", "interest": True},
    ],
    "capital": {
        "land": {"land": 0.8, "rate": 0.03},
        "partner": {"rate": 0.06, "surplus": 0.6},
        "council": {"by": "commissioner", "surplus": 0.4},
        "overruns": {"by": "partner", "amount": 50_000.0, "standby": True},
    },
    "covenants": {
        "loan_to_value": {"most": 0.7, "lock_up": 0.6, "first_quarter": 6},
        "interest_cover": {"least": 1.1, "lock_up": 1.3, "first_quarter": 9},
        "cure": {"by": "commissioner", "limit": 60_000.0, "times": 2},
    },
    "enforcement": {"delay": 2},
    "overage": {"share": 0.3, "above": 600_000.0},
    "exit": {"quarter": 19},
}  # fmt: skip
STRIP: Json = {
    "kind": "income-strip", "capital_sum": 800_000.0, "paid": "as works proceed", "rent": 40_000.0,
    "starts": 6, "quarters": 14, "indexation": {"index": "prices", "every": 4, "rises": [0.0, 0.03]},
}  # fmt: skip
INDEX: Json = {
    "prices": {
        "annual": {
            "distribution": "mean-reverting", "start": 0.03, "mean": 0.02, "reversion": 0.5,
            "volatility": 0.03,
        }
    }
}  # fmt: skip
AGENCY: Json = {"agency": {"kind": "housing"}}


class Deal:
    """A deal and its draws on a block of paths."""

    def __init__(self, instrument: Json, comparator: str | None = None) -> None:
        roles: Json = {"agency": "agency"}
        if instrument is STRIP:
            roles["partner"] = None
        file = file_of(DEVELOPMENT, instrument, quarters=21, roles=roles, indices=INDEX, parties=AGENCY)
        ready = prepare(load_data(file).portfolio)
        self.deal = ready.deals[0]
        common = ready.common(SEED, PATHS)
        self.futures = futures_of(self.deal, drawn(self.deal, common, SEED, PATHS), common)
        self.level = price_level(self.deal, common)
        by_name: dict[str, ReadyStructure] = {one.name: one for one in self.deal.comparators}
        self.lowered = by_name[comparator].lowered if comparator else self.deal.own.lowered
        self.drawn = own_draws(self.lowered, self.futures.source, self.futures.rows)

    def rows(self, play: Any, step: Any, cut: Callable[[Any], Any]) -> list[tuple[Any, Any]]:
        """Activity and payments by row in one form; ``cut`` takes what this form is given out of a block."""
        programme, lowered = self.deal.programme, self.lowered
        site, state = cut(programme.opening), cut(lowered.opening)
        in_delay, orders, found = Delays(lowered.lags), cut(AS_PLANNED), []
        terms, own = cut(programme.terms), cut(lowered.terms)
        for row in range(self.futures.rows):
            site, done, _ = play(terms, site, cut(self.futures.now(row, ())), orders)
            schedule, luck = cut(lowered.schedule[row]), cut(self.drawn[row])
            shock, level = cut(at(self.futures.shock_runs, row)), cut(self.level[row])
            given = Now(schedule, done, in_delay.due(), INFINITE, luck, shock, level)
            state, payments, ordered, moved = step(own, state, given)
            orders = ordered if len(numbers(ordered)) == len(AS_PLANNED) else orders
            in_delay.enter(moved)
            found.append((done, payments))
        return found


def agree(block: list[tuple[Any, Any]], other: list[tuple[Any, Any]], i: int) -> float:
    """Path ``i`` of a block against the same path in another form; gives the pounds that moved."""
    moved, wrong = 0.0, []
    for row, (whole, mine) in enumerate(zip(block, other, strict=True)):
        for x, y in zip(numbers(whole), numbers(mine), strict=True):
            amount = on_path(x, i)
            moved += abs(amount)
            wrong.append((abs(amount - y), row))
    assert max(wrong)[0] <= MONEY * moved, max(wrong)
    return moved


CASES = pytest.mark.parametrize(
    ("instrument", "comparator", "step"),
    [
        (DEAL, None, asset_backed_step.step),
        (STRIP, None, income_strip.step),
        (STRIP, "council builds, PWLB loans", council_build.step),
    ],
    ids=["asset-backed", "income strip", "council build"],
)


@CASES
def test_floats_are_blocks(instrument: Json, comparator: str | None, step: Any) -> None:
    deal = Deal(instrument, comparator)
    assert deal.lowered.step is step
    block = deal.rows(develop, step, lambda x: x)
    for i in range(0, len(PATHS), 2):
        assert agree(block, deal.rows(develop, step, lambda x, i=i: on_path(x, i)), i) > 1000.0


@CASES
def test_compiled_are_blocks(instrument: Json, comparator: str | None, step: Any) -> None:
    pytest.importorskip("numba")
    hold_compiled(Deal(instrument, comparator), develop, step)
