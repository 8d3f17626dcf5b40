"""The books of public bodies over a run: every payment they make or have, by year and path, kept whole.

A run keeps means of flows; a council's accounts need them path by path: the chance that a year's budget is
passed, the tail of what is called. This runs some deals alone and keeps them. Draws are keyed by deal, so the
figures are those of the whole portfolio's run.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.core.errors import InputError
from socialfinance.core.ledger import RESULTS, Ledger
from socialfinance.core.parties import OUTSIDE, PUBLIC
from socialfinance.engine.accumulate import FINE, UNIT
from socialfinance.engine.block import ALL_PUBLIC, counted
from socialfinance.engine.deal import Outcome, run
from socialfinance.engine.ready import (
    ReadyDeal,
    ReadyPortfolio,
    drawn,
    futures_of,
    on_years,
    price_level,
)
from socialfinance.kernels.returns import NONE, OK, STATUS_NAMES, irr_with_status
from socialfinance.measures.paths import by_year, investor_figures, lives_of, net_of, payer_figures

Array = NDArray[np.float64]
K = TypeVar("K")
Leg = tuple[str, str, str]
"""payer, payee, reason"""
OWN = "own"
"""The name of a deal's own structure beside those it is held against."""
CHUNK = 8 * UNIT
"""Paths at once: every payment is held by row meanwhile."""


@dataclass
class Kept:
    """One structure of one deal, all paths; financial years are the portfolio's."""

    legs: dict[Leg, Array] = field(default_factory=dict)
    """``(year, path)`` gross pounds as paid, of every leg that a public body or the world outside (staff,
    suppliers) pays or has; memo included"""
    accrued: dict[str, Array] = field(default_factory=dict)
    """by payer ``(year, path)``: payments by results earned in the year less those paid in it, pounds"""
    worth: dict[str, dict[str, Array]] = field(default_factory=dict)
    """by party ``(path,)``: ``paid_pv``, ``saving_pv``, ``net_cost_pv``, ``net_cost`` and the like, pounds"""
    counts: dict[str, Array] = field(default_factory=dict)
    """what happened over the life: people started, outcomes, homes; no money"""
    costs: dict[str, Array] = field(default_factory=dict)
    """by cost line of the programme ``(year, path)``, pounds, where the structure bears it"""
    value: dict[str, Array] = field(default_factory=dict)
    """by party, private and outside too, ``(path,)``: present value of received less paid, pounds"""
    investor: dict[str, Array] = field(default_factory=dict)
    """figures of the investor's role ``(path,)``: see ``measures.paths.investor_figures``"""
    invested: Array | None = None
    """``(unit, row)`` sums over units of ``FINE`` paths of the investor role's net flows, pounds"""
    mean_net: dict[str, Array] = field(default_factory=dict)
    """by public body, and of ``ALL_PUBLIC``, ``(row,)``: mean over paths of received less paid, pounds"""


@dataclass
class DealBooks:
    """One deal under its own structure and under those it is held against."""

    deal: ReadyDeal
    structures: dict[str, Kept]
    """``OWN`` first"""
    rows: dict[Leg, Array]
    """own structure, ``(row, path)`` by the deal's rows: legs with a reason that was asked for"""
    balance: Array
    """``(path,)`` investors' money out of pocket, discounted pound-years: sum of df_t max(0, paid in - back
    so far) / 4"""
    rate: dict[tuple[str, str], tuple[Array, Array]]
    """by party and comparator ``(path,)``: annual rate of that difference, and its status"""

    @property
    def own(self) -> Kept:
        """The deal as contracted."""
        return self.structures[OWN]


@dataclass
class Accounts:
    """Some deals' books."""

    ready: ReadyPortfolio
    paths: int
    seed: int
    deals: dict[str, DealBooks]

    @property
    def years(self) -> tuple[str, ...]:
        """Financial years, the rows of every ``(year, path)`` array."""
        return self.ready.calendar.financial_years


