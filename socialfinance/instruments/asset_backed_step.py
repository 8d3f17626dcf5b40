"""One row of an asset-backed deal: pure functions of its terms, its state and this row's draws."""

from __future__ import annotations

from typing import Any, NamedTuple

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.instruments import guarantees
from socialfinance.instruments.base import Now
from socialfinance.kernels.elementwise import both, either, least, most, negate, part, put, ratio, where
from socialfinance.kernels.reviews import rise
from socialfinance.programmes.base import Orders

Tuple = tuple[Any, ...]
BILL = 6
"""Positions of the bill before the guarantors' fees: provider, intermediary, ground rent, land, and the
lender's arrangement and commitment fees."""


class Terms(NamedTuple):
    """Lowered terms: floats only; rates a quarter, pounds unless said."""

    guarantees: guarantees.Terms
    recipient: Tuple
    """by cost line: position in the bill"""
    used: Tuple
    """by cost line: 1 if the vehicle bears it"""
    running: Tuple
    """by cost line: 1 where it is a running cost, which rent bears before interest"""
    commitment: float
    rate: float
    undrawn: float
    arrangement: float
    upfront: Tuple
    """by layer: guarantee fee at close"""
    fee_from_vehicle: Tuple
    """by layer: 1 where the vehicle pays its fee"""
    sweep: float
    """share of sale receipts and grant that repays the loan"""
    reserve_quarters: float
    land: float
    """what the council puts in against claims, or gives"""
    ground_rent: float
    """a quarter, at close"""
    above: float
    smallest: float
    largest: float
    """at a review of the ground rent: on top of the index, least and most"""
    cash: Tuple
    """by capital: what it puts in"""
    in_kind: Tuple
    """by capital: land that counts as put in"""
    earns: Tuple
    """by capital: return on what is outstanding"""
    from_row: Tuple
    """by capital"""
    standby: Tuple
    """by capital: 1 where it is drawn after the loan"""
    surplus: Tuple
    """by capital: share of what is left"""
    after_loan: float
    """1 where nothing is distributed before the loan is repaid"""
    most_loan: float
    """over value"""
    locks_loan: float
    least_cover: float
    """income over interest"""
    locks_cover: float
    cure_limit: float
    cure_times: float
    waiver: float
    """rows for which a breach is tolerated"""
    missed_rows: float
    arrears_rows: float
    delay: float
    """rows from calling the loan in to the sale"""
    discount: float
    sale_cost: float
    overage: float
    overage_above: float
    overage_on_sales: float
    """1 on sale receipts, 0 on the value of land when consent is given"""
    overage_on_exit: float
    """1 where the sale of all that is held counts as a receipt"""
    no_bill: Tuple
    no_capital: Tuple


class State(NamedTuple):
    """Carried from row to row; pounds unless said."""

    guarantees: guarantees.State
    cash: Any
    owed: Tuple
    """the bill as far as it is unpaid, by position"""
    balance: Any
    """of the loan, not yet due"""
    overdue: Any
    interest: Any
    """due and unpaid"""
    drawn: Any
    put_in: Tuple
    """by capital: cash"""
    capital: Tuple
    """by capital: outstanding, land included"""
    returns: Tuple
    """by capital: return earned and unpaid"""
    received: Tuple
    """by capital: cash"""
    overage: Any
    """owed"""
    sales: Any
    """receipts so far that count for overage"""
    rent_level: Any
    index_then: Any
    """index at the last review of the ground rent"""
    income: Any
    """rent less running cost of the last four rows"""
    charged: Any
    """interest of the last four rows"""
    breach_for: Any
    """rows since a covenant was breached and not cured, 0 where none is"""
    cured: Any
    """put in by whoever cures"""
    cures: Any
    """times it did"""
    locked: Any
    """1 while distributions are locked up"""
    late_for: Any
    arrears_for: Any
    since: Any
    """rows since the loan was called in, -1 where it is not"""
    cause: Any
    gone: Any
    """1 once all has been sold"""
    worst_arrears: Any
    peak: Any
    peak_loan: Any
    """largest loan over value at a test"""
    made_good: Any
    """of the loan, by guarantors"""
    recovered: Any
    """what guarantors had back"""
    written_off: Any
    """of the loan and its interest"""
    ever_late: Any
    ever_breached: Any
    ever_locked: Any
    ever_called: Any
    value: Any
    """of what is held"""


