"""Named stresses as data: what each one changes in a portfolio, and by how much.

The size of every stress is illustrative: a round number for a question, not a forecast. What is agreed stays
as it was before the stress: commitments in pounds, and the plan of every uncertain input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from socialfinance.core.errors import InputError
from socialfinance.engine.ready import prepare, walk
from socialfinance.funds.portfolio import Deal, Discount, Portfolio
from socialfinance.funds.terms_at import with_terms
from socialfinance.instruments.contract import Commitment, ExitTerms
from socialfinance.instruments.guarantees import Layer
from socialfinance.instruments.lending import LendingRate
from socialfinance.markets.discount import default_rate
from socialfinance.scenarios.dependence import CommonShock
from socialfinance.scenarios.distributions import DriverRef, plan_of

CERTAIN = 1.0 - 2.0**-53
"""The largest chance a year that the file may say: 0.9999 a quarter."""
FROM = 4
"""Row of the portfolio in which a shock starts: a year after the start."""
RECESSION, RECESSION_LASTS = 0.20, 8
"""Share of outcomes lost, and quarters."""
DROUGHT, DROUGHT_LASTS = 0.40, 8
"""Share of referrals lost, and quarters."""
INFLATION = 0.03
"""Added to the growth of every index, a year."""
OVERRUN = 0.15
"""Of every cost."""
RATES = 0.02
"""Added to what lenders charge and to the discount rate, a year."""
LATE = 2
"""Quarters by which every payer is later."""
THIRD_COHORT = 19.0 / 24.0
"""Share of the referral period after which policy ended it at Peterborough: quarter 19 of 24."""

SCALED = {
    "fixed": ("value",), "normal": ("mean", "sd"), "lognormal": ("mean", "sd"), "uniform": ("low", "high"),
    "triangular": ("low", "mode", "high"), "beta": ("mean", "sd", "low", "high"), "discrete": ("values",),
    "mean-reverting": ("start", "mean", "volatility"), "geometric-brownian": ("start",),
    "graded": ("value", "spread"), "reference-class": ("of",),
}  # fmt: skip
"""What is multiplied where a distribution is."""
SHIFTED = {
    "fixed": ("value",), "normal": ("mean",), "uniform": ("low", "high"),
    "triangular": ("low", "mode", "high"), "beta": ("mean", "low", "high"), "discrete": ("values",),
    "mean-reverting": ("start", "mean"), "geometric-brownian": ("start",),
}  # fmt: skip
"""What is added to where a distribution is shifted."""

Changed = Callable[[Portfolio, float], Portfolio]


class Stress(NamedTuple):
    """A stress: what it is, and the portfolio under it, for a size of 1 as said or any multiple of it."""

    says: str
    apply: Changed
    graded: bool = True
    """whether half of it means anything; otherwise any size above nil is all of it"""


def recession(portfolio: Portfolio, size: float) -> Portfolio:
    """Fewer outcomes for two years, beyond what the file's own shocks bring."""
    return _with_shock(
        portfolio, "stress recession", RECESSION * size, RECESSION_LASTS, outcomes=1.0, referrals=0.0
    )


def referral_drought(portfolio: Portfolio, size: float) -> Portfolio:
    """Fewer people sent for two years."""
    return _with_shock(
        portfolio, "stress drought", DROUGHT * size, DROUGHT_LASTS, outcomes=0.0, referrals=1.0
    )


def _with_shock(
    portfolio: Portfolio, name: str, depth: float, lasts: int, outcomes: float, referrals: float
) -> Portfolio:
    """A common shock that is sure to start in its first row (but for one path in 10,000, a quarter later)."""
    shock = CommonShock(
        kind="common-shock", annual_probability=CERTAIN, duration=lasts, depth=min(depth, 1.0),
        outcomes=outcomes, referrals=referrals, first_row=FROM, last_row=FROM + lasts - 1, illustrative=True,
    )  # fmt: skip
    return portfolio.model_copy(update={"factors": {**portfolio.factors, name: shock}})


def price_inflation(portfolio: Portfolio, size: float) -> Portfolio:
    """Every index grows faster than planned; what is not indexed does not."""
    return with_terms(
        portfolio,
        {
            f"indices.{name}.annual": moved(one.annual, SHIFTED, lambda x: x + INFLATION * size)
            for name, one in portfolio.indices.items()
        },
    )


def cost_overrun(portfolio: Portfolio, size: float) -> Portfolio:
    """Every cost of what is financed comes out above its budget."""
    changes: dict[str, Any] = {}
    for name, deal in portfolio.deals.items():
        for line, cost in deal.programme.costs.items():
            given = getattr(cost, "overrun", 1.0)
            path = f"deals.{name}.programme.costs.{line}.overrun"
            if isinstance(given, DriverRef):
                path = f"deals.{name}.programme.drivers.{given.driver}"
                given = deal.programme.drivers[given.driver]
            changes[path] = moved(given, SCALED, lambda x: x * (1.0 + OVERRUN * size))
    return with_terms(portfolio, changes)


