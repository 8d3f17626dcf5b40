"""The uncertain drivers of a deal, one by one: taken from other futures, or told as normal scores."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from socialfinance.engine.ready import ReadyDeal, ReadyPortfolio, walk
from socialfinance.kernels.luck import Luck, Quantile, uniform_block
from socialfinance.scenarios.common import Common, Shock
from socialfinance.scenarios.dependence import CommonShock, correlated
from socialfinance.scenarios.distributions import DriverRef, Given, draw, is_certain, resolve
from socialfinance.scenarios.keys import key
from socialfinance.scenarios.sources import Drawn, Side

Array = NDArray[np.float64]
Paths = NDArray[np.uint64]
LUCK = "people's luck and arrivals"
"""What is left when every driver is held: who among people succeeds, and how many arrive."""
LEAST = 2.0**-54
"""Uniforms stay this far from 0 and 1 before they become scores."""


def factor(name: str) -> str:
    """A common factor or shock as a driver."""
    return f"factors.{name}"


def index(name: str) -> str:
    """A price or wage index as a driver."""
    return f"indices.{name}"


def _loaded(x: Given, drivers: Mapping[str, Given]) -> Collection[str]:
    """The common factors on which an input loads."""
    return getattr(resolve(x, drivers), "loadings", None) or ()


# --- drivers taken from other futures ---------------------------------------------------------------


class Mixed(Drawn):
    """A deal's draws of which some drivers, named in ``swapped``, are those of other paths.

    ``seen`` collects the drivers that were asked for.
    """

    def __init__(self, mine: Drawn, other: Paths, swapped: Collection[str]) -> None:
        vars(self).update(vars(mine))
        self.other, self.swapped = other, frozenset(swapped)
        self.seen: dict[str, None] = {}
        self._arrivals: set[str] = set()

    def value(self, name: str, x: Given, bad: Side) -> Any:
        """The value, from the paths that it is taken from."""
        self.seen |= dict.fromkeys(factor(one) for one in _loaded(x, self.drivers))
        return super().value(name, x, bad)

    def arrivals(self, name: str, mean: Any, dispersion: float | None, planned: Sequence[float]) -> Any:
        """People arriving: part of their luck."""
        self._arrivals.add(name)
        return super().arrivals(name, mean, dispersion, planned)

    def luck(self, name: str, label: str, planned: Sequence[float]) -> Sequence[Luck | Quantile]:
        """The luck of people, all of it from the same paths."""
        self.seen[LUCK] = None
        if LUCK not in self.swapped:
            return super().luck(name, label, planned)
        there = copy(self)
        there.paths, there.swapped = self.other, frozenset()
        return there.luck(name, label, planned)

    def _block(self, name: str, rows: range) -> Array:
        driver = LUCK if name in self._arrivals else name
        self.seen[driver] = None
        paths = self.other if driver in self.swapped else self.paths
        return uniform_block(*key(self.seed, self.draws, name), rows, paths)


class MixedCommon(Common):
    """Common factors of which some, named in ``swapped``, are those of other paths."""

    def __init__(
        self, ready: ReadyPortfolio, seed: int, paths: Paths, other: Paths, swapped: Collection[str]
    ) -> None:
        self.other, self.swapped = other, frozenset(swapped)
        indices = {name: one.annual for name, one in ready.portfolio.indices.items()}
        super().__init__(seed, ready.calendar, ready.portfolio.factors, indices, paths)

    def _score(self, name: str, group: str, own: Paths | None) -> Array:
        """Of these paths or the others, whether or not the factor moves one deal alone."""
        u = uniform_block(*key(self.seed, "factors", name, group), range(1), self._from(factor(name)))[0]
        return np.asarray(ndtri(u))

    def _growth(self, name: str, x: Given) -> Any:
        given, paths = resolve(x), self._from(index(name))
        if isinstance(given, (int, float)):
            return float(given)
        if hasattr(given, "path"):
            return given.path(uniform_block(*key(self.seed, "indices", name), range(self.rows), paths))
        u = uniform_block(*key(self.seed, "indices", name), range(1), paths)[0]
        return draw(given, correlated(u, given.loadings, self.scores({})))

    def _shocks(self) -> Shock:
        found = Shock()
        for name, one in self.factors.items():
            if isinstance(one, CommonShock):
                alone = Common(self.seed, self.calendar, {name: one}, {}, self._from(factor(name))).shock
                runs = np.maximum(found.runs, alone.runs)
                found = Shock(found.outcomes * alone.outcomes, found.referrals * alone.referrals, runs)
        return found

    def _from(self, driver: str) -> Paths:
        assert self.paths is not None
        return self.other if driver in self.swapped else self.paths


def common_drivers(ready: ReadyPortfolio, deal: ReadyDeal) -> list[str]:
    """The uncertain indices that a deal follows, and the common shocks."""
    used = {value for path, value in walk(deal.deal) if path.endswith(".index")}
    indices = [
        name for name, one in ready.portfolio.indices.items() if name in used and not is_certain(one.annual)
    ]
    shocks = [name for name, one in ready.portfolio.factors.items() if isinstance(one, CommonShock)]
    return [*(index(name) for name in indices), *(factor(name) for name in shocks)]


# --- drivers as normal scores -----------------------------------------------------------------------


class Scored(Drawn):
    """A deal's draws; every driver's normal score ``(path,)`` is kept in ``kept``.

    The score of what is drawn once is Φ⁻¹(u) of its own luck, factors apart. Of a series of R uniforms it is
    the sum of their scores over √R; of chances by row (an early end) Φ⁻¹(1 - (1 - min u)^R): the lower, the
    nearer it came to happening. All are standard normal, and independent of each other.
    """

    def __init__(self, mine: Drawn) -> None:
        vars(self).update(vars(mine))
        self.kept: dict[str, Array] = {}
        self.values: dict[str, Array] = {}
        """of drivers with a value of their own: that, over the rows its mean"""
        self.factors: set[str] = set()

    def value(self, name: str, x: Given, bad: Side) -> Any:
        """The value, as drawn."""
        value = super().value(name, x, bad)
        if isinstance(x, DriverRef):
            name = f"drivers.{x.driver}"
        given = resolve(x, self.drivers)
        if isinstance(given, (int, float)) or is_certain(given):
            return value
        self.factors |= set(_loaded(x, self.drivers))
        series = hasattr(given, "path")
        u = self._block(name, range(1, self.rows) if series else range(1))
        self.kept[name] = of_series(u)
        self.values[name] = value.mean(axis=0) if series else value
        return value

    def normal(self, name: str) -> Any:
        """The score, as drawn."""
        score = super().normal(name)
        self.kept[name] = score
        return score

    def by_chance(self, chances: Mapping[str, Sequence[float]]) -> Mapping[str, Any]:
        """The uniforms, as drawn: chances by row."""
        found = super().by_chance(chances)
        self.kept |= {name: of_chances(u) for name, u in found.items()}
        return found

    def once(self, name: str) -> Any:
        """The uniform, as drawn: a delivery failure."""
        u = super().once(name)
        self.kept[name] = score_of(u)
        return u

    def arrivals(self, name: str, mean: Any, dispersion: float | None, planned: Sequence[float]) -> Any:
        """People arriving, as drawn."""
        found = super().arrivals(name, mean, dispersion, planned)
        if dispersion is not None:
            self.kept[f"{name}: arrivals"] = of_series(self._block(name, range(1, self.rows)))
        return found


def score_of(u: Any) -> Array:
    """Φ⁻¹(u)."""
    return np.asarray(ndtri(np.clip(u, LEAST, 1.0 - LEAST)))


def of_series(u: Array) -> Array:
    """Of a series ``(row, path)``: the sum of scores over the root of their number."""
    total: Array = score_of(u).sum(axis=0) / np.sqrt(len(u))
    return total


def of_chances(u: Array) -> Array:
    """Of chances ``(row, path)``: the score of the least of them, itself made uniform."""
    return score_of(-np.expm1(len(u) * np.log1p(-u.min(axis=0))))


def common_scores(
    ready: ReadyPortfolio, common: Common, deal: ReadyDeal, loaded: Collection[str]
) -> dict[str, Array]:
    """Scores of the common factors that a deal loads on, its indices, and the common shocks."""
    assert common.paths is not None
    mine = common.scores(deal.tags)
    found: dict[str, Array] = {factor(name): mine[name] for name in sorted(loaded)}
    for driver in common_drivers(ready, deal):
        name = driver.partition(".")[2]
        shock = ready.portfolio.factors.get(name)
        if driver == factor(name) and isinstance(shock, CommonShock):
            last = common.rows - 1 if shock.last_row is None else min(shock.last_row, common.rows - 1)
            rows = range(shock.first_row, max(last, shock.first_row) + 1)
            found[driver] = of_chances(
                uniform_block(*key(common.seed, "factors", name, "start"), rows, common.paths)
            )
        elif driver == index(name):
            series = hasattr(ready.portfolio.indices[name].annual, "path")
            rows = range(1, common.rows) if series else range(1)
            found[driver] = of_series(uniform_block(*key(common.seed, "indices", name), rows, common.paths))
    return found
