"""The balanced scorecard: needs, strengths, outcomes and economics of programmes, providers or a fund.

The four perspectives are those of Matthew Pike, *Mass collaboration*, IPPR 2014, chapter 2. Every figure is
taken by path from the deals run alone as they are contracted; a ratio is that of means, R = mean c / mean n,
with the standard error of the delta method: that of the mean of (c - R n) / mean n. Beside it stand the
quantiles of c / n over the paths on which n is above nil.

Need figures, by outcome line: came = people who reach the point where it can be achieved, achieved, and
failure demand = came - achieved: who had what the line before stands for, which is the same, and lost it
again or got no further (not kept), or who came through without it (all others). One person may count in
several lines. Totals are of lines that stand for a need; who is lost at a step on the way is in that step's
own line.

Economics, with C the programme's spending and N a line's outcomes: cost per outcome C / N; beyond deadweight
C / sum of N (1 - deadweight); marginal cost, what one more costs where more people come: dC / dN with all
else as it is. A cost with elasticity e to the volume r = starts / planned starts, its lag before, is k (1 + e
(r - 1)) + u starts, so that dC / d(ln volume) = k e r + u starts, and N moves in proportion.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from socialfinance.core.errors import InputError
from socialfinance.engine.block import ALL_PUBLIC
from socialfinance.engine.ready import ReadyDeal, ReadyPortfolio
from socialfinance.evidence.counted import Counted, check_fits, count, is_scored
from socialfinance.evidence.outcomes_map import Codes, Tag, shipped_codes, tag_of
from socialfinance.measures.sample import EQUAL
from socialfinance.programmes.funnel import quarters_to

Array = NDArray[np.float64]
BY = ("programme", "provider", "fund")


class Figure(NamedTuple):
    """One figure of a scorecard. None where it does not exist; ``status`` says why."""

    group: str
    perspective: str
    """needs, strengths, outcomes or economics"""
    deal: str
    about: str
    """an outcome line, a code of the map, an agency; empty for the whole"""
    code: str
    measure: str
    value: float | None
    """mean, or ratio of means"""
    standard_error: float | None
    p5: float | None
    p5_error: float | None
    p95: float | None
    p95_error: float | None
    unit: str
    status: str


@dataclass(frozen=True)
class Group:
    """The deals of one scorecard."""

    name: str
    deals: tuple[Counted, ...]
    tags: Mapping[tuple[str, str], Tag] = field(default_factory=dict)
    """by deal and line"""

    def keeps(self, one: Counted, line: str) -> bool:
        """Whether a line follows one that stands for the same: whoever misses it has not kept it."""
        before = one.deal.programme.programme.lines[line].of
        tag = self.tags[one.deal.name, line]
        return bool(before and tag.kind) and self.tags[one.deal.name, str(before)] == tag

    def total(self, of: str) -> Array:
        """A figure of every deal, added up path by path."""
        total: Array = np.sum([getattr(one, of) for one in self.deals], axis=0)
        return total

    def lines(self, kind: str | None = None) -> list[tuple[Counted, str]]:
        """Outcome lines of its deals, those of one kind; None: all."""
        return [
            (one, line)
            for one in self.deals
            for line in one.achieved
            if kind is None or self.tags[one.deal.name, line].kind == kind
        ]


@dataclass(frozen=True)
class Scorecard:
    """Scorecards of the groups of a portfolio."""

    by: str
    paths: int
    seed: int
    groups: tuple[Group, ...]
    figures: tuple[Figure, ...]
    left_out: tuple[str, ...]
    """deals that finance no people's programme, or whose structure delivers nothing"""

    def of(self, group: str, perspective: str) -> list[Figure]:
        """A group's figures of one perspective."""
        return [one for one in self.figures if (one.group, one.perspective) == (group, perspective)]


