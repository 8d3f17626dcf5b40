"""Every shipped portfolio, made ready once, and each deal with all it is held against on a few paths."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import socialfinance as sf
from socialfinance.core.ledger import Ledger
from socialfinance.engine.deal import Outcome, run
from socialfinance.engine.ready import (
    ReadyDeal,
    ReadyPortfolio,
    ReadyStructure,
    drawn,
    futures_of,
    prepare,
    price_level,
)
from socialfinance.instruments.comparators import against

ROOT = Path(__file__).resolve().parent.parent.parent
PATHS = 32


class Played(NamedTuple):
    """One structure of one deal."""

    ready: ReadyPortfolio
    deal: ReadyDeal
    terms: Any
    structure: ReadyStructure
    outcome: Outcome


@cache
def portfolios() -> tuple[ReadyPortfolio, ...]:
    """All of them, in name order."""
    return tuple(prepare(sf.load(path).portfolio) for path in sorted((ROOT / "portfolios").glob("*.yaml")))


def deals() -> Iterator[tuple[ReadyPortfolio, ReadyDeal]]:
    """Every deal of every portfolio."""
    for ready in portfolios():
        for deal in ready.deals:
            yield ready, deal


def structures(ready: ReadyPortfolio, deal: ReadyDeal) -> list[tuple[Any, ReadyStructure]]:
    """Terms and the structure made ready of them: the deal's own, with variation, and its comparators."""
    own = deal.deal.instrument
    found: list[tuple[Any, ReadyStructure]] = [(own, deal.own)]
    found += [(own, deal.varied)] if deal.varied is not None else []
    held = against(deal.deal.programme.kind, ready.portfolio.comparison)
    return found + [(terms, one) for (_, terms), one in zip(held, deal.comparators, strict=True)]


@cache
def played() -> tuple[Played, ...]:
    """All of it, over the same few futures of each deal."""
    return tuple(one for ready, deal in deals() for one in _played(ready, deal))


def _played(ready: ReadyPortfolio, deal: ReadyDeal) -> Iterator[Played]:
    numbers = np.arange(PATHS, dtype=np.uint64)
    common = ready.common(7, numbers)
    futures = futures_of(deal, drawn(deal, common, 7, numbers), common)
    both = structures(ready, deal)
    ledgers = [Ledger(deal.calendar.year_of_row, PATHS) for _ in both]
    outcomes = run(deal, [one for _, one in both], futures, price_level(deal, common), ledgers)
    for (terms, structure), outcome in zip(both, outcomes, strict=True):
        yield Played(ready, deal, terms, structure, outcome)


def councils(ready: ReadyPortfolio, deal: ReadyDeal) -> list[str]:
    """The councils that fill a role of the deal."""
    filled = {party for shares in deal.roles.values() for party, _ in shares}
    return sorted(party for party in filled if ready.parties[party].kind == "council")
