"""The vehicle of a deal financed from outside: what it receives and owes, and how its contract stands.

What every such structure shares. A structure adds who puts money in, and what they get back. Money of a row
runs through here in this order: ``receive`` (payments and savings due, claims, clawback, the bill), then the
structure draws, then ``pay_bill``, ``progress`` (early end, review, orders), the structure distributes, and
``carry`` keeps what is left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.core.ledger import Leg
from socialfinance.instruments import claims, savings
from socialfinance.instruments.base import Brief, Now
from socialfinance.instruments.contract import (
    EXITS,
    ExitNumbers,
    ExitRow,
    Exits,
    ExitState,
    ExitTerms,
    ReviewNumbers,
    ReviewState,
    ReviewTerms,
    exit_row,
    exits,
    lower_exits,
    lower_review,
    review,
)
from socialfinance.instruments.tariff import SavingsPayment, Tariff, longest_lag
from socialfinance.kernels.elementwise import both, either, least, most, part, put, ratio, where
from socialfinance.programmes.base import Orders
from socialfinance.programmes.delivery import Activity
from socialfinance.programmes.people import Programme

Tuple = tuple[Any, ...]
RECIPIENTS = ("provider", "intermediary", "evaluator", "hmrc")
"""Who the vehicle pays for the programme; hmrc takes VAT that cannot be recovered."""


SERVICE = tuple(
    Leg("vehicle", to, "irrecoverable vat" if to == "hmrc" else "service payment") for to in RECIPIENTS
)
"""The legs of the bill."""


class Terms(NamedTuple):
    """Lowered terms: floats only."""

    claims: claims.Terms
    savings: savings.Terms
    recipient: Tuple
    """by cost line: position in RECIPIENTS"""
    used: Tuple
    """by cost line: 1 if this structure bears it"""
    vat: Tuple
    """by cost line: irrecoverable VAT over the cost"""
    from_vehicle: Tuple
    """by cost line: 1 if inside the cap, 0 if the payers reimburse it"""
    at_risk: float
    """share of the provider's cost that is deferred"""
    savings_go_on: float
    """1 where what people already started save is paid for after an early end, whatever the tail"""
    winds_down: float
    """quarters of delivery cost after an early end"""
    paid_by: float
    """quarters after an early end by which all that is claimed has been paid, and clawed back"""
    exits: ExitNumbers
    review: ReviewNumbers
    no_recipients: Tuple
    no_payers: Tuple


class State(NamedTuple):
    """Carried from row to row; pounds unless said."""

    claims: claims.State
    savings: savings.State
    exits: ExitState
    review: ReviewState
    cash: Any
    arrears: Tuple
    """owed for cost, by recipient"""
    deferred: Any
    """owed to the provider for cost at its risk"""
    aside: Any
    """clawback to come on what was received"""
    claimed: Any
    """results so far: claims accepted, support left out, and savings paid over"""
    worst_arrears: Any
    settled: Any
    """1 once accounts have been settled"""
    would_change: Any
    """1 once variation has changed, or would have changed, anything"""


class Pipelines(NamedTuple):
    """Delay lines."""

    claims: claims.Pipelines
    savings: Tuple
    """by agency: savings on their way to verification"""
    window: Any
    """results inside the window of the performance test"""


class Drawn(NamedTuple):
    """Random numbers of a row."""

    exits: Exits
    savings: savings.Drawn


class Row(NamedTuple):
    """What the schedule says about this row."""

    row: float
    claims: claims.Row
    baseline: Tuple
    """by agency: pounds it is agreed to spend without the programme"""
    counts: Tuple
    """by agency: 1 while its savings are measured"""
    savings_open: float
    """1 while savings are paid for at all"""
    ahead: float
    """planned bill of the next draw_ahead quarters"""
    reserve: float
    """planned bill of the next reserve_quarters, or of draw_ahead where that is longer"""
    planned_claims: float
    """results of the plan: claims and savings paid over"""
    planned_so_far: float
    exits: ExitRow
    review: float
    """1 in a row with a review"""
    over: float
    """1 once all that was planned has been delivered, claimed and paid"""
    last: float
    """1 in the last row"""


class Receipts(NamedTuple):
    """What comes in before anything is drawn, and clawback: one amount a payer or agency for each leg."""

    outcome: Tuple
    savings: Tuple
    made_good: Tuple
    reimbursed: Tuple
    support: Tuple
    clawback: Tuple


class Bill(NamedTuple):
    """Cost of the row, pounds."""

    by_recipient: Tuple
    """owed now, arrears included"""
    total: Any
    outside_cap: Any
    """reimbursed by payers"""
    deferred: Any
    """at the provider's risk"""


