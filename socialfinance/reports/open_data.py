"""Open data as pages: what a publication holds and what is suppressed in it; what is wrong with one."""

from __future__ import annotations

from collections.abc import Sequence

from socialfinance.evidence.open_data.publish import Published
from socialfinance.evidence.open_data.read import Finding
from socialfinance.evidence.open_data.suppress import Rule
from socialfinance.evidence.open_data.tables import TABLES
from socialfinance.reports.page import Page


def published_page(made: Published, title: str, rule: Rule) -> str:
    """The page of ``publish export``."""
    page = Page()
    page.heading(f"Published: {title}")
    rows = [(name, f"{len(made.data.rows(name)):,}") for name in TABLES]
    page.table("Rows by table", ("Table", "Rows"), rows)
    page.gap()
    if made.hidden:
        _suppressed(page, made, rule)
    else:
        page.say("The plan only: no returns were given, and nobody is counted.")
    for deal, line, target in made.small_targets:
        page.say(
            f"Note: the plan of {deal} has {target} people for {line}, under {rule.threshold}. A plan counts",
            "nobody and is shown; consider whether it names a group so small that people are known.",
        )
    return page.text


def _suppressed(page: Page, made: Published, rule: Rule) -> None:
    """What is hidden of each deal's returns."""
    nil = "nil is shown" if rule.nil_published else "nil is hidden too"
    rows = [
        (
            one.deal,
            *(f"{count:,}" for count in (one.periods, one.counts, one.small)),
            "all withheld" if one.withheld else f"{one.beside:,}",
            *(f"{count:,}" for count in (one.payments, one.payments_hidden)),
        )
        for one in made.hidden
    ]
    page.table(
        f"Suppressed: counts under {rule.threshold} ({nil}), and others beside them, so that each hidden "
        f"count could be any of at least {rule.least} numbers",
        ("Deal", "Periods", "Counts", "Small", "Hidden beside", "Amounts", "Hidden"),
        rows,
    )
    page.gap()
    for one in made.hidden:
        if not one.told and not one.withheld:
            page.say(f"Note: {one.deal} holds only as long as nobody knows which hidden counts are small.")
    page.say(
        "Audited for this publication alone. Whoever subtracts an earlier one, or another table of the same",
        "people, may find more.",
    )


def findings_page(findings: Sequence[Finding]) -> str:
    """Warnings, one a line, and how many of each there are; errors are said elsewhere."""
    page = Page()
    errors = sum(not finding.warning for finding in findings)
    warnings = len(findings) - errors
    told = "".join(f"{finding}\n" for finding in findings if finding.warning)
    page.say(f"{_many(errors, 'error')}, {_many(warnings, 'warning')}.")
    return told + page.text


def _many(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'s' * (count != 1)}"
