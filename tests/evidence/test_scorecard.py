"""The balanced scorecard: closed forms, the run's own figures, and marginal cost against two runs."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import socialfinance as sf
from socialfinance.core.errors import InputError
from socialfinance.engine.block import ALL_PUBLIC
from socialfinance.engine.ready import prepare
from socialfinance.evidence.outcomes_map import read_codes
from socialfinance.evidence.scorecard import Figure, Scorecard, ratio_of_means, scorecard
from tests.fixtures import one_deal

PATHS = 2000


def figure(card: Scorecard, measure: str, about: str = "", perspective: str = "", code: str = "") -> Figure:
    """The one figure that this is."""
    (found,) = (
        one
        for one in card.figures
        if (one.measure, one.about) == (measure, about)
        and perspective in ("", one.perspective)
        and code in ("", one.code)
    )
    return found


@pytest.fixture(scope="module")
def edge() -> Scorecard:
    return scorecard(prepare(sf.load("edge-of-care").portfolio), paths=PATHS)


# --- closed forms -----------------------------------------------------------------------------------


def test_of_one_cohort_every_figure_is_known() -> None:
    """100 people, 3 in 10 achieve: mean 30, sd of a share sqrt(0.21 / 100); cost £20,000 for certain.

    Means within four standard errors; the standard error of the ratio within a tenth of its own closed form.
    """
    card = scorecard(prepare(one_deal(prices={"outcome": 1000.0}, probability=0.3)), paths=PATHS)
    share = figure(card, "achieved of came", "outcome")
    exact = math.sqrt(0.3 * 0.7 / 100 / PATHS)

    assert figure(card, "came", "outcome").value == 100.0
    assert share.value == pytest.approx(0.3, abs=4 * exact)
    assert share.standard_error == pytest.approx(exact, rel=0.1)
    assert figure(card, "without it", "outcome").value == pytest.approx(70.0, abs=400 * exact)
    assert figure(card, "quarters from referral", "outcome").value == 1.0
    assert figure(card, "spent on the programme").value == 20_000.0
    assert figure(card, "cost per outcome", "outcome").value == pytest.approx(20_000 / (100 * share.value))
    paid = figure(card, "paid per outcome", "outcome")
    assert paid.value == pytest.approx(1000.0)
    assert paid.standard_error == pytest.approx(0.0, abs=1e-9)


def test_beyond_deadweight_costs_more() -> None:
    outcomes = {"outcome": {"probability": 1.0, "lag": 1, "deadweight": 0.6}}
    card = scorecard(prepare(one_deal(prices={"outcome": 1.0}, programme={"outcomes": outcomes})), paths=8)

    assert figure(card, "beyond deadweight", "outcome").value == pytest.approx(40.0)
    assert figure(card, "cost per outcome", "outcome").value == pytest.approx(200.0)
    assert figure(card, "cost per outcome beyond deadweight", "outcome").value == pytest.approx(500.0)


@given(
    st.lists(st.tuples(st.floats(1, 1e6), st.floats(0.5, 1e3)), min_size=3, max_size=40),
    st.floats(0.1, 10),
)
def test_a_ratio_is_that_of_means_with_the_delta_method_s_error(
    pairs: list[tuple[float, float]], scale: float
) -> None:
    top, below = (np.array(column) for column in zip(*pairs, strict=True))
    found, scaled = ratio_of_means(top, below), ratio_of_means(top * scale, below)

    assert found.value == pytest.approx(top.mean() / below.mean())
    assert scaled.value == pytest.approx(scale * found.value)
    assert scaled.standard_error == pytest.approx(scale * found.standard_error, rel=1e-6, abs=1e-6)
    cov = np.cov(top, below) / len(top)
    variance = cov[0, 0] - 2 * found.value * cov[0, 1] + found.value**2 * cov[1, 1]
    floor = 1e-6 * top.max() / below.mean()
    assert found.standard_error == pytest.approx(
        math.sqrt(max(variance, 0)) / below.mean(), rel=1e-4, abs=floor
    )


def test_a_ratio_of_nothing_is_said_to_be_none() -> None:
    found = ratio_of_means(np.ones(4), np.zeros(4))
    some = ratio_of_means(np.ones(4), np.array([0.0, 1.0, 1.0, 2.0]))

    assert (found.value, found.standard_error, found.status) == (None, None, "there are none on any path")
    assert (some.value, some.p5, some.p95) == (1.0, 0.5, 1.0)
    assert some.status == "quantiles over the 75.00% of paths that have any"


# --- marginal cost ----------------------------------------------------------------------------------


@pytest.mark.parametrize("lag", [0, 2])
@pytest.mark.parametrize("elasticity", [0.0, 0.4, 1.0])
def test_marginal_cost_is_what_one_more_costs_between_two_runs(lag: int, elasticity: float) -> None:
    """Volume 1.0 against 1.25, everybody achieving: (C' - C) / (N' - N), which is exact: costs are linear."""

    def run(volume: float) -> Scorecard:
        programme = {
            "referrals": {"schedule": (40.0,) * 6, "arrival": "as planned",
                          "volume": {"distribution": "fixed", "value": volume, "plan": 1.0}},
            "outcomes": {"outcome": {"probability": 1.0, "lag": 1}},
            "costs": {
                "team": {"per_quarter": 20_000.0, "elasticity": elasticity, "response_lag": lag},
                "kits": {"per_user": 130.0},
            },
        }  # fmt: skip
        instrument = {"commitment": {"amount": 1e6}}
        deal = one_deal(prices={"outcome": 900.0}, programme=programme, instrument=instrument)
        return scorecard(prepare(deal), paths=2)

    some, more = run(1.0), run(1.25)
    costs = [figure(card, "spent on the programme").value for card in (some, more)]
    people = [figure(card, "people started").value for card in (some, more)]

    assert people == [240.0, 300.0]
    marginal = figure(some, "marginal cost", "outcome").value
    assert marginal == pytest.approx((costs[1] - costs[0]) / 60.0)
    assert figure(some, "marginal cost of one more who starts").value == pytest.approx(marginal)
    assert figure(some, "spending that follows volume").value == pytest.approx(marginal * 240.0 / costs[0])


# --- the run's own figures --------------------------------------------------------------------------


def test_figures_are_those_of_a_run(edge: Scorecard) -> None:
    result = sf.simulate(sf.load("edge-of-care"), paths=PATHS, compare=False, workers=1)

    def run(measure: str, who: str = "programme", statistic: str = "mean") -> float:
        return result.figure(measure, statistic, who=who, deal="edge-of-care").value

    line = "out of care 12 months"
    assert figure(edge, "people referred").value == pytest.approx(run("people referred"))
    assert figure(edge, "people started").p95 == run("people started", statistic="p95")
    assert figure(edge, "achieved", line, "outcomes").value == pytest.approx(run(f"achieved: {line}"))
    assert figure(edge, "beyond deadweight", line).value == pytest.approx(run(f"beyond: {line}"))
    assert figure(edge, "paid by public bodies").value == pytest.approx(run("paid", ALL_PUBLIC))
    assert figure(edge, "cashable saving", "eastmere").value == pytest.approx(run("saving", "eastmere"))
    assert figure(edge, "change in cost", "eastmere").value == pytest.approx(run("net_cost", "eastmere"))
    memo = [
        row.value
        for row in result.flow_rows
        if row.reason == "non-cashable saving" and not row.financial_year
    ]
    assert figure(edge, "capacity freed, not cash", "eastmere").value == pytest.approx(sum(memo))
    spent = [
        row.value for row in result.flow_rows
        if row.payee == "outside" and row.reason.endswith("cost") and not row.financial_year
    ]  # fmt: skip
    assert figure(edge, "spent on the programme").value == pytest.approx(sum(spent))


def test_people_are_kept_track_of(edge: Scorecard) -> None:
    """Who comes to a line that follows at once is who achieved the one before; failure demand is the rest."""
    came = figure(edge, "came", "completed").value
    achieved = figure(edge, "achieved", "started", "outcomes").value
    needs = [f"out of care {months} months" for months in (6, 12, 18)]
    all_came = sum(figure(edge, "came", line).value for line in needs)
    gone = figure(edge, "without it").value + figure(edge, "not kept").value

    assert came == pytest.approx(achieved)
    assert figure(edge, "failure demand").value == pytest.approx(gone / all_came)
    assert figure(edge, "needs met").value + figure(edge, "failure demand").value == pytest.approx(1.0)
    assert figure(edge, "without it").value == pytest.approx(figure(edge, "without it", needs[0]).value)
    assert 4.0 < figure(edge, "quarters to a need met").value < 8.0


def test_chunks_change_nothing(monkeypatch) -> None:
    from socialfinance.evidence import counted

    ready = prepare(sf.load("edge-of-care").portfolio)
    whole = scorecard(ready, paths=600).figures
    monkeypatch.setattr(counted, "CHUNK", 256)

    assert scorecard(ready, paths=600).figures == whole


# --- groups and codes -------------------------------------------------------------------------------


def test_a_fund_is_the_sum_of_its_programmes() -> None:
    ready = prepare(sf.load("collective-impact-fund").portfolio)
    programmes, providers, fund = (scorecard(ready, by, 256) for by in ("programme", "provider", "fund"))

    assert len(programmes.groups) == len(providers.groups) == 12
    assert [group.name for group in fund.groups] == ["collective-impact-fund"]
    for measure in ("people started", "spent on the programme", "paid by public bodies"):
        one = figure(fund, measure).value
        for card in (programmes, providers):
            assert one == pytest.approx(
                sum(row.value for row in card.figures if row.measure == measure and not row.about)
            )
    jobs = sum(
        row.value for row in programmes.figures
        if row.perspective == "outcomes" and row.code == "OOM-07" and row.deal and row.measure == "achieved"
    )  # fmt: skip
    assert figure(fund, "achieved", code="OOM-07", perspective="outcomes").value == pytest.approx(jobs)


def test_who_cannot_be_scored_is_left_out_or_refused() -> None:
    with pytest.raises(InputError, match="no people's programme"):
        scorecard(prepare(sf.load("demo-income-strip").portfolio), paths=8)
    with pytest.raises(InputError, match="is no way to group"):
        scorecard(prepare(one_deal(prices={"outcome": 1.0})), "team")
    both = prepare(sf.load("edge-of-care").portfolio)
    both = replace(both, deals=both.deals + prepare(sf.load("demo-loan-pool").portfolio).deals)
    assert len(scorecard(both, paths=8).left_out) == len(both.deals) - 1 > 0


def test_codes_say_what_is_a_strength_and_what_is_kept() -> None:
    outcomes = {
        "calm": {"probability": 0.5, "lag": 1},
        "job": {"of": "calm", "probability": 0.5, "lag": 1},
        "job a year": {"of": "job", "probability": 0.5, "lag": 4},
    }
    deal = one_deal(prices={"job": 1.0}, programme={"outcomes": outcomes})
    codes = read_codes(
        "programme,line,code\none cohort,calm,OOM-05\ndeal,job,OOM-07\n*,job a year,OOM-07\n", "c"
    )
    plain, tagged = (scorecard(prepare(deal), paths=64, codes=one) for one in ({}, codes))

    assert [one for one in plain.figures if one.perspective == "strengths"] == []
    assert figure(plain, "without it", "job a year").value == figure(tagged, "not kept", "job a year").value
    assert figure(tagged, "achieved", "calm", "strengths").code == "OOM-05"
    assert figure(tagged, "without it", "job").value == figure(tagged, "without it").value