def scorecard(
    ready: ReadyPortfolio,
    by: str = "programme",
    paths: int = 10_000,
    seed: int = 1,
    codes: Codes | None = None,
) -> Scorecard:
    """Scorecards by programme (a deal each), by provider, or of all deals together (``fund``).

    ``codes`` says what lines stand for, beside and before the shipped table. Deals run alone, without the
    fund's rationing or policy. InputError where there is no people's programme.
    """
    if by not in BY:
        raise InputError("is no way to group deals", field="by", given=by, allowed=", ".join(BY))
    if paths < 1:
        raise InputError("must be at least 1", field="paths", given=paths)
    mine = [deal for deal in ready.deals if is_scored(deal)]
    if not mine:
        raise InputError("has no people's programme that a scorecard could be made of", field="deals")
    check_fits(paths, sum(3 * len(deal.programme.lines) + 3 * len(ready.parties) + 4 for deal in mine))
    counted = {deal.name: count(ready, deal, paths, seed) for deal in mine}
    known = {**shipped_codes(), **(codes or {})}
    groups = tuple(
        Group(name, tuple(counted[deal.name] for deal in deals), _tags(deals, known))
        for name, deals in _grouped(ready, mine, by).items()
    )
    figures = tuple(figure for group in groups for figure in figures_of(group))
    left = tuple(deal.name for deal in ready.deals if not is_scored(deal))
    return Scorecard(by, paths, seed, groups, figures, left)


def _tags(deals: Iterable[ReadyDeal], codes: Codes) -> dict[tuple[str, str], Tag]:
    return {
        (deal.name, line): tag_of(codes, line, deal.name, getattr(deal.deal.programme, "title", ""))
        for deal in deals
        for line in deal.programme.lines
    }


def _grouped(ready: ReadyPortfolio, deals: Sequence[ReadyDeal], by: str) -> dict[str, list[ReadyDeal]]:
    groups: dict[str, list[ReadyDeal]] = {}
    for deal in deals:
        filled = " and ".join(party for party, _ in deal.roles.get("provider", ()))
        provider = deal.tags.get("provider") or filled or "no provider named"
        name = {"programme": deal.name, "provider": provider, "fund": ready.portfolio.name}[by]
        groups.setdefault(name, []).append(deal)
    return groups


# --- figures ----------------------------------------------------------------------------------------


class _Writer:
    """Figures of one group under one perspective."""

    def __init__(self, group: str, perspective: str) -> None:
        self.about, self.rows = (group, perspective), list[Figure]()

    def mean(
        self, measure: str, values: Array, unit: str, deal: str = "", about: str = "", code: str = ""
    ) -> None:
        value, error = EQUAL.mean(values)
        low, high = EQUAL.quantiles(values, (0.05, 0.95))
        self.rows.append(
            Figure(*self.about, deal, about, code, measure, value, error, *low, *high, unit, "ok")
        )

    def ratio(
        self,
        measure: str,
        top: Array,
        below: Array,
        unit: str,
        deal: str = "",
        about: str = "",
        code: str = "",
    ) -> None:
        found = ratio_of_means(top, below)
        self.rows.append(Figure(*self.about, deal, about, code, measure, *found[:6], unit, found.status))


class Ratio(NamedTuple):
    """A ratio of means, and the spread of the ratio by path."""

    value: float | None
    standard_error: float | None
    p5: float | None
    p5_error: float | None
    p95: float | None
    p95_error: float | None
    status: str


def ratio_of_means(top: Array, below: Array) -> Ratio:
    """R = mean top / mean below, error by the delta method; quantiles of top / below where there is any."""
    mean = float(below.mean())
    if mean == 0.0:
        return Ratio(None, None, None, None, None, None, "there are none on any path")
    value = float(top.mean()) / mean
    there = below != 0.0
    low, high = EQUAL.quantiles(top[there] / below[there], (0.05, 0.95))
    share = float(there.mean())
    status = "ok" if share == 1.0 else f"quantiles over the {share:.2%} of paths that have any"
    return Ratio(value, EQUAL.error((top - value * below) / mean), *low, *high, status)


def figures_of(group: Group) -> list[Figure]:
    """All figures of a group: needs, strengths, outcomes, economics."""
    return [*_needs(group), *_strengths(group), *_outcomes(group), *_economics(group)]


def _needs(group: Group) -> list[Figure]:
    write = _Writer(group.name, "needs")
    referred, started = group.total("referred"), group.total("started")
    write.mean("people referred", referred, "people")
    write.mean("people started", started, "people")
    write.ratio("started of referred", started, referred, "fraction")
    for one, line in group.lines():
        _line(write, group, one, line)
    needs = group.lines("need")
    if needs:
        came, met = (_added(table, needs) for table in ("came", "achieved"))
        waited = np.sum([one.achieved[line] * _wait(one, line) for one, line in needs], axis=0)
        kept = [(one, line) for one, line in needs if group.keeps(one, line)]
        others = [(one, line) for one, line in needs if not group.keeps(one, line)]
        write.ratio("needs met", met, came, "fraction")
        write.ratio("quarters to a need met", waited, met, "quarters")
        for measure, some in (("without it", others), ("not kept", kept)):
            if some:
                here, there = _added("came", some), _added("achieved", some)
                write.mean(measure, here - there, "people")
        write.ratio("failure demand", came - met, came, "fraction")
    return write.rows


