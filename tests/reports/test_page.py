"""Tables keep their width and never break a number."""

from __future__ import annotations

from socialfinance.reports.numbers import TIE
from socialfinance.reports.page import WIDTH, Page, stacked


def test_a_long_name_wraps_and_numbers_do_not():
    page = Page()
    rows = [("x" * 80, *["1,234,567"] * 9), ("a deal with a name of some words that goes on", *["1"] * 9)]
    page.table("Title", ("Deal", *["A long head of a column"] * 9), rows)

    lines = page.text.splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert sum(line.count("1,234,567") for line in lines) == 9
    assert "".join(line.split()[0] for line in lines if line.startswith("x")) == "x" * 80


def test_footnotes_follow_their_table_and_start_again():
    page = Page()
    for reason in ("no root", "no path"):
        mark = page.note(reason)
        page.table("", ("Deal", "IRR"), [("a", f"none {mark}"), ("b", f"none {page.note(reason)}")])

    assert page.text.count("(a) no root") == 1
    assert page.text.count("(a) no path") == 1
    assert "(b)" not in page.text


def test_ties_hold_words_together_and_are_not_seen():
    page = Page(width=20)
    page.say("Investors gain", f"£1.2m{TIE}±{TIE}£0.1m")
    assert page.text == "Investors gain\n£1.2m ± £0.1m\n"


def test_stacked_lines_stand_beside_one_name():
    page = Page()
    page.table("", ("Deal", "", "Paid"), [stacked("one", [("as it is", "1"), ("as it was", "22")])], names=2)
    assert page.text.splitlines()[2:] == ["one   as it is      1", "      as it was    22"]


def test_a_page_writes_its_own_currency():
    page = Page(symbol="A$")
    page.heading("In £")
    page.say("Investors draw £1.2m.")
    page.table("£000", ("Deal", "In £"), [("a", "-£5"), ("b", page.note("of £1"))], foot=("Sum", "£2"))
    assert "£" not in page.text
    for words in ("IN A$", "draw A$1.2m.", "A$000", "-A$5", "(a) of A$1", "A$2"):
        assert words in page.text
    assert len({len(line) for line in page.text.splitlines() if line.startswith(("a ", "b "))}) == 1
    assert "£1" in _said("£1")


def _said(words):
    page = Page()
    page.say(words)
    return page.text


def test_nothing_acts_on_the_terminal_and_columns_stay_straight():
    bad = "\x1b[31m\a\x00\u202e\u2066"
    page = Page()
    page.heading(bad)
    page.say(bad, "twice", bad)
    page.table(bad, ("Deal", bad), [(bad, "1"), ("b", f"2 {page.note(bad)}")], foot=(bad, "3"), names=1)
    assert all(line.isprintable() for line in page.text.splitlines())
    assert page.text.count("\\x1b[31m\\x07\\x00\\u202e\\u2066") == 7
    first = next(line for line in page.text.splitlines() if line.endswith(" 1"))
    assert len(first) == len(next(line for line in page.text.splitlines() if line.endswith(" 3")))
