"""Guaranteed debt with credit enhancement: a loan repaid from results, with guarantors behind it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.core.errors import InputError
from socialfinance.core.ledger import Leg
from socialfinance.core.terms import AnnualRate, Name, Pounds, Quarters, Share, Sourced
from socialfinance.core.terms import Terms as Model
from socialfinance.instruments import claims, guarantees, vehicle
from socialfinance.instruments.base import PEOPLE, Brief, Figure, Lowered, plan_case, quarterly
from socialfinance.instruments.contract import CAUSES, AboveCap, Commitment, ExitTerms, ReviewTerms, ended_by
from socialfinance.instruments.debt_step import (
    Drawn,
    Payments,
    Pipelines,
    Row,
    State,
    Terms,
    ask,
    restate,
    step,
)
from socialfinance.instruments.guarantees import UNLIMITED, Layer
from socialfinance.instruments.lending import LendingRate
from socialfinance.instruments.tariff import Tariff
from socialfinance.kernels.elementwise import most, where

Tuple = tuple[Any, ...]


# --- terms, as they stand in a file --------------------------------------------------------------------


class Repayment(Sourced):
    """When principal falls due, from what is outstanding: early repayment makes later instalments smaller.

    With m instalments left: eip 1/m of the loan; annuity i / ((1 + i)^m - 1) at the rate without ratchet;
    sculpted the planned receipts of the quarters up to it over those still to come; bullet and cash sweep
    nothing before the last.
    """

    profile: Literal["bullet", "eip", "annuity", "sculpted", "cash sweep"] = "eip"
    first_quarter: Annotated[int, Field(ge=1)]
    """quarter of the first instalment; before it is grace"""
    last_quarter: Annotated[int, Field(ge=1)]
    """quarter of the last: maturity"""
    every: Annotated[int, Field(ge=1)] = 1
    """quarters between instalments, counted back from the last"""
    interest_in_grace: Literal["paid", "rolled up"] = "rolled up"

    @model_validator(mode="after")
    def _order(self) -> Self:
        if self.last_quarter < self.first_quarter:
            raise ValueError("last_quarter is before first_quarter")
        return self


class Ratchet(Model):
    """A margin from this achievement on."""

    at: Annotated[float, Field(ge=0, le=5)]
    """results so far over plan so far"""
    margin: Annotated[float, Field(ge=-0.2, le=0.2)]
    """on top of the rate, below nil under it, on the rate's basis"""


class SuccessFee(Model):
    """A fee from this achievement on."""

    at: Annotated[float, Field(ge=0, le=5)]
    """results so far over plan so far"""
    fee: Share
    """share of what was drawn"""


class PerformanceReturn(Sourced):
    """What the lender earns beyond its rate when results are good, or less when they are not."""

    ratchet: tuple[Ratchet, ...] = ()
    """the margin follows results, up and down; below the first step there is no change"""
    success_fee: tuple[SuccessFee, ...] = ()
    """paid from what is left once the loan has matured or accounts are settled"""
    cap: Annotated[AnnualRate, Field(ge=0)] | None = None
    """most the lender earns in all, an IRR: it holds the success fee down; none: no cap"""

    @model_validator(mode="after")
    def _rise(self) -> Self:
        for name in ("ratchet", "success_fee"):
            steps = [one.at for one in getattr(self, name)]
            if steps != sorted(set(steps)):
                raise ValueError(f"{name}: steps must rise")
        return self


