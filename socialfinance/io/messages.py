"""Turns what the models say about bad data into one line: file, line, field, the problem in plain words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, Tag, ValidationError

from socialfinance.core.errors import InputError, field_path
from socialfinance.core.origins import UnknownName
from socialfinance.io.shipped import near
from socialfinance.io.yaml import FieldPath, Mark, entries

Marks = Mapping[FieldPath, Mark]

EXPECTED = {
    "string_type": "text",
    "float_type": "a number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "date_type": "a date such as 2026-04-01",
    "tuple_type": "a list",
    "dict_type": "a mapping, lines of `name: value`",
    "model_type": "a mapping, lines of `name: value`",
    "model_attributes_type": "a mapping, lines of `name: value`",
}
LIMITS = {
    "greater_than": ("gt", "must be above {}"),
    "greater_than_equal": ("ge", "must be at least {}"),
    "less_than": ("lt", "must be below {}"),
    "less_than_equal": ("le", "must be at most {}"),
    "too_short": ("min_length", "must have {} or more entries"),
    "too_long": ("max_length", "must have no more than {} entries"),
}
A_NAME = "small letters, digits, spaces and _ . + -, at most 80, a letter or digit first"


class Place(NamedTuple):
    """Where a model found a problem."""

    path: FieldPath
    form: Any
    """what may stand there, as a type"""
    holder: Any
    """what holds it, as a type"""
    branch: bool
    """whether it is about one of several forms that the value may take"""
    is_key: bool
    """whether it is about the name, not the value"""


class Problem(NamedTuple):
    """One thing that is wrong."""

    place: Place
    text: str
    allowed: str | None = None
    kind: str = ""
    """the model's word for it; ``type`` for every wrong type"""

    @property
    def path(self) -> FieldPath:
        """The field it is about."""
        return self.place.path


def first_problem(error: ValidationError, model: Any, data: Any, marks: Marks, file: str) -> InputError:
    """The problem whose line comes first, as one line; ``model`` may be a union."""
    found = [_problem(dict(one), model, data) for one in error.errors(include_url=False)]
    problems = _worth_saying(found, data)
    files = list(dict.fromkeys(mark.file for mark in marks.values()))

    def order(problem: Problem) -> tuple[int, int]:
        mark = nearest(problem.path, marks)
        return (files.index(mark.file), mark.line) if mark else (0, 0)

    first = min(problems, key=order)
    mark = nearest(first.path, marks)
    return InputError(
        first.text,
        file=mark.file if mark else file,
        line=mark.line if mark else None,
        field=field_path(first.path) or None,
        given=_given(first, data),
        allowed=first.allowed,
    )


def placed(error: InputError, model: type[BaseModel], marks: Marks, file: str) -> InputError:
    """An engine's error with file and line: those of the longest known beginning of its field.

    A field that does not begin with ``deals.NAME`` is looked for in every deal; where several have it on
    different lines no line is given. What is no field of the file (a number of paths) keeps no place.
    """
    field = error.field
    if error.file is not None or field is None:
        return error.at(file, None)
    starts: list[FieldPath] = [(), *(path for path in marks if len(path) == 2 and path[0] == "deals")]
    found = [(start, _longest(field, start, marks)) for start in starts]
    most = max(len(path) - len(start) for start, path in found)
    if most == 0:
        known = any(_begins(field, name, ".[") for name in model.model_fields)
        return error.at(*marks.get((), (file, None))) if known else error
    fits = [(start, path) for start, path in found if len(path) - len(start) == most]
    places = {marks[path] for _, path in fits}
    if len(places) > 1:
        return error.at(file, None)
    mark = places.pop()
    full = f"{field_path(fits[0][0])}.{field}" if fits[0][0] and len(fits) == 1 else field
    return InputError(
        error.problem, file=mark.file, line=mark.line, field=full, given=error.given, allowed=error.allowed
    )


