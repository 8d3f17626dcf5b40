"""In-house delivery again, from its term sheets, one path at a time.

Plain floats, loops and dictionaries, in the order of ``docs/structures/in-house.md``; people are those of
``sib_by_hand.py``. Every advance is a loan of its own with its own schedule. Nothing of the package is used
but its terms, its table of PWLB rates and its random numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.instruments.in_house import FeeForService, PwlbLoan
from socialfinance.instruments.pwlb_loan import Borrowing
from socialfinance.markets import pwlb
from socialfinance.programmes.people import Programme
from tests.models.sib_by_hand import NO_LIMIT, Draws, Entry, People, Plan

SHORTEST = {"maturity": 1, "eip": 2, "annuity": 2}


@dataclass
class Loan:
    """One advance: what falls due k half-years after it."""

    row: int
    due: dict[int, tuple[float, float]]
    """by row: principal and interest"""

    @classmethod
    def of(cls, row: int, amount: float, rate: float, years: int, method: str) -> Loan:
        """The schedule of a method at half the rate a half-year."""
        n, i, owed, due = 2 * years, rate / 2.0, amount, {}
        for k in range(1, n + 1):
            interest = owed * i
            if method == "maturity":
                principal = amount if k == n else 0.0
            elif method == "eip":
                principal = amount / n
            else:
                level = amount / n if i == 0.0 else amount * i / (1.0 - (1.0 + i) ** -n)
                principal = level - interest
            due[row + 2 * k] = (principal, interest)
            owed -= principal
        return cls(row, due)


@dataclass
class Figures:
    """What the deal's own figures are."""

    loan_owed_at_end: float = 0.0
    out_at_most: float = 0.0
    short_at_end: float = 0.0
    forgone: float = 0.0
    used: float = 0.0