class Row(NamedTuple):
    """What the schedule says about this row."""

    row: float
    guarantees: guarantees.Row
    available: float
    """1 while money may be drawn"""
    due: float
    """share of the loan not yet due that falls due"""
    next_due: float
    matured: float
    """1 from the row of the last instalment on"""
    land: float
    """pounds for land"""
    close: float
    exit: float
    """1 in the row in which all is sold"""
    loan_test: float
    cover_test: float
    review: float
    last: float


class Drawn(NamedTuple):
    """Random numbers of a row."""

    guarantees: guarantees.Drawn


class Pipelines(NamedTuple):
    """Delay lines."""

    calls: Tuple
    """by layer: accepted claims on their way to payment"""
    income: Any
    """leaves the window of four rows"""
    charged: Any


class Payments(NamedTuple):
    """One amount, or one a layer or capital, for each leg."""

    land_in_kind: Any
    sales: Any
    rents: Any
    grant: Any
    property_sale: Any
    sale_cost: Any
    capital_in: Tuple
    drawdown: Any
    bill: Tuple
    fees: Tuple
    interest: Any
    recovery: Tuple
    cure: Any
    principal: Any
    call: Tuple
    overage: Any
    returns: Tuple
    capital: Tuple
    surplus: Tuple
    property_passed: Tuple


class Sale(NamedTuple):
    """Whether all is sold in this row, and for what."""

    since: Any
    cause: Any
    sells: Any
    """true where it is"""
    price: Any
    cost: Any


class Due(NamedTuple):
    """What comes in and falls due before the loan is drawn, pounds."""

    sale: Sale
    sales: Any
    rents: Any
    income: Any
    """rent less running cost"""
    cash: Any
    owed: Tuple
    """the bill by position"""
    fees: Tuple
    """by layer: guarantee fee of this row, whoever pays it"""
    charged: Any
    """interest that accrued in this row"""
    interest: Any
    """interest due, arrears included"""
    capital_in: Tuple
    open: Any
    """true while money may be drawn"""
    need: Any
    """what is still short after capital that is drawn before the loan"""
    wish: Any


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
    """principal that fell due in this row and was not paid"""
    missed_interest: Any


class Tested(NamedTuple):
    """Covenants after a row."""

    balance: Any
    overdue: Any
    cash: Any
    cure: Any
    prepaid: Any
    """principal repaid to cure"""
    breach_for: Any
    cured: Any
    cures: Any
    locked: Any
    breached: Any
    """1 where a covenant was breached in this row, cured or not"""
    over: Any
    """loan over value, 0 where it is not tested"""


class Paid(NamedTuple):
    """What is distributed in a row, pounds."""

    overage: Any
    returns: Tuple
    capital: Tuple
    surplus: Tuple
    cash: Any
    capital_left: Tuple
    returns_left: Tuple


# --- what comes in and falls due -----------------------------------------------------------------------


def total(amounts: Tuple) -> Any:
    """The sum of a few amounts, in order."""
    found = amounts[0]
    for i in range(1, len(amounts)):
        found = found + amounts[i]
    return found


def sold_in(terms: Terms, state: State, now: Now) -> Sale:
    """Everything that is held is sold: on enforcement, after a refusal, or at the agreed exit.

    On enforcement ``delay`` rows after the loan was called in, at value less the discount; otherwise at
    value. A loan that was called in and has been paid in full, bills too, is called in no longer.
    """
    owed = state.balance + state.overdue + state.interest + total(state.owed)
    held = state.gone <= 0.0
    freed = both(held, both(state.since >= 0.0, owed <= HALF_A_PENNY))
    since = where(state.since >= 0.0, where(freed, -1.0, state.since + 1.0), -1.0)
    forced = both(held, since >= terms.delay)
    refused = both(held, now.activity.refused > 0.0)
    leaves = both(both(held, now.plan.exit > 0.0), since < 0.0)
    sells = either(either(forced, refused), leaves)
    price = where(sells, now.activity.value * (1.0 - where(forced, terms.discount, 0.0)), 0.0)
    cause = where(refused, 4.0, where(freed, 0.0, state.cause))
    return Sale(since, cause, sells, price, price * terms.sale_cost)


