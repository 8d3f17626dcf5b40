"""Pay-as-you-save again, from its term sheet, one path at a time.

Plain floats, loops and dictionaries, in the order of ``docs/structures/pay-as-you-save.md``; what the page
takes from the bond's is ``Contract`` of ``sib_by_hand.py``. Nothing of the package is used but its terms and
its random numbers. Who reads this needs the pages beside it and no more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.instruments.guarantees import Layer
from socialfinance.instruments.pay_as_you_save import PayAsYouSave
from socialfinance.instruments.tariff import AgencyPays, Payer, SavingsPayment, Tariff
from socialfinance.programmes.people import Programme
from tests.models.sib_by_hand import NO_LIMIT, Books, Contract, Draws, People, Plan

PAYMENTS_A_YEAR = {"annual effective": 1, "nominal half-yearly": 2, "nominal quarterly": 4}
RANKS = (("guarantor first",), ("funder", "pro rata"), ("lender first",))
"""Who is paid before whom out of spare cash; in one rank each by what it is owed."""


@dataclass
class Guarantor:
    """Whoever stands in one place of the stack: a layer, or the floor (which has no layer)."""

    name: str
    role: str
    layer: Layer | None
    lag: int
    recoveries: str = "pro rata"
    accepted: float = 0.0
    owed_back: float = 0.0
    fee_owed: float = 0.0
    failed: bool = False
    to_pay: dict[int, float] = field(default_factory=lambda: defaultdict(float))


def as_read(tariff: Tariff | None, terms: PayAsYouSave, programme: Programme) -> Tariff:
    """What is paid from what: prices nil unless they are paid, and payment out of savings in any case."""
    if tariff is None:
        tariff = Tariff.model_construct(payers={"commissioner": Payer(share=1.0)})
    changes: dict[str, Any] = {}
    if not terms.outcome_payments:
        changes = {"prices": {}, "effect": None, "cap_per_person": None, "caps": {}, "cap": 0.0}
        own = {role: sum((payer.prices or {}).values()) for role, payer in tariff.payers.items()}
        if sum(own.values()) > 0.0:
            changes["payers"] = {
                role: payer.model_copy(update={"prices": None, "share": own[role] / sum(own.values())})
                for role, payer in tariff.payers.items()
            }
    if tariff.savings is None:
        mine = terms.savings
        everybody = {
            saving.agency: AgencyPays(share=mine.share, of=mine.of)
            for saving in programme.savings.values()
            if mine.of == "all" or saving.cashable > 0.0
        }
        if everybody:
            changes["savings"] = SavingsPayment(
                agencies=everybody, verification_lag=mine.verification_lag, error=mine.error
            )
    return tariff.model_copy(update=changes)


class Deal(Contract):
    """The deal on one path."""

    def __init__(
        self,
        programme: Programme,
        tariff: Tariff,
        terms: PayAsYouSave,
        draws: Draws,
        plan: Plan,
        verified: list[float] | None = None,
        by_set: bool = False,
        **more: Any,
    ) -> None:
        like_a_bond = SimpleNamespace(
            termination=terms.termination, review=terms.review, draw_ahead=terms.draw_ahead,
            reserve_quarters=terms.reserve_quarters, provider_at_risk=0.0,
        )  # fmt: skip
        super().__init__(programme, tariff, like_a_bond, draws, plan, **more)
        self.people = People(programme, draws, plan, by_set)
        self.deal = terms
        self.planned_verified = verified or [0.0] * self.rows
        """all agencies' verified savings so far, of the plan"""
        self.long_stop = terms.long_stop_quarter or self.rows - 1
        self.test_row = terms.floor_quarter or self.long_stop
        self.stack: list[Guarantor] = []
        if not self.is_the_plan:
            for n, layer in enumerate(terms.layers, 1):
                name = f"guarantee {n} {layer.guarantor}"
                one = Guarantor(name, layer.guarantor, layer, layer.claim_lag, layer.recoveries)
                self.stack.append(one)
            if terms.floor is not None:
                self.stack.append(Guarantor("floor", terms.floor.by, None, terms.floor.claim_lag))
        self.balance = self.accrued = self.received = self.spent = 0.0
        self.pot = 0.0
        self.holding: list[tuple[int, float]] = []
        """money ordered with: the row in which it was, pounds"""
        self.had_back: dict[str, float] = defaultdict(float)
        self.open = False
        self.reinvested = self.unpaid = 0.0
        self.verified_by_row: list[float] = []
        self.settled_before = False

    # small words

    def rate(self) -> float:
        """The rate a quarter."""
        terms = self.deal.rate
        n = PAYMENTS_A_YEAR[terms.basis or "nominal half-yearly"]
        return (1.0 + terms.nominal() / n) ** (n / 4.0) - 1.0

    @property
    def loss(self) -> float:
        """What the funder has paid in and not had on the balance."""
        return max(0.0, self.drawn - self.received)

    def last_row_with(self, amounts: list[float]) -> int:
        """The last row with more than half a penny (or anybody)."""
        return max((t for t, amount in enumerate(amounts) if amount > HALF_A_PENNY), default=0)

    @property
    def last_cost(self) -> int:
        """The last row with a planned cost."""
        return self.last_row_with(self.plan.bill)

    @property
    def last_delivery(self) -> int:
        """The last row with a planned cost or start."""
        return max(self.last_cost, max((t for t, n in enumerate(self.plan.starts) if n > 0.0), default=0))

    def available(self, t: int) -> bool:
        """Whether money may be drawn."""
        until = self.deal.availability_quarters
        return self.is_the_plan or t <= (self.last_cost if until is None else until)

    # what the bond's steps ask

    def claims_open(self) -> bool:
        """As the bond, for claims on outcomes."""
        return self.running or self.since < self.tariff.tail

    def savings_payments(self, t: int) -> dict[str, float]:
        """Payment out of savings, up to the long stop whatever happens to the contract."""
        terms, paid = self.tariff.savings, {}
        for role, agency in terms.agencies.items() if terms else ():
            self.to_verify[t + terms.verification_lag][role] += self.measured(t, role, agency)
            self.verified_savings[role] += self.to_verify[t][role]
            cap = NO_LIMIT if agency.cap is None else agency.cap
            owed = min(agency.share * self.verified_savings[role], cap) - self.paid_over[role]
            paid[role] = max(0.0, owed) if t <= self.long_stop else 0.0
            self.paid_over[role] += paid[role]
            self.results[t] += paid[role]
        return paid

    def early_end(self, t: int) -> str:
        """Nothing ends, and nothing is tested, after the last row with a planned cost or start."""
        return super().early_end(t) if t <= self.last_delivery else ""

    def anything_planned(self, t: int) -> bool:
        """For the hazards: all that comes before the last delivery, and that is all that asks."""
        return t <= self.last_delivery

    def planned_from(self, t: int) -> bool:
        """Whether there is a cost, a start, a priced outcome, a baseline or a saving from this row on."""
        plan = self.plan
        return any(
            max(plan.bill[s], plan.starts[s], plan.worth[s]) > HALF_A_PENNY
            for s in range(max(0, t), self.rows)
        )

    def worth(self, t: int) -> float:
        """What is planned in a row beside cost and starts."""
        terms = self.tariff.savings
        baselines = savings = 0.0
        for role, agency in terms.agencies.items() if terms else ():
            line = agency.baseline
            if line is not None and line.first_quarter <= t <= line.last_quarter:
                baselines += line.per_quarter
            for name, saving in self.programme.savings.items():
                if saving.agency == role:
                    cash, rest = self.saved_now[name]
                    savings += cash + (rest if agency.of == "all" else 0.0)
        return max(baselines, super().worth(t) + savings)

    def settled(self, t: int) -> bool:
        """Step 4: from the long stop on, and after an early end once all that was planned is over."""
        if t >= self.long_stop:
            return True
        if self.running or self.since < self.deal.termination.wind_down_quarters:
            return False
        tariff = self.tariff
        slowest = max(payer.payment_lag for payer in tariff.payers.values())
        slowest += tariff.delayed.quarters if tariff.delayed else 0
        slowest += tariff.clawback.after if tariff.clawback else 0
        slowest = max(slowest, tariff.savings.verification_lag if tariff.savings else 0)
        return not self.planned_from(t - slowest + 1)

    # the row

    def row(self, t: int) -> None:
        """One row, in the order of the page."""
        ran_before = self.running
        owed = self.income_and_bill(t)
        funders_fee = self.interest_and_fees(t, ran_before)
        self.draw(t, owed, funders_fee, ran_before)
        cause = self.pay_and_stand(t, owed)
        self.spent += sum(owed.values()) - sum(self.arrears.values())
        self.pay_fees(t, funders_fee)
        self.orders_for_the_next_row(t, cause)
        self.open = self.reinvestment_is_open(t)
        self.pot = min(self.pot, max(0.0, self.cash)) if self.open else 0.0
        surplus = self.repay(t, self.spare(t))
        self.made_good(t)
        self.end_of_the_line(t)
        self.share_surplus(t, surplus)
        self.books.cash.append(self.cash)
        self.books.worth.append(self.worth(t))
        self.verified_by_row.append(sum(self.verified_savings.values()))
        self.settled_before = self.settled_before or self.settled(t)

    # 1. interest and fees

    def interest_and_fees(self, t: int, ran_before: bool) -> float:
        """Step 1: interest is added; guarantors' fees become owed; the funder's fee of this row."""
        interest = self.balance * self.rate() if t <= self.long_stop else 0.0
        self.balance += interest
        self.accrued += interest
        for n, one in enumerate(self.stack):
            if one.layer is None:
                continue
            fee = one.layer.fee
            if t == 0:
                one.fee_owed += fee.upfront * self.most_of(one.layer)
            elif t <= self.test_row:
                one.fee_owed += ((1.0 + fee.running) ** 0.25 - 1.0) * self.covered(n, t)
        if self.is_the_plan:
            return 0.0
        if t == 0:
            return self.deal.arrangement_fee * self.commitment
        if not self.available(t) or not ran_before:
            return 0.0
        return self.deal.commitment_fee / 4.0 * (self.commitment - self.drawn)

    def edges(self, layer: Layer, drawn: float) -> tuple[float, float]:
        """Where a layer begins and ends, pounds."""
        of = {"pounds": 1.0, "share of commitment": self.commitment, "share of drawn": drawn}[layer.unit]
        return layer.attach * of, NO_LIMIT if layer.detach is None else layer.detach * of

    def slice_of(self, layer: Layer, loss: float) -> float:
        """The part of a loss that falls into a layer: nothing was put to it before."""
        attach, detach = self.edges(layer, self.drawn)
        return min(max(loss - attach, 0.0), detach - attach)

    def left_under_caps(self, one: Guarantor, t: int) -> float:
        """What cap, rate of drawn and schedule leave of a layer."""
        layer = one.layer
        assert layer is not None
        limits = [NO_LIMIT if layer.cap is None else layer.cap]
        limits += [] if layer.cap_rate is None else [layer.cap_rate * self.drawn]
        if layer.schedule:
            open_now = [step.amount for step in layer.schedule if step.from_quarter <= t]
            limits.append(open_now[-1] if open_now else 0.0)
        return max(0.0, min(limits) - one.accepted)

    def covered(self, n: int, t: int) -> float:
        """What layer n would accept if all of the loss were put to the stack now."""
        left, mine = self.loss, 0.0
        for one in self.stack[: n + 1]:
            assert one.layer is not None
            put_to_it = self.loss if one.layer.of == "the whole loss" else left
            mine = one.layer.cover * self.slice_of(one.layer, put_to_it)
            mine = 0.0 if one.failed else max(0.0, min(mine, self.left_under_caps(one, t), left))
            left -= mine
        return mine

    def most_of(self, layer: Layer) -> float:
        """The most a layer can be called for on the commitment."""
        attach, detach = self.edges(layer, self.commitment)
        limits = [layer.cover * max(0.0, min(detach, self.commitment) - attach)]
        limits += [] if layer.cap is None else [layer.cap]
        limits += [] if layer.cap_rate is None else [layer.cap_rate * self.commitment]
        limits += [] if layer.cap_a_year is None else [layer.cap_a_year * -(-(self.rows - 1) // 4)]
        limits += [max(step.amount for step in layer.schedule)] if layer.schedule else []
        return min(limits)

    # 2. drawing

    def draw(self, t: int, owed: Mapping[str, float], funders_fee: float, ran_before: bool) -> None:
        """Step 2."""
        ahead = self.planned_bill(t + 1, t + self.deal.draw_ahead) if ran_before else 0.0
        fees = sum(one.fee_owed for one in self.stack if one.layer and one.layer.fee.paid_by == "vehicle")
        fees += funders_fee if self.deal.fees == "from cash" else 0.0
        wish = sum(owed.values()) + ahead + fees - self.cash
        drawn = max(0.0, min(wish, self.commitment - self.drawn)) if self.available(t) else 0.0
        drawn = drawn if drawn > HALF_A_PENNY else 0.0
        self.pay(t, "investor", "vehicle", "drawdown", drawn)
        self.books.peak_capital = max(self.books.peak_capital, self.drawn + drawn - self.received)
        self.drawn += drawn
        self.balance += drawn

    # 3. fees

    def pay_fees(self, t: int, funders_fee: float) -> None:
        """Step 3, after the bill."""
        mine = [one for one in self.stack if one.layer and one.layer.fee.paid_by == "vehicle"]
        whole = sum(one.fee_owed for one in mine)
        fraction = min(1.0, max(0.0, self.cash) / whole) if whole > 0.0 else 1.0
        for one in self.stack:
            if one.layer is not None:
                paid = one.fee_owed * (fraction if one in mine else 1.0)
                self.pay(t, one.layer.fee.paid_by, one.role, "guarantee fee", paid)
                one.fee_owed -= paid
        paid = min(funders_fee, max(0.0, self.cash)) if self.deal.fees == "from cash" else 0.0
        self.pay(t, "vehicle", "investor", "arrangement fee" if t == 0 else "commitment fee", paid)
        self.balance += funders_fee - paid
        self.accrued += funders_fee - paid

    # 5 and 6. spare cash, and the funder

    def spare(self, t: int) -> float:
        """Step 5."""
        if self.settled(t):
            return max(0.0, self.cash)
        if self.running:
            kept = max(self.deal.reserve_quarters, self.deal.draw_ahead)
            back = self.planned_bill(t + 1, t + kept) + self.clawback_to_come(t)
            return max(0.0, self.cash - back - self.pot - self.held(t))
        if self.since < self.deal.termination.wind_down_quarters:
            return 0.0
        return max(0.0, self.cash - self.clawback_to_come(t))

    def held(self, t: int) -> float:
        """Money ordered with, until its cost has fallen; nothing once settled or ended."""
        if self.settled(t) or not self.running:
            self.holding = []
        return sum(amount for row, amount in self.holding if t < row + 1 + self.longest_response())

    def longest_response(self) -> int:
        """The longest response lag of a cost line that follows volume."""
        lines = [self.programme.costs[name] for name in self.programme.costs if self.uses(name)]
        return max((line.response_lag for line in lines if line.elasticity > 0.0), default=0)

    def repay(self, t: int, spare: float) -> float:
        """Step 6; what is left of spare cash, if nobody is owed anything any more."""
        for rank in RANKS:
            guarantors = {one.name: one.owed_back for one in self.stack if one.recoveries in rank}
            funder = self.balance if "funder" in rank else 0.0
            whole = funder + sum(guarantors.values())
            fraction = min(1.0, spare / whole) if whole > 0.0 else 0.0
            interest = min(self.accrued, funder * fraction)
            self.pay(t, "vehicle", "investor", "interest", interest)
            self.pay(t, "vehicle", "investor", "principal", max(0.0, funder * fraction - interest))
            self.accrued -= interest
            self.balance -= funder * fraction
            self.received += funder * fraction
            for one in self.stack:
                if one.recoveries in rank:
                    back = guarantors[one.name] * fraction
                    self.pay(t, "vehicle", one.role, "recovery", back)
                    one.owed_back -= back
            spare = max(0.0, spare - whole)
        still = self.balance + sum(one.owed_back for one in self.stack)
        return spare if still <= HALF_A_PENNY else 0.0

    # 7. who stands behind it

    def made_good(self, t: int) -> None:
        """Step 7."""
        if self.settled(t) and not self.settled_before and self.books.cause:
            share = getattr(self.deal.termination.compensation, self.books.cause)
            owed = min(share * self.loss, self.balance)
            for role, part in self.split().items():
                self.pay(t, role, "investor", "termination compensation", owed * part)
            self.balance -= owed
            self.received += owed
        for one in self.stack:
            one.failed = one.failed or self.fails(one, t)
        if t == self.test_row:
            principal = min(self.loss, self.balance)
            interest = self.balance - principal
            whole = (principal, interest)
            for one in self.stack:
                principal, interest = self.put_to(one, t, whole, principal, interest)
        for one in self.stack:
            self.pay(t, one.role, "investor", "guarantee call", one.to_pay[t])
        self.balance = max(0.0, self.balance)
        self.accrued = max(0.0, min(self.accrued, self.balance))

    def fails(self, one: Guarantor, t: int) -> bool:
        """Whether a guarantor fails in this row; whoever gives the simple floor does not."""
        chance = 1.0 - (1.0 - one.layer.failure) ** 0.25 if one.layer else 0.0
        return self.own(f"guarantor {one.role}.failure", t, 1.0) < chance

    def put_to(
        self, one: Guarantor, t: int, whole: tuple[float, float], principal: float, interest: float
    ) -> tuple[float, float]:
        """One guarantor's part of what is left of a loss; what it leaves."""
        if one.layer is None:
            return self.put_to_floor(one, t, principal), interest
        layer = one.layer
        new, new_interest = whole if layer.of == "the whole loss" else (principal, interest)
        claim = layer.cover * self.slice_of(layer, new + (new_interest if layer.interest else 0.0))
        a_year = NO_LIMIT if layer.cap_a_year is None else layer.cap_a_year
        still = principal + (interest if layer.interest else 0.0)
        accepted = max(0.0, min(claim, self.left_under_caps(one, t), a_year, still))
        void = self.own(f"{one.name}.void", t, 1.0) < layer.enforceability.void
        if one.failed or void:
            accepted = 0.0
        of_interest = min(accepted, interest) if layer.interest else 0.0
        self.take_over(one, t, accepted)
        return principal - (accepted - of_interest), interest - of_interest

    def put_to_floor(self, one: Guarantor, t: int, principal: float) -> float:
        """The simple floor."""
        floor = self.deal.floor
        assert floor is not None
        if floor.share is not None:
            kept = (1.0 - floor.share) * self.drawn
        else:
            kept = max(0.0, self.drawn - (floor.amount or 0.0))
        accepted = max(0.0, principal - kept)
        self.take_over(one, t, accepted)
        return principal - accepted

    def take_over(self, one: Guarantor, t: int, accepted: float) -> None:
        """A claim is accepted."""
        one.accepted += accepted
        one.owed_back += accepted
        one.to_pay[t + one.lag] += accepted
        self.balance -= accepted
        self.received += accepted

    # 8. the long stop

    def end_of_the_line(self, t: int) -> None:
        """Step 8."""
        if t != self.long_stop or self.is_the_plan:
            return
        left = self.balance
        self.unpaid = left
        terms = self.tariff.savings
        agencies = list(terms.agencies) if terms else ["commissioner"]
        if self.deal.unpaid == "paid by agencies":
            saved = {role: max(0.0, self.verified_savings[role]) for role in agencies}
            whole = sum(saved.values())
            for role in agencies:
                part = saved[role] / whole if whole > 0.0 else 1.0 / len(agencies)
                self.pay(t, role, "investor", "unpaid balance", left * part)
            self.received += left
        elif self.deal.unpaid == "paid by the commissioner":
            self.pay(t, "commissioner", "investor", "unpaid balance", left)
            self.received += left
        self.balance = self.accrued = 0.0

    # 9. the surplus

    def reinvestment_is_open(self, t: int) -> bool:
        """Whether a part of the surplus may be spent on more starts."""
        if self.is_the_plan or self.deal.surplus.reinvest == 0.0 or self.coming(t) <= 0.0:
            return False
        until = self.deal.reinvest.until_quarter if self.deal.reinvest else None
        if t > (self.long_stop if until is None else until) or t + 1 >= self.long_stop:
            return False
        if not self.running or self.scale == 0.0:
            return False
        saved = sum(self.verified_savings.values())
        rule = self.deal.reinvest
        if rule is None:
            return saved >= 0.0 or self.planned_verified[t] <= 0.0
        over = self.planned_verified[t] if rule.stop_measure == "verified over plan" else self.spent
        return (saved / over if over > 0.0 else 1.0) >= rule.stop_below

    def each(self) -> float:
        """What a further start is ordered at."""
        rule = self.deal.reinvest
        if rule is not None and rule.cost_per_start is not None:
            return rule.cost_per_start
        starts = sum(self.plan.starts)
        return sum(self.plan.bill) / starts if starts > 0.0 else 0.0

    def coming(self, t: int) -> float:
        """Planned starts of the next row at the cost of a start."""
        return self.plan.starts[t + 1] * self.each() if t + 1 < self.rows else 0.0

    def share_surplus(self, t: int, surplus: float) -> None:
        """Step 9, and the scale of the next row."""
        shares = self.deal.surplus
        self.pay(t, "vehicle", "provider", "surplus share", surplus * shares.provider)
        self.pay(t, "vehicle", "investor", "surplus share", surplus * shares.investor)
        to_agencies = surplus * shares.agencies
        if self.open:
            self.pot += surplus * shares.reinvest
            most = self.deal.reinvest.most_scale if self.deal.reinvest else 2.0
            ordered = min(self.pot, (most - 1.0) * self.coming(t))
            self.pot -= ordered
            self.reinvested += ordered
            self.holding.append((t, ordered))
            self.scale *= 1.0 + ordered / self.coming(t)
        else:
            to_agencies += surplus * shares.reinvest
        terms = self.tariff.savings
        agencies = list(terms.agencies) if terms else ["commissioner"]
        weight = {role: max(0.0, self.paid_over[role] - self.had_back[role]) for role in agencies}
        whole = sum(weight.values())
        for role in agencies:
            part = to_agencies * (weight[role] / whole if whole > 0.0 else 1.0 / len(agencies))
            self.pay(t, "vehicle", role, "surplus share", part)
            self.had_back[role] += part


# --- a whole path ------------------------------------------------------------------------------------


def pays_plan(
    programme: Programme, tariff: Tariff, terms: PayAsYouSave, draws: Draws, by_set: bool
) -> tuple[Plan, list[float], float]:
    """The plan by row from the plan's draws, its verified savings so far, and the commitment in pounds.

    People are counted by the sets of lines they achieved where the file has a cap per person that can bind.
    """
    starts = [draws.referrals[t] * draws.engagement[t] for t in range(draws.rows)]
    deadweight = {name: draws.deadweight[name][0] for name in programme.outcomes}
    how: dict[str, Any] = {"by_set": by_set, "is_the_plan": True}
    first = Deal(programme, tariff, terms, draws, Plan(starts, deadweight, [0.0] * draws.rows), **how)
    plan = Plan(starts, deadweight, first.run().bill)
    again = Deal(programme, tariff, terms, draws, plan, **how)
    books = again.run()
    plan.results, plan.worth = books.results, books.worth
    commitment = terms.commitment.amount
    if commitment is None:
        commitment = (terms.commitment.peak_need or 0.0) * books.drawn
    return plan, again.verified_by_row, commitment


def pays_by_hand(
    programme: Programme,
    tariff: Tariff | None,
    terms: PayAsYouSave,
    plan_draws: Draws,
    draws: Draws,
    variation: bool = False,
) -> tuple[Books, Deal]:
    """Every payment of one path, worked from the pages, and how the deal stands in the end."""
    read = as_read(tariff, terms, programme)
    how: dict[str, Any] = {"by_set": tariff is not None and tariff.needs_classes, "variation": variation}
    plan, verified, commitment = pays_plan(programme, read, terms, plan_draws, how["by_set"])
    deal = Deal(programme, read, terms, draws, plan, verified, commitment=commitment, **how)
    return deal.run(), deal
