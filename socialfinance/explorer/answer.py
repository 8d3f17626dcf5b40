"""The six figures of the page, each with its standard error and what the changed terms do to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from socialfinance.core.currency import CURRENCIES
from socialfinance.core.parties import PUBLIC
from socialfinance.core.text import visible
from socialfinance.engine.accumulate import Kept
from socialfinance.engine.block import ALL_PUBLIC
from socialfinance.engine.ready import ReadyPortfolio
from socialfinance.explorer.asked import Asked
from socialfinance.explorer.charts import Chart, by_year, spread
from socialfinance.explorer.controls import WHOLE
from socialfinance.funds.portfolio import Portfolio
from socialfinance.measures.figure import ByPath
from socialfinance.measures.paths import Key
from socialfinance.measures.statistics import Row, figure_rows, flows_of, rows_of
from socialfinance.pricing.paired import Difference, Reading
from socialfinance.pricing.read import Wanted
from socialfinance.reports.numbers import NOTHING, PERCENT, TIE, TIMES, Scale, pounds, with_error

if TYPE_CHECKING:
    from socialfinance.explorer.runs import Run

Array = NDArray[np.float64]
INVESTED = ("irr", "irr_status", "loss", "gain")
NO_DIFFERENCE = "as in the file"
POINTS = Scale(100.0, "", "", 2, 1)
"""A difference between two percentages."""
SIGMAS = 2.0
"""Standard errors that a difference must be from nil to be told from none."""


class Shown(NamedTuple):
    """One figure of the page."""

    name: str
    label: str
    says: str
    """what it is, in a few words"""
    value: float | None
    standard_error: float | None
    change: float | None
    """less the file's own terms, on the same futures"""
    change_error: float | None
    text: str
    error_text: str
    change_text: str
    better: bool | None
    """whether the change is good for whom the figure is about; None where it is too small to tell"""


@dataclass(frozen=True)
class Answer:
    """What the page shows for one request."""

    figures: tuple[Shown, ...]
    charts: tuple[Chart, ...]
    said: str
    paths: int
    seconds: float
    """that the run took, without that of the file's own terms"""

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "figures": [one._asdict() for one in self.figures],
            "charts": [one._asdict() for one in self.charts],
            "said": self.said, "paths": self.paths, "seconds": self.seconds,
        }  # fmt: skip


class Asks(NamedTuple):
    """One figure: of whom, which statistic, and how it is told."""

    name: str
    label: str
    says: str
    keys: tuple[Key, ...]
    """added up path by path where there are several"""
    statistic: str
    kind: str
    good: int
    """1 where more is better, -1 where less is"""


def needed(key: Key, view: str) -> bool:
    """Whether the page shows anything of a figure; the rest is not kept."""
    if key.scope == "council":
        return key.measure == "net_cost"
    if key.scope == "fund" or (key.scope == "deal" and view != WHOLE):
        return key.measure in (*INVESTED, "net_cost", "calls", "paid_over_plan")
    return key.scope == "deal" and key.measure == "calls"


def answer(portfolio: Portfolio, asked: Asked, run: Run, base: Run) -> Answer:
    """Figures and charts of a run, beside those of the file's own terms on the same paths."""
    symbol = CURRENCIES[portfolio.currency].symbol
    figures = tuple(_shown(one, run.kept, base.kept, symbol) for one in figures_of(run, asked.view))
    names = _whose(run.ready, asked.view)
    charts = [by_year(_net_cost(run, asked.view), _net_cost(base, asked.view), names, symbol)]
    gain = next((one for one in figures_of(run, asked.view) if one.name == "gain"), None)
    if gain is not None:
        who = "note holders" if gain.keys[0].role == "net" else "investors"
        charts.append(spread(_summed(run.kept, gain.keys), _summed(base.kept, gain.keys), who, symbol))
    return Answer(figures, tuple(charts), _sentence(figures, run.kept.paths), run.kept.paths, run.seconds)


# --- which figures ----------------------------------------------------------------------------------


def figures_of(run: Run, view: str) -> list[Asks]:
    """The figures of a view: investors' three, the public purse's two, and guarantees or payments."""
    keys = [key for key in run.kept.figures if not key.financial_year]
    found = [*_investors(keys, view), *_public(run, keys, view)]
    scope = "fund" if view == WHOLE else "deal"
    calls = [key for key in keys if key.role == "guarantor" and key.measure == "calls"]
    calls = [key for key in calls if key.scope == scope] or calls
    if calls:
        says = "what guarantors pay over the life, expected"
        found.append(Asks("calls", "Guarantee calls", says, tuple(calls), "mean", "pounds", -1))
        return found
    paid = [key for key in keys if key.measure == "paid_over_plan"]
    if paid:
        says = "paid for results over what the plan pays, expected"
        found.append(Asks("paid", "Paid over plan", says, (paid[0],), "mean", "times", 1))
    return found


def _investors(keys: list[Key], view: str) -> Iterator[Asks]:
    """Of the deal's investors; of all note holders, or all investors, together."""
    roles = [("fund", "net"), ("fund", "investor")] if view == WHOLE else [("deal", "investor")]
    found = [{key.measure: key for key in keys if (key.scope, key.role) == one} for one in roles]
    mine = next((one for one in found if "irr" in one), None)
    if mine is None:
        return
    who = "Note holders" if mine["irr"].role == "net" else "Investors"
    yield Asks("irr", f"{who}' return", "IRR a year of the expected flows", (mine["irr"],),
               "of_mean_flows", "percent", 1)  # fmt: skip
    yield Asks("loss", "Chance of a loss", f"{who.lower()} have back less than they put in",
               (mine["loss"],), "probability", "percent", -1)  # fmt: skip
    yield Asks("gain", "Gain in a bad future", f"{who.lower()}' gain; one future in twenty is worse",
               (mine["gain"],), "p5", "pounds", 1)  # fmt: skip


