"""``scorecard``, ``league`` and ``design``: what they print, what they write, and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from socialfinance.cli import main
from tests.cli.small import SMALL

CODES = "programme,line,code,kind\nFamily therapy,home,OOM-11,\nFamily therapy,home a year,OOM-11,\n"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    file = tmp_path / "small.yaml"
    file.write_text(SMALL, encoding="utf-8")
    return file


def page_of(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().out.split())


# --- scorecard --------------------------------------------------------------------------------------


def test_the_four_perspectives_are_printed_and_written(small, tmp_path, capsys) -> None:
    codes, output = tmp_path / "codes.csv", tmp_path / "card.json"
    codes.write_text(CODES, encoding="utf-8")
    words = ["scorecard", str(small), "--paths", "200", "--codes", str(codes), "--json", str(output)]

    assert main(words) == 0

    page = page_of(capsys)
    assert "BALANCED SCORECARD: A SMALL FUND" in page
    said = (
        *("Needs met", "Failure demand", "Not kept", "Strengths: no outcome line", "Outcomes", "Economics"),
        *("Cost: the whole over each line", "Change in the system's cost", "200 futures, seed 1"),
    )
    for words in said:
        assert words in page
    data = json.loads(output.read_text(encoding="utf-8"))
    assert {row["perspective"] for row in data["rows"]} == {"needs", "outcomes", "economics"}
    assert data["provenance"]["by"] == "programme"
    assert data["provenance"]["left_out"] == []
    assert {row["code"] for row in data["rows"] if row["about"] == "home"} == {"OOM-11"}


def test_by_provider_and_by_fund(small, capsys) -> None:
    assert main(["scorecard", str(small), "--paths", "50", "--by", "provider"]) == 0
    assert "CHARITY =======" in page_of(capsys)
    assert main(["scorecard", str(small), "--paths", "50", "--by", "fund", "--set", "title=Another"]) == 0
    page = page_of(capsys)
    assert 'Changed for this run: title = "Another".' in page
    assert "SMALL =====" in page


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["scorecard", "demo-income-strip"], "has no people's programme that a scorecard could be made of"),
        (["scorecard", "edge-of-care", "--paths", "0"], "paths: must be at least 1 (given 0)"),
        (["scorecard", "edge-of-care", "--paths", "9" * 12], "paths: needs about"),
        (["design", "rikers-able", "--paths", "9" * 12], "paths: needs about"),
        (["scorecard", "edge-of-care", "--codes", "missing.csv"], "missing.csv: no such file"),
        (["scorecard", "edge-of-care", "--by", "team"], "argument --by: invalid choice: 'team'"),
        (["scorecard", "edge-of-care", "--json", "no/card.json"], "its folder does not exist"),
        (["design", "edge-of-care"], "edge-of-care: has no deal that is paid for a measured effect"),
        (["design", "rikers-able", "--deal", "nobody"], "--deal: is not a deal of this portfolio"),
        (
            ["design", "collective-impact-fund", "--deal", "rough-sleeping"],
            "has no measured effect that is paid for",
        ),
        (
            ["design", "rikers-able", "--power", "100"],
            "--power: is out of range (given 100.0; allowed: above 0",
        ),
        (["design", "rikers-able", "--alpha", "0"], "--alpha: is out of range (given 0.0; allowed: above 0"),
        (
            ["design", "rikers-able", "--controls", "500", "nan"],
            "--controls: is out of range (given nan; allowed:",
        ),
        (["design", "rikers-able", "--matching-bias", "-1"], "--matching-bias: is out of range (given -1.0;"),
        (
            ["design", "rikers-able", "--cost-per-control", "inf"],
            "--cost-per-control: is out of range (given inf;",
        ),
        (["design", "rikers-able", "--paths", "1"], "paths: must be at least 2 (given 1)"),
    ],
)
def test_what_is_refused_is_said_in_one_line(words, said, tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert main(words) == 2

    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert said in err
    assert list(tmp_path.iterdir()) == []


# --- design -----------------------------------------------------------------------------------------


def test_a_design_is_printed_and_written(tmp_path, capsys) -> None:
    output = tmp_path / "design.json"
    words = ["design", "rikers-able", "--paths", "300", "--controls", "2000", "12000",
             "--cost-per-control", "25", "--matching-bias", "1", "--json", str(output)]  # fmt: skip

    assert main(words) == 0

    page = page_of(capsys)
    data = json.loads(output.read_text(encoding="utf-8"))
    assert [row["controls"] for row in data["risks"]] == [2000.0, 6000.0, 12000.0]
    assert data["provenance"]["matching_bias"] == 0.01
    assert data["worth"][2]["cost"] == 250_000.0
    for said in ("EVALUATION DESIGN", "6,000 (*)", "an sd of 1.00%", "Payment risk", "Paid above the truth:",
                 "At US$25.00 a control the best size"):  # fmt: skip
        assert said in page


def test_a_design_without_a_price_names_no_best_size(capsys) -> None:
    assert main(["design", "rikers-able", "--paths", "50", "--controls", "2000"]) == 0

    page = page_of(capsys)
    assert "Give --cost-per-control" in page
    assert "none is assumed" in page
