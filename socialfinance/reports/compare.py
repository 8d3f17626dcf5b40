"""One programme on several structures, as a page: returns and cost, differences, who bears the risk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from socialfinance.core.currency import CURRENCIES
from socialfinance.pricing.compare import GROUPS, Comparison, by_kind, over_all
from socialfinance.reports.console import day, limits
from socialfinance.reports.frames import each, groups, missing, odds, written
from socialfinance.reports.numbers import NOTHING, PERCENT, THOUSANDS, TIE, Scale, text, with_error
from socialfinance.reports.page import Page

SHORT = {
    "in house, own costs": "house, own costs", "in house, same costs": "house, same costs",
    "council builds, from reserves": "council, reserves", "council builds, PWLB loans": "council, PWLB",
}  # fmt: skip

REVENUE = (
    "PWLB for a people's programme is the cost of money only: such cost is revenue, and councils may not "
    "borrow for it."
)


def comparison_page(found: Comparison) -> str:
    """The page as text, 110 characters wide."""
    page = Page(symbol=CURRENCIES[found.ready.portfolio.currency].symbol)
    _what_this_is(page, found)
    _table(page, found)
    _against(page, found)
    _sharing(page, found)
    _transfer(page, found)
    _pairs(page, found)
    return page.text


def fund_page(some: dict[str, Comparison], without: Mapping[str, str] | None = None) -> str:
    """Every programme of a fund on every structure: all of a kind together, then one by one.

    ``without``: programmes that no structure fits, and why.
    """
    first = next(iter(some.values()))
    portfolio, run = first.ready.portfolio, first.accounts
    page = Page(symbol=CURRENCIES[portfolio.currency].symbol)
    count = f"{len(some)} programme{'s' * (len(some) != 1)}"
    kinds = by_kind(some)
    fits = "all" if len(kinds) == 1 else "all of their kind"
    title = f"{portfolio.title or portfolio.name}: {count} on every structure that fits {fits}"
    page.say(title)
    page.say("-" * min(len(title), 110))
    page.say(
        f"{run.paths:,} simulated futures, seed {run.seed}, the same for every structure; amounts of a "
        f"future are added up over programmes. Present values at {first.ready.discount:.3%} a year. "
        f"{limits(portfolio)} before tax."
    )
    for kind, those in kinds.items():
        _together(
            page, those, "All of them together" if len(kinds) == 1 else f"Every {_words(kind)} together"
        )
    page.say(
        "Councils' net cost: of those that commission; where others pay for outcomes as well, they bear less "
        "of the bill than in house. All public: of every public body, so that nobody's part is left out."
    )
    for kind, those in kinds.items():
        _one_by_one(page, those, "" if len(kinds) == 1 else f"Every {_words(kind)}: ")
    for deal, one in some.items():
        for name, reason in one.left_out.items():
            page.say(f"Left out: {deal} on {name}: {reason}.")
    for deal, reason in (without or {}).items():
        page.say(f"Left out: {deal}: {reason}.")
    return page.text


def _words(kind: str) -> str:
    """A kind of programme in words: a ``people-programme`` is a people's one."""
    return {"people-programme": "people's programme"}.get(kind, kind.replace("-", " "))


def _together(page: Page, some: dict[str, Comparison], title: str) -> None:
    """Programmes of one kind on every structure that fits all of them."""
    nobody = not any(one.council for one in some.values())
    rows = [
        (
            row.structure, written(row.investor_irr, PERCENT, row.investor_irr_error),
            odds(row.loss_probability), written(row.gain, THOUSANDS),
            *((NOTHING,) * 3 if nobody else (
                written(row.net_cost, THOUSANDS, row.net_cost_error), written(row.net_cost_p95, THOUSANDS),
                written(row.net_cost_p99, THOUSANDS),
            )),
            written(row.less_in_house, THOUSANDS, row.less_error),
            written(row.share_of_cost, PERCENT),
        )
        for row in each(over_all(some))
    ]  # fmt: skip
    head = ("Structure", "Investor IRR", "Odds of loss", "Gain", "Councils' net cost", "P95", "P99",
            "All public less in house, same costs", "% of cost")  # fmt: skip
    page.table(f"{title} (£000)", head, rows)


