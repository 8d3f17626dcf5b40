"""Lays changes over the file they are based on, and keeps true what is said of where each number comes from.

What the changes say of a number that they give decides. Where they say nothing, it is as it was, except
that a new number does not take over a source: it becomes ``unsourced``. Of a number that they do not give
they say something by naming it, or in a block that gives none.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from socialfinance.core.errors import field_path
from socialfinance.core.origins import BY_NAME, SAYING, Heard, Place, names
from socialfinance.io.yaml import Node, entries, plain

BASE = "based_on"
SORTS = ("kind", "distribution", "driver")
"""Words that say what a mapping is: one of another sort replaces, instead of being merged."""
REFERRING = ("programme", "instrument")
"""Fields of a deal that may hold the name of another file."""


def merged(base: Node, over: Node) -> Node:
    """``over`` laid over ``base``: mappings key by key, any other value replaced, ``null`` taken away.

    A mapping of another sort (``kind``, ``distribution``, ``driver``) replaces too, and so does one with a
    base of its own. The blocks that are reached say anew where their numbers come from.
    """
    both = _laid(base, over)
    return both if both is over else _said_anew(both, base, over)


def replaced(base: Node, place: Place, value: Node) -> Node:
    """One value put in place of what stands there, or beside it; the blocks around it say anew what is true.

    A value that is the same changes nothing.
    """
    before = _found(base, *place)
    if before is not None and _same(plain(before), plain(value)):
        return base
    over = value
    for key in reversed(place):
        over = Node({key: over}, value.mark)
    # a list on the way is a mapping by position here, so that the blocks inside it are reached
    both = _said_anew(_put(_by_position(base, place), place, value), _by_position(base, place), over)
    return _as_lists(both, place)


def _same(one: Any, other: Any) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _put(node: Node, place: Place, value: Node) -> Node:
    if not place:
        return value
    inner = node.value.get(place[0], Node({}))
    return Node({**node.value, place[0]: _put(inner, place[1:], value)}, node.mark)


def _by_position(node: Node, place: Place) -> Node:
    """The lists on the way to a place as mappings by position."""
    if not place or not isinstance(node.value, dict | tuple):
        return node
    held: dict[Any, Node] = dict(entries(node.value))
    if place[0] in held:
        held[place[0]] = _by_position(held[place[0]], place[1:])
    return Node(held, node.mark)


def _as_lists(node: Node, place: Place) -> Node:
    """The same undone."""
    if not place or not isinstance(node.value, dict):
        return node
    held = {key: _as_lists(one, place[1:]) if key == place[0] else one for key, one in node.value.items()}
    return Node(tuple(held.values()) if isinstance(place[0], int) else held, node.mark)


def _said_anew(both: Node, base: Node, over: Node) -> Node:
    """The changed file, in which every block that the changes reach says what is now true of its numbers."""
    given = {place for place, _, _ in _numbers(over)}
    told: dict[Place, dict[Place, Heard]] = {}
    for place, number, block in _numbers(both):
        if block is not None and _found(over, *block) is not None:
            told.setdefault(block, {})[place] = _now(place, number, block, base, over, given)
    return _saying_anew(both, base, over, told)


def _laid(base: Node, over: Node) -> Node:
    if not (_is_mapping(base) and _is_mapping(over)) or BASE in over.value:
        return over
    if _sort(base) and _sort(over) and _sort(base) != _sort(over):
        return over
    both = {
        name: _laid(base.value[name], entry) if name in base.value else entry
        for name, entry in over.value.items()
    }
    gone = {name for name, entry in both.items() if _takes_away(name, entry, base)}
    whole = {**base.value, **both}
    return Node({name: entry for name, entry in whole.items() if name not in gone}, over.mark)


def _takes_away(name: str, entry: Node, base: Node) -> bool:
    """Whether the change is ``name: null``: the file is as if its base had never given it."""
    return entry.value is None and name in base.value and name not in SAYING


def _sort(node: Node) -> tuple[str, object] | None:
    named = (
        (word, node.value[word].value)
        for word in SORTS
        if word in node.value and isinstance(node.value[word].value, str)
    )
    return next(named, None)


def _is_mapping(node: Node | None) -> bool:
    return node is not None and isinstance(node.value, dict)


def _found(node: Node | None, *place: str | int) -> Node | None:
    """What stands at a place, if anything does."""
    for key in place:
        node = dict(entries(node.value)).get(key) if node is not None else None
    return node


def _value(node: Node | None, *place: str | int) -> Any:
    found = _found(node, *place)
    return None if found is None else plain(found)


# --- what is said ---------------------------------------------------------------------------------


def _now(place: Place, number: Node, block: Place, base: Node, over: Node, given: set[Place]) -> Heard:
    """What is said of a number after the change."""
    before, says = _heard(base, place), _says(_found(over, *block), block)
    if place in given:
        after = _heard(over, place)
        is_new = plain(number) != _value(base, *place)
        if is_new and before.origin == "sourced":
            before = before._replace(origin="unsaid", source=None)
    else:
        if any(one[: len(block)] == block for one in given):  # the rest of the block is not spoken of
            says = {field: said for field, said in says.items() if names(said)}
        after = Heard().inside(block, says)
        for n in range(len(block), len(place)):
            after = after.at(place[: n + 1])
    if after.origin is not None:
        return after
    taken_back = {
        "sourced": says.get("source", "") is None,
        "illustrative": says.get("illustrative") is False,
    }
    if taken_back.get(before.origin or ""):
        before = before._replace(origin="unsaid", source=None)
    return before._replace(unverified=after.unverified) if "unverified" in says else before


def _heard(node: Node | None, place: Place) -> Heard:
    """What a file says of a place, whether or not it gives it."""
    heard = Heard().inside((), _says(node, ()))
    for n in range(1, len(place) + 1):
        here = place[:n]
        node = _found(node, place[n - 1])
        heard = heard.at(here).inside(here, _says(node, here))
    return heard


def _says(node: Node | None, place: Place) -> dict[str, Any]:
    """What a block says of its numbers; nothing where this is no block, such as the parties by role."""
    if node is None or not _is_mapping(node) or place[-1:] == ("parties",):
        return {}
    said = {field: plain(node.value[field]) for field in SAYING if field in node.value}
    return {field: one for field, one in said.items() if one is None or isinstance(one, str | bool | tuple)}


def _numbers(
    node: Node, place: Place = (), block: Place | None = None
) -> Iterator[tuple[Place, Node, Place | None]]:
    """Every number, date and reference to another file, and the nearest block that says anything."""
    if _says(node, place):
        block = place
    is_number = isinstance(node.value, int | float | date) and not isinstance(node.value, bool)
    if is_number or _is_reference(node, place):
        yield place, node, block
    else:
        for key, entry in entries(node.value):
            yield from _numbers(entry, (*place, key), block)


def _is_reference(node: Node, place: Place) -> bool:
    if isinstance(node.value, dict):
        return BASE in node.value
    in_deal = place[2:] if place[:1] == ("deals",) else ()
    return isinstance(node.value, str) and in_deal in [(field,) for field in REFERRING]


# --- saying it anew -------------------------------------------------------------------------------


def _saying_anew(
    both: Node, base: Node | None, over: Node, told: dict[Place, dict[Place, Heard]], place: Place = ()
) -> Node:
    """The merged file, in which each block that the changes reach says what is now true of its numbers."""
    value = dict(both.value)
    for key, entry in over.value.items():
        if key in value and _is_mapping(value[key]):
            value[key] = _saying_anew(value[key], _found(base, key), entry, told, (*place, key))
    if place in told and _is_clear(base) and _is_clear(over):
        own = {one[len(place) :]: heard for one, heard in told[place].items()}
        value = {key: entry for key, entry in value.items() if key not in SAYING}
        value |= _saying(both, base, over, own)
    return Node(value, both.mark)


def _saying(both: Node, base: Node | None, over: Node, own: dict[Place, Heard]) -> dict[str, Node]:
    """The fields in which a block says this of its own numbers."""
    source = _source(own, _value(base, "source"))
    invented = all(heard.origin == "illustrative" for heard in own.values())
    doubtful = all(heard.unverified is not None for heard in own.values())
    places: dict[str, list[Place]] = {field: [] for field in BY_NAME}
    for place, heard in own.items():
        # a file that is referred to may say it itself, and is then not to be called illustrative by name
        by_name = not isinstance(_value(both, *place), str | dict)
        if heard.origin == "illustrative" and (by_name or invented):
            places["illustrative"].append(place)
        elif heard.origin in ("illustrative", "unsaid") or (source and heard.origin is None):
            places["unsourced"].append(place)
        if heard.unverified is not None and (by_name or doubtful):
            places["unverified"].append(place)
    says: dict[str, Any] = {"source": source} if source else {}
    for field, chosen in places.items():
        kept = _kept(field, both, base, over, own)
        if len(chosen) == len(own) and field != "unsourced" and not kept:
            says[field] = True
        elif chosen or kept:
            says[field] = (*(Node(field_path(place), both.mark) for place in chosen), *kept)
    return {field: Node(said, both.value.get(field, both).mark) for field, said in says.items()}


def _source(own: dict[Place, Heard], before: str | None) -> str:
    """One source, or each with the numbers it is for; what the block said before comes last, as it was."""
    fields: dict[str, list[str]] = {}
    for place, heard in own.items():
        if heard.source:
            fields.setdefault(heard.source, []).append(field_path(place))
    if len(fields) < 2:
        return "".join(fields)
    new = [f"{', '.join(of)}: {source}" for source, of in fields.items() if source != before]
    return "; ".join([*new, *(source for source in fields if source == before)])


def _kept(field: str, both: Node, base: Node | None, over: Node, own: dict[Place, Heard]) -> list[Node]:
    """Names that stand for none of these numbers: of a text, or a mistake, which the models refuse."""
    covered = {field_path(place[: n + 1]) for place in own for n in range(len(place))}
    gone = set(_nameable(base)) - set(_nameable(both))  # what the change took away is no mistake
    return [
        *(name for name in _named(over, field) if name.value not in covered),
        *(name for name in _named(base, field) if name.value not in covered | gone),
    ]


def _named(node: Node | None, field: str) -> tuple[Node, ...]:
    found = _found(node, field)
    return found.value if found is not None and isinstance(found.value, tuple) else ()


def _nameable(node: Node | None, place: Place = ()) -> Iterator[str]:
    """The fields and entries that a block's names reach."""
    for key, entry in entries(node.value) if node is not None else ():
        here = (*place, key)
        says = _says(entry, here)
        if not says.get("source") and says.get("illustrative") is not True:
            yield field_path(here)
            yield from _nameable(entry, here)


def _is_clear(node: Node | None) -> bool:
    """Whether a block says what it says in a way that the models accept."""
    if node is None or not _is_mapping(node):
        return True
    said = {field: plain(node.value[field]) for field in SAYING if field in node.value}
    source, illustrative = said.get("source"), said.get("illustrative")
    lists = [said[field] for field in BY_NAME if field in said and not isinstance(said[field], bool)]
    return (
        (source is None or isinstance(source, str))
        and not (source and illustrative is True)
        and not isinstance(said.get("unsourced"), bool)
        and all(isinstance(one, tuple) and len(names(one)) == len(one) for one in lists)
    )
