"""Programs kept on disk as machine code: found again, and nothing else in their place."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba")
import numba

from socialfinance.kernels import compiled, lanes, machine_code
from socialfinance.kernels.machine_code import MOST_KEPT, NAME, SUFFIX, Machine, Shelf
from socialfinance.kernels.tracing import Leaf, trace

WIDE: list[Leaf | float] = [Leaf.WIDE, Leaf.WIDE]


def row(a: Any, b: Any) -> tuple[Any, ...]:
    """Some arithmetic."""
    return (a * b + a,)


def draft(function: Any = row) -> lanes.Draft:
    return lanes.Draft(trace(function, (0.0, 0.0), WIDE, {0, 1}, {}))


def nothing_compiled(*_: Any) -> Any:
    raise AssertionError("compiled")


def files(directory: Path) -> list[Path]:
    return sorted(directory.glob(f"*{SUFFIX}"))


def test_what_was_compiled_once_is_found_by_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another machine stands for another process: it has nothing in memory."""
    one, other = draft(), Machine(tmp_path)
    assert not other.at_hand(one.text)
    Machine(tmp_path).addresses(one.text, one.cut.stages)
    assert len(files(tmp_path)) == 1
    monkeypatch.setattr(machine_code.llvm, "parse_assembly", nothing_compiled)
    assert other.at_hand(one.text)
    run = lanes.Compiled(one.program, one.cut, other.addresses(one.text, one.cut.stages))
    a, b = np.random.default_rng(1).normal(size=(2, 21))
    assert np.array_equal(run((a, b), 21)[0], a * b + a)


def test_a_program_goes_by_its_text_the_processor_and_llvm(tmp_path: Path) -> None:
    machine, one = Machine(tmp_path), draft()
    machine.addresses(one.text, one.cut.stages)
    assert machine.at_hand(draft().text)
    assert not machine.at_hand(draft(lambda a, b: (a * b - a,)).text)
    machine.made_for += " of another kind"
    assert not machine.at_hand(one.text)


@pytest.mark.parametrize("damage", [b"", b"\0" * 40, b"more"])
def test_a_damaged_file_is_compiled_anew(tmp_path: Path, damage: bytes) -> None:
    one = draft()
    Machine(tmp_path).addresses(one.text, one.cut.stages)
    (file,) = files(tmp_path)
    sound = file.read_bytes()
    file.write_bytes(sound + damage if damage == b"more" else damage)
    other = Machine(tmp_path)
    assert not other.at_hand(one.text)
    other.addresses(one.text, one.cut.stages)
    assert len(file.read_bytes()) == len(sound)
    assert Machine(tmp_path).at_hand(one.text)
    assert files(tmp_path) == [file]
    assert len(list(tmp_path.iterdir())) == 1  # nothing half-written beside it


def test_programs_run_where_nothing_can_be_kept(tmp_path: Path) -> None:
    in_the_way = tmp_path / "a file"
    in_the_way.touch()
    one = draft()
    for directory in (None, in_the_way):
        machine = Machine(directory)
        run = lanes.Compiled(one.program, one.cut, machine.addresses(one.text, one.cut.stages))
        assert run((np.ones(9), np.ones(9)), 9)[0].tolist() == [2.0] * 9
        assert machine.at_hand(one.text)
        assert not Machine(directory).at_hand(one.text)


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(machine_code.os, "replace", full)
    shelf = Shelf(tmp_path)
    shelf.put("name", b"code")
    assert list(tmp_path.iterdir()) == []
    assert shelf.directory is None


def test_the_older_half_goes_where_it_is_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf(tmp_path)
    for i in range(6):
        shelf.put(f"{i}", b"code")
        os.utime(tmp_path / f"{i}{SUFFIX}", (i, i))
    shelf.tidy()
    assert len(files(tmp_path)) == 6 < MOST_KEPT
    monkeypatch.setattr(machine_code, "MOST_KEPT", 5)
    shelf.tidy()
    assert [shelf.get(f"{i}") for i in range(6)] == [None] * 3 + [b"code"] * 3


def test_a_function_has_its_name_from_its_text() -> None:
    assert draft().text.count(f"@{NAME}") == draft().cut.stages


def test_kernels_are_compiled_in_the_process_where_numba_can_write_nowhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An installation that is read only, and no home: Numba refuses to keep a kernel."""
    real = numba.njit

    def nowhere(*given: Any, **options: Any) -> Any:
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return real(*given, **options)

    monkeypatch.setattr(compiled.numba, "njit", nowhere)
    doubled = compiled.kernel(lambda x: 2.0 * x)
    assert doubled(3.0) == 6.0
    monkeypatch.setattr(compiled, "count_paths", doubled)
    assert compiled.kept_in() is None


def test_programs_are_kept_where_numba_keeps_its_kernels(tmp_path: Path) -> None:
    code = "from socialfinance.kernels import compiled; print(compiled.kept_in())"
    env = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    found = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert Path(found.stdout.strip()).is_relative_to(tmp_path)
