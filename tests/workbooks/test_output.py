"""The workbook of a run: sums that live and agree with the result, formats, print set-up, harmless texts."""

from __future__ import annotations

import io
import json
import re

import pytest
from openpyxl import load_workbook

from socialfinance import InputError, simulate
from socialfinance.cli import main
from socialfinance.core.ledger import MEMO
from socialfinance.io.files import as_given, load_data
from socialfinance.io.workbook_read import read_workbook
from socialfinance.io.workbook_write import write_workbook
from socialfinance.io.yaml import plain
from socialfinance.workbooks.book import workbook
from socialfinance.workbooks.cells import CUT, LONGEST_TEXT, put_text, units
from tests.workbooks.hostile import FORMULAS, TEXTS, hostile_portfolio
from tests.workbooks.sheets import Worked, formulas, row_of

PENNY = 0.005
SHEETS = [
    "Summary",
    "By party",
    "Flows",
    "Councils by year",
    "Notes",
    "Contingent liabilities",
    "Cash-flow quantiles",
    "One future",
    "Inputs",
    "Provenance",
    "Checks",
]
OURS = re.compile(
    r"=(?:SUM\([A-Z]+\d+:[A-Z]+\d+\)|[A-Z]\d+-[A-Z]\d+|IF\(ABS\([A-Z]+\d+-[A-Z]+\d+\)<0\.005,0,1\)"
    r"|SUMIFS\([A-Za-z!$0-9:,\"]+\)(?:-SUMIFS\([A-Z$0-9:,\"a-z]+\))?|'[A-Za-z -]+'![A-Z]+\d+)"
)
"""Every formula that may stand in a workbook of ours."""


def made(name, paths=256, **more):
    result = simulate(name, paths, seed=7, workers=1, compare=False)
    return result, load_workbook(io.BytesIO(workbook(result, **more)))


@pytest.fixture(scope="module")
def debt():
    return made("demo-guaranteed-debt")


@pytest.fixture(scope="module")
def fund():
    return made("community-fund")


# --- sums -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["debt", "fund"])
def test_every_live_sum_agrees_with_the_result_to_half_a_penny(which, request):
    """Worked out by a reader that shares no code with the library; make office has LibreOffice do it."""
    _, book = request.getfixturevalue(which)
    worked, page = Worked(book), book["Checks"]
    checks = [
        row for row in range(4, page.max_row) if str(page.cell(row=row, column=2).value).startswith("='")
    ]
    assert len(checks) >= 15
    assert [worked.value("Checks", f"B{row}") for row in checks] == [0] * len(checks)


@pytest.mark.parametrize("which", ["debt", "fund"])
def test_councils_by_year_has_the_figures_of_the_json(which, request):
    result, book = request.getfixturevalue(which)
    rows = json.loads(json.dumps(result.to_dict()))["measures"]
    page, worked = book["Councils by year"], Worked(book)
    bodies = {row["party"] for row in rows if row["scope"] == "council"}
    assert bodies
    for party in bodies:
        head = row_of(page, f"{result.titles[party]} ({party})") + 1
        life = next(row for row in range(head, page.max_row) if page.cell(row=row, column=1).value == "Life")
        for column, measure in (("B", "paid"), ("C", "saving"), ("E", "net_cost")):
            mean = [
                one["value"]
                for one in rows
                if (one["scope"], one["party"], one["measure"], one["statistic"], one["financial_year"])
                == ("council", party, measure, "mean", "")
            ]
            assert abs(worked.value(page.title, f"{column}{life}") - mean[0]) < PENNY
        year = page.cell(row=head + 3, column=1).value
        p95 = [
            one["value"]
            for one in rows
            if (one["party"], one["measure"], one["statistic"], one["financial_year"], one["scope"])
            == (party, "net_cost", "p95", year, "council")
        ]
        assert page.cell(row=head + 3, column=6).value == pytest.approx(p95[0], abs=PENNY)


def test_parties_sum_to_nil_and_the_private_ones_have_what_their_own_figures_say(debt):
    """Two ways to one number: sums over flows in the workbook, figures by path in the result."""
    result, book = debt
    page, worked = book["By party"], Worked(book)
    private = [
        row
        for row in result.measures_rows
        if row.scope == "deal" and row.measure == "net" and row.statistic == "mean"
    ]
    assert len(private) >= 5
    for row in private:
        at = row_of(page, row.party)
        assert abs(worked.value(page.title, f"E{at}") - row.value) < PENNY


def test_the_future_that_is_shown_is_the_one_nearest_p95_and_its_payments_add_up(debt):
    result, book = debt
    page, worked = book["One future"], Worked(book)
    said = page["A2"].value
    path = int(re.search(r"Future (\d+)", said)[1])
    net = -worked.value(page.title, f"B{row_of(page, 'eastmere')}")
    p95 = result.figure("net_cost", "p95", who="eastmere", scope="council").value
    assert f"{net:,.0f}" in said
    assert f"{p95:,.0f}" in said
    assert abs(net - p95) < 0.02 * abs(p95)  # of 256 futures the nearest is near
    _, other = made("demo-guaranteed-debt", 8, path=path)
    other_page = other["One future"]
    assert -Worked(other).value(other_page.title, f"B{row_of(other_page, 'eastmere')}") == pytest.approx(net)


