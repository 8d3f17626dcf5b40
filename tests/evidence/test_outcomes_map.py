"""The open outcomes map as data, and what the lines of the shipped programmes stand for."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

import socialfinance as sf
from socialfinance.core.errors import InputError
from socialfinance.evidence.outcomes_map import (
    KINDS,
    NO_TAG,
    Tag,
    outcomes_map,
    read_codes,
    shipped_codes,
    tag_of,
)
from socialfinance.io.files import load_part

ROOT = Path(__file__).resolve().parent.parent.parent


def test_forty_outcomes_in_the_map_s_order() -> None:
    """Matthew Pike, Mass collaboration, IPPR 2014, appendix: 29 social, 10 environmental, one economic."""
    rows = list(outcomes_map().values())

    assert [one.code for one in rows] == [f"OOM-{i:02}" for i in range(1, 41)]
    assert Counter(one.domain for one in rows) == {"social": 29, "environmental": 10, "economic": 1}
    assert {one.kind for one in rows} == set(KINDS)
    assert len({one.outcome for one in rows}) == 40
    assert all(one.measured_by and all(one.measured_by) for one in rows)


def test_every_shipped_code_is_of_a_line_that_is_shipped() -> None:
    parts = [load_part(path).terms for path in sorted((ROOT / "portfolios" / "programmes").glob("*.yaml"))]
    parts += [
        deal.programme
        for name in ("essex-mst", "fair-chance")
        for deal in sf.load(name).portfolio.deals.values()
    ]
    lines = {(one.title, line) for one in parts for line in getattr(one, "outcomes", {})}

    assert [about for about in shipped_codes() if about not in lines] == []


def test_the_first_name_that_is_known_goes_first() -> None:
    codes = read_codes(
        "programme,line,code,kind\nfamilies,job,OOM-07,\n*,job,OOM-06,need\n*,calm,,strength\n", "f"
    )

    assert tag_of(codes, "job", "families", "Some title") == Tag("OOM-07", "need")
    assert tag_of(codes, "job", "others") == Tag("OOM-06", "need")
    assert tag_of(codes, "calm", "others") == Tag("", "strength")
    assert tag_of(codes, "home", "families") == NO_TAG


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "codes.csv: is empty"),
        ("programme,line\nx,y\n", "codes.csv:1: code: is missing"),
        ("programme,line,code\n,job,OOM-07\n", "codes.csv:2: programme: is empty"),
        ("programme,line,code\n*,,OOM-07\n", "codes.csv:2: line: is empty"),
        ("programme,line,code\n*,job,OOM-41\n", "codes.csv:2: code: is no code of the map (given 'OOM-41';"),
        ("programme,line,code,kind\n*,job,OOM-07,wish\n", "codes.csv:2: kind: is no kind (given 'wish';"),
        ("programme,line,code,kind\n*,job,,\n", "codes.csv:2: code: needs a code or a kind"),
        ("programme,line,code\n*,job,OOM-07\n*,job,OOM-06\n", "codes.csv:3: line: stands twice (given 'job'"),
    ],
)
def test_broken_codes_say_what_is_wrong_in_one_line(text: str, words: str) -> None:
    with pytest.raises(InputError) as error:
        read_codes(text, "codes.csv")

    assert str(error.value).startswith(words)
