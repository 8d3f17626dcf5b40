"""Payment for success, small enough to redo by hand: four programmes, one review."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from socialfinance.funds import policy_step
from socialfinance.funds.policy_step import NEVER, Now, State, Terms

ROWS = 9
"""Rows 0 to 8; each programme starts 10 people and spends £1,000 a quarter in rows 1 to 8."""


def plan(per_row: float) -> tuple[float, ...]:
    return tuple(per_row * row for row in range(ROWS))


def terms(**changes: Any) -> Terms:
    """Review in row 4; the worst quarter cut, the best quarter grown by at most a half, consent always."""
    four = range(4)
    made = Terms(
        cut=0.25, reinvest=0.25, first=4, every=4, last=8, notice=1.0, taper=1.0, see_out=0.0,
        wind_down=0.5, error=0.0, per_review=0.5, most=2.0,
        diminishing=0.2, new_for=0.0, improving_by=-1.0, learning=0.0,
        judged=(True,) * 4, first_start=(1.0,) * 4, per_pound=(1.0,) * 4,
        value=tuple(plan(1000.0) for _ in four), cost=tuple(plan(1000.0) for _ in four),
        starts=tuple(plan(10.0) for _ in four),
    )  # fmt: skip
    return made._replace(**changes)


def after(made: Terms, values: tuple[float, ...], runs: tuple[float, ...] = (1.0,) * 4, **more: Any) -> State:
    """The state after row 4, where programmes have been worth ``values`` a quarter at plan cost."""
    state = policy_step.opening(4)
    for row in range(1, 5):
        given: dict[str, Any] = {"error": (0.0,) * 4, "tie": (0.1, 0.2, 0.3, 0.4), "consents": (1.0,) * 4}
        given.update(more)
        now = Now(row=row, value=values, cost=(1000.0,) * 4, starts=(10.0,) * 4, runs=runs, **given)
        state = policy_step.measure(made, state, now)
        if policy_step.reviewed(made, row):
            state = policy_step.review(made, state, now)
    return state


def test_the_worst_is_cut_and_the_best_grows() -> None:
    """Worths of 700, 900, 1,000 and 1,200: the first is cut, the last grows.

    Freed: starts fall away from row 4 + notice 1 + half a taper, 5.5, rounded to 6: 2 of 8 quarters of starts
    are left, so 8,000 x 1/4 = 2,000. The best could grow by 0.5 of what starts after row 5: 3 of 8 quarters,
    8,000 x 3/8 x 0.5 = 1,500. It grows by all of it, and 500 finds no room. Its caps grow by 0.5 x 3/8.
    """
    state = after(terms(), (700.0, 900.0, 1000.0, 1200.0))
    assert state.cut_at == (4.0, NEVER, NEVER, NEVER)
    assert state.scale == pytest.approx((1.0, 1.0, 1.0, 1.5))
    assert state.size == pytest.approx((1.0, 1.0, 1.0, 1.0 + 0.5 * 3 / 8))
    assert state.pot == pytest.approx(500.0)


def test_what_is_told_after_the_review() -> None:
    """Notice of one quarter, gone in the next; half a quarter of cost winds it down; growth costs 10%."""
    made = terms()
    state = after(made, (700.0, 900.0, 1000.0, 1200.0))
    told = {row: policy_step.steer(made, state, row) for row in range(4, 8)}
    assert [told[row].scale[0] for row in range(4, 8)] == [1.0, 1.0, 0.0, 0.0]
    assert [told[row].withdrawn[0] for row in range(4, 8)] == [0.0, 0.0, 1.0, 1.0]
    assert [told[row].wind_down[0] for row in range(4, 8)] == [0.0, 0.0, 500.0, 0.0]
    assert told[5].scale[3] == pytest.approx(1.5)
    assert told[5].performance[3] == pytest.approx(0.9)
    assert told[5].performance[1] == 1.0


def test_people_are_seen_out_before_the_fund_leaves() -> None:
    """Two quarters after the last start in row 6: it leaves in row 8."""
    made = terms(see_out=2.0)
    state = after(made, (700.0, 900.0, 1000.0, 1200.0))
    told = [policy_step.steer(made, state, row) for row in range(5, 9)]
    assert [one.scale[0] for one in told] == [1.0, 0.0, 0.0, 0.0]
    assert [one.withdrawn[0] for one in told] == [0.0, 0.0, 0.0, 1.0]
    assert [one.wind_down[0] for one in told] == [0.0, 0.0, 0.0, 500.0]


def test_a_taper_falls_evenly() -> None:
    """Over four quarters after a notice of one: 3/4, 2/4, 1/4, gone."""
    made = terms(taper=4.0)
    state = after(made, (700.0, 900.0, 1000.0, 1200.0))
    told = [policy_step.steer(made, state, row).scale[0] for row in range(5, 9)]
    assert told == [1.0, 0.75, 0.5, 0.25]


def test_without_consent_nothing_is_put_there() -> None:
    state = after(terms(), (700.0, 900.0, 1000.0, 1200.0), consents=(1.0, 1.0, 1.0, 0.0))
    assert state.scale == (1.0, 1.0, 1.0, 1.0)
    assert state.pot == pytest.approx(2000.0)


def test_what_is_freed_limits_growth() -> None:
    """The two best of four could take 2 x 1,500; 2,000 is freed: each grows by two thirds of a half."""
    state = after(terms(reinvest=0.5), (700.0, 900.0, 1000.0, 1200.0))
    assert state.scale == pytest.approx((1.0, 1.0, 1.0 + 1 / 3, 1.0 + 1 / 3))
    assert state.pot == pytest.approx(0.0)


def test_an_error_of_measurement_cuts_the_wrong_one() -> None:
    """40 people: an error of one sd of 0.2 / sqrt(0.4) = 0.316 leaves 900 x 0.684 = 616 below 700."""
    state = after(terms(error=0.2), (700.0, 900.0, 1000.0, 1200.0), error=(0.0, -1.0, 0.0, 0.0))
    assert state.cut_at[1] == 4.0
    assert state.cut_at[0] == NEVER
    noise = policy_step.noise_of(terms(error=0.2), 40.0, -1.0)
    assert noise == pytest.approx(1.0 - 0.2 / 0.4**0.5)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"new_for": 4.0}, "too young: first start in row 1"),
        ({"judged": (False, True, True, True)}, "not under the policy: the next worst is cut"),
        ({"notice": 9.0}, "no starts are left after the notice"),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_what_is_not_ranked_is_not_cut(change: dict[str, Any], why: str) -> None:
    state = after(terms(**change), (700.0, 900.0, 1000.0, 1200.0))
    assert state.cut_at[0] == NEVER, why


def test_one_whose_contract_has_ended_is_not_ranked() -> None:
    state = after(terms(), (700.0, 900.0, 1000.0, 1200.0), runs=(0.0, 1.0, 1.0, 1.0))
    assert state.cut_at[0] == NEVER
    assert state.cut_at[1] == 4.0  # a quarter of three is the nearest whole number to 0.75


def test_one_that_improves_is_spared() -> None:
    """Worth 100 in its first four quarters and 1,300 in the next: of eight, 700 a quarter; lately 1,300."""
    long = tuple(tuple(1000.0 * row for row in range(40)) for _ in range(4))
    made = terms(first=8, starts=long, value=long, cost=long)
    for spared, margin in ((True, 0.1), (False, 1.0)):
        state = policy_step.opening(4)
        for row in range(1, 9):
            worth = (100.0 if row <= 4 else 1300.0, 900.0, 1000.0, 1200.0)
            one, cost = (1.0,) * 4, (1000.0,) * 4
            now = Now(row, worth, cost, (10.0,) * 4, one, (0.0,) * 4, (0.1,) * 4, one)
            state = policy_step.measure(made._replace(improving_by=margin), state, now)
            if row == 8:
                state = policy_step.review(made._replace(improving_by=margin), state, now)
        assert (state.cut_at[0] == NEVER) == spared


def test_ties_go_to_the_lower_draw() -> None:
    state = after(terms(), (900.0,) * 4, tie=(0.9, 0.2, 0.3, 0.4))
    assert state.cut_at == (NEVER, 4.0, NEVER, NEVER)


def test_floats_and_arrays_agree() -> None:
    """The same four programmes on two paths, the second with the order turned round."""
    up, down = (700.0, 900.0, 1000.0, 1200.0), (1200.0, 1000.0, 900.0, 700.0)
    both = tuple(np.array(pair) for pair in zip(up, down, strict=True))
    wide = after(terms(), both)
    for path, values in enumerate((up, down)):
        narrow = after(terms(), values)
        for d in range(4):
            assert np.broadcast_to(wide.cut_at[d], (2,))[path] == narrow.cut_at[d]
            assert np.broadcast_to(wide.scale[d], (2,))[path] == pytest.approx(narrow.scale[d])
