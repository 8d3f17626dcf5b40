"""What a council's treasurer asks first: what it pays, when, how bad it can be, and against what."""

from __future__ import annotations

from collections.abc import Sequence

from socialfinance.engine.ready import ReadyDeal
from socialfinance.measures.statistics import Row
from socialfinance.reports.figures import Figures, add, can_end_early, cell, chance, most_error
from socialfinance.reports.numbers import NOTHING, PEOPLE, PERCENT, POUNDS, THOUSANDS, TIE, text, with_error
from socialfinance.reports.page import Page, stacked

YEARS_ACROSS = 9
"""Financial years that fit beside one another."""
NEXT_TO_NOTHING = 50.0
"""Pounds a year; years at the end with less are left out."""
EVERYBODY = "all public bodies"
IN_HOUSE, SAME = "in house, own costs", "in house, same costs"
LIMITS = ("contract_value", "maximum_contract")
POUNDS_BARE = POUNDS._replace(before="")
AGAINST = (IN_HOUSE, SAME, "pwlb, own costs", "pwlb, same costs")


def council_by_council(page: Page, figures: Figures) -> None:
    """Each council: what it pays, what it saves, and by financial year."""
    councils = figures.councils()
    if not councils:
        return
    page.heading("Council by council")
    limits = [row for row in figures.result.measures_rows if row.measure in LIMITS and row.party in councils]
    heads = ("Cap on outcome payments", "Most under the terms") if limits else ()
    page.table(
        "What each council pays over the life, undiscounted (£000)",
        ("Council", "Expected", "P5", "P95", "P99", "Largest simulated", *heads),
        [_pays(page, figures, council, bool(limits)) for council in councils],
    )
    page.say(
        "Paid: all it pays under the deals less what comes back to it. P95: one future in twenty is dearer; "
        "P99: one in a hundred." + (_what_limits_mean(figures) if limits else "")
    )
    _own_money(page, figures)
    page.table(
        "What it saves, and what is left (£000)",
        ("Council", "Paid", "Cashable saving to it", "Net cost", "Net cost, P95",
         "Chance it saves less than it pays"),
        [_nets(page, figures, council) for council in councils],
    )  # fmt: skip
    page.say(
        "Net cost: paid less cashable saving; negative means it gains. Savings that free capacity but no "
        "cash are left out."
    )
    _by_year(page, figures, councils)


def _what_limits_mean(figures: Figures) -> str:
    backed = any(deal.own.lowered.guaranteed for deal in figures.deals)
    return (
        " Cap: its part of what can be asked for outcomes. Most under the terms: the cap and, on top, "
        "termination compensation, reimbursed cost, minimum-referral payments and floors"
        + (", and what it guarantees; fees for guarantees are not in it." if backed else ".")
    )


def _own_money(page: Page, figures: Figures) -> None:
    """That a reserve or receipts are the council's own."""
    for deal in figures.deals:
        who = ", ".join(figures.title(party) for party in figures.commissioners(deal))
        for party in deal.council[len(figures.commissioners(deal)) :]:
            page.say(
                f"{figures.title(party)}: the own money of {who}, kept apart from its budget. What both pay "
                "is what the programme costs the council."
            )


def _pays(page: Page, figures: Figures, council: str, limited: bool) -> tuple[str, ...]:
    paid = [cell(figures.public(council, "paid", at), THOUSANDS, page) for at in ("p5", "p95", "p99", "max")]
    return (
        figures.title(council),
        cell(figures.public(council, "paid"), THOUSANDS, page, error=True),
        *paid,
        *(_limit(figures, council, measure) for measure in LIMITS if limited),
    )


def _nets(page: Page, figures: Figures, council: str) -> tuple[str, ...]:
    return (
        figures.title(council),
        cell(figures.public(council, "paid"), THOUSANDS, page),
        cell(figures.public(council, "saving"), THOUSANDS, page),
        cell(figures.public(council, "net_cost"), THOUSANDS, page, error=True),
        cell(figures.public(council, "net_cost", "p95"), THOUSANDS, page),
        chance(figures.public(council, "never_pays_for_itself", "probability"), page),
    )


def _limit(figures: Figures, party: str, measure: str) -> str:
    """The sum over all deals of what the terms allow."""
    rows = [row for row in figures.result.measures_rows if row.measure == measure and row.party == party]
    if not rows:
        return NOTHING
    total = add(rows)
    return "no cap" if total is None else text(total, None, THOUSANDS)


