"""Published rates by term and method, the margins of products by date, and a rate table of your own.

Source: UK Debt Management Office (DMO) rate notices.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import cache
from importlib.resources import files
from numbers import Real
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from socialfinance.core.errors import InputError
from socialfinance.kernels.schedules import check_method
from socialfinance.markets.pwlb.checks import LONGEST

Product = Literal["standard", "certainty", "hra", "local-infrastructure"]
Kind = Literal["new", "premature"]

_COLUMNS = {
    ("new", "maturity"): "new_maturity",
    ("new", "eip"): "new_eip",
    ("new", "annuity"): "new_annuity",
    ("premature", "maturity"): "prem_maturity",
    ("premature", "eip"): "prem_eip",
    ("premature", "annuity"): "prem_annuity",
}

# Percentage points from the standard new-loan rate, from a date until the next; None: not offered.
# Sources: DMO announcements of 2012, 2013, Nov 2020 and Jun 2023; ALC, 14 Oct 2019 (the day of that
# change unverified); Room151, 16 Mar 2020; HRA end date: Arlingclose.
_OFFSETS: dict[str, list[tuple[date, Decimal | None]]] = {
    "standard": [(date(2010, 10, 20), Decimal("0.00"))],
    "certainty": [(date(2012, 11, 1), Decimal("-0.20"))],
    "hra": [
        (date(2020, 3, 12), Decimal("-1.20")),
        (date(2020, 11, 26), Decimal("-0.20")),
        (date(2023, 6, 15), Decimal("-0.60")),
        (date(2027, 4, 1), None),
    ],
    "local-infrastructure": [
        (date(2013, 11, 1), Decimal("-0.40")),
        (date(2019, 10, 9), Decimal("-1.40")),
        (date(2020, 11, 26), Decimal("-0.40")),
    ],
}


class RateTable(NamedTuple):
    """One published notice: rates in % by term in years, for each kind and repayment method."""

    published: date
    source: str
    rates: Mapping[tuple[str, str], Mapping[float, Decimal]]


def table(on: date | None = None) -> RateTable:
    """The latest shipped notice published on or before a day (the latest of all by default)."""
    shipped = _tables()
    usable = [entry for entry in shipped if on is None or entry.published <= on]
    if not usable:
        first = f"{shipped[0].published} or later"
        raise InputError("no PWLB table that old", field="on", given=on, allowed=first)
    return usable[-1]


def rate(
    years: float,
    method: str = "maturity",
    product: str | None = None,
    kind: str = "new",
    on: date | None = None,
    *,
    interpolate: bool = False,
    given: RateTable | None = None,
) -> float:
    """The published rate for a term and method: a fraction, nominal a year, payable half-yearly.

    New loans: the standard rate plus the product's dated offset (``product`` is ``certainty`` unless
    given). Premature repayment has one set of rates and takes no product. Each method has its own
    column: an EIP or annuity rate is never read off the maturity rate of the same term. Terms are the
    published half-years; ``interpolate=True`` goes straight between two of them, unrounded. ``given`` is a
    table of your own (``read_table``) instead of a shipped one.
    """
    if given is not None and on is not None and on < given.published:
        first = f"{given.published} or later"
        raise InputError("is before the rate table", field="on", given=on, allowed=first)
    published = given or table(on)
    points = _points(published, _kind(kind), check_method(method), years, interpolate)
    if kind == "premature":
        if product is not None:
            raise InputError("margins apply to new loans only", field="product", given=product)
        return float(points / 100)
    return float((points + offset(product or "certainty", on or published.published)) / 100)


def offset(product: str, on: date) -> Decimal:
    """Percentage points from the standard new-loan rate for a product on a day: certainty -0.20."""
    if product not in _OFFSETS:
        raise InputError("unknown PWLB product", field="product", given=product, allowed=", ".join(_OFFSETS))
    points = [points for start, points in _OFFSETS[product] if start <= on]
    if not points or points[-1] is None:
        raise InputError(f"the {product} rate is not known to be offered on {on}", field="product")
    return points[-1]


def read_table(path: str | Path) -> RateTable:
    """A rate table of your own, a CSV file like the shipped one; errors name file, line and field.

    Lines that begin with ``# published: YYYY-MM-DD`` and ``# source: ...`` come first, then the columns
    ``label_years, new_maturity, new_annuity, new_eip, prem_maturity, prem_annuity, prem_eip``: rates in % a
    year, nominal, payable half-yearly. A column may begin late and end early, and has no hole between.
    """
    name = str(path)
    try:
        text = Path(path).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is not a text file in UTF-8"
        raise InputError(f"cannot be read: {reason}", file=name) from None
    lines = text.splitlines()
    published = _said(name, lines, "published")
    try:
        day = date.fromisoformat(published)
    except ValueError:
        raise InputError(
            "is not a date", file=name, field="published", given=published, allowed="YYYY-MM-DD"
        ) from None
    return RateTable(day, _said(name, lines, "source"), _user_rates(name, lines))


def _said(name: str, lines: list[str], what: str) -> str:
    """What a line ``# what: ...`` says."""
    for line in lines:
        if line.startswith(f"# {what}: "):
            return line.removeprefix(f"# {what}: ").strip()
    raise InputError("is missing", file=name, field=what, allowed=f"a line that begins with: # {what}: ")


