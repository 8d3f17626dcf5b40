"""Figures under named stresses, alone and two together; and the likeliest way in which a limit is passed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from socialfinance.core.errors import InputError
from socialfinance.engine.deal import own_draws
from socialfinance.engine.ready import ReadyDeal, ReadyPortfolio, drawn, futures_of, prepare
from socialfinance.engine.run import CHUNK
from socialfinance.funds.portfolio import Portfolio
from socialfinance.kernels.returns import TOTAL_LOSS
from socialfinance.pricing.drivers import Scored, common_scores
from socialfinance.pricing.paired import Reader, Reading, named
from socialfinance.pricing.read import HEADLINE
from socialfinance.pricing.stresses import STRESSES, Stress, agreed
from socialfinance.pricing.targets import Target, target_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["stress", "grid", "reverse", "Stressed", "Stresses", "Shift", "Reverse", "STRESSES", "Stress"]
Array = NDArray[np.float64]
NO_CHANGE = "there is nothing here that it changes"


class Stressed(NamedTuple):
    """One figure under one stress."""

    target: str
    stress: str
    base: float | None
    value: float | None
    difference: float | None
    standard_error: float | None
    """of the difference, paired"""
    unit: str
    status: str


@dataclass(frozen=True)
class Stresses:
    """Figures under stresses, on the same futures."""

    rows: tuple[Stressed, ...]
    base_errors: Mapping[str, float | None]
    """by target: the standard error of the figure without any stress"""
    paths: int
    seed: int
    runs: int

    @property
    def table(self) -> pd.DataFrame:
        """One row a target and stress."""
        import pandas as pd

        return pd.DataFrame(self.rows, columns=list(Stressed._fields))


class Shift(NamedTuple):
    """How a driver stands in the futures that pass a limit."""

    driver: str
    mean_score: float
    """mean of its normal score over those futures; nil over all"""
    standard_error: float
    at_likeliest: float
    """its score in the most probable of those futures"""


@dataclass(frozen=True)
class Reverse:
    """The likeliest way to pass a limit."""

    target: str
    figure: str
    unit: str
    limit: float
    breaches: int
    paths: int
    seed: int
    shifts: tuple[Shift, ...]
    """the largest first; empty where no future passes the limit"""
    path: int | None
    """number of the most probable future that passes it"""
    value: float | None
    """the measure in that future"""
    distance: float | None
    """root of the sum of its squared scores"""
    missing: int = 0
    """futures in which the measure does not exist: they count as not past the limit"""

    @property
    def probability(self) -> float:
        """Share of futures that pass the limit."""
        return self.breaches / self.paths

    @property
    def standard_error(self) -> float:
        """Of the probability: sqrt(p (1 - p) / n)."""
        return float(np.sqrt(self.probability * (1.0 - self.probability) / self.paths))

    @property
    def table(self) -> pd.DataFrame:
        """One row a driver."""
        import pandas as pd

        return pd.DataFrame(self.shifts, columns=list(Shift._fields))


def stress(
    portfolio: Portfolio, targets: Sequence[str], which: Collection[str] | None = None, paths: int = 10_000,
    seed: int = 1, deal: str = "",
) -> Stresses:  # fmt: skip
    """Every target under every stress (or those named), with the difference to none on the same draws.

    A target is ``[deal:]party-or-role.measure.statistic``. Commitments stay what they were in pounds, and
    plans of uncertain inputs as they were.
    """
    names, targets = _chosen(which), list(dict.fromkeys(targets))
    base = agreed(portfolio)
    reader = Reader(base, targets, paths, seed, deal)
    plain, rows = reader.read(base), []
    for name in names:
        stressed = STRESSES[name].apply(base, 1.0)
        changed = stressed != base
        after = reader.read(stressed) if changed else plain
        rows += [
            _row(text, name, one, other, "ok" if changed else NO_CHANGE)
            for text, one, other in zip(targets, plain, after, strict=True)
        ]
    errors = {text: one.standard_error for text, one in zip(targets, plain, strict=True)}
    return Stresses(tuple(rows), errors, paths, seed, reader.runs)


def _chosen(which: Collection[str] | None) -> list[str]:
    for name in which or ():
        if name not in STRESSES:
            raise InputError("is no stress", field="stress", given=name, allowed=", ".join(STRESSES))
    return [name for name in STRESSES if which is None or name in which]


def _row(target: str, name: str, base: Reading, after: Reading, status: str) -> Stressed:
    difference, error = after.less(base)
    missing = base.value is None or after.value is None
    status = "the figure does not exist on these futures" if missing else status
    return Stressed(target, name, base.value, after.value, difference, error, base.wanted.unit, status)


def grid(
    portfolio: Portfolio, target: str, first: str, second: str, sizes: Sequence[float] = (0.0, 0.5, 1.0),
    paths: int = 10_000, seed: int = 1, deal: str = "",
) -> pd.DataFrame:  # fmt: skip
    """A figure under two stresses together, each at some multiples of its size.

    Columns: both stresses (their sizes), value, difference to neither, error (paired). ``attrs`` hold the
    unit of the figure, its error under neither, paths, seed and how often futures were run. A stress that
    cannot be graded is all there above nil.
    """
    import pandas as pd

    _chosen((first, second))
    if first == second:
        raise InputError("is named twice", field="stress", given=first)
    for size in sizes:
        if size < 0.0:
            raise InputError("must not be negative", field="sizes", given=size)
    base = agreed(portfolio)
    reader = Reader(base, [target], paths, seed, deal)
    plain, rows = reader.read(base)[0], []
    for one in sizes:
        for other in sizes:
            both = _sized(_sized(base, first, one), second, other)
            after = reader.read(both)[0]
            difference, error = after.less(plain)
            rows.append(
                {first: one, second: other, "value": after.value, "difference": difference, "error": error}
            )
    table = pd.DataFrame(rows)
    table.attrs |= {"unit": plain.wanted.unit, "error": plain.standard_error}
    table.attrs |= {"paths": paths, "seed": seed, "runs": reader.runs}
    return table


def _sized(portfolio: Portfolio, name: str, size: float) -> Portfolio:
    return STRESSES[name].apply(portfolio, size) if size > 0.0 else portfolio


# --- how a limit is passed ------------------------------------------------------------------------------


def reverse(portfolio: Portfolio, limit: str, paths: int = 10_000, seed: int = 1, deal: str = "") -> Reverse:
    """The likeliest way to pass a limit such as ``investor.loss <= 200000``, held against each future.

    Every driver has a standard normal score in each future (Φ⁻¹ of its uniform). Among the futures in which
    the measure passes the limit, the mean of each score says how far the driver must be moved; the most
    probable of them has the smallest sum of squared scores, as the density of a future is proportional to
    exp(-sum of squared scores / 2). People's own luck has no score. A statistic after the measure is not
    looked at.
    """
    target = target_of(limit, portfolio)
    if target.sign == "==":
        raise InputError("is no limit", field="reverse", given=limit, allowed="<= or >=")
    reader = _measure(portfolio, target, paths, seed, deal)
    found = reader.read(portfolio)[0]
    unit = found.wanted.unit
    values = _ranked(found)
    past = values > target.value if target.sign == "<=" else values < target.value
    missing = int(np.isnan(values).sum())
    if not past.any():
        return Reverse(
            target.text,
            named(found.wanted),
            unit,
            target.value,
            0,
            paths,
            seed,
            (),
            None,
            None,
            None,
            missing,
        )
    scores = driver_scores(portfolio, reader.deals, paths, seed)
    at, distance = _likeliest(scores, past)
    shifts = [_shift(name, score, past, at) for name, score in scores.items()]
    shifts.sort(key=lambda one: (-abs(one.mean_score), one.driver))
    return Reverse(
        target.text, named(found.wanted), unit, target.value, int(past.sum()), paths, seed, tuple(shifts), at,
        float(values[at]), distance, missing,
    )  # fmt: skip


def _ranked(found: Reading) -> Array:
    """The measure by path; of an IRR a total loss ranks -1, as in its quantiles."""
    if found.status is None:
        return found.values
    return np.where(found.status == TOTAL_LOSS, -1.0, found.values)


def _measure(portfolio: Portfolio, target: Target, paths: int, seed: int, deal: str) -> Reader:
    """Reads the measure of a target, whether or not it names a statistic."""
    try:
        return Reader(portfolio, [f"{target.figure}.{HEADLINE}"], paths, seed, deal)
    except InputError:
        return Reader(portfolio, [target.figure], paths, seed, deal)


def _shift(name: str, score: Array, past: NDArray[np.bool_], at: int) -> Shift:
    mine = score[past]
    return Shift(name, float(mine.mean()), 1.0 / float(np.sqrt(len(mine))), float(score[at]))


def _likeliest(scores: Mapping[str, Array], past: NDArray[np.bool_]) -> tuple[int, float]:
    """The path past the limit with the smallest sum of squared scores, and the root of that sum."""
    squares = np.sum([score * score for score in scores.values()], axis=0) if scores else np.zeros(len(past))
    at = int(np.argmin(np.where(past, squares, np.inf)))
    return at, float(np.sqrt(squares[at]))


def driver_scores(portfolio: Portfolio, deals: Sequence[str], paths: int, seed: int) -> dict[str, Array]:
    """Normal scores by driver ``(path,)``, of the deals named or of all; several are told apart by name."""
    ready = prepare(portfolio, deals[0] if len(deals) == 1 else None)
    parts: list[dict[str, Array]] = []
    for first in range(0, paths, CHUNK):
        block = np.arange(first, min(first + CHUNK, paths), dtype=np.uint64)
        parts.append(
            _block_scores(
                ready, [deal for deal in ready.deals if deal.name in deals or not deals], seed, block
            )
        )
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _block_scores(
    ready: ReadyPortfolio, deals: Sequence[ReadyDeal], seed: int, paths: Any
) -> dict[str, Array]:
    common = ready.common(seed, paths)
    found: dict[str, Array] = {}
    for deal in deals:
        source = Scored(drawn(deal, common, seed, paths))
        futures = futures_of(deal, source, common)
        own_draws(deal.own.lowered, source, futures.rows)
        before = f"{deal.name}: " if len(deals) > 1 else ""
        found |= {f"{before}{name}": score for name, score in source.kept.items()}
        for name, score in common_scores(ready, common, deal, source.factors).items():
            found[f"{name}{_group(ready, deal, name) if before else ''}"] = score
    return found


def _group(ready: ReadyPortfolio, deal: ReadyDeal, driver: str) -> str:
    """Whose score of a common factor a deal has: that of its theme, place or provider; empty for all's."""
    one = ready.portfolio.factors.get(driver.removeprefix("factors."))
    by = getattr(one, "by", "all")
    return "" if by == "all" else f", {deal.tags[by]}"
