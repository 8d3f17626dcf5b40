"""The tables of outcomes and payments, one row type each, in the terms of the INDIGO data standard.

Source of the names: INDIGO data standard, project schema (Government Outcomes Lab and Open Data Services,
github.com/INDIGO-Initiative/indigo-data-standard), flattened: ``money/amount/value`` is ``amount``,
``period/start_date/value`` is ``period_start_date``. Columns that the standard does not have say ``own``.
"""

# ruff: noqa: RUF009 - `column` makes a dataclass field
from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, NamedTuple

SUPPRESSED: Literal["suppressed"] = "suppressed"
"""Stands in place of a count or an amount that is not published."""
Count = int | Literal["suppressed"] | None
Amount = float | Literal["suppressed"] | None

MOST_CHARACTERS = 2_000
"""Of a text in a cell."""
LARGEST_COUNT, LARGEST_AMOUNT = 10**9, 1e12
FIRST_YEAR, LAST_YEAR = 1990, 2199

STAGES = ("Early-stage design", "Late-stage design", "Contracted", "Implementation",
          "Service delivery complete", "Complete")  # fmt: skip
BODIES = ("Nonprofit/NGO", "Foundation/Philanthropist", "Government/Public Sector/Public Bank",
          "Multilateral/Bilateral/Intergovernmental Financial Institution", "Corporate Giving",
          "Investment Fund", "For-profit", "Other")  # fmt: skip
_CODES = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF "
    "CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD "
    "HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD "
    "LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK "
    "PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS "
    "TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW"
)
ISO_4217 = frozenset(_CODES.split())
"""Currencies in use, ISO 4217."""


class Kind(NamedTuple):
    """How a cell is written."""

    allowed: str
    """in words, for error messages"""
    parse: Callable[[str], Any]
    """the value of a text that is not empty; ValueError where it is none"""


