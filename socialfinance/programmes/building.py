"""What happens to a development in one quarter: a pure function of this quarter's draws.

The same source runs on floats, on NumPy blocks and compiled. Everything it is handed is a float or an array
over paths in a named tuple; nothing is written in place. A delay is no lag: planning and works are shares of
the way, which move on each quarter by as much as this path's pace allows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from socialfinance.kernels.elementwise import both, least, most, part, put, ratio, where, whole
from socialfinance.programmes.base import Orders

Tuple = tuple[Any, ...]
NEARLY = 1e-9
"""A share this near to the next step has reached it: three thirds are one."""


class Terms(NamedTuple):
    """Lowered terms of a development; one entry a sale, letting, cost line or saving. Floats only."""

    s_curve: float
    phases: float
    for_sale: Tuple
    """by sale: units"""
    presold: Tuple
    """by sale"""
    to_let: Tuple
    """by letting: units"""
    unpaid: Tuple
    """by letting"""
    of_sales: Tuple
    """by cost line"""
    of_rent: Tuple
    """by cost line"""
    on_sale: Tuple
    """by cost line and sale: 1 where the line counts it"""
    on_letting: Tuple
    """by cost line and letting: 1 where the line counts it"""
    saving_use: Tuple
    """by saving: position of its letting, or of its sale after all lettings"""
    cashable: Tuple
    """by saving"""
    grant: float
    """pounds"""
    grant_at_start: float
    no_sales: Tuple
    no_lettings: Tuple
    no_costs: Tuple
    no_savings: Tuple


class State(NamedTuple):
    """Carried from quarter to quarter."""

    waiting: Any
    """share of the way to the planning decision"""
    granted: Any
    """1 once there is consent"""
    refused: Any
    """1 once it was refused"""
    progress: Any
    """share of the works that is done"""
    handed: Any
    """share of the units that is handed over"""
    sold: Tuple
    """by sale: units sold so far"""
    let: Tuple
    """by letting: units let"""


class Now(NamedTuple):
    """This quarter only: scheduled figures are floats, draws are floats or ``(path,)``; today's pounds."""

    decides: Any
    """share of the way to the decision that this quarter brings"""
    consent: Any
    """1 where consent will be given, 0 where it will be refused"""
    land: Any
    """value of the site without consent"""
    gain: Any
    builds: Any
    """share of the works that this quarter brings"""
    price: Tuple
    """by sale: a unit"""
    buyers: Tuple
    """by sale: units that find a buyer"""
    rent: Tuple
    """by letting: a unit a quarter"""
    tenants: Tuple
    """by letting: units that can be let"""
    void: Tuple
    """by letting"""
    gross_yield: Tuple
    """by letting"""
    works: Tuple
    """by cost line: all of the works"""
    fixed: Tuple
    """by cost line: scheduled this quarter"""
    per_unit: Tuple
    """by cost line: a unit held"""
    unit_value: Tuple
    """by saving: a unit a quarter"""
    runs: float
    """1 up to the last quarter of the development"""


class Activity(NamedTuple):
    """What happened this quarter."""

    costs: Tuple
    """by cost line: pounds"""
    cashable: Tuple
    """by saving: pounds"""
    not_cashable: Tuple
    """by saving: pounds of capacity"""
    receipts: Tuple
    """by sale: pounds"""
    rents: Tuple
    """by letting: pounds collected"""
    grant: Any
    """pounds"""
    sold: Tuple
    """by sale: units"""
    let: Tuple
    """by letting: units let at the end of the quarter"""
    handed: Any
    """units handed over in this quarter"""
    progress: Any
    """share of the works that is done"""
    granted: Any
    """1 in the quarter in which consent is given"""
    refused: Any
    """1 once it was refused"""
    finished: Any
    """1 once nothing is left to be built"""
    land: Any
    """pounds: value of the whole site, with consent once there is one"""
    value: Any
    """pounds: market value of all that is held"""


class Planned(NamedTuple):
    """Where planning stands after a quarter."""

    waiting: Any
    granted: Any
    refused: Any
    now: Any
    """1 in the quarter of consent"""


def curve(s_curve: Any, done: Any) -> Any:
    """Share of the cost spent when a share p of the works is done: p + s p (1 - p)(2p - 1)."""
    return done + s_curve * done * (1.0 - done) * (2.0 * done - 1.0)


def decide(state: State, now: Now) -> Planned:
    """The way to the decision; consent or refusal in the quarter in which it is reached."""
    open_ = both(state.granted <= 0.0, state.refused <= 0.0)
    waiting = where(open_, least(1.0, state.waiting + now.decides), state.waiting)
    decided = both(open_, waiting >= 1.0 - NEARLY)
    granted = both(decided, now.consent > 0.5)
    return Planned(
        waiting,
        where(granted, 1.0, state.granted),
        where(both(decided, now.consent <= 0.5), 1.0, state.refused),
        where(granted, 1.0, 0.0),
    )


