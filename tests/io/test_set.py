"""Values set by path once a file has been read: found, checked as in the file, honest about their sources."""

from __future__ import annotations

from typing import Any

import pytest

import socialfinance as sf
from socialfinance.core.errors import InputError, field_path
from socialfinance.core.terms import said_of
from socialfinance.funds.terms_at import place_of
from socialfinance.io.files import load
from socialfinance.io.yaml import parse_value, plain
from tests.io.small import SMALL, changed, write

FUND = "collective-impact-fund"
THERAPY = "deals.mst.programme"


@pytest.fixture
def small(tmp_path):
    return write(tmp_path, "small.yaml", SMALL)


def origin(portfolio: sf.Portfolio, path: str) -> str | None:
    """What is said of a number."""
    return next(heard.origin for place, _, heard in said_of(portfolio) if field_path(place) == path)


# --- where a path leads ---------------------------------------------------------------------------

TREE = {
    "a": {"b": 1, "b.c": {"d": 2}, "b c": (3, {"e": 4})},
    "a.b": {"x": 5},
    "a.b c": 6,
    "in [brackets]": 7,
}


def entries(value: Any) -> list[tuple[str | int, Any]]:
    if isinstance(value, dict):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, tuple) else []


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("a", ("a",)),
        ("a.b", ("a.b",)),  # the longer name
        ("a.b.x", ("a.b", "x")),
        ("a.b.c", ("a", "b.c")),  # where the longer leads nowhere, the shorter
        ("a.b.c.d", ("a", "b.c", "d")),
        ("a.b c", ("a.b c",)),
        ("a.b c[0]", ("a", "b c", 0)),
        ("a.b c[1].e", ("a", "b c", 1, "e")),
        ("in [brackets]", ("in [brackets]",)),
    ],
)
def test_names_keep_their_dots_and_spaces(path: str, place: tuple[str | int, ...]) -> None:
    assert place_of(TREE, path, entries) == place


def test_every_place_of_a_portfolio_is_found_by_its_path() -> None:
    for name in (FUND, "demo-guaranteed-debt", "demo-asset-backed", "demo-loan-pool", "peterborough"):
        portfolio = load(name).portfolio
        for place, value, _ in said_of(portfolio):
            if place:
                assert sf.terms_at(portfolio, field_path(place)) == value


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("", "is empty"),
        ("deal.mst", "is not there; the file has deals"),
        ("deals.mts.tariff.cap", "is not there; deals has mst"),
        ("deals.mst.tariff.cap.most", "deals.mst.tariff.cap is a value alone"),
        ("deals.mst.instrument.protection.schedule[2].share", r"protection.schedule has \[0\] to \[1\]"),
        ("deals.mst.instrument.protection.schedule.share", r"protection.schedule has \[0\] to \[1\]"),
        ("deals.mst.parties.investor[x]", r"investor has \[0\] to \[1\]"),
        (f"{THERAPY}.outcomes.stayed hme.lag", "outcomes has stayed home, started well"),
        (f"{THERAPY}.outcomes.stayed home.probability.mod.x", "probability has mode, "),
        ("deals.mst..tariff", "is not there"),
        (".deals", "is not there"),
        ("name.first", "name is a value alone"),
    ],
)
def test_an_unknown_path_says_what_is_there(small, path: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        load(small, set={path: 1})
    assert "\n" not in str(caught.value)


# --- the same as in the file ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "value", "old", "new"),
    [
        ("deals.mst.tariff.cap", 800000, "cap: 900000", "cap: 800000"),
        ("deals.mst.tariff.cap", None, "cap: 900000", "cap: null"),
        (f"{THERAPY}.outcomes.stayed home.probability.mode", 0.6, "mode: 0.5", "mode: 0.6"),
        (f"{THERAPY}.outcomes.started well.probability", 0.7, "probability: 0.6", "probability: 0.7"),
        (f"{THERAPY}.engagement", 0.9, "{distribution: beta, mean: 0.8, sd: 0.05}", "0.9"),
        ("deals.mst.instrument.protection.schedule[1].share", 0.6, "share: 0.5}", "share: 0.6}"),
        ("deals.mst.instrument.draw_ahead", 2, "      cap:\n", "      draw_ahead: 2\n      cap:\n"),
        ("discount.rate", 0.03, "rate: 0.05", "rate: 0.03"),
        ("deals.mst.parties.provider", "backer", "provider: charity", "provider: backer"),
    ],
)
def test_setting_is_editing_the_file(small, tmp_path, path: str, value: Any, old: str, new: str) -> None:
    edited = write(tmp_path, "edited.yaml", changed(old, new))

    assert load(small, set={path: value}).portfolio == load(edited).portfolio


