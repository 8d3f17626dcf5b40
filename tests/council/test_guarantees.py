"""Expected credit loss and assessment: closed forms through the engine, by hand, and what always holds."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binom

from socialfinance import credit
from socialfinance.core.errors import InputError
from socialfinance.core.ledger import Ledger
from socialfinance.council.guarantees import Flows, ecl_table, flows_of, liability_table
from socialfinance.council.liabilities import assess
from socialfinance.engine.deal import run
from socialfinance.engine.ready import drawn, futures_of, prepare, price_level
from socialfinance.funds.portfolio import Portfolio
from socialfinance.measures.paths import by_year
from tests.pools import one_pool

PAGE = Path(__file__).parents[2] / "docs" / "council" / "guarantees.md"
USUAL = settings(deadline=None)
PATHS = 40_000


def called(portfolio: Portfolio, paths: int, seed: int) -> tuple[Flows, tuple[int, ...]]:
    """What the borough pays and has under the guarantee of the only deal; the year of each row."""
    ready = prepare(portfolio)
    deal = ready.deals[0]
    numbered = np.arange(paths, dtype=np.uint64)
    common = ready.common(seed, numbered)
    futures = futures_of(deal, drawn(deal, common, seed, numbered), common)
    ledger = Ledger(deal.calendar.year_of_row, paths, books=frozenset({"borough"}))
    run(deal, (deal.own,), futures, price_level(deal, common), (ledger,))
    flows = flows_of(ledger.by_row, "borough", (ledger.rows, paths))
    return flows, deal.calendar.year_of_row


# --- one loan with a constant chance of default, through the engine -----------------------------------

SIZE, TERM, ANNUAL, LGD, COVER, LAG, BACK, RATE = 1_000_000.0, 12, 0.08, 0.6, 0.8, 2, 3, 0.05
ENDS = (0, 4, 8, 12)


@cache
def one_loan() -> Flows:
    """A loan made in quarter 1, repaid in 12 equal instalments; the borough covers 80% of it; seed 11."""
    segment = {
        "schedule": (1.0,), "size": SIZE, "term": TERM, "repayment": "eip", "loss_given_default": LGD,
        "recovery_lag": BACK, "default_probability": ANNUAL,
    }  # fmt: skip
    pool = {
        "commitment": {"amount": SIZE},
        "layers": ({"guarantor": "scheme", "cover": COVER, "claim_lag": LAG},),
    }
    return called(
        one_pool(segment=segment, pool=pool, parties={"scheme": "borough"}, quarters=18), PATHS, 11
    )[0]


def closed_form(t: int, ahead: int, standing: bool) -> float:
    """Sum over k = 2 to 13 of cover x exposure_k S(k - 1) h (v^(k + lag - t) - (1 - lgd) v^(k + back - t)).

    The loan of age a, a = 0 to 11, defaults in row k = 2 + a with the chance h = 1 - (1 - p)^(1/4) where it
    still stands, S(k - 1) = (1 - h)^a, owing (12 - a) / 12; what is recovered is shared by cover. Standing:
    given that it has not defaulted by t.
    """
    h, v = 1.0 - (1.0 - ANNUAL) ** 0.25, (1.0 + RATE) ** -0.25
    total, still = 0.0, 1.0
    for age in range(TERM):
        k = 2 + age
        owed = COVER * SIZE * (TERM - age) / TERM
        if k <= t:
            still = (1.0 - h) ** (age + 1)
        elif k <= t + ahead:
            cost = v ** (k + LAG - t) - (1.0 - LGD) * v ** (k + BACK - t)
            total += owed * (1.0 - h) ** age * h * cost
    return total / still if standing else total


@pytest.mark.parametrize("t", ENDS)
@pytest.mark.parametrize("standing", [False, True], ids=["all", "standing"])
@pytest.mark.parametrize(("name", "ahead"), [("ecl_12m", 4), ("ecl_lifetime", 400)])
def test_a_single_loan_is_the_closed_form(name: str, ahead: int, standing: bool, t: int) -> None:
    flows = one_loan()
    table = ecl_table(flows.calls, flows.recoveries, year_ends=ENDS, lag=LAG, rate=RATE, by="loan")
    row, column = table.set_index("row").loc[t], f"{name}_standing" if standing else name
    exact = closed_form(t, ahead, standing)
    assert row[f"{column}_error"] > 0.0
    assert row[f"{column}_error"] < 0.1 * exact
    assert abs(row[column] - exact) < 4.0 * row[f"{column}_error"]


def test_as_a_pool_a_single_loan_costs_the_same() -> None:
    """One debtor fails once: whether each claim is a default or the first one is makes no difference."""
    flows = one_loan()
    tables = [
        ecl_table(flows.calls, flows.recoveries, year_ends=ENDS, lag=LAG, rate=RATE, by=by)  # type: ignore[arg-type]
        for by in ("loan", "pool")
    ]
    for column in ("ecl_12m", "ecl_lifetime", "payable"):
        np.testing.assert_allclose(tables[0][column], tables[1][column], rtol=1e-12)


def test_share_standing_and_payable_of_a_single_loan() -> None:
    """(1 - p) a year while it runs; payable at 8: claimed in rows 7 and 8, cover x exposure x chance."""
    flows = one_loan()
    table = ecl_table(flows.calls, flows.recoveries, year_ends=ENDS, lag=LAG).set_index("row")
    h = 1.0 - (1.0 - ANNUAL) ** 0.25
    for t in ENDS:
        exact = (1.0 - h) ** max(t - 1, 0)
        assert abs(table.loc[t, "standing"] - exact) <= 4.0 * (exact * (1.0 - exact) / PATHS) ** 0.5
    due = sum(COVER * SIZE * (TERM - age) / TERM * (1.0 - h) ** age * h for age in (5, 6))
    assert abs(table.loc[8, "payable"] - due) < 4.0 * table.loc[8, "payable_error"]


# --- a pool under the one-factor model, through the engine --------------------------------------------

P, RHO, LOSS, LOANS, POOL = 0.05, 0.2, 0.6, 50, 1_000_000.0
EDGES = [(0.0, 1.0), (0.02, 0.2), (0.05, 0.15)]


@cache
def layered(attach: float, detach: float) -> tuple[Flows, tuple[int, ...]]:
    """Fifty loans that default at the end of their first year or never; seed 3."""
    segment = {
        "schedule": (float(LOANS),), "size": POOL / LOANS, "rate": 0.0, "correlation": RHO,
        "loss_given_default": LOSS, "default_probability": P, "default_basis": "to term",
        "default_timing": (0.0, 0.0, 0.0, 1.0),
    }  # fmt: skip
    layer = {
        "guarantor": "scheme",
        "attach": attach,
        "detach": detach,
        "unit": "share of drawn",
        "claim_lag": 0,
    }
    pool = {"commitment": {"amount": POOL}, "claims": "final loss", "layers": (layer,)}
    return called(one_pool(segment=segment, pool=pool, parties={"scheme": "borough"}, quarters=6), PATHS, 3)


@pytest.mark.parametrize("edges", EDGES)
def test_expected_loss_of_a_layer_of_a_finite_pool(edges: tuple[float, float]) -> None:
    """All defaults fall in row 5: at close none is within a year, at row 4 all are."""
    flows, years = layered(*edges)
    exact = credit.pool_tranche(LOANS, P, RHO, LOSS, *edges)
    table = ecl_table(flows.calls, year_ends=(0, 4), by="pool")
    error = exact.sd * POOL / PATHS**0.5
    assert table.ecl_12m.tolist()[0] == 0.0
    assert abs(table.ecl_lifetime[0] - exact.of_pool * POOL) < 4.0 * error
    assert table.ecl_12m[1] == table.ecl_lifetime[1] == table.ecl_lifetime[0]
    found = assess(by_year(flows.calls, years), maximum=POOL)
    assert abs(found.expected_loss.value - exact.of_pool * POOL) < 4.0 * error
    assert found.expected_loss.error == pytest.approx(error, rel=0.05)


@pytest.mark.parametrize("q", [0.95, 0.99])
@pytest.mark.parametrize("edges", EDGES)
def test_quantiles_of_a_layer_of_a_finite_pool(edges: tuple[float, float], q: float) -> None:
    """The order statistic lies in its exact band: P(at most x) = P(at least n q of n paths at most x).

    Both tails are cut where a normal number is 4 standard deviations out.
    """
    flows, years = layered(*edges)
    k = np.arange(LOANS + 1)
    loss = POOL * np.asarray(credit.layer(LOSS * k / LOANS, *edges))
    so_far = np.cumsum(credit.pool_defaults(LOANS, P, RHO))
    rank = int(np.ceil(q * PATHS))
    at_most = np.array([binom.sf(rank - 1, PATHS, min(x, 1.0)) for x in so_far])
    tail = 3.17e-5
    low, high = loss[np.searchsorted(at_most, tail)], loss[np.searchsorted(at_most, 1.0 - tail)]
    found = assess(by_year(flows.calls, years), maximum=POOL, percentile=q)
    assert low - 1e-6 <= found.worst_case.value <= high + 1e-6
    assert found.percentiles[q] == found.worst_case
    assert low > 0.0


def test_expected_shortfall_of_a_layer_of_a_finite_pool() -> None:
    """worst + E[max(0, loss - worst)] / (1 - q), exact at the worst case that was found."""
    flows, years = layered(0.0, 1.0)
    found = assess(by_year(flows.calls, years), maximum=POOL, percentile=0.95)
    loss = POOL * LOSS * np.arange(LOANS + 1) / LOANS
    over = np.maximum(0.0, loss - found.worst_case.value)
    exact = found.worst_case.value + float(credit.pool_defaults(LOANS, P, RHO) @ over) / 0.05
    assert abs(found.expected_shortfall.value - exact) < 4.0 * found.expected_shortfall.error


# --- by hand ----------------------------------------------------------------------------------------------

THREE, THREE_BACK = np.zeros((9, 3)), np.zeros((9, 3))
THREE[5, 1], THREE_BACK[6, 1], THREE[7, 2] = 1_610.51, 177.16, 1_948.72


def page_table(first: str) -> list[dict[str, float]]:
    """The table of the page whose heading row begins like this."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith(first))
    names = [cell.strip() for cell in lines[at].strip("|").split("|")]
    rows = []
    for line in lines[at + 2 :]:
        if not line.startswith("|"):
            break
        rows.append(dict(zip(names, map(float, line.strip("|").split("|")), strict=True)))
    return rows


