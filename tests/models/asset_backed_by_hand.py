"""A development and the asset-backed deal again, from their pages, one path at a time.

Plain floats, loops and dictionaries, in the order of ``docs/structures/development.md`` and
``asset-backed.md``; nothing of the package is used but its terms and its random numbers. Less than half a
penny counts as nil wherever a page asks whether an amount is nil.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from socialfinance.instruments.asset_backed import AssetBacked
from socialfinance.instruments.guarantees import Layer
from socialfinance.instruments.property import Indexation
from socialfinance.programmes.development import Development

HALF_A_PENNY = 0.005
BILLIONTH = 1e-9
Levels = Callable[[str | None, object], list[float]]


@dataclass
class Draws:
    """What one path drew, by row; ``level`` gives an index over a day."""

    rows: int
    value: Mapping[str, list[float]]
    """every uncertain input of the development, by name"""
    level: Levels
    rent_index: list[float]
    """the index of the structure's own rents"""
    shock_outcomes: list[float]
    shock_referrals: list[float]
    void: list[float]
    """by layer: uniform against the chance that a guarantee is void"""
    failure: list[list[float]]
    """by layer and row: uniform against the hazard of the guarantor"""


@dataclass
class Happened:
    """One row of the development."""

    costs: dict[str, float]
    receipts: float = 0.0
    rents: float = 0.0
    grant: float = 0.0
    cashable: dict[str, float] = field(default_factory=dict)
    freed: dict[str, float] = field(default_factory=dict)
    progress: float = 0.0
    consent_now: bool = False
    refused: bool = False
    finished: bool = False
    land: float = 0.0
    value: float = 0.0