class Peg(Sourced):
    """Principal that is guaranteed to come back, pegged to the worst case of savings or outcomes.

    A contract holds pounds, a baseline and a day. Without ``floor`` the model proposes one: ``share`` of the
    ``quantile`` of what the programme alone brings over its life, from a pilot of ``pilot_paths`` futures
    with draws of its own; the figure stands in the provenance of the run.
    """

    by: Name
    """role that guarantees it"""
    floor: Pounds | None = None
    quantile: Annotated[float, Field(gt=0, lt=1)] = 0.05
    of: Literal["savings", "outcome payments"] = "savings"
    """cashable savings to agencies; or verified outcomes at their price, before caps"""
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    pilot_paths: Annotated[int, Field(ge=100, le=100_000)] = 4096
    baseline: str
    """what savings are measured against, as the contract says it"""
    agreed: date | None = None
    """day on which it was agreed: at the latest, the day of close"""

    @model_validator(mode="after")
    def _pounds_or_a_proposal(self) -> Self:
        if not self.baseline.strip():
            raise ValueError("baseline: is empty; say what savings are measured against")
        for field in ("quantile", "of", "share", "pilot_paths"):
            if self.floor is not None and field in self.model_fields_set:
                raise ValueError(f"{field}: is for a floor that the model proposes; leave it or floor out")
        return self


class Recourse(Sourced):
    """Who is liable for the loan beside the results that repay it."""

    to: Literal["outcome payments", "provider", "commissioner"] = "outcome payments"
    """outcome payments: nobody beyond the vehicle and what it receives"""
    limit: Pounds | None = None
    """most the provider or commissioner makes good; none: all of it"""

    @model_validator(mode="after")
    def _limits_somebody(self) -> Self:
        if self.to == "outcome payments" and self.limit is not None:
            raise ValueError("limit: with recourse to outcome payments nobody is liable; leave it out")
        return self


class GuaranteedDebt(Sourced):
    """Terms of a loan to a deal's vehicle, with guarantors behind it."""

    finances: ClassVar[frozenset[str]] = PEOPLE
    kind: Literal["guaranteed-debt"]
    commitment: Commitment
    """pounds, or a multiple of all that the plan draws"""
    draws: Annotated[tuple[Pounds, ...], Field(min_length=1)] | None = None
    """pounds by quarter from close; none: as needed"""
    availability_quarters: Quarters = 12
    """last quarter in which it may be drawn"""
    draw_ahead: Annotated[int, Field(ge=0, le=8)] = 1
    """quarters before a cost at which it is drawn"""
    rate: LendingRate
    arrears_margin: Annotated[float, Field(ge=0, le=0.2)] = 0.0
    """on top of the rate, on what is overdue, on the rate's basis"""
    arrangement_fee: Share = 0.0
    """share of the commitment, at close"""
    commitment_fee: Annotated[AnnualRate, Field(ge=0)] = 0.0
    """a year, on what may still be drawn"""
    repayment: Repayment
    cash_sweep: Share = 0.0
    """share of cash above the reserve that repays early; a cash sweep profile takes all of it"""
    reserve_quarters: Annotated[int, Field(ge=0, le=40)] = 2
    """quarters of planned cost kept back before anything is swept or distributed"""
    provider_at_risk: Share = 0.0
    """share of the provider's cost that is deferred and paid only after the loan"""
    performance: PerformanceReturn = Field(default_factory=PerformanceReturn)
    default_after: Annotated[int, Field(ge=1)] = 2
    """quarters in a row with anything overdue after which the loan is called in"""
    layers: tuple[Layer, ...] = ()
    """guarantors, in order"""
    peg: Peg | None = None
    recourse: Recourse = Field(default_factory=Recourse)
    surplus: AboveCap = Field(default_factory=AboveCap)
    """who has what is left after the loan, its fees and the provider's deferred fee"""
    termination: ExitTerms = Field(default_factory=ExitTerms)
    review: ReviewTerms | None = None
    """what may change at review dates; only in the run 'with variation'"""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.availability_quarters > self.repayment.last_quarter:
            raise ValueError("availability_quarters: the loan cannot be drawn after its last instalment")
        if any((self.draws or ())[self.availability_quarters + 1 :]):
            raise ValueError(
                f"draws: nothing can be drawn after quarter {self.availability_quarters}, the last of "
                "availability_quarters"
            )
        least, rate = min((0.0, *(one.margin for one in self.performance.ratchet))), self.rate.nominal()
        if rate + least < 0.0:
            raise ValueError(f"performance.ratchet: a margin of {least:g} takes a rate of {rate:g} below nil")
        if self.peg is not None and self.recourse.to == "commissioner" and self.recourse.limit is None:
            raise ValueError("recourse: to the commissioner without a limit, a peg guarantees nothing more")
        return self

    def lower(self, brief: Brief) -> Lowered:
        """The loan as floats and pure functions for this deal."""
        if brief.tariff is None:
            raise InputError("guaranteed debt needs a tariff", field="tariff")
        if self.repayment.last_quarter > brief.rows - 1:
            raise InputError(
                "is after the last quarter of the file", field="instrument.repayment.last_quarter",
                given=self.repayment.last_quarter, allowed=f"at most {brief.rows - 1}",
            )  # fmt: skip
        _check_claim_lags(self, brief.rows - 1)
        _check_peg(self.peg, brief.calendar.start)
        return _lower(self, brief, brief.tariff)


