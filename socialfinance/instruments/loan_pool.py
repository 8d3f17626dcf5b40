"""A community loan pool: investors fund loans to others, guarantors stand behind the losses in layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.core.errors import InputError
from socialfinance.core.ledger import Leg
from socialfinance.core.parties import OUTSIDE
from socialfinance.core.terms import Name, Pounds, Quarters, Sourced
from socialfinance.instruments import guarantees
from socialfinance.instruments.base import INFINITE, Brief, Figure, Lowered, plan_case
from socialfinance.instruments.contract import Commitment
from socialfinance.instruments.guarantees import UNLIMITED, Layer
from socialfinance.instruments.lending import LendingRate
from socialfinance.instruments.pool_step import Payments, Pipelines, Row, State, Terms, ask, step
from socialfinance.kernels.elementwise import ratio, where

Tuple = tuple[Any, ...]

# --- terms, as they stand in a file --------------------------------------------------------------------


class Grant(Sourced):
    """Money that is put in with the investors' and never paid back: it bears losses first."""

    by: Name
    """role that gives it"""
    share: Annotated[float, Field(gt=0, lt=1, description="a fraction of one")]
    """of every amount that is paid in"""


class Surplus(Sourced):
    """Who has what is left once investors have all they are owed, no loan is left and no cost is due."""

    to: Name = "investor"
    """role"""


class LoanPool(Sourced):
    """Terms of a fund that lends investors' money in many loans."""

    finances: ClassVar[frozenset[str]] = frozenset({"loan-book"})
    kind: Literal["loan-pool"]
    commitment: Commitment
    """investors' money: pounds, or a multiple of all that the plan draws of it, where all that is approved is
    lent and nobody stands behind it; what has been paid back is not drawn again"""
    grant: Grant | None = None
    revolving_quarters: Quarters = 0
    """last quarter in which repayments are lent again; from it on they go to investors"""
    most_lending: Annotated[float, Field(ge=1, le=10, description="times")] = 1.0
    """times the loans approved that repayments may be lent to while they are lent again"""
    most_lent: Pounds | None = None
    """pounds that may be lent in all: the portfolio agreed with guarantors; none: as far as money goes"""
    stop_lending_at: Annotated[float, Field(gt=0, le=1)] | None = None
    """principal in default so far over lent so far from which lending ends for good, and repayments go to
    investors; none: no such test"""
    reserve_quarters: Annotated[int, Field(ge=0, le=40)] = 2
    """quarters of planned running cost that are not lent; once the commitment can no longer be drawn, kept
    back before interest and capital are paid"""
    rate: LendingRate | None = None
    """interest to investors on their capital outstanding; none: what borrowers pay in interest, less cost"""
    layers: tuple[Layer, ...] = ()
    """guarantors, in order"""
    claims: Literal["at default", "final loss"] = "at default"
    """at default: the principal of a loan is claimed when it defaults, and what is recovered is shared;
    final loss: what is not recovered is claimed once that is known"""
    surplus: Surplus = Field(default_factory=Surplus)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.most_lending > 1.0 and self.revolving_quarters == 0:
            raise ValueError("most_lending: no repayments are lent again (revolving_quarters is 0)")
        for i, one in enumerate(self.layers):
            if one.when != "acceleration":
                raise ValueError(
                    f"layers[{i}]: a loan of a pool is called in when it defaults: leave `when` out, and say "
                    "with `claims` of the pool what is claimed"
                )
            if one.interest:
                raise ValueError(f"layers[{i}]: covers interest, which a loan in default no longer earns")
        return self

    def lower(self, brief: Brief) -> Lowered:
        """The pool as floats and pure functions for this deal."""
        last = brief.rows - 1
        if self.revolving_quarters > last:
            raise InputError(
                "is after the last quarter of the file", field="instrument.revolving_quarters",
                given=self.revolving_quarters, allowed=f"at most {last}",
            )  # fmt: skip
        named = {"grant.by": self.grant.by if self.grant else "investor", "surplus.to": self.surplus.to}
        for field, role in named.items():
            if role in ("vehicle", OUTSIDE):
                raise InputError(
                    "is a role that belongs to the model", field=f"instrument.{field}", given=role,
                    allowed="a role that a party fills",
                )  # fmt: skip
        return _lower(self, brief)


