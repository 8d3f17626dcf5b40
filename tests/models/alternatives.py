"""Hypothesis strategies: in-house delivery, credit lines and grants with every kind of term."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.models.strategies import (
    PAYERS,
    START,
    Json,
    exits,
    lending_rates,
    maybe,
    paid_by_results,
    percents,
    portfolios,
    pounds,
    programmes,
    rarely,
    reviews,
    savings_payments,
    split_of_one,
)

METHODS = ("maturity", "eip", "annuity")


# --- in house ----------------------------------------------------------------------------------------


@st.composite
def borrowings(draw: Any) -> Json:
    """A PWLB loan by every method, with the table's rate or its own, perhaps with a fee."""
    method = draw(st.sampled_from(METHODS))
    found: Json = {"method": method}
    years = draw(maybe(st.integers(1 if method == "maturity" else 2, 4)))
    if years is not None:
        found["term_years"] = years
    rate = draw(maybe(st.sampled_from((0.0, 0.045, 0.08))))
    if rate is not None:
        found["rate"] = rate
    else:
        found["product"] = draw(st.sampled_from(("standard", "certainty")))
    if draw(st.booleans()):
        found["fee"] = {"rate": 0.00035, "least": 25.0}
    return found


@st.composite
def own_instruments(draw: Any, repaid_by: list[str]) -> Json:
    """Every way of paying for it in house; a reserve only where somebody saves."""
    base = {"cost_base": draw(st.sampled_from(("own", "same")))}
    ways = ["revenue", "receipts", "direction", "loan", "loan", *(["reserve"] * 3 if repaid_by else [])]
    way = draw(st.sampled_from(ways))
    if way == "loan":
        lines = draw(st.sampled_from((None, ["delivery"])))
        found = {"kind": "pwlb-loan", "draws": draw(st.sampled_from(("planned year", "need")))}
        if lines is not None:
            found |= {"lines": lines, "purpose": draw(st.sampled_from(("revenue", "capital")))}
        return base | found | draw(borrowings())
    found = {"kind": "fee-for-service", "funded_from": "revenue budget"}
    if way == "reserve":
        found["funded_from"] = "invest-to-save reserve"
        found["reserve"] = {
            "interest_forgone": draw(percents(0, 8)),
            "repaid_by": draw(st.sampled_from(repaid_by)),
            "share": draw(st.sampled_from((1.0, 0.6))),
        } | draw(limit("amount"))
    if way == "receipts":
        found["funded_from"] = "flexible capital receipts"
        found["receipts"] = {"until": draw(st.sampled_from(("2026-03-31", "2030-03-31")))}
        found["receipts"] |= draw(limit("available"))
    if way == "direction":
        found["funded_from"] = "capitalisation direction"
        found["direction"] = draw(borrowings()) | draw(limit("amount"))
        if draw(st.booleans()):
            found["direction"]["until"] = "2026-06-30"
    return base | found


@st.composite
def limit(draw: Any, name: str) -> Json:
    """A limit in pounds, or none."""
    amount = draw(maybe(pounds(1000, 60000)))
    return {} if amount is None else {name: amount}


@st.composite
def own_files(draw: Any, shocked: bool, changes: Json, quarters: int) -> Json:
    """One deal in house with its parties."""
    programme = draw(programmes(draw(rarely(st.just(True), False)), ("commissioner", "police")))
    agencies = sorted({one["agency"] for one in programme["savings"].values()})
    found: Json = {
        "programme": programme,
        "instrument": draw(own_instruments(agencies)) | changes,
        "parties": {"commissioner": "council", "provider": "charity"}
        | {a: a for a in agencies if a != "commissioner"},
        "start": draw(st.sampled_from((START, START, "2026-01-01"))),
    }
    if "reserve" in found["instrument"]:
        found["parties"]["reserve"] = "reserve"
    if "receipts" in found["instrument"]:
        found["parties"]["capital receipts"] = "receipts"
    return found


# --- a credit line -----------------------------------------------------------------------------------


