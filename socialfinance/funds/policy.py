"""Payment for success: each year review what works worst, and put the money into what works best."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from socialfinance.core.terms import Name, Quarters, Share, Sourced


class Mitigation(Sourced):
    """What saves a programme that a review finds among the worst."""

    new_for: Quarters = 6
    """quarters from its first start for which it is too young to be judged; it is not ranked either"""
    improving_by: Annotated[float, Field(ge=0, le=5)] | None = 0.1
    """lead indicator: its measured value per pound over the last year is above that of its whole life so far
    by this share; none: no mitigation"""


class Growth(Sourced):
    """What limits reinvestment in the best."""

    per_review: Annotated[float, Field(ge=0, le=5)] = 0.25
    """the most that new starts grow by at one review, of those agreed at first"""
    most: Annotated[float, Field(ge=1, le=10)] = 1.5
    """the most that new starts can ever be of those agreed at first: capacity"""
    consent: Share = 1.0
    """the chance that the payers agree to raise their caps in proportion; without it nothing is reinvested
    there"""
    diminishing: Annotated[float, Field(ge=0, le=5)] = 0.0
    """outcome probabilities fall by this for each whole of growth: 0.2 takes 10% off at 50% more starts"""


class Policy(Sourced):
    """Payment for success as a rule of the fund.

    Every ``every`` quarters the fund ranks the programmes that are old enough and still have starts ahead
    by measured value per pound. The nearest whole number to ``cut`` of them, the worst, are cut unless
    something mitigates: new starts go on through the notice, fall evenly to nil over the taper, people who
    have started are seen out, and then the fund leaves the contract, pays for the winding down, and has no
    compensation. What the plan would still have spent on the starts that fall away is put into the nearest
    whole number to ``reinvest`` of them, the best, as far as growth is limited. Only the fund's money
    moves: payers raise their caps only where they consent.

    Measured value per pound = planned value per pound over the life x (value so far / planned so far) / (cost
    so far / planned so far) x (1 + error x z / sqrt(people started / 100)), z standard normal; value =
    outcomes achieved at the tariff's prices x (1 - deadweight).
    """

    cut: Share
    """of programmes at each review, those with the least"""
    reinvest: Share = 0.2
    """of programmes at each review, those with the most"""
    first_review: Annotated[int, Field(ge=1, le=400)] = 8
    """quarter of the first review"""
    every: Annotated[int, Field(ge=1, le=40)] = 4
    """quarters between reviews"""
    last_review: Annotated[int, Field(ge=1, le=400)] | None = None
    notice: Quarters = 2
    """quarters between the review and the first fall in new starts"""
    taper: Quarters = 2
    """quarters over which new starts fall to nil; 0 stops them at once"""
    see_out: Quarters = 4
    """quarters after the last start in which people who have started are seen through at full fixed cost"""
    wind_down: Annotated[float, Field(ge=0, le=8)] = 0.5
    """what the fund pays the provider for winding down, in quarters of planned cost"""
    error: Annotated[float, Field(ge=0, le=5)] = 0.15
    """sd of the error of measured value, a fraction, at 100 people; it falls with the root of the cohort"""
    growth: Growth = Field(default_factory=Growth)
    mitigation: Mitigation = Field(default_factory=Mitigation)
    learning: Annotated[float, Field(ge=0, le=1)] = 0.0
    """an assumption, nil unless you make it: outcome probabilities rise by this each year under the policy"""
    deals: tuple[Name, ...] | None = None
    """those under the policy; none: every people's programme the fund holds that is paid by a tariff"""
