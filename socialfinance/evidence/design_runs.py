"""What a bigger control group is worth, by the engine itself: the deal run again with other controls.

Every size of the control group meets the same futures: only the size of the evaluation error differs. Beside
each stands the same deal under an evaluation without error, whose payments follow the truth: what is paid
above that is the payers' loss by the evaluation, what is paid below it the investors'. These two are what a
bigger group makes smaller; expected payment may go either way, and what one side gains by it the other loses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.core.errors import InputError
from socialfinance.core.ledger import RESULTS, Ledger
from socialfinance.core.parties import PUBLIC
from socialfinance.engine.accumulate import FINE, UNIT
from socialfinance.engine.deal import run
from socialfinance.engine.ready import (
    ReadyDeal,
    ReadyPortfolio,
    drawn,
    futures_of,
    prepare,
    price_level,
)
from socialfinance.evidence.counted import check_fits
from socialfinance.evidence.design import Design, Risk, design_of, risk_of
from socialfinance.funds.terms_at import with_terms
from socialfinance.measures.paths import Key, investor_figures, lives_of, sum_rows, together
from socialfinance.measures.sample import EQUAL
from socialfinance.measures.statistics import expected_flow_irr

Array = NDArray[np.float64]
CHUNK = 8 * UNIT
RATIOS = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
"""Controls for each planned person, where no sizes are given."""
BIAS = "effect.matching bias"
"""The name of the stream that the bias of matching is drawn from."""


class Estimate(NamedTuple):
    """A figure and its standard error."""

    value: float | None
    standard_error: float | None


@dataclass
class Paths:
    """One deal under one evaluation ``(path,)``, pounds."""

    paid: Array
    """for results, by all payers, undiscounted"""
    npv: Array
    """of the investors' flows"""
    lost: Array
    """1 where investors have back less than they paid in"""
    net_cost_pv: Array
    """of all public bodies"""
    invested: Array
    """``(unit, row)`` sums of the investors' net flows"""
    people: Array
    """``(cohort, path)``: people in each cohort when it is reported"""


@dataclass(frozen=True)
class Engine:
    """One size of the control group by the engine."""

    controls: float
    false_payment: Estimate
    """chance that anything is paid, the true effect nil"""
    missed_payment: Estimate
    """chance that nothing is paid, the true effect as planned"""
    paid: Estimate
    """chance that anything is paid, the true effect as uncertain as the file says"""
    expected: Estimate
    """payment for results"""
    sd: float
    over: Estimate
    """payment above that for the truth"""
    under: Estimate
    """payment below it"""
    investor_npv: Estimate
    investor_npv_sd: float
    investor_irr: Estimate
    """of the expected flows"""
    investor_loss: Estimate
    """chance of one"""
    net_cost_pv: Estimate
    """of all public bodies"""
    net_cost_pv_sd: float


@dataclass(frozen=True)
class Worth:
    """What one size is worth over the smallest of the table, on the same futures: pounds."""

    controls: float
    to_payers: Estimate
    """less paid above the truth"""
    to_investors: Estimate
    """less unpaid below the truth"""
    together: Estimate
    investor_npv: Estimate
    """what it adds to the investors' NPV"""
    net_cost_pv: Estimate
    """what it adds to the net cost of all public bodies, present value"""
    cost: float | None
    """of the controls more; None where no cost a control was given"""

    @property
    def net(self) -> float | None:
        """Together less their cost."""
        return None if self.cost is None or self.together.value is None else self.together.value - self.cost


@dataclass(frozen=True)
class Study:
    """An evaluation design looked at from all sides."""

    deal: str
    design: Design
    """as the file has it, with the people expected at the reports"""
    risks: tuple[Risk, ...]
    engine: tuple[Engine, ...]
    worth: tuple[Worth, ...]
    paths: int
    seed: int
    cost_per_control: float | None

    @property
    def best(self) -> Worth | None:
        """The size of the table with the greatest worth net of cost; None where no cost was given."""
        priced = [one for one in self.worth if one.net is not None]
        return max(priced, key=lambda one: one.net or 0.0) if priced else None


