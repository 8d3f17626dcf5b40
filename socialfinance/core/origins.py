"""Where a number comes from, as the blocks around it say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from socialfinance.core.errors import field_path

Place = tuple[str | int, ...]
"""The way to a field: ``("tariff", "prices", "moved in")``."""
Origin = Literal["sourced", "illustrative", "unsaid"]

BY_NAME = ("illustrative", "unverified", "unsourced")
"""The fields in which a block names others."""
SAYING = ("source", *BY_NAME)
"""The fields in which a block says where its numbers come from."""


class UnknownName(ValueError):
    """A name of something that is not there; ``known`` is what is."""

    def __init__(self, message: str, known: list[str]) -> None:
        self.known = known
        super().__init__(message)


class Heard(NamedTuple):
    """What the blocks around a place say of it."""

    origin: Origin | None = None
    """none: nothing is said"""
    source: str | None = None
    unverified: Place | None = None
    """the block or field that is marked so"""
    names: tuple[tuple[Place, str, str], ...] = ()
    """what is named: the block, the field in which it does, the name"""

    def inside(self, block: Place, says: Mapping[str, Any]) -> Heard:
        """Inside a block: its source, or ``illustrative: true``, puts aside what is said around it."""
        heard = self
        if says.get("illustrative") is True:
            heard = Heard("illustrative")
        elif says.get("source"):
            heard = Heard("sourced", says["source"])
        if says.get("unverified") is True:
            heard = heard._replace(unverified=block)
        named = [(block, field, name) for field in BY_NAME for name in names(says.get(field))]
        return heard._replace(names=(*heard.names, *named))

    def at(self, place: Place) -> Heard:
        """At a field or entry: the same as around it, unless a block names it."""
        heard = self
        for block, field, name in self.names:
            if name != field_path(place[len(block) :]):
                continue
            if field == "unverified":
                heard = heard._replace(unverified=place)
            else:
                origin: Origin = "illustrative" if field == "illustrative" else "unsaid"
                heard = heard._replace(origin=origin, source=None)
        return heard


def names(said: object) -> tuple[str, ...]:
    """The fields that a block names; none where it says true, false or nothing."""
    return tuple(name for name in said if isinstance(name, str)) if isinstance(said, tuple) else ()
