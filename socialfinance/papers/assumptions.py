"""Sections 6 and 7: what the figures rest on, and what a person must still do."""

from __future__ import annotations

from collections import Counter
from typing import Any

from socialfinance.core.errors import field_path
from socialfinance.core.origins import Heard, Place
from socialfinance.core.terms import said_of
from socialfinance.council.view import View
from socialfinance.engine.books import OWN
from socialfinance.papers.options import main_deals
from socialfinance.papers.parts import Part, Points, Section, Table, cut, named, safe
from socialfinance.reports.console import limits
from socialfinance.reports.frames import each, missing, thousands
from socialfinance.reports.inputs import numbers_of

MOST_SOURCES = 5
"""Sources named one by one: those that most numbers rest on."""
LONGEST_SOURCE = 150
MOST_INPUTS = 6
"""Inputs that the table has room for, over all deals that are told of."""
UNVERIFIED = "[unverified]"


def assumptions(view: View) -> Section:
    """Section 6: inputs that move the answer and where each is from; sources; how the run was made."""
    return Section("Sources and assumptions", (*_switches(view), _counted(view), _run(view)))


def _switches(view: View) -> tuple[Part, ...]:
    shown = [books.deal.name for books in main_deals(view)]
    some = view.switches[view.switches["deal"].isin(shown)].groupby("deal", sort=False)
    rows = [
        (
            f"{named(row.deal)}: {named(row.input)}", _origin(view, row.deal, row.input), _number(row.plan),
            thousands(row.swing), _at(row.pays_for_itself_at), _at(row.as_alternative_at),
        )
        for row in each(some.head(max(1, MOST_INPUTS // len(shown))))
    ]  # fmt: skip
    if not rows:
        return ()
    head = ("Input", "Where it is from", "Plan", "±10% moves net cost by, £000", "Saves what it pays at",
            "Costs as much as borrowing at")  # fmt: skip
    return (Table("Inputs that move the answer most, in the plan case, one at a time", head, tuple(rows), 2),)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _at(value: Any) -> str:
    return "never" if missing(value) else _number(float(value))


def _origin(view: View, deal: str, name: str) -> str:
    """What the file says of an input: a source, that it is illustrative, or nothing."""
    heard = None
    for place, _, said in said_of(view.ready.portfolio):
        if place[:3] == ("deals", deal, "programme"):
            at = field_path(place[3:])
            if at == name or at.startswith((f"{name}.", f"{name}[")):
                heard = heard or said
    return "not in the file: a default" if heard is None else _said(heard)


def _said(heard: Heard) -> str:
    mark = "" if heard.unverified is None else f" {UNVERIFIED}"
    return {"sourced": "sourced", "illustrative": "illustrative"}.get(heard.origin or "", "no source") + mark


def bearing_on(view: View) -> list[tuple[Place, Heard]]:
    """Every number of the file that these deals and this body's books rest on, and what is said of it."""
    deals = {books.deal.name for books in view.deals}

    def counts(place: Place) -> bool:
        if place[0] == "deals":
            return place[1] in deals
        return place[1] == view.party if place[0] == "books" else place[0] != "fund"

    return [(place, heard) for place, _, heard in numbers_of(view.ready.portfolio) if counts(place)]


def _counted(view: View) -> str:
    rest = bearing_on(view)
    origins = Counter(heard.origin or "unsaid" for _, heard in rest)
    sources = Counter(heard.source for _, heard in rest if heard.origin == "sourced" and heard.source)
    named_ones = [
        f"{cut(safe(source), LONGEST_SOURCE)} ({count})"
        for source, count in sources.most_common(MOST_SOURCES)
    ]
    more = len(sources) - len(named_ones)
    listed = (
        f" Most used: {'; '.join(named_ones)}{f'; and {more} more' if more > 0 else ''}." if sources else ""
    )
    return (
        f"Of {len(rest)} numbers given in the file for these deals, {origins['sourced']} have a source, "
        f"{origins['illustrative']} are illustrative (invented to show the method) and {origins['unsaid']} "
        f"have neither; {_unverified(rest)} are marked {UNVERIFIED}.{listed}"
    )


def _unverified(rest: list[tuple[Place, Heard]]) -> int:
    return sum(heard.unverified is not None for _, heard in rest)


def _run(view: View) -> str:
    ready, run = view.ready, view.run
    return (
        f"{run.paths:,} simulated futures, seed {run.seed}. Present values at {ready.discount:.3%} a year, "
        f"annual effective ({safe(ready.discount_basis)}). Before tax. "
        f"{limits(ready.portfolio).rstrip(';')}. ± is one standard error of the simulation: it "
        "says nothing of how well the inputs are known, which is the larger doubt."
    )


def still_to_do(view: View, marks: int) -> Section:
    """Section 7: status, and what is left for a person. ``marks``: [unverified] rules in this paper."""
    rest = bearing_on(view)
    invented = sum(heard.origin != "sourced" for _, heard in rest)
    points = [
        "Recommendation and decision: [to be written]. This draft recommends nothing.",
        "Legal, equality, procurement, workforce and consultation implications: [to be written]; no part "
        "of the simulation.",
        "Section 151 officer and monitoring officer: [comments to be added].",
    ]
    if marks:
        points.append(f"Rules marked {UNVERIFIED}, {marks} in this paper: check each before it is relied on.")
    if invented:
        points.append(
            f"{invented} numbers that are illustrative or have no source: replace them by the council's own, "
            "and run again."
        )
    points += [words for words in (_gates(view),) if words]
    return Section("Draft status: what a person must still do", (Points(tuple(points)),))


def _gates(view: View) -> str:
    """Gates at which the structures themselves are a query or fail, by gate."""
    if not view.is_council:
        return ""
    table = view.gates[view.gates["structure"] == OWN]
    found: dict[str, list[str]] = {}
    for row in each(table):
        if row.verdict != "pass":
            found.setdefault(f"{row.gate} ({row.verdict})", []).append(row.deal)
    if not found:
        return ""
    return f"Gates of lawful funding that the structures do not simply pass: {', '.join(found)}."
