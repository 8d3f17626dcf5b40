"""Asset-backed deals: a development on council land, a lender secured on it, and whoever stands behind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.core.errors import InputError
from socialfinance.core.ledger import Leg
from socialfinance.core.terms import AnnualRate, Name, Pounds, Quarters, Share, Sourced
from socialfinance.core.terms import Terms as Model
from socialfinance.instruments import guarantees
from socialfinance.instruments.asset_backed_step import (
    BILL,
    Drawn,
    Payments,
    Pipelines,
    Row,
    State,
    Terms,
    ask,
    step,
)
from socialfinance.instruments.base import Brief, Figure, Lowered, plan_case, quarterly
from socialfinance.instruments.contract import Commitment
from socialfinance.instruments.guarantees import UNLIMITED, Layer
from socialfinance.instruments.lending import LendingRate
from socialfinance.instruments.property import DEVELOPMENT, RECIPIENTS, Indexation, of_purpose
from socialfinance.kernels.elementwise import where
from socialfinance.programmes.development import Development

Tuple = tuple[Any, ...]
CAUSES = ("covenant", "missed payment", "unpaid bills", "planning refused")
"""Why a deal ended early, numbered from 1; the later in the list wins where two come together."""
WINDOW = 4
"""Rows of income and interest that the cover test looks at."""
MOSTLY = 0.5
"""Share of the loan that a council guarantees from which consolidation of the vehicle is queried."""


# --- terms, as they stand in a file --------------------------------------------------------------------


class LandPayment(Model):
    """A part of the agreed value of the land that is paid in cash."""

    quarter: Quarters
    share: Share


class LandIn(Sourced):
    """How the council puts in its land.

    What ``payments`` pay is a deferred payment. What ``land`` of a capital entry counts is a loan note or
    equity. The rest is given for nothing.
    """

    agreed: Pounds | None = None
    """value at which it is put in; none: the development's market value at close"""
    payments: tuple[LandPayment, ...] = ()
    """owed with the other bills"""
    ground_rent: Pounds = 0.0
    """a year at close, paid quarterly in arrears with the other bills, raised by ``indexation``"""

    @model_validator(mode="after")
    def _rise(self) -> Self:
        quarters = [one.quarter for one in self.payments]
        if quarters != sorted(set(quarters)):
            raise ValueError("payments: quarters must rise")
        return self


class LoanRepayment(Sourced):
    """When principal falls due, from what is outstanding: early repayment makes later instalments smaller.

    Of the part beside the balloon, with m instalments left: eip 1/m; annuity i / ((1 + i)^m - 1); bullet
    nothing before the last.
    """

    profile: Literal["bullet", "eip", "annuity"] = "annuity"
    first_quarter: Annotated[int, Field(ge=1)]
    last_quarter: Annotated[int, Field(ge=1)]
    """quarter of the last instalment: maturity"""
    every: Annotated[int, Field(ge=1)] = 1
    """quarters between instalments, counted back from the last"""
    balloon: Share = 0.0
    """share of the loan at the first instalment that is left to the last"""

    @model_validator(mode="after")
    def _order(self) -> Self:
        if self.last_quarter < self.first_quarter:
            raise ValueError("last_quarter is before first_quarter")
        return self


class SeniorLoan(Sourced):
    """The institution's loan, secured on all that the vehicle holds. Role: investor."""

    commitment: Commitment
    """pounds, or a multiple of all that the plan draws"""
    rate: LendingRate
    availability_quarters: Quarters
    """last quarter in which it, and the capital beside it, may be drawn"""
    arrangement_fee: Share = 0.0
    """share of the commitment, due with the first drawing"""
    commitment_fee: Annotated[AnnualRate, Field(ge=0)] = 0.0
    """a year, on what may still be drawn, from the quarter after the first drawing"""
    repayment: LoanRepayment
    sweep: Share = 1.0
    """share of sale receipts and grant that repays early"""
    reserve_quarters: Annotated[int, Field(ge=0, le=40)] = 2
    """times the next quarter's interest and principal that is kept back from distributions"""

    @model_validator(mode="after")
    def _order(self) -> Self:
        if self.availability_quarters > self.repayment.last_quarter:
            raise ValueError("availability_quarters: the loan cannot be drawn after its last instalment")
        return self


