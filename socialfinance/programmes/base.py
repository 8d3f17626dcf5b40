"""What every kind of thing that is financed gives the engine: programmes, developments, loan books."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from socialfinance.programmes.funnel import Node
from socialfinance.scenarios.common import Shock
from socialfinance.scenarios.distributions import Drivers
from socialfinance.scenarios.sources import Source

Levels = Callable[[str | None, date | None], list[Any]]
"""Price level by deal row of an index over a base date."""


class Orders(NamedTuple):
    """What the structure asks of what it finances, from the next quarter."""

    scale: Any
    """new starts over what is planned: 0 stops, above 1 reinvests"""
    delivery: Any
    """share of fixed cost that goes on"""
    performance: Any
    """multiplier on the probability of lines that follow no other, after a change of provider"""
    continuing: Any = 1.0
    """multiplier on the probability of all other lines: below 1 where people who started are left alone"""


AS_PLANNED = Orders(1.0, 1.0, 1.0)


class Spent(Protocol):
    """A cost line: who is paid, and what for."""

    @property
    def paid_to(self) -> str:
        """The role that is paid and spends it outside."""

    @property
    def reason(self) -> str:
        """One of the ledger's reasons that are costs."""


class Financed(Protocol):
    """The terms of what is financed, as they stand in a file."""

    title: str
    drivers: Drivers

    @property
    def costs(self) -> Mapping[str, Spent]:
        """Cost lines by name, in the order of an activity's ``costs``."""

    @property
    def savings(self) -> Mapping[str, Any]:
        """Savings by name, in the order of an activity's ``cashable``."""

    @property
    def last_quarter(self) -> int:
        """The quarter after which nothing of it is left."""


class Activity(Protocol):
    """What happened in a quarter, as far as the engine reads it; a named tuple of each kind's own."""

    costs: tuple[Any, ...]
    """by cost line: pounds before VAT"""
    cashable: tuple[Any, ...]
    """by saving: pounds; below nil it costs the agency more"""
    not_cashable: tuple[Any, ...]
    """by saving: pounds of capacity"""


class Futures(Protocol):
    """The draws of what is financed: on a block of paths, or one deterministic case."""

    source: Source
    rows: int
    shock_runs: Any

    def on(self, chosen: NDArray[np.bool_]) -> Futures:
        """The same draws on some of the paths only."""

    def now(self, row: int, due: Any) -> Any:
        """The draws of one row, with what leaves the delay lines: ``due`` itself, in its field of that name.

        Nothing else may hang on ``due``: draws of a block are read before its rows are worked out.
        """


class Count(NamedTuple):
    """Something counted in a row: people, homes, pounds of rent."""

    value: Any
    unit: str


class Ready(NamedTuple):
    """What is financed, lowered: floats and pure functions of one row."""

    programme: Any
    """its terms, a ``Financed``"""
    terms: Any
    opening: Any
    lags: Any
    play: Callable[[Any, Any, Any, Orders], tuple[Any, Any, Any]]
    """(terms, state, now, orders) -> (state, activity, what enters the delay lines)"""
    draw: Callable[[Any, Source, int, Shock, Levels], Any]
    """its futures: (ready, source, rows, shock, levels)"""
    counts: Callable[[Any, Any, Any, int], dict[str, Count]]
    """(ready, activity, futures, row): what happened, by name; summed over rows, a figure of the deal"""
    detail: Callable[[Any, Any, Any, int], dict[str, Any]]
    """the same for ``explain``: all that a reader of one future wants to see of a row, by name"""
    nodes: tuple[Node, ...] = ()
    """of a people's programme: the nodes on which people are counted"""
    lines: tuple[str, ...] = ()
    """of a people's programme: its outcome lines"""
    known: tuple[Any, ...] = ()
    """of a people's programme, by row from close: what returns say of the quarters that are over"""
    read: tuple[str, ...] = ()
    """the fields of an activity that ``counts`` reads"""
    reported: Mapping[str, float] = MappingProxyType({})
    """of a people's programme with an evaluated effect, by cohort: the effect that was reported"""
