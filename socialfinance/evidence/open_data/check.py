"""Checks a publication: what cannot be true is an error, what is seldom true a warning.

Most checks stand for a mistake that was made in a real dataset (INDIGO Impact Bond Dataset, Government
Outcomes Lab, May 2025 vintage): a cap per person recorded as the project's total, an end before the start,
a payment shared by two projects, prices shifted by one metric, a plan that covers part of the contract, names
of currencies, metrics labelled alike, per cents among fractions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from socialfinance.evidence.open_data.across import ACROSS
from socialfinance.evidence.open_data.known import IDENTITY, Checks
from socialfinance.evidence.open_data.read import Finding, Read, parse
from socialfinance.evidence.open_data.tables import Row

REFERENCES: dict[str, tuple[str, tuple[str, ...]]] = {
    "organisation_id": ("organisations", ("organisation_id",)),
    "payer_organisation_id": ("organisations", ("payer_organisation_id",)),
    "recipient_organisation_id": ("organisations", ("recipient_organisation_id",)),
    "outcome_metric_id": ("outcome_metrics", ("project_id", "outcome_metric_id")),
    "follows": ("outcome_metrics", ("project_id", "follows")),
    "plan_version": ("plan_versions", ("project_id", "plan_version")),
    "project_id": ("projects", ("project_id",)),
}
"""By column, the table it refers to and what must be found there."""
ORDER: dict[str, tuple[tuple[str, str], ...]] = {
    "projects": (
        ("start_date_of_service_provision", "anticipated_end_date_of_service_provision"),
        ("start_date_of_service_provision", "actual_end_date_of_service_provision"),
        ("start_date_of_service_provision", "anticipated_completion_date"),
    ),
    "plan_versions": (("covers_from", "covers_to"),),
    "results": (("period_start_date", "period_end_date"),),
    "outcome_payments": (("period_start_date", "period_end_date"),),
}
"""By table, days that must not come before others."""


def check(path: str | Path, threshold: int | None = None) -> tuple[Finding, ...]:
    """All that is wrong with a publication, errors first, in the order of the tables.

    With ``threshold``, counts under it (nil apart) that are shown are warned of. Raises InputError where
    there is nothing to read.
    """
    return check_read(parse(path), threshold)


def check_read(read: Read, threshold: int | None = None) -> tuple[Finding, ...]:
    """The same for a publication that was read."""
    checks = Checks(read, threshold)
    found = [*read.findings]
    broken = {finding.file for finding in read.findings if not finding.warning}
    found += _rows(checks, complete=not broken)
    if all(finding.warning for finding in found):  # what hangs together can be judged only where all is there
        for one in ACROSS:
            found += one(checks)
    return tuple(sorted(found, key=lambda finding: finding.warning))


def _rows(checks: Checks, complete: bool) -> Iterator[Finding]:
    """Ids that stand twice, dates out of order; and, of complete tables, references that lead nowhere."""
    for table in IDENTITY:
        seen: set[tuple[Any, ...]] = set()
        for number, row in checks.numbered(table):
            key = tuple(getattr(row, name) for name in IDENTITY[table])
            if key in seen:
                column = IDENTITY[table][-1] if len(key) < 4 else None
                yield checks.say(table, number, column, "stands twice", _named(key),
                               f"one row for each {', '.join(IDENTITY[table])}")  # fmt: skip
            seen.add(key)
            for first, last in ORDER.get(table, ()):
                yield from _in_order(checks, table, number, row, first, last)
            if complete:
                yield from _refers(checks, table, number, row)


def _in_order(checks: Checks, table: str, number: int, row: Row, first: str, last: str) -> Iterator[Finding]:
    start, end = getattr(row, first), getattr(row, last)
    if start is not None and end is not None and end < start:
        yield checks.say(table, number, last, f"is before {first}", end, f"{start} or later")


def _refers(checks: Checks, table: str, number: int, row: Row) -> Iterator[Finding]:
    own = IDENTITY[table][-1]
    for column, (target, names) in REFERENCES.items():
        value = getattr(row, column, None)
        if value is None or (target == table and column == own):
            continue
        key = tuple(getattr(row, name) for name in names)
        if key not in checks.keys[target]:
            yield checks.say(table, number, column, f"names nothing in {target}", value,
                           _some(one[-1] for one in checks.keys[target] if one[:-1] == key[:-1]))  # fmt: skip


def _named(key: tuple[Any, ...]) -> str:
    return ", ".join(str(part) for part in key if part is not None)


def _some(names: Iterable[str], most: int = 6) -> str:
    """A few names, for a message."""
    found = sorted(names)
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return (", ".join(found[:most]) + more) or "none there"
