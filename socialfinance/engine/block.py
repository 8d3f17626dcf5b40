"""One block of paths through every deal: run, measure, reduce, drop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from socialfinance.core.ledger import RESULTS, Ledger
from socialfinance.core.parties import PUBLIC
from socialfinance.engine.accumulate import AGAINST, Block, FlowKey
from socialfinance.engine.deal import Outcome
from socialfinance.engine.fund import Alone, Ran, alone, run_fund, watched_reasons
from socialfinance.engine.fund_figures import WITHOUT_POLICY, fund_figures, fund_nets, policy_figures
from socialfinance.engine.mixed import Met, mixed_figures
from socialfinance.engine.purse import purse_figures
from socialfinance.engine.ready import (
    ReadyDeal,
    ReadyPortfolio,
    ReadyStructure,
    add_rows,
    drawn,
    futures_of,
    on_years,
    price_level,
)
from socialfinance.engine.ready_fund import Position
from socialfinance.engine.taped import run
from socialfinance.measures.paths import (
    Key,
    Life,
    both,
    by_year,
    fund_investors,
    guarantor_figures,
    investor_figures,
    lives_of,
    payer_figures,
    sum_rows,
    together,
)
from socialfinance.programmes.futures import Futures, cut
from socialfinance.scenarios.common import Common

Array = NDArray[np.float64]
Paths = NDArray[np.uint64]
VARIED = "deal with variation"
ALL_PUBLIC = "all public bodies"
REACHED = ("people started",)
"""What is counted on either side of a comparison, so that cost can be set against it."""
COMPARED = ("net_cost", "net_cost_pv", "paid_pv")
"""What is kept of the structures that a deal is held against."""


class FundSums:
    """What every party's flows come to over all deals of a block; of investors, by the portfolio's rows.

    By year, of public bodies, they stand in the year of the deal's own dates: what falls on the day of a
    close on 1 April is in the new year, though the portfolio's row ended the day before.
    """

    def __init__(self, ready: ReadyPortfolio, paths: int) -> None:
        self.ready = ready
        self.lives: dict[str, Life] = {}
        self.net_by_year: dict[str, Array] = {}
        self.saved_by_year: dict[str, Array] = {}
        self.paid_in, self.back = np.zeros((2, ready.calendar.quarters + 1, paths))
        self.otherwise: dict[FlowKey, Array] = {}

    def hold_against(self, deal: ReadyDeal, structure: str, ledger: Ledger) -> None:
        """Add what public bodies would pay, net and by year, had a deal been done otherwise."""
        for party, net in ledger.net.items():
            if self.ready.parties[party].kind in PUBLIC:
                key = FlowKey("", party, structure, AGAINST)
                yearly = -on_years(self.ready, deal, by_year(net, deal.calendar.year_of_row))
                self.otherwise[key] = self.otherwise[key] + yearly if key in self.otherwise else yearly

    def add(self, deal: ReadyDeal, ledger: Ledger, lives: Mapping[str, Life]) -> None:
        """Add one deal, whose rows begin at its own close."""
        for party, life in lives.items():
            self.lives[party] = both(self.lives[party], life) if party in self.lives else life
        for mine, theirs in ((self.net_by_year, ledger.net), (self.saved_by_year, ledger.saved)):
            for party, flows in theirs.items():
                if self.ready.parties[party].kind in PUBLIC:
                    yearly = on_years(self.ready, deal, by_year(flows, deal.calendar.year_of_row))
                    mine[party] = mine[party] + yearly if party in mine else yearly
        for total, flows in zip((self.paid_in, self.back), ledger.of_role("investor"), strict=True):
            add_rows(total, deal, flows)


def investors(deal: ReadyDeal) -> tuple[str, ...]:
    """The parties that fill the investor role."""
    return tuple(party for party, _ in deal.roles.get("investor", ()))


def invested(ledger: Ledger) -> Array:
    """Net flows ``(row, path)`` of the investor role."""
    paid_in, back = ledger.of_role("investor")
    net: Array = back - paid_in
    return net


def run_block(ready: ReadyPortfolio, seed: int, first: int, count: int, compare: bool = True) -> Block:
    """Run paths ``first`` to ``first + count - 1`` through every deal in name order; keep their figures."""
    paths = np.arange(first, first + count, dtype=np.uint64)
    common, fund = ready.common(seed, paths), FundSums(ready, count)
    block = Block(first, count, None if ready.points is None else ready.points.weights(paths))
    met: list[Met] = []
    mixes = 1 if ready.points is None else ready.points.mixes
    held = {position.deal.name: position for position in ready.fund.positions} if ready.fund else {}
    whole = ready.fund is not None and ready.fund.policy is not None
    for deal in ready.deals:
        position = held.get(deal.name)
        futures = futures_of(deal, drawn(deal, common, seed, paths), common)
        level = price_level(deal, common)
        ledger = ledger_of(ready, deal, position, count)
        own = run(deal, (deal.own,), futures, level, (ledger,), whole, ready.long)[0]
        if position is not None or mixes > 1:  # nobody else holds on to a deal's tables
            held_alone = None if position is None else alone(ready, position, own)
            met.append(Met(deal, *own.ledger.of_role("investor"), held_alone))
        lives = lives_of(own.ledger, ready.discount, deal.first_row)
        block.figures.update(deal_figures(ready, deal, own, "deal", lives))
        block.put_flows(_flows(deal, own.ledger, ready))
        block.put_rows(deal.name, "investor", _placed(ready, deal, invested(own.ledger)))
        fund.add(deal, own.ledger, lives)
        if compare:
            block.figures.update(_compared(ready, deal, lives, futures, level, count, fund))
        if deal.varied is not None:
            figures, net = _varied(ready, deal, own, futures, level, lives)
            block.figures.update(figures)
            block.put_rows(deal.name, "with variation", _placed(ready, deal, net))
    block.figures.update(_fund_figures(ready, fund))
    block.put_flows(fund.otherwise)
    block.put_rows("", "investor", fund.back - fund.paid_in)
    if ready.fund is not None:
        runs = [one.alone for one in met if one.alone is not None]
        _put_fund(ready, block, runs, seed, paths, common)
    if mixes > 1:
        block.figures.update(mixed_figures(ready, block.figures, met, seed, paths, common))
    return block


def ledger_of(ready: ReadyPortfolio, deal: ReadyDeal, position: Position | None, paths: int) -> Ledger:
    """A deal's ledger; where the fund's pool stands behind the deal, its calls are kept by row."""
    if position is None or ready.fund is None:
        return Ledger(deal.calendar.year_of_row, paths)
    watch = frozenset(party for party, _ in ready.fund.guarantors)
    return Ledger(deal.calendar.year_of_row, paths, watched=watched_reasons(position), watch=watch)


def _put_fund(
    ready: ReadyPortfolio, block: Block, runs: list[Alone], seed: int, paths: Paths, common: Common
) -> None:
    """The fund without its policy and, where it has one, with it: figures, flows and rows."""
    assert ready.fund is not None
    without = run_fund(ready, runs, seed, paths, common, policy=False)
    ran, scope = without, "fund"
    if ready.fund.policy is not None:
        keep_fund(ready, block, without, WITHOUT_POLICY)
        ran = run_fund(ready, runs, seed, paths, common, policy=True)
        block.figures.update(policy_figures(ready, ran, without))
    keep_fund(ready, block, ran, scope)
    block.put_flows(_fund_flows(ready, ran.ledger))


def keep_fund(ready: ReadyPortfolio, block: Block, ran: Ran, scope: str) -> None:
    """Keep a fund's figures by path, and the net flows of all who have an IRR of it."""
    block.figures.update(fund_figures(ready, ran, scope))
    for role, party, net in fund_nets(ready, ran):
        block.put_rows("", f"{scope}: {role} {party}", net)


