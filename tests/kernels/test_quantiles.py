"""Binomial counts by one uniform each: SciPy's own quantiles, in either backend, and monotone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from socialfinance.kernels.backend import backend
from socialfinance.kernels.luck import Luck, Quantile, count
from socialfinance.kernels.quantiles import NEAR_FROM, binomial

U = st.floats(1e-9, 1.0 - 1e-9)
CHANCE = st.floats(0.001, 0.999)


def on(monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    monkeypatch.setenv("SOCIALFINANCE_BACKEND", form)
    if form == "numba":
        pytest.importorskip("numba")
    assert backend() == form


@pytest.mark.parametrize("form", ["numba", "numpy"])
@pytest.mark.parametrize("n", [1, 7, 60, 250, 3_000])
def test_quantiles_are_scipys(n: int, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The least k with F(k) >= u, by SciPy's F; within rounding of a step either side of it is right."""
    on(monkeypatch, form)
    rng = np.random.default_rng(20_261_127)
    p, u = rng.uniform(0.01, 0.99, 4_000), rng.uniform(size=4_000)
    found = binomial(float(n), p, u)
    failing = p > 0.5
    law = stats.binom(n, np.where(failing, 1.0 - p, p))
    k, share = np.where(failing, n - found, found), np.where(failing, 1.0 - u, u)
    assert np.all(law.cdf(k) >= share - 1e-11)
    assert np.all(law.cdf(k - 1.0) <= share + 1e-11)
    assert np.all((found >= 0.0) & (found <= n))


@pytest.mark.parametrize("n", [5.0, 80.0, 900.0])
def test_every_count_comes_as_often_as_it_should(n: float) -> None:
    """Evenly spread uniforms give the law itself, to one in as many as there are."""
    u = (np.arange(100_000) + 0.5) / 100_000
    for p in (0.2, 0.5, 0.83):
        seen = np.bincount(binomial(n, p, u).astype(int), minlength=int(n) + 1) / u.size
        assert np.abs(seen - stats.binom(n, p).pmf(np.arange(n + 1))).max() < 1.1e-5


@given(st.integers(0, 400), CHANCE, U, st.integers(0, 9), st.floats(0.0, 0.3), st.floats(0.0, 0.3))
def test_it_falls_in_nothing(n: int, p: float, u: float, more: int, likelier: float, luckier: float) -> None:
    """More people, a greater chance and better luck never give fewer; nor the one more a fewer failing."""
    some = np.array([u])
    least = binomial(float(n), p, some)[0]
    assert binomial(float(n + more), p, some)[0] >= least
    assert binomial(float(n), min(p + likelier, 1.0), some)[0] >= least
    assert binomial(float(n), p, np.array([min(u + luckier, 1.0 - 1e-9)]))[0] >= least


