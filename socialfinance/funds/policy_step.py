"""One row of payment for success: what is measured, who is reviewed, cut and grown.

Pure functions, elementwise in the path; tuples are by deal. What has to be drawn by chance is handed in.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from socialfinance.kernels.elementwise import both, either, least, most, negate, put, ratio, where, whole

Tuple = tuple[Any, ...]
NEVER = 1e9
"""A row that is never reached."""


class Terms(NamedTuple):
    """Lowered: plain numbers, and by deal what its plan says."""

    cut: float
    reinvest: float
    first: int
    every: int
    last: int
    notice: float
    taper: float
    see_out: float
    wind_down: float
    error: float
    per_review: float
    most: float
    diminishing: float
    new_for: float
    improving_by: float
    """below nil: no mitigation"""
    learning: float
    judged: tuple[bool, ...]
    """by deal: whether the policy may touch it"""
    first_start: tuple[float, ...]
    """by deal: row of the first planned start"""
    per_pound: tuple[float, ...]
    """by deal: planned value per pound over the life"""
    value: tuple[tuple[float, ...], ...]
    """by deal and row: planned value so far"""
    cost: tuple[tuple[float, ...], ...]
    """by deal and row: planned cost so far"""
    starts: tuple[tuple[float, ...], ...]
    """by deal and row: planned starts so far"""


class State(NamedTuple):
    """By deal."""

    value: Tuple
    cost: Tuple
    started: Tuple
    year_value: Tuple
    """value of the last four rows, the latest first"""
    year_cost: Tuple
    scale: Tuple
    """new starts over those agreed at first, before any cut"""
    size: Tuple
    cut_at: Tuple
    """row of the review that cut it"""
    pot: Any
    """freed and not yet put elsewhere, planned pounds"""
    grown: Tuple
    """1 once money was added"""


class Now(NamedTuple):
    """This row: what deals did, and what is drawn by chance."""

    row: int
    value: Tuple
    cost: Tuple
    starts: Tuple
    runs: Tuple
    """new starts its own contract allows: 0 once it has ended"""
    error: Tuple
    """standard normal scores of measurement"""
    tie: Tuple
    consents: Tuple
    """1 where payers agree to raise their caps"""


class Steered(NamedTuple):
    """What deals are told, and what it costs the fund."""

    scale: Tuple
    performance: Tuple
    size: Tuple
    withdrawn: Tuple
    wind_down: Tuple
    """pounds the fund pays the provider"""


def opening(deals: int) -> State:
    """Nothing measured, cut or grown."""
    none, one = (0.0,) * deals, (1.0,) * deals
    year = tuple((0.0,) * 4 for _ in range(deals))
    return State(none, none, none, year, year, one, one, (NEVER,) * deals, 0.0, none)


def measure(terms: Terms, state: State, now: Now) -> State:
    """Add this row's value, cost and starts to what was seen."""
    after = state
    for d in range(len(terms.judged)):
        after = after._replace(
            value=put(after.value, d, after.value[d] + now.value[d]),
            cost=put(after.cost, d, after.cost[d] + now.cost[d]),
            started=put(after.started, d, after.started[d] + now.starts[d]),
            year_value=put(after.year_value, d, (now.value[d], *after.year_value[d][:3])),
            year_cost=put(after.year_cost, d, (now.cost[d], *after.year_cost[d][:3])),
        )
    return after


def noise_of(terms: Terms, started: Any, score: Any) -> Any:
    """1 + error x z / sqrt(people started / 100), at least one person, never below nil."""
    return most(0.0, 1.0 + terms.error * score / (most(1.0, started) / 100.0) ** 0.5)


def improving(terms: Terms, state: State, now: Now, d: int) -> Any:
    """Whether value per pound of the last year is above that of the whole life so far by the margin.

    Both are held against the plan: (value / planned) / (cost / planned), of the year and so far.
    """
    row, before = now.row, max(0, now.row - 4)
    value = sum_of(state.year_value[d]) / max(terms.value[d][row] - terms.value[d][before], 1e-9)
    cost = sum_of(state.year_cost[d]) / max(terms.cost[d][row] - terms.cost[d][before], 1e-9)
    so_far = (state.value[d] / max(terms.value[d][row], 1e-9), state.cost[d] / max(terms.cost[d][row], 1e-9))
    lately = ratio(value, cost, 0.0)
    return lately > (1.0 + terms.improving_by) * ratio(so_far[0], so_far[1], 0.0)


def sum_of(amounts: Tuple) -> Any:
    """The sum, in order."""
    found = amounts[0]
    for amount in amounts[1:]:
        found = found + amount
    return found


def reviewed(terms: Terms, row: int) -> bool:
    """Whether there is a review in this row."""
    return terms.first <= row <= terms.last and (row - terms.first) % terms.every == 0


