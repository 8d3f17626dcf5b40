"""One programme on several structures, on the same futures: returns, cost, risk, and who bears it.

Every structure is a deal with the same draws, so differences are taken path by path: their standard errors
are those of the differences, far below those of two runs with draws of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.core.errors import InputError
from socialfinance.core.parties import OUTSIDE, PUBLIC
from socialfinance.engine.block import ALL_PUBLIC
from socialfinance.engine.books import OWN, Accounts, Kept, expected_rate, keep_books
from socialfinance.engine.ready import SUPPLIED, ReadyDeal, ReadyPortfolio, walk, with_deals
from socialfinance.funds.portfolio import Deal
from socialfinance.measures.paths import Key
from socialfinance.measures.sample import mean_error, quantile
from socialfinance.measures.statistics import expected_flow_irr
from socialfinance.pricing.sharing import TAILS, Shares, risk_shares

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
HOUSE = ("in house, same costs", "council builds, from reserves")
"""What risk is taken from: the same bill, from the council's own money."""
GROUPS = ("commissioning council", "other public bodies", "investors", "providers", "others")
"""Whose risk is shown, in this order."""
NOTHING = "do nothing"


class NoStructure(InputError):
    """No structure that was asked for fits the deal."""


class Variant(NamedTuple):
    """A structure to compare on."""

    terms: Any
    """its instrument"""
    says: str
    """what it is, in a few words"""


