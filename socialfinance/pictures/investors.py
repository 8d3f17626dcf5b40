"""Pictures for those who put money in or stand behind it: returns, the J-curve, guarantee calls."""

from __future__ import annotations

from typing import Any

from socialfinance.measures.statistics import Row
from socialfinance.pictures.lookup import About, Known, none_such
from socialfinance.pictures.style import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    RED,
    SKY,
    Cell,
    Data,
    Picture,
    blank,
    by_year,
    legend_below,
    money,
    short,
    styled,
)
from socialfinance.reports.numbers import PERCENT, POUNDS, TIE, text, with_error
from socialfinance.results.result import CurveRow

SHOWN = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
"""Quantiles of returns in the table."""
EXCEEDED = (0.5, 0.75, 0.9, 0.95, 0.99, 0.999)
MOST_LINES = 16


@styled
def returns(known: Known) -> Picture:
    """Returns by note, or by deal where there is no fund: the IRR a year on each future."""
    who = known.has("fund", "note", "irr") or known.has("deal", "investor", "irr")
    whole = [*known.has("fund", "net", "irr"), *known.has("fund", "investor", "irr")]
    if len(who) > 1:
        who = [*who[:MOST_LINES], *whole[:1]]
    if not who:
        raise none_such("return", "returns", [])
    picture, axes = blank("Return a year, futures apart", 1.7 + 0.36 * len(who))
    words, rows = [], []
    for place, about in enumerate(reversed(who)):
        _one_return(known, axes, about, place)
    for about in who:
        rows.append(_return_row(known, about))
        words.append(_return_words(known, about))
    axes.axvline(0.0, color=INK, linewidth=0.8)
    axes.set_yticks(range(len(who)), [short(_name(known, one), 22) for one in reversed(who)])
    axes.set_ylim(-0.6, len(who) - 0.4)
    axes.set_xlabel("IRR, % a year; a total loss stands at -100")
    axes.grid(axis="y", visible=False)
    legend_below(picture, axes)
    head = ("Of", *(_level(level) for level in SHOWN), "IRR of expected flows", "Chance of loss")
    picture.data = Data(head, tuple(rows))
    picture.alt = f"Intervals of the yearly return on each future. {' '.join(words)}"
    return picture


def _one_return(known: Known, axes: Any, about: About, place: int) -> None:
    q = known.quantiles(about)
    first = place == 0
    axes.plot([100 * q[0.05], 100 * q[0.95]], [place, place], color=SKY, linewidth=3.0,
              solid_capstyle="butt", label="9 futures in 10" if first else None)  # fmt: skip
    axes.plot([100 * q[0.25], 100 * q[0.75]], [place, place], color=BLUE, linewidth=8.0,
              solid_capstyle="butt", label="half of futures" if first else None)  # fmt: skip
    axes.plot([100 * q[0.5]], [place], color=INK, marker="|", markersize=13, markeredgewidth=2,
              linestyle="none", label="median" if first else None)  # fmt: skip
    expected = known.row(*about, "of_mean_flows")
    if expected is not None and expected.value is not None:
        axes.plot([100 * expected.value], [place], color=ORANGE, marker="D", markeredgecolor=INK,
                  linestyle="none", label="IRR of expected flows" if first else None)  # fmt: skip


def _name(known: Known, about: About) -> str:
    scope, deal, party, role, _ = about
    if role == "note":
        note = known.result.portfolio.fund.notes.get(party)
        return (note.title if note is not None else None) or party
    if scope == "deal":
        return deal
    return "All notes" if role == "net" else "All deals"


def _level(level: float) -> str:
    return "Median" if level == 0.5 else f"P{100 * level:g}"


def _loss(known: Known, about: About) -> Row | None:
    return known.row(*about[:4], "loss", "probability")


def _return_row(known: Known, about: About) -> tuple[Cell, ...]:
    points = {point.at: point for point in known.curve(about, "level")}
    expected, loss = known.row(*about, "of_mean_flows"), _loss(known, about)
    return (
        Cell(_name(known, about)), *(known.point(points[level], PERCENT) for level in SHOWN),
        known.cell(expected, PERCENT), known.cell(loss, PERCENT),
    )  # fmt: skip


