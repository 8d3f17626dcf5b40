"""One figure of a portfolio, read over the same futures whatever its terms, and no more run than it needs.

A deal's draws are keyed by its own name, so a figure of one deal is the same when it runs alone. A fund's
notes need its deals once, as long as only terms of the fund change; under a policy the fund runs its deals
itself. What none of these gives is read off a whole run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import NamedTuple

import numpy as np

from socialfinance.core.errors import InputError
from socialfinance.engine.accumulate import Block, Kept
from socialfinance.engine.block import keep_fund, ledger_of, run_block
from socialfinance.engine.deal import run
from socialfinance.engine.fund import Alone, alone, run_fund
from socialfinance.engine.ready import ReadyPortfolio, drawn, futures_of, prepare, price_level
from socialfinance.engine.run import CHUNK, check_memory, estimate, measure_rows, simulate
from socialfinance.funds.portfolio import Portfolio
from socialfinance.measures.paths import Key
from socialfinance.measures.statistics import Row

LOOK = 128
"""Futures run to find out which figures there are."""
HEADLINE = "expected"
"""Stands for the statistic that pages show first: of an IRR that of the mean flows, else the mean, or the
probability of what is a share of paths."""
SCOPES = ("deal", "fund", "council")


class Wanted(NamedTuple):
    """Where a figure stands, and by which run it is read."""

    route: str
    """deal, fund, deals or whole"""
    run_of: str
    """of the route deal: which"""
    scope: str
    deal: str
    party: str
    role: str
    measure: str
    statistic: str
    unit: str

    def is_in(self, row: Row) -> bool:
        """Whether a row is this figure."""
        return row[:4] == self[2:6] and row.financial_year == "" and row[5:7] == self[6:8]

    def needs(self, key: Key) -> bool:
        """Whether a figure by path is needed for it."""
        irr = self.measure in ("irr", "back_by_half_life")
        measures = ("irr", "irr_status") if irr else (self.measure,)
        return key[:4] == self[2:6] and key.financial_year == "" and key.measure in measures


class Futures:
    """The same futures for every reading."""

    def __init__(self, portfolio: Portfolio, paths: int, seed: int, only_fund: bool = False) -> None:
        check_memory(estimate(prepare(portfolio), paths))
        self.portfolio, self.paths, self.seed = portfolio, paths, seed
        self.only_fund = only_fund
        """nothing but terms of the fund will change, so that what deals did on their own can be kept"""
        self._alone: dict[int, list[Alone]] = {}

    def find(self, figure: str) -> Wanted:
        """The figure that a target names, looked for where it costs least to read, over a few futures."""
        head, colon, rest = figure.partition(":")
        deal = head.strip() if colon and head.strip() in self.portfolio.deals else ""
        name = rest.strip() if deal else figure
        look = Futures(self.portfolio, LOOK, self.seed)
        known: dict[str, None] = {}
        for route, run_of in self._routes(deal):
            rows = look._rows(self.portfolio, route, run_of, None)
            mine = [
                (row, names_of(row, self.portfolio))
                for row in rows
                if row.financial_year == "" and row.deal == (deal or run_of) and row.scope in SCOPES
            ]
            found = [row for row, names in mine if name in names]
            if found:
                return _only(found, figure, route, run_of)
            known |= dict.fromkeys(one for _, names in mine for one in sorted(names))
        near = get_close_matches(name, list(known), n=5, cutoff=0.3) or list(known)[:5]
        raise InputError(
            "is not a figure of this portfolio", field="target", given=figure, allowed=", ".join(near) + ", …"
        )

    def _routes(self, deal: str) -> Iterator[tuple[str, str]]:
        """Ways to read a figure, the cheapest first; of two deals or more a figure needs its deal named."""
        has_fund = bool(self.portfolio.fund.notes)
        if deal:
            yield "deal", deal
        if has_fund:
            yield "fund", ""
        if not deal and len(self.portfolio.deals) == 1:
            yield "deal", next(iter(self.portfolio.deals))
        if not deal:
            yield "deals", ""
        yield "whole", ""

    def read(self, portfolio: Portfolio, wanted: Sequence[Wanted]) -> list[Row]:
        """Figures of a portfolio on these futures."""
        found: dict[Wanted, Row] = {}
        for route, run_of in dict.fromkeys((one.route, one.run_of) for one in wanted):
            mine = [one for one in wanted if (one.route, one.run_of) == (route, run_of)]
            for row in self._rows(portfolio, route, run_of, mine):
                found |= {one: row for one in mine if one.is_in(row)}
        return [found.get(one) or _nothing(one) for one in wanted]

    def values(self, portfolio: Portfolio, wanted: Wanted) -> np.ndarray:
        """The figure path by path."""
        kept = self._kept(portfolio, wanted.route, wanted.run_of, [wanted])
        return next(values for key, values in kept.figures.items() if key.measure == wanted.measure)

    def _rows(
        self, portfolio: Portfolio, route: str, run_of: str, wanted: Sequence[Wanted] | None
    ) -> Iterable[Row]:
        if route == "whole":
            return simulate(portfolio, self.paths, self.seed).measures_rows
        return measure_rows(self._kept(portfolio, route, run_of, wanted))

    def _kept(self, portfolio: Portfolio, route: str, run_of: str, wanted: Sequence[Wanted] | None) -> Kept:
        """Figures by path: those that are wanted, or all."""
        ready = prepare(portfolio, run_of or None)
        if route != "fund":  # the fund, and deals with variation, are not looked at
            ready = replace(ready, fund=None, deals=tuple(replace(deal, varied=None) for deal in ready.deals))
        block_of = self._fund_block if route == "fund" else self._deals_block
        kept = Kept(self.paths)
        for first in range(0, self.paths, CHUNK):
            block = block_of(ready, first, min(CHUNK, self.paths - first))
            if wanted is not None:
                block.figures = {
                    key: one for key, one in block.figures.items() if any(w.needs(key) for w in wanted)
                }
                block.flows = {}
            kept.add(block)
        return kept

    def _deals_block(self, ready: ReadyPortfolio, first: int, count: int) -> Block:
        return run_block(ready, self.seed, first, count, compare=False)

    def _fund_block(self, ready: ReadyPortfolio, first: int, count: int) -> Block:
        """The fund's figures alone; under a policy it runs its deals itself."""
        assert ready.fund is not None
        paths = np.arange(first, first + count, dtype=np.uint64)
        common, policy = ready.common(self.seed, paths), ready.fund.policy is not None
        runs: list[Alone] = []
        if not policy:
            runs = self._alone.get(first) or self._deals_alone(ready, paths)
            if self.only_fund:
                self._alone[first] = runs
        block = Block(first, count)
        keep_fund(ready, block, run_fund(ready, runs, self.seed, paths, common, policy), "fund")
        return block

    def _deals_alone(self, ready: ReadyPortfolio, paths: np.ndarray) -> list[Alone]:
        """What each deal of the fund does on its own."""
        assert ready.fund is not None
        runs, common = [], ready.common(self.seed, paths)
        for position in ready.fund.positions:
            deal = position.deal
            futures = futures_of(deal, drawn(deal, common, self.seed, paths), common)
            ledger = ledger_of(ready, deal, position, len(paths))
            outcome = run(deal, (deal.own,), futures, price_level(deal, common), (ledger,))[0]
            runs.append(alone(ready, position, outcome))
        return runs


