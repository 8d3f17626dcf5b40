"""Pay-as-you-save: money drawn against need, repaid by each agency out of what it verifiably saves."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.core.errors import InputError
from socialfinance.core.ledger import Leg
from socialfinance.core.terms import Name, Pounds, Quarters, Share, Sourced
from socialfinance.instruments import claims, guarantees, vehicle
from socialfinance.instruments.base import PEOPLE, Brief, Figure, Lowered, plan_case
from socialfinance.instruments.contract import CAUSES, Commitment, ExitRow, ExitTerms, ReviewTerms, ended_by
from socialfinance.instruments.guarantees import UNLIMITED, Layer
from socialfinance.instruments.lending import LendingRate
from socialfinance.instruments.pays_step import (
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
from socialfinance.instruments.tariff import AgencyPays, Payer, SavingsPayment, Tariff, longest_lag
from socialfinance.kernels.elementwise import where
from socialfinance.scenarios.distributions import Uncertain

Tuple = tuple[Any, ...]

# --- terms, as they stand in a file ---------------------------------------------------------------


class OwnSavings(Sourced):
    """What agencies pay where the deal's tariff has no ``savings``: every agency that saves pays alike."""

    share: Share = 1.0
    """part of its verified savings that an agency pays"""
    of: Literal["cashable", "all"] = "cashable"
    """all: freed capacity counts as well, which no budget shows"""
    verification_lag: Quarters = 2
    """quarters from a saving to its payment"""
    error: Uncertain = 1.0
    """verified over true savings, one draw a path"""


class Floor(Sourced):
    """A role makes good what the funder has had back less than this when the floor is tested."""

    by: Name
    """role that pays"""
    share: Share | None = None
    """share of what was drawn that the funder has back at least"""
    amount: Pounds | None = None
    """or pounds, at most what was drawn"""
    claim_lag: Quarters = 1
    """quarters from the test to the payment"""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.share is None) == (self.amount is None):
            raise ValueError("give either share or amount")
        return self


class Surplus(Sourced):
    """Who has what is left once the funder has its capital and the fair rate. Shares sum to one."""

    agencies: Share = 1.0
    """by what each has paid out of savings and not had back"""
    provider: Share = 0.0
    investor: Share = 0.0
    """a share here turns the fair rate into a return that follows performance"""
    reinvest: Share = 0.0
    """more starts of the same programme; to agencies while nothing is reinvested"""

    @model_validator(mode="after")
    def _sum(self) -> Self:
        total = self.agencies + self.provider + self.investor + self.reinvest
        if abs(total - 1.0) > 1e-9:
            raise ValueError(f"shares must sum to 1, they sum to {total:g}")
        return self


class Reinvest(Sourced):
    """How the reinvested part of the surplus buys more starts, and when no more."""

    until_quarter: Annotated[int, Field(ge=1)] | None = None
    """last quarter in which more is ordered; none: as long as the plan starts anybody in the next"""
    most_scale: Annotated[float, Field(ge=1, le=10)] = 2.0
    """most starts over planned starts of a quarter; what would buy more waits"""
    cost_per_start: Annotated[float, Field(gt=0)] | None = None
    """pounds that a further start is ordered at; none: the plan's cost over the plan's starts"""
    stop_below: Annotated[float, Field(ge=0)] = 0.0
    """nothing is reinvested while ``stop_measure`` is below this"""
    stop_measure: Literal["verified over plan", "verified per pound of cost"] = "verified over plan"
    """verified savings so far over the plan's, or over what was paid for the programme so far"""


