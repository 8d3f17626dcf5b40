"""Hypothesis strategies: small funds with every kind of term, and what their deals ask and pay by row.

Everything is drawn as plain JSON, so that a failing example prints as something that could be run.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from socialfinance.core.time import Calendar
from socialfinance.funds import fund_step
from socialfinance.funds.fund import Fund
from socialfinance.funds.lower import Planned, lower
from tests.models.strategies import Json, maybe, percents, rarely

USUAL = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
CLOSE = 1e-9
"""Of all that is committed."""


class Step(NamedTuple):
    """A row as the package works it."""

    state: fund_step.State
    called: fund_step.Called
    paid: fund_step.Paid


def read(case: Json) -> Fund:
    """The fund of a case."""
    return Fund.model_validate(case["fund"])


def commitments(case: Json) -> float:
    """What all notes promise."""
    return float(sum(note["commitment"] for note in case["fund"]["notes"].values()))


def made_ready(case: Json) -> Any:
    """The fund of a case, lowered over the plan of its deals."""
    planned = [Planned(tuple(plan["draws"]), tuple(plan["back"])) for plan in case["plans"]]
    return lower(read(case), Calendar(date(2026, 4, 1), case["last"]), planned)


def steps(case: Json) -> list[Step]:
    """The package's fund on one path, floats all through."""
    ready = made_ready(case)
    state, done = ready.opening, []
    for row, now in zip(ready.schedule, case["rows"], strict=True):
        wishes, back, pool = (tuple(now[what]) for what in ("wishes", "back", "pool"))
        state, called = fund_step.draw(
            ready.terms,
            state,
            row,
            fund_step.rates(ready.terms, state, row),
            now["level"],
            now["fee"],
            wishes,
        )
        state, paid = fund_step.distribute(ready.terms, state, row, called, back, pool)
        done.append(Step(state, called, paid))
    return done


def steps_on_paths(case: Json, paths: Sequence[Json]) -> list[Step]:
    """The fund of a case on several paths at once, each with the rows of one of ``paths``."""
    ready = made_ready(case)
    state, done = fund_step.spread(ready.opening, len(paths)), []
    for row in ready.schedule:
        now = [one["rows"][row.row] for one in paths]
        wishes, back, pool = (
            tuple(np.array([one[what][d] for one in now]) for d in range(len(case["plans"])))
            for what in ("wishes", "back", "pool")
        )
        level, fee = (np.array([one[what] for one in now]) for what in ("level", "fee"))
        state, called = fund_step.draw(
            ready.terms, state, row, fund_step.rates(ready.terms, state, row), level, fee, wishes
        )
        state, paid = fund_step.distribute(ready.terms, state, row, called, back, pool)
        done.append(Step(state, called, paid))
    return done


# --- notes -----------------------------------------------------------------------------------------


@st.composite
def rates(draw: Any) -> Json:
    """A rate with a balance behind it."""
    basis = draw(st.sampled_from(("fixed", "fixed", "over-pwlb", "performance")))
    if basis == "fixed":
        return {"basis": basis, "annual": draw(percents(0, 14))}
    if basis == "over-pwlb":
        return {"basis": basis, "margin": draw(percents(-2, 6)), "term_years": draw(st.integers(2, 20))}
    nothing_at = draw(percents(20, 90))
    return {
        "basis": basis, "annual": draw(percents(0, 8)), "extra": draw(percents(1, 8)),
        "nothing_at": nothing_at, "all_at": nothing_at + draw(percents(5, 60)),
    }  # fmt: skip


@st.composite
def lent(draw: Any, rank: int, deferrable: bool) -> Json:
    """A note that is repaid."""
    redemption = {
        "every": draw(st.integers(1, 4)), "first": draw(st.integers(1, 6)),
        "asked_for": draw(percents(5, 60)), "kept": draw(percents(5, 50)),
    }  # fmt: skip
    return {
        "holder": "someone",
        "rank": rank,
        "rate": draw(rates()),
        "deferrable": deferrable,
        "compounds": draw(st.booleans()),
        "undrawn_fee": draw(rarely(percents(1, 3), 0.0)),
        "retail": draw(rarely(st.just({"redemption": redemption}))),
    }


@st.composite
def notes(draw: Any) -> dict[str, Json]:
    """One to five notes of every rate basis, listed in any order; their sizes as weights."""
    lends, leaves = draw(st.integers(0, 3)), draw(st.integers(0, 2))
    grants = draw(st.integers(0, 1)) if lends + leaves < 5 else 0
    if lends + leaves == 0:
        lends = 1
    found, rank, firm = [], 1, draw(st.integers(0, lends))
    for i in range(lends):
        rank += draw(st.integers(0, 1)) if i else 0
        found.append(draw(lent(rank, i >= firm)))
    rank += 1 if lends else 0
    for _ in range(leaves):
        cap = draw(maybe(percents(2, 20)))
        found.append({"holder": "someone", "rank": rank, "rate": {"basis": "residual", "cap": cap}})
        rank += draw(st.integers(0, 1))
    for _ in range(grants):
        found.append({"holder": "someone", "rank": draw(st.integers(1, rank)), "rate": {"basis": "grant"}})
    for note in found:
        note["commitment"] = float(draw(st.integers(1, 9)))
    order = draw(st.permutations(range(len(found))))
    return {f"note {k}": found[i] for k, i in enumerate(order)}


def is_lent(note: Json) -> bool:
    """Whether a note is repaid."""
    return note["rate"]["basis"] not in ("residual", "grant")


