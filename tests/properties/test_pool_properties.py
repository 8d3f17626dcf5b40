"""What must hold for any loan pool, whatever its terms, on blocks of eight paths."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from socialfinance.core.ledger import nil_sum
from socialfinance.core.parties import OUTSIDE
from socialfinance.engine.deal import Outcome, run
from socialfinance.engine.ready import ReadyDeal, drawn, futures_of, prepare, price_level
from socialfinance.instruments.loan_pool import LoanPool
from socialfinance.programmes.loan_book import LoanBook
from tests.examples import examples
from tests.models.pool_strategies import pool_files
from tests.models.strategies import Json, percents, pounds, read
from tests.properties.test_debt_properties import double, lender, most_accepted, wide, worth
from tests.properties.test_sib_properties import PATHS, SEED, Watched, parties, priced

Array = NDArray[np.float64]
USUAL = settings(
    max_examples=examples(10, 25),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
PENNY = 1e-6
HALF_A_PENNY = 0.005
OUT = {OUTSIDE}


class Seen(NamedTuple):
    """A pool on eight paths: everything that was paid, and what was so after each row."""

    deal: ReadyDeal
    book: LoanBook
    pool: LoanPool
    ledger: Watched
    outcome: Outcome
    activity: list[Any]
    states: list[Any]

    def done(self, name: str) -> Array:
        """What happened, of all segments, (row, path)."""
        return np.stack([wide(total(getattr(one, name))) for one in self.activity])

    def of(self, segment: int, name: str) -> Array:
        """What happened in one segment, (row, path)."""
        return np.stack([wide(getattr(one, name)[segment]) for one in self.activity])

    def after(self, read_off: Any) -> Array:
        """A figure of the state after every row, (row, path)."""
        return np.stack([wide(read_off(state)) for state in self.states])

    def paid(self, payer: str | None, payee: str | None, reason: str) -> Array:
        """All that moved between these roles for this reason, (row, path)."""
        who = [
            None if role is None else OUT if role == OUTSIDE else parties(self.deal, role)
            for role in (payer, payee)
        ]
        return self.ledger.flows(*who, reason)

    @property
    def fund(self) -> float:
        """The commitment with its grant, pounds."""
        return self.outcome.lowered.commitment / (1.0 - (self.pool.grant.share if self.pool.grant else 0.0))

    @property
    def close(self) -> float:
        """Pounds within which sums of all that moved agree."""
        return 1e-9 * self.ledger.gross + PENNY


def total(x: Any) -> Any:
    """Of all segments."""
    return sum(x) if isinstance(x, tuple) else x


def so_far(x: Array) -> Array:
    """Up to and with each row."""
    return np.cumsum(x, axis=0)


def lately(x: Array, rows: int) -> Array:
    """By row: what happened in the last ``rows`` rows, this one included."""
    before = np.concatenate([np.zeros((rows, PATHS)), so_far(x)])[: len(x)]
    return so_far(x) - before


def watched(file: Json) -> Seen:
    """The only deal of a file, and what happened in it."""
    ready = prepare(read(file))
    deal = ready.deals[0]
    block = np.arange(PATHS, dtype=np.uint64)
    common = ready.common(SEED, block)
    ledger = Watched(deal.calendar.year_of_row, PATHS)
    activity: list[Any] = []
    states: list[Any] = []

    def step(terms: Any, state: Any, now: Any) -> Any:
        found = deal.own.lowered.step(terms, state, now)
        activity.append(now.activity)
        states.append(found[0])
        return found

    spied = replace(deal.own, lowered=deal.own.lowered._replace(step=step))
    futures = futures_of(deal, drawn(deal, common, SEED, block), common)
    outcome = run(deal, (spied,), futures, price_level(deal, common), (ledger,))[0]
    terms = deal.deal
    assert isinstance(terms.programme, LoanBook)
    assert isinstance(terms.instrument, LoanPool)
    return Seen(deal, terms.programme, terms.instrument, ledger, outcome, activity, states)


# --- payments and balances ------------------------------------------------------------------------------


@USUAL
@given(pool_files())
def test_parties_sum_to_nil_and_no_payment_is_negative(file: Json) -> None:
    seen = watched(file)
    if seen.ledger.net:
        assert np.abs(nil_sum(seen.ledger.net)).max() <= 1e-9 * seen.ledger.gross


@USUAL
@given(pool_files())
def test_nothing_that_is_owed_or_held_is_below_nil(file: Json) -> None:
    """And the pool's cash is what it received less what it paid."""
    seen = watched(file)
    for name in ("drawn", "capital_back", "owed", "outstanding", "lent", "defaulted", "recovered", "lost"):
        assert seen.after(lambda s, name=name: getattr(s, name)).min() >= 0.0, name
    for i in range(len(seen.pool.layers)):
        for part in ("seen", "called", "called_this_year", "owed_back"):
            assert seen.after(lambda s, i=i, part=part: getattr(s.guarantees, part)[i]).min() >= 0.0
        assert seen.after(lambda s, i=i: s.fees[i]).min() >= 0.0
    for r in range(len(seen.outcome.state.arrears)):
        assert seen.after(lambda s, r=r: s.arrears[r]).min() >= 0.0
    capital = seen.after(lambda s: s.drawn - s.capital_back)
    assert capital.min() >= -seen.close
    cash = seen.after(lambda s: s.cash)
    assert cash.min() >= -HALF_A_PENNY  # what is worth less is not drawn
    (vehicle,) = parties(seen.deal, "vehicle")
    net = seen.ledger.net.get(vehicle, np.zeros_like(cash))
    assert np.abs(so_far(net) - cash).max() <= seen.close


