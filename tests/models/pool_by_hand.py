"""The loan book and the loan pool again, from their term sheets, one path at a time.

Plain floats, loops and dictionaries, in the order of ``docs/structures/loan-pool.md`` and
``docs/structures/guarantees.md``; nothing of the package is used but its terms (what stands in a file) and
its random numbers. Less than half a penny counts as nil where the page says so.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any

from socialfinance.instruments.guarantees import Layer
from socialfinance.instruments.loan_pool import LoanPool
from socialfinance.programmes.loan_book import LoanBook, Segment

HALF_A_PENNY = 0.005
A_HAIR = 1e-9
NO_LIMIT = math.inf
NORMAL = NormalDist()
PAYMENTS_A_YEAR = {"annual effective": 1, "nominal half-yearly": 2, "nominal quarterly": 4}


@dataclass
class Draws:
    """What one path drew, by row or once. In the plan case: the plan, and counts are expected values."""

    rows: int
    economy: float | None
    """none: every default rate is its mean"""
    volume: Mapping[str, list[float]]
    default: Mapping[str, float]
    lost: Mapping[str, list[float]]
    prepayment: Mapping[str, list[float]]
    overrun: Mapping[str, list[float]]
    level: Mapping[str, list[float]]
    shock: list[bool]
    failure: list[list[float]]
    """by row, by layer: uniforms; 1 never fails"""
    void: list[float]
    """by layer"""
    count: Callable[[str, str, int, int, float, float], float]
    """how many loans: (segment, default or early, quarter of life, row, loans, chance)"""


@dataclass
class Entry:
    """One payment."""

    row: int
    payer: str
    payee: str
    reason: str
    amount: float


@dataclass
class Books:
    """Everything that was paid on one path, and the pool's own figures."""

    journal: list[Entry] = field(default_factory=list)
    made: float = 0.0
    defaults: float = 0.0
    lent: float = 0.0
    lost: float = 0.0
    borne: list[float] = field(default_factory=list)
    drawn: float = 0.0
    worst_arrears: float = 0.0
    stopped: bool = False
    cash: list[float] = field(default_factory=list)
    in_delay: float = 0.0
    """accepted and not yet paid after the last row"""


# --- the loan book -------------------------------------------------------------------------------------


class Loan:
    """What one loan of a segment owes and pays in each quarter a = 1 … term of its life."""

    def __init__(self, segment: Segment) -> None:
        self.interest_rate = (
            segment.rate / 4 if segment.basis == "nominal quarterly" else (1 + segment.rate) ** 0.25 - 1
        )
        i, m = self.interest_rate, segment.term - segment.holiday
        level = segment.size / m if i == 0 else segment.size * i / (1 - (1 + i) ** -m)
        left = segment.size
        self.balance, self.principal = [0.0], [0.0]
        for a in range(1, segment.term + 1):
            self.balance.append(left)
            due = 0.0
            if segment.repayment == "bullet":
                due = segment.size if a == segment.term else 0.0
            elif a > segment.holiday:
                due = segment.size / m if segment.repayment == "eip" else level - left * i
            self.principal.append(due)
            left -= due


