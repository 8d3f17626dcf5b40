"""Named deterministic cases, and the bridge in pounds from the plan to the expected value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.core.ledger import RESULTS, Ledger
from socialfinance.engine import taped
from socialfinance.engine.block import deal_figures, invested, investors
from socialfinance.engine.deal import Outcome, chances, run
from socialfinance.engine.ready import (
    PLAN,
    ReadyDeal,
    ReadyPortfolio,
    add_rows,
    drawn,
    futures_of,
    price_level,
)
from socialfinance.funds.portfolio import Case
from socialfinance.instruments.base import flat
from socialfinance.kernels.luck import LUCK
from socialfinance.kernels.returns import STATUS_NAMES
from socialfinance.measures.paths import Key, fund_investors, net_of, sum_rows
from socialfinance.measures.statistics import Row
from socialfinance.programmes.futures import Futures, cut
from socialfinance.scenarios.common import Common, Shock
from socialfinance.scenarios.dependence import CommonShock
from socialfinance.scenarios.distributions import plan_of
from socialfinance.scenarios.sources import Certain, Drawn

STAGES = ("uncertain inputs and caps", "delivery failure", "common shock", "early end by chance")
"""What is let in one after the other between the plan and the expected value."""
EXITS = STAGES.index("early end by chance")
ENDS = "exits."
"""How names of draws begin by which contracts end."""
StageValues = dict[tuple[str, str, str], NDArray[np.float64]]
"""By party, role and measure, pounds over the life, ``(path,)``."""
BREAK_EVEN_STEPS = 32
"""Into which the scale of prices is cut, twice over: break-even is found to 1 / 32^2."""


def run_case(
    ready: ReadyPortfolio, deal: ReadyDeal, case: Case, field: str, journal: bool = False
) -> Outcome:
    """One deal in one deterministic case, counts at their expected value, on floats."""
    source = Certain(deal.programme.programme.drivers, case.quantile, case.set)
    common = ready.common(0, None)
    futures = futures_of(deal, source, common)
    ledger = Ledger(deal.calendar.year_of_row, 1, journal)
    outcome = run(deal, (deal.own,), futures, price_level(deal, common), (ledger,))[0]
    source.check_all_used(field)
    return outcome


class DealCases(NamedTuple):
    """What is found of a deal beside its paths."""

    deal: int
    """its place among the deals of the portfolio"""
    rows: list[Row]
    """of its plan, named cases and break-even, and of the bridge"""
    plan: tuple[np.ndarray, np.ndarray]
    """what investors pay in and get back in the plan, ``(row, 1)``"""


def deal_cases(ready: ReadyPortfolio, place: int, seed: int, paths: int) -> DealCases:
    """The plan, named cases and break-even of the deal in ``place``; its bridge over ``paths`` futures."""
    deal = ready.deals[place]
    planned = run_case(ready, deal, PLAN, f"deals.{deal.name}.cases.plan.set")
    rows = list(_case_rows("plan", deal_figures(ready, deal, planned, "deal")))
    for name, case in deal.deal.cases.items():
        outcome = run_case(ready, deal, case, f"deals.{deal.name}.cases.{name}.set")
        rows += _case_rows(name, deal_figures(ready, deal, outcome, "deal"))
    rows += break_even_rows(ready, deal)
    rows += bridge_rows(ready, deal, planned, seed, paths)
    return DealCases(place, rows, planned.ledger.of_role("investor"))


def fund_plan_rows(ready: ReadyPortfolio, cases: Iterable[DealCases]) -> Iterator[Row]:
    """Figures of the fund's investors in the plan of every deal."""
    rows = ready.calendar.quarters + 1
    paid_in, back = np.zeros((rows, 1)), np.zeros((rows, 1))
    for one in sorted(cases, key=lambda one: one.deal):
        for total, flows in zip((paid_in, back), one.plan, strict=True):
            add_rows(total, ready.deals[one.deal], flows)
    if paid_in.any():
        yield from _case_rows("plan", fund_investors(paid_in, back, ready.discount))


def _case_rows(case: str, figures: dict[Key, np.ndarray]) -> Iterator[Row]:
    for key, values in figures.items():
        if key.measure != "irr_status":
            yield _case_row(key, case, float(values[0]), figures)


