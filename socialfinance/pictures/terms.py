"""Pictures of what terms do: who bears the risk, the frontier, the tornado."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from socialfinance.core.errors import InputError
from socialfinance.pictures.lookup import Known, capitals
from socialfinance.pictures.style import (
    BLUE,
    FAINT,
    HATCHES,
    INK,
    ORANGE,
    SERIES,
    Cell,
    Data,
    Money,
    Picture,
    blank,
    legend_below,
    money,
    short,
    styled,
)
from socialfinance.reports.page import POUND

if TYPE_CHECKING:
    from socialfinance.pricing.compare import Comparison
    from socialfinance.pricing.frontier import Frontier
    from socialfinance.pricing.sensitivity import Tornado

MOST_PATHS = 2048
"""Futures over which the risk of a result's own deals is shared out again."""
OWN = "as contracted"
TAIL = "tail_95"
MOST_OF_PATH = 32
SCALES = {
    "fraction a year": Money(0.01, "% a year"),
    "fraction": Money(0.01, "%"),
    "share of paths": Money(0.01, "% of futures"),
}


@styled
def sharing(known: Known, comparison: Comparison | None = None) -> Picture:
    """Each party's share of the shortfall of the programme's net value in its worst twentieth of futures.

    Of a comparison by structure; without one by deal, as contracted, over the run's first ``MOST_PATHS``
    futures or all, whichever is less (of a single deal beside its alternatives).
    """
    bars = _by_structure(comparison) if comparison is not None else _by_deal(known)
    if not bars:
        raise InputError("has no programme whose value moves, so no risk is shared", field="plot")
    parties = list(dict.fromkeys(party for shares in bars.values() for party in shares))
    picture, axes = blank("Who bears the risk", 1.7 + 0.32 * len(bars))
    names = list(bars)
    for i, party in enumerate(parties):
        for place, name in enumerate(names):
            value = bars[name].get(party, 0.0)
            before = [bars[name].get(other, 0.0) for other in parties[:i]]
            start = sum(x for x in before if (x >= 0.0) == (value >= 0.0))
            axes.barh(place, 100 * value, left=100 * start, color=SERIES[i], hatch=HATCHES[i], edgecolor=INK,
                      linewidth=0.5, height=0.72, label=party if place == 0 else None)  # fmt: skip
    axes.axvline(0.0, color=INK, linewidth=0.8)
    axes.set_yticks(range(len(names)), [short(name, 24) for name in names])
    axes.invert_yaxis()
    axes.set_xlabel("share of the worst 5%'s shortfall, %")
    axes.grid(axis="y", visible=False)
    legend_below(picture, axes)
    picture.data = Data(
        ("Structure" if comparison is not None else "Deal", *parties),
        tuple(
            (Cell(name), *(_share(shares.get(party)) for party in parties)) for name, shares in bars.items()
        ),
    )
    over = comparison.accounts.paths if comparison is not None else min(MOST_PATHS, known.result.paths)
    first = names[0]
    said = ", ".join(f"{party} {_per_cent(share)}" for party, share in bars[first].items())
    picture.alt = (
        f"Bars of who bears the shortfall of the programme's net value in the worst 5% of {over:,} futures, "
        f"for {len(bars)} {'structures' if comparison is not None else 'deals or alternatives'}. "
        f"{short(first, 60)}: {said}. Below nil a party gains when the programme does worst."
    )
    return picture


def _share(value: float | None) -> Cell:
    return Cell("-") if value is None else Cell(_per_cent(value), value)


def _per_cent(share: float) -> str:
    return f"{round(100 * share) + 0}%"


def _by_structure(comparison: Comparison, only: Sequence[str] = ()) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for row in comparison.sharing.to_dict("records"):
        value = row[TAIL]
        if (not only or row["structure"] in only) and value is not None and value == value:
            found.setdefault(capitals(row["structure"]), {})[row["party"]] = float(value)
    return found


def _by_deal(known: Known) -> dict[str, dict[str, float]]:
    """The deals of the file on their own terms, run again over the same first futures."""
    from socialfinance.engine.ready import prepare
    from socialfinance.pricing.compare import NoStructure, Variant, compare

    result = known.result
    ready, paths = prepare(result.portfolio), min(MOST_PATHS, result.paths)
    found: dict[str, dict[str, float]] = {}
    deals = result.portfolio.deals
    for name, deal in deals.items():
        try:
            one = compare(ready, name, {OWN: Variant(deal.instrument, OWN)}, paths, result.seed)
        except NoStructure:
            continue  # it cannot stand alone, outside its fund
        bars = _by_structure(one, () if len(deals) == 1 else (OWN,))
        found.update(bars if len(deals) == 1 else {name: bars[OWN]} if OWN in bars else {})
    return found


