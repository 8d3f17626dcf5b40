"""``socialfinance calibrate`` and ``backtest``: pages, files, prior files in use, and what is refused."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from pathlib import Path

import pytest

import socialfinance as sf
from socialfinance.cli import main
from socialfinance.cli.backtest import read_priors
from socialfinance.io.shipped import library
from socialfinance.io.yaml import parse, plain

PANELS = library() / "portfolios" / "panels"
TABLE, METRICS = str(PANELS / "made-up-panel.csv"), str(PANELS / "made-up-metrics.csv")


def run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = main(arguments)
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory) -> tuple[Path, str]:
    """The shipped panel: a folder with its prior file and its rows, and the page."""
    folder = tmp_path_factory.mktemp("priors")
    wanted = ["--write", str(folder / "priors.yaml"), "--json", str(folder / "found.json")]
    with redirect_stdout(io.StringIO()) as page:
        assert main(["calibrate", TABLE, "--metrics", METRICS, *wanted]) == 0
    return folder, page.getvalue()


@pytest.fixture(scope="module")
def written(calibrated) -> Path:
    """A prior file of the shipped panel."""
    return calibrated[0] / "priors.yaml"


def test_calibrate_prints_a_page_and_writes_its_rows(calibrated):
    folder, out = calibrated
    data = folder / "found.json"
    found = json.loads(data.read_text())
    estimate = found["calibration"]["intervals"]["failure probability"]
    assert f"{estimate['value']:.3f}  {estimate['low']:.3f} to {estimate['high']:.3f}" in out
    assert found["provenance"]["sha256"][:16] in out
    assert "project 01" not in data.read_text()


def test_a_prior_file_says_where_it_comes_from(written):
    made = read_priors(written)
    assert made.illustrative
    assert (made.made.table, made.made.projects, made.made.level) == ("made-up-panel.csv", 26, 0.9)
    one = made.estimates["failure probability"]
    assert one.low < one.value == made.failure.probability < one.high
    assert made.regimes.median == pytest.approx(made.estimates["spike median"].value, rel=1e-4)
    assert made.regimes.sd_log == pytest.approx(made.estimates["spike sd of logs"].value, rel=1e-4)


def test_a_prior_file_serves_a_portfolio(written):
    """``failure`` and ``volume`` stand in a programme as they stand in the file."""
    priors = plain(parse(written.read_bytes(), "priors"))
    at = "deals.edge-of-care.programme"
    volume = {name: value for name, value in priors["volume"].items()}
    loaded = sf.load(
        "edge-of-care", set={f"{at}.failure": priors["failure"], f"{at}.referrals.volume": volume}
    )
    programme = loaded.portfolio.deals["edge-of-care"].programme
    assert programme.failure.probability == priors["failure"]["probability"]
    assert programme.referrals.volume.sd == priors["volume"]["sd"]


def test_backtest_prints_a_page_and_judges_a_prior_file(written, tmp_path, capsys):
    data = tmp_path / "scores.json"
    code, out, _ = run(["backtest", TABLE, "--priors", str(written), "--json", str(data)], capsys)
    assert code == 0
    found = json.loads(data.read_text())["backtest"]
    for one in found["scored"]:
        assert f"{sum(one['crps']) / len(one['crps']):.3f}" in out
        assert sum(one["histogram"]) == 26
    assert [one["forecast"] for one in found["scored"]][-1] == "the prior file"
    assert "fitted to this very table" in out
    assert list(found["years"]) == ["1", "2", "3"]


def test_the_same_twice(capsys):
    assert run(["backtest", TABLE], capsys) == run(["backtest", TABLE], capsys)


def test_another_failure_range_is_another_fit(capsys):
    _, narrow, _ = run(["calibrate", TABLE, "--failure", "0", "0.3"], capsys)
    assert "uniform from 0 to 0.3 (stated" in narrow


BAD: dict[str, tuple[list[str], str]] = {
    "no such table": (["calibrate", "nowhere.csv"], "nowhere.csv: cannot be read"),
    "a range upside down": (["backtest", TABLE, "--failure", "0.5", "0.2"], "--failure: is no range"),
    "a range of words": (["backtest", TABLE, "--failure", "low", "high"], "--failure: is not a number"),
    "a range above one": (["calibrate", TABLE, "--failure", "0", "50"], "--failure: is no range"),
    "a seed below nought": (["backtest", TABLE, "--seed", "-1"], "--seed: must not be below 0"),
    "a year that is none": (["calibrate", TABLE, "--bad-year", "20"], "--bad-year: is no year"),
    "no such metrics": (["calibrate", TABLE, "--metrics", "nowhere.csv"], "nowhere.csv: cannot be read"),
    "a table as metrics": (["calibrate", TABLE, "--metrics", TABLE], "is not a known column"),
    "no such priors": (["backtest", TABLE, "--priors", "nowhere.yaml"], "nowhere.yaml: no such file"),
    "a table as priors": (["backtest", TABLE, "--priors", TABLE], "made-up-panel.csv:2: must be a mapping"),
    "a folder to write to": (["calibrate", TABLE, "--write", "."], "--write: is a folder"),
    "no folder to write to": (
        ["calibrate", TABLE, "--write", "no/such.yaml"],
        "--write: its folder does not",
    ),
    "over what is read": (["calibrate", TABLE, "--write", TABLE], "--write: is a file that is read"),
    "over the metrics": (
        ["calibrate", TABLE, "--metrics", METRICS, "--json", METRICS],
        "--json: is a file that",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_done_is_refused_in_one_line(name, capsys):
    arguments, words = BAD[name]
    before = Path(TABLE).read_bytes(), Path(METRICS).read_bytes()
    code, out, err = run(arguments, capsys)
    assert code == 2
    assert out == ""
    assert words in err
    assert err.count("\n") == 1
    assert before == (Path(TABLE).read_bytes(), Path(METRICS).read_bytes())


def test_two_outputs_in_one_file_are_refused(tmp_path, capsys):
    same = str(tmp_path / "out")
    code, _, err = run(["calibrate", TABLE, "--json", same, "--write", same], capsys)
    assert code == 2
    assert "is written twice" in err
    assert list(tmp_path.iterdir()) == []


def test_the_page_says_what_it_leaves_out(tmp_path, capsys):
    """A project that was paid nothing, and claims of two projects only."""
    rows = [f"p{i},{'x' if i < 6 else 'y'},{100 + i},{90 + 2 * i},{i % 7 == 1:d}" for i in range(11)]
    table = tmp_path / "table.csv"
    table.write_text("\n".join(["project,sector,plan,paid,claims", *rows, "z,y,300,0,0"]) + "\n")
    code, out, _ = run(["calibrate", str(table)], capsys)
    assert code == 0
    assert "line 13: nothing was paid" in out
    assert "Paid nothing: 1. One lognormal has no place for that" in out
    assert "Left out here as paid nothing: 1." in out
    assert "Emergency claims: fewer than 3 projects, not shown." in out


def test_a_broken_table_writes_nothing(tmp_path, capsys):
    table = tmp_path / "table.csv"
    table.write_text("project,sector,plan,paid\na,x,100,90\na,x,100,80\n")
    code, _, err = run(["calibrate", str(table), "--write", str(tmp_path / "p.yaml")], capsys)
    assert code == 2
    assert "table.csv:3: project: stands twice" in err
    assert [file.name for file in tmp_path.iterdir()] == ["table.csv"]


def test_too_few_projects_are_refused_in_one_line(tmp_path, capsys):
    table = tmp_path / "table.csv"
    table.write_text("project,sector,plan,paid\na,x,100,90\nb,x,100,80\n")
    for command in ("calibrate", "backtest"):
        code, _, err = run([command, str(table)], capsys)
        assert code == 2
        assert "too few projects" in err
        assert err.startswith(f"socialfinance: {table}")


BROKEN: dict[str, tuple[str, str, str]] = {
    "another kind": ("kind: priors", "kind: tariff", ":1: kind:"),
    "an unknown field": ("failure:\n", "failing: 1\nfailure:\n", "failing: is not a known field"),
    "no spike": ("spike:\n", "spikes:\n", "spike"),
    "a chance above one": ("  probability: 0.0", "  probability: 1.0", "failure.probability"),
    "another distribution": ("distribution: uniform", "distribution: triangular", "failure.performance"),
    "ends upside down": ("    high: 0.5\n", "    high: -0.1\n", "failure.performance"),
    "a sum that is none": ("  sha256: ", "  sha256: x", "made.sha256"),
    "a spread of nothing": ("  sd: 0.12162", "  sd: 0.0", "spike.sd: must be above 0"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_prior_file_is_refused_in_one_line(name, written, tmp_path, capsys):
    old, new, words = BROKEN[name]
    text = written.read_text()
    assert old in text
    file = tmp_path / "priors.yaml"
    file.write_text(text.replace(old, new, 1))
    code, out, err = run(["backtest", TABLE, "--priors", str(file)], capsys)
    assert code == 2
    assert out == ""
    assert words in err
    assert err.startswith(f"socialfinance: {file}")
    assert err.count("\n") == 1
