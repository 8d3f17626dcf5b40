"""Coupons read off the terms, and the shipped replays."""

from __future__ import annotations

import pytest

from socialfinance.cli import catalogue, main
from socialfinance.engine.replay import interpolated, stepped
from socialfinance.instruments.social_impact_bond import CouponStep
from socialfinance.io.shipped import shipped

NEWPIN = tuple(
    CouponStep(at=at, rate=rate) for at, rate in ((0.55, 0.03), (0.6, 0.075), (0.65, 0.12), (0.7, 0.15))
)
REPLAYS = [entry.name for entry in catalogue() if entry.replay]


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (0.0, 0.0),
        (0.5499, 0.0),
        (0.55, 0.03),
        (0.62, 0.075),
        (0.1 + 0.2 + 0.3, 0.075),
        (0.7, 0.15),
        (1.0, 0.15),
    ],
)
def test_a_step_is_reached_or_not(rate, expected):
    assert stepped(NEWPIN, rate) == expected
    assert stepped(NEWPIN, rate - 1e-15) == expected  # as far as a computer can tell


@pytest.mark.parametrize(
    ("rate", "expected"), [(0.5, 0.0), (0.55, 0.03), (0.575, 0.0525), (0.62, 0.093), (0.7, 0.15), (0.9, 0.15)]
)
def test_between_two_steps_the_line_is_straight(rate, expected):
    assert interpolated(NEWPIN, rate) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("name", "symbol"), [("newpin", "A$"), ("educate-girls", "US$")])
def test_a_deal_abroad_is_shown_in_its_own_currency(name, symbol, capsys):
    assert main(["replay", name]) == 0
    assert main(["explain", name, "--case", "actual"]) == 0
    assert main(["run", name, "--paths", "20", "--quiet"]) == 0
    out = capsys.readouterr().out
    assert f"in order ({symbol})" in out
    assert f"({symbol}000" in out
    for wrong in ("£", " pounds", "England only"):
        assert wrong not in out


@pytest.mark.parametrize("name", REPLAYS)
def test_every_shipped_replay_runs(name, capsys):
    assert name in shipped("portfolios")
    assert main(["replay", name]) == 0
    assert "Reproduced:" in capsys.readouterr().out
