"""Figures by path of a fund: each note, the fund before and after its own costs, its pool, and its policy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.core.ledger import Ledger
from socialfinance.engine.fund import Ran
from socialfinance.engine.ready import ReadyPortfolio
from socialfinance.engine.ready_fund import ReadyFund
from socialfinance.measures.fund import at_year_ends, held_against, note_figures
from socialfinance.measures.paths import Key, by_year, guarantor_figures, investor_figures, sum_rows

Array = NDArray[np.float64]
Figures = dict[str, tuple[str, Array]]
WITHOUT_POLICY = "fund without policy"
"""Scope of the figures of a fund as if it had no policy, on the same draws."""
GROSS, NET = "gross", "net"
"""Roles: the fund's positions before its own costs; all who put money in to have it back."""


def _of_note(i: int, fund: ReadyFund) -> bool:
    """Whether a note is to come back."""
    note = fund.lowered.terms.notes[i]
    return note.repayable or note.residual


def net_flows(fund: ReadyFund, ran: Ran) -> tuple[Array, Array]:
    """What holders of notes that are to come back pay in and have back, ``(row, path)``."""
    places = [i for i in range(len(fund.names)) if _of_note(i, fund)]
    return sum_all([ran.calls[i] for i in places]), sum_all([ran.back[i] for i in places])


def sum_all(tables: list[Array]) -> Array:
    """The sum of tables, in order."""
    total = np.zeros(tables[0].shape)
    for table in tables:
        total += table
    return total


def fund_nets(ready: ReadyPortfolio, ran: Ran) -> Iterator[tuple[str, str, Array]]:
    """Role, party and net flows ``(row, path)`` of all who have an IRR."""
    fund = ready.fund
    assert fund is not None
    for i, name in enumerate(fund.names):
        if _of_note(i, fund):
            yield "note", name, ran.back[i] - ran.calls[i]
    paid, back = net_flows(fund, ran)
    yield NET, fund.party, back - paid
    yield GROSS, fund.party, ran.received - ran.paid_in


def life_figures(ready: ReadyPortfolio, ran: Ran, scope: str) -> dict[Key, Array]:
    """Figures for life of each note, of the fund as a whole and of its pool, on a block."""
    fund = ready.fund
    assert fund is not None
    found: dict[Key, Array] = {}

    def keep(party: str, role: str, figures: Figures) -> None:
        for measure, (unit, values) in figures.items():
            found[Key(scope, "", party, role, "", measure, unit)] = values

    for i, name in enumerate(fund.names):
        keep(name, "note", _note(ready, fund, ran, i))
    paid, back = net_flows(fund, ran)
    keep(fund.party, NET, investor_figures(paid, back, ready.discount))
    keep(fund.party, GROSS, investor_figures(ran.paid_in, ran.received, ready.discount))
    keep(fund.party, "fund", _whole(ready, fund, ran))
    for party, figures in _guarantors(fund, ran):
        keep(party, "guarantor", figures)
    return found


def fund_figures(ready: ReadyPortfolio, ran: Ran, scope: str) -> dict[Key, Array]:
    """Every figure of the fund on a block."""
    fund = ready.fund
    assert fund is not None
    found = life_figures(ready, ran, scope)

    def keep(figures: Figures, role: str, deal: str = "", year: str = "") -> None:
        for measure, (unit, values) in figures.items():
            found[Key(scope, deal, fund.party, role, year, measure, unit)] = values

    for year, figures in _by_year(ready, fund, ran) if scope == "fund" else ():
        keep(figures, "fund", year=year)
    for d, position in enumerate(fund.positions):
        gain = ran.deal_back[d] - ran.deal_paid[d]
        mine: Figures = {
            "drawn": ("pounds", ran.deal_paid[d]),
            "received": ("pounds", ran.deal_back[d]),
            "gain": ("pounds", gain),
        }
        if position.pooled or position.cover > 0.0:
            mine["claimed"] = ("pounds", ran.pool.claimed[d])
            mine["met"] = ("pounds", ran.pool.met[d])
        keep(mine, "position", deal=position.deal.name)
    return found


