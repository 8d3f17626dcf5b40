"""Pictures for public bodies: a council's yearly net cost, and savings by agency."""

from __future__ import annotations

from collections import defaultdict

from socialfinance.pictures.lookup import Known, capitals, none_such
from socialfinance.pictures.style import (
    BLUE,
    FAINT,
    GREEN,
    HATCHES,
    INK,
    RED,
    SERIES,
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
from socialfinance.reports.numbers import POUNDS, text
from socialfinance.results.result import CurveRow

HELD = (
    ("pwlb, same costs", RED, "--", "s"),
    ("in house, own costs", GREEN, ":", "^"),
    ("council builds, PWLB loans", RED, "--", "s"),
    ("council builds, from reserves", GREEN, ":", "^"),
)
"""What a council's net cost is drawn against, and how."""
NEXT_TO_NOTHING = 50.0
"""Pounds: years at the end with less are left out."""
MOST_AGENCIES = 7
STATISTICS = ("p5", "p50", "p95", "mean")


@styled
def fan(known: Known, council: str | None = None) -> Picture:
    """A public body's net cost by financial year: how far futures lie apart, and what it is held against."""
    who = council if council is not None else next(iter(known.councils() or known.public()), "")
    kind = known.kind(who)
    if not kind:
        raise none_such("public body", council, known.public())
    about = ("council", "", who, kind, "net_cost")
    others = {name: known.curve((*about[:3], name, "net_cost"), "year") for name, *_ in HELD}
    others = {name: points for name, points in others.items() if points}
    years = _lived(known, who, kind, others)
    title = known.title(who)
    picture, axes = blank(f"Net cost by year: {title}")
    spread = [known.quantiles(about, year) for year in years]
    means = [known.row("council", "", who, kind, "net_cost", "mean", year) for year in years]
    mean = [row.value or 0.0 if row else 0.0 for row in means]
    values = [value for one in spread for value in one.values()]
    scale = money([*values, *(p.value or 0.0 for points in others.values() for p in points)], known.symbol)
    x = list(range(len(years)))

    def scaled(level: float) -> list[float]:
        return [one.get(level, 0.0) / scale.unit for one in spread]

    axes.axhline(0.0, color=INK, linewidth=0.8)
    axes.fill_between(x, scaled(0.05), scaled(0.95), color=SKY, alpha=0.35, linewidth=0,
                      label="9 futures in 10")  # fmt: skip
    axes.fill_between(x, scaled(0.25), scaled(0.75), color=BLUE, alpha=0.35, linewidth=0,
                      label="half of futures")  # fmt: skip
    axes.plot(x, [value / scale.unit for value in mean], color=BLUE, marker="o", label="expected")
    for name, colour, line, mark in HELD:
        if name in others:
            drawn = [(point.value or 0.0) / scale.unit for point in others[name][: len(years)]]
            axes.plot(x, drawn, color=colour, linestyle=line, marker=mark, markerfacecolor="none",
                      label=capitals(name))  # fmt: skip
    by_year(axes, years)
    axes.set_xlabel("financial year, April to March")
    axes.set_ylabel(f"net cost, {scale.label}")
    legend_below(picture, axes)
    picture.data = _fan_data(known, who, kind, years, others)
    picture.alt = _fan_words(known, title, years, mean, spread, others)
    return picture


def _lived(known: Known, who: str, kind: str, others: dict[str, list[CurveRow]]) -> list[str]:
    """Years up to the last in which anything moves."""
    years = known.years()
    sizes = {year: 0.0 for year in years}
    for year in years:
        for statistic in STATISTICS:
            row = known.row("council", "", who, kind, "net_cost", statistic, year)
            sizes[year] = max(sizes[year], abs(row.value or 0.0) if row else 0.0)
    for points in others.values():
        for point in points:
            year = point.financial_year
            sizes[year] = max(sizes.get(year, 0.0), abs(point.value or 0.0))
    lived = [i for i, year in enumerate(years) if sizes[year] >= NEXT_TO_NOTHING]
    return years[: lived[-1] + 1] if lived else years[:1]


def _fan_data(known: Known, who: str, kind: str, years: list[str], others: dict[str, list[CurveRow]]) -> Data:
    rows = []
    for i, year in enumerate(years):
        mine = (
            known.cell(known.row("council", "", who, kind, "net_cost", statistic, year), POUNDS)
            for statistic in STATISTICS
        )
        rows.append((Cell(year), *mine, *(known.point(points[i], POUNDS) for points in others.values())))
    return Data(
        ("Financial year", "P5", "Median", "P95", "Expected", *(capitals(one) for one in others)), tuple(rows)
    )


def _fan_words(
    known: Known, title: str, years: list[str], mean: list[float], spread: list[dict[float, float]],
    others: dict[str, list[CurveRow]],
) -> str:  # fmt: skip
    top = max(range(len(years)), key=lambda i: mean[i])
    words = (
        f"Fan chart of the yearly net cost of {short(title, 80)}, {years[0]} to {years[-1]}. The dearest "
        f"year expected is {years[top]} at {known.money(mean[top])}; in nine futures in ten it lies between "
        f"{known.money(spread[top].get(0.05))} and {known.money(spread[top].get(0.95))}. Over all years "
        f"{known.money(sum(mean))} is expected"
    )
    for name, points in others.items():
        words += f"; {capitals(name)}, {known.money(sum(point.value or 0.0 for point in points))}"
    return words + "."


@styled
def savings(known: Known) -> Picture:
    """Expected savings by agency and financial year: cashable ones stacked, the rest a line on its own."""
    cash: dict[str, dict[str, float]] = defaultdict(dict)
    free: dict[str, float] = defaultdict(float)
    for flow in known.result.flow_rows:
        if flow.financial_year and flow.reason == "saving":
            mine = cash[flow.payee]
            mine[flow.financial_year] = mine.get(flow.financial_year, 0.0) + flow.value
        elif flow.financial_year and flow.reason == "non-cashable saving":
            free[flow.financial_year] += flow.value
    if not cash and not free:
        raise none_such("saving", "savings", [])
    years = sorted({year for one in cash.values() for year in one} | set(free))
    order = sorted(cash, key=lambda one: -sum(cash[one].values()))
    named, rest = order[:MOST_AGENCIES], order[MOST_AGENCIES:]
    shown = [(known.title(one), cash[one]) for one in named]
    if rest:
        shown.append((f"{len(rest)} others", {y: sum(cash[o].get(y, 0.0) for o in rest) for y in years}))
    picture, axes = blank("Expected savings by agency and year", 4.0)
    tops = [sum(one.get(year, 0.0) for _, one in shown) for year in years]
    scale = money([*tops, *free.values()], known.symbol)
    x, base = list(range(len(years))), [0.0] * len(years)
    for i, (title, one) in enumerate(shown):
        heights = [one.get(year, 0.0) / scale.unit for year in years]
        axes.bar(x, heights, bottom=base, color=SERIES[i % 8], hatch=HATCHES[i % 8], edgecolor=INK,
                 linewidth=0.4, width=0.72, label=short(title))  # fmt: skip
        base = [low + high for low, high in zip(base, heights, strict=True)]
    if free:
        line = [free.get(year, 0.0) / scale.unit for year in years]
        axes.plot(x, line, color=FAINT, linestyle="--", marker="D", markerfacecolor="none",
                  label="not cashable, all (no cash)")  # fmt: skip
    by_year(axes, years)
    axes.set_xlabel("financial year, April to March")
    axes.set_ylabel(f"expected saving, {scale.label}")
    legend_below(picture, axes)
    titles = [*(title for title, _ in shown), "Not cashable, all"]
    columns = [*(one for _, one in shown), free]
    rows = [
        (Cell(year), *(_plain(known, one.get(year, 0.0)) for one in columns)) for year in years
    ]  # fmt: skip
    picture.data = Data(("Financial year", *titles), tuple(rows))
    most = (
        f"the most by {short(shown[0][0], 80)}, {known.money(sum(shown[0][1].values()))}" if shown else "none"
    )
    picture.alt = (
        f"Bars of expected savings by financial year, {years[0]} to {years[-1]}, as contracted. Cashable "
        f"savings come to {known.money(sum(tops))} in all, {most}. Savings that free capacity but no cash "
        f"come to {known.money(sum(free.values()))} and are never added to cash."
    )
    return picture


def _plain(known: Known, value: float) -> Cell:
    return Cell(text(value, None, POUNDS).replace("£", known.symbol), value)
