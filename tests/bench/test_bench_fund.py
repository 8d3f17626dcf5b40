"""The reference fund of all structures: against the floor, against itself done otherwise, and as it grows."""

from __future__ import annotations

import cProfile
import os
import pstats
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from socialfinance.engine.block import run_block
from socialfinance.engine.deal import own_draws
from socialfinance.engine.ready import ReadyPortfolio, drawn, futures_of, prepare, price_level
from socialfinance.engine.run import simulate
from socialfinance.funds.portfolio import Portfolio
from tests.bench.mixed import mixed_fund
from tests.bench.page import PerformancePage
from tests.bench.reference import reference_fund
from tests.bench.test_bench import floor, in_turn, numbers_a_path, seconds
from tests.models.sib_by_hand import draws_of
from tests.properties.test_sib_equals_hand_model import worked

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3600)]
MIXED, PEERS, GROWTH = "A fund of all structures", "The same done otherwise", "As it grows"
MEMORY, PROFILE, EXECUTORS = "Peak memory", "Where the time goes", "Who runs the blocks"
TAPE = "Inside a tape"
PATHS = 32_768
FEW, MANY = (8_192, 16_384, 32_768), (65_536, 131_072, 262_144)
ROOMS = (
    ("luck: uniforms and people counted", ("kernels/compiled.py", "kernels/luck.py")),
    ("distributions and common factors", ("scenarios/",)),
    ("IRR of each path", ("kernels/returns.py", "kernels/compiled_returns.py")),
    ("rows, compiled", ("kernels/lanes.py", "kernels/quick.py", "kernels/tracing.py")),
    ("deals played from a tape", ("kernels/tape.py", "engine/taped.py")),
    ("words of a row on NumPy", ("kernels/elementwise.py",)),
    ("programmes", ("programmes/",)),
    ("structures", ("instruments/",)),
    ("ledger", ("core/ledger.py",)),
    ("fund, notes and pool", ("funds/", "engine/fund")),
    ("figures and their sums", ("measures/", "engine/")),
)
"""Profiled functions by file; the first that matches. NumPy's own functions count for whoever calls them."""


@pytest.mark.parametrize("workers", sorted({1, min(2, os.cpu_count() or 1)}))
def test_a_fund_of_all_structures(
    workers: int, monkeypatch: pytest.MonkeyPatch, page: PerformancePage
) -> None:
    """40 deals x 40 quarters, notes and a pool: beside the floor."""
    page.table(
        MIXED,
        "Sixteen bonds, eight guaranteed debts, six pay-as-you-save deals, four credit lines, three loan "
        f"pools, two asset-backed deals, one grant, in one fund with notes and a pool; {PATHS:,} paths, all "
        "measures, no comparators.",
        ("Workers", "Random numbers a path", "Seconds", "Floor, seconds", "Ratio to the floor"),
    )
    fund = mixed_fund()
    numbers = numbers_a_path(fund, monkeypatch, False)
    took, least = in_turn(
        lambda: seconds(lambda: simulate(fund, paths=PATHS, seed=7, workers=workers, compare=False)),
        lambda: floor(numbers * PATHS, workers),
        rounds=1,
    )
    page.row(MIXED, f"{workers}", f"{numbers:,.0f}", f"{took:.1f}", f"{least:.1f}", f"{took / least:.1f}")


def test_the_same_done_otherwise(monkeypatch: pytest.MonkeyPatch, page: PerformancePage) -> None:
    """Blocks in cache, everything in one block, and a path at a time: equal figures, other times."""
    page.table(
        PEERS,
        "Eight bonds of the reference fund, microseconds a path. One source in the first four, and the same "
        "bits: what differs is how many paths a row takes at once, and whether it is compiled. The last is a "
        "model of its own, written from the term sheet, fed the same draws and held to the others path by "
        "path in `tests/properties`; it works out payments alone, no figures.",
        ("How", "Paths", "Microseconds a path", "Times as long"),
    )
    ready = prepare(reference_fund(8))
    ways = {
        "blocks of 8,192, compiled": ("", 32_768, 8_192),
        "blocks of 8,192, NumPy": ("numpy", 32_768, 8_192),
        "whole arrays, NumPy": ("numpy", 32_768, 32_768),
        "a path at a time, Python": ("numpy", 48, 1),
    }

    def took(backend: str, paths: int, size: int) -> float:
        with monkeypatch.context() as patch:
            patch.setenv("SOCIALFINANCE_BACKEND", backend)
            return seconds(
                lambda: [run_block(ready, 7, first, size, False) for first in range(0, paths, size)]
            )

    took("", 16_384, 8_192)  # compile and warm
    found = [
        median / paths
        for median, (_, paths, _) in zip(
            in_turn(*(lambda way=way: took(*way) for way in ways.values()), rounds=2),
            ways.values(),
            strict=True,
        )
    ]
    for (name, (_, paths, _)), each in zip(ways.items(), found, strict=True):
        page.row(PEERS, name, f"{paths:,}", f"{1e6 * each:,.0f}", f"{each / found[0]:.1f}")
    some = 16
    each = seconds(lambda: _by_hand(ready, some)) / some
    page.row(
        PEERS, "a plain Python model of its own, a path at a time", f"{some:,}", f"{1e6 * each:,.0f}",
        f"{each / found[0]:.1f}",
    )  # fmt: skip


