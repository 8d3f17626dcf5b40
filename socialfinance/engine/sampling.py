"""How a run spreads its futures on purpose: which dimensions, in which order, in how many sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from socialfinance.core.errors import InputError
from socialfinance.engine.block import run_block
from socialfinance.engine.deal import own_draws
from socialfinance.engine.keep import named
from socialfinance.engine.ready import ReadyPortfolio, drawn, futures_of
from socialfinance.measures.paths import Key
from socialfinance.measures.sample import InSets, Sample
from socialfinance.scenarios.points import Names, Noticed, Paths, Points, Tilt, density_of

Array = NDArray[np.float64]
Sampling = Literal["plain", "auto"]

SETS = 24
"""The least number of randomised sets, so that the spread between them says something of an error."""
SMALLEST = 256
"""Paths in the smallest set: a unit of paths."""
PILOT = 4096
"""Futures from which it is learnt which dimensions matter."""
ASIDE = 2**40
"""The first of the pilots' futures: far from those of any run, so that no future of a run was learnt from."""
STEPS = 8
"""Equal steps of a dimension between which figures are held against each other."""
TAIL_PILOTS = (8192, 16_384)
"""Futures from which bad times are learnt: plain ones, then half of them in bad times as learnt so far."""
WORST = 0.03
"""Share of the pilot's futures that are bad times."""
FAR = 4.0
"""Standard deviations of chance by which a dimension must be off uniform in bad times to be tilted."""
MOST_TILTED = 32
"""Dimensions that are tilted, at most: those furthest off. Each adds to the spread of weights."""