def break_even_rows(ready: ReadyPortfolio, deal: ReadyDeal) -> Iterator[Row]:
    """The share of planned payments by results at which a deal's investors just get their money back.

    Every outcome price of the plan case, and what is verified of every saving, is scaled by the same number,
    costs and people as planned and early ends as the terms have them; the number is the least of steps of
    1 / ``BREAK_EVEN_STEPS`` squared at which they do not lose a penny. Figure: payments for outcomes and out
    of savings there over those of the plan.
    """
    funders = investors(deal)
    if not funders or not deal.planned_payments > 0.0:
        return
    value = _break_even(ready, deal)
    yield Row(
        "deal", deal.name, " and ".join(funders), "investor", "", "break_even_paid_over_plan", "plan",
        value, None, "fraction", "ok" if value is not None else "investors lose money even in the plan", 1.0,
    )  # fmt: skip


def _break_even(ready: ReadyPortfolio, deal: ReadyDeal) -> float | None:
    """Payments by results over plan at the least scale that gives investors their money back, else None."""
    low, high, share = 0.0, 1.0, 0.0
    for _ in range(2):
        scales = np.linspace(low, high, BREAK_EVEN_STEPS + 1)
        ledger = _priced_at(ready, deal, scales).ledger
        enough = np.flatnonzero(invested(ledger).sum(axis=0) >= -HALF_A_PENNY)
        if not enough.size:
            return None
        least = int(enough[0])
        nothing = np.zeros((1, scales.size))
        paid = sum((nothing + ledger.of(reason=why)).sum(axis=0)[least] for why in sorted(RESULTS))
        low, high, share = float(scales[max(least - 1, 0)]), float(scales[least]), float(paid)
    return share / deal.planned_payments


def _priced_at(ready: ReadyPortfolio, deal: ReadyDeal, scale: np.ndarray) -> Outcome:
    """The plan case with outcome prices, and what is verified of every saving, scaled: a path a scale."""
    common, drivers = ready.common(0, None), deal.programme.programme.drivers
    measured = {
        f"instrument.{one.name}": scale * plan_of(one.given, drivers)
        for one in flat(deal.own.lowered.draws)
        if one.name == "savings.error"
    }
    futures = futures_of(deal, Certain(drivers, given=measured, variants=scale.size), common)
    level = [scale * one for one in price_level(deal, common)]
    return run(deal, (deal.own,), futures, level, (Ledger(deal.calendar.year_of_row, scale.size),))[0]


def _case_row(key: Key, name: str, value: float, figures: dict[Key, np.ndarray]) -> Row:
    exists, status = value == value, "ok"
    if not exists:
        status = "does not exist"
        if key.measure == "irr":
            code = figures[key._replace(measure="irr_status", unit="code")][0]
            status = f"no IRR: {STATUS_NAMES[int(code)]}"
    return Row(
        key.scope, key.deal, key.party, key.role, key.financial_year, key.measure, name,
        value if exists else None, None, key.unit, status, 1.0,
    )  # fmt: skip


def bridge_rows(
    ready: ReadyPortfolio, deal: ReadyDeal, planned: Outcome, seed: int, paths: int
) -> Iterator[Row]:
    """From the plan to the expected value in pounds: investor's gain and commissioner's net cost.

    Stages are let in one by one on the same ``paths`` futures, so the steps add up exactly to the mean over
    those futures; a stage is run where it changes what is drawn, and elsewhere is what the one before was.
    ``planned`` is the deal in its plan case.
    """
    numbers = np.arange(paths, dtype=np.uint64)
    common = ready.common(seed, numbers)
    calm = copy(common)
    calm.shock = Shock()
    shocks = any(isinstance(factor, CommonShock) for factor in ready.portfolio.factors.values())
    fails = getattr(deal.programme.programme, "failure", None) is not None
    exits = any(one.name.startswith(ENDS) for one in flat(deal.own.lowered.draws))
    source, level = drawn(deal, common, seed, numbers), price_level(deal, common)
    before = _stage_values(deal, planned)
    for target, value in before.items():
        yield _bridge_row(deal, target, "plan", float(value.mean()), paths)
    last = None
    for count, (stage, matters) in enumerate(zip(STAGES, (True, fails, shocks, exits), strict=True)):
        after = before
        if matters:
            futures = _with_stages(deal, source, common if count > 1 else calm, count)
            changed = np.full(paths, True) if last is None else differ(last, futures, paths)
            if count == EXITS:
                changed |= struck(deal, source, paths)
            after, last = _once_more(deal, futures, level, changed, before), futures
        for target, value in after.items():
            yield _bridge_row(deal, target, stage, float(value.mean() - before[target].mean()), paths)
        before = after
    for target, value in before.items():
        yield _bridge_row(deal, target, "expected", float(value.mean()), paths)