def _by_hand(ready: ReadyPortfolio, paths: int) -> None:
    """Every deal's payments on each path by the model of tests/models, from the same draws."""
    common = ready.common(7, numbers := np.arange(paths, dtype=np.uint64))
    for deal in ready.deals:
        futures = futures_of(deal, drawn(deal, common, 7, numbers), common)
        exits = [one.exits for one in own_draws(deal.own.lowered, futures.source, futures.rows)]
        level = price_level(deal, common)
        for column in range(paths):
            worked(ready, deal, draws_of(futures, level, exits, column), False)


def test_as_it_grows(page: PerformancePage) -> None:
    """Exponents of time in deals, quarters and paths: one is in proportion."""
    page.table(
        GROWTH,
        "Time of blocks of bonds goes as size to the power of this; 1 is in proportion. Fitted over three "
        f"sizes, in deals and quarters over {PATHS:,} paths. Over the first few a deal's tape is written, "
        "once, in the first block.",
        ("In", "Sizes", "Exponent"),
    )
    sizes: dict[str, tuple[tuple[int, ...], list[tuple[Portfolio, int]]]] = {
        "deals": ((5, 10, 20), [(reference_fund(n), PATHS) for n in (5, 10, 20)]),
        "quarters": ((24, 40, 64), [(reference_fund(5, n), PATHS) for n in (24, 40, 64)]),
        "paths, the first few": (FEW, [(reference_fund(5), n) for n in FEW]),
        "paths": (MANY, [(reference_fund(5), n) for n in MANY]),
    }
    for name, (steps, works) in sizes.items():
        times = in_turn(*(lambda w=w: _blocks(*w) for w in works), rounds=3)
        exponent = np.polyfit(np.log(steps), np.log(times), 1)[0]
        page.row(GROWTH, name, ", ".join(f"{step:,}" for step in steps), f"{exponent:.2f}")


def _blocks(fund: Portfolio, paths: int) -> float:
    ready = prepare(fund)
    return seconds(lambda: [run_block(ready, 7, first, 8192, False) for first in range(0, paths, 8192)])


