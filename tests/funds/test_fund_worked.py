"""Funds small enough to redo by hand, where two terms meet: the arithmetic is in the docstrings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import ValidationError

from socialfinance.funds import pool
from tests.models.fund_strategies import Step, made_ready, steps
from tests.models.strategies import Json

ONE_A_QUARTER, TWO_A_QUARTER = 1.01**4 - 1.0, 1.02**4 - 1.0
"""annual effective"""
Flows = Sequence[float]


def note(commitment: float, rank: int, annual: float | None, **terms: Any) -> Json:
    """A note at a fixed rate, or a residual one."""
    rate: Json = {"basis": "residual"} if annual is None else {"basis": "fixed", "annual": annual}
    return {"holder": "holder", "commitment": commitment, "rank": rank, "rate": rate, **terms}


def case(
    notes: Json, draws: Sequence[Flows], back: Sequence[Flows], *, asked: Sequence[Flows] | None = None,
    came: Sequence[Flows] | None = None, pool: Sequence[Flows] | None = None, **terms: Any,
) -> Json:  # fmt: skip
    """A fund whose deals ask and pay as planned unless said: by deal, then by row."""
    last = len(draws[0]) - 1
    asked, came = asked or draws, came or back
    pool = pool or [[0.0] * (last + 1) for _ in draws]
    return {
        "fund": {"party": "fund", "surplus_to": "community", "notes": notes, **terms},
        "last": last,
        "plans": [{"draws": d, "back": b} for d, b in zip(draws, back, strict=True)],
        "rows": [
            {
                "level": 1.0, "fee": 0.0, "wishes": [one[t] for one in asked],
                "back": [one[t] for one in came], "pool": [one[t] for one in pool],
            }
            for t in range(last + 1)
        ],
    }  # fmt: skip


def of_row(step: Step, what: str) -> list[Any]:
    """What each note had in a row, or how it stands after it, to a millionth."""
    found = getattr(step.paid, what) if hasattr(step.paid, what) else getattr(step.state, what)
    return [pytest.approx(x, abs=1e-6) for x in found]


def test_lock_up_and_cure() -> None:
    """Interest cover below 2 locks the junior note up, until it has been passed for two quarters in a row.

    Senior 1,000 at 1% a quarter, junior 500 at 2%, which may be put off and compounds.

    Row 1: 15 came in. The senior interest is 10, cover 1.5: locked. 10 senior interest, 5 senior principal;
    junior interest of 10 is owed.
    Row 2: 30. Interest on 995 is 9.95, cover 3.0: passed once, still locked. The other 20.05 are senior
    principal. The junior is owed 10 + 10 + 2% of 10 = 20.20.
    Row 3: 50. Interest on 974.95 is 9.7495, passed twice: open. The junior has 20.20 + 10 + 2% of 20.20 =
    30.604, and the last 9.6465 are senior principal.
    """
    done = steps(case(
        {"senior": note(1_000.0, 1, ONE_A_QUARTER),
         "junior": note(500.0, 2, TWO_A_QUARTER, deferrable=True)},
        [[1_500.0, 0.0, 0.0, 0.0, 0.0]], [[0.0, 15.0, 30.0, 50.0, 2_000.0]],
        waterfall={"trigger": {
            "tests": {"cover": {"kind": "interest", "at_least": 2.0, "window": 1}}, "cure_quarters": 2,
        }},
    ))  # fmt: skip
    assert [step.paid.locked for step in done[:4]] == [0.0, 1.0, 1.0, 0.0]
    assert of_row(done[1], "interest") == [10.0, 0.0]
    assert of_row(done[1], "principal") == [5.0, 0.0]
    assert of_row(done[2], "interest") == [9.95, 0.0]
    assert of_row(done[2], "principal") == [20.05, 0.0]
    assert of_row(done[2], "owed") == [0.0, 20.20]
    assert of_row(done[3], "interest") == [9.7495, 30.604]
    assert of_row(done[3], "principal") == [9.6465, 0.0]
    assert of_row(done[3], "balance") == [965.3035, 500.0]


def test_the_reserve_pays_a_senior_coupon() -> None:
    """Two quarters of interest are kept, and pay the coupon when nothing comes in, until they are gone.

    Senior 1,000 at 1% a quarter that may not be put off.

    Row 1: 30 came in: coupon 10, reserve 2 x 10 = 20.
    Row 2: 4: coupon 10, 6 of it out of the reserve, which has 14.
    Row 3: nil: coupon 10 out of the reserve, which has 4.
    Row 4: nil: the reserve pays 4 of 10; 6 are missed and owed.
    Row 5: 20: interest of 10 + 1% of 6 = 10.06, and the 6; the other 3.94 go to the reserve.
    """
    done = steps(case(
        {"senior": note(1_000.0, 1, ONE_A_QUARTER), "equity": note(1_000.0, 2, None)},
        [[2_000.0, *[0.0] * 6]], [[0.0, 30.0, 4.0, 0.0, 0.0, 20.0, 2_500.0]],
        reserve={"interest_quarters": 2},
    ))  # fmt: skip
    assert [step.paid.interest[0] for step in done[:6]] == pytest.approx([0.0, 10.0, 10.0, 10.0, 4.0, 16.06])
    assert [step.state.reserve for step in done[:6]] == pytest.approx([0.0, 20.0, 14.0, 4.0, 0.0, 3.94])
    assert [step.state.missed[0] for step in done[:6]] == [0.0, 0.0, 0.0, 0.0, 1.0, 1.0]
    assert of_row(done[4], "owed") == [6.0, 0.0]
    assert not any(sum(step.paid.principal) + sum(step.paid.more) for step in done[:6])


def test_pro_rata_then_sequential() -> None:
    """Principal is shared by balance until assets no longer cover the senior note 1.2 times (never late).

    Senior 600 and junior 300 without interest; 900 drawn at close; 300 planned in each of four quarters.

    Row 1: 300 came: 200 and 100.
    Row 2: 60, so 360 of the 600 planned so far. The deal is worth the lesser of its cost, 540, and 60% of
    the 600 still planned, 360. 360 + 60 = 420 against 1.2 x 400 = 480: fails, and all 60 are the senior's.
    Row 3: 100, so 460 of 900: worth 46/90 of 300 = 153.33. 253.33 against 1.2 x 340: fails; all 100 senior.
    Row 4: 400 against 1.2 x 240: passes, once, and two are needed: the senior has its 240 first, then the
    junior 160 of its 200.
    """
    done = steps(case(
        {"senior": note(600.0, 1, 0.0), "junior": note(300.0, 2, 0.0)},
        [[900.0, 0.0, 0.0, 0.0, 0.0]], [[0.0, 300.0, 300.0, 300.0, 300.0]],
        came=[[0.0, 300.0, 60.0, 100.0, 400.0]], late=0,
        waterfall={"principal": "pro-rata", "trigger": {
            "tests": {"assets": {"kind": "assets", "at_least": 1.2}}, "cure_quarters": 2,
        }},
    ))  # fmt: skip
    principal = [[200.0, 100.0], [60.0, 0.0], [100.0, 0.0], [240.0, 160.0]]
    for step, expected in zip(done[1:], principal, strict=True):
        assert of_row(step, "principal") == expected
    assert [step.paid.value for step in done[1:]] == pytest.approx([600.0, 360.0, 300.0 * 46 / 90, 0.0])
    assert [step.paid.locked for step in done] == [0.0, 0.0, 1.0, 1.0, 1.0]


def test_recycling_inside_the_limit() -> None:
    """A fifth of 1,000 may be put into deals again, and then what is undrawn is the end of it.

    Row 0: 600 called. Row 1: 300 called; 250 come back: 200 are kept, 50 repay.
    Row 2: 400 asked: 200 kept and the last 100 undrawn make 300, three quarters of it. 500 come back; 100 are
    still to be drawn, but the limit is used up: all repay. The balance is 600 + 300 - 50 + 100 - 500 = 450.
    Row 3: 100 asked, and there is nothing. Row 4: 700: 450 repay, 250 are left.
    """
    done = steps(case(
        {"note": note(1_000.0, 1, 0.0)},
        [[600.0, 300.0, 400.0, 100.0, 0.0]], [[0.0, 250.0, 500.0, 0.0, 700.0]],
        recycling={"limit": 0.2, "until_quarter": 3},
    ))  # fmt: skip
    assert [step.called.calls[0] for step in done] == pytest.approx([600.0, 300.0, 100.0, 0.0, 0.0])
    assert [step.state.retained for step in done] == pytest.approx([0.0, 200.0, 0.0, 0.0, 0.0])
    assert [step.state.recycled for step in done] == pytest.approx([0.0, 0.0, 200.0, 200.0, 200.0])
    assert [step.called.granted[0] for step in done] == pytest.approx([600.0, 300.0, 300.0, 0.0, 0.0])
    assert [step.called.met for step in done] == pytest.approx([1.0, 1.0, 0.75, 0.0, 1.0])
    assert [step.paid.principal[0] for step in done] == pytest.approx([0.0, 50.0, 500.0, 0.0, 450.0])
    assert done[4].paid.surplus == pytest.approx(250.0)


def test_notice_rations_and_then_meets() -> None:
    """Money comes a quarter after it was called by the plan; who asks more waits a quarter for the rest.

    Plan: 100, 200, 100 of two deals. Row 0: 100 called before close arrive; 200 are called.
    Row 1: the first asks 200 for 150, the second 100 for 50: 200 of 300 are there, so 133.33 and 66.67.
    100 short and 100 planned: 200 are called. Row 2: 50 + 66.67 and 50 + 33.33 are asked, 200 in all: met.
    """
    plan = [[50.0, 150.0, 50.0, 0.0, 0.0], [50.0, 50.0, 50.0, 0.0, 0.0]]
    asked = [[50.0, 200.0, 50.0 + 200 / 3, 0.0, 0.0], [50.0, 100.0, 50.0 + 100 / 3, 0.0, 0.0]]
    done = steps(case(
        {"note": note(1_000.0, 1, None)}, plan, [[0.0, 0.0, 0.0, 0.0, 300.0]] * 2,
        asked=asked, calls={"notice_quarters": 1},
    ))  # fmt: skip
    assert [step.called.calls[0] for step in done] == pytest.approx([100.0, 200.0, 200.0, 0.0, 0.0])
    assert [step.called.met for step in done] == pytest.approx([1.0, 2 / 3, 1.0, 1.0, 1.0])
    assert done[1].called.granted == pytest.approx((400 / 3, 200 / 3))
    assert done[2].called.granted == pytest.approx((350 / 3, 250 / 3))
    assert done[-1].paid.more[0] == pytest.approx(100.0)


def test_a_capped_note_and_the_community() -> None:
    """The residual note stops at its cap; what is over waits at interest, and is the community's at the end.

    Senior 600 at 1% a quarter, equity 400 capped at 2%; idle cash earns 1%.

    Row 1: 700: interest 6, principal 600, and 94 of equity's capital. To have 2% it needs 408 - 94 = 314.
    Row 2: 500: it needs 314 x 1.02 = 320.28: the 306 of its capital and 14.28. 179.72 are kept.
    Row 3: 1.7972 are earned on them: 181.5172.
    """
    equity = {**note(400.0, 2, None), "rate": {"basis": "residual", "cap": TWO_A_QUARTER}}
    done = steps(case(
        {"senior": note(600.0, 1, ONE_A_QUARTER), "equity": equity},
        [[1_000.0, 0.0, 0.0, 0.0]], [[0.0, 700.0, 500.0, 0.0]], cash_yield=ONE_A_QUARTER,
    ))  # fmt: skip
    assert of_row(done[1], "interest") == [6.0, 0.0]
    assert of_row(done[1], "principal") == [600.0, 94.0]
    assert of_row(done[2], "principal") == [0.0, 306.0]
    assert of_row(done[2], "more") == [0.0, 14.28]
    assert done[2].state.held == pytest.approx(179.72)
    assert done[3].paid.surplus == pytest.approx(181.5172)


def test_a_performance_rate_half_way() -> None:
    """4%, and 4% more where 100% of the planned receipts came, nothing more at 70%.

    Row 1: nothing was planned yet: 4%, (1.04^0.25 - 1) x 1,000 = 9.853407. 170 came for the 200 planned:
    160.146593 repay, and 839.853407 are left.
    Row 2: 85% came, half way from 70% to 100%: 4% + 2% = 6%, (1.06^0.25 - 1) x 839.853407 = 12.323880.
    """
    rate = {"basis": "performance", "annual": 0.04, "extra": 0.04, "nothing_at": 0.7, "all_at": 1.0}
    done = steps(case(
        {"note": {**note(1_000.0, 1, 0.0), "rate": rate}},
        [[1_000.0, 0.0, 0.0, 0.0]], [[0.0, 200.0, 0.0, 1_000.0]], came=[[0.0, 170.0, 100.0, 1_000.0]],
    ))  # fmt: skip
    assert of_row(done[1], "interest") == [9.853407]
    assert of_row(done[1], "balance") == [839.853407]
    assert of_row(done[2], "interest") == [12.323880]


def test_a_performance_rate_on_plan_is_whole() -> None:
    """All that was planned by the last row came by then: 8%, every quarter from the second receipt on.

    100 a quarter as planned, on a note of 1,000: in row 2 the 100 planned in row 1 have come, all of them.
    Row 1 takes 9.853407 of interest and repays 90.146593; row 2 bears 8% on 909.853407,
    (1.08^0.25 - 1) x 909.853407 = 17.675310.
    """
    rate = {"basis": "performance", "annual": 0.04, "extra": 0.04, "nothing_at": 0.7, "all_at": 1.0}
    done = steps(case(
        {"note": {**note(1_000.0, 1, 0.0), "rate": rate}},
        [[1_000.0, 0.0, 0.0, 0.0]], [[0.0, 100.0, 100.0, 1_000.0]],
    ))  # fmt: skip
    assert of_row(done[2], "interest") == [17.675310]


def test_a_fee_on_what_is_undrawn_starts_after_close() -> None:
    """500 of 1,000 are drawn at close, the rest in row 2: fees on 500 in rows 1 and 2 only, none at close.

    1% a quarter: 5 in row 1, 5 in row 2; and nothing is missed at close.
    """
    done = steps(case(
        {"note": note(1_000.0, 1, 0.0, undrawn_fee=ONE_A_QUARTER)},
        [[500.0, 0.0, 500.0, 0.0]], [[0.0, 100.0, 100.0, 1_000.0]],
    ))  # fmt: skip
    assert [step.paid.interest[0] for step in done] == pytest.approx([0.0, 5.0, 5.0, 0.0])
    assert done[0].state.missed == (0.0,)


def test_redemptions_go_by_rank() -> None:
    """Where the reserve is short the first rank is redeemed first, in whatever order notes are listed.

    Half of each balance is asked for in row 2; the reserve kept 10% of 600 and of 300, 90 in all: the senior
    note asks 300 and has all 90.
    """
    retail = {"redemption": {"every": 4, "first": 2, "asked_for": 0.5, "kept": 0.1}}
    done = steps(case(
        {"junior": note(300.0, 2, 0.0, retail=retail), "senior": note(600.0, 1, 0.0, retail=retail)},
        [[900.0, 0.0, 0.0, 0.0]], [[0.0, 90.0, 0.0, 1_000.0]],
    ))  # fmt: skip
    assert done[1].state.reserve == pytest.approx(90.0)
    assert of_row(done[2], "redeemed") == [0.0, 90.0]


def test_carry_on_a_capped_note_is_refused() -> None:
    """What is over the cap would be shared with the manager although investors never have it."""
    equity = {**note(100.0, 1, None), "rate": {"basis": "residual", "cap": 0.1}}
    with pytest.raises(ValueError, match="share no profit with a manager"):
        steps(case(
            {"equity": equity}, [[100.0, 0.0]], [[0.0, 180.0]],
            carry={"preferred": 0.08, "share": 0.2, "catch_up": 1.0},
        ))  # fmt: skip


def test_what_is_left_in_a_lock_up_is_not_lost() -> None:
    """A fund that ends in a lock-up, where a residual note without a cap has what is left.

    Row 1: 5 came in against 10 of interest: locked. Row 2, the last: 2,000; the test passes once, and two are
    needed. The senior note has all it is owed, 10 + 5.05 of interest and 1,000, and 984.95 are the equity's:
    nobody else is named to have them.
    """
    done = steps(case(
        {"senior": note(1_000.0, 1, ONE_A_QUARTER), "equity": note(500.0, 2, None)},
        [[1_500.0, 0.0, 0.0]], [[0.0, 5.0, 2_000.0]], surplus_to=None,
        waterfall={"trigger": {"tests": {"cover": {"kind": "interest", "at_least": 2.0, "window": 1}}}},
    ))  # fmt: skip
    assert done[2].paid.surplus == pytest.approx(0.0)
    assert sum(done[2].paid.principal) + done[2].paid.more[1] == pytest.approx(1_984.95)


def test_what_is_over_a_cap_has_somebody_to_go_to() -> None:
    """Two residual notes of one rank, one with a cap: what is over the cap is somebody's.

    100 and 100 in, 400 back a quarter later: 200 each; the capped note has 102. The other 98 go to the note
    without a cap, or the file must say to whom: without ``surplus_to`` it is not read.
    """
    capped = {**note(100.0, 1, None), "rate": {"basis": "residual", "cap": TWO_A_QUARTER}}
    one = case(
        {"capped": capped, "open": note(100.0, 1, None)}, [[200.0, 0.0]], [[0.0, 400.0]], surplus_to=None
    )
    try:
        done = steps(one)
    except ValidationError:
        return
    assert done[1].paid.surplus == pytest.approx(0.0)


def test_notes_are_not_called_for_costs_once_deals_have_drawn() -> None:
    """With notice as without: after the last planned drawing costs come out of what deals pay back.

    100 drawn at close, costs of 5 a quarter, 50 back in row 1 and 200 in row 4. Without notice nothing is
    called after row 0.
    """
    for notice in (0, 1):
        done = steps(case(
            {"note": note(1_000.0, 1, None)}, [[100.0, 0.0, 0.0, 0.0, 0.0]], [[0.0, 50.0, 0.0, 0.0, 200.0]],
            costs={"per_year": 20.0}, calls={"notice_quarters": notice},
        ))  # fmt: skip
        assert [step.called.calls[0] for step in done] == pytest.approx([100.0, 0.0, 0.0, 0.0, 0.0]), notice


def test_a_pool_that_is_short() -> None:
    """Claims of 100 and 300 on a pool of 200 are met by half; the other half stays with the fund.

    Senior 600 without interest, equity 400. Row 1: the deals paid back 300 and 300 of 400 and 600: the senior
    is repaid. They claim 100 and 300. Row 2: the pool pays 50 and 150, equity's capital; 200 of it are lost.
    """
    one = case(
        {"senior": note(600.0, 1, 0.0), "equity": note(400.0, 2, None)},
        [[400.0, 0.0, 0.0, 0.0], [600.0, 0.0, 0.0, 0.0]],
        [[0.0, 400.0, 0.0, 0.0], [0.0, 600.0, 0.0, 0.0]],
        came=[[0.0, 300.0, 0.0, 0.0], [0.0, 300.0, 0.0, 0.0]],
        pool=[[0.0, 0.0, 50.0, 0.0], [0.0, 0.0, 150.0, 0.0]],
    )  # fmt: skip
    one["fund"]["pool"] = {"guarantor": "foundation", "cap": 200.0}
    terms = made_ready(one).pool
    state, nothing = pool.answer(terms, pool.opening(2), 0.0)
    assert nothing.total == 0.0
    state, answered = pool.answer(terms, pool.claim(state, (100.0, 300.0)), 0.0)
    assert answered.pays == (50.0, 150.0)
    state, later = pool.answer(terms, pool.claim(state, (0.0, 0.0)), 0.0)
    assert later.total == 0.0
    assert (state.used, state.claimed, state.met) == (200.0, (100.0, 300.0), (50.0, 150.0))

    done = steps(one)
    assert of_row(done[1], "principal") == [600.0, 0.0]
    assert of_row(done[2], "principal") == [0.0, 200.0]
    assert of_row(done[3], "balance") == [0.0, 200.0]
    assert done[3].state.deal_back == (350.0, 450.0)
    assert done[3].paid.surplus == 0.0