class Site:
    """The development on one path."""

    def __init__(self, what: Development, draws: Draws) -> None:
        self.what, self.draws = what, draws
        self.waiting = self.progress = self.handed = 0.0
        self.consent = self.refused = False
        self.sold = dict.fromkeys(what.sales, 0.0)
        self.let = dict.fromkeys(what.lettings, 0.0)
        self.rent_level = {name: self.reviewed(name) for name in what.lettings}

    def reviewed(self, name: str) -> list[float]:
        """Rents over the price base: the index at close, then yearly reviews within the collar."""
        letting = self.what.lettings[name]
        index = self.draws.level(letting.index, letting.price_base)
        found = [index[0]]
        for t in range(1, self.draws.rows):
            rise = 1.0
            if t % 4 == 0:
                rise = index[t] / index[t - 4] + letting.above_index
                if letting.collar is not None:
                    rise = min(max(rise, 1.0 + letting.collar[0]), 1.0 + letting.collar[1])
                rise = min(max(rise, 0.0), 11.0)
            found.append(found[-1] * rise)
        return found

    def drawn(self, name: str, t: int) -> float:
        return self.draws.value[name][t]

    def curve(self, p: float) -> float:
        s = self.what.build.s_curve
        return p + s * p * (1.0 - p) * (2.0 * p - 1.0)

    def row(self, t: int, delivery: float, scale: float, kept: float) -> Happened:
        """One quarter."""
        what, alive = self.what, kept * (1.0 if t <= self.what.last_quarter else 0.0)
        consent_before, refused_before = self.consent, self.refused
        progress_before, handed_before = self.progress, self.handed
        let_before, sold_before = dict(self.let), dict(self.sold)
        consent_now = self.decide(t)
        if consent_before:
            pace = 1.0 / (what.build.quarters * max(0.1, self.drawn("build.delay", t)))
            self.progress = min(1.0, self.progress + pace * delivery)
            if self.progress >= 1.0 - BILLIONTH:
                self.progress = 1.0
        spent = (self.curve(self.progress) - self.curve(progress_before)) * kept
        phases = what.build.phases
        self.handed = math.floor(phases * self.progress + BILLIONTH) / phases

        shock = self.draws.shock_outcomes[t]
        receipts: dict[str, float] = {}
        for name, sale in what.sales.items():
            buyers = sale.per_quarter * max(0.0, self.drawn(f"sales.{name}.demand", t))
            wanted = sale.presold * sale.units * (self.handed - handed_before)
            wanted += buyers * self.draws.shock_referrals[t]
            sold = max(0.0, min(sale.units * self.handed - self.sold[name], wanted)) * scale * alive
            self.sold[name] += sold
            receipts[name] = sold * self.price(name, t)
        rents: dict[str, float] = {}
        for name, letting in what.lettings.items():
            rents[name] = self.let[name] * self.rent(name, t) * (1.0 - letting.unpaid) * alive
            tenants = letting.per_quarter * max(0.0, self.drawn(f"lettings.{name}.demand", t))
            full = letting.units * self.handed * (1.0 - self.void(name, t))
            tenants *= self.draws.shock_referrals[t] * scale
            self.let[name] = min(full, self.let[name] + tenants) * alive

        before = (handed_before, sold_before)
        costs = {
            name: self.cost(t, name, spent, alive, refused_before, before, receipts, rents)
            for name in what.costs
        }
        grant = 0.0
        if what.grant is not None:
            if progress_before <= 0.0 < self.progress:
                grant += what.grant.amount * what.grant.at_start * kept
            if progress_before < 1.0 <= self.progress:
                grant += what.grant.amount * (1.0 - what.grant.at_start) * kept
        cashable: dict[str, float] = {}
        freed: dict[str, float] = {}
        for name, saving in what.savings.items():
            units = let_before[saving.on] * kept if saving.on in what.lettings else sold_before[saving.on]
            worth = units * self.drawn(f"savings.{name}.unit_value", t)
            worth *= self.draws.level(saving.index, saving.price_base)[t] * (t <= what.last_quarter)
            cashable[name] = worth * saving.cashable
            freed[name] = worth * (1.0 - saving.cashable)
        land = what.land.value * self.drawn("land.market", t) * shock
        if self.consent:
            land *= 1.0 + self.drawn("planning.gain", t)
        return Happened(
            costs, sum(receipts.values()), sum(rents.values()), grant, cashable, freed, self.progress,
            consent_now, self.refused, self.progress >= 1.0 or self.refused, land, self.worth(t, land) * kept,
        )  # fmt: skip

    def cost(
        self, t: int, name: str, spent: float, alive: float, refused: bool,
        before: tuple[float, dict[str, float]], receipts: Mapping[str, float], rents: Mapping[str, float],
    ) -> float:  # fmt: skip
        """One cost line in one row; ``before``: what was handed over and sold after the row before."""
        line, what = self.what.costs[name], self.what
        today = max(0.0, self.drawn(f"costs.{name}.overrun", t))
        today *= self.draws.level(line.index, line.price_base)[t]
        last = what.last_quarter if line.last_quarter is None else line.last_quarter
        if line.works is not None:
            return line.works * spent * today
        if line.one_off is not None:
            return line.one_off * today * alive if t == line.first_quarter and not refused else 0.0
        if line.per_quarter is not None:
            falls = line.first_quarter <= t <= last and not refused
            return line.per_quarter * today * alive if falls else 0.0
        if line.of_sales is not None:
            return line.of_sales * sum(x for use, x in receipts.items() if line.on in (None, use))
        if line.of_rent is not None:
            return line.of_rent * sum(x for use, x in rents.items() if line.on in (None, use))
        handed, sold = before
        units = sum(
            sale.units * handed - sold[use] for use, sale in what.sales.items() if line.on in (None, use)
        )
        units += sum(
            letting.units * handed for use, letting in what.lettings.items() if line.on in (None, use)
        )
        assert line.per_unit is not None
        return line.per_unit * units * today * alive

    def decide(self, t: int) -> bool:
        """The way to the decision; true in the row of consent."""
        if self.consent or self.refused:
            return False
        quarters = self.what.planning.quarters if self.what.planning else 0
        if quarters == 0:
            self.waiting = 1.0
        elif t > 0:
            pace = 1.0 / (quarters * max(0.1, self.drawn("planning.delay", t)))
            self.waiting = min(1.0, self.waiting + pace)
        if self.waiting < 1.0 - BILLIONTH:
            return False
        self.consent = self.drawn("planning.granted", t) > 0.5
        self.refused = not self.consent
        return self.consent

    def price(self, name: str, t: int) -> float:
        sale = self.what.sales[name]
        level = self.draws.level(sale.index, sale.price_base)[t]
        return sale.price * self.drawn(f"sales.{name}.market", t) * level * self.draws.shock_outcomes[t]

    def rent(self, name: str, t: int) -> float:
        market = self.drawn(f"lettings.{name}.market", t) * self.draws.shock_outcomes[t]
        return self.what.lettings[name].rent * market * self.rent_level[name][t]

    def void(self, name: str, t: int) -> float:
        return min(1.0, max(0.0, self.drawn(f"lettings.{name}.void", t)))

    def worth(self, t: int, land: float) -> float:
        held = complete = 0.0
        for name, sale in self.what.sales.items():
            held += (sale.units * self.handed - self.sold[name]) * self.price(name, t)
            complete += sale.units * self.price(name, t)
        for name, letting in self.what.lettings.items():
            gross = max(0.01, self.drawn(f"lettings.{name}.gross_yield", t))
            each = 4.0 * self.rent(name, t) * (1.0 - self.void(name, t)) / gross
            held += letting.units * self.handed * each
            complete += letting.units * each
        before = self.curve(self.handed)
        s = (self.curve(self.progress) - before) / (1.0 - before) if before < 1.0 else 0.0
        return held + (1.0 - self.handed) * ((1.0 - s) * land + s * complete)


