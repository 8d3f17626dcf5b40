"""The PWLB question, on books small enough to redo by hand and on shipped deals; deterministic cases."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

import socialfinance as sf
from socialfinance.council import cases, question
from socialfinance.council.view import View, view
from socialfinance.engine.books import OWN, DealBooks, Kept, expected_rate, keep_books
from socialfinance.engine.ready import ReadyDeal, ReadyPortfolio, prepare
from socialfinance.kernels.returns import OK
from tests.fixtures import one_deal


class _Terms:
    performance_effect = 0.0


class _Deal:
    name, deal = "deal", _Terms()


def books(here: list[float], there: list[float], saved: float = 0.0, balance: float = 100.0) -> DealBooks:
    """Net cost by path under the structure and in house; there the same savings, the rest is paid."""
    mine, theirs = np.array(here), np.array(there)
    nil = np.full(len(mine), saved)

    def kept(cost: np.ndarray, cash: list[float]) -> Kept:
        worth = {"council": {"net_cost_pv": cost, "paid_pv": cost + nil, "saving_pv": nil}}
        return Kept(worth=worth, mean_net={"council": np.array(cash)})

    return DealBooks(
        _Deal(),  # type: ignore[arg-type]
        {OWN: kept(mine, [90.0, 0.0, -99.0]), "in house": kept(theirs, [0.0] * 3)},
        {}, np.full(len(mine), balance),
        {("council", "in house"): (np.full(len(mine), 0.2), np.full(len(mine), float(OK)))},
    )  # fmt: skip


def test_the_difference_by_hand() -> None:
    """Structure 110, 130 against 100, 140: mean 0, dearer in half, spread moved 1 - 10 / 20."""
    found = question.against(books([110.0, 130.0], [100.0, 140.0]), "council", "in house")
    assert found is not None
    assert found.difference.mean == 0.0
    assert found.dearer.share == 0.5
    assert found.moved.share == pytest.approx(0.5)
    assert (found.moved.worst_here, found.moved.worst_there) == (10.0, 20.0)
    assert found.share_of_cost == 0.0
    dearer = question.against(books([112.0, 130.0], [100.0, 140.0]), "council", "in house")
    assert dearer is not None
    assert dearer.share_of_cost == pytest.approx(1.0 / 120.0)
    assert dearer.spread == pytest.approx(1.0 / 100.0)


def test_the_all_in_rate_is_what_paying_later_costs() -> None:
    """90 spared at close and 99 paid two quarters later: 10% for half a year, 21% a year."""
    found = question.against(books([1.0], [1.0]), "council", "in house")
    assert found is not None
    assert found.all_in_rate == pytest.approx(0.21)


def test_break_even_uplift_by_hand() -> None:
    """Pays 60 and saves 50 here, pays 55 in house: 1 + u = 50 / (55 - 10) = 10 / 9."""
    found = books([10.0], [5.0], saved=50.0)
    assert question.break_even_uplift(found, "council", "in house") == pytest.approx(1.0 / 9.0)
    even = books([5.0], [5.0], saved=50.0)
    assert question.break_even_uplift(even, "council", "in house") == pytest.approx(0.0)
    hopeless = books([60.0], [5.0], saved=50.0)
    assert question.break_even_uplift(hopeless, "council", "in house") is None


def test_a_body_with_no_part_has_no_answer() -> None:
    assert question.against(books([1.0], [1.0]), "nobody", "in house") is None


@cache
def ready(name: str) -> ReadyPortfolio:
    return prepare(sf.load(name).portfolio)


@cache
def seen(name: str, party: str) -> View:
    return view(ready(name), party, 7, 2_000)


def test_at_the_break_even_uplift_the_structure_costs_as_much() -> None:
    """State the uplift found as the effect on performance, run again: no difference is left."""
    table = seen("edge-of-care", "eastmere").against.set_index("alternative")
    uplift = float(table.loc["in house, same costs", "break_even_uplift"])
    portfolio = ready("edge-of-care").portfolio
    (name, deal), *_ = portfolio.deals.items()
    stated = portfolio.model_copy(
        update={"deals": {name: deal.model_copy(update={"performance_effect": uplift})}}
    )
    again = view(prepare(stated), "eastmere", 7, 2_000).against.set_index("alternative")
    row = again.loc["in house, same costs"]
    assert abs(row["difference_pv"]) < 1e-6 * abs(row["net_cost_pv"])
    assert float(row["break_even_uplift"]) == pytest.approx(uplift)


def test_yearly_differences_add_up_to_that_of_the_life() -> None:
    found = seen("edge-of-care", "eastmere")
    deal = found.deals[0]
    table = found.yearly
    for name in found.alternatives(deal.deal):
        here = deal.own.worth["eastmere"]["net_cost"].mean()
        there = deal.structures[name].worth.get("eastmere", {"net_cost": np.zeros(1)})["net_cost"].mean()
        less = table[table["structure"] == name]["less_expected"].sum()
        assert less == pytest.approx(-(here - there), rel=1e-9, abs=1e-4)


def one(**terms: Any) -> tuple[ReadyPortfolio, ReadyDeal]:
    made = prepare(one_deal({"outcome": 1_500.0}, **terms))
    return made, made.deals[0]


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_ending_by_agreement_by_hand(share: float) -> None:
    """100 people start in autumn 2026, 5 outcomes at £1,500 follow: £7,500, paid whether it goes on or not.

    £20,000 of cost was drawn. Ended at the end of March 2027, £12,500 is outstanding once the £7,500 has gone
    to investors, and the agreed share of it is owed.
    """
    made, deal = one(probability=0.05, instrument={"termination": {"compensation": {"voluntary": share}}})
    (end,) = cases.exit_costs(made, deal, "anytown")
    assert end.financial_year == "2026/27"
    assert (end.other, end.going_on) == (pytest.approx(7_500.0), pytest.approx(7_500.0))
    assert end.compensation == pytest.approx(12_500.0 * share)


def test_break_even_success_by_hand() -> None:
    """£1,500 for each of 100 p people against £20,000 in house at the discount rate: p solves it."""
    made, deal = one(programme={"savings": {}}, cost=10_000.0)
    found = cases.break_even_success(made, deal, "anytown", "in house, same costs")
    assert found is not None
    less = _less_than_in_house(0.3 * found.multiple)
    assert abs(less.mean()) < 4.0 * less.std() / np.sqrt(less.size)
    assert abs(_less_than_in_house(0.33 * found.multiple).mean()) > 8.0 * less.std() / np.sqrt(less.size)
    assert found.paid_over_plan == pytest.approx(found.multiple, rel=1e-6)


def _less_than_in_house(probability: float) -> np.ndarray:
    again = prepare(one_deal({"outcome": 1_500.0}, probability=probability, cost=10_000.0))
    kept = keep_books(again, again.deals, 1, 4_000).deals["deal"]
    own, in_house = (
        kept.structures[name].worth["anytown"]["net_cost_pv"] for name in (OWN, "in house, same costs")
    )
    return np.asarray(own - in_house)


def test_a_switching_value_turns_the_answer() -> None:
    """Run the plan with an input at its switching value: 1% either side is one of either."""
    made = ready("edge-of-care")
    deal = made.deals[0]
    other = next(one for one in deal.comparators if one.name == "pwlb, same costs")
    for switch in cases.switches(made, deal, "eastmere", "pwlb, same costs"):
        for value, which in ((switch.pays_for_itself, 0), (switch.as_alternative, 1)):
            if value is not None:
                near = [value / switch.plan * by for by in (0.99, 1.01)]
                sides = [
                    cases._costs(made, deal, "eastmere", other, cases._scaled(deal, switch.name, by))
                    for by in near
                ]
                assert (sides[0][which] > 0.0) != (sides[1][which] > 0.0), switch


def test_turning_points() -> None:
    assert cases.turning_point(lambda x: x - 0.5, 3.0) == pytest.approx(0.5, abs=cases.WITHIN)
    assert cases.turning_point(lambda x: (x - 0.2) * (x - 1.1), 3.0) == pytest.approx(1.1, abs=cases.WITHIN)
    assert cases.turning_point(lambda x: 1.0, 3.0) is None


def test_the_rate_of_paying_later_by_hand() -> None:
    """In house pays 100 at close and 20 a year later; the structure 141 a year later: 21% for the 100."""
    here = Kept(mean_net={"council": np.array([0.0, 0.0, 0.0, 0.0, -141.0])})
    there = Kept(mean_net={"council": np.array([-100.0, 0.0, 0.0, 0.0, -20.0])})
    rate, status = expected_rate(here, there, "council")
    assert status == "ok"
    assert rate == pytest.approx(0.21)
    assert expected_rate(here, here, "council") == (None, "no difference in cash")
