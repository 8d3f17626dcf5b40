"""Two processes that run futures, one for quick answers, one for refined ones: neither waits for the other.

What nobody waits for any more is not run: a block that has not begun is taken back, and after each block
it is asked again whether anybody still waits.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from types import TracebackType
from typing import Any

from socialfinance.core.errors import RunError
from socialfinance.explorer.answer import Answer
from socialfinance.explorer.asked import Asked, Source
from socialfinance.explorer.page import panel
from socialfinance.explorer.runs import Runs

QUICK, REFINED = "quick", "refined"
LOOK = 0.02
"""Seconds between two looks whether anybody still waits."""
Gone = Callable[[], Awaitable[bool]]
_runs: Runs | None = None
"""Of this process."""


class Superseded(Exception):
    """Nobody waits for the answer any more."""


def _begin(source: Source, seed: int) -> None:
    """A process begins: it has runs of its own, and leaves Ctrl-C to the one that started it."""
    global _runs
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _runs = Runs(source, seed)


def _advance(asked: Asked, paths: int) -> Answer | None:
    assert _runs is not None
    return _runs.advance(asked, paths)


def _panel(asked: Asked) -> dict[str, Any]:
    assert _runs is not None
    return panel(_runs.source.portfolio, asked, _runs.fitting(asked.view))


class Bench:
    """The two processes, which end with the block that uses this."""

    def __init__(self, source: Source, seed: int) -> None:
        self.source = source
        self._pools = {
            size: ProcessPoolExecutor(
                1, mp_context=get_context("spawn"), initializer=_begin, initargs=(source, seed)
            )
            for size in (QUICK, REFINED)
        }

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        for pool in self._pools.values():
            processes = list((pool._processes or {}).values())
            pool.shutdown(wait=False, cancel_futures=True)
            for process in processes:  # the block in work is of use to nobody now
                process.terminate()

    async def answer(self, asked: Asked, size: str, paths: int, gone: Gone) -> Answer:
        """Figures and charts, block by block. Superseded where nobody waits; InputError as ``Runs``."""
        while True:
            found: Answer | None = await self._done(size, gone, _advance, asked, paths)
            if found is not None:
                return found

    async def panel(self, asked: Asked, gone: Gone) -> dict[str, Any]:
        """What can be moved: see :func:`page.panel`."""
        found: dict[str, Any] = await self._done(QUICK, gone, _panel, asked)
        return found

    async def _done(self, size: str, gone: Gone, work: Callable[..., Any], *given: Any) -> Any:
        try:
            waiting = asyncio.wrap_future(self._pools[size].submit(work, *given))
            while not waiting.done():
                await asyncio.wait({waiting}, timeout=LOOK)
                if not waiting.done() and await gone():
                    waiting.cancel()
                    raise Superseded
            return waiting.result()
        except BrokenProcessPool:
            raise RunError("a process of the explorer died: start it again") from None