def _note(ready: ReadyPortfolio, fund: ReadyFund, ran: Ran, i: int) -> Figures:
    note, terms = fund.fund.notes[fund.names[i]], fund.lowered.terms.notes[i]
    if not _of_note(i, fund):
        return {"drawn": ("pounds", sum_rows(ran.calls[i]))}
    figures = investor_figures(ran.calls[i], ran.back[i], ready.discount)
    figures.update(note_figures(figures["drawn"][1], figures["loss"][1]))
    if terms.repayable:
        figures["missed_interest"] = ("share of paths", ran.state.missed[i])
        figures["owed_at_end"] = ("pounds", ran.state.owed[i])
    if note.repay_by is not None:
        row = ready.calendar.row_on_or_after(note.repay_by)
        figures["late"] = ("share of paths", (ran.repaid[i][row] > HALF_A_PENNY).astype(float))
    return figures


def _whole(ready: ReadyPortfolio, fund: ReadyFund, ran: Ran) -> Figures:
    """Of the fund: costs, calls, rationing, lock-up, carry, surplus, and multiples at the end."""
    ledger, count = ran.ledger, ran.ledger.paths
    called = sum_all(list(ran.calls))
    commitment = sum(note.commitment for note in fund.lowered.terms.notes)
    paid, back = net_flows(fund, ran)
    figures: Figures = {
        "called": ("pounds", sum_rows(called)),
        "pic": ("fraction", sum_rows(called) / commitment),
        "undrawn_at_end": ("pounds", commitment - sum_rows(called)),
        "costs": ("pounds", _paid(ledger, "running cost")),
        "costs_unpaid": ("pounds", ran.state.cost_arrears),
        "cash_yield": ("pounds", _paid(ledger, "cash yield")),
        "recycled": ("pounds", ran.state.recycled),
        "rationed": ("share of paths", (ran.met < 1.0).any(axis=0).astype(float)),
        "locked_up": ("share of paths", (ran.locked > 0.0).any(axis=0).astype(float)),
        "surplus": ("pounds", _paid(ledger, "surplus share")),
        "cash_at_end": ("pounds", ran.cash[-1] + 0.0),
    }
    if fund.fund.carry is not None:
        figures["carry"] = ("pounds", _paid(ledger, "carried interest") - _paid(ledger, "clawback"))
        figures["carry_paid_back"] = ("pounds", _paid(ledger, "clawback"))
    if fund.lowered.pool is not None:
        claimed, met = sum_deals(ran.pool.claimed, count), sum_deals(ran.pool.met, count)
        figures["claimed"] = ("pounds", claimed)
        figures["claims_met"] = ("pounds", met)
        figures["claims_not_met"] = ("pounds", claimed - met)
        figures["pool_short"] = ("share of paths", (claimed - met > HALF_A_PENNY).astype(float))
    if fund.fund.benchmark is not None:
        figures["ks_pme"] = ("times", held_against(paid, back, fund.fund.benchmark.annual))
    return figures


def sum_deals(amounts: tuple[Any, ...], count: int) -> Array:
    """The sum over deals, in order."""
    total = np.zeros(count)
    for amount in amounts:
        total += amount
    return total


def _paid(ledger: Ledger, why: str) -> Array:
    amounts = ledger.of(reason=why)
    return np.zeros(ledger.paths) if isinstance(amounts, float) else sum_rows(np.asarray(amounts))


