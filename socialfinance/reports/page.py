"""A page of plain text: headings, sentences and tables, as wide on a terminal as in a file."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from socialfinance.core.text import visible
from socialfinance.reports.numbers import TIE

POUND = "£"
"""The sign that reports write for the file's currency; a page writes its own."""
WIDTH = 110
LEAST = 10
"""A column of names is never made narrower than this."""
Row = Sequence[str]


class Page:
    """Collects a page; ``text`` is what it says.

    What files say is made safe for a terminal as it comes in, and every pound sign becomes ``symbol``.
    """

    def __init__(self, width: int = WIDTH, symbol: str = POUND) -> None:
        self.width, self.symbol = width, symbol
        self._lines: list[str] = []
        self._notes: list[str] = []

    @property
    def text(self) -> str:
        """All that was written."""
        return "\n".join(line.rstrip() for line in self._lines).replace(TIE, " ").strip("\n") + "\n"

    def heading(self, words: str) -> None:
        """A heading, underlined."""
        words = self._written(words.upper())
        self._lines += ["", words, "=" * min(len(words), self.width)]

    def say(self, *sentences: str) -> None:
        """A paragraph."""
        words = self._written(" ".join(" ".join(sentences).split()))
        self._lines += wrap(words, self.width, break_on_hyphens=False)

    def gap(self) -> None:
        """An empty line."""
        self._lines.append("")

    def note(self, words: str) -> str:
        """The mark of a footnote to the next table, such as ``(a)``."""
        if words not in self._notes:
            self._notes.append(words)
        return f"({_letters(self._notes.index(words))})"

    def table(
        self, title: str, head: Row, rows: Sequence[Row], foot: Row | None = None, names: int = 1
    ) -> None:
        """A table whose first ``names`` columns are words, the others numbers; its footnotes follow.

        Numbers are never broken; names are, where the table would be too wide.
        """
        head, *rows = [[self._written(cell, "\n") for cell in row] for row in (head, *rows)]
        foot = [self._written(cell, "\n") for cell in foot] if foot else None
        whole = [*rows, foot] if foot else rows
        widths, space = _widths(head, whole, names, self.width)
        rule = "-" * (sum(widths) + space * (len(widths) - 1))
        self.gap()
        if title:
            self.say(title)
        lines = [*_row(head, widths, names, space, bottom=True), rule]
        for row in rows:
            lines += _row(row, widths, names, space)
        if foot:
            lines += [rule, *_row(foot, widths, names, space)]
        self._lines += lines
        for i, words in enumerate(self._notes):
            self.say(f"({_letters(i)}) {words}")
        self._notes = []

    def _written(self, words: str, keep: str = "") -> str:
        return visible(words.replace(POUND, self.symbol), keep)


def stacked(name: str, lines: Sequence[Row]) -> tuple[str, ...]:
    """Several lines of figures as one row beside a name, which may wrap over them."""
    columns = zip(*lines, strict=True)
    return (name, *("\n".join(cell.replace(" ", TIE) for cell in column) for column in columns))


def _widths(head: Row, rows: Sequence[Row], names: int, width: int) -> tuple[list[int], int]:
    """The width of every column and the space between them."""
    natural = [_widest(rows, i) for i in range(len(head))]
    heads = [max(_longest_word(words), -(-len(words) // 3)) for words in head]
    widths = [max(pair) for pair in zip(natural, heads, strict=True)]
    least = [LEAST] + [max(_longest_word(row[i]) for row in [head, *rows]) for i in range(1, names)]
    tight = sum(widths[names:]) + sum(min(pair) for pair in zip(least, widths, strict=False))
    space = 2 if tight + 2 * (len(head) - 1) <= width else 1
    while sum(widths) + space * (len(widths) - 1) > width:
        slack = [widths[i] - least[i] for i in range(names)]
        if max(slack) <= 0:
            break
        widths[max((i for i in range(names) if slack[i] > 0), key=lambda i: widths[i])] -= 1
    return widths, space


def _row(row: Row, widths: list[int], names: int, space: int, bottom: bool = False) -> list[str]:
    """The lines of one row; the cells of a head stand at its bottom."""
    cells = [_wrapped(cell, width) for cell, width in zip(row, widths, strict=True)]
    height = max(len(cell) for cell in cells)
    padded = [
        [""] * (height - len(cell)) + cell if bottom else cell + [""] * (height - len(cell)) for cell in cells
    ]
    return [
        (" " * space).join(
            cell[line].ljust(width) if i < names else cell[line].rjust(width)
            for i, (cell, width) in enumerate(zip(padded, widths, strict=True))
        )
        for line in range(height)
    ]


def _wrapped(cell: str, width: int) -> list[str]:
    return [line for part in cell.split("\n") for line in wrap(part, width) or [""]]


def _widest(rows: Sequence[Row], column: int) -> int:
    """The longest line in a column."""
    return max((len(line) for row in rows for line in row[column].split("\n")), default=0)


def _longest_word(text: str) -> int:
    return max(map(len, text.split()), default=0)


def _letters(i: int) -> str:
    """A footnote's letters: a to z, then aa, ab and so on."""
    return _letters(i // 26 - 1) + chr(97 + i % 26) if i >= 26 else chr(97 + i)
