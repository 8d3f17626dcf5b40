"""The capital side of a council by financial year: spending, how it is financed, MRP, CFR, debt and limits.

England. Amounts are pounds by year, ``(year,)`` or ``(year, path)``; a single number stands for every year.
Sources: Local Government Act 2003, Part 1; SI 2003/3146, regulations 27 and 28; MHCLG, Capital finance:
guidance on minimum revenue provision (5th edition), 10 April 2024; CIPFA, Prudential Code 2021 [unverified];
IFRS 16, for councils from 1 April 2024 [unverified].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike

from socialfinance.core.errors import InputError
from socialfinance.council import mrp, prudential, treatment
from socialfinance.council.numbers import ANY, NOT_NEGATIVE, Array, Limits, number, numbers, whole

if TYPE_CHECKING:
    import pandas as pd

Method = Literal["equal instalments", "annuity"]
CLOSED = ("regulatory", "cfr 4%", "4%")
"""Ways of MRP that stand for supported debt and spending before 1 April 2008 only."""
A_LOT = 1e12
"""Pounds of which MRP by year is worked out to the penny, to have each year's share of a pound."""
Frame = dict[str, Array]


# --- what is given ----------------------------------------------------------------------------------------


class Spending(NamedTuple):
    """Capital spending by year and what pays for it, pounds; nil unless given.

    What pays for it pays first for assets, then for spending under a direction, then for capital
    loans. What a year does not need is kept for the next: ``unapplied`` in the result.
    """

    assets: ArrayLike = 0.0
    """on assets, charged over ``Finances.asset_life``"""
    directed: ArrayLike = 0.0
    """revenue cost that a direction lets it treat as capital, charged over 20 years"""
    capital_loans: ArrayLike = 0.0
    """lent or put in as equity for others' capital spending"""
    receipts: ArrayLike = 0.0
    """capital receipts that may be used for spending"""
    grants: ArrayLike = 0.0
    revenue: ArrayLike = 0.0
    """paid for out of the year's revenue"""
    lease_sum: ArrayLike = 0.0
    """capital sums against lease liabilities (income strips): what they pay for enters the requirement as the
    lease, not a second time as spending; what later spending leaves of them pays for earlier spending"""
    set_aside: ArrayLike = 0.0
    """capital receipts that repay debt, such as repayments of capital loans: they lower the requirement, and
    take nothing off MRP"""
    loss_allowance: ArrayLike = 0.0
    """expected credit loss on capital loans at each year's end: MRP on them is its rise"""
    drawn: ArrayLike | None = None
    """loans drawn for all this; none: what is unfinanced, in its year"""
    repaid: ArrayLike | None = None
    """principal repaid on them; none: as MRP and receipts are set aside"""
    interest: ArrayLike | None = None
    """paid on them; none: the loan rate on what was owed when the year began"""
    lease_additions: ArrayLike = 0.0
    """to lease liabilities, remeasurement included (below nil where rent falls)"""
    lease_interest: ArrayLike = 0.0
    lease_written_down: ArrayLike = 0.0
    """of the rent what writes the liability down: it is MRP"""
    operational: int = 0
    """position of the year in which assets are in use; earlier spending is charged from the year after it"""


class Finances(NamedTuple):
    """What a council tells of its own books; None is not given, and counts as nil where it is added up."""

    opening_cfr: float | None = None
    """capital financing requirement before the first year"""
    loans: float | None = None
    """outstanding before the first year"""
    loans_repaid: ArrayLike | None = None
    """principal of them repaid by year"""
    mrp_on_opening: ArrayLike | None = None
    """MRP by year on the opening requirement"""
    net_revenue_stream: ArrayLike | None = None
    """by year; none: no ratio"""
    resources: ArrayLike | None = None
    """balance-sheet resources: reserves and working capital; neither they nor liquidity: no benchmark"""
    liquidity: ArrayLike | None = None
    """allowance for liquidity"""
    operational_boundary: ArrayLike | None = None
    """none: no headroom under it"""
    authorised_limit: ArrayLike | None = None
    investment_income: ArrayLike | None = None
    loan_rate: float | None = None
    """on loans, a fraction a year; none: no interest is added"""
    asset_life: int = 40
    """years over which spending on assets is charged"""
    mrp: Method = "annuity"
    mrp_rate: float | None = None
    """of the annuity, a fraction a year; none: the loan rate"""

    @property
    def not_given(self) -> tuple[str, ...]:
        """What the council has not told."""
        derived = {"mrp_rate", "loans_repaid", "mrp_on_opening"}
        return tuple(name for name, value in self._asdict().items() if value is None and name not in derived)


