"""In house, the credit line and the grant on floats, on blocks and compiled: the same pounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from socialfinance.engine.deal import own_draws
from socialfinance.engine.ready import drawn, futures_of, prepare, price_level
from socialfinance.instruments import credit_step, grant_step, in_house
from socialfinance.instruments.base import INFINITE, Now
from socialfinance.kernels.delays import Delays
from socialfinance.programmes.base import AS_PLANNED
from socialfinance.programmes.delivery import deliver
from socialfinance.scenarios.sources import at
from tests.models.strategies import Json, read
from tests.properties.test_sib_three_forms import agree, hold_compiled, large, on_path

SEED = 23
PATHS = np.array([0, 1, 5, 7, 12, 1000, 1001, 4000], dtype=np.uint64)


def with_instrument(instrument: Json, tariff: bool = True) -> Json:
    """Eight lines, three payers, four cost lines and three savings, on another instrument."""
    file = large()
    deal = file["deals"]["large"]
    deal["instrument"] = instrument
    deal["parties"] = {
        "commissioner": "council", "provider": "charity", "investor": "fund", "reserve": "guarantor",
        "council": "council", "nhs": "nhs", "dwp": "dwp",
    }  # fmt: skip
    wanted = {"credit-line": ("reserve",), "grant": ("reserve", "council", "dwp")}
    for role in wanted.get(instrument["kind"], ("investor", "council", "dwp")):
        del deal["parties"][role]
    if "reserve" not in instrument:
        deal["parties"].pop("reserve", None)
    if not tariff:
        del deal["tariff"]
    return file


RESERVE = {
    "kind": "fee-for-service",
    "funded_from": "invest-to-save reserve",
    "reserve": {"amount": 200000.0, "interest_forgone": 0.04, "repaid_by": "nhs", "share": 0.8},
}
LOAN = {"kind": "pwlb-loan", "draws": "need", "method": "annuity", "term_years": 2, "fee": {"least": 25.0}}
CREDIT = {
    "kind": "credit-line",
    "limit": {"peak_need": 0.8},
    "rate": {"reference": "fixed", "value": 0.04, "basis": "nominal quarterly", "margin": 0.04},
    "arrangement_fee": 0.01,
    "non_utilisation_fee": 0.02,
    "buffer": 60000.0,
    "recovery": 0.5,
    "covenant": {"from_quarter": 4, "most_drawn": 3.0},
    "left_without_service": 0.3,
    "step_in": {"after_quarters": 2, "cost": 9000.0, "performance": 0.9},
    "termination": {
        "insolvency": {"annual_probability": 0.1, "arrears_quarters": 1},
        "policy": {"annual_probability": 0.1},
        "compensation": {"policy": 0.5},
    },
    "review": {"quarters": [4, 8], "below": 0.9, "price": 1.1, "performance": 1.1},
}
GRANT = {
    "kind": "grant",
    "amount": 300000.0,
    "instalments": {
        "first": {"share": 0.5},
        "second": {"share": 0.5, "from_quarter": 3, "milestone": {"line": "line 1", "of_plan": 0.9}},
    },
    "overheads": 0.1,
    "monitoring": {"per_quarter": 700.0, "last_quarter": 9},
    "impact": {"line": "line 4", "share": 0.3},
}
FORMS = {
    "reserve": (with_instrument(RESERVE, tariff=False), in_house.step),
    "loan": (with_instrument(LOAN, tariff=False), in_house.step),
    "credit line": (with_instrument(CREDIT), credit_step.step),
    "grant": (with_instrument(GRANT, tariff=False), grant_step.step),
}


class Deal:
    """A deal, with variation where it has any, and its draws on a block of paths."""

    def __init__(self, name: str) -> None:
        file, self.step = FORMS[name]
        ready = prepare(read(file))
        self.deal = ready.deals[0]
        common = ready.common(SEED, PATHS)
        self.futures = futures_of(self.deal, drawn(self.deal, common, SEED, PATHS), common)
        self.level = price_level(self.deal, common)
        self.lowered = (self.deal.varied or self.deal.own).lowered
        self.drawn = own_draws(self.lowered, self.futures.source, self.futures.rows)
        assert self.lowered.step is self.step

    def rows(self, run_programme: Any, run_step: Any, cut: Callable[[Any], Any]) -> list[tuple[Any, Any]]:
        """Activity and payments by row in one form; ``cut`` takes what this form is given out of a block."""
        programme, lowered = self.deal.programme, self.lowered
        people, own = cut(programme.opening), cut(lowered.opening)
        on_the_way, in_delay = Delays(programme.lags), Delays(lowered.lags)
        orders, found = cut(AS_PLANNED), []
        terms, agreed = cut(programme.terms), cut(lowered.terms)
        for row in range(self.futures.rows):
            now = cut(self.futures.now(row, ()))._replace(due=on_the_way.due())
            people, done, entering = run_programme(terms, people, now, orders)
            on_the_way.enter(entering)
            given = Now(
                cut(lowered.schedule[row]), done, in_delay.due(), INFINITE, cut(self.drawn[row]),
                cut(at(self.futures.shock_runs, row)), cut(self.level[row]),
            )  # fmt: skip
            own, payments, orders, moved = run_step(agreed, own, given)
            in_delay.enter(moved)
            found.append((done, payments))
        return found


@pytest.mark.parametrize("name", FORMS)
def test_floats_are_blocks(name: str) -> None:
    deal = Deal(name)
    block = deal.rows(deliver, deal.step, lambda x: x)
    for i in range(0, len(PATHS), 2):
        by_floats = deal.rows(deliver, deal.step, lambda x, i=i: on_path(x, i))
        assert agree(block, by_floats, i) > 1000.0


@pytest.mark.parametrize("name", FORMS)
def test_compiled_are_blocks(name: str) -> None:
    pytest.importorskip("numba")
    deal = Deal(name)
    hold_compiled(deal, deliver, deal.step)
