"""Layers of loss: every form, every cap, order, recoveries, fees; and what must hold whatever the terms."""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from socialfinance.core.errors import InputError
from socialfinance.instruments import guarantees
from socialfinance.instruments.base import flat, quarterly
from socialfinance.instruments.guarantees import Drawn, Layer, Loss, Row, State
from tests.compiled import Compiled, same_bits
from tests.worked import tables

CLOSE = date(2026, 10, 1)
COMMITMENT = 100_000.0
Json = dict[str, Any]


class Stack:
    """A stack of layers on one loan, row by row, on floats."""

    def __init__(self, *layers: Json, drawn: float = COMMITMENT, rows: int = 41) -> None:
        self.layers = tuple(Layer.model_validate(one) for one in layers)
        self.lowered = guarantees.lower(self.layers, COMMITMENT, rows, CLOSE, "vehicle")
        self.state: State = self.lowered.opening
        self.drawn = drawn
        self.nobody = self.lowered.terms.no_layers
        self.row = -1

    def lose(
        self, row: int, amount: float, interest: float = 0.0, when: str = "acceleration",
        failure: tuple[float, ...] | None = None, void: tuple[float, ...] | None = None,
    ) -> tuple[float, ...]:  # fmt: skip
        """Put a loss to the stack, and none in the rows before; what each layer accepts."""
        luck = Drawn(failure or tuple(1.0 for _ in self.nobody), void or tuple(1.0 for _ in self.nobody))
        terms, rows = self.lowered.terms, self.lowered.rows
        for between in range(self.row + 1, row):
            quiet = Drawn(*(tuple(1.0 for _ in self.nobody) for _ in range(2)))
            nothing = loss_of(when, 0.0)
            self.state, _ = guarantees.call(terms, self.state, rows[between], nothing, self.drawn, quiet)
        self.row = row
        loss = loss_of(when, amount, interest)
        self.state, called = guarantees.call(terms, self.state, rows[row], loss, self.drawn, luck)
        self.state = guarantees.owe_back(self.state, called.by_layer)
        assert sum(called.by_layer) == pytest.approx(called.total)
        return tuple(float(one) for one in called.by_layer)

    def covers(self, row: int, outstanding: float) -> list[float]:
        """What each layer covers of a loan that is outstanding."""
        return [
            guarantees.covered(
                self.lowered.terms, self.state, self.lowered.rows[row], outstanding, self.drawn, i
            )
            for i in range(len(self.nobody))
        ]

    def pay_back(self, cash: float, lender: float) -> tuple[float, tuple[float, ...]]:
        """The borrower pays; what the lender and each layer receive."""
        self.state, to_lender, by_layer = guarantees.recover(self.lowered.terms, self.state, cash, lender)
        return to_lender, by_layer


def loss_of(when: str, amount: Any, interest: Any = 0.0) -> Loss:
    """A loss of one kind."""
    nil = amount * 0.0
    place = guarantees.WHEN.index(when)
    parts = [nil] * 6
    parts[2 * place], parts[2 * place + 1] = amount, interest + nil
    return Loss(*parts)


def one(**terms: Any) -> Json:
    return {"guarantor": "backer", **terms}


# --- the page ---------------------------------------------------------------------------------------------


def page() -> Stack:
    """The example of the page."""
    return Stack(
        {"guarantor": "foundation", "detach": 5_000.0, "of": "the whole loss", "claim_lag": 0},
        {"guarantor": "scheme", "cover": 0.8, "cap_rate": 0.1},
        {"guarantor": "insurer", "attach": 2_000.0, "detach": 30_000.0, "cap_a_year": 8_000.0,
         "recoveries": "lender first"},
    )  # fmt: skip


