"""What is varied: a number of the file, or all numbers of a mapping by one multiple, and its range."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel

from socialfinance.core.errors import InputError
from socialfinance.engine.ready import prepare
from socialfinance.funds.portfolio import Portfolio
from socialfinance.funds.terms_at import held as held_by
from socialfinance.funds.terms_at import place_of, terms_at, with_terms

Range = tuple[float, float]
WIDE = 8.0
"""Where no range is given and the models allow more: from an eighth to eight times what the file has."""
WIDTH = 1.0
"""A range of the models that is no wider, as of a share, is taken as it is."""
INSIDE = 1e-6
"""How far inside a limit that itself is not allowed, of the range's width."""
TRIES = 8


class Term(NamedTuple):
    """What is varied."""

    path: str
    low: float
    high: float
    now: float
    """what the file has; of a multiple 1"""
    whole: bool
    """whether it must be a whole number"""
    scaled: tuple[tuple[str, float], ...] = ()
    """of a multiple: each number's path and what the file has"""

    def put(self, portfolio: Portfolio, value: float) -> Portfolio:
        """The portfolio with the term at a value."""
        return with_terms(portfolio, self.changes(value))

    def changes(self, value: float) -> dict[str, float]:
        """What that changes, by path."""
        if self.scaled:
            return {path: one * value for path, one in self.scaled}
        return {self.path: round(value) if self.whole else value}


def term_of(portfolio: Portfolio, path: str, given: Range | None) -> Term:
    """The term at a path, and the range in which it is varied."""
    value = terms_at(portfolio, path)
    scaled = _numbers_of(value, path)
    if scaled:
        term = Term(path, 1.0 / WIDE, WIDE, 1.0, False, scaled)
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(
            "is not a number that can be varied", field=path, given="a block" if _holds(value) else value,
            allowed="the path of a number, or of a mapping of numbers",
        )  # fmt: skip
    else:
        term = Term(path, 0.0, 0.0, float(value), isinstance(value, int))
    if given is not None:
        return _within(term, given)
    return term if scaled else _default(portfolio, term)


def _holds(value: Any) -> bool:
    return isinstance(value, BaseModel | Mapping | tuple)


def _numbers_of(value: Any, path: str) -> tuple[tuple[str, float], ...]:
    """Of a mapping of numbers: their paths and values."""
    if not isinstance(value, Mapping) or not value:
        return ()
    numbers = {name: one for name, one in value.items() if isinstance(one, int | float)}
    if len(numbers) < len(value) or any(isinstance(one, bool) for one in numbers.values()):
        return ()
    return tuple((f"{path}.{name}", float(one)) for name, one in numbers.items())


def _within(term: Term, given: Range) -> Term:
    low, high = given
    if not low < high:
        raise InputError(
            "needs a range, the lower number first", field=term.path, given=f"{low:g} to {high:g}"
        )
    if term.whole:
        low, high = float(math.ceil(low)), float(math.floor(high))
        if not low < high:
            raise InputError(
                "is a whole number, of which the range needs two", field=term.path,
                given=f"{given[0]:g} to {given[1]:g}",
            )  # fmt: skip
    return term._replace(low=low, high=high)


def _default(portfolio: Portfolio, term: Term) -> Term:
    """The range that the models allow; where that is wide or endless, around what the file has."""
    low, high = limits_of(portfolio, term.path)
    if low is None or high is None or high - low > WIDTH:
        if term.now == 0.0:
            raise InputError("needs a range, as it is nil in the file", field=term.path)
        around = sorted((term.now / WIDE, term.now * WIDE))
        low = around[0] if low is None else max(low, around[0])
        high = around[1] if high is None else min(high, around[1])
    if term.whole:
        low, high = float(math.floor(low)), float(math.floor(high))
    return term._replace(low=_allowed(portfolio, term, low), high=_allowed(portfolio, term, high))


def _allowed(portfolio: Portfolio, term: Term, end: float) -> float:
    """The end of a range, or between it and what the file has as far as the models go."""
    if _fits(portfolio, term, end):
        return end
    good, bad = term.now, end
    for _ in range(TRIES):
        middle = (good + bad) / 2.0
        middle = float(round(middle)) if term.whole else middle
        good, bad = (middle, bad) if _fits(portfolio, term, middle) else (good, middle)
    return good


def _fits(portfolio: Portfolio, term: Term, value: float) -> bool:
    """Whether the portfolio can be made ready with the term at a value."""
    try:
        prepare(term.put(portfolio, value), only=_deal(portfolio, term.path))
    except InputError:
        return False
    return True


def _deal(portfolio: Portfolio, path: str) -> str | None:
    """The deal that a term belongs to, if it belongs to one."""
    place = place_of(portfolio, path, held_by)
    return str(place[1]) if place[0] == "deals" else None


# --- what the models allow --------------------------------------------------------------------------


def limits_of(portfolio: Portfolio, path: str) -> tuple[float | None, float | None]:
    """The least and the most that the models allow of a number, where they say."""
    value: Any = portfolio
    form: Any = Portfolio
    notes: Sequence[Any] = ()
    for key in place_of(portfolio, path, held_by):
        if isinstance(value, BaseModel):
            field = type(value).model_fields[str(key)]
            form, notes = field.annotation, field.metadata
        else:
            form, notes = _entry(form), ()
        value = dict(held_by(value))[key]
    low: float | None = None
    high: float | None = None
    for note in [*notes, *_notes(form)]:
        for name in ("ge", "gt"):
            least = getattr(note, name, None)
            low = low if least is None else max(float(least), -1e300 if low is None else low)
        for name in ("le", "lt"):
            most = getattr(note, name, None)
            high = high if most is None else min(float(most), 1e300 if high is None else high)
    if low is not None and high is not None:
        open_low = any(getattr(note, "gt", None) == low for note in [*notes, *_notes(form)])
        open_high = any(getattr(note, "lt", None) == high for note in [*notes, *_notes(form)])
        width = high - low
        return low + open_low * INSIDE * width, high - open_high * INSIDE * width
    return low, high


def _notes(form: Any) -> Iterator[Any]:
    """Every limit in a form, those of a union's members too."""
    if get_origin(form) is Annotated:
        inner, *notes = get_args(form)
        for note in notes:
            yield from getattr(note, "metadata", None) or [note]
        yield from _notes(inner)
    elif get_origin(form) in (Union, UnionType):
        for one in get_args(form):
            yield from _notes(one)


def _entry(form: Any) -> Any:
    """What an entry of a mapping or list is."""
    if get_origin(form) is Annotated:
        return _entry(get_args(form)[0])
    if get_origin(form) in (Union, UnionType):
        return next((found for one in get_args(form) if (found := _entry(one)) is not None), None)
    if get_origin(form) is dict:
        return get_args(form)[1]
    return get_args(form)[0] if get_origin(form) is tuple else None
