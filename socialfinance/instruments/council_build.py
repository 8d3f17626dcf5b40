"""The council builds for itself: from reserves, or with loans of the PWLB for what is capital spending."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, NamedTuple

from socialfinance.core.ledger import Leg
from socialfinance.instruments import pwlb_loan
from socialfinance.instruments.base import Brief, Figure, Lowered, Now
from socialfinance.instruments.in_house import no_wish
from socialfinance.instruments.property import DEVELOPMENT, LONGEST, RECIPIENTS, of_purpose
from socialfinance.instruments.pwlb_loan import NO_LOAN, NOTHING_OWED, Borrowing, owed_at_end
from socialfinance.kernels.elementwise import most, part, put
from socialfinance.markets import pwlb
from socialfinance.programmes.base import Orders
from socialfinance.programmes.development import Development

Tuple = tuple[Any, ...]


class CouncilBuild(Borrowing):
    """The council builds on its own land, sells and lets, and keeps what it holds and all the risk."""

    finances: ClassVar[frozenset[str]] = DEVELOPMENT
    kind: Literal["council-build"]
    funded_from: Literal["reserves", "pwlb loans"] = "reserves"
    """pwlb loans: works and one-off cost less grant is borrowed for as it falls, which is lawful; the rest,
    and all repayment, comes from rents, sales and the revenue budget"""

    def lower(self, brief: Brief) -> Lowered:
        """The council's own scheme as floats and pure functions."""
        return _lower(self, brief)


class Terms(NamedTuple):
    """Lowered terms: floats only."""

    recipient: Tuple
    used: Tuple
    capital: Tuple
    """by cost line: 1 where a loan may be drawn for it"""
    loan: pwlb_loan.Terms
    borrows: float
    no_recipients: Tuple


class State(NamedTuple):
    """Carried from row to row, pounds."""

    loan: pwlb_loan.State
    value: Any
    """of what the council holds"""


class Payments(NamedTuple):
    """One amount for each leg."""

    sales: Any
    rents: Any
    grant: Any
    service: Tuple
    advance: Any
    fee: Any
    principal: Any
    interest: Any


class Pipelines(NamedTuple):
    """Delay lines."""

    loans: Any
    """advances on their way to their last instalment"""


def step(terms: Terms, state: State, now: Now) -> tuple[State, Payments, Orders, Pipelines]:
    """Receipts, cost, and loans for this row's capital spending less grant."""
    done = now.activity
    sales = done.receipts[0]
    for k in range(1, len(done.receipts)):
        sales = sales + done.receipts[k]
    rents = done.rents[0]
    for k in range(1, len(done.rents)):
        rents = rents + done.rents[k]
    service = terms.no_recipients
    capital = sales * 0.0
    for j in range(len(terms.used)):
        one = part(done.costs[j], terms.used[j])
        to = int(terms.recipient[j])
        service = put(service, to, service[to] + one)
        capital = capital + part(one, terms.capital[j])
    wanted = part(most(0.0, capital - done.grant), terms.borrows)
    loan, moved = pwlb_loan.borrow(terms.loan, state.loan, wanted, now.due.loans)
    payments = Payments(
        sales, rents, done.grant, service, moved.advance, moved.fee, moved.principal, moved.interest
    )
    return State(loan, done.value), payments, Orders(1.0, 1.0, 1.0), Pipelines(moved.advance)


def _lower(terms: CouncilBuild, brief: Brief) -> Lowered:
    development: Development = brief.programme
    lines = tuple(brief.costs.values())
    grant_by = development.grant.by if development.grant else "outside"
    loan, runs = NO_LOAN, 0
    if terms.funded_from == "pwlb loans":
        years = terms.term_years or _longest_term(brief, terms.method)
        loan, runs = pwlb_loan.lower(terms.model_copy(update={"term_years": years}), 0, brief.rows - 1)
    return Lowered(
        terms=Terms(
            recipient=tuple(float(RECIPIENTS.index(line.paid_to)) for line in lines),
            used=tuple(float(line.basis != "vehicle") for line in lines),
            capital=tuple(float(line.capital) for line in lines),
            loan=loan,
            borrows=float(terms.funded_from == "pwlb loans"),
            no_recipients=tuple(0.0 for _ in RECIPIENTS),
        ),
        opening=State(NOTHING_OWED, 0.0),
        lags=Pipelines(runs),
        legs=Payments(
            sales=Leg("outside", "commissioner", "sale receipt"),
            rents=Leg("outside", "commissioner", "rent"),
            grant=Leg(grant_by, "commissioner", "grant"),
            service=tuple(Leg("commissioner", role, "service payment") for role in RECIPIENTS),
            advance=Leg("pwlb", "commissioner", "drawdown"),
            fee=Leg("commissioner", "pwlb", "arrangement fee"),
            principal=Leg("commissioner", "pwlb", "principal"),
            interest=Leg("commissioner", "pwlb", "interest"),
        ),
        schedule=tuple(0.0 for _ in range(brief.rows)),
        ask=no_wish,
        step=step,
        figures=FIGURES,
        contract_value={},
        maximum={},
        uses=tuple(line.basis != "vehicle" for line in lines),
        notes=of_purpose(development),
    )


def _longest_term(brief: Brief, method: str) -> int:
    """The longest term that ends within the file after the last planned works, or the shortest there is."""
    lines = tuple(brief.costs.values())
    spent = [
        row
        for row, done in enumerate(brief.plan)
        if any(
            cost > 0.0 and line.capital and line.basis != "vehicle"
            for cost, line in zip(done.costs, lines, strict=True)
        )
    ]
    left = (brief.rows - 1 - max(spent, default=0)) // 4
    return min(max(left, pwlb.SHORTEST[method]), LONGEST)


FIGURES = (
    Figure("loan_owed_at_end", "pounds", lambda s: owed_at_end(s.loan)),
    Figure("property_at_end", "pounds", lambda s: s.value),
    Figure("council_property_at_end", "pounds", lambda s: s.value),
)
