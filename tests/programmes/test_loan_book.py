"""A loan book: what a loan owes, when it defaults, and how many do; what its terms refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.stats import binom, norm

from socialfinance.engine.cases import run_case
from socialfinance.engine.ready import drawn, futures_of, prepare, programme_case
from socialfinance.funds.portfolio import Case
from socialfinance.kernels.delays import Delays
from socialfinance.programmes.base import AS_PLANNED, Orders
from socialfinance.programmes.loan_book import LoanBook, Segment
from socialfinance.programmes.loan_futures import hazards
from tests.pools import one_pool

LOAN: dict[str, Any] = {
    "schedule": (10.0,), "size": 12_000.0, "term": 4, "rate": 0.08, "basis": "nominal quarterly",
    "default_probability": 0.0, "loss_given_default": 0.6,
}  # fmt: skip
SEED, PATHS = 7, 20_000


def segment(**terms: Any) -> Segment:
    return Segment.model_validate({**LOAN, **terms})


def activity(
    paths: int = PATHS, quarters: int = 12, book: Any = None, orders: Any = None, **terms: Any
) -> Any:
    """A block of the book alone, row by row, under orders (by default as planned)."""
    ready = prepare(one_pool(book, segment={**terms}, quarters=quarters))
    deal, numbers = ready.deals[0], np.arange(paths, dtype=np.uint64)
    common = ready.common(SEED, numbers)
    futures = futures_of(deal, drawn(deal, common, SEED, numbers), common)
    state, delays, found = deal.programme.opening, Delays(deal.programme.lags), []
    for row in range(futures.rows):
        now = futures.now(row, delays.due())
        state, done, entering = deal.programme.play(
            deal.programme.terms, state, now, orders[row] if orders else AS_PLANNED
        )
        delays.enter(entering)
        found.append(done)
    return found


def total(found: Any, name: str) -> Any:
    return sum(np.broadcast_to(sum(getattr(one, name)), (PATHS,)) for one in found)


# --- one loan -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terms", "principal"),
    [
        ({"repayment": "bullet"}, [0.0, 0.0, 0.0, 12_000.0]),
        ({"repayment": "eip"}, [3_000.0] * 4),
        ({"repayment": "eip", "holiday": 2}, [0.0, 0.0, 6_000.0, 6_000.0]),
        ({"repayment": "annuity", "rate": 0.0}, [3_000.0] * 4),
        ({"repayment": "bullet", "holiday": 3, "term": 4}, [0.0, 0.0, 0.0, 12_000.0]),
    ],
)
def test_principal_by_quarter(terms: Any, principal: list[float]) -> None:
    loan = segment(**terms)
    assert loan.principal == pytest.approx(principal)
    assert loan.balances == pytest.approx([12_000.0 - sum(principal[:a]) for a in range(4)])


def test_an_annuity_pays_the_same_each_quarter_and_clears_the_loan() -> None:
    loan = segment(repayment="annuity", holiday=1)
    paid = [p + 0.02 * b for p, b in zip(loan.principal, loan.balances, strict=True)]
    assert paid[0] == pytest.approx(240.0)  # interest only
    assert paid[1:] == pytest.approx([12_000.0 * 0.02 / (1 - 1.02**-3)] * 3)
    assert loan.balances[-1] == pytest.approx(loan.principal[-1])


def test_a_rate_is_what_its_basis_says() -> None:
    assert segment().quarterly_rate == pytest.approx(0.02)
    assert segment(basis="annual effective").quarterly_rate == pytest.approx(1.08**0.25 - 1)


# --- default ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terms", "by_quarter"),
    [
        ({"default_basis": "a year"}, [1 - 0.9 ** (a / 4) for a in (1, 2, 3, 4)]),
        ({"default_basis": "a year", "term": 8}, [1 - 0.9 ** (a / 4) for a in range(1, 9)]),
        ({"default_basis": "to term", "term": 8}, [1 - 0.9 ** (a / 8) for a in range(1, 9)]),
        ({"default_basis": "to term", "default_timing": (0.0, 0.25, 0.75)}, [0.0, 0.025, 0.1, 0.1]),
    ],
)
@pytest.mark.parametrize("rho", [0.0, 0.2, 0.9])
def test_loans_default_by_each_quarter_as_the_terms_say_whatever_the_economy(
    terms: Any, by_quarter: list[float], rho: float
) -> None:
    """The mean over the economy of the chance of default by each quarter, by 20,001 even quantiles."""
    z = norm.ppf((np.arange(20_001) + 0.5) / 20_001)
    alive, found = np.ones_like(z), []
    for hazard in hazards(segment(correlation=rho, **terms), 0.1, z):
        alive = alive * (1.0 - hazard)
        found.append(1.0 - alive.mean())
    assert found == pytest.approx(by_quarter, abs=2e-5)


def test_a_bad_economy_is_a_low_score() -> None:
    bad, good = (hazards(segment(correlation=0.2), 0.1, z)[0] for z in (np.array([-2.0]), np.array([2.0])))
    assert bad > 3 * good


def test_without_correlation_defaults_are_binomial() -> None:
    """50 loans over 8 quarters, 10% to term: mean, and each probability within 4 standard errors."""
    found = activity(quarters=10, schedule=(50.0,), term=8, default_probability=0.1, default_basis="to term")
    defaults = total(found, "defaults")
    for k in range(12):
        p = float(binom.pmf(k, 50, 0.1))
        assert abs((defaults == k).mean() - p) < 4 * (p * (1 - p) / PATHS) ** 0.5, k
    assert abs(defaults.mean() - 5.0) < 4 * (50 * 0.1 * 0.9 / PATHS) ** 0.5


def test_more_loans_leave_the_luck_of_others_alone() -> None:
    few, many = (
        total(activity(schedule=(n,), default_probability=0.3, correlation=0.2), "defaults")
        for n in (20.0, 21.0)
    )
    assert set(np.unique(many - few)) <= {0.0, 1.0}


def test_what_is_in_default_pays_nothing_and_comes_back_less_its_loss() -> None:
    """All of ten bullets default in their second quarter; 40% of 100,000 comes back three quarters later."""
    found = activity(
        paths=3, quarters=8, default_probability=1.0, default_basis="to term", default_timing=(0.0, 1.0),
        recovery_lag=3,
    )  # fmt: skip
    paid = [float(np.max(one.interest + one.principal + one.early)) for one in found]
    assert paid == pytest.approx([0.0, 0.0, 2_000.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    assert [float(np.max(sum(one.recovered))) for one in found] == pytest.approx([0.0] * 6 + [40_000.0, 0, 0])
    assert [float(np.max(sum(one.lost))) for one in found] == pytest.approx([0.0] * 6 + [60_000.0, 0, 0])


def test_a_common_shock_multiplies_the_chance_of_default() -> None:
    """A shock that runs from quarter 1 on, certain to come: 1% a quarter becomes 3%."""
    quarterly = 1 - 0.99**4
    shock = {"kind": "common-shock", "annual_probability": 1 - 1e-12, "duration": 8, "depth": 0.5}
    ready = prepare(
        one_pool(
            {"default_in_shock": 3.0}, segment={"default_probability": quarterly}, factors={"slump": shock}
        )
    )
    deal, numbers = ready.deals[0], np.arange(4, dtype=np.uint64)
    common = ready.common(SEED, numbers)
    futures = futures_of(deal, drawn(deal, common, SEED, numbers), common)
    assert np.asarray(futures.now(3, ()).hazard[0]) == pytest.approx(0.03)


# --- repayment, approvals, cost ---------------------------------------------------------------------------


def test_early_repayment_is_of_the_whole_loan() -> None:
    """1 - 0.9^(1/4) of those alive a quarter; what was lent comes back in all."""
    found = activity(quarters=6, schedule=(40.0,), prepayment=0.1, repayment="eip")
    assert total(found, "repaid_early").mean() == pytest.approx(40 * (1 - 0.9**0.75), rel=0.02)
    back = sum(np.broadcast_to(one.principal + one.early, (PATHS,)) for one in found)
    np.testing.assert_allclose(back, 400_000.0)


def test_parts_of_a_loan_are_carried_until_they_make_one() -> None:
    found = activity(paths=1, schedule=(2.4,) * 5)
    assert [float(np.max(one.made[0])) for one in found[:7]] == [0.0, 2.0, 2.0, 3.0, 2.0, 3.0, 0.0]


def test_an_order_cuts_approved_loans_to_whole_ones_and_the_rest_is_lost() -> None:
    orders = [Orders(scale, 1.0, 1.0) for scale in (0.5, 1.0, 1.0, 1.6, *[1.0] * 9)]
    found = activity(paths=1, orders=[AS_PLANNED, *orders], schedule=(5.0,) * 4)
    assert [float(np.max(one.made[0])) for one in found[:6]] == [0.0, 2.0, 5.0, 5.0, 8.0, 0.0]


def test_cost_by_loans_made_loans_balances_and_quarter() -> None:
    line = {
        "per_loan_made": 500.0, "per_loan": 20.0, "of_balance": 1.01**4 - 1, "per_quarter": 1_000.0,
        "one_off": 3_000.0, "first_quarter": 0, "last_quarter": 2,
    }  # fmt: skip
    ready = prepare(
        one_pool({"costs": {"team": line}}, segment={"repayment": "eip"}, parties={"provider": "manager"})
    )
    costs = [done.costs[0] for done in ready.deals[0].plan]
    assert costs[:7] == pytest.approx([
        4_000.0,  # at close: a quarter and the one-off
        1_000.0 + 10 * 500.0,
        1_000.0 + 10 * 20.0 + 0.01 * 100_000.0,
        200.0 + 0.01 * 75_000.0,
        200.0 + 0.01 * 50_000.0,
        200.0 + 0.01 * 25_000.0,
        0.0,
    ])  # fmt: skip


def test_the_book_ends_with_its_last_recovery() -> None:
    book = one_pool(segment={"schedule": (1.0, 1.0, 0.0), "recovery_lag": 3}).deals["pool"].programme
    assert isinstance(book, LoanBook)
    assert (book.last_lending_quarter, book.last_quarter) == (2, 2 + 4 + 3)


def test_some_paths_have_the_draws_of_the_same_paths() -> None:
    ready = prepare(one_pool(segment={"default_probability": 0.3, "correlation": 0.2}))
    deal, numbers = ready.deals[0], np.arange(40, dtype=np.uint64)
    common = ready.common(SEED, numbers)
    futures = futures_of(deal, drawn(deal, common, SEED, numbers), common)
    chosen = np.arange(40) % 3 == 0
    mine, theirs = futures.on(chosen).now(3, ()), futures.now(3, ())
    np.testing.assert_array_equal(mine.hazard[2], theirs.hazard[2][chosen])
    np.testing.assert_array_equal(mine.luck[2].path, numbers[chosen])


# --- cases ------------------------------------------------------------------------------------------------


def loss_in(case: Case) -> float:
    ready = prepare(
        one_pool(segment={"default_probability": 0.1, "correlation": 0.2, "default_basis": "to term"})
    )
    return float(run_case(ready, ready.deals[0], case, "").state.lost)


def test_cases_of_the_economy() -> None:
    """The plan has the mean; a case sets the economy, or stands at its bad side."""
    plan = loss_in(Case())
    assert plan == pytest.approx(0.1 * 0.6 * 100_000.0)
    middling = float(norm.cdf(norm.ppf(0.1) / 0.8**0.5))
    assert loss_in(Case(set={"economy": 0.0})) == pytest.approx(middling * 60_000.0)
    low = float(norm.cdf((norm.ppf(0.1) - 0.2**0.5 * norm.ppf(0.2)) / 0.8**0.5))
    assert loss_in(Case(quantile=0.2)) == pytest.approx(low * 60_000.0)
    assert loss_in(Case(set={"segments.all.default_probability": 0.2})) == pytest.approx(12_000.0)


def test_the_plan_of_the_programme_alone_is_that_of_the_deal() -> None:
    ready = prepare(one_pool(segment={"default_probability": 0.2}))
    deal = ready.deals[0]
    common = ready.common(0, None)
    from socialfinance.scenarios.sources import Certain

    futures = futures_of(deal, Certain(deal.programme.programme.drivers), common)
    assert programme_case(deal.programme, futures) == deal.plan


# --- what is refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({"per_quarter": 3.0}, "either schedule or per_quarter"),
        ({"schedule": None, "per_quarter": 3.0}, "per_quarter needs quarters"),
        ({"holiday": 4}, "holiday: must be shorter than the term"),
        ({"default_timing": (1.0,)}, "default_basis must be to term"),
        ({"default_basis": "to term", "default_timing": (0.5, 0.4)}, "must sum to 1, they sum to 0.9"),
        ({"default_basis": "to term", "default_timing": (0.2,) * 5}, "is longer than the term"),
        ({"correlation": 1.0}, "less than 1"),
        ({"basis": "monthly"}, "annual effective"),
    ],
)
def test_a_segment_that_cannot_be(terms: Any, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        segment(**terms)


@pytest.mark.parametrize(
    ("book", "words"),
    [
        ({"loadings": {"economy": 0.3}}, "no segment has a correlation"),
        ({"loadings": {"economy": 1.0}}, "squares must sum to less than 1"),
        ({"segments": {}}, "at least 1"),
        (
            {"segments": {"all": {**LOAN, "default_probability": {
                "distribution": "mean-reverting", "start": 0.1, "mean": 0.1, "reversion": 1.0,
                "volatility": 0.1}}}},
            "a process moves by the quarter",
        ),
    ],
)  # fmt: skip
def test_a_book_that_cannot_be(book: Any, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        one_pool(book)
