"""What is shipped: portfolios, programmes and instruments, with their titles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from socialfinance.reports.page import Page


class Entry(NamedTuple):
    """One shipped file."""

    kind: str
    name: str
    title: str
    replay: bool
    """whether something is published about it, so that it can be replayed"""


def shown(entries: Sequence[Entry]) -> str:
    """The catalogue as text."""
    page = Page()
    for kind in dict.fromkeys(entry.kind for entry in entries):
        page.heading(kind)
        page.table(
            "",
            ("Name", "Title"),
            [(e.name, e.title + (" [replay]" if e.replay else "")) for e in entries if e.kind == kind],
            names=2,
        )
    page.gap()
    page.say(
        "[replay]: a real deal whose published figures `socialfinance replay NAME` holds the model against."
    )
    return page.text
