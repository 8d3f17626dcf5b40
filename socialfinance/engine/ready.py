"""A portfolio made ready to run: every deal lowered, every role filled, every driver accounted for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import numpy as np

from socialfinance.core.errors import InputError
from socialfinance.core.ledger import MEMO, RESULTS, Leg
from socialfinance.core.parties import OUTSIDE, Party, shares_of
from socialfinance.core.terms import said_of
from socialfinance.core.time import Calendar
from socialfinance.engine.pilot import with_peg
from socialfinance.engine.ready_fund import ReadyFund, ready_fund
from socialfinance.funds.fund import Fund
from socialfinance.funds.portfolio import Case, Deal, Index, Portfolio
from socialfinance.instruments.base import Brief, Lowered, PlanCase, Structure, flat, plan_case
from socialfinance.instruments.comparators import against
from socialfinance.kernels.delays import Delays
from socialfinance.markets.discount import default_rate
from socialfinance.programmes.base import AS_PLANNED, Activity, Futures, Levels, Ready, Spent
from socialfinance.programmes.catalogue import lower
from socialfinance.scenarios.common import Common, Shock
from socialfinance.scenarios.dependence import GaussianFactor
from socialfinance.scenarios.distributions import DriverRef
from socialfinance.scenarios.points import Serves
from socialfinance.scenarios.sources import Certain, Drawn

Shares = tuple[tuple[str, float], ...]
SUPPLIED: dict[str, Party] = {
    "hmrc": Party(kind="hmrc", title="HM Revenue and Customs"),
    "pwlb": Party(kind="lender", title="PWLB"),
    OUTSIDE: Party(kind="outside", title="staff, suppliers and costs no longer met"),
    "evaluator": Party(kind="intermediary", title="evaluator"),
    "intermediary": Party(kind="intermediary", title="intermediary"),
}
"""Roles that need not be filled: everybody knows who they are, or the cost passes straight through them."""

OWN_MONEY = ("reserve", "capital receipts")
"""Roles that are a council's own money, kept apart from its budget."""

RESERVED = ("vehicle", OUTSIDE)
"""Roles that no file may fill or make pay."""

PLAN = Case()


@dataclass(frozen=True)
class ReadyStructure:
    """One structure on one deal."""

    name: str
    lowered: Lowered
    legs: tuple[tuple[Leg, Shares, Shares], ...]
    cost_legs: tuple[tuple[Shares, str], ...]
    """by cost line this structure bears: who spends it, and why"""
    savings: float = 1.0
    """of what the programme saves, what it saves under this structure"""
    cash: tuple[Mapping[int, float], ...] = ()
    """by row that is over, the place of a leg in the payments: pounds that returns say were paid on it"""


@dataclass(frozen=True, eq=False)
class ReadyDeal:
    """One deal: its programme, its own structure, and what it is held against."""

    name: str
    deal: Deal
    programme: Ready
    calendar: Calendar
    first_row: int
    """row of the portfolio at which the deal closes"""
    own: ReadyStructure
    varied: ReadyStructure | None
    """with variation, where the deal has any"""
    comparators: tuple[ReadyStructure, ...]
    roles: Mapping[str, Shares]
    saving_legs: tuple[Shares, ...]
    plan: tuple[Activity, ...]
    planned_payments: float
    """payments for outcomes and out of savings in the plan case, pounds"""
    planned_flows: tuple[tuple[float, ...], tuple[float, ...]]
    """what investors pay in and have back in the plan case, by deal row, pounds"""
    planned_value: tuple[float, ...]
    """outcomes of the plan at the tariff's prices, beyond deadweight, by deal row, pounds"""
    proposed: Mapping[str, Any]
    """terms that the file leaves to the model, by path into it"""
    near: bool
    """whether large groups of people may be counted near a quantile"""
    own_factors: Mapping[str, str]
    """factors by theme, place or provider that move no other deal: which theme, place or provider"""

    @property
    def draws(self) -> str:
        """The key of its random numbers."""
        return self.deal.draws or self.name

    @property
    def council(self) -> tuple[str, ...]:
        """Who commissions it, with its own reserve or receipts where they pay."""
        filled = [self.roles.get(role, ()) for role in ("commissioner", *OWN_MONEY)]
        return tuple(dict.fromkeys(party for shares in filled for party, _ in shares))

    @property
    def tags(self) -> dict[str, str]:
        """Theme, place and provider."""
        return _tags(self.deal)