def takes_all(found: dict[str, Json]) -> bool:
    """Whether some rank of residual notes has no cap at all, so that nothing is left behind it."""
    ranks: dict[int, list[bool]] = {}
    for note in found.values():
        if note["rate"]["basis"] == "residual":
            ranks.setdefault(note["rank"], []).append(note["rate"]["cap"] is None)
    return any(all(uncapped) for uncapped in ranks.values())


@st.composite
def triggers(draw: Any, found: dict[str, Json]) -> Json | None:
    """A trigger that protects some and not all, where the notes allow one."""
    ranks = {note["rank"] for note in found.values()}
    first = min((note["rank"] for note in found.values() if is_lent(note)), default=99)
    allowed = [rank for rank in sorted(ranks) if first <= rank < max(ranks)]
    if not allowed or draw(st.integers(0, 3)) == 0:
        return None
    tests = {
        f"test {k}": {
            "kind": draw(st.sampled_from(("interest", "assets"))),
            "at_least": draw(percents(30, 300)),
            "first_quarter": draw(st.integers(0, 6)),
            "window": draw(st.integers(1, 4)),
        }
        for k in range(draw(st.integers(1, 2)))
    }
    return {
        "protects": draw(st.sampled_from(allowed)),
        "tests": tests,
        "curable": draw(st.integers(0, 3)) > 0,
        "cure_quarters": draw(st.integers(1, 3)),
    }


@st.composite
def funds(draw: Any, need: float) -> Json:
    """A fund for deals that draw ``need`` in all."""
    found = draw(notes())
    weights = sum(note["commitment"] for note in found.values())
    size = round(need * draw(percents(60, 160)), 2)
    for note in found.values():
        note["commitment"] = round(size * note["commitment"] / weights, 2)
    carry = None
    if takes_all(found) and not any(note["rate"].get("cap") for note in found.values()):
        carry = draw(maybe(st.fixed_dictionaries({
            "style": st.sampled_from(("european", "american")),
            "preferred": percents(0, 10),
            "share": percents(5, 40),
            "catch_up": st.sampled_from((0.0, 0.5, 1.0)),
        })))  # fmt: skip
    return {
        "party": "fund",
        "notes": found,
        "waterfall": {
            "principal": draw(st.sampled_from(("sequential", "pro-rata"))),
            "trigger": draw(triggers(found)),
        },
        "calls": {
            "notice_quarters": draw(st.integers(0, 2)),
            "order": draw(st.sampled_from(("together", "last rank first"))),
        },
        "recycling": {
            "limit": draw(maybe(percents(2, 60), 0.0)),
            "until_quarter": draw(st.integers(2, 15)),
        },
        "reserve": {
            "target": round(size * draw(maybe(percents(1, 15), 0.0)), 2),
            "interest_quarters": draw(st.integers(0, 4)),
            "from_calls": draw(st.booleans()),
        },
        "costs": {
            "per_year": round(size * draw(maybe(percents(1, 6), 0.0)), 2),
            "set_up": round(size * draw(maybe(percents(1, 3), 0.0)), 2),
            "until_quarter": draw(maybe(st.integers(1, 16))),
        },
        "cash_yield": draw(maybe(percents(1, 5), 0.0)),
        "carry": carry,
        "surplus_to": "community",
    }


# --- deals -----------------------------------------------------------------------------------------


@st.composite
def plans(draw: Any, last: int) -> Json:
    """One deal's plan: drawn early, more or less back later."""
    size = draw(st.integers(10_000, 90_000)) + 0.37
    first = draw(st.integers(0, min(6, last - 2)))
    drawn_over = draw(st.integers(1, max(1, min(5, last - first - 2))))
    waits = draw(st.integers(0, 2))
    back_over = max(1, last - first - drawn_over - waits - draw(st.integers(0, 3)))
    back = size * draw(percents(90, 200)) / back_over
    return {
        "draws": [size / drawn_over if first <= t < first + drawn_over else 0.0 for t in range(last + 1)],
        "back": [back if 0 <= t - first - drawn_over - waits < back_over else 0.0 for t in range(last + 1)],
    }


@st.composite
def cases(draw: Any) -> Json:
    """A fund, the plan of its deals, and what happens to them row by row."""
    last = draw(st.integers(3, 15))
    deals = [draw(plans(last)) for _ in range(draw(st.integers(1, 3)))]
    fund = draw(funds(sum(sum(plan["draws"]) for plan in deals)))
    fails = [draw(st.integers(0, last * 2)) for _ in deals]
    growth = draw(percents(0, 2))
    pooled = fund["carry"] is None and draw(st.booleans())
    rows = []
    for t in range(last + 1):
        wishes, back, pool = [], [], []
        for plan, fails_at in zip(deals, fails, strict=True):
            alive = t < fails_at or fails_at > last
            late = plan["draws"][max(0, t - 1)]
            asks = draw(percents(50, 160)) * plan["draws"][t] + draw(rarely(percents(10, 60), 0.0)) * late
            wishes.append(asks if alive else 0.0)
            back.append(draw(maybe(percents(0, 150), 1.0)) * plan["back"][t] if alive else 0.0)
            pool.append(float(draw(rarely(st.integers(1, 9_000), 0))) if pooled and not alive else 0.0)
        fee = float(draw(rarely(st.integers(1, 400), 0)))
        rows.append({"level": (1 + growth) ** t, "fee": fee, "wishes": wishes, "back": back, "pool": pool})
    return {"fund": fund, "last": last, "plans": deals, "rows": rows}
