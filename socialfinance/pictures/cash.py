"""Pictures of who pays whom: the expected flows of a deal or of a fund, one step for each reason."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

from socialfinance.core.parties import OUTSIDE
from socialfinance.pictures.lookup import Known, none_such
from socialfinance.pictures.style import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    ORANGE,
    Cell,
    Data,
    Picture,
    blank,
    legend_below,
    money,
    short,
    styled,
)
from socialfinance.reports.numbers import POUNDS, text

LEAST = 0.001
"""Of all that comes in: steps smaller than this are put together."""
IN, OUT, LEFT = "in", "out", "left"
COLOURS = {IN: (BLUE, ""), OUT: (ORANGE, "//"), LEFT: (GREEN, "..")}


class Step(NamedTuple):
    """Money in (positive) or out, pounds, expected over the life."""

    says: str
    value: float


@styled
def waterfall(known: Known, name: str = "") -> Picture:
    """Where expected money comes from and goes, through a deal's vehicle or the fund, undiscounted."""
    portfolio = known.result.portfolio
    if name and name not in portfolio.deals:
        raise none_such("deal", name, list(portfolio.deals))
    if name:
        hub, steps = _of_deal(known, name)
        title = f"Money through {name}"
    elif portfolio.fund.notes:
        hub, steps = _of_fund(known)
        title = f"Money through {known.title(hub)}"
    elif len(portfolio.deals) == 1:
        return waterfall(known, next(iter(portfolio.deals)))
    else:
        raise none_such("fund with notes (give a deal)", name, list(portfolio.deals))
    steps = _few(steps)
    left = sum(step.value for step in steps)
    picture, axes = blank(title, 1.5 + 0.27 * (len(steps) + 1))
    ends = [0.0]
    for step in steps:
        ends.append(ends[-1] + step.value)
    scale = money(ends, known.symbol)
    bars = [*steps, Step("left at the end", left)]
    for place, step in enumerate(bars):
        last = place == len(steps)
        kind = LEFT if last else IN if step.value >= 0.0 else OUT
        start = 0.0 if last else ends[place]
        _bar(axes, place, start / scale.unit, step.value / scale.unit, kind)
    for place, end in enumerate(ends[1:]):
        axes.plot([end / scale.unit] * 2, [place - 0.4, place + 1.4], color=FAINT, linewidth=0.7)
    axes.axvline(0.0, color=INK, linewidth=0.8)
    axes.set_yticks(range(len(bars)), [short(step.says, 30) for step in bars])
    axes.invert_yaxis()
    axes.set_xlabel(f"over the life, expected, {scale.label}")
    axes.grid(axis="y", visible=False)
    legend_below(picture, axes, 3)
    rows = ((Cell(step.says), Cell(_pounds(known, step.value), step.value)) for step in bars)
    picture.data = Data(("Step", "Expected over the life"), tuple(rows))
    came, went = (sum(abs(s.value) for s in steps if (s.value >= 0.0) == sign) for sign in (True, False))
    largest = max(steps, key=lambda step: -step.value, default=Step("none", 0.0))
    picture.alt = (
        f"Waterfall of expected money through {short(known.title(hub), 80)}: {known.money(came)} comes in, "
        f"{known.money(went)} goes out, the largest step out is {short(largest.says, 60)} "
        f"({known.money(-largest.value)}); "
        f"{known.money(left if abs(left) >= 0.5 else 0.0)} is left at the end."
    )
    return picture


def _bar(axes: Any, place: int, start: float, width: float, kind: str) -> None:
    colour, hatch = COLOURS[kind]
    known = axes.get_legend_handles_labels()[1]
    axes.barh(place, width, left=start, color=colour, hatch=hatch, edgecolor=INK, linewidth=0.5, height=0.74,
              label=None if kind in known else kind)  # fmt: skip


def _pounds(known: Known, value: float) -> str:
    return text(value, None, POUNDS).replace("£", known.symbol)


def _few(steps: list[Step]) -> list[Step]:
    """Steps that can be seen, those in before those out; what is too small is put together by side."""
    least = LEAST * sum(step.value for step in steps if step.value > 0.0)
    found = []
    for sign in (1.0, -1.0):
        side = [step for step in steps if sign * step.value > 0.0]
        large = [step for step in side if abs(step.value) >= least]
        small = [step for step in side if abs(step.value) < least]
        found += large
        if len(small) == 1:
            found += small
        elif small:
            found.append(Step(f"{len(small)} smaller ones", sum(step.value for step in small)))
    return found


def _of_deal(known: Known, deal: str) -> tuple[str, list[Step]]:
    """Through the deal's vehicle or, where it has none, the party through which most money goes."""
    flows = [
        flow for flow in known.result.flow_rows
        if flow.deal == deal and not flow.financial_year and flow.reason != "non-cashable saving"
    ]  # fmt: skip
    turnover: dict[str, float] = defaultdict(float)
    for flow in flows:
        for party in (flow.payer, flow.payee):
            turnover[party] += abs(flow.value)
    turnover.pop(OUTSIDE, None)
    if not turnover:
        raise none_such("deal through which money goes", deal, [])
    vehicle = f"{deal} vehicle"
    hub = vehicle if vehicle in turnover else max(sorted(turnover), key=lambda party: turnover[party])
    steps: dict[str, float] = defaultdict(float)
    for flow in flows:
        if flow.payee == hub:
            steps[f"{flow.reason}, {known.title(flow.payer)}"] += flow.value
        elif flow.payer == hub:
            steps[f"{flow.reason}, {known.title(flow.payee)}"] -= flow.value
    return hub, [Step(says, value) for says, value in steps.items()]


def _of_fund(known: Known) -> tuple[str, list[Step]]:
    """Through the fund, by who pays and who is paid; what deals pay back has the pool's help in it."""
    rows = known.result.measures_rows
    hub = next(row.party for row in rows if (row.scope, row.role, row.measure) == ("fund", "fund", "called"))
    steps: dict[str, float] = defaultdict(float)
    for flow in known.result.flow_rows:
        if flow.deal or flow.financial_year:
            continue
        if flow.payee == hub and not _of_pool(flow.reason):
            steps[f"from {known.title(flow.payer)}"] += flow.value
        elif flow.payer == hub and not _of_pool(flow.reason):
            says = "wind-down costs" if flow.reason == "wind-down cost" else f"to {known.title(flow.payee)}"
            steps[says] -= flow.value
    together = {"from deals and pool": _positions(known, "received"),
                "into deals": -_positions(known, "drawn")}  # fmt: skip
    return hub, [Step(says, value) for says, value in {**together, **steps}.items()]


def _of_pool(reason: str) -> bool:
    """Calls and recoveries stand in what comes back from deals."""
    return reason in ("guarantee call", "recovery")


def _positions(known: Known, measure: str) -> float:
    return sum(
        row.value or 0.0
        for row in known.result.measures_rows
        if (row.scope, row.role, row.measure, row.statistic) == ("fund", "position", measure, "mean")
    )
