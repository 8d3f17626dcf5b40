"""Hypothesis strategies: small programmes, social impact bonds and guaranteed debt with every kind of term.

Everything is drawn as plain JSON, so that a failing example prints as a file that could be run.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from socialfinance.funds.portfolio import Portfolio

Json = dict[str, Any]
LINES = ("engages", "housed", "stays", "works")
PAYERS = ("council", "nhs", "dwp")
COSTS = ("delivery", "set-up", "management", "evaluation")
START = "2025-07-01"


def maybe(strategy: st.SearchStrategy[Any], otherwise: Any = None) -> st.SearchStrategy[Any]:
    """The strategy's value about every other time."""
    return st.one_of(st.just(otherwise), strategy)


def rarely(strategy: st.SearchStrategy[Any], otherwise: Any = None) -> st.SearchStrategy[Any]:
    """The strategy's value about once in four."""
    return st.integers(0, 3).flatmap(lambda n: strategy if n == 3 else st.just(otherwise))


def pounds(least: int, most: int) -> st.SearchStrategy[float]:
    """Whole pounds and 37 pence."""
    return st.integers(least, most).map(lambda n: n + 0.37)


def tenths(least: int, most: int) -> st.SearchStrategy[float]:
    """Tenths."""
    return st.integers(least, most).map(lambda n: n / 10)


def percents(least: int, most: int) -> st.SearchStrategy[float]:
    """Hundredths."""
    return st.integers(least, most).map(lambda n: n / 100)


@st.composite
def split_of_one(draw: Any, parts: int) -> list[float]:
    """Shares that sum to one."""
    weights = [draw(st.integers(1, 6)) for _ in range(parts)]
    shares = [round(w / sum(weights), 4) for w in weights]
    return [*shares[:-1], 1.0 - sum(shares[:-1])]


@st.composite
def chance(draw: Any, low: int = 20, high: int = 95) -> Any:
    """A probability: a number, or uncertain, perhaps with a share of a common score."""
    mean = draw(percents(low, high))
    kind = draw(st.sampled_from(("number", "number", "uniform", "beta", "loaded")))
    if kind == "number":
        return mean
    if kind == "uniform":
        return {"distribution": "uniform", "low": mean * 0.7, "high": min(1.0, mean * 1.2)}
    found: Json = {"distribution": "beta", "mean": mean, "sd": 0.2 * min(mean, 1.0 - mean)}
    if kind == "loaded":
        found["loadings"] = {"economy": 0.5}
    return found


@st.composite
def spread(draw: Any, about: float) -> Any:
    """A positive number, or uncertain around it."""
    if draw(st.booleans()):
        return about
    return {"distribution": "uniform", "low": about * 0.7, "high": about * 1.4}


# --- programmes --------------------------------------------------------------------------------------


@st.composite
def referrals(draw: Any) -> Json:
    """Referrals by schedule or by flow."""
    found: Json = {"volume": draw(spread(1.0)), "arrival": draw(st.sampled_from(("random", "as planned")))}
    if draw(st.booleans()):
        found["schedule"] = draw(st.lists(tenths(0, 300), min_size=2, max_size=8))
    else:
        found |= {"per_quarter": draw(tenths(30, 300)), "quarters": draw(st.integers(2, 8))}
        found["ramp"] = draw(st.lists(percents(10, 90), max_size=2))
    if found["arrival"] == "random":
        found["dispersion"] = draw(st.sampled_from((0.0, 0.2, 1.0)))
    return found


@st.composite
def outcomes(draw: Any) -> Json:
    """One to four lines in a chain or a tree."""
    lines: Json = {}
    for name in LINES[: draw(st.integers(1, 4))]:
        line: Json = {
            "probability": draw(chance()),
            "lag": draw(st.integers(0, 3)),
            "verification_lag": draw(st.sampled_from((0, 0, 1, 2))),
            "deadweight": draw(st.sampled_from((0.0, 0.25))),
        }
        of = draw(st.sampled_from((None, *lines)))
        if of is not None:
            line["of"] = of
        lines[name] = line
    # a file may name a line before the one that it follows
    return dict(reversed(lines.items())) if draw(rarely(st.just(True), False)) else lines


