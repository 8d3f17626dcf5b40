"""The smallest loan pool: one segment, made at once. Tests change what they are about."""

from __future__ import annotations

from datetime import date
from typing import Any

from socialfinance.funds.portfolio import Portfolio

Json = dict[str, Any]


def one_pool(
    book: Json | None = None,
    segment: Json | None = None,
    pool: Json | None = None,
    parties: Json | None = None,
    quarters: int = 12,
    start: date = date(2026, 10, 1),
    **more: Any,
) -> Portfolio:
    """Ten loans of £10,000 made in quarter 1, bullets of a year at a nominal 8%, funded by £100,000."""
    loans: Json = {
        "schedule": (10.0,), "size": 10_000.0, "term": 4, "repayment": "bullet", "rate": 0.08,
        "basis": "nominal quarterly", "default_probability": 0.0, "loss_given_default": 0.6,
        "recovery_lag": 0,
    }  # fmt: skip
    what: Json = {"kind": "loan-book", "title": "ten loans", "illustrative": True}
    segments = {"all": {**loans, **(segment or {})}}
    terms: Json = {"kind": "loan-pool", "commitment": {"amount": 100_000.0}, "reserve_quarters": 0}
    roles = {"investor": "fund", **(parties or {})}
    kinds = {"fund": "investor", "backer": "guarantor", "insurer": "guarantor", "giver": "community",
             "manager": "provider", "borough": "council"}  # fmt: skip
    return Portfolio.model_validate(
        {
            "name": "one-pool",
            "start": start,
            "quarters": quarters,
            "discount": {"rate": 0.035},
            "parties": {name: {"kind": kind} for name, kind in kinds.items()},
            "deals": {
                "pool": {
                    "programme": {**what, "segments": segments, **(book or {})},
                    "instrument": {**terms, **(pool or {})},
                    "parties": roles,
                }
            },
            **more,
        }
    )