class Book:
    """The loan book on one path."""

    def __init__(self, book: LoanBook, draws: Draws) -> None:
        self.book, self.draws = book, draws
        self.loan = {name: Loan(one) for name, one in book.segments.items()}
        self.alive: dict[tuple[str, int], float] = {}
        """loans outstanding by segment and row in which they were made"""
        self.approved = dict.fromkeys(book.segments, 0.0)
        self.short = dict.fromkeys(book.segments, 0.0)
        self.default_in: dict[str, list[float]] = {name: [0.0] * draws.rows for name in book.segments}
        """principal that defaulted, by segment and row"""

    def by_quarter(self, name: str, a: int) -> float:
        """P(a), or P(a | z)."""
        segment, p = self.book.segments[name], min(1.0, max(0.0, self.draws.default[name]))
        if segment.default_timing:
            chance = p * min(1.0, sum(segment.default_timing[:a]))
        elif segment.default_basis == "a year":
            chance = 1 - (1 - p) ** (a / 4)
        else:
            chance = 1 - (1 - p) ** (a / segment.term)
        z, rho = self.draws.economy, segment.correlation
        if z is None or rho == 0 or not 0 < chance < 1:
            return chance
        return NORMAL.cdf((NORMAL.inv_cdf(chance) - math.sqrt(rho) * z) / math.sqrt(1 - rho))

    def hazard(self, name: str, a: int, t: int) -> float:
        """Chance that a loan in quarter a of its life defaults in row t."""
        before = self.by_quarter(name, a - 1) if a > 1 else 0.0
        found = (self.by_quarter(name, a) - before) / (1 - before) if before < 1 else 0.0
        return min(1.0, found * self.book.default_in_shock) if self.draws.shock[t] else found

    def row(self, t: int, scale: float) -> None:
        """Everything that happens to loans in one row."""
        self.made = dict.fromkeys(self.book.segments, 0.0)
        self.loans = self.principal_at_start = 0.0
        self.defaults = self.interest = self.principal = self.early = self.lent = 0.0
        self.recovered = dict.fromkeys(self.book.segments, 0.0)
        self.lost = dict.fromkeys(self.book.segments, 0.0)
        for name in self.book.segments:
            self._segment(name, t, scale)
        self.outstanding = sum(
            n * self.loan[name].balance[t - made + 1]
            for (name, made), n in self.alive.items()
            if t - made + 1 <= self.book.segments[name].term
        )

    def _segment(self, name: str, t: int, scale: float) -> None:
        segment, loan, draws = self.book.segments[name], self.loan[name], self.draws
        for made in [m for n, m in self.alive if n == name]:
            a = t - made
            there = self.alive.pop((name, made))
            self.loans += there
            self.principal_at_start += there * loan.balance[a]
            bad = draws.count(name, "default", a, t, there, self.hazard(name, a, t))
            good = there - bad
            self.defaults += bad
            self.default_in[name][t] += bad * loan.balance[a]
            self.interest += good * loan.balance[a] * loan.interest_rate
            self.principal += good * loan.principal[a]
            chance = 1 - (1 - min(1.0, max(0.0, draws.prepayment[name][t]))) ** 0.25
            gone = draws.count(name, "early", a, t, good, chance) if segment.prepayment != 0.0 else 0.0
            self.early += gone * (loan.balance[a] - loan.principal[a])
            if a < segment.term:
                self.alive[name, made] = good - gone
        self.made[name] = float(math.floor(self.approved[name] * scale + A_HAIR))
        self.lent += self.made[name] * segment.size
        if self.made[name] > 0:
            self.alive[name, t] = self.made[name]
        planned = segment.planned[t] if t < len(segment.planned) else 0.0
        last = len(draws.volume[name]) - 1
        wanted = self.short[name] + planned * max(0.0, draws.volume[name][min(t + 1, last)])
        self.approved[name] = float(math.floor(wanted + A_HAIR))
        self.short[name] = max(0.0, wanted - self.approved[name])
        due = self.default_in[name][t - segment.recovery_lag] if t >= segment.recovery_lag else 0.0
        self.lost[name] = due * min(1.0, max(0.0, draws.lost[name][t]))
        self.recovered[name] = due - self.lost[name]

    def costs(self, t: int) -> dict[str, tuple[float, float]]:
        """By cost line: cost of the row, and of it what was for making loans."""
        found = {}
        for name, line in self.book.costs.items():
            last = self.book.last_quarter if line.last_quarter is None else line.last_quarter
            fixed = line.per_quarter if line.first_quarter <= t <= last else 0.0
            fixed += line.one_off if t == line.first_quarter else 0.0
            making = line.per_loan_made * sum(self.made.values())
            rest = line.per_loan * self.loans + ((1 + line.of_balance) ** 0.25 - 1) * self.principal_at_start
            at = max(0.0, self.draws.overrun[name][t]) * self.draws.level[name][t]
            found[name] = ((fixed + making + rest) * at, making * at)
        return found

    def approved_cost(self, t: int) -> float:
        """What it would cost to make all loans that are approved."""
        return sum(
            line.per_loan_made * sum(self.approved.values())
            * max(0.0, self.draws.overrun[name][t]) * self.draws.level[name][t]
            for name, line in self.book.costs.items()
        )  # fmt: skip


# --- who stands behind it ---------------------------------------------------------------------------------


