"""Whole funds: what must be the same however a fund is cut, run or ordered."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import socialfinance as sf
from socialfinance.engine import block as blocks
from socialfinance.engine.accumulate import Block
from socialfinance.engine.fund import Ran, _live
from socialfinance.engine.ready import ReadyPortfolio, prepare
from socialfinance.engine.run import simulate
from socialfinance.funds.portfolio import Portfolio
from socialfinance.measures.paths import Key
from tests.oracles.test_credit import DEFAULTS, EDGES, LGD, PATHS, POOL, RHO, P, credit
from tests.pools import one_pool

Json = dict[str, Any]
HOLDERS = {"holder": {"kind": "investor"}, "other": {"kind": "investor"}, "chest": {"kind": "community"},
           "backer": {"kind": "guarantor"}, "manager": {"kind": "intermediary"}}  # fmt: skip
REST: Json = {"basis": "residual"}
SOME = ("family-therapy", "homelessness-prevention", "rough-sleeping", "neet-employment")
"""Deals enough for a fund whose policy has a choice."""


@cache
def shipped(name: str) -> Portfolio:
    return sf.load(name).portfolio


def with_fund(portfolio: Portfolio, fund: Json | None, keep: tuple[str, ...] = ()) -> Portfolio:
    """The portfolio with another fund, and only some of its deals where any are named."""
    given = portfolio.model_dump(exclude_unset=True)
    given["parties"] = {**given["parties"], **HOLDERS}
    given.pop("fund", None)
    if fund is not None:
        given["fund"] = fund
    if keep:
        given["deals"] = {name: given["deals"][name] for name in keep}
    return Portfolio.model_validate(given)


def note(commitment: float, rank: int = 1, rate: Json | None = None, **more: Any) -> Json:
    return {"holder": "holder", "commitment": commitment, "rank": rank, "rate": rate or REST, **more}


def edge_of_care(fund: Json) -> ReadyPortfolio:
    return prepare(with_fund(shipped("edge-of-care"), {"party": "social investors", **fund}))


def block_of(ready: ReadyPortfolio, first: int = 0, count: int = 256) -> Block:
    return blocks.run_block(ready, 5, first, count, compare=False)


def ran_of(ready: ReadyPortfolio, monkeypatch: pytest.MonkeyPatch, count: int = 256) -> list[Ran]:
    """What ``run_fund`` found in a block: without the policy, then with it."""
    found: list[Ran] = []
    run_fund = blocks.run_fund

    def noted(*given: Any, **named: Any) -> Ran:
        found.append(run_fund(*given, **named))
        return found[-1]

    monkeypatch.setattr(blocks, "run_fund", noted)
    block_of(ready, count=count)
    return found


def of_note(block: Block, name: str, measure: str) -> np.ndarray:
    units = {key.unit for key in block.figures if key.measure == measure}
    return next(
        block.figures[Key("fund", "", name, "note", "", measure, unit)]
        for unit in units
        if Key("fund", "", name, "note", "", measure, unit) in block.figures
    )


def test_one_deal_and_one_note_are_the_deal() -> None:
    """A note that has all that is left, no costs: what holds of the deal's investors holds of the note."""
    block = block_of(edge_of_care({"notes": {"all": note(5_000_000.0)}}))
    for measure in ("drawn", "received", "irr", "irr_status", "loss", "npv", "life"):
        mine = of_note(block, "all", measure)
        theirs = next(
            values for key, values in block.figures.items()
            if key.scope == "deal" and key.role == "investor" and key.measure == measure
        )  # fmt: skip
        assert np.allclose(mine, theirs, rtol=1e-12, atol=1e-9, equal_nan=True), measure
        exact = measure in ("drawn", "received", "loss")
        assert not exact or np.array_equal(mine, theirs), measure


RATES: list[Json] = [
    {"basis": "fixed", "annual": 0.04},
    {"basis": "performance", "annual": 0.02, "extra": 0.04},
    {"basis": "residual"},
    {"basis": "residual", "cap": 0.05},
]


