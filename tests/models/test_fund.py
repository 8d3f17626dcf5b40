"""The fund's rows against the same fund worked by hand from its terms, payment by payment."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from tests.models.fund_by_hand import FundByHand, Line, Moves, Plan
from tests.models.fund_strategies import CLOSE, USUAL, Step, cases, commitments, read, steps
from tests.models.strategies import Json


def of_step(step: Step) -> dict[str, float]:
    """Everything that is compared in a row, by name."""
    state, called, paid = step
    found = {
        "costs": called.costs,
        "earned": called.earned,
        "arrears": paid.arrears,
        "carry": paid.carry,
        "surplus": paid.surplus,
        "locked": paid.locked,
        "value": paid.value,
        "cash": state.waiting + state.held + state.retained + state.reserve,
    }
    lists = {
        "granted": called.granted, "calls": called.calls, "interest": paid.interest,
        "redeemed": paid.redeemed, "principal": paid.principal, "more": paid.more, "clawed": paid.clawed_to,
        "balance": state.balance, "owed": state.owed,
    }  # fmt: skip
    return found | {f"{what} {i}": one for what, all_of in lists.items() for i, one in enumerate(all_of)}


def of_line(line: Line) -> dict[str, float]:
    """The same of a row worked by hand."""
    found: dict[str, float] = {}
    for what, amount in vars(line).items():
        if isinstance(amount, list):
            found |= {f"{what} {i}": one for i, one in enumerate(amount)}
        else:
            found[what] = float(amount)
    return found


def hold(case: Json) -> None:
    """Calls, costs, grants, interest, redemptions, principal, return, carry, surplus and what is left."""
    close = CLOSE * commitments(case)
    hand = FundByHand(read(case), case["last"], [Plan(**plan) for plan in case["plans"]])
    for t, (step, now) in enumerate(zip(steps(case), case["rows"], strict=True)):
        theirs, mine = of_step(step), of_line(hand.row(t, Moves(**now)))
        assert theirs.keys() == mine.keys()
        apart = {k: (theirs[k], mine[k]) for k in mine if abs(theirs[k] - mine[k]) > close}
        assert not apart, (t, apart)
        assert [bool(missed) for missed in step.state.missed] == [h.missed for h in hand.holdings]
        assert abs(step.state.managers - hand.managers) <= close


@given(cases())
@settings(USUAL, max_examples=75)
def test_every_row_as_by_hand(case: Json) -> None:
    hold(case)


@pytest.mark.slow
@given(cases())
@settings(USUAL, max_examples=300)
def test_every_row_of_many_as_by_hand(case: Json) -> None:
    hold(case)
