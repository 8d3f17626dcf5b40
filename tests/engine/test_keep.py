"""What is not kept by path: the same means, quantiles within 0.1%, memory that does not grow with paths."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import socialfinance as sf
from socialfinance.cli import main
from socialfinance.core.errors import InputError
from socialfinance.engine.accumulate import FINE, GROUPS, UNIT, Block, Kept
from socialfinance.engine.keep import ALL, what_to_keep
from socialfinance.engine.ready import prepare
from socialfinance.engine.reduced import moments
from socialfinance.engine.run import estimate, simulate
from socialfinance.engine.tree import Tree, nil_moments, together
from socialfinance.funds.portfolio import Portfolio
from socialfinance.measures.paths import Key
from socialfinance.measures.sample import InSets
from socialfinance.measures.sketch import WITHIN
from socialfinance.measures.statistics import Row
from tests.engine.test_invariance import several

Array = NDArray[np.float64]
SKETCHED = ("p5", "p50", "p95", "p99", "es99")
FUND = "community-fund"


def rows(portfolio: Portfolio | str, **how: Any) -> tuple[tuple[Row, ...], Any]:
    """Everything that a run gives back."""
    made = sf.load(portfolio).portfolio if isinstance(portfolio, str) else portfolio
    result = simulate(made, **{"paths": 1300, "seed": 7, "workers": 1, "keep": "sums", **how})
    return result.measures_rows, result.flow_rows


def agree(one: float | None, other: float | None, within: float) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= within * max(abs(one), abs(other)) + 2e-9


@pytest.mark.parametrize("name", ["several", FUND])
def test_means_and_errors_are_those_of_figures_by_path(name: str) -> None:
    """To 1e-12, and quantiles within 0.1%: of deals with variation, and of a fund with notes."""
    made: Portfolio | str = several() if name == "several" else name
    how = {"paths": 1300 if name == "several" else 300, "compare": name == "several"}
    (exact, flows), (found, of_sums) = rows(made, keep="all", **how), rows(made, **how)
    assert flows == of_sums
    assert len(exact) == len(found)
    marked = 0
    for here, there in zip(exact, found, strict=True):
        assert here[:7] == there[:7]
        marked += "~" in there.status
        if "~" in there.status:
            assert here.statistic in SKETCHED
            assert agree(here.value, there.value, WITHIN), (here, there)
        else:
            assert agree(here.value, there.value, 1e-12), (here, there)
            assert agree(here.standard_error, there.standard_error, 1e-10), (here, there)
            assert here.status == there.status
        assert agree(here.share_of_paths, there.share_of_paths, 1e-12)
    assert marked > 100


def test_same_bits_whatever_chunk_and_workers() -> None:
    once = rows(several())
    assert rows(several(), chunk=256) == once
    assert rows(several(), chunk=1000, workers=2) == once


@pytest.mark.parametrize(
    ("name", "count"), [(FUND, 8), pytest.param("collective-impact-fund", 59, marks=pytest.mark.slow)]
)
def test_rows_over_all_paths_are_the_same(name: str, count: int) -> None:
    """Tail contributions, loss rates and gains of a policy need every path, and have it."""
    how = {"paths": 256, "compare": False}
    exact, found = (
        [row for row in rows(name, keep=keep, **how)[0] if row.statistic in ("mean_of_worst", "of_means")]
        for keep in ("all", "sums")
    )
    assert len(exact) == count
    assert exact == found


def test_what_is_named_is_kept_by_path() -> None:
    keep = ("sums", "a: fund.gain", "b: fund.irr")
    exact, found = (
        {row[:7]: row for row in rows(several(), keep=how, compare=False)[0]} for how in ("all", keep)
    )
    kept = {("a", "fund", "gain"), ("b", "fund", "irr")}
    mine = [name for name in exact if (name[1], name[2], name[5]) in kept]
    assert len(mine) > 10
    assert all(exact[name] == found[name] for name in mine)
    assert sum("~" in row.status for row in found.values()) > 100


def test_a_run_says_what_it_kept() -> None:
    how = {"paths": 300, "workers": 1, "compare": False}
    keep = ("sums", "edge-of-care: lender.npv")
    named = sf.simulate("demo-guaranteed-debt", keep=keep, **how)  # type: ignore[arg-type]
    assert named.provenance["keep"] == list(keep)
    whole = sf.simulate("demo-guaranteed-debt", **how)  # type: ignore[arg-type]
    assert "keep" not in whole.provenance


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no figure": ({"keep": "everything"}, "names no figure"),
    "not of this run": ({"keep": "lender.npv"}, "names no figure by path"),
    "all and more": ({"keep": ("all", "lender.npv")}, "keeps all anyway"),
    "nothing": ({"keep": ()}, "says nothing"),
    "points on purpose": ({"keep": "sums", "sampling": "auto", "paths": 6144}, "cannot go with sampling"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_makes_no_sense_is_refused(name: str) -> None:
    how, said = WRONG[name]
    with pytest.raises(InputError, match=said) as caught:
        sf.simulate("demo-guaranteed-debt", workers=1, compare=False, **how)
    assert caught.value.field == "keep"


def test_the_command_marks_what_is_off_a_sketch(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["run", "demo-guaranteed-debt", "--paths", "300", "--no-compare", "--quiet", "--keep", "sums"]
    assert main(command) == 0
    page = capsys.readouterr().out
    assert "Figures marked ~ are read off a sketch" in page
    assert page.count("~") > 5
    assert main(command[:-2]) == 0
    assert "~" not in capsys.readouterr().out


def test_with_a_checkpoint(tmp_path: Path) -> None:
    """Blocks hold sketches; those of a run that kept something else are not taken."""
    how: dict[str, Any] = {"paths": 600, "chunk": 256, "compare": False}
    once = rows("demo-guaranteed-debt", **how, checkpoint=tmp_path)
    for one in sorted(tmp_path.glob("block-*.npz"))[1:2]:
        one.unlink()
    assert rows("demo-guaranteed-debt", **how, checkpoint=tmp_path) == once
    assert rows("demo-guaranteed-debt", **how) == once
    with pytest.raises(InputError, match="holds another run"):
        rows("demo-guaranteed-debt", **how, keep="all", checkpoint=tmp_path)


def test_accuracy_goes_on_from_sums() -> None:
    """The rounds of a run end with the bits of one that had those paths from the start."""
    made = sf.load("demo-guaranteed-debt").portfolio
    wanted = {"edge-of-care: lender.npv.p50": 900.0}
    how: dict[str, Any] = {"seed": 3, "workers": 1, "compare": False, "keep": "sums"}
    grown = simulate(made, 512, accuracy=wanted, **how)
    assert grown.paths > 512
    again = simulate(made, grown.paths, **how)
    assert grown.measures_rows == again.measures_rows
    assert grown.flow_rows == again.flow_rows


def test_memory_is_said_before() -> None:
    ready = prepare(several())
    few, many = (estimate(ready, paths, keep=what_to_keep("sums"), workers=1) for paths in (10**5, 10**6))
    assert many.total_bytes <= 1.3 * few.total_bytes
    assert estimate(ready, 10**6, keep=ALL, workers=1).total_bytes > 5 * many.total_bytes
    named = estimate(ready, 10**6, keep=what_to_keep("a: fund.gain"), workers=1)
    assert named.kept_bytes >= 8 * 10**6


# --- the tree ---------------------------------------------------------------------------------------

RNG = np.random.default_rng(11)


def in_order(order: tuple[int, ...], sums: Array, top: int = 63) -> Tree[str]:
    tree = Tree[str](UNIT, len(sums) * UNIT, top)
    cut = np.array_split(np.arange(len(sums)), len(order))
    for one in order:
        tree.add(int(cut[one][0]), ("x", "y"), sums[cut[one]])
    return tree


@pytest.mark.parametrize("top", [63, 1])
def test_any_order_of_arrival_gives_the_same_bits(top: int) -> None:
    """Every order of five blocks of 13 units."""
    sums = RNG.lognormal(0.0, 4.0, (13, 2, 3))
    once = in_order((0, 1, 2, 3, 4), sums, top).by_key()
    for order in itertools.permutations(range(5)):
        again = in_order(order, sums, top).by_key()
        assert all(again[key].tobytes() == once[key].tobytes() for key in once)
    assert len(once["x"]) == (1 if top == 63 else 7)


def test_a_key_that_a_block_lacks_is_nil_there() -> None:
    """Whether the blocks with it come first or last, and whatever the chunk: moments of nil have paths."""
    values = RNG.normal(5.0, 1.0, (2, 10 * UNIT - 100))
    values[1, : 4 * UNIT] = 0.0
    whole = Tree[str](UNIT, values.shape[1], 63, together, nil_moments)
    whole.add(0, ("x", "y"), moments(values, UNIT))
    for order in itertools.permutations((0, 4, 8)):
        tree = Tree[str](UNIT, values.shape[1], 63, together, nil_moments)
        for first in order:
            part = moments(values[:, first * UNIT : (first + 4) * UNIT], UNIT)
            tree.add(first, ("x", "y") if first else ("x",), part if first else part[:, :1])
        for key in ("x", "y"):
            assert tree.sums(key).tobytes() == whole.sums(key).tobytes()
    n, total, squares = whole.sums("y")[0]
    assert n == values.shape[1]
    assert total == pytest.approx(values[1].sum(), rel=1e-13)
    assert squares == pytest.approx(values[1].var() * n, rel=1e-13)


def test_moments_do_not_cancel() -> None:
    """A spread of 1 about ten million, as sums of squares would lose it."""
    values = 1e7 + RNG.normal(0.0, 1.0, (1, 40_000))
    tree = Tree[str](UNIT, 40_000, 63, together, nil_moments)
    tree.add(0, ("x",), moments(values, UNIT))
    assert tree.sums("x")[0, 2] == pytest.approx(values.var() * 40_000, rel=1e-9)


def test_groups_stay_within_their_number_and_within_sets() -> None:
    """As many groups as are wanted at most; under points on purpose none of them is of two sets."""
    paths, size = 6 * 24 * 2048, 2048
    net = np.ones((2, paths))
    block = Block(0, paths)
    block.put_rows("d", "investor", net)
    kept = Kept(paths)
    kept.add(block)
    groups = kept.rows["d", "investor"]
    assert GROUPS // 2 < len(groups) <= GROUPS
    assert groups.sum(axis=0).tolist() == [paths, paths]
    sets = InSets(np.ones(paths), np.arange(paths) // size, paths // size)
    spread = Kept(paths, sets, groups=8)
    spread.add(block)
    assert sets.sets(spread.rows["d", "investor"]).tolist() == [[size, size]] * (paths // size)
    fine = Kept(paths, groups=None)
    fine.add(block)
    assert len(fine.rows["d", "investor"]) == paths // FINE


def test_more_paths_in_rounds_give_the_same_groups() -> None:
    paths = 4 * GROUPS * FINE
    net = RNG.normal(1.0, 1.0, (3, paths))
    first, rest, whole = Block(0, paths // 4), Block(paths // 4, paths - paths // 4), Block(0, paths)
    for block in (first, rest, whole):
        block.put_rows("d", "investor", net[:, block.first : block.first + block.count])
    grown, once = Kept(paths // 4), Kept(paths)
    grown.add(first)
    grown.grow(paths, grown.sample)
    grown.add(rest)
    once.add(whole)
    assert grown.rows["d", "investor"].tobytes() == once.rows["d", "investor"].tobytes()


def test_paths_of_which_nothing_came_are_a_group_all_the_same() -> None:
    tree = Tree[str](UNIT, 5 * UNIT, 1)
    tree.add(0, ("x",), np.ones((2, 1, 3)))
    assert tree.sums("x")[:, 0].tolist() == [2.0, 0.0, 0.0]


# --- memory -----------------------------------------------------------------------------------------

PEAK = """
import json, resource, sys
import socialfinance as sf
from tests.engine.test_invariance import several
sf.simulate(several(), int(sys.argv[1]), workers=1, compare=False, keep=sys.argv[2])
print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
"""


def peak(paths: int, keep: str) -> int:
    """KiB that a run of its own process had at most."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(paths), keep], check=True, capture_output=True, cwd=Path.cwd()
    )
    return int(json.loads(done.stdout))


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_ten_times_the_paths_in_the_same_memory() -> None:
    """Peak of a million futures of three deals at most 1.3 times that of 100,000."""
    assert peak(1_000_000, "sums") <= 1.3 * peak(100_000, "sums")


def test_an_irr_that_is_named_comes_with_its_status() -> None:
    """And with nothing else of its party."""
    name = what_to_keep("fund.irr").names[0]
    key = Key("deal", "", "fund", "investor", "", "irr", "fraction a year")
    assert name.means(key)
    assert name.means(key._replace(measure="irr_status"))
    assert not name.means(key._replace(measure="gain"))
