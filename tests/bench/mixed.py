"""The reference fund: 40 deals of every structure x 40 quarters, notes over them and a pooled guarantee.

Bonds as in ``reference.py``, and the shipped demonstrations again and again under other draws. Their terms
are the shipped ones; that a single fund holds them all is invented.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import socialfinance as sf
from socialfinance.funds.portfolio import Portfolio
from tests.bench.reference import reference_fund

QUARTERS = 40
DEMOS = {
    "demo-guaranteed-debt": 8,
    "demo-pay-as-you-save": 6,
    "demo-credit-line": 4,
    "demo-loan-pool": 3,
    "demo-asset-backed": 2,
    "demo-grant": 1,
}
"""How many of each; the rest are bonds."""
SHORTER = {
    "demo-pay-as-you-save": {"deals.foster-families.instrument.long_stop_quarter": 38},
    "demo-asset-backed": {
        "deals.park homes.instrument.exit.quarter": 33,
        "deals.park homes.instrument.loan.repayment.last_quarter": 33,
    },
}
"""What makes longer deals end within the fund's quarters."""
HOLDERS = {"pension fund": "investor", "charitable trust": "investor", "social banks": "investor",
           "guarantee trust": "guarantor", "community chest": "community"}  # fmt: skip


def mixed_fund(deals: int = 40, quarters: int = QUARTERS) -> Portfolio:
    """``deals`` of all structures in one fund; of 40 sixteen are bonds, and so in proportion."""
    others = [name for name, count in DEMOS.items() for _ in range(round(count * deals / 40))]
    whole: dict[str, Any] = reference_fund(deals - len(others), quarters).model_dump(exclude_unset=True)
    for i, name in enumerate(others):
        demo = _demo(name)
        for table in ("parties", "indices", "factors"):
            whole[table] = {**demo[table], **whole[table]} if demo.get(table) else whole[table]
        deal = dict(next(iter(demo["deals"].values())))
        deal["parties"] = {**deal["parties"], "investor": "fund"}
        whole["deals"][f"other-{i:02d}"] = {**deal, "draws": f"other-{i:02d}", "cases": {}}
    for party, kind in HOLDERS.items():
        whole["parties"][party] = {"kind": kind}
    whole["fund"] = _fund(deals)
    return Portfolio.model_validate(whole)


@cache
def _demo(name: str) -> dict[str, Any]:
    return dict(sf.load(name, set=SHORTER.get(name)).portfolio.model_dump(exclude_unset=True))


def _fund(deals: int) -> dict[str, Any]:
    size = 2_200_000.0 * deals
    return {
        "party": "fund",
        "notes": {
            "senior": {"holder": "pension fund", "commitment": 0.6 * size, "rank": 1,
                       "rate": {"basis": "fixed", "annual": 0.045}},
            "mezzanine": {"holder": "charitable trust", "commitment": 0.25 * size, "rank": 2,
                          "rate": {"basis": "performance", "annual": 0.015, "extra": 0.035,
                                   "nothing_at": 0.7, "all_at": 1.0}, "deferrable": True},
            "junior": {"holder": "social banks", "commitment": 0.15 * size, "rank": 3,
                       "rate": {"basis": "residual", "cap": 0.06}},
        },
        "surplus_to": "community chest",
        "pool": {"guarantor": "guarantee trust", "cap": 0.05 * size, "cover": 0.5, "fee": 0.005,
                 "claim_after": 2},
    }  # fmt: skip
