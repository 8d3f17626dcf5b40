"""One row of a fund: money called and granted, then what deals paid back run down the waterfall.

Pure functions of lowered terms, state and this row, as the steps of structures are. Tuples are by note, by
deal or by test; amounts are pounds, floats or ``(path,)``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.kernels.carry import european
from socialfinance.kernels.elementwise import both, either, least, most, part, put, ratio, where

Tuple = tuple[Any, ...]
ROUNDING = 1e-6
"""Pounds: a wish is granted in full where no more than the rounding of sums is missing."""
UNLIMITED = 1e15
"""Pounds that no fund reaches: a return without a cap."""


class NoteTerms(NamedTuple):
    """Lowered terms of one note."""

    commitment: float
    rank: int
    repayable: bool
    residual: bool
    rate: float
    """a quarter"""
    annual: float
    """a year, at its base"""
    extra: float
    """a year, where performance is at its best"""
    nothing_at: float
    all_at: float
    cap: float
    """return a quarter of a residual note; below nil: none"""
    deferrable: bool
    compounds: float
    undrawn_fee: float
    """a quarter"""
    kept: float
    """share of the balance that is kept in cash for redemption"""


class TestTerms(NamedTuple):
    """Lowered cover test."""

    interest: bool
    at_least: float
    first_row: int
    window: int


class CarryTerms(NamedTuple):
    """Lowered carried interest."""

    american: bool
    preferred: float
    """a quarter"""
    share: float
    catch_up: float


class Terms(NamedTuple):
    """A fund as floats. Plain numbers and flags are the same on every path."""

    notes: tuple[NoteTerms, ...]
    ranks: tuple[tuple[int, ...], ...]
    """places of notes by rank, first paid first"""
    protected: tuple[bool, ...]
    """by note: whether a trigger protects it"""
    pro_rata: bool
    tests: tuple[TestTerms, ...]
    curable: bool
    cure: float
    notice: int
    last_first: bool
    recycled: float
    """the most that may be put into deals again, pounds"""
    reserve: float
    reserve_quarters: float
    reserve_called: bool
    cash_yield: float
    """a quarter"""
    carry: tuple[CarryTerms, ...]
    """one, or none"""
    deals: int
    no_notes: Tuple


class Row(NamedTuple):
    """What the schedule says about a row."""

    row: int
    costs: float
    """pounds of the budget before its index"""
    needs: float
    """planned drawings of the row, and costs until the last of them"""
    ahead: float
    """the needs of the next ``notice`` rows"""
    recycles: float
    """1 in the investment period"""
    draws_after: float
    """planned drawings after this row"""
    planned_before: float
    """planned receipts to the row before, all deals"""
    back_so_far: tuple[float, ...]
    """planned receipts so far by deal, of a plan that runs late"""
    back_after: tuple[float, ...]
    """planned receipts still to come by deal, of a plan that runs late"""
    reserved: float
    """1 while a reserve is kept: until nearly all that is planned to come back has"""
    costs_after: float
    """planned running costs after this row, over the price level of this row"""
    calls_costs: float
    """1 while notes are called for running costs: until the plan has drawn all it will"""
    redeemed: tuple[float, ...]
    """by note: share of the balance that holders ask back in this row"""
    final: bool


class State(NamedTuple):
    """Carried from row to row."""

    waiting: Any
    """called and not yet spent"""
    retained: Any
    """came back and may be put into deals again"""
    held: Any
    """kept behind the notes until the end"""
    reserve: Any
    under_way: Tuple
    """calls by quarters until they arrive"""
    cost_arrears: Any
    recycled: Any
    drawn: Tuple
    balance: Tuple
    owed: Tuple
    """interest due and not paid"""
    received: Tuple
    hurdle: Tuple
    """what would give a capped residual note its return now"""
    missed: Tuple
    """1 once interest that may not be put off was not paid"""
    off: Tuple
    """by test: quarters in a row in which it passed since it failed; -1: it never failed or is cured"""
    ever: Any
    """1 once a trigger was on"""
    income: Tuple
    """receipts of the last rows, the latest first"""
    interest: Tuple
    """interest that fell due on protected notes, the latest first"""
    deal_drawn: Tuple
    deal_back: Tuple
    managers: Any
    """carried interest paid"""
    gain: Any
    """of residual notes: received less paid in"""
    preferred: Any
    """capital and preferred return not yet had, whole fund"""
    entitled: Any
    """what a European carry would have paid on the same money"""
    whole_gain: Any
    """gain of residual notes before any carry was taken, beside ``entitled``"""
    by_deal: Tuple
    """American: (owed, gain, managers) by deal"""


class Called(NamedTuple):
    """The first half of a row."""

    calls: Tuple
    """by note, pounds that arrive now"""
    costs: Any
    """running costs paid"""
    earned: Any
    """yield on idle cash"""
    granted: Tuple
    """by deal, pounds of the fund's money"""
    met: Any
    """granted over asked; 1 where nothing was asked"""
    accrued: Tuple
    """interest that falls due, by note"""
    level: Any
    """price level of the budget"""


