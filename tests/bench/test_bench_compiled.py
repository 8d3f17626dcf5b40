"""What compiling a structure's row saves, and what it costs: rows of docs/performance.md."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import numpy as np
import pytest

import socialfinance as sf
from socialfinance.engine import block, deal
from socialfinance.engine.ready import prepare
from socialfinance.funds.portfolio import Portfolio
from socialfinance.kernels import quick
from tests.bench.page import PerformancePage
from tests.bench.reference import reference_fund
from tests.bench.test_bench import in_turn
from tests.contracts.test_contract_six import portfolio as everything

compiled = pytest.importorskip("socialfinance.kernels.compiled")
tape = pytest.importorskip("socialfinance.kernels.tape")
pytestmark = [pytest.mark.bench, pytest.mark.timeout(3600)]
PATHS, ROUNDS = 8192, 5
ROWS = "Rows of a structure"
HEAD = (
    "Row of", "Portfolio", "Operations", "NumPy, microseconds", "Compiled, on a tape", "Ratio", "Programs",
    "Seconds to compile all",
)  # fmt: skip
STRUCTURES: dict[str, tuple[Callable[[], Portfolio], str]] = {
    "social impact bond, four lines": (lambda: reference_fund(1), "sib_step"),
    "social impact bond, eight lines and everything": (everything, "sib_step"),
    "guaranteed debt": (lambda: sf.load("demo-guaranteed-debt").portfolio, "debt_step"),
    "pay as you save": (lambda: sf.load("demo-pay-as-you-save").portfolio, "pays_step"),
    "credit line": (lambda: sf.load("demo-credit-line").portfolio, "credit_step"),
    "loan pool": (lambda: sf.load("demo-loan-pool").portfolio, "pool_step"),
    "asset-backed vehicle": (lambda: sf.load("demo-asset-backed").portfolio, "asset_backed_step"),
    "grant": (lambda: sf.load("demo-grant").portfolio, "grant_step"),
    "people's programme, counts included": (lambda: reference_fund(1), "delivery"),
    "people's programme, its people counted on NumPy too": (lambda: reference_fund(1), "delivery"),
}


class Clock:
    """Times every call of a function that a deal is taken through, by the module it stands in."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.taken: dict[str, float] = defaultdict(float)
        self.calls: dict[str, int] = defaultdict(int)
        self.running: list[Any] = []
        patch.setattr(deal, "through", self.through)
        patch.setattr(deal, "done", self.done)

    def through(self, function: Any, paths: int, watcher: Any) -> Any:
        """The function as it would run, timed."""
        inner, name = quick.through(function, paths, watcher), function.__module__.rsplit(".", 1)[-1]
        self.running.append(inner)

        def call(*given: Any) -> Any:
            start = time.thread_time()
            found = inner(*given)
            self.taken[name] += time.thread_time() - start
            self.calls[name] += 1
            return found

        return call

    def done(self, *functions: Any) -> None:
        """All rows are through."""
        quick.done(*self.running)
        self.running.clear()

    def a_row(self, ready: Any, name: str) -> float:
        """Seconds of the processor a row of one block."""
        self.taken.clear()
        self.calls.clear()
        block.run_block(ready, 7, 0, PATHS)
        return self.taken[name] / self.calls[name]


class Tapes:
    """Times what one module's programs do on the tapes of a block; people are counted with a programme."""

    def __init__(self, patch: pytest.MonkeyPatch, name: str) -> None:
        self.play, self.name = compiled.play_tape, name
        self.taken, self.rows, self.timed = 0.0, 0, False
        patch.setattr(compiled, "play_tape", self)

    def __call__(self, calls: Any, *rest: Any) -> bool:
        """Play it all, and then the part alone."""
        done: bool = self.play(calls, *rest)
        if self.timed:
            self._time(calls, rest)
        return done

    def _time(self, calls: Any, rest: Any) -> None:
        """The whole less what is left without the module's calls: people are counted on what others made."""
        addresses = [at for variant in variants_of(self.name) for at in variant.run.addresses]
        rows = (calls[:, 0] == tape.STAGE) & np.isin(calls[:, 1], addresses)
        part = rows | (calls[:, 0] == tape.COUNT) if self.name == "delivery" else rows
        if rows.any():
            others = np.ascontiguousarray(calls[~part]) if self.name == "delivery" else calls[:0]
            whole = calls if self.name == "delivery" else np.ascontiguousarray(calls[part])
            times = in_turn(*(partial(self._seconds, some, rest) for some in (whole, others)), rounds=ROUNDS)
            self.taken += times[0] - times[1]
            self.rows += len(np.unique(calls[rows][:, 2:5], axis=0))

    def _seconds(self, calls: Any, rest: Any) -> float:
        start = time.thread_time()
        self.play(calls, *rest)
        return time.thread_time() - start

    def a_row(self, ready: Any) -> float:
        """Seconds of the processor a row of one block."""
        self.taken, self.rows, self.timed = 0.0, 0, True
        block.run_block(ready, 7, 0, PATHS)
        self.timed = False
        return self.taken / self.rows


def variants_of(name: str) -> list[Any]:
    """The programs of a module's functions."""
    return [
        variant
        for (function, _), shape in quick._SHAPES.items()
        if function.__module__.endswith(name)
        for variant in shape.variants
        if variant.run is not None
    ]


def compiled_all(name: str) -> tuple[int, int, float]:
    """Programs of a module's functions, operations of the largest, and seconds to compile them once more."""
    found = variants_of(name)
    start = time.thread_time()
    for variant in found:
        variant._compile()
    return len(found), max(len(v.program.nodes) for v in found), time.thread_time() - start


@pytest.mark.parametrize("structure", STRUCTURES)
def test_a_row_compiled_against_numpy(
    structure: str, monkeypatch: pytest.MonkeyPatch, page: PerformancePage
) -> None:
    page.table(
        ROWS,
        f"One row of {PATHS:,} paths under its structure (the deal itself, with variation and beside what it "
        "is compared with, whichever of them take that row), on NumPy and, compiled, on the deal's tape; the "
        "same bits. On NumPy people are counted by compiled code as well, but in the last row: the NumPy "
        "backend. Programs: how many different ones its rows need.",
        HEAD,
    )
    portfolio, name = STRUCTURES[structure]
    ready = prepare(portfolio())
    monkeypatch.setattr(quick, "_SHAPES", {})
    monkeypatch.setattr(quick, "WORTH_COMPILING", 1)
    clock, tapes = Clock(monkeypatch), Tapes(monkeypatch, name)
    monkeypatch.delenv("SOCIALFINANCE_BACKEND", raising=False)
    for _ in range(4):
        block.run_block(ready, 7, 0, PATHS)  # counted, watched, compiled, put on a tape
    slow_times, fast_times = [], []
    for _ in range(ROUNDS):
        fast_times.append(tapes.a_row(ready))
        with monkeypatch.context() as numpy:
            numpy.setenv("SOCIALFINANCE_BACKEND", "numpy" if structure.endswith("NumPy too") else "numba")
            slow_times.append(clock.a_row(ready, name))
    slow, fast = 1e6 * median(slow_times), 1e6 * median(fast_times)
    programs, operations, seconds = compiled_all(name)
    page.row(
        ROWS, structure, ready.portfolio.name, f"{operations}", f"{slow:.0f}", f"{fast:.0f}",
        f"{fast / slow:.2f}", f"{programs}", f"{seconds:.2f}",
    )  # fmt: skip
