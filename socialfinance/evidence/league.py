"""League tables that say what they do not know: rates shrunk to their sector, ranks with intervals.

Users n_i and successes x_i of each provider i of a sector:

    x_i ~ Binomial(n_i, p_i),   p_i ~ Beta(m f, (1 - m) f),   f = 1 / s^2 - 1

m is the sector's mean, s^2 the intra-provider correlation: the standard deviation between providers is
s sqrt(m (1 - m)), s a share of the most it can be. m and s are uniform on (0, 1) before the data, and
integrated out over a grid of their posterior, so that few providers leave s, and all that hangs on it, wide:

    p(m, s | x) ~ product over i of B(m f + x_i, (1 - m) f + n_i - x_i) / B(m f, (1 - m) f)

Given m and s, p_i ~ Beta(m f + x_i, (1 - m) f + n_i - x_i): its mean is w x_i / n_i + (1 - w) m with the
weight w = n_i / (n_i + f). Gelman and others, Bayesian Data Analysis, 3rd edition 2013, section 5.3, with
another prior; ranks after Goldstein and Spiegelhalter, J. R. Statist. Soc. A 159 (1996).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln

from socialfinance.core.errors import InputError
from socialfinance.evidence.outcomes_map import table

Array = NDArray[np.float64]
GRID = 64
"""Points of each of m and s."""
ZOOMS = 4
"""Times the grid is drawn closer around what is left of the posterior."""
NEGLIGIBLE = 1e-7
"""A cell of the grid with less than this share of the greatest weight is left outside the closer grid."""
DRAWS = 20_000
SURE = 0.9
"""A pair's order is certain from this probability on."""
LEAST = 0.5
"""Where fewer of the pairs than this have a certain order, ranks are said to mean nothing."""
FEW = 5
"""Below so many providers the spread between them is hardly known: said on the page."""
MOST_USERS = 10_000_000
MOST_PROVIDERS = 300
ALL = "all"
"""The sector of a table that names none."""


class Record(NamedTuple):
    """One provider's results."""

    provider: str
    users: int
    successes: int


@dataclass(frozen=True)
class Placed:
    """One provider in its sector's table. Rates are fractions; intervals hold 90%."""

    provider: str
    users: int
    successes: int
    raw: float
    mean: float
    """posterior mean of its rate"""
    low: float
    high: float
    weight: float
    """of its own record in the mean; the rest is the sector's"""
    expected_rank: float
    """1 is best"""
    rank_low: int
    rank_high: int
    best: float
    """probability of the highest rate"""
    above_mean: float
    """probability of a rate above the sector's mean"""
    place: int
    """1 + how many are better for certain: several may share it"""


@dataclass(frozen=True)
class Sector:
    """The league table of one sector, best place first."""

    name: str
    mean: float
    """posterior mean of m"""
    mean_low: float
    mean_high: float
    spread: float
    """posterior mean of the standard deviation between providers"""
    spread_low: float
    spread_high: float
    placed: tuple[Placed, ...]
    certain: float
    """share of pairs whose order is certain"""

    @property
    def meaningless(self) -> bool:
        """Whether too few pairs have a certain order for ranks to mean anything."""
        return self.certain < LEAST

    def to_rows(self) -> list[dict[str, Any]]:
        """Tidy: one row a provider, the sector's figures beside it."""
        about = {name: value for name, value in asdict(self).items() if name not in ("name", "placed")}
        about = {"sector": self.name, **{f"sector_{name}": value for name, value in about.items()}}
        ranks = {"ranks_mean_nothing": self.meaningless}
        return [{**about, **ranks, **asdict(one)} for one in self.placed]


class Posterior(NamedTuple):
    """The posterior of a sector's m and s on cells of a grid ``(cell,)``; weights sum to 1."""

    mean: Array
    spread: Array
    """s"""
    weight: Array
    width: tuple[float, float]
    """of a cell, in m and in s"""


# --- the posterior ----------------------------------------------------------------------------------


def posterior(users: Sequence[int], successes: Sequence[int]) -> Posterior:
    """m and s after the data of a sector, on a grid that is drawn closer around where they can be."""
    n, x = np.asarray(users, dtype=float), np.asarray(successes, dtype=float)
    box = ((0.0, 1.0), (0.0, 1.0))
    for zoom in range(ZOOMS + 1):
        m, s = (_middles(low, high) for low, high in box)
        grid_m, grid_s = (one.ravel() for one in np.meshgrid(m, s, indexing="ij"))
        log = _log_likelihood(grid_m, grid_s, n, x)
        weight = np.exp(log - log.max())
        if zoom < ZOOMS:
            kept = (weight > NEGLIGIBLE).reshape(GRID, GRID)
            box = (_closer(box[0], kept.any(axis=1)), _closer(box[1], kept.any(axis=0)))
    width = ((box[0][1] - box[0][0]) / GRID, (box[1][1] - box[1][0]) / GRID)
    return Posterior(grid_m, grid_s, weight / weight.sum(), width)


