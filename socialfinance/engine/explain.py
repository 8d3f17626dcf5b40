"""One future of one deal, made alone: every payment in order, every input drawn, every quarter's people."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any, NamedTuple

import numpy as np

from socialfinance.core.errors import InputError
from socialfinance.core.ledger import MEMO, Entry, Ledger
from socialfinance.core.time import financial_year
from socialfinance.engine.deal import Outcome, run
from socialfinance.engine.ready import (
    PLAN,
    ReadyDeal,
    ReadyPortfolio,
    drawn,
    futures_of,
    price_level,
)
from socialfinance.funds.portfolio import Case
from socialfinance.programmes.futures import Futures
from socialfinance.scenarios.distributions import Drivers, Given, is_certain, plan_of
from socialfinance.scenarios.sources import Certain, Drawn, Side

LARGEST_PATH = 2**53
"""Path numbers stay below this, so that they survive a spreadsheet."""


class Payment(NamedTuple):
    """One line of the audit trail; ``vehicle_cash`` is what the vehicle holds after it."""

    quarter: int
    date: date
    financial_year: str
    payer: str
    payee: str
    reason: str
    amount: float
    vehicle_cash: float
    memo: bool
    """true: not cash, and never added to it"""


class Happened(NamedTuple):
    """What happened to people, homes or loans in one quarter."""

    quarter: int
    date: date
    figures: dict[str, float]


class Balances(NamedTuple):
    """What is owed after one quarter, pounds by name."""

    quarter: int
    date: date
    owed: dict[str, float]


class Input(NamedTuple):
    """An input: its plan and the value this future met (first and last, where it moves)."""

    name: str
    plan: float
    value: float
    last: float
    uncertain: bool


class Explained(NamedTuple):
    """One future of one deal."""

    deal: str
    future: str
    """``path 4711``, or the name of a case"""
    with_variation: bool
    payments: tuple[Payment, ...]
    balances: tuple[Balances, ...]
    """by quarter; empty where nothing is ever owed"""
    happened: tuple[Happened, ...]
    inputs: tuple[Input, ...]
    sums: dict[str, float]
    """received less paid by party, which sum to nil"""
    ended: str | None
    """how and when the contract ended early"""
    outcome: Outcome


def explain_path(
    ready: ReadyPortfolio, deal: ReadyDeal, path: int, seed: int, with_variation: bool = False
) -> Explained:
    """One simulated future of one deal: the same as that path in a run of many with this seed."""
    if not 0 <= path < LARGEST_PATH:
        raise InputError("is not the number of a path", field="path", given=path, allowed="0 or more")
    paths = np.array([path], dtype=np.uint64)
    common = ready.common(seed, paths)
    source = NotedDraws(drawn(deal, common, seed, paths))
    futures = futures_of(deal, source, common)
    return _explained(deal, f"path {path}", source, futures, price_level(deal, common), with_variation)


def explain_case(
    ready: ReadyPortfolio, deal: ReadyDeal, name: str, with_variation: bool = False
) -> Explained:
    """One deterministic case of one deal: the plan, a named case, or what really happened (actual)."""
    case = case_named(deal, name)
    source = NotedCase(deal.programme.programme.drivers, case)
    common = ready.common(0, None)
    futures = futures_of(deal, source, common)
    found = _explained(deal, f"case {name}", source, futures, price_level(deal, common), with_variation)
    source.check_all_used(case_field(deal, name))
    return found


def case_named(deal: ReadyDeal, name: str) -> Case:
    """The plan, a case of the deal, or its actuals."""
    cases = {"plan": PLAN, **deal.deal.cases}
    if deal.deal.actuals is not None:
        cases["actual"] = deal.deal.actuals
    if name not in cases:
        raise InputError(
            "is not a case of this deal", field=f"deals.{deal.name}.cases", given=name,
            allowed=", ".join(cases),
        )  # fmt: skip
    return cases[name]


def case_field(deal: ReadyDeal, name: str) -> str:
    """Where a case's settings stand in the file."""
    if name == "actual":
        return f"deals.{deal.name}.actuals.set"
    return f"deals.{deal.name}.cases.{name}.set"