def test_a_run_of_one_is_a_run_of_the_other(small, tmp_path) -> None:
    edited = write(tmp_path, "edited.yaml", changed("cap: 900000", "cap: 800000"))
    one = sf.simulate(sf.load(small, set={"deals.mst.tariff.cap": 800000}), paths=200)
    other = sf.simulate(edited, paths=200)

    assert one.measures_rows == other.measures_rows
    assert one.flow_rows == other.flow_rows


def test_a_value_that_is_there_already_changes_nothing() -> None:
    path = "deals.rough-sleeping.tariff.collar[1]"
    before, after = load(FUND).portfolio, load(FUND, set={path: 0.04}).portfolio
    assert after == before

    one, other = (sf.simulate(x, paths=100) for x in ("edge-of-care", sf.load("edge-of-care", set={
        "deals.edge-of-care.tariff.cap": 4600000}))
    )  # fmt: skip
    assert one.measures_rows == other.measures_rows
    assert one.provenance["resolved"] == other.provenance["resolved"]


def test_what_a_file_is_based_on_can_be_set() -> None:
    after = load(FUND, set={"deals.family-therapy.programme.outcomes.out of care 6 months.probability": 0.6})
    outcomes = after.portfolio.deals["family-therapy"].programme.outcomes  # type: ignore[union-attr]
    assert outcomes["out of care 6 months"].probability == 0.6


def test_several_are_set_in_order(small) -> None:
    after = load(small, set={"deals.mst.tariff.payers": {"commissioner": {"share": 1.0}},
                             "deals.mst.tariff.payers.commissioner.payment_lag": 3})  # fmt: skip
    payer = after.portfolio.deals["mst"].tariff.payers["commissioner"]  # type: ignore[union-attr]
    assert (payer.joins, payer.payment_lag) == (0, 3)


def test_what_was_set_is_in_the_provenance(small) -> None:
    path = "deals.mst.tariff.cap"
    result = sf.simulate(sf.load(small, set={path: 800000}), paths=50)

    assert result.provenance["set"] == {path: 800000}
    assert sf.simulate(sf.load(small), paths=50).provenance["set"] == {}


# --- checked as in the file -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("deals.mst.tariff.cap", -1, "set: deals.mst.tariff.cap: must be at least 0"),
        ("deals.mst.tariff.cap", "much", "must be a number"),
        ("deals.mst.tariff.cap", True, "must be a number"),
        ("deals.mst.tariff.cap", [1], "must be a number"),
        ("deals.mst.tariff.capp", 1, "set: deals.mst.tariff.capp: is not a known field"),
        ("deals.mst.instrument.draw_ahead", 1.5, "must be a whole number"),
        ("deals.mst.instrument.kind", "poem", "instrument"),
        ("deals.mst.instrument.protection.schedule[0].share", 2, "must be at most 1"),
        ("deals.mst.instrument.tranches.first.share", 0.7, "shares must sum to 1"),
        ("deals.mst.tariff.payers.commissioner.leaves", 0, "leaves: is before joins"),
        ("deals.mst.parties.provider", "nobody", "not among the parties"),
        ("deals.mst.tariff.prices.moved on", 5, "moved on"),
        ("start", "soon", "must be a date"),
        ("quarters", 0, "must be at least 1"),
        ("name", "", "name"),
        ("parties.borough", None, "mapping"),
        ("parties.borough.kind", "castle", "is not one of the allowed"),
        ("deals", {}, "1 or more"),
        ("deals.mst.tariff.cap", float("inf"), "finite|number"),
        ("deals.mst.programme", "no-such-programme", "must be a mapping"),
    ],
)
def test_what_the_file_could_not_say_is_refused(small, path: Any, value: Any, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        sf.simulate(sf.load(small, set={path: value}), paths=10)
    assert "\n" not in str(caught.value)
    assert "small.yaml:" not in str(caught.value) or caught.value.field != path


# --- where numbers come from ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("deals.rough-sleeping.tariff.prices.moved in", "sourced", "unsaid"),
        ("deals.rough-sleeping.tariff.cap", "illustrative", "illustrative"),
        ("deals.rough-sleeping.tariff.collar[1]", "illustrative", "illustrative"),
        ("factors.lockdown.profile[1]", "sourced", "unsaid"),
        ("fund.notes.senior.rate.annual", "illustrative", "illustrative"),
        ("deals.youth-reoffending.instrument.cap.irr", "sourced", "unsaid"),
    ],
)
def test_a_number_that_is_set_takes_over_no_source(path: str, before: str, after: str) -> None:
    was = load(FUND).portfolio
    value = sf.terms_at(was, path) * 0.9
    in_file, in_python = load(FUND, set={path: value}).portfolio, sf.with_terms(was, {path: value})

    assert origin(was, path) == before
    for portfolio in (in_file, in_python):
        assert origin(portfolio, path) == after
        assert sf.terms_at(portfolio, path) == value
    said = {field_path(place): heard.origin for place, _, heard in said_of(was)}
    for portfolio in (in_file, in_python):
        now = {field_path(place): heard.origin for place, x, heard in said_of(portfolio)
               if isinstance(x, int | float) and not isinstance(x, bool)}  # fmt: skip
        assert {one for one, word in now.items() if word != said[one]} == (
            {path} if before != after else set()
        )


