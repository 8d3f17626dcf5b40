"""Evaluation design: power in closed form, and payment risk in closed form against the engine.

What the engine simulates is held to the closed form within four standard errors of the simulation.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import socialfinance as sf
from socialfinance.core.errors import InputError
from socialfinance.engine.ready import ReadyDeal, ReadyPortfolio, drawn, futures_of, prepare
from socialfinance.evidence.design import (
    chance_of_trigger,
    design_of,
    detectable,
    paid_at,
    payment,
    people_needed,
    power_at,
    risk_of,
)
from socialfinance.evidence.design_runs import Estimate, Study, resized, run_paths, study, usual_sizes
from tests.fixtures import one_deal

PATHS = 4000


@cache
def shipped(name: str, deal: str) -> tuple[ReadyPortfolio, ReadyDeal]:
    ready = prepare(sf.load(name).portfolio)
    return ready, next(one for one in ready.deals if one.name == deal)


@cache
def studied(name: str) -> Study:
    ready, deal = shipped(name, name)
    return study(ready, deal, (ready_people(deal) * 0.25, ready_people(deal) * 2.0), PATHS, seed=3)


def ready_people(deal: ReadyDeal) -> float:
    return design_of(deal).people


def near(exact: float, found: Estimate) -> bool:
    """Within four standard errors of the simulation."""
    assert found.value is not None
    return abs(exact - found.value) <= 4.0 * (found.standard_error or 0.0)


def as_often(exact: float, found: Estimate) -> bool:
    """A chance within four standard errors, sqrt(p (1 - p) / paths) by the exact one."""
    return near(exact, Estimate(found.value, math.sqrt(exact * (1.0 - exact) / PATHS)))


# --- power ------------------------------------------------------------------------------------------


@given(st.floats(0.005, 0.2), st.floats(0.55, 0.99), st.floats(0.01, 0.2))
def test_the_least_effect_found_is_found_with_that_power(error: float, power: float, alpha: float) -> None:
    assert power_at(detectable(error, power, alpha), error, alpha) == pytest.approx(power)


@given(st.floats(0.02, 0.5), st.floats(0.5, 20), st.floats(0.0, 0.004))
def test_so_many_people_are_what_is_needed(effect: float, each: float, bias: float) -> None:
    """With n people and k n controls the error's sd, bias and all, leaves just the power that was asked."""
    terms = design_of(shipped("peterborough", "peterborough")[1]).effect
    n = people_needed(terms, effect, each, 0.8, 0.05, bias)

    assert n is not None
    error = math.sqrt((1 / n + 1 / (each * n)) * terms.dispersion / terms.baseline + bias**2)
    assert power_at(effect, error, 0.05) == pytest.approx(0.8)


def test_no_number_of_people_makes_up_for_bias() -> None:
    terms = design_of(shipped("peterborough", "peterborough")[1]).effect

    assert people_needed(terms, 0.05, 10.0, bias=0.02) is None
    assert people_needed(terms, 0.0, 10.0) is None


def test_power_by_counting_reports() -> None:
    """A plain simulation of the report, 200,000 times, within four standard errors."""
    error, effect = 0.03, 0.08
    reports = effect + error * np.random.default_rng(1).standard_normal(200_000)
    found = np.mean(reports / error > stats.norm.ppf(0.975))
    exact = power_at(effect, error)

    assert found == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / 200_000))


@given(st.floats(0.5, 40), st.floats(1.01, 3), st.floats(0, 0.05))
def test_a_bigger_group_errs_less_but_never_less_than_its_people_and_its_matching(
    each: float, more: float, bias: float
) -> None:
    ready = shipped("peterborough", "peterborough")[1]
    design = design_of(ready, bias=bias)
    small, big = (design.with_controls(each * design.people * times).pooled_error for times in (1.0, more))
    own = math.sqrt(sum((w * s) ** 2 for w, s in zip(
        design.shares, (math.sqrt(2.0 / 1.55 / 1000),) * 3, strict=True)) + bias**2)  # fmt: skip

    assert own < big < small