class PayAsYouSave(Sourced):
    """Terms of a pay-as-you-save deal."""

    finances: ClassVar[frozenset[str]] = PEOPLE
    kind: Literal["pay-as-you-save"]
    commitment: Commitment
    """pounds, or a multiple of all that the plan draws; caps all that is ever drawn"""
    availability_quarters: Quarters | None = None
    """last quarter in which it may be drawn; none: the last with a planned cost"""
    draw_ahead: Annotated[int, Field(ge=0, le=8)] = 1
    """quarters before a cost at which it is drawn"""
    reserve_quarters: Annotated[int, Field(ge=0, le=40)] = 2
    """quarters of planned cost kept back before anything is paid to the funder"""
    rate: LendingRate
    """the fair rate, rolled up on the balance"""
    arrangement_fee: Share = 0.0
    """share of the commitment, at close"""
    commitment_fee: Annotated[float, Field(ge=0, le=0.25, description="fraction a year")] = 0.0
    """a year on what may still be drawn, a quarter of it each quarter, while the money is available"""
    fees: Literal["rolled up", "from cash"] = "rolled up"
    """the funder's fees: added to the balance, or paid from cash (drawn where there is none)"""
    outcome_payments: bool = False
    """whether the tariff's prices are paid as well; if not, payers pay out of savings only"""
    savings: OwnSavings = Field(default_factory=OwnSavings)
    """where the tariff has no savings payment of its own"""
    floor: Floor | None = None
    layers: tuple[Layer, ...] = ()
    """guarantors in order, before the floor: loss is what the funder has not had back"""
    floor_quarter: Annotated[int, Field(ge=1)] | None = None
    """quarter in which floor and layers are tested; none: the long stop"""
    long_stop_quarter: Annotated[int, Field(ge=1)] | None = None
    """last quarter in which agencies pay; none: the deal's last quarter"""
    unpaid: Literal["written off", "paid by agencies", "paid by the commissioner"] = "written off"
    """what happens to the balance at the long stop; agencies pay by verified savings"""
    surplus: Surplus = Field(default_factory=Surplus)
    reinvest: Reinvest | None = None
    termination: ExitTerms = Field(default_factory=ExitTerms)
    review: ReviewTerms | None = None
    """what may change at review dates; only in the run 'with variation'"""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.reinvest is not None and self.surplus.reinvest == 0.0:
            raise ValueError("reinvest: the surplus gives it nothing (surplus.reinvest)")
        for i, one in enumerate(self.layers):
            if one.when == "missed payment":
                raise ValueError(f"layers[{i}].when: nothing falls due before the test, so none is missed")
        stop = self.long_stop_quarter
        if self.floor_quarter is not None and stop is not None and self.floor_quarter > stop:
            raise ValueError(f"floor_quarter: must not be after the long stop, quarter {stop}")
        if self.floor_quarter is not None and self.floor is None and not self.layers:
            raise ValueError("floor_quarter: there is neither floor nor layer to test")
        return self

    def lower(self, brief: Brief) -> Lowered:
        """The deal as floats and pure functions."""
        return _lower(self, brief, agreed_tariff(self, brief))


# --- what is paid from what ------------------------------------------------------------------------


def agreed_tariff(deal: PayAsYouSave, brief: Brief) -> Tariff:
    """The tariff as this structure reads it: prices only if they are paid, and savings in any case."""
    tariff = brief.tariff or Tariff.model_construct(payers={"commissioner": Payer(share=1.0)})
    if not deal.outcome_payments:
        split = zip(tariff.payers.items(), claims.split_of(tariff), strict=True)
        payers = {
            role: payer.model_copy(update={"share": own, "prices": None}) for (role, payer), own in split
        }
        nothing: dict[str, Any] = {
            "prices": {},
            "effect": None,
            "caps": {},
            "cap_per_person": None,
            "cap": 0.0,
        }
        tariff = tariff.model_copy(update={"payers": payers, **nothing})
    if tariff.savings is None:
        tariff = tariff.model_copy(update={"savings": _own_savings(deal, brief)})
    return tariff


def _own_savings(deal: PayAsYouSave, brief: Brief) -> SavingsPayment | None:
    """Every agency that saves in the programme pays the same share."""
    terms = deal.savings
    saves = [
        one.agency
        for one in brief.programme.savings.values()
        if one.cashable > 0.0 or (terms.of == "all" and one.cashable < 1.0)
    ]
    if saves:
        agencies = {agency: AgencyPays(share=terms.share, of=terms.of) for agency in saves}
        return SavingsPayment(agencies=agencies, verification_lag=terms.verification_lag, error=terms.error)
    if deal.outcome_payments:
        return None
    raise InputError(
        "brings no agency a saving that it could pay from: nothing would ever repay the funder",
        field="programme.savings", allowed="a saving with a cashable share, or outcome_payments: true",
    )  # fmt: skip


# --- lowering --------------------------------------------------------------------------------------


def _lower(deal: PayAsYouSave, brief: Brief, tariff: Tariff) -> Lowered:
    """Lower twice: on unlimited money for what the plan draws and verifies, then on the agreed."""
    dates = Dates(deal, brief, tariff)
    planned = plan_case(_lower_with(deal, brief, tariff, dates, UNLIMITED, None), brief)
    amount = deal.commitment.amount
    if amount is None:
        amount = planned[-1][0].drawn * (deal.commitment.peak_need or 0.0)
    return _lower_with(deal, brief, tariff, dates, amount, [state for state, _ in planned])


