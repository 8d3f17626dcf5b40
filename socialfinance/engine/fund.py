"""A fund over a block of paths: all its deals and its waterfall together, row by row.

Deals have run alone by then. What they asked for and paid is taken over as it stands; only on the paths on
which the fund could not grant all of it, and under a policy, are deals run again, side by side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from socialfinance.core.ledger import Ledger
from socialfinance.core.parties import OUTSIDE, PUBLIC
from socialfinance.engine.deal import Asked, Outcome, Told, periods
from socialfinance.engine.ready import ReadyDeal, ReadyPortfolio, drawn, futures_of, price_level, value_of
from socialfinance.engine.ready_fund import MANAGER, Position, ReadyFund
from socialfinance.funds import fund_step, policy_step, pool
from socialfinance.kernels import quick
from socialfinance.kernels.luck import uniform_block
from socialfinance.measures.paths import sum_rows
from socialfinance.scenarios.common import Common
from socialfinance.scenarios.keys import key

Array = NDArray[np.float64]
Paths = NDArray[np.uint64]
NARROW = 2048
"""Paths on which deals run side by side at once: all their ledgers are in memory together."""
CALL, BACK = "guarantee call", "recovery"


class Moved(NamedTuple):
    """What one deal did in one row, pounds; of the whole investor's role unless said."""

    paid_in: Any
    back: Any
    calls: Any
    """paid by the pool's guarantor under the deal's own terms, part of ``back``"""
    recovered: Any
    """had back by the pool's guarantor"""


class Runner(Protocol):
    """One deal of the fund, row by row."""

    def ask(self, row: int) -> Asked | None:
        """What it asks in this row of the portfolio; None before it begins."""

    def play(self, row: int, told: Told) -> Moved:
        """The row with what it was granted."""


class Alone(NamedTuple):
    """What a deal did on its own, ``(row, path)`` on its own rows."""

    paid_in: Array
    back: Array
    calls: Array | None
    recovered: Array | None
    worth: tuple[Array, Array, Array] | None
    """value, cost and starts by financial year, where a policy judges it"""
    public: dict[str, tuple[Array, Array]]
    """by public body: received less paid, and cashable savings in it, over the life"""


NOTHING = Moved(0.0, 0.0, 0.0, 0.0)


class Replayed:
    """A deal as it ran alone: right while everything is granted."""

    def __init__(self, position: Position, alone: Alone) -> None:
        self.first, self.alone = position.deal.first_row, alone

    def ask(self, row: int) -> Asked | None:
        """What it drew."""
        own = row - self.first
        return None if own < 0 else Asked(self.alone.paid_in[own], 1.0, None)

    def play(self, row: int, told: Told) -> Moved:
        """What it paid."""
        own = row - self.first
        if own < 0:
            return NOTHING
        rows = (None if x is None else x[own] for x in self.alone[:4])
        return Moved(*(0.0 if x is None else x for x in rows))


class Live:
    """A deal that runs now, told by the fund what it has."""

    def __init__(
        self, ready: ReadyPortfolio, position: Position, common: Common, seed: int, paths: Paths
    ) -> None:
        deal = position.deal
        self.deal, self.first = deal, deal.first_row
        self.futures = futures_of(deal, drawn(deal, common, seed, paths), common)
        self.ledger = Ledger(
            deal.calendar.year_of_row, len(paths), watched=watched_reasons(position), watch=_mine(ready)
        )
        level = price_level(deal, common)
        self.rows = periods(deal, (deal.own,), self.futures, level, (self.ledger,), rationed=True)
        self.asked: Asked | None = None

    def ask(self, row: int) -> Asked | None:
        """What it asks for."""
        if row == self.first:
            self.asked = next(self.rows)
        return None if row < self.first else self.asked

    def play(self, row: int, told: Told) -> Moved:
        """Run the row, and the programme's next."""
        own = row - self.first
        if own < 0:
            return NOTHING
        try:
            self.asked = self.rows.send(told)
        except StopIteration:
            self.asked = None
        paid_in, back = self.ledger.of_role("investor")
        return Moved(paid_in[own], back[own], self.ledger.seen(CALL, own), self.ledger.seen(BACK, own))


def watched_reasons(position: Position) -> frozenset[str]:
    """Reasons whose payments by and to the pool's guarantor are kept by row."""
    return frozenset({CALL, BACK}) if position.pooled else frozenset()


