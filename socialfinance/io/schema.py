"""JSON Schema of what may stand in a file, for editors.

Every form comes twice: written out, and as changes to the file it is ``based_on``, where nothing else is
required.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args, get_origin

from socialfinance.core.errors import InputError

Kind = Literal["instrument", "programme", "portfolio"]
KINDS: tuple[Kind, ...] = ("instrument", "programme", "portfolio")
DIALECT = "https://json-schema.org/draft/2020-12/schema"
CHANGED = "Changed"
"""Ending of the definitions in which nothing is required."""
REFERENCE = {"type": "string", "minLength": 1, "description": "a shipped name, or a path to a .yaml file"}

Json = dict[str, Any]


def schema(kind: Kind) -> Json:
    """The JSON Schema of a file of this kind."""
    from pydantic import TypeAdapter

    if kind not in KINDS:
        raise InputError("there is no schema of this kind", given=kind, allowed=", ".join(KINDS))
    models = _models()
    whole = TypeAdapter(models[kind]).json_schema()
    definitions = whole.pop("$defs", {})
    changed = {name + CHANGED: _changes(one) for name, one in definitions.items()}
    change = _changes(whole)
    for name in (*_names(models["programme"]), *_names(models["instrument"])):
        _may_have_base(changed.get(name + CHANGED, {}))
    _may_have_base(change)
    if "Deal" in definitions:
        _may_refer(definitions["Deal"], changed["Deal" + CHANGED])
    return {
        "$schema": DIALECT,
        "title": f"socialfinance {kind}",
        "anyOf": [whole, _on_base(change)],
        "$defs": definitions | changed,
    }


def _models() -> dict[Kind, Any]:
    from socialfinance.funds.portfolio import Portfolio
    from socialfinance.instruments.catalogue import Instrument
    from socialfinance.programmes.catalogue import Financed

    return {"instrument": Instrument, "programme": Financed, "portfolio": Portfolio}


def _names(union: Any) -> list[str]:
    """The models that may stand where a union is asked for."""
    return [_model(form).__name__ for form in get_args(get_args(union)[0])]


def _model(form: Any) -> Any:
    return get_args(form)[0] if get_origin(form) is Annotated else form


def _changes(part: Any) -> Any:
    """The same with nothing required, all the way down."""
    if isinstance(part, list):
        return [_changes(one) for one in part]
    if not isinstance(part, dict):
        return part
    kept = {name: one for name, one in part.items() if not _demands(name, one)}
    return {_loosened(name, one): _changes(one) for name, one in kept.items()} | (
        {"$ref": part["$ref"] + CHANGED} if isinstance(part.get("$ref"), str) else {}
    )


def _demands(name: str, given: Any) -> bool:
    """Whether this asks for entries (and is no field that is merely called so)."""
    return (name == "required" and isinstance(given, list)) or (
        name in ("minProperties", "discriminator") and not (isinstance(given, dict) and "type" in given)
    )


def _loosened(name: str, given: Any) -> str:
    """With nothing required several forms may fit."""
    return "anyOf" if name == "oneOf" and isinstance(given, list) else name


def _may_have_base(part: Json) -> None:
    if "properties" in part:
        part["properties"] = {"based_on": REFERENCE, **part["properties"]}


def _on_base(part: Json) -> Json:
    return {**part, "required": ["based_on"]}


def _may_refer(deal: Json, changed: Json) -> None:
    """A deal's programme and instrument may be references, or changes to one."""
    for name in ("programme", "instrument"):
        change = changed["properties"][name]
        deal["properties"][name] = {"anyOf": [REFERENCE, deal["properties"][name], _on_base(change)]}
        changed["properties"][name] = {"anyOf": [REFERENCE, change]}