@dataclass(frozen=True)
class ReadyPortfolio:
    """Everything a run needs."""

    portfolio: Portfolio
    calendar: Calendar
    deals: tuple[ReadyDeal, ...]
    parties: Mapping[str, Party]
    discount: float
    """annual effective"""
    discount_basis: str
    fund: ReadyFund | None = None
    """the fund over the deals; None where it has no notes"""
    points: Serves | None = None
    """what serves the draws made once a path; None where each has its own stream"""
    past: Mapping[str, Any] = field(default_factory=dict)
    """by deal: what was returned of the quarters that are over (``engine/observed.py``)"""
    long: bool = False
    """whether so many paths are run that compiling for them pays (``engine/taped.py``)"""

    @property
    def proposed(self) -> dict[str, Any]:
        """Terms that the file leaves to the model, by path into it."""
        return {path: value for deal in self.deals for path, value in deal.proposed.items()}

    def common(self, seed: int, paths: Any) -> Common:
        """Common factors for a block of paths, or for a case (paths None)."""
        indices = {name: index.annual for name, index in self.portfolio.indices.items()}
        points = None if paths is None else self.points
        shared = paths if points is None else points.common(paths)
        return Common(seed, self.calendar, self.portfolio.factors, indices, shared, points)


def prepare(portfolio: Portfolio, only: str | None = None, alone: bool = False) -> ReadyPortfolio:
    """Lower every deal in name order and check that nothing is missing and nothing is left over.

    ``only`` names one deal: no other is lowered, and no fund. ``alone`` leaves out what deals are compared
    with, and whether a role is left over: for terms that are run many times with other numbers.
    """
    calendar = Calendar(portfolio.start, portfolio.quarters)
    rate = portfolio.discount
    found = default_rate(portfolio.quarters / 4) if rate is None else None
    basis = f"{found.basis} ({found.source})" if found else _rate_basis(portfolio)
    parties = {**SUPPLIED, **portfolio.parties}
    common = Common(0, calendar, portfolio.factors, {n: i.annual for n, i in portfolio.indices.items()}, None)
    deals = []
    for name in sorted(portfolio.deals) if only is None else (only,):
        try:
            ready = _deal(name, portfolio, calendar, common, alone)
        except InputError as error:
            field = error.field or ""
            raise InputError(
                error.problem, file=error.file, line=error.line, given=error.given, allowed=error.allowed,
                field=field if field.startswith("deals.") else f"deals.{name}.{field}".rstrip("."),
            ) from None  # fmt: skip
        parties[_vehicle(name)] = Party(kind="intermediary", title=f"{name} vehicle")
        deals.append(ready)
    _check_factors(portfolio)
    discount = found.rate if found else rate.rate  # type: ignore[union-attr]
    fund = ready_fund(portfolio, calendar, deals, common) if only is None else None
    return ReadyPortfolio(portfolio, calendar, tuple(deals), parties, discount, basis, fund)


def as_one_body(ready: ReadyPortfolio, party: str) -> ReadyPortfolio:
    """The portfolio with a council's own reserve and capital receipts booked as the council itself.

    Where it alone commissions a deal, whoever fills the roles of ``OWN_MONEY`` there is the council's own
    money under another name; payments between the two then net to nil.
    """
    return replace(ready, deals=tuple(_as_one(deal, party) for deal in ready.deals))


def own_money(deal: ReadyDeal, party: str) -> frozenset[str]:
    """The parties that are a council's own money where it alone commissions a deal."""
    if [name for name, _ in deal.roles.get("commissioner", ())] != [party]:
        return frozenset()
    return frozenset(name for role in OWN_MONEY for name, _ in deal.roles.get(role, ())) - {party}


