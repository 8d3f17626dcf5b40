"""Reads YAML 1.2 into plain data, and remembers the line on which every field stands.

The text is only parsed, never built into objects: tags, anchors and directives are refused.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from socialfinance.core.errors import InputError, field_path

FieldPath = tuple[str | int, ...]
"""``("deals", "mst", "layers", 0, "cover")``."""

LARGEST_FILE = 4_000_000
"""Bytes. A long portfolio is a hundredth of it."""
DEEPEST = 40
"""Levels of nesting. A portfolio needs about ten."""
_STANDARD = "tag:yaml.org,2002:"


class Mark(NamedTuple):
    """Where a field stands."""

    file: str
    line: int
    """0: it stands on no line, as it was given with a command or from Python"""


@dataclass(frozen=True, slots=True)
class Node:
    """A value and where it stands; a mapping's or list's entries are nodes themselves."""

    value: Any
    mark: Mark | None = None


def plain(node: Node) -> Any:
    """The value without its marks: dict, tuple, str, int, float, bool, date, None."""
    if isinstance(node.value, dict):
        return {key: plain(entry) for key, entry in node.value.items()}
    if isinstance(node.value, tuple):
        return tuple(plain(entry) for entry in node.value)
    return node.value


def marked(node: Node, mark: Mark) -> Node:
    """The same value, all of it standing in one place."""
    value = node.value
    if isinstance(value, dict):
        value = {key: marked(entry, mark) for key, entry in value.items()}
    elif isinstance(value, tuple):
        value = tuple(marked(entry, mark) for entry in value)
    return Node(value, mark)


def marks(node: Node, path: FieldPath = ()) -> dict[FieldPath, Mark]:
    """Where every field stands, by its path; the whole is ``()``."""
    found: dict[FieldPath, Mark] = {} if node.mark is None else {path: node.mark}
    for key, entry in entries(node.value):
        found |= marks(entry, (*path, key))
    return found


def entries(value: Any) -> list[tuple[str | int, Any]]:
    """What a mapping or list holds, by name or position; nothing for any other value."""
    if isinstance(value, Mapping):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, tuple) else []


def from_data(value: Any, path: FieldPath = ()) -> Node:
    """Python data as a node without marks: lists become tuples."""
    if len(path) > DEEPEST:
        raise InputError(f"is nested more than {DEEPEST} deep", field=field_path(path[:6]))
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise InputError("a name must be text", field=field_path(path) or None, given=key)
        return Node({str(key): from_data(entry, (*path, str(key))) for key, entry in value.items()})
    if isinstance(value, list | tuple):
        return Node(tuple(from_data(entry, (*path, i)) for i, entry in enumerate(value)))
    if isinstance(value, float):
        return Node(float(value))
    return Node(value)


def read_bytes(path: Path, shown: str) -> bytes:
    """The content of a file; ``shown`` is how errors name it."""
    try:
        if path.is_dir():
            raise InputError("is a folder, not a file", file=shown)
        if not path.exists():
            raise InputError("no such file", file=shown)
        if not path.is_file():
            raise InputError("is not an ordinary file", file=shown)
        if path.stat().st_size > LARGEST_FILE:
            raise InputError(f"is larger than {LARGEST_FILE:,} bytes", file=shown)
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be read: {_reason(error)}", file=shown) from None


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)


def parse(content: bytes, shown: str) -> Node:
    """A YAML file's content, whose top level is a mapping, with line marks."""
    try:
        text = content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InputError("is not text in UTF-8", file=shown, line=line) from None
    top = _compose(text, shown)
    if top is None or (top.id == "scalar" and top.tag == _STANDARD + "null"):
        raise InputError("is empty", file=shown, line=1)
    first = top.start_mark.line + 1
    if top.id != "mapping":
        raise InputError("must be a mapping: lines of `name: value`", file=shown, line=first)
    return _converted(top, Mark(shown, first), ())


def parse_value(text: str, shown: str, path: str) -> Node:
    """A value as it would stand in a file: ``0.6``, ``true``, ``null``, ``[1, 2]``, ``{irr: 0.1}``.

    ``shown`` and ``path`` are how errors name where it was given, and what for.
    """
    place = Mark(shown, 0)
    try:
        top = _compose(text, shown)
        if top is None:
            raise InputError("has no value after the =: write null for nothing")
        return marked(_converted(top, place, ()), place)
    except InputError as error:
        given = text if error.given is None and text else error.given
        raise InputError(error.problem, file=shown, field=path, given=given, allowed=error.allowed) from None


def dump(data: Any) -> str:
    """Plain data as YAML that reads back the same."""
    from io import StringIO

    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment] # payers stand in an order
    yaml.allow_unicode = True
    stream = StringIO()
    yaml.dump(data, stream)
    return stream.getvalue()


# --- from text to the parser's nodes --------------------------------------------------------------


