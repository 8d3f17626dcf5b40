"""Greater Manchester's cost-benefit model: its chain from people to pounds saved, and its unit costs."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from importlib.resources import files
from typing import NamedTuple

from socialfinance.core.errors import InputError
from socialfinance.council.numbers import ANY, NOT_NEGATIVE, SHARE, number
from socialfinance.council.prices import Deflator
from socialfinance.markets.optimism_bias import CORRECTION as CORRECTION


class Chain(NamedTuple):
    """Value at each step, pounds a year."""

    gross: float
    """population x engagement x impact x retention x unit cost"""
    net_of_deadweight: float
    optimism_corrected: float


def chain(
    population: float, engagement: float, impact: float, deadweight: float, unit_cost: float,
    optimism_bias_correction: float | None = None, retention: float = 1.0,
    confidence_grade: int | None = None,
) -> Chain:  # fmt: skip
    """People x engagement x impact x retention x (1 - deadweight) x unit cost x (1 + correction).

    The correction is nil or below it, given as it is or by ``confidence_grade`` (see ``CORRECTION``); none
    where neither is given. ``unit_cost`` in pounds, at its own price year.
    """
    if optimism_bias_correction is not None and confidence_grade is not None:
        raise InputError("give a correction or a grade, not both", field="confidence_grade")
    if confidence_grade is not None and confidence_grade not in CORRECTION:
        raise InputError("is no grade", field="confidence_grade", given=confidence_grade, allowed="1 to 6")
    correction = CORRECTION[confidence_grade] if confidence_grade is not None else optimism_bias_correction
    limits = (-1.0, 0.0, "from -1 to 0: -0.15 takes 15% off")
    corrected = number("optimism_bias_correction", correction or 0.0, limits)
    gross = (
        number("population", population, NOT_NEGATIVE) * number("engagement", engagement, SHARE)
        * number("impact", impact, (-1.0, 1.0, "a fraction from -1 to 1"))
        * number("retention", retention, SHARE) * number("unit_cost", unit_cost, ANY)
    )  # fmt: skip
    net = gross * (1.0 - number("deadweight", deadweight, SHARE))
    return Chain(gross, net, net * (1.0 + corrected))


class UnitCost(NamedTuple):
    """What one unit costs an agency."""

    code: str
    item: str
    per: str
    pounds: float
    price_year: str
    """financial year of the prices"""
    agency: str
    kind: str
    """fiscal, economic, social, where the database says"""
    source: str


DATABASE = "Greater Manchester Combined Authority, Unit Cost Database v1.4, March 2015 (Creative Commons)"


def unit_costs() -> dict[str, UnitCost]:
    """Unit costs by code, each at its own price year: part of the database, for tests and illustration.

    They age: ask for the council's own placement costs first (``unit_cost``).
    """
    text = (files("socialfinance.council") / "data" / "gmca_unit_costs_v1_4.csv").read_text("utf-8")
    return {
        row["code"]: UnitCost(
            row["code"], row["item"], row["per"], float(row["pounds"]), row["price_year"], row["agency"],
            row["kind"] or "not said", DATABASE,
        )
        for row in csv.DictReader(text.splitlines())
    }  # fmt: skip


def unit_cost(
    code: str, own: Mapping[str, UnitCost] | None = None, price_year: str | None = None,
    deflator: Deflator | None = None,
) -> UnitCost:  # fmt: skip
    """One unit cost: the council's own where it has one, else the database's.

    It is in the prices of its own year; in those of ``price_year`` only by a ``deflator`` that has both
    years: pounds x level_price_year / level_own. InputError for a code that nobody has, or a price year
    without a deflator.
    """
    known = {**unit_costs(), **(own or {})}
    if code not in known:
        raise InputError("is no unit cost", field="code", given=code, allowed=", ".join(sorted(known)))
    found = known[code]
    if price_year is None or price_year == found.price_year:
        return found
    if deflator is None:
        raise InputError(
            "needs a deflator: a unit cost stays at its own price year without one", field="price_year",
            given=price_year, allowed=found.price_year,
        )  # fmt: skip
    moved = found.pounds * deflator.between(found.price_year, price_year)
    said = f"{found.source}; taken from {found.price_year} to {price_year} by {deflator.source}"
    return found._replace(pounds=moved, price_year=price_year, source=said)