class Dates:
    """The rows that the terms name, checked against the deal's calendar and the plan's costs."""

    def __init__(self, deal: PayAsYouSave, brief: Brief, tariff: Tariff) -> None:
        last = brief.rows - 1
        base = vehicle.lower(brief, tariff, 0.0, deal.termination, deal.review)
        self.bill = vehicle.planned_bill(base.terms, brief)
        self.starts = tuple(float(done.starts) for done in brief.plan)
        self.last_cost = max((row for row, owed in enumerate(self.bill) if owed > HALF_A_PENNY), default=0)
        self.last_delivery = max(
            self.last_cost, max((row for row, n in enumerate(self.starts) if n > 0.0), default=0)
        )
        self.long_stop = last if deal.long_stop_quarter is None else deal.long_stop_quarter
        self.floor = self.long_stop if deal.floor_quarter is None else deal.floor_quarter
        self.available = self.last_cost if deal.availability_quarters is None else deal.availability_quarters
        _within(self.long_stop, last, "long_stop_quarter", "the last quarter of the file")
        _within(self.floor, self.long_stop, "floor_quarter", "the long stop")
        if self.long_stop < self.last_cost:
            raise InputError(
                "comes before the programme has been paid for",
                field="instrument.long_stop_quarter",
                given=self.long_stop,
                allowed=f"at least {self.last_cost}, the last quarter with a planned cost",
            )
        _within(self.available, self.long_stop, "availability_quarters", "the long stop")
        for i, one in enumerate(_stack(deal)):
            name = f"layers[{i}]" if i < len(deal.layers) else "floor"
            _within(self.floor + one.claim_lag, last, f"{name}.claim_lag", "the last quarter of the file")


def _within(row: int, last: int, field: str, what: str) -> None:
    if row > last:
        raise InputError(
            f"is after {what}, quarter {last}" if "lag" not in field else f"is paid after {what}",
            field=f"instrument.{field}",
            given=row if "lag" not in field else f"a payment in quarter {row}",
            allowed=f"at most {last}",
        )


def _stack(deal: PayAsYouSave) -> tuple[Layer, ...]:
    """Layers in order, then the floor as a layer above the loss that the funder bears itself."""
    layers = tuple(one.model_copy(update={"when": "maturity"}) for one in deal.layers)
    floor = deal.floor
    if floor is None:
        return layers
    kept = 1.0 if floor.share is None else 1.0 - floor.share
    as_layer = Layer(
        guarantor=floor.by, attach=kept, unit="share of drawn", when="maturity", claim_lag=floor.claim_lag
    )
    return (*layers, as_layer)


def _lower_stack(deal: PayAsYouSave, brief: Brief, amount: float, planned: bool) -> guarantees.Lowered:
    """Layers and floor as floats. A floor in pounds is one above drawn less its amount."""
    owed = _most_owed(deal, brief, amount) if any(one.interest for one in deal.layers) else amount
    stack = _stack(deal) if planned else ()
    found = guarantees.lower(stack, amount, brief.rows, brief.calendar.start, "vehicle", owed, amount)
    floor = deal.floor
    if not planned or floor is None or floor.amount is None:
        return found
    most = {**found.most, floor.by: found.most.get(floor.by, 0.0) + min(floor.amount, amount)}
    attach = (*found.terms.attach[:-1], -floor.amount)
    return found._replace(terms=found.terms._replace(attach=attach), most=most)


def _most_owed(deal: PayAsYouSave, brief: Brief, amount: float) -> float:
    """The most that the balance can come to: all drawn at close, with every fee, and nothing ever paid."""
    fees = deal.arrangement_fee + deal.commitment_fee / 4.0 * (brief.rows - 1)
    return amount * (1.0 + fees) * (1.0 + deal.rate.quarterly()) ** (brief.rows - 1)