@dataclass(frozen=True)
class Side:
    """The capital side: one array by name, ``(year,)`` or ``(year, path)``."""

    years: tuple[str, ...]
    columns: Mapping[str, Array]
    not_given: tuple[str, ...]
    """of the council's finances: counted as nil, or the columns that need them are not numbers"""

    def frame(self) -> pd.DataFrame:
        """One row a financial year, means over paths; the column ``year`` first."""
        import pandas as pd

        table = {name: np.mean(np.atleast_2d(x.T), axis=0) for name, x in self.columns.items()}
        return pd.DataFrame({"year": list(self.years), **table})


# --- leases -----------------------------------------------------------------------------------------------


class Lease(NamedTuple):
    """A head lease by period, pounds."""

    additions: Array
    """the liability at the start, then what each change of rent adds to it or takes off"""
    interest: Array
    written_down: Array
    """rent less interest: MRP"""
    liability: Array
    """at the end of the period"""


def lease(rent: ArrayLike, rate: float, periods: int | None = None) -> Lease:
    """A head lease on the balance sheet, its liability measured anew whenever the rent changes.

    With n periods left and rent R: liability = R a(n), a(n) = (1 - (1 + r)^-n) / r, the rent passing taken to
    go on. Where rent changes from Q to R, (R - Q) a(n) is added first. interest = r R a(n); written down =
    R - interest; left = R a(n - 1). ``rent`` is what is paid at each period's end, ``(period,)`` or
    ``(period, path)``; ``rate`` a fraction a period; ``periods`` those of the lease from the first with rent,
    default up to the last with rent on any path.
    """
    paid = numbers("rent", rent)
    r = number("rate", rate, (0.0, 1.0, "a fraction a period from 0 to 1"))
    flowing = np.flatnonzero(np.any(paid.reshape(len(paid), -1) > 0.0, axis=1)) if paid.ndim else np.array([])
    if not len(flowing):
        nothing = np.zeros(paid.shape)
        return Lease(nothing, nothing, nothing, nothing)
    first = int(flowing[0])
    last = int(flowing[-1])
    runs = last - first + 1 if periods is None else whole("periods", periods, last - first + 1, 1000)
    left = runs - (np.arange(len(paid)) - first)
    runs_now = (left >= 1) & (left <= runs)
    now, after = (_worth(r, n).reshape((-1,) + (1,) * (paid.ndim - 1)) for n in (left, left - 1))
    before = np.concatenate([np.zeros((1, *paid.shape[1:])), paid[:-1]])
    on = runs_now.reshape(now.shape)
    interest: Array = np.where(on, r * paid * now, 0.0)
    return Lease(
        np.where(on, (paid - before) * now, 0.0), interest, np.where(on, paid - interest, 0.0),
        np.where(on, paid * after, 0.0),
    )  # fmt: skip


def _worth(rate: float, periods: Any) -> Array:
    """Worth of £1 at the end of each of so many periods."""
    n = np.maximum(periods, 0).astype(float)
    return n if rate == 0.0 else np.asarray(-np.expm1(-n * np.log1p(rate)) / rate)


