"""What a deal has reported so far, as far as it is published: people by line and quarter, and payments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from socialfinance.core.errors import InputError
from socialfinance.engine.observed import Past
from socialfinance.engine.ready import ReadyDeal
from socialfinance.evidence.open_data.plan import follows

MONEY = ("paid", "outcome payment")


class Key(NamedTuple):
    """What a value is of; ``line`` is empty where an item has none."""

    item: str
    line: str


@dataclass(frozen=True)
class Reported:
    """What one deal has reported: values by row of the deal, from the first reported to the last."""

    rows: tuple[int, ...]
    values: Mapping[Key, tuple[float, ...]]
    """by row in ``rows``: people, or money in the file's currency"""


def reported(deal: ReadyDeal, past: Past) -> Reported:
    """A deal's returns as series. Payments are there where every quarter has them.

    InputError where money is given by payer and by outcome line: the two would tell on each other.
    """
    quarters = past.quarters
    series: dict[Key, tuple[float, ...]] = {
        Key("referrals", ""): tuple(one.referrals for one in quarters),
        Key("starts", ""): tuple(one.starts for one in quarters),
    }
    for line in deal.programme.lines:
        series[Key("outcome", line)] = tuple(one.outcomes[line] for one in quarters)
    for item, line in dict.fromkeys(key for cash in past.cash for key in cash if key[0] == "paid"):
        if all((item, line) in cash for cash in past.cash):
            series[Key(item, line)] = tuple(cash[item, line] for cash in past.cash)
    for line in dict.fromkeys(line for paid in past.paid_by_line for line in paid):
        if all(line in paid for paid in past.paid_by_line):
            series[Key("outcome payment", line)] = tuple(paid[line] for paid in past.paid_by_line)
    if {key.item for key in series} >= set(MONEY):
        raise InputError(
            f"{deal.name}: money is given by payer and by outcome line",
            field="item",
            allowed="one of the two",
        )
    return Reported(tuple(range(1, len(quarters) + 1)), series)


def before_each(deal: ReadyDeal, reported: Reported) -> dict[Key, Key | None]:
    """Every count that was reported, in the order of the funnel, and the nearest one before it."""
    order: dict[Key, Key | None] = {Key("referrals", ""): None, Key("starts", ""): Key("referrals", "")}
    for line, of in follows(deal).items():
        order[Key("outcome", line)] = Key("outcome", of) if of is not None else Key("starts", "")
    found: dict[Key, Key | None] = {}
    for key, before in order.items():
        while before is not None and before not in reported.values:
            before = order[before]
        if key in reported.values:
            found[key] = before
    return found