def deals_with(ready: ReadyPortfolio, party: str) -> tuple[ReadyDeal, ...]:
    """The deals in which a party fills a role; InputError for one that is no public body of the file."""
    known = sorted(name for name, one in ready.portfolio.parties.items() if one.kind in PUBLIC)
    if party not in known:
        raise InputError("is no public body of this file", field="council", given=party,
                         allowed=", ".join(known))  # fmt: skip
    mine = (deal for deal in ready.deals if party in {p for filled in deal.roles.values() for p, _ in filled})
    return tuple(mine)


def keep_books(
    ready: ReadyPortfolio,
    deals: Sequence[ReadyDeal],
    seed: int,
    paths: int,
    by_row: Collection[str] = (),
    chunk: int = CHUNK,
    compared: Collection[str] | None = None,
    yearly: bool = True,
) -> Accounts:
    """Run some deals and what they are held against; keep what public bodies pay and have.

    ``by_row``: reasons whose payments by or to public bodies are kept by row as well. ``compared``: the deals
    whose alternatives are run too; default all. ``yearly``: whether payments are kept by year; figures of
    the life alone take a tenth of the memory.
    """
    if paths < 1:
        raise InputError("must be at least 1", field="paths", given=paths)
    found: dict[str, DealBooks] = {}
    for deal in deals:
        parts = [
            _block(
                ready,
                deal,
                seed,
                first,
                min(chunk, paths - first),
                frozenset(by_row),
                compared is None or deal.name in compared,
                yearly,
            )
            for first in range(0, paths, chunk)
        ]
        found[deal.name] = _joined(parts)
    return Accounts(ready, paths, seed, found)


def expected_rate(here: Kept, there: Kept, party: str) -> tuple[float | None, str]:
    """What a body pays, a year, to pay later: the rate at which the expected difference in cash has no value.

    With f_t the expected net there less that here (below nil while the structure spares the body's money,
    above nil when it pays), the sum of f_t (1 + r)^(-t / 4) is nil at r, annual effective. None, and why,
    where there is no such rate. ``party`` may be ``ALL_PUBLIC``.
    """
    mine, theirs = here.mean_net.get(party), there.mean_net.get(party)
    nil = np.zeros_like(mine if mine is not None else theirs if theirs is not None else np.zeros(1))
    less = (nil if theirs is None else theirs) - (nil if mine is None else mine)
    if np.abs(less).max() <= HALF_A_PENNY:
        return None, "no difference in cash"
    rate, status = irr_with_status(less[:, None])
    code = int(status[0])
    return (float(rate[0]), "ok") if code == OK else (None, f"no such rate: {STATUS_NAMES[code]}")


def _block(
    ready: ReadyPortfolio,
    deal: ReadyDeal,
    seed: int,
    first: int,
    count: int,
    reasons: frozenset[str],
    compared: bool,
    yearly: bool,
) -> DealBooks:
    paths = np.arange(first, first + count, dtype=np.uint64)
    common = ready.common(seed, paths)
    futures, level = futures_of(deal, drawn(deal, common, seed, paths), common), price_level(deal, common)
    public = frozenset(name for name, one in ready.parties.items() if one.kind in PUBLIC)
    alternatives = deal.comparators if compared else ()
    structures = (deal.own, *alternatives)
    kept_by_row = public | {OUTSIDE} if yearly or reasons else frozenset()
    ledgers = [Ledger(deal.calendar.year_of_row, count, books=kept_by_row) for _ in structures]
    own = run(deal, (deal.own,), futures, level, ledgers[:1])
    outcomes = own + (run(deal, alternatives, futures, level, ledgers[1:]) if alternatives else [])
    names = [OWN, *(one.name for one in alternatives)]
    found = DealBooks(deal, {}, {}, _balance(ready, deal, own[0].ledger), {})
    for name, outcome in zip(names, outcomes, strict=True):
        found.structures[name] = _kept(ready, deal, outcome, public, yearly)
    found.rows = {
        leg: rows for leg, rows in own[0].ledger.by_row.items() if leg[2] in reasons and public & set(leg[:2])
    }
    for name, outcome in zip(names[1:], outcomes[1:], strict=True):
        for party in sorted(public):
            more = net_of(own[0].ledger, (party,)) - net_of(outcome.ledger, (party,))
            if np.abs(more).max() > HALF_A_PENNY:
                rate, status = irr_with_status(-more)
                found.rate[party, name] = np.asarray(rate), np.asarray(status, dtype=float)
    return found


