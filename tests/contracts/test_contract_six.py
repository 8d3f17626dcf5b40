"""Contract six: one source for a step, on floats, on NumPy blocks and compiled, in either loop order."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest

from socialfinance.core.ledger import Ledger, nil_sum
from socialfinance.engine.deal import Told, own_draws, periods, run
from socialfinance.engine.ready import (
    ReadyDeal,
    ReadyPortfolio,
    ReadyStructure,
    drawn,
    futures_of,
    prepare,
    price_level,
)
from socialfinance.funds.portfolio import Portfolio
from socialfinance.instruments.base import INFINITE, Lowered, Now, flat
from socialfinance.kernels.delays import Delays
from socialfinance.programmes.base import AS_PLANNED
from socialfinance.programmes.delivery import deliver
from socialfinance.scenarios.sources import at
from tests.compiled import Compiled, same_bits
from tests.contracts.toy_structures import guarantee, pay_as_you_save

PATHS = np.arange(8, dtype=np.uint64)
LINES = ("assessed", "moved-in", "three-months", "six-months", "twelve-months", "course", "job", "job-26")


def portfolio() -> Portfolio:
    """A bond of eight lines in two chains, three payers, two cost lines, two savings, exits and a review."""
    chain: dict[str, dict[str, Any]] = {}
    for i, name in enumerate(LINES):
        line: dict[str, Any] = {
            "probability": {"distribution": "beta", "mean": 0.8 - 0.03 * i, "sd": 0.05},
            "lag": i % 3,
            "verification_lag": i % 2,
            "deadweight": 0.1,
        }
        if 0 < i < 5 or i > 5:
            line["of"] = LINES[i - 1]
        chain[name] = line
    programme = {
        "title": "two chains",
        "illustrative": True,
        "referrals": {"per_quarter": 14.0, "quarters": 10, "ramp": (0.3, 0.6), "dispersion": 0.05},
        "engagement": {"distribution": "beta", "mean": 0.8, "sd": 0.06},
        "outcomes": chain,
        "costs": {
            "delivery": {"per_quarter": 60_000.0, "per_user": 900.0, "elasticity": 0.5, "vat": 0.2,
                         "vat_recoverable": 0.5},
            "evaluation": {"paid_to": "evaluator", "reason": "evaluation cost", "per_quarter": 4_000.0,
                           "inside_cap": False},
        },
        "savings": {
            "care": {"on": "six-months", "agency": "commissioner", "unit_value": 4_000.0, "duration": 6,
                     "drop_off": 0.3, "cashable": 0.6},
            "benefits": {"on": "job", "agency": "top-up", "unit_value": 1_500.0, "lag": 1, "duration": 4,
                         "cashable": 1.0},
        },
    }  # fmt: skip
    instrument = {
        "kind": "social-impact-bond",
        "commitment": {"peak_need": 1.2},
        "cap": {"irr": 0.12, "multiple": 1.8},
        "above_cap": {"payers": 0.5, "provider": 0.5},
        "provider_at_risk": 0.1,
        "tranches": {"first": {"share": 0.7}, "second": {"share": 0.3, "from_quarter": 3, "gate": 0.4}},
        "termination": {
            "performance_test": {"first_quarter": 5, "below": 0.4, "strikes": 1},
            "voluntary": {"annual_probability": 0.05},
        },
        "review": {"quarters": (4, 8), "below": 0.9, "price": 1.1, "performance": 1.1, "pause_quarters": 1},
    }
    tariff = {
        "prices": {name: 800.0 + 300.0 * i for i, name in enumerate(LINES)},
        "payers": {
            "council": {"share": 0.5, "cap": 400_000.0},
            "health": {"share": 0.2, "payment_lag": 0, "passes_on": True},
            "top-up": {"share": 0.3, "cap": 250_000.0, "leaves": 14},
        },
        "caps": {"job": 60_000.0},
        "cap": 900_000.0,
        "rejected": 0.02,
        "delayed": {"share": 0.1, "quarters": 2},
        "clawback": {"share": 0.03, "after": 3},
        "minimum_referrals": {"per_quarter": 10.0, "payment": 300.0},
    }
    return Portfolio.model_validate(
        {
            "name": "contract-six",
            "start": date(2026, 10, 1),
            "quarters": 22,
            "parties": {
                "council": {"kind": "council"}, "icb": {"kind": "nhs"}, "lottery": {"kind": "central"},
                "fund": {"kind": "investor"}, "charity": {"kind": "provider"},
            },
            "deals": {
                "bond": {
                    "programme": programme, "instrument": instrument, "tariff": tariff,
                    "parties": {"council": "council", "health": "icb", "top-up": "lottery",
                                "investor": "fund", "provider": "charity", "commissioner": "council"},
                }
            },
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def ready() -> ReadyPortfolio:
    return prepare(portfolio())


def structure(ready: ReadyPortfolio, which: str) -> Lowered:
    deal = ready.deals[0]
    rows = deal.calendar.quarters + 1
    if which == "bond":
        assert deal.varied is not None
        return deal.varied.lowered
    return guarantee(rows) if which == "guarantee" else pay_as_you_save(rows, 2)


def walk(
    ready: ReadyPortfolio, lowered: Lowered, paths: Any, do: Any = deliver, step: Any = None
) -> list[Any]:
    """Programme and structure through all rows: activity and payments by row."""
    deal, step = ready.deals[0], step or lowered.step
    common = ready.common(11, paths)
    futures = futures_of(deal, drawn(deal, common, 11, paths), common)
    level, draws = price_level(deal, common), own_draws(lowered, futures.source, futures.rows)
    state, delays, orders = deal.programme.opening, Delays(deal.programme.lags), AS_PLANNED
    own, lines, seen = lowered.opening, Delays(lowered.lags), []
    for row in range(futures.rows):
        state, done, entering = do(deal.programme.terms, state, futures.now(row, delays.due()), orders)
        delays.enter(entering)
        now = Now(
            lowered.schedule[row],
            done,
            lines.due(),
            INFINITE,
            draws[row],
            at(futures.shock_runs, row),
            level[row],
        )
        own, payments, orders, moved = step(lowered.terms, own, now)
        lines.enter(moved)
        seen.append((done, payments))
    return seen


def scalar(x: Any, path: int) -> Any:
    """The same nested tuples for one path, every leaf a float (integers and keys as unsigned words)."""
    if isinstance(x, tuple):
        parts = [scalar(one, path) for one in x]
        return type(x)(*parts) if hasattr(x, "_fields") else tuple(parts)
    if isinstance(x, np.ndarray):
        return x.dtype.type(x[path]) if x.dtype == np.uint64 else float(x[path])
    return np.uint64(x) if isinstance(x, int) else float(x)


def for_one_path(function: Any, path: int) -> Any:
    """Call a pure function with everything cut down to one path."""
    return lambda *given: function(*(scalar(one, path) for one in given))


def leaves(seen: list[Any]) -> np.ndarray:
    """Everything that came out, by row and leaf, for each path of the block."""
    width = len(PATHS)
    return np.array([[np.broadcast_to(leaf, (width,)) for leaf in flat(row)] for row in seen], dtype=float)


@pytest.mark.parametrize("which", ["bond", "guarantee", "pay-as-you-save"])
def test_floats_and_blocks_agree(ready: ReadyPortfolio, which: str) -> None:
    """The same source on plain floats and on NumPy blocks: counts the same, money to 1e-12 of scale."""
    lowered = structure(ready, which)
    block = leaves(walk(ready, lowered, PATHS))
    for path in (0, 3, 5):
        one = walk(ready, lowered, PATHS, for_one_path_with_int_luck(path), for_one_path(lowered.step, path))
        alone = np.array([[float(leaf) for leaf in flat(row)] for row in one])
        assert np.allclose(alone, block[:, :, path], rtol=1e-12, atol=1e-9)


def for_one_path_with_int_luck(path: int) -> Any:
    """``deliver`` on floats, with the luck's numbers as Python integers."""

    def plain(x: Any) -> Any:
        if isinstance(x, tuple):
            parts = [plain(one) for one in x]
            return type(x)(*parts) if hasattr(x, "_fields") else tuple(parts)
        if isinstance(x, np.ndarray):
            return int(x[path]) if x.dtype == np.uint64 else float(x[path])
        return x if isinstance(x, int) else float(x)

    return lambda *given: deliver(*(plain(one) for one in given))