def _user_rates(name: str, lines: list[str]) -> dict[tuple[str, str], dict[float, Decimal]]:
    """Rates by column and term, each line checked."""
    body = [(i, line) for i, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")]
    if not body:
        raise InputError("has no rates", file=name)
    head = [cell.strip() for cell in body[0][1].split(",")]
    for column in ("label_years", *_COLUMNS.values()):
        if column not in head:
            raise InputError("is a column that is missing", file=name, line=body[0][0], field=column)
    rates: dict[tuple[str, str], dict[float, Decimal]] = {key: {} for key in _COLUMNS}
    before = 0.0
    for number, line in body[1:]:
        cells = [cell.strip() for cell in line.split(",")]
        if any(cells[len(head) :]):
            raise InputError(
                "has more cells than there are columns", file=name, line=number, given=len(cells),
                allowed=f"{len(head)}, with a point in decimals: 5.85",
            )  # fmt: skip
        row = dict(zip(head, cells, strict=False))
        years = _cell(name, number, "label_years", row, Decimal("0.5"), LONGEST)
        if years is None or float(years) <= before:
            raise InputError(
                "must be above the term of the line before", file=name, line=number, field="label_years",
                given=row.get("label_years"), allowed=f"above {before:g}",
            )  # fmt: skip
        before = float(years)
        for key, column in _COLUMNS.items():
            rate = _cell(name, number, column, row, Decimal(0), Decimal(30))
            if rate is not None:
                _no_hole(name, number, column, rates[key], body, head, before)
                rates[key][before] = rate
    for key, column in _COLUMNS.items():
        if not rates[key]:
            raise InputError("has no rate", file=name, field=column)
    return rates


def _cell(
    name: str, line: int, column: str, row: Mapping[str, str], least: Decimal, most: Decimal | int
) -> Decimal | None:
    """A number of a line; None where it is blank."""
    written = row.get(column, "")
    if not written:
        return None
    allowed = f"{least} to {most}"
    try:
        number = Decimal(written)
    except InvalidOperation:
        raise InputError(
            "is not a number", file=name, line=line, field=column, given=written, allowed=allowed
        ) from None
    if not number.is_finite() or not least <= number <= most:
        raise InputError(
            "is out of range", file=name, line=line, field=column, given=written, allowed=allowed
        )
    return number


def _no_hole(
    name: str, line: int, column: str, so_far: Mapping[float, Decimal], body: list[tuple[int, str]],
    head: list[str], years: float,
) -> None:  # fmt: skip
    """Refuse a rate after a blank: a term between two published ones would be read off its neighbours."""
    terms = [float(cells.split(",")[head.index("label_years")]) for i, cells in body[1:] if i < line]
    if so_far and max(so_far) != terms[-1]:
        missing = next(term for term in terms if term > max(so_far))
        raise InputError(
            "has a hole", file=name, line=line, field=column, given=f"no rate for {missing:g} years",
            allowed=f"a rate for every term from {min(so_far):g} to {years:g} years",
        )  # fmt: skip


@cache
def _tables() -> tuple[RateTable, ...]:
    """All shipped notices, oldest first."""
    folder = files("socialfinance.markets") / "data"
    found = [entry for entry in folder.iterdir() if entry.name.startswith("pwlb_rates_")]
    return tuple(_read(e.name, e.read_text("utf-8")) for e in sorted(found, key=lambda e: e.name))


def _read(name: str, text: str) -> RateTable:
    published = date.fromisoformat(name.removeprefix("pwlb_rates_").removesuffix(".csv"))
    source = next(s.removeprefix("# source: ") for s in text.splitlines() if s.startswith("# source: "))
    rows = list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
    rates = {
        key: {float(row["label_years"]): Decimal(row[column]) for row in rows if row[column]}
        for key, column in _COLUMNS.items()
    }
    return RateTable(published, source, rates)


def _points(published: RateTable, kind: str, method: str, years: float, interpolate: bool) -> Decimal:
    column = published.rates[kind, method]
    shortest, longest = min(column), max(column)
    if years in column:
        return column[years]
    band = f"{shortest:g} to {longest:g} years by half-years"
    if not (interpolate and isinstance(years, Real) and shortest < years < longest):
        problem = f"no {kind} {method} rate is published for this term"
        raise InputError(problem, field="years", given=years, allowed=band)
    below = max(term for term in column if term < years)
    above = min(term for term in column if term > years)
    share = Decimal((years - below) / (above - below))
    return column[below] + share * (column[above] - column[below])


def _kind(kind: str) -> str:
    if kind not in get_args(Kind):
        raise InputError("unknown kind of rate", field="kind", given=kind, allowed="new, premature")
    return kind