# --- lowering --------------------------------------------------------------------------------------------


def _check_claim_lags(debt: GuaranteedDebt, last: int) -> None:
    """Refuse a file that ends before a claim made at maturity is paid: the loss would look too large."""
    maturity = debt.repayment.last_quarter
    for i, one in enumerate(debt.layers):
        if maturity + one.claim_lag > last:
            raise InputError(
                f"pays a claim of quarter {maturity}, at maturity, after the file's last quarter, {last}",
                field=f"instrument.layers[{i}].claim_lag", given=one.claim_lag,
                allowed=f"at most {last - maturity}, or more quarters in the file",
            )  # fmt: skip


def _check_peg(peg: Peg | None, close: date) -> None:
    """Refuse a floor that the lender promises itself, or that was agreed when the deal had already closed."""
    if peg is None:
        return
    if peg.by == "investor":
        raise InputError(
            "cannot guarantee the loan: it is the lender", field="instrument.peg.by", given=peg.by,
            allowed="a role of somebody else's",
        )  # fmt: skip
    if peg.agreed is not None and peg.agreed > close:
        raise InputError(
            "is after the deal closes", field="instrument.peg.agreed", given=peg.agreed,
            allowed=f"at the latest {close.isoformat()}",
        )  # fmt: skip


def _lower(debt: GuaranteedDebt, brief: Brief, tariff: Tariff) -> Lowered:
    """Lower twice: on an unlimited loan for what the plan draws and receives, then on the agreed one."""
    planned = plan_case(_lower_with(debt, brief, tariff, UNLIMITED, None), brief)
    amount = debt.commitment.amount
    if amount is None:
        amount = planned[-1][0].drawn * (debt.commitment.peak_need or 0.0)
    return _lower_with(debt, brief, tariff, amount, [state for state, _ in planned])


