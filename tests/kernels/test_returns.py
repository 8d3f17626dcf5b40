"""IRR on ordinary and awkward rows, against other libraries, and against brute-force root counts."""

from datetime import date, timedelta

import numpy as np
import numpy_financial
import pytest
import pyxirr
from hypothesis import given, settings
from hypothesis import strategies as st

from socialfinance.kernels import returns
from socialfinance.kernels.returns import (
    MANY,
    NONE,
    OK,
    STATUS_NAMES,
    effective_rate,
    irr,
    irr_with_status,
    nominal_rate,
    npv,
    sum_and_npv,
    xirr,
)


def deals(paths, periods=41, seed=5):
    """Money in for three years, mostly back later, with redraws: rows like a social impact bond's."""
    flows = np.random.default_rng(seed).normal(25.0, 20.0, (periods, paths))
    flows[:12] -= 75.0
    return flows


@pytest.mark.parametrize(
    ("flows", "rate"),
    [
        ([-100, 110], 0.10),
        ([0, 0, -100, 110, 0], 0.10),
        ([-100, 50, 50], 0.0),
        ([-0.1, -0.2, 0.3], 0.0),
        ([-100, 90], -0.10),
        ([100, -110], 0.10),
        ([-100, 1e-7] + [0] * 39, -1 + 1e-9),
        ([-100, *[0] * 39, 1e-7], 1e-9 ** (1 / 40) - 1),
        ([-100, *[0] * 39, 1e-14], 1e-16 ** (1 / 40) - 1),
        ([-1e-9, 1], 1e9 - 1),
        ([-1e300, 1.1e300], 0.10),
        ([-1e-300, 1.1e-300], 0.10),
        ([-10, 0, 11, -10, 11, -10, 12], 0.0895645062069268),
    ],
)
def test_one_rate(flows, rate):
    result = irr_with_status(flows, 1)
    assert result.status == OK
    assert 1 + result.rate == pytest.approx(1 + rate, rel=1e-12)


@pytest.mark.parametrize(
    ("flows", "status"),
    [
        ([-100, 0, 0], "total_loss"),
        ([0, -100, -5], "total_loss"),
        ([0, 0], "none"),
        ([], "none"),
        ([100, 50], "none"),
        ([-100, 150, -100], "none"),
        ([-100, np.nan, 200], "none"),
        ([-np.inf, 200], "none"),
        ([-100, -np.inf], "none"),
        ([-100, 230, -132], "many"),
        ([100, -230, 132], "many"),
        ([-100, 120, -25], "many"),
        ([-100, 220, -121], "many"),
        ([-1, 2, -1], "many"),
        ([-6, 11, -6, 1], "many"),
    ],
)
def test_no_rate(flows, status):
    result = irr_with_status(np.array(flows, dtype=float).reshape(-1, 1), 1)
    assert [STATUS_NAMES[code] for code in result.status] == [status]
    assert np.isnan(result.rate).all()


def test_equal_to_other_libraries():
    flows = deals(200)
    result = irr_with_status(flows, 1)
    ok = result.status == OK
    assert ok.sum() > 100
    for path in np.flatnonzero(ok):
        assert result.rate[path] == pytest.approx(pyxirr.irr(flows[:, path]), abs=1e-9)
        assert result.rate[path] == pytest.approx(numpy_financial.irr(flows[:, path]), abs=1e-9)


def test_quarters_are_compounded():
    assert irr([-100, 101], 4) == pytest.approx(1.01**4 - 1, abs=1e-14)
    assert irr([-100, 101], 12) == pytest.approx(1.01**12 - 1, abs=1e-14)


def test_a_path_does_not_know_its_neighbours(monkeypatch):
    flows = deals(700)
    whole = irr_with_status(flows)
    for width in (1, 7, 64, 699):
        monkeypatch.setattr(returns, "_BLOCK", width)
        parts = irr_with_status(flows)
        assert whole.rate.tobytes() == parts.rate.tobytes()
        assert whole.status.tobytes() == parts.status.tobytes()


def test_shapes():
    flows = deals(6)
    assert irr(flows).shape == (6,)
    assert irr(flows[:, 0]).shape == ()
    assert irr(flows[:, :0]).shape == (0,)
    assert irr(flows.reshape(41, 2, 3)).tobytes() == irr(flows).tobytes()


