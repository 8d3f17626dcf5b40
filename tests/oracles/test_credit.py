"""Layers, the one-factor model, capped guarantees: closed forms to their digits, the pool by simulation."""

from __future__ import annotations

import json
import math
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import binom, multivariate_normal, norm

from socialfinance import credit, simulate
from socialfinance.core.errors import InputError
from socialfinance.results.result import Result
from tests.pools import one_pool

VECTORS = {v["id"]: v for v in json.loads(Path(__file__).with_name("vectors.json").read_text())["vectors"]}
TRANCHES = VECTORS["vasicek.lhp_tranches"]
P, RHO, LGD = (TRANCHES["inputs"][name] for name in ("p", "rho", "lgd"))
EDGES = [tuple(edges) for edges in TRANCHES["inputs"]["tranches"]]
ROLES = ("first", "second", "third")
POOL = 1_000_000.0
PATHS = 40_000
DEFAULTS = {"default_probability": P, "default_basis": "to term", "default_timing": (0.0, 0.0, 0.0, 1.0)}
"""All defaults at the end of the first year, with probability p exactly."""


def floats(values: Any) -> Any:
    return np.array(values, dtype=float)


# --- closed forms ---------------------------------------------------------------------------------


def test_a_layer_pays_its_slice() -> None:
    vector = VECTORS["layer.payout"]
    given = vector["inputs"]
    found = credit.layer(given["losses"], given["attach"], given["detach"])
    np.testing.assert_allclose(found, vector["expected"]["payout"], rtol=0, atol=1e-15)


def test_layers_share_every_loss_exactly() -> None:
    vector = VECTORS["layer.waterfall_of_losses"]
    given = vector["inputs"]
    edge, found = 0.0, {}
    for name in ("first_loss", "mezz", "senior"):
        found[name] = credit.layer(floats(given["losses"]), edge, edge + given[name])
        edge += given[name]
        assert list(found[name]) == vector["expected"][name]
    assert list(sum(found.values())) == given["losses"]


def test_quantiles_of_a_large_pool() -> None:
    vector = VECTORS["vasicek.lhp_quantiles"]
    given, expected = vector["inputs"], vector["expected"]
    loss = credit.vasicek_quantile(given["p"], given["rho"], given["lgd"], given["q"])
    np.testing.assert_allclose(loss, floats(expected["loss_quantile"]), rtol=1e-12)
    rate = credit.vasicek_quantile(given["p"], given["rho"], 1.0, given["q"])
    np.testing.assert_allclose(rate, floats(expected["default_rate_quantile"]), rtol=1e-12)


def test_tranches_of_a_large_pool() -> None:
    attach, detach = zip(*EDGES, strict=True)
    found = credit.vasicek_tranche(P, RHO, LGD, floats(attach), floats(detach))
    expected = TRANCHES["expected"]
    names = ("0_5", "5_15", "15_100")
    np.testing.assert_allclose(found.of_pool, floats([expected[f"el_{n}"] for n in names]), rtol=1e-12)
    np.testing.assert_allclose(found.of_tranche, floats([expected[f"rate_{n}"] for n in names]), rtol=1e-12)
    assert found.of_pool.sum() == pytest.approx(float(expected["el_total"]), rel=1e-12)


def test_the_table_of_financepy() -> None:
    """FinancePy 1.1.2, tr_surv_prob_lhp: five years at a hazard of 1%, recovery 40%, correlation 0.3."""
    p = 1.0 - math.exp(-0.05)
    found = credit.vasicek_tranche(p, 0.3, 0.6, floats([0.0, 0.03, 0.06]), floats([0.03, 0.06, 0.1]))
    np.testing.assert_allclose(found.of_tranche, [0.53331, 0.21062, 0.09527], atol=5e-6)


def test_standard_errors_of_a_pool_of_fifty() -> None:
    vector = VECTORS["vasicek.mc_tolerance"]
    sd = credit.pool_tranche(50, P, RHO, LGD, 0.0, 0.05).sd
    assert sd == pytest.approx(float(vector["expected"]["sd"]), rel=1e-12)
    for sims, error, four in zip(
        vector["inputs"]["sims"],
        vector["expected"]["std_error"],
        vector["expected"]["four_sigma"],
        strict=True,
    ):
        assert sd / sims**0.5 == pytest.approx(float(error), rel=1e-5)
        assert 4 * sd / sims**0.5 == pytest.approx(float(four), rel=1e-5)


def test_a_capped_portfolio_guarantee() -> None:
    vector = VECTORS["guarantee.stop_loss_binomial"]
    given, expected = vector["inputs"], vector["expected"]
    fund = given["loans"] * given["loan"]

    def up_to(pounds: float) -> float:
        """Expected loss of the fund up to an amount."""
        whole = credit.pool_tranche(given["loans"], given["p"], 0.0, given["lgd"], 0.0, pounds / fund)
        return fund * whole.of_pool

    cap, cover = given["first_loss_cap"], given["pro_rata_cover"]
    for name, found in {
        "E_first_loss": up_to(cap),
        "E_total_loss": up_to(fund),
        "E_uncapped_80pct": cover * up_to(fund),
        "E_capped_80pct": cover * up_to(cap / cover),
    }.items():
        assert found == pytest.approx(float(expected[name]), rel=1e-10), name


