"""Futures spread on purpose have the law of plain ones: uniforms are uniform, weights are fair."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy.special import ndtr, ndtri
from scipy.stats import kstest

from socialfinance.kernels.luck import Luck, count, uniform_block
from socialfinance.scenarios.dependence import CommonShock, first_start, shock_depth
from socialfinance.scenarios.points import COMMON, EDGES, Points, Tilt, Turn, as_first, as_series, density_of
from socialfinance.scenarios.sources import Drawn

PATHS = np.arange(16_384, dtype=np.uint64)
NAMES = (("deal", "cost"), ("factors", "economy", ""), ("deal", "failure"))
BAD = Tilt(tuple(3.0 if high <= 0.1 else 0.7 / 0.9 for high in EDGES[1:]))


def plain(*label: int, rows: int = 12) -> np.ndarray:
    return uniform_block(*label, range(rows), PATHS)


def same_law(found: np.ndarray, level: float = 1e-4) -> None:
    """Kolmogorov and Smirnov's test against the uniform."""
    assert kstest(found, "uniform").pvalue > level


def test_each_set_fills_every_dimension_evenly() -> None:
    """Of 512 points one lies in each 512th of a dimension, in every set; and sets differ."""
    points = Points(7, 512, {COMMON: NAMES})
    for names in NAMES:
        u = points.uniforms(names, PATHS)
        assert u is not None
        for member in u.reshape(-1, 512):
            assert sorted(np.floor(member * 512)) == list(range(512))
    first = points.uniforms(NAMES[0], PATHS)
    assert first is not None
    assert not np.array_equal(first[:512], first[512:1024])


def test_what_belongs_together_is_spread_together_and_apart_from_the_rest() -> None:
    """In each half of a set, two dimensions of a group have one point in each of 16 x 16 cells.

    Those of two groups fall as by chance: chi-squared over the cells, which one sequence makes nil.
    """
    groups = {name: [(name, "cost"), (name, "failure")] for name in ("one", "two")}
    points = Points(7, 512, groups)

    def cells(first: tuple[str, ...], second: tuple[str, ...], width: int) -> np.ndarray:
        u, v = points.uniforms(first, PATHS), points.uniforms(second, PATHS)
        assert u is not None
        assert v is not None
        cell = np.floor(u * 16) * 16 + np.floor(v * 16)
        return np.array([np.bincount(half.astype(int), minlength=256) for half in cell.reshape(-1, width)])

    for group in groups.values():
        assert np.all(cells(*group, 256) == 1)
    for first in groups["one"]:
        for second in groups["two"]:
            seen = cells(first, second, 512)
            squared = ((seen - 2.0) ** 2 / 2.0).sum(axis=1)
            assert squared.mean() == pytest.approx(225.0, abs=4.0 * np.sqrt(2.0 * 225.0 / len(seen)))
            assert kstest(correlated(points, first, second), "norm").pvalue > 1e-4


def correlated(points: Points, first: tuple[str, ...], second: tuple[str, ...]) -> np.ndarray:
    """By set: the correlation of two dimensions, in standard deviations that it has by chance."""
    u, v = points.uniforms(first, PATHS), points.uniforms(second, PATHS)
    assert u is not None
    assert v is not None
    pairs = zip(u.reshape(-1, points.size), v.reshape(-1, points.size), strict=True)
    return np.array([np.corrcoef(a, b)[0, 1] for a, b in pairs]) * np.sqrt(points.size)


def test_any_path_alone_is_the_same_path() -> None:
    points = Points(7, 256, {COMMON: NAMES}, {NAMES[2]: BAD})
    some = np.array([3, 255, 256, 4000, 16_000], dtype=np.uint64)
    for names in NAMES:
        whole, alone = points.uniforms(names, PATHS), Points(7, 256, {COMMON: NAMES}, {NAMES[2]: BAD})
        assert whole is not None
        found = alone.uniforms(names, some[::-1])
        assert found is not None
        assert np.array_equal(found[::-1], whole[some.astype(int)])
    assert points.uniforms(("deal", "engagement"), some) is None


