"""One row of pay-as-you-save: pure functions of its terms, its state and this row's draws."""

from __future__ import annotations

from typing import Any, NamedTuple

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.instruments import guarantees, vehicle
from socialfinance.instruments.base import Now, Restated
from socialfinance.kernels.elementwise import both, least, most, part, put, ratio, where
from socialfinance.programmes.base import Orders

Tuple = tuple[Any, ...]


class Terms(NamedTuple):
    """Lowered terms: floats only; rates a quarter."""

    vehicle: vehicle.Terms
    guarantees: guarantees.Terms
    commitment: float
    rate: float
    commitment_fee: float
    """on what may still be drawn"""
    arrangement: float
    """pounds at close"""
    fees_in_cash: float
    """1 where the funder's fees are paid from cash, 0 where they are added to the balance"""
    upfront: Tuple
    """by layer: guarantee fee at close, pounds"""
    fee_from_vehicle: Tuple
    """by layer: 1 where the vehicle pays its fee"""
    to_agencies: float
    to_provider: float
    to_investor: float
    to_reinvest: float
    stop_below: float
    """verified savings over plan, or a pound of cost, under which nothing is reinvested"""
    stop_on_plan: float
    """1: over plan, 0: a pound of cost"""
    by_agencies: float
    """1 where agencies pay what is unpaid at the long stop"""
    by_commissioner: float
    """1 where the commissioner does"""
    each: float
    """one over the number of agencies"""
    no_agencies: Tuple


class State(NamedTuple):
    """Carried from row to row; pounds unless said."""

    vehicle: vehicle.State
    guarantees: guarantees.State
    balance: Any
    """owed to the funder"""
    accrued: Any
    """of it, interest and fees"""
    drawn: Any
    received: Any
    """what the funder has had on the balance, accepted claims included"""
    fees: Tuple
    """by layer: guarantee fees due and unpaid"""
    pot: Any
    """surplus kept for more starts, not yet ordered"""
    held: Any
    """kept for the cost of starts that were ordered"""
    returned: Tuple
    """by agency: surplus it has had back"""
    compensation: Any
    """share of the loss owed at settlement, fixed by an early end"""
    spent: Any
    """paid for the programme so far"""
    peak: Any
    """largest drawn less received"""
    reinvested: Any
    """spent from the pot so far"""
    unpaid: Any
    """balance left at the long stop"""


class Row(NamedTuple):
    """What the schedule says about this row."""

    vehicle: vehicle.Row
    guarantees: guarantees.Row
    close: float
    """1 at financial close"""
    available: float
    """1 while the money may be drawn"""
    fee_runs: float
    """1 while the commitment fee does"""
    accrues: float
    """1 while interest does: after close, up to the long stop"""
    covered: float
    """1 while layers are paid for: after close, up to the test of the floor"""
    floor: float
    """1 in the row in which the floor is tested"""
    long_stop: float
    """1 in that row"""
    reinvests: float
    """1 while more may be ordered"""
    coming: float
    """planned starts of the next row at the cost of a start, pounds"""
    most_more: float
    """most that may be ordered for the next row, pounds"""
    planned_verified: float
    """verified savings of the plan so far, all agencies"""


class Drawn(NamedTuple):
    """Random numbers of a row."""

    vehicle: vehicle.Drawn
    guarantees: guarantees.Drawn


class Pipelines(NamedTuple):
    """Delay lines."""

    vehicle: vehicle.Pipelines
    calls: Tuple
    """by layer: accepted claims on their way to payment"""
    ordered: Any
    """money for starts that were ordered, until their cost has fallen"""


class Payments(NamedTuple):
    """One amount, or one a payer, agency, recipient or layer, for each leg."""

    receipts: vehicle.Receipts
    drawdown: Any
    service: Tuple
    arrangement: Any
    commitment_fee: Any
    fee: Tuple
    interest: Any
    principal: Any
    recovery: Tuple
    compensation: Tuple
    call: Tuple
    unpaid_agencies: Tuple
    unpaid_commissioner: Any
    surplus_agencies: Tuple
    surplus_provider: Any
    surplus_investor: Any


class Due(NamedTuple):
    """What falls due before anything is drawn, pounds."""

    money: vehicle.Due
    interest: Any
    funder_fee: Any
    """arrangement fee at close, commitment fee after"""
    fees: Tuple
    """by layer: guarantee fees, arrears included"""
    wish: Any


class Fees(NamedTuple):
    """Fees paid in a row."""

    by_layer: Tuple
    left: Tuple
    """by layer: what the vehicle still owes"""
    funder: Any
    """paid from cash"""
    rolled: Any
    """added to the balance"""
    cash: Any