def lease_by_year(
    rent: ArrayLike, annual_rate: float, year_of_row: Sequence[int], periods: int | None = None
) -> Lease:
    """A lease with rent by quarter, ``(row,)`` or ``(row, path)``, summed by financial year.

    ``annual_rate`` is effective: (1 + r)^(1/4) - 1 a quarter. The liability is that at each year's end.
    """
    rate = number("annual_rate", annual_rate, (0.0, 1.0, "a fraction a year from 0 to 1"))
    found = lease(rent, (1.0 + rate) ** 0.25 - 1.0, periods)
    if len(year_of_row) != len(found.liability):
        raise InputError(
            "has another number of rows", field="year_of_row", given=len(year_of_row),
            allowed=str(len(found.liability)),
        )  # fmt: skip
    added, interest, written_down = (_summed(x, year_of_row) for x in found[:3])
    ends = {year: row for row, year in enumerate(year_of_row)}
    close = found.liability[[ends[year] for year in sorted(ends)]]
    return Lease(added, interest, written_down, close)


def _summed(rows: Array, year_of_row: Sequence[int]) -> Array:
    total = np.zeros((max(year_of_row) + 1, *rows.shape[1:]))
    np.add.at(total, np.asarray(year_of_row), rows)
    return total


# --- minimum revenue provision ----------------------------------------------------------------------------


def provision(spent: Array, life: int, method: str, rate: float = 0.0, operational: int = 0) -> Array:
    """MRP by year on spending by year, each year's charged on its own over ``life`` years.

    Charges begin in the year after the spending, or after year ``operational`` where that is later. By equal
    instalments 1 / life a year; by annuity the principal of a level payment at ``rate`` (``mrp.annuity``).
    InputError for the CFR and regulatory methods, which are closed to new spending.
    """
    return _by_share(spent, _shares(life, method, rate), operational)


def _by_share(spent: Array, charge: Array, operational: int) -> Array:
    """Spending by year charged by each year's share of a pound, from the year after it or its use."""
    found = np.zeros(spent.shape)
    for year in range(len(spent)):
        start = max(year, operational) + 1
        charged = charge[: max(0, len(spent) - start)]
        found[start : start + len(charged)] += np.multiply.outer(charged, spent[year])
    return found


def _shares(life: int, method: str, rate: float) -> Array:
    """Of a pound, what is charged in each year."""
    if method in CLOSED:
        raise InputError(
            "is for supported debt and spending before 1 April 2008: closed to new spending", field="mrp",
            given=method, allowed=", ".join(get_args(Method)),
        )  # fmt: skip
    if method not in get_args(Method):
        raise InputError("is no method", field="mrp", given=method, allowed=", ".join(get_args(Method)))
    if method == "annuity":
        return mrp.annuity(A_LOT, life, rate) / A_LOT
    return mrp.equal_instalments(A_LOT, life) / A_LOT


def _on_loans(allowance: Array) -> Array:
    """``mrp.expected_loss`` on every path: the rise of the allowance, never below nil."""
    return np.maximum(np.diff(allowance, axis=0, prepend=0.0), 0.0)


# --- the whole --------------------------------------------------------------------------------------------


def by_year(years: Sequence[str], spending: Spending, finances: Finances | None = None) -> Side:
    """The capital side by financial year.

    unfinanced = spending - revenue, lease sums, grants and receipts applied, in this order, and below nil in
    a year whose lease sums pay for spending of earlier years; CFR = open +
    unfinanced + lease additions - MRP - receipts set aside (``mrp.cfr_roll``); financing cost = interest +
    MRP - investment income; ratio = financing cost / net revenue stream; headroom = limit - (loans + lease
    liability); benchmark = CFR less leases - resources - what is unapplied + liquidity; to borrow =
    benchmark - loans.

    Loans are those the council had, less what is repaid, and those of this spending. Interest falls on what
    was owed when the year began, so a year's borrowing first costs in the next. InputError where a number is
    no number, is below nil, or stands for another number of years.
    """
    own = finances or Finances()
    n = len(years)
    flows = _flows(spending, n)
    found = _financed(flows, spending)
    found.update(_charged(flows, found, spending, own))
    found.update(_rolled(found, flows, own))
    found.update(_owed(found, flows, spending, own))
    found.update(_measured(found, flows, own))
    shown = {name: found[name] for name in COLUMNS}
    return Side(tuple(years), shown, own.not_given)


