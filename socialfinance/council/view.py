"""Everything a council's page says, as tables: what the page prints and what JSON holds are the same.

One public body, the deals in which it has a part, on one set of futures. Tables are tidy frames; amounts are
pounds, nominal unless a name says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.core.errors import InputError
from socialfinance.core.parties import PUBLIC
from socialfinance.core.terms import said_of
from socialfinance.council import accounts, capital, cases, gates, prices, promised, purse, question
from socialfinance.council import budget as budgets
from socialfinance.council.appraisal import Appraised, Streams, appraise, payback_year, streams, yearly_table
from socialfinance.council.liabilities import Affordability, afford
from socialfinance.council.numbers import Array
from socialfinance.council.promises import Promise
from socialfinance.council.statistics import Chance, Figure, chance, figure
from socialfinance.engine.books import OWN, Accounts, DealBooks, deals_with, keep_books
from socialfinance.engine.ready import ReadyDeal, ReadyPortfolio, as_one_body, own_money
from socialfinance.funds.books import Books, Budget

if TYPE_CHECKING:
    import pandas as pd

NO_STAKE = "do nothing"
CENTRAL = frozenset({"central", "dwp", "hmrc", "justice"})
"""Kinds that are paid for by central government."""
OWN_MONEY = ("in house, same costs", "council builds, from reserves")
BORROWING = ("pwlb, same costs", "council builds, PWLB loans")


def view(ready: ReadyPortfolio, party: str, seed: int, paths: int) -> View:
    """Run the deals in which a public body has a part; its own reserve and receipts are the body itself.

    InputError where it has no part, or is no public body.
    """
    own = sorted({name for deal in ready.deals for name in own_money(deal, party)})
    ready = as_one_body(ready, party)
    deals = deals_with(ready, party)
    if not deals:
        raise InputError("has no part in any deal of this file", field="council", given=party)
    by_row = promised.reasons(deals, party) | LEASES
    return View(ready, party, keep_books(ready, deals, seed, paths, by_row), tuple(own))


LEASES = frozenset({accounts.HEAD_RENT})
"""Reasons kept by row because a lease is measured by them."""


@dataclass(frozen=True)
class View:
    """One public body's view of a run."""

    ready: ReadyPortfolio
    party: str
    run: Accounts
    own_money: tuple[str, ...] = ()
    """parties of the file that are this body's own reserve or receipts"""

    # --- what it is about ---------------------------------------------------------------------------

    @property
    def years(self) -> tuple[str, ...]:
        """Financial years of the file."""
        return self.run.years

    @property
    def shape(self) -> tuple[int, int]:
        """Years and paths."""
        return len(self.years), self.run.paths

    @property
    def deals(self) -> tuple[DealBooks, ...]:
        """The deals in which it has a part."""
        return tuple(self.run.deals.values())

    @property
    def books(self) -> Books:
        """What the file tells of its books; defaults where it tells nothing."""
        return self.ready.portfolio.books.get(self.party, Books())

    def said(self, block: str = "") -> str:
        """What the file says of where a block of its books comes from; of a default, that it is one."""
        place = ("books", self.party, block) if block else ("books", self.party)
        for at, _, heard in said_of(self.ready.portfolio):
            if at == place:
                return heard.source or (
                    "illustrative" if heard.origin == "illustrative" else "no source given"
                )
        return "defaults of the model"

    @cached_property
    def agencies(self) -> tuple[str, ...]:
        """Public bodies that pay, save or have anything in these deals, this one first."""
        found = {
            name
            for deal in self.deals
            for leg in deal.own.legs
            for name in leg[:2]
            if name in self.ready.parties and self.ready.parties[name].kind in PUBLIC
        } - {self.party}
        return (self.party, *sorted(found))

    def alternatives(self, deal: ReadyDeal) -> tuple[str, ...]:
        """What a deal is held against."""
        return tuple(one.name for one in deal.comparators)

    def base(self, deal: ReadyDeal) -> str:
        """The alternative that the price of risk is taken against: borrowing, at the same cost."""
        names = self.alternatives(deal)
        return next((name for name in BORROWING if name in names), names[0])

    def in_house(self, deal: ReadyDeal) -> str:
        """The alternative without any borrowing, at the same cost where there is one."""
        names = self.alternatives(deal)
        return next((name for name in OWN_MONEY if name in names), names[0])

    # --- arrays -------------------------------------------------------------------------------------

    def paid(self, party: str, deal: DealBooks | None = None) -> Array:
        """Paid less had back by year and path, savings apart; over all its deals without one."""
        return self._sum(deal, lambda one: budgets.payments(one.own.legs, party, self.shape))

    def saved(self, party: str, cashable: bool = True, deal: DealBooks | None = None) -> Array:
        """Savings less extra cost by year and path."""
        return self._sum(deal, lambda one: budgets.savings(one.own.legs, party, self.shape, cashable))

    def net(self, party: str) -> Array:
        """Net budget effect by year and path: savings that reach it less what it pays."""
        return self.saved(party) - self.paid(party)

    def accrued(self, party: str) -> Array:
        """What it pays by year, each payment by results in the year in which it was earned."""
        nil = np.zeros(self.shape)
        return self.paid(party) + self._sum(None, lambda one: one.own.accrued.get(party, nil))

    def _sum(self, deal: DealBooks | None, read: Any) -> Array:
        total = np.zeros(self.shape)
        for one in (deal,) if deal is not None else self.deals:
            total = total + read(one)
        return total

    # --- people and cost ----------------------------------------------------------------------------

    @cached_property
    def people(self) -> pd.DataFrame:
        """By deal: people started, outcomes, and outcomes beyond what would happen anyway."""
        rows = []
        for deal in self.deals:
            for name, values in deal.own.counts.items():
                one = figure(values)
                rows.append((deal.deal.name, name, one.mean, one.error, one.p5, one.p95))
        return _frame(rows, "deal", "measure", "expected", "standard_error", "p5", "p95")

    @cached_property
    def cost(self) -> pd.DataFrame:
        """By deal and payer: expected, P5, P95 over the life, the most under the contract, and who tops up.

        ``top_up``: the payer is of central government.
        """
        rows = []
        for deal in self.deals:
            for party in self._payers(deal):
                one = figure(self.paid(party, deal).sum(axis=0))
                most = self._most(deal.deal, party, "maximum")
                central = self.ready.parties[party].kind in CENTRAL
                rows.append(
                    (deal.deal.name, party, one.mean, one.error, one.p5, one.p95, one.largest,
                     self._most(deal.deal, party, "contract_value"), most, central)
                )  # fmt: skip
        names = "expected", "standard_error", "p5", "p95", "largest", "contract_value", "maximum", "top_up"
        return _frame(rows, "deal", "payer", *names)

    def _payers(self, deal: DealBooks) -> Iterator[str]:
        for party in dict.fromkeys(leg[0] for leg in deal.own.legs):
            if party not in self._paying(deal.deal):
                continue
            if np.any(self.paid(party, deal).sum(axis=0) > HALF_A_PENNY):
                yield party

    def _paying(self, deal: ReadyDeal) -> set[str]:
        """Public bodies, and whoever else pays for outcomes: a donor may."""
        payers = deal.deal.tariff.payers if deal.deal.tariff is not None else {}
        return {*self._public, *(party for role in payers for party, _ in deal.roles[role])}

    def _most(self, deal: ReadyDeal, party: str, table: str) -> float | None:
        """The most a party can be asked for under a contract, pounds; None where nothing limits it."""
        most = 0.0
        for role, amount in getattr(deal.own.lowered, table).items():
            most += dict(deal.roles.get(role, ())).get(party, 0.0) * amount if amount else 0.0
        return most if np.isfinite(most) else None

    # --- budget -------------------------------------------------------------------------------------

    @cached_property
    def budget(self) -> tuple[Budget | None, Array, Array]:
        """Its budget's terms, amounts by year and caps; what the plan pays by year where it gives none."""
        given = self.books.budget
        if given is None:
            return None, self.planned, np.full(len(self.years), np.inf)
        return (given, *budgets.budget_of(given, self.years))

    @cached_property
    def planned(self) -> Array:
        """What it pays by year in the plan case, as paid, ``(year,)`` pounds, never below nil."""
        total = np.zeros(len(self.years))
        for deal in self.deals:
            total += cases.planned_payments(self.ready, deal.deal, self.party)
        return np.maximum(0.0, total)

    @cached_property
    def spent(self) -> budgets.Spent:
        """Its payments run through its budget, on its budget's basis."""
        plan, amounts, caps = self.budget
        basis = "cash" if plan is None else plan.basis
        paid = self.paid(self.party) if basis == "cash" else self.accrued(self.party)
        return budgets.spend(amounts, paid, plan, caps)

    @cached_property
    def exposure(self) -> pd.DataFrame:
        """Budget exposure by year: see ``budgets.exposure_table``; with planned payments as ``plan``."""
        table = budgets.exposure_table(self.years, self.spent, self.budget[1])
        table.insert(1, "plan", self.planned)
        return table

    @cached_property
    def reserve_needed(self) -> Figure:
        """Reserve that a future's overspends would take if there were none: pounds over the life, by path."""
        plan, amounts, caps = self.budget
        without = plan.model_copy(update={"reserve": 0.0, "to_reserve": 0.0}) if plan else None
        basis = "cash" if plan is None else plan.basis
        paid = self.paid(self.party) if basis == "cash" else self.accrued(self.party)
        return figure(budgets.spend(amounts, paid, without, caps).uncovered.sum(axis=0))

    @cached_property
    def effect(self) -> pd.DataFrame:
        """Net budget effect by year: paid, saved, net and net so far, expected with P5 and P95 of the net."""
        paid, saved = self.paid(self.party), self.saved(self.party)
        net, so_far = saved - paid, np.cumsum(saved - paid, axis=0)
        rows = []
        for t, year in enumerate(self.years):
            one = figure(net[t])
            positive = chance(so_far[t] >= -HALF_A_PENNY).share
            rows.append(
                (year, float(paid[t].mean()), float(saved[t].mean()), *one[:3], one.p95,
                 float(so_far[t].mean()), positive)
            )  # fmt: skip
        names = "paid", "saved", "net", "standard_error", "p5", "p95", "so_far", "chance_positive_so_far"
        return _frame(rows, "financial_year", *names)

    @property
    def turns_positive(self) -> str | None:
        """First year from which the expected net so far stays nil or above; None where it never does."""
        behind = np.flatnonzero(self.effect["so_far"].to_numpy() < -HALF_A_PENNY)
        first = int(behind[-1]) + 1 if len(behind) else 0
        return self.years[first] if first < len(self.years) else None

    @cached_property
    def never(self) -> Chance:
        """Futures in which it saves less than it pays over the whole life."""
        return chance(self.net(self.party).sum(axis=0) < -HALF_A_PENNY)

    @cached_property
    def worst(self) -> Figure:
        """Net cost over the life, undiscounted; P95 is the reasonable worst case shown first."""
        return figure(-self.net(self.party).sum(axis=0))

    # --- shared purse -------------------------------------------------------------------------------

    @cached_property
    def purse(self) -> dict[str, pd.DataFrame]:
        """Agency x financial year: cashable savings, other savings, payments, net; and the wrong pockets."""
        saved = {one: self.saved(one) for one in self.agencies}
        paid = {one: self.paid(one) for one in self.agencies}
        freed = {one: self.saved(one, cashable=False) for one in self.agencies}
        net = {one: saved[one] - paid[one] for one in self.agencies}
        tables = {"cashable": saved, "other": freed, "payments": paid, "net": net}
        found = {name: purse.matrix(self.years, by_agency) for name, by_agency in tables.items()}
        found["wrong pockets"] = purse.matrix(self.years, {"": purse.wrong_pockets(saved, paid)})
        return found

    @cached_property
    def sharing(self) -> pd.DataFrame:
        """Each agency's expected present value: as agreed, alone, and under each rule for sharing out.

        Columns: rule, agency, savings_pv, pays_pv, net_pv, alone_pv, all_better_off. ``as agreed`` is what
        the contracts do; alone: the whole public cost against its own savings.
        """
        saved, paid = self._worth("saving_pv"), self._worth("paid_pv")
        cost = sum(paid.values())
        savers = {agency: amount for agency, amount in saved.items() if amount > HALF_A_PENNY}
        agreed = {agency: saved[agency] - paid[agency] for agency in self.agencies}
        better = all(net >= -HALF_A_PENNY for net in agreed.values())
        rows: list[tuple[Any, ...]] = [
            ("as agreed", agency, saved[agency], paid[agency], agreed[agency],
             max(0.0, saved[agency] - cost) if agency in savers else 0.0, better)
            for agency in self.agencies
        ]  # fmt: skip
        rules: tuple[purse.Rule, ...] = ("pro rata to savings", "equal", "shapley")
        for rule in rules if savers and cost >= 0.0 else ():
            if rule == "shapley" and len(savers) > purse.MOST_AGENCIES:
                continue
            out = purse.share_out(savers, cost, rule)
            rows += [
                (rule, agency, savers[agency], out.pays[agency], out.net[agency], out.alone[agency],
                 out.all_better_off)
                for agency in savers
            ]  # fmt: skip
        names = "savings_pv", "pays_pv", "net_pv", "alone_pv", "all_better_off"
        return _frame(rows, "rule", "agency", *names)

    def _worth(self, measure: str) -> dict[str, float]:
        """Expected present value by agency over its deals."""
        return {
            agency: sum(
                float(one.own.worth[agency][measure].mean()) for one in self.deals if agency in one.own.worth
            )
            for agency in self.agencies
        }

    # --- promises -----------------------------------------------------------------------------------

    @cached_property
    def exposures(self) -> tuple[promised.Exposure, ...]:
        """What it has promised and may have to pay, measured."""
        how = self.books.promises
        return tuple(
            one for deal in self.deals for one in promised.exposures(self.ready, deal, self.party, how)
        )

    @cached_property
    def promises(self) -> pd.DataFrame:
        """Every promise with the rules it falls under; contingent ones with what they are expected to cost.

        Promises that pay on one leg are measured together, and stand on the first of them. Columns: deal,
        promise, pays_when, owed_by, treatment, standard, reason, citation, maximum (None: no limit, or the
        terms give no figure), expected_loss, standard_error, worst_case, chance, ias37, flags.
        """
        rows: list[tuple[Any, ...]] = []
        for deal in self.deals:
            for one in promised.firm(deal.deal, self.party):
                rows.append(
                    (*_promise_row(one, one.maximum), None, None, None, None, "", "; ".join(one.flags))
                )
        for found in self.exposures:
            measured = found.assessed
            for i, one in enumerate(found.promises):
                figures = (*measured.expected_loss, measured.worst_case.value, measured.called.value)
                rows.append(
                    (*_promise_row(one, found.maximum if not i else one.maximum),
                     *(figures if not i else (None,) * 4), found.tested.treatment, "; ".join(one.flags))
                )  # fmt: skip
        return _frame(rows, *PROMISES)

    @cached_property
    def assessment(self) -> pd.DataFrame:
        """By exposure: maximum, expected loss, percentiles, fee, reserve (``Assessment.table``)."""
        return _stacked((one, one.assessed.table()) for one in self.exposures)

    @cached_property
    def crystallises(self) -> pd.DataFrame:
        """By exposure and financial year: expected calls, their percentile and their chance."""
        return _stacked((one, one.assessed.by_year) for one in self.exposures)

    @cached_property
    def affordability(self) -> Affordability | None:
        """All of them together against the reserve named for them; None where none is."""
        held = self.books.promises.reserve
        if held is None or not self.exposures:
            return None
        return afford(sum((one.net for one in self.exposures), np.zeros(self.shape)), held, self.years)

    @property
    def reserve(self) -> pd.DataFrame:
        """By year: chance that the reserve is exhausted, and what is left; empty where none is named."""
        held = self.affordability
        return _frame([], "financial_year") if held is None else held.by_year

    @cached_property
    def ecl(self) -> pd.DataFrame:
        """By financial guarantee contract and year end: expected credit loss (``guarantees.ecl_table``)."""
        return _stacked((one, one.ecl) for one in self.exposures if one.ecl is not None)

    @cached_property
    def liability(self) -> pd.DataFrame:
        """By financial guarantee contract and year end: the higher of (``guarantees.liability_table``)."""
        return _stacked((one, one.liability) for one in self.exposures if one.liability is not None)

    # --- in the accounts ----------------------------------------------------------------------------

    @property
    def is_council(self) -> bool:
        """Whether the rules of councils in England are its own."""
        return self.ready.parties[self.party].kind == "council"

    @cached_property
    def columns(self) -> dict[str, dict[str, accounts.Columns]]:
        """By deal and structure: its payments by column of the accounts and rule; {} for other bodies."""
        if not self.is_council:
            return {}
        return {one.deal.name: accounts.columns_of(self.ready, one, self.party) for one in self.deals}

    @cached_property
    def in_accounts(self) -> pd.DataFrame:
        """By deal, structure, column, rule and year: see ``accounts.accounts_table``."""
        return accounts.accounts_table(self.years, self.columns)

    @cached_property
    def capital(self) -> capital.Side | None:
        """Its capital side by year under the deals as contracted; None for other bodies."""
        if not self.is_council:
            return None
        own = accounts.together([structures[OWN] for structures in self.columns.values()])
        return accounts.capital_side(self.ready, self.deals, self.party, own, self.books.capital)

    @property
    def capital_by_year(self) -> pd.DataFrame:
        """The same as a frame, means over paths; empty for other bodies."""
        return _frame([], "year") if self.capital is None else self.capital.frame()

    @cached_property
    def gates(self) -> pd.DataFrame:
        """By deal and structure, every gate of lawful funding: verdict, reason, citation; for councils only.

        The deal's own structure is told what a run expects to be called on guarantees, floors and the like,
        and earned in fees.
        """
        rows: list[tuple[Any, ...]] = []
        for deal in self.deals if self.is_council else ():
            mine = [one for one in self.exposures if one.deal == deal.deal.name and one.backs]
            called = sum(one.assessed.expected_loss.value for one in mine)
            earned = sum(one.assessed.fees.value for one in mine)
            for name, terms in accounts.terms_of(self.ready, deal.deal).items():
                told = (called, earned) if name == OWN and mine else (None, None)
                found = gates.gates(deal.deal, terms, self.ready, self.party, *told)
                rows += [(deal.deal.name, name, *gate) for gate in found]
        return _frame(rows, "deal", "structure", "gate", "verdict", "reason", "citation")

    # --- against alternatives -----------------------------------------------------------------------

    @cached_property
    def against(self) -> pd.DataFrame:
        """By deal and alternative: ``question.Against``, the performance effect and its break-even."""
        rows = []
        for deal in self.deals:
            for name in self.alternatives(deal.deal):
                found = question.against(deal, self.party, name)
                if found is not None:
                    uplift = None if name == NO_STAKE else question.break_even_uplift(deal, self.party, name)
                    rows.append(_against_row(deal, found, uplift))
        return _frame(rows, *AGAINST)

    def pays(self, deal: DealBooks, alternative: str) -> bool:
        """Whether this body itself pays anything, or has anything but savings, under an alternative."""
        worth = deal.structures[alternative].worth.get(self.party)
        return worth is not None and bool(np.any(np.abs(worth["paid_pv"]) > HALF_A_PENNY))

    def others_pay(self, deal: DealBooks, alternative: str) -> dict[str, float]:
        """What other public bodies are expected to pay beyond what they would under an alternative.

        Pounds of present value by body, those who pay half a pound more or above.
        """
        here, there = deal.own.worth, deal.structures[alternative].worth
        more = {}
        for body in self.agencies:
            mine, theirs = (
                float(one[body]["paid_pv"].mean()) if body in one else 0.0 for one in (here, there)
            )
            if body != self.party and mine > 0.5 and mine - theirs > 0.5:
                more[body] = mine - max(0.0, theirs)
        return more

    @cached_property
    def yearly(self) -> pd.DataFrame:
        """Net budget effect by year under each structure, by deal: see ``question.yearly_difference``."""
        import pandas as pd

        frames = []
        for deal in self.deals:
            table = question.yearly_difference(self.years, deal, self.party, self.alternatives(deal.deal))
            table.insert(0, "deal", deal.deal.name)
            frames.append(table)
        return pd.concat(frames, ignore_index=True)

    # --- deterministic cases ------------------------------------------------------------------------

    @cached_property
    def exits(self) -> pd.DataFrame:
        """What ending each contract by agreement costs it at each year end, plan case."""
        rows = [
            (deal.deal.name, *one, one.total)
            for deal in self.deals
            for one in cases.exit_costs(self.ready, deal.deal, self.party)
        ]
        return _frame(rows, "deal", "financial_year", "compensation", "other", "going_on", "total")

    @cached_property
    def switches(self) -> pd.DataFrame:
        """Three inputs of each deal that matter most to it, with the values at which the answer turns."""
        rows = [
            (deal.deal.name, self.base(deal.deal), *one)
            for deal in self.deals
            for one in cases.switches(self.ready, deal.deal, self.party, self.base(deal.deal))
        ]
        names = "input", "plan", "swing", "pays_for_itself_at", "as_alternative_at"
        return _frame(rows, "deal", "alternative", *names)

    @cached_property
    def success(self) -> pd.DataFrame:
        """By deal: the multiple of success at which it costs this body as much as borrowing would."""
        rows = []
        for deal in self.deals:
            if deal.deal.deal.programme.kind != "people-programme":
                continue
            found = cases.break_even_success(self.ready, deal.deal, self.party, self.base(deal.deal))
            both = (found.multiple, found.paid_over_plan) if found else (None, None)
            rows.append((deal.deal.name, self.base(deal.deal), *both))
        return _frame(rows, "deal", "alternative", "multiple", "paid_over_plan")

    # --- appraisal ----------------------------------------------------------------------------------

    @cached_property
    def deflator(self) -> prices.Deflator:
        """The file's, by its growth a year."""
        return prices.steady(self.years, self.books.appraisal.inflation, self.said("appraisal"))

    @cached_property
    def flows(self) -> dict[str, Streams]:
        """By deal: the streams of its appraisal."""
        return {
            one.deal.name: streams(one.own.legs, self._public, self.years, self.shape) for one in self.deals
        }

    @property
    def _public(self) -> tuple[str, ...]:
        return tuple(sorted(name for name, one in self.ready.parties.items() if one.kind in PUBLIC))

    def appraised(self, deal: str) -> Appraised:
        """Present values of one deal, by path."""
        how = self.books.appraisal
        return appraise(
            self.flows[deal], self.deflator, how.schedule, how.optimism_bias_costs, how.optimism_bias_benefits
        )

    @cached_property
    def appraisal(self) -> pd.DataFrame:
        """By deal, real present values over all public bodies: each view's figures, with their ratios."""
        rows: list[tuple[Any, ...]] = []
        for name, flows in self.flows.items():
            worth = self.appraised(name)
            values = {
                "cashable savings": worth.cashable, "other savings": worth.other,
                "public cost": worth.public_cost, "resources used": worth.resources,
                "net present budget impact": worth.net_present_budget_impact,
                "net present public value": worth.net_present_public_value,
                "net present social value": worth.npsv,
            }  # fmt: skip
            for measure, value in values.items():
                one = figure(value)
                rows.append((name, measure, one.mean, one.error, one.p5, one.p95, "pounds"))
            rows.append((name, "fiscal benefit-cost ratio", worth.fiscal_ratio, None, None, None, "ratio"))
            rows.append((name, "public value benefit-cost ratio", worth.bcr, None, None, None, "ratio"))
            paid_back = payback_year(flows, self.deflator, self.books.appraisal.schedule)
            rows.append((name, "payback year", paid_back, None, None, None, "financial year"))
        return _frame(rows, "deal", "measure", "value", "standard_error", "p5", "p95", "unit")

    @cached_property
    def appraisal_by_year(self) -> pd.DataFrame:
        """By deal and year: nominal, real and discounted, expected."""
        import pandas as pd

        frames = []
        for name, flows in self.flows.items():
            table = yearly_table(flows, self.deflator, self.books.appraisal.schedule)
            table.insert(0, "deal", name)
            frames.append(table)
        return pd.concat(frames, ignore_index=True)