class Due(NamedTuple):
    """Money of the row before anything is drawn."""

    claims: claims.State
    claimed: claims.Claimed
    entering: claims.Pipelines
    savings: savings.State
    saved: savings.Saved
    measured: Tuple
    """by agency: savings that enter verification"""
    results: Any
    """claims accepted and savings paid over in this row"""
    reimbursed: Tuple
    support: Tuple
    clawback: Tuple
    aside: Any
    """clawback still owed or to come"""
    cash: Any
    bill: Bill
    need: Any
    """bill and the planned bill ahead, less cash: what has to be drawn; below nil there is enough"""


class Paid(NamedTuple):
    """The bill paid as far as cash goes."""

    service: Tuple
    arrears: Tuple
    unpaid: Any
    cash: Any
    """what is left"""


class Progress(NamedTuple):
    """How the contract stands after this row."""

    exits: ExitState
    review: ReviewState
    orders: Orders
    claimed: Any
    would_change: Any
    since: Any
    """quarters since an early end, -1 while running"""
    ended_now: Any
    compensation: Any
    """share of outstanding capital that an end in this row has payers compensate"""
    running: Any
    """1 until an early end"""
    settled: Any
    """true in the last row, or once the tail, its payments and the wind-down are over"""
    closing: Any
    """true in the one row in which accounts are settled"""


# --- one row -------------------------------------------------------------------------------------------


def bill(terms: Terms, state: State, activity: Activity, level: Any) -> Bill:
    """Cost by recipient with arrears and irrecoverable VAT; what is reimbursed; what is deferred."""
    owed = state.arrears
    outside_cap = level * 0.0
    deferred = level * 0.0
    for j in range(len(terms.vat)):
        cost = part(activity.costs[j], terms.used[j])
        to = int(terms.recipient[j])
        vat = part(cost, terms.vat[j])
        outside_cap = outside_cap + part(cost + vat, 1.0 - terms.from_vehicle[j])
        put_off = part(cost, terms.from_vehicle[j] * terms.at_risk if to == 0 else 0.0)
        deferred = deferred + put_off
        owed = put(owed, to, owed[to] + cost - put_off)
        owed = put(owed, 3, owed[3] + vat)
    total = level * 0.0
    for r in range(len(owed)):
        total = total + owed[r]
    return Bill(owed, total, outside_cap, deferred)


def emergency_support(terms: Terms, running: Any, row: Row, now: Now, accepted: Tuple, results: Any) -> Tuple:
    """By payer, while a common shock and the contract run: share of the shortfall, within both caps."""
    short = most(0.0, row.planned_claims - results) * now.shock * running
    support = terms.no_payers
    total = results * 0.0
    left = part(terms.claims.contract_cap, now.size)
    for i in range(len(accepted)):
        left = left - accepted[i]
        asked = part(short, terms.review.support * row.claims.split[i])
        one = least(asked, most(0.0, part(terms.claims.payer_cap[i], now.size) - accepted[i]))
        support = put(support, i, one)
        total = total + one
    fits = ratio(least(total, most(0.0, left)), total, 0.0)
    for i in range(len(accepted)):
        support = put(support, i, support[i] * fits)
    return support


def receive(terms: Terms, state: State, row: Row, now: Now, due: Pipelines, drawn: Drawn) -> Due:
    """Receipts due, claims, savings paid over, clawback, and the bill."""
    running = where(state.exits.since < 0.0, 1.0, 0.0)
    open_to_claims = where(state.exits.since < terms.claims.tail, 1.0, 0.0)
    level = now.level * state.review.price
    after, claimed, entering = claims.claim(
        terms.claims,
        state.claims,
        row.claims,
        now.activity,
        due.claims,
        level,
        open_to_claims,
        running,
        now.size,
    )
    pays = part(where(terms.savings_go_on > 0.0, 1.0, open_to_claims), row.savings_open)
    kept, saved, measured = savings.save(
        terms.savings, state.savings, row.baseline, row.counts, now.activity, due.savings, drawn.savings, pays
    )
    results = claimed.total
    for a in range(len(saved.paid)):
        results = results + saved.paid[a]
    owed = bill(terms, state, now.activity, now.level)
    cash = state.cash
    accepted = after.accepted
    support = terms.no_payers
    reimbursed = terms.no_payers
    if terms.review.support > 0.0:
        support = emergency_support(terms, running, row, now, accepted, results)
    for i in range(len(terms.no_payers)):
        accepted = put(accepted, i, accepted[i] + support[i])
        reimbursed = put(reimbursed, i, part(owed.outside_cap, row.claims.split[i]))
        cash = cash + (claimed.received[i] + claimed.made_good[i] + reimbursed[i] + support[i])
    for a in range(len(saved.paid)):
        cash = cash + saved.paid[a]
    owed_back = after.owed_back
    clawback = terms.no_payers
    aside = state.aside
    if terms.claims.clawed > 0.0:
        for i in range(len(terms.no_payers)):
            back = least(cash, owed_back[i])
            clawback = put(clawback, i, back)
            owed_back = put(owed_back, i, owed_back[i] - back)
            cash = cash - back
            aside = most(0.0, aside + entering.clawback[i] - back)
    after = claims.State(
        after.by_line, accepted, owed_back, after.referred, after.made_good, after.effect_paid,
        after.weighted, after.weight,
    )  # fmt: skip
    need = owed.total + part(running, row.ahead) - cash
    return Due(
        after,
        claimed,
        entering,
        kept,
        saved,
        measured,
        results,
        reimbursed,
        support,
        clawback,
        aside,
        cash,
        owed,
        need,
    )