COLUMNS = (
    "capital_spend", "by_receipts", "by_grants", "by_revenue", "by_lease_sum", "unfinanced", "unapplied",
    "set_aside", "lease_additions", "mrp", "mrp_leases", "cfr_open", "cfr_close", "lease_liability", "loans",
    "interest", "investment_income", "financing_cost", "ratio", "ratio_gross", "headroom_boundary",
    "headroom_limit", "liability_benchmark", "to_borrow",
)  # fmt: skip
"""In the order of the frame. ``mrp`` includes ``mrp_leases``, ``interest`` that of leases."""


def spending_of(columns: Mapping[Any, Array], **more: Any) -> Spending:
    """The spending that payments by column and rule show (``treatment.by_column``).

    Assets: works, property bought and capital grants given. Receipts: sales, overage, and what pays under the
    flexible receipts direction; capital loans repaid are set aside. ``more`` are further fields of
    ``Spending``, or others in their place: leases, loans.
    """

    def total(*rules: treatment.Treatment) -> Any:
        return sum((columns[rule[:2]] for rule in rules if rule[:2] in columns), np.zeros(1)[0])

    found: dict[str, Any] = {
        "assets": -total(treatment.WORKS, treatment.BOUGHT, treatment.CAPITAL_GIVEN),
        "directed": -total(treatment.DIRECTED, treatment.FLEXIBLE),
        "capital_loans": -total(treatment.PUT_IN),
        "receipts": total(treatment.SOLD, treatment.OVERAGE, treatment.BY_RECEIPTS),
        "set_aside": total(treatment.REPAID_TO),
        "lease_sum": total(treatment.LIABILITY),
        "grants": total(treatment.CAPITAL_GRANT),
    }  # fmt: skip
    loans = {"drawn": total(treatment.BORROWED), "repaid": -total(treatment.REPAID)}
    if np.any(loans["drawn"] > 0.0):
        found.update(loans, interest=-total(treatment.INTEREST))
    return Spending(**{**found, **more})


def _flows(spending: Spending, years: int) -> Frame:
    """What is given by year, all in one shape: ``(year,)``, or ``(year, path)`` where anything has paths."""
    given = {
        name: _array(name, value, years)
        for name, value in spending._asdict().items()
        if value is not None and name != "operational"
    }
    if any(one.ndim == 2 for one in given.values()):
        given = {name: one if one.ndim == 2 else one[:, None] for name, one in given.items()}
    try:
        shape = np.broadcast_shapes(*(one.shape for one in given.values()))
    except ValueError:
        shapes = ", ".join(sorted({str(one.shape) for one in given.values()}))
        raise InputError("has several numbers of paths", field="spending", given=shapes) from None
    return {name: np.broadcast_to(one, shape) for name, one in given.items()}


def _financed(flows: Mapping[str, Array], spending: Spending) -> Frame:
    """What pays for each year's spending; receipts and grants that are left are kept for later years."""
    spend = flows["assets"] + flows["directed"] + flows["capital_loans"]
    left = spend - np.minimum(flows["revenue"], spend)
    found: Frame = {"capital_spend": spend, "by_revenue": spend - left}
    unapplied = np.zeros(spend.shape)
    for name in ("lease_sum", "grants", "receipts"):
        used, kept = _applied(flows[name], left)
        found[f"by_{name}"] = used
        left, unapplied = left - used, unapplied + kept
    return {**found, "unfinanced": left, "unapplied": unapplied}


def _applied(came: Array, wanted: Array) -> tuple[Array, Array]:
    """By year: what is used of what came in so far, and what is kept at the year's end."""
    used, kept, pot = np.zeros(wanted.shape), np.zeros(wanted.shape), 0.0 * wanted[0]
    for year in range(len(wanted)):
        pot = pot + came[year]
        used[year] = np.minimum(pot, wanted[year])
        pot = pot - used[year]
        kept[year] = pot
    return used, kept