def test_peterborough_s_first_cohort() -> None:
    """sqrt((1/1000 + 1/10000) 2 / 1.55) = 3.77%: the 8.4% reported was no more than 2.2 errors from nil."""
    design = design_of(shipped("peterborough", "peterborough")[1])

    assert design.errors[0] == pytest.approx(0.03767, abs=5e-6)
    assert 0.084 / design.errors[0] == pytest.approx(2.23, abs=0.005)
    assert design.pooled_error == pytest.approx(design.errors[0] / math.sqrt(3))


def test_the_trigger_is_reached_with_the_chance_that_is_said() -> None:
    assert chance_of_trigger(paid_at(0.075, 0.02, 0.8), 0.075, 0.02) == pytest.approx(0.8)
    assert chance_of_trigger(0.0, 0.085, 0.02) == pytest.approx(stats.norm.sf(0.085 / 0.02))


# --- payment ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["peterborough", "rikers-able"])
def test_the_rule_pays_what_the_engine_pays_path_by_path(name: str) -> None:
    """Same reports, same people: two codes of one rule, to a penny on every path."""
    ready, deal = shipped(name, name)
    paths = np.arange(512, dtype=np.uint64)
    common = ready.common(3, paths)
    reports = np.array(futures_of(deal, drawn(deal, common, 3, paths), common).reported)
    mine = run_paths(ready, deal, 512, 3)

    assert np.ptp(mine.people, axis=1).max() == 0.0
    design = design_of(deal, list(mine.people[:, 0]))
    assert payment(design, reports) == pytest.approx(mine.paid, abs=0.01)
    assert 0.0 < np.mean(mine.paid > 0) < 1.0


@pytest.mark.parametrize("name", ["peterborough", "rikers-able"])
def test_the_engine_agrees_with_the_closed_form_at_every_size(name: str) -> None:
    found = studied(name)

    assert [one.controls for one in found.risks] == [one.controls for one in found.engine]
    for risk, engine in zip(found.risks, found.engine, strict=True):
        assert as_often(risk.false_payment, engine.false_payment)
        assert as_often(risk.missed_payment, engine.missed_payment)
        assert as_often(risk.paid, engine.paid)
        assert near(risk.expected, engine.expected)
        assert near(risk.over, engine.over)
        assert near(risk.under, engine.under)
        assert engine.sd == pytest.approx(risk.sd, rel=0.05)


def test_the_pooled_report_alone_is_the_normal_s_tail() -> None:
    """Rikers is paid by the pooled report alone, from 8.5% on: Phi(-0.085 / s), Phi(-0.015 / s)."""
    design = design_of(shipped("rikers-able", "rikers-able")[1]).with_controls(2000.0)
    risk, error = risk_of(design), math.sqrt(1 / 6000 + 1 / 2000)

    assert risk.false_payment == pytest.approx(stats.norm.sf(0.085 / error))
    assert risk.missed_payment == pytest.approx(stats.norm.cdf((0.085 - 0.1) / error))
    unconditional = stats.norm.sf(0.085, loc=0.1, scale=math.hypot(error, 0.05))
    assert risk.paid == pytest.approx(unconditional, abs=1e-3)


def test_bias_of_matching_is_in_the_engine_as_in_the_closed_form() -> None:
    ready, deal = shipped("rikers-able", "rikers-able")
    found = study(ready, deal, (3000.0,), PATHS, seed=5, bias=0.04)
    plain = risk_of(design_of(deal).with_controls(3000.0))

    for risk, engine in zip(found.risks, found.engine, strict=True):
        assert as_often(risk.false_payment, engine.false_payment)
        assert as_often(risk.missed_payment, engine.missed_payment)
        assert near(risk.expected, engine.expected)
    assert found.risks[0].false_payment > 10.0 * plain.false_payment


def test_without_an_error_nothing_is_paid_wrongly() -> None:
    """A control group and people without end: the payment is that for the truth."""
    ready, deal = shipped("rikers-able", "rikers-able")
    true, mine = run_paths(ready, deal, 256, 1, exact=True), run_paths(ready, deal, 256, 1)

    design = design_of(deal)
    truth = np.array([0.0849, 0.086, 0.15])
    assert payment(design, truth[None, :]) == pytest.approx([0.0, 4_800_000.0, 10_368_000.0])
    assert not np.array_equal(true.paid, mine.paid)
    assert set(np.unique(true.paid)) <= {0.0, *(step.pays for step in design.tariff.effect.steps)}


