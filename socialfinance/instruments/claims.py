"""Outcome payments: from verified outcomes to money received, for every structure paid by results."""

from __future__ import annotations

from typing import Any, NamedTuple

from socialfinance.core.errors import InputError
from socialfinance.core.time import Calendar
from socialfinance.instruments.tariff import Payer, Tariff
from socialfinance.kernels.elementwise import least, most, part, put, ratio, where
from socialfinance.programmes.delivery import Activity
from socialfinance.programmes.funnel import Node, capped_prices
from socialfinance.programmes.people import Programme
from socialfinance.scenarios.distributions import plan_of

INFINITE = float("inf")
Tuple = tuple[Any, ...]


class Terms(NamedTuple):
    """Lowered tariff. Pounds; one entry a node, line, payer or step."""

    price: Tuple
    """by node, all payers together, after the cap per person"""
    line: Tuple
    """by node: position of its line"""
    line_cap: Tuple
    """by line"""
    share: tuple[Tuple, ...]
    """by payer, by node: part of the price"""
    split: Tuple
    """by payer: part of what is not tied to a line"""
    payer_cap: Tuple
    passes_on: Tuple
    paid_at_once: Tuple
    contract_cap: float
    kept: float
    """share of claims not refused"""
    late: float
    """share of claims disputed and paid late"""
    clawed: float
    """share of payments taken back"""
    make_good: float
    """pounds for each referral short of the minimum"""
    tail: float
    cohort_trigger: float
    pooled_trigger: float
    per_event: float
    """pounds for each event avoided; times baseline events a person"""
    step_at: Tuple
    step_pays: Tuple
    no_payers: Tuple
    no_lines: Tuple


class State(NamedTuple):
    """Carried from row to row, pounds unless said."""

    by_line: Tuple
    """claimed so far, by line"""
    accepted: Tuple
    """accepted so far, by payer: never above its cap"""
    owed_back: Tuple
    """clawback not yet paid, by payer"""
    referred: Any
    """people"""
    made_good: Any
    """people short already paid for"""
    effect_paid: Any
    """asked for the effect so far, before refusals and price level"""
    weighted: Any
    """sum over measured cohorts of people x reported effect"""
    weight: Any
    """people in measured cohorts"""


class Pipelines(NamedTuple):
    """Accepted claims on their way to payment, and payments on their way to clawback."""

    prompt: Tuple
    late: Tuple
    clawback: Tuple


class Row(NamedTuple):
    """What the schedule says about claims in this row."""

    open: Tuple
    """by payer: 1 while it accepts claims"""
    anyone: float
    """1 while any payer does"""
    split: Tuple
    """by payer: part of what is not tied to a line, among those who accept claims (all, if nobody does)"""
    minimum: float
    """cumulative referrals undertaken, where they are tested in this row; else 0"""
    last_report: float
    """1 in the row of the last evaluation report"""


class Claimed(NamedTuple):
    """This row's money, pounds by payer."""

    received: Tuple
    made_good: Tuple
    to_claw_back: Tuple
    total: Any
    """accepted this row"""


