"""Terms of the credit line that meet each other, each in a case small enough to do by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from socialfinance import simulate
from socialfinance.engine.deal import Outcome
from socialfinance.funds.portfolio import Portfolio
from socialfinance.io.files import load
from tests.fixtures import one_deal
from tests.worked import changed, worked

LINE: dict[str, Any] = {
    "kind": "credit-line",
    "limit": {"amount": 30_000.0},
    "rate": {"reference": "fixed", "value": 1.01**4 - 1.0, "basis": "annual effective"},
    "buffer": 5_000.0,
    "reserve_quarters": 0,
    "termination": {"insolvency": {"arrears_quarters": 1}},
}
VEHICLE, BANK, CHARITY, COUNCIL = "deal vehicle", "fund", "charity", "anytown"
Paid = dict[tuple[int, str, str, str], float]


def deal(programme: dict[str, Any] | None = None, **more: Any) -> Portfolio:
    """The page's example, on other terms: tariff terms by name, those of the line under ``line``."""
    line = {**LINE, **more.pop("line", {})}
    what = {
        "referrals": {"schedule": (10.0, 10.0), "arrival": "as planned"},
        "outcomes": {"outcome": {"probability": 0.5, "lag": 1}},
        "costs": {
            "set-up": {"reason": "set-up cost", "one_off": 4_000.0, "first_quarter": 0},
            "delivery": {"per_quarter": 10_000.0, "first_quarter": 1, "last_quarter": 3},
        },
        **(programme or {}),
    }
    return changed(one_deal(prices={"outcome": 4_500.0}, programme=what, **more), {"instrument": line})


def ran(portfolio: Portfolio) -> tuple[Outcome, Paid, dict[str, float]]:
    """The plan case: its end, what was paid, and the structure's own figures."""
    outcome, paid = worked(portfolio)
    return outcome, paid, {one.measure: float(one.read(outcome.state)) for one in outcome.lowered.figures}


def by_row(paid: Paid, *leg: str) -> dict[int, float]:
    """One leg by row."""
    return {t: amount for (t, *found), amount in paid.items() if tuple(found) == leg and amount}


def test_what_the_bank_may_not_debit_comes_from_the_buffer() -> None:
    """The fee of 300 stands on the line at close, and from quarter 1 on the covenant lets nothing be added.

    The buffer of 20,000 pays the bill and 3 of interest in row 1, and has 5,997 left for row 2: the provider
    fails. The claim of row 3 then pays the bank and its suppliers, and the provider has the rest back.
    """
    line = {"arrangement_fee": 0.01, "buffer": 20_000.0, "covenant": {"from_quarter": 1, "most_drawn": 0.0}}
    _, paid, figures = ran(deal(line=line))
    assert by_row(paid, VEHICLE, BANK, "arrangement fee") == {0: 300.0}
    assert by_row(paid, BANK, VEHICLE, "drawdown") == {0: 300.0}
    own = by_row(paid, CHARITY, VEHICLE, "drawdown")
    assert own[0] == 4_000.0
    assert own[1] == pytest.approx(10_003.0)  # delivery, and the interest that may not be debited
    assert own[2] == pytest.approx(5_997.0)  # all that is left: 10,003 would be needed
    assert figures["provider_failed"] == figures["ended_insolvency"] == 1.0
    assert figures["buffer_gone"] == figures["bank_lost"] == 0.0