def test_the_page_row_by_row() -> None:
    stack, lender = page(), 0.0
    for row in tables("guarantees")[0]:
        accepted = stack.lose(int(row["row"]), row["loss"])
        assert accepted == pytest.approx((row["foundation"], row["scheme"], row["insurer"])), row
        assert row["loss"] - sum(accepted) == pytest.approx(row["lender"])
        lender += row["lender"]
        if row["row"] == 2:
            assert stack.covers(2, 50_000.0) == pytest.approx([0.0, 2_800.0, 28_000.0])
    assert lender == pytest.approx(16_000.0)
    assert stack.state.owed_back == pytest.approx((5_000.0, 10_000.0, 13_000.0))
    to_lender, by_layer = stack.pay_back(6_200.0, lender)
    assert to_lender == pytest.approx(3_200.0)
    assert by_layer == pytest.approx((1_000.0, 2_000.0, 0.0))


# --- every form of a layer --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        ({}, [10_000.0, 40_000.0, 50_000.0]),
        ({"cover": 0.5}, [5_000.0, 20_000.0, 25_000.0]),
        ({"detach": 15_000.0}, [10_000.0, 5_000.0, 0.0]),
        ({"attach": 5_000.0}, [5_000.0, 40_000.0, 50_000.0]),
        ({"attach": 5_000.0, "detach": 60_000.0, "cover": 0.8}, [4_000.0, 32_000.0, 8_000.0]),
        ({"attach": 0.05, "detach": 0.6, "unit": "share of commitment"}, [5_000.0, 40_000.0, 10_000.0]),
        ({"attach": 0.05, "detach": 0.6, "unit": "share of drawn"}, [6_000.0, 38_000.0, 0.0]),
        ({"cap": 12_000.0}, [10_000.0, 2_000.0, 0.0]),
        ({"cap_rate": 0.25}, [10_000.0, 10_000.0, 0.0]),
        ({"cap_rate": 0.25, "cap": 15_000.0}, [10_000.0, 5_000.0, 0.0]),
        ({"cap_rate": 0.25, "cap": 25_000.0}, [10_000.0, 10_000.0, 0.0]),
        ({"cap_rate": 0.0}, [0.0, 0.0, 0.0]),
        ({"cover": 0.5, "cap": 12_000.0}, [5_000.0, 7_000.0, 0.0]),
        ({"cap_a_year": 15_000.0}, [10_000.0, 5_000.0, 15_000.0]),
    ],
)
def test_one_layer(layer: Json, expected: list[float]) -> None:
    """Losses of 10,000 in row 2, 40,000 in row 4 and 50,000 in row 5; 80,000 of 100,000 is drawn."""
    stack = Stack(one(**layer), drawn=80_000.0)
    found = [stack.lose(row, loss)[0] for row, loss in ((2, 10_000.0), (4, 40_000.0), (5, 50_000.0))]
    assert found == pytest.approx(expected)


def test_a_schedule_of_amounts() -> None:
    schedule = ({"from_quarter": 3, "amount": 6_000.0}, {"from_quarter": 9, "amount": 7_200.0})
    stack = Stack(one(schedule=schedule))
    found = [stack.lose(row, 5_000.0)[0] for row in (2, 3, 8, 9, 10)]
    assert found == pytest.approx([0.0, 5_000.0, 1_000.0, 1_200.0, 0.0])


def test_a_year_is_four_rows_from_close_and_close_is_in_the_first() -> None:
    stack = Stack(one(cap_a_year=1_000.0))
    found = [stack.lose(row, 900.0)[0] for row in (0, 1, 4, 5, 8, 9)]
    assert found == pytest.approx([900.0, 100.0, 0.0, 900.0, 100.0, 900.0])


