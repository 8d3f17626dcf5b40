"""A shared purse on a block of paths: read from the ledger what each agency saves, pays and ends up with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from socialfinance.engine.deal import Outcome
from socialfinance.engine.ready import ReadyDeal
from socialfinance.measures.paths import saved_of, sum_rows
from socialfinance.measures.purse import agency_figures, without_pooling, wrong_pockets

Array = NDArray[np.float64]
Figures = dict[str, tuple[str, Array]]


def purse_figures(deal: ReadyDeal, outcome: Outcome) -> Iterator[tuple[str, str, Figures]]:
    """Party, role and figures of every agency, then of the purse; nothing where none pays out of savings.

    Agencies are the parties that save in the programme or commission it. What a party pays and has as the
    funder is left out of its position.
    """
    if outcome.lowered.purse is None:
        return
    ledger = outcome.ledger
    by_role = outcome.lowered.purse(outcome.state)
    saving = [saving.agency for saving in deal.programme.programme.savings.values()]
    parties = sorted({party for role in (*saving, "commissioner") for party, _ in deal.roles[role]})
    saved = {party: sum_rows(saved_of(ledger, (party,))) for party in parties}
    pooled = {party: _net(deal, outcome, party) for party in parties}
    commissioners = dict(deal.roles["commissioner"])
    alone = without_pooling(saved, pooled, commissioners)
    for party in parties:
        yield (
            party,
            "agency",
            agency_figures(
                saved[party],
                _verified(deal, by_role, party, ledger.paths),
                _paid(ledger.of(payer=party, reason="savings payment"), ledger.paths),
                _paid(ledger.of(payee=party, reason="surplus share"), ledger.paths),
                pooled[party],
                alone[party],
            ),
        )
    pays = {party for role in by_role for party, _ in deal.roles[role]}
    yield (
        "",
        "purse",
        {
            "wrong_pockets_gap": ("pounds", wrong_pockets(pooled, pays)),
            "wrong_pockets_gap_alone": ("pounds", wrong_pockets(alone, commissioners)),
        },
    )


def _net(deal: ReadyDeal, outcome: Outcome, party: str) -> Array:
    """Received less paid over the life, without its part of the funder's money."""
    ledger = outcome.ledger
    net = sum_rows(ledger.net[party]) if party in ledger.net else np.zeros(ledger.paths)
    share = dict(deal.roles.get("investor", ())).get(party, 0.0)
    if share > 0.0:
        paid_in, back = ledger.of_role("investor")
        net = net - share * (sum_rows(back) - sum_rows(paid_in))
    return net


def _verified(deal: ReadyDeal, by_role: Any, party: str, paths: int) -> Array:
    """Its part of what was verified to the roles that it fills."""
    total = np.zeros(paths)
    for role, verified in by_role.items():
        total = total + dict(deal.roles[role]).get(party, 0.0) * verified
    return total


def _paid(by_year: Any, paths: int) -> Array:
    """Payments over the life; nil where the ledger has none of them."""
    return np.zeros(paths) if isinstance(by_year, float) else sum_rows(by_year)
