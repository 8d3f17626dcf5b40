"""A fund's plan as open data: what each deal undertakes, hopes for and would be paid in its plan case."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Literal, NamedTuple

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.core.ledger import RESULTS
from socialfinance.core.parties import PUBLIC
from socialfinance.core.time import Calendar, financial_year
from socialfinance.engine.cases import run_case
from socialfinance.engine.ready import PLAN, ReadyDeal, ReadyPortfolio
from socialfinance.evidence.open_data.tables import (
    OpenData,
    Organisation,
    OutcomeMetric,
    OutcomePayment,
    OutcomePricing,
    PaymentCommitment,
    PlanVersion,
    Project,
)

By = Literal["quarter", "year"]
VERSION = "plan"
"""Name of the only plan version that is written: the file's own."""
ROLES = {"provider": "Nonprofit/NGO", "community": "Other"}
"""Kinds of party that are no public body, in the standard's words; a provider may be another in truth."""


class Span(NamedTuple):
    """Days of a period, both included."""

    start: date
    end: date


def spans(calendar: Calendar, by: By) -> tuple[Span, ...]:
    """By row of a deal, the period that it belongs to: its quarter, or its part of a financial year.

    Row 0, financial close, belongs to the first period.
    """
    days = calendar.dates
    quarters = [
        Span(calendar.start if row <= 1 else days[row - 1] + timedelta(1), days[max(row, 1)])
        for row in range(len(days))
    ]
    if by == "quarter":
        return tuple(quarters)
    years: dict[str, list[Span]] = defaultdict(list)
    for one in quarters:
        years[financial_year(one.end)].append(one)
    whole = {year: Span(parts[0].start, parts[-1].end) for year, parts in years.items()}
    return tuple(whole[financial_year(one.end)] for one in quarters)


def planned(ready: ReadyPortfolio, by: By = "quarter") -> OpenData:
    """Projects, metrics, prices, commitments and planned payments of all deals.

    Counts are the expected numbers of the plan case, rounded to whole people: a forecast, in which nobody is
    counted. Payments are those for outcomes and out of savings, in the file's currency, to the penny.
    """
    parts = [_deal(ready, deal, by) for deal in ready.deals]
    payers = {row.organisation_id for part in parts for row in part.outcome_payment_commitments}
    payers |= {row.payer_organisation_id or "" for part in parts for row in part.outcome_payments}
    return OpenData(
        projects=tuple(row for part in parts for row in part.projects),
        organisations=tuple(_organisation(ready, name) for name in sorted(payers)),
        outcome_metrics=tuple(row for part in parts for row in part.outcome_metrics),
        outcome_pricings=tuple(row for part in parts for row in part.outcome_pricings),
        outcome_payment_commitments=tuple(row for part in parts for row in part.outcome_payment_commitments),
        plan_versions=tuple(row for part in parts for row in part.plan_versions),
        outcome_payments=tuple(row for part in parts for row in part.outcome_payments),
    )


def _deal(ready: ReadyPortfolio, deal: ReadyDeal, by: By) -> OpenData:
    currency = ready.portfolio.currency
    payments = _payments(ready, deal, by)
    people = people_of(deal)
    plan: tuple[Any, ...] = deal.plan
    busy = [row for row, done in enumerate(plan) if people and max(done.starts, *done.achieved, 0.0) > 0.0]
    last_service = deal.calendar.row_date(busy[-1]) if busy else None
    last = max([last_service or deal.calendar.start, *(row.period_end_date for row in payments)])
    most = sum(deal.own.lowered.contract_value.values()) if _capped(deal) else math.inf
    cap = deal.deal.tariff.cap if deal.deal.tariff is not None else None
    project = Project(
        project_id=deal.name,
        name=deal.deal.title or deal.programme.programme.title,
        start_date_of_service_provision=deal.calendar.start,
        anticipated_end_date_of_service_provision=last_service,
        anticipated_completion_date=max((row.period_end_date for row in payments), default=None),
        targeted_number_service_users_or_beneficiaries_total=round(people["started"]) if people else None,
        currency=currency,
        maximum_potential_outcome_payment=_pence(min(most, cap) if cap is not None else most),
    )
    return OpenData(
        projects=(project,),
        outcome_metrics=_metrics(deal, people),
        outcome_pricings=_prices(deal, currency),
        outcome_payment_commitments=_commitments(deal, currency),
        plan_versions=(
            PlanVersion(
                project_id=deal.name, plan_version=VERSION, covers_from=deal.calendar.start, covers_to=last
            ),
        ),
        outcome_payments=payments,
    )


