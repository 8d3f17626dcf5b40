"""Who can pay and be paid."""

from __future__ import annotations

from typing import Literal

from socialfinance.core.terms import Terms

Kind = Literal[
    "council", "nhs", "police", "justice", "dwp", "hmrc", "school", "housing", "central",
    "investor", "lender", "provider", "intermediary", "guarantor", "community", "outside",
]  # fmt: skip

PUBLIC: frozenset[str] = frozenset(
    {"council", "nhs", "police", "justice", "dwp", "hmrc", "school", "housing", "central"}
)
"""The kinds that are agencies: public bodies whose budget a cashable saving can reach."""

OUTSIDE = "outside"
"""Staff, suppliers, tenants, and costs no longer met. The programme's net value is minus its net."""


class Party(Terms):
    """A legal person. Its name is its key in the file."""

    kind: Kind
    """what the party is; public kinds are agencies"""
    title: str | None = None
    """how it is shown; default its name"""


class PartyShare(Terms):
    """One of several parties that fill a role together."""

    party: str
    """a name in the file's parties"""
    share: float
    """fraction of the role, 0 to 1; the shares of a role sum to one"""


Filled = str | tuple[PartyShare, ...]
"""One party, or several with shares."""


def shares_of(filled: Filled) -> tuple[tuple[str, float], ...]:
    """A filled role as ``(party, share)`` pairs."""
    if isinstance(filled, str):
        return ((filled, 1.0),)
    return tuple((one.party, one.share) for one in filled)
