"""Nothing that a file says acts on a terminal."""

from __future__ import annotations

import pickle

import pytest

from socialfinance.core.errors import InputError
from socialfinance.core.text import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("£5 – “naïve” Ω \u4e2d", "£5 – “naïve” Ω \u4e2d"),
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("bell\a nul\0 del\x7f", "bell\\x07 nul\\x00 del\\x7f"),
        ("\x9b31m", "\\x9b31m"),
        ("one\ntwo\rthree\tfour", "one\\ntwo\\rthree\\tfour"),
        ("\u202aa\u202e\u2066b\u2069", "\\u202aa\\u202e\\u2066b\\u2069"),
        ("line\u2028end", "line\\u2028end"),
        ("\udcff", "\\udcff"),
    ],
)
def test_what_acts_on_a_terminal_is_written_out(text, shown):
    assert visible(text) == shown
    assert visible(shown) == shown


def test_what_is_kept_stays():
    assert visible("a\nb\x1b", keep="\n") == "a\nb\\x1b"


def test_an_error_shows_nothing_raw_wherever_it_stands():
    bad = "\x1b[31m\u202e"
    for error in (
        InputError(bad),
        InputError("x", file=bad),
        InputError("x", field=bad),
        InputError("x", given=[bad]),
        InputError("x", allowed=bad),
    ):
        assert "\\x1b[31m\\u202e" in str(error)
        assert str(error).isprintable()
        assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_a_list_is_shown_as_it_is_written():
    assert str(InputError("must be text", given=("a", "b"))) == "must be text (given [a, b])"
