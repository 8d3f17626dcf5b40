"""Tables of projects and of metrics: what is read, what is refused in one line, what is flagged."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socialfinance.core.errors import InputError
from socialfinance.evidence.panel import Panel, read_metrics, read_panel
from socialfinance.io.shipped import library

HEAD = "project,sector,plan,paid,claims,start,end,ended,maximum,ratio,plan_1,paid_1,plan_2,paid_2"
GOOD = "a,health,1000,900,50,2019-04,2021-03,true,1000,0.9,400,300,800,700"
OTHER = "b,employment,2000,2100,0,2020-01,2022-12,true,2200,1.05,900,1000,,"
METRICS = "project,metric,stage,target,achieved\na,home,outcome,100,80\n"


def table(folder: Path, *rows: str, head: str = HEAD) -> Path:
    file = folder / "panel.csv"
    file.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return file


def refused(file: Path, read=read_panel) -> str:
    with pytest.raises(InputError) as error:
        read(file)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_table_is_read(tmp_path):
    file = table(tmp_path, GOOD, "", "# passed over", OTHER)
    panel = read_panel(file)
    one, two = panel.projects
    assert (one.name, one.sector, one.plan, one.paid, one.claims, one.ended) == (
        "a", "health", 1000.0, 900.0, 50.0, True,
    )  # fmt: skip
    assert one.ratio == 0.9
    assert one.earned_ratio == 0.85
    assert (one.plan_by_year, one.paid_by_year) == ((400.0, 800.0), (300.0, 700.0))
    assert (two.plan_by_year, two.paid_by_year) == ((900.0,), (1000.0,))
    assert panel.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert panel.flags == ()
    assert not panel.illustrative


def test_exposure_counts_whole_months_both_ends_included(tmp_path):
    one, two = read_panel(table(tmp_path, GOOD, OTHER)).projects
    assert one.exposure(2020) == 12 / 24
    assert two.exposure(2020) == 12 / 36
    assert one.exposure(2021) == 3 / 24
    assert one.exposure(2018) == 0.0


def test_other_names_and_order_of_columns(tmp_path):
    head = "r_plan1,covid,actual,plan1,Sector,pid,a0,a1,maxpay,ended,cap,capmin,capmax"
    one = read_panel(
        table(tmp_path, "0.5,0,50,100,x,7,2019-01,2019-12-31,100,False,9,,", head=head)
    ).projects[0]
    assert (one.name, one.plan, one.paid, one.exposure(2019), one.ended) == ("7", 100.0, 50.0, 1.0, False)


@given(
    st.lists(
        st.tuples(st.floats(1.0, 1e9), st.floats(0.0, 3.0), st.floats(0.0, 1.0)), min_size=1, max_size=12
    )
)
def test_what_is_written_is_read(tmp_path_factory, rows):
    """Property: amounts come back to the last bit, in order."""
    written = [(plan + i, (plan + i) * ratio, share) for i, (plan, ratio, share) in enumerate(rows)]
    lines = [f"p{i},s,{plan!r},{paid!r},{paid * share!r}" for i, (plan, paid, share) in enumerate(written)]
    pairs = [(plan, paid) for plan, paid, _ in written]
    if len(set(pairs)) < len(pairs):
        return  # refused as a copied row
    folder = tmp_path_factory.mktemp("panel")
    projects = read_panel(table(folder, *lines, head="project,sector,plan,paid,claims")).projects
    assert [(one.plan, one.paid) for one in projects] == pairs
    assert [one.claims for one in projects] == [paid * share for _, paid, share in written]


BROKEN: dict[str, tuple[tuple[str, ...], str]] = {
    "a project twice": ((GOOD, OTHER.replace("b,", "A,")), ":3: project: stands twice (given 'A'"),
    "a copied row": ((GOOD, GOOD.replace("a,", "c,", 1)), ":3: paid: plan and paid are those of another"),
    "a plan of nothing": ((GOOD.replace("1000,900", "0,900"),), ":2: plan: is out of range"),
    "a plan below nothing": ((GOOD.replace("1000,900", "-5,900"),), ":2: plan: is out of range"),
    "no plan": ((GOOD.replace("1000,900", ",900"),), ":2: plan: is missing"),
    "paid below nothing": ((GOOD.replace("1000,900", "1000,-1"),), ":2: paid: is out of range"),
    "paid in words": ((GOOD.replace("900,50", "most,50"),), ":2: paid: is not a number (given 'most'"),
    "an underscore in a number": ((GOOD.replace("900,50", "9_00,50"),), ":2: paid: is not a number"),
    "digits of another script": ((GOOD.replace("900,50", "٩٠٠,50"),), ":2: paid: is not a number"),
    "not a number": ((GOOD.replace("900,50", "nan,50"),), ":2: paid: is out of range"),
    "without end": ((GOOD.replace("900,50", "inf,50"),), ":2: paid: is out of range"),
    "more than there is": ((GOOD.replace("1000,900", "1e15,900"),), ":2: plan: is out of range"),
    "a pound sign": ((GOOD.replace("900,50", "£900,50"),), ":2: paid: is not a number"),
    "a comma in a number": ((GOOD.replace("900,50", "1,900,50"),), ":2: has another number of cells"),
    "a quoted comma": ((GOOD.replace("900,50", '"1,900",50'),), ":2: paid: is not a number"),
    "a row too short": (("a,health,1000",), ":2: has another number of cells"),
    "claims above paid": ((GOOD.replace("900,50", "900,901"),), ":2: claims: is more than was paid"),
    "an end before the start": (
        (GOOD.replace("2019-04,2021-03", "2019-04,2018-09"),),
        ":2: end: is before the start (given '2018-09'",
    ),
    "a month that is none": ((GOOD.replace("2019-04", "2019-13"),), ":2: start: is not a month"),
    "a day in another order": ((GOOD.replace("2019-04", "04/2019"),), ":2: start: is not a month"),
    "ended, perhaps": ((GOOD.replace("true", "maybe"),), ":2: ended: is neither true nor false"),
    "a cap per person as plan": (("a,health,11800,2000000,0,,,,,,,,,",), ":2: plan: is far below what was"),
    "a cap per person as maximum": (
        (GOOD.replace("1000,900,50", "1000000,900000,50").replace(",1000,", ",11800,"),),
        ":2: maximum: is a cap per person",
    ),
    "a ratio that is none": ((GOOD.replace("0.9,400", "0.95,400"),), ":2: ratio: is not paid / plan"),
    "payments that fall": ((GOOD.replace("300,800,700", "300,800,200"),), ":2: paid_2: falls"),
    "a plan that falls": ((GOOD.replace("400,300,800", "400,300,300"),), ":2: plan_2: falls"),
    "a year above the total": ((GOOD.replace("800,700", "800,901"),), ":2: paid_2: is above the total"),
    "a year left out": ((GOOD.replace("300,800", ",800"),), ":2: paid_2: follows a year that is blank"),
    "a year without a plan": ((GOOD.replace("800,700", ",700"),), ":2: paid_2: has no plan for the year"),
    "no sector": ((GOOD.replace("health", " "),), ":2: sector: is missing"),
    "no name": ((GOOD.replace("a,", ",", 1),), ":2: project: is missing"),
    "a name without end": ((GOOD.replace("a,", "a" * 200 + ",", 1),), ":2: project: is too long"),
    "an open quote": ((GOOD.replace("health", '"health'),), "is no CSV"),
    "no rows": ((), "has no rows"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_table_is_refused_in_one_line(name, tmp_path):
    rows, words = BROKEN[name]
    said = refused(table(tmp_path, *rows))
    assert said.startswith(str(tmp_path))
    assert words in said


HEADS = {
    "a slip in a name": (HEAD.replace("claims", "claim"), ":1: claim: is not a known column"),
    "a column that is missing": (
        HEAD.replace("sector,", "").replace("project", "project,title"),
        "sector: is a",
    ),
    "a column twice": (HEAD.replace("claims", "paid"), "paid: is a column that stands twice"),
    "a column under two names": (HEAD.replace("claims", "actual"), "is a column that stands twice"),
    "a year of none": (HEAD.replace("paid_1", "paid_0"), "paid_0: is not a known column"),
    "a blank head": (HEAD.replace("claims", ""), "(blank): is not a known column"),
}


@pytest.mark.parametrize("name", HEADS)
def test_a_broken_head_is_refused_in_one_line(name, tmp_path):
    head, words = HEADS[name]
    assert words in refused(table(tmp_path, GOOD, head=head))


def test_files_that_are_none(tmp_path):
    assert "is a folder" in refused(tmp_path)
    assert "cannot be read: No such file" in refused(tmp_path / "nowhere.csv")
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    assert "is not text in UTF-8" in refused(tmp_path / "bytes.csv")
    (tmp_path / "large.csv").write_bytes(b"# \n" * 1_400_000)
    assert "is larger than" in refused(tmp_path / "large.csv")


def test_text_of_a_file_is_safe_to_print(tmp_path):
    said = refused(table(tmp_path, GOOD.replace("900,50", "\x1b[31m,50")))
    assert "\x1b" not in said


FLAGGED = {
    "the same payment": (OTHER.replace("2100", "900").replace("1.05", "0.45").replace(",1000,,", ",800,,"),
                         "line 3: paid is, to the penny, that of line 2"),
    "above its maximum": (OTHER.replace("2200", "1900"), "line 3: paid is above the maximum"),
    "a maximum that was cut": (OTHER.replace("2200", "700"), "line 3: the maximum is under half of the plan"),
    "a plan of a part": (OTHER.replace("2100", "4000").replace("1.05", "2.0"), "paid is over 1.5 times"),
    "still running": (OTHER.replace("true", "false"), "1 of 2 had not ended"),
    "nothing paid": (OTHER.replace("2100", "0").replace("1.05", "0").replace("1000", "0"), "nothing was"),
}  # fmt: skip


@pytest.mark.parametrize("name", FLAGGED)
def test_what_may_be_right_is_flagged(name, tmp_path):
    row, words = FLAGGED[name]
    panel = read_panel(table(tmp_path, GOOD, row))
    assert any(words in flag for flag in panel.flags), panel.flags


BROKEN_METRICS = {
    "no target": ("100,80", ",80", ":2: target: is missing"),
    "a target of nothing": ("100,80", "0,80", ":2: target: is out of range"),
    "achieved below nothing": ("100,80", "100,-8", ":2: achieved: is out of range"),
    "a stage that is missing": ("outcome", "", ":2: stage: is missing"),
    "twice": ("100,80\n", "100,80\nA,home,outcome,100,80\n", ":3: metric: stands twice"),
    "a column that is missing": (",achieved", "", "achieved: is a column that is missing"),
}


@pytest.mark.parametrize("name", BROKEN_METRICS)
def test_a_broken_table_of_metrics_is_refused(name, tmp_path):
    old, new, words = BROKEN_METRICS[name]
    file = tmp_path / "metrics.csv"
    text = METRICS.replace(old, new)
    file.write_text(text.replace(",80\n", "\n") if name == "a column that is missing" else text)
    assert words in refused(file, read_metrics)


def test_the_shipped_panel_says_that_it_is_made_up():
    panel: Panel = read_panel(library() / "portfolios" / "panels" / "made-up-panel.csv")
    assert panel.illustrative
    assert len(panel.projects) == 26
    assert {
        one.project for one in read_metrics(library() / "portfolios/panels/made-up-metrics.csv").rows
    } <= {one.name for one in panel.projects}
