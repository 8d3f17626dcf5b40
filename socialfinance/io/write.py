"""Writes a file whole or not at all."""

from __future__ import annotations

import json
import math
import os
import secrets
import shutil
from pathlib import Path
from typing import Any

from socialfinance.core.errors import InputError


class OutputIsInput(InputError):
    """A file to write is one of those that are read."""


def refuse_to_replace(output: Path | None, read: Path, field: str = "--json") -> None:
    """Refuse an output that is a file which is read, by whatever name or link; ``field`` is the option."""
    try:
        same = output is not None and os.path.samefile(output, read)
    except (OSError, ValueError):  # one of them does not exist
        return
    if same:
        raise OutputIsInput("is a file that is read: give another name", file=str(output), field=field)


def write_json(path: str | Path, data: Any) -> None:
    """Write as JSON; null where a number is not finite, never NaN."""
    write_text(path, json.dumps(_finite(data), indent=1, allow_nan=False, default=str) + "\n")


def _finite(data: Any) -> Any:
    if isinstance(data, float):
        return data if math.isfinite(data) else None
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    return [_finite(value) for value in data] if isinstance(data, list | tuple) else data


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text, by temporary file and rename."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write bytes, by temporary file and rename; a pipe or device is written to as it is."""
    try:
        target = Path(path).resolve()  # through a link, not over it
        if target.is_dir():
            raise InputError("is a folder: give a file name", file=str(path))
        if target.exists() and not target.is_file():
            target.write_bytes(content)
            return
        _replace(target, content)
    except FileNotFoundError:
        raise InputError("cannot be written: the folder does not exist", file=str(path)) from None
    except NotADirectoryError:
        raise InputError("cannot be written: part of the path is not a folder", file=str(path)) from None
    except PermissionError:
        raise InputError("cannot be written: no permission", file=str(path)) from None
    except (OSError, RuntimeError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or str(error)
        raise InputError(f"cannot be written: {reason}", file=str(path)) from None


def _replace(target: Path, content: bytes) -> None:
    temporary = target.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(content)
        if target.exists():
            shutil.copymode(target, temporary)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)  # already gone where all went well