def study(
    ready: ReadyPortfolio, deal: ReadyDeal, controls: Sequence[float] = (), paths: int = 10_000,
    seed: int = 1, bias: float = 0.0, cost_per_control: float | None = None,
) -> Study:  # fmt: skip
    """The design of a deal's file, and its payment risk with other numbers of controls.

    ``controls``: totals over all cohorts, shared by planned people; default ``RATIOS`` times the planned
    people; the file's own is always there. ``bias``: standard deviation of what matching leaves (a relative
    fall). ``cost_per_control``: pounds. InputError where the deal has no measured effect that is paid for.
    """
    if cost_per_control is not None and cost_per_control < 0.0:
        raise InputError("must not be below 0", field="cost per control", given=cost_per_control)
    if paths < 2:
        raise InputError("must be at least 2", field="paths", given=paths)
    planned = design_of(deal, bias=bias)
    check_fits(paths, (len(planned.cohorts) + 6) * (len(controls or RATIOS) + 5))
    own = run_paths(ready, deal, paths, seed, bias)
    design = design_of(deal, people_reported(own, planned), bias)
    sizes = sorted({*(float(one) for one in controls or usual_sizes(design)), float(design.controls)})
    truly = run_paths(ready, deal, paths, seed, exact=True)
    engine: list[Engine] = []
    apart: dict[float, Array] = {}
    runs: dict[float, Paths] = {}
    for size in sizes:
        with_size = resized(ready, deal, design, size)
        mine = own if size == design.controls else run_paths(*with_size, paths, seed, bias)
        nil = run_paths(*with_size, paths, seed, bias, truth=0.0)
        planned_truth = run_paths(*with_size, paths, seed, bias, truth=design.plan)
        apart[size], runs[size] = mine.paid - truly.paid, mine
        engine.append(_engine(size, mine, nil, planned_truth, apart[size]))
    risks = tuple(risk_of(design.with_controls(size)) for size in sizes)
    least = sizes[0]
    worth = tuple(
        Worth(
            size,
            *_less_wrong(apart[size], apart[least]),
            _mean(runs[size].npv - runs[least].npv),
            _mean(runs[size].net_cost_pv - runs[least].net_cost_pv),
            None if cost_per_control is None else cost_per_control * (size - least),
        )
        for size in sizes
    )
    return Study(deal.name, design, risks, tuple(engine), worth, paths, seed, cost_per_control)


def usual_sizes(design: Design) -> list[float]:
    """``RATIOS`` times the planned people, whole numbers; none within 5% of the file's own size."""
    some = (float(round(ratio * design.people)) for ratio in RATIOS)
    return [one for one in some if one > 0.0 and abs(one / design.controls - 1.0) > 0.05]


def resized(
    ready: ReadyPortfolio, deal: ReadyDeal, design: Design, controls: float
) -> tuple[ReadyPortfolio, ReadyDeal]:
    """The portfolio and the deal with so many controls in all."""
    at = f"deals.{deal.name}.programme.effect.cohorts"
    sized = {f"{at}.{one.name}.controls": one.controls for one in design.with_controls(controls).cohorts}
    again = prepare(with_terms(ready.portfolio, sized), deal.name)
    return again, again.deals[0]


def people_reported(run_of: Paths, design: Design) -> list[float]:
    """Expected people in each cohort when it is reported; never nobody at all."""
    means = run_of.people.mean(axis=1)
    if not means.sum() > 0.0:
        return [one.people for one in design.cohorts]
    return [float(mean) for mean in means]


def run_paths(
    ready: ReadyPortfolio, deal: ReadyDeal, paths: int, seed: int, bias: float = 0.0, exact: bool = False,
    truth: float | None = None,
) -> Paths:  # fmt: skip
    """The deal over its futures, in blocks. ``exact``: reports without error; ``truth``: this true effect."""
    parts = [
        _block(ready, deal, seed, first, min(CHUNK, paths - first), bias, exact, truth)
        for first in range(0, paths, CHUNK)
    ]
    joined: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts], axis=0 if name == "invested" else -1)
        for name in Paths.__dataclass_fields__
    }
    return Paths(**joined)