@dataclass
class Books:
    """Everything that was paid on one path: (row, payer role, payee role, reason) and pounds."""

    paid: dict[tuple[int, str, str, str], float] = field(default_factory=lambda: defaultdict(float))
    figures: dict[str, float] = field(default_factory=dict)

    def pay(self, t: int, payer: str, payee: str, reason: str, amount: float) -> None:
        assert amount >= -1e-9, (t, payer, payee, reason, amount)
        if amount > 0.0:
            self.paid[t, payer, payee, reason] += amount

    def save(self, t: int, what: Development, done: Happened) -> None:
        for name, saving in what.savings.items():
            self.pay(t, "outside", saving.agency, "saving", done.cashable[name])
            self.pay(t, "outside", saving.agency, "non-cashable saving", done.freed[name])


def reviewed(terms: Indexation, index: list[float], level: float, t: int, then: int) -> float:
    """The level after a review in row t, the last one (or the beginning) having been in row ``then``."""
    years = terms.every / 4.0
    rise = index[t] / index[then] + (1.0 + terms.above) ** years - 1.0
    if terms.rises is not None:
        rise = min(max(rise, (1.0 + terms.rises[0]) ** years), (1.0 + terms.rises[1]) ** years)
    return level * max(0.0, rise)


def quarterly(annual: float) -> float:
    return (1.0 + annual) ** 0.25 - 1.0


# --- guarantees ----------------------------------------------------------------------------------------


class Cover:
    """One layer on one path."""

    def __init__(self, layer: Layer, commitment: float, void: float, failure: list[float]) -> None:
        self.layer, self.commitment, self.failure = layer, commitment, failure
        self.is_void = void <= layer.enforceability.void
        self.seen = self.called = self.this_year = self.owed_back = 0.0
        self.failed = False
        self.on_the_way: dict[int, float] = defaultdict(float)

    def edges(self, drawn: float) -> tuple[float, float]:
        scales = {"pounds": 1.0, "share of commitment": self.commitment, "share of drawn": drawn}
        scale = scales[self.layer.unit]
        attach = self.layer.attach * scale
        return attach, math.inf if self.layer.detach is None else self.layer.detach * scale

    def slice_of(self, loss: float, drawn: float) -> float:
        attach, detach = self.edges(drawn)
        return max(0.0, min(loss - attach, detach - attach))

    def room(self, t: int, drawn: float) -> float:
        limit = math.inf if self.layer.cap is None else self.layer.cap
        if self.layer.cap_rate is not None:
            limit = min(limit, self.layer.cap_rate * drawn)
        if self.layer.schedule:
            begun = [step.amount for step in self.layer.schedule if step.from_quarter <= t]
            limit = min(limit, begun[-1] if begun else 0.0)
        return limit - self.called

    def covered(self, t: int, outstanding: float, left: float, drawn: float) -> float:
        """What it would accept if all that is outstanding were lost, others before it leaving ``left``."""
        if self.failed:
            return 0.0
        new = outstanding if self.layer.of == "the whole loss" else left
        part = self.slice_of(self.seen + new, drawn) - self.slice_of(self.seen, drawn)
        return max(0.0, min(self.layer.cover * part, self.room(t, drawn), left))

    def call(
        self, t: int, whole: tuple[float, float], left: tuple[float, float], drawn: float
    ) -> tuple[float, float]:
        """(accepted, of it principal) of a loss of (principal, interest), whole or as others left it."""
        if t % 4 == 1:
            self.this_year = 0.0
        if self.failure[t] < 1.0 - (1.0 - self.layer.failure) ** 0.25:
            self.failed = True
        loss = whole if self.layer.of == "the whole loss" else left
        new = loss[0] + (loss[1] if self.layer.interest else 0.0)
        claim = self.layer.cover * (self.slice_of(self.seen + new, drawn) - self.slice_of(self.seen, drawn))
        self.seen += new
        interest_left = left[1] if self.layer.interest else 0.0
        room = min(self.room(t, drawn), self.layer.cover * self.slice_of(self.seen, drawn) - self.called)
        if self.layer.cap_a_year is not None:
            room = min(room, self.layer.cap_a_year - self.this_year)
        accepted = max(0.0, min(claim, room, left[0] + interest_left))
        if self.failed or self.is_void:
            accepted = 0.0
        self.called += accepted
        self.this_year += accepted
        self.on_the_way[t + self.layer.claim_lag] += accepted
        return accepted, accepted - min(accepted, interest_left)