@pytest.mark.parametrize("rate", RATES, ids=lambda rate: "-".join(str(x) for x in rate.values()))
def test_two_halves_of_a_note_are_the_note(rate: Json) -> None:
    rest = {"surplus_to": "chest", "costs": {"per_year": 20_000.0}}
    below = {"last": note(800_000.0, 9)} if rate["basis"] != "residual" else {}
    whole = block_of(edge_of_care({"notes": {"a": note(2_000_000.0, 1, rate), **below}, **rest}))
    half = note(1_000_000.0, 1, rate)
    halves = block_of(edge_of_care({"notes": {"a": half, "b": {**half, "holder": "other"}, **below}, **rest}))
    for measure in ("drawn", "received"):
        both = of_note(halves, "a", measure) + of_note(halves, "b", measure)
        assert np.allclose(of_note(whole, "a", measure), both, rtol=1e-9, atol=1e-6)


def policy_fund(policy: Json | None, **more: Any) -> Json:
    fund: Json = {
        "party": "social investors", "surplus_to": "chest", "costs": {"per_year": 100_000.0},
        "notes": {
            "senior": note(14_000_000.0, 1, {"basis": "fixed", "annual": 0.04}, deferrable=True),
            "last": note(14_000_000.0, 2),
        }, **more,
    }  # fmt: skip
    return fund if policy is None else {**fund, "policy": policy}


def fund_keys(block: Block, scope: str) -> dict[Key, np.ndarray]:
    return {
        key._replace(scope="fund"): values for key, values in block.figures.items()
        if key.scope == scope and key.role in ("note", "net", "gross", "fund", "position")
    }  # fmt: skip


def test_a_policy_that_cuts_nobody_changes_no_bit() -> None:
    """Deals run side by side and told to go on as they are: the same bits as each alone."""
    base = shipped("collective-impact-fund")
    none = block_of(prepare(with_fund(base, policy_fund({"cut": 0.0, "reinvest": 0.2}), SOME)))
    plain = block_of(prepare(with_fund(base, policy_fund(None), SOME)))
    mine, theirs = fund_keys(none, "fund"), fund_keys(plain, "fund")
    assert mine.keys() == theirs.keys()
    for key, values in theirs.items():
        assert np.array_equal(values, mine[key], equal_nan=True), key


def test_a_policy_that_cuts_changes_something() -> None:
    base = shipped("collective-impact-fund")
    ready = prepare(with_fund(base, policy_fund({"cut": 0.2, "reinvest": 0.2})))
    block = block_of(ready)
    with_, without = fund_keys(block, "fund"), fund_keys(block, "fund without policy")
    key = Key("fund", "", "social investors", "gross", "", "drawn", "pounds")
    assert (with_[key] != without[key]).mean() > 0.5


def test_what_grows_costs_more_and_what_is_cut_costs_less() -> None:
    """By deal and path, against the same path without the policy: cost and value follow the starts."""
    policy = {"cut": 0.2, "reinvest": 0.3, "growth": {"per_review": 0.5, "most": 2.0}}
    fund = policy_fund(policy)
    for one in fund["notes"].values():
        one["commitment"] = 40_000_000.0  # enough that nothing is rationed
    block = block_of(prepare(with_fund(shipped("collective-impact-fund"), fund)))

    def of(scope: str, measure: str, unit: str, deal: str) -> np.ndarray:
        return block.figures[Key(scope, deal, "social investors", "policy", "", measure, unit)]

    moved: dict[tuple[str, str], list[np.ndarray]] = {}
    for deal in sorted({key.deal for key in block.figures if key.measure == "grown"}):
        grown = of("fund", "grown", "share of paths", deal) > 0.0
        cut = of("fund", "cut", "share of paths", deal) > 0.0
        for measure in ("cost", "value"):
            more = of("fund", measure, "pounds", deal) - of("fund without policy", measure, "pounds", deal)
            assert np.abs(more[~grown & ~cut]).max(initial=0.0) < 1e-6
            moved.setdefault(("grown", measure), []).append(more[grown & ~cut])
            moved.setdefault(("cut", measure), []).append(-more[cut & ~grown])
    for which, amounts in moved.items():
        found = np.concatenate(amounts)
        assert len(found) > 50, which
        assert (found < -1e-6).mean() < 0.01, which
        assert (found > 1e-6).mean() > 0.7, which  # what is cut in its last quarters has little left


