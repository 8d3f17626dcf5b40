"""Payments out of savings: what agencies verifiably save, and the part of it that they pay over.

``docs/structures/pay-as-you-save.md`` has the formulas, under *Payment out of savings*.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.core.errors import InputError
from socialfinance.instruments.base import Draw
from socialfinance.instruments.tariff import AgencyPays, SavingsPayment
from socialfinance.kernels.elementwise import least, most, part, put, where
from socialfinance.programmes.delivery import Activity
from socialfinance.programmes.people import Programme

INFINITE = float("inf")
Tuple = tuple[Any, ...]


class Terms(NamedTuple):
    """Lowered terms; one entry a saving or an agency."""

    agency: Tuple
    """by saving: position of the agency that saves, -1 where it pays nothing over"""
    share: Tuple
    """by agency: part of what is verified that it pays"""
    cap: Tuple
    capacity: Tuple
    """by agency: 1 where capacity that is freed counts beside cash"""
    at_once: float
    """1 where savings are verified in the quarter in which they fall"""
    no_agencies: Tuple


class State(NamedTuple):
    """Carried from row to row, pounds by agency."""

    verified: Tuple
    """so far; a quarter in which an agency spends more than its baseline is carried forward"""
    paid: Tuple
    """so far"""


class Drawn(NamedTuple):
    """How far what is measured is from what is true."""

    error: Any
    """verified over true savings"""
    counterfactual: Tuple
    """by agency: what it would have spent without the programme over its agreed baseline"""


class Saved(NamedTuple):
    """Savings of this row, pounds by agency."""

    verified: Tuple
    paid: Tuple


def save(
    terms: Terms,
    state: State,
    baseline: Tuple,
    counts: Tuple,
    activity: Activity,
    due: Tuple,
    drawn: Drawn,
    open_to_claims: Any,
) -> tuple[State, Saved, Tuple]:
    """What agencies verifiably save in this row and pay over: ``(state, saved, entering)``.

    measured = baseline x (1 - counterfactual) + true saving x error, by agency and while its savings count:
    the agreed baseline less what was really spent, baseline x counterfactual - true saving. It is verified
    after its lag; share x verified so far, at most the cap, less what was paid before is paid, never below
    nil. What was paid stays paid: where verified savings fall later, later payments are less.
    """
    measured = terms.no_agencies
    for a in range(len(terms.share)):
        measured = put(measured, a, part(1.0 - drawn.counterfactual[a], baseline[a]))
    for s in range(len(terms.agency)):
        a = int(terms.agency[s])
        if a >= 0:
            true = activity.cashable[s] + part(activity.not_cashable[s], terms.capacity[a])
            measured = put(measured, a, measured[a] + part(true * drawn.error, counts[a]))
    verified = terms.no_agencies
    so_far = state.verified
    paid = terms.no_agencies
    paid_so_far = state.paid
    for a in range(len(terms.share)):
        now = where(terms.at_once > 0.0, measured[a], due[a])
        verified = put(verified, a, now)
        so_far = put(so_far, a, so_far[a] + now)
        owed = least(part(so_far[a], terms.share[a]), terms.cap[a]) - state.paid[a]
        paid = put(paid, a, part(most(0.0, owed), open_to_claims))
        paid_so_far = put(paid_so_far, a, paid_so_far[a] + paid[a])
    return State(so_far, paid_so_far), Saved(verified, paid), measured


def lower_savings(
    payment: SavingsPayment | None, programme: Programme
) -> tuple[Terms, State, tuple[int, ...], Drawn]:
    """The terms as floats: terms, opening state, lags, draws. Without any, one agency that never pays."""
    if payment is None:
        nobody = tuple(-1.0 for _ in programme.savings) or (-1.0,)
        drawn = Drawn(Draw("savings.error", 1.0), (Draw("savings.none", 1.0),))
        return Terms(nobody, (0.0,), (0.0,), (0.0,), 1.0, (0.0,)), State((0.0,), (0.0,)), (0,), drawn
    _check(payment, programme)
    agencies = list(payment.agencies)
    paying = payment.agencies.values()
    zero = tuple(0.0 for _ in agencies)
    terms = Terms(
        agency=tuple(
            float(agencies.index(s.agency)) if s.agency in agencies else -1.0
            for s in programme.savings.values()
        ) or (-1.0,),
        share=tuple(one.share for one in paying),
        cap=tuple(INFINITE if one.cap is None else one.cap for one in paying),
        capacity=tuple(float(one.of == "all") for one in paying),
        at_once=float(payment.verification_lag == 0),
        no_agencies=zero,
    )  # fmt: skip
    drawn = Drawn(
        Draw("savings.error", payment.error, "low"),
        tuple(
            Draw(
                f"savings.{name}.counterfactual", one.baseline.counterfactual if one.baseline else 1.0, "high"
            )
            for name, one in payment.agencies.items()
        ),
    )
    return terms, State(zero, zero), tuple(payment.verification_lag for _ in agencies), drawn


def counted(payment: SavingsPayment | None, rows: int) -> tuple[Tuple, ...]:
    """By row and agency: 1 while its savings are measured, which a baseline limits to its own quarters."""
    if payment is None:
        return tuple((0.0,) for _ in range(rows))
    lines = [one.baseline for one in payment.agencies.values()]
    return tuple(
        tuple(float(one is None or one.first_quarter <= row <= one.last_quarter) for one in lines)
        for row in range(rows)
    )


def baselines(payment: SavingsPayment | None, rows: int) -> tuple[Tuple, ...]:
    """By row and agency: the agreed baseline, pounds a quarter."""
    if payment is None:
        return tuple((0.0,) for _ in range(rows))
    return tuple(tuple(_baseline(one, row) for one in payment.agencies.values()) for row in range(rows))


def roles(payment: SavingsPayment | None) -> Sequence[str]:
    """The agencies that pay, in order; one that never pays where there are none."""
    return tuple(payment.agencies) if payment is not None else ("commissioner",)


def most_paid(payment: SavingsPayment | None) -> dict[str, float]:
    """By agency: the most it pays out of savings, pounds; infinite without a cap."""
    if payment is None:
        return {}
    return {role: INFINITE if one.cap is None else one.cap for role, one in payment.agencies.items()}


def _baseline(agency: AgencyPays, row: int) -> float:
    line = agency.baseline
    if line is None or not line.first_quarter <= row <= line.last_quarter:
        return 0.0
    return float(line.per_quarter * (1.0 + line.growth) ** ((row - line.first_quarter) / 4))


def _check(payment: SavingsPayment, programme: Programme) -> None:
    saving = {saving.agency for saving in programme.savings.values()}
    for name in payment.agencies:
        if name not in saving:
            raise InputError(
                "saves nothing in this programme, so has nothing to pay from",
                field=f"tariff.savings.agencies.{name}", given=name, allowed=", ".join(sorted(saving)),
            )  # fmt: skip


def check_baselines(payment: SavingsPayment | None, programme: Programme, plan: Sequence[Activity]) -> None:
    """Refuse an agency that is planned to save more than it is agreed to spend."""
    for name, one in payment.agencies.items() if payment is not None else ():
        mine = [i for i, saving in enumerate(programme.savings.values()) if saving.agency == name]
        line = one.baseline
        measured = range(line.first_quarter, min(line.last_quarter + 1, len(plan))) if line else ()
        for row in measured:
            done = plan[row]
            saved = sum(done.cashable[i] + done.not_cashable[i] * (one.of == "all") for i in mine)
            if saved > _baseline(one, row) + HALF_A_PENNY:
                raise InputError(
                    f"is less than the plan saves in quarter {row}, £{saved:,.0f}",
                    field=f"tariff.savings.agencies.{name}.baseline.per_quarter",
                    given=f"{_baseline(one, row):,.0f} in that quarter",
                    allowed="what the agency would spend on these people without the programme",
                )  # fmt: skip
