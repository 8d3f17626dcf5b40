"""Guarantees in layers: who makes good which part of a lender's loss, when, up to what, and for what fee.

A stack of layers stands in order. Each covers a share of a slice of the loss (from attachment to detachment),
of all of it or of what the layers before it left, when a payment is missed, when the loan is accelerated, or
at maturity. What is paid is owed back by the borrower to the guarantor, who has it from recoveries.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from itertools import pairwise
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from socialfinance.core.errors import InputError
from socialfinance.core.ledger import Leg
from socialfinance.core.parties import OUTSIDE
from socialfinance.core.terms import AnnualRate, Name, Pounds, Quarters, Share, Sourced
from socialfinance.instruments.base import INFINITE, Draw, quarterly
from socialfinance.kernels.elementwise import both, least, most, part, put, ratio, where
from socialfinance.scenarios.distributions import Uniform

Tuple = tuple[Any, ...]
UNLIMITED = 1e15
"""Pounds that no loss reaches: stands for no limit where a limit is multiplied."""
WHEN = ("missed payment", "acceleration", "maturity")
"""When a layer can be called, numbered from 0."""


# --- terms, as they stand in a file --------------------------------------------------------------------


class Offer(Sourced):
    """When a guarantee of this kind can be had: every scheme opens and closes."""

    since: date | None = None
    until: date | None = None
    """last day on which it is given; none: still open"""

    @model_validator(mode="after")
    def _opens_before_it_closes(self) -> Self:
        if self.since is not None and self.until is not None and self.until < self.since:
            raise ValueError(f"until: is before since, which is {self.since.isoformat()}")
        return self


class Enforceability(Sourced):
    """What a guarantee rests on, and the chance that it does not hold (Credit Suisse v Allerdale, 1997)."""

    void: Share = 0.0
    """chance that the guarantee turns out to be void when it is called, drawn once a path"""
    power: str | None = None
    """the power under which it is given"""
    decision: str | None = None
    """who decided it, and when"""
    certificate: bool = False
    """whether a certificate under the Local Government (Contracts) Act 1997 was given"""


class Fee(Sourced):
    """What a guarantor is paid. Insurers call it a premium."""

    upfront: Share = 0.0
    """share of the cover on the whole commitment, at close"""
    running: Annotated[AnnualRate, Field(ge=0)] = 0.0
    """a year, on what is covered of the outstanding loan, in arrears"""
    paid_by: Name = "vehicle"
    """role that pays it: the borrower, the lender (investor), or a council"""


class Amount(Sourced):
    """A limit from a quarter on."""

    from_quarter: Quarters
    amount: Pounds


class Layer(Sourced):
    """One guarantor's cover."""

    guarantor: Name
    """role that pays"""
    cover: Share = 1.0
    """share of the slice that it makes good"""
    attach: Pounds = 0.0
    """loss at which it begins, in ``unit``, of the loss that it covers (``of``): an insurer's deductible"""
    detach: Pounds | None = None
    """loss at which it ends, in ``unit``; none: no end"""
    unit: Literal["pounds", "share of commitment", "share of drawn"] = "pounds"
    """what attach and detach count in; a share of drawn, as drawn stands in the quarter of the loss"""
    of: Literal["what is left", "the whole loss"] = "what is left"
    """the loss that layers before it in the list left, or all of it"""
    when: Literal["missed payment", "acceleration", "maturity"] = "acceleration"
    """missed payment: each instalment that is short; acceleration: the loan once it is called in, or is
    unpaid at maturity; maturity: what is unpaid at maturity, not before"""
    interest: bool = False
    """whether interest that is due is covered beside principal"""
    claim_lag: Quarters = 1
    """quarters from claim to payment"""
    schedule: tuple[Amount, ...] = ()
    """most it has paid in all from a quarter on, where the amount of cover changes with time"""
    cap_a_year: Pounds | None = None
    """most it accepts in a year from close; what a cap cuts is not made up later"""
    cap: Pounds | None = None
    """most it pays over the life"""
    cap_rate: Share | None = None
    """most it pays over the life as a share of what was drawn; with ``cap``, both hold"""
    fee: Fee = Field(default_factory=Fee)
    recoveries: Literal["lender first", "pro rata", "guarantor first"] = "pro rata"
    """who has what the borrower pays after a call, until the lender's loss and the call are both made good"""
    failure: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """chance a year that the guarantor can no longer pay: from then on nothing new is accepted; one draw for
    all layers of the same guarantor"""
    enforceability: Enforceability = Field(default_factory=Enforceability)
    offer: Offer | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.detach is not None and self.detach <= self.attach:
            raise ValueError(f"detach: must be above attach, which is {self.attach:g}")
        if self.unit != "pounds" and max(self.attach, self.detach or 0.0) > 1.0:
            raise ValueError(f"detach: in a {self.unit} nothing is above 1")
        starts = [one.from_quarter for one in self.schedule]
        if starts != sorted(set(starts)):
            raise ValueError("schedule: quarters must rise")
        return self


