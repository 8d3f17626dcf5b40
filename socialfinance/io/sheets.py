"""Tables out: CSV, or a workbook with one sheet. Text is never a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from socialfinance.io.write import write_bytes
from socialfinance.workbooks.cells import FORMULA, as_bytes, check_openpyxl, put


def write_table(
    path: str | Path, sheet: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Write rows under their columns, whole or not at all: a workbook if the name ends in .xlsx, else CSV."""
    path = Path(path)
    if path.suffix.lower() == ".xlsx":
        write_bytes(path, _workbook(sheet, columns, rows))
        return
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _plain(row.get(name, "")) for name in columns} for row in rows)
    write_bytes(path, out.getvalue().encode())


def _plain(value: Any) -> Any:
    """For CSV: a text that a spreadsheet would take for a formula has an apostrophe before it."""
    return f"'{value}" if isinstance(value, str) and FORMULA.match(value) else value


def _workbook(sheet: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> bytes:
    check_openpyxl()
    from openpyxl import Workbook
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    book = Workbook()
    page = book.worksheets[0]
    page.title = sheet
    for at, name in enumerate(columns, start=1):
        head = page.cell(row=1, column=at)
        put(head, name)
        head.font = Font(bold=True)
        for n, row in enumerate(rows, start=2):
            put(page.cell(row=n, column=at), row.get(name))
        longest = max([len(name), *(len(str(row.get(name, ""))) for row in rows[:500])])
        page.column_dimensions[get_column_letter(at)].width = min(longest + 2, 60)
    page.freeze_panes = "A2"
    return as_bytes(book)