def _one_by_one(page: Page, some: dict[str, Comparison], before: str) -> None:
    """Each programme on the structures that fit all of them."""
    first = next(iter(some.values()))
    tables = {deal: one.table.set_index("structure") for deal, one in some.items()}
    names = [name for name in first.accounts.deals if all(name in table.index for table in tables.values())]
    if not names:
        return
    for measure, title, scale in (
        ("investor_irr", "Investor IRR, of the expected flows", PERCENT),
        ("loss_probability", "Odds that investors lose", PERCENT),
        ("net_cost", "Council net cost, present value (£000)", THOUSANDS),
    ):
        lines = [
            (deal, *(_cell(some[deal], table.loc[name, measure], measure, scale) for name in names))
            for deal, table in tables.items()
        ]
        page.table(f"{before}{title}", ("Programme", *(name.replace("-", " ") for name in names)), lines)


def _cell(found: Comparison, value: Any, measure: str, scale: Scale) -> str:
    """A figure of one programme; what it costs a council only where one commissions it."""
    return NOTHING if measure == "net_cost" and not found.council else written(value, scale)


def _what_this_is(page: Page, found: Comparison) -> None:
    ready = found.ready
    portfolio = ready.portfolio
    base = portfolio.deals[next(iter(portfolio.deals))]
    count = len(found.accounts.deals)
    title = f"{base.programme.title} on {count} structure{'s' * (count != 1)}"
    page.say(title)
    page.say("-" * min(len(title), 110))
    council = " and ".join(ready.parties[party].title or party for party in found.council)
    whose = f"for {council}" if council else "which no public body commissions"
    page.say(
        f"Programme, tariff and parties of {found.deal} in {portfolio.title or portfolio.name}, {whose}. "
        f"{found.accounts.paths:,} simulated futures, seed {found.accounts.seed}, the same for every "
        f"structure. Present values at {ready.discount:.3%} a year, annual effective, to "
        f"{day(ready.calendar.start)}.",
    )
    page.say(
        "Each structure is its shipped term sheet, changed as said; tariff, caps and programme are the "
        "deal's. ± is one standard error of the simulation. "
        f"{limits(portfolio)} before tax; cash of the day."
    )
    for name, reason in found.left_out.items():
        page.say(f"Left out: {name}: {reason}.")


def _table(page: Page, found: Comparison) -> None:
    rows = []
    for row in each(found.table):
        rows.append(
            (
                row.structure, written(row.investor_irr, PERCENT, row.investor_irr_error),
                written(row.investor_irr_p5, PERCENT), odds(row.loss_probability),
                *_of_council(found, row), odds(row.provider_loss_probability),
                written(row.system_rate, PERCENT),
            )
        )  # fmt: skip
    head = ("Structure", "Investor IRR", "P5", "Odds of loss", "Council net cost", "P95", "P99",
            "Most, terms", "As guarantor", "Provider loses", "System rate")  # fmt: skip
    page.table("What each structure returns and costs (£000, present value but for the most)", head, rows)
    said = [f"{row.structure}: {row.says}" for row in each(found.table) if row.says]
    page.say("; ".join(said) + ".")
    page.say(
        "Investor IRR: of the expected flows, annual effective; P5 of the IRR by future, where a total loss "
        "ranks -100%. Council net cost: what the commissioner pays less what it saves in cash. Most: under "
        "the terms, undiscounted; as guarantor: of it, what it guarantees. Provider loses: futures in which "
        "providers are paid less, present value, than they spend and put in. System rate: what all public "
        "bodies pay a year, in expectation, to pay later than in house at the same cost; none where cash "
        "does not turn."
    )


def _of_council(found: Comparison, row: Any) -> tuple[str, ...]:
    """What a structure costs the council, and the most it can; nothing where nobody commissions."""
    if not found.council:
        return (NOTHING,) * 5
    return (
        written(row.net_cost, THOUSANDS, row.net_cost_error), written(row.net_cost_p95, THOUSANDS),
        written(row.net_cost_p99, THOUSANDS), written(row.maximum, THOUSANDS),
        written(row.guaranteed, THOUSANDS),
    )  # fmt: skip