def names_of(row: Row, portfolio: Portfolio) -> set[str]:
    """How a figure may be named: by party, by role, or by a role of its deal that its party fills."""
    who = {row.party, row.role} - {""}
    if row.deal:
        filled = portfolio.deals[row.deal].parties.items()
        who |= {role for role, party in filled if party == row.party}
    statistics = {row.statistic} | ({HEADLINE} if _is_headline(row) else set())
    return {f"{one}.{row.measure}.{statistic}" for one in who for statistic in statistics}


def _is_headline(row: Row) -> bool:
    if row.measure == "irr":
        return row.statistic == "of_mean_flows"
    return row.statistic == "mean" or (row.statistic == "probability" and row.measure != "loss")


def _only(found: Sequence[Row], figure: str, route: str, run_of: str) -> Wanted:
    """The one figure that is meant; several parties of one role must be told apart."""
    parties = dict.fromkeys(row.party for row in found)
    if len(parties) > 1:
        raise InputError(
            "is a figure of several: name the party", field="target", given=figure, allowed=", ".join(parties)
        )
    row = found[0]
    return Wanted(
        route, run_of, row.scope, row.deal, row.party, row.role, row.measure, row.statistic, row.unit
    )


def _nothing(wanted: Wanted) -> Row:
    """What stands for a figure that is not there with these terms."""
    return Row(
        *wanted[2:6], "", wanted.measure, wanted.statistic, None, None, wanted.unit,
        "there is no such figure with these terms", 0.0,
    )  # fmt: skip
