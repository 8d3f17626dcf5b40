"""The terms of a development: land, planning, works, homes or space that is sold or let, costs and grant."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from socialfinance.core.terms import Name, Pounds, Quarters, Share, Sourced
from socialfinance.programmes.people import CostReason
from socialfinance.scenarios.distributions import Uncertain, UncertainShare

Purpose = Literal["service", "housing", "regeneration", "preventative", "yield"]
"""What the council takes part for, in the words of the terms on which the PWLB lends."""
Units = Annotated[float, Field(gt=0, le=1e6, description="units: homes, workspaces, plots")]
Growth = Annotated[float, Field(ge=-0.5, le=1, description="fraction a year")]
AMOUNTS = ("works", "one_off", "per_quarter", "per_unit", "of_sales", "of_rent")
"""The ways in which a cost line can be counted; each line has one."""
CAPITAL = ("works", "one_off")
"""Of them, those that are capital spending."""


class Land(Sourced):
    """The site, as it stands."""

    value: Pounds
    """market value at close, without consent"""
    market: Uncertain = 1.0
    """its value over that at close: a number, or a process that starts at 1"""


class Planning(Sourced):
    """The way to consent. The works begin in the quarter after it."""

    quarters: Quarters
    """planned quarters from close to the decision"""
    delay: Uncertain = 1.0
    """actual over planned time to the decision, one draw a path; held at a tenth or more"""
    chance: Share = 1.0
    """that consent is given"""
    gain: Uncertain = 0.0
    """what consent adds to the land's value, as a share of it: 1.5 makes it two and a half times as much"""


class Build(Sourced):
    """The works: how long they take, and how their cost is spread."""

    quarters: Annotated[int, Field(ge=1, le=200)]
    """planned quarters from the first of the works to completion"""
    delay: Uncertain = 1.0
    """actual over planned time, one draw a path; held at a tenth or more"""
    s_curve: Share = 1.0
    """1: slow at both ends and steepest half way (3p^2 - 2p^3); 0: the same every quarter"""
    phases: Annotated[int, Field(ge=1, le=100)] = 1
    """equal parts in which units are handed over as the works proceed"""


class ForSale(Sourced):
    """Units that are sold."""

    units: Units
    price: Pounds
    """a unit, at price_base"""
    market: Uncertain = 1.0
    """price over that of the plan: a number, or a process that starts at 1"""
    index: Name | None = None
    """index the price follows; none: only the market moves it"""
    price_base: date | None = None
    """default the start"""
    presold: Share = 0.0
    """share of the units of a phase that are sold in the quarter in which it is handed over"""
    per_quarter: Annotated[float, Field(ge=0, le=1e6)]
    """units beside these that find a buyer in a quarter"""
    demand: Uncertain = 1.0
    """actual over planned sales a quarter; never below nil"""


class ToLet(Sourced):
    """Units that are let."""

    units: Units
    rent: Pounds
    """a unit a quarter, at price_base"""
    market: Uncertain = 1.0
    """rent over that of the plan: a number, or a process that starts at 1"""
    index: Name | None = None
    """index that rents follow, reviewed every fourth row; none: they do not"""
    price_base: date | None = None
    """default the start"""
    above_index: Growth = 0.0
    """a year, on top of the index"""
    collar: tuple[Growth, Growth] | None = None
    """least and most rise at a yearly review"""
    void: UncertainShare = 0.0
    """share of the units that stands empty once the rest is let; held within 0 and 1"""
    unpaid: Share = 0.0
    """share of rent that is never collected"""
    per_quarter: Annotated[float, Field(gt=0, le=1e6)]
    """units that can be let in a quarter"""
    demand: Uncertain = 1.0
    """actual over planned lettings a quarter; never below nil"""
    gross_yield: Uncertain
    """a year's rent after voids over market value, as buyers see it; held at a hundredth or more"""
    market_rent: bool = False
    """whether it is let at a market rent outside the council's own services"""

    @model_validator(mode="after")
    def _collar(self) -> Self:
        if self.collar is not None and self.collar[0] > self.collar[1]:
            raise ValueError("collar: the least is above the most")
        return self


