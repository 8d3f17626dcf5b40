"""Checks of what rows and tables say of each other, where all of them could be read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from socialfinance.evidence.open_data.known import Checks
from socialfinance.evidence.open_data.read import Finding
from socialfinance.evidence.open_data.tables import SUPPRESSED, Row

PER_PERSON = 0.1
"""A maximum below this share of price x target is no total of a project."""
FAR_FROM = (0.5, 1.5)
"""Payments outside these multiples of price x achieved do not fit the prices."""
ROUND = 1_000.0
"""Equal amounts that are multiples of it are taken for chance."""
GAP = timedelta(days=183)
"""A plan that ends, or begins, further from the contract's own dates covers a part of it."""
ALIKE = 3
"""Metrics that two projects must share before their prices are held against each other."""


# --- what a project says of itself ------------------------------------------------------------


def totals(checks: Checks) -> Iterator[Finding]:
    """A maximum that is one person's, or that what was paid exceeds; payments far from price x count."""
    for number, row in checks.numbered("projects"):
        most = _number(row.maximum_potential_outcome_payment)
        paid = _number(row.total_outcome_payments_made)
        prices = [v for (project, _), v in checks.prices.items() if project == row.project_id]
        planned = checks.worth(row.project_id, checks.targets(row.project_id))
        if most is not None and planned and most <= PER_PERSON * planned:
            yield checks.say(
                "projects", number, "maximum_potential_outcome_payment",
                "looks like a cap per person, not the project's total", f"{most:,.0f}",
                f"near price x target, {planned:,.0f}; all prices once are {sum(prices):,.0f}",
            )  # fmt: skip
        elif most is not None and paid is not None and paid > 1.001 * most:
            yield checks.say("projects", number, "total_outcome_payments_made", "is more than the maximum",
                           f"{paid:,.2f}", f"at most {most:,.2f}", warning=True)  # fmt: skip
        worth = checks.worth(row.project_id, checks.achieved(row.project_id))
        if paid is not None and worth and not FAR_FROM[0] <= paid / worth <= FAR_FROM[1]:
            yield checks.say("projects", number, "total_outcome_payments_made",
                           "is far from price x achieved", f"{paid:,.0f}", f"near {worth:,.0f}",
                           warning=True)  # fmt: skip


def labels(checks: Checks) -> Iterator[Finding]:
    """Metrics of one project that are labelled alike."""
    seen: dict[tuple[str, str], str] = {}
    for number, row in checks.numbered("outcome_metrics"):
        key = (row.project_id, " ".join(row.definition.casefold().split()))
        if key in seen:
            yield checks.say("outcome_metrics", number, "definition", f"is that of {seen[key]} as well",
                           row.definition, "a definition of its own for each metric")  # fmt: skip
        seen.setdefault(key, row.id)


def funnels(checks: Checks) -> Iterator[Finding]:
    """Metrics that follow each other in a circle; more people at one than at the one before."""
    before = {(row.project_id, row.id): row.follows for row in checks.data.outcome_metrics}
    for number, row in checks.numbered("outcome_metrics"):
        at, steps = row.follows, 0
        while at is not None and at != row.id and steps <= len(before):
            at, steps = before[row.project_id, at], steps + 1
        if at == row.id:
            yield checks.say(
                "outcome_metrics", number, "follows", "leads back to the metric itself", row.follows
            )
            return
        mine = checks.achieved(row.project_id)
        if row.follows in mine and mine.get(row.id, 0) > mine[row.follows]:
            yield checks.say("outcome_metrics", number, "follows", "was achieved by fewer people than this",
                           mine[row.id], f"at most the {mine[row.follows]:,} of {row.follows}")  # fmt: skip


def currencies(checks: Checks) -> Iterator[Finding]:
    """Money of one project in several currencies; amounts without one."""
    for table in ("outcome_pricings", "outcome_payment_commitments", "outcome_payments"):
        for number, row in checks.numbered(table):
            own = checks.projects[row.project_id].currency
            if row.currency is None and getattr(row, "maximum_potential_outcome_payment", None) is not None:
                yield checks.say(
                    table, number, "currency", "is missing beside an amount", None, own or "a code"
                )
            elif own is not None and row.currency not in (None, own):
                yield checks.say(table, number, "currency", "is not the project's", row.currency, own)
    for number, row in checks.numbered("projects"):
        amounts = (row.maximum_potential_outcome_payment, row.total_outcome_payments_made)
        if row.currency is None and any(amount is not None for amount in amounts):
            yield checks.say("projects", number, "currency", "is missing beside an amount", None, "a code")


