"""Stresses move figures the way they should; a reverse stress finds what matters."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

import socialfinance as sf
from socialfinance.core.errors import InputError
from socialfinance.engine.explain import explain_path
from socialfinance.engine.ready import prepare
from socialfinance.funds.portfolio import Portfolio
from socialfinance.io.files import load
from socialfinance.kernels.returns import TOTAL_LOSS
from socialfinance.pricing.paired import Reader
from socialfinance.pricing.stress import STRESSES, grid, reverse, stress
from socialfinance.pricing.stresses import agreed
from tests.fixtures import one_deal

NPV = "investor.npv.mean"


@pytest.fixture(scope="module")
def bond() -> Portfolio:
    return load("edge-of-care").portfolio


@pytest.fixture(scope="module")
def found(bond):
    table = stress(bond, [NPV, "commissioner.paid.mean"], paths=512, seed=3).table
    return table.set_index(["target", "stress"])


@pytest.mark.parametrize(
    "name", ["recession", "referral drought", "price inflation", "cost overrun", "rate rise", "late payment"]
)
def test_investors_are_worse_off(found, name):
    row = found.loc[(NPV, name)]

    assert row["difference"] < -4 * row["standard_error"] < 0
    assert row["value"] - row["base"] == pytest.approx(row["difference"])


@pytest.mark.parametrize("name", ["recession", "referral drought", "policy termination"])
def test_payers_pay_less_where_less_is_achieved(found, name):
    row = found.loc[("commissioner.paid.mean", name)]

    assert row["difference"] < -4 * row["standard_error"] < 0


def test_what_changes_nothing_is_said(found):
    row = found.loc[(NPV, "guarantor failure")]

    assert row["difference"] == 0.0
    assert "nothing here" in row["status"]


def test_lenders_lose_more_when_guarantors_fail():
    debt = load("demo-guaranteed-debt").portfolio
    table = stress(debt, ["investor.loss.mean"], ["guarantor failure"], paths=1024).table

    assert table["difference"][0] > 4 * table["standard_error"][0] > 0


def test_a_policy_end_comes_in_the_third_cohort(bond):
    """16 quarters of referrals: 19 / 24 of them is quarter 13; at Peterborough it is quarter 19 itself."""
    ended = STRESSES["policy termination"].apply(bond, 1.0)
    peterborough = load("peterborough").portfolio

    assert ended.deals["edge-of-care"].instrument.termination.policy.at_quarter == 13
    assert STRESSES["policy termination"].apply(peterborough, 1.0) == peterborough


def test_what_was_agreed_stays_and_gives_the_same_bits(bond):
    """The commitment in pounds is what it was as a multiple of peak need."""
    reader = Reader(bond, [NPV], 256, 1)
    assert np.array_equal(reader.read(bond)[0].values, reader.read(agreed(bond))[0].values)

    late = STRESSES["late payment"].apply(agreed(bond), 1.0)
    assert prepare(late).deals[0].own.lowered.commitment == prepare(bond).deals[0].own.lowered.commitment


def test_cost_overrun_by_hand():
    """£20,000 of cost, 15% more: gain falls by £3,000, in every future."""
    table = stress(one_deal(prices={"outcome": 300.0}), ["investor.gain.mean"], ["cost overrun"], 64).table

    assert table["difference"][0] == pytest.approx(-3_000.0)
    assert table["standard_error"][0] == pytest.approx(0.0, abs=1e-6)


def test_two_stresses_together(bond):
    table = grid(bond, NPV, "recession", "cost overrun", (0.0, 1.0), paths=256)
    value = table.set_index(["recession", "cost overrun"])["difference"]

    assert value[0.0, 0.0] == 0.0
    assert value[1.0, 1.0] < value[1.0, 0.0] < 0.0
    assert value[1.0, 1.0] < value[0.0, 1.0] < 0.0


# --- reverse --------------------------------------------------------------------------------------


def one_risk() -> Portfolio:
    """Gain = £30,000 - £20,000 x overrun; what the council saves is uncertain too, and does not matter."""
    return one_deal(
        prices={"outcome": 300.0}, probability=1.0,
        programme={
            "costs": {"delivery": {"per_quarter": 10_000.0, "last_quarter": 2,
                                   "overrun": {"distribution": "normal", "mean": 1.0, "sd": 0.1}}},
            "savings": {"care": {"on": "outcome", "agency": "commissioner", "cashable": 1.0,
                                 "unit_value": {"distribution": "normal", "mean": 100.0, "sd": 20.0}}},
        },
    )  # fmt: skip


def test_reverse_finds_the_only_driver_that_matters():
    """Gain below £7,000: overrun above 1.15, a score of 1.5; chance Φ(-1.5), mean score φ(1.5) / Φ(-1.5)."""
    found = reverse(one_risk(), "investor.gain >= 7000", paths=8192, seed=5)
    chance, first = norm.sf(1.5), found.shifts[0]

    assert abs(found.probability - chance) < 4 * found.standard_error
    assert first.driver == "costs.delivery.overrun"
    assert first.mean_score == pytest.approx(norm.pdf(1.5) / chance, abs=4 * first.standard_error)
    others = [one for one in found.shifts[1:] if one.driver == "savings.care.unit_value"]
    assert abs(others[0].mean_score) < 4 * others[0].standard_error
    assert 1.5 < first.at_likeliest < 2.0


def test_the_likeliest_path_is_the_one_that_explain_shows():
    portfolio = one_risk()
    found = reverse(portfolio, "investor.gain >= 7000", paths=2048, seed=5)
    ready = prepare(portfolio)
    assert found.path is not None
    alone = explain_path(ready, ready.deals[0], found.path, 5)

    assert alone.sums["fund"] == pytest.approx(found.value)
    assert alone.sums["fund"] < 7_000.0


def test_a_limit_that_is_never_passed():
    found = reverse(one_risk(), "investor.gain >= -1000000", paths=64)

    assert (found.probability, found.path, found.shifts) == (0.0, None, ())


def test_delivery_failure_stands_out(bond):
    found = reverse(bond, "investor.loss <= 300000", paths=2048, seed=1)

    assert found.shifts[0].driver == "failure"
    assert found.shifts[0].mean_score < 0  # the lower, the nearer it came to happening


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: stress(one_risk(), ["investor.gain.mean"], ["flood"], 8), "stress: is no stress"),
        (lambda: stress(one_risk(), [], None, 8), "target: names no figure"),
        (lambda: grid(one_risk(), "investor.gain.mean", "recession", "recession"), "stress: is named twice"),
        (
            lambda: grid(one_risk(), "investor.gain.mean", "recession", "rate rise", (-1.0,)),
            "sizes: must not",
        ),
        (lambda: reverse(one_risk(), "investor.gain == 7", 8), "reverse: is no limit"),
        (lambda: reverse(one_risk(), "investor.gain", 8), "target: is not a target"),
    ],
)
def test_bad_input_is_one_clear_line(call, words):
    with pytest.raises(InputError) as told:
        call()

    assert str(told.value).startswith(words)
    assert "\n" not in str(told.value)


def test_a_total_loss_passes_a_limit_on_the_irr(bond):
    """It has no IRR by itself; in quantiles it ranks -100%, and so it does here."""
    found = reverse(bond, "investor.irr >= -0.99", paths=1024, seed=1)
    (rates,) = Reader(bond, ["investor.irr.p5"], 1024, 1).read(bond)
    lost = rates.status == TOTAL_LOSS

    assert lost.any()
    assert found.breaches == lost.sum() + (rates.values < -0.99).sum()
    assert found.value == -1.0
    assert found.missing == np.isnan(rates.values[~lost]).sum()


def test_the_same_target_twice_is_one(bond):
    assert len(stress(bond, [NPV, NPV], ["recession"], paths=64).rows) == 1


def test_late_payment_makes_payments_out_of_savings_late_too() -> None:
    """Paid two quarters later; the balance rolls up meanwhile, so the funder need not lose by it."""
    fund = sf.load("demo-pay-as-you-save").portfolio
    (name, deal), *_ = fund.deals.items()
    late = STRESSES["late payment"].apply(agreed(fund), 1.0)
    assert deal.tariff is not None
    assert deal.tariff.savings is not None
    stressed = late.deals[name].tariff
    assert stressed is not None
    assert stressed.savings is not None
    assert stressed.savings.verification_lag == deal.tariff.savings.verification_lag + 2
    before, after = (
        sf.simulate(one, paths=400, seed=3, compare=False).figure("npv", who="investor", deal=name).value
        for one in (fund, late)
    )
    assert before is not None
    assert after is not None
    assert after != before