def _as_one(deal: ReadyDeal, party: str) -> ReadyDeal:
    own = own_money(deal, party)
    if not own:
        return deal

    def shares(filled: Shares) -> Shares:
        found: dict[str, float] = {}
        for name, share in filled:
            name = party if name in own else name
            found[name] = found.get(name, 0.0) + share
        return tuple(found.items())

    def structure(one: ReadyStructure) -> ReadyStructure:
        legs = tuple((leg, shares(payers), shares(payees)) for leg, payers, payees in one.legs)
        return replace(one, legs=legs, cost_legs=tuple((shares(who), why) for who, why in one.cost_legs))

    return replace(
        deal,
        own=structure(deal.own),
        varied=structure(deal.varied) if deal.varied is not None else None,
        comparators=tuple(structure(one) for one in deal.comparators),
        roles={role: shares(filled) for role, filled in deal.roles.items()},
        saving_legs=tuple(shares(filled) for filled in deal.saving_legs),
    )


def first_year(ready: ReadyPortfolio, deal: ReadyDeal) -> int:
    """Where the deal's first financial year stands among the portfolio's.

    The deal's row 0 is the day after the portfolio's row in which it starts: on 1 April, a year later.
    """
    return ready.calendar.financial_years.index(deal.calendar.financial_years[0])


def on_years(ready: ReadyPortfolio, deal: ReadyDeal, amounts: Any) -> Any:
    """``(year, path)`` of the deal's financial years on the portfolio's, nil elsewhere."""
    years, first = len(ready.calendar.financial_years), first_year(ready, deal)
    if len(amounts) == years:
        return amounts
    placed = np.zeros((years, *amounts.shape[1:]))
    placed[first : first + len(amounts)] = amounts
    return placed


def add_rows(total: Any, deal: ReadyDeal, flows: Any) -> None:
    """Add a deal's flows ``(row, path)`` to those of the portfolio, in place: its row 0 is at its close."""
    total[deal.first_row : deal.first_row + len(flows)] += flows


def with_deals(
    ready: ReadyPortfolio, deals: Mapping[str, Deal]
) -> tuple[ReadyPortfolio, dict[str, InputError]]:
    """The same portfolio with other deals in place of its own, and no fund; and what is wrong with the rest.

    Factors and indices are left as they are: a deal draws what it would among the portfolio's own.
    """
    portfolio = ready.portfolio.model_copy(update={"deals": dict(deals), "fund": Fund(), "books": {}})
    common, parties = ready.common(0, None), dict(ready.parties)
    made, wrong = [], {}
    for name in deals:
        try:
            made.append(_deal(name, portfolio, ready.calendar, common))
        except InputError as error:
            wrong[name] = error
        parties[_vehicle(name)] = Party(kind="intermediary", title=f"{name} vehicle")
    return replace(ready, portfolio=portfolio, deals=tuple(made), parties=parties, fund=None), wrong


def _rate_basis(portfolio: Portfolio) -> str:
    """What the file says of its discount rate: a source, that it is invented, or nothing."""
    place = ("discount", "rate")
    said = next(heard for at, _, heard in said_of(portfolio) if at == place)
    nothing = "illustrative" if said.origin == "illustrative" else "the file gives none"
    return said.source or nothing


def futures_of(ready: ReadyDeal, source: Any, common: Common) -> Any:
    """The deal's draws from a source, with the part of the common factors that falls on its rows."""
    first, rows = ready.first_row, ready.calendar.quarters + 1
    what = ready.programme
    return what.draw(what, source, rows, _cut(common.shock, first), _levels(ready, common, first))


def drawn(ready: ReadyDeal, common: Common, seed: int, paths: Any) -> Drawn:
    """The deal's keyed streams on a block of paths."""
    rows = ready.calendar.quarters + 1
    drivers, scores = ready.programme.programme.drivers, common.scores(ready.tags, ready.own_factors, paths)
    return Drawn(seed, ready.draws, rows, paths, scores, drivers, common.points, ready.near)


def price_level(ready: ReadyDeal, common: Common) -> list[Any]:
    """Price level of the tariff, or of what the structure itself indexes, by deal row."""
    return _level(ready.deal, ready.calendar, common)[ready.first_row :]


def _level(deal: Deal, calendar: Calendar, common: Common) -> list[Any]:
    """By the portfolio's rows: of the tariff, else of the structure's ``indexation``, else 1."""
    tariff, own = deal.tariff, getattr(deal.instrument, "indexation", None)
    if tariff is not None:
        return common.level(tariff.index, tariff.price_base or calendar.start, tariff.collar)
    return common.level(own.index if own is not None else None, calendar.start)


