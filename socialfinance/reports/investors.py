"""What an investment committee asks first, deal by deal."""

from __future__ import annotations

from collections.abc import Sequence

from socialfinance.engine.cases import STAGES
from socialfinance.engine.ready import ReadyDeal
from socialfinance.engine.replay import commitment
from socialfinance.measures.statistics import Row
from socialfinance.reports.figures import Figures, add, cell, chance, most_error
from socialfinance.reports.numbers import (
    NOTHING,
    PERCENT,
    THOUSANDS,
    TIMES,
    YEARS,
    pounds,
    text,
    with_error,
)
from socialfinance.reports.page import Page, stacked

ALL = "Whole fund"
MOST_NAMED = 3
"""Names given where only the largest are."""


def committee(page: Page, figures: Figures) -> None:
    """Commitment, plan and expected return, and what can go wrong."""
    names = [deal.name for deal in figures.deals if _returns_money(deal)]
    if figures.investor("", "drawn") is None or not names:
        return
    page.heading("Investment committee")
    _headline(page, figures)
    _others(page, figures)
    one = len(figures.ready.deals) == 1
    shown = names if one else ["", *names]
    page.table(
        "What goes in and what comes back (£000 unless said)",
        ("Deal", "Committed", "Peak, mean", "Peak, P95", "Plan multiple", "Plan IRR",
         "IRR of expected flows", "Multiple on drawn", "Expected gain"),
        [_returns(page, figures, deal) for deal in shown],
    )  # fmt: skip
    page.say(
        "Committed: what investors undertake to put in. Peak: the most they are out of pocket at any time. "
        "IRR of expected flows: of the mean payment in each quarter over all futures. Multiple on drawn: "
        "expected received over expected drawn. Gain: received less drawn, undiscounted."
        + (
            ""
            if one
            else " The fund's peak is less than the sum of its deals': they peak at different times."
        )
    )
    page.table(
        "What can go wrong (£000 unless said)",
        ("Deal", "Chance of loss", "Chance below cost of capital", "Expected loss if there is one",
         "Gain, P5", "IRR, P5", "IRR, median", "IRR, P95", "Chance cash runs out", "Life, years"),
        [_risks(page, figures, deal) for deal in shown],
    )  # fmt: skip
    page.say(
        "Loss: investors receive less, undiscounted, than they paid in. Below cost of capital: PV of their "
        "flows is negative. P5: one future in twenty is worse; P95: one in twenty is higher. An IRR of "
        "-100% is a total loss. Cash runs out: the vehicle could not pay a bill in full when it fell due. "
        "Life: from the mean date of "
        "money in to the mean date of money out." + _without_irr(figures, shown)
    )
    _from_the_plan(page, figures)
    _concentration(page, figures)


def _from_the_plan(page: Page, figures: Figures) -> None:
    """Break-even and headroom of the deals that pay by results."""
    names = [deal.name for deal in figures.deals if deal.planned_payments > 0.0]
    if not names:
        return
    page.table(
        "How far from the plan",
        ("Deal", "Break-even, paid over plan", "Headroom", "Paid over plan, mean", "its sd",
         "Cap used in the plan", "Back by half time"),
        [_headroom(page, figures, deal) for deal in names],
    )  # fmt: skip
    page.say(
        "Paid over plan: outcome payments over those of the plan. Break-even: the share of the plan's "
        "payments at which investors just get their money back, all else as planned; headroom is the rest. "
        "Cap used: the plan's outcome payments over the contract cap. Back by half time: the share of "
        "expected drawings that has come back half way from the first expected flow to the quarter by which "
        "99% of what comes back has." + _out_of_savings(figures)
    )


def _returns_money(deal: ReadyDeal) -> bool:
    """Whether somebody puts money in that is meant to come back."""
    return bool(deal.roles.get("investor")) and deal.own.lowered.repayable


def _others(page: Page, figures: Figures) -> None:
    """Deals of which the whole fund's row has no return: grants, and those a council pays for itself."""
    granted = [deal.name for deal in figures.deals if not deal.own.lowered.repayable]
    none = [deal.name for deal in figures.deals if not deal.roles.get("investor")]
    if granted:
        page.say(f"In the whole fund grants count as money that does not come back: {', '.join(granted)}.")
    if none:
        page.say(f"No funder puts money into {', '.join(none)}: the council pays, or nobody does.")


