"""One row of a community loan pool: pure functions of its terms, its state and this row's draws."""

from __future__ import annotations

from typing import Any, NamedTuple

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.instruments import guarantees
from socialfinance.instruments.base import Now
from socialfinance.kernels.elementwise import both, either, least, most, part, put, ratio, where
from socialfinance.programmes.base import Orders
from socialfinance.programmes.loans import Activity

Tuple = tuple[Any, ...]


class Terms(NamedTuple):
    """Lowered terms: floats only; rates a quarter."""

    guarantees: guarantees.Terms
    commitment: float
    """of investors, pounds"""
    grant: float
    """pounds of grant for each pound that investors put in"""
    rate: float
    all_income: float
    """1 where investors have the income of the row instead of a rate"""
    at_default: float
    """1 where a claim is made when a loan defaults, 0 once its loss is known"""
    most_lending: float
    """times what is approved that repayments may be lent to"""
    most_lent: float
    """pounds that may be lent in all"""
    stop_at: float
    """principal in default so far over lent so far from which lending ends"""
    upfront: Tuple
    """by layer: guarantee fee at close, pounds"""
    fee_from_vehicle: Tuple
    """by layer: 1 where the pool pays its fee"""
    recipient: Tuple
    """by cost line: position among those who are paid"""
    no_recipients: Tuple
    recovered_at_once: Tuple
    """by segment: 1 where the recovery comes in the quarter of the default"""
    no_cover: Tuple
    """by segment, by layer"""


class State(NamedTuple):
    """Carried from row to row; pounds unless said."""

    guarantees: guarantees.State
    cash: Any
    arrears: Tuple
    """owed for cost, by who is paid"""
    fees: Tuple
    """by layer: guarantee fees due and unpaid"""
    drawn: Any
    """paid in by investors so far"""
    capital_back: Any
    owed: Any
    """interest due to investors and unpaid"""
    outstanding: Any
    """principal of loans at the end of the row"""
    lent: Any
    defaulted: Any
    """principal in default so far"""
    recovered: Any
    lost: Any
    made: Any
    """loans so far"""
    defaults: Any
    """loans in default so far"""
    stopped: Any
    """1 once losses have ended lending"""
    worst_arrears: Any


class Row(NamedTuple):
    """What the schedule says about this row."""

    guarantees: guarantees.Row
    lent_again: float
    """1 up to the last row in which cash may be lent, in which loans are not made out of drawings alone"""
    returning: float
    """1 from the row on whose repayments go back to investors"""
    reserve: float
    """planned bill of the next reserve_quarters, without the cost of making loans, pounds"""
    not_lent: float
    """the same, of one quarter at least: what is kept back when the next loans are made"""
    available: float
    """1 while the commitment may be drawn: up to the last quarter in which loans are planned"""
    reserving: float
    """1 from the last row in which the commitment may be drawn on"""
    over: float
    """1 once no loan is left, and no cost is planned any more"""
    close: float
    """1 at financial close"""


class Pipelines(NamedTuple):
    """Delay lines."""

    calls: Tuple
    """by layer: accepted claims on their way to payment"""
    covered: Tuple
    """by segment, by layer: accepted of principal in default, until the recovery"""


class Payments(NamedTuple):
    """One amount, or one a recipient or layer, for each leg."""

    interest: Any
    principal: Any
    recovered: Any
    call: Tuple
    drawdown: Any
    grant: Any
    recovery: Tuple
    lent: Any
    fee: Tuple
    service: Tuple
    investor_return: Any
    capital: Any
    surplus: Any


class Claims(NamedTuple):
    """Losses of a row put to the layers, and what came back shared with them."""

    guarantees: guarantees.State
    accepted: Tuple
    """by layer: to be paid after the claim lag"""
    covered: Tuple
    """by segment, by layer: of it, for principal in default"""
    call: Tuple
    """by layer: paid in this row"""
    recovery: Tuple
    """by layer: its share of what was recovered"""
    cash: Any
    """calls paid less recoveries shared"""


