"""A small publication, all of it made up, and a small portfolio with returns."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from socialfinance.evidence.open_data.tables import (
    SUPPRESSED,
    OpenData,
    Organisation,
    OutcomeMetric,
    OutcomePayment,
    OutcomePricing,
    PaymentCommitment,
    PlanVersion,
    Project,
    Result,
)
from socialfinance.evidence.open_data.write import write_folder

Q1, Q2 = (date(2026, 10, 1), date(2026, 12, 31)), (date(2027, 1, 1), date(2027, 3, 31))
BOTH = (Q1[0], Q2[1])
LABELS = {
    "in": "moved in", "home 3": "at home after 3 months", "home 6": "at home after 6 months",
    "home 12": "at home after 12 months",
}  # fmt: skip
PRICES = (600.0, 1500.0, 2600.0, 1800.0)


def _project(name: str, paid: float) -> Project:
    return Project(
        project_id=name, name=f"Homes in {name}", stage_development="Implementation",
        start_date_of_service_provision=Q1[0], anticipated_end_date_of_service_provision=date(2029, 9, 30),
        anticipated_completion_date=date(2030, 3, 31),
        targeted_number_service_users_or_beneficiaries_total=120,
        actual_number_service_users_or_beneficiaries_total=40, currency="GBP",
        maximum_potential_outcome_payment=600_000.0, total_outcome_payments_made=paid,
    )  # fmt: skip


def publication() -> OpenData:
    """Two projects with one price list; the second has only a plan."""
    metrics, prices, results = [], [], []
    for project in ("ashby", "beeford"):
        before = None
        for (metric, label), price, target in zip(LABELS.items(), PRICES, (110, 100, 90, 80), strict=True):
            metrics.append(
                OutcomeMetric(
                    project_id=project, id=metric, definition=label, follows=before,
                    targeted_number_of_service_users_or_beneficiaries_total=target,
                    outcome_metric_target=0.9,
                )
            )  # fmt: skip
            prices.append(
                OutcomePricing(
                    project_id=project, outcome_metric_id=metric, currency="GBP", price_per_unit=price
                )
            )
            before = metric
    for (start, end), span, counts, engaged in (
        (Q1, "period", (10, SUPPRESSED, 0, 0), 18), (Q2, "period", (20, SUPPRESSED, 8, 0), 22),
        (BOTH, "to date", (30, 20, 8, 0), 40),
    ):  # fmt: skip
        days = {"span": span, "result_type": "Interim", "period_start_date": start, "period_end_date": end}
        results.append(
            Result(
                project_id="ashby", result_level="Project level", number_engaged_in_impact_bond=engaged,
                number_referred=engaged + (7 if span == "period" else 14), **days,
            )
        )  # fmt: skip
        results += [
            Result(
                project_id="ashby", outcome_metric_id=metric, result_level="Outcome level",
                number_with_positive_social_outcomes=count, **days,
            )
            for metric, count in zip(LABELS, counts, strict=True)
        ]  # fmt: skip

    def payment(project: str, kind: str, days: tuple[date, date], span: str, amount: float) -> OutcomePayment:
        return OutcomePayment(
            project_id=project, type=kind, plan_version="v1" if kind == "Planned" else None, span=span,
            period_start_date=days[0], period_end_date=days[1], currency="GBP", amount=amount,
            payer_organisation_id="council" if kind == "Planned" else None,
        )  # fmt: skip

    return OpenData(
        projects=(_project("ashby", 66_800.55), _project("beeford", 0.0)),
        organisations=(
            Organisation(
                organisation_id="council", name='Made-up "County", of Council',
                organisation_role_category="Government/Public Sector/Public Bank",
            ),
        ),
        outcome_metrics=tuple(metrics),
        outcome_pricings=tuple(prices),
        outcome_payment_commitments=tuple(
            PaymentCommitment(project_id=one, organisation_id="council", currency="GBP", share=1.0,
                              maximum_potential_outcome_payment=600_000.0) for one in ("ashby", "beeford")
        ),
        plan_versions=tuple(
            PlanVersion(project_id=one, plan_version="v1", agreed_on=Q1[0], covers_from=Q1[0],
                        covers_to=date(2030, 3, 31)) for one in ("ashby", "beeford")
        ),
        results=tuple(results),
        outcome_payments=(
            payment("ashby", "Planned", Q1, "period", 20_000.0),
            payment("ashby", "Planned", Q2, "period", 40_000.5),
            payment("beeford", "Planned", Q2, "period", 40_000.5),
            payment("ashby", "Actual", Q1, "period", 20_300.25),
            payment("ashby", "Actual", Q2, "period", 46_500.3),
            payment("ashby", "Actual", BOTH, "to date", 66_800.55),
        ),
    )  # fmt: skip


def written(folder: Path) -> Path:
    """The publication as a folder of CSV tables."""
    write_folder(publication(), folder / "open")
    return folder / "open"


RETURNS_HEAD = "deal,quarter_end,item,line,value,as_of\n"
QUARTERS = ("2026-12-31", "2027-03-31", "2027-06-30", "2027-09-30")


MONEY = ("outcome payment", "paid")


def returns(series: dict[tuple[str, str], tuple[float, ...]], deal: str = "families") -> str:
    """A returns file of one deal: values by (item, line) and quarter.

    Referrals are as many as starts, and outcomes nil, where they are not given.
    """
    quarters = max(len(values) for values in series.values())
    starts = series.get(("starts", ""), (0,) * quarters)
    nobody = dict.fromkeys((("outcome", "home"), ("outcome", "home a year")), (0,) * quarters)
    whole = {("referrals", ""): starts, ("starts", ""): starts, **nobody, **series}
    rows = [
        f"{deal},{day},{item},{line},{value if item in MONEY else int(value)},2027-10-20"
        for (item, line), values in whole.items()
        for day, value in zip(QUARTERS, values, strict=False)
    ]
    return RETURNS_HEAD + "\n".join(rows) + "\n"
