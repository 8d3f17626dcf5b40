"""Where the tasks of a run are done: in this process, in processes of this machine, or by Dask.

A task, paths of the run or a deal's cases, depends only on its work. So it does not matter who does it, in
which order, or how often it was begun: what comes back is put in its place, and the result has the same bits.
"""

from __future__ import annotations

import hashlib
import platform
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Protocol

import numpy as np

from socialfinance.engine.accumulate import Block
from socialfinance.engine.block import run_block
from socialfinance.engine.cases import DealCases, deal_cases
from socialfinance.engine.keep import ALL, Keep
from socialfinance.engine.observed import Past, observed
from socialfinance.engine.ready import ReadyPortfolio, prepare
from socialfinance.funds.portfolio import Portfolio
from socialfinance.scenarios.points import Serves


@dataclass(frozen=True)
class Paths:
    """A task: ``count`` paths from path ``first``, a block."""

    first: int
    count: int


@dataclass(frozen=True)
class Cases:
    """A task: the cases of the deal in place ``deal``, and its bridge over so many ``paths``."""

    deal: int
    paths: int


Task = Paths | Cases
Done = Callable[[Block | DealCases], None]
"""Called in the caller's process with what a task gave: one at a time, in any order, never twice."""
LOSSES = 3
"""Workers in a row that may be lost over one task before the run is given up: it kills them."""
LESS = "perhaps for want of memory: ask for fewer paths, fewer --workers or a smaller --chunk"
"""What may be behind a worker's end."""


@dataclass(frozen=True)
class Work:
    """All that the tasks of a run depend on.

    It travels as what it was made from and is made ready again where it arrives, once, however many tasks
    are asked of it there.
    """

    ready: ReadyPortfolio
    seed: int
    compare: bool
    keep: Keep = ALL

    def do(self, task: Task) -> Block | DealCases:
        """A block, or a deal's cases, which no sampling touches."""
        if isinstance(task, Paths):
            return self.block(task.first, task.count)
        return deal_cases(replace(self.ready, points=None), task.deal, self.seed, task.paths)

    def block(self, first: int, count: int) -> Block:
        """Run ``count`` paths from path ``first``; what is not kept by path is reduced where it was run."""
        return self.keep.reduce(run_block(self.ready, self.seed, first, count, self.compare))

    def __reduce__(self) -> tuple[Any, ...]:
        ready = self.ready
        of_run = (ready.points, ready.long)
        return _arrived, (ready.portfolio, ready.past, of_run, self.seed, self.compare, self.keep)


def _arrived(
    portfolio: Portfolio,
    past: Mapping[str, Past],
    of_run: tuple[Serves | None, bool],
    seed: int,
    compare: bool,
    keep: Keep,
) -> Work:
    ready, (points, long) = observed(prepare(portfolio), past).ready, of_run
    return Work(replace(ready, points=points, long=long), seed, compare, keep)


class Executor(Protocol):
    """Does tasks somewhere."""

    def run(self, work: Work, tasks: Sequence[Task], done: Done) -> None:
        """Do every task; ``done`` has been called with what each gave when this returns.

        Raises what a task raised, what ``done`` raised, and RunError where tasks could not be finished
        because of who was to do them.
        """
        ...


class InProcess:
    """One task after the other, in the caller's own process."""

    def run(self, work: Work, tasks: Sequence[Task], done: Done) -> None:
        """Do every task, in order."""
        for task in tasks:
            done(work.do(task))


def on_this_machine(workers: int) -> Executor:
    """The caller's process for one worker, else so many processes of their own."""
    from socialfinance.engine.workers import Processes

    return InProcess() if workers == 1 else Processes(workers)


@contextmanager
def elsewhere(scheduler: Any, workers: int) -> Iterator[Executor | None]:
    """The Dask scheduler's workers while the context lasts; None where no ``scheduler`` is given.

    ``scheduler`` is the address of one that runs, ``"local"`` for one with ``workers`` processes that lives
    as long as the context, or a ``distributed.Client``, which is left open. Raises InputError where Dask is
    not installed, where there is no scheduler or it has no workers, and where these would give other bits.
    """
    if scheduler is None:
        yield None
        return
    from socialfinance.engine.executors_dask import connected

    with connected(scheduler, workers) as executor:
        yield executor


@cache
def installed() -> Mapping[str, str]:
    """What has to be the same wherever tasks of one run are done, for the same bits."""
    from importlib.metadata import version

    from socialfinance import __version__
    from socialfinance.kernels.backend import backend

    return {
        "socialfinance": __version__,
        "Python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "numpy": version("numpy"),
        "scipy": version("scipy"),
        "backend": backend(),
        "arithmetic": _arithmetic(),
    }


def _arithmetic() -> str:
    """A fingerprint of functions whose last bit hangs on the processor and the C library."""
    from scipy.special import betaincinv, gammaincinv, ndtr, ndtri

    u = (np.arange(4096) + 0.5) / 4096
    with np.errstate(all="ignore"):
        values = [np.exp(u), np.log(u), np.expm1(-u), np.log1p(u), np.sin(u), u**0.3, ndtr(u), ndtri(u)]
        values += [betaincinv(2.5, 1.5, u), gammaincinv(3.5, u), np.cumsum(u), np.asarray(u.sum())]
    bits = b"".join(np.ascontiguousarray(one).tobytes() for one in values)
    return f"{platform.machine()} {hashlib.sha256(bits).hexdigest()[:8]}"


def differences(theirs: Mapping[str, str]) -> str:
    """How another installation differs from this one, in words; empty where it does not."""
    mine = installed()
    return ", ".join(
        f"{name} {theirs.get(name, 'unknown')} where here it is {mine[name]}"
        for name in mine
        if theirs.get(name) != mine[name]
    )