def _mine(ready: ReadyPortfolio) -> frozenset[str]:
    assert ready.fund is not None
    return frozenset(party for party, _ in ready.fund.guarantors)


def alone(ready: ReadyPortfolio, position: Position, outcome: Outcome) -> Alone:
    """What is kept of a deal that ran on its own."""
    fund, deal, ledger = ready.fund, position.deal, outcome.ledger
    assert fund is not None
    paid_in, back = ledger.of_role("investor")
    worth: tuple[Array, Array, Array] | None = None
    if fund.policy is not None and fund.policy.judged[fund.positions.index(position)]:
        shape = (len(ready.calendar.financial_years), ledger.paths)
        worth = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        for own, done in enumerate(outcome.activity):
            row = own + deal.first_row
            for table, amount in zip(worth, _worth(deal, done, outcome.futures, row), strict=True):
                table[ready.calendar.year_of_row[row]] += amount
    return Alone(
        paid_in, back, ledger.seen_rows.get(CALL), ledger.seen_rows.get(BACK), worth,
        public_nets(ready, ledger),
    )  # fmt: skip


def public_nets(ready: ReadyPortfolio, ledger: Ledger) -> dict[str, tuple[Array, Array]]:
    """By public body in a deal: received less paid, and cashable savings in it, over the life."""
    nil = np.zeros((ledger.rows, ledger.paths))
    return {
        party: (sum_rows(net), sum_rows(ledger.saved.get(party, nil)))
        for party, net in sorted(ledger.net.items())
        if ready.parties[party].kind in PUBLIC
    }


class Ran(NamedTuple):
    """A fund's flows on a block: ``(row, path)`` pounds, tuples by note or by deal."""

    ledger: Ledger
    calls: tuple[Array, ...]
    """by note"""
    back: tuple[Array, ...]
    """by note"""
    paid_in: Array
    """into deals"""
    received: Array
    """from deals, the pool's payments for them included, what is paid back to it left out"""
    from_pool: Array
    """what the pool paid, less what it had back or was booked as paid before it was met"""
    deal_paid: tuple[Array, ...]
    """by deal, over the life ``(path,)``"""
    deal_back: tuple[Array, ...]
    """by deal, the pool's payments included"""
    value: Array
    """deals at the lower of cost and forecast, after the row"""
    cash: Array
    """in the fund after the row"""
    locked: Array
    met: Array
    """granted over asked"""
    state: fund_step.State
    pool: pool.State
    policy: policy_step.State | None
    cut: Array
    """by deal and path: 1 where the policy cut it"""
    worth: tuple[Array, Array, Array]
    """by financial year, all deals under the policy: value, cost, starts"""
    by_deal: tuple[Array, Array]
    """value and cost over the life by deal ``(deal, path)``"""
    public: dict[str, tuple[Array, Array]]
    """by public body, in the deals held: received less paid, and cashable savings in it, over the life"""
    repaid: tuple[Array, ...]
    """by note ``(row, path)``: what is owed after the row"""


def run_fund(
    ready: ReadyPortfolio, runs: Sequence[Alone], seed: int, paths: Paths, common: Common,
    policy: bool, own: Mapping[str, Paths] | None = None,
) -> Ran:  # fmt: skip
    """The fund on these paths, from what its deals did alone; with its policy, or where it rations, again.

    The same draws whatever is run again, so that with and without the policy meet the same futures. ``own``
    says by whose draws on which path each future has a deal, where not on its own.
    """
    fund = ready.fund
    assert fund is not None
    if policy:
        return _live(ready, seed, paths, policy, own)
    runners = [Replayed(p, one) for p, one in zip(fund.positions, runs, strict=True)]
    ran = through(ready, runners, common, seed, paths, None, runs)
    short: NDArray[np.bool_] = np.any(ran.met < 1.0, axis=0)
    if not short.any():
        return ran
    theirs = None if own is None else {draws: one[short] for draws, one in own.items()}
    again = _live(ready, seed, paths[short], policy, theirs)
    return _put(ran, again, short)


def _live(
    ready: ReadyPortfolio, seed: int, paths: Paths, policy: bool, own: Mapping[str, Paths] | None = None
) -> Ran:
    """All deals side by side, on narrow blocks; ``own`` as in :func:`run_fund`."""
    fund = ready.fund
    assert fund is not None
    parts = []
    for start in range(0, len(paths), NARROW):
        narrow = slice(start, start + NARROW)
        some = paths[narrow]
        common = ready.common(seed, some)
        runners = [
            Live(ready, position, common, seed, some if own is None else own[position.deal.draws][narrow])
            for position in fund.positions
        ]
        terms = fund.policy if policy else None
        parts.append(through(ready, runners, common, seed, some, terms, None))
    return parts[0] if len(parts) == 1 else _joined(parts)


