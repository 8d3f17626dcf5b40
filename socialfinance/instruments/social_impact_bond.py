"""The classic social impact bond: capital at risk, drawn as needed, repaid from outcome payments."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.core.errors import InputError
from socialfinance.core.ledger import Leg
from socialfinance.core.terms import AnnualRate, Name, Quarters, Share, Sourced
from socialfinance.core.terms import Terms as Model
from socialfinance.instruments import claims, vehicle
from socialfinance.instruments.base import INFINITE, PEOPLE, Brief, Figure, Lowered, plan_case, quarterly
from socialfinance.instruments.contract import CAUSES, AboveCap, Commitment, ExitTerms, ReviewTerms, ended_by
from socialfinance.instruments.sib_step import UNCAPPED, Payments, Row, State, Terms, ask, restate, step
from socialfinance.instruments.tariff import Tariff
from socialfinance.kernels.elementwise import where

Tuple = tuple[Any, ...]

# --- terms, as they stand in a file ---------------------------------------------------------------


class Tranche(Model):
    """A part of the commitment that is released later, and on a test."""

    share: Share
    from_quarter: Quarters = 0
    gate: Annotated[float, Field(ge=0)] = 0.0
    """claims so far over plan so far must reach this"""


class Cap(Sourced):
    """The most investors receive: an IRR, a multiple of what they paid in, both, or (empty) neither."""

    irr: AnnualRate | None = None
    multiple: Annotated[float, Field(ge=1)] | None = None


class Protected(Model):
    """Share of drawn capital made whole if the contract ends from this quarter on."""

    from_quarter: Quarters
    share: Share


class Protection(Sourced):
    """Someone makes good part of the capital when accounts are settled."""

    by: Name
    """role that pays"""
    schedule: tuple[Protected, ...]
    """in order of quarter; before the first nothing is protected"""


class FloorCoupon(Sourced):
    """A least return a year on outstanding capital in the first years, whatever the results."""

    by: Name
    """role that pays what the vehicle did not"""
    rate: Annotated[AnnualRate, Field(ge=0)]
    years: Annotated[int, Field(ge=1, le=50)]


class CouponStep(Model):
    """A coupon from this success rate on."""

    at: Share
    rate: Annotated[AnnualRate, Field(ge=0)]


class PerformanceCoupon(Sourced):
    """A yearly coupon on outstanding capital set by the success rate at an outcome line."""

    line: Name
    basis: Literal["year", "life"] = "year"
    """success rate of the last year, or of the contract so far"""
    steps: tuple[CouponStep, ...]

    @model_validator(mode="after")
    def _rise(self) -> Self:
        if [s.at for s in self.steps] != sorted({s.at for s in self.steps}) or not self.steps:
            raise ValueError("steps must rise, and there must be one")
        return self


class SocialImpactBond(Sourced):
    """Terms of a classic social impact bond."""

    finances: ClassVar[frozenset[str]] = PEOPLE
    kind: Literal["social-impact-bond"]
    commitment: Commitment
    draw_ahead: Annotated[int, Field(ge=0, le=8)] = 1
    """quarters before a cost at which it is drawn"""
    reserve_quarters: Annotated[int, Field(ge=0, le=40)] = 4
    """quarters of planned cost kept back before anything is distributed (outcome income is recycled)"""
    revolving: bool = False
    """true: the commitment caps what is outstanding; false: all that was ever drawn"""
    tranches: dict[Name, Tranche] = Field(default_factory=dict)
    """parts of the commitment; shares sum to one; none: all at close"""
    provider_at_risk: Share = 0.0
    """share of the provider's cost that is deferred and paid only after investors have their capital"""
    cap: Cap = Field(default_factory=Cap)
    above_cap: AboveCap = Field(default_factory=AboveCap)
    protection: Protection | None = None
    floor_coupon: FloorCoupon | None = None
    performance_coupon: PerformanceCoupon | None = None
    termination: ExitTerms = Field(default_factory=ExitTerms)
    review: ReviewTerms | None = None
    """what may change at review dates; only in the run 'with variation'"""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.tranches and abs(sum(t.share for t in self.tranches.values()) - 1.0) > 1e-9:
            raise ValueError("tranches: shares must sum to 1")
        if self.cap.irr is not None and self.cap.irr < 0:
            raise ValueError("cap.irr must not be negative")
        if self.protection is not None:
            starts = [p.from_quarter for p in self.protection.schedule]
            if starts != sorted(set(starts)):
                raise ValueError("protection.schedule: quarters must rise")
        return self

    def lower(self, brief: Brief) -> Lowered:
        """The bond as floats and pure functions for this deal."""
        return _lower(self, brief)


