"""YAML into plain data with line marks."""

from __future__ import annotations

from datetime import date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from socialfinance.core.errors import InputError
from socialfinance.io import yaml

TEXT = """\
# a remark
answers: [yes, no, on, off, true, False]
numbers:
  whole: 150_000
  zeros: 010
  hex: 0x1F
  octal: 0o17
  power: 1e3
  point: .5
  minus: -2.25
  time: 12:30
day: 2026-04-01
nothing:
also nothing: ~
quoted: '2026-04-01'
true: a name
2026: another
layers:
  - cover: 0.5

  - cover: 0.2
folded: >
  two
  lines
"""


def read(text):
    return yaml.parse(text.encode() if isinstance(text, str) else text, "x.yaml")


def test_scalars_are_plain():
    data = yaml.plain(read(TEXT))

    assert data == {
        "answers": ("yes", "no", "on", "off", True, False),
        "numbers": {
            "whole": 150_000, "zeros": 10, "hex": 31, "octal": 15, "power": 1000.0, "point": 0.5,
            "minus": -2.25, "time": "12:30",
        },
        "day": date(2026, 4, 1),
        "nothing": None,
        "also nothing": None,
        "quoted": "2026-04-01",
        "true": "a name",
        "2026": "another",
        "layers": ({"cover": 0.5}, {"cover": 0.2}),
        "folded": "two lines\n",
    }  # fmt: skip
    assert type(data["numbers"]["power"]) is float
    assert type(data["numbers"]["whole"]) is int
    assert type(data["day"]) is date
    assert type(data) is dict
    assert type(data["quoted"]) is str


def test_every_field_has_its_line():
    marks = yaml.marks(read(TEXT))

    assert {mark.file for mark in marks.values()} == {"x.yaml"}
    lines = {path: mark.line for path, mark in marks.items()}
    assert lines[()] == 2
    assert lines[("answers", 4)] == 2
    assert lines[("numbers",)] == 3
    assert lines[("numbers", "point")] == 9
    assert lines[("layers", 0)] == lines[("layers", 0, "cover")] == 19
    assert lines[("layers", 1, "cover")] == 21


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm():
    node = read(b"\xef\xbb\xbfa: 1\r\nb:\r\n  c: x\r\n")

    assert yaml.plain(node) == {"a": 1, "b": {"c": "x"}}
    assert yaml.marks(node)["b", "c"].line == 3


def test_standard_tags_are_harmless():
    assert yaml.plain(read("a: !!str 5\nb: !!float 5\nc: !!int 5")) == {"a": "5", "b": 5.0, "c": 5}


@pytest.mark.parametrize(
    "text",
    [
        "a: !!set {x}", "a: !!binary aGk=", "a: !!omap [x: 1]", "a: !!python/name:os.system", "!x a: 1",
        "a: !!int x", "a: !!bool maybe", "a: !!float x", "a: !!timestamp x", "<<: &a {b: 1}", "? {a: 1}\n: 2",
    ],
)  # fmt: skip
def test_nothing_else_is_built(text):
    with pytest.raises(InputError) as caught:
        read(text)

    assert (caught.value.file, caught.value.line) == ("x.yaml", 1)


def test_python_data_is_read_the_same():
    node = yaml.from_data({"a": [1, (2.0, "x")], "b": {"c": date(2026, 4, 1)}})

    assert yaml.plain(node) == {"a": (1, (2.0, "x")), "b": {"c": date(2026, 4, 1)}}
    assert yaml.marks(node) == {}


def test_python_data_that_cannot_be_a_file():
    endless: dict[str, object] = {}
    endless["again"] = endless

    with pytest.raises(InputError, match="nested more than 40 deep"):
        yaml.from_data(endless)
    with pytest.raises(InputError, match="a name must be text"):
        yaml.from_data({"a": {1: 2}})
    assert type(yaml.plain(yaml.from_data({"a": datetime(2026, 4, 1)}))["a"]) is datetime


AWKWARD = [
    "yes",
    "no",
    "null",
    "~",
    "1e3",
    "2026-04-01",
    "true",
    "a: b",
    "#",
    "- x",
    " x ",
    "%",
    "<<",
    "=",
    "",
]
NUMBERS = st.integers(-(2**63) + 1, 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=9) | st.sampled_from(
    AWKWARD
)
SCALARS = st.none() | st.booleans() | NUMBERS | st.dates() | WORDS
NAMES = st.text("abc 019._+-", min_size=1, max_size=8) | st.sampled_from(["true", "null", "2026", "1e3"])


@settings(max_examples=40)
@given(
    st.dictionaries(
        NAMES,
        st.recursive(
            SCALARS, lambda inner: st.lists(inner).map(tuple) | st.dictionaries(NAMES, inner), max_leaves=8
        ),
        min_size=1,
    )
)
def test_what_is_written_reads_back(data):
    assert yaml.plain(read(yaml.dump(data))) == data


@given(
    st.binary(max_size=40)
    | st.text(st.sampled_from("ab:-[]{}'\"\n\t #&*!|>%@`?,~.1\u00e9\x00"), max_size=40).map(str.encode)
)
def test_anything_is_read_or_refused(content):
    problem = None
    try:
        read(content)
    except InputError as error:
        problem = error

    assert problem is None or (problem.file == "x.yaml" and "\n" not in str(problem))
