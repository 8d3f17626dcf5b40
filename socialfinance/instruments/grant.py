"""A grant: a funder pays small organisations in advance, for a contribution to an impact that many share."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.core.errors import InputError
from socialfinance.core.ledger import Leg
from socialfinance.core.terms import Name, Pounds, Quarters, Share, Sourced
from socialfinance.core.terms import Terms as Model
from socialfinance.instruments import claims, vehicle
from socialfinance.instruments.base import PEOPLE, Brief, Figure, Lowered, plan_case
from socialfinance.instruments.contract import CAUSES, ExitTerms, ended_by
from socialfinance.instruments.grant_step import Payments, Row, State, Terms, ask, step
from socialfinance.instruments.tariff import EffectPayment, Payer, Tariff
from socialfinance.kernels.elementwise import where

Tuple = tuple[Any, ...]


# --- terms, as they stand in a file --------------------------------------------------------------------


class Milestone(Model):
    """What has to be reached before an instalment is paid."""

    line: Name
    """outcome line"""
    of_plan: Annotated[float, Field(ge=0, le=5)]
    """outcomes so far at it over those of the plan so far"""


class Instalment(Model):
    """A part of the grant, paid in advance."""

    share: Share
    """of the amount"""
    from_quarter: Quarters = 0
    """quarter at whose end it is paid; 0 is close; later where its milestone is reached later"""
    milestone: Milestone | None = None


class Monitoring(Sourced):
    """What the funder spends on following its grant, beside the grant."""

    per_quarter: Pounds
    first_quarter: Quarters = 1
    last_quarter: Annotated[int, Field(ge=0, le=400)]

    @model_validator(mode="after")
    def _order(self) -> Self:
        if self.last_quarter < self.first_quarter:
            raise ValueError("last_quarter is before first_quarter")
        return self


class Impact(Sourced):
    """The part of a shared impact that this grant is held to have contributed."""

    line: Name
    """outcome line on which it is counted"""
    share: Share
    """of its outcomes; the rest is the contribution of others"""


class Grant(Sourced):
    """Money that is not to come back, for one organisation or several small ones (role ``provider``)."""

    finances: ClassVar[frozenset[str]] = PEOPLE
    kind: Literal["grant"]
    amount: Pounds
    """all instalments together, overheads included"""
    instalments: Annotated[dict[Name, Instalment], Field(min_length=1)]
    """in order; shares sum to one"""
    overheads: Share = 0.0
    """share of each instalment for the grantee's overheads, spent at once and never given back"""
    clawback: Share = 1.0
    """share of what is unspent at the end that goes back to the funder"""
    monitoring: Monitoring | None = None
    impact: Impact | None = None
    termination: ExitTerms = Field(default_factory=ExitTerms)
    """what can end it early; cost that is not met ends nothing, grantees carry it"""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        total = sum(one.share for one in self.instalments.values())
        if abs(total - 1.0) > 1e-9:
            raise ValueError(f"instalments: shares must sum to 1, they sum to {total:g}")
        return self

    def lower(self, brief: Brief) -> Lowered:
        """The grant as floats and pure functions for this deal."""
        _check(self, brief)
        tariff = brief.tariff or unpaid(brief)
        planned = plan_case(_lower_with(self, brief, tariff, None), brief)
        return _lower_with(self, brief, tariff, tuple(state.vehicle.claimed for state, _ in planned))


# --- lowering ------------------------------------------------------------------------------------------


def unpaid(brief: Brief) -> Tariff:
    """The tariff of a deal without one: nothing is paid for, by the commissioner."""
    payer = {"commissioner": Payer(share=1.0, payment_lag=0)}
    if brief.lines:
        return Tariff(prices={brief.lines[0]: 0.0}, payers=payer, tail=0)
    return Tariff(effect=EffectPayment(pooled_trigger=1.0, per_event=0.0), payers=payer, tail=0)


