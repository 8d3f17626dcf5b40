"""Inverse CDFs against their stated moments and against SciPy; what is refused, and in which words."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from scipy import special, stats

from socialfinance.core.errors import InputError
from socialfinance.scenarios.distributions import (
    Beta,
    Discrete,
    DrawnOnce,
    DriverRef,
    Fixed,
    GammaPoisson,
    GeometricBrownian,
    LogitNormal,
    Lognormal,
    MeanReverting,
    Normal,
    Triangular,
    Uncertain,
    Uniform,
    beta_quantile,
    counts,
    draw,
    is_certain,
    mean_of,
    plan_of,
)
from socialfinance.scenarios.keys import key

UNCERTAIN: TypeAdapter[Any] = TypeAdapter(Uncertain)
EVENLY = (np.arange(400_000) + 0.5) / 400_000
ENDS = np.array([2.0**-53, 1e-12, 0.3, 0.5, 1 - 1e-12, 1 - 2.0**-53])

EVERY = [
    Fixed(value=3.5),
    Uniform(low=-1.0, high=2.0),
    Uniform(low=2.0, high=2.0),
    Triangular(low=0.0, mode=0.2, high=1.0),
    Triangular(low=1.0, mode=1.0, high=2.0),
    Triangular(low=1.0, mode=2.0, high=2.0),
    Normal(mean=2.0, sd=0.5),
    Normal(mean=2.0, sd=0.0),
    Lognormal(mean=1.1, sd=0.4),
    LogitNormal(median=0.3, sigma=0.8),
    LogitNormal(median=0.97, sigma=2.5),
    Beta(mean=0.4, sd=0.1),
    Beta(mean=0.4, sd=0.0),
    Beta(mean=0.05, sd=0.15),
    Beta(mean=0.5, sd=0.49),
    Beta(mean=110.0, sd=5.0, low=100.0, high=150.0),
    Discrete(values=(3.0, 1.0, 2.0), weights=(0.2, 0.5, 0.3)),
    GammaPoisson(mean=4.0),
    GammaPoisson(mean=12.0, dispersion=0.4),
    GammaPoisson(mean=0.0),
]


def name_of(one: Any) -> str:
    return str(one.distribution)


@pytest.mark.parametrize("one", EVERY, ids=name_of)
def test_quantiles_have_the_stated_mean_and_sd(one: Any) -> None:
    values = one.quantile(EVENLY)
    assert values.mean() == pytest.approx(one.mean, rel=2e-4, abs=1e-9)
    assert values.std() == pytest.approx(one.sd, rel=2e-3, abs=1e-9)


@pytest.mark.parametrize("one", EVERY, ids=name_of)
def test_quantiles_never_fall_and_are_finite(one: Any) -> None:
    values = one.quantile(np.sort(np.concatenate([EVENLY[::40], ENDS])))
    assert np.isfinite(values).all()
    assert np.diff(values).min() >= -1e-12 * max(1.0, abs(one.mean))
    assert one.quantile(EVENLY[:6].reshape(2, 3)).shape == (2, 3)


@pytest.mark.parametrize("one", EVERY, ids=name_of)
def test_each_comes_back_from_its_file_form(one: Any) -> None:
    assert UNCERTAIN.validate_python(one.model_dump()) == one
    assert UNCERTAIN.validate_python(one) is one


@pytest.mark.parametrize(
    ("one", "oracle"),
    [
        (Uniform(low=-1.0, high=2.0), stats.uniform(-1, 3)),
        (Triangular(low=0.0, mode=0.2, high=1.0), stats.triang(0.2)),
        (Normal(mean=2.0, sd=0.5), stats.norm(2, 0.5)),
        (Lognormal(mean=math.exp(0.08), sd=math.exp(0.08) * math.sqrt(math.expm1(0.16))), stats.lognorm(0.4)),
        (Beta(mean=0.25, sd=math.sqrt(0.1875 / 9)), stats.beta(2, 6)),
    ],
    ids=["uniform", "triangular", "normal", "lognormal", "beta"],
)
def test_quantiles_are_those_of_scipy(one: Any, oracle: Any) -> None:
    u = EVENLY[::1000]
    np.testing.assert_allclose(one.quantile(u), oracle.ppf(u), rtol=1e-6, atol=1e-7)


def test_logit_normal_moments_against_quadrature() -> None:
    from scipy.integrate import quad

    one = LogitNormal(median=0.2, sigma=1.7)
    expected, _ = quad(lambda z: special.expit(special.logit(0.2) + 1.7 * z) * stats.norm.pdf(z), -12, 12)
    assert one.mean == pytest.approx(expected, abs=1e-9)
    assert one.quantile(np.array([0.5]))[0] == pytest.approx(0.2)


@settings(max_examples=60, deadline=None)
@given(st.floats(1e-4, 1 - 1e-4), st.floats(1e-4, 0.999))
def test_beta_table_is_within_a_millionth(mean: float, share_of_most: float) -> None:
    a, b = Beta(mean=mean, sd=share_of_most * math.sqrt(mean * (1 - mean))).shape
    u = np.concatenate([EVENLY[::100], 10.0 ** -np.arange(4.0, 16.0), 1 - 10.0 ** -np.arange(4.0, 16.0)])
    assert np.abs(beta_quantile(a, b, u) - special.betaincinv(a, b, u)).max() < 1e-6


def test_beta_shape() -> None:
    assert Beta(mean=0.25, sd=math.sqrt(0.1875 / 9)).shape == pytest.approx((2.0, 6.0))


@pytest.mark.parametrize("mean", [1e-9, 0.2, 1.0, 7.3, 30.0, 400.0, 1e5])
@pytest.mark.parametrize("dispersion", [0.0, 1e-6, 0.1, 0.5, 3.0])
def test_counts_are_those_of_scipy(mean: float, dispersion: float) -> None:
    far = 1e-12 if mean < 1000 else 1e-6  # beyond, where F is flat, rounding decides
    u = np.concatenate([np.random.default_rng(3).random(2000), [far, 1e-4, 1 - 1e-4, 1 - far]])
    oracle = (
        stats.poisson(mean) if dispersion == 0 else stats.nbinom(1 / dispersion, 1 / (1 + dispersion * mean))
    )
    np.testing.assert_array_equal(counts(mean, dispersion, u), oracle.ppf(u))


def test_counts_of_many_means() -> None:
    means = np.array([[0.0, 1.0, 50.0], [2.0, 0.0, 0.5]])
    u = np.array([[0.9, 0.5, 0.01], [0.99, 0.2, 0.999]])
    expected = np.where(means > 0, stats.poisson.ppf(u, np.maximum(means, 1e-9)), 0.0)
    assert counts(means, 0.0, u).tolist() == expected.tolist()
    assert (counts(means * 1.5, 0.2, u) >= counts(means, 0.2, u)).all()


def test_discrete_steps() -> None:
    one = Discrete(values=(3.0, 1.0, 2.0, 9.0), weights=(0.25, 0.5, 0.25, 0.0))
    u = np.array([0.001, 0.5, np.nextafter(0.5, 1), 0.75, np.nextafter(0.75, 1), 1 - 2.0**-53])
    assert one.quantile(u).tolist() == [1.0, 1.0, 2.0, 2.0, 3.0, 3.0]


def uniforms(rows: int, paths: int) -> np.ndarray:
    return np.random.default_rng(11).uniform(2.0**-53, 1, (rows, paths))


@pytest.mark.parametrize("reversion", [0.0, 0.8])
def test_mean_reverting(reversion: float) -> None:
    process = MeanReverting(start=0.02, mean=0.05, reversion=reversion, volatility=0.01)
    rows, paths = 21, 40_000
    values = process.path(uniforms(rows, paths))
    years = np.arange(rows) / 4
    variance = 0.01**2 * (years if reversion == 0 else -np.expm1(-2 * reversion * years) / (2 * reversion))
    assert (values[0] == 0.02).all()
    assert (
        np.abs(values.mean(axis=1) - process.expected(rows)) <= 4 * np.sqrt(variance / paths) + 1e-15
    ).all()
    assert values[-1].var() == pytest.approx(variance[-1], rel=4 * math.sqrt(2 / paths))
    kept = np.corrcoef(values[8], values[16])[0, 1]
    assert kept == pytest.approx(
        math.exp(-2 * reversion) * math.sqrt(variance[8] / variance[16]), abs=4 / math.sqrt(paths)
    )


def test_geometric_brownian() -> None:
    process = GeometricBrownian(start=200.0, drift=0.03, volatility=0.2)
    paths = 40_000
    logs = np.log(process.path(uniforms(13, paths)) / 200.0)
    assert (logs[0] == 0).all()
    assert logs[12].var() == pytest.approx(3 * 0.04, rel=4 * math.sqrt(2 / paths))
    assert abs(logs[12].mean() - 3 * (math.log(1.03) - 0.02)) < 4 * math.sqrt(3 * 0.04 / paths)
    assert process.expected(13)[12] == pytest.approx(200 * 1.03**3)


def test_plan_is_the_mean_unless_given() -> None:
    drivers = {
        "rate": DriverRef(driver="base"),
        "base": Beta(mean=0.4, sd=0.1, plan=0.5),
        "ring": DriverRef(driver="ring"),
    }
    assert plan_of(2) == mean_of(2) == 2.0
    assert plan_of(Normal(mean=1.0, sd=0.1)) == 1.0
    assert (plan_of(drivers["rate"], drivers), mean_of(drivers["rate"], drivers)) == (0.5, 0.4)
    assert plan_of(GeometricBrownian(start=9.0, volatility=0.1)) == 9.0
    assert MeanReverting(start=1.0, mean=2.0, reversion=1.0, volatility=0.1, plan=3.0).plan_path(
        2
    ).tolist() == [3, 3]
    with pytest.raises(InputError, match="a mean for every row"):
        mean_of(GeometricBrownian(start=9.0, volatility=0.1))
    with pytest.raises(InputError, match="no such driver"):
        mean_of(DriverRef(driver="nowhere"), drivers)
    with pytest.raises(InputError, match="ring → ring"):
        mean_of(drivers["ring"], drivers)


def test_what_is_certain() -> None:
    assert is_certain(1.0)
    assert is_certain(Fixed(value=1.0))
    assert is_certain(Normal(mean=1.0, sd=0.0))
    assert not is_certain(Normal(mean=1.0, sd=0.1))
    assert not is_certain(MeanReverting(start=1.0, mean=1.0, reversion=1.0, volatility=0.0))
    assert not is_certain(DriverRef(driver="rate"))
    assert is_certain(DriverRef(driver="rate"), {"rate": 2.0})


def test_draw() -> None:
    assert draw(2.0, ENDS).tolist() == [2.0] * len(ENDS)
    assert draw(Uniform(low=0.0, high=1.0), ENDS).tolist() == ENDS.tolist()


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ({"distribution": "beta", "mean": 0.5, "sd": 0.5}, "sd is too large for the mean: below 0.5"),
        ({"distribution": "beta", "mean": 1.5, "sd": 0.1}, "low < mean < high"),
        ({"distribution": "bell", "mean": 1.0}, "'fixed', 'uniform', 'triangular'"),
        ({"distribution": "uniform", "low": 2.0, "high": 1.0}, "low must not exceed high"),
        ({"distribution": "triangular", "low": 0.0, "mode": 2.0, "high": 1.0}, "low <= mode <= high"),
        ({"distribution": "discrete", "values": (1.0,), "weights": (0.5,)}, "weights must sum to 1"),
        ({"distribution": "discrete", "values": (1.0, 2.0), "weights": (1.0,)}, "one weight a value"),
        (
            {"distribution": "normal", "mean": 1.0, "sd": 1.0, "loadings": {"a": 0.8, "b": -0.6}},
            "less than 1",
        ),
        ({"distribution": "normal", "mean": 1.0, "sd": 1.0, "sigma": 1.0}, "Extra inputs"),
        ({"mean": 1.0}, "write a number, a mapping with `distribution`, or a mapping with `driver`"),
        ("0.5", "write a number"),
        (True, "valid number"),
        (float("inf"), "finite number"),
        ({"driver": ""}, "at least 1 character"),
    ],
)
def test_what_is_refused(given_: Any, said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(Uncertain).validate_python(given_, strict=True)
    assert said in str(refused.value)


def test_drawn_once_is_no_driver_and_no_process() -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(DrawnOnce)
    assert adapter.validate_python(1) == 1.0
    for wrong in ({"driver": "x"}, {"distribution": "geometric-brownian", "start": 1.0, "volatility": 0.1}):
        with pytest.raises(ValidationError):
            adapter.validate_python(wrong)


def test_there_is_a_schema() -> None:
    text = str(UNCERTAIN.json_schema())
    assert all(kind in text for kind in ("logit-normal", "mean-reverting", "DriverRef"))


def test_keys_differ_and_stay() -> None:
    keys = [
        key(1),
        key(2),
        key(1, "ab"),
        key(1, "a", "b"),
        key(1, "a", 2),
        key(1, "a", "2"),
        key(1, 12),
        key(11, 2),
    ]
    assert len(set(keys)) == len(keys)
    assert key(7, "deal", 3) == key(7, "deal", np.int64(3)) == (8525440487546297009, 6118405778812783668)
    assert all(0 <= word < 2**64 for pair in keys for word in pair)


def test_a_key_is_never_nought(monkeypatch: pytest.MonkeyPatch) -> None:
    class Nought:
        def __init__(self, data: bytes) -> None: ...

        def digest(self) -> bytes:
            return bytes(64)

    monkeypatch.setattr("socialfinance.scenarios.keys.blake2b", Nought)
    assert key(1) == (0, 1)


def test_import_is_light() -> None:
    code = "import sys, socialfinance.scenarios.dependence as d; print({'numba', 'scipy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_counts_are_the_same_without_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(8)
    means, u = rng.gamma(2.0, 8.0, (6, 400)), rng.random((6, 400))
    means[0] = 0.0
    fast = [counts(means, dispersion, u) for dispersion in (0.0, 0.3)]
    monkeypatch.setenv("SOCIALFINANCE_BACKEND", "numpy")
    slow = [counts(means, dispersion, u) for dispersion in (0.0, 0.3)]
    assert all(np.array_equal(a, b) for a, b in zip(fast, slow, strict=True))
