"""The documentation site: every page has its place, links hold there too, notebooks show what they print."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from ruamel.yaml import YAML

import socialfinance as sf
from socialfinance.cli import parser
from tools import notebooks, site

ROOT = site.ROOT
BOOKS = notebooks.notebooks()


def nav() -> list[str]:
    """Every page that the navigation names."""

    def walk(part: object) -> list[str]:
        if isinstance(part, str):
            return [part]
        parts = part.values() if isinstance(part, dict) else part
        return [page for one in parts for page in walk(one)]

    return walk(YAML(typ="safe").load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"])


def outside_fences(text: str) -> str:
    return site.FENCE.sub("", text)


# --- the navigation and the links -----------------------------------------------------------------


def test_every_page_stands_once_in_the_navigation():
    named = nav()
    written = [page.relative_to(site.DOCS).as_posix() for page in site.DOCS.rglob("*.md")]
    made = [site.HOME, site.API, *site.TOP, *(f"notebooks/{book.stem}.md" for book in BOOKS)]

    assert len(named) == len(set(named))
    assert set(named) == {*written, *made}


def test_links_lead_to_a_page_or_file_of_the_site():
    pages = {site.HOME: ROOT / "README.md", **{name: ROOT / name for name in site.TOP}}
    pages |= {page.relative_to(site.DOCS).as_posix(): page for page in site.DOCS.rglob("*.md")}
    places = {*nav(), *(site.place_of(file) for file in site.linked_files())}
    lost = []
    for place, file in pages.items():
        text = outside_fences(site.for_site(file.read_text(encoding="utf-8"), file))
        for link in site.LINK.finditer(text):
            if "://" not in link["target"]:
                target = site.normpath(site.join(site.dirname(place), link["target"]))
                if target not in places:
                    lost.append(f"{place}: {link['target']}")

    assert lost == []


@pytest.mark.parametrize(
    ("file", "link", "becomes"),
    [
        ("README.md", "[a](docs/fund.md)", "[a](fund.md)"),
        ("README.md", "[a](ARCHITECTURE.md#decisions)", "[a](ARCHITECTURE.md#decisions)"),
        ("README.md", "[a](docs/structures)", "a"),
        ("README.md", "[a\nb](docs/notebooks/treasurer.ipynb)", "[a\nb](notebooks/treasurer.md)"),
        ("README.md", "[a](portfolios/edge-of-care.yaml)", "[a](portfolios/edge-of-care.yaml)"),
        ("README.md", "```text\n[a](docs/fund.md)\n```", "```text\n[a](docs/fund.md)\n```"),
        ("docs/concepts.md", "[a](../README.md)", "[a](index.md)"),
        ("docs/council/page.md", "[a](../../ARCHITECTURE.md)", "[a](../ARCHITECTURE.md)"),
        ("docs/council/page.md", "[a](gates.md#x)", "[a](gates.md#x)"),
        ("docs/council/page.md", "[a](https://example.org/x)", "[a](https://example.org/x)"),
        ("docs/council/page.md", "[a](../notebooks/treasurer.ipynb)", "[a](../notebooks/treasurer.md)"),
        ("docs/council/page.md", "[a](../../../elsewhere.md)", "[a](../../../elsewhere.md)"),
    ],
)
def test_a_link_of_the_repository_becomes_one_of_the_site(file, link, becomes):
    assert site.for_site(link, ROOT / file) == becomes


def test_every_public_name_has_an_entry():
    page = site.api_page()

    for name in sf.__all__:
        assert name.startswith("_") or f"heading: sf.{name}\n" in page
    assert "::: socialfinance.simulate\n" in page
    assert "::: socialfinance.results.result.Result\n" in page
    assert "::: socialfinance.markets.pwlb\n" in page


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path):
    if not (find_spec("mkdocs") and find_spec("mkdocstrings")):
        pytest.skip("the extra `docs` is not installed")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    built = tmp_path / "site"
    assert (built / "index.html").is_file()
    assert "sf.simulate" in (built / "api.html").read_text(encoding="utf-8")
    loads = r"""<(?:script|link|img|iframe)\b[^>]*?(?:src|href)=["'](?:https?:)?//"""
    fetched = [page.name for page in built.rglob("*.html") if re.search(loads, page.read_text("utf-8"))]
    assert fetched == []


# --- the glossary ---------------------------------------------------------------------------------


def entries() -> list[tuple[str, str]]:
    text = (site.DOCS / "glossary.md").read_text(encoding="utf-8")
    return re.findall(r"^\| \*\*(.+?)\*\* \| (.+) \|$", text, re.MULTILINE)


def test_the_glossary_is_in_order_and_each_term_is_said_in_a_sentence_or_two():
    terms = [term for term, _ in entries()]

    assert len(terms) >= 40
    assert terms == sorted(set(terms), key=str.casefold)
    for term, words in entries():
        assert words.endswith(".") or words.endswith("[unverified]."), term
        assert 1 <= len(re.findall(r"\.(?: |$)", words.replace(" [unverified]", ""))) <= 2, term
        assert len(words) < 250, term


# --- the notebooks --------------------------------------------------------------------------------


def source(book: Path) -> str:
    return "\n".join("".join(cell["source"]) for cell in notebooks.read(book)["cells"])


def test_there_are_three_notebooks():
    assert [book.stem for book in BOOKS] == ["embedding", "fund-manager", "treasurer"]


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.stem)
def test_a_notebook_stands_as_it_was_run(book):
    read = notebooks.read(book)
    cells = [cell for cell in read["cells"] if cell["cell_type"] == "code"]

    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    kinds = {output["output_type"] for cell in cells for output in cell["outputs"]}
    assert "error" not in kinds
    assert sum(bool(cell["outputs"]) for cell in cells) > len(cells) / 2
    assert notebooks.written(notebooks.tidied(read)) == book.read_text(encoding="utf-8")


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.stem)
def test_what_a_notebook_names_is_there(book):
    text = source(book)
    for command in re.findall(r"`(socialfinance [^`\n]+)`", text):
        parser().parse_args(shlex.split(command)[1:])
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        assert "://" in target or (book.parent / target).exists(), target


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.stem)
def test_a_notebook_prints_what_it_shows(book):
    """In a process of its own: a kernel's warnings are not those of the tests."""
    command = [sys.executable, str(ROOT / "tools" / "notebooks.py"), "--check", str(book)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, f"run `make outputs`:\n{done.stdout}{done.stderr[-2000:]}"


def test_a_notebook_s_page_shows_words_code_and_output():
    book = {
        "cells": [
            {"cell_type": "markdown", "source": ["# Title\n", "Words."]},
            {
                "cell_type": "code",
                "source": ["print(6 * 7)"],
                "outputs": [
                    {"output_type": "stream", "name": "stdout", "text": ["42\n"]},
                    {"output_type": "execute_result", "data": {"text/plain": "43"}},
                ],
            },
        ]
    }
    expected = "# Title\nWords.\n\n```python\nprint(6 * 7)\n```\n\n```text\n42\n```\n\n```text\n43\n```\n"

    assert site.notebook_page(book) == expected


def test_a_difference_in_what_is_printed_is_seen():
    cell = {"cell_type": "code", "source": "", "execution_count": 1}
    one = {"cells": [{**cell, "outputs": [{"output_type": "stream", "name": "stdout", "text": "1\n"}]}]}
    two = {"cells": [{**cell, "outputs": [{"output_type": "stream", "name": "stdout", "text": "2\n"}]}]}
    bad = {"cells": [{**cell, "outputs": [{"output_type": "error", "ename": "E", "evalue": "no"}]}]}

    assert notebooks.said(one) == ["[1]", "1"] != notebooks.said(two)
    assert notebooks.said(bad) == ["[1]", "E: no"]
