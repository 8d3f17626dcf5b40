"""The people programme and the social impact bond again, from their term sheets, one path at a time.

Plain floats, loops and dictionaries, in the order of ``docs/structures/people-programme.md`` and
``docs/structures/social-impact-bond.md``; nothing of the package is used but its terms (what stands in a
file) and its random numbers. Who reads this needs the two pages beside it and no more. ``Contract`` is what
every deal has that pays for outcomes through a vehicle; ``Bond`` is who puts money in and what they get back.

Less than half a penny counts as nil wherever the page asks whether an amount is nil.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from socialfinance.instruments.contract import AboveCap, Hazard
from socialfinance.instruments.social_impact_bond import SocialImpactBond
from socialfinance.instruments.tariff import AgencyPays, Tariff
from socialfinance.programmes.people import CostLine, OutcomeLine, Programme

HALF_A_PENNY = 0.005
NO_LIMIT = math.inf
EVERYBODY: frozenset[str] = frozenset()


@dataclass
class Draws:
    """What one path drew, by row. In the plan case: the plan, and counts are expected values."""

    rows: int
    referrals: list[float]
    engagement: list[float]
    shock_left: list[float]
    """outcomes a common shock and delivery failure leave, as a multiplier"""
    shock_runs: list[bool]
    probability: Mapping[str, list[float]]
    deadweight: Mapping[str, list[float]]
    overrun: Mapping[str, list[float]]
    cost_level: Mapping[str, list[float]]
    unit_value: Mapping[str, list[float]]
    saving_level: Mapping[str, list[float]]
    true_effect: list[float]
    reported: Mapping[str, float]
    price_level: list[float]
    exits: Mapping[str, list[float]]
    """uniforms for voluntary, policy and insolvency; 1 never ends a contract"""
    count: Callable[[str, str, int, float, float], float]
    """how many people succeed: (line or 'engagement', other lines achieved, row, people, chance)"""
    own: Mapping[str, list[float]] = field(default_factory=dict)
    """by name, the other random numbers that the structure asks for"""


@dataclass
class Plan:
    """What the plan case says, by row."""

    starts: list[float]
    """planned starts: planned referrals x planned volume x planned engagement"""
    deadweight: Mapping[str, float]
    bill: list[float] = field(default_factory=list)
    results: list[float] = field(default_factory=list)
    worth: list[float] = field(default_factory=list)
    """verified outcomes at the price base, caps aside"""


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
    """Everything that was paid on one path, and the deal's own figures."""

    journal: list[Entry]
    drawn: float = 0.0
    peak_capital: float = 0.0
    worst_arrears: float = 0.0
    cause: str = ""
    results: list[float] = field(default_factory=list)
    bill: list[float] = field(default_factory=list)
    worth: list[float] = field(default_factory=list)
    cash: list[float] = field(default_factory=list)
    """the vehicle's, at the end of each row"""
    in_delay: float = 0.0
    """accepted and not yet paid after the last row"""
    clawback_owed: float = 0.0
    """owed to payers after the last row"""


# --- the programme: docs/structures/people-programme.md ----------------------------------------------


