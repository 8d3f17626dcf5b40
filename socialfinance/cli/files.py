"""``socialfinance validate | schema | list``: files checked, described and listed; nothing is run."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from socialfinance.cli.shared import (
    BAD_INPUT,
    OK,
    check_writable,
    deals_and_quarters,
    given_changes,
    json_option,
    prepared,
    say,
    sentence,
    set_option,
    show,
)
from socialfinance.core.errors import InputError
from socialfinance.core.text import visible

if TYPE_CHECKING:
    from socialfinance.reports.catalogue import Entry

UNCHECKED = "What depends on the deal that it is put in is checked with that deal."


def files_options(commands: Any) -> None:
    """``validate``, ``schema`` and ``list``, and their options."""
    validate = _added(commands, "validate", validate_command, "check files and say what is wrong with them")
    validate.add_argument("names", nargs="+", metavar="FILE", help="paths or shipped names")
    set_option(validate)
    kind = _added(commands, "schema", schema_command, "the JSON Schema of a kind of file, for editors")
    kind.add_argument("name", choices=("instrument", "programme", "portfolio"), metavar="KIND",
                      help="instrument, programme or portfolio")  # fmt: skip
    _added(commands, "list", list_command, "what is shipped: portfolios, programmes, instruments")


def _added(commands: Any, name: str, command: Callable[[argparse.Namespace], int], text: str) -> Any:
    one = commands.add_parser(name, help=text, description=sentence(text))
    json_option(one)
    one.set_defaults(command=command)
    return one


def validate_command(options: argparse.Namespace) -> int:
    """Check every file; 2 if any is bad."""
    from socialfinance.io.write import write_json
    from socialfinance.io.yaml import plain
    from socialfinance.reports.inputs import changed_page

    check_writable(options.json)
    changes = {path: plain(value) for path, value in given_changes(options.set).items()}
    rows = [_validated(name, options.json, options.set) for name in options.names]
    show(changed_page(changes) if any(row["ok"] for row in rows) else "")
    for row in rows:
        if row["ok"]:
            show(f"{visible(row['file'])}: {row['text']}\n")
            show("".join(f"- {visible(note)}\n" for note in row["notes"]))
        else:
            say(row["text"])
    if options.json:
        write_json(options.json, {"validated": rows, "set": changes})
    return OK if all(row["ok"] for row in rows) else BAD_INPUT


def _validated(name: str, output: Path | None, changes: Sequence[str]) -> dict[str, Any]:
    from socialfinance.io.files import A_PART, load_part
    from socialfinance.io.write import OutputIsInput
    from socialfinance.reports.inputs import count_sources

    try:
        part = load_part(name, output)
        if part is not None:
            if changes:
                raise InputError(
                    f"changes a portfolio, and {name} is a {A_PART[part.kind]}",
                    field="--set",
                    given=changes[0],
                )
            counted = count_sources(part.terms)
            about, notes = f"{A_PART[part.kind]} ({getattr(part.terms, 'kind', '')})", [UNCHECKED]
        else:
            loaded, ready = prepared(name, output, changes)
            counted = count_sources(loaded.portfolio)
            about = f"{deals_and_quarters(ready)} from {ready.calendar.start.isoformat()}"
            notes = [f"{deal.name}: {note}." for deal in ready.deals for note in deal.own.lowered.notes]
    except OutputIsInput:
        raise
    except InputError as error:
        return {"file": name, "ok": False, "text": " ".join(str(error).split()), "notes": []}
    text = (
        f"ok: {about}, {counted.total} numbers "
        f"({counted.sourced} with a source, {counted.illustrative} illustrative, {counted.unsaid} neither)"
    )
    return {"file": name, "ok": True, "text": text, "notes": notes}


def schema_command(options: argparse.Namespace) -> int:
    """Print a JSON Schema, or write it to a file."""
    from socialfinance.io.schema import schema
    from socialfinance.io.write import write_json

    check_writable(options.json)
    found = schema(options.name)
    if options.json:
        write_json(options.json, found)
    else:
        show(json.dumps(found, indent=1) + "\n")
    return OK


def list_command(options: argparse.Namespace) -> int:
    """What comes with the package."""
    from socialfinance.io.write import write_json
    from socialfinance.reports.catalogue import shown

    check_writable(options.json)
    rows = catalogue(options.json)
    if options.json:
        write_json(options.json, {"shipped": [row._asdict() for row in rows]})
    show(shown(rows))
    return OK


def catalogue(output: Path | None = None) -> list[Entry]:
    """Every shipped file, portfolios first; ``output`` must be none of them."""
    from socialfinance.io.shipped import Kind, shipped

    kinds: tuple[Kind, ...] = ("portfolios", "programmes", "instruments")
    return [_entry(kind, name, path, output) for kind in kinds for name, path in shipped(kind).items()]


def _entry(kind: str, name: str, path: Path, output: Path | None) -> Entry:
    from socialfinance.io.write import refuse_to_replace
    from socialfinance.io.yaml import parse, plain, read_bytes
    from socialfinance.reports.catalogue import Entry

    refuse_to_replace(output, path)
    content = read_bytes(path, path.name)
    data: dict[str, Any] = plain(parse(content, path.name))
    deals = data.get("deals")
    known = list(deals.values()) if isinstance(deals, dict) else []
    title = str(data.get("title") or _first_sentence(content.decode("utf-8")) or name)
    return Entry(kind, name, title, any(isinstance(deal, dict) and "published" in deal for deal in known))


def _first_sentence(text: str) -> str:
    """What the comment at the top of a file says first."""
    lines: list[str] = []
    for line in text.splitlines():
        if not line.startswith("# "):
            break
        lines.append(line[2:].strip())
    return " ".join(lines).split(". ")[0].rstrip(".")