def _deal(
    name: str, portfolio: Portfolio, calendar: Calendar, common: Common, alone: bool = False
) -> ReadyDeal:
    deal = portfolio.deals[name]
    first = calendar.row_of_start(deal.start, "start") if deal.start else 0
    own_calendar = Calendar(deal.start or portfolio.start, portfolio.quarters - first)
    if own_calendar.quarters < 1:
        raise InputError("starts at or after the portfolio's last quarter", field="start", given=deal.start)
    tariff = deal.tariff
    programme = lower(deal.programme, tariff is not None and tariff.needs_classes)
    _check_indices(deal, portfolio)
    _check_drivers(deal)
    if deal.programme.kind not in deal.instrument.finances:
        raise InputError(
            f"does not finance a {deal.programme.kind}", field="instrument.kind", given=deal.instrument.kind,
            allowed=f"a structure for a {deal.programme.kind}",
        )  # fmt: skip
    deal, proposed = with_peg(deal, name, programme, portfolio, own_calendar, first)
    source = Certain(deal.programme.drivers)
    rows = own_calendar.quarters + 1

    def levels(index: str | None, base: date | None) -> list[Any]:
        return common.level(index, base or own_calendar.start)[first:]

    futures = programme.draw(programme, source, rows, Shock(), levels)
    plan = programme_case(programme, futures)
    level = _level(deal, own_calendar, common)[first:]

    def brief(variation: bool) -> Brief:
        return Brief(
            programme=deal.programme, tariff=tariff, nodes=programme.nodes, lines=programme.lines,
            costs=deal.programme.costs, plan=plan, plan_level=tuple(level), calendar=own_calendar,
            with_variation=variation,
        )  # fmt: skip

    roles = _roles(name, deal, portfolio)
    used: set[str] = set()

    def structure(label: str, terms: Structure, variation: bool = False) -> ReadyStructure:
        return _structure(label, terms.lower(brief(variation)), deal, roles, used)

    own = structure("own", deal.instrument)
    planned = plan_case(own.lowered, brief(False))
    value = tuple(value_of(deal, programme, done, futures, row) for row, done in enumerate(plan))
    varied = structure("with variation", deal.instrument, True) if _varies(deal) and not alone else None
    in_house = 1.0 / (1.0 + deal.performance_effect)
    compared = () if alone else against(deal.programme.kind, portfolio.comparison)
    comparators = tuple(replace(structure(label, terms), savings=in_house) for label, terms in compared)
    savings = []
    for label, saving in deal.programme.savings.items():
        used.add(saving.agency)
        savings.append(_filled(roles, saving.agency, f"programme.savings.{label}.agency"))
    if not alone:
        _check_roles(deal, used)
    return ReadyDeal(
        name, deal, programme, own_calendar, first, own, varied, comparators, roles, tuple(savings), plan,
        planned_payments(own.lowered, planned), planned_flows(own.lowered, planned), value, proposed,
        portfolio.counts == "near", _own_factors(name, portfolio),
    )  # fmt: skip


def _tags(deal: Deal) -> dict[str, str]:
    given = {"theme": deal.theme, "place": deal.place, "provider": deal.provider}
    return {key: value for key, value in given.items() if value is not None}


def _own_factors(name: str, portfolio: Portfolio) -> dict[str, str]:
    """Factors by a tag that no deal shares with this one, but those that draw as it does."""
    deal = portfolio.deals[name]
    mine, draws = _tags(deal), deal.draws or name
    others = [_tags(one) for other, one in portfolio.deals.items() if (one.draws or other) != draws]
    alone = {by: tag for by, tag in mine.items() if all(other.get(by) != tag for other in others)}
    gaussian = {name: x for name, x in portfolio.factors.items() if isinstance(x, GaussianFactor)}
    return {factor: alone[x.by] for factor, x in gaussian.items() if x.by in alone}


