"""Reads an input workbook into the same tree as a YAML file, each value marked with its sheet and cell."""

from __future__ import annotations

import io
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple
from xml.etree.ElementTree import ParseError

from openpyxl import load_workbook
from openpyxl.utils import get_column_letter

from socialfinance.core.errors import InputError, field_path
from socialfinance.io.shipped import near
from socialfinance.io.workbook_layout import (
    ABOVE,
    BY_NAME,
    FIELD,
    OWN,
    READ_ME,
    SHEETS,
    VALUE,
    Sheet,
    beginning,
    from_cell,
    from_list,
    read_field,
)
from socialfinance.io.yaml import DEEPEST, FieldPath, Mark, Node

LARGEST_UNPACKED = 100_000_000
"""Bytes of what a workbook's file unpacks to."""
MOST_ROWS = 100_000
"""Rows of one sheet in which anything stands."""
UNREADABLE = (
    zipfile.BadZipFile, zlib.error, KeyError, IndexError, ValueError, OSError, ParseError, TypeError,
    AttributeError, EOFError, NotImplementedError, RuntimeError, OverflowError,
)  # fmt: skip
"""What openpyxl and zipfile raise for a file that is none, or is damaged."""


class _Cell(NamedTuple):
    """What stands in a cell, and where."""

    value: Any
    mark: Mark


class _Row(NamedTuple):
    """One row of a sheet."""

    file: str
    sheet: str
    number: int
    values: tuple[Any, ...]

    def mark(self, column: int) -> Mark:
        """Where a column of this row stands."""
        return Mark(f"{self.file}: {self.sheet}!{get_column_letter(column + 1)}{self.number}", 0)

    def at(self, column: int) -> _Cell:
        """The cell in a column from 0."""
        return _Cell(self.values[column] if column < len(self.values) else None, self.mark(column))


