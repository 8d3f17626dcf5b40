"""A council's tables against figures taken again from the ledger by hand: loops over paths and years."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable
from copy import deepcopy
from datetime import date
from functools import cache
from itertools import permutations
from typing import Any

import numpy as np
import pytest

import socialfinance as sf
from socialfinance.core.ledger import Ledger
from socialfinance.core.parties import OUTSIDE, PUBLIC
from socialfinance.council.cases import Scaled, turning_point
from socialfinance.council.tables import TABLES, as_rows
from socialfinance.council.view import View, view
from socialfinance.engine.deal import run
from socialfinance.engine.ready import ReadyDeal, ReadyPortfolio, drawn, futures_of, prepare, price_level
from socialfinance.funds.portfolio import Portfolio
from socialfinance.io.yaml import parse, plain
from socialfinance.reports.council import council_page
from tests.cli.small import SMALL

PATHS, SEED, PENNY = 40, 5, 0.005
FILES = (
    ("collective-impact-fund", "eastmere"),
    ("community-fund", "eastmere"),
    ("demo-guaranteed-debt", "eastmere"),
    ("demo-pay-as-you-save", "eastmere"),
    ("demo-asset-backed", "eastmere"),
)
"""Files and bodies: two bonds, one that starts later, with a budget and a reserve; seven structures; debt
with a guarantee; savings shared out; property."""
SAVINGS = ("saving", "extra cost", "non-cashable saving", "non-cashable extra cost")
MEMO = ("non-cashable saving", "non-cashable extra cost", "property in kind")
BY_RESULTS = ("outcome payment", "savings payment")
Leg = tuple[str, str, str]
Grid = list[list[float]]
"""By financial year, then by path."""


@cache
def ready(name: str) -> ReadyPortfolio:
    return prepare(sf.load(name).portfolio)


@cache
def seen(name: str, party: str) -> View:
    return view(ready(name), party, SEED, PATHS)


class Books:
    """The rows of one structure of one deal, as lists, and when they fall."""

    def __init__(self, of: ReadyPortfolio, deal: ReadyDeal, ledger: Ledger) -> None:
        self.deal = deal
        self.legs: dict[Leg, Grid] = {leg: rows.tolist() for leg, rows in ledger.by_row.items()}
        paid_in, back = ledger.of_role("investor")
        self.paid_in: Grid = paid_in.tolist()
        self.back: Grid = back.tolist()
        self.rows = deal.calendar.quarters + 1
        dates = [deal.calendar.row_date(row) for row in range(self.rows)]
        self.year = [of.calendar.financial_years.index(financial_year(day)) for day in dates]
        self.time = [(deal.first_row + row) / 4.0 for row in range(self.rows)]


def financial_year(day: date) -> str:
    """April to March."""
    first = day.year if (day.month, day.day) >= (4, 1) else day.year - 1
    return f"{first}/{(first + 1) % 100:02d}"


@cache
def books(name: str) -> dict[str, dict[str, Books]]:
    """By deal and structure, as the engine books them over the view's futures."""
    of, found = ready(name), {}
    parties = frozenset(of.parties) | {OUTSIDE}
    for deal in of.deals:
        paths = np.arange(PATHS, dtype=np.uint64)
        common = of.common(SEED, paths)
        futures = futures_of(deal, drawn(deal, common, SEED, paths), common)
        level = price_level(deal, common)
        both = [deal.own, *deal.comparators]
        ledgers = [Ledger(deal.calendar.year_of_row, PATHS, books=parties) for _ in both]
        run(deal, both[:1], futures, level, ledgers[:1])
        run(deal, both[1:], futures, level, ledgers[1:])
        names = ["own", *(one.name for one in deal.comparators)]
        found[deal.name] = {
            name: Books(of, deal, ledger) for name, ledger in zip(names, ledgers, strict=True)
        }
    return found


def mine(name: str, party: str) -> list[Books]:
    """Own structures of the deals in which the body has a part."""
    parts = [
        deal.name
        for deal in ready(name).deals
        if any(party == who for filled in deal.roles.values() for who, _ in filled)
    ]
    return [books(name)[deal]["own"] for deal in parts]


# --- by hand ---------------------------------------------------------------------------------------------


def grid(years: int) -> Grid:
    return [[0.0] * PATHS for _ in range(years)]


def paid(years: int, some: Iterable[Books], party: str) -> Grid:
    """Everything a body pays less everything it has, savings and memo apart."""
    total = grid(years)
    for one in some:
        for (payer, payee, why), rows in one.legs.items():
            if why in SAVINGS or why in MEMO or payer == payee:
                continue
            for row, amounts in enumerate(rows):
                for path, amount in enumerate(amounts):
                    if payer == party:
                        total[one.year[row]][path] += amount
                    if payee == party:
                        total[one.year[row]][path] -= amount
    return total


