"""Two small charts as SVG, their colours and letters those of the page's style sheet."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from socialfinance.core.text import visible
from socialfinance.measures.sample import quantile
from socialfinance.reports.numbers import POUNDS, rounded, text

Array = NDArray[np.float64]
WIDTH, HEIGHT = 460.0, 310.0
LEFT, RIGHT, TOP, BOTTOM = 54.0, 14.0, 28.0, 40.0
"""Margins in which axes are lettered."""
FAN = (0.05, 0.25, 0.75, 0.95)
TICKS = 5
YEARS = 6
"""Most years that are lettered, so that they can be read on a phone."""
ALIKE = 1e-6
"""Of their size: numbers that are no further apart are drawn as one."""
BARS = 24
"""About as many bars as a spread has."""
BEYOND = 0.005
"""Share of futures on either side that stands in the outermost bars."""
NEXT_TO_NOTHING = 50.0
"""Pounds; years at the end with less in all futures are left out."""


class Chart(NamedTuple):
    """A chart, and what it shows in words and in numbers."""

    title: str
    svg: str
    alt: str
    legend: tuple[tuple[str, str], ...]
    """class of a swatch, and what it stands for"""
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


class _Axes(NamedTuple):
    """From numbers to places in the drawing."""

    x0: float
    x1: float
    y0: float
    y1: float

    def x(self, value: float) -> float:
        return LEFT + (value - self.x0) / (self.x1 - self.x0) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        return HEIGHT - BOTTOM - (value - self.y0) / (self.y1 - self.y0) * (HEIGHT - TOP - BOTTOM)


def by_year(mine: Mapping[str, Array], file: Mapping[str, Array], whose: str, symbol: str) -> Chart:
    """Net cost by financial year: where nine futures in ten lie, and half; the mean, and the file's mean."""
    years = _with_money(mine, file)
    mean = {year: float(mine[year].mean()) for year in years}
    before = {year: float(file[year].mean()) for year in years if year in file}
    fans = {year: [_quantile(mine[year], level) for level in FAN] for year in years}
    ends = [0.0, *mean.values(), *before.values(), *(x for fan in fans.values() for x in fan)]
    unit, said = _unit(ends, symbol)
    ticks = nice(min(ends) / unit, max(ends) / unit)
    axes = _Axes(-0.4, max(len(years), 2) - 0.6, ticks[0], ticks[-1])
    middle = range(len(years))
    parts = [*_y_axis(axes, ticks, f"{said} a year"), *_year_labels(axes, years)]
    for low, high, name in ((0, 3, "wide"), (1, 2, "narrow")):
        outline = [(i, fans[years[i]][high] / unit) for i in middle]
        outline += [(i, fans[years[i]][low] / unit) for i in reversed(middle)]
        parts.append(f'<polygon class="{name}" points="{_points(axes, outline)}"/>')
    parts.append(_line(axes, "file", [(i, before[y] / unit) for i, y in enumerate(years) if y in before]))
    parts.append(_line(axes, "mine", [(i, mean[year] / unit) for i, year in enumerate(years)]))
    dearest = max(mean, key=lambda year: mean[year], default="")
    alt = f"Net cost by financial year of {whose}, {years[0]} to {years[-1]}." if years else "No net cost."
    if dearest:
        alt += f" Dearest in {dearest}: {_pounds(mean[dearest], mine[dearest], symbol)} expected."
    rows = tuple(
        (year, _pounds(before.get(year), file.get(year), symbol), _pounds(mean[year], mine[year], symbol),
         _pounds(fans[year][0], mine[year], symbol), _pounds(fans[year][3], mine[year], symbol))
        for year in years
    )  # fmt: skip
    return Chart(
        "Net cost by financial year", _svg(parts, alt), alt,
        (("mine", "expected"), ("file", "expected, file's terms"), ("narrow", "half of futures"),
         ("wide", "9 futures in 10")),
        ("Year", "Expected, file", "Expected", "P5", "P95"), rows,
    )  # fmt: skip


