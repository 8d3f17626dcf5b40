"""What a set of futures stands for: equal paths of their own luck, or weighted points in randomised sets.

Either way a figure by path becomes a mean, a share or a quantile with its standard error. Over equal paths
the errors are the textbook's. Over points that were spread on purpose they come from the sets, which are
independent of each other and alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from socialfinance.kernels.order import in_order

Array = NDArray[np.float64]
Chosen = NDArray[np.bool_] | NDArray[np.int64]
Estimate = tuple[float | None, float | None]


class Sample(Protocol):
    """Futures, and how figures over them are averaged."""

    def mean(self, values: Array) -> tuple[float, float | None]:
        """The mean of a figure ``(path,)`` and its standard error; no error where there is one path."""
        ...

    def share(self, marked: NDArray[np.bool_] | Array) -> tuple[float, float]:
        """The chance of being marked (1 or True), and its standard error."""
        ...

    def sd(self, values: Array) -> float | None:
        """The standard deviation of a figure between futures."""
        ...

    def quantiles(self, values: Array, levels: Sequence[float]) -> list[Estimate]:
        """Inverted-CDF quantiles (values that occurred) and their standard errors."""
        ...

    def worst(self, values: Array, share: float) -> NDArray[np.int64]:
        """The paths with the least values that are ``share`` of all, or the least number that is more."""
        ...

    def error(self, apart: Array) -> float | None:
        """The standard error of the mean of ``apart``, whose mean is all but nil."""
        ...

    def sets(self, units: Array) -> Array:
        """Sums over units of paths ``(unit, …)``, as sums over groups that are independent of each other."""
        ...

    def apart(self, paths: int) -> int | None:
        """Paths, from path 0 on, whose sums must be told from those of others; None where none must."""
        ...

    def mean_of_units(self, sums: Array, squares: Array, paths: int) -> tuple[Array, Array]:
        """Means and their standard errors from sums by unit ``(unit, year)`` of amounts and of squares."""
        ...

    def mean_of_groups(self, sums: Array, paths: int) -> tuple[Array, Array]:
        """Means and their standard errors from sums alone, by group of paths ``(group, row)``."""
        ...

    def on(self, chosen: Chosen) -> Sample:
        """The sample cut down to some of its paths."""
        ...


class Equal:
    """Paths of their own luck: each stands for as much as any other."""

    def mean(self, values: Array) -> tuple[float, float | None]:
        """Mean, and sd / sqrt(n)."""
        return float(values.mean()), self.error(values)

    def share(self, marked: NDArray[np.bool_] | Array) -> tuple[float, float]:
        """p, and sqrt(p (1 - p) / n)."""
        p = float(np.mean(marked))
        return p, float(np.sqrt(p * (1.0 - p) / len(marked)))

    def sd(self, values: Array) -> float | None:
        """With n - 1 below."""
        return float(values.std(ddof=1)) if len(values) > 1 else None

    def quantiles(self, values: Array, levels: Sequence[float]) -> list[Estimate]:
        """Order statistics: see :func:`quantile`."""
        n = len(values)
        if n < 2:
            return [quantile(values, level) for level in levels]
        found = in_order(values, [rank for level in levels for rank in _ranks(n, level)])
        return [(at, (high - low) / 2.0) for low, at, high in found.reshape(-1, 3).tolist()]

    def worst(self, values: Array, share: float) -> NDArray[np.int64]:
        """The first of all paths in order of value."""
        return worst_paths(values, 1.0 - share)

    def error(self, apart: Array) -> float | None:
        """Standard error sd / sqrt(n)."""
        return float(apart.std(ddof=1)) / float(np.sqrt(len(apart))) if len(apart) > 1 else None

    def sets(self, units: Array) -> Array:
        """Every unit is a group of its own."""
        return units

    def apart(self, paths: int) -> None:
        """Any may be added up."""
        return None

    def mean_of_units(self, sums: Array, squares: Array, paths: int) -> tuple[Array, Array]:
        """Mean, and sd / sqrt(n), units in order."""
        total, square = _in_order(sums), _in_order(squares)
        mean = total / paths
        variance = np.maximum(square / paths - mean * mean, 0.0) * (paths / max(paths - 1, 1))
        return mean, np.sqrt(variance / paths)

    def mean_of_groups(self, sums: Array, paths: int) -> tuple[Array, Array]:
        """Mean, and sqrt(G / (G - 1) sum over groups of (S_g - mean of S)^2) / n; NaN where there is one.

        Groups hold equally many paths, but the last may hold fewer, which widens the error a little.
        """
        groups = len(sums)
        apart = sums - sums.mean(axis=0)
        widened = groups / (groups - 1) if groups > 1 else np.nan
        return sums.sum(axis=0) / paths, np.sqrt(widened * np.sum(apart * apart, axis=0)) / paths

    def on(self, chosen: Chosen) -> Equal:
        """Some paths are still alike."""
        return self


EQUAL = Equal()


class InSets:
    """Weighted points in ``count`` randomised sets that are independent of each other and alike.

    ``weights`` is ``(path,)``; ``member`` says by path to which set it belongs, from 0. A mean is
    m = sum w x / sum w; its error is that of a ratio, by the delta method over sets: with
    e_s = R sum over s of w (x - m) / sum w, error = few(R) sd(e) / sqrt(R), where few(R) is Student's 97.5%
    quantile with R - 1 degrees of freedom over the normal's: with it 1.96 errors either side cover 95%,
    although the error is itself known from few sets.
    """

    def __init__(self, weights: Array, member: NDArray[np.int64], count: int) -> None:
        self.weights, self.member, self.count = weights, member, count
        self.total = float(weights.sum())

    def mean(self, values: Array) -> tuple[float, float | None]:
        """Weighted mean, error over sets."""
        mean = float(np.sum(self.weights * values)) / self.total
        return mean, self.error(values - mean)

    def share(self, marked: NDArray[np.bool_] | Array) -> tuple[float, float]:
        """The weight of those marked over all weight."""
        p, error = self.mean(np.asarray(marked, dtype=float))
        return p, error or 0.0

    def sd(self, values: Array) -> float | None:
        """Weighted: sqrt(sum w (x - m)^2 / sum w)."""
        if len(values) < 2:
            return None
        apart = values - self.mean(values)[0]
        return float(np.sqrt(np.sum(self.weights * apart * apart) / self.total))

    def quantiles(self, values: Array, levels: Sequence[float]) -> list[Estimate]:
        """Where the weighted distribution function F reaches a level.

        Error: with e that of F at the quantile and z = 1.96, the distance between the quantiles z e either
        side over 2 z. At a far quantile, where values thin out, it is more than with z = 1, and covers.
        """
        from scipy.special import ndtri

        z = float(ndtri(0.975))
        if len(values) == 0:
            return [(None, None)] * len(levels)
        at = self._inverse(values)
        wanted = np.asarray(levels, dtype=float)
        value = at(wanted)
        of_f = self._errors_of_f(values, value)
        error = (at(wanted + z * of_f) - at(wanted - z * of_f)) / (2.0 * z)
        return list(zip(value.tolist(), error.tolist(), strict=True))

    def _inverse(self, values: Array) -> Callable[[Array], Array]:
        """The least value at which F reaches a level; where all weigh alike, without an order of them all."""
        n, alike = len(values), self.weights[0]

        def at_place(level: Array) -> Array:
            places = np.clip(np.ceil((level - 1e-9) * n) - 1.0, 0.0, n - 1.0).astype(np.int64)
            return in_order(values, places.tolist())

        if np.all(self.weights == alike):
            return at_place
        order = np.argsort(values)  # whatever the order of those that are equal, quantiles are the same
        ordered, reached = values[order], np.cumsum(self.weights[order]) / self.total

        def at(level: Array) -> Array:
            found: Array = ordered[np.minimum(np.searchsorted(reached, level - 1e-9), n - 1)]
            return found

        return at

    def _errors_of_f(self, values: Array, up_to: Array) -> Array:
        """Standard errors of the weight of the paths with values up to each of ``up_to`` over all weight."""
        if self.count < 2:
            return np.zeros(len(up_to))
        # weight by set between one of them and the next, in one pass however many there are
        ends, place = np.unique(up_to, return_inverse=True)
        part = np.zeros(len(values), dtype=np.int64)
        for end in ends:  # for the few there are, sooner than a search by path
            part += values > end
        by_part = np.bincount(part * self.count + self.member, self.weights, (len(ends) + 1) * self.count)
        by_part = by_part.reshape(-1, self.count)
        first = np.cumsum(by_part, axis=0)[place]
        p = first.sum(axis=1, keepdims=True) / self.total
        apart = first - p * by_part.sum(axis=0)
        errors: Array = self._few() * apart.std(ddof=1, axis=1) / self.total
        return errors

    def worst(self, values: Array, share: float) -> NDArray[np.int64]:
        """The first in order of value until their weight is the share."""
        order = np.argsort(values, kind="stable")
        reached = np.cumsum(self.weights[order]) / self.total
        return order[: int(np.searchsorted(reached, share - 1e-9)) + 1]

    def error(self, apart: Array) -> float | None:
        """Over sets, whose sums of w x apart are independent; none where one set has them all."""
        sums = np.bincount(self.member, self.weights * apart, minlength=self.count)
        return None if self.count < 2 else self._few() * float(sums.std(ddof=1)) / self.total

    def sets(self, units: Array) -> Array:
        """Sums over the units of each set; sets hold whole units."""
        whole: Array = units.reshape(self.count, -1, *units.shape[1:]).sum(axis=1)
        return whole

    def apart(self, paths: int) -> int:
        """Those of a set."""
        return paths // self.count

    def mean_of_units(self, sums: Array, squares: Array, paths: int) -> tuple[Array, Array]:
        """Means over all weight, and their errors over sets; the sums are of weighted amounts."""
        weight = np.bincount(self.member, self.weights, minlength=self.count)
        by_set = self.sets(sums)
        mean = by_set.sum(axis=0) / self.total
        apart = by_set - weight[:, None] * mean
        return mean, self._few() * apart.std(ddof=1, axis=0) / self.total

    def mean_of_groups(self, sums: Array, paths: int) -> tuple[Array, Array]:
        """The same: the error over sets needs no squares."""
        return self.mean_of_units(sums, sums, paths)

    def _few(self) -> float:
        """sqrt(R), and wider as R is small."""
        from scipy.special import ndtri, stdtrit

        return float(np.sqrt(self.count) * stdtrit(self.count - 1, 0.975) / ndtri(0.975))

    def on(self, chosen: Chosen) -> InSets:
        """Some paths: their weights, and the sets they belong to."""
        return InSets(self.weights[chosen], self.member[chosen], self.count)


def _in_order(units: Array) -> Array:
    total = np.zeros(units.shape[1])
    for unit in units:
        total += unit
    return total


def mean_error(values: Array) -> float:
    """Standard error of the mean: sd / sqrt(n); nil on a single path."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0


def worst_paths(value: Array, level: float) -> NDArray[np.int64]:
    """The paths with the least value: the smallest whole number of them that is 1 - level of all or more."""
    count = max(1, int(np.ceil((1.0 - level) * len(value) - 1e-9)))
    return np.argsort(value, kind="stable")[:count]


def quantile(ordered: Array, q: float) -> Estimate:
    """The inverted-CDF quantile of sorted values (one that occurred) and its standard error.

    Error: half the distance between the order statistics one binomial standard deviation either side.
    """
    n = len(ordered)
    if n == 0:
        return None, None
    low, at, high = _ranks(n, q)
    error = float((ordered[high] - ordered[low]) / 2) if n > 1 else None
    return float(ordered[at]), error


def _ranks(n: int, q: float) -> tuple[int, int, int]:
    """Of n values in order: the place of the quantile, between those from which its error is read."""
    at = min(max(int(np.ceil(q * n - 1e-9)) - 1, 0), n - 1)
    reach = max(int(np.ceil(np.sqrt(n * q * (1 - q)))), 1)
    return max(at - reach, 0), at, min(at + reach, n - 1)
