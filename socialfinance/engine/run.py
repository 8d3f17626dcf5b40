"""Simulate a portfolio: plan what it will cost, share blocks of paths among workers, gather the result."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from socialfinance.core.errors import InputError
from socialfinance.core.parties import PUBLIC
from socialfinance.engine.accumulate import UNIT, Block, Kept, mean_and_error
from socialfinance.engine.block import run_block
from socialfinance.engine.cases import break_even_rows, bridge_rows, case_rows
from socialfinance.engine.checkpoint import Checkpoint
from socialfinance.engine.fund_rows import fund_rows
from socialfinance.engine.ready import ReadyPortfolio, prepare
from socialfinance.engine.ready_fund import ReadyFund
from socialfinance.engine.workers import run_in_processes
from socialfinance.funds.portfolio import Portfolio
from socialfinance.instruments.base import flat
from socialfinance.instruments.tariff import longest_lag
from socialfinance.kernels.luck import backend
from socialfinance.measures.paths import Key
from socialfinance.measures.statistics import Row, back_by_half_life, expected_flow_irr, irr_rows, rows_of
from socialfinance.results.result import FlowRow, Result

CHUNK = 8192
"""Paths a worker takes at once: large enough to hide Python's overhead, small enough for the cache."""
WORTH_A_WORKER = 100_000
"""Paths x deals for each worker under which starting another process costs more than it saves."""
BRIDGE_PATHS = 4096
"""Most paths over which the bridge from plan to expected value is walked."""
Progress = Callable[[int], None]
"""Called with the number of paths just finished."""


class Estimate(NamedTuple):
    """What a run will need, before it starts."""

    paths: int
    chunk: int
    workers: int
    kept_bytes: int
    working_bytes: int

    @property
    def total_bytes(self) -> int:
        """Kept figures and the blocks in work together."""
        return self.kept_bytes + self.working_bytes


def simulate(
    fund: Portfolio,
    paths: int = 10_000,
    seed: int = 1,
    workers: int | None = None,
    chunk: int = CHUNK,
    progress: Progress | None = None,
    compare: bool = True,
    inputs: dict[str, dict[str, str]] | None = None,
    checkpoint: str | Path | None = None,
) -> Result:
    """Price a portfolio over ``paths`` futures.

    The same ``seed``, ``paths`` and inputs give the same bits whatever ``workers`` and ``chunk``.
    ``workers`` processes (default: one a core where the run is long enough to be worth it); ``compare`` also
    runs each deal in house and at the PWLB cost of money. ``checkpoint`` is a folder in which finished blocks
    are kept: a run that was stopped goes on from there, with the same bits. Raises
    :class:`~socialfinance.core.errors.InputError` before anything runs where the input is incomplete or the
    run would not fit in memory.
    """
    ready = prepare(fund)
    needs = estimate(ready, paths, chunk, workers)
    check_memory(needs)
    kept = Kept(paths)
    held = None if checkpoint is None else Checkpoint(checkpoint, _about(ready, seed, needs, compare))
    _run_blocks(ready, seed, needs, kept, progress, compare, held)
    return _result(ready, seed, needs, kept, inputs or {}, compare)


