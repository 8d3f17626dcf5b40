"""What every structure states of its lawful funding: a gate each for power, money, debt, subsidy and so on.

England only. A gate passes, fails, or is a query for the council's own officers: it reads the terms of a file
and is no legal advice. It goes by a structure's kind and terms, not by its name; a kind that nobody has
looked at is a query at every gate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any, Literal, NamedTuple

from socialfinance.core.errors import InputError
from socialfinance.engine.ready import ReadyDeal, ReadyPortfolio
from socialfinance.instruments.comparators import against
from socialfinance.instruments.funding import BORROWING, LAWFUL, basis_of
from socialfinance.instruments.property import MOSTLY, market_share

Verdict = Literal["pass", "fail", "query"]
PASS: Verdict = "pass"
FAIL: Verdict = "fail"
QUERY: Verdict = "query"
UNSEEN = "nobody has looked at this structure yet"
ABROAD = "amounts are in {}: these are the rules of England only"
YEAR = 4
"""Quarters in which a promise may fall due without being looked at as credit [unverified]."""
THROUGH = date(2030, 3, 31)
"""Last day of spending under the flexible receipts direction: 2029/30."""
FROM = date(2025, 4, 1)
LIGHT_TOUCH, WORKS = 663_540.0, 5_193_000.0
"""Pounds with VAT from which a contract is above the threshold, from 1 January 2026."""
WITH_VAT = 1.2
"""Files give amounts without VAT: what one comes to where the full rate falls on it."""
WELL_BEING = 2_000_000.0
"""Pounds of undervalue that the general disposal consent allows for well-being."""


class Gate(NamedTuple):
    """One gate of one structure."""

    gate: str
    verdict: Verdict
    reason: str
    citation: str


class Promise(NamedTuple):
    """Something the council stands behind, whatever it is called."""

    what: str
    whole: bool
    """whether it pays all of the loss, or a floor, whatever the results"""
    due: float
    """first quarter in which it can fall due; infinite where the terms do not say"""
    terms: Any | None
    """the layer, which says on what it rests and what it costs; None where the terms say neither"""


class Look(NamedTuple):
    """What the gates look at."""

    deal: ReadyDeal
    terms: Any
    ready: ReadyPortfolio
    council: str
    roles: frozenset[str]
    """that the council fills"""
    promises: tuple[Promise, ...]
    called: float | None
    earned: float | None


Test = Callable[[Look], tuple[Verdict, str]]

PROGRAMMES = frozenset({"social-impact-bond", "guaranteed-debt", "pay-as-you-save", "credit-line", "grant"})
"""A people's programme, financed from outside."""
IN_HOUSE = frozenset({"fee-for-service", "pwlb-loan", "do-nothing"})
BUILDS = frozenset({"asset-backed", "income-strip", "council-build"})
KNOWN = PROGRAMMES | IN_HOUSE | BUILDS | {"loan-pool"}
"""Kinds that somebody has looked at."""

CITED: Mapping[str, str] = {
    "power": (
        "Localism Act 2011, section 1 [unverified]; Credit Suisse v Allerdale Borough Council [1997] QB 306; "
        "Local Government (Contracts) Act 1997"
    ),
    "funding source": (
        "Local Government Finance Act 1992, sections 31A, 32 and 43 [unverified]; Local Government Act 2003, "
        "sections 1, 16 and 20; DLUHC, Guidance on the flexible use of capital receipts, August 2022"
    ),
    "revenue or capital": (
        "Local Government Act 2003, section 16; SI 2003/3146, regulation 25 [unverified]; Arlingclose, A "
        "Guarantee of Success"
    ),
    "credit arrangement": "Local Government Act 2003, sections 2, 3, 7 and 8; IFRS 16 [unverified]",
    "subsidy control": "Subsidy Control Act 2022 [unverified]",
    "procurement": (
        "Procurement Act 2023; thresholds from 1 January 2026: SI 2025/1200, as given by Devonshires"
    ),
    "best consideration": (
        "Local Government Act 1972, section 123 [unverified]; Circular 06/2003, General Disposal Consent "
        "(England) 2003"
    ),
    "yield assets": (
        "HM Treasury, PWLB lending terms, 26 November 2020, as read by Brodies, May 2022"
    ),
    "consolidation": "IFRS 10 [unverified]",
    "conflict of interest": (
        "Local Government Pension Scheme (Management and Investment of Funds) Regulations 2016 [unverified]"
    ),
    "England": "Local Government Act 2003, Part 1, as it stands for England",
}  # fmt: skip
"""What each gate rests on, in the order in which gates are shown."""
GATES = tuple(CITED)