def develop(terms: Terms, state: State, now: Now, orders: Orders) -> tuple[State, Activity, Tuple]:
    """One quarter of the development: ``(state, activity, what enters the delay lines)``, of which none.

    ``orders``: delivery 0 stops the works, scale 0 stops new sales and lettings, performance 0 says that all
    has been sold by whoever held it: nothing is let, paid for or worth anything from then on.
    """
    kept = orders.performance
    alive = kept * now.runs
    plan = decide(state, now)
    progress = state.progress + least(1.0 - state.progress, part(state.granted, now.builds) * orders.delivery)
    progress = where(progress >= 1.0 - NEARLY, 1.0, progress)
    spent = (curve(terms.s_curve, progress) - curve(terms.s_curve, state.progress)) * kept
    handed = whole(progress * terms.phases + NEARLY - 0.5) / terms.phases
    newly = handed - state.handed

    sold_so_far = terms.no_sales
    sold = terms.no_sales
    receipts = terms.no_sales
    units = newly * 0.0
    for k in range(len(terms.for_sale)):
        there = terms.for_sale[k] * handed - state.sold[k]
        wanted = part(newly, terms.presold[k] * terms.for_sale[k]) + now.buyers[k]
        one = most(0.0, least(there, wanted)) * orders.scale * alive
        sold = put(sold, k, one)
        receipts = put(receipts, k, one * now.price[k])
        sold_so_far = put(sold_so_far, k, state.sold[k] + one)
        units = units + part(newly, terms.for_sale[k])

    rents = terms.no_lettings
    let = terms.no_lettings
    for k in range(len(terms.to_let)):
        collected = state.let[k] * now.rent[k] * (1.0 - terms.unpaid[k])
        rents = put(rents, k, collected * alive)
        full = terms.to_let[k] * handed * (1.0 - now.void[k])
        let = put(let, k, least(full, state.let[k] + now.tenants[k] * orders.scale) * alive)
        units = units + part(newly, terms.to_let[k])

    costs = terms.no_costs
    for j in range(len(terms.of_sales)):
        costs = put(costs, j, cost_of(terms, state, now, j, spent, receipts, rents, alive))

    cashable = terms.no_savings
    not_cashable = terms.no_savings
    for s in range(len(terms.cashable)):
        value = lived_in(terms, state, s, kept) * now.unit_value[s] * now.runs
        cashable = put(cashable, s, value * terms.cashable[s])
        not_cashable = put(not_cashable, s, value * (1.0 - terms.cashable[s]))

    begun = where(both(state.progress <= 0.0, progress > 0.0), terms.grant_at_start, 0.0)
    done = where(both(state.progress < 1.0, progress >= 1.0), 1.0 - terms.grant_at_start, 0.0)
    land = now.land * (1.0 + now.gain * plan.granted)
    activity = Activity(
        costs,
        cashable,
        not_cashable,
        receipts,
        rents,
        part(begun + done, terms.grant) * kept,
        sold,
        let,
        units * kept,
        progress,
        plan.now,
        plan.refused,
        where(progress >= 1.0, 1.0, plan.refused),
        land,
        worth(terms, now, sold_so_far, land, progress, handed) * kept,
    )
    after = State(plan.waiting, plan.granted, plan.refused, progress, handed, sold_so_far, let)
    return after, activity, ()


def cost_of(
    terms: Terms, state: State, now: Now, j: int, spent: Any, receipts: Tuple, rents: Tuple, alive: Any
) -> Any:
    """Cost of line j: works x share spent + scheduled + a unit held + shares of sales and of rent.

    Scheduled cost ends with a refusal. Units held are those handed over before this quarter and not sold.
    """
    held = spent * 0.0
    sales = spent * 0.0
    for k in range(len(terms.for_sale)):
        there = terms.for_sale[k] * state.handed - state.sold[k]
        held = held + part(there, terms.on_sale[j][k])
        sales = sales + part(receipts[k], terms.on_sale[j][k])
    collected = spent * 0.0
    for k in range(len(terms.to_let)):
        held = held + part(state.handed, terms.to_let[k] * terms.on_letting[j][k])
        collected = collected + part(rents[k], terms.on_letting[j][k])
    scheduled = (now.fixed[j] * (1.0 - state.refused) + held * now.per_unit[j]) * alive
    shares = part(sales, terms.of_sales[j]) + part(collected, terms.of_rent[j])
    return now.works[j] * spent + scheduled + shares


def lived_in(terms: Terms, state: State, s: int, kept: Any) -> Any:
    """Units that bring saving s at the beginning of the quarter: let by this landlord, or sold."""
    units = state.progress * 0.0
    for k in range(len(terms.to_let)):
        units = units + part(state.let[k], 1.0 if terms.saving_use[s] == k else 0.0) * kept
    for k in range(len(terms.for_sale)):
        units = units + part(state.sold[k], 1.0 if terms.saving_use[s] == len(terms.to_let) + k else 0.0)
    return units


def worth(terms: Terms, now: Now, sold: Tuple, land: Any, progress: Any, handed: Any) -> Any:
    """Market value of what is held.

    Handed over and not sold at today's price, or (to let) a year's rent after voids over the yield; of the
    rest of the site (1 - s) x land + s x the value when complete, where s is the share of the cost still to
    come after the last hand-over that has been spent since.
    """
    held = land * 0.0
    complete = land * 0.0
    for k in range(len(terms.for_sale)):
        held = held + (terms.for_sale[k] * handed - sold[k]) * now.price[k]
        complete = complete + terms.for_sale[k] * now.price[k]
    for k in range(len(terms.to_let)):
        each = ratio(4.0 * now.rent[k] * (1.0 - now.void[k]), now.gross_yield[k], 0.0)
        held = held + terms.to_let[k] * handed * each
        complete = complete + terms.to_let[k] * each
    before = curve(terms.s_curve, handed)
    share = ratio(curve(terms.s_curve, progress) - before, 1.0 - before, 0.0)
    return held + (1.0 - handed) * ((1.0 - share) * land + share * complete)
