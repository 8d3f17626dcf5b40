"""Tables of what happened: projects with plan and payments, and metrics with target and achieved.

A table is a CSV file with one head line. Lines that begin with ``#`` are passed over. Columns may stand in
any order; a column that is not known is refused, so that a slip in a name is not read as "not given".
"""

from __future__ import annotations

import csv
import hashlib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from socialfinance.core.errors import InputError
from socialfinance.core.terms import LARGEST_AMOUNT

ALIASES = {
    "pid": "project", "id": "project", "a0": "start", "a1": "end", "plan1": "plan", "maxpay": "maximum",
    "actual": "paid", "covid": "claims", "r_plan1": "ratio",
}  # fmt: skip
"""Other names of columns, as in tables computed from GO Lab's INDIGO data."""
PASSED_OVER = ("cap", "capmin", "capmax", "title", "source", "note")
"""Columns that may stand in a table and are not used."""
COLUMNS = ("project", "sector", "plan", "paid", "claims", "start", "end", "ended", "maximum", "ratio")
METRIC_COLUMNS = ("project", "metric", "stage", "target", "achieved")
YEARLY = re.compile(r"(plan|paid)_([1-9])")
"""``paid_2``: paid by the end of year 2 since the start; ``plan_2``: planned by then. Both cumulative."""

MOST_PAID = 3.0
"""Times the plan. More is a plan for part of the contract, or a cap per person (it happens: 11,800)."""
LEAST_MAXIMUM = 0.02
"""Of the plan. A maximum below it is a cap per person written in the place of the contract's."""
ROUNDING = 0.001
"""How far a given ratio may be from paid / plan."""
LARGEST_TABLE = 4_000_000
"""Bytes."""
BAD_YEAR = 2020
"""The calendar year of the common shock: half-years of 2020 were paid 0.33 and 0.37 of plan at the median, of
2021 0.92 and more (Life Chances Fund; GO Lab, INDIGO Impact Bond Dataset, May 2025, computed)."""


class Project(NamedTuple):
    """One project. Amounts in pounds over its whole life."""

    name: str
    sector: str
    plan: float
    paid: float
    """including ``claims``"""
    claims: float | None = None
    """emergency payments among ``paid`` that no outcome earned; None where the table has no such column"""
    start: int | None = None
    """months since year 0"""
    end: int | None = None
    """last month, as ``start``"""
    ended: bool | None = None
    plan_by_year: tuple[float, ...] = ()
    """cumulative, by the end of year 1, 2 …"""
    paid_by_year: tuple[float, ...] = ()
    """cumulative; never longer than ``plan_by_year``"""

    @property
    def ratio(self) -> float:
        """Paid / plan."""
        return self.paid / self.plan

    @property
    def earned_ratio(self) -> float:
        """(Paid − claims) / plan."""
        return (self.paid - (self.claims or 0.0)) / self.plan

    def exposure(self, year: int) -> float | None:
        """Share of the project's months, first and last included, in a calendar year; None without dates."""
        if self.start is None or self.end is None:
            return None
        inside = min(self.end, 12 * year + 11) - max(self.start, 12 * year) + 1
        return max(inside, 0) / (self.end - self.start + 1)


class Panel(NamedTuple):
    """A table of projects that passed every check."""

    projects: tuple[Project, ...]
    file: str
    sha256: str
    flags: tuple[str, ...]
    """what is odd and may be right: to be looked at by a person"""
    illustrative: bool = False
    """whether a line ``# illustrative`` says that the table is made up"""


class Metric(NamedTuple):
    """One outcome metric of a project: counts."""

    project: str
    metric: str
    stage: str
    target: float
    achieved: float

    @property
    def ratio(self) -> float:
        """Achieved / target."""
        return self.achieved / self.target


class Metrics(NamedTuple):
    """A table of metrics that passed every check."""

    rows: tuple[Metric, ...]
    file: str
    sha256: str


class _Line(NamedTuple):
    """One line of a table: cells by column."""

    file: str
    number: int
    cells: Mapping[str, str]

    def refuse(
        self, field: str, problem: str, allowed: str | None = None, given: object = None
    ) -> InputError:
        return InputError(
            problem, file=self.file, line=self.number, field=field,
            given=self.cells.get(field) or None if given is None else given, allowed=allowed,
        )  # fmt: skip

    def text(self, field: str) -> str:
        written = self.cells.get(field, "")
        if not written or len(written) > 120:
            raise self.refuse(field, "is missing" if not written else "is too long", "1 to 120 characters")
        return written

    def number_of(self, field: str, least: float = 0.0, above: bool = False) -> float:
        allowed = f"a plain number {'above' if above else 'from'} {least:g}, such as 1250000.50"
        written = self.text(field)
        try:
            value = float(written if written.isascii() and "_" not in written else "")
        except ValueError:
            raise self.refuse(field, "is not a number", allowed) from None
        if not math.isfinite(value) or value < least or (above and value == least) or value > LARGEST_AMOUNT:
            raise self.refuse(field, "is out of range", allowed)
        return value

    def optional(self, field: str) -> float | None:
        return self.number_of(field) if self.cells.get(field) else None

    def month(self, field: str) -> int | None:
        written = self.cells.get(field, "")
        found = re.fullmatch(r"(\d{4})-(\d{2})(?:-\d{2})?", written)
        if written and (not found or not 1 <= int(found[2]) <= 12):
            raise self.refuse(field, "is not a month", "YYYY-MM")
        return 12 * int(found[1]) + int(found[2]) - 1 if found else None

    def truth(self, field: str) -> bool | None:
        written = self.cells.get(field, "").lower()
        if written not in ("", "true", "false"):
            raise self.refuse(field, "is neither true nor false", "true, false")
        return written == "true" if written else None