def test_a_future_that_does_not_exist_is_refused(debt):
    with pytest.raises(InputError, match="is not the number of a path"):
        workbook(debt[0], path=-1)


def test_flows_hold_every_leg_that_is_cash_and_no_other(debt):
    result, book = debt
    page = book["Flows"]
    legs = {
        (row.deal, row.payer, row.payee, row.reason) for row in result.flow_rows if row.reason not in MEMO
    }
    shown = {
        tuple(cell.value for cell in row[:4]) for row in page.iter_rows(min_row=4, max_row=page.max_row - 3)
    }
    assert shown == legs


# --- formats --------------------------------------------------------------------------------------


def test_every_sheet_is_there_and_set_up_for_print(fund):
    _, book = fund
    assert book.sheetnames == SHEETS
    for page in book.worksheets:
        setup = page.page_setup
        assert (setup.orientation, setup.paperSize, setup.fitToHeight) == ("landscape", 9, 0)
        assert page.sheet_properties.pageSetUpPr.fitToPage
        assert page.print_title_rows
    for name in ("By party", "Flows", "Notes", "Cash-flow quantiles", "Inputs"):
        assert book[name].freeze_panes, name


def test_numbers_are_numbers_with_formats_of_pounds_per_cent_and_basis_points(fund):
    _, book = fund
    page = book["Notes"]
    heads = {cell.value: cell.column for cell in page[3]}
    savers = {head: page.cell(row=4, column=column) for head, column in heads.items()}
    for head in ("Drawn", "Gain", "IRR of expected flows", "Expected loss", "Multiple"):
        assert isinstance(savers[head].value, int | float), head
    assert "£" in savers["Drawn"].number_format
    assert "£" in book["Flows"]["E4"].number_format
    assert savers["IRR of expected flows"].number_format == "0.00%"
    assert savers["Expected loss"].number_format.endswith('" bp"')
    assert book["Cash-flow quantiles"]["F4"].number_format.startswith('"£"')


def test_dollars_are_no_pounds():
    result = simulate("rikers-able", 32, seed=1, workers=1, compare=False)
    book = load_workbook(io.BytesIO(workbook(result)))
    styles = {cell.number_format for page in book.worksheets for row in page.iter_rows() for cell in row}
    assert any("US$" in style for style in styles)
    assert not any("£" in style for style in styles)


def test_charts_are_native_and_draw_what_stands_beside_them(debt):
    _, book = debt
    lines, bars = book["Councils by year"]._charts, book["Contingent liabilities"]._charts
    assert len(lines) == 2
    assert len(bars) == 1
    assert [series.val.numRef.f for series in lines[0].series] == [
        "'Councils by year'!$D$6:$D$14",
        "'Councils by year'!$E$6:$E$14",
        "'Councils by year'!$F$6:$F$14",
    ]
    assert book["Councils by year"]["D5"].value == "Net cost, P5"


def test_inputs_say_where_they_come_from_and_what_is_unverified():
    data = as_given("educate-girls")
    data["discount"] = {"rate": 0.04, "source": "somebody, 2026", "unverified": True}
    result = simulate(load_data(data), 16, seed=1, workers=1, compare=False)
    book = load_workbook(io.BytesIO(workbook(result, path=0)))
    rows = list(book["Inputs"].iter_rows(min_row=4, values_only=True))
    said = {row[2] for row in rows}
    assert {"source", "illustrative (invented)"} <= said
    assert all(row[4] for row in rows if row[2] == "source")
    marked = [row for row in rows if row[3] == "[unverified]"]
    assert [row[0] for row in marked] == ["discount.rate"]
    assert marked[0][4] == "somebody, 2026"
    told = dict(row[:2] for row in book["Provenance"].iter_rows(min_row=3, values_only=True) if row[0])
    assert told["seed"] == 1
    assert told["paths"] == 16
    assert told["package"] == "socialfinance"


# --- texts ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[0, 10])
def hostile(request):
    result = simulate(load_data(hostile_portfolio(request.param)), 32, seed=1, workers=1, compare=False)
    return load_workbook(io.BytesIO(workbook(result)))


def test_no_text_of_an_input_becomes_a_formula_or_an_error(hostile):
    assert all(OURS.fullmatch(text) for _, _, text in formulas(hostile)), [
        one for one in formulas(hostile) if not OURS.fullmatch(one[2])
    ]
    texts = {
        cell.value: cell
        for page in hostile.worksheets
        for row in page.iter_rows()
        for cell in row
        if cell.data_type == "s"
    }
    shown = [text for text in FORMULAS if text in texts]
    assert len(shown) >= 3
    assert all(texts[text].quotePrefix for text in shown if not text.startswith("#"))
    assert not any(
        cell.data_type == "e" for page in hostile.worksheets for row in page.iter_rows() for cell in row
    )