def _return_words(known: Known, about: About) -> str:
    q, expected, loss = known.quantiles(about), known.row(*about, "of_mean_flows"), _loss(known, about)
    said = f"{short(_name(known, about), 60)}: median {100 * q[0.5]:.1f}%, nine in ten between "
    said += f"{100 * q[0.05]:.1f}% and {100 * q[0.95]:.1f}%"
    if expected is not None and expected.value is not None:
        said += f", {100 * expected.value:.1f}% on expected flows"
    if loss is not None and loss.value is not None:
        said += f", loss in {100 * loss.value:.1f}% of futures"
    return said + "."


@styled
def j_curve(known: Known, deal: str = "") -> Picture:
    """What investors are out of pocket over time; of a fund with notes with how far futures lie apart."""
    if not deal and known.result.portfolio.fund.notes:
        return _fund_j_curve(known)
    about = next(
        (one for one in (*known.has("deal", "investor", "net_so_far", "quarter"),
                         *known.has("fund", "investor", "net_so_far", "quarter")) if one[1] == deal), None
    )  # fmt: skip
    if about is None:
        with_money = [one[1] for one in known.has("deal", "investor", "net_so_far", "quarter")]
        raise none_such("deal with investors", deal, with_money)
    points = known.curve(about, "quarter")
    name = short(deal or "all deals", 40)
    picture, axes = blank(f"Investors' expected cash so far: {name}")
    values = [point.value or 0.0 for point in points]
    errors = [point.standard_error or 0.0 for point in points]
    scale = money(values, known.symbol)
    years = [point.at / 4 for point in points]
    pairs = list(zip(values, errors, strict=True))
    low, high = ([(v + side * e) / scale.unit for v, e in pairs] for side in (-2, 2))
    axes.axhline(0.0, color=INK, linewidth=0.8)
    axes.fill_between(years, low, high, color=SKY, alpha=0.5, linewidth=0, label="± 2 standard errors")
    axes.plot(years, [value / scale.unit for value in values], color=BLUE, label="expected, so far")
    axes.set_xlabel("years from the start")
    axes.set_ylabel(f"received less paid in, {scale.label}")
    legend_below(picture, axes)
    rows = tuple(
        (Cell(f"{point.at / 4:g}"), known.point(point, POUNDS), _error(known, point)) for point in points
    )
    picture.data = Data(("Years from the start", "Expected so far", "Standard error"), rows)
    deepest = min(range(len(values)), key=lambda i: values[i])
    picture.alt = (
        f"J-curve of what investors in {name} have received less what they paid in, expected: deepest after "
        f"{years[deepest]:g} years at {known.money(values[deepest])}, {_turn(values, years)}, "
        f"{known.money(values[-1], errors[-1])} at the end."
    )
    return picture


def _error(known: Known, point: CurveRow) -> Cell:
    return Cell(text(point.standard_error, None, POUNDS).replace("£", known.symbol), point.standard_error)


def _turn(values: list[float], years: list[float]) -> str:
    """When it turns positive for good."""
    below = [i for i, value in enumerate(values) if value < 0.0]
    if not below:
        return "never below nil"
    after = below[-1] + 1
    return "never above nil" if after >= len(values) else f"above nil from year {years[after]:g}"


