"""The committee paper: its figures are the view's, hostile text stays text, bad input is one line."""

from __future__ import annotations

import re
import zipfile
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import socialfinance as sf
from socialfinance.cli import main
from socialfinance.papers.council_paper import council_paper
from socialfinance.papers.docx_paper import docx_paper
from socialfinance.papers.html_paper import html_paper
from socialfinance.papers.parts import (
    CUT,
    LONGEST_NAME,
    Fields,
    Paper,
    Points,
    Section,
    Table,
    named,
    settled,
    texts,
)
from socialfinance.reports.frames import odds, thousands
from socialfinance.reports.numbers import TIE, pounds
from tests.cli.small import SMALL
from tests.cli.test_council import BOOKS

docx = pytest.importorskip("docx")

HOSTILE = {
    "formula": '=HYPERLINK("http://example.invalid","pay")',
    "script": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "template": "{{ 7 * 7 }}{% for x in y %}",
    "field": 'MERGEFIELD x \\* "a" DDEAUTO c:\\\\x',
    "long": "x" * 10_000,
    "right to left": "\u05de\u05d5\u05e2\u05e6\u05d4 \u05d0\u05d6\u05d5\u05e8\u05d9\u05ea",
    "turned": "abc\u202egnp.exe",
    "emoji": "Council \U0001f4b7\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "xml": "]]>&amp;&#x0;<w:t>",
}


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> sf.View:
    path = tmp_path_factory.mktemp("paper") / "small.yaml"
    path.write_text(SMALL + BOOKS)
    return sf.council_view(sf.load(path), "anytown", paths=64, seed=3)


@pytest.fixture(scope="module")
def paper(view: sf.View) -> Paper:
    return council_paper(view, "About this run.")


def all_texts(paper: Paper) -> list[str]:
    found = [paper.title, paper.status, *texts(paper.opening), paper.about]
    for section in paper.sections:
        found += [section.heading, *(words for part in section.parts for words in texts(part))]
    return found


def table(paper: Paper, title: str) -> Table:
    return next(
        part
        for section in paper.sections
        for part in section.parts
        if isinstance(part, Table) and title in part.title
    )


def said(paper: Paper, heading: str) -> str:
    section = next(one for one in paper.sections if one.heading.startswith(heading))
    return "\n".join(words for part in section.parts for words in texts(part)).replace("\u00a0", " ")


# --- the figures are those of the view ------------------------------------------------------------


def test_seven_sections_in_order(paper: Paper) -> None:
    heads = ["Purpose", "Options", "Financial", "Risk", "Contingent", "Sources", "Draft status"]
    assert [one.heading.split()[0] for one in paper.sections] == [head.split()[0] for head in heads]


def test_each_option_has_the_net_cost_of_the_same_futures(view: sf.View, paper: Paper) -> None:
    rows = {row[0]: row for row in table(paper, "families: net cost").rows}
    against = view.against.set_index("alternative")
    assert list(rows)[1:] == ["Do nothing", "In house", "PWLB, notional cost of money"]
    for option, name in (
        ("Do nothing", "do nothing"),
        ("In house", "in house, same costs"),
        ("PWLB, notional cost of money", "pwlb, same costs"),
    ):
        assert rows[option][1] == thousands(against.loc[name, "their_net_cost_pv"])
        assert rows[option][4] == odds(against.loc[name, "chance_dearer"])
    assert rows["In house"][5] == thousands(against.loc["in house, own costs", "difference_pv"])
    assert "funding source" in rows["PWLB, notional cost of money"][6]


def test_the_years_are_those_of_the_budget(view: sf.View, paper: Paper) -> None:
    years = table(paper, "by budget year")
    exposure, effect = (one.set_index("financial_year") for one in (view.exposure, view.effect))
    assert len(years.rows) > 3
    for year, budget, _, p95, _, saved, *_, so_far in years.rows:
        assert budget == thousands(exposure.loc[year, "budget"])
        assert p95 == thousands(exposure.loc[year, "p95"])
        assert saved == thousands(effect.loc[year, "saved"])
        assert so_far == thousands(effect.loc[year, "so_far"])


