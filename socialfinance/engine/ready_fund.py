"""A fund made ready to run: what it holds, its notes and pool as floats, what its policy may touch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from socialfinance.core.errors import InputError
from socialfinance.core.parties import Filled, shares_of
from socialfinance.core.time import Calendar
from socialfinance.funds import policy_step
from socialfinance.funds.fund import Fund
from socialfinance.funds.lower import Lowered, Planned, lower
from socialfinance.scenarios.common import Common

if TYPE_CHECKING:
    from socialfinance.engine.ready import ReadyDeal
    from socialfinance.funds.portfolio import Portfolio

Shares = tuple[tuple[str, float], ...]
MANAGER = "manager"
"""The party that runs a fund, where the file names no other."""


class Position(NamedTuple):
    """What a fund holds of one deal."""

    deal: ReadyDeal
    share: float
    """of the investor's role"""
    cover: float
    """of its loss that the pool covers; nil where its own guarantor is the pool"""
    pooled: bool
    """whether the pool's guarantor stands behind the deal by its own terms"""
    claim_row: int
    """row of the portfolio in which a loss is claimed"""


class ReadyFund(NamedTuple):
    """Everything a fund needs to run."""

    fund: Fund
    party: str
    holders: tuple[Shares, ...]
    """by note"""
    positions: tuple[Position, ...]
    lowered: Lowered
    policy: policy_step.Terms | None
    guarantors: Shares
    """who pays for the pool"""

    @property
    def names(self) -> tuple[str, ...]:
        """Its notes, in the order of the file."""
        return tuple(self.fund.notes)


def ready_fund(
    portfolio: Portfolio, calendar: Calendar, deals: Sequence[ReadyDeal], common: Common
) -> ReadyFund | None:
    """Lower the fund over the deals it holds; None where it has no notes."""
    fund = portfolio.fund
    if not fund.notes:
        return None
    assert fund.party is not None
    _check_party(portfolio, fund.party, "fund.party")
    held = [deal for deal in deals if _share(deal, fund.party) > 0.0]
    if not held:
        raise InputError(
            "fills the investor's role in no deal", field="fund.party", given=fund.party,
            allowed="the party named as investor in the deals the fund holds",
        )  # fmt: skip
    holders = tuple(
        _holders(portfolio, note.holder, f"fund.notes.{name}.holder", fund.party)
        for name, note in fund.notes.items()
    )
    guarantors = (
        _holders(portfolio, fund.pool.guarantor, "fund.pool.guarantor", fund.party) if fund.pool else ()
    )
    for field, party in _named(fund):
        if party is not None and party != MANAGER:
            _check_party(portfolio, party, field)
    _check_dates(fund, calendar)
    if fund.costs.index is not None and fund.costs.index not in portfolio.indices:
        raise InputError(
            "names an index the portfolio does not have", field="fund.costs.index", given=fund.costs.index,
            allowed=", ".join(portfolio.indices) or "none declared under indices",
        )  # fmt: skip
    _check_deals(fund, held, guarantors)
    plan_level = common.level(fund.costs.index, calendar.start)
    planned = [_planned(deal, _share(deal, fund.party), calendar) for deal in held]
    positions = tuple(
        _position(fund, deal, plan, calendar, guarantors) for deal, plan in zip(held, planned, strict=True)
    )
    return ReadyFund(
        fund, fund.party, holders, positions, lower(fund, calendar, planned, plan_level),
        _policy(fund, held, calendar), guarantors,
    )  # fmt: skip


def _share(deal: ReadyDeal, party: str) -> float:
    return dict(deal.roles.get("investor", ())).get(party, 0.0)


def _named(fund: Fund) -> list[tuple[str, str | None]]:
    carry = fund.carry.to if fund.carry else None
    return [
        ("fund.costs.paid_to", fund.costs.paid_to), ("fund.carry.to", carry),
        ("fund.surplus_to", fund.surplus_to),
    ]  # fmt: skip