def spread(mine: Array, file: Array, who: str, symbol: str) -> Chart:
    """How often those who put money in gain or lose how much; an outline for the file's terms."""
    both = [values for values in (mine, file) if len(values)]
    low = min(_quantile(values, BEYOND) for values in both)
    high = max(_quantile(values, 1.0 - BEYOND) for values in both)
    unit, said = _unit((low, high), symbol)
    edges = bins(low / unit, high / unit)
    shares = _shares(mine / unit, edges)
    before = _shares(file / unit, edges) if len(file) else None
    top = max(max(shares), max(before) if before is not None else 0.0)
    ticks = nice(0.0, 100.0 * top)
    axes = _Axes(edges[0], edges[-1], 0.0, ticks[-1])
    parts = [
        *_y_axis(axes, ticks, "% of futures"),
        *_x_axis(axes, nice(edges[0], edges[-1]), f"over the life, {said}"),
    ]
    for share, left, right in zip(shares, edges, edges[1:], strict=False):
        x, y = axes.x(left), axes.y(100.0 * share)
        name = "loss" if right <= 1e-9 else "gain"
        parts.append(
            f'<rect class="{name}" x="{x + 0.5:.1f}" y="{y:.1f}" width="{axes.x(right) - x - 1.0:.1f}" '
            f'height="{axes.y(0.0) - y:.1f}"/>'
        )
    if before is not None:
        steps = [(edge, 100.0 * share) for i, share in enumerate(before) for edge in edges[i : i + 2]]
        parts.append(_line(axes, "file", steps))
    if edges[0] < 0.0 < edges[-1]:
        parts.append(_line(axes, "nil", [(0.0, ticks[0]), (0.0, ticks[-1])]))
    loss, was = float((mine < 0.0).mean()), float((file < 0.0).mean()) if len(file) else None
    levels = (0.05, 0.25, 0.5, 0.75, 0.95)
    alt = f"How often {who} gain or lose how much. Below nil in {_percent(loss, mine)} of futures"
    alt += f", {_percent(was, file)} on the file's terms." if was is not None else "."
    rows = tuple(
        (f"P{100 * level:g}", _at(file, level, symbol), _at(mine, level, symbol)) for level in levels
    )
    legend = (("gain", "gain"), ("loss", "loss"), ("file", "file's terms"))
    cut = any(values.min() < unit * edges[0] or values.max() > unit * edges[-1] for values in both)
    note = "The outermost bars also hold what lies beyond them." if cut else ""
    head = ("Level", "File", "Terms here")
    return Chart(f"What {who} gain or lose", _svg(parts, alt), alt, legend, head, rows, note)


# --- scales -----------------------------------------------------------------------------------------


def nice(low: float, high: float) -> list[float]:
    """Round numbers from at or below ``low`` to at or above ``high``, about ``TICKS`` of them."""
    return _rounds(low, high, TICKS)


def bins(low: float, high: float) -> list[float]:
    """Edges of bars of one round width, one of them nil where nil is among them; about ``BARS`` bars."""
    return _rounds(low, high, BARS)


def _rounds(low: float, high: float, count: int) -> list[float]:
    """Whole multiples of a round step; two numbers that are all but one are put apart first."""
    size = max(abs(low), abs(high), 1.0)
    if high - low < ALIKE * size:
        low, high = low - size / 2.0, high + size / 2.0
    step = _step((high - low) / count)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [step * n for n in range(first, last + 1)]


def _step(rough: float) -> float:
    """The least of 1, 2 and 5 times a power of ten that is not less."""
    power = 10.0 ** math.floor(math.log10(rough))
    return float(next(power * m for m in (1.0, 2.0, 5.0, 10.0) if power * m >= rough * (1.0 - 1e-9)))