class Repaid(NamedTuple):
    """What spare cash does in a row."""

    guarantees: guarantees.State
    interest: Any
    principal: Any
    recovery: Tuple
    balance: Any
    surplus: Any
    cash: Any
    """left before the surplus is shared"""


class Closed(NamedTuple):
    """What others make good of the balance."""

    guarantees: guarantees.State
    compensation: Tuple
    accepted: Tuple
    """by layer: to be paid after the claim lag"""
    by_agency: Tuple
    by_commissioner: Any
    unpaid: Any
    """balance left at the long stop, whoever pays it"""
    balance: Any
    received: Any
    """by the funder, now or after the claim lag"""


class Shared(NamedTuple):
    """The surplus shared out, and what is ordered with it."""

    agencies: Tuple
    returned: Tuple
    provider: Any
    investor: Any
    total: Any
    pot: Any
    ordered: Any
    orders: Orders


# --- before anything is drawn ----------------------------------------------------------------------


def falls_due(terms: Terms, state: State, now: Now) -> Due:
    """Receipts, the bill, interest, fees, and what has to be drawn.

    interest = balance after the row before x rate, up to the long stop; wish = bill + planned bill ahead +
    fees paid from cash - cash, within what is left of the commitment, while the money may be drawn.
    """
    row = now.plan
    money = vehicle.receive(
        terms.vehicle, state.vehicle, row.vehicle, now, now.due.vehicle, now.drawn.vehicle
    )
    interest = part(state.balance * terms.rate, row.accrues)
    running = where(state.vehicle.exits.since < 0.0, 1.0, 0.0)
    left = most(0.0, part(terms.commitment, now.size) - state.drawn)
    funder_fee = part(left * running, terms.commitment_fee * row.fee_runs)
    funder_fee = funder_fee + part(terms.arrangement, row.close)
    loss = most(0.0, state.drawn - state.received)
    covered = guarantees.fees(terms.guarantees, state.guarantees, row.guarantees, loss, state.drawn)
    fees = terms.guarantees.no_layers
    in_cash = part(funder_fee, terms.fees_in_cash)
    for i in range(len(fees)):
        one = state.fees[i] + part(covered[i], row.covered) + part(terms.upfront[i], row.close)
        fees = put(fees, i, one)
        in_cash = in_cash + part(one, terms.fee_from_vehicle[i])
    wish = part(least(money.need + in_cash, left), row.available)
    return Due(money, interest, funder_fee, fees, where(wish > HALF_A_PENNY, wish, 0.0))


def ask(terms: Terms, state: State, now: Now) -> Any:
    """What the vehicle would draw this row, pounds."""
    return falls_due(terms, state, now).wish


def pay_fees(terms: Terms, due: Due, cash: Any) -> Fees:
    """Guarantors first, each the same fraction of what the vehicle owes it; then the funder's fee.

    What the funder does not get in cash is added to its balance; a fee that somebody else pays is paid in
    full.
    """
    owed = cash * 0.0
    for i in range(len(due.fees)):
        owed = owed + part(due.fees[i], terms.fee_from_vehicle[i])
    met = ratio(least(cash, owed), owed, 1.0)
    by_layer = terms.guarantees.no_layers
    left = terms.guarantees.no_layers
    for i in range(len(due.fees)):
        one = where(terms.fee_from_vehicle[i] > 0.0, due.fees[i] * met, due.fees[i])
        by_layer = put(by_layer, i, one)
        left = put(left, i, due.fees[i] - one)
    cash = most(0.0, cash - owed * met)
    funder = least(cash, part(due.funder_fee, terms.fees_in_cash))
    return Fees(by_layer, left, funder, due.funder_fee - funder, cash - funder)


# --- the balance -----------------------------------------------------------------------------------


def spare_cash(
    terms: Terms, row: vehicle.Row, money: vehicle.Due, stands: vehicle.Progress, cash: Any, kept: Any
) -> Any:
    """Cash that may be paid out, never below nil.

    While running what is above the reserve, clawback to come and what is kept for more starts; after an early
    end nothing until the wind-down is over, then all but clawback to come; all of it once settled.
    """
    ended = where(stands.since >= terms.vehicle.winds_down, cash - money.aside, 0.0)
    free = where(stands.running > 0.0, cash - row.reserve - money.aside - kept, ended)
    return most(0.0, where(stands.settled, cash, free))


