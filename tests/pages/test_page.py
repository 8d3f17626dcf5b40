"""The page: figures are the JSON's, nothing is fetched, nothing in a file acts, and it is sound to read."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys

import pytest

import socialfinance as sf
from socialfinance.cli import main
from socialfinance.core.text import visible
from socialfinance.pages.page import page
from socialfinance.reports.inputs import count_sources
from tests.pages.made import HOSTILE, hostile_page, of, page_of
from tests.pages.read import Reader

PORTFOLIOS = (
    "community-fund",
    "demo-guaranteed-debt",
    "demo-fee-for-service",
    pytest.param("demo-loan-pool", marks=pytest.mark.slow),
    pytest.param("collective-impact-fund", marks=pytest.mark.slow),
)
LARGEST = 1_500_000
"""Bytes: a page that is sent by post is no larger."""


@pytest.fixture(scope="module", params=PORTFOLIOS)
def read(request) -> tuple[sf.Result, Reader]:
    return of(request.param), Reader(page_of(request.param))


def rows_by_name(result: sf.Result) -> dict[str, float | None]:
    """Every figure and point of the JSON, by how the page names it."""
    data = json.loads(json.dumps(result.to_dict(), default=str))
    measures = {"|".join(list(row.values())[:7]): row["value"] for row in data["measures"]}
    curves = {
        "|".join([*list(row.values())[:6], f"{row['along']} {row['at']:g}"]): row["value"]
        for row in data["curves"]
    }
    return measures | curves


# --- figures ---------------------------------------------------------------------------------------


def test_every_figure_is_that_of_the_json(read):
    result, reader = read
    known = rows_by_name(result)
    shown = [one.attributes for one in reader.elements if "data-about" in one.attributes]

    assert len(shown) > 20
    for one in shown:
        value = one.get("data-value", one.get("value"))
        expected = known[one["data-about"]]
        assert (value is None) == (expected is None), one
        if value is not None:
            assert float(value) == expected, one


def test_six_figures_and_three_sentences(read):
    _, reader = read

    assert len(reader.all("data")) == 6
    assert reader.text.count("which is the larger doubt") == 1


def test_says_what_is_invented_and_what_is_not_confirmed():
    text = Reader(page_of("rikers-able")).text
    counted = count_sources(of("rikers-able").portfolio)

    assert f"{counted.illustrative:,} illustrative (invented)" in text
    assert text.count("[unverified]") > len(counted.unverified) > 0
    assert "[unverified]" not in Reader(page_of("demo-fee-for-service")).text


def test_a_tornado_is_said_to_be_left_out(read):
    _, reader = read

    assert "was not asked for" in reader.text


# --- nothing is fetched ------------------------------------------------------------------------------


def test_nothing_is_fetched_and_one_script_runs(read):
    _, reader = read

    for element in reader.elements:
        for name, value in element.attributes.items():
            assert not name.startswith("on"), element
            if name in ("href", "src", "xlink:href", "action", "srcset", "data", "poster"):
                assert value.startswith("#") or value == "data:,", element
            assert not re.search(r"url\((?!#)", value), element
    assert len(reader.all("script")) == 1
    assert "src" not in reader.all("script")[0]


@pytest.mark.parametrize("name", PORTFOLIOS)
def test_no_address_stands_in_it_but_in_words(name):
    text = page_of(name)

    outside = re.sub(r"<bdi.*?</bdi>", "", text, flags=re.DOTALL)
    assert "http://" not in outside
    assert "https://" not in outside
    assert "@import" not in text
    assert "@font-face" not in text


@pytest.mark.parametrize("name", PORTFOLIOS)
def test_it_is_small_enough_to_send(name):
    assert len(page_of(name).encode()) < LARGEST


def test_the_same_result_gives_the_same_page():
    name = "demo-fee-for-service"

    assert page(of(name), f"socialfinance run {name}") == page_of(name)


# --- sound to read -----------------------------------------------------------------------------------


def test_headings_descend_one_at_a_time(read):
    _, reader = read
    levels = [int(one.tag[1]) for one in reader.elements if re.fullmatch(r"h[1-6]", one.tag)]

    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_ids_are_unique_and_references_lead_somewhere(read):
    _, reader = read
    ids = [one.attributes["id"] for one in reader.elements if "id" in one.attributes]
    named = {name for one in reader.elements for name in one.attributes.get("aria-labelledby", "").split()}
    links = {one["href"][1:] for one in reader.all("a") + reader.all("use") if one["href"].startswith("#")}
    drawn = {name for one in reader.elements for value in one.attributes.values()
             for name in re.findall(r"url\(#([^)]+)\)", value)}  # fmt: skip

    assert len(ids) == len(set(ids))
    assert named | links | drawn <= set(ids)


def test_every_drawing_says_what_it_shows(read):
    _, reader = read
    drawings = reader.all("svg")

    assert drawings
    for one in drawings:
        assert one["role"] == "img"
        assert len(one["aria-labelledby"].split()) == 2
    assert len(reader.all("desc")) == len(drawings) == len(reader.all("figure"))
    assert len(reader.all("title")) == len(drawings) + 1


def test_tables_have_heads_with_a_scope_and_landmarks_are_there(read):
    _, reader = read

    assert {one["scope"] for one in reader.all("th")} == {"col", "row"}
    for tag in ("header", "nav", "main", "footer"):
        assert len(reader.all(tag)) == 1, tag
    assert reader.all("a")[0] == {"class": "skip", "href": "#main"}
    assert reader.all("html")[0]["lang"] == "en-GB"


# --- hostile files -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_hostile_words_of_a_fund_with_notes_stay_words():
    words = HOSTILE["markup"]
    reader = Reader(hostile_page(words, "community-fund"))

    assert visible(words) in reader.text
    assert len(reader.all("script")) == 1
    assert not reader.all("img")


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_words_stay_words(kind):
    words = HOSTILE[kind]
    reader, plain = Reader(hostile_page(words)), Reader(page_of("demo-guaranteed-debt"))

    assert visible(words) in reader.text
    assert {one.tag for one in reader.elements} <= {one.tag for one in plain.elements} | {"details"}
    assert len(reader.all("script")) == 1
    for element in reader.elements:
        assert not any(name.startswith("on") for name in element.attributes), element
        assert not element.attributes.get("href", "#").startswith("javascript"), element


def test_a_mark_of_direction_is_written_out():
    text = hostile_page(HOSTILE["right to left"])

    assert "\u202e" not in text
    assert "\\u202e" in text
    assert 'dir="auto"' in text


def test_a_long_title_is_cut_in_the_heading_and_whole_below():
    text = hostile_page(HOSTILE["long"])
    heading = re.search(r"<h1>(.*?)</h1>", text, re.DOTALL)

    assert heading is not None
    assert len(heading.group(1)) < 300
    assert "The whole title" in text


# --- written whole or not at all ----------------------------------------------------------------------


def test_a_page_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    file = tmp_path / "page.html"
    file.write_text("old")

    def broken(*_: object) -> str:
        raise RuntimeError("half way")

    monkeypatch.setattr("socialfinance.pages.page.page", broken)
    with pytest.raises(RuntimeError):
        of("demo-guaranteed-debt").to_html(file)

    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(sf.InputError, match="is a folder"):
        of("demo-guaranteed-debt").to_html(tmp_path)


def test_the_command_writes_page_and_json(tmp_path, capsys):
    html, data = tmp_path / "a.html", tmp_path / "a.json"
    asked = [
        "run",
        "demo-fee-for-service",
        "--paths",
        "64",
        "--html",
        str(html),
        "--json",
        str(data),
        "--quiet",
    ]

    assert main(asked) == 0
    reader = Reader(html.read_text("utf-8"))
    written = json.loads(data.read_text())
    known = {"|".join(list(row.values())[:7]): row["value"] for row in written["measures"]}
    assert all(float(one["value"]) == known[one["data-about"]] for one in reader.all("data"))
    assert "socialfinance run demo-fee-for-service --paths 64 --seed 1" in reader.text
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--tornado", "investor.npv.mean"], "give --html FILE too"),
        (["--html", "{folder}"], "is a folder"),
        (["--html", "{folder}/none/a.html"], "its folder does not exist"),
        (["--html", "{folder}/a", "--json", "{folder}/a"], "is the file of --json too"),
        (["--html", "{folder}/a.html", "--tornado", "nobody.npv.mean"], "nobody"),
        (["--html", "{folder}/mine.yaml"], "is a file that is read"),
    ],
)
def test_bad_requests_are_refused_before_the_run(tmp_path, capsys, options, said):
    mine = tmp_path / "mine.yaml"
    mine.write_text("based_on: demo-fee-for-service\nname: mine\n")
    asked = ["run", str(mine), "--paths", "64", *(one.format(folder=tmp_path) for one in options)]

    assert main(asked) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert said in told.err
    assert told.err.count("\n") == 1 + ("paths of" in told.err)
    assert list(tmp_path.iterdir()) == [mine]


@pytest.mark.parametrize(("package", "extra"), [("matplotlib", "plots"), ("jinja2", "page")])
def test_a_package_that_is_missing_is_named_before_the_run(tmp_path, package, extra):
    code = (
        f"import sys; sys.modules[{package!r}] = None; from socialfinance.cli import main; "
        f"sys.exit(main(['run', 'demo-fee-for-service', '--html', {str(tmp_path / 'a.html')!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert done.stdout == ""
    assert f"pip install 'socialfinance[{extra}]'" in done.stderr
    assert done.stderr.count("\n") == 1
