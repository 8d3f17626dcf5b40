"""What a council has promised in a deal: every promise with its maximum, and the rules it falls under.

The rules (``recourse.py``) ask first who owes the money whatever the results. Which terms say so:

- a loan pool lends to borrowers who owe their loans whatever else happens; an asset-backed vehicle owes its
  loan with all that it holds. No term says otherwise, so the kind of structure decides;
- guaranteed debt says it itself: ``recourse.to``. Out of outcome payments, nobody owes what they do not
  bring; the provider owes it where ``recourse.limit`` is not set (with a limit, nobody owes the rest); the
  commissioner owes it: then it is that council's own debt;
- pay-as-you-save is repaid out of savings and nobody owes the rest, unless ``unpaid`` says who does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

from socialfinance.core.errors import InputError
from socialfinance.core.parties import OUTSIDE
from socialfinance.council.recourse import Owes, Pays, Treatment, classify
from socialfinance.engine.ready import ReadyDeal
from socialfinance.instruments import claims, savings
from socialfinance.instruments.asset_backed import AssetBacked
from socialfinance.instruments.base import INFINITE
from socialfinance.instruments.contract import CAUSES, ExitTerms
from socialfinance.instruments.credit_line import CreditLine
from socialfinance.instruments.grant import Grant
from socialfinance.instruments.guaranteed_debt import GuaranteedDebt
from socialfinance.instruments.guarantees import Layer
from socialfinance.instruments.in_house import PwlbLoan
from socialfinance.instruments.income_strip import IncomeStrip
from socialfinance.instruments.loan_pool import LoanPool
from socialfinance.instruments.pay_as_you_save import PayAsYouSave
from socialfinance.instruments.social_impact_bond import SocialImpactBond
from socialfinance.programmes.people import Programme

BORROWING = (
    "payable whatever the results for more than a year: likely to be a credit arrangement, inside the "
    "borrowing limits [unverified]"
)
CONSOLIDATION = (
    "the council stands behind half of the money or more: whether it consolidates the vehicle (IFRS 10) is a "
    "question for its auditor [unverified]"
)
PUBLIC_DEBTOR = (
    "the debtor is a council: its expected credit loss is nil where statute prevents it from defaulting "
    "(CIPFA, 2018)"
)
COVENANT = (
    "the loan can also be called in for a covenant; what is made good is still what the debtor then does not "
    "pay [unverified]"
)
BORROWED = ("pwlb loans", "capitalisation direction")
"""Where the money of a scheme of the council's own comes from, if it borrows."""
MOSTLY = 0.5
"""Share of the money that is guaranteed from which consolidation is queried."""
YEAR = 4
"""Quarters after which a promise that is due whatever the results is flagged as likely borrowing."""


class Promise(NamedTuple):
    """One thing that a council has undertaken to pay."""

    deal: str
    council: str
    role: str
    """in which it pays"""
    what: str
    pays: Pays
    owes: Owes
    maximum: float | None
    """its part of the most it can be asked for, pounds, undiscounted; infinite where nothing limits it, None
    where the terms give no figure"""
    legs: tuple[tuple[str, str, str], ...]
    """payer, payee and reason under which the ledger books it; all layers of one guarantor share one"""
    claim_lag: int
    """quarters from a claim to its payment"""
    by: Literal["loan", "pool"]
    """one debtor, whose first claim is its default; or many, each claim a default of its own"""
    treatment: Treatment
    flags: tuple[str, ...]
    """what else a reader has to look at"""
    layer: Layer | None
    """its terms, where it is a layer of a guarantee"""


class _Draft(NamedTuple):
    """A promise before anybody fills its role."""

    role: str
    what: str
    reason: str
    most: float | None
    pays: Pays
    owes: Owes = "nobody"
    lag: int = 0
    flags: tuple[str, ...] = ()
    layer: Layer | None = None


