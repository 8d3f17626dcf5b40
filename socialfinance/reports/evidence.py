"""Where uncertain inputs come from, as text: a table a deal, and how many rest on what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from socialfinance.evidence.pedigrees import Basis, Pedigree, count_bases
from socialfinance.reports.inputs import changed_line
from socialfinance.reports.numbers import NOTHING
from socialfinance.reports.page import Page

HEAD = ("Input", "Rests on", "Plan", "Prior (sd)", "Data", "Weight", "Mean", "90% interval")
WORDS: dict[Basis, str] = {
    "record": "on a provider's record", "reference class": "on a class of real projects",
    "grade": "on a graded claim", "stated source": "on a stated source",
    "illustration": "on nothing but illustration", "no source": "on a number without source",
}  # fmt: skip
OWN = ("track-record", "reference-class", "graded")
"""Kinds whose name says no more than what they rest on."""


def evidence_page(
    rows: Sequence[Pedigree], title: str, titles: Mapping[str, str], changes: Mapping[str, Any], symbol: str
) -> str:
    """The page of ``evidence``; ``titles`` of the deals by name."""
    page = Page(symbol=symbol)
    page.heading(f"Evidence: {title}")
    if changes:
        page.say(changed_line(changes))
    page.say(summary(rows))
    for deal in dict.fromkeys(row.deal for row in rows):
        mine = [row for row in rows if row.deal == deal]
        page.table(titles.get(deal, deal) if deal else "Common to all deals", HEAD,
                   [_row(page, row) for row in mine], names=2)  # fmt: skip
    page.gap()
    page.say(
        "Prior: before the data. Weight: share of the mean that comes from the record or the class, the rest",
        "being the sector's or all sectors'. Mean and interval are those the model draws; a factor or a",
        "shock is on top. Where there is no data the mean is the prior: nothing was learned. An interval",
        "is as good as what it rests on, and an illustrative one says nothing of the world.",
    )
    return page.text


def summary(rows: Sequence[Pedigree]) -> str:
    """How many inputs rest on what, in a sentence."""
    if not rows:
        return "No input is uncertain."
    counted = "; ".join(f"{n} {WORDS[basis]}" for basis, n in count_bases(rows).items())
    return f"{len(rows)} uncertain input{'s' * (len(rows) != 1)} rest: {counted}."


def _row(page: Page, row: Pedigree) -> tuple[str, ...]:
    basis = row.rests_on if row.kind in OWN and row.rests_on != "illustration" else (
        f"{row.rests_on} ({row.kind})")  # fmt: skip
    prior = NOTHING if row.prior_mean is None else f"{_number(row.prior_mean)} ({_number(row.prior_sd)})"
    interval = NOTHING if row.low is None else f"{_number(row.low)} to {_number(row.high)}"
    weight = NOTHING if row.weight is None else f"{row.weight:.0%}"
    note = _said(row)
    name = row.input.removeprefix("programme.").replace(".", " / ")
    return (f"{name} {page.note(note)}" if note else name, basis, _number(row.plan), prior,
            row.data or "none", weight, _number(row.mean), interval)  # fmt: skip


def _said(row: Pedigree) -> str:
    """What the footnote of a row says; empty where it rests on invention alone."""
    parts = [row.note, f"source: {row.source}" if row.source else ""]
    if row.source and row.illustrative:
        parts.append(f"illustrative: {', '.join(row.illustrative)}")
    if row.unverified and "[unverified]" not in row.source:
        parts.append("[unverified]")
    return ". ".join(part for part in parts if part)


def _number(value: float | None) -> str:
    """Three decimals below 10, none from 100 on."""
    if value is None:
        return NOTHING
    places = 3 if abs(value) < 9.9995 else 1 if abs(value) < 99.95 else 0
    return f"{value:,.{places}f}"