def saved(years: int, some: Iterable[Books], party: str, cashable: bool = True) -> Grid:
    gain, harm = SAVINGS[:2] if cashable else SAVINGS[2:]
    total = grid(years)
    for one in some:
        for (payer, payee, why), rows in one.legs.items():
            for row, amounts in enumerate(rows):
                for path, amount in enumerate(amounts):
                    if why == gain and payee == party:
                        total[one.year[row]][path] += amount
                    if why == harm and payer == party:
                        total[one.year[row]][path] -= amount
    return total


def earned(years: int, some: Iterable[Books], party: str) -> Grid:
    """Paid, but payments by results in the year in which they were earned."""
    total = paid(years, some, party)
    for one in some:
        tariff = one.deal.deal.tariff
        if tariff is None:
            continue
        lags = [
            payer.payment_lag
            for role, payer in tariff.payers.items()
            if party in dict(one.deal.roles.get(role, ()))
        ]
        for (payer, _, why), rows in one.legs.items():
            if payer != party or why not in BY_RESULTS:
                continue
            if why == "outcome payment":
                lag = max(lags, default=0)
            else:
                lag = tariff.savings.verification_lag if tariff.savings else 0
            for row, amounts in enumerate(rows):
                for path, amount in enumerate(amounts):
                    total[one.year[row]][path] -= amount
                    total[one.year[max(row - lag, 0)]][path] += amount
    return total


def life(amounts: Grid) -> list[float]:
    return [sum(year[path] for year in amounts) for path in range(PATHS)]


def less(a: Grid, b: Grid) -> Grid:
    return [[x - y for x, y in zip(one, other, strict=True)] for one, other in zip(a, b, strict=True)]


def mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


def error(values: list[float]) -> float:
    middle = mean(values)
    return math.sqrt(math.fsum((x - middle) ** 2 for x in values) / (len(values) - 1) / len(values))


def spread(values: list[float]) -> float:
    middle = mean(values)
    return math.sqrt(math.fsum((x - middle) ** 2 for x in values) / len(values))


def at(values: list[float], share: float) -> float:
    """The smallest value that at least this share of the futures do not pass."""
    ordered = sorted(values)
    return ordered[math.ceil(share * len(values) - 1e-9) - 1]


def share(happens: list[bool]) -> float:
    return sum(happens) / len(happens)


def value(one: Books, party: str, rate: float) -> tuple[list[float], list[float]]:
    """Present value by path of what a body pays less what it has and saves, and of its cashable savings."""
    cost, gain = [0.0] * PATHS, [0.0] * PATHS
    for (payer, payee, why), rows in one.legs.items():
        if why in MEMO or payer == payee or party not in (payer, payee):
            continue
        for row, amounts in enumerate(rows):
            worth = (1.0 + rate) ** -one.time[row]
            for path, amount in enumerate(amounts):
                sign = 1.0 if payer == party else -1.0
                cost[path] += sign * amount * worth
                if (why == "saving" and payee == party) or (why == "extra cost" and payer == party):
                    gain[path] -= sign * amount * worth
    return cost, gain


def money_out(one: Books, rate: float) -> list[float]:
    """Investors' money out of pocket by path, discounted pound-years."""
    found = []
    for path in range(PATHS):
        out = total = 0.0
        for row in range(one.rows):
            out += one.paid_in[row][path] - one.back[row][path]
            total += max(0.0, out) / 4.0 * (1.0 + rate) ** -one.time[row]
        found.append(total)
    return found


def same(found: Any, expected: Any) -> bool:
    """To a billionth; None and NaN are one."""
    nothing = [x is None or (isinstance(x, float) and math.isnan(x)) for x in (found, expected)]
    if any(nothing):
        return all(nothing)
    return bool(abs(found - expected) <= 1e-9 * max(abs(found), abs(expected)) + 1e-6)


def rows(table: Any) -> list[Any]:
    return list(table.itertuples(index=False))


@pytest.fixture(params=FILES, ids=[" ".join(one) for one in FILES])
def both(request: pytest.FixtureRequest) -> tuple[View, str, str]:
    name, party = request.param
    return seen(name, party), name, party


# --- budget, effect, purse -------------------------------------------------------------------------------


