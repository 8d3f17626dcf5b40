"""The terms of a people programme: who comes, what is achieved, what it costs and what it saves."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from socialfinance.core.errors import InputError
from socialfinance.core.terms import Name, Pounds, Quarters, Share, Sourced
from socialfinance.programmes.funnel import Line, ancestors
from socialfinance.scenarios.dependence import DeliveryFailure
from socialfinance.scenarios.distributions import LARGEST_MEAN, Uncertain, UncertainShare

CostReason = Literal["delivery cost", "set-up cost", "intermediary cost", "evaluation cost", "other cost"]
"""What a cost line can be for: the ledger's reasons that are costs."""


People = Annotated[float, Field(ge=0, le=LARGEST_MEAN, description="people")]


class Referrals(Sourced):
    """People referred each quarter: a planned schedule, times an uncertain volume, with random arrival.

    Either ``schedule`` (one number a quarter), or ``per_quarter`` for ``quarters`` quarters, the first of
    them at the shares in ``ramp``.
    """

    schedule: tuple[People, ...] | None = None
    """people planned in each quarter, the first quarter first"""
    per_quarter: People | None = None
    """people planned a quarter at full flow"""
    quarters: Annotated[int, Field(ge=1, le=400)] | None = None
    """how many quarters referrals are made"""
    ramp: tuple[Share, ...] = ()
    """share of full flow in the first quarters"""
    volume: Uncertain = 1.0
    """actual over planned referrals, one draw a path"""
    arrival: Literal["as planned", "random"] = "random"
    """random: gamma–Poisson about the expected number; as planned: the nearest whole number"""
    dispersion: Annotated[float, Field(ge=0, le=5)] = 0.0
    """gamma–Poisson: variance = mean + dispersion x mean squared"""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.schedule is None) == (self.per_quarter is None):
            raise ValueError("give either schedule or per_quarter (with quarters)")
        if self.per_quarter is not None and self.quarters is None:
            raise ValueError("per_quarter needs quarters")
        if len(self.ramp) > len(self.planned):
            raise ValueError("ramp is longer than the referral period")
        return self

    @property
    def planned(self) -> tuple[float, ...]:
        """Planned referrals by quarter, before volume."""
        if self.schedule is not None:
            return self.schedule
        assert self.per_quarter is not None
        flow = self.per_quarter
        return tuple(flow * (self.ramp[q] if q < len(self.ramp) else 1.0) for q in range(self.quarters or 0))


class OutcomeLine(Sourced):
    """A line of the funnel: an outcome that some of those at the line before achieve."""

    of: Name | None = None
    """the line it follows; none: everyone engaged"""
    probability: UncertainShare
    """chance of it for a person at the line before"""
    lag: Quarters = 1
    """quarters after the line before (or after starting) at which it falls"""
    verification_lag: Quarters = 0
    """quarters until it is verified and can be claimed"""
    deadweight: UncertainShare = 0.0
    """share who would have achieved it anyway: paid for, but saves nothing"""


class EvaluationCohort(Sourced):
    """People whose outcomes are measured together against a comparison group."""

    first_quarter: Annotated[int, Field(ge=1)]
    """first quarter of starting that belongs to the cohort"""
    last_quarter: Annotated[int, Field(ge=1)]
    """last quarter of starting that belongs to the cohort"""
    measured_quarter: Annotated[int, Field(ge=1)]
    """quarter at whose end the evaluator reports"""
    people: Annotated[float, Field(gt=0)]
    """planned people, which set the evaluation error"""
    controls: Annotated[float, Field(gt=0)]
    """planned people in the comparison group"""

    @model_validator(mode="after")
    def _order(self) -> Self:
        if not self.first_quarter <= self.last_quarter <= self.measured_quarter:
            raise ValueError("first_quarter, last_quarter and measured_quarter must be in this order")
        return self


class Effect(Sourced):
    """An effect measured against a counterfactual: a relative fall in events a person.

    The evaluator reports truth plus error. The error's standard deviation for a cohort of n people and m
    controls is sqrt((1/n + 1/m) x dispersion / baseline): a ratio of two event rates (delta method).
    """

    true: Uncertain
    """true relative fall, a fraction (0.10 is a 10% fall)"""
    baseline: Annotated[float, Field(gt=0)]
    """events a person without the programme"""
    dispersion: Annotated[float, Field(gt=0)] = 1.0
    """variance of events a person over their mean; one is Poisson"""
    cohorts: dict[Name, EvaluationCohort]
    """measured cohorts"""