def read_panel(path: str | Path) -> Panel:
    """A table of projects from a CSV file.

    Columns ``project``, ``sector``, ``plan``, ``paid``; where known ``claims``, ``start`` and ``end``
    (YYYY-MM), ``ended``, ``maximum``, ``ratio`` (checked against paid / plan), and cumulative ``plan_1``,
    ``paid_1``, ``plan_2`` … (blank where a project had ended, or is not there yet). Other names: ``ALIASES``.

    InputError, with line and column, for what cannot be right: a project twice, a copied row, a plan of
    nothing, claims above what was paid, an end before the start, a cap per person in the place of a total,
    cumulative payments that fall. What may be right but often is not comes back in ``flags``.
    """
    text, sha256 = _content(Path(path))
    name = str(path)
    lines = _lines(name, text, COLUMNS, ("project", "sector", "plan", "paid"), yearly=True)
    projects = tuple(_project(line) for line in lines)
    _refuse_twice(lines, lambda line: line.cells["project"].lower(), "project", "stands twice")
    _refuse_twice(
        lines, lambda line: (float(line.cells["plan"]), float(line.cells["paid"])), "paid",
        "plan and paid are those of another project: a copied row",
    )  # fmt: skip
    illustrative = any(line.lower().startswith("# illustrative") for line in text.splitlines())
    return Panel(projects, name, sha256, tuple(_flags(lines, projects)), illustrative)


def read_metrics(path: str | Path) -> Metrics:
    """A table of metrics from a CSV file: ``project``, ``metric``, ``stage``, ``target``, ``achieved``."""
    text, sha256 = _content(Path(path))
    lines = _lines(str(path), text, METRIC_COLUMNS, METRIC_COLUMNS)
    rows = tuple(
        Metric(
            line.text("project"), line.text("metric"), line.text("stage").lower(),
            line.number_of("target", above=True), line.number_of("achieved"),
        )
        for line in lines
    )  # fmt: skip
    key: Callable[[_Line], object] = lambda line: tuple(line.cells[c].lower() for c in METRIC_COLUMNS[:3])  # noqa: E731
    _refuse_twice(lines, key, "metric", "stands twice for this project and stage")
    return Metrics(rows, str(path), sha256)


# --- the file -------------------------------------------------------------------------------------