def _matching(pattern: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError
        return text

    return parse


def _one_of(*allowed: str) -> Kind:
    def parse(text: str) -> str:
        if text not in allowed:
            raise ValueError
        return text

    return Kind(", ".join(allowed), parse)


def _day(text: str) -> date:
    found = date.fromisoformat(_matching(r"\d{4}-\d{2}-\d{2}")(text))
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise ValueError
    return found


def _count(text: str) -> Count:
    if text == SUPPRESSED:
        return SUPPRESSED
    found = int(_matching(r"[0-9]{1,10}")(text))
    if found > LARGEST_COUNT:
        raise ValueError
    return found


def _amount(text: str) -> Amount:
    if text == SUPPRESSED:
        return SUPPRESSED
    found = float(_matching(r"[0-9]{1,13}(\.[0-9]{1,2})?")(text))
    if found > LARGEST_AMOUNT:
        raise ValueError
    return found


def _fraction(text: str) -> float:
    found = float(_matching(r"[0-9]+(\.[0-9]+)?(e-[0-9]+)?")(text))
    if not 0.0 <= found <= 1.0:
        raise ValueError
    return found


def _text(text: str) -> str:
    if len(text) > MOST_CHARACTERS or text != text.strip() or not text.isprintable():
        raise ValueError
    return text


def _currency(text: str) -> str:
    if text not in ISO_4217:
        raise ValueError
    return text


KEY = Kind(
    "up to 80 letters, digits, spaces and . _ + -, the first a letter or digit",
    _matching(r"[A-Za-z0-9][A-Za-z0-9 ._+-]{0,78}[A-Za-z0-9._+-]|[A-Za-z0-9]"),
)
TEXT = Kind(f"at most {MOST_CHARACTERS:,} characters on one line, no space before or after", _text)
DAY = Kind(f"a date from {FIRST_YEAR} to {LAST_YEAR}, written YYYY-MM-DD", _day)
COUNT = Kind(f"a whole number, digits only, or {SUPPRESSED}", _count)
AMOUNT = Kind(f"a number of at most two decimals, without sign, comma or symbol, or {SUPPRESSED}", _amount)
FRACTION = Kind("a fraction from 0 to 1: 0.035, not 3.5 or 3.5%", _fraction)
CURRENCY = Kind("a code of ISO 4217, such as GBP", _currency)
STAGE, BODY = _one_of(*STAGES), _one_of(*BODIES)


def written(value: Any) -> str:
    """A cell as text: empty for none, ISO dates, amounts in pence where there are any."""
    if value is None:
        return ""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return str(int(value)) if value == int(value) else repr(value)
    return str(value)


def column(kind: Kind, about: str, *, needed: bool = False, own: bool = False) -> Any:
    """A column: how it is written, what it says, whether it may be empty, whether the standard has it."""
    told = {"kind": kind, "about": about, "needed": needed, "own": own}
    return dataclasses.field(metadata=told) if needed else dataclasses.field(default=None, metadata=told)


Row = Any
"""A row of any of the types below."""


@dataclass(frozen=True, kw_only=True)
class Project:
    """A project: one contract for outcomes."""

    project_id: str = column(KEY, "its id; INDIGO assigns ids of its own", needed=True)
    name: str = column(TEXT, "its full name", needed=True)
    stage_development: str | None = column(STAGE, "how far it is")
    start_date_of_service_provision: date | None = column(DAY, "first day of the service")
    anticipated_end_date_of_service_provision: date | None = column(DAY, "last day, as planned")
    actual_end_date_of_service_provision: date | None = column(DAY, "last day, as it was")
    anticipated_completion_date: date | None = column(DAY, "day of the last payment, as planned")
    targeted_number_service_users_or_beneficiaries_total: Count = column(COUNT, "people to be engaged")
    actual_number_service_users_or_beneficiaries_total: Count = column(COUNT, "people engaged so far")
    currency: str | None = column(CURRENCY, "of all its money")
    maximum_potential_outcome_payment: Amount = column(AMOUNT, "the contract's cap over all payers")
    total_outcome_payments_made: Amount = column(AMOUNT, "paid for outcomes so far")


@dataclass(frozen=True, kw_only=True)
class Organisation:
    """An organisation that pays or is paid."""

    organisation_id: str = column(KEY, "its id", needed=True)
    name: str = column(TEXT, "its name", needed=True)
    organisation_role_category: str | None = column(BODY, "what kind of body it is")


@dataclass(frozen=True, kw_only=True)
class OutcomeMetric:
    """An outcome of a project that is measured."""

    project_id: str = column(KEY, "its project", needed=True)
    id: str = column(KEY, "unique within the project", needed=True)
    definition: str = column(TEXT, "when it is achieved", needed=True)
    targeted_number_of_service_users_or_beneficiaries_total: Count = column(
        COUNT, "people planned to achieve it over the contract"
    )
    outcome_metric_target: float | None = column(
        FRACTION, "share planned of those at the metric before, or of those engaged"
    )
    follows: str | None = column(KEY, "the metric that is achieved before it", own=True)


@dataclass(frozen=True, kw_only=True)
class OutcomePricing:
    """What one outcome is worth."""

    project_id: str = column(KEY, "its project", needed=True)
    outcome_metric_id: str = column(KEY, "the metric", needed=True)
    currency: str = column(CURRENCY, "of the price", needed=True)
    price_per_unit: float = column(AMOUNT, "for one person who achieves it, all payers together", needed=True)
    contracted_increases_to_outcome_pricing: str | None = column(TEXT, "indexation agreed")


@dataclass(frozen=True, kw_only=True)
class PaymentCommitment:
    """What a payer undertakes."""

    project_id: str = column(KEY, "its project", needed=True)
    organisation_id: str = column(KEY, "who pays", needed=True)
    currency: str | None = column(CURRENCY, "of the amount")
    maximum_potential_outcome_payment: Amount = column(AMOUNT, "most it pays over the contract")
    share: float | None = column(FRACTION, "of every price", own=True)


@dataclass(frozen=True, kw_only=True)
class PlanVersion:
    """A version of a project's plan. The standard tells planned from actual payments, not plan from plan."""

    project_id: str = column(KEY, "its project", needed=True, own=True)
    plan_version: str = column(KEY, "unique within the project", needed=True, own=True)
    agreed_on: date | None = column(DAY, "since when it holds", own=True)
    covers_from: date = column(DAY, "first day it covers", needed=True, own=True)
    covers_to: date = column(DAY, "last day it covers", needed=True, own=True)


LEVELS, TYPES = ("Project level", "Outcome level"), ("Interim", "Final")


@dataclass(frozen=True, kw_only=True)
class Result:
    """What happened in a period; without a metric, at project level."""

    project_id: str = column(KEY, "its project", needed=True)
    outcome_metric_id: str | None = column(KEY, "the metric; none at project level")
    result_level: str = column(_one_of(*LEVELS), "of the project or of an outcome", needed=True)
    result_type: str | None = column(_one_of(*TYPES), "whether more is to come")
    span: str = column(
        _one_of("period", "to date"), "one period, or all up to its end", needed=True, own=True
    )
    period_start_date: date = column(DAY, "first day", needed=True)
    period_end_date: date = column(DAY, "last day", needed=True)
    number_referred: Count = column(COUNT, "people referred; at project level", own=True)
    number_engaged_in_impact_bond: Count = column(COUNT, "people who started; at project level")
    number_with_positive_social_outcomes: Count = column(COUNT, "people who achieved the metric")


@dataclass(frozen=True, kw_only=True)
class OutcomePayment:
    """A payment for outcomes, planned or made."""

    project_id: str = column(KEY, "its project", needed=True)
    outcome_metric_id: str | None = column(KEY, "the metric; none: for all together")
    type: str = column(_one_of("Planned", "Actual"), "planned or made", needed=True)
    plan_version: str | None = column(KEY, "of a planned payment", own=True)
    span: str = column(
        _one_of("period", "to date"), "one period, or all up to its end", needed=True, own=True
    )
    period_start_date: date = column(DAY, "first day", needed=True)
    period_end_date: date = column(DAY, "last day", needed=True)
    payer_organisation_id: str | None = column(KEY, "who pays; none: all payers together")
    recipient_organisation_id: str | None = column(KEY, "who is paid")
    currency: str = column(CURRENCY, "of the amount", needed=True)
    amount: Amount = column(AMOUNT, "paid in the period", needed=True)


TABLES: dict[str, type[Row]] = {
    "projects": Project, "organisations": Organisation, "outcome_metrics": OutcomeMetric,
    "outcome_pricings": OutcomePricing, "outcome_payment_commitments": PaymentCommitment,
    "plan_versions": PlanVersion, "results": Result, "outcome_payments": OutcomePayment,
}  # fmt: skip
"""By name, which is that of its file: ``results.csv``."""


@dataclass(frozen=True)
class OpenData:
    """A publication: rows by table."""

    projects: tuple[Project, ...] = ()
    organisations: tuple[Organisation, ...] = ()
    outcome_metrics: tuple[OutcomeMetric, ...] = ()
    outcome_pricings: tuple[OutcomePricing, ...] = ()
    outcome_payment_commitments: tuple[PaymentCommitment, ...] = ()
    plan_versions: tuple[PlanVersion, ...] = ()
    results: tuple[Result, ...] = ()
    outcome_payments: tuple[OutcomePayment, ...] = ()

    def rows(self, table: str) -> tuple[Row, ...]:
        """The rows of a table by its name."""
        found: tuple[Row, ...] = getattr(self, table)
        return found


def columns(row_type: type[Row]) -> dict[str, dataclasses.Field[Any]]:
    """The columns of a table by name, in order."""
    return {one.name: one for one in dataclasses.fields(row_type)}
