"""A promise in the notes: under IAS 37, provision, disclosure or nothing; and a draft of what is said.

IAS 37 [unverified] is for promises that IFRS 9 does not cover. What is drafted is a draft: its wording and
its classification are for the council's accountant and auditor.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.core.errors import InputError
from socialfinance.council import ias37
from socialfinance.council.liabilities import Assessment, Estimate, estimate
from socialfinance.council.numbers import ANY, Array, number, numbers
from socialfinance.council.promises import Promise
from socialfinance.council.recourse import COMMITMENTS, DERIVATIVE, FINANCIAL_GUARANTEE, OWN_DEBT
from socialfinance.council.statistics import chance

Items = Literal["one", "many"]
Basis = Literal["expected value", "most likely amount"]
MOSTLY = 0.5
"""Share of the paths that pay from which one amount is likely enough to stand for all."""


class Tested(NamedTuple):
    """A promise under IAS 37."""

    chance: Estimate
    """that anything is paid"""
    remote: float
    """chance below which it is called remote, the council's policy"""
    treatment: str
    """provision, contingent liability to disclose, or remote"""
    basis: Basis
    best_estimate: Estimate
    """pounds, undiscounted"""


def under_ias37(
    losses: ArrayLike, items: Items = "one", remote: float = 0.05, nearest: float = 1_000.0
) -> Tested:
    """Provision, disclosure or nothing, and the best estimate, from the loss of each path, pounds.

    Many items: the expected value. One that will probably be paid: the most likely amount, to the ``nearest``
    so many pounds, where more than half of the paths that pay come to it; where none is that likely, or
    paying is not probable, the expected value, as other outcomes have to be counted too (IAS 37, 40). A loss
    below nil counts as nothing paid.
    """
    lost = np.maximum(0.0, np.atleast_1d(numbers("losses", losses, ANY)))
    if items not in ("one", "many"):
        raise InputError("is neither", field="items", given=items, allowed="one or many")
    odds = Estimate(*chance(lost > HALF_A_PENNY))
    treatment = ias37.classify(odds.value, remote)
    if items == "one" and treatment == ias37.PROVISION:
        amount, share = most_likely(lost[lost > HALF_A_PENNY], nearest)
        if share > MOSTLY:
            return Tested(odds, remote, treatment, "most likely amount", Estimate(amount, 0.0))
    return Tested(odds, remote, treatment, "expected value", estimate(lost))


def most_likely(amounts: Array, nearest: float = 1_000.0) -> tuple[float, float]:
    """The amount that comes up most often, to the nearest so many pounds, and its share of the paths.

    The smaller of two that are as likely.
    """
    step = number("nearest", nearest, (0.01, 1e9, "a penny or more"))
    steps, counts = np.unique(np.rint(amounts / step), return_counts=True)
    return float(steps[counts.argmax()] * step), float(counts.max() / len(amounts))


# --- a note ----------------------------------------------------------------------------------------------


def draft_note(
    promise: Promise, assessed: Assessment, tested: Tested | None = None, *, as_at: date,
    liability: float | None = None, together: Sequence[str] = (),
) -> str:  # fmt: skip
    """A draft of what the accounts would say of a promise, plain text; for a commitment one sentence.

    ``liability``: what is recognised for a financial guarantee contract, pounds. ``together``: other promises
    that the figures include, as they were measured with it. InputError where the promise's rules need a
    figure that is not given.
    """
    if promise.treatment in COMMITMENTS:
        return _commitment(promise)
    lines = [
        "DRAFT - not audited; figures are simulated and depend on the assumptions of the file",
        f"{promise.council}: {promise.what} ({promise.deal}), at {as_at.day} {as_at:%B %Y}",
        f"Treated as: {promise.treatment.name}, under {promise.treatment.standard}. It {_pays(promise)}: "
        f"{promise.treatment.reason}. Basis: {promise.treatment.citation}.",
        _recognised(promise, tested, liability),
    ]
    if together:
        lines.append(
            f"The figures are those of {len(together) + 1} promises together, this one and "
            f"{'; '.join(together)}: they count once, and not in each of their notes."
        )
    elsewhere = promise.treatment in (FINANCIAL_GUARANTEE, DERIVATIVE, OWN_DEBT)
    if elsewhere or tested is None or tested.treatment != ias37.REMOTE:
        lines += _exposure(assessed)
    lines += [f"To look at: {flag}." for flag in promise.flags]
    lines.append(
        "There is no statutory override for losses on guarantees in the general fund [unverified]. Figures "
        "are at real-world chances, undiscounted unless said."
    )
    return "\n".join(lines)


