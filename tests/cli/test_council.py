"""``socialfinance council``: the ten figures, the rows as JSON, and what is refused, a line each."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from socialfinance.cli import main
from socialfinance.council.tables import TABLES
from tests.cli.small import SMALL

BOOKS = """\
books:
  anytown:
    illustrative: true
    budget: {by_year: {2027/28: 300000, 2028/29: 400000}, reserve: 20000}
    promises: {reserve: 10000}
    capital: {operational_boundary: 90000000, authorised_limit: 100000000}
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The small file, with a council's books, a party without a part and one that is no public body."""
    path = tmp_path / "small.yaml"
    path.write_text(SMALL.replace("  backer:", "  otherton: {kind: council}\n  backer:") + BOOKS)
    return path


def asked(path: Path, *more: str, council: str = "anytown", paths: int = 16) -> list[str]:
    return ["council", str(path), "--council", council, "--paths", str(paths), "--seed", "3", *more]


def test_ten_figures_in_order_and_rows_as_json(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = small.parent / "rows.json"
    assert main(asked(small, "--json", str(data))) == 0
    said = capsys.readouterr()
    assert said.err == ""
    ten = said.out[said.out.index("TEN FIGURES") : said.out.index("PROMISES AND")]
    assert re.findall(r"^(\d+)\. ", ten, re.MULTILINE) == [str(i) for i in range(1, 11)]
    assert max(map(len, said.out.splitlines())) <= 110
    assert said.out.startswith("Anytown Council")
    found = json.loads(data.read_text(), parse_constant=lambda word: pytest.fail(word))
    assert set(TABLES) <= set(found)
    about = found["provenance"]
    assert (about["council"], about["paths"], about["seed"]) == ("anytown", 16, 3)
    assert sorted(path.name for path in small.parent.iterdir()) == ["rows.json", "small.yaml"]


def test_the_page_is_the_same_with_and_without_a_file(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = small.parent / "rows.json"
    data.write_text("older")
    assert main(asked(small)) == 0
    plain = capsys.readouterr().out
    assert data.read_text() == "older"
    assert main(asked(small, "--json", str(data))) == 0
    assert capsys.readouterr().out == plain
    assert json.loads(data.read_text())["provenance"]["council"] == "anytown"


def test_a_body_that_is_no_council_is_shown_too(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The health body pays 30% and saves nothing; the rules of councils are not its own."""
    assert main(asked(small, council="nhs-trust")) == 0
    out = capsys.readouterr().out
    assert out.startswith("nhs-trust: the books of A small fund")
    assert "The rules are those of councils in England; this body is none." in out


WRONG = {
    "no council of that name": ([], {"council": "nowhere"}, {}, "is no public body of this file"),
    "a party that is no public body": ([], {"council": "backer"}, {}, "is no public body of this file"),
    "a body with no part": ([], {"council": "otherton"}, {}, "has no part in any deal"),
    "no paths": ([], {"paths": 0}, {}, "must be at least 1"),
    "fewer paths than none": ([], {"paths": -5}, {}, "must be at least 1"),
    "a year outside the file": ([], {}, {"2028/29": "2048/49"}, "is no financial year of this file"),
    "a year that is none": ([], {}, {"2028/29": "2028/30"}, "is no financial year"),
    "a year by its first number": ([], {}, {"2028/29": "2028"}, "budget.by_year"),
    "a reserve below nil": ([], {}, {"reserve: 20000": "reserve: -1"}, "budget.reserve"),
    "a worst case of all": ([], {}, {"reserve: 10000": "worst_case: 1.0"}, "promises.worst_case"),
    "remote above a half": ([], {}, {"reserve: 10000": "remote: 0.6"}, "promises.remote"),
    "books of nobody": ([], {}, {"  anytown:\n    ill": "  nobody:\n    ill"}, "books.nobody"),
    "books of a backer": ([], {}, {"  anytown:\n    ill": "  backer:\n    ill"}, "books.backer"),
    "inflation that is no number": (
        [], {}, {"    promises:": "    appraisal: {inflation: high}\n    promises:"}, "appraisal.inflation"
    ),
    "a limit below the boundary": ([], {}, {"authorised_limit: 100": "authorised_limit: 1"}, "authorised"),
    "an unknown block": ([], {}, {"    promises:": "    budgets: {}\n    promises:"}, "budgets"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_one_clear_line(case: str, small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more, given, changes, words = WRONG[case]
    text = small.read_text()
    for old, new in changes.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    small.write_text(text)
    data = small.parent / "rows.json"
    code = main(asked(small, "--json", str(data), *more, **given))
    refused(code, words, capsys)
    assert not data.exists()
    assert [path.name for path in small.parent.iterdir()] == ["small.yaml"]


def refused(code: int, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = capsys.readouterr()
    assert code == 2
    assert said.out == ""
    assert words in said.err
    assert len(said.err.strip().splitlines()) == 1, said.err
    assert "Traceback" not in said.err


def test_a_missing_folder_is_refused_before_anything_is_run(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = small.parent / "missing" / "rows.json"
    refused(main(asked(small, "--json", str(data), paths=10_000_000)), "missing", capsys)
    assert not data.parent.exists()


def test_the_file_that_is_read_is_not_written_over(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = small.read_text()
    refused(main(asked(small, "--json", str(small))), "small.yaml", capsys)
    assert small.read_text() == before


def test_a_council_has_to_be_named(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused(main(["council", str(small)]), "--council", capsys)
