"""In house: the council pays the programme's cost as it falls, keeps all savings and bears all the risk.

Where its money comes from is stated: the revenue budget, a reserve, capital receipts or a loan. Beside it,
doing nothing.
"""

from __future__ import annotations

from datetime import date
from typing import Any, ClassVar, Literal, NamedTuple, Self

from pydantic import model_validator

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.core.errors import InputError
from socialfinance.core.ledger import Leg
from socialfinance.core.terms import Name, Sourced
from socialfinance.instruments import pwlb_loan
from socialfinance.instruments.base import INFINITE, PEOPLE, Brief, Figure, Lowered, Now, quarterly
from socialfinance.instruments.funding import (
    BORROWING,
    FOR_CAPITAL,
    CapitalReceipts,
    Direction,
    FundedFrom,
    Reserve,
    basis_of,
)
from socialfinance.instruments.pwlb_loan import NO_LOAN, NOTHING_OWED, Borrowing, owed_at_end
from socialfinance.kernels.elementwise import least, most, part, put, where
from socialfinance.programmes.base import Orders
from socialfinance.programmes.people import CostLine

Tuple = tuple[Any, ...]
RECIPIENTS = ("provider", "intermediary", "evaluator")
CostBase = Literal["own", "same"]
"""own: no vehicle and no investor diligence, but the council's own contract staff; same: the deal's costs."""
BLOCKS: dict[FundedFrom, str] = {
    "invest-to-save reserve": "reserve",
    "flexible capital receipts": "receipts",
    "capitalisation direction": "direction",
}
"""Where the terms of each way of funding stand; the revenue budget has none."""


# --- terms, as they stand in a file --------------------------------------------------------------------


class FeeForService(Sourced):
    """The council runs the programme itself, or has it run for a fee."""

    finances: ClassVar[frozenset[str]] = PEOPLE
    kind: Literal["fee-for-service"]
    funded_from: FundedFrom = "revenue budget"
    """where the money comes from"""
    cost_base: CostBase = "own"
    """own: the council's contract staff and no vehicle; same: the costs of a deal financed from outside"""
    reserve: Reserve | None = None
    receipts: CapitalReceipts | None = None
    direction: Direction | None = None

    @model_validator(mode="after")
    def _its_own_block(self) -> Self:
        for funding, field in BLOCKS.items():
            given, wanted = getattr(self, field) is not None, self.funded_from == funding
            if wanted and not given:
                raise ValueError(f"{field}: funding from the {funding} needs it")
            if given and not wanted:
                raise ValueError(f"{field}: belongs to funding from the {funding}; leave it out")
        return self

    def lower(self, brief: Brief) -> Lowered:
        """In-house delivery as floats and pure functions."""
        return _in_house(brief, self.cost_base, _funding(self, brief))


class PwlbLoan(Borrowing):
    """In house, with the cost borrowed from the PWLB.

    For revenue spending it is a cost-of-money benchmark, no lawful loan; for capital spending it is real.
    """

    finances: ClassVar[frozenset[str]] = PEOPLE
    kind: Literal["pwlb-loan"]
    purpose: Literal["revenue", "capital"] = "revenue"
    """revenue: a benchmark; capital: real borrowing, for the cost lines named in ``lines``"""
    lines: tuple[Name, ...] | None = None
    """cost lines that the loan pays for; none: all of them"""
    draws: Literal["planned year", "need"] = "planned year"
    """planned year: the next four quarters' planned cost, a year ahead (the first loan pays for close too);
    need: this quarter's actual cost, as it falls"""
    cost_base: CostBase = "own"

    @model_validator(mode="after")
    def _capital_is_named(self) -> Self:
        if self.purpose == "capital" and not self.lines:
            raise ValueError("lines: capital spending needs the cost lines that are capital")
        return self

    def lower(self, brief: Brief) -> Lowered:
        """In-house delivery financed by loans."""
        return _in_house(brief, self.cost_base, _borrowed(self, brief))


