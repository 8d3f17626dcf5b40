"""Public Works Loan Board: published rates, product margins, loans at fixed and variable rates, refinancing.

Rates are quoted nominal a year, payable half-yearly: r a year is r / 2 for each half-year, and
(1 + r / 2)^2 - 1 effective. Rates here are fractions, amounts pounds, loan arithmetic in pence; what is
simulated is not rounded. Source: UK Debt Management Office (DMO) rate notices and technical notes.
"""

from __future__ import annotations

from socialfinance.markets.pwlb.checks import A_FRACTION, SHORTEST, Amount
from socialfinance.markets.pwlb.loans import (
    PrematureRepayment,
    all_in_rate,
    effective_rate,
    fees,
    interest,
    payment_dates,
    premature_repayment,
    schedule,
    variable_schedule,
)
from socialfinance.markets.pwlb.rates import Kind, Product, RateTable, offset, rate, read_table, table
from socialfinance.markets.pwlb.refinancing import (
    LongLoan,
    RateProcess,
    Refinancing,
    rate_paths,
    refinance,
)

__all__ = [
    "rate", "table", "read_table", "offset", "effective_rate", "RateTable", "Product", "Kind",
    "schedule", "variable_schedule", "premature_repayment", "PrematureRepayment", "interest", "fees",
    "all_in_rate", "payment_dates", "refinance", "Refinancing", "LongLoan", "RateProcess", "rate_paths",
    "Amount", "SHORTEST", "A_FRACTION",
]  # fmt: skip
