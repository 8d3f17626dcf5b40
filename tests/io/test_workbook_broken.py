"""Input workbooks broken in many ways: each gives one clear line with its sheet and cell; nothing runs."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from datetime import datetime, time
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook

from socialfinance.cli import main
from socialfinance.io.files import as_given
from socialfinance.io.workbook_write import write_workbook


@pytest.fixture(scope="module")
def content() -> bytes:
    return write_workbook(as_given("edge-of-care"))


def cell(book: Workbook, sheet: str, field: str, entry: str = "") -> Any:
    """The cell of a field: in a list the one beside its name, in a table the one in an entry's row."""
    page = book[sheet]
    heads = {one.value: one.column for one in page[3]}
    if "field" in heads:
        for row in page.iter_rows(min_row=4):
            if row[heads["field"] - 1].value == field:
                return row[heads["value"] - 1]
    for row in page.iter_rows(min_row=7):
        if entry in (row[0].value, row[1].value):
            return row[heads[field] - 1]
    raise KeyError(field)


def to(sheet: str, field: str, value: Any, entry: str = "") -> Callable[[Workbook], str]:
    """Put a value into a cell; the cell's name."""

    def change(book: Workbook) -> str:
        one = cell(book, sheet, field, entry)
        one.value = value
        return f"{sheet}!{one.coordinate}"

    return change


def at(name: str, value: Any) -> Callable[[Workbook], str]:
    """Put a value into a cell by its name."""

    def change(book: Workbook) -> str:
        sheet, _, place = name.partition("!")
        book[sheet][place] = value
        return name

    return change


def without_prices(book: Workbook) -> str:
    book.remove(book["Parties"])
    return "fund.xlsx: parties"


def misnamed(book: Workbook) -> str:
    book["Portfolio"]["A5"] = "titel"
    return "Portfolio!B5"  # where its value stands


def misnamed_deal(book: Workbook) -> str:
    book["Prices"]["A7"] = "edge of care"
    return "Prices!B7"


def misspelt(book: Workbook) -> str:
    book["Costs"].title = "Cost"
    return "fund.xlsx: Cost"


def without_heads(book: Workbook) -> str:
    book["Costs"].delete_rows(3)
    return "fund.xlsx: Costs"


def twice(book: Workbook) -> str:
    page = book["Portfolio"]
    row = page.max_row + 1
    page.cell(row=row, column=1, value="quarters")
    page.cell(row=row, column=2, value=12)
    return f"Portfolio!B{row}"


def gap(book: Workbook) -> str:
    page = book["Instruments"]
    row = page.max_row + 1
    for column, value in enumerate(("edge-of-care", "layers[1].cover", 0.5), start=1):
        page.cell(row=row, column=column, value=value)
    return f"Instruments!C{row}"


def below_a_value(book: Workbook) -> str:
    page = book["Instruments"]
    row = page.max_row + 1
    for column, value in enumerate(("edge-of-care", "kind.of", 0.5), start=1):
        page.cell(row=row, column=column, value=value)
    return f"Instruments!C{row}"