def _charged(flows: Mapping[str, Array], found: Frame, spending: Spending, own: Finances) -> Frame:
    """MRP: on assets over their life, under a direction over 20 years, on loans as they lose, on leases."""
    n = len(found["unfinanced"])
    paid = found["capital_spend"] - found["unfinanced"]
    assets = np.maximum(flows["assets"] - paid, 0.0)
    over = np.maximum(paid - flows["assets"], 0.0)
    directed = np.maximum(flows["directed"] - over, 0.0)
    rate = own.mrp_rate if own.mrp_rate is not None else own.loan_rate or 0.0
    in_use = whole("operational", spending.operational, 0, 1000)
    spare = np.minimum.accumulate(_applied(flows["lease_sum"], found["by_lease_sum"])[1][::-1], axis=0)[::-1]
    made, back = _charged_and_paid(
        (
            (assets, _shares(own.asset_life, own.mrp, rate), in_use),
            (directed, _shares(mrp.CAPITALISATION_LIFE, own.mrp, rate), 0),
        ),
        spare,
    )
    found["by_lease_sum"] = found["by_lease_sum"] + back
    found["unfinanced"] = found["unfinanced"] - back
    found["unapplied"] = np.maximum(found["unapplied"] - np.cumsum(back, axis=0), 0.0)
    made = made + _on_loans(flows["loss_allowance"])
    before = _like(_array("mrp_on_opening", _or_nil(own.mrp_on_opening), n), made)
    leases = flows["lease_written_down"]
    return {"mrp": made + before + leases, "mrp_leases": leases, "mrp_of_spending": made}


def _charged_and_paid(spent: Sequence[tuple[Array, Array, int]], spare: Array) -> tuple[Array, Array]:
    """MRP by year, and what lease sums pay of earlier years' spending, the oldest first.

    ``spent`` is unfinanced spending by year, each year's share of a pound, and the year in use. ``spare`` is
    what is kept of lease sums at each year's end and never needed later. What they pay lowers all later
    charges on that spending in proportion, so that it ends when it would have.
    """
    made, back = np.zeros(spare.shape), np.zeros(spare.shape)
    if not np.any(spare > 0.0):
        for amounts, shares, in_use in spent:
            made += _by_share(amounts, shares, in_use)
        return made, back
    lots = [
        (amounts[year], shares, max(year, in_use) + 1, year)
        for year in range(len(spare)) for amounts, shares, in_use in spent if np.any(amounts[year] > 0.0)
    ]  # fmt: skip
    owed, kept = [lot[0] for lot in lots], [np.ones(spare.shape[1:]) for _ in lots]
    for year in range(len(spare)):
        left = np.maximum(spare[year] - back.sum(axis=0), 0.0)
        for i, (amount, shares, first, when) in enumerate(lots):
            if when > year:
                break
            due = shares[year - first] if first <= year < first + len(shares) else 0.0
            charge = kept[i] * amount * due
            before = owed[i] - charge
            paid = np.clip(before, 0.0, left)
            stays = np.divide(before - paid, before, out=np.zeros(paid.shape), where=before > 0.0)
            kept[i], owed[i], left = kept[i] * stays, before - paid, left - paid
            made[year] += charge
            back[year] += paid
    return made, back


def _rolled(found: Frame, flows: Mapping[str, Array], own: Finances) -> Frame:
    """The requirement and the lease liability rolled forward."""
    start = number("opening_cfr", own.opening_cfr or 0.0)
    moved = found["unfinanced"] + flows["lease_additions"] - found["mrp"] - flows["set_aside"]
    close = start + np.cumsum(moved, axis=0)
    liability = np.cumsum(flows["lease_additions"] - found["mrp_leases"], axis=0)
    return {
        "cfr_open": close - moved, "cfr_close": close, "lease_liability": liability,
        "lease_additions": flows["lease_additions"], "set_aside": flows["set_aside"],
    }  # fmt: skip


