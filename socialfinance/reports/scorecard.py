"""A balanced scorecard as text: needs, strengths, outcomes and economics of each group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from socialfinance.evidence.outcomes_map import outcomes_map
from socialfinance.evidence.scorecard import Figure, Group, Scorecard
from socialfinance.reports.numbers import (
    NOTHING,
    PEOPLE,
    PERCENT,
    POUNDS,
    THOUSANDS,
    YEARS,
    Scale,
    text,
    with_error,
)
from socialfinance.reports.page import Page

SCALES = {"people": PEOPLE, "outcomes": PEOPLE, "fraction": PERCENT, "pounds": POUNDS, "quarters": YEARS}
WIDE = ("", "Expected", "P5", "P95")


class _Found(NamedTuple):
    """A group's figures of one perspective, by what they are about."""

    figures: Sequence[Figure]

    def one(self, measure: str, deal: str = "", about: str = "", code: str | None = None) -> Figure | None:
        """One figure, where there is one."""
        for figure in self.figures:
            if (figure.measure, figure.deal, figure.about) == (measure, deal, about) and code in (
                None,
                figure.code,
            ):
                return figure
        return None

    def lines(self) -> list[tuple[str, str, str]]:
        """Deal, line and code of what is about an outcome line."""
        return list(dict.fromkeys((one.deal, one.about, one.code) for one in self.figures if one.deal))


def scorecard_page(card: Scorecard, title: str, symbol: str) -> str:
    """The page of ``scorecard``."""
    page = Page(symbol=symbol)
    page.heading(f"Balanced scorecard: {title}")
    for group in card.groups:
        _group(page, card, group)
    page.gap()
    page.say(
        f"{card.paths:,} futures, seed {card.seed}, each deal alone as contracted: nothing rationed, no",
        "fund's policy. ± is one standard error of the simulation. A ratio is that of means; its P5 and P95",
        "are those of the ratio by future, where there is any. Money is undiscounted. What is measured is",
        "what the file's outcome lines measure: no satisfaction, and no need that nobody brought.",
    )
    page.say(
        "Needs and strengths: by the open outcomes map (Matthew Pike, Mass collaboration, IPPR 2014,",
        "appendix); which line stands for what is our reading, or that of --codes. Lines with neither are",
        "steps on the way. Failure demand: who came to a need's line and did not achieve it; not kept are",
        "those who had what the line before stands for, and lost it again or got no further.",
    )
    if card.left_out:
        page.say(f"Left out, no people's programme that is delivered: {', '.join(card.left_out)}.")
    return page.text


def _group(page: Page, card: Scorecard, group: Group) -> None:
    page.heading(group.name)
    if len(group.deals) > 1:
        page.say(f"Deals: {', '.join(one.deal.name for one in group.deals)}.")
    several = len(group.deals) > 1
    _needs(page, group, _Found(card.of(group.name, "needs")), several)
    _strengths(page, _Found(card.of(group.name, "strengths")), several)
    _outcomes(page, group, _Found(card.of(group.name, "outcomes")), several)
    _economics(page, _Found(card.of(group.name, "economics")), several)


def _needs(page: Page, group: Group, found: _Found, several: bool) -> None:
    whole = ("people referred", "people started", "started of referred", "needs met", "failure demand",
             "without it", "not kept", "quarters to a need met")  # fmt: skip
    page.table("Needs", WIDE, [_row(one) for one in map(found.one, whole) if one is not None])
    if not group.lines("need"):
        page.say("No outcome line is tagged as a need: what was met is not said.")
    if not found.lines():
        page.say(
            "No outcome lines: what is paid for is an effect measured on all (see `socialfinance design`)."
        )
        return
    rows = []
    for deal, line, code in found.lines():
        gone = found.one("without it", deal, line) or found.one("not kept", deal, line)
        rows.append((
            _name(deal, line, several), _kind(group, deal, line, code), _cell(found.one("came", deal, line)),
            _cell(found.one("achieved of came", deal, line), True),
            _cell(found.one("for each who started", deal, line)), _cell(gone),
            gone.measure if gone is not None else NOTHING,
            _cell(found.one("quarters from referral", deal, line)),
        ))  # fmt: skip
    head = ("Line", "Stands for", "Came", "Achieved", "Of all who started", "Not", "which is", "Quarters")
    page.table("", head, rows, names=2)