class People:
    """The programme on one path."""

    def __init__(self, programme: Programme, draws: Draws, plan: Plan, by_set: bool) -> None:
        self.programme, self.draws, self.plan = programme, draws, plan
        self.by_set = by_set
        """whether a cap per person can bind: people are then counted by the set of lines achieved"""
        rows = draws.rows
        self.offered = [0.0] * rows
        self.referred = [0.0] * rows
        self.starts = [0.0] * rows
        self.off_plan = [0.0] * rows
        self.reached: dict[tuple[int, frozenset[str]], float] = {}
        """people by row of starting and set of lines achieved so far (by_set only)"""
        self.eligible = {name: [0.0] * rows for name in programme.outcomes}
        self.achieved = {name: [0.0] * rows for name in programme.outcomes}
        self.verified: list[dict[tuple[str, frozenset[str]], float]] = [
            defaultdict(float) for _ in range(rows)
        ]
        self.stock = dict.fromkeys(programme.savings, 0.0)
        self.bringing = {name: [0.0] * rows for name in programme.savings}
        """people who bring a saving (or events avoided), by row"""

    def chain(self, name: str) -> list[str]:
        """The lines that come before this one, nearest first."""
        found: list[str] = []
        of = self.programme.outcomes[name].of
        while of is not None:
            found.append(of)
            of = self.programme.outcomes[of].of
        return found

    def quarters_to(self, name: str) -> int:
        """Quarters from starting to the outcome."""
        return sum(self.programme.outcomes[one].lag for one in (name, *self.chain(name)))

    def in_order(self) -> list[str]:
        """Lines as they fall; those they follow first."""
        names = list(self.programme.outcomes)
        return sorted(
            names, key=lambda name: (self.quarters_to(name), len(self.chain(name)), names.index(name))
        )

    def row(self, t: int, scale: float, ordered_performance: float, continuing: float = 1.0) -> None:
        """Starts, funnel and verification of one row, as ordered in the row before."""
        draws = self.draws
        self.offered[t] = draws.referrals[t]
        self.referred[t] = draws.referrals[t] * scale
        self.starts[t] = draws.count("engagement", "", t, self.referred[t], draws.engagement[t])
        planned = self.plan.starts[t]
        self.off_plan[t] = self.starts[t] / planned - 1.0 if planned > 0 else 0.0
        if self.by_set:
            self.reached[t, EVERYBODY] = self.starts[t]
        for name in self.in_order():
            line = self.programme.outcomes[name]
            chance = draws.probability[name][t] * self.left(t, line)
            chance *= ordered_performance if line.of is None else continuing
            chance = min(1.0, chance)
            if self.by_set:
                self._line_by_set(t, name, line, chance)
            else:
                self._line(t, name, line, chance)

    def left(self, t: int, line: OutcomeLine) -> float:
        """What bad times leave of a line's probability."""
        now = self.draws.shock_left[t]
        if line.of is None:
            return now
        before = self.draws.shock_left[t - line.lag] if t >= line.lag else 1.0
        return min(1.0, now / before) if before > 0.0 else 1.0

    def _line(self, t: int, name: str, line: OutcomeLine, chance: float) -> None:
        before = t - line.lag
        if before < 0:
            return
        eligible = self.starts[before] if line.of is None else self.achieved[line.of][before]
        achieved = self.draws.count(name, "", t, eligible, chance)
        self._note(t, name, EVERYBODY, line, eligible, achieved)

    def _line_by_set(self, t: int, name: str, line: OutcomeLine, chance: float) -> None:
        started = t - self.quarters_to(name)
        if started < 0:
            return
        for when, earlier in list(self.reached):
            if when != started or name in earlier or (line.of is not None and line.of not in earlier):
                continue
            eligible = self.reached[when, earlier]
            others = "+".join(sorted(earlier - set(self.chain(name))))
            achieved = self.draws.count(name, others, t, eligible, chance)
            self.reached[when, earlier] = eligible - achieved
            self.reached[when, earlier | {name}] = self.reached.get((when, earlier | {name}), 0.0) + achieved
            self._note(t, name, earlier, line, eligible, achieved)

    def _note(
        self, t: int, name: str, earlier: frozenset[str], line: OutcomeLine, eligible: float, achieved: float
    ) -> None:
        self.eligible[name][t] += eligible
        self.achieved[name][t] += achieved
        if t + line.verification_lag < self.draws.rows:
            self.verified[t + line.verification_lag][name, earlier] += achieved

    # cost

    def last_quarter_of_cost(self, line: CostLine) -> int:
        """The line's own, or the last quarter of referrals plus the longest way to an outcome."""
        if line.last_quarter is not None:
            return line.last_quarter
        longest = max((self.quarters_to(name) for name in self.programme.outcomes), default=0)
        return len(self.programme.referrals.planned) + longest

    def scheduled(self, line: CostLine, t: int) -> float:
        """Fixed cost of a row as budgeted."""
        since = t - line.first_quarter
        if since < 0:
            return 0.0
        one_off = line.one_off if since == 0 else 0.0
        if line.schedule is not None:
            return one_off + (line.schedule[since] if since < len(line.schedule) else 0.0)
        return one_off + (line.per_quarter if t <= self.last_quarter_of_cost(line) else 0.0)

    def cost(self, name: str, t: int, delivery: float) -> float:
        """One cost line in one row."""
        line, before = self.programme.costs[name], t - self.programme.costs[name].response_lag
        off_plan = self.off_plan[before] if before >= 0 else 0.0
        fixed = max(0.0, self.scheduled(line, t) * delivery * (1.0 + line.elasticity * off_plan))
        variable = line.per_user * self.starts[t]
        return (fixed + variable) * max(0.0, self.draws.overrun[name][t]) * self.draws.cost_level[name][t]

    # savings

    def saving(self, name: str, t: int) -> float:
        """What one saving is worth in one row, cashable or not."""
        saving, draws = self.programme.savings[name], self.draws
        if saving.on == "effect":
            assert self.programme.effect is not None
            self.bringing[name][t] = self.starts[t] * draws.true_effect[t] * self.programme.effect.baseline
        else:
            self.bringing[name][t] = self.achieved[saving.on][t] * (1.0 - draws.deadweight[saving.on][t])

        def begun(row: int) -> float:
            return self.bringing[name][row - saving.lag] if row - saving.lag >= 0 else 0.0

        keep = (1.0 - saving.drop_off) ** 0.25
        stock = self.stock[name] * keep + begun(t) - begun(t - saving.duration) * keep**saving.duration
        self.stock[name] = 0.0 if abs(stock) < 1e-9 else stock
        return self.stock[name] * draws.unit_value[name][t] * draws.saving_level[name][t]


# --- the contract: steps 1 to 6, 8, 9 and 12 of docs/structures/social-impact-bond.md ------------------


