"""What must hold for any fund and any pooled guarantee, whatever their terms."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from socialfinance.funds import fund_step, pool
from tests.examples import examples
from tests.models.fund_strategies import (
    CLOSE,
    USUAL,
    Step,
    cases,
    commitments,
    is_lent,
    read,
    steps,
    steps_on_paths,
)
from tests.models.strategies import Json, maybe

SOME = settings(USUAL, max_examples=examples(25, 60))
BY_NOTE = ("interest", "redeemed", "principal", "more", "clawed_to")
ALONE = ("arrears", "carry", "clawback", "surplus")


def cash(state: fund_step.State) -> Any:
    """What is in the fund."""
    return state.waiting + state.held + state.retained + state.reserve


def flows(step: Step) -> dict[str, Any]:
    """Every payment of a row by name, and what is in the fund after it; by note as tuples."""
    found = {what: getattr(step.paid, what) for what in (*BY_NOTE, *ALONE)}
    called = {what: getattr(step.called, what) for what in ("calls", "granted", "costs", "earned")}
    return {
        **found,
        **called,
        "balance": step.state.balance,
        "owed": step.state.owed,
        "cash": cash(step.state),
    }


def flat(step: Step) -> list[Any]:
    """The payments of a row in order."""
    found: list[Any] = []
    for one in flows(step).values():
        found.extend(one if isinstance(one, tuple) else [one])
    return found


@given(cases())
@SOME
def test_cash_in_is_cash_out(case: Json) -> None:
    """On every row calls, yield and receipts are costs, grants, payments and the change of what is held."""
    before, close = 0.0, CLOSE * commitments(case)
    for step, now in zip(steps(case), case["rows"], strict=True):
        called, paid = step.called, step.paid
        came = sum(called.calls) + called.earned + sum(now["back"]) + sum(now["pool"])
        left = called.costs + sum(called.granted) + paid.arrears + paid.carry + paid.surplus
        # the clawback passes from the manager to notes and not through the fund
        left += sum(sum(getattr(paid, what)) for what in BY_NOTE if what != "clawed_to")
        assert abs(came - left - (cash(step.state) - before)) <= close
        assert abs(sum(paid.clawed_to) - paid.clawback) <= close
        before = cash(step.state)


@given(cases())
@SOME
def test_nothing_is_left_and_nothing_is_negative(case: Json) -> None:
    """No balance, debt or purse is ever below nil, and at the end the fund is empty."""
    done = steps(case)
    nil = -CLOSE * commitments(case)
    for step in done:
        state, paid = step.state, step.paid
        for amount in (state.waiting, state.held, state.retained, state.reserve, state.cost_arrears):
            assert amount >= nil
        for amounts in (state.balance, state.owed, state.hurdle, state.drawn, state.under_way):
            assert all(amount >= nil for amount in amounts)
        assert all(amount >= nil for amount in flat(step))
        assert state.managers >= nil
        assert 0.0 <= step.called.met <= 1.0
        assert paid.value >= nil
    assert cash(done[-1].state) == 0.0


@given(cases())
@SOME
def test_no_note_is_called_beyond_its_commitment(case: Json) -> None:
    """The calls of a note sum to no more than it promised."""
    fund, done = read(case), steps(case)
    for i, note in enumerate(fund.notes.values()):
        assert sum(step.called.calls[i] for step in done) <= note.commitment * (1 + CLOSE)


@given(cases())
@SOME
def test_deals_are_granted_the_same_share(case: Json) -> None:
    """No deal has more than it asks, and when money is short all get the same fraction."""
    for step, now in zip(steps(case), case["rows"], strict=True):
        for granted, wish in zip(step.called.granted, now["wishes"], strict=True):
            assert granted == pytest.approx(wish * step.called.met)
            assert granted <= wish


@given(cases())
@SOME
def test_a_trigger_protects(case: Json) -> None:
    """While it is on nobody below has anything while a protected note is owed, and principal goes by rank."""
    trigger = case["fund"]["waterfall"]["trigger"]
    notes = list(case["fund"]["notes"].values())
    close = CLOSE * commitments(case) + fund_step.HALF_A_PENNY * len(notes)
    if trigger is None:
        return
    lent = [i for i, note in enumerate(notes) if is_lent(note)]
    protected = {i for i in lent if notes[i]["rank"] <= trigger["protects"]}
    below = {i for i in range(len(notes)) if notes[i]["rank"] > trigger["protects"]}
    done = steps(case)
    for step in done:
        paid, state = step.paid, step.state
        if not paid.locked:
            continue
        waits = any(state.balance[i] + state.owed[i] > close for i in protected)
        assert not any(paid.redeemed)
        if (
            step is not done[-1] or waits
        ):  # the last row lets go once those protected have had all they are owed
            assert all(paid.interest[i] == 0.0 for i in below)
            assert not any(paid.more)
        if waits:
            assert all(paid.principal[i] <= close for i in below)
        for i in lent:
            if paid.principal[i] > close:
                assert all(state.balance[k] <= close for k in lent if notes[k]["rank"] < notes[i]["rank"])


@given(cases())
@SOME
def test_residual_notes_are_last(case: Json) -> None:
    """While any balance or interest is owed on other notes, residual notes and the manager have nothing."""
    notes = list(case["fund"]["notes"].values())
    close = CLOSE * commitments(case) + fund_step.HALF_A_PENNY * len(notes)
    lent = [i for i, note in enumerate(notes) if is_lent(note)]
    for step in steps(case):
        if any(step.state.balance[i] + step.state.owed[i] > close for i in lent):
            has = sum(step.paid.principal[i] + step.paid.more[i] for i in range(len(notes)) if i not in lent)
            assert has + step.paid.carry <= close


@given(cases())
@SOME
def test_a_grant_has_nothing(case: Json) -> None:
    """Nothing comes back on a grant."""
    for i, note in enumerate(case["fund"]["notes"].values()):
        if note["rate"]["basis"] == "grant":
            assert not any(getattr(step.paid, what)[i] for step in steps(case) for what in BY_NOTE)


@given(cases())
@SOME
def test_a_capped_note_has_no_more_than_its_cap(case: Json) -> None:
    """At its cap's rate what it had is worth no more than what it paid, the clawback apart."""
    done, notes = steps(case), list(case["fund"]["notes"].values())
    for i, note in enumerate(notes):
        if note["rate"].get("cap") is None:
            continue
        grows, worth = (1 + note["rate"]["cap"]) ** 0.25, 0.0
        for step in done:
            worth = worth * grows + step.called.calls[i] - step.paid.principal[i] - step.paid.more[i]
        assert worth >= -CLOSE * commitments(case) * grows ** len(done)


