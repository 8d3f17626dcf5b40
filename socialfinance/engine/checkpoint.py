"""A run that can be stopped at any moment and goes on where it was: finished blocks, kept in a folder.

A block depends only on the inputs, the seed and its paths, so one that is there need not be run again, and
the result has the same bits. A file is written whole or not at all; what is half-written is never read.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from socialfinance.core.errors import InputError
from socialfinance.engine.accumulate import Block, FlowKey
from socialfinance.engine.reduced import Reduced
from socialfinance.measures.paths import Key

ABOUT = "run.json"
TABLES = ("figures", "flows", "rows")
REDUCED = Reduced._fields[1:]
"""Arrays of figures that are not kept by path."""
SHOWN = 12
"""Characters of a fingerprint that a message shows."""


class Checkpoint:
    """A folder of finished blocks of one run.

    ``about`` is all that the blocks depend on, as plain data: inputs, seed, what is compared and kept,
    version. InputError where the folder holds another run, or cannot be used.
    """

    def __init__(self, folder: str | Path, about: dict[str, Any]) -> None:
        self.folder = Path(folder)
        text = json.dumps(about, sort_keys=True, default=str)
        self.fingerprint = hashlib.sha256(text.encode()).hexdigest()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._same_run()
        except OSError as error:
            raise InputError(
                f"cannot be used: {error.strerror or error}", field="checkpoint", given=str(folder)
            ) from None

    def _same_run(self) -> None:
        """Refuse a folder with another run, or one that holds something else; sign an empty one."""
        signed = self.folder / ABOUT
        if not signed.exists():
            strange = [one.name for one in self.folder.iterdir() if not one.name.startswith(".")]
            if strange:
                raise InputError(
                    "holds other files and no run", field="checkpoint", given=str(self.folder),
                    allowed="a new or empty folder, or one that such a run began",
                )  # fmt: skip
            self._write(signed, json.dumps({"run": self.fingerprint}).encode())
            return
        try:
            found = str(json.loads(signed.read_text("utf-8"))["run"])
        except (ValueError, KeyError, TypeError):
            found = "nothing that can be read"
        if found != self.fingerprint:
            raise InputError(
                "holds another run: other inputs, seed, paths or version", field="checkpoint",
                given=found[:SHOWN], allowed=self.fingerprint[:SHOWN],
            )  # fmt: skip

    def load(self, first: int, count: int) -> Block | None:
        """A finished block; None where it has still to be run, or its file is damaged."""
        try:
            content = io.BytesIO(self._file(first, count).read_bytes())
            with np.load(content, allow_pickle=False) as held:
                return _unpacked(first, count, dict(held))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None  # run again: a block that is run twice is the same block

    def save(self, block: Block) -> None:
        """Keep a finished block."""
        path = self._file(block.first, block.count)
        packed = _packed(block)
        part = path.with_name(f".{path.name}.{os.getpid()}")
        with open(part, "wb") as file:
            np.savez(file, **packed)
        os.replace(part, path)

    def _file(self, first: int, count: int) -> Path:
        return self.folder / f"block-{first:09d}-{count}.npz"

    def _write(self, path: Path, content: bytes) -> None:
        part = path.with_name(f".{path.name}.{os.getpid()}")
        part.write_bytes(content)
        os.replace(part, path)


def _packed(block: Block) -> dict[str, Any]:
    """A block as arrays by name; the keys of its tables as text beside them."""
    keys: dict[str, list[list[str]]] = {}
    arrays: dict[str, Any] = {}
    for table in TABLES:
        held = getattr(block, table)
        keys[table] = [list(key) for key in held]
        arrays.update({f"{table}-{i}": values for i, values in enumerate(held.values())})
    if block.reduced is not None:
        keys["reduced"] = [list(key) for key in block.reduced.keys]
        arrays.update({f"reduced-{name}": getattr(block.reduced, name) for name in REDUCED})
    arrays["keys"] = np.frombuffer(json.dumps(keys).encode(), dtype=np.uint8)
    return arrays


def _unpacked(first: int, count: int, arrays: dict[str, Any]) -> Block:
    keys = json.loads(arrays["keys"].tobytes().decode())
    block = Block(first, count)
    kinds: dict[str, Any] = {
        "figures": lambda key: Key(*key),
        "flows": lambda key: FlowKey(*key),
        "rows": tuple,
    }
    for table in TABLES:
        held = getattr(block, table)
        for i, key in enumerate(keys[table]):
            held[kinds[table](key)] = arrays[f"{table}-{i}"]
    if "reduced" in keys:
        reduced = (arrays[f"reduced-{name}"] for name in REDUCED)
        block.reduced = Reduced(tuple(Key(*key) for key in keys["reduced"]), *reduced)
    return block
