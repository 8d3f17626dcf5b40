"""What every structure is told when it is lowered, and what it gives back to the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, Protocol

from socialfinance.core.ledger import Leg
from socialfinance.core.time import Calendar
from socialfinance.instruments.tariff import Tariff
from socialfinance.kernels.delays import Delays
from socialfinance.programmes.base import Orders
from socialfinance.programmes.funnel import Node
from socialfinance.scenarios.distributions import Drivers, Given, plan_of
from socialfinance.scenarios.sources import Side

PEOPLE: frozenset[str] = frozenset({"people-programme"})
"""The kinds that a structure for people's programmes finances."""
INFINITE = float("inf")
"""What a cap that nobody agreed becomes when terms are lowered."""


def quarterly(annual: float) -> float:
    """The rate a quarter of an annual effective rate: (1 + r)^(1/4) - 1."""
    return float((1.0 + annual) ** 0.25 - 1.0)


@dataclass(frozen=True)
class Brief:
    """A deal as its structure sees it before any future is drawn.

    ``plan`` is the programme's plan case by deal row: drivers at their planned values, counts at their
    expectation. ``plan_level`` is the tariff's price level by row in that case.
    """

    programme: Any
    tariff: Tariff | None
    nodes: tuple[Node, ...]
    lines: tuple[str, ...]
    costs: Mapping[str, Any]
    plan: tuple[Any, ...]
    plan_level: tuple[float, ...]
    calendar: Calendar
    roles: frozenset[str] = field(default_factory=frozenset)
    with_variation: bool = False
    """whether reviews may pause, re-base or change the programme"""

    @property
    def rows(self) -> int:
        """Rows of the deal, financial close included."""
        return self.calendar.quarters + 1


class Draw(NamedTuple):
    """A random number that a structure asks for.

    Without ``given`` it is one uniform a row, under its ``chance`` where what it stands for happens, and in a
    case 1: nothing happens by chance. With it, it is an uncertain input called ``instrument.NAME``, which a
    case can set.
    """

    name: str
    given: Given | None = None
    bad: Side = "high"
    """which side of the input is bad"""
    chance: float | Callable[[Any], float] = 0.0
    """in each row, or read from the row's schedule"""

    def by_row(self, schedule: Sequence[Any]) -> list[float]:
        """Its chance in each row."""
        chance = self.chance
        return [chance(row) if callable(chance) else chance for row in schedule]


class Now(NamedTuple):
    """What a step is handed: this row only."""

    plan: Any
    """scheduled figures of this row, floats in a named tuple"""
    activity: Any
    due: Any
    """what leaves the structure's delay lines"""
    granted: Any
    """pounds the funder grants; infinite where nothing is rationed"""
    drawn: Any
    """the structure's own draws, in the shape in which it declares them"""
    shock: Any
    """1 while a common shock runs"""
    level: Any
    """price level of the tariff over its base"""
    size: Any = 1.0
    """of the deal over what was agreed: its caps and commitment grow with it, where a fund adds to the
    deal"""
    withdrawn: Any = 0.0
    """1 where the fund leaves the contract"""


class Figure(NamedTuple):
    """A figure read from a structure's state: measure name, unit, and how to read it."""

    measure: str
    unit: str
    read: Callable[[Any], Any]


class Restated(NamedTuple):
    """What was really paid in a row over what the step made of it, pounds; below nil it was less."""

    cash: Any
    """into the vehicle, less what it paid out"""
    drawn: Any
    repaid: Any
    """of capital"""
    earned: Any
    """on capital"""


