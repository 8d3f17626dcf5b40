"""A fund's plan and returns put together for publication, small numbers suppressed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from socialfinance.engine.ready import ReadyDeal, ReadyPortfolio
from socialfinance.evidence.open_data.plan import By, Span, people_of, planned, spans
from socialfinance.evidence.open_data.returns import MONEY, Key, Reported, before_each, reported
from socialfinance.evidence.open_data.suppress import DEFAULT, Rule, suppress, table
from socialfinance.evidence.open_data.tables import (
    SUPPRESSED,
    Amount,
    Count,
    OpenData,
    OutcomePayment,
    Result,
)
from socialfinance.evidence.returns import Returns


class Hidden(NamedTuple):
    """What is suppressed of one deal."""

    deal: str
    periods: int
    counts: int
    """counts of people, totals to date included"""
    small: int
    """of them, those under the threshold"""
    beside: int
    """hidden beside them, so that they cannot be worked out"""
    withheld: bool
    """true where nothing but hiding every count would do"""
    told: bool
    """whether it holds even against who is told which hidden counts are small"""
    payments: int
    """amounts paid for outcomes, totals included"""
    payments_hidden: int


class Published(NamedTuple):
    """A publication, what is suppressed in it, and plans that name a very small group."""

    data: OpenData
    hidden: tuple[Hidden, ...]
    small_targets: tuple[tuple[str, str, int], ...]
    """deal, line (or people started) and target, where the target is under the threshold"""


def publish(
    ready: ReadyPortfolio, returns: Returns | None = None, by: By = "quarter", rule: Rule = DEFAULT
) -> Published:
    """The plan of every deal and, where it has reported, what happened so far.

    Counts stand by line and period, and to date. Money is price x count, and comes later: what was achieved
    to date less what is paid to date is the last count. So a line's payments, by period and to date, are
    shown only where none of its counts is hidden and no payment is under ``threshold`` x price; and those of
    all lines together only where that holds for each. A plan counts nobody and is not suppressed.
    """
    data = planned(ready, by)
    made = {
        deal.name: _deal(ready, deal, reported(deal, returns.past[deal.name]), by, rule)
        for deal in ready.deals if returns is not None and deal.name in returns.past
    }  # fmt: skip
    projects = tuple(
        replace(
            row,
            actual_number_service_users_or_beneficiaries_total=made[row.project_id].started,
            total_outcome_payments_made=made[row.project_id].paid,
        ) if row.project_id in made else row
        for row in data.projects
    )  # fmt: skip
    data = replace(
        data,
        projects=projects,
        results=tuple(row for one in made.values() for row in one.results),
        outcome_payments=data.outcome_payments + tuple(row for one in made.values() for row in one.payments),
    )
    small = tuple(
        (deal.name, name.removeprefix("line "), round(people))
        for deal in ready.deals for name, people in people_of(deal).items()
        if rule.is_small(round(people))
    )  # fmt: skip
    return Published(data, tuple(one.hidden for one in made.values()), small)


class _Made(NamedTuple):
    results: tuple[Result, ...]
    payments: tuple[OutcomePayment, ...]
    started: Count
    paid: Amount
    hidden: Hidden


class _Counts(NamedTuple):
    """Counts of one deal with what is hidden in them."""

    by_period: Mapping[Key, tuple[Count, ...]]
    to_date: Mapping[Key, Count]
    cells: int
    small: int
    beside: int
    withheld: bool
    told: bool


def _deal(ready: ReadyPortfolio, deal: ReadyDeal, reported: Reported, by: By, rule: Rule) -> _Made:
    period = spans(deal.calendar, by)
    groups: dict[Span, list[int]] = defaultdict(list)
    for i, row in enumerate(reported.rows):
        groups[period[row]].append(i)
    first, last = deal.calendar.dates[0], deal.calendar.row_date(reported.rows[-1])
    start = first if reported.rows[0] == 1 else spans(deal.calendar, "quarter")[reported.rows[0]].start
    cut = [Span(max(span.start, start), min(span.end, last)) for span in groups]
    series = {
        key: tuple(round(sum(values[i] for i in rows), 2) for rows in groups.values())
        for key, values in reported.values.items()
    }
    counts = _counts(deal, reported, series, rule)
    whole = Span(start, last)
    money = _money(deal, counts, series, rule)
    payments = tuple(
        OutcomePayment(
            project_id=deal.name, outcome_metric_id=one.line, payer_organisation_id=one.payer, type="Actual",
            span="to date" if span is whole else "period", period_start_date=span.start,
            period_end_date=span.end, currency=ready.portfolio.currency, amount=amount,
        )
        for one in money for span, amount in zip([*cut, whole], one.amounts, strict=True)
    )  # fmt: skip
    shown = [amount for one in money for amount in one.amounts]
    hidden = Hidden(deal.name, len(cut), counts.cells, counts.small, counts.beside, counts.withheld,
                    counts.told,
                    len(shown), shown.count(SUPPRESSED))  # fmt: skip
    return _Made(
        _results(deal, counts, cut, whole), payments, counts.to_date.get(Key("starts", "")),
        money[-1].amounts[-1] if money else None, hidden,
    )  # fmt: skip


def _counts(
    deal: ReadyDeal, reported: Reported, series: Mapping[Key, tuple[float, ...]], rule: Rule
) -> _Counts:
    """Counts by line and period, and to date, with what must be hidden."""
    order = before_each(deal, reported)
    keys = list(order)
    if not keys:
        return _Counts({}, {}, 0, 0, 0, False, True)
    rows = [[int(value) for value in series[key]] for key in keys]
    counts = table(rows, [None if (at := order[key]) is None else keys.index(at) for key in keys])
    found = suppress(counts, rule)
    cells: list[Count] = [SUPPRESSED if i in found.hidden else value for i, value in enumerate(counts.values)]
    width = len(rows[0])
    small = sum(rule.is_small(value) for value in counts.values)
    return _Counts(
        {key: tuple(cells[r * width : (r + 1) * width]) for r, key in enumerate(keys)},
        {key: cells[len(keys) * width + r] for r, key in enumerate(keys)},
        len(cells), small, len(found.hidden) - small, found.withheld, found.told,
    )  # fmt: skip


class _Money(NamedTuple):
    """What was paid by period, and to date: for a line, by a payer, or (neither) all together."""

    line: str | None
    payer: str | None
    amounts: tuple[Amount, ...]


def _money(
    deal: ReadyDeal, counts: _Counts, series: Mapping[Key, tuple[float, ...]], rule: Rule
) -> tuple[_Money, ...]:
    """What was paid, all together last; of each, all amounts or none."""
    tariff = deal.deal.tariff
    prices = tariff.total_prices if tariff is not None else {}
    paid = {key: values for key, values in series.items() if key.item in MONEY}
    if not paid:
        return ()

    def tells_nothing(line: str) -> bool:
        """Whether all counts of the line are shown, and no payment is that of a few people."""
        key, least = Key("outcome", line), rule.threshold * prices.get(line, 0.0)
        by_line = paid.get(Key("outcome payment", line), ())
        few = [one < least and not (one == 0.0 and rule.nil_published) for one in by_line]
        shown = key in counts.by_period and SUPPRESSED not in (*counts.by_period[key], counts.to_date[key])
        return shown and not any(few)

    lines = {*prices, *(key.line for key in paid if key.item == "outcome payment")}
    all_shown = all(tells_nothing(line) for line in lines)
    found = []
    for key, values in paid.items():
        if key.item == "outcome payment":
            found.append(_Money(key.line, None, _shown(values, tells_nothing(key.line))))
        elif len(deal.roles[key.line]) == 1:  # a role of several parties is in the total alone
            found.append(_Money(None, deal.roles[key.line][0][0], _shown(values, all_shown)))
    every = tuple(round(sum(column), 2) for column in zip(*paid.values(), strict=True))
    return (*found, _Money(None, None, _shown(every, all_shown)))


def _shown(values: tuple[float, ...], shown: bool) -> tuple[Amount, ...]:
    """Amounts by period, then their total; or as many words."""
    amounts: tuple[Amount, ...] = (*values, round(sum(values), 2))
    return amounts if shown else (SUPPRESSED,) * len(amounts)


def _results(deal: ReadyDeal, counts: _Counts, cut: list[Span], whole: Span) -> tuple[Result, ...]:
    """Rows at project level (referred, started) and at outcome level, by period and to date."""
    rows = []
    lines = [key.line for key in counts.by_period if key.item == "outcome"]
    for number, span in enumerate([*cut, whole]):

        def at(key: Key, number: int = number) -> Count:
            if key not in counts.by_period:
                return None
            return [*counts.by_period[key], counts.to_date[key]][number]

        days: dict[str, Any] = {"span": "to date" if span is whole else "period", "result_type": "Interim",
                "period_start_date": span.start, "period_end_date": span.end}  # fmt: skip
        referred, started = at(Key("referrals", "")), at(Key("starts", ""))
        if referred is not None or started is not None:
            rows.append(Result(project_id=deal.name, result_level="Project level", number_referred=referred,
                               number_engaged_in_impact_bond=started, **days))  # fmt: skip
        rows += [
            Result(project_id=deal.name, outcome_metric_id=line, result_level="Outcome level",
                   number_with_positive_social_outcomes=at(Key("outcome", line)), **days)
            for line in lines
        ]  # fmt: skip
    return tuple(rows)