class Spread(NamedTuple):
    """Points on purpose: the points, how many paths, and what is called a bad time."""

    points: Points
    paths: int
    tail: str
    """the figure whose worst futures are drawn more often; empty where nothing is tilted"""
    pilot: int
    """futures that were run to learn them"""

    def sample(self, paths: int) -> Sample:
        """What the first ``paths`` futures stand for."""
        numbers = np.arange(paths, dtype=np.uint64)
        member = numbers.astype(np.int64) // self.points.size
        return InSets(self.points.weights(numbers), member, paths // self.points.size)

    def told(self) -> dict[str, object]:
        """What a reader of the result should know of it."""
        return {
            "sampling": "auto",
            "randomised_sets": self.paths // self.points.size,
            "paths_in_a_set": self.points.size,
            "dimensions": len(self.points.place),
            "bad_times": self.tail,
            "tilted": [" ".join(part for part in names if part) for names in self.points.tilts],
            "pilot_paths": self.pilot,
        }


def sizes(paths: int) -> tuple[int, int]:
    """Paths in a set, the largest power of 2 that leaves ``SETS`` of them, and the number of sets."""
    least = SETS * SMALLEST
    if paths < least:
        raise InputError(
            "too few paths to spread them on purpose", field="paths", given=paths,
            allowed=f"{least:,} or more under sampling 'auto'",
        )  # fmt: skip
    size = 2 ** int(np.log2(paths // SETS))
    return size, -(-paths // size)


def whole_sets(paths: int) -> int:
    """Paths of a run that was asked for so many: all of its sets are whole."""
    size, sets = sizes(paths)
    return size * sets


def spread(ready: ReadyPortfolio, seed: int, paths: int, tail: str | None = None) -> Spread:
    """Points for ``paths`` futures (rounded up to whole sets), in the order in which their dimensions matter.

    ``tail`` names a figure by path, ``[deal:]who.measure``, whose worst values are its highest: half of the
    futures are then drawn where it is at its worst. What matters, and what makes bad times, is learnt from
    pilots of points of their own. InputError where there is no such figure, or no such times.
    """
    size, sets = sizes(paths)
    bad = None if tail is None else named(tail, "tail")
    pilots = (PILOT,) if bad is None else TAIL_PILOTS
    deals = {deal.name for deal in ready.deals}
    points = Points(seed, pilots[0], _by_deal(streams(ready), deals))
    figures = _pilot_figures(ready, points, seed)
    order = _by_deal(_by_weight(points, _watched(figures)), deals)
    if bad is None:
        return Spread(Points(seed, size, order), size * sets, "", PILOT)
    key = bad.among(figures, "tail")[0]
    tilts = _tilts(points, figures[key])
    if not tilts:
        raise InputError(
            "has no worst futures that anything drawn once a path brings about", field="tail", given=tail,
            allowed="a figure that does, or none",
        )  # fmt: skip
    for count in pilots[1:]:
        points = Points(seed, count, order, tilts)
        tilts = _tilts(points, _pilot_figures(ready, points, seed)[key]) or tilts
    return Spread(Points(seed, size, order, tilts), size * sets, bad.text, sum(pilots))


def streams(ready: ReadyPortfolio) -> tuple[Names, ...]:
    """Every stream that is drawn once a path, in the order in which a run asks for them."""
    noticed, path = Noticed(), np.zeros(1, dtype=np.uint64)
    watched = replace(ready, points=noticed)
    common = watched.common(0, path)
    for deal in ready.deals:
        futures = futures_of(deal, drawn(deal, common, 0, path), common)
        varied = () if deal.varied is None else (deal.varied,)
        for structure in (deal.own, *varied, *deal.comparators):
            own_draws(structure.lowered, futures.source, futures.rows)
    return tuple(noticed.asked)


def _by_deal(names: Sequence[Names], deals: Set[str]) -> list[list[Names]]:
    """What is common to all deals together, and each deal's own; in each the order that is given."""
    groups: dict[str, list[Names]] = {}
    for one in names:
        groups.setdefault(one[0] if one[0] in deals else "", []).append(one)
    return list(groups.values())


def _pilot_paths(points: Points) -> Paths:
    """One set of points, set aside."""
    return np.arange(ASIDE, ASIDE + points.size, dtype=np.uint64)


def _pilot_figures(ready: ReadyPortfolio, points: Points, seed: int) -> Mapping[Key, Array]:
    """Figures for life by path over the pilot's futures."""
    spread_out, found = replace(ready, points=points), dict[Key, list[Array]]()
    for first in range(0, points.size, PILOT):
        block = run_block(spread_out, seed, ASIDE + first, min(PILOT, points.size - first), compare=False)
        for key, values in block.figures.items():
            if key.financial_year == "" and key.scope in ("deal", "fund", "council"):
                found.setdefault(key, []).append(values)
    return {key: np.concatenate(parts) for key, parts in found.items()}


def _watched(figures: Mapping[Key, Array]) -> list[Array]:
    """What is asked of a run most, by path.

    What public bodies pay net, together and each; what those who finance and stand behind the deals lose in
    all; and of the fund itself, what everybody gets of it and is called for.
    """
    costs = [key for key in figures if key.measure == "net_cost" and key.scope == "council"]
    calls = [key for key in figures if _of_deals(key, "guarantor", "calls")]
    gains = [key for key in figures if _of_deals(key, "investor", "gain")]
    own = [key for key in figures if key.scope == "fund" and key.measure in ("npv", "calls")]
    totals = [_total(figures, costs), _total(figures, calls) - _total(figures, gains)]
    return totals + [figures[key] for key in sorted([*costs, *own])]


def _of_deals(key: Key, role: str, measure: str) -> bool:
    return key.scope == "deal" and key.role == role and key.measure == measure


def _total(figures: Mapping[Key, Array], keys: Iterable[Key]) -> Array:
    total = np.zeros(len(next(iter(figures.values()))))
    for key in sorted(keys):
        total += figures[key]
    return total


def _by_weight(pilot: Points, watched: list[Array]) -> tuple[Names, ...]:
    """The streams, those first that explain most of any watched figure over the pilot.

    Low dimensions of a Sobol sequence are spread best together; their order counts among those of a deal, and
    among what is common to all. Weight: the largest share of a figure's
    variance that lies between the means of ``STEPS`` equal steps of the stream, its first-order effect.
    """
    paths = _pilot_paths(pilot)
    scores = [(y - y.mean()) / y.std() for y in watched if y.std() > 0.0]
    weight: dict[Names, float] = {}
    for names in pilot.place:
        u = pilot.uniforms(names, paths)
        assert u is not None
        step = (u * STEPS).astype(np.intp)
        weight[names] = max((_between(step, score) for score in scores), default=0.0)
    return tuple(sorted(weight, key=lambda names: -weight[names]))


def _between(step: NDArray[np.intp], score: Array) -> float:
    """Mean square of a score's means by step. Summed in order: the same on any number of threads."""
    means = np.bincount(step, score, STEPS) / np.bincount(step, minlength=STEPS)
    return float(np.mean(means**2))


def _tilts(pilot: Points, bad: Array) -> dict[Names, Tilt]:
    """Densities of the dimensions that look least uniform in the worst futures of the pilot.

    The worst are those that stand for a share ``WORST`` of all futures, by the pilot's weights.
    """
    paths = _pilot_paths(pilot)
    order, weights = np.argsort(-bad, kind="stable"), pilot.weights(paths)
    worst = order[: max(int(np.searchsorted(np.cumsum(weights[order]), WORST * len(bad), side="right")), 1)]
    found: list[tuple[float, Names, Tilt]] = []
    for names in pilot.place:
        drawn_there = pilot.uniforms(names, paths[worst])
        assert drawn_there is not None
        tilt, distance = density_of(drawn_there, weights[worst])
        if distance > FAR:
            found.append((-distance, names, tilt))
    return {names: tilt for _, names, tilt in sorted(found, key=lambda one: one[:2])[:MOST_TILTED]}