# --- worth ------------------------------------------------------------------------------------------


def test_worth_is_what_is_no_longer_paid_wrongly() -> None:
    found = studied("peterborough")
    first, *_, last = found.worth
    least, most = found.engine[0], found.engine[-1]

    assert (first.to_payers.value, first.to_investors.value) == (0.0, 0.0)
    assert last.to_payers.value == pytest.approx(least.over.value - most.over.value)
    assert last.to_investors.value == pytest.approx(least.under.value - most.under.value)
    assert last.together.value == pytest.approx(last.to_payers.value + last.to_investors.value)
    change = most.investor_npv.value - least.investor_npv.value
    assert last.investor_npv.value == pytest.approx(change)
    assert found.risks[0].expected > 1.01 * found.risks[-1].expected  # as the page says
    assert found.risks[0].paid > found.risks[-1].paid
    assert last.together.value > 10.0 * last.together.standard_error
    assert found.best is None


def test_the_best_size_weighs_worth_against_cost() -> None:
    ready, deal = shipped("rikers-able", "rikers-able")
    sizes = (1500.0, 6000.0, 60_000.0)
    cheap, dear = (study(ready, deal, sizes, 1000, cost_per_control=cost) for cost in (0.01, 1e5))

    assert cheap.best.controls == 60_000.0
    assert dear.best.controls == 1500.0
    assert dear.best.net == 0.0
    assert cheap.worth[1].cost == pytest.approx(45.0)


def test_the_same_futures_meet_every_size() -> None:
    """Other controls change the error's size and nothing else: as many controls again are the same bits."""
    ready, deal = shipped("rikers-able", "rikers-able")
    design = design_of(deal)
    same = run_paths(*resized(ready, deal, design, design.controls), 128, 7)
    other = run_paths(*resized(ready, deal, design, 100.0), 128, 7)
    here = run_paths(ready, deal, 128, 7)

    assert np.array_equal(here.npv, same.npv)
    assert not np.array_equal(here.paid, other.paid)
    assert np.array_equal(here.people, other.people)


def test_usual_sizes_leave_out_what_is_nearly_the_file_s_own() -> None:
    design = design_of(shipped("peterborough", "peterborough")[1])

    assert usual_sizes(design) == [750.0, 1500.0, 3000.0, 6000.0, 15_000.0, 60_000.0]
    assert usual_sizes(design.with_controls(3100.0)) == [750.0, 1500.0, 6000.0, 15_000.0, 30_000.0, 60_000.0]


# --- what is refused --------------------------------------------------------------------------------


def test_what_has_no_design_is_refused() -> None:
    ready, deal = shipped("rikers-able", "rikers-able")
    plain = prepare(one_deal(prices={"outcome": 1.0}))

    with pytest.raises(InputError, match=r"deals\.deal: has no measured effect that is paid for"):
        study(plain, plain.deals[0])
    with pytest.raises(InputError, match="controls: must be above 0"):
        study(ready, deal, (0.0,), 16)
    with pytest.raises(InputError, match="matching bias: must not be below 0"):
        study(ready, deal, (), 16, bias=-0.1)
    with pytest.raises(InputError, match="cost per control: must not be below 0"):
        study(ready, deal, (), 16, cost_per_control=-1.0)
    with pytest.raises(InputError, match="paths: must be at least 2"):
        study(ready, deal, (), 1)
    moving = {
        "distribution": "mean-reverting",
        "start": 0.1,
        "mean": 0.1,
        "reversion": 1.0,
        "volatility": 0.1,
    }
    cohort = {
        "first_quarter": 1,
        "last_quarter": 1,
        "measured_quarter": 2,
        "people": 100.0,
        "controls": 100.0,
    }
    effect = {"true": moving, "baseline": 1.0, "cohorts": {"all": cohort}}
    paid = {"pooled_trigger": 0.05, "per_event": 10.0}
    drifting = prepare(one_deal(effect=paid, programme={"effect": effect}))
    with pytest.raises(InputError, match="moves over time"):
        design_of(drifting.deals[0])
