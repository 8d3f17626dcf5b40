"""A programme made ready: its terms as floats, and its draws row by row."""

from __future__ import annotations

import math
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from socialfinance.kernels.elementwise import least, part, ratio
from socialfinance.kernels.luck import LUCK
from socialfinance.programmes.base import Count, Levels, Ready
from socialfinance.programmes.delivery import UNKNOWN, Activity, Known, Now, Pipelines, State, Terms, deliver
from socialfinance.programmes.funnel import class_nodes, in_order, plain_nodes, quarters_to
from socialfinance.programmes.people import CostLine, Effect, Programme
from socialfinance.scenarios.common import Shock
from socialfinance.scenarios.dependence import failure
from socialfinance.scenarios.distributions import plan_of
from socialfinance.scenarios.sources import Certain, Drawn, Source, at

READ = ("referred", "starts", "achieved")
"""What ``people_counted`` reads."""


def lower(programme: Programme, by_class: bool) -> Ready:
    """The programme as floats. ``by_class``: count people by what they achieved (a cap per person binds)."""
    lines = in_order(programme.lines)
    nodes = class_nodes(programme.lines) if by_class else plain_nodes(programme.lines)
    outcomes, costs = programme.outcomes, tuple(programme.costs.values())
    savings = tuple(programme.savings.values())
    cohorts = len(programme.effect.cohorts) if programme.effect else 0
    no_nodes, no_costs, no_savings, no_cohorts = (
        tuple(0.0 for _ in range(max(n, 1))) for n in (len(nodes), len(costs), len(savings), cohorts)
    )
    keep = tuple((1.0 - s.drop_off) ** 0.25 for s in savings)
    terms = Terms(
        parent=tuple(float(n.parent) for n in nodes) or (-1.0,),
        on_success=tuple(float(n.on_success) for n in nodes) or (1.0,),
        at_once=tuple(float(n.lag == 0) for n in nodes) or (1.0,),
        verified_at_once=tuple(float(outcomes[n.line].verification_lag == 0) for n in nodes) or (1.0,),
        line=tuple(float(lines.index(n.line)) for n in nodes) or (-2.0,),
        first=tuple(float(outcomes[n.line].of is None) for n in nodes) or (1.0,),
        elasticity=tuple(c.elasticity for c in costs) or (0.0,),
        responds_at_once=tuple(float(c.response_lag == 0) for c in costs) or (1.0,),
        per_user=tuple(c.per_user for c in costs) or (0.0,),
        saving_line=tuple(-1.0 if s.on == "effect" else float(lines.index(s.on)) for s in savings) or (-3.0,),
        saves_at_once=tuple(float(s.lag == 0) for s in savings) or (1.0,),
        keep=keep or (0.0,),
        faded=tuple(k**s.duration for k, s in zip(keep, savings, strict=True)) or (0.0,),
        cashable=tuple(s.cashable for s in savings) or (0.0,),
        baseline=programme.effect.baseline if programme.effect else 0.0,
        no_nodes=no_nodes,
        no_costs=no_costs,
        no_savings=no_savings,
        no_cohorts=no_cohorts,
    )
    lags = Pipelines(
        eligible=tuple(n.lag for n in nodes) or (0,),
        verified=tuple(outcomes[n.line].verification_lag for n in nodes) or (0,),
        volume=tuple(c.response_lag for c in costs) or (0,),
        saving=tuple(s.lag for s in savings) or (0,),
        expiring=tuple(s.duration for s in savings) or (0,),
    )
    opening = State(no_savings, no_cohorts)
    return Ready(
        programme,
        terms,
        opening,
        lags,
        deliver,
        Futures,
        people_counted,
        people_told,
        nodes,
        lines,
        read=READ,
    )


def people_counted(ready: Ready, done: Activity, futures: Futures, row: int) -> dict[str, Count]:
    """People referred and started; outcomes truly achieved by line, and those beyond deadweight.

    beyond = achieved x (1 - deadweight): what would not have happened anyway.
    """
    found = {"people referred": done.referred, "people started": done.starts}
    achieved: dict[str, Any] = dict.fromkeys(ready.lines, 0.0)
    for node, people in zip(ready.nodes, done.achieved, strict=False):
        achieved[node.line] = achieved[node.line] + people
    for line, people in achieved.items():
        found[f"achieved: {line}"] = people
        found[f"beyond: {line}"] = part(people, 1.0 - at(futures.deadweight[line], row))
    return {name: Count(people, "people") for name, people in found.items()}


