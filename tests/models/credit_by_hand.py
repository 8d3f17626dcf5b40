"""The credit line again, from its term sheet, one path at a time.

Plain floats, loops and dictionaries, in the order of ``docs/structures/credit-line.md``; what the page takes
from the bond's is ``Contract`` of ``sib_by_hand.py``. Nothing of the package is used but its terms and its
random numbers. Who reads this needs the page beside it and no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.instruments.credit_line import CreditLine
from socialfinance.instruments.tariff import Tariff
from socialfinance.programmes.people import Programme
from tests.models.sib_by_hand import Books, Contract, Draws, Plan

PAYMENTS_A_YEAR = {"annual effective": 1, "nominal half-yearly": 2, "nominal quarterly": 4}


@dataclass
class Figures:
    """What the deal's own figures are."""

    peak_loan: float = 0.0
    bank_lost: float = 0.0
    provider_failed: float = 0.0
    provider_gain: float = 0.0
    people_cut_short: float = 0.0
    people_turned_away: float = 0.0
    stepped_in: float = 0.0
    paid_in: float = 0.0


class Agreed:
    """The terms as ``Contract`` asks for them: nothing is deferred, nothing drawn ahead."""

    provider_at_risk = 0.0
    draw_ahead = 0

    def __init__(self, line: CreditLine) -> None:
        self.reserve_quarters, self.termination, self.review = (
            line.reserve_quarters,
            line.termination,
            line.review,
        )