def _strengths(page: Page, found: _Found, several: bool) -> None:
    if not found.lines():
        page.gap()
        page.say("Strengths: no outcome line is tagged as one. The contract pays for none and measures none.")
        return
    rows = [
        (_name(deal, line, several), _label(code), *_cells(found.one("achieved", deal, line)),
         _cell(found.one("for each who started", deal, line), True))
        for deal, line, code in found.lines()
    ]  # fmt: skip
    head = ("Line", "Stands for", "Expected", "P5", "P95", "Of those who started")
    page.table("Strengths", head, rows, names=2)


def _outcomes(page: Page, group: Group, found: _Found, several: bool) -> None:
    if not found.lines():
        return
    codes = [one.code for one in found.figures if not one.deal and one.measure == "achieved"]
    if several and codes:
        rows = [(f"{code} {_label(code)}", *_pair(found, "", "", code)) for code in codes]
    else:
        rows = [(line, *_pair(found, deal, line, None)) for deal, line, _ in found.lines()]
    head = ("", "Achieved", "P5", "P95", "Beyond deadweight", "P5", "P95")
    page.table("Outcomes", head, rows)
    if several:
        untagged = [
            f"{one.deal.name}: {line}"
            for one, line in group.lines()
            if not group.tags[one.deal.name, line].code
        ]
        if untagged:
            page.say(f"Without a code, and so not in this table: {', '.join(untagged)}.")


def _pair(found: _Found, deal: str, line: str, code: str | None) -> tuple[str, ...]:
    cells = (found.one(measure, deal, line, code) for measure in ("achieved", "beyond deadweight"))
    return tuple(cell for one in cells for cell in _cells(one))


def _economics(page: Page, found: _Found, several: bool) -> None:
    whole = ("spent on the programme", "paid by public bodies", "spent for each who started",
             "marginal cost of one more who starts", "spending that follows volume")  # fmt: skip
    page.table("Economics", WIDE, [_row(one) for one in map(found.one, whole) if one is not None])
    if found.lines():
        _costs(page, found, several)
    agencies = [one.about for one in found.figures if one.measure == "change in cost"]
    measures = ("paid", "cashable saving", "change in cost", "capacity freed, not cash")
    rows = [
        (agency, *(_thousands(found.one(measure, "", agency)) for measure in measures), *_ends(found, agency))
        for agency in agencies
    ]
    head = ("Agency", "Paid", "Cashable saving", "Change in cost", "Capacity freed, not cash",
            "Change in cost, P5", "P95")  # fmt: skip
    page.table("Change in the system's cost, £000: paid less cashable savings", head, rows)


def _costs(page: Page, found: _Found, several: bool) -> None:
    measures = ("cost per outcome", "cost per outcome beyond deadweight", "paid per outcome", "marginal cost")
    rows = [
        (_name(deal, line, several), *(_cell(found.one(measure, deal, line), True) for measure in measures))
        for deal, line, _ in found.lines()
    ]
    head = ("Line", "One (£)", "One beyond deadweight (£)", "Paid for one (£)", "One more (£)")
    title = "Cost: the whole over each line alone, which share it, so that rows do not add up"
    page.table(title, head, rows)


def _ends(found: _Found, agency: str) -> tuple[str, str]:
    one = found.one("change in cost", "", agency)
    return (
        (NOTHING, NOTHING)
        if one is None
        else (text(one.p5, one.p5_error, THOUSANDS), text(one.p95, one.p95_error, THOUSANDS))
    )


def _thousands(one: Figure | None) -> str:
    return NOTHING if one is None else with_error(one.value, one.standard_error, THOUSANDS)


def _row(one: Figure) -> tuple[str, ...]:
    return (one.measure[0].upper() + one.measure[1:] + " (£)" * (one.unit == "pounds"), *_cells(one))


def _cells(one: Figure | None) -> tuple[str, str, str]:
    """Expected with its error, P5 and P95."""
    if one is None:
        return NOTHING, NOTHING, NOTHING
    scale = _scale(one)
    return _cell(one, True), text(one.p5, one.p5_error, scale), text(one.p95, one.p95_error, scale)


def _cell(one: Figure | None, error: bool = False) -> str:
    if one is None or one.value is None:
        return NOTHING
    return (with_error if error else text)(one.value, one.standard_error, _scale(one))


def _scale(one: Figure) -> Scale:
    """Of its unit; pounds in tables stand without their sign."""
    return SCALES[one.unit]._replace(before="")


def _name(deal: str, line: str, several: bool) -> str:
    return f"{deal}: {line}" if several else line


def _kind(group: Group, deal: str, line: str, code: str) -> str:
    kind = group.tags[deal, line].kind
    return f"{kind or 'step'}{f', {code}' if code else ''}"


def _label(code: str) -> str:
    return outcomes_map()[code].outcome if code else "no code fits"
