"""A target as it is written: ``senior.loss.probability <= 0.01``, ``investor.irr.mean == pwlb + 0.0125``."""

from __future__ import annotations

import math
import re
from typing import Literal, NamedTuple

from socialfinance.core.errors import InputError
from socialfinance.funds.portfolio import Portfolio
from socialfinance.markets import pwlb
from socialfinance.markets.discount import default_rate

Sign = Literal["<=", ">=", "=="]
FORM = "[deal:]party-or-role.measure.statistic, then <=, >= or ==, then a number or pwlb + 0.0125"
A_VALUE = "a number, or pwlb [7 years] [nominal] + 0.0125"
_WHOLE = re.compile(r"(?P<figure>[^<>=]+?)\s*(?P<sign><=|>=|==)\s*(?P<value>[^<>=]+)")
_PWLB = re.compile(
    r"pwlb(?:\s+(?P<years>\d+(?:\.5)?)\s+years)?(?P<nominal>\s+nominal)?(?:\s*(?P<over>[+-]\s*[\d.]+))?"
)


class Target(NamedTuple):
    """A figure and what it is to be."""

    text: str
    figure: str
    """``[deal:]party-or-role.measure.statistic``"""
    sign: Sign
    value: float
    basis: str
    """what a rate of the PWLB was read as; empty where a number was given"""

    def holds(self, value: float) -> bool:
        """Whether a figure of this value is what was wanted; of ``==``, whether it is not below."""
        return value <= self.value if self.sign == "<=" else value >= self.value


def target_of(text: str, portfolio: Portfolio) -> Target:
    """Read a target."""
    found = _WHOLE.fullmatch(" ".join(text.split()))
    if found is None:
        raise InputError("is not a target", field="target", given=text, allowed=FORM)
    value, basis = _value(found["value"], portfolio)
    sign: Sign = found["sign"]  # type: ignore[assignment]  # one of the three that the pattern has
    return Target(" ".join(text.split()), found["figure"], sign, value, basis)


def _value(written: str, portfolio: Portfolio) -> tuple[float, str]:
    if written.startswith("pwlb"):
        return _over_pwlb(written, portfolio)
    try:
        value = float(written.replace(",", ""))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError("needs a value", field="target", given=written, allowed=A_VALUE)
    return value, ""


def _over_pwlb(written: str, portfolio: Portfolio) -> tuple[float, str]:
    """A margin over the PWLB certainty rate of a maturity loan, annual effective, and what it was read as.

    The term is the published one nearest the file's horizon, unless given. Rate and margin are both annual
    effective, as on a fund's notes; with ``nominal`` the margin is added to the rate as it is quoted, nominal
    half-yearly, as on a loan, and (1 + sum / 2)^2 - 1 is taken.
    """
    found = _PWLB.fullmatch(written)
    if found is None:
        raise InputError("needs a value", field="target", given=written, allowed=A_VALUE)
    try:
        over = float((found["over"] or "0").replace(" ", ""))
        rate = default_rate(float(found["years"] or portfolio.quarters / 4))
    except ValueError:
        raise InputError("needs a value", field="target", given=written, allowed=A_VALUE) from None
    if not found["nominal"]:
        return rate.rate + over, f"{rate.basis}, {over:+.2%}, annual effective"
    nominal = 2.0 * (math.sqrt(1.0 + rate.rate) - 1.0) + over
    return pwlb.effective_rate(nominal), f"{rate.basis}; {over:+.2%} on the nominal rate"
