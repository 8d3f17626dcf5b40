"""A bank's credit line that carries a provider through payment by results: the provider bears the risk."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.core.errors import InputError
from socialfinance.core.ledger import Leg
from socialfinance.core.terms import AnnualRate, Pounds, Share, Sourced
from socialfinance.instruments import claims, vehicle
from socialfinance.instruments.base import INFINITE, PEOPLE, Brief, Figure, Lowered, plan_case, quarterly
from socialfinance.instruments.contract import CAUSES, Commitment, ExitTerms, ReviewTerms, ended_by
from socialfinance.instruments.credit_step import (
    Payments,
    Pipelines,
    Row,
    State,
    Terms,
    ask,
    step,
)
from socialfinance.instruments.lending import LendingRate
from socialfinance.instruments.tariff import Tariff
from socialfinance.kernels.elementwise import where
from socialfinance.programmes.people import Programme

Tuple = tuple[Any, ...]
UNLIMITED = 1e15
"""Pounds, or quarters, that no deal reaches: stands for no limit where a limit is multiplied."""
RECIPIENTS = ("provider", "intermediary", "evaluator")


# --- terms, as they stand in a file --------------------------------------------------------------------


class Covenant(Sourced):
    """A test of the bank: while it is failed, nothing more is drawn."""

    from_quarter: Annotated[int, Field(ge=1)]
    most_drawn: Annotated[float, Field(ge=0, le=100)]
    """line over claims accepted so far above which nothing more is drawn"""


class StepIn(Sourced):
    """The commissioner goes on with another provider: it pays the cost as it falls, no longer by results."""

    after_quarters: Annotated[int, Field(ge=1, le=40)]
    """quarters without a service"""
    cost: Pounds = 0.0
    """what stepping in costs once: finding another provider, and its start"""
    performance: Annotated[float, Field(ge=0, le=3)] = 1.0
    """chance of outcomes that follow no other, over what it was before"""


class CreditLine(Sourced):
    """The provider contracts with the payers itself, pays cost as it falls, and draws on a bank's line."""

    finances: ClassVar[frozenset[str]] = PEOPLE
    kind: Literal["credit-line"]
    limit: Commitment
    """most that may be owed at any time: pounds, or a multiple of the plan case's largest line"""
    rate: LendingRate
    arrangement_fee: Share = 0.0
    """share of the limit, at close"""
    non_utilisation_fee: Annotated[AnnualRate, Field(ge=0)] = 0.0
    """a year, on what could still be drawn, until the line is repaid for good or the contract ends"""
    buffer: Pounds
    """the provider's own reserves for this contract: paid in first when cash is short"""
    recovery: Share = 0.0
    """share of what is owed on default that the bank has from the provider's other assets: its security"""
    covenant: Covenant | None = None
    reserve_quarters: Annotated[int, Field(ge=0, le=40)] = 4
    """quarters of planned cost kept back before the provider has its buffer back, and its surplus"""
    vehicle_costs: bool = True
    """whether cost lines of basis vehicle, such as performance management, fall here too"""
    left_without_service: Share = 0.0
    """share of its usual chance that an outcome has left for people whose provider has failed"""
    step_in: StepIn | None = None
    """none: nobody goes on"""
    termination: ExitTerms = Field(default_factory=ExitTerms)
    """insolvency.arrears_quarters: quarters in a row with unpaid cost or charges after which the provider has
    failed; compensation: share of the line that payers owe the bank"""
    review: ReviewTerms | None = None
    """what may change at review dates; only in the run 'with variation'"""

    def lower(self, brief: Brief) -> Lowered:
        """The line as floats and pure functions for this deal."""
        if brief.tariff is None:
            raise InputError("a credit line needs a tariff to be repaid from", field="tariff")
        return _lower(self, brief, brief.tariff)


# --- lowering ------------------------------------------------------------------------------------------


def _lower(terms: CreditLine, brief: Brief, tariff: Tariff) -> Lowered:
    """Lower twice: without a limit for what the plan draws and claims, then with the agreed one."""
    planned = plan_case(_lower_with(terms, brief, tariff, UNLIMITED, None), brief)
    amount = terms.limit.amount
    if amount is None:
        amount = max(state.peak for state, _ in planned) * (terms.limit.peak_need or 0.0)
    claimed = tuple(state.vehicle.claimed for state, _ in planned)
    return _lower_with(terms, brief, tariff, amount, claimed)