def test_budget_years_odds_and_reserve(both: tuple[View, str, str]) -> None:
    found, name, party = both
    years, some = found.years, mine(name, party)
    told = ready(name).portfolio.books.get(party)
    plan = told.budget if told else None
    spent = (earned if plan and plan.basis == "accrual" else paid)(len(years), some, party)
    money = [plan.by_year.get(year, 0.0) for year in years] if plan else list(found.planned)
    over, under, gap, left = (grid(len(years)) for _ in range(4))
    needed = []
    for path in range(PATHS):
        carried, reserve, uncovered = 0.0, plan.reserve if plan else 0.0, 0.0
        without = 0.0
        for t in range(len(years)):
            available = money[t] + carried
            over[t][path] = max(0.0, spent[t][path] - available)
            under[t][path] = max(0.0, available - spent[t][path])
            drawn_ = min(over[t][path], reserve)
            gap[t][path] = over[t][path] - drawn_
            carried = plan.carry_forward * under[t][path] if plan else 0.0
            reserve += (plan.to_reserve * (under[t][path] - carried) if plan else 0.0) - drawn_
            left[t][path] = reserve
            without += over[t][path]
            uncovered += gap[t][path]
        needed.append(without)
    for t, row in enumerate(rows(found.exposure)):
        assert row.financial_year == years[t]
        assert same(row.expected, mean(spent[t])), row.financial_year
        assert same(row.standard_error, error(spent[t]))
        assert same(row.p5, at(spent[t], 0.05))
        assert same(row.p95, at(spent[t], 0.95))
        assert same(row.largest, max(spent[t]))
        for what, amounts in (("over", over[t]), ("under", under[t]), ("uncovered", gap[t])):
            happens = [x > PENNY for x in amounts]
            assert getattr(row, f"chance_{what}") == share(happens)
            some_ = [x for x in amounts if x > PENNY]
            assert same(getattr(row, f"mean_{what}"), mean(some_) if some_ else None)
        limit = plan.caps.get(years[t], math.inf) if plan else math.inf
        assert row.chance_over_cap == share([x - limit > PENNY for x in spent[t]])
        assert same(row.reserve_left, mean(left[t]))
        assert row.reserve_spent == share([x < PENNY for x in left[t]])
    assert same(found.reserve_needed.p95, at(needed, 0.95))
    assert same(found.reserve_needed.mean, mean(needed))


def test_net_effect_the_year_it_turns_and_the_odds_that_it_never_does(both: tuple[View, str, str]) -> None:
    found, name, party = both
    years, some = found.years, mine(name, party)
    out, gain = paid(len(years), some, party), saved(len(years), some, party)
    net = less(gain, out)
    so_far, expected = [0.0] * PATHS, []
    for t, row in enumerate(rows(found.effect)):
        so_far = [x + y for x, y in zip(so_far, net[t], strict=True)]
        expected.append(mean(so_far))
        assert same(row.paid, mean(out[t]))
        assert same(row.saved, mean(gain[t]))
        assert same(row.net, mean(net[t]))
        assert same(row.standard_error, error(net[t]))
        assert same(row.p5, at(net[t], 0.05))
        assert same(row.p95, at(net[t], 0.95))
        assert same(row.so_far, expected[-1])
        assert row.chance_positive_so_far == share([x >= -PENNY for x in so_far])
    turns = None
    for t in reversed(range(len(years))):
        if expected[t] < -PENNY:
            break
        turns = years[t]
    assert found.turns_positive == turns
    whole = life(net)
    assert found.never.share == share([x < -PENNY for x in whole])
    assert same(found.worst.p95, at([-x for x in whole], 0.95))
    assert same(found.worst.largest, -min(whole))


def test_savings_matrix_and_wrong_pockets(both: tuple[View, str, str]) -> None:
    """Agencies in the rows, years in the columns; each agency's years add up to its life."""
    found, name, party = both
    years, some, of = found.years, mine(name, party), ready(name)
    public = {who for who, one in of.parties.items() if one.kind in PUBLIC}
    agencies = {who for one in some for leg in one.legs for who in leg[:2] if who in public} | {party}
    assert set(found.agencies) == agencies
    assert found.agencies[0] == party
    gap = grid(len(years))
    for agency in found.agencies:
        by_table = {
            "cashable": saved(len(years), some, agency),
            "other": saved(len(years), some, agency, cashable=False),
            "payments": paid(len(years), some, agency),
        }
        by_table["net"] = less(by_table["cashable"], by_table["payments"])
        if not any(abs(x) > PENNY for year in by_table["payments"] for x in year):
            gap = [
                [g + max(0.0, s) for g, s in zip(one, other, strict=True)]
                for one, other in zip(gap, by_table["cashable"], strict=True)
            ]
        for table, amounts in by_table.items():
            check_matrix(found.purse[table], agency, years, amounts)
    check_matrix(found.purse["wrong pockets"], "", years, gap)


