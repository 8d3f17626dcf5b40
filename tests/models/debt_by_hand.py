"""Guaranteed debt again, from its term sheet, one path at a time.

Plain floats, loops and dictionaries, in the order of ``docs/structures/guaranteed-debt.md``; what the page
takes from the bond's is ``Contract`` of ``sib_by_hand.py``. Nothing of the package is used but its terms and
its random numbers. Who reads this needs the page beside it and no more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.instruments.guaranteed_debt import GuaranteedDebt
from socialfinance.instruments.guarantees import Layer
from socialfinance.instruments.lending import LendingRate
from socialfinance.instruments.tariff import Tariff
from socialfinance.programmes.people import Programme
from tests.models.sib_by_hand import NO_LIMIT, Books, Contract, Draws, Plan

PAYMENTS_A_YEAR = {"annual effective": 1, "nominal half-yearly": 2, "nominal quarterly": 4}
RANKS = (("guarantor first",), ("lender", "pro rata"), ("lender first",))
"""Who is paid before whom out of what the vehicle has for principal; in one rank each by what it is owed."""


@dataclass
class Guarantee:
    """How one layer stands."""

    name: str
    terms: Layer
    seen: float = 0.0
    """loss put to it so far"""
    accepted: float = 0.0
    accepted_in: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    owed_back: float = 0.0
    """accepted and not yet recovered"""
    fee_owed: float = 0.0
    failed: bool = False
    to_pay: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    recovered: float = 0.0


@dataclass
class Loss:
    """Principal and interest that were not paid."""

    principal: float = 0.0
    interest: float = 0.0


@dataclass
class Figures:
    """What the deal's own figures are."""

    payment_missed: bool = False
    called_in: bool = False
    peak_loan: float = 0.0
    made_good: float = 0.0
    """principal that guarantors, payers or others made good"""
    interest_made_good: float = 0.0
    recovered: float = 0.0
    written_off: float = 0.0

    @property
    def loss_covered(self) -> float:
        """Principal made good less what guarantors had back, which pays interest they made good first."""
        return self.made_good - max(0.0, self.recovered - self.interest_made_good)


