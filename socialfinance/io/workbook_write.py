"""Writes a portfolio as a workbook to fill in: a sheet for each part, what may stand in a cell beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from math import ceil
from typing import Any, Literal

from openpyxl import Workbook
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation

from socialfinance.core.origins import SAYING
from socialfinance.io.workbook_fields import About, about, fields_at
from socialfinance.io.workbook_layout import (
    ABOVE,
    BESIDE,
    FIELD,
    READ_ME,
    SCALAR,
    SHEETS,
    VALUE,
    Sheet,
    as_list,
    beginning,
    names_in,
    sheet_of,
    to_cell,
    written,
)
from socialfinance.io.yaml import FieldPath, entries
from socialfinance.workbooks.cells import DAY, as_bytes, heighten, put, set_up_print, write_exactly

FACE = "Calibri"
HEAD = Font(name=FACE, size=11, bold=True, color="FFFFFF")
HEAD_FILL = PatternFill("solid", fgColor="1F3864")
ENTRY_FILL = PatternFill("solid", fgColor="FFF9E5")
QUIET = Font(name=FACE, color="595959", size=9)
THIN = Side(style="thin", color="BFBFBF")
BOX = Border(left=THIN, right=THIN, top=THIN, bottom=THIN)
TOP = Alignment(vertical="top", wrap_text=True)
HEAD_ROW = 3
LAST = (*SAYING, "note")
"""Fields that come after all others of an entry."""
PAGE_WIDTH = 200
"""Characters of a table that are still legible across a page."""
LONGEST_CHOICES = 255
"""Characters that a drop-down list may have."""
LINES = (
    "Fill in the yellow cells. Beside each (in a table: above it) stand unit, limits and meaning.",
    "A blank cell is not given: the model's default holds. Rows and columns may be added, in any order.",
    "A field is written as error messages write it: instrument.layers[0].cover is the first layer's cover.",
    "A field that ends in [] is a whole list, with a semicolon between its entries: 5; 6; 7.",
    "A programme or an instrument may be the name of a shipped one, in the field programme or instrument",
    "of Deals; with programme.based_on only what differs from it stands beside it.",
    "An uncertain number is a distribution instead: probability.distribution, probability.mean and so on.",
    "(nothing), (empty list), (no entries) and (empty text) stand for what a blank cell cannot say.",
    "Where numbers come from: source, or illustrative (TRUE, or the fields that are). What still has to be",
    "confirmed: unverified.",
    "Sheets, and columns of a table, whose name begins with _ are your own, and are not read.",
    "Formulas may stand in any cell: save the file in your spreadsheet program, so that results are in it.",
    "A YAML file's comments are not kept here, and what it refers to or is based on is written out.",
    "Check it: socialfinance validate FILE. Run it: socialfinance run FILE.",
    "Back to YAML: socialfinance template fund.yaml --from FILE.",
)  # fmt: skip


class _Leaf:
    """A value that has no fields, or a list of such values that fits a cell."""

    def __init__(self, path: FieldPath, value: Any, is_list: bool) -> None:
        self.path, self.value, self.is_list = path, value, is_list
        self.sheet = sheet_of(path)
        self.names = names_in(self.sheet, path)
        self.field = path[len(self.sheet.at) :]


def write_workbook(data: dict[str, Any]) -> bytes:
    """A portfolio's plain data (as read: no defaults filled in) as the file of an input workbook.

    Read again it gives the same data: ``socialfinance.io.workbook_read``. InputError for a text that no cell
    can hold.
    """
    book = Workbook()
    _read_me(book.worksheets[0])
    by_sheet: dict[str, list[_Leaf]] = {sheet.name: [] for sheet in SHEETS}
    for leaf in _leaves(data, ()):
        by_sheet[leaf.sheet.name].append(leaf)
    for sheet in SHEETS:
        page = book.create_sheet(sheet.name)
        (_table if sheet.is_table else _fields)(page, sheet, by_sheet[sheet.name], data)
    return as_bytes(book)


def _leaves(value: Any, path: FieldPath) -> Iterator[_Leaf]:
    inside = entries(value)
    if not inside:
        yield _Leaf(path, to_cell(value, path), False)
        return
    joined = as_list(value) if isinstance(value, tuple) and path else None
    if joined is not None:
        yield _Leaf(path, joined, True)
        return
    for key, entry in inside:
        yield from _leaves(entry, (*path, key))


def _read_me(page: Any) -> None:
    page.title = READ_ME
    page["A1"] = "An input workbook for socialfinance"
    page["A1"].font = Font(name=FACE, bold=True, size=14)
    for row, line in enumerate(LINES, start=3):
        page.cell(row=row, column=1, value=line)
    at = len(LINES) + 4
    for row, sheet in enumerate(SHEETS, start=at):
        page.cell(row=row, column=1, value=f"{sheet.name}: {sheet.holds}")
    page.column_dimensions["A"].width = 118
    set_up_print(page, 1)


# --- lists of fields ------------------------------------------------------------------------------


def _fields(page: Any, sheet: Sheet, leaves: list[_Leaf], data: Any) -> None:
    heads = (*sheet.heads, FIELD, VALUE, *BESIDE)
    _top_of(page, sheet, heads)
    at, row = len(sheet.heads) + 1, HEAD_ROW + 1
    groups = {names: list(some) for names, some in groupby(leaves, key=lambda leaf: leaf.names)}
    if not sheet.heads:
        groups.setdefault((), [])
    for names, some in groups.items():
        for leaf in some:
            one = about(leaf.path, data)
            _line(page, row, names, at, written(leaf.field, leaf.is_list), leaf.value, one)
            row += 1
        given = {leaf.field[0] for leaf in some if leaf.field}
        for name, one in fields_at(beginning(sheet, names), data):
            if one.forms and name not in given:
                is_list = all(form.startswith("a list") for form in one.forms)
                _line(page, row, names, at, written((name,), is_list), None, one)
                row += 1
    widths = [24.0] * len(sheet.heads) + [44.0, 26.0, 24.0, 34.0, 70.0]
    for column, width in enumerate(widths, start=1):
        page.column_dimensions[get_column_letter(column)].width = width
    page.freeze_panes = page.cell(row=HEAD_ROW + 1, column=at + 1)
    heighten(page, HEAD_ROW)
    set_up_print(page, HEAD_ROW)


def _line(page: Any, row: int, names: tuple[str, ...], at: int, field: str, value: Any, one: About) -> None:
    for column, text in enumerate((*names, field), start=1):
        write_exactly(page.cell(row=row, column=column), text)
        page.cell(row=row, column=column).alignment = TOP
    _entry(page, row, at + 1, value, one)
    for column, text in enumerate((one.unit, one.allowed, one.meaning), start=at + 2):
        cell = page.cell(row=row, column=column)
        write_exactly(cell, text)
        cell.font, cell.alignment = QUIET, TOP


# --- tables ---------------------------------------------------------------------------------------


def _table(page: Any, sheet: Sheet, leaves: list[_Leaf], data: Any) -> None:
    by_row = {names: list(some) for names, some in groupby(leaves, key=lambda leaf: leaf.names)}
    columns = _columns(sheet, leaves, data)
    _top_of(page, sheet, (*sheet.heads, *columns))
    start = len(sheet.heads) + 1
    place = {head: column for column, head in enumerate(columns, start=start)}
    for row, (words, quality) in enumerate(zip(ABOVE, BESIDE, strict=True), start=HEAD_ROW + 1):
        cell = page.cell(row=row, column=1, value=words)
        cell.font, cell.alignment = QUIET, TOP
        for head, one in columns.items():
            cell = page.cell(row=row, column=place[head])
            write_exactly(cell, getattr(one, quality))
            cell.font, cell.alignment = QUIET, TOP
    row = HEAD_ROW + len(ABOVE)
    for names, some in by_row.items():
        row += 1
        for column, name in enumerate(names, start=1):
            write_exactly(page.cell(row=row, column=column), name)
            page.cell(row=row, column=column).alignment = TOP
        held = {written(leaf.field, leaf.is_list): leaf.value for leaf in some}
        for head, one in columns.items():
            _entry(page, row, place[head], held.get(head), one)
    for column in range(1, start + len(columns)):
        head = str(page.cell(row=HEAD_ROW, column=column).value)
        wide = column < start or head.split(".")[-1] in ("title", "source", "note")
        page.column_dimensions[get_column_letter(column)].width = 28 if wide else max(14, len(head) + 2)
    page.freeze_panes = page.cell(row=HEAD_ROW + 1, column=start)
    heighten(page, HEAD_ROW)
    total = sum(one.width for one in page.column_dimensions.values())
    set_up_print(page, HEAD_ROW, pages_wide=ceil(total / PAGE_WIDTH))
    page.print_title_cols = f"A:{get_column_letter(start - 1)}"


def _columns(sheet: Sheet, leaves: list[_Leaf], data: Any) -> dict[str, About]:
    """The headings of a table: what its entries hold, and what else they may, in the model's order."""
    found: dict[str, tuple[FieldPath, About]] = {}
    for leaf in leaves:
        head = written(leaf.field, leaf.is_list)
        if head not in found:
            found[head] = (leaf.field, about(leaf.path, data))
    unnamed = [beginning(sheet, (*names, "")) for names in _around(sheet, leaves, data)]
    may = list({name: one for place in unnamed for name, one in fields_at(place, data)}.items())
    for name, one in may:
        is_list = bool(one.forms) and all(form.startswith("a list") for form in one.forms)
        if one.forms:
            found.setdefault(written((name,), is_list), ((name,), one))
    if not may:
        found.setdefault(written(()), ((), about(unnamed[0], data)))
    order = [name for name, _ in may if name not in LAST]

    def rank(item: tuple[str, tuple[FieldPath, About]]) -> tuple[int, int]:
        first = item[1][0][0] if item[1][0] else ""
        if first in LAST:
            return 2, LAST.index(str(first))
        return 1, order.index(str(first)) if first in order else -1

    return {head: one for head, (_, one) in sorted(found.items(), key=rank)}


