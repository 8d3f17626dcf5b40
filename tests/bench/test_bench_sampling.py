"""What futures spread on purpose gain on the shipped fund, beside the bound that luck sets."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import socialfinance as sf
from socialfinance.engine.block import run_block
from socialfinance.engine.ready import prepare
from socialfinance.engine.run import simulate
from socialfinance.engine.sampling import sizes, spread
from socialfinance.funds.fund import Fund
from socialfinance.funds.portfolio import Portfolio
from socialfinance.measures.paths import Key
from tests.bench.page import PerformancePage

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3600)]
SPREAD = "Futures spread on purpose"
PATHS, SEEDS = 98_304, (7, 8, 9)
TAIL = "all investors.loss"
WATCHED = (
    ("eastmere", "net_cost", "mean"),
    ("all investors", "npv", "mean"),
    ("senior", "npv", "mean"),
    ("guarantee trust", "calls", "mean"),
    ("eastmere", "net_cost", "p95"),
    ("all investors", "loss", "p99"),
    ("all investors", "loss", "es99"),
)


def shipped_fund() -> Portfolio:
    """The collective impact fund with its notes and pool, without payment for success."""
    whole = sf.load("collective-impact-fund").portfolio
    given = whole.fund.model_dump(exclude_unset=True)
    notes = {name: value for name, value in given.items() if name != "policy"}
    return whole.model_copy(update={"fund": Fund.model_validate(notes)})


def explained(fund: Portfolio) -> dict[tuple[str, str], float]:
    """By party and measure: the share of variance that points decide; the rest is luck.

    The correlation between two runs with the same points and other luck.
    """
    ready = prepare(fund)
    points = spread(ready, 5, PATHS).points
    same = replace(ready, points=points)
    first, second = (run_block(same, seed, 0, sizes(PATHS)[0], compare=False) for seed in (1, 2))

    def together(key: Key) -> float:
        """Over the deals as they were drawn, where there are mixes."""
        one, other = (np.atleast_2d(block.figures[key])[0] for block in (first, second))
        return float(np.corrcoef(one, other)[0, 1]) if one.std() * other.std() > 0.0 else np.nan

    return {
        (key.party, key.measure): together(key)
        for key in first.figures
        if key.financial_year == "" and key.deal == "" and key.scope in ("fund", "council")
    }


def test_equal_errors_from_fewer_paths(page: PerformancePage) -> None:
    """Plain, spread, and spread with bad times: variance at equal paths, and time to an equal error."""
    page.table(
        SPREAD,
        f"The collective impact fund, twelve bonds, notes and pool, {PATHS:,} paths. Times as many plain "
        "paths (in brackets: times as long, pilot included) for the same standard error, of three seeds "
        "together: errors over 24 sets are known to about 15%, so these to about 20%. The bound is 1 over "
        "the share of variance that is luck, which nothing spreads: it holds for means. Bad times: half of "
        f"the paths drawn where `{TAIL}` is high. Either way the fund, and who is in several deals, meets "
        "them in mixes.",
        ("Figure", "Plain, ±", "Spread on purpose", "With bad times", "Bound"),
    )
    fund, taken, found = shipped_fund(), {}, {}
    ways: dict[str, dict[str, Any]] = {
        "plain": {},
        "auto": {"sampling": "auto"},
        "tail": {"sampling": "auto", "tail": TAIL},
    }
    for name, how in ways.items():
        start, seeds = time.perf_counter(), SEEDS if how else SEEDS[:1]
        found[name] = [simulate(fund, PATHS, seed, workers=1, compare=False, **how) for seed in seeds]
        taken[name] = (time.perf_counter() - start) / len(seeds)
    luck = explained(fund)

    def read(name: str, who: str, measure: str, statistic: str) -> tuple[float, float]:
        """Value and standard error, over the seeds together."""
        rows = [one.figure(measure, statistic, who=who) for one in found[name]]
        values, errors = np.array([(row.value, row.standard_error) for row in rows], dtype=float).T
        return float(values.mean()), float(np.sqrt(np.mean(errors**2)))

    for figure in WATCHED:
        who, measure, statistic = figure
        value, error = read("plain", *figure)
        cells = []
        for name in ("auto", "tail"):
            other, its_error = read(name, *figure)
            assert min(error, its_error) > 0.0  # nor none, which is no number here
            assert abs(value - other) < 5.0 * np.hypot(error, its_error)
            times = (error / its_error) ** 2
            cells.append(f"{times:.1f} ({times * taken['plain'] / taken[name]:.1f})")
        bound = f"{1.0 / (1.0 - luck[who, measure]):.0f}" if statistic == "mean" else ""
        page.row(SPREAD, f"{who}, {measure}, {statistic}", f"{error:,.0f}", *cells, bound)