def check_matrix(table: Any, agency: str, years: tuple[str, ...], amounts: Grid) -> None:
    kept = {row.financial_year: row for row in rows(table) if row.agency == agency}
    assert list(kept) == [*years, ""]
    for year, values in [*zip(years, amounts, strict=True), ("", life(amounts))]:
        row = kept[year]
        assert same(row.expected, mean(values))
        assert same(row.standard_error, error(values))
        assert same(row.p5, at(values, 0.05))
        assert same(row.p95, at(values, 0.95))
    assert same(kept[""].expected, math.fsum(kept[year].expected for year in years))


def test_tables_of_cost_and_purse_agree_and_add_up(both: tuple[View, str, str]) -> None:
    """Payers' lives are agencies' lives; the accounts' columns add up to the net effect of one body."""
    found, name, party = both
    whole = {row.agency: row.expected for row in rows(found.purse["payments"]) if row.financial_year == ""}
    by_payer: dict[str, float] = {}
    for row in rows(found.cost):
        by_payer[row.payer] = by_payer.get(row.payer, 0.0) + row.expected
    for payer, amount in by_payer.items():
        if len(found.deals) == 1 and payer in whole:
            assert same(amount, whole[payer])
    own = found.in_accounts[found.in_accounts["structure"] == "own"]
    count, some = len(found.years), mine(name, party)
    net = less(saved(count, some, party), paid(count, some, party))
    assert abs(float(own["expected"].sum()) - mean(life(net))) <= 1.0  # pounds: rows of nil are left out


# --- against alternatives --------------------------------------------------------------------------------


def test_against_every_alternative(both: tuple[View, str, str]) -> None:
    found, name, party = both
    rate = ready(name).discount
    table = {(row.deal, row.alternative): row for row in rows(found.against)}
    for one in mine(name, party):
        here, _ = value(one, party, rate)
        out = money_out(one, rate)
        for alternative, other in books(name)[one.deal.name].items():
            if alternative == "own":
                continue
            if (one.deal.name, alternative) not in table:
                assert not any(
                    party in leg[:2] and leg[2] not in MEMO for half in (one, other) for leg in half.legs
                )
                continue
            row = table[one.deal.name, alternative]
            there, gain = value(other, party, rate)
            more = [x - y for x, y in zip(here, there, strict=True)]
            pays = [x + y for x, y in zip(there, gain, strict=True)]
            assert same(row.net_cost_pv, mean(here))
            assert same(row.their_net_cost_pv, mean(there))
            assert same(row.difference_pv, mean(more))
            assert same(row.difference_error, error(more))
            assert same(row.difference_p5, at(more, 0.05))
            assert same(row.difference_p95, at(more, 0.95))
            whole = mean(more) / mean(pays) if min(pays) >= -PENNY and mean(pays) > PENNY else None
            assert same(row.share_of_cost, whole)
            assert row.chance_dearer == share([x > PENNY for x in more])
            lent = [x > PENNY for x in out]
            assert same(row.balance_pound_years, mean(out))
            assert same(row.spread, mean(more) / mean(out) if any(lent) else None)
            by_path = [x / y for x, y, yes in zip(more, out, lent, strict=True) if yes]
            assert same(row.spread_p95, at(by_path, 0.95) if by_path else None)
            assert same(row.spread_of_cost_here, spread(here))
            assert same(row.spread_of_cost_there, spread(there))
            assert same(row.risk_moved, 1.0 - spread(here) / spread(there) if spread(there) > PENNY else None)
            count = max(1, round(0.05 * PATHS))
            assert same(row.worst_here, mean(sorted(here)[-count:]) - mean(here))
            assert same(row.worst_there, mean(sorted(there)[-count:]) - mean(there))
            if alternative != "do nothing":
                left = mean(pays) - mean(here)
                assert same(
                    row.break_even_uplift,
                    mean(gain) / left - 1.0 if left > PENNY and mean(gain) > 0.0 else None,
                )
            check_rate(row, one, other, party)


def check_rate(row: Any, one: Books, other: Books, party: str) -> None:
    """At the all-in rate the expected difference in cash is worth nothing."""
    if row.all_in_rate is None or math.isnan(row.all_in_rate):
        assert row.all_in_status != "ok"
        return
    worth = moved = 0.0
    for books_, side in ((one, 1.0), (other, -1.0)):
        for (payer, payee, why), lines in books_.legs.items():
            if why in MEMO or party not in (payer, payee) or payer == payee:
                continue
            for row_, amounts in enumerate(lines):
                cash = side * mean(amounts) * (1.0 if payee == party else -1.0)
                cash *= (1.0 + row.all_in_rate) ** (-row_ / 4.0)
                worth, moved = worth + cash, moved + abs(cash)
    assert abs(worth) <= 1e-6 * moved