AGAINST = (
    "deal", "alternative", "net_cost_pv", "standard_error", "their_net_cost_pv", "difference_pv",
    "difference_error", "difference_p5", "difference_p95", "share_of_cost", "chance_dearer",
    "chance_dearer_error", "balance_pound_years", "spread", "spread_p5", "spread_p95", "all_in_rate",
    "all_in_status", "all_in_p5", "all_in_p95", "all_in_exists", "spread_of_cost_here",
    "spread_of_cost_there", "risk_moved", "worst_here", "worst_there", "performance_effect",
    "break_even_uplift",
)  # fmt: skip
"""Columns of the comparison."""


def _against_row(deal: DealBooks, found: question.Against, uplift: float | None) -> tuple[Any, ...]:
    more, spread, rate, risk = found.difference, found.spread_by_path, found.all_in_by_path, found.moved
    return (
        deal.deal.name, found.alternative, found.net_cost.mean, found.net_cost.error, found.their_cost.mean,
        more.mean, more.error, more.p5, more.p95, found.share_of_cost, found.dearer.share,
        found.dearer.error, found.balance, found.spread, *_ends(spread), found.all_in_rate,
        found.all_in_status, *_ends(rate), found.all_in_exists, risk.spread_here, risk.spread_there,
        risk.share, risk.worst_here, risk.worst_there, deal.deal.deal.performance_effect, uplift,
    )  # fmt: skip