class Paid(NamedTuple):
    """The second half of a row: what leaves the fund, pounds."""

    arrears: Any
    """of running costs"""
    interest: Tuple
    redeemed: Tuple
    principal: Tuple
    """capital back, also of residual notes"""
    more: Tuple
    """to residual notes beyond their capital"""
    carry: Any
    clawback: Any
    """of carry, from the manager to residual notes"""
    clawed_to: Tuple
    """by note"""
    surplus: Any
    locked: Any
    """1 while a trigger is on"""
    value: Any
    """deals at the lower of cost and forecast, after this row"""


def spread(state: Any, paths: int) -> Any:
    """A state with its amounts on every path, so that nothing depends on what is still a plain number."""
    if isinstance(state, tuple):
        made = [spread(one, paths) for one in state]
        return type(state)(*made) if hasattr(state, "_fields") else tuple(made)
    return np.full(paths, float(state))


# --- money in --------------------------------------------------------------------------------------


def total(amounts: Tuple) -> Any:
    """The sum, in order."""
    found = amounts[0] if amounts else 0.0
    for amount in amounts[1:]:
        found = found + amount
    return found


def rates(terms: Terms, state: State, row: Row) -> Tuple:
    """Each note's rate in this quarter; a performance note's rises with receipts over plan."""
    found: Tuple = ()
    for note in terms.notes:
        rate: Any = note.rate
        if note.extra > 0.0:
            came = ratio(total(state.deal_back), row.planned_before, 0.0)
            rise = least(1.0, most(0.0, (came - note.nothing_at) / (note.all_at - note.nothing_at)))
            rate = (1.0 + note.annual + note.extra * rise) ** 0.25 - 1.0
        found = (*found, rate)
    return found


def accrue(terms: Terms, state: State, row: Row, rates: Tuple) -> Tuple:
    """Interest that falls due on each note: on the balance after the last row, on what is owed, on undrawn.

    balance x rate + owed x rate (where it compounds) + undrawn x fee, rate that of a quarter.
    """
    due = terms.no_notes
    if row.row == 0:
        return due
    for i, note in enumerate(terms.notes):
        if not note.repayable:
            continue
        bears = state.balance[i] + part(state.owed[i], note.compounds)
        due = put(due, i, bears * rates[i] + part(note.commitment - state.drawn[i], note.undrawn_fee))
    return due


def call(terms: Terms, state: State, amount: Any) -> Tuple:
    """Split a call among notes: by commitment, or from the last rank upwards, within what is undrawn."""
    undrawn = tuple(note.commitment - state.drawn[i] for i, note in enumerate(terms.notes))
    if not terms.last_first:
        left = total(undrawn)
        asked = least(amount, left)
        return tuple(asked * ratio(one, left, 0.0) for one in undrawn)
    calls, asked = terms.no_notes, amount
    for group in reversed(ranks(terms)):
        left = total(tuple(undrawn[i] for i in group))
        here = least(asked, left)
        for i in group:
            calls = put(calls, i, here * ratio(undrawn[i], left, 0.0))
        asked = asked - here
    return calls


def ranks(terms: Terms) -> tuple[tuple[int, ...], ...]:
    """Places of notes by rank; whole numbers where the step is compiled, to which all numbers are floats."""
    return tuple(tuple(int(i) for i in group) for group in terms.ranks)