class Capital(Sourced):
    """Who ranks after the loan, in the order of the file: cash, land, or only a share of what is left.

    Each has its return, then what it put in, before the next; who is paid last is drawn first.
    """

    by: Name
    """role: commissioner, local investors, partner …"""
    amount: Pounds = 0.0
    """cash that it undertakes to put in"""
    land: Share = 0.0
    """share of the land's agreed value that counts as put in by it"""
    rate: Annotated[AnnualRate, Field(ge=0)] = 0.0
    """return a year on what is outstanding, unpaid return included: all that it earns unless it has a share
    of the surplus"""
    from_quarter: Quarters = 0
    """first quarter in which it is paid anything"""
    standby: bool = False
    """drawn only once the loan is drawn in full"""
    surplus: Share = 0.0
    """share of what is left once all are paid; the same share of what is still held after the last quarter"""


class LoanToValue(Sourced):
    """The loan over the market value of all that is held."""

    most: Annotated[float, Field(gt=0, le=10)]
    lock_up: Annotated[float, Field(gt=0, le=10)] | None = None
    """above it nothing is distributed; none: ``most``"""
    first_quarter: Quarters

    @model_validator(mode="after")
    def _order(self) -> Self:
        if self.lock_up is not None and self.lock_up > self.most:
            raise ValueError(f"lock_up: must not be above most, which is {self.most:g}")
        return self


class InterestCover(Sourced):
    """Rent less running cost over interest, of the last four quarters together."""

    least: Annotated[float, Field(gt=0, le=100)]
    lock_up: Annotated[float, Field(gt=0, le=100)] | None = None
    """below it nothing is distributed; none: ``least``"""
    first_quarter: Quarters

    @model_validator(mode="after")
    def _order(self) -> Self:
        if self.lock_up is not None and self.lock_up < self.least:
            raise ValueError(f"lock_up: must not be below least, which is {self.least:g}")
        return self


class Cure(Sourced):
    """Who pays the loan down to where a covenant holds again, beside the vehicle's own cash."""

    by: Name
    """role: commissioner, partner …"""
    limit: Pounds
    """most it puts in over the life; it is not paid back"""
    times: Annotated[int, Field(ge=1)] = 2


class Covenants(Sourced):
    """What the loan is held to, tested every quarter."""

    loan_to_value: LoanToValue | None = None
    interest_cover: InterestCover | None = None
    cure: Cure | None = None
    waiver_quarters: Quarters = 2
    """quarters for which a breach that is not cured is tolerated before the loan is called in"""


class Enforcement(Sourced):
    """When the loan is called in, and what the collateral then brings."""

    missed_quarters: Annotated[int, Field(ge=1)] = 2
    """quarters in a row with a payment missed"""
    arrears_quarters: Annotated[int, Field(ge=1)] = 3
    """quarters in a row with bills unpaid"""
    delay: Annotated[int, Field(ge=1, le=40)] = 4
    """quarters from calling in to the sale"""
    discount: Share = 0.2
    """of the market value, on a forced sale"""


class Overage(Sourced):
    """What the council has of gains above a threshold: paid before any capital is."""

    share: Share
    above: Pounds
    """pounds of receipts, or of land value"""
    on: Literal["sales", "sales and exit", "planning"] = "sales"
    """sales: receipts from units so far; with exit: what all that is held is sold for, too; planning: the
    land's value in the quarter of consent"""


class Exit(Sourced):
    """All that is held is sold."""

    quarter: Annotated[int, Field(ge=1)]


class AssetBacked(Sourced):
    """Terms of a deal whose lender is secured on a development."""

    finances: ClassVar[frozenset[str]] = DEVELOPMENT
    kind: Literal["asset-backed"]
    land: LandIn = Field(default_factory=LandIn)
    indexation: Indexation = Field(default_factory=Indexation)
    """of the ground rent"""
    loan: SeniorLoan
    layers: tuple[Layer, ...] = ()
    """who guarantees part of the loan, in order; called when a payment is missed, or after the sale"""
    capital: Annotated[dict[Name, Capital], Field(min_length=1)]
    """by name, in order of payment"""
    distributions: Literal["while the loan runs", "after the loan"] = "while the loan runs"
    """when capital may be paid, once the works are finished and no test locks it up"""
    covenants: Covenants = Field(default_factory=Covenants)
    enforcement: Enforcement = Field(default_factory=Enforcement)
    sale_cost: Share = 0.02
    """of the price, whenever all that is held is sold at once"""
    overage: Overage | None = None
    exit: Exit | None = None
    """none: what is held after the last quarter passes to those with a share of the surplus"""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        shares = sum(one.surplus for one in self.capital.values())
        if abs(shares - 1.0) > 1e-9:
            raise ValueError(f"capital: shares of the surplus must sum to 1, they sum to {shares:g}")
        land = sum(one.share for one in self.land.payments) + sum(one.land for one in self.capital.values())
        if land > 1.0 + 1e-9:
            raise ValueError(f"land: is put in more than once: payments and capital sum to {land:g} of it")
        for i, layer in enumerate(self.layers):
            if layer.when == "maturity":
                raise ValueError(
                    f"layers[{i}].when: a secured loan that is unpaid at maturity is called in, and the "
                    "guarantee follows the sale: acceleration, or missed payment"
                )
        return self

    def lower(self, brief: Brief) -> Lowered:
        """The deal as floats and pure functions."""
        _check_horizon(self, brief)
        return _lower(self, brief)


