"""Discount factors, and the rate used when a file states none."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from socialfinance.markets import pwlb


class DiscountRate(NamedTuple):
    """A rate (fraction a year, annual effective), what it is in words, and where it comes from."""

    rate: float
    basis: str
    source: str


def discount_factors(annual_rate: float, year_fractions: ArrayLike) -> NDArray[np.float64]:
    """(1 + r)^-t for each time t in years, r annual effective."""
    years = np.asarray(year_fractions, dtype=np.float64)
    factors: NDArray[np.float64] = np.exp(-years * np.log1p(annual_rate))
    return factors


def default_rate(horizon_years: float, as_of: date | None = None) -> DiscountRate:
    """PWLB certainty maturity rate at the published term nearest the horizon, as annual effective."""
    table = pwlb.table(as_of)
    term = min(table.rates["new", "maturity"], key=lambda years: abs(years - horizon_years))
    nominal = pwlb.rate(term, "maturity", "certainty", on=as_of)
    basis = (
        f"PWLB certainty maturity {term:g} years on {table.published}: "
        f"{nominal:.2%} nominal half-yearly, annual effective"
    )
    return DiscountRate(pwlb.effective_rate(nominal), basis, table.source)