def through(
    ready: ReadyPortfolio, runners: Sequence[Runner], common: Common, seed: int,
    paths: Paths, policy: policy_step.Terms | None, runs: Sequence[Alone] | None,
) -> Ran:  # fmt: skip
    """Every row of the fund: ask, grant, play, pay."""
    fund = ready.fund
    assert fund is not None
    terms, guarantee = fund.lowered.terms, fund.lowered.pool
    count, deals = len(paths), len(fund.positions)
    level = common.level(fund.fund.costs.index, ready.calendar.start)
    chance = _Chance(fund, seed, paths) if policy is not None else None
    state = fund_step.spread(fund.lowered.opening, count)
    covered = fund_step.spread(pool.opening(deals), count)
    steered_state = fund_step.spread(policy_step.opening(deals), count) if policy is not None else None
    steered: policy_step.Steered | None = None
    kept = _Kept(ready, fund, count)
    draw, distribute = (quick.through(one, count) for one in (fund_step.draw, fund_step.distribute))
    for row, plan in enumerate(fund.lowered.schedule):
        asked = [runner.ask(row) for runner in runners]
        kept.count(row, asked, runners)
        if policy is not None and steered_state is not None and chance is not None:
            now = chance.now(row, kept, asked)
            steered_state = policy_step.measure(policy, steered_state, now)
            if policy_step.reviewed(policy, row):
                steered_state = policy_step.review(policy, steered_state, now)
            steered = policy_step.steer(policy, steered_state, row)
        wishes = tuple(
            position.share * one.wish if one is not None else np.zeros(count)
            for position, one in zip(fund.positions, asked, strict=True)
        )
        fee: Any = 0.0
        pays = pool.Answer((0.0,) * deals, 0.0)
        if guarantee is not None:
            covered, pays = pool.answer(guarantee, covered, float(row % 4 == 1 and row > 1))
            fee = guarantee.fee * np.maximum(0.0, guarantee.cap - covered.used) if row > 0 else 0.0
        wind_down = fund_step.total(steered.wind_down) if steered is not None else 0.0
        state, called = draw(
            terms, state, plan, fund_step.rates(terms, state, plan), level[row], fee + wind_down, wishes
        )
        moved = [
            runner.play(row, _told(called, one, steered, d))
            for d, (runner, one) in enumerate(zip(runners, asked, strict=True))
        ]
        back, covered, shared = _guaranteed(fund, guarantee, covered, row, moved, kept)
        # what the pool pays late for the deal's own calls counts as back from the deal
        state, paid = distribute(terms, state, plan, called, back, pays.pays)
        kept.book(row, called, paid, moved, back, pays, shared, fee, state, steered)
    quick.done(draw, distribute)
    return kept.done(state, covered, steered_state, runners, runs)


def _told(
    called: fund_step.Called, asked: Asked | None, steered: policy_step.Steered | None, deal: int
) -> Told:
    if asked is None:
        return Told()
    granted = asked.wish * called.met
    if steered is None:
        return Told(granted)
    return Told(
        granted, steered.scale[deal], steered.performance[deal], steered.size[deal], steered.withdrawn[deal]
    )


class _Chance:
    """What the policy meets by chance: errors of measurement, ties, and whether payers consent."""

    def __init__(self, fund: ReadyFund, seed: int, paths: Paths) -> None:
        self.fund, self.seed, self.paths = fund, seed, paths

    def now(self, row: int, kept: _Kept, asked: Sequence[Asked | None]) -> policy_step.Now:
        """This row, as the policy sees it."""
        names = [position.deal.name for position in self.fund.positions]
        policy = self.fund.policy
        assert policy is not None
        assert self.fund.fund.policy is not None
        consent = self.fund.fund.policy.growth.consent
        drawn_now = policy_step.reviewed(policy, row)
        error, tie, agrees = [], [], []
        for name in names:
            u = self._uniform(name, "error", row) if drawn_now else None
            error.append(ndtri(u) if u is not None else 0.0)
            tie.append(self._uniform(name, "tie", row) if drawn_now else 0.0)
            agrees.append((self._uniform(name, "consent", row) < consent) * 1.0 if drawn_now else 0.0)
        value, cost, starts = kept.this_row
        runs = tuple(one.runs if one is not None else 0.0 for one in asked)
        return policy_step.Now(row, value, cost, starts, runs, tuple(error), tuple(tie), tuple(agrees))

    def _uniform(self, deal: str, what: str, row: int) -> Array:
        block = uniform_block(*key(self.seed, "fund", "policy", deal, what), range(row, row + 1), self.paths)
        scores: Array = block[0]
        return scores