def test_three_paths_by_hand() -> None:
    table = ecl_table(THREE, THREE_BACK, year_ends=(0, 4, 8), lag=2, rate=1.1**4 - 1.0).set_index("row")
    for row in page_table("| row | ecl_12m"):
        for name, value in row.items():
            if name != "row":
                assert table.loc[row["row"], name] == pytest.approx(value, abs=0.005), name
    assert table.standing.tolist() == pytest.approx([1.0, 2 / 3, 1 / 3])


def test_the_higher_of_by_hand() -> None:
    ecl = ecl_table(THREE, THREE_BACK, year_ends=(0, 4, 8), lag=2, rate=1.1**4 - 1.0)
    table = liability_table(ecl, premium=800.0).set_index("row")
    for row in page_table("| row | allowance"):
        for name, value in row.items():
            if name != "row":
                assert table.loc[row["row"], name] == pytest.approx(value, abs=0.005), name
    worse = liability_table(ecl, premium=800.0, significant_increase=[True, False, False])
    assert worse.allowance[0] == worse.stage_2[0] == pytest.approx(633.33, abs=0.005)
    assert worse.stage.tolist() == [2, 1, 1]


def test_a_guarantee_given_free_is_charged_at_close() -> None:
    """Fair value 700 without a fee: all of it; over the life what is charged sums to the fee's release."""
    ecl = ecl_table(THREE, THREE_BACK, year_ends=(0, 4, 8), lag=2)
    free, paid = liability_table(ecl, initial=900.0), liability_table(ecl, premium=900.0)
    assert (free.charged[0], paid.charged[0]) == (900.0, 0.0)
    assert free.charged.sum() == pytest.approx(0.0)
    assert paid.charged.sum() == pytest.approx(-900.0)