def claim(
    terms: Terms,
    state: State,
    row: Row,
    activity: Activity,
    due: Pipelines,
    level: Any,
    open_to_claims: Any,
    running: Any,
    size: Any = 1.0,
) -> tuple[State, Claimed, Pipelines]:
    """Verified outcomes become accepted claims, accepted claims become payments after their lag.

    claim at a node = verified x price x level, cut to the room under its line's cap; each payer takes its
    share while its window is open, up to the room under its own cap, and what it cannot take goes to the
    next if it passes on; then all are cut alike to the room under the contract's cap. ``running`` is 1
    before an early end: only then are referrals owed. Caps are multiplied by ``size``.
    """
    by_line = state.by_line
    wanted = terms.no_payers
    for k in range(len(terms.price)):
        line = int(terms.line[k])
        value = part(activity.verified[k], terms.price[k] * terms.kept * level)
        if terms.line_cap[line] < INFINITE:
            value = most(0.0, least(value, part(terms.line_cap[line], size) - by_line[line]))
            by_line = put(by_line, line, by_line[line] + part(value, row.anyone * open_to_claims))
        for i in range(len(terms.payer_cap)):
            wanted = put(wanted, i, wanted[i] + part(value, terms.share[i][k]))

    weighted = state.weighted
    weight = state.weight
    by_effect = state.weight * 0.0
    for c in range(len(activity.people)):
        cohort = activity.people[c] * activity.measured[c]
        weighted = weighted + cohort * activity.reported[c]
        weight = weight + cohort
        single = where(
            activity.reported[c] >= terms.cohort_trigger, activity.reported[c] * cohort * terms.per_event, 0.0
        )
        by_effect = by_effect + most(0.0, single)
    pooled = ratio(weighted, weight, 0.0)
    stepped = pooled * 0.0
    for m in range(len(terms.step_at)):
        stepped = where(pooled >= terms.step_at[m], terms.step_pays[m] + stepped * 0.0, stepped)
    for_all = where(pooled >= terms.pooled_trigger, weighted * terms.per_event + stepped, 0.0)
    by_effect = by_effect + row.last_report * most(0.0, for_all - state.effect_paid - by_effect)
    effect_paid = state.effect_paid + by_effect
    by_effect = part(by_effect, terms.kept * level)

    room = part(terms.contract_cap, size)
    for i in range(len(terms.payer_cap)):
        room = room - state.accepted[i]
    accepted = state.accepted
    taken = terms.no_payers
    prompt = terms.no_payers
    late = terms.no_payers
    total = by_effect * 0.0
    spilled = by_effect * 0.0
    for i in range(len(terms.payer_cap)):
        asked = part(wanted[i] + part(by_effect, terms.split[i]) + spilled, open_to_claims)
        one = part(least(asked, most(0.0, part(terms.payer_cap[i], size) - state.accepted[i])), row.open[i])
        spilled = part(asked - one, terms.passes_on[i])
        taken = put(taken, i, one)
        total = total + one
    fits = ratio(least(total, most(0.0, room)), total, 0.0)
    for i in range(len(terms.payer_cap)):
        one = taken[i] * fits
        accepted = put(accepted, i, state.accepted[i] + one)
        prompt = put(prompt, i, part(one, 1.0 - terms.late))
        late = put(late, i, part(one, terms.late))
    total = total * fits

    referred = state.referred + activity.offered
    short = state.made_good * 0.0
    if row.minimum > 0.0:
        short = most(0.0, row.minimum - referred - state.made_good) * running
    received = terms.no_payers
    paid_short = terms.no_payers
    owed_back = state.owed_back
    clawback = terms.no_payers
    for i in range(len(terms.payer_cap)):
        cash = where(terms.paid_at_once[i] > 0, prompt[i], due.prompt[i]) + due.late[i]
        received = put(received, i, cash)
        clawback = put(clawback, i, part(cash, terms.clawed))
        owed_back = put(owed_back, i, owed_back[i] + due.clawback[i])
        paid_short = put(paid_short, i, part(short, terms.make_good * row.split[i]))

    after = State(
        by_line, accepted, owed_back, referred, state.made_good + short, effect_paid, weighted, weight,
    )  # fmt: skip
    return after, Claimed(received, paid_short, owed_back, total), Pipelines(prompt, late, clawback)


def lower_claims(
    tariff: Tariff, programme: Programme, nodes: tuple[Node, ...], lines: tuple[str, ...]
) -> tuple[Terms, State, Pipelines]:
    """The tariff as floats: terms, opening state, and the lags of its delay lines."""
    _check_lines(tariff, lines)
    payers = tuple(tariff.payers.values())
    cap = INFINITE if tariff.cap_per_person is None else tariff.cap_per_person
    price = capped_prices(nodes, tariff.total_prices, cap)
    effect = tariff.effect
    baseline = programme.effect.baseline if programme.effect is not None else 0.0
    zero_payers = tuple(0.0 for _ in payers)
    zero_lines = tuple(0.0 for _ in lines) or (0.0,)
    terms = Terms(
        price=price or (0.0,),
        line=tuple(float(lines.index(node.line)) for node in nodes) or (0.0,),
        line_cap=tuple(tariff.caps.get(line, INFINITE) for line in lines) or (INFINITE,),
        share=tuple(_shares(tariff, payer, programme, nodes) for payer in payers),
        split=split_of(tariff),
        payer_cap=tuple(INFINITE if p.cap is None else p.cap for p in payers),
        passes_on=tuple(float(p.passes_on) for p in payers),
        paid_at_once=tuple(float(p.payment_lag == 0) for p in payers),
        contract_cap=INFINITE if tariff.cap is None else tariff.cap,
        kept=1.0 - tariff.rejected,
        late=tariff.delayed.share if tariff.delayed else 0.0,
        clawed=tariff.clawback.share if tariff.clawback else 0.0,
        make_good=tariff.minimum_referrals.payment if tariff.minimum_referrals else 0.0,
        tail=float(tariff.tail),
        cohort_trigger=INFINITE if effect is None or effect.cohort_trigger is None else effect.cohort_trigger,
        pooled_trigger=INFINITE if effect is None else effect.pooled_trigger,
        per_event=(effect.per_event or 0.0) * baseline if effect is not None else 0.0,
        step_at=tuple(s.at for s in effect.steps) if effect and effect.steps else (INFINITE,),
        step_pays=tuple(s.pays for s in effect.steps) if effect and effect.steps else (0.0,),
        no_payers=zero_payers,
        no_lines=zero_lines,
    )
    opening = State(zero_lines, zero_payers, zero_payers, 0.0, 0.0, 0.0, 0.0, 0.0)
    further = tariff.delayed.quarters if tariff.delayed else 0
    lags = Pipelines(
        tuple(p.payment_lag for p in payers),
        tuple(p.payment_lag + further for p in payers),
        tuple(tariff.clawback.after if tariff.clawback else 0 for _ in payers),
    )
    return terms, opening, lags