def positive_roots(flows):
    """Positive real roots v by companion matrix, or None where they are too close to tell."""
    roots = np.roots(np.trim_zeros(flows)[::-1])
    if any(abs(a - b) < 1e-3 for i, a in enumerate(roots) for b in roots[:i]):
        return None
    near = [r for r in roots if r.real > 0 and abs(r.imag) < 1e-4]
    return None if any(abs(r.imag) > 1e-9 for r in near) else sorted(r.real for r in near)


def test_a_root_below_the_floor_is_passed_over():
    """A last small payment adds a root near -100%, which says nothing about the return."""
    result = irr_with_status(np.array([[-100.0, -100.0], [120.0, 60.0], [-1.0, -0.5]]), 1)
    assert list(result.status) == [OK, OK]
    assert result.rate[0] == pytest.approx(1 / ((120 - np.sqrt(120**2 - 400)) / 2) - 1, abs=1e-12)
    assert result.rate[1] == pytest.approx(1 / (60 - np.sqrt(60**2 - 200)) - 1, abs=1e-12)


def test_roots_counted_by_brute_force():
    rng = np.random.default_rng(11)
    flows = rng.integers(-9, 10, (8, 4000)).astype(float)
    flows[:, ::2] = np.sort(np.abs(flows[:, ::2]), axis=0) * rng.choice([-1, 1], (8, 2000))
    flows = flows[:, (flows > 0).any(axis=0) & (flows < 0).any(axis=0)]
    result = irr_with_status(flows, 1)
    seen = {OK: 0, NONE: 0, MANY: 0}
    for path in range(flows.shape[1]):
        roots = positive_roots(flows[:, path])
        if roots is None:
            continue
        counted = [v for v in roots if 1 / v >= 0.25]
        roots = counted or roots
        if any(abs(1 / v - 0.25) < 1e-4 for v in roots):
            continue
        expected = (NONE, OK)[len(roots)] if len(roots) < 2 else MANY
        assert result.status[path] == expected, (flows[:, path], roots)
        seen[expected] += 1
        if expected == OK:
            assert 1 + result.rate[path] == pytest.approx(1 / roots[0], rel=1e-8)
    assert min(seen.values()) > 300


def test_planted_roots_are_counted():
    rng = np.random.default_rng(3)
    for roots in (
        [1.02],
        [1.02, 1.05],
        [0.97, 1.0, 1.04],
        [0.9, 0.95, 1.05, 1.1, 1.2],
        [1.0, 1.0625, 0.9375],
    ):
        for _ in range(20):
            flows = np.poly([*roots, *rng.uniform(-3, -1.5, 4)])[::-1]
            assert irr_with_status(flows, 1).status == (OK if len(roots) == 1 else MANY)


@settings(max_examples=200, deadline=None)
@given(
    paid=st.lists(st.floats(1, 1e4), min_size=1, max_size=6),
    back=st.lists(st.floats(1, 1e4), min_size=1, max_size=20),
    scale=st.floats(1e-6, 1e9),
)
def test_npv_at_the_irr_is_nil_and_pounds_do_not_matter(paid, back, scale):
    flows = np.array([-p for p in paid] + back)
    result = irr_with_status(flows, 1)
    assert result.status == OK
    assert abs(npv(flows, result.rate, 1)) <= 1e-9 * npv(np.abs(flows), result.rate, 1)
    assert 1 + irr(flows * scale, 1) == pytest.approx(1 + result.rate, rel=1e-9)


def test_npv():
    flows = np.array([[-100.0, -50.0], [0.0, 10.0], [104.04, 60.0]])
    assert npv(flows, 0.04, 2) == pytest.approx(
        [104.04 / 1.04 - 100, 10 / 1.04**0.5 + 60 / 1.04 - 50], abs=1e-12
    )
    assert npv(flows, [0.0, 0.04], 2)[0] == pytest.approx(4.04)
    assert npv(flows[:, 0], 1.02**4 - 1, 4) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_a_sum_and_a_present_value_in_one_pass(backend, monkeypatch):
    monkeypatch.setenv("SOCIALFINANCE_BACKEND", backend)
    flows = np.random.default_rng(3).normal(size=(41, 2_500))
    total, present = sum_and_npv(flows, 0.035)
    assert np.array_equal(present, npv(flows, 0.035))
    assert np.array_equal(total, npv(flows, 0.0))


