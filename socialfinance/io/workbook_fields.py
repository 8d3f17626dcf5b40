"""What may stand at a place of a portfolio, read off the models: unit, range, choices, meaning."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from socialfinance.core.origins import SAYING
from socialfinance.io.yaml import FieldPath

LIMITS = {"ge": "at least {}", "gt": "above {}", "le": "at most {}", "lt": "below {}"}


@dataclass(frozen=True)
class About:
    """What may stand in a cell."""

    unit: str = ""
    meaning: str = ""
    choices: tuple[str, ...] = ()
    """words of which one must stand there, where nothing else may"""
    limits: tuple[tuple[str, float], ...] = ()
    """``ge``, ``gt``, ``le``, ``lt`` of a number"""
    forms: tuple[str, ...] = ()
    """kinds of value, in words"""
    required: bool = False

    @property
    def allowed(self) -> str:
        """The same in words."""
        if self.choices and set(self.forms) <= {"text"}:
            return ", ".join(self.choices)
        bounds = dict(self.limits)
        if {"ge", "le"} <= set(bounds):
            words = f"{bounds['ge']:,.15g} to {bounds['le']:,.15g}"
        else:
            words = ", ".join(LIMITS[name].format(f"{value:,.15g}") for name, value in self.limits)
        forms = [f"{form} {words}".strip() if form.endswith("number") else form for form in self.forms]
        return " or ".join([*forms, *self.choices]) + (" (required)" if self.required else "")


class _Spot(NamedTuple):
    """A type, and the field that asks for it."""

    form: Any
    info: FieldInfo | None
    owner: Any
    name: str


def about(path: FieldPath, data: Any) -> About:
    """What may stand at a path of this portfolio; empty where nothing may, or where the models do not say."""
    spots = _top()
    value = data
    for part in path:
        spots = [inner for spot in spots for one in _opened(spot) for inner in _below(one, part, value)]
        value = _inside(value, part)
    return _told(spots)


def fields_at(path: FieldPath, data: Any) -> list[tuple[str, About]]:
    """The fields of the model at a path, in its order, without what says where numbers come from."""
    spots = _top()
    value = data
    for part in path:
        spots = [inner for spot in spots for one in _opened(spot) for inner in _below(one, part, value)]
        value = _inside(value, part)
    found: dict[str, About] = {}
    for spot in (one for outer in spots for one in _opened(outer)):
        if not _fits(spot.form, value):
            continue
        for name, info in spot.form.model_fields.items():
            one = _told([_Spot(info.annotation, info, spot.form, name)])
            if name not in SAYING:
                found.setdefault(name, one)
    return list(found.items())


def _top() -> list[_Spot]:
    from socialfinance.funds.portfolio import Portfolio

    return [_Spot(Portfolio, None, None, "")]


def _inside(value: Any, part: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(part)
    if isinstance(value, tuple) and isinstance(part, int) and part < len(value):
        return value[part]
    return None


def _opened(spot: _Spot) -> Iterator[_Spot]:
    """Every form that a type may take, each by itself."""
    form = spot.form
    if get_origin(form) is Annotated:
        yield from _opened(spot._replace(form=get_args(form)[0]))
    elif get_origin(form) in (Union, UnionType):
        for one in get_args(form):
            yield from _opened(spot._replace(form=one))
    elif form is not type(None):
        yield spot


def _below(spot: _Spot, part: str | int, value: Any) -> Iterator[_Spot]:
    """What stands at one part of a model, mapping or list."""
    form, inner = spot.form, get_args(spot.form)
    if get_origin(form) is dict and isinstance(part, str):
        yield _Spot(inner[1], None, None, part)
    elif get_origin(form) is tuple and isinstance(part, int):
        yield _Spot(inner[0] if inner[-1] is Ellipsis else inner[min(part, len(inner) - 1)], None, None, "")
    elif _fits(form, value) and part in form.model_fields:
        info = form.model_fields[str(part)]
        yield _Spot(info.annotation, info, form, str(part))


def _fits(form: Any, value: Any) -> bool:
    """Whether this is a model, and the words by which the value says what it is are among its own."""
    if not (isinstance(form, type) and issubclass(form, BaseModel)):
        return False
    given = value if isinstance(value, dict) else {}
    for name, info in form.model_fields.items():
        if get_origin(info.annotation) is Literal and name in ("kind", "distribution"):
            if given and name not in given and info.is_required():
                return False
            if name in given and given[name] not in get_args(info.annotation):
                return False
    return "driver" not in given or "driver" in form.model_fields


# --- what a type says -----------------------------------------------------------------------------

_FORMS: dict[Any, str] = {
    float: "number",
    int: "whole number",
    bool: "true or false",
    str: "text",
    date: "date",
}


def _told(spots: list[_Spot]) -> About:
    """What the types of a place say together."""
    found = About()
    for spot in spots:
        docs = _docstrings(spot.owner).get(spot.name, "") if spot.owner is not None else ""
        if spot.info is not None:
            found = _noted(found, spot.info, docs)
            found = replace(
                found, meaning=found.meaning or docs, required=found.required or spot.info.is_required()
            )
        found = _typed(found, spot.form, docs)
    return found


def _typed(found: About, form: Any, docs: str) -> About:
    if get_origin(form) is Annotated:
        inner, *notes = get_args(form)
        for note in notes:
            found = _noted(found, note, docs)
        return _typed(found, inner, docs)
    if get_origin(form) in (Union, UnionType):
        for one in get_args(form):
            found = _typed(found, one, docs)
        return found
    if get_origin(form) is Literal:
        words = tuple(str(word) for word in get_args(form))
        return replace(found, choices=found.choices + words, forms=_with(found.forms, "text"))
    if get_origin(form) is tuple and get_args(form)[-1] is Ellipsis and get_args(form)[0] is not form:
        inside = _typed(About(), get_args(form)[0], docs)
        forms = found.forms
        for one in inside.forms:
            forms = _with(forms, f"a list of {one}s")
        return replace(
            found, unit=found.unit or inside.unit, limits=found.limits or inside.limits,
            choices=found.choices or inside.choices, forms=forms,
        )  # fmt: skip
    if isinstance(form, type) and issubclass(form, BaseModel) and "distribution" in form.model_fields:
        return replace(found, forms=_with(found.forms, "a distribution"))
    return replace(found, forms=_with(found.forms, _FORMS[form])) if form in _FORMS else found


def _with(forms: tuple[str, ...], form: str) -> tuple[str, ...]:
    return forms if form in forms else (*forms, form)


def _noted(found: About, note: Any, docs: str) -> About:
    """Limits and description out of a field or its annotations."""
    if isinstance(note, FieldInfo):
        if note.description and note.description != docs:
            found = replace(found, unit=found.unit or note.description)
        for one in note.metadata:
            found = _noted(found, one, docs)
        return found
    for name in LIMITS:
        limit = getattr(note, name, None)
        if isinstance(limit, int | float) and name not in dict(found.limits):
            found = replace(found, limits=(*found.limits, (name, float(limit))))
    return found


@cache
def _docstrings(model: Any) -> dict[str, str]:
    """What a model's source says under each of its fields, those of its bases included."""
    found: dict[str, str] = {}
    for one in reversed(model.__mro__):
        if issubclass(one, BaseModel) and one is not BaseModel:
            found |= dict(_in_source(one))
    return found


def _in_source(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    tree = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0]
    assert isinstance(tree, ast.ClassDef)
    for field, after in zip(tree.body, tree.body[1:], strict=False):
        said = (
            after.value.value
            if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            else None
        )
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(said, str):
            yield field.target.id, " ".join(said.split())