def _lower_with(
    deal: PayAsYouSave, brief: Brief, tariff: Tariff, dates: Dates, amount: float, planned: list[State] | None
) -> Lowered:
    """Lower with the commitment in pounds; without ``planned`` (the plan's states) nothing is tested."""
    base = vehicle.lower(brief, tariff, 0.0, deal.termination, deal.review)
    stack = _lower_stack(deal, brief, amount, planned is not None)
    surplus, agencies = deal.surplus, base.terms.savings.no_agencies
    real = float(planned is not None)
    terms = Terms(
        vehicle=base.terms._replace(savings_go_on=1.0, paid_by=float("inf")),
        guarantees=stack.terms,
        commitment=amount,
        rate=deal.rate.quarterly(),
        commitment_fee=deal.commitment_fee / 4.0 * real,
        arrangement=deal.arrangement_fee * amount * real,
        fees_in_cash=float(deal.fees == "from cash"),
        upfront=stack.upfront,
        fee_from_vehicle=tuple(float(one.fee.paid_by == "vehicle") for one in _stack(deal)) or (0.0,),
        to_agencies=surplus.agencies,
        to_provider=surplus.provider,
        to_investor=surplus.investor,
        to_reinvest=surplus.reinvest,
        stop_below=deal.reinvest.stop_below if deal.reinvest else 0.0,
        stop_on_plan=float(deal.reinvest is None or deal.reinvest.stop_measure == "verified over plan"),
        by_agencies=float(deal.unpaid == "paid by agencies"),
        by_commissioner=float(deal.unpaid == "paid by the commissioner"),
        each=1.0 / len(agencies),
        no_agencies=agencies,
    )
    nobody = stack.terms.no_layers
    opening = State(
        vehicle=base.opening, guarantees=stack.opening, balance=0.0, accrued=0.0, drawn=0.0, received=0.0,
        fees=nobody, pot=0.0, held=0.0, returned=agencies, compensation=0.0, spent=0.0, peak=0.0,
        reinvested=0.0, unpaid=0.0,
    )  # fmt: skip
    return Lowered(
        terms=terms,
        opening=opening,
        lags=Pipelines(base.lags, stack.lags, _until_cost_has_fallen(brief)),
        legs=_legs(tariff, base.legs, stack.legs),
        schedule=_rows(deal, brief, tariff, terms, dates, stack.rows, planned),
        ask=ask,
        step=step,
        restate=restate,
        figures=FIGURES,
        balances=BALANCES,
        contract_value=claims.contract_value(tariff, base.terms.claims),
        maximum=_maximum(deal, brief, tariff, terms, stack, amount),
        uses=tuple(line.basis != "in house" for line in brief.costs.values()),
        would_change=lambda state: state.vehicle.would_change,
        draws=Drawn(base.draws, stack.draws),
        guaranteed=stack.most,
        commitment=amount,
        notes=_notes(deal, brief, tariff, dates, amount),
        purse=vehicle.purse(tariff.savings),
        lag=longest_lag(tariff),
    )


def _until_cost_has_fallen(brief: Brief) -> int:
    """Quarters from an order to the last cost of what it starts: the next, and the slowest response."""
    mine = [line for line in brief.costs.values() if line.basis != "in house" and line.elasticity > 0.0]
    return 1 + max((line.response_lag for line in mine), default=0)


NOTHING_ENDS = ExitRow(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
"""A row in which there is no contract to end: all has been delivered."""


def _rows(
    deal: PayAsYouSave,
    brief: Brief,
    tariff: Tariff,
    terms: Terms,
    dates: Dates,
    stack: tuple[guarantees.Row, ...],
    planned: list[State] | None,
) -> tuple[Row, ...]:
    claimed = None if planned is None else tuple(state.vehicle.claimed for state in planned)
    schedule = vehicle.rows(
        brief, terms.vehicle, tariff, draw_ahead=deal.draw_ahead, reserve_quarters=deal.reserve_quarters,
        termination=deal.termination, reviews=deal.review.quarters if deal.review else (), claimed=claimed,
    )  # fmt: skip
    saved = tuple(sum(state.vehicle.savings.verified) for state in planned or ()) or (0.0,) * brief.rows
    more = [_more(deal, dates, row) for row in range(brief.rows)]
    return tuple(
        Row(
            vehicle=one._replace(
                exits=one.exits if row <= dates.last_delivery else NOTHING_ENDS,
                savings_open=float(row <= dates.long_stop),
                last=float(row >= dates.long_stop),
            ),
            guarantees=stack[row],
            close=float(row == 0),
            available=float(planned is None or row <= dates.available),
            fee_runs=float(0 < row <= dates.available),
            accrues=float(0 < row <= dates.long_stop),
            covered=float(0 < row <= dates.floor),
            floor=float(row == dates.floor),
            long_stop=float(planned is not None and row == dates.long_stop),
            reinvests=float(planned is not None and more[row] > 0.0),
            coming=more[row],
            most_more=more[row] * (deal.reinvest.most_scale - 1.0 if deal.reinvest else 1.0),
            planned_verified=saved[row],
        )
        for row, one in enumerate(schedule)
    )


def _more(deal: PayAsYouSave, dates: Dates, row: int) -> float:
    """Planned starts of the next row at the cost of a start; nil where nothing is reinvested."""
    how = deal.reinvest or Reinvest()
    until = dates.long_stop if how.until_quarter is None else how.until_quarter
    if deal.surplus.reinvest == 0.0 or row > until or row + 1 >= dates.long_stop:
        return 0.0
    each = how.cost_per_start
    if each is None:
        each = sum(dates.bill) / sum(dates.starts) if sum(dates.starts) > 0.0 else 0.0
    return dates.starts[row + 1] * each


def _legs(tariff: Tariff, base: vehicle.Receipts, stack: guarantees.Legs) -> Payments:
    payers = tuple(tariff.payers)
    agencies = tuple(leg.payer for leg in base.savings)
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
        call=stack.call,
        unpaid_agencies=tuple(Leg(a, "investor", "unpaid balance") for a in agencies),
        unpaid_commissioner=Leg("commissioner", "investor", "unpaid balance"),
        surplus_agencies=tuple(Leg("vehicle", a, "surplus share") for a in agencies),
        surplus_provider=Leg("vehicle", "provider", "surplus share"),
        surplus_investor=Leg("vehicle", "investor", "surplus share"),
    )


