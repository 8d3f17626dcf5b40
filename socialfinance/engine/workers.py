"""The tasks of a run in processes of their own, over pipes.

Each worker is a fresh interpreter that is told the work once and then asked for its tasks. Nothing of the
caller's main module is imported again, so a script needs no ``if __name__ == "__main__"``. A worker ends when
its pipe closes or breaks; Ctrl-C reaches only the parent, which ends its workers. One that is lost costs its
task: another is started in its place, and does it.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import warnings
from collections import Counter, deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from threading import Lock
from typing import Any, NoReturn

from socialfinance.core.errors import RunError
from socialfinance.engine.accumulate import Block
from socialfinance.engine.cases import DealCases
from socialfinance.engine.executors import LESS, LOSSES, Done, Task, Work

AHEAD = 2
"""Tasks that a worker has at once: the one that it does, and the one that comes next."""


class Processes:
    """At most so many processes on this machine, started for each run and ended with it."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def run(self, work: Work, tasks: Sequence[Task], done: Done) -> None:
        """Do every task in one of the processes."""
        if not tasks:
            return
        count = min(self.workers, len(tasks))
        crew = _Crew(work, tasks, done, count)
        threads = ThreadPoolExecutor(count)
        try:
            drains = [threads.submit(crew.drain, worker) for worker in [crew.hire() for _ in range(count)]]
            for drain in as_completed(drains):  # what one could not do is no reason to await the others
                drain.result()
        finally:
            crew.end()  # before the threads are awaited: a signal may come as soon as the first of them runs
            threads.shutdown()


class _Crew:
    """The workers of one run, and the tasks that wait for one. A thread for each worker drains them."""

    def __init__(self, work: Work, tasks: Sequence[Task], done: Done, count: int) -> None:
        self._work, self._done, self._count = work, done, count
        self._waiting = deque(tasks)
        self._losses: Counter[Task] = Counter()
        self._workers: set[Worker] = set()
        self._ended = False
        self._lock, self._one_done = Lock(), Lock()

    def hire(self) -> Worker:
        """Start a worker."""
        with self._lock:
            if self._ended:
                raise RunError("the run has ended")  # to a thread whose worker was ended: nobody hears of it
            worker = Worker()
            self._workers.add(worker)
        return worker

    def drain(self, worker: Worker) -> None:
        """Have a worker, or whoever comes in its place, do tasks until none waits."""
        asked: deque[Task] = deque()
        told = False
        while True:
            more = self._take(asked)
            if not asked:
                return
            try:
                if not told:
                    worker.begin(self._work)
                    told = True
                for task in more:
                    worker.ask(task)
                answer = worker.answer()
            except Lost as lost:
                self._put_back(asked, lost)
                self._dismiss(worker)
                worker, told = self.hire(), False
                continue
            asked.popleft()
            with self._one_done:
                if self._ended:
                    return
                try:
                    self._done(answer)
                except BaseException:
                    self._ended = True  # before another thread comes with its own
                    raise

    def _take(self, asked: deque[Task]) -> list[Task]:
        """A task more for a worker, and the next: it does not wait for what it gave to be taken up.

        Towards the end there is no next, so that none waits for a worker while another has nothing to do.
        """
        more: list[Task] = []
        while len(asked) < (1 if len(self._waiting) < self._count else AHEAD):
            try:
                more.append(self._waiting.popleft())
            except IndexError:
                break
            asked.append(more[-1])
        return more

    def _put_back(self, asked: deque[Task], lost: Lost) -> None:
        """First in the queue, so that a task that kills whoever takes it is found out soon."""
        self._losses[asked[0]] += 1
        if self._losses[asked[0]] >= LOSSES and not self._ended:
            raise RunError(f"a worker process {lost}, {LESS}; {LOSSES} were lost over the same paths")
        while asked:
            self._waiting.appendleft(asked.pop())

    def _dismiss(self, worker: Worker) -> None:
        worker.stop()
        with self._lock:
            self._workers.discard(worker)

    def end(self) -> None:
        """End every worker; none is hired any more."""
        with self._lock:
            self._ended = True
            for worker in self._workers:
                worker.stop()


class Lost(Exception):
    """A worker is gone; how it ended."""


class Worker:
    """One process that does tasks."""

    def __init__(self) -> None:
        code = "from socialfinance.engine.workers import serve; serve()"
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-c", code],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=same_imports(),
                start_new_session=True,
            )
        except OSError as error:
            raise RunError(f"a worker process could not be started: {error.strerror or error}") from None

    def begin(self, work: Work) -> None:
        """Tell it what it works on. Raises Lost if it died."""
        self._send(work)

    def ask(self, task: Task) -> None:
        """Give it a task, to be done after those it has. Raises Lost if it died."""
        self._send(task)

    def answer(self) -> Block | DealCases:
        """What the task gave that was asked first. Raises what the worker raised, or Lost if it died."""
        assert self.process.stdout is not None
        try:
            answer = pickle.load(self.process.stdout)
        except (EOFError, OSError, ValueError, pickle.UnpicklingError):  # gone, perhaps half way through it
            self._died()
        if isinstance(answer, BaseException):
            raise answer
        given: Block | DealCases = answer
        return given

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
        except (OSError, ValueError):  # broken, or closed as the run has ended
            self._died()

    def _died(self) -> NoReturn:
        code = self.process.wait()
        raise Lost(f"was ended by signal {-code}" if code < 0 else f"ended with status {code}") from None


def same_imports() -> dict[str, str]:
    """The environment in which another interpreter imports what this one does."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}


def serve() -> None:
    """The worker's side: do tasks until the pipe closes, or breaks as the parent is gone."""
    read, write = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # nothing else may write where the answers go
    warnings.simplefilter("ignore", RuntimeWarning)  # of numbers too large: a figure's status says so
    try:
        _answer(read, write)
    except (EOFError, OSError, pickle.UnpicklingError):
        os._exit(0)  # whoever asked is gone: nothing is left to write, and nobody to tell


def _answer(read: Any, write: Any) -> None:
    work: Work = pickle.load(read)
    while True:
        task: Task = pickle.load(read)
        try:
            answer: Any = work.do(task)
        except Exception as error:  # handed to the parent, which raises it
            answer = error
        pickle.dump(answer, write, protocol=pickle.HIGHEST_PROTOCOL)
        write.flush()


def _close(pipe: Any) -> None:
    try:
        pipe.close()
    except (OSError, ValueError):
        return  # the process is gone with something unread, which nobody waits for
