"""What a run gives back: tidy frames, provenance, and thin doors to files."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from socialfinance.funds.portfolio import Portfolio
from socialfinance.measures.statistics import Row

if TYPE_CHECKING:
    import pandas as pd


TOO_LARGE = "too large to be a number"
"""Status of a figure that overflowed."""


class FlowRow(NamedTuple):
    """One row of the flows frame; an empty financial year is the whole life."""

    deal: str
    payer: str
    payee: str
    reason: str
    financial_year: str
    statistic: str
    value: float
    standard_error: float | None
    unit: str


class CurveRow(NamedTuple):
    """One point of a curve that a picture needs: see ``engine/curves.py``."""

    scope: str
    deal: str
    party: str
    role: str
    financial_year: str
    measure: str
    along: str
    """what ``at`` is: ``level`` (of a quantile), ``quarter`` (from row 0), ``year`` (of a mean, from 0)"""
    at: float
    value: float | None
    standard_error: float | None
    unit: str


@dataclass(frozen=True)
class Result:
    """Measures, flows and curves of one run, and everything needed to repeat it.

    The unit ``pounds`` stands for units of the file's currency (``portfolio.currency``).
    """

    portfolio: Portfolio
    measures_rows: tuple[Row, ...]
    flow_rows: tuple[FlowRow, ...]
    paths: int
    seed: int
    discount: float
    discount_basis: str
    inputs: dict[str, dict[str, str]]
    titles: dict[str, str]
    compared: bool
    backend: str
    extra: dict[str, Any] = field(default_factory=dict)
    set: dict[str, Any] = field(default_factory=dict)
    """what was changed after the files were read, by path into the portfolio"""
    curve_rows: tuple[CurveRow, ...] = ()

    def __post_init__(self) -> None:
        """However a figure was made, what is no finite number is none, and its status says why."""
        object.__setattr__(self, "measures_rows", tuple(_finite(row) for row in self.measures_rows))

    @cached_property
    def measures(self) -> pd.DataFrame:
        """Tidy, one row a figure and statistic: the columns of ``measures.statistics.Row``."""
        import pandas as pd

        return pd.DataFrame(self.measures_rows, columns=list(Row._fields))

    @cached_property
    def flows(self) -> pd.DataFrame:
        """Tidy: deal, payer, payee, reason, financial_year, statistic, value, standard_error, unit."""
        import pandas as pd

        return pd.DataFrame(self.flow_rows, columns=list(FlowRow._fields))

    @cached_property
    def curves(self) -> pd.DataFrame:
        """Tidy, one row a point of what pictures draw: the columns of ``CurveRow``."""
        import pandas as pd

        return pd.DataFrame(self.curve_rows, columns=list(CurveRow._fields))

    @property
    def plot(self) -> Any:
        """Pictures of this result (``pictures.plots.Plots``): matplotlib figures with alt text."""
        from socialfinance.pictures.plots import Plots

        return Plots(self)

    @cached_property
    def _by_target(self) -> dict[tuple[str, ...], Row]:
        found: dict[tuple[str, ...], Row] = {}
        for row in self.measures_rows:
            if row.financial_year == "":
                for who in (row.party, row.role):
                    found.setdefault((row.scope, row.deal, who, row.measure, row.statistic), row)
        return found

    def figure(
        self, measure: str, statistic: str = "mean", *, who: str, deal: str = "", scope: str = ""
    ) -> Row:
        """One figure for life: ``who`` is a party or a role; without a deal the fund's or a council's.

        Raises KeyError where there is none.
        """
        scopes = (scope,) if scope else (("deal",) if deal else ("fund", "council"))
        for one in scopes:
            row = self._by_target.get((one, deal, who, measure, statistic))
            if row is not None:
                return row
        raise KeyError(f"no figure {deal}:{who}.{measure}.{statistic}")

    @property
    def provenance(self) -> dict[str, Any]:
        """Seed, paths, version, discount, and every input with its sha256: enough to run it again."""
        from socialfinance import __version__

        return {
            "package": "socialfinance",
            "version": __version__,
            "portfolio": self.portfolio.name,
            "currency": self.portfolio.currency,
            "seed": self.seed,
            "paths": self.paths,
            "discount_rate": self.discount,
            "discount_basis": self.discount_basis,
            "discount_rate_basis": "annual effective",
            "inputs": self.inputs,
            "set": self.set,
            "resolved": self.portfolio.model_dump(mode="json"),
            **self.extra,
        }

    def to_dict(self) -> dict[str, Any]:
        """Provenance, measures, flows and curves as plain data."""
        return {
            "provenance": self.provenance,
            "measures": [row._asdict() for row in self.measures_rows],
            "flows": [row._asdict() for row in self.flow_rows],
            "curves": [row._asdict() for row in self.curve_rows],
        }

    def to_json(self, path: str | Path) -> None:
        """Write everything as JSON; null where a figure does not exist, never NaN."""
        from socialfinance.io.write import write_json

        write_json(path, self.to_dict())

    def to_html(
        self, path: str | Path, command: str = "", tornado: Any = None, comparison: Any = None
    ) -> None:
        """Write everything a committee reads as one page that needs nothing else, and no network.

        ``command`` is what was asked, shown as such. With a ``pricing.sensitivity.Tornado`` the page says
        which inputs move its figure most; with a ``pricing.compare.Comparison`` risk is shared out by
        structure, without by deal. InputError where matplotlib or
        Jinja2 is missing, or the file cannot be written; nothing is left half-written.
        """
        from socialfinance.io.write import write_text
        from socialfinance.pages.page import page

        write_text(path, page(self, command, tornado, comparison))

    def to_excel(self, path: str | Path, future: int | None = None) -> None:
        """Write a workbook of real numbers, formats, live sums and charts (needs openpyxl).

        ``future`` is the number of the future that one sheet explains; default one near the P95 of the net
        cost of the public body that pays most.
        """
        from socialfinance.io.write import write_bytes
        from socialfinance.workbooks.cells import check_openpyxl

        check_openpyxl(str(path))
        from socialfinance.workbooks.book import workbook

        write_bytes(path, workbook(self, future))

    def to_parquet(self, path: str | Path) -> None:
        """Write the measures frame as Parquet (needs pyarrow)."""
        self.measures.to_parquet(path)


def _finite(row: Row) -> Row:
    if all(number is None or math.isfinite(number) for number in (row.value, row.standard_error)):
        return row
    return row._replace(value=None, standard_error=None, status=TOO_LARGE)