@given(cases())
@SOME
def test_nothing_is_lost_where_nobody_has_the_surplus(case: Json) -> None:
    """A fund that need not say who has what is left at the end leaves nothing."""
    fund = case["fund"]
    if any(n["rate"]["basis"] == "residual" and n["rate"]["cap"] is None for n in fund["notes"].values()):
        alone: Json = {**case, "fund": {**fund, "surplus_to": None}}
        try:
            done = steps(alone)
        except ValidationError:
            return  # it has to say
        assert done[-1].paid.surplus <= CLOSE * commitments(case)


def doubled(case: Json) -> Json:
    """The same case with twice the pounds."""
    twice: Json = deepcopy(case)
    fund = twice["fund"]
    for note in fund["notes"].values():
        note["commitment"] *= 2
    fund["reserve"]["target"] *= 2
    for what in ("per_year", "set_up"):
        fund["costs"][what] *= 2
    for plan in twice["plans"]:
        for what in ("draws", "back"):
            plan[what] = [2 * amount for amount in plan[what]]
    for now in twice["rows"]:
        now["fee"] *= 2
        for what in ("wishes", "back", "pool"):
            now[what] = [2 * amount for amount in now[what]]
    return twice


@given(cases())
@SOME
def test_twice_the_pounds_twice_the_flows(case: Json) -> None:
    """Nothing depends on the size of a pound."""
    close = CLOSE * commitments(case)
    for one, two in zip(steps(case), steps(doubled(case)), strict=True):
        assert all(abs(2 * a - b) <= close for a, b in zip(flat(one), flat(two), strict=True))


def halved(case: Json, which: str) -> Json:
    """The same case with one note in two halves."""
    made: Json = deepcopy(case)
    notes = {}
    for name, note in made["fund"]["notes"].items():
        if name != which:
            notes[name] = note
            continue
        for half in ("one", "two"):
            notes[f"{name} {half}"] = {**note, "commitment": note["commitment"] / 2}
    made["fund"]["notes"] = notes
    return made