def gates(
    deal: ReadyDeal, structure: Any, ready: ReadyPortfolio, council: str, called: float | None = None,
    earned: float | None = None,
) -> tuple[Gate, ...]:  # fmt: skip
    """Every gate of one structure on one deal, in the order of ``GATES``.

    ``structure`` is the terms of the deal's own instrument or of a comparator. ``called`` and ``earned`` are
    the council's expected calls less recoveries and its expected guarantee fees over the life, pounds, where
    a run has told them: a fee below the loss is a query. InputError where ``council`` is none, or has no part
    in the deal.
    """
    look = _look(deal, structure, ready, council, called, earned)
    if structure.kind not in KNOWN:
        return tuple(Gate(gate, QUERY, UNSEEN, CITED[gate]) for gate in GATES)
    currency = ready.portfolio.currency
    if currency != "GBP":
        return tuple(Gate(gate, FAIL, ABROAD.format(currency), CITED[gate]) for gate in GATES)
    return tuple(Gate(gate, *TESTS[gate](look), CITED[gate]) for gate in GATES)


def all_gates(deal: ReadyDeal, ready: ReadyPortfolio, council: str) -> dict[str, tuple[Gate, ...]]:
    """The gates of the deal's own structure (``own``) and of each comparator, by name."""
    held = against(deal.deal.programme.kind, ready.portfolio.comparison)
    both = {"own": deal.deal.instrument, **dict(held)}
    return {name: gates(deal, terms, ready, council) for name, terms in both.items()}


def _look(
    deal: ReadyDeal, terms: Any, ready: ReadyPortfolio, council: str, called: float | None,
    earned: float | None,
) -> Look:  # fmt: skip
    known = sorted(name for name, party in ready.parties.items() if party.kind == "council")
    if council not in known:
        raise InputError(
            "is no council of this file", field="council", given=council, allowed=", ".join(known)
        )
    roles = frozenset(
        role for role, shares in deal.roles.items() if council in {party for party, _ in shares}
    )
    if not roles:
        raise InputError("has no part in this deal", field="council", given=council)
    return Look(
        deal, terms, ready, council, roles, tuple(_promises(terms, roles, deal)), called, earned
    )  # fmt: skip


# --- what a council stands behind -------------------------------------------------------------------------


def _promises(terms: Any, roles: frozenset[str], deal: ReadyDeal) -> Iterator[Promise]:
    """Guarantees, floors, pegs and the like that one of the council's roles has to pay."""
    for i, layer in enumerate(getattr(terms, "layers", ())):
        if layer.guarantor in roles:
            yield Promise(f"guarantee {i + 1}", _whole(layer), _due(terms, layer), layer)
    peg, floor = getattr(terms, "peg", None), getattr(terms, "floor", None)
    if peg is not None and peg.by in roles:
        yield Promise("peg on principal", True, float(terms.repayment.last_quarter), None)
    if floor is not None and floor.by in roles:
        yield Promise("floor", True, float(terms.floor_quarter or _last(deal)), None)
    coupon, protection = getattr(terms, "floor_coupon", None), getattr(terms, "protection", None)
    if coupon is not None and coupon.by in roles:
        yield Promise("floor coupon", True, 4.0 * coupon.years, None)
    if protection is not None and protection.by in roles and protection.schedule:
        yield Promise("capital protection", True, float(_last(deal)), None)
    yield from _recourse(terms, roles, deal)


