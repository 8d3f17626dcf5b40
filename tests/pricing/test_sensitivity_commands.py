"""The commands tornado, stress and frontier: what they print, what they write, what they refuse."""

from __future__ import annotations

import argparse
import json

import pytest

from socialfinance.cli.sensitivity import sensitivity_options
from socialfinance.core.errors import InputError

CAP, NPV = "deals.edge-of-care.tariff.cap", "investor.npv.mean"


def said(capsys, *arguments: str) -> str:
    """What a command prints."""
    parser = argparse.ArgumentParser()
    sensitivity_options(parser.add_subparsers())
    options = parser.parse_args([*arguments, "--paths", "128"])
    assert options.command(options) == 0
    return capsys.readouterr().out


def test_tornado(capsys, tmp_path):
    file = tmp_path / "rows.json"
    text = said(
        capsys,
        "tornado",
        "peterborough",
        "--target",
        "investor.npv.mean",
        "--count",
        "2",
        "--json",
        str(file),
    )
    rows = json.loads(file.read_text(encoding="utf-8"))["rows"]

    assert "1. deals.peterborough.programme.effect.true" in text
    assert "inputs were tried on 128 futures" in text
    assert rows[0]["path"] == "deals.peterborough.programme.effect.true"
    assert {"swing", "standard_error", "origin", "range_is"} <= rows[0].keys()


def test_effects(capsys):
    text = said(capsys, "tornado", "edge-of-care", "--target", "investor.gain.mean", "--effects")

    assert "people's luck and arrivals" in text
    assert "Drivers alone explain" in text


def test_stress_and_reverse(capsys, tmp_path):
    file = tmp_path / "rows.json"
    text = said(
        capsys, "stress", "edge-of-care", "--target", "investor.npv.mean", "--only", "recession", "--reverse",
        "investor.loss <= 100000", "--json", str(file),
    )  # fmt: skip
    found = json.loads(file.read_text(encoding="utf-8"))

    assert "recession: 20% of outcomes lost" in text
    assert "--path" in text
    assert found["stresses"][0]["stress"] == "recession"
    assert isinstance(found["likeliest"][0]["path"], int)


def test_grid_of_two_stresses(capsys):
    text = said(
        capsys, "stress", "edge-of-care", "--target", "investor.npv.mean", "--grid", "recession", "rate rise"
    )

    assert "under recession (down) and rate rise (across)" in text


def test_frontier(capsys):
    text = said(
        capsys, "frontier", "edge-of-care", "--axis", f"{CAP}=4e6,-1", "--measure", "max investor.npv.mean",
        "--measure", "investor.loss.probability",
    )  # fmt: skip

    assert "Marked *" in text
    assert "4,000,000" in text
    assert "(refused)" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("stress", "edge-of-care"), "--target: give a --target"),
        (("stress", "edge-of-care", "--reverse", "x", "--grid", "recession", "rate rise"), "--grid: needs"),
        (("frontier", "edge-of-care", "--axis", CAP, "--measure", NPV), "--axis: is no axis"),
        (("frontier", "edge-of-care", "--axis", f"{CAP}=much", "--measure", NPV), f"{CAP}: is not a number"),
        (("tornado", "edge-of-care", "--target", NPV, "--deal", "nil"), "deal: is not a deal"),
    ],
)  # fmt: skip
def test_bad_input_is_one_clear_line(capsys, arguments, words):
    with pytest.raises(InputError) as told:
        said(capsys, *arguments)

    assert words in str(told.value)
    assert "\n" not in str(told.value)


def test_terms_without_a_figure_are_not_called_refused(capsys):
    text = said(
        capsys, "frontier", "edge-of-care", "--axis", "quarters=30,1", "--measure",
        "max investor.irr.expected",
    )  # fmt: skip

    assert "(none)" in text
    assert "(refused)" not in text
    assert "Not run" not in text
    assert "Does not exist: investor.irr.expected." in text


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_what_is_no_number_is_no_value_of_an_axis(capsys, value):
    with pytest.raises(InputError, match="is not a number"):
        said(capsys, "frontier", "edge-of-care", "--axis", f"{CAP}={value}", "--measure", NPV)


def test_a_stress_that_is_not_graded_is_said_to_be_all_there(capsys):
    text = said(
        capsys, "stress", "edge-of-care", "--target", NPV, "--grid", "policy termination", "late payment"
    )

    assert "policy termination: not graded" in text
    assert "late payment: not graded" not in text
    assert "10 runs of 128 futures" in text


def test_effects_are_of_a_measure_and_not_of_its_statistic(capsys):
    text = " ".join(
        said(capsys, "tornado", "edge-of-care", "--target", "investor.gain.p95", "--effects").split()
    )

    assert "social investors, gain comes from" in text
    assert "p95" not in text


@pytest.mark.slow
def test_what_is_written_says_how_to_run_it_again(capsys, tmp_path):
    file = tmp_path / "rows.json"

    said(capsys, "tornado", "edge-of-care", "--target", NPV, "--count", "2", "--json", str(file))
    found = json.loads(file.read_text())
    assert found["provenance"]["count"] == 2
    assert found["figure"]["unit"] == "pounds"
    assert {"path", "why"} == set(found["left_out"][0])

    said(capsys, "stress", "edge-of-care", "--target", NPV, "--only", "recession", "--json", str(file))
    assert json.loads(file.read_text())["provenance"]["only"] == ["recession"]


def test_only_goes_with_single_stresses(capsys):
    with pytest.raises(InputError, match="--only: chooses"):
        said(capsys, "stress", "edge-of-care", "--target", NPV, "--only", "recession", "--grid",
             "recession", "rate rise")  # fmt: skip