def value_of(deal: Deal, programme: Ready, done: Activity, futures: Futures, row: int) -> Any:
    """Outcomes of a row that would not have happened anyway, at the tariff's prices, pounds; nil without."""
    prices = deal.tariff.total_prices if deal.tariff is not None else {}
    if not prices:
        return 0.0
    counted = programme.counts(programme, done, futures, row)
    value: Any = 0.0
    for line, price in prices.items():
        value = value + price * counted[f"beyond: {line}"].value
    return value


def planned_flows(lowered: Lowered, planned: PlanCase) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """What the investor's role pays and receives in the plan case, by deal row, pounds."""
    legs = flat(lowered.legs)
    paid, back = [], []
    for _, payments in planned:
        amounts = [float(amount) for amount in flat(payments)]
        cash = [(leg, x) for leg, x in zip(legs, amounts, strict=True) if leg.reason not in MEMO]
        paid.append(sum(x for leg, x in cash if leg.payer == "investor"))
        back.append(sum(x for leg, x in cash if leg.payee == "investor"))
    return tuple(paid), tuple(back)


def planned_payments(lowered: Lowered, planned: PlanCase) -> float:
    """Payments for outcomes and out of savings in the plan case, over the life, pounds."""
    outcome = [leg.reason in RESULTS for leg in flat(lowered.legs)]
    return sum(
        float(amount)
        for _, payments in planned
        for amount, paid in zip(flat(payments), outcome, strict=True)
        if paid
    )


def programme_case(programme: Ready, futures: Futures) -> tuple[Any, ...]:
    """The programme alone in one case, nothing ordered otherwise: its activity by row."""
    state, delays, rows = programme.opening, Delays(programme.lags), []
    for row in range(futures.rows):
        now = futures.now(row, delays.due())
        state, activity, entering = programme.play(programme.terms, state, now, AS_PLANNED)
        delays.enter(entering)
        rows.append(activity)
    return tuple(rows)


def _structure(
    label: str, lowered: Lowered, deal: Deal, roles: Mapping[str, Shares], used: set[str]
) -> ReadyStructure:
    legs = []
    for leg in flat(lowered.legs):
        used.update((leg.payer, leg.payee))
        legs.append((leg, _filled(roles, leg.payer), _filled(roles, leg.payee)))
    costs = []
    lines: Mapping[str, Spent] = deal.programme.costs
    for line, uses in zip(lines.values(), lowered.uses, strict=True):
        used.add(line.paid_to)
        costs.append((_filled(roles, line.paid_to) if uses else (), line.reason))
    return ReadyStructure(label, lowered, tuple(legs), tuple(costs))


def _roles(name: str, deal: Deal, portfolio: Portfolio) -> dict[str, Shares]:
    _check_reserved(deal)
    roles: dict[str, Shares] = {role: ((role, 1.0),) for role in SUPPLIED}
    roles["vehicle"] = ((_vehicle(name), 1.0),)
    for role, filled in deal.parties.items():
        roles[role] = shares_of(filled)
    if "commissioner" not in roles and deal.tariff is not None:
        first = next(iter(deal.tariff.payers))
        roles["commissioner"] = _filled(roles, first)
    return roles


def _check_reserved(deal: Deal) -> None:
    """Refuse the engine's own roles wherever a file can name one: money would come from nowhere."""
    named = [(f"parties.{role}", role) for role in deal.parties]
    named += [(f"tariff.payers.{role}", role) for role in (deal.tariff.payers if deal.tariff else ())]
    for path, value in walk(deal):
        if path.rsplit(".", 1)[-1] in ("by", "agency") and isinstance(value, str):
            named.append((path, value))
    for path, role in named:
        if role in RESERVED:
            raise InputError(
                "is a role that belongs to the model", field=path, given=role,
                allowed=f"any other: {' and '.join(RESERVED)} are never filled and never promise anything",
            )  # fmt: skip


def _filled(roles: Mapping[str, Shares], role: str, field: str | None = None) -> Shares:
    if role not in roles:
        raise InputError(
            "is a role that no party fills", field=field or f"parties.{role}", given=role,
            allowed=f"name a party for {role} under parties",
        )  # fmt: skip
    return roles[role]


def _check_roles(deal: Deal, used: set[str]) -> None:
    for role in deal.parties:
        if role not in used:
            raise InputError(
                "is a role that nothing in this deal needs", field=f"parties.{role}", given=role,
                allowed=", ".join(sorted(used - {OUTSIDE, "vehicle"})),
            )  # fmt: skip


