"""Where inputs come from: every uncertain one is listed, and rests on what its file says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from socialfinance.evidence.pedigrees import BASES, Pedigree, count_bases, frame, pedigrees
from socialfinance.funds.portfolio import Portfolio
from socialfinance.io.files import load
from socialfinance.scenarios.sources import Drawn
from tests.io.small import SMALL, changed, write

SOURCED = "record: {one: {users: 40, successes: 30, source: A report}}"
INVENTED = "record: {one: {users: 40, successes: 30}}"
SECTOR = "sector: {mean: 0.7, sd: 0.1, illustrative: true}"
OLD = "engagement: {distribution: beta, mean: 0.8, sd: 0.05}"
ENGAGEMENT = "programme.engagement"


def small(folder: Path, text: str = SMALL) -> Portfolio:
    return load(write(folder, "small.yaml", text)).portfolio


def engagement(folder: Path, written: str) -> Pedigree:
    """The row of the engagement, written so."""
    rows = pedigrees(small(folder, changed(OLD, f"engagement: {written}")))
    return next(row for row in rows if row.input == ENGAGEMENT)


@pytest.fixture(scope="module")
def demo() -> dict[str, Pedigree]:
    return {row.input: row for row in pedigrees(load("demo-evidence").portfolio)}


def test_every_uncertain_input_is_listed_and_no_certain_one(tmp_path) -> None:
    rows = pedigrees(small(tmp_path))
    assert [(row.deal, row.input, row.kind) for row in rows] == [
        ("mst", ENGAGEMENT, "beta"),
        ("mst", "programme.outcomes.stayed home.probability", "triangular"),
    ]
    assert rows[0].plan == rows[0].prior_mean == rows[0].mean == 0.8
    assert (rows[0].data, rows[0].weight) == ("", None)


@pytest.mark.parametrize(
    ("written", "basis"),
    [
        (f"{{distribution: track-record, {SOURCED}, {SECTOR}}}", "record"),
        (f"{{distribution: track-record, {INVENTED}, {SECTOR}}}", "illustration"),
        ("{distribution: reference-class, of: 0.8, sector: health, illustrative: true}", "reference class"),
        ("{distribution: graded, value: 0.8, grade: 2, side: benefit, spread: 0.1, source: Trial}", "grade"),
        ("{distribution: graded, value: 0.8, grade: 2, side: benefit, spread: 0.1, illustrative: true}",
         "illustration"),
        ("{distribution: beta, mean: 0.8, sd: 0.05, source: A report, illustrative: [sd]}", "stated source"),
        ("{distribution: beta, mean: 0.8, sd: 0.05, source: A report, illustrative: [mean]}", "illustration"),
        ("{distribution: uniform, low: 0.7, high: 0.9, source: A report}", "stated source"),
        ("{distribution: discrete, values: [0.7, 0.9], weights: [0.5, 0.5], source: A}", "stated source"),
    ],
)  # fmt: skip
def test_what_an_input_rests_on(tmp_path, written: str, basis: str) -> None:
    assert engagement(tmp_path, written).rests_on == basis


def test_a_number_of_which_nothing_is_said_has_no_source(tmp_path) -> None:
    text = SMALL.replace("      illustrative: true\n", "")
    assert {row.rests_on for row in pedigrees(small(tmp_path, text))} == {"no source"}


def test_a_record_shows_what_it_taught(demo) -> None:
    row = demo["programme.outcomes.completed.probability"]
    assert (row.plan, row.prior_mean, row.prior_sd) == (0.863, 0.8, 0.08)
    assert row.data == "335 of 388"
    assert row.weight is not None
    assert row.mean == pytest.approx((1 - row.weight) * 0.8 + row.weight * 335 / 388)
    assert 0.8 < row.mean < 335 / 388
    assert row.sd < row.prior_sd
    assert "Social Finance UK" in row.source
    assert "sector.mean" in row.illustrative
    assert row.rests_on == "record"
    assert demo["programme.outcomes.out of care 6 months.probability"].note.endswith("to 30 September 2025")


def test_a_class_and_a_grade_name_their_own_source(demo) -> None:
    volume, saving = demo["programme.referrals.volume"], demo["programme.savings.placements.unit_value"]
    assert "GO Lab" in volume.source
    assert "5 projects" in volume.note
    assert volume.weight == pytest.approx(0.774, abs=5e-4)
    assert (saving.prior_mean, saving.mean) == pytest.approx((12770.0, 0.85 * 12770.0))
    assert "HM Treasury" in saving.source
    assert "[unverified]" in saving.source
    assert saving.unverified
    assert not volume.unverified


def test_a_class_that_is_too_small_says_so(tmp_path) -> None:
    row = engagement(tmp_path, "{distribution: reference-class, of: 0.8, sector: criminal justice}")
    assert "of criminal justice fewer than three are known" in row.note
    assert row.weight == 0.0
    assert (row.prior_mean, row.prior_sd) == (row.mean, row.sd)


def test_a_sectors_class_says_which(tmp_path) -> None:
    row = engagement(
        tmp_path, f"{{distribution: track-record, {SOURCED}, reference: criminal justice, of: 0.8}}"
    )
    assert "class: all, all, 33 projects (of criminal justice fewer than three are known)" in row.note
    assert "GO Lab" in row.source


def test_an_input_marked_unverified_is_shown_so(tmp_path) -> None:
    row = engagement(
        tmp_path, "{distribution: beta, mean: 0.8, sd: 0.05, source: A report, unverified: [mean]}"
    )
    assert row.unverified


def test_a_process_has_no_mean_and_stands_last(demo) -> None:
    last = list(demo.values())[-1]
    assert (last.deal, last.input) == ("", "indices.cpi.annual")
    assert (last.mean, last.low, last.prior_mean) == (None, None, None)
    assert last.plan == 0.025


def test_what_is_shown_is_what_is_drawn(demo) -> None:
    """The engine's own draws: mean within 4 standard errors, one in twenty below and above (4 errors)."""
    programme = load("demo-evidence").portfolio.deals["edge-of-care"].programme
    given = {
        "programme.referrals.volume": programme.referrals.volume,
        "programme.outcomes.completed.probability": programme.outcomes["completed"].probability,
        "programme.savings.placements.unit_value": programme.savings["placements"].unit_value,
    }
    paths = 40_000
    drawn = Drawn(5, "demo", 1, np.arange(paths, dtype=np.uint64), {}, {})
    for name, x in given.items():
        values, row = drawn.value(name, x.model_copy(update={"loadings": {}}), "low"), demo[name]
        assert abs(values.mean() - row.mean) < 4 * row.sd / paths**0.5
        for share in ((values < row.low).mean(), (values > row.high).mean()):
            assert abs(share - 0.05) < 4 * (0.05 * 0.95 / paths) ** 0.5


def test_deals_can_be_chosen() -> None:
    portfolio = load("collective-impact-fund").portfolio
    rows = pedigrees(portfolio)
    some = pedigrees(portfolio, ["resettlement"])
    assert {row.deal for row in some} == {"resettlement"}
    assert [row for row in rows if row.deal == "resettlement"] == list(some)
    assert {row.deal for row in rows} == {"", *portfolio.deals}


def test_the_counts_add_up_and_the_table_has_a_row_an_input(demo) -> None:
    rows = tuple(demo.values())
    counted = count_bases(rows)
    assert list(counted) == list(BASES)
    assert sum(counted.values()) == len(rows) == len(frame(rows))
    assert counted["record"] == counted["reference class"] == counted["grade"] == 1
    assert list(frame(()).columns) == list(frame(rows).columns)
