"""Figures of a fund's notes and of its money over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from socialfinance.measures.sample import EQUAL, Sample

Array = NDArray[np.float64]


def note_figures(drawn: Array, loss: Array) -> dict[str, tuple[str, Array]]:
    """Of one note by path: loss as a share of what was drawn; NaN where nothing was."""
    return {
        "loss_rate": ("fraction", np.divide(loss, drawn, out=np.full(loss.shape, np.nan), where=drawn > 0))
    }


def at_year_ends(rows: Array, year_of_row: Sequence[int]) -> Array:
    """``(row, path)`` balances at the last row of each financial year, ``(year, path)``."""
    last = {year: row for row, year in enumerate(year_of_row)}
    return np.stack([rows[last[year]] for year in range(max(year_of_row) + 1)])


def held_against(paid: Array, back: Array, annual: Sequence[float]) -> Array:
    """Kaplan and Schoar's public market equivalent: FV of distributions / FV of contributions in the index.

    ``paid`` and ``back`` are ``(row, path)``; ``annual`` is the index's return in each year from row 0, the
    last going on. Above 1 the fund did better than the same money in the index. Kaplan, S. N. and Schoar, A.
    (2005), "Private equity performance", Journal of Finance 60(4). NaN where nothing was paid in.
    """
    level = index_levels(annual, len(paid))
    grown_paid, grown_back = np.zeros(paid.shape[1]), np.zeros(paid.shape[1])
    for row in range(len(paid)):
        to_end = level[-1] / level[row]
        grown_paid += paid[row] * to_end
        grown_back += back[row] * to_end
    missing = np.full(grown_paid.shape, np.nan)
    ratio: Array = np.divide(grown_back, grown_paid, out=missing, where=grown_paid > 0)
    return ratio


def index_levels(annual: Sequence[float], rows: int) -> list[float]:
    """Level by row, 1 at row 0: (1 + return of the row's year)^(1/4) a quarter."""
    level = [1.0]
    for row in range(1, rows):
        year = min((row - 1) // 4, len(annual) - 1)
        level.append(level[-1] * (1.0 + annual[year]) ** 0.25)
    return level


def tail_contributions(
    gains: Array, worst: float, sample: Sample = EQUAL
) -> tuple[list[float], list[float], float]:
    """By deal its part of the fund's mean loss in the ``worst`` share of futures, and its standard error.

    ``gains`` is ``(deal, path)``. Euler: contribution = mean of -gain over the futures in which the sum of
    gains is among the worst; they sum to the expected shortfall, the third value returned.
    """
    total = np.zeros(gains.shape[1])
    for row in gains:
        total += row
    chosen = sample.worst(total, worst)
    there = sample.on(chosen)
    parts = [there.mean(-row[chosen]) for row in gains]
    return [mean for mean, _ in parts], [error or 0.0 for _, error in parts], -there.mean(total[chosen])[0]
