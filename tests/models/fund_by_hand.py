"""The fund again, from its terms, one path at a time.

Plain floats, loops and lists, in the order of the docstrings of ``funds/notes.py`` and ``funds/fund.py``.
Nothing of the package is used but the terms and the published PWLB rates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from socialfinance.funds.fund import Fund
from socialfinance.funds.notes import Fixed, Granted, Note, OverPwlb, Performance, Residual
from socialfinance.markets import pwlb

HALF_A_PENNY = 0.005
ROUNDING = 1e-6
NEARLY_ALL = 0.99
"""Once this share of what is planned to come back should have come, there is no reserve any more."""


def a_quarter(annual: float) -> float:
    """The rate a quarter of an annual effective rate."""
    return float((1.0 + annual) ** 0.25) - 1.0


@dataclass
class Plan:
    """What one deal is expected to draw and to pay back, by row."""

    draws: Sequence[float]
    back: Sequence[float]


@dataclass
class Moves:
    """What happens in a row: the level of costs, a fee, and by deal what it asks, pays, and the pool pays."""

    level: float
    fee: float
    wishes: Sequence[float]
    back: Sequence[float]
    pool: Sequence[float]


@dataclass
class Holding:
    """How a note stands, and what it has in this row."""

    note: Note
    drawn: float = 0.0
    balance: float = 0.0
    owed: float = 0.0
    for_its_cap: float = 0.0
    """what would give it the return of its cap if it were paid now"""
    missed: bool = False
    due: float = 0.0
    called: float = 0.0
    interest: float = 0.0
    redeemed: float = 0.0
    principal: float = 0.0
    more: float = 0.0
    clawed: float = 0.0

    def is_residual(self) -> bool:
        """Whether it has what is left."""
        return isinstance(self.note.rate, Residual)

    def is_lent(self) -> bool:
        """Whether it is repaid with interest."""
        return not isinstance(self.note.rate, Residual | Granted)


@dataclass
class Purse:
    """Profit between investors and a manager: what they have had, and what is still preferred."""

    preferred: float = 0.0
    investors: float = 0.0
    """received less paid in"""
    manager: float = 0.0


@dataclass
class Line:
    """What happened in a row; lists by note, ``granted`` by deal."""

    calls: list[float]
    costs: float
    earned: float
    granted: list[float]
    arrears: float = 0.0
    interest: list[float] = field(default_factory=list)
    redeemed: list[float] = field(default_factory=list)
    principal: list[float] = field(default_factory=list)
    more: list[float] = field(default_factory=list)
    clawed: list[float] = field(default_factory=list)
    balance: list[float] = field(default_factory=list)
    owed: list[float] = field(default_factory=list)
    carry: float = 0.0
    surplus: float = 0.0
    locked: bool = False
    value: float = 0.0
    cash: float = 0.0


class FundByHand:
    """One fund on one path."""

    def __init__(self, fund: Fund, last: int, plans: Sequence[Plan]) -> None:
        self.fund, self.last, self.plans = fund, last, plans
        self.holdings = [Holding(note) for note in fund.notes.values()]
        self.waiting = self.held = self.retained = self.reserve = self.cash = 0.0
        self.unpaid_costs = self.recycled = 0.0
        self.put_in = [0.0 for _ in plans]
        self.came_back = [0.0 for _ in plans]
        self.income: list[float] = []
        self.protected_due: list[float] = []
        self.last_failed: int | None = None
        self.locked = False
        self.whole = Purse()
        self.by_deal = [Purse() for _ in plans]
        self.managers = 0.0
        notice = fund.calls.notice_quarters
        self.coming = [self.needs(t) for t in range(notice)]

    # what the terms and the plan say

    def budget(self, t: int) -> float:
        """Running costs of a row before their index."""
        costs = self.fund.costs
        until = self.last if costs.until_quarter is None else costs.until_quarter
        if t == 0:
            return costs.set_up
        return costs.per_year / 4 if t <= until else 0.0

    def planned_draws(self, t: int) -> float:
        """What all deals are expected to draw in a row."""
        return sum(plan.draws[t] for plan in self.plans)

    def needs(self, t: int) -> float:
        """What a row needs by the plan: no note is called for costs once deals have drawn all they will."""
        if self.planned_draws(t) + self.draws_to_come(t) <= 0:
            return 0.0
        return self.budget(t) + self.planned_draws(t)

    def draws_to_come(self, t: int) -> float:
        """What they are expected to draw after a row."""
        return sum(self.planned_draws(s) for s in range(t + 1, self.last + 1))

    def ranks(self) -> list[list[Holding]]:
        """Notes by rank, first paid first."""
        numbers = sorted({h.note.rank for h in self.holdings})
        return [[h for h in self.holdings if h.note.rank == number] for number in numbers]

    def protects(self, holding: Holding) -> bool:
        """Whether the trigger protects a note."""
        trigger = self.fund.waterfall.trigger
        return trigger is None or holding.note.rank <= trigger.protects

    def shut_out(self, holding: Holding) -> bool:
        """Whether a note is locked up now."""
        return self.locked and not self.protects(holding)

    def rate(self, note: Note, t: int) -> float:
        """A note's rate over the quarter that ends with this row."""
        rate = note.rate
        if isinstance(rate, Fixed):
            return a_quarter(rate.annual)
        if isinstance(rate, OverPwlb):
            nominal = float(pwlb.rate(rate.term_years, "maturity", "certainty"))
            return a_quarter((1 + nominal / 2) ** 2 - 1 + rate.margin)
        assert isinstance(rate, Performance)
        expected = sum(sum(plan.back[:t]) for plan in self.plans)
        so_far = sum(self.came_back) / expected if expected > 0 else 0.0
        rise = min(1.0, max(0.0, (so_far - rate.nothing_at) / (rate.all_at - rate.nothing_at)))
        return a_quarter(rate.annual + rate.extra * rise)

    def costs_to_come(self, t: int) -> float:
        """Running costs after a row, before their index."""
        return sum(self.budget(s) for s in range(t + 1, self.last + 1))

    def to_keep(self, t: int) -> float:
        """What the reserve should hold."""
        terms = self.fund.reserve
        expected = sum(sum(plan.back) for plan in self.plans)
        if sum(sum(plan.back[: t + 1]) for plan in self.plans) >= NEARLY_ALL * expected:
            return 0.0
        target = terms.target
        for h in self.holdings:
            if h.is_lent() and not h.note.deferrable:
                target += terms.interest_quarters * h.due
            retail = h.note.retail
            if retail is not None and retail.redemption is not None:
                target += retail.redemption.kept * h.balance
        return target

    # the row

    def row(self, t: int, now: Moves) -> Line:
        """Money in, then what came in goes down the waterfall."""
        for h in self.holdings:
            h.due = h.called = h.interest = h.redeemed = h.principal = h.more = h.clawed = 0.0
        line = self.money_in(t, now)
        self.money_out(t, now, line)
        return line

    def money_in(self, t: int, now: Moves) -> Line:
        """Interest falls due, money is called, costs are paid, deals get what they ask as far as it goes."""
        self.charge(t)
        idle = self.waiting + self.held + self.retained
        earned = (idle + self.reserve) * a_quarter(self.fund.cash_yield)
        bill = self.budget(t) * now.level + now.fee + self.unpaid_costs
        asked = sum(now.wishes)
        lacking = 0.0
        called_for_costs = self.planned_draws(t) + self.draws_to_come(t) > 0
        if self.fund.reserve.from_calls and t < self.last and called_for_costs:
            lacking = max(0.0, self.to_keep(t) - self.reserve)
        notice = self.fund.calls.notice_quarters
        if called_for_costs:
            short = max(0.0, bill + asked + lacking - idle)
        else:  # costs are paid out of what there is, and deals have what is left of it
            short = max(0.0, asked + lacking - max(0.0, idle - bill))
        came = self.call(self.coming.pop(0) if notice else short)
        to_reserve = min(lacking, came)
        self.reserve += to_reserve
        if called_for_costs:
            self.waiting += came - to_reserve
        costs = bill - self.take(bill, ["waiting", "held", "retained", "reserve"])
        if not called_for_costs:
            self.waiting += came - to_reserve
        self.unpaid_costs = bill - costs
        can = self.waiting + self.held + self.retained
        met = 1.0 if asked <= can + ROUNDING else can / asked
        granted = [wish * met for wish in now.wishes]
        before = self.retained
        self.take(sum(granted), ["waiting", "held", "retained"])
        self.recycled += before - self.retained
        for d, amount in enumerate(granted):
            self.put_in[d] += amount
        if notice:
            unpaid = bill - costs if called_for_costs else 0.0
            self.call_for_later(t, unpaid + asked - sum(granted) + lacking - to_reserve)
        self.preferred_grows(granted)
        return Line([h.called for h in self.holdings], costs, earned, granted)

    def charge(self, t: int) -> None:
        """Interest and fees of the quarter that ends now; at close no quarter has gone by."""
        for h in self.holdings:
            if not h.is_lent() or t == 0:
                continue
            h.due = h.balance * self.rate(h.note, t)
            if h.note.compounds:
                h.due += h.owed * self.rate(h.note, t)
            h.due += (h.note.commitment - h.drawn) * a_quarter(h.note.undrawn_fee)

    def call(self, amount: float) -> float:
        """Call money: from all by commitment, or from the last rank upwards."""
        whole = [self.holdings]
        groups = whole if self.fund.calls.order == "together" else self.ranks()[::-1]
        left = amount
        for group in groups:
            commitments = sum(h.note.commitment for h in group)
            undrawn = sum(h.note.commitment - h.drawn for h in group)
            here = min(left, max(0.0, undrawn))
            for h in group:
                h.called = here * h.note.commitment / commitments
            left -= here
        for h in self.holdings:
            h.drawn += h.called
            if not isinstance(h.note.rate, Granted):
                h.balance += h.called
            if isinstance(h.note.rate, Residual) and h.note.rate.cap is not None:
                h.for_its_cap = h.for_its_cap * (1 + a_quarter(h.note.rate.cap)) + h.called
        return amount - left

    def call_for_later(self, t: int, short: float) -> None:
        """Call what will be short when the notice has passed."""
        notice = self.fund.calls.notice_quarters
        for s in range(t + 1, min(self.last, t + notice) + 1):
            short += self.needs(s)
        short -= self.waiting + self.held + self.retained + sum(self.coming)
        undrawn = sum(h.note.commitment - h.drawn for h in self.holdings) - sum(self.coming)
        self.coming.append(max(0.0, min(short, undrawn)))

    def take(self, amount: float, purses: list[str]) -> float:
        """Take from purses in order; what could not be taken."""
        for purse in purses:
            here = min(amount, getattr(self, purse))
            setattr(self, purse, getattr(self, purse) - here)
            amount -= here
        return amount

    def money_out(self, t: int, now: Moves, line: Line) -> None:
        """The waterfall."""
        from_deals = [a + b for a, b in zip(now.back, now.pool, strict=True)]
        self.cash = sum(from_deals) + line.earned
        for d, amount in enumerate(from_deals):
            self.came_back[d] += amount
        line.value = self.value(t)
        self.test(t, line.value)
        line.locked = self.locked
        if t == self.last or self.draws_to_come(t) <= 0:
            self.cash += self.waiting + self.retained + self.held
            self.waiting = self.retained = self.held = 0.0
        if t == self.last:
            self.cash += self.reserve
            self.reserve = 0.0
        line.arrears = min(self.cash, self.unpaid_costs)
        self.cash -= line.arrears
        self.unpaid_costs -= line.arrears
        self.pay_interest(False)
        self.redeem(t)
        self.fill_reserve(t)
        self.pay_interest(True)
        self.keep_to_recycle(t)
        self.repay()
        if t == self.last:
            self.pay_what_waited()
            self.locked = False
        line.carry = self.share_out(t, now)
        self.claw_back(t)
        if t == self.last:
            line.surplus = self.cash
        else:
            self.held += self.cash
        for what in ("interest", "redeemed", "principal", "more", "clawed", "balance", "owed"):
            setattr(line, what, [getattr(h, what) for h in self.holdings])
        line.cash = self.waiting + self.held + self.retained + self.reserve

    def value(self, t: int) -> float:
        """Deals at the lower of cost and forecast."""
        worth = 0.0
        for plan, put_in, came in zip(self.plans, self.put_in, self.came_back, strict=True):
            seen = max(0, t + 1 - self.fund.late)
            planned = sum(plan.back[:seen])
            as_planned = min(1.0, came / planned) if planned > 0 else 1.0
            worth += min(max(0.0, put_in - came), as_planned * sum(plan.back[seen:]))
        return worth

    def test(self, t: int, value: float) -> None:
        """The trigger: on from a failed test until all have passed for some quarters, or for good."""
        trigger = self.fund.waterfall.trigger
        if trigger is None:
            return
        protected = [h for h in self.holdings if h.is_lent() and self.protects(h)]
        self.income.append(self.cash)
        self.protected_due.append(sum(h.due for h in protected))
        for test in trigger.tests.values():
            if t < test.first_quarter:
                continue
            if test.kind == "interest":
                have, need = sum(self.income[-test.window :]), sum(self.protected_due[-test.window :])
            else:
                have = value + self.cash + self.waiting + self.held + self.retained + self.reserve
                need = sum(h.balance + h.owed + h.due for h in protected)
            if have < test.at_least * need - ROUNDING:
                self.last_failed = t
        self.locked = self.last_failed is not None and (
            not trigger.curable or t - self.last_failed < trigger.cure_quarters
        )
        owed = sum(h.balance + h.owed + h.due for h in protected)
        if owed <= HALF_A_PENNY and self.draws_to_come(t) <= 0:
            self.locked = False

    def in_rank_order(self, wanted: dict[int, float], cash: float) -> dict[int, float]:
        """Who has how much of ``cash``: rank after rank, in a rank by what is wanted."""
        places = {id(h): i for i, h in enumerate(self.holdings)}
        paid = dict.fromkeys(wanted, 0.0)
        for group in self.ranks():
            mine = [places[id(h)] for h in group if places[id(h)] in wanted]
            all_of_it = sum(wanted[i] for i in mine)
            if all_of_it <= 0:
                continue
            share = min(1.0, cash / all_of_it)
            for i in mine:
                paid[i] = wanted[i] * share
            cash = max(0.0, cash - all_of_it)
        return paid

    def pay_interest(self, deferrable: bool) -> None:
        """Interest in rank order; what may not be put off is paid out of the reserve too."""
        mine = [i for i, h in enumerate(self.holdings) if h.is_lent() and h.note.deferrable == deferrable]
        wanted = {i: self.holdings[i].owed + self.holdings[i].due for i in mine}
        open_to = {i: x for i, x in wanted.items() if not self.shut_out(self.holdings[i])}
        paid = self.in_rank_order(open_to, self.cash + (0.0 if deferrable else self.reserve))
        for i in mine:
            h = self.holdings[i]
            h.interest = paid.get(i, 0.0)
            unpaid = wanted[i] - h.interest
            h.owed = unpaid if unpaid > HALF_A_PENNY else 0.0
            h.missed = h.missed or (not deferrable and h.owed > 0)
        self.take(sum(paid.values()), ["cash", "reserve"])

    def pay_what_waited(self) -> None:
        """In the last row interest that a lock-up passed over is paid, in rank order, once principal is."""
        paid = self.in_rank_order({i: h.owed for i, h in enumerate(self.holdings)}, self.cash)
        for i, amount in paid.items():
            self.holdings[i].interest += amount
            self.holdings[i].owed -= amount
        self.take(sum(paid.values()), ["cash"])

    def redeem(self, t: int) -> None:
        """In a window holders have their money back at par, in rank order, as far as the reserve goes."""
        wanted = {}
        for i, h in enumerate(self.holdings):
            terms = h.note.retail.redemption if h.note.retail is not None else None
            if terms is None or self.locked or t < terms.first or (t - terms.first) % terms.every:
                continue
            wanted[i] = terms.asked_for * h.balance
        for i, amount in self.in_rank_order(wanted, self.reserve).items():
            self.holdings[i].redeemed = amount
            self.holdings[i].balance -= amount
            self.reserve -= amount
        self.reserve = max(0.0, self.reserve)

    def fill_reserve(self, t: int) -> None:
        """Fill the reserve, or let go what is over its target."""
        if t == self.last:
            return
        change = min(self.cash, self.to_keep(t) - self.reserve)
        self.reserve += change
        self.cash -= change

    def keep_to_recycle(self, t: int) -> None:
        """In the investment period keep what deals are still to draw, within the limit."""
        terms = self.fund.recycling
        if t > terms.until_quarter or t == self.last:
            return
        limit = terms.limit * sum(h.note.commitment for h in self.holdings)
        room = min(limit - self.recycled, self.draws_to_come(t)) - self.retained
        kept = max(0.0, min(self.cash, room))
        self.retained += kept
        self.cash -= kept

    def repay(self) -> None:
        """Principal rank after rank, or by balance while no trigger is on."""
        wanted = {i: h.balance for i, h in enumerate(self.holdings) if h.is_lent()}
        all_of_it = sum(wanted.values())
        if self.fund.waterfall.principal == "pro-rata" and not self.locked and all_of_it > 0:
            paid = {i: x * min(1.0, self.cash / all_of_it) for i, x in wanted.items()}
        else:
            paid = self.in_rank_order(wanted, self.cash)
        for i, amount in paid.items():
            self.holdings[i].principal = amount
            self.holdings[i].balance = max(0.0, self.holdings[i].balance - amount)
        self.cash = max(0.0, self.cash - sum(paid.values()))

    # residual notes and the manager

    def preferred_grows(self, granted: Sequence[float]) -> None:
        """A quarter of preferred return on what is not yet back, and what was put in now."""
        if self.fund.carry is None:
            return
        grown = 1 + a_quarter(self.fund.carry.preferred)
        paid_in = sum(h.called for h in self.holdings if h.is_residual())
        for purse, amount in ((self.whole, paid_in), *zip(self.by_deal, granted, strict=True)):
            purse.preferred = purse.preferred * grown + amount
            purse.investors -= amount

    def managers_part(self, purse: Purse, cash: float) -> None:
        """Divide cash: capital and preferred return, catch-up, then by share."""
        terms = self.fund.carry
        assert terms is not None
        first = min(cash, purse.preferred)
        purse.preferred -= first
        purse.investors += first
        cash -= first
        if terms.catch_up > terms.share:
            # the manager is behind by this much, and each pound of the tier makes up for catch_up - share
            behind = terms.share * (purse.investors + purse.manager) - purse.manager
            tier = max(0.0, min(cash, behind / (terms.catch_up - terms.share)))
            purse.manager += terms.catch_up * tier
            purse.investors += (1 - terms.catch_up) * tier
            cash -= tier
        purse.manager += terms.share * cash
        purse.investors += (1 - terms.share) * cash

    def share_out(self, t: int, now: Moves) -> float:
        """What is left to residual notes, the manager's share taken out; what the manager has.

        What the budget still needs at today's prices stays in the fund.
        """
        lent = [h for h in self.holdings if h.is_lent()]
        residual = [h for h in self.holdings if h.is_residual()]
        waits = (
            self.locked
            or (bool(lent) and self.draws_to_come(t) > 0)
            or any(h.owed > HALF_A_PENNY for h in lent)
        )
        free = max(0.0, self.cash - max(0.0, self.costs_to_come(t) * now.level - self.held))
        offered = 0.0 if waits or not residual else free
        self.cash -= offered
        carry = self.carry(offered, [a + b for a, b in zip(now.back, now.pool, strict=True)])
        offered -= carry
        for group in self.ranks():
            mine = [h for h in group if h.is_residual()]
            # by what each paid in, again and again: what one may not have goes to those beside it
            parts = [0.0 for _ in mine]
            nobody_paid = sum(h.drawn for h in mine) <= 0
            for _ in mine:
                rooms = [self.room(h) - part for h, part in zip(mine, parts, strict=True)]
                weights = [
                    (1.0 if nobody_paid else h.drawn) if room > ROUNDING else 0.0
                    for h, room in zip(mine, rooms, strict=True)
                ]
                if sum(weights) <= 0:
                    break
                more = [
                    min(offered * weight / sum(weights), max(0.0, room))
                    for weight, room in zip(weights, rooms, strict=True)
                ]
                parts = [a + b for a, b in zip(parts, more, strict=True)]
                offered = max(0.0, offered - sum(more))
            for h, one in zip(mine, parts, strict=True):
                h.for_its_cap = max(0.0, h.for_its_cap - one)
                h.principal = min(one, h.balance)
                h.balance -= h.principal
                h.more = one - h.principal
        self.cash += offered
        return carry

    def room(self, holding: Holding) -> float:
        """What a residual note may still have now."""
        assert isinstance(holding.note.rate, Residual)
        return holding.for_its_cap if holding.note.rate.cap is not None else 1e15

    def carry(self, offered: float, back: Sequence[float]) -> float:
        """What the manager has of what residual notes would have: of the whole fund, or deal by deal."""
        terms = self.fund.carry
        if terms is None:
            return 0.0
        before = self.whole.manager
        self.managers_part(self.whole, offered)
        carry = self.whole.manager - before
        if terms.style == "american":
            for purse, amount in zip(self.by_deal, back, strict=True):
                self.managers_part(purse, amount)
            earned = sum(purse.manager for purse in self.by_deal)
            carry = min(offered, max(0.0, earned - self.managers))
        self.managers += carry
        return carry

    def claw_back(self, t: int) -> None:
        """At the end the manager hands back what is over its share of the whole fund."""
        terms = self.fund.carry
        if terms is None or terms.style == "european" or t < self.last:
            return
        over = max(0.0, self.managers - self.whole.manager)
        residual = [h for h in self.holdings if h.is_residual()]
        drawn = sum(h.drawn for h in residual)
        for h in residual:
            h.clawed = over * (h.drawn / drawn if drawn > 0 else 1 / len(residual))
        self.managers -= over