def _against(page: Page, found: Comparison) -> None:
    others = [name for name in found.alternatives if name != "do nothing"]
    if not others:
        return
    rows = []
    for name, table in groups(found.differences, "structure"):
        cells = {row.less: row for row in each(table)}
        rows.append((name, *(_difference(cells[other]) for other in others)))
    head = ("Structure", *(f"less {SHORT.get(other, other)}" for other in others))
    page.table("Council net cost less that of the alternatives (£000, % of what is paid there)", head, rows)
    if found.others_pay:
        lines = [
            (name, *(with_error(row.public_difference, row.public_error, THOUSANDS) for row in each(table)
                     if row.less in others))
            for name, table in groups(found.differences, "structure")
        ]  # fmt: skip
        page.table("The same for all public bodies together (£000)", head, lines)
        page.say(
            "Other public bodies pay more under some of these structures than in house, where the council "
            "has the bill: this table leaves nobody's part out."
        )
    page.say(
        "Path by path on the same futures; below nil the structure is cheaper."
        + (f" {REVENUE}" if any(name.startswith("pwlb") for name in others) else "")
    )


def _difference(row: Any) -> str:
    share = "" if missing(row.share_of_cost) else f"\n{TIE}({text(row.share_of_cost, None, PERCENT)})"
    return with_error(row.difference, row.error, THOUSANDS) + share


def _sharing(page: Page, found: Comparison) -> None:
    rows = []
    parties = [group for group in GROUPS if group in set(found.sharing["party"])]
    for name, table in groups(found.sharing, "structure"):
        by_party = {row.party: row for row in each(table)}
        rows.append((name, *(_shares(by_party.get(group)) for group in parties)))
    page.table(
        "Who bears the risk of the programme's net value: % of variance / of the 95% shortfall / of the 99%",
        ("Structure", *parties), rows,
    )  # fmt: skip
    page.say(
        "Net value: minus the net of the world outside, so what all parties have together. Shares are "
        "Euler's and add up to 100%. Below nil: the party is better off where the programme is worse, as a "
        "payer by results is. Other public bodies have the VAT; others are vehicles, guarantors and "
        "intermediaries."
    )


def _shares(row: Any) -> str:
    if row is None or missing(row.variance):
        return NOTHING
    shares = (row.variance, row.tail_95, row.tail_99)
    return " / ".join(f"{round(100 * share) + 0:d}" for share in shares).replace(" ", TIE)


def _transfer(page: Page, found: Comparison) -> None:
    if found.transfer.empty:
        return
    rows = [
        (
            row.structure, written(row.price, THOUSANDS, row.price_error), written(row.borne, PERCENT),
            written(row.moved, PERCENT), written(row.programme_shortfall, THOUSANDS),
            NOTHING if missing(row.per_pound) else f"{row.per_pound:.2f}",
        )
        for row in each(found.transfer)
    ]  # fmt: skip
    head = ("Structure", "Price", "Borne by council", "Moved", "Programme's shortfall", "£ a £ moved")
    page.table(f"What the transfer of risk costs, against {found.house} (£000)", head, rows)
    there = float(found.transfer["in_house_shortfall"].iloc[0])
    page.say(
        "Price: council net cost beyond in house at the same cost. Borne: its share of the 95% shortfall; "
        f"moved: the rest. Shortfall: expected less the mean of the worst 5%; in house it is "
        f"{there / 1000:,.0f}, where nothing ends a programme that fails. £ a £ moved: price over what is "
        "moved of the shortfall, below nil where the structure is cheaper as well."
    )


def _pairs(page: Page, found: Comparison) -> None:
    names = list(found.accounts.deals)
    if len(names) < 2:
        return
    table = found.differences[found.differences["less"] == names[0]]
    rows = [
        (
            row.structure, with_error(row.difference, row.error, THOUSANDS),
            text(row.error_alone, None, THOUSANDS), f"{row.ratio:.2f}" if not missing(row.ratio) else NOTHING,
        )
        for row in each(table)
    ]  # fmt: skip
    head = ("Structure", f"Less {names[0]}", "Error with draws of their own", "Ratio")
    page.table("Structures against one another: council net cost (£000)", head, rows)
    page.say(
        "Ratio: the standard error of the difference on common futures over that on independent ones. Where "
        "it is near or above 1, the two costs hardly move together or move apart, and common draws do not "
        "help."
    )
