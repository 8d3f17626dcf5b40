"""Then and now: a portfolio as it was planned, as it was last forecast, and as returns make it look today."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from socialfinance.engine.observed import CASH, Past, observed
from socialfinance.engine.ready import ReadyDeal, ReadyPortfolio, prepare
from socialfinance.engine.run import forecast
from socialfinance.engine.sampling import sizes
from socialfinance.evidence.likelihood import COST_NOISE, SAVING_NOISE, seen
from socialfinance.evidence.posterior import Posterior, Quality, Updated, learn
from socialfinance.evidence.returns import Returned, Returns
from socialfinance.measures.sample import InSets
from socialfinance.measures.statistics import Row
from socialfinance.results.result import Result
from socialfinance.scenarios.distributions import Given, resolve
from socialfinance.scenarios.points import Names

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]

SHORT = 0.75
"""A programme is flagged where it is expected to be paid less than this share of what was first forecast."""
LIKELY_CUT = 0.5
"""Or where the fund's policy cuts it in at least so many futures."""
LIKELY_END = 0.25
"""Or where its contract ends early, by a failed test or insolvency, in at least so many."""
LIKELY_FAILURE = 0.5
"""Or where its delivery has failed in at least so many."""


class Learning(NamedTuple):
    """One uncertain input, before returns and after."""

    deal: str
    """empty: common to deals"""
    name: str
    unit: str
    prior_mean: float
    prior_sd: float
    mean: float
    sd: float
    how: str
    """closed form: n of n; particles"""


class Line(NamedTuple):
    """One figure of a deal: planned, forecast three times, and what is known."""

    deal: str
    what: str
    unit: str
    planned: float | None
    original: Row | None
    last: Row | None
    now: Row | None
    planned_to_date: float | None
    to_date: float | None
    """what was returned; None where the returns say nothing of it"""


class Flag(NamedTuple):
    """A programme that somebody should look at, and why."""

    deal: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Forecast:
    """A portfolio priced on what was known on a day; before any return where ``returns`` is None."""

    returns: Returns | None
    ready: ReadyPortfolio
    result: Result
    posterior: Posterior | None
    remarks: tuple[str, ...]

    def figure(self, measure: str, statistic: str, **where: str) -> Row | None:
        """One figure, or None where there is none."""
        try:
            return self.result.figure(measure, statistic, **where)
        except KeyError:
            return None