def _content(path: Path) -> tuple[str, str]:
    """Text and sha256 of a file."""
    name = str(path)
    try:
        if path.is_dir():
            raise InputError("is a folder, not a file", file=name)
        if path.exists() and path.stat().st_size > LARGEST_TABLE:
            raise InputError(f"is larger than {LARGEST_TABLE:,} bytes", file=name)
        content = path.read_bytes()
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("is not text in UTF-8", file=name) from None
    except (OSError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or str(error)
        raise InputError(f"cannot be read: {reason}", file=name) from None
    return text, hashlib.sha256(content).hexdigest()


def _lines(
    file: str, text: str, columns: Sequence[str], needed: Sequence[str], yearly: bool = False
) -> list[_Line]:
    """The lines of a table, cells by the column's own name."""
    reader = csv.reader((_without_comment(line) for line in text.splitlines()), strict=True)
    head: list[str] = []
    found: list[_Line] = []
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if not head:
                head = _head(file, reader.line_num, cells, columns, needed, yearly)
                continue
            if len(cells) != len(head):
                raise InputError(
                    "has another number of cells than there are columns", file=file, line=reader.line_num,
                    given=len(cells), allowed=f"{len(head)}, and no comma in numbers",
                )  # fmt: skip
            found.append(_Line(file, reader.line_num, dict(zip(head, cells, strict=True))))
    except csv.Error as error:
        raise InputError(f"is no CSV: {error}", file=file, line=reader.line_num) from None
    if not found:
        raise InputError("has no rows", file=file, allowed=f"a head line with {', '.join(needed)}, then rows")
    return found


def _without_comment(line: str) -> str:
    return "" if line.startswith("#") else line


def _head(
    file: str, number: int, cells: list[str], columns: Sequence[str], needed: Sequence[str], yearly: bool
) -> list[str]:
    """The columns by their own names; refused where one is unknown, missing or there twice."""
    head = [ALIASES.get(cell.lower(), cell.lower()) for cell in cells]
    for name, written in zip(head, cells, strict=True):
        known = name in columns or name in PASSED_OVER or (yearly and YEARLY.fullmatch(name))
        if not known or head.count(name) > 1:
            raise InputError(
                "is a column that stands twice" if known else "is not a known column", file=file, line=number,
                field=written or "(blank)", allowed=", ".join((*columns, *PASSED_OVER)),
            )  # fmt: skip
    for name in needed:
        if name not in head:
            raise InputError("is a column that is missing", file=file, line=number, field=name)
    return head


# --- what cannot be right -------------------------------------------------------------------------


def _project(line: _Line) -> Project:
    plan, paid = line.number_of("plan", above=True), line.number_of("paid")
    if paid > MOST_PAID * plan:
        raise line.refuse(
            "plan", "is far below what was paid: a cap per person, or the plan of a part",
            given=f"{plan:,.0f}",
            allowed=f"a total for the contract: {paid:,.0f} was paid, at most {MOST_PAID:g} times the plan",
        )  # fmt: skip
    claims, maximum, ratio = line.optional("claims"), line.optional("maximum"), line.optional("ratio")
    if claims is not None and claims > paid:
        raise line.refuse("claims", "is more than was paid, of which it is a part", f"at most {paid:,.0f}")
    if maximum is not None and maximum < LEAST_MAXIMUM * plan:
        raise line.refuse(
            "maximum", "is a cap per person, not a total", f"from {LEAST_MAXIMUM:.0%} of the plan"
        )
    if ratio is not None and abs(ratio - paid / plan) > ROUNDING:
        raise line.refuse("ratio", "is not paid / plan", f"{paid / plan:.4f}")
    start, end = line.month("start"), line.month("end")
    if start is not None and end is not None and end < start:
        raise line.refuse("end", "is before the start", f"from {line.cells['start']}")
    planned, so_far = _by_year(line, "plan", plan), _by_year(line, "paid", paid)
    if len(so_far) > len(planned):
        raise line.refuse(f"paid_{len(planned) + 1}", "has no plan for the year beside it")
    sector = line.text("sector")
    return Project(
        line.text("project"), sector, plan, paid, claims, start, end, line.truth("ended"), planned, so_far
    )


def _by_year(line: _Line, what: str, total: float) -> tuple[float, ...]:
    """Cumulative amounts by year, from year 1 on without a hole; never falling, never above the total."""
    years = sorted(int(YEARLY.fullmatch(c)[2]) for c in line.cells if c.startswith(f"{what}_"))  # type: ignore[index]
    found: list[float] = []
    for year in years:
        field = f"{what}_{year}"
        value = line.optional(field)
        if value is None:
            continue
        if len(found) != year - 1:
            raise line.refuse(field, "follows a year that is blank", f"{what}_{len(found) + 1} first")
        if found and value < found[-1]:
            raise line.refuse(field, "falls, and is cumulative", f"from {found[-1]:,.0f}")
        if value > total * (1 + 1e-9) + 0.5:
            raise line.refuse(field, f"is above the total in {what}", f"at most {total:,.0f}")
        found.append(value)
    return tuple(found)


def _refuse_twice(lines: Sequence[_Line], key: Callable[[_Line], object], field: str, problem: str) -> None:
    seen: dict[object, int] = {}
    for line in lines:
        if (this := key(line)) in seen:
            raise line.refuse(field, problem, f"once (it stands on line {seen[this]})")
        seen[this] = line.number


# --- what may be right ----------------------------------------------------------------------------


def _flags(lines: Sequence[_Line], projects: Sequence[Project]) -> list[str]:
    """What a person should look at, by line."""
    found: list[str] = []
    paid: dict[float, int] = {}
    for line, one in zip(lines, projects, strict=True):
        maximum = line.optional("maximum")
        if one.paid > 0.0 and one.paid in paid:
            found.append(f"line {line.number}: paid is, to the penny, that of line {paid[one.paid]}")
        paid.setdefault(one.paid, line.number)
        if maximum is not None and one.paid > 1.05 * maximum:
            found.append(f"line {line.number}: paid is above the maximum")
        if maximum is not None and maximum < 0.5 * one.plan:
            found.append(
                f"line {line.number}: the maximum is under half of the plan: was it cut towards events?"
            )
        if one.ratio > 1.5:
            found.append(f"line {line.number}: paid is over 1.5 times the plan: is it the plan of the whole?")
        if one.paid == 0.0:
            found.append(f"line {line.number}: nothing was paid")
    if running := sum(one.ended is False for one in projects):
        found.append(f"{running} of {len(projects)} had not ended: what was paid may not be all")
    return found