def _headline(page: Page, figures: Figures) -> None:
    """The fund in two sentences."""
    gain, drawn = figures.investor("", "gain"), figures.investor("", "drawn")
    rate, loss = figures.investor("", "irr", "of_mean_flows"), figures.investor("", "loss", "probability")
    given = figures.investor("", "loss", "given_loss")
    if gain is None or drawn is None or gain.value is None or loss is None or loss.value is None:
        return
    earns = "lose" if gain.value < 0 else "gain"
    size = pounds(abs(gain.value), gain.standard_error)
    irr = with_error(rate.value, rate.standard_error, PERCENT) if rate and rate.value is not None else None
    page.say(
        f"Investors draw {pounds(drawn.value, drawn.standard_error)} on average and can expect to {earns} "
        f"{size}: "
        + (f"{irr} a year on the expected flows." if irr else "no IRR of the expected flows exists."),
        f"They lose money in {text(loss.value, loss.standard_error, PERCENT)} of futures"
        + (f", {pounds(given.value)} on average when they do." if given and given.value else "."),
    )


def _returns(page: Page, figures: Figures, deal: str) -> tuple[str, ...]:
    gain = figures.investor(deal, "gain")
    return (
        deal or ALL,
        text(_committed(figures, deal), None, THOUSANDS),
        _peak(page, figures, deal, "mean"),
        _peak(page, figures, deal, "p95"),
        cell(figures.investor(deal, "multiple", "plan"), TIMES, page),
        cell(figures.investor(deal, "irr", "plan"), PERCENT, page),
        cell(figures.investor(deal, "irr", "of_mean_flows"), PERCENT, page, error=True),
        _multiple_on_drawn(figures, deal),
        cell(gain, THOUSANDS, page, error=True),
    )


def _risks(page: Page, figures: Figures, deal: str) -> tuple[str, ...]:
    return (
        deal or ALL,
        chance(figures.investor(deal, "loss", "probability"), page, error=True),
        chance(figures.investor(deal, "below_cost_of_capital", "probability"), page, error=True),
        cell(figures.investor(deal, "loss", "given_loss"), THOUSANDS, page),
        cell(figures.investor(deal, "gain", "p5"), THOUSANDS, page),
        *(_rate(page, figures.investor(deal, "irr", at)) for at in ("p5", "p50", "p95")),
        _cash_runs_out(page, figures, deal),
        cell(figures.investor(deal, "life"), YEARS, page),
    )


def _headroom(page: Page, figures: Figures, deal: str) -> tuple[str, ...]:
    least = figures.investor(deal, "break_even_paid_over_plan", "plan")
    room = None if least is None or least.value is None else 1.0 - least.value
    return (
        deal,
        cell(least, PERCENT, page),
        text(room, None, PERCENT),
        cell(figures.structure(deal, "paid_over_plan"), PERCENT, page, error=True),
        cell(figures.structure(deal, "paid_over_plan", "sd"), PERCENT, page),
        text(_cap_used(figures, deal), None, PERCENT),
        cell(figures.investor(deal, "back_by_half_life", "of_mean_flows"), PERCENT, page),
    )


def _out_of_savings(figures: Figures) -> str:
    """What the payments are of deals that pay out of savings."""
    names = [deal.name for deal in figures.deals if deal.own.lowered.purse is not None]
    if not names:
        return ""
    return f" Payments out of savings count with outcome payments: {', '.join(names)}."


def _cap_used(figures: Figures, name: str) -> float | None:
    """The plan's outcome payments over the contract cap; None where there is none, or no outcome is paid."""
    deal = next(deal for deal in figures.deals if deal.name == name)
    cap = deal.deal.tariff.cap if deal.deal.tariff is not None else None
    if not any(deal.own.lowered.contract_value.values()):
        return None
    return deal.planned_payments / cap if cap else None


def _concentration(page: Page, figures: Figures) -> None:
    """The largest shares of what is committed: by commissioner, theme and provider."""
    total = _committed(figures, "")
    if len(figures.ready.deals) == 1 or not figures.whole or not total:
        return
    groups: dict[str, dict[str, float]] = {"commissioner": {}, "theme": {}, "provider": {}}
    for deal in figures.deals:
        amount = commitment(deal) or 0.0
        shares = [("commissioner", figures.title(p), s) for p, s in deal.roles.get("commissioner", ())]
        shares += [("provider", figures.title(p), s) for p, s in deal.roles.get("provider", ())]
        shares += [("theme", deal.deal.theme, 1.0)] if deal.deal.theme else []
        for kind, name, share in shares:
            groups[kind][name] = groups[kind].get(name, 0.0) + amount * share / total
    page.gap()
    for kind, found in groups.items():
        largest = sorted(found.items(), key=lambda one: (-one[1], one[0]))[:MOST_NAMED]
        if largest:
            words = ", ".join(f"{name} {share:.0%}" for name, share in largest)
            page.say(f"Largest shares of the commitment by {kind}: {words}.")


def _rate(page: Page, row: Row | None) -> str:
    if row is not None and row.value is not None and row.value < -0.9995:
        return "-100%"
    return cell(row, PERCENT, page)