def _log_likelihood(m: Array, s: Array, n: Array, x: Array) -> Array:
    """Log marginal likelihood by cell: sum over providers of log B(a + x, b + n - x) - log B(a, b)."""
    a, b = _shape(m, s)
    total = np.zeros(len(m))
    for users, successes in zip(n, x, strict=True):
        total += betaln(a + successes, b + users - successes) - betaln(a, b)
    return total


def _shape(m: Array, s: Array) -> tuple[Array, Array]:
    """The Beta's a = m f and b = (1 - m) f, f = 1 / s^2 - 1."""
    f = 1.0 / s**2 - 1.0
    return m * f, (1.0 - m) * f


def _middles(low: float, high: float) -> Array:
    return low + (high - low) * (np.arange(GRID) + 0.5) / GRID


def _closer(ends: tuple[float, float], kept: NDArray[np.bool_]) -> tuple[float, float]:
    """The ends of what is kept, a cell more either side."""
    low, high = ends
    at = np.flatnonzero(kept)
    width = (high - low) / GRID
    return max(low, low + (at[0] - 1) * width), min(high, low + (at[-1] + 2) * width)


def means_and_weights(known: Posterior, users: Array, successes: Array) -> tuple[Array, Array]:
    """Posterior mean of each rate, and the weight of its own record, integrated over m and s."""
    f = 1.0 / known.spread**2 - 1.0
    means = [known.weight @ ((known.mean * f + x) / (f + n)) for n, x in zip(users, successes, strict=True)]
    weights = [known.weight @ (n / (n + f)) for n in users]
    return np.array(means), np.array(weights)


def drawn(
    known: Posterior, users: Array, successes: Array, draws: int, seed: int
) -> tuple[Array, Array, Array]:
    """Draws of m, of s ``(draw,)`` and of the providers' rates ``(provider, draw)``.

    A cell by its weight, a point anywhere in it, then each rate from its Beta.
    """
    random = np.random.default_rng(seed)
    cell = random.choice(len(known.weight), size=draws, p=known.weight)
    m = _inside(known.mean[cell] + known.width[0] * (random.random(draws) - 0.5))
    s = _inside(known.spread[cell] + known.width[1] * (random.random(draws) - 0.5))
    a, b = _shape(m, s)
    rates = [random.beta(a + x, b + n - x) for n, x in zip(users, successes, strict=True)]
    return m, s, np.array(rates)


def _inside(x: Array) -> Array:
    return np.clip(x, 1e-9, 1.0 - 1e-9)


# --- the table --------------------------------------------------------------------------------------


def league(
    sectors: Mapping[str, Sequence[Record]], draws: int = DRAWS, seed: int = 1, sure: float = SURE
) -> list[Sector]:
    """The league table of each sector, which is a population of its own.

    Ranks are of ``draws`` joint draws of all rates, with a fixed ``seed``. InputError for a sector of fewer
    than two providers.
    """
    for name, records in sectors.items():
        if len(records) < 2:
            raise InputError("has one provider alone: nobody to be ranked with", field="sector", given=name,
                             allowed="two providers or more")  # fmt: skip
    return [_sector(name, records, draws, seed, sure) for name, records in sectors.items()]


def _sector(name: str, records: Sequence[Record], draws: int, seed: int, sure: float) -> Sector:
    users = np.array([one.users for one in records], dtype=float)
    successes = np.array([one.successes for one in records], dtype=float)
    known = posterior([one.users for one in records], [one.successes for one in records])
    means, weights = means_and_weights(known, users, successes)
    m, s, rates = drawn(known, users, successes, draws, seed)
    order = np.argsort(np.argsort(-rates, axis=0, kind="stable"), axis=0, kind="stable") + 1
    better = pairwise(rates)
    low, high = np.quantile(rates, (0.05, 0.95), axis=1)
    first, last = (np.quantile(order, q, axis=1, method="inverted_cdf") for q in (0.05, 0.95))
    placed = [
        Placed(
            *one, one.successes / one.users, float(means[i]), float(low[i]), float(high[i]),
            float(weights[i]), float(order[i].mean()), int(first[i]), int(last[i]),
            float(np.mean(order[i] == 1)), float(np.mean(rates[i] > m)),
            1 + int(np.sum(better[:, i] >= sure)),
        )
        for i, one in enumerate(records)
    ]  # fmt: skip
    placed.sort(key=lambda one: (one.place, -one.low, one.provider))
    spread = s * np.sqrt(m * (1.0 - m))
    return Sector(
        name, float(m.mean()), *_interval(m), float(spread.mean()), *_interval(spread), tuple(placed),
        certain_pairs(better, sure),
    )  # fmt: skip


