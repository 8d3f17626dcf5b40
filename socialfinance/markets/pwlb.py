"""Public Works Loan Board: published rates, product margins, loan schedules, fees.

Rates are quoted nominal a year, payable half-yearly: r a year is r / 2 for each half-year, and
(1 + r / 2)^2 - 1 effective. Rates here are fractions, amounts pounds, loan arithmetic in pence.
Source: UK Debt Management Office (DMO) rate notices and technical notes.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation, localcontext
from functools import cache
from importlib.resources import files
from numbers import Real
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from socialfinance.core.errors import InputError
from socialfinance.kernels import returns, schedules
from socialfinance.kernels.schedules import check_method, pence_schedule, to_pence

if TYPE_CHECKING:
    import pandas as pd

Product = Literal["standard", "certainty", "hra", "local-infrastructure"]
Kind = Literal["new", "premature"]
Amount = Decimal | int | str | float

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

SHORTEST = {"maturity": 1, "eip": 2, "annuity": 2}
"""Years of the shortest loan of each method."""
_LONGEST = 50
A_FRACTION = "a fraction a year from 0 to 1: 0.0587 is 5.87%"
_LARGEST = Decimal(10**12)
"""Pounds: above it a penny would be rounded away."""


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


def effective_rate(nominal: float) -> float:
    """Annual effective rate (1 + r / 2)^2 - 1 of a PWLB rate r: 0.0587 is 0.05956."""
    return float(returns.effective_rate(nominal, 2))


def schedule(
    principal: Amount, rate: float, years: float, method: str, *, rounding: bool = True
) -> pd.DataFrame:
    """Half-yearly instalments of a fixed-rate loan; the first six months after the advance.

    Columns: ``period`` from 1, ``interest``, ``principal``, ``payment``, ``balance`` after it, pounds. Each
    interest and principal is rounded half-up to a penny and the last instalment clears the balance, or, with
    ``rounding=False``, nothing is rounded. ``rate`` is a fraction, nominal a year. Terms are whole
    half-years: maturity 1 to 50 years, EIP and annuity 2 to 50 [unverified: PWLB Circular 163, October 2021].
    The formulas are those of ``socialfinance.kernels.schedules``, where the same is in decimals.
    """
    import pandas as pd

    half_years = _half_years(years, check_method(method))
    rows = pence_schedule(_pounds(principal), _fraction(rate) / 2, half_years, method, rounding=rounding).rows
    columns = ("interest", "principal", "payment", "balance")
    money = {name: [float(getattr(row, name)) for row in rows] for name in columns}
    return pd.DataFrame({"period": [row.period for row in rows], **money})


class PrematureRepayment(NamedTuple):
    """What a lender is paid beside what is outstanding when a fixed-rate loan is repaid early, pounds."""

    amount: Decimal
    """premium where positive, discount where negative"""
    accrued_interest: Decimal
    """since the last interest payment"""
    factor: Decimal
    """amount over what is outstanding, unrounded"""
    total: Decimal
    """outstanding, amount and accrued interest together"""


def premature_repayment(
    method: str, outstanding: Amount, loan_rate: float, repayment_rate: float, remaining_half_years: int,
    days: int = 0,
) -> PrematureRepayment:  # fmt: skip
    """Premium or discount on early repayment, by the lender's formula.

    With l and d half the loan's and the repayment rate, N half-years left, D days since interest was last
    paid, a(i, N) = (1 - (1 + i)^-N) / i, A = 1 + d D / 182.5 and B = 1 + l D / 182.5, per pound outstanding:
    maturity A (l a(d, N) + (1 + d)^-N) - B; EIP A ((a(d, N) / N) (1 - l / d) + l / d) - B; annuity
    A a(d, N) / a(l, N) - B. Accrued interest is l D / 182.5. The repayment rate is that published for
    premature repayment, for the same method and the years left: ``rate(..., kind="premature")``. Source:
    PWLB, Formula for calculating the premium or discount on premature repayment of half-yearly fixed-rate
    loans (Debt Management Office).
    """
    check_method(method)
    n = _whole(remaining_half_years, "remaining_half_years", 1, 2 * _LONGEST)
    passed = Decimal(_whole(days, "days", 0, 183)) / Decimal("182.5")
    owed = _between(outstanding, Decimal(0), _LARGEST, "outstanding", f"0 to {_LARGEST:,f} pounds")
    with localcontext(prec=50):
        loan = _between(loan_rate, Decimal(0), Decimal(1), "loan_rate", A_FRACTION) / 2
        now = _between(repayment_rate, Decimal(0), Decimal(1), "repayment_rate", A_FRACTION) / 2
        if method == "maturity":
            worth = loan * _annuity(now, n) + (1 + now) ** -n
        elif method == "eip":
            # interest l on the balance and 1 / N of principal each half-year; its limit where d is nil
            later = (1 - _annuity(now, n) / n) / now if now else Decimal(n + 1) / 2
            worth = _annuity(now, n) / n + loan * later
        else:
            worth = _annuity(now, n) / _annuity(loan, n)
        factor = (1 + now * passed) * worth - (1 + loan * passed)
        amount = to_pence(owed * factor) + Decimal(0)
        interest = to_pence(owed * loan * passed)
    return PrematureRepayment(amount, interest, factor, owed + amount + interest)


def _annuity(rate: Decimal, n: int) -> Decimal:
    """Worth of 1 a half-year, n times: (1 - (1 + i)^-n) / i, or n at no interest."""
    return (1 - (1 + rate) ** -n) / rate if rate else Decimal(n)


def fees(principal: Amount, kind: str = "fixed") -> Decimal:
    """Fee on an advance, in pounds: 35p per 1,000 at a fixed rate, 45p variable, at least 25.

    [unverified]: PWLB Circular 163, October 2021, not confirmed.
    """
    per_thousand = {"fixed": Decimal("0.35"), "variable": Decimal("0.45")}
    if kind not in per_thousand:
        raise InputError("unknown kind of loan", field="kind", given=kind, allowed="fixed, variable")
    return max(to_pence(_pounds(principal) / 1000 * per_thousand[kind]), Decimal("25.00"))


def interest(principal: Amount, rate: float, days: int) -> Decimal:
    """Simple interest P r days / 365, to the penny: a broken first period, or one of a variable-rate loan.

    [unverified]: inferred from D / 182.5 in the lender's premature repayment formula.
    """
    return to_pence(_pounds(principal) * _fraction(rate) * _whole(days, "days", 0, 366) / 365)


def _pounds(given: Any) -> Decimal:
    return _between(given, Decimal(0), _LARGEST, "principal", f"0 to {_LARGEST:,f} pounds")


def _fraction(given: Any) -> Decimal:
    return _between(given, Decimal(0), Decimal(1), "rate", A_FRACTION)


def _between(given: Any, least: Decimal, most: Decimal, field: str, allowed: str) -> Decimal:
    """A number as it is written, or an error that says what may stand there."""
    try:
        number = Decimal(str(given))
    except InvalidOperation:
        raise InputError("is not a number", field=field, given=given, allowed=allowed) from None
    if not number.is_finite() or not least <= number <= most:
        raise InputError("is out of range", field=field, given=given, allowed=allowed)
    return number


def _whole(given: Any, field: str, least: int, most: int) -> int:
    try:
        number = index(given)
    except TypeError:
        number = least - 1
    if not least <= number <= most:
        raise InputError("is no such whole number", field=field, given=given, allowed=f"{least} to {most}")
    return number


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
        row = dict(zip(head, (cell.strip() for cell in line.split(",")), strict=False))
        years = _cell(name, number, "label_years", row, Decimal("0.5"), _LONGEST)
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


def _half_years(years: float, method: schedules.Method) -> int:
    known = isinstance(years, Real) and SHORTEST[method] <= years <= _LONGEST
    if not known or 2 * years != round(2 * years):
        allowed = f"{SHORTEST[method]} to {_LONGEST} years by half-years"
        a = "a" if method == "maturity" else "an"
        raise InputError(f"not a term of {a} {method} loan", field="years", given=years, allowed=allowed)
    return round(2 * years)
