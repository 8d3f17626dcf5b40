"""The report of a run, for an investment committee and a treasurer, as plain text."""

from __future__ import annotations

from collections.abc import Iterable

from socialfinance.core.currency import CURRENCIES
from socialfinance.engine.ready import ReadyPortfolio, prepare
from socialfinance.funds.portfolio import Portfolio
from socialfinance.measures.sketch import WITHIN
from socialfinance.measures.statistics import SKETCHED
from socialfinance.reports import (
    built,
    fund,
    funding,
    grants,
    guarantees,
    investors,
    loans,
    outcomes,
    policy,
    provider,
    public,
    purse,
)
from socialfinance.reports.figures import Figures
from socialfinance.reports.inputs import COUNTED_NEARLY, Sources, changed_line, count_sources
from socialfinance.reports.numbers import NOTHING
from socialfinance.reports.page import Page
from socialfinance.results.result import Result

MOST_SHOWN = 6
"""Unverified places listed before the rest are only counted."""


def report(result: Result, ready: ReadyPortfolio | None = None, deals: Iterable[str] = ()) -> str:
    """Everything a run found, as text 110 characters wide; ``deals`` keeps the rows to some of them."""
    figures = Figures(result, ready or prepare(result.portfolio), deals)
    page = Page(symbol=CURRENCIES[result.portfolio.currency].symbol)
    what_this_is(page, figures)
    investors.committee(page, figures)
    loans.loans(page, figures)
    built.built(page, figures)
    guarantees.guarantees(page, figures)
    provider.at_risk(page, figures)
    grants.grants(page, figures)
    funding.own_money(page, figures)
    fund.fund(page, figures)
    policy.policy(page, figures)
    purse.shared_purse(page, figures)
    public.council_by_council(page, figures)
    public.other_parties(page, figures)
    public.against_in_house(page, figures)
    investors.with_variation(page, figures)
    investors.bridge(page, figures)
    outcomes.cut_off(page, figures)
    outcomes.endings(page, figures)
    outcomes.done(page, figures)
    return page.text


def _spread_on_purpose(result: Result) -> str:
    """How the futures were drawn, where they are not all alike."""
    told = result.extra
    if told.get("sampling") != "auto":
        return ""
    said = (
        f" They are spread on purpose: {told['randomised_sets']} randomised sets of "
        f"{told['paths_in_a_set']:,} points in {told['dimensions']} dimensions"
    )
    if told["bad_times"]:
        said += f", half of them drawn where {told['bad_times']} is high, and weighted to match"
    if told.get("mixes"):
        said += (
            f"; {told['paths_in_a_world']} in a row share what is common to all deals, and figures "
            f"for life over several deals are taken over {told['mixes']} mixes of them"
        )
    return said + ". The errors are those between sets."


def _off_a_sketch(result: Result) -> str:
    """What the mark of a figure means, where not all were kept by path."""
    if "keep" not in result.extra:
        return ""
    return f" Figures marked {SKETCHED} are read off a sketch, and within {WITHIN:.1%} of the exact ones."


def what_this_is(page: Page, figures: Figures) -> None:
    """What was run, on what, and how far it can be trusted."""
    result, ready = figures.result, figures.ready
    portfolio, calendar = ready.portfolio, ready.calendar
    page.say(portfolio.title or portfolio.name)
    page.say("-" * min(len(portfolio.title or portfolio.name), 110))
    page.say(
        f"{_many(len(ready.deals), 'deal')}{_with_whom(figures)} over {calendar.quarters} quarters from "
        f"{day(calendar.start)} to {day(calendar.row_date(calendar.quarters))}.",
        f"{result.paths:,} simulated futures, seed {result.seed}.{_spread_on_purpose(result)}"
        f"{_off_a_sketch(result)}",
    )
    if result.set:
        page.say(changed_line(result.set))
    page.say(
        f"Present values (PV) are at {result.discount:.3%} a year, annual effective, to "
        f"{day(calendar.start)}.",
        f"Basis: {result.discount_basis}.",
    )
    _sources(page, count_sources(portfolio))
    page.say(
        "± is one standard error: the noise of simulating a limited number of futures, and nothing else.",
        "It says nothing of how well the inputs are known, which is the larger doubt. No more digits are",
        f"shown than it supports. {limits(portfolio)} before tax; cash of the day (nominal), not",
        "deflated.",
    )
    if not figures.whole:
        page.say(
            f"Shown for {', '.join(deal.name for deal in figures.deals)} only.",
            "The whole fund, and what a council or another party pays and saves, are still over all deals.",
        )
    _deals(page, figures)
    _notes(page, figures)


