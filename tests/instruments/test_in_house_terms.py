"""Terms of in-house delivery that meet each other, each in a case small enough to do by hand."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from socialfinance.core.errors import InputError
from socialfinance.engine.deal import Outcome
from socialfinance.engine.ready import prepare
from socialfinance.funds.portfolio import Case, Portfolio
from socialfinance.instruments.funding import LAWFUL
from socialfinance.markets import pwlb
from socialfinance.reports.console import report
from tests.fixtures import one_deal
from tests.worked import without_tariff, worked

PLAN = Case()
COUNCIL, CHARITY = "anytown", "charity"
Paid = dict[tuple[int, str, str, str], float]


def deal(instrument: dict[str, Any], cost: Any = None, quarters: int = 24, **parties: Any) -> Portfolio:
    """Ten people in quarter 1, half of whom settle in quarter 2; 10,000 a quarter in quarters 1 to 4."""
    costs = cost or {"delivery": {"per_quarter": 10_000.0, "first_quarter": 1, "last_quarter": 4}}
    return without_tariff(
        one_deal(
            prices={"outcome": 1.0},
            start=date(2029, 10, 1),
            quarters=quarters,
            programme={
                "referrals": {"schedule": (10.0,), "arrival": "as planned"},
                "outcomes": {"outcome": {"probability": 0.5, "lag": 1}},
                "costs": costs,
                "savings": {
                    "care": {"on": "outcome", "agency": "commissioner", "unit_value": 1_000.0,
                             "duration": 4, "cashable": 0.8},
                },
            },
        ),
        instrument=instrument,
        parties={"commissioner": COUNCIL, "provider": CHARITY, **parties},
    )  # fmt: skip


def by_row(paid: Paid, *leg: str) -> dict[int, float]:
    """One leg by row."""
    return {t: amount for (t, *found), amount in paid.items() if tuple(found) == leg and amount}


def figure(outcome: Outcome, measure: str) -> float:
    """A figure of the structure."""
    return next(float(one.read(outcome.state)) for one in outcome.lowered.figures if one.measure == measure)


def loan(**terms: Any) -> dict[str, Any]:
    return {"kind": "pwlb-loan", "draws": "need", "rate": 0.08, "term_years": 2, **terms}


def test_a_small_reserve_is_used_again_as_it_is_given_back() -> None:
    """15,000 may be out: 10,000 and 5,000 in rows 1 and 2; 4,000 a row is saved from row 2 on.

    Row 2: 4,000 comes back before the cost is met, so 9,000 can be taken. Without interest.
    """
    reserve = {"amount": 15_000.0, "interest_forgone": 0.0}
    terms = {"kind": "fee-for-service", "funded_from": "invest-to-save reserve", "reserve": reserve}
    outcome, paid = worked(deal(terms, reserve="fund"))
    assert by_row(paid, "fund", COUNCIL, "drawdown") == {
        1: 10_000.0, 2: pytest.approx(9_000.0), 3: pytest.approx(4_000.0), 4: pytest.approx(4_000.0),
    }  # fmt: skip
    assert by_row(paid, COUNCIL, "fund", "principal") == {t: pytest.approx(4_000.0) for t in (2, 3, 4, 5)}
    assert figure(outcome, "reserve_short_at_end") == pytest.approx(27_000.0 - 16_000.0)
    assert figure(outcome, "reserve_out_at_most") == pytest.approx(15_000.0)
    assert figure(outcome, "reserve_not_repaid") == 1.0


def test_receipts_pay_up_to_their_last_day_and_the_revenue_budget_after_it() -> None:
    """Row 2 is 31 March 2030, the last day of the direction of 2025."""
    receipts = {"available": 50_000.0, "until": date(2030, 3, 31)}
    terms = {"kind": "fee-for-service", "funded_from": "flexible capital receipts", "receipts": receipts}
    outcome, paid = worked(deal(terms, **{"capital receipts": "fund"}))
    assert by_row(paid, "fund", COUNCIL, "drawdown") == {1: 10_000.0, 2: 10_000.0}
    assert by_row(paid, COUNCIL, CHARITY, "service payment") == dict.fromkeys((1, 2, 3, 4), 10_000.0)
    assert figure(outcome, "receipts_used") == 20_000.0


def test_a_direction_covers_its_years_and_its_amount() -> None:
    direction = {"amount": 15_000.0, "until": date(2030, 6, 30), "rate": 0.0, "term_years": 2}
    terms = {"kind": "fee-for-service", "funded_from": "capitalisation direction", "direction": direction}
    _, paid = worked(deal(terms))
    assert by_row(paid, "pwlb", COUNCIL, "drawdown") == {1: 10_000.0, 2: 5_000.0}
    late = {**terms, "direction": {**direction, "until": date(2029, 12, 31)}}
    assert by_row(worked(deal(late))[1], "pwlb", COUNCIL, "drawdown") == {1: 10_000.0}


@pytest.mark.parametrize("method", ["maturity", "eip", "annuity"])
def test_each_advance_has_the_schedule_of_its_method_and_its_own_dates(method: str) -> None:
    """Two advances of 10,000 in rows 1 and 2, over two years at 4% a half-year, and none of them early."""
    cost = {"delivery": {"per_quarter": 10_000.0, "first_quarter": 1, "last_quarter": 2}}
    _, paid = worked(deal(loan(method=method), cost))
    level = 10_000.0 * 0.04 / (1.0 - 1.04**-4)
    principal = {
        "maturity": [0.0, 0.0, 0.0, 10_000.0],
        "eip": [2_500.0] * 4,
        "annuity": [(level - 400.0) * 1.04**k for k in range(4)],
    }[method]
    repaid = by_row(paid, COUNCIL, "pwlb", "principal")
    interest = by_row(paid, COUNCIL, "pwlb", "interest")
    for first in (1, 2):
        owed = 10_000.0
        for k, expected in enumerate(principal):
            row = first + 2 * (k + 1)
            assert repaid.get(row, 0.0) == pytest.approx(expected), (first, row)
            assert interest[row] == pytest.approx(0.04 * owed)
            owed -= expected
    assert max(interest) == 10


@pytest.mark.parametrize("method", ["maturity", "eip", "annuity"])
def test_the_rate_is_that_of_the_method_and_term(method: str) -> None:
    """Never read off the maturity rate of the same term: over ten years an EIP costs 0.33 points less."""
    ready = prepare(deal(loan(method=method, term_years=10, rate=None), quarters=60))
    half = ready.deals[0].own.lowered.terms.loan.interest
    assert half == pwlb.rate(10, method, "certainty") / 2.0
    if method != "maturity":
        assert half != pwlb.rate(10, "maturity", "certainty") / 2.0


def test_the_fee_is_paid_on_every_advance_and_no_less_than_its_least() -> None:
    """35p for each 1,000: 3.50 on 10,000, so the least of 25 is charged; on 100,000 it is 35."""
    cost = {
        "delivery": {"per_quarter": 10_000.0, "first_quarter": 1, "last_quarter": 1},
        "more": {"per_quarter": 100_000.0, "first_quarter": 2, "last_quarter": 2},
    }
    _, paid = worked(deal(loan(fee={"rate": 0.00035, "least": 25.0}), cost))
    assert by_row(paid, COUNCIL, "pwlb", "arrangement fee") == {1: 25.0, 2: pytest.approx(35.0)}


def test_only_cost_that_is_called_capital_is_borrowed_for() -> None:
    cost = {
        "delivery": {"per_quarter": 10_000.0, "first_quarter": 1, "last_quarter": 2},
        "house": {"reason": "set-up cost", "one_off": 90_000.0, "first_quarter": 0},
    }
    portfolio = deal(loan(purpose="capital", lines=("house",)), cost)
    outcome, paid = worked(portfolio)
    assert by_row(paid, "pwlb", COUNCIL, "drawdown") == {0: 90_000.0}
    assert "real borrowing" in outcome.lowered.notes[0]
    assert "(house)" in outcome.lowered.notes[0]


def test_planned_years_are_borrowed_ahead_and_what_is_dearer_is_paid_from_revenue() -> None:
    """40,000 is planned in rows 1 to 4 and drawn at close; an overrun of a fifth adds nothing to the loan."""
    dear = {"distribution": "uniform", "low": 1.0, "high": 1.4, "plan": 1.0}
    cost = {"delivery": {"per_quarter": 10_000.0, "first_quarter": 1, "last_quarter": 4, "overrun": dear}}
    case = Case(set={"costs.delivery.overrun": 1.2})
    _, paid = worked(deal(loan(draws="planned year"), cost), case)
    assert by_row(paid, "pwlb", COUNCIL, "drawdown") == {0: 40_000.0}
    _, paid = worked(deal(loan(), cost), case)
    assert by_row(paid, "pwlb", COUNCIL, "drawdown") == dict.fromkeys((1, 2, 3, 4), 12_000.0)


def test_what_outlives_the_horizon_is_said() -> None:
    """20,000 drawn in rows 1 and 2 of twelve, over ten years: five of twenty instalments fall within."""
    cost = {"delivery": {"per_quarter": 10_000.0, "first_quarter": 1, "last_quarter": 2}}
    outcome, _ = worked(deal(loan(term_years=10), cost, quarters=12))
    assert figure(outcome, "loan_owed_at_end") == pytest.approx(20_000.0 * 15 / 20)


def test_a_reserve_that_nothing_gives_back_to_is_refused() -> None:
    reserve = {"interest_forgone": 0.0, "repaid_by": "nhs"}
    terms = {"kind": "fee-for-service", "funded_from": "invest-to-save reserve", "reserve": reserve}
    with pytest.raises(InputError, match="would never be repaid") as caught:
        prepare(deal(terms, reserve="fund", nhs="fund"))
    assert caught.value.field == "deals.deal.instrument.reserve.repaid_by"


def test_every_way_of_funding_says_what_it_rests_on() -> None:
    """A citation for each; what is not confirmed says so on the page."""
    for funded_from, basis in LAWFUL.items():
        assert basis.rests_on, funded_from
    blocks: dict[str, dict[str, Any]] = {
        "revenue budget": {},
        "capitalisation direction": {"direction": {"term_years": 2}},
    }
    for funded_from, block in blocks.items():
        portfolio = deal({"kind": "fee-for-service", "funded_from": funded_from, **block})
        ready = prepare(portfolio)
        (note,) = ready.deals[0].own.lowered.notes
        assert LAWFUL[funded_from].rests_on in note  # type: ignore[index]
        assert note.endswith("[unverified]") != LAWFUL[funded_from].verified  # type: ignore[index]


def test_the_page_of_a_council_that_pays_for_itself_has_no_investor_and_no_cap() -> None:
    from socialfinance import simulate

    text = report(simulate(deal({"kind": "fee-for-service"}), paths=64, workers=1))
    for word in ("INVESTMENT COMMITTEE", "Cap on outcome payments", "HOW CONTRACTS ENDED", "ends early"):
        assert word not in text
    assert "paid from the revenue budget" in text
    nothing = report(simulate(deal({"kind": "do-nothing"}), paths=64, workers=1))
    for word in ("COUNCIL BY COUNCIL", "WHAT WAS DONE", "FROM PLAN TO EXPECTED VALUE"):
        assert word not in nothing
    assert "nothing is done" in nothing
