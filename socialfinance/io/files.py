"""Loads a file: by shipped name or by path, with everything it refers to or is based on.

A portfolio to run, or a term sheet or programme by itself, to be checked.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from socialfinance.core.errors import InputError, field_path
from socialfinance.io.changes import BASE, merged, replaced
from socialfinance.io.shipped import FOLDERS, Kind, near, shipped
from socialfinance.io.write import refuse_to_replace
from socialfinance.io.yaml import (
    FieldPath,
    Mark,
    Node,
    dump,
    entries,
    from_data,
    marked,
    marks,
    parse,
    plain,
    read_bytes,
)

if TYPE_CHECKING:
    from pydantic import BaseModel

    from socialfinance.funds.portfolio import Portfolio

PARTS: dict[str, Kind] = {"programme": "programmes", "instrument": "instruments"}
"""Fields of a deal that may name another file."""
WORKBOOK = ".xlsx"
"""Ending of an input workbook, which may stand wherever a YAML file may."""
A_PART: dict[Kind, str] = {"programmes": "programme", "instruments": "term sheet"}
"""What a file that is no portfolio is called."""


@dataclass(frozen=True)
class InputFile:
    """A file that was read."""

    path: str
    """as given, or as found from the root file as given"""
    sha256: str
    text: str


@dataclass(frozen=True)
class Loaded:
    """A portfolio, the files it came from, and where each field stands."""

    portfolio: Portfolio
    inputs: Mapping[str, InputFile]
    """by name below the root file's folder; a shipped file as ``shipped/…``; the root file first"""
    marks: Mapping[FieldPath, Mark]
    file: str
    """how errors name the root file"""
    set: Mapping[str, Any] = field(default_factory=dict)
    """what was changed after the files were read, by path into the portfolio"""

    def place(self, error: InputError) -> InputError:
        """The same error with file and line, found by its field."""
        from socialfinance.io.messages import placed

        return placed(error, type(self.portfolio), self.marks, self.file)


@dataclass(frozen=True)
class Part:
    """A term sheet or a programme that was read by itself."""

    kind: Kind
    terms: BaseModel


def load(
    name_or_path: str | Path, output: Path | None = None, set: Mapping[str, Any] | None = None
) -> Loaded:
    """A shipped portfolio by name, or a file by path (ends in .yaml, .yml or .xlsx, or has a separator).

    ``output`` is a file that will be written over: it must not be among those that are read. ``set`` changes
    values by path once all that the file refers to is filled in, and before anything is checked.
    """
    place, reading, whole = _portfolio(name_or_path, output)
    for path, value in (set or {}).items():
        whole = _changed(whole, path, value)
    loaded = _loaded(whole, reading.inputs, place.shown)
    return replace(loaded, set={path: _plain(value) for path, value in (set or {}).items()})


def _portfolio(name_or_path: str | Path, output: Path | None) -> tuple[_Place, _Reading, Node]:
    """A portfolio with all that it refers to or is based on filled in."""
    place, reading = _opened(name_or_path, "portfolios", output)
    kind = reading.kind_of(place)
    if kind != "portfolios":
        raise InputError(f"is a {A_PART[kind]}; a deal of a portfolio names it", file=place.shown)
    return place, reading, reading.whole(place, "portfolios", (place,))


def as_given(name_or_path: str | Path, output: Path | None = None) -> dict[str, Any]:
    """A portfolio's plain data, checked: all it refers to or is based on filled in, no defaults."""
    place, reading, whole = _portfolio(name_or_path, output)
    _loaded(whole, reading.inputs, place.shown)
    data: dict[str, Any] = plain(whole)
    return data


def _changed(whole: Node, path: str, value: Any) -> Node:
    """A portfolio with another value at a path."""
    from socialfinance.funds.terms_at import place_of

    node = value if isinstance(value, Node) else marked(from_data(value), Mark("set", 0))
    try:
        place = place_of(whole, path, lambda one: entries(one.value), may_add=True)
    except InputError as error:
        raise error.at(node.mark.file if node.mark else None, None) from None
    return replaced(whole, place, node)


def _plain(value: Any) -> Any:
    return plain(value) if isinstance(value, Node) else value


def load_part(name_or_path: str | Path, output: Path | None = None) -> Part | None:
    """A term sheet or programme, by shipped name or path; None where the file is neither.

    What depends on the deal that it is put in (roles, lengths, the plan) is not checked.
    """
    from pydantic import TypeAdapter, ValidationError

    from socialfinance.instruments.catalogue import Instrument
    from socialfinance.io.messages import first_problem
    from socialfinance.programmes.catalogue import Financed

    name = "" if isinstance(name_or_path, Path) else name_or_path
    place, reading = _opened(name_or_path, _kind_shipped(name), output)
    kind = reading.kind_of(place)
    if kind == "portfolios":
        return None
    node = reading.whole(place, kind, (place,))
    form: Any = Financed if kind == "programmes" else Instrument
    data = plain(node)
    try:
        return Part(kind, TypeAdapter(form).validate_python(data))
    except ValidationError as error:
        raise first_problem(error, form, data, marks(node), place.shown) from None