def _recourse(terms: Any, roles: frozenset[str], deal: ReadyDeal) -> Iterator[Promise]:
    recourse = getattr(terms, "recourse", None)
    if recourse is not None and recourse.to in roles:
        yield Promise("recourse", recourse.limit is None, float(terms.repayment.last_quarter), None)
    unpaid = getattr(terms, "unpaid", None)
    saves = {one.agency for one in deal.deal.programme.savings.values()}
    payers = {"paid by the commissioner": {"commissioner"}, "paid by agencies": saves}
    if roles & payers.get(unpaid or "", set()):
        yield Promise("balance unpaid at the long stop", True, float(_last(deal)), None)
    covenants = getattr(terms, "covenants", None)
    cure = getattr(covenants, "cure", None)
    if cure is not None and cure.by in roles:
        yield Promise("cure of a covenant", False, float(_last(deal)), None)


def _whole(layer: Any) -> bool:
    """Whether a layer pays all of the loss: full cover from the first pound, without an end or a cap."""
    to_the_end = layer.detach is None or (layer.unit != "pounds" and layer.detach >= 1.0)
    capped = any(one is not None for one in (layer.cap, layer.cap_rate, layer.cap_a_year)) or layer.schedule
    return bool(layer.cover >= 1.0 and layer.attach == 0.0 and to_the_end and not capped)


def _due(terms: Any, layer: Any) -> float:
    repayment = getattr(terms, "repayment", None) or getattr(getattr(terms, "loan", None), "repayment", None)
    return float("inf") if repayment is None else float(repayment.last_quarter + layer.claim_lag)


def _last(deal: ReadyDeal) -> int:
    return deal.calendar.quarters


def _named(promises: tuple[Promise, ...]) -> str:
    return ", ".join(one.what for one in promises)


# --- gates ------------------------------------------------------------------------------------------------


def _power(look: Look) -> tuple[Verdict, str]:
    if look.terms.kind == "do-nothing":
        return PASS, "nothing is done, so no power is needed"
    if look.terms.kind == "income-strip":
        return QUERY, (
            "land is let for a long term, and a rent owed for all of it whatever tenants pay: the terms "
            "state no power and no decision [unverified]"
        )
    if not look.promises:
        return PASS, "ordinary spending under the general power of competence; the council guarantees nothing"
    missing = [f"{one.what}: {_rests_on(one)}" for one in look.promises if _rests_on(one)]
    if missing:
        return QUERY, (
            "the council stands behind others' debt, and such a promise was once found void; "
            + "; ".join(missing)
        )
    return PASS, f"power, decision and certificate are stated for {_named(look.promises)}"


def _rests_on(promise: Promise) -> str:
    """What the terms do not say of a promise's footing; empty where all is said."""
    if promise.terms is None:
        return "the terms state no power, decision or certificate"
    stated = promise.terms.enforceability
    missing = [name for name in ("power", "decision", "certificate") if not getattr(stated, name)]
    said = [f"no {', '.join(missing)}"] if missing else []
    said += [f"void with a chance of {stated.void:.1%}"] if stated.void > 0.0 else []
    return " and ".join(said)


def _funding(look: Look) -> tuple[Verdict, str]:
    kind = look.terms.kind
    if kind == "fee-for-service":
        return _in_house_funding(look)
    if kind == "pwlb-loan":
        if look.terms.purpose == "revenue":
            return FAIL, f"notional cost of money only: a PWLB loan here is {BORROWING}"
        return QUERY, (
            "PWLB loans, for the cost lines called capital spending "
            f"({', '.join(look.terms.lines or ())}); whether they are is for the council's accounts to say; "
            "the rest from the revenue budget [unverified]"
        )
    if kind == "council-build" and look.terms.funded_from == "pwlb loans":
        return PASS, "PWLB loans for capital spending; running cost from rents and the revenue budget"
    return PASS, OTHER_FUNDING[kind]


OTHER_FUNDING: Mapping[str, str] = {
    "social-impact-bond": "revenue budget: outcomes are paid for as they are achieved [unverified]",
    "guaranteed-debt": "revenue budget: outcomes as they are achieved, and calls from budget or reserve "
    "[unverified]",
    "pay-as-you-save": "revenue budget: what cashable savings release in it, as far as they are verified "
    "[unverified]",
    "credit-line": "revenue budget: outcomes as they are achieved, and the cost of stepping in [unverified]",
    "grant": "the funder's money; revenue budget for what the council itself pays [unverified]",
    "loan-pool": "revenue budget or reserve for calls, grants and losses [unverified]",
    "asset-backed": "land and capital put in: capital resources; calls and cures: revenue budget or reserve "
    "[unverified]",
    "income-strip": "the institution's capital sum; head rent from the revenue budget, whatever tenants pay "
    "[unverified]",
    "council-build": "reserves and capital receipts; running cost from rents and the revenue budget "
    "[unverified]",
    "do-nothing": "nothing is spent",
}  # fmt: skip


