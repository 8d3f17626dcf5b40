"""Compiled steps give the bits of NumPy blocks, and are used only where that pays."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import socialfinance as sf
from socialfinance.core.ledger import Ledger, Leg
from socialfinance.engine import run, taped
from socialfinance.engine.accumulate import Block
from socialfinance.engine.block import run_block
from socialfinance.engine.executors import Work
from socialfinance.engine.ready import ReadyPortfolio, prepare
from socialfinance.engine.run import simulate
from socialfinance.engine.sampling import streams
from socialfinance.funds import fund_step
from socialfinance.funds.portfolio import Portfolio
from socialfinance.kernels import quick
from socialfinance.kernels.backend import backend
from socialfinance.kernels.elementwise import (
    both,
    either,
    least,
    most,
    negate,
    part,
    put,
    ratio,
    where,
    whole,
)
from socialfinance.kernels.luck import Luck, count
from socialfinance.kernels.tracing import Leaf
from socialfinance.scenarios.points import COMMON, Points
from tests.bench.reference import reference_fund
from tests.contracts.test_contract_six import portfolio as everything
from tests.engine.test_near import many
from tests.fixtures import one_deal

pytest.importorskip("numba")
PATHS = 301
"""No multiple of the lanes, and few enough for a test."""
SHIPPED = sorted(path.stem for path in (Path(__file__).parents[2] / "portfolios").glob("*.yaml"))
FUND = (fund_step.draw, fund_step.distribute)
QUICK = ("guaranteed-debt", "pay-as-you-save", "credit-line", "asset-backed", "loan-pool")


@pytest.fixture(autouse=True)
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing known yet; the first block is watched, the second compiled."""
    monkeypatch.setattr(quick, "WORTH_WATCHING", 0)
    monkeypatch.setattr(quick, "WORTH_COMPILING", 1)
    monkeypatch.setattr(quick, "_SHAPES", {})
    monkeypatch.delenv("SOCIALFINANCE_BACKEND", raising=False)


def on_numpy(monkeypatch: pytest.MonkeyPatch, work: Callable[[], Any]) -> Any:
    with monkeypatch.context() as patch:
        patch.setenv("SOCIALFINANCE_BACKEND", "numba")
        return work()


def same(one: Block, other: Block) -> None:
    """Every figure of every path, every flow and every row of funders, bit for bit."""
    for key, values in one.figures.items():
        assert np.array_equal(values, other.figures[key], equal_nan=True), key
    assert list(one.figures) == list(other.figures)
    assert list(one.flows) == list(other.flows)
    for flow, sums in one.flows.items():
        assert np.array_equal(sums, other.flows[flow]), flow
    assert one.rows.keys() == other.rows.keys()
    for who, net in one.rows.items():
        assert np.array_equal(net, other.rows[who]), who


def programs(module: str = "") -> list[Any]:
    """The programs that were compiled, of functions in a module."""
    return [
        variant.run
        for (function, _), shape in quick._SHAPES.items()
        for variant in shape.variants
        if variant.run is not None and function.__module__.endswith(module)
    ]


