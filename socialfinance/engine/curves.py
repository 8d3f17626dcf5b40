"""What pictures need of a run beyond its measures: whole distributions, and money over time.

Small tidy rows beside the measures, never among them:

- quantiles at ``LEVELS`` of what guarantors pay and of what investors and note holders get;
- quantiles at ``FAN`` of each public body's net cost by financial year;
- each public body's expected net cost by financial year under what its deals are held against;
- the expected cash position of investors and note holders by quarter: the J-curve.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from socialfinance.engine.accumulate import AGAINST, Kept
from socialfinance.engine.ready import ReadyPortfolio
from socialfinance.measures.figure import Figure
from socialfinance.measures.paths import Key
from socialfinance.measures.statistics import flows_of
from socialfinance.results.result import CurveRow

LEVELS = (*(step / 100 for step in range(100)), 0.995, 0.999, 1.0)
"""Levels of the quantiles that stand for a distribution; those at nil and one are its ends."""
FAN = (0.05, 0.25, 0.5, 0.75, 0.95)
INVESTED = ("irr", "multiple")
SHOWN = ("deal", "fund")
"""Scopes whose distributions are kept."""


def curve_rows(ready: ReadyPortfolio, kept: Kept) -> Iterator[CurveRow]:
    """Every curve of a run, in order of their keys."""
    for key in kept.keys:
        if key.scope == "council" and key.measure == "net_cost" and key.financial_year:
            yield from _quantiles(key, kept.figure(key), FAN)
        elif key.scope in SHOWN and not key.financial_year:
            if key.measure in INVESTED or (key.role == "guarantor" and key.measure == "calls"):
                yield from _quantiles(key, _as_ranked(key, kept), LEVELS)
            if key.measure == "irr":
                yield from _so_far(key, kept)
    yield from _otherwise(ready, kept)


def _as_ranked(key: Key, kept: Kept) -> Figure:
    """A figure; of an IRR with a total loss at -1, as its quantiles have it."""
    figure = kept.figure(key)
    if key.measure != "irr":
        return figure
    return figure.ranked(kept.figure(key._replace(measure="irr_status", unit="code")))


def _quantiles(key: Key, figure: Figure, levels: tuple[float, ...]) -> Iterator[CurveRow]:
    if figure.there == 0.0:
        return
    for level, (value, error) in zip(levels, figure.quantiles(levels), strict=True):
        yield CurveRow(*key[:6], "level", level, value, error, key.unit)


def _so_far(key: Key, kept: Kept) -> Iterator[CurveRow]:
    """Expected cash so far: mean over paths of the net flows up to each quarter, pounds."""
    sums = np.cumsum(kept.rows[flows_of(key)], axis=1)
    mean, error = kept.sample.mean_of_groups(sums, kept.paths)
    about = (*key[:5], "net_so_far", "quarter")
    for row in range(len(mean)):
        known = None if np.isnan(error[row]) else float(error[row])
        yield CurveRow(*about, float(row), float(mean[row]), known, "pounds")


def _otherwise(ready: ReadyPortfolio, kept: Kept) -> Iterator[CurveRow]:
    """Net cost by year of each public body under each thing that all of its deals are held against."""
    years = ready.calendar.financial_years
    for key, (sums, squares) in sorted(kept.flows.items(), key=lambda one: one[0]):
        if key.reason != AGAINST or not _held_in_all(ready, key.payer, key.payee):
            continue
        mean, error = kept.sample.mean_of_units(sums, squares, kept.paths)
        for i, year in enumerate(years):
            yield CurveRow(
                "council", "", key.payer, key.payee, year, "net_cost", "year", float(i), float(mean[i]),
                float(error[i]), "pounds",
            )  # fmt: skip


def _held_in_all(ready: ReadyPortfolio, party: str, structure: str) -> bool:
    """Whether every deal in which a party has a part is held against this."""
    theirs = [d for d in ready.deals if any(party == one for filled in d.roles.values() for one, _ in filled)]
    return bool(theirs) and all(structure in (other.name for other in d.comparators) for d in theirs)
