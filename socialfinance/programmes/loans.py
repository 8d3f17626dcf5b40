"""What happens to loans in one quarter: a pure function of this quarter's draws.

The same source runs on floats (worked examples, explain), on NumPy blocks and compiled. Loans of a segment
that were made in the same quarter are alike, so they are counted, and their balance is a scheduled figure. A
*place* is one age of one segment: loans that have 0, 1, … quarters behind them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from socialfinance.kernels.elementwise import most, part, put, where, whole
from socialfinance.kernels.luck import count
from socialfinance.programmes.base import Orders

Tuple = tuple[Any, ...]
A_HAIR = 1e-9
"""Loans: 2.9999999999 is the rounding of a computer, and counts as 3."""


class Terms(NamedTuple):
    """Lowered terms; one entry a place, a segment or a cost line. Floats only."""

    segment: Tuple
    """by place: position of its segment"""
    first: Tuple
    """by segment: its place of age nil"""
    matures: Tuple
    """by place: 1 in the last quarter of the loan's life"""
    balance: Tuple
    """by place: what one loan owes at the start of the quarter, pounds"""
    interest: Tuple
    """by place: what one loan pays, pounds"""
    principal: Tuple
    """by place"""
    size: Tuple
    """by segment: pounds"""
    repays_early: Tuple
    """by segment: 1 where loans may be repaid early"""
    recovered_at_once: Tuple
    """by segment: 1 where the recovery comes in the quarter of the default"""
    per_loan_made: Tuple
    """by cost line: pounds"""
    per_loan: Tuple
    """by cost line: pounds a quarter"""
    of_balance: Tuple
    """by cost line: a quarter"""
    no_places: Tuple
    no_segments: Tuple
    no_costs: Tuple


class State(NamedTuple):
    """Carried from quarter to quarter."""

    loans: Tuple
    """by place: loans outstanding"""
    approved: Tuple
    """by segment: loans that may be made in the next quarter"""
    carried: Tuple
    """by segment: the part of a loan that is still short of a whole one"""


class Pipelines(NamedTuple):
    """Delay lines: what enters now leaves ``lag`` quarters later. The lags stand in the same shape."""

    defaulted: Tuple
    """by segment: principal in default until what can be recovered is, pounds"""


class Now(NamedTuple):
    """This quarter only: scheduled figures are floats, draws are floats or ``(path,)``."""

    there: Tuple
    """by place: 1 where loans of this age may be outstanding"""
    hazard: Tuple
    """by place: chance that a loan defaults in this quarter, the economy known"""
    early: Tuple
    """by segment: chance that a loan is repaid early in this quarter"""
    lost: Tuple
    """by segment: loss given default"""
    planned: Tuple
    """by segment: loans planned for the next quarter"""
    volume: Tuple
    """by segment: approved over planned"""
    fixed: Tuple
    """by cost line: pounds scheduled this quarter at the price base"""
    overrun: Tuple
    """by cost line"""
    level: Tuple
    """by cost line: price level over its base"""
    luck: Tuple
    """by place, of default"""
    luck_early: Tuple
    """by place, of early repayment"""
    due: Pipelines
    """what leaves the delay lines"""


class Activity(NamedTuple):
    """What happened this quarter; pounds unless said."""

    made: Tuple
    """by segment: loans made"""
    defaults: Tuple
    """by segment: loans that defaulted"""
    repaid_early: Tuple
    """by segment: loans repaid early"""
    loans: Any
    """loans outstanding at the end of the quarter"""
    outstanding: Any
    """principal outstanding at the end of the quarter, loans in default left out"""
    lent: Any
    interest: Any
    principal: Any
    """repaid as it fell due"""
    early: Any
    """repaid early"""
    defaulted: Tuple
    """by segment: principal of loans that defaulted"""
    recovered: Tuple
    """by segment: recovered on loans that defaulted earlier"""
    lost: Tuple
    """by segment: principal that is known by now never to come back"""
    approved: Any
    """would be lent in the next quarter if all that is approved were"""
    approved_cost: Any
    """what it would cost to make those loans"""
    made_cost: Any
    """of the cost of the quarter, what was for making loans"""
    costs: Tuple
    """by cost line"""
    cashable: Tuple
    """a loan book saves nobody anything"""
    not_cashable: Tuple


