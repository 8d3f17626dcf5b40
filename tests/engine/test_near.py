"""Large groups of people counted nearly: the same law, the same bits everywhere, and said on the report."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import socialfinance as sf
from socialfinance.engine.explain import explain_path
from socialfinance.engine.ready import prepare
from socialfinance.funds.portfolio import Portfolio
from socialfinance.reports.console import report
from socialfinance.reports.inputs import begin
from tests.engine.test_invariance import rows, several
from tests.fixtures import one_deal


def nearly(portfolio: Portfolio) -> Portfolio:
    return portfolio.model_copy(update={"counts": "near"})


def many() -> Portfolio:
    """Three deals of which every quarter's starts and outcomes have a variance on either side of 9."""
    data = several().model_dump(exclude_unset=True)
    for deal in data["deals"].values():
        deal["programme"]["referrals"]["per_quarter"] = 40.0
    return nearly(Portfolio.model_validate(data))


def test_a_cohort_has_the_law_of_its_people() -> None:
    """100 people at 0.3 and a pound each: mean 30, standard deviation the root of 21, SciPy's quantiles."""
    found = sf.simulate(nearly(one_deal(prices={"outcome": 1.0})), paths=40_000, seed=11, compare=False)
    law = stats.binom(100, 0.3)
    paid = {
        row.statistic: row
        for row in found.measures_rows
        if (row.party, row.measure, row.financial_year, row.scope) == ("anytown", "paid", "", "deal")
    }
    error = law.std() / np.sqrt(40_000)
    assert paid["mean"].value == pytest.approx(law.mean(), abs=4.0 * error)
    assert paid["mean"].standard_error == pytest.approx(error, rel=4.0 / np.sqrt(2.0 * 40_000))
    assert (paid["p5"].value, paid["p95"].value) == (law.ppf(0.05), law.ppf(0.95))


def test_figures_are_those_of_people_counted_one_by_one_within_their_errors() -> None:
    near = sf.simulate(many(), paths=6_000, seed=5, workers=1)
    exact = sf.simulate(many().model_copy(update={"counts": "people"}), paths=6_000, seed=6, workers=1)
    assert near.measures_rows != exact.measures_rows
    for who, measure in (("fund", "gain"), ("anytown", "net_cost"), ("anytown", "saving")):
        one, other = (run.figure(measure, who=who, deal="a") for run in (near, exact))
        assert one.value == pytest.approx(
            other.value, abs=4.0 * np.hypot(one.standard_error, other.standard_error)
        )


def test_same_bits_whatever_chunk_workers_and_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    once = rows(many())
    assert rows(many(), chunk=256, workers=2) == once
    monkeypatch.setenv("SOCIALFINANCE_BACKEND", "numpy")
    for mine, theirs in zip(once, rows(many()), strict=True):  # an IRR is solved in another order of sums
        assert [one for one in mine if getattr(one, "measure", "") != "irr"] == [
            x for x in theirs if getattr(x, "measure", "") != "irr"
        ]


def test_a_future_alone_is_the_same_future() -> None:
    ready = prepare(many())
    kept = sf.simulate(many(), paths=300, seed=7, workers=1, compare=False)
    gain = 0.0
    for path in range(300):
        for one in explain_path(ready, ready.deals[0], path, 7, False).payments:
            if not one.memo:
                gain += one.amount * ((one.payee == "fund") - (one.payer == "fund"))
    assert gain / 300 == pytest.approx(kept.figure("gain", who="fund", deal="a").value, rel=1e-9)


def test_spread_on_purpose_it_is_as_right() -> None:
    spread = sf.simulate(many(), paths=6_144, seed=3, workers=1, sampling="auto", compare=False)
    plain = sf.simulate(many(), paths=6_144, seed=4, workers=1, compare=False)
    one, other = (run.figure("gain", who="fund", deal="a") for run in (spread, plain))
    assert one.value == pytest.approx(
        other.value, abs=4.0 * np.hypot(one.standard_error, other.standard_error)
    )
    assert one.standard_error < other.standard_error


def test_it_is_said_and_only_where_it_is_so() -> None:
    said = "large groups of people counted nearly"
    for portfolio, there in ((many(), True), (several(), False)):
        found = sf.simulate(portfolio, paths=256, seed=1, workers=1, compare=False)
        assert (said in " ".join(report(found).split())) == there
        assert (said in begin(portfolio, {}, "Solved").text) == there
        assert found.provenance["resolved"]["counts"] == portfolio.counts


def test_another_way_to_count_is_refused() -> None:
    with pytest.raises(ValueError, match="'people' or 'near'"):
        Portfolio.model_validate({**several().model_dump(exclude_unset=True), "counts": "roughly"})