class Due(NamedTuple):
    """Money of the row before anything is drawn, pounds."""

    claims: Claims
    cash: Any
    by_recipient: Tuple
    """cost, arrears included"""
    bill: Any
    fees: Tuple
    """by layer: guarantee fees, arrears included"""
    owed_fees: Any
    """of them, what the pool owes"""
    interest: Any
    """owed to investors"""
    wish: Any
    """what investors are asked to put in"""


class Paid(NamedTuple):
    """Fees and cost paid as far as cash goes."""

    fee: Tuple
    fees_left: Tuple
    service: Tuple
    arrears: Tuple
    unpaid: Any
    cash: Any


# --- losses ------------------------------------------------------------------------------------------


def put_claims(terms: Terms, state: State, now: Now) -> Claims:
    """This row's losses to the layers, calls that fall due, and recoveries shared.

    The loss is the principal that defaulted in this row, or the principal known in this row never to come
    back. All of a row's claims are put together: where a cap cuts them, each loan's share of cover is cut
    alike. What is recovered on the loans of one segment that defaulted in one row is shared, by the rank of
    each layer, between the layers (what they accepted for them) and the pool (the rest of their principal).
    """
    done = now.activity
    loss = done.lent * 0.0
    for s in range(len(done.lost)):
        loss = loss + where(terms.at_default > 0.0, done.defaulted[s], done.lost[s])
    nil = loss * 0.0
    stack, called = guarantees.call(
        terms.guarantees, state.guarantees, now.plan.guarantees,
        guarantees.Loss(nil, nil, loss, nil, nil, nil), state.lent + done.lent, now.drawn,
    )  # fmt: skip
    stack = guarantees.owe_back(stack, called.by_layer)
    covered = terms.no_cover
    recovery = terms.guarantees.no_layers
    if terms.at_default > 0.0:
        for s in range(len(done.lost)):
            share = ratio(done.defaulted[s], loss, 0.0)
            mine = terms.guarantees.no_layers
            for i in range(len(mine)):
                mine = put(mine, i, called.by_layer[i] * share)
            covered = put(covered, s, mine)
            due = terms.guarantees.no_layers
            kept = done.recovered[s] + done.lost[s]
            for i in range(len(due)):
                one = where(terms.recovered_at_once[s] > 0.0, mine[i], now.due.covered[s][i])
                due = put(due, i, one)
                kept = kept - one
            recovery = with_layers(terms, stack, due, done.recovered[s], most(0.0, kept), recovery)
    owed_back = stack.owed_back
    call = terms.guarantees.no_layers
    cash = nil
    for i in range(len(call)):
        one = where(terms.guarantees.paid_at_once[i] > 0.0, called.by_layer[i], now.due.calls[i])
        call = put(call, i, one)
        owed_back = put(owed_back, i, most(0.0, owed_back[i] - recovery[i]))
        cash = cash + one - recovery[i]
    stack = guarantees.State(stack.seen, stack.called, stack.called_this_year, owed_back, stack.failed)
    return Claims(stack, called.by_layer, covered, call, recovery, cash)


def with_layers(
    terms: Terms, stack: guarantees.State, due: Tuple, recovered: Any, kept: Any, recovery: Tuple
) -> Tuple:
    """Recoveries on loans for which layers accepted ``due`` and the pool bears ``kept``, added by layer."""
    owed = guarantees.State(stack.seen, stack.called, stack.called_this_year, due, stack.failed)
    _, _, by_layer = guarantees.recover(terms.guarantees, owed, recovered, kept)
    for i in range(len(by_layer)):
        recovery = put(recovery, i, recovery[i] + by_layer[i])
    return recovery


# --- before anything is drawn --------------------------------------------------------------------------