def bill(terms: Terms, state: State, now: Now, open_: Any, fees: Tuple) -> Tuple:
    """Arrears and what falls due in this row, by position.

    Ground rent is that agreed before this row's review; it and land payments end once all has been sold. The
    commitment fee runs from the row after the first drawing.
    """
    row, held = now.plan, 1.0 - state.gone
    owed = state.owed
    for j in range(len(terms.used)):
        to = int(terms.recipient[j])
        owed = put(owed, to, owed[to] + part(now.activity.costs[j], terms.used[j]))
    owed = put(owed, 2, owed[2] + part(state.rent_level * held, terms.ground_rent * (1.0 - row.close)))
    owed = put(owed, 3, owed[3] + row.land * held)
    undrawn = where(both(open_, state.drawn > 0.0), most(0.0, terms.commitment - state.drawn), 0.0)
    owed = put(owed, 5, owed[5] + part(undrawn, terms.undrawn))
    for i in range(len(fees)):
        owed = put(owed, BILL + i, owed[BILL + i] + part(fees[i], terms.fee_from_vehicle[i]))
    return owed


def draw_capital(terms: Terms, state: State, need: Any, open_: Any, standby: float) -> tuple[Tuple, Any]:
    """By capital: what is drawn, who is paid last first; and what is still needed."""
    drawn = terms.no_capital
    for i in range(len(terms.cash)):
        k = len(terms.cash) - 1 - i
        if terms.standby[k] == standby:
            left = most(0.0, terms.cash[k] - state.put_in[k])
            one = where(both(open_, need > HALF_A_PENNY), least(need, left), 0.0)
            drawn = put(drawn, k, one)
            need = need - one
    return drawn, need


def falls_due(terms: Terms, state: State, now: Now) -> Due:
    """Receipts, the bill, interest, capital drawn before the loan, and what the loan has to bring.

    interest = (balance + overdue + unpaid interest) x rate, on balances after the row before; need = bill +
    interest - cash; wish = what capital does not bring, with the first drawing the arrangement fee on top,
    within what is left of the commitment, while money may be drawn: no loan called in, nothing sold.
    """
    row, done = now.plan, now.activity
    sale = sold_in(terms, state, now)
    sales, rents = total(done.receipts), total(done.rents)
    running = sales * 0.0
    for j in range(len(terms.used)):
        running = running + part(done.costs[j], terms.used[j] * terms.running[j])
    cash = state.cash + sales + rents + done.grant
    free = both(both(sale.since < 0.0, state.gone <= 0.0), negate(sale.sells))
    open_ = both(free, row.available > 0.0)
    running_fees = guarantees.fees(
        terms.guarantees, state.guarantees, row.guarantees, state.balance + state.overdue, state.drawn
    )
    fees = terms.guarantees.no_layers
    for i in range(len(fees)):
        fees = put(fees, i, running_fees[i] + part(terms.upfront[i], row.close))
    owed = bill(terms, state, now, open_, fees)
    charged = (state.balance + state.overdue + state.interest) * terms.rate
    interest = state.interest + charged
    need = most(0.0, total(owed) + interest - cash)
    capital_in, need = draw_capital(terms, state, need, open_, 0.0)
    first = both(both(open_, state.drawn <= 0.0), need > HALF_A_PENNY)
    fee = where(first, terms.arrangement, 0.0)
    owed = put(owed, 4, owed[4] + fee)
    need = need + fee
    wish = where(open_, least(need, most(0.0, terms.commitment - state.drawn)), 0.0)
    return Due(
        sale, sales, rents, rents - running, cash, owed, fees, charged, interest, capital_in, open_, need,
        where(wish > HALF_A_PENNY, wish, 0.0),
    )  # fmt: skip


def ask(terms: Terms, state: State, now: Now) -> Any:
    """What the vehicle would draw of the loan this row, pounds."""
    return falls_due(terms, state, now).wish


def settle(owed: Tuple, cash: Any) -> tuple[Tuple, Tuple, Any]:
    """Everybody the same fraction, as far as cash goes: paid, left, and cash after."""
    whole = total(owed)
    met = ratio(least(cash, whole), whole, 1.0)
    paid = owed
    left = owed
    for i in range(len(owed)):
        one = owed[i] * met
        paid = put(paid, i, one)
        left = put(left, i, owed[i] - one)
    return paid, left, most(0.0, cash - whole * met)


# --- the loan ------------------------------------------------------------------------------------------