class DevelopmentCost(Sourced):
    """A cost line, counted in one way; works and one_off are capital spending, the others are not."""

    paid_to: Literal["provider", "intermediary"] = "provider"
    """provider: builder and managing agent; intermediary: advisers and agents"""
    reason: CostReason = "delivery cost"
    """what for: delivery cost, set-up cost, intermediary cost, evaluation cost, other cost"""
    works: Pounds | None = None
    """in all, spent as the works proceed"""
    one_off: Pounds | None = None
    """once, in first_quarter"""
    per_quarter: Pounds | None = None
    """every quarter from first_quarter to last_quarter"""
    per_unit: Pounds | None = None
    """a quarter for each unit that was handed over before and is not sold, empty or let"""
    of_sales: Share | None = None
    """share of sale receipts"""
    of_rent: Share | None = None
    """share of rent collected"""
    on: Name | None = None
    """the sale or letting that per_unit, of_sales or of_rent counts; none: all of them"""
    first_quarter: Quarters = 1
    """first quarter of per_quarter, or that of one_off; 0 is financial close"""
    last_quarter: Quarters | None = None
    """of per_quarter; default the development's"""
    overrun: Uncertain = 1.0
    """actual over budgeted cost, one draw a path; never below nil"""
    index: Name | None = None
    """index it follows; none: not indexed"""
    price_base: date | None = None
    """day at whose prices it is stated; default the start"""
    basis: Literal["any", "vehicle", "in house"] = "any"
    """vehicle: only when financed from outside; in house: only when the council builds itself"""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [name for name in AMOUNTS if getattr(self, name) is not None]
        if len(given) != 1:
            words = ", ".join(AMOUNTS)
            raise ValueError(f"give one of {words}" + (f", not {' and '.join(given)}" if given else ""))
        if self.last_quarter is not None and self.last_quarter < self.first_quarter:
            raise ValueError("last_quarter is before first_quarter")
        if self.on is not None and given[0] not in ("per_unit", "of_sales", "of_rent"):
            raise ValueError(f"on: {given[0]} counts no sale or letting")
        return self

    @property
    def capital(self) -> bool:
        """Whether it is capital spending, for which a council may borrow."""
        return any(getattr(self, name) is not None for name in CAPITAL)

    @property
    def running(self) -> bool:
        """Whether it is a running cost, which rent has to bear: neither capital nor a cost of selling."""
        return not self.capital and self.of_sales is None


class UnitSaving(Sourced):
    """What an agency no longer spends while a unit is lived in."""

    on: Name
    """the sale or letting that brings it"""
    agency: Name
    """role of the agency that saves"""
    unit_value: Uncertain
    """pounds a quarter for each unit let (or sold), at price_base"""
    cashable: Share = 0.0
    """share that leaves a budget as cash; the rest is capacity, kept apart as memo"""
    index: Name | None = None
    price_base: date | None = None


class CapitalGrant(Sourced):
    """Capital grant to whoever builds."""

    by: Name
    """role that pays"""
    amount: Pounds
    at_start: Share = 0.5
    """share paid in the quarter in which the works begin; the rest at completion"""


class Development(Sourced):
    """A development, before anyone asks how it is paid for."""

    kind: Literal["development"]
    title: str
    purpose: Purpose
    """why the council takes part; yield: an investment bought primarily for its income"""
    land: Land
    planning: Planning | None = None
    """none: consent is there at close"""
    build: Build
    sales: dict[Name, ForSale] = Field(default_factory=dict)
    lettings: dict[Name, ToLet] = Field(default_factory=dict)
    costs: dict[Name, DevelopmentCost]
    grant: CapitalGrant | None = None
    savings: dict[Name, UnitSaving] = Field(default_factory=dict)
    last_quarter: Annotated[int, Field(ge=1, le=400)]
    """the last quarter in which anything is sold, let or paid for"""
    drivers: dict[Name, Uncertain] = Field(default_factory=dict)
    """named random numbers, used by {driver: NAME}"""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        uses = [*self.sales, *self.lettings]
        if not uses:
            raise ValueError("give sales, lettings or both")
        both = sorted(set(self.sales) & set(self.lettings))
        if both:
            raise ValueError(f"lettings.{both[0]}: is the name of a sale as well")
        named = [(f"costs.{name}.on", line.on) for name, line in self.costs.items() if line.on is not None]
        named += [(f"savings.{name}.on", saving.on) for name, saving in self.savings.items()]
        for field, use in named:
            if use not in uses:
                raise ValueError(f"{field}: names no sale or letting: {use!r}")
        return self