def test_compensation_comes_before_the_buffer_and_charges_before_the_line() -> None:
    """Ended by policy after quarter 2 with 19,090 on the line, half of which the payer owes the bank.

    Nothing more is delivered or claimed (no tail, no wind-down). In row 3 the last claim of 22,500 repays
    the line: 19,090 and 190.90 of interest; nothing is owed, so nothing is compensated or paid in.
    With claims half as dear 11,250 comes in: 190.90 of interest and 11,059.10 of the line; of 8,030.90 the
    payer pays half, the buffer is used up already, and the bank has 40% of the rest.
    """
    ends = {
        "policy": {"at_quarter": 2}, "compensation": {"policy": 0.5}, "wind_down_quarters": 0,
        "insolvency": {"arrears_quarters": 1},
    }  # fmt: skip
    line = {"termination": ends, "recovery": 0.4}
    _, paid, figures = ran(deal(line=line, tail=0))
    assert by_row(paid, VEHICLE, BANK, "principal") == {3: pytest.approx(19_090.0)}
    assert not by_row(paid, COUNCIL, BANK, "termination compensation")
    assert figures["ended_policy"] == 1.0
    half = changed(
        deal(line=line, tail=0),
        {"tariff": {"prices": {"outcome": 2_250.0}, "payers": {"council": {"share": 1.0}}, "tail": 0}},
    )
    _, paid, figures = ran(half)
    assert by_row(paid, VEHICLE, BANK, "principal") == {3: pytest.approx(11_059.10)}
    assert by_row(paid, COUNCIL, BANK, "termination compensation") == {3: pytest.approx(4_015.45)}
    assert by_row(paid, CHARITY, BANK, "recovery") == {3: pytest.approx(0.4 * 4_015.45)}
    assert figures["bank_lost"] == pytest.approx(0.6 * 4_015.45)
    assert figures["provider_failed"] == 1.0
    assert figures["ended_insolvency"] == 0.0


def test_another_provider_takes_over_after_the_gap_at_the_commissioner_s_cost() -> None:
    """The line fails in row 1; rows 2 and 3 have no service; from row 4 on another delivers.

    Ten people come in each of six quarters. Those of quarter 1 lose their outcome in row 2 (the gap). Those
    of quarters 4 to 6 settle with four fifths of the usual chance, in rows 5 to 7; nobody claims for them.
    """
    people = {"referrals": {"schedule": (10.0,) * 6, "arrival": "as planned"}}
    costs = {"costs": {"delivery": {"per_quarter": 10_000.0, "first_quarter": 1, "last_quarter": 6}}}
    line = {"limit": {"amount": 4_000.0}, "buffer": 5_000.0,
            "step_in": {"after_quarters": 2, "cost": 700.0, "performance": 0.8}}  # fmt: skip
    outcome, paid, figures = ran(deal(programme={**people, **costs}, line=line, tail=8))
    achieved = {t: sum(done.achieved) for t, done in enumerate(outcome.activity) if sum(done.achieved)}
    assert achieved == {5: pytest.approx(4.0), 6: pytest.approx(4.0), 7: pytest.approx(4.0)}
    service = by_row(paid, COUNCIL, CHARITY, "service payment")
    assert service == {4: 10_000.0, 5: 10_000.0, 6: 10_000.0}
    assert by_row(paid, COUNCIL, "outside", "other cost") == {4: 700.0}
    assert not by_row(paid, COUNCIL, VEHICLE, "outcome payment")
    assert figures["people_cut_short"] == 10.0
    assert figures["people_turned_away"] == 20.0
    assert figures["stepped_in"] == 1.0
    assert outcome.lowered.maximum["commissioner"] == float("inf")


def test_without_a_service_an_outcome_has_the_share_of_its_chance_that_is_stated() -> None:
    """The five of the page's second table would have settled in row 2: with half of the chance 2.5 do."""
    line = {"limit": {"amount": 8_000.0}, "left_without_service": 0.5}
    outcome, paid, _ = ran(deal(line=line, tail=8))
    assert sum(outcome.activity[2].achieved) == pytest.approx(2.5)
    # 11,250 is paid in row 3: the bank first, 8,000 and 160.80 of interest, then 1,000 of arrears
    assert by_row(paid, VEHICLE, BANK, "principal") == {3: pytest.approx(8_000.0)}
    assert by_row(paid, VEHICLE, BANK, "interest") == {3: pytest.approx(80.0 + 80.80)}
    assert by_row(paid, VEHICLE, CHARITY, "service payment")[3] == pytest.approx(1_000.0)


def test_outcomes_further_down_the_chain_are_lost_with_it() -> None:
    """Ten housed in row 1 would stay for two quarters: the provider fails in row 1, and nobody does."""
    chain = {
        "housed": {"probability": 1.0, "lag": 0},
        "stays": {"of": "housed", "probability": 1.0, "lag": 2},
    }
    programme = {"outcomes": chain, "referrals": {"schedule": (10.0,), "arrival": "as planned"}}
    portfolio = changed(
        deal(programme=programme, line={"limit": {"amount": 1_000.0}}),
        {"tariff": {"prices": {"stays": 4_500.0}, "payers": {"council": {"share": 1.0}}}},
    )
    outcome, _, figures = ran(portfolio)
    assert figures["provider_failed"] == 1.0
    assert [sum(done.achieved) for done in outcome.activity[:5]] == [0.0, 10.0, 0.0, 0.0, 0.0]


