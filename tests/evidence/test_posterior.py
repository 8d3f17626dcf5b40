"""What returns teach: closed forms, particles against them, and posteriors that are calibrated."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.special import ndtri

from socialfinance.core.ledger import Ledger
from socialfinance.engine.deal import run
from socialfinance.engine.observed import Past, observed
from socialfinance.engine.ready import ReadyPortfolio, drawn, futures_of, prepare, price_level
from socialfinance.evidence.likelihood import COST_NOISE, log_likelihood, seen
from socialfinance.evidence.posterior import Particles, Posterior, Scene, learn
from socialfinance.io.files import load_data
from socialfinance.programmes.known import Quarter

SETS, SIZE = 24, 256


def two_deals(**changes: Any) -> ReadyPortfolio:
    """Two programmes that share an economy; ``changes`` to the first programme."""

    def programme(**more: Any) -> dict[str, Any]:
        return {
            "kind": "people-programme", "title": "t",
            "referrals": {
                "per_quarter": 60.0, "quarters": 8, "dispersion": 0.05,
                "volume": {"distribution": "lognormal", "mean": 1.0, "sd": 0.2, "loadings": {"economy": 0.5}},
            },
            "engagement": {"distribution": "beta", "mean": 0.7, "sd": 0.1},
            "outcomes": {
                "first": {"probability": {"distribution": "beta", "mean": 0.6, "sd": 0.12}, "lag": 1},
                "second": {
                    "of": "first", "lag": 1,
                    "probability": {
                        "distribution": "beta", "mean": 0.5, "sd": 0.15, "loadings": {"economy": 0.6},
                    },
                },
            },
            "costs": {"staff": {"per_quarter": 20_000.0}},
            **more,
        }  # fmt: skip

    def deal(name: str, what: dict[str, Any]) -> dict[str, Any]:
        return {
            "programme": what,
            "instrument": {"kind": "social-impact-bond", "commitment": {"amount": 400_000.0}},
            "tariff": {
                "prices": {"first": 1_000.0, "second": 2_000.0}, "payers": {"commissioner": {"share": 1.0}},
            },
            "parties": {"commissioner": "town", "investor": "fund", "provider": "charity"},
        }  # fmt: skip

    return prepare(
        load_data(
            {
                "name": "two", "title": "Two", "start": date(2026, 4, 1), "quarters": 16,
                "factors": {"economy": {"kind": "gaussian", "by": "all"}},
                "parties": {
                    "town": {"kind": "council"}, "fund": {"kind": "investor"},
                    "charity": {"kind": "provider"},
                },
                "deals": {"a": deal("a", programme(**changes)), "b": deal("b", programme())},
            }
        ).portfolio
    )  # fmt: skip


def simulated(ready: ReadyPortfolio, seed: int, path: int, quarters: int) -> dict[str, Past]:
    """What one future of the engine's own would return."""
    paths = np.array([path], dtype=np.uint64)
    common = ready.common(seed, paths)
    found = {}
    for deal in ready.deals:
        futures = futures_of(deal, drawn(deal, common, seed, paths), common)
        ledger = Ledger(deal.calendar.year_of_row, 1)
        done: list[Any] = run(deal, (deal.own,), futures, price_level(deal, common), (ledger,))[0].activity
        lines = deal.programme.lines
        rows = tuple(
            Quarter(
                float(done[row].referred[0]), float(done[row].starts[0]),
                {line: float(done[row].achieved[k][0]) for k, line in enumerate(lines)}, {}, {},
            )
            for row in range(1, quarters + 1)
        )  # fmt: skip
        found[deal.name] = Past(rows, ({},) * quarters, {})
    return found


def learnt(ready: ReadyPortfolio, past: dict[str, Past], exact: bool = True, **size: int) -> Posterior:
    what = {deal.name: seen(deal, past[deal.name]) for deal in ready.deals if deal.name in past}
    return learn(ready, what, size.get("seed", 1), size.get("sets", SETS), size.get("size", SIZE), exact)


def counts(referrals: int, starts: int, first: int) -> Past:
    """Two quarters: those of the second have achieved the first line."""
    return Past(
        (
            Quarter(float(referrals), float(starts), {"first": 0.0, "second": 0.0}, {}, {}),
            Quarter(0.0, 0.0, {"first": float(first), "second": 0.0}, {}, {}),
        ),
        ({}, {}),
        {},
    )


def mean_and_error(values: np.ndarray) -> tuple[float, float]:
    by_set = values.reshape(SETS, SIZE).mean(axis=1)
    return float(values.mean()), float(by_set.std(ddof=1) / math.sqrt(SETS))


