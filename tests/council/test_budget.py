"""A list of yearly budgets, spent year by year: examples to redo by hand, and what must always hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from socialfinance.core.errors import InputError
from socialfinance.council.budget import budget_of, exposure_table, payments, savings, spend
from socialfinance.funds.books import Budget

YEARS = ("2026/27", "2027/28", "2028/29")


def plan(**terms: object) -> Budget:
    return Budget.model_validate(
        {"by_year": {"2026/27": 100.0, "2027/28": 100.0}, "illustrative": True, **terms}
    )


def test_three_years_by_hand() -> None:
    """100 a year for two years, half of what is left carried on, a tenth of the rest to a reserve of 30.

    Year 1 spends 60: under 40, carried 20, to the reserve 0.1 x 20 = 2, reserve 32. Year 2 has 120 and spends
    130: over 10, all from the reserve, 22 left. Year 3 has nothing and spends 50: 22 from the reserve, 28 not
    covered.
    """
    terms = plan(carry_forward=0.5, to_reserve=0.1, reserve=30.0)
    amounts, caps = budget_of(terms, YEARS)
    done = spend(amounts, np.array([[60.0], [130.0], [50.0]]), terms, caps)
    assert done.available[:, 0].tolist() == [100.0, 120.0, 0.0]
    assert done.over[:, 0].tolist() == [0.0, 10.0, 50.0]
    assert done.under[:, 0].tolist() == [40.0, 0.0, 0.0]
    assert done.from_reserve[:, 0].tolist() == [0.0, 10.0, 22.0]
    assert done.uncovered[:, 0].tolist() == [0.0, 0.0, 28.0]
    assert done.reserve[:, 0].tolist() == [32.0, 22.0, 0.0]


def test_a_years_cap_is_passed_whatever_is_in_reserve() -> None:
    terms = plan(reserve=1_000.0, caps={"2027/28": 110.0})
    amounts, caps = budget_of(terms, YEARS)
    done = spend(amounts, np.array([[150.0, 90.0], [150.0, 110.0], [0.0, 0.0]]), terms, caps)
    assert done.over_cap.tolist() == [[0.0, 0.0], [40.0, 0.0], [0.0, 0.0]]
    table = exposure_table(YEARS, done, amounts).set_index("financial_year")
    assert table.loc["2027/28", "chance_over_cap"] == 0.5
    assert table.loc["2026/27", "chance_over"] == 0.5
    assert table.loc["2026/27", "mean_over"] == 50.0
    assert table.loc["2026/27", "chance_uncovered"] == 0.0
    assert table.loc["2026/27", "chance_under"] == 0.5
    assert table.loc["2026/27", "mean_under"] == 10.0


money = arrays(float, (3, 4), elements=st.floats(0.0, 1e6))


@settings(max_examples=80, deadline=None)
@given(
    spent=money, budgets=arrays(float, 3, elements=st.floats(0.0, 1e6)), carry=st.floats(0.0, 1.0),
    keep=st.floats(0.0, 1.0), reserve=st.floats(0.0, 1e6),
)  # fmt: skip
def test_no_money_is_made_or_lost(
    spent: np.ndarray, budgets: np.ndarray, carry: float, keep: float, reserve: float
) -> None:
    """Spending = budget, carried on or not, + reserve drawn + uncovered - under; nothing below nil."""
    terms = plan(carry_forward=carry, to_reserve=keep, reserve=reserve)
    done = spend(budgets, spent, terms)
    for part in done:
        assert np.all(part >= 0.0)
    scale = 1e-9 * (1.0 + budgets.sum() + spent.sum() + reserve)
    assert np.all(np.abs(spent - (done.available + done.over - done.under)) <= scale)
    assert np.all(np.abs(done.over - done.from_reserve - done.uncovered) <= scale)
    carried = carry * done.under
    opening = np.vstack([np.full(4, reserve), done.reserve[:-1]])
    assert np.all(
        np.abs(done.reserve - (opening - done.from_reserve + keep * (done.under - carried))) <= scale
    )
    assert np.all(np.abs(done.available[1:] - budgets[1:, None] - carried[:-1]) <= scale)
    assert np.all((done.over == 0.0) | (done.under == 0.0))


@settings(max_examples=30, deadline=None)
@given(spent=money, budgets=arrays(float, 3, elements=st.floats(0.0, 1e6)))
def test_a_reserve_as_large_as_all_overspends_covers_them(spent: np.ndarray, budgets: np.ndarray) -> None:
    needed = spend(budgets, spent).uncovered.sum(axis=0)
    covered = spend(budgets, spent, plan(reserve=float(needed.max()) + 1e-6))
    assert np.all(covered.uncovered <= 1e-5)


def test_payments_and_savings_are_read_apart() -> None:
    legs = {
        ("a", "v", "outcome payment"): np.array([[10.0]]), ("v", "a", "surplus share"): np.array([[4.0]]),
        ("outside", "a", "saving"): np.array([[7.0]]), ("a", "outside", "extra cost"): np.array([[2.0]]),
        ("outside", "a", "non-cashable saving"): np.array([[50.0]]),
        ("v", "a", "property in kind"): np.array([[500.0]]),
    }  # fmt: skip
    assert payments(legs, "a", (1, 1)).item() == 6.0
    assert savings(legs, "a", (1, 1)).item() == 5.0
    assert savings(legs, "a", (1, 1), cashable=False).item() == 50.0


def test_a_year_outside_the_file_is_refused() -> None:
    with pytest.raises(InputError, match=r"budget\.by_year.*2035/36.*2026/27 to 2028/29"):
        budget_of(Budget.model_validate({"by_year": {"2035/36": 1.0}}), YEARS)


@pytest.mark.parametrize("year", ["2026/28", "2026-27", "26/27"])
def test_what_is_no_financial_year_is_refused(year: str) -> None:
    with pytest.raises(ValueError, match="by_year"):
        Budget.model_validate({"by_year": {year: 1.0}})


def test_a_reserve_below_nil_is_refused() -> None:
    with pytest.raises(ValueError, match="reserve"):
        plan(reserve=-1.0)
