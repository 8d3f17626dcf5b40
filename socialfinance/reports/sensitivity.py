"""What a figure hangs on, as text: the tornado, the shares of variance, stresses, and grids of terms."""

from __future__ import annotations

from typing import Any

from socialfinance.pricing.effects import Effects
from socialfinance.pricing.frontier import Frontier
from socialfinance.pricing.sensitivity import Tornado
from socialfinance.pricing.stress import STRESSES, Reverse, Stresses
from socialfinance.reports.frames import each
from socialfinance.reports.numbers import NOTHING, PERCENT, POUNDS, TIE, Scale, text, with_error
from socialfinance.reports.page import Page

PLAIN = Scale(1.0, "", "", 4, 3)
SHARES = ("share of paths", "fraction", "fraction a year")
BARS = 14
"""Characters of the longest bar."""
MOST = 12
"""Rows shown of what was only screened, or of drivers."""
SAME_DRAWS = "± is one standard error; of a difference it is paired, as both sides are on the same futures."


def tornado_page(found: Tornado, page: Page) -> str:
    """The page of ``tornado``."""
    page.say(
        f"{found.figure} ({found.unit}): {shown(found.value, found.standard_error, found.unit)}.",
        "Each input alone at the low and the high end of its range, everything else as in the file.",
    )
    _ranges_said(page, found)
    longest = max((bar.reach for bar in found.bars), default=0.0)
    inputs = [
        (f"{i}.{TIE}{bar.path}", bar.origin, _plain(bar.plan), _plain(bar.low), _plain(bar.high))
        for i, bar in enumerate(found.bars, 1)
    ]
    page.table("", ("Input", "Origin", "Plan", "Low", "High"), inputs, names=2)
    rows = [
        (
            f"{i}.", "#" * max(1, round(BARS * bar.reach / longest)), _figure(bar.at_low, found),
            _figure(bar.at_high, found), shown(bar.swing, bar.standard_error, found.unit),
        )
        for i, bar in enumerate(found.bars, 1)
    ]  # fmt: skip
    page.table("", ("Input", "Reach", "Figure at low", "Figure at high", "Swing"), rows, names=2)
    page.gap()
    page.say(
        f"{len(found.bars) + len(found.screened)} inputs were tried on {found.screen_paths:,} futures;",
        f"those above were run on {found.paths:,}, seed {found.seed}; {found.runs} runs in all.",
        f"{len(found.left_out)} were left out: nil in the plan, refused away from it, or without a figure.",
        SAME_DRAWS,
    )
    return page.text


def _figure(value: float, found: Tornado) -> str:
    """A figure to the digits that the error of the plan's supports."""
    return text(value, found.standard_error, scale_of(found.unit))


def _ranges_said(page: Page, found: Tornado) -> None:
    kinds = list(dict.fromkeys(bar.range_is for bar in found.bars))
    if kinds:
        counts = ", ".join(f"{kind} ({sum(bar.range_is == kind for bar in found.bars)})" for kind in kinds)
        page.say(f"Ranges: {counts}.")


def effects_page(found: Effects, page: Page) -> str:
    """Shares of variance by driver."""
    page.say(
        f"Where the spread of {found.figure} comes from: first alone, then with all that it does with",
        "others. Shares of the variance over all futures.",
    )
    rows = [
        (
            one.driver,
            with_error(one.first, one.first_error, PERCENT),
            with_error(one.total, one.total_error, PERCENT),
        )
        for one in found.effects[:MOST]
    ]
    page.table("", ("Driver", "Alone", "In all"), rows)
    page.gap()
    page.say(
        f"Drivers alone explain {1.0 - found.interactions:.0%}; the rest is what they do together.",
        f"{found.runs} runs of {found.paths:,} futures, seed {found.seed}.",
    )
    return page.text


def stress_page(found: Stresses, page: Page) -> str:
    """The page of ``stress``."""
    page.say(
        "Every stress alone, on the same futures; commitments and plans stay as agreed. Sizes are made up."
    )
    for target in found.base_errors:
        mine = [row for row in found.rows if row.target == target]
        if not mine:
            continue
        unit, error = mine[0].unit, found.base_errors[target]
        base = shown(mine[0].base, error, unit)
        rows = [
            (row.stress, text(row.value, error, scale_of(unit)),
             shown(row.difference, row.standard_error, unit))
            if row.status == "ok" else (f"{row.stress}: {row.status}", NOTHING, NOTHING)
            for row in mine
        ]  # fmt: skip
        page.table(f"{target} ({unit}), without any stress {base}", ("Stress", "Figure", "Difference"), rows)
    page.gap()
    for name in dict.fromkeys(row.stress for row in found.rows):
        page.say(f"{name}: {STRESSES[name].says}.")
    page.say(f"{found.runs} runs of {found.paths:,} futures, seed {found.seed}.", SAME_DRAWS)
    return page.text


