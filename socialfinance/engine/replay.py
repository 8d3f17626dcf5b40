"""A real deal with what really happened: the model's figures beside the published ones.

A published figure is named ``WHO.MEASURE`` (with ``DEAL:`` before it where the portfolio has several deals).
WHO is a party, its kind, or a role of the deal. MEASURE is any measure of a case (``paid``, ``net_cost``,
``irr``, ``multiple``, ``gain``, ``people started``, ``achieved: LINE`` …), and besides

- a reason of the ledger (``outcome payment``): what WHO paid for it, or received where it paid none;
- ``payments``: in how many quarters WHO paid anything;
- ``contract_value``: the most WHO can be asked for outcomes under the terms;
- ``multiple_on_commitment``: received over what was committed; ``loss_over_drawn``: loss over what was drawn;
- ``programme.rate: LINE``: outcomes achieved over people eligible, over the life.

Some figures have no WHO: ``commitment``; ``effect.pooled``, the reported effect of all measured cohorts by
people; an input's own name (``effect.true``): its value in the case. And the coupons that the terms give,
read off the steps or off the line between two of them: ``coupon.step.2`` and ``coupon.interpolated.2`` at
the success rate of year 2 of the case, ``coupon at 0.62, step`` and ``coupon at 0.62, interpolated`` at that
rate.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from socialfinance.core.errors import InputError
from socialfinance.core.ledger import REASONS
from socialfinance.core.parties import PUBLIC
from socialfinance.engine.block import ALL_PUBLIC, deal_figures, investors
from socialfinance.engine.explain import Explained, explain_case, number
from socialfinance.engine.ready import ReadyDeal, ReadyPortfolio
from socialfinance.funds.portfolio import Published
from socialfinance.instruments.social_impact_bond import CouponStep

COUPON = re.compile(r"coupon at (?P<rate>0?\.\d+|[01](?:\.\d*)?), (?P<how>step|interpolated)")
ROUNDING = 1e-12
"""A success rate of 0.6 reaches a step at 0.6 although 60 of 100 people may come out a hair below."""


class Replayed(NamedTuple):
    """A published figure and the model's. ``model`` is None where the model does not give it."""

    deal: str
    name: str
    figure: str
    kind: str
    """reproduced, calibrated or context"""
    case: str
    model: float | None
    published: float
    difference: float | None
    """model less published"""
    unit: str
    source: str | None
    note: str | None


def replay(ready: ReadyPortfolio) -> tuple[Replayed, ...]:
    """Every published figure of every deal, in the order of the file."""
    found = [row for deal in ready.deals for row in _deal(ready, deal)]
    if not found:
        raise InputError(
            "nothing is published about it, so there is nothing to replay", field="deals",
            given=ready.portfolio.name, allowed="a portfolio whose deals have `published` figures",
        )  # fmt: skip
    return tuple(found)


def _deal(ready: ReadyPortfolio, deal: ReadyDeal) -> Iterable[Replayed]:
    cases: dict[str, dict[str, float]] = {}
    for name, published in deal.deal.published.items():
        field = f"deals.{deal.name}.published.{name}"
        if published.case not in cases:
            cases[published.case] = _figures(ready, deal, published.case, f"{field}.case")
        yield _replayed(deal, name, published, cases[published.case], f"{field}.figure")


def _replayed(
    deal: ReadyDeal, name: str, published: Published, figures: dict[str, float], field: str
) -> Replayed:
    wanted = published.figure.removeprefix(f"{deal.name}:").strip()
    model = _coupon(deal, wanted, field) if wanted.startswith("coupon at") else figures.get(wanted)
    if model is None and published.treatment != "context":
        raise InputError(
            "is a figure that the model does not give", field=field, given=published.figure,
            allowed=_like(wanted, figures),
        )  # fmt: skip
    if model is not None and model != model:  # an IRR that does not exist
        model = None
    difference = None if model is None else model - published.value
    return Replayed(
        deal.name, name, published.figure, published.treatment, published.case, model, published.value,
        difference, published.unit, published.source or deal.deal.source, published.note,
    )  # fmt: skip


def _figures(ready: ReadyPortfolio, deal: ReadyDeal, case: str, field: str) -> dict[str, float]:
    """Every figure of one case by its names."""
    try:
        found = explain_case(ready, deal, case)
    except InputError as error:
        raise (error if error.field != f"deals.{deal.name}.cases" else _no_case(error, field)) from None
    figures = {one.name: one.value for one in found.inputs}
    figures.update(_programme(deal, found))
    figures.update(_coupons(deal, found))
    by_party = _by_party(ready, deal, found)
    for who, parties in _names(ready, deal, by_party).items():
        for measure in {m for party in parties for m in by_party[party]}:
            values = [by_party[party][measure] for party in parties if measure in by_party[party]]
            if len(values) == 1 or measure not in ("irr", "multiple", "life", "multiple_on_commitment"):
                figures[f"{who}.{measure}"] = sum(values)
    return figures


def _no_case(error: InputError, field: str) -> InputError:
    return InputError(error.problem, field=field, given=error.given, allowed=error.allowed)


