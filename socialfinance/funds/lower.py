"""A fund made ready: its terms as floats, and its schedule by row from the plan of its deals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from socialfinance.core.time import Calendar
from socialfinance.funds import fund_step, pool
from socialfinance.funds.fund import Fund
from socialfinance.funds.notes import Fixed, Note, OverPwlb, Performance, Residual
from socialfinance.instruments.base import quarterly
from socialfinance.markets import pwlb

NO_LIMIT = float("inf")
NEARLY_ALL = 0.99
"""Share of planned receipts from which no reserve is kept any more."""


class Planned(NamedTuple):
    """What the plan expects of one deal, the fund's share, by row of the portfolio: pounds."""

    draws: tuple[float, ...]
    back: tuple[float, ...]


class Lowered(NamedTuple):
    """A fund ready to run."""

    terms: fund_step.Terms
    opening: fund_step.State
    schedule: tuple[fund_step.Row, ...]
    pool: pool.Terms | None


def annual_rate(note: Note) -> float | None:
    """The rate a year, annual effective, at its base; None of notes that have none."""
    rate = note.rate
    if isinstance(rate, Fixed | Performance):
        return rate.annual
    if isinstance(rate, OverPwlb):
        return pwlb.effective_rate(pwlb.rate(rate.term_years, "maturity", "certainty")) + rate.margin
    return None


def lower_note(note: Note) -> fund_step.NoteTerms:
    """One note as floats."""
    rate, base = note.rate, annual_rate(note) or 0.0
    redemption = note.retail.redemption if note.retail is not None else None
    return fund_step.NoteTerms(
        commitment=note.commitment,
        rank=note.rank,
        repayable=note.repayable,
        residual=isinstance(rate, Residual),
        rate=quarterly(base),
        annual=base,
        extra=rate.extra if isinstance(rate, Performance) else 0.0,
        nothing_at=rate.nothing_at if isinstance(rate, Performance) else 0.0,
        all_at=rate.all_at if isinstance(rate, Performance) else 1.0,
        cap=quarterly(rate.cap) if isinstance(rate, Residual) and rate.cap is not None else -1.0,
        deferrable=note.deferrable,
        compounds=float(note.compounds),
        undrawn_fee=quarterly(note.undrawn_fee),
        kept=redemption.kept if redemption is not None else 0.0,
    )


def lower(
    fund: Fund, calendar: Calendar, deals: Sequence[Planned], plan_level: Sequence[float] | None = None
) -> Lowered:
    """Terms, opening state and schedule of a fund over these deals, in their order.

    ``plan_level`` is the planned price level of the budget by row; none: it does not grow.
    """
    level = plan_level or (1.0,) * (calendar.quarters + 1)
    notes = tuple(lower_note(note) for note in fund.notes.values())
    trigger = fund.waterfall.trigger
    commitments = sum(note.commitment for note in notes)
    none, nobody = (0.0,) * len(notes), (0.0,) * len(deals)
    tests = tuple(
        fund_step.TestTerms(test.kind == "interest", test.at_least, test.first_quarter, test.window)
        for test in (trigger.tests.values() if trigger else ())
    )
    carry = fund.carry
    terms = fund_step.Terms(
        notes=notes,
        ranks=tuple(
            tuple(i for i, note in enumerate(notes) if note.rank == rank)
            for rank in sorted({note.rank for note in notes})
        ),
        protected=tuple(trigger is None or note.rank <= trigger.protects for note in notes),
        pro_rata=fund.waterfall.principal == "pro-rata",
        tests=tests,
        curable=trigger is not None and trigger.curable,
        cure=float(trigger.cure_quarters) if trigger else 0.0,
        notice=fund.calls.notice_quarters,
        last_first=fund.calls.order == "last rank first",
        recycled=fund.recycling.limit * commitments,
        reserve=fund.reserve.target,
        reserve_quarters=float(fund.reserve.interest_quarters),
        reserve_called=fund.reserve.from_calls,
        cash_yield=quarterly(fund.cash_yield),
        carry=() if carry is None else (fund_step.CarryTerms(
            carry.style == "american", quarterly(carry.preferred), carry.share, carry.catch_up
        ),),
        deals=len(deals),
        no_notes=none,
    )  # fmt: skip
    schedule = rows(fund, calendar, deals, level)
    longest = max((test.window for test in tests), default=1)
    notice = fund.calls.notice_quarters
    first = tuple(schedule[row].needs for row in range(notice))
    opening = fund_step.State(
        waiting=0.0, retained=0.0, held=0.0, reserve=0.0, under_way=first, cost_arrears=0.0, recycled=0.0,
        drawn=none, balance=none, owed=none, received=none, hurdle=none, missed=none,
        off=(-1.0,) * len(tests), ever=0.0, income=(0.0,) * longest, interest=(0.0,) * longest,
        deal_drawn=nobody, deal_back=nobody, managers=0.0, gain=0.0, preferred=0.0, entitled=0.0,
        whole_gain=0.0, by_deal=((0.0, 0.0, 0.0),) * len(deals),
    )  # fmt: skip
    return Lowered(terms, opening, schedule, lower_pool(fund))


