"""YAML to workbook and back: the same data, whatever a file holds; what a workbook cannot hold is refused."""

from __future__ import annotations

import io
import json
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from socialfinance.cli import main
from socialfinance.core.errors import InputError
from socialfinance.io.files import as_given, load, load_data
from socialfinance.io.shipped import shipped
from socialfinance.io.workbook_layout import (
    as_list,
    beginning,
    from_cell,
    from_list,
    names_in,
    read_field,
    sheet_of,
    to_cell,
    written,
)
from socialfinance.io.workbook_read import read_workbook
from socialfinance.io.workbook_write import write_workbook
from socialfinance.io.yaml import plain

QUICK = ("edge-of-care", "demo-asset-backed", "peterborough", "rikers-able")


def there_and_back(data):
    return plain(read_workbook(write_workbook(data), "fund.xlsx"))


def in_order(portfolio) -> str:
    """Everything the models hold, names in their order: payers stand in one."""
    return json.dumps(portfolio.model_dump(mode="json"))


# --- every shipped file ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in shipped("portfolios")],
)
def test_every_shipped_portfolio_comes_back_the_same(name):
    data = as_given(name)
    back = there_and_back(data)
    assert back == data
    assert in_order(load_data(back).portfolio) == in_order(load_data(data).portfolio)
    # what was left out is still left out: only what a file gives is counted with its sources
    assert load_data(back).portfolio.model_fields_set == load(name).portfolio.model_fields_set


def test_from_yaml_to_workbook_to_yaml_on_the_command_line(tmp_path, capsys):
    book, text = tmp_path / "fund.xlsx", tmp_path / "fund.yaml"
    assert main(["template", str(book), "--from", "educate-girls"]) == 0
    assert main(["template", str(text), "--from", str(book)]) == 0
    assert as_given(str(text)) == as_given("educate-girls") == as_given(str(book))
    assert "comments are not kept" in capsys.readouterr().out


def test_the_template_is_a_filled_example_that_every_command_takes(tmp_path, capsys):
    book = tmp_path / "fund.xlsx"
    assert main(["template", str(book)]) == 0
    assert main(["validate", str(book)]) == 0
    files = {}
    for name, source in (("book", str(book)), ("yaml", "edge-of-care")):
        files[name] = tmp_path / f"{name}.json"
        run = ["run", source, "--paths", "64", "--seed", "3", "--no-compare", "--quiet", "--workers", "1"]
        assert main([*run, "--json", str(files[name])]) == 0
    ran = {name: json.loads(file.read_text()) for name, file in files.items()}
    assert ran["book"]["measures"] == ran["yaml"]["measures"]
    assert ran["book"]["flows"] == ran["yaml"]["flows"]
    told = ran["book"]["provenance"]["inputs"]["fund.xlsx"]
    assert load_text(told["text"]) == as_given("edge-of-care")  # the run can be repeated from its JSON
    capsys.readouterr()


def load_text(text: str):
    from socialfinance.io.yaml import parse

    return plain(parse(text.encode(), "text"))


def test_a_workbook_may_refer_to_shipped_files_and_change_them(tmp_path):
    data = as_given("edge-of-care")
    deal = data["deals"]["edge-of-care"]
    deal["programme"] = "family-therapy"
    deal["instrument"] = {"based_on": "social-impact-bond", "draw_ahead": 2}
    file = tmp_path / "short.xlsx"
    file.write_bytes(write_workbook(data))
    whole = load(file).portfolio.deals["edge-of-care"]
    assert whole.programme == load("edge-of-care").portfolio.deals["edge-of-care"].programme
    assert whole.instrument.draw_ahead == 2


def test_a_template_is_never_written_over(tmp_path, capsys):
    book = tmp_path / "fund.xlsx"
    book.write_bytes(b"mine")
    assert main(["template", str(book)]) == 2
    assert book.read_bytes() == b"mine"
    assert "is there already" in capsys.readouterr().err


# --- what stands beside the cells -----------------------------------------------------------------


@pytest.fixture(scope="module")
def template():
    return load_workbook(io.BytesIO(write_workbook(as_given("edge-of-care"))))


def test_choices_have_drop_down_lists_and_limits_are_kept_to(template):
    parties = template["Parties"]
    lists = [one for one in parties.data_validations.dataValidation if one.type == "list"]
    kind = next(one for one in lists if "council" in one.formula1)
    assert "B7" in kind.sqref
    assert '"council,nhs,police' in kind.formula1
    costs = template["Costs"]
    shares = next(one for one in costs.data_validations.dataValidation if one.formula2 == "1")
    assert (shares.type, shares.operator, shares.formula1) == ("decimal", "between", "0")


def test_unit_range_and_meaning_stand_beside_a_value(template):
    rows = {row[1]: row for row in template["Programmes"].iter_rows(min_row=4, values_only=True)}
    assert rows["referrals.quarters"][2:6] == (
        16,
        None,
        "whole number 1 to 400",
        "how many quarters referrals are made",
    )
    assert rows["referrals.ramp[]"][2:4] == ("0.3; 0.6; 0.9", "a fraction of one")
    heads = [cell.value for cell in template["Costs"][3]]
    at = heads.index("per_quarter") + 1
    said = [template["Costs"].cell(row=row, column=at).value for row in (4, 5, 6)]
    assert said[0].startswith("pounds")
    assert said[1].startswith("number 0 to 1,000,000,000,000")
    assert said[2] == "fixed amount each quarter from first to last quarter"


