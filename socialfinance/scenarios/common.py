"""What moves several deals together: Gaussian scores, common shocks, price and wage indices."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from copy import copy
from datetime import date
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from socialfinance.core.time import Calendar, years_between
from socialfinance.kernels.luck import uniform_block
from socialfinance.scenarios.dependence import (
    CommonShock,
    GaussianFactor,
    correlated,
    first_start,
    shock_depth,
    shock_multipliers,
)
from socialfinance.scenarios.distributions import Given, draw, plan_of, resolve
from socialfinance.scenarios.keys import key
from socialfinance.scenarios.points import PROCESS, Serves, as_series, course

Array = NDArray[np.float64]


class Shock(NamedTuple):
    """All common shocks together, ``(row, path)`` or floats: what is left of outcomes and referrals."""

    outcomes: Any = 1.0
    referrals: Any = 1.0
    runs: Any = 0.0
    """1 while one is running"""


class Common:
    """Common factors of one block, on the rows of the portfolio. Every factor is keyed by its own name.

    With ``paths`` None it is a case: no shock, no score, indices at their plan. ``points`` may serve what is
    drawn once a path.
    """

    def __init__(
        self,
        seed: int,
        calendar: Calendar,
        factors: Mapping[str, GaussianFactor | CommonShock],
        indices: Mapping[str, Given],
        paths: NDArray[np.uint64] | None,
        points: Serves | None = None,
    ) -> None:
        self.seed, self.calendar, self.factors, self.paths = seed, calendar, factors, paths
        self.points = points
        self.rows = calendar.quarters + 1
        self._scores: dict[tuple[str, str], Array] = {}
        self._levels: dict[tuple[Any, ...], list[Any]] = {}
        self.growth = {name: self._growth(name, x) for name, x in indices.items()}
        self.plan_growth = {name: plan_of(x) for name, x in indices.items()}
        self.shock = self._shocks()

    def at(self, points: Serves) -> Common:
        """The same shocks and indices, with scores by theme, place and provider from other points."""
        other = copy(self)
        other.points, other._scores = points, {}
        return other

    def scores(
        self, tags: Mapping[str, str], own: Collection[str] = (), paths: NDArray[np.uint64] | None = None
    ) -> dict[str, Array]:
        """By factor: the scores ``(path,)`` for a deal with these tags (theme, place, provider).

        A factor by a tag that is not there has no score. Those that move this deal alone, ``own``, are drawn
        on its own ``paths``.
        """
        groups = {"all": "", **tags}
        return {
            name: self._score(name, groups[factor.by], paths if name in own else None)
            for name, factor in self.factors.items()
            if isinstance(factor, GaussianFactor) and factor.by in groups
        }

    def _score(self, name: str, group: str, own: NDArray[np.uint64] | None) -> Array:
        from scipy.special import ndtri

        if own is not None:
            score: Array = ndtri(self._once("factors", name, group, paths=own))
            return score
        if (name, group) not in self._scores:
            self._scores[name, group] = ndtri(self._once("factors", name, group))
        return self._scores[name, group]

    def _shocks(self) -> Shock:
        if self.paths is None:
            return Shock()
        outcomes: Any = 1.0
        referrals: Any = 1.0
        runs: Any = 0.0
        for name, factor in self.factors.items():
            if isinstance(factor, CommonShock):
                lost = shock_depth(factor, self._starts(name, factor), self._once("factors", name, "depth"))
                left = shock_multipliers(factor, lost)
                outcomes, referrals = outcomes * left.outcomes, referrals * left.referrals
                runs = np.maximum(runs, (lost > 0.0) * 1.0)
        return Shock(outcomes, referrals, runs)

    def _growth(self, name: str, x: Given) -> Any:
        """Growth a year: a float, ``(path,)`` or ``(row, path)``."""
        given = resolve(x)
        if isinstance(given, (int, float)):
            return float(given)
        if self.paths is None:
            return plan_of(given)
        if hasattr(given, "path"):
            u = uniform_block(*key(self.seed, "indices", name), range(self.rows), self.paths)
            served = course(lambda *of: self._served("indices", *of), name, PROCESS)
            return given.path(as_series(u, served, (1.0,) * self.rows))
        return draw(given, correlated(self._once("indices", name), given.loadings, self.scores({})))

    def _once(self, *names: str, paths: NDArray[np.uint64] | None = None) -> Array:
        paths = self.paths if paths is None else paths
        assert paths is not None
        served = self._served(*names, paths=paths)
        return uniform_block(*key(self.seed, *names), range(1), paths)[0] if served is None else served

    def _served(self, *names: str, paths: NDArray[np.uint64] | None = None) -> Array | None:
        paths = self.paths if paths is None else paths
        assert paths is not None
        return None if self.points is None else self.points.uniforms(names, paths)

    def _starts(self, name: str, shock: CommonShock) -> Array:
        """Uniforms ``(row, path)`` by which a shock starts; points decide in which row it first does."""
        assert self.paths is not None
        starts = uniform_block(*key(self.seed, "factors", name, "start"), range(self.rows), self.paths)
        first = self._served("factors", name, "first")
        return starts if first is None else first_start(shock, first, starts)

    def level(self, name: str | None, base: date, collar: tuple[float, float] | None = None) -> list[Any]:
        """Price level by row over the level at ``base``: product of (1 + growth)^(1/4), growth in the collar.

        Years before the start, and after the last row, grow at the plan's rate.
        """
        if name is None:
            return [1.0] * self.rows
        if (name, base, collar) not in self._levels:
            self._levels[name, base, collar] = self._level(name, base, collar)
        return self._levels[name, base, collar]

    def _level(self, name: str, base: date, collar: tuple[float, float] | None) -> list[Any]:
        growth = self.growth[name]
        least, most = collar or (-0.99, 10.0)
        planned = 1.0 + min(max(self.plan_growth[name], least), most)
        levels: list[Any] = [1.0]
        for row in range(1, self.rows):
            rate = growth[row] if isinstance(growth, np.ndarray) and growth.ndim == 2 else growth
            rate = np.clip(rate, least, most) if isinstance(rate, np.ndarray) else min(max(rate, least), most)
            levels.append(levels[-1] * (1.0 + rate) ** 0.25)
        at_base = _level_at(levels, 4.0 * years_between(self.calendar.start, base), planned)
        return [level / at_base for level in levels]


def _level_at(levels: list[Any], row: float, planned: float) -> Any:
    """The level at a row that may lie between two, before the first or after the last."""
    last = len(levels) - 1
    if row < 0.0 or row >= last:
        return levels[0 if row < 0.0 else last] * planned ** ((row if row < 0.0 else row - last) / 4.0)
    whole = int(row)
    return levels[whole] * (levels[whole + 1] / levels[whole]) ** (row - whole)
