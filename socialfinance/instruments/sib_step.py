"""One row of the social impact bond: pure functions of its terms, its state and this row's draws."""

from __future__ import annotations

from typing import Any, NamedTuple

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.instruments import vehicle
from socialfinance.instruments.base import Now, Restated
from socialfinance.kernels.elementwise import both, either, least, most, part, put, ratio, where
from socialfinance.programmes.base import Orders

Tuple = tuple[Any, ...]
UNCAPPED = 1e15
"""Pounds that no deal reaches: stands for no cap where a cap is multiplied (infinity x 0 is no number)."""


class Terms(NamedTuple):
    """Lowered terms: floats only."""

    vehicle: vehicle.Terms
    tranche: Tuple
    """pounds, by tranche"""
    tranche_from: Tuple
    tranche_gate: Tuple
    revolving: float
    has_hurdle: float
    hurdle: float
    """cap IRR a quarter"""
    multiple: float
    """cap on received over paid in"""
    to_payers: float
    to_provider: float
    to_investor: float
    coupon_at: Tuple
    coupon_rate: Tuple
    coupon_line: float
    coupon_life: float
    floor_rate: float
    protects: float
    """1 where capital is protected"""


class State(NamedTuple):
    """Carried from row to row; pounds unless said."""

    vehicle: vehicle.State
    drawn: Any
    capital_back: Any
    received: Any
    """what investors have had within the cap"""
    hurdle: Any
    """what would give investors the cap IRR if paid now"""
    released: Tuple
    """by tranche: 1 once released"""
    successes: Any
    tries: Any
    returned_this_year: Any
    peak: Any
    """largest capital outstanding"""
    compensation: Any
    """share of outstanding capital owed at settlement, fixed by an early end"""
    protection: Any
    """share of drawn capital protected, fixed by an early end"""


class Row(NamedTuple):
    """What the schedule says about this row."""

    vehicle: vehicle.Row
    year_end: float
    floor: float
    """1 while the floor coupon runs"""
    protection: float
    """share of drawn capital protected if the contract ended now"""


class Payments(NamedTuple):
    """One amount, or one a payer, for each leg."""

    receipts: vehicle.Receipts
    drawdown: Any
    service: Tuple
    deferred: Any
    capital: Any
    investor_return: Any
    floor_coupon: Any
    protection: Any
    compensation: Tuple
    surplus_payers: Tuple
    surplus_provider: Any
    surplus_investor: Any


class Owed(NamedTuple):
    """What an early end has fixed, as shares of capital."""

    compensation: Any
    """of outstanding capital"""
    protection: Any
    """of drawn capital"""


class Share(NamedTuple):
    """What is distributed in a row, pounds."""

    coupon: Any
    floor_coupon: Any
    capital: Any
    deferred: Any
    more: Any
    """investor return beside the coupon"""
    compensation: Tuple
    protection: Any
    over: Any
    """left above the cap"""
    within_cap: Any
    """all that investors receive here"""
    capital_back: Any
    """capital returned, by whomever"""
    successes: Any
    tries: Any


# --- what is drawn ---------------------------------------------------------------------------------


def released(terms: Terms, state: State, now: Now, claimed: Any) -> tuple[Tuple, Any]:
    """By tranche 1 once released, and the commitment released, pounds."""
    by_tranche = state.released
    limit = now.level * 0.0
    for m in range(len(terms.tranche)):
        passed = now.plan.vehicle.row >= terms.tranche_from[m]
        if terms.tranche_gate[m] > 0.0:
            progress = ratio(claimed, now.plan.vehicle.planned_so_far, 1.0)
            passed = both(passed, progress >= terms.tranche_gate[m])
        by_tranche = put(by_tranche, m, where(either(passed, state.released[m] > 0.0), 1.0, 0.0))
        limit = limit + part(by_tranche[m], part(terms.tranche[m], now.size))
    return by_tranche, limit


def wish(terms: Terms, state: State, now: Now, money: vehicle.Due, limit: Any) -> Any:
    """What has to be drawn: the vehicle's need, within the commitment released less what is used of it."""
    used = state.drawn - part(state.capital_back, terms.revolving)
    wanted = least(money.need, limit - used)
    return where(wanted > HALF_A_PENNY, wanted, 0.0)


