"""Text from files and command lines, made safe to print."""

from __future__ import annotations

from unicodedata import category

ACTING = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Kinds of character that act on a terminal and are not seen: controls, marks of direction, line ends."""


def visible(text: str, keep: str = "") -> str:
    r"""The text with every acting character written out, such as ``\x1b`` or ``\u202e``; ``keep`` stays."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c in keep or category(c) not in ACTING else _written_out(c) for c in text)


def _written_out(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