# --- loans ----------------------------------------------------------------------------------------------


@USUAL
@given(pool_files())
def test_every_loan_is_repaid_prepaid_in_default_or_outstanding(file: Json) -> None:
    """At every row, in loans and in pounds; a loan is outstanding for its term and no longer."""
    seen = watched(file)
    ended = seen.done("defaults") + seen.done("repaid_early")
    outstanding = np.stack([wide(one.loans) for one in seen.activity])
    repaid = so_far(seen.done("made") - ended) - outstanding
    assert np.diff(repaid, axis=0, prepend=0.0).min() >= 0.0
    youngest = [lately(seen.of(s, "made"), one.term) for s, one in enumerate(seen.book.segments.values())]
    assert np.all(outstanding <= sum(youngest))
    lent = so_far(seen.paid("vehicle", OUTSIDE, "drawdown"))
    back = so_far(seen.paid(OUTSIDE, "vehicle", "principal"))
    defaulted = so_far(seen.done("defaulted"))
    left = np.stack([wide(one.outstanding) for one in seen.activity])
    assert np.abs(lent - back - defaulted - left).max() <= seen.close
    by_size = [so_far(seen.of(s, "made")) * one.size for s, one in enumerate(seen.book.segments.values())]
    assert np.abs(lent - sum(by_size)).max() <= seen.close


def waiting(seen: Seen) -> Array:
    """By row: principal in default of which it is not known yet what comes back."""
    lags = [one.recovery_lag for one in seen.book.segments.values()]
    return np.sum([lately(seen.of(s, "defaulted"), lag) for s, lag in enumerate(lags)], axis=0)


@USUAL
@given(pool_files())
def test_what_defaults_is_recovered_or_lost_after_its_lag(file: Json) -> None:
    seen = watched(file)
    recovered = so_far(seen.paid(OUTSIDE, "vehicle", "recovery"))
    lost = so_far(seen.done("lost"))
    assert np.abs(so_far(seen.done("defaulted")) - recovered - lost - waiting(seen)).max() <= seen.close


# --- who bears the losses -------------------------------------------------------------------------------