# --- lowering --------------------------------------------------------------------------------------


def _lower(bond: SocialImpactBond, brief: Brief) -> Lowered:
    if brief.tariff is None:
        raise InputError("a social impact bond needs a tariff", field="tariff")
    unlimited = _lower_with(bond, brief, (UNCAPPED,))
    planned = plan_case(unlimited, brief)
    peak = max(state.peak for state, _ in planned)
    amount = bond.commitment.amount
    if amount is None:
        amount = peak * (bond.commitment.peak_need or 0.0)
    parts = tuple(t.share * amount for t in bond.tranches.values()) or (amount,)
    claimed = tuple(state.vehicle.claimed for state, _ in planned)
    return _lower_with(bond, brief, parts, claimed)


def _lower_with(
    bond: SocialImpactBond, brief: Brief, parts: Tuple, claimed: tuple[float, ...] | None = None
) -> Lowered:
    """Lower with the commitment in pounds; without ``claimed`` (the plan's claims) no test is made."""
    tariff = brief.tariff
    assert tariff is not None
    base = vehicle.lower(brief, tariff, bond.provider_at_risk, bond.termination, bond.review)
    coupon = bond.performance_coupon
    tranches = tuple(bond.tranches.values()) if claimed is not None else ()
    if coupon is not None and coupon.line not in brief.lines:
        raise InputError(
            "is not an outcome line of the programme",
            field="instrument.performance_coupon.line",
            given=coupon.line,
            allowed=", ".join(brief.lines),
        )
    terms = Terms(
        vehicle=base.terms,
        tranche=parts,
        tranche_from=tuple(float(t.from_quarter) for t in tranches) or (0.0,),
        tranche_gate=tuple(t.gate for t in tranches) or (0.0,),
        revolving=float(bond.revolving),
        has_hurdle=float(bond.cap.irr is not None),
        hurdle=0.0 if bond.cap.irr is None else quarterly(bond.cap.irr),
        multiple=UNCAPPED if bond.cap.multiple is None else bond.cap.multiple,
        to_payers=bond.above_cap.payers,
        to_provider=bond.above_cap.provider,
        to_investor=bond.above_cap.investor,
        coupon_at=tuple(s.at for s in coupon.steps) if coupon else (INFINITE,),
        coupon_rate=tuple(s.rate for s in coupon.steps) if coupon else (0.0,),
        coupon_line=float(brief.lines.index(coupon.line)) if coupon else -1.0,
        coupon_life=float(coupon is not None and coupon.basis == "life"),
        floor_rate=bond.floor_coupon.rate if bond.floor_coupon else 0.0,
        protects=float(bond.protection is not None),
    )
    opening = State(
        vehicle=base.opening, drawn=0.0, capital_back=0.0, received=0.0, hurdle=0.0,
        released=tuple(0.0 for _ in parts), successes=0.0, tries=0.0, returned_this_year=0.0, peak=0.0,
        compensation=0.0, protection=0.0,
    )  # fmt: skip
    return Lowered(
        terms=terms,
        opening=opening,
        lags=base.lags,
        legs=_legs(bond, tariff, base.legs),
        schedule=_rows(bond, brief, terms, claimed),
        ask=ask,
        step=step,
        restate=restate,
        figures=FIGURES,
        contract_value=claims.contract_value(tariff, base.terms.claims),
        maximum=_maximum(bond, brief, terms, tariff),
        uses=tuple(line.basis != "in house" for line in brief.costs.values()),
        would_change=lambda state: state.vehicle.would_change,
        draws=base.draws,
        commitment=sum(parts),
        purse=vehicle.purse(tariff.savings),
    )


