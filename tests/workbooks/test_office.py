"""Workbooks in LibreOffice: opened, recalculated, filled in, saved, and read again (``make office``)."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from socialfinance.cli import main
from socialfinance.io.files import as_given
from socialfinance.io.shipped import shipped
from socialfinance.io.workbook_write import write_workbook
from tests.workbooks.hostile import FORMULAS, hostile_portfolio
from tests.workbooks.sheets import formulas, row_of

pytestmark = pytest.mark.office

PENNY = 0.005


def saved_by_office(files: list[Path], into: Path) -> list[Path]:
    """The files as LibreOffice saves them, every formula worked out."""
    office = shutil.which("soffice")
    assert office is not None, "LibreOffice is missing: apt-get install libreoffice-calc"
    into.mkdir(exist_ok=True)
    profile = f"-env:UserInstallation=file://{into / 'profile'}"
    command = [
        office,
        profile,
        "--headless",
        "--convert-to",
        "xlsx:Calc MS Excel 2007 XML",
        "--outdir",
        str(into),
    ]
    subprocess.run([*command, *map(str, files)], check=True, capture_output=True, timeout=280)
    found = [into / file.name for file in files]
    assert all(file.exists() for file in found)
    return found


@pytest.mark.parametrize("name", ["demo-guaranteed-debt", "community-fund", "demo-pay-as-you-save"])
def test_a_result_recalculated_has_no_error_and_the_totals_of_the_json(name, tmp_path, capsys):
    out, data = tmp_path / "out.xlsx", tmp_path / "out.json"
    run = ["run", name, "--paths", "512", "--seed", "7", "--no-compare", "--quiet"]
    assert main([*run, "--excel", str(out), "--json", str(data)]) == 0
    capsys.readouterr()
    [again] = saved_by_office([out], tmp_path / "office")
    book = load_workbook(again, data_only=True)
    errors = [
        (page.title, cell.coordinate, cell.value)
        for page in book.worksheets
        for row in page.iter_rows()
        for cell in row
        if cell.data_type == "e" or (isinstance(cell.value, str) and cell.value.startswith(("#", "Err:")))
    ]
    assert errors == []
    for sheet, cell, text in formulas(load_workbook(out)):
        worked = book[sheet][cell].value
        assert isinstance(worked, int | float), (sheet, cell, text)
        if "<0.005" in text:
            assert worked == 0, (sheet, cell, text)
    summary = book["Summary"]
    assert summary.cell(row=row_of(summary, "Live sums against the result"), column=2).value == 0
    rows = json.loads(data.read_text())["measures"]
    page = book["Councils by year"]
    for row in rows:
        if (row["scope"], row["measure"], row["statistic"]) == ("council", "net_cost", "mean"):
            first = next(
                n for n in range(1, page.max_row) if str(page.cell(n, 1).value).endswith(f"({row['party']})")
            )
            label = row["financial_year"] or "Life"
            at = next(n for n in range(first, page.max_row) if page.cell(n, 1).value == label)
            assert abs(page.cell(at, 5).value - row["value"]) < PENNY


def same(one: Any, other: Any) -> bool:
    """Equal, numbers to 15 digits: LibreOffice keeps no more of them (a share of 2/3 has 16 in a file)."""
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-14)
    return one == other


def test_every_shipped_file_passes_through_the_office_unchanged(tmp_path):
    books = {name: tmp_path / f"{name}.xlsx" for name in shipped("portfolios")}
    for name, file in books.items():
        file.write_bytes(write_workbook(as_given(name)))
    for file in saved_by_office(list(books.values()), tmp_path / "office"):
        assert same(as_given(str(file)), as_given(str(books[file.stem]))), file.stem


def test_the_template_filled_in_and_saved_by_the_office_runs(tmp_path, capsys):
    file = tmp_path / "fund.xlsx"
    assert main(["template", str(file)]) == 0
    book = load_workbook(file)
    prices = book["Prices"]
    at = row_of(prices, "completed", 2)
    prices.cell(row=at, column=3).value = "=6000+250*2"
    book["Parties"]["C7"] = "Another County Council"
    book.save(file)
    assert main(["validate", str(file)]) == 2  # the formula has no result yet
    assert f"Prices!C{at}: is a formula without a result" in capsys.readouterr().err
    [again] = saved_by_office([file], tmp_path / "office")
    run = ["--paths", "64", "--seed", "3", "--no-compare", "--quiet", "--workers", "1"]
    filled, changed = tmp_path / "filled.json", tmp_path / "changed.json"
    assert main(["run", str(again), *run, "--json", str(filled)]) == 0
    price = "deals.edge-of-care.tariff.prices.completed=6500"
    assert main(["run", "edge-of-care", "--set", price, *run, "--json", str(changed)]) == 0
    capsys.readouterr()
    one, other = json.loads(filled.read_text()), json.loads(changed.read_text())
    assert one["measures"] == other["measures"]
    assert one["provenance"]["resolved"]["parties"]["eastmere"]["title"] == "Another County Council"


def test_hostile_texts_stay_texts_in_the_office(tmp_path):
    file = tmp_path / "hostile.xlsx"
    data = hostile_portfolio()
    file.write_bytes(write_workbook(data))
    [again] = saved_by_office([file], tmp_path / "office")
    kept = {text for _, _, text in formulas(load_workbook(again))}
    assert kept <= {"=TRUE()", "=FALSE()"}  # how it saves TRUE and FALSE
    assert as_given(str(again)) == as_given(str(file))
    texts = {c.value for page in load_workbook(again).worksheets for row in page.iter_rows() for c in row}
    assert len([text for text in FORMULAS if text in texts]) >= 6