def claim_rows(tariff: Tariff, programme: Programme, calendar: Calendar) -> tuple[Row, ...]:
    """What the schedule says about claims, by deal row."""
    last = INFINITE if tariff.last_claim is None else tariff.last_claim
    reports = [c.measured_quarter for c in programme.effect.cohorts.values()] if programme.effect else []
    months = len(programme.referrals.planned)
    rows = []
    for row in range(calendar.quarters + 1):
        opened = tuple(
            float(p.joins <= row <= (INFINITE if p.leaves is None else p.leaves) and row <= last)
            for p in tariff.payers.values()
        )
        minimum, terms = 0.0, tariff.minimum_referrals
        if (
            terms is not None
            and row > 0
            and row <= months
            and (row % terms.tested_every == 0 or row == months)
        ):
            minimum = terms.per_quarter * row
        last_report = float(bool(reports) and row == max(reports))
        rows.append(Row(opened, max(opened), _among(opened, split_of(tariff)), minimum, last_report))
    return tuple(rows)


def _among(opened: tuple[float, ...], split: Tuple) -> Tuple:
    """The split among those whose window is open, scaled to one; the whole split where nobody's is."""
    shares = tuple(one * part for one, part in zip(opened, split, strict=True))
    total = sum(shares)
    return tuple(share / total for share in shares) if total > 0.0 else split


def _check_lines(tariff: Tariff, lines: tuple[str, ...]) -> None:
    for table, names in (("prices", tariff.total_prices), ("caps", tariff.caps)):
        for name in names:
            if name not in lines:
                raise InputError(
                    "is not an outcome line of the programme",
                    field=f"tariff.{table}.{name}",
                    given=name,
                    allowed=", ".join(lines) or "none: the programme has an evaluated effect only",
                )


def _shares(tariff: Tariff, payer: Payer, programme: Programme, nodes: tuple[Node, ...]) -> Tuple:
    shares = []
    for node in nodes:
        total = tariff.total_prices.get(node.line, 0.0)
        part = payer.share if payer.prices is None else payer.prices.get(node.line, 0.0) / (total or 1.0)
        if payer.scale_for_deadweight:
            part = (part or 0.0) * (
                1.0 - plan_of(programme.outcomes[node.line].deadweight, programme.drivers)
            )
        shares.append(float(part or 0.0))
    return tuple(shares) or (0.0,)


def split_of(tariff: Tariff) -> Tuple:
    """By payer: its share, or with prices of their own its part of one of every outcome."""
    if all(p.prices is None for p in tariff.payers.values()):
        return tuple(float(p.share or 0.0) for p in tariff.payers.values())
    sums = [sum((p.prices or {}).values()) for p in tariff.payers.values()]
    return tuple(one / sum(sums) for one in sums)


def contract_value(tariff: Tariff, terms: Terms) -> dict[str, float]:
    """By payer: the most it can be asked for outcomes: the lesser of its cap and its part of the contract's.

    Its part is its share where every claim is split alike; elsewhere it can be all of it.
    """
    contract = terms.contract_cap
    parts = terms.split if in_proportion(tariff) else tuple(1.0 for _ in tariff.payers)
    caps = zip(tariff.payers, terms.payer_cap, parts, strict=True)
    return {role: min(cap, contract * part) if part > 0.0 else 0.0 for role, cap, part in caps}


def in_proportion(tariff: Tariff) -> bool:
    """Whether every claim is split alike, so that a payer's part of the contract's cap is its share."""
    return all(
        payer.share is not None
        and payer.cap is None
        and payer.leaves is None
        and payer.joins == 0
        and not payer.passes_on
        and not payer.scale_for_deadweight
        for payer in tariff.payers.values()
    )
