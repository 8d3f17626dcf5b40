"""Appraisal of a deal over its years, as HM Treasury's Green Book and Greater Manchester's model reckon it.

Three views of the same flows, deflated to the prices of the first financial year and discounted at the social
time preference rate from that year:

- fiscal: cashable savings of public bodies against what they pay, net of what comes back (VAT too);
- public value: all savings, cashable or not, against the same cost: the benefit-cost ratio;
- social: all savings against the resources used, whoever paid for them (payments between parties net to nil).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from socialfinance.core.errors import InputError
from socialfinance.core.ledger import MEMO, SAVED
from socialfinance.core.parties import OUTSIDE
from socialfinance.council.budget import payments, savings
from socialfinance.council.greenbook import discount_factors
from socialfinance.council.numbers import Array, number
from socialfinance.council.prices import Deflator, Nominal, Real, deflate

if TYPE_CHECKING:
    import pandas as pd

Leg = tuple[str, str, str]


class Streams(NamedTuple):
    """A deal's flows by year and path, cash of the day."""

    cashable: Nominal
    """savings of public bodies that reach a budget"""
    other: Nominal
    """savings that free capacity and reach no budget"""
    public_cost: Nominal
    """what public bodies pay under the deal, less what comes back to any of them"""
    resources: Nominal
    """what staff and suppliers are paid by anybody, less what is sold or let to others"""


class Appraised(NamedTuple):
    """Present values in pounds of the first year, ``(path,)``; positive is good but for costs."""

    cashable: Array
    other: Array
    public_cost: Array
    resources: Array

    @property
    def net_present_budget_impact(self) -> Array:
        """PV(public cost) - PV(cashable savings): below nil, budgets gain."""
        return self.public_cost - self.cashable

    @property
    def net_present_public_value(self) -> Array:
        """PV(all savings) - PV(public cost)."""
        return self.cashable + self.other - self.public_cost

    @property
    def npsv(self) -> Array:
        """Net present social value: PV(all savings) - PV(resources used)."""
        return self.cashable + self.other - self.resources

    @property
    def fiscal_ratio(self) -> float | None:
        """Mean PV(cashable savings) / mean PV(public cost); None without a cost."""
        return _ratio(self.cashable, self.public_cost)

    @property
    def bcr(self) -> float | None:
        """Mean PV(all savings) / mean PV(public cost): public-sector cost below the line; None without."""
        return _ratio(self.cashable + self.other, self.public_cost)


def streams(
    legs: Mapping[Leg, Array], public: Sequence[str], years: Sequence[str], shape: tuple[int, int]
) -> Streams:
    """Read a deal's flows from its legs ``{(payer, payee, reason): (year, path)}``."""
    saved = sum((savings(legs, one, shape) for one in public), np.zeros(shape))
    freed = sum((savings(legs, one, shape, cashable=False) for one in public), np.zeros(shape))
    paid = sum((payments(legs, one, shape) for one in public), np.zeros(shape))
    used = np.zeros(shape)
    for (payer, payee, why), amounts in legs.items():
        if why in SAVED or why in MEMO:
            continue
        used = used + amounts * float(payee == OUTSIDE) - amounts * float(payer == OUTSIDE)
    return Streams(*(Nominal(flows, tuple(years)) for flows in (saved, freed, paid, used)))


def present(real: Real, schedule: str = "standard") -> Array:
    """PV in the first of its years: sum of amount_t DF_t, ``(path,)`` or one number as ``()``."""
    if not isinstance(real, Real):
        raise InputError("is not deflated: real and nominal are never mixed", field="real", given="nominal")
    factors = discount_factors(len(real.years) - 1, schedule)
    total: Array = np.tensordot(factors, real.amounts, axes=(0, 0))
    return total


def appraise(
    flows: Streams, deflator: Deflator, schedule: str = "standard", bias_costs: float = 0.0,
    bias_benefits: float = 0.0,
) -> Appraised:  # fmt: skip
    """Deflate, correct for optimism and discount: costs x (1 + bias), benefits x (1 - bias)."""
    worth = [present(real(one, deflator), schedule) for one in flows]
    more = 1.0 + number("optimism_bias_costs", bias_costs, (0.0, 10.0, "a fraction from 0 to 10"))
    less = 1.0 - number("optimism_bias_benefits", bias_benefits, (0.0, 1.0, "a fraction from 0 to 1"))
    return Appraised(worth[0] * less, worth[1] * less, worth[2] * more, worth[3] * more)


def real(cash: Nominal, deflator: Deflator) -> Real:
    """In the prices of its own first year."""
    return deflate(cash, deflator, cash.years[0])


def payback_year(flows: Streams, deflator: Deflator, schedule: str = "standard") -> str | None:
    """First financial year by which expected cashable savings, real and discounted, have met the cost.

    The first year from which cumulative PV(cashable savings) - PV(public cost) stays nil or above to the end,
    and no earlier than the first in which anything is paid; None where it never does.
    """
    saved, paid = real(flows.cashable, deflator).amounts, real(flows.public_cost, deflator).amounts
    yearly = _mean(saved - paid) * discount_factors(len(saved) - 1, schedule)
    so_far = np.cumsum(yearly)
    behind = np.flatnonzero(so_far < -0.005)
    paying = np.flatnonzero(_mean(paid) > 0.005)
    first = max(int(behind[-1]) + 1 if len(behind) else 0, int(paying[0]) if len(paying) else 0)
    return flows.cashable.years[first] if first < len(so_far) else None


def yearly_table(flows: Streams, deflator: Deflator, schedule: str = "standard") -> pd.DataFrame:
    """By financial year, expected: nominal and real savings and costs, deflator, discount factor, and PV.

    Columns: financial_year, deflator, discount_factor, cashable, other, public_cost, resources (nominal
    pounds), and the same four with ``_real`` and with ``_pv``.
    """
    import pandas as pd

    years = flows.cashable.years
    factors = discount_factors(len(years) - 1, schedule)
    table: dict[str, Any] = {
        "financial_year": list(years),
        "deflator": [deflator.between(years[0], year) for year in years],
        "discount_factor": factors,
    }
    for name, cash in flows._asdict().items():
        in_prices = _mean(real(cash, deflator).amounts)
        table[name] = _mean(cash.amounts)
        table[f"{name}_real"], table[f"{name}_pv"] = in_prices, in_prices * factors
    return pd.DataFrame(table)


def _mean(amounts: Array) -> Array:
    return amounts.mean(axis=1) if amounts.ndim == 2 else amounts


def _ratio(above: Array, below: Array) -> float | None:
    cost = float(np.mean(below))
    return float(np.mean(above)) / cost if cost > 0.0 else None
