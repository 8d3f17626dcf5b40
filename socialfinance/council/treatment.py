"""Where each payment stands in a council's accounts: revenue, capital, a capital receipt, or neither.

England. Neither means the balance sheet alone: loans drawn and repaid, money invested and had back. A rule
is looked up by the structure and how it is funded, by the ledger's reason and by which side the council is
on; what has no rule is refused. Sources: Local Government Act 2003, Part 1; Local Authorities (Capital
Finance and Accounting) (England) Regulations 2003 (SI 2003/3146); CIPFA, Code of Practice on Local Authority
Accounting [unverified].
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.core.errors import InputError
from socialfinance.core.ledger import MEMO
from socialfinance.core.parties import Kind, Party
from socialfinance.council.numbers import Array
from socialfinance.engine.ready import ReadyDeal

Column = Literal["revenue", "capital", "capital receipt", "balance sheet"]
Leg = tuple[str, str, str]
"""payer, payee, reason"""
COLUMNS: tuple[Column, ...] = get_args(Column)


class Treatment(NamedTuple):
    """How a payment is accounted for."""

    column: Column
    rule: str
    """what it counts as"""
    source: str


# --- rules ------------------------------------------------------------------------------------------------

_CODE = "CIPFA, Code of Practice on Local Authority Accounting [unverified]"
_BUDGET = "Local Government Finance Act 1992, section 31A [unverified]"
_ACT = "Local Government Act 2003, sections 9 and 16; SI 2003/3146, regulation 25 [unverified]"
_RECEIPT = "Local Government Act 2003, section 9 [unverified]"
_LOAN = "Local Government Act 2003, section 1: principal is no revenue cost; MRP stands in its place"
_CALL = "Arlingclose, A Guarantee of Success, on calls; capitalisation by direction only [unverified]"
_LEASE = "IFRS 16, for councils from 1 April 2024 [unverified]"
_FLEXIBLE = (
    "MHCLG, Flexible use of capital receipts: direction of 26 March 2025 under the Local Government Act "
    "2003, sections 16(2)(b) and 20"
)
_DIRECTION = "Local Government Act 2003, section 16(2)(b); case by case [unverified]"


def _revenue(rule: str, source: str = _CODE) -> Treatment:
    return Treatment("revenue", rule, source)


OUTCOMES = _revenue("payments for outcomes, when they are achieved [unverified]")
SAVINGS_SHARED = _revenue("payments out of savings [unverified]")
UNDER_CONTRACT = _revenue("other payments under the contract")
TAKEN_BACK = _revenue("payments taken back")
COMPENSATION = _revenue("compensation for an early end")
SURPLUS = _revenue("share of a surplus [unverified]")
CALLED = _revenue("a promise called: revenue unless capitalisation is directed [unverified]", _CALL)
CURE = _revenue("a vehicle's loan paid down and not paid back [unverified]", _CALL)
RECOVERED = _revenue("calls recovered [unverified]", _CALL)
FEE_EARNED = _revenue("guarantee fee earned [unverified]", "IFRS 15, IFRS 9 [unverified]")
FEE_PAID = _revenue("guarantee fee paid")
SAVED = _revenue("savings in the council's own budget", _BUDGET)
EXTRA = _revenue("extra cost in the council's own budget", _BUDGET)
SERVICE = _revenue("cost of the service", _BUDGET)
INCOME = _revenue("income for services")
INTEREST = _revenue("interest", "SI 2003/3146; MHCLG, guidance on MRP, 10 April 2024")
BORROWING_COST = _revenue("fees on borrowing")
GRANT_GIVEN = _revenue("grants given that are not for capital spending")
GRANT_RECEIVED = _revenue("grants received that are not for capital spending")
OWN_FUNDS = _revenue("moved between the budget and the council's own reserve", _BUDGET)
RENT = _revenue("rent")
HEAD_RENT = _revenue(
    "head rent: interest and what the liability is written down by, to which MRP is equal [unverified]",
    _LEASE,
)
EARNED = _revenue("return on money put in")
WORKS = Treatment("capital", "works and other capital cost", _ACT)
DIRECTED = Treatment("capital", "spending under a capitalisation direction", _DIRECTION)
FLEXIBLE = Treatment("capital", "spending under the flexible receipts direction", _FLEXIBLE)
BY_RECEIPTS = Treatment("capital", "financed by capital receipts", _FLEXIBLE)
CAPITAL_GRANT = Treatment("capital", "capital grant received", _ACT)
CAPITAL_GIVEN = Treatment("capital", "capital grant given", _ACT)
PUT_IN = Treatment("capital", "loans and equity for others' capital spending [unverified]", _ACT)
BOUGHT = Treatment("capital", "property bought", _ACT)
SOLD = Treatment("capital receipt", "sales of land and buildings", _RECEIPT)
OVERAGE = Treatment("capital receipt", "overage on land sold [unverified]", _RECEIPT)
REPAID_TO = Treatment("capital receipt", "loans and equity repaid [unverified]", _RECEIPT)
RECEIPTS_USED = Treatment("capital receipt", "capital receipts used", _FLEXIBLE)
BORROWED = Treatment("balance sheet", "loans drawn", _LOAN)
REPAID = Treatment("balance sheet", "loans repaid", _LOAN)
NOTIONAL = Treatment("balance sheet", "notional loan: a cost of money only, no loan that could be had", _LOAN)
LIABILITY = Treatment("balance sheet", "capital sum against a lease liability [unverified]", _LEASE)
INVESTED = Treatment("balance sheet", "money lent or invested, no capital spending [unverified]", _ACT)
BACK = Treatment("balance sheet", "money lent or invested that came back [unverified]", _ACT)

Rules = Mapping[tuple[str, bool], Treatment]
"""By reason and whether the council pays."""
Made = dict[tuple[str, bool], Treatment]

_ANY: Made = {("saving", False): SAVED, ("extra cost", True): EXTRA}
_SPENT: Made = {
    **{(f"{what} cost", True): SERVICE
       for what in ("delivery", "set-up", "intermediary", "evaluation", "other", "wind-down")},
    ("irrecoverable vat", True): SERVICE,
}  # fmt: skip
"""Where the council itself delivers, or follows what it pays for."""
_DELIVERS: Made = {
    **_SPENT,
    ("service payment", False): INCOME, ("deferred fee", False): INCOME,
    ("surplus share", False): SURPLUS,
}  # fmt: skip
_CONTRACT: Made = {
    **_ANY, **_DELIVERS,
    ("outcome payment", True): OUTCOMES,
    ("savings payment", True): SAVINGS_SHARED,
    ("minimum-referral payment", True): UNDER_CONTRACT,
    ("reimbursed cost", True): UNDER_CONTRACT,
    ("emergency support", True): UNDER_CONTRACT,
    ("clawback", False): TAKEN_BACK,
    ("termination compensation", True): COMPENSATION,
}  # fmt: skip
"""A people's programme that a vehicle is paid for by results."""
_GUARANTEES: Made = {
    ("guarantee call", True): CALLED, ("recovery", False): RECOVERED,
    ("guarantee fee", False): FEE_EARNED, ("guarantee fee", True): FEE_PAID,
}  # fmt: skip
_LENDS: Made = {
    ("drawdown", True): INVESTED,
    **{(why, False): BACK
       for why in ("capital returned", "principal", "redemption", "guarantee call", "capital protection",
                   "termination compensation", "unpaid balance")},
    **{(why, False): EARNED
       for why in ("interest", "investor return", "arrangement fee", "commitment fee", "floor coupon")},
    ("guarantee fee", True): FEE_PAID,
}  # fmt: skip
"""Where the council is itself an investor: the money pays for a service, so lending it is no capital."""
_BORROWS: Made = {
    ("drawdown", False): BORROWED, ("principal", True): REPAID, ("interest", True): INTEREST,
    ("arrangement fee", True): BORROWING_COST,
}  # fmt: skip
_IN_HOUSE: Made = {**_ANY, **_DELIVERS, ("service payment", True): SERVICE}
_RESERVE: Made = {
    ("principal", True): OWN_FUNDS, ("principal", False): OWN_FUNDS, ("interest", True): OWN_FUNDS,
    ("interest", False): OWN_FUNDS, ("drawdown", True): OWN_FUNDS, ("drawdown", False): OWN_FUNDS,
}  # fmt: skip
_PROPERTY: Made = {
    **_ANY, **_DELIVERS,
    ("sale receipt", False): SOLD, ("rent", False): RENT,
    ("grant", False): CAPITAL_GRANT, ("grant", True): CAPITAL_GIVEN,
    ("service payment", True): SERVICE,
}  # fmt: skip

