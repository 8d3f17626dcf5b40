"""Sections 1 and 2: what the paper is for, and the options on the same futures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from socialfinance.council.view import NO_STAKE, View
from socialfinance.engine.books import OWN, DealBooks
from socialfinance.papers.parts import Part, Section, Table, named
from socialfinance.reports.console import day
from socialfinance.reports.frames import each, missing, odds, thousands
from socialfinance.reports.numbers import PEOPLE, PERCENT, THOUSANDS, TIE, pounds, text, with_error

MOST_DEALS = 3
"""Deals of which a two-page paper tells one by one: those with the largest payments."""
OWN_COSTS, SAME_COSTS = ", own costs", ", same costs"
CALLED = {
    NO_STAKE: "Do nothing",
    "in house": "In house",
    "pwlb": "PWLB, notional cost of money",
}
"""What options are called; others keep their names."""


def main_deals(view: View) -> tuple[DealBooks, ...]:
    """The deals that are told of one by one, the one in which this body pays most first."""
    paid = {one.deal.name: abs(float(view.paid(view.party, one).sum(axis=0).mean())) for one in view.deals}
    return tuple(sorted(view.deals, key=lambda one: -paid[one.deal.name])[:MOST_DEALS])


def purpose(view: View) -> Section:
    """Section 1: what is to be decided, for whom, and what it is expected to do and cost."""
    council = named(view.ready.parties[view.party].title or view.party)
    what = ", ".join(f"{named(one.deal.name)} ({_structure(one)})" for one in main_deals(view))
    more = len(view.deals) - len(main_deals(view))
    parts: list[Part] = [
        f"To set out for a decision what {council} would take on in {_counted(len(view.deals), 'deal')}: "
        f"{what}{f', and {more} more' if more else ''}. Financial close: {day(view.ready.calendar.start)}; "
        f"figures look {view.ready.calendar.quarters} quarters ahead."
    ]
    parts += [_helped(view, one.deal.name) for one in main_deals(view)]
    parts += list(_left_out(view))
    return Section("Purpose", tuple(part for part in parts if part))


def _structure(books: DealBooks) -> str:
    return str(books.deal.deal.instrument.kind).replace("-", " ")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _helped(view: View, deal: str) -> str:
    """People and outcomes, expected, with one future in twenty on either side."""
    rows = {row.measure: row for row in each(view.people[view.people["deal"] == deal])}
    achieved = [name for name in rows if name.startswith("achieved: ")]
    said = []
    if "people started" in rows:
        said.append(f"{_people(rows['people started'])} people are expected to start")
    for name in achieved[:2]:
        line = name.removeprefix("achieved: ")
        beyond: Any = rows.get(f"beyond: {line}")
        extra = f", {text(beyond.expected, beyond.standard_error, PEOPLE)} of them more than would happen "
        said.append(f"{named(line)}: {_people(rows[name])}{f'{extra}anyway' if beyond else ''}")
    others = len(achieved) - 2
    tail = f"; and {_counted(others, 'more outcome')} in the file" if others > 0 else ""
    return f"{named(deal)}: {'; '.join(said)}{tail}." if said else ""


def _people(row: Any) -> str:
    ends = f"{text(row.p5, None, PEOPLE)}{TIE}to{TIE}{text(row.p95, None, PEOPLE)}"
    return f"{with_error(row.expected, row.standard_error, PEOPLE)} ({ends})"


def _left_out(view: View) -> Iterator[str]:
    if len(view.deals) > MOST_DEALS:
        yield (
            f"Only the {MOST_DEALS} deals with the largest payments are told of one by one; sums over all "
            "deals count every one. The council page of the same run has the rest."
        )
    if view.ready.fund is not None and view.ready.fund.policy is not None:
        yield "Deals are shown as contracted: what a fund's policy may add to them or end is not in here."


def options(view: View) -> Section:
    """Section 2: the structure beside every alternative, by deal, present values."""
    parts: list[Part] = []
    for books in main_deals(view):
        name = books.deal.name
        rows = list(each(view.against[view.against["deal"] == name]))
        if not rows:
            parts.append(f"{named(name)}: nothing to hold it against.")
            continue
        parts.append(_table(view, books, rows))
        parts += [words for words in (_price(view, books, rows),) if words]
    parts.append(_how(view))
    return Section("Options compared", tuple(parts))


def _table(view: View, books: DealBooks, rows: list[Any]) -> Table:
    name = books.deal.name
    by_name = {row.alternative: row for row in rows}
    first = rows[0]
    lines = [
        (
            f"The structure ({_structure(books)})",
            with_error(first.net_cost_pv, first.standard_error, THOUSANDS), "", "", "", "",
            _failed(view, name, OWN),
        )
    ]  # fmt: skip
    for option in sorted(dict.fromkeys(map(_option, by_name)), key=_order):
        own: Any = by_name.get(option + OWN_COSTS)
        row: Any = by_name.get(option + SAME_COSTS, by_name.get(option, own))
        lines.append(
            (
                CALLED.get(option, option[:1].upper() + option[1:]), thousands(row.their_net_cost_pv),
                with_error(row.difference_pv, row.difference_error, THOUSANDS),
                f"{thousands(row.difference_p5)}{TIE}to{TIE}{thousands(row.difference_p95)}",
                odds(row.chance_dearer), thousands(own.difference_pv) if own is not None else "",
                _failed(view, name, row.alternative),
            )
        )  # fmt: skip
    head = ("Option", "Net cost", "Structure less it", "P5 to P95", "Odds that it is dearer",
            "Less it, at own costs", "Gates of lawful funding it fails")  # fmt: skip
    return Table(f"{named(name)}: net cost to this body, present value (£000)", head, tuple(lines))


def _option(alternative: str) -> str:
    return alternative.removesuffix(OWN_COSTS).removesuffix(SAME_COSTS)


def _order(option: str) -> int:
    """Doing nothing first, then as the file has them."""
    return 0 if option == NO_STAKE else 1


def _failed(view: View, deal: str, structure: str) -> str:
    """The gates that a structure fails; queries are a person's to answer, in the last section."""
    if structure == NO_STAKE:
        return ""
    if not view.is_council:
        return "not read"
    table = view.gates
    mine = table[(table["deal"] == deal) & (table["structure"] == structure)]
    failed = [row.gate for row in each(mine) if row.verdict == "fail"]
    return ", ".join(failed) or "none"


