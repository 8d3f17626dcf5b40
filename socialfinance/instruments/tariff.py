"""The tariff of a deal: what outcomes are worth, who pays which part, and every cap and window."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from socialfinance.core.terms import AnnualRate, Name, Pounds, Quarters, Share, Sourced, Terms
from socialfinance.scenarios.distributions import Uncertain

Growth = Annotated[float, Field(ge=-0.5, le=1, description="fraction a year")]


class Payer(Sourced):
    """One outcome payer: a share of every price, or prices of its own; its cap and its dates."""

    share: Share | None = None
    """share of every price in ``prices``"""
    prices: dict[Name, Pounds] | None = None
    """its own price by outcome line, instead of a share"""
    cap: Pounds | None = None
    """most it pays over the contract; none: no cap of its own"""
    joins: Annotated[int, Field(ge=0)] = 0
    """first quarter in which it accepts claims"""
    leaves: Annotated[int, Field(ge=0)] | None = None
    """last quarter in which it accepts claims; claims after it are lost unless passed on"""
    payment_lag: Quarters = 1
    """quarters from verification to payment"""
    passes_on: bool = False
    """what it cannot pay falls to the next payer in the list"""
    scale_for_deadweight: bool = False
    """pays only (1 - planned deadweight) of each price"""


class Clawback(Terms):
    """Payments taken back after an audit."""

    share: Share
    after: Annotated[int, Field(ge=1)]
    """quarters after payment"""


class Delay(Terms):
    """Claims disputed and paid late."""

    share: Share
    quarters: Annotated[int, Field(ge=1)]
    """further quarters until they are paid"""


class MinimumReferrals(Sourced):
    """Referrals the payers undertake to make, and what they pay for those they do not."""

    per_quarter: Annotated[float, Field(gt=0)]
    """people a quarter, over the planned referral period"""
    payment: Pounds
    """pounds for each person short"""
    tested_every: Annotated[int, Field(ge=1)] = 4
    """quarters between tests; the test is cumulative, so a later surplus is not paid back"""


class Step(Terms):
    """A step of a payment by measured effect."""

    at: float
    """measured relative fall from which it is paid"""
    pays: Pounds
    """pounds in all at this step"""


class EffectPayment(Sourced):
    """Payment by measured effect: a trigger for each cohort and one for all together."""

    cohort_trigger: Share | None = None
    """least fall of a single cohort that is paid for; none: only all together"""
    pooled_trigger: Share
    """least fall of all measured cohorts together, tested when the last is reported"""
    per_event: Pounds | None = None
    """proportional: pounds for each event avoided (fall x baseline x people)"""
    steps: tuple[Step, ...] = ()
    """or stepped: amounts by the pooled fall"""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.per_event is None) == (not self.steps):
            raise ValueError("give either per_event or steps")
        if [s.at for s in self.steps] != sorted({s.at for s in self.steps}):
            raise ValueError("steps must rise")
        if self.steps and self.cohort_trigger is not None:
            raise ValueError("steps are paid on all cohorts together: leave cohort_trigger out")
        return self


class Baseline(Sourced):
    """What an agency is agreed to spend on these people without the programme, quarter by quarter.

    Its savings are measured in these quarters only.
    """

    per_quarter: Pounds
    """pounds in first_quarter, cash of the day"""
    growth: AnnualRate = 0.0
    """agreed growth a year"""
    first_quarter: Annotated[int, Field(ge=0)] = 1
    last_quarter: Annotated[int, Field(ge=0)]
    counterfactual: Uncertain = 1.0
    """what it would have spent without the programme over this line, one draw a path: not 1 where the line is
    wrong, which pays or costs the agency what the programme did not bring"""

    @model_validator(mode="after")
    def _order(self) -> Self:
        if self.last_quarter < self.first_quarter:
            raise ValueError("last_quarter is before first_quarter")
        return self


class AgencyPays(Sourced):
    """The part of its verified savings that an agency pays over."""

    share: Share = 1.0
    of: Literal["cashable", "all"] = "cashable"
    """all: freed capacity counts as well, which no budget shows"""
    cap: Pounds | None = None
    """most it pays out of savings; none: no cap"""
    baseline: Baseline | None = None
    """the agreed line that savings are measured against; none: savings are measured one by one"""


class SavingsPayment(Sourced):
    """Payment out of verified savings: baseline less actual spending, after a lag, with measurement error."""

    agencies: Annotated[dict[Name, AgencyPays], Field(min_length=1)]
    """by role, as the programme's savings name them"""
    verification_lag: Quarters = 2
    """quarters from a saving to its payment"""
    error: Uncertain = 1.0
    """verified over true savings, one draw a path"""