def grid_page(table: Any, target: str, page: Page) -> str:
    """A figure under two stresses together."""
    unit, error = table.attrs["unit"], table.attrs["error"]
    first, second = table.columns[:2]
    sizes = list(dict.fromkeys(table[second]))
    rows = [
        (f"{size:g}", *(text(row.value, error, scale_of(unit)) for row in each(part[["value"]])))
        for size, part in table.groupby(first, sort=False)
    ]
    page.table(
        f"{target} ({unit}) under {first} (down) and {second} (across), as multiples of their sizes",
        (first, *(f"{size:g}" for size in sizes)), rows,
    )  # fmt: skip
    for name in (first, second):
        if not STRESSES[name].graded:
            page.say(f"{name}: not graded, so that it is all there at any size above nil.")
    error = shown(table["value"].iloc[0], table.attrs["error"], unit)
    runs, paths, seed = (table.attrs[name] for name in ("runs", "paths", "seed"))
    page.say(
        f"{runs} runs of {paths:,} futures, seed {seed}, the same each time; under neither {error}, one "
        "standard error."
    )
    return page.text


def reverse_page(found: Reverse, page: Page) -> str:
    """The likeliest way to pass a limit."""
    chance = with_error(found.probability, found.standard_error, PERCENT)
    page.say(
        f"{found.target}, held against each future: {found.breaches:,} of {found.paths:,} pass it, {chance}."
    )
    if found.missing:
        page.say(f"In {found.missing:,} the measure does not exist: they count as not past the limit.")
    if found.path is None:
        page.say(f"None does: the chance is below {3.0 / found.paths:.2%} with 95% confidence (3 / n).")
        return page.text
    rows = [
        (one.driver, with_error(one.mean_score, one.standard_error, PLAIN), f"{one.at_likeliest:.2f}")
        for one in found.shifts[:MOST]
    ]
    page.table(
        "Drivers by how far they stand from their middle in those futures, in standard deviations (chances: "
        "the lower, the nearer it came to happening)",
        ("Driver", "Mean score", "In the likeliest"), rows,
    )  # fmt: skip
    page.gap()
    page.say(
        f"The most probable of those futures is {found.path}, {found.distance or 0.0:.2f} from the middle:",
        f"there the measure is {text(found.value, None, scale_of(found.unit))}.",
        f"`explain` shows it with --path {found.path} --seed {found.seed}.",
    )
    return page.text


def frontier_page(found: Frontier, page: Page) -> str:
    """The page of ``frontier``."""
    judged = [f"{way} {name}" for name, way in found.measures.items() if way is not None]
    if judged:
        page.say(f"Marked *: nothing else is as good in all of these and better in one: {'; '.join(judged)}.")
    for i, axis in enumerate(found.axes):
        page.say(f"Term {i + 1}: {axis}.")
    for i, name in enumerate(found.measures):
        page.say(f"Figure {i + 1}: {name} ({found.units[name]}).")
    head = [f"Term {i + 1}" for i in range(len(found.axes))] + [
        f"Figure {i + 1}" for i in range(len(found.measures))
    ]
    rows = []
    for row in found.table.to_dict("records"):
        cells = [_plain(row[axis]) for axis in found.axes]
        cells += [
            shown(_there(row[name]), _there(row[f"{name} error"]), found.units[name])
            for name in found.measures
        ]
        rows.append((*cells, "*" if row.get("efficient") else _mark(row["status"])))
    page.table("", (*head, ""), rows, names=0)
    page.gap()
    for words in dict.fromkeys(
        row["status"] for row in found.table.to_dict("records") if row["status"] != "ok"
    ):
        page.say(f"{words[0].upper()}{words[1:]}.")
    page.say(
        f"{found.runs} runs of {found.paths:,} futures, seed {found.seed}, the same each time.",
        "± is one standard error of the simulation; differences between rows are known better than that.",
    )
    return page.text


def _mark(status: str) -> str:
    """Beside a point: refused by the models, or run without a figure."""
    return "" if status == "ok" else "(refused)" if status.startswith("refused") else "(none)"


def shown(value: float | None, error: float | None, unit: str) -> str:
    """A figure in its unit, with its error where there is one."""
    return with_error(value, error, scale_of(unit))


def scale_of(unit: str) -> Scale:
    """How a unit is written."""
    return POUNDS if unit == "pounds" else PERCENT if unit in SHARES else PLAIN


def _there(value: Any) -> float | None:
    return None if value is None or value != value else float(value)


def _plain(value: Any) -> str:
    return f"{value:,.4g}" if isinstance(value, float) and abs(value) < 1000 else f"{value:,.0f}"
