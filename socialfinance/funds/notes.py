"""What a fund owes its investors: notes in order of rank, and the rules by which cash reaches them."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from socialfinance.core.parties import Filled
from socialfinance.core.terms import AnnualRate, Name, Pounds, Quarters, Share, Sourced

Coupon = Annotated[float, Field(ge=0, le=1, description="fraction a year, annual effective")]


class Fixed(Sourced):
    """A rate agreed at close."""

    basis: Literal["fixed"]
    annual: Coupon
    """annual effective"""


class OverPwlb(Sourced):
    """A margin over the PWLB certainty rate at close, maturity loan of this term, both annual effective."""

    basis: Literal["over-pwlb"]
    margin: Annotated[float, Field(ge=-0.05, le=0.5)]
    term_years: Annotated[int, Field(ge=1, le=50)] = 10


class Performance(Sourced):
    """A base rate, and up to ``extra`` on top as the fund's receipts come near those of the plan.

    rate = annual + extra x min(1, max(0, (receipts / planned receipts so far - nothing_at) / (all_at -
    nothing_at))); before anything is planned to come back, the base.
    """

    basis: Literal["performance"]
    annual: Coupon
    """annual effective"""
    extra: Coupon
    """annual effective"""
    nothing_at: Annotated[float, Field(ge=0, le=5)] = 0.7
    all_at: Annotated[float, Field(gt=0, le=5)] = 1.0

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if self.all_at <= self.nothing_at:
            raise ValueError(f"all_at: must be above nothing_at ({self.nothing_at:g}), it is {self.all_at:g}")
        return self


class Residual(Sourced):
    """No rate: what is left once every other note has been repaid, up to a return if there is a cap."""

    basis: Literal["residual"]
    cap: AnnualRate | None = None
    """the most it earns, IRR a year; what is over goes to the next rank, then to the community"""


class Granted(Sourced):
    """A first-loss grant: drawn like a note, and nothing comes back."""

    basis: Literal["grant"]


Rate = Annotated[Fixed | OverPwlb | Performance | Residual | Granted, Field(discriminator="basis")]


class Redemption(Sourced):
    """Windows in which holders may ask for their money back at par, from money kept for it."""

    every: Annotated[int, Field(ge=1, le=40)]
    """quarters between windows"""
    first: Annotated[int, Field(ge=1, le=400)] = 4
    """quarter of the first"""
    asked_for: Share
    """share of the balance that holders ask for in a window"""
    kept: Share
    """share of the balance that the fund keeps in cash for it"""


class Retail(Sourced):
    """Terms of a note that is sold to the public in small pieces."""

    denomination: Annotated[float, Field(gt=0, le=1e6)] = 500.0
    """the least that can be bought, pounds"""
    wrapper: Literal["none", "stocks and shares isa", "innovative finance isa"] = "none"
    """the ISA it is meant to be held in"""
    listed: bool = False
    """whether it is listed on a recognised stock exchange"""
    redemption: Redemption | None = None


class Note(Sourced):
    """One note: who holds it, how much, in which order it is paid, and at what rate."""

    title: str | None = None
    holder: Filled
    """a party, or several with shares"""
    commitment: Annotated[float, Field(gt=0, le=1e12, description="pounds, or the file's currency")]
    rank: Annotated[int, Field(ge=1, le=20)]
    """1 is paid first; notes of one rank share by what they are owed"""
    rate: Rate
    deferrable: bool = False
    """whether interest may be put off; where it may not, interest that is not paid is missed"""
    compounds: bool = True
    """whether interest that was not paid bears interest"""
    undrawn_fee: Coupon = 0.0
    """paid on the commitment that is not drawn, annual effective"""
    repay_by: date | None = None
    """the date by which it should be repaid: nothing happens then, but the chance that it is not is
    reported"""
    retail: Retail | None = None

    @property
    def repayable(self) -> bool:
        """Whether there is a balance that is repaid before what is left is shared out."""
        return not isinstance(self.rate, Residual | Granted)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not self.repayable and self.undrawn_fee > 0:
            raise ValueError(f"undrawn_fee: a {self.rate.basis} note earns none")
        if not self.repayable and self.retail is not None and self.retail.redemption is not None:
            raise ValueError(f"retail.redemption: a {self.rate.basis} note has no balance to redeem at par")
        if not self.repayable and self.deferrable:
            raise ValueError(f"deferrable: a {self.rate.basis} note has no interest")
        if isinstance(self.rate, Granted) and self.repay_by is not None:
            raise ValueError("repay_by: a grant is not repaid")
        return self


class CoverTest(Sourced):
    """A test that trips the waterfall's trigger when it fails.

    interest cover: what came in over the last ``window`` quarters / interest that fell due on the protected
    notes over them. asset cover: (deals at the lower of cost and forecast + cash) / (balance and interest
    owed on the protected notes). Nothing due or owed passes.
    """

    kind: Literal["interest", "assets"]
    at_least: Annotated[float, Field(gt=0, le=20)]
    first_quarter: Annotated[int, Field(ge=0, le=400)] = 1
    window: Annotated[int, Field(ge=1, le=12)] = 4
    """quarters looked at by an interest test"""


class Trigger(Sourced):
    """While any test fails, notes below the protected ranks are locked up; principal goes in rank order."""

    protects: Annotated[int, Field(ge=1, le=20)] = 1
    """ranks 1 to this are protected"""
    tests: dict[Name, CoverTest] = Field(min_length=1)
    curable: bool = True
    cure_quarters: Annotated[int, Field(ge=1, le=40)] = 2
    """quarters in a row in which all tests must pass before the lock-up ends"""


class Waterfall(Sourced):
    """How principal is shared among notes that are repayable."""

    principal: Literal["sequential", "pro-rata"] = "sequential"
    """sequential: rank after rank; pro-rata: by balance, until a trigger is on"""
    trigger: Trigger | None = None


class Reserve(Sourced):
    """Cash kept back for running costs and for interest that must be paid."""

    target: Pounds = 0.0
    interest_quarters: Annotated[int, Field(ge=0, le=20)] = 0
    """and as many quarters of interest on notes that may not defer"""
    from_calls: bool = False
    """filled by calling notes; otherwise out of what deals bring in"""


class RunningCosts(Sourced):
    """What it costs to run the fund: a budget, not a share of profit."""

    per_year: Pounds = 0.0
    set_up: Pounds = 0.0
    """once, at close"""
    until_quarter: Quarters | None = None
    """the last quarter with costs; none: the horizon of the file"""
    index: Name | None = None
    """how the budget grows; none: it does not"""
    paid_to: Name = "manager"
    """a party, or ``manager``"""


class Calls(Sourced):
    """How money is called from the notes."""

    notice_quarters: Annotated[int, Field(ge=0, le=4)] = 0
    """quarters between a call and the money; calls then follow the plan, and deals wait where it was short"""
    order: Literal["together", "last rank first"] = "together"
    """together: in proportion to commitments, so that the cover below each note stays what it was at close"""


class Carry(Sourced):
    """A manager's share of profit, on what residual notes would otherwise have."""

    style: Literal["european", "american"] = "european"
    """european: once the whole fund has earned the preferred return; american: deal by deal, and what was too
    much is paid back at the end"""
    preferred: AnnualRate = 0.08
    share: Annotated[float, Field(gt=0, lt=1)] = 0.2
    catch_up: Share = 1.0
    """share of cash after the preferred return that goes to the manager until it has its share of profit"""
    to: Name = "manager"


class Benchmark(Sourced):
    """A total-return index against which the fund's flows are held, such as one of gilts."""

    title: str
    annual: Annotated[tuple[Annotated[float, Field(gt=-0.9, le=2)], ...], Field(min_length=1)]
    """return a year, one for each year from the start; the last goes on"""


class Recycling(Sourced):
    """What comes back in the investment period and may be put into deals again."""

    limit: Annotated[float, Field(ge=0, le=5)] = 0.0
    """of all commitments, over the life"""
    until_quarter: Quarters = 0
    """the end of the investment period"""
