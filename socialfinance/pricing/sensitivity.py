"""Which inputs a figure hangs on: every input with its range and origin, and each one alone at its ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from socialfinance.core.errors import InputError, field_path
from socialfinance.core.origins import Heard, Place
from socialfinance.core.terms import said_of
from socialfinance.engine.ready import ReadyPortfolio, prepare, walk
from socialfinance.funds.portfolio import Portfolio
from socialfinance.funds.terms_at import with_terms
from socialfinance.kernels.luck import uniform_block
from socialfinance.pricing.effects import Effect, Effects, first_and_total, sobol
from socialfinance.pricing.paired import Reader, Reading, named
from socialfinance.pricing.vary import limits_of
from socialfinance.scenarios.dependence import GaussianFactor
from socialfinance.scenarios.distributions import DriverRef, is_certain, plan_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "inputs_of", "Input", "tornado", "Tornado", "Bar",
    "sobol", "first_and_total", "Effects", "Effect",
]  # fmt: skip
Origin = Literal["sourced", "illustrative", "unverified", "unsaid"]
EITHER_WAY = 0.2
"""The default range of a plain number: the plan less and plus this share of it."""
ENDS = (0.05, 0.95)
"""Quantiles at the ends of the range of a distribution."""
SCREEN = 512
"""Paths over which all inputs are tried, to choose those that are run on all paths."""
OF_A_DEAL = ("programme", "instrument", "tariff")
SHARED = ("indices", "factors", "discount")
DEFAULT = "default, plan -20% to +20%"
WHOLE = "default, plan -20% to +20%, at least 1 either way"
OWN = "its own 5% to 95%"
HALF_WAY = "5% to 95% of its value half-way through"
NIL = "nil in the plan, so it has no default range"


class Input(NamedTuple):
    """One numeric input of the file."""

    path: str
    plan: float
    """of a list of numbers their mean"""
    low: float
    high: float
    range_is: str
    """where low and high come from"""
    uncertain: bool
    origin: Origin
    source: str | None
    given: Any
    """what stands there: a number, a list of numbers, or a distribution"""

    @property
    def varies(self) -> bool:
        """Whether it has a range."""
        return self.low < self.high

    def at(self, value: float) -> Any:
        """What stands there for one value: the plan of what is uncertain stays as it was."""
        if isinstance(self.given, tuple):
            moved = (one * value / self.plan for one in self.given)
            return tuple(
                round(x) if isinstance(one, int) else x for one, x in zip(self.given, moved, strict=True)
            )
        if isinstance(self.given, int):
            return int(value)
        if isinstance(self.given, float):
            return value
        return {"distribution": "fixed", "value": value, "plan": self.plan}


class Bar(NamedTuple):
    """A figure with one input alone at its ends."""

    path: str
    plan: float
    low: float
    high: float
    range_is: str
    origin: Origin
    at_low: float
    at_plan: float
    at_high: float
    swing: float
    """at high less at low"""
    standard_error: float | None
    """of the swing, paired"""

    @property
    def reach(self) -> float:
        """The widest of the three apart: what bars are ranked by."""
        values = (self.at_low, self.at_plan, self.at_high)
        return max(values) - min(values)


@dataclass(frozen=True)
class Tornado:
    """Inputs by how far they move a figure, the furthest first."""

    figure: str
    unit: str
    value: float
    standard_error: float | None
    bars: tuple[Bar, ...]
    screened: tuple[Bar, ...]
    """inputs that were tried on few paths only, as these moved the figure less"""
    left_out: tuple[tuple[str, str], ...]
    """path and reason: nil in the plan, or refused away from it"""
    paths: int
    screen_paths: int
    seed: int
    runs: int
    """times that futures were run, those of the screen included"""

    @property
    def table(self) -> pd.DataFrame:
        """One row an input, those of the screen last, with how many paths it was run on."""
        import pandas as pd

        rows = [{**one._asdict(), "paths": self.paths} for one in self.bars]
        rows += [{**one._asdict(), "paths": self.screen_paths} for one in self.screened]
        return pd.DataFrame(rows, columns=[*Bar._fields, "paths"])


# --- the inputs of a file -----------------------------------------------------------------------------


def inputs_of(ready: ReadyPortfolio, deal: str | None = None) -> tuple[Input, ...]:
    """Every number that was given, with its plan, its range, and where it comes from.

    A distribution ranges over its own 5% to 95%, a process over those of its value half-way through; a plain
    number from 20% below plan to 20% above, a whole number at least 1 either way, both within what the file
    may say; a list of numbers is one input, moved together. With a deal: its own inputs and the shared ones.
    """
    portfolio = ready.portfolio
    if deal is not None and deal not in portfolio.deals:
        known = ", ".join(portfolio.deals)
        raise InputError("is not a deal of this portfolio", field="deal", given=deal, allowed=known)
    return tuple(_input(portfolio, *one) for one in _numbers(portfolio) if _belongs(one[0], deal))


def _numbers(portfolio: Portfolio) -> Iterator[tuple[Place, Any, Heard]]:
    """Numbers, lists of numbers and distributions as they were given; nothing inside a distribution."""
    within: Place | None = None
    for place, value, heard in said_of(portfolio):
        if within is not None and place[: len(within)] == within:
            continue
        if isinstance(value, DriverRef) or _is_number(value) or _is_list(value) or _is_distribution(value):
            within = place
            if not isinstance(value, DriverRef):
                yield place, value, heard


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_list(value: Any) -> bool:
    return isinstance(value, tuple) and bool(value) and all(_is_number(one) for one in value)


def _is_distribution(value: Any) -> bool:
    return hasattr(value, "quantile") or hasattr(value, "plan_path")


def _belongs(place: Place, deal: str | None) -> bool:
    """Whether it is an input of the run: terms of a deal, what is shared, or the fund."""
    if place[0] == "deals":
        return deal in (None, place[1]) and place[2] in OF_A_DEAL
    return place[0] in SHARED or (place[0] == "fund" and deal is None)


def _input(portfolio: Portfolio, place: Place, value: Any, heard: Heard) -> Input:
    path = field_path(place)
    plan = float(np.mean(value)) if isinstance(value, tuple) else plan_of(value)
    low, high, range_is = _range(portfolio, path, value, plan)
    origin: Origin = "unverified" if heard.unverified is not None else heard.origin or "unsaid"
    uncertain = _is_distribution(value) and not is_certain(value)
    return Input(path, plan, low, high, range_is, uncertain, origin, heard.source, value)


def _range(portfolio: Portfolio, path: str, value: Any, plan: float) -> tuple[float, float, str]:
    if _is_distribution(value) and not is_certain(value):
        return _own_range(portfolio, value)
    if isinstance(value, int):
        low, high = _limited(
            portfolio, path, min(round(plan * 0.8), value - 1), max(round(plan * 1.2), value + 1)
        )
        return low, high, WHOLE
    if plan == 0.0:
        return plan, plan, NIL
    low, high = sorted((plan * (1.0 - EITHER_WAY), plan * (1.0 + EITHER_WAY)))
    if isinstance(value, tuple):
        return low, _least_top(portfolio, path, value, plan, high), DEFAULT
    low, high = _limited(portfolio, path, low, high)
    return low, _top(portfolio, path, value, plan, high), DEFAULT


def _own_range(portfolio: Portfolio, value: Any) -> tuple[float, float, str]:
    if hasattr(value, "plan_path"):
        u = uniform_block(1, 1, range(portfolio.quarters + 1), np.arange(4096, dtype=np.uint64))
        low, high = np.quantile(value.path(u)[portfolio.quarters // 2], ENDS)
        return float(low), float(high), HALF_WAY
    low, high = value.quantile(np.array(ENDS))
    if low == high:  # a rare value of a few
        low, high = value.quantile(np.array([1e-9, 1.0 - 1e-9]))
    return float(low), float(high), OWN


def _limited(portfolio: Portfolio, path: str, low: float, high: float) -> tuple[float, float]:
    """Within what the models allow of the number."""
    least, most = limits_of(portfolio, path)
    low, high = float(low), float(high)
    return (low if least is None else max(low, least)), (high if most is None else min(high, most))


def _top(portfolio: Portfolio, path: str, value: Any, plan: float, high: float) -> float:
    """The high end; 1 of a fraction, which the file refuses above it."""
    if not 0.0 < plan <= 1.0 < high:
        return high
    return high if _takes(portfolio, path, high if isinstance(value, float) else _fixed(high)) else 1.0


def _least_top(portfolio: Portfolio, path: str, value: tuple[Any, ...], plan: float, high: float) -> float:
    """The high end of a list, at which none of its fractions is refused."""
    if not 0.0 < max(value) <= 1.0 < max(value) * (1.0 + EITHER_WAY):
        return high
    whole = tuple(one * high / plan for one in value)
    return high if _takes(portfolio, path, whole) else plan / max(value)


def _fixed(value: float) -> dict[str, Any]:
    return {"distribution": "fixed", "value": value}


def _takes(portfolio: Portfolio, path: str, value: Any) -> bool:
    try:
        with_terms(portfolio, {path: value})
    except InputError:
        return False
    return True


# --- each input alone at its ends -----------------------------------------------------------------------


def tornado(
    portfolio: Portfolio,
    target: str,
    paths: int = 10_000,
    seed: int = 1,
    deal: str | None = None,
    count: int = 12,
) -> Tornado:
    """A figure with each input alone at the low and the high end of its range, on the same draws.

    ``target`` is ``[deal:]party-or-role.measure.statistic``. Inputs are those of the figure's deal, or of
    ``deal``, and the shared ones; of a figure of the fund without ``deal``, those of the fund and the shared
    ones (all, in a file of one deal). All are tried on the first 512 paths; the ``count`` that move the
    figure most are run on all of them. A plain number is changed as ``--set`` would: the plan moves, and with
    it what is sized by the plan. What is uncertain is fixed there, and its plan stays.
    """
    if count < 1:
        raise InputError("at least one input", field="count", given=count, allowed="1 or more")
    reader = Reader(portfolio, [target], paths, seed, deal or "")
    inputs = _inputs_for(portfolio, reader, deal)
    left_out = [(one.path, one.range_is) for one in inputs if not one.varies]
    inputs = [one for one in inputs if one.varies]
    few = min(SCREEN, paths)
    tried = _bars(portfolio, reader, inputs, few, left_out)
    chosen = [bar for bar in tried[:count] if bar.reach > 0.0]
    bars, names = chosen, {bar.path for bar in chosen}
    if few < paths:
        bars = _bars(portfolio, reader, [one for one in inputs if one.path in names], paths, left_out)
    whole = reader.read(portfolio)[0]
    if whole.value is None:
        raise InputError("does not exist in these futures", field="target", given=target)
    return Tornado(
        named(whole.wanted), whole.wanted.unit, whole.value, whole.standard_error, tuple(bars),
        tuple(bar for bar in tried if bar.path not in names), tuple(left_out), paths, few, seed, reader.runs,
    )  # fmt: skip


def _inputs_for(portfolio: Portfolio, reader: Reader, deal: str | None) -> Sequence[Input]:
    """Inputs of the deal concerned; of the fund alone where the figure is of no one deal."""
    mine = deal or (reader.deals[0] if reader.deals else None)
    if mine is None and len(portfolio.deals) > 1:
        ready = prepare(portfolio)
        return [one for one in inputs_of(ready) if not one.path.startswith("deals.")]
    return inputs_of(prepare(portfolio, mine), mine)


def _bars(
    portfolio: Portfolio, reader: Reader, inputs: Sequence[Input], paths: int, left_out: list[tuple[str, str]]
) -> list[Bar]:
    """A bar of each input over some paths, the widest first; what is refused goes to ``left_out``."""
    plan = reader.read(portfolio, paths)[0]
    found = []
    for one in inputs:
        try:
            low, high = (
                reader.read(_changed(portfolio, one, value), paths)[0] for value in (one.low, one.high)
            )
        except InputError as error:
            left_out.append((one.path, f"refused at an end of its range: {error.problem}"))
            continue
        bar = _bar(one, low, plan, high)
        if bar is None:
            left_out.append((one.path, "the figure does not exist at an end of its range"))
        else:
            found.append(bar)
    return sorted(found, key=lambda bar: (-bar.reach, bar.path))


def _bar(one: Input, low: Reading, plan: Reading, high: Reading) -> Bar | None:
    at_low, at_plan, at_high = low.value, plan.value, high.value
    if at_low is None or at_plan is None or at_high is None:
        return None
    return Bar(
        one.path, one.plan, one.low, one.high, one.range_is, one.origin, at_low, at_plan, at_high,
        at_high - at_low, high.less(low).standard_error,
    )  # fmt: skip


def _changed(portfolio: Portfolio, one: Input, value: float) -> Portfolio:
    return without_idle_factors(with_terms(portfolio, {one.path: one.at(value)}))


def without_idle_factors(portfolio: Portfolio) -> Portfolio:
    """Without the Gaussian factors on which nothing loads any more once an input is fixed."""
    loaded: set[str] = set()
    for holder in (portfolio.deals, portfolio.indices):
        for _, value in walk(holder):
            loaded |= set(getattr(value, "loadings", None) or ())
    factors = {
        name: one
        for name, one in portfolio.factors.items()
        if not isinstance(one, GaussianFactor) or name in loaded
    }
    return portfolio.model_copy(update={"factors": factors})


def origins(inputs: Sequence[Input]) -> Mapping[str, int]:
    """How many inputs come from where."""
    return {name: sum(one.origin == name for one in inputs)
            for name in ("sourced", "illustrative", "unverified", "unsaid")}  # fmt: skip