def _line(write: _Writer, group: Group, one: Counted, line: str) -> None:
    """How many come to a line, have it or go without it."""
    tag = group.tags[one.deal.name, line]
    about = {"deal": one.deal.name, "about": line, "code": tag.code}
    came, achieved = one.came[line], one.achieved[line]
    write.mean("came", came, "people", **about)
    write.ratio("achieved of came", achieved, came, "fraction", **about)
    write.ratio("for each who started", achieved, one.started, "fraction", **about)
    write.mean("not kept" if group.keeps(one, line) else "without it", came - achieved, "people", **about)
    wait = float(_wait(one, line))
    row = Figure(
        *write.about, one.deal.name, line, tag.code, "quarters from referral", wait, None, wait,
        None, wait, None,
        "quarters", "from the terms",
    )  # fmt: skip
    write.rows.append(row)


def _strengths(group: Group) -> list[Figure]:
    write = _Writer(group.name, "strengths")
    for one, line in group.lines("strength"):
        about = {"deal": one.deal.name, "about": line, "code": group.tags[one.deal.name, line].code}
        write.mean("achieved", one.achieved[line], "people", **about)
        write.ratio("for each who started", one.achieved[line], one.started, "fraction", **about)
    return write.rows


def _outcomes(group: Group) -> list[Figure]:
    write = _Writer(group.name, "outcomes")
    for one, line in group.lines():
        about = {"deal": one.deal.name, "about": line, "code": group.tags[one.deal.name, line].code}
        write.mean("achieved", one.achieved[line], "people", **about)
        write.mean("beyond deadweight", one.beyond[line], "people", **about)
    for code in sorted({tag.code for tag in group.tags.values() if tag.code}):
        lines = [(one, line) for one, line in group.lines() if group.tags[one.deal.name, line].code == code]
        for measure, table in (("achieved", "achieved"), ("beyond deadweight", "beyond")):
            write.mean(measure, _added(table, lines), "outcomes", code=code)
    return write.rows


def _economics(group: Group) -> list[Figure]:
    write = _Writer(group.name, "economics")
    spent, follows, started = (group.total(name) for name in ("spent", "follows", "started"))
    paid = np.sum([one.paid[ALL_PUBLIC] for one in group.deals], axis=0)
    write.mean("spent on the programme", spent, "pounds")
    write.mean("paid by public bodies", paid, "pounds")
    write.ratio("spent for each who started", spent, started, "pounds")
    write.ratio("spending that follows volume", follows, spent, "fraction")
    write.ratio("marginal cost of one more who starts", follows, started, "pounds")
    for one, line in group.lines():
        about = {"deal": one.deal.name, "about": line, "code": group.tags[one.deal.name, line].code}
        write.ratio("cost per outcome", one.spent, one.achieved[line], "pounds", **about)
        write.ratio("cost per outcome beyond deadweight", one.spent, one.beyond[line], "pounds", **about)
        write.ratio("paid per outcome", one.paid[ALL_PUBLIC], one.achieved[line], "pounds", **about)
        write.ratio("marginal cost", one.follows, one.achieved[line], "pounds", **about)
    for agency in sorted({name for one in group.deals for name in one.cashable}):
        nil = np.zeros(len(spent))
        tables = {
            name: np.sum([getattr(one, name).get(agency, nil) for one in group.deals], axis=0)
            for name in ("paid", "cashable", "capacity")
        }
        write.mean("paid", tables["paid"], "pounds", about=agency)
        write.mean("cashable saving", tables["cashable"], "pounds", about=agency)
        write.mean("capacity freed, not cash", tables["capacity"], "pounds", about=agency)
        write.mean("change in cost", tables["paid"] - tables["cashable"], "pounds", about=agency)
    return write.rows


def _wait(one: Counted, line: str) -> int:
    """Quarters from referral to the outcome: people start in the quarter in which they are referred."""
    return quarters_to(one.deal.programme.programme.lines, line)


def _added(table: str, lines: Sequence[tuple[Counted, str]]) -> Array:
    total: Array = np.sum([getattr(one, table)[line] for one, line in lines], axis=0)
    return total
