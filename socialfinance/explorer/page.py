"""What the page is made from: sliders with their values in words, and the whole of it as HTML."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from socialfinance.core.currency import CURRENCIES
from socialfinance.core.errors import InputError
from socialfinance.core.text import visible
from socialfinance.explorer.asked import AS_FILED, Asked, terms_of, views
from socialfinance.explorer.controls import (
    GROUPS,
    MULTIPLE,
    POUNDS,
    RATE,
    SHARE,
    WHOLE,
    Control,
    controls_of,
)
from socialfinance.funds.portfolio import Portfolio

DECIMALS = {SHARE: 0, RATE: 2, MULTIPLE: 0, POUNDS: 0}
"""Of per cent, or of thousands of pounds."""


def panel(portfolio: Portfolio, asked: Asked, fitting: Mapping[str, str]) -> dict[str, Any]:
    """What can be moved in a view with the structures that were chosen: plain data for the page.

    ``fitting`` are the structures that the view's deal can be run on: :func:`asked.structures`.
    What was moved before and is not there any more, or out of range, is left out of ``values``.
    """
    kept = terms_of(portfolio, asked._replace(values=())).portfolio
    controls = [one for view in views(portfolio) for one in controls_of(kept, view)]
    ranges = {one.name: one for one in controls}
    values = {
        name: value
        for name, value in asked.values
        if name in ranges and ranges[name].low <= value <= ranges[name].high
    }
    symbol = CURRENCIES[portfolio.currency].symbol
    mine = controls_of(kept, asked.view)
    return {
        "view": asked.view,
        "structures": dict(asked.structures),
        "values": values,
        "groups": [
            {"title": group, "controls": [_slider(one, symbol) for one in mine if one.group == group]}
            for group in GROUPS
            if any(one.group == group for one in mine)
        ],
        "choices": [] if asked.view == WHOLE else _choices(portfolio, asked, fitting),
        "moved_elsewhere": sum(name not in {one.name for one in mine} for name in values),
    }


def _slider(one: Control, symbol: str) -> dict[str, Any]:
    return {
        **one._asdict(), "label": visible(one.label), "decimals": DECIMALS[one.unit], "symbol": symbol,
    }  # fmt: skip


def _choices(portfolio: Portfolio, asked: Asked, fitting: Mapping[str, str]) -> list[dict[str, Any]]:
    """The structures on offer for a deal, the file's own first."""
    kind = getattr(portfolio.deals[asked.view].instrument, "kind", "")
    some = {AS_FILED: (f"as in the file: {kind.replace('-', ' ')}", "")}
    some |= {name: (name.replace("-", " "), says) for name, says in fitting.items()}
    mine = dict(asked.structures).get(asked.view, AS_FILED)
    return [
        {"name": name, "title": title, "says": says, "chosen": name == mine}
        for name, (title, says) in some.items()
    ]


def whole(portfolio: Portfolio, file: str, quick: int, refined: int, seed: int) -> str:
    """The page before anything has answered."""
    try:
        from jinja2 import Environment
    except ModuleNotFoundError:
        raise InputError(
            "needs Jinja2, which is not installed: pip install 'socialfinance[explore]'", field="explore"
        ) from None
    template = Environment(autoescape=True).from_string(asset("page.html"))
    return template.render(
        title=visible(portfolio.title or portfolio.name),
        file=visible(file),
        views=[(one, _view_name(portfolio, one)) for one in views(portfolio)],
        quick=quick, refined=refined, seed=seed,
        illustrative=portfolio.illustrative is True,
    )  # fmt: skip


def _view_name(portfolio: Portfolio, view: str) -> str:
    if view == WHOLE:
        return visible(portfolio.fund.title or "all deals") if portfolio.fund.notes else "all deals together"
    return visible(portfolio.deals[view].title or view)


@cache
def asset(name: str) -> str:
    """A file that lies beside this module."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
