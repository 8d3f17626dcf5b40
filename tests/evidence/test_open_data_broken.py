"""Publications and returns broken in many ways: each gives one clear line with its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from socialfinance.core.errors import InputError
from socialfinance.evidence.open_data.check import check
from socialfinance.evidence.open_data.read import parse, read
from socialfinance.evidence.open_data.write import as_json, write_folder
from tests.evidence.made_up import publication, written

TARGET = "targeted_number_of_service_users_or_beneficiaries_total"
ACHIEVED = "number_with_positive_social_outcomes"
MAXIMUM = "maximum_potential_outcome_payment"

ERRORS: dict[str, tuple[str, str, str, int | None, str | None, str]] = {
    # name: table, old text, new text, line, column, what is said
    "a cap per person as the project's total": (
        "projects", "GBP,600000,66800.55", "GBP,6500,", 2, MAXIMUM, "looks like a cap per person",
    ),
    "an end before the start": (
        "projects", "2026-10-01,2029-09-30", "2026-10-01,2026-03-01", 2,
        "anticipated_end_date_of_service_provision", "is before start_date_of_service_provision",
    ),
    "a payment of two projects": (
        "projects", "GBP,600000,0", "GBP,600000,66800.55", 3, "total_outcome_payments_made",
        "is that of project ashby to the penny",
    ),
    "a name in place of a code": (
        "projects", "40,GBP", "40,Pounds", 2, "currency", "'Pounds'; allowed: a code",
    ),
    "a symbol in place of a code": ("outcome_pricings", "in,GBP", "in,£", 2, "currency", "cannot be read"),
    "two currencies": ("outcome_pricings", "in,GBP", "in,USD", 2, "currency", "is not the project's"),
    "an amount without a currency": (
        "outcome_payment_commitments", "council,GBP,600000,1", "council,,600000,1", 2, "currency",
        "is missing beside an amount",
    ),
    "metrics labelled alike": (
        "outcome_metrics", "home 3,at home after 3 months", "home 3,Moved  In", 3, "definition",
        "is that of in as well",
    ),
    "per cents among fractions": (
        "outcome_metrics", "110,0.9", "110,90", 2, "outcome_metric_target", "0.035, not 3.5 or 3.5%",
    ),
    "a per cent sign": ("outcome_metrics", "110,0.9", "110,90%", 2, "outcome_metric_target", "given '90%'"),
    "a share above one": (
        "outcome_payment_commitments", "600000,1", "600000,1.5", 2, "share", "a fraction from 0 to 1",
    ),
    "shares that do not come to one": (
        "outcome_payment_commitments", "600000,1", "600000,0.5", 2, None, "shares do not come to 1",
    ),
    "a project twice": ("projects", "beeford,", "ashby,", 3, "project_id", "stands twice"),
    "a metric twice": ("outcome_metrics", "ashby,home 3,", "ashby,in,", 3, "id", "stands twice"),
    "a result twice": (
        "results", "ashby,home 3,Outcome level,Interim,period,2026-10-01",
        "ashby,in,Outcome level,Interim,period,2026-10-01", 4, None, "stands twice",
    ),
    "a metric that is not there": (
        "results", "ashby,home 3,Outcome level,Interim,period,2026-10-01",
        "ashby,home 9,Outcome level,Interim,period,2026-10-01", 4, "outcome_metric_id",
        "names nothing in outcome_metrics (given 'home 9'; allowed: home 12, home 3, home 6, in)",
    ),
    "a project that is not there": (
        "plan_versions", "ashby,", "ashley,", 2, "project_id", "names nothing in projects",
    ),
    "a payer that is not there": (
        "outcome_payments", "2026-12-31,council", "2026-12-31,county", 2, "payer_organisation_id",
        "names nothing in organisations (given 'county'; allowed: council)",
    ),
    "a plan that is not there": (
        "outcome_payments", "Planned,v1", "Planned,v7", 2, "plan_version", "names nothing in plan_versions",
    ),
    "planned without saying which plan": (
        "outcome_payments", "Planned,v1", "Planned,", 2, "plan_version", "is missing beside Planned",
    ),
    "a plan of an actual payment": (
        "outcome_payments", "Actual,,period,2026", "Actual,v1,period,2026", 5, "plan_version",
        "belongs to a planned payment",
    ),
    "a planned payment outside the plan": (
        "outcome_payments", "v1,period,2026-10-01,2026-12-31", "v1,period,2026-10-01,2036-12-31", 2,
        "period_end_date", "is outside the plan",
    ),
    "metrics in a circle": (
        "outcome_metrics", "ashby,in,moved in,110,0.9,", "ashby,in,moved in,110,0.9,home 12", 2, "follows",
        "leads back to the metric itself",
    ),
    "more at a metric than before it": (
        "results", "to date,2026-10-01,2027-03-31,,,8", "to date,2026-10-01,2027-03-31,,,25", 4, "follows",
        "was achieved by fewer people than this",
    ),
    "a total that is no sum": (
        "results", "to date,2026-10-01,2027-03-31,,,30", "to date,2026-10-01,2027-03-31,,,31", 13, ACHIEVED,
        "is not the sum of its periods (given 31; allowed: 30)",
    ),
    "one suppressed beside a total": (
        "results", "period,2027-01-01,2027-03-31,,,suppressed",
        "period,2027-01-01,2027-03-31,,,9", 14, ACHIEVED,
        "reveals the one period that is suppressed",
    ),
    "suppressed, but the sum of what is shown": (
        "results", "to date,2026-10-01,2027-03-31,,,30", "to date,2026-10-01,2027-03-31,,,suppressed", 13,
        ACHIEVED, "is suppressed, and is the sum of what is shown",
    ),
    "periods that overlap": (
        "results", "in,Outcome level,Interim,period,2027-01-01",
        "in,Outcome level,Interim,period,2026-12-01", 8,
        "period_start_date", "is in the period before",
    ),
    "a metric at project level": (
        "results", "in,Outcome level,Interim,period,2027", "in,Project level,Interim,period,2027", 8,
        "outcome_metric_id", "does not fit the level",
    ),
    "a level nobody knows": (
        "results", "Project level,Interim,period,2026", "Fund level,Interim,period,2026", 2, "result_level",
        "allowed: Project level, Outcome level",
    ),
    "half a person": (
        "results", ",25,18,", ",25,18.5,", 2, "number_engaged_in_impact_bond", "a whole number",
    ),
    "fewer than nobody": ("results", ",25,18,", ",25,-1,", 2, "number_engaged_in_impact_bond", "given '-1'"),
    "a comma between thousands": (
        "outcome_payments", "GBP,20000\n", 'GBP,"20,000"\n', 2, "amount", "without sign, comma or symbol",
    ),
    "a tenth of a penny": ("outcome_payments", "GBP,20000\n", "GBP,20000.001\n", 2, "amount", "two decimals"),
    "an amount that is no number": ("outcome_payments", "GBP,20000\n", "GBP,nan\n", 2, "amount", "'nan'"),
    "a day written the English way": (
        "projects", "2026-10-01,2029", "01/10/2026,2029", 2, "start_date_of_service_provision", "YYYY-MM-DD",
    ),
    "a day that is none": (
        "projects", "2026-10-01,2029", "2026-02-30,2029", 2, "start_date_of_service_provision", "2026-02-30",
    ),
    "a stage nobody knows": (
        "projects", "Implementation", "Running", 2, "stage_development",
        "Early-stage design, Late-stage design",
    ),
    "no name": ("projects", "Homes in ashby", "", 2, "name", "is empty"),
    "a cell that acts on a terminal": (
        "projects", "Homes in ashby", "Homes \x1b[31m", 2, "name", r"\x1b[31m",
    ),
    "a cell too many": ("organisations", "Bank\n", "Bank,1\n", 2, None, "another number of cells"),
    "a column nobody knows": ("organisations", "name", "title", 1, "title", "is not a column of this table"),
    "a column twice": ("organisations", "organisation_id,name", "name,name", 1, "name", "stands twice"),
    "a price that is suppressed": (
        "outcome_pricings", "in,GBP,600", "in,GBP,suppressed", 2, "price_per_unit", "is never suppressed",
    ),
    "quotes that never close": ("organisations", "council,", '"council,', None, None, "is not CSV"),
}  # fmt: skip

ELSEWHERE = {
    "shares that do not come to one": "projects", "more at a metric than before it": "outcome_metrics",
}  # fmt: skip
"""Tables in which a mistake made in another is said."""
WARNINGS: dict[str, tuple[str, str, str, str, str]] = {
    "achieved without a target": (
        "outcome_metrics", "ashby,in,moved in,110", "ashby,in,moved in,", ACHIEVED,
        "is achieved without a target",
    ),
    "a plan for part of the contract": (
        "plan_versions", "2026-10-01,2030-03-31", "2026-10-01,2028-03-31", "covers_to",
        "leaves part of the contract out",
    ),
    "prices shifted by one metric": (
        "outcome_pricings", "beeford,in,GBP,600,\nbeeford,home 3,GBP,1500,\nbeeford,home 6,GBP,2600,",
        "beeford,in,GBP,600,\nbeeford,home 3,GBP,2600,\nbeeford,home 6,GBP,1800,", "price_per_unit",
        "look shifted by one metric against project ashby",
    ),
    "paid more than the maximum": (
        "projects", "GBP,600000,66800.55", "GBP,600000,666800.55", "total_outcome_payments_made",
        "is more than the maximum",
    ),
    "payers who undertake too little": (
        "outcome_payment_commitments", "ashby,council,GBP,600000", "ashby,council,GBP,60000", MAXIMUM,
        "is more than all payers undertake",
    ),
    "results before the service": (
        "projects", "2026-10-01,2029", "2026-11-01,2029", "period_start_date", "is before the service starts",
    ),
    "paid far from the prices": (
        "projects", "GBP,600000,66800.55", "GBP,600000,466800.55", "total_outcome_payments_made",
        "is far from price x achieved",
    ),
}  # fmt: skip


def broken(folder: Path, table: str, old: str, new: str) -> Path:
    place = written(folder)
    file = place / f"{table}.csv"
    text = file.read_text(encoding="utf-8")
    assert old in text, (old, text)
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    return place


@pytest.mark.parametrize("name", ERRORS)
def test_one_clear_line(tmp_path, name):
    table, old, new, line, column, says = ERRORS[name]
    place = broken(tmp_path, table, old, new)
    found = [finding for finding in check(place) if not finding.warning]

    assert len(found) >= 1
    ours = [one for one in found if says in str(one) and (column is None or one.column == column)]
    assert ours, [str(one) for one in found]
    assert "\n" not in str(ours[0])
    assert Path(ours[0].file).name == f"{ELSEWHERE.get(name, table)}.csv"
    assert line is None or ours[0].line == line


@pytest.mark.parametrize("name", WARNINGS)
def test_one_warning(tmp_path, name):
    table, old, new, column, says = WARNINGS[name]
    found = check(broken(tmp_path, table, old, new))

    assert [one for one in found if not one.warning] == []
    assert [one for one in found if one.column == column and says in one.problem], [str(one) for one in found]
    read(tmp_path / "open")  # it is read all the same


def test_a_small_number_that_is_shown_is_warned_of_if_asked(tmp_path):
    place = written(tmp_path)
    assert check(place) == ()
    found = check(place, threshold=9)
    assert {(one.warning, one.column, one.given) for one in found} == {(True, ACHIEVED, 8)}


def test_series_of_payments_that_are_the_same(tmp_path):
    place = written(tmp_path)
    file = place / "outcome_payments.csv"
    lines = file.read_text(encoding="utf-8").splitlines()
    copied = [line.replace("ashby", "beeford") for line in lines if ",Actual,,period," in line]
    file.write_text("\n".join([*lines, *copied]) + "\n", encoding="utf-8")
    (found,) = check(place)
    assert "the same as that of project ashby" in str(found)
    assert (found.line, found.column) == (8, "amount")


def test_reading_stops_at_the_first_error(tmp_path):
    place = broken(tmp_path, "results", ",25,18,", ",25,many,")
    with pytest.raises(InputError, match=r"results\.csv:2: number_engaged_in_impact_bond: cannot be read"):
        read(place)


def test_a_line_is_counted_where_cells_hold_line_ends(tmp_path):
    place = broken(tmp_path, "projects", "Homes in ashby", '"Homes\nin ashby"')
    (found,) = [one for one in parse(place).findings if one.column == "name"]
    assert found.line == 2
    assert "\n" not in str(found)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda p: p / "nowhere", "no such folder or file"),
        (lambda p: p, "holds no table of a publication"),
        (lambda p: _file(p, "x.json", "[1"), "is not JSON"),
        (lambda p: _file(p, "x.json", "[]"), "must be an object of tables"),
        (lambda p: _file(p, "x.json", '{"projects": [], "projects": []}'), "a name stands twice"),
        (lambda p: _file(p, "x.json", "[" * 100_000), "is not JSON"),
    ],
)
def test_nothing_to_read(tmp_path, make, says):
    with pytest.raises(InputError, match=says) as caught:
        check(make(tmp_path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"projects": 3}, "(projects): must be a list of rows"),
        ({"projects": [3]}, "(projects):1: must be an object"),
        ({"projects": [{"project_id": ["a"]}]}, "(projects):1: project_id: must be text or a number"),
        ({"projects": [{"project_id": True}]}, "must be text or a number"),
        ({"fund": []}, "fund: is no table"),
        ({"projects": [{"project_id": "a", "name": "b", "colour": "red"}]}, "colour: is not a column"),
    ],
)
def test_broken_json(tmp_path, change, says):
    content = json.loads(as_json(publication())) | change
    file = _file(tmp_path, "x.json", json.dumps(content))
    assert [one for one in check(file) if says in str(one)], [str(one) for one in check(file)]


def test_a_missing_table_is_said(tmp_path):
    place = written(tmp_path)
    (place / "outcome_metrics.csv").unlink()
    assert "outcome_metrics.csv: is a table that is missing" in str(check(place)[0])


def test_other_files_are_not_lost(tmp_path):
    place = written(tmp_path)
    (place / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="holds a file that is no part of a publication"):
        write_folder(publication(), place)
    assert (place / "notes.txt").read_text(encoding="utf-8") == "mine"


def _file(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name