def test_a_slice_in_shares_of_drawn_moves_with_what_is_drawn() -> None:
    """A first tenth of drawn: 10,000 lost on 50,000 drawn is half covered, and is not made up later."""
    stack = Stack(one(detach=0.1, unit="share of drawn"), drawn=50_000.0)
    assert stack.lose(1, 10_000.0) == pytest.approx((5_000.0,))
    stack.drawn = 100_000.0
    assert stack.lose(2, 5_000.0) == pytest.approx((0.0,))
    deductible = Stack(one(attach=0.1, unit="share of drawn"), drawn=50_000.0)
    assert deductible.lose(1, 10_000.0) == pytest.approx((5_000.0,))
    deductible.drawn = 100_000.0
    # of 20,000 lost, 10,000 is above a tenth of what is drawn by now, and 5,000 of that is paid
    assert deductible.lose(2, 10_000.0) == pytest.approx((5_000.0,))


def test_when_a_layer_is_called() -> None:
    layers = [one(when=when, detach=1_000.0) for when in guarantees.WHEN]
    for place, when in enumerate(guarantees.WHEN):
        stack = Stack(*layers)
        found = stack.lose(3, 700.0, when=when)
        assert [bool(x) for x in found] == [i == place for i in range(3)]


def test_interest_counts_only_where_it_is_covered() -> None:
    plain, both = Stack(one(cover=0.8)), Stack(one(cover=0.8, interest=True))
    assert plain.lose(2, 1_000.0, interest=100.0) == pytest.approx((800.0,))
    assert both.lose(2, 1_000.0, interest=100.0) == pytest.approx((880.0,))


def test_interest_is_paid_first_and_leaves_the_rest_to_the_next() -> None:
    stack = Stack(one(cap=250.0, interest=True), {"guarantor": "insurer"})
    assert stack.lose(2, 1_000.0, interest=100.0) == pytest.approx((250.0, 850.0))


# --- order, and the whole loss or what is left -----------------------------------------------------------


def test_the_order_of_layers_matters() -> None:
    first = {"guarantor": "foundation", "detach": 5_000.0}
    share = {"guarantor": "scheme", "cover": 0.8}
    assert Stack(first, share).lose(1, 10_000.0) == pytest.approx((5_000.0, 4_000.0))
    assert Stack(share, first).lose(1, 10_000.0) == pytest.approx((8_000.0, 2_000.0))


def test_tranches_are_slices_of_the_whole_loss() -> None:
    edges = ((0.0, 5_000.0), (5_000.0, 15_000.0), (15_000.0, 100_000.0))
    stack = Stack(
        *({"guarantor": f"tranche {i}", "attach": a, "detach": d, "of": "the whole loss"}
          for i, (a, d) in enumerate(edges))
    )  # fmt: skip
    assert stack.lose(1, 2_000.0) == pytest.approx((2_000.0, 0.0, 0.0))
    assert stack.lose(2, 5_000.0) == pytest.approx((3_000.0, 2_000.0, 0.0))
    assert stack.lose(3, 53_000.0) == pytest.approx((0.0, 8_000.0, 45_000.0))


def test_an_attachment_on_what_is_left_is_a_deductible() -> None:
    """The same edges on what is left: the second layer begins after 5,000 that the first one left."""
    stack = Stack(
        {"guarantor": "foundation", "detach": 5_000.0},
        {"guarantor": "insurer", "attach": 5_000.0, "detach": 15_000.0},
    )
    assert stack.lose(1, 8_000.0) == pytest.approx((5_000.0, 0.0))
    assert stack.lose(2, 8_000.0) == pytest.approx((0.0, 6_000.0))
    assert stack.lowered.notes == (
        "insurer begins to pay after the first £5,000 of what the layers before it leave",
    )


def test_a_layer_of_the_whole_loss_never_pays_what_another_has_paid() -> None:
    stack = Stack({"guarantor": "scheme", "cover": 0.8}, {"guarantor": "insurer", "of": "the whole loss"})
    assert stack.lose(1, 10_000.0) == pytest.approx((8_000.0, 2_000.0))


# --- guarantees that do not hold --------------------------------------------------------------------------


