"""What a paper is made of, whatever it is written as, and how text from files is made fit to stand in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from unicodedata import bidirectional

from socialfinance.core.text import visible
from socialfinance.reports.numbers import TIE

NO_BREAK = "\u00a0"
"""The space at which no line is broken, which :data:`TIE` stands for."""
APART, AGAIN = "\u2068", "\u2069"
"""Around a name that is written from right to left, so that it does not turn what stands beside it."""
NO_CHARACTER = dict.fromkeys(range(0xFDD0, 0xFDF0), "?") | {
    plane * 0x10000 + last: "?" for plane in range(17) for last in (0xFFFE, 0xFFFF)
}
"""Numbers that are no characters, which no document may hold."""
LONGEST_NAME, LONGEST_CELL, LONGEST_PARAGRAPH = 48, 110, 2_400
"""Characters: a name, a cell and a paragraph are cut where they are longer, so that two pages stay two."""
CUT = "…"


class Table(NamedTuple):
    """A table under its title."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1
    """first columns that hold words; the others hold figures, and stand to the right"""
    foot: tuple[str, ...] = ()
    """the line of totals, where there is one"""


class Points(NamedTuple):
    """A list of points."""

    points: tuple[str, ...]


class Fields(NamedTuple):
    """Names and what stands beside them, at the head of a paper."""

    rows: tuple[tuple[str, str], ...]


Part = str | Table | Points | Fields
"""A paragraph, or what stands between paragraphs."""


class Section(NamedTuple):
    """A numbered section."""

    heading: str
    parts: tuple[Part, ...]


class Paper(NamedTuple):
    """A whole paper, as text that is ready to be written."""

    title: str
    status: str
    opening: Fields
    sections: tuple[Section, ...]
    about: str
    """where it comes from, at its foot"""


def named(name: str, most: int = LONGEST_NAME) -> str:
    """A name from a file: no acting character, not too long, and apart where it runs from right to left."""
    text = cut(safe(name), most)
    turned = any(bidirectional(character) in ("R", "AL", "AN") for character in text)
    return f"{APART}{text}{AGAIN}" if turned else text


def safe(text: str) -> str:
    """The text with what acts unseen written out, and a question mark for what is no character."""
    return visible(" ".join(text.split()), keep=TIE).translate(NO_CHARACTER)


def cut(text: str, most: int) -> str:
    """The text, or as much of it as is allowed and a mark."""
    return text if len(text) <= most else text[: most - 1].rstrip() + CUT


def settled(paper: Paper, symbol: str) -> Paper:
    """The paper with every text made fit: safe, not too long, in the file's currency."""

    def text(words: str, most: int = LONGEST_PARAGRAPH) -> str:
        kept = visible(words, keep=f"{TIE}{APART}{AGAIN}").translate(NO_CHARACTER)
        return cut(kept.replace("£", symbol).replace(TIE, NO_BREAK), most)

    def cells(row: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(text(cell, LONGEST_CELL) for cell in row)

    def part(one: Part) -> Part:
        if isinstance(one, Table):
            rows = tuple(cells(row) for row in one.rows)
            return Table(text(one.title), cells(one.head), rows, one.words, cells(one.foot))
        if isinstance(one, Points):
            return Points(tuple(text(point) for point in one.points))
        if isinstance(one, Fields):
            return Fields(tuple((text(name), text(value)) for name, value in one.rows))
        return text(one)

    opening = part(paper.opening)
    assert isinstance(opening, Fields)
    sections = tuple(Section(text(one.heading), tuple(map(part, one.parts))) for one in paper.sections)
    return Paper(text(paper.title), text(paper.status), opening, sections, text(paper.about))


def texts(part: Part) -> Iterator[str]:
    """Every text in a part, in order."""
    if isinstance(part, str):
        yield part
    elif isinstance(part, Points):
        yield from part.points
    elif isinstance(part, Fields):
        for row in part.rows:
            yield from row
    else:
        yield part.title
        for line in (part.head, *part.rows, part.foot):
            yield from line