def _fund_flows(ready: ReadyPortfolio, ledger: Ledger) -> dict[FlowKey, Array]:
    """The fund's own payments by financial year; what passes between it and deals is in theirs."""
    return {FlowKey("", *leg): amounts for leg, amounts in ledger.by_year.items()}


def _varied(
    ready: ReadyPortfolio, deal: ReadyDeal, own: Outcome, futures: Futures, level: Sequence[Any],
    lives: Mapping[str, Life],
) -> tuple[dict[Key, Array], Array]:  # fmt: skip
    """Figures and investors' net flows with variation: run again only where it changes anything."""
    assert deal.varied is not None
    assert deal.own.lowered.would_change is not None
    count = own.ledger.paths
    changed = np.broadcast_to(deal.own.lowered.would_change(own.state), (count,)) > 0.0
    figures = deal_figures(ready, deal, own, VARIED, lives)
    net = invested(own.ledger)
    if changed.any():
        fewer = cut(list(level), changed)
        again = _run_one(deal, deal.varied, futures.on(changed), fewer, int(changed.sum()), ready.long)
        for key, values in deal_figures(ready, deal, again, VARIED).items():
            figures[key] = figures[key].copy() if key in figures else np.zeros(count)
            figures[key][changed] = values
        net[:, changed] = invested(again.ledger)
    return figures, net