@pytest.mark.parametrize("form", ["numba", "numpy"])
def test_edges_are_those_of_counting(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    on(monkeypatch, form)
    nan, inf = float("nan"), float("inf")
    n = np.array([0.0, -3.0, 5.0, 5.0, 130.0, nan, inf, 5.0, 0.0, 5.0, 0.4, 0.6])
    p = np.array([0.5, 0.5, 0.0, 1.0, 2.0, 0.5, 0.5, nan, nan, -1.0, 0.999999, 0.999999])
    even = np.full(len(n), 0.5)
    counted = count(n, p, Luck(1, 2, 3, np.arange(len(n), dtype=np.uint64)))
    np.testing.assert_array_equal(count(n, p, Quantile(even)), counted)


@pytest.mark.parametrize("form", ["numba", "numpy"])
def test_the_best_and_the_worst_luck_stay_within_the_people(
    form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where rounding keeps the sum of all chances below the last number under 1, too."""
    on(monkeypatch, form)
    for u in (np.nextafter(1.0, 0.0), 2.0**-60):
        for n in (1.0, 5.0, 90.0, 700.0):
            p = np.linspace(0.001, 0.999, 1_999)
            found = binomial(n, p, np.full(p.size, u))
            assert found.min() >= 0.0
            assert found.max() <= n


def test_the_backends_give_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    n, p, u = rng.integers(0, 300, 5_000) * 1.0, rng.uniform(size=5_000), rng.uniform(size=5_000)
    on(monkeypatch, "numba")
    compiled = binomial(n, p, u)
    on(monkeypatch, "numpy")
    np.testing.assert_array_equal(binomial(n, p, u), compiled)


def test_luck_on_some_of_the_paths() -> None:
    chosen, u = np.array([True, False, True]), np.array([0.1, 0.2, 0.3])
    assert Quantile(u).on(chosen).u.tolist() == [0.1, 0.3]
    assert np.array_equal(Luck(1, 2, 3, np.arange(3, dtype=np.uint64)).on(chosen).path, [0, 2])
    assert Luck(0, 0, 3, 0).on(chosen) == Luck(0, 0, 3, 0)


# --- near -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["numba", "numpy"])
@pytest.mark.parametrize("chance", [0.0005, 0.01, 0.2, 0.5, 0.8, 0.99])
@pytest.mark.parametrize("variance", [NEAR_FROM, 25.0, 400.0])
def test_a_count_nearby_is_the_quantile_for_all_but_a_few(
    variance: float, chance: float, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At most 14 in 10,000 off at a variance of 9, by one person, fewer as it grows; no bias to speak of."""
    on(monkeypatch, form)
    n = float(np.ceil(variance / (chance * (1.0 - chance))))
    u = (np.arange(200_000) + 0.5) / 200_000
    off = binomial(n, chance, u, near=True) - binomial(n, chance, u)
    assert np.abs(off).max() <= 1.0
    assert np.mean(off != 0.0) <= 1.4e-3 * NEAR_FROM / variance
    assert abs(off.mean()) <= 2e-5
    spread = np.std(stats.binom(n, chance).ppf(u) + off) / np.sqrt(n * chance * (1.0 - chance))
    assert spread == pytest.approx(1.0, abs=3e-4)


def test_a_small_count_is_exact_beside_large_ones() -> None:
    n, p = np.array([20.0, 5_000.0, 20_000.0]), np.array([0.3, 0.3, 0.0004])
    u = np.array([0.3, 0.3, 0.3])
    exact, found = binomial(n, p, u), binomial(n, p, u, near=True)
    np.testing.assert_array_equal(found[[0, 2]], exact[[0, 2]])
    assert abs(found[1] - exact[1]) <= 1.0


@pytest.mark.parametrize("n", [40.0, 150.0, 3_000.0, 1e6])
def test_a_count_nearby_never_falls(n: float) -> None:
    """In luck, out to where a float ends; in chance and people, over the edge to exact counts and back."""
    tail = 10.0 ** -np.linspace(15.5, 1.0, 4_000)
    u = np.concatenate([tail, np.linspace(0.1, 0.9, 4_000), 1.0 - tail[::-1]])
    for chance in (20.0 / n, 0.4, 0.93):
        found = binomial(n, chance, u, near=True)
        assert np.all(np.diff(found) >= 0.0)
        assert 0.0 <= found[0] <= found[-1] <= n
    for one in (1e-12, 0.02, 0.5, 0.98, 1.0 - 1e-12):
        chances = np.linspace(0.0, 1.0, 5_001)
        assert np.all(np.diff(binomial(n, chances, np.full(5_001, one), near=True)) >= 0.0)
        people = np.arange(max(n - 500.0, 0.0), n + 500.0)
        assert np.all(np.diff(binomial(people, 0.3, np.full(people.shape, one), near=True)) >= 0.0)


def test_edges_are_the_same_nearby() -> None:
    nan, inf = float("nan"), float("inf")
    n = np.array([0.0, -3.0, 500.0, 500.0, 130.0, nan, inf, 500.0, 0.0, 500.0, 0.4, 0.6])
    p = np.array([0.5, 0.5, 0.0, 1.0, 2.0, 0.5, 0.5, nan, nan, -1.0, 0.999999, 0.999999])
    even = np.full(len(n), 0.5)
    np.testing.assert_array_equal(binomial(n, p, even, near=True), binomial(n, p, even))
