"""Section 3: what it means for each budget year, and for the council's accounts."""

from __future__ import annotations

import numpy as np

from socialfinance.council.statistics import figure
from socialfinance.council.view import View
from socialfinance.papers.options import main_deals
from socialfinance.papers.parts import Part, Section, Table, named
from socialfinance.reports.frames import each, missing, odds, shown, thousands
from socialfinance.reports.numbers import PERCENT, THOUSANDS, TIE, pounds, with_error

MOST_YEARS = 12
"""Budget years that are shown one by one; later ones stand on one line."""


def finances(view: View) -> Section:
    """Payments against budget, savings and net effect by year; then what they rest on."""
    return Section("Financial implications", (_years(view), *_said(view)))


def _years(view: View) -> Table:
    spent = shown(view.exposure, ("expected", "budget", "largest"))
    effect = view.effect.set_index("financial_year")
    last = max(len(spent), len(shown(view.effect, ("saved", "paid"))))
    rows = []
    for row in each(view.exposure.iloc[: min(last, MOST_YEARS)]):
        year = effect.loc[row.financial_year]
        rows.append(
            (
                row.financial_year, thousands(row.budget),
                with_error(row.expected, row.standard_error, THOUSANDS), thousands(row.p95),
                odds(row.chance_over), thousands(year["saved"]),
                with_error(year["net"], year["standard_error"], THOUSANDS),
                _ends(year["p5"], year["p95"]), thousands(year["so_far"]),
            )
        )  # fmt: skip
    budget = "Budget" if view.budget[0] is not None else "Plan"
    head = ("Year", budget, "Payments", "P95", "Odds over", "Cashable saving", "Net effect", "P5 to P95",
            "Net so far")  # fmt: skip
    return Table(
        "All its deals here, by budget year (£000, cash of the day)", head, tuple(rows), 1, _life(view)
    )


def _life(view: View) -> tuple[str, ...]:
    """All years of the file, those that are not shown too."""
    saved = float(view.saved(view.party).sum(axis=0).mean())
    net = figure(view.net(view.party).sum(axis=0))
    spent = view.exposure["expected"].sum()
    return (
        "All years", thousands(float(np.sum(view.budget[1]))), thousands(float(spent)), "", "",
        thousands(saved), with_error(net.mean, net.error, THOUSANDS), _ends(net.p5, net.p95),
        thousands(net.mean),
    )  # fmt: skip


def _ends(low: float, high: float) -> str:
    return f"{thousands(low)}{TIE}to{TIE}{thousands(high)}"


def _said(view: View) -> tuple[Part, ...]:
    return tuple(part for part in (_basis(view), _costs(view), _effect(view), _elsewhere(view)) if part)


def _basis(view: View) -> str:
    plan = view.budget[0]
    if plan is None:
        return (
            "The file gives no budget: what the plan pays stands in for it. Payments count when paid. P95: "
            "one future in twenty is above. Odds over: that a year's payments pass its money."
        )
    when = "earned (accrual)" if plan.basis == "accrual" else "paid (cash)"
    return (
        f"Budget as the file gives it ({named(view.said('budget'))}), a payment by results counted when "
        f"{when}; {plan.carry_forward:.0%} of an underspend is carried forward, {plan.to_reserve:.0%} of "
        f"the rest goes into a reserve that starts at {pounds(plan.reserve)}. P95: one future in twenty is "
        "above. Odds over: that a year's payments pass its money and what was carried into it. Net effect: "
        "cashable savings less payments as cash."
    )


def _costs(view: View) -> str:
    """By deal: payments over the life, the cap on outcomes, the most under the terms."""
    said = []
    for books in main_deals(view):
        mine = view.cost[(view.cost["deal"] == books.deal.name) & (view.cost["payer"] == view.party)]
        for row in each(mine):
            most = "no cap" if missing(row.maximum) else pounds(row.maximum)
            cap = "none" if missing(row.contract_value) else pounds(row.contract_value)
            capped = f"cap on outcome payments {cap}, " if row.contract_value != 0.0 else ""
            said.append(
                f"{named(row.deal)}: {pounds(row.expected, row.standard_error)} expected "
                f"({pounds(row.p5)} to {pounds(row.p95)}), {capped}most under the terms {most}"
            )
    return f"Over the life, undiscounted, less what comes back: {'; '.join(said)}." if said else ""


def _effect(view: View) -> str:
    turns, never = view.turns_positive, view.never
    when = (
        f"From {turns} on the expected net so far stays at nil or above."
        if turns
        else "The expected net so far never gets to nil to stay there."
    )
    share = odds(never.share) if never.share in (0.0, 1.0) else with_error(never.share, never.error, PERCENT)
    return f"{when} Odds that it saves less cash than it pays over the whole life: {share}."


def _elsewhere(view: View) -> str:
    """Savings that no budget here shows: of other agencies, and those that are not cashable."""
    cashable, other = (view.purse[name] for name in ("cashable", "other"))
    others = float(cashable.query("agency != @view.party and financial_year == ''")["expected"].sum())
    freed = float(other.query("financial_year == ''")["expected"].sum())
    gap = float(view.purse["wrong pockets"].query("financial_year == ''")["expected"].sum())
    pocket = f"; {pounds(gap)} is saved by agencies that pay for none of it" if gap > 0.5 else ""
    return (
        f"Not in the table: cashable savings of other agencies, {pounds(others)} expected{pocket}; capacity "
        f"freed that no budget shows, {pounds(freed)}."
    )