def falls_due(terms: Terms, state: State, now: Now) -> Due:
    """Receipts, losses, cost, fees, and what has to be drawn.

    Investors are owed their rate on capital outstanding after the row before, or the income of the row, which
    is interest received less cost and fees, never below nil; unpaid interest is owed with interest. As far as
    the row's income goes, it is not lent. wish = investors' part of (lent + cost + fees of the pool + that
    interest - cash), within what is left of the commitment, while it may be drawn and losses have not ended
    lending; grant comes with every pound of it. Once repayments are no longer lent, cash goes towards the
    rest of this only, and loans are drawn for in full.
    """
    done = now.activity
    claims = put_claims(terms, state, now)
    cash = state.cash + done.interest + done.principal + done.early + claims.cash
    for s in range(len(done.recovered)):
        cash = cash + done.recovered[s]
    owed = state.arrears
    for j in range(len(terms.recipient)):
        to = int(terms.recipient[j])
        owed = put(owed, to, owed[to] + done.costs[j])
    bill = cash * 0.0
    for r in range(len(owed)):
        bill = bill + owed[r]
    running = guarantees.fees(
        terms.guarantees, state.guarantees, now.plan.guarantees, state.outstanding, state.lent
    )
    fees = terms.guarantees.no_layers
    owed_fees = cash * 0.0
    for i in range(len(running)):
        one = state.fees[i] + running[i] + part(terms.upfront[i], now.plan.close)
        fees = put(fees, i, one)
        owed_fees = owed_fees + part(one, terms.fee_from_vehicle[i])
    income = most(0.0, done.interest - bill - owed_fees)
    capital = most(0.0, state.drawn - state.capital_back)
    interest = state.owed + (state.owed + capital) * terms.rate + part(income, terms.all_income)
    from_cash = part(done.lent, now.plan.lent_again)
    need = done.lent - from_cash + most(0.0, from_cash + bill + owed_fees + least(income, interest) - cash)
    wish = least(need / (1.0 + terms.grant), most(0.0, terms.commitment - state.drawn))
    wish = part(where(state.stopped > 0.0, 0.0, wish), now.plan.available)
    return Due(claims, cash, owed, bill, fees, owed_fees, interest, worth_paying(wish))


def worth_paying(amount: Any) -> Any:
    """Nil where it is half a penny or less."""
    return where(amount > HALF_A_PENNY, amount, 0.0)


def ask(terms: Terms, state: State, now: Now) -> Any:
    """What the pool would draw from investors this row, pounds. Loans that were approved have to be made."""
    return falls_due(terms, state, now).wish


# --- what is paid ----------------------------------------------------------------------------------------


def pay(terms: Terms, due: Due, cash: Any) -> Paid:
    """Guarantee fees, each the same fraction; then cost, everybody the same fraction; the rest is owed.

    A fee that somebody else pays is paid in full.
    """
    met = ratio(least(cash, due.owed_fees), due.owed_fees, 1.0)
    fee = terms.guarantees.no_layers
    fees_left = terms.guarantees.no_layers
    for i in range(len(due.fees)):
        one = where(terms.fee_from_vehicle[i] > 0.0, due.fees[i] * met, due.fees[i])
        fee = put(fee, i, one)
        fees_left = put(fees_left, i, due.fees[i] - one)
    cash = cash - due.owed_fees * met
    met = ratio(least(cash, due.bill), due.bill, 1.0)
    service = terms.no_recipients
    arrears = terms.no_recipients
    for r in range(len(due.by_recipient)):
        one = due.by_recipient[r] * met
        service = put(service, r, one)
        arrears = put(arrears, r, due.by_recipient[r] - one)
    cost = due.bill * met
    return Paid(fee, fees_left, service, arrears, due.bill - cost, most(0.0, cash - cost))