@pytest.mark.parametrize("commitment", [12_000_000.0, 5_000_000.0])
def test_every_pound_that_enters_leaves_or_is_there(
    commitment: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By row and path: what came in less what went out is the cash in the fund, rationed or not."""
    policy = {"cut": 0.2, "reinvest": 0.2}
    pool = {"guarantor": "backer", "cap": 1_000_000.0, "cover": 0.5, "fee": 0.01, "annual_limit": 400_000.0}
    fund = policy_fund(policy, pool=pool, cash_yield=0.03)
    fund["notes"]["senior"]["commitment"] = commitment / 2
    fund["notes"]["last"]["commitment"] = commitment / 2
    ready = prepare(with_fund(shipped("collective-impact-fund"), fund, SOME))
    for ran in ran_of(ready, monkeypatch):
        assert (ran.met.min() < 1.0) == (commitment < 8e6)
        assert ran.from_pool.max() > 0.0
        # its own ledger holds all but what passes between it and deals; the pool's payments are in both
        passed = ran.received - ran.paid_in - ran.from_pool
        cash = np.cumsum(ran.ledger.net["social investors"] + passed, axis=0)
        assert np.allclose(cash, ran.cash, atol=1e-4)
        assert np.abs(ran.cash[-1]).max() < 1e-4
        assert ran.cash.min() > -1e-6
        for owed in ran.repaid:
            assert owed.min() > -1e-6
        assert np.abs(np.sum(np.stack(list(ran.ledger.net.values())), axis=0)).max() < 1e-6


@pytest.mark.parametrize("commitment", [3_000_000.0, 300_000.0])
def test_what_following_a_grant_costs_comes_out_of_the_fund(commitment: float) -> None:
    """Loans and grants side by side: what came in less what went out is there, rationed or not.

    Grants cost their funder more than the instalments: that is asked for, and never more taken than granted.
    """
    raw = shipped("community-fund").model_dump(exclude_unset=True)
    raw["fund"]["notes"]["savers"]["commitment"] = commitment
    ready = prepare(Portfolio.model_validate(raw))
    ran = _live(ready, 5, np.arange(256, dtype=np.uint64), policy=False)
    assert (ran.met.min() < 1.0) == (commitment < 1e6)
    passed = ran.received - ran.paid_in - ran.from_pool
    cash = np.cumsum(ran.ledger.net["community fund"] + passed, axis=0)
    assert np.allclose(cash, ran.cash, atol=1e-4)
    assert ran.cash.min() > -1e-6


def test_deals_share_what_is_short() -> None:
    """Half of what is needed: every deal that asks is granted the same part in a row."""
    fund = policy_fund(None)
    fund["notes"] = {"all": note(13_000_000.0)}
    fund.pop("costs")
    block = block_of(prepare(with_fund(shipped("collective-impact-fund"), fund)))
    called = block.figures[Key("fund", "", "social investors", "fund", "", "called", "pounds")]
    short = block.figures[Key("fund", "", "social investors", "fund", "", "rationed", "share of paths")]
    assert short.mean() > 0.9
    assert called.max() <= 13_000_000.0 + 1e-6


def test_where_all_is_granted_running_again_gives_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deals taken as they ran alone, and run side by side."""
    ready = prepare(with_fund(shipped("collective-impact-fund"), policy_fund(None), SOME))
    taken = ran_of(ready, monkeypatch)[0]
    again = _live(ready, 5, np.arange(256, dtype=np.uint64), policy=False)
    assert np.array_equal(taken.paid_in, again.paid_in)
    assert np.array_equal(taken.received, again.received)
    for mine, theirs in zip(taken.back, again.back, strict=True):
        assert np.array_equal(mine, theirs)


@pytest.mark.parametrize("chunk", [256])
def test_chunk_and_workers_change_no_bit(chunk: int) -> None:
    fund = with_fund(shipped("collective-impact-fund"), policy_fund({"cut": 0.2}), SOME)
    whole = simulate(fund, paths=512, seed=2, workers=1, compare=False)
    parts = simulate(fund, paths=512, seed=2, workers=2, chunk=chunk, compare=False)
    assert whole.measures_rows == parts.measures_rows
    assert whole.flow_rows == parts.flow_rows
    assert some_are_cut(whole)


def some_are_cut(result: Any) -> bool:
    """Whether the policy cuts a deal in some future."""
    return any(row.measure == "cut" and row.value for row in result.measures_rows)


def test_the_order_of_deals_and_notes_changes_no_figure() -> None:
    base, fund = shipped("collective-impact-fund"), policy_fund({"cut": 0.2})
    given = with_fund(base, fund, SOME).model_dump(exclude_unset=True)
    given["deals"] = dict(reversed(given["deals"].items()))
    given["fund"]["notes"] = dict(reversed(given["fund"]["notes"].items()))
    one = block_of(prepare(with_fund(base, fund, SOME)))
    other = block_of(prepare(Portfolio.model_validate(given)))
    assert any(key.measure == "cut" and values.any() for key, values in one.figures.items())
    for key, values in one.figures.items():
        assert np.allclose(values, other.figures[key], rtol=1e-9, atol=1e-6, equal_nan=True), key


@pytest.mark.parametrize("loans", [50, 500])
def test_notes_over_a_loan_pool_lose_what_tranches_lose(loans: int) -> None:
    """Notes at 0-5-15-100% of a pool, rates nil: expected losses of the exact finite pool, 4 standard errors.

    The pool's own closed form is held to the published tranches of the large pool in tests/oracles.
    """
    segment = {"schedule": (float(loans),), "size": POOL / loans, "rate": 0.0, "correlation": RHO, **DEFAULTS}
    portfolio = one_pool(segment=segment, pool={"commitment": {"amount": POOL}}, quarters=6)
    nil = {"basis": "fixed", "annual": 0.0}
    names = ("first", "second", "third")
    notes = {
        name: note((high - low) * POOL, 3 - i, nil, deferrable=True)
        for i, (name, (low, high)) in enumerate(zip(names, EDGES, strict=True))
    }
    fund = {"party": "fund", "notes": notes, "surplus_to": "chest"}
    result = simulate(with_fund(portfolio, fund), paths=PATHS, seed=3, workers=1, compare=False)
    for name, (low, high) in zip(names, EDGES, strict=True):
        exact = credit.pool_tranche(loans, P, RHO, LGD, low, high)
        row = next(
            row for row in result.measures_rows
            if (row.scope, row.party, row.measure, row.statistic) == ("fund", name, "loss", "mean")
        )  # fmt: skip
        assert row.value is not None
        assert abs(row.value / POOL - exact.of_pool) < 4.0 * exact.sd / PATHS**0.5, name


def figure(result: Any, measure: str, statistic: str, year: str = "") -> tuple[float, float]:
    row = next(
        row for row in result.measures_rows
        if (row.scope, row.role, row.deal, row.financial_year, row.measure, row.statistic)
        == ("fund", "policy", "", year, measure, statistic)
    )  # fmt: skip
    return row.value, row.standard_error


@pytest.mark.slow
def test_noise_makes_more_cuts_mistakes_and_gains_less() -> None:
    """The error of measurement at 100 people: nil, 0.3 and 1.5. Monotone by more than 4 standard errors."""
    gains, wrong = [], []
    for error in (0.0, 0.3, 1.5):
        policy = {"cut": 0.2, "error": error, "mitigation": {"improving_by": None}}
        fund = with_fund(shipped("collective-impact-fund"), policy_fund(policy))
        result = simulate(fund, paths=1024, seed=4, workers=1, compare=False)
        gains.append(figure(result, "value_per_pound_gain", "of_means"))
        wrong.append(figure(result, "share_of_cuts_mistaken", "of_means"))
    for (a, x), (b, y) in pairwise(gains):
        assert a - b > 4.0 * (x * x + y * y) ** 0.5
    for (a, x), (b, y) in pairwise(wrong):
        assert b - a > 4.0 * (x * x + y * y) ** 0.5


def test_the_tail_sums_to_the_funds() -> None:
    fund = with_fund(shipped("collective-impact-fund"), policy_fund(None), SOME)
    result = simulate(fund, paths=256, seed=4, workers=1, compare=False)
    rows = [row for row in result.measures_rows if row.measure == "tail_loss"]
    whole = next(row.value for row in rows if not row.deal)
    assert whole > 0.0
    assert whole == pytest.approx(sum(row.value for row in rows if row.deal), rel=1e-9)
