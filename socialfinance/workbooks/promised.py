"""What investors hold and what public bodies stand behind: notes, guarantees, promises."""

from __future__ import annotations

import math
from collections.abc import Sequence

from openpyxl.utils import get_column_letter

from socialfinance.core.parties import PUBLIC
from socialfinance.council.promises import Promise, promises
from socialfinance.reports.figures import Figures
from socialfinance.workbooks.cells import BASIS_POINTS, PER_CENT, money
from socialfinance.workbooks.figures import number, points, value
from socialfinance.workbooks.flows import calls_by_year
from socialfinance.workbooks.page import Column, Page


def notes(page: Page, figures: Figures) -> None:
    """The fund's notes: what they were promised, put in and have back."""
    fund = figures.ready.portfolio.fund
    if not fund.notes:
        page.say(
            "This file has no fund with notes: what the investors of each deal have stands on the Summary."
        )
        page.finish()
        return
    pounds = money(page.sheets.symbol)
    page.say(
        "With the fund's policy where it has one. Expected over the life, unless a heading says otherwise."
    )

    def one(note: str, measure: str, statistic: str = "mean") -> object:
        return value(figures.row(measure, statistic, scope="fund", role="note", party=note))

    rows = [
        (
            name,
            note.title or name,
            note.holder,
            note.rank,
            note.commitment,
            one(name, "drawn"),
            one(name, "received"),
            one(name, "gain"),
            one(name, "npv"),
            one(name, "irr", "of_mean_flows"),
            one(name, "multiple"),
            one(name, "loss", "probability"),
            points(figures.row("expected_loss_rate", "of_means", scope="fund", role="note", party=name)),
            one(name, "loss", "es99"),
            one(name, "life"),
        )
        for name, note in fund.notes.items()
    ]
    block = page.table(
        (
            Column("Note", width=16),
            Column("Title", width=30),
            Column("Holder", width=20),
            Column("Rank", width=8),
            Column("Commitment", pounds, 16, sums=True),
            Column("Drawn", pounds, 16, sums=True),
            Column("Received", pounds, 16, sums=True),
            Column("Gain", pounds, 16, sums=True),
            Column("Present value of gain", pounds, 16, sums=True),
            Column("IRR of expected flows", PER_CENT, 15),
            Column("Multiple", '0.00"x"', 11),
            Column("Chance of a loss", PER_CENT, 11),
            Column("Expected loss", BASIS_POINTS, 12),
            Column("Loss, mean of worst 1%", pounds, 16),
            Column("Life, years", "0.0", 10),
        ),
        rows,
        freeze=1,
    )
    every = list(fund.notes)
    page.check(
        block,
        {
            column: sum(number(figures.row(measure, scope="fund", role="note", party=name)) for name in every)
            for column, measure in ((6, "drawn"), (7, "received"), (8, "gain"), (9, "npv"))
        },
        "figures by note, from the result",
    )
    page.finish()


def contingent(page: Page, figures: Figures, years: Sequence[str]) -> None:
    """Guarantees called, by guarantor; and every promise of a public body with its maximum and its rule."""
    page.say(
        "An outcome contract is budget exposure, not a contingent liability: the column Accounted for as "
        "says which rule each promise falls under. A draft for a finance officer and an auditor."
    )
    _calls(page, figures)
    _by_year(page, figures, years)
    _promises(page, figures)
    page.finish()


def _calls(page: Page, figures: Figures) -> None:
    pounds = money(page.sheets.symbol)
    page.part("What guarantors are called for, over the life")
    found = [
        row
        for row in figures.result.measures_rows
        if (row.role, row.measure, row.statistic) == ("guarantor", "calls", "mean")
        and row.scope in ("deal", "fund")
    ]
    if not found:
        page.say("Nobody guarantees anything in this file.")
        return
    rows = []
    for row in found:
        about = {"scope": row.scope, "deal": row.deal, "party": row.party, "role": "guarantor"}
        rows.append(
            (
                row.deal or "(fund)",
                row.party,
                value(figures.row("called", "probability", **about)),
                row.value,
                value(figures.row("calls", "p95", **about)),
                value(figures.row("calls", "es99", **about)),
                value(figures.row("recoveries", **about)),
                value(figures.row("fees", **about)),
                value(figures.row("loss_after_fees", **about)),
            )
        )
    block = page.table(
        (
            Column("Deal", width=22),
            Column("Guarantor", width=20),
            Column("Chance of a call", PER_CENT, 16),
            Column("Called, expected", pounds, 16, sums=True),
            Column("Called, P95", pounds, 16),
            Column("Called, mean of worst 1%", pounds, 18),
            Column("Recovered", pounds, 16, sums=True),
            Column("Fees", pounds, 16, sums=True),
            Column("Loss after fees", pounds, 16, sums=True),
        ),
        rows,
    )
    page.check(block, {4: sum(number(row) for row in found)})


def _by_year(page: Page, figures: Figures, years: Sequence[str]) -> None:
    calls = calls_by_year(figures.result.flow_rows, years)
    if not calls:
        return
    pounds = money(page.sheets.symbol, pence=True)
    page.part("Calls by financial year, expected")
    start = page.row
    block = page.table(
        (Column("Financial year", width=22), *(Column(name, pounds, 18, sums=True) for name in calls)),
        [(year, *(by[year] for by in calls.values())) for year in years],
    )
    page.check(block, {n: sum(by.values()) for n, by in enumerate(calls.values(), start=2)})
    columns = list(range(2, 2 + len(calls)))
    page.bars_chart(
        "Calls by year, expected",
        block,
        columns,
        page.sheets.symbol,
        f"{get_column_letter(len(columns) + 3)}{start}",
    )
    page.row = max(page.row, start + 17)


def _promises(page: Page, figures: Figures) -> None:
    pounds = money(page.sheets.symbol)
    page.part("What public bodies have promised, by the terms")
    rows = [
        (
            promise.deal,
            promise.council,
            promise.role,
            promise.what,
            promise.pays,
            promise.owes,
            _most(promise),
            promise.treatment.name,
            f"{promise.treatment.standard}. {promise.treatment.citation}",
            "; ".join(promise.flags),
        )
        for deal in figures.deals
        for party in figures.parties_of(deal)
        if figures.ready.parties[party].kind in PUBLIC
        for promise in promises(deal, party)
    ]
    if not rows:
        page.say("Public bodies have promised nothing in this file.")
        return
    page.table(
        (
            Column("Deal", width=22),
            Column("Party", width=20),
            Column("Role", width=16),
            Column("What", width=22),
            Column("Pays when", width=18),
            Column("Who owes it", width=18),
            Column("Most it can cost", pounds, 16),
            Column("Accounted for as", width=22),
            Column("Under", width=34),
            Column("To look at", width=36),
        ),
        rows,
    )


def _most(promise: Promise) -> object:
    if promise.maximum is None:
        return "the terms give no figure"
    return promise.maximum if math.isfinite(promise.maximum) else "nothing limits it"