def pay_bill(terms: Terms, owed: Bill, cash: Any) -> Paid:
    """Everybody the same fraction, as far as cash goes; the rest is arrears."""
    met = ratio(least(cash, owed.total), owed.total, 1.0)
    service = terms.no_recipients
    arrears = terms.no_recipients
    unpaid = owed.total * 0.0
    for r in range(len(terms.no_recipients)):
        one = part(owed.by_recipient[r], met)
        service = put(service, r, one)
        arrears = put(arrears, r, owed.by_recipient[r] - one)
        cash = cash - one
        unpaid = unpaid + arrears[r]
    return Paid(service, arrears, unpaid, most(0.0, cash))


def progress(
    terms: Terms, state: State, row: Row, now: Now, due: Pipelines, drawn: Drawn, money: Due, paid: Paid
) -> Progress:
    """Whether the contract ends or is changed in this row, and what is ordered for the next."""
    room = now.level * 0.0
    if row.exits.test > 0.0:
        room = room_under_caps(terms, money.claims.accepted, money.savings.paid, now.size)
    ends, ended_now, compensation = exits(
        terms.exits, state.exits, row.exits, drawn.exits, now.activity, money.results, due.window,
        paid.unpaid, room, now.withdrawn,
    )  # fmt: skip
    since = ends.since
    claimed = state.claimed + money.results
    reached = ratio(claimed, row.planned_so_far, 1.0)
    changes, orders = review(terms.review, state.review, row.review, since, reached)
    would_change = state.would_change
    if row.review > 0.0:
        would_change = where(reached < terms.review.watched, 1.0, would_change)
    if terms.review.supported > 0.0:
        would_change = where(now.shock > 0.0, 1.0, would_change)
    all_paid = either(since >= terms.paid_by, row.over > 0.0)
    settled = either(row.last > 0.0, both(since >= terms.winds_down, all_paid))
    return Progress(
        ends, changes, orders, claimed, would_change, since, ended_now, compensation,
        where(since < 0.0, 1.0, 0.0), settled, both(settled, state.settled <= 0.0),
    )  # fmt: skip


def carry(state: State, money: Due, paid: Paid, stands: Progress, cash: Any, deferred: Any) -> State:
    """What is kept for the next row: ``cash`` is left, ``deferred`` was paid to the provider."""
    return State(
        claims=money.claims,
        savings=money.savings,
        exits=stands.exits,
        review=stands.review,
        cash=most(0.0, cash),
        arrears=paid.arrears,
        deferred=state.deferred + money.bill.deferred - deferred,
        aside=money.aside,
        claimed=stands.claimed,
        worst_arrears=most(state.worst_arrears, paid.unpaid),
        settled=where(stands.settled, 1.0, state.settled),
        would_change=stands.would_change,
    )


def receipts(money: Due) -> Receipts:
    """What came in, and what was clawed back, in this row."""
    return Receipts(
        money.claimed.received, money.saved.paid, money.claimed.made_good, money.reimbursed, money.support,
        money.clawback,
    )  # fmt: skip


def entering(money: Due) -> Pipelines:
    """What enters the delay lines."""
    return Pipelines(money.entering, money.measured, money.results)


def spare(row: Row, money: Due, stands: Progress, cash: Any) -> Any:
    """Cash that may be distributed: above reserve and clawback to come while running, all once settled."""
    held_back = where(stands.running > 0.0, cash - row.reserve - money.aside, 0.0)
    return most(0.0, where(stands.settled, cash, held_back))


