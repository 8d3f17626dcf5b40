"""Inputs and their ranges, a tornado by hand, and shares of variance where the answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from socialfinance.core.errors import InputError, RunError
from socialfinance.engine.ready import drawn, prepare
from socialfinance.funds.portfolio import Portfolio
from socialfinance.io.files import load
from socialfinance.pricing.drivers import MixedCommon, factor
from socialfinance.pricing.sensitivity import first_and_total, inputs_of, sobol, tornado
from tests.fixtures import one_deal

DEAL = "deals.deal"
OVERRUN = {"distribution": "normal", "mean": 1.0, "sd": 0.1}


def linear(overrun=None):
    """Gain = 100 people x £300 - 2 quarters x £10,000 (x overrun) = £10,000."""
    cost = {"per_quarter": 10_000.0, "last_quarter": 2}
    cost |= {"overrun": overrun} if overrun else {}
    return one_deal(prices={"outcome": 300.0}, probability=1.0, programme={"costs": {"delivery": cost}})


# --- Sobol ----------------------------------------------------------------------------------------


def test_ishigami():
    """sin x1 + 7 sin² x2 + 0.1 x3⁴ sin x1: the published effects (Saltelli 2008)."""
    uniform = stats.uniform(-math.pi, 2 * math.pi)
    found = sobol(
        lambda x: np.sin(x["x1"]) + 7 * np.sin(x["x2"]) ** 2 + 0.1 * x["x3"] ** 4 * np.sin(x["x1"]),
        {"x1": uniform, "x2": uniform, "x3": uniform},
        n=2**12, seed=3,
    )  # fmt: skip

    assert [one.driver for one in found] == ["x1", "x2", "x3"]
    for one, first, total in zip(found, (0.3139, 0.4424, 0.0), (0.5576, 0.4424, 0.2437), strict=True):
        assert abs(one.first - first) < 4 * one.first_error < 0.12
        assert abs(one.total - total) < 4 * one.total_error < 0.12


def test_additive_function():
    """2 a + b of standard normals: four fifths and one fifth, first and total alike."""
    found = sobol(lambda x: 2 * x["a"] + x["b"], {"a": stats.norm(), "b": stats.norm()}, n=2**12)

    assert [one.first for one in found] == pytest.approx([0.8, 0.2], abs=0.02)
    assert [one.total for one in found] == pytest.approx([0.8, 0.2], abs=0.02)


def additive(**change):
    """Gain = £1,000 x 100 people x (true + error) - £80,000 x overrun, three normals of sd £10,000 each."""
    programme = {
        "effect": {
            "true": {"distribution": "normal", "mean": 0.9, "sd": 0.1},
            "baseline": 1.0,
            "cohorts": {"all": {"first_quarter": 1, "last_quarter": 1, "measured_quarter": 2, "people": 100.0,
                                "controls": 1e9}},
        },
        "costs": {"delivery": {"per_quarter": 40_000.0, "last_quarter": 2,
                               "overrun": {"distribution": "normal", "mean": 1.0, "sd": 0.125}}},
        **change,
    }  # fmt: skip
    return one_deal(
        effect={"pooled_trigger": 0.0, "per_event": 1_000.0}, programme=programme,
        instrument={"commitment": {"amount": 500_000.0}},
    )  # fmt: skip


def test_first_and_total_of_an_additive_deal():
    found = first_and_total(additive(), "investor.gain.mean", paths=4096, seed=2)
    by_name = {one.driver: one for one in found.effects}

    assert found.mean == pytest.approx(10_000.0, abs=4 * math.sqrt(3e8 / 8192))
    assert found.variance == pytest.approx(3e8, rel=0.1)
    for name in ("effect.true", "effect.cohorts.all.error", "costs.delivery.overrun"):
        one = by_name.pop(name)
        assert abs(one.first - 1 / 3) < 4 * one.first_error < 0.15
        assert abs(one.total - 1 / 3) < 4 * one.total_error < 0.15
    assert "people's luck and arrivals" in by_name
    assert all(one.first == one.total == 0.0 for one in by_name.values())
    assert abs(found.interactions) < 0.1
    assert found.runs == len(found.effects) + 2


def test_common_factors_and_luck_are_drivers_of_their_own():
    found = first_and_total(load("edge-of-care").portfolio, "investor.gain.mean", paths=512, seed=1)
    by_name = {one.driver: one for one in found.effects}

    assert {"factors.project", "factors.lockdown", "indices.wages", "failure"} <= by_name.keys()
    assert found.effects[0].driver == "failure"
    assert by_name["people's luck and arrivals"].total > 0.02
    assert by_name["indices.cpi"].total == 0.0  # savings follow it, which investors do not see


def test_nothing_to_take_apart():
    with pytest.raises(RunError, match="same in all futures"):
        first_and_total(linear(), "investor.gain.mean", paths=16)


# --- inputs ---------------------------------------------------------------------------------------


def test_inputs_say_their_range_and_origin():
    portfolio = load("edge-of-care").portfolio
    by_path = {one.path.removeprefix("deals.edge-of-care."): one for one in inputs_of(prepare(portfolio))}

    price = by_path["tariff.prices.started"]
    assert (price.plan, price.low, price.high) == (5000.0, 4000.0, 6000.0)
    assert price.range_is.startswith("default")
    assert price.origin == "illustrative"

    completed = by_path["programme.outcomes.completed.probability"]
    assert completed.uncertain
    assert completed.range_is == "its own 5% to 95%"
    assert completed.low == pytest.approx(0.773, abs=0.001)
    assert completed.origin == "sourced"
    assert "Essex" in (completed.source or "")

    certain = by_path["programme.outcomes.started.probability"]
    assert (certain.low, certain.high) == (0.8, 1.0)  # a fraction stays one
    assert by_path["programme.outcomes.completed.lag"].high == 3
    assert by_path["programme.costs.evaluation.schedule"].plan == pytest.approx(60_000 / 9)
    assert not by_path["programme.costs.evaluation.vat_recoverable"].varies
    assert not [path for path in by_path if "probability.mean" in path]


def test_inputs_of_one_deal_only():
    portfolio = load("collective-impact-fund").portfolio
    paths = [one.path for one in inputs_of(prepare(portfolio, "care-leavers"), "care-leavers")]

    assert any(path.startswith("deals.care-leavers.") for path in paths)
    assert not [path for path in paths if path.startswith(("deals.family-therapy.", "fund."))]


# --- tornado --------------------------------------------------------------------------------------


def test_tornado_by_hand():
    found = tornado(linear(), "investor.gain.mean", paths=64, count=3)
    by_path = {one.path.removeprefix(f"{DEAL}."): one for one in (*found.bars, *found.screened)}

    assert found.value == pytest.approx(10_000.0)
    price = by_path["tariff.prices.outcome"]
    assert (price.at_low, price.at_plan, price.at_high) == pytest.approx((4_000.0, 10_000.0, 16_000.0))
    assert (price.swing, price.standard_error) == (pytest.approx(12_000.0), pytest.approx(0.0, abs=1e-6))
    people = by_path["programme.referrals.schedule"]
    assert (people.swing, people.plan) == (pytest.approx(12_000.0), 100.0)
    cost = by_path["programme.costs.delivery.per_quarter"]
    assert cost.swing == pytest.approx(-8_000.0)
    assert by_path["programme.outcomes.outcome.probability"].swing == pytest.approx(6_000.0, abs=600)  # luck
    assert [bar.reach for bar in found.bars] == sorted((bar.reach for bar in found.bars), reverse=True)
    assert {price, people} <= set(found.bars)
    assert any(path.endswith("payers.council.share") for path, _ in found.left_out)  # shares must sum to one


def test_swing_has_the_paired_error():
    """Swing of the cost = -£8,000 x overrun: error £800 / sqrt(n); that of the figure is £2,000 / sqrt(n)."""
    found = tornado(linear(OVERRUN), "investor.gain.mean", paths=4096, seed=4, count=4)
    cost = next(bar for bar in found.bars if bar.path.endswith("per_quarter"))

    assert cost.swing == pytest.approx(-8_000.0, abs=4 * 800 / 64)
    assert cost.standard_error == pytest.approx(800 / 64, rel=0.4)
    assert found.standard_error == pytest.approx(2_000 / 64, rel=0.4)
    assert found.screen_paths == 512
    assert found.runs > 2 * (2 * len(found.bars) + len(found.screened))
    assert len(found.table) == len(found.bars) + len(found.screened)


def test_what_is_uncertain_is_fixed_at_its_ends_and_keeps_its_plan():
    """5% and 95% of a normal overrun, 1 -+ 0.1645: gain £30,000 - £20,000 x that."""
    found = tornado(linear(OVERRUN), "investor.gain.mean", paths=64, count=5)
    one = next(bar for bar in found.bars if bar.path.endswith("overrun"))

    assert one.at_low == pytest.approx(10_000 + 20_000 * 0.164485, abs=0.1)
    assert one.at_high == pytest.approx(10_000 - 20_000 * 0.164485, abs=0.1)
    assert one.standard_error == pytest.approx(0.0, abs=1e-6)


def test_a_factor_that_only_one_input_loads_on_may_go():
    """Fixing the one driver that loads on it leaves the factor idle, which a file may not have."""
    data = linear({**OVERRUN, "loadings": {"economy": 0.5}}).model_dump(exclude_unset=True)
    portfolio = Portfolio.model_validate({**data, "factors": {"economy": {"kind": "gaussian"}}})
    found = tornado(portfolio, "investor.gain.mean", paths=64, count=5)

    assert any(bar.path.endswith("overrun") for bar in found.bars)
    assert not [path for path, why in found.left_out if "no driver loads" in why]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: sobol(lambda x: x["a"], {"a": stats.norm()}, n=1000), "n: must be a power of 2"),
        (lambda: tornado(linear(), "investor.gain.mean", count=0), "count: at least one input"),
        (lambda: tornado(linear(), "investor.happiness.mean"), "target: is not a figure of this portfolio"),
        (lambda: tornado(linear(), "investor.gain.mean", deal="other"), "deal: is not a deal"),
        (lambda: tornado(linear(), "investor.irr.back_by_half_life"), "target: is not a figure"),
        (
            lambda: first_and_total(linear(), "all investors.gain.mean", 16),
            "target: is no figure of one deal",
        ),
        (lambda: inputs_of(prepare(linear()), "other"), "deal: is not a deal"),
    ],
)
def test_bad_input_is_one_clear_line(call, words):
    with pytest.raises(InputError) as told:
        call()

    assert str(told.value).startswith(words)
    assert "\n" not in str(told.value)


def test_a_factor_that_moves_one_deal_alone_is_taken_from_the_other_paths_too() -> None:
    ready = prepare(load("community-fund").portfolio)
    deal = next(one for one in ready.deals if one.name == "edge-of-care")
    assert "project" in deal.own_factors
    paths, other = np.arange(8, dtype=np.uint64), np.arange(8, dtype=np.uint64) + np.uint64(1000)
    mixed = drawn(deal, MixedCommon(ready, 7, paths, other, {factor("project")}), 7, paths).scores
    here, there = (drawn(deal, ready.common(7, some), 7, some).scores for some in (paths, other))
    assert np.array_equal(mixed["project"], there["project"])
    assert np.array_equal(mixed["theme"], here["theme"])
    assert not np.any(here["project"] == there["project"])
