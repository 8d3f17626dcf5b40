"""How much of a figure's spread comes from each uncertain driver: first-order and total effects (Sobol).

With V the variance of the measure over all futures, the first-order effect of a driver is Var(E[Y | driver])
/ V, what would be saved if it alone were known; its total effect is E[Var(Y | all others)] / V, what would be
left if all others were known.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from socialfinance.core.errors import InputError, RunError
from socialfinance.core.ledger import Ledger
from socialfinance.engine.block import deal_figures
from socialfinance.engine.deal import run
from socialfinance.engine.ready import ReadyDeal, ReadyPortfolio, drawn, futures_of, prepare, price_level
from socialfinance.engine.run import CHUNK
from socialfinance.funds.portfolio import Portfolio
from socialfinance.pricing.drivers import LUCK, Mixed, MixedCommon, common_drivers
from socialfinance.pricing.paired import named
from socialfinance.pricing.read import Futures, Wanted

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
OTHER = 2**40
"""Number of the first of the other paths: no run gets there."""
RESAMPLES = 200
"""Bootstrap samples behind the error of ``sobol``."""


class Effect(NamedTuple):
    """Of one driver: fractions of the variance, and their standard errors."""

    driver: str
    first: float
    first_error: float
    total: float
    total_error: float


@dataclass(frozen=True)
class Effects:
    """Of every driver, the largest total effect first."""

    effects: tuple[Effect, ...]
    figure: str
    mean: float
    variance: float
    paths: int
    seed: int
    runs: int

    @property
    def interactions(self) -> float:
        """What no driver alone explains: 1 - the sum of first-order effects."""
        return 1.0 - sum(one.first for one in self.effects)

    @property
    def table(self) -> pd.DataFrame:
        """One row a driver."""
        import pandas as pd

        return pd.DataFrame(self.effects, columns=list(Effect._fields))


def sobol(
    function: Callable[[Mapping[str, Array]], Array],
    distributions: Mapping[str, Any],
    n: int = 4096,
    seed: int = 1,
) -> tuple[Effect, ...]:
    """Effects of any function of independent inputs, by ``scipy.stats.sobol_indices`` (Saltelli 2010).

    ``function`` takes arrays by name and gives an array; ``distributions`` are frozen, of ``scipy.stats``;
    ``n`` is a power of 2, and the function is worked out (inputs + 2) n times. Errors by bootstrap.
    """
    from scipy.stats import sobol_indices

    if n < 2 or n & (n - 1):
        raise InputError("must be a power of 2", field="n", given=n)
    if not distributions:
        raise InputError("names no input", field="distributions")
    names = list(distributions)

    def of_rows(x: Array) -> Array:
        return np.asarray(function(dict(zip(names, x, strict=True))), dtype=float)

    found = sobol_indices(
        func=of_rows, n=n, dists=list(distributions.values()), random_state=np.random.default_rng(seed)
    )
    spread = found.bootstrap(n_resamples=RESAMPLES)
    columns = (found.first_order, spread.first_order.standard_error,
               found.total_order, spread.total_order.standard_error)  # fmt: skip
    return tuple(Effect(name, *(float(column[i]) for column in columns)) for i, name in enumerate(names))


def first_and_total(
    portfolio: Portfolio, target: str, paths: int = 4096, seed: int = 1, deal: str = ""
) -> Effects:
    """First-order and total effects of a deal's drivers on the measure of a target, path by path.

    Drivers are what the deal draws by name: uncertain inputs, common factors and shocks, indices, evaluation
    errors, early ends; the luck of people and their arrivals are one more, so that shares can be read against
    1. By pick-freeze: Y_A and Y_B on two sets of paths, Y_i on the first with driver i from the second, m the
    mean and V the variance of both: first = mean of (Y_B - m)(Y_i - Y_A) / V (Saltelli 2010); total = mean of
    (Y_A - Y_i)^2 / 2V (Jansen 1999). Errors by the delta method. (drivers + 2) x paths futures are run.
    """
    if paths < 2:
        raise InputError("at least two paths are needed", field="paths", given=paths)
    wanted = _of_a_deal(portfolio, target, paths, seed, deal)
    ready = prepare(portfolio, wanted.deal)
    measure = _Measure(ready, ready.deals[0], wanted, paths, seed)
    drivers = measure.drivers()
    a, b = measure.at(()), measure.at(drivers)
    both = np.concatenate([a, b])
    mean, variance = float(both.mean()), float(both.var())
    if variance <= 1e-24 * max(1.0, mean * mean):
        raise RunError(f"{target} is the same in all futures: there is no spread to take apart")
    effects = [_effect(one, a - mean, b - mean, measure.at((one,)) - mean) for one in drivers]
    effects.sort(key=lambda one: (-one.total, one.driver))
    figure = named(wanted).rpartition(", ")[0]  # the measure: a statistic of it has no variance
    return Effects(tuple(effects), figure, mean, variance, paths, seed, len(drivers) + 2)


def _of_a_deal(portfolio: Portfolio, target: str, paths: int, seed: int, deal: str) -> Wanted:
    text = f"{deal}: {target}" if deal and ":" not in target else target
    wanted = Futures(portfolio, paths, seed).find(text)
    if not wanted.deal:
        raise InputError(
            "is no figure of one deal, whose drivers could be told apart", field="target", given=target,
            allowed=f"DEAL: {target}",
        )  # fmt: skip
    return wanted


def _effect(name: str, a: Array, b: Array, mixed: Array) -> Effect:
    """From centred measures on both sets of paths, and on the first with this driver from the second."""
    spread = (a * a + b * b) / 2.0
    first, first_error = _ratio(b * (mixed - a), spread)
    total, total_error = _ratio((a - mixed) ** 2 / 2.0, spread)
    return Effect(name, first, first_error, total, total_error)


def _ratio(over: Array, under: Array) -> tuple[float, float]:
    """mean(over) / mean(under), and its error: sd(over - ratio x under) / (mean(under) sqrt(n))."""
    ratio = float(over.mean() / under.mean())
    return ratio, float((over - ratio * under).std(ddof=1) / (under.mean() * np.sqrt(len(over))))


class _Measure:
    """A deal's measure by path, with some of its drivers taken from other paths."""

    def __init__(self, ready: ReadyPortfolio, deal: ReadyDeal, wanted: Wanted, paths: int, seed: int) -> None:
        self.ready, self.deal, self.wanted, self.paths, self.seed = ready, deal, wanted, paths, seed

    def drivers(self) -> list[str]:
        """What the deal draws, people's luck last."""
        self._block(0, 1, ())
        seen = {**dict.fromkeys(common_drivers(self.ready, self.deal)), **self._seen}
        return [*sorted(seen.keys() - {LUCK}), LUCK]

    def at(self, swapped: Collection[str]) -> Array:
        """The measure by path."""
        starts = range(0, self.paths, CHUNK)
        return np.concatenate([self._block(one, min(CHUNK, self.paths - one), swapped) for one in starts])

    def _block(self, first: int, count: int, swapped: Collection[str]) -> Array:
        paths = np.arange(first, first + count, dtype=np.uint64)
        other = paths + np.uint64(OTHER)
        common = MixedCommon(self.ready, self.seed, paths, other, swapped)
        source = Mixed(drawn(self.deal, common, self.seed, paths), other, swapped)
        futures = futures_of(self.deal, source, common)
        ledger = Ledger(self.deal.calendar.year_of_row, count)
        outcome = run(self.deal, (self.deal.own,), futures, price_level(self.deal, common), (ledger,))[0]
        self._seen = source.seen
        figures = deal_figures(self.ready, self.deal, outcome, "deal")
        values = next(one for key, one in figures.items() if self._is_it(key))
        if np.isnan(values).any():
            raise InputError(
                "does not exist in every future: take another measure, such as gain or npv", field="target",
                given=f"{self.wanted.party or self.wanted.role}.{self.wanted.measure}",
            )  # fmt: skip
        return values

    def _is_it(self, key: Any) -> bool:
        return self.wanted.needs(key) and key.measure == self.wanted.measure