def test_an_assessment_by_hand() -> None:
    """Two years; the reserve of 1,500 bears 1,433.35 of the second path and fails by 448.72 on the third."""
    calls, back = np.zeros((2, 3)), np.zeros((2, 3))
    calls[1], back[1] = [0.0, 1_610.51, 1_948.72], [0.0, 177.16, 0.0]
    fees = np.full((2, 3), 10.0)
    found = assess(calls, back, maximum=5_000.0, reserve=1_500.0, cost_of_risk=0.05)
    assert found.expected_loss.value == pytest.approx(3_382.07 / 3)
    assert found.calls.value == pytest.approx(3_559.23 / 3)
    assert found.worst_case.value == 1_948.72
    assert found.called.value == pytest.approx(2 / 3)
    assert found.cost_of_risk == pytest.approx(0.05 * (1_948.72 - 3_382.07 / 3))
    assert found.by_year.expected.tolist() == pytest.approx([0.0, 3_559.23 / 3])
    assert found.by_year.chance.tolist() == pytest.approx([0.0, 2 / 3])
    held = found.affordability
    assert held is not None
    assert held.exhausted.value == pytest.approx(1 / 3)
    assert held.shortfall.value == pytest.approx(448.72 / 3)
    assert held.by_year["first"].tolist() == pytest.approx([0.0, 1 / 3])
    with_fees = assess(calls, back, fees, maximum=5_000.0, reserve=1_500.0)
    assert with_fees.fee_less_cost.value == pytest.approx(20.0 - 3_382.07 / 3)
    assert with_fees.affordability is not None
    assert with_fees.affordability.shortfall.value == pytest.approx(428.72 / 3)


