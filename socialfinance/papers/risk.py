"""Sections 4 and 5: how bad it can get, what is paid if it fails, and drafts of notes to the accounts."""

from __future__ import annotations

from socialfinance.council.promised import Exposure
from socialfinance.council.view import View
from socialfinance.papers.options import MOST_DEALS, main_deals
from socialfinance.papers.parts import Part, Section, Table, named
from socialfinance.reports.frames import each, thousands
from socialfinance.reports.numbers import NOTHING, PERCENT, THOUSANDS, pounds, with_error

MOST_NOTES = 2
"""Draft notes that a two-page paper has room for: those of the largest expected losses."""
MOST_PROMISES = 4
LONGEST_PROMISE = 80
MARKED = "DRAFT - "
"""What the first line of each draft note begins with: the paper says it once."""


def risk(view: View) -> Section:
    """The reasonable worst case, the odds of an overspend, failure and early exit."""
    parts: list[Part] = [_worst(view), _over(view)]
    parts += [*_failure(view), *_exits(view)]
    return Section("Risk", tuple(part for part in parts if part))


def _worst(view: View) -> str:
    worst, reserve = view.worst, view.reserve_needed
    held = (
        "" if view.budget[0] is None else f" The outcomes reserve given is {pounds(view.budget[0].reserve)}."
    )
    need = (
        f"Overspends of all years together pass {pounds(reserve.p95)} in one future in twenty: a reserve of "
        "that much covers the others."
        if reserve.p95 > 0.5
        else "In nineteen futures of twenty no year's money is passed: they need no reserve."
    )
    return (
        f"Net cost over the life, cash of the day: expected {pounds(worst.mean, worst.error)}; reasonable "
        f"worst case {pounds(worst.p95)} (one future in twenty is at or above it; no percentile is "
        f"prescribed [unverified]); the largest simulated {pounds(worst.largest)}. {need}{held}"
    )


def _over(view: View) -> str:
    """The years in which an overspend is likeliest."""
    over = sorted(each(view.exposure), key=lambda row: -row.chance_over)
    said = [
        f"{row.financial_year} ({row.chance_over:.0%}, {pounds(row.mean_over)} on average where there is one)"
        for row in over[:3]
        if row.chance_over > 0.0
    ]
    if not said:
        return "No year's money is passed in any future seen."
    return f"An overspend is likeliest in {', '.join(said)}."


def _failure(view: View) -> tuple[Part, ...]:
    """What it pays if it fails, with the accounting line; its own debts."""
    lines = [line for one in _largest(view) for line in _lines(one)]
    if not lines:
        return ("What it pays if it fails: it has promised nothing that depends on failure.",)
    percentile = f"P{100 * view.books.promises.worst_case:g}"
    head = ("Promise", "Accounting line", "Most", "Expected", percentile, "Odds of a call")
    table = Table("What it pays if it fails (£000, undiscounted)", head, tuple(lines[:MOST_PROMISES]), 2)
    more = len(lines) - MOST_PROMISES
    return (table, f"{more} more promises are on the council page of this run.") if more > 0 else (table,)


def _largest(view: View) -> list[Exposure]:
    return sorted(view.exposures, key=lambda one: -one.assessed.expected_loss.value)


def _lines(one: Exposure) -> list[tuple[str, ...]]:
    measured = one.assessed
    lines: list[tuple[str, ...]] = []
    for i, promise in enumerate(one.promises):
        rules = promise.treatment
        line = one.tested.treatment if rules.standard == "IAS 37" else rules.name
        called = measured.called
        odds = "none seen" if called.value == 0.0 else with_error(called.value, called.error, PERCENT)
        figures = (
            thousands(one.maximum), with_error(*measured.expected_loss, THOUSANDS),
            thousands(measured.worst_case.value), odds,
        ) if not i else (thousands(promise.maximum), "with it", "", "")  # fmt: skip
        lines.append(
            (
                f"{named(one.deal)}: {named(promise.what, LONGEST_PROMISE)}",
                f"{line} ({rules.standard})",
                *figures,
            )
        )
    return lines


def _exits(view: View) -> tuple[Part, ...]:
    """What ending each contract by agreement would cost: the first year's end, and the dearest."""
    said = []
    for books in main_deals(view):
        rows = list(each(view.exits[view.exits["deal"] == books.deal.name]))
        if not rows:
            continue
        dearest = max(rows, key=lambda row: row.total)
        later = "" if dearest is rows[0] else (
            f"; at most {pounds(dearest.total)}, at the end of {dearest.financial_year}"
        )  # fmt: skip
        said.append(
            f"{named(books.deal.name)}: {pounds(rows[0].total)} at the end of {rows[0].financial_year}, "
            f"against {pounds(rows[0].going_on)} for going on{later}"
        )
    if not said:
        return ("No contract here can be ended by agreement at a price in its terms.",)
    return (f"Ending by agreement would cost, as planned until then: {'; '.join(said)}.",)


def liabilities(view: View) -> Section:
    """Section 5: drafts of the notes, with the library's own marks; what is no contingent liability."""
    parts: list[Part] = []
    if any(books.deal.deal.tariff is not None for books in view.deals):
        parts.append(
            "What is due under contracts for outcomes is a commitment, accrued when an outcome is achieved: "
            "budget exposure, not a contingent liability [unverified]."
        )
    notes = [_note(view, one, note) for one in _largest(view) for note in one.notes]
    if not notes:
        parts.append("It has promised nothing else: there is no contingent liability to note.")
        return Section("Contingent liability note", tuple(parts))
    parts.append("DRAFT, not audited; figures are simulated and depend on the assumptions of the file.")
    room = MOST_NOTES if len(main_deals(view)) < MOST_DEALS else 1
    parts += notes[:room]
    if len(notes) > room:
        parts.append(f"{len(notes) - room} more draft notes are on the council page of this run.")
    held = view.affordability
    if held is None:
        parts.append("No reserve is named for these promises, so whether they are affordable is not tested.")
    else:
        gone = held.exhausted
        share = "no future seen" if gone.value == 0.0 else f"{with_error(*gone, PERCENT)} of futures"
        parts.append(f"The reserve of {pounds(held.reserve)} named for them is exhausted in {share}.")
    return Section("Contingent liability note (draft)", tuple(parts))


def _note(view: View, one: Exposure, note: str) -> str:
    """A draft note as one paragraph; names in it are cut like any other."""
    lines = [line for line in note.split("\n") if line and not line.startswith(MARKED)]
    text = " ".join(line if line.endswith(".") else f"{line}." for line in lines)
    known = [view.ready.parties[view.party].title or view.party, one.deal]
    for name in sorted([*known, *(promise.what for promise in one.promises)], key=len, reverse=True):
        short = named(name, LONGEST_PROMISE)
        text = text.replace(name, short) if name and name != short else text
    return text or NOTHING
