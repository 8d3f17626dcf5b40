"""The ten figures a cabinet asks for first, of one public body."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from socialfinance.council.statistics import Chance
from socialfinance.council.view import NO_STAKE, View
from socialfinance.reports.frames import each, groups, missing, odds, percent, shown, thousands, written
from socialfinance.reports.numbers import (
    NOTHING,
    PEOPLE,
    PERCENT,
    POUNDS,
    THOUSANDS,
    TIE,
    Scale,
    pounds,
    text,
    with_error,
)
from socialfinance.reports.page import Page

PEOPLE_PROGRAMME = "people-programme"
LEAST_RATE = -0.5
"""A year; below it a rate says nothing of the price of money."""
POINTS = Scale(1e4, "", " bp", 0, 0)
"""A fraction a year in basis points."""


def ten_figures(page: Page, view: View) -> None:
    """One after the other, numbered."""
    page.heading("Ten figures")
    _people(page, view)
    _cost(page, view)
    _budget(page, view)
    _savings(page, view)
    _effect(page, view)
    _against(page, view)
    _worst(page, view)
    _if_it_fails(page, view)
    _risk(page, view)
    _exits(page, view)


def _people(page: Page, view: View) -> None:
    rows = []
    for deal, table in groups(view.people, "deal"):
        counts = {row.measure: row for row in each(table)}
        plain = [name for name in counts if not name.startswith(("achieved: ", "beyond: "))]
        for i, name in enumerate(plain):
            rows.append((deal if not i else "", name, *_count(counts[name]), NOTHING))
        for name in counts:
            if name.startswith("achieved: "):
                line = name.removeprefix("achieved: ")
                beyond = counts.get(f"beyond: {line}")
                extra = text(beyond.expected, beyond.standard_error, PEOPLE) if beyond else NOTHING
                rows.append(("", line, *_count(counts[name]), extra))
    if not rows:
        page.gap()
        page.say("1. People helped, and outcomes: none.")
        return
    head = ("Deal", "What", "Expected", "P5", "P95", "Beyond what would happen anyway")
    page.table("1. People helped, and outcomes", head, rows, names=2)


def _count(row: Any) -> tuple[str, str, str]:
    return (
        with_error(row.expected, row.standard_error, PEOPLE),
        text(row.p5, None, PEOPLE),
        text(row.p95, None, PEOPLE),
    )


def _cost(page: Page, view: View) -> None:
    rows, titles = [], _titles(view)
    for row in each(view.cost):
        rows.append(
            (
                row.deal, titles[row.payer], with_error(row.expected, row.standard_error, THOUSANDS),
                thousands(row.p5), thousands(row.p95), _or_no_cap(row.contract_value),
                _or_no_cap(row.maximum),
            )
        )  # fmt: skip
    head = ("Deal", "Payer", "Expected", "P5", "P95", "Cap on outcome payments", "Most under the terms")
    if not rows:
        page.gap()
        page.say("2. What it costs over the life: nobody pays more than comes back, in any future seen.")
        return
    page.table(
        "2. What it costs over the life, undiscounted, less what comes back (£000)", head, rows, names=2
    )
    central = view.cost[view.cost["top_up"]]
    total = float(view.cost["expected"].sum())
    if len(central) and total > 0.0:
        share = float(central["expected"].sum()) / total
        page.say(f"Central government pays {share:.0%} of what payers are expected to pay.")
    elif len(central):
        page.say("Central government is among the payers.")
    else:
        page.say("No payer here is of central government: there is no top-up.")


def _budget(page: Page, view: View) -> None:
    plan, _, _ = view.budget
    table = shown(view.exposure, ("expected", "budget", "largest"))
    rows = [
        (
            row.financial_year, thousands(row.plan), thousands(row.budget),
            with_error(row.expected, row.standard_error, THOUSANDS), thousands(row.p95),
            thousands(row.largest),
            odds(row.chance_over), thousands(row.mean_over), odds(row.chance_under),
            thousands(row.mean_under),
            *((thousands(row.reserve_left), odds(row.chance_uncovered)) if plan else ()),
        )
        for row in each(table)
    ]  # fmt: skip
    head = ["Year", "Plan", "Budget", "Expected", "P95", "Largest simulated", "Odds over", "Mean over",
            "Odds under", "Mean under"]  # fmt: skip
    if plan:
        head += ["Reserve left", "Odds not covered"]
    page.table("3. Payments by budget year (£000)", tuple(head), rows)
    if plan is None:
        page.say(
            "The file gives no budget: what the plan pays stands in for it, without carry-forward or "
            "reserve, and payments count in the year in which they are paid."
        )
    else:
        when = "in which it was earned" if plan.basis == "accrual" else "in which it is paid"
        page.say(
            f"Budget as given in the file ({view.said('budget')}). A payment by results counts in the year "
            f"{when};",
            f"{plan.carry_forward:.0%} of what a year leaves is carried forward and {plan.to_reserve:.0%} of "
            f"the rest goes into the reserve, which starts at {pounds(plan.reserve)}.",
            _caps(view),
        )
    outcomes = any(deal.deal.deal.tariff is not None for deal in view.deals)
    page.say(
        "Over and under: payments above or below the year's money, and their mean where there is any.",
        "What is due under contracts for outcomes is a commitment, accrued when an outcome is achieved: "
        "budget exposure, not a contingent liability [unverified]."
        if outcomes
        else "",
    )


def _caps(view: View) -> str:
    plan = view.budget[0]
    if plan is None or not plan.caps:
        return "No year has a cap of its own."
    chances = [
        f"{row.financial_year} {odds(row.chance_over_cap)}"
        for row in each(view.exposure)
        if row.financial_year in plan.caps
    ]
    return f"Odds that a year's cap is passed: {', '.join(chances)}."


def _savings(page: Page, view: View) -> None:
    own, all_of_them = view.purse["cashable"], view.purse["other"]
    mine = own[own["agency"] == view.party].set_index("financial_year")
    others = own[own["agency"] != view.party].groupby("financial_year")["expected"].sum()
    freed = all_of_them[all_of_them["agency"] == view.party].set_index("financial_year")
    freed_others = (
        all_of_them[all_of_them["agency"] != view.party].groupby("financial_year")["expected"].sum()
    )
    if max(table["expected"].abs().max() for table in (own, all_of_them)) <= 0.5:
        page.gap()
        page.say("4. Savings by year: none, here or at other agencies.")
        return
    years = list(shown(view.effect, ("saved", "paid"))["financial_year"])
    rows = []
    for year in [*years, ""]:
        cells = (
            with_error(mine.loc[year, "expected"], mine.loc[year, "standard_error"], THOUSANDS),
            thousands(mine.loc[year, "p5"]), thousands(mine.loc[year, "p95"]),
            thousands(others.get(year, 0.0)),
            thousands(freed.loc[year, "expected"]), thousands(freed_others.get(year, 0.0)),
        )  # fmt: skip
        rows.append((year or "Life", *cells))
    head = ("Year", "Cashable, here", "P5", "P95", "Cashable, other agencies", "Not cashable, here",
            "Not cashable, others")  # fmt: skip
    page.table("4. Savings by year (£000)", head, rows[:-1], foot=rows[-1])
    page.say("Cashable: a budget can be cut by it. Not cashable: capacity is freed and no budget shows it.")


def _effect(page: Page, view: View) -> None:
    table = shown(view.effect, ("saved", "paid"))
    rows = [
        (
            row.financial_year, thousands(row.paid), thousands(row.saved),
            with_error(row.net, row.standard_error, THOUSANDS), thousands(row.p5), thousands(row.p95),
            thousands(row.so_far),
            odds(row.chance_positive_so_far),
        )
        for row in each(table)
    ]  # fmt: skip
    head = ("Year", "Paid", "Cashable saving", "Net", "P5", "P95", "Net so far", "Odds so far not below nil")
    page.table("5. Net budget effect: cashable saving less paid, cash of the day (£000)", head, rows)
    turns = view.turns_positive
    when = f"From {turns} on the expected net so far stays at nil or above." if turns else (
        "The expected net so far never gets to nil to stay there."
    )  # fmt: skip
    page.say(when, f"Odds that it saves less than it pays over the whole life: {_share(view.never)}.")


def _against(page: Page, view: View) -> None:
    rows = []
    for deal, table in groups(view.against, "deal"):
        for i, row in enumerate(each(table)):
            rows.append(
                (
                    deal if not i else "", row.alternative, thousands(row.their_net_cost_pv),
                    with_error(row.difference_pv, row.difference_error, THOUSANDS),
                    f"{thousands(row.difference_p5)}{TIE}to{TIE}{thousands(row.difference_p95)}",
                    NOTHING if row.alternative == NO_STAKE else percent(row.share_of_cost),
                    odds(row.chance_dearer),
                )
            )  # fmt: skip
    head = (
        "Deal",
        "Against",
        "Its net cost",
        "Structure less it",
        "P5 to P95",
        "% of its cost",
        "Odds dearer",
    )
    page.table("6. Net cost against the alternatives, present value (£000)", head, rows, names=2)
    effects = sorted({row.performance_effect for row in each(view.against)})
    stated = ", ".join(f"{effect:.0%}" for effect in effects)
    people = (
        "In house at own costs: what the structure alone costs (vehicle, performance manager, diligence) is "
        "left out and the council's own contract staff come in; at the same costs: the same bill. PWLB rows "
        "are the cost of money only, notional: the cost of a people's programme is revenue, and councils may "
        "not borrow for it."
    )
    page.say(
        "Same futures on both sides. Net cost: paid less cashable saving.",
        people if any(deal.deal.deal.programme.kind == PEOPLE_PROGRAMME for deal in view.deals) else "",
        f"Stated effect of the structure on performance: {stated or 'nil'}.",
    )


def _worst(page: Page, view: View) -> None:
    worst, reserve = view.worst, view.reserve_needed
    plan = view.budget[0]
    page.gap()
    page.say("7. Reasonable worst case")
    page.say(
        f"Net cost over the life, cash of the day: expected {pounds(worst.mean, worst.error)}; one future in "
        f"twenty is at or above {pounds(worst.p95)}; the largest simulated is {pounds(worst.largest)}.",
        (
            f"Overspends of all years together pass {pounds(reserve.p95)} in one future in twenty: a reserve "
            "of that much covers the others."
            if reserve.p95 > 0.5
            else "In nineteen futures of twenty no year's money is passed: they need no reserve."
        )
        + ("" if plan is None else f" The outcomes reserve given is {pounds(plan.reserve)}."),
        "No percentile of a reasonable worst case is prescribed [unverified].",
    )


def _if_it_fails(page: Page, view: View) -> None:
    from socialfinance.reports.promises import promise_table

    promise_table(page, view)


def _risk(page: Page, view: View) -> None:
    rows, aside, titles = [], list[str](), _titles(view)
    for deal in view.deals:
        name = deal.deal.name
        table = view.against[view.against["deal"] == name].set_index("alternative")
        base, house = view.base(deal.deal), view.in_house(deal.deal)
        if base not in table.index or base == NO_STAKE:
            continue
        if not view.pays(deal, base):
            aside.append(f"{name}: under {base} this body pays nothing, so it has no price of risk to pay.")
            continue
        others = view.others_pay(deal, base)
        if others:
            more = " and ".join(f"{titles[who]} ({pounds(worth)})" for who, worth in others.items())
            aside.append(
                f"{name}: the price is less what others pay under the structure and would not there: {more}, "
                "present value. That is no gain of the structure over the same bill."
            )
        row: Any = table.loc[base]
        all_in = table.loc[house]["all_in_rate"] if house in table.index else None
        rows.append(
            (
                name, base, with_error(row["difference_pv"], row["difference_error"], THOUSANDS),
                percent(row["share_of_cost"]), percent(row["risk_moved"]), thousands(row["worst_there"]),
                thousands(row["worst_here"]), _bp(row["spread"]), _rate(all_in),
                percent(row["break_even_uplift"]),
            )
        )  # fmt: skip
    if not rows:
        page.gap()
        none = "none" if aside else "nothing to hold these deals against"
        page.say(f"9. Price of risk transfer: {none}.")
        for words in aside:
            page.say(words)
        return
    head = ("Deal", "Against", "Price, PV", "% of cost", "Spread of net cost moved",
            "Worst 5% less mean, there", "Here", "On money out", "All-in rate",
            "Break-even uplift")  # fmt: skip
    page.table("9. Price of risk transfer, and the share truly moved (£000)", head, rows, names=2)
    for words in aside:
        page.say(words)
    page.say(
        "Price: what the structure is expected to cost this body beyond borrowing for the same bill. Moved: "
        "1 less the standard deviation of its net cost here over that there; below nil it bears more risk, "
        "not less. Worst 5%: mean of the dearest futures less the mean of all. On money out: the price over "
        "investors' money out of pocket, in discounted pound-years: capital is paid back and used again, so "
        "pounds say more. All-in rate: annual effective, the rate at which the expected "
        "difference in cash to running it in house from the council's own money at the same costs is worth "
        "nothing. Break-even uplift: how much more it must save than the alternative for this body to be no "
        "worse off."
    )
    _success(page, view)


def _success(page: Page, view: View) -> None:
    for row in each(view.success):
        if row.multiple != row.multiple or row.multiple is None:
            page.say(
                f"{row.deal}: costs as much as {row.alternative} at no success from nil to three times plan."
            )
            continue
        paid = (
            ""
            if row.paid_over_plan != row.paid_over_plan
            else f" ({row.paid_over_plan:.0%} of planned payments)"
        )
        page.say(
            f"{row.deal}: costs as much as {row.alternative} where success is {row.multiple:.0%} of "
            f"plan{paid}, all else as planned; below it the structure is cheaper."
        )


def _exits(page: Page, view: View) -> None:
    rows = [
        (
            row.deal, row.financial_year, *(_pounds(x) for x in (row.compensation, row.other, row.total)),
            _pounds(row.going_on),
        )
        for row in each(view.exits)
    ]  # fmt: skip
    if rows:
        head = ("Deal", "At the end of", "Compensation", "Paid afterwards", "In all", "Going on")
        page.table(
            "10. What ending it by agreement would cost, as planned until then (£)", head, rows, names=2
        )
        page.say(
            "Paid afterwards: for people already started, and what the end sets off, less what comes back. "
            "Going on: what the plan pays after that day if the contract stays."
        )
    else:
        page.gap()
        page.say("10. No contract here can be ended by agreement at a price in its terms.")
    turned = [
        (
            row.deal, row.input, _number(row.plan), thousands(row.swing), _at(row.pays_for_itself_at),
            _at(row.as_alternative_at),
        )
        for row in each(view.switches)
    ]  # fmt: skip
    if turned:
        head = ("Deal", "Input", "Plan", "±10% moves net cost by, £000", "Saves what it pays at",
                "Costs as much as borrowing at")  # fmt: skip
        page.table("Three inputs of each deal that move the answer most", head, turned, names=2)
        page.say(
            "In the plan case, one input at a time, from nil to three times plan; never: at none of these."
        )


# --- cells ---------------------------------------------------------------------------------------------


def _titles(view: View) -> dict[str, str]:
    return {name: one.title or name for name, one in view.ready.parties.items()}


def _pounds(value: Any) -> str:
    return written(value, POUNDS._replace(before=""))


def _rate(value: Any) -> str:
    """A rate, where it is one that money can have: far below nil, cash on both sides hardly differs."""
    if not missing(value) and float(value) < LEAST_RATE:
        return NOTHING
    return written(value, PERCENT._replace(usual=2))


def _bp(value: Any) -> str:
    return written(value, POINTS)


def _or_no_cap(value: Any) -> str:
    return "no cap" if missing(value) else thousands(value)


def _share(chance: Chance) -> str:
    if chance.share in (0.0, 1.0):
        return odds(chance.share)
    return with_error(chance.share, chance.error, PERCENT)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _at(value: Any) -> str:
    return "never" if missing(value) else _number(float(value))


def year_cells(values: Sequence[float]) -> tuple[str, ...]:
    """Pounds by year as £000."""
    return tuple(thousands(value) for value in values)
