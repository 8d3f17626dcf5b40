"""How a run spreads its futures on purpose: which dimensions, in which order, in how many sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
from socialfinance.scenarios.points import COMMON, Names, Noticed, Paths, Points, Tilt, density_of

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
"""Paths from which bad times are learnt: plain ones, then half of them in bad times as learnt so far."""
MIXED_PILOTS = (4096, 8192)
"""The same where a fund meets deals in mixes: of fewer paths there are as many futures."""
WORLD, MIXES = 4, 4
"""Paths that share what is common, at most, and mixes of their deals: means gain nothing from more."""
BAD_WORLD, BAD_MIXES = 8, 8
"""The same where bad times are asked for, which hang more on which deals meet."""
SHARED = 1.0
"""Times a figure's variance that what is common may come to, at most, by being shared."""
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

    def samples(self, paths: int) -> tuple[Sample, Sample]:
        """What the first ``paths`` paths stand for, and the futures that a fund meets of them, mix by mix."""
        size, mixes = self.points.size, self.points.mixes
        sets = np.arange(paths, dtype=np.uint64).reshape(-1, size)
        weights = np.concatenate([self.points.mixed_weights(one) for one in sets], axis=1)
        member = np.arange(paths) // size
        whole = InSets(weights[0], member, len(sets))
        return whole, InSets(weights.ravel(), np.tile(member, mixes), len(sets))

    def told(self) -> dict[str, object]:
        """What a reader of the result should know of it."""
        mixed = {"paths_in_a_world": self.points.world, "mixes": self.points.mixes}
        return {
            "sampling": "auto",
            "randomised_sets": self.paths // self.points.size,
            "paths_in_a_set": self.points.size,
            "dimensions": len(self.points.place),
            "bad_times": self.tail,
            "tilted": [" ".join(part for part in names if part) for names in self.points.tilts],
            "pilot_paths": self.pilot,
            **(mixed if self.points.mixes > 1 else {}),
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
    futures are then drawn where it is at its worst. Who is in several deals meets them in mixes, unless the
    tail of one deal is asked for. What matters, and what makes bad times, is learnt from pilots of points of
    their own. InputError where there is no such figure, or no such times.
    """
    size, sets = sizes(paths)
    bad = None if tail is None else named(tail, "tail")
    mixed = _can_be_mixed(ready) and (bad is None or bad.deal == "")
    most, mixes = (WORLD, MIXES) if bad is None else (BAD_WORLD, BAD_MIXES)
    first = PILOT if bad is None else (MIXED_PILOTS if mixed else TAIL_PILOTS)[0]

    def points(count: int, order: Iterable[Names], tilts: Mapping[Names, Tilt] | None = None) -> Points:
        return Points(seed, count, by_owner(ready, order), tilts, world, mixes if world > 1 else 1)

    world = most if mixed else 1
    pilot = points(first, streams(ready))
    figures = _pilot_figures(ready, pilot, seed)
    order = _by_weight(pilot, _watched(_as_drawn(figures)))
    if bad is None:
        world = _world(_largest(figures), most)
        return Spread(points(size, order), size * sets, "", first)
    values = figures[bad.among(figures, "tail")[0]]
    tilts = _tilts(pilot, values)
    if not tilts:
        raise InputError(
            "has no worst futures that anything drawn once a path brings about", field="tail", given=tail,
            allowed="a figure that does, or none",
        )  # fmt: skip
    q = np.quantile(values, 1.0 - WORST, method="inverted_cdf")
    world = _world(np.maximum(values - q, 0.0), most)
    second = (MIXED_PILOTS if world > 1 else TAIL_PILOTS)[1]
    pilot = points(second, order, tilts)
    again = _pilot_figures(ready, pilot, seed)
    tilts = _tilts(pilot, again[bad.among(again, "tail")[0]]) or tilts
    return Spread(points(size, order, tilts), size * sets, bad.text, first + second)


def _can_be_mixed(ready: ReadyPortfolio) -> bool:
    """Whether there are deals to mix, and no policy, which would have all of them run again in every mix."""
    policy = ready.fund is not None and ready.fund.policy is not None
    return not policy and len({deal.draws for deal in ready.deals}) > 1


def _largest(figures: Mapping[Key, Array]) -> Array:
    """Of net present values and net costs that are mixed, the one that varies most; nothing, if none is."""
    mixed = [figures[key] for key in sorted(figures) if key.measure in ("npv", "net_cost")]
    return max((one for one in mixed if one.ndim > 1), key=lambda one: float(one.var()), default=np.zeros(0))


def _world(values: Array, most: int) -> int:
    """How many paths should share what is common: fewer, the more of a figure hangs on that.

    Sharing among k has a mean meet 1 / k as many draws of what is common: k times its part of the variance.
    Two futures of a world and mix have that in common and no more, so that part is their covariance.
    """
    if values.ndim == 1:
        return 1
    apart = (values - values.mean()).reshape(-1, most)
    pairs = apart.sum(axis=1) ** 2 - np.sum(apart * apart, axis=1)
    common = float(pairs.mean()) / (most * (most - 1)) / max(float(values.var()), 1e-300)
    world = 1
    while world < most and 2 * world * common <= SHARED:
        world *= 2
    return world


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


def by_owner(ready: ReadyPortfolio, names: Iterable[Names]) -> dict[str, list[Names]]:
    """Streams common to several deals, and each deal's own; in each the order that is given.

    A deal's own are those drawn under its name, and of common factors the scores that move no other deal.
    Nothing is common to one deal.
    """
    groups: dict[str, list[Names]] = {COMMON: [], **{deal.draws: [] for deal in ready.deals}}
    rest = ready.deals[0].draws if len(groups) == 2 else COMMON
    owner: dict[Names, str] = {
        ("factors", factor, group): deal.draws
        for deal in ready.deals
        for factor, group in deal.own_factors.items()
    }
    for one in names:
        groups[owner.get(one, one[0] if one[0] in groups else rest)].append(one)
    return groups


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
    return {key: np.concatenate(parts, axis=-1) for key, parts in found.items()}


def _as_drawn(figures: Mapping[Key, Array]) -> dict[Key, Array]:
    """Figures by path, of the first mix where there are several."""
    return {key: values if values.ndim == 1 else values[0] for key, values in figures.items()}


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
    among what is common. Weight: the largest share of a figure's variance that lies between the means of
    ``STEPS`` equal steps of the stream, its first-order effect.
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

    The worst are those that stand for a share ``WORST`` of all futures, by the pilot's weights. A path whose
    draws several of them have counts once, with the weight of all.
    """
    paths = _pilot_paths(pilot)
    weights, bad = (pilot.mixed_weights(paths) if bad.ndim > 1 else pilot.weights(paths)).ravel(), bad.ravel()
    order = np.argsort(-bad, kind="stable")
    reached = np.cumsum(weights[order])
    worst = order[: max(int(np.searchsorted(reached, WORST * reached[-1], side="right")), 1)]
    drew: dict[str, tuple[Paths, Array]] = {}
    found: list[tuple[float, Names, Tilt]] = []
    for names in pilot.place:
        owner = pilot.whose[names]
        if owner not in drew:
            shared = pilot.common(paths) if owner == COMMON else paths
            own, place = np.unique(pilot.mixed(owner, shared).ravel()[worst], return_inverse=True)
            drew[owner] = own, np.asarray(np.bincount(place, weights[worst]), dtype=float)
        drawn_there = pilot.uniforms(names, drew[owner][0])
        assert drawn_there is not None
        tilt, distance = density_of(drawn_there, drew[owner][1])
        if distance > FAR:
            found.append((-distance, names, tilt))
    return {names: tilt for _, names, tilt in sorted(found, key=lambda one: one[:2])[:MOST_TILTED]}
