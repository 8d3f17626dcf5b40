"""A pooled guarantee: the claims of many deals on one purse with a cap, met alike when it is short."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple, Self

from pydantic import Field, model_validator

from socialfinance.core.parties import Filled
from socialfinance.core.terms import Name, Pounds, Share, Sourced
from socialfinance.kernels.elementwise import least, most, part, put, ratio

Tuple = tuple[Any, ...]


class PooledDeal(Sourced):
    """How much of one deal the pool covers."""

    cover: Share


class Pool(Sourced):
    """Terms of a pooled guarantee.

    Two kinds of claim. Where the pool's guarantor stands behind a deal by its own terms (it fills a
    guarantor's role), each call on it is a claim. Of every other deal of the fund, ``cover`` times what the
    fund lost on it (paid in less received) is claimed once, ``claim_after`` quarters after its last planned
    receipt. The claims of a quarter are met in the next, all in the same proportion when the pool is short;
    what is not met is the fund's loss. What a deal pays later, and recoveries, go to pool and fund by what
    each bore.
    """

    guarantor: Filled
    """a party, or several with shares"""
    cap: Pounds
    """the most that is paid over the life, before replenishment"""
    annual_limit: Pounds | None = None
    """the most that is paid in a year of the fund"""
    replenished: Pounds = 0.0
    """what the guarantor puts back at each year's end, up to the cap"""
    recoveries_restore: bool = False
    """whether what is recovered can be claimed again"""
    fee: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """a year on the unused cap, a quarter of it a quarter, paid by the fund"""
    cover: Share = 0.0
    """of the fund's loss on each deal that ``deals`` does not name"""
    deals: dict[Name, PooledDeal] = Field(default_factory=dict)
    claim_after: Annotated[int, Field(ge=0, le=40)] = 2
    """quarters after the last planned receipt at which a loss is claimed"""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.annual_limit is not None and self.annual_limit > self.cap > 0:
            raise ValueError(f"annual_limit: {self.annual_limit:,.0f} is above the cap of {self.cap:,.0f}")
        if self.replenished > self.cap:
            raise ValueError(f"replenished: {self.replenished:,.0f} is above the cap of {self.cap:,.0f}")
        return self


class Terms(NamedTuple):
    """Lowered: floats only."""

    cap: float
    annual_limit: float
    replenished: float
    restores: float
    fee: float
    """a quarter"""


class State(NamedTuple):
    """Pounds; tuples are by deal."""

    used: Any
    """of the cap"""
    this_year: Any
    claims: Tuple
    """of the row before, not yet met"""
    claimed: Tuple
    met: Tuple
    recovered: Tuple


class Answer(NamedTuple):
    """By deal, pounds: what the pool pays for the claims of the row before."""

    pays: Tuple
    total: Any


def opening(deals: int) -> State:
    """Nothing claimed yet."""
    none = (0.0,) * deals
    return State(0.0, 0.0, none, none, none, none)


def answer(terms: Terms, state: State, year_begins: float) -> tuple[State, Answer]:
    """Meet the claims of the row before.

    pays_d = claim_d x min(1, room / sum of claims), room = min(cap - used, annual limit - paid this year).
    """
    used, this_year = state.used, state.this_year
    if year_begins > 0.0:
        used = most(0.0, used - terms.replenished)
        this_year = this_year * 0.0
    total = used * 0.0
    for claim in state.claims:
        total = total + claim
    room = most(0.0, least(terms.cap - used, terms.annual_limit - this_year))
    meets = ratio(least(total, room), total, 0.0)
    pays, met, paid = state.claims, state.met, used * 0.0
    for d in range(len(state.claims)):
        one = state.claims[d] * meets
        pays, met = put(pays, d, one), put(met, d, met[d] + one)
        paid = paid + one
    after = state._replace(used=used + paid, this_year=this_year + paid, met=met)
    return after, Answer(pays, paid)


def claim(state: State, claims: Tuple) -> State:
    """Take this row's claims, to be met in the next."""
    claimed = state.claimed
    for d in range(len(claims)):
        claimed = put(claimed, d, claimed[d] + claims[d])
    return state._replace(claims=claims, claimed=claimed)


def recover(terms: Terms, state: State, deal: int, amount: Any, share: Any) -> tuple[State, Any]:
    """The pool's part of what a deal still pays: ``share`` of it, up to what it paid and has not had back."""
    back = most(0.0, least(amount * share, state.met[deal] - state.recovered[deal]))
    used = most(0.0, state.used - part(back, terms.restores))
    recovered = put(state.recovered, deal, state.recovered[deal] + back)
    return state._replace(used=used, recovered=recovered), back