def nearest(path: FieldPath, marks: Marks) -> Mark | None:
    """Where a field stands, or what holds it."""
    return next((marks[path[:n]] for n in range(len(path), -1, -1) if path[:n] in marks), None)


def _longest(field: str, start: FieldPath, marks: Marks) -> FieldPath:
    """The longest path below ``start`` with which the field's text begins; ``start`` if there is none."""
    below = [path for path in marks if len(path) > len(start) and path[: len(start)] == start]
    fits = [path for path in below if _begins(field, field_path(path[len(start) :]), ".[")]
    return max(fits, key=len, default=start)


def _begins(text: str, head: str, after: str) -> bool:
    return text.startswith(head) and (len(text) == len(head) or text[len(head)] in after)


# --- one problem ----------------------------------------------------------------------------------


def _problem(one: dict[str, Any], model: Any, data: Any) -> Problem:
    place, kind, context = located(model, one["loc"]), str(one["type"]), one.get("ctx", {})
    if kind == "missing":
        return Problem(place, "is missing", None, kind)
    if kind == "extra_forbidden":
        names = list(getattr(place.holder, "model_fields", ()))
        return Problem(place, "is not a known field", near(str(place.path[-1]), names), kind)
    if kind.startswith("union_tag"):
        return _tag(place, kind, context)
    if kind == "literal_error":
        return Problem(place, "is not one of the allowed values", _listed(context["expected"]), kind)
    if kind in EXPECTED:
        return Problem(place, EXPECTED[kind], None, "type")
    if kind in LIMITS:
        key, words = LIMITS[kind]
        return Problem(place, words.format(f"{context[key]:,.15g}"), None, kind)
    if kind.startswith("string_"):
        return Problem(place, "is not a name", A_NAME, kind)
    if kind == "finite_number":
        return Problem(place, "must be a finite number", None, kind)
    if kind == "value_error":
        return _refined(place, context["error"], data)
    return Problem(place, str(one["msg"]), None, kind)


def _tag(place: Place, kind: str, context: dict[str, Any]) -> Problem:
    """A mapping that does not say what it is, or something unknown."""
    name = str(context["discriminator"]).strip("'()")
    here = place._replace(path=(*place.path, name))
    if kind == "union_tag_not_found":
        return Problem(here, "is missing", ", ".join(_words(place.form, name)), kind)
    return Problem(here, f"is not a known {name}", _listed(context["expected_tags"]), kind)


def _listed(expected: str) -> str:
    """``'a', 'b' or 'c'`` as ``a, b, c``."""
    return expected.replace("' or '", "', '").replace("'", "")


def _refined(place: Place, error: ValueError, data: Any) -> Problem:
    """A message that begins with a field of its mapping is put at that field."""
    message = str(error)
    below = _paths(_at(data, place.path))
    sub = max((one for one in below if _begins(message, field_path(one), ": ")), key=len, default=())
    rest = message[len(field_path(sub)) :]
    if rest.startswith(" ") and not rest[1:2].isalpha():  # a formula that begins with the field
        return Problem(place, message, None, "value_error")
    path = place.path + sub
    allowed = _alike(str(_at(data, path)), error.known) if isinstance(error, UnknownName) else None
    return Problem(place._replace(path=path), rest.removeprefix(":").strip(), allowed, "value_error")


def _alike(name: str, known: list[str]) -> str | None:
    """The known names like this one: among its neighbours, or else among the outermost."""
    begun = [one for one in known if one.startswith(name.split(".")[0]) and "." in name]
    return near(name, begun or [one for one in known if "." not in one and "[" not in one])


def _paths(data: Any, path: FieldPath = ()) -> Iterator[FieldPath]:
    for key, entry in entries(data):
        yield (*path, key)
        yield from _paths(entry, (*path, key))


def _at(data: Any, path: FieldPath) -> Any:
    for part in path:
        data = dict(entries(data)).get(part)
    return data