@dataclass(frozen=True)
class Comparison:
    """A programme on several structures. Frames hold pounds (present value unless said) and fractions."""

    ready: ReadyPortfolio
    deal: str
    """the deal whose programme, tariff and parties were taken"""
    accounts: Accounts
    says: Mapping[str, str]
    left_out: Mapping[str, str]
    """structures that do not fit this deal, and why"""

    @property
    def council(self) -> tuple[str, ...]:
        """Who commissions it."""
        return self._first.council

    @property
    def _first(self) -> ReadyDeal:
        return self.ready.deals[0]

    @cached_property
    def structures(self) -> dict[str, Kept]:
        """What was kept of every structure, then of the alternatives in house and the like."""
        own = {name: books.own for name, books in self.accounts.deals.items()}
        held = self.accounts.deals[self._first.name].structures
        return own | {name: kept for name, kept in held.items() if name != OWN}

    @property
    def alternatives(self) -> tuple[str, ...]:
        """What every structure is held against."""
        return tuple(name for name in self.structures if name not in self.accounts.deals)

    @property
    def house(self) -> str | None:
        """The same programme from the council's own money, at the same cost; None where there is none."""
        return next((name for name in HOUSE if name in self.structures), None)

    def cost(self, name: str) -> Array:
        """Net cost of the commissioning council under a structure, ``(path,)``."""
        return self._of_council(name, "net_cost_pv")

    def public_cost(self, name: str) -> Array:
        """Net cost of all public bodies together under a structure, ``(path,)``."""
        nil = np.zeros(self.accounts.paths)
        return sum((worth["net_cost_pv"] for worth in self.structures[name].worth.values()), nil)

    @property
    def others_pay(self) -> bool:
        """Whether public bodies beside the council pay more under some structure than in house."""
        if self.house is None:
            return False
        there = self._others_paid(self.house)
        return any(
            paid - max(there.get(party, 0.0), 0.0) > HALF_A_PENNY
            for name in self.accounts.deals
            for party, paid in self._others_paid(name).items()
        )

    def _others_paid(self, name: str) -> dict[str, float]:
        """Mean present value of what each public body but the council pays under a structure."""
        worth = self.structures[name].worth
        return {
            party: float(one["paid_pv"].mean()) for party, one in worth.items() if party not in self.council
        }

    def _of_council(self, name: str, measure: str) -> Array:
        worth = self.structures[name].worth
        nil = np.zeros(self.accounts.paths)
        return sum((worth[party][measure] for party in self.council if party in worth), nil)

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a structure.

        Columns: structure, says; investor_irr (of the expected flows) with _error, investor_irr_p5 (a total
        loss ranks -1), loss_probability with _error, gain (pounds, undiscounted); council net_cost with
        _error, net_cost_p95, net_cost_p99, maximum (most under the terms, undiscounted), guaranteed (of it as
        guarantor; both infinite without a limit, none without a contract); provider_loss_probability,
        provider_p5; system_rate: the rate, annual effective, at which the expected difference in all public
        bodies' cash to running it in house is worth nothing.
        """
        return _frame([self._row(name) for name in self.structures])

    def _row(self, name: str) -> dict[str, Any]:
        kept, cost = self.structures[name], self.cost(name)
        ordered = np.sort(cost)
        deal = next((one for one in self.ready.deals if one.name == name), None)
        house = self.house
        rate = expected_rate(kept, self.structures[house], ALL_PUBLIC)[0] if house and deal else None
        return {
            "structure": name, "says": self.says.get(name, ""), **_investor(kept),
            "net_cost": float(cost.mean()), "net_cost_error": mean_error(cost),
            "net_cost_p95": quantile(ordered, 0.95)[0], "net_cost_p99": quantile(ordered, 0.99)[0],
            "maximum": self._most(deal, "maximum"), "guaranteed": self._most(deal, "guaranteed"),
            **self._provider(kept), "system_rate": rate,
        }  # fmt: skip

    def _most(self, deal: ReadyDeal | None, table: str) -> float | None:
        """The most the council can be asked for under the terms, infinite without a limit; None without any.

        In house there is no contract that could say: the council has the bill.
        """
        if deal is None or not deal.own.lowered.maximum:
            return None
        total = 0.0
        for role, amount in getattr(deal.own.lowered, table).items():
            share = sum(part for party, part in deal.roles.get(role, ()) if party in self.council)
            total += share * amount if share > 0.0 else 0.0
        return total

    def _provider(self, kept: Kept) -> dict[str, float | None]:
        providers = [name for name in kept.value if self.ready.parties[name].kind == "provider"]
        if not providers:
            return {"provider_loss_probability": None, "provider_p5": None}
        value = np.sum([kept.value[name] for name in providers], axis=0)
        return {
            "provider_loss_probability": float(np.mean(value < -HALF_A_PENNY)),
            "provider_p5": quantile(np.sort(value), 0.05)[0],
        }

    @cached_property
    def differences(self) -> pd.DataFrame:
        """Council's net cost of each structure less each alternative, and less each structure before it.

        Columns: structure, less, difference, error (paired), share_of_cost (of what is paid there), p5, p95,
        chance_dearer, error_alone (of two runs with draws of their own: sqrt(var / n + var / n)), ratio
        (error / error_alone); public_difference and public_error: of all public bodies together.
        """
        rows = []
        names = list(self.accounts.deals)
        for i, name in enumerate(names):
            for other in (*self.alternatives, *names[:i]):
                rows.append(self._difference(name, other))
        return _frame(rows)

    def _difference(self, name: str, other: str) -> dict[str, Any]:
        here, there = self.cost(name), self.cost(other)
        more = here - there
        ordered, paid = np.sort(more), float(self._of_council(other, "paid_pv").mean())
        alone = float(np.sqrt(here.var(ddof=1) / len(here) + there.var(ddof=1) / len(there)))
        error, public = mean_error(more), self.public_cost(name) - self.public_cost(other)
        return {
            "structure": name, "less": other, "difference": float(more.mean()), "error": error,
            "share_of_cost": float(more.mean()) / paid if paid > HALF_A_PENNY else None,
            "p5": quantile(ordered, 0.05)[0], "p95": quantile(ordered, 0.95)[0],
            "chance_dearer": float(np.mean(more > HALF_A_PENNY)), "error_alone": alone,
            "ratio": error / alone if alone > 0.0 else None,
            "public_difference": float(public.mean()), "public_error": mean_error(public),
        }  # fmt: skip

    # --- who bears the risk -----------------------------------------------------------------------

    def shares(self, name: str) -> Shares:
        """Risk of the programme's net value by party under a structure, the world outside left out."""
        return risk_shares(_by_group(self.structures[name], self.ready, self.council))

    @cached_property
    def sharing(self) -> pd.DataFrame:
        """Who bears how much of the programme's risk under each structure: shares that add up to 1.

        Columns: structure, party (a group), variance, tail_95, tail_99 (shares of the variance and of the
        shortfall of the programme's net value), sd, shortfall_95 (pounds, of the party's own).
        """
        rows = []
        for name in self.structures:
            if name == NOTHING:
                continue
            found = self.shares(name)
            for party in found.own_sd:
                rows.append(
                    {
                        "structure": name, "party": party,
                        "variance": found.variance[party] if found.variance else None,
                        **{f"tail_{100 * level:g}": tail[party] if tail else None
                           for level, tail in found.tail.items()},
                        "sd": found.own_sd[party], "shortfall_95": found.own_shortfall[party],
                    }
                )  # fmt: skip
        return _frame(rows)

    @cached_property
    def transfer(self) -> pd.DataFrame:
        """What each structure takes off the council, and what a pound of that costs it.

        Columns: structure, price (net cost more than in house at the same cost, pounds), price_error, borne
        (the council's share of the tail of the programme's net value at 95%), moved (1 - borne; above 1 it
        gains where the programme fails), programme_shortfall (E[V] - E[V | worst 5%]), in_house_shortfall
        (the same there: a contract that can end early loses less), per_pound (price / (moved x
        programme_shortfall); None where nothing is moved).
        """
        rows: list[dict[str, Any]] = []
        house = self.house
        if house is None:
            return _frame(rows)
        there = self.shares(house).shortfall[TAILS[0]]
        for name in self.accounts.deals:
            found, more = self.shares(name), self.cost(name) - self.cost(house)
            tail, whole = found.tail[TAILS[0]], found.shortfall[TAILS[0]]
            borne = tail.get(GROUPS[0], 0.0) if tail else None
            moved = None if borne is None else 1.0 - borne
            taken = 0.0 if moved is None else moved * whole
            rows.append(
                {
                    "structure": name, "price": float(more.mean()), "price_error": mean_error(more),
                    "borne": borne, "moved": moved, "programme_shortfall": whole, "in_house_shortfall": there,
                    "per_pound": float(more.mean()) / taken if taken > HALF_A_PENNY else None,
                }
            )  # fmt: skip
        return _frame(rows)


