"""One row of guaranteed debt: pure functions of its terms, its state and this row's draws."""

from __future__ import annotations

from typing import Any, NamedTuple

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.instruments import guarantees, vehicle
from socialfinance.instruments.base import Now, Restated
from socialfinance.kernels.elementwise import both, either, least, most, part, put, ratio, where
from socialfinance.programmes.base import Orders

Tuple = tuple[Any, ...]


class Terms(NamedTuple):
    """Lowered terms: floats only; rates a quarter."""

    vehicle: vehicle.Terms
    guarantees: guarantees.Terms
    commitment: float
    as_needed: float
    """1 where draws follow need, 0 where they follow the schedule"""
    rolls_up: float
    """1 where interest before the first instalment is added to the loan"""
    margin_at: Tuple
    """results so far over plan from which a rate holds, rising"""
    rate: Tuple
    """by step of the ratchet"""
    rate_in_arrears: Tuple
    """the same on what is overdue"""
    undrawn: float
    """commitment fee on what may still be drawn"""
    arrangement: float
    """pounds at close"""
    upfront: Tuple
    """by layer: guarantee fee at close, pounds"""
    fee_from_vehicle: Tuple
    """by layer: 1 where the vehicle pays its fee"""
    sweep: float
    """share of spare cash that repays early"""
    missed_quarters: float
    """quarters in a row with anything overdue after which the loan is called in"""
    fee_at: Tuple
    """results so far over plan from which a success fee is earned, rising"""
    success_fee: Tuple
    """by step: share of what was drawn"""
    cap: float
    """most the lender may earn, a quarter: it holds the success fee down"""
    capped: float
    """1 where there is such a cap"""
    peg: float
    """pounds of principal that are guaranteed to come back; nil: no peg"""
    recourse: float
    """most that the party behind the borrower makes good, pounds"""
    to_payers: float
    to_provider: float
    to_investor: float


class State(NamedTuple):
    """Carried from row to row; pounds unless said."""

    vehicle: vehicle.State
    guarantees: guarantees.State
    balance: Any
    """of the loan, not yet due"""
    overdue: Any
    """principal due and unpaid"""
    interest: Any
    """interest and the lender's fees due and unpaid"""
    fees: Tuple
    """by layer: guarantee fees due and unpaid"""
    drawn: Any
    results: Any
    """claims accepted and savings paid so far"""
    hurdle: Any
    """what would give the lender the cap if paid now"""
    success: Any
    """success fee paid so far"""
    late_for: Any
    """quarters in a row with anything overdue"""
    called_in: Any
    """1 once the whole loan is due"""
    matured: Any
    """1 once the loss at maturity has been put to guarantors"""
    compensation: Any
    """share of the outstanding loan owed at settlement, fixed by an early end"""
    peak: Any
    """largest loan outstanding"""
    repaid: Any
    """principal repaid by the vehicle"""
    made_good: Any
    """principal made good by compensation, guarantors, the peg and recourse"""
    interest_made_good: Any
    recovered: Any
    """what guarantors had back"""
    written_off: Any
    """principal that nobody made good"""
    ever_late: Any


class Row(NamedTuple):
    """What the schedule says about this row."""

    vehicle: vehicle.Row
    guarantees: guarantees.Row
    available: float
    """1 while the loan may be drawn"""
    scheduled: float
    """pounds drawn by schedule"""
    due: float
    """share of the loan not yet due that falls due"""
    grace: float
    """1 before the first instalment"""
    planned_before: float
    """results of the plan up to the row before"""
    planned_results: float
    """of the plan so far"""
    close: float
    """1 at financial close"""
    matured: float
    """1 from the row of the last instalment on"""


class Drawn(NamedTuple):
    """Random numbers of a row."""

    vehicle: vehicle.Drawn
    guarantees: guarantees.Drawn


class Pipelines(NamedTuple):
    """Delay lines."""

    vehicle: vehicle.Pipelines
    calls: Tuple
    """by layer: accepted claims on their way to payment"""


