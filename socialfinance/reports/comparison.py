"""A replay as text: the model's figure, the published one, and how far apart they are."""

from __future__ import annotations

from collections.abc import Sequence

from socialfinance.engine.replay import Replayed
from socialfinance.reports.numbers import NOTHING
from socialfinance.reports.page import Page

ORDER = ("reproduced", "calibrated", "context")


def replayed(title: str, rows: Sequence[Replayed]) -> str:
    """What was published about a deal beside what the model gives from its terms and what happened."""
    page = Page()
    page.heading(f"Replay: {title}")
    page.say(
        "Reproduced: the model gives it from the terms and what happened. Calibrated: an input was set by "
        "it, so it agrees by construction. Context: not modelled, shown so that it is not forgotten."
    )
    several = len({row.deal for row in rows}) > 1
    ordered = sorted(rows, key=lambda row: ORDER.index(row.kind))
    page.table(
        "",
        ("Figure", "Treatment", "Case", "Model", "Published", "Difference", "Unit"),
        [
            (
                (f"{row.deal}: " if several else "") + row.name, row.kind, row.case,
                written(row.model, row.unit), written(row.published, row.unit),
                written(row.difference, row.unit), unit_of(row.unit),
            )
            for row in ordered
        ],
        names=3,
    )  # fmt: skip
    page.gap()
    page.say("Where each stands in the model, and its source")
    for row in ordered:
        note = f"; {row.note}" if row.note else ""
        page.say(f"- {row.name} ({row.figure}): {row.source or 'no source given'}{note}")
    return page.text


def written(value: float | None, unit: str) -> str:
    """A value in its unit: fractions in per cent, money and people with thousands."""
    if value is None:
        return NOTHING
    if "fraction" in unit:
        return f"{_near(100.0 * value, 2):,.2f}%"
    if unit in ("times", "x"):
        return f"{_near(value, 3):.3f}"
    places = 0 if abs(value) >= 1000 or float(value).is_integer() else 2
    return f"{_near(value, places):,.{places}f}"


def unit_of(unit: str) -> str:
    """The unit as it reads beside a figure in per cent."""
    return unit.replace("fraction", "per cent")


def _near(value: float, places: int) -> float:
    return round(value, places) + 0.0