def by_kind(some: Mapping[str, Comparison]) -> dict[str, dict[str, Comparison]]:
    """Comparisons by the kind of their programme: only those of one kind have structures in common."""
    found: dict[str, dict[str, Comparison]] = {}
    for deal, one in some.items():
        found.setdefault(one._first.deal.programme.kind, {})[deal] = one
    return found


def over_all(some: Mapping[str, Comparison]) -> pd.DataFrame:
    """Several programmes of a fund, each on every structure: one row a structure that fits all of them.

    Futures are those of the fund, so amounts of a future are added up over programmes. Columns: structure,
    investor_irr (of all expected flows together) with _error, loss_probability (futures in which investors in
    all of them together have back less than they paid in), gain (pounds); net_cost with _error, net_cost_p95
    and net_cost_p99 of all commissioning councils; less_in_house and less_error of all public bodies, and
    share_of_cost, of what they would pay in house at the same cost.
    """
    first = next(iter(some.values()))
    fits = [name for name in first.structures if all(name in one.structures for one in some.values())]
    return _frame([_over_all(name, some) for name in fits])


def _over_all(name: str, some: Mapping[str, Comparison]) -> dict[str, Any]:
    kept = {deal: one.structures[name] for deal, one in some.items()}
    cost = np.sum([one.cost(name) for one in some.values()], axis=0)
    ordered = np.sort(cost)
    found: dict[str, Any] = {"structure": name, "investor_irr": None, "investor_irr_error": None,
                             "loss_probability": None, "gain": None}  # fmt: skip
    if any(one.invested is not None for one in kept.values()):
        row = expected_flow_irr(Key("", "", "", "investor", "", "irr", ""), _added(name, some))
        gain = np.sum([one.investor["gain"] for one in kept.values() if one.investor], axis=0)
        found.update(
            investor_irr=row.value, investor_irr_error=row.standard_error,
            loss_probability=float(np.mean(gain < -HALF_A_PENNY)), gain=float(gain.mean()),
        )  # fmt: skip
    found.update(
        net_cost=float(cost.mean()), net_cost_error=mean_error(cost), net_cost_p95=quantile(ordered, 0.95)[0],
        net_cost_p99=quantile(ordered, 0.99)[0], less_in_house=None, less_error=None, share_of_cost=None,
    )  # fmt: skip
    if all(one.house is not None for one in some.values()):
        more = np.sum([c.public_cost(name) - c.public_cost(str(c.house)) for c in some.values()], axis=0)
        paid = sum(float(one._of_council(str(one.house), "paid_pv").mean()) for one in some.values())
        found.update(
            less_in_house=float(more.mean()), less_error=mean_error(more),
            share_of_cost=float(more.mean()) / paid if paid > HALF_A_PENNY else None,
        )  # fmt: skip
    return found


def _added(name: str, some: Mapping[str, Comparison]) -> Array:
    """Investors' net flows of all programmes on the file's rows, ``(unit, row)``."""
    total: Array | None = None
    for one in some.values():
        flows = one.structures[name].invested
        if flows is None:
            continue
        if total is None:
            total = np.zeros((len(flows), one.ready.calendar.quarters + 1))
        first = one._first.first_row
        total[:, first : first + flows.shape[1]] += flows
    assert total is not None
    return total