# --- lowering --------------------------------------------------------------------------------------------


def _lower(pool: LoanPool, brief: Brief) -> Lowered:
    """Lower twice where the commitment follows the plan: on an unlimited one for what the plan needs."""
    amount = pool.commitment.amount
    if amount is None:
        bare = pool.model_copy(update={"layers": (), "stop_lending_at": None})
        planned = plan_case(_lower_with(bare, brief, UNLIMITED), brief)
        amount = planned[-1][0].drawn * (pool.commitment.peak_need or 0.0)
    return _lower_with(pool, brief, amount)


def _lower_with(pool: LoanPool, brief: Brief, amount: float) -> Lowered:
    book, layers = brief.programme, pool.layers
    grant = pool.grant.share / (1.0 - pool.grant.share) if pool.grant else 0.0
    most_lent = _most_lent(pool, brief, amount * (1.0 + grant))
    stack = guarantees.lower(
        layers, amount * (1.0 + grant), brief.rows, brief.calendar.start, "vehicle",
        exposure=most_lent, most_drawn=most_lent, lender="vehicle",
    )  # fmt: skip
    recipients = tuple(dict.fromkeys(line.paid_to for line in book.costs.values())) or ("provider",)
    segments = tuple(book.segments.values())
    nobody = stack.terms.no_layers
    terms = Terms(
        guarantees=stack.terms,
        commitment=amount,
        grant=grant,
        rate=pool.rate.quarterly() if pool.rate else 0.0,
        all_income=float(pool.rate is None),
        at_default=float(pool.claims == "at default"),
        most_lending=pool.most_lending,
        most_lent=UNLIMITED if pool.most_lent is None else pool.most_lent,
        stop_at=UNLIMITED if pool.stop_lending_at is None else pool.stop_lending_at,
        upfront=stack.upfront,
        fee_from_vehicle=tuple(float(one.fee.paid_by == "vehicle") for one in layers) or (0.0,),
        recipient=tuple(float(recipients.index(line.paid_to)) for line in book.costs.values()) or (0.0,),
        no_recipients=tuple(0.0 for _ in recipients),
        recovered_at_once=tuple(float(one.recovery_lag == 0) for one in segments),
        no_cover=tuple(nobody for _ in segments),
    )
    opening = State(
        guarantees=stack.opening, cash=0.0, arrears=terms.no_recipients, fees=nobody, drawn=0.0,
        capital_back=0.0, owed=0.0, outstanding=0.0, lent=0.0, defaulted=0.0, recovered=0.0, lost=0.0,
        made=0.0, defaults=0.0, stopped=0.0, worst_arrears=0.0,
    )  # fmt: skip
    return Lowered(
        terms=terms,
        opening=opening,
        lags=Pipelines(stack.lags, tuple(tuple(one.recovery_lag for _ in nobody) for one in segments)),
        legs=_legs(pool, recipients if book.costs else (), stack.legs),
        schedule=_rows(pool, brief, stack.rows),
        ask=ask,
        step=step,
        figures=_figures(pool),
        balances=BALANCES,
        contract_value={},
        maximum=_maximum(pool, stack, amount * grant),
        uses=tuple(True for _ in brief.costs),
        draws=stack.draws,
        guaranteed=stack.most,
        commitment=amount,
        notes=stack.notes,
        lag=max((one.claim_lag for one in layers), default=0),
    )


def _most_lent(pool: LoanPool, brief: Brief, fund: float) -> float:
    """The most that can be lent in all, pounds: as agreed; else the fund, unless repayments are lent again.

    Then it is what is planned x the most lending; infinite where the volume of loans is uncertain.
    """
    if pool.most_lent is not None:
        return pool.most_lent
    if pool.revolving_quarters == 0:
        return fund
    total = 0.0
    for segment in brief.programme.segments.values():
        if not isinstance(segment.volume, float):
            return INFINITE
        total += sum(segment.planned) * segment.volume * segment.size
    return max(fund, total * pool.most_lending)


