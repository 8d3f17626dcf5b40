"""Terms by their path, as error messages write it: found, read, and changed for a what-if.

``deals.family-therapy.programme.outcomes.out of care 6 months.probability``: a dot before a field or entry,
``layers[0]`` for the first of a list. Names keep their own dots and spaces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

from socialfinance.core.errors import InputError, field_path
from socialfinance.core.origins import Heard, Place
from socialfinance.core.terms import Sourced, said_of
from socialfinance.funds.portfolio import Portfolio

Entries = Callable[[Any], Iterable[tuple[str | int, Any]]]
"""What a value holds, by name or position; nothing where it is no mapping or list."""
MOST_NAMED = 12
"""Names listed in an error."""


class _Reached(NamedTuple):
    """How far a path leads."""

    place: Place
    value: Any
    rest: str
    """of the path, that nothing here begins with"""


def place_of(root: Any, path: str, entries: Entries, may_add: bool = False) -> Place:
    """Where a path leads. Where one name begins like another the longer is tried first.

    ``may_add``: the last name may be one that is not there yet, as most fields of a file may be left out.
    """
    if not path.strip():
        raise InputError("a path into the file is empty", allowed=_names(root, "", entries))
    reached = list(_reached(_Reached((), root, path), entries))
    for one in reached:
        if not one.rest:
            return one.place
    far = max(reached, key=lambda one: len(path) - len(one.rest))
    name = far.rest.removeprefix(".") if far.place else far.rest
    if may_add and _has_names(far, entries) and not set(name) & set(".[]") and name.strip():
        return (*far.place, name)
    here = field_path(far.place)
    names = _names(far.value, name, entries)
    problem = f"is not there; {here or 'the file'} has" if names else f"is not there; {here} is a value alone"
    raise InputError(f"{problem} {names}".rstrip(), field=path)


def _reached(so_far: _Reached, entries: Entries) -> Iterator[_Reached]:
    """Every way in which the keys that are there read the path, the longest names first."""
    found = False
    for key, value in sorted(entries(so_far.value), key=lambda entry: -len(str(entry[0]))):
        here = field_path([key]) if isinstance(key, int) or not so_far.place else f".{key}"
        after = so_far.rest.removeprefix(here)
        if so_far.rest.startswith(here) and (not after or after[0] in ".["):
            found = True
            yield from _reached(_Reached((*so_far.place, key), value, after), entries)
    if not found:
        yield so_far


def _has_names(reached: _Reached, entries: Entries) -> bool:
    """Whether what was reached is a mapping, in which one more name may stand."""
    keys = [key for key, _ in entries(reached.value)]
    return bool(keys) and all(isinstance(key, str) for key in keys)


def _names(value: Any, wanted: str, entries: Entries) -> str:
    """The names or positions that a value holds, those like the wanted one first."""
    keys = [key for key, _ in entries(value)]
    if keys and isinstance(keys[-1], int):
        return f"[0] to [{keys[-1]}]" if len(keys) > 1 else "[0]"
    names = [str(key) for key in keys]
    near = get_close_matches(wanted, names, n=MOST_NAMED, cutoff=0.6)
    shown = [*near, *(name for name in names if name not in near)]
    return ", ".join(shown[:MOST_NAMED]) + (", …" if len(shown) > MOST_NAMED else "")


# --- of a portfolio ---------------------------------------------------------------------------------


def terms_at(portfolio: Portfolio, path: str) -> Any:
    """What stands at a path of a portfolio, defaults included."""
    value: Any = portfolio
    for key in place_of(portfolio, path, held):
        value = dict(held(value))[key]
    return value


def with_terms(portfolio: Portfolio, changes: Mapping[str, Any]) -> Portfolio:
    """The portfolio with other values at these paths, checked anew.

    A number that is changed takes over no source: its block calls it ``unsourced``.
    """
    data = portfolio.model_dump(exclude_unset=True)
    said = {place: heard for place, _, heard in said_of(portfolio)}
    for path, value in changes.items():
        place = place_of(portfolio, path, held)
        if value == terms_at(portfolio, path) and _found(data, place):
            continue
        data = put(data, place, value)
        if _heard(said, place).origin == "sourced":
            data = _unsourced(data, _block(portfolio, place), place)
    try:
        return Portfolio.model_validate(data)
    except ValidationError as error:
        raise _said_once(error, changes) from None


def put(data: Any, place: Place, value: Any) -> Any:
    """Plain data with a value put at a place; what leads there is made where it is missing."""
    if not place:
        return value
    first, *rest = place
    if isinstance(data, tuple) and isinstance(first, int):
        return tuple(put(one, tuple(rest), value) if i == first else one for i, one in enumerate(data))
    held = data if isinstance(data, Mapping) else {}
    return {**held, first: put(held.get(first), tuple(rest), value)}


def held(value: Any) -> list[tuple[str | int, Any]]:
    """What a model, mapping or list holds."""
    if isinstance(value, BaseModel):
        return [(name, getattr(value, name)) for name in type(value).model_fields]
    if isinstance(value, Mapping):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, tuple) else []


def _found(data: Any, place: Place) -> bool:
    """Whether something is given at a place."""
    for key in place:
        held = dict(enumerate(data)) if isinstance(data, tuple) else data
        if not isinstance(held, Mapping) or key not in held:
            return False
        data = held[key]
    return True


def _heard(said: Mapping[Place, Heard], place: Place) -> Heard:
    """What is said of a place, whether or not it was given."""
    known = next(n for n in range(len(place), -1, -1) if place[:n] in said)
    heard = said[place[:known]]
    for n in range(known, len(place)):
        heard = heard.at(place[: n + 1])
    return heard


def _block(portfolio: Portfolio, place: Place) -> Place:
    """The nearest block around a place that can say where its numbers come from."""
    value: Any = portfolio
    block: Place = ()
    for n, key in enumerate(place[:-1]):
        value = dict(held(value))[key]
        if isinstance(value, Sourced):
            block = place[: n + 1]
    return block


def _unsourced(data: Any, block: Place, place: Place) -> Any:
    """The data in which a block calls one of its fields unsourced."""
    said: Any = data
    for key in block:
        said = said[key]
    name = field_path(place[len(block) :])
    return put(data, (*block, "unsourced"), tuple(dict.fromkeys((*said.get("unsourced", ()), name))))


def _said_once(error: ValidationError, changes: Mapping[str, Any]) -> InputError:
    """What the models refuse, as one line."""
    words = str(error.errors(include_url=False)[0]["msg"])
    words = words.removeprefix("Value error, ").replace("Input should be", "must be")
    given = next(iter(changes.values())) if len(changes) == 1 else None
    return InputError(words, field=", ".join(changes), given=given)
