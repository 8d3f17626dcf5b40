"""One future line by line: which one, every payment, and what each party ends with as live sums."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.engine.books import deals_with, keep_books
from socialfinance.engine.explain import Explained, explain_path
from socialfinance.engine.explain_fund import explain_fund
from socialfinance.engine.ready import ReadyPortfolio
from socialfinance.reports.figures import Figures
from socialfinance.workbooks.cells import DAY, money
from socialfinance.workbooks.page import Column, Formula, Page

SEARCHED = 2_000
"""Futures that are looked through, the first ones, for one to show."""


class Chosen(NamedTuple):
    """A future to show, and why this one."""

    path: int
    why: str


def near_p95(figures: Figures) -> Chosen:
    """The future in which the body that pays most has a net cost nearest its P95.

    ``argmin over paths of |net cost - P95|``, over the first ``SEARCHED`` futures of the run's seed; the
    first where several are as near.
    """
    result, ready = figures.result, figures.ready
    paid = {party: figures.public(party, "paid") for party in figures.bodies()}
    known = {party: row.value for party, row in paid.items() if row is not None and row.value is not None}
    if not known:
        return Chosen(0, "the first: no public body pays anything")
    party = max(known, key=lambda one: known[one])
    aim = figures.public(party, "net_cost", "p95")
    if aim is None or aim.value is None:
        return Chosen(0, f"the first: {party} has no P95")
    costs = _net_costs(ready, party, result.seed, min(result.paths, SEARCHED))
    path = int(np.argmin(np.abs(costs - aim.value)))
    symbol = figures.result.portfolio.currency
    return Chosen(
        path,
        f"of the first {costs.size:,}, the one in which {figures.title(party)} has a net cost "
        f"({symbol} {costs[path]:,.0f}) nearest to its P95 ({symbol} {aim.value:,.0f})",
    )


def _net_costs(ready: ReadyPortfolio, party: str, seed: int, paths: int) -> np.ndarray:
    """A body's net cost over the life by path, over all its deals, pounds."""
    kept = keep_books(ready, deals_with(ready, party), seed, paths, compared=(), yearly=False)
    costs = np.zeros(paths)
    for deal in kept.deals.values():
        costs += deal.own.worth.get(party, {}).get("net_cost", 0.0)
    return costs


def future(page: Page, figures: Figures, path: int | None) -> None:
    """The future by number, or else the one near the P95 of whoever pays most."""
    ready, seed = figures.ready, figures.result.seed
    chosen = near_p95(figures) if path is None else Chosen(path, "as asked for")
    page.say(f"Future {chosen.path}, seed {seed}: {chosen.why}.")
    page.say(
        f"The same as socialfinance explain NAME --path {chosen.path} --seed {seed}. Memo lines are no cash, "
        "and in no sum."
    )
    if "sampling" in figures.result.extra:
        page.say("This run spread its futures on purpose; the future shown is one of those drawn plainly.")
    found = [explain_path(ready, deal, chosen.path, seed) for deal in ready.deals]
    for one in found:
        page.say(f"{one.deal}: " + (f"ended early: {one.ended}." if one.ended else "no early end."))
    _sums(page, found, page.row + 1)
    _fund(page, figures, chosen.path)
    page.finish()


def _sums(page: Page, found: list[Explained], start: int) -> None:
    """What each party ends with, over the payments that follow it."""
    pounds = money(page.sheets.symbol, pence=True)
    sums: dict[str, float] = {}
    for one in found:
        for party, net in one.sums.items():
            sums[party] = sums.get(party, 0.0) + net
    parties = sorted(sums)
    payments = [
        (
            one.deal,
            p.date,
            p.financial_year,
            p.payer,
            p.payee,
            p.reason,
            p.amount,
            "memo" if p.memo else "cash",
            p.vehicle_cash,
        )
        for one in found
        for p in one.payments
    ]
    if not payments:
        page.say("Nothing is paid.")
        return
    # heading, one row a party, sum, expected, check; a gap, the next heading, its columns
    first = start + 1 + 1 + len(parties) + 3 + 3
    last = first + len(payments) - 1
    amount, cash = f"$G${first}:$G${last}", f"$H${first}:$H${last}"
    to, by = f"$E${first}:$E${last}", f"$D${first}:$D${last}"
    page.part("Received less paid, by party")
    top = page.row + 1
    block = page.table(
        (
            Column("Party", width=28),
            Column("Net", pounds, 18, sums=True),
            Column("Net, from the model", pounds, 18),
            Column("Differs", '[=0]"ok";"differs"', 26, sums=True),
        ),
        [
            (
                party,
                Formula(
                    f'=SUMIFS({amount},{to},A{n},{cash},"cash")-SUMIFS({amount},{by},A{n},{cash},"cash")'
                ),
                sums[party] if abs(sums[party]) >= HALF_A_PENNY else 0.0,
                Formula(f"=IF(ABS(B{n}-C{n})<0.005,0,1)"),
            )
            for n, party in enumerate(parties, start=top)
        ],
    )
    page.check(block, {2: 0.0, 4: 0.0}, "nil, as money has two sides")
    page.part("Every payment, in order")
    assert page.row + 1 == first, (page.row + 1, first)
    page.table(
        (
            Column("Deal", width=28),
            Column("Date", DAY, 18),
            Column("Financial year", width=18),
            Column("From", width=26),
            Column("To", width=26),
            Column("Why", width=26),
            Column("Amount", pounds, 18),
            Column("Cash or memo", width=14),
            Column("Vehicle then holds", pounds, 18),
        ),
        payments,
    )


def _fund(page: Page, figures: Figures, path: int) -> None:
    """The fund's own payments in this future."""
    fund = explain_fund(figures.ready, path, figures.result.seed)
    if fund is None:
        return
    page.part("The fund's own payments, with its policy and what it could grant")
    pounds = money(page.sheets.symbol, pence=True)
    page.table(
        (
            Column("Deal"),
            Column("Date", DAY),
            Column("Financial year"),
            Column("From"),
            Column("To"),
            Column("Why"),
            Column("Amount", pounds),
        ),
        [("(fund)", p.date, p.financial_year, p.payer, p.payee, p.reason, p.amount) for p in fund.payments],
    )