def reserve_target(terms: Terms, row: Row, accrued: Tuple, balance: Tuple) -> Any:
    """Pounds to keep: a sum, quarters of interest that may not be put off, and cash for redemptions.

    Nil once the plan expects next to nothing more from the deals.
    """
    target: Any = terms.reserve
    for i, note in enumerate(terms.notes):
        if note.repayable and not note.deferrable:
            target = target + part(accrued[i], terms.reserve_quarters)
        target = target + part(balance[i], note.kept)
    return target * row.reserved


def draw(
    terms: Terms, state: State, row: Row, rates: Tuple, level: Any, fee: Any, wishes: Tuple
) -> tuple[State, Called]:
    """Call money, pay running costs, grant what deals ask for, as far as it goes.

    Without notice the call is what is short: costs + wishes + the reserve where calls fill it, less cash.
    Once the plan has drawn all it will, costs are paid out of what there is: no note is called for them.
    With notice, what arrives was called earlier, and the call now is what the plan needs ahead. Costs come
    first, out of the reserve too; deals get the same fraction of what they ask. Cash is used in this order:
    called money, what is held behind the notes, what may be recycled, calls.
    """
    cash = state.waiting + state.held + state.retained
    earned = part(cash + state.reserve, terms.cash_yield)
    accrued = accrue(terms, state, row, rates)
    costs = row.costs * level + fee + state.cost_arrears
    asked = total(wishes) if wishes else cash * 0.0
    lacking = cash * 0.0
    if terms.reserve_called and row.calls_costs > 0.0 and not row.final:
        lacking = most(0.0, reserve_target(terms, row, accrued, state.balance) - state.reserve)
    need = part(costs, row.calls_costs) + asked + lacking
    has = cash if row.calls_costs > 0.0 else most(0.0, cash - costs)
    now = most(0.0, need - has) if terms.notice == 0 else state.under_way[0]
    calls = call(terms, state, now)
    came = total(calls)
    drawn = tuple(a + b for a, b in zip(state.drawn, calls, strict=True))
    filled = least(lacking, came)
    spent_first = part(came - filled, row.calls_costs)  # of what is called for deals nothing goes to costs
    purses = (state.waiting + spent_first, state.held, state.retained, state.reserve + filled)
    paid = least(costs, total(purses))
    waiting, held, retained, reserve = spend(paid, purses)
    waiting = waiting + (came - filled - spent_first)
    cash = waiting + held + retained
    met = where(asked <= cash + ROUNDING, 1.0, cash / most(asked, HALF_A_PENNY))
    granted = tuple(wish * met for wish in wishes)
    before = retained
    waiting, held, retained = spend(total(granted) if granted else 0.0, (waiting, held, retained))
    under_way = state.under_way
    unmet = (
        part(costs - paid, row.calls_costs)
        + (asked - (total(granted) if granted else 0.0))
        + (lacking - filled)
    )
    if terms.notice > 0:
        under_way = call_ahead(terms, state, row, unmet + row.ahead - (waiting + held + retained))
    balance, hurdle, gain = add_to_notes(terms, state, calls)
    after = state._replace(
        waiting=waiting, held=held, retained=retained, reserve=reserve, under_way=under_way,
        cost_arrears=costs - paid, recycled=state.recycled + (before - retained), drawn=drawn,
        balance=balance, hurdle=hurdle, gain=gain, whole_gain=state.whole_gain + (gain - state.gain),
        deal_drawn=tuple(a + b for a, b in zip(state.deal_drawn, granted, strict=True)),
    )  # fmt: skip
    return after, Called(calls, paid, earned, granted, met, accrued, level)


def spend(amount: Any, purses: Tuple) -> Tuple:
    """Take an amount from purses in order; what each has left."""
    left = amount
    for k in range(len(purses)):
        here = least(left, purses[k])
        purses = put(purses, k, purses[k] - here)
        left = left - here
    return purses


def call_ahead(terms: Terms, state: State, row: Row, short: Any) -> Tuple:
    """Calls under way after this row: what is on its way moves up, and what is short ahead joins it."""
    moved = state.under_way[1:]
    coming = total(moved) if moved else 0.0
    undrawn: Any = 0.0
    for i, note in enumerate(terms.notes):
        undrawn = undrawn + (note.commitment - state.drawn[i])
    undrawn = undrawn - state.under_way[0] - coming
    return (*moved, least(most(0.0, short - coming), most(0.0, undrawn)))


