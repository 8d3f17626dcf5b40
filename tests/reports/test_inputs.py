"""Numbers are counted one by one, under the nearest block that says where they come from."""

from __future__ import annotations

from datetime import date

import pytest
from pydantic import Field, ValidationError

from socialfinance.core.terms import Sourced, Terms
from socialfinance.reports.inputs import count_sources


class Step(Terms):
    at: float = 1.0
    rate: float


class Part(Sourced):
    amount: float = 7.0
    rates: tuple[float, ...] = ()
    prices: dict[str, float] = Field(default_factory=dict)
    steps: tuple[Step, ...] = ()
    since: date | None = None


class Whole(Sourced):
    parts: dict[str, Part]
    size: int
    whether: bool = False


def counts(block):
    counted = count_sources(block)
    assert counted.total == counted.sourced + counted.illustrative + counted.unsaid
    return counted.sourced, counted.illustrative, counted.unsaid


def test_numbers_count_as_their_nearest_block_says():
    parts = {
        "mine": Part(amount=1.0),
        "theirs": Part(amount=2.0, rates=(0.1, 0.2), illustrative=True),
        "default": Part(),
    }
    assert counts(Whole(source="a report", size=3, whether=True, parts=parts)) == (2, 3, 0)


def test_what_says_nothing_is_said():
    assert counts(Whole(size=3, parts={})) == (0, 0, 1)


# --- by name --------------------------------------------------------------------------------------

PRICES = {"moved in": 1.0, "st. john's": 2.0, "moved": 3.0}


@pytest.mark.parametrize(
    ("names", "illustrative"),
    [
        (("amount",), 1),
        (("rates",), 2),
        (("rates[1]",), 1),
        (("prices",), 3),
        (("prices.moved",), 1),
        (("prices.moved in", "prices.st. john's"), 2),
        (("prices", "prices.moved", "prices"), 3),
        (("steps[0].rate",), 1),
        (("steps", "since"), 3),
        ((), 0),
    ],
)
def test_a_named_field_is_illustrative_and_the_rest_has_the_source(names, illustrative):
    block = Part(
        amount=1.0,
        rates=(0.1, 0.2),
        prices=PRICES,
        steps=(Step(rate=1.0), Step(at=2.0, rate=2.0)),
        since=date(2026, 4, 1),
        source="a card",
        illustrative=names,
    )
    assert counts(block) == (9 - illustrative, illustrative, 0)


def test_the_longer_name_wins():
    block = Part(prices=PRICES, source="a card", illustrative=("prices",), unsourced=("prices.moved",))

    assert counts(block) == (0, 2, 1)


def test_a_number_that_nobody_gave_a_source_for_is_neither():
    assert counts(Part(amount=1.0, rates=(2.0,), source="a card", unsourced=("amount",))) == (1, 0, 1)
    assert counts(Part(amount=1.0, rates=(2.0,), illustrative=True, unsourced=("amount",))) == (0, 1, 1)


def test_without_a_source_the_rest_is_as_the_block_around_says():
    parts = {"one": Part(amount=1.0, rates=(0.1,), illustrative=("rates",))}

    assert counts(Whole(size=3, parts=parts)) == (0, 1, 2)
    assert counts(Whole(size=3, parts=parts, source="a report")) == (2, 1, 0)
    assert counts(Whole(size=3, parts=parts, illustrative=True)) == (0, 3, 0)
    assert counts(Whole(size=3, parts=parts, source="a report", illustrative=("parts",))) == (1, 2, 0)


def test_a_name_reaches_what_says_nothing_itself():
    parts = {"silent": Part(amount=1.0), "speaks": Part(amount=2.0, source="a card")}

    assert counts(Whole(size=3, parts=parts, illustrative=("parts",))) == (1, 1, 1)
    assert counts(Whole(size=3, parts=parts, illustrative=("parts.silent.amount",))) == (1, 1, 1)


@pytest.mark.parametrize(
    ("says", "message"),
    [
        ({"source": "a card", "illustrative": True}, "beside a source, name the invented fields instead"),
        ({"illustrative": ("rates",)}, "illustrative\\[0\\]: names nothing that is given here"),
        ({"illustrative": ("amount", "amounts")}, "illustrative\\[1\\]: names nothing that is given here"),
        ({"unverified": ("prices.moved",)}, "unverified\\[0\\]: names nothing that is given here"),
        ({"unsourced": ("note",)}, "unsourced\\[0\\]: names nothing that is given here"),
        ({"unsourced": ("amount",), "illustrative": ("amount",)}, "is called illustrative as well"),
    ],
)
def test_what_is_not_clear_is_refused(says, message):
    with pytest.raises(ValidationError, match=message):
        Part(amount=1.0, note="x", **says)


def test_what_says_it_itself_is_not_named_from_outside():
    parts = {"speaks": Part(amount=2.0, source="a card")}

    for name in ("parts.speaks", "parts.speaks.amount"):
        for field in ("illustrative", "unverified"):
            with pytest.raises(ValidationError, match="has a block that says itself where it comes from"):
                Whole(size=3, parts=parts, **{field: (name,)})
    assert counts(Whole(size=3, parts=parts, unsourced=("parts.speaks",))) == (1, 0, 1)


# --- to be confirmed ------------------------------------------------------------------------------


def test_unverified_places_are_named_with_their_numbers():
    parts = {
        "sure": Part(amount=1.0, source="a table"),
        "unsure": Part(amount=2.0, rates=(1.0,), source="a memory", unverified=True),
        "half sure": Part(amount=2.0, rates=(1.0, 2.0), source="a memory", unverified=("rates",)),
    }
    assert count_sources(Whole(size=3, source="a report", parts=parts)).unverified == [
        ("parts.unsure", 2),
        ("parts.half sure.rates", 2),
    ]


def test_a_source_within_puts_aside_what_is_unverified_around_it():
    parts = {"silent": Part(amount=1.0), "sure": Part(amount=2.0, source="a table")}

    assert count_sources(Whole(size=3, parts=parts, unverified=True)).unverified == [("the whole file", 2)]