def _varies(deal: Deal) -> bool:
    support = deal.tariff is not None and deal.tariff.emergency_support > 0
    return support or getattr(deal.instrument, "review", None) is not None


def _vehicle(name: str) -> str:
    return f"{name} vehicle"


def _levels(ready: ReadyDeal, common: Common, first: int) -> Levels:
    def levels(index: str | None, base: date | None) -> list[Any]:
        return common.level(index, base or ready.calendar.start)[first:]

    return levels


def _cut(shock: Shock, first: int) -> Shock:
    return Shock(*(x if isinstance(x, float) else x[first:] for x in shock))


def walk(model: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value inside a model with its path, models included."""
    yield path, model
    if isinstance(model, Mapping):
        children = [(str(key), value) for key, value in model.items()]
    elif hasattr(type(model), "model_fields"):
        children = [(name, getattr(model, name)) for name in type(model).model_fields]
    elif isinstance(model, tuple):
        for i, value in enumerate(model):
            yield from walk(value, f"{path}[{i}]")
        return
    else:
        return
    for key, value in children:
        yield from walk(value, f"{path}.{key}" if path else key)


def _check_indices(deal: Deal, portfolio: Portfolio) -> None:
    for path, value in walk(deal):
        if path.endswith(".index") and isinstance(value, str) and value not in portfolio.indices:
            raise InputError(
                "names an index the portfolio does not have", field=path, given=value,
                allowed=", ".join(portfolio.indices) or "none declared under indices",
            )  # fmt: skip


def _check_drivers(deal: Deal) -> None:
    declared, needed = set(deal.programme.drivers), set()
    for path, value in walk(deal):
        if isinstance(value, DriverRef):
            needed.add(value.driver)
            if value.driver not in declared:
                raise InputError(
                    "needs a driver that is missing", field=f"{path}.driver", given=value.driver,
                    allowed=", ".join(sorted(declared)) or "none declared under drivers",
                )  # fmt: skip
    for name in declared - needed:
        raise InputError("is a driver that nothing needs", field=f"programme.drivers.{name}", given=name)


def _check_factors(portfolio: Portfolio) -> None:
    """Every loading names a Gaussian factor, every Gaussian factor is loaded on, every index is used."""
    gaussian = {name: f for name, f in portfolio.factors.items() if isinstance(f, GaussianFactor)}
    loaded: set[str] = set()
    holders: list[tuple[str, Deal | Index]] = [(f"deals.{name}", x) for name, x in portfolio.deals.items()]
    holders += [(f"indices.{name}", index) for name, index in portfolio.indices.items()]
    for start, holder in holders:
        for path, value in walk(holder, start):
            for factor in getattr(value, "loadings", None) or {}:
                _check_loading(factor, gaussian, holder, f"{path}.loadings.{factor}")
                loaded.add(factor)
    for name in sorted(gaussian.keys() - loaded):
        raise InputError("is a factor that no driver loads on", field=f"factors.{name}", given=name)
    used = {value for path, value in walk(portfolio) if path.endswith(".index")}
    for name in portfolio.indices:
        if name not in used:
            raise InputError("is an index that nothing follows", field=f"indices.{name}", given=name)


def _check_loading(
    factor: str, gaussian: Mapping[str, GaussianFactor], holder: Deal | Index, field: str
) -> None:
    """The factor is there, and whatever loads on it has a score of it: an index only that of all."""
    if factor not in gaussian:
        raise InputError(
            "needs a factor that is missing", field=field, given=factor,
            allowed=", ".join(sorted(gaussian)) or "none declared under factors",
        )  # fmt: skip
    by = gaussian[factor].by
    if by == "all" or (isinstance(holder, Deal) and getattr(holder, by) is not None):
        return
    if isinstance(holder, Deal):
        raise InputError(
            f"is a factor by {by}, and the deal does not name its own", field=field, given=factor,
            allowed=f"{by}: NAME in the deal, or a factor by all",
        )  # fmt: skip
    raise InputError(
        f"is a factor by {by}, and an index has none", field=field, given=factor, allowed="a factor by all"
    )