# --- lowering ------------------------------------------------------------------------------------------


def _check_horizon(deal: AssetBacked, brief: Brief) -> None:
    """Refuse a file that ends before the loan can have been settled."""
    last, enforcement = brief.rows - 1, deal.enforcement
    end = deal.loan.repayment.last_quarter + enforcement.missed_quarters
    end = end if deal.exit is None else min(end, deal.exit.quarter)
    end += enforcement.delay + max((layer.claim_lag for layer in deal.layers), default=0)
    if end > last:
        raise InputError(
            "leaves no time to sell the collateral and call the guarantee before the file ends",
            field="instrument.loan.repayment.last_quarter", given=deal.loan.repayment.last_quarter,
            allowed=f"{end - last} quarters earlier, or quarters: {end} or more",
        )  # fmt: skip
    for i, one in enumerate(deal.land.payments):
        if one.quarter > last:
            raise InputError(
                "is after the last quarter of the file", field=f"instrument.land.payments[{i}].quarter",
                given=one.quarter, allowed=f"at most {last}",
            )  # fmt: skip


def _lower(deal: AssetBacked, brief: Brief) -> Lowered:
    """Lower twice: on an unlimited loan for what the plan draws, then on the agreed one."""
    amount = deal.loan.commitment.amount
    if amount is None:
        planned = plan_case(_lower_with(deal, brief, UNLIMITED, bare=True), brief)
        amount = float(planned[-1][0].drawn) * (deal.loan.commitment.peak_need or 0.0)
    return _lower_with(deal, brief, amount)