def lower_pool(fund: Fund) -> pool.Terms | None:
    """The pooled guarantee as floats; None where there is none."""
    if fund.pool is None:
        return None
    agreed = fund.pool
    limit = NO_LIMIT if agreed.annual_limit is None else agreed.annual_limit
    restores = float(agreed.recoveries_restore)
    return pool.Terms(agreed.cap, limit, agreed.replenished, restores, agreed.fee / 4.0)


def rows(
    fund: Fund, calendar: Calendar, deals: Sequence[Planned], plan_level: Sequence[float]
) -> tuple[fund_step.Row, ...]:
    """The fund's schedule by row."""
    last, costs = calendar.quarters, fund.costs
    until = last if costs.until_quarter is None else costs.until_quarter
    budget = tuple(
        (costs.set_up if row == 0 else 0.0) + (costs.per_year / 4.0 if 0 < row <= until else 0.0)
        for row in range(last + 1)
    )
    planned = tuple(x * level for x, level in zip(budget, plan_level, strict=True))
    draws = tuple(sum(deal.draws[row] for deal in deals) for row in range(last + 1))
    needs = tuple(
        planned[row] + draws[row] if sum(draws[row:]) > 0.0 else 0.0 for row in range(last + 1)
    )  # no note is called for costs once deals have drawn all they will
    notice, late = fund.calls.notice_quarters, fund.late
    back = tuple(sum(sum(deal.back[: row + 1]) for deal in deals) for row in range(last + 1))
    return tuple(
        fund_step.Row(
            row=row,
            costs=budget[row],
            ahead=sum(needs[row + 1 : row + 1 + notice]),
            needs=needs[row],
            recycles=float(row <= fund.recycling.until_quarter),
            draws_after=sum(draws[row + 1 :]),
            planned_before=back[row - 1] if row else 0.0,
            back_so_far=tuple(sum(deal.back[: max(0, row + 1 - late)]) for deal in deals),
            back_after=tuple(sum(deal.back[max(0, row + 1 - late) :]) for deal in deals),
            reserved=float(back[row] < NEARLY_ALL * back[-1]),
            costs_after=sum(planned[row + 1 :]) / plan_level[row],
            calls_costs=float(sum(draws[row:]) > 0.0),
            redeemed=tuple(_asked_for(note, row) for note in fund.notes.values()),
            final=row == last,
        )
        for row in range(last + 1)
    )


def _asked_for(note: Note, row: int) -> float:
    """Share of a note's balance that holders ask back in this row."""
    terms = note.retail.redemption if note.retail is not None else None
    if terms is None or row < terms.first or (row - terms.first) % terms.every:
        return 0.0
    return terms.asked_for