@pytest.mark.parametrize("which", ["bond", "guarantee", "pay-as-you-save"])
def test_compiled_agrees(ready: ReadyPortfolio, which: str) -> None:
    """The same source compiled, row by row: the same bits."""
    pytest.importorskip("numba")
    lowered = structure(ready, which)
    play, step = Compiled(deliver, len(PATHS)), Compiled(lowered.step, len(PATHS))
    seen = walk(ready, lowered, PATHS, play, step)
    assert same_bits(walk(ready, lowered, PATHS), seen, len(PATHS)) > 1000.0
    assert play.programs
    assert step.programs


@pytest.mark.parametrize("which", ["bond", "guarantee", "pay-as-you-save"])
def test_parties_sum_to_nil(ready: ReadyPortfolio, which: str) -> None:
    """Double entry on every path and row, whatever the structure pays."""
    _, ledger = _booked(ready, which)
    gross = sum(abs(net).max() for net in ledger.net.values())
    assert gross > 0
    assert np.abs(nil_sum(ledger.net)).max() <= 1e-9 * gross


def test_reinvestment_starts_more_people(ready: ReadyPortfolio) -> None:
    """An order above one adds starts from the next row on, and only then."""
    plain = walk(ready, structure(ready, "guarantee"), PATHS)
    more = walk(ready, structure(ready, "pay-as-you-save"), PATHS)
    starts = [np.array([row[0].starts for row in seen]) for seen in (plain, more)]
    assert starts[1].sum() > starts[0].sum()
    changed = np.argmax((starts[0] != starts[1]).any(axis=1))
    reinvested = np.array([np.broadcast_to(row[1].reinvested, (len(PATHS),)) for row in more]).any(axis=1)
    assert changed > np.argmax(reinvested)