def hold_to_numpy(portfolio: Portfolio, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows watched, compiled, on a tape; then other futures from the tape, and more of them."""
    ready = prepare(portfolio)
    plain = on_numpy(monkeypatch, lambda: run_block(ready, 3, 0, PATHS))
    assert not programs()
    for _ in range(4):
        same(run_block(ready, 3, 0, PATHS), plain)
    assert programs()
    for seed, first, paths in ((3, 900, PATHS), (5, 0, 1100), (3, 7, 8)):
        other = on_numpy(monkeypatch, lambda s=seed, f=first, n=paths: run_block(ready, s, f, n))
        same(run_block(ready, seed, first, paths), other)
    assert all(known.script is not None for known in known_of(ready))


def test_a_bond_with_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight lines, three payers, exits, a review: the deal, with variation, and all it is held against."""
    hold_to_numpy(everything(), monkeypatch)
    for module in ("delivery", "sib_step", "in_house"):
        assert programs(module)


@pytest.mark.parametrize("name", QUICK)
def test_other_structures(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hold_to_numpy(sf.load(f"demo-{name}").portfolio, monkeypatch)


def test_a_programme_that_does_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some futures save and others cost agencies more: both sides of a saving are booked from a tape."""
    effect = {"cohort_trigger": 0.05, "pooled_trigger": 0.05, "per_event": 1.0}
    saving = {"beds": {"on": "effect", "agency": "council", "unit_value": 50.0, "cashable": 0.6}}
    raw = one_deal(effect=effect, quarters=12, programme={"savings": saving}).model_dump(exclude_unset=True)
    true = {"distribution": "uniform", "low": -0.2, "high": 0.2}
    raw["deals"]["deal"]["programme"]["effect"]["true"] = true
    hold_to_numpy(Portfolio.model_validate(raw), monkeypatch)


def test_near_counts_small_and_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Quarters whose variance is on either side of that from which a normal score decides."""
    hold_to_numpy(many(), monkeypatch)


def test_a_fund_that_judges_its_deals_and_stands_behind_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy reads all that a programme did, a pool its calls by row: both from a tape.

    The fund's own rows are compiled too.
    """
    raw = sf.load("collective-impact-fund").portfolio.model_dump(exclude_unset=True)
    raw["deals"] = dict(list(raw["deals"].items())[:2])
    hold_to_numpy(Portfolio.model_validate(raw), monkeypatch)
    waterfall = [shape for (function, _), shape in quick._SHAPES.items() if function in FUND]
    assert len(waterfall) == 2
    for shape in waterfall:
        assert not shape.left_alone
        assert all(variant.run is not None for variant in shape.variants)


def test_any_number_but_nil_decides_alike() -> None:
    """A plain ``if`` on a number of the terms: one program for all rows that are handed some, one for nil."""

    def example(given: Any) -> tuple[Any, ...]:
        return (given.x + 1.0 if given.share else given.x,)

    shape = quick.Shape(example, (Shared(np.ones(2), 0.05),))
    for share in (0.05, 0.1, 0.0, 0.2):
        shape.watched = (Shared(Leaf.WIDE, share),), [[Leaf.WIDE, share], [Leaf.WIDE, 0.7]]
        shape.learn()
    assert len(shape.variants) == 2


class Shared(NamedTuple):
    x: Any
    share: Any


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_every_portfolio_that_is_shipped(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hold_to_numpy(sf.load(name).portfolio, monkeypatch)


def test_deals_of_one_shape_share_programs() -> None:
    ready = prepare(reference_fund(4, 20))
    for _ in range(2):
        run_block(ready, 3, 0, PATHS, compare=False)
    assert len(quick._SHAPES) == 2
    assert len(programs("delivery")) == 1
    assert len(programs("sib_step")) <= 4


def test_neither_chunk_nor_backend_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    fund = reference_fund(2, 20)
    plain = on_numpy(monkeypatch, lambda: simulate(fund, paths=1024, workers=1))
    for chunk in (256, 1024):
        made = simulate(fund, paths=1024, workers=1, chunk=chunk)
        assert made.measures_rows == plain.measures_rows
        assert made.flow_rows == plain.flow_rows
        assert (made.backend, plain.backend) == ("compiled", "numba")


@pytest.mark.parametrize("name", ["edge-of-care", "demo-guaranteed-debt", "collective-impact-fund"])
def test_deals_of_a_long_run_are_on_their_tapes_before_their_first_block(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing has been watched or compiled by then, whatever the thresholds; small blocks see to it."""
    for threshold in ("WORTH_WATCHING", "WORTH_COMPILING", "WORTH_COMPILING_ALL"):
        monkeypatch.setattr(quick, threshold, 10**12)
    short = prepare(sf.load(name).portfolio)
    ready = replace(short, long=True)
    plain = on_numpy(monkeypatch, lambda: run_block(short, 3, 0, PATHS))
    same(run_block(short, 3, 0, PATHS), plain)
    assert all(known.script is None for known in known_of(short))
    same(run_block(ready, 3, 0, PATHS), plain)
    assert all(known.script is not None for known in known_of(ready))
    with monkeypatch.context() as patch:  # and no row of a deal any more
        patch.setattr(taped.row_by_row, "run", lambda *_: pytest.fail("rows"))
        same(run_block(ready, 3, 0, PATHS), plain)


def test_a_row_that_cannot_be_written_down_is_left_to_rows_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long run does not try again with every block."""
    ready = replace(prepare(one_deal(prices={"outcome": 1.0})), long=True)
    monkeypatch.setattr(quick, "trace", lambda *_: (_ for _ in ()).throw(quick.UntraceableError))
    plain = on_numpy(monkeypatch, lambda: run_block(ready, 3, 0, PATHS, compare=False))
    same(run_block(ready, 3, 0, PATHS, compare=False), plain)
    (known,) = known_of(ready)
    assert known.hopeless
    monkeypatch.setattr(taped, "_written", lambda *_: pytest.fail("tried again"))
    same(run_block(ready, 3, 0, PATHS, compare=False), plain)


def test_a_party_with_the_name_of_a_role_is_booked_as_itself_on_a_tape() -> None:
    """A leg from investor to provider, and a payment from a party called investor to one called provider."""
    writer = taped._Writer([Ledger((0, 0, 1), 8)])
    names = ("investor", "provider", "grant")
    by_role, by_party = writer._places(0, Leg(*names)), writer._places(0, names)
    assert (len(by_role), len(by_party)) == (1, 3)
    assert not set(by_role) & set(by_party)


def test_a_run_is_long_from_a_number_of_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bits; and workers are told so."""
    monkeypatch.setattr(run, "LONG", 512)
    fund = one_deal(prices={"outcome": 1.0})
    found = [simulate(fund, paths=1024, seed=5, workers=n, chunk=256) for n in (1, 2)]
    monkeypatch.setattr(run, "LONG", 10**9)
    rows = simulate(fund, paths=1024, seed=5, workers=1, chunk=256)
    assert found[0].measures_rows == found[1].measures_rows == rows.measures_rows
    work = Work(replace(prepare(fund), long=True), 5, False)
    assert pickle.loads(pickle.dumps(work)).ready.long


def known_of(ready: ReadyPortfolio) -> list[Any]:
    return [known for deal in ready.deals for known in taped._KNOWN[deal].values()]


@pytest.mark.parametrize("people", [14.0, 400.0, 20_000.0])
def test_futures_spread_on_purpose_go_onto_a_tape(people: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """A count by its quantile is added up natively, and searched for where people are many."""
    fund = with_people(reference_fund(1, 12), people)
    ready = replace(prepare(fund), points=Points(3, 512, {COMMON: streams(prepare(fund))}))
    for first in (0, 512, 1024, 1536, 2048):
        plain = on_numpy(monkeypatch, lambda first=first: run_block(ready, 3, first, 512))
        same(run_block(ready, 3, first, 512), plain)
    assert all(known.script is not None for known in known_of(ready))


def test_people_counted_nearly_go_onto_a_tape(monkeypatch: pytest.MonkeyPatch) -> None:
    hold_to_numpy(with_people(reference_fund(1, 12, counts="near"), 400.0), monkeypatch)


def with_people(fund: Portfolio, people: float) -> Portfolio:
    raw = fund.model_dump(mode="json", exclude_unset=True)
    for deal in raw["deals"].values():
        deal["programme"]["referrals"]["per_quarter"] = people
    return Portfolio.model_validate_json(json.dumps(raw))


def test_draws_of_another_kind_stay_with_their_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tape knows numbers that a driver had when it was written; with another it is not played."""
    ready = prepare(reference_fund(1, 12))
    for _ in range(4):
        run_block(ready, 3, 0, PATHS)
    handed = known_of(ready)[0].script.handed[0]
    flat: list[Any] = [np.zeros(PATHS)] * (1 + max(*handed.numbers, *handed.arrays, *handed.lucks))
    for place, value in zip(handed.numbers, handed.values, strict=True):
        flat[place] = value
    for place in handed.lucks:
        flat[place] = Luck(1, 2, 3, np.arange(PATHS, dtype=np.uint64))
    assert taped._alike(handed, flat)
    for other in (flat[handed.numbers[0]] + 1.0, np.zeros(PATHS)):
        assert not taped._alike(handed, [*flat[: handed.numbers[0]], other, *flat[handed.numbers[0] + 1 :]])
    at = handed.arrays[0]
    assert taped._alike(handed, [*flat[:at], 1.0, *flat[at + 1 :]])
    assert not taped._alike(handed, [*flat[:at], "1", *flat[at + 1 :]])


def test_few_paths_and_a_journal_stay_with_their_rows() -> None:
    ready = prepare(reference_fund(1, 12))
    deal = ready.deals[0]
    for paths, journal, can in ((8, False, True), (7, False, False), (8, True, False)):
        ledger = Ledger(deal.calendar.year_of_row, paths, journal)
        assert taped._can_be_taped((deal.own,), (ledger,)) is can


def test_words_side_by_side_are_those_one_by_one() -> None:
    """Eight paths in vectors, and what stands in for it where a processor has none so wide."""
    from socialfinance.kernels import compiled

    rng, size = np.random.default_rng(5), 4_003
    key = np.uint64(11), np.uint64(13), np.uint64(4)
    paths = rng.integers(0, 2**40, size).astype(np.uint64)
    people = rng.choice([0, -1, 0.4, 1, 7.5, 20, 32, 33, 64, 65, 200, 1e300, np.nan], size)
    chance = rng.choice([0, -1, 0.2, 0.5, 0.5 + 2.0**-12, 1 - 2.0**-53, 1, 2, np.nan], size)
    many = np.array([1_000.0]), rng.uniform(size=size)  # some are undecided after two batches of words
    for n, p in ((people, chance), (np.array([40.0]), chance), (people, np.array([0.3])), many):
        found = np.full((2, size), -1.0)
        for wide, into in zip((True, False), found, strict=True):
            compiled._count_between(
                np.uint64(n.ctypes.data), int(n.size > 1), np.uint64(p.ctypes.data), int(p.size > 1), key,
                paths, np.uint64(into.ctypes.data), 3, size - 6, wide,
            )  # fmt: skip
        assert np.array_equal(found[0], found[1], equal_nan=True)
        assert np.array_equal(found[0, 3:-6], count(n, p, Luck(11, 13, 4, paths))[3:-6], equal_nan=True)
        assert np.all(found[:, [0, 1, 2, -6, -1]] == -1.0)
    rows = np.empty((2, 4, 11))
    for wide, row in zip((True, False), rows, strict=True):
        compiled._four_rows(*key, np.arange(11, dtype=np.uint64), row, 0, wide)
    assert np.array_equal(rows[0], rows[1])


def test_a_short_run_compiles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(quick, "_SHAPES", {})
    ready = prepare(reference_fund(1, 20))
    for _ in range(3):
        run_block(ready, 3, 0, PATHS)
    assert quick._SHAPES
    assert not any(shape.variants for shape in quick._SHAPES.values())


# --- the words of a step ---------------------------------------------------------------------------


class Handed(NamedTuple):
    a: Any
    b: Any
    c: Any
    row: float
    flag: float
    luck: Luck


AWKWARD = np.array([0.0, -0.0, 1.0, -1.0, np.nan, np.inf, -np.inf, 0.5, 2.5, -2.5, 1e-300, 1e300])


def every_word(terms: tuple[float, ...], x: Handed) -> tuple[Any, ...]:
    made: tuple[Any, ...] = (0.0, 0.0)
    for k in range(len(made)):
        made = put(made, k, least(x.a, x.b) + terms[k] * x.row)
    people = count(whole(most(0.0, x.c)), ratio(x.a, x.b, 0.5), x.luck)
    fit = either(both(x.a > x.b, x.c <= 1.0), negate(x.b == 0.0))
    more = where(fit, x.a - people, -x.b) / (1.0 + terms[1])
    if x.flag > 0.0:
        more = more * 2.0
    again = count(least(people, 7.0), 0.5, x.luck._replace(period=9)) if terms[0] < 0.0 else people
    return made, (more, part(x.a, x.row), part(terms[0], x.c), most(x.a, x.b)), (again, 3.0, x.row * 2.0)


def test_every_word_on_awkward_numbers() -> None:
    pairs = np.array([(a, b, c) for a in AWKWARD for b in AWKWARD for c in (0.0, 1.0, 70.0)]).T.copy()
    luck = Luck(3, 5, 2, np.arange(pairs.shape[1], dtype=np.uint64))
    for _ in range(3):
        step = quick.through(every_word, pairs.shape[1])
        assert isinstance(step, quick.Through)
        for row in range(6):
            handed = (0.25, 0.0), Handed(*pairs, float(row), float(row % 2), luck)
            with np.errstate(all="ignore"):
                found, plain = step(*handed), every_word(*handed)
            assert found[2][1:] == plain[2][1:]
            for one, other in zip(_flat(found), _flat(plain), strict=True):
                assert np.array_equal(*np.broadcast_arrays(one, other), equal_nan=True)
        step.done()
    assert len(programs()) == 2  # one where the flag is up, one where it is down


def _flat(x: Any) -> list[Any]:
    return [leaf for part in x for leaf in _flat(part)] if isinstance(x, tuple) else [x]


def on_a_path(terms: tuple[float, ...], x: Any) -> tuple[Any, ...]:
    return (x if np.any(x > 0.5) else x * 2.0,)


def test_what_cannot_be_written_down_stays_on_numpy() -> None:
    x = np.linspace(0.0, 1.0, PATHS)
    for _ in range(3):
        step = quick.through(on_a_path, PATHS)
        assert isinstance(step, quick.Through)
        assert np.array_equal(step((1.0,), x)[0], x)
        step.done()
    assert not programs()


def test_it_can_be_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert backend() == "compiled"
    for name in ("numba", "numpy"):
        monkeypatch.setenv("SOCIALFINANCE_BACKEND", name)
        assert backend() == name
        assert quick.through(every_word, PATHS) is every_word
    assert quick.through(every_word, 3) is every_word


def test_without_numba_steps_run_on_numpy() -> None:
    code = (
        "import sys; sys.modules['numba'] = None\n"
        "from socialfinance.kernels.backend import backend\n"
        "from socialfinance.kernels.quick import through\n"
        "print(backend(), through(len, 100) is len)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["numpy", "True"]