def policy_termination(portfolio: Portfolio, size: float) -> Portfolio:
    """Payers end every contract in its third cohort, as at Peterborough."""
    changes: dict[str, Any] = {}
    for name, deal in portfolio.deals.items():
        referrals = getattr(deal.programme, "referrals", None)
        exits = getattr(deal.instrument, "termination", None)
        if referrals is not None and isinstance(exits, ExitTerms):
            at = max(1, round(THIRD_COHORT * len(referrals.planned)))
            changes[f"deals.{name}.instrument.termination.policy.at_quarter"] = at
    return with_terms(portfolio, changes)


def guarantor_failure(portfolio: Portfolio, size: float) -> Portfolio:
    """Every guarantor of a deal can pay nothing from the first quarter on, and the fund's pool is empty."""
    changes: dict[str, Any] = {}
    for name, deal in portfolio.deals.items():
        for path, layer in walk(deal.instrument, f"deals.{name}.instrument"):
            if isinstance(layer, Layer):
                changes[f"{path}.failure"] = CERTAIN
    pool = portfolio.fund.pool
    if pool is not None:
        changes |= {"fund.pool.cap": 0.0, "fund.pool.replenished": 0.0}
    return with_terms(portfolio, changes)


def rate_rise(portfolio: Portfolio, size: float) -> Portfolio:
    """Lenders charge more from the start, and cash is discounted at a higher rate."""
    more = RATES * size
    discount = portfolio.discount.rate if portfolio.discount else default_rate(portfolio.quarters / 4).rate
    changes: dict[str, Any] = {}
    for name, deal in portfolio.deals.items():
        for path, rate in walk(deal.instrument, f"deals.{name}.instrument"):
            if isinstance(rate, LendingRate):
                changes[f"{path}.margin"] = rate.margin + more
    higher = portfolio.model_copy(update={"discount": Discount(rate=discount + more, illustrative=True)})
    return with_terms(higher, changes)


def late_payment(portfolio: Portfolio, size: float) -> Portfolio:
    """Every payer is reorganised, and pays later than agreed from the start, out of savings too."""
    changes: dict[str, Any] = {}
    for name, deal in portfolio.deals.items():
        tariff = deal.tariff
        if tariff is None:
            continue
        for role, payer in tariff.payers.items():
            changes[f"deals.{name}.tariff.payers.{role}.payment_lag"] = payer.payment_lag + round(LATE * size)
        if tariff.savings is not None:
            later = tariff.savings.verification_lag + round(LATE * size)
            changes[f"deals.{name}.tariff.savings.verification_lag"] = later
    return with_terms(portfolio, changes)


STRESSES: Mapping[str, Stress] = {
    "recession": Stress(f"{RECESSION:.0%} of outcomes lost for two years from the second year", recession),
    "referral drought": Stress(
        f"{DROUGHT:.0%} of referrals lost for two years from the second year", referral_drought
    ),
    "price inflation": Stress(f"every index grows {INFLATION:.0%} a year above its plan", price_inflation),
    "cost overrun": Stress(f"every cost {OVERRUN:.0%} over budget", cost_overrun),
    "policy termination": Stress(
        "contracts ended by policy in the third cohort, as at Peterborough", policy_termination, graded=False
    ),
    "guarantor failure": Stress(
        "guarantors pay nothing from the first quarter, the pool is empty", guarantor_failure, graded=False
    ),
    "rate rise": Stress(f"lenders and the discount rate {RATES:.0%} a year higher", rate_rise),
    "late payment": Stress(f"every payer is reorganised and pays {LATE} quarters later", late_payment),
}  # fmt: skip
"""By name, in the order in which they are shown."""


def moved(given: Any, fields: Mapping[str, tuple[str, ...]], to: Callable[[float], float]) -> dict[str, Any]:
    """An uncertain input with its values moved and its plan as it was."""
    if isinstance(given, int | float):
        return {"distribution": "fixed", "value": to(given), "plan": given}
    kind = given.distribution
    if kind not in fields:
        raise InputError(
            "cannot be moved by a stress", field="distribution", given=kind, allowed=", ".join(fields)
        )
    data = given.model_dump(exclude_unset=True)
    for field in fields[kind]:
        one = getattr(given, field)
        data[field] = tuple(map(to, one)) if isinstance(one, tuple) else to(one)
    return {**data, "distribution": kind, "plan": plan_of(given)}


def agreed(portfolio: Portfolio) -> Portfolio:
    """The portfolio with commitments in pounds, so that a stress does not change what was undertaken."""
    changes: dict[str, Any] = {}
    for name, commitment in _commitments(portfolio):
        amount = prepare(portfolio, name).deals[0].own.lowered.commitment
        if commitment.amount is None and amount is not None:
            path = f"deals.{name}.instrument.commitment"
            changes |= {f"{path}.amount": amount, f"{path}.peak_need": None}
    return with_terms(portfolio, changes) if changes else portfolio


def _commitments(portfolio: Portfolio) -> Iterator[tuple[str, Commitment]]:
    deal: Deal
    for name, deal in portfolio.deals.items():
        commitment = getattr(deal.instrument, "commitment", None)
        if isinstance(commitment, Commitment):
            yield name, commitment
