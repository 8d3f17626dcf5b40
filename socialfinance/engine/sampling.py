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
from socialfinance.scenarios.points import COMMON, Names, Noticed, Paths, Points, Tilt, Turn, density_of

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
"""Paths that share what is common, at most, and mixes of their deals.

With 2 a fund's net present value gained a sixth more, and calls and far quantiles of loss a third less.
"""
BAD_WORLD, BAD_MIXES = 8, 8
"""The same where bad times are asked for, which hang more on which deals meet."""
SHARED = 1.0
"""Times a figure's variance that what is common may come to, at most, by being shared."""
WORST = 0.03
"""Share of the pilot's futures that are bad times."""
SEEN = 4.0
"""Standard deviations of chance by which a moment must be off nil to count."""
CHANCES = ("first", "failure", "failure size")
"""Ends of names of streams that decide whether something happens: their edge is spread best alone."""
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
            "dimensions": len(self.points.whose),
            "turned": sum(len(turn.streams) for turn in self.points.turns.values()),
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
        return Points(seed, count, by_owner(ready, order), tilts, world, mixes if world > 1 else 1, turns)

    world, turns = most if mixed else 1, dict[str, Turn]()
    pilot = points(first, streams(ready))
    figures = _pilot_figures(ready, pilot, seed)
    watched = _watched_by(ready, pilot, _as_drawn(figures))
    turns = _turns(pilot, watched)
    seen = Along(pilot, turns)
    order = _by_weight(seen, watched)
    if bad is None:
        world = _world(_largest(figures), most)
        return Spread(points(size, order), size * sets, "", first)
    values = figures[bad.among(figures, "tail")[0]]
    tilts = _tilts(seen, values)
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
    tilts = _tilts(Along(pilot, {}), again[bad.among(again, "tail")[0]]) or tilts
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


def _watched_by(ready: ReadyPortfolio, pilot: Points, figures: Mapping[Key, Array]) -> dict[str, list[Array]]:
    """By owner of dimensions the figures that its dimensions should explain, as scores: mean nil, variance 1.

    Of a deal's own dimensions the deal's own figures, which no other deal blurs; of what is common, what is
    asked of a run most.
    """
    found = {COMMON: _watched(figures)}
    for deal in ready.deals:
        mine = [figures[key] for key in sorted(figures) if key.deal == deal.name and _is_own(key)]
        found[deal.draws] = found.get(deal.draws, []) + mine
    return {
        whose: [(y - y.mean()) / y.std() for y in every if y.std() > 0.0]
        for whose, every in found.items()
        if pilot.groups[whose]
    }


def _is_own(key: Key) -> bool:
    own = (("investor", "npv"), ("public", "net_cost"), ("guarantor", "calls"))
    return key.scope == "deal" and (key.role, key.measure) in own


class Along:
    """A pilot's draws by dimension: its own, but directions in place of streams that are to be turned."""

    def __init__(self, pilot: Points, turns: Mapping[str, Turn]) -> None:
        self.pilot, self.turns = pilot, turns
        turned = {one for turn in turns.values() for one in turn.streams}
        self.whose = {names: whose for names, whose in pilot.whose.items() if names not in turned}
        self.whose |= {one: whose for whose, turn in turns.items() for one in turn.dimensions(whose)}

    def of(self, whose: str, paths: Paths) -> dict[Names, Array]:
        """Uniforms ``(path,)`` of an owner's dimensions."""
        names = [one for one, other in self.whose.items() if other == whose and one in self.pilot.place]
        found = {one: _served(self.pilot, one, paths) for one in names}
        turn = self.turns.get(whose)
        if turn is not None:
            along = turn.directions([_served(self.pilot, one, paths) for one in turn.streams])
            found |= zip(turn.dimensions(whose), along, strict=True)
        return found


def _served(pilot: Points, names: Names, paths: Paths) -> Array:
    u = pilot.uniforms(names, paths)
    assert u is not None
    return u


