"""One people's programme counted by path: people by outcome line, what is spent and how it moves with volume.

A cost with elasticity e to the volume r = starts / planned starts, its lag before, is k (1 + e (r - 1)) + u
starts, so that dC / d(ln volume) = k e r + u starts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from socialfinance.core.errors import InputError
from socialfinance.core.ledger import Ledger
from socialfinance.core.parties import OUTSIDE, PUBLIC
from socialfinance.engine.accumulate import UNIT
from socialfinance.engine.block import ALL_PUBLIC
from socialfinance.engine.deal import run
from socialfinance.engine.ready import ReadyDeal, ReadyPortfolio, drawn, futures_of, price_level
from socialfinance.engine.run import available_memory
from socialfinance.measures.paths import net_of, saved_of, sum_rows
from socialfinance.scenarios.sources import at

Array = NDArray[np.float64]
PEOPLE = "people-programme"
CHUNK = 8 * UNIT
"""Paths at once."""
TOUCHED = ("saving", "non-cashable saving", "extra cost", "non-cashable extra cost")


@dataclass
class Counted:
    """One deal by path ``(path,)``: people, and pounds undiscounted, over the life."""

    deal: ReadyDeal
    referred: Array
    started: Array
    came: dict[str, Array]
    """by line: people who reach the point where it can be achieved"""
    achieved: dict[str, Array]
    beyond: dict[str, Array]
    """by line: outcomes that would not have happened anyway"""
    spent: Array
    """on the programme by whoever delivers it, VAT left out"""
    follows: Array
    """dC / d(ln volume), pounds: how spending moves with volume"""
    paid: dict[str, Array]
    """by public body, and ``ALL_PUBLIC``: what it pays, savings not taken off"""
    cashable: dict[str, Array]
    """by public body: savings that leave a budget, less extra cost"""
    capacity: dict[str, Array]
    """by public body: savings that do not, less extra cost"""


def check_fits(paths: int, arrays: int) -> None:
    """Refuse more paths than there is memory for: ``arrays`` numbers a path, twice while they are joined."""
    needs, have = 2 * 8 * arrays * paths, available_memory()
    if needs > have:
        raise InputError(
            f"needs about {needs / 2**30:,.1f} GiB of memory, {have / 2**30:,.1f} GiB are free",
            field="paths",
            given=paths,
            allowed=f"up to about {have // (16 * arrays):,} paths on this machine",
        )


def is_scored(deal: ReadyDeal) -> bool:
    """Whether a deal finances a people's programme under a structure that delivers it."""
    return deal.deal.programme.kind == PEOPLE and deal.own.lowered.delivers


def count(ready: ReadyPortfolio, deal: ReadyDeal, paths: int, seed: int) -> Counted:
    """One deal under its own structure, all paths, in blocks; the same draws as a run of the portfolio."""
    parts = [_block(ready, deal, seed, first, min(CHUNK, paths - first)) for first in range(0, paths, CHUNK)]
    joined: dict[str, Any] = {}
    for name in Counted.__dataclass_fields__:
        if name == "deal":
            continue
        pieces = [getattr(part, name) for part in parts]
        if isinstance(pieces[0], dict):
            sizes = [len(part.spent) for part in parts]
            names = dict.fromkeys(one for piece in pieces for one in piece)
            joined[name] = {
                one: np.concatenate([p.get(one, np.zeros(n)) for p, n in zip(pieces, sizes, strict=True)])
                for one in names
            }
        else:
            joined[name] = np.concatenate(pieces)
    return Counted(deal, **joined)


def _block(ready: ReadyPortfolio, deal: ReadyDeal, seed: int, first: int, size: int) -> Counted:
    paths = np.arange(first, first + size, dtype=np.uint64)
    common = ready.common(seed, paths)
    futures = futures_of(deal, drawn(deal, common, seed, paths), common)
    ledger = Ledger(deal.calendar.year_of_row, size)
    outcome = run(deal, (deal.own,), futures, price_level(deal, common), (ledger,))[0]
    people = _people(deal, outcome.activity, outcome.futures, size)
    spent, follows = _spending(deal, outcome.activity, outcome.futures, size)
    public = [name for name in sorted(ledger.net) if ready.parties[name].kind in PUBLIC]
    paid = {}
    for name, parties in [*((one, [one]) for one in public), (ALL_PUBLIC, public)]:
        saved = sum_rows(saved_of(ledger, parties))
        paid[name] = saved - sum_rows(net_of(ledger, parties))
    agencies = {party for leg in ledger.memo_by_year for party in leg[:2]} & set(ready.parties)
    agencies = {name for name in agencies if ready.parties[name].kind in PUBLIC} | set(public)
    cashable = {name: sum_rows(saved_of(ledger, (name,))) for name in sorted(agencies)}
    capacity = {name: _capacity(ledger, name) for name in sorted(agencies)}
    return Counted(deal, *people, spent, follows, paid, cashable, capacity)


def _people(
    deal: ReadyDeal, activity: Sequence[Any], futures: Any, size: int
) -> tuple[Array, Array, dict[str, Array], dict[str, Array], dict[str, Array]]:
    referred, started = np.zeros(size), np.zeros(size)
    lines = deal.programme.lines
    came, achieved, beyond = ({line: np.zeros(size) for line in lines} for _ in range(3))
    for row, done in enumerate(activity):
        referred += done.referred
        started += done.starts
        for node, eligible, people in zip(deal.programme.nodes, done.eligible, done.achieved, strict=False):
            came[node.line] += eligible
            achieved[node.line] += people
            beyond[node.line] += people * (1.0 - at(futures.deadweight[node.line], row))
    return referred, started, came, achieved, beyond


def _spending(deal: ReadyDeal, activity: Sequence[Any], futures: Any, size: int) -> tuple[Array, Array]:
    """Spending on the lines that the structure bears, and how it moves with volume: pounds by path."""
    spent, follows = np.zeros(size), np.zeros(size)
    costs: Mapping[str, Any] = deal.deal.programme.costs
    lines = zip(costs.values(), deal.own.lowered.uses, strict=True)
    volume = [
        np.divide(done.starts, planned) * np.ones(size) if planned > 0.0 else np.zeros(size)
        for done, planned in zip(activity, futures.planned_starts, strict=True)
    ]
    for i, (line, uses) in enumerate(lines):
        if not uses:
            continue
        for row, done in enumerate(activity):
            cost = np.broadcast_to(done.costs[i], (size,))
            level = np.maximum(0.0, at(futures.overrun[i], row)) * futures.cost_levels[i][row]
            by_user = done.starts * line.per_user * level
            before = row - line.response_lag
            r = volume[before] if before >= 0 else np.zeros(size)
            planned = before >= 0 and futures.planned_starts[before] > 0.0
            over = 1.0 + line.elasticity * (r - 1.0) if planned else np.ones(size)
            spent += cost
            moved = np.divide(line.elasticity * r, over, out=np.zeros(size), where=over > 0.0)
            follows += by_user + (cost - by_user) * moved
    return spent, follows


def _capacity(ledger: Ledger, party: str) -> Array:
    total = np.zeros(ledger.paths)
    for (payer, payee, why), amounts in ledger.memo_by_year.items():
        if why in TOUCHED and party in (payer, payee) and OUTSIDE in (payer, payee):
            total += sum_rows(np.asarray(amounts)) * (1.0 if payee == party else -1.0)
    return total
