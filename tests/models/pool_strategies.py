"""Hypothesis strategies: small loan books and loan pools with every kind of term, as plain JSON."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.models.strategies import Json, maybe, percents, pounds, rarely, spread, tenths

START = "2025-07-01"
SEGMENTS = ("growing", "starting", "housing")
GUARANTORS = ("scheme", "insurer", "council")


@st.composite
def share(draw: Any, low: int, high: int) -> Any:
    """A fraction: a number, or uncertain, perhaps with a share of a common score."""
    mean = draw(percents(low, high))
    kind = draw(st.sampled_from(("number", "number", "beta", "loaded")))
    if kind == "number" or not 0.0 < mean < 1.0:
        return mean
    found: Json = {"distribution": "beta", "mean": mean, "sd": 0.3 * min(mean, 1.0 - mean)}
    if kind == "loaded":
        found["loadings"] = {"economy": 0.4}
    return found


@st.composite
def segments(draw: Any) -> Json:
    """Loans of one kind."""
    term = draw(st.integers(1, 6))
    found: Json = {
        "size": draw(pounds(2_000, 30_000)),
        "term": term,
        "repayment": draw(st.sampled_from(("bullet", "eip", "annuity"))),
        "holiday": draw(rarely(st.integers(0, term - 1), 0)),
        "rate": draw(percents(0, 12)),
        "basis": draw(st.sampled_from(("annual effective", "nominal quarterly"))),
        "default_probability": draw(share(0, 40)),
        "loss_given_default": draw(share(0, 100)),
        "recovery_lag": draw(st.integers(0, 3)),
        "prepayment": draw(maybe(share(1, 40), 0.0)),
        "correlation": draw(maybe(percents(5, 60), 0.0)),
        "volume": draw(spread(1.0)),
    }
    if draw(st.booleans()):
        found["schedule"] = draw(st.lists(tenths(0, 60), min_size=1, max_size=5))
    else:
        found |= {"per_quarter": draw(tenths(5, 50)), "quarters": draw(st.integers(1, 6))}
    kind = draw(st.sampled_from(("a year", "to term", "timed")))
    found["default_basis"] = "a year" if kind == "a year" else "to term"
    if kind == "timed":
        last = draw(st.integers(1, term))
        found["default_timing"] = [0.0] * (last - 1) + [1.0] if last < 3 else [0.5, *[0.0] * (last - 2), 0.5]
    return found


@st.composite
def costs(draw: Any) -> Json:
    """A cost line."""
    return {
        "paid_to": draw(st.sampled_from(("provider", "intermediary"))),
        "per_loan_made": draw(maybe(pounds(10, 900), 0.0)),
        "per_loan": draw(maybe(pounds(1, 60), 0.0)),
        "of_balance": draw(maybe(percents(1, 4), 0.0)),
        "per_quarter": draw(maybe(pounds(10, 1_500), 0.0)),
        "one_off": draw(maybe(pounds(10, 3_000), 0.0)),
        "first_quarter": draw(st.integers(0, 2)),
        "last_quarter": draw(maybe(st.integers(2, 16))),
        "overrun": draw(spread(1.0)),
        "index": draw(maybe(st.just("wages"))),
    }


@st.composite
def layers(draw: Any) -> Json:
    """Who stands behind a slice of the loss."""
    unit = draw(st.sampled_from(("pounds", "share of commitment", "share of drawn")))
    attach, depth = draw(st.sampled_from((0.0, 0.0, 0.02, 0.1))), draw(st.sampled_from((None, 0.05, 0.3)))
    scale = 100_000.0 if unit == "pounds" else 1.0
    found: Json = {
        "guarantor": draw(st.sampled_from(GUARANTORS)),
        "cover": draw(st.sampled_from((0.5, 0.8, 1.0))),
        "attach": attach * scale, "detach": None if depth is None else (attach + depth) * scale, "unit": unit,
        "claim_lag": draw(st.integers(0, 3)),
        "cap": draw(rarely(pounds(500, 30_000))),
        "cap_rate": draw(rarely(percents(1, 30))),
        "cap_a_year": draw(rarely(pounds(500, 9_000))),
        "fee": {"upfront": draw(rarely(percents(1, 4), 0.0)), "running": draw(maybe(percents(1, 4), 0.0)),
                "paid_by": draw(st.sampled_from(("vehicle", "vehicle", "investor", "giver")))},
        "recoveries": draw(st.sampled_from(("lender first", "pro rata", "guarantor first"))),
        "failure": draw(rarely(percents(5, 40), 0.0)),
        "enforceability": {"void": draw(rarely(percents(10, 60), 0.0))},
    }  # fmt: skip
    if draw(st.integers(0, 5)) == 0:
        found["schedule"] = [{"from_quarter": 1, "amount": 3_000.5}, {"from_quarter": 7, "amount": 9_000.5}]
    return found


@st.composite
def pools(draw: Any) -> Json:
    """The terms of a pool."""
    found: Json = {"kind": "loan-pool", "claims": draw(st.sampled_from(("at default", "final loss")))}
    found["commitment"] = draw(
        st.one_of(
            pounds(5_000, 200_000).map(lambda n: {"amount": n}), tenths(5, 14).map(lambda n: {"peak_need": n})
        )
    )
    if draw(st.booleans()):
        found["grant"] = {"by": "giver", "share": draw(percents(5, 60))}
    found["revolving_quarters"] = draw(maybe(st.integers(1, 12), 0))
    if found["revolving_quarters"]:
        found["most_lending"] = draw(maybe(tenths(10, 30), 1.0))
    found["most_lent"] = draw(rarely(pounds(20_000, 300_000)))
    found["stop_lending_at"] = draw(rarely(percents(5, 40)))
    found["reserve_quarters"] = draw(st.integers(0, 4))
    if draw(st.integers(0, 2)):
        basis = draw(st.sampled_from(("annual effective", "nominal half-yearly", "nominal quarterly")))
        found["rate"] = {"reference": "fixed", "value": draw(percents(0, 9)), "basis": basis}
    found["surplus"] = {"to": draw(st.sampled_from(("investor", "giver", "provider")))}
    found["layers"] = draw(st.lists(layers(), max_size=3))
    if found["layers"] and draw(st.booleans()):  # one only: two might cover the same pound twice
        draw(st.sampled_from(found["layers"]))["of"] = "the whole loss"
    return found


@st.composite
def pool_files(draw: Any) -> Json:
    """A whole portfolio with one pool, perhaps with a common shock and an index."""
    names = draw(st.lists(st.sampled_from(SEGMENTS), min_size=1, max_size=2, unique=True))
    book: Json = {
        "kind": "loan-book", "title": "loans",
        "segments": {name: draw(segments()) for name in names},
        "costs": {name: draw(costs()) for name in draw(st.sampled_from(([], ["team"], ["team", "rent"])))},
    }  # fmt: skip
    file: Json = {
        "name": "pools", "start": START, "quarters": draw(st.integers(8, 18)), "discount": {"rate": 0.035},
        "parties": {
            "fund": {"kind": "investor"}, "manager": {"kind": "provider"},
            "foundation": {"kind": "community"}, "scheme ltd": {"kind": "guarantor"},
            "insurer ltd": {"kind": "guarantor"}, "borough": {"kind": "council"},
        },
        "deals": {"pool": {"programme": book, "instrument": draw(pools())}},
    }  # fmt: skip
    pool = file["deals"]["pool"]["instrument"]
    pool["revolving_quarters"] = min(pool["revolving_quarters"], file["quarters"])
    factors, indices = {}, {}
    text = str(book)
    if "loadings" in text or (
        any(s["correlation"] for s in book["segments"].values()) and draw(st.booleans())
    ):
        factors["economy"] = {"kind": "gaussian"}
        if any(s["correlation"] for s in book["segments"].values()):
            book["loadings"] = {"economy": 0.5}
    if draw(st.integers(0, 2)) == 0:
        factors["slump"] = {"kind": "common-shock", "annual_probability": 0.5, "duration": 3, "depth": 0.5}
        book["default_in_shock"] = 2.5
    if "'wages'" in text:
        indices["wages"] = {"annual": {"distribution": "uniform", "low": 0.0, "high": 0.06}}
    file |= {"factors": factors, "indices": indices}
    roles = {"investor": "fund", "giver": "foundation", "provider": "manager",
             "scheme": "scheme ltd", "insurer": "insurer ltd", "council": "borough"}  # fmt: skip
    used = {"investor", pool["surplus"]["to"], *(one["paid_to"] for one in book["costs"].values())}
    used |= {"giver"} if "grant" in pool else set()
    for layer in pool["layers"]:
        used |= {layer["guarantor"], layer["fee"]["paid_by"]}
    used |= {"provider"} if not book["costs"] and pool["surplus"]["to"] == "provider" else set()
    file["deals"]["pool"]["parties"] = {role: party for role, party in roles.items() if role in used}
    return file
