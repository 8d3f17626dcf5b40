"""One public body's page: ten figures first, then its budget, promises, purse, borrowing and appraisal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from socialfinance.core.currency import CURRENCIES
from socialfinance.council.view import View
from socialfinance.engine.books import OWN
from socialfinance.reports.accounts import lawful_funding, revenue_and_capital
from socialfinance.reports.cabinet import ten_figures, year_cells
from socialfinance.reports.console import day, limits
from socialfinance.reports.frames import each, groups, shown
from socialfinance.reports.numbers import NOTHING, THOUSANDS, TIE, text, with_error
from socialfinance.reports.page import Page
from socialfinance.reports.promises import promises_section

YEARS_ACROSS = 5
"""Financial years that fit beside one another."""
MATRICES = (
    ("cashable", "Cashable savings by agency"),
    ("other", "Savings that are not cashable, by agency"),
    ("payments", "Payments by agency, less what comes back"),
    ("net", "Net: cashable savings less payments, by agency"),
)


def council_page(view: View) -> str:
    """The page as text, 110 characters wide."""
    page = Page(symbol=CURRENCIES[view.ready.portfolio.currency].symbol)
    _what_this_is(page, view)
    ten_figures(page, view)
    promises_section(page, view)
    _purse(page, view)
    _borrowing(page, view)
    revenue_and_capital(page, view)
    _appraisal(page, view)
    lawful_funding(page, view)
    return page.text


def _what_this_is(page: Page, view: View) -> None:
    ready, run = view.ready, view.run
    title, start = ready.parties[view.party].title or view.party, day(ready.calendar.start)
    page.say(f"{title}: the books of {ready.portfolio.title or ready.portfolio.name}")
    page.say("-" * min(len(title) + 20, 110))
    deals = ", ".join(deal.deal.name for deal in view.deals)
    page.say(
        f"{len(view.deals)} of the file's {len(ready.deals)} deals: {deals}.",
        f"{run.paths:,} simulated futures, seed {run.seed}; as in a run of the whole file.",
        f"{ready.calendar.quarters} quarters from {start}; financial years, April to March.",
    )
    page.say(
        f"Present values are at {ready.discount:.3%} a year, annual effective, to {start}. "
        f"Basis: {ready.discount_basis}. Cash of the day unless said;",
        f"{limits(ready.portfolio)} before tax.",
    )
    page.say(
        "± is one standard error of the simulation and says nothing of how well the inputs are known. P5 and "
        "P95: one future in twenty is below, or above.",
        "Deals are shown as contracted: what a fund's policy may add to them or end is not in these figures."
        if ready.fund is not None and ready.fund.policy is not None
        else "",
    )
    if view.own_money:
        names = ", ".join(ready.parties[name].title or name for name in view.own_money)
        page.say(f"{names}: a party of its own in the file, and this council's money: here both are one.")
    told = view.ready.portfolio.books.get(view.party)
    page.say(
        "The file says nothing of this body's own books: defaults are used and named below."
        if told is None
        else f"Its own books as the file gives them ({view.said()})."
    )


def _purse(page: Page, view: View) -> None:
    page.heading("Shared purse")
    titles = {name: one.title or name for name, one in view.ready.parties.items()}
    years = list(shown(view.effect, ("saved", "paid"))["financial_year"])
    for name, title in MATRICES:
        table = view.purse[name]
        mine = {agency: rows.set_index("financial_year") for agency, rows in groups(table, "agency")}
        some = [agency for agency, rows in mine.items() if rows["expected"].abs().max() > 0.5]
        if not some:
            page.gap()
            page.say(f"{title}: none.")
            continue
        for first in range(0, len(years), YEARS_ACROSS):
            part = years[first : first + YEARS_ACROSS]
            last = first + YEARS_ACROSS >= len(years)
            rows = [_agency(titles[agency], mine[agency], part, last) for agency in some]
            page.table(
                f"{title} (£000; below, P5 to P95)", ("Agency", *part, *(("Life",) if last else ())), rows
            )
    gap = view.purse["wrong pockets"].set_index("financial_year")
    life = gap.loc[""]
    page.say(
        "In the wrong pocket: "
        + (
            f"£{life['expected']:,.0f} expected over the life is saved by agencies that pay for none of it."
            if life["expected"] > 0.5
            else "nothing; every agency that saves cash pays."
        )
    )
    _sharing(page, view, titles)


def _agency(title: str, rows: Any, years: Sequence[str], life: bool) -> tuple[str, ...]:
    cells = []
    for year in [*years, *([""] if life else [])]:
        row = rows.loc[year]
        middle = text(float(row["expected"]), None, THOUSANDS)
        ends = (
            f"{text(float(row['p5']), None, THOUSANDS)}{TIE}to{TIE}{text(float(row['p95']), None, THOUSANDS)}"
        )
        cells.append(f"{middle}\n{ends}" if row["p5"] != row["p95"] else middle)
    return (title, *cells)


def _sharing(page: Page, view: View, titles: dict[str, str]) -> None:
    rows = []
    for rule, table in groups(view.sharing, "rule"):
        for i, row in enumerate(each(table)):
            better = ("yes" if row.all_better_off else "no") if not i else ""
            worth = year_cells((row.savings_pv, row.pays_pv, row.net_pv, row.alone_pv))
            rows.append(
                (rule if not i else "", titles[row.agency],
                 *worth, better)
            )  # fmt: skip
    head = ("Rule", "Agency", "Saves", "Pays", "Net", "Net if alone", "All better off")
    page.table("Who would pay under which rule: expected present values (£000)", head, rows, names=2)
    if set(view.sharing["rule"]) == {"as agreed"}:
        page.say(
            "No rule shares this out: no agency saves cash, or public bodies have more back than they pay."
        )
    page.say(
        "As agreed: what the contracts do; better off: nobody is left below nil. The rules share the same "
        "cost, net of VAT that comes back, among agencies that save cash. Pro rata: by savings. Equal: the "
        "net benefit in equal parts. Shapley: each gets the mean of what it adds over all orders of joining, "
        "where some agencies without the others would go ahead only if they gained. Net if alone: its own "
        "savings less the whole cost, or nothing. Better off: nobody has less than alone."
    )


def _borrowing(page: Page, view: View) -> None:
    page.heading("The structure against borrowing, year by year")
    for deal in view.deals:
        name = deal.deal.name
        table = view.yearly[view.yearly["deal"] == name]
        by_name = {one: rows.set_index("financial_year") for one, rows in groups(table, "structure")}
        others = [one for one in by_name if one not in (OWN, "do nothing")]
        if not others:
            page.gap()
            page.say(f"{name}: nothing to hold it against but doing nothing.")
            continue
        own = by_name[OWN]
        both = table[["expected", "less_expected", "p5"]].abs().max(axis=1) >= 50.0
        money = list(table[both]["financial_year"])
        years = [year for year in own.index if year <= max(money, default="")]
        rows = []
        for year in years:
            cells = [with_error(own.loc[year, "expected"], own.loc[year, "standard_error"], THOUSANDS)]
            for one in others:
                line = by_name[one].loc[year]
                ends = year_cells((line["less_p5"], line["less_p95"]))
                less = text(float(line["less_expected"]), None, THOUSANDS)
                cells.append(f"{less}\n{ends[0]}{TIE}to{TIE}{ends[1]}")
            rows.append((year, *cells))
        page.table(
            f"{name}: net budget effect, cash of the day (£000)",
            ("Year", "Structure", *(f"less {one}" for one in others)), rows,
        )  # fmt: skip
    page.say(
        "Net budget effect: cashable savings less what this body pays; above nil the year gains. Less: the "
        "structure's net effect less the alternative's on the same future, expected, and P5 to P95 below it: "
        "above nil the structure is easier on the year. Loan principal counts here as cash; in the revenue "
        "account it is minimum revenue provision that counts."
    )


def _appraisal(page: Page, view: View) -> None:
    page.heading("Appraisal, all public bodies, real")
    how, deflator = view.books.appraisal, view.deflator
    growth = f"{how.inflation:.1%} a year" if isinstance(how.inflation, float) else "a rate for each year"
    page.say(
        f"In prices of {view.years[0]}, deflated by {growth} ({deflator.source}); discounted at the "
        f"{how.schedule} social time preference rate of the Green Book 2026 from {view.years[0]}. Optimism "
        f"bias: {how.optimism_bias_costs:.0%} on costs, {how.optimism_bias_benefits:.0%} off benefits.",
    )
    rows = []
    for deal, table in groups(view.appraisal, "deal"):
        for i, row in enumerate(each(table)):
            rows.append((deal if not i else "", row.measure, *_appraised(row)))
    page.table("Present values (£000 unless said)", ("Deal", "What", "Expected", "P5", "P95"), rows, names=2)
    page.say(
        "Public cost: what public bodies pay under the deal less what comes back to any of them. Resources: "
        "what staff and suppliers are paid by anybody, less what the world outside pays. Net present budget "
        "impact: cost less cashable savings, below nil budgets gain. Net present public value and its ratio "
        "count all savings against public cost (public cost below the line); net present social value counts "
        "them against resources, as payments between parties net to nil. Payback: the first year from which "
        "cumulative cashable savings stay at or above cost. No welfare value (QALY, WELLBY) is added."
    )


def _appraised(row: Any) -> tuple[str, str, str]:
    if row.unit != "pounds":
        none = row.value is None or row.value != row.value
        words = "never" if row.unit == "financial year" else NOTHING
        value = words if none else row.value if isinstance(row.value, str) else f"{row.value:.2f}"
        return value, NOTHING, NOTHING
    return (
        with_error(float(row.value), row.standard_error, THOUSANDS),
        text(float(row.p5), None, THOUSANDS),
        text(float(row.p95), None, THOUSANDS),
    )
