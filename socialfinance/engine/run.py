"""Simulate a portfolio: plan what it will cost, share blocks of paths among workers, gather the result."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from socialfinance.core.errors import InputError
from socialfinance.core.parties import PUBLIC
from socialfinance.engine.accumulate import AGAINST, FINE, GROUPS, UNIT, Block, Kept
from socialfinance.engine.accuracy import goals, paths_for, standing
from socialfinance.engine.block import run_block
from socialfinance.engine.cases import DealCases, fund_plan_rows
from socialfinance.engine.checkpoint import Checkpoint
from socialfinance.engine.curves import curve_rows
from socialfinance.engine.executors import Cases, Executor, Paths, Task, Work, elsewhere, on_this_machine
from socialfinance.engine.fund_rows import fund_rows
from socialfinance.engine.keep import ALL, Keep, what_to_keep
from socialfinance.engine.ready import ReadyPortfolio, prepare
from socialfinance.engine.ready_fund import ReadyFund
from socialfinance.engine.sampling import Sampling, Spread, spread
from socialfinance.funds.portfolio import Portfolio
from socialfinance.instruments.base import flat
from socialfinance.instruments.tariff import longest_lag
from socialfinance.kernels.backend import backend
from socialfinance.measures.paths import Key
from socialfinance.measures.sample import EQUAL, Sample
from socialfinance.measures.sketch import BUCKET_BYTES
from socialfinance.measures.statistics import Row, figure_rows
from socialfinance.results.result import FlowRow, Result

CHUNK = 8192
"""Paths a worker takes at once: large enough to hide Python's overhead, small enough for the cache."""
WORTH_A_WORKER = 50_000
"""Paths x deals for each worker under which starting another process costs more than it saves."""
LONG = 32_768
"""Paths of a run from which deals go onto tapes before their first block."""
BUCKETS = 4096
"""Buckets that a sketch is taken to have: a fund's figures had 1,300 on average over 8,192 paths."""
BRIDGE_PATHS = 4096
"""Most paths over which the bridge from plan to expected value is walked."""
Progress = Callable[[int], None]
"""Called with the number of paths just finished."""
Towards = Callable[[int, Mapping[str, float]], None]
"""Called with the paths so far and, by figure, the standard error that it has."""


