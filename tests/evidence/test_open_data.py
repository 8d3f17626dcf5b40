"""Open data written and read again; a fund published with its returns, and what is shown of it."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from socialfinance.engine.ready import ReadyPortfolio, prepare
from socialfinance.evidence.open_data.check import check
from socialfinance.evidence.open_data.publish import publish
from socialfinance.evidence.open_data.read import read
from socialfinance.evidence.open_data.suppress import Rule
from socialfinance.evidence.open_data.tables import SUPPRESSED, TABLES, OpenData, columns
from socialfinance.evidence.open_data.write import as_json, write_folder
from socialfinance.evidence.returns import Returned
from socialfinance.io.files import load
from tests.cli.small import SMALL
from tests.evidence.made_up import QUARTERS, publication, returns, written
from tests.examples import examples


@pytest.fixture(scope="module")
def ready(tmp_path_factory) -> ReadyPortfolio:
    file = tmp_path_factory.mktemp("portfolio") / "small.yaml"
    file.write_text(SMALL, encoding="utf-8")
    return prepare(load(file).portfolio)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("open")


# --- written and read again -----------------------------------------------------------------------

texts = st.text(
    st.characters(categories=("L", "N", "P", "S"), include_characters=" "), min_size=1, max_size=40
)
KINDS = {
    "a whole": st.one_of(st.integers(0, 10**9), st.just(SUPPRESSED)),
    "a number": st.one_of(st.integers(0, 10**13).map(lambda pence: pence / 100), st.just(SUPPRESSED)),
    "a fraction": st.floats(0, 1).map(lambda x: round(x, 9)),
    "a date": st.dates(date(1990, 1, 1), date(2199, 12, 31)),
    "a code": st.sampled_from(["GBP", "EUR", "USD"]),
    "at most": texts.map(str.strip).filter(bool),
    "up to": st.from_regex(r"[A-Za-z0-9][A-Za-z0-9 ._+-]{0,10}[A-Za-z0-9]", fullmatch=True),
}


def cells(name: str, field) -> st.SearchStrategy:
    """Values of a column by how it is written."""
    allowed = field.metadata["kind"].allowed
    some = next((s for start, s in KINDS.items() if allowed.startswith(start)), None)
    if some is None:
        some = st.sampled_from(allowed.split(", "))
    if name == "price_per_unit":
        some = some.filter(lambda x: x != SUPPRESSED)
    return some if field.metadata["needed"] else st.one_of(st.none(), some)


def rows_of(name: str) -> st.SearchStrategy:
    kind = TABLES[name]
    return st.lists(
        st.builds(lambda values: kind(**values), st.fixed_dictionaries(
            {head: cells(head, field) for head, field in columns(kind).items()})),
        max_size=3,
    ).map(tuple)  # fmt: skip


@settings(max_examples=examples(15, 40))
@given(st.fixed_dictionaries({name: rows_of(name) for name in TABLES}).map(lambda t: OpenData(**t)))
def test_whatever_is_written_is_read_again(folder, data):
    write_folder(data, folder / "any")
    assert read(folder / "any") == data

    file = folder / "any.json"
    file.write_text(as_json(data), encoding="utf-8")
    assert read(file) == data


def test_the_made_up_publication_is_in_order(tmp_path):
    place = written(tmp_path)
    assert check(place) == ()
    assert read(place) == publication()
    head, first, *_ = (place / "results.csv").read_text(encoding="utf-8").splitlines()
    assert head.startswith("project_id,outcome_metric_id,result_level,result_type,span,period_start_date")
    assert first == "ashby,,Project level,Interim,period,2026-10-01,2026-12-31,25,18,"


def test_columns_may_stand_in_another_order_and_optional_ones_be_left_out(tmp_path):
    place = written(tmp_path)
    file = place / "organisations.csv"
    file.write_text("name,organisation_id\nMade up,council\n", encoding="utf-8")
    assert read(place).organisations[0].name == "Made up"


def test_a_folder_is_replaced_whole(tmp_path):
    place = written(tmp_path)
    write_folder(OpenData(projects=publication().projects), place)
    assert read(place).results == ()
    assert [one.name for one in tmp_path.iterdir()] == ["open"]


# --- a fund's plan --------------------------------------------------------------------------------


def test_the_plan_is_that_of_the_plan_case(ready):
    """20 referred x 6 quarters, 0.85 start, 0.75 home, 0.85 of those a year: by hand, not from the engine."""
    data = publish(ready).data
    (project,) = data.projects
    assert project.targeted_number_service_users_or_beneficiaries_total == 102  # 120 x 0.85
    targets = {
        row.id: row.targeted_number_of_service_users_or_beneficiaries_total for row in data.outcome_metrics
    }
    assert targets == {"home": 76, "home a year": 65}  # 76.5 to the even number, and 65.025
    assert [row.outcome_metric_target for row in data.outcome_metrics] == [0.75, 0.85]
    assert [row.follows for row in data.outcome_metrics] == [None, "home"]
    assert {row.outcome_metric_id: row.price_per_unit for row in data.outcome_pricings} == {
        "home": 10_000.0, "home a year": 6_000.0,
    }  # fmt: skip
    assert project.maximum_potential_outcome_payment == 1_500_000.0
    assert data.results == ()


def test_planned_payments_are_price_times_expected_people(ready):
    """102 x (0.75 x 10,000 + 0.75 x 0.85 x 6,000) = 1,155,150, under every cap; 70% and 30%."""
    rows = publish(ready).data.outcome_payments
    by_payer = {
        name: sum(row.amount for row in rows if row.payer_organisation_id == name)
        for name in ("anytown", "nhs-trust")
    }
    assert by_payer["anytown"] == pytest.approx(0.7 * 1_155_150, abs=0.2)
    assert by_payer["nhs-trust"] == pytest.approx(0.3 * 1_155_150, abs=0.2)
    by_year = publish(ready, by="year").data.outcome_payments
    assert len(by_year) < len(rows)
    assert sum(row.amount for row in by_year) == pytest.approx(sum(row.amount for row in rows), abs=0.3)


# --- with returns ---------------------------------------------------------------------------------


def published(ready, folder, series, **options):
    file = folder / "returns.csv"
    file.write_text(returns(series), encoding="utf-8")
    returned = Returned(file, ready)
    return publish(ready, returned.on(returned.days[-1]), **options)


PLENTY = {
    ("referrals", ""): (30, 40, 45, 40), ("starts", ""): (20, 30, 35, 30),
    ("outcome", "home"): (0, 12, 20, 25), ("outcome", "home a year"): (0, 0, 0, 6),
    ("outcome payment", "home"): (0.0, 0.0, 120_000.0, 200_000.0),
    ("outcome payment", "home a year"): (0.0, 0.0, 0.0, 36_000.0),
}  # fmt: skip


def counts_of(data: OpenData, span: str) -> dict[tuple[str | None, str], object]:
    """People by metric (None: started) and last day."""
    return {
        (row.outcome_metric_id, row.period_end_date.isoformat()):
        row.number_engaged_in_impact_bond if row.outcome_metric_id is None
        else row.number_with_positive_social_outcomes
        for row in data.results if row.span == span
    }  # fmt: skip


def test_where_nothing_is_small_everything_is_shown(ready, folder):
    made = published(ready, folder, PLENTY)
    shown = counts_of(made.data, "period")
    for line, key in ((None, ("starts", "")), ("home", ("outcome", "home"))):
        assert [shown[line, day] for day in QUARTERS] == list(PLENTY[key])
    assert counts_of(made.data, "to date")["home", "2027-09-30"] == 57
    assert made.data.projects[0].total_outcome_payments_made == 356_000.0
    assert made.data.projects[0].actual_number_service_users_or_beneficiaries_total == 115
    (hidden,) = made.hidden
    assert (hidden.small, hidden.beside, hidden.payments_hidden) == (0, 0, 0)
    assert (hidden.counts, hidden.payments) == (20, 15)


def test_money_that_says_a_small_count_is_hidden_with_it(ready, folder):
    """3 of home in the second quarter, paid in the third: 30,000 / 10,000."""
    few = PLENTY | {
        ("outcome", "home"): (0, 3, 20, 25),
        ("outcome payment", "home"): (0.0, 0.0, 30_000.0, 200_000.0),
    }
    data = published(ready, folder, few).data
    shown = counts_of(data, "period")
    assert shown["home", "2027-03-31"] == SUPPRESSED
    amounts = {
        (row.outcome_metric_id, row.span, row.period_end_date.isoformat()): row.amount
        for row in data.outcome_payments if row.type == "Actual"
    }  # fmt: skip
    assert all(amounts["home", "period", day] == SUPPRESSED for day in QUARTERS)
    assert all(amounts[None, "period", day] == SUPPRESSED for day in QUARTERS)
    assert amounts["home a year", "period", QUARTERS[3]] == 36_000.0
    # 60 achieved to date less 230,000 / 10,000 paid to date would be what was achieved last, and so on back
    assert amounts["home", "to date", QUARTERS[3]] == SUPPRESSED
    assert data.projects[0].total_outcome_payments_made == SUPPRESSED


def test_few_outcomes_paid_of_many_achieved_are_hidden(ready, folder):
    """12 achieved, 2 accepted: the payment says 2, though the count does not."""
    few = PLENTY | {("outcome payment", "home"): (0.0, 0.0, 20_000.0, 200_000.0)}
    data = published(ready, folder, few).data
    assert SUPPRESSED not in counts_of(data, "period").values()
    assert all(
        row.amount == SUPPRESSED for row in data.outcome_payments
        if row.outcome_metric_id == "home" and row.type == "Actual" and row.span == "period"
    )  # fmt: skip


def test_payments_by_payer_wait_for_every_line(ready, folder):
    series = {k: v for k, v in PLENTY.items() if k[0] != "outcome payment"}
    paid = {("paid", "council"): (0.0, 0.0, 120_000.0, 236_000.0)}
    assert published(ready, folder, series | paid).data.projects[0].total_outcome_payments_made == 356_000.0
    few = series | paid | {("outcome", "home a year"): (0, 0, 0, 3)}
    data = published(ready, folder, few).data
    assert data.projects[0].total_outcome_payments_made == SUPPRESSED


def test_by_year_small_quarters_need_not_be_hidden(ready, folder):
    quarterly = {("starts", ""): (3, 4, 6, 7), ("outcome", "home"): (0, 0, 6, 7)}
    assert SUPPRESSED in counts_of(published(ready, folder, quarterly).data, "period").values()
    yearly = counts_of(published(ready, folder, quarterly, by="year").data, "period")
    assert yearly == {
        (None, "2027-03-31"): 7, (None, "2027-09-30"): 13,
        ("home", "2027-03-31"): 0, ("home", "2027-09-30"): 13,
        ("home a year", "2027-03-31"): 0, ("home a year", "2027-09-30"): 0,
    }  # fmt: skip


@st.composite
def reported(draw: st.DrawFn) -> dict[tuple[str, str], tuple[float, ...]]:
    """Returns of four quarters with many small counts, in the order of the funnel."""
    starts = draw(st.lists(st.integers(0, 25), min_size=4, max_size=4))
    series, before = {("starts", ""): tuple(starts)}, starts
    for line in ("home", "home a year"):
        counts, room = [], 0
        for come in before:
            counts.append(draw(st.integers(0, room)))
            room += come - counts[-1]
        series["outcome", line], before = tuple(counts), counts
        price = {"home": 10_000.0, "home a year": 6_000.0}[line]
        series["outcome payment", line] = (0.0, *(price * count for count in counts[:-1]))  # a quarter later
    return series


@settings(max_examples=examples(10, 25))
@given(reported(), st.booleans())
def test_export_and_import_lose_nothing_but_what_is_suppressed(ready, folder, series, hide_nil):
    made = published(ready, folder, series, rule=Rule(nil_published=not hide_nil))
    write_folder(made.data, folder / "fund")
    again = read(folder / "fund")
    assert again == made.data
    assert [one for one in check(folder / "fund", threshold=5) if not one.warning] == []

    lines = {None: ("starts", ""), "home": ("outcome", "home"), "home a year": ("outcome", "home a year")}
    periods, to_date = counts_of(again, "period"), counts_of(again, "to date")
    for line, key in lines.items():
        for day, count in zip(QUARTERS, series[key], strict=True):
            small = count < 5 and (count > 0 or hide_nil)
            assert periods[line, day] in ((SUPPRESSED,) if small else (SUPPRESSED, count))
        assert to_date[line, QUARTERS[3]] in (SUPPRESSED, sum(series[key]))
    counted = [*periods.items(), *to_date.items()]
    for row in again.outcome_payments:  # money says nothing that counts do not
        if row.type == "Actual" and row.amount != SUPPRESSED:
            told = {None: {"home", "home a year"}}.get(row.outcome_metric_id, {row.outcome_metric_id})
            assert SUPPRESSED not in [count for (line, _), count in counted if line in told]
    referred = [row.number_referred for row in again.results if row.outcome_metric_id is None]
    hidden = [*periods.values(), *to_date.values(), *referred].count(SUPPRESSED)
    assert hidden == made.hidden[0].small + made.hidden[0].beside


def test_json_and_csv_say_the_same(ready, folder):
    made = published(ready, folder, PLENTY)
    rows = json.loads(as_json(made.data, {"period": "quarter"}))
    assert rows["about"] == {"period": "quarter"}
    assert rows["projects"][0]["total_outcome_payments_made"] == 356_000.0
    file = folder / "fund.json"
    file.write_text(as_json(made.data, {"period": "quarter"}), encoding="utf-8")
    write_folder(made.data, folder / "fund")
    assert read(file) == read(folder / "fund")


# --- what the page says ---------------------------------------------------------------------------

PAGE = Path(__file__).parents[2] / "docs" / "evidence" / "open-data.md"


@pytest.mark.parametrize("name", TABLES)
def test_the_page_lists_every_column(name):
    (line,) = [
        one for one in PAGE.read_text(encoding="utf-8").splitlines() if one.startswith(f"| `{name}` |")
    ]
    standard, own = ([c for c in cell.strip().split(", ") if c] for cell in line.split("|")[2:4])
    known = columns(TABLES[name])
    assert standard == [head for head, field in known.items() if not field.metadata["own"]]
    assert sorted(own) == sorted(head for head, field in known.items() if field.metadata["own"])