def promises(deal: ReadyDeal, council: str) -> tuple[Promise, ...]:
    """Every promise of a council in a deal as contracted, in whichever role it fills.

    What can never cost anything is left out. Where it has several layers of a guarantee, each shows the
    least of its own limits in pounds and what they can cost together (:func:`most_called`): they may add up
    to more.
    InputError where it fills no role.
    """
    roles = [role for role, filled in deal.roles.items() if council in dict(filled)]
    if not roles:
        known = sorted({party for filled in deal.roles.values() for party, _ in filled})
        raise InputError(
            "fills no role in this deal", field="council", given=council, allowed=", ".join(known)
        )
    drafts = _BY_KIND.get(deal.deal.instrument.kind, _nothing)(deal, council)
    return tuple(_promise(deal, council, one) for one in drafts if one.role in roles and one.most != 0.0)


def most_called(deal: ReadyDeal, council: str) -> float:
    """The most a council can be called for as guarantor in all, pounds, undiscounted: its part by role."""
    return sum(
        most * dict(deal.roles[role]).get(council, 0.0)
        for role, most in deal.own.lowered.guaranteed.items()
        if council in dict(deal.roles[role])
    )


def _promise(deal: ReadyDeal, council: str, draft: _Draft) -> Promise:
    share = dict(deal.roles[draft.role])[council]
    legs = tuple(
        (council, payee, leg.reason)
        for leg, _, payees in deal.own.legs
        if leg.payer == draft.role and leg.reason == draft.reason
        for payee, _ in payees
        if payee != council
    )
    return Promise(
        deal=deal.name, council=council, role=draft.role, what=draft.what, pays=draft.pays, owes=draft.owes,
        maximum=None if draft.most is None else draft.most * share, legs=tuple(dict.fromkeys(legs)),
        claim_lag=draft.lag, by=_by(deal), treatment=classify(draft.pays, draft.owes), flags=draft.flags,
        layer=draft.layer,
    )  # fmt: skip


def _by(deal: ReadyDeal) -> Literal["loan", "pool"]:
    segments = getattr(deal.deal.programme, "segments", {})
    loans = sum(sum(one.planned) for one in segments.values())
    return "pool" if loans > 1.0 else "loan"


# --- what structures share -------------------------------------------------------------------------------


def _contract(deal: ReadyDeal) -> Iterator[_Draft]:
    """What payers owe under a contract for outcomes: prices, a share of savings, referrals, costs."""
    tariff, lowered = deal.deal.tariff, deal.own.lowered
    for role, most in lowered.contract_value.items():
        yield _Draft(
            role, "payments for outcomes", "outcome payment", most, "a service or outcome is delivered"
        )
    if tariff is None:
        return
    vehicle = lowered.terms.vehicle
    splits = dict(zip(tariff.payers, vehicle.claims.split, strict=True))
    short = tariff.minimum_referrals
    if short is not None:
        people: Programme = deal.deal.programme  # type: ignore[assignment]  # only people are referred
        whole = short.per_quarter * len(people.referrals.planned) * short.payment
        for role, split in splits.items():
            part = (split if claims.in_proportion(tariff) else 1.0) if split > 0.0 else 0.0
            yield _Draft(
                role, "payments for people not referred", "minimum-referral payment", whole * part,
                "too few are referred",
            )  # fmt: skip
    outside = any(
        used and not inside for used, inside in zip(vehicle.used, vehicle.from_vehicle, strict=True)
    )
    for role, split in splits.items():
        if outside and split > 0.0:
            yield _Draft(
                role, "cost outside the cap, reimbursed", "reimbursed cost", INFINITE,
                "a service or outcome is delivered",
            )  # fmt: skip
    for role, most in savings.most_paid(tariff.savings).items():
        yield _saved(role, most)


def _saved(role: str, most: float) -> _Draft:
    return _Draft(
        role, "a share of verified savings", "savings payment", most, "a service or outcome is delivered"
    )