def _by_party(ready: ReadyPortfolio, deal: ReadyDeal, found: Explained) -> dict[str, dict[str, float]]:
    """Measures of the case by party, and what each paid or received by reason."""
    table = {party: _nothing(ready, deal, party) for filled in deal.roles.values() for party, _ in filled}
    for key, values in deal_figures(ready, deal, found.outcome, "deal").items():
        table.setdefault(key.party or key.role, {})[key.measure] = float(values[0])
        if key.role == "investor" and key.measure == "received":
            owed = commitment(deal)
            if owed:
                table[key.party]["multiple_on_commitment"] = float(values[0]) / owed
    for figures in table.values():
        if figures.get("drawn"):
            figures["loss_over_drawn"] = figures["loss"] / figures["drawn"]
    for party, figures in table.items():
        mine = [one for one in found.payments if party in (one.payer, one.payee)]
        figures["payments"] = float(len({one.quarter for one in mine if one.payer == party}))
        for reason in REASONS:
            paid = sum(one.amount for one in mine if one.reason == reason and one.payer == party)
            figures[reason] = paid or sum(one.amount for one in mine if one.reason == reason)
    for role, most in deal.own.lowered.contract_value.items():
        for party, share in deal.roles[role]:
            table[party]["contract_value"] = most * share
    return table


def _nothing(ready: ReadyPortfolio, deal: ReadyDeal, party: str) -> dict[str, float]:
    """The figures of a party that neither paid nor received."""
    if ready.parties[party].kind in PUBLIC:
        return dict.fromkeys(("paid", "saving", "net_cost", "net_cost_pv", "paid_pv"), 0.0)
    return {} if party in investors(deal) else {"net": 0.0}


def _names(
    ready: ReadyPortfolio, deal: ReadyDeal, by_party: dict[str, dict[str, float]]
) -> dict[str, list[str]]:
    """What a party may be called: its name, its kind, or a role it fills in the deal."""
    names: dict[str, list[str]] = {party: [party] for party in by_party}
    for party in by_party:
        if party in ready.parties:
            names.setdefault(ready.parties[party].kind, []).append(party)
    for role, filled in deal.roles.items():
        together = " and ".join(party for party, _ in filled)
        members = [party for party in dict.fromkeys((together, *(p for p, _ in filled))) if party in by_party]
        if members:
            names[role] = members
    names["public"] = [ALL_PUBLIC]
    return names


def _programme(deal: ReadyDeal, found: Explained) -> dict[str, float]:
    """Commitment, success rates by line, and the pooled reported effect."""
    figures: dict[str, float] = {}
    owed = commitment(deal)
    if owed is not None:
        figures["commitment"] = owed
    for line in deal.programme.lines:
        rate = success_rate(deal, found.outcome.activity, line)
        if rate is not None:
            figures[f"programme.rate: {line}"] = rate
    if getattr(deal.programme.programme, "effect", None) is not None:
        figures.update(_pooled(found))
    return figures


def success_rate(deal: ReadyDeal, activities: Sequence[Any], line: str) -> float | None:
    """Outcomes achieved at a line over people eligible in some quarters; None where nobody was."""
    met = done = 0.0
    for activity in activities:
        for node, there, achieved in zip(
            deal.programme.nodes, activity.eligible, activity.achieved, strict=False
        ):
            if node.line == line:
                met, done = met + number(there), done + number(achieved)
    return done / met if met > 0 else None


def _coupons(deal: ReadyDeal, found: Explained) -> dict[str, float]:
    """The coupon of each year by the success rate of that year, or of the life so far."""
    coupon: Any = getattr(deal.deal.instrument, "performance_coupon", None)
    figures: dict[str, float] = {}
    if coupon is None:
        return figures
    for year in range(1, deal.calendar.quarters // 4 + 1):
        first = 4 * year - 3 if coupon.basis == "year" else 0
        rate = success_rate(deal, found.outcome.activity[first : 4 * year + 1], coupon.line)
        if rate is not None:
            figures[f"coupon.step.{year}"] = stepped(coupon.steps, rate)
            figures[f"coupon.interpolated.{year}"] = interpolated(coupon.steps, rate)
    return figures


def _pooled(found: Explained) -> dict[str, float]:
    people = effect = 0.0
    activities: list[Any] = found.outcome.activity
    for activity in activities:
        for count, reported, measured in zip(
            activity.people, activity.reported, activity.measured, strict=True
        ):
            people += number(count) * number(measured)
            effect += number(count) * number(measured) * number(reported)
    return {"effect.pooled": effect / people} if people else {}


def commitment(deal: ReadyDeal) -> float | None:
    """What investors undertake to put in, pounds; None where the structure has no commitment."""
    return deal.own.lowered.commitment


def _coupon(deal: ReadyDeal, wanted: str, field: str) -> float:
    """The coupon that the terms give at a success rate: of its step, or on the line between two steps."""
    asked = COUPON.fullmatch(wanted)
    coupon: Any = getattr(deal.deal.instrument, "performance_coupon", None)
    if asked is None or coupon is None:
        raise InputError(
            "is not a coupon that the model gives" if coupon else "asks for a coupon the terms do not have",
            field=field, given=wanted, allowed="coupon at 0.62, step; coupon at 0.62, interpolated",
        )  # fmt: skip
    how: dict[str, Callable[[Sequence[CouponStep], float], float]] = {
        "step": stepped, "interpolated": interpolated,
    }  # fmt: skip
    return how[asked["how"]](coupon.steps, float(asked["rate"]))


def stepped(steps: Sequence[CouponStep], rate: float) -> float:
    """The rate of the highest step reached; nil below the first."""
    reached = [step.rate for step in steps if step.at <= rate + ROUNDING]
    return reached[-1] if reached else 0.0


def interpolated(steps: Sequence[CouponStep], rate: float) -> float:
    """On the straight line between the two steps either side; nil below the first, flat above the last."""
    if rate >= steps[-1].at:
        return steps[-1].rate
    for low, high in pairwise(steps):
        if low.at <= rate < high.at:
            return low.rate + (high.rate - low.rate) * (rate - low.at) / (high.at - low.at)
    return 0.0


def _like(wanted: str, figures: dict[str, float]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(wanted, list(figures), n=5, cutoff=0.3)
    return ", ".join(near or sorted(figures)[:5]) + ", …"
