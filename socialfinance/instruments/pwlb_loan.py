"""Loans of the Public Works Loan Board: drawn in any row, each repaid half-yearly by its own schedule.

Loans of one rate, term and method are kept together by the parity of the row in which they were drawn: those
drawn in even rows pay in even rows. What they owe and pay is then exact for any number of loans.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.core.terms import Pounds, Sourced
from socialfinance.kernels.annuity import capital_recovery_factor
from socialfinance.kernels.elementwise import least, most, where
from socialfinance.markets import pwlb

A_TRIFLE = 1e-6
"""Pounds: what is still owed below this is the rounding of a computer."""


# --- terms, as they stand in a file --------------------------------------------------------------------


class Fee(Sourced):
    """The lender's fee on each advance, paid on top when it is drawn."""

    rate: Annotated[float, Field(ge=0, le=0.1, description="share of the advance")] = 0.0
    """share of the advance"""
    least: Pounds = 0.0
    """pounds for an advance, however small"""


class Borrowing(Sourced):
    """A loan of the PWLB: every advance is repaid half-yearly, the first time six months after it."""

    method: Literal["maturity", "eip", "annuity"] = "eip"
    """maturity: principal at the end; eip: equal instalments of principal; annuity: level payments"""
    term_years: Annotated[int, Field(ge=1, le=50)] | None = None
    """years of each advance; none: the longest up to ten years that ends within the horizon, but no less than
    the method's shortest (1 year maturity, 2 years eip and annuity)"""
    product: Literal["standard", "certainty", "hra", "local-infrastructure"] = "certainty"
    """which of the PWLB's rates for new loans, where no rate is given"""
    rate: (
        Annotated[float, Field(ge=0, le=1, description="fraction a year, nominal, payable half-yearly")]
        | None
    ) = None
    """nominal a year, payable half-yearly; none: the shipped table's rate for this method and term"""
    fee: Fee = Field(default_factory=Fee)

    @model_validator(mode="after")
    def _term(self) -> Self:
        if self.term_years is not None and self.term_years < pwlb.SHORTEST[self.method]:
            least = pwlb.SHORTEST[self.method]
            raise ValueError(f"term_years: the shortest {self.method} loan is for {least} years")
        return self


# --- what a step is given ------------------------------------------------------------------------------


class Terms(NamedTuple):
    """Lowered terms."""

    interest: float
    """rate a half-year"""
    level: float
    """instalment for each pound drawn: 1 / n eip, i / (1 - (1 + i)^-n) annuity, 0 maturity"""
    annuity: float
    """1 where the level instalment includes interest"""
    maturity: float
    """1 where principal is paid at the end"""
    fee: float
    least_fee: float


class State(NamedTuple):
    """Loans that pay in this row, and the others, which pay in the next; pounds."""

    owed: Any
    instalment: Any
    """level instalment of the loans that still run"""
    other_owed: Any
    other_instalment: Any
    drawn: Any
    """in all"""


class Moved(NamedTuple):
    """Money of a row, pounds."""

    advance: Any
    fee: Any
    principal: Any
    interest: Any


NOTHING_OWED = State(0.0, 0.0, 0.0, 0.0, 0.0)


def borrow(terms: Terms, state: State, wanted: Any, matured: Any) -> tuple[State, Moved]:
    """Pay what is due on the loans of this half-year, then draw: ``(state, money moved)``.

    interest = owed x i; principal = instalment (eip), instalment - interest (annuity) or what was drawn a
    term ago (maturity), at most what is owed. ``matured`` is what was drawn a whole term ago.
    """
    interest = state.owed * terms.interest
    due = state.instalment - terms.annuity * interest + terms.maturity * matured
    principal = most(0.0, least(state.owed, due))
    owed = state.owed - principal
    instalment = state.instalment - terms.level * matured
    over = owed <= A_TRIFLE
    owed = where(over, 0.0, owed)
    instalment = where(over, 0.0, instalment)
    advance = where(wanted > HALF_A_PENNY, wanted, 0.0)
    fee = where(advance > 0.0, most(advance * terms.fee, terms.least_fee), 0.0)
    after = State(
        state.other_owed, state.other_instalment, owed + advance, instalment + terms.level * advance,
        state.drawn + advance,
    )  # fmt: skip
    return after, Moved(advance, fee, principal, interest)


# --- lowering ------------------------------------------------------------------------------------------


def lower(loan: Borrowing, last_advance: int, last_row: int) -> tuple[Terms, int]:
    """The terms as floats, and the rows from an advance to its last instalment."""
    term = loan.term_years or longest_term(last_advance, last_row, loan.method)
    rate = pwlb.rate(term, loan.method, loan.product) if loan.rate is None else loan.rate
    half = rate / 2.0
    instalments = 2 * term
    level = {
        "maturity": 0.0,
        "eip": 1.0 / instalments,
        "annuity": float(capital_recovery_factor(half, instalments)),
    }[loan.method]
    terms = Terms(
        interest=half, level=level, annuity=float(loan.method == "annuity"),
        maturity=float(loan.method == "maturity"), fee=loan.fee.rate, least_fee=loan.fee.least,
    )  # fmt: skip
    return terms, 2 * instalments


def longest_term(last_advance: int, last_row: int, method: str) -> int:
    """Up to ten years within the horizon; the method's shortest where none fits, though it runs beyond."""
    return min(max((last_row - last_advance) // 4, pwlb.SHORTEST[method]), 10)


def owed_at_end(state: State) -> Any:
    """What is still owed after the last row, pounds."""
    return state.owed + state.other_owed


NO_LOAN = Terms(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
