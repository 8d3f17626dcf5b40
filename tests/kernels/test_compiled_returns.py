"""IRR compiled and on NumPy: the same statuses, and rates as near as rounding lets them be."""

from __future__ import annotations

import numpy as np
import numpy_financial
import pytest
import pyxirr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from socialfinance.kernels import returns
from socialfinance.kernels.backend import backend
from socialfinance.kernels.returns import MANY, NONE, OK, TOTAL_LOSS, IrrResult, irr_with_status

pytest.importorskip("numba")

from socialfinance.kernels.compiled_returns import LANE

Floats = NDArray[np.float64]

AMOUNT = st.one_of(
    st.just(0.0),
    st.floats(-150, 150),
    st.sampled_from([-100.0, 100.0, 1e-6, -1e-6, 1e-300, -1e-300, 1e300, -1e300, 5e-324]),
    st.sampled_from([np.nan, np.inf, -np.inf, 1.0, -1.0]),
)
AWKWARD: list[tuple[list[float], int]] = [
    ([-100, 60, -5, 70, 0], OK),
    ([0, 0, -100, 0, 110], OK),
    ([0, -100, 90, 0, 0], OK),
    ([-100, 1e-4, 0, 0, 0], OK),
    ([-100, 0, 0, 0, 1e-4], OK),
    ([-1e300, 0, 0, 0, 1.5e300], OK),
    ([-1e-300, 0, 0, 0, 1.5e-300], OK),
    ([-1e-310, 0, 0, 0, 1.5e-310], OK),
    ([-1e300, 0, 1e-10, 0, 0], OK),
    ([-1e-300, 0, 1.0, 0, 0], OK),
    ([-100, 25, 25, 25, 25], OK),
    ([-100, 120, -1, 0, 0], OK),
    ([100, -110, 0, 0, 0], OK),
    ([-100, 0, 0, 0, 0], TOTAL_LOSS),
    ([0, 0, 0, -1, -2], TOTAL_LOSS),
    ([100, 5, 0, 0, 0], NONE),
    ([0, 0, 0, 0, 0], NONE),
    ([-100, 150, -100, 0, 0], NONE),
    ([-100, np.nan, 200, 0, 0], NONE),
    ([-100, np.inf, 200, -np.inf, 0], NONE),
    ([-100, 230, -132, 0, 0], MANY),
    ([-1, 2, -1, 0, 0], MANY),
    ([-6, 11, -6, 1, 0], MANY),
]


def on(form: str, flows: Floats, periods_per_year: int = 4) -> IrrResult:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOCIALFINANCE_BACKEND", form)
        assert backend() == form
        return irr_with_status(flows, periods_per_year)


def durations_apart(flows: Floats, growth: Floats) -> Floats:
    """Periods between the mean times of receipts and payments, discounted: how sharply they fix a root."""
    times = np.arange(len(flows))[:, None]
    with np.errstate(divide="ignore"):
        size = np.log(np.abs(flows)) - times * growth
    mean = []
    for side in (flows > 0, flows < 0):
        one = np.where(side, size, -np.inf)
        weight = np.exp(one - one.max(axis=0, initial=-1e9))
        mean.append((times * weight).sum(axis=0) / weight.sum(axis=0))
    return np.asarray(np.abs(mean[0] - mean[1]))


