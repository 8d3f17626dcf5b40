"""Priors with a pedigree broken in many ways: each gives one clear line with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from socialfinance.core.errors import InputError
from socialfinance.io.files import load
from tests.io.small import changed, line_of, write

OLD = "engagement: {distribution: beta, mean: 0.8, sd: 0.05}"
RECORD, SECTOR = "record: {one: {users: 40, successes: 30}}", "sector: {mean: 0.7, sd: 0.1}"


def track(*more: str) -> str:
    return f"{{distribution: track-record, {', '.join(more)}}}"


def one_programme(text: str) -> str:
    return track(f"record: {{one: {{{text}}}}}", SECTOR)


def of_class(more: str) -> str:
    return f"{{distribution: reference-class, {more}}}"


def graded(more: str) -> str:
    return f"{{distribution: graded, {more}}}"


BROKEN: dict[str, tuple[str, str, str]] = {
    "no record": (track(SECTOR), "record", "is missing"),
    "an empty record": (track("record: {}", SECTOR), "record", "must have 1 or more"),
    "a record that is a list": (track("record: [40, 30]", SECTOR), "record", "must be a mapping"),
    "a name in capitals": (
        track("record: {One: {users: 4, successes: 3}}", SECTOR), "record.One", "is not a name",
    ),
    "more successes than users": (
        one_programme("users: 40, successes: 41"), "record.one.successes", "at most the users, 40 (given 41)",
    ),
    "nobody": (one_programme("users: 0, successes: 0"), "record.one.users", "at least 1 (given 0)"),
    "half a person": (one_programme("users: 40.5, successes: 4"), "record.one.users", "a whole number"),
    "successes below nil": (one_programme("users: 4, successes: -1"), "record.one.successes", "at least 0"),
    "no successes given": (one_programme("users: 4"), "record.one.successes", "is missing"),
    "a day that is none": (
        one_programme("users: 4, successes: 3, until: soon"), "record.one.until", "a date",
    ),
    "failures": (
        one_programme("users: 4, successes: 3, failures: 1"), "record.one.failures", "not a known field",
    ),
    "no sector": (track(RECORD), "", "give either sector (mean and sd) or reference"),
    "two sectors": (track(RECORD, SECTOR, "reference: health, of: 0.5"), "", "give either sector"),
    "a reference without the plan": (track(RECORD, "reference: health"), "", "of: is missing"),
    "a reference nobody knows": (
        track(RECORD, "reference: Health, of: 0.5"), "reference", "allowed: all, child",
    ),
    "a plan of nothing": (track(RECORD, "reference: health, of: 0.0"), "of", "must be at least 0.0001"),
    "a plan for a sector": (track(RECORD, SECTOR, "of: 0.5"), "of", "belongs to a reference"),
    "a stage for a sector": (track(RECORD, SECTOR, "stage: outcome"), "stage", "belongs to a reference"),
    "a stage nobody knows": (
        track(RECORD, "reference: health, of: 0.5, stage: end"), "stage", "allowed: all, eng",
    ),
    "a sector of all": (track(RECORD, "sector: {mean: 1.0, sd: 0.1}"), "sector.mean", "must be below 1"),
    "a sector too wide": (track(RECORD, "sector: {mean: 0.7, sd: 0.5}"), "sector.sd", "must be below 0.4578"),
    "a sector without spread": (track(RECORD, "sector: {mean: 0.7, sd: 0.0}"), "sector.sd", "at least 1e-06"),
    "a sector by name": (track(RECORD, "sector: health"), "sector", "must be a mapping"),
    "no correlation": (track(RECORD, SECTOR, "correlation: 0.0"), "correlation", "must be above 0"),
    "a correlation in per cent": (
        track(RECORD, SECTOR, "correlation: 37"), "correlation", "at most 1 (given 37)",
    ),
    "an overdispersion above one": (
        track(RECORD, SECTOR, "overdispersion: 1.2"), "overdispersion", "at most 1",
    ),
    "a plan in per cent": (track(RECORD, SECTOR, "plan: 80"), "", "planned from 0 to 1, given 80"),
    "a kind with a space": (
        "{distribution: track record}", "distribution", "track-record, reference-class, graded",
    ),
    "a class nobody knows": (of_class("of: 0.6, sector: employment"), "sector", "employment and training"),
    "a class of nothing": (of_class("of: 0.6"), "sector", "is missing"),
    "a class times nothing": (of_class("sector: health"), "of", "is missing"),
    "a class times nil": (of_class("of: 0.0, sector: health"), "of", "must be above 0"),
    "a class times per cent": (of_class("of: 60, sector: health"), "", "0.8 is 80%"),
    "payments by stage": (
        of_class("of: 0.6, sector: health, measure: paid, stage: outcome"), "stage", "leave it out",
    ),
    "a measure nobody knows": (
        of_class("of: 0.6, sector: health, measure: money"), "measure", "achieved, paid",
    ),
    "a share above one": (of_class("of: 1.6, sector: health, share: true"), "of", "a share is at most 1"),
    "a seventh grade": (
        graded("value: 0.6, grade: 7, side: benefit, spread: 0.1"), "grade", "at most 6 (given 7)",
    ),
    "a grade by letter": (
        graded("value: 0.6, grade: C, side: benefit, spread: 0.1"), "grade", "a whole number",
    ),
    "a side nobody knows": (
        graded("value: 0.6, grade: 4, side: saving, spread: 0.1"), "side", "benefit, cost",
    ),
    "no side": (graded("value: 0.6, grade: 4, spread: 0.1"), "side", "is missing"),
    "no spread": (graded("value: 0.6, grade: 4, side: benefit"), "spread", "is missing"),
    "a spread below nil": (graded("value: 0.6, grade: 4, side: cost, spread: -0.1"), "spread", "at least 0"),
    "a spread of thousands": (
        graded("value: 0.6, grade: 4, side: cost, spread: 6e4"), "spread", "1,000 times",
    ),
    "a value of nil": (graded("value: 0.0, grade: 4, side: cost, spread: 0.1"), "value", "must be above 0"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_pedigree_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    given_, field, words = BROKEN[name]
    text = changed(OLD, f"engagement: {given_}")
    with pytest.raises(InputError) as refused:
        load(write(tmp_path, "small.yaml", text))
    error = refused.value
    assert error.field == ".".join(filter(None, ("deals.mst.programme.engagement", field)))
    assert error.line == line_of(text, "engagement:")
    assert words in str(error), str(error)
    assert "\n" not in str(error)
