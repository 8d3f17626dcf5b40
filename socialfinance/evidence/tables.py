"""Tables that people fill in: CSV or a workbook's sheet, row by row, each cell with its place."""

from __future__ import annotations

import csv
import io
import math
import zipfile
from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from socialfinance.core.errors import InputError

Cell = str | float | int | date | None
MOST_ROWS = 1_000_000


class Row:
    """One row of a table; what it refuses names file, row and column."""

    def __init__(self, file: str, at: int, cells: dict[str, Cell]) -> None:
        self.file, self.at, self.cells = file, at, cells

    def refuse(self, column: str, problem: str, given: object, allowed: str | None) -> InputError:
        """What is wrong with a cell."""
        return InputError(
            problem, file=self.file, line=self.at, field=column, given=given, allowed=allowed or None
        )

    def blank(self, column: str) -> bool:
        """Whether a cell holds nothing."""
        return self.shown(column) == ""

    def shown(self, column: str) -> str:
        """A cell as text."""
        value = self.cells.get(column)
        if isinstance(value, datetime):
            value = value.date()
        return "" if value is None else str(value).strip()

    def text(self, column: str, known: Collection[str], what: str) -> str:
        """One of the names that are known."""
        given = self.shown(column)
        if given in known:
            return given
        like = near(given, known) if given else None
        allowed = f"{what}: {', '.join(known)}" if len(known) <= 12 else what
        raise self.refuse(
            column, f"is not {what}" if given else "is blank", given or None,
            f"perhaps {like}" if like else allowed,
        )  # fmt: skip

    def day(self, column: str) -> date:
        """A day: 2027-03-31, or a workbook's own."""
        value = self.cells.get(column)
        if isinstance(value, datetime):
            return value.date()
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(self.shown(column))
        except ValueError:
            given = self.shown(column)
            raise self.refuse(
                column, "is no day" if given else "is blank", given or None, "a day as 2027-03-31"
            ) from None

    def number(self, column: str) -> float:
        """A number: digits, a point, nothing else."""
        value = self.cells.get(column)
        if isinstance(value, bool | date):
            raise self.refuse(column, "is no number", self.shown(column), "digits and a point: 1200.50")
        if not isinstance(value, int | float):
            try:
                value = float(self.shown(column)) if "_" not in self.shown(column) else math.nan
            except ValueError:
                value = math.nan
        if not math.isfinite(value):
            raise self.refuse(column, "is no number", self.shown(column), "digits and a point: 1200.50")
        return float(value)


def read_rows(path: str | Path, columns: Sequence[str], optional: Sequence[str], sheet: str) -> list[Row]:
    """Every row that is not blank, of a CSV file (UTF-8) or of a workbook's sheet.

    The first row names the columns, in any order. InputError where there is no such file or table, where a
    column is missing, unknown or there twice, or where a row has more cells than columns.
    """
    path = Path(path)
    lines = _workbook(path, sheet) if path.suffix.lower() in (".xlsx", ".xlsm") else _csv(path)
    head = next(lines, None)
    if head is None:
        raise InputError("is empty", file=str(path), allowed=f"a table with {', '.join(columns)}")
    at, names = head[0], [str(cell or "").strip() for cell in head[1]]
    while names and not names[-1]:
        names.pop()
    _check_head(str(path), at, names, columns, optional)
    rows = []
    for at, cells in lines:
        if all(cell is None or str(cell).strip() == "" for cell in cells):
            continue
        if any(str(cell or "").strip() for cell in cells[len(names) :]):
            raise InputError(
                "has more cells than there are columns", file=str(path), line=at, given=len(cells),
                allowed=f"{len(names)}; a text with a comma stands in quotes",
            )  # fmt: skip
        rows.append(Row(str(path), at, dict(zip(names, cells, strict=False))))
        if len(rows) > MOST_ROWS:
            raise InputError("has too many rows", file=str(path), allowed=f"{MOST_ROWS:,}")
    return rows


def near(given: str, known: Collection[str]) -> str | None:
    """The names like this one; None where there is none."""
    return " or ".join(get_close_matches(given, list(known), n=3, cutoff=0.75)) or None


def _check_head(
    file: str, at: int, names: list[str], columns: Sequence[str], optional: Sequence[str]
) -> None:
    known = (*columns, *optional)
    for name in names:
        if name not in known:
            like = near(name, known)
            allowed = f"perhaps {like}" if like else ", ".join(known)
            raise InputError("is no column", file=file, line=at, field=name or "(blank)", allowed=allowed)
        if names.count(name) > 1:
            raise InputError("is there twice", file=file, line=at, field=name)
    for name in columns:
        if name not in names:
            raise InputError("column is missing", file=file, line=at, field=name)


def _csv(path: Path) -> Iterator[tuple[int, list[Cell]]]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise InputError(
            "is not UTF-8 text", file=str(path), line=line, allowed="save as CSV UTF-8"
        ) from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=str(path)) from None
    if "\0" in text:
        raise InputError("is not text", file=str(path), allowed="a CSV file in UTF-8")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    before = 1
    try:
        for cells in reader:
            yield before, list(cells)
            before = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"is no table: {error}", file=str(path), line=before) from None


def _workbook(path: Path, sheet: str) -> Iterator[tuple[int, list[Cell]]]:
    try:
        from openpyxl import load_workbook
    except ImportError:
        raise InputError(
            "a workbook needs openpyxl", file=str(path), allowed="pip install 'socialfinance[excel]', or CSV"
        ) from None
    try:
        book: Any = load_workbook(path, read_only=True, data_only=True)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=str(path)) from None
    except (zipfile.BadZipFile, KeyError, ValueError):
        raise InputError("is no workbook", file=str(path), allowed="an .xlsx file") from None
    if sheet not in book.sheetnames:
        raise InputError("sheet is missing", file=str(path), field=sheet, given=", ".join(book.sheetnames))
    for at, cells in enumerate(book[sheet].iter_rows(values_only=True), start=1):
        yield at, list(cells)