@USUAL
@given(pool_files())
def test_covered_and_uncovered_are_the_loss_after_recoveries(file: Json) -> None:
    """Covered: calls, paid or on their way, less what guarantors had back. Uncovered: by the pool's cash."""
    seen = watched(file)
    end, layers = seen.outcome.state, seen.pool.layers
    figures = {one.measure: wide(one.read(end)) for one in seen.outcome.lowered.figures}
    covered = np.zeros(PATHS)
    for i, one in enumerate(layers):
        covered = covered + figures[f"borne: {i + 1} {one.guarantor}"]
    on_their_way = np.zeros(PATHS)
    for role in {one.guarantor for one in layers}:
        mine = [(i, one) for i, one in enumerate(layers) if one.guarantor == role]
        accepted = [
            np.diff(seen.after(lambda s, i=i: s.guarantees.called[i]), axis=0, prepend=0.0) for i, _ in mine
        ]
        late = sum(lately(x, one.claim_lag)[-1] for x, (_, one) in zip(accepted, mine, strict=True))
        calls = seen.paid(role, "vehicle", "guarantee call").sum(axis=0)
        back = seen.paid("vehicle", role, "recovery").sum(axis=0)
        borne = sum(figures[f"borne: {i + 1} {role}"] for i, _ in mine)
        assert np.abs(calls + late - back - borne).max() <= seen.close
        on_their_way += late
    lent = seen.paid("vehicle", OUTSIDE, "drawdown").sum(axis=0)
    from_borrowers = seen.paid(OUTSIDE, "vehicle", "principal") + seen.paid(OUTSIDE, "vehicle", "recovery")
    to_guarantors = seen.paid("vehicle", None, "recovery").sum(axis=0)
    from_guarantors = seen.paid(None, "vehicle", "guarantee call").sum(axis=0)
    not_yet = wide(seen.activity[-1].outstanding) + waiting(seen)[-1] + on_their_way
    uncovered = lent - from_borrowers.sum(axis=0) - from_guarantors + to_guarantors - not_yet
    assert np.abs(uncovered - figures["borne: pool"]).max() <= seen.close
    loss = seen.done("lost").sum(axis=0)
    assert np.abs(covered + uncovered - loss).max() <= seen.close
    assert np.all(uncovered + waiting(seen)[-1] >= -seen.close)


@USUAL
@given(pool_files())
def test_no_guarantor_pays_beyond_its_slice_its_caps_or_its_schedule(file: Json) -> None:
    seen = watched(file)
    for i, layer in enumerate(seen.pool.layers):
        accepted = seen.after(lambda s, i=i: s.guarantees.called[i])
        new = np.diff(accepted, axis=0, prepend=0.0)
        assert new.min() >= 0.0
        for row, state in enumerate(seen.states):
            most = most_accepted(layer, row, wide(state.lent), seen.fund, wide(state.guarantees.seen[i]))
            assert np.all((new[row] <= PENNY) | (accepted[row] <= most + PENNY))
        if layer.cap_a_year is not None:
            for first in range(1, len(new), 4):
                year = new[0 if first == 1 else first : first + 4].sum(axis=0)
                assert year.max() <= layer.cap_a_year + PENNY
    accepted_in_all = seen.after(lambda s: sum(s.guarantees.called))
    losses = seen.done("defaulted" if seen.pool.claims == "at default" else "lost")
    assert np.all(accepted_in_all <= so_far(losses) + seen.close)
    for role, most in seen.outcome.lowered.guaranteed.items():
        paid = seen.paid(role, "vehicle", "guarantee call").sum(axis=0)
        assert paid.max() <= most * (1.0 + 1e-9) + PENNY, role


# --- drawing and lending again ----------------------------------------------------------------------------


@USUAL
@given(pool_files())
def test_draws_are_within_the_commitment_and_grant_comes_with_them(file: Json) -> None:
    seen = watched(file)
    draws = seen.paid("investor", "vehicle", "drawdown")
    assert draws.sum(axis=0).max() <= seen.outcome.lowered.commitment * (1.0 + 1e-12) + PENNY
    assert not draws[seen.book.last_lending_quarter + 1 :].any()
    share = seen.pool.grant.share if seen.pool.grant else 0.0
    grant = seen.paid(None, "vehicle", "grant")
    assert np.abs(grant - draws * share / (1.0 - share)).max() <= seen.close
    stopped = seen.after(lambda s: s.stopped)[:-1]
    later = (draws + seen.paid("vehicle", OUTSIDE, "drawdown"))[1:]
    assert not np.any((stopped > 0.0) & (later > 0.0))