PEAK = """
import sys
import socialfinance as sf
keep = "all" if sys.argv[2] == "all" else "sums"
sf.simulate("demo-guaranteed-debt", int(sys.argv[1]), 7, workers=1, compare=False, keep=keep)
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def test_peak_memory(page: PerformancePage) -> None:
    """Peak memory of a process that runs ten times as many paths."""
    page.table(
        MEMORY,
        "One deal of guaranteed debt in a process of its own, MiB at the peak, everything imported counted. "
        "`all` keeps every figure by path; `sums` keeps sums and sketches.",
        ("Kept", "100,000 paths", "1,000,000 paths", "Ratio"),
    )
    for keep in ("all", "sums"):
        peaks = [
            int(
                subprocess.run(
                    [sys.executable, "-c", PEAK, str(paths), keep], capture_output=True, text=True, check=True
                ).stdout
            )
            / 1024
            for paths in (100_000, 1_000_000)
        ]
        page.row(MEMORY, f"`{keep}`", *(f"{peak:,.0f}" for peak in peaks), f"{peaks[1] / peaks[0]:.2f}")


def test_where_the_time_goes(page: PerformancePage) -> None:
    """One block of the fund of all structures under the profiler, by room."""
    page.table(
        PROFILE,
        "One block of 8,192 paths under Python's profiler, after four, so that deals are on their tapes: "
        "rows, people counted and booking, taken apart below. NumPy's time counts for the file that calls "
        "it.",
        ("What", "The reference fund", "The fund of all structures"),
    )
    bonds, mixed = (_by_room(_profiled(prepare(fund))) for fund in (reference_fund(), mixed_fund()))
    for name in sorted(bonds | mixed, key=lambda name: -bonds.get(name, 0.0)):
        page.row(PROFILE, name, f"{bonds.get(name, 0.0):.0%}", f"{mixed.get(name, 0.0):.0%}")


def test_where_a_tape_s_time_goes(monkeypatch: pytest.MonkeyPatch, page: PerformancePage) -> None:
    """A deal of the reference fund, its rows played with and without what a tape does."""
    compiled = pytest.importorskip("socialfinance.kernels.compiled")
    tape = pytest.importorskip("socialfinance.kernels.tape")
    page.table(
        TAPE,
        "One bond of the reference fund, 8,192 paths, 41 rows. Programs were timed alone, booking by leaving "
        "it out; people counted are the rest.",
        ("What", "Calls", "Milliseconds", "Share"),
    )
    ready, play = prepare(reference_fund(1)), compiled.play_tape
    for first in range(4):
        run_block(ready, 7, 8192 * first, 8192, False)
    found: list[tuple[str, int, float]] = []

    def taken_apart(calls: Any, *rest: Any) -> Any:
        kinds = calls[:, 0]
        parts = (kinds >= 0, kinds == tape.STAGE, kinds != tape.BOOK)
        works = [np.ascontiguousarray(calls[part]) for part in parts]
        whole, programs, unbooked = in_turn(
            *(lambda work=work: seconds(lambda: play(work, *rest)) for work in works), rounds=9
        )
        found.append(("all", len(calls), whole))
        for name, kind, took in (
            ("programs", tape.STAGE, programs),
            ("people counted", tape.COUNT, unbooked - programs),
            ("booking", tape.BOOK, whole - unbooked),
        ):
            found.append((name, int((kinds == kind).sum()), took))
        return play(calls, *rest)

    monkeypatch.setattr(compiled, "play_tape", taken_apart)
    run_block(ready, 7, 8192 * 5, 8192, False)
    for name, calls, took in found:
        page.row(TAPE, name, f"{calls:,}", f"{1e3 * took:.0f}", f"{took / found[0][2]:.0%}")


def _profiled(ready: ReadyPortfolio) -> pstats.Stats:
    for first in range(4):
        run_block(ready, 7, 8192 * first, 8192, False)
    profiler = cProfile.Profile()
    profiler.runcall(run_block, ready, 7, 8192 * 4, 8192, False)
    return pstats.Stats(profiler)


def _by_room(stats: pstats.Stats) -> dict[str, float]:
    """Shares of the time by room."""
    spent: dict[str, float] = defaultdict(float)
    for (file, _, function), (_, _, own, _, callers) in vars(stats)["stats"].items():
        if function == "play_tape":
            spent["deals played from a tape"] += own
        elif "socialfinance" in file and "site-packages" not in file:
            spent[_room(file)] += own
        else:
            for (caller, _, _), (_, _, part, _) in callers.items():
                spent[_room(caller)] += part
    return {name: time / sum(spent.values()) for name, time in spent.items()}


def _room(file: str) -> str:
    short = Path(file).as_posix().rpartition("socialfinance/")[2]
    return next((name for name, starts in ROOMS if short.startswith(starts)), "everything else")


def test_who_runs_the_blocks(page: PerformancePage) -> None:
    """This process, two processes, and Dask on this machine: the same bits, other times."""
    pytest.importorskip("distributed")
    page.table(
        EXECUTORS,
        f"Eight bonds, {2 * PATHS:,} paths, two workers; starting them counts.",
        ("Who", "Seconds", "Times two processes"),
    )
    fund, how = reference_fund(8), {"seed": 7, "compare": False}
    ways = {
        "two processes": {"workers": 2},
        "this process": {"workers": 1},
        "Dask, a cluster made on the spot": {"workers": 2, "scheduler": "local"},
    }
    results = {name: [] for name in ways}  # type: ignore[var-annotated]

    def took(name: str) -> float:
        return seconds(
            lambda: results[name].append(simulate(fund, 2 * PATHS, **how, **ways[name]))  # type: ignore[arg-type]
        )

    times = in_turn(*(lambda name=name: took(name) for name in ways), rounds=1)
    first = results["two processes"][0]
    for name, time in zip(ways, times, strict=True):
        assert results[name][0].measures_rows == first.measures_rows
        page.row(EXECUTORS, name, f"{time:.1f}", f"{time / times[0]:.2f}")
