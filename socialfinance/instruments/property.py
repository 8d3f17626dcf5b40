"""What structures for developments share: rents that follow an index, and what the PWLB has to say."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from socialfinance.core.terms import Name, Sourced
from socialfinance.programmes.development import Development
from socialfinance.scenarios.distributions import plan_of

DEVELOPMENT: frozenset[str] = frozenset({"development"})
"""The kinds that these structures finance."""
RECIPIENTS = ("provider", "intermediary")
"""Who is paid for the works and for running what was built."""
MOSTLY = 0.5
"""Share of the completed value let at market rent from which the purpose is queried."""
UNBOUNDED = (-1.0, 1e6)
"""Rises where nothing was agreed."""
LONGEST = 50
"""Years of the longest loan of the PWLB."""

Growth = Annotated[float, Field(ge=-0.5, le=1, description="fraction a year")]


class Indexation(Sourced):
    """How a rent of the contract follows an index, from one review to the next."""

    index: Name | None = None
    """index of the portfolio; none: only ``above`` moves it"""
    every: Annotated[int, Field(ge=1, le=100)] = 4
    """quarters between reviews; the new rent is paid from the quarter after"""
    above: Growth = 0.0
    """a year, on top of the index"""
    rises: tuple[Growth, Growth] | None = None
    """least and most rise a year, compounded from one review to the next; none: no collar"""

    @model_validator(mode="after")
    def _collar(self) -> Self:
        if self.rises is not None and self.rises[0] > self.rises[1]:
            raise ValueError("rises: the least is above the most")
        return self

    def limits(self) -> tuple[float, float, float]:
        """(on top, least, most) of a review: what index now / index then is raised by and held between."""
        years = self.every / 4
        low, high = self.rises or UNBOUNDED
        return (1.0 + self.above) ** years - 1.0, (1.0 + low) ** years, (1.0 + high) ** years


def of_purpose(development: Development) -> tuple[str, ...]:
    """What the declared purpose means for the council's access to the PWLB."""
    if development.purpose == "yield":
        return (
            "its purpose is yield: while an asset bought primarily for yield stands anywhere in a council's "
            "three-year capital plan, the PWLB lends to it for nothing, whoever finances the asset (HM "
            "Treasury, PWLB lending terms of 26 November 2020; Arlingclose, 2022). PWLB rows are then a cost "
            "of money and no loan that could be had",
        )
    share = market_share(development)
    query = (
        f"; but {share:.0%} of the completed value is let at market rent, so whether it is bought primarily "
        "for yield is a question for the section 151 officer"
        if share > MOSTLY
        else ""
    )
    return (
        f"its declared purpose is {development.purpose}, for which the PWLB lends (service, housing, "
        f"regeneration, preventative action: HM Treasury's guidance, as read by Brodies, May 2022){query}",
    )


def market_share(development: Development) -> float:
    """Share of the plan's completed value that is let at a market rent outside the council's services."""
    drivers = development.drivers
    sold = sum(one.units * one.price for one in development.sales.values())
    let = {
        name: one.units * 4.0 * one.rent * (1.0 - plan_of(one.void, drivers))
        / max(plan_of(one.gross_yield, drivers), 0.01)
        for name, one in development.lettings.items()
    }  # fmt: skip
    market = sum(value for name, value in let.items() if development.lettings[name].market_rent)
    return market / (sold + sum(let.values())) if sold + sum(let.values()) > 0.0 else 0.0