def read_workbook(content: bytes, shown: str) -> Node:
    """The content of an input workbook as a tree; ``shown`` is how errors name the file.

    InputError, with sheet and cell, for what is no portfolio's layout, is given twice, or is no value.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of extensions openpyxl does not know: none is read
        book, formulas = _opened(content, shown, False), _opened(content, shown, True)
        _check_sheets(book.sheetnames, shown)
        tree = _Tree(shown)
        for sheet in SHEETS:
            if sheet.name in book.sheetnames:
                rows = _rows(book[sheet.name], formulas[sheet.name], shown)
                (_table if sheet.is_table else _fields)(sheet, rows, tree)
    if not tree.root.inside:
        raise InputError("is empty", file=shown, allowed=f"sheets {', '.join(BY_NAME)}")
    return tree.node()


def _opened(content: bytes, shown: str, formulas: bool) -> Any:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            if sum(one.file_size for one in packed.infolist()) > LARGEST_UNPACKED:
                raise InputError(f"unpacks to more than {LARGEST_UNPACKED:,} bytes", file=shown)
            for one in packed.infolist():
                if one.filename.endswith(".xml") and b"<!DOCTYPE" in packed.read(one)[:4096]:
                    raise InputError("is no workbook: it declares a document type", file=shown)
        return load_workbook(io.BytesIO(content), read_only=True, data_only=not formulas)
    except UNREADABLE as error:
        raise InputError(f"is no workbook: {_brief(error)}", file=shown, allowed="an .xlsx file") from None


def _brief(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:100]


def _check_sheets(names: list[str], shown: str) -> None:
    for name in names:
        if name not in BY_NAME and name != READ_ME and not name.startswith(OWN):
            raise InputError(
                f"is no sheet of an input workbook (one of your own begins with {OWN})",
                file=shown,
                field=name,
                allowed=near(name, list(BY_NAME)),
            )


def _rows(page: Any, formulas: Any, shown: str) -> Iterator[_Row]:
    """Every row in which anything stands."""
    count = 0
    try:
        for values, written in zip(page.iter_rows(), formulas.iter_rows(), strict=True):
            if all(cell.value is None for cell in written):
                continue
            number = next(cell.row for cell in written if cell.value is not None)
            count += 1
            row = _Row(shown, page.title, number, tuple(_as_typed(cell.value) for cell in values))
            if count > MOST_ROWS:
                raise InputError(f"has more than {MOST_ROWS:,} rows", file=f"{shown}: {page.title}")
            for column, (cell, raw) in enumerate(zip(values, written, strict=True)):
                _check_cell(cell, raw, row.mark(column))
            yield row
    except UNREADABLE as error:
        raise InputError(f"cannot be read: {_brief(error)}", file=f"{shown}: {page.title}") from None


def _as_typed(value: Any) -> Any:
    """A text as it was typed: ``_x005F_`` in a workbook's file stands for an underline.

    openpyxl puts it right in files that a spreadsheet program saved, and not in its own.
    """
    return value.replace("_x005F_", "_") if isinstance(value, str) else value


def _check_cell(cell: Any, raw: Any, mark: Mark) -> None:
    """Refuse what stands for no value: an error, or a formula whose result is not in the file."""
    if cell.data_type == "e" and raw.data_type != "s":
        raise InputError("is an error of the spreadsheet", file=mark.file, given=cell.value)
    if raw.data_type == "f" and cell.value is None:
        raise InputError(
            "is a formula without a result: open the file in a spreadsheet program and save it",
            file=mark.file, given=raw.value if isinstance(raw.value, str) else None,
        )  # fmt: skip


# --- sheets ---------------------------------------------------------------------------------------


def _fields(sheet: Sheet, rows: Iterator[_Row], tree: _Tree) -> None:
    heads = (*sheet.heads, FIELD, VALUE)
    _found_head(sheet, rows, heads, tree.file)
    at = len(sheet.heads)
    for row in rows:
        field, value = row.at(at), row.at(at + 1)
        if all(cell is None for cell in row.values[: at + 2]):
            continue
        if value.value is None:
            continue
        names = _names(sheet, row)
        path, is_list = _path(field)
        tree.put((*beginning(sheet, names), *path), _value(value, is_list), value.mark)


def _table(sheet: Sheet, rows: Iterator[_Row], tree: _Tree) -> None:
    head = _found_head(sheet, rows, sheet.heads, tree.file)
    start = len(sheet.heads)
    columns = {
        column: _path(head.at(column))
        for column in range(start, len(head.values))
        if head.values[column] is not None and not str(head.values[column]).startswith(OWN)
    }
    _check_once(columns, head)
    for row in rows:
        if row.values[0] in ABOVE:
            continue
        own = {c for c in range(start, len(head.values)) if c not in columns and head.values[c] is not None}
        held = [c for c in range(len(row.values)) if row.values[c] is not None and c not in own]
        if not held:
            continue
        names = _names(sheet, row)
        place = beginning(sheet, names)
        tree.enter(place, row.mark(start - 1))
        for column in held:
            if column < start:
                continue
            cell = row.at(column)
            if column not in columns:
                raise InputError(
                    "stands in a column without a heading", file=cell.mark.file, given=cell.value
                )
            path, is_list = columns[column]
            tree.put((*place, *path), _value(cell, is_list), cell.mark)


def _check_once(columns: dict[int, tuple[FieldPath, bool]], head: _Row) -> None:
    first: dict[tuple[FieldPath, bool], int] = {}
    for column, field in columns.items():
        if field in first:
            raise InputError(
                "is a heading twice", file=head.mark(column).file, given=head.values[column],
                allowed=f"once: it stands in {get_column_letter(first[field] + 1)}{head.number} too",
            )  # fmt: skip
        first[field] = column


def _found_head(sheet: Sheet, rows: Iterator[_Row], heads: tuple[str, ...], file: str) -> _Row:
    for row in rows:
        if tuple(str(value).strip() for value in row.values[: len(heads)]) == heads:
            return row
    raise InputError(
        "has no row of headings", file=f"{file}: {sheet.name}",
        allowed=f"a row that begins with {', '.join(heads)}",
    )  # fmt: skip


def _names(sheet: Sheet, row: _Row) -> tuple[str, ...]:
    """The names in a row's first columns."""
    found = []
    for column, head in enumerate(sheet.heads):
        cell = row.at(column)
        if cell.value is None or (isinstance(cell.value, str) and not cell.value.strip()):
            raise InputError(f"is blank: which {head}?", file=cell.mark.file)
        if not isinstance(cell.value, str | int) or isinstance(cell.value, bool):
            raise InputError(f"is no name of a {head}", file=cell.mark.file, given=cell.value)
        found.append(str(cell.value).strip())
    return tuple(found)