def serve(terms: Terms, state: State, now: Now, due: Due, drawn: Any, cash: Any) -> Service:
    """Interest, then principal that is due, shared with guarantors who are owed back; then the sweep.

    Due: the row's share of the loan not yet due; all of it once the loan is called in, from maturity on, and
    when all is sold. Sweep: the agreed share of this row's sale receipts and grant, as far as there is cash.
    """
    row = now.plan
    interest = least(cash, due.interest)
    cash = cash - interest
    loan = state.balance + drawn
    whole = either(either(due.sale.since >= 0.0, row.matured > 0.0), due.sale.sells)
    falls = where(whole, loan, loan * row.due)
    loan = loan - falls
    overdue = state.overdue + falls
    stack, principal, recovery = guarantees.recover(terms.guarantees, state.guarantees, cash, overdue)
    recovered = total(recovery)
    cash = most(0.0, cash - principal - recovered)
    overdue = most(0.0, overdue - principal)
    early = least(least(loan, cash), part(due.sales + now.activity.grant, terms.sweep))
    left = due.interest - interest
    return Service(
        interest, principal + early, recovery, recovered, stack, loan - early, overdue, left, cash - early,
        most(0.0, least(falls, overdue - state.overdue)), most(0.0, left - state.interest),
    )  # fmt: skip


def hold_covenants(
    terms: Terms, state: State, now: Now, due: Due, owed: Service, income: Any, charged: Any
) -> Tested:
    """Loan to value and interest cover, their cure, and the lock-up of distributions.

    To cure: loan - most x value, or loan x (1 - income / (least x interest)), the larger, paid off the loan:
    from the vehicle's own cash, then by whoever cures, if that is within its limit and times; or not at all.
    """
    row = now.plan
    out = owed.balance + owed.overdue
    runs = both(both(due.sale.since < 0.0, state.gone <= 0.0), negate(due.sale.sells))
    tested = where(both(runs, out > HALF_A_PENNY), 1.0, 0.0)
    short = out * 0.0
    locked = state.locked * tested
    over = out * 0.0
    if row.loan_test > 0.0 or row.cover_test > 0.0:
        locked = out * 0.0
    if row.loan_test > 0.0:
        value = now.activity.value
        short = most(0.0, out - terms.most_loan * value)
        locked = where(out > terms.locks_loan * value + HALF_A_PENNY, tested, locked)
        over = ratio(out, value, 0.0) * tested
    if row.cover_test > 0.0:
        # what is left of four rows together after each was added and taken off again is no interest
        uncovered = most(0.0, 1.0 - ratio(income, terms.least_cover * charged, 1e9))
        uncovered = where(charged > HALF_A_PENNY, uncovered, 0.0)
        short = most(short, least(out, out * uncovered))
        locked = where(income < terms.locks_cover * charged - HALF_A_PENNY, tested, locked)
    short = short * tested
    breach = short > HALF_A_PENNY
    own = least(owed.cash, short)
    others = short - own
    room = both(others <= terms.cure_limit - state.cured, state.cures < terms.cure_times)
    cures = both(breach, either(others <= HALF_A_PENNY, room))
    prepaid = where(cures, short, 0.0)
    cure = where(both(cures, others > HALF_A_PENNY), others, 0.0)
    overdue = most(0.0, owed.overdue - prepaid)
    balance = most(0.0, owed.balance - most(0.0, prepaid - owed.overdue))
    going_on = where(state.breach_for > 0.0, (state.breach_for + 1.0) * tested, 0.0)
    breach_for = going_on
    if row.loan_test > 0.0 or row.cover_test > 0.0:
        breach_for = where(both(breach, negate(cures)), state.breach_for + 1.0, 0.0)
    return Tested(
        balance, overdue, most(0.0, owed.cash - (prepaid - cure)), cure, prepaid, breach_for,
        state.cured + cure, state.cures + where(cure > 0.0, 1.0, 0.0), locked, where(breach, 1.0, 0.0), over,
    )  # fmt: skip


# --- what is distributed -------------------------------------------------------------------------------


def distribute(
    terms: Terms, now: Now, cash: Any, spare: Any, overage: Any, capital: Tuple, returns: Tuple, free: Any
) -> Paid:
    """Spare cash in order: overage; by capital its return, then what it put in; what is left by shares.

    ``free``: true where capital is paid before its first quarter, as all has been sold or the deal ends.
    """
    over = least(spare, overage)
    left = spare - over
    paid_return = terms.no_capital
    paid_back = terms.no_capital
    still = overage - over
    for k in range(len(terms.cash)):
        open_ = either(free, now.plan.row >= terms.from_row[k])
        one = where(open_, least(left, returns[k]), 0.0)
        paid_return = put(paid_return, k, one)
        left = left - one
        back = where(open_, least(left, capital[k]), 0.0)
        paid_back = put(paid_back, k, back)
        left = left - back
        returns = put(returns, k, returns[k] - one)
        capital = put(capital, k, capital[k] - back)
        still = still + returns[k] + capital[k]
    shared = where(still <= HALF_A_PENNY, left, 0.0)
    surplus = terms.no_capital
    for k in range(len(terms.surplus)):
        surplus = put(surplus, k, part(shared, terms.surplus[k]))
    return Paid(
        over, paid_return, paid_back, surplus, most(0.0, cash - spare + (left - shared)), capital, returns
    )


