"""Where each value of a portfolio stands in an input workbook.

A sheet is either a list of fields (one value a row: ``field``, ``value`` and what may stand there) or a table
(one named entry a row, one field a column). Which sheet a value belongs to follows from its path alone, so
every file has one layout, and every sheet gives back full paths.
"""

from __future__ import annotations

import math
import re
from datetime import date
from typing import Any, NamedTuple

from socialfinance.core.errors import InputError, field_path
from socialfinance.io.yaml import FieldPath
from socialfinance.workbooks.cells import LONGEST_TEXT, units


class Sheet(NamedTuple):
    """A sheet of the input workbook."""

    name: str
    at: tuple[str | None, ...]
    """the path of what it holds; None where a name stands that a column gives"""
    heads: tuple[str, ...]
    """headings of the columns with those names"""
    is_table: bool
    holds: str
    """what it is for, in a sentence"""


FIELD, VALUE, ITSELF = "field", "value", "(value)"
"""Headings; ``(value)`` is an entry that has no fields but is a value itself."""
SHEETS = (
    Sheet("Portfolio", (), (), False, "The file as a whole: its name, its first day, how long it runs."),
    Sheet("Parties", ("parties", None), ("party",), True, "Who can pay and be paid."),
    Sheet("Indices", ("indices", None), ("index",), True, "Price and wage indices: growth a year."),
    Sheet("Factors", ("factors", None), ("factor",), True, "What moves deals together."),
    Sheet("Deals", ("deals", None), ("deal",), False, "One programme on one structure, and its parties."),
    Sheet("Programmes", ("deals", None, "programme"), ("deal",), False, "What is financed."),
    Sheet("Outcomes", ("deals", None, "programme", "outcomes", None), ("deal", "outcome"), True,
          "The funnel: outcomes, the chance of each, and when it falls."),
    Sheet("Costs", ("deals", None, "programme", "costs", None), ("deal", "cost"), True, "What it costs."),
    Sheet("Savings", ("deals", None, "programme", "savings", None), ("deal", "saving"), True,
          "What agencies no longer spend."),
    Sheet("Instruments", ("deals", None, "instrument"), ("deal",), False,
          "How it is paid for: the agreed terms."),
    Sheet("Tariffs", ("deals", None, "tariff"), ("deal",), False, "Who pays for outcomes, and up to what."),
    Sheet("Prices", ("deals", None, "tariff", "prices", None), ("deal", "outcome"), True,
          "What an outcome is worth."),
    Sheet("Fund", ("fund",), (), False, "The fund over all deals: calls, costs, waterfall, pool and policy."),
    Sheet("Notes", ("fund", "notes", None), ("note",), True, "What the fund's investors hold."),
    Sheet("Comparison", ("comparison",), (), False, "What deals are held against."),
    Sheet("Books", ("books", None), ("party",), False, "What public bodies tell of their own books."),
)  # fmt: skip
BY_NAME = {sheet.name: sheet for sheet in SHEETS}
READ_ME = "Read me"
"""The first sheet: for people, never read."""
OWN = "_"
"""Sheets and columns of a table that begin with it are the user's own, and are passed over."""
ABOVE = ("(unit)", "(allowed)", "(meaning)")
"""Rows of a table that say what may stand in a column, in the order in which they are written."""
BESIDE = ("unit", "allowed", "meaning")
"""Columns of a list of fields that say the same."""


def sheet_of(path: FieldPath) -> Sheet:
    """The sheet a value belongs to: the one whose path is the longest beginning of its own."""
    fits = [sheet for sheet in SHEETS if _holds(sheet, path)]
    return max(fits, key=lambda sheet: len(sheet.at))


def _holds(sheet: Sheet, path: FieldPath) -> bool:
    if len(path) < len(sheet.at) or (not sheet.is_table and sheet.at and len(path) == len(sheet.at)):
        return False
    return all(
        _is_name(part) if wanted is None else part == wanted
        for wanted, part in zip(sheet.at, path, strict=False)
    )


def _is_name(part: str | int) -> bool:
    """Whether it can stand in a name column: the rest, which no model accepts, stands in a field."""
    return isinstance(part, str) and part == part.strip() and part[:1] not in ("", "(", OWN)


def names_in(sheet: Sheet, path: FieldPath) -> tuple[str, ...]:
    """The names that a path gives to the sheet's name columns."""
    return tuple(str(part) for wanted, part in zip(sheet.at, path, strict=False) if wanted is None)


def beginning(sheet: Sheet, names: tuple[str, ...]) -> FieldPath:
    """The path of what these names stand for."""
    left = iter(names)
    return tuple(next(left) if part is None else part for part in sheet.at)


# --- fields as text -------------------------------------------------------------------------------