def _check_party(portfolio: Portfolio, party: str, field: str) -> None:
    if party not in portfolio.parties:
        raise InputError(
            "is not among the parties", field=field, given=party, allowed=", ".join(sorted(portfolio.parties))
        )


def _holders(portfolio: Portfolio, filled: Filled, field: str, fund: str) -> Shares:
    shares = shares_of(filled)
    for party, share in shares:
        _check_party(portfolio, party, field)
        if party == fund:
            raise InputError("is the fund itself", field=field, given=party, allowed="another party")
        if not 0.0 < share <= 1.0:
            raise InputError("must be above 0 and at most 1", field=field, given=share)
    total = sum(share for _, share in shares)
    if not shares or abs(total - 1.0) > 1e-9:
        raise InputError("shares must sum to 1", field=field, given=f"{total:g}", allowed="1")
    if len({party for party, _ in shares}) < len(shares):
        raise InputError("names a party twice", field=field, given=", ".join(party for party, _ in shares))
    return shares


def _check_dates(fund: Fund, calendar: Calendar) -> None:
    """Dates and quarters inside the horizon, indices not left over."""
    last = calendar.row_date(calendar.quarters)
    for name, note in fund.notes.items():
        if note.repay_by is not None and not calendar.start < note.repay_by <= last:
            raise InputError(
                "is outside the fund's horizon", field=f"fund.notes.{name}.repay_by", given=note.repay_by,
                allowed=f"after {calendar.start}, to {last}",
            )  # fmt: skip
    checks = [("fund.recycling.until_quarter", fund.recycling.until_quarter)]
    if fund.costs.until_quarter is not None:
        checks.append(("fund.costs.until_quarter", fund.costs.until_quarter))
    if fund.policy is not None:
        checks.append(("fund.policy.first_review", fund.policy.first_review))
    for field, quarter in checks:
        if quarter > calendar.quarters:
            raise InputError(
                "is after the last quarter", field=field, given=quarter, allowed=f"0 to {calendar.quarters}"
            )


def _check_deals(fund: Fund, held: Sequence[ReadyDeal], guarantors: Shares) -> None:
    names = {deal.name for deal in held}
    allowed = ", ".join(sorted(names))
    for name in fund.pool.deals if fund.pool else ():
        if name not in names:
            raise InputError(
                "is not a deal the fund holds", field=f"fund.pool.deals.{name}", given=name, allowed=allowed
            )
    if fund.pool is not None:
        covers = [fund.pool.cover, *(one.cover for one in fund.pool.deals.values())]
        if not any(covers) and not any(_is_pooled(deal, guarantors) for deal in held):
            raise InputError(
                "covers nothing", field="fund.pool", given="cover 0 on every deal",
                allowed="a cover, or a guarantor that stands behind a deal",
            )  # fmt: skip
    for deal in held:
        if fund.pool is not None and _calls_go_elsewhere(deal, guarantors):
            raise InputError(
                "stands behind a deal whose calls are paid to its vehicle, not to the fund",
                field="fund.pool.guarantor", given=deal.name,
                allowed="another party as the deal's guarantor, or as the pool's",
            )  # fmt: skip
    for i, name in enumerate((fund.policy.deals or ()) if fund.policy else ()):
        field = f"fund.policy.deals[{i}]"
        if name not in names:
            raise InputError("is not a deal the fund holds", field=field, given=name, allowed=allowed)
        if not can_be_judged(next(deal for deal in held if deal.name == name)):
            raise InputError(
                "cannot be judged", field=field, given=name,
                allowed="people's programmes paid by a tariff with prices, in a structure with a vehicle",
            )  # fmt: skip


def can_be_judged(deal: ReadyDeal) -> bool:
    """Whether a deal has outcomes with prices, starts, and a contract that a fund can leave."""
    return sum(deal.planned_value) > 0.0 and any(
        figure.measure == "ended_performance" for figure in deal.own.lowered.figures
    )