def _run_one(
    deal: ReadyDeal, structure: ReadyStructure, futures: Futures, level: Sequence[Any], paths: int, long: bool
) -> Outcome:
    ledger = Ledger(deal.calendar.year_of_row, paths)
    return run(deal, (structure,), futures, level, (ledger,), long=long)[0]


def deal_figures(
    ready: ReadyPortfolio, deal: ReadyDeal, outcome: Outcome, scope: str,
    lives: Mapping[str, Life] | None = None,
) -> dict[Key, Array]:  # fmt: skip
    """Every per-path figure of one deal under one structure; ``lives`` are its ledger's, if at hand."""
    ledger, found = outcome.ledger, {}
    lives = lives or lives_of(ledger, ready.discount, deal.first_row)

    def keep(party: str, role: str, figures: dict[str, tuple[str, Array]]) -> None:
        for measure, (unit, values) in figures.items():
            found[Key(scope, deal.name, party, role, "", measure, unit)] = values

    funders = investors(deal)
    if funders:
        mine = investor_figures(*ledger.of_role("investor"), ready.discount, deal.first_row)
        keep(" and ".join(funders), "investor", mine)
    for party, life in lives.items():
        kind = ready.parties[party].kind
        keep(party, kind, payer_figures(life) if kind in PUBLIC else {"net": ("pounds", life.net)})
    for party, figures in _guarantors(deal, outcome):
        keep(party, "guarantor", figures)
    for party, role, figures in purse_figures(deal, outcome):
        keep(party, role, figures)
    public = together(lives, _public(ready, lives), ledger.paths)
    keep(ALL_PUBLIC, "public", payer_figures(public))
    state = {f.measure: (f.unit, _full(f.read(outcome.state), ledger.paths)) for f in outcome.lowered.figures}
    if deal.planned_payments > 0.0:
        paid = np.zeros(ledger.paths)
        for why in sorted(RESULTS):
            paid += sum_rows(_full_years(ledger.of(reason=why), ledger))
        state["paid_over_plan"] = ("fraction", paid / deal.planned_payments)
    keep("", "structure", state)
    keep("", "programme", counted(deal, outcome))
    return found


def _guarantors(deal: ReadyDeal, outcome: Outcome) -> Iterator[tuple[str, dict[str, tuple[str, Array]]]]:
    """Everybody who can be called: what they paid, earned in fees and recovered."""
    ledger = outcome.ledger
    parties = {party for role in outcome.lowered.guaranteed for party, _ in deal.roles[role]}
    for party in sorted(parties):
        calls = ledger.of(payer=party, reason="guarantee call")
        fees = ledger.of(payee=party, reason="guarantee fee")
        back = ledger.of(payee=party, reason="recovery")
        yield party, guarantor_figures(*(sum_rows(_full_years(x, ledger)) for x in (calls, fees, back)))


def _public(ready: ReadyPortfolio, lives: Mapping[str, Life]) -> tuple[str, ...]:
    return tuple(party for party in lives if ready.parties[party].kind in PUBLIC)


def _full_years(amounts: Any, ledger: Ledger) -> Array:
    """Payments ``(year, path)``, nil where the ledger has none of them."""
    return np.zeros((ledger.years, ledger.paths)) if isinstance(amounts, float) else np.asarray(amounts)


def counted(deal: ReadyDeal, outcome: Outcome) -> dict[str, tuple[str, Array]]:
    """What happened over the life: people started and outcomes achieved, homes built, loans made."""
    totals: dict[str, tuple[str, Array]] = {}
    for row, done in enumerate(outcome.activity):
        for name, count in deal.programme.counts(deal.programme, done, outcome.futures, row).items():
            if name not in totals:
                totals[name] = (count.unit, np.zeros(outcome.ledger.paths))
            totals[name][1][:] += count.value
    return totals


def _full(x: object, paths: int) -> Array:
    return np.broadcast_to(np.asarray(x, dtype=float), (paths,)).copy()