def test_points_travel_without_their_tables() -> None:
    points = Points(7, 4096, {COMMON: NAMES}, {NAMES[2]: BAD})
    points.uniforms(NAMES[0], PATHS)
    sent = pickle.dumps(points)
    assert len(sent) < 2000
    back = pickle.loads(sent)
    assert np.array_equal(back.weights(PATHS), points.weights(PATHS))


def test_a_density_and_its_inverse() -> None:
    """The heights integrate to one, and draws by the quantile have the density."""
    assert np.dot(np.diff(EDGES), BAD.heights) == pytest.approx(1.0, abs=1e-12)
    u = (np.arange(10_000) + 0.5) / 10_000
    drawn = BAD.quantile(u)
    assert np.mean(drawn < 0.1) == pytest.approx(0.3, abs=1e-3)
    assert np.all(np.diff(drawn) > 0.0)
    assert set(BAD.density(drawn)) == {3.0, 0.7 / 0.9}


def test_weights_are_one_on_average_and_never_above_two() -> None:
    """Half from the uniform, half from g, weight 2 / (1 + g): any mean is sound."""
    points = Points(7, 4096, {COMMON: NAMES}, {NAMES[2]: BAD, NAMES[1]: BAD})
    weights = points.weights(PATHS)
    assert weights.max() <= 2.0
    assert weights.mean() == pytest.approx(1.0, abs=0.005)
    for names in NAMES:
        u = points.uniforms(names, PATHS)
        assert u is not None
        for power in (1, 2, 3):
            assert np.mean(weights * u**power) == pytest.approx(1.0 / (power + 1), abs=0.005)
    u = points.uniforms(NAMES[2], PATHS)
    assert u is not None
    assert np.mean(u < 0.1) == pytest.approx(0.2, abs=0.002)
    assert np.mean(weights * (u < 0.1)) == pytest.approx(0.1, abs=0.002)


def test_what_bad_times_look_like_is_learnt() -> None:
    """Draws from a density give it back; uniform draws are within chance of uniform."""
    tilt, far = density_of(BAD.quantile((np.arange(4000) + 0.5) / 4000), np.ones(4000), even=0.0)
    assert np.allclose(tilt.heights, BAD.heights, atol=0.03)
    assert far > 50.0
    assert np.dot(np.diff(EDGES), tilt.heights) == pytest.approx(1.0, abs=1e-12)
    assert density_of(plain(1, 2, rows=1)[0][:400], np.ones(400))[1] < 4.0


def test_a_series_keeps_its_law_and_its_sum_is_served() -> None:
    planned = (0.0, 5.0, 10.0, 10.0, 5.0, 0.0)
    u, served = plain(3, 4, rows=6), plain(5, 6, rows=1)[0]
    found = as_series(u, [served], planned)
    assert np.array_equal(found[[0, 5]], u[[0, 5]])
    from scipy.special import ndtri

    total = np.einsum("r,rp->p", np.array(planned) / np.sqrt(250.0), ndtri(found))
    assert np.allclose(total, ndtri(served), atol=1e-9)
    for row in found:
        same_law(row)
    scores = np.corrcoef(ndtri(found[1:5])) - np.eye(4)
    assert np.abs(scores).max() < 4.0 / np.sqrt(len(PATHS))
    assert np.array_equal(as_series(u, [served], (0.0,) * 6), u)
    assert np.array_equal(as_series(u, [], planned), u)


def test_several_uniforms_decide_the_course_of_a_series() -> None:
    """The sum by the first, early against late by the second, and the law of every row stays."""
    from scipy.special import ndtri

    planned = np.array([0.0, 5.0, 10.0, 10.0, 5.0, 2.0])
    u, served = plain(3, 4, rows=6), plain(5, 6, rows=3)
    found = as_series(u, list(served), planned.tolist())
    turns = np.cos(np.pi * np.arange(3)[:, None] * (np.arange(5) + 0.5) / 5)
    towards = np.linalg.qr((planned[1:] * turns).T)[0].T
    decided = np.einsum("kr,rp->kp", towards, ndtri(found[1:]))
    for one, mine in zip(decided, ndtri(served), strict=True):
        assert np.allclose(one, mine, atol=1e-9) or np.allclose(one, -mine, atol=1e-9)
    assert np.allclose(
        planned[1:] @ ndtri(found[1:]) / np.sqrt(np.sum(planned**2)), ndtri(served[0]), atol=1e-9
    )
    for row in found:
        same_law(row)
    scores = np.corrcoef(ndtri(found[1:])) - np.eye(5)
    assert np.abs(scores).max() < 4.5 / np.sqrt(len(PATHS))
    fewer_rows = as_series(u[:2], list(served), (3.0, 4.0))
    assert np.allclose(np.array([0.6, 0.8]) @ ndtri(fewer_rows), ndtri(served[0]), atol=1e-9)


