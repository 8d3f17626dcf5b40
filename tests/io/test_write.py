"""A file is written whole or not at all."""

from __future__ import annotations

import json
import os
import stat
import threading

import pytest

from socialfinance.core.errors import InputError
from socialfinance.io import write


def test_writes_text_as_it_is(tmp_path):
    write.write_text(tmp_path / "a.txt", "£5\n")
    write.write_bytes(str(tmp_path / "b.bin"), b"\x00\r\n")

    assert (tmp_path / "a.txt").read_bytes() == "£5\n".encode()
    assert (tmp_path / "b.bin").read_bytes() == b"\x00\r\n"
    assert sorted(os.listdir(tmp_path)) == ["a.txt", "b.bin"]


def test_replaces_and_keeps_the_mode(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    path.chmod(0o640)

    write.write_text(path, "new")

    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_writes_through_a_link(tmp_path):
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("real.txt")

    write.write_text(tmp_path / "link.txt", "new")

    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new"


def test_writes_to_a_pipe_as_it_is(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()))
    reader.start()

    write.write_text(pipe, "through")
    reader.join(timeout=10)

    assert got == ["through"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_json_has_null_where_there_is_no_number(tmp_path):
    data = {"a": [1.5, float("nan"), {"b": (float("inf"), -float("inf"), 2)}], "c": None, "d": True}
    write.write_json(tmp_path / "a.json", data)

    read = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert read == {"a": [1.5, None, {"b": [None, None, 2]}], "c": None, "d": True}


@pytest.mark.parametrize("failure", [KeyboardInterrupt, SystemExit, MemoryError])
@pytest.mark.parametrize("call", ["replace", "fspath"])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, failure, call):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail(*_):
        raise failure

    if call == "replace":
        monkeypatch.setattr(write.os, "replace", fail)
    else:
        monkeypatch.setattr(write.shutil, "copymode", fail)
    with pytest.raises(failure):
        write.write_text(path, "new")

    assert os.listdir(tmp_path) == ["a.txt"]
    assert path.read_text() == "old"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PermissionError(13, "Permission denied"), "no permission"),
        (OSError(28, "No space left on device"), "No space left on device"),
    ],
)
def test_what_the_system_refuses_is_said(tmp_path, monkeypatch, error, words):
    def fail(*_):
        raise error

    monkeypatch.setattr(write.os, "replace", fail)
    with pytest.raises(InputError, match=words) as caught:
        write.write_text(tmp_path / "a.txt", "new")

    assert caught.value.file == str(tmp_path / "a.txt")
    assert os.listdir(tmp_path) == []


def test_a_folder_that_is_missing_or_is_none(tmp_path):
    (tmp_path / "file").write_text("x")

    with pytest.raises(InputError, match="the folder does not exist"):
        write.write_text(tmp_path / "none" / "a.txt", "x")
    with pytest.raises(InputError, match="is not a folder"):
        write.write_text(tmp_path / "file" / "a.txt", "x")
    with pytest.raises(InputError, match="is a folder"):
        write.write_text(tmp_path, "x")
    with pytest.raises(InputError, match="cannot be written"):
        write.write_text("a\0b", "x")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_folder_that_may_not_be_written_to(tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)

    with pytest.raises(InputError, match="no permission"):
        write.write_text(folder / "a.txt", "x")
