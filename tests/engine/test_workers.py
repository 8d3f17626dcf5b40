"""A worker that dies is an error of the run, not of the program."""

from __future__ import annotations

import subprocess
import sys

import pytest

from socialfinance.core.errors import RunError
from socialfinance.engine import workers
from tests.fixtures import one_deal


def test_a_worker_that_dies_is_a_run_that_could_not_be_finished() -> None:
    worker = workers.Worker()
    worker.begin(one_deal(prices={"outcome": 1.0}), 1, False)
    assert worker.run(0, 256).count == 256
    worker.process.kill()
    worker.process.wait()
    with pytest.raises(RunError, match="was ended by signal 9"):
        worker.run(256, 256)
    worker.stop()


def test_a_worker_that_ends_by_itself_says_with_which_status(monkeypatch: pytest.MonkeyPatch) -> None:
    start = subprocess.Popen

    def ends(command: list[str], **more: object) -> object:
        return start([sys.executable, "-c", "raise SystemExit(3)"], **more)  # type: ignore[call-overload]

    monkeypatch.setattr(workers.subprocess, "Popen", ends)
    with pytest.raises(RunError, match="ended with status 3"):
        workers.run_in_processes(
            one_deal(prices={"outcome": 1.0}), 1, False, 2, [(0, 256), (256, 256)], lambda block: None
        )


def test_a_worker_that_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object, **__: object) -> object:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(workers.subprocess, "Popen", refuses)
    with pytest.raises(RunError, match="could not be started: Resource temporarily unavailable"):
        workers.run_in_processes(
            one_deal(prices={"outcome": 1.0}), 1, False, 2, [(0, 256), (256, 256)], lambda block: None
        )