def compare(
    ready: ReadyPortfolio, deal: str, variants: Mapping[str, Variant], paths: int, seed: int
) -> Comparison:
    """A deal's programme, tariff and parties on several structures, all with the deal's draws.

    A structure that cannot be lowered for this deal is left out, with the reason. InputError for a deal that
    is not in the portfolio; NoStructure where no structure is left.
    """
    if deal not in ready.portfolio.deals:
        known = ", ".join(ready.portfolio.deals)
        raise InputError("is not a deal of this portfolio", field="deal", given=deal, allowed=known)
    base = ready.portfolio.deals[deal]
    deals = {name: _on(base, deal, one.terms) for name, one in variants.items()}
    made, wrong = _with_roles(ready, base, deals)
    if not made.deals:
        raise _none_fits(deal, wrong)
    accounts = keep_books(made, made.deals, seed, paths, compared={made.deals[0].name}, yearly=False)
    says = {name: one.says for name, one in variants.items()}
    return Comparison(made, deal, accounts, says, {name: str(error) for name, error in wrong.items()})


def _on(base: Deal, name: str, terms: Any) -> Deal:
    """The deal on another structure: its draws, and the roles that something in it names."""
    tariff = base.tariff
    named = {"commissioner", "investor", *SUPPLIED, *(tariff.payers if tariff is not None else ())}
    for part in (base.programme, tariff, terms):
        named |= {value for _, value in walk(part) if isinstance(value, str)}
    parties = {role: filled for role, filled in base.parties.items() if role in named}
    return base.model_copy(
        update={"instrument": terms, "draws": base.draws or name, "parties": parties, "title": None}
    )


def _with_roles(
    ready: ReadyPortfolio, base: Deal, deals: dict[str, Deal]
) -> tuple[ReadyPortfolio, dict[str, InputError]]:
    """The deals made ready; a role that one lacks, or has for a word that looks like it, is put right."""
    made, wrong = with_deals(ready, deals)
    for _ in base.parties:
        mended = {name: _mended(deals[name], base, error) for name, error in wrong.items()}
        again = {name: one for name, one in mended.items() if one is not None}
        if not again:
            break
        deals = {**deals, **again}
        made, wrong = with_deals(ready, deals)
    return made, wrong


def _mended(deal: Deal, base: Deal, error: InputError) -> Deal | None:
    """The deal without the role that the error is about, or with it; None where the error is another."""
    role = (error.field or "").removeprefix("parties.")
    if role == error.field or role not in base.parties:
        return None
    parties = {
        name: filled for name, filled in base.parties.items() if (name in deal.parties) != (name == role)
    }
    return deal.model_copy(update={"parties": parties})


def _none_fits(deal: str, wrong: Mapping[str, InputError]) -> InputError:
    if not wrong:
        return InputError("names no structure", field="structures")
    name, first = next(iter(wrong.items()))
    problem = f"no structure fits: {name}: {first}"
    return NoStructure(problem, field=f"deals.{deal}")


def _investor(kept: Kept) -> dict[str, Any]:
    """The investor's columns; None where nobody invests."""
    found: dict[str, Any] = dict.fromkeys(
        ("investor_irr", "investor_irr_error", "investor_irr_p5", "loss_probability",
         "loss_probability_error", "gain")
    )  # fmt: skip
    if kept.invested is None:
        return found
    row = expected_flow_irr(Key("", "", "", "investor", "", "irr", ""), kept.invested)
    status, rates = kept.investor["irr_status"], kept.investor["irr"]
    ranked = np.sort(np.where(status == 1.0, -1.0, rates)[(status == 0.0) | (status == 1.0)])
    lost = kept.investor["loss"] > HALF_A_PENNY
    chance = float(lost.mean())
    found.update(
        investor_irr=row.value, investor_irr_error=row.standard_error,
        investor_irr_p5=quantile(ranked, 0.05)[0], loss_probability=chance,
        loss_probability_error=float(np.sqrt(chance * (1.0 - chance) / len(lost))),
        gain=float(kept.investor["gain"].mean()),
    )  # fmt: skip
    return found


def _by_group(kept: Kept, ready: ReadyPortfolio, council: tuple[str, ...]) -> dict[str, Array]:
    """Value by group of parties, the world outside left out."""
    found: dict[str, Array] = {}
    for party, value in kept.value.items():
        if party == OUTSIDE:
            continue
        group = _group(ready.parties[party].kind, party in council)
        found[group] = found[group] + value if group in found else value
    return {group: found[group] for group in GROUPS if group in found}


def _group(kind: str, commissions: bool) -> str:
    if commissions:
        return GROUPS[0]
    if kind in PUBLIC:
        return GROUPS[1]
    return {"investor": GROUPS[2], "lender": GROUPS[2], "provider": GROUPS[3]}.get(kind, GROUPS[4])


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows)