# --- one row -------------------------------------------------------------------------------------------


class Terms(NamedTuple):
    """Lowered layers; one entry a layer, an empty stack is one that covers nothing."""

    cover: Tuple
    attach: Tuple
    """pounds"""
    attach_drawn: Tuple
    """share of what was drawn, on top"""
    depth: Tuple
    depth_drawn: Tuple
    whole: Tuple
    """1 where it covers the whole loss, 0 what is left"""
    when: Tuple
    """position in WHEN"""
    interest: Tuple
    """1 where interest is covered"""
    cap: Tuple
    rate_base: Tuple
    """cap rate: pounds beside the share of drawn, unlimited where there is no such cap"""
    cap_drawn: Tuple
    """cap rate: share of what was drawn"""
    cap_year: Tuple
    fee: Tuple
    """a quarter, on what is covered"""
    hazard: Tuple
    """chance a quarter that the guarantor fails"""
    void: Tuple
    rank: Tuple
    """recoveries: 0 lender first, 1 pro rata, 2 guarantor first"""
    paid_at_once: Tuple
    no_layers: Tuple


class State(NamedTuple):
    """Carried from row to row, by layer; pounds unless said."""

    seen: Tuple
    """loss put to it so far"""
    called: Tuple
    """claims it has accepted so far"""
    called_this_year: Tuple
    owed_back: Tuple
    """calls paid and not yet recovered"""
    failed: Tuple
    """1 once the guarantor has failed"""


class Drawn(NamedTuple):
    """Random numbers, by layer."""

    failure: Tuple
    void: Tuple


class Row(NamedTuple):
    """What the schedule says about this row."""

    limit: Tuple
    """by layer: most it has been called for in all"""
    year_start: float
    """1 in the first row of a year from close; close belongs to the first year"""


class Loss(NamedTuple):
    """New loss of a row by when it can be claimed, pounds."""

    missed: Any
    missed_interest: Any
    accelerated: Any
    accelerated_interest: Any
    matured: Any
    matured_interest: Any


class Called(NamedTuple):
    """Claims of a row."""

    by_layer: Tuple
    """accepted, to be paid after the claim lag"""
    total: Any
    principal: Any
    """of the total, what was principal"""


