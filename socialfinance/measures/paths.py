"""Figures of one path: investor, public body, everybody else. Taken while a block's flows are in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.core.ledger import Ledger
from socialfinance.kernels.returns import discount_factors, irr_with_status, sum_and_npv, weighted_sums

Array = NDArray[np.float64]


class Key(NamedTuple):
    """What a figure is about; its columns in the measures frame."""

    scope: str
    deal: str
    party: str
    role: str
    financial_year: str
    measure: str
    unit: str


def investor_figures(
    paid_in: Array, back: Array, annual_discount: float, first_row: int = 0
) -> dict[str, tuple[str, Array]]:
    """Figures of a funder from what it paid in and what came back, ``(row, path)`` both, pounds.

    drawn = paid in; received = came back; peak = the most it is out of pocket, max over rows of -(net so
    far), net = back - paid in; gain = received - drawn; loss = max(0, drawn - received), undiscounted;
    multiple = received / drawn; irr = (1 + q)^4 - 1 with sum of net / (1 + q)^row nil; npv at the discount
    rate to the portfolio's row 0, ``first_row`` rows before the first of these. What comes to no more than
    half a penny over the life is the rounding of sums, and nil.
    """
    years = np.arange(len(back)) / 4
    factors = discount_factors(annual_discount, len(back)) * (1.0 + annual_discount) ** (-first_row / 4)
    weights = np.stack((np.ones(len(back)), years, factors))
    paid_in, (drawn, paid_when, paid_pv) = _in_money(paid_in, weights)
    back, (received, back_when, back_pv) = _in_money(back, weights)
    net = back - paid_in
    rate, status = irr_with_status(net)
    gain, present = received - drawn, back_pv - paid_pv
    return {
        "drawn": ("pounds", drawn),
        "received": ("pounds", received),
        "peak": ("pounds", _peak(net)),
        "gain": ("pounds", gain),
        "loss": ("pounds", np.where(-gain > HALF_A_PENNY, -gain, 0.0)),
        "multiple": ("times", _mean(received, drawn)),
        "irr": ("fraction a year", np.asarray(rate)),
        "irr_status": ("code", np.asarray(status, dtype=float)),
        "npv": ("pounds", present),
        "life": ("years", _mean(back_when, received) - _mean(paid_when, drawn)),
        "below_cost_of_capital": ("share of paths", (present < -HALF_A_PENNY).astype(float)),
    }


def _in_money(flows: Array, weights: Array) -> tuple[Array, Array]:
    """Flows ``(row, path)`` and their sums by weights, of which the first are 1: nil up to half a penny.

    A waterfall of a vehicle without cash pays out what rounding left in it: without this, some of those who
    lost everything have had something back, and a rate of return of -99.99%.
    """
    sums = weighted_sums(flows, weights)
    rounding = (sums[0] > 0.0) & (sums[0] <= HALF_A_PENNY)
    if rounding.any():
        flows = np.where(rounding, 0.0, flows)
        sums = np.where(rounding, 0.0, sums)
    return flows, sums


def fund_investors(paid_in: Array, back: Array, discount: float) -> dict[Key, Array]:
    """The figures of all deals' investors together, from flows ``(row, path)`` on the portfolio's rows."""
    return {
        Key("fund", "", "all investors", "investor", "", measure, unit): values
        for measure, (unit, values) in investor_figures(paid_in, back, discount).items()
    }


class Life(NamedTuple):
    """What flows of a public body, or of several, come to over the life: pounds, ``(path,)`` each."""

    net: Array
    """received less paid"""
    net_pv: Array
    saving: Array
    """cashable savings less extra cost in it"""
    saving_pv: Array


def life(net: Array, saved: Array | None, annual_discount: float, first_row: int = 0) -> Life:
    """Flows ``(row, path)`` summed over rows, and discounted to the portfolio's row 0.

    That is ``first_row`` rows before the first of these. ``saved`` is None where nothing was.
    """
    total, present = sum_and_npv(net, annual_discount)
    back = (1.0 + annual_discount) ** (-first_row / 4)
    if saved is None:
        return Life(total, present * back, np.zeros(total.shape), np.zeros(total.shape))
    saving, saving_pv = sum_and_npv(saved, annual_discount)
    return Life(total, present * back, saving, saving_pv * back)


def lives_of(ledger: Ledger, annual_discount: float, first_row: int = 0) -> dict[str, Life]:
    """The life of everybody who had a flow, by name."""
    return {
        party: life(ledger.net[party], ledger.saved.get(party), annual_discount, first_row)
        for party in sorted(ledger.net)
    }


def together(lives: Mapping[str, Life], parties: Iterable[str], paths: int) -> Life:
    """Several parties as one; nil where none had any flow."""
    nil = Life(*np.zeros((4, paths)))
    return reduce(both, (lives[party] for party in parties if party in lives), nil)


def both(one: Life, other: Life) -> Life:
    """Two lives added."""
    return Life(*map(np.add, one, other))


def payer_figures(own: Life) -> dict[str, tuple[str, Array]]:
    """Figures of a public body from what its flows, and the cashable savings in them, come to.

    net_cost = -net over life; saving = cashable savings received; paid = net_cost + saving, which is what
    it paid under the deal less what came back; the same discounted end in _pv. never_pays_for_itself: here
    it saves less than it pays.
    """
    net_cost, net_cost_pv = -own.net, -own.net_pv
    return {
        "paid": ("pounds", net_cost + own.saving),
        "saving": ("pounds", own.saving),
        "net_cost": ("pounds", net_cost),
        "net_cost_pv": ("pounds", net_cost_pv),
        "paid_pv": ("pounds", net_cost_pv + own.saving_pv),
        "never_pays_for_itself": ("share of paths", (net_cost > HALF_A_PENNY).astype(float)),
    }


def guarantor_figures(calls: Array, fees: Array, recoveries: Array) -> dict[str, tuple[str, Array]]:
    """Figures of a guarantor over the life from what it paid, ``(path,)`` each, pounds.

    calls = paid on guarantees; called: 1 where anything was; loss = calls - recoveries - fees (negative where
    fees were more).
    """
    return {
        "calls": ("pounds", calls),
        "called": ("share of paths", (calls > HALF_A_PENNY).astype(float)),
        "fees": ("pounds", fees),
        "recoveries": ("pounds", recoveries),
        "loss_after_fees": ("pounds", calls - recoveries - fees),
    }


def by_year(rows: Array, year_of_row: Sequence[int]) -> Array:
    """``(row, path)`` summed into ``(year, path)``, rows in order."""
    out = np.zeros((max(year_of_row) + 1, rows.shape[1]))
    for row, year in enumerate(year_of_row):
        out[year] += rows[row]
    return out


def net_of(ledger: Ledger, parties: Iterable[str]) -> Array:
    """Net flows ``(row, path)`` of several parties together; nil where none had any."""
    return _together(ledger, ledger.net, parties)


def saved_of(ledger: Ledger, parties: Iterable[str]) -> Array:
    """Cashable savings ``(row, path)`` of several parties together; nil where none had any."""
    return _together(ledger, ledger.saved, parties)


def _together(ledger: Ledger, rows: Mapping[str, Array], parties: Iterable[str]) -> Array:
    total = np.zeros((ledger.rows, ledger.paths))
    for party in parties:
        if party in rows:
            total += rows[party]
    return total


def sum_rows(flows: Array) -> Array:
    """Sum over rows, in row order whatever the width."""
    total: Array = np.zeros(flows.shape[1])
    for row in flows:
        total += row
    return total


def _peak(net: Array) -> Array:
    """The most that is out of pocket at any time: the lowest point of the net so far, sign turned."""
    so_far: Array = np.zeros(net.shape[1])
    lowest: Array = np.zeros(net.shape[1])
    for row in net:
        so_far += row
        np.minimum(lowest, so_far, out=lowest)
    return -lowest


def _mean(total: Array, weight: Array) -> Array:
    """total / weight, NaN where there is no weight."""
    mean: Array = np.divide(total, weight, out=np.full(total.shape, np.nan), where=weight > 0)
    return mean
