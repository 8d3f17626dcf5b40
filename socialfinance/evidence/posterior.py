"""What returns teach about everything that is drawn once in a future: exact where it is, else by particles.

Every such draw is a uniform u of a named stream; its score z = Phi^-1(u) is standard normal before
anything has been returned. Particles (futures) are taken from there to the posterior by tempered sequential
Monte Carlo (Del Moral, P., Doucet, A. and Jasra, A. (2006), "Sequential Monte Carlo samplers", JRSS B 68(3)):
the likelihood enters by powers, 0 = b0 < b1 < ... = 1, each chosen so that half of the particles count
(effective sample size); they are drawn anew by weight, and moved about without leaving their distribution.

A move proposes z' = m + r (z - m) + sqrt(1 - r^2) e with e ~ N(0, C), m and C the particles' own mean and
covariance, and is taken with the chance min(1, pi(z') N(z; m, C) / (pi(z) N(z'; m, C))): the proposal leaves
N(m, C) as it is, so only what the posterior differs from that has to be put right. What is common to deals
(factors, shocks) moves in a block of its own, each deal's own draws in another: given what is common, deals
do not know of each other.

Particles come in sets that are drawn anew within themselves only, so that the spread between sets is a
standard error. A chance with a beta prior of its own that nothing else multiplies is updated in closed form:
beta(a, b) after s of n is beta(a + s, b + n - s).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from socialfinance.core.time import Calendar
from socialfinance.engine.ready import ReadyDeal, ReadyPortfolio, drawn, futures_of
from socialfinance.evidence.likelihood import Seen, log_likelihood
from socialfinance.programmes.people import Programme
from socialfinance.scenarios.common import Common
from socialfinance.scenarios.dependence import CommonShock, GaussianFactor
from socialfinance.scenarios.distributions import Beta, Given
from socialfinance.scenarios.keys import key
from socialfinance.scenarios.pedigree import TrackRecord
from socialfinance.scenarios.points import Names, Noticed, Paths, Unmixed

Array = NDArray[np.float64]

KEPT = 0.5
"""Share of the particles that a step of the likelihood leaves counting."""
MOVES = 3
"""Moves of every block after each step."""
COMMON = "common to deals"
"""The block of what several deals hang on."""
LAST_MOVES = 10
"""After the last."""
WANTED = 0.3
"""Share of proposals that should be taken; the length of a move is changed towards it."""
SERIES = ("sum", "least", "row")
"""Ends of names of streams that stand for many rows: what is to come is left to its own luck."""


class Updated(NamedTuple):
    """A chance updated in closed form."""

    prior: tuple[float, float]
    """a and b"""
    successes: float
    tries: float

    @property
    def posterior(self) -> tuple[float, float]:
        """a + s, b + n - s."""
        return self.prior[0] + self.successes, self.prior[1] + self.tries - self.successes


@dataclass(frozen=True)
class Quality:
    """How well the particles did."""

    steps: int
    """powers of the likelihood"""
    taken: Mapping[str, float]
    """by block: share of proposals taken at the last power"""
    effective: float
    """the least effective sample size over particles before a drawing anew; 1 where there was none"""


class Learnt(Unmixed):
    """Serves the uniforms ``(path,)`` of what was learnt, one particle a path; all count for as much."""

    def __init__(self, drawn_uniforms: Mapping[Names, Array]) -> None:
        self.drawn = dict(drawn_uniforms)

    def uniforms(self, names: Names, paths: Paths) -> Array | None:
        """The uniforms of a stream; None where nothing was learnt of it."""
        found = self.drawn.get(names)
        return None if found is None else found[paths.astype(np.int64)]

    def weights(self, paths: Paths) -> Array:
        """1 each."""
        return np.ones(len(paths))


@dataclass(frozen=True)
class Posterior:
    """What was learnt."""

    learnt: Learnt
    quality: Quality
    exact: Mapping[Names, Updated]
    """by stream: what was updated in closed form"""


@dataclass
class _Block:
    """Streams that move together, and the deals whose returns hang on them."""

    name: str
    streams: list[Names]
    deals: list[int]
    length: float = 0.7
    """sqrt(1 - r^2)"""
    taken: float = field(default=0.0)


def learn(
    ready: ReadyPortfolio, what: Mapping[str, Seen], seed: int, sets: int, size: int, exact: bool = True
) -> Posterior:
    """The posterior of all that is drawn once, from ``sets`` sets of ``size`` particles.

    ``ready`` has no past in place: only its deals' draws are looked at, on the rows that are over. Without
    ``exact`` particles learn what has a closed form too.
    """
    scene = Scene(ready, what, seed, sets * size, exact)
    particles = Particles(scene, sets, size)
    if scene.blocks:
        particles.run()
    uniforms = dict(particles.u)
    exact_source = np.random.default_rng(key(seed, "learnt", "exact"))
    for names, updated in scene.exact.items():
        uniforms[names] = _exact(updated, exact_source, sets * size)
    return Posterior(Learnt(uniforms), particles.quality(), scene.exact)


def _exact(updated: Updated, source: np.random.Generator, count: int) -> Array:
    """Uniforms whose prior quantiles are draws from the closed-form posterior, one in each equal share."""
    from scipy.special import betainc, betaincinv

    spread = (source.permutation(count) + source.random(count)) / count
    values = betaincinv(*updated.posterior, spread)
    return np.clip(betainc(*updated.prior, values), 2.0**-53, 1.0 - 2.0**-53)


class Scene:
    """The deals with returns, on the rows that are over; their blocks; their likelihood."""

    def __init__(
        self, ready: ReadyPortfolio, what: Mapping[str, Seen], seed: int, count: int, exact: bool
    ) -> None:
        self.seed, self.paths = seed, np.arange(count, dtype=np.uint64)
        chosen = [deal for deal in ready.deals if deal.name in what and what[deal.name].past.quarters]
        last = max((one.first_row + len(what[one.name].past.quarters) for one in chosen), default=1)
        calendar = Calendar(ready.calendar.start, last)
        self.deals = [
            replace(one, calendar=Calendar(one.calendar.start, last - one.first_row)) for one in chosen
        ]
        self.seen = [what[one.name] for one in chosen]
        self.ready = replace(ready, calendar=calendar, deals=tuple(self.deals), points=None)
        self.exact: dict[Names, Updated] = {}
        for deal, told in zip(self.deals, self.seen, strict=True):
            self.exact.update(in_closed_form(self.ready, deal, told) if exact else {})
        self.apart = [
            frozenset(names[1] for names in self.exact if names[0] == deal.draws) for deal in self.deals
        ]
        self.blocks = self._blocks()

    def _blocks(self) -> list[_Block]:
        own: dict[str, _Block] = {}
        common: dict[Names, list[int]] = {}
        for i, deal in enumerate(self.deals):
            for names in _asked(self.ready, deal, self.seen[i]):
                if names in self.exact:
                    continue
                if names[0] == deal.draws:
                    block = own.setdefault(deal.draws, _Block(deal.draws, [], []))
                    block.streams += [] if names in block.streams else [names]
                    block.deals += [] if i in block.deals else [i]
                else:
                    common.setdefault(names, []).append(i)
        shared = _Block(COMMON, [], list(range(len(self.deals))))
        for names, deals in common.items():
            homes = {self.deals[i].draws for i in deals}
            home = own.get(homes.pop()) if len(homes) == 1 and _one_place(self.ready, names) else None
            (home or shared).streams.append(names)
        return [block for block in (*own.values(), shared) if block.streams]

    def common(self, uniforms: Mapping[Names, Array]) -> Common:
        """What is common to deals, at these uniforms."""
        return replace(self.ready, points=Learnt(uniforms)).common(self.seed, self.paths)

    def log_likelihood(self, i: int, common: Common, uniforms: Mapping[Names, Array]) -> Array:
        """Of one deal, by particle."""
        deal = self.deals[i]
        source = drawn(deal, common, self.seed, self.paths)
        source.points = Learnt(uniforms)
        futures = futures_of(deal, source, common)
        value = log_likelihood(self.seen[i], futures, self.apart[i])
        return np.broadcast_to(value, self.paths.shape).copy()


class Particles:
    """Scores by stream, moved from before anything was returned to after."""

    def __init__(self, scene: Scene, sets: int, size: int) -> None:
        from scipy.special import ndtri

        self.scene, self.sets, self.size = scene, sets, size
        self.source = np.random.default_rng(key(scene.seed, "learnt", "moves"))
        streams = [names for block in scene.blocks for names in block.streams]
        start = np.random.default_rng(key(scene.seed, "learnt", "start"))
        self.u = {names: start.random(sets * size) for names in streams}
        self.z = {names: ndtri(u) for names, u in self.u.items()}
        self.power, self.steps, self.effective = 0.0, 0, 1.0
        self.common = scene.common(self.u)
        self.log = [scene.log_likelihood(i, self.common, self.u) for i in range(len(scene.deals))]

    def run(self) -> None:
        """All powers of the likelihood, up to one."""
        while self.power < 1.0:
            self._step()
            for _ in range(LAST_MOVES if self.power == 1.0 else MOVES):
                for block in self.scene.blocks:
                    self._move(block)

    def quality(self) -> Quality:
        """How it went."""
        taken = {block.name: block.taken for block in self.scene.blocks}
        return Quality(self.steps, taken, self.effective)

    def _step(self) -> None:
        """The next power, and particles drawn anew by weight within their sets (systematic)."""
        log = np.sum(self.log, axis=0).reshape(self.sets, self.size)
        rise = _rise(log, 1.0 - self.power)
        weights = _weights(log, rise)
        self.effective = min(self.effective, _effective(weights))
        self.power = 1.0 if self.power + rise > 1.0 - 1e-9 else self.power + rise
        self.steps += 1
        places = np.concatenate([self._chosen(weights[s]) + s * self.size for s in range(self.sets)])
        self.z = {names: scores[places] for names, scores in self.z.items()}
        self.u = {names: uniforms[places] for names, uniforms in self.u.items()}
        self.log = [one[places] for one in self.log]
        self.common = self.scene.common(self.u)

    def _chosen(self, weights: Array) -> NDArray[np.int64]:
        """Systematic: one uniform, then evenly spaced."""
        at = (np.arange(self.size) + self.source.random()) / self.size
        return np.minimum(np.searchsorted(np.cumsum(weights), at), self.size - 1)

    def _move(self, block: _Block) -> None:
        """Propose for every particle, take by chance, and set the length of the next move."""
        from scipy.special import ndtr

        now = np.array([self.z[names] for names in block.streams])
        centre, half = _spread_of(now)
        e = half @ self.source.standard_normal(now.shape)
        kept = np.sqrt(1.0 - block.length**2)
        then = centre + kept * (now - centre) + block.length * e
        proposed = np.clip(ndtr(then), 2.0**-53, 1.0 - 2.0**-53)
        uniforms = {**self.u, **dict(zip(block.streams, proposed, strict=True))}
        common = self._common(block, uniforms)
        log = {i: self.scene.log_likelihood(i, common, uniforms) for i in block.deals}
        gain = sum((log[i] - self.log[i] for i in block.deals), np.zeros(now.shape[1]))
        odds = self.power * gain + _log_prior(then) - _log_prior(now)
        odds += _log_fit(now, centre, half) - _log_fit(then, centre, half)
        taken = np.log(self.source.random(now.shape[1])) < odds
        for names, scores, u in zip(block.streams, then, proposed, strict=True):
            self.z[names] = np.where(taken, scores, self.z[names])
            self.u[names] = np.where(taken, u, self.u[names])
        for i in block.deals:
            self.log[i] = np.where(taken, log[i], self.log[i])
        self.common = self._common(block, self.u)
        block.taken = float(taken.mean())
        block.length = float(np.clip(block.length * np.exp(block.taken - WANTED), 0.05, 0.999))

    def _common(self, block: _Block, uniforms: Mapping[Names, Array]) -> Common:
        """What is common to deals after a block has moved: new scores alone, where it has no shock."""
        if block.name == COMMON:
            return self.scene.common(uniforms)
        if any(names[0] == "factors" for names in block.streams):
            return self.common.at(Learnt(uniforms))
        return self.common


def _rise(log: Array, most: float) -> float:
    """The largest rise of the power, up to ``most``, that leaves ``KEPT`` of the particles counting."""

    def counting(rise: float) -> float:
        return _effective(_weights(log, rise))

    if counting(most) >= KEPT:
        return most
    low, high = 0.0, most
    for _ in range(40):
        middle = (low + high) / 2.0
        low, high = (middle, high) if counting(middle) >= KEPT else (low, middle)
    return high


def _effective(weights: Array) -> float:
    """1 / sum w^2 over the particles of a set, on average over sets."""
    return float(np.mean(1.0 / np.sum(weights**2, axis=1))) / float(weights.shape[1])


def _weights(log: Array, rise: float) -> Array:
    """Within each set ``(set, particle)``, exp(rise x log-likelihood) over its sum."""
    raised = np.exp(rise * (log - log.max(axis=1, keepdims=True)))
    weights: Array = raised / raised.sum(axis=1, keepdims=True)
    return weights


def _spread_of(scores: Array) -> tuple[Array, Array]:
    """The particles' mean ``(stream, 1)``, and a Cholesky factor of their covariance, a little widened."""
    centre = np.asarray(scores.mean(axis=1, keepdims=True), dtype=float)
    covariance = np.atleast_2d(np.cov(scores)) + 1e-4 * np.eye(len(scores))
    return centre, np.asarray(np.linalg.cholesky(covariance), dtype=float)