def add_to_notes(terms: Terms, state: State, calls: Tuple) -> tuple[Tuple, Tuple, Any]:
    """Balances, hurdles of capped residual notes, and the residual notes' gain after a call."""
    balance, hurdle, gain = state.balance, state.hurdle, state.gain
    for i, note in enumerate(terms.notes):
        if note.repayable or note.residual:
            balance = put(balance, i, balance[i] + calls[i])
        if note.residual:
            gain = gain - calls[i]
            if note.cap >= 0.0:
                hurdle = put(hurdle, i, hurdle[i] * (1.0 + note.cap) + calls[i])
    return balance, hurdle, gain


# --- money out -------------------------------------------------------------------------------------


def value_of_deals(terms: Terms, state: State, row: Row) -> Any:
    """Deals at the lower of cost and forecast, pounds.

    By deal: the lesser of cost not yet back, max(0, paid in - received), and what a plan that ran ``late``
    quarters behind still expects x min(1, received so far / planned so far), 1 while nothing is planned yet.
    """
    value = total(state.deal_drawn) * 0.0
    for d in range(terms.deals):
        cost = most(0.0, state.deal_drawn[d] - state.deal_back[d])
        came = least(1.0, ratio(state.deal_back[d], row.back_so_far[d], 1.0))
        value = value + least(cost, came * row.back_after[d])
    return value


def tested(terms: Terms, state: State, row: Row, accrued: Tuple, income: Any, cash: Any, value: Any) -> State:
    """The trigger's tests on this row, after what came in and before anything is paid."""
    if not terms.tests:
        return state
    due, owed = income * 0.0, income * 0.0
    for i, note in enumerate(terms.notes):
        if note.repayable and terms.protected[i]:
            due = due + accrued[i]
            owed = owed + state.balance[i] + state.owed[i] + accrued[i]
    received = (income, *state.income[:-1])
    charged = (due, *state.interest[:-1])
    off, ever = state.off, state.ever
    for k, test in enumerate(terms.tests):
        if row.row < test.first_row:
            continue
        if test.interest:
            passes = total(received[: test.window]) >= test.at_least * total(charged[: test.window]) - 1e-6
        else:
            passes = value + cash >= test.at_least * owed - 1e-6
        since = where(off[k] < 0.0, -1.0, off[k] + 1.0)
        cured = where(since >= terms.cure, -1.0, since)
        since = cured if terms.curable else where(since > 0.0, 0.0, since)
        off = put(off, k, where(passes, since, 0.0))
        ever = where(passes, ever, 1.0)
    return state._replace(off=off, ever=ever, income=received, interest=charged)


def is_locked(terms: Terms, state: State, row: Row, accrued: Tuple) -> Any:
    """True while any test is on and protected notes are owed anything, or may yet be drawn."""
    locked, owed = state.ever * 0.0, state.ever * 0.0
    for off in state.off:
        locked = where(off >= 0.0, 1.0, locked)
    for i, note in enumerate(terms.notes):
        if note.repayable and terms.protected[i]:
            owed = owed + state.balance[i] + state.owed[i] + accrued[i]
    return both(locked > 0.0, either(owed > HALF_A_PENNY, owed * 0.0 + row.draws_after > 0.0))


def pay_by_rank(terms: Terms, cash: Any, owed: Tuple, open_to: Tuple) -> tuple[Tuple, Any]:
    """Pay what is owed in order of rank, within a rank in proportion; a note ``open_to`` 0 is passed over."""
    paid = terms.no_notes
    for group in ranks(terms):
        wanted = tuple(owed[i] * open_to[i] for i in group)
        due = total(wanted)
        here = least(cash, due)
        met = where(due <= cash, 1.0, here / most(due, 1e-9))
        for i, one in zip(group, wanted, strict=True):
            paid = put(paid, i, one * met)
        cash = most(0.0, cash - here)
    return paid, cash


