"""Income strips, and the council that builds for itself, against the same worked by hand from their pages."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from tests.examples import examples
from tests.models.asset_backed_strategies import Json, council_builds, portfolios, strips
from tests.models.council_build_by_hand import council_build
from tests.models.income_strip_by_hand import income_strip
from tests.properties.test_asset_backed_equals_hand_model import USUAL, hold


@settings(USUAL, max_examples=examples(16, 40))
@given(portfolios(strips()))
def test_income_strips(file: Json) -> None:
    hold(file, income_strip)


@settings(USUAL, max_examples=examples(16, 40))
@given(portfolios(council_builds()))
def test_councils_that_build(file: Json) -> None:
    hold(file, council_build)


@pytest.mark.slow
@settings(USUAL, max_examples=400)
@given(portfolios(strips()))
def test_many_income_strips(file: Json) -> None:
    hold(file, income_strip)


@pytest.mark.slow
@settings(USUAL, max_examples=400)
@given(portfolios(council_builds()))
def test_many_councils_that_build(file: Json) -> None:
    hold(file, council_build)