def _lower_with(
    debt: GuaranteedDebt, brief: Brief, tariff: Tariff, amount: float, planned: list[State] | None
) -> Lowered:
    """Lower with the commitment in pounds; without ``planned`` (the plan's states) nothing is tested."""
    base = vehicle.lower(brief, tariff, debt.provider_at_risk, debt.termination, debt.review)
    layers = debt.layers if planned is not None else ()
    exposure = amount * _growth(debt)
    stack = guarantees.lower(
        layers, amount, brief.rows, brief.calendar.start, "vehicle", exposure,
        last_claim=debt.repayment.last_quarter,
    )  # fmt: skip
    performance, recourse = debt.performance, debt.recourse
    steps = (0.0, *(one.margin for one in performance.ratchet))
    sweep = 1.0 if debt.repayment.profile == "cash sweep" else debt.cash_sweep
    terms = Terms(
        vehicle=base.terms,
        guarantees=stack.terms,
        commitment=amount,
        as_needed=float(debt.draws is None or planned is None),
        rolls_up=float(debt.repayment.interest_in_grace == "rolled up"),
        margin_at=(0.0, *(one.at for one in performance.ratchet)),
        rate=tuple(debt.rate.quarterly(margin) for margin in steps),
        rate_in_arrears=tuple(debt.rate.quarterly(margin + debt.arrears_margin) for margin in steps),
        undrawn=quarterly(debt.commitment_fee) if planned is not None else 0.0,
        arrangement=debt.arrangement_fee * amount if planned is not None else 0.0,
        upfront=stack.upfront,
        fee_from_vehicle=tuple(float(one.fee.paid_by == "vehicle") for one in layers) or (0.0,),
        sweep=sweep if planned is not None else 0.0,
        missed_quarters=float(debt.default_after),
        fee_at=(0.0, *(one.at for one in performance.success_fee)),
        success_fee=(0.0, *(one.fee for one in performance.success_fee)),
        cap=quarterly(performance.cap or 0.0),
        capped=float(performance.cap is not None),
        peg=_floor(debt.peg) if planned is not None else 0.0,
        recourse=_recourse(recourse) if planned is not None else 0.0,
        to_payers=debt.surplus.payers,
        to_provider=debt.surplus.provider,
        to_investor=debt.surplus.investor,
    )
    nobody = stack.terms.no_layers
    opening = State(
        vehicle=base.opening, guarantees=stack.opening, balance=0.0, overdue=0.0, interest=0.0, fees=nobody,
        drawn=0.0, results=0.0, hurdle=0.0, success=0.0, late_for=0.0, called_in=0.0, matured=0.0,
        compensation=0.0, peak=0.0, repaid=0.0, made_good=0.0,
        interest_made_good=0.0, recovered=0.0, written_off=0.0, ever_late=0.0,
    )  # fmt: skip
    return Lowered(
        terms=terms,
        opening=opening,
        lags=Pipelines(base.lags, stack.lags),
        legs=_legs(debt, tariff, base.legs, stack.legs),
        schedule=_rows(debt, brief, tariff, terms, stack.rows, planned),
        ask=ask,
        step=step,
        restate=restate,
        figures=FIGURES,
        balances=BALANCES,
        contract_value=claims.contract_value(tariff, base.terms.claims),
        maximum=_maximum(debt, brief, tariff, terms, stack, exposure),
        uses=tuple(line.basis != "in house" for line in brief.costs.values()),
        would_change=lambda state: state.vehicle.would_change,
        draws=Drawn(base.draws, stack.draws),
        guaranteed=_guaranteed(debt, stack, exposure),
        commitment=amount,
        notes=_notes(debt, stack, exposure),
    )


def _growth(debt: GuaranteedDebt) -> float:
    """The most that a pound of the commitment can come to, at the highest step of the ratchet.

    Interest rolled up in grace; where interest is covered, all of it up to maturity in arrears, on the
    lender's fees as well, which are owed as interest where they are not paid.
    """
    plus = max((0.0, *(one.margin for one in debt.performance.ratchet)))
    if any(one.interest for one in debt.layers):
        fees = debt.arrangement_fee + quarterly(debt.commitment_fee) * debt.availability_quarters
        in_arrears = debt.rate.quarterly(plus + debt.arrears_margin)
        return float((1.0 + fees) * (1.0 + in_arrears) ** debt.repayment.last_quarter)
    rolled = debt.repayment.interest_in_grace == "rolled up"
    return (1.0 + debt.rate.quarterly(plus)) ** (debt.repayment.first_quarter - 1) if rolled else 1.0


