"""A portfolio file: deals, their parties, what moves them together, and the cost of money."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from socialfinance.core.currency import Code
from socialfinance.core.errors import field_path
from socialfinance.core.parties import OUTSIDE, PUBLIC, Filled, Party, shares_of
from socialfinance.core.terms import AnnualRate, Name, Sourced, Terms, said_of
from socialfinance.funds.books import Books
from socialfinance.funds.fund import Fund
from socialfinance.instruments.catalogue import Instrument
from socialfinance.instruments.comparators import Comparison
from socialfinance.instruments.tariff import Tariff
from socialfinance.programmes.catalogue import Financed
from socialfinance.scenarios.dependence import CommonShock, GaussianFactor
from socialfinance.scenarios.distributions import DriverRef, Uncertain, plan_of

Factor = Annotated[GaussianFactor | CommonShock, Field(discriminator="kind")]

FIRST_DAY, LAST_DAY = date(1990, 1, 1), date(2199, 12, 31)
"""No date lies outside: a calendar of 400 quarters must fit, and an index reach from any day to any other."""
LARGEST_NUMBER = 1e15
"""Either side of nil. Beyond it is a slip of the hand, and sums and squares would overflow."""
LEAST_GROWTH, MOST_GROWTH = -0.5, 1.0
"""A year, in the plan of an index. Beyond it is a slip (2.5 for 2.5%), or prices beyond any number."""


class Index(Sourced):
    """A price or wage index: its growth a year, a number or a process."""

    annual: Uncertain
    """growth a year, a fraction"""

    @model_validator(mode="after")
    def _plausible(self) -> Self:
        if isinstance(self.annual, DriverRef):
            raise ValueError("annual: an index takes no driver: write its growth here")
        planned = plan_of(self.annual)
        if not LEAST_GROWTH <= planned <= MOST_GROWTH:
            limits = f"{LEAST_GROWTH:g} to {MOST_GROWTH:g}"
            raise ValueError(f"annual: growth in the plan must be from {limits} a year, it is {planned:g}")
        return self


class Discount(Sourced):
    """The rate at which cash is discounted to row 0."""

    rate: AnnualRate


class Case(Terms):
    """A named deterministic case: every uncertain input at one quantile, on its bad side.

    Volume, engagement, outcome probabilities, effects and unit savings at ``quantile``; cost overruns,
    deadweight at 1 - ``quantile``. Inputs named in ``set`` take that value instead (or one a quarter).
    """

    quantile: Annotated[float, Field(gt=0, lt=1)] | None = None
    """none: at the plan"""
    set: dict[str, float | tuple[float, ...]] = Field(default_factory=dict)


class Published(Sourced):
    """A figure that was published about a real deal, and how the model is held against it."""

    figure: str
    """[deal:]party-or-role.measure, or a path the replay knows"""
    value: float
    unit: str
    treatment: Literal["reproduced", "calibrated", "context"]
    """reproduced: follows from the terms; calibrated: an input was set by it; context: not modelled"""
    case: str = "actual"
    """the case in which it is read"""


class Deal(Sourced):
    """One programme on one instrument, with its tariff and its parties."""

    title: str | None = None
    programme: Financed
    instrument: Instrument
    tariff: Tariff | None = None
    parties: dict[Name, Filled]
    """who fills each role"""
    theme: Name | None = None
    place: Name | None = None
    provider: Name | None = None
    """names by which Gaussian factors 'by theme', 'by place', 'by provider' are shared"""
    start: date | None = None
    """financial close of the deal; default the portfolio's start"""
    draws: Name | None = None
    """key of its random numbers; default its name"""
    performance_effect: Annotated[float, Field(gt=-1, le=10, description="a fraction")] = 0.0
    """how much more this structure is held to save than the same programme in house: what shared risk,
    another provider or scrutiny adds. In comparisons, savings in house are savings here / (1 + it)"""
    cases: dict[Name, Case] = Field(default_factory=lambda: {"low": Case(quantile=0.2)})
    """deterministic cases beside the plan"""
    actuals: Case | None = None
    """what really happened, as a case: run by replay"""
    published: dict[Name, Published] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _roles(self) -> Self:
        for role, filled in self.parties.items():
            if not shares_of(filled):
                raise ValueError(f"parties.{role}: names nobody")
            names = [party for party, _ in shares_of(filled)]
            if len(set(names)) < len(names):
                raise ValueError(f"parties.{role}: names a party twice")
            if any(not 0.0 < share <= 1.0 for _, share in shares_of(filled)):
                raise ValueError(f"parties.{role}: a share must be above 0 and at most 1")
            total = sum(share for _, share in shares_of(filled))
            if abs(total - 1.0) > 1e-9:
                raise ValueError(f"parties.{role}: shares must sum to 1, they sum to {total:g}")
        return self


class Portfolio(Sourced):
    """A whole file."""

    name: Name
    title: str | None = None
    start: date
    quarters: Annotated[int, Field(ge=1, le=400)]
    currency: Code = "GBP"
    """currency of every amount in the file; nothing is converted"""
    discount: Discount | None = None
    """none: PWLB certainty maturity at the term nearest the horizon, annual effective"""
    parties: dict[Name, Party]
    indices: dict[Name, Index] = Field(default_factory=dict)
    factors: dict[Name, Factor] = Field(default_factory=dict)
    deals: Annotated[dict[Name, Deal], Field(min_length=1)]
    comparison: Comparison = Field(default_factory=Comparison)
    fund: Fund = Field(default_factory=Fund)
    counts: Literal["people", "near"] = "people"
    """each person by their own luck, or, quicker for large groups, near a quantile of their number"""
    books: dict[Name, Books] = Field(default_factory=dict)
    """what public bodies tell of their own books, by party"""

    @model_validator(mode="after")
    def _within_bounds(self) -> Self:
        for place, value, _ in said_of(self):
            if isinstance(value, date) and not FIRST_DAY <= value <= LAST_DAY:
                raise ValueError(f"{field_path(place)}: must be a date from {FIRST_DAY} to {LAST_DAY}")
            if isinstance(value, int | float) and abs(value) > LARGEST_NUMBER:
                raise ValueError(f"{field_path(place)}: is too large a number, at most {LARGEST_NUMBER:,.0f}")
        return self

    @model_validator(mode="after")
    def _known_parties(self) -> Self:
        for party in self.parties:
            if party == OUTSIDE or party in {f"{deal} vehicle" for deal in self.deals}:
                raise ValueError(f"parties.{party}: is a name that belongs to the model: choose another")
        for name, deal in self.deals.items():
            for role, filled in deal.parties.items():
                for party, _ in shares_of(filled):
                    if party not in self.parties:
                        raise ValueError(f"deals.{name}.parties.{role}: {party!r} is not among the parties")
        for party in self.books:
            if party not in self.parties or self.parties[party].kind not in PUBLIC:
                raise ValueError(f"books.{party}: is no public body among the parties")
        return self
