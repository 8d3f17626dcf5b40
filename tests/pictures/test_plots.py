"""Pictures: what is drawn is what the rows say, words go with it, and colour is never needed."""

from __future__ import annotations

import itertools
import re

import matplotlib
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

import socialfinance as sf
from socialfinance.pictures.style import HATCHES, MARKS, SERIES, VARIABLES, Picture, money, short
from socialfinance.pricing.compare import Comparison
from socialfinance.pricing.frontier import Frontier
from socialfinance.pricing.sensitivity import Bar, Tornado
from tests.pages.made import HOSTILE, PATHS, SEED, hostile, of

FRONTIER = Frontier(
    pd.DataFrame(
        {
            "a": [1.0, 2.0, 3.0],
            "x": [10_000.0, 20_000.0, 30_000.0],
            "x error": [100.0, 100.0, 100.0],
            "y": [0.5, 0.2, 0.4],
            "y error": [0.01, 0.01, None],
            "efficient": [True, True, False],
        }
    ),
    ("a",), {"x": "min", "y": "min"}, {"x": "pounds", "y": "share of paths"}, 100, 1, 3,
)  # fmt: skip
TORNADO = Tornado(
    "investor.npv.mean", "pounds", 100_000.0, 1_000.0,
    (
        Bar("deals.one.programme.outcomes.of a long name.probability", 0.5, 0.4, 0.6, "default", "sourced",
            80_000.0, 100_000.0, 130_000.0, 50_000.0, 2_000.0),
        Bar("b", 1.0, 0.8, 1.2, "default", "illustrative", 101_000.0, 100_000.0, 99_000.0, -2_000.0, None),
    ),
    (), (), 100, 50, 1, 5,
)  # fmt: skip


@pytest.fixture(scope="module")
def fund() -> dict[str, Picture]:
    """Every picture of a fund with notes and a guarantor, and those of terms."""
    plot = of("community-fund").plot
    return {
        "fan": plot.fan(), "savings": plot.savings(), "returns": plot.returns(), "j_curve": plot.j_curve(),
        "deal_j_curve": plot.j_curve("edge-of-care"), "exceedance": plot.exceedance(),
        "waterfall": plot.waterfall(), "deal_waterfall": plot.waterfall("edge-of-care"),
        "sharing": plot.sharing(), "frontier": plot.frontier(FRONTIER), "tornado": plot.tornado(TORNADO),
    }  # fmt: skip


def labelled(picture: Picture, label: str):
    """The artist with this label in the legend."""
    handles, labels = picture.axes[0].get_legend_handles_labels()
    return handles[labels.index(label)]


def test_all_are_figures_with_words_units_and_a_table(fund):
    for name, picture in fund.items():
        axes = picture.axes[0]
        assert isinstance(picture, Figure), name
        assert re.search(r"\d", picture.alt), name
        assert picture.alt.endswith("."), name
        assert picture.data.rows, name
        assert {len(row) for row in picture.data.rows} == {len(picture.data.head)}, name
        assert axes.get_xlabel(), name
        assert axes.get_ylabel() or axes.get_yticklabels()[0].get_text(), name


def test_svg_has_no_address_no_font_and_colours_of_the_page(fund):
    for name, picture in fund.items():
        svg = picture.svg(prefix="p-")
        assert svg.startswith("<svg viewBox="), name
        assert "http" not in svg, name
        assert "font-family" not in svg, name
        assert "<style" not in svg, name
        assert set(re.findall(r"#[0-9a-f]{6}\b", svg)) == set(), name
        assert set(re.findall(r"var\(--(\w+)\)", svg)) <= set(VARIABLES.values()), name


def test_a_title_comes_back_after_a_page_left_it_out(fund):
    picture = fund["fan"]

    assert "Net cost by year" not in picture.svg(titled=False)
    assert "Net cost by year" in picture.svg()


def test_no_two_series_differ_by_colour_alone(fund):
    """Filled series have hatches of their own, lines a dash or a mark of their own."""
    assert len(set(SERIES)) == len(set(HATCHES)) == len(set(MARKS)) == 8
    for name in ("savings", "sharing", "waterfall", "tornado"):
        hatches = {}
        for container in fund[name].axes[0].containers:
            for patch in getattr(container, "patches", []):
                hatches.setdefault(to_hex(patch.get_facecolor()), set()).add(patch.get_hatch())
        assert all(len(of_one) == 1 for of_one in hatches.values()), name
        assert len({next(iter(one)) for one in hatches.values()}) == len(hatches), name
    lines = [line for line in fund["fan"].axes[0].get_lines() if not line.get_label().startswith("_")]
    assert len({(line.get_linestyle(), line.get_marker()) for line in lines}) == len(lines) == 3


def test_the_fan_draws_the_rows():
    result = of("demo-guaranteed-debt")
    picture = result.plot.fan("eastmere")
    expected = labelled(picture, "expected").get_ydata()
    wanted = ("council", "eastmere", "net_cost", "mean")
    rows = [row for row in result.measures_rows
            if (row.scope, row.party, row.measure, row.statistic) == wanted
            and row.financial_year]  # fmt: skip
    unit = money([row.value for row in rows], "£").unit

    assert list(expected) == pytest.approx([row.value / unit for row in rows[: len(expected)]])
    assert picture.axes[0].get_ylabel() == "net cost, £000"
    held = labelled(picture, "PWLB, same costs").get_ydata()
    points = [p for p in result.curve_rows if (p.party, p.role) == ("eastmere", "pwlb, same costs")]
    assert list(held) == pytest.approx([p.value / unit for p in points[: len(held)]])
    assert len(held) > 5
    total = sum(row.value for row in rows)
    assert f"Over all years £{total / 1e3:,.0f}k is expected" in picture.alt


