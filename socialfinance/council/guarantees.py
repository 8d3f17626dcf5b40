"""A council's guarantee in its accounts: expected credit loss from simulated calls, path by path.

Sources: IFRS 9, 4.2.1(c), 5.5, B5.5.28 to B5.5.55 [unverified]; BDO, IFRS 9 Explained: issued financial
guarantee contracts, 2018. A layer of loss is not linear in what is lost: expected loss is the mean over all
paths of what is called, never a chance times a loss given default of means.

``calls`` and ``recoveries`` are ``(row, path)`` pounds, a row a quarter. A call that is paid in a row was
claimed ``lag`` rows before; the claim is the default.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.core.errors import InputError
from socialfinance.council.numbers import SHARE, Array, number, numbers, whole
from socialfinance.measures.sample import mean_error

if TYPE_CHECKING:
    import pandas as pd

ROWS_A_YEAR = 4
By = Literal["loan", "pool"]
Leg = tuple[str, str, str]
"""payer, payee, reason"""


class Flows(NamedTuple):
    """What passes under a guarantee, ``(row, path)`` pounds, as paid."""

    calls: Array
    recoveries: Array
    fees: Array


def flows_of(
    by_row: Mapping[Leg, Array], council: str, shape: tuple[int, int], legs: Collection[Leg] | None = None
) -> Flows:
    """What a council paid on guarantees, and had back in recoveries and fees, from a ledger's ``by_row``.

    ``shape``: rows and paths. ``legs``: the legs of calls that count, as a promise names them; none: every
    guarantee call it paid. All layers of one guarantor are booked on one leg, and come out together.
    """
    calls, back, fees = (np.zeros(shape) for _ in range(3))
    for leg, rows in by_row.items():
        payer, payee, why = leg
        mine = why == "guarantee call" if legs is None else leg in legs
        if payer == council and mine:
            calls += rows
        elif payee == council and why == "recovery":
            back += rows
        elif payee == council and why == "guarantee fee":
            fees += rows
    return Flows(calls, back, fees)


# --- cost of defaults by when they happen ------------------------------------------------------------


class _Known(NamedTuple):
    """Calls and recoveries made ready."""

    claims: Array
    """``(row, path)`` by the row of the claim"""
    so_far: Array
    """``(row, path)`` claims up to and with the row"""
    recoveries: Array
    lag: int
    quarter: float
    """rate a quarter"""


def _known(calls: ArrayLike, recoveries: ArrayLike | None, lag: int, rate: float) -> _Known:
    paid = numbers("calls", calls)
    if paid.ndim != 2 or 0 in paid.shape:
        raise InputError(
            "must have a row a quarter and a column a path", field="calls", given=paid.shape,
            allowed="(row, path)",
        )  # fmt: skip
    back = np.zeros(paid.shape) if recoveries is None else numbers("recoveries", recoveries)
    if back.shape != paid.shape:
        raise InputError(
            "has another shape than calls", field="recoveries", given=back.shape, allowed=str(paid.shape)
        )
    late = whole("lag", lag, 0, len(paid) - 1)
    if np.any(paid[:late] > 0.0):
        row = int(np.flatnonzero(paid[:late].any(axis=1))[0])
        raise InputError(
            f"are paid before anything can have been claimed {late} rows earlier", field="calls",
            given=f"a call in row {row}", allowed=f"row {late} or later",
        )  # fmt: skip
    claims = np.zeros(paid.shape)
    claims[: len(paid) - late] = paid[late:]
    per_quarter = (1.0 + number("rate", rate, SHARE)) ** (1.0 / ROWS_A_YEAR) - 1.0
    return _Known(claims, np.cumsum(claims, axis=0), back, late, per_quarter)


def _cost(known: _Known, t: int, until: int) -> Array:
    """Value at row t of all that defaults in rows t + 1 to ``until`` cost, ``(path,)`` pounds.

    sum over t < k <= until of claim_k / (1 + q)^(k + lag - t), less the sum over k > t of recovery_k s_k /
    (1 + q)^(k - t), with s_k = (min(C_k, C_until) - C_t) / C_k the part of a recovery that belongs to those
    claims, C what has been claimed so far and q the rate a quarter.
    """
    end = min(until, len(known.claims) - 1)
    ahead = np.arange(1, len(known.claims) - t)
    worth = (1.0 + known.quarter) ** -ahead
    claimed = worth[: end - t] @ known.claims[t + 1 : end + 1] * (1.0 + known.quarter) ** -known.lag
    so_far = known.so_far[t + 1 :]
    theirs = np.minimum(so_far, known.so_far[end]) - known.so_far[t]
    share = np.divide(theirs, so_far, out=np.zeros(so_far.shape), where=so_far > 0.0)
    cost: Array = claimed - worth @ (known.recoveries[t + 1 :] * share)
    return cost


def _first_claim(claims: Array) -> NDArray[np.int64]:
    """Row of the first claim by path; the number of rows where there is none."""
    happens = claims > HALF_A_PENNY
    return np.where(happens.any(axis=0), happens.argmax(axis=0), len(claims))


# --- expected credit loss by year end ----------------------------------------------------------------


def ecl_table(
    calls: ArrayLike, recoveries: ArrayLike | None = None, *, year_ends: Sequence[int], lag: int = 0,
    rate: float = 0.0, by: By = "loan",
) -> pd.DataFrame:  # fmt: skip
    """Expected credit loss at each year end, from simulated calls. Pounds, with standard errors.

    Lifetime: the mean over paths of the value at the year end of what claims made after it cost, less the
    recoveries that belong to them. 12 months: the same for defaults in the next four rows only, all that
    they ever cost. With ``by`` "loan" there is one debtor: its first claim is the default, and all that
    follows belongs to it; with "pool" each claim is a default of its own. ``rate`` is the current rate for
    the risk, a year, annual effective.

    Columns: ``row``; ``standing``, the share of paths not called by then (all of them for a pool);
    ``ecl_12m`` and ``ecl_lifetime``, means over all paths (the run-off view); the same ``_standing``, over
    the paths not called by then (what the accounts show while it stands; none left: NaN); each with
    ``_error``; ``called``, what is still to be claimed where it has been called, mean over those paths
    (stage 3; nil where there are none); ``payable``, claimed and not yet paid, undiscounted, mean over all
    paths, with ``payable_error``.
    """
    import pandas as pd

    if by not in ("loan", "pool"):
        raise InputError("is neither", field="by", given=by, allowed="loan or pool")
    known = _known(calls, recoveries, lag, rate)
    ends = _year_ends(year_ends, len(known.claims))
    first = _first_claim(known.claims)
    return pd.DataFrame([_at(known, first, t, by) for t in ends])


def _year_ends(given: Sequence[int], rows: int) -> list[int]:
    ends = [whole("year_ends", one, 0, rows - 1) for one in given]
    if not ends or ends != sorted(set(ends)):
        raise InputError("must be rows that rise", field="year_ends", given=list(given),
                         allowed=f"from 0 to {rows - 1}")  # fmt: skip
    return ends


def _at(known: _Known, first: NDArray[np.int64], t: int, by: By) -> dict[str, float]:
    """One year end."""
    lifetime = _cost(known, t, len(known.claims) - 1)
    stands = first > t if by == "loan" else np.ones(len(first), dtype=bool)
    if by == "loan":
        ahead = np.where(stands & (first <= t + ROWS_A_YEAR), lifetime, 0.0)
    else:
        ahead = _cost(known, t, t + ROWS_A_YEAR)
    due = known.so_far[t] - (known.so_far[t - known.lag] if t >= known.lag else 0.0)
    found = {"row": float(t), "standing": float(stands.mean())}
    for name, values in (
        ("ecl_12m", ahead), ("ecl_lifetime", lifetime), ("ecl_12m_standing", ahead[stands]),
        ("ecl_lifetime_standing", lifetime[stands]),
    ):  # fmt: skip
        found[name], found[f"{name}_error"] = _mean(values)
    found["called"] = float(lifetime[~stands].mean()) if not stands.all() else 0.0
    found["payable"], found["payable_error"] = _mean(due)
    return found


def _mean(values: Array) -> tuple[float, float]:
    """Mean and its standard error; NaN where there is nothing to take it of."""
    if len(values) == 0:
        return np.nan, np.nan
    return float(values.mean()), mean_error(values)


# --- the higher of -----------------------------------------------------------------------------------


def liability_table(
    ecl: pd.DataFrame, *, premium: float = 0.0, term: int | None = None, initial: float | None = None,
    significant_increase: ArrayLike = False,
) -> pd.DataFrame:  # fmt: skip
    """The guarantee's liability at each year end while it has not been called, and what the year is charged.

    liability = max(allowance, unearned); allowance = 12-month loss in stage 1, lifetime loss in stage 2, once
    credit risk has risen significantly (``significant_increase``: one answer, or one for each year end; the
    30 days past due of the standard are a judgement of the council's); unearned = initial x max(0, 1 - row /
    term), earned in a straight line. ``premium`` is what is paid at close; ``initial`` the fair value there,
    default the premium (for a guarantee that is given free: the value of what is expected to be paid, plus
    a margin). Fees paid in running instalments are earned as they fall due and stand in neither.

    ``term``: row at which the guarantee ends, default the last year end. Columns: ``row``, ``stage``,
    ``stage_1`` and ``stage_2`` (the allowance in either), ``stage_3`` (what is still expected once it has
    been called, beside what is payable), ``allowance``, ``unearned``, ``liability``, ``charged``: the
    liability less the one before, at close less the premium.
    """
    import pandas as pd

    ends = ecl["row"].to_numpy()
    stage_1, stage_2 = (ecl[name].to_numpy() for name in ("ecl_12m_standing", "ecl_lifetime_standing"))
    worse = _answers(significant_increase, len(ends))
    paid = number("premium", premium)
    start = paid if initial is None else number("initial", initial)
    last = int(ends[-1]) if term is None else whole("term", term, 1, 400)
    unearned = start * np.maximum(0.0, 1.0 - ends / max(last, 1))
    allowance = np.where(worse, stage_2, stage_1)
    liability = np.maximum(allowance, unearned)
    return pd.DataFrame(
        {
            "row": ends, "stage": np.where(worse, 2, 1), "stage_1": stage_1, "stage_2": stage_2,
            "stage_3": ecl["called"], "allowance": allowance, "unearned": unearned, "liability": liability,
            "charged": np.diff(liability, prepend=paid),
        }
    )  # fmt: skip


def _answers(given: ArrayLike, count: int) -> NDArray[np.bool_]:
    """One answer for every year end, or one for each."""
    answers = np.atleast_1d(np.asarray(given, dtype=bool))
    if answers.shape not in ((1,), (count,)):
        raise InputError(
            "has another number of year ends", field="significant_increase", given=len(answers),
            allowed=f"one, or {count}",
        )  # fmt: skip
    return np.broadcast_to(answers, (count,))