@st.composite
def effects(draw: Any) -> Json:
    """An evaluated effect with one to three cohorts."""
    cohorts, first = {}, 1
    for name in ("first", "second", "third")[: draw(st.integers(1, 3))]:
        last = first + draw(st.integers(0, 3))
        cohorts[name] = {
            "first_quarter": first,
            "last_quarter": last,
            "measured_quarter": last + draw(st.integers(0, 4)),
            "people": draw(tenths(200, 900)),
            "controls": draw(tenths(200, 900)),
        }
        first = last + 1
    true = draw(st.sampled_from((0.12, {"distribution": "normal", "mean": 0.08, "sd": 0.06})))
    return {"true": true, "baseline": draw(tenths(5, 30)), "dispersion": 1.3, "cohorts": cohorts}


@st.composite
def costs(draw: Any) -> Json:
    """A delivery cost and up to three others."""
    found: Json = {}
    kinds = {
        "delivery": ("provider", "delivery cost"),
        "set-up": ("provider", "set-up cost"),
        "management": ("intermediary", "intermediary cost"),
        "evaluation": ("evaluator", "evaluation cost"),
    }
    for name in COSTS[: draw(st.integers(1, 4))]:
        paid_to, reason = kinds[name]
        line: Json = {"paid_to": paid_to, "reason": reason, "overrun": draw(spread(1.0))}
        first = line["first_quarter"] = draw(st.integers(0, 2))
        if draw(st.booleans()):
            line["schedule"] = draw(st.lists(pounds(0, 9000), min_size=1, max_size=7))
        else:
            line["per_quarter"] = draw(pounds(500, 9000))
            last = draw(maybe(st.integers(first, 14)))
            if last is not None:
                line["last_quarter"] = last
        line["per_user"] = draw(st.sampled_from((0.0, 0.0, 130.5)))
        line["one_off"] = draw(st.sampled_from((0.0, 0.0, 4000.25)))
        line["elasticity"] = draw(st.sampled_from((0.0, 0.6, 1.0)))
        line["response_lag"] = draw(st.integers(0, 2))
        line["inside_cap"] = draw(st.sampled_from((True, True, True, False)))
        line["vat"], line["vat_recoverable"] = draw(st.sampled_from(((0.0, 1.0), (0.2, 0.0), (0.2, 0.4))))
        line["basis"] = draw(st.sampled_from(("any", "any", "any", "vehicle", "in house")))
        if draw(st.booleans()):
            line["index"] = "wages"
        found[name] = line
    return found


@st.composite
def savings(draw: Any, lines: list[str], agencies: tuple[str, ...]) -> Json:
    """Up to two savings."""
    found: Json = {}
    for name in ("beds", "arrests")[: draw(st.integers(0, 2))]:
        found[name] = {
            "on": draw(st.sampled_from(lines)),
            "agency": draw(st.sampled_from(agencies)),
            "unit_value": draw(spread(700.0)),
            "lag": draw(st.integers(0, 2)),
            "duration": draw(st.integers(1, 6)),
            "drop_off": draw(st.sampled_from((0.0, 0.3, 1.0))),
            "cashable": draw(st.sampled_from((0.0, 0.5, 1.0))),
        }
        if draw(st.booleans()):
            found[name] |= {"index": "wages", "price_base": "2024-07-01"}
    return found


@st.composite
def programmes(draw: Any, by_effect: bool, agencies: tuple[str, ...]) -> Json:
    """A people programme, with outcome lines or an evaluated effect."""
    found: Json = {
        "title": "A programme",
        "referrals": draw(referrals()),
        "engagement": draw(chance(50, 98)),
        "costs": draw(costs()),
    }
    lines: list[str] = []
    if by_effect:
        found["effect"] = draw(effects())
        lines.append("effect")
    else:
        found["outcomes"] = draw(outcomes())
        lines += found["outcomes"]
    found["savings"] = draw(savings(lines, agencies))
    failure = draw(rarely(st.just({"probability": 0.5, "performance": 0.4, "referrals": 0.8, "onset": 3})))
    if failure is not None:
        found["failure"] = failure
    return found


# --- tariffs -----------------------------------------------------------------------------------------


