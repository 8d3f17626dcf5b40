"""A workbook's live formulas worked out in plain Python: a second reader beside the spreadsheet programs."""

from __future__ import annotations

import re
from typing import Any

from openpyxl.utils import get_column_letter, range_boundaries

RANGE = re.compile(r"(?:(?:'([^']+)'|([A-Za-z]+))!)?(\$?[A-Z]{1,3}\$?[0-9]+)(?::(\$?[A-Z]{1,3}\$?[0-9]+))?")


class Worked:
    """The cells of a workbook, formulas worked out when they are asked for."""

    def __init__(self, book: Any) -> None:
        self.book = book
        self.known: dict[tuple[str, str], Any] = {}

    def value(self, sheet: str, cell: str) -> Any:
        """What a cell shows; nil where it is blank."""
        if (sheet, cell) not in self.known:
            held = self.book[sheet][cell]
            if held.data_type == "f":
                self.known[sheet, cell] = eval(self.as_python(sheet, held.value[1:]), self.words())
            else:
                self.known[sheet, cell] = 0.0 if held.value is None else held.value
        return self.known[sheet, cell]

    def as_python(self, sheet: str, formula: str) -> str:
        """A formula as Python: cells and ranges become calls."""

        def named(found: re.Match[str]) -> str:
            where = found[1] or found[2] or sheet
            first, last = found[3].replace("$", ""), (found[4] or "").replace("$", "")
            return f"R({where!r}, '{first}:{last}')" if last else f"V({where!r}, '{first}')"

        return RANGE.sub(named, formula).replace("IF(", "IF_(").replace("ABS(", "abs(")

    def words(self) -> dict[str, Any]:
        """The functions that formulas use."""
        return {
            "R": self.range, "V": self.value, "IF_": lambda test, yes, no: yes if test else no,
            "SUM": lambda values: sum(one for one in values if isinstance(one, int | float)),
            "SUMIFS": sum_ifs,
        }  # fmt: skip

    def range(self, sheet: str, cells: str) -> list[Any]:
        """The values of a range."""
        if (sheet, cells) not in self.known:
            left, top, right, bottom = range_boundaries(cells)
            self.known[sheet, cells] = [
                self.value(sheet, f"{get_column_letter(column)}{row}")
                for row in range(top, bottom + 1)
                for column in range(left, right + 1)
            ]
        return self.known[sheet, cells]


def sum_ifs(amounts: list[Any], *conditions: Any) -> float:
    pairs = list(zip(conditions[::2], conditions[1::2], strict=True))
    return sum(
        amount for n, amount in enumerate(amounts) if all(values[n] == wanted for values, wanted in pairs)
    )


def formulas(book: Any) -> list[tuple[str, str, str]]:
    """Every formula: sheet, cell, text."""
    return [
        (page.title, cell.coordinate, cell.value)
        for page in book.worksheets for row in page.iter_rows() for cell in row if cell.data_type == "f"
    ]  # fmt: skip


def row_of(page: Any, first: str, column: int = 1) -> int:
    """The row in which a text stands first in a column."""
    return next(row for row in range(1, page.max_row + 1) if page.cell(row=row, column=column).value == first)