def _lower_with(grant: Grant, brief: Brief, tariff: Tariff, claimed: tuple[float, ...] | None) -> Lowered:
    base = vehicle.lower(brief, tariff, 0.0, grant.termination, None)
    used = tuple(float(line.basis == "any") for line in brief.costs.values())
    own = base.terms._replace(used=used)
    if brief.tariff is None:  # nobody reimburses cost outside a cap that there is not
        own = own._replace(from_vehicle=tuple(1.0 for _ in used))
    parts = tuple(grant.instalments.values())
    nothing = tuple(0.0 for _ in parts)
    terms = Terms(
        vehicle=own,
        amount=tuple(one.share * grant.amount for one in parts),
        from_quarter=tuple(float(one.from_quarter) for one in parts),
        milestone=tuple(
            float(brief.lines.index(one.milestone.line)) if one.milestone else -1.0 for one in parts
        ),
        of_plan=tuple(one.milestone.of_plan if one.milestone else 0.0 for one in parts),
        overheads=grant.overheads,
        clawback=grant.clawback,
        impact_line=float(brief.lines.index(grant.impact.line)) if grant.impact else -1.0,
    )
    opening = State(
        vehicle=base.opening, paid=nothing, achieved=nothing, granted=0.0, returned=0.0, carried=0.0,
        most_carried=0.0, impact=0.0,
    )  # fmt: skip
    return Lowered(
        terms=terms,
        opening=opening,
        lags=base.lags,
        legs=_legs(base.legs),
        schedule=_rows(grant, brief, tariff, own, claimed),
        ask=ask,
        step=step,
        figures=_figures(grant),
        contract_value=claims.contract_value(tariff, own.claims) if brief.tariff else {},
        maximum=vehicle.maximum(own, tariff, brief.programme, 0.0) if brief.tariff else {},
        uses=tuple(bool(one) for one in used),
        draws=base.draws,
        commitment=grant.amount,
        notes=_notes(grant),
        repayable=False,
    )


def _rows(
    grant: Grant, brief: Brief, tariff: Tariff, own: vehicle.Terms, claimed: tuple[float, ...] | None
) -> tuple[Row, ...]:
    schedule = vehicle.rows(
        brief, own, tariff, draw_ahead=0, reserve_quarters=0, termination=grant.termination, reviews=(),
        claimed=claimed,
    )  # fmt: skip
    lines = [one.milestone.line if one.milestone else None for one in grant.instalments.values()]
    return tuple(
        Row(one, tuple(_planned(brief, line, row) for line in lines), _followed(grant.monitoring, row))
        for row, one in enumerate(schedule)
    )


def _planned(brief: Brief, line: str | None, row: int) -> float:
    """The plan's outcomes so far at a line."""
    return sum(
        float(people)
        for activity in brief.plan[: row + 1]
        for node, people in zip(brief.nodes, activity.achieved, strict=False)
        if node.line == line
    )


def _followed(monitoring: Monitoring | None, row: int) -> float:
    if monitoring is None or not monitoring.first_quarter <= row <= monitoring.last_quarter:
        return 0.0
    return monitoring.per_quarter


def _legs(base: vehicle.Receipts) -> Payments:
    return Payments(
        receipts=base,
        grant=Leg("investor", "vehicle", "grant"),
        overheads=Leg("vehicle", "provider", "grant"),
        overheads_spent=Leg("provider", "outside", "other cost"),
        service=vehicle.SERVICE,
        returned=Leg("vehicle", "investor", "clawback"),
        surplus=Leg("vehicle", "provider", "surplus share"),
        monitoring=Leg("investor", "outside", "other cost"),
    )


def _notes(grant: Grant) -> tuple[str, ...]:
    kept = "what is unspent" if grant.clawback == 1.0 else f"{grant.clawback:.0%} of what is unspent"
    back = f"nothing is to come back but {kept}" if grant.clawback > 0.0 else "nothing is to come back"
    return (f"a grant of £{grant.amount:,.0f}: {back}; cost beyond it is the grantees' own contribution",)


def _figures(grant: Grant) -> tuple[Figure, ...]:
    found = [
        Figure("granted", "pounds", lambda s: s.granted),
        Figure("unspent_returned", "pounds", lambda s: s.returned),
        Figure("grantees_own_contribution", "pounds", lambda s: s.carried),
        Figure("carried_by_grantees_at_worst", "pounds", lambda s: s.most_carried),
        Figure(
            "not_all_released",
            "share of paths",
            lambda s: where(s.granted < grant.amount - HALF_A_PENNY, 1.0, 0.0),
        ),
    ]
    impact = grant.impact
    if impact is not None:
        found.append(Figure(f"contributed: {impact.line}", "people", lambda s: s.impact * impact.share))
    causes = (Figure(f"ended_{cause}", "share of paths", ended_by(i + 1)) for i, cause in enumerate(CAUSES))
    return (*found, *causes)


def _check(grant: Grant, brief: Brief) -> None:
    """Refuse a milestone or an impact on a line that the programme does not have."""
    named = [
        (f"instalments.{name}.milestone.line", one.milestone.line)
        for name, one in grant.instalments.items()
        if one.milestone is not None
    ]
    named += [("impact.line", grant.impact.line)] if grant.impact else []
    for field, line in named:
        if line not in brief.lines:
            raise InputError(
                "is not an outcome line of the programme", field=f"instrument.{field}", given=line,
                allowed=", ".join(brief.lines) or "none: the programme has an evaluated effect only",
            )  # fmt: skip