def _kept(
    ready: ReadyPortfolio, deal: ReadyDeal, outcome: Outcome, public: frozenset[str], yearly: bool
) -> Kept:
    ledger, first = outcome.ledger, deal.first_row
    kept, bodies = Kept(), sorted(public & set(ledger.net))
    if yearly:
        _keep_years(kept, ready, deal, outcome, public)
    lives = lives_of(ledger, ready.discount, first)
    for party in bodies:
        figures = payer_figures(lives[party])
        worth = {measure: values for measure, (_, values) in figures.items()}
        worth["saving_pv"] = lives[party].saving_pv
        kept.worth[party] = worth
    kept.value = {party: own.net_pv for party, own in lives.items()}
    kept.mean_net = {party: ledger.net[party].mean(axis=1) for party in bodies}
    kept.mean_net[ALL_PUBLIC] = net_of(ledger, bodies).mean(axis=1)
    paid_in, back = ledger.of_role("investor")
    if paid_in.any():
        mine = investor_figures(paid_in, back, ready.discount, first)
        kept.investor = {measure: values for measure, (_, values) in mine.items()}
        net = back - paid_in
        kept.invested = np.stack([
            np.ascontiguousarray(net[:, at : at + FINE]).sum(axis=1) for at in range(0, net.shape[1], FINE)
        ])  # fmt: skip
    if outcome.lowered.delivers:
        whole = counted(deal, outcome).items()
        kept.counts = {name: values for name, (unit, values) in whole if unit != "pounds"}
    return kept


def _keep_years(
    kept: Kept, ready: ReadyPortfolio, deal: ReadyDeal, outcome: Outcome, public: frozenset[str]
) -> None:
    """What is kept by financial year: payments, what was earned, cost by line."""
    ledger = outcome.ledger
    for leg, rows in ledger.by_row.items():
        kept.legs[leg] = on_years(ready, deal, by_year(rows, deal.calendar.year_of_row))
    for payer in sorted(public & {leg[0] for leg in kept.legs}):
        kept.accrued[payer] = _accrued(ready, deal, ledger, payer)
    lines = zip(deal.deal.programme.costs, outcome.lowered.uses, strict=True)
    for i, (line, uses) in enumerate(lines):
        if uses:
            rows = np.stack([np.broadcast_to(done.costs[i], (ledger.paths,)) for done in outcome.activity])
            kept.costs[line] = on_years(ready, deal, by_year(rows, deal.calendar.year_of_row))


def _accrued(ready: ReadyPortfolio, deal: ReadyDeal, ledger: Ledger, payer: str) -> Array:
    """Earned less paid by year: what is paid by results in a row was earned ``lag`` rows before it.

    ``lag`` is the payer's payment lag, the longest where it fills several roles, and the shortest lag of
    verification among the lines that are paid for; for payments out of savings the quarters of their
    verification. What was earned before the first row counts there.
    """
    moved = np.zeros((len(ready.calendar.financial_years), ledger.paths))
    for (mine, _, why), rows in ledger.by_row.items():
        lag = _lag(deal, payer, why)
        if mine == payer and why in RESULTS and lag > 0:
            earned = np.zeros_like(rows)
            earned[: len(rows) - lag] = rows[lag:]
            earned[0] += rows[:lag].sum(axis=0)
            moved += on_years(ready, deal, by_year(earned - rows, deal.calendar.year_of_row))
    return moved