def _in_house_funding(look: Look) -> tuple[Verdict, str]:
    terms, close = look.terms, look.deal.calendar.start
    basis = basis_of(terms.funded_from)
    if terms.funded_from == "flexible capital receipts":
        if terms.receipts.until > THROUGH or close < FROM:
            return FAIL, f"spending outside 2025/26 to 2029/30 is not covered by the direction; {basis}"
        return PASS, basis
    if terms.funded_from == "capitalisation direction":
        return QUERY, f"lawful only once the direction is given; {basis}"
    return (PASS if terms.funded_from in LAWFUL else QUERY), basis


def _revenue_or_capital(look: Look) -> tuple[Verdict, str]:
    terms, kind = look.terms, look.terms.kind
    if kind == "pwlb-loan":
        if terms.purpose == "revenue":
            return (
                FAIL,
                "the cost of a people's programme is revenue, and would be borrowed for as if capital",
            )
        return QUERY, "the lines called capital have to meet the definition; all else is revenue [unverified]"
    if kind == "fee-for-service" and terms.funded_from == "capitalisation direction":
        return QUERY, "revenue, which counts as capital only under a direction, with MRP over 20 years"
    if kind == "fee-for-service" and terms.funded_from == "flexible capital receipts":
        return PASS, "revenue that the direction lets it treat as capital, financed by receipts, with no MRP"
    if kind in BUILDS:
        return PASS, SPENDING[kind]
    if kind == "loan-pool" and look.roles & {"investor", _grant_by(terms)}:
        return (
            QUERY,
            "money put into the pool is capital only where borrowers spend it on capital [unverified]",
        )
    if kind == "do-nothing":
        return PASS, "nothing is spent"
    called = "; calls are revenue unless capitalisation is directed [unverified]" if look.promises else ""
    return PASS, f"revenue: it makes no asset, so no requirement and no MRP{called}"


SPENDING: Mapping[str, str] = {
    "asset-backed": "the vehicle's spending; land paid for is a capital receipt, capital put in is capital "
    "spending, calls are revenue unless capitalisation is directed [unverified]",
    "income-strip": "works are capital, met by the capital sum; head rent is revenue, part of it MRP "
    "[unverified]",
    "council-build": "works are capital, with MRP on what is borrowed; running cost, interest and rents are "
    "revenue",
}


def _grant_by(terms: Any) -> str:
    return str(terms.grant.by) if terms.grant is not None else "investor"


def _credit(look: Look) -> tuple[Verdict, str]:
    kind = look.terms.kind
    if kind == "income-strip":
        return QUERY, (
            "a credit arrangement: the lease liability stands on the balance sheet, inside the authorised "
            "limit, which needs room for it, and is measured anew at each review [unverified]"
        )
    if kind == "council-build" and look.terms.funded_from == "pwlb loans":
        return PASS, "borrowing itself, inside the authorised limit"
    if kind == "pwlb-loan":
        if look.terms.purpose == "capital":
            return PASS, "borrowing itself, inside the authorised limit"
        return PASS, "no debt at all: a notional cost of money only"
    if kind == "fee-for-service" and look.terms.funded_from == "capitalisation direction":
        return PASS, "borrowing itself, inside the authorised limit, once the direction is given [unverified]"
    owed = tuple(one for one in look.promises if one.whole and one.due > YEAR)
    if owed:
        return QUERY, (
            f"payable whatever the results, beyond 12 months: {_named(owed)}; likely a credit arrangement, "
            "inside the borrowing limits [unverified]"
        )
    layers = tuple(one for one in look.promises if one.terms is not None and one.due > YEAR)
    if layers and _covered(look) >= 1.0 - 1e-9:
        return QUERY, (
            f"together they pay all of a loss, beyond 12 months: {_named(layers)}; likely a credit "
            "arrangement, inside the borrowing limits [unverified]"
        )
    if look.promises:
        return PASS, f"payable on a loss and for part of it: {_named(look.promises)} [unverified]"
    return PASS, "nothing is payable whatever the results"


