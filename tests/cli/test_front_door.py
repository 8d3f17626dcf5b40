"""``import socialfinance as sf``: everything that is promised is there, and inputs are remembered."""

from __future__ import annotations

import pytest

import socialfinance as sf
from tests.cli.small import SMALL


@pytest.fixture
def small(tmp_path):
    file = tmp_path / "small.yaml"
    file.write_text(SMALL, encoding="utf-8")
    return file


def test_every_public_name_can_be_had():
    for name in sf.__all__:
        assert getattr(sf, name) is not None
        assert name in dir(sf)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="happiness"):
        sf.happiness  # noqa: B018


def test_the_rates_can_be_used_alone():
    from socialfinance import pwlb

    assert 0.0 < pwlb.rate(10) < 0.2


def test_what_was_loaded_is_remembered_by_the_result(small):
    result = sf.simulate(sf.load(small), paths=64, seed=7, workers=2)
    (file,) = result.inputs.values()
    assert file["text"] == SMALL
    assert result.provenance["inputs"] == result.inputs


def test_a_path_or_a_portfolio_will_do_as_well(small):
    loaded = sf.load(small)
    by_file = sf.simulate(str(small), paths=64, workers=1)
    by_model = sf.simulate(loaded.portfolio, paths=64, workers=1)
    assert by_file.measures_rows == by_model.measures_rows
    assert by_model.inputs == {}


def test_an_error_of_the_engine_says_where_in_the_file(small):
    small.write_text(SMALL.replace("agency: commissioner", "agency: somebody"), encoding="utf-8")
    with pytest.raises(sf.InputError, match=r"small\.yaml:\d+: deals\.families"):
        sf.simulate(sf.load(small), paths=64)
