"""Where a council's payments stand in its accounts, its capital side, and the gates of lawful funding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from socialfinance.council.capital import Side
from socialfinance.council.view import View
from socialfinance.engine.books import OWN
from socialfinance.reports.frames import each, groups, thousands, written
from socialfinance.reports.numbers import PERCENT
from socialfinance.reports.page import Page

YEARS_ACROSS = 7
"""Financial years that fit beside one another."""
MOST_YEARS = 14
"""Years of rules that are printed; the rest are in the rows."""
NOT_A_COUNCIL = "The rules are those of councils in England; this body is none."
SIDE = (
    ("capital_spend", "Capital spending"), ("unfinanced", "Not financed"),
    ("lease_additions", "Leases added"), ("mrp", "MRP"), ("cfr_close", "CFR at end"), ("loans", "Loans"),
    ("interest", "Interest"), ("headroom_limit", "Under the limit"), ("liability_benchmark", "Benchmark"),
)  # fmt: skip


def revenue_and_capital(page: Page, view: View) -> None:
    """Payments by column and rule, then the capital side by year."""
    page.heading("Revenue and capital, as contracted")
    if not view.is_council:
        page.say(NOT_A_COUNCIL)
        return
    for deal, table in groups(view.in_accounts, "deal"):
        _columns(page, deal, table[table["structure"] == OWN])
    page.say(
        "Received less paid, expected, cash of the day. Each payment stands in one column by the rule named; "
        "together they are the net budget effect in cash. Revenue: in the revenue account. Capital: capital "
        "spending and what pays for it. Balance sheet: loans drawn and repaid, and money lent: neither. The "
        "same for every alternative is in the rows written with --json. Rules marked are [unverified]."
    )
    _capital(page, view)


def _columns(page: Page, deal: str, table: Any) -> None:
    years = sorted(set(table["financial_year"]))
    cells = {(row.column, row.rule, row.financial_year): row.expected for row in each(table)}
    rules = list(dict.fromkeys((row.column, row.rule) for row in each(table)))
    order = {"revenue": 0, "capital": 1, "capital receipt": 2, "balance sheet": 3}
    rules.sort(key=lambda rule: (order[rule[0]], rule[1]))
    if len(years) > MOST_YEARS:
        page.gap()
        page.say(f"{deal}: the first {MOST_YEARS} of {len(years)} years; all are in the rows of --json.")
        years = years[:MOST_YEARS]
    for first in range(0, len(years), YEARS_ACROSS):
        some = years[first : first + YEARS_ACROSS]
        rows = [
            (
                column if not i or rules[i - 1][0] != column else "", rule,
                *(thousands(cells.get((column, rule, year), 0.0)) for year in some),
            )
            for i, (column, rule) in enumerate(rules)
        ]  # fmt: skip
        page.table(f"{deal} (£000)", ("Column", "Rule", *some), rows, names=2)


def _capital(page: Page, view: View) -> None:
    side = view.capital
    assert side is not None
    table = side.frame()
    moves = table[["capital_spend", "lease_additions", "lease_liability"]].abs().to_numpy().max() > 0.5
    told = view.books.capital is not None
    if not moves and not told:
        page.say(
            "These deals make no capital spending and no lease: no MRP, no change of the capital financing "
            "requirement. The file tells nothing of the council's own capital side."
        )
        return
    shown = [_one_limit(name, head, side.not_given) for name, head in SIDE]
    heads = ("Year", *(head for _, head in shown), "Cost to net revenue")
    rows = [
        (
            row.year,
            *(thousands(getattr(row, name)) for name, _ in shown),
            written(row.ratio, PERCENT._replace(usual=2)),
        )
        for row in each(table)
    ]
    page.table("Capital side by year, these deals and what the file tells of the council (£000)", heads, rows)
    _limits(page, side)
    _said(page, view, side.not_given)
    if not moves:
        page.say(
            "These deals themselves make no capital spending and no lease: none of these figures is theirs."
        )


def _one_limit(name: str, head: str, not_given: Sequence[str]) -> tuple[str, str]:
    """The boundary's room where it is all that was given."""
    if name != "headroom_limit" or "authorised_limit" not in not_given:
        return name, head
    if "operational_boundary" in not_given:
        return name, head
    return "headroom_boundary", "Under the boundary"


LIMITS = {
    "authorised_limit": ("headroom_limit", "authorised limit", "it may not be: Local Government Act 2003, "
                         "section 3"),
    "operational_boundary": ("headroom_boundary", "operational boundary", "to be reported [unverified]"),
}  # fmt: skip