def test_the_years_add_up_to_the_last_line(view: sf.View, paper: Paper) -> None:
    """Net so far at the end of the last year is the expected net of all years: an identity of means."""
    foot = table(paper, "by budget year").foot
    net = view.net("anytown")
    assert foot[8] == thousands(float(net.sum(axis=0).mean())) == thousands(float(net.mean(axis=1).sum()))
    assert foot[5] == thousands(float(view.effect["saved"].sum()))
    low, high = np.quantile(net.sum(axis=0), (0.05, 0.95), method="inverted_cdf")
    assert foot[7].replace("\u00a0", " ") == f"{thousands(low)} to {thousands(high)}"


def test_the_worst_case_is_the_view_s(view: sf.View, paper: Paper) -> None:
    words = said(paper, "Risk")
    assert f"reasonable worst case {pounds(view.worst.p95)}" in words
    assert f"largest simulated {pounds(view.worst.largest)}" in words
    likeliest = view.exposure.sort_values("chance_over").iloc[-1]
    assert f"likeliest in {likeliest.financial_year} ({likeliest.chance_over:.0%}" in words


def test_what_it_pays_if_it_fails_is_what_was_assessed(view: sf.View, paper: Paper) -> None:
    (row,) = table(paper, "if it fails").rows
    (exposure,) = view.exposures
    assert row[2] == thousands(exposure.maximum)
    assert row[4] == thousands(exposure.assessed.worst_case.value)
    note = said(paper, "Contingent")
    assert exposure.tested.treatment.split(" -")[0] in exposure.notes[0] or "remote" in note
    assert "There is no statutory override" in note


def test_inputs_that_turn_the_answer_are_the_view_s(view: sf.View, paper: Paper) -> None:
    rows = table(paper, "Inputs that move").rows
    assert len(rows) == len(view.switches) == 3
    for row, found in zip(rows, view.switches.itertuples(), strict=True):
        assert row[0] == f"families: {found.input}"
        assert row[3] == thousands(found.swing)
        never = found.pays_for_itself_at != found.pays_for_itself_at
        assert (row[4] == "never") == never


def test_the_price_of_moving_risk_and_of_leaving_are_the_view_s(view: sf.View, paper: Paper) -> None:
    row = view.against.set_index("alternative").loc["pwlb, same costs"]
    words = said(paper, "Options")
    price = pounds(abs(row["difference_pv"]), row["difference_error"]).replace(TIE, " ")
    assert f"{price} {'more' if row['difference_pv'] >= 0 else 'less'} in present value" in words
    assert (
        f"{pounds(row['worst_here'])} above the mean of all here, {pounds(row['worst_there'])} there" in words
    )
    first = view.exits.iloc[0]
    assert f"{pounds(first.total)} at the end of {first.financial_year}" in said(paper, "Risk")


def test_unverified_rules_keep_their_mark_and_are_counted(paper: Paper) -> None:
    marks = sum(words.count("[unverified]") for words in all_texts(paper))
    last = said(paper, "Draft status")
    counted = int(re.search(r"\[unverified\], (\d+) in this paper", last)[1])
    assert counted == marks - last.count("[unverified]") > 3


def test_illustrative_numbers_are_counted_and_marked(view: sf.View, paper: Paper) -> None:
    counted = re.search(
        r"(\d+) have a source, (\d+) are illustrative.* and (\d+) have", said(paper, "Sources")
    )
    assert int(counted[2]) > 30
    origins = {row[1] for row in table(paper, "Inputs that move").rows}
    assert origins == {"illustrative"}


def test_a_file_s_currency_is_its_own() -> None:
    plain = Paper("A £5 fund", "", Fields(()), (Section("£", ("£1m",)),), "")
    assert settled(plain, "A$").sections[0].parts == ("A$1m",)
    assert settled(plain, "A$").title == "A A$5 fund"