def test_a_void_guarantee_pays_nothing_and_leaves_the_loss_to_the_next() -> None:
    stack = Stack(one(enforceability={"void": 0.3}), {"guarantor": "insurer"})
    assert stack.lose(1, 1_000.0, void=(0.3, 1.0)) == pytest.approx((0.0, 1_000.0))
    assert stack.lose(2, 1_000.0, void=(0.31, 1.0)) == pytest.approx((1_000.0, 0.0))


def test_a_guarantee_that_is_void_for_certain_pays_nothing_in_the_plan() -> None:
    assert Stack(one(enforceability={"void": 1.0})).lose(1, 1_000.0) == (0.0,)


def test_a_guarantor_that_has_failed_stays_so_and_covers_nothing() -> None:
    hazard = 1.0 - 0.9**0.25
    stack = Stack(one(failure=0.1))
    assert stack.lose(1, 1_000.0, failure=(hazard,)) == (1_000.0,)
    assert stack.lose(2, 1_000.0, failure=(hazard * 0.999,)) == (0.0,)
    assert stack.lose(3, 1_000.0, failure=(1.0,)) == (0.0,)
    assert stack.covers(4, 50_000.0) == [0.0]


def test_a_guarantor_fails_for_all_its_layers_at_once() -> None:
    draws = Stack(one(detach=5.0, failure=0.1), {"guarantor": "other"}, one(failure=0.2)).lowered.draws
    assert [draw.name for draw in draws.failure] == [
        "guarantor backer.failure", "guarantor other.failure", "guarantor backer.failure",
    ]  # fmt: skip


def test_only_a_guarantee_that_may_be_void_draws_for_it() -> None:
    draws = Stack(one(enforceability={"void": 0.2}), {"guarantor": "other"}).lowered.draws
    assert [isinstance(draw.given, float) for draw in draws.void] == [False, True]


# --- fees -----------------------------------------------------------------------------------------------


def test_fees_follow_a_falling_balance_within_the_cap() -> None:
    stack = Stack(one(cover=0.8, cap=50_000.0, fee={"running": 0.02}))
    terms, rows = stack.lowered.terms, stack.lowered.rows
    found = [
        guarantees.fees(terms, stack.state, rows[1], balance, stack.drawn)[0]
        for balance in (100_000.0, 60_000.0, 10_000.0, 0.0)
    ]
    assert found == pytest.approx([quarterly(0.02) * x for x in (50_000.0, 48_000.0, 8_000.0, 0.0)])


def test_a_layer_earns_no_fee_on_what_another_covers() -> None:
    stack = Stack({"guarantor": "scheme", "cover": 0.8}, {"guarantor": "insurer", "fee": {"running": 0.02}})
    assert stack.covers(1, 50_000.0) == pytest.approx([40_000.0, 10_000.0])


def test_what_was_lost_before_is_no_longer_covered() -> None:
    stack = Stack(one(detach=10_000.0))
    stack.lose(1, 4_000.0)
    assert stack.covers(2, 50_000.0) == pytest.approx([6_000.0])


def test_an_upfront_fee_is_a_share_of_the_most_it_covers() -> None:
    stack = Stack(one(cover=0.8, cap_rate=0.3, fee={"upfront": 0.02}), {"guarantor": "other"})
    assert stack.lowered.upfront == pytest.approx((0.02 * 30_000.0, 0.0))