def _capped(deal: ReadyDeal) -> bool:
    """Whether payers can be asked for no more than what is paid for outcomes: not where savings pay."""
    return deal.deal.tariff is not None and deal.deal.tariff.savings is None


def people_of(deal: ReadyDeal) -> dict[str, float]:
    """People planned to start (``started``) and to achieve each line; empty where no people are financed."""
    if not deal.programme.lines:
        return {}
    plan: tuple[Any, ...] = deal.plan
    found = {"started": sum(float(done.starts) for done in plan)}
    for line in deal.programme.lines:
        nodes = [i for i, node in enumerate(deal.programme.nodes) if node.line == line]
        found[f"line {line}"] = sum(float(done.achieved[i]) for done in plan for i in nodes)
    return found


def follows(deal: ReadyDeal) -> dict[str, str | None]:
    """By line, the line that it follows; None: those who started."""
    outcomes = getattr(deal.deal.programme, "outcomes", {})
    return {line: outcomes[line].of for line in deal.programme.lines}


def _metrics(deal: ReadyDeal, people: Mapping[str, float]) -> tuple[OutcomeMetric, ...]:
    rows = []
    for line, before in (follows(deal) if people else {}).items():
        achieved = people[f"line {line}"]
        at = people["started"] if before is None else people[f"line {before}"]
        rows.append(
            OutcomeMetric(
                project_id=deal.name, id=line, definition=line, follows=before,
                targeted_number_of_service_users_or_beneficiaries_total=round(achieved),
                outcome_metric_target=min(round(achieved / at, 4), 1.0) if at > 0.0 else None,
            )
        )  # fmt: skip
    return tuple(rows)


def _prices(deal: ReadyDeal, currency: str) -> tuple[OutcomePricing, ...]:
    tariff = deal.deal.tariff
    if tariff is None:
        return ()
    base = tariff.price_base or deal.calendar.start
    indexed = f"follows {tariff.index} from {base.isoformat()}" if tariff.index is not None else None
    return tuple(
        OutcomePricing(project_id=deal.name, outcome_metric_id=line, currency=currency,
                       price_per_unit=round(price, 2), contracted_increases_to_outcome_pricing=indexed)
        for line, price in tariff.total_prices.items() if line in deal.programme.lines
    )  # fmt: skip


def _commitments(deal: ReadyDeal, currency: str) -> tuple[PaymentCommitment, ...]:
    """What each payer can be asked for outcomes at most, and its share of prices where all have one."""
    tariff = deal.deal.tariff
    most: dict[str, float] = defaultdict(float)
    share: dict[str, float] = defaultdict(float)
    for role, payer in (tariff.payers if tariff is not None else {}).items():
        for party, part in deal.roles[role]:
            value = deal.own.lowered.contract_value.get(role, math.inf) if _capped(deal) else math.inf
            most[party] += part * value
            share[party] += part * (payer.share if payer.share is not None else math.nan)
    return tuple(
        PaymentCommitment(
            project_id=deal.name, organisation_id=party, currency=currency,
            maximum_potential_outcome_payment=_pence(most[party]),
            share=None if math.isnan(share[party]) else min(round(share[party], 9), 1.0),
        )
        for party in most
    )  # fmt: skip


def _payments(ready: ReadyPortfolio, deal: ReadyDeal, by: By) -> tuple[OutcomePayment, ...]:
    """Planned payments by results, by period and payer."""
    period = spans(deal.calendar, by)
    found: dict[tuple[Span, str], float] = defaultdict(float)
    for entry in run_case(ready, deal, PLAN, "", journal=True).ledger.journal or []:
        if entry.reason in RESULTS:
            found[period[entry.row], entry.payer] += entry.amount
    return tuple(
        OutcomePayment(
            project_id=deal.name, type="Planned", plan_version=VERSION, span="period",
            period_start_date=span.start, period_end_date=span.end, payer_organisation_id=payer,
            currency=ready.portfolio.currency, amount=round(amount, 2),
        )
        for (span, payer), amount in sorted(found.items()) if amount > HALF_A_PENNY
    )  # fmt: skip


def _organisation(ready: ReadyPortfolio, name: str) -> Organisation:
    party = ready.parties[name]
    kind = "Government/Public Sector/Public Bank" if party.kind in PUBLIC else ROLES.get(party.kind, "Other")
    return Organisation(organisation_id=name, name=party.title or name, organisation_role_category=kind)


def _pence(amount: float) -> float | None:
    """To the penny; None where nothing limits it."""
    return round(amount, 2) if math.isfinite(amount) else None