def _by_year(page: Page, figures: Figures, councils: Sequence[str]) -> None:
    calendar = figures.ready.calendar
    years = _with_money(figures, councils)
    for first in range(0, len(years), YEARS_ACROSS):
        some = years[first : first + YEARS_ACROSS]
        head = [year + ("" if calendar.quarters_in_year(year) == 4 else "*") for year in some]
        rows = [
            stacked(figures.title(council), _year_lines(page, figures, council, some)) for council in councils
        ]
        page.table("By financial year, April to March (£000)", ("Council", "", *head), rows, names=2)
    cut = "" if years == calendar.financial_years else f" Years after {years[-1]} have next to nothing."
    page.say(
        "* a part year. P95 of a year is that year's own: the P95 of years do not add up to the P95 of the "
        f"life.{cut}"
    )


def _with_money(figures: Figures, councils: Sequence[str]) -> tuple[str, ...]:
    """The financial years up to the last in which one of them pays or saves anything to speak of."""
    years = figures.ready.calendar.financial_years
    last = 0
    for i, year in enumerate(years):
        shown = [
            figures.public(council, measure, statistic, year)
            for council in councils
            for measure, statistic in (("paid", "mean"), ("paid", "p95"), ("saving", "mean"))
        ]
        if any(row is not None and abs(row.value or 0.0) >= NEXT_TO_NOTHING for row in shown):
            last = i
    return years[: last + 1]


def _year_lines(page: Page, figures: Figures, party: str, years: Sequence[str]) -> list[tuple[str, ...]]:
    lines = (("paid", "mean", "paid"), ("paid", "p95", "paid, P95"), ("net_cost", "mean", "net cost"))
    found = []
    for measure, statistic, words in lines:
        values = [cell(figures.public(party, measure, statistic, y), THOUSANDS, page) for y in years]
        found.append((words, *values))
    return found


def other_parties(page: Page, figures: Figures) -> None:
    """Everybody else: public bodies that are not councils, providers, intermediaries, the world outside."""
    bodies = [party for party in figures.bodies() if figures.ready.parties[party].kind != "council"]
    if bodies:
        page.heading("Other public bodies")
        page.table(
            "Over the life, undiscounted (£000)",
            (
                "Body",
                "Paid, expected",
                "Paid, P95",
                "Cap on outcome payments",
                "Cashable saving to it",
                "Net cost",
            ),
            [_body(page, figures, party) for party in bodies],
        )
        _vat(page, figures, bodies)
    mine = {party for deal in figures.deals for party in figures.parties_of(deal)}
    rows = [
        row for row in figures.result.measures_rows
        if row.scope == "fund" and row.measure == "net" and row.statistic == "mean" and row.party in mine
    ]  # fmt: skip
    rows = [row for row in rows if not _nil(figures, row)]
    if not rows:
        return
    page.heading("All other parties")
    page.table(
        "Received less paid over the life, undiscounted (£000)",
        ("Party", "Kind", "Expected", "P5", "P95"),
        [_other(page, figures, row) for row in rows],
        names=2,
    )
    page.say(
        "A provider or intermediary passes its cost on to staff and suppliers, so its net is its surplus. "
        "What the world outside receives is the cost of the programme less costs no longer met: its net "
        "value with the sign turned. Parties through which money only passes, such as the deals' vehicles, "
        "end with nil and are left out. Over all parties the nets sum to nil."
    )


def _vat(page: Page, figures: Figures, bodies: Sequence[str]) -> None:
    """Why the tax authority's row has the other sign."""
    for party in bodies:
        paid = figures.public(party, "paid")
        if figures.ready.parties[party].kind == "hmrc" and paid and paid.value and paid.value < 0.0:
            page.say(
                f"{figures.title(party)} has a negative cost: VAT that vehicles pay and cannot recover comes "
                "back to the public purse, so all public bodies together pay that much less than those who "
                "pay under the deals."
            )


def _body(page: Page, figures: Figures, party: str) -> tuple[str, ...]:
    return (
        figures.title(party),
        cell(figures.public(party, "paid"), THOUSANDS, page, error=True),
        cell(figures.public(party, "paid", "p95"), THOUSANDS, page),
        _limit(figures, party, "contract_value"),
        cell(figures.public(party, "saving"), THOUSANDS, page),
        cell(figures.public(party, "net_cost"), THOUSANDS, page, error=True),
    )