def _rows(
    debt: GuaranteedDebt,
    brief: Brief,
    tariff: Tariff,
    terms: Terms,
    stack: tuple[guarantees.Row, ...],
    planned: list[State] | None,
) -> tuple[Row, ...]:
    claimed = None if planned is None else tuple(state.vehicle.claimed for state in planned)
    schedule = vehicle.rows(
        brief, terms.vehicle, tariff, draw_ahead=debt.draw_ahead, reserve_quarters=debt.reserve_quarters,
        termination=debt.termination, reviews=debt.review.quarters if debt.review else (), claimed=claimed,
    )  # fmt: skip
    results = tuple(state.results for state in planned) if planned is not None else (0.0,) * brief.rows
    due = shares_due(debt.repayment, debt.rate.quarterly(), results)
    draws = debt.draws or ()
    repayment = debt.repayment
    return tuple(
        Row(
            vehicle=one,
            guarantees=stack[row],
            available=float(planned is None or row <= debt.availability_quarters),
            scheduled=draws[row] if row < len(draws) else 0.0,
            due=due[row] if planned is not None else 0.0,
            grace=float(row < repayment.first_quarter),
            planned_before=results[row - 1] if row else 0.0,
            planned_results=results[row],
            close=float(row == 0),
            matured=float(planned is not None and row >= repayment.last_quarter),
        )
        for row, one in enumerate(schedule)
    )


def shares_due(repayment: Repayment, rate: float, results: Sequence[float]) -> tuple[float, ...]:
    """By row: share of the loan that falls due. ``results`` are planned receipts so far, for sculpting."""
    first, last = repayment.first_quarter, repayment.last_quarter
    shares = [0.0] * len(results)
    instalments = [row for row in range(first, last + 1) if (last - row) % repayment.every == 0]
    i = (1.0 + rate) ** repayment.every - 1.0
    for k, row in enumerate(instalments):
        left = len(instalments) - k
        before = instalments[k - 1] if k else first - 1
        if repayment.profile == "eip":
            shares[row] = 1.0 / left
        elif repayment.profile == "annuity":
            shares[row] = 1.0 / left if i == 0.0 else i / ((1.0 + i) ** left - 1.0)
        elif repayment.profile == "sculpted":
            still = results[last] - results[before]
            shares[row] = (results[row] - results[before]) / still if still > HALF_A_PENNY else 0.0
    if last < len(shares):
        shares[last] = 1.0
    return tuple(shares)


def _legs(debt: GuaranteedDebt, tariff: Tariff, base: vehicle.Receipts, stack: guarantees.Legs) -> Payments:
    payers = tuple(tariff.payers)
    peg_by = debt.peg.by if debt.peg else payers[0]
    behind = payers[0] if debt.recourse.to == "outcome payments" else debt.recourse.to
    return Payments(
        receipts=base,
        drawdown=Leg("investor", "vehicle", "drawdown"),
        service=vehicle.SERVICE,
        arrangement=Leg("vehicle", "investor", "arrangement fee"),
        commitment_fee=Leg("vehicle", "investor", "commitment fee"),
        fee=stack.fee,
        interest=Leg("vehicle", "investor", "interest"),
        principal=Leg("vehicle", "investor", "principal"),
        recovery=stack.recovery,
        compensation=tuple(Leg(p, "investor", "termination compensation") for p in payers),
        peg=Leg(peg_by, "investor", "guarantee call"),
        call=stack.call,
        recourse=Leg(behind, "investor", "principal"),
        deferred=Leg("vehicle", "provider", "deferred fee"),
        success=Leg("vehicle", "investor", "investor return"),
        surplus_payers=tuple(Leg("vehicle", p, "surplus share") for p in payers),
        surplus_provider=Leg("vehicle", "provider", "surplus share"),
        surplus_investor=Leg("vehicle", "investor", "surplus share"),
    )


def _floor(peg: Peg | None) -> float:
    """The peg in pounds; one without a floor has been given it before a deal is lowered."""
    if peg is None:
        return 0.0
    assert peg.floor is not None
    return peg.floor


def _recourse(recourse: Recourse) -> float:
    if recourse.to == "outcome payments":
        return 0.0
    return UNLIMITED if recourse.limit is None else recourse.limit


