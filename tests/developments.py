"""The smallest portfolio with a development: homes for sale and to let on council land. Tests change it."""

from __future__ import annotations

from copy import deepcopy
from datetime import date
from typing import Any

from socialfinance.funds.portfolio import Portfolio

Json = dict[str, Any]

DEVELOPMENT: Json = {
    "kind": "development",
    "title": "Homes by the park",
    "purpose": "housing",
    "illustrative": True,
    "land": {"value": 200_000.0},
    "build": {"quarters": 2, "s_curve": 0.0},
    "sales": {"flats": {"units": 10.0, "price": 100_000.0, "presold": 0.5, "per_quarter": 3.0}},
    "lettings": {"rented": {"units": 4.0, "rent": 2_000.0, "per_quarter": 4.0, "gross_yield": 0.08}},
    "costs": {
        "works": {"works": 800_000.0},
        "agents": {"paid_to": "intermediary", "reason": "other cost", "of_sales": 0.02},
        "management": {"per_unit": 250.0, "on": "rented"},
    },
    "last_quarter": 12,
}
LOAN: Json = {
    "commitment": {"amount": 700_000.0},
    "rate": {"reference": "fixed", "value": 0.0824321600, "basis": "annual effective"},
    "availability_quarters": 4,
    "repayment": {"profile": "bullet", "first_quarter": 8, "last_quarter": 8},
}
DEAL: Json = {
    "kind": "asset-backed",
    "loan": LOAN,
    "capital": {
        "land": {"by": "commissioner", "land": 1.0, "rate": 0.0},
        "partner": {"by": "partner", "amount": 200_000.0, "surplus": 1.0},
    },
}
PARTIES: Json = {
    "anytown": {"kind": "council"},
    "pension fund": {"kind": "investor"},
    "builder": {"kind": "provider"},
    "agents": {"kind": "intermediary"},
    "developer": {"kind": "investor"},
}
ROLES: Json = {
    "commissioner": "anytown", "investor": "pension fund", "provider": "builder", "intermediary": "agents",
    "partner": "developer",
}  # fmt: skip


def merged(base: Json, over: Json) -> Json:
    """A copy of a mapping with another laid over it, key by key; None takes a key away."""
    found = deepcopy(base)
    for key, value in over.items():
        if value is None:
            found.pop(key, None)
        elif isinstance(value, dict) and isinstance(found.get(key), dict):
            found[key] = merged(found[key], value)
        else:
            found[key] = deepcopy(value)
    return found


def file_of(
    development: Json | None = None,
    instrument: Json | None = None,
    quarters: int = 16,
    roles: Json | None = None,
    **more: Any,
) -> Json:
    """The portfolio as data, with changes to the development, the instrument and who fills the roles."""
    own = instrument or {}
    kind = own.get("kind", "asset-backed")
    deal = {
        "programme": merged(DEVELOPMENT, development or {}),
        "instrument": merged(DEAL, own) if kind == "asset-backed" else own,
        "parties": merged(ROLES, roles or {}),
    }
    return {
        "name": "one-deal",
        "start": date(2026, 10, 1),
        "quarters": quarters,
        "discount": {"rate": 0.05},
        "comparison": {"pwlb_method": "maturity", "pwlb_term_years": 2},
        "parties": merged(PARTIES, more.pop("parties", {})),
        "deals": {"deal": {**deal, **more.pop("deal", {})}},
        **more,
    }


def one_development(*given: Any, **more: Any) -> Portfolio:
    """The same as a portfolio."""
    from socialfinance.io.files import load_data

    return load_data(file_of(*given, **more)).portfolio