@styled
def frontier(found: Frontier, symbol: str = POUND) -> Picture:
    """Two figures over a grid of terms: the points that nothing beats are filled and joined."""
    measures = [name for name, way in found.measures.items() if way is not None] or list(found.measures)
    if len(measures) < 2:
        raise InputError("needs two measures to draw", field="frontier", given=", ".join(measures))
    across, up = measures[:2]
    table = found.table.dropna(subset=[across, up]).sort_values(across)
    if table.empty:
        raise InputError("has no point with figures", field="frontier")
    best = table[table["efficient"]] if "efficient" in table.columns else table.iloc[:0]
    picture, axes = blank("Terms that nothing beats")
    x_in, y_in = (_axis(found.units[name], table[name], symbol) for name in (across, up))
    errors = {"ecolor": FAINT, "elinewidth": 0.8, "linestyle": "none"}
    axes.errorbar(
        table[across] / x_in.unit, table[up] / y_in.unit, xerr=_two(table, across, x_in.unit),
        yerr=_two(table, up, y_in.unit), marker="o", markerfacecolor="none", color=ORANGE,
        label="beaten by another (bars: ± 2 standard errors)", **errors,
    )  # fmt: skip
    if not best.empty:
        x, y = best[across] / x_in.unit, best[up] / y_in.unit
        axes.plot(x, y, color=BLUE, marker="s", label="nothing beats it")
    axes.set_xlabel(f"{short(across, 44)}, {x_in.label}")
    axes.set_ylabel(f"{short(up, 36)}, {y_in.label}")
    legend_below(picture, axes, 1)
    rows = [
        (
            *(Cell(f"{row[axis]}", None) for axis in found.axes),
            *(
                Cell(_number(row[name] / axis.unit), float(row[name]))
                for name, axis in ((across, x_in), (up, y_in))
            ),
            Cell("yes" if row.get("efficient") else "no"),
        )
        for row in table.to_dict("records")
    ]
    heads = (f"{across}, {x_in.label}", f"{up}, {y_in.label}")
    picture.data = Data((*found.axes, *heads, "Nothing beats it"), tuple(rows))
    ends = [(_number(row[across] / x_in.unit), _number(row[up] / y_in.unit))
            for row in (table.iloc[0], table.iloc[-1])]  # fmt: skip
    picture.alt = (
        f"Points of {len(table)} combinations of {' and '.join(found.axes)}, {len(best)} of which nothing "
        f"beats: {across} from {ends[0][0]} to {ends[1][0]} ({x_in.label}), {up} there {ends[0][1]} and "
        f"{ends[1][1]} ({y_in.label})."
    )
    return picture


def _two(table: Any, name: str, unit: float) -> Any:
    """Two standard errors of each point."""
    return 2.0 / unit * table[f"{name} error"].astype(float).fillna(0.0)


def _axis(unit: str, values: Iterable[float], symbol: str) -> Money:
    """What an axis counts in."""
    if unit == "pounds":
        return money([float(value) for value in values], symbol)
    return SCALES.get(unit, Money(1.0, unit))


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000.0 else f"{value:.4g}"


@styled
def tornado(found: Tornado, symbol: str = POUND) -> Picture:
    """Inputs by how far each alone moves a figure: at the low end of its range, and at the high."""
    if not found.bars:
        raise InputError("has no input that moves the figure", field="tornado", given=found.figure)
    every = [value for bar in found.bars for value in (bar.at_low, bar.at_plan, bar.at_high)]
    axis = _axis(found.unit, every, symbol)
    picture, axes = blank(f"What it hangs on: {found.figure}", 1.6 + 0.33 * len(found.bars))
    for place, bar in enumerate(found.bars):
        for end, colour, hatch, says in (
            (bar.at_low, ORANGE, "//", "input at its low end"),
            (bar.at_high, BLUE, "", "input at its high end"),
        ):
            axes.barh(
                place, (end - bar.at_plan) / axis.unit, left=bar.at_plan / axis.unit, color=colour,
                hatch=hatch, edgecolor=INK, linewidth=0.5, height=0.7, label=says if place == 0 else None,
            )  # fmt: skip
        error = 2.0 * (bar.standard_error or 0.0) / axis.unit
        axes.errorbar([bar.at_high / axis.unit], [place], xerr=[error], color=INK, capsize=2, linewidth=1.0,
                      linestyle="none",
                      label="± 2 standard errors of the swing" if place == 0 else None)  # fmt: skip
    axes.axvline(found.value / axis.unit, color=INK, linewidth=0.9)
    axes.set_yticks(range(len(found.bars)), [_tail(bar.path) for bar in found.bars])
    axes.invert_yaxis()
    axes.set_xlabel(axis.label)
    axes.grid(axis="y", visible=False)
    legend_below(picture, axes, 1)
    heads = (f"Figure at low, {axis.label}", f"Figure at high, {axis.label}", f"Error, {axis.label}")
    picture.data = Data(
        ("Input", "Range", "From", "Low", "High", *heads),
        tuple(
            (
                Cell(bar.path), Cell(bar.range_is), Cell(bar.origin), Cell(f"{bar.low:,.6g}", bar.low),
                Cell(f"{bar.high:,.6g}", bar.high), Cell(_number(bar.at_low / axis.unit), bar.at_low),
                Cell(_number(bar.at_high / axis.unit), bar.at_high),
                Cell(f"{(bar.standard_error or 0.0) / axis.unit:,.2g}", bar.standard_error),
            )
            for bar in found.bars
        ),
    )  # fmt: skip
    first = found.bars[0]
    low, plan, high = (_number(x / axis.unit) for x in (first.at_low, found.value, first.at_high))
    picture.alt = (
        f"Tornado of {short(found.figure, 100)} ({axis.label}), {plan} as the file stands. "
        f"{short(first.path, 100)} moves it most: {low} at its low end, {high} at its high end. "
        f"{len(found.bars)} inputs are shown, each alone at the ends of its range."
    )
    return picture


def _tail(path: str) -> str:
    """The end of a path, which tells inputs apart, from a dot on."""
    if len(path) <= MOST_OF_PATH:
        return path
    end = path[-MOST_OF_PATH + 1 :]
    return "…" + (end[end.index(".") + 1 :] if "." in end else end)
