"""The structures that a programme is compared on unless others are named: shipped term sheets, changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from socialfinance.core.errors import InputError
from socialfinance.instruments.catalogue import Instrument

LAYER = {
    "guarantor": "commissioner", "when": "acceleration", "interest": False, "claim_lag": 1,
    "recoveries": "pro rata", "illustrative": True,
}  # fmt: skip


class Standard(NamedTuple):
    """A shipped term sheet and what is changed in it."""

    sheet: str
    changes: Mapping[str, Any]
    says: str


STANDARD: dict[str, Standard] = {
    "bond": Standard("social-impact-bond", {}, "investors at risk, paid by outcomes"),
    "bond-half-protected": Standard(
        "social-impact-bond",
        {"protection": {"by": "commissioner", "schedule": ({"from_quarter": 0, "share": 0.5},),
                        "illustrative": True}},
        "the council makes good half of investors' capital",
    ),
    "debt-80": Standard("guaranteed-debt", {}, "a loan, 80% of any loss covered by the council"),
    "debt-first-loss": Standard(
        "guaranteed-debt",
        {"layers": ({**LAYER, "cover": 1.0, "detach": 0.25, "unit": "share of drawn"},)},
        "a loan, the first 25% of loss covered by the council",
    ),
    "debt-all": Standard(
        "guaranteed-debt", {"layers": ({**LAYER, "cover": 1.0},)}, "a loan, all loss covered by the council"
    ),
    "debt-alone": Standard("guaranteed-debt", {"layers": ()}, "a loan, nothing covered"),
    "savings": Standard("pay-as-you-save", {}, "repaid out of verified savings only"),
    "savings-half-floor": Standard(
        "pay-as-you-save",
        {"floor": {"by": "commissioner", "share": 0.5, "claim_lag": 0, "illustrative": True}},
        "repaid out of savings, half guaranteed by the council",
    ),
    "bank-line": Standard("credit-line", {}, "the provider at risk, with a bank line behind its buffer"),
    "asset-backed": Standard("asset-backed", {}, "lenders secured on what is built"),
    "income-strip": Standard("income-strip", {}, "the council owes an indexed head rent"),
    "loan-pool": Standard("loan-pool", {}, "investors behind a first loss and guarantors"),
}  # fmt: skip
"""By name, in the order in which they are shown."""


def instruments(kind: str, names: tuple[str, ...], sheet: Callable[[str], Any]) -> dict[str, tuple[Any, str]]:
    """Terms and a word on them by name: ``names`` of ``STANDARD`` or of term sheets, or all that fit.

    ``kind`` is that of the programme, ``sheet`` reads a term sheet by its name. ``("all",)`` stands for every
    standard structure that finances this kind. InputError for a name that nobody knows.
    """
    if names == ("all",):
        every = {name: (varied(sheet(one.sheet), one.changes), one.says) for name, one in STANDARD.items()}
        return {name: found for name, found in every.items() if kind in found[0].finances}
    found = {}
    for name in names:
        one = STANDARD.get(name, Standard(name, {}, "as in its term sheet"))
        found[name] = (varied(sheet(one.sheet), one.changes), one.says)
    return found


def varied(terms: Any, changes: Mapping[str, Any]) -> Any:
    """A term sheet with some of its fields replaced, checked like a file."""
    if not changes:
        return terms
    given = {**terms.model_dump(exclude_unset=True), **changes}
    try:
        return TypeAdapter(Instrument).validate_python(given)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(str(first["msg"]), field=".".join(map(str, first["loc"]))) from None