@st.composite
def payers(draw: Any, roles: tuple[str, ...], lines: list[str], own_prices: bool) -> Json:
    """Payers with shares or prices of their own, caps, windows and lags."""
    shares = draw(split_of_one(len(roles)))
    found: Json = {}
    for role, share in zip(roles, shares, strict=True):
        payer: Json = {"payment_lag": draw(st.integers(0, 2)), "passes_on": draw(st.booleans())}
        if own_prices:
            mine = draw(st.lists(st.sampled_from(lines), min_size=1, unique=True))
            payer["prices"] = {line: draw(pounds(200, 4000)) for line in mine}
        else:
            payer["share"] = share
        payer["joins"] = draw(st.sampled_from((0, 0, 3)))
        leaves, cap = draw(rarely(st.integers(5, 12))), draw(rarely(pounds(3000, 90000)))
        if leaves is not None:
            payer["leaves"] = leaves
        if cap is not None:
            payer["cap"] = cap
        payer["scale_for_deadweight"] = draw(rarely(st.just(True), False))
        found[role] = payer
    return found


@st.composite
def tariffs(draw: Any, lines: list[str], roles: tuple[str, ...], shocked: bool) -> Json:
    """A rate card or an effect payment, with every cap."""
    by_effect = not lines
    own = not by_effect and draw(rarely(st.just(True), False))
    found: Json = {"payers": draw(payers(roles, lines, own)), "tail": draw(st.sampled_from((0, 1, 2, 8)))}
    if by_effect:
        found["effect"] = {"pooled_trigger": draw(percents(1, 9))}
        if draw(st.booleans()):
            found["effect"]["per_event"] = draw(pounds(500, 9000))
            trigger = draw(maybe(percents(2, 14)))
            if trigger is not None:
                found["effect"]["cohort_trigger"] = trigger
        else:
            steps = sorted(draw(st.lists(percents(1, 15), min_size=1, max_size=3, unique=True)))
            found["effect"]["steps"] = [{"at": at, "pays": 20000.37 + 400000 * at} for at in steps]
    elif not own:
        priced = draw(st.lists(st.sampled_from(lines), min_size=1, unique=True))
        found["prices"] = {line: draw(pounds(300, 6000)) for line in priced}
    optional: list[tuple[str, Any]] = [
        ("cap", rarely(pounds(9000, 200000))),
        ("cap_per_person", maybe(pounds(500, 6000)) if lines else st.none()),
        ("last_claim", rarely(st.integers(3, 12))),
        ("delayed", rarely(st.fixed_dictionaries({"share": percents(5, 60), "quarters": st.integers(1, 3)}))),
        ("clawback", maybe(st.fixed_dictionaries({"share": percents(5, 40), "after": st.integers(1, 4)}))),
        ("collar", st.none()),
        ("index", maybe(st.just("wages"))),
        (
            "minimum_referrals",
            rarely(
                st.fixed_dictionaries(
                    {
                        "per_quarter": tenths(40, 250),
                        "payment": pounds(20, 900),
                        "tested_every": st.integers(1, 4),
                    }
                )
            ),
        ),
    ]
    for name, strategy in optional:
        value = draw(strategy)
        if value is not None:
            found[name] = value
    if "index" in found:
        found |= {"collar": [0.0, 0.03]} if draw(st.booleans()) else {"price_base": "2024-01-01"}
    if lines:
        capped = draw(st.lists(st.sampled_from(lines), max_size=1))
        found["caps"] = {line: draw(pounds(2000, 40000)) for line in capped}
    found["rejected"] = draw(st.sampled_from((0.0, 0.0, 0.07)))
    found["emergency_support"] = draw(st.sampled_from((0.0, 0.5, 0.9))) if shocked else 0.0
    return found


# --- bonds -------------------------------------------------------------------------------------------


@st.composite
def exits(draw: Any) -> Json:
    """Early ends of every kind."""
    found: Json = {"wind_down_quarters": draw(st.integers(0, 2))}
    if draw(st.booleans()):
        found["performance_test"] = {
            "first_quarter": draw(st.integers(1, 6)),
            "every": draw(st.integers(1, 3)),
            "window": draw(st.integers(1, 5)),
            "below": draw(percents(30, 97)),
            "strikes": draw(st.integers(1, 2)),
            "basis": draw(st.sampled_from(("re-based", "plan"))),
        }
    hazard = st.fixed_dictionaries({"annual_probability": percents(5, 40), "from_quarter": st.integers(1, 5)})
    for cause in ("voluntary", "policy", "insolvency"):
        terms = draw(rarely(hazard, {}))
        if cause == "policy":
            certain = draw(rarely(st.integers(1, 12)))
            terms = terms if certain is None else {**terms, "at_quarter": certain}
        if cause == "insolvency":
            terms = {**terms, "arrears_quarters": draw(st.sampled_from((1, 2, 3, 5)))}
        found[cause] = terms
    found["compensation"] = {
        cause: draw(st.sampled_from((0.0, 0.4, 1.0)))
        for cause in ("performance", "voluntary", "policy", "insolvency")
    }
    return found


