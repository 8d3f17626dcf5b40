"""A loan book made ready: its terms as floats, and its draws row by row."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from socialfinance.core.errors import InputError
from socialfinance.kernels.credit import conditional_default
from socialfinance.kernels.elementwise import least, ratio, where
from socialfinance.programmes.base import Count, Levels, Ready
from socialfinance.programmes.futures import cut
from socialfinance.programmes.loan_book import LoanBook, LoanCost, Segment
from socialfinance.programmes.loans import Activity, Now, Pipelines, State, Terms, lend
from socialfinance.scenarios.common import Shock
from socialfinance.scenarios.distributions import Normal
from socialfinance.scenarios.sources import Certain, Source, at


def lower(book: LoanBook, by_class: bool) -> Ready:
    """The book as floats."""
    segments, costs = tuple(book.segments.values()), tuple(book.costs.values())
    places = [(s, age) for s, one in enumerate(segments) for age in range(one.term)]
    balances = [segment.balances for segment in segments]
    principal = [segment.principal for segment in segments]
    rates = [segment.quarterly_rate for segment in segments]
    nowhere = tuple(0.0 for _ in places)
    no_segments = tuple(0.0 for _ in segments)
    terms = Terms(
        segment=tuple(float(s) for s, _ in places),
        first=tuple(float(places.index((s, 0))) for s in range(len(segments))),
        matures=tuple(float(age == segments[s].term - 1) for s, age in places),
        balance=tuple(balances[s][age] for s, age in places),
        interest=tuple(balances[s][age] * rates[s] for s, age in places),
        principal=tuple(principal[s][age] for s, age in places),
        size=tuple(one.size for one in segments),
        repays_early=tuple(float(one.prepayment != 0.0) for one in segments),
        recovered_at_once=tuple(float(one.recovery_lag == 0) for one in segments),
        per_loan_made=tuple(one.per_loan_made for one in costs) or (0.0,),
        per_loan=tuple(one.per_loan for one in costs) or (0.0,),
        of_balance=tuple((1.0 + one.of_balance) ** 0.25 - 1.0 for one in costs) or (0.0,),
        no_places=nowhere,
        no_segments=no_segments,
        no_costs=tuple(0.0 for _ in costs) or (0.0,),
    )
    lags = Pipelines(tuple(one.recovery_lag for one in segments))
    opening = State(nowhere, no_segments, no_segments)
    return Ready(book, terms, opening, lags, lend, Futures, loans_counted, loans_told, read=READ)


READ = ("made", "defaults", "repaid_early", "lent", "defaulted", "recovered", "lost")
"""What ``loans_counted`` reads."""


def loans_counted(ready: Ready, done: Activity, futures: Futures, row: int) -> dict[str, Count]:
    """Loans made, defaulted and repaid early; pounds lent, defaulted, recovered and lost."""
    return {
        "loans made": Count(sum(done.made), "loans"),
        "loans defaulted": Count(sum(done.defaults), "loans"),
        "loans repaid early": Count(sum(done.repaid_early), "loans"),
        "lent": Count(done.lent, "pounds"),
        "principal defaulted": Count(sum(done.defaulted), "pounds"),
        "recovered": Count(sum(done.recovered), "pounds"),
        "lost": Count(sum(done.lost), "pounds"),
    }


def loans_told(ready: Ready, done: Activity, futures: Futures, row: int) -> dict[str, Any]:
    """The same, and loans and principal outstanding at the end of the quarter."""
    counts = {name: count.value for name, count in loans_counted(ready, done, futures, row).items()}
    return {**counts, "loans outstanding": done.loans, "principal outstanding": done.outstanding}


class Futures:
    """The draws of one loan book: on a block of paths, or one deterministic case.

    The economy is one score a path, z, for the life of the book: low is bad. With it, the chance of default
    by quarter a of a loan's life is P(a | z) = Φ((Φ⁻¹(P(a)) − √ρ z) / √(1 − ρ)), and the hazard of quarter a
    (P(a | z) − P(a − 1 | z)) / (1 − P(a − 1 | z)), so that the mean of P(a | z) over z is P(a) at every age.
    In the plan it is P(a) itself.
    """

    def __init__(self, ready: Ready, source: Source, rows: int, shock: Shock, levels: Levels) -> None:
        book: LoanBook = ready.programme
        self.ready, self.source, self.rows = ready, source, rows
        self.shock_runs = shock.runs
        self.economy = self._economy(book)
        self.volume: list[Any] = []
        self.default: list[Any] = []
        self.lost: list[Any] = []
        self.early: list[Any] = []
        self.hazard: list[Any] = []
        self.places = [
            (name, s, age) for s, (name, one) in enumerate(book.segments.items()) for age in range(one.term)
        ]
        self.planned = [
            tuple(_planned(one, row) for row in range(rows + 1)) for one in book.segments.values()
        ]
        self.luck, self.luck_early = self._luck("default"), self._luck("early")
        for name, segment in book.segments.items():
            self._segment(f"segments.{name}", segment)
        self.overrun = [
            source.value(f"costs.{name}.overrun", line.overrun, "high") for name, line in book.costs.items()
        ]
        self.levels = [levels(line.index, line.price_base) for line in book.costs.values()]
        self.fixed = [fixed_cost(line, book.last_quarter, rows) for line in book.costs.values()]

    def _economy(self, book: LoanBook) -> Any:
        """The score of the economy; none where no default follows it, and in the plan."""
        if not any(segment.correlation for segment in book.segments.values()):
            return None
        score = self.source.value("economy", Normal(mean=0.0, sd=1.0, loadings=book.loadings), "low")
        source = self.source
        planned = isinstance(source, Certain) and source.quantile is None and "economy" not in source.given
        return None if planned else score

    def _segment(self, name: str, segment: Segment) -> None:
        source = self.source
        self.volume.append(source.value(f"{name}.volume", segment.volume, "low"))
        p = source.value(f"{name}.default_probability", segment.default_probability, "high")
        if isinstance(p, tuple):
            raise InputError(
                "takes one value for the life of the loans", field=f"programme.{name}.default_probability",
                given=list(p), allowed="a number",
            )  # fmt: skip
        self.default.append(p)
        self.lost.append(source.value(f"{name}.loss_given_default", segment.loss_given_default, "high"))
        self.early.append(source.value(f"{name}.prepayment", segment.prepayment, "low"))
        self.hazard += hazards(segment, p, self.economy)

    def on(self, chosen: NDArray[np.bool_]) -> Futures:
        """The same draws on some of the paths only."""
        fewer = copy(self)
        for name, value in vars(self).items():
            setattr(fewer, name, cut(value, chosen))
        fewer.source = self.source.on(chosen)
        return fewer

    def now(self, row: int, due: Pipelines) -> Now:
        """The draws of one row."""
        book: LoanBook = self.ready.programme
        shocked = book.default_in_shock
        hazard = self.hazard
        if shocked != 1.0:
            times = where(at(self.shock_runs, row) > 0.0, shocked, 1.0)
            hazard = [least(1.0, one * times) for one in hazard]
        made = [self.planned[s][row - 1 - age] if row > age else 0.0 for _, s, age in self.places]
        return Now(
            there=tuple(float(loans > 0.0) for loans in made),
            hazard=tuple(hazard),
            early=tuple(_quarterly_chance(at(x, row)) for x in self.early),
            lost=tuple(_share(at(x, row)) for x in self.lost),
            planned=tuple(planned[row + 1] for planned in self.planned),
            volume=tuple(at(x, row + 1) for x in self.volume),
            fixed=tuple(x[row] for x in self.fixed) or (0.0,),
            overrun=tuple(at(x, row) for x in self.overrun) or (1.0,),
            level=tuple(level[row] for level in self.levels) or (1.0,),
            luck=tuple(by_row[row] for by_row in self.luck),
            luck_early=tuple(by_row[row] for by_row in self.luck_early),
            due=due,
        )

    def _luck(self, of: str) -> list[Any]:
        """By place: by row, the luck of loans of that age."""
        return [
            self.source.luck(f"segments.{name}.{of}", str(age), self.planned[s])
            for name, s, age in self.places
        ]


def hazards(segment: Segment, p: Any, economy: Any) -> list[Any]:
    """By quarter of a loan's life: the chance that it defaults in it, if it has not before.

    ``economy`` is the score of the economy, or None: then the chances are as they stand in the terms.
    """
    by_end = list(segment.cumulative_default(_share(p)))
    if economy is not None and segment.correlation > 0.0:
        by_end = [conditional_default(one, segment.correlation, economy) for one in by_end]
    before, found = by_end[0] * 0.0, []
    for one in by_end:
        found.append(ratio(one - before, 1.0 - before, 0.0))
        before = one
    return found


def fixed_cost(line: LoanCost, last: int, rows: int) -> tuple[float, ...]:
    """Fixed cost by row at the price base, pounds: one-off, then per quarter."""
    until = last if line.last_quarter is None else line.last_quarter
    amounts: Sequence[float] = [
        (line.per_quarter if line.first_quarter <= row <= until else 0.0)
        + (line.one_off if row == line.first_quarter else 0.0)
        for row in range(rows)
    ]
    return tuple(amounts)


def _planned(segment: Segment, row: int) -> float:
    """Loans planned in a row: nil at close, then the schedule."""
    return segment.planned[row - 1] if 1 <= row <= len(segment.planned) else 0.0


def _share(x: Any) -> Any:
    """Held within 0 and 1, as floats are or arrays."""
    if isinstance(x, np.ndarray):
        return np.clip(x, 0.0, 1.0)
    return min(max(float(x), 0.0), 1.0)


def _quarterly_chance(x: Any) -> Any:
    """1 - (1 - p)^(1/4) of a chance a year."""
    return 1.0 - (1.0 - _share(x)) ** 0.25