AHEAD = 2
"""Years after it whose requirement a year's debt may anticipate [unverified]."""


def _limits(page: Page, side: Side) -> None:
    """Every limit that is broken, when, how often and by how much; and what is owed but in no column."""
    told = [limit for name, limit in LIMITS.items() if name not in side.not_given]
    for name, words, rule in told:
        room = _paths(side.columns[name])
        odds, most = (room < -0.5).mean(axis=1), -room.min(axis=1)
        gone = [
            f"{year} ({odd:.1%} of futures, by up to £{over:,.0f})"
            for year, odd, over in zip(side.years, odds, most, strict=True)
            if odd > 0.0
        ]
        if gone:
            page.say(f"BROKEN: the {words} is passed in {', '.join(gone)}; {rule}.")
    if told and not any(np.any(side.columns[name] < -0.5) for name, _, _ in told):
        page.say("No limit that was given is passed in any future.")
    owed = sum(_paths(side.columns[name]).mean(axis=1) for name in ("loans", "lease_liability"))
    need = _paths(side.columns["cfr_close"]).mean(axis=1)
    highest = [need[i : i + 1 + AHEAD].max() for i in range(len(need))]
    over = [year for year, debt, most in zip(side.years, owed, highest, strict=True) if debt > most + 1.0]
    if over:
        page.say(
            f"Loans and leases are expected above the CFR of the year and the {AHEAD} after it in "
            f"{', '.join(over)}: gross debt is not to be above it but in the short term (Prudential Code "
            "[unverified])."
        )
    had = np.cumsum(_paths(side.columns["by_lease_sum"]).mean(axis=1))
    before = _paths(side.columns["lease_additions"]).mean(axis=1).cumsum() <= 0.5
    if np.any(had[before] > 0.5):
        page.say(
            f"Capital sums spent before rent begins, up to £{had[before].max():,.0f} at a year's end, are "
            "owed to the institution all the same; CFR, leases and room under the limit leave them out until "
            "rent begins [unverified]."
        )


def _paths(amounts: Any) -> Any:
    """``(year, path)``, one path where there is none."""
    return amounts if amounts.ndim == 2 else amounts[:, None]


def _said(page: Page, view: View, not_given: Sequence[str]) -> None:
    """What was told, and how each column is reckoned."""
    missing = ", ".join(name.replace("_", " ") for name in not_given) or "nothing"
    given = view.books.capital.loan_rate if view.books.capital is not None else None
    rate = f"{view.ready.discount:.2%} a year, the file's discount rate" if given is None else f"{given:.2%}"
    page.say(
        f"Not given, so nil or not shown: {missing}. CFR: open + not financed + leases added - MRP - "
        "receipts set aside. MRP begins in the year after spending. Under the limit: authorised limit less "
        "loans and lease liability. Benchmark: CFR less leases, less resources, plus liquidity. Cost to net "
        "revenue: interest and MRP less investment income over the net revenue stream. Interest on loans "
        f"and the rate of leases: {rate}."
    )
    told = view.books.capital
    if told is not None and (told.opening_cfr > 0.0 or told.loans > 0.0):
        page.say(
            "Files do not say what is charged or repaid each year on the opening requirement and loans: both "
            "stand as they were at the start, and cost to net revenue leaves out MRP on the opening "
            "requirement: it is too low by that."
        )


def lawful_funding(page: Page, view: View) -> None:
    """Every gate of each deal's own structure; of alternatives, those that do not pass."""
    page.heading("Lawful funding and gates (England only)")
    if not view.is_council:
        page.say(NOT_A_COUNCIL)
        return
    for deal, table in groups(view.gates, "deal"):
        own = table[table["structure"] == OWN]
        rows = [(row.gate, row.verdict, row.reason) for row in each(own)]
        page.table(f"{deal}: as contracted", ("Gate", "Verdict", "Why"), rows, names=3)
        others = table[(table["structure"] != OWN) & (table["verdict"] != "pass")]
        merged: dict[tuple[str, str, str], list[str]] = {}
        for row in each(others):
            merged.setdefault((row.gate, row.verdict, row.reason), []).append(row.structure)
        for (gate, verdict, reason), names in merged.items():
            page.say(f"- {', '.join(names)}: {gate}: {verdict}: {reason}.")
    page.gap()
    cited = dict.fromkeys(f"{row.gate}: {row.citation}" for row in each(view.gates))
    page.say("Rests on: " + "; ".join(cited) + ". A gate reads the terms of the file and is no legal advice.")