@st.composite
def bonds(draw: Any, lines: list[str]) -> Json:
    """A social impact bond."""
    found: Json = {
        "kind": "social-impact-bond",
        "commitment": draw(
            st.one_of(
                st.fixed_dictionaries({"amount": pounds(0, 400000)}),
                st.fixed_dictionaries({"peak_need": st.sampled_from((0.7, 1.0, 1.2, 2.0, 4.0))}),
            )
        ),
        "draw_ahead": draw(st.integers(0, 3)),
        "reserve_quarters": draw(st.integers(0, 5)),
        "revolving": draw(st.booleans()),
        "provider_at_risk": draw(st.sampled_from((0.0, 0.0, 0.1, 0.3))),
        "termination": draw(exits()),
        "cap": draw(
            st.sampled_from(
                (
                    {},
                    {"irr": 0.05},
                    {"irr": 0.12},
                    {"multiple": 1.3},
                    {"irr": 0.09, "multiple": 1.2},
                    {"multiple": 1.0},
                    {"irr": 0.0},
                )
            )
        ),
    }
    if draw(st.booleans()):
        shares = draw(split_of_one(2))
        found["tranches"] = {
            "first": {"share": shares[0], "from_quarter": draw(st.sampled_from((0, 0, 0, 2)))},
            "second": {
                "share": shares[1],
                "from_quarter": draw(st.integers(1, 6)),
                "gate": draw(percents(0, 100)),
            },
        }
    if draw(st.booleans()):
        three = draw(split_of_one(3))
        found["above_cap"] = dict(zip(("payers", "provider", "investor"), three, strict=True))
    if draw(rarely(st.just(True), False)):
        first = draw(st.integers(0, 5))
        found["protection"] = {
            "by": "guarantor",
            "schedule": [
                {"from_quarter": first, "share": draw(percents(20, 80))},
                {"from_quarter": first + 4, "share": draw(percents(40, 100))},
            ],
        }
    if draw(rarely(st.just(True), False)):
        found["floor_coupon"] = {
            "by": "guarantor",
            "rate": draw(percents(1, 6)),
            "years": draw(st.integers(1, 3)),
        }
    if lines and draw(rarely(st.just(True), False)):
        found["performance_coupon"] = {
            "line": draw(st.sampled_from(lines)),
            "basis": draw(st.sampled_from(("year", "life"))),
            "steps": [{"at": 0.2, "rate": 0.02}, {"at": 0.55, "rate": 0.05}],
        }
    if draw(st.booleans()):
        found["review"] = draw(reviews())
    return found


@st.composite
def reviews(draw: Any) -> Json:
    """What may change at review dates."""
    return {
        "quarters": sorted(draw(st.lists(st.integers(2, 9), min_size=1, max_size=3, unique=True))),
        "below": draw(percents(60, 100)),
        "pause_quarters": draw(st.integers(0, 3)),
        "pause_cost": draw(tenths(0, 10)),
        "price": draw(st.sampled_from((0.8, 1.0, 1.25))),
        "performance": draw(st.sampled_from((0.9, 1.0, 1.4))),
        "times": draw(st.integers(1, 2)),
    }


# --- guaranteed debt ---------------------------------------------------------------------------------

GUARANTORS = ("insurer", "foundation", "council")


@st.composite
def lending_rates(draw: Any) -> Json:
    """A rate on any basis."""
    reference = draw(st.sampled_from(("fixed", "gilt", "pwlb")))
    found: Json = {"reference": reference, "margin": draw(st.sampled_from((0.0, 0.0125)))}
    if reference == "pwlb":
        return found | {"term_years": 7.0, "method": draw(st.sampled_from(("maturity", "eip", "annuity")))}
    basis = draw(st.sampled_from(("annual effective", "nominal half-yearly", "nominal quarterly")))
    return found | {"value": draw(percents(2, 12)), "basis": basis}