def term_sheet(name_or_path: str | Path) -> Any:
    """The terms of an instrument by shipped name or path; InputError where it is none."""
    part = load_part(name_or_path)
    if part is None or part.kind != "instruments":
        raise InputError("is no term sheet", field="structures", given=str(name_or_path))
    return part.terms


def _opened(name_or_path: str | Path, kind: Kind, output: Path | None) -> tuple[_Place, _Reading]:
    given = str(name_or_path)
    if not isinstance(name_or_path, Path) and not _is_path(given):
        place = _shipped(given, kind)
    else:
        place = _Place(_resolved(Path(given)), Path(given).name, given)
    return place, _Reading(place.path.parent, _folder_shown(place, given), output)


def _kind_shipped(name: str) -> Kind:
    """What kind of shipped file this name stands for; a portfolio where there is none."""
    return next((kind for kind in FOLDERS if name in shipped(kind)), "portfolios")


def _kind_of(node: Node) -> Kind:
    """What kind of file this is, by what stands in it; a portfolio where nothing says."""
    from socialfinance.programmes.catalogue import KINDS

    if not isinstance(node.value, dict) or "deals" in node.value:
        return "portfolios"
    kind = node.value.get("kind")
    if kind is not None:
        return "programmes" if kind.value in KINDS else "instruments"
    return "programmes" if "referrals" in node.value else "portfolios"


def load_data(data: Mapping[str, Any], name: str = "portfolio") -> Loaded:
    """A portfolio from Python data, with the same messages. It may refer to shipped files, by name."""
    try:
        node = from_data(data)
        reading = _Reading(None, "")
        if not isinstance(node.value, dict):
            raise InputError("must be a mapping", given=data)
        whole = reading.filled(node, "portfolios", ())
        loaded = _loaded(whole, reading.inputs, name)
    except InputError as error:
        raise error.at(name, None) from None
    return Loaded(
        loaded.portfolio, {name: _input(name, dump(plain(node))), **loaded.inputs}, loaded.marks, name
    )


def _loaded(node: Node, inputs: dict[str, InputFile], file: str) -> Loaded:
    from pydantic import ValidationError

    from socialfinance.funds.portfolio import Portfolio
    from socialfinance.io.messages import first_problem, placed

    data, where = plain(node), marks(node)
    try:
        return Loaded(Portfolio.model_validate(data), inputs, where, file)
    except ValidationError as error:
        raise first_problem(error, Portfolio, data, where, file) from None
    except InputError as error:
        raise placed(error, Portfolio, where, file) from None


# --- where files are ------------------------------------------------------------------------------


class _Place(NamedTuple):
    path: Path
    """links resolved"""
    key: str
    """name below the root file's folder"""
    shown: str


def _is_path(text: str) -> bool:
    return text.endswith((".yaml", ".yml", WORKBOOK)) or "/" in text or os.sep in text


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):  # links in a circle; a name no file can have
        raise InputError("cannot be followed to a file", file=repr(str(path))[1:-1]) from None


def _shipped(name: str, kind: Kind) -> _Place:
    files = shipped(kind)
    if name not in files:
        raise InputError(f"is not among the shipped {kind}", given=name, allowed=_names(name, list(files)))
    shown = f"shipped/{FOLDERS[kind]}/{name}.yaml"
    return _Place(files[name].resolve(), shown, shown)


def _names(name: str, names: list[str]) -> str:
    known = near(name, names)
    return f"{known}, or a path to a .yaml file" if known else "a path to a .yaml file"


def _folder_shown(place: _Place, given: str) -> str:
    """How the root file's folder is named in front of the files it refers to."""
    if place.shown == given and os.path.islink(given):
        return str(place.path.parent)
    return str(Path(place.shown).parent)


def _all_shipped() -> dict[Path, str]:
    return {
        path.resolve(): f"shipped/{folder}/{path.name}"
        for kind, folder in FOLDERS.items()
        for path in shipped(kind).values()
    }


# --- what files say -------------------------------------------------------------------------------