def _nil(figures: Figures, row: Row) -> bool:
    """Whether a party ends with nothing, whatever happens."""
    ends = [figures.row("net", s, scope="fund", party=row.party, role=row.role) for s in ("min", "max")]
    return all(end is not None and end.value is not None and abs(end.value) < 1.0 for end in ends)


def _other(page: Page, figures: Figures, row: Row) -> tuple[str, ...]:
    at = [figures.row("net", s, scope="fund", party=row.party, role=row.role) for s in ("p5", "p95")]
    return (
        figures.title(row.party), row.role, cell(row, THOUSANDS, page, error=True),
        *(cell(one, THOUSANDS, page) for one in at),
    )  # fmt: skip


# --- against doing it in house --------------------------------------------------------------------


def against_in_house(page: Page, figures: Figures) -> None:
    """Each deal less the same programme in house and at the PWLB cost of money, on the same futures."""
    if not figures.result.compared or not _comparable(figures):
        return
    page.heading("Against doing it in house, and the PWLB cost of money")
    page.say(
        "Each deal's net cost less that of the same programme on the same futures, paid for otherwise. "
        "Above nil the deal costs more, below nil it costs less."
        + (" A contract that ends early starts nobody after; in house nothing ends early, so more people are "
           "reached and paid for: the last table of this part is by person started."
           if any(can_end_early(deal) for deal in _comparable(figures)) else "")
    )  # fmt: skip
    page.say(
        "In house, own costs: the council runs it from revenue or reserves, with its own contract staff "
        "and without the vehicle. In house, same costs: the deal's own costs. In both the commissioner pays "
        "everything, other payers' part too, and keeps all the risk. PWLB is a cost-of-money benchmark: PWLB "
        "cannot lawfully fund a people programme, whose cost is revenue."
    )
    _against(page, figures, "To the commissioner", False)
    _against(page, figures, "To all public bodies together", True)
    page.say(
        "PV, £000: expected ± standard error of the paired difference; in brackets as a share of "
        "what is paid in house at the council's own costs; below, from P5 to P95."
    )
    _per_person(page, figures)
    _owed(page, figures)


def _comparable(figures: Figures) -> list[ReadyDeal]:
    """The deals that could be run in house: of what a council would otherwise pay for itself."""
    return [deal for deal in figures.deals if IN_HOUSE in [one.name for one in deal.comparators]]


def _per_person(page: Page, figures: Figures) -> None:
    """What is delivered on either side, and what it costs all public bodies for each person."""
    rows = [_person(figures, deal) for deal in _comparable(figures)]
    page.table(
        "By person started: net cost to all public bodies (PV, £)",
        ("Deal", "Started, deal", "Started, in house", "The deal", "In house, own costs",
         "In house, same costs", "PWLB, own costs", "PWLB, same costs"),
        rows,
    )  # fmt: skip
    page.say("Expected net cost over expected people started.")


def _person(figures: Figures, deal: ReadyDeal) -> tuple[str, ...]:
    started = figures.programme(deal.name, "people started")
    there = figures.row("people started", deal=deal.name, role=IN_HOUSE)
    own = figures.total(deal.name, "net_cost_pv")
    others = [figures.row("net_cost_pv", deal=deal.name, party=EVERYBODY, role=role) for role in AGAINST]
    return (
        deal.name, text(started.value if started else None, None, PEOPLE),
        text(there.value if there else None, None, PEOPLE), _each(own, started),
        *(_each(other, there) for other in others),
    )  # fmt: skip


def _each(cost: Row | None, people: Row | None) -> str:
    if cost is None or people is None or cost.value is None or not people.value:
        return NOTHING
    error = cost.standard_error / people.value if cost.standard_error else None
    return text(cost.value / people.value, error, POUNDS_BARE)


