"""The open outcomes map as data, and which of its outcomes a programme's lines stand for.

Source of the forty outcomes and of what each is measured by: Matthew Pike, *Mass collaboration*, IPPR 2014,
appendix, version 0.4 of the map; the labels are ours. That chapter keeps needs and strengths apart but does
not sort the map by them: ``kind`` is our reading. A strength is what people can do, feel able to do, or are
tied to, measured as such; everything else is a need.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from socialfinance.core.errors import InputError

SOURCE = "Matthew Pike, Mass collaboration, IPPR 2014, appendix: open outcomes map, v0.4"
KINDS = ("need", "strength")
ANY = "*"
"""Any programme."""
LONGEST = 200
"""Characters of a cell: more is a slip of the hand."""


class MapOutcome(NamedTuple):
    """One outcome of the map."""

    code: str
    domain: str
    """social, environmental or economic"""
    outcome: str
    kind: str
    """need or strength: our reading"""
    measured_by: tuple[str, ...]


class Tag(NamedTuple):
    """What an outcome line stands for."""

    code: str
    """of the map; empty where none of its outcomes fits"""
    kind: str
    """need, strength, or empty for a step on the way that is no outcome of its own"""


NO_TAG = Tag("", "")
Codes = Mapping[tuple[str, str], Tag]
"""By programme (its title, its deal's name, or ``*``) and line."""


@cache
def outcomes_map() -> Mapping[str, MapOutcome]:
    """The forty outcomes by code, in the map's order."""
    rows = csv.DictReader(io.StringIO(_shipped("open_outcomes_map.csv")))
    return {
        row["code"]: MapOutcome(
            row["code"], row["domain"], row["outcome"], row["kind"], tuple(row["measured by"].split("; "))
        )
        for row in rows
    }


@cache
def shipped_codes() -> Codes:
    """What the lines of the shipped programmes stand for: our reading, by programme title."""
    return read_codes(_shipped("outcome_codes.csv"), "outcome_codes.csv")


def tag_of(codes: Codes, line: str, *programmes: str) -> Tag:
    """What a line stands for, by the first of ``programmes`` that is known, else by ``*``; nothing else."""
    return next((codes[name, line] for name in (*programmes, ANY) if (name, line) in codes), NO_TAG)


def read_codes(text: str, file: str) -> Codes:
    """A table of lines: columns ``programme``, ``line``, ``code`` and, optional, ``kind``.

    ``programme`` is a programme's title, a deal's name, or ``*`` for any. ``code`` may be empty where none
    fits; then ``kind`` says need or strength. ``kind`` goes before that of the map. InputError with file,
    line and column where something is wrong.
    """
    found: dict[tuple[str, str], Tag] = {}
    for line, row in table(text, file, ("programme", "line", "code"), ("kind",)):
        about = row["programme"], row["line"]
        for column in ("programme", "line"):
            if not row[column]:
                raise InputError("is empty", file=file, line=line, field=column)
        if about in found:
            raise InputError("stands twice", file=file, line=line, field="line", given=row["line"])
        found[about] = _tag(row, file, line)
    return found


def _tag(row: Mapping[str, str], file: str, line: int) -> Tag:
    code, kind = row["code"], row.get("kind", "")
    if code and code not in outcomes_map():
        raise InputError(
            "is no code of the map",
            file=file,
            line=line,
            field="code",
            given=code,
            allowed="OOM-01 to OOM-40",
        )
    if kind and kind not in KINDS:
        raise InputError(
            "is no kind", file=file, line=line, field="kind", given=kind, allowed="need, strength, or empty"
        )
    if not code and not kind:
        raise InputError(
            "needs a code or a kind",
            file=file,
            line=line,
            field="code",
            allowed="leave out a line with neither",
        )
    return Tag(code, kind or outcomes_map()[code].kind)


def table(
    text: str, file: str, needed: Sequence[str], optional: Sequence[str] = ()
) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows of a CSV text with their lines, cells without spaces around them; strict about the columns.

    InputError for an empty text, an unknown, missing or doubled column, a row with too few or too many
    cells, an unclosed quote, a cell of more than 200 characters. Empty lines are passed over.
    """
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    rows = _numbered(reader, file)
    head = next(rows, None)
    if head is None:
        raise InputError("is empty", file=file, allowed=f"a line of columns: {', '.join(needed)}")
    columns = [cell.lower() for cell in head[1]]
    _check_columns(columns, file, head[0], needed, optional)
    for line, cells in rows:
        if len(cells) != len(columns):
            raise InputError("has another number of cells than the first line has columns", file=file,
                             line=line, given=len(cells), allowed=str(len(columns)))  # fmt: skip
        row = dict(zip(columns, cells, strict=True))
        for column, cell in row.items():
            if len(cell) > LONGEST:
                raise InputError("is too long", file=file, line=line, field=column, given=cell,
                                 allowed=f"at most {LONGEST} characters")  # fmt: skip
        yield line, row


def _numbered(reader: Iterable[list[str]], file: str) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not empty, with the line on which each ends."""
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                yield reader.line_num, cells  # type: ignore[attr-defined]
    except csv.Error as error:
        line: int = reader.line_num  # type: ignore[attr-defined]
        raise InputError(f"is no CSV: {error}", file=file, line=line) from None


def _check_columns(
    columns: Sequence[str], file: str, line: int, needed: Sequence[str], optional: Sequence[str]
) -> None:
    allowed = ", ".join([*needed, *(f"{name} (optional)" for name in optional)])
    for column in columns:
        if column not in (*needed, *optional):
            raise InputError(
                "is no column of this table", file=file, line=line, given=column, allowed=allowed
            )
        if columns.count(column) > 1:
            raise InputError("is a column twice", file=file, line=line, given=column)
    for column in needed:
        if column not in columns:
            raise InputError("is missing", file=file, line=line, field=column, allowed=allowed)


def _shipped(name: str) -> str:
    return (files("socialfinance.evidence") / "data" / name).read_text("utf-8")
