"""The two charts: what they say, and that nothing gets out of them."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from socialfinance.explorer.charts import bins, by_year, nice, spread

FAR = st.floats(-1e9, 1e9)
HOSTILE = '<script>alert(1)</script>"\u202e'
RNG = np.random.default_rng(5)


@given(FAR, FAR)
def test_ticks_reach_from_end_to_end_in_equal_steps(one, other):
    low, high = min(one, other), max(one, other)
    ticks = nice(low, high)
    steps = np.diff(ticks)

    assert ticks[0] <= low + 1e-6 * steps[0], "a millionth of a step is not seen"
    assert ticks[-1] >= high - 1e-6 * steps[0]
    assert 2 <= len(ticks) <= 8
    assert steps == pytest.approx(steps[0], rel=1e-6)


@given(FAR, FAR)
def test_bars_have_nil_as_an_edge(one, other):
    edges = bins(min(one, other), max(one, other))

    assert 2 <= len(edges) <= 28
    if edges[0] < 0.0 < edges[-1]:
        assert min(map(abs, edges)) == pytest.approx(0.0, abs=1e-6 * (edges[1] - edges[0]))


def heights(chart, name):
    shapes = ElementTree.fromstring(chart.svg).iter("rect")
    return [float(one.get("height")) for one in shapes if one.get("class") == name]


def test_bars_hold_every_future_and_losses_stand_apart():
    gains = np.concatenate([np.full(30, -500.0), np.full(70, 1500.0)])
    chart = spread(gains, gains, "investors", "£")
    lost, won = sum(heights(chart, "loss")), sum(heights(chart, "gain"))

    assert lost / (lost + won) == pytest.approx(0.3, abs=0.005)
    assert "Below nil in 30% of futures" in chart.alt
    assert chart.note == ""


def test_the_outermost_bars_hold_what_lies_beyond_and_say_so():
    gains = RNG.normal(0.0, 1000.0, 4000)
    gains[0] = 1e6
    chart = spread(gains, gains[:0], "investors", "£")

    assert chart.note == "The outermost bars also hold what lies beyond them."
    assert chart.rows[0][1] == "-", "there is nothing of the file"


def test_years_show_quantiles_that_occurred():
    values = np.arange(100.0) * 1000.0
    chart = by_year({"2026/27": values, "2027/28": 0.0 * values}, {"2026/27": values}, "Anytown", "£")

    assert len(chart.rows) == 1, "the year with nothing in it is left out"
    year, _, _, low, high = chart.rows[0]
    assert (year, low, high) == ("2026/27", "£4,000", "£94,000")


def test_no_money_at_all_is_a_chart_too():
    nil = np.zeros(10)
    assert by_year({"2026/27": nil}, {"2026/27": nil}, "Anytown", "£").rows == ()


def test_names_cannot_leave_a_chart():
    values = RNG.normal(0.0, 1e6, 50)
    chart = by_year({"2026/27": values}, {}, HOSTILE, HOSTILE)
    tree = ElementTree.fromstring(chart.svg)

    assert {one.tag for one in tree.iter()} <= {"svg", "line", "text", "polygon", "polyline"}
    assert "\u202e" not in chart.svg
    assert not re.search(r"\son\w+=|style=|href", chart.svg)
