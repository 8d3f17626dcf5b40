"""Texts that mean harm, and a portfolio that has one in every field that takes any text."""

from __future__ import annotations

from typing import Any

from socialfinance.io.files import as_given

FORMULAS = (
    '=HYPERLINK("http://example.invalid", "click")', "=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1+1", "\n=1+1",
    " =1+1", "=cmd|' /C calc'!A0", "#REF!", "#N/A",
)  # fmt: skip
OTHERS = (
    "<script>alert(1)</script>", "</t></is></c>&amp;", "x" * 10_000, "\u202eright to left", "שלום עולם",
    "\U0001f3d8\ufe0f homes", "_x0041_", "'quoted", "a\nb", "{=1}",
)  # fmt: skip
TEXTS = (*FORMULAS, *OTHERS)


def hostile_portfolio(first: int = 0) -> dict[str, Any]:
    """Every title, source and note is one of the texts, in turn from ``first``."""
    count = first

    def changed(value: Any, name: str = "") -> Any:
        nonlocal count
        if isinstance(value, dict):
            held = {key: changed(entry, key) for key, entry in value.items()}
            if "title" in held or "kind" in held:
                held.setdefault("note", "to be changed")
            return {key: changed(entry, key) if key == "note" else entry for key, entry in held.items()}
        if isinstance(value, tuple):
            return tuple(changed(entry) for entry in value)
        if isinstance(value, str) and name in ("title", "source", "note"):
            count += name != "note"  # which no sheet of a result shows
            return TEXTS[count % len(TEXTS)]
        return value

    data = changed(as_given("demo-guaranteed-debt"))
    for party in data["parties"].values():
        party.pop("note", None)  # a party is no block of numbers
    return dict(data)