NO_LOSS = Loss(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def layer(loss: Any, attach: Any, depth: Any) -> Any:
    """The part of a loss inside a slice: min(max(loss - attach, 0), depth)."""
    return most(0.0, least(loss - attach, depth))


def call(terms: Terms, state: State, row: Row, loss: Loss, drawn: Any, luck: Drawn) -> tuple[State, Called]:
    """Put this row's loss to the layers in order: ``(state, called)``.

    claim = cover x (slice(seen + new) - slice(seen)), new being the whole new loss or what earlier layers
    left of it, and the slice as it stands in this row; accepted = the least of the claim, cover x
    slice(seen + new) less what was accepted before, what is left of the loss, and what its caps and schedule
    leave; nothing where the guarantor has failed or the guarantee is void. Interest that is covered is taken
    to be paid first.
    """
    left = (loss.missed, loss.accelerated, loss.matured)
    left_interest = (loss.missed_interest, loss.accelerated_interest, loss.matured_interest)
    seen = state.seen
    called = state.called
    this_year = state.called_this_year
    failed = state.failed
    by_layer = terms.no_layers
    total = loss.missed * 0.0
    principal = loss.missed * 0.0
    for i in range(len(terms.cover)):
        w = int(terms.when[i])
        gross, gross_interest = _gross(loss, w)
        new = where(terms.whole[i] > 0.0, gross, left[w])
        new_interest = part(where(terms.whole[i] > 0.0, gross_interest, left_interest[w]), terms.interest[i])
        attach = terms.attach[i] + part(drawn, terms.attach_drawn[i])
        depth = terms.depth[i] + part(drawn, terms.depth_drawn[i])
        put_to_it = new + new_interest
        so_far = layer(seen[i] + put_to_it, attach, depth)
        claim = part(so_far - layer(seen[i], attach, depth), terms.cover[i])
        failed = put(failed, i, most(failed[i], where(luck.failure[i] < terms.hazard[i], 1.0, 0.0)))
        stands = both(failed[i] <= 0.0, luck.void[i] > terms.void[i])
        spent = where(row.year_start > 0.0, 0.0, this_year[i])
        room = least(limit(terms, row, drawn, i), part(so_far, terms.cover[i])) - called[i]
        room = least(room, terms.cap_year[i] - spent)
        still = left[w] + part(left_interest[w], terms.interest[i])
        accepted = where(stands, most(0.0, least(least(claim, room), still)), 0.0)
        of_interest = least(accepted, part(left_interest[w], terms.interest[i]))
        seen = put(seen, i, seen[i] + put_to_it)
        called = put(called, i, called[i] + accepted)
        this_year = put(this_year, i, spent + accepted)
        by_layer = put(by_layer, i, accepted)
        total = total + accepted
        principal = principal + accepted - of_interest
        left = put(left, w, left[w] - (accepted - of_interest))
        left_interest = put(left_interest, w, left_interest[w] - of_interest)
    return State(seen, called, this_year, state.owed_back, failed), Called(by_layer, total, principal)


def _gross(loss: Loss, when: int) -> tuple[Any, Any]:
    if when == 0:
        return loss.missed, loss.missed_interest
    if when == 1:
        return loss.accelerated, loss.accelerated_interest
    return loss.matured, loss.matured_interest


def limit(terms: Terms, row: Row, drawn: Any, i: int) -> Any:
    """The most layer i may have accepted in all: its cap, its cap rate and its schedule, pounds."""
    by_rate = terms.rate_base[i] + part(drawn, terms.cap_drawn[i])
    return least(least(terms.cap[i], by_rate), row.limit[i])


def owed_back(state: State) -> Any:
    """What guarantors have paid or accepted and not had back from the borrower, all layers."""
    total = state.owed_back[0]
    for i in range(1, len(state.owed_back)):
        total = total + state.owed_back[i]
    return total


def owe_back(state: State, accepted: Tuple) -> State:
    """What a guarantor accepts it is owed back by the borrower, from the claim on."""
    owed_back = state.owed_back
    for i in range(len(accepted)):
        owed_back = put(owed_back, i, owed_back[i] + accepted[i])
    return State(state.seen, state.called, state.called_this_year, owed_back, state.failed)


def fees(terms: Terms, state: State, row: Row, outstanding: Any, drawn: Any) -> Tuple:
    """By layer: the running fee of a quarter on what is covered of the outstanding loan, pounds."""
    due = terms.no_layers
    for i in range(len(terms.cover)):
        due = put(due, i, part(covered(terms, state, row, outstanding, drawn, i), terms.fee[i]))
    return due


def covered(terms: Terms, state: State, row: Row, outstanding: Any, drawn: Any, i: int) -> Any:
    """What layer i covers of a loan that is outstanding, pounds: what it would accept if all of it were lost.

    Layer by layer up to i: the least of cover x (slice(seen + new) - slice(seen)), what its caps over the
    life leave, and what layers before it leave of the loan; nothing where the guarantor has failed. A cap a
    year does not make it less, and whether the guarantee is void is not known yet.
    """
    left = outstanding
    mine = outstanding * 0.0
    for j in range(i + 1):
        new = where(terms.whole[j] > 0.0, outstanding, left)
        attach = terms.attach[j] + part(drawn, terms.attach_drawn[j])
        depth = terms.depth[j] + part(drawn, terms.depth_drawn[j])
        slice_ = layer(state.seen[j] + new, attach, depth) - layer(state.seen[j], attach, depth)
        room = limit(terms, row, drawn, j) - state.called[j]
        mine = most(0.0, least(least(part(slice_, terms.cover[j]), room), left))
        mine = where(state.failed[j] > 0.0, 0.0, mine)
        left = left - mine
    return mine


def recover(terms: Terms, state: State, cash: Any, lender: Any) -> tuple[State, Any, Tuple]:
    """Share what the borrower pays after a call: ``(state, to the lender, by layer)``.

    In turn, each group by what it is owed: guarantors that come first; the lender with those that share pro
    rata; those that come after the lender. ``lender`` is what it is owed itself, ``cash`` what there is.
    """
    by_layer = terms.no_layers
    owed_back = state.owed_back
    to_lender = lender * 0.0
    for turn in range(3):
        rank = 2.0 - turn
        pool = lender if turn == 1 else lender * 0.0
        for i in range(len(terms.cover)):
            pool = pool + part(state.owed_back[i], 1.0 if terms.rank[i] == rank else 0.0)
        share = ratio(least(cash, pool), pool, 0.0)
        if turn == 1:
            to_lender = lender * share
        for i in range(len(terms.cover)):
            one = part(state.owed_back[i] * share, 1.0 if terms.rank[i] == rank else 0.0)
            by_layer = put(by_layer, i, by_layer[i] + one)
            owed_back = put(owed_back, i, most(0.0, owed_back[i] - one))
        cash = most(0.0, cash - pool)
    return (
        State(state.seen, state.called, state.called_this_year, owed_back, state.failed),
        to_lender,
        by_layer,
    )


# --- lowering ------------------------------------------------------------------------------------------


class Legs(NamedTuple):
    """By layer: who pays whom."""

    upfront: Tuple
    fee: Tuple
    call: Tuple
    recovery: Tuple


class Lowered(NamedTuple):
    """A stack ready to run."""

    terms: Terms
    opening: State
    draws: Drawn
    rows: tuple[Row, ...]
    lags: Tuple
    """by layer: quarters from claim to payment"""
    upfront: Tuple
    """by layer: fee at close, pounds"""
    legs: Legs
    most: dict[str, float]
    """by role: the most it can be called for, pounds"""
    notes: tuple[str, ...]
    """what a reader should know: gaps in the cover, guarantees that may be void"""


def lower(
    layers: Sequence[Layer],
    commitment: float,
    rows: int,
    start: date,
    borrower: str,
    exposure: float | None = None,
    most_drawn: float | None = None,
    lender: str = "investor",
    last_claim: int | None = None,
) -> Lowered:
    """The stack as floats for lending that closes on ``start``.

    ``commitment`` is what shares of commitment are shares of, pounds. ``exposure`` is the most that can be
    owed, rolled-up interest included, and ``most_drawn`` the most that can be drawn (by a pool that lends
    repayments again, more than the commitment); default the commitment. The lender is the role that is paid
    when a layer is called, the borrower the one that pays back. ``last_claim`` is the last row in which a
    claim can be accepted; default the last of all.
    """
    _check_guarantors(layers)
    _check_offers(layers, start)
    drawn = commitment if most_drawn is None else most_drawn
    owed = drawn if exposure is None else exposure
    last = rows - 1 if last_claim is None else last_claim
    at_most = [_most(one, commitment, drawn, owed, last) for one in layers]
    notes = (
        *_check_cover(layers, commitment),
        *_kept_by_the_lender(layers),
        *_never_called(layers, at_most),
    )
    stack = tuple(layers) or (Layer(guarantor=lender, cover=0.0),)
    nobody = tuple(0.0 for _ in stack)
    terms = Terms(
        cover=tuple(one.cover for one in stack),
        attach=tuple(_pounds(one, one.attach, commitment) for one in stack),
        attach_drawn=tuple(_of_drawn(one, one.attach) for one in stack),
        depth=tuple(_depth(one, commitment) for one in stack),
        depth_drawn=tuple(
            0.0 if one.detach is None else _of_drawn(one, one.detach) - _of_drawn(one, one.attach)
            for one in stack
        ),
        whole=tuple(float(one.of == "the whole loss") for one in stack),
        when=tuple(float(WHEN.index(one.when)) for one in stack),
        interest=tuple(float(one.interest) for one in stack),
        cap=tuple(UNLIMITED if one.cap is None else one.cap for one in stack),
        rate_base=tuple(UNLIMITED if one.cap_rate is None else 0.0 for one in stack),
        cap_drawn=tuple(one.cap_rate or 0.0 for one in stack),
        cap_year=tuple(UNLIMITED if one.cap_a_year is None else one.cap_a_year for one in stack),
        fee=tuple(quarterly(one.fee.running) for one in stack),
        hazard=tuple(_hazard(one) for one in stack),
        void=tuple(one.enforceability.void for one in stack),
        rank=tuple(
            float(("lender first", "pro rata", "guarantor first").index(one.recoveries)) for one in stack
        ),
        paid_at_once=tuple(float(one.claim_lag == 0) for one in stack),
        no_layers=nobody,
    )
    return Lowered(
        terms=terms,
        opening=State(nobody, nobody, nobody, nobody, nobody),
        draws=_draws(stack),
        rows=tuple(_row(stack, row) for row in range(rows)),
        lags=tuple(one.claim_lag for one in stack),
        upfront=tuple(
            one.fee.upfront * _most(one, commitment, commitment, commitment, last) if layers else 0.0
            for one in stack
        ),
        legs=_legs(stack, borrower, lender),
        most=_by_role(layers, at_most),
        notes=notes,
    )


def _hazard(one: Layer) -> float:
    """The chance that its guarantor fails in a quarter: 1 - (1 - p)^(1/4)."""
    return float(1.0 - (1.0 - one.failure) ** 0.25)


def _draws(stack: Sequence[Layer]) -> Drawn:
    """A guarantor fails for all its layers at once; each guarantee is void or not by itself."""
    certain = Uniform(low=0.0, high=1.0, plan=1.0)
    return Drawn(
        tuple(Draw(f"guarantor {one.guarantor}.failure", chance=_hazard(one)) for one in stack),
        tuple(
            Draw(
                f"guarantee {i + 1} {one.guarantor}.void", certain if one.enforceability.void else 1.0, "low"
            )
            for i, one in enumerate(stack)
        ),
    )


def _legs(stack: Sequence[Layer], borrower: str, lender: str) -> Legs:
    return Legs(
        upfront=tuple(Leg(one.fee.paid_by, one.guarantor, "guarantee fee") for one in stack),
        fee=tuple(Leg(one.fee.paid_by, one.guarantor, "guarantee fee") for one in stack),
        call=tuple(Leg(one.guarantor, lender, "guarantee call") for one in stack),
        recovery=tuple(Leg(borrower, one.guarantor, "recovery") for one in stack),
    )


def _row(stack: Sequence[Layer], row: int) -> Row:
    limits = []
    for one in stack:
        begun = [step.amount for step in one.schedule if step.from_quarter <= row]
        limits.append(UNLIMITED if not one.schedule else (begun[-1] if begun else 0.0))
    return Row(tuple(limits), float(row > 1 and row % 4 == 1))


def _pounds(one: Layer, figure: float, commitment: float) -> float:
    if one.unit == "share of drawn":
        return 0.0
    return figure * (commitment if one.unit == "share of commitment" else 1.0)


def _of_drawn(one: Layer, figure: float) -> float:
    return figure if one.unit == "share of drawn" else 0.0


def _depth(one: Layer, commitment: float) -> float:
    if one.detach is None:
        return UNLIMITED
    return _pounds(one, one.detach, commitment) - _pounds(one, one.attach, commitment)


def _most(one: Layer, commitment: float, drawn: float, exposure: float, last: int) -> float:
    """The most a layer can be called for where ``drawn`` is drawn and ``exposure`` is lost, pounds.

    The least of cover x its slice of the exposure, its caps, its cap a year over the years up to the last row
    in which it can be called, its schedule.
    """
    scale = {"pounds": 1.0, "share of commitment": commitment, "share of drawn": drawn}[one.unit]
    depth = exposure
    if scale < INFINITE:
        detach = exposure if one.detach is None else min(one.detach * scale, exposure)
        depth = max(detach - one.attach * scale, 0.0)
    limits = [one.cover * depth if one.cover else 0.0]
    limits += [one.cap] if one.cap is not None else []
    limits += [one.cap_rate * drawn if one.cap_rate else 0.0] if one.cap_rate is not None else []
    limits += [one.cap_a_year * max(1, -(-last // 4))] if one.cap_a_year is not None else []
    in_time = [step.amount for step in one.schedule if step.from_quarter <= last]
    limits += [max(in_time, default=0.0)] if one.schedule else []
    return min(limits)


def _by_role(layers: Sequence[Layer], most: Sequence[float]) -> dict[str, float]:
    found: dict[str, float] = {}
    for one, amount in zip(layers, most, strict=False):
        found[one.guarantor] = found.get(one.guarantor, 0.0) + amount
    return found


def _check_guarantors(layers: Iterable[Layer]) -> None:
    """Refuse a guarantor or a payer of fees that is the lender's own money, or comes from nowhere."""
    for i, one in enumerate(layers):
        if one.guarantor in ("vehicle", "investor", OUTSIDE):
            raise InputError(
                "cannot guarantee the loan: it is the lender or belongs to the model",
                field=f"instrument.layers[{i}].guarantor", given=one.guarantor,
                allowed="a role of somebody else's",
            )  # fmt: skip
        if one.fee.paid_by in (OUTSIDE, one.guarantor):
            raise InputError(
                "cannot pay the fee", field=f"instrument.layers[{i}].fee.paid_by", given=one.fee.paid_by,
                allowed="vehicle, investor or a role that a party fills, and not the guarantor itself",
            )  # fmt: skip


def _check_offers(layers: Iterable[Layer], start: date) -> None:
    """Refuse a guarantee that could not be had on the day."""
    for i, one in enumerate(layers):
        offer = one.offer
        if offer is None:
            continue
        too_early = offer.since is not None and start < offer.since
        if too_early or (offer.until is not None and start > offer.until):
            raise InputError(
                f"was not on offer when the deal closes, on {start.isoformat()}",
                field=f"instrument.layers[{i}].offer",
                allowed=f"from {offer.since or 'the beginning'} to {offer.until or 'now'}",
            )


def _check_cover(layers: Sequence[Layer], commitment: float) -> tuple[str, ...]:
    """Refuse layers that cover a pound of loss twice; say where cover has a gap, or may not hold."""
    notes = [
        f"{one.guarantor}'s guarantee is void with a chance of {one.enforceability.void:.1%}"
        + ("" if one.enforceability.certificate else "; no certificate was given")
        for one in layers
        if one.enforceability.void > 0.0
    ]
    whole = [(i, one) for i, one in enumerate(layers) if one.of == "the whole loss"]
    edges = sorted({0.0, *(edge for _, one in whole for edge in _edges(one, commitment))})
    for low, high in pairwise(edges):
        inside = [
            (i, one) for i, one in whole if _edges(one, commitment)[0] <= low < _edges(one, commitment)[1]
        ]
        if sum(one.cover for _, one in inside) > 1.0 + 1e-9:
            raise InputError(
                f"covers the same loss as a layer before it, between £{low:,.0f} and £{high:,.0f}: together "
                "they pay more than the loss",
                field=f"instrument.layers[{inside[-1][0]}].attach",
                allowed="slices that do not overlap, or covers that sum to at most 1",
            )
        if whole and not inside and low < commitment:
            notes.append(f"no layer covers losses between £{low:,.0f} and £{min(high, commitment):,.0f}")
    return tuple(notes)


def _kept_by_the_lender(layers: Sequence[Layer]) -> tuple[str, ...]:
    """Say what the lender bears before a layer that covers what others left begins: its deductible."""
    found = []
    for one in layers:
        if one.of == "what is left" and one.attach > 0.0:
            amount = f"£{one.attach:,.0f}" if one.unit == "pounds" else f"{one.attach:.1%} of {one.unit[9:]}"
            before = "what the layers before it leave" if one is not layers[0] else "the loss"
            found.append(f"{one.guarantor} begins to pay after the first {amount} of {before}")
    return tuple(found)


def _never_called(layers: Sequence[Layer], most: Sequence[float]) -> list[str]:
    """Say which layers can pay nothing: no cover, a cap of nil, a slice or an amount out of reach."""
    return [
        f"{one.guarantor}'s layer, number {i} of the list, can never be called for anything"
        for i, (one, amount) in enumerate(zip(layers, most, strict=True), 1)
        if amount <= 0.0
    ]


def _edges(one: Layer, commitment: float) -> tuple[float, float]:
    scale = 1.0 if one.unit == "pounds" else commitment
    return one.attach * scale, UNLIMITED if one.detach is None else one.detach * scale