def ask(terms: Terms, state: State, now: Now) -> Any:
    """What the bond would draw this row, pounds."""
    money = vehicle.receive(terms.vehicle, state.vehicle, now.plan.vehicle, now, now.due, now.drawn)
    _, limit = released(terms, state, now, state.vehicle.claimed + money.results)
    return wish(terms, state, now, money, limit)


# --- what is distributed ---------------------------------------------------------------------------


def coupon_rate(terms: Terms, state: State, now: Now) -> tuple[Any, Any, Any]:
    """Rate of the highest step the success rate reaches; successes and tries so far, this row included."""
    successes = state.successes
    tries = state.tries
    for k in range(len(terms.vehicle.claims.line)):
        if terms.vehicle.claims.line[k] == terms.coupon_line:
            successes = successes + now.activity.achieved[k]
            tries = tries + now.activity.eligible[k]
    success = ratio(successes, tries, 0.0)
    rate = success * 0.0
    for m in range(len(terms.coupon_at)):
        rate = where(success >= terms.coupon_at[m] - 1e-12, terms.coupon_rate[m], rate)
    return rate, successes, tries


def compensation(terms: Terms, owed: Any, room: Any) -> tuple[Tuple, Any, Any]:
    """By payer: its part of what is owed, within the room; all of them together; the room left."""
    owed = least(owed, room)
    by_payer = terms.vehicle.no_payers
    total = room * 0.0
    for i in range(len(terms.vehicle.no_payers)):
        one = part(owed, terms.vehicle.claims.split[i])
        by_payer = put(by_payer, i, one)
        total = total + one
    return by_payer, total, most(0.0, room - total)


def distribute(
    terms: Terms,
    state: State,
    now: Now,
    money: vehicle.Due,
    stands: vehicle.Progress,
    owed: Owed,
    cash: Any,
    drawn: Any,
    grown: Any,
) -> Share:
    """Cash above the reserve and the clawback to come, in order, then what others owe at settlement.

    Order: performance coupon; floor coupon (not from cash); capital; the provider's deferred fee, once
    capital is back or the cap is reached; return, up to the cap; at settlement compensation on capital still
    outstanding, then capital protection; then the split above the cap. The room under the cap is the least of
    the hurdle balance (H' = H x (1 + q) + drawn - received) and multiple x drawn - received.
    """
    outstanding = most(0.0, drawn - state.capital_back)
    by_irr = where(terms.has_hurdle > 0.0, grown, UNCAPPED)
    room = most(0.0, least(by_irr, terms.multiple * drawn - state.received))
    spare = vehicle.spare(now.plan.vehicle, money, stands, cash)

    successes = state.successes
    tries = state.tries
    coupon = now.level * 0.0
    if terms.coupon_line >= 0.0:
        rate, successes, tries = coupon_rate(terms, state, now)
        coupon = least(rate * outstanding * now.plan.year_end * stands.running, least(spare, room))
    spare = spare - coupon
    room = room - coupon
    floor_coupon = now.level * 0.0
    if terms.floor_rate * now.plan.floor > 0.0:
        floor_due = terms.floor_rate * outstanding * now.plan.year_end * stands.running
        floor_coupon = least(most(0.0, floor_due - state.returned_this_year - coupon), room)
        room = room - floor_coupon

    capital = least(least(spare, outstanding), room)
    spare = spare - capital
    room = room - capital
    outstanding = outstanding - capital
    whole_again = where(both(outstanding > HALF_A_PENNY, room > HALF_A_PENNY), 0.0, 1.0)
    deferred = now.level * 0.0
    if terms.vehicle.at_risk > 0.0:
        deferred = least(spare, state.vehicle.deferred + money.bill.deferred) * whole_again
        spare = spare - deferred
    more = least(spare, room) * whole_again
    spare = spare - more
    room = room - more
    full = both(room <= HALF_A_PENNY, drawn > HALF_A_PENNY)

    promised = where(stands.closing, owed.compensation, 0.0) * outstanding
    compensated, others, room = compensation(terms, promised, room)
    outstanding = outstanding - others
    within_cap = coupon + floor_coupon + capital + more + others
    protection = now.level * 0.0
    if terms.protects > 0.0:
        promised = where(stands.closing, owed.protection, 0.0) * drawn
        protection = least(most(0.0, promised - state.received - within_cap), room)
    back = capital + others + least(protection, most(0.0, outstanding))
    over = where(either(full, stands.settled), spare, 0.0)
    return Share(
        coupon, floor_coupon, capital, deferred, more, compensated, protection, over,
        within_cap + protection, back, successes, tries,
    )  # fmt: skip