def _maximum(
    deal: PayAsYouSave, brief: Brief, tariff: Tariff, terms: Terms, stack: guarantees.Lowered, amount: float
) -> dict[str, float]:
    """By role: the most it can be asked for in all, with savings, floor and the balance at the long stop."""
    owed = max(vars(deal.termination.compensation)[cause] for cause in CAUSES) * amount
    found = vehicle.maximum(terms.vehicle, tariff, brief.programme, owed)
    whole = _most_owed(deal, brief, amount)
    left = {"commissioner": whole} if terms.by_commissioner else {}
    if terms.by_agencies:
        left = dict.fromkeys(tariff.savings.agencies if tariff.savings else ("commissioner",), whole)
    for promised in (stack.most, left):
        for role, most in promised.items():
            found[role] = found.get(role, 0.0) + most
    return found


def _notes(deal: PayAsYouSave, brief: Brief, tariff: Tariff, dates: Dates, amount: float) -> tuple[str, ...]:
    """What a reader of the terms should know: what is paid from what, and promises that are borrowing."""
    counted = {"cashable": "cashable savings", "all": "savings, freed capacity that is not cash included"}
    agencies = tariff.savings.agencies if tariff.savings else {}
    found = [
        f"{role} pays {one.share:.0%} of its verified {counted[one.of]}" for role, one in agencies.items()
    ]
    if not deal.outcome_payments and brief.tariff and (brief.tariff.total_prices or brief.tariff.effect):
        found.append(
            "the tariff's prices for outcomes are not paid: the funder is repaid out of savings only"
        )
    floor = deal.floor
    if floor is not None:
        what = f"{floor.share:.0%} of what it paid in" if floor.amount is None else f"£{floor.amount:,.0f}"
        found.append(
            f"in quarter {dates.floor} {floor.by} makes good what the funder has had back less than {what}"
        )
    if deal.unpaid != "written off":
        found.append(f"the balance at the long stop, quarter {dates.long_stop}, is {deal.unpaid}")
    payers = {"commissioner", *tariff.payers, *agencies}
    if deal.unpaid != "written off" or (floor is not None and floor.by in payers):
        found.append(
            "what a council owes whatever is saved (a floor that it gives, the balance at the long stop) is "
            "likely to be a credit arrangement, inside the borrowing limits [unverified]"
        )
    stack = guarantees.lower(deal.layers, amount, brief.rows, brief.calendar.start, "vehicle")
    return (*found, *stack.notes)


BALANCES = (
    Figure("owed to the funder", "pounds", lambda s: s.balance),
    Figure("of it interest and fees", "pounds", lambda s: s.accrued),
    Figure("owed to guarantors", "pounds", lambda s: guarantees.owed_back(s.guarantees)),
    Figure("kept for more starts", "pounds", lambda s: s.pot + s.held),
)
"""What the page of one future shows as owed after each row."""

FIGURES = (
    Figure("cash_ran_out", "share of paths",
           lambda s: where(s.vehicle.worst_arrears > HALF_A_PENNY, 1.0, 0.0)),
    Figure("unpaid_cost_at_worst", "pounds", lambda s: s.vehicle.worst_arrears),
    Figure("repaid_in_full", "share of paths", lambda s: where(s.unpaid <= HALF_A_PENNY, 1.0, 0.0)),
    Figure("unpaid_at_long_stop", "pounds", lambda s: s.unpaid),
    Figure("peak_capital", "pounds", lambda s: s.peak),
    Figure("reinvested", "pounds", lambda s: s.reinvested),
    *(Figure(f"ended_{cause}", "share of paths", ended_by(i + 1)) for i, cause in enumerate(CAUSES)),
)  # fmt: skip
