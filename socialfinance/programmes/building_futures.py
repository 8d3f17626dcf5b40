"""A development made ready: its terms as floats, and its draws row by row."""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from socialfinance.kernels.elementwise import least, most
from socialfinance.kernels.reviews import rise
from socialfinance.programmes.base import Count, Levels, Ready
from socialfinance.programmes.building import Activity, Now, State, Terms, develop
from socialfinance.programmes.development import Development, DevelopmentCost, Planning, ToLet
from socialfinance.programmes.futures import cut
from socialfinance.scenarios.common import Shock
from socialfinance.scenarios.distributions import Discrete
from socialfinance.scenarios.sources import Source, at

SHORTEST = 0.1
"""Least delay factor: nothing takes less than a tenth of its planned time."""
LEAST_YIELD = 0.01
REVIEWED_EVERY = 4
"""Rows between reviews of the rents of tenants."""


def lower(development: Development, by_class: bool) -> Ready:
    """The development as floats; ``by_class`` concerns people only."""
    sales, lettings = development.sales, development.lettings
    costs, savings = tuple(development.costs.values()), development.savings
    places = [*lettings, *([] if lettings else [""]), *sales]
    no_sales, no_lettings, no_costs, no_savings = (
        tuple(0.0 for _ in range(max(n, 1))) for n in (len(sales), len(lettings), len(costs), len(savings))
    )
    terms = Terms(
        s_curve=development.build.s_curve,
        phases=float(development.build.phases),
        for_sale=tuple(one.units for one in sales.values()) or (0.0,),
        presold=tuple(one.presold for one in sales.values()) or (0.0,),
        to_let=tuple(one.units for one in lettings.values()) or (0.0,),
        unpaid=tuple(one.unpaid for one in lettings.values()) or (0.0,),
        of_sales=tuple(line.of_sales or 0.0 for line in costs) or (0.0,),
        of_rent=tuple(line.of_rent or 0.0 for line in costs) or (0.0,),
        on_sale=tuple(_counted(line, list(sales)) for line in costs) or ((0.0,) * len(no_sales),),
        on_letting=tuple(_counted(line, list(lettings)) for line in costs) or ((0.0,) * len(no_lettings),),
        saving_use=tuple(float(places.index(one.on)) for one in savings.values()) or (-1.0,),
        cashable=tuple(one.cashable for one in savings.values()) or (0.0,),
        grant=development.grant.amount if development.grant else 0.0,
        grant_at_start=development.grant.at_start if development.grant else 0.0,
        no_sales=no_sales,
        no_lettings=no_lettings,
        no_costs=no_costs,
        no_savings=no_savings,
    )
    opening = State(0.0, 0.0, 0.0, 0.0, 0.0, no_sales, no_lettings)
    return Ready(development, terms, opening, (), develop, Futures, counted, told, read=READ)


def _counted(line: DevelopmentCost, uses: list[str]) -> tuple[float, ...]:
    """By sale or letting: 1 where the line counts it."""
    return tuple(float(line.on in (None, use)) for use in uses) or (0.0,)


READ = ("handed", "sold", "let", "receipts", "rents", "refused")
"""What ``counted`` reads."""


def counted(ready: Ready, done: Activity, futures: Futures, row: int) -> dict[str, Count]:
    """Units handed over and sold, years let, rents and sale receipts; the value at the end.

    Numbers of units are what this future's market takes up, not whole: see the page of the development.
    """
    development = ready.programme
    found = {"units handed over": Count(done.handed, "units")}
    for name, units in zip(development.sales, done.sold, strict=False):
        found[f"sold: {name}"] = Count(units, "units")
    for name, units in zip(development.lettings, done.let, strict=False):
        found[f"years let: {name}"] = Count(units * 0.25, "years")
    if development.sales:
        found["sale receipts"] = Count(total(done.receipts), "pounds")
    if development.lettings:
        found["rent collected"] = Count(total(done.rents), "pounds")
    if development.planning is not None and development.planning.chance < 1.0:
        refused = done.refused if row == futures.rows - 1 else done.refused * 0.0
        found["planning refused"] = Count(refused, "share of paths")
    return found


def told(ready: Ready, done: Activity, futures: Futures, row: int) -> dict[str, Any]:
    """How far planning and works are, what was sold and let, and what all of it is worth."""
    development = ready.programme
    found: dict[str, Any] = {"works done (%)": 100.0 * done.progress, "units handed over": done.handed}
    for name, units in zip(development.sales, done.sold, strict=False):
        found[f"sold: {name}"] = units
    for name, units in zip(development.lettings, done.let, strict=False):
        found[f"let: {name}"] = units
    return {**found, "value of what is held (£)": done.value}


def total(amounts: tuple[Any, ...]) -> Any:
    """The sum of a few amounts, in order."""
    whole = amounts[0]
    for one in amounts[1:]:
        whole = whole + one
    return whole


def rent_levels(level: list[Any], terms: ToLet) -> list[Any]:
    """Rents over those at the price base: the index at close, then what yearly reviews make of it."""
    low, high = (-1.0, 10.0) if terms.collar is None else terms.collar
    found = [level[0]]
    for row in range(1, len(level)):
        grown = 1.0
        if row % REVIEWED_EVERY == 0:
            grown = rise(level[row], level[row - REVIEWED_EVERY], terms.above_index, 1.0 + low, 1.0 + high)
        found.append(found[-1] * grown)
    return found