def people_told(ready: Ready, done: Activity, futures: Futures, row: int) -> dict[str, Any]:
    """People referred, started and achieving, outcomes verified, and what bad times leave of success."""
    counts = people_counted(ready, done, futures, row).items()
    found = {name: count.value for name, count in counts if not name.startswith("beyond")}
    verified: dict[str, Any] = dict.fromkeys(ready.lines, 0.0)
    for node, people in zip(ready.nodes, done.verified, strict=False):
        verified[node.line] = verified[node.line] + people
    found.update({f"verified: {line}": people for line, people in verified.items()})
    return {**found, "success": at(futures.performance, row)}


class Futures:
    """The draws of one programme: on a block of paths, or one deterministic case.

    ``source`` gives each driver its value, ``shock`` what common shocks leave, on the deal's own rows.
    """

    def __init__(self, ready: Ready, source: Source, rows: int, shock: Shock, levels: Levels) -> None:
        programme = ready.programme
        self.ready, self.source, self.rows = ready, source, rows
        self.engagement = source.value("engagement", programme.engagement, "low")
        self.probability = {
            name: source.value(f"outcomes.{name}.probability", line.probability, "low")
            for name, line in programme.outcomes.items()
        }
        self.deadweight = {
            name: source.value(f"outcomes.{name}.deadweight", line.deadweight, "high")
            for name, line in programme.outcomes.items()
        }
        self.overrun = [
            source.value(f"costs.{name}.overrun", line.overrun, "high")
            for name, line in programme.costs.items()
        ]
        self.cost_levels = [levels(line.index, line.price_base) for line in programme.costs.values()]
        self.unit_value = [
            source.value(f"savings.{name}.unit_value", saving.unit_value, "low")
            for name, saving in programme.savings.items()
        ]
        self.saving_levels = [levels(s.index, s.price_base) for s in programme.savings.values()]
        self.fixed = [cost_schedule(line, programme, rows) for line in programme.costs.values()]
        self._failure_and_shock(shock)
        self.planned = planned_referrals(programme, rows)
        self.lucks = self._lucks()
        self.planned_starts = tuple(
            n * plan_of(programme.referrals.volume, programme.drivers)
            * plan_of(programme.engagement, programme.drivers)
            for n in self.planned
        )  # fmt: skip
        self.referrals = self._referrals()
        if programme.effect is not None:
            self._effect(programme.effect)

    def _lucks(self) -> list[Any]:
        """By node, people who engage first: by row, their luck."""
        lines, source = self.ready.programme.lines, self.source
        found = [source.luck("engagement", "", self.planned)]
        for node in self.ready.nodes:
            wait = min(quarters_to(lines, node.line), self.rows)
            planned = (*(0.0,) * wait, *self.planned[: self.rows - wait])
            found.append(source.luck(f"outcomes.{node.line}", node.label(lines), planned))
        return found if self.ready.nodes else [*found, source.luck("none", "none", (0.0,) * self.rows)]

    def _failure_and_shock(self, shock: Shock) -> None:
        terms, source = self.ready.programme.failure, self.source
        self.performance, self.volume_left = shock.outcomes, shock.referrals
        self.shock_runs = shock.runs
        if terms is not None and isinstance(source, Drawn):
            chance, size = source.once("failure"), source.once("failure size")
            left = failure(terms, chance, size, self.rows)
            self.performance = self.performance * left.outcomes
            self.volume_left = self.volume_left * left.referrals

    def left(self, row: int) -> tuple[Any, ...]:
        """By node, what bad times leave of its probability in this row: m(t), or min(1, m(t) / m(t - lag)).

        A line that follows another is hit only by what has become worse since: those who came through a bad
        time are fewer already, and would otherwise be cut once more at every further line.
        """
        outcomes = self.ready.programme.outcomes
        here, left = at(self.performance, row), {}
        for lag in {line.lag for line in outcomes.values() if line.of is not None}:
            before = at(self.performance, row - lag) if row >= lag else 1.0
            left[lag] = least(1.0, ratio(here, before, 1.0)) if lag else 1.0
        return tuple(
            here if outcomes[n.line].of is None else left[outcomes[n.line].lag] for n in self.ready.nodes
        )

    def expected_referrals(self) -> Any:
        """By row: planned x volume x what bad times leave of it."""
        volume = self.source.value("referrals.volume", self.ready.programme.referrals.volume, "low")
        if isinstance(self.source, Certain):
            return tuple(n * at(volume, row) for row, n in enumerate(self.planned))
        return np.array(self.planned)[:, None] * np.maximum(volume, 0.0) * self.volume_left

    def _referrals(self) -> Any:
        """By row: people who come, about the number expected."""
        terms = self.ready.programme.referrals
        dispersion = terms.dispersion if terms.arrival == "random" else None
        return self.source.arrivals("referrals", self.expected_referrals(), dispersion, self.planned)

    def _effect(self, effect: Effect) -> None:
        source = self.source
        self.true_effect = source.value("effect.true", effect.true, "low")
        self.windows, self.reports, self.reported = [], [], []
        for name, cohort in effect.cohorts.items():
            error = evaluation_error(effect, cohort.people, cohort.controls)
            at_truth = self.true_effect + error * source.normal(f"effect.cohorts.{name}.error")
            if isinstance(source, Certain):
                at_truth = source.value(f"effect.cohorts.{name}.reported", at_truth, "low")
            self.reported.append(self.ready.reported.get(name, at_truth))
            self.windows.append((cohort.first_quarter, cohort.last_quarter))
            self.reports.append(cohort.measured_quarter)

    def on(self, chosen: NDArray[np.bool_]) -> Futures:
        """The same draws on some of the paths only."""
        fewer = copy(self)
        for name, value in vars(self).items():
            setattr(fewer, name, cut(value, chosen))
        fewer.source = self.source.on(chosen)
        return fewer

    def now(self, row: int, due: Pipelines) -> Now:
        """The draws of one row."""
        ready, none = self.ready, self.ready.terms
        nodes, effect = ready.nodes, ready.programme.effect
        return Now(
            referrals=self.referrals[row],
            planned=self.planned_starts[row],
            engagement=at(self.engagement, row),
            left=self.left(row) or (1.0,),
            probability=tuple(at(self.probability[n.line], row) for n in nodes) or (0.0,),
            deadweight=tuple(at(self.deadweight[n.line], row) for n in nodes) or (0.0,),
            fixed=tuple(schedule[row] for schedule in self.fixed) or (0.0,),
            overrun=tuple(at(x, row) for x in self.overrun) or (1.0,),
            level=tuple(level[row] for level in self.cost_levels) or (1.0,),
            unit_value=tuple(
                at(x, row) * level[row] for x, level in zip(self.unit_value, self.saving_levels, strict=True)
            )
            or (0.0,),
            true_effect=at(self.true_effect, row) if effect else 0.0,
            measured=tuple(float(report == row) for report in self.reports) if effect else none.no_cohorts,
            reported_effect=tuple(at(x, row) for x in self.reported) if effect else none.no_cohorts,
            window=tuple(float(first <= row <= last) for first, last in self.windows)
            if effect
            else none.no_cohorts,
            luck=tuple(by_row[row] for by_row in self.lucks),
            due=due,
            known=ready.known[row] if row < len(ready.known) else nothing_known(none),
        )