# --- what always holds --------------------------------------------------------------------------------

POUNDS = st.floats(0.0, 1e6).map(lambda x: round(x, 2))
PAID = st.tuples(st.integers(6, 14), st.integers(2, 6)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.one_of(st.just(0.0), POUNDS))
)


def late(calls: np.ndarray, lag: int) -> np.ndarray:
    """The same with nothing paid before it can have been claimed in row 1."""
    calls = calls.copy()
    calls[: lag + 1] = 0.0
    return calls


@USUAL
@given(PAID, st.integers(0, 3), st.floats(0.0, 0.3), st.sampled_from(["loan", "pool"]))
def test_lifetime_is_not_below_a_year_nor_that_below_nil(calls: Any, lag: int, rate: float, by: Any) -> None:
    table = ecl_table(late(calls, lag), year_ends=range(len(calls)), lag=lag, rate=rate, by=by)
    slack = 1e-9 * (1.0 + table.ecl_lifetime.max())
    assert (table.ecl_12m >= 0.0).all()
    assert (table.ecl_lifetime >= table.ecl_12m - slack).all()
    assert (table.ecl_lifetime_standing - table.ecl_12m_standing).dropna().ge(-slack).all()


@USUAL
@given(PAID, st.integers(0, 3), st.sampled_from(["loan", "pool"]))
def test_what_runs_off_is_what_is_called(calls: Any, lag: int, by: Any) -> None:
    """Without discount: paid so far + payable + lifetime loss is the mean of all calls at every year end."""
    calls = late(calls, lag)
    table = ecl_table(calls, year_ends=range(len(calls)), lag=lag, by=by)
    total = calls.sum(axis=0).mean()
    paid = np.cumsum(calls, axis=0).mean(axis=1)
    np.testing.assert_allclose(paid + table.payable + table.ecl_lifetime, total, rtol=1e-9, atol=1e-6)
    assert table.ecl_lifetime[0] == pytest.approx(total, rel=1e-12, abs=1e-9)


@USUAL
@given(PAID, PAID, st.floats(0.0, 0.3), st.sampled_from(["loan", "pool"]))
def test_twice_the_pounds_is_twice_the_loss(calls: Any, back: Any, rate: float, by: Any) -> None:
    calls = late(np.where(calls > 1.0, calls, 0.0), 1)
    back = np.resize(back, calls.shape)
    ends = range(0, len(calls), 4)
    once = ecl_table(calls, back, year_ends=ends, lag=1, rate=rate, by=by)
    twice = ecl_table(2.0 * calls, 2.0 * back, year_ends=ends, lag=1, rate=rate, by=by)
    for name in ("ecl_12m", "ecl_lifetime", "ecl_lifetime_standing", "payable", "ecl_12m_error"):
        np.testing.assert_allclose(twice[name], 2.0 * once[name], rtol=1e-12, atol=1e-9)