class Payments(NamedTuple):
    """One amount, or one a payer, recipient or layer, for each leg."""

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
    peg: Any
    call: Tuple
    recourse: Any
    deferred: Any
    success: Any
    surplus_payers: Tuple
    surplus_provider: Any
    surplus_investor: Any


class Due(NamedTuple):
    """What falls due before anything is drawn, pounds."""

    money: vehicle.Due
    interest: Any
    """accrued in this row, rolled up or not"""
    rolled: Any
    """of it, added to the loan"""
    fees: Tuple
    """by layer: guarantee fees, arrears included"""
    lender_fee: Any
    """arrangement fee at close, commitment fee after"""
    wish: Any


class Fees(NamedTuple):
    """Fees paid in a row."""

    by_layer: Tuple
    left: Tuple
    """by layer: what the vehicle still owes"""
    lender: Any
    lender_left: Any
    cash: Any


class Service(NamedTuple):
    """Debt service of a row."""

    interest: Any
    principal: Any
    recovery: Tuple
    recovered: Any
    guarantees: guarantees.State
    balance: Any
    overdue: Any
    interest_left: Any
    cash: Any
    missed: Any
    """rise of what is overdue in this row, of principal at most what fell due"""
    missed_interest: Any


class Layers(NamedTuple):
    """How guarantors stand after the losses that were put to them."""

    stack: guarantees.State
    accepted: Tuple
    """by layer, in this row"""
    overdue: Any
    """principal that is left"""
    interest: Any
    """interest that is left"""
    principal: Any
    """of what was accepted, principal"""


class Made(NamedTuple):
    """Losses made good in a row."""

    guarantees: guarantees.State
    accepted: Tuple
    """by layer: to be paid after the claim lag"""
    peg: Any
    compensation: Tuple
    recourse: Any
    overdue: Any
    interest: Any
    principal: Any
    """principal made good, by whomever"""
    interest_paid: Any
    """interest made good by layers"""


class Left(NamedTuple):
    """What is distributed once the loan is behind, pounds."""

    deferred: Any
    success: Any
    over: Any


# --- before anything is drawn ----------------------------------------------------------------------


def step_reached(at: Tuple, values: Tuple, reached: Any) -> Any:
    """The value of the highest step that is reached; of the first where none is."""
    found = reached * 0.0 + values[0]
    for m in range(len(at)):
        found = where(reached >= at[m] - 1e-12, values[m], found)
    return found


def results_on_plan(results: Any, planned: float) -> Any:
    """Results so far over the plan's; 1 while the plan has none."""
    return results * 0.0 + 1.0 if planned <= HALF_A_PENNY else results / planned


def falls_due(terms: Terms, state: State, now: Now) -> Due:
    """Receipts, the bill, interest and fees, and what has to be drawn.

    interest = balance x rate + (overdue + unpaid interest) x rate in arrears, on balances after the row
    before, at the rate of the highest step of the ratchet that results up to it reach; wish = bill +
    planned bill ahead + interest and fees that the vehicle owes - cash, within what is left of the
    commitment, while the loan may be drawn; or the scheduled amount.
    """
    row = now.plan
    money = vehicle.receive(
        terms.vehicle, state.vehicle, row.vehicle, now, now.due.vehicle, now.drawn.vehicle
    )
    reached = results_on_plan(state.results, row.planned_before)
    rate = step_reached(terms.margin_at, terms.rate, reached)
    in_arrears = step_reached(terms.margin_at, terms.rate_in_arrears, reached)
    interest = state.balance * rate + (state.overdue + state.interest) * in_arrears
    rolled = where(state.called_in > 0.0, 0.0, part(interest, row.grace * terms.rolls_up))
    running = guarantees.fees(
        terms.guarantees, state.guarantees, row.guarantees, state.balance + state.overdue, state.drawn
    )
    fees = terms.guarantees.no_layers
    owed = interest * 0.0
    for i in range(len(running)):
        one = state.fees[i] + running[i] + part(terms.upfront[i], row.close)
        fees = put(fees, i, one)
        owed = owed + part(one, terms.fee_from_vehicle[i])
    open_ = where(both(state.vehicle.exits.since < 0.0, state.called_in <= 0.0), row.available, 0.0)
    left = most(0.0, part(terms.commitment, now.size) - state.drawn)
    lender_fee = part(left, open_ * terms.undrawn * (1.0 - row.close)) + part(terms.arrangement, row.close)
    need = money.need + owed + lender_fee + state.interest + interest - rolled
    wanted = where(terms.as_needed > 0.0, need, row.scheduled + need * 0.0)
    wish = least(wanted, left) * open_
    return Due(money, interest, rolled, fees, lender_fee, where(wish > HALF_A_PENNY, wish, 0.0))