class DoNothing(Sourced):
    """No programme: no cost, no outcome, no saving."""

    finances: ClassVar[frozenset[str]] = frozenset({"people-programme"})
    kind: Literal["do-nothing"]

    def lower(self, brief: Brief) -> Lowered:
        """Nothing is paid and nobody starts."""
        return Lowered(
            terms=(0.0,), opening=(0.0,), lags=(), legs=(), schedule=tuple(0.0 for _ in range(brief.rows)),
            ask=no_wish, step=_nothing, figures=(),
            contract_value={}, maximum={},
            uses=tuple(False for _ in brief.costs), delivers=False, notes=("nothing is done",),
        )  # fmt: skip


# --- one row -------------------------------------------------------------------------------------------


class Terms(NamedTuple):
    """Lowered terms."""

    recipient: Tuple
    used: Tuple
    borrowed: Tuple
    """by cost line: 1 where a loan is drawn for it as it falls"""
    loan: pwlb_loan.Terms
    loan_limit: float
    """pounds that may be drawn as cost falls, in all"""
    pot_limit: float
    """pounds that may be out of a reserve, or used of receipts; nil where there is neither"""
    forgone: float
    """interest that a reserve goes without, a quarter"""
    gives_back: Tuple
    """by saving: share of it, where it is cashable, that goes to the reserve"""
    no_recipients: Tuple


class State(NamedTuple):
    """Carried from row to row, pounds."""

    spent: Any
    loan: pwlb_loan.State
    out: Any
    """taken from the reserve or receipts and not given back"""
    interest: Any
    """interest forgone that the reserve is owed"""
    forgone: Any
    """interest forgone in all"""
    most_out: Any


class Row(NamedTuple):
    """What the schedule says about this row."""

    advance: float
    """planned loan money, pounds"""
    open: float
    """1 while cost may be met from the reserve, receipts or a direction"""


class Pipelines(NamedTuple):
    """Delay lines."""

    loans: Any
    """advances on their way to their last instalment"""


class Payments(NamedTuple):
    """One amount for each leg."""

    given_back: Any
    interest_forgone: Any
    taken: Any
    advance: Any
    fee: Any
    service: Tuple
    principal: Any
    interest: Any


def no_wish(terms: Any, state: Any, now: Now) -> Any:
    """A council asks no fund for money."""
    return 0.0


def _nothing(terms: Any, state: Any, now: Now) -> tuple[Any, Any, Orders, Any]:
    return state, (), Orders(0.0, 0.0, 1.0), ()


def step(terms: Terms, state: State, now: Now) -> tuple[State, Payments, Orders, Pipelines]:
    """Savings give back to the reserve; cost is paid, from the reserve, receipts or a loan; loans are served.

    owed to the reserve: interest forgone = (out + interest owed) x rate on balances after the row before;
    savings pay interest first, then what is out. taken = this row's cost, within what is left of the pot.
    """
    saved = now.level * 0.0
    for s in range(len(terms.gives_back)):
        saved = saved + part(most(0.0, now.activity.cashable[s]), terms.gives_back[s])
    accrued = (state.out + state.interest) * terms.forgone
    owed = state.interest + accrued
    interest_back = least(saved, owed)
    back = least(saved - interest_back, state.out)
    out = state.out - back

    service = terms.no_recipients
    cost = now.level * 0.0
    wanted = now.level * 0.0
    for j in range(len(terms.used)):
        one = part(now.activity.costs[j], terms.used[j])
        to = int(terms.recipient[j])
        service = put(service, to, service[to] + one)
        cost = cost + one
        wanted = wanted + part(one, terms.borrowed[j])
    taken = least(part(cost, now.plan.open), most(0.0, terms.pot_limit - out))
    as_needed = least(part(wanted, now.plan.open), most(0.0, terms.loan_limit - state.loan.drawn))
    loan, moved = pwlb_loan.borrow(terms.loan, state.loan, now.plan.advance + as_needed, now.due.loans)
    after = State(
        state.spent + cost, loan, out + taken, owed - interest_back, state.forgone + accrued,
        most(state.most_out, out + taken),
    )  # fmt: skip
    payments = Payments(
        back, interest_back, taken, moved.advance, moved.fee, service, moved.principal, moved.interest
    )
    return after, payments, Orders(1.0, 1.0, 1.0), Pipelines(moved.advance)