def repay(terms: Terms, state: State, balance: Any, accrued: Any, spare: Any, cash: Any) -> Repaid:
    """Spare cash goes to the funder, interest first, and to guarantors that are owed; then it is surplus."""
    stack, to_funder, recovery = guarantees.recover(terms.guarantees, state.guarantees, spare, balance)
    interest = least(to_funder, accrued)
    balance = most(0.0, balance - to_funder)
    out = to_funder
    owed = balance
    for i in range(len(recovery)):
        out = out + recovery[i]
        owed = owed + stack.owed_back[i]
    surplus = where(owed <= HALF_A_PENNY, most(0.0, spare - out), 0.0)
    return Repaid(stack, interest, to_funder - interest, recovery, balance, surplus, most(0.0, cash - out))


def close(
    terms: Terms, state: State, now: Now, stands: vehicle.Progress, money: vehicle.Due, stack: Any,
    balance: Any, drawn: Any, received: Any,
) -> Closed:  # fmt: skip
    """Whoever stands behind the balance: payers after an early end, the floor, the long stop.

    loss = drawn - received, never below nil. Payers' compensation is a share of it, when accounts are
    settled. The floor's layers have it put to them once, with the rest of the balance as interest. What is
    left of the balance at the long stop is written off, or paid by agencies (by verified savings so far, nil
    where they are below it; alike where nobody has saved) or by the commissioner.
    """
    row = now.plan
    loss = most(0.0, drawn - received)
    promised = least(where(stands.closing, state.compensation + stands.compensation, 0.0) * loss, balance)
    compensation = terms.vehicle.no_payers
    total = balance * 0.0
    for i in range(len(compensation)):
        one = part(promised, terms.vehicle.claims.split[i])
        compensation = put(compensation, i, one)
        total = total + one
    balance = most(0.0, balance - total)
    received = received + total
    loss = least(most(0.0, drawn - received), balance)
    nil = balance * 0.0
    lost = guarantees.Loss(nil, nil, nil, nil, part(loss, row.floor), part(balance - loss, row.floor))
    stack, called = guarantees.call(
        terms.guarantees, stack, row.guarantees, lost, drawn, now.drawn.guarantees
    )
    balance = most(0.0, balance - called.total)
    received = received + called.total

    unpaid = part(balance, row.long_stop)
    weight = terms.no_agencies
    everybody = nil
    for a in range(len(weight)):
        weight = put(weight, a, most(0.0, money.savings.verified[a]))
        everybody = everybody + weight[a]
    by_agency = terms.no_agencies
    for a in range(len(weight)):
        own = ratio(weight[a], everybody, terms.each)
        by_agency = put(by_agency, a, part(unpaid * own, terms.by_agencies))
    by_commissioner = part(unpaid, terms.by_commissioner)
    received = received + part(unpaid, terms.by_agencies) + by_commissioner
    return Closed(
        guarantees.owe_back(stack, called.by_layer), compensation, called.by_layer, by_agency,
        by_commissioner, unpaid, balance - unpaid, received,
    )  # fmt: skip


# --- the surplus -----------------------------------------------------------------------------------


def saved_so_far(money: vehicle.Due) -> Any:
    """Verified savings so far, all agencies."""
    total = money.results * 0.0
    for a in range(len(money.savings.verified)):
        total = total + money.savings.verified[a]
    return total


def goes_on(terms: Terms, row: Row, stands: vehicle.Progress, money: vehicle.Due, spent: Any) -> Any:
    """1 while the surplus is reinvested: in rows of the schedule, while the contract runs and is not paused.

    And while verified savings so far over those of the plan, or over what was paid for the programme so far,
    are not below the stop rule.
    """
    saved = saved_so_far(money)
    by_cost = ratio(saved, spent, 1.0)
    reached = where(terms.stop_on_plan > 0.0, ratio(saved, row.planned_verified, 1.0), by_cost)
    starts = both(stands.running > 0.0, stands.orders.scale > 0.0)
    return where(both(starts, reached >= terms.stop_below), row.reinvests, 0.0)


def share_out(
    terms: Terms, state: State, row: Row, stands: vehicle.Progress, money: vehicle.Due, surplus: Any,
    pot: Any, going: Any,
) -> Shared:  # fmt: skip
    """The surplus by its shares; the part that is reinvested orders more starts for the next row.

    pot' = pot + share, ordered = min(pot', most), scale' = scale x (1 + ordered / planned starts of the next
    row at the cost of a start). While nothing is reinvested that share goes to agencies. An agency's part is
    by what it has paid out of savings and not had back (alike where nobody has).
    """
    kept = part(surplus, terms.to_reinvest) * going
    ordered = least(pot + kept, row.most_more) * going
    scale = stands.orders.scale * (1.0 + ratio(ordered, row.coming, 0.0))
    orders = Orders(scale, stands.orders.delivery, stands.orders.performance, stands.orders.continuing)

    weight = terms.no_agencies
    everybody = surplus * 0.0
    for a in range(len(weight)):
        weight = put(weight, a, most(0.0, money.savings.paid[a] - state.returned[a]))
        everybody = everybody + weight[a]
    to_agencies = part(surplus, terms.to_agencies + terms.to_reinvest) - kept
    agencies = terms.no_agencies
    returned = state.returned
    for a in range(len(weight)):
        one = to_agencies * ratio(weight[a], everybody, terms.each)
        agencies = put(agencies, a, one)
        returned = put(returned, a, state.returned[a] + one)
    provider = part(surplus, terms.to_provider)
    investor = part(surplus, terms.to_investor)
    out = to_agencies + provider + investor
    return Shared(agencies, returned, provider, investor, out, pot + kept - ordered, ordered, orders)