@pytest.mark.parametrize("which", ["bond", "guarantee", "pay-as-you-save"])
def test_loop_orders_give_the_same_bits(ready: ReadyPortfolio, which: str) -> None:
    """Each deal through all its rows, or two deals row by row: one source, the same bits."""
    deal, alone = _booked(ready, which)
    made = _as_ready(deal, structure(ready, which))
    common = ready.common(11, PATHS)
    futures = futures_of(deal, drawn(deal, common, 11, PATHS), common)
    ledgers = [Ledger(deal.calendar.year_of_row, len(PATHS)) for _ in range(2)]
    level = price_level(deal, common)
    running = [periods(deal, (made,), futures, level, (ledger,), rationed=True) for ledger in ledgers]
    wishes = [next(one) for one in running]
    while running:
        granted = list(wishes)  # a fund with room for everybody grants the wish
        wishes, still = [], []
        for one, grant in zip(running, granted, strict=True):
            try:
                wishes.append(one.send(Told(grant.wish)))
                still.append(one)
            except StopIteration:
                continue
        running = still
    for ledger in ledgers:
        for party, net in alone.net.items():
            assert np.array_equal(net, ledger.net[party])


def test_a_ration_is_kept(ready: ReadyPortfolio) -> None:
    """A fund that grants half the wish is never drawn for more."""
    deal = ready.deals[0]
    made = _as_ready(deal, structure(ready, "bond"))
    common = ready.common(11, PATHS)
    futures = futures_of(deal, drawn(deal, common, 11, PATHS), common)
    ledger = Ledger(deal.calendar.year_of_row, len(PATHS))
    rows = periods(deal, (made,), futures, price_level(deal, common), (ledger,), rationed=True)
    asked, granted = next(rows), np.zeros(len(PATHS))
    while True:
        granted = granted + asked.wish * 0.5
        try:
            asked = rows.send(Told(asked.wish * 0.5))
        except StopIteration:
            break
    drawn_down = ledger.of(reason="drawdown").sum(axis=0)
    assert np.allclose(drawn_down, granted, rtol=1e-12)
    assert drawn_down.max() > 0


def _as_ready(deal: ReadyDeal, lowered: Lowered) -> ReadyStructure:
    def shares(role: str) -> Any:
        return deal.roles[role]

    legs = tuple((leg, shares(leg.payer), shares(leg.payee)) for leg in flat(lowered.legs))
    uses = [*lowered.uses, *[True] * 2][:2]
    spent = tuple(
        (shares(line.paid_to) if used else (), line.reason)
        for line, used in zip(deal.programme.programme.costs.values(), uses, strict=True)
    )
    return ReadyStructure("toy", lowered, legs, spent)


def _booked(ready: ReadyPortfolio, which: str) -> tuple[ReadyDeal, Ledger]:
    deal = ready.deals[0]
    common = ready.common(11, PATHS)
    futures = futures_of(deal, drawn(deal, common, 11, PATHS), common)
    ledger = Ledger(deal.calendar.year_of_row, len(PATHS))
    run(deal, (_as_ready(deal, structure(ready, which)),), futures, price_level(deal, common), (ledger,))
    return deal, ledger
