"""A run that is stopped and goes on: the same bits, no block lost or counted twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import socialfinance as sf
from socialfinance.cli import main
from socialfinance.core.errors import InputError
from socialfinance.engine.checkpoint import Checkpoint

PATHS, CHUNK = 768, 256
FILE = "demo-guaranteed-debt"


def run(folder: Path | None = None, **more: object) -> sf.Result:
    given = {"paths": PATHS, "seed": 5, "workers": 1, "chunk": CHUNK, "compare": False, **more}
    return sf.simulate(FILE, checkpoint=folder, **given)  # type: ignore[arg-type]


@cache
def whole() -> sf.Result:
    """The run that was never stopped."""
    return run()


def same(one: sf.Result, other: sf.Result) -> bool:
    return one.measures_rows == other.measures_rows and one.flow_rows == other.flow_rows


class Stopped(Exception):
    """Stands for whatever ends a run."""


def test_what_was_stopped_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    done = []

    def stop(count: int) -> None:
        done.append(count)
        if len(done) == 2:
            raise Stopped

    with pytest.raises(Stopped):
        run(tmp_path, progress=stop)
    blocks = sorted(tmp_path.glob("block-*.npz"))
    assert len(blocks) == 2
    before = [one.stat().st_mtime_ns for one in blocks]
    resumed = run(tmp_path)
    assert same(resumed, whole())
    assert [one.stat().st_mtime_ns for one in blocks] == before  # those were not run again
    assert len(list(tmp_path.glob("block-*.npz"))) == PATHS // CHUNK


def test_with_workers_too(tmp_path: Path) -> None:
    run(tmp_path, workers=1)
    for one in sorted(tmp_path.glob("block-*.npz"))[1:3]:
        one.unlink()
    assert same(run(tmp_path, workers=2), whole())


def test_a_damaged_block_is_run_again(tmp_path: Path) -> None:
    run(tmp_path)
    first, second, *_ = sorted(tmp_path.glob("block-*.npz"))
    first.write_bytes(first.read_bytes()[:100])
    second.write_bytes(b"")
    assert same(run(tmp_path), whole())


def test_a_fund_with_notes_and_policy(tmp_path: Path) -> None:
    """Figures, flows and rows of notes come back as they were."""
    given = {"paths": 300, "seed": 5, "workers": 1, "chunk": 256, "compare": False}
    once = sf.simulate("community-fund", checkpoint=tmp_path, **given)  # type: ignore[arg-type]
    again = sf.simulate("community-fund", checkpoint=tmp_path, **given)  # type: ignore[arg-type]
    assert same(once, again)


@pytest.mark.parametrize("more", [{"seed": 6}, {"paths": 2 * PATHS}, {"compare": True}])
def test_another_run_is_refused(tmp_path: Path, more: dict[str, object]) -> None:
    run(tmp_path)
    with pytest.raises(InputError, match="holds another run"):
        run(tmp_path, **more)


def test_a_folder_with_other_things_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear treasurer")
    with pytest.raises(InputError, match="holds other files"):
        run(tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == ["letter.txt"]


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="checkpoint: cannot be used"):
        run(tmp_path / "file" / "folder")


def test_a_signature_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("[]")
    with pytest.raises(InputError, match="holds another run"):
        Checkpoint(tmp_path, {})


COMMAND = [
    sys.executable, "-m", "socialfinance", "run", FILE, "--paths", "3072", "--seed", "5", "--workers", "1",
    "--chunk", "256", "--no-compare", "--quiet",
]  # fmt: skip


def killed(folder: Path, output: Path, after: float) -> bool:
    """Start the command and kill it; whether it was still running."""
    process = subprocess.Popen(
        [*COMMAND, "--checkpoint", str(folder), "--json", str(output)], stdout=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    time.sleep(after)
    if process.poll() is not None:
        return False
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return True


@pytest.mark.parametrize("times", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_killed_at_any_moment_it_goes_on_with_the_same_bits(tmp_path: Path, times: int) -> None:
    """kill -9 at moments that nobody chose, then to the end: the file is that of a run never stopped."""
    folder, output, once = tmp_path / "held", tmp_path / "rows.json", tmp_path / "whole.json"
    for after in np.random.default_rng(times).uniform(0.3, 2.5, times):
        if not killed(folder, output, float(after)):
            break
    assert not output.exists() or json.loads(output.read_text())  # whole, or not there
    subprocess.run(
        [*COMMAND, "--checkpoint", str(folder), "--json", str(output)], check=True, stdout=subprocess.DEVNULL
    )
    assert main([*COMMAND[3:], "--json", str(once)]) == 0
    assert output.read_text() == once.read_text()