def test_every_cell_that_is_filled_in_says_what_is_allowed_there(template):
    """The models are walked to the end: no value without a word beside it."""
    silent = []
    for sheet in ("Portfolio", "Deals", "Programmes", "Instruments", "Tariffs"):
        page = template[sheet]
        at = [cell.value for cell in page[3]].index("field")
        for row in page.iter_rows(min_row=4, values_only=True):
            if row[at + 1] is not None and row[at + 3] is None:
                silent.append((sheet, row[at]))
    assert silent == []


def test_the_sheets_freeze_their_headings_and_print_on_a4(template):
    for page in template.worksheets[1:]:
        assert page.freeze_panes is not None
        assert page.print_title_rows == "$3:$3"
        assert page.page_setup.paperSize == 9
        assert page.page_setup.orientation == "landscape"


# --- properties -----------------------------------------------------------------------------------

NAMES = st.text(max_size=12)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**15), 10**15),
    st.floats(allow_nan=False, allow_infinity=False),
    st.dates(),
    st.text(max_size=20).filter(lambda text: "x005F_" not in text),
    st.sampled_from(["(nothing)", "(empty list)", "\\(nothing)", "=1+1", "true", "12", "2026-04-01", "a; b"]),
)
TEXT_OF_A_CELL = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=20
)


@given(st.lists(st.one_of(NAMES, st.integers(0, 999)), max_size=6).map(tuple), st.booleans())
def test_a_path_is_read_back_from_its_text(path, is_list):
    assert read_field(written(path, is_list)) == (path, is_list)


@given(SCALARS)
def test_a_value_is_read_back_from_its_cell(value):
    try:
        cell = to_cell(value, ("a",))
    except InputError:
        assert isinstance(value, str)  # of characters that no workbook keeps
        return
    back = from_cell(cell)
    assert back == value
    assert isinstance(back, bool) == isinstance(value, bool)
    assert isinstance(back, str) == isinstance(value, str)
    assert cell is not None


@given(st.lists(SCALARS, max_size=5).map(tuple))
def test_a_list_is_read_back_from_one_cell_or_stands_in_several(values):
    joined = as_list(values)
    if joined is not None:
        back = from_list(joined)
        assert back == values
        assert [type(one) is str for one in back] == [type(one) is str for one in values]
        assert [type(one) is bool for one in back] == [type(one) is bool for one in values]


@given(
    st.lists(
        st.one_of(
            st.sampled_from(["deals", "programme", "costs", "fund", "notes"]), NAMES, st.integers(0, 3)
        ),
        min_size=1,
        max_size=7,
    ).map(tuple)
)
def test_every_path_has_one_sheet_which_gives_it_back(path):
    sheet = sheet_of(path)
    names = names_in(sheet, path)
    assert (*beginning(sheet, names), *path[len(sheet.at) :]) == path


KEYS = st.one_of(
    st.sampled_from(["programme", "outcomes", "costs", "a.b", "per cent", "2026/27"]), TEXT_OF_A_CELL
)
ANY_TREE = st.recursive(
    st.one_of(
        TEXT_OF_A_CELL,
        st.floats(allow_nan=False, allow_infinity=False),
        st.booleans(),
        st.none(),
        st.dates(date(1990, 1, 1), date(2199, 12, 31)),
    ),
    lambda inside: st.one_of(
        st.dictionaries(KEYS, inside, max_size=3), st.lists(inside, max_size=3).map(tuple)
    ),
    max_leaves=12,
)


@settings(max_examples=15)
@given(st.dictionaries(st.sampled_from(["name", "deals", "fund", "parties", "books"]), ANY_TREE, min_size=1))
def test_any_tree_comes_back_from_the_file_itself(data):
    """Not only what the models know: whatever names, lists and values a file holds."""
    assert there_and_back(data) == data


@pytest.mark.parametrize("text", ["bell \x07", "x" * 32_768, "\U0001f600" * 16_384, "a\rb", "_x005F_"])
def test_a_text_that_no_cell_keeps_is_refused_and_nothing_is_written(text, tmp_path, monkeypatch, capsys):
    source = tmp_path / "fund.yaml"
    data = as_given("educate-girls")
    source.write_text(json.dumps({**data, "title": text, "start": str(data["start"])}, default=str))
    source.write_text(source.read_text().replace(f'"{data["start"]}"', str(data["start"])))
    assert main(["template", str(tmp_path / "fund.xlsx"), "--from", str(source)]) == 2
    said = capsys.readouterr().err
    assert "title" in said
    assert said.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fund.yaml"]


def test_seventeen_digits_are_kept():
    data = {"name": "x", "note": 0.1 + 0.2}
    assert there_and_back(data)["note"] == 0.1 + 0.2 != 0.3
