"""What public bodies tell of their own books: budgets, reserves, and how they account for a promise."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from socialfinance.core.terms import AnnualRate, Pounds, Share, Sourced

FinancialYear = Annotated[str, Field(pattern=r"^[0-9]{4}/[0-9]{2}$", description="April to March: 2026/27")]
Fraction = Annotated[float, Field(gt=0, lt=1, description="a fraction of one")]


class Budget(Sourced):
    """Money set aside by year for payments under the file's deals, and what becomes of what is left."""

    by_year: Annotated[dict[FinancialYear, Pounds], Field(min_length=1)]
    """pounds by financial year; a year that is not named has none"""
    basis: Literal["accrual", "cash"] = "accrual"
    """accrual: a payment belongs to the year in which it was earned; cash: to the year in which it is paid"""
    carry_forward: Share = 0.0
    """share of what a year leaves that next year may spend"""
    to_reserve: Share = 0.0
    """share of the rest of it that goes into the reserve; what remains lapses"""
    reserve: Pounds = 0.0
    """outcomes reserve at the start: it pays what a year's money does not cover"""
    caps: dict[FinancialYear, Pounds] = Field(default_factory=dict)
    """most that may be spent in a year whatever is left or in reserve; a year that is not named has no cap"""

    @model_validator(mode="after")
    def _consecutive(self) -> Self:
        for field, years in (("by_year", self.by_year), ("caps", self.caps)):
            for year in years:
                if int(year[5:]) != (int(year[:4]) + 1) % 100:
                    raise ValueError(f"{field}.{year}: is no financial year: 2026/27 is one")
        return self


class Promises(Sourced):
    """How guarantees and the like are measured in the accounts."""

    reserve: Pounds | None = None
    """named reserve that calls would be paid from; none: not given"""
    worst_case: Fraction = 0.95
    """percentile of the reasonable worst case; no percentile is prescribed"""
    cost_of_risk: Annotated[AnnualRate, Field(ge=0)] = 0.06
    """of the reasonable worst case less expected loss: what bearing the risk is worth over the life"""
    remote: Annotated[float, Field(gt=0, lt=0.5, description="a fraction below a half")] = 0.05
    """chance below which nothing is disclosed under IAS 37; the standard gives no number"""
    rate: Annotated[AnnualRate, Field(ge=0)] | None = None
    """discount of expected credit loss, annual effective; none: the file's discount rate"""


class Appraisal(Sourced):
    """How nominal flows become real ones, and by which schedule they are discounted."""

    inflation: dict[FinancialYear, Annotated[float, Field(gt=-0.5, le=1)]] | float = 0.02
    """growth of the deflator, a fraction a year or one for each year; a year not named: the last that is"""
    schedule: Literal["standard", "health"] = "standard"
    optimism_bias_costs: Annotated[float, Field(ge=0, le=10)] = 0.0
    """added to costs, a fraction: 0.1 adds 10%"""
    optimism_bias_benefits: Share = 0.0
    """taken off benefits, a fraction: 0.1 takes off 10%"""


class CapitalSide(Sourced):
    """Borrowing of a council beside the file's deals; pounds, the same every year from the file's start."""

    opening_cfr: Pounds = 0.0
    """capital financing requirement"""
    loans: Pounds = 0.0
    """outstanding"""
    mrp_on_opening: Pounds | None = None
    """a year, on the requirement there is; none: none is reckoned"""
    loans_repaid: Pounds | None = None
    """principal of those loans repaid a year, at most what there is of them over the file's years"""
    net_revenue_stream: Annotated[Pounds, Field(gt=0)] | None = None
    """a year"""
    resources: Pounds = 0.0
    """balance-sheet resources: reserves and working capital"""
    liquidity: Pounds = 0.0
    """allowance for liquidity"""
    operational_boundary: Pounds | None = None
    authorised_limit: Pounds | None = None
    investment_income: Pounds = 0.0
    """a year"""
    loan_rate: Annotated[AnnualRate, Field(ge=0)] | None = None
    """on loans; none: the file's discount rate"""
    asset_life: Annotated[int, Field(ge=1, le=50)] = 40
    """years over which spending on assets is charged"""
    mrp: Literal["equal instalments", "annuity"] = "annuity"


class Books(Sourced):
    """One public body's own books."""

    budget: Budget | None = None
    """none: what the plan pays by year stands in for it"""
    promises: Promises = Field(default_factory=Promises)
    appraisal: Appraisal = Field(default_factory=Appraisal)
    capital: CapitalSide | None = None
