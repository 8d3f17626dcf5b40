"""Quarters that are over: what returns say of a people's programme, as the rows of its funnel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from socialfinance.core.errors import InputError
from socialfinance.programmes.base import Ready
from socialfinance.programmes.delivery import UNKNOWN, Known


class Quarter(NamedTuple):
    """What was returned of one quarter of one programme."""

    referrals: float
    starts: float
    outcomes: Mapping[str, float]
    """by line: people who achieved it in the quarter"""
    costs: Mapping[str, float]
    """by cost line, pounds; a line that is not there was not returned"""
    savings: Mapping[str, float]
    """by saving, pounds of cash; as above"""


class Tried(NamedTuple):
    """People whose time for a line had come in a quarter, and those of them who achieved it."""

    tries: float
    achieved: float


class Pasts(NamedTuple):
    """The quarters that are over, row by row from close."""

    rows: tuple[Known, ...]
    tried: dict[str, tuple[Tried, ...]]
    """by line and row"""


def pasts(ready: Ready, quarters: Sequence[Quarter]) -> Pasts:
    """Returned quarters 1, 2, … on the programme's nodes.

    Those due at a node in row t are those who set out for it in row t - lag. Where more achieved a line than
    were due, they were late: some of those who had not achieved it when they were due, the latest first, are
    taken to have been due now. If there are too few of those, the rest came before their time, and are no
    longer due later. A line that is counted on several nodes (a cap per person) has its people dealt out in
    proportion to those due, whole people, largest remainders first; nobody is late there, as those who failed
    are counted elsewhere. InputError where more achieved a line than can have been on their way to it.
    """
    nodes, last = ready.nodes, len(quarters)
    longest = max((int(node.lag) for node in nodes), default=0)
    due = [[0.0] * (last + longest + 2) for _ in nodes]
    came = [[0.0] * (last + 1) for _ in nodes]
    done = [[0.0] * (last + 1) for _ in nodes]
    for row, quarter in enumerate(quarters, start=1):
        for line in ready.lines:
            mine = [k for k, node in enumerate(nodes) if node.line == line]
            for k in mine:
                due[k][row + nodes[k].lag] += _setting_out(ready, k, row, quarter, came, done)
            achieved = quarter.outcomes[line]
            missing = achieved - sum(due[k][row] for k in mine)
            if all(node.on_success for node in nodes):
                missing -= _late(due, came, done, mine, row, missing)
            missing -= _early(due, mine, row, missing)
            if missing > 1e-9:
                raise InputError(
                    f"more people achieved it than were on their way to it ({missing:,.0f} more)",
                    field=line, given=f"{achieved:,.0f} in quarter {row}",
                    allowed=f"{achieved - missing:,.0f} or fewer",
                )  # fmt: skip
            shares = _dealt(achieved, [due[k][row] for k in mine])
            for k, share in zip(mine, shares, strict=True):
                came[k][row], done[k][row] = due[k][row], share
    silent = tuple(UNKNOWN for _ in ready.terms.parent)
    rows = [_row(ready, Quarter(UNKNOWN, UNKNOWN, {}, {}, {}), silent, silent, silent)]
    for row, quarter in enumerate(quarters, start=1):
        joining = tuple(due[k][row + nodes[k].lag] for k in range(len(nodes))) or silent
        eligible = tuple(came[k][row] for k in range(len(nodes))) or silent
        achieved_by = tuple(done[k][row] for k in range(len(nodes))) or silent
        rows.append(_row(ready, quarter, joining, eligible, achieved_by))
    tried = {
        line: tuple(
            Tried(
                sum(came[k][row] for k, node in enumerate(nodes) if node.line == line),
                sum(done[k][row] for k, node in enumerate(nodes) if node.line == line),
            )
            for row in range(last + 1)
        )
        for line in ready.lines
    }
    return Pasts(tuple(rows), tried)


def _setting_out(
    ready: Ready, k: int, row: int, quarter: Quarter, came: list[list[float]], done: list[list[float]]
) -> float:
    """People who set out for node k in a row."""
    node = ready.nodes[k]
    if node.parent < 0:
        return quarter.starts
    achieved = done[node.parent][row]
    return achieved if node.on_success else came[node.parent][row] - achieved


def _late(
    due: list[list[float]], came: list[list[float]], done: list[list[float]], mine: list[int], row: int,
    missing: float,
) -> float:  # fmt: skip
    """Move those who had not achieved a line in earlier rows to this one, as far as any are missing."""
    moved = 0.0
    for earlier in range(row - 1, 0, -1):
        for k in mine:
            taken = min(missing - moved, came[k][earlier] - done[k][earlier])
            if taken > 0.0:
                came[k][earlier] -= taken
                due[k][row] += taken
                moved += taken
    return moved


def _early(due: list[list[float]], mine: list[int], row: int, missing: float) -> float:
    """Move people of later rows to this one, those due next first, as far as any are missing."""
    moved = 0.0
    for later in range(row + 1, max(len(one) for one in due) if due else 0):
        for k in mine:
            taken = min(missing - moved, due[k][later])
            if taken > 0.0:
                due[k][later] -= taken
                due[k][row] += taken
                moved += taken
    return moved


def _dealt(achieved: float, due: list[float]) -> list[float]:
    """``achieved`` whole people dealt out in proportion to those due, largest remainders first."""
    total = sum(due)
    if len(due) == 1 or total <= 0.0:
        return [achieved] + [0.0] * (len(due) - 1) if due else []
    exact = [achieved * one / total for one in due]
    whole = [float(int(one)) for one in exact]
    order = sorted(range(len(due)), key=lambda k: (whole[k] - exact[k], k))
    for k in order[: round(achieved - sum(whole))]:
        whole[k] += 1.0
    return whole


def _row(
    ready: Ready, quarter: Quarter, joining: tuple[float, ...], eligible: tuple[float, ...],
    achieved: tuple[float, ...],
) -> Known:  # fmt: skip
    programme = ready.programme
    costs = tuple(quarter.costs.get(name, UNKNOWN) for name in programme.costs)
    savings = tuple(quarter.savings.get(name, UNKNOWN) for name in programme.savings)
    return Known(
        quarter.referrals, quarter.starts, joining, eligible, achieved,
        costs or (UNKNOWN,), savings or (UNKNOWN,),
    )  # fmt: skip