class CostLine(Sourced):
    """A cost of the programme, paid to someone who passes it on to staff and suppliers."""

    paid_to: Literal["provider", "intermediary", "evaluator"] = "provider"
    """who is paid"""
    reason: CostReason = "delivery cost"
    """what for: delivery cost, set-up cost, intermediary cost, evaluation cost, other cost"""
    per_quarter: Pounds = 0.0
    """fixed amount each quarter from first to last quarter"""
    per_user: Pounds = 0.0
    """amount for each person who starts, in the quarter of starting"""
    one_off: Pounds = 0.0
    """amount paid once, in first_quarter"""
    schedule: tuple[Pounds, ...] | None = None
    """amounts by quarter from first_quarter, instead of per_quarter"""
    first_quarter: Annotated[int, Field(ge=0)] = 1
    """first quarter it is paid; 0 is financial close"""
    last_quarter: Annotated[int, Field(ge=0)] | None = None
    """last quarter it is paid; default the last quarter of referrals plus the longest outcome lag"""
    elasticity: Share = 0.0
    """share of the fixed amount that follows volume (starts over planned starts)"""
    response_lag: Quarters = 2
    """quarters until the fixed amount follows"""
    overrun: Uncertain = 1.0
    """actual over budgeted cost, one draw a path"""
    index: Name | None = None
    """index it follows; none: not indexed"""
    price_base: date | None = None
    """day at whose prices it is stated; default the start"""
    inside_cap: bool = True
    """met from capital and outcome income; otherwise reimbursed by the payers on top, outside every cap"""
    vat: Share = 0.0
    """VAT rate on it"""
    vat_recoverable: Share = 1.0
    """share of that VAT the vehicle recovers; a council in house recovers all"""
    basis: Literal["any", "vehicle", "in house"] = "any"
    """vehicle: only when financed from outside; in house: only when the council runs it itself"""

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.schedule is not None and self.per_quarter:
            raise ValueError("give either schedule or per_quarter")
        if self.last_quarter is not None and self.last_quarter < self.first_quarter:
            raise ValueError("last_quarter is before first_quarter")
        return self


class Saving(Sourced):
    """What an agency no longer spends on a person who achieved an outcome that would not have come anyway."""

    on: str
    """the outcome line that brings it, or 'effect' for events avoided"""
    agency: Name
    """role of the agency that saves"""
    unit_value: Uncertain
    """pounds a quarter for each person (or pounds for each event avoided), at price_base"""
    lag: Quarters = 0
    """quarters after the outcome before it starts"""
    duration: Annotated[int, Field(ge=1, le=400)] = 4
    """quarters it lasts"""
    drop_off: Share = 0.0
    """share lost a year"""
    cashable: Share = 0.0
    """share that leaves a budget as cash; the rest is capacity, kept apart as memo"""
    index: Name | None = None
    price_base: date | None = None


class Programme(Sourced):
    """A people programme, before anyone asks how it is paid for."""

    kind: Literal["people-programme"] = "people-programme"
    title: str
    referrals: Referrals
    engagement: UncertainShare = 1.0
    """chance that a person referred starts"""
    outcomes: dict[Name, OutcomeLine] = Field(default_factory=dict)
    effect: Effect | None = None
    costs: dict[Name, CostLine]
    savings: dict[Name, Saving] = Field(default_factory=dict)
    failure: DeliveryFailure | None = None
    """delivery-failure regime"""
    drivers: dict[Name, Uncertain] = Field(default_factory=dict)
    """named random numbers, used by {driver: NAME}"""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not self.outcomes and self.effect is None:
            raise ValueError("give outcomes, or an evaluated effect")
        lines = self.lines
        for name in lines:
            try:
                ancestors(lines, name)
            except InputError as error:
                raise ValueError(str(error)) from None
        for name, saving in self.savings.items():
            if saving.on != "effect" and saving.on not in self.outcomes:
                raise ValueError(f"savings.{name}.on names no outcome line: {saving.on!r}")
            if saving.on == "effect" and self.effect is None:
                raise ValueError(f"savings.{name}.on is 'effect' but the programme has none")
        return self

    @property
    def lines(self) -> dict[str, Line]:
        """The funnel without its numbers."""
        return {name: Line(line.of, line.lag) for name, line in self.outcomes.items()}

    @property
    def last_delivery_quarter(self) -> int:
        """The last quarter of referrals, or of a cohort, plus the longest way to an outcome."""
        referred = len(self.referrals.planned)
        chains = [
            line.lag + sum(self.outcomes[one].lag for one in ancestors(self.lines, name))
            for name, line in self.outcomes.items()
        ]
        return referred + max(chains, default=0)

    @property
    def last_quarter(self) -> int:
        """The quarter after which nothing of the programme is left: outcomes, verification, savings."""
        ends = [self.last_delivery_quarter]
        for name, line in self.outcomes.items():
            way = self._way(name)
            ends.append(len(self.referrals.planned) + way + line.verification_lag)
        for saving in self.savings.values():
            way = 0 if saving.on == "effect" else self._way(saving.on)
            ends.append(len(self.referrals.planned) + way + saving.lag + saving.duration)
        if self.effect is not None:
            ends += [cohort.measured_quarter for cohort in self.effect.cohorts.values()]
        return max(ends)

    def _way(self, name: str) -> int:
        return self.outcomes[name].lag + sum(self.outcomes[one].lag for one in ancestors(self.lines, name))
