"""Reads a publication: a folder of CSV tables, or one JSON file. Every cell that is wrong is found."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from socialfinance.core.errors import InputError
from socialfinance.evidence.open_data.tables import SUPPRESSED, TABLES, OpenData, Row, columns

LARGEST_FILE = 64_000_000
"""Bytes."""
MOST_ROWS = 1_000_000


class Finding(NamedTuple):
    """Something wrong with a publication, in one line."""

    warning: bool
    """false: an error, and the publication is not to be used"""
    file: str
    line: int | None
    """in a CSV file, the line; in JSON, the number of the row in its table"""
    column: str | None
    problem: str
    given: object = None
    allowed: str | None = None

    @property
    def error(self) -> InputError:
        """As an exception."""
        return InputError(
            self.problem, file=self.file, line=self.line, field=self.column, given=self.given,
            allowed=self.allowed,
        )  # fmt: skip

    def __str__(self) -> str:
        return f"{'warning' if self.warning else 'error'}: {self.error}"


class Read(NamedTuple):
    """What was read, where each row stands, and what was wrong; wrong rows are left out."""

    data: OpenData
    places: Mapping[str, tuple[tuple[str, int], ...]]
    """by table, file and line of each row"""
    findings: tuple[Finding, ...]


def read(path: str | Path) -> OpenData:
    """A publication from a folder or a JSON file. Raises InputError for the first thing that is wrong."""
    found = parse(path)
    for finding in found.findings:
        if not finding.warning:
            raise finding.error
    return found.data


def parse(path: str | Path) -> Read:
    """A publication as far as it can be read, with all that is wrong with single cells.

    Raises InputError where there is nothing to read.
    """
    path = Path(path)
    try:
        is_folder, exists = path.is_dir(), path.exists()
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be read: {_reason(error)}", file=str(path)) from None
    if not exists:
        raise InputError("no such folder or file", file=str(path))
    return _folder(path) if is_folder else _json(path)


# --- CSV ------------------------------------------------------------------------------------------


def _folder(folder: Path) -> Read:
    findings: list[Finding] = []
    tables: dict[str, list[tuple[Row, tuple[str, int]]]] = {}
    try:
        present = {one.name for one in folder.iterdir()}
    except OSError as error:
        raise InputError(f"cannot be read: {_reason(error)}", file=str(folder)) from None
    if not present & {f"{name}.csv" for name in TABLES}:
        raise InputError(
            "holds no table of a publication", file=str(folder), allowed=", ".join(f"{t}.csv" for t in TABLES)
        )
    for name in TABLES:
        file = folder / f"{name}.csv"
        if file.name in present:
            tables[name] = list(_rows(name, file, findings))
        elif name in ("projects", "outcome_metrics"):
            findings.append(Finding(False, str(folder), None, f"{name}.csv", "is a table that is missing"))
    for other in sorted(present - {f"{name}.csv" for name in TABLES}):
        if other.endswith(".csv"):
            findings.append(
                Finding(True, str(folder), None, other, "is no table of a publication, and not read")
            )
    return _read(tables, findings)


def _rows(name: str, file: Path, findings: list[Finding]) -> Iterator[tuple[Row, tuple[str, int]]]:
    """The rows of a CSV table that can be read."""
    shown = str(file)
    try:
        text = _content(file).decode("utf-8-sig")
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        head = next(reader, [])
        if not _head_is_right(name, head, shown, findings):
            return
        before = reader.line_num
        for cells in reader:
            line, before = before + 1, reader.line_num
            if not cells:
                continue
            if len(cells) != len(head):
                what = "has another number of cells than the first line"
                findings.append(Finding(False, shown, line, None, what, len(cells), str(len(head))))
                continue
            row = _row(name, dict(zip(head, cells, strict=True)), shown, line, findings)
            if row is not None:
                yield row, (shown, line)
            if line > MOST_ROWS:
                findings.append(Finding(False, shown, line, None, f"has more than {MOST_ROWS:,} rows"))
                return
    except UnicodeDecodeError:
        findings.append(Finding(False, shown, None, None, "is not UTF-8 text"))
    except csv.Error as error:
        findings.append(Finding(False, shown, reader.line_num, None, f"is not CSV: {error}"))


def _head_is_right(name: str, head: list[str], shown: str, findings: list[Finding]) -> bool:
    """Whether the first line names the table's columns, in any order, each at most once."""
    known = columns(TABLES[name])
    wrong = [
        Finding(False, shown, 1, one, "is not a column of this table", None, ", ".join(known))
        for one in head if one not in known
    ]  # fmt: skip
    wrong += [
        Finding(False, shown, 1, one, "stands twice") for one in sorted(set(head)) if head.count(one) > 1
    ]
    wrong += [
        Finding(False, shown, 1, one, "is a column that is missing")
        for one, field in known.items() if field.metadata["needed"] and one not in head
    ]  # fmt: skip
    findings += wrong
    return not wrong