def _early_end(
    deal: ReadyDeal, exits: ExitTerms, owed: float, flags: tuple[str, ...] = ()
) -> Iterator[_Draft]:
    """Compensation: its part of the largest share of what can be owed to investors, ``owed`` pounds."""
    tariff = deal.deal.tariff
    share = max(vars(exits.compensation)[cause] for cause in CAUSES)
    if tariff is None or share == 0.0:
        return
    for role, split in zip(tariff.payers, deal.own.lowered.terms.vehicle.claims.split, strict=True):
        if split > 0.0:
            yield _Draft(
                role, "compensation after an early end", "termination compensation", owed * share * split,
                "the contract ends early", flags=flags,
            )  # fmt: skip


def _layers(
    deal: ReadyDeal, council: str, layers: tuple[Layer, ...], owes: Owes, flags: tuple[str, ...] = ()
) -> Iterator[_Draft]:
    """Guarantees layer by layer, and fees for cover that others give."""
    guaranteed = deal.own.lowered.guaranteed
    backed = most_called(deal, council) >= MOSTLY * (deal.own.lowered.commitment or INFINITE) - 1e-9
    also = (*flags, *((CONSOLIDATION,) if backed else ()))
    alone = _alone(deal, layers)
    for i, one in enumerate(layers):
        whole = guaranteed.get(one.guarantor, 0.0)
        most = whole if alone.get(one.guarantor) == 1 else min(whole, _own_limit(deal, i))
        to_the_end = one.detach is None or (one.unit != "pounds" and one.detach >= 1.0)
        everything = one.cover == 1.0 and one.attach == 0.0 and to_the_end and one.cap is None
        unconditional = (BORROWING,) if everything and owes == "nobody beyond the results" else ()
        yield _Draft(
            one.guarantor, f"guarantee, layer {i + 1}: {_said(one)}", "guarantee call", most, _event(owes),
            owes, one.claim_lag, (*unconditional, *also, *_void(one)), one,
        )  # fmt: skip
        if one.fee.paid_by not in ("vehicle", "investor", OUTSIDE) and (one.fee.upfront or one.fee.running):
            yield _Draft(
                one.fee.paid_by, f"fee of the guarantee of layer {i + 1}", "guarantee fee", INFINITE,
                "a service or outcome is delivered",
            )  # fmt: skip


def _event(owes: Owes) -> Pays:
    """What makes a guarantee of a loan pay: where only results repay it, nobody misses a payment."""
    return "results fall short" if owes == "nobody beyond the results" else "a debtor misses a payment"


def _void(one: Layer) -> tuple[str, ...]:
    chance = one.enforceability.void
    return (f"void with a chance of {chance:.1%} when it is called",) if chance > 0.0 else ()


def _alone(deal: ReadyDeal, layers: tuple[Layer, ...]) -> dict[str, int]:
    """By guarantor: how many promises its maximum as guarantor is made of."""
    terms = deal.deal.instrument
    by = [one.guarantor for one in layers]
    by += [one.by for one in (getattr(terms, "peg", None), getattr(terms, "floor", None)) if one is not None]
    return {role: by.count(role) for role in by}


def _own_limit(deal: ReadyDeal, i: int) -> float:
    """What the terms of a layer alone limit it to, pounds: its cap, and cover x a slice set in pounds."""
    terms = deal.own.lowered.terms.guarantees
    slice_ = terms.cover[i] * terms.depth[i] if terms.depth_drawn[i] == 0.0 else INFINITE
    return float(min(terms.cap[i], slice_))


