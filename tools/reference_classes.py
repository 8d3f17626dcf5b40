"""Write the shipped table of reference classes: what classes of real projects achieved over their plan.

``python tools/reference_classes.py SUMMARY.csv`` reads a table of aggregates (a row a cell: measure, scope,
sector, stage, projects, n, n_counts, mean, sd, p10, p25, median, p75, p90, source) and writes
``socialfinance/scenarios/data/reference_classes.csv``. It keeps what is an honest prior (ratios to the first
plan or target), leaves out cells of fewer than three projects, and adds the facts below, each with its
source. No row is one project's.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import sys
from pathlib import Path
from typing import NamedTuple

from socialfinance.core.errors import InputError
from socialfinance.io.write import write_text

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "socialfinance" / "scenarios" / "data" / "reference_classes.csv"
COLUMNS = ("measure", "scope", "sector", "stage", "projects", "n", "n_counts", "mean", "sd",
           "p10", "p25", "median", "p75", "p90", "source")  # fmt: skip
KEPT = ("achieved / target", "achieved / target, project mean", "paid / original plan, whole life")
"""Not kept: ratios to the latest plan or the largest payment, which were often cut towards events."""
FEWEST = 3
"""Projects in a cell."""
FEWEST_FOR_PERCENTILES = 5
"""Of three, mean, sd and median together would give each project away."""
PERCENTILES = ("p10", "p25", "median", "p75", "p90")
INDIGO = "GO Lab (University of Oxford), INDIGO Impact Bond Dataset, May 2025 vintage; computed"
PAID = "LCF, 26 projects with coherent plans"
UK = "UK, metrics with target >= 10"


class Fact(NamedTuple):
    """A figure that stands in no cell of the summary."""

    measure: str
    scope: str
    stage: str
    n: int
    n_counts: str
    mean: float | None = None
    sd: float | None = None
    median: float | None = None
    p25: float | None = None
    source: str = INDIGO


def _by_eighth(measure: str, medians: tuple[float, ...], p25: tuple[float, ...] = ()) -> list[Fact]:
    """One fact for each eighth of the horizon."""
    return [
        Fact(measure, PAID, f"{i + 1}/8", 26, "projects", median=one, p25=p25[i] if p25 else None)
        for i, one in enumerate(medians)
    ]


EXCEPT = "achieved / target, engagement left out"
FACTS = [
    Fact("paid under half of original plan, share of projects", PAID, "all", 26, "projects", 3 / 26),
    Fact("log of paid / original plan, whole life", PAID, "all", 26, "projects", -0.24, 0.46),
    Fact(f"{EXCEPT}: correlation of two metrics of one project", UK, "all", 91, "metrics", 0.37),
    Fact(f"{EXCEPT}: variance between projects", UK, "all", 91, "metrics", 0.07),
    Fact(f"{EXCEPT}: variance within a project", UK, "all", 91, "metrics", 0.12),
    Fact("home at 18 months over assessed", "Fair Chance Fund", "all", 7, "projects", 1025 / 1855, 0.07),
    Fact("half-year paid / plan, claims left out", PAID, "2020 first half", 26, "projects", median=0.33),
    Fact("half-year paid / plan, claims left out", PAID, "2020 second half", 26, "projects", median=0.37),
    Fact("half-year paid / plan, claims left out", PAID, "2021 first half", 26, "projects", median=0.92),
    Fact("correlation of two projects' half-years", "LCF", "with 2020-21", 288, "pairs", 0.13),
    Fact("correlation of two projects' half-years", "LCF", "without 2020-21", 203, "pairs", 0.02),
    *_by_eighth("planned cumulative payment", (0.02, 0.12, 0.26, 0.41, 0.57, 0.75, 0.88, 1.0)),
    *_by_eighth("actual / plan, cumulative", (0.71, 0.97, 0.99, 0.97, 0.99, 1.0, 0.93, 0.9),
                (0.0, 0.61, 0.64, 0.75, 0.73, 0.79, 0.81, 0.79)),
]  # fmt: skip
"""Delivery failure, dependence, the common shock of 2020-21, and when payments fall (eighths of the life)."""


def cells(content: bytes, file: str) -> list[dict[str, str]]:
    """The cells of a summary that are kept. InputError where a column is missing or a number is none."""
    rows = csv.DictReader(io.StringIO(content.decode("utf-8")))
    for column in COLUMNS:
        if column not in (rows.fieldnames or ()):
            raise InputError("has no such column", file=file, line=1, field=column)
    kept = []
    for row in rows:
        if row["measure"] not in KEPT:
            continue
        try:
            projects, _, _ = int(row["projects"]), float(row["mean"]), float(row["sd"])
        except ValueError as error:
            raise InputError(f"is no number: {error}", file=file, line=rows.line_num) from None
        if not row["source"]:
            raise InputError("is missing", file=file, line=rows.line_num, field="source")
        if projects >= FEWEST:
            few = dict.fromkeys(PERCENTILES, "") if projects < FEWEST_FOR_PERCENTILES else {}
            kept.append({column: row[column] for column in COLUMNS} | few | {"sector": row["sector"].lower()})
    return kept


def table(content: bytes, name: str) -> str:
    """The table as text: where it comes from, then cells, then facts."""
    out = io.StringIO()
    out.write(
        "# Reference classes: what classes of real projects achieved over target and were paid over plan.\n"
        f"# Aggregates only: no cell of fewer than {FEWEST} projects, no percentiles of fewer than "
        f"{FEWEST_FOR_PERCENTILES}. Made by\n# `python tools/reference_classes.py` from\n"
        f"# {name}, sha256 {hashlib.sha256(content).hexdigest()},\n"
        "# and from the facts in that tool.\n"
    )
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(cells(content, name))
    for fact in FACTS:
        given = {key: value for key, value in fact._asdict().items() if value is not None}
        numbers = {key: f"{value:.4g}" for key, value in given.items() if isinstance(value, float)}
        writer.writerow({"sector": "all", **given, **numbers})
    return out.getvalue()


def main(arguments: list[str] | None = None) -> int:
    """Write the table; 2 for bad input."""
    parser = argparse.ArgumentParser(description="Write the shipped table of reference classes.")
    parser.add_argument("summary", type=Path, metavar="SUMMARY.csv")
    parser.add_argument("--to", type=Path, default=TABLE, metavar="FILE", help="default: the shipped table")
    options = parser.parse_args(arguments)
    try:
        content = options.summary.read_bytes()
        write_text(options.to, table(content, options.summary.name))
    except OSError as error:
        print(f"{options.summary}: {error.strerror}", file=sys.stderr)
        return 2
    except (InputError, UnicodeDecodeError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