def _lag(deal: ReadyDeal, payer: str, why: str) -> int:
    tariff = deal.deal.tariff
    if tariff is None:
        return 0
    if why == "savings payment":
        return tariff.savings.verification_lag if tariff.savings else 0
    lags = [one.payment_lag for role, one in tariff.payers.items() if payer in dict(deal.roles.get(role, ()))]
    outcomes = getattr(deal.deal.programme, "outcomes", {})
    verified = [outcomes[line].verification_lag for line in tariff.total_prices if line in outcomes]
    return max(lags, default=0) + min(verified, default=0)


def _balance(ready: ReadyPortfolio, deal: ReadyDeal, ledger: Ledger) -> Array:
    paid_in, back = ledger.of_role("investor")
    out = np.maximum(0.0, np.cumsum(paid_in - back, axis=0))
    worth = (1.0 + ready.discount) ** (-(np.arange(len(out)) + deal.first_row) / 4.0)
    total = np.zeros(ledger.paths)
    for row, df in zip(out, worth, strict=True):
        total += row * (df / 4.0)
    return total


def _joined(parts: Sequence[DealBooks]) -> DealBooks:
    """Blocks side by side, paths last; what one block lacks is nil there."""
    sizes = [len(part.balance) for part in parts]
    whole = DealBooks(parts[0].deal, {}, {}, np.concatenate([part.balance for part in parts]), {})
    for name in parts[0].structures:
        mine = [part.structures[name] for part in parts]
        whole.structures[name] = Kept(
            _side_by_side([one.legs for one in mine], sizes),
            _side_by_side([one.accrued for one in mine], sizes),
            {
                party: _side_by_side([one.worth.get(party, {}) for one in mine], sizes)
                for party in dict.fromkeys(party for one in mine for party in one.worth)
            },
            _side_by_side([one.counts for one in mine], sizes),
            _side_by_side([one.costs for one in mine], sizes),
            _side_by_side([one.value for one in mine], sizes),
            _side_by_side([one.investor for one in mine], sizes),
            _units([one.invested for one in mine], sizes),
            _means([one.mean_net for one in mine], sizes),
        )
    whole.rows = _side_by_side([part.rows for part in parts], sizes)
    for about in dict.fromkeys(about for part in parts for about in part.rate):
        none = [(np.full(size, np.nan), np.full(size, float(NONE))) for size in sizes]
        pairs = [part.rate.get(about, nothing) for part, nothing in zip(parts, none, strict=True)]
        rates, statuses = zip(*pairs, strict=True)
        whole.rate[about] = np.concatenate(rates), np.concatenate(statuses)
    return whole


def _means(parts: Sequence[Mapping[str, Array]], sizes: Sequence[int]) -> dict[str, Array]:
    """Means over all paths from means over blocks; nil where a block has none."""
    total, whole = sum(sizes), {}
    for name in dict.fromkeys(name for part in parts for name in part):
        sums = [part[name] * size for part, size in zip(parts, sizes, strict=True) if name in part]
        whole[name] = np.sum(sums, axis=0) / total
    return whole


def _units(parts: Sequence[Array | None], sizes: Sequence[int]) -> Array | None:
    """Unit sums one block after the other; None where no block has any."""
    rows = next((part.shape[1] for part in parts if part is not None), None)
    if rows is None:
        return None
    return np.concatenate([
        np.zeros((-(-size // FINE), rows)) if part is None else part
        for part, size in zip(parts, sizes, strict=True)
    ])  # fmt: skip


def _side_by_side(tables: Sequence[Mapping[K, Array]], sizes: Sequence[int]) -> dict[K, Array]:
    names = dict.fromkeys(name for table in tables for name in table)
    whole: dict[K, Array] = {}
    for name in sorted(names, key=str):
        shape = next(table[name].shape[:-1] for table in tables if name in table)
        pieces = [
            table[name] if name in table else np.zeros((*shape, size))
            for table, size in zip(tables, sizes, strict=True)
        ]
        whole[name] = np.concatenate(pieces, axis=-1)
    return whole
