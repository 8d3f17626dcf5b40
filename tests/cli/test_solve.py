"""``solve``: what it prints, what it writes, and what it says of bad questions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import socialfinance as sf
from socialfinance.cli import main
from tests.cli.small import SMALL

PRICES, CAP = "deals.families.tariff.prices", "deals.families.tariff.cap"
EVEN = "investor.gain.mean == 0"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    file = tmp_path / "small.yaml"
    file.write_text(SMALL, encoding="utf-8")
    return file


def solve(file: Path, *words: str) -> int:
    return main(["solve", str(file), "--paths", "200", *words])


def test_the_page(small, capsys) -> None:
    assert solve(small, "--vary", CAP, "100000", "3,000,000", "--target", EVEN) == 0

    out, err = capsys.readouterr()
    words = " ".join(out.split())
    assert "SOLVED: A SMALL FUND" in words
    assert f"Wanted: {EVEN}." in words
    assert f"Answer for {CAP}: " in words
    assert "The file has 1,500,000" in words
    assert "From 100,000 to 3,000,000 the figure rises" in words
    assert "runs of 200 futures, seed 1" in words
    assert f'To run it: --set "{CAP}=' in words
    assert err.startswith("Took ")
    assert "times one run." in err


def test_the_answer_can_be_run(small, capsys, tmp_path) -> None:
    assert solve(small, "--vary", CAP, "100000", "3000000", "--target", EVEN) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("To run it"))
    change = line.split('"')[1]
    file = tmp_path / "run.json"
    words = ["--paths", "200", "--workers", "1", "--quiet", "--set", change, "--json", str(file)]

    assert main(["run", str(small), *words]) == 0
    rows = json.loads(file.read_text(encoding="utf-8"))["measures"]
    gain = next(r for r in rows if r["scope"] == "deal" and r["role"] == "investor" and r["measure"] == "gain"
                and r["statistic"] == "mean")  # fmt: skip
    assert gain["value"] == pytest.approx(0.0, abs=1e-3)


def test_json(small, tmp_path, capsys) -> None:
    file = tmp_path / "solve.json"
    assert (
        solve(small, "--vary", PRICES, "0.2", "4", "--target", EVEN, "--seed", "5", "--json", str(file)) == 0
    )

    data = json.loads(file.read_text(encoding="utf-8"))
    told, found = data["provenance"], data["solution"]
    assert told["vary"] == {PRICES: [0.2, 4.0]}
    assert (told["target"], told["seed"], told["paths"], told["set"]) == ([EVEN], 5, 200, {})
    assert found["terms"][0]["is_multiple"] is True
    assert found["terms"][0]["value"] == sf.solve(small, {PRICES: (0.2, 4.0)}, EVEN, 200, 5).value
    assert found["targets"][0]["value"] == pytest.approx(0.0, abs=1e-3)
    assert "Multiple of all numbers in" in capsys.readouterr().out


def test_over_the_pwlb_says_which_rate(small, capsys) -> None:
    target = "investor.irr.expected == pwlb + 0.0125"
    assert solve(small, "--vary", PRICES, "0.5", "4", "--target", target) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "PWLB certainty maturity 5 years on 2026-09-21" in words
    assert "annual effective" in words


def test_no_answer_ends_with_1_and_the_reason(small, capsys) -> None:
    assert solve(small, "--vary", CAP, "10", "20", "--target", EVEN) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "is not reached" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--vary", CAP], "--target"),
        (["--target", EVEN], "--vary"),
        (["--vary", CAP, "1", "--target", EVEN], "a path alone, or with two numbers"),
        (["--vary", CAP, "1", "2", "3", "--target", EVEN], "a path alone, or with two numbers"),
        (["--vary", CAP, "low", "2", "--target", EVEN], "is not a number"),
        (["--vary", CAP, "nan", "2", "--target", EVEN], "is not a number"),
        (["--vary", CAP, "2", "1", "--target", EVEN], "the lower number first"),
        (["--vary", CAP, "--vary", CAP, "--target", EVEN, "--target", EVEN], "is varied twice"),
        (["--vary", CAP, "--target", EVEN, "--target", EVEN], "each term needs one target"),
        (["--vary", CAP + "p", "--target", EVEN], "is not there; deals.families.tariff has cap"),
        (["--vary", "deals.families.title", "--target", EVEN], "is not a number that can be varied"),
        (["--vary", CAP, "-5", "10", "--target", EVEN], "give another range"),
        (["--vary", CAP, "--target", "gain"], "is not a target"),
        (["--vary", CAP, "--target", "investor.gain.mean = 0"], "is not a target"),
        (["--vary", CAP, "--target", "investor.gain.mean == soon"], "needs a value"),
        (["--vary", CAP, "--target", "investor.gain.mean == pwlb * 2"], "needs a value"),
        (["--vary", CAP, "--target", "investor.gains.mean == 0"], "is not a figure of this portfolio"),
        (["--vary", CAP, "--target", EVEN, "--paths", "0"], "at least one path"),
        (["--vary", CAP, "--target", EVEN, "--json", "FOLDER"], "folder"),
        (["--vary", CAP, "--target", EVEN, "--set", "x"], "is no change"),
    ],
)
def test_bad_questions_end_with_2_and_one_line(small, tmp_path, capsys, words: list[str], said: str) -> None:
    given = [word.replace("FOLDER", str(tmp_path)) for word in words]
    try:
        status = solve(small, *given)
    except SystemExit as end:
        status = int(end.code or 0)

    out, err = capsys.readouterr()
    assert status == 2
    assert out == ""
    assert err.count("\n") == 1
    assert said in err
