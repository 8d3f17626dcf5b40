"""One row of a grant: pure functions of its terms, its state and this row's draws."""

from __future__ import annotations

from typing import Any, NamedTuple

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.instruments import vehicle
from socialfinance.instruments.base import Now
from socialfinance.kernels.elementwise import both, either, least, most, part, put, ratio, where
from socialfinance.programmes.base import Orders

Tuple = tuple[Any, ...]


class Terms(NamedTuple):
    """Lowered terms: floats only; one entry an instalment where it is a tuple."""

    vehicle: vehicle.Terms
    amount: Tuple
    """pounds"""
    from_quarter: Tuple
    milestone: Tuple
    """position of the outcome line that has to be reached, -1 without a milestone"""
    of_plan: Tuple
    """outcomes so far over the plan's at that line"""
    overheads: float
    """share of each instalment"""
    clawback: float
    """share of what is unspent that goes back"""
    impact_line: float
    """position of the outcome line of the shared impact, -1 without one"""


class State(NamedTuple):
    """Carried from row to row; pounds unless said."""

    vehicle: vehicle.State
    paid: Tuple
    """by instalment: 1 once it has been paid"""
    achieved: Tuple
    """by instalment: outcomes so far at its milestone's line"""
    granted: Any
    returned: Any
    carried: Any
    """cost that grantees carry, not met from the grant so far"""
    most_carried: Any
    impact: Any
    """outcomes so far at the line of the shared impact"""


class Row(NamedTuple):
    """What the schedule says about this row."""

    vehicle: vehicle.Row
    planned: Tuple
    """by instalment: the plan's outcomes so far at its milestone's line"""
    monitoring: float
    """what the funder spends on following the grant, pounds"""


class Payments(NamedTuple):
    """One amount, or one a payer or recipient, for each leg."""

    receipts: vehicle.Receipts
    grant: Any
    overheads: Any
    overheads_spent: Any
    service: Tuple
    returned: Any
    surplus: Any
    monitoring: Any


class Instalments(NamedTuple):
    """Instalments of a row."""

    paid: Tuple
    achieved: Tuple
    wish: Any


def reached(terms: Terms, state: State, now: Now, line: float, before: Any) -> Any:
    """Outcomes so far at a line, this row's included."""
    found = before
    for k in range(len(terms.vehicle.claims.line)):
        if terms.vehicle.claims.line[k] == line:
            found = found + now.activity.achieved[k]
    return found


def instalments(terms: Terms, state: State, now: Now) -> Instalments:
    """Each is paid once, in the first row from its quarter in which its milestone is reached.

    Nothing is paid after an early end, or once all that was planned is over.
    A milestone is reached when outcomes so far at its line are at least ``of_plan`` of the plan's; a plan of
    nil counts as 1.
    """
    running = both(state.vehicle.exits.since < 0.0, now.plan.vehicle.over <= 0.0)
    paid = state.paid
    achieved = state.achieved
    wish = now.level * 0.0
    for m in range(len(terms.amount)):
        due = both(running, now.plan.vehicle.row >= terms.from_quarter[m])
        if terms.milestone[m] >= 0.0:
            so_far = reached(terms, state, now, terms.milestone[m], state.achieved[m])
            achieved = put(achieved, m, so_far)
            due = both(due, ratio(so_far, now.plan.planned[m], 1.0) >= terms.of_plan[m] - 1e-12)
        now_paid = both(due, state.paid[m] <= 0.0)
        wish = wish + where(now_paid, terms.amount[m], 0.0)
        paid = put(paid, m, where(due, 1.0, state.paid[m]))
    return Instalments(paid, achieved, wish)


def ask(terms: Terms, state: State, now: Now) -> Any:
    """What the funder is asked for this row, pounds: instalments, and the cost of following the grant."""
    return instalments(terms, state, now).wish + following(state, now)


def following(state: State, now: Now) -> Any:
    """What the funder pays others to follow the grant, until all is settled."""
    return where(state.vehicle.settled > 0.0, 0.0, now.plan.monitoring)


def step(terms: Terms, state: State, now: Now) -> tuple[State, Payments, Orders, vehicle.Pipelines]:
    """One row: receipts, instalments, overheads, cost as far as the grant goes, what is unspent at the end.

    Of what the funder has, following the grant comes first. Cost that the grant does not meet is carried by
    the grantees until a later instalment pays for it; what is left of it is their own contribution. At the
    end what is unspent of the grant goes back, and what is left of other income stays with the grantees.
    """
    row = now.plan
    money = vehicle.receive(terms.vehicle, state.vehicle, row.vehicle, now, now.due, now.drawn)
    due = instalments(terms, state, now)
    follows = least(following(state, now), now.granted)
    grant = least(due.wish, now.granted - follows)
    overheads = part(grant, terms.overheads)
    met = vehicle.pay_bill(terms.vehicle, money.bill, money.cash + grant - overheads)
    carried = met.unpaid
    paid = vehicle.Paid(met.service, met.arrears, carried * 0.0, met.cash)
    stands = vehicle.progress(terms.vehicle, state.vehicle, row.vehicle, now, now.due, now.drawn, money, paid)
    finished = either(row.vehicle.over > 0.0, stands.settled)
    left = where(finished, paid.cash, 0.0)
    granted = state.granted + grant
    unspent = least(left, most(0.0, granted * (1.0 - terms.overheads) - state.returned))
    returned = part(unspent, terms.clawback)
    returned = where(returned > HALF_A_PENNY, returned, 0.0)
    surplus = left - returned
    impact = state.impact
    if terms.impact_line >= 0.0:
        impact = reached(terms, state, now, terms.impact_line, impact)
    after = State(
        vehicle=vehicle.carry(state.vehicle, money, paid, stands, paid.cash - left, 0.0),
        paid=due.paid,
        achieved=due.achieved,
        granted=granted,
        returned=state.returned + returned,
        carried=carried,
        most_carried=most(state.most_carried, carried),
        impact=impact,
    )
    payments = Payments(
        receipts=vehicle.receipts(money),
        grant=grant,
        overheads=overheads,
        overheads_spent=overheads,
        service=paid.service,
        returned=returned,
        surplus=surplus,
        monitoring=follows,
    )
    return after, payments, stands.orders, vehicle.entering(money)