def _guaranteed(
    fund: ReadyFund, terms: pool.Terms | None, state: pool.State, row: int, moved: Sequence[Moved],
    kept: _Kept,
) -> tuple[tuple[Any, ...], pool.State, tuple[Any, ...]]:  # fmt: skip
    """What the fund has from each deal in this row, the pool's claims, and what deals pay back to the pool.

    A call that a deal's own terms make on the pool's guarantor is taken out of what came back: the pool
    answers it in the next row. What the guarantor had back on calls that were not met in full is the fund's.
    """
    back, claims, shared = [], [], []
    for d, (position, one) in enumerate(zip(fund.positions, moved, strict=True)):
        mine = position.share * one.back
        claim: Any = np.zeros(kept.count_of)
        to_pool: Any = 0.0
        if terms is not None and position.pooled:
            claim = position.share * one.calls
            unmet = _unmet(state, d)
            to_pool = -(position.share * one.recovered) * unmet
            mine = mine - claim - to_pool
        elif terms is not None and position.cover > 0.0:
            if row == position.claim_row:
                lost = np.maximum(
                    0.0, kept.in_deal[d] + position.share * one.paid_in - kept.from_deal[d] - mine
                )
                claim = position.cover * lost
            elif row > position.claim_row:
                state, to_pool = pool.recover(
                    terms, state, d, mine, position.cover * (1.0 - _unmet(state, d))
                )
                mine = mine - to_pool
        back.append(mine)
        claims.append(claim)
        shared.append(to_pool)
    if terms is not None:
        state = pool.claim(state, tuple(claims))
    return tuple(back), state, tuple(shared)


def _unmet(state: pool.State, deal: int) -> Any:
    """Share of a deal's claims so far that the pool did not meet."""
    asked, met = np.asarray(state.claimed[deal]), np.asarray(state.met[deal])
    return np.divide(asked - met, asked, out=np.zeros_like(asked + met), where=asked > 0.005)