@USUAL
@given(PAID, st.floats(0.0, 1.0))
def test_all_recovered_at_once_costs_nothing(calls: Any, share: float) -> None:
    """A recovery of a share of each claim in its own row leaves the rest, whatever is discounted."""
    calls = late(calls, 0)
    ends = range(0, len(calls), 4)
    alone = ecl_table(calls, year_ends=ends, rate=0.1, by="pool")
    # what comes back in a row belongs to all claims so far: held here to the first claim of each path
    first = np.where(np.cumsum(calls > 0.0, axis=0) == 1, calls, 0.0)
    once = ecl_table(first, year_ends=ends, rate=0.1, by="pool")
    less = ecl_table(first, share * first, year_ends=ends, rate=0.1, by="pool")
    np.testing.assert_allclose(less.ecl_lifetime, (1.0 - share) * once.ecl_lifetime, rtol=1e-9, atol=1e-6)
    assert (once.ecl_lifetime <= alone.ecl_lifetime + 1e-6).all()


@USUAL
@given(PAID, PAID, st.floats(0.0, 5e6), st.floats(0.0, 5e6))
def test_an_assessment_is_in_order(calls: Any, back: Any, low: float, more: float) -> None:
    back = np.minimum(np.resize(back, calls.shape), calls)
    most = float(calls.sum(axis=0).max())
    small, large, whole = (
        assess(calls, back, maximum=most, reserve=x) for x in (low, low + more, max(most, low))
    )
    levels = [one.value for one in small.percentiles.values()]
    assert levels == sorted(levels)
    assert small.expected_shortfall.value >= small.worst_case.value - 1e-6
    assert small.maximum >= small.percentiles[0.999].value - 1e-6
    held = [one.affordability for one in (small, large, whole)]
    assert held[0] is not None
    assert held[1] is not None
    assert held[2] is not None
    assert held[0].exhausted.value >= held[1].exhausted.value
    assert held[0].shortfall.value >= held[1].shortfall.value - 1e-6
    assert held[2].exhausted.value == held[2].shortfall.value == 0.0
    assert held[0].by_year["first"].sum() == pytest.approx(held[0].exhausted.value)
    assert held[0].by_year.by_then.is_monotonic_increasing


# --- what is refused ----------------------------------------------------------------------------------

SOME = np.zeros((5, 2))
SOME[3] = 10.0
ECL = ecl_table(SOME, year_ends=(0, 4))


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: ecl_table(SOME[0], year_ends=(0,)), "calls"),
        (lambda: ecl_table(-SOME, year_ends=(0,)), "calls"),
        (lambda: ecl_table(SOME, SOME[:3], year_ends=(0,)), "recoveries"),
        (lambda: ecl_table(SOME, year_ends=(0,), lag=4), "calls"),
        (lambda: ecl_table(SOME, year_ends=(0,), lag=5), "lag"),
        (lambda: ecl_table(SOME, year_ends=(0,), rate=5.0), "rate"),
        (lambda: ecl_table(SOME, year_ends=(4, 0)), "year_ends"),
        (lambda: ecl_table(SOME, year_ends=()), "year_ends"),
        (lambda: ecl_table(SOME, year_ends=(5,)), "year_ends"),
        (lambda: ecl_table(SOME, year_ends=(0,), by="person"), "by"),  # type: ignore[arg-type]
        (lambda: liability_table(ECL, premium=-1.0), "premium"),
        (lambda: liability_table(ECL, term=0), "term"),
        (lambda: liability_table(ECL, significant_increase=[True] * 3), "significant_increase"),
        (lambda: assess(SOME, maximum=5.0), "maximum"),
        (lambda: assess(SOME, maximum=float("nan")), "maximum"),
        (lambda: assess(SOME, maximum=10.0, reserve=-1.0), "reserve"),
        (lambda: assess(SOME, maximum=10.0, percentile=1.0), "percentile"),
        (lambda: assess(SOME, maximum=10.0, cost_of_risk=2.0), "cost_of_risk"),
        (lambda: assess(SOME, maximum=10.0, years=["2026/27"]), "years"),
        (lambda: assess(SOME, None, SOME[:2], maximum=10.0), "fees"),
        (lambda: assess(SOME[0], maximum=10.0), "calls"),
    ],
)
def test_what_makes_no_sense_is_refused(call: Any, field: str) -> None:
    with pytest.raises(InputError) as caught:
        call()
    assert caught.value.field == field
    assert "\n" not in str(caught.value)