# --- lowering ------------------------------------------------------------------------------------------


class Funding(NamedTuple):
    """How the cost is met, lowered."""

    notes: tuple[str, ...]
    loan: pwlb_loan.Terms = NO_LOAN
    runs: int = 0
    """rows from an advance to its last instalment"""
    loan_limit: float = 0.0
    borrowed: Tuple = ()
    """by cost line: 1 where a loan is drawn for it as it falls"""
    advances: Tuple = ()
    """by row: planned loan money, pounds"""
    pot: str | None = None
    """role that the money is taken from"""
    pot_limit: float = 0.0
    forgone: float = 0.0
    gives_back: Tuple = ()
    repaid_by: str = "commissioner"
    open: Tuple = ()
    """by row: 1 while cost may be met so"""


def _used(base: CostBase, line: CostLine) -> bool:
    return line.basis != ("vehicle" if base == "own" else "in house")


def _in_house(brief: Brief, base: CostBase, how: Funding) -> Lowered:
    costs = tuple(brief.costs.values())
    nothing = tuple(0.0 for _ in range(brief.rows))
    savings = tuple(0.0 for _ in brief.programme.savings) or (0.0,)
    figures = [Figure("loan_owed_at_end", "pounds", lambda s: owed_at_end(s.loan))]
    if how.pot == "reserve":
        figures += [
            Figure("reserve_out_at_most", "pounds", lambda s: s.most_out),
            Figure("reserve_short_at_end", "pounds", lambda s: s.out + s.interest),
            Figure(
                "reserve_not_repaid",
                "share of paths",
                lambda s: where(s.out + s.interest > HALF_A_PENNY, 1.0, 0.0),
            ),
            Figure("interest_forgone", "pounds", lambda s: s.forgone),
        ]
    elif how.pot is not None:
        figures.append(Figure("receipts_used", "pounds", lambda s: s.out))
    return Lowered(
        terms=Terms(
            recipient=tuple(float(RECIPIENTS.index(line.paid_to)) for line in costs),
            used=tuple(float(_used(base, line)) for line in costs),
            borrowed=how.borrowed or tuple(0.0 for _ in costs),
            loan=how.loan,
            loan_limit=how.loan_limit,
            pot_limit=how.pot_limit,
            forgone=how.forgone,
            gives_back=how.gives_back or savings,
            no_recipients=tuple(0.0 for _ in RECIPIENTS),
        ),
        opening=State(0.0, NOTHING_OWED, 0.0, 0.0, 0.0, 0.0),
        lags=Pipelines(how.runs),
        legs=_legs(how),
        schedule=tuple(Row(*one) for one in zip(how.advances or nothing, how.open or nothing, strict=True)),
        ask=no_wish,
        step=step,
        figures=tuple(figures),
        contract_value={},
        maximum={},
        uses=tuple(_used(base, line) for line in costs),
        notes=how.notes,
    )


def _legs(how: Funding) -> Payments:
    """Who pays whom; where there is no pot, the council's own money in its place, of which nothing moves."""
    pot = how.pot or "commissioner"
    return Payments(
        given_back=Leg(how.repaid_by, pot, "principal"),
        interest_forgone=Leg(how.repaid_by, pot, "interest"),
        taken=Leg(pot, "commissioner", "drawdown"),
        advance=Leg("pwlb", "commissioner", "drawdown"),
        fee=Leg("commissioner", "pwlb", "arrangement fee"),
        service=tuple(Leg("commissioner", role, "service payment") for role in RECIPIENTS),
        principal=Leg("commissioner", "pwlb", "principal"),
        interest=Leg("commissioner", "pwlb", "interest"),
    )