# --- recoveries -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cash", "lender", "by_layer"),
    [
        (3_000.0, 0.0, (3_000.0, 0.0, 0.0)),
        (5_000.0, 0.0, (5_000.0, 0.0, 0.0)),
        (10_000.0, 2_500.0, (5_000.0, 2_500.0, 0.0)),
        (25_000.0, 10_000.0, (5_000.0, 10_000.0, 0.0)),
        (31_000.0, 10_000.0, (5_000.0, 10_000.0, 6_000.0)),
        (90_000.0, 10_000.0, (5_000.0, 10_000.0, 15_000.0)),
    ],
)
def test_recoveries_go_by_rank(cash: float, lender: float, by_layer: tuple[float, ...]) -> None:
    """Owed: 5,000 to a guarantor that comes first, 10,000 each pro rata, 15,000 to one that comes last."""
    stack = Stack(
        {"guarantor": "first", "detach": 5_000.0, "recoveries": "guarantor first"},
        {"guarantor": "same", "detach": 10_000.0, "recoveries": "pro rata"},
        {"guarantor": "last", "detach": 15_000.0, "recoveries": "lender first"},
    )
    stack.lose(1, 40_000.0)
    assert stack.pay_back(cash, 10_000.0) == (pytest.approx(lender), pytest.approx(by_layer))


# --- lowering: what is refused, and what is said ------------------------------------------------------------


