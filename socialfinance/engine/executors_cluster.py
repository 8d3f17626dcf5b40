"""A Dask cluster on this machine that lives as long as one run.

It is made in a process of its own, so that nothing of the caller's main module is imported by its workers,
and Ctrl-C does not reach them. It listens on loopback only, and ends when whoever started it has gone.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from tempfile import mkdtemp

from socialfinance.core.errors import RunError
from socialfinance.engine.workers import same_imports

LEAVES = 5.0
"""Seconds that a cluster is given to end by itself."""


@contextmanager
def local_cluster(workers: int) -> Iterator[str]:
    """The address of a scheduler on loopback with ``workers`` processes, all ended with the context."""
    folder = mkdtemp(prefix="socialfinance-")
    code = "from socialfinance.engine.executors_cluster import serve; serve()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(workers), folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=same_imports(),
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        address = process.stdout.readline().strip()
        if not address:
            raise RunError(f"a Dask cluster could not be started (status {process.wait()})")
        yield address
        process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(LEAVES)
    finally:
        _end(process)
        shutil.rmtree(folder, ignore_errors=True)


def _end(process: subprocess.Popen[str]) -> None:
    """End the process and all that it started: its workers are of its session."""
    with suppress(OSError):  # they are gone
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()


def serve() -> None:
    """The cluster's side: say where it listens, and end when standard input does."""
    from distributed import LocalCluster

    workers, folder = int(sys.argv[1]), sys.argv[2]
    try:
        with LocalCluster(
            n_workers=workers, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0",
            memory_limit=0, local_directory=folder,
        ) as cluster:  # fmt: skip
            print(cluster.scheduler_address, flush=True)
            sys.stdin.read()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