def room_under_caps(terms: Terms, accepted: Tuple, paid: Tuple, size: Any) -> Any:
    """What payers may still accept, and agencies pay out of savings, under their caps, pounds."""
    by_payer = accepted[0] * 0.0
    contract = part(terms.claims.contract_cap, size)
    for i in range(len(accepted)):
        by_payer = by_payer + most(0.0, part(terms.claims.payer_cap[i], size) - accepted[i])
        contract = contract - accepted[i]
    room = most(0.0, least(by_payer, contract))
    for a in range(len(paid)):
        room = room + most(0.0, terms.savings.cap[a] - paid[a])
    return room


def surplus_of_payers(terms: Terms, accepted: Tuple, amount: Any) -> Tuple:
    """By payer: its part of a surplus, by what it has accepted so far; by its split where nobody has."""
    everybody = amount * 0.0
    for i in range(len(accepted)):
        everybody = everybody + accepted[i]
    surplus = terms.no_payers
    for i in range(len(accepted)):
        own = ratio(accepted[i], everybody, terms.claims.split[i])
        surplus = put(surplus, i, amount * own)
    return surplus


# --- lowering ------------------------------------------------------------------------------------------


class Lowered(NamedTuple):
    """The vehicle's part of a lowered structure."""

    terms: Terms
    opening: State
    lags: Pipelines
    draws: Drawn
    legs: Receipts


def lower(
    brief: Brief,
    tariff: Tariff,
    at_risk: float,
    termination: ExitTerms,
    reviewed: ReviewTerms | None,
) -> Lowered:
    """Terms, opening state, lags, draws and legs of the vehicle for this deal."""
    claim_terms, claim_state, claim_lags = claims.lower_claims(
        tariff, brief.programme, brief.nodes, brief.lines
    )
    saving_terms, saving_state, saving_lags, saving_draws = savings.lower_savings(
        tariff.savings, brief.programme
    )
    savings.check_baselines(tariff.savings, brief.programme, brief.plan)
    lines = tuple(brief.costs.values())
    wind_down = termination.wind_down_quarters
    review_terms, review_state = lower_review(
        reviewed, brief.with_variation, tariff.emergency_support, wind_down
    )
    nobody = tuple(0.0 for _ in RECIPIENTS)
    terms = Terms(
        claims=claim_terms,
        savings=saving_terms,
        recipient=tuple(float(RECIPIENTS.index(line.paid_to)) for line in lines),
        used=tuple(float(line.basis != "in house") for line in lines),
        vat=tuple(line.vat * (1.0 - line.vat_recoverable) for line in lines),
        from_vehicle=tuple(float(line.inside_cap) for line in lines),
        at_risk=at_risk,
        savings_go_on=0.0,
        winds_down=float(wind_down),
        paid_by=float(tariff.tail + longest_lag(tariff)),
        exits=lower_exits(termination),
        review=review_terms,
        no_recipients=nobody,
        no_payers=claim_terms.no_payers,
    )
    opening = State(
        claims=claim_state, savings=saving_state, exits=ExitState(-1.0, 0.0, 0.0, 0.0, 0.0, 0.0),
        review=review_state, cash=0.0, arrears=nobody, deferred=0.0, aside=0.0, claimed=0.0,
        worst_arrears=0.0, settled=0.0, would_change=0.0,
    )  # fmt: skip
    test = termination.performance_test
    lags = Pipelines(claim_lags, saving_lags, test.window if test else 0)
    return Lowered(terms, opening, lags, Drawn(EXITS, saving_draws), _legs(tariff))


def _legs(tariff: Tariff) -> Receipts:
    payers = tuple(tariff.payers)
    return Receipts(
        outcome=tuple(Leg(p, "vehicle", "outcome payment") for p in payers),
        savings=tuple(Leg(a, "vehicle", "savings payment") for a in savings.roles(tariff.savings)),
        made_good=tuple(Leg(p, "vehicle", "minimum-referral payment") for p in payers),
        reimbursed=tuple(Leg(p, "vehicle", "reimbursed cost") for p in payers),
        support=tuple(Leg(p, "vehicle", "emergency support") for p in payers),
        clawback=tuple(Leg("vehicle", p, "clawback") for p in payers),
    )


def purse(payment: SavingsPayment | None) -> Callable[[Any], Mapping[str, Any]] | None:
    """Reads from a structure's last state, by agency, the savings verified so far; None where none pays."""
    if payment is None:
        return None
    names = tuple(payment.agencies)
    return lambda state: dict(zip(names, state.vehicle.savings.verified, strict=True))


