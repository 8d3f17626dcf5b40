"""The smallest whole portfolio: one deal, one outcome line, one payer. Tests change what they are about."""

from __future__ import annotations

from datetime import date
from typing import Any

from socialfinance.funds.portfolio import Portfolio


def one_deal(
    prices: dict[str, float] | None = None,
    effect: dict[str, Any] | None = None,
    people: float = 100.0,
    probability: Any = 0.3,
    cost: float = 10_000.0,
    quarters: int = 12,
    start: date = date(2026, 10, 1),
    instrument: dict[str, Any] | None = None,
    programme: dict[str, Any] | None = None,
    **tariff: Any,
) -> Portfolio:
    """One cohort of ``people`` in quarter 1; the outcome falls in quarter 2 and is paid in quarter 3."""
    what: dict[str, Any] = {
        "title": "one cohort",
        "illustrative": True,
        "referrals": {"schedule": (people,), "arrival": "as planned"},
        "outcomes": {"outcome": {"probability": probability, "lag": 1}},
        "costs": {"delivery": {"per_quarter": cost, "last_quarter": 2}},
    }
    if effect is not None:
        cohort = {"first_quarter": 1, "last_quarter": 1, "measured_quarter": 2, "people": people}
        what["effect"] = {"true": 0.1, "baseline": 1.0, "cohorts": {"all": {**cohort, "controls": 100.0}}}
        tariff["effect"] = effect
    if prices is not None:
        tariff["prices"] = prices
    return Portfolio.model_validate(
        {
            "name": "one-deal",
            "start": start,
            "quarters": quarters,
            "parties": {
                "anytown": {"kind": "council"},
                "fund": {"kind": "investor"},
                "charity": {"kind": "provider"},
            },
            "deals": {
                "deal": {
                    "programme": {**what, **(programme or {})},
                    "instrument": {
                        "kind": "social-impact-bond",
                        "commitment": {"amount": 100_000.0},
                        **(instrument or {}),
                    },
                    "tariff": {"payers": {"council": {"share": 1.0}}, **tariff},
                    "parties": {"council": "anytown", "investor": "fund", "provider": "charity"},
                }
            },
        }
    )