def assert_alike(flows: Floats) -> IrrResult:
    """Statuses equal, and log(1 + q) to 1e-13 where payments and receipts lie a period apart."""
    fast, slow = on("numba", flows, 1), on("numpy", flows, 1)
    np.testing.assert_array_equal(fast.status, slow.status)
    np.testing.assert_array_equal(np.isnan(fast.rate), fast.status != OK)
    there = np.isfinite(fast.rate) & (fast.rate > -1)
    growth = np.log1p(fast.rate[there])
    bound = 1e-13 * (2 + 1 / durations_apart(flows[:, there], growth)) + 4e-16 * (1 + np.exp(-growth))
    assert (np.abs(growth - np.log1p(slow.rate[there])) <= bound).all()
    return fast


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(AMOUNT, min_size=6, max_size=6), min_size=1, max_size=12))
def test_backends_agree_on_awkward_rows(rows: list[list[float]]) -> None:
    assert_alike(np.array(rows).T)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32), st.integers(1, 70), st.integers(1, 3 * LANE), st.sampled_from([0.0, 0.3, 0.9]),
    st.sampled_from([1e-9, 0.1, 1.0]),
)  # fmt: skip
def test_backends_agree_on_random_rows(seed: int, rows: int, paths: int, nil: float, back: float) -> None:
    rng = np.random.default_rng(seed)
    flows = rng.normal(1.0, 2.0, (rows, paths)) * (rng.random((rows, paths)) >= nil)
    flows[: 1 + rows // 4] -= 5.0
    assert_alike(np.where(flows > 0, back * flows, flows) * 10.0 ** rng.integers(-250, 250, paths))


def test_awkward_rows() -> None:
    flows = np.array([row for row, _ in AWKWARD]).T
    assert assert_alike(flows).status.tolist() == [status for _, status in AWKWARD]
    assert on("numba", np.zeros((0, 3))).status.tolist() == [NONE] * 3
    assert on("numba", np.full((1, 3), -5.0)).status.tolist() == [TOTAL_LOSS] * 3


@pytest.mark.parametrize("form", ["numba", "numpy"])
@pytest.mark.parametrize("rows", [2, 3, 4, 5, 41, 400])
def test_a_loan_earns_its_rate(form: str, rows: int) -> None:
    """Level payments q / (1 - (1 + q)^-n) on 1 lent earn q, whichever side of nil."""
    q = np.array([-0.3, -0.01, -1e-6, 1e-6, 0.01, 0.05, 0.5, 3.0])
    with np.errstate(over="ignore"):
        level = q / -np.expm1(-(rows - 1) * np.log1p(q))
    flows = np.vstack([np.full(len(q), -1.0), np.tile(level, (rows - 1, 1))])
    assert on(form, flows, 1).rate == pytest.approx(q, abs=1e-12)
    assert on(form, -flows[::-1], 1).rate == pytest.approx(q * 0 + 1 / (1 + q) - 1, abs=1e-11, rel=1e-11)


@pytest.mark.parametrize("form", ["numba", "numpy"])
@pytest.mark.parametrize("share", [1e-12, 1e-6, 1e-3, 0.5])
def test_what_is_almost_lost_has_a_rate(form: str, share: float) -> None:
    flows = np.zeros((41, 5))
    flows[0] = -1.0
    flows[[1, 5, 20, 40], [0, 1, 2, 3]] = share
    flows[8:, 4] = share / 33
    rate = on(form, flows, 1).rate
    assert 1 + rate[:4] == pytest.approx(share ** (1 / np.array([1, 5, 20, 40])), rel=1e-12)
    growth = np.log1p(rate[4])
    assert flows[8:, 4] @ np.exp(-growth * np.arange(8, 41)) == pytest.approx(1.0, rel=1e-11)


@pytest.mark.parametrize("form", ["numba", "numpy"])
def test_equal_to_other_libraries(form: str) -> None:
    rng = np.random.default_rng(1)
    flows = np.concatenate([-rng.uniform(50, 150, (8, 300)), rng.uniform(0, 60, (33, 300))])
    flows[8:, ::3] *= 0.3  # losses too
    rate = on(form, flows, 1).rate
    for path in range(0, 300, 5):
        assert rate[path] == pytest.approx(pyxirr.irr(flows[:, path]), abs=1e-9)
        assert rate[path] == pytest.approx(numpy_financial.irr(flows[:, path]), abs=1e-9)


def test_a_path_does_not_know_its_neighbours() -> None:
    """Whatever else is in the block, and wherever in its lane a path stands: the same bits."""
    rng = np.random.default_rng(4)
    flows = rng.normal(25.0, 20.0, (41, 500))
    flows[:12] -= 75.0
    flows[12:, ::7] *= 1e-6
    flows[:3, ::11] = 0.0
    flows[:, 5::50] = np.nan
    whole = on("numba", flows)
    order = rng.permutation(500)
    moved = on("numba", flows[:, order])
    assert whole.rate[order].tobytes() == moved.rate.tobytes()
    assert whole.status[order].tobytes() == moved.status.tobytes()
    alone = [on("numba", flows[:, [path]]) for path in range(0, 500, 9)]
    assert np.concatenate([one.rate for one in alone]).tobytes() == whole.rate[::9].tobytes()
    assert np.concatenate([one.status for one in alone]).tobytes() == whole.status[::9].tobytes()


def test_a_single_root_above_the_floor_is_counted_alike() -> None:
    """What the cumulative flows at the floor settle is what counting by subdivision finds."""
    rng = np.random.default_rng(8)
    seen = 0
    for rows in (3, 5, 12, 41):
        flows = rng.normal(size=(rows, 600)) * rng.choice([1e-3, 1, 30], (rows, 1))
        for floor in np.log1p(returns.LEAST_RATE) / np.array([1, 4]):
            look = returns._look(flows)
            single = look.paid & look.received & (look.total != 0) & returns._single_above(flows, floor)
            above = returns._count_open(returns._scaled(flows[:, single]), look.total[single], floor)[1]
            assert (above == 1).all()
            seen += single.sum()
    assert seen > 500