def _public(run: Run, keys: list[Key], view: str) -> Iterator[Asks]:
    costs = _cost_keys(run.ready, keys, view)
    if not costs:
        return
    who = _whose(run.ready, view)
    yield Asks("net_cost", "Net cost", f"of {who}: paid less cashable saving, expected",
               costs, "mean", "pounds", -1)  # fmt: skip
    yield Asks("net_cost_p95", "Net cost in a bad future", f"of {who}; one future in twenty is dearer",
               costs, "p95", "pounds", -1)  # fmt: skip


def _cost_keys(ready: ReadyPortfolio, keys: list[Key], view: str) -> tuple[Key, ...]:
    """Net cost by path of whom the view is about: the one body that commissions the deal, or all."""
    if view == WHOLE:
        return tuple(key for key in keys if key.scope == "council" and key.measure == "net_cost")
    party = _commissioner(ready)
    return tuple(key for key in keys if (key.scope, key.party, key.measure) == ("deal", party, "net_cost"))


def _commissioner(ready: ReadyPortfolio) -> str:
    """The one public body that commissions a deal, else all public bodies."""
    who = [party for party in ready.deals[0].council if ready.parties[party].kind in PUBLIC]
    return who[0] if len(who) == 1 else ALL_PUBLIC


def _whose(ready: ReadyPortfolio, view: str) -> str:
    party = ALL_PUBLIC if view == WHOLE else _commissioner(ready)
    return party if party == ALL_PUBLIC else visible(ready.parties[party].title or party)


def _net_cost(run: Run, view: str) -> dict[str, Array]:
    """Net cost by path of each financial year, pounds: of the same bodies as the figure."""
    party = ALL_PUBLIC if view == WHOLE else _commissioner(run.ready)
    found: dict[str, Array] = {}
    for key, values in run.kept.figures.items():
        if key.scope == "council" and key.financial_year and party in (ALL_PUBLIC, key.party):
            so_far = found.get(key.financial_year)
            found[key.financial_year] = values if so_far is None else so_far + values
    return dict(sorted(found.items()))


# --- their values -----------------------------------------------------------------------------------


def row_of(asks: Asks, kept: Kept) -> Row | None:
    """The figure as a plain run has it; None where a run has no such figure."""
    if any(key not in kept.figures for key in asks.keys):
        return None
    key = asks.keys[0]
    if len(asks.keys) == 1:
        rows = figure_rows(key, kept.figure, kept.rows)
    else:
        rows = rows_of(key, ByPath(_summed(kept, asks.keys)))
    return next(row for row in rows if row.statistic == asks.statistic and row.measure == key.measure)


def _summed(kept: Kept, keys: tuple[Key, ...]) -> Array:
    """Over all keys, path by path; nothing where a run has none of them."""
    there = [kept.figures[key] for key in keys if key in kept.figures]
    return np.sum(there, axis=0) if there else np.zeros(0)


def change_of(asks: Asks, kept: Kept, base: Kept) -> Difference:
    """The figure less that of the file's own terms, paired: its error is that of the difference."""
    if any(key not in one.figures for key in asks.keys for one in (kept, base)):
        return Difference(None, None)
    return _reading(asks, kept).less(_reading(asks, base))


def _reading(asks: Asks, kept: Kept) -> Reading:
    key = asks.keys[0]
    wanted = Wanted("", "", *key[:4], key.measure, asks.statistic, key.unit)
    if key.measure != "irr":
        return Reading(wanted, _summed(kept, asks.keys), None, None)
    status = kept.figures[key._replace(measure="irr_status", unit="code")]
    return Reading(wanted, kept.figures[key], status, kept.rows[flows_of(key)])


def _shown(asks: Asks, kept: Kept, base: Kept, symbol: str) -> Shown:
    row = row_of(asks, kept)
    value, error = (None, None) if row is None else (row.value, row.standard_error)
    change = change_of(asks, kept, base)
    text, _, error_text = _written(asks.kind, value, error, symbol).partition("±")
    told = change.value is not None and abs(change.value) > SIGMAS * (change.standard_error or 0.0)
    return Shown(
        asks.name, asks.label, asks.says, value, error, change.value, change.standard_error,
        text.strip(), error_text.strip(), _change_text(asks, change, value is None, symbol),
        (change.value or 0.0) * asks.good > 0.0 if told and change.value else None,
    )  # fmt: skip


def _written(kind: str, value: float | None, error: float | None, symbol: str) -> str:
    writers: Mapping[str, Callable[[], str]] = {
        "pounds": lambda: pounds(value, error).replace("£", symbol),
        "percent": lambda: with_error(value, error, PERCENT),
        "points": lambda: with_error(value, error, POINTS),
        "times": lambda: with_error(value, error, TIMES),
    }
    return NOTHING if value is None else writers[kind]().replace(TIE, " ")


def _change_text(asks: Asks, change: Difference, gone: bool, symbol: str) -> str:
    if gone:
        return "there is none with these terms"
    if change.value is None:
        return "the file has none"
    if change.value == 0.0:
        return NO_DIFFERENCE
    kind = "points" if asks.kind == "percent" else asks.kind
    text = _written(kind, change.value, change.standard_error, symbol)
    return ("" if text.startswith("-") else "+") + text + (" points" if kind == "points" else "")


def _sentence(figures: tuple[Shown, ...], paths: int) -> str:
    """What a screen reader says once figures have changed."""
    parts = [f"{one.label.lower()} {one.text}" for one in figures[:4]]
    return f"{paths:,} futures: {', '.join(parts)}."