def _compose(text: str, shown: str) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    for number, begun in enumerate(text.split("\n"), start=1):
        if begun.startswith("%"):
            raise InputError("directives (a line that begins with %) are not used", file=shown, line=number)
    try:
        return YAML(typ="safe", pure=True).compose(text)
    except RecursionError:
        raise InputError(f"is nested more than {DEEPEST} deep", file=shown) from None
    except MarkedYAMLError as error:
        problem = str(error.problem or error.context)
        place = error.context_mark if "end of stream" in problem else error.problem_mark
        at = place.line + 1 if place is not None else None
        raise InputError(_plain_words(problem), file=shown, line=at) from None
    except YAMLError as error:  # a character that no YAML file may hold
        line = text[: getattr(error, "position", 0)].count("\n") + 1
        raise InputError("holds a character that is not text", file=shown, line=line) from None
    except ValueError as error:
        raise InputError(f"is not valid YAML: {error}", file=shown) from None


def _plain_words(problem: str) -> str:
    if "'\\t'" in problem:
        return "a tab is not allowed here: indent with spaces"
    if "unexpected end of stream" in problem:
        return "a quote is not closed"
    if "another document" in problem:
        return "holds more than one document (---)"
    if "mapping values are not allowed" in problem or "<block end>" in problem:
        return "is not valid YAML: wrong indentation, or a text with ': ' that needs quotes"
    return f"is not valid YAML: {' '.join(problem.split())}"


# --- from the parser's nodes to ours --------------------------------------------------------------


def _converted(node: Any, mark: Mark, path: FieldPath) -> Node:
    if len(path) > DEEPEST:
        raise _refused(f"is nested more than {DEEPEST} deep", mark, path[:6])
    if node.anchor is not None:
        raise _refused(
            "anchors and aliases (& and *) are not used: write it out, or use based_on", mark, path
        )
    if not str(node.tag).startswith(_STANDARD):
        raise _refused("tags (!) are not used", mark, path, str(node.tag))
    if node.id == "mapping" and node.tag == _STANDARD + "map":
        return Node(_mapping(node, mark, path), mark)
    if node.id == "sequence" and node.tag == _STANDARD + "seq":
        lines = [mark._replace(line=entry.start_mark.line + 1) for entry in node.value]
        return Node(
            tuple(_converted(entry, lines[i], (*path, i)) for i, entry in enumerate(node.value)), mark
        )
    return Node(_scalar(node, mark, path), mark)


def _mapping(node: Any, mark: Mark, path: FieldPath) -> dict[str, Node]:
    found: dict[str, Node] = {}
    for key, entry in node.value:
        here = mark._replace(line=key.start_mark.line + 1)
        name = _name(key, here, path)
        if name in found:
            first = found[name].mark
            raise _refused(
                f"is given twice, first in line {first.line if first else '?'}", here, (*path, name)
            )
        found[name] = _converted(entry, here, (*path, name))
    return found


def _name(key: Any, mark: Mark, path: FieldPath) -> str:
    """A name as it is written: ``true`` and ``2026`` are names like any other."""
    if key.anchor is not None:
        raise _refused("anchors and aliases (& and *) are not used", mark, path)
    if key.id != "scalar" or key.tag == _STANDARD + "null":
        raise _refused("a name must be text", mark, path)
    if not str(key.tag).startswith(_STANDARD):
        raise _refused("tags (!) are not used", mark, path, str(key.tag))
    return str(key.value)


def _scalar(node: Any, mark: Mark, path: FieldPath) -> Any:
    kind, text = str(node.tag).removeprefix(_STANDARD), str(node.value)
    if kind in ("str", "merge", "value"):
        return text
    if kind == "null":
        return None
    if kind == "bool" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if kind == "timestamp":
        return _date(text, mark, path)
    if kind in ("int", "float"):
        return _number(kind, text, mark, path)
    raise _refused("tags (!) are not used", mark, path, f"!!{kind}")


def _date(text: str, mark: Mark, path: FieldPath) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise _refused("is not a date such as 2026-04-01", mark, path, text) from None


def _number(kind: str, text: str, mark: Mark, path: FieldPath) -> int | float:
    digits = text.replace("_", "").lower()
    if kind == "int" and len(digits) > 64:
        raise _refused("is too large a number", mark, path, text)
    try:
        if kind == "float":
            number: int | float = float(digits.replace(".inf", "inf").replace(".nan", "nan"))
        else:
            number = int(digits, 0 if digits.lstrip("+-")[:2] in ("0x", "0o", "0b") else 10)
    except ValueError:
        raise _refused("is not a number", mark, path, text) from None
    if not math.isfinite(number):
        raise _refused("must be a finite number", mark, path, text)
    if isinstance(number, int) and abs(number) >= 2**63:
        raise _refused("is too large a number", mark, path, text)
    return number


def _refused(problem: str, mark: Mark, path: FieldPath, given: object = None) -> InputError:
    return InputError(problem, file=mark.file, line=mark.line, field=field_path(path) or None, given=given)
