"""Rules for sharing out a purse: closed forms, axioms, and matrices that add up."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from socialfinance.core.errors import InputError
from socialfinance.council.purse import matrix, shapley, share_out, wrong_pockets

SAVED = {"council": 60.0, "nhs": 30.0, "police": 10.0}


def test_pro_rata_by_hand() -> None:
    """Cost 80 of savings of 100: each pays four fifths of what it saves."""
    out = share_out(SAVED, 80.0, "pro rata to savings")
    assert out.pays == pytest.approx({"council": 48.0, "nhs": 24.0, "police": 8.0})
    assert out.net == pytest.approx({"council": 12.0, "nhs": 6.0, "police": 2.0})
    assert out.all_better_off


def test_equal_by_hand() -> None:
    """A net benefit of 20 in three parts; police is paid to join (10 - 6.67 = 3.33 paid)."""
    out = share_out(SAVED, 80.0, "equal")
    assert out.net == pytest.approx(dict.fromkeys(SAVED, 20.0 / 3.0))
    assert out.pays["police"] == pytest.approx(10.0 / 3.0)


def test_shapley_by_hand() -> None:
    """Cost 50. Worth: council 10; council+nhs 40, council+police 20; nhs+police nil; all 50.

    Council adds 10, 10, 40, 20, 50, 50 over the six orders: mean 30; nhs 0 or 30, 30, 40...: 15; police 5.
    """
    out = share_out(SAVED, 50.0, "shapley")
    assert out.net == pytest.approx({"council": 30.0, "nhs": 15.0, "police": 5.0})
    assert out.alone == {"council": 10.0, "nhs": 0.0, "police": 0.0}
    assert out.all_better_off


def test_equal_parts_can_leave_one_worse_off_than_alone() -> None:
    out = share_out({"council": 100.0, "nhs": 1.0}, 10.0, "equal")
    assert not out.all_better_off  # alone the council would have 90, together it has 45.5


def test_a_purse_that_loses_shares_the_loss_equally_by_shapley() -> None:
    """No coalition would go ahead, all have agreed to: -20 in three parts."""
    out = share_out(SAVED, 120.0, "shapley")
    assert out.net == pytest.approx(dict.fromkeys(SAVED, -20.0 / 3.0))
    assert not out.all_better_off


amounts = st.dictionaries(st.sampled_from("abcdef"), st.floats(0.0, 1e6), min_size=1, max_size=5)


@settings(max_examples=60, deadline=None)
@given(
    saved=amounts, cost=st.floats(0.0, 2e6), rule=st.sampled_from(["pro rata to savings", "equal", "shapley"])
)
def test_every_rule_shares_out_all_of_it(saved: dict[str, float], cost: float, rule: str) -> None:
    out = share_out(saved, cost, rule)  # type: ignore[arg-type]
    total = sum(saved.values()) - cost
    assert sum(out.net.values()) == pytest.approx(total, abs=1e-6)
    assert sum(out.pays.values()) == pytest.approx(cost, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(saved=amounts, cost=st.floats(0.0, 2e6))
def test_shapley_is_the_mean_over_orders(saved: dict[str, float], cost: float) -> None:
    """Written again from its definition: what each adds, over every order of joining."""

    def worth(some: frozenset[str]) -> float:
        gain = sum(saved[one] for one in some) - cost
        return gain if len(some) == len(saved) else max(0.0, gain)

    orders = list(permutations(saved))
    added = dict.fromkeys(saved, 0.0)
    for order in orders:
        for i, one in enumerate(order):
            before = frozenset(order[:i])
            added[one] += (worth(before | {one}) - worth(before)) / len(orders)
    out = share_out(saved, cost, "shapley")
    assert out.net == pytest.approx(added, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(saved=amounts, cost=st.floats(0.0, 2e6))
def test_shapley_leaves_nobody_worse_off_than_alone(saved: dict[str, float], cost: float) -> None:
    """The game is convex where the purse gains, so its value is in the core."""
    if sum(saved.values()) >= cost:
        assert share_out(saved, cost, "shapley").all_better_off


def test_shapley_of_a_glove_game() -> None:
    """One left glove, two right ones: 2/3, 1/6, 1/6, the textbook answer."""
    found = shapley(("l", "r1", "r2"), lambda some: float("l" in some and len(some) > 1))
    assert found == pytest.approx({"l": 2 / 3, "r1": 1 / 6, "r2": 1 / 6})


def test_eleven_agencies_are_too_many() -> None:
    with pytest.raises(InputError, match=r"too many.*11.*up to 10"):
        share_out({str(i): 1.0 for i in range(11)}, 5.0, "shapley")


@pytest.mark.parametrize(
    ("savings", "cost", "rule", "field"),
    [
        ({"a": -1.0}, 1.0, "equal", r"savings\.a"),
        ({"a": 1.0}, -1.0, "equal", "cost"),
        ({}, 1.0, "equal", "savings"),
        ({"a": 1.0}, 1.0, "by weight", "rule"),
    ],
)  # fmt: skip
def test_bad_input(savings: dict[str, float], cost: float, rule: str, field: str) -> None:
    with pytest.raises(InputError, match=field):
        share_out(savings, cost, rule)  # type: ignore[arg-type]


def test_a_matrix_adds_up_over_years() -> None:
    by_agency = {"a": np.array([[1.0, 3.0], [5.0, 7.0]]), "b": np.zeros((2, 2))}
    table = matrix(("2026/27", "2027/28"), by_agency)
    whole = table[table["financial_year"] == ""].set_index("agency")["expected"]
    years = table[table["financial_year"] != ""].groupby("agency")["expected"].sum()
    assert whole["a"] == years["a"] == 8.0
    row = table[(table["agency"] == "a") & (table["financial_year"] == "2026/27")].iloc[0]
    assert (row["p5"], row["p95"], row["standard_error"]) == (1.0, 3.0, 1.0)


def test_the_wrong_pocket_is_that_of_agencies_that_pay_nothing() -> None:
    saved = {"council": np.array([[10.0]]), "nhs": np.array([[4.0]]), "police": np.array([[-3.0]])}
    paid = {"council": np.array([[8.0]]), "nhs": np.array([[0.0]])}
    assert wrong_pockets(saved, paid).item() == 4.0