def eligible(terms: Terms, state: State, now: Now, d: int) -> Any:
    """1 where a deal is ranked: old enough, running, not cut, and with starts ahead of the notice."""
    starts, row = terms.starts[d], now.row
    ahead = starts[-1] - starts[min(len(starts) - 1, int(row + terms.notice))]
    if not terms.judged[d] or row < terms.first_start[d] + terms.new_for or ahead <= 0.0:
        return state.cut_at[d] * 0.0
    return where(both(now.runs[d] > 0.0, state.cut_at[d] >= NEVER), 1.0, 0.0)


def review(terms: Terms, state: State, now: Now) -> State:
    """Rank, cut the worst unless something mitigates, and put what is freed into the best.

    freed = planned cost of the starts that fall away; room of one of the best = planned cost of starts ahead
    x min(growth at a review, most - scale); each grows by min(1, (freed + pot) / all room) of its own.
    """
    deals = range(len(terms.judged))
    ranked = tuple(eligible(terms, state, now, d) for d in deals)
    score = tuple(
        terms.per_pound[d]
        * _against_plan(terms, state, now, d)
        * noise_of(terms, state.started[d], now.error[d])
        for d in deals
    )
    number = sum_of(ranked)
    worst, best = whole(number * terms.cut), whole(number * terms.reinvest)
    freed, rooms, cut_at = state.pot, (0.0,) * len(ranked), state.cut_at
    all_room = freed * 0.0
    for d in deals:
        below = number * 0.0
        for e in deals:
            if e != d:
                lower = either(score[e] < score[d], both(score[e] == score[d], now.tie[e] < now.tie[d]))
                below = below + where(lower, ranked[e], 0.0)
        cuts = both(ranked[d] > 0.0, below < worst)
        if terms.improving_by >= 0.0:
            cuts = both(cuts, negate(improving(terms, state, now, d)))
        cut_at = put(cut_at, d, where(cuts, float(now.row), cut_at[d]))
        saved = _cost_after(terms, d, now.row + terms.notice + terms.taper / 2.0)
        freed = freed + where(cuts, saved * state.scale[d], 0.0)
        grows = both(both(ranked[d] > 0.0, below >= number - best), now.consents[d] > 0.0)
        grows = both(grows, negate(cuts))
        more = most(0.0, least(terms.per_review, terms.most - state.scale[d]))
        rooms = put(rooms, d, where(grows, more * _cost_after(terms, d, now.row + 1.0), 0.0))
        all_room = all_room + rooms[d]
    fills = ratio(least(freed, all_room), all_room, 0.0)
    scale, size, grown = state.scale, state.size, state.grown
    for d in deals:
        ahead = _cost_after(terms, d, now.row + 1.0)
        by = ratio(rooms[d] * fills, ahead + rooms[d] * 0.0, 0.0)
        scale = put(scale, d, scale[d] + by)
        size = put(size, d, size[d] + by * _starts_after(terms, d, now.row + 1))
        grown = put(grown, d, where(by > 0.0, 1.0, grown[d]))
    pot = most(0.0, freed - all_room * fills)
    return state._replace(cut_at=cut_at, scale=scale, size=size, grown=grown, pot=pot)


def _against_plan(terms: Terms, state: State, now: Now, d: int) -> Any:
    """(value so far / planned) / (cost so far / planned)."""
    value = state.value[d] / max(terms.value[d][now.row], 1e-9)
    cost = state.cost[d] / max(terms.cost[d][now.row], 1e-9)
    return ratio(value, cost, 0.0)


def _cost_after(terms: Terms, d: int, row: float) -> float:
    """Planned cost that goes with starts after a row: that of the life x share of starts after."""
    return terms.cost[d][-1] * _starts_after(terms, d, round(row))


def _starts_after(terms: Terms, d: int, row: int) -> float:
    """Share of planned starts that come after a row."""
    starts = terms.starts[d]
    return 1.0 - starts[min(row, len(starts) - 1)] / starts[-1] if starts[-1] > 0.0 else 0.0


def steer(terms: Terms, state: State, row: int) -> Steered:
    """What each deal is told: after the notice starts fall over the taper, people are seen out, it leaves."""
    none = (0.0,) * len(terms.judged)
    scale, performance, withdrawn, wind_down = none, none, none, none
    for d in range(len(none)):
        since = row - state.cut_at[d] - terms.notice
        left = where(since > 0.0, most(0.0, 1.0 - since / max(terms.taper, 1.0)), 1.0)
        last = max(terms.taper, 1.0) + terms.see_out
        leaves = since >= last
        falls = most(0.0, 1.0 - terms.diminishing * most(0.0, state.scale[d] - 1.0))
        learns = 1.0 + terms.learning * row / 4.0 if terms.judged[d] else 1.0
        scale = put(scale, d, state.scale[d] * left)
        performance = put(performance, d, falls * learns)
        withdrawn = put(withdrawn, d, where(leaves, 1.0, 0.0))
        first = both(leaves, since < last + 1.0)
        before = max(0, row - 4)
        quarter = (terms.cost[d][row] - terms.cost[d][before]) / max(1, row - before)
        wind_down = put(wind_down, d, where(first, terms.wind_down * quarter * state.scale[d], 0.0))
    return Steered(scale, performance, state.size, withdrawn, wind_down)