class Futures:
    """The draws of one development: on a block of paths, or one deterministic case.

    A common shock multiplies prices and rents by what it leaves of outcomes, and sales and lettings by what
    it leaves of referrals, while it runs.
    """

    def __init__(self, ready: Ready, source: Source, rows: int, shock: Shock, levels: Levels) -> None:
        what: Development = ready.programme
        self.ready, self.source, self.rows = ready, source, rows
        self.shock_runs, self.prices_left, self.demand_left = shock.runs, shock.outcomes, shock.referrals
        self.land = source.value("land.market", what.land.market, "low")
        planning = what.planning or Planning(quarters=0)
        self.decision = planning.quarters
        self.decision_delay = source.value("planning.delay", planning.delay, "high")
        granted = Discrete(values=(0.0, 1.0), weights=(1.0 - planning.chance, planning.chance), plan=1.0)
        given = granted if 0.0 < planning.chance < 1.0 else planning.chance
        self.consent = source.value("planning.granted", given, "low")
        self.gain = source.value("planning.gain", planning.gain, "low")
        self.build_delay = source.value("build.delay", what.build.delay, "high")
        self.price, self.price_level, self.buyers = [], [], []
        for name, sale in what.sales.items():
            self.price.append(source.value(f"sales.{name}.market", sale.market, "low"))
            self.buyers.append(source.value(f"sales.{name}.demand", sale.demand, "low"))
            self.price_level.append(levels(sale.index, sale.price_base))
        self.rent, self.rent_level, self.tenants, self.void, self.gross_yield = [], [], [], [], []
        for name, letting in what.lettings.items():
            self.rent.append(source.value(f"lettings.{name}.market", letting.market, "low"))
            self.tenants.append(source.value(f"lettings.{name}.demand", letting.demand, "low"))
            self.void.append(source.value(f"lettings.{name}.void", letting.void, "high"))
            self.gross_yield.append(source.value(f"lettings.{name}.gross_yield", letting.gross_yield, "high"))
            self.rent_level.append(rent_levels(levels(letting.index, letting.price_base), letting))
        self.overrun = [source.value(f"costs.{n}.overrun", c.overrun, "high") for n, c in what.costs.items()]
        self.cost_level = [levels(line.index, line.price_base) for line in what.costs.values()]
        self.fixed = [scheduled(line, what.last_quarter, rows) for line in what.costs.values()]
        self.unit_value = [
            source.value(f"savings.{name}.unit_value", saving.unit_value, "low")
            for name, saving in what.savings.items()
        ]
        self.saving_level = [levels(one.index, one.price_base) for one in what.savings.values()]

    def on(self, chosen: NDArray[np.bool_]) -> Futures:
        """The same draws on some of the paths only."""
        fewer = copy(self)
        for name, value in vars(self).items():
            setattr(fewer, name, cut(value, chosen))
        fewer.source = self.source.on(chosen)
        return fewer

    def now(self, row: int, due: Any) -> Now:
        """The draws of one row."""
        what: Development = self.ready.programme
        prices, demand = at(self.prices_left, row), at(self.demand_left, row)
        per_cost = [
            most(0.0, at(overrun, row)) * level[row]
            for overrun, level in zip(self.overrun, self.cost_level, strict=True)
        ]
        lines = tuple(what.costs.values())
        return Now(
            decides=_pace(self.decision, self.decision_delay, row),
            consent=at(self.consent, row),
            land=what.land.value * at(self.land, row) * prices,
            gain=at(self.gain, row),
            builds=_pace(what.build.quarters, self.build_delay, row),
            price=tuple(
                sale.price * at(self.price[k], row) * self.price_level[k][row] * prices
                for k, sale in enumerate(what.sales.values())
            )
            or (0.0,),
            buyers=tuple(
                sale.per_quarter * most(0.0, at(self.buyers[k], row)) * demand
                for k, sale in enumerate(what.sales.values())
            )
            or (0.0,),
            rent=tuple(
                letting.rent * at(self.rent[k], row) * self.rent_level[k][row] * prices
                for k, letting in enumerate(what.lettings.values())
            )
            or (0.0,),
            tenants=tuple(
                letting.per_quarter * most(0.0, at(self.tenants[k], row)) * demand
                for k, letting in enumerate(what.lettings.values())
            )
            or (0.0,),
            void=tuple(least(1.0, most(0.0, at(x, row))) for x in self.void) or (0.0,),
            gross_yield=tuple(most(LEAST_YIELD, at(x, row)) for x in self.gross_yield) or (1.0,),
            works=tuple((line.works or 0.0) * x for line, x in zip(lines, per_cost, strict=True)) or (0.0,),
            fixed=tuple(self.fixed[j][row] * x for j, x in enumerate(per_cost)) or (0.0,),
            per_unit=tuple((line.per_unit or 0.0) * x for line, x in zip(lines, per_cost, strict=True))
            or (0.0,),
            unit_value=tuple(
                at(x, row) * level[row] for x, level in zip(self.unit_value, self.saving_level, strict=True)
            )
            or (0.0,),
            runs=float(row <= what.last_quarter),
        )


def _pace(quarters: int, delay: Any, row: int) -> Any:
    """Share of the way in one quarter: 1 / (quarters x delay); at once where no quarter is planned."""
    if quarters == 0:
        return 1.0
    return 1.0 / (quarters * most(SHORTEST, at(delay, row))) if row > 0 else 0.0


def scheduled(line: DevelopmentCost, last_quarter: int, rows: int) -> tuple[float, ...]:
    """One-off and fixed cost by row, pounds at the price base."""
    last = last_quarter if line.last_quarter is None else line.last_quarter
    amounts = [0.0] * rows
    for row in range(line.first_quarter, rows):
        if line.per_quarter is not None and row <= last:
            amounts[row] = line.per_quarter
        if line.one_off is not None and row == line.first_quarter:
            amounts[row] = line.one_off
    return tuple(amounts)