def _subsidy(look: Look) -> tuple[Verdict, str]:
    if look.terms.kind in IN_HOUSE or look.terms.kind == "council-build":
        return PASS, "no enterprise is helped: who is paid is paid for work"
    found = [*_fee(look), *_helped(look)]
    if found:
        return QUERY, "; ".join(found) + " [unverified]"
    if look.promises:
        return PASS, "fees are not below expected loss; the market's price is for it to show [unverified]"
    return PASS, "the council pays for results or property as agreed; it gives no guarantee or aid"


def _fee(look: Look) -> Iterator[str]:
    """What is to be asked of the price of the council's promises."""
    free = [one.what for one in look.promises if _is_free(one)]
    if free:
        yield f"no fee for {', '.join(free)}: below any expected loss and any market price"
    if look.called is not None and look.earned is not None:
        if look.earned < look.called:
            yield f"fees of £{look.earned:,.0f} are below the expected loss of £{look.called:,.0f}"
    elif len(free) < len(look.promises):
        yield "the fee has to be held against expected loss and market price"


def _is_free(promise: Promise) -> bool:
    return promise.terms is None or promise.terms.fee.upfront + promise.terms.fee.running <= 0.0


def _helped(look: Look) -> Iterator[str]:
    """Other ways in which an enterprise is helped."""
    terms, kind = look.terms, look.terms.kind
    if kind == "asset-backed":
        if _undervalue(look) > 0.0:
            yield f"land is put in at £{_undervalue(look):,.0f} below its market value"
        lent = [one for one in terms.capital.values() if one.by in look.roles and one.amount > 0.0]
        if lent:
            yield "capital put in has to earn what the market would ask"
    if kind == "loan-pool" and terms.grant is not None and terms.grant.by in look.roles:
        yield "a grant bears losses before others"
    if kind == "grant" and "investor" in look.roles:
        yield "a grant to an organisation that trades"


def _procurement(look: Look) -> tuple[Verdict, str]:
    kind = look.terms.kind
    if kind in ("do-nothing", "loan-pool"):
        return PASS, "nothing is bought"
    if kind == "grant" and look.deal.deal.tariff is None:
        return PASS, "a grant without obligations is no contract [unverified]"
    if kind in BUILDS:
        return _works(look)
    if not look.roles & _buyers(look):
        return PASS, "this council is no party to the contract"
    value = _contract_value(look)
    what = "an outcome contract" if kind in PROGRAMMES else "a contract for the service"
    if value > LIGHT_TOUCH:
        most = f"of up to £{value:,.0f}" if value < float("inf") else "without a cap"
        own = "" if kind in PROGRAMMES else "; none is needed where the council's own staff deliver"
        return QUERY, (
            f"{what} {most} is above the threshold for social services (light touch, £{LIGHT_TOUCH:,.0f} "
            f"with VAT): the file does not say by which procedure it is awarded{own}"
        )
    if value * WITH_VAT > LIGHT_TOUCH:
        return QUERY, (
            f"{what} of up to £{value:,.0f} is above the threshold for social services (light touch, "
            f"£{LIGHT_TOUCH:,.0f} with VAT) if VAT falls on it"
        )
    return PASS, (
        f"{what} of up to £{value:,.0f} is below the threshold for social services (light touch, "
        f"£{LIGHT_TOUCH:,.0f} with VAT)"
    )


def _buyers(look: Look) -> set[str]:
    tariff = look.deal.deal.tariff
    return {"commissioner", *(tariff.payers if tariff else ()), *look.deal.own.lowered.contract_value}


def _contract_value(look: Look) -> float:
    """The most that payers can be asked for outcomes, or the plan's payments; in house its cost, pounds."""
    if look.terms.kind in PROGRAMMES:
        most = float(sum(look.deal.own.lowered.contract_value.values()))
        return max(most, look.deal.planned_payments)
    return float(sum(sum(done.costs) for done in look.deal.plan))


