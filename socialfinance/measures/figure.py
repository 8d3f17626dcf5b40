"""What is known of one figure over all paths: its values by path, or a sketch of them (``sketch.py``)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from socialfinance.kernels.returns import OK, TOTAL_LOSS
from socialfinance.measures.sample import EQUAL, Estimate, Sample

Array = NDArray[np.float64]


class Figure(Protocol):
    """One figure; missing (NaN) where it does not exist."""

    @property
    def within(self) -> float:
        """Relative error that its quantiles may have beside that of chance; nil where they are exact."""
        ...

    @property
    def there(self) -> float:
        """Share of paths on which it exists."""
        ...

    def mean(self) -> Estimate:
        """Mean where it exists, and its standard error."""
        ...

    def sd(self) -> float | None:
        """Standard deviation between the paths on which it exists."""
        ...

    def ends(self) -> tuple[float, float]:
        """The least and the greatest value."""
        ...

    def quantiles(self, levels: Sequence[float]) -> list[Estimate]:
        """Values that occurred, and their standard errors."""
        ...

    def shortfall(self, level: float) -> Estimate:
        """The mean of the highest 1 - level of values, and its standard error."""
        ...

    def probability(self) -> tuple[float, float]:
        """Of what is 1 or 0 on a path: how often it is 1, and the standard error."""
        ...

    def share_at(self, code: int) -> tuple[float, float]:
        """Of a code by path: the share of paths that have this one, and the standard error."""
        ...

    def above_nil(self) -> tuple[tuple[float, float], Estimate]:
        """Where nothing is below nil: the share of paths above, and the mean of those, each with error."""
        ...

    def ranked(self, status: Figure) -> Figure:
        """An IRR as quantiles have it: a total loss ranks -1; other paths without a rate are left out."""
        ...


class ByPath:
    """A figure whose values ``(path,)`` are all there."""

    def __init__(self, values: Array, sample: Sample = EQUAL) -> None:
        self.values, self.sample = values, sample
        self._found: dict[float, Estimate] = {}
        """quantiles by level, as far as any were asked for"""

    @property
    def within(self) -> float:
        """Exact."""
        return 0.0

    @property
    def there(self) -> float:
        """Share of paths, or of their weight."""
        count = len(self._existing[1])
        if count in (0, len(self.values)):
            return float(count > 0)
        return self.sample.share(~np.isnan(self.values))[0]

    @cached_property
    def _existing(self) -> tuple[Sample, Array]:
        there = ~np.isnan(self.values)
        return (self.sample, self.values) if there.all() else (self.sample.on(there), self.values[there])

    def mean(self) -> Estimate:
        """See :class:`Sample`."""
        sample, values = self._existing
        return sample.mean(values) if len(values) else (None, None)

    def sd(self) -> float | None:
        """See :class:`Sample`."""
        sample, values = self._existing
        return sample.sd(values)

    def ends(self) -> tuple[float, float]:
        """Of those that exist."""
        values = self._existing[1]
        return float(values.min()), float(values.max())

    def quantiles(self, levels: Sequence[float]) -> list[Estimate]:
        """See :class:`Sample`."""
        missing = [level for level in levels if level not in self._found]
        if missing:
            sample, values = self._existing
            self._found.update(zip(missing, sample.quantiles(values, missing), strict=True))
        return [self._found[level] for level in levels]

    def shortfall(self, level: float) -> Estimate:
        """q + E (x - q)+ / (1 - level), with q the quantile at the level.

        Rockafellar, R. T. and Uryasev, S. (2000), "Optimization of conditional value-at-risk", Journal of
        Risk 2(3). To first order the error of q drops out.
        """
        q = self.quantiles((level,))[0][0]
        sample, values = self._existing
        assert q is not None
        beyond, error = sample.mean(np.maximum(values - q, 0.0))
        return q + beyond / (1.0 - level), None if error is None else error / (1.0 - level)

    def probability(self) -> tuple[float, float]:
        """See :class:`Sample`."""
        return self.sample.share(self.values)

    def share_at(self, code: int) -> tuple[float, float]:
        """See :class:`Sample`."""
        return self.sample.share(self.values == code)

    def above_nil(self) -> tuple[tuple[float, float], Estimate]:
        """See :class:`Sample`."""
        above = self.values > 0.0
        mean = self.sample.on(above).mean(self.values[above]) if above.any() else (None, None)
        return self.sample.share(above), mean

    def ranked(self, status: Figure) -> Figure:
        """By the codes of ``status``."""
        assert isinstance(status, ByPath)
        return ByPath(ranked(self.values, status.values), self.sample)


def ranked(rates: Array, status: Array) -> Array:
    """IRRs by path with -1 for a total loss, NaN where there is neither."""
    return np.where(status == TOTAL_LOSS, -1.0, np.where(status == OK, rates, np.nan))
