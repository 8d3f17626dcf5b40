"""Evaluation design: what a measured effect can be told apart from, and what a bigger control group is worth.

The evaluator of a cohort c of n_c people and m_c controls reports r_c = true effect + bias + error: error ~
N(0, s_c^2), s_c^2 = (1/n_c + 1/m_c) dispersion / baseline (``programmes/futures.evaluation_error``), and bias
~ N(0, b^2) of imperfect matching, one draw for all cohorts, which no bigger group makes smaller; b is nil
unless given. With weights w_c = people of c / all people, the pooled report has standard deviation

    s = sqrt(sum of w_c^2 s_c^2 + b^2)

Closed forms, z_q the normal's quantile, two-sided at level a: least effect that is found with power p
(z_{1-a/2} + z_p) s; power at effect d Phi(d / s - z_{1-a/2}); people needed with k controls each
(1 + 1/k) (dispersion / baseline) / ((d / (z_{1-a/2} + z_p))^2 - b^2); chance of a pooled trigger t at a true
effect d Phi((d - t) / s).

What a tariff pays for reports is ``payment``: the rule of ``instruments/claims.py`` written anew, over points
of the normal spread evenly, a Sobol set. Where payment hangs on the pooled report alone, the chance of a
false or a missed payment is the closed form. The engine's own figures: ``design_runs.py``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.core.errors import InputError
from socialfinance.engine.ready import ReadyDeal
from socialfinance.instruments.tariff import Tariff
from socialfinance.programmes.futures import evaluation_error
from socialfinance.programmes.people import Effect
from socialfinance.scenarios.distributions import draw, plan_of, resolve

Array = NDArray[np.float64]
POINTS = 2**15
"""Points at which the tariff is read."""


class Cohort(NamedTuple):
    """One measured cohort."""

    name: str
    people: float
    """planned people, which set the error"""
    controls: float
    weight: float
    """people expected in it when it is reported, which set the payment"""


@dataclass(frozen=True)
class Design:
    """A measured effect and what is paid for it."""

    effect: Effect
    tariff: Tariff
    cohorts: tuple[Cohort, ...]
    truth: Array
    """quantiles of the true effect, evenly spaced in probability"""
    plan: float
    """the true effect that is planned"""
    bias: float = 0.0
    """standard deviation of what matching leaves, as a relative fall"""

    @property
    def people(self) -> float:
        """Planned people of all cohorts."""
        return sum(one.people for one in self.cohorts)

    @property
    def controls(self) -> float:
        """Controls of all cohorts."""
        return sum(one.controls for one in self.cohorts)

    @property
    def errors(self) -> tuple[float, ...]:
        """Standard deviation of each cohort's report about the truth, bias left out."""
        return tuple(evaluation_error(self.effect, one.people, one.controls) for one in self.cohorts)

    @property
    def shares(self) -> tuple[float, ...]:
        """Each cohort's share of all expected people."""
        total = sum(one.weight for one in self.cohorts)
        return tuple(one.weight / total for one in self.cohorts)

    @property
    def pooled_error(self) -> float:
        """Standard deviation of the pooled report about the truth: sqrt(sum w_c^2 s_c^2 + b^2)."""
        own = sum((w * s) ** 2 for w, s in zip(self.shares, self.errors, strict=True))
        return math.sqrt(own + self.bias**2)

    def with_controls(self, total: float) -> Design:
        """So many controls in all, shared among cohorts by their planned people."""
        if not total > 0.0:
            raise InputError("must be above 0", field="controls", given=total)
        cohorts = tuple(one._replace(controls=total * one.people / self.people) for one in self.cohorts)
        return Design(self.effect, self.tariff, cohorts, self.truth, self.plan, self.bias)


def design_of(deal: ReadyDeal, weights: Sequence[float] | None = None, bias: float = 0.0) -> Design:
    """The design that a deal's file states.

    ``weights``: people expected in each cohort when it is reported, default as planned (a contract that ends
    early has fewer: ``design_runs.people_reported``). InputError where the deal has no measured effect that
    is paid for.
    """
    effect, tariff = getattr(deal.deal.programme, "effect", None), deal.deal.tariff
    if effect is None or tariff is None or tariff.effect is None:
        raise InputError("has no measured effect that is paid for", field=f"deals.{deal.name}",
                         allowed="a programme with an effect, and a tariff that pays for it")  # fmt: skip
    if bias < 0.0:
        raise InputError("must not be below 0", field="matching bias", given=bias)
    true = resolve(effect.true, deal.deal.programme.drivers)
    if not isinstance(true, float | int) and not hasattr(true, "quantile"):
        raise InputError("moves over time: a design needs one true effect",
                         field=f"deals.{deal.name}.programme.effect.true")  # fmt: skip
    evenly = (np.arange(POINTS) + 0.5) / POINTS
    truth = draw(true, evenly)  # type: ignore[arg-type]
    some = weights or [one.people for one in effect.cohorts.values()]
    cohorts = tuple(
        Cohort(name, one.people, one.controls, weight)
        for (name, one), weight in zip(effect.cohorts.items(), some, strict=True)
    )
    plan = plan_of(effect.true, deal.deal.programme.drivers)
    return Design(effect, tariff, cohorts, truth, plan, bias)


# --- power ------------------------------------------------------------------------------------------


def detectable(error: float, power: float = 0.8, alpha: float = 0.05) -> float:
    """Least true effect that is found with this power, two-sided at ``alpha``: (z_{1-alpha/2} + z_p) s."""
    return float(ndtri(1.0 - alpha / 2.0) + ndtri(power)) * error


def power_at(effect: float, error: float, alpha: float = 0.05) -> float:
    """Chance that a true effect is found to be above nil: Phi(d / s - z_{1-alpha/2})."""
    return float(ndtr(effect / error - ndtri(1.0 - alpha / 2.0)))