def commitments(checks: Checks) -> Iterator[Finding]:
    """Payers who undertake less than the project's maximum, or whose shares do not come to one."""
    for number, row in checks.numbered("projects"):
        mine = [c for c in checks.data.outcome_payment_commitments if c.project_id == row.project_id]
        amounts = [_number(c.maximum_potential_outcome_payment) for c in mine]
        most = _number(row.maximum_potential_outcome_payment)
        total = sum(amount for amount in amounts if amount is not None)
        if most and amounts and None not in amounts and total < 0.99 * most:
            yield checks.say(
                "projects",
                number,
                "maximum_potential_outcome_payment",
                "is more than all payers undertake",
                f"{most:,.2f}",
                f"{total:,.2f}",
                warning=True,
            )
        shares = [c.share for c in mine if c.share is not None]
        if shares and len(shares) == len(mine) and abs(sum(shares) - 1.0) > 1e-6:
            yield checks.say("projects", number, None, "has payers whose shares do not come to 1",
                           f"{sum(shares):g}", "1")  # fmt: skip


# --- results and payments ---------------------------------------------------------------------


def results(checks: Checks) -> Iterator[Finding]:
    """Levels that do not fit, counts without a target, periods before the service."""
    targets = {row.project_id: checks.targets(row.project_id) for row in checks.data.projects}
    told: set[tuple[str, str]] = set()
    for number, row in checks.numbered("results"):
        metric, count = row.outcome_metric_id, row.number_with_positive_social_outcomes
        if (metric is None) != (row.result_level == "Project level"):
            yield checks.say("results", number, "outcome_metric_id", "does not fit the level",
                           metric or "none", "one at outcome level, none at project level")  # fmt: skip
        start = checks.projects[row.project_id].start_date_of_service_provision
        if start is not None and row.period_start_date < start:
            yield checks.say("results", number, "period_start_date", "is before the service starts",
                           row.period_start_date, f"{start} or later", warning=True)  # fmt: skip
        if metric is None or count is None or (row.project_id, metric) in told:
            continue
        if metric not in targets[row.project_id] and not checks.target_hidden(row.project_id, metric):
            told.add((row.project_id, metric))
            yield checks.say("results", number, "number_with_positive_social_outcomes",
                           "is achieved without a target", count, "a target in outcome_metrics",
                           warning=True)  # fmt: skip


def periods(checks: Checks) -> Iterator[Finding]:
    """Periods of one count that overlap, totals that are not their sum, a hidden one that is."""
    for column in (
        "number_with_positive_social_outcomes",
        "number_engaged_in_impact_bond",
        "number_referred",
    ):
        yield from _periods(checks, "results", column, ("project_id", "outcome_metric_id"))
    yield from _periods(checks, "outcome_payments", "amount", (
        "project_id", "outcome_metric_id", "type", "plan_version", "payer_organisation_id",
        "recipient_organisation_id"))  # fmt: skip


def _periods(checks: Checks, table: str, column: str, names: tuple[str, ...]) -> Iterator[Finding]:
    groups: dict[tuple[Any, ...], list[tuple[int, Row]]] = defaultdict(list)
    for number, row in checks.numbered(table):
        if getattr(row, column) is not None:
            groups[tuple(getattr(row, name) for name in names)].append((number, row))
    for rows in groups.values():
        parts = sorted((r for r in rows if r[1].span == "period"), key=lambda r: r[1].period_start_date)
        for (_, one), (number, two) in pairwise(parts):
            if two.period_start_date <= one.period_end_date:
                yield checks.say(table, number, "period_start_date", "is in the period before",
                               two.period_start_date, f"after {one.period_end_date}")  # fmt: skip
        for number, whole in (r for r in rows if r[1].span == "to date"):
            inside = [r for _, r in parts if r.period_end_date <= whole.period_end_date]
            yield from _adds_up(checks, table, number, column, whole, inside)


def _adds_up(
    checks: Checks, table: str, number: int, column: str, whole: Row, parts: list[Row]
) -> Iterator[Finding]:
    if not parts or parts[0].period_start_date > whole.period_start_date:
        return
    given = [getattr(part, column) for part in parts]
    total, hidden = getattr(whole, column), given.count(SUPPRESSED)
    known = sum(value for value in given if value != SUPPRESSED)
    if total == SUPPRESSED:
        if not hidden:
            yield checks.say(table, number, column, "is suppressed, and is the sum of what is shown", known)
    elif hidden == 1:
        yield checks.say(table, number, column, "reveals the one period that is suppressed", total,
                       "suppressed, or another period with it")  # fmt: skip
    elif (not hidden and abs(known - total) > 0.005) or known > total + 0.005:
        yield checks.say(table, number, column, "is not the sum of its periods", total, _plainly(known))


def small(checks: Checks) -> Iterator[Finding]:
    """Counts under the threshold that are shown."""
    for number, row in checks.numbered("results") if checks.threshold is not None else ():
        for column in (
            "number_referred",
            "number_engaged_in_impact_bond",
            "number_with_positive_social_outcomes",
        ):
            count = getattr(row, column)
            if isinstance(count, int) and 0 < count < (checks.threshold or 0):
                yield checks.say("results", number, column, "is a small number", count,
                               f"{SUPPRESSED}, nil, or {checks.threshold} or more", warning=True)  # fmt: skip


# --- between projects, and plans --------------------------------------------------------------


