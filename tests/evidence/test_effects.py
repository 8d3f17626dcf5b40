"""Random effects: published figures, an independent fit, and what shrinkage must do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from socialfinance.core.errors import InputError
from socialfinance.evidence.effects import bootstrap_correlation, by_project, one_way, stages
from socialfinance.evidence.panel import Metric

DYESTUFF = {
    "A": [1545, 1440, 1440, 1520, 1580],
    "B": [1540, 1555, 1490, 1560, 1495],
    "C": [1595, 1550, 1605, 1510, 1560],
    "D": [1445, 1440, 1595, 1465, 1545],
    "E": [1595, 1630, 1515, 1635, 1625],
    "F": [1520, 1455, 1450, 1480, 1445],
}
"""Yield of dyestuff by batch: Davies and Goldsmith (eds), Statistical Methods in Research and Production,
1972; as fitted in chapter 1 of Bates, lme4: Mixed-effects Modeling with R, 2010 (REML 1764.05, 2451.25; ML
1388.33, 2451.25)."""


def test_published_components_of_variance():
    reml, ml = one_way(DYESTUFF), one_way(DYESTUFF, reml=False)
    assert reml.mean == pytest.approx(1527.5)
    assert reml.between == pytest.approx(1764.05, abs=0.1)
    assert reml.within == pytest.approx(2451.25, abs=0.1)
    assert ml.between == pytest.approx(1388.33, abs=0.1)
    assert ml.within == pytest.approx(2451.25, abs=0.1)
    assert reml.between_anova == pytest.approx(1764.05, abs=1e-6 * 1764)


values = st.floats(-2.0, 2.0).map(lambda x: round(x, 3))


@given(st.lists(st.lists(values, min_size=4, max_size=4), min_size=3, max_size=6))
def test_groups_of_one_size_give_the_analysis_of_variance_where_that_is_not_below_nought(rows):
    groups = {str(i): row for i, row in enumerate(rows)}
    if sum(np.var(row) for row in rows) < 1e-4:
        return
    found = one_way(groups)
    expected = max(found.between_anova, 0.0)
    if expected < 0.9 * 1e4 * found.within:
        assert found.between == pytest.approx(expected, rel=1e-3, abs=1e-4 * found.within)


def by_matrices(groups: dict[str, list[float]], reml: bool) -> tuple[float, float]:
    """The textbook's likelihood with whole matrices, maximised by a method without gradients."""
    y = np.concatenate([np.asarray(v, dtype=float) for v in groups.values()])
    label = np.repeat(np.arange(len(groups)), [len(v) for v in groups.values()])
    same = (label[:, None] == label[None, :]).astype(float)
    one = np.ones(len(y))

    def loss(logs: np.ndarray) -> float:
        v = np.exp(logs[0]) * same + np.exp(logs[1]) * np.eye(len(y))
        inverse = np.linalg.inv(v)
        information = one @ inverse @ one
        off = y - (one @ inverse @ y) / information
        return np.linalg.slogdet(v)[1] + off @ inverse @ off + (np.log(information) if reml else 0.0)

    found = minimize(loss, [-2.0, -2.0], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-12})
    return float(np.exp(found.x[0])), float(np.exp(found.x[1]))


@pytest.mark.parametrize("reml", [True, False])
def test_groups_of_several_sizes_against_whole_matrices(reml):
    generator = np.random.default_rng(3)
    groups = {
        str(i): list(0.6 * generator.standard_normal() + 0.4 * generator.standard_normal(n))
        for i, n in enumerate((1, 2, 3, 5, 8, 9, 4))
    }
    found = one_way(groups, reml)
    assert (found.between, found.within) == pytest.approx(by_matrices(groups, reml), rel=1e-4)


def test_the_interval_of_the_correlation_holds_as_often_as_it_says():
    """300 balanced panels of 12 projects, 4 metrics, correlation 0.37: 90% ± 4 × √(0.9 × 0.1 / 300)."""
    generator = np.random.default_rng(11)
    true, held = 0.37, 0
    for _ in range(300):
        own = np.sqrt(true) * generator.standard_normal((12, 1))
        rows = own + np.sqrt(1 - true) * generator.standard_normal((12, 4))
        found = one_way({str(i): list(row) for i, row in enumerate(rows)}).by_f
        held += found.low <= true <= found.high
    assert abs(held / 300 - 0.9) < 4 * np.sqrt(0.09 / 300)


def test_a_larger_group_is_shrunk_less_and_every_group_towards_the_middle():
    found = one_way({"one": [0.9], "few": [0.9, 0.9, 0.8], "many": [0.3, 0.2, 0.4, 0.3, 0.2, 0.4, 0.3]})
    weights = {each.group: each.weight for each in found.effects}
    assert 0.0 < weights["one"] < weights["few"] < weights["many"] < 1.0
    for each in found.effects:
        low, high = sorted((each.mean, found.mean))
        assert low <= each.shrunk <= high


def test_no_spread_between_means_no_weight():
    found = one_way({"a": [0.0, 1.0], "b": [1.0, 0.0], "c": [0.5, 0.5]})
    assert found.between == 0.0
    assert {each.shrunk for each in found.effects} == {found.mean}


@pytest.mark.parametrize(
    "groups", [{"a": [1.0, 2.0]}, {"a": [1.0], "b": [2.0]}, {"a": [0.1, 0.1, 0.1], "b": [2.0]}]
)
def test_what_has_no_components_is_refused(groups):
    with pytest.raises(InputError, match="random effects need"):
        one_way(groups)


def test_the_bootstrap_holds_the_estimate():
    low, high = bootstrap_correlation(DYESTUFF)
    assert 0.0 <= low < one_way(DYESTUFF).correlation_anova < high <= 1.0


def metrics_of(spread: float, seed: int, n: int = 400, target: int = 50) -> list[Metric]:
    generator = np.random.default_rng(seed)
    means = 0.8 * target * np.exp(spread * generator.standard_normal(n) - spread**2 / 2)
    counts = generator.poisson(means)
    return [Metric(f"p{i % 80}", str(i), "outcome", target, float(x)) for i, x in enumerate(counts)]


def test_luck_is_taken_out_of_the_dispersion():
    """Poisson counts around 0.8 of a target of 50: sd of luck √(0.8 / 50) = 0.126; beyond it nil, or 0.24.

    400 metrics: the variance of luck is known to ± √(2 / 400), so its root beyond luck is below
    √(4 × 0.016 × √(2 / 400)) = 0.068; of 0.244 (sd of the lognormal) the error is about 0.013, four times
    0.05.
    """
    pure, spread = stages(metrics_of(0.0, 5))[0], stages(metrics_of(0.3, 6))[0]
    assert pure.sd == pytest.approx(0.126, abs=0.02)
    assert pure.sd_beyond_luck < 0.068
    assert spread.sd_beyond_luck == pytest.approx(0.8 * np.sqrt(np.expm1(0.09)), abs=0.05)
    assert (spread.projects, spread.metrics) == (80, 400)


def test_engagement_is_left_out_of_the_correlation():
    rows = [
        Metric("a", "x", "engagement", 10, 10), Metric("a", "y", "outcome", 10, 5),
        Metric("b", "x", "engagement", 10, 9), Metric("a", "z", "sustained outcome", 10, 2),
    ]  # fmt: skip
    assert by_project(rows) == {"a": [0.5, 0.2]}
