"""What pictures read from a result."""

from __future__ import annotations

from collections import defaultdict

from socialfinance.core.currency import CURRENCIES
from socialfinance.core.errors import InputError
from socialfinance.core.parties import PUBLIC
from socialfinance.measures.statistics import Row
from socialfinance.pictures.style import Cell
from socialfinance.reports.numbers import NOTHING, TIE, Scale, pounds, text
from socialfinance.reports.page import POUND
from socialfinance.results.result import CurveRow, Result

About = tuple[str, str, str, str, str]
"""Scope, deal, party, role, measure."""


class Known:
    """A result's rows by what they are about."""

    def __init__(self, result: Result) -> None:
        self.result = result
        self.symbol = CURRENCIES[result.portfolio.currency].symbol
        self._rows: dict[tuple[str, ...], Row] = {}
        for row in result.measures_rows:
            self._rows.setdefault(row[:7], row)
        self._curves: dict[tuple[str, ...], list[CurveRow]] = defaultdict(list)
        for point in result.curve_rows:
            self._curves[(*point[:4], point.measure, point.along)].append(point)

    def row(
        self,
        scope: str,
        deal: str,
        party: str,
        role: str,
        measure: str,
        statistic: str = "mean",
        year: str = "",
    ) -> Row | None:
        """One figure."""
        return self._rows.get((scope, deal, party, role, year, measure, statistic))

    def curve(self, about: About, along: str) -> list[CurveRow]:
        """Points of a curve, in order."""
        return self._curves.get((*about, along), [])

    def quantiles(self, about: About, year: str = "") -> dict[float, float]:
        """Quantiles by level that are known of a figure."""
        return {
            point.at: point.value
            for point in self.curve(about, "level")
            if point.financial_year == year and point.value is not None
        }

    def has(self, scope: str, role: str, measure: str, along: str = "level") -> list[About]:
        """All that have such a curve."""
        return [
            (one[0], one[1], one[2], one[3], one[4])
            for one in self._curves
            if one[0] == scope and one[3] == role and one[4] == measure and one[5] == along
        ]

    def years(self) -> list[str]:
        """Financial years in which public bodies have figures, in order."""
        return sorted({row.financial_year for row in self.result.measures_rows if row.financial_year})

    def councils(self) -> list[str]:
        """Councils with a part in the deals, dearest first."""
        return [one for one in self.public() if self.kind(one) == "council"]

    def public(self) -> list[str]:
        """Public bodies with a part in the deals, by what they are expected to pay, the most first."""
        cost = {
            row.party: row.value or 0.0
            for row in self.result.measures_rows
            if row.scope == "council" and not row.financial_year
            and (row.measure, row.statistic) == ("paid", "mean")
        }  # fmt: skip
        return sorted(cost, key=lambda one: (-cost[one], one))

    def kind(self, party: str) -> str:
        """What a party is."""
        found = (
            row.role for row in self.result.measures_rows if row.scope == "council" and row.party == party
        )
        return next((role for role in found if role in PUBLIC), "")

    def title(self, party: str) -> str:
        """How a party is shown."""
        return self.result.titles.get(party, party)

    def money(self, value: float | None, error: float | None = None) -> str:
        """Pounds in a sentence, in the file's currency."""
        return pounds(value, error).replace(POUND, self.symbol).replace(TIE, " ")

    def cell(self, row: Row | None, scale: Scale) -> Cell:
        """A figure of the measures in a table."""
        if row is None:
            return Cell(NOTHING)
        written = text(row.value, row.standard_error, scale).replace(POUND, self.symbol)
        return Cell(written if row.value is not None else "none", row.value, "|".join(row[:7]))

    def point(self, point: CurveRow, scale: Scale) -> Cell:
        """A point of a curve in a table."""
        written = text(point.value, point.standard_error, scale).replace(POUND, self.symbol)
        about = "|".join((*point[:6], f"{point.along} {point.at:g}"))
        return Cell(written, point.value, about)


def none_such(what: str, given: object, known: list[str]) -> InputError:
    """A picture of what is not there."""
    allowed = ", ".join(known) if known else "none in this run"
    return InputError(f"is no {what} of this run", field="plot", given=given, allowed=allowed)


def capitals(name: str) -> str:
    """What a deal is held against, as it is written."""
    return name.replace("pwlb", "PWLB")
