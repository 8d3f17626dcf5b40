"""Figures of the plan case that are not figures of a path: how far the plan may be missed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import socialfinance as sf
from socialfinance.engine import cases
from socialfinance.engine.block import deal_figures
from socialfinance.engine.cases import BREAK_EVEN_STEPS, break_even_rows, run_case
from socialfinance.engine.ready import PLAN, prepare
from socialfinance.funds.portfolio import Case
from tests.fixtures import one_deal

WITHIN = 1.5 / BREAK_EVEN_STEPS**2
EASY: dict[str, Any] = {"commitment": {"amount": 100_000.0}, "draw_ahead": 0, "reserve_quarters": 0}


def test_break_even_is_cost_over_planned_payments() -> None:
    """Two quarters at 10,000 against 30 outcomes at 1,000: 20,000 of 30,000 is what investors need."""
    ready = prepare(one_deal(prices={"outcome": 1_000.0}, instrument=EASY))
    (row,) = break_even_rows(ready, ready.deals[0])
    assert ready.deals[0].planned_payments == pytest.approx(30_000.0)
    assert row.value is not None
    assert row.value == pytest.approx(2.0 / 3.0, abs=WITHIN)
    assert row.value >= 2.0 / 3.0 - 1e-9  # at the figure itself nothing is lost


def test_a_plan_that_loses_money_has_no_break_even() -> None:
    ready = prepare(one_deal(prices={"outcome": 500.0}, instrument=EASY))
    (row,) = break_even_rows(ready, ready.deals[0])
    assert row.value is None
    assert "even in the plan" in row.status


def test_break_even_with_a_cap_counts_what_is_paid() -> None:
    """The cap pays 25,000 at plan prices; investors still need 20,000 of it."""
    ready = prepare(one_deal(prices={"outcome": 1_000.0}, instrument=EASY, cap=25_000.0))
    (row,) = break_even_rows(ready, ready.deals[0])
    assert row.value == pytest.approx(0.8, abs=WITHIN)


def test_paid_over_plan_and_outcomes_beyond_deadweight() -> None:
    """A third fewer succeed than planned, and a quarter of them would have anyway."""
    outcome = {
        "probability": {"distribution": "uniform", "low": 0.2, "high": 0.4},
        "lag": 1,
        "deadweight": 0.25,
    }
    ready = prepare(
        one_deal(prices={"outcome": 1_000.0}, instrument=EASY, programme={"outcomes": {"outcome": outcome}})
    )
    deal = ready.deals[0]
    case = Case(set={"outcomes.outcome.probability": 0.2})
    figures = deal_figures(ready, deal, run_case(ready, deal, case, ""), "deal")
    found = {key.measure: float(values[0]) for key, values in figures.items()}
    assert found["paid_over_plan"] == pytest.approx(2.0 / 3.0)
    assert found["achieved: outcome"] == pytest.approx(20.0)
    assert found["beyond: outcome"] == pytest.approx(15.0)
    plan = deal_figures(ready, deal, run_case(ready, deal, PLAN, ""), "deal")
    assert next(float(v[0]) for k, v in plan.items() if k.measure == "paid_over_plan") == pytest.approx(1.0)


@pytest.mark.parametrize(
    "name", ["edge-of-care", "demo-loan-pool", "demo-asset-backed", "demo-pay-as-you-save"]
)
def test_a_stage_of_the_bridge_is_run_only_where_it_changes_anything(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same bits as every stage on every future; most futures are spared some stage."""
    ready, spared = prepare(sf.load(name).portfolio), []

    differ, struck = cases.differ, cases.struck

    def everywhere(one: Any, other: Any, paths: int) -> np.ndarray:
        spared.append(1.0 - differ(one, other, paths).mean())
        return np.ones(paths, dtype=bool)

    def all_struck(deal: Any, source: Any, paths: int) -> np.ndarray:
        spared[-1] = 1.0 - struck(deal, source, paths).mean()  # else nothing differs in the last stage
        return np.ones(paths, dtype=bool)

    found = cases.deal_cases(ready, 0, 3, 700).rows
    with monkeypatch.context() as patch:
        patch.setattr(cases, "differ", everywhere)
        patch.setattr(cases, "struck", all_struck)
        assert cases.deal_cases(ready, 0, 3, 700).rows == found
    assert all(0.0 < share < 1.0 for share in spared)
    assert spared or name == "demo-asset-backed"
