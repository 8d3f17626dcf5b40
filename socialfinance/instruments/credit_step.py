"""One row of a credit line: pure functions of its terms, its state and this row's draws."""

from __future__ import annotations

from typing import Any, NamedTuple

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.instruments import vehicle
from socialfinance.instruments.base import Now
from socialfinance.instruments.contract import ExitState
from socialfinance.kernels.elementwise import both, either, least, most, part, put, where
from socialfinance.programmes.base import Orders
from socialfinance.programmes.delivery import Activity

Tuple = tuple[Any, ...]
INSOLVENT = 3.5
"""Causes of an early end above this number are insolvency."""
LONG_AGO = 1e9
"""Quarters: longer than any tail."""


class Terms(NamedTuple):
    """Lowered terms: floats only; rates a quarter."""

    vehicle: vehicle.Terms
    limit: float
    """pounds that may be owed at any time"""
    rate: float
    undrawn: float
    """fee on what could still be drawn"""
    arrangement: float
    """pounds at close"""
    buffer: float
    """pounds of the provider's own"""
    recovery: float
    """share of what is owed on default that the bank has from the provider's other assets"""
    most_drawn: float
    """owed over claims so far above which nothing more is drawn"""
    left: float
    """share of the usual chance of an outcome without a service"""
    steps_in: float
    """1 where the commissioner goes on with another provider"""
    gap: float
    """quarters without a service before that"""
    step_in_cost: float
    performance: float
    no_recipients: Tuple
    """of what the commissioner pays once it has stepped in"""


class State(NamedTuple):
    """Carried from row to row; pounds unless said."""

    vehicle: vehicle.State
    line: Any
    """owed on the line"""
    charges: Any
    """interest and fees due and unpaid"""
    paid_in: Any
    """of the provider's buffer, and not given back"""
    failed: Any
    """1 once the provider has failed"""
    closed: Any
    """1 once the line has had to be repaid"""
    compensation: Any
    """share of the line owed at settlement, fixed by an early end"""
    peak: Any
    """largest line"""
    lost: Any
    """what the bank has written off"""
    gain: Any
    """what the provider has received less what it has paid"""
    in_service: Any
    """people who have started and may still have outcomes before them"""
    cut_short: Any
    """of them, those whose provider failed"""
    turned_away: Any
    """people referred while there was no service"""
    stepped_in: Any
    """1 once the commissioner has stepped in"""


class Row(NamedTuple):
    """What the schedule says about this row."""

    vehicle: vehicle.Row
    covenant: float
    """1 in rows in which the covenant holds the line back"""
    close: float
    """1 at financial close"""


class Pipelines(NamedTuple):
    """Delay lines."""

    vehicle: vehicle.Pipelines
    starts: Any
    """people on their way through the longest chain of outcomes"""


class Payments(NamedTuple):
    """One amount, or one a payer or recipient, for each leg."""

    receipts: vehicle.Receipts
    buffer: Any
    drawdown: Any
    service: Tuple
    arrangement: Any
    non_utilisation: Any
    interest: Any
    principal: Any
    compensation: Tuple
    recovery: Any
    buffer_back: Any
    surplus: Any
    successor: Tuple
    step_in: Any


class Due(NamedTuple):
    """What falls due before anything is drawn, pounds."""

    money: vehicle.Due
    fee: Any
    charges: Any
    """interest and fees, those unpaid before included"""
    buffer: Any
    wish: Any


class Bank(NamedTuple):
    """What the bank receives in a row before the line is closed, pounds."""

    paid: vehicle.Paid
    """the bill; of it ``unpaid`` includes charges, ``cash`` is what is left"""
    charges: Any
    principal: Any
    """only after a failure, ahead of the bill"""


class Closing(NamedTuple):
    """What happens when the line has to be repaid, pounds; nil in every other row."""

    compensation: Tuple
    buffer: Any
    recovery: Any
    line: Any
    """still owed"""
    charges: Any
    lost: Any
    defaulted: Any
    """1 where the provider could not repay"""


# --- before anything is drawn ----------------------------------------------------------------------


def taken_over(terms: Terms, state: State) -> Any:
    """1 in rows in which another provider delivers, at the commissioner's cost."""
    exits = state.vehicle.exits
    return where(both(exits.cause > INSOLVENT, exits.since >= terms.gap), terms.steps_in, 0.0)


def of_the_provider(terms: Terms, activity: Activity, over: Any) -> Activity:
    """The activity with the cost that falls to the provider: none once another delivers."""
    if terms.steps_in <= 0.0:
        return activity
    costs = activity.costs
    for j in range(len(costs)):
        costs = put(costs, j, costs[j] * (1.0 - over))
    return Activity(
        activity.offered, activity.referred, activity.starts, activity.eligible, activity.achieved,
        activity.verified, costs, activity.cashable, activity.not_cashable, activity.reported,
        activity.measured, activity.people,
    )  # fmt: skip


