"""Writes a publication: a folder of CSV tables, or one JSON file. Each appears whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import os
import secrets
import shutil
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from socialfinance.core.errors import InputError
from socialfinance.evidence.open_data.tables import TABLES, OpenData, columns, written

ABOUT = "about.json"
"""The file beside the tables that says how they came about."""
STANDARD = "INDIGO data standard, project schema: names of its fields, flattened; not checked for conformity"


def as_csv(data: OpenData) -> dict[str, str]:
    """The text of each table by its file's name; a table without rows has its head alone."""
    return {f"{name}.csv": _one(data, name) for name in TABLES}


def _one(data: OpenData, name: str) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    heads = list(columns(TABLES[name]))
    writer.writerow(heads)
    writer.writerows([written(getattr(row, head)) for head in heads] for row in data.rows(name))
    return text.getvalue()


def as_json(data: OpenData, about: Mapping[str, object] | None = None) -> str:
    """One JSON document: rows by table, only what is given; numbers as numbers, dates as text.

    ``about`` says how it came about, and is not read again.
    """
    tables = {
        name: [
            {head: _plain(getattr(row, head)) for head in columns(kind) if getattr(row, head) is not None}
            for row in data.rows(name)
        ]
        for name, kind in TABLES.items()
    }
    return (
        json.dumps({"terms": STANDARD, "about": dict(about or {}), **tables}, indent=1, allow_nan=False)
        + "\n"
    )


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def write_folder(data: OpenData, folder: Path, also: Mapping[str, str] | None = None) -> None:
    """Write the tables as CSV, and ``also`` (text by file name) beside them, into a folder.

    They are written to a temporary folder, which then takes the other's place. Raises InputError where the
    folder holds anything that is none of these files, or cannot be written.
    """
    texts = {**as_csv(data), **(also or {})}
    check_folder(folder, texts)
    target = folder.resolve()
    temporary = target.with_name(f".{secrets.token_hex(8)}.tmp")
    aside = target.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        temporary.mkdir()
        for name, text in texts.items():
            (temporary / name).write_bytes(text.encode("utf-8"))
        if target.exists():
            os.replace(target, aside)
        os.replace(temporary, target)
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror or error}", file=str(folder)) from None
    finally:
        if aside.exists() and not target.exists():  # interrupted in between
            os.replace(aside, target)
        shutil.rmtree(temporary, ignore_errors=True)  # already gone where all went well
        shutil.rmtree(aside, ignore_errors=True)


def check_folder(folder: Path, names: Mapping[str, object] | None = None) -> None:
    """Refuse a folder that cannot be written, or holds files that are none of ours."""
    ours = set(names) if names is not None else {f"{name}.csv" for name in TABLES} | {ABOUT}
    try:
        if folder.exists() and not folder.is_dir():
            raise InputError("is not a folder", file=str(folder), field="--to")
        if not folder.resolve().parent.is_dir():
            raise InputError("the folder around it does not exist", file=str(folder), field="--to")
        if not os.access(folder.resolve().parent, os.W_OK):
            raise InputError("no permission to write there", file=str(folder), field="--to")
        others = sorted({one.name for one in folder.iterdir()} - ours) if folder.exists() else []
    except (OSError, ValueError, RuntimeError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or str(error)
        raise InputError(f"cannot be written: {reason}", file=str(folder), field="--to") from None
    if others:
        raise InputError(
            "holds a file that is no part of a publication", file=str(folder), field="--to",
            given=others[0], allowed="a new folder, or one that holds a publication only",
        )  # fmt: skip