def shared_payments(checks: Checks) -> Iterator[Finding]:
    """A total that two projects share to the penny; whole series of payments that are the same."""
    seen: dict[float, str] = {}
    for number, row in checks.numbered("projects"):
        paid = _number(row.total_outcome_payments_made)
        if paid and paid in seen:
            yield checks.say("projects", number, "total_outcome_payments_made",
                           f"is that of project {seen[paid]} to the penny", f"{paid:,.2f}",
                           warning=paid % ROUND == 0.0)  # fmt: skip
        if paid:
            seen.setdefault(paid, row.project_id)
    series: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    first: dict[str, int] = {}
    for number, row in checks.numbered("outcome_payments"):
        if row.type == "Actual" and row.span == "period" and _number(row.amount):
            series[row.project_id].append((row.period_start_date, row.period_end_date, row.amount))
            first.setdefault(row.project_id, number)
    known: dict[tuple[Any, ...], str] = {}
    for project, payments in series.items():
        key = tuple(sorted(payments))
        if len(key) > 1 and key in known:
            yield checks.say(
                "outcome_payments",
                first[project],
                "amount",
                f"begins a series that is the same as that of project {known[key]}",
            )
        known.setdefault(key, project)


def shifted_prices(checks: Checks) -> Iterator[Finding]:
    """A price list that is another project's moved by one metric."""
    lists: dict[str, dict[str, tuple[int, float]]] = defaultdict(dict)
    label = {
        (m.project_id, m.id): " ".join(m.definition.casefold().split()) for m in checks.data.outcome_metrics
    }
    for number, row in checks.numbered("outcome_pricings"):
        lists[row.project_id][label[row.project_id, row.outcome_metric_id]] = (number, row.price_per_unit)
    order = list(lists)
    for i, one in enumerate(order):
        for two in order[:i]:
            common = [name for name in lists[two] if name in lists[one]]
            mine, theirs = [lists[one][n][1] for n in common], [lists[two][n][1] for n in common]
            at = _shift(mine, theirs)
            if at is not None:
                yield checks.say("outcome_pricings", lists[one][common[at]][0], "price_per_unit",
                               f"and those after it look shifted by one metric against project {two}",
                               f"{mine[at]:,.2f}", f"{theirs[at]:,.2f}, if the lists are the same",
                               warning=True)  # fmt: skip


def plans(checks: Checks) -> Iterator[Finding]:
    """Plans that cover part of the contract; planned payments without a plan or outside it."""
    versions = {(v.project_id, v.plan_version): v for v in checks.data.plan_versions}
    for number, row in checks.numbered("plan_versions"):
        project = checks.projects[row.project_id]
        for column, own, late in (
            ("covers_from", project.start_date_of_service_provision, row.covers_from),
            ("covers_to", project.anticipated_end_date_of_service_provision, row.covers_to),
        ):
            short = _short(column, own, late)
            if short:
                yield checks.say("plan_versions", number, column, "leaves part of the contract out", late,
                               f"within half a year of {own}", warning=True)  # fmt: skip
    for number, row in checks.numbered("outcome_payments"):
        if row.type == "Actual" and row.plan_version is not None:
            yield checks.say("outcome_payments", number, "plan_version", "belongs to a planned payment",
                           row.plan_version, "none beside Actual")  # fmt: skip
        if row.type != "Planned":
            continue
        if row.plan_version is None:
            if any(project == row.project_id for project, _ in versions):
                yield checks.say("outcome_payments", number, "plan_version", "is missing beside Planned")
            continue
        plan = versions[row.project_id, row.plan_version]
        if row.period_start_date < plan.covers_from or row.period_end_date > plan.covers_to:
            yield checks.say("outcome_payments", number, "period_end_date", "is outside the plan",
                           row.period_end_date, f"{plan.covers_from} to {plan.covers_to}")  # fmt: skip


def _number(amount: Any) -> float | None:
    """An amount that is given and shown."""
    return None if amount is None or amount == SUPPRESSED else float(amount)


def _shift(mine: list[float], theirs: list[float]) -> int | None:
    """Where ``mine`` begins to be ``theirs`` moved by one place; None where it is not.

    Three or more metrics; up to some place the lists agree, from there every price is the one after (or
    before) it in the other list, at least two of them, and differs from its own.
    """
    at = next((i for i, (a, b) in enumerate(zip(mine, theirs, strict=True)) if a != b), None)
    if len(mine) < ALIKE or at is None:
        return None
    left = mine[at:-1] == theirs[at + 1 :]
    right = mine[at + 1 :] == theirs[at:-1]
    return at if (left or right) and len(mine) - at >= ALIKE else None


def _short(column: str, own: date | None, given: date) -> bool:
    """Whether a plan begins long after its contract, or ends long before."""
    if own is None:
        return False
    return given > own + GAP if column == "covers_from" else given < own - GAP


def _plainly(value: float) -> str:
    return f"{value:,.2f}".removesuffix(".00")


ACROSS: tuple[Callable[[Checks], Iterable[Finding]], ...] = (
    labels, funnels, currencies, commitments, results, periods,
    totals, shared_payments, shifted_prices, plans, small,
)  # fmt: skip
"""What is checked where every row could be read and every reference leads somewhere."""
