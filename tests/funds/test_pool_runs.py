"""The pooled guarantee in whole funds, path by path against what each deal did alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from socialfinance.engine.fund import Ran
from socialfinance.engine.ready import prepare
from tests.funds.test_fund_runs import note, ran_of, shipped, with_fund

Json = dict[str, Any]
ALL: Json = {"all": note(5_000_000.0)}


def edge_of_care(pool: Json | None, monkeypatch: pytest.MonkeyPatch) -> Ran:
    """One bond, one note that has all that is left, and a pool over half of its loss."""
    fund: Json = {"party": "social investors", "notes": ALL}
    if pool is not None:
        fund["pool"] = {"guarantor": "backer", "cap": 1e9, **pool}
    ready = prepare(with_fund(shipped("edge-of-care"), fund))
    with monkeypatch.context() as patch:
        return ran_of(ready, patch, count=512)[0]


def claim_row(pool: Json, monkeypatch: pytest.MonkeyPatch) -> int:
    fund = {"party": "social investors", "notes": ALL, "pool": {"guarantor": "backer", "cap": 1e9, **pool}}
    ready = prepare(with_fund(shipped("edge-of-care"), fund))
    assert ready.fund is not None
    return ready.fund.positions[0].claim_row


@pytest.mark.parametrize("after", [2, 0])
def test_half_of_a_loss_is_claimed_once_and_met_in_the_next_row(
    after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """claim = 0.5 x (paid in - received) so far; later receipts are shared until its part is back."""
    terms = {"cover": 0.5, "claim_after": after}
    alone, pooled = edge_of_care(None, monkeypatch), edge_of_care(terms, monkeypatch)
    row = claim_row(terms, monkeypatch)
    lost = np.maximum(0.0, (alone.paid_in - alone.received)[: row + 1].sum(axis=0))
    assert (lost > 1000.0).mean() > 0.1
    claimed = 0.5 * lost
    assert np.allclose(pooled.pool.claimed[0], claimed)
    assert np.allclose(pooled.pool.met[0], claimed)
    later = alone.received[row + 1 :].sum(axis=0)
    recovered = np.minimum(0.5 * later, claimed)
    assert np.allclose(pooled.pool.recovered[0], recovered, atol=1e-6)
    extra = pooled.received - alone.received
    assert np.allclose(extra[: row + 1], 0.0)
    assert np.allclose(
        extra[row + 1] + np.minimum(0.5 * alone.received[row + 1], claimed), claimed, atol=1e-6
    )
    assert np.allclose(extra.sum(axis=0), claimed - recovered, atol=1e-6)
    calls = pooled.ledger.of(payer="backer", reason="guarantee call").sum(axis=0)
    assert np.allclose(calls, claimed)


def test_what_a_deal_pays_after_its_claim_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """A claim made far too early, in row 14: the pool has half of later receipts until it has all back."""
    fund = {"party": "social investors", "notes": ALL}
    alone = edge_of_care(None, monkeypatch)
    pool = {"guarantor": "backer", "cap": 1e9, "cover": 0.5}
    ready = prepare(with_fund(shipped("edge-of-care"), {**fund, "pool": pool}))
    assert ready.fund is not None
    early = ready.fund.positions[0]._replace(claim_row=14)
    ready = replace(ready, fund=ready.fund._replace(positions=(early,)))
    pooled = ran_of(ready, monkeypatch, count=512)[0]
    claimed = 0.5 * np.maximum(0.0, (alone.paid_in - alone.received)[:15].sum(axis=0))
    assert (claimed > 100_000.0).mean() > 0.9
    recovered = np.minimum(0.5 * alone.received[15:].sum(axis=0), claimed)
    assert np.allclose(pooled.pool.recovered[0], recovered)
    assert np.allclose((pooled.received - alone.received).sum(axis=0), claimed - recovered, atol=1e-6)
    back = pooled.ledger.of(payee="backer", reason="recovery").sum(axis=0)
    assert np.allclose(back, recovered)


def test_a_cap_leaves_the_rest_with_the_fund(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = edge_of_care(None, monkeypatch)
    pooled = edge_of_care({"cover": 0.5, "cap": 50_000.0}, monkeypatch)
    met = pooled.pool.met[0]
    assert met.max() == pytest.approx(50_000.0)
    assert np.allclose(met, np.minimum(50_000.0, pooled.pool.claimed[0]))
    loss = alone.paid_in.sum(axis=0) - alone.received.sum(axis=0)
    with_pool = pooled.paid_in.sum(axis=0) - pooled.received.sum(axis=0)
    assert np.all(with_pool <= loss + 1e-6)
    assert np.all(with_pool >= loss - 50_000.0 - 1e-6)


def test_the_fee_is_on_the_unused_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    """1% a year on £100,000: £250 a quarter from row 1, less once a claim is paid; owed if cash is short."""
    pooled = edge_of_care({"cover": 0.5, "cap": 100_000.0, "fee": 0.01}, monkeypatch)
    paid = pooled.ledger.of(payee="backer", reason="guarantee fee").sum(axis=0)
    fees = paid + pooled.state.cost_arrears
    assert paid.min() > 0.0
    rows = pooled.cash.shape[0] - 1
    unused = pooled.pool.used <= 0.0
    assert np.allclose(fees[unused], 250.0 * rows)
    assert np.all(fees[~unused] < 250.0 * rows)


def guaranteed(pool: Json | None, monkeypatch: pytest.MonkeyPatch) -> Ran:
    """Guaranteed debt whose insurer is the pool's guarantor."""
    fund: Json = {"party": "lender", "notes": ALL}
    if pool is not None:
        fund["pool"] = {"guarantor": "insurer", "cap": 1e9, **pool}
    ready = prepare(with_fund(shipped("demo-guaranteed-debt"), fund))
    with monkeypatch.context() as patch:
        return ran_of(ready, patch, count=2048)[0]


def test_a_pool_with_room_pays_every_call_a_quarter_late(monkeypatch: pytest.MonkeyPatch) -> None:
    alone, pooled = guaranteed(None, monkeypatch), guaranteed({}, monkeypatch)
    claimed = pooled.pool.claimed[0]
    assert (claimed > 0.0).sum() > 5
    assert np.allclose(pooled.pool.met[0], claimed)
    assert np.allclose(pooled.received.sum(axis=0), alone.received.sum(axis=0))
    so_far = np.cumsum(pooled.received, axis=0), np.cumsum(alone.received, axis=0)
    assert np.all(so_far[0] <= so_far[1] + 1e-6)
    assert np.all(so_far[0][1:] >= so_far[1][:-1] - 1e-6)


def test_calls_on_a_pool_that_is_short_are_the_lenders_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not met is lost, but for the part of what the insurer recovers that follows it."""
    alone, pooled = guaranteed(None, monkeypatch), guaranteed({"cap": 20_000.0}, monkeypatch)
    claimed, met = pooled.pool.claimed[0], pooled.pool.met[0]
    assert met.max() == pytest.approx(20_000.0)
    assert np.allclose(met, np.minimum(claimed, 20_000.0))
    followed = pooled.ledger.of(payer="insurer", reason="recovery")
    back = 0.0 if isinstance(followed, float) else followed.sum(axis=0)
    less = alone.received.sum(axis=0) - pooled.received.sum(axis=0)
    assert np.allclose(less, claimed - met - back, atol=1e-6)
    assert np.all(back <= claimed - met + 1e-6)
