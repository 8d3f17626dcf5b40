"""Blocks on Dask's workers: the same bits, whoever dies; and what is wrong is said in one line."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import socialfinance as sf
from socialfinance.cli import main
from socialfinance.core.errors import InputError, RunError
from socialfinance.engine import executors_dask as dask
from socialfinance.engine.accumulate import Kept
from socialfinance.engine.executors import InProcess, Paths, Work, elsewhere, installed
from socialfinance.engine.ready import prepare
from tests.bench.reference import reference_fund
from tests.cli.small import SMALL
from tests.fixtures import one_deal

distributed = pytest.importorskip("distributed")
GIVEN: dict[str, Any] = {"paths": 1_024, "seed": 5, "chunk": 256, "compare": False}


def small() -> Any:
    return one_deal(prices={"outcome": 1.0})


def same(one: sf.Result, other: sf.Result) -> bool:
    return one.measures_rows == other.measures_rows and one.flow_rows == other.flow_rows


# --- the same bits --------------------------------------------------------------------------------


def test_a_scheduler_on_the_spot_gives_the_same_bits_and_ends_with_its_run() -> None:
    work, blocks = Work(prepare(small()), 5, False), [Paths(first, 256) for first in range(0, 1_024, 256)]
    there, here = Kept(1_024), Kept(1_024)
    with elsewhere("local", 2) as executor:
        assert isinstance(executor, dask.OnDask)
        executor.run(work, blocks, there.add)
        pids = list(executor._client.run(os.getpid).values())
        assert len(pids) == 2
        assert all(map(alive, pids))
    assert not any(map(alive, pids))
    InProcess().run(work, blocks, here.add)
    for mine, theirs in ((here.figures, there.figures), (here.flows, there.flows), (here.rows, there.rows)):
        assert mine.keys() == theirs.keys()
        assert all(np.array_equal(mine[key], theirs[key]) for key in mine)


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with distributed.Client(
        processes=False, n_workers=2, threads_per_worker=2, dashboard_address=":0", set_as_default=False,
        memory_limit=0,
    ) as made:  # fmt: skip
        yield made


def test_a_client_of_ones_own_is_used_and_left_open(client: Any) -> None:
    there = sf.simulate(small(), scheduler=client, **GIVEN)
    assert same(there, sf.simulate(small(), workers=1, **GIVEN))
    assert client.status == "running"


def test_it_goes_on_from_a_checkpoint_with_progress_from_all_workers(client: Any, tmp_path: Path) -> None:
    counts: list[int] = []
    once = sf.simulate(small(), workers=1, checkpoint=tmp_path, **GIVEN)
    for block in sorted(tmp_path.glob("block-*.npz"))[1:]:
        block.unlink()
    there = sf.simulate(small(), scheduler=client, progress=counts.append, checkpoint=tmp_path, **GIVEN)
    assert same(there, once)
    assert counts == [256] * 4
    assert len(list(tmp_path.glob("block-*.npz"))) == 4


def test_few_blocks_are_with_the_scheduler_at_once(client: Any) -> None:
    """What is back is let go: no more futures than are in flight, though there are many more blocks."""
    held: list[int] = []
    work = Work(prepare(small()), 1, False)
    blocks = [Paths(first, 256) for first in range(0, 40 * 256, 256)]
    dask.OnDask(client).run(work, blocks, lambda block: held.append(len(client.futures)))
    assert len(held) == len(blocks)
    assert max(held) <= 2 * 2 * dask.IN_FLIGHT + 1


def test_what_is_raised_on_taking_a_block_is_raised_as_it_is(client: Any) -> None:
    def full(block: Any) -> None:
        raise TimeoutError("the disk of the checkpoint")

    with pytest.raises(TimeoutError, match="the disk"):
        dask.OnDask(client).run(Work(prepare(small()), 1, False), [Paths(0, 256), Paths(256, 256)], full)


# --- what can be wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scheduler", "said"),
    [
        ("nowhere", "scheduler: is no address"),
        ("tcp://127.0.0.1", "scheduler: is no address"),
        ("tcp://127.0.0.1:many", "scheduler: is no address"),
        ("ftp://127.0.0.1:21", "scheduler: is no address"),
        ("127.0.0.1:1", "scheduler: cannot be reached: Connection refused"),
        ("tcp://127.0.0.1:1", "scheduler: cannot be reached: Connection refused"),
        ("tcp://no-such-host.invalid:8786", "scheduler: cannot be reached: "),
    ],
)
def test_a_bad_address_is_one_line_and_status_2(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], scheduler: str, said: str
) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(SMALL, encoding="utf-8")
    assert main(["run", str(file), "--paths", "300", "--quiet", "--scheduler", scheduler]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") == 1


def test_something_else_that_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask, "PATIENCE", 1.0)
    with (
        socket.create_server(("127.0.0.1", 0)) as other,
        pytest.raises(InputError, match="is no Dask scheduler that answers"),
    ):
        sf.simulate(small(), scheduler=f"127.0.0.1:{other.getsockname()[1]}", **GIVEN)


def test_a_scheduler_without_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask, "PATIENCE", 1.0)
    with (
        distributed.Client(
            processes=False, n_workers=0, dashboard_address=":0", set_as_default=False
        ) as empty,
        pytest.raises(InputError, match="has no workers: start some with dask worker"),
    ):
        sf.simulate(small(), scheduler=empty, **GIVEN)


def test_dask_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"pip install 'socialfinance\[dask\]'"):
        sf.simulate(small(), scheduler="local", **GIVEN)


def test_something_that_is_no_scheduler() -> None:
    with pytest.raises(InputError, match="scheduler: is no scheduler"):
        sf.simulate(small(), scheduler=8786, **GIVEN)


class Workers:
    """A client whose workers answer what they are told to."""

    asynchronous = False
    scheduler = None

    def __init__(self, *answers: Any) -> None:
        self.answers = answers

    def wait_for_workers(self, count: int, timeout: float) -> None:
        """They are there."""

    def run(self, question: Any, on_error: str) -> dict[str, Any]:
        return {f"tcp://worker-{i}": answer for i, answer in enumerate(self.answers)}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({**installed(), "socialfinance": "0.0.9"}, "worker-1: socialfinance 0.0.9 where here it is"),
        ({**installed(), "arithmetic": "x"}, "worker-1: arithmetic x where here it is"),
        ("cannot import socialfinance: No module", "worker-1: cannot import socialfinance: No module"),
        (ValueError("of another kind"), "worker-1: cannot be asked: of another kind"),
    ],
)
def test_workers_that_would_give_other_bits_are_refused(answer: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        dask._check(Workers(dict(installed()), answer))


def test_a_worker_that_is_lost_while_it_is_asked_is_none_of_the_workers() -> None:
    dask._check(Workers(dict(installed()), OSError("stream is closed")))


def test_a_worker_that_comes_later_is_held_to_the_same() -> None:
    with pytest.raises(RunError, match="another installation"):
        dask._do_one(b"", "", {**installed(), "numpy": "1.0"}, Paths(0, 256))


def test_the_question_needs_no_import_of_this_module() -> None:
    """A worker without the package can read it, and answers that it cannot import it."""
    import cloudpickle

    code = (
        "import pickle, sys\n"
        "sys.modules['socialfinance'] = None\n"
        "print(pickle.loads(sys.stdin.buffer.read())())"
    )
    packed = cloudpickle.dumps(dask._question())
    done = subprocess.run([sys.executable, "-c", code], input=packed, capture_output=True, check=True)
    assert done.stdout.startswith(b"cannot import socialfinance: ")


class Unfetched:
    """A block that was done by a worker that is gone; or one that raised ``error``."""

    def __init__(self, error: bool = False) -> None:
        self.status = "error" if error else "pending"

    def result(self, timeout: float) -> Any:
        raise TimeoutError("of the block itself")


class Deserted:
    """A client whose scheduler has no workers left."""

    scheduler, status = None, "running"

    def nthreads(self) -> dict[str, int]:
        return {}

    def submit(self, *given: Any, **more: Any) -> None:
        """Nobody will do it."""


def test_a_block_that_was_done_by_the_last_worker_is_not_awaited_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dask, "DESERTED", 0.0)
    monkeypatch.setattr(dask, "LOOKS", 0.01)
    flight = dask._Flight(Deserted(), Work(prepare(small()), 1, False), [Paths(0, 256)])
    with pytest.raises(RunError, match="no worker is left"):
        flight._fetched(Unfetched())
    with pytest.raises(TimeoutError, match="of the block itself"):
        flight._fetched(Unfetched(error=True))


# --- from the shell -------------------------------------------------------------------------------


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@contextmanager
def started(*words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process, with all that it starts, until the context ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def scheduler_on_loopback() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with started(
        "dask", "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"
    ) as process:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"tcp://127.0.0.1:{port}", process


def worker_of(address: str, folder: Path) -> Any:
    return started(
        "dask", "worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory",
        str(folder),
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
def test_a_worker_killed_in_the_middle_changes_no_bit(tmp_path: Path) -> None:
    """The reference fund by a scheduler and two workers started from the shell; one is killed."""
    fund = reference_fund(deals=10)
    given: dict[str, Any] = {"paths": 16_384, "seed": 7, "chunk": 1_024, "compare": False}

    def timed(**how: Any) -> tuple[sf.Result, float]:
        began = time.monotonic()
        return sf.simulate(fund, **given, **how), time.monotonic() - began

    once, alone = timed(workers=1)
    twice, both = timed(workers=2)
    assert same(twice, once)
    with (
        scheduler_on_loopback() as (address, _),
        worker_of(address, tmp_path) as first,
        worker_of(address, tmp_path),
    ):
        wait_for(address, 2)
        there, dask_both = timed(scheduler=address)
        assert same(there, once)
        finished: list[int] = []

        def kill(count: int) -> None:
            finished.append(count)
            if len(finished) == 4:
                os.killpg(first.pid, signal.SIGKILL)

        killed, _ = timed(scheduler=address, progress=kill)
        assert not alive(first.pid)
    assert sum(finished) == 16_384
    assert same(killed, once)
    print(
        f"\none process {alone:.1f} s, two {both:.1f} s, Dask with two {dask_both:.1f} s: "
        f"ratio to two processes {dask_both / both:.2f}"
    )


def wait_for(address: str, workers: int) -> None:
    with distributed.Client(address, set_as_default=False) as client:
        client.wait_for_workers(workers, timeout=30)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
@pytest.mark.parametrize("who", ["scheduler", "all workers"])
def test_a_cluster_that_is_gone_is_one_line(tmp_path: Path, monkeypatch: Any, capfd: Any, who: str) -> None:
    monkeypatch.setattr(dask, "DESERTED", 2.0)
    file = tmp_path / "small.yaml"
    file.write_text(SMALL, encoding="utf-8")
    words = ["run", str(file), "--paths", "1000000", "--chunk", "256", "--quiet"]
    with (
        scheduler_on_loopback() as (address, scheduler),
        worker_of(address, tmp_path) as worker,
    ):
        wait_for(address, 1)
        ends = scheduler if who == "scheduler" else worker
        with subprocess.Popen(["sh", "-c", f"sleep 6; kill -9 {ends.pid}"]):
            assert main([*words, "--scheduler", address]) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert ("was lost" if who == "scheduler" else "no worker is left at") in err