def ask(terms: Terms, state: State, now: Now) -> Any:
    """What the vehicle would draw this row, pounds."""
    return falls_due(terms, state, now).wish


# --- fees and debt service ---------------------------------------------------------------------------


def pay_fees(terms: Terms, due: Due, cash: Any) -> Fees:
    """Guarantors first, each the same fraction of what the vehicle owes it; then the lender's fee.

    A fee that somebody else pays is paid in full.
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
    lender = least(cash, due.lender_fee)
    return Fees(by_layer, left, lender, due.lender_fee - lender, cash - lender)


def serve(
    terms: Terms, state: State, row: Row, due: Due, stands: vehicle.Progress, fees: Fees, drawn: Any
) -> Service:
    """Interest, then principal that is due, then early repayment out of spare cash.

    Due now: the row's share of the loan not yet due; all of it once the loan is called in, from maturity on,
    and when the accounts are settled. What the borrower pays after a call is shared with guarantors.
    """
    cash = fees.cash
    interest_due = state.interest + due.interest - due.rolled + fees.lender_left
    interest = least(cash, interest_due)
    cash = cash - interest
    loan = state.balance + due.rolled + drawn
    whole = either(either(state.called_in > 0.0, row.matured > 0.0), stands.settled)
    falls = where(whole, loan, loan * row.due)
    loan = loan - falls
    overdue = state.overdue + falls
    stack, principal, recovery = guarantees.recover(terms.guarantees, state.guarantees, cash, overdue)
    recovered = cash * 0.0
    for i in range(len(recovery)):
        recovered = recovered + recovery[i]
    cash = most(0.0, cash - principal - recovered)
    overdue = most(0.0, overdue - principal)
    early = least(loan, part(vehicle.spare(row.vehicle, due.money, stands, cash), terms.sweep))
    left = interest_due - interest
    return Service(
        interest, principal + early, recovery, recovered, stack, loan - early, overdue, left, cash - early,
        most(0.0, least(falls, overdue - state.overdue)), most(0.0, left - state.interest),
    )  # fmt: skip


# --- who stands behind the loan ----------------------------------------------------------------------


def make_good(
    terms: Terms, state: State, now: Now, stands: vehicle.Progress, owed: Service, overdue: Any,
    called_in: Any, compensation: Any, drawn: Any,
) -> Made:  # fmt: skip
    """Put what was not paid to whoever stands behind it.

    Order: payers' compensation after an early end, when accounts are settled; the peg, once the loan has
    matured or accounts are settled; layers for a missed payment, as long as the loan was not called in before
    this row; layers for acceleration, in the row in which it is; layers for maturity, once; recourse, when
    accounts are settled. A claim that is accepted is the guarantor's from now on.
    """
    row = now.plan
    promised = where(stands.closing, compensation, 0.0) * overdue
    by_payer = terms.vehicle.no_payers
    compensated = overdue * 0.0
    for i in range(len(by_payer)):
        one = part(promised, terms.vehicle.claims.split[i])
        by_payer = put(by_payer, i, one)
        compensated = compensated + one
    overdue = most(0.0, overdue - compensated)
    final = either(row.matured > 0.0, stands.settled)
    so_far = state.repaid + owed.principal + state.made_good + compensated
    peg = where(final, most(0.0, least(terms.peg - so_far, overdue)), 0.0)
    overdue = overdue - peg

    running = where(state.called_in > 0.0, 0.0, 1.0)
    calling = where(called_in > 0.0, running, 0.0)
    maturing = where(both(final, state.matured <= 0.0), 1.0, 0.0)
    layers = Layers(owed.guarantees, terms.guarantees.no_layers, overdue, owed.interest_left, overdue * 0.0)
    layers = put_to_layers(
        terms, now, 0, row.guarantees, layers, least(owed.missed, overdue) * running,
        owed.missed_interest * running, drawn,
    )  # fmt: skip
    same_year = guarantees.Row(row.guarantees.limit, 0.0)
    layers = put_to_layers(
        terms, now, 1, same_year, layers, layers.overdue * calling, layers.interest * calling, drawn
    )
    layers = put_to_layers(
        terms, now, 2, same_year, layers, layers.overdue * maturing, layers.interest * maturing, drawn
    )

    stack = guarantees.owe_back(layers.stack, layers.accepted)
    recourse = where(stands.closing, least(layers.overdue, terms.recourse), 0.0)
    principal = compensated + peg + layers.principal + recourse
    interest = owed.interest_left - layers.interest
    return Made(
        stack, layers.accepted, peg, by_payer, recourse, layers.overdue - recourse, layers.interest,
        principal, interest,
    )  # fmt: skip


def put_to_layers(
    terms: Terms, now: Now, when: int, row: guarantees.Row, before: Layers, principal: Any, interest: Any,
    drawn: Any,
) -> Layers:  # fmt: skip
    """Put a new loss to the layers for it: 0 a missed payment, 1 acceleration, 2 maturity."""
    nil = principal * 0.0
    lost = guarantees.Loss(principal, interest, nil, nil, nil, nil)
    if when == 1:
        lost = guarantees.Loss(nil, nil, principal, interest, nil, nil)
    elif when == 2:
        lost = guarantees.Loss(nil, nil, nil, nil, principal, interest)
    stack, called = guarantees.call(terms.guarantees, before.stack, row, lost, drawn, now.drawn.guarantees)
    accepted = before.accepted
    for i in range(len(accepted)):
        accepted = put(accepted, i, accepted[i] + called.by_layer[i])
    return Layers(
        stack,
        accepted,
        most(0.0, before.overdue - called.principal),
        most(0.0, before.interest - (called.total - called.principal)),
        before.principal + called.principal,
    )


def distribute(
    terms: Terms, state: State, now: Now, due: Due, stands: vehicle.Progress, cash: Any, owed: Any,
    hurdle: Any, results: Any, drawn: Any,
) -> Left:  # fmt: skip
    """Once the loan has matured or accounts are settled, and nothing is owed on it.

    Order: the provider's deferred fee; the success fee (share of drawn at the highest step that results
    reach, less what was paid of it, within the cap on what the lender earns); what is left is split.
    """
    final = either(now.plan.matured > 0.0, stands.settled)
    clear = both(final, owed <= HALF_A_PENNY)
    spare = where(clear, vehicle.spare(now.plan.vehicle, due.money, stands, cash), 0.0)
    deferred = least(spare, state.vehicle.deferred + due.money.bill.deferred)
    spare = spare - deferred
    reached = results_on_plan(results, now.plan.planned_results)
    earned = step_reached(terms.fee_at, terms.success_fee, reached) * drawn
    room = where(terms.capped > 0.0, most(0.0, hurdle), spare)
    success = least(least(spare, most(0.0, earned - state.success)), room)
    return Left(deferred, success, spare - success)


# --- the row -----------------------------------------------------------------------------------------


def step(terms: Terms, state: State, now: Now) -> tuple[State, Payments, Orders, Pipelines]:
    """One row: receipts, cost, drawing, fees, debt service, whoever stands behind, what is left."""
    row = now.plan
    due = falls_due(terms, state, now)
    drawn = least(due.wish, now.granted)
    paid = vehicle.pay_bill(terms.vehicle, due.money.bill, due.money.cash + drawn)
    stands = vehicle.progress(
        terms.vehicle, state.vehicle, row.vehicle, now, now.due.vehicle, now.drawn.vehicle, due.money, paid
    )
    fees = pay_fees(terms, due, paid.cash)
    owed = serve(terms, state, row, due, stands, fees, drawn)
    late = owed.overdue + owed.interest_left > HALF_A_PENNY
    late_for = where(late, state.late_for + 1.0, 0.0)
    final = either(row.matured > 0.0, stands.settled)
    default = both(late, either(late_for >= terms.missed_quarters, final))
    called_in = where(default, 1.0, state.called_in)
    balance = where(called_in > 0.0, 0.0, owed.balance)
    overdue = owed.overdue + (owed.balance - balance)
    compensation = state.compensation + stands.compensation
    total_drawn = state.drawn + drawn
    made = make_good(terms, state, now, stands, owed, overdue, called_in, compensation, total_drawn)

    call = terms.guarantees.no_layers
    called = drawn * 0.0
    still_owed = balance + made.overdue + made.interest
    for i in range(len(call)):
        one = where(terms.guarantees.paid_at_once[i] > 0.0, made.accepted[i], now.due.calls[i])
        call = put(call, i, one)
        called = called + one
        still_owed = still_owed + made.guarantees.owed_back[i]
    compensated = drawn * 0.0
    for i in range(len(made.compensation)):
        compensated = compensated + made.compensation[i]
    received = fees.lender + owed.interest + owed.principal + called + compensated + made.peg + made.recourse
    hurdle = state.hurdle * (1.0 + terms.cap) + drawn - received
    saved = drawn * 0.0
    for a in range(len(due.money.saved.paid)):
        saved = saved + due.money.saved.paid[a]
    results = state.results + due.money.claimed.total + saved
    left = distribute(terms, state, now, due, stands, owed.cash, still_owed, hurdle, results, total_drawn)
    cash = owed.cash - left.deferred - left.success - left.over
    lost = part(balance + made.overdue, row.vehicle.last)
    after = State(
        vehicle=vehicle.carry(state.vehicle, due.money, paid, stands, cash, left.deferred),
        guarantees=made.guarantees,
        balance=balance - part(balance, row.vehicle.last),
        overdue=made.overdue - part(made.overdue, row.vehicle.last),
        interest=made.interest,
        fees=fees.left,
        drawn=total_drawn,
        results=results,
        hurdle=hurdle - left.success,
        success=state.success + left.success,
        late_for=late_for,
        called_in=called_in,
        matured=where(final, 1.0, state.matured),
        compensation=compensation,
        peak=most(state.peak, state.balance + state.overdue + drawn + due.rolled),
        repaid=state.repaid + owed.principal,
        made_good=state.made_good + made.principal,
        interest_made_good=state.interest_made_good + made.interest_paid,
        recovered=state.recovered + owed.recovered,
        written_off=state.written_off + lost,
        ever_late=where(late, 1.0, state.ever_late),
    )
    to_payers = part(left.over, terms.to_payers)
    payments = Payments(
        receipts=vehicle.receipts(due.money),
        drawdown=drawn,
        service=paid.service,
        arrangement=part(fees.lender, row.close),
        commitment_fee=part(fees.lender, 1.0 - row.close),
        fee=fees.by_layer,
        interest=owed.interest,
        principal=owed.principal,
        recovery=owed.recovery,
        compensation=made.compensation,
        peg=made.peg,
        call=call,
        recourse=made.recourse,
        deferred=left.deferred,
        success=left.success,
        surplus_payers=vehicle.surplus_of_payers(terms.vehicle, due.money.claims.accepted, to_payers),
        surplus_provider=part(left.over, terms.to_provider),
        surplus_investor=part(left.over, terms.to_investor),
    )
    return after, payments, stands.orders, Pipelines(vehicle.entering(due.money), made.accepted)


def restate(state: State, off: Restated) -> State:
    """The state after a row whose payments were others than the step's."""
    balance = most(0.0, state.balance + off.drawn - off.repaid)
    return state._replace(
        vehicle=state.vehicle._replace(cash=state.vehicle.cash + off.cash),
        balance=balance,
        interest=most(0.0, state.interest - off.earned),
        drawn=state.drawn + off.drawn,
        hurdle=most(0.0, state.hurdle + off.drawn - off.repaid - off.earned),
        peak=most(state.peak, balance),
        repaid=state.repaid + off.repaid,
    )