def _log_prior(scores: Array) -> Array:
    return np.asarray(-0.5 * np.sum(scores**2, axis=0))


def _log_fit(scores: Array, centre: Array, half: Array) -> Array:
    apart = np.linalg.inv(half) @ (scores - centre)
    return np.asarray(-0.5 * np.sum(apart**2, axis=0))


def _one_place(ready: ReadyPortfolio, names: Names) -> bool:
    """Whether a common stream is a score by theme, place or provider: shocks and what all share are not."""
    factor = ready.portfolio.factors[names[1]]
    return isinstance(factor, GaussianFactor) and factor.by != "all"


def _asked(ready: ReadyPortfolio, deal: ReadyDeal, what: Seen) -> list[Names]:
    """The streams drawn once that a deal's returns hang on."""
    noticed, path = Noticed(), np.zeros(1, dtype=np.uint64)
    common = replace(ready, points=noticed).common(0, path)
    futures = futures_of(deal, drawn(deal, common, 0, path), common)
    log_likelihood(what, futures)
    silent = {f"outcomes.{line}.deadweight" for line in deal.programme.lines}
    silent |= {f"costs.{name}.overrun" for name, ratios in what.cost_ratio.items() if not any(ratios)}
    silent |= {f"savings.{name}.unit_value" for name, ratios in what.saving_ratio.items() if not any(ratios)}
    return [
        names
        for names in noticed.asked
        if names[-1] not in SERIES and names[0] != "indices"
        and not (names[0] == deal.draws and names[1] in silent)
    ]  # fmt: skip