def _against(page: Page, figures: Figures, title: str, everybody: bool) -> None:
    rows, deals = [], _comparable(figures)
    for deal in deals:
        party = _who(figures, deal, everybody)
        base = figures.row("net_cost_pv", deal=deal.name, party=party, role=IN_HOUSE)
        less = figures.row("net_cost_pv_less", deal=deal.name, party=party, role=IN_HOUSE)
        own = add([base, less])
        cells = [_difference(page, figures, deal.name, party, role) for role in AGAINST]
        rows.append((deal.name, text(own, base.standard_error if base else None, THOUSANDS), *cells))
    if len(deals) > 1 and figures.whole:
        rows.append(_all_deals(page, figures, everybody))
    head = ("Deal", "Net cost, PV", "less in house, own costs", "less in house, same costs",
            "less PWLB, own costs", "less PWLB, same costs")  # fmt: skip
    page.table(f"{title} (PV, £000)", head, rows)


def _difference(page: Page, figures: Figures, deal: str, party: str, role: str, scope: str = "deal") -> str:
    less = figures.row("net_cost_pv_less", scope=scope, deal=deal, party=party, role=role)
    if less is None or less.value is None:
        return cell(less, THOUSANDS, page)
    paid = figures.row("paid_pv", scope=scope, deal=deal, party=party, role=IN_HOUSE)
    ends = [
        figures.row("net_cost_pv_less", at, scope=scope, deal=deal, party=party, role=role)
        for at in ("p5", "p95")
    ]
    share = "" if role.startswith("pwlb") else _share(less, paid)
    first = with_error(less.value, less.standard_error, THOUSANDS) + share
    return f"{first}\n{f'{TIE}to{TIE}'.join(cell(end, THOUSANDS, page) for end in ends)}"


def _share(less: Row, paid: Row | None) -> str:
    if paid is None or not paid.value or less.value is None:
        return ""
    error = less.standard_error / paid.value if less.standard_error else None
    whole = PERCENT._replace(decimals=1)
    return f"{TIE}({text(less.value / paid.value, error, whole)})"


def _all_deals(page: Page, figures: Figures, everybody: bool) -> tuple[str, ...]:
    """The sum over deals: as measured path by path, or of the expected values alone."""
    party = EVERYBODY if everybody else "all commissioners"
    if figures.row("net_cost_pv_less", scope="fund", party=party, role=IN_HOUSE) is not None:
        own = add([figures.row(m, scope="fund", party=party, role=IN_HOUSE)
                   for m in ("net_cost_pv", "net_cost_pv_less")])  # fmt: skip
        cells = [_difference(page, figures, "", party, role, "fund") for role in AGAINST]
        return ("All deals", text(own, None, THOUSANDS), *cells)
    own, error = _sum(figures, everybody, IN_HOUSE, ("net_cost_pv", "net_cost_pv_less"))
    paid, _ = _sum(figures, everybody, IN_HOUSE, ("paid_pv",))
    cells = []
    for role in AGAINST:
        less, noise = _sum(figures, everybody, role, ("net_cost_pv_less",))
        words = text(less, noise, THOUSANDS)
        if paid and less is not None and not role.startswith("pwlb"):
            words += f"{TIE}({text(less / paid, noise / paid, PERCENT._replace(decimals=1))})"
        cells.append(words)
    return ("All deals", text(own, error, THOUSANDS), *cells)


def _sum(figures: Figures, everybody: bool, role: str, measures: Sequence[str]) -> tuple[float | None, float]:
    """The sum of expected values over deals, and the most that its standard error can be."""
    rows = [
        figures.row(m, deal=d.name, party=_who(figures, d, everybody), role=role)
        for d in _comparable(figures)
        for m in measures
    ]
    return add(rows), most_error(rows)


def _who(figures: Figures, deal: ReadyDeal, everybody: bool) -> str:
    return EVERYBODY if everybody else " and ".join(deal.council)


def _owed(page: Page, figures: Figures) -> None:
    """Loans that outlive the horizon, the deal's own or the benchmark's: their cost is not all shown."""
    for deal in figures.deals:
        row = figures.structure(deal.name, "loan_owed_at_end")
        if row is not None and row.value is not None and row.value > 0.5:
            page.say(
                f"{deal.name}: £{row.value:,.0f} of its own loans is still owed after the last quarter, on "
                "average, and not in these figures."
            )
        row = figures.row("loan_owed_at_end", deal=deal.name, role="pwlb, own costs")
        if row is not None and row.value is not None and row.value > 0.5:
            page.say(
                f"{deal.name}: £{row.value:,.0f} of the benchmark loans is still owed after the last "
                "quarter and not in these figures."
            )
