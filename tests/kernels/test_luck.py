"""Keyed draws: NumPy's own Philox, exact binomials, and the same bits in every form."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from socialfinance.kernels.backend import backend
from socialfinance.kernels.luck import (
    Luck,
    _words_scattered,
    count,
    uniform,
    uniform_block,
    unit,
    words,
    words_block,
)

WORD = st.integers(0, 2**64 - 1)
KEY = (0x123456789ABCDEF0, 0x0FEDCBA987654321)
CHANCE = st.one_of(
    st.floats(0.0, 1.0), st.sampled_from([0.0, 1e-300, 2.0**-53, 0.25, 0.5, 1 - 2.0**-53, 1.0])
)


def paths_from(first: int, n: int) -> np.ndarray:
    return np.arange(first, first + n, dtype=np.uint64)


def draw_on(monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    monkeypatch.setenv("SOCIALFINANCE_BACKEND", form)
    if form == "numba":
        pytest.importorskip("numba")
    assert backend() == form


@given(WORD, WORD, st.integers(0, 2**60), WORD, WORD, WORD)
def test_words_are_those_of_numpy(k0: int, k1: int, path: int, c1: int, c2: int, c3: int) -> None:
    generator = np.random.Philox(
        key=np.array([k0, k1], dtype=np.uint64), counter=np.array([path, c1, c2, c3], dtype=np.uint64)
    )
    expected = generator.random_raw(8).reshape(2, 4).tolist()
    assert [list(words(k0, k1, (path + i, c1, c2, c3))) for i in (1, 2)] == expected


@given(WORD, WORD, st.lists(st.integers(0, 2**62), min_size=1, max_size=9), WORD, WORD, WORD)
def test_words_of_any_paths(k0: int, k1: int, paths: list[int], c1: int, c2: int, c3: int) -> None:
    expected = [list(words(k0, k1, (path + 1, c1, c2, c3))) for path in paths]
    block = np.array(paths, dtype=np.uint64)
    assert words_block(k0, k1, block, (c1, c2, c3)).tolist() == expected
    assert _words_scattered(k0, k1, block, (c1, c2, c3)).tolist() == expected


def test_words_of_close_paths_in_any_order() -> None:
    paths = np.array([7, 3, 3, 12], dtype=np.uint64)
    expected = [list(words(*KEY, (int(path) + 1, 1, 2, 3))) for path in paths]
    assert words_block(*KEY, paths, (1, 2, 3)).tolist() == expected
    assert words_block(*KEY, paths[:0], (1, 2, 3)).shape == (0, 4)


def test_a_uniform_is_never_nought_or_one() -> None:
    assert unit(0) == 2.0**-53
    assert unit(2**64 - 1) == 1 - 2.0**-53
    assert unit(2**63) == 0.5 + 2.0**-53


@pytest.mark.parametrize("form", ["numba", "numpy"])
@settings(max_examples=40, deadline=None)
@given(WORD, WORD, st.integers(0, 90), st.integers(0, 11), st.integers(0, 2**50), st.integers(1, 5))
def test_uniforms_have_the_same_bits(
    form: str, k0: int, k1: int, first: int, rows: int, path: int, n: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        draw_on(patch, form)
        block = uniform_block(k0, k1, range(first, first + rows), paths_from(path, n))
    assert block.tolist() == [[uniform(k0, k1, first + t, path + i) for i in range(n)] for t in range(rows)]


def test_periods_are_consecutive() -> None:
    with pytest.raises(ValueError, match="consecutive"):
        uniform_block(*KEY, range(0, 8, 2), paths_from(0, 3))


@pytest.mark.parametrize("form", ["numba", "numpy"])
@settings(max_examples=60, deadline=None)
@given(
    WORD,
    WORD,
    st.integers(0, 400),
    st.lists(
        st.tuples(st.integers(-1, 200), st.one_of(CHANCE, st.floats(-0.5, 1.5)), st.integers(0, 2**50)),
        min_size=1,
        max_size=6,
    ),
)
def test_counts_have_the_same_bits(
    form: str, k0: int, k1: int, period: int, people: list[tuple[int, float, int]]
) -> None:
    n, p, path = (list(column) for column in zip(*people, strict=True))
    one_by_one = [count(float(m), q, Luck(k0, k1, period, i)) for m, q, i in people]
    luck = Luck(k0, k1, period, np.array(path, dtype=np.uint64))
    with pytest.MonkeyPatch.context() as patch:
        draw_on(patch, form)
        assert count(np.array(n, dtype=float), np.array(p), luck).tolist() == one_by_one
        assert count(float(n[0]), p[0], luck)[0] == one_by_one[0]
        assert count(float(n[0]), np.array(p), luck)[0] == one_by_one[0]


def slow_count(n: int, p: float, luck: Luck) -> int:
    """By the definition: each person's 53 bits gathered one by one."""
    succeed = 0
    for i in range(n):
        bits = [
            words(luck.key0, luck.key1, (luck.path + 1, luck.period, 1 + i // 32, j // 8))[j % 8 // 2]
            >> (i % 32 + 32 * (j % 2))
            & 1
            for j in range(53)
        ]
        u = int("".join(map(str, bits)), 2)
        succeed += u < math.floor(p * 2**53)
    return succeed


@pytest.mark.parametrize("p", [0.013, 0.5, 0.77, 1 - 2.0**-20])
def test_count_is_its_definition(p: float) -> None:
    for path in range(8):
        luck = Luck(*KEY, 3, path)
        assert count(100.0, p, luck) == slow_count(100, p, luck)


@given(WORD, WORD, st.integers(0, 200), CHANCE, CHANCE, st.integers(0, 2**40))
def test_count_never_falls_in_p(k0: int, k1: int, n: int, p: float, q: float, path: int) -> None:
    luck = Luck(k0, k1, 5, path)
    assert count(float(n), min(p, q), luck) <= count(float(n), max(p, q), luck)


@given(WORD, WORD, st.integers(0, 200), CHANCE, st.integers(0, 2**40))
def test_one_more_person_leaves_the_luck_of_the_others(k0: int, k1: int, n: int, p: float, path: int) -> None:
    assume(k0 or k1)
    luck = Luck(k0, k1, 5, path)
    assert count(n + 1.0, p, luck) - count(float(n), p, luck) in (0.0, 1.0)


@pytest.mark.parametrize("n", [1, 10, 64, 65, 200])
@pytest.mark.parametrize("p", [0.01, 0.1, 0.5, 0.99])
def test_counts_are_binomial(n: int, p: float) -> None:
    from scipy import stats

    paths = 40_000
    drawn = count(float(n), p, Luck(*KEY, 2, paths_from(0, paths)))
    binomial = stats.binom(n, p)
    mean, variance, fourth = binomial.mean(), binomial.var(), float(binomial.stats("k")) + 3.0
    assert abs(drawn.mean() - mean) < 4 * math.sqrt(variance / paths)
    own_error = 16 / paths  # from the estimated mean
    assert abs(drawn.var() - variance) < variance * (4 * math.sqrt((fourth - 1) / paths) + own_error)
    expected = paths * binomial.pmf(np.arange(n + 1))
    seen = np.bincount(drawn.astype(int), minlength=n + 1)
    often = expected >= 5
    observed = np.append(seen[often], seen[~often].sum())
    wanted = np.append(expected[often], expected[~often].sum())
    kept = wanted > 0.5
    assert stats.chi2.sf(((observed - wanted)[kept] ** 2 / wanted[kept]).sum(), kept.sum() - 1) > 1e-4


def test_periods_paths_and_keys_are_unrelated() -> None:
    paths = paths_from(0, 20_000)
    by_period = uniform_block(*KEY, range(3), paths)
    other_key = uniform_block(KEY[0], KEY[1] + 1, range(1), paths)
    counts = count(50.0, 0.5, Luck(*KEY, 0, paths))
    correlation = np.corrcoef(np.vstack([by_period, other_key, counts]))
    assert np.abs(correlation - np.eye(5)).max() < 4 / math.sqrt(len(paths))


@pytest.mark.parametrize("form", ["numba", "numpy"])
def test_without_luck_comes_the_mean(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    draw_on(monkeypatch, form)
    paths = paths_from(0, 4)
    assert count(10.5, 0.3, Luck(0, 0, 1, 7)) == 10.5 * 0.3
    assert count(10.5, 0.3, Luck(0, 0, 1, paths)).tolist() == [10.5 * 0.3] * 4
    n, p = np.array([-1.0, 10.0, 10.0, 10.0]), np.array([0.5, -0.5, 1.5, 0.5])
    assert count(n, p, Luck(0, 0, 1, paths)).tolist() == [0.0, 0.0, 10.0, 5.0]
    assert [count(m, q, Luck(0, 0, 1, 0)) for m, q in zip(n, p, strict=True)] == [0.0, 0.0, 10.0, 5.0]


@pytest.mark.parametrize("form", ["numba", "numpy"])
def test_edges(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    draw_on(monkeypatch, form)
    nan, inf = float("nan"), float("inf")
    n = np.array([0.0, -3.0, 5.0, 5.0, 130.0, nan, inf, 5.0, 0.0, 5.0])
    p = np.array([0.5, 0.5, 0.0, 1.0, 2.0, 0.5, 0.5, nan, nan, -1.0])
    expected = [0.0, 0.0, 0.0, 5.0, 130.0, nan, nan, nan, 0.0, 0.0]
    paths = paths_from(0, len(n))
    np.testing.assert_array_equal(count(n, p, Luck(*KEY, 1, paths)), expected)
    scalars = [count(m, q, Luck(*KEY, 1, i)) for i, (m, q) in enumerate(zip(n, p, strict=True))]
    np.testing.assert_array_equal(scalars, expected)
    assert count(0.0, 0.5, Luck(*KEY, 1, paths)).tolist() == [0.0] * len(n)


def test_paths_of_another_kind_and_sizes_that_do_not_fit() -> None:
    whole, luck = np.arange(0, 8, 2), Luck(*KEY, 1, paths_from(0, 8)[::2])
    assert count(9.0, 0.4, luck._replace(path=whole)).tolist() == count(9.0, 0.4, luck).tolist()
    assert uniform_block(*KEY, range(2), whole).tolist() == uniform_block(*KEY, range(2), luck.path).tolist()
    with pytest.raises(ValueError, match="one per path"):
        count(np.ones(3), 0.4, luck)


def test_one_key_word_may_be_nought() -> None:
    assert count(200.0, 0.5, Luck(0, 1, 1, 1)) != 100.0 or count(200.0, 0.5, Luck(0, 1, 1, 2)) != 100.0


def test_numba_is_optional() -> None:
    code = (
        "import sys; sys.modules['numba'] = None; import numpy as np\n"
        "from socialfinance.kernels.luck import *\n"
        "from socialfinance.kernels.backend import backend\n"
        f"print(backend(), count(30.0, 0.4, Luck(*{KEY}, 2, np.arange(3, dtype=np.uint64))).tolist())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"numpy {[count(30.0, 0.4, Luck(*KEY, 2, path)) for path in range(3)]}"


def test_import_is_light() -> None:
    code = "import sys, socialfinance.kernels.luck; print({'numba', 'scipy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
