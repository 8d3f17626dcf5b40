"""What happens to people in one quarter: a pure function of this quarter's draws.

The same source runs on floats (worked examples, explain), on NumPy blocks and compiled. Everything it is
handed is a float or an array over paths in a named tuple; nothing is written in place.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from socialfinance.kernels.elementwise import both, least, most, part, put, ratio, where
from socialfinance.kernels.luck import count
from socialfinance.programmes.base import Orders

Tuple = tuple[Any, ...]
NOBODY = 1e-9
"""People: fewer than this are the rounding of a computer."""
UNKNOWN = -1.0
"""Stands for what no return has said: nothing that is counted or spent is below nil."""


class Terms(NamedTuple):
    """Lowered terms of a programme; one entry a node, cost line, saving or cohort. Floats only."""

    parent: Tuple
    """by node: position of the node it follows, -1 for people engaged"""
    on_success: Tuple
    """by node: 1 if fed by those who achieved the parent, 0 by those who did not"""
    at_once: Tuple
    """by node: 1 if it falls in the quarter of its parent"""
    verified_at_once: Tuple
    """by node: 1 if verified in the quarter it falls"""
    line: Tuple
    """by node: position of its outcome line"""
    first: Tuple
    """by node: 1 if its line follows no other"""
    elasticity: Tuple
    """by cost line"""
    responds_at_once: Tuple
    """by cost line"""
    per_user: Tuple
    """by cost line: pounds a start"""
    saving_line: Tuple
    """by saving: position of the outcome line, -1 for the evaluated effect"""
    saves_at_once: Tuple
    """by saving"""
    keep: Tuple
    """by saving: (1 - drop-off a year) to the quarter"""
    faded: Tuple
    """by saving: keep to the power of its duration"""
    cashable: Tuple
    """by saving"""
    baseline: float
    """events a person without the programme"""
    no_nodes: Tuple
    no_costs: Tuple
    no_savings: Tuple
    no_cohorts: Tuple


class State(NamedTuple):
    """Carried from quarter to quarter."""

    stock: Tuple
    """by saving: people (or events) now bringing it, after drop-off"""
    people: Tuple
    """by cohort: people who started in it"""


class Pipelines(NamedTuple):
    """Delay lines: what enters now leaves ``lag`` quarters later. The lags stand in the same shape."""

    eligible: Tuple
    """by node: people on their way to it"""
    verified: Tuple
    """by node: outcomes on their way to verification"""
    volume: Tuple
    """by cost line: starts over planned starts, less one"""
    saving: Tuple
    """by saving: people before it starts"""
    expiring: Tuple
    """by saving: people until it ends"""


class Known(NamedTuple):
    """What returns say of a quarter that is over, alike on every path; ``UNKNOWN`` where silent."""

    referred: float
    """people referred and let in"""
    starts: float
    joining: Tuple
    """by node: people who set out for it and will not be told of sooner than their lag"""
    eligible: Tuple
    """by node: people whose time had come"""
    achieved: Tuple
    """by node"""
    costs: Tuple
    """by cost line: pounds before VAT"""
    cashable: Tuple
    """by saving: pounds"""


class Now(NamedTuple):
    """This quarter only: scheduled figures are floats, draws are floats or ``(path,)``."""

    referrals: Any
    """people referred"""
    planned: Any
    """people planned to start"""
    engagement: Any
    left: Tuple
    """by node: what delivery failure and common shock leave of its probability"""
    probability: Tuple
    """by node"""
    deadweight: Tuple
    """by node"""
    fixed: Tuple
    """by cost line: pounds scheduled this quarter at the price base"""
    overrun: Tuple
    """by cost line"""
    level: Tuple
    """by cost line: price level over its base"""
    unit_value: Tuple
    """by saving: pounds a person a quarter at today's prices"""
    true_effect: Any
    measured: Tuple
    """by cohort: 1 in the quarter in which it is reported"""
    reported_effect: Tuple
    """by cohort: true effect plus evaluation error"""
    window: Tuple
    """by cohort: 1 while people starting belong to it"""
    luck: Tuple
    """engagement first, then by node"""
    due: Pipelines
    """what leaves the delay lines"""
    known: Known
    """what returns say, where the quarter is over"""