def _compared(
    ready: ReadyPortfolio,
    deal: ReadyDeal,
    own: Mapping[str, Life],
    futures: Futures,
    level: Sequence[Any],
    paths: int,
    fund: FundSums,
) -> dict[Key, Array]:
    """The same futures in house and at the PWLB cost of money: net cost, and the deal's less each, paired.

    Net cost by year goes into the sums over all deals.
    """
    ledgers = [Ledger(deal.calendar.year_of_row, paths) for _ in deal.comparators]
    others = run(deal, deal.comparators, futures, level, ledgers, long=ready.long)
    lives = [lives_of(other.ledger, ready.discount, deal.first_row) for other in others]
    council = deal.council
    found: dict[Key, Array] = {}
    for party, members in ((" and ".join(council), council), (ALL_PUBLIC, None)):
        mine = _cost(ready, own, members, paths)
        for structure, other_lives in zip(deal.comparators, lives, strict=True):
            theirs = _cost(ready, other_lives, members, paths)
            for measure in COMPARED:
                about = Key("deal", deal.name, party, structure.name, "", measure, "pounds")
                found[about] = theirs[measure]
            for measure in ("net_cost", "net_cost_pv"):
                about = Key("deal", deal.name, party, structure.name, "", f"{measure}_less", "pounds")
                found[about] = mine[measure] - theirs[measure]
    for structure, other in zip(deal.comparators, others, strict=True):
        fund.hold_against(deal, structure.name, other.ledger)
        if structure.lowered.delivers:
            for measure, (unit, values) in counted(deal, other).items():
                if measure in REACHED or _outcome_lost(deal, structure, measure):
                    found[Key("deal", deal.name, "", structure.name, "", measure, unit)] = values
        for figure in structure.lowered.figures:
            key = Key("deal", deal.name, "", structure.name, "", figure.measure, figure.unit)
            found[key] = _full(figure.read(other.state), paths)
    return found


def _outcome_lost(deal: ReadyDeal, structure: ReadyStructure, measure: str) -> bool:
    """Outcomes in house, where nobody fails, for a deal whose provider can leave people behind."""
    fails = any(figure.measure == "people_cut_short" for figure in deal.own.lowered.figures)
    return fails and structure is deal.comparators[0] and measure.startswith("achieved: ")


def _cost(
    ready: ReadyPortfolio, lives: Mapping[str, Life], members: tuple[str, ...] | None, paths: int
) -> dict[str, Array]:
    """Paid, net cost and its present value."""
    parties = members if members is not None else _public(ready, lives)
    figures = payer_figures(together(lives, parties, paths))
    return {measure: values for measure, (_, values) in figures.items()}


def _flows(deal: ReadyDeal, ledger: Ledger, ready: ReadyPortfolio) -> dict[FlowKey, Array]:
    return {
        FlowKey(deal.name, *leg): on_years(ready, deal, amounts)
        for legs in (ledger.by_year, ledger.memo_by_year)
        for leg, amounts in sorted(legs.items(), key=itemgetter(0))
    }


def _placed(ready: ReadyPortfolio, deal: ReadyDeal, net: Array) -> Array:
    placed = np.zeros((ready.calendar.quarters + 1, net.shape[1]))
    add_rows(placed, deal, net)
    return placed


def _fund_figures(ready: ReadyPortfolio, fund: FundSums) -> dict[Key, Array]:
    """The fund's investors together, and every public body by financial year and for life."""
    found: dict[Key, Array] = {}
    if fund.paid_in.any():
        found.update(fund_investors(fund.paid_in, fund.back, ready.discount))
    years = ready.calendar.financial_years
    for party, life in sorted(fund.lives.items(), key=itemgetter(0)):
        kind = ready.parties[party].kind
        if kind not in PUBLIC:
            found[Key("fund", "", party, kind, "", "net", "pounds")] = life.net
            continue
        for measure, (unit, values) in payer_figures(life).items():
            found[Key("council", "", party, kind, "", measure, unit)] = values
        net_cost = -fund.net_by_year[party]
        saving = fund.saved_by_year.get(party, np.zeros(net_cost.shape))
        for i, year in enumerate(years):
            for measure, values in (("paid", net_cost[i] + saving[i]), ("saving", saving[i])):
                found[Key("council", "", party, kind, year, measure, "pounds")] = values
            found[Key("council", "", party, kind, year, "net_cost", "pounds")] = net_cost[i]
    return found
