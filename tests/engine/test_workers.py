"""A worker that dies costs its block, and is an error of the run where the block kills whoever takes it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from socialfinance.core.errors import RunError
from socialfinance.engine import workers
from socialfinance.engine.accumulate import Block
from socialfinance.engine.executors import Paths, Work
from socialfinance.engine.ready import prepare
from tests.fixtures import one_deal

BLOCKS = [Paths(first, 256) for first in range(0, 2048, 256)]


def work() -> Work:
    return Work(prepare(one_deal(prices={"outcome": 1.0})), 1, False)


def never(block: Block) -> None:
    raise AssertionError("no block can have been done")


def test_a_worker_that_is_gone_says_how_it_ended() -> None:
    worker = workers.Worker()
    worker.begin(work())
    worker.ask(Paths(0, 256))
    worker.ask(Paths(256, 512))
    assert [worker.answer().count for _ in range(2)] == [256, 512]  # type: ignore[union-attr]
    worker.process.kill()
    worker.process.wait()
    with pytest.raises(workers.Lost, match="was ended by signal 9"):
        worker.answer()
    worker.stop()


def test_workers_killed_in_the_middle_cost_nothing_but_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever a block is back, a worker that was started before is killed."""
    hired: list[workers.Worker] = []

    class Noted(workers.Worker):
        def __init__(self) -> None:
            super().__init__()
            hired.append(self)

    done: list[int] = []

    def kill(block: Block) -> None:
        done.append(block.first)
        if len(done) <= 3:
            hired[len(done) - 1].process.kill()

    monkeypatch.setattr(workers, "Worker", Noted)
    workers.Processes(2).run(work(), BLOCKS, kill)

    assert sorted(done) == [one.first for one in BLOCKS]
    assert len(hired) > 2
    assert all(worker.process.poll() is not None for worker in hired)


def test_a_block_that_kills_every_worker_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    start, started = subprocess.Popen, []

    def ends(command: list[str], **more: object) -> object:
        started.append(command)
        return start([sys.executable, "-c", "raise SystemExit(3)"], **more)  # type: ignore[call-overload]

    monkeypatch.setattr(workers.subprocess, "Popen", ends)
    with pytest.raises(RunError, match=r"ended with status 3, perhaps .*; 3 were lost over the same paths"):
        workers.Processes(2).run(work(), BLOCKS[:2], never)
    assert 3 <= len(started) <= 6


def test_workers_that_are_gone_before_they_are_told_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each the loss counts against what it was to do: none is started for ever."""

    def gone(self: workers.Worker, work: Work) -> None:
        raise workers.Lost("ended with status 3")

    monkeypatch.setattr(workers.Worker, "begin", gone)
    with pytest.raises(RunError, match="3 were lost over the same paths"):
        workers.Processes(2).run(work(), BLOCKS, never)


def test_a_worker_that_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object, **__: object) -> object:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(workers.subprocess, "Popen", refuses)
    with pytest.raises(RunError, match="could not be started: Resource temporarily unavailable"):
        workers.Processes(2).run(work(), BLOCKS[:2], never)


def test_a_signal_as_the_threads_begin_ends_the_run_and_not_only_its_hiring(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is raised once the first thread drains blocks does not wait for all of them to be done."""
    back: list[int] = []
    submit = workers.ThreadPoolExecutor.submit

    def told_to_end(self: workers.ThreadPoolExecutor, *given: object) -> object:
        submit(self, *given)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(workers.ThreadPoolExecutor, "submit", told_to_end)
    blocks = [Paths(first, 256) for first in range(0, 500 * 256, 256)]
    with pytest.raises(KeyboardInterrupt):
        workers.Processes(2).run(work(), blocks, lambda block: back.append(block.first))
    assert len(back) < len(blocks) / 2
