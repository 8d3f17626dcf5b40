"""Timings as ratios in one run, both sides in turn: ``make bench`` writes them to docs/performance.md."""

from __future__ import annotations

import math
import os
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any

import numpy as np
import numpy_financial
import pytest

import socialfinance as sf
from socialfinance.engine import block as block_module
from socialfinance.engine.ready import prepare
from socialfinance.engine.run import simulate
from socialfinance.funds.fund import Fund
from socialfinance.kernels import luck
from socialfinance.kernels.backend import backend
from socialfinance.kernels.returns import OK, STATUS_NAMES, irr, irr_with_status
from socialfinance.programmes import delivery
from socialfinance.scenarios import common, sources
from tests.bench.page import PerformancePage
from tests.bench.reference import reference_fund

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3600)]
ROWS_OF_FLOWS, TWO = 100_000, min(2, os.cpu_count() or 1)
ROUNDS = 3
FUND, RATES, COUNTS = "The reference fund", "IRR of each path", "Counts of people"
NOTES, AWKWARD = "A fund with notes", "IRR of awkward rows"


def numbers_a_path(fund: Any, monkeypatch: pytest.MonkeyPatch, compare: bool) -> float:
    """Random numbers a path uses: uniforms drawn, and counts of at least one person."""
    used, paths = [0.0], 512

    def counted(n: Any, p: Any, given: luck.Luck | luck.Quantile) -> Any:
        if isinstance(given, luck.Luck):  # a quantile's uniform was drawn, and counted, before
            used[0] += float(np.count_nonzero(np.broadcast_to(np.asarray(n) > 0, np.shape(given.path))))
        return luck.count(n, p, given)

    def drawn(key0: int, key1: int, periods: range, numbers: Any) -> Any:
        used[0] += len(periods) * len(numbers)
        return luck.uniform_block(key0, key1, periods, numbers)

    with monkeypatch.context() as patch:
        patch.setenv("SOCIALFINANCE_BACKEND", "numba")  # compiled steps would not call what counts here
        patch.setattr(delivery, "count", counted)
        patch.setattr(sources, "uniform_block", drawn)
        patch.setattr(common, "uniform_block", drawn)
        block_module.run_block(prepare(fund), 7, 0, paths, compare)
    return used[0] / paths


