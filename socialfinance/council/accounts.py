"""Where a council's payments of a run stand in its accounts by year, and its capital side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.council import capital
from socialfinance.council.numbers import Array
from socialfinance.council.statistics import figure
from socialfinance.council.treatment import (
    BY_DRAWDOWN,
    CAPITAL_GRANT,
    CAPITAL_PART,
    SPLIT,
    WORKS,
    Column,
    by_column,
    capital_part,
    kind_of,
)
from socialfinance.engine.books import OWN, DealBooks, Kept
from socialfinance.engine.ready import ReadyDeal, ReadyPortfolio, on_years
from socialfinance.funds.books import CapitalSide
from socialfinance.instruments.comparators import against

if TYPE_CHECKING:
    import pandas as pd

Columns = dict[tuple[Column, str], Array]
"""By column and rule ``(year, path)``, received less paid, pounds."""
HEAD_RENT = "head rent"


def terms_of(ready: ReadyPortfolio, deal: ReadyDeal) -> dict[str, Any]:
    """Terms of the deal's own structure and of what it is held against, by name."""
    held = against(deal.deal.programme.kind, ready.portfolio.comparison)
    return {OWN: deal.deal.instrument, **dict(held)}


def columns_of(ready: ReadyPortfolio, books: DealBooks, party: str) -> dict[str, Columns]:
    """A council's payments by column and rule, under the deal's own structure and each alternative."""
    terms = terms_of(ready, books.deal)
    return {
        name: by_column(
            kind_of(terms[name]), kept.legs, party, ready.parties, _part(books.deal, terms[name], kept)
        )
        for name, kept in books.structures.items()
    }


def _part(deal: ReadyDeal, terms: Any, kept: Kept) -> Mapping[tuple[str, str, str], Array] | None:
    """What of payments for a service is capital spending, where the structure does not say itself."""
    kind = kind_of(terms)
    if kind not in CAPITAL_PART or kind in BY_DRAWDOWN:
        return None
    lines = terms.lines if terms.kind == "pwlb-loan" else None
    none = {leg: 0.0 * amounts for leg, amounts in kept.legs.items() if leg[2] == SPLIT}
    return {**none, **capital_part(deal, kept.costs, lines)}


def together(columns: Sequence[Columns]) -> Columns:
    """The same of several deals, added up."""
    found: Columns = {}
    for one in columns:
        for rule, amounts in one.items():
            found[rule] = found.get(rule, 0.0) + amounts
    return found


def accounts_table(years: Sequence[str], by_structure: Mapping[str, Mapping[str, Columns]]) -> pd.DataFrame:
    """By deal, structure, column, rule and financial year: expected, error, P5, P95; nil rows left out."""
    import pandas as pd

    rows = list(_rows(years, by_structure))
    names = [
        "deal",
        "structure",
        "column",
        "rule",
        "financial_year",
        "expected",
        "standard_error",
        "p5",
        "p95",
    ]
    return pd.DataFrame(rows, columns=names)


def _rows(
    years: Sequence[str], by_structure: Mapping[str, Mapping[str, Columns]]
) -> Iterator[tuple[Any, ...]]:
    for deal, structures in by_structure.items():
        for name, columns in structures.items():
            for (column, rule), amounts in columns.items():
                for year, values in zip(years, amounts, strict=True):
                    if np.any(np.abs(values) > HALF_A_PENNY):
                        one = figure(values)
                        yield (deal, name, column, rule, year, one.mean, one.error, one.p5, one.p95)


def capital_side(
    ready: ReadyPortfolio, books: Sequence[DealBooks], party: str, columns: Columns, given: CapitalSide | None
) -> capital.Side:
    """The capital side of a council under the deals as contracted, beside what the file tells of its own."""
    finances = capital.Finances() if given is None else capital.Finances(
        **{name: getattr(given, name) for name in capital.Finances._fields if name in given.model_fields_set}
    )  # fmt: skip
    rate = finances.loan_rate if finances.loan_rate is not None else ready.discount
    leases = [one for one in (_lease(ready, deal, party, rate) for deal in books) if one is not None]
    more = {
        f"lease_{field}": sum((lease[field] for lease in leases[1:]), leases[0][field])
        for field in ("additions", "interest", "written_down")
    } if leases else {}  # fmt: skip
    paid = [one for one in (_from_reserves(ready, deal, party) for deal in books) if one is not None]
    if paid:
        more["revenue"] = sum(paid[1:], paid[0])
    return capital.by_year(
        ready.calendar.financial_years, capital.spending_of(columns, **more),
        finances._replace(loan_rate=rate),
    )  # fmt: skip


def _from_reserves(ready: ReadyPortfolio, books: DealBooks, party: str) -> Array | None:
    """What a council that builds from its reserves pays itself: works less grants so far, no borrowing."""
    terms = books.deal.deal.instrument
    if terms.kind != "council-build" or terms.funded_from == "pwlb loans":
        return None
    columns = columns_of(ready, books, party)[OWN]
    works, grants = (columns.get(rule[:2], np.zeros(1)) for rule in (WORKS, CAPITAL_GRANT))
    needed = np.cumsum(-works - grants, axis=0)
    if needed.ndim != 2:
        return None
    so_far = np.maximum.accumulate(np.maximum(needed, 0.0), axis=0)
    paid: Array = np.diff(so_far, axis=0, prepend=0.0)
    return paid


def _lease(ready: ReadyPortfolio, books: DealBooks, party: str, rate: float) -> dict[str, Array] | None:
    """A head lease on the portfolio's years; None where the council pays no head rent."""
    rent = sum((rows for leg, rows in books.rows.items() if leg[0] == party and leg[2] == HEAD_RENT), 0.0)
    if isinstance(rent, float) or not np.any(rent):
        return None
    found = capital.lease_by_year(rent, rate, books.deal.calendar.year_of_row)
    return {
        field: on_years(ready, books.deal, getattr(found, field))
        for field in ("additions", "interest", "written_down")
    }
