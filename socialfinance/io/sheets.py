"""Tables out: CSV, or a workbook with one sheet. Text is never a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from socialfinance.core.errors import InputError
from socialfinance.io.write import write_bytes

FORMULA = ("=", "+", "-", "@")
"""What makes a spreadsheet take a text for a formula."""


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
    """A text that a spreadsheet would take for a formula has an apostrophe before it."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _workbook(sheet: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> bytes:
    try:
        from openpyxl import Workbook
        from openpyxl.styles import Font
        from openpyxl.utils import get_column_letter
    except ImportError:
        raise InputError(
            "a workbook needs openpyxl", allowed="pip install 'socialfinance[excel]', or a .csv file"
        ) from None
    book = Workbook()
    page = book.active
    assert page is not None
    page.title = sheet
    page.append(list(columns))
    for row in rows:
        page.append([_plain(row.get(name, "")) for name in columns])
    for at, name in enumerate(columns, start=1):
        head = page.cell(row=1, column=at)
        head.font = Font(bold=True)
        longest = max([len(name), *(len(str(row.get(name, ""))) for row in rows[:500])])
        page.column_dimensions[get_column_letter(at)].width = min(longest + 2, 60)
    page.freeze_panes = "A2"
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
