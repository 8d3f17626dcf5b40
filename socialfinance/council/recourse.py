"""Which accounting rules a council's promise falls under: by recourse first, then by what makes it pay.

Who owes the money if the council does not pay it, and whatever the results? Only cover for a debtor that owes
it all the same is a financial guarantee contract. Which terms of a deal say so stands in ``promises.py``.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

from socialfinance.core.errors import InputError

Pays = Literal[
    "a debtor misses a payment", "results fall short", "a price, value or rating moves",
    "the contract ends early", "too few are referred", "a service or outcome is delivered",
    "money is put in", "in any event",
]  # fmt: skip
"""What has to happen before the council pays."""
Owes = Literal["a debtor, whatever the results", "nobody beyond the results", "the council itself", "nobody"]
"""Who owes what the council would make good."""


class Treatment(NamedTuple):
    """How a promise is accounted for."""

    name: str
    standard: str
    reason: str
    citation: str


FINANCIAL_GUARANTEE = Treatment(
    "financial guarantee contract", "IFRS 9",
    "makes good a loss because a specified debtor does not pay what is due on a debt instrument",
    "IFRS 9, appendix A and 4.2.1(c) [unverified]; BDO, IFRS 9 Explained: issued financial guarantee "
    "contracts, 2018",
)  # fmt: skip
SHORTFALL = Treatment(
    "insurance contract, or provision or contingent liability", "IFRS 17 or IAS 37",
    "a loan that only results repay is not in default when they fall short, and results are a non-financial "
    "variable specific to a party: neither a financial guarantee contract nor a derivative",
    "IFRS 17, appendix B; IAS 37 [unverified]",
)  # fmt: skip
DERIVATIVE = Treatment(
    "derivative", "IFRS 9, at fair value through profit or loss",
    "pays because a price, value or rating moves, whether or not a debtor pays; a value that is specific to "
    "a party can make it a case for IAS 37 or IFRS 17 instead",
    "IFRS 9, appendix A [unverified]; BDO, 2018",
)  # fmt: skip
CONTINGENT = Treatment(
    "provision or contingent liability", "IAS 37",
    "owed only if something happens that is not certain, and nobody's debt is guaranteed",
    "IAS 37, 10 and 14 [unverified]",
)  # fmt: skip
EXECUTORY = Treatment(
    "executory contract: a commitment", "none until delivered: budget exposure",
    "the council pays for what it has when it has it: accrued when delivered, until then a commitment and "
    "never a contingent liability",
    "IAS 37, 1 and 3 [unverified]",
)  # fmt: skip
COMMITMENT = Treatment(
    "commitment to lend, invest or give", "a commitment until paid",
    "money that the council has undertaken to put in; what it then holds is tested by itself",
    "IFRS 9, 5.5.1 for loans [unverified]",
)  # fmt: skip
OWN_DEBT = Treatment(
    "lease or borrowing", "IFRS 16 or IFRS 9, on the balance sheet",
    "the council owes it itself whatever happens: a liability from the start, inside its borrowing limits",
    "IFRS 16, for councils from 1 April 2024; Local Government Act 2003, sections 7 and 8 [unverified]",
)  # fmt: skip
TREATMENTS = (FINANCIAL_GUARANTEE, SHORTFALL, DERIVATIVE, CONTINGENT, EXECUTORY, COMMITMENT, OWN_DEBT)
COMMITMENTS = (EXECUTORY, COMMITMENT)
"""What has no note of contingent liabilities."""
_BY_EVENT: dict[str, Treatment] = {
    "results fall short": SHORTFALL,
    "a price, value or rating moves": DERIVATIVE,
    "the contract ends early": CONTINGENT,
    "too few are referred": EXECUTORY,
    "a service or outcome is delivered": EXECUTORY,
    "money is put in": COMMITMENT,
}


def classify(pays: Pays, owes: Owes = "nobody") -> Treatment:
    """Which rules a promise falls under, by recourse first: who owes the money, then what makes it pay.

    What the council owes itself, or in any event, is its own debt. A missed payment is a case for IFRS 9
    where a debtor owes it whatever the results; where only results repay, nothing was missed and they fell
    short.
    """
    for field, given, known in (("pays", pays, get_args(Pays)), ("owes", owes, get_args(Owes))):
        if given not in known:
            raise InputError("is none of those known", field=field, given=given, allowed="; ".join(known))
    if owes == "the council itself" or pays == "in any event":
        return OWN_DEBT
    if pays == "a debtor misses a payment":
        return FINANCIAL_GUARANTEE if owes == "a debtor, whatever the results" else SHORTFALL
    return _BY_EVENT[pays]