def _lower_with(deal: AssetBacked, brief: Brief, amount: float, bare: bool = False) -> Lowered:
    """Lower with the commitment in pounds; ``bare`` leaves out what hangs on it: fees, layers, covenants."""
    development: Development = brief.programme
    layers = () if bare else deal.layers
    exposure = amount * _growth(deal, brief.rows)
    stack = guarantees.lower(layers, amount, brief.rows, brief.calendar.start, "vehicle", exposure)
    lines, capital = tuple(brief.costs.values()), tuple(deal.capital.values())
    agreed = _agreed(deal, development)
    above, smallest, largest = deal.indexation.limits()
    tests = Covenants() if bare else deal.covenants
    value, cover, cure = tests.loan_to_value, tests.interest_cover, tests.cure
    overage = deal.overage or Overage(share=0.0, above=0.0)
    nobody = tuple(0.0 for _ in capital)
    terms = Terms(
        guarantees=stack.terms,
        recipient=tuple(float(RECIPIENTS.index(line.paid_to)) for line in lines),
        used=tuple(float(line.basis != "in house") for line in lines),
        running=tuple(float(line.running) for line in lines),
        commitment=amount,
        rate=deal.loan.rate.quarterly(),
        undrawn=0.0 if bare else quarterly(deal.loan.commitment_fee),
        arrangement=0.0 if bare else deal.loan.arrangement_fee * amount,
        upfront=stack.upfront,
        fee_from_vehicle=tuple(float(one.fee.paid_by == "vehicle") for one in layers) or (0.0,),
        sweep=deal.loan.sweep,
        reserve_quarters=float(deal.loan.reserve_quarters),
        land=agreed * (1.0 - sum(one.share for one in deal.land.payments)),
        ground_rent=deal.land.ground_rent / 4.0,
        above=above,
        smallest=smallest,
        largest=largest,
        cash=tuple(one.amount for one in capital),
        in_kind=tuple(one.land * agreed for one in capital),
        earns=tuple(quarterly(one.rate) for one in capital),
        from_row=tuple(float(one.from_quarter) for one in capital),
        standby=tuple(float(one.standby) for one in capital),
        surplus=tuple(one.surplus for one in capital),
        after_loan=float(deal.distributions == "after the loan"),
        most_loan=value.most if value else UNLIMITED,
        locks_loan=(value.lock_up or value.most) if value else UNLIMITED,
        least_cover=cover.least if cover else 0.0,
        locks_cover=(cover.lock_up or cover.least) if cover else 0.0,
        cure_limit=cure.limit if cure else 0.0,
        cure_times=float(cure.times) if cure else 0.0,
        waiver=float(tests.waiver_quarters),
        missed_rows=float(deal.enforcement.missed_quarters),
        arrears_rows=float(deal.enforcement.arrears_quarters),
        delay=float(deal.enforcement.delay),
        discount=deal.enforcement.discount,
        sale_cost=deal.sale_cost,
        overage=overage.share,
        overage_above=overage.above,
        overage_on_sales=float(overage.on != "planning"),
        overage_on_exit=float(overage.on == "sales and exit"),
        no_bill=tuple(0.0 for _ in range(BILL + len(stack.lags))),
        no_capital=nobody,
    )
    return Lowered(
        terms=terms,
        opening=_opening(stack, terms, nobody),
        lags=Pipelines(stack.lags, WINDOW, WINDOW),
        legs=_legs(deal, development, stack.legs),
        schedule=_rows(deal, brief, stack.rows, agreed, tests),
        ask=ask,
        step=step,
        figures=(*FIGURES, *_of_capital(deal), *_of_council(deal)),
        balances=BALANCES,
        contract_value={},
        maximum=_maximum(deal, stack),
        uses=tuple(line.basis != "in house" for line in lines),
        draws=Drawn(stack.draws),
        guaranteed=dict(stack.most),
        commitment=amount,
        notes=_notes(deal, development, agreed, stack, amount),
    )


def _opening(stack: guarantees.Lowered, terms: Terms, nobody: Tuple) -> State:
    return State(
        guarantees=stack.opening, cash=0.0, owed=terms.no_bill, balance=0.0, overdue=0.0, interest=0.0,
        drawn=0.0, put_in=nobody, capital=nobody, returns=nobody, received=nobody, overage=0.0, sales=0.0,
        rent_level=1.0, index_then=1.0, income=0.0, charged=0.0, breach_for=0.0, cured=0.0, cures=0.0,
        locked=0.0, late_for=0.0, arrears_for=0.0, since=-1.0, cause=0.0, gone=0.0, worst_arrears=0.0,
        peak=0.0, peak_loan=0.0, made_good=0.0, recovered=0.0, written_off=0.0, ever_late=0.0,
        ever_breached=0.0, ever_locked=0.0, ever_called=0.0, value=0.0,
    )  # fmt: skip


def _agreed(deal: AssetBacked, development: Development) -> float:
    return development.land.value if deal.land.agreed is None else deal.land.agreed


def _growth(deal: AssetBacked, rows: int) -> float:
    """The most that a pound drawn can be owed, where interest is covered too."""
    if not any(one.interest for one in deal.layers):
        return 1.0
    enforcement = deal.enforcement
    missed = any(one.interest and one.when == "missed payment" for one in deal.layers)
    quarters = rows if missed else enforcement.missed_quarters + enforcement.delay + 1
    return (1.0 + deal.loan.rate.quarterly()) ** quarters


def _rows(
    deal: AssetBacked, brief: Brief, stack: tuple[guarantees.Row, ...], agreed: float, tests: Covenants
) -> tuple[Row, ...]:
    loan, value, cover = deal.loan, tests.loan_to_value, tests.interest_cover
    due = shares_due(loan.repayment, loan.rate.quarterly(), brief.rows)
    land = {one.quarter: one.share * agreed for one in deal.land.payments}
    last = loan.repayment.last_quarter
    return tuple(
        Row(
            row=float(row),
            guarantees=stack[row],
            available=float(row <= loan.availability_quarters),
            due=due[row],
            next_due=due[row + 1] if row + 1 < brief.rows else 0.0,
            matured=float(row >= last),
            land=land.get(row, 0.0),
            close=float(row == 0),
            exit=float(deal.exit is not None and row == deal.exit.quarter),
            loan_test=float(value is not None and value.first_quarter <= row <= last),
            cover_test=float(cover is not None and cover.first_quarter <= row <= last),
            review=float(row > 0 and row % deal.indexation.every == 0),
            last=float(row == brief.rows - 1),
        )
        for row in range(brief.rows)
    )


