"""The funnel: outcome lines in a tree, and the nodes on which people are counted.

Without a cap per person each line is one node. With one, a person's earlier outcomes decide what the
next is worth, so a node is a line *and* the set of lines achieved before it: exact, and on a nested
chain (3, 6, 12, 18 months) still one node a line. Parallel chains multiply nodes, up to ``MOST_NODES``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from socialfinance.core.errors import InputError

MOST_NODES = 64


class Line(NamedTuple):
    """A line of the funnel: the line it follows (None: being engaged) and quarters after it."""

    of: str | None
    lag: int


class Node(NamedTuple):
    """People counted together: those at ``line`` who came from ``parent``'s successes (or failures).

    ``parent`` is a node's position or -1 for the people engaged; ``before`` the lines achieved earlier.
    """

    line: str
    parent: int
    on_success: bool
    lag: int
    before: tuple[str, ...]

    def label(self, lines: Mapping[str, Line]) -> str:
        """A name for this node's luck that a nested chain shares with the plain funnel."""
        others = sorted(set(self.before) - set(ancestors(lines, self.line)))
        return "+".join(others)


def ancestors(lines: Mapping[str, Line], name: str) -> tuple[str, ...]:
    """The lines that must have been achieved before ``name``, nearest first. Refuses a circle."""
    found: list[str] = []
    at = lines[name].of
    while at is not None:
        if at not in lines:
            raise InputError("follows a line that is not there", field=f"outcomes.{name}.of", given=at)
        if at in found or at == name:
            raise InputError("lines follow each other in a circle", field=f"outcomes.{name}.of", given=at)
        found.append(at)
        at = lines[at].of
    return tuple(found)


def quarters_to(lines: Mapping[str, Line], name: str) -> int:
    """Quarters from starting to the outcome: the lags along the chain added up."""
    return lines[name].lag + sum(lines[one].lag for one in ancestors(lines, name))


def in_order(lines: Mapping[str, Line]) -> tuple[str, ...]:
    """Lines by the quarter in which they fall, those they follow first."""
    place = {name: i for i, name in enumerate(lines)}
    return tuple(
        sorted(lines, key=lambda name: (quarters_to(lines, name), len(ancestors(lines, name)), place[name]))
    )


def plain_nodes(lines: Mapping[str, Line]) -> tuple[Node, ...]:
    """One node a line."""
    order = in_order(lines)
    position = {name: i for i, name in enumerate(order)}
    nodes = []
    for name in order:
        of = lines[name].of
        before = tuple(reversed(ancestors(lines, name)))
        nodes.append(Node(name, -1 if of is None else position[of], True, lines[name].lag, before))
    return tuple(nodes)


class _Class(NamedTuple):
    achieved: tuple[str, ...]
    node: int
    on_success: bool
    quarter: int


def class_nodes(lines: Mapping[str, Line]) -> tuple[Node, ...]:
    """A node for every line and every set of earlier outcomes from which it can be reached."""
    classes = [_Class((), -1, True, 0)]
    nodes: list[Node] = []
    for name in in_order(lines):
        quarter, of = quarters_to(lines, name), lines[name].of
        after: list[_Class] = []
        for people in classes:
            if of is not None and of not in people.achieved:
                after.append(people)
                continue
            nodes.append(
                Node(name, people.node, people.on_success, quarter - people.quarter, people.achieved)
            )
            after.append(_Class((*people.achieved, name), len(nodes) - 1, True, quarter))
            after.append(_Class(people.achieved, len(nodes) - 1, False, quarter))
        classes = after
        if len(nodes) > MOST_NODES:
            raise InputError(
                "a cap per person over these parallel lines needs too many classes of people",
                field="tariff.cap_per_person",
                given=f"more than {MOST_NODES} classes",
                allowed=f"at most {MOST_NODES}: merge lines, or cap each line or the contract instead",
            )
    return tuple(nodes)


def capped_prices(
    nodes: tuple[Node, ...], prices: Mapping[str, float], cap_per_person: float
) -> tuple[float, ...]:
    """What each node pays a person: min(cap, earlier + this) - min(cap, earlier), pounds."""
    worth = []
    for node in nodes:
        earlier = sum(prices.get(name, 0.0) for name in node.before)
        both = earlier + prices.get(node.line, 0.0)
        worth.append(min(cap_per_person, both) - min(cap_per_person, earlier))
    return tuple(worth)