@dataclass
class _Reading:
    """Reads the root file and all it refers to, each once."""

    folder: Path | None
    """the root file's, links resolved"""
    folder_shown: str
    output: Path | None = None
    """what will be written over"""
    inputs: dict[str, InputFile] = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)

    def kind_of(self, place: _Place) -> Kind:
        """What kind of file this is: by what stands in it, else by the shipped file that it is based on."""
        seen: list[Path] = []
        while place.path not in seen:
            seen.append(place.path)
            node = self.parsed(place)
            base = node.value.get(BASE) if isinstance(node.value, dict) else None
            if _kind_of(node) != "portfolios" or base is None or not isinstance(base.value, str):
                return _kind_of(node)
            if not _is_path(base.value):
                return _kind_shipped(base.value)
            place = self.find(base.value, "portfolios")
        return "portfolios"

    def parsed(self, place: _Place) -> Node:
        """What stands in a file."""
        if place.key not in self.nodes:
            refuse_to_replace(self.output, place.path)
            content = read_bytes(place.path, place.shown)
            if place.path.suffix.lower() == WORKBOOK:
                self.nodes[place.key], self.inputs[place.key] = _workbook(content, place.shown)
            else:
                self.nodes[place.key] = parse(content, place.shown)
                self.inputs[place.key] = _input(place.shown, content.decode("utf-8"))
        return self.nodes[place.key]

    def whole(self, place: _Place, kind: Kind, chain: tuple[_Place, ...]) -> Node:
        """A file with what it is based on and what it refers to filled in."""
        return self.filled(self.parsed(place), kind, chain)

    def filled(self, node: Node, kind: Kind, chain: tuple[_Place, ...], at: FieldPath = ()) -> Node:
        """A mapping with what it is based on and, in a portfolio, what its deals refer to filled in."""
        if BASE in node.value:
            changes = Node({name: entry for name, entry in node.value.items() if name != BASE}, node.mark)
            node = merged(self.followed(node.value[BASE], kind, chain, (*at, BASE)), changes)
        if kind != "portfolios" or not _is_mapping(node.value.get("deals")):
            return node
        deals = {name: self.deal(deal, name) for name, deal in node.value["deals"].value.items()}
        return Node({**node.value, "deals": Node(deals, node.value["deals"].mark)}, node.mark)

    def deal(self, deal: Node, name: str) -> Node:
        """A deal with its programme and instrument filled in."""
        if not _is_mapping(deal):
            return deal
        parts = {
            part: self.part(deal.value[part], kind, ("deals", name, part))
            for part, kind in PARTS.items()
            if part in deal.value
        }
        return Node({**deal.value, **parts}, deal.mark)

    def part(self, node: Node, kind: Kind, at: FieldPath) -> Node:
        """A programme or instrument: a reference, changes to one, or written out."""
        if isinstance(node.value, str):
            return self.followed(node, kind, (), at)
        return self.filled(node, kind, (), at) if _is_mapping(node) else node

    def followed(self, reference: Node, kind: Kind, chain: tuple[_Place, ...], at: FieldPath) -> Node:
        """The file that a reference names."""
        where = field_path(at)
        mark = reference.mark
        try:
            place = self.find(plain(reference), kind)
            if place.path in [earlier.path for earlier in chain]:
                circle = " → ".join([*(earlier.key for earlier in chain), place.key])
                raise InputError(f"files are based on each other in a circle: {circle}")
            if not os.path.isfile(place.path):
                raise InputError("no such file", given=plain(reference))
        except InputError as error:
            raise InputError(
                error.problem,
                file=mark.file if mark else None,
                line=mark.line if mark else None,
                field=where,
                given=error.given,
                allowed=error.allowed,
            ) from None
        return self.whole(place, kind, (*chain, place))

    def find(self, reference: object, kind: Kind) -> _Place:
        """Where a reference leads: a shipped name, or a path from the root file's folder that stays in it."""
        if not isinstance(reference, str) or not reference:
            raise InputError("must be a shipped name, or a path to a .yaml file", given=reference)
        if not _is_path(reference):
            return _shipped(reference, kind)
        if self.folder is None:
            raise InputError("a path needs a file to start from: use a shipped name", given=reference)
        path = _resolved(self.folder / reference)
        if path.is_relative_to(self.folder):
            key = path.relative_to(self.folder).as_posix()
            return _Place(path, key, str(Path(self.folder_shown) / key))
        if path in (known := _all_shipped()):
            return _Place(path, known[path], known[path])
        raise InputError("leaves the folder of the file that was loaded", given=reference)


def _is_mapping(node: Node | None) -> bool:
    return node is not None and isinstance(node.value, dict)


def _workbook(content: bytes, shown: str) -> tuple[Node, InputFile]:
    """An input workbook; its text is what it says as YAML."""
    from socialfinance.workbooks.cells import check_openpyxl

    check_openpyxl(shown)
    from socialfinance.io.workbook_read import read_workbook

    node = read_workbook(content, shown)
    return node, InputFile(shown, hashlib.sha256(content).hexdigest(), dump(plain(node)))


def _input(shown: str, text: str) -> InputFile:
    return InputFile(shown, hashlib.sha256(text.encode("utf-8")).hexdigest(), text)
