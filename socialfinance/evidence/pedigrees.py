"""Where every uncertain input of a portfolio comes from: prior, data, posterior, weight, source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from socialfinance.core.errors import field_path
from socialfinance.core.origins import Heard, Place
from socialfinance.core.terms import said_of
from socialfinance.funds.portfolio import Portfolio
from socialfinance.markets.optimism_bias import SOURCE as GRADES
from socialfinance.scenarios.distributions import is_certain, plan_of
from socialfinance.scenarios.drawn import Distribution, Random
from socialfinance.scenarios.pedigree import Graded, ReferenceClass, TrackRecord

if TYPE_CHECKING:
    import pandas as pd

Basis = Literal["record", "reference class", "grade", "stated source", "illustration", "no source"]
BASES: tuple[Basis, ...] = get_args(Basis)
"""What an input can rest on, best first."""
CENTRES = ("record", "of", "value", "mean", "median", "mode", "values", "low", "start")
"""The field that says where a distribution lies: the first of these that is given."""
INTERVAL = (0.05, 0.95)
"""Quantiles at the ends of the interval shown."""


@dataclass(frozen=True)
class Pedigree:
    """One uncertain input. Figures in its own units: fractions, pounds, multiples."""

    deal: str
    """the deal; empty: common to all"""
    input: str
    """by path below the deal (or the portfolio)"""
    kind: str
    """of distribution"""
    plan: float
    prior_mean: float | None
    """before the data; none of a process"""
    prior_sd: float | None
    data: str
    """successes of users, how many projects or metrics, or the grade; empty: none"""
    mean: float | None
    """as the model draws it"""
    sd: float | None
    low: float | None
    """one future in twenty lies below"""
    high: float | None
    """one in twenty above"""
    weight: float | None
    """share of the mean that comes from the record or class; none where there is no data"""
    rests_on: Basis
    source: str
    """sources of its numbers; empty: none"""
    illustrative: tuple[str, ...]
    """its invented fields"""
    unverified: bool
    note: str


def pedigrees(portfolio: Portfolio, deals: Iterable[str] = ()) -> tuple[Pedigree, ...]:
    """Every uncertain input, deal by deal; those common to all deals last. ``deals`` keeps some of them."""
    chosen = tuple(deals)
    rows = []
    for place, value, numbers in _blocks(portfolio):
        deal = str(place[1]) if place[0] == "deals" else ""
        if not chosen or deal in chosen:
            rows.append(_row(deal, place[2:] if deal else place, value, numbers))
    return tuple(sorted(rows, key=lambda row: row.deal == ""))


def count_bases(rows: Sequence[Pedigree]) -> dict[Basis, int]:
    """How many inputs rest on what."""
    return {basis: sum(row.rests_on == basis for row in rows) for basis in BASES}


def frame(rows: Sequence[Pedigree]) -> pd.DataFrame:
    """The same as a table, a row an input."""
    import pandas as pd

    return pd.DataFrame([asdict(row) for row in rows], columns=list(Pedigree.__dataclass_fields__))


Number = tuple[Place, Heard]


def _blocks(portfolio: Portfolio) -> Iterator[tuple[Place, Random, list[Number]]]:
    """Every uncertain number, where it stands, and what is said of each number inside it."""
    found: list[tuple[Place, Random, list[Number]]] = []
    for place, value, heard in said_of(portfolio):
        if isinstance(value, Random):
            found.append((place, value, []))
        elif found and place[: len(found[-1][0])] == found[-1][0] and _is_number(value):
            found[-1][2].append((place[len(found[-1][0]) :], heard))
    return (one for one in found if not is_certain(one[1]))  # type: ignore[arg-type]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _row(deal: str, place: Place, value: Random, numbers: list[Number]) -> Pedigree:
    prior_mean, prior_sd, data, weight, note = _learning(value)
    mean = sd = low = high = None
    if isinstance(value, Distribution):
        mean, sd = value.mean, value.sd
        low, high = (float(x) for x in value.quantile(np.array(INTERVAL)))
    sources = [heard.source for _, heard in numbers if heard.origin == "sourced" and heard.source]
    kind = str(getattr(value, "distribution", ""))
    return Pedigree(
        deal=deal, input=field_path(place), kind=kind, plan=plan_of(value),  # type: ignore[arg-type]
        prior_mean=prior_mean, prior_sd=prior_sd, data=data,
        mean=mean, sd=sd, low=low, high=high, weight=weight, rests_on=_basis(value, numbers),
        source="; ".join(dict.fromkeys([*sources, *_own_source(value)])),
        illustrative=tuple(field_path(at) for at, heard in numbers if heard.origin == "illustrative"),
        unverified=isinstance(value, Graded) or any(heard.unverified is not None for _, heard in numbers),
        note=note,
    )  # fmt: skip


def _learning(value: Random) -> tuple[float | None, float | None, str, float | None, str]:
    """Prior mean and sd, data, weight, and what should be known of them."""
    if isinstance(value, TrackRecord):
        record = value.record.values()
        successes, users = sum(one.successes for one in record), sum(one.users for one in record)
        people = value.learned.effective_people
        said = f"record: {_many(len(record), 'programme')}, worth {people:,.1f} independent people"
        until = max((one.until for one in record if one.until), default=None)
        said += f", to {until.day} {until:%B %Y}" if until else ""
        return *value.prior, f"{successes:,} of {users:,}", value.weight, said + _class_said(value)
    if isinstance(value, ReferenceClass):
        found = value.ratio
        return *value.prior, f"{found.n} {found.n_counts}", value.weight, _class_said(value).lstrip("; ")
    if isinstance(value, Graded):
        return value.value, value.spread, f"grade {value.grade}", None, f"claimed as a {value.side}"
    if isinstance(value, Distribution):
        return value.mean, value.sd, "", None, ""
    return None, None, "", None, "drawn every quarter"


def _class_said(value: TrackRecord | ReferenceClass) -> str:
    """Which class of projects was found, where there is one."""
    found = value.ratio
    if found is None:
        return ""
    of = f"; class: {found.sector}, {value.stage}, {found.projects} projects"
    return of + (f" (of {found.asked} fewer than three are known)" if found.fell_back else "")


def _own_source(value: Random) -> list[str]:
    """The source of what the library adds."""
    if isinstance(value, TrackRecord | ReferenceClass) and value.ratio is not None:
        return [f"class: {value.ratio.source}"]
    return [f"correction: {GRADES}"] if isinstance(value, Graded) else []


def _basis(value: Random, numbers: list[Number]) -> Basis:
    """By what is said of the number that places it; a class of projects counts whatever the plan says."""
    if isinstance(value, ReferenceClass):
        return "reference class"
    given = {at[0] for at, _ in numbers}
    centre = next((field for field in CENTRES if field in given), None)
    origins = {heard.origin for at, heard in numbers if at[0] == centre}
    if not origins or origins & {None, "unsaid"}:
        return "no source"
    if "illustrative" in origins:
        return "illustration"
    if isinstance(value, TrackRecord):
        return "record"
    return "grade" if isinstance(value, Graded) else "stated source"


def _many(n: int, what: str) -> str:
    return f"{n} {what}{'s' * (n != 1)}"