def _is_pooled(deal: ReadyDeal, guarantors: Shares) -> bool:
    mine = {party for party, _ in guarantors}
    return any(party in mine for role in deal.own.lowered.guaranteed for party, _ in deal.roles.get(role, ()))


def _calls_go_elsewhere(deal: ReadyDeal, guarantors: Shares) -> bool:
    """Whether the pool's guarantor pays calls of this deal to anybody but its investors."""
    mine = {party for party, _ in guarantors}
    return any(
        leg.reason == "guarantee call" and leg.payee != "investor" and party in mine
        for leg, payers, _ in deal.own.legs for party, _ in payers
    )  # fmt: skip


def _planned(deal: ReadyDeal, share: float, calendar: Calendar) -> Planned:
    """The plan's flows of the fund's share, on the portfolio's rows; of a grant nothing is expected."""
    draws, back = deal.planned_flows
    if not deal.own.lowered.repayable:
        back = (0.0,) * len(back)
    before = (0.0,) * deal.first_row
    return Planned((*before, *(share * x for x in draws)), (*before, *(share * x for x in back)))


def _position(
    fund: Fund, deal: ReadyDeal, planned: Planned, calendar: Calendar, guarantors: Shares
) -> Position:
    assert fund.party is not None
    pooled = _is_pooled(deal, guarantors)
    cover, claim_row = 0.0, calendar.quarters
    if fund.pool is not None:
        named = fund.pool.deals.get(deal.name)
        cover = named.cover if named is not None else fund.pool.cover
        last = max((row for row, x in enumerate(planned.back) if x > 0.005), default=0)
        claim_row = min(last + fund.pool.claim_after, calendar.quarters - 1)  # met in the row after
    return Position(deal, _share(deal, fund.party), 0.0 if pooled else cover, pooled, claim_row)


def _policy(fund: Fund, held: Sequence[ReadyDeal], calendar: Calendar) -> policy_step.Terms | None:
    """The policy as floats, with what the plan says of each deal by row of the portfolio."""
    agreed = fund.policy
    if agreed is None:
        return None
    judged = tuple(
        can_be_judged(deal) and (agreed.deals is None or deal.name in agreed.deals) for deal in held
    )
    if not any(judged):
        raise InputError(
            "finds nothing to judge", field="fund.policy", given="no deal with priced outcomes",
            allowed="a people's programme paid by a tariff with prices",
        )  # fmt: skip
    value, cost, starts = [], [], []
    for deal in held:
        before = (0.0,) * deal.first_row
        value.append(_so_far((*before, *deal.planned_value)))
        cost.append(_so_far((*before, *(float(sum(done.costs)) for done in deal.plan))))
        begun = tuple(float(getattr(done, "starts", 0.0)) for done in deal.plan)
        starts.append(_so_far((*before, *begun)))
    last = calendar.quarters if agreed.last_review is None else agreed.last_review
    better = agreed.mitigation.improving_by
    return policy_step.Terms(
        cut=agreed.cut, reinvest=agreed.reinvest, first=agreed.first_review, every=agreed.every, last=last,
        notice=float(agreed.notice), taper=float(agreed.taper), see_out=float(agreed.see_out),
        wind_down=agreed.wind_down, error=agreed.error,
        per_review=agreed.growth.per_review, most=agreed.growth.most,
        diminishing=agreed.growth.diminishing, new_for=float(agreed.mitigation.new_for),
        improving_by=-1.0 if better is None else better, learning=agreed.learning, judged=judged,
        first_start=tuple(float(next((r for r, x in enumerate(s) if x > 0.0), 1e9)) for s in starts),
        per_pound=tuple(v[-1] / c[-1] if c[-1] > 0.0 else 0.0 for v, c in zip(value, cost, strict=True)),
        value=tuple(value), cost=tuple(cost), starts=tuple(starts),
    )  # fmt: skip


def _so_far(amounts: Sequence[float]) -> tuple[float, ...]:
    total, found = 0.0, []
    for amount in amounts:
        total += amount
        found.append(total)
    return tuple(found)