@dataclass
class Guarantee:
    """One layer and what has happened to it."""

    terms: Layer
    seen: float = 0.0
    accepted: dict[int, float] = field(default_factory=dict)
    """by row"""
    owed_back: float = 0.0
    failed: bool = False

    def edges(self, fund: float, drawn: float) -> tuple[float, float]:
        """Where its slice begins and ends, pounds."""
        scale = {"pounds": 1.0, "share of commitment": fund, "share of drawn": drawn}[self.terms.unit]
        detach = NO_LIMIT if self.terms.detach is None else self.terms.detach * scale
        return self.terms.attach * scale, detach

    def slice(self, loss: float, fund: float, drawn: float) -> float:
        """The part of a loss inside its slice."""
        attach, detach = self.edges(fund, drawn)
        return min(max(loss - attach, 0.0), detach - attach)

    def room(self, t: int, drawn: float) -> float:
        """What its caps over the life leave."""
        limits = [NO_LIMIT]
        if self.terms.cap is not None:
            limits.append(self.terms.cap)
        if self.terms.cap_rate is not None:
            limits.append(self.terms.cap_rate * drawn)
        if self.terms.schedule:
            amounts = [one.amount for one in self.terms.schedule if one.from_quarter <= t]
            limits.append(amounts[-1] if amounts else 0.0)
        return min(limits) - sum(self.accepted.values())

    def year(self, t: int) -> float:
        """What its cap a year leaves in the year of row t: rows 0 to 4, then 5 to 8 and so on."""
        if self.terms.cap_a_year is None:
            return NO_LIMIT
        mine = max(0, (t - 1) // 4)
        return self.terms.cap_a_year - sum(
            x for row, x in self.accepted.items() if max(0, (row - 1) // 4) == mine
        )

    def would_accept(self, t: int, new: float, left: float, fund: float, drawn: float, yearly: bool) -> float:
        """Of a new loss."""
        before, after = self.slice(self.seen, fund, drawn), self.slice(self.seen + new, fund, drawn)
        claim = self.terms.cover * (after - before)
        limits = [claim, self.room(t, drawn), left]
        if yearly:
            limits += [self.year(t), self.terms.cover * after - sum(self.accepted.values())]
        return 0.0 if self.failed else max(0.0, min(limits))


# --- the pool ---------------------------------------------------------------------------------------------


class Pool:
    """The pool on one path."""

    def __init__(
        self,
        book: LoanBook,
        pool: LoanPool,
        draws: Draws,
        cost: list[float],
        running: list[float],
        commitment: float,
        layers: bool,
    ) -> None:
        self.terms, self.draws, self.commitment = pool, draws, commitment
        self.planned_cost, self.running = cost, running
        """by row, in the plan"""
        self.book = Book(book, draws)
        self.share = pool.grant.share if pool.grant else 0.0
        self.fund = commitment / (1 - self.share)
        self.limitless = not layers
        """for the plan from which the commitment is taken"""
        self.layers = [Guarantee(one) for one in pool.layers] if layers else []
        self.books = Books(borne=[0.0] * len(self.layers))
        self.calls: list[dict[int, float]] = [defaultdict(float) for _ in self.layers]
        self.covered: dict[tuple[str, int], list[float]] = {}
        """by segment and row of default: what each layer accepted"""
        self.cash = self.drawn = self.returned = self.owed = 0.0
        self.lent = self.defaulted = self.outstanding = 0.0
        self.arrears: dict[str, float] = defaultdict(float)
        self.fees = [0.0] * len(self.layers)
        self.scale = 1.0
        if pool.rate is not None:
            assert pool.rate.value is not None
            assert pool.rate.basis is not None
            n = PAYMENTS_A_YEAR[pool.rate.basis]
            self.rate = (1 + (pool.rate.value + pool.rate.margin) / n) ** (n / 4) - 1
        self.lending = max(
            (q + 1 for one in book.segments.values() for q, n in enumerate(one.planned) if n > 0), default=0
        )

    def pay(self, t: int, payer: str, payee: str, reason: str, amount: float) -> None:
        """Book a payment."""
        if amount != 0.0:
            self.books.journal.append(Entry(t, payer, payee, reason, amount))

    def row(self, t: int) -> None:
        """One row, in the order of the page."""
        terms, book, last = self.terms, self.book, self.draws.rows - 1
        was_stopped = self.books.stopped
        book.row(t, self.scale)
        # 1
        self.pay(t, "outside", "vehicle", "interest", book.interest)
        self.pay(t, "outside", "vehicle", "principal", book.principal + book.early)
        self.pay(t, "outside", "vehicle", "recovery", sum(book.recovered.values()))
        cash = self.cash + book.interest + book.principal + book.early + sum(book.recovered.values())
        # 4, before this row's losses: what is covered of what was outstanding
        fees = [owed + fee for owed, fee in zip(self.fees, self._running_fees(t), strict=True)]
        # 2
        cash += self._losses(t)
        # 3
        cash -= self._share(t)
        # 4
        bill: dict[str, float] = defaultdict(float, self.arrears)
        for name, (cost, _) in book.costs(t).items():
            line = book.book.costs[name]
            bill[line.paid_to] += cost
            self.pay(t, line.paid_to, "outside", line.reason, cost)
        mine = [one.terms.fee.paid_by == "vehicle" for one in self.layers]
        owed_fees = sum(fee for fee, ours in zip(fees, mine, strict=True) if ours)
        income = max(0.0, book.interest - sum(bill.values()) - owed_fees)
        if terms.rate is None:
            self.owed += income
        else:
            self.owed = self.owed * (1 + self.rate) + max(0.0, self.drawn - self.returned) * self.rate
        # 5
        if t <= self.lending and not was_stopped:
            set_aside = min(income, self.owed)
            rest = sum(bill.values()) + owed_fees + set_aside
            if t <= terms.revolving_quarters:
                need = max(0.0, book.lent + rest - cash)
            else:
                need = book.lent + max(0.0, rest - cash)
            asked = min(need * (1 - self.share), max(0.0, self.commitment - self.drawn))
            if asked > HALF_A_PENNY:
                grant = asked * self.share / (1 - self.share)
                self.pay(t, "investor", "vehicle", "drawdown", asked)
                self.pay(t, terms.grant.by if terms.grant else "", "vehicle", "grant", grant)
                self.drawn += asked
                cash += asked + grant
        # 6
        self.pay(t, "vehicle", "outside", "drawdown", book.lent)
        cash -= book.lent
        met = min(1.0, max(0.0, cash) / owed_fees) if owed_fees > 0 else 1.0
        for i, one in enumerate(self.layers):
            paid = fees[i] * met if mine[i] else fees[i]
            self.pay(t, one.terms.fee.paid_by, one.terms.guarantor, "guarantee fee", paid)
            self.fees[i] = fees[i] - paid
        cash -= owed_fees * met
        whole = sum(bill.values())
        met = min(1.0, max(0.0, cash) / whole) if whole > 0 else 1.0
        for role, amount in bill.items():
            self.pay(t, "vehicle", role, "service payment", amount * met)
            self.arrears[role] = amount * (1 - met)
        cash -= whole * met
        self.books.worst_arrears = max(self.books.worst_arrears, whole * (1 - met))
        # stopped
        self.lent += book.lent
        self.defaulted += sum(book.default_in[name][t] for name in book.book.segments)
        if terms.stop_lending_at is not None and self.lent > 0 and not self.limitless:
            self.books.stopped |= self.defaulted / self.lent >= terms.stop_lending_at - 1e-12
        stopped = self.books.stopped
        # 7
        ahead = sum(self.running[t + 1 : t + 1 + terms.reserve_quarters])
        reserve = min(max(0.0, cash), ahead) if t >= self.lending or stopped else 0.0
        # 8
        interest = self._worth(min(cash - reserve, self.owed))
        self.pay(t, "vehicle", "investor", "interest" if terms.rate else "investor return", interest)
        self.owed -= interest
        cash -= interest
        # 9
        lent_again = t < terms.revolving_quarters and t < last and not stopped
        capital = 0.0 if lent_again else self._worth(min(cash - reserve, self.drawn - self.returned))
        self.pay(t, "vehicle", "investor", "capital returned", capital)
        self.returned += capital
        cash -= capital
        # 10
        clear = self.drawn - self.returned <= HALF_A_PENNY and self.owed <= HALF_A_PENNY
        if t >= min(self._over(), last) and clear and not lent_again:
            surplus = self._worth(cash - reserve)
            self.pay(t, "vehicle", terms.surplus.to, "surplus share", surplus)
            cash -= surplus
        # 11
        self.cash = cash
        self.outstanding = book.outstanding
        self.scale = 0.0 if stopped else self._next(t, cash, lent_again)
        if self.limitless:
            self.scale = 1.0
        self.books.cash.append(cash)

    @staticmethod
    def _worth(amount: float) -> float:
        """Payments of half a penny or less are not made."""
        return amount if amount > HALF_A_PENNY else 0.0

    def _running_fees(self, t: int) -> list[float]:
        """Each layer's fee on what it covers of what was outstanding after the row before, and upfront."""
        found, left = [], self.outstanding
        for one in self.layers:
            new = self.outstanding if one.terms.of == "the whole loss" else left
            covers = one.would_accept(t, new, left, self.fund, self.lent, yearly=False)
            left -= covers
            fee = covers * ((1 + one.terms.fee.running) ** 0.25 - 1)
            if t == 0:
                fee += one.terms.fee.upfront * self._most_covered(one)
            found.append(fee)
        return found

    def _most_covered(self, one: Guarantee) -> float:
        """The most a layer covers on the commitment (the fund)."""
        terms, fund = one.terms, self.fund
        attach, detach = one.edges(fund, fund)
        limits = [terms.cover * max(0.0, min(detach, fund) - attach)]
        limits += [terms.cap] if terms.cap is not None else []
        limits += [terms.cap_rate * fund] if terms.cap_rate is not None else []
        limits += (
            [terms.cap_a_year * math.ceil((self.draws.rows - 1) / 4)] if terms.cap_a_year is not None else []
        )
        limits += [max(step.amount for step in terms.schedule)] if terms.schedule else []
        return min(limits)

    def _losses(self, t: int) -> float:
        """The row's loss to the layers in order; calls that fall due."""
        book, paid = self.book, 0.0
        at_default = self.terms.claims == "at default"
        by_segment = {
            name: book.default_in[name][t] if at_default else book.lost[name] for name in book.book.segments
        }
        loss = sum(by_segment.values())
        left, drawn = loss, self.lent + book.lent
        accepted = []
        for i, one in enumerate(self.layers):
            new = loss if one.terms.of == "the whole loss" else left
            one.failed |= self.draws.failure[t][i] < 1 - (1 - one.terms.failure) ** 0.25
            takes = one.would_accept(t, new, left, self.fund, drawn, yearly=True)
            if self.draws.void[i] <= one.terms.enforceability.void:
                takes = 0.0
            one.seen += new
            one.accepted[t] = takes
            one.owed_back += takes
            left -= takes
            accepted.append(takes)
            if t + one.terms.claim_lag < self.draws.rows:
                self.calls[i][t + one.terms.claim_lag] += takes
            else:
                self.books.in_delay += takes
            self.pay(t, one.terms.guarantor, "vehicle", "guarantee call", self.calls[i][t])
            paid += self.calls[i][t]
        for name, mine in by_segment.items():
            self.covered[name, t] = [x * mine / loss if loss > 0 and at_default else 0.0 for x in accepted]
        return paid

    def _share(self, t: int) -> float:
        """Recoveries shared with layers; what they get."""
        if self.terms.claims != "at default":
            return 0.0
        shared = [0.0] * len(self.layers)
        for name, segment in self.book.book.segments.items():
            when = t - segment.recovery_lag
            if when < 0:
                continue
            cash = self.book.recovered[name]
            owed = list(self.covered[name, when])
            kept = max(0.0, self.book.default_in[name][when] - sum(owed))
            for rank in ("guarantor first", "pro rata", "lender first"):
                mine = [i for i, one in enumerate(self.layers) if one.terms.recoveries == rank]
                pool = sum(owed[i] for i in mine) + (kept if rank == "pro rata" else 0.0)
                share = min(1.0, cash / pool) if pool > 0 else 0.0
                for i in mine:
                    shared[i] += owed[i] * share
                cash = max(0.0, cash - pool)
        for one, amount in zip(self.layers, shared, strict=True):
            self.pay(t, "vehicle", one.terms.guarantor, "recovery", amount)
            one.owed_back = max(0.0, one.owed_back - amount)
        return sum(shared)

    def _over(self) -> int:
        """The row from which nothing of the book is left and no cost is planned any more."""
        book = self.book.book
        ends = [0]
        for segment in book.segments.values():
            made = [q + 1 for q, n in enumerate(segment.planned) if n > 0]
            ends.append(max(made, default=0) + segment.term + segment.recovery_lag)
        ends += [row for row, cost in enumerate(self.planned_cost) if cost > HALF_A_PENNY]
        return max(ends)

    def _next(self, t: int, cash: float, lent_again: bool) -> float:
        """The share of what is approved that may be lent in the next row."""
        terms, book = self.terms, self.book
        lending = sum(n * book.book.segments[name].size for name, n in book.approved.items())
        needed = lending + book.approved_cost(t)
        kept = sum(self.running[t + 1 : t + 1 + max(1, terms.reserve_quarters)])
        own = cash if lent_again else 0.0
        undrawn = max(0.0, self.commitment - self.drawn) / (1 - self.share)
        scale = min(1.0, max(0.0, own + undrawn - kept) / needed) if needed > 0 else 1.0
        if terms.most_lending > 1:
            more = max(0.0, own - kept) / needed if needed > 0 else 0.0
            scale = max(scale, min(terms.most_lending, more))
        if terms.most_lent is not None and lending > 0:
            scale = min(scale, max(0.0, terms.most_lent - self.lent) / lending)
        return scale

    def finish(self) -> Books:
        """The figures of the deal."""
        books = self.books
        books.lent, books.drawn = self.lent, self.drawn
        books.borne = [one.owed_back for one in self.layers]
        return books


def by_hand(book: LoanBook, pool: LoanPool, plan: Draws, draws: Draws) -> Books:
    """The whole deal on one path; ``plan`` are the plan's draws."""
    alone = Book(book, plan)
    running, cost = [], []
    for t in range(plan.rows):
        alone.row(t, 1.0)
        lines = alone.costs(t).values()
        cost.append(sum(whole for whole, _ in lines))
        running.append(sum(whole - making for whole, making in lines))

    def worked(which: Draws, commitment: float, layers: bool) -> Books:
        one = Pool(book, pool, which, cost, running, commitment, layers)
        for t in range(which.rows):
            one.row(t)
            one.books.made += sum(one.book.made.values())
            one.books.defaults += one.book.defaults
            one.books.lost += sum(one.book.lost.values())
        return one.finish()

    amount = pool.commitment.amount
    if amount is None:
        assert pool.commitment.peak_need is not None
        amount = worked(plan, 1e15, False).drawn * pool.commitment.peak_need
    return worked(draws, amount, True)


def draws_of(futures: Any, own: list[Any], path: int) -> Draws:
    """One path's draws out of a block's (column ``path``), or the draws of a case."""
    from socialfinance.kernels.luck import count
    from socialfinance.scenarios.sources import at

    rows, book = futures.rows, futures.ready.programme

    def one(x: Any) -> float:
        return float(x[path]) if getattr(x, "ndim", 0) == 1 else float(x)

    def by_row(x: Any) -> list[float]:
        return [one(at(x, t)) for t in range(rows)]

    def counted(segment: str, of: str, a: int, t: int, loans: float, chance: float) -> float:
        luck = futures.source.luck(f"segments.{segment}.{of}", str(a - 1), (0.0,) * rows)[t]
        number = luck.path if isinstance(luck.path, int) else int(luck.path[path])
        return float(count(loans, chance, luck._replace(path=number)))

    names = list(book.segments)
    return Draws(
        rows=rows,
        economy=None if futures.economy is None else one(futures.economy),
        volume={name: by_row(x) for name, x in zip(names, futures.volume, strict=True)},
        default={name: one(x) for name, x in zip(names, futures.default, strict=True)},
        lost={name: by_row(x) for name, x in zip(names, futures.lost, strict=True)},
        prepayment={name: by_row(x) for name, x in zip(names, futures.early, strict=True)},
        overrun={name: by_row(x) for name, x in zip(book.costs, futures.overrun, strict=True)},
        level={name: [one(x) for x in level] for name, level in zip(book.costs, futures.levels, strict=True)},
        shock=[x > 0.0 for x in by_row(futures.shock_runs)],
        failure=[[one(x) for x in row.failure] for row in own],
        void=[one(x) for x in own[0].void],
        count=counted,
    )
