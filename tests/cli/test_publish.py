"""``publish export`` and ``publish check``: what they print and write, and what they say of bad input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from socialfinance.cli import main
from socialfinance.evidence.open_data.read import read
from socialfinance.evidence.open_data.tables import SUPPRESSED
from tests.cli.small import SMALL
from tests.evidence.made_up import returns, written

FEW = {
    ("starts", ""): (20, 30, 35, 30), ("outcome", "home"): (0, 3, 20, 25),
    ("outcome", "home a year"): (0, 0, 0, 6), ("outcome payment", "home"): (0.0, 0.0, 30_000.0, 200_000.0),
}  # fmt: skip


@pytest.fixture
def small(tmp_path: Path) -> Path:
    file = tmp_path / "small.yaml"
    file.write_text(SMALL, encoding="utf-8")
    return file


@pytest.fixture
def reported(tmp_path: Path) -> Path:
    file = tmp_path / "returns.csv"
    file.write_text(returns(FEW), encoding="utf-8")
    return file


def export(file: Path, to: Path, *words: str) -> int:
    return main(["publish", "export", str(file), "--to", str(to), *words])


def test_the_plan_alone(small, tmp_path, capsys) -> None:
    assert export(small, tmp_path / "open") == 0
    out, err = capsys.readouterr()
    assert "PUBLISHED: A SMALL FUND" in out
    assert "The plan only: no returns were given, and nobody is counted." in out
    assert err == f"Written to {tmp_path / 'open'}.\n"
    assert read(tmp_path / "open").results == ()
    assert main(["publish", "check", str(tmp_path / "open")]) == 0
    assert capsys.readouterr().out == "0 errors, 0 warnings.\n"


def test_with_returns(small, reported, tmp_path, capsys) -> None:
    rows = tmp_path / "rows.json"
    assert export(small, tmp_path / "open", "--returns", str(reported), "--json", str(rows)) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "Suppressed: counts under 5 (nil is shown), and others beside them" in words
    assert "could be any of at least 3 numbers" in words
    (row,) = json.loads(rows.read_text(encoding="utf-8"))["suppressed"]
    assert (row["deal"], row["counts"], row["small"], row["withheld"]) == ("families", 20, 1, False)
    assert row["beside"] >= 1
    counts = [one.number_with_positive_social_outcomes for one in read(tmp_path / "open").results]
    assert counts.count(SUPPRESSED) == row["small"] + row["beside"]
    assert "counts_under_are_suppressed" in (tmp_path / "open" / "about.json").read_text(encoding="utf-8")


def test_nothing_that_is_suppressed_is_written_anywhere(small, tmp_path, capsys) -> None:
    """Nowhere in folder, page or rows stand the returns, or a number that only they hold."""
    told = FEW | {
        ("starts", ""): (20, 30, 35, 4),
        ("outcome payment", "home"): (0.0, 0.0, 30_123.0, 200_456.0),
    }
    file = tmp_path / "returns.csv"
    file.write_text(returns(told), encoding="utf-8")
    rows = tmp_path / "rows.json"
    assert export(small, tmp_path / "open", "--returns", str(file), "--json", str(rows)) == 0
    everything = capsys.readouterr().out + rows.read_text(encoding="utf-8")
    everything += "".join(one.read_text(encoding="utf-8") for one in (tmp_path / "open").iterdir())
    for secret in ("30123", "200456", "230579", "30,123"):
        assert secret not in everything


def test_one_json_file(small, reported, tmp_path, capsys) -> None:
    assert export(small, tmp_path / "open.json", "--returns", str(reported), "--by", "year") == 0
    assert export(small, tmp_path / "open", "--returns", str(reported), "--by", "year") == 0
    assert read(tmp_path / "open.json") == read(tmp_path / "open")
    assert json.loads((tmp_path / "open.json").read_text(encoding="utf-8"))["about"]["period"] == "year"


def test_options_are_heard(small, reported, tmp_path, capsys) -> None:
    words = ["--returns", str(reported), "--threshold", "10", "--least", "5", "--hide-nil"]
    assert export(small, tmp_path / "open", *words) == 0
    assert "counts under 10 (nil is hidden too)" in " ".join(capsys.readouterr().out.split())
    for row in read(tmp_path / "open").results:
        count = row.number_with_positive_social_outcomes
        assert count in (None, SUPPRESSED) or count >= 10


def test_a_plan_for_few_is_said(small, reported, tmp_path, capsys) -> None:
    few = ["--set", "deals.families.programme.referrals.per_quarter=1"]
    assert export(small, tmp_path / "open", "--returns", str(reported), *few) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "the plan of families has 4 people for home, under 5" in words


def test_a_weaker_promise_is_said(small, tmp_path, capsys) -> None:
    """1 + 1 + 1 + 1 = 4: who knows that the total is small, and that nobody is nil, knows them all."""
    file = tmp_path / "returns.csv"
    file.write_text(returns({("starts", ""): (1, 1, 1, 1)}), encoding="utf-8")
    assert export(small, tmp_path / "open", "--returns", str(file)) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "families holds only as long as nobody knows which hidden counts are small" in words


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--threshold", "2"], "--threshold: is out of range (given 2; allowed: 3 to 100)"),
        (["--least", "5"], "--least: is out of range (given 5; allowed: 2 to 4, less than the threshold)"),
        (["--returns", "nowhere.csv"], "nowhere.csv: cannot be read: No such file"),
        (["--by", "month"], "invalid choice: 'month'"),
    ],
)
def test_bad_options(small, tmp_path, capsys, words, says) -> None:
    assert export(small, tmp_path / "open", *words) == 2
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1
    assert not (tmp_path / "open").exists()


def test_bad_returns_leave_what_was_there(small, reported, tmp_path, capsys) -> None:
    assert export(small, tmp_path / "open") == 0
    before = {one.name: one.read_bytes() for one in (tmp_path / "open").iterdir()}
    reported.write_text(returns(FEW).replace("outcome,home,3,", "outcome,home,300,"), encoding="utf-8")
    capsys.readouterr()
    assert export(small, tmp_path / "open", "--returns", str(reported)) == 2
    err = capsys.readouterr().err
    assert "more people achieved it than were on their way to it (250 more) (given '300'; allowed: 50" in err
    assert err.count("\n") == 1
    assert {one.name: one.read_bytes() for one in (tmp_path / "open").iterdir()} == before


def test_places_that_cannot_be_written(small, reported, tmp_path, capsys) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine", encoding="utf-8")
    cases = {
        tmp_path / "mine": "holds a file that is no part of a publication (given 'notes.txt'",
        tmp_path / "no" / "open": "the folder around it does not exist",
        tmp_path / "no" / "open.json": "its folder does not exist",
        small: "is not a folder",
        tmp_path / ("x" * 300): "cannot be written",
    }
    for to, says in cases.items():
        assert export(small, to) == 2, to
        err = capsys.readouterr().err
        assert says in err
        assert err.count("\n") == 1
    rows = ["--returns", str(reported), "--json", str(reported)]
    assert export(small, tmp_path / "open", *rows) == 2
    assert "is a file that is read" in capsys.readouterr().err


def test_check_says_errors_and_warnings_apart(tmp_path, capsys) -> None:
    place = written(tmp_path)
    file = place / "outcome_metrics.csv"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("ashby,in,moved in,110", "ashby,in,moved in,"), encoding="utf-8")
    assert main(["publish", "check", str(place)]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("warning: ")
    assert "is achieved without a target" in out
    assert out.endswith("0 errors, 1 warning.\n")
    assert err == ""

    file.write_text(text.replace("0.9", "90"), encoding="utf-8")
    rows = tmp_path / "rows.json"
    assert main(["publish", "check", str(place), "--json", str(rows)]) == 2
    out, err = capsys.readouterr()
    assert err.count("\n") == 8
    assert all(line.startswith("error: ") for line in err.splitlines())
    assert "8 errors, 0 warnings." in out
    found = json.loads(rows.read_text(encoding="utf-8"))["findings"]
    assert (found[0]["line"], found[0]["column"], found[0]["given"]) == (2, "outcome_metric_target", "90")


def test_nothing_to_check(tmp_path, capsys) -> None:
    assert main(["publish", "check", str(tmp_path / "nowhere")]) == 2
    assert "no such folder or file" in capsys.readouterr().err
    assert main(["publish", "check", str(tmp_path), "--threshold", "0"]) == 2
    assert "--threshold: is out of range" in capsys.readouterr().err