class _Kept:
    """What is written down row by row."""

    def __init__(self, ready: ReadyPortfolio, fund: ReadyFund, count: int) -> None:
        self.ready, self.fund, self.count_of = ready, fund, count
        rows, notes, deals = ready.calendar.quarters + 1, len(fund.names), len(fund.positions)
        years = len(ready.calendar.financial_years)
        self.ledger = Ledger(ready.calendar.year_of_row, count, journal=count == 1)

        def by_row() -> Array:
            return np.zeros((rows, count))

        self.calls = tuple(by_row() for _ in range(notes))
        self.back = tuple(by_row() for _ in range(notes))
        self.owed = tuple(by_row() for _ in range(notes))
        self.paid_in, self.received, self.value, self.cash = by_row(), by_row(), by_row(), by_row()
        self.from_pool = by_row()
        self.locked, self.met = by_row(), np.ones((rows, count))
        self.in_deal = tuple(np.zeros(count) for _ in range(deals))
        self.from_deal = tuple(np.zeros(count) for _ in range(deals))
        self.worth = tuple(np.zeros((years, count)) for _ in range(3))
        self.by_deal = (np.zeros((deals, count)), np.zeros((deals, count)))
        self.fee_owed = np.zeros(count)
        self.wind_down_owed = tuple(np.zeros(count) for _ in range(deals))
        self.public: dict[str, tuple[Array, Array]] = {}
        self.this_row: tuple[Any, Any, Any] = ((), (), ())

    def count(self, row: int, asked: Sequence[Asked | None], runners: Sequence[Runner]) -> None:
        """Value, cost and starts of each deal in this row, where it runs now."""
        value, cost, starts = [], [], []
        for d, (runner, one) in enumerate(zip(runners, asked, strict=True)):
            worth, spent, begun = (
                _worth(runner.deal, one.done, runner.futures, row) if isinstance(runner, Live) and one else
                (0.0, 0.0, 0.0)
            )  # fmt: skip
            value.append(worth)
            cost.append(spent)
            starts.append(begun)
            self.add(row, d, worth, spent, begun)
        self.this_row = tuple(value), tuple(cost), tuple(starts)

    def add(self, row: int, deal: int, value: Any, cost: Any, starts: Any) -> None:
        """Add a deal's row to the sums of those that the policy judges."""
        policy = self.fund.policy
        if policy is None or not policy.judged[deal]:
            return
        year = self.ready.calendar.year_of_row[row]
        for table, amount in zip(self.worth, (value, cost, starts), strict=True):
            table[year] += amount
        self.by_deal[0][deal] += value
        self.by_deal[1][deal] += cost

    def book(
        self, row: int, called: fund_step.Called, paid: fund_step.Paid, moved: Sequence[Moved],
        back: Sequence[Any], pays: pool.Answer, shared: Sequence[Any], fee: Any,
        state: fund_step.State, steered: policy_step.Steered | None,
    ) -> None:  # fmt: skip
        """Write the row down, and book it."""
        for i in range(len(self.calls)):
            self.calls[i][row] = called.calls[i]
            self.back[i][row] = (
                paid.interest[i] + paid.redeemed[i] + paid.principal[i] + paid.more[i] + paid.clawed_to[i]
            )
            self.owed[i][row] = state.balance[i] + state.owed[i]
        for d, position in enumerate(self.fund.positions):
            put_in = position.share * moved[d].paid_in
            self.in_deal[d][:] += put_in
            self.from_deal[d][:] += back[d] + pays.pays[d]
            self.paid_in[row] += put_in
            self.received[row] += back[d] + pays.pays[d]
            self.from_pool[row] += pays.pays[d] - shared[d]
            if position.pooled:
                self.from_pool[row] -= position.share * moved[d].calls
        self.value[row], self.locked[row] = paid.value, paid.locked
        self.cash[row] = state.waiting + state.held + state.retained + state.reserve
        self.met[row] = called.met
        self._ledger(row, called, paid, moved, pays, shared, fee, steered)

    def _ledger(
        self, row: int, called: fund_step.Called, paid: fund_step.Paid, moved: Sequence[Moved],
        pays: pool.Answer, shared: Sequence[Any], fee: Any,
        steered: policy_step.Steered | None,
    ) -> None:  # fmt: skip
        """Every payment between the fund and others; what passes between it and deals is in theirs."""
        fund, terms, me = self.fund, self.fund.fund, self.fund.party

        def pay(payer: str, payee: str, amount: Any, why: str) -> None:
            if np.any(amount):
                self.ledger.pay(row, payer, payee, np.asarray(amount, dtype=float), why)

        for i, shares in enumerate(fund.holders):
            granted = not fund.lowered.terms.notes[i].repayable and not fund.lowered.terms.notes[i].residual
            for party, share in shares:
                pay(party, me, share * called.calls[i], "grant" if granted else "drawdown")
                pay(me, party, share * paid.interest[i], "interest")
                pay(me, party, share * paid.principal[i], "principal")
                pay(me, party, share * paid.redeemed[i], "redemption")
                pay(me, party, share * paid.more[i], "investor return")
                if terms.carry is not None:
                    pay(terms.carry.to, party, share * paid.clawed_to[i], "clawback")
        for d in range(len(fund.positions)):
            for party, share in fund.guarantors:
                if fund.positions[d].pooled:
                    # the deal booked its call as paid in full at once: the fund hands it back until it is met
                    pay(me, party, share * fund.positions[d].share * moved[d].calls, "claim deferred")
                    pay(party, me, share * np.maximum(0.0, -np.asarray(shared[d])), "recovery")
                else:
                    pay(me, party, share * np.maximum(0.0, np.asarray(shared[d])), "recovery")
                pay(party, me, share * pays.pays[d], "guarantee call")
        asked = called.costs + paid.arrears
        self._costs(pay, asked, fee, steered)
        pay(OUTSIDE, me, called.earned, "cash yield")
        if terms.carry is not None:
            pay(me, terms.carry.to, paid.carry, "carried interest")
        if terms.surplus_to is not None:
            pay(me, terms.surplus_to, paid.surplus, "surplus share")

    def _costs(self, pay: Any, paid: Any, fee: Any, steered: policy_step.Steered | None) -> None:
        """Who has what was paid of costs: the pool first, then providers that wind down, then the manager.

        What of the first two is not paid stays owed, and comes first when there is cash.
        """
        me, left = self.fund.party, np.asarray(paid) + np.zeros(self.count_of)
        self.fee_owed += fee
        due = np.minimum(left, self.fee_owed)
        self.fee_owed -= due
        left = left - due
        for party, share in self.fund.guarantors:
            pay(me, party, share * due, "guarantee fee")
        for d, position in enumerate(self.fund.positions):
            if steered is None:
                break
            self.wind_down_owed[d][:] += steered.wind_down[d]
            due = np.minimum(left, self.wind_down_owed[d])
            self.wind_down_owed[d][:] -= due
            left = left - due
            for party, share in position.deal.roles.get("provider", ((OUTSIDE, 1.0),)):
                pay(me, party, share * due, "wind-down cost")
                if party != OUTSIDE:
                    pay(party, OUTSIDE, share * due, "delivery cost")
        to = self.fund.fund.costs.paid_to
        pay(me, to if to != MANAGER else OUTSIDE, left, "running cost")

    def done(
        self, state: fund_step.State, covered: pool.State, policy: policy_step.State | None,
        runners: Sequence[Runner], runs: Sequence[Alone] | None,
    ) -> Ran:  # fmt: skip
        """All that was kept."""
        for d in range(len(runners)):
            runner = runners[d]
            public = runs[d].public if runs is not None else {}
            if isinstance(runner, Live):
                public = public_nets(self.ready, runner.ledger)
            for party, (flows, savings) in public.items():
                so_far = self.public.setdefault(party, (np.zeros(self.count_of), np.zeros(self.count_of)))
                so_far[0][:] += flows
                so_far[1][:] += savings
        if runs is not None:
            for d, one in enumerate(runs):
                for table, mine in zip(self.worth, one.worth or (), strict=False):
                    table += mine
                for table, mine in zip(self.by_deal, one.worth or (), strict=False):
                    for year in mine:
                        table[d] += year
        cut = np.zeros((len(self.fund.positions), self.count_of))
        if policy is not None:
            for d, at in enumerate(policy.cut_at):
                cut[d] = np.asarray(at) < policy_step.NEVER
        return Ran(
            self.ledger, self.calls, self.back, self.paid_in, self.received, self.from_pool, self.in_deal,
            self.from_deal, self.value, self.cash, self.locked, self.met, state, covered, policy, cut,
            (self.worth[0], self.worth[1], self.worth[2]), self.by_deal, self.public, self.owed,
        )  # fmt: skip