class Line(Contract):
    """The provider, its bank and whoever comes after it, on one path."""

    def __init__(
        self, programme: Programme, tariff: Tariff, line: CreditLine, draws: Draws, plan: Plan, **more: Any
    ) -> None:
        super().__init__(programme, tariff, Agreed(line), draws, plan, **more)
        self.agreed = line
        self.line = self.charges = self.paid_in = 0.0
        self.failed = self.closed = self.another_delivers = False
        self.unpaid_for = 0
        """rows in a row with anything unpaid"""
        self.failed_in = -1
        self.compensation = 0.0
        self.continuing = 1.0
        self.figures = Figures()

    # small words

    def uses(self, name: str) -> bool:
        """Cost lines of the provider."""
        basis = self.programme.costs[name].basis
        return basis == "any" or (basis == "vehicle" and self.agreed.vehicle_costs)

    def rate(self) -> float:
        """The rate a quarter: (1 + r/n)^(n/4) - 1."""
        n = PAYMENTS_A_YEAR[self.agreed.rate.basis or "nominal half-yearly"]
        return (1.0 + self.agreed.rate.nominal() / n) ** (n / 4.0) - 1.0

    def pay(self, t: int, payer: str, payee: str, reason: str, amount: float) -> None:
        """As for any contract; and what the provider has, its cost included."""
        super().pay(t, payer, payee, reason, amount)
        self.figures.provider_gain += amount * ((payee == "provider") - (payer == "provider"))

    def taken_over(self, t: int) -> bool:
        """Whether another provider delivers in this row."""
        step_in = self.agreed.step_in
        return step_in is not None and self.failed_in >= 0 and t > self.failed_in + step_in.after_quarters

    # the row

    def row(self, t: int) -> None:
        """One row, in the order of the page."""
        ran_before = self.running
        owed = self.income_and_bill(t)
        fee = self.add_charges(t, ran_before)
        self.find_money(t, owed)
        unpaid = self.pay_bank_and_bill(t, owed, fee)
        cause = self.how_it_stands(t, unpaid)
        self.repay_line(t)
        self.close_line(t)
        self.distribute(t)
        self.count_people(t, cause)
        self.close(t, cause)

    def income_and_bill(self, t: int) -> dict[str, float]:
        """The programme, and steps 1 to 6."""
        self.people.row(t, self.scale, self.performance, self.continuing)
        cost = {name: self.people.cost(name, t, self.delivery) for name in self.programme.costs}
        self.spend_outside_and_save(t, cost)
        self.another_delivers = self.taken_over(t)
        if self.another_delivers:
            self.commissioner_pays(t, cost)
            cost = dict.fromkeys(cost, 0.0)
        self.claims(t)
        owed_by_agencies = self.savings_payments(t)
        self.minimum_referrals(t)
        self.emergency_support(t)
        self.cost_outside_the_cap(t, cost)
        self.cash_in(t, owed_by_agencies)
        return self.the_bill(t, cost)

    def claims_open(self) -> bool:
        """As for any contract, and not under another provider."""
        return super().claims_open() and not self.another_delivers

    def commissioner_pays(self, t: int, cost: Mapping[str, float]) -> None:
        """Step 14: what stepping in costs once, and the cost lines."""
        step_in = self.agreed.step_in
        assert step_in is not None
        if t == self.failed_in + step_in.after_quarters + 1:
            self.pay(t, "commissioner", "outside", "other cost", step_in.cost)
            self.figures.stepped_in = 1.0
        for name, line in self.programme.costs.items():
            if self.uses(name):
                self.pay(t, "commissioner", line.paid_to, "service payment", cost[name])

    # 7. charges

    def add_charges(self, t: int, ran_before: bool) -> float:
        """Step 7: the fee of this row."""
        self.charges += (self.line + self.charges) * self.rate()
        fee = 0.0
        if not self.is_the_plan:
            if t == 0:
                fee = self.agreed.arrangement_fee * self.commitment
            elif ran_before and not self.closed and not self.failed:
                quarterly = (1.0 + self.agreed.non_utilisation_fee) ** 0.25 - 1.0
                fee = quarterly * max(0.0, self.commitment - self.line)
        self.charges += fee
        return fee

    # 8. where the money comes from

    def find_money(self, t: int, owed: Mapping[str, float]) -> None:
        """Step 8."""
        if self.failed:
            return
        bill = sum(owed.values())
        short_of_bill = max(0.0, bill - self.cash)
        need = max(0.0, bill + self.charges - self.cash)
        own = min(short_of_bill, max(0.0, self.agreed.buffer - self.paid_in))
        drawn = min(need - own, self.room(t))
        drawn = drawn if drawn > HALF_A_PENNY else 0.0
        own += min(max(0.0, need - own - drawn), max(0.0, self.agreed.buffer - self.paid_in - own))
        own = own if own > HALF_A_PENNY else 0.0
        self.pay(t, "provider", "vehicle", "drawdown", own)
        self.pay(t, "investor", "vehicle", "drawdown", drawn)
        self.paid_in += own
        self.line += drawn
        self.drawn += drawn
        self.figures.peak_loan = max(self.figures.peak_loan, self.line)

    def room(self, t: int) -> float:
        """What the line may still pay."""
        if self.closed:
            return 0.0
        covenant, claimed = self.agreed.covenant, sum(self.results[: t + 1])
        tested = covenant is not None and not self.is_the_plan and t >= covenant.from_quarter
        if tested and covenant is not None and self.line > covenant.most_drawn * claimed:
            return 0.0
        return max(0.0, self.commitment - self.line)

    # 9. paying

    def pay_bank_and_bill(self, t: int, owed: Mapping[str, float], fee: float) -> float:
        """Step 9: what is unpaid."""
        if self.failed:
            cash = min(max(0.0, self.cash), self.charges + self.line)
            cash = cash if cash > HALF_A_PENNY else 0.0
            to_charges = min(cash, self.charges)
            to_line = min(cash - to_charges, self.line)
            self.pay_charges(t, to_charges, fee)
            self.pay(t, "vehicle", "investor", "principal", to_line)
            self.line -= to_line
            self.pay_the_bill(t, owed)
            return sum(self.arrears.values())
        self.pay_the_bill(t, owed)
        to_charges = min(max(0.0, self.cash), self.charges)
        self.pay_charges(t, to_charges if to_charges > HALF_A_PENNY else 0.0, fee)
        return sum(self.arrears.values()) + self.charges

    def pay_charges(self, t: int, amount: float, fee: float) -> None:
        """Fees of this row first, then interest and what was unpaid before."""
        name = "arrangement fee" if t == 0 else "commitment fee"
        self.pay(t, "vehicle", "investor", name, min(amount, fee))
        self.pay(t, "vehicle", "investor", "interest", amount - min(amount, fee))
        self.charges = max(0.0, self.charges - amount)

    # 10. early end

    def how_it_stands(self, t: int, unpaid: float) -> str:
        """Step 10."""
        self.books.worst_arrears = max(self.books.worst_arrears, unpaid)
        self.unpaid_for = self.unpaid_for + 1 if unpaid > HALF_A_PENNY else 0
        self.rows_in_arrears = self.unpaid_for
        cause = self.early_end(t)
        self.note_the_end(t, cause)
        if cause:
            self.compensation = getattr(self.agreed.termination.compensation, cause)
        if cause == "insolvency":
            self.failed, self.failed_in = True, t
        return cause

    # 11, 12 and 13. the line and the provider's money

    def repay_line(self, t: int) -> None:
        """Step 11."""
        kept = 0.0 if self.settled(t) else self.clawback_to_come(t)
        repaid = min(self.line, max(0.0, self.cash - kept))
        repaid = repaid if repaid > HALF_A_PENNY else 0.0
        self.pay(t, "vehicle", "investor", "principal", repaid)
        self.line -= repaid

    def over(self, t: int) -> bool:
        """Whether everything planned is over, and paid."""
        tariff, further = self.tariff, self.tariff.delayed.quarters if self.tariff.delayed else 0
        back = tariff.clawback.after if tariff.clawback else 0
        longest = max(payer.payment_lag for payer in tariff.payers.values()) + further + back
        longest = max(longest, tariff.savings.verification_lag if tariff.savings else 0)
        return not self.anything_planned(t - longest + 1)

    def close_line(self, t: int) -> None:
        """Step 12."""
        if self.closed or not (self.over(t) or self.settled(t)):
            return
        self.closed = True
        owed = self.line + self.charges
        promised = min(owed, self.compensation * self.line)
        for role, part in self.split().items():
            self.pay(t, role, "investor", "termination compensation", promised * part)
        owed = max(0.0, owed - promised)
        if not self.failed:
            own = min(owed, max(0.0, self.agreed.buffer - self.paid_in))
            self.pay(t, "provider", "vehicle", "drawdown", own)
            to_charges = min(own, self.charges)
            self.pay(t, "vehicle", "investor", "interest", to_charges)
            self.pay(t, "vehicle", "investor", "principal", own - to_charges)
            self.paid_in += own
            owed -= own
        if owed > HALF_A_PENNY:
            self.pay(t, "provider", "investor", "recovery", self.agreed.recovery * owed)
            self.figures.bank_lost += owed * (1.0 - self.agreed.recovery)
            self.failed = True
        self.line = self.charges = 0.0

    def distribute(self, t: int) -> None:
        """Step 13."""
        if self.line + self.charges > HALF_A_PENNY:
            return
        spare = self.spare(t)
        back = min(spare, self.paid_in)
        self.pay(t, "vehicle", "provider", "capital returned", back)
        self.pay(t, "vehicle", "provider", "surplus share", spare - back)
        self.paid_in -= back

    # 14. orders

    def orders_for_the_next_row(self, t: int, cause: str) -> None:
        """Step 14."""
        super().orders_for_the_next_row(t, cause)
        if self.failed_in < 0:
            return
        if self.taken_over(t + 1):
            assert self.agreed.step_in is not None
            self.scale = self.delivery = self.continuing = 1.0
            self.performance = self.agreed.step_in.performance
        else:
            self.scale = self.delivery = 0.0
            self.performance = self.continuing = self.agreed.left_without_service

    def count_people(self, t: int, cause: str) -> None:
        """People left behind, and turned away."""
        if self.failed_in >= 0 and t > self.failed_in:
            self.figures.people_turned_away += self.people.offered[t] - self.people.referred[t]
        if cause == "insolvency":
            ways = [self.people.quarters_to(name) for name in self.programme.outcomes]
            last = len(self.programme.referrals.planned)
            longest = max([last + way for way in ways], default=last) - last
            self.figures.people_cut_short = sum(
                self.people.starts[s] for s in range(max(0, t - max(longest, 1) + 1), t + 1)
            )

    def run(self) -> Books:
        """All rows, and the figures."""
        books = super().run()
        self.figures.provider_failed = float(self.failed)
        self.figures.paid_in = self.paid_in
        return books