def _fund_j_curve(known: Known) -> Picture:
    scope, role = "fund", "fund"
    rows = [r for r in known.result.measures_rows
            if (r.scope, r.role, r.measure) == (scope, role, "net_so_far")]  # fmt: skip
    years = sorted({row.financial_year for row in rows})
    at = {(row.financial_year, row.statistic): row for row in rows}
    lines = {name: [at[year, name].value or 0.0 for year in years] for name in ("p5", "p50", "p95", "mean")}
    picture, axes = blank("Note holders' cash so far: the J-curve")
    scale = money([value for line in lines.values() for value in line], known.symbol)
    scaled = {name: [value / scale.unit for value in line] for name, line in lines.items()}
    x = list(range(len(years)))
    axes.axhline(0.0, color=INK, linewidth=0.8)
    axes.fill_between(x, scaled["p5"], scaled["p95"], color=SKY, alpha=0.45, linewidth=0,
                      label="9 futures in 10")  # fmt: skip
    axes.plot(x, scaled["p50"], color=GREEN, linestyle=":", marker="^", label="median")
    axes.plot(x, scaled["mean"], color=BLUE, marker="o", label="expected")
    by_year(axes, years)
    axes.set_xlabel("end of financial year")
    axes.set_ylabel(f"received less paid in, {scale.label}")
    legend_below(picture, axes)
    picture.data = Data(
        ("End of year", "P5", "Median", "P95", "Expected"),
        tuple(
            (Cell(year), *(known.cell(at[year, name], POUNDS) for name in ("p5", "p50", "p95", "mean")))
            for year in years
        ),
    )
    mean = lines["mean"]
    deepest = min(range(len(mean)), key=lambda i: mean[i])
    picture.alt = (
        f"J-curve of what note holders have received less what they paid in: deepest at the end of "
        f"{years[deepest]} at {known.money(mean[deepest])} expected; at the end "
        f"{known.money(mean[-1])} expected, in nine futures in ten between {known.money(lines['p5'][-1])} "
        f"and {known.money(lines['p95'][-1])}."
    )
    return picture


@styled
def exceedance(known: Known, guarantor: str | None = None, deal: str | None = None) -> Picture:
    """The chance that what a guarantor pays over the life is more than an amount."""
    all_of = guarantors(known)
    about = next(
        (one for one in all_of if guarantor in (None, one[2]) and deal in (None, one[1])), None
    )  # fmt: skip
    if about is None:
        raise none_such("guarantor", guarantor, sorted({one[2] for one in all_of}))
    points = [point for point in known.curve(about, "level") if point.value is not None]
    title = known.title(about[2])
    place = f" in {about[1]}" if about[1] else ""
    picture, axes = blank(f"Guarantee calls on {short(title, 80)}{place}")
    amounts = [point.value or 0.0 for point in points]
    scale = money(amounts, known.symbol)
    x = [amount / scale.unit for amount in amounts]
    chance = [100 * (1.0 - point.at) for point in points]
    error = [2.0 * (point.standard_error or 0.0) / scale.unit for point in points]
    low = [max(value - e, 0.0) for value, e in zip(x, error, strict=True)]
    high = [value + e for value, e in zip(x, error, strict=True)]
    axes.fill_betweenx(chance, low, high, color=SKY, alpha=0.45, linewidth=0, label="± 2 standard errors")
    axes.plot(x, chance, color=BLUE, drawstyle="steps-post", label="chance of more")
    for level, mark in ((0.95, "s"), (0.99, "^")):
        value = known.quantiles(about)[level]
        axes.plot([value / scale.unit], [100 * (1 - level)], color=RED, marker=mark, linestyle="none",
                  label=f"one future in {1 / (1 - level):.0f}: {known.money(value)}")  # fmt: skip
    called = known.row(*about[:4], "called", "probability")
    top = called.value if called is not None and called.value is not None else 1.0
    axes.set_ylim(0.0, max(1.0, min(100.0, 115 * top)))
    axes.set_xlim(left=0.0)
    axes.set_xlabel(f"called over the life, {scale.label}")
    axes.set_ylabel("chance of more, % of futures")
    legend_below(picture, axes)
    kept = {point.at: point for point in points}
    picture.data = Data(
        ("Chance of more", "Called over the life", "Standard error"),
        tuple(
            (Cell(f"{100 * (1 - level):.3g}%"), known.point(kept[level], POUNDS), _error(known, kept[level]))
            for level in EXCEEDED
        ),
    )
    said = f"{with_error(top, called.standard_error if called else None, PERCENT)}".replace(TIE, " ")
    q = known.quantiles(about)
    picture.alt = (
        f"Exceedance curve of what {short(title, 80)} is called for{place}: called at all in {said} of "
        f"futures; more than {known.money(q[0.95])} in one future in twenty, {known.money(q[0.99])} in one "
        f"in a hundred; {known.money(q[1.0])} is the largest simulated."
    )
    return picture


def guarantors(known: Known) -> list[About]:
    """All that can be called: of the fund, then of deals."""
    return [*known.has("fund", "guarantor", "calls"), *known.has("deal", "guarantor", "calls")]