# --- the closed forms against other ways to the same number -----------------------------------------


@pytest.mark.parametrize(("p", "rho", "lgd"), [(0.05, 0.2, 0.6), (0.001, 0.6, 0.3), (0.4, 0.05, 1.0)])
@pytest.mark.parametrize(("attach", "detach"), [(0.0, 0.03), (0.03, 0.1), (0.1, 1.0), (0.0, 1.0)])
def test_a_tranche_by_quadrature_over_the_economy(
    p: float, rho: float, lgd: float, attach: float, detach: float
) -> None:
    def lost(z: float) -> float:
        rate = float(norm.cdf((norm.ppf(p) - rho**0.5 * z) / (1.0 - rho) ** 0.5))
        return min(max(lgd * rate - attach, 0.0), detach - attach) * float(norm.pdf(z))

    kinks = [-float(norm.ppf(k / lgd)) for k in (attach, detach) if 0.0 < k < lgd]
    kinks = [(norm.ppf(p) + (1.0 - rho) ** 0.5 * k) / rho**0.5 for k in kinks]
    edges = [-12.0, *sorted(k for k in kinks if abs(k) < 12.0), 12.0]
    whole = sum(quad(lost, a, b, epsabs=1e-13, limit=200)[0] for a, b in pairwise(edges))
    found = credit.vasicek_tranche(p, rho, lgd, attach, detach)
    assert found.of_pool == pytest.approx(whole, abs=1e-11)
    assert found.of_tranche == pytest.approx(whole / (detach - attach), abs=1e-9)


@pytest.mark.parametrize("h", [-2.5, -0.3, 0.0, 1.7])
@pytest.mark.parametrize("k", [-3.0, 0.0, 0.4, 2.0])
@pytest.mark.parametrize("r", [-0.95, -0.2, 0.0, 0.6])
def test_the_bivariate_normal(h: float, k: float, r: float) -> None:
    found = credit.bivariate_normal(h, k, r)
    theirs = multivariate_normal.cdf([h, k], cov=[[1.0, r], [r, 1.0]], abseps=1e-12, releps=1e-12)
    assert found == pytest.approx(float(theirs), abs=1e-9)


def test_the_bivariate_normal_at_the_origin() -> None:
    assert credit.bivariate_normal(0.0, 0.0, 0.5) == pytest.approx(0.25 + math.asin(0.5) / (2 * math.pi))


def test_without_correlation_a_pool_is_binomial() -> None:
    np.testing.assert_allclose(
        credit.pool_defaults(30, 0.07, 0.0), binom.pmf(np.arange(31), 30, 0.07), rtol=1e-11
    )
    assert credit.vasicek_quantile(0.07, 0.0, 0.6, 0.999) == pytest.approx(0.042)
    assert credit.vasicek_tranche(0.07, 0.0, 0.6, 0.0, 0.03).of_pool == pytest.approx(0.03)
    assert credit.vasicek_tranche(0.07, 0.0, 0.6, 0.03, 1.0).of_pool == pytest.approx(0.012)


@pytest.mark.parametrize("loans", [1, 7, 400])
def test_a_pool_has_the_mean_and_variance_that_it_must(loans: int) -> None:
    """Mean n p; variance n p (1 - p) + n (n - 1) (P(two given loans default) - p^2)."""
    chance, k = credit.pool_defaults(loans, P, RHO), np.arange(loans + 1)
    score = float(norm.ppf(P))
    two = float(credit.bivariate_normal(score, score, RHO))
    mean = float(chance @ k)
    assert chance.sum() == pytest.approx(1.0, abs=1e-12)
    assert mean == pytest.approx(loans * P, rel=1e-11)
    variance = loans * P * (1 - P) + loans * (loans - 1) * (two - P**2)
    assert float(chance @ (k - mean) ** 2) == pytest.approx(variance, rel=1e-9)


def test_a_pool_nears_its_limit_as_it_grows() -> None:
    limit = credit.vasicek_tranche(P, RHO, LGD, 0.05, 0.15).of_pool
    far = [abs(credit.pool_tranche(n, P, RHO, LGD, 0.05, 0.15).of_pool - limit) for n in (10, 50, 500, 5000)]
    assert far == sorted(far, reverse=True)
    assert far[-1] < 2e-5


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: credit.vasicek_quantile(1.2, 0.2, 0.6, 0.99), "p"),
        (lambda: credit.vasicek_quantile(0.05, 1.0, 0.6, 0.99), "rho"),
        (lambda: credit.vasicek_tranche(0.05, 0.2, 0.6, 0.1, 0.1), "detach"),
        (lambda: credit.pool_defaults(0, 0.05, 0.2), "loans"),
    ],
)
def test_what_is_no_fraction_is_refused(call: Any, field: str) -> None:
    with pytest.raises(InputError) as refused:
        call()
    assert refused.value.field == field