def test_how_many_succeed_in_all_is_served() -> None:
    """Counts by quarter stay binomial and apart from each other; their sum goes with the one uniform."""
    from scipy import stats

    class One:
        def uniforms(self, names: tuple[str, ...], paths: np.ndarray) -> np.ndarray | None:
            return served if names == ("deal", "engagement luck", "course 1") else None

        def weights(self, paths: np.ndarray) -> np.ndarray:
            return np.ones(len(paths))

    served = plain(21, 22, rows=1)[0]
    source = Drawn(7, "deal", 5, PATHS, {}, {}, One())
    planned = (0.0, 10.0, 20.0, 20.0, 20.0)
    by_row = source.luck("engagement", "", planned)
    counted = np.array([count(20.0, 0.7, one) for one in by_row])
    law = stats.binom(20, 0.7)
    for row in counted:
        assert abs(row.mean() - law.mean()) < 4.0 * law.std() / np.sqrt(len(PATHS))
        assert abs(row.var() / law.var() - 1.0) < 4.0 * np.sqrt(2.0 / len(PATHS))
    apart = np.corrcoef(counted) - np.eye(5)
    assert np.abs(apart).max() < 4.5 / np.sqrt(len(PATHS))
    order = np.argsort(served)
    tenths = [counted[1:, some].sum(axis=0).mean() for some in np.array_split(order, 10)]
    assert tenths == sorted(tenths)
    assert np.corrcoef(counted[1:].sum(axis=0), served)[0, 1] > 0.9
    assert isinstance(source.luck("engagement", "a class", planned)[1], Luck)
    assert isinstance(source.luck("outcomes.first", "", planned)[1], Luck)


def test_chances_keep_their_law_and_which_comes_first_is_served() -> None:
    """Nine events, one of which never comes: the first is where 1 - product of (1 - p) reaches u."""
    u, first = plain(7, 8, rows=9), plain(9, 10, rows=1)[0]
    p = np.array([0.1, 0.0, 0.02, 0.3, 0.1, 0.1, 0.05, 0.2, 0.1])
    found = as_first(u, p, first)
    happens = found < p[:, None]
    comes = happens.any(axis=0)
    reached = [1.0 - np.prod(1.0 - p[: k + 1]) for k in range(9)]
    assert np.array_equal(comes, first <= reached[-1])
    assert np.array_equal(happens.argmax(axis=0)[comes], np.searchsorted(reached, first[comes]))
    for one in found:
        same_law(one)
    apart = np.corrcoef(found) - np.eye(9)
    assert np.abs(apart).max() < 4.5 / np.sqrt(len(PATHS))


def test_what_is_alike_up_to_its_last_dot_comes_first_by_one_uniform() -> None:
    """In order of rows and of names; what is of another kind, or not served, is left alone."""
    served = plain(21, 22, rows=1)[0]

    class One:
        def uniforms(self, names: tuple[str, ...], paths: np.ndarray) -> np.ndarray | None:
            return served if names == ("deal", "exits", "first") else None

    chances = {
        "exits.policy": [0.0, 0.1, 0.1],
        "guarantor a.failure": [0.1, 0.1, 0.1],
        "exits.insolvency": [0.0, 0.2, 0.2],
    }
    spread = Drawn(7, "deal", 3, PATHS, {}, {}, One()).by_chance(chances)
    own = Drawn(7, "deal", 3, PATHS, {}, {}).by_chance(chances)
    assert np.array_equal(spread["guarantor a.failure"], own["guarantor a.failure"])
    insolvent, policy = spread["exits.insolvency"] < 0.2, spread["exits.policy"] < 0.1
    assert np.array_equal(insolvent[1], served <= 0.2)
    assert np.array_equal(policy[1] & ~insolvent[1], (served > 0.2) & (served <= 1.0 - 0.8 * 0.9))
    ended = insolvent[1:].any(axis=0) | policy[1:].any(axis=0)
    assert np.array_equal(ended, served <= 1.0 - (0.8 * 0.9) ** 2)