def _works(look: Look) -> tuple[Verdict, str]:
    costs: Mapping[str, Any] = look.deal.deal.programme.costs
    value = sum(line.works or 0.0 for line in costs.values())
    ordered = ", where the council specifies them," if look.terms.kind != "council-build" else ""
    if value > WORKS:
        return QUERY, (
            f"works of £{value:,.0f}{ordered} are above the threshold (£{WORKS:,.0f} with VAT): the "
            "file does not say by which procedure they are awarded"
        )
    if value * WITH_VAT > WORKS:
        return QUERY, (
            f"works of £{value:,.0f}{ordered} are above the threshold (£{WORKS:,.0f} with VAT) if VAT "
            "falls on them"
        )
    return PASS, f"works of £{value:,.0f} are below the threshold (£{WORKS:,.0f} with VAT)"


def _undervalue(look: Look) -> float:
    """Market value of the land less what the council has for it under the terms, pounds."""
    development: Any = look.deal.deal.programme
    land, terms = development.land, look.terms
    agreed = land.value if terms.land.agreed is None else terms.land.agreed
    counted = sum(one.share for one in terms.land.payments) + sum(one.land for one in terms.capital.values())
    return max(0.0, float(land.value - agreed * min(counted, 1.0)))


def _consideration(look: Look) -> tuple[Verdict, str]:
    kind = look.terms.kind
    if kind == "income-strip":
        return QUERY, "a long lease is granted for the capital sum: is it the best to be had? [unverified]"
    if kind == "council-build":
        return PASS, "the council keeps its land; homes are sold at market prices"
    if kind != "asset-backed":
        return PASS, "no land is disposed of"
    short = _undervalue(look)
    if short < 1.0:
        terms: Any = look.terms
        late = any(one.land > 0.0 for one in terms.capital.values())
        if late or any(one.share > 0.0 and one.quarter > YEAR for one in terms.land.payments):
            return QUERY, (
                "land goes in at its market value, but is paid for later or left in as capital: whether that "
                "is worth as much is for a valuer [unverified]"
            )
        return PASS, "land goes in at its market value"
    if short > WELL_BEING:
        return QUERY, (
            f"land goes in at £{short:,.0f} below its market value, beyond the £{WELL_BEING:,.0f} that the "
            "general consent allows for well-being [unverified]"
        )
    return (
        QUERY,
        f"land goes in at £{short:,.0f} below its market value: for well-being only [unverified]",
    )


def _yield(look: Look) -> tuple[Verdict, str]:
    terms, kind = look.terms, look.terms.kind
    if kind not in BUILDS:
        return PASS, "no asset is bought"
    what: Any = look.deal.deal.programme
    if what.purpose == "yield":
        loans = kind == "council-build" and terms.funded_from == "pwlb loans"
        return (FAIL if loans else QUERY), (
            "its purpose is yield: the PWLB lends nothing to a council with such an asset in its three-year "
            "plan, whoever finances it"
        )
    share = market_share(what)
    if share > MOSTLY:
        return (
            QUERY,
            f"{share:.0%} of the value is let at market rent: primarily for yield, or {what.purpose}?",
        )
    return PASS, f"its declared purpose is {what.purpose}, for which the PWLB lends"


def _consolidation(look: Look) -> tuple[Verdict, str]:
    if look.terms.kind in IN_HOUSE | {"council-build", "income-strip"}:
        return PASS, "there is no vehicle"
    share = _backed(look)
    if share >= MOSTLY - 1e-9:
        return QUERY, (
            f"the council stands behind up to {share:.0%} of the vehicle's funding: whether it consolidates "
            "the vehicle is a question for its auditor [unverified]"
        )
    owned = _owned(look)
    if owned >= MOSTLY - 1e-9:
        return QUERY, (
            f"the council puts in {owned:.0%} of the vehicle's capital, or has as much of its surplus: "
            "whether it consolidates the vehicle is a question for its auditor [unverified]"
        )
    if share <= 0.0:
        return PASS, "the council stands behind none of the vehicle's funding"
    return PASS, f"the council stands behind up to {share:.0%} of the vehicle's funding [unverified]"


