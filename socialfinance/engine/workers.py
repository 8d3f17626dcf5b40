"""Blocks of paths in processes of their own, over pipes.

Each worker is a fresh interpreter that is told the portfolio once and then asked for blocks. Nothing of the
caller's main module is imported again, so a script needs no ``if __name__ == "__main__"``. A worker ends when
its pipe closes or breaks; Ctrl-C reaches only the parent, which ends its workers.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from queue import Empty, SimpleQueue
from typing import Any, NoReturn

from socialfinance.core.errors import RunError
from socialfinance.engine.accumulate import Block
from socialfinance.engine.block import run_block
from socialfinance.engine.ready import prepare
from socialfinance.funds.portfolio import Portfolio

Blocks = Sequence[tuple[int, int]]
"""First path and number of paths of each block."""


def run_in_processes(
    portfolio: Portfolio,
    seed: int,
    compare: bool,
    workers: int,
    blocks: Blocks,
    done: Callable[[Block], None],
) -> None:
    """Run every block in one of ``workers`` processes; ``done`` is called as each comes back."""
    waiting: SimpleQueue[tuple[int, int]] = SimpleQueue()
    for block in blocks:
        waiting.put(block)
    pool: list[Worker] = []
    try:
        for _ in range(min(workers, len(blocks))):
            pool.append(Worker())
        for worker in pool:
            worker.begin(portfolio, seed, compare)
        with ThreadPoolExecutor(len(pool)) as threads:
            tasks = [threads.submit(_drain, worker, waiting, done) for worker in pool]
            try:
                for task in as_completed(tasks):  # a worker that died is no reason to wait for the others
                    task.result()
            except BaseException:
                for worker in pool:
                    worker.stop()
                raise
    finally:
        for worker in pool:
            worker.stop()


class Worker:
    """One process that runs blocks."""

    def __init__(self) -> None:
        code = "from socialfinance.engine.workers import serve; serve()"
        paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-c", code],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": paths},
                start_new_session=True,
            )
        except OSError as error:
            raise RunError(f"a worker process could not be started: {error.strerror or error}") from None

    def begin(self, portfolio: Portfolio, seed: int, compare: bool) -> None:
        """Tell it what it works on."""
        self._send((portfolio, seed, compare))

    def run(self, first: int, count: int) -> Block:
        """One block. Raises what the worker raised, or RunError if it died."""
        self._send((first, count))
        assert self.process.stdout is not None
        try:
            answer = pickle.load(self.process.stdout)
        except (EOFError, OSError, pickle.UnpicklingError):  # it is gone, perhaps half way through its answer
            self._died()
        if isinstance(answer, BaseException):
            raise answer
        block: Block = answer
        return block

    def stop(self) -> None:
        """End the process and close its pipes."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                _close(pipe)

    def _send(self, message: Any) -> None:
        assert self.process.stdin is not None
        try:
            pickle.dump(message, self.process.stdin, protocol=pickle.HIGHEST_PROTOCOL)
            self.process.stdin.flush()
        except OSError:
            self._died()

    def _died(self) -> NoReturn:
        code = self.process.wait()
        how = f"was ended by signal {-code}" if code < 0 else f"ended with status {code}"
        raise RunError(
            f"a worker process {how}, perhaps for want of memory: ask for fewer paths, fewer --workers or a "
            "smaller --chunk"
        ) from None


def serve() -> None:
    """The worker's side: answer blocks until the pipe closes, or breaks as the parent is gone."""
    read, write = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # nothing else may write where the answers go
    warnings.simplefilter("ignore", RuntimeWarning)  # of numbers too large: a figure's status says so
    try:
        _answer(read, write)
    except (EOFError, OSError, pickle.UnpicklingError):
        os._exit(0)  # whoever asked is gone: nothing is left to write, and nobody to tell


def _answer(read: Any, write: Any) -> None:
    portfolio, seed, compare = pickle.load(read)
    ready = prepare(portfolio)
    while True:
        first, count = pickle.load(read)
        try:
            answer: Any = run_block(ready, seed, first, count, compare)
        except Exception as error:  # handed to the parent, which raises it
            answer = error
        pickle.dump(answer, write, protocol=pickle.HIGHEST_PROTOCOL)
        write.flush()


def _drain(worker: Worker, waiting: SimpleQueue[tuple[int, int]], done: Callable[[Block], None]) -> None:
    while True:
        try:
            first, count = waiting.get_nowait()
        except Empty:
            return
        done(worker.run(first, count))


def _close(pipe: Any) -> None:
    try:
        pipe.close()
    except OSError:
        return  # the process is gone with something unread, which nobody waits for