def _said(one: Layer) -> str:
    """The terms of a layer in a line."""
    sign, of = ("£", "") if one.unit == "pounds" else ("", f" {one.unit[9:]}")

    def edge(x: float) -> str:
        return f"{sign}{x:,.0f}" if sign else f"{x:.1%} of{of}"

    slice_ = "" if one.attach == 0.0 and one.detach is None else f" from {edge(one.attach)}"
    slice_ += "" if one.detach is None else f" to {edge(one.detach)}"
    caps = [f"at most £{one.cap:,.0f}"] if one.cap is not None else []
    caps += [f"at most {one.cap_rate:.1%} of what was drawn"] if one.cap_rate is not None else []
    caps += [f"£{one.cap_a_year:,.0f} a year"] if one.cap_a_year is not None else []
    return ", ".join((f"{one.cover:.0%} of the loss{slice_}, on {one.when}", *caps))


# --- by kind of structure --------------------------------------------------------------------------------


def _nothing(deal: ReadyDeal, council: str) -> Iterator[_Draft]:
    """Spending of its own as it falls: no promise to anybody."""
    yield from ()


def _lends(deal: ReadyDeal, reason: str = "drawdown") -> Iterator[_Draft]:
    """Money that funders have undertaken to put in."""
    most = deal.own.lowered.commitment
    yield _Draft("investor", "money that funders put in", reason, most, "money is put in")


def _bond(deal: ReadyDeal, council: str) -> Iterator[_Draft]:
    bond = deal.deal.instrument
    assert isinstance(bond, SocialImpactBond)
    commitment = deal.own.lowered.commitment or 0.0
    yield from _contract(deal)
    yield from _early_end(deal, bond.termination, commitment)
    floor, kept = bond.floor_coupon, bond.protection
    if floor is not None:
        long = (BORROWING,) if floor.years * 4 > YEAR else ()
        yield _Draft(
            floor.by, f"floor coupon of {floor.rate:.2%} for {floor.years} years", "floor coupon",
            floor.rate * floor.years * commitment, "results fall short", "nobody beyond the results",
            flags=long,
        )  # fmt: skip
    if kept is not None:
        share = max((one.share for one in kept.schedule), default=0.0)
        yield _Draft(
            kept.by, f"capital protection of up to {share:.0%}", "capital protection",
            share * (INFINITE if bond.revolving and share > 0.0 else commitment), "results fall short",
            "nobody beyond the results", flags=(BORROWING,) if deal.calendar.quarters > YEAR else (),
        )  # fmt: skip
    yield from _lends(deal)


def _debt(deal: ReadyDeal, council: str) -> Iterator[_Draft]:
    debt = deal.deal.instrument
    assert isinstance(debt, GuaranteedDebt)
    owes = _owes(deal, council, debt)
    public = owes == "a debtor, whatever the results" and debt.recourse.to == "commissioner"
    flags = (PUBLIC_DEBTOR,) if public else ()
    found = [*_contract(deal), *_layers(deal, council, debt.layers, owes, flags)]
    if debt.peg is not None:
        assert debt.peg.floor is not None
        whole = deal.own.lowered.guaranteed.get(debt.peg.by, 0.0)
        alone = _alone(deal, debt.layers)[debt.peg.by] == 1
        long = (BORROWING,) if debt.repayment.last_quarter > YEAR else ()
        found.append(_Draft(
            debt.peg.by, f"peg: £{debt.peg.floor:,.0f} comes back at least", "guarantee call",
            whole if alone else min(whole, debt.peg.floor), _event(owes), owes,
            flags=(*long, *flags),
        ))  # fmt: skip
    if debt.recourse.to != "outcome payments":
        owed = INFINITE if debt.recourse.limit is None else debt.recourse.limit
        found.append(_Draft(
            debt.recourse.to, "the loan itself", "principal", owed, "in any event", "the council itself"
        ))  # fmt: skip
    yield from found
    yield from _early_end_of_debt(deal, debt, found)
    yield from _lends(deal)


def _owes(deal: ReadyDeal, council: str, debt: GuaranteedDebt) -> Owes:
    """Who owes the loan beside the results that repay it."""
    to = debt.recourse.to
    if to != "outcome payments" and council in dict(deal.roles[to]):
        return "the council itself"
    if to == "outcome payments" or debt.recourse.limit is not None:
        return "nobody beyond the results"
    return "a debtor, whatever the results"