def _shares(values: Array, edges: Sequence[float]) -> list[float]:
    """Share of futures in each bar; the outermost hold what lies beyond."""
    inside = np.clip(values, edges[0], np.nextafter(edges[-1], -math.inf))
    return [float(x) for x in np.histogram(inside, edges)[0] / len(values)]


def _unit(values: Iterable[float], symbol: str) -> tuple[float, str]:
    most = max(map(abs, values))
    if most >= 2e6:
        return 1e6, f"{symbol}m"
    return (1e3, f"{symbol}000") if most >= 2e3 else (1.0, symbol)


def _with_money(mine: Mapping[str, Array], file: Mapping[str, Array]) -> list[str]:
    """The years up to the last in which there is anything to speak of."""
    some = [
        year for year in mine
        if max(float(np.abs(one[year]).max()) for one in (mine, file) if year in one) >= NEXT_TO_NOTHING
    ]  # fmt: skip
    return [year for year in mine if some and year <= some[-1]]


def _quantile(values: Array, level: float) -> float:
    found = quantile(np.sort(values), level)[0]
    assert found is not None
    return found


# --- words ------------------------------------------------------------------------------------------


def _pounds(value: float | None, values: Array | None, symbol: str) -> str:
    """Pounds to the digits that the error of a mean over these futures supports."""
    if value is None or values is None or len(values) < 2:
        return "-"
    error = float(values.std(ddof=1)) / math.sqrt(len(values))
    return text(value, error, POUNDS).replace("£", symbol)


def _at(values: Array, level: float, symbol: str) -> str:
    if len(values) == 0:
        return "-"
    value, error = quantile(np.sort(values), level)
    return text(value, error, POUNDS).replace("£", symbol)


def _percent(share: float, values: Array) -> str:
    error = math.sqrt(share * (1.0 - share) / len(values))
    return f"{rounded(100.0 * share, 100.0 * error):g}%"


# --- drawing ----------------------------------------------------------------------------------------


def _svg(parts: Sequence[str], alt: str) -> str:
    inside = "".join(parts)
    return f'<svg viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" aria-label="{_safe(alt)}">{inside}</svg>'


def _safe(words: str) -> str:
    return escape(visible(words))


def _points(axes: _Axes, places: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{axes.x(x):.1f},{axes.y(y):.1f}" for x, y in places)


def _line(axes: _Axes, name: str, places: Sequence[tuple[float, float]]) -> str:
    return f'<polyline class="{name}" points="{_points(axes, places)}"/>'


def _words(x: float, y: float, words: str, anchor: str = "middle", name: str = "tick") -> str:
    return f'<text class="{name}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{_safe(words)}</text>'


def _y_axis(axes: _Axes, ticks: Sequence[float], label: str) -> list[str]:
    found = []
    for tick in ticks:
        y = axes.y(tick)
        name = "nil" if tick == 0.0 else "grid"
        found.append(f'<line class="{name}" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        found.append(_words(LEFT - 6.0, y + 4.0, f"{tick:,g}", "end"))
    return [*found, _words(2.0, TOP - 15.0, label, "start", "label")]


def _x_axis(axes: _Axes, ticks: Sequence[float], label: str) -> list[str]:
    inside = [tick for tick in ticks if axes.x0 - 1e-9 <= tick <= axes.x1 + 1e-9]
    found = [_words(axes.x(tick), HEIGHT - BOTTOM + 16.0, f"{tick:,g}") for tick in inside]
    return [*found, _words((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 5.0, label, name="label")]


def _year_labels(axes: _Axes, years: Sequence[str]) -> list[str]:
    every = max(1, math.ceil(len(years) / YEARS))
    shown = [(i, year) for i, year in enumerate(years) if i % every == 0]
    found = [_words(axes.x(i), HEIGHT - BOTTOM + 16.0, year[2:]) for i, year in shown]
    label = "financial year, April to March"
    return [*found, _words((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 5.0, label, name="label")]