def _funding(terms: FeeForService, brief: Brief) -> Funding:
    """How the cost is met under each way of funding."""
    notes: tuple[str, ...] = (basis_of(terms.funded_from),)
    if terms.reserve is not None:
        return _from_reserve(terms.reserve, brief, notes)
    if terms.receipts is not None:
        receipts = terms.receipts
        return Funding(
            notes, pot="capital receipts", pot_limit=_limit(receipts.available),
            open=_open_until(receipts.until, brief),
        )  # fmt: skip
    if terms.direction is not None:
        direction = terms.direction
        costs = tuple(float(_used(terms.cost_base, line)) for line in brief.costs.values())
        planned = _planned_cost(brief, costs)
        loan, runs = pwlb_loan.lower(direction, _last(planned), brief.rows - 1)
        return Funding(
            notes, loan, runs, _limit(direction.amount), costs, open=_open_until(direction.until, brief)
        )
    return Funding(notes)


def _from_reserve(reserve: Reserve, brief: Brief, notes: tuple[str, ...]) -> Funding:
    agencies = [saving.agency for saving in brief.programme.savings.values()]
    if reserve.repaid_by not in agencies:
        raise InputError(
            "saves nothing in this programme, so the reserve would never be repaid",
            field="instrument.reserve.repaid_by", given=reserve.repaid_by,
            allowed=", ".join(sorted(set(agencies))) or "a role for which the programme has savings",
        )  # fmt: skip
    return Funding(
        notes, pot="reserve", pot_limit=_limit(reserve.amount), forgone=quarterly(reserve.interest_forgone),
        gives_back=tuple(reserve.share if agency == reserve.repaid_by else 0.0 for agency in agencies),
        repaid_by=reserve.repaid_by, open=_open_until(None, brief),
    )  # fmt: skip


def _limit(amount: float | None) -> float:
    return INFINITE if amount is None else amount


def _open_until(last: date | None, brief: Brief) -> Tuple:
    """By row: 1 up to the last day of spending that is covered."""
    return tuple(float(last is None or day <= last) for day in brief.calendar.dates)


def _borrowed(loan: PwlbLoan, brief: Brief) -> Funding:
    """Loans for the lines that they pay for: each year's planned cost a year ahead, or cost as it falls."""
    for i, name in enumerate(loan.lines or ()):
        if name not in brief.costs:
            raise InputError(
                "is not a cost line of the programme", field=f"instrument.lines[{i}]", given=name,
                allowed=", ".join(brief.costs),
            )  # fmt: skip
    paid_for = tuple(
        float(_used(loan.cost_base, line) and (loan.lines is None or name in loan.lines))
        for name, line in brief.costs.items()
    )
    note = FOR_CAPITAL.format(lines=", ".join(loan.lines or ())) if loan.purpose == "capital" else BORROWING
    notes = (f"the PWLB loan is {note}",)
    planned = _planned_cost(brief, paid_for)
    if loan.draws == "need":
        terms, runs = pwlb_loan.lower(loan, _last(planned), brief.rows - 1)
        return Funding(notes, terms, runs, INFINITE, paid_for, open=_open_until(None, brief))
    advances = _years_ahead(planned)
    terms, runs = pwlb_loan.lower(loan, _last(advances), brief.rows - 1)
    return Funding(notes, terms, runs, advances=advances)


def _planned_cost(brief: Brief, counted: Tuple) -> tuple[float, ...]:
    """By row: the plan's cost of the lines that count, pounds."""
    return tuple(
        sum(cost for cost, counts in zip(activity.costs, counted, strict=True) if counts)
        for activity in brief.plan
    )


def _years_ahead(planned: tuple[float, ...]) -> tuple[float, ...]:
    """One loan a year for the next four quarters' planned cost; the first also meets the cost of close."""
    last = len(planned) - 1
    return tuple(
        sum(planned[row + 1 : row + 5]) + (planned[0] if row == 0 else 0.0)
        if row % 4 == 0 and row < last
        else 0.0
        for row in range(len(planned))
    )


def _last(amounts: tuple[float, ...]) -> int:
    """The last row with any money in it."""
    return max((row for row, amount in enumerate(amounts) if amount > 0.0), default=0)