# --- the same through the loan pool, by simulation ----------------------------------------------------


def layer(role: str, attach: float, detach: float) -> dict[str, Any]:
    return {
        "guarantor": role, "attach": attach, "detach": detach, "unit": "share of drawn",
        "of": "the whole loss", "claim_lag": 0,
    }  # fmt: skip


@cache
def tranched(loans: int) -> Result:
    """A million in ``loans`` loans under the one-factor model, its losses borne by three layers; seed 3."""
    segment = {"schedule": (float(loans),), "size": POOL / loans, "rate": 0.0, "correlation": RHO, **DEFAULTS}
    pool = {
        "commitment": {"amount": POOL},
        "claims": "final loss",
        "layers": tuple(layer(role, *edges) for role, edges in zip(ROLES, EDGES, strict=True)),
    }
    parties = {"first": "backer", "second": "insurer", "third": "borough"}
    portfolio = one_pool(segment=segment, pool=pool, parties=parties, quarters=6)
    return simulate(portfolio, paths=PATHS, seed=3, workers=1, compare=False)


@pytest.mark.parametrize("loans", [10, 50, 500])
def test_tranche_losses_through_the_pool(loans: int) -> None:
    for party, (attach, detach) in zip(("backer", "insurer", "borough"), EDGES, strict=True):
        exact = credit.pool_tranche(loans, P, RHO, LGD, attach, detach)
        row = tranched(loans).figure("calls", who=party, deal="pool")
        assert row.value is not None
        assert abs(row.value / POOL - exact.of_pool) < 4.0 * exact.sd / PATHS**0.5, party


def test_the_pool_nears_the_limit_of_a_large_one() -> None:
    """5,000 loans: within 4 standard errors of the large pool, and what its own size still adds."""
    limit = credit.vasicek_tranche(P, RHO, LGD, *map(floats, zip(*EDGES, strict=True)))
    for party, value, (attach, detach) in zip(
        ("backer", "insurer", "borough"), limit.of_pool, EDGES, strict=True
    ):
        row = tranched(5000).figure("calls", who=party, deal="pool")
        assert row.value is not None
        error = credit.pool_tranche(5000, P, RHO, LGD, attach, detach).sd / PATHS**0.5
        assert abs(row.value / POOL - value) < 4.0 * error + 2e-5, party


def test_quantiles_of_the_default_rate_through_the_pool() -> None:
    """P95 and P99 of 500 loans: between the quantiles 4 standard errors of the share below on either side."""
    rows = {row.statistic: row.value for row in tranched(500).measures_rows if row.measure == "default_rate"}
    so_far = np.cumsum(credit.pool_defaults(500, P, RHO))
    for name, q in (("p95", 0.95), ("p99", 0.99)):
        spread = 4.0 * (q * (1.0 - q) / PATHS) ** 0.5
        low, high = (np.searchsorted(so_far, q + side) / 500 for side in (-spread, spread))
        assert rows[name] is not None
        assert low <= rows[name] <= high


def test_a_capped_guarantee_through_the_pool() -> None:
    """Eighty per cent of each loan's loss up to a cap, and a first loss up to the same; seed 5."""
    vector = VECTORS["guarantee.stop_loss_binomial"]
    given, expected = vector["inputs"], vector["expected"]
    fund, cap = given["loans"] * given["loan"], float(given["first_loss_cap"])
    segment = {"schedule": (float(given["loans"]),), "size": float(given["loan"]), "rate": 0.0, **DEFAULTS}
    exact = {
        "E_capped_80pct": {"cover": given["pro_rata_cover"], "cap_rate": cap / fund},
        "E_first_loss": {"detach": cap},
    }
    for name, terms in exact.items():
        pool = {
            "commitment": {"amount": float(fund)},
            "claims": "final loss",
            "layers": ({"guarantor": "scheme", "claim_lag": 0, **terms},),
        }
        portfolio = one_pool(segment=segment, pool=pool, parties={"scheme": "backer"}, quarters=6)
        result = simulate(portfolio, paths=PATHS, seed=5, workers=1, compare=False)
        row = result.figure("calls", who="backer", deal="pool")
        assert row.value is not None
        assert row.standard_error is not None
        assert abs(row.value - float(expected[name])) < 4.0 * row.standard_error, name
        most = result.figure("guaranteed", "terms", who="backer", deal="pool")
        assert most.value == pytest.approx(expected["max_exposure"])
        largest = result.figure("calls", "max", who="backer", deal="pool")
        assert largest.value is not None
        assert largest.value <= cap * (1 + 1e-12)
