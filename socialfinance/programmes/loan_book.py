"""The terms of a loan book: loans made in cohorts, how they are repaid, how they fail, what they cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from itertools import accumulate
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from socialfinance.core.terms import LARGEST_AMOUNT, AnnualRate, Name, Pounds, Quarters, Share, Sourced
from socialfinance.kernels.schedules import schedule
from socialfinance.programmes.people import CostReason
from socialfinance.scenarios.distributions import DriverRef, Uncertain, UncertainShare, resolve

LARGEST_COHORT = 1e5
"""Loans of one segment made in a quarter: more would take minutes to draw one by one."""
Loans = Annotated[float, Field(ge=0, le=LARGEST_COHORT, description="loans")]
Correlation = Annotated[float, Field(ge=0, lt=1, description="a fraction of one")]
DRAWN_ONCE = ("volume", "default_probability", "loss_given_default", "prepayment")
"""Fields of a segment that take one value a path."""
METHODS: dict[str, Literal["maturity", "eip", "annuity"]] = {
    "bullet": "maturity", "eip": "eip", "annuity": "annuity",
}  # fmt: skip
"""What the kernel of loan schedules calls each way of repayment."""


class Segment(Sourced):
    """Loans of one kind: all of one size and on the same terms.

    Either ``schedule`` (loans planned in each quarter), or ``per_quarter`` for ``quarters`` quarters.
    """

    schedule: tuple[Loans, ...] | None = None
    """loans planned in each quarter, the first quarter first"""
    per_quarter: Loans | None = None
    """loans planned a quarter"""
    quarters: Annotated[int, Field(ge=1, le=400)] | None = None
    """how many quarters loans are made, with per_quarter"""
    volume: Uncertain = 1.0
    """loans applied for and approved over planned, one draw a path"""
    size: Annotated[float, Field(gt=0, le=LARGEST_AMOUNT, description="pounds, or the file's currency")]
    """pounds lent to each borrower"""
    term: Annotated[int, Field(ge=1, le=120)]
    """quarters from the advance to the last repayment"""
    repayment: Literal["bullet", "eip", "annuity"] = "annuity"
    """bullet: all at the end; eip: equal instalments of principal; annuity: level payments, each quarterly"""
    holiday: Quarters = 0
    """quarters at the start in which interest only is paid"""
    rate: Annotated[AnnualRate, Field(ge=0)]
    """interest a year that borrowers pay, on ``basis``"""
    basis: Literal["annual effective", "nominal quarterly"]
    """how ``rate`` is stated: (1 + r)^(1/4) - 1, or r / 4, is paid each quarter"""
    default_probability: UncertainShare
    """chance that a loan defaults, a year or to its term"""
    default_basis: Literal["a year", "to term"] = "a year"
    default_timing: tuple[Share, ...] = ()
    """share of the defaults to term that falls in each quarter of a loan's life; none: the same chance in
    each quarter of those still there"""
    loss_given_default: UncertainShare
    """share of the principal outstanding at default that is never recovered"""
    recovery_lag: Quarters = 4
    """quarters from default to the recovery"""
    prepayment: UncertainShare = 0.0
    """chance a year that a loan is repaid early, in full"""
    correlation: Correlation = 0.0
    """of the one-factor model: how far defaults come together because of the economy, for the whole life"""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.schedule is None) == (self.per_quarter is None):
            raise ValueError("give either schedule or per_quarter (with quarters)")
        if self.per_quarter is not None and self.quarters is None:
            raise ValueError("per_quarter needs quarters")
        if self.holiday >= self.term:
            raise ValueError(f"holiday: must be shorter than the term, which is {self.term}")
        if self.default_timing:
            self._check_timing()
        return self

    def _check_timing(self) -> None:
        if self.default_basis != "to term":
            raise ValueError("default_timing: is of the defaults to term: default_basis must be to term")
        if len(self.default_timing) > self.term:
            raise ValueError(f"default_timing: is longer than the term, which is {self.term}")
        total = sum(self.default_timing)
        if abs(total - 1.0) > 1e-9:
            raise ValueError(f"default_timing: shares must sum to 1, they sum to {total:g}")

    @property
    def planned(self) -> tuple[float, ...]:
        """Planned loans by quarter, before volume."""
        if self.schedule is not None:
            return self.schedule
        assert self.per_quarter is not None
        return (self.per_quarter,) * (self.quarters or 0)

    @property
    def quarterly_rate(self) -> float:
        """Interest a quarter."""
        if self.basis == "nominal quarterly":
            return self.rate / 4.0
        return float((1.0 + self.rate) ** 0.25 - 1.0)

    @property
    def principal(self) -> tuple[float, ...]:
        """Principal of one loan that falls due in each quarter of its life, pounds."""
        left = schedule(self.size, self.quarterly_rate, self.term - self.holiday, METHODS[self.repayment])
        return (0.0,) * self.holiday + tuple(float(one) for one in left.principal)

    @property
    def balances(self) -> tuple[float, ...]:
        """What one loan owes at the start of each quarter of its life, pounds."""
        paid = list(accumulate(self.principal, initial=0.0))
        return tuple(max(0.0, self.size - one) for one in paid[:-1])

    def cumulative_default(self, p: Any) -> tuple[Any, ...]:
        """Chance of default by the end of each quarter of a loan's life, before the economy is known.

        A year: 1 - (1 - p)^(a/4) by quarter a; to term: 1 - (1 - p)^(a/term), or p x the timing so far.
        """
        if self.default_timing:
            so_far = list(accumulate(self.default_timing))
            return tuple(p * min(1.0, so_far[min(a, len(so_far) - 1)]) for a in range(self.term))
        life = 4 if self.default_basis == "a year" else self.term
        return tuple(1.0 - (1.0 - p) ** ((a + 1) / life) for a in range(self.term))


class LoanCost(Sourced):
    """A cost of making and looking after loans, paid to someone who passes it on to staff and suppliers."""

    paid_to: Literal["provider", "intermediary"] = "provider"
    """who is paid: the fund manager is the provider"""
    reason: CostReason = "delivery cost"
    """what for: delivery cost, set-up cost, intermediary cost, evaluation cost, other cost"""
    per_loan_made: Pounds = 0.0
    """origination: for each loan, in the quarter in which it is made"""
    per_loan: Pounds = 0.0
    """servicing: a quarter, for each loan outstanding at its start"""
    of_balance: Annotated[AnnualRate, Field(ge=0)] = 0.0
    """a year, of the principal outstanding at the start of each quarter"""
    per_quarter: Pounds = 0.0
    """fixed amount each quarter from first to last quarter"""
    one_off: Pounds = 0.0
    """amount paid once, in first_quarter"""
    first_quarter: Annotated[int, Field(ge=0)] = 1
    """first quarter of the fixed amount; 0 is financial close"""
    last_quarter: Annotated[int, Field(ge=0)] | None = None
    """last quarter of the fixed amount; default the last quarter of the book"""
    overrun: Uncertain = 1.0
    """actual over budgeted cost, one draw a path"""
    index: Name | None = None
    """index it follows; none: not indexed"""
    price_base: date | None = None
    """day at whose prices it is stated; default the start"""

    @model_validator(mode="after")
    def _order(self) -> Self:
        if self.last_quarter is not None and self.last_quarter < self.first_quarter:
            raise ValueError("last_quarter is before first_quarter")
        return self


class LoanBook(Sourced):
    """A book of loans, before anyone asks how it is paid for."""

    kind: Literal["loan-book"]
    title: str
    segments: Annotated[dict[Name, Segment], Field(min_length=1)]
    """loans of different size, terms or risk"""
    costs: dict[Name, LoanCost] = Field(default_factory=dict)
    default_in_shock: Annotated[float, Field(ge=1, le=100)] = 1.0
    """times the chance of default of a quarter in which a common shock runs; a common shock does nothing else
    to a loan book"""
    loadings: dict[Name, float] = Field(default_factory=dict)
    """share of the economy's score that comes from each common factor; squares sum to less than 1"""
    drivers: dict[Name, Uncertain] = Field(default_factory=dict)
    """named random numbers, used by {driver: NAME}"""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        explained = sum(loading**2 for loading in self.loadings.values())
        if explained >= 1.0:
            raise ValueError(f"loadings: squares must sum to less than 1, they sum to {explained:g}")
        if self.loadings and not any(segment.correlation for segment in self.segments.values()):
            raise ValueError("loadings: no segment has a correlation, so no default would follow them")
        for place, value in self._drawn_once():
            if hasattr(value, "path"):
                raise ValueError(f"{place}: takes one value for the life: a process moves by the quarter")
        return self

    def _drawn_once(self) -> Iterator[tuple[str, Any]]:
        for name, segment in self.segments.items():
            for field in DRAWN_ONCE:
                value = getattr(segment, field)
                known = not isinstance(value, DriverRef) or value.driver in self.drivers
                yield f"segments.{name}.{field}", resolve(value, self.drivers) if known else value

    @property
    def savings(self) -> Mapping[str, Any]:
        """A loan book saves nobody anything."""
        return {}

    @property
    def last_lending_quarter(self) -> int:
        """The last quarter in which loans are planned."""
        return max(
            (q + 1 for one in self.segments.values() for q, loans in enumerate(one.planned) if loans > 0.0),
            default=0,
        )

    @property
    def last_quarter(self) -> int:
        """The quarter after which nothing of the book is left: last repayment, or last recovery."""
        ends = [0]
        for segment in self.segments.values():
            made = [q + 1 for q, loans in enumerate(segment.planned) if loans > 0.0]
            ends.append(max(made, default=0) + segment.term + segment.recovery_lag)
        return max(ends)
