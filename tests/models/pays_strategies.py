"""Hypothesis strategies: pay-as-you-save with every kind of term, on any people's programme."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.models.strategies import (
    GUARANTORS,
    PAYERS,
    START,
    Json,
    exits,
    layer_stacks,
    lending_rates,
    maybe,
    paid_by_results,
    percents,
    portfolios,
    pounds,
    rarely,
    reviews,
    savings_payments,
    split_of_one,
    tenths,
)


@st.composite
def floors(draw: Any) -> Json:
    """A floor as a share of drawn, or in pounds."""
    found: Json = {"by": draw(st.sampled_from(GUARANTORS)), "claim_lag": draw(st.integers(0, 2))}
    if draw(st.booleans()):
        return found | {"share": draw(percents(10, 100))}
    return found | {"amount": draw(pounds(0, 60000))}


@st.composite
def reinvestments(draw: Any) -> Json:
    """How a surplus buys more starts."""
    found: Json = {
        "most_scale": draw(st.sampled_from((1.0, 1.5, 2.0, 4.0))),
        "stop_below": draw(st.sampled_from((0.0, 0.0, 0.7, 1.1))),
        "stop_measure": draw(st.sampled_from(("verified over plan", "verified per pound of cost"))),
    }
    until, each = draw(maybe(st.integers(1, 10))), draw(maybe(pounds(20, 900)))
    if until is not None:
        found["until_quarter"] = until
    if each is not None:
        found["cost_per_start"] = each
    return found


@st.composite
def instruments(draw: Any, quarters: int, payers: tuple[str, ...]) -> Json:
    """Pay-as-you-save over at most so many quarters."""
    found: Json = {
        "kind": "pay-as-you-save",
        "commitment": draw(
            st.one_of(
                st.fixed_dictionaries({"amount": pounds(0, 200000)}),
                st.fixed_dictionaries({"peak_need": st.sampled_from((0.7, 1.0, 1.2, 2.0))}),
            )
        ),
        "draw_ahead": draw(st.integers(0, 3)),
        "reserve_quarters": draw(st.integers(0, 4)),
        "rate": draw(lending_rates()),
        "arrangement_fee": draw(st.sampled_from((0.0, 0.01))),
        "commitment_fee": draw(st.sampled_from((0.0, 0.04))),
        "fees": draw(st.sampled_from(("rolled up", "from cash"))),
        "outcome_payments": draw(st.booleans()),
        "savings": {
            "share": draw(percents(10, 100)),
            "of": draw(st.sampled_from(("cashable", "all"))),
            "verification_lag": draw(st.integers(0, 3)),
        },
        "unpaid": draw(st.sampled_from(("written off", "paid by agencies", "paid by the commissioner"))),
        "termination": draw(exits()),
        "layers": draw(maybe(layer_stacks(quarters, payers), [])),
    }
    for layer in found["layers"]:
        if layer["when"] == "missed payment":
            layer["when"] = "maturity"
        if layer.get("fee", {}).get("paid_by") == layer["guarantor"]:
            layer["fee"]["paid_by"] = "vehicle"
    floor = draw(maybe(floors()))
    if floor is not None:
        found["floor"] = floor
    stop = draw(maybe(st.integers(quarters - 4, quarters)))
    if stop is not None:
        found["long_stop_quarter"] = stop
    tested = draw(rarely(st.integers(1, 8)))
    if tested is not None and (floor is not None or found["layers"]):
        found["floor_quarter"] = tested
    until = draw(maybe(st.integers(0, stop or quarters)))
    if until is not None:
        found["availability_quarters"] = until
    if draw(st.booleans()):
        four = draw(split_of_one(4))
        found["surplus"] = dict(zip(("agencies", "provider", "investor", "reinvest"), four, strict=True))
        rule = draw(maybe(reinvestments()))
        if rule is not None:
            found["reinvest"] = rule
    if draw(st.booleans()):
        found["review"] = draw(reviews())
    return found


@st.composite
def deal_files(draw: Any, shocked: bool, changes: Json, quarters: int) -> Json:
    """One deal with its parties; about every other time it saves so much that a surplus comes early."""
    roles = PAYERS[: draw(st.integers(1, 3))]
    found = draw(paid_by_results(roles, shocked))
    later = 0 if found["start"] == START else 2
    terms = found["instrument"] = draw(instruments(quarters - later, roles)) | changes
    saving, tariff = found["programme"]["savings"], found["tariff"]
    if saving and draw(st.booleans()):
        makes_rich(draw, found["programme"], terms)
    if not any(one["cashable"] > 0.0 for one in saving.values()):
        terms["outcome_payments"] = True
    elif draw(st.booleans()):
        tariff["savings"] = draw(savings_payments(saving))
    named = {layer["guarantor"] for layer in terms["layers"]}
    named |= {terms["floor"]["by"]} if "floor" in terms else set()
    found["parties"] |= {role: role for role in sorted(named)}
    return found


def makes_rich(draw: Any, programme: Json, terms: Json) -> None:
    """Much is saved soon, while people still start; a part of the surplus is perhaps spent on more."""
    programme["referrals"] = {"per_quarter": draw(tenths(100, 300)), "quarters": draw(st.integers(6, 10))}
    for line in programme.get("outcomes", {}).values():
        line["lag"] = draw(st.integers(0, 1))
    for one in programme["savings"].values():
        one |= {"unit_value": draw(pounds(2000, 9000)), "lag": 0, "cashable": draw(percents(40, 100))}
    terms["reserve_quarters"] = draw(st.integers(0, 1))
    terms["draw_ahead"] = 0
    if draw(st.booleans()):
        terms["surplus"] = {"agencies": 0.25, "provider": 0.1, "investor": 0.15, "reinvest": 0.5}


def pays_portfolios(deals: int = 1, changes: Json | None = None) -> st.SearchStrategy[Json]:
    """A portfolio file of pay-as-you-save; ``changes`` replace terms of it."""
    return portfolios(deals, changes, deal_files)
