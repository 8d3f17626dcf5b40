"""Futures spread on purpose: randomised Sobol points for what is drawn once a path, half in bad times.

What moves whole deals (common factors, shocks, indices, a deal's success, cost and failure) takes its
uniforms from a low-discrepancy sequence, and so does most of the course of what is drawn row by row: price
indices, people who come, how many of them succeed in all. Paths come in sets of equal size. Each set is the
same sequence randomised anew (Matousek's linear scramble and a digital shift), so sets are independent and
alike, and the spread between them is an honest standard error.

What is paid often hangs on a sum: of referrals, take-up and success, or of an effect and the error with
which it is measured. A sequence spreads one dimension far better than what hangs on three together. So some
streams' scores may be turned: they are spread along directions (``Turn``), sums of scores with the same law
(linear transformation: Imai, J. and Tan, K. S. (2006), "A general dimension reduction technique for
derivative pricing", Journal of Computational Finance 10(2)).

A sequence spreads few dimensions together far better than hundreds. What is common to several deals is one
sequence, therefore, and each deal's own another, shuffled so that none knows of the others: what hangs on
several of a deal's dimensions together is spread as if the deal stood alone (Latin supercube sampling: Owen,
A. B. (1998), "Latin supercube sampling for very high-dimensional simulations", ACM TOMACS 8(1)).

Where bad times are asked for, the second half of every set draws some dimensions from a density g other than
uniform. Both halves together are a sample from (1 + g) / 2, so every path has the weight 2 / (1 + g): at most
2, whatever g is, so that means stay sound (a defensive mixture: Hesterberg, T. (1995), "Weighted average
importance sampling and defensive mixture distributions", Technometrics 37(2)).

Given what is common, deals know nothing of each other. So where a fund's bad times are asked for, paths in a
row share what is common (a world), and the fund meets the deals of a world in several mixes: every mix is a
sample of futures as good as the first, and costs no more than the fund's own waterfall. What hangs on several
deals' luck at once is so averaged over many meetings of the same deals (conditional expectation over what is
each deal's own, by a sample of its permutations: an incomplete U-statistic, Blom, G. (1976), "Some properties
of incomplete U-statistics", Biometrika 63(3)).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from socialfinance.scenarios.keys import key

Array = NDArray[np.float64]
Paths = NDArray[np.uint64]
Names = tuple[str, ...]
"""What a stream is called, without its seed."""

COMMON = ""
"""Whose a stream is that several deals draw."""
EDGES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 1.0)
"""Between these a density of bad times is level."""
PROCESS, ARRIVALS, PEOPLE = 8, 3, 1
"""Uniforms a path that decide the course of a process, of people who come, and of how many succeed."""
HELD = 16_384
"""Points of each dimension kept at once, about: whole sets, as a block of paths may touch several."""
MIDDLE = 2.0**-31
"""Half of the last of the sequence's 30 bits: no uniform is 0 or 1."""


class Tilt(NamedTuple):
    """A density on (0, 1), level between ``EDGES``."""

    heights: tuple[float, ...]
    """one an interval; they integrate to 1"""

    def quantile(self, u: Array) -> Array:
        """Uniforms in, draws from the density out: its inverse distribution function."""
        reached = np.concatenate([[0.0], np.cumsum(np.diff(EDGES) * self.heights)])
        reached[-1] = 1.0
        return np.interp(u, reached, EDGES)

    def density(self, u: Array) -> Array:
        """The height at each draw."""
        place = np.searchsorted(EDGES, u, side="left") - 1
        return np.asarray(self.heights)[np.clip(place, 0, len(self.heights) - 1)]


class Turn(NamedTuple):
    """Streams of one owner whose scores z are spread along directions.

    With A orthonormal A z are scores too. They are drawn evenly, and the streams are Phi(z): all keep their
    law.
    """

    streams: tuple[Names, ...]
    towards: tuple[tuple[float, ...], ...]
    """A ``(direction, stream)``"""

    def dimensions(self, whose: str) -> tuple[Names, ...]:
        """What the directions are called: they stand in for the streams."""
        return tuple((whose, f"direction {i + 1}") for i in range(len(self.towards)))

    def directions(self, u: Sequence[Array]) -> list[Array]:
        """Uniforms of the streams in, of the directions out."""
        return _turned(u, self.towards)

    def back(self, u: Sequence[Array]) -> list[Array]:
        """Uniforms of the directions in, of the streams out."""
        return _turned(u, tuple(zip(*self.towards, strict=True)))