@USUAL
@given(pool_files())
def test_no_more_is_lent_again_than_came_in_while_it_may_be(file: Json) -> None:
    """Beyond what was paid in, receipts up to that row; after the last such row, loans are drawn for."""
    seen = watched(file)
    last = seen.pool.revolving_quarters
    lent = seen.paid("vehicle", OUTSIDE, "drawdown")
    put_in = seen.paid("investor", "vehicle", "drawdown") + seen.paid(None, "vehicle", "grant")
    came_in = seen.paid(None, "vehicle", "guarantee call")
    for reason in ("interest", "principal", "recovery"):
        came_in = came_in + seen.paid(OUTSIDE, "vehicle", reason)
    came_in[last + 1 :] = 0.0
    assert np.all(so_far(lent - put_in - came_in) <= seen.close)
    assert np.all((lent - put_in)[last + 1 :] <= seen.close)
    if last == 0:
        assert lent.sum(axis=0).max() <= seen.fund + seen.close
    if seen.pool.most_lent is not None:
        assert lent.sum(axis=0).max() <= seen.pool.most_lent + seen.close
    approved = np.stack([wide(one.approved) for one in seen.activity])
    assert np.all(lent[1:] <= approved[:-1] * seen.pool.most_lending + seen.close)


# --- the same pool on other terms -------------------------------------------------------------------------


@USUAL
@given(pool_files(), pounds(0, 20_000), pounds(0, 60_000), percents(30, 100))
def test_more_first_loss_cover_never_costs_the_investor(
    file: Json, less: float, more: float, cover: float
) -> None:
    """Paid at once, without a fee, where all that is approved is lent whatever is covered.

    Its worth to the investor is that of its flows at the rate of its terms (undiscounted, without a rate).
    """
    terms = file["deals"]["pool"]["instrument"]
    terms |= {"commitment": {"amount": 1e8}, "most_lending": 1.0}
    roles = file["deals"]["pool"]["parties"]
    for role in ("insurer", "council"):
        roles.pop(role, None)
    if "grant" not in terms and terms["surplus"]["to"] != "giver":
        roles.pop("giver", None)
    roles["scheme"] = "scheme ltd"
    found = []
    for detach in (less, less + more):
        first = {"guarantor": "scheme", "cover": cover, "detach": detach, "claim_lag": 0}
        terms["layers"] = [first]
        seen = watched(file)
        rate = seen.pool.rate.quarterly() if seen.pool.rate else 0.0
        found.append((seen.done("lent"), worth(lender(seen.ledger, seen.deal), rate), seen))
    (lent, before, _), (same, after, seen) = found
    assert np.array_equal(lent, same)
    assert np.all(after >= before - seen.close - HALF_A_PENNY * len(lent))


def twice(file: Json) -> Json:
    """A copy of a file with every amount in pounds doubled."""
    found = deepcopy(file)
    deal = found["deals"]["pool"]
    for segment in deal["programme"]["segments"].values():
        double(segment, "size")
    for line in deal["programme"]["costs"].values():
        double(line, "per_loan_made", "per_loan", "per_quarter", "one_off")
    terms = deal["instrument"]
    double(terms["commitment"], "amount")
    if terms["most_lent"] is not None:
        double(terms, "most_lent")
    for layer in terms["layers"]:
        edges = ("attach", "detach") if layer["unit"] == "pounds" else ()
        double(layer, *(name for name in (*edges, "cap", "cap_a_year") if layer[name] is not None))
        for step in layer.get("schedule", []):
            double(step, "amount")
    return found


@USUAL
@given(pool_files())
def test_twice_the_pounds_twice_every_flow(file: Json) -> None:
    once, larger = prepare(read(file)), prepare(read(twice(file)))
    one, two = priced(once, once.deals[0])[0], priced(larger, larger.deals[0])[0]
    assert set(one.by_row) == set(two.by_row)
    for leg, amounts in one.by_row.items():
        assert np.allclose(two.by_row[leg], 2.0 * amounts, rtol=0, atol=1e-9 * one.gross), leg


@USUAL
@given(pool_files(), st.integers(0, PATHS - 1))
def test_a_path_is_the_same_alone_and_in_a_block(file: Json, path: int) -> None:
    ready = prepare(read(file))
    together, alone = priced(ready, ready.deals[0])[0], priced(ready, ready.deals[0], (path,))[0]
    for leg, amounts in together.by_row.items():
        mine = alone.by_row.get(leg, np.zeros((alone.rows, 1)))
        assert np.array_equal(amounts[:, path], mine[:, 0]), leg
