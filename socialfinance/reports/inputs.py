"""How much of a portfolio comes from the world: its numbers, counted by what is said of their source."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from socialfinance.core.currency import CURRENCIES
from socialfinance.core.errors import field_path
from socialfinance.core.origins import Heard, Place
from socialfinance.core.terms import said_of
from socialfinance.funds.portfolio import Portfolio
from socialfinance.reports.page import Page

COUNTED_NEARLY = "large groups of people counted nearly"


@dataclass
class Sources:
    """Numbers by source; places that still have to be confirmed."""

    sourced: int = 0
    illustrative: int = 0
    unsaid: int = 0
    unverified: list[tuple[str, int]] = field(default_factory=list)
    """each block or field marked unverified, and how many numbers it holds"""

    @property
    def total(self) -> int:
        """All numbers in the files."""
        return self.sourced + self.illustrative + self.unsaid


def numbers_of(model: Any) -> Iterator[tuple[Place, float, Heard]]:
    """Every number that was given (no defaults), where it stands, and what is said of it."""
    for place, value, heard in said_of(model):
        if not isinstance(value, bool) and isinstance(value, (int, float)) and not _left_out(place):
            yield place, value, heard


def count_sources(model: Any) -> Sources:
    """Count the numbers that were given (no defaults), one by one, by what is said of each."""
    counted = Sources()
    places: dict[str, int] = {}
    for _, _, heard in numbers_of(model):
        origin = heard.origin or "unsaid"
        setattr(counted, origin, getattr(counted, origin) + 1)
        if heard.unverified is not None:
            named = field_path(heard.unverified) or "the whole file"
            places[named] = places.get(named, 0) + 1
    counted.unverified = list(places.items())
    return counted


def _left_out(place: Place) -> bool:
    """What is held against the model and no input of it; and (of a portfolio) how far the model looks."""
    in_deal = place[2:] if place[:1] == ("deals",) else place
    return in_deal[:1] == ("published",) or place == ("quarters",)


def begin(portfolio: Portfolio, changes: Mapping[str, Any], heading: str) -> Page:
    """A page with its heading, what was changed for this run, and whether people are counted nearly."""
    page = Page(symbol=CURRENCIES[portfolio.currency].symbol)
    page.heading(f"{heading}: {portfolio.title or portfolio.name}")
    if changes:
        page.say(changed_line(changes))
    if portfolio.counts == "near":
        page.say(f"In this file {COUNTED_NEARLY}.")
    return page


def changed_line(changes: Mapping[str, Any]) -> str:
    """What was changed after the files were read; empty where nothing was."""
    written = (f"{path} = {json.dumps(value, default=str)}" for path, value in changes.items())
    return f"Changed for this run: {'; '.join(written)}." if changes else ""


def changed_page(changes: Mapping[str, Any]) -> str:
    """The same as the first lines of a page."""
    page = Page()
    if changes:
        page.say(changed_line(changes))
    return page.text if changes else ""
