"""Hypothesis strategies: small developments, and what pays for them, with every kind of term.

Everything is drawn as plain data, so that a failing example prints as a file that could be run.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from hypothesis import strategies as st

from tests.models.strategies import maybe, percents, pounds, rarely

Json = dict[str, Any]
ROWS = 30


@st.composite
def uncertain(draw: Any, about: float, width: float = 0.4) -> Any:
    """A number, a distribution or a process around it."""
    kind = draw(st.sampled_from(("number", "uniform", "uniform", "process")))
    if kind == "number":
        return about
    if kind == "uniform":
        return {"distribution": "uniform", "low": about * (1.0 - width), "high": about * (1.0 + width)}
    return {
        "distribution": "mean-reverting",
        "start": about,
        "mean": about,
        "reversion": 1.0,
        "volatility": about * width,
    }


@st.composite
def market(draw: Any, width: float = 0.4) -> Any:
    """A price over that of the plan."""
    if draw(st.booleans()):
        return {
            "distribution": "geometric-brownian",
            "start": 1.0,
            "drift": draw(percents(-10, 10)),
            "volatility": width,
        }
    return draw(uncertain(1.0, width))


@st.composite
def indexed(draw: Any) -> Json:
    return draw(
        st.sampled_from(({}, {}, {"index": "prices"}, {"index": "prices", "price_base": date(2024, 4, 1)}))
    )


@st.composite
def developments(draw: Any) -> Json:
    sales = {}
    for n in range(draw(st.integers(0, 2))):
        sales[f"sale {n}"] = {
            "units": draw(st.integers(1, 12)) * 1.0,
            "price": draw(pounds(40_000, 160_000)),
            "market": draw(market()),
            "presold": draw(percents(0, 60)),
            "per_quarter": draw(st.integers(1, 5)) * 1.0,
            "demand": draw(uncertain(0.9)),
            **draw(indexed()),
        }
    lettings = {}
    for n in range(draw(st.integers(0 if sales else 1, 2))):
        lettings[f"letting {n}"] = {
            "units": draw(st.integers(1, 10)) * 1.0,
            "rent": draw(pounds(800, 4_000)),
            "market": draw(uncertain(1.0, 0.2)),
            "above_index": draw(percents(-1, 2)),
            "collar": draw(maybe(st.just([0.0, 0.05]))),
            "void": draw(uncertain(0.05)),
            "unpaid": draw(percents(0, 5)),
            "per_quarter": draw(st.integers(1, 6)) * 1.0,
            "demand": draw(uncertain(1.0)),
            "gross_yield": draw(uncertain(0.07, 0.2)),
            "market_rent": draw(st.booleans()),
            **draw(indexed()),
        }
    uses = [*sales, *lettings]
    works: Json = {"works": draw(pounds(100_000, 700_000)), "overrun": draw(uncertain(1.05, 0.3))}
    costs: Json = {"works": works | draw(indexed())}
    if draw(st.booleans()):
        costs["fees"] = {
            "paid_to": "intermediary",
            "reason": "set-up cost",
            "one_off": draw(pounds(1_000, 40_000)),
            "first_quarter": draw(st.integers(0, 3)),
            "basis": draw(st.sampled_from(("any", "any", "vehicle", "in house"))),
        }
    if draw(st.booleans()):
        costs["overhead"] = {
            "paid_to": "intermediary",
            "reason": "other cost",
            "per_quarter": draw(pounds(100, 2_000)),
            "first_quarter": draw(st.integers(0, 4)),
            "last_quarter": draw(maybe(st.integers(5, 20))),
            "basis": draw(st.sampled_from(("any", "vehicle", "in house"))),
        }
    if draw(st.booleans()):
        costs["management"] = {"per_unit": draw(pounds(50, 600)), "on": draw(maybe(st.sampled_from(uses)))}
    if draw(st.booleans()):
        costs["selling"] = {"of_sales": draw(percents(1, 6)), "paid_to": "intermediary"}
    if draw(st.booleans()):
        costs["collecting"] = {"of_rent": draw(percents(1, 20)), "on": draw(maybe(st.sampled_from(uses)))}
    found: Json = {
        "kind": "development",
        "title": "Drawn",
        "purpose": draw(st.sampled_from(("service", "housing", "regeneration", "preventative", "yield"))),
        "land": {"value": draw(pounds(0, 400_000)), "market": draw(market())},
        "planning": draw(maybe(planning())),
        "build": {
            "quarters": draw(st.integers(1, 6)),
            "delay": draw(uncertain(1.1)),
            "s_curve": draw(percents(0, 100)),
            "phases": draw(st.integers(1, 4)),
        },
        "sales": sales,
        "lettings": lettings,
        "costs": costs,
        "grant": draw(
            maybe(
                st.fixed_dictionaries(
                    {"by": st.just("agency"), "amount": pounds(1_000, 200_000), "at_start": percents(0, 100)}
                )
            )
        ),
        "savings": draw(
            maybe(
                st.fixed_dictionaries(
                    {
                        "beds": st.fixed_dictionaries(
                            {
                                "on": st.sampled_from(uses),
                                "agency": st.just("commissioner"),
                                "unit_value": uncertain(500.0),
                                "cashable": percents(0, 100),
                            }
                        )
                    }
                ),
                {},
            )
        ),
        "last_quarter": draw(st.integers(12, ROWS)),
    }
    return {key: value for key, value in found.items() if value is not None}


@st.composite
def planning(draw: Any) -> Json:
    return {
        "quarters": draw(st.integers(0, 4)),
        "delay": draw(uncertain(1.2)),
        "chance": draw(st.sampled_from((1.0, 0.8, 0.3))),
        "gain": draw(uncertain(0.8)),
    }


@st.composite
def layers(draw: Any) -> list[Json]:
    found = []
    for role in draw(st.sampled_from(([], ["commissioner"], ["commissioner", "guarantor"]))):
        layer: Json = {
            "guarantor": role,
            "cover": draw(percents(20, 100)) / (2.0 if draw(st.booleans()) else 1.0),
            "when": draw(st.sampled_from(("acceleration", "missed payment"))),
            "interest": draw(st.booleans()),
            "claim_lag": draw(st.integers(0, 2)),
            "recoveries": draw(st.sampled_from(("lender first", "pro rata", "guarantor first"))),
            "failure": draw(percents(0, 10)),
            "enforceability": {"void": draw(st.sampled_from((0.0, 0.3)))},
            "fee": {
                "upfront": draw(percents(0, 2)),
                "running": draw(percents(0, 2)),
                "paid_by": draw(st.sampled_from(("vehicle", "vehicle", "investor"))),
            },
        }
        if draw(st.booleans()):
            unit = draw(st.sampled_from(("share of commitment", "share of drawn")))
            layer |= {"unit": unit, "attach": draw(percents(0, 10)), "detach": draw(percents(15, 80))}
        layer |= draw(rarely(st.just({"cap": 40_000.37}), {}))
        layer |= draw(rarely(st.just({"cap_a_year": 9_000.37}), {}))
        layer |= draw(rarely(st.just({"schedule": [{"from_quarter": 3, "amount": 30_000.37}]}), {}))
        found.append(layer)
    return found


@st.composite
def capital(draw: Any) -> Json:
    land = draw(percents(0, 100))
    entries: Json = {
        "land": {
            "by": "commissioner",
            "land": land,
            "rate": draw(percents(0, 8)),
            "from_quarter": draw(st.sampled_from((0, 0, 12))),
        },
        "members": {"by": "local investors", "amount": draw(pounds(0, 60_000)), "rate": draw(percents(0, 6))},
        "partner": {"by": "partner", "amount": draw(pounds(0, 200_000)), "rate": draw(percents(0, 10))},
    }
    names = draw(st.permutations(list(entries)))
    entries = {name: entries[name] for name in names}
    entries["partner"]["surplus"] = share = draw(percents(0, 100))
    entries["council"] = {"by": "commissioner", "surplus": 1.0 - share}
    if draw(st.booleans()):
        entries["standby"] = {"by": "partner", "amount": draw(pounds(1_000, 90_000)), "standby": True}
    return entries


@st.composite
def covenants(draw: Any) -> Json:
    found: Json = {"waiver_quarters": draw(st.integers(0, 3))}
    if draw(st.integers(0, 3)):
        most = draw(percents(40, 110))
        lock = draw(maybe(st.just(most * 0.9)))
        first = draw(st.integers(0, 12))
        found["loan_to_value"] = {"most": most, "lock_up": lock, "first_quarter": first}
    if draw(st.booleans()):
        least = draw(percents(80, 150))
        lock = draw(maybe(st.just(least * 1.2)))
        found["interest_cover"] = {"least": least, "lock_up": lock, "first_quarter": draw(st.integers(0, 14))}
    if draw(st.booleans()):
        found["cure"] = {
            "by": draw(st.sampled_from(("commissioner", "partner"))),
            "limit": draw(pounds(1_000, 600_000)),
            "times": draw(st.integers(1, 3)),
        }
    return found


@st.composite
def deals(draw: Any) -> Json:
    amount = {"amount": draw(pounds(200_000, 2_000_000))}
    first = draw(st.integers(4, 14))
    last = draw(st.integers(first, 18))
    bought = draw(rarely(st.just([{"quarter": 0, "share": 0.1}, {"quarter": 5, "share": 0.1}]), []))
    stakes = draw(capital())
    if bought:
        stakes["land"]["land"] = min(stakes["land"]["land"], 0.8)
    return {
        "kind": "asset-backed",
        "land": {
            "agreed": draw(maybe(pounds(10_000, 300_000))),
            "payments": bought,
            "ground_rent": draw(rarely(pounds(100, 4_000), 0.0)),
        },
        "indexation": {
            "index": draw(maybe(st.just("prices"))),
            "every": draw(st.integers(1, 5)),
            "above": draw(percents(-1, 2)),
            "rises": draw(maybe(st.just([0.0, 0.03]))),
        },
        "loan": {
            "commitment": draw(st.sampled_from((amount, amount, {"peak_need": 1.3}))),
            "rate": {"reference": "fixed", "value": draw(percents(0, 12)), "basis": "annual effective"},
            "availability_quarters": draw(st.integers(min(8, last), last)),
            "arrangement_fee": draw(percents(0, 2)),
            "commitment_fee": draw(percents(0, 2)),
            "repayment": {
                "profile": draw(st.sampled_from(("bullet", "eip", "annuity"))),
                "first_quarter": first,
                "last_quarter": last,
                "every": draw(st.integers(1, 3)),
                "balloon": draw(percents(0, 100)),
            },
            "sweep": draw(percents(0, 100)),
            "reserve_quarters": draw(st.integers(0, 4)),
        },
        "layers": draw(layers()),
        "capital": stakes,
        "distributions": draw(st.sampled_from(("while the loan runs", "after the loan"))),
        "covenants": draw(covenants()),
        "enforcement": {
            "missed_quarters": draw(st.integers(1, 3)),
            "arrears_quarters": draw(st.integers(1, 4)),
            "delay": draw(st.integers(1, 4)),
            "discount": draw(percents(0, 40)),
        },
        "sale_cost": draw(percents(0, 5)),
        "overage": draw(
            maybe(
                st.fixed_dictionaries(
                    {
                        "share": percents(10, 60),
                        "above": pounds(1_000, 800_000),
                        "on": st.sampled_from(("sales", "sales and exit", "planning")),
                    }
                )
            )
        ),
        "exit": draw(maybe(st.fixed_dictionaries({"quarter": st.integers(4, 24)}))),
    }


@st.composite
def strips(draw: Any) -> Json:
    starts = draw(st.integers(0, 8))
    return {
        "kind": "income-strip",
        "capital_sum": draw(pounds(100_000, 900_000)),
        "paid": draw(st.sampled_from(("at close", "as works proceed"))),
        "rent": draw(pounds(1_000, 60_000)),
        "starts": starts,
        "quarters": draw(st.integers(1, ROWS - starts)),
        "indexation": {
            "index": draw(maybe(st.just("prices"))),
            "every": draw(st.integers(1, 6)),
            "above": draw(percents(-1, 2)),
            "rises": draw(maybe(st.just([0.01, 0.04]))),
        },
        "option": draw(st.sampled_from((1.0, 0.0, 1000.0, 400_000.0))),
    }


@st.composite
def council_builds(draw: Any) -> Json:
    return {
        "kind": "council-build",
        "funded_from": draw(st.sampled_from(("reserves", "pwlb loans", "pwlb loans"))),
        "method": draw(st.sampled_from(("eip", "annuity", "maturity"))),
        "term_years": draw(maybe(st.integers(2, 9))),
        "rate": draw(maybe(percents(0, 9))),
        "fee": {"rate": draw(percents(0, 2)), "least": draw(st.sampled_from((0.0, 25.0)))},
    }


PARTIES: Json = {
    "council": {"kind": "council"},
    "agency": {"kind": "housing"},
    "fund": {"kind": "investor"},
    "builder": {"kind": "provider"},
    "agents": {"kind": "intermediary"},
    "developer": {"kind": "investor"},
    "members": {"kind": "community"},
    "insurer": {"kind": "guarantor"},
}
ROLES: Json = {
    "commissioner": "council",
    "agency": "agency",
    "investor": "fund",
    "provider": "builder",
    "intermediary": "agents",
    "partner": "developer",
    "local investors": "members",
    "guarantor": "insurer",
}


def needed(deal: Json, development: Json) -> Json:
    """The roles that this deal and development name."""
    named = {"commissioner", "provider", "intermediary"}
    named |= {"investor"} if deal["kind"] != "council-build" else set()
    named |= {"agency"} if "grant" in development else set()
    named |= {entry["by"] for entry in deal.get("capital", {}).values()}
    named |= {layer["guarantor"] for layer in deal.get("layers", ())}
    named |= {deal["covenants"]["cure"]["by"]} if "cure" in deal.get("covenants", {}) else set()
    return {role: party for role, party in ROLES.items() if role in named}


@st.composite
def portfolios(draw: Any, instrument: st.SearchStrategy[Json]) -> Json:
    """A portfolio of one deal, perhaps with a bad time for everybody."""
    development, deal = draw(developments()), draw(instrument)
    index = {
        "annual": draw(
            st.sampled_from(
                (
                    0.02,
                    {"distribution": "uniform", "low": -0.02, "high": 0.09},
                    {
                        "distribution": "mean-reverting",
                        "start": 0.03,
                        "mean": 0.02,
                        "reversion": 0.5,
                        "volatility": 0.03,
                    },
                )
            )
        )
    }
    shock = {"kind": "common-shock", "annual_probability": 0.4, "duration": 3, "depth": 0.4}
    found: Json = {
        "name": "drawn",
        "start": date(2026, 4, 1),
        "quarters": ROWS,
        "discount": {"rate": 0.05},
        "comparison": {
            "pwlb_method": draw(st.sampled_from(("eip", "annuity", "maturity"))),
            "pwlb_term_years": 4,
        },
        "parties": PARTIES,
        "factors": draw(maybe(st.just({"slump": shock}), {})),
        "deals": {
            "deal": {"programme": development, "instrument": deal, "parties": needed(deal, development)}
        },
    }
    if "'prices'" in str(found["deals"]):
        found["indices"] = {"prices": index}
    return found