def _rows(
    bond: SocialImpactBond, brief: Brief, terms: Terms, claimed: tuple[float, ...] | None
) -> tuple[Row, ...]:
    assert brief.tariff is not None
    floor = bond.floor_coupon
    schedule = vehicle.rows(
        brief, terms.vehicle, brief.tariff, draw_ahead=bond.draw_ahead,
        reserve_quarters=bond.reserve_quarters, termination=bond.termination,
        reviews=bond.review.quarters if bond.review else (), claimed=claimed,
    )  # fmt: skip
    return tuple(
        Row(
            vehicle=one,
            year_end=float(row > 0 and row % 4 == 0),
            floor=float(floor is not None and 0 < row <= 4 * floor.years),
            protection=_protected(bond.protection, row),
        )
        for row, one in enumerate(schedule)
    )


def _protected(protection: Protection | None, row: int) -> float:
    shares = [p.share for p in protection.schedule if p.from_quarter <= row] if protection else []
    return shares[-1] if shares else 0.0


def _legs(bond: SocialImpactBond, tariff: Tariff, base: vehicle.Receipts) -> Payments:
    payers = tuple(tariff.payers)
    floor_by = bond.floor_coupon.by if bond.floor_coupon else payers[0]
    protected_by = bond.protection.by if bond.protection else payers[0]
    return Payments(
        receipts=base,
        drawdown=Leg("investor", "vehicle", "drawdown"),
        service=vehicle.SERVICE,
        deferred=Leg("vehicle", "provider", "deferred fee"),
        capital=Leg("vehicle", "investor", "capital returned"),
        investor_return=Leg("vehicle", "investor", "investor return"),
        floor_coupon=Leg(floor_by, "investor", "floor coupon"),
        protection=Leg(protected_by, "investor", "capital protection"),
        compensation=tuple(Leg(p, "investor", "termination compensation") for p in payers),
        surplus_payers=tuple(Leg("vehicle", p, "surplus share") for p in payers),
        surplus_provider=Leg("vehicle", "provider", "surplus share"),
        surplus_investor=Leg("vehicle", "investor", "surplus share"),
    )


def _maximum(bond: SocialImpactBond, brief: Brief, terms: Terms, tariff: Tariff) -> dict[str, float]:
    """By role: the most it can be asked for in all, floor coupon and protection on all of it included."""
    commitment = sum(terms.tranche)
    owed = max(vars(bond.termination.compensation)[cause] for cause in CAUSES) * commitment
    most = vehicle.maximum(terms.vehicle, tariff, brief.programme, owed)
    if bond.floor_coupon is not None:
        whole = bond.floor_coupon.rate * bond.floor_coupon.years * commitment
        most[bond.floor_coupon.by] = most.get(bond.floor_coupon.by, 0.0) + whole
    if bond.protection is not None:
        drawn = INFINITE if bond.revolving else commitment
        whole = max((p.share for p in bond.protection.schedule), default=0.0) * drawn
        most[bond.protection.by] = most.get(bond.protection.by, 0.0) + whole
    return most


FIGURES = (
    Figure(
        "cash_ran_out",
        "share of paths",
        lambda state: where(state.vehicle.worst_arrears > HALF_A_PENNY, 1.0, 0.0),
    ),
    Figure("unpaid_cost_at_worst", "pounds", lambda state: state.vehicle.worst_arrears),
    *(Figure(f"ended_{cause}", "share of paths", ended_by(i + 1)) for i, cause in enumerate(CAUSES)),
)
