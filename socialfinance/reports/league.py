"""A league table as text: rates with intervals, ranks with intervals, and when they mean nothing."""

from __future__ import annotations

from collections.abc import Sequence

from socialfinance.evidence.league import ALL, FEW, LEAST, SURE, Placed, Sector
from socialfinance.reports.numbers import PERCENT, text
from socialfinance.reports.page import Page

HEAD = ("Place", "", "Successes of users", "Raw rate", "Shrunk rate", "90% interval", "Own weight",
        "Expected rank", "90% of ranks", "Best", "Above the mean")  # fmt: skip


def league_page(sectors: Sequence[Sector], by: str) -> str:
    """The page of ``league``."""
    page = Page()
    page.heading("League table")
    for one in sectors:
        _sector(page, one, by)
    page.gap()
    page.say(
        "Each rate is a mixture of the own record, by its weight, and the sector's mean: beta-binomial, the",
        "mean and the spread between providers integrated out.",
        f"Place is 1 and one more for everybody who is better with a probability of {SURE:.0%} or more;",
        "= where several share it. Within a place the order is that of the interval's lower end: who has",
        "shown more stands first. Best: the probability of the highest rate.",
    )
    page.say(
        "Not adjusted for whom each serves: a provider of harder cases looks worse here, whatever it adds."
    )
    return page.text


def _sector(page: Page, one: Sector, by: str) -> None:
    page.gap()
    count = len(one.placed)
    named = "" if one.name == ALL else f"Sector {one.name}: "
    page.say(
        f"{named}{count} {by}s, mean rate {_per_cent(one.mean)} ({_span(one.mean_low, one.mean_high)}),",
        f"spread between {by}s {_per_cent(one.spread)} ({_span(one.spread_low, one.spread_high)}, both 90%).",
    )
    if count < FEW:
        page.say(f"With {count} {by}s the spread between them is hardly known: the data say little about it.")
    page.say(verdict(one))
    page.table("", HEAD, [_row(one, placed) for placed in one.placed], names=2)


def verdict(one: Sector) -> str:
    """When ranks mean nothing, and when they mean something."""
    pairs = len(one.placed) * (len(one.placed) - 1) // 2
    said = f"The order is certain at {SURE:.0%} for {one.certain:.0%} of {pairs} pair{'s' * (pairs != 1)}"
    if one.meaningless:
        return f"{said}, fewer than {LEAST:.0%}: these ranks mean nothing."
    return f"{said}. Even so a difference of places is not by itself a certain order: look at the intervals."


def _row(sector: Sector, one: Placed) -> tuple[str, ...]:
    shared = sum(other.place == one.place for other in sector.placed) > 1
    return (
        f"{one.place}{'=' * shared}", one.provider, f"{one.successes:,} of {one.users:,}",
        _per_cent(one.raw), _per_cent(one.mean), _span(one.low, one.high), f"{one.weight:.0%}",
        f"{one.expected_rank:.1f}", f"{one.rank_low} to {one.rank_high}", _chance(one.best),
        _chance(one.above_mean),
    )  # fmt: skip


def _span(low: float, high: float) -> str:
    return f"{_per_cent(low)} to {_per_cent(high)}"


def _per_cent(rate: float) -> str:
    return text(rate, None, PERCENT)


def _chance(share: float) -> str:
    """A probability from draws: never shown as nil or certain."""
    if share < 0.005:
        return "<1%"
    return ">99%" if share > 0.995 else f"{share:.0%}"