def test_xirr_equals_pyxirr():
    rng = np.random.default_rng(2)
    for _ in range(50):
        gaps = rng.integers(20, 200, 12)
        dates = [date(2026, 4, 1) + timedelta(days=int(d)) for d in np.cumsum(gaps)]
        flows = np.concatenate([-rng.uniform(50, 100, 4), rng.uniform(10, 90, 8)])
        result = xirr(dates, flows)
        assert result.status == OK
        assert result.rate == pytest.approx(pyxirr.xirr(dates, flows), abs=1e-9)


@pytest.mark.parametrize(
    ("flows", "status"),
    [
        ([-100, 0, 0], "total_loss"),
        ([0, 0, 0], "none"),
        ([100, 5, 0], "none"),
        ([-100, 230, -132], "many"),
        ([-100, 150, -100], "none"),
        ([-100, np.nan, 5], "none"),
        ([-100, 50, 50], "ok"),
        ([-100, 1, 1e-7], "ok"),
        ([0, -100, 90], "ok"),
        ([-1, 2, -1], "many"),
    ],
)
def test_xirr_status(flows, status):
    dates = [date(2025, 1, 1), date(2026, 1, 1), date(2027, 1, 1)]
    result = xirr(dates, flows)
    assert STATUS_NAMES[result.status] == status
    assert np.isnan(result.rate) == (status != "ok")


def yearly(count):
    """Days exactly one year of 365 days apart, so that dated flows are flows at equal periods."""
    return [date(2025, 1, 1) + timedelta(days=365 * year) for year in range(count)]


@pytest.mark.parametrize(
    ("flows", "status"),
    [
        ([-1000, 1500, -1], "ok"),  # 49.9%, and a root near -100%
        ([1000, -1500, 1], "ok"),
        ([-100, 60, -1], "ok"),  # a loss, and a root near -98%
        ([-100, 1, 1e-7], "ok"),  # a single root, below -75%
        ([8, -6, 1], "ok"),  # -50%, and -75% itself
        ([-100, 50, -1, 0.001], "ok"),
        ([-1, 10, -24], "many"),  # 300% and 500%
        ([-100, 300, -150], "many"),
        ([-24, 10, -1], "many"),  # both below -75%
        ([-100, 160, -62], "many"),  # both below nil, both above -75%
        ([-200, 100, 100, -1], "ok"),
    ],
)
def test_dated_flows_follow_the_same_rule(flows, status):
    plain, dated = irr_with_status(np.array(flows, dtype=float), 1), xirr(yearly(len(flows)), flows)
    assert STATUS_NAMES[dated.status] == STATUS_NAMES[plain.status] == status
    if status == "ok":
        assert dated.rate == pytest.approx(float(plain.rate), abs=1e-12)


def test_dated_flows_earn_what_yearly_flows_do():
    rng = np.random.default_rng(17)
    seen = {"ok": 0, "many": 0, "none": 0}
    for _ in range(200):
        flows = rng.integers(-9, 10, 6).astype(float)
        flows[-1] *= rng.choice([1e-3, 1.0])
        if not ((flows > 0).any() and (flows < 0).any()):
            continue
        roots = positive_roots(flows)
        if roots is None or any(abs(1 / v - 0.25) < 1e-3 for v in roots):
            continue
        plain, dated = irr_with_status(flows, 1), xirr(yearly(6), flows)
        assert dated.status == plain.status, flows
        seen[STATUS_NAMES[dated.status]] += 1
        if dated.status == OK:
            assert 1 + dated.rate == pytest.approx(1 + float(plain.rate), rel=1e-9)
    assert min(seen.values()) > 10


def test_xirr_of_a_series_out_of_order_or_empty():
    dates = [date(2026, 1, 1), date(2025, 1, 1), date(2026, 1, 1)]
    assert xirr(dates, [60, -100, 50]).rate == pytest.approx(0.10, abs=1e-12)
    assert xirr([], []).status == NONE


def test_rate_conversion():
    assert effective_rate(0.0587, 2) == pytest.approx(1.02935**2 - 1, abs=1e-15)
    assert nominal_rate(effective_rate(0.0587, 2), 2) == pytest.approx(0.0587, abs=1e-15)