def _turned(u: Sequence[Array], towards: Sequence[Sequence[float]]) -> list[Array]:
    """Phi of sums of scores, which are added in their order: the same bits on any processor."""
    from scipy.special import ndtr, ndtri

    z, found = ndtri(np.asarray(u)), []
    for direction in towards:
        total: Array = np.zeros(z.shape[1])
        for score, share in zip(z, direction, strict=True):
            if share != 0.0:
                total = total + share * score
        found.append(np.clip(ndtr(total), MIDDLE**2, 1.0 - 2.0**-53))
    return found


class Serves(Protocol):
    """Gives the uniforms of some streams in place of the streams themselves."""

    def uniforms(self, names: Names, paths: Paths) -> Array | None:
        """The uniforms ``(path,)`` of a stream; None where it is not served."""
        ...

    def weights(self, paths: Paths) -> Array:
        """For how much each path stands, ``(path,)``; 1 on average."""
        ...

    @property
    def mixes(self) -> int:
        """Mixes of deals in which a fund meets the paths."""
        ...

    def common(self, paths: Paths) -> Paths:
        """The paths whose draws of what is common each path has."""
        ...

    def mixed(self, whose: str, paths: Paths) -> Paths:
        """By mix the path on which a fund meets a deal that draws under this name, ``(mix, path)``."""
        ...


class Unmixed:
    """Every path has its own of everything, and a fund meets its deals as they were drawn."""

    mixes = 1

    def common(self, paths: Paths) -> Paths:
        """Their own."""
        return paths

    def mixed(self, whose: str, paths: Paths) -> Paths:
        """As drawn."""
        return paths[None]


