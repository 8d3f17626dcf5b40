"""Cells of a workbook: text that can never become a formula, formats of numbers, widths, print set-up."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import date, datetime
from importlib.util import find_spec
from math import ceil
from typing import TYPE_CHECKING, Any

from socialfinance.core.errors import InputError
from socialfinance.core.text import visible

if TYPE_CHECKING:
    from openpyxl import Workbook

LONGEST_TEXT = 32_767
"""UTF-16 units that a cell holds."""
CUT = " … [cut: a cell holds no more]"
FORMULA = re.compile(r"^[\s\0]*[=+\-@]")
"""What makes a spreadsheet take a text for a formula once it is typed or pasted anew."""
ESCAPE = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")
"""``_x0041_`` in a workbook's file stands for A; its own first underline is written ``_x005F_``."""
LINE, MOST_LINES = 14.0, 12
"""Height of a line in points, and lines of a text that are shown."""
DAY = "yyyy-mm-dd"
PER_CENT, BASIS_POINTS, COUNT, PLAIN = "0.00%", '#,##0" bp"', "#,##0.0", "General"


def check_openpyxl(file: str | None = None) -> None:
    """InputError where the package that workbooks need is not installed."""
    if find_spec("openpyxl") is None:
        raise InputError("a workbook needs openpyxl", file=file, allowed="pip install 'socialfinance[excel]'")


def money(symbol: str, pence: bool = False) -> str:
    """The format of an amount in this currency, negative ones red and with a minus."""
    digits = "#,##0.00" if pence else "#,##0"
    return f'"{symbol}"{digits};[Red]-"{symbol}"{digits}'


def put(cell: Any, value: Any, style: str = PLAIN) -> None:
    """A number, day or truth value with its number format; a text as text, whatever it begins with."""
    if isinstance(value, str):
        put_text(cell, value)
        return
    cell.value = value
    if not isinstance(value, bool):
        cell.number_format = DAY if isinstance(value, date | datetime) and style == PLAIN else style


def put_text(cell: Any, text: str) -> None:
    """A text as it is, but for what acts on a screen unseen (written out) and what no cell can hold (cut)."""
    write_exactly(cell, _cut(visible(text, keep="\n\t")))


def write_exactly(cell: Any, text: str) -> None:
    """A text, not a formula, of characters that a workbook can hold.

    Its type is text, whatever it begins with; one that would become a formula when somebody edits the cell
    is marked as quoted, as if an apostrophe stood before it.
    """
    cell.value = ESCAPE.sub("_x005F_", text)
    cell.data_type = "s"  # openpyxl takes a text that begins with = for a formula, and #N/A for an error
    if FORMULA.match(text):
        cell.quotePrefix = True


def units(text: str) -> int:
    """UTF-16 units, in which a workbook counts."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _cut(text: str) -> str:
    if units(text) <= LONGEST_TEXT:
        return text
    kept = text.encode("utf-16-le", "surrogatepass")[: 2 * (LONGEST_TEXT - units(CUT))]
    return kept.decode("utf-16-le", "ignore") + CUT


def widen(sheet: Any, widths: dict[int, float]) -> None:
    """Column widths, in characters, by column number from 1."""
    from openpyxl.utils import get_column_letter

    for column, width in widths.items():
        sheet.column_dimensions[get_column_letter(column)].width = width


def heighten(sheet: Any, first_row: int = 1) -> None:
    """Rows as high as their wrapped texts need at the columns' widths, as far as a screen goes.

    A spreadsheet program measures only when a cell is edited; until then long texts would be cut off.
    """
    for row in sheet.iter_rows(min_row=first_row):
        lines = 1
        for cell in row:
            if isinstance(cell.value, str) and cell.alignment.wrap_text:
                width = (
                    max(sheet.column_dimensions[cell.column_letter].width - 1, 4)
                    * 11
                    / (cell.font.size or 11)
                )
                lines = max(lines, sum(ceil(max(len(part), 1) / width) for part in cell.value.split("\n")))
        if lines > 1:
            sheet.row_dimensions[row[0].row].height = LINE * min(lines, MOST_LINES)


def set_up_print(sheet: Any, head_row: int, pages_wide: int = 1, portrait: bool = False) -> None:
    """A4, the heading repeated on every page, the sheet's name and the page's number at the foot."""
    sheet.page_setup.orientation = "portrait" if portrait else "landscape"
    sheet.page_setup.paperSize = 9  # A4
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = pages_wide, 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.print_title_rows = f"{head_row}:{head_row}"
    sheet.oddFooter.left.text = "&A"
    sheet.oddFooter.right.text = "Page &P of &N"
    sheet.page_margins.left = sheet.page_margins.right = 0.4
    sheet.page_margins.top, sheet.page_margins.bottom = 0.6, 0.8


def as_bytes(book: Workbook) -> bytes:
    """The workbook's file."""
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def is_zip(content: bytes) -> bool:
    """Whether this can be a workbook at all."""
    return zipfile.is_zipfile(io.BytesIO(content))