def test_sharing_rules(both: tuple[View, str, str]) -> None:
    """By hand: pro rata, equal, and Shapley by every order of joining."""
    found, name, party = both
    rate, some = ready(name).discount, mine(name, party)
    gains, pays = dict.fromkeys(found.agencies, 0.0), dict.fromkeys(found.agencies, 0.0)
    for one in some:
        for agency in found.agencies:
            cost, gain = value(one, agency, rate)
            gains[agency] += mean(gain)
            pays[agency] += mean(cost) + mean(gain)
    cost = math.fsum(pays.values())
    savers = [agency for agency in found.agencies if gains[agency] > PENNY]
    total = math.fsum(gains[agency] for agency in savers)

    def worth(group: tuple[str, ...]) -> float:
        gain = math.fsum(gains[one] for one in group) - cost
        return gain if len(group) == len(savers) else max(0.0, gain)

    orders = list(permutations(savers))
    expected: dict[tuple[str, str], float] = {
        ("as agreed", agency): gains[agency] - pays[agency] for agency in found.agencies
    }
    if cost >= 0.0:
        for agency in savers:
            expected["pro rata to savings", agency] = gains[agency] * (total - cost) / total
            expected["equal", agency] = (total - cost) / len(savers)
            adds = [
                worth((*before, agency)) - worth(before)
                for order in orders
                for before in [order[: order.index(agency)]]
            ]
            expected["shapley", agency] = math.fsum(adds) / len(orders)
    kept = {(row.rule, row.agency): row for row in rows(found.sharing)}
    assert set(kept) == set(expected)
    for key, row in kept.items():
        assert same(row.net_pv, expected[key]), key
        assert same(row.savings_pv, gains[key[1]])
        assert same(row.pays_pv, gains[key[1]] - expected[key])
        assert same(row.alone_pv, max(0.0, gains[key[1]] - cost))
    for rule in {rule for rule, _ in kept}:
        group = [row for (one, _), row in kept.items() if one == rule]
        floor = 0.0 if rule == "as agreed" else None
        better = all(row.net_pv >= (row.alone_pv if floor is None else 0.0) - PENNY for row in group)
        assert {row.all_better_off for row in group} == {better}


def test_appraisal(both: tuple[View, str, str]) -> None:
    """Real, 3.5% a year, optimism bias on: savings, public cost, resources, and their ratios."""
    found, name, party = both
    told = ready(name).portfolio.books.get(party)
    how = told.appraisal if told else None
    growth = how.inflation if how else 0.02
    more = 1.0 + (how.optimism_bias_costs if how else 0.0)
    off = 1.0 - (how.optimism_bias_benefits if how else 0.0)
    assert isinstance(growth, float)
    public = [who for who, one in ready(name).parties.items() if one.kind in PUBLIC]
    count = len(found.years)
    factor = [
        (1.0 + growth) ** -t * 1.035 ** -min(t, 30) * 1.03 ** -max(0, t - 30) for t in range(count)
    ]  # fmt: skip
    kept = {(row.deal, row.measure): row.value for row in rows(found.appraisal)}
    for one in mine(name, party):
        cash, freed, cost, used = ([0.0] * PATHS for _ in range(4))
        for who in public:
            for amounts, total in (
                (saved(count, [one], who), cash),
                (saved(count, [one], who, cashable=False), freed),
                (paid(count, [one], who), cost),
            ):
                for t in range(count):
                    for path in range(PATHS):
                        total[path] += amounts[t][path] * factor[t]
        for (payer, payee, why), lines in one.legs.items():
            if why in SAVINGS or why in MEMO or OUTSIDE not in (payer, payee) or payer == payee:
                continue
            for row, amounts in enumerate(lines):
                for path, amount in enumerate(amounts):
                    used[path] += (1.0 if payee == OUTSIDE else -1.0) * amount * factor[one.year[row]]
        deal = one.deal.name
        benefit = off * (mean(cash) + mean(freed))
        assert same(kept[deal, "cashable savings"], off * mean(cash))
        assert same(kept[deal, "other savings"], off * mean(freed))
        assert same(kept[deal, "public cost"], more * mean(cost))
        assert same(kept[deal, "resources used"], more * mean(used))
        assert same(kept[deal, "net present budget impact"], more * mean(cost) - off * mean(cash))
        assert same(kept[deal, "net present public value"], benefit - more * mean(cost))
        assert same(kept[deal, "net present social value"], benefit - more * mean(used))
        ratio = benefit / (more * mean(cost)) if mean(cost) > 0.0 else None
        assert same(kept[deal, "public value benefit-cost ratio"], ratio)


# --- promises --------------------------------------------------------------------------------------------


