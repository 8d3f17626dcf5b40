"""Two structures that are not in the library yet, written to contract six to see whether it holds them.

A loan with a stack of three guarantee layers, and a pay-as-you-save deal that reinvests its surplus.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from socialfinance.core.ledger import Leg
from socialfinance.instruments.base import Lowered, Now
from socialfinance.kernels.elementwise import least, most, part, put, where
from socialfinance.programmes.base import Orders

Tuple = tuple[Any, ...]


# --- a loan, its loss covered by layers in order ---------------------------------------------------


class GuaranteeTerms(NamedTuple):
    commitment: float
    rate: float  # a quarter
    due_row: float
    recovered: float  # share of the outcome money that repays
    attachment: Tuple  # by layer, pounds of loss
    detachment: Tuple
    cover: Tuple
    fee: Tuple  # a quarter, on covered outstanding
    no_layers: Tuple


class GuaranteeState(NamedTuple):
    drawn: Any
    owed: Any
    called: Tuple
    cash: Any


class GuaranteeRow(NamedTuple):
    row: float
    last: float


class GuaranteePayments(NamedTuple):
    drawdown: Any
    service: Any
    repaid: Any
    calls: Tuple
    fees: Tuple


class GuaranteeLines(NamedTuple):
    outcome: Any  # outcome money reaches the lender two quarters after it is verified


def guarantee_ask(terms: GuaranteeTerms, state: GuaranteeState, now: Now) -> Any:
    cost = now.activity.costs[0]
    return most(0.0, least(cost, terms.commitment - state.drawn))


def guarantee_step(terms: GuaranteeTerms, state: GuaranteeState, now: Now) -> tuple[Any, Any, Orders, Any]:
    drawn = least(guarantee_ask(terms, state, now), now.granted)
    owed = state.owed * (1.0 + terms.rate) + drawn
    income = now.activity.verified[0] * terms.recovered
    repaid = least(owed, now.due.outcome)
    owed = owed - repaid
    loss = where(now.plan.last > 0.0, owed, 0.0)
    calls = terms.no_layers
    fees = terms.no_layers
    called = state.called
    for i in range(len(terms.cover)):
        depth = terms.detachment[i] - terms.attachment[i]
        hit = most(0.0, least(loss - terms.attachment[i], depth))
        pays = part(hit, terms.cover[i])
        calls = put(calls, i, pays)
        called = put(called, i, called[i] + pays)
        exposed = most(0.0, least(owed - terms.attachment[i], depth))
        fees = put(fees, i, part(exposed, terms.cover[i] * terms.fee[i]))
        owed = owed - pays
    paid_fees = fees[0] + fees[1] + fees[2]
    cash = state.cash + drawn - drawn + paid_fees - paid_fees
    after = GuaranteeState(state.drawn + drawn, owed, called, cash)
    payments = GuaranteePayments(drawn, drawn, repaid, calls, fees)
    return after, payments, Orders(1.0, 1.0, 1.0), GuaranteeLines(income)


def guarantee(rows: int) -> Lowered:
    zero = (0.0, 0.0, 0.0)
    return Lowered(
        terms=GuaranteeTerms(
            400_000.0, 0.015, float(rows - 1), 9_000.0, (0.0, 50_000.0, 150_000.0),
            (50_000.0, 150_000.0, 1e15), (1.0, 0.8, 0.5), (0.002, 0.001, 0.0005), zero,
        ),
        opening=GuaranteeState(0.0, 0.0, zero, 0.0),
        lags=GuaranteeLines(2),
        legs=GuaranteePayments(
            Leg("investor", "vehicle", "drawdown"),
            Leg("vehicle", "provider", "service payment"),
            Leg("commissioner", "investor", "principal"),
            tuple(Leg("commissioner", "investor", "guarantee call") for _ in zero),
            tuple(Leg("investor", "commissioner", "guarantee fee") for _ in zero),
        ),
        schedule=tuple(GuaranteeRow(float(row), float(row == rows - 1)) for row in range(rows)),
        ask=guarantee_ask, step=guarantee_step, figures=(), contract_value={}, maximum={},
        uses=(True,),
    )  # fmt: skip


# --- pay as you save, the surplus put into more of the same ----------------------------------------


class SaveTerms(NamedTuple):
    commitment: float
    rate: float  # a quarter, rolled up
    pays: Tuple  # by saving: share of verified saving that is paid over
    reinvest: float  # share of surplus spent on more starts
    unit_cost: float  # pounds for one times the planned quarter
    stop_below: float  # saved so far over drawn so far under which nobody new starts
    after_row: float
    no_savings: Tuple


class SaveState(NamedTuple):
    drawn: Any
    owed: Any
    saved: Any
    surplus: Any


class SaveRow(NamedTuple):
    row: float


class SavePayments(NamedTuple):
    drawdown: Any
    service: Any
    paid: Tuple
    reinvested: Any


class SaveLines(NamedTuple):
    verified: Tuple


def save_ask(terms: SaveTerms, state: SaveState, now: Now) -> Any:
    return most(0.0, least(now.activity.costs[0], terms.commitment - state.drawn))


def save_step(terms: SaveTerms, state: SaveState, now: Now) -> tuple[Any, Any, Orders, Any]:
    drawn = least(save_ask(terms, state, now), now.granted)
    owed = state.owed * (1.0 + terms.rate) + drawn
    total = now.level * 0.0
    entering = terms.no_savings
    paid = terms.no_savings
    for s in range(len(terms.pays)):
        entering = put(entering, s, now.activity.cashable[s])
        handed = part(now.due.verified[s], terms.pays[s])
        paid = put(paid, s, handed)
        total = total + handed
    surplus = state.surplus + most(0.0, total - owed)
    owed = most(0.0, owed - total)
    more = part(surplus, terms.reinvest)
    surplus = surplus - more
    saved = state.saved + total
    going = where(saved < terms.stop_below * (state.drawn + drawn), 0.0, 1.0)
    if now.plan.row < terms.after_row:
        going = where(saved < 0.0, 0.0, 1.0)
    scale = going + more / terms.unit_cost
    after = SaveState(state.drawn + drawn, owed, saved, surplus)
    return after, SavePayments(drawn, drawn, paid, more), Orders(scale, 1.0, 1.0), SaveLines(entering)


def pay_as_you_save(rows: int, savings: int) -> Lowered:
    zero = tuple(0.0 for _ in range(savings))
    return Lowered(
        terms=SaveTerms(60_000.0, 0.0175, tuple(0.8 for _ in zero), 0.5, 60_000.0, 0.1, 10.0, zero),
        opening=SaveState(0.0, 0.0, 0.0, 0.0),
        lags=SaveLines(tuple(2 for _ in zero)),
        legs=SavePayments(
            Leg("investor", "vehicle", "drawdown"),
            Leg("vehicle", "provider", "service payment"),
            tuple(Leg("commissioner", "investor", "outcome payment") for _ in zero),
            Leg("investor", "provider", "grant"),
        ),
        schedule=tuple(SaveRow(float(row)) for row in range(rows)),
        ask=save_ask, step=save_step, figures=(), contract_value={}, maximum={},
        uses=(True,),
    )  # fmt: skip