def planned_bill(terms: Terms, brief: Brief) -> tuple[float, ...]:
    """What the vehicle is planned to pay from its own money, by row, pounds."""
    bills = []
    for activity in brief.plan:
        owed = 0.0
        for j, cost in enumerate(activity.costs):
            at_risk = terms.at_risk if terms.recipient[j] == 0 else 0.0
            owed += cost * terms.used[j] * terms.from_vehicle[j] * (1.0 - at_risk + terms.vat[j])
        bills.append(owed)
    return tuple(bills)


def rows(
    brief: Brief,
    terms: Terms,
    tariff: Tariff,
    *,
    draw_ahead: int,
    reserve_quarters: int,
    termination: ExitTerms,
    reviews: tuple[int, ...],
    claimed: tuple[float, ...] | None,
) -> tuple[Row, ...]:
    """The vehicle's schedule by row; without ``claimed`` (the plan's results so far) nothing is tested."""
    owed = planned_bill(terms, brief)
    by_claims = claims.claim_rows(tariff, brief.programme, brief.calendar)
    by_agency = savings.baselines(tariff.savings, brief.rows)
    counts = savings.counted(tariff.savings, brief.rows)
    starts = tuple(sum(a.starts for a in brief.plan[: row + 1]) for row in range(brief.rows))
    so_far = claimed or tuple(0.0 for _ in range(brief.rows))
    ends = termination if claimed is not None else ExitTerms()
    last_planned = _last_planned(brief, owed, by_claims, by_agency, terms)
    kept = max(reserve_quarters, draw_ahead)  # what is drawn ahead is not handed straight back
    return tuple(
        Row(
            row=float(row),
            claims=by_claims[row],
            baseline=by_agency[row],
            counts=counts[row],
            savings_open=1.0,
            ahead=sum(owed[row + 1 : row + 1 + draw_ahead]),
            reserve=sum(owed[row + 1 : row + 1 + kept]),
            planned_claims=so_far[row] - (so_far[row - 1] if row else 0.0),
            planned_so_far=so_far[row],
            exits=exit_row(ends, row, so_far, starts, last_planned),
            review=float(row in reviews and claimed is not None),
            over=float(row >= last_planned + longest_lag(tariff)),
            last=float(row == brief.rows - 1),
        )
        for row in range(brief.rows)
    )


def _last_planned(
    brief: Brief, owed: Tuple, by_claims: tuple[claims.Row, ...], baseline: tuple[Tuple, ...], terms: Terms
) -> int:
    """The last row in which anything is planned to start, to be paid for, claimed or saved, caps aside."""
    return max(
        (
            row
            for row, done in enumerate(brief.plan)
            if max(owed[row], done.starts, sum(baseline[row]), _worth(done, by_claims[row], terms))
            > HALF_A_PENNY
        ),
        default=0,
    )


def _worth(activity: Activity, row: claims.Row, terms: Terms) -> float:
    """Pounds of outcomes at the price base while a payer accepts claims, and of savings that pay.

    A cohort's report counts as one.
    """
    verified = sum(one * pounds for one, pounds in zip(activity.verified, terms.claims.price, strict=True))
    saved = sum(
        cash + capacity * terms.savings.capacity[int(agency)]
        for cash, capacity, agency in zip(
            activity.cashable, activity.not_cashable, terms.savings.agency, strict=True
        )
        if agency >= 0.0
    )
    return float(row.anyone * (verified + max(activity.measured)) + saved)


def maximum(terms: Terms, tariff: Tariff, programme: Programme, compensation: float) -> dict[str, float]:
    """By role: the most it can be asked for under the contract, pounds; infinite where nothing limits it.

    Contract value + its part of the most compensation there can be + its part (all of it, where others can
    have left) of minimum referrals, all short, and of cost outside the cap, unlimited + what it pays out of
    savings.
    """
    shared = 0.0
    if tariff.minimum_referrals is not None:
        quarters = len(programme.referrals.planned)
        shared = tariff.minimum_referrals.per_quarter * quarters * tariff.minimum_referrals.payment
    if any(used and not inside for used, inside in zip(terms.used, terms.from_vehicle, strict=True)):
        shared = claims.INFINITE
    most = claims.contract_value(tariff, terms.claims)
    for role, split in zip(tariff.payers, terms.claims.split, strict=True):
        if split > 0.0:
            most[role] += compensation * split + shared * (split if claims.in_proportion(tariff) else 1.0)
    for role, paid in savings.most_paid(tariff.savings).items():
        most[role] = most.get(role, 0.0) + paid
    return most