def test_the_exceedance_curve_falls_and_starts_at_the_chance_of_a_call():
    result = of("demo-guaranteed-debt")
    picture = result.plot.exceedance("insurer")
    line = labelled(picture, "chance of more")
    x, y = line.get_xdata(), line.get_ydata()
    called = result.figure("called", "probability", deal="edge-of-care", who="insurer").value

    assert all(b >= a for a, b in itertools.pairwise(x))
    assert all(b <= a for a, b in itertools.pairwise(y))
    # at the last quantile that is nil the chance of more is the chance of a call, to a step of the levels
    assert max(chance for amount, chance in zip(x, y, strict=True) if amount > 0.0) <= 100 * called + 1e-9
    assert min(chance for amount, chance in zip(x, y, strict=True) if amount == 0.0) >= 100 * called - 1.0


def test_what_comes_into_a_fund_or_a_vehicle_goes_out(fund):
    for name in ("waterfall", "deal_waterfall"):
        *steps, left = (row[1].value for row in fund[name].data.rows)
        assert sum(steps) == pytest.approx(left, abs=1e-6), name
        assert left == pytest.approx(0.0, abs=1.0), name


def test_cash_that_a_fund_keeps_is_what_is_left():
    result = of("community-fund")
    kept = result.figure("cash_at_end", who="fund", scope="fund").value
    left = result.plot.waterfall().data.rows[-1][1].value

    assert left == pytest.approx(kept, abs=1e-3)


def test_the_j_curve_of_a_fund_ends_with_its_measures(fund):
    result = of("community-fund")
    gain = result.figure("gain", who="net", scope="fund").value

    assert fund["j_curve"].data.rows[-1][-1].value == pytest.approx(gain, rel=1e-9)


def test_shares_of_risk_add_up(fund):
    for row in fund["sharing"].data.rows:
        assert sum(cell.value for cell in row[1:] if cell.value is not None) == pytest.approx(1.0)


def test_risk_of_a_comparison_is_by_structure():
    found = sf.compare("edge-of-care", structures=("bond", "debt-80"), paths=PATHS, seed=SEED)
    assert isinstance(found, Comparison)
    picture = of("demo-guaranteed-debt").plot.sharing(found)

    assert [row[0].text for row in picture.data.rows][:2] == ["bond", "debt-80"]
    own = found.sharing.set_index(["structure", "party"]).loc[("bond", "investors"), "tail_95"]
    column = picture.data.head.index("investors")
    assert picture.data.rows[0][column].value == own


def test_frontier_and_tornado_draw_what_was_found(fund):
    joined = labelled(fund["frontier"], "nothing beats it")
    assert list(joined.get_xdata()) == [10.0, 20.0]
    assert list(joined.get_ydata()) == pytest.approx([50.0, 20.0])
    assert fund["frontier"].axes[0].get_xlabel() == "x, £000"
    low = labelled(fund["tornado"], "input at its low end").patches[0]
    assert (low.get_x(), low.get_width()) == pytest.approx((100.0, -20.0))
    assert "80 at its low end, 130 at its high end" in fund["tornado"].alt
    assert fund["tornado"].axes[0].get_yticklabels()[0].get_text() == "…of a long name.probability"


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda plot: plot.fan("nowhere"), "nowhere.*eastmere"),
        (lambda plot: plot.j_curve("nowhere"), "deal with investors"),
        (lambda plot: plot.exceedance("nowhere"), "guarantor of this run"),
        (lambda plot: plot.waterfall("nowhere"), "deal of this run"),
        (lambda plot: plot.frontier(Frontier(FRONTIER.table, ("a",), {"x": "min"}, {"x": "pounds"}, 1, 1, 1)),
         "two measures"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_said(ask, said):
    with pytest.raises(sf.InputError, match=said):
        ask(of("demo-guaranteed-debt").plot)


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_names_are_drawn_as_they_are_written(kind):
    """No mathematics, no marks of direction, nothing wider than the picture."""
    picture = hostile(HOSTILE[kind]).plot.fan()
    svg = picture.svg()

    assert "\u202e" not in svg
    assert "<script" not in svg
    assert len(picture.heading_text.get_text()) <= 64
    assert short(HOSTILE[kind], 20)[:19] in picture.alt


def test_a_picture_leaves_the_settings_of_others_alone():
    before = dict(matplotlib.rcParams)
    of("demo-guaranteed-debt").plot.savings().svg()

    assert dict(matplotlib.rcParams) == before


def test_a_notebook_gets_the_words_too(fund):
    shown = fund["savings"]._repr_html_()

    assert shown.startswith('<img src="data:image/png;base64,')
    assert "Bars of expected savings" in shown


def test_pounds_are_the_currency_of_the_file():
    picture = of("rikers-able").plot.waterfall()

    assert "US$" in picture.alt or "$" in picture.alt
    assert "£" not in picture.svg()