def shares_due(repayment: LoanRepayment, rate: float, rows: int) -> tuple[float, ...]:
    """By row: share of the loan outstanding that falls due.

    Outstanding after an instalment, over the loan before the first: balloon + (1 - balloon) x what the
    profile leaves of the rest. A share is 1 - outstanding after / outstanding before; the last is 1.
    """
    first, last = repayment.first_quarter, repayment.last_quarter
    instalments = [row for row in range(first, last + 1) if (last - row) % repayment.every == 0]
    i = (1.0 + rate) ** repayment.every - 1.0
    shares, rest, before = [0.0] * max(rows, last + 1), 1.0, 1.0
    for k, row in enumerate(instalments):
        left = len(instalments) - k
        if repayment.profile == "eip" or (repayment.profile == "annuity" and i == 0.0):
            rest *= 1.0 - 1.0 / left
        elif repayment.profile == "annuity":
            rest *= 1.0 - i / ((1.0 + i) ** left - 1.0)
        after = repayment.balloon + (1.0 - repayment.balloon) * rest
        shares[row] = 1.0 - after / before
        before = after
    shares[last] = 1.0
    return tuple(shares[:rows])


def _legs(deal: AssetBacked, development: Development, stack: guarantees.Legs) -> Payments:
    capital = tuple(deal.capital.values())
    grant_by = development.grant.by if development.grant else "outside"
    cure_by = deal.covenants.cure.by if deal.covenants.cure else "commissioner"
    back: tuple[Leg, ...] = tuple(
        Leg("vehicle", one.by, "land payment" if one.land and not one.amount else "capital returned")
        for one in capital
    )
    return Payments(
        land_in_kind=Leg("commissioner", "vehicle", "property in kind"),
        sales=Leg("outside", "vehicle", "sale receipt"),
        rents=Leg("outside", "vehicle", "rent"),
        grant=Leg(grant_by, "vehicle", "grant"),
        property_sale=Leg("outside", "vehicle", "property sale"),
        sale_cost=Leg("vehicle", "outside", "other cost"),
        capital_in=tuple(Leg(one.by, "vehicle", "drawdown") for one in capital),
        drawdown=Leg("investor", "vehicle", "drawdown"),
        bill=(
            Leg("vehicle", RECIPIENTS[0], "service payment"),
            Leg("vehicle", RECIPIENTS[1], "service payment"),
            Leg("vehicle", "commissioner", "ground rent"),
            Leg("vehicle", "commissioner", "land payment"),
            Leg("vehicle", "investor", "arrangement fee"),
            Leg("vehicle", "investor", "commitment fee"),
        ),
        fees=stack.fee,
        interest=Leg("vehicle", "investor", "interest"),
        recovery=stack.recovery,
        cure=Leg(cure_by, "vehicle", "cure payment"),
        principal=Leg("vehicle", "investor", "principal"),
        call=stack.call,
        overage=Leg("vehicle", "commissioner", "overage"),
        returns=tuple(Leg("vehicle", one.by, "investor return") for one in capital),
        capital=back,
        surplus=tuple(Leg("vehicle", one.by, "surplus share") for one in capital),
        property_passed=tuple(Leg("vehicle", one.by, "property in kind") for one in capital),
    )


def _maximum(deal: AssetBacked, stack: guarantees.Lowered) -> dict[str, float]:
    """By role: the most it can be asked for in all: guarantees, cures and capital, pounds."""
    found = dict(stack.most)
    given = [(one.by, one.amount) for one in deal.capital.values()]
    if deal.covenants.cure is not None:
        given.append((deal.covenants.cure.by, deal.covenants.cure.limit))
    for role, amount in given:
        if amount > 0.0:
            found[role] = found.get(role, 0.0) + amount
    return found