def test_clawback_to_come_is_not_used_to_repay_the_bank() -> None:
    """A tenth of each payment is owed back two quarters later and stays in the account until then."""
    _, paid, _ = ran(deal(clawback={"share": 0.1, "after": 2}))
    assert by_row(paid, VEHICLE, COUNCIL, "clawback") == {
        5: pytest.approx(2_250.0),
        6: pytest.approx(2_250.0),
    }
    # row 3: 22,500 less 10,000 of cost, 190.90 of interest and 2,250 kept
    assert by_row(paid, VEHICLE, BANK, "principal")[3] == pytest.approx(10_059.10)


def test_a_buffer_that_came_back_is_there_again() -> None:
    """Row 4 gives 5,000 of buffer back; a cost of 9,000 in row 5 takes it again, and 4,000 of the line."""
    costs = {
        "set-up": {"reason": "set-up cost", "one_off": 4_000.0, "first_quarter": 0},
        "delivery": {"per_quarter": 10_000.0, "first_quarter": 1, "last_quarter": 3},
        "late": {"one_off": 9_000.0, "first_quarter": 5},
    }
    _, paid, figures = ran(deal(programme={"costs": costs}))
    assert by_row(paid, VEHICLE, CHARITY, "capital returned") == {4: pytest.approx(5_000.0)}
    assert by_row(paid, CHARITY, VEHICLE, "drawdown")[5] == pytest.approx(5_000.0)
    assert by_row(paid, BANK, VEHICLE, "drawdown")[5] == pytest.approx(4_000.0)
    assert figures["provider_failed"] == 1.0  # nothing is left to repay it from: the buffer is used up
    assert figures["ended_insolvency"] == 0.0


def test_the_fee_on_what_is_undrawn_runs_while_the_line_can_be_drawn() -> None:
    """A quarter of a fee of 4.060401% a year is 1%: 300 in row 1, 1% of what is left after; debited."""
    _, paid, _ = ran(deal(line={"non_utilisation_fee": 1.01**4 - 1.0}))
    fees = by_row(paid, VEHICLE, BANK, "commitment fee")
    # the line stands at nil, then 9,300, then 19,390.907 after rows 0, 1 and 2
    assert [fees[t] for t in (1, 2, 3)] == pytest.approx([300.0, 207.0, 0.01 * (30_000.0 - 19_600.0)])


def test_no_tariff_no_line() -> None:
    from socialfinance.core.errors import InputError
    from socialfinance.engine.ready import prepare
    from tests.worked import without_tariff

    portfolio = without_tariff(
        one_deal(prices={"outcome": 1.0}), instrument=LINE,
        parties={"commissioner": "anytown", "investor": "fund", "provider": "charity"},
    )  # fmt: skip
    with pytest.raises(InputError, match="needs a tariff"):
        prepare(portfolio)


# --- the £1m edge-of-care case -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def demo() -> dict[tuple[str, str, str], float | None]:
    """Figures of the demonstration over 4,000 futures."""
    result = simulate(load("demo-credit-line").portfolio, paths=4_000, seed=3, workers=1)
    return {(row.role, row.measure, row.statistic): row.value for row in result.measures_rows}


@pytest.mark.parametrize(
    ("figure", "low", "high"),
    [
        (("investor", "irr", "of_mean_flows"), 0.07, 0.11),
        (("structure", "provider_loses", "probability"), 0.40, 0.60),
        (("structure", "buffer_gone", "probability"), 0.25, 0.40),
    ],
)
def test_the_demonstration_lies_where_such_lines_lie(
    demo: dict[tuple[str, str, str], float | None], figure: tuple[str, str, str], low: float, high: float
) -> None:
    """Four standard errors of a share over 4,000 futures are 0.03 at most."""
    value = demo[figure]
    assert value is not None
    room = 0.0 if figure[1] == "irr" else 4.0 * float(np.sqrt(0.25 / 4_000))
    assert low - room <= value <= high + room