# --- the row ---------------------------------------------------------------------------------------


def step(terms: Terms, state: State, now: Now) -> tuple[State, Payments, Orders, vehicle.Pipelines]:
    """One row of the bond: receipts, costs, drawing, ending, distribution, orders."""
    row = now.plan.vehicle
    money = vehicle.receive(terms.vehicle, state.vehicle, row, now, now.due, now.drawn)
    by_tranche, limit = released(terms, state, now, state.vehicle.claimed + money.results)
    drawn = least(wish(terms, state, now, money, limit), now.granted)
    paid = vehicle.pay_bill(terms.vehicle, money.bill, money.cash + drawn)
    stands = vehicle.progress(terms.vehicle, state.vehicle, row, now, now.due, now.drawn, money, paid)
    owed = what_an_end_fixes(state, now, stands)
    total_drawn = state.drawn + drawn
    grown = state.hurdle * (1.0 + terms.hurdle) + drawn
    share = distribute(terms, state, now, money, stands, owed, paid.cash, total_drawn, grown)
    out = share.coupon + share.capital + share.deferred + share.more + share.over
    kept = 1.0 - now.plan.year_end * (1.0 - terms.coupon_life)
    had = state.returned_this_year + share.coupon + share.floor_coupon + share.more
    after = State(
        vehicle=vehicle.carry(state.vehicle, money, paid, stands, paid.cash - out, share.deferred),
        drawn=total_drawn,
        capital_back=state.capital_back + share.capital_back,
        received=state.received + share.within_cap,
        hurdle=most(0.0, grown - share.within_cap),
        released=by_tranche,
        successes=part(share.successes, kept),
        tries=part(share.tries, kept),
        returned_this_year=part(had, 1.0 - now.plan.year_end),
        peak=most(state.peak, total_drawn - state.capital_back),
        compensation=owed.compensation,
        protection=where(stands.since < 0.0, 0.0, owed.protection),
    )
    to_payers = part(share.over, terms.to_payers)
    payments = Payments(
        receipts=vehicle.receipts(money),
        drawdown=drawn,
        service=paid.service,
        deferred=share.deferred,
        capital=share.capital,
        investor_return=share.coupon + share.more,
        floor_coupon=share.floor_coupon,
        protection=share.protection,
        compensation=share.compensation,
        surplus_payers=vehicle.surplus_of_payers(terms.vehicle, money.claims.accepted, to_payers),
        surplus_provider=part(share.over, terms.to_provider),
        surplus_investor=part(share.over, terms.to_investor),
    )
    return after, payments, stands.orders, vehicle.entering(money)


def restate(state: State, off: Restated) -> State:
    """The state after a row whose payments were others than the step's."""
    back = off.repaid + off.earned
    drawn, capital_back = state.drawn + off.drawn, state.capital_back + off.repaid
    return state._replace(
        vehicle=state.vehicle._replace(cash=state.vehicle.cash + off.cash),
        drawn=drawn,
        capital_back=capital_back,
        received=state.received + back,
        hurdle=most(0.0, state.hurdle + off.drawn - back),
        returned_this_year=most(0.0, state.returned_this_year + off.earned),
        peak=most(state.peak, drawn - capital_back),
    )


def what_an_end_fixes(state: State, now: Now, stands: vehicle.Progress) -> Owed:
    """Compensation and protection as an early end fixes them; until then protection is the schedule's."""
    fixed = where(stands.ended_now, now.plan.protection, state.protection)
    return Owed(
        compensation=state.compensation + stands.compensation,
        protection=where(stands.since < 0.0, now.plan.protection + stands.since * 0.0, fixed),
    )