@st.composite
def repayments(draw: Any, quarters: int) -> Json:
    """Every profile, with grace."""
    last = draw(st.integers(4, quarters))
    return {
        "profile": draw(st.sampled_from(("bullet", "eip", "annuity", "sculpted", "cash sweep"))),
        "first_quarter": draw(st.integers(1, last)),
        "last_quarter": last,
        "every": draw(st.integers(1, 4)),
        "interest_in_grace": draw(st.sampled_from(("paid", "rolled up"))),
    }


@st.composite
def rising(draw: Any, name: str, low: int, high: int) -> list[Json]:
    """Steps that rise; what they give rises and falls."""
    ats = sorted(draw(st.lists(st.sampled_from((0.0, 0.31, 0.53, 0.87, 1.0, 1.13)), max_size=3, unique=True)))
    return [{"at": at, name: draw(percents(low, high))} for at in ats]


@st.composite
def layer_stacks(draw: Any, quarters: int, payers: tuple[str, ...]) -> list[Json]:
    """None to three layers in every form; those of the whole loss do not overlap."""
    unit = draw(st.sampled_from(("pounds", "share of commitment", "share of drawn")))
    scale = draw(st.sampled_from((2000.0, 20000.0))) if unit == "pounds" else 0.06
    edge, found = 0.0, []
    for _ in range(draw(st.integers(0, 3))):
        layer: Json = {
            "guarantor": draw(st.sampled_from(GUARANTORS)),
            "cover": draw(st.sampled_from((0.4, 0.75, 1.0))),
            "when": draw(st.sampled_from(("missed payment", "acceleration", "maturity"))),
            "interest": draw(st.booleans()),
            "claim_lag": draw(st.integers(0, 3)),
            "recoveries": draw(st.sampled_from(("lender first", "pro rata", "guarantor first"))),
            "failure": draw(st.sampled_from((0.0, 0.0, 0.3))),
            "enforceability": {"void": draw(st.sampled_from((0.0, 0.0, 0.4)))},
        }
        if draw(st.booleans()):
            attach = edge + scale * draw(st.integers(0, 2))
            detach = attach + scale * draw(st.integers(1, 3))
            layer |= {"unit": unit, "attach": attach, "detach": detach, "of": "the whole loss"}
            edge = detach
        elif draw(st.booleans()):
            layer |= {"unit": unit, "attach": scale * draw(st.integers(0, 2))}
            if draw(st.booleans()):
                layer["detach"] = layer["attach"] + scale * draw(st.integers(1, 3))
        limits: tuple[tuple[str, Any], ...] = (
            ("cap", pounds(500, 60000)),
            ("cap_a_year", pounds(500, 30000)),
            ("cap_rate", percents(2, 60)),
            ("schedule", schedules(quarters)),
            ("fee", fees(payers)),
        )
        for name, strategy in limits:
            value = draw(rarely(strategy))
            if value is not None:
                layer[name] = value
        if "fee" in layer and layer["fee"]["paid_by"] == layer["guarantor"]:
            layer["fee"]["paid_by"] = "vehicle"
        found.append(layer)
    return found


@st.composite
def schedules(draw: Any, quarters: int) -> list[Json]:
    """Amounts of cover that change with time."""
    starts = sorted(draw(st.lists(st.integers(0, quarters), min_size=1, max_size=3, unique=True)))
    return [{"from_quarter": start, "amount": draw(pounds(0, 60000))} for start in starts]


@st.composite
def fees(draw: Any, payers: tuple[str, ...]) -> Json:
    """What a guarantor is paid, and by whom."""
    return {
        "upfront": draw(st.sampled_from((0.0, 0.01))),
        "running": draw(percents(0, 4)),
        "paid_by": draw(st.sampled_from(("vehicle", "vehicle", "investor", payers[0]))),
    }