def test_beta_binomial_in_closed_form() -> None:
    """beta(a, b) after s of n is beta(a + s, b + n - s): 30 of 40 engaged, 12 of 30 achieved."""
    ready = two_deals()
    post = learnt(ready, {"a": counts(40, 30, 12)})
    updated = post.exact["a", "engagement"]
    total = 0.7 * 0.3 / 0.1**2 - 1  # 20: a = 14, b = 6
    assert updated.prior == pytest.approx((0.7 * total, 0.3 * total))
    assert updated.posterior == pytest.approx((14 + 30, 6 + 10))
    first = post.exact["a", "outcomes.first.probability"]
    assert (first.successes, first.tries) == (12, 30)
    values = stats.beta(*updated.prior).ppf(post.learnt.drawn["a", "engagement"])
    assert values.mean() == pytest.approx(44 / 60, abs=1e-3)
    assert stats.kstest(values, stats.beta(44, 16).cdf).pvalue > 0.01


@pytest.mark.parametrize(("starts", "first"), [(30, 12), (12, 11), (39, 0)])
def test_particles_equal_the_closed_form(starts: int, first: int) -> None:
    """Mean and sd of particles within 4 standard errors (of sets) of beta(a + s, b + n - s)."""
    ready = two_deals()
    past = {"a": counts(40, starts, first)}
    exact = learnt(ready, past).exact
    post = learnt(ready, past, exact=False)
    for names, updated in exact.items():
        values = stats.beta(*updated.prior).ppf(post.learnt.drawn[names])
        truth = stats.beta(*updated.posterior)
        mean, error = mean_and_error(values)
        assert abs(mean - truth.mean()) < 4 * error, names
        square, error = mean_and_error((values - truth.mean()) ** 2)
        assert abs(square - truth.var()) < 4 * error, names


def test_a_factor_in_closed_form() -> None:
    """A volume ln V = m + s (l F + sqrt(1 - l^2) e), seen through Poisson counts: by quadrature.

    The posterior mean of the factor's score is set against a grid over (F, e).
    """
    ready = two_deals()
    ready = replace(ready, deals=ready.deals[:1])
    past = {"a": counts(90, 63, 38)}
    post = learnt(ready, past)
    grid = np.linspace(-6, 6, 601)
    f, e = np.meshgrid(grid, grid, indexing="ij")
    variance = math.log1p(0.2**2)
    volume = np.exp(-variance / 2 + math.sqrt(variance) * (0.5 * f + math.sqrt(0.75) * e))
    r = 1 / 0.05
    log = -0.5 * (f**2 + e**2)
    for came in (90, 0):
        log += came * np.log(60 * volume) - (came + r) * np.log(r + 60 * volume)
    weight = np.exp(log - log.max())
    truth = float((weight * f).sum() / weight.sum())
    score = ndtri(post.learnt.drawn["factors", "economy", ""])
    mean, error = mean_and_error(score)
    assert abs(mean - truth) < 4 * error
    assert abs(truth) > 10 * error  # the returns do move it


def test_an_overrun_in_closed_form() -> None:
    """ln overrun ~ N(m, s^2), three quarters 20% over budget, each with noise t: precision 1/s^2 + 3/t^2."""
    overrun = {"distribution": "lognormal", "mean": 1.0, "sd": 0.15}
    ready = two_deals(costs={"staff": {"per_quarter": 20_000.0, "overrun": overrun}})
    outcomes = {"first": 0.0, "second": 0.0}
    quarter = Quarter(0.0, 0.0, outcomes, {"staff": 24_000.0}, {})
    post = learnt(ready, {"a": Past((quarter,) * 3, ({},) * 3, {})})
    variance = math.log1p(0.15**2)
    precision = 1 / variance + 3 / COST_NOISE**2
    mean = (-variance / 2 / variance + 3 * math.log(1.2) / COST_NOISE**2) / precision
    score = ndtri(post.learnt.drawn["a", "costs.staff.overrun"])
    values = -variance / 2 + math.sqrt(variance) * score
    found, error = mean_and_error(values)
    assert abs(found - mean) < 4 * error
    square, error = mean_and_error((values - mean) ** 2)
    assert abs(square - 1 / precision) < 4 * error


def test_particles_keep_their_own_likelihood() -> None:
    """After all moves, what is kept of each particle is what its scores give."""
    ready = two_deals()
    past = simulated(ready, 5, 0, 4)
    what = {deal.name: seen(deal, past[deal.name]) for deal in ready.deals}
    scene = Scene(ready, what, 1, 2 * SIZE, exact=False)
    particles = Particles(scene, 2, SIZE)
    particles.run()
    common = scene.common(particles.u)
    for i, log in enumerate(particles.log):
        assert np.allclose(log, scene.log_likelihood(i, common, particles.u), rtol=1e-12)
    for names, z in particles.z.items():
        assert np.allclose(z, ndtri(particles.u[names]), atol=1e-9)


