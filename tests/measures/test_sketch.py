"""A sketch merges without rounding, in any order, and its quantiles lie within what it states."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from socialfinance.measures.figure import ByPath, Figure
from socialfinance.measures.paths import Key
from socialfinance.measures.sample import EQUAL
from socialfinance.measures.sketch import NIL, WITHIN, Sketch, Sketched, buckets, merged, sketch
from socialfinance.measures.statistics import QUANTILES, rows_of

Array = NDArray[np.float64]
LEVELS = tuple(QUANTILES.values())
KEY = Key("deal", "d", "lender", "investor", "", "gain", "pounds")

AMOUNTS = st.one_of(
    st.floats(-1e9, 1e9), st.sampled_from([0.0, -0.0, 1e-12, -1e-12, 240_000.0, -1.0, 1.0, 1e-3, np.nan])
)
SAMPLES = st.lists(AMOUNTS, min_size=1, max_size=400).map(np.array)


def same(one: Sketch, other: Sketch) -> bool:
    """Bit for bit."""
    return all(np.array_equal(a, b) for a, b in zip(one[:4], other[:4], strict=True)) and (
        one.missing == other.missing
        and one.least.tobytes() == other.least.tobytes()
        and one.greatest.tobytes() == other.greatest.tobytes()
    )


def sketched(values: Array, known: Sketch | None = None) -> Sketched:
    there = values[~np.isnan(values)]
    moments = (len(there), there.sum(), there.var() * len(there) if len(there) else 0.0)
    return Sketched(len(values), moments, known or sketch(values))


def within(found: float | None, exact: float | None) -> bool:
    assert found is not None
    assert exact is not None
    return abs(found - exact) <= WITHIN * max(abs(found), abs(exact)) + 2.0 * NIL


@given(SAMPLES, st.randoms(use_true_random=False), st.integers(2, 9))
@settings(deadline=None)
def test_no_order_and_no_grouping_of_merges_changes_a_bit(values: Array, luck: object, count: int) -> None:
    whole = sketch(values)
    parts = [sketch(part) for part in np.array_split(values, count) if len(part)]
    luck.shuffle(parts)  # type: ignore[attr-defined]
    assert same(merged(parts), whole)
    one_by_one = parts[0]
    for part in parts[1:]:
        one_by_one = merged([part, one_by_one])
    assert same(one_by_one, whole)


@given(SAMPLES)
@settings(deadline=None)
def test_quantiles_are_values_that_occurred_within_the_stated_error(values: Array) -> None:
    there = values[~np.isnan(values)]
    found = sketched(values).quantiles(LEVELS)
    for (value, _), (exact, _) in zip(found, EQUAL.quantiles(there, LEVELS), strict=True):
        if exact is None:
            assert value is None
            continue
        assert value in there
        assert within(value, exact)


HEAVY = np.random.default_rng(3).standard_cauchy(50_000) * 1e5
KINDS = {
    "heavy tails": HEAVY,
    "losses": np.maximum(HEAVY, 0.0),
    "ties at a cap": np.minimum(np.abs(HEAVY), 240_000.0),
    "whole people": np.random.default_rng(4).poisson(40.0, 50_000).astype(float),
    "narrow": 1e7 + np.random.default_rng(5).normal(0.0, 1e3, 50_000),
    "below nil": -np.abs(HEAVY),
    "with gaps": np.where(HEAVY > 1e5, np.nan, HEAVY),
}


@pytest.mark.parametrize("kind", KINDS)
def test_quantiles_shortfall_and_their_errors(kind: str) -> None:
    """An error through the sketch is off by no more than half of a bucket at either end."""
    values = KINDS[kind]
    there, parts = values[~np.isnan(values)], [sketch(part) for part in np.array_split(values, 13)]
    figure = sketched(values, merged(parts))
    for (value, error), (exact, of_it) in zip(
        figure.quantiles(LEVELS), EQUAL.quantiles(there, LEVELS), strict=True
    ):
        assert value is not None
        assert error is not None
        assert of_it is not None
        assert within(value, exact)
        assert abs(error - of_it) <= WITHIN * (abs(value) + of_it)
    worst, exact = figure.shortfall(0.99)[0], ByPath(there).shortfall(0.99)[0]
    tail = np.sort(there)[-500:]
    assert worst is not None
    assert abs(worst - exact) <= WITHIN * np.abs(tail).mean()
    assert figure.ends() == (there.min(), there.max())


def test_a_point_has_no_error() -> None:
    figure = sketched(np.full(1_000, 240_000.0))
    assert figure.quantiles(LEVELS) == [(240_000.0, 0.0)] * 4
    assert figure.shortfall(0.99) == (pytest.approx(240_000.0), 0.0)


def test_one_value_and_none() -> None:
    assert sketched(np.array([7.0])).quantiles((0.5,)) == EQUAL.quantiles(np.array([7.0]), (0.5,))
    nothing = sketched(np.array([np.nan, np.nan]))
    assert nothing.there == 0.0
    assert nothing.quantiles((0.5,)) == [(None, None)]
    assert [row.status for row in rows_of(KEY, nothing)] == ["does not exist on any path"]


@given(st.lists(st.floats(-1e12, 1e12), min_size=2, max_size=50).map(np.array))
def test_buckets_are_in_order_and_narrow(values: Array) -> None:
    number = buckets(values)
    order = np.argsort(values)
    assert (np.diff(number[order]) >= 0).all()
    for one in np.unique(number):
        mine = values[number == one]
        assert np.ptp(mine) <= max(WITHIN * np.abs(mine).min(), 2.0 * NIL)


@pytest.mark.parametrize("measure", ["gain", "loss", "net_cost"])
def test_rows_are_those_of_figures_by_path(measure: str) -> None:
    """The same rows, but for what a sketch gives, whose status says so."""
    key, values = KEY._replace(measure=measure), np.round(np.maximum(HEAVY[:5_000], 0.0), 2)
    both: tuple[Figure, Figure] = (ByPath(values), sketched(values))
    exact, found = (list(rows_of(key, one)) for one in both)
    for here, there in zip(exact, found, strict=True):
        assert here[:7] == there[:7]
        assert there.value == pytest.approx(here.value, rel=WITHIN)
        from_sketch = here.statistic in (*QUANTILES, "es99")
        assert ("~ within 0.1%" in there.status) == from_sketch
        if not from_sketch:
            assert there.value == pytest.approx(here.value, rel=1e-12)
            assert (there.standard_error is None) == (here.standard_error is None)
            assert (there.standard_error or 0.0) == pytest.approx(here.standard_error or 0.0, rel=1e-12)


def test_status_codes_are_counted_exactly() -> None:
    codes = np.repeat([0.0, 1.0, 2.0, 3.0], [700, 200, 100, 0])
    assert [sketched(codes).share_at(code) for code in range(4)] == [
        ByPath(codes).share_at(code) for code in range(4)
    ]