def _early_end_of_debt(deal: ReadyDeal, debt: GuaranteedDebt, others: list[_Draft]) -> Iterator[_Draft]:
    """Compensation: by role, what the most it can be asked for leaves beside its other promises.

    The loan can grow by interest, which only the lowered maximum knows.
    """
    lowered = deal.own.lowered
    for one in _early_end(deal, debt.termination, 1.0):
        most = lowered.maximum[one.role]
        rest = [x.most or 0.0 for x in others if x.role == one.role and x.reason != "guarantee call"]
        beside = sum(rest) + lowered.guaranteed.get(one.role, 0.0)
        known = most < INFINITE and beside < INFINITE
        yield one._replace(most=max(most - beside, 0.0) if known else INFINITE)


def _saving_deal(deal: ReadyDeal, council: str) -> Iterator[_Draft]:
    terms, lowered = deal.deal.instrument, deal.own.lowered
    assert isinstance(terms, PayAsYouSave)
    amount = lowered.commitment or 0.0
    agencies = [leg.payer for leg, _, _ in deal.own.legs if leg.reason == "savings payment"]
    tariff = deal.deal.tariff
    if terms.outcome_payments or (tariff is not None and tariff.savings is not None):
        yield from _contract(deal)
    if tariff is None or tariff.savings is None:
        yield from (_saved(role, INFINITE) for role in agencies)
    yield from _early_end(deal, terms.termination, amount)
    yield from _layers(deal, council, terms.layers, "nobody beyond the results")
    floor = terms.floor
    if floor is not None:
        whole = lowered.guaranteed.get(floor.by, 0.0)
        alone = _alone(deal, terms.layers)[floor.by] == 1
        least = amount * (floor.share or 0.0) if floor.amount is None else floor.amount
        yield _Draft(
            floor.by, f"floor: £{least:,.0f} comes back at least", "guarantee call",
            whole if alone else min(whole, least), "results fall short", "nobody beyond the results",
            floor.claim_lag, (BORROWING,) if (terms.floor_quarter or deal.calendar.quarters) > YEAR else (),
        )  # fmt: skip
    if terms.unpaid != "written off":
        payers = ["commissioner"] if terms.unpaid == "paid by the commissioner" else agencies
        for role in payers:
            yield _Draft(
                role, "the balance at the long stop", "unpaid balance", _longest_owed(deal, terms),
                "in any event", "the council itself",
            )  # fmt: skip
    yield from _lends(deal)


def _longest_owed(deal: ReadyDeal, terms: PayAsYouSave) -> float:
    """All drawn at close, every fee, and nothing ever paid: commitment x (1 + fees) x (1 + rate)^rows."""
    rows = deal.calendar.quarters
    fees = terms.arrangement_fee + terms.commitment_fee / 4.0 * rows
    grown = (1.0 + terms.rate.quarterly()) ** rows
    return float((deal.own.lowered.commitment or 0.0) * (1.0 + fees) * grown)


def _line(deal: ReadyDeal, council: str) -> Iterator[_Draft]:
    line = deal.deal.instrument
    assert isinstance(line, CreditLine)
    yield from _contract(deal)
    fails = line.termination.compensation.insolvency > 0.0
    flags = (
        "part of it pays the bank when the provider fails, which owes the line whatever the results: for "
        "that cause it looks like a financial guarantee contract [unverified]",
    )
    yield from _early_end(deal, line.termination, deal.own.lowered.commitment or 0.0, flags if fails else ())
    if line.step_in is not None:
        yield _Draft(
            "commissioner", "the service of another provider, once it has stepped in", "service payment",
            INFINITE, "a service or outcome is delivered",
        )  # fmt: skip
        yield _Draft(
            "commissioner",
            "stepping in",
            "other cost",
            line.step_in.cost,
            "a service or outcome is delivered",
        )
    yield from _lends(deal)


