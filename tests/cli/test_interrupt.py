"""Ctrl-C, SIGTERM, and workers that die: the right status, one line, and nothing half-written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cli.small import SMALL

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")


def started(folder, workers, paths="1000000", output="run.json"):
    """A run, long unless it is told otherwise, that is past reading its file."""
    file = folder / "small.yaml"
    file.write_text(SMALL, encoding="utf-8")
    command = [
        sys.executable, "-m", "socialfinance", "run", str(file), "--paths", paths, "--chunk", "256",
        "--workers", workers, "--json", str(folder / output),
    ]  # fmt: skip
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background shell ignores it
    )  # fmt: skip
    assert f"{int(paths):,} paths" in process.stderr.readline()
    return process


def children(process):
    """The process numbers of what it has started."""
    found = []
    for thread in Path(f"/proc/{process.pid}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended
            found += [int(one) for one in thread.read_text().split()]
    return found


def workers_of(process, wanted):
    """The process numbers of its workers, once there are so many."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        found = children(process)
        if len(found) == wanted:
            return found
        time.sleep(0.05)
    raise AssertionError(f"never had {wanted} workers")


def alive(pid):
    """Whether a process still runs; one that ended and was not yet waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def all_end(pids, seconds):
    """Whether every process ends within so many seconds."""
    until = time.monotonic() + seconds
    while any(map(alive, pids)) and time.monotonic() < until:
        time.sleep(0.05)
    return not any(map(alive, pids))


needs_proc = pytest.mark.skipif(not Path("/proc/thread-self/children").exists(), reason="reads /proc")


@pytest.mark.parametrize(
    ("sent", "status", "said"),
    [
        (signal.SIGINT, 130, "interrupted; no file is half-written"),
        (signal.SIGTERM, 143, "told to end; no file is half-written"),
    ],
)
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_run_that_is_ended_leaves_nothing(tmp_path, workers, sent, status, said):
    with started(tmp_path, workers) as process:
        time.sleep(0.5)
        process.send_signal(sent)
        out, err = process.communicate(timeout=60)

    # CPython ends by SIGINT itself where it came while an extension was imported: a shell says 130 of either
    ended = 130 if process.returncode == -signal.SIGINT else process.returncode
    assert (ended, out, err) == (status, "", f"socialfinance: {said}\n")
    assert [path.name for path in tmp_path.iterdir()] == ["small.yaml"]


@needs_proc
def test_workers_end_at_once_when_the_run_is_told_to_end(tmp_path):
    with started(tmp_path, "2") as process:
        pids = workers_of(process, 2)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        assert all_end(pids, 5)


@needs_proc
def test_workers_end_quietly_when_the_run_is_gone(tmp_path):
    """Nothing can be done on SIGKILL: the pipes break, and the workers see it."""
    with started(tmp_path, "2") as process:
        pids = workers_of(process, 2)
        time.sleep(2.0)  # well into their blocks
        process.kill()
        out, err = process.communicate(timeout=60)  # ends when the last worker has let go of stderr
        assert all_end(pids, 5)
    assert (out, err) == ("", "")


@needs_proc
def test_a_run_whose_worker_was_killed_goes_on_with_another(tmp_path):
    with started(tmp_path, "2", paths="4096") as process:
        first = workers_of(process, 2)
        os.kill(first[0], signal.SIGKILL)
        _, err = process.communicate(timeout=120)

    assert process.returncode == 0
    assert "Took" in err
    with started(tmp_path, "1", paths="4096", output="once.json") as process:
        process.communicate(timeout=120)
    assert (tmp_path / "run.json").read_text() == (tmp_path / "once.json").read_text()


@needs_proc
def test_a_run_whose_every_worker_is_killed_ends_with_one_line(tmp_path):
    with started(tmp_path, "2") as process:
        seen = set()
        while process.poll() is None:
            for pid in children(process):
                seen.add(pid)
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)
        out, err = process.communicate(timeout=60)
        assert all_end(seen, 5)

    assert process.returncode == 1
    assert out == ""
    assert err.startswith(
        "socialfinance: a worker process was ended by signal 9, perhaps for want of memory: "
    )
    assert err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["small.yaml"]