@given(st.data(), cases())
@SOME
def test_two_halves_are_the_whole(data: Any, case: Json) -> None:
    """A note in two halves with the same terms pays and has, in total, what it did."""
    names = list(case["fund"]["notes"])
    which = data.draw(st.sampled_from(names))
    i, close = names.index(which), CLOSE * commitments(case)
    for whole, parts in zip(steps(case), steps(halved(case, which)), strict=True):
        before, after = flows(whole), flows(parts)
        for what, amount in before.items():
            now = after[what]
            if isinstance(amount, tuple) and what != "granted":
                now = (*now[:i], now[i] + now[i + 1], *now[i + 2 :])
            for a, b in zip(np.atleast_1d(amount), np.atleast_1d(now), strict=True):
                assert abs(a - b) <= close, (what, a, b)


@st.composite
def other_futures(draw: Any, case: Json) -> list[Json]:
    """The case, and some others of the same fund."""
    found = [case]
    for _ in range(2):
        other: Json = deepcopy(case)
        for now in other["rows"]:
            for what in ("wishes", "back", "pool"):
                now[what] = [amount * draw(st.integers(0, 15)) / 10 for amount in now[what]]
        found.append(other)
    return found


@given(st.data(), cases())
@SOME
def test_floats_and_paths_agree(data: Any, case: Json) -> None:
    """A path among others has what it has alone."""
    futures = data.draw(other_futures(case))
    close = CLOSE * commitments(case)
    together = steps_on_paths(case, futures)
    for path, one in enumerate(futures):
        for alone, step in zip(steps(one), together, strict=True):
            here = [float(np.broadcast_to(x, len(futures))[path]) for x in flat(step)]
            assert all(abs(a - b) <= close for a, b in zip(flat(alone), here, strict=True))


# --- the pooled guarantee --------------------------------------------------------------------------


@st.composite
def pools(draw: Any) -> Json:
    """A pool, and what one to three deals claim and pay back by row."""
    deals, rows = draw(st.integers(1, 3)), draw(st.integers(2, 16))
    cap = float(draw(st.integers(0, 60_000)))
    some = st.integers(0, 3).flatmap(lambda n: st.integers(1, 30_000) if n else st.just(0))
    return {
        "terms": {
            "cap": cap,
            "annual_limit": draw(maybe(st.integers(0, 30_000).map(float), float("inf"))),
            "replenished": draw(maybe(st.integers(0, 10_000).map(float), 0.0)),
            "restores": draw(st.sampled_from((0.0, 1.0))),
            "fee": 0.0,
        },
        "claims": [[float(draw(some)) for _ in range(deals)] for _ in range(rows)],
        "late": [[float(draw(some)) for _ in range(deals)] for _ in range(rows)],
        "share": draw(st.integers(0, 10)) / 10,
    }


@given(pools())
@USUAL
def test_a_pool_pays_no_more_than_it_should(case: Json) -> None:
    """Never more than claims, cap or annual limit; all claims of a row in one proportion, in the next."""
    terms = pool.Terms(**case["terms"])
    deals = len(case["claims"][0])
    state = pool.opening(deals)
    paid = came_back = this_year = 0.0
    added, before = 0.0, [0.0] * deals
    for t, claims in enumerate(case["claims"]):
        begins = t % 4 == 1 and t > 1
        if begins:
            this_year, added = 0.0, added + terms.replenished
        state, met = pool.answer(terms, state, float(begins))
        assert met.total == pytest.approx(sum(met.pays))
        shares = [one / claim for one, claim in zip(met.pays, before, strict=True) if claim > 0]
        assert all(share == pytest.approx(shares[0]) and share <= 1 + CLOSE for share in shares)
        paid, this_year = paid + met.total, this_year + met.total
        assert this_year <= terms.annual_limit * (1 + CLOSE)
        room = terms.cap + added + terms.restores * came_back
        assert paid <= room * (1 + CLOSE)
        if shares and shares[0] < 1 - CLOSE:
            full = state.used == pytest.approx(terms.cap)
            assert full or this_year == pytest.approx(terms.annual_limit)
        state = pool.claim(state, tuple(claims))
        for d, late in enumerate(case["late"][t]):
            state, back = pool.recover(terms, state, d, late, case["share"])
            assert 0.0 <= back <= late * case["share"] + CLOSE
            came_back += back
            assert state.recovered[d] <= state.met[d] + CLOSE
        assert all(m <= c * (1 + CLOSE) for m, c in zip(state.met, state.claimed, strict=True))
        assert 0.0 <= state.used <= terms.cap * (1 + CLOSE)
        before = claims
