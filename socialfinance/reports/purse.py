"""A shared purse: who saves, who pays out of it, and what is saved in the wrong pocket."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from socialfinance.engine.ready import ReadyDeal
from socialfinance.measures.statistics import Row
from socialfinance.reports.figures import Figures, cell, chance
from socialfinance.reports.numbers import THOUSANDS
from socialfinance.reports.page import Page


def shared_purse(page: Page, figures: Figures) -> None:
    """Each agency with pooling and without; the funder's balance; only where a deal pays out of savings."""
    deals = [deal for deal in figures.deals if deal.own.lowered.purse is not None]
    if not deals:
        return
    page.heading("Shared purse")
    page.table(
        "By agency, over the life, undiscounted (£000)",
        ("Deal", "Agency", "Saved", "Verified", "Paid out of savings", "Had back", "Net, pooled",
         "Net, pooled, P5", "Net, alone", "Net, alone, P5"),
        [row for deal in deals for row in _agencies(page, figures, deal)],
        names=2,
    )  # fmt: skip
    page.say(
        "Saved: true cashable savings. Verified: what was measured of what it is agreed to pay on, with "
        "error and lag; more than saved where freed capacity counts. Had back: its part of the surplus. "
        "Net: saved less all it pays under the deal, plus what it has back; above nil it gains. Pooled: as "
        "agreed. Alone: if the commissioner alone paid what all agencies pay, and the others kept what they "
        "save."
    )
    page.table(
        "The funder's balance, and savings in the wrong pocket (£000 unless said)",
        ("Deal", "Repaid in full", "Unpaid at the long stop", "Unpaid, P95", "Reinvested",
         "Wrong pockets, pooled", "Wrong pockets, alone"),
        [_balance(page, figures, deal) for deal in deals],
    )  # fmt: skip
    page.say(
        "Repaid in full: the share of futures in which nothing was left of the balance at the long stop, "
        "guarantors' payments counted. Unpaid: what was left, whoever pays it then. Reinvested: surplus put "
        "into more starts; what these cost less is surplus again. Wrong pockets: cashable savings, less what "
        "they pay, of agencies that do not pay for them."
    )


def _agencies(page: Page, figures: Figures, deal: ReadyDeal) -> Iterator[tuple[str, ...]]:
    """One line an agency, the commissioner first."""
    parties = dict.fromkeys(figures.commissioners(deal))
    for saving in deal.programme.programme.savings.values():
        parties |= dict.fromkeys(party for party, _ in deal.roles[saving.agency])
    for i, party in enumerate(parties):
        net = [_cells(page, figures, deal, party, measure) for measure in ("net_pooled", "net_alone")]
        yield (
            "" if i else deal.name,
            figures.title(party),
            *(
                cell(_figure(figures, deal, party, measure), THOUSANDS, page)
                for measure in ("saved", "verified", "paid_from_savings", "had_back")
            ),
            *net[0],
            *net[1],
        )


def _cells(page: Page, figures: Figures, deal: ReadyDeal, party: str, measure: str) -> Sequence[str]:
    return [
        cell(_figure(figures, deal, party, measure, at), THOUSANDS, page, error=at == "mean")
        for at in ("mean", "p5")
    ]


def _figure(figures: Figures, deal: ReadyDeal, party: str, measure: str, at: str = "mean") -> Row | None:
    return figures.row(measure, at, deal=deal.name, party=party, role="agency")


def _balance(page: Page, figures: Figures, deal: ReadyDeal) -> tuple[str, ...]:
    name = deal.name
    gaps = [
        figures.row(measure, deal=name, role="purse")
        for measure in ("wrong_pockets_gap", "wrong_pockets_gap_alone")
    ]
    return (
        name,
        chance(figures.structure(name, "repaid_in_full", "probability"), page, error=True),
        cell(figures.structure(name, "unpaid_at_long_stop"), THOUSANDS, page, error=True),
        cell(figures.structure(name, "unpaid_at_long_stop", "p95"), THOUSANDS, page),
        cell(figures.structure(name, "reinvested"), THOUSANDS, page, error=True),
        *(cell(gap, THOUSANDS, page) for gap in gaps),
    )
