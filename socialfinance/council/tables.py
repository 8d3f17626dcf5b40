"""A view's tables as plain rows: what ``--json`` writes, and what other tools read."""

from __future__ import annotations

from typing import Any

from socialfinance.council.view import View
from socialfinance.results.frames import rows_of

TABLES = (
    "people", "cost", "exposure", "effect", "sharing", "against", "yearly", "exits", "switches", "success",
    "appraisal", "appraisal_by_year", "promises", "assessment", "crystallises", "reserve", "ecl", "liability",
    "in_accounts", "capital_by_year", "gates",
)  # fmt: skip
"""Attributes of a view that are one table each."""


def as_rows(view: View) -> dict[str, list[Any]]:
    """Every table by name, each a list of rows; None where a figure does not exist, never NaN.

    Matrices of the shared purse are called ``purse: NAME``.
    """
    found: dict[str, Any] = {name: rows_of(getattr(view, name)) for name in TABLES}
    found["draft_notes"] = [note for one in view.exposures for note in one.notes]
    return found | {f"purse: {name}": rows_of(table) for name, table in view.purse.items()}