def _pool(deal: ReadyDeal, council: str) -> Iterator[_Draft]:
    pool = deal.deal.instrument
    assert isinstance(pool, LoanPool)
    yield from _layers(deal, council, pool.layers, "a debtor, whatever the results")
    if pool.grant is not None:
        amount = (deal.own.lowered.commitment or 0.0) * pool.grant.share / (1.0 - pool.grant.share)
        yield _Draft(pool.grant.by, "grant beside investors' money", "grant", amount, "money is put in")
    yield from _lends(deal)


def _secured(deal: ReadyDeal, council: str) -> Iterator[_Draft]:
    terms = deal.deal.instrument
    assert isinstance(terms, AssetBacked)
    tests = terms.covenants
    covenant = tests.loan_to_value is not None or tests.interest_cover is not None
    flags = (COVENANT,) if covenant else ()
    yield from _layers(deal, council, terms.layers, "a debtor, whatever the results", flags)
    if tests.cure is not None and covenant:
        moved: Pays = (
            "results fall short" if tests.loan_to_value is None else "a price, value or rating moves"
        )
        yield _Draft(tests.cure.by, "cure of a covenant", "cure payment", tests.cure.limit, moved)
    for name, one in terms.capital.items():
        yield _Draft(one.by, f"capital: {name}", "drawdown", one.amount, "money is put in")
    yield from _grants(deal)
    yield from _lends(deal)


def _grants(deal: ReadyDeal) -> Iterator[_Draft]:
    grant = getattr(deal.deal.programme, "grant", None)
    if grant is not None and grant.by in deal.roles:
        yield _Draft(grant.by, "grant to the development", "grant", None, "money is put in")


def _lease(deal: ReadyDeal, council: str) -> Iterator[_Draft]:
    strip = deal.deal.instrument
    assert isinstance(strip, IncomeStrip)
    most = deal.own.lowered.maximum["commissioner"] - strip.option
    yield _Draft("commissioner", "head rent", "head rent", most, "in any event", "the council itself")
    yield from _grants(deal)
    yield from _lends(deal)


def _borrowed(deal: ReadyDeal, council: str) -> Iterator[_Draft]:
    terms = deal.deal.instrument
    if isinstance(terms, PwlbLoan) or getattr(terms, "funded_from", "") in BORROWED:
        for reason in ("principal", "interest"):
            yield _Draft(
                "commissioner", f"{reason} of loans of the PWLB", reason, None, "in any event",
                "the council itself",
            )  # fmt: skip
    yield from _grants(deal)


def _given(deal: ReadyDeal, council: str) -> Iterator[_Draft]:
    assert isinstance(deal.deal.instrument, Grant)
    yield from _contract(deal)
    yield from _lends(deal, "grant")


_BY_KIND: dict[str, Callable[[ReadyDeal, str], Iterator[_Draft]]] = {
    "social-impact-bond": _bond,
    "guaranteed-debt": _debt,
    "pay-as-you-save": _saving_deal,
    "credit-line": _line,
    "loan-pool": _pool,
    "asset-backed": _secured,
    "income-strip": _lease,
    "pwlb-loan": _borrowed,
    "council-build": _borrowed,
    "fee-for-service": _borrowed,
    "grant": _given,
}
NO_PROMISE = {
    "service payment": "spending of its own as it falls, under no contract for results",
    "other cost": "spending of its own as it falls",
    "emergency support": "given in a shock, beyond what was agreed",
    "option price": "a right of the council, which it need not use",
    "arrangement fee": "a cost of its own borrowing",
    "drawdown": "what a vehicle, provider or pool passes on; a funder's is a commitment of its own",
    "overage": "paid out of a gain",
}
"""Reasons for which a council may pay that are no promise, and why."""