def plan_case(programme: Programme, tariff: Tariff, line: CreditLine, draws: Draws) -> tuple[Plan, float]:
    """The plan by row from the plan's draws, and the limit in pounds: without one, and nothing ends early."""
    starts = [draws.referrals[t] * draws.engagement[t] for t in range(draws.rows)]
    deadweight = {name: draws.deadweight[name][0] for name in programme.outcomes}
    unknown = Plan(starts, deadweight, [0.0] * draws.rows, worth=[1.0] * draws.rows)
    first = Line(programme, tariff, line, draws, unknown, is_the_plan=True).run()
    plan = Plan(starts, deadweight, first.bill, worth=first.worth)
    again = Line(programme, tariff, line, draws, plan, is_the_plan=True)
    books = again.run()
    plan.results, plan.worth = books.results, books.worth
    limit = line.limit.amount
    if limit is None:
        limit = (line.limit.peak_need or 0.0) * again.figures.peak_loan
    return plan, limit


def credit_by_hand(
    programme: Programme,
    tariff: Tariff,
    line: CreditLine,
    plan_draws: Draws,
    draws: Draws,
    variation: bool = False,
) -> tuple[Books, Figures]:
    """Every payment of one path, worked from the page."""
    plan, limit = plan_case(programme, tariff, line, plan_draws)
    model = Line(programme, tariff, line, draws, plan, variation=variation, commitment=limit)
    return model.run(), model.figures