def _commitment(promise: Promise) -> str:
    most = promise.maximum
    limit = "the terms give no figure" if most is None else f"up to {_pounds(most)}"
    return (
        f"{promise.council} is committed under {promise.deal} ({promise.what}; {limit}): a commitment, shown "
        "as budget exposure and not as a contingent liability [unverified]."
    )


def _pays(promise: Promise) -> str:
    """What makes it pay, and who owes the money."""
    when = "pays in any event" if promise.pays == "in any event" else f"pays when {promise.pays}"
    return when if promise.owes == "nobody" else f"{when}, and the money is owed by {promise.owes}"


def _recognised(promise: Promise, tested: Tested | None, liability: float | None) -> str:
    """What stands on the balance sheet."""
    kind = promise.treatment
    if kind is FINANCIAL_GUARANTEE:
        amount = _needed("liability", liability)
        return (
            f"Recognised: {_pounds(amount)}, the higher of the loss allowance and the fee not yet earned "
            "(IFRS 9, 4.2.1(c))."
        )
    if kind is DERIVATIVE:
        return (
            "To be measured at fair value, which the figures below are not: they are at real-world chances."
        )
    if kind is OWN_DEBT:
        return "A liability of the council's own, measured by its terms; it is not contingent."
    if tested is None:
        raise InputError(
            "is needed for a promise under IAS 37", field="tested", allowed="under_ias37(losses)"
        )
    odds = f"{tested.chance.value:.1%} (standard error {tested.chance.error:.1%})"
    if tested.treatment == ias37.PROVISION:
        best, basis = tested.best_estimate, tested.basis
        error = f" (standard error {_pounds(best.error)})" if best.error > 0.0 else ""
        return f"Payment is probable, at {odds}: a provision of {_pounds(best.value)}{error}, the {basis}."
    if tested.treatment == ias37.REMOTE:
        return (
            f"Payment is remote, at {odds}, below the council's own level of {tested.remote:.1%}: nothing "
            "is recognised or disclosed. The standard gives no level [unverified]."
        )
    return (
        f"Payment is possible, at {odds}: nothing is recognised, a contingent liability is disclosed. "
        f"Estimate of its financial effect: {_pounds(tested.best_estimate.value)}."
    )


def _needed(field: str, given: float | None) -> float:
    if given is None:
        raise InputError("is needed for a financial guarantee contract", field=field, allowed="pounds")
    return number(field, given)


def _exposure(assessed: Assessment) -> list[str]:
    loss, worst = assessed.expected_loss, assessed.worst_case
    paid = assessed.by_year.loc[assessed.by_year["chance"] > 0.0, "financial_year"].tolist()
    years = " to ".join(dict.fromkeys((paid[0], paid[-1]))) if paid else ""
    when = f"Payments would fall in {years}." if paid else "No future has a payment."
    most = f"Most that can be called: {_pounds(assessed.maximum)}."
    back = _pounds(assessed.calls.value - loss.value)
    return [
        f"{most} Expected loss {_pounds(loss.value)} (standard error {_pounds(loss.error)}); reasonable "
        f"worst case, P{100 * assessed.percentile:g}, {_pounds(worst.value)} [unverified: no percentile is "
        "confirmed].",
        "Uncertain are whether, when and how much: a call comes with a chance of "
        f"{assessed.called.value:.1%}. {when} Expected to come back: {back}.",
    ]


def _pounds(amount: float) -> str:
    return "no limit" if amount == np.inf else f"£{amount:,.0f}"