@st.composite
def debts(draw: Any, quarters: int, payers: tuple[str, ...]) -> Json:
    """Guaranteed debt over at most so many quarters, the last claim's payment included."""
    layers = draw(layer_stacks(quarters, payers))
    repayment = draw(repayments(quarters - max((layer["claim_lag"] for layer in layers), default=0)))
    enough = draw(st.booleans())  # else most loans run dry early
    last = repayment["last_quarter"]
    scarce = st.one_of(
        st.fixed_dictionaries({"amount": pounds(0, 200000)}),
        st.fixed_dictionaries({"peak_need": st.sampled_from((0.7, 1.0, 1.2, 2.0))}),
    )
    found: Json = {
        "kind": "guaranteed-debt",
        "commitment": {"peak_need": 2.0} if enough else draw(scarce),
        "availability_quarters": last if enough else draw(st.integers(0, last)),
        "draw_ahead": draw(st.integers(0, 3)),
        "reserve_quarters": draw(st.integers(0, 5)),
        "rate": draw(lending_rates()),
        "arrears_margin": draw(st.sampled_from((0.0, 0.02))),
        "arrangement_fee": draw(st.sampled_from((0.0, 0.01))),
        "commitment_fee": draw(st.sampled_from((0.0, 0.005))),
        "repayment": repayment,
        "cash_sweep": draw(st.sampled_from((0.0, 0.0, 0.5, 1.0))),
        "provider_at_risk": draw(st.sampled_from((0.0, 0.0, 0.1, 0.3))),
        "default_after": draw(st.integers(1, 4)),
        "layers": layers,
        "termination": draw(rarely(exits(), {}) if enough else exits()),
        "performance": {
            "ratchet": draw(maybe(rising("margin", -2, 3), [])),
            "success_fee": draw(maybe(rising("fee", 0, 6), [])),
        },
    }
    if draw(st.booleans()):
        found["performance"]["cap"] = draw(percents(0, 12))
    schedule = draw(rarely(st.lists(pounds(0, 30000), min_size=1, max_size=8)))
    if schedule is not None:
        found["draws"] = schedule[: found["availability_quarters"] + 1]
    if draw(st.booleans()):
        three = draw(split_of_one(3))
        found["surplus"] = dict(zip(("payers", "provider", "investor"), three, strict=True))
    floor = draw(rarely(pounds(0, 60000)))
    if floor is not None:
        found["peg"] = {"by": draw(st.sampled_from(GUARANTORS)), "floor": floor, "baseline": "as agreed"}
    if draw(st.booleans()):
        found["recourse"] = {"to": draw(st.sampled_from(("outcome payments", "provider", "commissioner")))}
        limit = draw(maybe(pounds(0, 30000)))
        if limit is not None and found["recourse"]["to"] != "outcome payments":
            found["recourse"]["limit"] = limit
    if "peg" in found and found.get("recourse") == {"to": "commissioner"}:
        found["recourse"]["limit"] = 1000.37  # without a limit the peg would guarantee nothing more
    if draw(st.booleans()):
        found["review"] = draw(reviews())
    return found


@st.composite
def savings_payments(draw: Any, saving: Json) -> Json:
    """Payment out of verified savings by those who save."""
    agencies: Json = {}
    for role in sorted({one["agency"] for one in saving.values()}):
        agency: Json = {
            "share": draw(st.sampled_from((0.5, 1.0))),
            "of": draw(st.sampled_from(("cashable", "all"))),
        }
        cap = draw(rarely(pounds(1000, 60000)))
        if cap is not None:
            agency["cap"] = cap
        if draw(rarely(st.just(True), False)):
            first = draw(st.integers(0, 3))
            agency["baseline"] = {
                "per_quarter": 9_000_000.37,
                "growth": draw(st.sampled_from((0.0, 0.03))),
                "first_quarter": first,
                "last_quarter": first + draw(st.integers(2, 9)),
                "counterfactual": {"distribution": "uniform", "low": 0.9985, "high": 1.001, "plan": 1.0},
            }
        agencies[role] = agency
    return {
        "agencies": agencies,
        "verification_lag": draw(st.integers(0, 3)),
        "error": draw(st.sampled_from((1.0, {"distribution": "uniform", "low": 0.8, "high": 1.1}))),
    }


# --- a whole file ------------------------------------------------------------------------------------

DealFiles = Callable[[bool, Json, int], st.SearchStrategy[Json]]


def debt_portfolios(deals: int = 1, changes: Json | None = None) -> st.SearchStrategy[Json]:
    """A portfolio file of guaranteed debt; ``changes`` replace terms of it."""
    return portfolios(deals, changes, debt_files)