def _with_whom(figures: Figures) -> str:
    """How many public bodies the tables below list for the whole fund."""
    listed = {row.party for row in figures.result.measures_rows if row.scope == "council"}
    listed -= set(funding.apart(figures))
    councils = sum(figures.ready.parties[party].kind == "council" for party in listed)
    others = len(listed) - councils
    said = [_many(councils, "council")] if councils else []
    said += [_many(others, "other public body", "other public bodies")] if others else []
    return f" with {' and '.join(said)}," if said else ""


def limits(portfolio: Portfolio) -> str:
    """Where the model holds, in which currency, and whether people are counted exactly."""
    code = portfolio.currency
    where = "England only;" if code == "GBP" else f"{_capital(CURRENCIES[code].name)}, not converted;"
    return where if portfolio.counts == "people" else f"{where} {COUNTED_NEARLY};"


def _capital(words: str) -> str:
    return words[0].upper() + words[1:]


def _notes(page: Page, figures: Figures) -> None:
    """What a reader of the terms should know, and the terms that the model proposed."""
    found = [f"{deal.name}: {note}." for deal in figures.deals for note in deal.own.lowered.notes]
    found += [
        f"{path} was left to the model, which proposes £{value:,.0f}."
        for deal in figures.deals for path, value in deal.proposed.items()
    ]  # fmt: skip
    if found:
        page.gap()
    for note in found:
        page.say(f"- {note}")


def _sources(page: Page, counted: Sources) -> None:
    page.say(
        f"Inputs: {counted.total:,} numbers, of which {counted.sourced:,} with a source and "
        f"{counted.illustrative:,} illustrative (invented)"
        + (f"; of {counted.unsaid:,} the file says neither." if counted.unsaid else ".")
    )
    if not counted.unverified:
        return
    shown = ", ".join(place for place, _ in counted.unverified[:MOST_SHOWN])
    rest = len(counted.unverified) - MOST_SHOWN
    more = f" and {_many(rest, 'more place')}" if rest > 0 else ""
    total = sum(count for _, count in counted.unverified)
    page.say(f"[unverified] {_many(total, 'number')} must still be confirmed, in {shown}{more}.")


def _deals(page: Page, figures: Figures) -> None:
    rows = []
    for deal in figures.deals:
        counted = count_sources(deal.deal)
        mark = " [unverified]" if counted.unverified else ""
        who = ", ".join(figures.title(party) for party in figures.commissioners(deal))
        providers = ", ".join(figures.title(party) for party, _ in deal.roles.get("provider", ()))
        title = deal.deal.title or deal.programme.programme.title
        rows.append((deal.name, title + mark, who or NOTHING, providers or NOTHING, day(deal.calendar.start)))
    page.table("", ("Deal", "What it is", "Commissioner", "Provider", "Starts"), rows, names=5)


def _many(count: int, thing: str, things: str | None = None) -> str:
    """``1 deal``, ``3 deals``."""
    return f"{count:,} {thing if count == 1 else things or thing + 's'}"


def day(day: object) -> str:
    """``1 October 2026``."""
    from datetime import date

    assert isinstance(day, date)
    return f"{day.day} {day:%B %Y}"