def _backed(look: Look) -> float:
    """The most that the council can be called for over the commitment; 1 where a promise has no limit."""
    lowered = look.deal.own.lowered
    commitment = lowered.commitment or 0.0
    if look.terms != look.deal.deal.instrument or commitment <= 0.0:
        return 0.0
    most = sum(amount for role, amount in lowered.guaranteed.items() if role in look.roles)
    pegged = any(getattr(look.terms, name, None) is not None for name in ("peg", "floor"))
    layers = most if pegged else min(most, commitment * _covered(look))
    other = max((_share(look, one, commitment) for one in look.promises if one.terms is None), default=0.0)
    return min(1.0, layers / commitment + other)


def _owned(look: Look) -> float:
    """The council's part of a vehicle's own capital, land included, or of its surplus where that is more."""
    if look.terms.kind != "asset-backed":
        return 0.0
    land: Any = look.terms.land
    agreed = float(look.deal.deal.programme.land.value if land.agreed is None else land.agreed)  # type: ignore[union-attr]
    capital = look.terms.capital.values()
    put_in = [(one.amount + one.land * agreed, one.by in look.roles) for one in capital]
    surplus = [(one.surplus, one.by in look.roles) for one in capital]
    parts = [
        sum(worth for worth, mine in some if mine) / max(sum(worth for worth, _ in some), 1e-9)
        for some in (put_in, surplus)
    ]
    return float(max(parts))


def _covered(look: Look) -> float:
    """What the council's layers pay if all that is committed is lost, over it; the order of layers counts."""
    whole = look.deal.own.lowered.commitment or 0.0
    if whole <= 0.0 or look.terms != look.deal.deal.instrument:
        return 0.0
    left, mine = whole, 0.0
    for one in getattr(look.terms, "layers", ()):
        unit = 1.0 if one.unit == "pounds" else whole
        loss = left if one.of == "what is left" else whole
        end = loss if one.detach is None else min(loss, one.detach * unit)
        paid = one.cover * max(0.0, end - one.attach * unit)
        caps = (one.cap, None if one.cap_rate is None else one.cap_rate * whole)
        paid = min([left, paid, *(cap for cap in caps if cap is not None)])
        left -= paid
        mine += paid if one.guarantor in look.roles else 0.0
    return mine / whole


def _share(look: Look, promise: Promise, commitment: float) -> float:
    """Of the commitment, what a promise makes good that is not among what the structure calls guaranteed."""
    terms = look.terms
    if promise.what == "capital protection":
        return float(max(one.share for one in terms.protection.schedule))
    if promise.what == "recourse":
        return 1.0 if terms.recourse.limit is None else float(terms.recourse.limit / commitment)
    return 1.0 if promise.what == "balance unpaid at the long stop" else 0.0


def _conflict(look: Look) -> tuple[Verdict, str]:
    if look.terms.kind in IN_HOUSE | {"council-build"}:
        return PASS, "nobody invests beside the council"
    if look.roles & {"investor"}:
        return QUERY, "the council is both investor and public body in this deal"
    parties = look.ready.parties
    funds = [one for one in sorted(_investors(look)) if "pension" in f"{one} {parties[one].title}".lower()]
    if funds:
        return QUERY, (
            f"among the investors: {', '.join(funds)}; if it is the council's own pension fund, the council "
            "stands on both sides"
        )
    return PASS, "no investor is called a pension fund; files do not say whose an investor is"


def _investors(look: Look) -> set[str]:
    shares = [*look.deal.roles.values(), *(look.ready.fund.holders if look.ready.fund else ())]
    filled = {party for one in shares for party, _ in one}
    return {name for name in filled if look.ready.parties[name].kind in ("investor", "lender")}


def _england(look: Look) -> tuple[Verdict, str]:
    return PASS, "England only: files name no nation; Wales, Scotland and Northern Ireland have other rules"


TESTS: Mapping[str, Test] = {
    "power": _power,
    "funding source": _funding,
    "revenue or capital": _revenue_or_capital,
    "credit arrangement": _credit,
    "subsidy control": _subsidy,
    "procurement": _procurement,
    "best consideration": _consideration,
    "yield assets": _yield,
    "consolidation": _consolidation,
    "conflict of interest": _conflict,
    "England": _england,
}
