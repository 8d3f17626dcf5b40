"""Every command: what it prints, what it writes, how it ends, and what it says of bad input."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import socialfinance as sf
from socialfinance.cli import main
from tests.cli.small import REPLAY, SMALL

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def small(tmp_path):
    file = tmp_path / "small.yaml"
    file.write_text(SMALL, encoding="utf-8")
    return file


@pytest.fixture
def replayable(tmp_path):
    file = tmp_path / "known.yaml"
    file.write_text(REPLAY, encoding="utf-8")
    return file


def run(file, *options):
    return main(["run", str(file), "--paths", "300", "--workers", "1", *options])


# --- run ------------------------------------------------------------------------------------------


def test_a_run_reports_on_stdout_and_says_what_it_does_on_stderr(small, capsys):
    assert run(small) == 0

    out, err = capsys.readouterr()
    for heading in (
        "INVESTMENT COMMITTEE",
        "COUNCIL BY COUNCIL",
        "AGAINST DOING IT IN HOUSE",
        "HOW CONTRACTS",
    ):
        assert heading in out
    first, *_, last = err.splitlines()
    assert first.startswith("300 paths of 1 deal over 20 quarters; about ")
    assert "1 worker" in first
    assert last.startswith("Took ")


def test_the_report_is_the_same_each_time(small, capsys):
    run(small)
    once = capsys.readouterr().out
    run(small, "--chunk", "256")
    assert capsys.readouterr().out == once


def test_quiet_says_nothing_on_stderr(small, capsys):
    assert run(small, "--quiet") == 0
    assert capsys.readouterr().err == ""


def test_json_holds_provenance_measures_and_flows(small, tmp_path, capsys):
    assert run(small, "--json", str(tmp_path / "run.json"), "--seed", "9") == 0

    data = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    assert {"provenance", "measures", "flows"} <= set(data)
    provenance = data["provenance"]
    assert (provenance["seed"], provenance["paths"]) == (9, 300)
    (file,) = provenance["inputs"].values()
    assert file["text"] == SMALL
    assert len(file["sha256"]) == 64
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.json", "small.yaml"]


def test_without_comparison_there_is_no_such_section(small, capsys):
    assert run(small, "--no-compare") == 0
    assert "IN HOUSE" not in capsys.readouterr().out


def test_a_deal_can_be_asked_for(small, capsys):
    assert run(small, "--deal", "families") == 0
    assert "families" in capsys.readouterr().out


# --- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "FILE", "--paths", "0"], "paths"),
        (["run", "FILE", "--paths", "many"], "--paths"),
        (["run", "FILE", "--workers", "0"], "workers"),
        (["run", "FILE", "--chunk", "0"], "chunk"),
        (["run", "FILE", "--deal", "nobody"], "families"),
        (["run", "FILE", "--paths", "10", "--json", "FOLDER"], "folder"),
        (["run", "FILE", "--paths", "10", "--json", "FOLDER/none/run.json"], "folder does not exist"),
        (["run", "FOLDER/none.yaml"], "no such file"),
        (["run", "no-such-portfolio"], "not among the shipped portfolios"),
        (["explain", "FILE", "--path", "-1"], "path"),
        (["explain", "FILE"], "--path"),
        (["explain", "FILE", "--path", "1", "--case", "plan"], "--case"),
        (["explain", "FILE", "--case", "dream"], "plan, low"),
        (["explain", "FILE", "--path", "1", "--deal", "nobody"], "families"),
        (["replay", "FILE"], "nothing is published"),
        (["schema", "poem"], "poem"),
        (["sing"], "sing"),
        ([], "COMMAND"),
    ],
)
def test_bad_input_ends_with_2_and_one_line(small, tmp_path, capsys, arguments, said):
    before = sorted(tmp_path.iterdir())
    given = [word.replace("FILE", str(small)).replace("FOLDER", str(tmp_path)) for word in arguments]

    assert ended(given) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert said in err
    assert "Traceback" not in err
    assert sorted(tmp_path.iterdir()) == before


def ended(arguments):
    try:
        return main(arguments)
    except SystemExit as end:  # how argparse ends
        return end.code


def test_an_error_of_the_engine_says_where_in_the_file(small, capsys):
    small.write_text(SMALL.replace("agency: commissioner", "agency: somebody"), encoding="utf-8")

    assert run(small) == 2
    assert capsys.readouterr().err.startswith(f"socialfinance: {small}:")


@pytest.mark.parametrize("option", [["validate"], ["run", "--paths", "10"], ["list", "--json"]])
def test_a_name_longer_than_any_file_can_have(option, tmp_path, capsys):
    command, *more = option
    name = f"{tmp_path}/{'a' * 300}.yaml"

    assert ended([command, *more, name]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "File name too long" in err


def test_nothing_that_was_read_is_written_over(small, tmp_path, capsys):
    """By its own name or another, in any command, also where the file is bad or only based on."""
    bad = tmp_path / "bad.yaml"
    bad.write_text("based_on: ./small.yaml\nquarters: none\n", encoding="utf-8")
    (tmp_path / "soft.json").symlink_to(small)
    (tmp_path / "hard.json").hardlink_to(small)
    for arguments in (
        ["run", small, "--paths", "10", "--json", small],
        ["run", small, "--paths", "10", "--json", tmp_path / "soft.json"],
        ["explain", small, "--case", "plan", "--json", tmp_path / "hard.json"],
        ["replay", small, "--json", f"{tmp_path}/./small.yaml"],
        ["validate", small, "--json", small],
        ["validate", bad, "--json", bad],
        ["validate", bad, "--json", small],
    ):
        assert main([str(one) for one in arguments]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert "--json: is a file that is read: give another name" in err
        assert small.read_text(encoding="utf-8") == SMALL
        assert bad.read_text(encoding="utf-8").startswith("based_on")


def test_a_shipped_file_is_not_written_over_by_the_list_of_them(small, tmp_path, monkeypatch, capsys):
    from socialfinance.io import shipped

    (tmp_path / "portfolios").mkdir()
    file = small.rename(tmp_path / "portfolios" / "small.yaml")
    monkeypatch.setattr(shipped, "library", lambda: tmp_path)
    assert main(["list", "--json", str(file)]) == 2
    assert "is a file that is read" in capsys.readouterr().err
    assert file.read_text(encoding="utf-8") == SMALL


ACTING = "\x1b[31m\a\u202e"
WRITTEN_OUT = "\\x1b[31m\\x07\\u202e"


def test_titles_and_names_do_not_act_on_the_terminal(small, tmp_path, capsys):
    escaped = '"\\e[31m\\a\\u202e"'
    small.write_text(
        SMALL.replace("title: A small fund", f"title: {escaped}")
        .replace("title: Anytown Council", f"title: {escaped}")
        .replace("title: Family therapy", f"title: {escaped}"),
        encoding="utf-8",
    )
    for arguments in (["run", "--paths", "20"], ["explain", "--case", "plan"]):
        assert main([arguments[0], str(small), *arguments[1:]]) == 0
        out = capsys.readouterr().out
        assert WRITTEN_OUT.lower() in out.lower()
        assert all(line.isprintable() for line in out.splitlines())

    bad = tmp_path / f"{ACTING}.yaml"
    bad.write_text(f"{escaped}: 1\n", encoding="utf-8")
    assert main(["validate", str(bad)]) == 2
    small.rename(tmp_path / f"good{ACTING}.yaml")
    assert main(["validate", str(tmp_path / f"good{ACTING}.yaml")]) == 0
    assert ended(["run", "x", ACTING]) == 2
    out, err = capsys.readouterr()
    assert (out + err).count(WRITTEN_OUT) == 4
    assert all(line.isprintable() for line in (out + err).splitlines())


def test_help_says_what_is_done():
    from socialfinance.cli import parser
    from socialfinance.engine.run import CHUNK

    (commands,) = [action for action in parser()._actions if action.choices]
    words = " ".join(commands.choices["run"].format_help().split())
    assert f"paths a process takes at once (default {CHUNK})" in words
    assert "processes (default: as many as the run is worth, at most one a core)" in words
    assert f"default {CHUNK:,}" in str(sf.simulate.__doc__)


# --- validate -------------------------------------------------------------------------------------


def test_validate_says_ok(small, capsys):
    assert main(["validate", str(small)]) == 0
    assert capsys.readouterr().out.startswith(f"{small}: ok: 1 deal over 20 quarters from 2026-10-01, ")


def test_validate_checks_every_file(small, tmp_path, capsys):
    bad = tmp_path / "bad.yaml"
    bad.write_text(SMALL.replace("quarters: 20", "quarters: none"), encoding="utf-8")

    assert main(["validate", str(bad), str(tmp_path / "gone.yaml"), str(small)]) == 2
    out, err = capsys.readouterr()
    assert f"{small}: ok" in out
    assert [line.split(": ")[0] for line in err.splitlines()] == [f"{bad}:4", str(tmp_path / "gone.yaml")]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("kind: do-nothing\n", "term sheet (do-nothing), 0 numbers"),
        ("based_on: guaranteed-debt\nrate: {margin: 0.015}\n", "term sheet (guaranteed-debt), "),
        ("based_on: family-therapy\nengagement: 0.8\n", "programme (people-programme), "),
        ("based_on: affordable-homes\n", "programme (development), "),
        ("based_on: mine.yaml\n", "term sheet (grant), "),
    ],
)
def test_validate_takes_a_term_sheet_or_a_programme_by_itself(tmp_path, capsys, text, what):
    (tmp_path / "mine.yaml").write_text("based_on: grant\n", encoding="utf-8")
    sheet = tmp_path / "sheet.yaml"
    sheet.write_text(text, encoding="utf-8")
    assert main(["validate", str(sheet)]) == 0
    assert f"{sheet}: ok: {what}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "based_on: guaranteed-debt\nrate: {margn: 0.015}\n",
            ":2: rate.margn: is not a known field (allowed: margin)",
        ),
        (
            "based_on: guaranteed-debt\nlayers:\n- {guarantor: council, cover: 1.5}\n",
            ":3: layers[0].cover: must be at most 1 (given 1.5)",
        ),
        ("kind: grant\n", ":1: amount: is missing"),
        (
            "kind: pay-as-you-safe\n",
            ":1: kind: is not a known kind (given 'pay-as-you-safe'; allowed: social-impact-bond, ",
        ),
        (
            "based_on: family-therapy\nreferrals: {quarters: -1}\n",
            ":2: referrals.quarters: must be at least 1 (given -1)",
        ),
    ],
)
def test_a_broken_term_sheet_is_refused_in_one_line(tmp_path, capsys, text, line):
    sheet = tmp_path / "sheet.yaml"
    sheet.write_text(text, encoding="utf-8")
    assert main(["validate", str(sheet)]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"{sheet}{line}")
    assert told.count("\n") == 1


def test_run_of_a_term_sheet_says_what_it_is(tmp_path, capsys):
    sheet = tmp_path / "sheet.yaml"
    sheet.write_text("based_on: grant\n", encoding="utf-8")
    assert main(["run", str(sheet)]) == 2
    assert "sheet.yaml: is a term sheet; a deal of a portfolio names it" in capsys.readouterr().err


# --- schema, list, version ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["instrument", "programme", "portfolio"])
def test_schema_is_printed_or_written(kind, tmp_path, capsys):
    assert main(["schema", kind]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert main(["schema", kind, "--json", str(tmp_path / "schema.json")]) == 0
    assert json.loads((tmp_path / "schema.json").read_text(encoding="utf-8")) == printed


def test_list_names_what_is_shipped(tmp_path, capsys):
    from socialfinance.io.shipped import shipped

    assert main(["list", "--json", str(tmp_path / "list.json")]) == 0
    out = capsys.readouterr().out
    rows = json.loads((tmp_path / "list.json").read_text(encoding="utf-8"))["shipped"]
    names = [row["name"] for row in rows]
    for kind in ("portfolios", "programmes", "instruments"):
        for name in shipped(kind):
            assert name in out
            assert name in names


def test_version(capsys):
    from socialfinance import __version__

    assert ended(["--version"]) in (0, None)
    assert capsys.readouterr().out == f"socialfinance {__version__}\n"


# --- replay ---------------------------------------------------------------------------------------


def test_replay_holds_the_model_against_what_was_published(replayable, tmp_path, capsys):
    assert main(["replay", str(replayable), "--json", str(tmp_path / "replay.json")]) == 0

    assert "- hopes (hopes raised): no source given; not modelled" in capsys.readouterr().out
    rows = json.loads((tmp_path / "replay.json").read_text(encoding="utf-8"))["replay"]
    assert {"figure", "kind", "model", "published", "difference", "unit", "source"} <= set(rows[0])
    model = {row["name"]: row["model"] for row in rows}
    assert model["people helped"] == pytest.approx(6 * 20 * 0.85)
    assert model["rate"] == pytest.approx(0.62)
    assert model["rate set"] == 0.62
    assert model["coupon"] == 0.075
    assert model["coupon paid"] == pytest.approx(0.075 + 0.4 * 0.045)
    assert model["paid"] > 0
    assert model["hopes"] is None
    assert model["coupon of year 2"] == 0.075
    assert model["most"] == 1_200_000.0
    assert model["quarters paid"] > 0
    assert model["no support"] == 0.0
    assert [row["difference"] for row in rows if row["name"] == "rate"] == [pytest.approx(0.02)]
    assert [row["source"] for row in rows if row["name"] == "people helped"] == ["A report"]


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("figure: investor.drawdown", "figure: investor.drawdwon", "investor.drawdown"),
        ("coupon at 0.62, step", "coupon at noon", "coupon at 0.62, step"),
        ("case: plan", "case: dream", "plan, low, actual"),
        ("outcomes.home.probability: 0.62", "outcomes.hone.probability: 0.62", "outcomes.home.probability"),
    ],
)
def test_a_figure_or_case_that_nothing_provides_is_bad_input(replayable, capsys, right, wrong, said):
    replayable.write_text(REPLAY.replace(right, wrong), encoding="utf-8")

    assert main(["replay", str(replayable)]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert said in err
    assert f"{replayable}:" in err


# --- the program ----------------------------------------------------------------------------------


def program(*arguments, **more):
    command = [sys.executable, "-m", "socialfinance", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=60, **more)


def test_the_program_itself_ends_with_the_status():
    assert program("--version").returncode == 0
    done = program("run", "no-such-portfolio")
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr


def test_a_reader_who_leaves_early_is_no_error(small):
    command = [sys.executable, "-m", "socialfinance", "explain", str(small), "--path", "1"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.wait(60) == 0
        assert process.stderr.read() == b""


def shell(words, **more):
    """A line of shell in which $SF is the program."""
    import os

    env = {**os.environ, "SF": f"{sys.executable} -m socialfinance"}
    env.pop("PYTHONUNBUFFERED", None)
    return subprocess.run(
        ["/bin/sh", "-c", words], cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
@pytest.mark.parametrize("command", ["list", "replay newpin", "run edge-of-care --paths 20 --quiet"])
def test_without_standard_output_nothing_is_run(command):
    done = shell(f"$SF {command} >&-")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "socialfinance: standard output is closed, so there is nowhere to print\n"
    done = shell(f"$SF {command} >&- 2>&-")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("command", ["list", "--help", "schema portfolio"])
def test_output_that_cannot_be_written_is_one_line(command):
    done = shell(f"$SF {command} > /dev/full")
    assert done.returncode == 1
    assert done.stderr == "socialfinance: the output cannot be written: No space left on device\n"
    assert shell("$SF run no-such-portfolio 2> /dev/full").returncode == 2


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
def test_without_standard_error_the_report_is_the_same():
    command = "$SF run edge-of-care --paths 20"
    quiet, closed = shell(f"{command} --quiet"), shell(f"{command} 2>&-")
    assert (closed.returncode, closed.stdout) == (0, quiet.stdout)
    done = shell("$SF run no-such-portfolio 2>&-")
    assert (done.returncode, done.stdout) == (2, "")


def test_a_terminal_without_a_pound_sign_still_gets_its_report(small):
    import os

    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = program("explain", str(small), "--case", "plan", env=env)
    assert done.returncode == 0
    assert b"drawdown" in done.stdout


def test_importing_the_package_imports_nothing_heavy():
    heavy = ["numpy", "pandas", "scipy", "pydantic", "ruamel", "rich"]
    code = f"import sys, socialfinance.cli; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