class Estimate(NamedTuple):
    """What a run will need, before it starts."""

    paths: int
    chunk: int
    workers: int
    kept_bytes: int
    """of figures by path, twice, as they arrive in blocks: what grows with paths"""
    working_bytes: int
    """of the blocks in work, and of sums and sketches"""

    @property
    def total_bytes(self) -> int:
        """All of it."""
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
    sampling: Sampling = "plain",
    tail: str | None = None,
    accuracy: Mapping[str, float] | None = None,
    towards: Towards | None = None,
    scheduler: Any = None,
    keep: str | Sequence[str] = "all",
) -> Result:
    """Price a portfolio over ``paths`` futures.

    The same ``seed``, ``paths`` and inputs give the same bits whatever ``workers`` and ``chunk``.
    ``workers`` processes (default: one a core where the run is long enough to be worth it); ``compare`` also
    runs each deal in house and at the PWLB cost of money. ``checkpoint`` is a folder in which finished blocks
    are kept: a run that was stopped goes on from there, with the same bits. Raises
    :class:`~socialfinance.core.errors.InputError` before anything runs where the input is incomplete or the
    run would not fit in memory.

    ``sampling="auto"`` spreads the futures on purpose (``scenarios/points.py``): smaller errors at equal
    paths, which are rounded up to whole sets. With it ``tail`` names a figure by path,
    ``[deal:]who.measure``, and half of the futures are drawn where it is high: for its tail, at a cost to
    means. ``accuracy`` maps ``[deal:]who.measure.statistic`` to the standard error that it may have:
    ``paths`` is then what the run begins with, and it goes on until all are met; ``towards`` is told the
    errors after each round.

    ``scheduler`` has Dask run the blocks (:func:`socialfinance.engine.executors.elsewhere`): the same bits.

    ``keep="all"`` keeps every figure by path, and quantiles are exact. ``keep="sums"`` keeps what does not
    grow with the paths: means and errors are as good, quantiles and the expected shortfall come from a sketch
    and are within 0.1% (their status begins with ``~``). Names of figures, ``[deal:]who.measure``, are kept
    by path beside sums. A figure that rows over all paths need (``fund_rows.py``) always is.
    """
    ready, choice = replace(prepare(fund), long=paths >= LONG), what_to_keep(keep)
    if sampling == "auto" and not choice.everything:
        raise InputError(
            "cannot go with sampling 'auto', whose errors need every figure by set", field="keep",
            given=keep if isinstance(keep, str) else " ".join(keep), allowed="all",
        )  # fmt: skip
    wanted = goals(accuracy or {})
    if wanted or choice.names:  # a figure that is not there is said before the run, not after it
        few = Kept(UNIT)
        few.add(run_block(ready, seed, 0, UNIT, compare))
        choice.check(few.keys)
        standing(few, wanted)
    plan = _spread(ready, seed, paths, sampling, tail)
    if plan is not None:
        ready, paths = replace(ready, points=plan.points), plan.paths
    elif wanted:
        paths = -(-paths // UNIT) * UNIT
    needs = estimate(ready, paths, chunk, workers, choice)
    check_memory(needs)
    kept = Kept(paths, *_samples(plan, paths))
    held = None
    if checkpoint is not None:
        held = Checkpoint(
            checkpoint, _about(ready, seed, needs, compare, None if plan is None else plan.told(), choice)
        )
    with elsewhere(scheduler, needs.workers) as executor:
        work = Work(ready, seed, compare, choice)
        cases = _run(work, needs, kept, progress, held, executor, cases=not wanted)
        while wanted:
            errors = standing(kept, wanted)
            if towards is not None:
                towards(kept.paths, errors)
            more, before = paths_for(errors, wanted, kept.paths), kept.paths
            if more == before:
                break
            if plan is not None:
                more = -(-more // plan.points.size) * plan.points.size
            needs = estimate(ready, more, chunk, workers, choice)
            check_memory(needs)
            kept.grow(more, *_samples(plan, more))
            _run(work, needs, kept, progress, held, executor, before)
        if wanted:  # only now is it known over how many paths
            cases = _run(work, needs, kept, executor=executor, begin=kept.paths, cases=True)
    extra = choice.told() if plan is None else plan._replace(paths=kept.paths).told()
    return _result(replace(ready, points=None), seed, needs, kept, inputs or {}, compare, extra, cases)


def forecast(
    ready: ReadyPortfolio, sample: Sample, paths: int, seed: int, workers: int | None = None,
    inputs: dict[str, dict[str, str]] | None = None, extra: dict[str, object] | None = None,
) -> Result:  # fmt: skip
    """Price a portfolio that was made ready by hand, over futures that its points serve.

    No structure is held against another, and there are no cases: what is over may have come otherwise than
    any of them. ``sample`` says what the ``paths`` futures stand for; ``extra`` goes into the provenance.
    """
    needs = estimate(ready, paths, CHUNK, workers)
    check_memory(needs)
    kept = Kept(paths, sample)
    _run(Work(ready, seed, compare=False), needs, kept)
    return _result(ready, seed, needs, kept, inputs or {}, False, extra or {})


def _spread(
    ready: ReadyPortfolio, seed: int, paths: int, sampling: Sampling, tail: str | None
) -> Spread | None:
    if sampling not in ("plain", "auto"):
        raise InputError("is no way to sample", field="sampling", given=sampling, allowed="plain, auto")
    if sampling == "auto":
        return spread(ready, seed, paths, tail)
    if tail is not None:
        raise InputError(
            "is for sampling 'auto': plain futures are all alike", field="tail", given=tail, allowed="none"
        )
    return None


def _samples(plan: Spread | None, paths: int) -> tuple[Sample, Sample | None]:
    """What paths stand for, and what the futures do in which a fund meets its deals in mixes."""
    return (EQUAL, None) if plan is None else plan.samples(paths)


def estimate(
    ready: ReadyPortfolio, paths: int, chunk: int = CHUNK, workers: int | None = None, keep: Keep = ALL
) -> Estimate:
    """Memory a run will need: what is kept of it, and the blocks in work."""
    for field, given, said in (
        ("paths", paths, "path is needed"), ("chunk", chunk, "path a chunk"),
        ("workers", workers, "worker is needed"),
    ):  # fmt: skip
        if given is not None and given < 1:
            raise InputError(f"at least one {said}", field=field, given=given, allowed="1 or more")
    threads = min(workers or _worthwhile(ready, paths), -(-paths // max(chunk, UNIT)))
    width = min(-(-chunk // UNIT) * UNIT, -(-paths // UNIT) * UNIT)
    years = len(ready.calendar.financial_years)
    public = sum(party.kind in PUBLIC for party in ready.parties.values())
    figures, working, by_row = 3 * public * (years + 2), 0, 1
    for deal in ready.deals:
        legs = len(deal.own.legs)
        parties = len(deal.roles)
        figures += 6 * parties + 2 if deal.own.lowered.purse is not None else 0
        figures += 11 + 5 * parties + 10 * len(deal.comparators) + len(deal.programme.lines)
        rows = deal.calendar.quarters + 1
        nodes = len(flat(deal.programme.lags))
        one = rows * (parties + 12 + 2 * nodes) + legs * years
        working = max(working, one * (1 + len(deal.comparators) // 2))
        by_row += 1 + (deal.varied is not None)
    shared = (len(ready.parties) + 6) * (ready.calendar.quarters + 1)
    if ready.fund is not None:
        more, at_once, net = fund_needs(ready, ready.fund)
        figures, shared, by_row = figures + more, shared + at_once, by_row + net
    by_path = _by_path(ready, figures, keep)
    if ready.points is not None and ready.points.mixes > 1:
        shared += 4 * len(ready.deals) * (ready.calendar.quarters + 1)  # deals' flows, and as they are met
        notes = 0 if ready.fund is None else len(ready.fund.names)
        by_path += (ready.points.mixes - 1) * (11 + 6 * public + (60 + 15 * notes if notes else 0))
    held = 2 * 8 * by_row * (ready.calendar.quarters + 1) * min(GROUPS, -(-paths // FINE))
    held += 2 * BUCKET_BYTES * min(paths, BUCKETS) * (figures - by_path)
    at_work = threads * 8 * width * (working + shared)
    return Estimate(paths, width, threads, 2 * 8 * by_path * paths, held + at_work)


def _by_path(ready: ReadyPortfolio, figures: int, keep: Keep) -> int:
    """How many of the figures are kept by path: all, or those of rows over all paths and those named."""
    if keep.everything:
        return figures
    by_path = len(keep.names) * (len(ready.calendar.financial_years) + 3)
    if ready.fund is not None:
        runs = 2 if ready.fund.policy is not None else 1
        by_path += runs * (2 * len(ready.fund.names) + len(ready.fund.positions))
        by_path += (runs - 1) * (4 * len(ready.calendar.financial_years) + 6)
    return min(by_path, figures)


def fund_needs(ready: ReadyPortfolio, fund: ReadyFund) -> tuple[int, int, int]:
    """Numbers a path that a fund adds: figures, arrays in work (its own and deals' flows), and net flows."""
    years, rows = len(ready.calendar.financial_years), ready.calendar.quarters + 1
    notes, deals, runs = len(fund.names), len(fund.positions), 2 if fund.policy is not None else 1
    kept = 10 * years + runs * (15 * notes + 5 * deals + 60) + (3 * years + 4 * deals + 40) * (runs - 1) * 2
    return kept, rows * (3 * deals + runs * (4 * notes + 20)), runs * (notes + 2)


def _worthwhile(ready: ReadyPortfolio, paths: int) -> int:
    return max(1, min(os.cpu_count() or 1, paths * len(ready.deals) // WORTH_A_WORKER))


def check_memory(needs: Estimate) -> None:
    """Refuse a run that would not fit."""
    have = available_memory()
    if needs.total_bytes > have:
        most = int(needs.paths * max(have - needs.working_bytes, 0) / max(needs.kept_bytes, 1))
        raise InputError(
            f"needs about {needs.total_bytes / 2**30:,.1f} GiB of memory, {have / 2**30:,.1f} GiB are free",
            field="paths", given=needs.paths,
            allowed=f"up to about {most:,} paths on this machine; keep 'sums' takes the least",
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


def _about(
    ready: ReadyPortfolio, seed: int, needs: Estimate, compare: bool, sampling: dict[str, object] | None,
    choice: Keep,
) -> dict[str, Any]:  # fmt: skip
    """All that a block of a run depends on, beside its own paths."""
    from socialfinance import __version__

    return {
        "version": __version__, "seed": seed, "paths": needs.paths, "compare": compare, "backend": backend(),
        "portfolio": ready.portfolio.model_dump(mode="json"), "sampling": sampling,
        "keep": choice.told(),
    }  # fmt: skip


def _run(
    work: Work, needs: Estimate, kept: Kept, progress: Progress | None = None,
    held: Checkpoint | None = None, executor: Executor | None = None, begin: int = 0, cases: bool = False,
) -> list[DealCases]:  # fmt: skip
    """Keep what paths from path ``begin`` on give; what was found beside them, with ``cases``."""
    starts, found = range(begin, needs.paths, needs.chunk), []
    blocks = [Paths(first, min(needs.chunk, needs.paths - first)) for first in starts]

    def add(block: Block) -> None:
        kept.add(block)
        if progress is not None:
            progress(block.count)

    def done(given: Block | DealCases) -> None:
        if isinstance(given, DealCases):
            found.append(given)
            return
        if held is not None:
            held.save(given)
        add(given)

    tasks: list[Task] = [one for one in blocks if held is None or not _resumed(held, one, add)]
    if cases:  # last, as they are short: no worker waits long for another in the end
        bridge = min(needs.paths, BRIDGE_PATHS)
        tasks += [Cases(deal, bridge) for deal in range(len(work.ready.deals))]
    (executor or on_this_machine(needs.workers)).run(work, tasks, done)
    return found


def _resumed(held: Checkpoint, paths: Paths, add: Callable[[Block], None]) -> bool:
    """Take a block that was finished before; whether there was one."""
    block = held.load(paths.first, paths.count)
    if block is not None:
        add(block)
    return block is not None


def _result(
    ready: ReadyPortfolio, seed: int, needs: Estimate, kept: Kept, inputs: dict[str, dict[str, str]],
    compare: bool, extra: dict[str, object], cases: Sequence[DealCases] = (),
) -> Result:  # fmt: skip
    measures = list(measure_rows(kept, needs.workers))
    for one in sorted(cases, key=lambda one: one.deal):
        measures += one.rows
    measures += fund_plan_rows(ready, cases)
    measures += _maximum_rows(ready)
    measures += _horizon_rows(ready)
    measures += fund_rows(ready, kept)
    order = {row: i for i, row in enumerate(measures)}
    measures.sort(key=lambda row: (row.scope, row.deal, row.party, row.role, row.financial_year, order[row]))
    return Result(
        portfolio=ready.portfolio,
        measures_rows=tuple(measures),
        flow_rows=tuple(flow_rows(ready, kept)),
        curve_rows=tuple(curve_rows(ready, kept)),
        paths=needs.paths,
        seed=seed,
        discount=ready.discount,
        discount_basis=ready.discount_basis,
        inputs=inputs,
        titles={name: party.title or name for name, party in ready.parties.items()},
        compared=compare,
        backend=backend(),
        extra={**extra, **({"proposed": ready.proposed} if ready.proposed else {})},
    )


def measure_rows(kept: Kept, threads: int = 1) -> Iterable[Row]:
    """Every figure's statistics, figures in order of their key, shared among ``threads``."""
    flows = kept.rows

    def of(key: Key) -> list[Row]:
        return list(figure_rows(key, kept.figure, flows, kept.sample))

    with ThreadPoolExecutor(threads) as pool:
        for rows in pool.map(of, kept.keys) if threads > 1 else map(of, kept.keys):
            yield from rows


def flow_rows(ready: ReadyPortfolio, kept: Kept) -> Iterable[FlowRow]:
    """Mean and standard error of every leg by financial year, and for life."""
    years = ready.calendar.financial_years
    for key, (sums, squares) in sorted(kept.flows.items(), key=lambda one: one[0]):
        if key.reason == AGAINST:
            continue
        mean, error = kept.sample.mean_of_units(sums, squares, kept.paths)
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
