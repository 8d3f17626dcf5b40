"""What a publication says: its rows, where they stand, and what follows from several of them."""

from __future__ import annotations

from collections.abc import Iterator

from socialfinance.evidence.open_data.read import Finding, Read
from socialfinance.evidence.open_data.tables import SUPPRESSED, OpenData, Row

IDENTITY: dict[str, tuple[str, ...]] = {
    "projects": ("project_id",), "organisations": ("organisation_id",),
    "outcome_metrics": ("project_id", "id"),
    "outcome_pricings": ("project_id", "outcome_metric_id"),
    "outcome_payment_commitments": ("project_id", "organisation_id"),
    "plan_versions": ("project_id", "plan_version"),
    "results": ("project_id", "outcome_metric_id", "span", "period_start_date", "period_end_date"),
    "outcome_payments": ("project_id", "outcome_metric_id", "type", "plan_version", "span",
                         "period_start_date", "period_end_date", "payer_organisation_id",
                         "recipient_organisation_id"),
}  # fmt: skip
"""By table, the columns that no two rows share."""


class Checks:
    """The rows of a publication, where they stand, and what they say of each other."""

    def __init__(self, read: Read, threshold: int | None) -> None:
        self.data: OpenData = read.data
        self.places, self.threshold = read.places, threshold
        self.keys = {
            table: {tuple(getattr(row, name) for name in names) for row in self.data.rows(table)}
            for table, names in IDENTITY.items()
        }
        self.projects = {row.project_id: row for row in self.data.projects}
        self.prices = {
            (p.project_id, p.outcome_metric_id): p.price_per_unit for p in self.data.outcome_pricings
        }

        self.metrics: dict[str, list[Row]] = {row.project_id: [] for row in self.data.projects}
        for metric in self.data.outcome_metrics:
            self.metrics.setdefault(metric.project_id, []).append(metric)
        self.happened: dict[tuple[str, str | None], list[Row]] = {}
        for row in self.data.results:
            self.happened.setdefault((row.project_id, row.outcome_metric_id), []).append(row)

    def say(
        self, table: str, number: int, column: str | None, problem: str, given: object = None,
        allowed: str | None = None, *, warning: bool = False,
    ) -> Finding:  # fmt: skip
        """A finding at a row."""
        file, line = self.places[table][number]
        return Finding(warning, file, line, column, problem, given, allowed)

    def numbered(self, table: str) -> Iterator[tuple[int, Row]]:
        """The rows of a table by number."""
        return iter(enumerate(self.data.rows(table)))

    def targets(self, project: str) -> dict[str, int]:
        """People planned to achieve each metric, where that is given and shown."""
        name = "targeted_number_of_service_users_or_beneficiaries_total"
        mine = self.metrics.get(project, [])
        return {row.id: getattr(row, name) for row in mine if isinstance(getattr(row, name), int)}

    def achieved(self, project: str) -> dict[str, int]:
        """To date, by metric: what says so, else the sum of the periods; nothing where one is suppressed."""
        counts = {row.id: _to_date(self.happened.get((project, row.id), [])) for row in self.metrics[project]}
        return {metric: count for metric, count in counts.items() if count is not None}

    def worth(self, project: str, counts: dict[str, int]) -> float | None:
        """Price x count over the metrics; None unless every priced metric has a count."""
        priced = {metric: price for (one, metric), price in self.prices.items() if one == project}
        if not priced or not priced.keys() <= counts.keys():
            return None
        return sum(price * counts[metric] for metric, price in priced.items())

    def target_hidden(self, project: str, metric: str) -> bool:
        """Whether a metric has a target that is suppressed."""
        name = "targeted_number_of_service_users_or_beneficiaries_total"
        return any(getattr(row, name) == SUPPRESSED for row in self.data.outcome_metrics
                   if (row.project_id, row.id) == (project, metric))  # fmt: skip


def _to_date(rows: list[Row]) -> int | None:
    """The latest count to date, else the sum of the periods; None where it is not given or is suppressed."""
    name = "number_with_positive_social_outcomes"
    whole = [row for row in rows if row.span == "to date"]
    if whole:
        count = getattr(max(whole, key=lambda row: row.period_end_date), name)
        return count if isinstance(count, int) else None
    counts = [getattr(row, name) for row in rows]
    return sum(counts) if counts and all(isinstance(count, int) for count in counts) else None