class Lowered(NamedTuple):
    """A structure ready to run: floats, a pure step, and the legs its payments are booked on.

    ``legs`` has the shape of the payments the step returns, with a leg in the place of each amount;
    ``lags`` has the shape of what it enters into delay lines, with a number of quarters in each place.
    """

    terms: Any
    opening: Any
    lags: Any
    legs: Any
    schedule: tuple[Any, ...]
    ask: Callable[[Any, Any, Now], Any]
    step: Callable[[Any, Any, Now], tuple[Any, Any, Orders, Any]]
    figures: tuple[Figure, ...]
    contract_value: Mapping[str, float]
    """by role: the most it can be asked for outcomes under the terms, pounds (infinite without a cap)"""
    maximum: Mapping[str, float]
    """by role: the most it can be asked for in all, pounds (infinite where nothing limits it)"""
    uses: tuple[bool, ...]
    """by cost line of the programme: whether this structure bears it"""
    would_change: Callable[[Any], Any] | None = None
    """from the last state: 1 on paths that variation would have changed; None where there is none"""
    notes: tuple[str, ...] = ()
    """what a reader of the terms should know: gaps in cover, promises that may not hold"""
    draws: Any = ()
    """in a shape of its own, a ``Draw`` in each place: what comes back as ``now.drawn``"""
    guaranteed: Mapping[str, float] = MappingProxyType({})
    """by role: the most it can be called for as a guarantor, pounds"""
    commitment: float | None = None
    """pounds that funders undertake to put in; None where the structure has no such thing"""
    purse: Callable[[Any], Mapping[str, Any]] | None = None
    """from the last state, by role: savings verified so far; None where nothing is paid out of savings"""
    balances: tuple[Figure, ...] = ()
    """what is owed after a row, pounds, read from its state: for the page of one future"""
    lag: int = 0
    """quarters from the last saving or claim to its payment, where that is more than the tariff says"""
    repayable: bool = True
    """whether what funders put in is meant to come back; a grant is not"""
    delivers: bool = True
    """whether there is a programme at all"""
    restate: Callable[[Any, Restated], Any] | None = None
    """the state after a row, put right by what was really paid in it; None where returns of cash are not
    read"""


class Structure(Protocol):
    """The terms of an instrument: a frozen model that can be lowered for a deal."""

    finances: ClassVar[frozenset[str]]
    """the kinds of programme it can be put on"""

    def lower(self, brief: Brief) -> Lowered:
        """The structure as floats and pure functions for this deal."""


def flat(shape: Any) -> tuple[Any, ...]:
    """The leaves of nested tuples in order (a ``Leg`` or ``Draw`` is a leaf)."""
    if isinstance(shape, tuple) and not isinstance(shape, Leg | Draw):
        return tuple(leaf for part in shape for leaf in flat(part))
    return (shape,)


def shaped(shape: Any, leaves: Iterator[Any]) -> Any:
    """The leaves in the shape of nested tuples: what ``flat`` took apart."""
    if isinstance(shape, tuple) and not isinstance(shape, Leg | Draw):
        parts = [shaped(part, leaves) for part in shape]
        return type(shape)(*parts) if hasattr(shape, "_fields") else tuple(parts)
    return next(leaves)


PlanCase = list[tuple[Any, Any]]
"""State and payments by row in the plan."""


def planned_draws(draws: Any, drivers: Drivers) -> Any:
    """What a structure's draws are in the plan: inputs at their plan, and nothing by chance."""
    return shaped(draws, (1.0 if one.given is None else plan_of(one.given, drivers) for one in flat(draws)))


def plan_case(lowered: Lowered, brief: Brief) -> PlanCase:
    """The structure on the plan case: ``(state, payments)`` by row, on floats, nothing rationed."""
    state, delays, rows = lowered.opening, Delays(lowered.lags), []
    drawn = planned_draws(lowered.draws, brief.programme.drivers)
    for row, activity in enumerate(brief.plan):
        now = Now(lowered.schedule[row], activity, delays.due(), INFINITE, drawn, 0.0, brief.plan_level[row])
        state, payments, _, entering = lowered.step(lowered.terms, state, now)
        delays.enter(entering)
        rows.append((state, payments))
    return rows
