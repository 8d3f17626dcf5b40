"""What a public body has promised in its deals, measured on a run: loss, tail, reserve, accounts, draft note.

Promises that pay on the same leg are measured together, as one exposure, and so is all that a body guarantees
in a deal: recoveries and fees are not told apart by layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from socialfinance.council.disclosure import Tested, draft_note, under_ias37
from socialfinance.council.guarantees import ecl_table, flows_of, liability_table
from socialfinance.council.liabilities import Assessment, assess
from socialfinance.council.numbers import Array
from socialfinance.council.promises import Promise, most_called, promises
from socialfinance.council.recourse import COMMITMENTS, CONTINGENT, FINANCIAL_GUARANTEE, OWN_DEBT
from socialfinance.engine.books import DealBooks
from socialfinance.engine.ready import ReadyDeal, ReadyPortfolio, on_years
from socialfinance.funds.books import Promises
from socialfinance.measures.paths import by_year

if TYPE_CHECKING:
    import pandas as pd

CALL = "guarantee call"
BESIDE = ("recovery", "guarantee fee")
"""Reasons that are kept by row beside those of the promises."""


class Exposure(NamedTuple):
    """Promises that pay on the same leg, measured together."""

    deal: str
    promises: tuple[Promise, ...]
    maximum: float
    """pounds, undiscounted; infinite where nothing limits it"""
    net: Array
    """``(year, path)`` calls less recoveries and fees, pounds, the portfolio's years"""
    assessed: Assessment
    tested: Tested
    ecl: pd.DataFrame | None
    """by financial year end, for a financial guarantee contract: see ``guarantees.ecl_table``"""
    liability: pd.DataFrame | None
    """see ``guarantees.liability_table``"""
    notes: tuple[str, ...]
    """a draft for each promise"""

    @property
    def backs(self) -> bool:
        """Whether it stands behind somebody's money; compensation and referrals are owed by contract."""
        return self.promises[0].treatment is not CONTINGENT


def contingent(deal: ReadyDeal, party: str) -> tuple[Promise, ...]:
    """The promises of a body that are neither commitments nor its own debt."""
    return tuple(one for one in _promised(deal, party) if one.treatment not in (*COMMITMENTS, OWN_DEBT))


def firm(deal: ReadyDeal, party: str) -> tuple[Promise, ...]:
    """The promises of a body that are commitments, or debt of its own."""
    return tuple(one for one in _promised(deal, party) if one.treatment in (*COMMITMENTS, OWN_DEBT))


def _promised(deal: ReadyDeal, party: str) -> tuple[Promise, ...]:
    fills = any(party in dict(filled) for filled in deal.roles.values())
    return promises(deal, party) if fills else ()


def reasons(deals: Sequence[ReadyDeal], party: str) -> frozenset[str]:
    """The ledger's reasons that have to be kept by row to measure what a body has promised."""
    found = {leg[2] for deal in deals for one in contingent(deal, party) for leg in one.legs}
    return frozenset(found | set(BESIDE)) if found else frozenset()


def exposures(ready: ReadyPortfolio, books: DealBooks, party: str, how: Promises) -> tuple[Exposure, ...]:
    """Every contingent promise of a body in a deal, measured over all paths."""
    together: dict[object, list[Promise]] = {}
    for one in contingent(books.deal, party):
        is_call = any(leg[2] == CALL for leg in one.legs)
        together.setdefault(CALL if is_call else one.legs, []).append(one)
    return tuple(_exposure(ready, books, party, how, tuple(some)) for some in together.values())


