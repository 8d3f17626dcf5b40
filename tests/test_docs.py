"""The script that puts what commands print into the documentation, and the pages it fills."""

from __future__ import annotations

import ast
import importlib
import json
import re
import shlex
from collections.abc import Callable
from typing import NamedTuple

import pytest

from socialfinance.cli import main, parser
from tools import docs

PAGE = """# Title

<!-- output: echo one -->
```text
old
```
<!-- /output -->

Between.

<!-- output: echo two -->
<!-- /output -->
"""


def said(text: str):
    return lambda block: text.format(block.command)


# --- the script -----------------------------------------------------------------------------------


def test_replaces_every_block_and_leaves_the_rest():
    page = docs.replace_outputs(PAGE, said("\n{} said  \n\nthis \n"))

    assert page == (
        "# Title\n\n"
        "<!-- output: echo one -->\n```text\necho one said\n\nthis\n```\n<!-- /output -->\n\n"
        "Between.\n\n"
        "<!-- output: echo two -->\n```text\necho two said\n\nthis\n```\n<!-- /output -->\n"
    )


def test_a_second_time_changes_nothing():
    once = docs.replace_outputs(PAGE, said("{}"))

    assert docs.replace_outputs(once, said("{}")) == once


def test_printed_backslashes_stay_as_they_are():
    assert r"C:\1 \g<0>" in docs.replace_outputs(PAGE, lambda _: r"C:\1 \g<0>")


def test_stops_before_a_heading_and_keeps_the_option():
    opening = "<!-- output: echo one | until: PART TWO | slow -->"
    page = PAGE.replace("<!-- output: echo one -->", opening)
    printed = "PART ONE\nwith PART TWO in it\n\nPART TWO\nrest\n"

    new = docs.replace_outputs(page, lambda block: printed if block.until else "all of it")

    assert f"{opening}\n```text\nPART ONE\nwith PART TWO in it\n```\n<!-- /output -->" in new
    assert [block.slow for block in docs.blocks(page)] == [True, False]


def test_a_heading_that_is_not_printed_is_an_error():
    page = PAGE.replace("echo one", "echo one | until: PART TWO")

    with pytest.raises(ValueError, match="'echo one' never prints the line 'PART TWO'"):
        docs.replace_outputs(page, said("PART ONE"))


def test_an_unknown_option_is_an_error():
    with pytest.raises(ValueError, match="unknown option 'lines: 3'"):
        docs.replace_outputs(PAGE.replace("echo one", "echo one | lines: 3"), said("{}"))


def test_shows_what_the_nearest_python_above_prints():
    page = "```python\nprint(1)\n```\n```python\nprint(6 * 7)\n```\n" + PAGE.replace(
        "echo one", docs.PYTHON_ABOVE
    )
    first, second = docs.blocks(page)

    assert docs.output_of(first) == "42\n"
    assert second.code == ""
    with pytest.raises(ValueError, match="no Python stands above"):
        list(docs.blocks(PAGE.replace("echo one", docs.PYTHON_ABOVE)))


def test_shows_standard_output_only():
    code = "import sys; print('a figure'); print('Took 1.2 s.', file=sys.stderr)"

    assert docs.output_of(docs.Shown("", "", False, code, [])) == "a figure\n"


@pytest.mark.parametrize(
    "page",
    [
        PAGE.replace("<!-- /output -->\n\nBetween.", "Between."),
        PAGE.removesuffix("<!-- /output -->\n"),
    ],
    ids=["the first", "the last"],
)
def test_a_block_left_open_is_refused(page):
    with pytest.raises(ValueError, match="never closed"):
        docs.replace_outputs(page, said("{}"))


def test_check_shows_the_difference_and_writes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(docs, "output_of", said("{} said"))
    file = tmp_path / "page.md"
    file.write_text(PAGE, encoding="utf-8")

    assert docs.main(["--check", str(file)]) == 1
    assert "-old\n+echo one said" in capsys.readouterr().out
    assert file.read_text(encoding="utf-8") == PAGE

    assert docs.main([str(file)]) == 0
    assert docs.main(["--check", str(file)]) == 0
    assert capsys.readouterr().out == ""