def _block(
    ready: ReadyPortfolio, deal: ReadyDeal, seed: int, first: int, size: int, bias: float, exact: bool,
    truth: float | None,
) -> Paths:  # fmt: skip
    paths = np.arange(first, first + size, dtype=np.uint64)
    common = ready.common(seed, paths)
    futures = futures_of(deal, drawn(deal, common, seed, paths), common)
    _evaluated(futures, bias, exact, truth)
    ledger = Ledger(deal.calendar.year_of_row, size)
    outcome = run(deal, (deal.own,), futures, price_level(deal, common), (ledger,))[0]
    paid = np.zeros(size)
    for why in sorted(RESULTS):
        paid += sum_rows(np.zeros((1, size)) + ledger.of(reason=why))
    paid_in, back = ledger.of_role("investor")
    mine = investor_figures(paid_in, back, ready.discount, deal.first_row)
    public = [name for name in sorted(ledger.net) if ready.parties[name].kind in PUBLIC]
    cost = -together(lives_of(ledger, ready.discount, deal.first_row), public, size).net_pv
    net = back - paid_in
    invested = np.stack([net[:, at : at + FINE].sum(axis=1) for at in range(0, size, FINE)])
    people = _reported_people(outcome.activity, size)
    lost = (mine["loss"][1] > HALF_A_PENNY).astype(float)
    return Paths(paid, mine["npv"][1], lost, cost, invested, people)


def _reported_people(activity: Sequence[Any], size: int) -> Array:
    """``(cohort, path)``: people in each cohort in the row of its report."""
    total = np.zeros((len(activity[0].people), size))
    for done in activity:
        for c, (people, measured) in enumerate(zip(done.people, done.measured, strict=True)):
            total[c] += people * measured
    return total


def _evaluated(futures: Any, bias: float, exact: bool, truth: float | None) -> None:
    """Put another truth, a bias of matching, or no error at all into the reports of these futures."""
    before = futures.true_effect
    after = before if truth is None else before * 0.0 + truth
    if exact:
        futures.reported = [before * 1.0 for _ in futures.reported]
    elif bias > 0.0:
        shift = bias * futures.source.normal(BIAS)
        futures.reported = [one + shift for one in futures.reported]
    futures.reported = [one - before + after for one in futures.reported]
    futures.true_effect = after


# --- figures ----------------------------------------------------------------------------------------


def _engine(controls: float, mine: Paths, nil: Paths, planned: Paths, apart: Array) -> Engine:
    irr = expected_flow_irr(Key("deal", "", "", "investor", "", "irr", "fraction a year"), mine.invested)
    return Engine(
        controls=controls,
        false_payment=Estimate(*EQUAL.share(nil.paid > HALF_A_PENNY)),
        missed_payment=Estimate(*EQUAL.share(planned.paid <= HALF_A_PENNY)),
        paid=Estimate(*EQUAL.share(mine.paid > HALF_A_PENNY)),
        expected=_mean(mine.paid),
        sd=float(mine.paid.std(ddof=1)),
        over=_mean(np.maximum(apart, 0.0)),
        under=_mean(np.maximum(-apart, 0.0)),
        investor_npv=_mean(mine.npv),
        investor_npv_sd=float(mine.npv.std(ddof=1)),
        investor_irr=Estimate(irr.value, irr.standard_error),
        investor_loss=Estimate(*EQUAL.share(mine.lost)),
        net_cost_pv=_mean(mine.net_cost_pv),
        net_cost_pv_sd=float(mine.net_cost_pv.std(ddof=1)),
    )


def _less_wrong(apart: Array, least: Array) -> tuple[Estimate, Estimate, Estimate]:
    """How much less is paid above the truth, below it, and both, than under the smallest group."""
    over = np.maximum(least, 0.0) - np.maximum(apart, 0.0)
    under = np.maximum(-least, 0.0) - np.maximum(-apart, 0.0)
    return _mean(over), _mean(under), _mean(over + under)


def _mean(values: Array) -> Estimate:
    return Estimate(*EQUAL.mean(values))