def past_claims(terms: Terms, state: vehicle.State, over: Any) -> vehicle.State:
    """The contract as it stands; past any tail once another delivers, so that nothing more can be claimed."""
    if terms.steps_in <= 0.0:
        return state
    exits = state.exits
    since = where(over > 0.0, LONG_AGO, exits.since)
    return vehicle.State(
        state.claims, state.savings,
        ExitState(since, exits.cause, exits.window, exits.strikes, exits.starts, exits.arrears_for),
        state.review, state.cash, state.arrears, state.deferred, state.aside, state.claimed,
        state.worst_arrears, state.settled, state.would_change,
    )  # fmt: skip


def falls_due(terms: Terms, state: State, now: Now) -> Due:
    """Receipts, the bill, the bank's charges, and where the money comes from: buffer first, then the line.

    interest = (line + unpaid charges) x rate on balances after the row before. Cash pays the bill, then
    charges. What is short of the bill comes from the buffer, then from the line; what is short of charges is
    debited to the line, as banks do, and comes from the buffer only beyond the line's limit.
    """
    over = taken_over(terms, state)
    activity = of_the_provider(terms, now.activity, over)
    mine = Now(
        now.plan, activity, now.due, now.granted, now.drawn, now.shock, now.level, now.size, now.withdrawn
    )  # fmt: skip
    standing = past_claims(terms, state.vehicle, over)
    money = vehicle.receive(terms.vehicle, standing, now.plan.vehicle, mine, now.due.vehicle, now.drawn)
    alive = where(state.failed > 0.0, 0.0, 1.0)
    open_ = where(state.closed > 0.0, 0.0, alive)
    running = where(state.vehicle.exits.since < 0.0, open_, 0.0)
    interest = (state.line + state.charges) * terms.rate
    room = most(0.0, terms.limit - state.line) * open_
    fee = part(room, terms.undrawn * (1.0 - now.plan.close)) * running
    fee = fee + part(terms.arrangement, now.plan.close)
    charges = state.charges + interest + fee
    if now.plan.covenant > 0.0:
        claimed = state.vehicle.claimed + money.results
        room = where(state.line > terms.most_drawn * claimed, 0.0, room)
    need = most(0.0, money.need + charges) * alive
    left = most(0.0, terms.buffer - state.paid_in)
    buffer = least(most(0.0, money.need) * alive, left)
    wish = least(need - buffer, room)
    wish = more_than_a_trifle(wish)
    buffer = buffer + least(most(0.0, need - buffer - wish), left - buffer)
    return Due(money, fee, charges, more_than_a_trifle(buffer), wish)


def ask(terms: Terms, state: State, now: Now) -> Any:
    """What the provider would draw on its line this row, pounds."""
    return falls_due(terms, state, now).wish


def more_than_a_trifle(amount: Any) -> Any:
    """The amount if it is more than half a penny, else nil."""
    return where(amount > HALF_A_PENNY, amount, 0.0)


# --- what the bank receives --------------------------------------------------------------------------


def pay(terms: Terms, state: State, due: Due, drawn: Any) -> Bank:
    """The bill, then the bank's charges; after a failure the bank first, which has a charge over receipts."""
    cash = due.money.cash + due.buffer + drawn
    failed = state.failed > 0.0
    first = more_than_a_trifle(where(failed, least(cash, due.charges + state.line), 0.0))
    paid = vehicle.pay_bill(terms.vehicle, due.money.bill, cash - first)
    charges = least(where(failed, first, more_than_a_trifle(least(paid.cash, due.charges))), due.charges)
    left = where(failed, paid.cash, paid.cash - charges)
    unpaid = paid.unpaid + where(failed, 0.0, due.charges - charges)
    principal = where(failed, most(0.0, first - charges), 0.0)
    return Bank(vehicle.Paid(paid.service, paid.arrears, unpaid, left), charges, principal)


def close(
    terms: Terms,
    state: State,
    closing: Any,
    stands: vehicle.Progress,
    line: Any,
    charges: Any,
    paid_in: Any,
) -> Closing:
    """In the row in which the line has to be repaid: what of it is, by whom, and what the bank loses.

    Order: payers' compensation after an early end; what is left of the buffer, unless the provider has
    failed; what the bank has from the provider's other assets. Charges come before the line.
    """
    owed = where(closing, line + charges, 0.0)
    promised = least(owed, (state.compensation + stands.compensation) * where(closing, line, 0.0))
    by_payer = terms.vehicle.no_payers
    compensated = owed * 0.0
    for i in range(len(by_payer)):
        one = part(promised, terms.vehicle.claims.split[i])
        by_payer = put(by_payer, i, one)
        compensated = compensated + one
    owed = most(0.0, owed - compensated)
    alive = where(either(state.failed > 0.0, stands.exits.cause > INSOLVENT), 0.0, 1.0)
    buffer = least(owed, most(0.0, terms.buffer - paid_in)) * alive
    owed = owed - buffer
    short = owed > HALF_A_PENNY
    recovery = where(short, owed * terms.recovery, 0.0)
    lost = where(short, owed - recovery, 0.0)
    return Closing(
        by_payer, buffer, recovery, where(closing, 0.0, line), where(closing, 0.0, charges), lost,
        where(short, 1.0, 0.0),
    )  # fmt: skip


