"""What is no number is none, says why, and is null in a file."""

from __future__ import annotations

import json
from typing import Any

import pytest

from socialfinance import simulate
from socialfinance.measures.statistics import Row
from socialfinance.results.result import FlowRow, Result
from tests.fixtures import one_deal

INFINITE, NOT_A_NUMBER = float("inf"), float("nan")


def row(measure: str, value: float | None, error: float | None) -> Row:
    return Row("deal", "deal", "fund", "investor", "", measure, "mean", value, error, "pounds", "ok", 1.0)


def result(rows: tuple[Row, ...], flows: tuple[FlowRow, ...] = (), **portfolio: Any) -> Result:
    data = one_deal(prices={"outcome": 1.0}).model_dump(exclude_unset=True)
    return Result(
        portfolio=type(one_deal(prices={"outcome": 1.0})).model_validate({**data, **portfolio}),
        measures_rows=rows, flow_rows=flows, paths=1, seed=1, discount=0.05, discount_basis="x", inputs={},
        titles={}, compared=False, backend="numpy",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("value", "error"),
    [(INFINITE, None), (-INFINITE, 1.0), (NOT_A_NUMBER, None), (1.0, INFINITE), (1.0, NOT_A_NUMBER)],
)
def test_a_figure_too_large_to_be_a_number_is_none_and_says_so(tmp_path, value, error):
    found = result((row("gain", value, error), row("drawn", 1.0, 2.0), row("npv", None, None)))
    gain = found.figure("gain", who="fund", deal="deal")
    assert (gain.value, gain.standard_error, gain.status) == (None, None, "too large to be a number")
    assert found.measures_rows[1:] == (row("drawn", 1.0, 2.0), row("npv", None, None))

    found.to_json(tmp_path / "run.json")
    rows = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))["measures"]
    assert [(one["value"], one["status"]) for one in rows] == [
        (None, "too large to be a number"), (1.0, "ok"), (None, "ok"),
    ]  # fmt: skip


def test_a_flow_too_large_to_be_a_number_is_null(tmp_path):
    flow = FlowRow("deal", "a", "b", "saving", "", "mean", INFINITE, NOT_A_NUMBER, "pounds")
    result((), (flow,)).to_json(tmp_path / "run.json")
    (written,) = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))["flows"]
    assert (written["value"], written["standard_error"]) == (None, None)


def test_the_largest_amounts_that_a_file_may_hold_can_be_run(tmp_path):
    largest = one_deal(prices={"outcome": 1e12}, cost=1e12, people=1000.0, quarters=8)
    simulate(largest, paths=50, workers=1).to_json(tmp_path / "run.json")
    assert json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))["measures"]


def test_a_result_says_in_which_currency_it_is():
    assert result(()).provenance["currency"] == "GBP"
    assert result((), currency="USD").provenance["currency"] == "USD"
