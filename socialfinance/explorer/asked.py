"""What a page asks for, checked; the portfolio that it asks about; and the file that says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from socialfinance.core.errors import InputError
from socialfinance.core.text import visible
from socialfinance.engine.ready import prepare
from socialfinance.explorer.controls import PRICES, SUCCESS, WHOLE, Control, multiplied, some_controls
from socialfinance.funds.portfolio import Portfolio
from socialfinance.funds.terms_at import held, place_of, with_terms
from socialfinance.io.changes import BASE
from socialfinance.io.files import term_sheet
from socialfinance.io.yaml import dump
from socialfinance.pricing.structures import STANDARD, instruments

LARGEST = 1e15
MOST = 500
"""Values in one request."""
PATHS = (".yaml", ".yml", ".xlsx")
"""Endings of files that are named by where they lie."""
AS_FILED = ""
"""Stands for the structure that the file has."""
Names = tuple[tuple[str, str], ...]
Values = tuple[tuple[str, float], ...]


class Asked(NamedTuple):
    """The whole state of a page: nothing of it is kept between requests."""

    view: str
    """a deal, or empty for all together"""
    structures: Names = ()
    """chosen structure by deal, in order of their names"""
    values: Values = ()
    """what was moved, by name"""

    def untouched(self) -> Asked:
        """The same view of the file as it is."""
        return Asked(self.view)


@dataclass(frozen=True)
class Source:
    """The file that is explored."""

    portfolio: Portfolio
    name: str
    """how another file names it: ``based_on``"""


@dataclass(frozen=True)
class Terms:
    """A portfolio as asked for, and how it differs from the file."""

    portfolio: Portfolio
    structured: Portfolio
    """with the chosen structures, nothing else moved"""
    changes: Mapping[str, Any]
    """what was moved, by path"""
    dropped: Mapping[str, tuple[str, ...]]
    """by deal the roles that its structure has no need of"""


def read(portfolio: Portfolio, data: Any) -> Asked:
    """A request, as JSON has it. InputError where it is no state of a page of this portfolio."""
    if not isinstance(data, dict):
        raise InputError("is no request of this page", given=data)
    view, structures, values = data.get("view"), data.get("structures", {}), data.get("values", {})
    if not isinstance(view, str) or view not in views(portfolio):
        raise InputError("is no view of this portfolio", field="view", given=view)
    if not isinstance(structures, dict) or not isinstance(values, dict) or len(values) > MOST:
        raise InputError("must be a mapping", field="structures, values")
    for deal, name in structures.items():
        if deal not in portfolio.deals:
            raise InputError("is not a deal of this portfolio", field="structures", given=deal)
        if not isinstance(name, str) or (name != AS_FILED and name not in STANDARD):
            raise InputError("is no structure", field=deal, given=name, allowed=", ".join(STANDARD))
    chosen = tuple(sorted((deal, name) for deal, name in structures.items() if name != AS_FILED))
    return Asked(view, chosen, tuple(sorted((name, _number(name, one)) for name, one in values.items())))


def views(portfolio: Portfolio) -> tuple[str, ...]:
    """What can be looked at: all together where there is more than one deal, and each deal."""
    whole = (WHOLE,) if len(portfolio.deals) > 1 or portfolio.fund.notes else ()
    return (*whole, *portfolio.deals)


def _number(name: str, given: Any) -> float:
    is_number = isinstance(given, int | float) and not isinstance(given, bool)
    if not is_number or not -LARGEST < given < LARGEST:  # what is no number at all is not between, either
        raise InputError("must be a number", field=name, given=given)
    return float(given)


def terms_of(portfolio: Portfolio, asked: Asked) -> Terms:
    """The portfolio that is asked about. InputError where the models refuse it."""
    structured, dropped = portfolio, {}
    for deal, name in asked.structures:
        structured, dropped[deal] = on_structure(structured, deal, name)
    values, known = dict(asked.values), some_controls(structured, dict(asked.values))
    for name, value in values.items():
        _within(known, name, value)
    multiples = {name for name in values if name.rpartition(".")[2] in (SUCCESS, PRICES)}
    changes = {name: value for name, value in values.items() if name not in multiples}
    changes |= multiplied(structured, values)
    made = with_terms(structured, changes) if changes else structured
    return Terms(made, structured, changes, dropped)


def _within(known: Mapping[str, Control], name: str, value: float) -> None:
    one = known.get(name)
    if one is None:
        raise InputError("cannot be moved with these structures", field=name)
    if not one.low - 1e-9 <= value <= one.high + 1e-9:
        raise InputError(
            "is out of range", field=one.label, given=value, allowed=f"{one.low:g} to {one.high:g}"
        )


# --- structures -------------------------------------------------------------------------------------


def structures(portfolio: Portfolio, deal: str) -> dict[str, str]:
    """The standard structures on which a deal can be run, and what each is in a few words."""
    kind = portfolio.deals[deal].programme.kind
    found = {}
    for name, (_, says) in instruments(kind, ("all",), term_sheet).items():
        try:
            on_structure(portfolio, deal, name)
        except InputError:
            continue  # it does not fit this deal, and is not offered
        found[name] = says
    return found


def on_structure(portfolio: Portfolio, deal: str, name: str) -> tuple[Portfolio, tuple[str, ...]]:
    """A deal on a standard structure, without the roles that then nothing needs; and which those are.

    Its draws are the same: they are keyed by the deal's name. InputError where it does not fit.
    """
    terms, _ = instruments(portfolio.deals[deal].programme.kind, (name,), term_sheet)[name]
    before = portfolio.deals[deal]
    roles = dict(before.parties)
    for _ in range(len(roles) + 1):
        one = before.model_copy(update={"instrument": terms, "parties": roles})
        made = portfolio.model_copy(update={"deals": {**portfolio.deals, deal: one}})
        try:
            prepare(made, deal)
            return made, tuple(role for role in before.parties if role not in roles)
        except InputError as error:
            role = (error.field or "").removeprefix(f"deals.{deal}.parties.")
            if role not in roles:
                raise
            del roles[role]
    raise InputError("does not fit this deal", field=f"deals.{deal}.instrument", given=name)


# --- the file ---------------------------------------------------------------------------------------


def file_of(source: Source, asked: Asked) -> str:
    """What was changed, as a YAML file laid over the one that is explored.

    A list is laid over whole, as it cannot be by its places.
    """
    terms = terms_of(source.portfolio, asked)
    data: dict[str, Any] = {BASE: source.name, "name": file_name(source)}
    for deal, name in asked.structures:
        _put(data, ("deals", deal, "instrument"), _sheet(name))
        for role in terms.dropped[deal]:
            _put(data, ("deals", deal, "parties", role), None)
    plain = terms.portfolio.model_dump(mode="json", exclude_unset=True)
    for path in terms.changes:
        place = place_of(terms.portfolio, path, held)
        cut = next((n for n, key in enumerate(place) if isinstance(key, int)), len(place))
        _put(data, place[:cut], _found(plain, place[:cut]))
    title = visible(source.portfolio.title or source.portfolio.name)
    beside = ", which must lie beside this file" if source.name.endswith(PATHS) else ""
    head = f"# {title}, changed in the explorer; all else is as in its base{beside}."
    return f"{head}\n{dump(data)}"


def file_name(source: Source) -> str:
    """The name of the portfolio in the file."""
    return f"{source.portfolio.name}-explored"


def _sheet(name: str) -> Any:
    """A standard structure as a file says it."""
    one = STANDARD[name]
    return {BASE: one.sheet, **_listed(one.changes)} if one.changes else {BASE: one.sheet}


def _listed(value: Any) -> Any:
    """Plain data with lists for tuples."""
    if isinstance(value, Mapping):
        return {key: _listed(one) for key, one in value.items()}
    return [_listed(one) for one in value] if isinstance(value, list | tuple) else value


def _put(data: dict[str, Any], place: tuple[Any, ...], value: Any) -> None:
    for key in place[:-1]:
        data = data.setdefault(key, {})
    data[place[-1]] = value


def _found(data: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        data = data[key]
    return data
