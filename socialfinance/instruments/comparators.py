"""What a deal is held against: the council runs it in house, the same at the PWLB cost of money, nothing."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from socialfinance.core.terms import Sourced
from socialfinance.instruments.base import Structure
from socialfinance.instruments.council_build import CouncilBuild
from socialfinance.instruments.in_house import DoNothing, FeeForService, PwlbLoan
from socialfinance.markets import pwlb


class Comparison(Sourced):
    """What each deal is held against."""

    pwlb_method: Literal["maturity", "eip", "annuity"] = "eip"
    pwlb_term_years: Annotated[int, Field(ge=1, le=50)] | None = None
    """none: the longest term up to ten years that ends within the horizon, but no less than the method's
    shortest (1 year maturity, 2 years eip and annuity)"""
    pwlb_product: Literal["standard", "certainty"] = "certainty"

    @model_validator(mode="after")
    def _term(self) -> Self:
        least = pwlb.SHORTEST[self.pwlb_method]
        if self.pwlb_term_years is not None and self.pwlb_term_years < least:
            raise ValueError(f"pwlb_term_years: the shortest {self.pwlb_method} loan is for {least} years")
        return self


def against(kind: str, how: Comparison) -> tuple[tuple[str, Structure], ...]:
    """What a deal that finances this kind of thing is held against, by name."""
    nothing = ("do nothing", DoNothing(kind="do-nothing"))
    if kind == "development":
        return (*_built_by_the_council(how), nothing)
    if kind != "people-programme":
        return (nothing,)
    loan = PwlbLoan(
        kind="pwlb-loan", method=how.pwlb_method, term_years=how.pwlb_term_years, product=how.pwlb_product
    )
    return (
        ("in house, own costs", FeeForService(kind="fee-for-service", cost_base="own")),
        ("in house, same costs", FeeForService(kind="fee-for-service", cost_base="same")),
        ("pwlb, own costs", loan),
        ("pwlb, same costs", loan.model_copy(update={"cost_base": "same"})),
        nothing,
    )


def _built_by_the_council(how: Comparison) -> tuple[tuple[str, Structure], ...]:
    """A development that the council builds for itself; for capital spending PWLB loans are lawful."""
    reserves = CouncilBuild(kind="council-build")
    loans = CouncilBuild(
        kind="council-build", funded_from="pwlb loans", method=how.pwlb_method,
        term_years=how.pwlb_term_years, product=how.pwlb_product,
    )  # fmt: skip
    return (("council builds, from reserves", reserves), ("council builds, PWLB loans", loans))
