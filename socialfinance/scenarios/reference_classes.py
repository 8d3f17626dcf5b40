"""What classes of real projects achieved over their target, or were paid over their plan; shrunk by size.

The table is of aggregates (GO Lab, University of Oxford, INDIGO Impact Bond Dataset, May 2025): volunteered
by projects, not audited [unverified], and small, so a sector is drawn towards all sectors.
"""

from __future__ import annotations

import csv
from functools import lru_cache
from importlib.resources import files
from typing import Literal, NamedTuple

Measure = Literal["achieved", "paid"]
Stage = Literal["all", "engagement", "outcome", "sustained outcome"]
Sector = Literal[
    "all", "child and family welfare", "criminal justice", "education", "employment and training", "health",
    "homelessness", "homelessness and criminal justice",
]  # fmt: skip
"""Sectors of the data. Where a cell would have fewer than three projects it is not there."""

MEASURES: dict[Measure, str] = {"achieved": "achieved / target", "paid": "paid / original plan, whole life"}
BY_PROJECT: dict[Measure, str] = {
    "achieved": "achieved / target, project mean", "paid": "paid / original plan, whole life",
}  # fmt: skip
"""The measure with one figure a project, from which the shrinkage is worked out."""
SCOPES: dict[tuple[Measure, bool], str] = {
    ("achieved", False): "UK, metrics with target >= 10",
    ("achieved", True): "LCF finished projects, metrics with target >= 10",
    ("paid", False): "LCF, 26 projects with coherent plans",
    ("paid", True): "LCF, 15 finished projects",
}
"""Which projects, by measure and whether only finished ones."""


class Cell(NamedTuple):
    """A row of the table; ratios are fractions of the plan."""

    measure: str
    scope: str
    sector: str
    stage: str
    projects: int | None
    n: int
    n_counts: str
    """what n counts: projects, metrics, pairs"""
    mean: float | None
    sd: float | None
    p10: float | None
    p25: float | None
    median: float | None
    p75: float | None
    p90: float | None
    source: str


class Ratio(NamedTuple):
    """Achieved over plan in a class, for the next project of it."""

    mean: float
    sd: float
    weight: float
    """share of the mean that comes from the class itself, the rest from all sectors"""
    sector: str
    """the class that was found: all, where the one asked for is not there"""
    asked: str
    whole_mean: float
    """all sectors: mean"""
    whole_sd: float
    """all sectors: sd for the next project"""
    n: int
    n_counts: str
    projects: int
    source: str

    @property
    def fell_back(self) -> bool:
        """Whether the class asked for has too few projects to be there."""
        return self.sector != self.asked

    @property
    def said(self) -> str:
        """The data in a few words: ``41 metrics, 7 projects``."""
        return (
            f"{self.n} {self.n_counts}, {self.projects} projects"
            if self.n_counts != "projects"
            else f"{self.n} projects"
        )


@lru_cache(maxsize=1)
def table() -> tuple[Cell, ...]:
    """Every row of the shipped table."""
    text = (files("socialfinance.scenarios") / "data" / "reference_classes.csv").read_text("utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return tuple(_cell(row) for row in rows)


def _cell(row: dict[str, str]) -> Cell:
    numbers = {name: float(row[name]) if row[name] else None
               for name in ("mean", "sd", "p10", "p25", "median", "p75", "p90")}  # fmt: skip
    words = {name: row[name] for name in ("measure", "scope", "sector", "stage", "n_counts", "source")}
    projects = int(row["projects"]) if row["projects"] else None
    return Cell(**words, **numbers, projects=projects, n=int(row["n"]))  # type: ignore[arg-type]


def facts(measure: str) -> dict[str, Cell]:
    """The rows of one measure over all sectors, by stage: a timing profile, the months of a common shock."""
    return {cell.stage: cell for cell in table() if cell.measure == measure and cell.sector == "all"}


@lru_cache(maxsize=8)
def shrinkage(measure: Measure) -> float:
    """How many projects all other sectors together count for: k = variance within sectors / between them.

    By one-way analysis of variance over the sectors' project counts n, means m and sds s:
    within = Σ (n - 1) s² / Σ (n - 1), between = (Σ n (m - grand)² / (sectors - 1) - within) / n0 with
    n0 = (N - Σ n² / N) / (sectors - 1). Infinite where sectors differ no more than chance.
    """
    cells = [
        cell for cell in table()
        if cell.measure == BY_PROJECT[measure] and cell.scope == SCOPES[measure, False]
        and cell.sector != "all"
    ]  # fmt: skip
    sizes = [cell.n for cell in cells]
    means, sds = [cell.mean or 0.0 for cell in cells], [cell.sd or 0.0 for cell in cells]
    total, groups = sum(sizes), len(cells) - 1
    grand = sum(n * m for n, m in zip(sizes, means, strict=True)) / total
    within = sum((n - 1) * s**2 for n, s in zip(sizes, sds, strict=True)) / (total - len(cells))
    across = sum(n * (m - grand) ** 2 for n, m in zip(sizes, means, strict=True)) / groups
    between = (across - within) / ((total - sum(n**2 for n in sizes) / total) / groups)
    return within / between if between > 0 else float("inf")


@lru_cache(maxsize=256)
def ratio(measure: Measure, sector: str, stage: str, finished: bool) -> Ratio:
    """What the next project of a class achieves over its plan, as mean and sd.

    The class has mean m and sd s over n projects, all sectors m0 and s0; with k of :func:`shrinkage`

        weight w = n / (n + k);   mean = w m + (1 - w) m0;   v = w s² + (1 - w) s0²;
        sd = √(v (1 + 1 / (n + k))): one project's spread, and what is not known of the class's mean.

    All sectors, and a class that is not in the table (fewer than three projects): m0 and s0, k = 0; the
    class itself then has no weight. KeyError where even all sectors have no such stage.
    """
    whole = _found(measure, "all", stage, finished)
    if whole is None:
        raise KeyError((measure, stage))
    own = _found(measure, sector, stage, finished) or whole
    whole_mean, whole_spread, whole_n = _numbers(whole)
    mean, spread, n = _numbers(own)
    k = 0.0 if own is whole else shrinkage(measure)
    weight = n / (n + k)
    variance = weight * spread**2 + (1 - weight) * whole_spread**2
    return Ratio(
        mean=weight * mean + (1 - weight) * whole_mean, sd=(variance * (1 + 1 / (n + k))) ** 0.5,
        weight=weight if own.sector == sector else 0.0, sector=own.sector, asked=sector,
        whole_mean=whole_mean,
        whole_sd=whole_spread * (1 + 1 / whole_n) ** 0.5,
        n=own.n, n_counts=own.n_counts, projects=n, source=own.source,
    )  # fmt: skip


def _found(measure: Measure, sector: str, stage: str, finished: bool) -> Cell | None:
    key = (MEASURES[measure], SCOPES[measure, finished], sector, stage)
    return next((c for c in table() if (c.measure, c.scope, c.sector, c.stage) == key), None)


def _numbers(cell: Cell) -> tuple[float, float, int]:
    """Mean, sd, projects."""
    assert cell.mean is not None
    assert cell.sd is not None
    assert cell.projects is not None
    return cell.mean, cell.sd, cell.projects