def _ends(one: Figure | None) -> tuple[float | None, float | None]:
    return (None, None) if one is None else (one.p5, one.p95)


PROMISES = (
    "deal", "promise", "pays_when", "owed_by", "treatment", "standard", "reason", "citation", "maximum",
    "expected_loss", "standard_error", "worst_case", "chance", "ias37", "flags",
)  # fmt: skip
"""Columns of the promises."""


def _promise_row(one: Promise, most: float | None) -> tuple[Any, ...]:
    rules = one.treatment
    limit = None if most is None or not np.isfinite(most) else most
    return (
        one.deal,
        one.what,
        one.pays,
        one.owes,
        rules.name,
        rules.standard,
        rules.reason,
        rules.citation,
        limit,
    )


def _stacked(tables: Iterable[tuple[promised.Exposure, pd.DataFrame]]) -> pd.DataFrame:
    """Tables of several exposures as one; ``exposure`` is the deal and its first promise."""
    import pandas as pd

    frames = []
    for one, table in tables:
        frame = table.copy()
        frame.insert(0, "exposure", f"{one.deal}: {one.promises[0].what}")
        frames.append(frame)
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame({"exposure": []})


def _frame(rows: Sequence[Sequence[Any]], *names: str) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(list(map(tuple, rows)), columns=list(names))


def own_legs(view: View) -> Mapping[str, Mapping[tuple[str, str, str], Array]]:
    """By deal: the legs of its own structure."""
    return {deal.deal.name: deal.structures[OWN].legs for deal in view.deals}