def lend(terms: Terms, state: State, now: Now, orders: Orders) -> tuple[State, Activity, Pipelines]:
    """One quarter of the book: ``(state, activity, what enters the delay lines)``.

    Loans made = floor(approved x scale). Of the loans of an age: defaults are those whose luck is below the
    hazard; they pay nothing more. The others pay interest and the principal that falls due; of them, those
    whose luck is below the chance of it pay the rest early. Principal in default comes back after the
    segment's lag, less the loss given default.
    """
    loans = terms.no_places
    defaults = terms.no_segments
    repaid_early = terms.no_segments
    defaulted = terms.no_segments
    interest = now.early[0] * 0.0
    principal = interest
    early = interest
    there = interest
    owed = interest
    for k in range(len(terms.balance)):
        if now.there[k] > 0.0:
            s = int(terms.segment[k])
            alive = state.loans[k]
            bad = count(alive, now.hazard[k], now.luck[k])
            good = alive - bad
            gone = good * 0.0
            if terms.repays_early[s] > 0.0:
                gone = count(good, now.early[s], now.luck_early[k])
            there = there + alive
            owed = owed + alive * terms.balance[k]
            interest = interest + good * terms.interest[k]
            principal = principal + good * terms.principal[k]
            early = early + gone * (terms.balance[k] - terms.principal[k])
            defaults = put(defaults, s, defaults[s] + bad)
            defaulted = put(defaulted, s, defaulted[s] + bad * terms.balance[k])
            if terms.matures[k] <= 0.0:
                repaid_early = put(repaid_early, s, repaid_early[s] + gone)
                loans = put(loans, k + 1, good - gone)

    made = terms.no_segments
    approved = terms.no_segments
    carried = terms.no_segments
    recovered = terms.no_segments
    lost = terms.no_segments
    lent = interest * 0.0
    number = interest * 0.0
    may_lend = interest * 0.0
    may_make = interest * 0.0
    for s in range(len(terms.size)):
        one = whole(state.approved[s] * orders.scale - 0.5 + A_HAIR)
        made = put(made, s, one)
        loans = put(loans, int(terms.first[s]), one)
        lent = lent + one * terms.size[s]
        number = number + one
        wanted = state.carried[s] + now.planned[s] * most(0.0, now.volume[s])
        ready = whole(wanted - 0.5 + A_HAIR)
        approved = put(approved, s, ready)
        carried = put(carried, s, most(0.0, wanted - ready))
        may_lend = may_lend + ready * terms.size[s]
        may_make = may_make + ready
        due = where(terms.recovered_at_once[s] > 0.0, defaulted[s], now.due.defaulted[s])
        gone = due * now.lost[s]
        lost = put(lost, s, gone)
        recovered = put(recovered, s, due - gone)

    outstanding = interest * 0.0
    left = interest * 0.0
    for k in range(len(terms.balance)):
        outstanding = outstanding + loans[k] * terms.balance[k]
        left = left + loans[k]
    costs = terms.no_costs
    approved_cost = interest * 0.0
    made_cost = interest * 0.0
    for j in range(len(terms.per_loan)):
        at = most(0.0, now.overrun[j]) * now.level[j]
        making = part(number, terms.per_loan_made[j])
        spent = (
            part(orders.delivery, now.fixed[j])
            + making
            + part(there, terms.per_loan[j])
            + part(owed, terms.of_balance[j])
        )
        costs = put(costs, j, part(spent, at))
        made_cost = made_cost + part(making, at)
        approved_cost = approved_cost + part(part(may_make, terms.per_loan_made[j]), at)
    activity = Activity(
        made, defaults, repaid_early, left, outstanding, lent, interest, principal, early, defaulted,
        recovered, lost, may_lend, approved_cost, made_cost, costs, (0.0,), (0.0,),
    )  # fmt: skip
    return State(loans, approved, carried), activity, Pipelines(defaulted)