def distribute(
    terms: Terms, state: State, row: Row, called: Called, back: Tuple, pool: Tuple
) -> tuple[State, Paid]:
    """Run what came in down the waterfall; ``back`` and ``pool`` are by deal, pounds."""
    received = tuple(a + b for a, b in zip(back, pool, strict=True))
    income = (total(received) if received else 0.0) + called.earned
    deal_back = tuple(a + b for a, b in zip(state.deal_back, received, strict=True))
    state = state._replace(deal_back=deal_back)
    value = value_of_deals(terms, state, row)
    kept = state.waiting + state.held + state.retained + state.reserve
    state = tested(terms, state, row, called.accrued, income, income + kept, value)
    locked = is_locked(terms, state, row, called.accrued)
    shut = where(locked, 1.0, 0.0)
    cash = income
    if row.final:
        cash = cash + kept
        state = state._replace(waiting=kept * 0.0, held=kept * 0.0, retained=kept * 0.0, reserve=kept * 0.0)
    elif row.draws_after <= 0.0:
        cash = cash + state.waiting + state.retained + state.held
        state = state._replace(waiting=kept * 0.0, retained=kept * 0.0, held=kept * 0.0)
    arrears = least(cash, state.cost_arrears)
    cash = cash - arrears
    state = state._replace(cost_arrears=state.cost_arrears - arrears)
    state, interest, cash = pay_interest(terms, state, row, called.accrued, cash, locked, False)
    state, redeemed = redeem(terms, state, row, locked)
    state, cash = fill_reserve(terms, state, row, called.accrued, cash)
    state, put_off, cash = pay_interest(terms, state, row, called.accrued, cash, locked, True)
    interest = tuple(a + b for a, b in zip(interest, put_off, strict=True))
    state, cash = retain(terms, state, row, cash)
    state, principal, cash = repay(terms, state, cash, locked)
    if row.final:  # a lock-up ends once those it protects have had all there is for them
        state, last, cash = pay_owed(terms, state, cash)
        interest = tuple(a + b for a, b in zip(interest, last, strict=True))
        locked = locked & (cash < 0.0)
    state, capital, more, carry, cash = share_out(terms, state, row, cash, locked, called, received)
    state, clawback, clawed_to = claw_back(terms, state, row)
    principal = tuple(a + b for a, b in zip(principal, capital, strict=True))
    received_by = tuple(
        state.received[i] + interest[i] + redeemed[i] + principal[i] + more[i] + clawed_to[i]
        for i in range(len(terms.notes))
    )
    state = state._replace(received=received_by, held=state.held + (0.0 if row.final else cash))
    surplus = cash if row.final else cash * 0.0
    paid = Paid(
        arrears, interest, redeemed, principal, more, carry, clawback, clawed_to, surplus,
        shut, value,
    )  # fmt: skip
    return state, paid


def pay_interest(
    terms: Terms, state: State, row: Row, accrued: Tuple, cash: Any, locked: Any, deferrable: bool
) -> tuple[State, Tuple, Any]:
    """Interest on the notes that may, or may not, put it off; what is not paid is owed.

    A lock-up passes over notes that are not protected. Interest that may not be put off is paid out of the
    reserve where cash falls short; what is missed then is noted.
    """
    due = state.owed
    for i, note in enumerate(terms.notes):
        mine = note.repayable and note.deferrable == deferrable
        due = put(due, i, state.owed[i] + accrued[i] if mine else cash * 0.0)
    open_to = _unless_locked(terms, locked)
    reserve = cash * 0.0 if deferrable else state.reserve
    paid, left = pay_by_rank(terms, cash + reserve, due, open_to)
    # cash before reserve: the reserve keeps what is left of both, up to what it held
    reserve_left, cash_left = least(left, reserve), most(0.0, left - reserve)
    owed, missed = state.owed, state.missed
    for i, note in enumerate(terms.notes):
        if note.repayable and note.deferrable == deferrable:
            unpaid = most(0.0, due[i] - paid[i])
            owed = put(owed, i, where(unpaid > HALF_A_PENNY, unpaid, 0.0))
            if not deferrable:
                missed = put(missed, i, where(unpaid > HALF_A_PENNY, 1.0, missed[i]))
    reserve_after = state.reserve if deferrable else reserve_left
    return state._replace(owed=owed, missed=missed, reserve=reserve_after), paid, cash_left


