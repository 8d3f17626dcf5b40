"""Programs as machine code, compiled once and kept on disk.

What is kept goes by a hash of the program's text, of the processor and of LLVM's version, so that what is
found is what would be compiled, and nothing goes stale. A program that differs in its numbers alone has the
same text: a term that is turned finds its code there. What was damaged on disk is as if it were not there.

Import this module only inside a function: it imports llvmlite, which comes with Numba.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path
from threading import Lock

import llvmlite.binding as llvm

NAME = "stage_of_"
"""What functions are called until the program has a name."""
MOST_KEPT = 4096
"""Programs kept on disk, of some ten thousand bytes each; where there are more, the older half goes."""
SUFFIX = ".program"


class Shelf:
    """Files in one directory by name; none where it takes none, as programs run without."""

    def __init__(self, directory: Path | None) -> None:
        self.directory = directory

    def get(self, name: str) -> bytes | None:
        """What is kept under a name, if it is there as it was put."""
        if self.directory is None:
            return None
        try:
            found = (self.directory / f"{name}{SUFFIX}").read_bytes()
        except OSError:
            return None
        check, data = found[:32], found[32:]
        return data if hashlib.sha256(data).digest() == check else None

    def put(self, name: str, data: bytes) -> None:
        """Keep it: whole or not at all, whatever else writes there."""
        if self.directory is None:
            return
        begun: str | None = None
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.directory, delete=False) as file:
                begun = file.name
                file.write(hashlib.sha256(data).digest() + data)
            os.replace(begun, self.directory / f"{name}{SUFFIX}")
        except OSError:  # a directory or a disk that takes no more: the program runs, and is not kept
            self.directory = None
            if begun is not None:
                with contextlib.suppress(OSError):
                    os.unlink(begun)

    def tidy(self) -> None:
        """Take the older half away where there are too many."""
        if self.directory is None:
            return
        with contextlib.suppress(OSError):  # another process tidies too
            kept = sorted(self.directory.glob(f"*{SUFFIX}"), key=os.path.getmtime)
            for old in kept[: len(kept) // 2] if len(kept) > MOST_KEPT else []:
                old.unlink()


class Machine:
    """The processor at hand, and everything compiled for it in this process."""

    def __init__(self, directory: Path | None) -> None:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        cpu, features = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
        self.target = llvm.Target.from_default_triple().create_target_machine(
            cpu=cpu, features=features, opt=1, reloc="pic", codemodel="jitdefault", jit=True
        )
        self.engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), self.target)
        self.made_for = "\n".join((cpu, features, self.target.triple, str(llvm.llvm_version_info)))
        self.shelf = Shelf(directory)
        self.shelf.tidy()
        self.loaded: set[str] = set()
        self.one_at_a_time = Lock()

    def addresses(self, source: str, stages: int) -> list[int]:
        """Where the functions of a program stand, compiled where that was never done."""
        name = self._name(source)
        with self.one_at_a_time:
            if name not in self.loaded and not self._load(name):
                module = llvm.parse_assembly(source.replace(NAME, _function(name)))
                module.verify()
                data = self.target.emit_object(module)
                self.shelf.put(name, data)
                self._add(name, data)
            return [self.engine.get_function_address(f"{_function(name)}{i}") for i in range(stages)]

    def at_hand(self, source: str) -> bool:
        """Whether a program need not be compiled any more."""
        name = self._name(source)
        with self.one_at_a_time:
            return name in self.loaded or self._load(name)

    def _name(self, source: str) -> str:
        return hashlib.sha256(f"{self.made_for}\n{source}".encode()).hexdigest()

    def _load(self, name: str) -> bool:
        data = self.shelf.get(name)
        if data is not None:
            self._add(name, data)
        return data is not None

    def _add(self, name: str, data: bytes) -> None:
        self.engine.add_object_file(llvm.ObjectFileRef.from_data(data))
        self.engine.finalize_object()
        self.loaded.add(name)


def _function(name: str) -> str:
    return f"program_{name}_"
