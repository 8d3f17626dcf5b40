"""How likely what was returned is in each future: of counts, cost, savings and reported effects.

Given what is drawn once in a future, a programme's quarters are independent of each other:

    referrals   gamma-Poisson about planned x volume x what bad times leave
    starts      binomial of those referred, by the chance of engaging
    outcomes    binomial of those whose time had come, by the line's chance x what bad times leave
    cost        ln(returned / budgeted) normal about ln(overrun x price level), sd ``COST_NOISE``
    savings     ln(returned / planned) normal about ln(unit value x price level), sd ``SAVING_NOISE``
    effect      normal about the true effect, with the error of its evaluation

These are the laws by which the engine draws the same things, but for the two noises, which the engine does
not have: it takes a cost as exact, and one quarter of it would say all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from socialfinance.engine.observed import Past
from socialfinance.engine.ready import ReadyDeal, programme_case
from socialfinance.programmes.futures import Futures, evaluation_error
from socialfinance.programmes.known import Tried, pasts
from socialfinance.scenarios.common import Shock
from socialfinance.scenarios.sources import Certain, at

Array = NDArray[np.float64]

COST_NOISE = 0.10
"""Standard deviation of a quarter's cost about its budget and overrun, log scale [illustrative]."""
SAVING_NOISE = 0.25
"""The same of a quarter's savings [illustrative]."""
LEAST_CHANCE = 0.0005
"""A chance is taken to be at least so much, and at most one less so much: what the file calls certain can
still be missed, and what it calls impossible can happen."""


@dataclass(frozen=True)
class Seen:
    """What was returned of one deal, in the form in which it is weighed."""

    past: Past
    tried: dict[str, tuple[Tried, ...]]
    """by line and row"""
    cost_ratio: dict[str, tuple[float, ...]]
    """by cost line and row: returned over budgeted at the counts returned; 0 where it says nothing"""
    saving_ratio: dict[str, tuple[float, ...]]
    cost_noise: float = COST_NOISE
    saving_noise: float = SAVING_NOISE

    @property
    def rows(self) -> range:
        """The rows that are over."""
        return range(1, len(self.past.quarters) + 1)


def seen(
    deal: ReadyDeal, past: Past, cost_noise: float = COST_NOISE, saving_noise: float = SAVING_NOISE
) -> Seen:
    """A deal's past beside what its plan would have cost and saved at the same counts.

    ``deal`` is one without a past of its own: :func:`~socialfinance.engine.observed.observed` has none of it.
    """
    known = pasts(deal.programme, past.quarters)
    silent = tuple(
        row._replace(costs=_silent(row.costs), cashable=_silent(row.cashable)) for row in known.rows
    )
    programme = deal.programme._replace(known=silent)
    terms = programme.programme

    def flat(index: str | None, base: Any) -> list[Any]:
        return [1.0] * len(silent)

    source = Certain(terms.drivers)
    futures = Futures(programme, source, len(silent), Shock(), flat)
    done = programme_case(programme, futures)
    costs = {
        name: tuple(_ratio(k.costs[j], a.costs[j] / at(futures.overrun[j], row)) for row, (k, a) in both)
        for j, name in enumerate(terms.costs)
        for both in [list(enumerate(zip(known.rows, done, strict=True)))]
    }
    savings = {
        name: tuple(
            _ratio(k.cashable[s], a.cashable[s] / at(futures.unit_value[s], row)) for row, (k, a) in both
        )
        for s, name in enumerate(terms.savings)
        for both in [list(enumerate(zip(known.rows, done, strict=True)))]
    }
    return Seen(past, known.tried, costs, savings, cost_noise, saving_noise)


def _silent(shape: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(-1.0 for _ in shape)


def _ratio(returned: float, planned: float) -> float:
    """Returned over planned; 0 where nothing was returned or nothing was planned, or nil was spent."""
    return returned / planned if returned > 0.0 and planned > 0.0 else 0.0


def log_likelihood(what: Seen, futures: Futures, apart: frozenset[str] = frozenset()) -> Array:
    """By path, up to a constant: the log of the chance of all that was returned.

    ``futures`` are the deal's draws on the rows that are over (or more). ``apart`` names inputs, as their
    streams are called, of which returns are accounted for elsewhere.
    """
    total, expected = np.zeros(1), futures.expected_referrals()
    for row in what.rows:
        quarter = what.past.quarters[row - 1]
        total = total + _arrivals(futures, quarter.referrals, at(expected, row))
        if "engagement" not in apart:
            total = total + _binomial(quarter.referrals, quarter.starts, at(futures.engagement, row))
        left = dict(zip((n.line for n in futures.ready.nodes), futures.left(row), strict=False))
        for line, rows in what.tried.items():
            if f"outcomes.{line}.probability" not in apart:
                chance = at(futures.probability[line], row) * left[line]
                total = total + _binomial(rows[row].tries, rows[row].achieved, chance)
        for j, ratios in enumerate(what.cost_ratio.values()):
            total = total + _about(
                ratios[row], at(futures.overrun[j], row) * futures.cost_levels[j][row], what.cost_noise
            )
        for s, ratios in enumerate(what.saving_ratio.values()):
            level = at(futures.unit_value[s], row) * futures.saving_levels[s][row]
            total = total + _about(ratios[row], level, what.saving_noise)
    effect = futures.ready.programme.effect
    for name, reported in what.past.effects.items():
        cohort = effect.cohorts[name]
        error = evaluation_error(effect, cohort.people, cohort.controls)
        total = total - 0.5 * ((reported - futures.true_effect) / error) ** 2
    return np.asarray(total)


def _arrivals(futures: Futures, came: float, expected: Any) -> Any:
    """Gamma-Poisson: x ln(m) - (x + r) ln(r + m), r = 1 / dispersion; Poisson: x ln(m) - m.

    Where the file has people arrive as planned, the Poisson law is used: no count is exactly as planned.
    """
    terms, mean = futures.ready.programme.referrals, np.maximum(expected, 0.5 * LEAST_CHANCE)
    if terms.arrival == "random" and terms.dispersion > 0.0:
        r = 1.0 / terms.dispersion
        return came * np.log(mean) - (came + r) * np.log(r + mean)
    return came * np.log(mean) - mean


def _binomial(tries: float, done: float, chance: Any) -> Any:
    """x ln(p) + (n - x) ln(1 - p)."""
    if tries == 0.0:
        return 0.0
    p = np.clip(chance, LEAST_CHANCE, 1.0 - LEAST_CHANCE)
    return done * np.log(p) + (tries - done) * np.log1p(-p)


def _about(ratio: float, level: Any, noise: float) -> Any:
    """-(ln(ratio) - ln(level))^2 / (2 noise^2)."""
    if ratio == 0.0:
        return 0.0
    return -0.5 * ((np.log(ratio) - np.log(np.maximum(level, LEAST_CHANCE))) / noise) ** 2