def _exposure(
    ready: ReadyPortfolio, books: DealBooks, party: str, how: Promises, some: tuple[Promise, ...]
) -> Exposure:
    deal, first = books.deal, some[0]
    shape = (deal.calendar.quarters + 1, len(books.balance))
    is_call = any(leg[2] == CALL for leg in first.legs)
    flows = flows_of(books.rows, party, shape, {leg for one in some for leg in one.legs})
    nil = np.zeros(shape)
    back, fees = (flows.recoveries, flows.fees) if is_call else (nil, nil)
    most = _maximum(deal, party, some, is_call)
    yearly = [
        on_years(ready, deal, by_year(rows, deal.calendar.year_of_row)) for rows in (flows.calls, back, fees)
    ]
    assessed = assess(
        *yearly, maximum=most, percentile=how.worst_case, cost_of_risk=how.cost_of_risk,
        years=ready.calendar.financial_years,
    )  # fmt: skip
    tested = under_ias37(yearly[0].sum(axis=0), "many" if first.by == "pool" else "one", how.remote)
    ecl = liability = None
    if any(one.treatment is FINANCIAL_GUARANTEE for one in some):
        ends = _year_ends(deal)
        rate = ready.discount if how.rate is None else how.rate
        lag = _lag(some, flows.calls)
        ecl = ecl_table(flows.calls, back, year_ends=list(ends.values()), lag=lag, rate=rate, by=first.by)
        liability = liability_table(ecl, premium=_premium(deal, party), term=_term(deal))
        for table in (ecl, liability):
            table.insert(0, "financial_year", list(ends))
    recognised = None if liability is None else float(liability["liability"].iloc[0])
    as_at = deal.calendar.start if liability is None else _first_end(deal)
    title = ready.parties[party].title or party
    notes = tuple(
        draft_note(
            one._replace(council=title), assessed, tested, as_at=as_at, liability=recognised,
            together=[other.what for other in some if other is not one],
        )
        for one in some
    )  # fmt: skip
    net = yearly[0] - yearly[1] - yearly[2]
    return Exposure(deal.name, some, most, net, assessed, tested, ecl, liability, notes)


def _maximum(deal: ReadyDeal, party: str, some: tuple[Promise, ...], is_call: bool) -> float:
    """The most these promises can cost together, pounds: as guarantor by the terms, else their sum."""
    if is_call:
        return most_called(deal, party)
    return sum(np.inf if one.maximum is None else one.maximum for one in some)


def _lag(some: Sequence[Promise], calls: Array) -> int:
    """Quarters from claim to payment: the longest of the layers' that every call leaves room for.

    Calls of several layers are booked on one leg, so they have one lag.
    """
    paid = np.flatnonzero(np.any(calls > 0.0, axis=1))
    longest = min(max(one.claim_lag for one in some), len(calls) - 1)
    return longest if not len(paid) else min(longest, int(paid[0]))


def _premium(deal: ReadyDeal, party: str) -> float:
    """Fees due at close by the terms, pounds, its part by role; they may be paid with the first drawing."""
    layers = getattr(deal.deal.instrument, "layers", ())
    upfront = getattr(deal.own.lowered.terms, "upfront", ())
    return float(
        sum(
            amount * dict(deal.roles[layer.guarantor]).get(party, 0.0)
            for layer, amount in zip(layers, upfront, strict=False)
            if layer.guarantor in deal.roles
        )
    )


def _term(deal: ReadyDeal) -> int | None:
    """Row at which the loan that is guaranteed is to be repaid, over which a fee is earned; None: unknown."""
    terms = deal.deal.instrument
    repayment = getattr(terms, "repayment", None) or getattr(getattr(terms, "loan", None), "repayment", None)
    last = getattr(repayment, "last_quarter", None)
    return None if last is None else max(1, min(int(last), deal.calendar.quarters))


def _year_ends(deal: ReadyDeal) -> dict[str, int]:
    """By financial year the deal's last row in it."""
    calendar = deal.calendar
    return {calendar.financial_years[year]: row for row, year in enumerate(calendar.year_of_row)}


def _first_end(deal: ReadyDeal) -> date:
    """The date of the deal's first financial year end."""
    return deal.calendar.row_date(next(iter(_year_ends(deal).values())))