def _notes(
    deal: AssetBacked, development: Development, agreed: float, stack: guarantees.Lowered, commitment: float
) -> tuple[str, ...]:
    found = [*of_purpose(development), *stack.notes]
    backed = stack.most.get("commissioner", 0.0) / commitment if commitment > 0.0 else 0.0
    if backed >= MOSTLY - 1e-9:
        found.append(
            f"the council stands behind {backed:.0%} of the loan: a contingent liability, and whether it "
            "consolidates the vehicle (IFRS 10) is a question for its auditor [unverified]"
        )
    shares = sum(one.share for one in deal.land.payments) + sum(one.land for one in deal.capital.values())
    given = agreed * (1.0 - shares)
    if given > HALF_A_PENNY:
        found.append(
            f"£{given:,.0f} of the council's land is put in for nothing: best consideration (Local "
            "Government Act 1972, section 123) and subsidy control have to be looked at [unverified]"
        )
    if agreed < development.land.value * (1.0 - 1e-9):
        found.append(
            f"the land is put in at £{agreed:,.0f}, below its market value of "
            f"£{development.land.value:,.0f}: best consideration (Local Government Act 1972, section 123) "
            "has to be looked at [unverified]"
        )
    return tuple(found)


# --- figures -------------------------------------------------------------------------------------------


def _ended_by(number: int) -> Callable[[State], Any]:
    def read(state: State) -> Any:
        return where(state.cause == number, 1.0, 0.0)

    return read


def _entry(field: str, k: int) -> Callable[[State], Any]:
    def read(state: State) -> Any:
        return getattr(state, field)[k]

    return read


def _short(k: int) -> Callable[[State], Any]:
    def read(state: State) -> Any:
        return where(state.put_in[k] - state.received[k] > HALF_A_PENNY, 1.0, 0.0)

    return read


def _of_capital(deal: AssetBacked) -> tuple[Figure, ...]:
    """By capital: cash put in and received, and whether less came back than went in."""
    found: list[Figure] = []
    for k, name in enumerate(deal.capital):
        found.append(Figure(f"capital put in: {name}", "pounds", _entry("put_in", k)))
        found.append(Figure(f"capital received: {name}", "pounds", _entry("received", k)))
        found.append(Figure(f"capital short: {name}", "share of paths", _short(k)))
    return tuple(found)


def _of_council(deal: AssetBacked) -> tuple[Figure, ...]:
    share = sum(one.surplus for one in deal.capital.values() if one.by == "commissioner")

    def read(state: State) -> Any:
        return state.value * share

    return (Figure("council_property_at_end", "pounds", read),)


def _sum(amounts: Sequence[Any]) -> Any:
    return sum(amounts[1:], amounts[0])


BALANCES = (
    Figure("loan", "pounds", lambda s: s.balance),
    Figure("overdue", "pounds", lambda s: s.overdue),
    Figure("interest owed", "pounds", lambda s: s.interest),
    Figure("owed to guarantors", "pounds", lambda s: guarantees.owed_back(s.guarantees)),
    Figure("written off so far", "pounds", lambda s: s.written_off),
)
"""What the page of one future shows as owed after each row."""

FIGURES = (
    Figure("cash_ran_out", "share of paths", lambda s: where(s.worst_arrears > HALF_A_PENNY, 1.0, 0.0)),
    Figure("unpaid_cost_at_worst", "pounds", lambda s: s.worst_arrears),
    Figure("unpaid_at_end", "pounds", lambda s: _sum(s.owed)),
    Figure("payment_missed", "share of paths", lambda s: s.ever_late),
    Figure("covenant_breached", "share of paths", lambda s: s.ever_breached),
    Figure("covenant_cured", "share of paths", lambda s: where(s.cured > HALF_A_PENNY, 1.0, 0.0)),
    Figure("cure_payments", "pounds", lambda s: s.cured),
    Figure("locked_up", "share of paths", lambda s: s.ever_locked),
    Figure("called_in", "share of paths", lambda s: s.ever_called),
    Figure("peak_loan", "pounds", lambda s: s.peak),
    Figure("peak_loan_to_value", "fraction", lambda s: s.peak_loan),
    Figure("loss_before_guarantees", "pounds", lambda s: s.made_good - s.recovered + s.written_off),
    Figure("loss_covered", "pounds", lambda s: s.made_good - s.recovered),
    Figure("loss_uncovered", "pounds", lambda s: s.written_off),
    Figure("lender_short", "share of paths", lambda s: where(s.written_off > HALF_A_PENNY, 1.0, 0.0)),
    Figure("property_at_end", "pounds", lambda s: s.value),
    *(Figure(f"ended_{cause}", "share of paths", _ended_by(i + 1)) for i, cause in enumerate(CAUSES)),
)
