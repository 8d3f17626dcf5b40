"""``socialfinance evidence``: what it prints, what it writes, and what it says of bad questions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from socialfinance.cli import main
from tests.cli.small import SMALL

COMPLETED = "deals.edge-of-care.programme.outcomes.completed.probability"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    file = tmp_path / "small.yaml"
    file.write_text(SMALL, encoding="utf-8")
    return file


def printed(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


def test_the_page(capsys) -> None:
    assert main(["evidence", "demo-evidence"]) == 0

    out = printed(capsys)
    words = " ".join(out.split())
    assert max(map(len, out.splitlines())) <= 110
    assert "EVIDENCE: FAMILY THERAPY, INPUTS WITH A PEDIGREE" in words
    assert (
        "10 uncertain inputs rest: 1 on a provider's record; 1 on a class of real projects; "
        "1 on a graded claim; 0 on a stated source; "
        "7 on nothing but illustration; 0 on a number without source."
    ) in words
    assert "335 of 388 35% 0.822 0.692 to 0.925" in words
    assert "12 metrics 77%" in words
    assert "April 2014 [unverified]" in words
    assert "Common to all deals" in words


def test_json(tmp_path, capsys) -> None:
    file = tmp_path / "evidence.json"
    assert main(["evidence", "demo-evidence", "--json", str(file)]) == 0

    written = json.loads(file.read_text(encoding="utf-8"))
    rows = {row["input"]: row for row in written["inputs"]}
    assert rows["programme.outcomes.completed.probability"]["data"] == "335 of 388"
    assert rows["indices.cpi.annual"]["mean"] is None
    assert written["rest_on"]["grade"] == 1
    assert sum(written["rest_on"].values()) == len(rows)
    assert "shipped/portfolios/demo-evidence.yaml" in written["provenance"]["inputs"]


def test_one_deal(small, capsys) -> None:
    assert main(["evidence", str(small), "--deal", "families"]) == 0

    words = " ".join(printed(capsys).split())
    assert "4 uncertain inputs rest:" in words
    assert "Common to all deals" not in words


def test_another_value(small, capsys) -> None:
    path = "deals.families.programme.engagement"
    changed = f"{path}={{distribution: graded, value: 0.9, grade: 6, side: benefit, spread: 0.05}}"
    assert main(["evidence", str(small), "--set", changed]) == 0

    words = " ".join(printed(capsys).split())
    assert "Changed for this run" in words
    assert "0.900 (0.050) grade 6 - 0.540" in words


def test_nothing_uncertain(tmp_path, capsys) -> None:
    file = tmp_path / "certain.yaml"
    text = SMALL
    for old, new in (
        (", volume: {distribution: lognormal, mean: 1.0, sd: 0.15}", ""),
        ("{distribution: beta, mean: 0.85, sd: 0.05}", "0.85"),
        ("{distribution: beta, mean: 0.75, sd: 0.08}", "0.75"),
        (", overrun: {distribution: lognormal, mean: 1.02, sd: 0.05}", ""),
    ):
        assert text.count(old) == 1
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")

    assert main(["evidence", str(file)]) == 0
    assert "No input is uncertain." in printed(capsys)


def test_text_of_a_file_is_made_safe(tmp_path, capsys) -> None:
    file = tmp_path / "odd.yaml"
    old = "engagement: {distribution: beta, mean: 0.85, sd: 0.05}"
    new = 'engagement: {distribution: beta, mean: 0.85, sd: 0.05, source: "a\\e[31mred report"}'
    assert SMALL.count(old) == 1
    file.write_text(SMALL.replace(old, new), encoding="utf-8")

    assert main(["evidence", str(file)]) == 0
    out = printed(capsys)
    assert "\x1b" not in out
    assert r"a\x1b[31mred report" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing-of-the-kind"], "is not among the shipped portfolios"),
        (["demo-evidence", "--deal", "nowhere"], "--deal: is not a deal of this portfolio (given 'nowhere'"),
        (["demo-evidence", "--json", "no/such/folder/x.json"], "its folder does not exist"),
        (["demo-evidence", "--set", f"{COMPLETED}.correlation=2"],
         "must be at most 1"),
        (["family-therapy"], "is not among the shipped portfolios"),
    ],
)  # fmt: skip
def test_bad_questions(words: list[str], said: str, capsys) -> None:
    assert main(["evidence", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") == 1


def test_a_file_that_is_read_is_not_written_over(small, capsys) -> None:
    before = small.read_text(encoding="utf-8")
    assert main(["evidence", str(small), "--json", str(small)]) == 2
    assert small.read_text(encoding="utf-8") == before