@dataclass(frozen=True)
class Observation:
    """Three forecasts of one portfolio on the same number of futures, and what they say together."""

    original: Forecast
    last: Forecast | None
    """on the day of the returns before these; None where these are the first"""
    now: Forecast
    sets: int
    size: int
    noise: tuple[float, float]
    """of a quarter's cost, and of its savings, in logs"""

    @property
    def as_of(self) -> date:
        """The day on which all of this was known."""
        assert self.now.returns is not None
        return self.now.returns.as_of

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """Deal by deal: people, outcomes, payments, the investor's money, early ends."""
        return tuple(line for deal in self.now.ready.deals for line in _lines(self, deal))

    @cached_property
    def learnt(self) -> tuple[Learning, ...]:
        """Every input of which returns say something, that moved by a tenth of its spread or more."""
        return tuple(_learnt(self.now))

    @cached_property
    def flags(self) -> tuple[Flag, ...]:
        """Programmes to be looked at."""
        found = [Flag(deal.name, tuple(_reasons(self, deal))) for deal in self.now.ready.deals]
        return tuple(flag for flag in found if flag.reasons)

    @property
    def quality(self) -> Quality:
        """How well the particles did."""
        assert self.now.posterior is not None
        return self.now.posterior.quality

    def frame(self) -> pd.DataFrame:
        """The lines as a tidy frame: means, 5% and 95% points of each forecast."""
        import pandas as pd

        return pd.DataFrame([_flat(self, line) for line in self.lines])

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain data."""
        assert self.now.returns is not None
        returns = self.now.returns
        return {
            "as_of": str(self.as_of),
            "previous_as_of": str(self.last.returns.as_of) if self.last and self.last.returns else None,
            "returns": {
                "sha256": returns.sha256, "values": returns.values, "corrected": returns.corrected,
                "late": {name: [str(day) for day in days] for name, days in returns.late.items()},
            },
            "remarks": list(self.now.remarks),
            "quality": {
                "particles": self.sets * self.size, "sets": self.sets, "steps": self.quality.steps,
                "cost_noise": self.noise[0], "saving_noise": self.noise[1],
                "effective_at_worst": self.quality.effective, "moves_taken": dict(self.quality.taken),
            },
            "then_and_now": [_flat(self, line) for line in self.lines],
            "learnt": [one._asdict() for one in self.learnt],
            "flags": [{"deal": flag.deal, "reasons": list(flag.reasons)} for flag in self.flags],
            "forecast": self.now.result.to_dict(),
        }  # fmt: skip


def observe(
    portfolio: Any, returns: Any, as_of: date | None = None, paths: int = 6_144, seed: int = 1,
    workers: int | None = None, inputs: dict[str, dict[str, str]] | None = None,
    noise: tuple[float, float] = (COST_NOISE, SAVING_NOISE),
) -> Observation:  # fmt: skip
    """Condition a portfolio on what was returned by a day, and forecast it again.

    ``returns`` is a file as ``evidence/returns.py`` describes; ``as_of`` the day, by default the last on
    which anything was said. ``paths`` is rounded up to whole sets. ``noise`` is how far a quarter's cost, and
    its savings, lie about what they tell of (sd of logarithms). Raises InputError where the returns are not
    sound, or do not fit the portfolio.
    """
    ready = prepare(portfolio)
    returned = Returned(returns, ready)
    size, sets = sizes(paths)
    day = as_of or returned.days[-1]
    now = returned.on(day)
    before = [one for one in returned.days if one < day]
    earlier = returned.on(before[-1]) if before else None
    sample = InSets(np.ones(size * sets), np.repeat(np.arange(sets), size), sets)
    original = forecast(ready, sample, size * sets, seed, workers, inputs)
    return Observation(
        Forecast(None, ready, original, None, ()),
        _conditioned(ready, earlier, sample, seed, workers, inputs, sets, size, noise) if earlier else None,
        _conditioned(ready, now, sample, seed, workers, inputs, sets, size, noise),
        sets, size, noise,
    )  # fmt: skip


def _conditioned(
    ready: ReadyPortfolio, returns: Returns, sample: InSets, seed: int, workers: int | None,
    inputs: dict[str, dict[str, str]] | None, sets: int, size: int, noise: tuple[float, float],
) -> Forecast:  # fmt: skip
    placed = observed(ready, returns.past)
    what = {
        deal.name: seen(deal, returns.past[deal.name], *noise)
        for deal in ready.deals
        if deal.name in returns.past
    }
    posterior = learn(ready, what, seed, sets, size)
    served = replace(placed.ready, points=posterior.learnt)
    extra: dict[str, object] = {"as_of": str(returns.as_of), "returns_sha256": returns.sha256}
    result = forecast(served, sample, sets * size, seed, workers, inputs, extra)
    return Forecast(returns, served, result, posterior, placed.remarks)


# --- then and now -----------------------------------------------------------------------------------


def _lines(all_of_it: Observation, deal: ReadyDeal) -> Iterator[Line]:
    returns = all_of_it.now.returns
    assert returns is not None
    past = returns.past.get(deal.name)
    over = len(past.quarters) if past else 0
    for what, unit, measure, who, statistic in _wanted(deal):
        original, last, now = (
            None if one is None else one.figure(measure, statistic, who=who, deal=deal.name, scope="deal")
            for one in (all_of_it.original, all_of_it.last, all_of_it.now)
        )
        planned, to_date = _planned(deal, measure, over)
        told = _told(past, measure)
        yield Line(deal.name, what, unit, planned, original, last, now, to_date, told)


def _wanted(deal: ReadyDeal) -> Iterator[tuple[str, str, str, str, str]]:
    """Words, unit, measure, whose and which statistic of every line of a deal."""
    if hasattr(deal.programme.terms, "parent"):
        yield "people referred", "people", "people referred", "programme", "mean"
        yield "people started", "people", "people started", "programme", "mean"
        for line in deal.programme.lines:
            yield line, "people", f"achieved: {line}", "programme", "mean"
    yield "paid by public bodies", "pounds", "paid", "public", "mean"
    yield "paid over plan", "fraction", "paid_over_plan", "structure", "mean"
    yield "drawn from investors", "pounds", "drawn", "investor", "mean"
    yield "received by investors", "pounds", "received", "investor", "mean"
    yield "investors' IRR of expected flows", "rate", "irr", "investor", "of_mean_flows"
    yield "chance that investors lose", "chance", "loss", "investor", "probability"
    yield "chance that cash runs out", "chance", "cash_ran_out", "structure", "probability"
    yield "chance of an early end: test failed", "chance", "ended_performance", "structure", "probability"
    yield "chance of an early end: insolvency", "chance", "ended_insolvency", "structure", "probability"


def _planned(deal: ReadyDeal, measure: str, over: int) -> tuple[float | None, float | None]:
    """What the plan has of it over the life, and in the rows that are over; None where it has no say."""
    plan: Any = deal.plan
    if measure == "people referred":
        by_row = [float(done.referred) for done in plan]
    elif measure == "people started":
        by_row = [float(done.starts) for done in plan]
    elif measure.startswith("achieved: "):
        line = measure.removeprefix("achieved: ")
        nodes = [k for k, node in enumerate(deal.programme.nodes) if node.line == line]
        by_row = [sum(float(done.achieved[k]) for k in nodes) for done in plan]
    elif measure in ("drawn", "received"):
        by_row = list(deal.planned_flows[measure == "received"])
    else:
        return {"paid_over_plan": 1.0, "paid": deal.planned_payments}.get(measure), None
    return sum(by_row), sum(by_row[: over + 1])


def _told(past: Past | None, measure: str) -> float | None:
    """The sum of what was returned of it; None where nothing was."""
    if past is None:
        return None
    if measure == "people referred":
        return sum(quarter.referrals for quarter in past.quarters)
    if measure == "people started":
        return sum(quarter.starts for quarter in past.quarters)
    if measure.startswith("achieved: "):
        return sum(quarter.outcomes[measure.removeprefix("achieved: ")] for quarter in past.quarters)
    items = {"paid": ("paid", "savings paid"), "drawn": ("drawn",), "received": ("repaid", "return")}.get(
        measure
    )
    if items is None or not any(past.cash):
        return None
    assert set(items) <= set(CASH)
    return sum(pounds for row in past.cash for (item, _), pounds in row.items() if item in items)


def _flat(all_of_it: Observation, line: Line) -> dict[str, Any]:
    found: dict[str, Any] = {
        "deal": line.deal, "what": line.what, "unit": line.unit, "planned": line.planned,
        "planned_to_date": line.planned_to_date, "to_date": line.to_date,
    }  # fmt: skip
    for name, row, one in (
        ("original", line.original, all_of_it.original), ("last", line.last, all_of_it.last),
        ("now", line.now, all_of_it.now),
    ):  # fmt: skip
        found[name] = row.value if row else None
        found[f"{name}_error"] = row.standard_error if row else None
        for point in ("p5", "p95"):
            found[f"{name}_{point}"] = _point(one, row, point)
    return found


def _point(one: Forecast | None, row: Row | None, point: str) -> float | None:
    """A quantile of what a row is the mean of; None where it is no mean."""
    if one is None or row is None or row.statistic != "mean":
        return None
    found = one.figure(row.measure, point, who=row.party or row.role, deal=row.deal, scope=row.scope)
    return found.value if found else None


# --- what was learnt --------------------------------------------------------------------------------


def _learnt(now: Forecast) -> Iterator[Learning]:
    from scipy.special import ndtri

    assert now.posterior is not None
    posterior, deals = now.posterior, {deal.draws: deal for deal in now.ready.deals}
    for names, uniforms in posterior.learnt.drawn.items():
        score = ndtri(uniforms)
        if abs(float(score.mean())) < 0.1 and abs(float(score.std()) - 1.0) < 0.1:
            continue
        deal = deals.get(names[0])
        yield _learning(names, uniforms, deal, posterior.exact.get(names))


def _learning(names: Names, uniforms: Array, deal: ReadyDeal | None, exact: Updated | None) -> Learning:
    how = f"closed form: {exact.successes:,.0f} of {exact.tries:,.0f}" if exact else "particles"
    given = _input(names, deal) if deal is not None else None
    if given is not None:
        before, after = given.quantile((np.arange(4096) + 0.5) / 4096), given.quantile(uniforms)
        unit, name = "as in the file", names[1]
    elif names[-1] == "failure" and deal is not None:
        chance = deal.programme.programme.failure.probability
        before, after = np.array([chance]), (uniforms < chance) * 1.0
        unit, name = "chance", "delivery has failed"
    else:
        from scipy.special import ndtri

        before, after = ndtri((np.arange(4096) + 0.5) / 4096), ndtri(uniforms)
        unit, name = "score", " ".join(part for part in names[deal is not None :] if part)
    spread = float(before.std()) if len(before) > 1 else float(np.sqrt(before[0] * (1.0 - before[0])))
    return Learning(
        deal.name if deal else "", name, unit, float(before.mean()), spread, float(after.mean()),
        float(after.std()), how,
    )  # fmt: skip


def _input(names: Names, deal: ReadyDeal) -> Any:
    """The distribution behind a stream; None where it is a chance or a score."""
    given: Any = deal.programme.programme
    kind, _, rest = names[1].partition(".")
    if names[1] == "engagement":
        given = given.engagement
    elif names[1] == "referrals.volume":
        given = given.referrals.volume
    elif names[1] == "effect.true":
        given = given.effect.true
    elif kind in ("outcomes", "costs", "savings"):
        name, _, field = rest.rpartition(".")
        given = getattr(getattr(given, kind)[name], field)
    elif kind == "drivers":
        given = given.drivers[rest]
    else:
        return None
    found: Given = resolve(given, deal.programme.programme.drivers)
    return found if hasattr(found, "quantile") else None


def _reasons(all_of_it: Observation, deal: ReadyDeal) -> Iterator[str]:
    """Why a programme should be looked at."""
    now = all_of_it.now

    def chance(measure: str, statistic: str, who: str, scope: str = "deal") -> float:
        row = now.figure(measure, statistic, who=who, deal=deal.name, scope=scope)
        return row.value if row is not None and row.value is not None else 0.0

    paid, before = (
        one.figure("paid_over_plan", "mean", who="structure", deal=deal.name, scope="deal")
        for one in (now, all_of_it.original)
    )
    if paid and before and paid.value is not None and before.value and paid.value < SHORT * before.value:
        yield f"expected to be paid {paid.value:.0%} of its plan, first {before.value:.0%}"
    cut = chance("cut", "probability", "policy", "fund")
    if cut >= LIKELY_CUT:
        yield f"payment for success would cut it in {cut:.0%} of futures"
    ended = chance("ended_performance", "probability", "structure")
    ended += chance("ended_insolvency", "probability", "structure")
    if ended >= LIKELY_END:
        yield f"its contract ends early in {ended:.0%} of futures"
    failed = _failed(now, deal)
    if failed >= LIKELY_FAILURE:
        yield f"its delivery has failed with a chance of {failed:.1%}"


def _failed(now: Forecast, deal: ReadyDeal) -> float:
    """The chance that delivery has failed; nil where returns say nothing of it."""
    assert now.posterior is not None
    uniforms = now.posterior.learnt.drawn.get((deal.draws, "failure"))
    if uniforms is None:
        return 0.0
    return float(np.mean(uniforms < deal.programme.programme.failure.probability))