_PLAIN = re.compile(r"[^.\[\]\"()\s](?:[^.\[\]\"()]*[^.\[\]\"()\s])?")
_TOKEN = re.compile(
    r"\"(?P<quoted>(?:[^\"]|\"\")*)\"|\[(?P<position>[0-9]{1,6})\]|(?P<list>\[\])|(?P<plain>[^.\[\]\"()]+)"
)


def written(path: FieldPath, is_list: bool = False) -> str:
    """A path as errors write it, a name with a dot or bracket in quotes; ``[]`` after it: a whole list."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if _PLAIN.fullmatch(part) else '"' + part.replace('"', '""') + '"'
            text += f".{name}" if text else name
    return (text or ITSELF) + ("[]" if is_list else "")


def read_field(text: str) -> tuple[FieldPath, bool]:
    """The path that a text stands for, and whether it is a whole list. ValueError where it is no path."""
    is_list = text.endswith("[]")
    text = text.removesuffix("[]") if is_list else text
    if text == ITSELF:
        return (), is_list
    found: list[str | int] = []
    at = 0
    while at < len(text):
        if found and text[at] == ".":
            at += 1
        elif found and text[at] != "[":
            raise ValueError(text)
        token = _TOKEN.match(text, at)
        if token is None or token["list"] or (token["position"] and text[at - 1 : at] == "."):
            raise ValueError(text)
        if token["position"] is not None:
            found.append(int(token["position"]))
        elif token["quoted"] is not None:
            found.append(token["quoted"].replace('""', '"'))
        else:
            found.append(token["plain"].strip())
        at = token.end()
    if not found or text.endswith("."):
        raise ValueError(text)
    return tuple(found), is_list


# --- values as cells ------------------------------------------------------------------------------

_MARKS: dict[str, Any] = {"(nothing)": None, "(empty list)": (), "(no entries)": {}, "(empty text)": ""}
"""Texts that stand for what a cell cannot show. A text that is one of them has a backslash before it."""
_NUMBER = re.compile(r"[+-]?[0-9]+(?P<part>(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_HELD = re.compile(r"[^\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]*")
SCALAR = (str, bool, int, float, date)


def to_cell(value: Any, path: FieldPath) -> Any:
    """What a cell holds for a value that has no fields. InputError for a text that no cell can hold."""
    if isinstance(value, str) and value:
        _check_text(value, path)
        return f"\\{value}" if value.lstrip("\\") in _MARKS else value
    for mark, meant in _MARKS.items():
        if type(value) is type(meant) and value == meant:
            return mark
    return value


def from_cell(value: Any) -> Any:
    """The value that a cell stands for; ValueError, in words, where it stands for none."""
    if isinstance(value, str):
        if value in _MARKS:
            return _MARKS[value]
        return value[1:] if value.startswith("\\") and value.lstrip("\\") in _MARKS else value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("must be a finite number")
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    return value


def as_list(values: tuple[Any, ...]) -> Any:
    """A list of plain values as one cell, ``5; 6; 7``; None where it would not read back the same."""
    texts = [_item_text(value) for value in values]
    if not texts or any(text is None for text in texts):
        return None
    joined = "; ".join(str(text) for text in texts)
    if units(joined) > LONGEST_TEXT or not _HELD.fullmatch(joined) or "\n" in joined:
        return None
    if len(values) == 1 and not isinstance(values[0], str):
        return values[0]
    return joined if from_list(joined) == values else None


def _item_text(value: Any) -> str | None:
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        text = str(int(value))
    elif isinstance(value, SCALAR):
        text = str(value)
    else:
        return None
    back = _item(text)
    same = back == value and isinstance(back, str) == isinstance(value, str)
    alike = isinstance(back, bool) == isinstance(value, bool)
    return text if text and same and alike and text == text.strip() and ";" not in text else None


def from_list(value: Any) -> tuple[Any, ...]:
    """The list that a cell stands for. ValueError, in words, where an entry is left out."""
    if not isinstance(value, str):
        return (from_cell(value),)
    texts = [text.strip() for text in value.split(";")]
    if not all(texts):
        raise ValueError("has an entry with nothing in it")
    return tuple(_item(text) for text in texts)


def _item(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    number = _NUMBER.fullmatch(text)
    if number and math.isfinite(float(text)):
        return from_cell(float(text)) if number["part"] or len(text) > 15 else int(text)
    if _DAY.fullmatch(text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            return text
    return text


def _check_text(text: str, path: FieldPath) -> None:
    if units(text) + text.count("_x") * 6 > LONGEST_TEXT:
        raise InputError(
            f"is too long a text for a cell, which holds {LONGEST_TEXT:,} characters", field=field_path(path)
        )
    if not _HELD.fullmatch(text) or "x005F_" in text:
        raise InputError("holds a character that a workbook cannot keep", field=field_path(path), given=text)