def test_likelihood_is_the_engines_own_law() -> None:
    """The mean over futures of exp(log-likelihood ratio) is one: checked against simulated returns.

    For two parameters p and q of engagement, E_p[L(q) / L(p)] = 1, over returns drawn at p by the engine.
    """
    fixed = two_deals(engagement=0.7)
    other = two_deals(engagement=0.72)
    ratios = []
    for path in range(100):
        past = simulated(fixed, 3, path, 2)["a"]
        paths = np.array([path], dtype=np.uint64)
        logs = []
        for ready in (fixed, other):
            common = ready.common(3, paths)
            futures = futures_of(ready.deals[0], drawn(ready.deals[0], common, 3, paths), common)
            logs.append(float(log_likelihood(seen(ready.deals[0], past), futures)[0]))
        ratios.append(math.exp(logs[1] - logs[0]))
    error = float(np.std(ratios, ddof=1) / math.sqrt(len(ratios)))
    assert abs(np.mean(ratios) - 1.0) < 4 * error


def ranks(repetitions: int, quarters: int, **changes: Any) -> dict[tuple[str, ...], np.ndarray]:
    """Simulation-based calibration: where the truth stands among 31 draws of each posterior."""
    ready = two_deals(**changes)
    found: dict[tuple[str, ...], list[int]] = {}
    for path in range(repetitions):
        past = simulated(ready, 11, path, quarters)
        post = learnt(ready, past, exact=False, sets=1, size=SIZE, seed=1000 + path)
        truth = true_uniforms(ready, 11, path)
        thinned = np.random.default_rng(path).choice(SIZE, 31, replace=False)
        for names, uniforms in post.learnt.drawn.items():
            if names in truth:
                found.setdefault(names, []).append(int((uniforms[thinned] < truth[names]).sum()))
    return {names: np.array(one) for names, one in found.items()}


def true_uniforms(ready: ReadyPortfolio, seed: int, path: int) -> dict[tuple[str, ...], float]:
    """The uniforms from which the engine drew this future."""
    from socialfinance.kernels.luck import uniform
    from socialfinance.scenarios.keys import key

    names = [("factors", "economy", "")]
    for deal in ("a", "b"):
        names += [(deal, one) for one in ("engagement", "referrals.volume", "failure", "failure size")]
        names += [(deal, f"outcomes.{line}.probability") for line in ("first", "second")]
    return {one: uniform(*key(seed, *one), 0, path) for one in names}


def check_uniform(found: dict[tuple[str, ...], np.ndarray], level: float) -> None:
    """Chi-squared over 8 bins of the rank histogram of every parameter, at a level for all together."""
    for names, one in found.items():
        seen_, _ = np.histogram(one, bins=8, range=(0, 32))
        p = stats.chisquare(seen_).pvalue
        assert p > level / len(found), (names, seen_, p)


@pytest.mark.slow
def test_posteriors_are_calibrated_over_500_repetitions() -> None:
    """With a regime of failure in the first programme."""
    failure = {
        "probability": 0.3,
        "performance": {"distribution": "uniform", "low": 0.3, "high": 0.6},
        "onset": 2,
    }
    check_uniform(ranks(500, 4, failure=failure), 0.05)


def test_same_seed_same_bits() -> None:
    ready = two_deals()
    past = simulated(ready, 5, 0, 3)
    one, other = learnt(ready, past), learnt(ready, past)
    for names, uniforms in one.learnt.drawn.items():
        assert np.array_equal(uniforms, other.learnt.drawn[names])


def test_deals_without_returns_are_left_alone() -> None:
    """Nothing but what is common moves: the other deal's own draws keep their streams."""
    ready = two_deals()
    post = learnt(ready, {"a": counts(40, 30, 12)})
    assert not any(names[0] == "b" for names in post.learnt.drawn)


def test_rows_that_are_over_are_what_was_returned() -> None:
    """On every path, whatever the priors."""
    ready = two_deals()
    past = simulated(ready, 5, 0, 3)
    placed = observed(ready, past).ready
    paths = np.arange(64, dtype=np.uint64)
    common = placed.common(9, paths)
    for deal in placed.deals:
        futures = futures_of(deal, drawn(deal, common, 9, paths), common)
        ledger = Ledger(deal.calendar.year_of_row, len(paths))
        done: list[Any] = run(deal, (deal.own,), futures, price_level(deal, common), (ledger,))[0].activity
        for row, quarter in enumerate(past[deal.name].quarters, start=1):
            assert np.all(done[row].starts == quarter.starts)
            assert np.all(done[row].referred == quarter.referrals)
            for k, line in enumerate(deal.programme.lines):
                assert np.all(done[row].achieved[k] == quarter.outcomes[line])
        assert np.std(done[5].starts) > 0.0