def nothing_known(terms: Terms) -> Known:
    """A quarter of which no return speaks."""

    def silent(shape: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(UNKNOWN for _ in shape)

    nodes = silent(terms.parent)
    return Known(UNKNOWN, UNKNOWN, nodes, nodes, nodes, silent(terms.no_costs), silent(terms.no_savings))


def cut(x: Any, chosen: NDArray[np.bool_]) -> Any:
    """Arrays over paths cut down to the chosen ones, inside lists and mappings too."""
    if isinstance(x, np.ndarray):
        return x[..., chosen]
    if isinstance(x, LUCK):
        return x.on(chosen)
    if type(x) is list:
        return [cut(one, chosen) for one in x]
    if type(x) is dict:
        return {key: cut(value, chosen) for key, value in x.items()}
    return x


def evaluation_error(effect: Effect, people: float, controls: float) -> float:
    """Standard deviation of a reported relative fall: sqrt((1/n + 1/m) x dispersion / baseline).

    Delta method for the ratio of two event rates near one, each with variance = dispersion x mean.
    """
    return math.sqrt((1.0 / people + 1.0 / controls) * effect.dispersion / effect.baseline)


def planned_referrals(programme: Programme, rows: int) -> tuple[float, ...]:
    """Planned referrals by row: nil at close, then the schedule."""
    planned = (0.0, *programme.referrals.planned)
    return tuple(planned[row] if row < len(planned) else 0.0 for row in range(rows))


def cost_schedule(line: CostLine, programme: Programme, rows: int) -> tuple[float, ...]:
    """Fixed cost by row at the price base, pounds: one-off, then per quarter or by schedule."""
    last = programme.last_delivery_quarter if line.last_quarter is None else line.last_quarter
    amounts = [0.0] * rows
    for row in range(line.first_quarter, rows):
        if line.schedule is not None:
            position = row - line.first_quarter
            amounts[row] = line.schedule[position] if position < len(line.schedule) else 0.0
        elif row <= last:
            amounts[row] = line.per_quarter
        if row == line.first_quarter:
            amounts[row] += line.one_off
    return tuple(amounts)