class Debt(Contract):
    """The loan and those who stand behind it, on one path."""

    def __init__(
        self,
        programme: Programme,
        tariff: Tariff,
        debt: GuaranteedDebt,
        draws: Draws,
        plan: Plan,
        **more: Any,
    ) -> None:
        super().__init__(programme, tariff, debt, draws, plan, **more)
        self.debt = debt
        self.last_quarter = debt.repayment.last_quarter
        layers = () if self.is_the_plan else debt.layers
        self.stack = [
            Guarantee(f"guarantee {n} {layer.guarantor}", layer) for n, layer in enumerate(layers, 1)
        ]
        if self.is_the_plan:
            self.last_quarter = self.rows - 1
        self.loan = self.overdue = self.interest_owed = 0.0
        self.repaid = 0.0
        """principal repaid by the vehicle or made good by others so far"""
        self.late_rows = 0
        self.called_in = self.matured = False
        self.success_fee_paid = 0.0
        self.balance = 0.0
        """what the lender may still receive under its cap"""
        self.received_now = 0.0
        self.figures = Figures()

    # small words

    def pay(self, t: int, payer: str, payee: str, reason: str, amount: float) -> None:
        """As for any contract; and what the lender receives in this row."""
        super().pay(t, payer, payee, reason, amount)
        self.received_now += amount if payee == "investor" else 0.0

    def rate(self, plus: float = 0.0) -> float:
        """The rate a quarter: (1 + r/n)^(n/4) - 1."""
        terms: LendingRate = self.debt.rate
        n = PAYMENTS_A_YEAR[terms.basis or "nominal half-yearly"]
        return (1.0 + terms.nominal(plus) / n) ** (n / 4.0) - 1.0

    def step_of(self, steps: Any, reached: float) -> Any:
        """The highest step that was reached, or none."""
        found = [step for step in steps if step.at <= reached + 1e-12]
        return found[-1] if found else None

    def rolls_up(self, t: int) -> bool:
        """Whether interest is added to the loan in this row."""
        terms = self.debt.repayment
        return t < terms.first_quarter and terms.interest_in_grace == "rolled up" and not self.called_in

    def available(self, t: int, ran_before: bool) -> bool:
        """Whether the loan may be drawn in this row."""
        if self.is_the_plan:
            return True
        return t <= self.debt.availability_quarters and ran_before and not self.called_in

    # the row

    def row(self, t: int) -> None:
        """One row, in the order of the page."""
        ran_before = self.running
        self.received_now = 0.0
        reached_before = self.on_plan(t - 1)
        owed = self.income_and_bill(t)
        before, was_called_in = Loss(self.overdue, self.interest_owed), self.called_in
        self.guarantee_fees(t)
        lenders_fee = self.lenders_fee(t, ran_before)
        self.interest(t, reached_before)
        drawn_now = self.draw(t, owed, lenders_fee, ran_before)
        cause = self.pay_and_stand(t, owed)
        self.pay_fees(t, lenders_fee)
        fell_due = self.debt_service(t)
        self.call_in(t)
        self.made_good(t, fell_due, before, was_called_in)
        self.fail(t)
        self.write_off(t)
        self.what_is_left(t, drawn_now)
        self.close(t, cause)
        if self.settled(t):
            self.accounts_settled = True

    # 1. interest

    def interest(self, t: int, reached: float) -> None:
        """Step 1: interest becomes owed, or is added to the loan."""
        step = self.step_of(self.debt.performance.ratchet, reached)
        margin = step.margin if step else 0.0
        rate, in_arrears = self.rate(margin), self.rate(margin + self.debt.arrears_margin)
        interest = self.loan * rate + (self.overdue + self.interest_owed) * in_arrears
        if self.rolls_up(t):
            self.loan += interest
        else:
            self.interest_owed += interest

    # 2. fees

    def guarantee_fees(self, t: int) -> None:
        """Step 2: guarantors' fees become owed, on what stood after the row before."""
        whole = left = self.loan + self.overdue
        for one in self.stack:
            fee = one.terms.fee
            covered = self.covered(one, t, whole, left)
            left -= covered
            if t == 0:
                one.fee_owed += fee.upfront * self.most_on_the_commitment(one.terms)
            else:
                one.fee_owed += ((1.0 + fee.running) ** 0.25 - 1.0) * covered

    def lenders_fee(self, t: int, ran_before: bool) -> float:
        """Step 2: the lender's fee of this row."""
        if self.is_the_plan:
            return 0.0
        if t == 0:
            return self.debt.arrangement_fee * self.commitment
        quarterly = (1.0 + self.debt.commitment_fee) ** 0.25 - 1.0
        return quarterly * (self.commitment - self.drawn) if self.available(t, ran_before) else 0.0

    def covered(self, one: Guarantee, t: int, whole: float, left: float) -> float:
        """What a layer covers of the loan and what is overdue, of which the layers before it left so much."""
        if one.failed:
            return 0.0
        new = whole if one.terms.of == "the whole loss" else left
        more = self.slice(one.terms, one.seen + new) - self.slice(one.terms, one.seen)
        return max(0.0, min(one.terms.cover * more, left, self.left_under_caps(one, t)))

    def slice(self, layer: Layer, loss: float) -> float:
        """The part of a loss that falls into a layer."""
        attach, detach = self.edges(layer, self.drawn)
        return min(max(loss - attach, 0.0), detach - attach)

    def edges(self, layer: Layer, drawn: float) -> tuple[float, float]:
        """Where a layer begins and ends, in pounds."""
        of = {"pounds": 1.0, "share of commitment": self.commitment, "share of drawn": drawn}[layer.unit]
        return layer.attach * of, NO_LIMIT if layer.detach is None else layer.detach * of

    def left_under_caps(self, one: Guarantee, t: int) -> float:
        """What cap, rate of drawn and schedule leave."""
        layer = one.terms
        limits = [NO_LIMIT if layer.cap is None else layer.cap]
        if layer.cap_rate is not None:
            limits.append(layer.cap_rate * self.drawn)
        if layer.schedule:
            open_now = [step.amount for step in layer.schedule if step.from_quarter <= t]
            limits.append(open_now[-1] if open_now else 0.0)
        return max(0.0, min(limits) - one.accepted)

    def most_on_the_commitment(self, layer: Layer) -> float:
        """The most a layer can be called for on the commitment."""
        attach, detach = self.edges(layer, self.commitment)
        limits = [layer.cover * max(0.0, min(detach, self.commitment) - attach)]
        limits += [] if layer.cap is None else [layer.cap]
        limits += [] if layer.cap_rate is None else [layer.cap_rate * self.commitment]
        in_force = [step.amount for step in layer.schedule if step.from_quarter <= self.last_quarter]
        limits += [max(in_force, default=0.0)] if layer.schedule else []
        years = -(-self.last_quarter // 4)
        limits += [] if layer.cap_a_year is None else [layer.cap_a_year * years]
        return min(limits)

    def fail(self, t: int) -> None:
        """Guarantors that fail in this row accept nothing from now on."""
        for one in self.stack:
            one.failed = one.failed or self.fails(one, t)

    def fails(self, one: Guarantee, t: int) -> bool:
        """Whether the guarantor fails in this row."""
        chance = 1.0 - (1.0 - one.terms.failure) ** 0.25
        return self.own(f"guarantor {one.terms.guarantor}.failure", t, 1.0) < chance

    # 3. drawing

    def draw(self, t: int, owed: Mapping[str, float], lenders_fee: float, ran_before: bool) -> float:
        """Step 3: what the lender pays in."""
        self.figures.peak_loan = max(self.figures.peak_loan, self.loan + self.overdue)
        if not self.available(t, ran_before):
            return 0.0
        if self.debt.draws is not None and not self.is_the_plan:
            wish = self.debt.draws[t] if t < len(self.debt.draws) else 0.0
        else:
            fees = sum(one.fee_owed for one in self.stack if one.terms.fee.paid_by == "vehicle")
            ahead = self.planned_bill(t + 1, t + self.debt.draw_ahead)
            wish = sum(owed.values()) + ahead + fees + lenders_fee + self.interest_owed - self.cash
        drawn = max(0.0, min(wish, self.commitment - self.drawn))
        drawn = drawn if drawn > HALF_A_PENNY else 0.0
        self.pay(t, "investor", "vehicle", "drawdown", drawn)
        self.drawn += drawn
        self.loan += drawn
        self.figures.peak_loan = max(self.figures.peak_loan, self.loan + self.overdue)
        return drawn

    # 5. paying fees

    def pay_fees(self, t: int, lenders_fee: float) -> None:
        """Step 5: guarantors, then the lender; what it does not get is owed as interest."""
        mine = [one for one in self.stack if one.terms.fee.paid_by == "vehicle"]
        whole = sum(one.fee_owed for one in mine)
        fraction = min(1.0, max(0.0, self.cash) / whole) if whole > 0.0 else 1.0
        for one in self.stack:
            paid = one.fee_owed * (fraction if one in mine else 1.0)
            self.pay(t, one.terms.fee.paid_by, one.terms.guarantor, "guarantee fee", paid)
            one.fee_owed -= paid
        paid = min(lenders_fee, max(0.0, self.cash))
        self.pay(t, "vehicle", "investor", "arrangement fee" if t == 0 else "commitment fee", paid)
        self.interest_owed += lenders_fee - paid

    # 6. debt service

    def debt_service(self, t: int) -> float:
        """Step 6: interest, principal, recoveries, and the sweep. What fell due in this row."""
        paid = min(self.interest_owed, max(0.0, self.cash))
        self.pay(t, "vehicle", "investor", "interest", paid)
        self.interest_owed -= paid
        fell_due = self.share_due(t) * self.loan
        self.loan -= fell_due
        self.overdue += fell_due
        self.pay_by_rank(t)
        sweep = 1.0 if self.debt.repayment.profile == "cash sweep" else self.debt.cash_sweep
        if not self.is_the_plan:
            early = min(self.loan, sweep * self.spare(t))
            self.pay_principal(t, early)
            self.loan -= early
        return fell_due

    def share_due(self, t: int) -> float:
        """The share of the loan that falls due."""
        terms = self.debt.repayment
        if t >= self.last_quarter or self.called_in or self.settled(t):
            return 1.0
        if self.is_the_plan or terms.profile in ("bullet", "cash sweep"):
            return 0.0
        quarters = [q for q in range(terms.first_quarter, self.last_quarter + 1)
                    if (self.last_quarter - q) % terms.every == 0]  # fmt: skip
        if t not in quarters:
            return 0.0
        m = len(quarters) - quarters.index(t)
        if terms.profile == "eip":
            return 1.0 / m
        if terms.profile == "annuity":
            i = (1.0 + self.rate()) ** terms.every - 1.0
            return i / ((1.0 + i) ** m - 1.0) if i > 0.0 else 1.0 / m
        before = quarters[quarters.index(t) - 1] if t != quarters[0] else terms.first_quarter - 1
        to_come = sum(self.plan.results[before + 1 : self.last_quarter + 1])
        return sum(self.plan.results[before + 1 : t + 1]) / to_come if to_come > HALF_A_PENNY else 0.0

    def pay_by_rank(self, t: int) -> None:
        """What is overdue, shared with guarantors by rank."""
        for rank in RANKS:
            owed = {one.name: one.owed_back for one in self.stack if one.terms.recoveries in rank}
            lender = self.overdue if "lender" in rank else 0.0
            whole = lender + sum(owed.values())
            fraction = min(1.0, max(0.0, self.cash) / whole) if whole > 0.0 else 0.0
            self.pay_principal(t, lender * fraction)
            self.overdue = max(0.0, self.overdue - lender * fraction)
            for one in self.stack:
                if one.terms.recoveries in rank:
                    back = owed[one.name] * fraction
                    self.pay(t, "vehicle", one.terms.guarantor, "recovery", back)
                    one.owed_back -= back
                    one.recovered += back

    def pay_principal(self, t: int, amount: float) -> None:
        """The vehicle repays principal."""
        self.pay(t, "vehicle", "investor", "principal", amount)
        self.repaid += amount

    # 7. calling in

    def call_in(self, t: int) -> None:
        """Step 7: whether the loan is called in."""
        late = self.overdue + self.interest_owed > HALF_A_PENNY
        self.late_rows = self.late_rows + 1 if late else 0
        self.figures.payment_missed |= late
        now = self.late_rows >= self.debt.default_after
        now = now or (late and (t >= self.last_quarter or self.settled(t)))
        self.called_in = self.called_in or now
        self.figures.called_in = self.called_in

    # 8. who stands behind it

    def made_good(self, t: int, fell_due: float, before: Loss, was_called_in: bool) -> None:
        """Step 8, in order; ``before`` is what was due and unpaid after the row before."""
        if self.is_the_plan:
            return
        first_settled = self.settled(t) and not self.accounts_settled
        at_the_end = t >= self.last_quarter or self.settled(t)
        new = Loss(
            max(0.0, min(fell_due, self.overdue - before.principal)),
            max(0.0, self.interest_owed - before.interest),
        )
        if self.called_in:
            self.overdue, self.loan = self.overdue + self.loan, 0.0
        if first_settled and self.books.cause:
            owed = getattr(self.debt.termination.compensation, self.books.cause) * self.overdue
            for role, part in self.split().items():
                self.pay(t, role, "investor", "termination compensation", owed * part)
            self.off_principal(owed)
        peg = self.debt.peg
        if peg is not None and at_the_end:
            assert peg.floor is not None
            short = min(max(0.0, peg.floor - self.repaid), self.overdue)
            self.pay(t, peg.by, "investor", "guarantee call", short)
            self.off_principal(short)
        if not was_called_in:
            self.put_to_layers(t, "missed payment", Loss(min(new.principal, self.overdue), new.interest))
        if self.called_in and not was_called_in:
            self.put_to_layers(t, "acceleration", Loss(self.overdue, self.interest_owed))
        if at_the_end and not self.matured:
            self.matured = True
            self.put_to_layers(t, "maturity", Loss(self.overdue, self.interest_owed))
        for one in self.stack:
            self.pay(t, one.terms.guarantor, "investor", "guarantee call", one.to_pay[t])
        recourse = self.debt.recourse
        if first_settled and recourse.to != "outcome payments":
            paid = min(self.overdue, NO_LIMIT if recourse.limit is None else recourse.limit)
            self.pay(t, recourse.to, "investor", "principal", paid)
            self.off_principal(paid)

    def off_principal(self, amount: float) -> None:
        """Principal that is no longer the lender's loss."""
        self.overdue = max(0.0, self.overdue - amount)
        self.repaid += amount
        self.figures.made_good += amount

    def put_to_layers(self, t: int, when: str, whole: Loss) -> None:
        """One loss to the layers for it, in the order of the file."""
        left = Loss(whole.principal, whole.interest)
        for one in self.stack:
            if one.terms.when != when:
                continue
            layer, with_interest = one.terms, 1.0 if one.terms.interest else 0.0
            loss = whole if layer.of == "the whole loss" else left
            new = loss.principal + with_interest * loss.interest
            at_most = layer.cover * self.slice(layer, one.seen + new)
            claim = at_most - layer.cover * self.slice(layer, one.seen)
            one.seen += new
            one.failed = one.failed or self.fails(one, t)
            accepted = min(
                claim,
                at_most - one.accepted,
                left.principal + with_interest * left.interest,
                self.left_under_caps(one, t),
                self.left_this_year(one, t),
            )
            accepted = 0.0 if one.failed or self.is_void(one, t) else max(0.0, accepted)
            of_interest = min(accepted, with_interest * left.interest)
            left.interest -= of_interest
            left.principal -= accepted - of_interest
            self.interest_owed -= of_interest
            self.figures.interest_made_good += of_interest
            self.off_principal(accepted - of_interest)
            one.accepted += accepted
            one.accepted_in[t] += accepted
            one.owed_back += accepted
            one.to_pay[t + layer.claim_lag] += accepted

    def left_this_year(self, one: Guarantee, t: int) -> float:
        """What the cap a year leaves since the last row that begins a year."""
        if one.terms.cap_a_year is None:
            return NO_LIMIT
        first = t - (t - 1) % 4 if t > 0 else 0
        return one.terms.cap_a_year - sum(one.accepted_in[s] for s in range(max(0, first), t + 1))

    def is_void(self, one: Guarantee, t: int) -> bool:
        """Whether the guarantee turns out to be void."""
        return self.own(f"{one.name}.void", t, 1.0) <= one.terms.enforceability.void

    # 9 and 10. the end

    def write_off(self, t: int) -> None:
        """Step 9."""
        if t == self.rows - 1:
            self.figures.written_off = self.overdue
            self.overdue = 0.0

    def what_is_left(self, t: int, drawn_now: float) -> None:
        """Step 10."""
        cap = self.debt.performance.cap
        room = NO_LIMIT
        if cap is not None:
            self.balance = self.balance * (1.0 + cap) ** 0.25 + drawn_now - self.received_now
            room = max(0.0, self.balance)
        owed = self.loan + self.overdue + self.interest_owed
        owed += sum(one.owed_back + one.fee_owed for one in self.stack)
        if (t < self.last_quarter and not self.settled(t)) or owed > HALF_A_PENNY:
            return
        spare = self.spare(t)
        fee = min(self.deferred, spare)
        self.pay(t, "vehicle", "provider", "deferred fee", fee)
        self.deferred, spare = self.deferred - fee, spare - fee
        step = self.step_of(self.debt.performance.success_fee, self.on_plan(t))
        earned = step.fee * self.drawn if step else 0.0
        more = min(max(0.0, earned - self.success_fee_paid), spare, room)
        self.pay(t, "vehicle", "investor", "investor return", more)
        self.success_fee_paid += more
        self.share_out(t, spare - more, self.debt.surplus)
        self.balance -= more


# --- a whole path ------------------------------------------------------------------------------------


def debt_plan(programme: Programme, tariff: Tariff, debt: GuaranteedDebt, draws: Draws) -> tuple[Plan, float]:
    """The plan by row from the plan's draws, and the commitment in pounds."""
    starts = [draws.referrals[t] * draws.engagement[t] for t in range(draws.rows)]
    deadweight = {name: draws.deadweight[name][0] for name in programme.outcomes}
    first = Debt(
        programme, tariff, debt, draws, Plan(starts, deadweight, [0.0] * draws.rows), is_the_plan=True
    )
    plan = Plan(starts, deadweight, first.run().bill)
    books = Debt(programme, tariff, debt, draws, plan, is_the_plan=True).run()
    plan.results, plan.worth = books.results, books.worth
    commitment = debt.commitment.amount
    if commitment is None:
        commitment = (debt.commitment.peak_need or 0.0) * books.drawn
    return plan, commitment


def debt_by_hand(
    programme: Programme,
    tariff: Tariff,
    debt: GuaranteedDebt,
    plan_draws: Draws,
    draws: Draws,
    variation: bool = False,
) -> tuple[Books, Figures]:
    """Every payment of one path, worked from the pages, and the deal's own figures."""
    plan, commitment = debt_plan(programme, tariff, debt, plan_draws)
    deal = Debt(programme, tariff, debt, draws, plan, variation=variation, commitment=commitment)
    books = deal.run()
    deal.figures.recovered = sum(one.recovered for one in deal.stack)
    return books, deal.figures