def _once_more(
    deal: ReadyDeal, futures: Futures, level: Sequence[Any], changed: NDArray[np.bool_], before: StageValues
) -> StageValues:
    """A stage run on the paths that it changes."""
    found = {target: value + np.zeros(changed.size) for target, value in before.items()}
    if changed.any():
        ledger = Ledger(deal.calendar.year_of_row, int(changed.sum()))
        if not changed.all():
            futures, level = futures.on(changed), cut(list(level), changed)
        outcome = taped.run(deal, (deal.own,), futures, level, (ledger,), learn=False)[0]
        for target, value in _stage_values(deal, outcome).items():
            found[target][changed] = value
    return found


def differ(one: Futures, other: Futures, paths: int) -> NDArray[np.bool_]:
    """On which paths anything was drawn otherwise, from sources that give people the same luck."""
    mine, theirs = vars(one), vars(other)
    names = (mine.keys() | theirs.keys()) - {"ready", "source"}
    return _differ([mine.get(name) for name in names], [theirs.get(name) for name in names], paths)


def struck(deal: ReadyDeal, source: Drawn, paths: int) -> NDArray[np.bool_]:
    """On which paths the contract ends by chance in some row, if it runs until then."""
    found = np.zeros(paths, dtype=bool)
    ends = {
        name: by_row
        for name, by_row in chances(deal.own.lowered, source.rows).items()
        if name.startswith(ENDS)
    }
    for name, u in source.by_chance(ends).items():
        found |= (u < np.array(ends[name])[:, None]).any(axis=0)
    return found


def _differ(one: Any, other: Any, paths: int) -> NDArray[np.bool_]:
    found = np.zeros(paths, dtype=bool)
    if one is other or isinstance(one, LUCK):
        return found
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        one, other = list(one.values()), list(other.values())
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)) and len(one) == len(other):
        for mine, theirs in zip(one, other, strict=True):
            found |= _differ(mine, theirs, paths)
        return found
    unlike = np.asarray(one != other)
    return found | (unlike.reshape(-1, paths).any(axis=0) if unlike.ndim else unlike)


def _with_stages(deal: ReadyDeal, source: Drawn, common: Common, last: int) -> Futures:
    """What a deal draws with what is let in up to the stage in place ``last``."""
    programme = deal.programme
    if last < 1 and getattr(programme.programme, "failure", None) is not None:
        plain = programme.programme.model_copy(update={"failure": None})
        programme = programme._replace(programme=plain)
    if last < EXITS:
        source = NoExits(source)
    made: Futures = futures_of(replace(deal, programme=programme), source, common)
    return made


class NoExits(Drawn):
    """The same streams, but no contract ends by chance."""

    def __init__(self, source: Drawn) -> None:
        vars(self).update(vars(source))

    def by_chance(self, chances: Mapping[str, Sequence[float]]) -> Mapping[str, Any]:
        """Ones where an early end would be drawn."""
        others = {name: by_row for name, by_row in chances.items() if not name.startswith(ENDS)}
        never = np.ones((self.rows, len(self.paths)))
        return {**dict.fromkeys(chances, never), **super().by_chance(others)}


def _stage_values(deal: ReadyDeal, outcome: Outcome) -> StageValues:
    ledger, found = outcome.ledger, {}
    funders = investors(deal)
    if funders:
        found[" and ".join(funders), "investor", "gain"] = sum_rows(invested(ledger))
    council = deal.council
    if council:
        found[" and ".join(council), "commissioner", "net_cost"] = -sum_rows(net_of(ledger, council))
    return found


def _bridge_row(deal: ReadyDeal, target: tuple[str, str, str], stage: str, value: float, paths: int) -> Row:
    party, role, measure = target
    return Row(
        "deal", deal.name, party, role, "", f"bridge: {measure}", stage, value, None, "pounds",
        f"over {paths} paths", 1.0,
    )  # fmt: skip
