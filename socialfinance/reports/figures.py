"""Looks up a run's figures for the reports, and says why one does not exist."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from socialfinance.core.parties import PUBLIC
from socialfinance.engine.ready import ReadyDeal, ReadyPortfolio
from socialfinance.measures.statistics import SKETCHED, Row
from socialfinance.reports.numbers import NOTHING, PERCENT, Scale, text, with_error
from socialfinance.reports.page import Page
from socialfinance.results.result import Result


class Figures:
    """The figures of one run by what they are about.

    ``deals`` are those the report shows, all of them unless some were asked for.
    """

    def __init__(self, result: Result, ready: ReadyPortfolio, deals: Iterable[str] = ()) -> None:
        wanted = set(deals) or {deal.name for deal in ready.deals}
        self.result, self.ready = result, ready
        self.deals = tuple(deal for deal in ready.deals if deal.name in wanted)
        self._rows: dict[tuple[str, ...], Row] = {}
        for row in result.measures_rows:
            about = (row.scope, row.deal, row.party, row.role, row.financial_year, row.measure, row.statistic)
            self._rows[about] = row
            self._rows.setdefault((*about[:2], "", *about[3:]), row)  # the first party of a role

    @property
    def whole(self) -> bool:
        """Whether every deal is shown."""
        return len(self.deals) == len(self.ready.deals)

    def row(
        self, measure: str, statistic: str = "mean", *, scope: str = "deal", deal: str = "", party: str = "",
        role: str = "", year: str = "",
    ) -> Row | None:  # fmt: skip
        """One figure; without a party the first that fills the role."""
        return self._rows.get((scope, deal, party, role, year, measure, statistic))

    def investor(self, deal: str, measure: str, statistic: str = "mean", scope: str = "deal") -> Row | None:
        """A figure of a deal's investors; of all of them together without a deal."""
        place = "fund" if not deal else scope
        return self.row(measure, statistic, scope=place, deal=deal, role="investor")

    def public(self, party: str, measure: str, statistic: str = "mean", year: str = "") -> Row | None:
        """A figure of a public body over all deals."""
        kind = self.ready.parties[party].kind
        return self.row(measure, statistic, scope="council", party=party, role=kind, year=year)

    def structure(self, deal: str, measure: str, statistic: str = "mean", scope: str = "deal") -> Row | None:
        """A figure of the contract itself."""
        return self.row(measure, statistic, scope=scope, deal=deal, role="structure")

    def programme(self, deal: str, measure: str, statistic: str = "mean") -> Row | None:
        """A figure of the people."""
        return self.row(measure, statistic, scope="deal", deal=deal, role="programme")

    def total(self, deal: str, measure: str, statistic: str = "mean") -> Row | None:
        """A figure of all public bodies together in one deal."""
        return self.row(measure, statistic, scope="deal", deal=deal, role="public")

    def commissioners(self, deal: ReadyDeal) -> tuple[str, ...]:
        """The parties that commission a deal."""
        return tuple(party for party, _ in deal.roles.get("commissioner", ()))

    def bodies(self) -> tuple[str, ...]:
        """Public bodies with a part in the deals shown."""
        mine = {party for deal in self.deals for party in self.parties_of(deal)}
        found = dict.fromkeys(
            row.party for row in self.result.measures_rows if row.scope == "council" and row.party in mine
        )
        return tuple(found)

    def councils(self) -> tuple[str, ...]:
        """Councils among them."""
        return tuple(party for party in self.bodies() if self.ready.parties[party].kind == "council")

    def parties_of(self, deal: ReadyDeal) -> tuple[str, ...]:
        """Everybody who fills a role in a deal."""
        return tuple(dict.fromkeys(party for filled in deal.roles.values() for party, _ in filled))

    def title(self, party: str) -> str:
        """How a party is shown."""
        return self.result.titles.get(party, party)

    def is_public(self, party: str) -> bool:
        """Whether a party is a public body."""
        return self.ready.parties[party].kind in PUBLIC


def can_end_early(deal: ReadyDeal) -> bool:
    """Whether there is a contract that can end before its time."""
    return any(figure.measure.startswith("ended_") for figure in deal.own.lowered.figures)


def cell(row: Row | None, scale: Scale, page: Page, error: bool = False) -> str:
    """A figure in a table; where it does not exist, a mark and a footnote that says why.

    One that is read off a sketch is marked too (``measures/sketch.py``).
    """
    if row is None:
        return NOTHING
    if row.value is None:
        return f"none {page.note(reason(row))}"
    written = (with_error if error else text)(row.value, row.standard_error, scale)
    return f"{SKETCHED}{written}" if SKETCHED in row.status else written


def reason(row: Row) -> str:
    """Why a figure does not exist, in a sentence."""
    whose = f"{row.deal}: " if row.deal else ""
    said = f"{whose}{row.measure} ({row.statistic}): {row.status}"
    return said.replace("_", " ").replace("irr", "IRR")


def chance(row: Row | None, page: Page, error: bool = False) -> str:
    """A share of paths in per cent; none seen is said so."""
    if row is not None and row.value == 0.0:
        return "none seen"
    if row is not None and row.value == 1.0:
        return "always"
    return cell(row, PERCENT, page, error)


def add(rows: Sequence[Row | None]) -> float | None:
    """The sum of figures that exist; None where one does not."""
    values = [row.value if row is not None else None for row in rows]
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) and known else None


def most_error(rows: Sequence[Row | None]) -> float:
    """The most that the standard error of their sum can be: the sum of theirs."""
    return sum(row.standard_error or 0.0 for row in rows if row is not None)
