"""XIRR, IRR edge cases and fund multiples against computed values."""

import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from socialfinance.kernels.returns import STATUS_NAMES, fund_multiples, irr_with_status, multiple, xirr

VECTORS = {v["id"]: v for v in json.loads(Path(__file__).with_name("vectors.json").read_text())["vectors"]}


def series(vector):
    days, flows = zip(*vector["inputs"]["flows"], strict=True)
    return [date.fromisoformat(day) for day in days], flows


@pytest.mark.parametrize("name", ["fund.xirr_leap", "fund.multiples"])
def test_xirr(name):
    result = xirr(*series(VECTORS[name]))
    assert STATUS_NAMES[result.status] == "ok"
    assert result.rate == pytest.approx(float(VECTORS[name]["expected"]["xirr"]), abs=1e-12)


def test_multiples():
    vector = VECTORS["fund.multiples"]
    _, flows = series(vector)
    paid_in, received = -sum(f for f in flows if f < 0), sum(f for f in flows if f > 0)
    found = fund_multiples(paid_in, received, vector["inputs"]["nav_at_end"], vector["inputs"]["commitment"])
    for name in ("dpi", "rvpi", "tvpi", "pic"):
        assert getattr(found, name) == pytest.approx(float(vector["expected"][name]), abs=1e-12)


def test_multiple_without_money_paid_in_does_not_exist():
    assert np.isnan(multiple([0.0], [5.0])[0])


def test_irr_edges():
    total_loss, nil, two_roots = VECTORS["fund.irr_edge"]["inputs"]["cases"]
    for flows, expected in ((total_loss, "total_loss"), (nil, "none"), (two_roots, "many")):
        result = irr_with_status(flows, 1)
        assert STATUS_NAMES[result.status] == expected
        assert np.isnan(result.rate)