def test_what_acts_unseen_is_written_out_and_the_rest_stays_legible(hostile):
    texts = [
        cell.value
        for page in hostile.worksheets
        for row in page.iter_rows()
        for cell in row
        if isinstance(cell.value, str)
    ]
    assert not any("\u202e" in text for text in texts)
    seen = [one for one in (r"\u202eright to left", "<script>alert(1)</script>", "שלום עולם") if one in texts]
    assert len(seen) >= 2


@pytest.mark.parametrize("text", [*TEXTS, "x" * 40_000, "\U0001f600" * 20_000, "bell \x07", "\ud800"])
def test_any_text_can_be_put_into_a_cell(text):
    from openpyxl import Workbook

    book = Workbook()
    put_text(book.worksheets[0]["A1"], text)
    out = io.BytesIO()
    book.save(out)
    cell = load_workbook(io.BytesIO(out.getvalue())).worksheets[0]["A1"]
    assert cell.data_type == "s"
    assert units(cell.value) <= LONGEST_TEXT
    if len(text) > 10_000 and len(text) != 10_000:
        assert cell.value.endswith(CUT)
    if text in FORMULAS:
        assert cell.value == text  # not altered, not even by an apostrophe


def test_hostile_texts_come_back_from_an_input_workbook_as_they_were():
    data = hostile_portfolio()
    content = write_workbook(data)
    assert plain(read_workbook(content, "fund.xlsx")) == data
    assert formulas(load_workbook(io.BytesIO(content))) == []


# --- written whole or not at all ------------------------------------------------------------------

RUN = ["run", "educate-girls", "--paths", "16", "--workers", "1", "--no-compare", "--quiet"]


def test_the_command_writes_it_beside_the_json(tmp_path, capsys):
    book, data = tmp_path / "out.xlsx", tmp_path / "out.json"
    assert main([*RUN, "--excel", str(book), "--json", str(data)]) == 0
    assert load_workbook(book).sheetnames == SHEETS
    assert json.loads(data.read_text())["provenance"]["paths"] == 16
    capsys.readouterr()


def test_it_is_written_whole_or_not_at_all(tmp_path, monkeypatch, capsys):
    book = tmp_path / "out.xlsx"
    book.write_bytes(b"before")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("socialfinance.io.write.os.replace", full)
    assert main([*RUN, "--excel", str(book)]) == 2
    assert "No space left" in capsys.readouterr().err
    assert book.read_bytes() == b"before"
    assert [one.name for one in tmp_path.iterdir()] == ["out.xlsx"]


def test_without_openpyxl_one_line_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["template", "fund.xlsx", "--from", "educate-girls"]) == 0
    monkeypatch.setattr("socialfinance.workbooks.cells.find_spec", lambda _: None)
    for command in (["validate", "fund.xlsx"], ["template", "new.xlsx"], [*RUN, "--excel", "out.xlsx"]):
        capsys.readouterr()
        assert main(command) == 2
        said = capsys.readouterr().err
        assert "pip install 'socialfinance[excel]'" in said
        assert said.count("\n") == 1
    assert [one.name for one in tmp_path.iterdir()] == ["fund.xlsx"]


def test_a_run_that_kept_sums_or_spread_its_futures_has_a_workbook_too():
    for more in ({"keep": "sums"}, {"sampling": "auto"}):
        result = simulate("educate-girls", 6144, seed=1, workers=1, compare=False, **more)
        book = load_workbook(io.BytesIO(workbook(result)))
        texts = [row[0].value for page in book.worksheets for row in page.iter_rows(max_row=12)]
        said = "Quantiles are read off a sketch" if "keep" in more else "spread its futures on purpose"
        assert any(said in str(text) for text in texts), more


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--excel", "out.csv"], "has no ending of a workbook"),
        (["--excel", "nowhere/out.xlsx"], "its folder does not exist"),
        (["--excel", "out.xlsx", "--json", "out.xlsx"], "is the file of --json too"),
        (["--excel-future", "3"], "is no future to explain"),
        (["--excel", "out.xlsx", "--excel-future", "-1"], "is no future to explain"),
    ],
)
def test_what_could_not_be_written_is_refused_before_anything_runs(
    options, problem, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("socialfinance.engine.run.simulate", None)
    assert main([*RUN, *options]) == 2
    said = capsys.readouterr().err
    assert problem in said
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_workbook_that_is_read_is_not_written_over(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["template", "fund.xlsx", "--from", "educate-girls"]) == 0
    before = (tmp_path / "fund.xlsx").read_bytes()
    assert main(["run", "./fund.xlsx", "--paths", "8", "--excel", str(tmp_path / "fund.xlsx")]) == 2
    assert "is a file that is read" in capsys.readouterr().err
    assert (tmp_path / "fund.xlsx").read_bytes() == before
