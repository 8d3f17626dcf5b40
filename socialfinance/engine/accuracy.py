"""Run until named figures are as sure as was asked: more paths of the same run, round by round."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from socialfinance.core.errors import InputError
from socialfinance.engine.accumulate import UNIT, Kept
from socialfinance.measures.paths import Key
from socialfinance.measures.statistics import Row, figure_rows

FORM = "[DEAL:]WHO.MEASURE.STATISTIC"
MARGIN = 1.15
"""Paths beyond those that the error asks for: an error is itself an estimate."""
AT_MOST = 8
"""Times as many paths from one round to the next, as the error of a first round may mislead."""
SCOPES = ("deal", "fund", "council")


class Goal(NamedTuple):
    """A figure for life, and the standard error that it may have."""

    name: str
    deal: str
    who: str
    """party or role"""
    measure: str
    statistic: str
    error: float
    """in the figure's own unit"""


def goals(accuracy: Mapping[str, float]) -> tuple[Goal, ...]:
    """Read ``{"[deal:]who.measure.statistic": standard error}``; InputError where it is not such."""
    found = []
    for name, error in accuracy.items():
        deal, _, rest = name.rpartition(":")
        who, measure, statistic = [*rest.strip().rsplit(".", 2), "", ""][:3]
        if not (who and measure and statistic):
            raise InputError("names no figure", field="accuracy", given=name, allowed=FORM)
        if not (error > 0.0 and math.isfinite(error)):
            raise InputError("is no standard error", field=f"accuracy.{name}", given=error, allowed="above 0")
        found.append(Goal(name, deal.strip(), who, measure, statistic, float(error)))
    return tuple(found)


def standing(kept: Kept, wanted: tuple[Goal, ...]) -> dict[str, float]:
    """By goal the standard error that its figure has now. InputError where there is no such figure."""
    return {goal.name: _error(kept, goal) for goal in wanted}


def paths_for(errors: Mapping[str, float], wanted: tuple[Goal, ...], paths: int) -> int:
    """Paths by which all goals should be met: n x (error / wanted)^2 with a margin; n where they are."""
    ratio = max((errors[goal.name] / goal.error) ** 2 for goal in wanted)
    if ratio <= 1.0:
        return paths
    more = paths * min(MARGIN * ratio, float(AT_MOST))
    return -(-math.ceil(more) // UNIT) * UNIT


def _error(kept: Kept, goal: Goal) -> float:
    row = _row(kept, goal)
    if row.standard_error is None:
        raise InputError(
            "has no standard error to run down", field="accuracy", given=goal.name,
            allowed=f"a figure that has one: {row.status}" if row.status != "ok" else "a mean or a quantile",
        )  # fmt: skip
    return row.standard_error


def _row(kept: Kept, goal: Goal) -> Row:
    mine = [key for key in kept.keys if _is(key, goal)]
    for scope in SCOPES:
        for key in sorted(key for key in mine if key.scope == scope):
            for row in figure_rows(key, kept.figure, kept.rows, kept.sample):
                if row.statistic == goal.statistic:
                    return row
    allowed = ", ".join(_known(kept, goal, mine)) or FORM
    raise InputError("names no figure of this run", field="accuracy", given=goal.name, allowed=allowed)


def _known(kept: Kept, goal: Goal, mine: list[Key]) -> list[str]:
    """What could stand where the goal went wrong: statistics, or else measures, or else parties and roles."""
    if mine:
        rows = figure_rows(mine[0], kept.figure, kept.rows, kept.sample)
        return list(dict.fromkeys(row.statistic for row in rows))
    beside = [key for key in kept.keys if _beside(key, goal)]
    theirs = {key.measure for key in beside if goal.who in (key.party, key.role)}
    return sorted(theirs or {name for key in beside for name in (key.party, key.role) if name})


def _is(key: Key, goal: Goal) -> bool:
    return _beside(key, goal) and key.measure == goal.measure and goal.who in (key.party, key.role)


def _beside(key: Key, goal: Goal) -> bool:
    return key.deal == goal.deal and key.financial_year == "" and key.scope in SCOPES
