"""Income tax on interest, by band and day, and what a yield in an ISA is worth outside one.

Rates and yields are fractions a year, amounts pounds. A table's entry holds from its date until the next;
one marked ``unverified`` still has to be confirmed, and so has every answer that rests on it. The rates are
the UK's, Scotland and Wales included. Left out: the £5,000 starting rate for savings of people with low
earnings, and people who pay no tax. ``band`` is the band of the whole of somebody's income, this included.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from math import inf
from typing import Any, Literal, NamedTuple, TypeVar, get_args

from socialfinance.core.errors import InputError

Band = Literal["basic", "higher", "additional"]
BANDS: tuple[Band, ...] = get_args(Band)


class Entry(NamedTuple):
    """A number of a dated table: the day it takes effect, unit and source, and whether it is confirmed."""

    starts: date
    value: float
    unit: str
    source: str
    unverified: bool = False


class Answer(NamedTuple):
    """A yield (fraction a year), where its tax rates come from, and whether one is still unverified."""

    value: float
    sources: tuple[str, ...]
    unverified: bool


class _Year(NamedTuple):
    """Values of the three bands in the order of BANDS, from a day."""

    starts: date
    values: tuple[float, float, float]
    source: str
    unverified: bool = False


# Parliament sets the savings rates a year at a time. Nothing sets them after 5 April 2028 yet.
_RATES = [
    _Year(date(2025, 4, 6), (0.20, 0.40, 0.45), "Finance Act 2025 (c. 8), section 3(2): tax year 2025-26"),
    _Year(date(2026, 4, 6), (0.20, 0.40, 0.45), "Finance Act 2026 (c. 11), section 3(2): tax year 2026-27"),
    _Year(date(2027, 4, 6), (0.22, 0.42, 0.47), "Finance Act 2026 (c. 11), section 5: tax year 2027-28"),
    _Year(date(2028, 4, 6), (0.22, 0.42, 0.47), "as for 2027-28: no Act for 2028-29 known here", True),
]

# Before 2025-26 there is no rate here to use it with, though it is as old as 6 April 2016.
_ALLOWANCES = [
    _Year(
        date(2016, 4, 6),
        (1000.0, 500.0, 0.0),
        "Income Tax Act 2007 (c. 3), section 12B, put in by Finance Act 2016 (c. 24), section 4",
    ),
]

_ISA = [
    Entry(
        date(2017, 4, 6),
        20_000.0,
        "pounds a tax year, over all of a person's ISAs",
        "gov.uk, Individual Savings Accounts; unchanged until April 2031: HMRC, tax-free savings newsletter "
        "19, 27 November 2025",
    ),
    Entry(
        date(2031, 4, 6),
        20_000.0,
        "pounds a tax year, over all of a person's ISAs",
        "as until April 2031: nothing later is announced",
        True,
    ),
]

_Dated = TypeVar("_Dated", _Year, Entry)

_POUNDS = "0 or more pounds"
_FRACTION = "a fraction a year from 0 to 1: 0.04 is 4%"


def rate(band: Band, on: date) -> Entry:
    """The rate of income tax on savings income beyond the allowance: ``value`` a fraction, 0.2 is 20%.

    Known from 6 April 2025. From 6 April 2028 it is ``unverified``. InputError: ``band`` is none of BANDS,
    ``on`` is no date or too early.
    """
    return _of_band(_RATES, band, on, "fraction of savings income")


def allowance(band: Band, on: date) -> Entry:
    """The personal savings allowance: ``value`` in pounds of interest a tax year that bear no tax.

    Errors as for ``rate``.
    """
    return _of_band(_ALLOWANCES, band, on, "pounds of savings income a tax year")


def isa_allowance(on: date) -> Entry:
    """The most a person may pay into all their ISAs in the tax year of a day: ``value`` in pounds.

    The £12,000 limit for cash from 6 April 2027 does not bind on notes. InputError: ``on`` as for ``rate``.
    """
    return _latest(_ISA, on)


def allowance_left(band: Band, on: date, interest: float = 0.0) -> float:
    """Pounds of the allowance that ``interest`` (pounds of other savings income this tax year) leaves.

    left = max(0, allowance − interest). InputError: as for ``rate``, and ``interest`` below 0.
    """
    _check(interest, "interest", inf, _POUNDS)
    return max(0.0, allowance(band, on).value - interest)


def tax_equivalent_yield(
    net_yield: float, band: Band, on: date, interest: float = 0.0, *, invested: float | None = None
) -> Answer:
    """The gross yield that a holder must earn outside an ISA to keep as much as ``net_yield`` inside one.

    g − tax(g) = n, where tax(g) = t x max(0, g − a), n the net yield and t the rate, is

        g = n                    where n <= a
        g = (n − t a) / (1 − t)  where n > a

    a = allowance left / invested: the yield up to which no tax is due. Without ``invested`` (pounds) the
    allowance is taken as used up: a = 0, and g = n / (1 − t). ``interest`` is what other savings pay the
    holder in the tax year, pounds, and uses the allowance first. Fractions a year; the day fixes the tax
    year, and interest is taxed in the year in which it is paid.

    InputError: a yield outside 0 to 1, pounds below 0 (``invested`` at 0), ``interest`` without ``invested``,
    and as for ``rate``.
    """
    _check(net_yield, "net_yield", 1.0, _FRACTION)
    taxed = rate(band, on)
    left = allowance_left(band, on, interest)
    if invested is None:
        if interest > 0:
            raise InputError("says nothing without invested", field="interest", given=interest, allowed="0")
        return _answer(net_yield / (1 - taxed.value), taxed)
    free = left / _some(invested)
    gross = net_yield if net_yield <= free else (net_yield - taxed.value * free) / (1 - taxed.value)
    return _answer(gross, taxed, allowance(band, on))


def after_tax(gross: float, invested: float, allowance_left: float, band: Band, on: date) -> Answer:
    """The yield that is kept outside an ISA: the inverse of ``tax_equivalent_yield``.

    n = g − t x max(0, g − a), a = allowance left / invested. ``gross`` is a fraction a year, ``invested`` and
    ``allowance_left`` are pounds, the latter 0 where other interest has used it up (``allowance_left()``).
    InputError: a yield outside 0 to 1, pounds below 0 (``invested`` at 0), more left than the band's
    allowance, and as for ``rate``.
    """
    _check(gross, "gross", 1.0, _FRACTION)
    taxed, most = rate(band, on), allowance(band, on)
    _check(
        allowance_left, "allowance_left", most.value, f"0 to {most.value:,.0f} pounds: the {band} allowance"
    )
    free = allowance_left / _some(invested)
    return _answer(gross - taxed.value * max(0.0, gross - free), taxed, most)


def _of_band(table: Sequence[_Year], band: Band, on: date, unit: str) -> Entry:
    if band not in BANDS:
        raise InputError("unknown tax band", field="band", given=band, allowed=", ".join(BANDS))
    found = _latest(table, on)
    return Entry(found.starts, found.values[BANDS.index(band)], unit, found.source, found.unverified)


def _latest(table: Sequence[_Dated], on: date) -> _Dated:
    # A datetime is a date too, but cannot be compared with one.
    if not isinstance(on, date) or isinstance(on, datetime):
        raise InputError("is not a date", field="on", given=on, allowed="a day, without a time")
    in_force = [entry for entry in table if entry.starts <= on]
    if not in_force:
        allowed = f"{table[0].starts} or later"
        raise InputError("no tax table that old", field="on", given=on, allowed=allowed)
    return in_force[-1]


def _answer(value: float, *rests_on: Entry) -> Answer:
    return Answer(
        value, tuple(entry.source for entry in rests_on), any(entry.unverified for entry in rests_on)
    )


def _some(invested: float) -> float:
    _check(invested, "invested", inf, "more than 0 pounds")
    if invested == 0:
        raise InputError("is out of range", field="invested", given=invested, allowed="more than 0 pounds")
    return invested


def _check(given: Any, field: str, most: float, allowed: str) -> None:
    """Refuse what is no number from 0 to ``most``; true, nan and infinity are none."""
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise InputError("is not a number", field=field, given=given, allowed=allowed)
    if not 0 <= given <= most or given == inf:
        raise InputError("is out of range", field=field, given=given, allowed=allowed)