def _guaranteed(debt: GuaranteedDebt, stack: guarantees.Lowered, exposure: float) -> dict[str, float]:
    """By role: the most it can be called for; a peg counts up to its floor."""
    found = dict(stack.most)
    if debt.peg is not None:
        found[debt.peg.by] = found.get(debt.peg.by, 0.0) + min(_floor(debt.peg), exposure)
    return found


def _maximum(
    debt: GuaranteedDebt,
    brief: Brief,
    tariff: Tariff,
    terms: Terms,
    stack: guarantees.Lowered,
    exposure: float,
) -> dict[str, float]:
    """By role: the most it can be asked for in all, guarantees, peg and recourse included, pounds."""
    owed = max(vars(debt.termination.compensation)[cause] for cause in CAUSES) * exposure
    found = vehicle.maximum(terms.vehicle, tariff, brief.programme, owed)
    for role, amount in _guaranteed(debt, stack, exposure).items():
        found[role] = found.get(role, 0.0) + amount
    if debt.recourse.to != "outcome payments":
        found[debt.recourse.to] = found.get(debt.recourse.to, 0.0) + min(terms.recourse, exposure)
    return found


def _notes(debt: GuaranteedDebt, stack: guarantees.Lowered, exposure: float) -> tuple[str, ...]:
    found = list(stack.notes)
    if debt.peg is not None:
        day = f"agreed on {debt.peg.agreed.isoformat()}" if debt.peg.agreed else "no day of agreement given"
        found.append(
            f"{debt.peg.by} guarantees that £{_floor(debt.peg):,.0f} comes back whatever the results "
            f"(baseline: {debt.peg.baseline}; {day}): beyond a year that is likely to be a credit "
            "arrangement, inside the borrowing limits [unverified]"
        )
        if _floor(debt.peg) > exposure:
            found.append(f"that floor is more than can ever be owed, £{exposure:,.0f}")
    found += _dead_success_fee(debt)
    if debt.recourse.to == "commissioner":
        found.append("the commissioner is liable for the loan itself: that is borrowing by the council")
    return tuple(found)


def _dead_success_fee(debt: GuaranteedDebt) -> list[str]:
    """Say so where the lender's cap leaves no room for the fee that it is to hold down."""
    cap = debt.performance.cap
    if cap is None or not debt.performance.success_fee or cap > debt.rate.effective():
        return []
    return [
        f"the lender's cap, {cap:.2%} a year, is not above its rate, {debt.rate.effective():.2%} effective: "
        "a loan that pays its interest earns no success fee"
    ]


def loss_covered(state: State) -> Any:
    """Principal that others made good, less what guarantors had back of it; interest is paid back first."""
    return state.made_good - most(0.0, state.recovered - state.interest_made_good)


BALANCES = (
    Figure("loan", "pounds", lambda s: s.balance),
    Figure("overdue", "pounds", lambda s: s.overdue),
    Figure("interest owed", "pounds", lambda s: s.interest),
    Figure("owed to guarantors", "pounds", lambda s: guarantees.owed_back(s.guarantees)),
    Figure("written off so far", "pounds", lambda s: s.written_off),
)
"""What the page of one future shows as owed after each row."""

FIGURES = (
    Figure("cash_ran_out", "share of paths",
           lambda s: where(s.vehicle.worst_arrears > HALF_A_PENNY, 1.0, 0.0)),
    Figure("payment_missed", "share of paths", lambda s: s.ever_late),
    Figure("called_in", "share of paths", lambda s: s.called_in),
    Figure("peak_loan", "pounds", lambda s: s.peak),
    Figure("loss_before_guarantees", "pounds", lambda s: loss_covered(s) + s.written_off),
    Figure("loss_covered", "pounds", loss_covered),
    Figure("loss_uncovered", "pounds", lambda s: s.written_off),
    *(Figure(f"ended_{cause}", "share of paths", ended_by(i + 1)) for i, cause in enumerate(CAUSES)),
)  # fmt: skip