def floor(numbers: float, threads: int) -> float:
    """Seconds for ``numbers`` SFC64 normals over ``threads`` threads, into a buffer that stays in cache."""
    size, each = 65_536, int(numbers / threads)

    def fill(seed: int) -> None:
        generator, buffer = np.random.Generator(np.random.SFC64(seed)), np.empty(size)
        for _ in range(max(each // size, 1)):
            generator.standard_normal(out=buffer)

    start = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(fill, range(threads)))
    return (time.perf_counter() - start) * numbers / (threads * max(each // size, 1) * size)


def seconds(work: Callable[[], Any]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def in_turn(*works: Callable[[], float], rounds: int = ROUNDS) -> list[float]:
    """The median time of each, taken in turn."""
    return [median(times) for times in zip(*([work() for work in works] for _ in range(rounds)), strict=True)]


@pytest.mark.parametrize(
    ("what", "how", "paths", "workers", "keep"),
    [
        ("fund alone", {}, 100_000, 1, "all"),
        ("fund alone", {}, 100_000, TWO, "all"),
        ("one outcome line a deal, counts near", {"lines": 1, "counts": "near"}, 100_000, TWO, "all"),
        ("fund alone, sums kept", {}, 1_000_000, TWO, "sums"),
        ("with comparators", {}, 32_768, TWO, "all"),
    ],
)
def test_reference_fund_against_the_floor(
    what: str, how: dict[str, Any], paths: int, workers: int, keep: str, monkeypatch: pytest.MonkeyPatch,
    page: PerformancePage,
) -> None:  # fmt: skip
    """40 deals x 40 quarters, exact counts, all default measures, beside the floor; a million take long."""
    page.table(
        FUND,
        "40 bonds (four outcome lines, two payers, three cost lines each) x 40 quarters; people counted one "
        "by one, exactly; all measures. With comparators: each deal in house too, at the PWLB cost of money, "
        "and not done. Starting workers, cases and the bridge (16,384 futures) count.",
        (
            "What",
            "Paths",
            "Workers",
            "Random numbers a path",
            "Seconds",
            "Floor, seconds",
            "Ratio to the floor",
        ),
    )
    compare = what == "with comparators"
    fund = reference_fund(**how)
    numbers = numbers_a_path(fund, monkeypatch, compare)
    simulate(reference_fund(1), paths=49_152, seed=1, workers=1, compare=compare)  # compile and warm
    took, least = in_turn(
        lambda: seconds(
            lambda: simulate(fund, paths=paths, seed=7, workers=workers, compare=compare, keep=keep)
        ),
        lambda: floor(numbers * paths, workers),
        rounds=1,
    )
    page.row(
        FUND, what, f"{paths:,}", f"{workers}", f"{numbers:,.0f}", f"{took:.1f}", f"{least:.1f}",
        f"{took / least:.1f}",
    )  # fmt: skip


def test_irr_against_its_peers(page: PerformancePage, monkeypatch: pytest.MonkeyPatch) -> None:
    """100,000 rows of 41 flows; peers row by row over fewer of the same rows, and equal."""
    pyxirr = pytest.importorskip("pyxirr")
    page.table(
        RATES,
        "Rows of 41 quarterly flows. Here: all 100,000 at once. Peers: one call a row, over the first rows.",
        ("What", "Rows", "Microseconds a row", "Rows in the time pyxirr takes for one"),
    )
    rng = np.random.default_rng(1)
    flows = np.concatenate(
        [-rng.uniform(50, 150, (8, ROWS_OF_FLOWS)), rng.uniform(0, 60, (33, ROWS_OF_FLOWS))]
    )
    rows = [list(row) for row in flows[:, :2000].T]

    def ours(form: str) -> float:
        monkeypatch.setenv("SOCIALFINANCE_BACKEND", form)
        return seconds(lambda: irr(flows)) / ROWS_OF_FLOWS

    def theirs(peer: Callable[[list[float]], float], some: int) -> float:
        return seconds(lambda: [peer(row) for row in rows[:some]]) / some

    peers = {"pyxirr.irr": (pyxirr.irr, 2000), "numpy_financial.irr": (numpy_financial.irr, 100)}
    forms = ["numpy"] if backend() == "numpy" else ["numba", "numpy"]
    works = {
        f"socialfinance.irr, {form} backend": (lambda form=form: ours(form), ROWS_OF_FLOWS) for form in forms
    }
    for form in forms:
        monkeypatch.setenv("SOCIALFINANCE_BACKEND", form)
        rates = irr(flows)
        assert not np.isnan(rates).any()
        for peer, some in peers.values():
            found = np.array([peer(row) for row in rows[:some]])
            assert np.allclose((1 + found) ** 4 - 1, rates[:some], rtol=0, atol=1e-9)
    works |= {name: (lambda one=one: theirs(*one), one[1]) for name, one in peers.items()}
    took = dict(zip(works, in_turn(*(work for work, _ in works.values()), rounds=7), strict=True))
    for name, (_, some) in works.items():
        page.row(
            RATES, name, f"{some:,}", f"{1e6 * took[name]:.2f}", f"{took['pyxirr.irr'] / took[name]:.1f}"
        )


AWKWARD_ROWS = {
    "nothing comes back": [-100, 0, 0],
    "almost nothing comes back": [-100, 0, 0, 1e-4],
    "never positive": [-100, 150, -100],
    "two rates, 10% and 20%": [-100, 230, -132],
    "10%, and a root near -99%": [-100, 111, -1.1],
    "first flows nil": [0, 0, -100, 110],
    "tiny amounts": [-1e-300, 1.1e-300],
    "huge amounts": [-1e300, 1.1e300],
    "all nil": [0, 0, 0],
    "one flow": [-100],
    "a flow missing": [-100, math.nan, 120],
}


def said(peer: Callable[[list[float]], Any], row: list[float]) -> str:
    """What a peer answers to one row."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            rate = peer(row)
        except Exception as error:
            return type(error).__name__
    return "no number" if rate is None or math.isnan(rate) else f"{rate:.4%}"


def test_irr_of_awkward_rows(page: PerformancePage) -> None:
    """What each says where an IRR is hard to find, or is not there."""
    pyxirr = pytest.importorskip("pyxirr")
    page.table(
        AWKWARD, "Yearly flows. A rate that is not there is no number, and the status says why.",
        ("Row", "Flows", "socialfinance", "numpy_financial.irr", "pyxirr.irr"),
    )  # fmt: skip
    for name, row in AWKWARD_ROWS.items():
        flows = [float(flow) for flow in row]
        rate, status = irr_with_status(flows, 1)
        answer = f"{float(rate):.4%}" if status == OK else STATUS_NAMES[int(status)]
        shown = ", ".join(f"{flow:g}" for flow in row)
        page.row(AWKWARD, name, shown, answer, said(numpy_financial.irr, flows), said(pyxirr.irr, flows))


def test_exact_counts_against_numpy(page: PerformancePage) -> None:
    """Counts by individual luck beside NumPy's binomial, which needs no luck of its own for each person."""
    page.table(
        COUNTS,
        f"How many of n people succeed, with probability 0.6: each person's own luck ({backend()} "
        "backend); `counts: near`, its uniform included; and `Generator.binomial`, whose draws change when a "
        "person is added.",
        (
            "People",
            "Own luck, nanoseconds",
            "Near",
            "Generator.binomial",
            "Own luck to it",
            "Near to own luck",
        ),
    )
    paths = np.arange(8192, dtype=np.uint64)
    generator = np.random.Generator(np.random.SFC64(1))

    def near(people: float) -> Any:
        u = luck.uniform_block(3, 5, range(2, 3), paths)[0]
        return luck.count(people, 0.6, luck.Quantile(u, near=True))

    for people in (20.0, 60.0, 200.0, 1_000.0, 10_000.0):
        chances = np.full(paths.shape, 0.6)
        luck.count(people, 0.6, luck.Luck(3, 5, 2, paths)), near(people)  # compile
        ours, nearly, theirs = in_turn(
            lambda n=people: seconds(lambda: luck.count(n, 0.6, luck.Luck(3, 5, 2, paths))),
            lambda n=people: seconds(lambda: near(n)),
            lambda n=people, p=chances: seconds(lambda: generator.binomial(int(n), p)),
            rounds=51,
        )
        page.row(
            COUNTS, f"{people:,.0f}",
            *(f"{1e9 * one / len(paths):,.0f}" for one in (ours, nearly, theirs)),
            f"{ours / theirs:.1f}", f"{nearly / ours:.2f}",
        )  # fmt: skip


def test_one_block_of_the_reference_fund(benchmark: Any) -> None:
    """Eight deals, 4,096 paths: what a change to a step should be watched with."""
    ready = prepare(reference_fund(8))
    benchmark.pedantic(lambda: block_module.run_block(ready, 7, 0, 4096), rounds=3, warmup_rounds=1)


def test_a_fund_with_notes(page: PerformancePage) -> None:
    """The shipped fund against its deals alone: notes and pool, then the policy, which runs deals again."""
    whole = sf.load("collective-impact-fund").portfolio
    given = whole.fund.model_dump(exclude_unset=True)
    without = {name: value for name, value in given.items() if name != "policy"}
    funds = {
        "deals alone": whole.model_copy(update={"fund": Fund()}),
        "with notes and pool": whole.model_copy(update={"fund": Fund.model_validate(without)}),
        "with payment for success": whole,
    }
    taken: dict[str, list[float]] = {name: [] for name in funds}
    for fund in funds.values():
        simulate(fund, paths=256, seed=1, workers=1, compare=False)  # whatever is made once
    for _ in range(ROUNDS):
        for name, fund in funds.items():
            start = time.perf_counter()
            simulate(fund, paths=8192, seed=1, workers=1, compare=False)
            taken[name].append(time.perf_counter() - start)
    page.table(
        NOTES, "The collective impact fund, twelve bonds, 8,192 paths, one worker, no comparators.",
        ("What", "Seconds", "Times as long"),
    )  # fmt: skip
    alone = median(taken["deals alone"])
    for name, seconds in taken.items():
        page.row(NOTES, name, f"{median(seconds):.1f}", f"{median(seconds) / alone:.2f}")