def called(name: str, party: str) -> dict[str, Grid]:
    """By deal and reason: what a body pays on a promise less recoveries, by the file's years."""
    count, found = len(ready(name).calendar.financial_years), {}
    for one in mine(name, party):
        for why in ("guarantee call", "termination compensation", "cure payment",
                    "floor coupon", "capital protection", "unpaid balance"):  # fmt: skip
            total = grid(count)
            for (payer, payee, reason), lines in one.legs.items():
                for row, amounts in enumerate(lines):
                    for path, amount in enumerate(amounts):
                        if payer == party and reason == why:
                            total[one.year[row]][path] += amount
                        if why == "guarantee call" and payee == party and reason == "recovery":
                            total[one.year[row]][path] -= amount
            if any(x for year in total for x in year):
                found[f"{one.deal.name}: {why}"] = total
    return found


def test_expected_loss_and_percentiles_of_promises(both: tuple[View, str, str]) -> None:
    """Whatever a promise costs in the ledger is measured once, and nothing else is."""
    found, name, party = both
    by_hand = called(name, party)
    measured: dict[str, Any] = {}
    for one in found.exposures:
        why = one.promises[0].legs[0][2] if one.promises[0].legs else "nothing"
        assert f"{one.deal}: {why}" not in measured, "measured twice"
        measured[f"{one.deal}: {why}"] = one
        assert one.assessed.calls.value <= one.maximum + PENNY
    assert set(by_hand) <= set(measured)
    for key, one in measured.items():
        loss = life(by_hand[key]) if key in by_hand else [0.0] * PATHS
        assert same(one.assessed.expected_loss.value, mean(loss)), key
        assert same(one.assessed.worst_case.value, at(loss, found.books.promises.worst_case))
        assert same(one.assessed.percentiles[0.99].value, at(loss, 0.99))
    table = found.promises
    shown = table.loc[table["expected_loss"].notna(), "expected_loss"] if len(table) else []
    assert same(float(sum(shown)), math.fsum(mean(life(one)) for one in by_hand.values()))


def test_one_reserve_for_all_promises_together() -> None:
    """Eastmere names £400,000: exhausted in the first year at whose end calls so far have passed it."""
    name, party = FILES[0]
    found = seen(name, party)
    held = found.books.promises.reserve
    assert held == 400_000.0
    by_hand = list(called(name, party).values())
    first, short = {year: 0 for year in found.years}, []
    for path in range(PATHS):
        left, worst, gone = held, 0.0, False
        for t, year in enumerate(found.years):
            left -= sum(one[t][path] for one in by_hand)
            if left < -PENNY and not gone:
                first[year], gone = first[year] + 1, True
            worst = max(worst, -left)
        short.append(worst if worst > PENNY else 0.0)
    affordable = found.affordability
    assert affordable is not None
    assert affordable.exhausted.value == sum(first.values()) / PATHS
    assert same(affordable.shortfall.value, mean(short))
    for row in rows(found.reserve):
        assert row.first == first[row.financial_year] / PATHS


def test_years_of_a_deal_that_starts_on_1_april_are_its_own() -> None:
    """Row 0 of a deal is the day after the file's row: 1 April 2027 is 2027/28, nothing is paid before."""
    found = seen("community-fund", "eastmere")
    for name, first in (("edge-of-care", "2027/28"), ("repair-shed", "2027/28")):
        deal = found.run.deals[name]
        assert deal.deal.calendar.financial_years[0] == first
        before = found.years.index(first)
        for leg, amounts in deal.own.legs.items():
            assert not amounts[:before].any(), leg
    deal = found.run.deals["edge-of-care"]
    lines = books("community-fund")["edge-of-care"]["own"]
    earliest = min(
        lines.year[row] for grid_ in lines.legs.values() for row in range(lines.rows) if any(grid_[row])
    )
    assert any(amounts[earliest].any() for amounts in deal.own.legs.values())


# --- page, rows, and what must not change ----------------------------------------------------------------


@pytest.mark.parametrize(("name", "party"), [FILES[2], FILES[4]])
def test_rows_have_no_nan_and_the_page_is_no_wider_than_110(name: str, party: str) -> None:
    found = seen(name, party)
    written = json.dumps(as_rows(found), allow_nan=False)
    assert json.loads(written) == as_rows(found)
    assert max(len(line) for line in council_page(found).splitlines()) <= 110


