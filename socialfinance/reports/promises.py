"""What a public body has promised, its accounting line, what it may cost, and the draft of a note."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from socialfinance.council.liabilities import Estimate
from socialfinance.council.promised import Exposure, firm
from socialfinance.council.view import View
from socialfinance.reports.frames import each, shown, thousands, written
from socialfinance.reports.numbers import PERCENT, THOUSANDS, text, with_error
from socialfinance.reports.page import Page

ACROSS = 3
"""Exposures that fit beside one another."""


def promise_table(page: Page, view: View) -> None:
    """Figure 8: what it pays if things go wrong, and where that stands in the accounts."""
    rows = [line for one in view.exposures for line in _exposure_lines(view, one)]
    title = "8. What it pays if it fails: floors, guarantees, early ends (£000)"
    head = ("Deal", "Promise", "Accounting line", "Most", "Expected", f"P{_percent(view)}", "Odds")
    if rows:
        page.table(title, head, rows, names=3)
        page.say(
            "Expected: mean over all futures of what is paid less what is recovered, undiscounted. Most: "
            "under the terms. Several layers of one guarantor are measured together."
        )
    else:
        page.gap()
        page.say("8. What it pays if it fails: it has promised nothing that depends on failure.")
    debts = [
        one for deal in view.deals for one in firm(deal.deal, view.party) if one.owes == "the council itself"
    ]
    for one in debts:
        known = one.maximum is not None and one.maximum != float("inf")
        most = f"at most £{one.maximum:,.0f}" if known else "the terms give no figure"
        page.say(f"{one.deal}: {one.what} is its own debt ({one.treatment.standard}); {most}.")


def promises_section(page: Page, view: View) -> None:
    """The section on contingent liabilities: classification, assessment, year ends, notes."""
    page.heading("Promises and contingent liabilities")
    _classified(page, view)
    if not view.exposures:
        return
    how = view.books.promises
    told = view.ready.portfolio.books.get(view.party)
    page.say(
        f"Measured with: reasonable worst case at P{_percent(view)}; cost of risk {how.cost_of_risk:.1%} of "
        f"worst case less expected loss; remote below {how.remote:.0%}; reserve "
        + ("not given" if how.reserve is None else f"£{how.reserve:,.0f}")
        + (" (defaults of the model)." if told is None else f" ({view.said('promises')})."),
    )
    _assessed(page, view)
    _afford(page, view)
    for one in view.exposures:
        _in_the_accounts(page, one)
    page.gap()
    page.say("Draft notes to the accounts")
    for note in (note for one in view.exposures for note in one.notes):
        page.gap()
        for line in note.split("\n"):
            page.say(line)


def _classified(page: Page, view: View) -> None:
    rows = []
    for row in each(view.promises):
        owed = "" if row.owed_by == "nobody" else f"; owed by {row.owed_by}"
        rows.append((row.deal, row.promise, f"{row.pays_when}{owed}", row.treatment, row.standard))
    if not rows:
        page.say("None: it has promised nothing in these deals.")
        return
    head = ("Deal", "Promise", "Pays when; who owes the money", "What it is", "Rules")
    page.table("Classified by recourse first", head, rows, names=5)
    said_so: dict[str, str] = {}
    for row in each(view.promises):
        said_so.setdefault(row.treatment, f"{row.treatment}: {row.reason} ({row.citation})")
    for words in said_so.values():
        page.say(f"- {words}.")
    for deal in view.deals:
        for one in firm(deal.deal, view.party):
            for flag in one.flags:
                page.say(f"- To look at: {one.deal}, {one.what}: {flag}.")


def _exposure_lines(view: View, one: Exposure) -> Iterator[tuple[str, ...]]:
    measured = one.assessed
    for i, promise in enumerate(one.promises):
        figures = (
            thousands(one.maximum), _estimate(measured.expected_loss), thousands(measured.worst_case.value),
            _odds(measured.called),
        )  # fmt: skip
        line = promise.treatment.name
        if promise.treatment.standard == "IAS 37":
            line = one.tested.treatment
        yield (
            one.deal, promise.what, f"{line} ({promise.treatment.standard})",
            *(figures if not i else (thousands(promise.maximum), "with it", "", "")),
        )  # fmt: skip


def _assessed(page: Page, view: View) -> None:
    """One column an exposure: what it can cost, then when."""
    for first in range(0, len(view.exposures), ACROSS):
        some = view.exposures[first : first + ACROSS]
        names = tuple(_title(one) for one in some)
        tables = [list(each(one.assessed.table())) for one in some]
        rows = [(lines[0].measure, *(_value(line) for line in lines)) for lines in zip(*tables, strict=True)]
        page.table(
            "What they can cost, over the life, undiscounted (£000 unless said)", ("Figure", *names), rows
        )
        years = [list(each(one.assessed.by_year)) for one in some]
        when = [
            (lines[0].financial_year, *(_in_a_year(line) for line in lines))
            for lines in zip(*years, strict=True)
            if any(line.expected > 0.5 for line in lines)
        ]
        if when:
            page.table(
                f"When they are called: expected (£000), P{_percent(view)}, odds of any",
                ("Year", *names),
                when,
            )
    page.say(
        "Loss: calls less recoveries. Expected shortfall: mean loss beyond the reasonable worst case. Cost "
        "of risk: its rate on worst case less expected loss. No percentile of a reasonable worst case is "
        "confirmed by HM Treasury or UKGI [unverified], so several are shown."
    )


def _value(line: Any) -> str:
    scale = PERCENT if line.note == "share of paths" else THOUSANDS
    return written(line.value, scale, line.standard_error)


def _in_a_year(line: Any) -> str:
    odds = text(line.chance, None, PERCENT._replace(decimals=1))
    return (
        f"{with_error(line.expected, line.standard_error, THOUSANDS)}, {thousands(line.percentile)}, {odds}"
    )


def _afford(page: Page, view: View) -> None:
    """All of them together against the reserve that is named for them."""
    held = view.affordability
    if held is None:
        page.say("No reserve is named for them, so whether they are affordable is not tested.")
        return
    gone = [f"{row.financial_year} {row.first:.1%}" for row in each(held.by_year) if row.first > 0.0]
    page.say(
        f"All of them together against the reserve of £{held.reserve:,.0f}: "
        + (
            f"exhausted in {with_error(*held.exhausted, PERCENT)} of futures, first in {', '.join(gone)}; "
            f"short then of £{held.shortfall.value / max(held.exhausted.value, 1e-12):,.0f} on average."
            if gone
            else "it lasts in every future seen."
        )
    )


def _in_the_accounts(page: Page, one: Exposure) -> None:
    if one.ecl is None or one.liability is None:
        return
    both = one.ecl.merge(one.liability, on=["financial_year", "row"])
    table = shown(both, ("ecl_lifetime", "liability", "payable"))
    rows = [
        (
            row.financial_year, text(row.standing, None, PERCENT),
            with_error(row.ecl_12m, row.ecl_12m_error, THOUSANDS),
            with_error(row.ecl_lifetime, row.ecl_lifetime_error, THOUSANDS),
            thousands(row.stage_1), thousands(row.stage_2), thousands(row.unearned),
            thousands(row.liability), thousands(row.charged),
            thousands(row.payable),
        )
        for row in each(table)
    ]  # fmt: skip
    head = ("Year end", "Not called", "ECL 12m, all", "ECL life, all", "Stage 1", "Stage 2", "Fee unearned",
            "Liability", "Charged", "Payable")  # fmt: skip
    page.table(f"{_title(one)}: at year ends under IFRS 9 (£000, discounted)", head, rows)
    page.say(
        "All: mean over all futures of what claims after the year end will cost (run-off view); 12m: of "
        "defaults in the next twelve months only. Stage 1 and 2: 12-month and lifetime loss given that it "
        "has not been called. Liability: the higher of the allowance (stage 1) and the fee not yet earned. "
        "Payable: claimed and not yet paid. IFRS 9's paragraphs are [unverified]."
    )


def _title(one: Exposure) -> str:
    more = f" and {len(one.promises) - 1} more" if len(one.promises) > 1 else ""
    return f"{one.deal}: {one.promises[0].what}{more}"


def _percent(view: View) -> str:
    return f"{100 * view.books.promises.worst_case:g}"


def _estimate(one: Estimate) -> str:
    return with_error(one.value, one.error, THOUSANDS)


def _odds(one: Estimate) -> str:
    return "none seen" if one.value == 0.0 else with_error(one.value, one.error, PERCENT)
