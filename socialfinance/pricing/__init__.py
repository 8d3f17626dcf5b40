"""What has to be agreed so that a figure comes out: a term solved for a target, and prices read off runs."""

from __future__ import annotations

from socialfinance.pricing.questions import (
    Charge,
    Quantity,
    break_even_success,
    capital_needed,
    fair_price,
    guarantee_fee,
    guarantee_size,
    worst_case_peg,
)
from socialfinance.pricing.solve import Met, Solution, Solved, solve

__all__ = [
    "solve", "Solution", "Solved", "Met",
    "fair_price", "guarantee_size", "guarantee_fee", "break_even_success", "capital_needed", "worst_case_peg",
    "Charge", "Quantity",
]  # fmt: skip