@pytest.mark.parametrize(
    ("layers", "field", "words"),
    [
        ([one(offer={"since": date(2027, 1, 1)})], "layers[0].offer", "was not on offer"),
        ([one(), one(offer={"until": date(2020, 12, 31)})], "layers[1].offer", "was not on offer"),
        ([{"guarantor": "investor"}], "layers[0].guarantor", "cannot guarantee"),
        ([{"guarantor": "outside"}], "layers[0].guarantor", "cannot guarantee"),
        ([one(fee={"paid_by": "backer"})], "layers[0].fee.paid_by", "cannot pay the fee"),
        (
            [one(detach=10.0, of="the whole loss"), one(attach=5.0, of="the whole loss")],
            "layers[1].attach", "covers the same loss",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(layers: list[Json], field: str, words: str) -> None:
    with pytest.raises(InputError) as refused:
        Stack(*layers)
    assert refused.value.field == f"instrument.{field}"
    assert words in refused.value.problem


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ({"attach": 5.0, "detach": 5.0}, "must be above attach"),
        ({"detach": 2.0, "unit": "share of drawn"}, "nothing is above 1"),
        ({"schedule": ({"from_quarter": 2, "amount": 1.0}, {"from_quarter": 2, "amount": 2.0})}, "must rise"),
        ({"failure": 1.0}, "less than 1"),
    ],
)
def test_a_layer_that_is_no_layer(layer: Json, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Layer.model_validate(one(**layer))


def test_an_offer_that_is_open_is_taken() -> None:
    Stack(one(offer={"since": date(2026, 10, 1), "until": date(2026, 10, 1)}))


def test_shares_of_the_same_slice_and_gaps_are_said() -> None:
    whole = {"of": "the whole loss"}
    stack = Stack(
        one(cover=0.6, detach=5_000.0, **whole),
        {"guarantor": "other", "cover": 0.4, "detach": 5_000.0, **whole},
        {"guarantor": "third", "attach": 8_000.0, "detach": 20_000.0, **whole},
    )
    assert stack.lowered.notes == ("no layer covers losses between £5,000 and £8,000",)


@pytest.mark.parametrize(
    ("layer", "most"),
    [
        ({}, 100_000.0),
        ({"cover": 0.8, "cap_rate": 0.3}, 30_000.0),
        ({"cover": 0.8, "attach": 0.05, "detach": 0.15, "unit": "share of commitment"}, 8_000.0),
        ({"cap_a_year": 1_500.0}, 15_000.0),
        ({"schedule": ({"from_quarter": 0, "amount": 60.0}, {"from_quarter": 9, "amount": 72.0})}, 72.0),
    ],
)
def test_the_most_a_layer_can_be_called_for(layer: Json, most: float) -> None:
    """On £100,000 over ten years."""
    assert Stack(one(**layer)).lowered.most == {"backer": pytest.approx(most)}


def test_what_a_pool_lends_again_counts_towards_the_most() -> None:
    layer = Layer(guarantor="backer", cover=0.8, cap_rate=0.3)
    lowered = guarantees.lower(
        (layer,), COMMITMENT, 41, CLOSE, "vehicle", exposure=250_000.0, most_drawn=250_000.0, lender="vehicle"
    )
    assert lowered.most == {"backer": pytest.approx(75_000.0)}
    assert lowered.legs.call[0].payee == "vehicle"


def test_no_layers_cover_nothing() -> None:
    stack = Stack()
    assert stack.lose(1, 1_000.0) == (0.0,)
    assert stack.lowered.most == {}


# --- whatever the terms -----------------------------------------------------------------------------------


class Story(NamedTuple):
    """A stack, and what happens to it."""

    layers: list[Json]
    losses: list[tuple[str, float, float]]
    """by row from 1: when, principal, interest"""
    failure: list[tuple[float, ...]]
    void: tuple[float, ...]


SHARES = st.sampled_from([0.0, 0.25, 0.5, 0.8, 1.0])
AMOUNTS = st.sampled_from([0.0, 1.0, 500.0, 2_000.0, 7_500.0, 40_000.0])


@st.composite
def layers(draw: st.DrawFn, yearly: bool = True) -> Json:
    attach = draw(st.sampled_from([0.0, 0.0, 1_000.0, 5_000.0]))
    depth = draw(st.sampled_from([None, 500.0, 6_000.0, 50_000.0]))
    unit = draw(st.sampled_from(["pounds", "share of commitment", "share of drawn"]))
    scale = 1.0 if unit == "pounds" else 1.0 / COMMITMENT
    found: Json = {
        "guarantor": draw(st.sampled_from(["council", "scheme", "insurer"])),
        "cover": draw(SHARES), "attach": attach * scale, "unit": unit,
        "detach": None if depth is None else (attach + depth) * scale,
        "when": draw(st.sampled_from(guarantees.WHEN)),
        "interest": draw(st.booleans()),
        "of": draw(st.sampled_from(["what is left", "what is left", "the whole loss"])),
        "cap": draw(st.sampled_from([None, 0.0, 900.0, 12_000.0])),
        "cap_rate": draw(st.sampled_from([None, 0.01, 0.3])),
        "failure": draw(st.sampled_from([0.0, 0.3])),
        "enforceability": {"void": draw(st.sampled_from([0.0, 0.5]))},
        "recoveries": draw(st.sampled_from(["lender first", "pro rata", "guarantor first"])),
    }  # fmt: skip
    if yearly:
        found["cap_a_year"] = draw(st.sampled_from([None, 700.0]))
        found["schedule"] = draw(
            st.sampled_from(
                [(), ({"from_quarter": 2, "amount": 800.0}, {"from_quarter": 6, "amount": 9_000.0})]
            )
        )
    return found


def stands(stack: list[Json]) -> bool:
    """Whether no two layers cover the same pound."""
    try:
        Stack(*stack)
    except InputError:
        return False
    return True


@st.composite
def stories(draw: st.DrawFn, yearly: bool = True) -> Story:
    stack = draw(st.lists(layers(yearly), min_size=1, max_size=4).filter(stands))
    losses = draw(
        st.lists(st.tuples(st.sampled_from(guarantees.WHEN), AMOUNTS, AMOUNTS), min_size=1, max_size=12)
    )
    chances = st.tuples(*(st.sampled_from([0.01, 0.9]) for _ in stack))
    failure = draw(st.lists(chances, min_size=len(losses), max_size=len(losses)))
    return Story(stack, losses, failure, draw(st.tuples(*(st.sampled_from([0.2, 0.9]) for _ in stack))))


USUAL = settings(max_examples=150, deadline=None)


@USUAL
@given(stories())
def test_nobody_pays_beyond_a_cap_and_no_pound_is_paid_twice(story: Story) -> None:
    stack = Stack(*story.layers)
    paid = [0.0] * len(story.layers)
    by_year: dict[tuple[int, int], float] = {}
    for row, (when, amount, interest) in enumerate(story.losses, 1):
        accepted = stack.lose(row, amount, interest, when, story.failure[row - 1], story.void)
        covered_interest = any(one.interest and one.when == when for one in stack.layers)
        assert all(x >= 0.0 for x in accepted)
        assert sum(accepted) <= amount + (interest if covered_interest else 0.0) + 1e-7
        for i, terms in enumerate(stack.layers):
            assert accepted[i] == 0.0 or terms.when == when
            paid[i] += accepted[i]
            year = i, (row - 1) // 4
            by_year[year] = by_year.get(year, 0.0) + accepted[i]
            limits = [terms.cap, COMMITMENT * terms.cap_rate if terms.cap_rate is not None else None]
            amounts = [one.amount for one in terms.schedule if one.from_quarter <= row]
            limits.append((amounts[-1] if amounts else 0.0) if terms.schedule else None)
            assert all(paid[i] <= limit + 1e-7 for limit in limits if limit is not None)
            assert terms.cap_a_year is None or by_year[year] <= terms.cap_a_year + 1e-7
            scale = 1.0 if terms.unit == "pounds" else COMMITMENT
            if terms.detach is not None:
                assert paid[i] <= terms.cover * (terms.detach - terms.attach) * scale + 1e-7
            if terms.enforceability.void > story.void[i]:
                assert paid[i] == 0.0
    assert stack.state.called == pytest.approx(tuple(paid))


@USUAL
@given(stories(yearly=False), st.integers(0, 3), st.sampled_from([0.1, 0.5, 1.0]))
def test_more_cover_is_never_more_loss_to_the_lender(story: Story, which: int, more: float) -> None:
    """Of layers whose limits do not start anew: a cap a year can be used up by what came early."""
    which %= len(story.layers)
    better = [dict(layer) for layer in story.layers]
    better[which]["cover"] = better[which]["cover"] + more * (1.0 - better[which]["cover"])
    assume(stands(better))
    left = []
    for stack in (Stack(*story.layers), Stack(*better)):
        total = 0.0
        for row, (when, amount, interest) in enumerate(story.losses, 1):
            total += amount + interest
            total -= sum(stack.lose(row, amount, interest, when, story.failure[row - 1], story.void))
        left.append(total)
    assert left[1] <= left[0] + 1e-6


@USUAL
@given(stories(), st.lists(AMOUNTS, min_size=1, max_size=4), AMOUNTS)
def test_recoveries_are_shared_out_and_no_more_than_is_owed(
    story: Story, payments: list[float], lender: float
) -> None:
    stack = Stack(*story.layers)
    for row, (when, amount, interest) in enumerate(story.losses, 1):
        stack.lose(row, amount, interest, when)
    for cash in payments:
        owed = sum(stack.state.owed_back)
        before = stack.state.owed_back
        to_lender, by_layer = stack.pay_back(cash, lender)
        assert to_lender + sum(by_layer) == pytest.approx(min(cash, lender + owed), abs=1e-6)
        assert -1e-9 <= to_lender <= lender + 1e-6
        assert all(-1e-9 <= x <= y + 1e-6 for x, y in zip(by_layer, before, strict=True))
        lender = max(0.0, lender - to_lender)


@USUAL
@given(stories(), AMOUNTS)
def test_what_is_covered_is_what_would_be_accepted(story: Story, outstanding: float) -> None:
    """Of layers without a cap a year, all called at acceleration, nothing void."""
    plain = [{**one, "when": "acceleration", "cap_a_year": None, "interest": False} for one in story.layers]
    stack = Stack(*plain)
    for row, (_, amount, _) in enumerate(story.losses, 1):
        stack.lose(row, amount, failure=story.failure[row - 1])
    row = len(story.losses) + 1
    promised = stack.covers(row, outstanding)
    assert sum(promised) <= outstanding + 1e-6
    assert promised == pytest.approx(list(stack.lose(row, outstanding)), abs=1e-6)


# --- floats, blocks, compiled -----------------------------------------------------------------------------

PATHS = 8
BLOCK = [
    {"guarantor": "a", "detach": 5_000.0, "of": "the whole loss", "fee": {"running": 0.01}},
    {"guarantor": "b", "cover": 0.8, "cap_rate": 0.1, "failure": 0.2, "interest": True},
    {"guarantor": "c", "attach": 0.02, "detach": 0.3, "unit": "share of drawn", "cap_a_year": 8_000.0,
     "recoveries": "lender first", "fee": {"running": 0.02}},
    {"guarantor": "d", "when": "maturity", "enforceability": {"void": 0.3}, "recoveries": "guarantor first"},
]  # fmt: skip


class Forms(NamedTuple):
    """The functions of a row, plain or compiled."""

    fees: Any = guarantees.fees
    call: Any = guarantees.call
    owe_back: Any = guarantees.owe_back
    recover: Any = guarantees.recover


def compiled() -> Forms:
    return Forms(*(Compiled(plain, PATHS) for plain in Forms()))


def play(by: Forms, terms: Any, state: Any, row: Any, loss: Any, drawn: Any, luck: Any, cash: Any) -> Any:
    """Fees, a call and a recovery in one row."""
    fee = by.fees(terms, state, row, drawn * 0.5, drawn)
    state, called = by.call(terms, state, row, loss, drawn, luck)
    state = by.owe_back(state, called.by_layer)
    state, to_lender, back = by.recover(terms, state, cash, called.total * 0.5)
    return state, fee, called, to_lender, back


def numbers(x: Any) -> list[Any]:
    return [leaf for part in x for leaf in numbers(part)] if isinstance(x, tuple) else [x]


def on_path(x: Any, i: int) -> Any:
    if isinstance(x, tuple):
        parts = [on_path(part, i) for part in x]
        return type(x)(*parts) if hasattr(x, "_fields") else tuple(parts)
    return float(x[i]) if isinstance(x, np.ndarray) and x.shape else float(x)


def test_floats_blocks_and_compiled_agree() -> None:
    pytest.importorskip("numba")
    lowered = Stack(*BLOCK).lowered
    luck = np.random.Generator(np.random.Philox(7))
    block, single, fast = lowered.opening, [lowered.opening] * PATHS, lowered.opening
    by_compiled = compiled()
    moved = 0.0
    for row in range(12):
        when = guarantees.WHEN[row % 3]
        loss = loss_of(when, luck.uniform(0, 9_000, PATHS), luck.uniform(0, 500, PATHS))
        chances = Drawn(*(tuple(luck.uniform(0, 1, PATHS) for _ in BLOCK) for _ in range(2)))
        drawn, cash = np.full(PATHS, 20_000.0 + 8_000.0 * row), luck.uniform(0, 6_000, PATHS)
        given_row: Row = lowered.rows[row]
        given_to = (given_row, loss, drawn, chances, cash)
        fast, *compiled_rest = play(by_compiled, lowered.terms, fast, *given_to)
        block, *rest = play(Forms(), lowered.terms, block, *given_to)
        whole = tuple(rest), tuple(block)
        same_bits(whole, (tuple(compiled_rest), tuple(fast)), PATHS)
        for i in range(0, PATHS, 2):
            mine = [on_path(x, i) for x in (loss, drawn, chances, cash)]
            single[i], *theirs = play(Forms(), lowered.terms, on_path(single[i], 0), given_row, *mine)
            alone = numbers(tuple(theirs)) + numbers(single[i])
            for one_, other in zip(numbers(whole), alone, strict=True):
                amount = on_path(np.broadcast_to(one_, (PATHS,)), i)
                moved += abs(amount)
                assert amount == pytest.approx(other, abs=1e-9)
    assert moved > 100_000.0
    assert len(flat(lowered.legs)) == 4 * len(BLOCK)
