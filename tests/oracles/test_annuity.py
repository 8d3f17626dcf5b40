"""Annuity functions against computed values, and at the rates where the textbook formula breaks."""

import json
from pathlib import Path

import numpy as np
import pytest

from socialfinance.kernels.annuity import (
    accumulation,
    annuity_due,
    annuity_factor,
    capital_recovery_factor,
    growing_annuity,
)

VECTORS = {v["id"]: v for v in json.loads(Path(__file__).with_name("vectors.json").read_text())["vectors"]}


def test_basics():
    vector = VECTORS["annuity.basics"]
    rate, n = vector["inputs"]["i"], vector["inputs"]["n"]
    found = {
        "a_n": annuity_factor(rate, n),
        "a_due": annuity_due(rate, n),
        "s_n": accumulation(rate, n),
        "crf": capital_recovery_factor(rate, n),
        "growing_2pct": growing_annuity(rate, 0.02, n),
    }
    for name, expected in vector["expected"].items():
        assert found[name] == pytest.approx(float(expected), rel=1e-13, abs=1e-13)


def test_nil_rate_is_exact():
    assert annuity_factor(0.0, 25) == annuity_due(0.0, 25) == accumulation(0.0, 25) == 25
    assert capital_recovery_factor(0.0, 25) == 1 / 25
    assert growing_annuity(0.045, 0.045, 25) == pytest.approx(25 / 1.045, rel=1e-15)


@pytest.mark.parametrize("rate", [1e-4, 1e-9, 1e-14, -1e-9])
def test_tiny_rates_follow_the_series(rate):
    n = 40
    series = n - rate * n * (n + 1) / 2 + rate**2 * n * (n + 1) * (n + 2) / 6
    assert annuity_factor(rate, n) == pytest.approx(series, rel=3e-8 if rate == 1e-4 else 1e-15)


def test_arrays_equal_numbers():
    rates = np.array([0.0, 0.01, 0.045])
    assert annuity_factor(rates, 25).tolist() == [annuity_factor(rate, 25) for rate in rates.tolist()]


def test_growing_annuity_equals_the_sum():
    payments = 1.03 ** np.arange(12) / 1.05 ** np.arange(1, 13)
    assert growing_annuity(0.05, 0.03, 12) == pytest.approx(payments.sum(), rel=1e-14)