def test_what_the_page_prints_is_what_the_rows_hold() -> None:
    """Payments by budget year and the net effect, cell by cell, in £000."""
    found = seen(*FILES[2])
    page, data = council_page(found), as_rows(found)
    budget = printed(page, "3. Payments by budget year")
    effect = printed(page, "5. Net budget effect")
    assert len(budget) >= 7
    for row in data["exposure"][: len(budget)]:
        cells = budget[row["financial_year"]]
        assert thousands(cells[1]) == round_half(row["budget"])
        assert thousands(cells[3]) == round_half(row["p95"])
        assert thousands(cells[4]) == round_half(row["largest"])
        assert odds(cells[5]) == pytest.approx(row["chance_over"], abs=0.0005001)
    for row in data["effect"][: len(effect)]:
        cells = effect[row["financial_year"]]
        assert thousands(cells[0]) == round_half(row["paid"])
        assert thousands(cells[1]) == round_half(row["saved"])
        assert thousands(cells[5]) == round_half(row["so_far"])
    worst = re.search(r"one future in\s+twenty is at or above £([\d.]+)m", page)
    assert worst is not None
    assert float(worst[1]) == pytest.approx(found.worst.p95 / 1e6, abs=0.005001)


def printed(page: str, title: str) -> dict[str, list[str]]:
    """The rows of a table by year, cells apart."""
    lines = page[page.index(title) :].splitlines()
    found: dict[str, list[str]] = {}
    for line in lines[1:]:
        if re.match(r"^20\d\d/\d\d ", line):
            year, *cells = re.split(r"\s{2,}", line.strip())
            found[year] = cells
        elif found:
            break
    return found


def thousands(cell: str) -> int:
    return int(cell.replace(",", ""))


def round_half(pounds: float) -> int:
    return int(f"{pounds / 1000.0:.0f}")


def odds(cell: str) -> float:
    words = {"none seen": 0.0, "always": 1.0}
    return words[cell] if cell in words else float(cell.rstrip("%")) / 100


BOOKS = {
    "illustrative": True,
    "budget": {
        "by_year": {"2027/28": 300_000.0, "2028/29": 400_000.0, "2029/30": 50_000.0},
        "caps": {"2028/29": 450_000.0}, "carry_forward": 0.5, "to_reserve": 0.5, "reserve": 20_000.0,
    },
    "promises": {"reserve": 10_000.0},
    "appraisal": {"inflation": 0.02, "optimism_bias_costs": 0.1},
    "capital": {"opening_cfr": 5e6, "loans": 3e6, "net_revenue_stream": 2e7, "resources": 1e6},
}  # fmt: skip
POUNDS = frozenset(
    {
        "per_quarter", "unit_value", "cap", "home", "home a year", "2027/28", "2028/29", "2029/30", "reserve",
        "opening_cfr", "loans", "net_revenue_stream", "resources",
    }
)  # fmt: skip
"""Keys of the small file whose numbers are pounds; ``per_quarter`` of referrals is people."""


@cache
def small(by: float = 1.0, beside: bool = False) -> View:
    """The small file with every amount in pounds multiplied; ``beside``: another council's deal in it."""
    data = plain(parse(SMALL.encode(), "small.yaml"))
    data["books"] = {"anytown": deepcopy(BOOKS)}
    times(data["books"], by)
    deal = data["deals"]["families"]
    for part in ("costs", "savings"):
        times(deal["programme"][part], by)
    times(deal["tariff"]["prices"], by)
    times(deal["tariff"], by, deep=False)
    times(deal["tariff"]["payers"], by)
    if beside:
        data["parties"]["otherton"] = {"kind": "council"}
        other = deepcopy(deal)
        other["parties"]["council"] = "otherton"
        data["deals"] = {"before": other, "families": deal, "after": deepcopy(other)}
    return view(prepare(Portfolio.model_validate_json(json.dumps(data, default=str))), "anytown", SEED, 300)


def times(node: Any, by: float, deep: bool = True) -> None:
    for name, inside in node.items():
        if isinstance(inside, dict) and deep:
            times(inside, by)
        elif name in POUNDS and isinstance(inside, int | float):
            node[name] = inside * by


STAYS = frozenset(
    {
        "share_of_cost", "spread", "spread_p5", "spread_p95", "all_in_rate", "all_in_p5", "all_in_p95",
        "all_in_exists", "risk_moved", "performance_effect", "break_even_uplift", "multiple",
        "paid_over_plan", "chance", "chance_error", "first", "first_error", "by_then", "reserve_spent",
        "ratio", "ratio_gross", "row", "standing",
    }
)  # fmt: skip
"""Columns that are no pounds; and every one that begins with ``chance``."""


def test_twice_the_pounds_double_every_figure_in_pounds_and_no_share() -> None:
    one, two = as_rows(small()), as_rows(small(2.0))
    assert set(one) == set(two)
    moved = 0
    for table in one:
        if table in ("gates", "draft_notes"):
            continue  # words: what stands above a threshold in pounds may change
        assert len(one[table]) == len(two[table]), table
        for before, after in zip(one[table], two[table], strict=True):
            for column, was in before.items():
                if not isinstance(was, float | int) or isinstance(was, bool):
                    assert after[column] == was, (table, column)
                    continue
                by = 2.0 if in_pounds(table, column, before) else 1.0
                assert abs(after[column] - by * was) <= 1e-9 * abs(by * was) + 1e-7, (table, column, before)
                moved += by == 2.0 and was != 0.0
    assert moved > 500