@st.composite
def portfolios(draw: Any, deals: int = 1, changes: Json | None = None, of: DealFiles | None = None) -> Json:
    """A portfolio file with ``deals`` deals called a, b, c; ``changes`` replace terms of the instrument."""
    shocked, quarters = draw(st.booleans()), draw(st.integers(12, 24))
    one = deal_files if of is None else of
    found: Json = {
        "name": "drawn",
        "start": START,
        "quarters": quarters,
        "discount": {"rate": 0.035},
        "comparison": {"pwlb_method": "maturity", "pwlb_term_years": 1},
        "deals": {name: draw(one(shocked, changes or {}, quarters)) for name in ("a", "b", "c")[:deals]},
    }
    text = json.dumps(found["deals"])
    if '"economy"' in text:
        found["factors"] = {"economy": {"kind": "gaussian"}}
    if shocked:
        found.setdefault("factors", {})["bad time"] = {
            "kind": "common-shock",
            "annual_probability": 0.5,
            "duration": 3,
            "depth": draw(st.sampled_from((0.6, {"distribution": "uniform", "low": 0.2, "high": 1.0}))),
            "referrals": draw(st.sampled_from((0.5, 1.0))),
            "outcomes": draw(st.sampled_from((0.5, 1.0))),
        }
    if '"wages"' in text:
        process = {
            "distribution": "mean-reverting", "start": 0.04, "mean": 0.02, "reversion": 0.5,
            "volatility": 0.02,
        }  # fmt: skip
        found["indices"] = {"wages": {"annual": draw(st.sampled_from((0.025, process)))}}
    parties = {
        party
        for deal in found["deals"].values()
        for filled in deal["parties"].values()
        for party in _named(filled)
    }
    kinds = {"council": "council", "nhs": "nhs", "dwp": "dwp", "police": "police"}
    kinds |= dict.fromkeys(("guarantor", "insurer", "foundation"), "guarantor")
    found["parties"] = {
        party: {"kind": kinds.get(party, "investor" if party.startswith("fund") else "provider")}
        for party in sorted(parties)
    }
    return found


@st.composite
def deal_files(draw: Any, shocked: bool, changes: Json, quarters: int) -> Json:
    """One social impact bond with its parties."""
    roles = PAYERS[: draw(st.integers(1, 3))]
    found = draw(paid_by_results(roles, shocked))
    lines = list(found["programme"].get("outcomes", {}))
    bond = found["instrument"] = draw(bonds(lines)) | changes
    if bond.get("protection") or bond.get("floor_coupon"):
        found["parties"]["guarantor"] = "guarantor"
    return found


@st.composite
def debt_files(draw: Any, shocked: bool, changes: Json, quarters: int) -> Json:
    """One deal on guaranteed debt, perhaps with payment out of savings, with its parties."""
    roles = PAYERS[: draw(st.integers(1, 3))]
    found = draw(paid_by_results(roles, shocked))
    later = 0 if found["start"] == START else 2
    debt = found["instrument"] = draw(debts(quarters - later, roles)) | changes
    saving, tariff = found["programme"]["savings"], found["tariff"]
    if saving and draw(st.booleans()):
        tariff["savings"] = draw(savings_payments(saving))
        if "prices" in tariff and draw(rarely(st.just(True), False)):
            del tariff["prices"]
    named = {layer["guarantor"] for layer in debt["layers"]} | {debt.get("peg", {}).get("by", "council")}
    found["parties"] |= {role: role for role in sorted(named)}
    return found


@st.composite
def paid_by_results(draw: Any, roles: tuple[str, ...], shocked: bool) -> Json:
    """A programme with its tariff and parties, whatever finances it."""
    by_effect = draw(rarely(st.just(True), False))
    programme = draw(programmes(by_effect, (*roles, "police")))
    lines = list(programme.get("outcomes", {}))
    found: Json = {
        "programme": programme,
        "tariff": draw(tariffs(lines, roles, shocked)),
        "parties": {role: role for role in roles},
        "start": draw(st.sampled_from((START, START, START, "2026-01-01"))),
    }
    found["parties"]["provider"] = "charity"
    two = [{"party": "fund one", "share": 0.6}, {"party": "fund two", "share": 0.4}]
    found["parties"]["investor"] = draw(st.sampled_from(("fund one", two)))
    if any(saving["agency"] == "police" for saving in programme["savings"].values()):
        found["parties"]["police"] = "police"
    return found


def _named(filled: Any) -> list[str]:
    return [filled] if isinstance(filled, str) else [one["party"] for one in filled]


def read(file: Json) -> Portfolio:
    """The file as terms."""
    return Portfolio.model_validate_json(json.dumps(file))