def next_loans(terms: Terms, row: Row, done: Activity, cash: Any, undrawn: Any, lent: Any) -> Any:
    """Share of the approved loans that may be made in the next quarter.

    Money: what is undrawn with its grant, while repayments are lent again the cash as well, less planned cost
    that is kept back. Above all that is approved, repayments alone are lent; never more is lent in all than
    is agreed.
    """
    needed = done.approved + done.approved_cost
    own = cash * (1.0 - row.returning)
    scale = least(1.0, ratio(most(0.0, own + undrawn - row.not_lent), needed, 1.0))
    if terms.most_lending > 1.0:
        more = ratio(most(0.0, own - row.not_lent), needed, 0.0)
        scale = most(scale, least(terms.most_lending, more))
    return least(scale, ratio(most(0.0, terms.most_lent - lent), done.approved, 1.0))


def step(terms: Terms, state: State, now: Now) -> tuple[State, Payments, Orders, Pipelines]:
    """One row: receipts, losses, loans, drawing, fees, cost, interest, capital, surplus, the next loans."""
    row, done = now.plan, now.activity
    due = falls_due(terms, state, now)
    drawn = least(due.wish, now.granted)
    grant = drawn * terms.grant
    in_hand = due.cash + drawn + grant - done.lent
    paid = pay(terms, due, most(0.0, in_hand))
    short = least(0.0, in_hand)

    lent = state.lent + done.lent
    recovered = done.lent * 0.0
    defaulted = state.defaulted
    lost = state.lost
    made = state.made
    defaults = state.defaults
    for s in range(len(done.lost)):
        recovered = recovered + done.recovered[s]
        defaulted = defaulted + done.defaulted[s]
        lost = lost + done.lost[s]
        made = made + done.made[s]
        defaults = defaults + done.defaults[s]
    tripped = ratio(defaulted, lent, 0.0) >= terms.stop_at - 1e-12
    stopped = where(tripped, 1.0, state.stopped)

    no_more = either(row.reserving > 0.0, stopped > 0.0)
    kept = least(paid.cash, where(no_more, row.reserve, 0.0))
    cash = paid.cash - kept
    investor_return = worth_paying(least(cash, due.interest))
    cash = cash - investor_return
    owed = due.interest - investor_return
    capital_out = most(0.0, state.drawn + drawn - state.capital_back)
    returning = either(row.returning > 0.0, stopped > 0.0)
    spare = where(returning, cash, 0.0)
    capital = worth_paying(least(spare, capital_out))
    clear = both(capital_out - capital <= HALF_A_PENNY, owed <= HALF_A_PENNY)
    surplus = part(where(clear, worth_paying(spare - capital), 0.0), row.over)
    cash = kept + (cash - capital - surplus) + short

    undrawn = most(0.0, terms.commitment - state.drawn - drawn) * (1.0 + terms.grant)
    scale = where(stopped > 0.0, 0.0, next_loans(terms, row, done, cash, undrawn, lent))
    after = State(
        guarantees=due.claims.guarantees,
        cash=cash,
        arrears=paid.arrears,
        fees=paid.fees_left,
        drawn=state.drawn + drawn,
        capital_back=state.capital_back + capital,
        owed=owed,
        outstanding=done.outstanding,
        lent=lent,
        defaulted=defaulted,
        recovered=state.recovered + recovered,
        lost=lost,
        made=made,
        defaults=defaults,
        stopped=stopped,
        worst_arrears=most(state.worst_arrears, paid.unpaid),
    )
    payments = Payments(
        interest=done.interest,
        principal=done.principal + done.early,
        recovered=recovered,
        call=due.claims.call,
        drawdown=drawn,
        grant=grant,
        recovery=due.claims.recovery,
        lent=done.lent,
        fee=paid.fee,
        service=paid.service,
        investor_return=investor_return,
        capital=capital,
        surplus=surplus,
    )
    entering = Pipelines(due.claims.accepted, due.claims.covered)
    return after, payments, Orders(scale, 1.0, 1.0), entering