def in_pounds(table: str, column: str, row: dict[str, Any]) -> bool:
    if column in STAYS or column.startswith("chance") or table == "people":
        return False
    if table == "appraisal":
        return row["unit"] == "pounds"
    if table == "appraisal_by_year":
        return column not in ("deflator", "discount_factor")
    if table == "assessment":
        return row["measure"] not in ("chance of any call",)
    if table == "switches":
        return column == "swing" or row["input"].endswith("unit_value")
    return True


def test_the_same_figures_whatever_other_deals_are_in_the_file() -> None:
    alone, among = as_rows(small()), as_rows(small(1.0, beside=True))
    assert set(alone) == set(among)
    for table in alone:
        assert alone[table] == among[table], table


def test_every_table_of_the_rows_is_one_of_the_view() -> None:
    found = as_rows(small())
    assert set(TABLES) <= set(found)
    assert {name for name in found if name.startswith("purse: ")} == {
        "purse: cashable", "purse: other", "purse: payments", "purse: net", "purse: wrong pockets",
    }  # fmt: skip


# --- words that must fit the case ------------------------------------------------------------------------


@cache
def printed_page(name: str, party: str) -> str:
    return council_page(view(ready(name), party, SEED, 24))


@pytest.mark.parametrize(
    ("name", "party"),
    [
        ("demo-do-nothing", "eastmere"),
        pytest.param("demo-income-strip", "eastmere", marks=pytest.mark.slow),
        ("demo-pay-as-you-save", "eastmere police"),
        ("collective-impact-fund", "calderport"),
        ("demo-grant", "westcombe health"),
    ],
)
def test_pages_of_bodies_with_little_to_show(name: str, party: str) -> None:
    """No table without rows, no bare dash for a limit, all ten figures there."""
    page = printed_page(name, party)
    for i in range(1, 11):
        assert re.search(rf"^{i}\. ", page, re.MULTILINE), i
    lines = page.splitlines()
    for i, line in enumerate(lines):
        if line and set(line) == {"-"} and i > 1:
            assert lines[i + 1].strip(), lines[max(0, i - 6) : i + 2]
    assert "at most -" not in page
    assert not re.search(r"\bnan\b", page)
    assert max(map(len, lines)) <= 110


def test_who_pays_nothing_in_house_is_shown_no_price_of_risk() -> None:
    """Calderport's health body would run it in house: the city has nothing to move risk from."""
    page = printed_page("collective-impact-fund", "calderport")
    price = page[page.index("9. Price of risk") : page.index("10. What ending")]
    assert "pays nothing" in price
    assert "bp" not in price


def test_a_payment_that_is_no_guarantee_is_held_against_no_fee() -> None:
    """Compensation and unmet referrals are owed under the contract: nobody pays a fee to be owed them."""
    table = seen(*FILES[0]).gates
    own = table[(table["structure"] == "own") & (table["gate"] == "subsidy control")]
    assert list(own["verdict"]) == ["pass", "pass"]


@pytest.mark.parametrize(
    ("name", "plan", "by", "expected"),
    [
        ("engagement", 0.8, 1.5, 1.0),
        ("outcomes.home.probability", 0.4, 2.0, 0.8),
        ("referrals.volume", 1.0, 1.1, 1.1),
        ("costs.works.overrun", 1.0, 3.0, 3.0),
        ("sales.homes.market", 1.0, 0.0, 0.0),
    ],
)
def test_only_fractions_stop_at_one(name: str, plan: float, by: float, expected: float) -> None:
    """An overrun or a market of 1.0 is as planned and can be more; a chance cannot be above 1."""
    assert Scaled({}, {name: by}).value(name, plan, "low") == pytest.approx(expected)


@pytest.mark.parametrize(
    ("function", "turns"),
    [
        (lambda x: x - 1.7, 1.7),
        (lambda x: 0.5 - x, 0.5),
        (lambda x: 5.0 * x, None),
        (lambda x: -5.0 * x, None),
        (lambda x: 100.0, None),
        (lambda x: 0.0, None),
        (lambda x: 100.0 * (x - 1.0), 1.0),
    ],
)
def test_nothing_at_nil_is_no_turning_point(function: Callable[[float], float], turns: float | None) -> None:
    """A cost that is nil with nobody there and above it ever after does not turn at nil."""
    found = turning_point(function, 3.0)
    assert (found is None) if turns is None else found == pytest.approx(turns, abs=0.001)