class Points:
    """The points of a run, in sets of ``size`` paths (a power of 2).

    ``groups`` are their dimensions, by whose they are: the name under which a deal draws, or ``COMMON``. Each
    is a stream they serve, or a direction of ``turns``, which are by owner too. Those of a group are spread
    together, those that matter most first. From ``tilts``, by dimension, the second half of each set is
    drawn; without any, all paths stand for as much. ``world`` paths in a row (a power of 2) share what is
    common to several deals, and a fund meets the deals of a world in ``mixes`` mixes.
    """

    def __init__(
        self,
        seed: int,
        size: int,
        groups: Mapping[str, Sequence[Names]],
        tilts: Mapping[Names, Tilt] | None = None,
        world: int = 1,
        mixes: int = 1,
        turns: Mapping[str, Turn] | None = None,
    ) -> None:
        self.seed, self.size, self.tilts, self.turns = seed, size, dict(tilts or {}), dict(turns or {})
        self.world, self.mixes, self.groups = world, mixes, dict(groups)
        self.whose = {name: whose for whose, names in self.groups.items() for name in names}
        turned = [name for turn in self.turns.values() for name in turn.streams]
        self.place = {name: i for i, name in enumerate([*self.whose, *turned])}
        self._tables: dict[int, Array] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_tables": {}}

    def uniforms(self, names: Names, paths: Paths) -> Array | None:
        """The uniforms ``(path,)`` of a stream or a dimension; None where it is none of the points'."""
        if names not in self.place:
            return None
        member, index = np.divmod(paths.astype(np.int64), self.size)
        drawn = np.empty(len(paths))
        for one in np.unique(member):
            here = member == one
            drawn[here] = self._table(int(one))[self.place[names]][index[here]]
        return drawn

    def common(self, paths: Paths) -> Paths:
        """The first path of each path's world."""
        return paths - paths % np.uint64(self.world)

    def mixed(self, whose: str, paths: Paths) -> Paths:
        """Within each world every mix but the first has a deal's paths in an order by chance of its own.

        What is common stays where it is.
        """
        found = np.repeat(paths[None], self.mixes, axis=0)
        if self.mixes == 1 or whose == COMMON:
            return found
        member, index = np.divmod(paths.astype(np.int64), self.size)
        for one in np.unique(member):
            here = np.flatnonzero(member == one)
            orders = self._orders(whose, int(one))[:, index[here]]
            found[1:, here] = (one * self.size + orders).astype(np.uint64)
        return found

    def weights(self, paths: Paths) -> Array:
        """2 / (1 + g) by path, with g the product of its dimensions' densities; 1 without tilts."""
        density = np.ones(len(paths))
        for g in self._densities(paths).values():
            density *= g
        weights: Array = 2.0 / (1.0 + density)
        return weights

    def mixed_weights(self, paths: Paths) -> Array:
        """The same of the futures that a fund meets, ``(mix, path)``. Paths are those of whole worlds."""
        density = np.ones((self.mixes, len(paths)))
        for whose, g in self._densities(paths).items():
            density *= g[places(self.mixed(whose, paths), paths)]
        weights: Array = 2.0 / (1.0 + density)
        return weights

    def _densities(self, paths: Paths) -> dict[str, Array]:
        """By whose draws they are, the product ``(path,)`` of their dimensions' densities."""
        own: dict[str, Array] = {}
        for names, tilt in self.tilts.items():
            drawn = self.uniforms(names, paths)
            assert drawn is not None
            whose = self.whose[names]
            own[whose] = own.get(whose, 1.0) * tilt.density(drawn)
        return own

    def _orders(self, whose: str, member: int) -> NDArray[np.int64]:
        """Where each path of a set has a deal from, in every mix but the first: ``(mix - 1, path)``."""
        worlds = np.arange(self.size).reshape(-1, self.world)
        source = np.random.default_rng(key(self.seed, "mixes", whose, member))
        mixes = [source.permuted(worlds, axis=1).ravel() for _ in range(self.mixes - 1)]
        return np.stack(mixes).astype(np.int64)

    def _table(self, member: int) -> Array:
        """The points of one set: its dimensions, then the streams that are turned, ``(name, path)``."""
        if member not in self._tables:
            while self._tables and (len(self._tables) + 1) * self.size > HELD:
                self._tables.pop(next(iter(self._tables)))
            source = np.random.default_rng(key(self.seed, "points", member))
            made = [self._spread(whose, source) for whose, names in self.groups.items() if names]
            drawn = np.ascontiguousarray(np.concatenate(made, axis=1).T) + MIDDLE
            for names, tilt in self.tilts.items():
                bad = drawn[self.place[names], self.size // 2 :]
                bad[:] = tilt.quantile(bad)
            turned = [
                turn.back([drawn[self.place[one]] for one in turn.dimensions(whose)])
                for whose, turn in self.turns.items()
            ]
            self._tables[member] = np.concatenate([drawn, *turned])
        return self._tables[member]

    def _spread(self, whose: str, source: np.random.Generator) -> Array:
        """A group's points ``(path, dimension)``: one a path, or of what is common one a world."""
        each, dimensions = self.world if whose == COMMON else 1, len(self.groups[whose])
        made: Array = np.repeat(_shuffled(dimensions, self.size // each, source), each, axis=0)
        return made


def places(numbers: Paths, paths: Paths) -> NDArray[np.int64]:
    """Where numbers stand among ``paths``, which follow one another."""
    found: NDArray[np.int64] = (numbers - paths[0]).astype(np.int64)
    return found


def _shuffled(dimensions: int, size: int, source: np.random.Generator) -> Array:
    """A randomised sequence ``(path, dimension)``; each half of it, itself one, in an order by chance."""
    from scipy.stats.qmc import Sobol

    made: Array = Sobol(dimensions, scramble=True, rng=source).random(size)
    halves = made.reshape(2, size // 2, dimensions)
    return np.concatenate([source.permutation(half) for half in halves])


class Noticed(Unmixed):
    """Serves no stream, and notes which were asked for, in order."""

    def __init__(self) -> None:
        self.asked: dict[Names, None] = {}

    def uniforms(self, names: Names, paths: Paths) -> None:
        """None; the stream is noted."""
        self.asked[names] = None

    def weights(self, paths: Paths) -> Array:
        """1 each."""
        return np.ones(len(paths))


def course(served: Callable[..., Array | None], name: str, count: int) -> list[Array]:
    """The uniforms that decide the course of a series, its sum first; none where points serve none."""
    found = [served(name, f"course {i}") for i in range(1, count + 1)]
    return [one for one in found if one is not None]


def as_series(u: Array, served: Sequence[Array], planned: Sequence[float]) -> Array:
    """Uniforms ``(row, path)`` of the same law, of whose scores some uniforms a path decide the course.

    With z the scores and w_k orthonormal directions over the rows: z + sum of w_k (Phi^-1(served_k) - w_k z).
    The first direction is the planned amounts, so that it decides the sum; the next are planned amounts times
    cosines, early against late, and so on. What is left to the rows' own luck is the rest of their course.
    """
    from scipy.special import ndtr, ndtri

    rows = [row for row, amount in enumerate(planned) if amount != 0.0]
    if not rows or not served:
        return u
    towards = _directions(np.asarray(planned, dtype=float)[rows], len(served))
    z, spread = ndtri(u[rows]), u.copy()
    off = [ndtri(one) - _weighted(z, w) for one, w in zip(served, towards, strict=False)]
    for i, row in enumerate(rows):
        moved = z[i]
        for w, score in zip(towards, off, strict=True):
            moved = moved + w[i] * score
        spread[row] = np.clip(ndtr(moved), MIDDLE**2, 1.0 - 2.0**-53)
    return spread


def _directions(planned: Array, count: int) -> Array:
    """Orthonormal ``(direction, row)``: the planned amounts, and times cosines of ever more turns."""
    middle = (np.arange(len(planned)) + 0.5) / len(planned)
    turns = np.cos(np.pi * np.arange(min(count, len(planned))) * middle[:, None])
    found, signs = np.linalg.qr(planned[:, None] * turns)
    towards: Array = (found * np.sign(np.diag(signs))).T
    return towards


def _weighted(z: Array, weights: Array) -> Array:
    """Sum over rows of weight x score, in their order whatever the width."""
    total: Array = np.zeros(z.shape[1])
    for one, weight in zip(z, weights, strict=True):
        total = total + weight * one
    return total


def as_first(u: Array, chances: Sequence[float] | Array, first: Array) -> Array:
    """Uniforms ``(event, path)`` of the same law, of which one a path decides which event comes first.

    Events stand in order, and each comes where its uniform is under its chance p. The first is the k-th with
    the chance p_k x product of (1 - p_i) over i < k, so k is the least number with 1 - product of (1 - p_i)
    over i <= k at least ``first``. Events before it are spread over [p, 1), itself over [0, p), by their own
    uniforms; those after it are left alone. What is left of ``first`` in its interval is not used.
    """
    p = np.asarray(chances, dtype=float)
    k, spread = np.searchsorted(1.0 - np.cumprod(1.0 - p), first), u.copy()
    for event in np.flatnonzero(p):
        before, here = k > event, k == event
        spread[event, before] = p[event] + (1.0 - p[event]) * u[event, before]
        spread[event, here] = p[event] * u[event, here]
    return spread


def density_of(u: Array, weights: Array, even: float = 16.0) -> tuple[Tilt, float]:
    """The density from which weighted draws ``u`` look drawn, and how far they are from uniform.

    Heights are shares of the draws over widths, as if ``even`` more draws had been spread evenly:
    cross-entropy's answer among products of level densities (Rubinstein, R. Y. and Kroese, D. P. (2004), *The
    Cross-Entropy Method*). The distance is chi-squared less its degrees of freedom, over the standard
    deviation that it would have by chance. Draws of weights w count as (sum of w)^2 / (sum of w^2).
    """
    width = np.diff(EDGES)
    share = np.histogram(u, EDGES, weights=weights)[0] / weights.sum()
    count = weights.sum() ** 2 / np.sum(weights**2)
    free = len(width) - 1
    distance = float((count * np.sum((share - width) ** 2 / width) - free) / np.sqrt(2 * free))
    heights = (count * share + even * width) / (count + even) / width
    return Tilt(tuple(float(one) for one in heights)), distance