def _without_irr(figures: Figures, deals: Sequence[str]) -> str:
    """Which share of futures has no IRR and is not in its percentiles."""
    shares = []
    for deal in deals:
        row = figures.investor(deal, "irr", "p50")
        if row is not None and row.share_of_paths < 1.0:
            shares.append(f"{deal or ALL} {1.0 - row.share_of_paths:.1%}")
    if not shares:
        return ""
    return (
        " IRR percentiles leave out futures that have none, as nothing was drawn or there are several roots: "
        + ", ".join(shares) + "."
    )  # fmt: skip


def _committed(figures: Figures, deal: str) -> float | None:
    funded = [one for one in figures.ready.deals if one.roles.get("investor")]
    amounts = [commitment(one) for one in funded if deal in ("", one.name)]
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if known and len(known) == len(amounts) else None


def _peak(page: Page, figures: Figures, deal: str, statistic: str) -> str:
    return cell(figures.investor(deal, "peak", statistic), THOUSANDS, page)


def _multiple_on_drawn(figures: Figures, deal: str) -> str:
    drawn, received = figures.investor(deal, "drawn"), figures.investor(deal, "received")
    multiple = figures.investor(deal, "multiple")
    if not (drawn and received and drawn.value and received.value is not None):
        return NOTHING
    return text(received.value / drawn.value, multiple.standard_error if multiple else None, TIMES)


def _cash_runs_out(page: Page, figures: Figures, deal: str) -> str:
    """The chance that a bill was not paid in full when it fell due."""
    return chance(figures.structure(deal, "cash_ran_out", "probability"), page) if deal else NOTHING


def with_variation(page: Page, figures: Figures) -> None:
    """The same futures with and without reviews, pauses, new prices and emergency support."""
    varied = [deal for deal in figures.deals if deal.varied is not None]
    if not varied:
        return
    page.heading("As contracted, and with variation")
    page.say(
        "Contracts are renegotiated when they fall short. The same futures, first with the terms as they "
        "stand, then with the reviews, pauses, new prices and emergency support that the file allows."
    )
    rows = [stacked(deal.name, _two_ways(page, figures, deal)) for deal in varied]
    page.table(
        "£000 unless said",
        ("Deal", "", "IRR of expected flows", "Expected gain", "Chance of loss", "Gain, P5",
         "All public bodies pay", "Commissioner pays"),
        rows, names=2,
    )  # fmt: skip


def _two_ways(page: Page, figures: Figures, deal: ReadyDeal) -> list[tuple[str, ...]]:
    lines: list[tuple[str, ...]] = []
    for scope, words in (("deal", "as contracted"), ("deal with variation", "with variation")):
        paid = figures.row("paid", scope=scope, deal=deal.name, role="public")
        council = [
            figures.row("paid", scope=scope, deal=deal.name, party=p, role=figures.ready.parties[p].kind)
            for p in figures.commissioners(deal)
        ]
        lines.append((
            words,
            cell(figures.investor(deal.name, "irr", "of_mean_flows", scope), PERCENT, page, error=True),
            cell(figures.investor(deal.name, "gain", "mean", scope), THOUSANDS, page, error=True),
            chance(figures.investor(deal.name, "loss", "probability", scope), page, error=True),
            cell(figures.investor(deal.name, "gain", "p5", scope), THOUSANDS, page),
            cell(paid, THOUSANDS, page, error=True),
            text(add(council), most_error(council), THOUSANDS),
        ))  # fmt: skip
    return lines


def bridge(page: Page, figures: Figures) -> None:
    """Why the expected value is not the plan, in pounds."""
    rows, over = [], ""
    for deal in figures.deals:
        lines = []
        for role, measure, words in (
            ("investor", "gain", "gain, investors"), ("commissioner", "net_cost", "net cost, commissioner"),
        ):  # fmt: skip
            stages = ("plan", *STAGES, "expected")
            found = [figures.row(f"bridge: {measure}", s, deal=deal.name, role=role) for s in stages]
            comes_back = role != "investor" or deal.own.lowered.repayable
            if found[0] is not None and comes_back and deal.own.lowered.delivers:
                over = found[0].status
                values = [text(row.value, None, THOUSANDS) if row else NOTHING for row in found]
                lines.append((words, *values))
        if lines:
            rows.append(stacked(deal.name, lines))
    if not rows:
        return
    page.heading("From plan to expected value")
    page.table(
        f"£000, {over}",
        ("Deal", "", "Plan", "Uncertain inputs and caps", "Delivery failure", "Common shock",
         "Early end by chance", "Expected"),
        rows, names=2,
    )  # fmt: skip
    page.say(
        "Risks are let in one after the other, so each step depends on their order; the steps add up "
        "exactly. The last column is the mean of these futures only, so it can differ from the tables "
        "above by simulation noise."
    )