# --- the pages ------------------------------------------------------------------------------------


class Place(NamedTuple):
    """One block on one page."""

    page: str
    block: docs.Shown


def places() -> list[Place]:
    return [
        Place(str(page.relative_to(docs.ROOT)), block)
        for page in docs.pages()
        for block in docs.blocks(page.read_text(encoding="utf-8"))
    ]


@pytest.fixture
def here(monkeypatch, capsys) -> Callable[[docs.Shown], str]:
    """What a block prints, run in this process: to start another takes longer than most of them."""
    monkeypatch.chdir(docs.ROOT)
    for name, value in (("COLUMNS", "100"), ("NO_COLOR", "1"), ("TERM", "dumb")):
        monkeypatch.setenv(name, value)

    def printed(block: docs.Shown) -> str:
        if block.code:
            exec(compile(block.code, block.command, "exec"), {"__name__": "__main__"})
        else:
            program, *words = shlex.split(block.command)
            assert program == "socialfinance"
            assert main(words) == 0
        return capsys.readouterr().out

    return printed


def check(place: Place, run: Callable[[docs.Shown], str] = docs.output_of) -> None:
    shown, printed = place.block.lines, docs.wanted(place.block, run)

    assert shown == printed, f"{place.page} is out of date: run `make outputs`"


@pytest.mark.parametrize(
    "place",
    [place for place in places() if not place.block.slow],
    ids=lambda place: f"{place.page}: {place.block.command}",
)
def test_a_page_shows_what_is_printed(place, here):
    check(place, here)


def test_a_command_of_a_page_prints_the_same_as_a_program_of_its_own():
    """The shortest: those above are run in this process."""
    commands = [place for place in places() if not (place.block.slow or place.block.code)]
    check(next(place for place in commands if place.block.command.startswith("socialfinance pwlb schedule")))


@pytest.mark.slow
@pytest.mark.parametrize(
    "place",
    [place for place in places() if place.block.slow],
    ids=lambda place: f"{place.page}: {place.block.command}",
)
def test_a_page_shows_what_takes_longer_to_print(place):
    check(place)


def test_the_readme_shows_what_make_demo_prints():
    makefile = (docs.ROOT / "Makefile").read_text(encoding="utf-8")
    demo = re.search(r"^demo:.*\n\t\$\(BIN\)/(.+)$", makefile, re.MULTILINE)

    assert demo is not None
    assert demo[1] in [place.block.command for place in places() if place.page == "README.md"]


def test_every_command_that_a_page_names_can_be_typed():
    pages = [*docs.pages(), *docs.ROOT.glob("*.md")]
    named = [
        command
        for page in pages
        for command in re.findall(r"`(socialfinance [^`\n]+)`", page.read_text(encoding="utf-8"))
    ]

    assert len(named) > 5
    for command in named:
        parser().parse_args(shlex.split(command)[1:])  # ends the test where it cannot be read


def test_what_a_page_imports_is_there():
    """Of every Python fence and notebook, those too that take long to run."""
    fences = [fence["code"] for page in docs.pages() for fence in docs.PYTHON.finditer(page.read_text())]
    notebooks = [json.loads(path.read_text()) for path in (docs.ROOT / "docs").rglob("*.ipynb")]
    cells = ["".join(c["source"]) for book in notebooks for c in book["cells"] if c["cell_type"] == "code"]
    found = [
        node for code in fences + cells for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("socialfinance")
    ]  # fmt: skip
    assert len(found) > 30
    for node in found:
        module = importlib.import_module(str(node.module))
        for name in node.names:
            assert hasattr(module, name.name), f"{node.module} has no {name.name}"


def test_links_between_pages_lead_somewhere():
    pages = [*docs.pages(), *docs.ROOT.glob("*.md")]
    links = [
        (page, target)
        for page in pages
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        if "://" not in target
    ]

    assert [f"{page.name}: {target}" for page, target in links if not (page.parent / target).exists()] == []