BROKEN: dict[str, tuple[Callable[[Workbook], str], str]] = {
    "a text for a number": (to("Costs", "per_quarter", "many", "therapists"), "must be a number"),
    "a number below its range": (to("Costs", "elasticity", -0.1, "therapists"), "must be at least 0"),
    "a number above its range": (to("Costs", "vat", 20, "evaluation"), "must be at most 1 (given 20)"),
    "half a quarter": (to("Portfolio", "quarters", 32.5), "must be a whole number"),
    "no such choice": (to("Parties", "kind", "borough", "eastmere"), "is not one of the allowed values"),
    "no such structure": (to("Instruments", "kind", "bond"), "is not a known kind (given 'bond'"),
    "no such distribution": (
        to("Outcomes", "probability.distribution", "gauss", "completed"),
        "is not a known",
    ),
    "a date as text": (to("Portfolio", "start", "1 October 2026"), "must be a date such as 2026-04-01"),
    "a date with a time": (
        to("Portfolio", "start", datetime(2026, 10, 1, 9, 30)),
        "a date with a time of day",
    ),
    "a time of day": (to("Portfolio", "start", time(9, 30)), "is a time of day"),
    "an unknown field": (misnamed, "titel: is not a known field (allowed: title)"),
    "no field's name": (at("Portfolio!A5", "a..b"), "is no field (given 'a..b'"),
    "a blank field": (at("Portfolio!A5", None), "is blank: which field?"),
    "a blank name": (at("Programmes!A6", None), "is blank: which deal?"),
    "an unknown deal": (misnamed_deal, "deals.edge of care.programme: is missing"),
    "a bad name": (at("Costs!B7", "Therapists!"), "is not a name"),
    "an error of the spreadsheet": (to("Portfolio", "quarters", "#DIV/0!"), "is an error of the spreadsheet"),
    "a formula never worked out": (to("Portfolio", "quarters", "=8*4"), "is a formula without a result"),
    "a list with a gap in it": (
        to("Programmes", "referrals.ramp[]", "0.3; ; 0.9"),
        "an entry with nothing in it",
    ),
    "a list with a text in it": (to("Programmes", "referrals.ramp[]", "0.3; half"), "must be a number"),
    "a position left out": (gap, "without position [0]"),
    "given twice": (twice, "is given twice, first in Portfolio!B7"),
    "a field below a value": (below_a_value, "has a value itself, in Instruments!C4"),
    "a column without a heading": (at("Costs!ZZ8", 5), "in a column without a heading"),
    "a heading twice": (at("Prices!D3", "(value)"), "is a heading twice"),
    "a misspelt sheet": (misspelt, "is no sheet of an input workbook"),
    "a missing sheet": (without_prices, "is missing"),
    "no headings": (without_heads, "has no row of headings"),
    "a party nobody knows": (to("Deals", "parties.investor", "nobody"), "is not among the parties"),
    "an outcome after none": (to("Outcomes", "of", "nothing", "completed"), "nothing"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_workbook_gives_one_line_with_its_cell(name, content, tmp_path, capsys):
    change, problem = BROKEN[name]
    book = load_workbook(io.BytesIO(content))
    place = change(book)
    file = tmp_path / "fund.xlsx"
    book.save(file)
    out = tmp_path / "run.json"
    assert main(["run", str(file), "--paths", "8", "--json", str(out)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "Traceback" not in said
    assert place in said, said
    assert problem in said, said
    assert not out.exists()


NO_WORKBOOKS: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda _: b"",
    "text": lambda _: b"name: small\n",
    "a zip of something else": lambda _: zipped({"a.txt": b"a"}),
    "cut off": lambda content: content[: len(content) // 2],
    "a part cut out of it": lambda content: without(content, "xl/workbook.xml"),
    "a damaged sheet": lambda content: with_part(
        content, "xl/worksheets/sheet2.xml", b"<worksheet><sheetData><row"
    ),
    "entities": lambda content: with_part(
        content,
        "xl/worksheets/sheet2.xml",
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><worksheet/>',
    ),
}


def zipped(parts: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, part in parts.items():
            packed.writestr(name, part)
    return out.getvalue()


def parts_of(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def without(content: bytes, name: str) -> bytes:
    return zipped({one: part for one, part in parts_of(content).items() if one != name})


def with_part(content: bytes, name: str, part: bytes) -> bytes:
    return zipped({**parts_of(content), name: part})


@pytest.mark.parametrize("name", NO_WORKBOOKS)
def test_what_is_no_workbook_gives_one_line(name, content, tmp_path, capsys):
    file = tmp_path / "fund.xlsx"
    file.write_bytes(NO_WORKBOOKS[name](content))
    assert main(["validate", str(file)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1, said
    assert "fund.xlsx" in said


def test_a_file_that_unpacks_to_more_than_it_should_is_refused(content, tmp_path, capsys):
    file = tmp_path / "fund.xlsx"
    file.write_bytes(with_part(content, "xl/media/big.bin", b"\0" * 100_000_001))
    assert file.stat().st_size < 1_000_000
    assert main(["validate", str(file)]) == 2
    assert "unpacks to more than" in capsys.readouterr().err


def test_sheets_and_columns_of_ones_own_are_passed_over(content, tmp_path, capsys):
    book = load_workbook(io.BytesIO(content))
    book.create_sheet("_working")["A1"] = "=1/0"
    costs = book["Costs"]
    column = costs.max_column + 1
    costs.cell(row=3, column=column, value="_per year")
    costs.cell(row=7, column=column, value=4 * 163000)
    book["Portfolio"]["H5"] = "asked finance on Tuesday"
    file = tmp_path / "fund.xlsx"
    book.save(file)
    assert as_given(str(file)) == as_given("edge-of-care")


def test_rows_may_stand_in_another_order_and_blank_rows_between_them(content, tmp_path):
    book = load_workbook(io.BytesIO(content))
    page = book["Instruments"]
    rows = [[one.value for one in row] for row in page.iter_rows(min_row=4)]
    page.delete_rows(4, page.max_row)
    for n, row in enumerate(reversed(rows)):
        for column, value in enumerate(row, start=1):
            page.cell(row=5 + 2 * n, column=column, value=value)
    file = tmp_path / "fund.xlsx"
    book.save(file)
    assert as_given(str(file)) == as_given("edge-of-care")