def test_a_number_in_a_block_inside_a_list_loses_the_source_of_that_block() -> None:
    path = "deals.edge-of-care.instrument.layers[0].enforceability.void"
    layer = "deals.edge-of-care.instrument.layers[0].cover"
    sourced = {"deals.edge-of-care.instrument.layers[0].illustrative": False,
               "deals.edge-of-care.instrument.layers[0].source": "a contract"}  # fmt: skip
    was = load("demo-guaranteed-debt", set=sourced).portfolio
    now = load("demo-guaranteed-debt", set={**sourced, layer: 0.7, path: 0.02}).portfolio

    assert origin(was, layer) == "sourced"
    assert origin(now, layer) == "unsaid"
    assert origin(now, path) == "illustrative"
    assert isinstance(now.deals["edge-of-care"].instrument.layers, tuple)  # type: ignore[union-attr]


# --- of a portfolio made in Python ----------------------------------------------------------------


def test_with_terms_is_a_run_with_them(small) -> None:
    path = "deals.mst.instrument.draw_ahead"
    was = load(small).portfolio
    now = sf.with_terms(was, {path: 2})

    assert sf.terms_at(was, path) == 1  # a default
    assert sf.terms_at(now, path) == 2
    assert now == load(small, set={path: 2}).portfolio
    assert sf.with_terms(now, {path: 1}) == was
    assert sf.with_terms(was, {}) == was


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"deals.mst.tariff.cap": -1}, "greater than or equal to 0"),
        ({"deals.mst.tariff.capp": 1}, "is not there; deals.mst.tariff has"),
        ({"deals.mst.instrument.tranches.first.share": 0.7}, "shares must sum to 1"),
        ({"": 1}, "is empty"),
    ],
)
def test_what_cannot_be_put_in(small, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        sf.with_terms(load(small).portfolio, changes)
    assert "\n" not in str(caught.value)


# --- values as they are written -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.6", 0.6), ("1e6", 1e6), ("-3", -3), ("true", True), ("yes", "yes"), ("null", None), ("~", None),
        ("[1, 0.5]", (1, 0.5)), ("{irr: 0.1}", {"irr": 0.1}), ("a word", "a word"), ("'0.6'", "0.6"),
        ("{distribution: beta, mean: 0.5, sd: 0.1}", {"distribution": "beta", "mean": 0.5, "sd": 0.1}),
    ],
)  # fmt: skip
def test_a_value_is_yaml(text: str, value: Any) -> None:
    node = parse_value(text, "--set", "x")
    assert plain(node) == value
    assert type(plain(node)) is type(value)


@pytest.mark.parametrize("text", ["", "{", "[1", "'a", "!!python/name x", "&a 1", "*a", "a: b: c", ".inf"])
def test_what_is_no_value(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_value(text, "--set", "x")
    assert str(caught.value).startswith("--set: x: ")