def _owed(found: Frame, flows: Mapping[str, Array], spending: Spending, own: Finances) -> Frame:
    """Loans and interest."""
    n, rate = len(found["mrp"]), number("loan_rate", own.loan_rate or 0.0, mrp.RATE)
    had = number("loans", own.loans or 0.0)
    gone = np.cumsum(_like(_array("loans_repaid", _or_nil(own.loans_repaid), n), found["mrp"]), axis=0)
    if np.any(gone > had + 0.005):
        raise InputError("is more than the loans there were", field="loans_repaid", given=own.loans_repaid)
    old = had - gone
    drawn = flows.get("drawn", found["unfinanced"])
    repaid = flows.get("repaid", found["mrp_of_spending"] + flows["set_aside"])
    new = np.cumsum(drawn - repaid, axis=0)
    interest = rate * (_opening(old, had))
    interest = interest + (flows["interest"] if spending.interest is not None else rate * _opening(new, 0.0))
    return {"loans": old + new, "interest": interest + flows["lease_interest"]}


def _measured(found: Frame, flows: Mapping[str, Array], own: Finances) -> Frame:
    """Financing cost, ratio, headroom, benchmark; not a number where what they need is not given."""
    n, like = len(found["mrp"]), found["mrp"]
    income = _like(_array("investment_income", _or_nil(own.investment_income), n), like)
    cost = found["interest"] + found["mrp"] - income
    nowhere = np.full(like.shape, np.nan)
    made: Frame = {"investment_income": income, "financing_cost": cost}
    made["ratio"], made["ratio_gross"] = nowhere, nowhere
    if own.net_revenue_stream is not None:
        stream = _like(_array("net_revenue_stream", own.net_revenue_stream, n), like)
        made["ratio"], made["ratio_gross"] = prudential.ratio(found["interest"], found["mrp"], income, stream)
    made.update(_headroom(found, own, nowhere))
    made["liability_benchmark"], made["to_borrow"] = nowhere, nowhere
    if own.resources is not None or own.liquidity is not None:
        resources = _like(_array("resources", _or_nil(own.resources), n), like) + found["unapplied"]
        liquidity = _like(_array("liquidity", _or_nil(own.liquidity), n), like)
        need = found["cfr_close"] - found["lease_liability"]
        made["liability_benchmark"], made["to_borrow"] = prudential.liability_benchmark(
            need, resources, liquidity, np.maximum(found["loans"], 0.0)
        )
    return made


def _headroom(found: Frame, own: Finances, nowhere: Array) -> Frame:
    made: Frame = {"headroom_boundary": nowhere, "headroom_limit": nowhere}
    boundary, limit = own.operational_boundary, own.authorised_limit
    either = boundary if boundary is not None else limit
    if either is None:
        return made
    n = len(nowhere)
    debt = np.maximum(found["loans"] + found["lease_liability"], 0.0)
    room = prudential.headroom(
        debt,
        _like(_array("operational_boundary", either, n), nowhere),
        _like(_array("authorised_limit", limit if limit is not None else either, n), nowhere),
    )
    if boundary is not None:
        made["headroom_boundary"] = room.operational_boundary
    if limit is not None:
        made["headroom_limit"] = room.authorised_limit
    return made


def _or_nil(given: ArrayLike | None) -> ArrayLike:
    return 0.0 if given is None else given


def _opening(close: Array, before: float) -> Array:
    """What was owed when each year began."""
    return np.concatenate([np.full((1, *close.shape[1:]), before), close[:-1]])


def _array(field: str, given: ArrayLike, years: int) -> Array:
    """By year, ``(year,)`` or ``(year, path)``; one number stands for every year."""
    limits: Limits = ANY if field in ("lease_additions",) else NOT_NEGATIVE
    found = numbers(field, given, limits)
    if found.ndim == 0:
        return np.full(years, float(found))
    if len(found) != years or found.ndim > 2:
        allowed = f"one number, or {years}, one a year (or a row of paths a year)"
        raise InputError("has another number of years", field=field, given=found.shape, allowed=allowed)
    return found


def _like(given: Array, other: Array) -> Array:
    """An array by year beside others by year and path."""
    if given.ndim < other.ndim:
        given = given[:, None]
    return np.broadcast_to(given, np.broadcast_shapes(given.shape, other.shape)).copy()