def _turns(pilot: Points, watched: Mapping[str, list[Array]]) -> dict[str, Turn]:
    """By deal the directions in which its own streams' scores move its figures, most first.

    Over the pilot, with y a figure and z the scores, b = E[y z] and H = E[y (z z' - 1)] are the mean gradient
    and the mean Hessian (Stein's lemma; principal Hessian directions: Li, K.-C. (1992), JASA 87(420)). The
    directions are the eigenvectors of the sum over figures of b b' + H H', the mean outer product of the
    gradient as far as it is linear in z. Moments within ``SEEN`` standard deviations of chance are nil, and
    a stream of which all are nil is spread alone; so is every chance, and what is common, in which every deal
    has directions of its own.
    """
    from scipy.special import ndtri

    found: dict[str, Turn] = {}
    paths = _pilot_paths(pilot)
    for whose in sorted(watched.keys() - {COMMON}):
        streams = [names for names in pilot.groups[whose] if names[-1] not in CHANCES]
        z = ndtri(np.array([_served(pilot, names, paths) for names in streams]).reshape(-1, len(paths)))
        moment = np.zeros((len(z), len(z)))
        for y in watched[whose]:
            moment += _gradients(z, y)
        moved = np.flatnonzero(np.diag(moment))
        if len(moved) > 1:
            _, towards = np.linalg.eigh(moment[np.ix_(moved, moved)])
            rows = (np.where(abs(one.min()) > one.max(), -1.0, 1.0) * one for one in towards.T[::-1])
            found[whose] = Turn(tuple(streams[i] for i in moved), tuple(tuple(row.tolist()) for row in rows))
    return found


def _gradients(z: Array, y: Array) -> Array:
    """b b' + H H' of a figure ``(path,)`` of variance 1 over scores ``(stream, path)``. On one thread."""
    count = len(y)
    chance = SEEN / np.sqrt(count)
    b = np.einsum("ip,p->i", z, y) / count
    h = np.einsum("ip,jp,p->ij", z, z, y) / count
    b[np.abs(b) < chance] = 0.0
    h[np.abs(h) < chance * np.where(np.eye(len(z)) > 0.0, np.sqrt(2.0), 1.0)] = 0.0
    found: Array = np.outer(b, b) + np.einsum("ik,jk->ij", h, h)
    return found


def _by_weight(seen: Along, watched: Mapping[str, list[Array]]) -> tuple[Names, ...]:
    """The dimensions, those first that explain most of any figure watched over the pilot.

    Low dimensions of a Sobol sequence are spread best together; their order counts among those of a deal, and
    among what is common. Weight: the largest share of a figure's variance that lies between the means of
    ``STEPS`` equal steps of the dimension, its first-order effect.
    """
    weight: dict[Names, float] = {}
    for whose, scores in watched.items():
        for names, u in seen.of(whose, _pilot_paths(seen.pilot)).items():
            step = np.minimum((u * STEPS).astype(np.intp), STEPS - 1)
            weight[names] = max((_between(step, score) for score in scores), default=0.0)
    return tuple(sorted(weight, key=lambda names: -weight[names]))


def _between(step: NDArray[np.intp], score: Array) -> float:
    """Mean square of a score's means by step. Summed in order: the same on any number of threads."""
    means = np.bincount(step, score, STEPS) / np.bincount(step, minlength=STEPS)
    return float(np.mean(means**2))


def _tilts(seen: Along, bad: Array) -> dict[Names, Tilt]:
    """Densities of the dimensions that look least uniform in the worst futures of the pilot.

    The worst are those that stand for a share ``WORST`` of all futures, by the pilot's weights. A path whose
    draws several of them have counts once, with the weight of all.
    """
    pilot = seen.pilot
    paths = _pilot_paths(pilot)
    weights, bad = (pilot.mixed_weights(paths) if bad.ndim > 1 else pilot.weights(paths)).ravel(), bad.ravel()
    order = np.argsort(-bad, kind="stable")
    reached = np.cumsum(weights[order])
    worst = order[: max(int(np.searchsorted(reached, WORST * reached[-1], side="right")), 1)]
    found: list[tuple[float, Names, Tilt]] = []
    for owner in dict.fromkeys(seen.whose.values()):
        shared = pilot.common(paths) if owner == COMMON else paths
        drew, place = np.unique(pilot.mixed(owner, shared).ravel()[worst], return_inverse=True)
        counted = np.asarray(np.bincount(place, weights[worst]), dtype=float)
        for names, u in seen.of(owner, drew).items():
            tilt, distance = density_of(u, counted)
            if distance > FAR:
                found.append((-distance, names, tilt))
    return {names: tilt for _, names, tilt in sorted(found, key=lambda one: one[:2])[:MOST_TILTED]}