OTHERS = [
    ("demo-grant", "westcombe"),
    pytest.param("demo-asset-backed", "eastmere", marks=pytest.mark.slow),
    pytest.param("demo-pay-as-you-save", "eastmere", marks=pytest.mark.slow),
    pytest.param("demo-income-strip", "eastmere", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("name", "council"), OTHERS)
def test_other_structures_have_a_paper_too(name: str, council: str) -> None:
    paper = council_paper(sf.council_view(name, council, paths=16, seed=1), "About.")
    assert len(paper.sections) == 7
    assert table(paper, "net cost").rows[0][0].startswith("The structure")
    assert not any("nan" in words.lower().split() for words in all_texts(paper))


# --- the document and the page say the same -------------------------------------------------------


class Read(HTMLParser):
    """What a page says, what it is made of, and anything in it that could act."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.said: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.skip = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.skip = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self.skip = False

    def handle_data(self, data: str) -> None:
        if data.strip() and not self.skip:
            self.said.append(data.strip())


def document_texts(content: bytes) -> list[str]:
    document = docx.Document(BytesIO(content))
    lines = [line.text for line in document.paragraphs]
    lines += [cell.text for grid in document.tables for row in grid.rows for cell in row.cells]
    return lines + [line.text for line in document.sections[0].footer.paragraphs]


def test_both_say_all_that_the_paper_says(paper: Paper) -> None:
    page, document = "\n".join(Read(html_paper(paper)).said), "\n".join(document_texts(docx_paper(paper)))
    for words in filter(None, all_texts(paper)):
        assert words in page
        assert words in document


def test_a_page_fetches_nothing_and_runs_nothing(paper: Paper) -> None:
    page = html_paper(paper)
    read = Read(page)
    assert not read.tags & {"script", "link", "img", "iframe", "object", "form", "a", "base"}
    assert not {name for name in read.attributes if name.startswith("on") or name in ("src", "href")}
    assert "default-src 'none'" in page
    assert not re.search(r"url\(|@import|https?:", page)
    assert page.startswith('<!DOCTYPE html>\n<html lang="en-GB">')
    assert page.count('scope="col"') == sum(
        len(part.head) for one in paper.sections for part in one.parts if isinstance(part, Table)
    )


def test_a_document_s_heads_repeat_and_its_page_is_a4(paper: Paper) -> None:
    document = docx.Document(BytesIO(docx_paper(paper)))
    page = document.sections[0]
    assert (round(page.page_width.cm, 1), round(page.page_height.cm, 1)) == (21.0, 29.7)
    for grid in document.tables:
        assert "w:tblHeader" in grid.rows[0]._tr.xml
        assert sum(column.width.cm for column in grid.columns) == pytest.approx(18.0, abs=0.05)


# --- hostile text ---------------------------------------------------------------------------------


def hostile_paper(text: str) -> Paper:
    row = (named(text), named(text), text)
    parts = (
        f"Of {named(text)}: {text}",
        Points((text,)),
        Table(text, ("Name", text, "Figure"), (row,), 2, row),
    )
    return settled(Paper(named(text), text, Fields(((text, text),)), (Section(text, parts),), text), "£")


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_text_is_harmless_and_legible(kind: str) -> None:
    paper = hostile_paper(HOSTILE[kind])
    read = Read(html_paper(paper))
    assert not read.tags & {"script", "img", "w:t"}
    content = docx_paper(paper)
    for words in filter(None, all_texts(paper)):
        assert words in "\n".join(read.said)
        assert words in "\n".join(document_texts(content))
    with zipfile.ZipFile(BytesIO(content)) as parts:
        body = parts.read("word/document.xml").decode()
        assert not re.search(r"w:fldSimple|w:instrText|w:hyperlink|w:object", body)
        assert "vbaProject.bin" not in " ".join(parts.namelist())
    assert len(named(HOSTILE[kind])) <= LONGEST_NAME + 2


def test_a_long_name_is_cut_and_a_turned_one_stands_apart() -> None:
    assert named("x" * 10_000) == "x" * (LONGEST_NAME - 1) + CUT
    hebrew = HOSTILE["right to left"]
    assert named(hebrew) == f"\u2068{hebrew}\u2069"
    assert named("abc\u202e") == "abc\\u202e"
    assert named(f"a{chr(0xFFFE)}b") == "a?b"
    assert named("Anytown Council") == "Anytown Council"


ANY = st.text(st.characters(exclude_categories=()), max_size=30)


@settings(max_examples=10)
@given(st.lists(ANY, min_size=30, max_size=60))
def test_any_text_can_be_written_properties(several: list[str]) -> None:
    """Surrogates, controls, numbers that are no characters: both forms can be written and read back."""
    parts = tuple(f"a {named(text)} b {text}" for text in several)
    written = settled(Paper("", "", Fields(()), (Section("One", parts),), ""), "£")
    read = document_texts(docx_paper(written))
    assert [words for words in written.sections[0].parts if words not in read] == []
    html_paper(written).encode()


# --- the command ----------------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL + BOOKS)
    return path


def asked(path: Path, to: str, *more: str, council: str = "anytown") -> list[str]:
    return ["paper", str(path), "--council", council, "--to", to, "--paths", "16", "--seed", "3", *more]


@pytest.mark.parametrize("ending", ["docx", "html", "HTML"])
def test_the_command_writes_the_paper(ending: str, small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    to = small.parent / f"paper.{ending}"
    assert main(asked(small, str(to), "--set", "deals.families.tariff.cap=1400000")) == 0
    out = capsys.readouterr()
    assert "A person must check and complete it." in out.out
    assert out.err == ""
    content = to.read_bytes()
    lines = document_texts(content) if ending == "docx" else Read(content.decode()).said
    text = "\n".join(lines)
    assert "Changed for this run: deals.families.tariff.cap = 1400000." in text
    assert re.search(r"small\.yaml, SHA-256 [0-9a-f]{16}; council anytown; 16 futures, seed 3", text)
    assert sorted(path.name for path in small.parent.iterdir()) == sorted(["small.yaml", to.name])


def test_hostile_names_in_a_file(tmp_path: Path) -> None:
    """Titles of the fund, the council and the programme, through the whole of the command."""
    path = tmp_path / "small.yaml"
    text = SMALL.replace("A small fund", "'<b>=1+1</b>'").replace(
        "Anytown Council", '"{} & <script>alert(1)</script>"'.format("y" * 10_000)
    )
    path.write_text(text + BOOKS)
    for ending in ("html", "docx"):
        to = tmp_path / f"paper.{ending}"
        assert main(asked(path, str(to))) == 0
        lines = Read(to.read_text()).said if ending == "html" else document_texts(to.read_bytes())
        assert "<b>=1+1</b>: draft paper for cabinet" in lines
        assert max(map(len, lines)) < 2_500
    assert not Read((tmp_path / "paper.html").read_text()).tags & {"script", "b"}


WRONG = {
    "another ending": ("paper.pdf", {}, ".docx, .html"),
    "no ending": ("paper", {}, ".docx, .html"),
    "no such folder": ("missing/paper.docx", {}, "--to: its folder does not exist"),
    "a body that is none": ("paper.docx", {"council": "nobody"}, "is no public body"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_one_clear_line(case: str, small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    to, given, words = WRONG[case]
    assert main(asked(small, str(small.parent / to), **given)) == 2
    said = capsys.readouterr()
    assert words in said.err
    assert len(said.err.strip().splitlines()) == 1
    assert [path.name for path in small.parent.iterdir()] == ["small.yaml"]


def test_a_file_that_is_read_is_not_written_over(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = small.rename(small.with_name("small.html"))
    before = page.read_text()
    other = small.parent / "other.yaml"
    other.symlink_to(page)
    assert main(asked(other, str(page))) == 2
    assert "--to" in capsys.readouterr().err
    assert page.read_text() == before


def test_ties_are_spaces_that_do_not_break() -> None:
    paper = settled(Paper(f"1{TIE}±{TIE}2", "", Fields(()), (), ""), "£")
    assert paper.title == "1\u00a0±\u00a02"