def pay_owed(terms: Terms, state: State, cash: Any) -> tuple[State, Tuple, Any]:
    """Interest that is still owed, in rank order: of notes that a lock-up passed over in the last row."""
    paid, left = pay_by_rank(terms, cash, state.owed, _open(terms))
    owed = tuple(most(0.0, a - b) for a, b in zip(state.owed, paid, strict=True))
    return state._replace(owed=owed), paid, left


def _open(terms: Terms) -> Tuple:
    return (1.0,) * len(terms.notes)


def _unless_locked(terms: Terms, locked: Any) -> Tuple:
    if not terms.tests:
        return _open(terms)
    unlocked = where(locked, 0.0, 1.0)
    return tuple(1.0 if protected else unlocked for protected in terms.protected)


def redeem(terms: Terms, state: State, row: Row, locked: Any) -> tuple[State, Tuple]:
    """Pay back at par what holders ask for in a window, by rank, out of the reserve, unless locked up."""
    if not any(row.redeemed):
        return state, terms.no_notes
    wanted = tuple(part(one, share) for one, share in zip(state.balance, row.redeemed, strict=True))
    windows_open = where(locked, 0.0, 1.0) if terms.tests else 1.0
    redeemed, reserve = pay_by_rank(terms, state.reserve, wanted, (windows_open,) * len(wanted))
    balance = tuple(most(0.0, one - paid) for one, paid in zip(state.balance, redeemed, strict=True))
    return state._replace(balance=balance, reserve=reserve), redeemed


def fill_reserve(terms: Terms, state: State, row: Row, accrued: Tuple, cash: Any) -> tuple[State, Any]:
    """Fill the reserve to its target, or let go of what is over it."""
    target = cash * 0.0 if row.final else reserve_target(terms, row, accrued, state.balance)
    over = most(0.0, state.reserve - target)
    filled = least(cash, most(0.0, target - state.reserve))
    return state._replace(reserve=state.reserve - over + filled), cash + over - filled


def retain(terms: Terms, state: State, row: Row, cash: Any) -> tuple[State, Any]:
    """Keep what may be put into deals again in the investment period, within the limit and the plan."""
    if row.recycles <= 0.0 or terms.recycled <= 0.0 or row.final:
        return state, cash
    room = least(terms.recycled - state.recycled, row.draws_after) - state.retained
    kept = least(cash, most(0.0, room))
    return state._replace(retained=state.retained + kept), cash - kept


def repay(terms: Terms, state: State, cash: Any, locked: Any) -> tuple[State, Tuple, Any]:
    """Principal of repayable notes: in rank order, or by balance while no trigger is on."""
    owed = tuple(state.balance[i] if note.repayable else cash * 0.0 for i, note in enumerate(terms.notes))
    in_order, left = pay_by_rank(terms, cash, owed, _open(terms))
    paid = in_order
    if terms.pro_rata:
        due = total(owed)
        met = where(due <= cash, 1.0, cash / most(due, 1e-9))
        paid = tuple(where(locked, a, b * met) for a, b in zip(in_order, owed, strict=True))
    balance = tuple(
        most(0.0, state.balance[i] - paid[i]) if note.repayable else state.balance[i]
        for i, note in enumerate(terms.notes)
    )
    # what is left is the same either way: cash less the lesser of cash and all that is owed
    return state._replace(balance=balance), paid, left


def share_out(
    terms: Terms, state: State, row: Row, cash: Any, locked: Any, called: Called, received: Tuple
) -> tuple[State, Tuple, Tuple, Any, Any]:
    """What residual notes have, after the manager's carry: capital first, then more, up to their cap.

    They wait while deals are still to draw where other notes would be called, while interest is owed, and in
    a lock-up; what the budget still needs is kept before them.
    """
    capital, more = terms.no_notes, terms.no_notes
    # interest put off ranks ahead, and what is still to be drawn would be owed again: residual notes wait
    waits = locked
    if row.draws_after > 0.0 and any(note.repayable for note in terms.notes):
        waits = cash >= 0.0
    for owed in state.owed:
        waits = either(waits, owed > HALF_A_PENNY)
    still = most(0.0, row.costs_after * called.level - state.held)  # the fund must still be run
    free = most(0.0, cash - still)
    offered = where(waits, 0.0, free) if any(n.residual for n in terms.notes) else cash * 0.0
    rest = cash - offered
    state, carry = take_carry(terms, state, called, received, offered)
    offered = offered - carry
    balance, hurdle, gain = state.balance, state.hurdle, state.gain
    for group in ranks(terms):
        mine = tuple(i for i in group if terms.notes[i].residual)
        if not mine:
            continue
        parts = in_shares(terms, state, mine, offered, hurdle)
        taken = offered * 0.0
        for i, one in zip(mine, parts, strict=True):
            back_to = least(one, balance[i])
            capital, more = put(capital, i, back_to), put(more, i, one - back_to)
            balance = put(balance, i, balance[i] - back_to)
            hurdle = put(hurdle, i, most(0.0, hurdle[i] - one))
            taken, gain = taken + one, gain + one
        offered = most(0.0, offered - taken)
    state = state._replace(balance=balance, hurdle=hurdle, gain=gain)
    return state, capital, more, carry, rest + offered


