"""Results that page and picture tests share, and files whose every word is hostile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from pydantic import BaseModel

import socialfinance as sf
from socialfinance.pages.page import page
from socialfinance.results.result import Result

PATHS, SEED = 256, 3
WORDS = ("title", "source", "note", "power", "certificate")
"""Fields in which a file says whatever it likes."""
HOSTILE = {
    "formula": '=HYPERLINK("javascript:alert(1)","click")',
    "markup": "<script>alert(1)</script><img src=x onerror=alert(1)>\"'><svg onload=alert(1)>]]>-->",
    "long": "Ww" * 5_000,
    "right to left": "\u202eמועצה \u0645\u062c\u0644\u0633\u202c (אנגליה)",
    "emoji": "👨\u200d👩\u200d👧 🏠 £$x^2$ {{ 7*7 }} {% raw %}",
}


@cache
def of(name: str) -> Result:
    """A shipped portfolio, run once."""
    return sf.simulate(sf.load(name), paths=PATHS, seed=SEED)


@cache
def page_of(name: str) -> str:
    """Its page, made once."""
    return page(of(name), f"socialfinance run {name}")


@cache
def hostile(words: str, name: str = "demo-guaranteed-debt") -> Result:
    """A result in which every free text is these words."""
    result = of(name)
    titles = dict.fromkeys(result.titles, words)
    inputs = {words: {"path": words, "sha256": "0" * 64, "text": words}}
    portfolio = _said(result.portfolio, words)
    return replace(result, portfolio=portfolio, titles=titles, inputs=inputs, paths=64)


@cache
def hostile_page(words: str, name: str = "demo-guaranteed-debt") -> str:
    """Its page, made once."""
    return page(hostile(words, name), words)


def _said(value: Any, words: str) -> Any:
    if isinstance(value, BaseModel):
        changed = {
            name: _said(one, words) for name in value.model_fields_set if (one := getattr(value, name))
        }
        changed = {name: one for name, one in changed.items() if one is not getattr(value, name)}
        free = {name for name in WORDS if isinstance(getattr(value, name, None), str)}
        titled = {"title"} if type(value).__name__ == "Party" else set()
        return value.model_copy(update={**changed, **dict.fromkeys(free | titled, words)})
    if isinstance(value, Mapping):
        return {name: _said(one, words) for name, one in value.items()}
    return tuple(_said(one, words) for one in value) if isinstance(value, tuple) else value
