"""Where a council's own money for a deal comes from: its reserve, its receipts, loans of the PWLB."""

from __future__ import annotations

from socialfinance.engine.ready import OWN_MONEY, ReadyDeal
from socialfinance.reports.figures import Figures, cell, chance
from socialfinance.reports.numbers import THOUSANDS, text
from socialfinance.reports.page import Page

LENDER = "pwlb"


def own_money(page: Page, figures: Figures) -> None:
    """What is taken from a reserve or from receipts, what comes back, and what loans cost."""
    reserves = [deal for deal in figures.deals if _has(figures, deal, "reserve_short_at_end")]
    receipts = [deal for deal in figures.deals if _has(figures, deal, "receipts_used")]
    loans = [deal for deal in figures.deals if _borrowed(figures, deal)]
    if not (reserves or receipts or loans):
        return
    page.heading("Where the council's money comes from")
    if reserves:
        _reserves(page, figures, reserves)
    if receipts:
        _receipts(page, figures, receipts)
    if loans:
        _loans(page, figures, loans)


def apart(figures: Figures) -> tuple[str, ...]:
    """Parties that are a council's own reserve or receipts, and no council of their own."""
    found = {party for deal in figures.deals for role in OWN_MONEY for party, _ in deal.roles.get(role, ())}
    return tuple(sorted(found - {party for deal in figures.deals for party in figures.commissioners(deal)}))


def _has(figures: Figures, deal: ReadyDeal, measure: str) -> bool:
    return figures.structure(deal.name, measure) is not None


def _borrowed(figures: Figures, deal: ReadyDeal) -> float:
    return _flow(figures, deal, "drawdown", payer=LENDER)


def _flow(
    figures: Figures, deal: ReadyDeal, reason: str, payer: str | None = None, payee: str | None = None
) -> float:
    """Pounds over the life for a reason, on average."""
    return sum(
        row.value
        for row in figures.result.flow_rows
        if (row.deal, row.reason, row.financial_year) == (deal.name, reason, "")
        and payer in (None, row.payer)
        and payee in (None, row.payee)
    )


def _reserves(page: Page, figures: Figures, deals: list[ReadyDeal]) -> None:
    page.table(
        "The reserve (£000)",
        ("Deal", "Out at most, expected", "P95", "Interest forgone", "Not given back, expected", "P95",
         "Chance it is not given back in full"),
        [
            (
                deal.name,
                *_two(page, figures, deal, "reserve_out_at_most"),
                cell(figures.structure(deal.name, "interest_forgone"), THOUSANDS, page, error=True),
                *_two(page, figures, deal, "reserve_short_at_end"),
                chance(figures.structure(deal.name, "reserve_not_repaid", "probability"), page, error=True),
            )
            for deal in deals
        ],
    )  # fmt: skip
    page.say(
        "The reserve pays as cost falls and is given back the interest it went without, then what it paid, "
        "out of cashable savings. What it lacks after the last quarter is a cost to the council."
    )


def _receipts(page: Page, figures: Figures, deals: list[ReadyDeal]) -> None:
    page.table(
        "Capital receipts (£000)",
        ("Deal", "Used, expected", "P95"),
        [(deal.name, *_two(page, figures, deal, "receipts_used")) for deal in deals],
    )
    page.say(
        "Receipts are not given back: what is used here pays for no building, or is borrowed for it. Cost "
        "beyond them, or after the last day that the direction covers, is paid from the revenue budget."
    )


def _two(page: Page, figures: Figures, deal: ReadyDeal, measure: str) -> tuple[str, str]:
    return (
        cell(figures.structure(deal.name, measure), THOUSANDS, page, error=True),
        cell(figures.structure(deal.name, measure, "p95"), THOUSANDS, page),
    )


def _loans(page: Page, figures: Figures, deals: list[ReadyDeal]) -> None:
    page.table(
        "Loans of the PWLB, expected (£000)",
        ("Deal", "Drawn", "Fees", "Interest", "Repaid", "Owed after the last quarter"),
        [
            (
                deal.name,
                text(_borrowed(figures, deal), None, THOUSANDS),
                *(
                    text(_flow(figures, deal, reason, payee=LENDER), None, THOUSANDS)
                    for reason in ("arrangement fee", "interest", "principal")
                ),
                cell(figures.structure(deal.name, "loan_owed_at_end"), THOUSANDS, page),
            )
            for deal in deals
        ],
    )
    page.say(
        "A loan comes in when it is drawn and goes out as it is repaid, so what a council pays in a year is "
        "its debt service and what it does not borrow for. What is still owed after the last quarter is in "
        "no other figure."
    )