def _by_year(ready: ReadyPortfolio, fund: ReadyFund, ran: Ran) -> Iterator[tuple[str, Figures]]:
    """Calls, distributions, value, cash and undrawn commitment by financial year; the J-curve."""
    years, of_row = ready.calendar.financial_years, ready.calendar.year_of_row
    paid, back = net_flows(fund, ran)
    called = sum_all(list(ran.calls))
    commitment = sum(note.commitment for note in fund.lowered.terms.notes)
    drawn_so_far = np.cumsum(called, axis=0)
    flows = {
        "calls": by_year(called, of_row),
        "distributions": by_year(back, of_row),
        "into_deals": by_year(ran.paid_in, of_row),
        "from_deals": by_year(ran.received, of_row),
        "value": at_year_ends(ran.value, of_row),
        "cash": at_year_ends(ran.cash, of_row),
        "undrawn": at_year_ends(commitment - drawn_so_far, of_row),
        "net_so_far": at_year_ends(np.cumsum(back - paid, axis=0), of_row),
        "paid_in_so_far": at_year_ends(np.cumsum(paid, axis=0), of_row),
        "distributed_so_far": at_year_ends(np.cumsum(back, axis=0), of_row),
    }
    for y, year in enumerate(years):
        yield year, {name: ("pounds", table[y]) for name, table in flows.items()}


def _guarantors(fund: ReadyFund, ran: Ran) -> Iterator[tuple[str, Figures]]:
    """What each of the pool's guarantors pays, earns and has back, over all deals."""
    ledger = ran.ledger
    for party, _ in fund.guarantors:

        def of(amounts: Any) -> Array:
            return np.zeros(ledger.paths) if isinstance(amounts, float) else sum_rows(np.asarray(amounts))

        calls = of(ledger.of(payer=party, reason="guarantee call"))
        fees = of(ledger.of(payee=party, reason="guarantee fee"))
        back = of(ledger.of(payee=party, reason="recovery"))
        yield party, guarantor_figures(calls, fees, back)


def policy_figures(ready: ReadyPortfolio, ran: Ran, without: Ran) -> dict[Key, Array]:
    """What the policy did: value and cost by year with and without, cuts, mistakes, who grew.

    A cut is a mistake where the deal's value per pound over the life without the policy, on the same future,
    is above the median of the deals judged.
    """
    fund = ready.fund
    assert fund is not None
    assert fund.policy is not None
    assert ran.policy is not None
    found: dict[Key, Array] = {}
    years = ready.calendar.financial_years
    for scope, one in (("fund", ran), (WITHOUT_POLICY, without)):
        for name, table, unit in zip(
            ("value", "cost", "starts"), one.worth, ("pounds", "pounds", "people"), strict=True
        ):
            for y, year in enumerate(years):
                found[Key(scope, "", fund.party, "policy", year, name, unit)] = table[y]
            found[Key(scope, "", fund.party, "policy", "", name, unit)] = sum_rows(table)
        for party, (net, saved) in one.public.items():
            found[Key(scope, "", party, "payer", "", "paid", "pounds")] = saved - net
            found[Key(scope, "", party, "payer", "", "saving", "pounds")] = saved
        for d, position in enumerate(fund.positions):
            if fund.policy.judged[d]:
                for name, table in zip(("value", "cost"), one.by_deal, strict=True):
                    key = Key(scope, position.deal.name, fund.party, "policy", "", name, "pounds")
                    found[key] = table[d]
    judged = [d for d, yes in enumerate(fund.policy.judged) if yes]
    value, cost = without.by_deal
    truth = np.divide(value, cost, out=np.zeros(value.shape), where=cost > 0.0)
    middle = np.median(truth[judged], axis=0)
    cuts, mistakes = np.zeros(ran.met.shape[1]), np.zeros(ran.met.shape[1])
    for d in judged:
        name = fund.positions[d].deal.name
        cuts += ran.cut[d]
        mistakes += ran.cut[d] * (truth[d] > middle)
        grown = np.asarray(ran.policy.grown[d], dtype=float)
        found[Key("fund", name, fund.party, "policy", "", "cut", "share of paths")] = ran.cut[d]
        found[Key("fund", name, fund.party, "policy", "", "grown", "share of paths")] = grown
    for measure, counted in (("cuts", cuts), ("mistaken_cuts", mistakes)):
        found[Key("fund", "", fund.party, "policy", "", measure, "deals")] = counted
    found[Key("fund", "", fund.party, "policy", "", "not_reinvested", "pounds")] = np.asarray(ran.policy.pot)
    return found