def _around(sheet: Sheet, leaves: list[_Leaf], data: Any) -> list[tuple[str, ...]]:
    """The names before an entry's own: of the deals that have such entries, or else of all."""
    if len(sheet.heads) == 1:
        return [()]
    deals = dict.fromkeys(leaf.names[:-1] for leaf in leaves)
    given = data.get("deals")
    return list(deals) or [(name,) for name in (given if isinstance(given, Mapping) else ())] or [("",)]


# --- both -----------------------------------------------------------------------------------------


def _top_of(page: Any, sheet: Sheet, heads: tuple[str, ...]) -> None:
    page["A1"] = f"{sheet.name}. {sheet.holds}"
    page["A1"].font = Font(name=FACE, bold=True, size=12)
    page["A2"] = f"One row for each {'entry' if sheet.is_table else 'field'}; what is blank is not given."
    page["A2"].font = QUIET
    for column, head in enumerate(heads, start=1):
        cell = page.cell(row=HEAD_ROW, column=column)
        write_exactly(cell, head)
        cell.font, cell.fill, cell.alignment = HEAD, HEAD_FILL, TOP
    page.sheet_properties.tabColor = "1F3864"


def _entry(page: Any, row: int, column: int, value: Any, one: About) -> None:
    """A cell to fill in: what it holds, and what a spreadsheet lets into it."""
    cell = page.cell(row=row, column=column)
    if isinstance(value, str):
        write_exactly(cell, value)
    else:
        put(
            cell, value, "#,##0.00" if _is_money(value, one) else DAY if one.forms == ("date",) else "General"
        )
        if isinstance(value, float) and float(f"{value:.16g}") != value:
            cell._value = repr(value)  # openpyxl writes 16 digits of a number; this one needs 17
    cell.fill, cell.border = ENTRY_FILL, BOX
    cell.alignment = TOP
    _validated(page, cell.coordinate, value, one)


