"""The currencies a file may be in. Nothing is ever converted."""

from __future__ import annotations

from typing import Literal, NamedTuple

Code = Literal["GBP", "AUD", "USD"]


class Currency(NamedTuple):
    """How a currency is written."""

    symbol: str
    name: str


CURRENCIES: dict[Code, Currency] = {
    "GBP": Currency("£", "pounds"),
    "AUD": Currency("A$", "Australian dollars"),
    "USD": Currency("US$", "US dollars"),
}

HALF_A_PENNY = 0.005
"""Below it, in the file's currency, nothing was paid, owed or lost."""