def test_turned_streams_keep_their_law_and_a_direction_is_spread_evenly() -> None:
    """0.6 z1 + 0.8 z2 of every set falls once into each of its equal steps; a stream alone is as ever."""
    turn = Turn((NAMES[0], NAMES[2]), ((0.6, 0.8), (-0.8, 0.6)))
    along = turn.dimensions("deal")
    points = Points(7, 1024, {"deal": [along[0], NAMES[1], along[1]]}, None, turns={"deal": turn})
    paths = np.arange(16 * 1024, dtype=np.uint64)
    first, alone, second = (points.uniforms(names, paths) for names in NAMES[:3])
    for one in (first, alone, second):
        assert abs(np.mean(one) - 0.5) < 1e-3
        same_law(one)
    apart = np.corrcoef([first, alone, second]) - np.eye(3)
    assert np.abs(apart).max() < 4.5 / np.sqrt(len(paths))
    total = ndtr(0.6 * ndtri(first) + 0.8 * ndtri(second))
    steps = np.floor(total.reshape(16, 1024) * 1024)
    assert all(len(np.unique(one)) > 1000 for one in steps)
    assert np.allclose(total, points.uniforms(along[0], paths), atol=1e-9)
    assert np.allclose(
        turn.directions([first, second]), [points.uniforms(one, paths) for one in along], atol=1e-9
    )


def test_a_tilt_along_a_direction_weighs_by_its_density() -> None:
    """Half of each set is drawn where z1 + z2 is as ``BAD`` has it; weighted means are still even."""
    half = float(np.sqrt(0.5))
    turn = Turn((NAMES[0], NAMES[2]), ((half, half), (half, -half)))
    along = turn.dimensions("deal")
    points = Points(7, 4096, {"deal": along}, {along[0]: BAD}, turns={"deal": turn})
    paths = np.arange(4 * 4096, dtype=np.uint64)
    weights, u = points.weights(paths), points.uniforms(along[0], paths)
    assert np.allclose(weights, 2.0 / (1.0 + BAD.density(u)))
    for names in (NAMES[0], NAMES[2]):
        assert abs(np.average(points.uniforms(names, paths), weights=weights) - 0.5) < 0.005


@pytest.mark.parametrize(("first_row", "last_row"), [(1, None), (3, 8)])
def test_a_first_start_keeps_the_law_of_a_shock(first_row: int, last_row: int | None) -> None:
    """The chance of a shock in each row is what plain starts give, and one uniform decides the first."""
    shock = CommonShock(
        annual_probability=0.2,
        duration=3,
        depth=0.5,
        first_row=first_row,
        last_row=last_row,
        illustrative=True,
    )
    u, starts = plain(13, 14, rows=1)[0], plain(15, 16, rows=12)
    spread = first_start(shock, u, starts)
    depth = plain(17, 18, rows=1)[0]
    hit, plainly = (shock_depth(shock, x, depth).astype(bool).mean(axis=1) for x in (spread, starts))
    assert np.all(np.abs(hit - plainly) < 4.0 * np.sqrt(2 * 0.25 / len(PATHS)))
    assert hit.max() > 0.05
    p = shock.quarterly_probability
    end = 11 if last_row is None else last_row
    began = (spread[first_row : end + 1] < p).any(axis=0)
    assert np.array_equal(began, u <= 1.0 - (1.0 - p) ** (end - first_row + 1))
    for row in spread:
        same_law(row)
    never = CommonShock(annual_probability=0.0, duration=3, depth=0.5, illustrative=True)
    assert np.array_equal(first_start(never, u, starts), starts)