RULES: Mapping[str, Rules] = {
    "social-impact-bond": {
        **_CONTRACT, **_LENDS, ("floor coupon", True): CALLED, ("capital protection", True): CALLED,
    },
    # with recourse to the council, "principal" is what it makes good of somebody else's loan
    "guaranteed-debt": {**_CONTRACT, **_LENDS, **_GUARANTEES, ("guarantee call", False): BACK,
                        ("principal", True): CALLED},
    "pay-as-you-save": {**_CONTRACT, **_LENDS, **_GUARANTEES, ("unpaid balance", True): CALLED},
    "credit-line": {
        **_CONTRACT, **_LENDS, ("service payment", True): SERVICE, ("recovery", False): BACK,
        ("recovery", True): CALLED,
    },
    "grant": {
        **_CONTRACT, ("grant", True): GRANT_GIVEN, ("grant", False): GRANT_RECEIVED,
    },
    "loan-pool": {
        **_ANY, **_DELIVERS, **_LENDS, **_GUARANTEES, ("grant", True): GRANT_GIVEN,
        ("grant", False): GRANT_RECEIVED,
    },
    "asset-backed": {
        **_PROPERTY, **_GUARANTEES,
        ("drawdown", True): PUT_IN, ("capital returned", False): REPAID_TO, ("principal", False): REPAID_TO,
        ("guarantee call", False): REPAID_TO,
        **{(why, False): EARNED
           for why in ("interest", "investor return", "arrangement fee", "commitment fee")},
        ("surplus share", False): SURPLUS,
        ("cure payment", True): CURE,
        ("land payment", False): SOLD, ("ground rent", False): RENT, ("overage", False): OVERAGE,
    },
    "income-strip": {
        **_PROPERTY, ("drawdown", False): LIABILITY, ("head rent", True): HEAD_RENT,
        ("option price", True): BOUGHT,
        # the other side of the strip, where a council is the institution
        ("drawdown", True): PUT_IN, ("head rent", False): RENT, ("option price", False): SOLD,
    },
    "council-build": {**_PROPERTY, **_BORROWS},
    "fee-for-service: revenue budget": _IN_HOUSE,
    "fee-for-service: invest-to-save reserve": {**_IN_HOUSE, **_RESERVE},
    "fee-for-service: flexible capital receipts": {
        **_IN_HOUSE, ("drawdown", True): RECEIPTS_USED, ("drawdown", False): BY_RECEIPTS,
    },
    "fee-for-service: capitalisation direction": {**_IN_HOUSE, **_BORROWS},
    "pwlb-loan: revenue": {
        **_IN_HOUSE, **_BORROWS, ("drawdown", False): NOTIONAL, ("principal", True): NOTIONAL,
    },
    "pwlb-loan: capital": {**_IN_HOUSE, **_BORROWS},
    "do-nothing": dict(_ANY),
}  # fmt: skip
"""By structure, with how it is funded where that matters: see ``kind_of``."""
CAPITAL_PART: Mapping[str, Treatment] = {
    "council-build": WORKS,
    "income-strip": WORKS,
    "pwlb-loan: capital": WORKS,
    "fee-for-service: flexible capital receipts": FLEXIBLE,
    "fee-for-service: capitalisation direction": DIRECTED,
}
"""Where a payment for a service is capital in part, and what that part counts as."""
SPLIT = "service payment"
BY_DRAWDOWN = frozenset({
    "fee-for-service: flexible capital receipts", "fee-for-service: capitalisation direction",
})  # fmt: skip
"""Where the part that is capital is what was drawn in the year."""