# --- whoever goes on ---------------------------------------------------------------------------------


class Successor(NamedTuple):
    """What the commissioner pays once it has stepped in, pounds."""

    service: Tuple
    once: Any
    own_cost: Any
    """what the provider itself spends, before and after"""


def succeed(terms: Terms, state: State, now: Now, over: Any) -> Successor:
    """Another provider's cost as it falls, and what stepping in costs once."""
    service = terms.no_recipients
    own_cost = now.level * 0.0
    for j in range(len(terms.vehicle.used)):
        cost = part(now.activity.costs[j], terms.vehicle.used[j])
        to = int(terms.vehicle.recipient[j])
        if terms.steps_in > 0.0:
            service = put(service, to, service[to] + cost * over)
        if to == 0:
            own_cost = own_cost + cost
    begins = both(over > 0.0, state.stepped_in <= 0.0)
    return Successor(service, where(begins, terms.step_in_cost, 0.0), own_cost)


def ordered(terms: Terms, stands: vehicle.Progress) -> Orders:
    """Next quarter's delivery: none after a failure, then another provider's if the commissioner steps in.

    Without a service, outcomes of people who have started come with a share of their usual chance.
    """
    failed = stands.exits.cause > INSOLVENT
    stopped = both(failed, either(stands.since < terms.gap, terms.steps_in <= 0.0))
    resumed = both(failed, both(stands.since >= terms.gap, terms.steps_in > 0.0))
    orders = stands.orders
    return Orders(
        where(stopped, 0.0, where(resumed, 1.0, orders.scale)),
        where(stopped, 0.0, where(resumed, 1.0, orders.delivery)),
        where(stopped, terms.left, where(resumed, terms.performance, orders.performance)),
        where(stopped, terms.left, 1.0),
    )


# --- the row -----------------------------------------------------------------------------------------


def step(terms: Terms, state: State, now: Now) -> tuple[State, Payments, Orders, Pipelines]:
    """One row: receipts, buffer, line, the bill, the bank, whether the provider lives, what it earns."""
    row = now.plan
    due = falls_due(terms, state, now)
    drawn = least(due.wish, now.granted)
    bank = pay(terms, state, due, drawn)
    stands = vehicle.progress(
        terms.vehicle, state.vehicle, row.vehicle, now, now.due.vehicle, now.drawn, due.money, bank.paid
    )
    fails = both(stands.ended_now, stands.exits.cause > INSOLVENT)
    charges = most(0.0, due.charges - bank.charges)
    line = most(0.0, state.line + drawn - bank.principal)
    held_back = where(stands.settled, 0.0, due.money.aside)
    swept = more_than_a_trifle(least(line, most(0.0, bank.paid.cash - held_back)))
    line = line - swept
    cash = bank.paid.cash - swept
    closing = both(either(row.vehicle.over > 0.0, stands.settled), state.closed <= 0.0)
    end = close(terms, state, closing, stands, line, charges, state.paid_in + due.buffer)
    paid_in = state.paid_in + due.buffer + end.buffer
    clear = end.line + end.charges <= HALF_A_PENNY
    spare = where(clear, vehicle.spare(row.vehicle, due.money, stands, cash), 0.0)
    back = least(spare, paid_in)
    surplus = spare - back
    over = taken_over(terms, state)
    successor = succeed(terms, state, now, over)

    in_service = state.in_service + now.activity.starts - now.due.starts
    away = where(state.vehicle.exits.cause > INSOLVENT, now.activity.offered - now.activity.referred, 0.0)
    to_provider = bank.paid.service[0] + successor.service[0] + back + surplus
    from_provider = successor.own_cost + due.buffer + end.buffer + end.recovery
    fee = least(bank.charges, due.fee)
    late = least(end.buffer, charges)
    after = State(
        vehicle=vehicle.carry(state.vehicle, due.money, bank.paid, stands, cash - spare, 0.0),
        line=end.line,
        charges=end.charges,
        paid_in=paid_in - back,
        failed=most(most(state.failed, where(fails, 1.0, 0.0)), end.defaulted),
        closed=where(closing, 1.0, state.closed),
        compensation=state.compensation + stands.compensation,
        peak=most(state.peak, state.line + drawn),
        lost=state.lost + end.lost,
        gain=state.gain + to_provider - from_provider,
        in_service=in_service,
        cut_short=state.cut_short + where(fails, in_service, 0.0),
        turned_away=state.turned_away + away,
        stepped_in=most(state.stepped_in, over),
    )
    payments = Payments(
        receipts=vehicle.receipts(due.money),
        buffer=due.buffer + end.buffer,
        drawdown=drawn,
        service=bank.paid.service,
        arrangement=part(fee, row.close),
        non_utilisation=part(fee, 1.0 - row.close),
        interest=bank.charges - fee + late,
        principal=bank.principal + swept + (end.buffer - late),
        compensation=end.compensation,
        recovery=end.recovery,
        buffer_back=back,
        surplus=surplus,
        successor=successor.service,
        step_in=successor.once,
    )
    entering = Pipelines(vehicle.entering(due.money), now.activity.starts)
    return after, payments, ordered(terms, stands), entering