def _path(cell: _Cell) -> tuple[FieldPath, bool]:
    if cell.value is None:
        raise InputError("is blank: which field?", file=cell.mark.file)
    try:
        path, is_list = read_field(str(cell.value).strip())
    except ValueError:
        raise InputError(
            "is no field",
            file=cell.mark.file,
            given=cell.value,
            allowed="such as engagement.mean or layers[0].cover",
        ) from None
    if len(path) > DEEPEST:
        raise InputError(f"is nested more than {DEEPEST} deep", file=cell.mark.file)
    return path, is_list


def _value(cell: _Cell, is_list: bool) -> Any:
    """The plain value of a cell."""
    value = cell.value
    if isinstance(value, datetime):
        if value.time() != time():
            raise InputError("is a date with a time of day", file=cell.mark.file, given=value)
        value = value.date()
    elif isinstance(value, time | timedelta):
        raise InputError("is a time of day, not a value", file=cell.mark.file, given=value)
    if not isinstance(value, str | bool | int | float | date):
        raise InputError("is no value", file=cell.mark.file, given=type(value).__name__)
    try:
        return from_list(value) if is_list else from_cell(value)
    except ValueError as error:
        raise InputError(str(error), file=cell.mark.file, given=value) from None


# --- the tree -------------------------------------------------------------------------------------


class _Branch:
    """A value, or the fields of one, while the sheets are read."""

    def __init__(self, mark: Mark) -> None:
        self.mark = mark
        self.value: Any = None
        self.is_value = False
        self.inside: dict[str | int, _Branch] = {}


class _Tree:
    """What the sheets give, put together."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.root = _Branch(Mark(file, 0))

    def enter(self, path: FieldPath, mark: Mark) -> _Branch:
        """What stands at a path, made where nothing does."""
        here = self.root
        for n, part in enumerate(path):
            if here.is_value:
                raise InputError(
                    f"has a value itself, in {here.mark.file.rpartition(' ')[2]}, and can have no fields",
                    file=mark.file, field=field_path(path[:n]),
                )  # fmt: skip
            here = here.inside.setdefault(part, _Branch(mark))
        return here

    def put(self, path: FieldPath, value: Any, mark: Mark) -> None:
        """A value at a path, which nothing else has given."""
        here = self.enter(path, mark)
        if here.is_value or here.inside:
            raise InputError(
                f"is given twice, first in {here.mark.file.rpartition(' ')[2]}", file=mark.file,
                field=field_path(path),
            )  # fmt: skip
        here.value, here.is_value, here.mark = value, True, mark

    def node(self) -> Node:
        """The whole as marked nodes."""
        return _node(self.root, ())


def _node(branch: _Branch, path: FieldPath) -> Node:
    if branch.is_value:
        return _marked(branch.value, branch.mark)
    keys = list(branch.inside)
    positions = [key for key in keys if isinstance(key, int)]
    if not positions:
        inside = {str(key): _node(one, (*path, key)) for key, one in branch.inside.items()}
        return Node(inside, branch.mark)
    names = [key for key in keys if isinstance(key, str)]
    if names:
        mark = branch.inside[names[0]].mark
        raise InputError(
            "is a field of what is a list as well", file=mark.file, field=field_path((*path, names[0]))
        )
    missing = next((n for n in range(len(positions)) if n not in branch.inside), None)
    if missing is not None:
        last = branch.inside[max(positions)]
        raise InputError(
            f"stands in a list without position [{missing}]", file=last.mark.file,
            field=field_path((*path, max(positions))),
        )  # fmt: skip
    return Node(tuple(_node(branch.inside[n], (*path, n)) for n in range(len(positions))), branch.mark)


def _marked(value: Any, mark: Mark) -> Node:
    if isinstance(value, tuple):
        return Node(tuple(Node(one, mark) for one in value), mark)
    return Node(value, mark)
