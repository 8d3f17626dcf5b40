"""``--set`` on every command that reads a portfolio."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from socialfinance.cli import main
from tests.cli.small import REPLAY, SMALL

CAP = "deals.families.tariff.cap"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    file = tmp_path / "small.yaml"
    file.write_text(SMALL, encoding="utf-8")
    return file


@pytest.fixture
def known(tmp_path: Path) -> Path:
    file = tmp_path / "known.yaml"
    file.write_text(REPLAY, encoding="utf-8")
    return file


COMMANDS = {
    "run": ["run", "FILE", "--paths", "100", "--workers", "1", "--quiet"],
    "explain a path": ["explain", "FILE", "--path", "3"],
    "explain a case": ["explain", "FILE", "--case", "low"],
    "replay": ["replay", "FILE"],
    "validate": ["validate", "FILE"],
    "solve": ["solve", "FILE", "--vary", "deals.families.tariff.prices", "0.3", "3", "--target",
              "investor.gain.mean == 0", "--paths", "100"],
}  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_what_was_changed_is_said_and_recorded(known, tmp_path, capsys, command: str) -> None:
    file = tmp_path / "out.json"
    words = [str(known) if word == "FILE" else word for word in COMMANDS[command]]

    assert main([*words, "--set", f"{CAP}=1200000", "--set", "title=Another title", "--json", str(file)]) == 0
    said = f'Changed for this run: {CAP} = 1200000; title = "Another title".'
    assert said in " ".join(" ".join(capsys.readouterr().out.split()[:60]).split())
    data = json.loads(file.read_text(encoding="utf-8"))
    assert data.get("provenance", data)["set"] == {CAP: 1200000, "title": "Another title"}


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_is_said_where_nothing_was_changed(known, tmp_path, capsys, command: str) -> None:
    file = tmp_path / "out.json"
    words = [str(known) if word == "FILE" else word for word in COMMANDS[command]]

    assert main([*words, "--json", str(file)]) == 0
    assert "Changed" not in capsys.readouterr().out
    data = json.loads(file.read_text(encoding="utf-8"))
    assert data.get("provenance", data)["set"] == {}


def test_setting_is_editing_the_file(small, tmp_path, capsys) -> None:
    edited = tmp_path / "edited.yaml"
    edited.write_text(SMALL.replace("      cap: 1500000\n", "      cap: 1200000\n"), encoding="utf-8")
    pages = []
    for words in ([str(small), "--set", f"{CAP}=1200000"], [str(edited)]):
        assert main(["run", *words, "--paths", "100", "--workers", "1", "--quiet"]) == 0
        pages.append([line for line in capsys.readouterr().out.splitlines() if "Changed" not in line])

    assert pages[0] == pages[1]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("deals.families.tariff.cap", "is no change"),
        ("=5", "is no change"),
        ("", "is no change"),
        (f"{CAP}=", "has no value after the ="),
        (f"{CAP}=-1", f"--set: {CAP}: must be at least 0 (given -1)"),
        (f"{CAP}=lots", "must be a number"),
        (f"{CAP}={{", "is not valid YAML"),
        (f"{CAP}=[1, 2", "is not valid YAML"),
        (f"{CAP}=&a 1", "anchors"),
        (f"{CAP}=!x 1", "tags"),
        (f"{CAP}=.inf", "finite"),
        (f"{CAP}=1e400", "finite"),
        (f"{CAP}=1 # most", None),
        ("deals.family.tariff.cap=1", "--set: deals.family.tariff.cap: is not there; deals has families"),
        ("deals.families.tarif.cap=1", "deals.families has tariff"),
        ("deals.families.tariff.capp=1", "is not a known field"),
        ("deals.families.instrument.review.quarters[3]=1", "quarters has [0]"),
        ("deals.families.programme.outcomes.home.lag=0.5", "whole number"),
        ("deals.families.programme.outcomes.home.probability.mean=1.2", "low < mean < high"),
        ("deals.families.parties.health=nobody", "not among the parties"),
        ("deals.families.programme.costs.therapy.per_quarter=\x1b[31m", "--set"),
        ("start=2026-13-40", "date"),
        ("quarters=4000", "must be at most 400"),
        ("parties.anytown=null", "mapping"),
        ("deals={}", "1 or more"),
    ],
)
def test_bad_changes_end_with_2_and_one_line(small, capsys, change: str, said: str | None) -> None:
    status = main(["run", str(small), "--paths", "20", "--quiet", "--workers", "1", "--set", change])
    out, err = capsys.readouterr()
    if said is None:  # a comment is no part of a value
        assert status == 0
        return
    assert status == 2
    assert out == ""
    assert err.count("\n") == 1
    assert said in err
    assert "Traceback" not in err


def test_a_path_is_set_once(small, capsys) -> None:
    assert main(["validate", str(small), "--set", f"{CAP}=1", "--set", f"{CAP}=2"]) == 2
    assert "is set twice" in capsys.readouterr().err


def test_only_a_portfolio_is_changed(capsys) -> None:
    assert main(["validate", "social-impact-bond", "--set", "cap.irr=0.1"]) == 2
    assert "changes a portfolio" in capsys.readouterr().err