class Activity(NamedTuple):
    """What happened this quarter."""

    offered: Any
    """people referred, before any order"""
    referred: Any
    """of them, those the structure lets in"""
    starts: Any
    eligible: Tuple
    """by node: people at the line before"""
    achieved: Tuple
    """by node: true outcomes"""
    verified: Tuple
    """by node: outcomes verified this quarter, which can be claimed"""
    costs: Tuple
    """by cost line: pounds before VAT"""
    cashable: Tuple
    """by saving: pounds; below nil a programme that does harm costs the agency more"""
    not_cashable: Tuple
    """by saving: pounds of capacity"""
    reported: Tuple
    """by cohort: reported effect, in the quarter of the report, else 0"""
    measured: Tuple
    """by cohort: 1 in the quarter of the report"""
    people: Tuple
    """by cohort: people who started in it so far"""


def told(known: Any, modelled: Any) -> Any:
    """What a return says, on every path; what the model says where it is silent."""
    if known > UNKNOWN:
        return known + modelled * 0.0
    return modelled


def deliver(terms: Terms, state: State, now: Now, orders: Orders) -> tuple[State, Activity, Pipelines]:
    """One quarter of the programme: ``(state, activity, what enters the delay lines)``.

    starts = people referred x scale who engage; at each node achieved = those eligible whose luck is below
    probability x what bad times leave x ordered; cost = (fixed x (1 + elasticity x (volume - 1))
    + per user x starts) x overrun x index; saving = stock x unit value,
    stock' = stock x keep + new - expired x faded. What is known is taken as it is.
    """
    offered = told(now.known.referred, now.referrals)
    referred = told(now.known.referred, now.referrals * orders.scale)
    starts = told(now.known.starts, count(referred, now.engagement, now.luck[0]))

    joining = terms.no_nodes
    eligible = terms.no_nodes
    achieved = terms.no_nodes
    verified = terms.no_nodes
    for k in range(len(terms.parent)):
        parent = int(terms.parent[k])
        if parent < 0:
            coming = starts
        else:
            coming = where(terms.on_success[k] > 0, achieved[parent], eligible[parent] - achieved[parent])
        joining = put(joining, k, told(now.known.joining[k], coming))
        there = told(now.known.eligible[k], where(terms.at_once[k] > 0, coming, now.due.eligible[k]))
        eligible = put(eligible, k, there)
        chance = part(now.probability[k], now.left[k])
        chance = part(chance, orders.performance if terms.first[k] > 0 else orders.continuing)
        done = told(now.known.achieved[k], count(there, least(1.0, chance), now.luck[k + 1]))
        achieved = put(achieved, k, done)
        verified = put(verified, k, where(terms.verified_at_once[k] > 0, done, now.due.verified[k]))

    off_plan = ratio(starts, now.planned, 1.0) - 1.0
    costs = terms.no_costs
    responses = terms.no_costs
    for j in range(len(terms.per_user)):
        responses = put(responses, j, off_plan)
        follows = where(terms.responds_at_once[j] > 0, off_plan, now.due.volume[j])
        fixed = part(part(orders.delivery, now.fixed[j]), 1.0 + part(follows, terms.elasticity[j]))
        spent = most(0.0, fixed) + part(starts, terms.per_user[j])
        spent = part(spent, most(0.0, now.overrun[j]) * now.level[j])
        costs = put(costs, j, told(now.known.costs[j], spent))

    stock = terms.no_savings
    beginning = terms.no_savings
    starting = terms.no_savings
    cashable = terms.no_savings
    not_cashable = terms.no_savings
    for s in range(len(terms.keep)):
        new = starts * now.true_effect * terms.baseline
        if terms.saving_line[s] >= 0:
            new = starts * 0.0
            for k in range(len(terms.parent)):
                if terms.line[k] == terms.saving_line[s]:
                    new = new + part(achieved[k], 1.0 - now.deadweight[k])
        beginning = put(beginning, s, new)
        begun = where(terms.saves_at_once[s] > 0, new, now.due.saving[s])
        starting = put(starting, s, begun)
        held = state.stock[s] * terms.keep[s] + begun - now.due.expiring[s] * terms.faded[s]
        held = where(both(held < NOBODY, held > -NOBODY), 0.0, held)
        stock = put(stock, s, held)
        value = held * now.unit_value[s]
        cashable = put(cashable, s, told(now.known.cashable[s], value * terms.cashable[s]))
        not_cashable = put(not_cashable, s, value * (1.0 - terms.cashable[s]))

    people = terms.no_cohorts
    reported = terms.no_cohorts
    for c in range(len(terms.no_cohorts)):
        people = put(people, c, state.people[c] + starts * now.window[c])
        reported = put(reported, c, now.reported_effect[c] * now.measured[c])

    activity = Activity(
        offered, referred, starts, eligible, achieved, verified, costs, cashable, not_cashable,
        reported, now.measured, people,
    )  # fmt: skip
    entering = Pipelines(joining, achieved, responses, beginning, starting)
    return State(stock, people), activity, entering