def _rows(pool: LoanPool, brief: Brief, stack: tuple[guarantees.Row, ...]) -> tuple[Row, ...]:
    bills = [sum(done.costs) for done in brief.plan]
    running = [max(0.0, bill - done.made_cost) for bill, done in zip(bills, brief.plan, strict=True)]
    last, lending = brief.rows - 1, brief.programme.last_lending_quarter
    end = max([brief.programme.last_quarter, *(row for row, bill in enumerate(bills) if bill > HALF_A_PENNY)])
    return tuple(
        Row(
            guarantees=stack[row],
            lent_again=float(row <= pool.revolving_quarters),
            returning=float(row >= pool.revolving_quarters or row == last),
            reserve=sum(running[row + 1 : row + 1 + pool.reserve_quarters]),
            not_lent=sum(running[row + 1 : row + 1 + max(pool.reserve_quarters, 1)]),
            available=float(row <= lending),
            reserving=float(row >= lending),
            over=float(row >= end or row == last),
            close=float(row == 0),
        )
        for row in range(brief.rows)
    )


def _legs(pool: LoanPool, recipients: tuple[str, ...], stack: guarantees.Legs) -> Payments:
    return Payments(
        interest=Leg(OUTSIDE, "vehicle", "interest"),
        principal=Leg(OUTSIDE, "vehicle", "principal"),
        recovered=Leg(OUTSIDE, "vehicle", "recovery"),
        call=stack.call,
        drawdown=Leg("investor", "vehicle", "drawdown"),
        grant=Leg(pool.grant.by if pool.grant else "investor", "vehicle", "grant"),
        recovery=stack.recovery,
        lent=Leg("vehicle", OUTSIDE, "drawdown"),
        fee=stack.fee,
        service=tuple(Leg("vehicle", role, "service payment") for role in recipients)
        or (Leg("vehicle", OUTSIDE, "service payment"),),
        investor_return=Leg("vehicle", "investor", "interest" if pool.rate else "investor return"),
        capital=Leg("vehicle", "investor", "capital returned"),
        surplus=Leg("vehicle", pool.surplus.to, "surplus share"),
    )


def _maximum(pool: LoanPool, stack: guarantees.Lowered, grant: float) -> dict[str, float]:
    """By role: the most it can be asked for in all: grant, guarantees, and fees that it pays for others."""
    found = dict(stack.most)
    if pool.grant is not None:
        found[pool.grant.by] = found.get(pool.grant.by, 0.0) + grant
    for one in pool.layers:
        if one.fee.paid_by not in ("vehicle", "investor"):
            found[one.fee.paid_by] = INFINITE
    return found


# --- figures ---------------------------------------------------------------------------------------------


BALANCES = (
    Figure("lent and outstanding", "pounds", lambda s: s.outstanding),
    Figure("investors' capital", "pounds", lambda s: s.drawn - s.capital_back),
    Figure("interest owed", "pounds", lambda s: s.owed),
    Figure("owed to guarantors", "pounds", lambda s: guarantees.owed_back(s.guarantees)),
)
"""What the page of one future shows as owed after each row."""


def _figures(pool: LoanPool) -> tuple[Figure, ...]:
    """What is read from the last state: the loans, their losses, and who bore them."""
    borne = tuple(
        Figure(f"borne: {i + 1} {one.guarantor}", "pounds", _borne_by(i)) for i, one in enumerate(pool.layers)
    )
    tested = pool.stop_lending_at is not None
    stopped = [Figure("lending_stopped", "share of paths", lambda s: s.stopped)] if tested else []
    return (
        Figure("cash_ran_out", "share of paths", lambda s: where(s.worst_arrears > HALF_A_PENNY, 1.0, 0.0)),
        Figure("unpaid_cost_at_worst", "pounds", lambda s: s.worst_arrears),
        Figure("default_rate", "fraction", lambda s: ratio(s.defaults, s.made, 0.0)),
        Figure("loss_rate", "fraction", lambda s: ratio(s.lost, s.lent, 0.0)),
        Figure("loss_on_loans", "pounds", lambda s: s.lost),
        *borne,
        Figure("borne: pool", "pounds", _borne_by_the_pool),
        *stopped,
    )


def _borne_by(i: int) -> Callable[[State], Any]:
    """Calls accepted by a layer less what it recovered."""

    def read(state: State) -> Any:
        return state.guarantees.owed_back[i]

    return read


def _borne_by_the_pool(state: State) -> Any:
    """Losses that no layer bore: its income, the grant and, last, investors make them good."""
    left = state.lost
    for one in state.guarantees.owed_back:
        left = left - one
    return left
