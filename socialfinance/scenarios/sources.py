"""Where a driver's value comes from: drawn for a block of paths, or fixed by a named case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from itertools import groupby
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from socialfinance.core.errors import InputError
from socialfinance.kernels.luck import Luck, Quantile, uniform_block
from socialfinance.scenarios.dependence import correlated
from socialfinance.scenarios.distributions import (
    DriverRef,
    Drivers,
    Given,
    counts,
    draw,
    plan_of,
    resolve,
)
from socialfinance.scenarios.keys import key
from socialfinance.scenarios.points import ARRIVALS, PEOPLE, PROCESS, Serves, as_first, as_series, course

Array = NDArray[np.float64]
Side = Literal["low", "high"]
"""Which side of an input is bad: a low success, a high cost."""


class Source(Protocol):
    """Gives every driver of a deal its value: a float, ``(path,)``, or ``(row, path)``."""

    def value(self, name: str, x: Given, bad: Side) -> Any:
        """The value of an uncertain input called ``name``."""
        ...

    def normal(self, name: str) -> Any:
        """A standard normal score, nil in a case."""
        ...

    def by_chance(self, chances: Mapping[str, Sequence[float]]) -> Mapping[str, Any]:
        """By name uniforms ``(row, path)``, under its chance by row where it happens; 1.0 in a case."""
        ...

    def arrivals(self, name: str, mean: Any, dispersion: float | None, planned: Sequence[float]) -> Any:
        """People arriving by row about an expected number; none: the nearest whole number.

        ``planned`` are the numbers of the plan by row.
        """
        ...

    def luck(self, name: str, label: str, planned: Sequence[float]) -> Sequence[Luck | Quantile]:
        """By row, the luck of people at one node; ``planned`` are those whom the plan has there."""
        ...

    def on(self, chosen: NDArray[np.bool_]) -> Source:
        """The same source on some of the paths only."""
        ...


class Drawn:
    """Drivers drawn from keyed streams: the same value whichever block, worker or neighbour asks.

    ``rows`` counts rows of the deal, ``scores`` are the Gaussian factors' ``(path,)`` scores by name.
    ``points`` may serve what is drawn once a path in place of the streams. ``near`` has large groups of
    people counted near a quantile of their sum, and not one by one.
    """

    def __init__(
        self,
        seed: int,
        draws: str,
        rows: int,
        paths: NDArray[np.uint64],
        scores: Mapping[str, Array],
        drivers: Drivers,
        points: Serves | None = None,
        near: bool = False,
    ) -> None:
        self.seed, self.draws, self.rows, self.paths = seed, draws, rows, paths
        self.scores, self.drivers, self.points, self.near = scores, drivers, points, near

    def value(self, name: str, x: Given, bad: Side) -> Any:
        """One draw a path (a process: one a row and path), correlated by its loadings."""
        if isinstance(x, DriverRef):
            name = f"drivers.{x.driver}"
        given = resolve(x, self.drivers)
        if isinstance(given, (int, float)):
            return float(given)
        if hasattr(given, "path"):
            return given.path(self._series(name, (1.0,) * self.rows, PROCESS))
        return draw(given, correlated(self._once(name), given.loadings, self.scores))

    def normal(self, name: str) -> Any:
        """Phi^-1(u) of one uniform a path."""
        from scipy.special import ndtri

        return ndtri(self._once(name))

    def once(self, name: str) -> Any:
        """One uniform a path."""
        return self._once(name)

    def by_chance(self, chances: Mapping[str, Sequence[float]]) -> Mapping[str, Any]:
        """One uniform a name, row and path.

        What is called alike up to its last dot is of a kind, and points decide the first of a kind, in order
        of rows and of names.
        """
        found = {name: self._block(name, range(self.rows)) for name in chances}
        for kind, alike in groupby(sorted(chances), lambda name: name.rpartition(".")[0]):
            first, names = self._served(kind, "first"), list(alike)
            if first is not None:
                u = np.stack([found[name] for name in names], axis=1)
                events = np.stack([chances[name] for name in names], axis=1).ravel()
                spread = as_first(u.reshape(len(events), -1), events, first).reshape(u.shape)
                found |= {name: spread[:, place] for place, name in enumerate(names)}
        return found

    def arrivals(self, name: str, mean: Any, dispersion: float | None, planned: Sequence[float]) -> Any:
        """Gamma–Poisson counts ``(row, path)``, or the expected number rounded half up."""
        if dispersion is None:
            return np.floor(np.broadcast_to(mean, (self.rows, len(self.paths))) + 0.5)
        expected = np.broadcast_to(mean, (self.rows, len(self.paths)))
        return counts(expected, dispersion, self._series(name, planned, ARRIVALS))

    def luck(self, name: str, label: str, planned: Sequence[float]) -> Sequence[Luck | Quantile]:
        """By row, the luck of people at one node: each person's own, unless their sum has a quantile.

        It has one where counts may be near, and where points serve it. Where they do, the sum of scores over
        rows, weighted by the square root of people planned, is decided by one uniform a path: so is most of
        how many succeed in all.
        """
        words = key(self.seed, self.draws, name, label)
        served = [] if label else course(self._served, f"{name} luck", PEOPLE)
        if not served and not self.near:
            return [Luck(*words, row, self.paths) for row in range(self.rows)]
        u = uniform_block(*words, range(self.rows), self.paths)
        return [Quantile(row, self.near) for row in as_series(u, served, np.sqrt(planned).tolist())]

    def on(self, chosen: NDArray[np.bool_]) -> Drawn:
        """The same streams on some of the paths only."""
        fewer = copy(self)
        fewer.paths = self.paths[chosen]
        fewer.scores = {name: score[chosen] for name, score in self.scores.items()}
        return fewer

    def _once(self, name: str) -> Array:
        served = self._served(name)
        return self._block(name, range(1))[0] if served is None else served

    def _served(self, *names: str) -> Array | None:
        return None if self.points is None else self.points.uniforms((self.draws, *names), self.paths)

    def _series(self, name: str, planned: Sequence[float], count: int) -> Array:
        """Uniforms by row and path, of which sums over rows, weighted by what is planned, matter most."""
        return as_series(self._block(name, range(self.rows)), course(self._served, name, count), planned)

    def _block(self, name: str, rows: range) -> Array:
        return uniform_block(*key(self.seed, self.draws, name), rows, self.paths)


class Certain:
    """Drivers fixed by a case: at the plan, at one quantile on their bad side, or set by name.

    Counts are expected values. ``used`` collects the names that were asked for. With ``variants``, as many
    cases side by side, each on a path of its own: what is ``given`` as an array has one entry for each.
    """

    def __init__(
        self,
        drivers: Drivers,
        quantile: float | None = None,
        given: Mapping[str, float | tuple[float, ...] | NDArray[np.float64]] | None = None,
        variants: int | None = None,
    ) -> None:
        self.drivers, self.quantile, self.given = drivers, quantile, given or {}
        self.path = 0 if variants is None else np.zeros(variants, dtype=np.uint64)
        self.used: set[str] = set()

    def value(self, name: str, x: Given, bad: Side) -> Any:
        """The value set for this name, else the quantile on the bad side, else the plan."""
        self.used.add(name)
        if name in self.given:
            fixed = self.given[name]
            return fixed if isinstance(fixed, (tuple, np.ndarray)) else float(fixed)
        given = resolve(x, self.drivers)
        if self.quantile is None or isinstance(given, (int, float)) or hasattr(given, "path"):
            return plan_of(given)
        at = self.quantile if bad == "low" else 1.0 - self.quantile
        return float(given.quantile(np.array([at]))[0])

    def normal(self, name: str) -> Any:
        """Nil, or the score set for this name."""
        self.used.add(name)
        return float(self.given.get(name, 0.0))  # type: ignore[arg-type]

    def by_chance(self, chances: Mapping[str, Sequence[float]]) -> Mapping[str, Any]:
        """1.0: nothing happens by chance."""
        return dict.fromkeys(chances, 1.0)

    def arrivals(self, name: str, mean: Any, dispersion: float | None, planned: Sequence[float]) -> Any:
        """The expected number, or the numbers set by quarter."""
        self.used.add(name)
        fixed = self.given.get(name)
        if fixed is None:
            return mean
        by_quarter = fixed if isinstance(fixed, tuple) else (fixed,)
        return tuple(
            0.0 if row == 0 or row > len(by_quarter) else by_quarter[row - 1] for row in range(len(mean))
        )

    def luck(self, name: str, label: str, planned: Sequence[float]) -> Sequence[Luck | Quantile]:
        """No luck: the expected value."""
        return [Luck(0, 0, row, self.path) for row in range(len(planned))]

    def on(self, chosen: NDArray[np.bool_]) -> Certain:
        """Itself: a case is the same on every path, and variants are not run on some of theirs."""
        return self

    def check_all_used(self, field: str) -> None:
        """Refuse a name that was set and that nothing asked for."""
        for name in self.given:
            if name not in self.used:
                raise InputError(
                    "sets a driver that nothing needs", field=field, given=name,
                    allowed=", ".join(sorted(self.used)),
                )  # fmt: skip


def at(x: Any, row: int) -> Any:
    """The value in a row of a float, ``(path,)``, one a row (tuple, from row 1), or ``(row, path)``."""
    if isinstance(x, tuple):
        return x[min(max(row - 1, 0), len(x) - 1)]
    if isinstance(x, np.ndarray) and x.ndim == 2:
        return x[row]
    return x