@st.composite
def credit_lines(draw: Any) -> Json:
    """A credit line with every kind of term."""
    found: Json = {
        "kind": "credit-line",
        "limit": draw(
            st.one_of(
                st.fixed_dictionaries({"amount": pounds(0, 120000)}),
                st.fixed_dictionaries({"peak_need": st.sampled_from((0.5, 1.0, 1.5, 4.0))}),
            )
        ),
        "rate": draw(lending_rates()),
        "arrangement_fee": draw(st.sampled_from((0.0, 0.01))),
        "non_utilisation_fee": draw(st.sampled_from((0.0, 0.02))),
        "buffer": draw(st.one_of(st.just(0.0), pounds(500, 60000))),
        "recovery": draw(st.sampled_from((0.0, 0.4, 1.0))),
        "reserve_quarters": draw(st.integers(0, 5)),
        "vehicle_costs": draw(st.booleans()),
        "left_without_service": draw(st.sampled_from((0.0, 0.0, 0.5, 1.0))),
        "termination": draw(exits()),
    }
    if draw(st.booleans()):
        found["termination"]["insolvency"] = {"arrears_quarters": draw(st.sampled_from((1, 1, 2)))}
    covenant = draw(
        rarely(
            st.fixed_dictionaries(
                {"from_quarter": st.integers(1, 8), "most_drawn": st.sampled_from((0.1, 0.6, 2.0))}
            )
        )
    )
    if covenant is not None:
        found["covenant"] = covenant
    if draw(st.booleans()):
        found["step_in"] = {
            "after_quarters": draw(st.integers(1, 4)),
            "cost": draw(st.sampled_from((0.0, 5000.37))),
            "performance": draw(st.sampled_from((0.8, 1.0, 1.3))),
        }
    if draw(st.booleans()):
        found["review"] = draw(reviews())
    return found


@st.composite
def credit_files(draw: Any, shocked: bool, changes: Json, quarters: int) -> Json:
    """One deal on a credit line, perhaps with payment out of savings."""
    roles = PAYERS[: draw(st.integers(1, 3))]
    found = draw(paid_by_results(roles, shocked))
    found["instrument"] = draw(credit_lines()) | changes
    if found["programme"]["savings"] and draw(rarely(st.just(True), False)):
        found["tariff"]["savings"] = draw(savings_payments(found["programme"]["savings"]))
    return found


# --- a grant -----------------------------------------------------------------------------------------


@st.composite
def grants(draw: Any, lines: list[str]) -> Json:
    """A grant in one to three instalments."""
    parts = draw(st.integers(1, 3))
    instalments: Json = {}
    for name, share in zip(("first", "second", "third"), draw(split_of_one(parts)), strict=False):
        one: Json = {"share": share, "from_quarter": draw(st.integers(0, 8))}
        if lines and draw(st.booleans()):
            one["milestone"] = {
                "line": draw(st.sampled_from(lines)),
                "of_plan": draw(st.sampled_from((0.5, 0.9, 1.0, 1.2))),
            }
        instalments[name] = one
    found: Json = {
        "kind": "grant",
        "amount": draw(pounds(1000, 150000)),
        "instalments": instalments,
        "overheads": draw(st.sampled_from((0.0, 0.15, 1.0))),
        "clawback": draw(st.sampled_from((1.0, 1.0, 0.5, 0.0))),
        "termination": draw(exits()),
    }
    if draw(st.booleans()):
        found["monitoring"] = {
            "per_quarter": 400.37,
            "first_quarter": draw(st.integers(0, 2)),
            "last_quarter": 9,
        }
    if lines and draw(st.booleans()):
        found["impact"] = {"line": draw(st.sampled_from(lines)), "share": draw(percents(0, 100))}
    return found


@st.composite
def grant_files(draw: Any, shocked: bool, changes: Json, quarters: int) -> Json:
    """One deal on a grant, with a tariff or without, for one grantee or three."""
    roles = PAYERS[: draw(st.integers(1, 2))]
    found = draw(paid_by_results(roles, shocked))
    lines = list(found["programme"].get("outcomes", {}))
    found["instrument"] = draw(grants(lines)) | changes
    found["tariff"]["emergency_support"] = 0.0
    if draw(st.booleans()):
        del found["tariff"]
        found["parties"] = {
            role: party for role, party in found["parties"].items() if role in needed(found["programme"])
        } | {"commissioner": "council"}
    if draw(st.booleans()):
        found["parties"]["provider"] = [
            {"party": "one group", "share": 0.5}, {"party": "two group", "share": 0.3},
            {"party": "third group", "share": 0.2},
        ]  # fmt: skip
    return found


def needed(programme: Json) -> set[str]:
    """The roles that a grant without a tariff needs."""
    return {"provider", "investor", *(one["agency"] for one in programme["savings"].values())}


def files(of: Any, changes: Json | None = None) -> st.SearchStrategy[Json]:
    """A portfolio file of such deals."""
    return portfolios(1, changes, of)