@dataclass
class InHouse:
    """The council's own delivery on one path."""

    programme: Programme
    terms: FeeForService | PwlbLoan
    draws: Draws
    plan: Plan
    dates: Sequence[date]
    planned_cost: Sequence[dict[str, float]] = ()
    """of the plan case, by row and cost line"""
    journal: list[Entry] = field(default_factory=list)
    figures: Figures = field(default_factory=Figures)
    loans: list[Loan] = field(default_factory=list)
    out: float = 0.0
    interest_owed: float = 0.0
    borrowed: float = 0.0

    def pay(self, t: int, payer: str, payee: str, reason: str, amount: float) -> None:
        """Write a payment in the journal."""
        assert amount >= -1e-9, (t, payer, payee, reason, amount)
        if amount != 0.0:
            self.journal.append(Entry(t, payer, payee, reason, amount))

    def counts(self, name: str) -> bool:
        """Whether a cost line is the council's."""
        left_out = "vehicle" if self.terms.cost_base == "own" else "in house"
        return self.programme.costs[name].basis != left_out

    def run(self) -> InHouse:
        """All rows."""
        self.people = People(self.programme, self.draws, self.plan, False)
        for t in range(self.draws.rows):
            self.row(t)
        self.figures.short_at_end = self.out + self.interest_owed
        self.figures.used = self.out
        self.figures.loan_owed_at_end = sum(
            principal
            for loan in self.loans
            for when, (principal, _) in loan.due.items()
            if when >= self.draws.rows
        )
        return self

    def row(self, t: int) -> None:
        """One row, in the order of the page."""
        self.people.row(t, 1.0, 1.0)
        cost = {name: self.people.cost(name, t, 1.0) for name in self.programme.costs if self.counts(name)}
        saved = {name: self.people.saving(name, t) for name in self.programme.savings}
        for name, saving in self.programme.savings.items():
            cash, memo = saved[name] * saving.cashable, saved[name] * (1.0 - saving.cashable)
            self.pay(t, "outside", saving.agency, "saving", max(0.0, cash))
            self.pay(t, "outside", saving.agency, "non-cashable saving", max(0.0, memo))
            self.pay(t, saving.agency, "outside", "extra cost", max(0.0, -cash))
            self.pay(t, saving.agency, "outside", "non-cashable extra cost", max(0.0, -memo))
        self.give_back(t, saved)
        for name, amount in cost.items():
            line = self.programme.costs[name]
            self.pay(t, "commissioner", line.paid_to, "service payment", amount)
            self.pay(t, line.paid_to, "outside", line.reason, amount)
        self.take(t, sum(cost.values()))
        self.serve_loans(t)
        self.draw_loans(t, cost)

    # 1 and 3. a reserve, or receipts

    def give_back(self, t: int, saved: dict[str, float]) -> None:
        """Step 1."""
        reserve = getattr(self.terms, "reserve", None)
        if reserve is None:
            return
        accrued = (self.out + self.interest_owed) * ((1.0 + reserve.interest_forgone) ** 0.25 - 1.0)
        self.figures.forgone += accrued
        self.interest_owed += accrued
        money = reserve.share * sum(
            max(0.0, saved[name] * saving.cashable)
            for name, saving in self.programme.savings.items()
            if saving.agency == reserve.repaid_by
        )
        interest = min(money, self.interest_owed)
        principal = min(money - interest, self.out)
        self.pay(t, reserve.repaid_by, "reserve", "interest", interest)
        self.pay(t, reserve.repaid_by, "reserve", "principal", principal)
        self.interest_owed -= interest
        self.out -= principal

    def take(self, t: int, cost: float) -> None:
        """Step 3."""
        terms, pot, limit = self.terms, "", 0.0
        if isinstance(terms, FeeForService) and terms.reserve is not None:
            pot, limit = "reserve", NO_LIMIT if terms.reserve.amount is None else terms.reserve.amount
        elif isinstance(terms, FeeForService) and terms.receipts is not None:
            available, until = terms.receipts.available, terms.receipts.until
            pot, limit = "capital receipts", NO_LIMIT if available is None else available
            limit = limit if self.dates[t] <= until else 0.0
        if pot:
            taken = max(0.0, min(cost, limit - self.out))
            self.pay(t, pot, "commissioner", "drawdown", taken)
            self.out += taken
            self.figures.out_at_most = max(self.figures.out_at_most, self.out)

    # 4 and 5. loans

    @property
    def loan(self) -> Borrowing | None:
        """The terms of its loans."""
        return self.terms if isinstance(self.terms, PwlbLoan) else self.terms.direction

    def pays_for(self, name: str) -> bool:
        """Whether loans are drawn for a cost line."""
        lines = self.terms.lines if isinstance(self.terms, PwlbLoan) else None
        return self.counts(name) and (lines is None or name in lines)

    def planned(self, t: int) -> float:
        """The plan's cost of what loans pay for."""
        if t >= len(self.planned_cost):
            return 0.0
        return sum(amount for name, amount in self.planned_cost[t].items() if self.pays_for(name))

    def by_year(self) -> bool:
        """Whether planned cost is borrowed a year ahead."""
        return isinstance(self.terms, PwlbLoan) and self.terms.draws == "planned year"

    def planned_advance(self, t: int) -> float:
        """Step 4, by planned year."""
        last = self.draws.rows - 1
        if t % 4 or t >= last:
            return 0.0
        return sum(self.planned(s) for s in range(t + 1, t + 5)) + (self.planned(0) if t == 0 else 0.0)

    def years(self) -> int:
        """The term of each advance."""
        assert self.loan is not None
        if self.loan.term_years is not None:
            return self.loan.term_years
        amount = self.planned_advance if self.by_year() else self.planned
        drawn = [t for t in range(self.draws.rows) if amount(t) > 0.0]
        left = (self.draws.rows - 1 - (drawn[-1] if drawn else 0)) // 4
        return min(max(left, SHORTEST[self.loan.method]), 10)

    def rate(self) -> float:
        """Given, or of the table for this method and term."""
        assert self.loan is not None
        if self.loan.rate is not None:
            return self.loan.rate
        return pwlb.rate(self.years(), self.loan.method, self.loan.product)

    def draw_loans(self, t: int, cost: dict[str, float]) -> None:
        """Step 4."""
        if self.loan is None:
            return
        if self.by_year():
            wanted = self.planned_advance(t)
        else:
            wanted = sum(amount for name, amount in cost.items() if self.pays_for(name))
            if isinstance(self.terms, FeeForService):
                direction = self.terms.direction
                assert direction is not None
                limit = NO_LIMIT if direction.amount is None else direction.amount
                covered = direction.until is None or self.dates[t] <= direction.until
                wanted = min(wanted, max(0.0, limit - self.borrowed)) if covered else 0.0
        if wanted <= HALF_A_PENNY:
            return
        self.borrowed += wanted
        self.pay(t, "pwlb", "commissioner", "drawdown", wanted)
        fee = max(self.loan.fee.rate * wanted, self.loan.fee.least)
        self.pay(t, "commissioner", "pwlb", "arrangement fee", fee)
        self.loans.append(Loan.of(t, wanted, self.rate(), self.years(), self.loan.method))

    def serve_loans(self, t: int) -> None:
        """Step 5."""
        for loan in self.loans:
            principal, interest = loan.due.get(t, (0.0, 0.0))
            self.pay(t, "commissioner", "pwlb", "principal", principal)
            self.pay(t, "commissioner", "pwlb", "interest", interest)


def in_house_by_hand(
    programme: Programme, terms: Any, plan_draws: Draws, draws: Draws, dates: Sequence[date]
) -> InHouse:
    """Every payment of one path, worked from the page."""
    starts = [plan_draws.referrals[t] * plan_draws.engagement[t] for t in range(plan_draws.rows)]
    plan = Plan(starts, {})
    people = People(programme, plan_draws, plan, False)
    planned = []
    for t in range(plan_draws.rows):
        people.row(t, 1.0, 1.0)
        planned.append({name: people.cost(name, t, 1.0) for name in programme.costs})
    return InHouse(programme, terms, draws, plan, dates, planned).run()
