"""Requests of the page, checked; and the file that it saves."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import socialfinance as sf
from socialfinance import InputError
from socialfinance.core.terms import said_of
from socialfinance.explorer.asked import Asked, Source, file_of, read, terms_of
from socialfinance.explorer.controls import controls_of
from tests.io.small import SMALL

DEAL = "edge-of-care"
PORTFOLIO = sf.load(DEAL).portfolio
SOURCE = Source(PORTFOLIO, DEAL)
COVER = f"deals.{DEAL}.instrument.layers[0].cover"
MARGIN = f"deals.{DEAL}.instrument.rate.margin"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "is no request of this page"),
        ([], "is no request of this page"),
        ({}, "view: is no view of this portfolio"),
        ({"view": "elsewhere"}, "view: is no view of this portfolio (given 'elsewhere')"),
        ({"view": ""}, "view: is no view of this portfolio"),
        ({"view": DEAL, "values": []}, "must be a mapping"),
        ({"view": DEAL, "values": {str(n): 1.0 for n in range(501)}}, "must be a mapping"),
        ({"view": DEAL, "values": {"prices": "1"}}, "prices: must be a number (given '1')"),
        ({"view": DEAL, "values": {"prices": True}}, "prices: must be a number"),
        ({"view": DEAL, "values": {"prices": math.nan}}, "prices: must be a number"),
        ({"view": DEAL, "values": {"prices": 10**400}}, "prices: must be a number"),
        ({"view": DEAL, "structures": {DEAL: "magic"}}, "is no structure (given 'magic'; allowed: bond"),
        ({"view": DEAL, "structures": {DEAL: ["bond"]}}, "is no structure"),
        ({"view": DEAL, "structures": {"other": "bond"}}, "is not a deal of this portfolio"),
    ],
)  # fmt: skip
def test_what_is_no_request_is_refused_in_one_line(data, said):
    with pytest.raises(InputError) as refused:
        read(PORTFOLIO, data)

    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("structures", "values", "said"),
    [
        ((), {COVER: 0.5}, f"{COVER}: cannot be moved with these structures"),
        ((), {"quarters": 3.0}, "quarters: cannot be moved"),
        ((), {"deals.edge-of-care.tariff.cap": 1.0}, "cannot be moved"),
        (((DEAL, "debt-80"),), {COVER: 1.5}, "is out of range (given 1.5; allowed: 0 to 1)"),
        ((), {f"deals.{DEAL}.prices": -1.0}, "Outcome prices: is out of range (given -1.0; allowed: 0.5"),
        (((DEAL, "asset-backed"),), {}, "edge-of-care"),
    ],
)  # fmt: skip
def test_what_cannot_be_moved_is_refused_in_one_line(structures, values, said):
    with pytest.raises(InputError) as refused:
        terms_of(PORTFOLIO, Asked(DEAL, structures, tuple(values.items())))

    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@settings(max_examples=12, deadline=None)
@given(
    structure=st.sampled_from(
        [None, "bond-half-protected", "debt-80", "debt-first-loss", "savings-half-floor"]
    ),
    data=st.data(),
)
def test_a_saved_file_has_the_terms_of_the_page(tmp_path_factory, structure, data):
    structures = ((DEAL, structure),) if structure else ()
    sliders = controls_of(terms_of(PORTFOLIO, Asked(DEAL, structures)).portfolio, DEAL)
    moves = {
        one.name: one.low + one.step * data.draw(st.integers(0, round((one.high - one.low) / one.step)))
        for one in sliders
        if data.draw(st.booleans())
    }
    asked = Asked(DEAL, structures, tuple(sorted(moves.items())))
    written = tmp_path_factory.mktemp("saved") / "saved.yaml"
    written.write_text(file_of(SOURCE, asked), encoding="utf-8")

    found = sf.load(str(written)).portfolio
    shown = terms_of(PORTFOLIO, asked).portfolio

    assert numbers(found) == numbers(shown)
    assert found.name == "edge-of-care-explored"


def numbers(portfolio):
    """Every number of a portfolio by its place."""
    said = said_of(portfolio)
    return {
        place: one for place, one, _ in said if isinstance(one, int | float) and not isinstance(one, bool)
    }


def test_a_saved_file_is_short_and_says_what_it_is_based_on():
    text = file_of(SOURCE, Asked(DEAL, (), ((f"deals.{DEAL}.prices", 1.05),)))

    assert text.splitlines()[0].startswith(
        "# Edge of care, one deal at Life Chances Fund risk, changed in the explorer;"
    )
    assert text.splitlines()[1:5] == [
        "based_on: edge-of-care",
        "name: edge-of-care-explored",
        "deals:",
        "  edge-of-care:",
    ]
    assert "started: 5250.0" in text
    assert len(text.splitlines()) == 12


def test_a_file_by_path_is_named_as_it_lies_beside_and_runs_there(tmp_path):
    (tmp_path / "mine.yaml").write_text(SMALL, encoding="utf-8")
    source = Source(sf.load(str(tmp_path / "mine.yaml")).portfolio, "mine.yaml")
    text = file_of(source, Asked("mst", (), (("deals.mst.success", 0.9),)))
    (tmp_path / "saved.yaml").write_text(text, encoding="utf-8")

    found = sf.load(str(tmp_path / "saved.yaml")).portfolio

    assert "which must lie beside this file" in text
    chance = found.deals["mst"].programme.outcomes["started well"].probability
    assert (chance.value, chance.plan) == (0.54, 0.6)


def test_a_number_that_was_moved_takes_over_no_source(tmp_path):
    """The mean of "completed" is published; moved, it is nobody's."""
    place = ("deals", DEAL, "programme", "outcomes", "completed", "probability", "mean")
    written = tmp_path / "saved.yaml"
    written.write_text(file_of(SOURCE, Asked(DEAL, (), ((f"deals.{DEAL}.success", 0.9),))), encoding="utf-8")

    before = {where: heard for where, _, heard in said_of(PORTFOLIO)}[place]
    after = {where: heard for where, _, heard in said_of(sf.load(str(written)).portfolio)}[place]

    assert before.origin == "sourced"
    assert after.origin != "sourced"


def test_a_title_cannot_leave_its_comment(tmp_path):
    hostile = PORTFOLIO.model_copy(update={"title": "Fund\nquarters: 4\u2028x: 1"})
    text = file_of(Source(hostile, DEAL), Asked(DEAL))

    assert text.splitlines()[0].startswith(r"# Fund\nquarters: 4\u2028x: 1, changed in")
    assert text.splitlines()[1:] == ["based_on: edge-of-care", "name: edge-of-care-explored"]
