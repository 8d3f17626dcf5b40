"""Returns: read whole, put right by later ones, and refused in one line where they are not sound."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from socialfinance.core.errors import InputError
from socialfinance.engine.observed import observed
from socialfinance.engine.ready import ReadyPortfolio, prepare
from socialfinance.evidence.returns import COLUMNS, Returned, items, template
from socialfinance.io.files import load
from socialfinance.io.sheets import write_table

Line = dict[str, Any]
ONE, TWO = "2026-12-31", "2027-03-31"
LINES = ("started", "completed", "out of care 6 months", "out of care 12 months", "out of care 18 months")
COSTS = ("therapists", "set-up", "performance management", "evaluation")


@pytest.fixture(scope="module")
def ready() -> ReadyPortfolio:
    """One bond: edge-of-care."""
    return prepare(load("edge-of-care").portfolio)


def said(
    item: str, value: object, line: str = "", end: str = ONE, as_of: str = "2027-04-20", **more: object
) -> Line:
    return {
        "deal": "edge-of-care",
        "quarter_end": end,
        "item": item,
        "line": line,
        "value": value,
        "as_of": as_of,
        **more,
    }


def people(end: str, referrals: int, starts: int, **outcomes: int) -> list[Line]:
    rows = [said("referrals", referrals, end=end), said("starts", starts, end=end)]
    return rows + [said("outcome", outcomes.get(line.replace(" ", "_"), 0), line, end) for line in LINES]


def good() -> list[Line]:
    """Two quarters: 5 and 9 referred, 4 and 8 started."""
    return people(ONE, 5, 4, started=4) + people(TWO, 9, 8, started=8)


def written(folder: Path, rows: Iterable[Line], columns: Iterable[str] = COLUMNS) -> Path:
    path = folder / "returns.csv"
    with path.open("w", newline="") as out:
        writer = csv.DictWriter(out, list(columns), extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


def read(path: Path, ready: ReadyPortfolio, day: date = date(2030, 1, 1)) -> Any:
    returns = Returned(path, ready).on(day)
    observed(ready, returns.past)
    return returns


def test_two_quarters(tmp_path: Path, ready: ReadyPortfolio) -> None:
    returns = read(written(tmp_path, good()), ready)
    past = returns.past["edge-of-care"]
    assert [quarter.starts for quarter in past.quarters] == [4.0, 8.0]
    assert past.quarters[1].outcomes["started"] == 8.0
    assert (returns.values, returns.corrected) == (14, 0)


def test_a_later_day_puts_right_an_earlier_one(tmp_path: Path, ready: ReadyPortfolio) -> None:
    rows = [*good(), said("referrals", 10, end=TWO, as_of="2027-07-20")]
    path = written(tmp_path, rows)
    before, after = (read(path, ready, day) for day in (date(2027, 7, 19), date(2027, 7, 20)))
    assert before.past["edge-of-care"].quarters[1].referrals == 9.0
    assert after.past["edge-of-care"].quarters[1].referrals == 10.0
    assert (before.corrected, after.corrected) == (0, 1)


def test_a_late_quarter_is_named(tmp_path: Path, ready: ReadyPortfolio) -> None:
    returns = read(written(tmp_path, good()), ready, date(2027, 10, 1))
    assert returns.late == {"edge-of-care": (date(2027, 6, 30), date(2027, 9, 30))}


def test_payments_alone_are_read(tmp_path: Path, ready: ReadyPortfolio) -> None:
    """Without what funders paid in, the rest is as the terms make of it; what is lacking was drawn."""
    past = read(written(tmp_path, [*good(), said("paid", 1_000, "commissioner", TWO)]), ready).past
    assert past["edge-of-care"].cash == ({}, {("paid", "commissioner"): 1_000.0})


def test_payments_by_line_move_nothing(tmp_path: Path, ready: ReadyPortfolio) -> None:
    past = read(written(tmp_path, [*good(), said("outcome payment", 1_000, "started", TWO)]), ready).past
    assert past["edge-of-care"].paid_by_line == ({}, {"started": 1_000.0})
    assert past["edge-of-care"].cash == ({}, {})


def test_blank_values_say_nothing(tmp_path: Path, ready: ReadyPortfolio) -> None:
    returns = read(written(tmp_path, [*good(), said("cost", "", "therapists")]), ready)
    assert returns.past["edge-of-care"].quarters[0].costs == {}


def test_people_who_come_before_their_time_are_not_due_twice(tmp_path: Path, ready: ReadyPortfolio) -> None:
    """One of four completes a quarter early: three are due in the quarter after next."""
    rows = people(ONE, 5, 4, started=4) + people(TWO, 9, 8, started=8, completed=1)
    past = read(written(tmp_path, rows), ready).past
    known = observed(ready, past).ready.deals[0].programme.known
    assert [row.eligible[1] for row in known[1:]] == [0.0, 1.0]
    assert [row.joining[1] for row in known[1:]] == [3.0, 8.0]


def test_people_who_come_late_were_due_then(tmp_path: Path, ready: ReadyPortfolio) -> None:
    """Of four due to complete in the third quarter two do; with the eight of the fourth, ten more."""
    ends = (ONE, TWO, "2027-06-30", "2027-09-30")
    quarters = ((5, 4, 4, 0), (9, 8, 8, 0), (0, 0, 0, 2), (0, 0, 0, 9))
    rows: list[Line] = []
    for end, (referrals, starts, started, completed) in zip(ends, quarters, strict=True):
        rows += people(end, referrals, starts, started=started, completed=completed)
    rows = [{**row, "as_of": "2027-10-20"} for row in rows]
    past = read(written(tmp_path, rows), ready).past
    known = observed(ready, past).ready.deals[0].programme.known
    assert [row.eligible[1] for row in known[1:]] == [0.0, 0.0, 3.0, 9.0]
    assert [row.achieved[1] for row in known[1:]] == [0.0, 0.0, 2.0, 9.0]


def test_the_template_is_read_back_and_says_nothing(tmp_path: Path, ready: ReadyPortfolio) -> None:
    rows = template(ready, 2)
    assert len(rows) == 2 * sum(len(lines) for lines in items(ready.deals[0]).values())
    for name in ("blank.csv", "blank.xlsx"):
        write_table(tmp_path / name, "returns", (*COLUMNS, "note"), rows)
        with pytest.raises(InputError, match="says nothing"):
            Returned(tmp_path / name, ready)


def test_a_workbook_says_what_the_csv_says(tmp_path: Path, ready: ReadyPortfolio) -> None:
    write_table(tmp_path / "r.xlsx", "returns", COLUMNS, good())
    one, other = read(written(tmp_path, good()), ready), read(tmp_path / "r.xlsx", ready)
    assert one.past == other.past


def change(at: int, **cells: object) -> Callable[[], list[Line]]:
    def rows() -> list[Line]:
        found = good()
        found[at] = {**found[at], **cells}
        return found

    return rows


def more(*lines: Line) -> Callable[[], list[Line]]:
    return lambda: [*good(), *lines]


def without(*places: int) -> Callable[[], list[Line]]:
    return lambda: [line for i, line in enumerate(good()) if i not in places]


CASH = [said("paid", 0, "commissioner"), said("drawn", 100_000), said("repaid", 0), said("return", 0)]
SPENT = [said("cost", 1_000, line) for line in COSTS]

BROKEN: dict[str, tuple[Callable[[], list[Line]], str]] = {
    "unknown deal": (change(0, deal="edge of care"), "returns.csv:2: deal: is not a deal of the portfolio"),
    "no deal": (change(0, deal=""), "returns.csv:2: deal: is blank"),
    "no quarter's end": (change(0, quarter_end="2026-12-30"), "quarter_end: is no end of a quarter"),
    "after the last": (change(0, quarter_end="2046-12-31"), "quarter_end: is no end of a quarter"),
    "financial close": (change(0, quarter_end="2026-10-01"), "quarter_end: is no end of a quarter"),
    "no day": (
        change(0, quarter_end="31/12/2026"),
        "quarter_end: is no day (given '31/12/2026'; allowed: a day as",
    ),
    "month 13": (change(0, quarter_end="2026-13-31"), "quarter_end: is no day"),
    "blank day": (change(0, quarter_end=""), "quarter_end: is blank"),
    "unknown item": (
        change(0, item="referral"),
        "item: is not an item of edge-of-care (given 'referral'; allowed: perhaps referrals",
    ),
    "no item": (change(0, item=""), "item: is blank"),
    "savings paid": (more(said("savings paid", 1, "commissioner")), "item: is not an item of edge-of-care"),
    "unknown line": (change(2, line="finished"), "line: is not a line of outcome"),
    "no line": (change(2, line=""), "line: is blank"),
    "line too many": (
        change(0, line="started"),
        "line: referrals has no lines (given 'started'; allowed: nothing)",
    ),
    "unknown payer": (more(said("paid", 1, "treasury")), "line: is not a line of paid"),
    "no number": (change(0, value="five"), "value: is no number (given 'five'; allowed: digits and a point"),
    "comma": (change(0, value="1,200"), "value: is no number"),
    "pounds": (change(0, value="£5"), "value: is no number"),
    "per cent": (change(0, value="5%"), "value: is no number"),
    "not a number": (change(0, value="nan"), "value: is no number"),
    "infinite": (change(0, value="inf"), "value: is no number"),
    "underscore": (change(0, value="1_0"), "value: is no number"),
    "negative": (change(0, value=-5), "value: is out of range (given '-5'; allowed: nil or more"),
    "too large": (more(said("cost", 1e13, "therapists")), "value: is out of range"),
    "half a person": (
        change(1, value=3.5),
        "value: people are counted whole (given '3.5'; allowed: a whole number)",
    ),
    "before the end": (change(0, as_of="2026-11-30"), "as_of: is before the quarter's end"),
    "no as_of": (change(0, as_of=""), "as_of: is blank"),
    "as_of no day": (change(0, as_of="soon"), "as_of: is no day"),
    "said twice": (more(said("referrals", 6)), "returns.csv:16: as_of: says again what line 2 says"),
    "no referrals": (without(0), "edge-of-care, 2026-12-31: no referrals: a quarter is returned whole"),
    "no starts": (without(1), "no starts: a quarter is returned whole"),
    "no outcome": (without(3), "no outcome completed: a quarter is returned whole"),
    "a gap": (without(*range(7)), "edge-of-care, 2026-12-31: returned for 2027-03-31 but not for this"),
    "more starts": (
        change(1, value=6),
        "returns.csv:3: value: more people have started than were referred so far",
    ),
    "more achieved": (
        change(2, value=5),
        "returns.csv:4: value: more people achieved it than were on their way",
    ),
    "more completed": (
        change(10, value=13),
        "returns.csv:12: value: more people achieved it than were on their way",
    ),
    "part of the cash": (
        more(*CASH[:2], *SPENT),
        "no repaid: what funders paid and had comes with all cash",
    ),
    "no costs": (more(*CASH), "no cost therapists: what funders paid and had"),
    "paid out of nothing": (
        more(*CASH[:2], said("repaid", 1_500_000), CASH[3], *SPENT),
        "edge-of-care: the vehicle has paid",
    ),
    "nothing": (list, "says nothing: no row has a value"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_broken_returns(name: str, tmp_path: Path, ready: ReadyPortfolio) -> None:
    """One line: file, row, column, given, allowed."""
    rows, expected = BROKEN[name]
    with pytest.raises(InputError) as caught:
        read(written(tmp_path, rows()), ready)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "not text": (b"deal\0", "is not text"),
    "latin": (b"deal,quarter_end\n\xa3", ":2: is not UTF-8 text"),
    "missing column": (b"deal,quarter_end,item,line,value\n", ":1: as_of: column is missing"),
    "unknown column": (b"deal,quarter_end,item,line,amount,as_of\n", ":1: amount: is no column"),
    "column twice": (b"deal,quarter_end,item,line,value,as_of,value\n", ":1: value: is there twice"),
    "more cells": (
        b"deal,quarter_end,item,line,value,as_of\na,2026-12-31,referrals,,1,200,2027-01-20\n",
        ":2: has more cells than there are columns",
    ),
    "open quote": (b'deal,quarter_end,item,line,value,as_of\n"a,b\n', "is no table"),
}


@pytest.mark.parametrize("name", FILES)
def test_broken_files(name: str, tmp_path: Path, ready: ReadyPortfolio) -> None:
    content, expected = FILES[name]
    path = tmp_path / "returns.csv"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        Returned(path, ready)
    assert expected in str(caught.value)


def test_no_such_file(tmp_path: Path, ready: ReadyPortfolio) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        Returned(tmp_path / "none.csv", ready)


def test_a_workbook_that_is_none(tmp_path: Path, ready: ReadyPortfolio) -> None:
    (tmp_path / "r.xlsx").write_bytes(b"PK")
    with pytest.raises(InputError, match="is no workbook"):
        Returned(tmp_path / "r.xlsx", ready)


def test_before_anything_was_said(tmp_path: Path, ready: ReadyPortfolio) -> None:
    with pytest.raises(InputError, match="nothing had been returned by then"):
        Returned(written(tmp_path, good()), ready).on(date(2027, 1, 1))