def _worth(deal: ReadyDeal, done: Any, futures: Any, row: int) -> tuple[Any, Any, Any]:
    """Value, cost and starts of a row of the portfolio."""
    own = row - deal.first_row
    cost: Any = 0.0
    for one in done.costs:
        cost = cost + one
    return value_of(deal.deal, deal.programme, done, futures, own), cost, getattr(done, "starts", 0.0)


def _put(ran: Ran, again: Ran, chosen: NDArray[np.bool_]) -> Ran:
    """``ran`` with the chosen paths replaced by those that ran again."""
    placed: Ran = _map(lambda a, b: _placed(a, b, chosen), ran, again)
    return placed


def _placed(into: Any, values: Any, chosen: NDArray[np.bool_]) -> Any:
    """An array with some paths, its last axis, replaced."""
    wide = np.array(np.broadcast_to(into, (*np.shape(into)[:-1], len(chosen))), dtype=float)
    wide[..., chosen] = values
    return wide


def _joined(parts: Sequence[Ran]) -> Ran:
    """Narrow blocks side by side."""
    ran = parts[0]
    for part in parts[1:]:
        ran = _map(lambda a, b: np.concatenate([a, b], axis=-1), ran, part)
    return ran


def _map(combine: Any, a: Any, b: Any) -> Any:
    """Combine two results leaf by leaf; ledgers by leg, single numbers as they are."""
    if isinstance(a, Ledger):
        return a.combined(b, combine)
    if isinstance(a, dict):
        return {name: _map(combine, a[name], b[name]) for name in a}
    if isinstance(a, tuple):
        made = [_map(combine, x, y) for x, y in zip(a, b, strict=True)]
        return type(a)(*made) if hasattr(a, "_fields") else tuple(made)
    return a if a is None else combine(np.atleast_1d(a), np.atleast_1d(b))