class NotedDraws(Drawn):
    """Keyed streams that note what they gave."""

    def __init__(self, source: Drawn) -> None:
        vars(self).update(vars(source))
        self.noted: list[tuple[str, Given, Any]] = []

    def value(self, name: str, x: Given, bad: Side) -> Any:
        """As drawn, and noted."""
        found = super().value(name, x, bad)
        self.noted.append((name, x, found))
        return found

    def normal(self, name: str) -> Any:
        """As drawn, and noted."""
        found = super().normal(name)
        self.noted.append((name, 0.0, found))
        return found


class NotedCase(Certain):
    """A case that notes what it gave."""

    def __init__(self, drivers: Drivers, case: Case) -> None:
        super().__init__(drivers, case.quantile, case.set)
        self.noted: list[tuple[str, Given, Any]] = []

    def value(self, name: str, x: Given, bad: Side) -> Any:
        """As fixed by the case, and noted."""
        found = super().value(name, x, bad)
        self.noted.append((name, x, found))
        return found

    def normal(self, name: str) -> Any:
        """As fixed by the case, and noted."""
        found = super().normal(name)
        self.noted.append((name, 0.0, found))
        return found


def _explained(
    deal: ReadyDeal, future: str, source: NotedDraws | NotedCase, futures: Futures, level: Any,
    with_variation: bool,
) -> Explained:  # fmt: skip
    structure = deal.varied if with_variation else deal.own
    if structure is None:
        raise InputError(
            "has no variation: no review dates and no emergency support",
            field=f"deals.{deal.name}.instrument.review",
        )
    ledger = Ledger(deal.calendar.year_of_row, 1, journal=True)
    outcome = run(deal, (structure,), futures, level, (ledger,))[0]
    return Explained(
        deal=deal.name,
        future=future,
        with_variation=with_variation,
        payments=tuple(_payments(deal, ledger.journal or [])),
        balances=tuple(_balances(deal, outcome)),
        happened=tuple(_happened(deal, outcome, futures)),
        inputs=tuple(_inputs(source, deal)),
        sums={party: float(ledger.net[party].sum()) for party in sorted(ledger.net)},
        ended=_ended(deal, outcome),
        outcome=outcome,
    )


def _payments(deal: ReadyDeal, journal: Iterable[Entry]) -> Iterable[Payment]:
    vehicles = {party for party, _ in deal.roles["vehicle"]}
    cash = 0.0
    for row, payer, payee, reason, amount in journal:
        if reason not in MEMO:
            cash += amount * ((payee in vehicles) - (payer in vehicles))
        day = deal.calendar.row_date(row)
        yield Payment(row, day, financial_year(day), payer, payee, reason, amount, cash + 0.0, reason in MEMO)


def _balances(deal: ReadyDeal, outcome: Outcome) -> Iterable[Balances]:
    if not outcome.lowered.balances:
        return
    for row, state in enumerate(outcome.history):
        owed = {one.measure: number(one.read(state)) for one in outcome.lowered.balances}
        yield Balances(row, deal.calendar.row_date(row), owed)


def _happened(deal: ReadyDeal, outcome: Outcome, futures: Futures) -> Iterable[Happened]:
    for row, done in enumerate(outcome.activity):
        told = deal.programme.detail(deal.programme, done, futures, row)
        figures = {name: number(value) for name, value in told.items()}
        yield Happened(row, deal.calendar.row_date(row), figures)


def _inputs(source: NotedDraws | NotedCase, deal: ReadyDeal) -> Iterable[Input]:
    drivers = deal.programme.programme.drivers
    for name, x, found in source.noted:
        if isinstance(found, tuple):
            first, last = float(found[0]), float(found[-1])
        else:
            rows = np.asarray(found, dtype=float).reshape(-1)
            first, last = float(rows[0]), float(rows[-1])
        uncertain = name.startswith("effect.cohorts.") or not is_certain(x, drivers)
        yield Input(name, plan_of(x, drivers), first, last, uncertain)


def _ended(deal: ReadyDeal, outcome: Outcome) -> str | None:
    for figure in deal.own.lowered.figures:
        if figure.measure.startswith("ended_") and number(figure.read(outcome.state)) > 0:
            cause = figure.measure.removeprefix("ended_")
            vehicle = getattr(outcome.state, "vehicle", None)
            if vehicle is None:
                return cause
            row = deal.calendar.quarters - int(number(vehicle.exits.since))
            return f"{cause}, on {deal.calendar.row_date(row).isoformat()} (quarter {row})"
    return None


def number(x: Any) -> float:
    """A figure of one path as a float."""
    return float(np.asarray(x).reshape(-1)[0])