def _lower_with(
    line: CreditLine, brief: Brief, tariff: Tariff, limit: float, claimed: tuple[float, ...] | None
) -> Lowered:
    """Lower with a limit in pounds; without ``claimed`` (the plan's claims) nothing is tested or charged."""
    base = vehicle.lower(brief, tariff, 0.0, line.termination, line.review)
    used = tuple(float(_used(line, one.basis)) for one in brief.costs.values())
    own = base.terms._replace(used=used)
    agreed = claimed is not None
    covenant = line.covenant if agreed else None
    terms = Terms(
        vehicle=own,
        limit=limit,
        rate=line.rate.quarterly(),
        undrawn=quarterly(line.non_utilisation_fee) if agreed else 0.0,
        arrangement=line.arrangement_fee * limit if agreed else 0.0,
        buffer=line.buffer,
        recovery=line.recovery,
        most_drawn=covenant.most_drawn if covenant else 0.0,
        left=line.left_without_service,
        steps_in=float(line.step_in is not None),
        gap=float(line.step_in.after_quarters) if line.step_in else UNLIMITED,
        step_in_cost=line.step_in.cost if line.step_in else 0.0,
        performance=line.step_in.performance if line.step_in else 1.0,
        no_recipients=tuple(0.0 for _ in RECIPIENTS),
    )
    opening = State(
        vehicle=base.opening, line=0.0, charges=0.0, paid_in=0.0, failed=0.0, closed=0.0, compensation=0.0,
        peak=0.0, lost=0.0, gain=0.0, in_service=0.0, cut_short=0.0, turned_away=0.0, stepped_in=0.0,
    )  # fmt: skip
    schedule = vehicle.rows(
        brief, own, tariff, draw_ahead=0, reserve_quarters=line.reserve_quarters,
        termination=line.termination, reviews=line.review.quarters if line.review else (), claimed=claimed,
    )  # fmt: skip
    return Lowered(
        terms=terms,
        opening=opening,
        lags=Pipelines(base.lags, longest_way(brief.programme)),
        legs=_legs(tariff, base.legs),
        schedule=tuple(
            Row(one, float(covenant is not None and row >= covenant.from_quarter), float(row == 0))
            for row, one in enumerate(schedule)
        ),
        ask=ask,
        step=step,
        figures=_figures(line),
        balances=BALANCES,
        contract_value=claims.contract_value(tariff, own.claims),
        maximum=_maximum(line, brief, tariff, terms),
        uses=tuple(bool(one) for one in used),
        would_change=lambda state: state.vehicle.would_change,
        draws=base.draws,
        commitment=limit,
        notes=_notes(line, limit),
    )


def _used(line: CreditLine, basis: str) -> bool:
    return basis == "any" or (basis == "vehicle" and line.vehicle_costs)


def longest_way(programme: Programme) -> int:
    """Quarters from starting to the last outcome there can be; at least one."""
    return max(programme.last_delivery_quarter - len(programme.referrals.planned), 1)


def _legs(tariff: Tariff, base: vehicle.Receipts) -> Payments:
    return Payments(
        receipts=base,
        buffer=Leg("provider", "vehicle", "drawdown"),
        drawdown=Leg("investor", "vehicle", "drawdown"),
        service=vehicle.SERVICE,
        arrangement=Leg("vehicle", "investor", "arrangement fee"),
        non_utilisation=Leg("vehicle", "investor", "commitment fee"),
        interest=Leg("vehicle", "investor", "interest"),
        principal=Leg("vehicle", "investor", "principal"),
        compensation=tuple(Leg(p, "investor", "termination compensation") for p in tariff.payers),
        recovery=Leg("provider", "investor", "recovery"),
        buffer_back=Leg("vehicle", "provider", "capital returned"),
        surplus=Leg("vehicle", "provider", "surplus share"),
        successor=tuple(Leg("commissioner", role, "service payment") for role in RECIPIENTS),
        step_in=Leg("commissioner", "outside", "other cost"),
    )


def _maximum(line: CreditLine, brief: Brief, tariff: Tariff, terms: Terms) -> dict[str, float]:
    """By role: the most it can be asked for in all, pounds; stepping in has no limit."""
    owed = max(vars(line.termination.compensation)[cause] for cause in CAUSES) * terms.limit
    most = vehicle.maximum(terms.vehicle, tariff, brief.programme, owed)
    if line.step_in is not None:
        most["commissioner"] = INFINITE
    return most


def _notes(line: CreditLine, limit: float) -> tuple[str, ...]:
    stake = f"£{line.buffer:,.0f} of its own reserves come first, then the bank's line of up to £{limit:,.0f}"
    after = "nobody goes on"
    if line.step_in is not None:
        quarters = line.step_in.after_quarters
        after = (
            f"after {quarters} quarter{'s' if quarters > 1 else ''} without a service the commissioner goes "
            "on with another provider, whose cost it then pays as it falls and no longer by results"
        )
    return (
        f"the provider bears the risk: {stake}; when both are used up it fails, delivery stops, and {after}",
    )


def _figures(line: CreditLine) -> tuple[Figure, ...]:
    """Figures of the provider, its bank and the people it leaves."""

    def buffer_gone(state: State) -> Any:
        return where(state.paid_in >= line.buffer - HALF_A_PENNY, 1.0, 0.0)

    own = [Figure("buffer_gone", "share of paths", buffer_gone)] if line.buffer > HALF_A_PENNY else []
    if line.step_in is not None:
        own.append(Figure("stepped_in", "share of paths", lambda s: s.stepped_in))
    return (*FIGURES, *own)


BALANCES = (
    Figure("line", "pounds", lambda s: s.line),
    Figure("charges owed", "pounds", lambda s: s.charges),
    Figure("buffer used", "pounds", lambda s: s.paid_in),
    Figure("lost by the bank", "pounds", lambda s: s.lost),
)
"""What the page of one future shows as owed after each row."""

FIGURES = (
    Figure("cash_ran_out", "share of paths",
           lambda s: where(s.vehicle.worst_arrears > HALF_A_PENNY, 1.0, 0.0)),
    Figure("unpaid_cost_at_worst", "pounds", lambda s: s.vehicle.worst_arrears),
    Figure("peak_loan", "pounds", lambda s: s.peak),
    Figure("bank_lost", "pounds", lambda s: s.lost),
    Figure("provider_failed", "share of paths", lambda s: s.failed),
    Figure("provider_loses", "share of paths", lambda s: where(s.gain < -HALF_A_PENNY, 1.0, 0.0)),
    Figure("provider_gain", "pounds", lambda s: s.gain),
    Figure("people_cut_short", "people", lambda s: s.cut_short),
    Figure("people_turned_away", "people", lambda s: s.turned_away),
    *(Figure(f"ended_{cause}", "share of paths", ended_by(i + 1)) for i, cause in enumerate(CAUSES)),
)  # fmt: skip
