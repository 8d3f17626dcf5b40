"""What a lender charges: a reference rate and a margin, each on its basis, converted once to a quarter."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from socialfinance.core.errors import InputError
from socialfinance.core.terms import Sourced
from socialfinance.kernels.returns import effective_rate
from socialfinance.markets import pwlb

Basis = Literal["annual effective", "nominal half-yearly", "nominal quarterly"]
"""How a rate is quoted: what 1 grows by in a year, or a year's interest, payable half-yearly or quarterly."""
PAYMENTS: dict[Basis, int] = {"annual effective": 1, "nominal half-yearly": 2, "nominal quarterly": 4}
"""Payments of interest a year on each basis."""
OF_THE_TABLE = ("term_years", "method", "product")
"""Fields that say which rate of the PWLB's table."""


class LendingRate(Sourced):
    """A lender's rate: reference + margin on one basis, then (1 + r / n)^(n / 4) - 1 a quarter.

    n is the payments of interest a year of the basis: 1 annual effective, 2 nominal half-yearly, 4 nominal
    quarterly. 5.87% as the PWLB quotes it, nominal half-yearly, is 5.956% a year effective.
    """

    reference: Literal["pwlb", "gilt", "fixed"]
    """pwlb: the shipped table's rate for a term and method; gilt, fixed: the ``value`` given here"""
    value: Annotated[float, Field(ge=0, le=1, description="fraction a year, on ``basis``")] | None = None
    """of a gilt or fixed reference: the rate before margin"""
    basis: Basis | None = None
    """how ``value`` and the margin are quoted; of the PWLB's rates it is nominal half-yearly"""
    term_years: Annotated[float, Field(ge=1, le=50)] | None = None
    """pwlb: years to the last repayment, by half-years"""
    method: Literal["maturity", "eip", "annuity"] = "maturity"
    """pwlb: how a loan of that rate is repaid; the table has a column for each"""
    product: Literal["standard", "certainty", "hra", "local-infrastructure"] = "certainty"
    """pwlb: which of its rates for new loans"""
    margin: Annotated[float, Field(ge=0, le=0.5, description="fraction a year, on the basis")] = 0.0
    """added to the reference before it is converted"""

    @model_validator(mode="after")
    def _one_rate(self) -> Self:
        if self.reference == "pwlb":
            self._from_the_table()
            return self
        for field in ("value", "basis"):
            if getattr(self, field) is None:
                raise ValueError(f"{field}: a {self.reference} reference needs it")
        for field in OF_THE_TABLE:
            if field in self.model_fields_set:
                raise ValueError(f"{field}: belongs to the reference pwlb; leave it out")
        return self

    def _from_the_table(self) -> None:
        if self.value is not None:
            raise ValueError("value: is read from the table; for a rate of your own the reference is fixed")
        if self.basis not in (None, "nominal half-yearly"):
            raise ValueError("basis: PWLB rates are nominal half-yearly")
        if self.term_years is None:
            raise ValueError("term_years: the reference pwlb needs it")
        try:
            pwlb.rate(self.term_years, self.method, self.product)
        except InputError as error:
            field = {"years": "term_years"}.get(str(error.field), error.field)
            raise ValueError(f"{field}: {error.problem}; allowed: {error.allowed}") from None

    def nominal(self, plus: float = 0.0) -> float:
        """Reference + margin + ``plus``, a fraction a year on the basis."""
        reference = self.value
        if self.reference == "pwlb":
            assert self.term_years is not None
            reference = pwlb.rate(self.term_years, self.method, self.product)
        assert reference is not None
        return reference + self.margin + plus

    def effective(self, plus: float = 0.0) -> float:
        """The same, annual effective: (1 + r / n)^n - 1."""
        return float(effective_rate(self.nominal(plus), PAYMENTS[self.basis or "nominal half-yearly"]))

    def quarterly(self, plus: float = 0.0) -> float:
        """The same, a quarter: (1 + r / n)^(n / 4) - 1. ``plus`` is on the basis, as the margin is."""
        return float((1.0 + self.effective(plus)) ** 0.25 - 1.0)