def _is_money(value: Any, one: About) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and one.unit.startswith("pounds") and round(value, 2) == value


_Rule = tuple[Literal["list", "whole", "decimal"], str, str | None, Literal["between"] | None]
"""Kind, formulas and operator of a data validation."""


def _validated(page: Any, cell: str, value: Any, one: About) -> None:
    """A drop-down list, or a range, where the models give one and what stands there keeps to it."""
    rule = _rule(one)
    if rule is None or (value is not None and not isinstance(value, SCALAR)):
        return
    for known in page.data_validations.dataValidation:
        if (known.type, known.formula1, known.formula2, known.operator) == rule:
            known.add(cell)
            return
    kind, low, high, operator = rule
    added = DataValidation(
        type=kind, formula1=low, formula2=high, operator=operator, allow_blank=True, showErrorMessage=True
    )
    added.errorTitle, added.error = "Not allowed here", one.allowed[:225] or None
    added.add(cell)
    page.add_data_validation(added)


def _rule(one: About) -> _Rule | None:
    words = (
        one.choices
        if set(one.forms) == {"text"}
        else ("TRUE", "FALSE")
        if one.forms == ("true or false",)
        else ()
    )
    if words:
        listed = ",".join(words)
        fits = len(listed) <= LONGEST_CHOICES and not any("," in word or '"' in word for word in words)
        return ("list", f'"{listed}"', None, None) if fits else None
    bounds = dict(one.limits)
    if {"ge", "le"} <= set(bounds) and set(one.forms) <= {"number", "whole number", "a distribution"}:
        kind: Literal["whole", "decimal"] = "whole" if one.forms == ("whole number",) else "decimal"
        return (kind, f"{bounds['ge']:.15g}", f"{bounds['le']:.15g}", "between")
    return None