class Contract:
    """What every deal through a vehicle has in common, on one path: its state, and the steps they share."""

    def __init__(
        self,
        programme: Programme,
        tariff: Tariff,
        terms: Any,
        draws: Draws,
        plan: Plan,
        *,
        variation: bool = False,
        commitment: float = NO_LIMIT,
        is_the_plan: bool = False,
    ) -> None:
        self.programme, self.tariff, self.terms, self.draws, self.plan = programme, tariff, terms, draws, plan
        self.variation, self.commitment, self.is_the_plan = variation, commitment, is_the_plan
        self.people = People(programme, draws, plan, tariff.needs_classes)
        self.rows = draws.rows
        self.books = Books([])
        # the contract
        self.running, self.since, self.ended_at = True, 0, -1
        self.scale, self.delivery, self.performance = 1.0, 1.0, 1.0
        self.paused, self.changes, self.price_factor = 0, 0, 1.0
        self.strikes, self.rows_in_arrears = 0, 0
        # claims
        self.accepted_by = dict.fromkeys(tariff.payers, 0.0)
        self.accepted = [0.0] * self.rows
        self.results = [0.0] * self.rows
        """claims accepted and savings paid over; emergency support is none"""
        self.line_claimed: dict[str, float] = defaultdict(float)
        self.effect_asked = 0.0
        self.to_receive: dict[int, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        self.to_give_back: dict[int, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        self.clawback_owed = dict.fromkeys(tariff.payers, 0.0)
        self.shortage_paid = 0.0
        # savings paid over, by agency
        self.saved_now: dict[str, tuple[float, float]] = {}
        """by saving, this row's true value: cashable, and the rest"""
        self.to_verify: dict[int, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        self.verified_savings: dict[str, float] = defaultdict(float)
        self.paid_over: dict[str, float] = defaultdict(float)
        # money
        self.cash = 0.0
        self.arrears = dict.fromkeys(("provider", "intermediary", "evaluator", "hmrc"), 0.0)
        self.deferred = 0.0
        self.drawn = 0.0
        self.accounts_settled = False

    # small words

    def pay(self, t: int, payer: str, payee: str, reason: str, amount: float) -> None:
        """Write a payment in the journal, and keep the vehicle's cash."""
        assert amount >= 0.0, (t, payer, payee, reason, amount)
        if amount == 0.0:
            return
        self.books.journal.append(Entry(t, payer, payee, reason, amount))
        self.cash += amount * ((payee == "vehicle") - (payer == "vehicle"))

    def split(self) -> dict[str, float]:
        """Each payer's share of prices; with prices of its own, its part of the sum of all prices."""
        payers = self.tariff.payers
        if all(payer.prices is None for payer in payers.values()):
            return {role: payer.share or 0.0 for role, payer in payers.items()}
        sums = {role: sum((payer.prices or {}).values()) for role, payer in payers.items()}
        return {role: one / sum(sums.values()) if sum(sums.values()) else 0.0 for role, one in sums.items()}

    def part_of_price(self, role: str, line: str) -> float:
        """The payer's share of the price of a line."""
        payer = self.tariff.payers[role]
        if payer.prices is None:
            return payer.share or 0.0
        whole = self.tariff.total_prices.get(line, 0.0)
        return payer.prices.get(line, 0.0) / whole if whole > 0 else 0.0

    def price(self, line: str, earlier: frozenset[str]) -> float:
        """The price of an outcome, under the cap per person."""
        prices, cap = self.tariff.total_prices, self.tariff.cap_per_person
        if cap is None or not self.tariff.needs_classes:
            return prices.get(line, 0.0)
        before = sum(prices.get(one, 0.0) for one in earlier)
        return min(cap, before + prices.get(line, 0.0)) - min(cap, before)

    def planned_results(self, t: int) -> float:
        """Results in this row of the plan case."""
        return self.results[t] if self.is_the_plan else self.plan.results[t]

    def on_plan(self, t: int) -> float:
        """Results so far over planned results so far; a plan of nil counts as one."""
        planned = sum(self.planned_results(s) for s in range(t + 1))
        return sum(self.results[: t + 1]) / planned if planned > HALF_A_PENNY else 1.0

    def planned_bill(self, first: int, last: int) -> float:
        """The plan case's bill over some rows."""
        return sum(self.plan.bill[s] for s in range(first, last + 1) if s < self.rows)

    def uses(self, name: str) -> bool:
        """Whether a cost line is part of the deal."""
        return self.programme.costs[name].basis != "in house"

    # the row

    def run(self) -> Books:
        """All rows."""
        for t in range(self.rows):
            self.row(t)
        self.books.drawn = self.drawn
        self.books.results = self.results
        self.books.in_delay = sum(
            amount for t, due in self.to_receive.items() if t >= self.rows for amount in due.values()
        )
        self.books.clawback_owed = sum(self.clawback_owed.values())
        return self.books

    def row(self, t: int) -> None:
        """One row, in the order of the page."""
        raise NotImplementedError

    def income_and_bill(self, t: int) -> dict[str, float]:
        """The programme, steps 1 to 6: what is owed for cost, by recipient."""
        self.people.row(t, self.scale, self.performance)
        cost = {name: self.people.cost(name, t, self.delivery) for name in self.programme.costs}
        self.spend_outside_and_save(t, cost)
        self.claims(t)
        owed_by_agencies = self.savings_payments(t)
        self.minimum_referrals(t)
        self.emergency_support(t)
        self.cost_outside_the_cap(t, cost)
        self.cash_in(t, owed_by_agencies)
        return self.the_bill(t, cost)

    def pay_and_stand(self, t: int, owed: Mapping[str, float]) -> str:
        """Steps 8 and 9: the bill, and why the contract ends in this row."""
        self.pay_the_bill(t, owed)
        cause = self.early_end(t)
        self.note_the_end(t, cause)
        return cause

    def close(self, t: int, cause: str) -> None:
        """Step 12, and what is kept of the row."""
        self.orders_for_the_next_row(t, cause)
        self.books.cash.append(self.cash)
        self.books.worth.append(self.worth(t))

    def spend_outside_and_save(self, t: int, cost: Mapping[str, float]) -> None:
        """What the recipients spend in the same row, and what agencies save."""
        for name, line in self.programme.costs.items():
            if self.uses(name):
                self.pay(t, line.paid_to, "outside", line.reason, cost[name])
        for name, saving in self.programme.savings.items():
            worth = self.people.saving(name, t)
            cash, memo = worth * saving.cashable, worth * (1.0 - saving.cashable)
            self.saved_now[name] = cash, memo
            self.pay(t, "outside", saving.agency, "saving", max(0.0, cash))
            self.pay(t, "outside", saving.agency, "non-cashable saving", max(0.0, memo))
            self.pay(t, saving.agency, "outside", "extra cost", max(0.0, -cash))
            self.pay(t, saving.agency, "outside", "non-cashable extra cost", max(0.0, -memo))

    # 1. claims

    def claims_open(self) -> bool:
        """While running, and after an early end for the tail."""
        return self.running or self.since < self.tariff.tail

    def claims(self, t: int) -> None:
        """Step 1."""
        asked = dict.fromkeys(self.tariff.payers, 0.0)
        factor = (1.0 - self.tariff.rejected) * self.draws.price_level[t] * self.price_factor
        if self.claims_open():
            for (line, earlier), verified in self.people.verified[t].items():
                value = verified * self.price(line, earlier) * factor
                cap = self.tariff.caps.get(line, NO_LIMIT)
                allowed = min(value, cap - self.line_claimed[line])
                self.line_claimed[line] += allowed if self.open_payers(t) else 0.0
                for role, payer in self.tariff.payers.items():
                    scaled = 1.0 - self.plan.deadweight[line] if payer.scale_for_deadweight else 1.0
                    asked[role] += allowed * self.part_of_price(role, line) * scaled
        effect = self.effect_payment(t) * factor
        for role, part in self.split().items():
            asked[role] += effect * part
        self.accept(t, asked)

    def effect_payment(self, t: int) -> float:
        """What is asked for the measured effect in this row, before rejection and price level."""
        terms, effect = self.tariff.effect, self.programme.effect
        if terms is None or effect is None or not self.claims_open():
            return 0.0
        asked = 0.0
        per_event = terms.per_event or 0.0
        people = {
            name: sum(self.people.starts[one.first_quarter : one.last_quarter + 1])
            for name, one in effect.cohorts.items()
        }
        for name, cohort in effect.cohorts.items():
            fall = self.draws.reported[name]
            if (
                cohort.measured_quarter == t
                and terms.cohort_trigger is not None
                and fall >= terms.cohort_trigger
            ):
                asked += max(0.0, fall * effect.baseline * people[name] * per_event)
        self.effect_asked += asked
        if t != max(cohort.measured_quarter for cohort in effect.cohorts.values()):
            return asked
        everybody = sum(people.values())
        weighted = sum(people[name] * self.draws.reported[name] for name in people)
        if everybody > 0 and weighted / everybody >= terms.pooled_trigger:
            whole = per_event * effect.baseline * weighted
            for step in terms.steps:
                if weighted / everybody >= step.at:
                    whole = step.pays
            more = max(0.0, whole - self.effect_asked)
            self.effect_asked += more
            asked += more
        return asked

    def accept(self, t: int, asked: Mapping[str, float]) -> None:
        """Payers in the order of the file, each within its cap; then all alike within the contract's."""
        taken, passed_on = {}, 0.0
        for role, payer in self.tariff.payers.items():
            wanted = asked[role] + passed_on
            own = (NO_LIMIT if payer.cap is None else payer.cap) - self.accepted_by[role]
            taken[role] = max(0.0, min(wanted, own)) if role in self.open_payers(t) else 0.0
            passed_on = wanted - taken[role] if payer.passes_on else 0.0
        fraction = self.fraction_under_the_contracts_cap(sum(taken.values()))
        for role, payer in self.tariff.payers.items():
            accepted = taken[role] * fraction
            self.accepted_by[role] += accepted
            self.accepted[t] += accepted
            self.results[t] += accepted
            late = self.tariff.delayed
            share = late.share if late else 0.0
            self.to_receive[t + payer.payment_lag][role] += accepted * (1.0 - share)
            if late:
                self.to_receive[t + payer.payment_lag + late.quarters][role] += accepted * share

    def fraction_under_the_contracts_cap(self, wanted: float) -> float:
        """How much of what payers would accept the contract's cap leaves."""
        contract = NO_LIMIT if self.tariff.cap is None else self.tariff.cap
        left = max(0.0, contract - sum(self.accepted_by.values()))
        return min(1.0, left / wanted) if wanted > 0.0 else 0.0

    def open_payers(self, t: int) -> list[str]:
        """Those whose window is open."""
        return [
            role
            for role, payer in self.tariff.payers.items()
            if payer.joins <= t <= (NO_LIMIT if payer.leaves is None else payer.leaves)
            and t <= (self.tariff.last_claim or NO_LIMIT)
        ]

    def open_split(self, t: int) -> dict[str, float]:
        """The split among payers whose window is open, scaled to one; the whole split where none is."""
        split = self.split()
        among = {role: split[role] if role in self.open_payers(t) else 0.0 for role in split}
        whole = sum(among.values())
        return {role: part / whole for role, part in among.items()} if whole > 0.0 else split

    # payment out of savings

    def savings_payments(self, t: int) -> dict[str, float]:
        """What agencies pay over out of savings verified so far, by agency."""
        terms, paid = self.tariff.savings, {}
        for role, agency in terms.agencies.items() if terms else ():
            self.to_verify[t + terms.verification_lag][role] += self.measured(t, role, agency)
            self.verified_savings[role] += self.to_verify[t][role]
            owed = min(
                NO_LIMIT if agency.cap is None else agency.cap, agency.share * self.verified_savings[role]
            )
            paid[role] = max(0.0, owed - self.paid_over[role]) if self.claims_open() else 0.0
            self.paid_over[role] += paid[role]
            self.results[t] += paid[role]
        return paid

    def measured(self, t: int, role: str, agency: AgencyPays) -> float:
        """The agreed baseline less what was really spent; or savings one by one."""
        line = agency.baseline
        true = sum(
            self.saved_now[name][0] + (self.saved_now[name][1] if agency.of == "all" else 0.0)
            for name, saving in self.programme.savings.items()
            if saving.agency == role
        )
        error = self.own("savings.error", t, 1.0)
        if line is None:
            return true * error
        if not line.first_quarter <= t <= line.last_quarter:
            return 0.0
        agreed = line.per_quarter * (1.0 + line.growth) ** ((t - line.first_quarter) / 4.0)
        return agreed * (1.0 - self.own(f"savings.{role}.counterfactual", t, 1.0)) + true * error

    def own(self, name: str, t: int, otherwise: float) -> float:
        """A random number of the structure's own."""
        found = self.draws.own.get(name)
        return otherwise if found is None else found[t]

    # 2, 3, 4. other money from payers

    def minimum_referrals(self, t: int) -> None:
        """Step 2."""
        terms, last = self.tariff.minimum_referrals, len(self.programme.referrals.planned)
        if terms is None or not self.running:
            return
        if not 1 <= t <= last or not (t % terms.tested_every == 0 or t == last):
            return
        referred = sum(self.people.offered[: t + 1])
        short = max(0.0, terms.per_quarter * t - referred - self.shortage_paid)
        self.shortage_paid += short
        for role, part in self.open_split(t).items():
            self.pay(t, role, "vehicle", "minimum-referral payment", short * terms.payment * part)

    def emergency_support(self, t: int) -> None:
        """Step 3."""
        share = self.tariff.emergency_support if self.variation else 0.0
        if share == 0.0 or not self.draws.shock_runs[t] or not self.running:
            return
        short = max(0.0, self.planned_results(t) - self.results[t])
        wanted = {}
        for role, part in self.open_split(t).items():
            cap = self.tariff.payers[role].cap
            own = (NO_LIMIT if cap is None else cap) - self.accepted_by[role]
            wanted[role] = max(0.0, min(share * short * part, own))
        fraction = self.fraction_under_the_contracts_cap(sum(wanted.values()))
        for role, amount in wanted.items():
            self.accepted_by[role] += amount * fraction
            self.pay(t, role, "vehicle", "emergency support", amount * fraction)

    def vat(self, line: CostLine, cost: float) -> float:
        """VAT that is not recovered."""
        return cost * line.vat * (1.0 - line.vat_recoverable)

    def cost_outside_the_cap(self, t: int, cost: Mapping[str, float]) -> None:
        """Step 4."""
        for name, line in self.programme.costs.items():
            if self.uses(name) and not line.inside_cap:
                whole = cost[name] + self.vat(line, cost[name])
                for role, part in self.open_split(t).items():
                    self.pay(t, role, "vehicle", "reimbursed cost", whole * part)

    # 5. cash in

    def cash_in(self, t: int, owed_by_agencies: Mapping[str, float]) -> None:
        """Step 5; savings payments come in with outcome payments."""
        clawback = self.tariff.clawback
        for role, amount in self.to_receive[t].items():
            self.pay(t, role, "vehicle", "outcome payment", amount)
            if clawback:
                self.to_give_back[t + clawback.after][role] += amount * clawback.share
        for role, amount in owed_by_agencies.items():
            self.pay(t, role, "vehicle", "savings payment", amount)
        for role in self.tariff.payers:
            owed = self.clawback_owed[role] + self.to_give_back[t][role]
            paid = min(owed, max(0.0, self.cash))
            self.pay(t, "vehicle", role, "clawback", paid)
            self.clawback_owed[role] = owed - paid

    def clawback_to_come(self, t: int) -> float:
        """What is still owed back, or will be, on what was received."""
        later = sum(amount for s, due in self.to_give_back.items() if s > t for amount in due.values())
        return later + sum(self.clawback_owed.values())

    def spare(self, t: int) -> float:
        """Cash above the reserve and what is set aside; all when settled, nothing while winding down."""
        if self.settled(t):
            return max(0.0, self.cash)
        if not self.running:
            return 0.0
        kept = max(self.terms.reserve_quarters, self.terms.draw_ahead)
        return max(0.0, self.cash - self.planned_bill(t + 1, t + kept) - self.clawback_to_come(t))

    # 6. the bill

    def the_bill(self, t: int, cost: Mapping[str, float]) -> dict[str, float]:
        """Step 6: owed for cost, by recipient. Keeps what is inside the cap for the plan."""
        owed = dict(self.arrears)
        inside = 0.0
        for name, line in self.programme.costs.items():
            if not self.uses(name):
                continue
            risk = self.terms.provider_at_risk if line.paid_to == "provider" and line.inside_cap else 0.0
            self.deferred += cost[name] * risk
            billed, tax = cost[name] * (1.0 - risk), self.vat(line, cost[name])
            owed[line.paid_to] += billed
            owed["hmrc"] += tax
            inside += billed + tax if line.inside_cap else 0.0
        self.books.bill.append(inside)
        return owed

    # 8. paying the bill

    def pay_the_bill(self, t: int, owed: Mapping[str, float]) -> None:
        """Step 8: everybody the same fraction."""
        whole = sum(owed.values())
        fraction = max(0.0, min(1.0, self.cash / whole)) if whole > 0 else 1.0
        for recipient, amount in owed.items():
            reason = "irrecoverable vat" if recipient == "hmrc" else "service payment"
            self.pay(t, "vehicle", recipient, reason, amount * fraction)
            self.arrears[recipient] = amount * (1.0 - fraction)
        unpaid = sum(self.arrears.values())
        self.books.worst_arrears = max(self.books.worst_arrears, unpaid)
        self.rows_in_arrears = self.rows_in_arrears + 1 if unpaid > HALF_A_PENNY else 0

    # 9. early end

    def early_end(self, t: int) -> str:
        """Step 9: why the contract ends in this row, or nothing."""
        terms, draws = self.terms.termination, self.draws
        failed = self.performance_test(t)
        if not self.running or self.is_the_plan:
            return ""
        cause = "performance" if failed else ""
        if self.chance_of_end(terms.voluntary, t) > draws.exits["voluntary"][t]:
            cause = "voluntary"
        if self.chance_of_end(terms.policy, t) > draws.exits["policy"][t] or t == terms.policy.at_quarter:
            cause = "policy"
        insolvent = self.chance_of_end(terms.insolvency, t) > draws.exits["insolvency"][t]
        in_arrears = self.rows_in_arrears >= terms.insolvency.arrears_quarters and self.anything_planned(t)
        if insolvent or in_arrears:
            cause = "insolvency"
        return cause

    def chance_of_end(self, terms: Hazard, t: int) -> float:
        """The chance of an end in this quarter, while anything is planned."""
        if t < terms.from_quarter or not self.anything_planned(t):
            return 0.0
        return 1.0 - (1.0 - terms.annual_probability) ** 0.25

    def performance_test(self, t: int) -> bool:
        """Whether so many tests in a row have now failed."""
        test = self.terms.termination.performance_test
        if test is None or t < test.first_quarter or (t - test.first_quarter) % test.every:
            return False
        window = range(max(0, t - test.window + 1), t + 1)
        planned = sum(self.planned_results(s) for s in window)
        if test.basis == "re-based":
            planned_starts = sum(self.plan.starts[: t + 1])
            planned *= sum(self.people.starts[: t + 1]) / planned_starts if planned_starts > 0 else 1.0
        reached = sum(self.results[s] for s in window)
        expected = min(planned, reached + self.room_for_claims())
        self.strikes = self.strikes + 1 if reached + HALF_A_PENNY < test.below * expected else 0
        return self.strikes >= test.strikes

    def room_for_claims(self) -> float:
        """What payers may still accept under their own caps and the contract's, and agencies pay over."""
        by_payer = sum(
            NO_LIMIT if payer.cap is None else max(0.0, payer.cap - self.accepted_by[role])
            for role, payer in self.tariff.payers.items()
        )
        contract = NO_LIMIT if self.tariff.cap is None else self.tariff.cap
        by_agency = sum(
            NO_LIMIT if agency.cap is None else max(0.0, agency.cap - self.paid_over[role])
            for role, agency in (self.tariff.savings.agencies if self.tariff.savings else {}).items()
        )
        return max(0.0, min(by_payer, contract - sum(self.accepted_by.values()))) + by_agency

    def note_the_end(self, t: int, cause: str) -> None:
        """Step 9, its end: the contract no longer runs."""
        if cause:
            self.running, self.since, self.ended_at, self.books.cause = False, 0, t, cause
        elif not self.running:
            self.since += 1

    def settled(self, t: int) -> bool:
        """Step 9: the last row, or after an early end once the wind-down and all payments are over."""
        if self.running or t == self.rows - 1:
            return t == self.rows - 1
        tariff, further = self.tariff, self.tariff.delayed.quarters if self.tariff.delayed else 0
        back = tariff.clawback.after if tariff.clawback else 0
        longest = max(payer.payment_lag for payer in tariff.payers.values()) + further + back
        longest = max(longest, tariff.savings.verification_lag if tariff.savings else 0)
        paid = self.since >= tariff.tail + longest or not self.anything_planned(t - longest + 1)
        return paid and self.since >= self.terms.termination.wind_down_quarters

    def anything_planned(self, t: int) -> bool:
        """Whether the plan case starts anybody, pays for cost or could claim from this row on."""
        plan = self.plan
        return any(
            max(plan.bill[s], plan.starts[s], plan.worth[s]) > HALF_A_PENNY
            for s in range(max(0, t), self.rows)
        )

    def worth(self, t: int) -> float:
        """Outcomes at the price base while anybody accepts claims, savings that somebody pays on, a baseline.

        A report counts one.
        """
        found = sum(
            cash + (memo if self.tariff.savings.agencies[agency].of == "all" else 0.0)
            for (cash, memo), agency in self.savings_paid_on()
        )
        for one in self.tariff.savings.agencies.values() if self.tariff.savings else ():
            if one.baseline and one.baseline.first_quarter <= t <= one.baseline.last_quarter:
                found = max(found, one.baseline.per_quarter)
        if not self.open_payers(t):
            return found
        effect = self.programme.effect
        reported = effect and any(cohort.measured_quarter == t for cohort in effect.cohorts.values())
        outcomes = self.people.verified[t].items()
        found += sum(n * self.price(line, earlier) for (line, earlier), n in outcomes)
        return found + (1.0 if reported else 0.0)

    def savings_paid_on(self) -> list[tuple[tuple[float, float], str]]:
        """This row's savings of agencies that pay out of them."""
        paying = self.tariff.savings.agencies if self.tariff.savings else {}
        return [
            (self.saved_now[name], saving.agency)
            for name, saving in self.programme.savings.items()
            if saving.agency in paying
        ]

    # what is left, and orders

    def share_out(self, t: int, left: float, shares: AboveCap) -> None:
        """What is left when investors have had theirs."""
        self.pay(t, "vehicle", "investor", "surplus share", left * shares.investor)
        self.pay(t, "vehicle", "provider", "surplus share", left * shares.provider)
        whole = sum(self.accepted_by.values())
        for role, part in self.split().items():
            part = self.accepted_by[role] / whole if whole > 0 else part
            self.pay(t, "vehicle", role, "surplus share", left * shares.payers * part)

    def orders_for_the_next_row(self, t: int, cause: str) -> None:
        """Step 12."""
        if not self.running:
            self.scale = 0.0
            self.delivery = 1.0 if self.since < self.terms.termination.wind_down_quarters else 0.0
            return
        self.paused = max(0, self.paused - 1)
        review = self.terms.review if self.variation else None
        if (
            review is not None
            and t in review.quarters
            and self.changes < review.times
            and self.on_plan(t) < review.below
        ):
            self.changes += 1
            self.price_factor *= review.price
            self.performance *= review.performance
            self.paused = review.pause_quarters
        self.scale = 0.0 if self.paused else 1.0
        self.delivery = review.pause_cost if review is not None and self.paused else 1.0


# --- the bond: docs/structures/social-impact-bond.md -------------------------------------------------


class Bond(Contract):
    """The social impact bond on one path: steps 7, 10 and 11."""

    def __init__(
        self,
        programme: Programme,
        tariff: Tariff,
        bond: SocialImpactBond,
        draws: Draws,
        plan: Plan,
        **more: Any,
    ) -> None:
        super().__init__(programme, tariff, bond, draws, plan, **more)
        self.bond = bond
        self.released: set[str] = set()
        self.returned = self.received = self.hurdle = 0.0
        self.had_this_year = 0.0
        """investor return and floor coupon in the rows after the last fourth row"""

    def row(self, t: int) -> None:
        """One row, in the order of the page."""
        ran_before = self.running
        owed = self.income_and_bill(t)
        drawn_now = self.draw(t, owed, ran_before)
        cause = self.pay_and_stand(t, owed)
        self.distribute(t, self.room_under_the_cap(drawn_now))
        self.close(t, cause)

    @property
    def outstanding(self) -> float:
        """Capital drawn and not returned."""
        return max(0.0, self.drawn - self.returned)

    # 7. drawing

    def draw(self, t: int, owed: Mapping[str, float], ran_before: bool) -> float:
        """Step 7: what investors pay in."""
        released = self.commitment
        if self.bond.tranches and not self.is_the_plan:
            for name, tranche in self.bond.tranches.items():
                if t >= tranche.from_quarter and self.on_plan(t) >= tranche.gate:
                    self.released.add(name)
            released = sum(self.bond.tranches[name].share for name in self.released)
            released = 0.0 if released == 0.0 else released * self.commitment
        ahead = self.planned_bill(t + 1, t + self.bond.draw_ahead) if ran_before else 0.0
        wish = max(0.0, sum(owed.values()) + ahead - self.cash)
        used = self.outstanding if self.bond.revolving else self.drawn
        drawn = max(0.0, min(wish, released - used))
        drawn = drawn if drawn > HALF_A_PENNY else 0.0
        self.pay(t, "investor", "vehicle", "drawdown", drawn)
        self.drawn += drawn
        self.books.peak_capital = max(self.books.peak_capital, self.outstanding)
        return drawn

    # 10. room under the cap

    def room_under_the_cap(self, drawn_now: float) -> float:
        """Step 10: how much more investors may receive."""
        cap, room = self.bond.cap, NO_LIMIT
        if cap.irr is not None:
            self.hurdle = self.hurdle * (1.0 + cap.irr) ** 0.25 + drawn_now
            room = self.hurdle
        if cap.multiple is not None:
            room = min(room, cap.multiple * self.drawn - self.received)
        return max(0.0, room) if self.drawn > HALF_A_PENNY else 0.0

    def receive(self, room: float, amount: float) -> float:
        """Investors receive an amount: the room that is left."""
        self.received += amount
        self.hurdle -= amount
        return max(0.0, room - amount)

    # 11. distribution

    def distribute(self, t: int, room: float) -> None:
        """Step 11."""
        settled, spare = self.settled(t), self.spare(t)
        fourth = t > 0 and t % 4 == 0

        coupon = min(self.performance_coupon(t), spare, room) if fourth and self.running else 0.0
        self.pay(t, "vehicle", "investor", "investor return", coupon)
        room, spare = self.receive(room, coupon), spare - coupon
        self.had_this_year += coupon

        floor = min(self.floor_coupon(t), room) if fourth and self.running else 0.0
        if self.bond.floor_coupon is not None:
            self.pay(t, self.bond.floor_coupon.by, "investor", "floor coupon", floor)
        room = self.receive(room, floor)
        self.had_this_year = 0.0 if fourth else self.had_this_year + floor

        capital = min(self.outstanding, spare, room)
        self.pay(t, "vehicle", "investor", "capital returned", capital)
        self.returned += capital
        room, spare = self.receive(room, capital), spare - capital
        if self.outstanding <= HALF_A_PENNY or room <= HALF_A_PENNY:
            fee = min(self.deferred, spare)
            self.pay(t, "vehicle", "provider", "deferred fee", fee)
            self.deferred, spare = self.deferred - fee, spare - fee
        if self.outstanding <= HALF_A_PENNY:
            more = min(room, spare)
            self.pay(t, "vehicle", "investor", "investor return", more)
            self.had_this_year += 0.0 if fourth else more
            room, spare = self.receive(room, more), spare - more

        if settled and not self.accounts_settled:
            self.accounts_settled = True
            room = self.settle_accounts(t, room)
        if settled or (room < HALF_A_PENNY and self.drawn > HALF_A_PENNY):
            self.share_out(t, spare, self.bond.above_cap)

    def settle_accounts(self, t: int, room: float) -> float:
        """Step 11, once: compensation, then capital protection. The room that is left."""
        if self.books.cause:
            owed = getattr(self.bond.termination.compensation, self.books.cause) * self.outstanding
            owed = min(owed, room)
            for role, part in self.split().items():
                paid = owed * part
                self.pay(t, role, "investor", "termination compensation", paid)
                self.returned += paid
                room = self.receive(room, paid)
        protection = self.bond.protection
        if protection is not None:
            when = self.ended_at if self.ended_at >= 0 else t
            share = 0.0
            for step in protection.schedule:
                share = step.share if when >= step.from_quarter else share
            made_good = max(0.0, min(share * self.drawn - self.received, room))
            self.pay(t, protection.by, "investor", "capital protection", made_good)
            self.returned += min(made_good, self.outstanding)
            room = self.receive(room, made_good)
        return room

    def performance_coupon(self, t: int) -> float:
        """Rate of the highest step that was reached, on outstanding capital."""
        terms = self.bond.performance_coupon
        if terms is None:
            return 0.0
        rows = range(max(0, t - 3), t + 1) if terms.basis == "year" else range(t + 1)
        eligible = sum(self.people.eligible[terms.line][s] for s in rows)
        successes = sum(self.people.achieved[terms.line][s] for s in rows)
        success = successes / eligible if eligible > 0 else 0.0
        rate = 0.0
        for step in terms.steps:
            rate = step.rate if step.at <= success + 1e-12 else rate
        return rate * self.outstanding

    def floor_coupon(self, t: int) -> float:
        """What is short of the least return of the year."""
        terms = self.bond.floor_coupon
        if terms is None or t > 4 * terms.years:
            return 0.0
        return max(0.0, terms.rate * self.outstanding - self.had_this_year)


# --- a whole path ------------------------------------------------------------------------------------


def plan_case(
    programme: Programme, tariff: Tariff, bond: SocialImpactBond, draws: Draws
) -> tuple[Plan, float]:
    """The plan by row from the plan's draws, and the commitment in pounds.

    In the plan case investors put in whatever is needed when it is needed, and nothing ends early.
    """
    starts = [draws.referrals[t] * draws.engagement[t] for t in range(draws.rows)]
    deadweight = {name: draws.deadweight[name][0] for name in programme.outcomes}
    first = Bond(
        programme, tariff, bond, draws, Plan(starts, deadweight, [0.0] * draws.rows), is_the_plan=True
    )
    plan = Plan(starts, deadweight, first.run().bill)
    books = Bond(programme, tariff, bond, draws, plan, is_the_plan=True).run()
    plan.results, plan.worth = books.results, books.worth
    commitment = bond.commitment.amount
    if commitment is None:
        commitment = (bond.commitment.peak_need or 0.0) * books.peak_capital
    return plan, commitment


def by_hand(
    programme: Programme,
    tariff: Tariff,
    bond: SocialImpactBond,
    plan_draws: Draws,
    draws: Draws,
    variation: bool = False,
) -> Books:
    """Every payment of one path, worked from the pages."""
    plan, commitment = plan_case(programme, tariff, bond, plan_draws)
    return Bond(programme, tariff, bond, draws, plan, variation=variation, commitment=commitment).run()


# --- the same random numbers as the engine -----------------------------------------------------------


def draws_of(
    futures: Any,
    price_level: list[Any],
    exits: list[Any],
    path: int,
    own: Mapping[str, list[Any]] | None = None,
) -> Draws:
    """One path's draws out of a block's (column ``path``), or the draws of a case."""
    from socialfinance.kernels.luck import count
    from socialfinance.scenarios.sources import at

    rows, programme = futures.rows, futures.ready.programme

    def one(x: Any) -> float:
        return float(x[path]) if getattr(x, "ndim", 0) == 1 else float(x)

    def by_row(x: Any) -> list[float]:
        return [one(at(x, t)) for t in range(rows)]

    def levels(found: Any, names: Any) -> dict[str, list[float]]:
        return {name: [one(x) for x in level] for name, level in zip(names, found, strict=True)}

    def counted(name: str, others: str, t: int, people: float, chance: float) -> float:
        luck = futures.source.luck(
            name if name == "engagement" else f"outcomes.{name}", others, (0.0,) * rows
        )[t]
        number = luck.path if isinstance(luck.path, int) else int(luck.path[path])
        return float(count(people, chance, luck._replace(path=number)))

    effect = programme.effect
    return Draws(
        rows=rows,
        referrals=[one(x) for x in futures.referrals],
        engagement=by_row(futures.engagement),
        shock_left=by_row(futures.performance),
        shock_runs=[x > 0.0 for x in by_row(futures.shock_runs)],
        probability={name: by_row(x) for name, x in futures.probability.items()},
        deadweight={name: by_row(x) for name, x in futures.deadweight.items()},
        overrun={name: by_row(x) for name, x in zip(programme.costs, futures.overrun, strict=True)},
        cost_level=levels(futures.cost_levels, programme.costs),
        unit_value={name: by_row(x) for name, x in zip(programme.savings, futures.unit_value, strict=True)},
        saving_level=levels(futures.saving_levels, programme.savings),
        true_effect=by_row(futures.true_effect) if effect else [0.0] * rows,
        reported={name: one(x) for name, x in zip(effect.cohorts, futures.reported, strict=True)}
        if effect
        else {},
        price_level=[one(x) for x in price_level],
        exits={
            cause: [one(getattr(row, cause)) for row in exits] if exits else [1.0] * rows
            for cause in ("voluntary", "policy", "insolvency")
        },
        count=counted,
        own={name: [one(x) for x in by_row] for name, by_row in (own or {}).items()},
    )