def pairwise(rates: Array) -> Array:
    """``(provider, provider)``: probability that the first has the higher rate."""
    return np.array([np.mean(one > rates, axis=1) for one in rates])


def certain_pairs(better: Array, sure: float = SURE) -> float:
    """Share of pairs of which one is better with probability ``sure`` or more."""
    i, j = np.triu_indices(len(better), 1)
    return float(np.mean(np.maximum(better[i, j], better[j, i]) >= sure))


def _interval(values: Array) -> tuple[float, float]:
    low, high = np.quantile(values, (0.05, 0.95))
    return float(low), float(high)


# --- the file ---------------------------------------------------------------------------------------


def read_league(text: str, file: str, by: str = "provider") -> dict[str, list[Record]]:
    """A table of results by sector: columns provider, users, successes and, optional, programme, sector.

    One row for each provider, or for each of its programmes; ``by="provider"`` adds up a provider's
    programmes, ``by="programme"`` a programme's providers. InputError with file, line, column, what was
    given and what is allowed.
    """
    if by not in ("provider", "programme"):
        raise InputError("is nothing to rank", field="by", given=by, allowed="provider, programme")
    found: dict[str, dict[str, Record]] = {}
    seen: set[tuple[str, ...]] = set()
    rows = table(text, file, ("provider", "users", "successes"), ("programme", "sector"))
    for line, row in rows:
        users, successes = _numbers(row, file, line)
        name = _name(row, by, file, line)
        _name(row, "provider", file, line)
        about = (row.get("sector", ""), row.get("programme", ""), row["provider"])
        if about in seen:
            raise InputError("stands twice: one row for each provider, or for each of its programmes",
                             file=file, line=line, field="provider", given=row["provider"])  # fmt: skip
        seen.add(about)
        sector = found.setdefault(row.get("sector", "") or ALL, {})
        before = sector.get(name, Record(name, 0, 0))
        sector[name] = Record(name, before.users + users, before.successes + successes)
    if not found:
        raise InputError("has no rows", file=file, allowed="a row for each provider")
    return {sector: _checked(sector, list(records.values()), file) for sector, records in found.items()}


def _checked(sector: str, records: list[Record], file: str) -> list[Record]:
    if not 2 <= len(records) <= MOST_PROVIDERS:
        problem = "has nobody to be ranked with" if len(records) < 2 else "has too many to be ranked"
        raise InputError(
            f"the sector {problem}",
            file=file,
            field="sector",
            given=f"{sector}: {len(records)}",
            allowed=f"2 to {MOST_PROVIDERS} rows of a sector",
        )
    return records


def _numbers(row: Mapping[str, str], file: str, line: int) -> tuple[int, int]:
    users = _whole(row, "users", 1, file, line)
    successes = _whole(row, "successes", 0, file, line)
    if successes > users:
        raise InputError("is more than the users", file=file, line=line, field="successes", given=successes,
                         allowed=f"0 to {users}")  # fmt: skip
    return users, successes


def _whole(row: Mapping[str, str], column: str, least: int, file: str, line: int) -> int:
    written, allowed = row[column], f"a whole number, {least} to {MOST_USERS}"
    if not written:
        raise InputError("is empty", file=file, line=line, field=column, allowed=allowed)
    if not (written.isascii() and written.removeprefix("-").isdigit()):
        problem = "is no whole number"
        raise InputError(problem, file=file, line=line, field=column, given=written, allowed=allowed)
    value = int(written) if len(written) <= 12 else MOST_USERS + 1
    if not least <= value <= MOST_USERS:
        raise InputError(
            "is out of range", file=file, line=line, field=column, given=written, allowed=allowed
        )
    return value


def _name(row: Mapping[str, str], column: str, file: str, line: int) -> str:
    name = row.get(column)
    if name is None:
        raise InputError("is missing: there is nothing else to rank by", file=file, line=1, field=column)
    if not name:
        raise InputError("is empty", file=file, line=line, field=column)
    return name