def people_needed(
    terms: Effect,
    effect: float,
    controls_each: float,
    power: float = 0.8,
    alpha: float = 0.05,
    bias: float = 0.0,
) -> float | None:
    """People (users) to find an effect with this power, with so many controls each; None: no number does.

    n = (1 + 1/k) (dispersion / baseline) / ((d / (z_{1-alpha/2} + z_p))^2 - b^2)
    """
    room = (effect / detectable(1.0, power, alpha)) ** 2 - bias**2
    if effect <= 0.0 or room <= 0.0:
        return None
    return (1.0 + 1.0 / controls_each) * terms.dispersion / terms.baseline / room


def chance_of_trigger(effect: float, trigger: float, error: float) -> float:
    """Chance that the pooled report reaches a trigger: Phi((d - t) / s)."""
    return float(ndtr((effect - trigger) / error))


def paid_at(trigger: float, error: float, chance: float) -> float:
    """The true effect from which on a pooled trigger is reached with this chance: t + z s."""
    return trigger + float(ndtri(chance)) * error


# --- payment ----------------------------------------------------------------------------------------


def payment(design: Design, reports: Array) -> Array:
    """What the tariff pays in all for reports ``(cohort, point)``: pounds at its own prices.

    Singles: each cohort whose report reaches the cohort trigger is paid report x people x pounds an event x
    baseline; all together by the same rule, or by steps, where the pooled report reaches the pooled trigger,
    less what singles had. Less claims refused, at most the contract's cap. Caps and windows of single payers
    are not looked at.
    """
    terms, tariff = design.tariff.effect, design.tariff
    assert terms is not None
    people = np.array([one.weight for one in design.cohorts])
    each = (terms.per_event or 0.0) * design.effect.baseline * people[:, None] * reports
    single = math.inf if terms.cohort_trigger is None else terms.cohort_trigger
    singles = np.where(reports >= single, np.maximum(each, 0.0), 0.0).sum(axis=0)
    pooled = people @ reports / people.sum()
    stepped = np.zeros(reports.shape[1])
    for step in terms.steps:
        stepped = np.where(pooled >= step.at, step.pays, stepped)
    together = np.where(pooled >= terms.pooled_trigger, each.sum(axis=0) + stepped, 0.0)
    owed = np.maximum(singles, together) * (1.0 - tariff.rejected)
    paid: Array = np.minimum(owed, math.inf if tariff.cap is None else tariff.cap)
    return paid


def pooled_alone(design: Design) -> float | None:
    """The pooled report from which anything is paid, where single cohorts are paid for nothing; else None."""
    terms = design.tariff.effect
    if terms is None or terms.cohort_trigger is not None:
        return None
    return max(terms.pooled_trigger, terms.steps[0].at) if terms.steps else terms.pooled_trigger


@dataclass(frozen=True)
class Risk:
    """Payment risk of one size of the control group, by the normal error. Pounds at the tariff's prices."""

    controls: float
    error: float
    """of the pooled report"""
    false_payment: float
    """chance that anything is paid where the true effect is nil"""
    missed_payment: float
    """chance that nothing is paid where the true effect is as planned"""
    paid: float
    """chance that anything is paid, the true effect as uncertain as the file says"""
    expected: float
    sd: float
    """of the payment"""
    sd_of_error: float
    """of the payment about its mean given the truth: what the evaluation alone brings"""
    over: float
    """expected payment above that for the truth"""
    under: float
    """expected payment below it"""


def risk_of(design: Design) -> Risk:
    """Payment risk with the true effect nil, as planned, and as uncertain as the file says."""
    scores = _scores(len(design.cohorts) + 2)
    errors, bias = scores[2:], design.bias * scores[1]

    def reports(truth: Array | float) -> Array:
        spread = np.array(design.errors)[:, None] * errors
        return np.asarray(truth + bias + spread, dtype=float)

    truth = design.truth[np.minimum((ndtr(scores[0]) * POINTS).astype(int), POINTS - 1)]
    paid = payment(design, reports(truth))
    exact = payment(design, np.broadcast_to(truth, (len(design.cohorts), POINTS)))
    nil, planned = payment(design, reports(0.0)), payment(design, reports(design.plan))
    apart, trigger = paid - exact, pooled_alone(design)
    false, missed = float(np.mean(nil > HALF_A_PENNY)), float(np.mean(planned <= HALF_A_PENNY))
    if trigger is not None:
        false = chance_of_trigger(0.0, trigger, design.pooled_error)
        missed = chance_of_trigger(-design.plan, -trigger, design.pooled_error)
    return Risk(
        design.controls, design.pooled_error, false, missed,
        float(np.mean(paid > HALF_A_PENNY)), float(paid.mean()), float(paid.std()), _about_truth(paid, truth),
        float(np.maximum(apart, 0.0).mean()), float(np.maximum(-apart, 0.0).mean()),
    )  # fmt: skip


def _about_truth(paid: Array, truth: Array, bands: int = 64) -> float:
    """sd of the payment about its mean given the truth, the truth cut into bands of equal weight."""
    cut = np.array_split(paid[np.argsort(truth, kind="stable")], bands)
    return math.sqrt(float(np.mean([band.var() for band in cut])))


def _scores(dimensions: int) -> Array:
    """Normal scores ``(dimension, point)`` spread evenly: a scrambled Sobol set of fixed seed."""
    from scipy.stats import qmc

    points = qmc.Sobol(dimensions, scramble=True, rng=20_260_401).random(POINTS)
    scores: Array = ndtri(np.clip(points, 1e-12, 1.0 - 1e-12)).T
    return scores