def in_shares(terms: Terms, state: State, places: Tuple, offered: Any, hurdle: Tuple) -> Tuple:
    """Split money among residual notes of a rank by what each paid in; what one may not have, others do."""
    invested = total(tuple(state.drawn[i] for i in places))
    parts: Tuple = (offered * 0.0,) * len(places)
    left = offered
    for _ in places:  # each round fills one note, or shares out all
        rooms = tuple(
            (hurdle[i] - parts[k]) if terms.notes[i].cap >= 0.0 else UNLIMITED + parts[k] * 0.0
            for k, i in enumerate(places)
        )
        weights = tuple(
            where(room > ROUNDING, where(invested > 0.0, state.drawn[i], 1.0), 0.0)
            for i, room in zip(places, rooms, strict=True)
        )
        whole, given = total(weights), left * 0.0
        for k, (weight, room) in enumerate(zip(weights, rooms, strict=True)):
            one = most(0.0, least(left * ratio(weight, whole, 0.0), room))
            parts, given = put(parts, k, parts[k] + one), given + one
        left = most(0.0, left - given)
    return parts


def take_carry(terms: Terms, state: State, called: Called, received: Tuple, cash: Any) -> tuple[State, Any]:
    """The manager's part of a distribution to residual notes."""
    if not terms.carry:
        return state, cash * 0.0
    agreed = terms.carry[0]
    called_from = cash * 0.0
    for i, note in enumerate(terms.notes):
        called_from = called_from + part(called.calls[i], float(note.residual))
    owed = state.preferred * (1.0 + agreed.preferred) + called_from
    tiers = european(cash, owed, state.whole_gain, state.entitled, agreed.share, agreed.catch_up)
    after = state._replace(
        preferred=owed - tiers.preferred,
        entitled=state.entitled + tiers.manager,
        whole_gain=state.whole_gain + cash - tiers.manager,
    )
    if not agreed.american:
        return after._replace(managers=after.managers + tiers.manager), tiers.manager
    deals, due = after.by_deal, cash * 0.0
    for d in range(terms.deals):
        owed, gain, managers = deals[d]
        owed = owed * (1.0 + agreed.preferred) + called.granted[d]
        gain = gain - called.granted[d]
        split = european(received[d], owed, gain, managers, agreed.share, agreed.catch_up)
        one = (owed - split.preferred, gain + received[d] - split.manager, managers + split.manager)
        deals, due = put(deals, d, one), due + one[2]
    carry = least(cash, most(0.0, due - after.managers))
    return after._replace(by_deal=deals, managers=after.managers + carry), carry


def claw_back(terms: Terms, state: State, row: Row) -> tuple[State, Any, Tuple]:
    """At the end the manager pays back what is more than a carry on the whole fund, to residual notes."""
    nothing = state.managers * 0.0
    if not terms.carry or not terms.carry[0].american or not row.final:
        return state, nothing, terms.no_notes
    amount = most(0.0, state.managers - state.entitled)
    places = tuple(i for i, note in enumerate(terms.notes) if note.residual)
    invested = total(tuple(state.drawn[i] for i in places))
    to = terms.no_notes
    for i in places:
        to = put(to, i, amount * ratio(state.drawn[i], invested, 1.0 / len(places)))
    return state._replace(managers=state.managers - amount), amount, to