def estimate(ready: ReadyPortfolio, paths: int, chunk: int = CHUNK, workers: int | None = None) -> Estimate:
    """Memory a run will need: per-path figures that are kept, and the blocks in work."""
    if paths < 1:
        raise InputError("at least one path is needed", field="paths", given=paths, allowed="1 or more")
    if chunk < 1:
        raise InputError("at least one path a chunk", field="chunk", given=chunk, allowed="1 or more")
    if workers is not None and workers < 1:
        raise InputError("at least one worker is needed", field="workers", given=workers, allowed="1 or more")
    threads = min(workers or _worthwhile(ready, paths), -(-paths // max(chunk, UNIT)))
    width = min(-(-chunk // UNIT) * UNIT, -(-paths // UNIT) * UNIT)
    years = len(ready.calendar.financial_years)
    public = sum(party.kind in PUBLIC for party in ready.parties.values())
    figures, working = 3 * public * (years + 2), 0
    for deal in ready.deals:
        legs = len(deal.own.legs)
        parties = len(deal.roles)
        figures += 6 * parties + 2 if deal.own.lowered.purse is not None else 0
        figures += 11 + 5 * parties + 10 * len(deal.comparators) + len(deal.programme.lines)
        rows = deal.calendar.quarters + 1
        nodes = len(flat(deal.programme.lags))
        one = rows * (parties + 12 + 2 * nodes) + legs * years
        working = max(working, one * (1 + len(deal.comparators) // 2))
    shared = (len(ready.parties) + 6) * (ready.calendar.quarters + 1)
    if ready.fund is not None:
        more, at_once = fund_needs(ready, ready.fund)
        figures, shared = figures + more, shared + at_once
    return Estimate(paths, width, threads, 2 * 8 * figures * paths, threads * 8 * width * (working + shared))


def fund_needs(ready: ReadyPortfolio, fund: ReadyFund) -> tuple[int, int]:
    """Numbers a path that a fund adds: figures kept, and arrays in work (its own, and deals' flows)."""
    years, rows = len(ready.calendar.financial_years), ready.calendar.quarters + 1
    notes, deals, runs = len(fund.names), len(fund.positions), 2 if fund.policy is not None else 1
    kept = 10 * years + runs * (15 * notes + 5 * deals + 60) + (3 * years + 4 * deals + 40) * (runs - 1) * 2
    return kept, rows * (3 * deals + runs * (4 * notes + 20))


def _worthwhile(ready: ReadyPortfolio, paths: int) -> int:
    return max(1, min(os.cpu_count() or 1, paths * len(ready.deals) // WORTH_A_WORKER))


def check_memory(needs: Estimate) -> None:
    """Refuse a run that would not fit."""
    have = available_memory()
    if needs.total_bytes > have:
        most = int(needs.paths * max(have - needs.working_bytes, 0) / max(needs.kept_bytes, 1))
        raise InputError(
            f"needs about {needs.total_bytes / 2**30:,.1f} GiB of memory, {have / 2**30:,.1f} GiB are free",
            field="paths", given=needs.paths, allowed=f"up to about {most:,} paths on this machine",
        )  # fmt: skip


def available_memory() -> int:
    """Bytes free for a run: what the system calls available, or all of it where it does not say."""
    try:
        with open("/proc/meminfo") as lines:
            for line in lines:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass  # not Linux: ask the C library below
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 2**62  # Windows: no way to know without a further library, so the run is not refused


def _about(ready: ReadyPortfolio, seed: int, needs: Estimate, compare: bool) -> dict[str, Any]:
    """All that a block of a run depends on, beside its own paths."""
    from socialfinance import __version__

    return {
        "version": __version__, "seed": seed, "paths": needs.paths, "compare": compare, "backend": backend(),
        "portfolio": ready.portfolio.model_dump(mode="json"),
    }  # fmt: skip


def _run_blocks(
    ready: ReadyPortfolio, seed: int, needs: Estimate, kept: Kept, progress: Progress | None, compare: bool,
    held: Checkpoint | None = None,
) -> None:  # fmt: skip
    blocks = [(first, min(needs.chunk, needs.paths - first)) for first in range(0, needs.paths, needs.chunk)]

    def add(block: Block) -> None:
        kept.add(block)
        if progress is not None:
            progress(block.count)

    def done(block: Block) -> None:
        if held is not None:
            held.save(block)
        add(block)

    if held is not None:
        blocks = [(first, count) for first, count in blocks if not _resumed(held, first, count, add)]
    if not blocks:
        return

    if needs.workers == 1:
        for first, count in blocks:
            done(run_block(ready, seed, first, count, compare))
        return
    run_in_processes(ready.portfolio, seed, compare, needs.workers, blocks, done)


def _resumed(held: Checkpoint, first: int, count: int, add: Callable[[Block], None]) -> bool:
    """Take a block that was finished before; whether there was one."""
    block = held.load(first, count)
    if block is not None:
        add(block)
    return block is not None


def _result(
    ready: ReadyPortfolio, seed: int, needs: Estimate, kept: Kept, inputs: dict[str, dict[str, str]],
    compare: bool,
) -> Result:  # fmt: skip
    measures = list(measure_rows(kept))
    measures += case_rows(ready)
    measures += break_even_rows(ready)
    measures += bridge_rows(ready, seed, min(needs.paths, BRIDGE_PATHS))
    measures += _maximum_rows(ready)
    measures += _horizon_rows(ready)
    measures += fund_rows(ready, kept)
    order = {row: i for i, row in enumerate(measures)}
    measures.sort(key=lambda row: (row.scope, row.deal, row.party, row.role, row.financial_year, order[row]))
    return Result(
        portfolio=ready.portfolio,
        measures_rows=tuple(measures),
        flow_rows=tuple(flow_rows(ready, kept)),
        paths=needs.paths,
        seed=seed,
        discount=ready.discount,
        discount_basis=ready.discount_basis,
        inputs=inputs,
        titles={name: party.title or name for name, party in ready.parties.items()},
        compared=compare,
        backend=backend(),
        extra={"proposed": ready.proposed} if ready.proposed else {},
    )


def measure_rows(kept: Kept) -> Iterable[Row]:
    """Every figure's statistics, figures in order of their key."""
    for key in sorted(kept.figures):
        values = kept.figures[key]
        if key.measure == "irr":
            status = kept.figures[key._replace(measure="irr_status", unit="code")]
            flows = kept.rows[_rows_key(key)]
            yield expected_flow_irr(key, flows)
            yield back_by_half_life(key, flows)
            yield from irr_rows(key, values, status)
        else:
            yield from rows_of(key, values)


def _rows_key(key: Key) -> tuple[str, str]:
    """Where the net flows by row stand that a figure's IRR is taken from."""
    if key.role == "investor":
        return key.deal, "with variation" if key.scope == "deal with variation" else "investor"
    return key.deal, f"{key.scope}: {key.role} {key.party}"


def flow_rows(ready: ReadyPortfolio, kept: Kept) -> Iterable[FlowRow]:
    """Mean and standard error of every leg by financial year, and for life."""
    years = ready.calendar.financial_years
    for key in sorted(kept.flows):
        mean, error = mean_and_error(kept.flows[key][0], kept.flows[key][1], kept.paths)
        for i, year in enumerate(years):
            if mean[i] != 0.0:
                yield FlowRow(*key, year, "mean", float(mean[i]), float(error[i]), "pounds")
        total = float(np.sum(mean))
        yield FlowRow(*key, "", "mean", total, None, "pounds")


def _horizon_rows(ready: ReadyPortfolio) -> Iterable[Row]:
    """What lies beyond the last row: quarters in which outcomes, claims or savings still fall."""
    for deal in ready.deals:
        tariff = deal.deal.tariff
        lag = max(longest_lag(tariff) if tariff else 0, deal.own.lowered.lag)
        beyond = deal.programme.programme.last_quarter + lag - deal.calendar.quarters
        yield Row(
            "deal", deal.name, "", "programme", "", "quarters_beyond_horizon", "terms",
            float(max(beyond, 0)), None, "quarters", "ok" if beyond <= 0 else "cut off by the horizon", 1.0,
        )  # fmt: skip


def _maximum_rows(ready: ReadyPortfolio) -> Iterable[Row]:
    """By payer: the most it can be asked for outcomes, and in all, under the terms."""
    for deal in ready.deals:
        lowered = deal.own.lowered
        for measure, table in (
            ("contract_value", lowered.contract_value),
            ("maximum_contract", lowered.maximum),
            ("guaranteed", lowered.guaranteed),
        ):
            for role, most in table.items():
                for party, share in deal.roles[role]:
                    finite = most != float("inf")
                    yield Row(
                        "deal", deal.name, party, role, "", measure, "terms",
                        most * share if finite else None, None, "pounds",
                        "from the terms" if finite else "no cap in the terms", 1.0,
                    )  # fmt: skip
