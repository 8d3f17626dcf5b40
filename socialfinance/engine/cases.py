"""Named deterministic cases, and the bridge in pounds from the plan to the expected value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import copy
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from socialfinance.core.ledger import RESULTS, Ledger
from socialfinance.engine import taped
from socialfinance.engine.block import deal_figures, invested, investors
from socialfinance.engine.deal import Outcome, run
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
from socialfinance.kernels.returns import STATUS_NAMES
from socialfinance.measures.paths import PENNY, Key, fund_investors, net_of
from socialfinance.measures.statistics import Row
from socialfinance.scenarios.common import Common, Shock
from socialfinance.scenarios.dependence import CommonShock
from socialfinance.scenarios.distributions import plan_of
from socialfinance.scenarios.sources import Certain, Drawn

STAGES = ("uncertain inputs and caps", "delivery failure", "common shock", "early end by chance")
"""What is let in one after the other between the plan and the expected value."""
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
        enough = np.flatnonzero(invested(ledger).sum(axis=0) >= -PENNY)
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
    those futures. ``planned`` is the deal in its plan case.
    """
    numbers = np.arange(paths, dtype=np.uint64)
    common = ready.common(seed, numbers)
    calm = copy(common)
    calm.shock = Shock()
    shocks = any(isinstance(factor, CommonShock) for factor in ready.portfolio.factors.values())
    fails = getattr(deal.programme.programme, "failure", None) is not None
    exits = any(one.name.startswith("exits.") for one in flat(deal.own.lowered.draws))
    before = _stage_values(deal, planned)
    yield from (_bridge_row(deal, target, "plan", value, paths) for target, value in before.items())
    for count, (stage, matters) in enumerate(zip(STAGES, (True, fails, shocks, exits), strict=True)):
        after = before
        if matters:
            source = drawn(deal, common, seed, numbers)
            after = _stage_values(deal, _with_stages(deal, source, common if count > 1 else calm, count))
        for target, value in after.items():
            yield _bridge_row(deal, target, stage, value - before[target], paths)
        before = after
    yield from (_bridge_row(deal, target, "expected", value, paths) for target, value in before.items())


def _with_stages(deal: ReadyDeal, source: Drawn, common: Common, last: int) -> Outcome:
    """A deal with what is let in up to the stage in place ``last``."""
    programme = deal.programme
    if last < 1 and getattr(programme.programme, "failure", None) is not None:
        plain = programme.programme.model_copy(update={"failure": None})
        programme = programme._replace(programme=plain)
    if last < 3:
        source = NoExits(source)
    limited = replace(deal, programme=programme)
    futures = futures_of(limited, source, common)
    ledger = Ledger(deal.calendar.year_of_row, len(source.paths))
    return taped.run(deal, (deal.own,), futures, price_level(deal, common), (ledger,), learn=False)[0]


class NoExits(Drawn):
    """The same streams, but no contract ends by chance."""

    def __init__(self, source: Drawn) -> None:
        vars(self).update(vars(source))

    def uniforms(self, name: str) -> np.ndarray:
        """Ones where an early end would be drawn."""
        if name.startswith("exits."):
            return np.ones((self.rows, len(self.paths)))
        return np.asarray(super().uniforms(name))


def _stage_values(deal: ReadyDeal, outcome: Outcome) -> dict[tuple[str, str, str], float]:
    ledger, found = outcome.ledger, {}
    funders = investors(deal)
    if funders:
        gain = invested(ledger).sum(axis=0).mean()
        found[" and ".join(funders), "investor", "gain"] = float(gain)
    council = deal.council
    if council:
        cost = -net_of(ledger, council).sum(axis=0).mean()
        found[" and ".join(council), "commissioner", "net_cost"] = float(cost)
    return found


def _bridge_row(deal: ReadyDeal, target: tuple[str, str, str], stage: str, value: float, paths: int) -> Row:
    party, role, measure = target
    return Row(
        "deal", deal.name, party, role, "", f"bridge: {measure}", stage, value, None, "pounds",
        f"over {paths} paths", 1.0,
    )  # fmt: skip
