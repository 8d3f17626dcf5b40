"""The reference fund: 40 deals x 40 quarters, every term of the bond in use somewhere. Invented numbers."""

from __future__ import annotations

from datetime import date
from typing import Any

from socialfinance.funds.portfolio import Portfolio

CHAIN = ("engaged", "three-months", "six-months", "twelve-months")


def reference_fund(deals: int = 40, quarters: int = 40, lines: int = 4, counts: str = "people") -> Portfolio:
    """``deals`` bonds of ``lines`` outcome lines, two payers, three cost lines and two savings each.

    People come in the first three fifths of the quarters, so that a longer fund is more of the same.
    """
    parties: dict[str, Any] = {"fund": {"kind": "investor"}, "lottery": {"kind": "central"}}
    for i in range(8):
        parties[f"council-{i}"] = {"kind": "council"}
        parties[f"charity-{i}"] = {"kind": "provider"}
    return Portfolio.model_validate(
        {
            "name": "reference",
            "start": date(2026, 10, 1),
            "quarters": quarters,
            "counts": counts,
            "parties": parties,
            "indices": {"pay": {"annual": {"distribution": "mean-reverting", "start": 0.03, "mean": 0.025,
                                           "reversion": 0.5, "volatility": 0.01}}},
            "factors": {"economy": {"kind": "gaussian"}, "theme": {"kind": "gaussian", "by": "theme"},
                        "bad-years": {"kind": "common-shock", "annual_probability": 0.05, "duration": 4,
                                      "depth": {"distribution": "uniform", "low": 0.3, "high": 0.7}}},
            "deals": {f"deal-{i:02d}": _deal(i, quarters, CHAIN[:lines]) for i in range(deals)},
        }
    )  # fmt: skip


def _deal(i: int, quarters: int, chain: tuple[str, ...]) -> dict[str, Any]:
    people, flow = 14.0 + i % 12, 3 * quarters // 5
    lines: dict[str, Any] = {}
    for k, name in enumerate(chain):
        lines[name] = {
            "probability": {"distribution": "beta", "mean": 0.85 - 0.05 * k, "sd": 0.06,
                            "loadings": {"economy": 0.15, "theme": 0.2}},
            "lag": min(k, 2), "verification_lag": k % 2, "deadweight": 0.15,
        }  # fmt: skip
        if k:
            lines[name]["of"] = chain[k - 1]
    return {
        "theme": ("families", "homes", "work", "health", "justice")[i % 5],
        "programme": {
            "title": f"reference {i}",
            "referrals": {"per_quarter": people, "quarters": flow, "ramp": (0.3, 0.6), "dispersion": 0.05,
                          "volume": {"distribution": "lognormal", "mean": 0.97, "sd": 0.2,
                                     "loadings": {"economy": 0.2}}},
            "engagement": {"distribution": "beta", "mean": 0.85, "sd": 0.05},
            "outcomes": lines,
            "failure": {"probability": 0.1,
                        "performance": {"distribution": "uniform", "low": 0.2, "high": 0.4}},
            "costs": {
                "delivery": {"per_quarter": 4_200.0 * people, "elasticity": 0.5, "index": "pay",
                             "overrun": {"distribution": "lognormal", "mean": 1.02, "sd": 0.05}},
                "management": {"paid_to": "intermediary", "reason": "intermediary cost",
                               "per_quarter": 9_000.0, "basis": "vehicle", "vat": 0.2,
                               "vat_recoverable": 0.0},
                "contract-staff": {"reason": "other cost", "per_quarter": 5_000.0, "basis": "in house"},
            },
            "savings": {
                "care": {"on": chain[:3][-1], "agency": "commissioner", "unit_value": 2_500.0, "duration": 8,
                         "drop_off": 0.2, "cashable": 0.5},
                "other": {"on": "engaged", "agency": "top-up", "unit_value": 300.0, "duration": 4},
            },
        },
        "instrument": {
            "kind": "social-impact-bond", "commitment": {"peak_need": 1.25}, "cap": {"irr": 0.12},
            "above_cap": {"payers": 0.7, "provider": 0.3}, "provider_at_risk": 0.05,
            "termination": {"performance_test": {"first_quarter": 6, "below": 0.4},
                            "voluntary": {"annual_probability": 0.01, "from_quarter": 6}},
        },
        "tariff": {
            "prices": dict(zip(chain, (1_500.0, 2_500.0, 3_000.0, 4_000.0), strict=False)),
            "payers": {
                "council": {"share": 0.8, "cap": 9_000.0 * people * flow * 0.8},
                "top-up": {"share": 0.2},
            },
            "cap": 9_000.0 * people * flow,
        },
        "parties": {"council": f"council-{i % 8}", "top-up": "lottery", "investor": "fund",
                    "provider": f"charity-{i % 8}"},
    }  # fmt: skip
