"""Prudential indicators of an English council. Source: CIPFA, Prudential Code 2021 [unverified]."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from socialfinance.core.errors import InputError
from socialfinance.council.numbers import ANY, Array, numbers


class Ratio(NamedTuple):
    """Financing cost over net revenue stream, fractions."""

    net_of_income: Array
    gross_of_income: Array


def ratio(
    interest_payable: ArrayLike, mrp: ArrayLike, investment_income: ArrayLike, net_revenue_stream: ArrayLike
) -> Ratio:
    """Financing cost to net revenue stream: (interest + MRP - investment income) / net revenue stream.

    And the same without investment income taken off, as councils differ. Amounts in one unit, one or by year.
    """
    cost = numbers("interest_payable", interest_payable) + numbers("mrp", mrp)
    stream = numbers("net_revenue_stream", net_revenue_stream)
    if not np.all(stream > 0.0):
        raise InputError("must be above nil", field="net_revenue_stream", given=net_revenue_stream)
    net: Array = (cost - numbers("investment_income", investment_income)) / stream
    gross: Array = cost / stream
    return Ratio(net, gross)


class Benchmark(NamedTuple):
    """The liability benchmark by year, in the unit given."""

    benchmark: Array
    """gross loans that would leave investments at the liquidity allowance"""
    to_borrow: Array
    """benchmark less committed loans; below nil the council holds more loans than it needs"""


def liability_benchmark(
    loans_cfr: ArrayLike, resources: ArrayLike, liquidity: ArrayLike, committed_loans: ArrayLike = 0.0
) -> Benchmark:
    """Loans CFR less balance-sheet resources, plus a liquidity allowance: ten years of it or more."""
    need: Array = numbers("loans_cfr", loans_cfr, ANY) - numbers("resources", resources)
    need = need + numbers("liquidity", liquidity)
    return Benchmark(need, need - numbers("committed_loans", committed_loans))


class Headroom(NamedTuple):
    """Room left under each limit; below nil it is broken."""

    operational_boundary: Array
    authorised_limit: Array


def headroom(debt: ArrayLike, operational_boundary: ArrayLike, authorised_limit: ArrayLike) -> Headroom:
    """Each limit less gross debt, leases and PFI included.

    The operational boundary is what is expected; the authorised limit is the cap of section 3 of the Local
    Government Act 2003, which may not be passed, and is not below the boundary.
    """
    boundary = numbers("operational_boundary", operational_boundary)
    limit, owed = numbers("authorised_limit", authorised_limit), numbers("debt", debt)
    if np.any(limit < boundary):
        raise InputError(
            "is below the operational boundary", field="authorised_limit", given=authorised_limit,
            allowed="the boundary or more",
        )  # fmt: skip
    return Headroom(boundary - owed, limit - owed)
