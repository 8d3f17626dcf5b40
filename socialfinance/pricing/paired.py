"""A figure read on the same futures under several terms, with the standard error of the difference.

Draws are keyed by deal and path, so two runs differ by nothing but their terms: most of the noise falls out
of a difference that is taken path by path.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from socialfinance.core.errors import InputError
from socialfinance.engine.accumulate import FINE, Kept
from socialfinance.engine.block import run_block
from socialfinance.engine.ready import ReadyPortfolio, prepare
from socialfinance.engine.run import CHUNK
from socialfinance.funds.portfolio import Portfolio
from socialfinance.kernels.returns import OK, STATUS_NAMES, TOTAL_LOSS, irr_with_status
from socialfinance.measures.paths import Key
from socialfinance.measures.sample import quantile
from socialfinance.measures.statistics import QUANTILES
from socialfinance.pricing.read import Futures, Wanted

Array = NDArray[np.float64]
GROUPS = 64
"""Most groups of paths that are left out in turn for a standard error."""
STATISTICS = ("mean", "sd", "min", "max", "probability", "given_loss", "of_mean_flows", *QUANTILES)
"""Statistics that can be read with the error of a difference."""


class Difference(NamedTuple):
    """What a change of terms does to a figure, and the standard error of that."""

    value: float | None
    standard_error: float | None


@dataclass(frozen=True)
class Reading:
    """One figure over some paths."""

    wanted: Wanted
    values: Array
    """the measure by path"""
    status: Array | None
    """of an IRR by path: its code"""
    flows: Array | None
    """of an IRR: ``(unit, row)`` net flows summed over units of ``FINE`` paths"""

    @property
    def value(self) -> float | None:
        """The figure; None where it does not exist."""
        return self._of(np.ones(len(self.values), dtype=np.bool_))

    @property
    def standard_error(self) -> float | None:
        """Of the figure itself."""
        return _jackknife(self._without_each())

    def less(self, other: Reading) -> Difference:
        """This figure less another on the same paths.

        Error by jackknife: with d_g the difference without the paths of group g, of G groups, it is
        sqrt((G - 1) / G x sum of (d_g - mean d)^2).
        """
        here, there = self.value, other.value
        if here is None or there is None:
            return Difference(None, None)
        return Difference(here - there, _jackknife(self._without_each() - other._without_each()))

    def _without_each(self) -> Array:
        """The figure without each group of paths, NaN where it then does not exist."""
        units = -(-len(self.values) // FINE)
        count = min(GROUPS, units)
        group = np.repeat(np.arange(units) * count // units, FINE)[: len(self.values)]
        found = [self._of(group != one) for one in range(count)] if count > 1 else []
        return np.array([np.nan if one is None else one for one in found])

    def _of(self, keep: NDArray[np.bool_]) -> float | None:
        name, values = self.wanted.statistic, self.values[keep]
        if name == "of_mean_flows":
            return self._irr_of_flows(keep)
        if self.status is not None:
            return _of_rates(name, values, self.status[keep])
        return _statistic(name, self.wanted.measure, values[~np.isnan(values)])

    def _irr_of_flows(self, keep: NDArray[np.bool_]) -> float | None:
        assert self.flows is not None
        total = self.flows[keep[::FINE]].sum(axis=0)
        rate, status = irr_with_status(total[:, None])
        return float(rate[0]) if status[0] == OK else None


def _jackknife(left: Array) -> float | None:
    """The standard error from a figure without each group; None where there are too few, or it is missing."""
    if len(left) < 2 or np.isnan(left).any():
        return None
    return float(np.sqrt((len(left) - 1) / len(left) * np.sum((left - left.mean()) ** 2)))


def _statistic(name: str, measure: str, values: Array) -> float | None:
    if name in ("probability", "given_loss") and measure == "loss":
        lost = values[values > 0.0]
        return len(lost) / len(values) if name == "probability" else _mean(lost)
    if name in QUANTILES:
        return quantile(np.sort(values), QUANTILES[name])[0]
    if len(values) == 0:
        return None
    if name == "sd":
        return float(values.std(ddof=1)) if len(values) > 1 else None
    return {"min": np.min, "max": np.max}.get(name, np.mean)(values).item()


def _of_rates(name: str, rates: Array, status: Array) -> float | None:
    """Of IRRs by path, as pages have them: in quantiles a total loss ranks -1; the mean leaves it out."""
    if name in QUANTILES:
        ranked = np.where(status == TOTAL_LOSS, -1.0, rates)[(status == OK) | (status == TOTAL_LOSS)]
        return quantile(np.sort(ranked), QUANTILES[name])[0]
    if name == "mean":
        return _mean(rates[status == OK])
    return float(np.mean(status == STATUS_NAMES.index(name.removeprefix("share_"))))


def _mean(values: Array) -> float | None:
    return float(values.mean()) if len(values) else None


class Reader:
    """Some figures, read over paths 0 to ``paths`` - 1 of a seed under any terms.

    Only the deals that the figures are of are run; a figure of the fund, or of all deals together, needs
    them all.
    """

    def __init__(
        self, portfolio: Portfolio, figures: Sequence[str], paths: int, seed: int, deal: str = ""
    ) -> None:
        if not figures:
            raise InputError("names no figure", field="target")
        futures = Futures(portfolio, paths, seed)
        self.paths, self.seed = paths, seed
        self.wanted = tuple(_found(futures, one, deal) for one in figures)
        for one, text in zip(self.wanted, figures, strict=True):
            if one.statistic not in STATISTICS and not one.statistic.startswith("share_"):
                raise InputError(
                    "cannot be compared path by path",
                    field="target",
                    given=text,
                    allowed=", ".join(STATISTICS),
                )
        self.runs = 0
        """times that futures were run"""

    @property
    def deals(self) -> tuple[str, ...]:
        """The deals that the figures are of; empty where they are of all together."""
        names = tuple(dict.fromkeys(one.deal for one in self.wanted))
        return () if "" in names else names

    def read(self, portfolio: Portfolio, paths: int | None = None) -> tuple[Reading, ...]:
        """The figures under these terms, on all paths or on the first of them."""
        count, ready = paths or self.paths, self._ready(portfolio)
        kept = Kept(count, groups=None)  # groups of paths are left out in turn: all units are needed
        for first in range(0, count, CHUNK):
            block = run_block(ready, self.seed, first, min(CHUNK, count - first), compare=False)
            block.figures = {key: one for key, one in block.figures.items() if self._needs(key)}
            block.flows = {}
            kept.add(block)
        self.runs += 1
        return tuple(_reading(one, kept) for one in self.wanted)

    def _ready(self, portfolio: Portfolio) -> ReadyPortfolio:
        names = self.deals
        ready = prepare(portfolio, names[0] if len(names) == 1 else None, alone=True)
        deals = tuple(deal for deal in ready.deals if deal.name in names or not names)
        return replace(ready, deals=deals, fund=ready.fund if not names else None)

    def _needs(self, key: Key) -> bool:
        return any(one.needs(key) for one in self.wanted)


def _found(futures: Futures, figure: str, deal: str) -> Wanted:
    """The figure that is named: of the deal, where one is given and it has it."""
    if deal and deal not in futures.portfolio.deals:
        known = ", ".join(futures.portfolio.deals)
        raise InputError("is not a deal of this portfolio", field="deal", given=deal, allowed=known)
    if deal and figure.partition(":")[0].strip() not in futures.portfolio.deals:
        try:
            return futures.find(f"{deal}: {figure}")
        except InputError:
            try:
                return futures.find(figure)  # the deal's terms are varied, the figure is the fund's
            except InputError:
                pass
            raise
    return futures.find(figure)


def _reading(wanted: Wanted, kept: Kept) -> Reading:
    """What was kept of a figure; nothing where it is not there with these terms."""
    mine = {key.measure: values for key, values in kept.figures.items() if wanted.needs(key)}
    values = mine.get("irr" if wanted.measure == "irr" else wanted.measure, np.zeros(0))
    if wanted.measure != "irr":
        return Reading(wanted, values, None, None)
    role = "investor" if wanted.role == "investor" else f"{wanted.scope}: {wanted.role} {wanted.party}"
    return Reading(wanted, values, mine.get("irr_status", np.zeros(0)), kept.rows.get((wanted.deal, role)))


def named(wanted: Wanted) -> str:
    """A figure as pages name it."""
    who = wanted.party or wanted.role
    return f"{wanted.deal + ': ' if wanted.deal else ''}{who}, {wanted.measure}, {wanted.statistic}"