def kind_of(terms: Any) -> str:
    """The structure as the rules name it: its ``kind``, with its funding or purpose where that matters."""
    if terms.kind == "fee-for-service":
        return f"{terms.kind}: {terms.funded_from}"
    if terms.kind == "pwlb-loan":
        return f"{terms.kind}: {terms.purpose}"
    return str(terms.kind)


def treatment(kind: str, reason: str, pays: bool, other: str, capital: bool | None = None) -> Treatment:
    """How a council accounts for a payment.

    ``kind`` is the structure as ``kind_of`` names it, ``reason`` the ledger's, ``pays`` whether the council
    pays, ``other`` the kind of the party on the other side. Payments for a service that can be either need
    ``capital``: whether it is the part that is capital spending. InputError where there is no rule: nothing
    stands in its place.
    """
    if kind not in RULES:
        raise InputError("has no rules for accounts", field="kind", given=kind, allowed=", ".join(RULES))
    if other not in get_args(Kind):
        raise InputError("is no kind of party", field="other", given=other, allowed=", ".join(get_args(Kind)))
    if reason in MEMO:
        raise InputError("is memo and no cash: it has no column", field="reason", given=reason)
    found = RULES[kind].get((reason, pays))
    if found is None:
        side = "pays" if pays else "is paid"
        raise InputError(
            f"has no rule where a council {side} under {kind}", field="reason", given=reason,
            allowed=", ".join(sorted(why for why, way in RULES[kind] if way == pays)),
        )  # fmt: skip
    if not (pays and reason == SPLIT and kind in CAPITAL_PART):
        return found
    if capital is None:
        raise InputError(
            f"can be capital or revenue under {kind}", field="capital", given=None, allowed="true or false"
        )
    return CAPITAL_PART[kind] if capital else found