class Tariff(Sourced):
    """Rate card or effect payment, payers, caps, indexation, and what happens to claims."""

    prices: dict[Name, Pounds] = Field(default_factory=dict)
    """pounds by outcome line"""
    effect: EffectPayment | None = None
    savings: SavingsPayment | None = None
    """what agencies pay out of their verified savings"""
    payers: dict[Name, Payer]
    """by role, in the order in which they pay"""
    cap: Pounds | None = None
    """contract cap over all payers"""
    cap_per_person: Pounds | None = None
    caps: dict[Name, Pounds] = Field(default_factory=dict)
    """cap by outcome line"""
    index: Name | None = None
    """index the prices follow; none: not indexed"""
    price_base: date | None = None
    collar: tuple[Growth, Growth] | None = None
    """least and most growth of the index a year"""
    rejected: Share = 0.0
    """share of claims refused"""
    delayed: Delay | None = None
    clawback: Clawback | None = None
    last_claim: Annotated[int, Field(ge=1)] | None = None
    """last quarter in which claims are accepted"""
    tail: Quarters = 8
    """quarters for which outcomes of people already started are still paid after an early end"""
    minimum_referrals: MinimumReferrals | None = None
    emergency_support: Share = 0.0
    """variation: share of the shortfall against plan paid while a common shock runs"""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        own = [role for role, payer in self.payers.items() if payer.prices is not None]
        shared = [payer.share for payer in self.payers.values() if payer.prices is None]
        if not self.payers:
            raise ValueError("payers: at least one is needed")
        if own and any(share is not None for share in shared):
            raise ValueError("payers: either all have a share, or all have prices of their own")
        if not own:
            if any(share is None for share in shared):
                raise ValueError("payers: each needs a share or prices of its own")
            total = sum(share or 0.0 for share in shared)
            if abs(total - 1.0) > 1e-9:
                raise ValueError(f"payers: shares must sum to 1, they sum to {total:g}")
        if own and self.prices:
            raise ValueError("prices: leave out where every payer has prices of its own")
        if self.effect is not None and (self.prices or own):
            raise ValueError("effect: leave prices out where the effect is paid for")
        if self.effect is None and not self.prices and not own and self.savings is None:
            raise ValueError("prices: no price, no effect payment and no payment out of savings")
        if self.collar is not None and self.collar[0] > self.collar[1]:
            raise ValueError("collar: the least is above the most")
        for role, payer in self.payers.items():
            if payer.leaves is not None and payer.leaves < payer.joins:
                raise ValueError(f"payers.{role}.leaves is before joins")
        return self

    @property
    def total_prices(self) -> dict[str, float]:
        """What all payers together pay for one outcome, by line."""
        if self.prices:
            return dict(self.prices)
        total: dict[str, float] = {}
        for payer in self.payers.values():
            for line, price in (payer.prices or {}).items():
                total[line] = total.get(line, 0.0) + price
        return total

    @property
    def needs_classes(self) -> bool:
        """Whether the cap per person can bind, so that people must be counted by what they achieved."""
        return self.cap_per_person is not None and sum(self.total_prices.values()) > self.cap_per_person


def longest_lag(tariff: Tariff) -> int:
    """Quarters from the slowest claim to the end of its payment, clawback and verified savings included."""
    further = tariff.delayed.quarters if tariff.delayed else 0
    back = tariff.clawback.after if tariff.clawback else 0
    saved = tariff.savings.verification_lag if tariff.savings else 0
    return max(saved, max(payer.payment_lag for payer in tariff.payers.values()) + further + back)