def _row(name: str, cells: Mapping[str, str], shown: str, line: int, findings: list[Finding]) -> Row | None:
    """A row of a table from its texts; None where a cell is wrong."""
    values: dict[str, Any] = {}
    count = len(findings)
    for head, field in columns(TABLES[name]).items():
        text, kind = cells.get(head, ""), field.metadata["kind"]
        if text == "":
            if field.metadata["needed"]:
                findings.append(Finding(False, shown, line, head, "is empty", None, kind.allowed))
            continue
        try:
            values[head] = kind.parse(text)
        except ValueError:
            findings.append(Finding(False, shown, line, head, "cannot be read", text, kind.allowed))
        if values.get(head) == SUPPRESSED and head == "price_per_unit":
            findings.append(Finding(False, shown, line, head, "is a term, which is never suppressed", text))
    return TABLES[name](**values) if len(findings) == count else None


# --- JSON -----------------------------------------------------------------------------------------


def _json(file: Path) -> Read:
    shown = str(file)
    try:
        content = json.loads(_content(file).decode("utf-8-sig"), object_pairs_hook=_unique, parse_float=str,
                             parse_int=str, parse_constant=str)  # fmt: skip
    except UnicodeDecodeError:
        raise InputError("is not UTF-8 text", file=shown) from None
    except json.JSONDecodeError as error:
        raise InputError(f"is not JSON: {error.msg}", file=shown, line=error.lineno) from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"is not JSON: {error}", file=shown) from None
    findings: list[Finding] = []
    if not isinstance(content, dict):
        raise InputError("must be an object of tables", file=shown)
    for name in content.keys() - TABLES.keys() - {"terms", "about"}:
        findings.append(Finding(False, shown, None, str(name), "is no table", None, ", ".join(TABLES)))
    for name in ("projects", "outcome_metrics"):
        if name not in content:
            findings.append(Finding(False, shown, None, name, "is a table that is missing"))
    tables = {
        name: list(_json_rows(name, content[name], shown, findings)) for name in TABLES if name in content
    }
    return _read(tables, findings)


def _json_rows(
    name: str, rows: Any, shown: str, findings: list[Finding]
) -> Iterator[tuple[Row, tuple[str, int]]]:
    file = f"{shown} ({name})"
    if not isinstance(rows, list):
        findings.append(Finding(False, file, None, None, "must be a list of rows"))
        return
    known = columns(TABLES[name])
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            findings.append(Finding(False, file, number, None, "must be an object"))
            continue
        wrong = [
            Finding(False, file, number, str(head), "is not a column of this table", None, ", ".join(known))
            for head in row if head not in known
        ]  # fmt: skip
        wrong += [
            Finding(False, file, number, head, "must be text or a number", value)
            for head, value in row.items()
            if head in known and not (value is None or isinstance(value, str))
        ]
        findings += wrong
        made = (
            _row(name, {h: v for h, v in row.items() if v is not None}, file, number, findings)
            if not wrong
            else None
        )
        if made is not None:
            yield made, (file, number)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


# --- both -----------------------------------------------------------------------------------------


def _read(tables: Mapping[str, list[tuple[Row, tuple[str, int]]]], findings: list[Finding]) -> Read:
    data = OpenData(**{name: tuple(row for row, _ in rows) for name, rows in tables.items()})
    places = {name: tuple(place for _, place in tables.get(name, [])) for name in TABLES}
    return Read(data, places, tuple(findings))


def _content(file: Path) -> bytes:
    try:
        if not file.is_file():
            raise InputError("is not an ordinary file", file=str(file))
        if file.stat().st_size > LARGEST_FILE:
            raise InputError(f"is larger than {LARGEST_FILE:,} bytes", file=str(file))
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read: {_reason(error)}", file=str(file)) from None


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)