def by_column(
    kind: str, legs: Mapping[Leg, Any], council: str | Collection[str], parties: Mapping[str, Party],
    capital: Mapping[Leg, Any] | None = None,
) -> dict[tuple[Column, str], Array]:  # fmt: skip
    """A council's payments by column and rule: received less paid, pounds, in the shape of the legs.

    ``legs`` are gross, ``{(payer, payee, reason): (year, path)}``, as in ``Ledger.by_year``; memo is left
    out. ``council`` is one party or several that are one body (a council with its own reserve). ``parties``
    say the kind of the other side. All columns together are the council's net.

    ``capital`` is the part of payments for a service that is capital spending, by leg: see ``capital_part``.
    Under a direction it is what was drawn in the year, so it may be left out. InputError where it is missing,
    or more than the whole.
    """
    own = {council} if isinstance(council, str) else set(council)
    known = _by_drawdown(kind, legs, own) if capital is None else capital
    found: dict[tuple[Column, str], Array] = {}

    def add(rule: Treatment, amount: Any) -> None:
        key = (rule.column, rule.rule)
        found[key] = found.get(key, 0.0) + np.asarray(amount, dtype=float)

    for leg, pays, other in _mine(legs, own):
        amount, side = legs[leg], _kind(parties, other)
        if pays and leg[2] == SPLIT and kind in CAPITAL_PART:
            part = _part(leg, amount, known)
            add(treatment(kind, leg[2], pays, side, capital=True), -part)
            add(treatment(kind, leg[2], pays, side, capital=False), -(amount - part))
        else:
            add(treatment(kind, leg[2], pays, side), -amount if pays else amount)
    return found


def capital_part(
    deal: ReadyDeal, spent: Mapping[str, Array], lines: Collection[str] | None = None
) -> dict[Leg, Array]:
    """The part of payments for a service that is capital spending, ``{leg: (year, path)}``, pounds.

    ``spent`` is what was spent by cost line of the programme, ``(year, path)``, on the lines that the
    structure bears. A development's lines say themselves whether they are capital; for a people's programme
    ``lines`` names them (those of a loan for capital spending). Paid by the commissioner, shared as the roles
    are.
    """
    found: dict[Leg, Any] = {}
    costs: Mapping[str, Any] = deal.deal.programme.costs
    for name, amounts in spent.items():
        line = costs[name]
        if not (getattr(line, "capital", False) if lines is None else name in lines):
            continue
        for payer, share in deal.roles.get("commissioner", ()):
            for payee, part in deal.roles[line.paid_to]:
                leg = (payer, payee, SPLIT)
                found[leg] = found.get(leg, 0.0) + amounts * (share * part)
    return found


def _mine(legs: Mapping[Leg, Any], own: set[str]) -> Iterator[tuple[Leg, bool, str]]:
    """Each leg in cash that the council pays or receives, whether it pays, and the other side."""
    for leg in legs:
        payer, payee, why = leg
        if why in MEMO:
            continue
        if payer in own:
            yield leg, True, payee
        if payee in own:
            yield leg, False, payer


def _by_drawdown(kind: str, legs: Mapping[Leg, Any], own: set[str]) -> Mapping[Leg, Any]:
    """Under a direction, the part of each payment that is capital: what was drawn, shared by what is paid."""
    if kind not in BY_DRAWDOWN:
        return {}
    drawn = sum(legs[leg] for leg, pays, _ in _mine(legs, own) if leg[2] == "drawdown" and not pays)
    paid = {leg: legs[leg] for leg, pays, _ in _mine(legs, own) if leg[2] == SPLIT and pays}
    whole = np.asarray(sum(paid.values()), dtype=float)
    if np.any(drawn > whole + HALF_A_PENNY):
        raise InputError("is more than was paid for the service in the year", field="drawdown")
    share = np.divide(drawn, whole, out=np.zeros(whole.shape), where=whole > 0.0)
    return {leg: amount * np.minimum(share, 1.0) for leg, amount in paid.items()}


def _part(leg: Leg, amount: Any, known: Mapping[Leg, Any]) -> Any:
    if leg not in known:
        raise InputError(
            "does not say which part of this payment is capital spending", field="capital",
            given=" → ".join(leg[:2]), allowed="an amount for this leg, nil where none of it is",
        )  # fmt: skip
    part = np.asarray(known[leg], dtype=float)
    if np.any(part < -HALF_A_PENNY) or np.any(part > amount + HALF_A_PENNY):
        raise InputError(
            "is below nil or more than the whole payment", field="capital", given=" → ".join(leg[:2])
        )
    return part


def _kind(parties: Mapping[str, Party], name: str) -> str:
    if name not in parties:
        raise InputError("is not among the parties", field="parties", given=name)
    return parties[name].kind
