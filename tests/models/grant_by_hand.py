"""The grant again, from its term sheet, one path at a time.

Plain floats, loops and dictionaries, in the order of ``docs/structures/grant.md``; what the page takes from
the bond's is ``Contract`` of ``sib_by_hand.py``. Nothing of the package is used but its terms and its random
numbers. Who reads this needs the page beside it and no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.instruments.grant import Grant
from socialfinance.instruments.tariff import Tariff
from socialfinance.programmes.people import Programme
from tests.models.sib_by_hand import Books, Contract, Draws, Plan


@dataclass
class Figures:
    """What the deal's own figures are."""

    granted: float = 0.0
    returned: float = 0.0
    carried: float = 0.0
    most_carried: float = 0.0
    impact: float = 0.0


class Agreed:
    """The terms as ``Contract`` asks for them."""

    provider_at_risk = 0.0
    reserve_quarters = draw_ahead = 0
    review = None

    def __init__(self, grant: Grant) -> None:
        self.termination = grant.termination


class Given(Contract):
    """The funder and its grantees on one path; without a tariff nobody pays for outcomes."""

    def __init__(
        self,
        programme: Programme,
        tariff: Tariff | None,
        grant: Grant,
        draws: Draws,
        plan: Plan,
        planned: dict[str, list[float]],
        **more: Any,
    ) -> None:
        nobody = Tariff.model_validate({"payers": {"nobody": {"prices": {}}}, "tail": 0})
        super().__init__(programme, tariff or nobody, Agreed(grant), draws, plan, **more)
        self.grant, self.has_tariff = grant, tariff is not None
        self.planned = planned
        """by line: outcomes of the plan case, by row"""
        self.paid: set[str] = set()
        self.was_settled = False
        self.figures = Figures()

    def uses(self, name: str) -> bool:
        """Cost lines of the grantees."""
        return self.programme.costs[name].basis == "any"

    def cost_outside_the_cap(self, t: int, cost: Any) -> None:
        """Reimbursed only where there is somebody who has agreed to."""
        if self.has_tariff:
            super().cost_outside_the_cap(t, cost)

    def row(self, t: int) -> None:
        """One row, in the order of the page."""
        ran_before = self.running
        owed = self.income_and_bill(t)
        self.instalments(t, ran_before)
        self.pay_the_bill(t, owed)
        self.figures.carried = sum(self.arrears.values())
        self.figures.most_carried = max(self.figures.most_carried, self.figures.carried)
        self.rows_in_arrears = 0
        cause = self.early_end(t)
        self.note_the_end(t, cause)
        self.what_is_left(t)
        self.follow(t)
        self.close(t, cause)

    def over(self, t: int) -> bool:
        """Whether everything planned is over, and paid."""
        if not self.has_tariff:
            return not self.anything_planned(t + 1)
        tariff, further = self.tariff, self.tariff.delayed.quarters if self.tariff.delayed else 0
        back = tariff.clawback.after if tariff.clawback else 0
        longest = max(payer.payment_lag for payer in tariff.payers.values()) + further + back
        longest = max(longest, tariff.savings.verification_lag if tariff.savings else 0)
        return not self.anything_planned(t - longest + 1)

    def settled(self, t: int) -> bool:
        """As for any contract; without a tariff there is nothing to wait for but the wind-down."""
        if self.has_tariff or self.running or t == self.rows - 1:
            return super().settled(t)
        return self.since >= self.terms.termination.wind_down_quarters

    # 7 and 8. instalments

    def instalments(self, t: int, ran_before: bool) -> None:
        """Steps 7 and 8."""
        for name, one in self.grant.instalments.items():
            if name in self.paid or t < one.from_quarter or not ran_before or self.over(t):
                continue
            if one.milestone is not None:
                so_far = sum(self.people.achieved[one.milestone.line][: t + 1])
                planned = sum(self.planned[one.milestone.line][: t + 1])
                if (so_far / planned if planned > 0.0 else 1.0) < one.milestone.of_plan - 1e-12:
                    continue
            self.paid.add(name)
            amount = one.share * self.grant.amount
            self.figures.granted += amount
            self.pay(t, "investor", "vehicle", "grant", amount)
            self.pay(t, "vehicle", "provider", "grant", amount * self.grant.overheads)
            self.pay(t, "provider", "outside", "other cost", amount * self.grant.overheads)

    # 11 and 12

    def what_is_left(self, t: int) -> None:
        """Step 11."""
        if not (self.over(t) or self.settled(t)):
            return
        cash = max(0.0, self.cash)
        unspent = min(
            cash, max(0.0, (1.0 - self.grant.overheads) * self.figures.granted - self.figures.returned)
        )
        returned = self.grant.clawback * unspent
        returned = returned if returned > HALF_A_PENNY else 0.0
        self.pay(t, "vehicle", "investor", "clawback", returned)
        self.pay(t, "vehicle", "provider", "surplus share", cash - returned)
        self.figures.returned += returned

    def follow(self, t: int) -> None:
        """Step 12, and the shared impact."""
        terms = self.grant.monitoring
        if terms is not None and terms.first_quarter <= t <= terms.last_quarter and not self.was_settled:
            self.pay(t, "investor", "outside", "other cost", terms.per_quarter)
        self.was_settled = self.was_settled or self.settled(t)
        if self.grant.impact is not None:
            share, line = self.grant.impact.share, self.grant.impact.line
            self.figures.impact += share * self.people.achieved[line][t]


def grant_by_hand(
    programme: Programme, tariff: Tariff | None, grant: Grant, plan_draws: Draws, draws: Draws
) -> tuple[Books, Figures]:
    """Every payment of one path, worked from the page."""
    starts = [plan_draws.referrals[t] * plan_draws.engagement[t] for t in range(plan_draws.rows)]
    deadweight = {name: plan_draws.deadweight[name][0] for name in programme.outcomes}
    nothing = {name: [0.0] * plan_draws.rows for name in programme.outcomes}
    unknown = Plan(starts, deadweight, [0.0] * plan_draws.rows, worth=[1.0] * plan_draws.rows)
    first = Given(programme, tariff, grant, plan_draws, unknown, nothing, is_the_plan=True)
    books = first.run()
    plan = Plan(starts, deadweight, books.bill, books.results, books.worth)
    model = Given(programme, tariff, grant, draws, plan, first.people.achieved)
    return model.run(), model.figures