# --- the row ---------------------------------------------------------------------------------------


def step(terms: Terms, state: State, now: Now) -> tuple[State, Payments, Orders, Pipelines]:
    """One row: receipts, cost, drawing, fees, the balance, whoever stands behind it, the surplus."""
    row = now.plan
    due = falls_due(terms, state, now)
    drawn = least(due.wish, now.granted)
    paid = vehicle.pay_bill(terms.vehicle, due.money.bill, due.money.cash + drawn)
    stands = vehicle.progress(
        terms.vehicle, state.vehicle, row.vehicle, now, now.due.vehicle, now.drawn.vehicle, due.money, paid
    )
    fees = pay_fees(terms, due, paid.cash)
    balance = state.balance + due.interest + fees.rolled + drawn
    accrued = state.accrued + due.interest + fees.rolled
    total_drawn = state.drawn + drawn

    spent = state.spent
    for r in range(len(paid.service)):
        spent = spent + paid.service[r]
    going = goes_on(terms, row, stands, due.money, spent)
    pot = least(state.pot, fees.cash) * going
    held = most(0.0, state.held - now.due.ordered) * where(stands.settled, 0.0, stands.running)
    spare = spare_cash(terms, row.vehicle, due.money, stands, fees.cash, pot + held)
    repaid = repay(terms, state, balance, accrued, spare, fees.cash)
    received = state.received + repaid.interest + repaid.principal
    closed = close(
        terms, state, now, stands, due.money, repaid.guarantees, repaid.balance, total_drawn, received
    )
    shared = share_out(terms, state, row, stands, due.money, repaid.surplus, pot, going)

    call = terms.guarantees.no_layers
    for i in range(len(call)):
        at_once = terms.guarantees.paid_at_once[i] > 0.0
        call = put(call, i, where(at_once, closed.accepted[i], now.due.calls[i]))
    after = State(
        vehicle=vehicle.carry(
            state.vehicle, due.money, paid, stands, repaid.cash - shared.total, due.money.bill.deferred
        ),
        guarantees=closed.guarantees,
        balance=closed.balance,
        accrued=least(accrued - repaid.interest, closed.balance),
        drawn=total_drawn,
        received=closed.received,
        fees=fees.left,
        pot=shared.pot,
        held=held + shared.ordered,
        returned=shared.returned,
        compensation=state.compensation + stands.compensation,
        spent=spent,
        peak=most(state.peak, total_drawn - state.received),
        reinvested=state.reinvested + shared.ordered,
        unpaid=state.unpaid + closed.unpaid,
    )
    payments = Payments(
        receipts=vehicle.receipts(due.money),
        drawdown=drawn,
        service=paid.service,
        arrangement=part(fees.funder, row.close),
        commitment_fee=part(fees.funder, 1.0 - row.close),
        fee=fees.by_layer,
        interest=repaid.interest,
        principal=repaid.principal,
        recovery=repaid.recovery,
        compensation=closed.compensation,
        call=call,
        unpaid_agencies=closed.by_agency,
        unpaid_commissioner=closed.by_commissioner,
        surplus_agencies=shared.agencies,
        surplus_provider=shared.provider,
        surplus_investor=shared.investor,
    )
    entering = Pipelines(vehicle.entering(due.money), closed.accepted, shared.ordered)
    return after, payments, shared.orders, entering


def restate(state: State, off: Restated) -> State:
    """The state after a row whose payments were others than the step's."""
    back = off.repaid + off.earned
    balance = most(0.0, state.balance + off.drawn - back)
    return state._replace(
        vehicle=state.vehicle._replace(cash=state.vehicle.cash + off.cash),
        balance=balance,
        accrued=least(balance, most(0.0, state.accrued - off.earned)),
        drawn=state.drawn + off.drawn,
        received=state.received + back,
        peak=most(state.peak, state.drawn + off.drawn - state.received - back),
    )