def overage_due(terms: Terms, state: State, now: Now, receipts: Any) -> Any:
    """What overage adds in this row: share of receipts above the threshold, or of land value at consent."""
    before = most(0.0, state.sales - terms.overage_above)
    after = most(0.0, state.sales + receipts - terms.overage_above)
    on_sales = part(after - before, terms.overage * terms.overage_on_sales)
    uplift = most(0.0, now.activity.land - terms.overage_above) * now.activity.granted
    return on_sales + part(uplift, terms.overage * (1.0 - terms.overage_on_sales))


# --- the row -------------------------------------------------------------------------------------------


def step(terms: Terms, state: State, now: Now) -> tuple[State, Payments, Orders, Pipelines]:
    """One row: receipts, cost, drawing, sale, debt service, covenants, guarantee, distribution, orders."""
    row, done = now.plan, now.activity
    due = falls_due(terms, state, now)
    sale = due.sale
    drawn = least(due.wish, now.granted)
    standby, _ = draw_capital(terms, state, due.need - drawn, due.open, 1.0)
    capital_in = terms.no_capital
    for k in range(len(capital_in)):
        capital_in = put(capital_in, k, due.capital_in[k] + standby[k])
    paid, left, cash = settle(due.owed, due.cash + total(capital_in) + drawn)
    owed = serve(terms, state, now, due, drawn, cash + (sale.price - sale.cost))
    income = state.income + due.income - now.due.income
    charged = state.charged + due.charged - now.due.charged
    tested = hold_covenants(terms, state, now, due, owed, income, charged)
    more, left, cash = settle(left, tested.cash)
    unpaid = total(left)

    late = owed.overdue + owed.interest_left > HALF_A_PENNY
    late_for = where(late, state.late_for + 1.0, 0.0)
    arrears_for = where(unpaid > HALF_A_PENNY, state.arrears_for + 1.0, 0.0)
    runs = both(both(sale.since < 0.0, state.gone <= 0.0), negate(sale.sells))
    cause = where(tested.breach_for > terms.waiver, 1.0, 0.0)
    cause = where(late_for >= terms.missed_rows, 2.0, cause)
    cause = where(arrears_for >= terms.arrears_rows, 3.0, cause)
    called_in = both(runs, cause > 0.0)
    since = where(called_in, 0.0, sale.since)
    gone = where(sale.sells, 1.0, state.gone)

    nil = unpaid * 0.0
    lost = where(sale.sells, tested.balance + tested.overdue, 0.0)
    lost_interest = where(sale.sells, owed.interest_left, 0.0)
    loss = guarantees.Loss(
        where(runs, least(owed.missed, tested.overdue), 0.0), where(runs, owed.missed_interest, 0.0),
        lost, lost_interest, nil, nil,
    )  # fmt: skip
    total_drawn = state.drawn + drawn
    stack, called = guarantees.call(
        terms.guarantees, owed.guarantees, row.guarantees, loss, total_drawn, now.drawn.guarantees
    )
    stack = guarantees.owe_back(stack, called.by_layer)
    interest_left = most(0.0, owed.interest_left - (called.total - called.principal))
    overdue = most(0.0, tested.overdue - called.principal)
    balance = most(0.0, tested.balance - most(0.0, called.principal - tested.overdue))
    written_off = where(sale.sells, balance + overdue + interest_left, 0.0)
    balance = where(sale.sells, 0.0, balance)
    overdue = where(sale.sells, 0.0, overdue)
    interest_left = where(sale.sells, 0.0, interest_left)

    capital = terms.no_capital
    returns = terms.no_capital
    for k in range(len(capital)):
        earned = part(state.capital[k] + state.returns[k], terms.earns[k])
        returns = put(returns, k, state.returns[k] + earned)
        new = capital_in[k] + part(terms.in_kind[k], row.close)
        capital = put(capital, k, state.capital[k] + new)
    receipts = due.sales + part(sale.price, terms.overage_on_exit)
    overage = state.overage + overage_due(terms, state, now, receipts)
    sold = gone > 0.0
    reserve = part(balance * (terms.rate + row.next_due), terms.reserve_quarters)
    clear = both(both(negate(late), unpaid <= HALF_A_PENNY), total(stack.owed_back) <= HALF_A_PENNY)
    clear = both(clear, both(tested.breach_for <= 0.0, both(tested.locked <= 0.0, since < 0.0)))
    clear = both(clear, either(balance + overdue <= HALF_A_PENNY, terms.after_loan <= 0.0))
    allowed = either(both(clear, done.finished > 0.0), sold)
    ends = row.last > 0.0
    spare = where(ends, cash, where(allowed, most(0.0, cash - reserve), 0.0))
    out = distribute(terms, now, cash, spare, overage, capital, returns, either(sold, ends))

    call = terms.guarantees.no_layers
    fees = terms.guarantees.no_layers
    for i in range(len(call)):
        at_once = terms.guarantees.paid_at_once[i] > 0.0
        call = put(call, i, where(at_once, called.by_layer[i], now.due.calls[i]))
        by_vehicle = paid[BILL + i] + more[BILL + i]
        fees = put(fees, i, where(terms.fee_from_vehicle[i] > 0.0, by_vehicle, due.fees[i]))
    received = state.received
    passed = terms.no_capital
    put_in = state.put_in
    for k in range(len(capital)):
        mine = out.returns[k] + out.capital[k] + out.surplus[k]
        received = put(received, k, received[k] + mine)
        put_in = put(put_in, k, put_in[k] + capital_in[k])
        passed = put(passed, k, part(done.value * (1.0 - gone), terms.surplus[k] * row.last))
    rent_level, index_then = state.rent_level, state.index_then
    if row.close > 0.0:
        index_then = now.level
    if row.review > 0.0:
        raised = rise(now.level, index_then, terms.above, terms.smallest, terms.largest)
        rent_level, index_then = rent_level * raised, now.level

    after = State(
        guarantees=stack,
        cash=out.cash,
        owed=left,
        balance=balance,
        overdue=overdue,
        interest=interest_left,
        drawn=total_drawn,
        put_in=put_in,
        capital=out.capital_left,
        returns=out.returns_left,
        received=received,
        overage=overage - out.overage,
        sales=state.sales + receipts,
        rent_level=rent_level,
        index_then=index_then,
        income=income,
        charged=charged,
        breach_for=tested.breach_for,
        cured=tested.cured,
        cures=tested.cures,
        locked=tested.locked,
        late_for=late_for,
        arrears_for=arrears_for,
        since=since,
        cause=where(called_in, cause, sale.cause),
        gone=gone,
        worst_arrears=most(state.worst_arrears, unpaid),
        peak=most(state.peak, state.balance + state.overdue + drawn),
        peak_loan=most(state.peak_loan, tested.over),
        made_good=state.made_good + called.total,
        recovered=state.recovered + owed.recovered,
        written_off=state.written_off + written_off,
        ever_late=where(late, 1.0, state.ever_late),
        ever_breached=most(state.ever_breached, tested.breached),
        ever_locked=most(state.ever_locked, tested.locked),
        ever_called=where(called_in, 1.0, state.ever_called),
        value=done.value * (1.0 - gone),
    )
    bills = (
        paid[0] + more[0], paid[1] + more[1], paid[2] + more[2], paid[3] + more[3], paid[4] + more[4],
        paid[5] + more[5],
    )  # fmt: skip
    payments = Payments(
        land_in_kind=nil + terms.land * row.close,
        sales=due.sales,
        rents=due.rents,
        grant=done.grant,
        property_sale=sale.price,
        sale_cost=sale.cost,
        capital_in=capital_in,
        drawdown=drawn,
        bill=bills,
        fees=fees,
        interest=owed.interest,
        recovery=owed.recovery,
        cure=tested.cure,
        principal=owed.principal + tested.prepaid,
        call=call,
        overage=out.overage,
        returns=out.returns,
        capital=out.capital,
        surplus=out.surplus,
        property_passed=passed,
    )
    return after, payments, orders(since, gone, unpaid), Pipelines(called.by_layer, due.income, due.charged)


def orders(since: Any, gone: Any, unpaid: Any) -> Orders:
    """No works while bills are unpaid, the loan is called in or all is sold; no new sale or letting then.

    Unpaid bills do not stop sales and lettings. What was sold brings and costs nothing more.
    """
    runs = both(since < 0.0, gone <= 0.0)
    builds = both(runs, unpaid <= HALF_A_PENNY)
    return Orders(where(runs, 1.0, 0.0), where(builds, 1.0, 0.0), where(gone > 0.0, 0.0, 1.0))