# --- the asset-backed deal ---------------------------------------------------------------------------------


class Vehicle:
    """The deal on one path."""

    def __init__(
        self, what: Development, deal: AssetBacked, draws: Draws, commitment: float, bare: bool
    ) -> None:
        self.what, self.deal, self.draws, self.commitment, self.bare = what, deal, draws, commitment, bare
        self.books = Books()
        self.site = Site(what, draws)
        self.i = deal.loan.rate.quarterly()
        self.agreed = what.land.value if deal.land.agreed is None else deal.land.agreed
        self.covers = [
            Cover(layer, commitment, draws.void[n], draws.failure[n])
            for n, layer in enumerate(() if bare else deal.layers)
        ]
        self.cash = self.balance = self.overdue = self.interest = self.drawn = 0.0
        self.arrears: dict[str, float] = defaultdict(float)
        self.put_in = dict.fromkeys(deal.capital, 0.0)
        self.capital = dict.fromkeys(deal.capital, 0.0)
        self.returns = dict.fromkeys(deal.capital, 0.0)
        self.received = dict.fromkeys(deal.capital, 0.0)
        self.overage = self.so_far = 0.0
        self.ground_level, self.reviewed_at = 1.0, 0
        self.income: list[float] = []
        self.charged: list[float] = []
        self.breach_for = self.late_for = self.arrears_for = 0
        self.cured, self.cures = 0.0, 0
        self.locked = self.gone = False
        self.since, self.cause = -1, ""
        self.written_off = self.made_good = self.recovered = self.worst = 0.0
        self.breached = self.called = self.ever_late = self.ever_locked = False
        self.peak = self.peak_over_value = 0.0
        self.outstanding = 1.0
        """over the loan before the first instalment, by the repayment's profile"""

    def run(self) -> Books:
        delivery = scale = kept = 1.0
        for t in range(self.draws.rows):
            done = self.site.row(t, delivery, scale, kept)
            self.row(t, done)
            self.books.save(t, self.what, done)
            runs = self.since < 0 and not self.gone
            scale = 1.0 if runs else 0.0
            delivery = 1.0 if runs and sum(self.arrears.values()) <= HALF_A_PENNY else 0.0
            kept = 0.0 if self.gone else 1.0
        self.books.figures = self.figures(done)
        return self.books

    def figures(self, done: Happened) -> dict[str, float]:
        """What the tables of the page show; ``done``: the last row of the development."""
        loss = self.made_good - self.recovered
        value = 0.0 if self.gone else done.value
        council = sum(one.surplus for one in self.deal.capital.values() if one.by == "commissioner")
        found = {
            "loss_before_guarantees": loss + self.written_off,
            "loss_covered": loss,
            "loss_uncovered": self.written_off,
            "lender_short": float(self.written_off > HALF_A_PENNY),
            "cure_payments": self.cured,
            "covenant_cured": float(self.cured > HALF_A_PENNY),
            "cash_ran_out": float(self.worst > HALF_A_PENNY),
            "unpaid_cost_at_worst": self.worst,
            "unpaid_at_end": sum(self.arrears.values()),
            "payment_missed": float(self.ever_late),
            "covenant_breached": float(self.breached),
            "locked_up": float(self.ever_locked),
            "called_in": float(self.called),
            "peak_loan": self.peak,
            "peak_loan_to_value": self.peak_over_value,
            "property_at_end": value,
            "council_property_at_end": value * council,
            "ended_covenant": float(self.cause == "covenant"),
            "ended_missed payment": float(self.cause == "missed payment"),
            "ended_unpaid bills": float(self.cause == "unpaid bills"),
            "ended_planning refused": float(self.cause == "planning refused"),
        }
        for name in self.deal.capital:
            found[f"capital put in: {name}"] = self.put_in[name]
            found[f"capital received: {name}"] = self.received[name]
            short = self.put_in[name] - self.received[name] > HALF_A_PENNY
            found[f"capital short: {name}"] = float(short)
        return found

    def pay(self, t: int, payer: str, payee: str, reason: str, amount: float) -> None:
        self.books.pay(t, payer, payee, reason, amount)

    def row(self, t: int, done: Happened) -> None:
        last = t == self.draws.rows - 1
        self.land_in(t)
        self.cash += done.receipts + done.rents + done.grant
        self.pay(t, "outside", "vehicle", "sale receipt", done.receipts)
        self.pay(t, "outside", "vehicle", "rent", done.rents)
        if self.what.grant:
            self.pay(t, self.what.grant.by, "vehicle", "grant", done.grant)
        sells, price = self.sale(t, done)
        was_gone, was_in_window = self.gone, self.since < 0 and not self.gone and not sells
        open_ = was_in_window and t <= self.deal.loan.availability_quarters
        charged = self.i * (self.balance + self.overdue + self.interest)
        interest_due = self.interest + charged
        fees = self.bill(t, done, open_, was_gone)
        drew = self.draw(t, interest_due, open_)
        self.peak = max(self.peak, self.balance + self.overdue + drew)
        self.settle(t, fees)

        self.cash += price - self.deal.sale_cost * price
        overdue_before, unpaid_before = self.overdue, self.interest
        fell, left = self.service(t, done, drew, interest_due, sells)
        late = self.overdue + self.interest > HALF_A_PENNY
        self.ever_late |= late
        missed = max(0.0, min(fell, left - overdue_before))
        missed_interest = max(0.0, self.interest - unpaid_before)
        running = sum(
            amount for name, amount in done.costs.items()
            if self.what.costs[name].running and self.what.costs[name].basis != "in house"
        )  # fmt: skip
        self.income.append(done.rents - running)
        self.charged.append(charged)
        self.covenants(t, done, was_in_window)
        self.ever_locked |= self.locked
        self.settle(t, fees)
        unpaid = sum(self.arrears.values())
        self.worst = max(self.worst, unpaid)

        self.late_for = self.late_for + 1 if late else 0
        self.arrears_for = self.arrears_for + 1 if unpaid > HALF_A_PENNY else 0
        terms = self.deal.enforcement
        if was_in_window:
            waiver = 2 if self.bare else self.deal.covenants.waiver_quarters
            cause = "covenant" if self.breach_for > waiver else ""
            cause = "missed payment" if self.late_for >= terms.missed_quarters else cause
            cause = "unpaid bills" if self.arrears_for >= terms.arrears_quarters else cause
            if cause:
                self.since, self.cause, self.called = 0, cause, True
        if sells:
            self.gone = True
        self.guarantee(t, sells, was_in_window, missed, missed_interest)
        self.earn(t, done, price)
        self.distribute(t, done, late, unpaid, last)
        if last and not self.gone:
            for entry in self.deal.capital.values():
                self.pay(t, "vehicle", entry.by, "property in kind", done.value * entry.surplus)
        every = self.deal.indexation.every
        if t > 0 and t % every == 0:
            self.ground_level = reviewed(
                self.deal.indexation, self.draws.rent_index, self.ground_level, t, self.reviewed_at
            )
            self.reviewed_at = t

    # --- steps 1 to 6

    def land_in(self, t: int) -> None:
        self.new = dict.fromkeys(self.deal.capital, 0.0)
        if t == 0:
            bought = sum(one.share for one in self.deal.land.payments)
            self.pay(t, "commissioner", "vehicle", "property in kind", self.agreed * (1.0 - bought))
            for name, entry in self.deal.capital.items():
                self.new[name] += entry.land * self.agreed

    def sale(self, t: int, done: Happened) -> tuple[bool, float]:
        owed = self.balance + self.overdue + self.interest + sum(self.arrears.values())
        if self.since >= 0:
            self.since += 1
            if not self.gone and owed <= HALF_A_PENNY:
                self.since, self.cause = -1, ""
        if self.gone:
            return False, 0.0
        forced = self.since >= self.deal.enforcement.delay
        leaves = self.deal.exit is not None and t == self.deal.exit.quarter and self.since < 0
        if not (forced or done.refused or leaves):
            return False, 0.0
        if done.refused:
            self.cause = "planning refused"
        price = done.value * (1.0 - self.deal.enforcement.discount if forced else 1.0)
        self.pay(t, "outside", "vehicle", "property sale", price)
        self.pay(t, "vehicle", "outside", "other cost", price * self.deal.sale_cost)
        return True, price

    def bill(self, t: int, done: Happened, open_: bool, was_gone: bool) -> dict[int, float]:
        for name, line in self.what.costs.items():
            if line.basis != "in house":
                self.arrears[line.paid_to] += done.costs[name]
                self.pay(t, line.paid_to, "outside", line.reason, done.costs[name])
        if not was_gone:
            if t > 0:
                self.arrears["ground rent"] += self.deal.land.ground_rent / 4.0 * self.ground_level
            for one in self.deal.land.payments:
                if one.quarter == t:
                    self.arrears["land"] += one.share * self.agreed
        if open_ and self.drawn > 0.0 and not self.bare:
            fee = quarterly(self.deal.loan.commitment_fee)
            self.arrears["commitment fee"] += fee * max(0.0, self.commitment - self.drawn)
        fees: dict[int, float] = {}
        outstanding = left = self.balance + self.overdue
        for n, cover in enumerate(self.covers):
            covered = cover.covered(t, outstanding, left, self.drawn)
            left -= covered
            fees[n] = quarterly(cover.layer.fee.running) * covered
            if t == 0:
                fees[n] += cover.layer.fee.upfront * self.most(cover)
            if cover.layer.fee.paid_by == "vehicle":
                self.arrears[f"guarantor {n}"] += fees[n]
            else:
                self.pay(t, cover.layer.fee.paid_by, cover.layer.guarantor, "guarantee fee", fees[n])
        return fees

    def most(self, cover: Cover) -> float:
        layer = cover.layer
        scale = 1.0 if layer.unit == "pounds" else self.commitment
        detach = self.commitment if layer.detach is None else min(layer.detach * scale, self.commitment)
        limits = [layer.cover * max(detach - layer.attach * scale, 0.0)]
        limits += [layer.cap] if layer.cap is not None else []
        limits += [layer.cap_rate * self.commitment] if layer.cap_rate is not None else []
        if layer.cap_a_year is not None:
            limits.append(layer.cap_a_year * max(1, math.ceil((self.draws.rows - 1) / 4)))
        limits += [max(step.amount for step in layer.schedule)] if layer.schedule else []
        return min(limits)

    def draw(self, t: int, interest_due: float, open_: bool) -> float:
        if not open_:
            return 0.0
        need = max(0.0, sum(self.arrears.values()) + interest_due - self.cash)
        need = self.draw_capital(t, need, standby=False)
        loan = 0.0
        if need > HALF_A_PENNY:
            if self.drawn <= 0.0 and not self.bare:
                fee = self.deal.loan.arrangement_fee * self.commitment
                self.arrears["arrangement fee"] += fee
                need += fee
            loan = min(need, max(0.0, self.commitment - self.drawn))
            loan = loan if loan > HALF_A_PENNY else 0.0
            need -= loan
        self.draw_capital(t, need, standby=True)
        self.pay(t, "investor", "vehicle", "drawdown", loan)
        self.drawn += loan
        self.cash += loan
        return loan

    def draw_capital(self, t: int, need: float, standby: bool) -> float:
        for name in reversed(list(self.deal.capital)):
            entry = self.deal.capital[name]
            if entry.standby == standby and need > HALF_A_PENNY:
                one = min(need, max(0.0, entry.amount - self.put_in[name]))
                self.put_in[name] += one
                self.new[name] += one
                self.cash += one
                need -= one
                self.pay(t, entry.by, "vehicle", "drawdown", one)
        return need

    def settle(self, t: int, fees: Mapping[int, float]) -> None:
        """Everybody the same fraction of what is owed."""
        owed = sum(self.arrears.values())
        if owed <= 0.0:
            return
        met = min(1.0, self.cash / owed)
        legs = {
            "provider": ("provider", "service payment"), "intermediary": ("intermediary", "service payment"),
            "ground rent": ("commissioner", "ground rent"), "land": ("commissioner", "land payment"),
            "arrangement fee": ("investor", "arrangement fee"),
            "commitment fee": ("investor", "commitment fee"),
        }  # fmt: skip
        for name in list(self.arrears):
            one = self.arrears[name] * met
            if name.startswith("guarantor "):
                whom = (self.covers[int(name.split()[1])].layer.guarantor, "guarantee fee")
            else:
                whom = legs[name]
            self.pay(t, "vehicle", *whom, one)
            self.arrears[name] -= one
        self.cash = max(0.0, self.cash - owed * met)

    # --- steps 7 to 11

    def share_due(self, t: int) -> float:
        """Share of the balance that falls due in row t: what the profile leaves outstanding moves on."""
        terms = self.deal.loan.repayment
        if t == terms.last_quarter:
            return 1.0
        if not terms.first_quarter <= t < terms.last_quarter or (terms.last_quarter - t) % terms.every:
            return 0.0
        instalments = [r for r in range(terms.first_quarter, terms.last_quarter + 1)
                       if (terms.last_quarter - r) % terms.every == 0]  # fmt: skip
        j = (1.0 + self.i) ** terms.every - 1.0

        def after(row: int) -> float:
            rest = 1.0
            for n, one in enumerate(instalments):
                if one > row:
                    break
                m = len(instalments) - n
                if terms.profile == "eip" or (terms.profile == "annuity" and j == 0.0):
                    rest *= 1.0 - 1.0 / m
                elif terms.profile == "annuity":
                    rest *= 1.0 - j / ((1.0 + j) ** m - 1.0)
            return terms.balloon + (1.0 - terms.balloon) * rest

        place = instalments.index(t)
        before = after(instalments[place - 1]) if place else 1.0
        return 1.0 - after(t) / before

    def service(
        self, t: int, done: Happened, drew: float, interest_due: float, sells: bool
    ) -> tuple[float, float]:
        """(principal that fell due, what is left of it and of what was overdue)."""
        paid = min(self.cash, interest_due)
        self.pay(t, "vehicle", "investor", "interest", paid)
        self.interest = interest_due - paid
        self.cash -= paid
        loan = self.balance + drew
        whole = self.since >= 0 or t >= self.deal.loan.repayment.last_quarter or sells
        fell = loan if whole else loan * self.share_due(t)
        self.balance = loan - fell
        self.overdue += fell
        for group in (("guarantor first",), ("pro rata",), ("lender first",)):
            owed = {n: c.owed_back for n, c in enumerate(self.covers) if c.layer.recoveries in group}
            lender = self.overdue if group == ("pro rata",) else 0.0
            pool = lender + sum(owed.values())
            if pool <= 0.0:
                continue
            share = min(self.cash, pool) / pool
            for n, amount in owed.items():
                self.covers[n].owed_back -= amount * share
                self.recovered += amount * share
                self.pay(t, "vehicle", self.covers[n].layer.guarantor, "recovery", amount * share)
            self.pay(t, "vehicle", "investor", "principal", lender * share)
            self.overdue -= lender * share
            self.cash = max(0.0, self.cash - pool)
        left = self.overdue
        swept = min(self.balance, self.cash, self.deal.loan.sweep * (done.receipts + done.grant))
        self.pay(t, "vehicle", "investor", "principal", swept)
        self.balance -= swept
        self.cash -= swept
        return fell, left

    def covenants(self, t: int, done: Happened, runs: bool) -> None:
        tests, last = self.deal.covenants, self.deal.loan.repayment.last_quarter
        out = self.balance + self.overdue
        tested = runs and out > HALF_A_PENNY
        value, cover = (None, None) if self.bare else (tests.loan_to_value, tests.interest_cover)
        value = value if value is not None and value.first_quarter <= t <= last else None
        cover = cover if cover is not None and cover.first_quarter <= t <= last else None
        if value is None and cover is None:
            self.breach_for = self.breach_for + 1 if self.breach_for and tested else 0
            self.locked = self.locked and tested
            return
        if not tested:
            self.locked, self.breach_for = False, 0
            return
        short, self.locked = 0.0, False
        if value is not None:
            short = max(0.0, out - value.most * done.value)
            if done.value > 0.0:
                self.peak_over_value = max(self.peak_over_value, out / done.value)
            self.locked = out > (value.lock_up or value.most) * done.value + HALF_A_PENNY
        if cover is not None:
            income, charged = sum(self.income[-4:]), sum(self.charged[-4:])
            if charged > HALF_A_PENNY:
                short = max(short, out * min(1.0, max(0.0, 1.0 - income / (cover.least * charged))))
            self.locked |= income < (cover.lock_up or cover.least) * charged - HALF_A_PENNY
        if short <= HALF_A_PENNY:
            self.breach_for = 0
            return
        self.breached = True
        own = min(self.cash, short)
        others = short - own
        cure = tests.cure
        if others > HALF_A_PENNY and (
            cure is None or others > cure.limit - self.cured or self.cures >= cure.times
        ):
            self.breach_for += 1
            return
        if others > HALF_A_PENNY:
            assert cure is not None
            self.cured += others
            self.cures += 1
            self.pay(t, cure.by, "vehicle", "cure payment", others)
            self.cash += others
        self.cash -= short
        self.pay(t, "vehicle", "investor", "principal", short)
        of_overdue = min(self.overdue, short)
        self.overdue -= of_overdue
        self.balance -= short - of_overdue
        self.breach_for = 0

    def guarantee(self, t: int, sells: bool, runs: bool, missed: float, missed_interest: float) -> None:
        whole = {
            "missed payment": (min(missed, self.overdue), missed_interest) if runs else (0.0, 0.0),
            "acceleration": (self.balance + self.overdue, self.interest) if sells else (0.0, 0.0),
        }
        left = dict(whole)
        for cover in self.covers:
            when = cover.layer.when
            accepted, principal = cover.call(t, whole[when], left[when], self.drawn)
            left[when] = (left[when][0] - principal, left[when][1] - (accepted - principal))
            cover.owed_back += accepted
            self.made_good += accepted
            self.interest = max(0.0, self.interest - (accepted - principal))
            of_overdue = min(self.overdue, principal)
            self.overdue -= of_overdue
            self.balance = max(0.0, self.balance - (principal - of_overdue))
        if sells:
            self.written_off += self.balance + self.overdue + self.interest
            self.balance = self.overdue = self.interest = 0.0
        for cover in self.covers:
            self.pay(t, cover.layer.guarantor, "investor", "guarantee call", cover.on_the_way.pop(t, 0.0))

    # --- steps 12 to 14

    def earn(self, t: int, done: Happened, price: float) -> None:
        for name, entry in self.deal.capital.items():
            self.returns[name] += quarterly(entry.rate) * (self.capital[name] + self.returns[name])
            self.capital[name] += self.new[name]
        overage = self.deal.overage
        if overage is None:
            return
        if overage.on == "planning":
            if done.consent_now:
                self.overage += overage.share * max(0.0, done.land - overage.above)
            return
        counts = done.receipts + (price if overage.on == "sales and exit" else 0.0)
        before, self.so_far = self.so_far, self.so_far + counts
        gain = max(0.0, self.so_far - overage.above) - max(0.0, before - overage.above)
        self.overage += overage.share * gain

    def distribute(self, t: int, done: Happened, late: bool, unpaid: float, last: bool) -> None:
        out = self.balance + self.overdue
        clear = (
            done.finished and not late and unpaid <= HALF_A_PENNY and self.breach_for == 0
            and sum(c.owed_back for c in self.covers) <= HALF_A_PENNY and not self.locked and self.since < 0
            and (out <= HALF_A_PENNY or self.deal.distributions == "while the loan runs")
        )  # fmt: skip
        spare = 0.0
        if last or self.gone:
            spare = self.cash
        elif clear:
            reserve = self.deal.loan.reserve_quarters * self.balance * (self.i + self.share_due(t + 1))
            spare = max(0.0, self.cash - reserve)
        self.cash -= spare
        over = min(spare, self.overage)
        self.overage -= over
        spare -= over
        self.pay(t, "vehicle", "commissioner", "overage", over)
        for name, entry in self.deal.capital.items():
            if not (t >= entry.from_quarter or last or self.gone):
                continue
            earned = min(spare, self.returns[name])
            spare -= earned
            self.returns[name] -= earned
            back = min(spare, self.capital[name])
            spare -= back
            self.capital[name] -= back
            self.received[name] += earned + back
            reason = "land payment" if entry.land and not entry.amount else "capital returned"
            self.pay(t, "vehicle", entry.by, "investor return", earned)
            self.pay(t, "vehicle", entry.by, reason, back)
        still = self.overage + sum(self.capital.values()) + sum(self.returns.values())
        if still > HALF_A_PENNY:
            self.cash += spare
            return
        for name, entry in self.deal.capital.items():
            self.received[name] += spare * entry.surplus
            self.pay(t, "vehicle", entry.by, "surplus share", spare * entry.surplus)


def commitment_of(what: Development, deal: AssetBacked, plan: Draws) -> float:
    """Pounds, or a multiple of all that the plan draws without fees, guarantees and tests."""
    if deal.loan.commitment.amount is not None:
        return deal.loan.commitment.amount
    unlimited = Vehicle(what, deal, plan, 1e15, bare=True)
    unlimited.run()
    return unlimited.drawn * (deal.loan.commitment.peak_need or 0.0)


def asset_backed(what: Development, deal: AssetBacked, plan: Draws, draws: Draws) -> Books:
    """The deal on one path."""
    return Vehicle(what, deal, draws, commitment_of(what, deal, plan), bare=False).run()