def _price(view: View, books: DealBooks, rows: list[Any]) -> str:
    """What it costs to move risk, and how much is moved, against borrowing for the same bill."""
    base = view.base(books.deal)
    row = next((one for one in rows if one.alternative == base), None)
    if row is None or base == NO_STAKE or not view.pays(books, base) or missing(row.risk_moved):
        return ""
    least, most = pounds(row.worst_here), pounds(row.worst_there)
    others = sum(view.others_pay(books, base).values())
    aside = f" Others pay {pounds(others)} here that they would not there: no gain of the structure."
    dearer = "more" if row.difference_pv >= 0.0 else "less"
    moved = "moves" if row.risk_moved >= 0.0 else "adds"
    away = "of the spread of net cost away" if row.risk_moved >= 0.0 else "to the spread of net cost"
    return (
        f"Against {named(base)}, the structure is expected to cost "
        f"{pounds(abs(row.difference_pv), row.difference_error)} {dearer} in present value. It {moved} "
        f"{text(abs(row.risk_moved), None, PERCENT)} {away}; the mean of the dearest twentieth of futures "
        f"lies {least} above the mean of all here, {most} there.{aside if others else ''}"
    )


def _how(view: View) -> str:
    effects = sorted({row.performance_effect for row in each(view.against)})
    stated = ", ".join(f"{effect:.0%}" for effect in effects) or "nil"
    return (
        "Net cost: what this body pays less its cashable savings, on the same futures for every option. "
        "Same costs: the structure's own bill; own costs: without what only the structure needs, with the "
        "council's contract staff. PWLB rows for a people's programme are a cost of money only: its cost "
        "is revenue, and councils may not borrow for it. Stated effect of a structure on performance: "
        f"{stated}."
    )
