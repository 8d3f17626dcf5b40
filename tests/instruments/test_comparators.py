"""In house, at the PWLB cost of money, and nothing: what the council pays, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from socialfinance import simulate
from socialfinance.core.ledger import Ledger
from socialfinance.engine.deal import Outcome, run
from socialfinance.engine.ready import PLAN, futures_of, prepare, price_level
from socialfinance.funds.portfolio import Portfolio
from socialfinance.kernels.returns import npv
from socialfinance.markets import pwlb
from socialfinance.reports.console import report
from socialfinance.scenarios.sources import Certain
from tests.fixtures import one_deal

COSTS = {
    "costs": {
        "delivery": {"per_quarter": 10_000.0, "last_quarter": 4, "vat": 0.2, "vat_recoverable": 0.0},
        "manager": {"paid_to": "intermediary", "reason": "intermediary cost", "per_quarter": 2_000.0,
                    "last_quarter": 4, "basis": "vehicle"},
        "contract-staff": {"reason": "other cost", "per_quarter": 1_000.0, "last_quarter": 4,
                           "basis": "in house"},
    }
}  # fmt: skip


def run_plan(portfolio: Portfolio) -> list[Outcome]:
    """The plan case under every comparator, in their order."""
    ready = prepare(portfolio)
    deal = ready.deals[0]
    common = ready.common(0, None)
    futures = futures_of(deal, Certain({}, PLAN.quantile, PLAN.set), common)
    books = [Ledger(deal.calendar.year_of_row, 1) for _ in deal.comparators]
    return run(deal, deal.comparators, futures, price_level(deal, common), books)


def ledgers(portfolio: Portfolio) -> dict[str, Ledger]:
    """The books of the plan case by comparator."""
    names = [structure.name for structure in prepare(portfolio).deals[0].comparators]
    return {name: outcome.ledger for name, outcome in zip(names, run_plan(portfolio), strict=True)}


@pytest.fixture(scope="module")
def books() -> dict[str, Ledger]:
    return ledgers(one_deal(prices={"outcome": 1.0}, programme=COSTS, quarters=40))


def test_in_house_pays_cost_as_it_falls_on_either_base(books: dict[str, Ledger]) -> None:
    own = books["in house, own costs"].net["anytown"][:, 0]
    assert own[:6].tolist() == [0.0, -11_000.0, -11_000.0, -11_000.0, -11_000.0, 0.0]
    same = books["in house, same costs"].net["anytown"][:, 0]
    assert same[:6].tolist() == [0.0, -12_000.0, -12_000.0, -12_000.0, -12_000.0, 0.0]


def test_nothing_is_nothing(books: dict[str, Ledger]) -> None:
    assert books["do nothing"].net == {}
    assert books["do nothing"].memo_by_year == {}


def test_the_loan_is_repaid_by_the_schedule_of_its_method(books: dict[str, Ledger]) -> None:
    """One loan of 44,000 at close, EIP over the longest term up to ten years; fair at its own rate."""
    loan = books["pwlb, own costs"]
    flows = loan.net["pwlb"][:, 0]
    rate = pwlb.rate(10, "eip", "certainty")
    assert flows[0] == -44_000.0
    assert flows[1::2].tolist() == [0.0] * 20
    assert flows[2] == pytest.approx(2_200.0 + 44_000.0 * rate / 2)
    assert flows[40] == pytest.approx(2_200.0 * (1 + rate / 2))
    assert npv(flows[:, None], (1 + rate / 2) ** 2 - 1)[0] == pytest.approx(0.0, abs=1e-6)
    council = loan.net["anytown"][:, 0]
    assert np.sum(council) == pytest.approx(-44_000.0 - (np.sum(flows)))


@pytest.mark.parametrize(("method", "years"), [("maturity", 1), ("eip", 2), ("annuity", 2)])
@pytest.mark.parametrize("quarters", [1, 2, 3, 4, 7])
def test_where_no_loan_fits_the_horizon_it_is_the_shortest_there_is(
    method: str, years: int, quarters: int
) -> None:
    data = one_deal(prices={"outcome": 1.0}, programme=COSTS, quarters=quarters).model_dump(
        exclude_unset=True
    )
    short = Portfolio.model_validate({**data, "comparison": {"pwlb_method": method}})
    given = Portfolio.model_validate(
        {**data, "comparison": {"pwlb_method": method, "pwlb_term_years": years}}
    )
    ready, named = prepare(short), prepare(given)
    for loan, other in zip(ready.deals[0].comparators, named.deals[0].comparators, strict=True):
        assert loan.lowered.schedule == other.lowered.schedule
        assert loan.lowered.terms == other.lowered.terms
        assert loan.lowered.lags == other.lowered.lags
    outcomes = run_plan(short)
    loans = outcomes[2]
    drawn, repaid = (loans.ledger.of(reason=why) for why in ("drawdown", "principal"))
    left = float(np.sum(drawn) - np.sum(repaid))
    assert loans.lowered.figures[0].read(loans.state) == pytest.approx(left)
    assert (left > 1.0) == (4 * years > quarters)


def test_a_short_horizon_runs_and_says_what_is_owed() -> None:
    text = report(simulate(one_deal(prices={"outcome": 1.0}, quarters=4), paths=50, workers=1))
    assert "of the benchmark loans is still owed after the last quarter" in " ".join(text.split())


def test_savings_are_the_same_in_house() -> None:
    saving = {"savings": {"care": {"on": "outcome", "agency": "commissioner", "unit_value": 50.0,
                                   "duration": 2, "cashable": 1.0}}}  # fmt: skip
    every = ledgers(one_deal(prices={"outcome": 1.0}, programme={**COSTS, **saving}, quarters=40))
    for name in ("in house, own costs", "pwlb, own costs"):
        assert every[name].of(reason="saving").sum() == pytest.approx(100 * 0.3 * 50 * 2)
    assert isinstance(every["do nothing"].of(reason="saving"), float)