def _given(problem: Problem, data: Any) -> object:
    """What was given, where it is short and not said already."""
    if problem.kind in ("missing", "extra_forbidden", "union_tag_not_found") or not problem.path:
        return None
    given = problem.path[-1] if problem.place.is_key else _at(data, problem.path)
    return None if isinstance(given, dict | tuple) or repr(given) in problem.text else given


# --- which problems to say ------------------------------------------------------------------------


def _worth_saying(problems: list[Problem], data: Any) -> list[Problem]:
    """Without what follows from another problem, and with the forms a value may take put together."""
    unknown = {problem.path[:-1] for problem in problems if problem.kind == "extra_forbidden"}
    kept = [
        problem
        for problem in problems
        if not (problem.kind == "missing" and problem.path[:-1] in unknown)
        and not (problem.place.branch and any(_inside(other.path, problem.path) for other in problems))
    ]
    return [_together(problem, kept, data) if problem.kind == "type" else problem for problem in kept]


def _inside(path: FieldPath, of: FieldPath) -> bool:
    return len(path) > len(of) and path[: len(of)] == of


def _together(problem: Problem, problems: list[Problem], data: Any) -> Problem:
    forms = [other.text for other in problems if other.kind == "type" and other.path == problem.path]
    empty = "is empty: it " if _at(data, problem.path) is None else ""
    return problem._replace(text=f"{empty}must be {' or '.join(dict.fromkeys(forms))}")


# --- from the models' places to fields ------------------------------------------------------------


def located(model: Any, loc: tuple[str | int, ...]) -> Place:
    """The field that a model's place stands for.

    Where a value may take several forms the models add a label to the place: the kind of an instrument,
    ``number``, ``tuple[PartyShare, ...]``. Labels are no part of the field's path.
    """
    path: list[str | int] = []
    form: Any = model
    holder: Any = None
    branch = is_key = False
    for part in loc:
        choices = _choices(form)
        is_key = part == "[key]"
        if is_key:
            continue
        branch = len(choices) > 1
        if branch:
            form = next((one for one in choices if _has_label(one, part)), None)
        else:
            path.append(part)
            holder = choices[0]
            form = _entry(holder, part)
    return Place(tuple(path), form, holder, branch, is_key)


def _choices(form: Any) -> list[Any]:
    """The forms a value may take, apart from being left empty."""
    if get_origin(form) is Annotated:
        return _choices(get_args(form)[0])
    if get_origin(form) not in (Union, UnionType):
        return [form]
    choices = [one for one in get_args(form) if one is not type(None)]
    return _choices(choices[0]) if len(choices) == 1 else choices


def _has_label(form: Any, label: str | int) -> bool:
    """Whether this is the form that the models label so."""
    if get_origin(form) is Annotated:
        inner, *notes = get_args(form)
        tags = [note.tag for note in notes if isinstance(note, Tag)]
        return label in tags if tags else _has_label(inner, label)
    if get_origin(form) is not None:
        return str(label).startswith(f"{get_origin(form).__name__}[")
    words = [word for name in getattr(form, "model_fields", ()) for word in _words(form, name)]
    return label == form.__name__ or label in words


def _words(form: Any, name: str) -> list[str]:
    """The words that a field may hold, in every form that has it."""
    fields = [getattr(one, "model_fields", {}).get(name) for one in _choices(form)]
    literals = [field.annotation for field in fields if field and get_origin(field.annotation) is Literal]
    return [word for literal in literals for word in get_args(literal)]


def _entry(form: Any, part: str | int) -> Any:
    """What may stand at a place of a model, mapping or list; None where nothing may."""
    inner = get_args(form)
    if get_origin(form) is dict:
        return inner[1]
    if get_origin(form) is tuple and isinstance(part, int):
        return inner[0] if inner[-1] is Ellipsis else inner[min(part, len(inner) - 1)]
    field = getattr(form, "model_fields", {}).get(part)
    return field.annotation if field else None