def in_closed_form(ready: ReadyPortfolio, deal: ReadyDeal, what: Seen) -> dict[Names, Updated]:
    """By stream: the chances of a deal that are beta, on their own, and multiplied by nothing else.

    A line's chance is multiplied by what bad times leave, wherever the programme can fail or a shock can
    come; the chance of engaging never is.
    """
    programme: Programme = deal.programme.programme
    found: dict[Names, Updated] = {}
    shape = _own_beta(programme, programme.engagement)
    if shape is not None:
        starts = sum(quarter.starts for quarter in what.past.quarters)
        came = sum(quarter.referrals for quarter in what.past.quarters)
        found[deal.draws, "engagement"] = Updated(shape, starts, came)
    shocked = any(isinstance(factor, CommonShock) for factor in ready.portfolio.factors.values())
    if programme.failure is not None or shocked:
        return found
    for name, line in programme.outcomes.items():
        shape = _own_beta(programme, line.probability)
        if shape is not None:
            rows = what.tried[name]
            successes, tries = sum(row.achieved for row in rows), sum(row.tries for row in rows)
            found[deal.draws, f"outcomes.{name}.probability"] = Updated(shape, successes, tries)
    return found


def _own_beta(programme: Programme, given: Given) -> tuple[float, float] | None:
    """Shape of a beta on (0, 1) that loads on nothing and is no driver's; None of anything else."""
    if isinstance(given, float | int):
        return None
    x: Any = given if not hasattr(given, "driver") else None
    if not isinstance(x, Beta | TrackRecord) or x.loadings or x.sd < 1e-6:
        return None
    if isinstance(x, Beta) and (x.low, x.high) != (0.0, 1.0):
        return None
    return x.shape
