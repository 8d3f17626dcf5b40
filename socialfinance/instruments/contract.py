"""What contracts of every structure agree: a commitment, who has a surplus, early ends, and reviews."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.core.terms import Pounds, Quarters, Share, Sourced
from socialfinance.core.terms import Terms as Model
from socialfinance.instruments.base import Draw
from socialfinance.kernels.elementwise import both, either, least, most, ratio, where
from socialfinance.programmes.base import Orders
from socialfinance.programmes.delivery import Activity


class Exits(NamedTuple):
    """Uniform draws for the ways a contract can end early, ``(path,)``; 1 never ends it."""

    voluntary: Any
    policy: Any
    insolvency: Any


EXITS = Exits(*(Draw(f"exits.{by}", chance=attrgetter(f"vehicle.exits.{by}")) for by in Exits._fields))
CAUSES = ("performance", "voluntary", "policy", "insolvency")
"""Why a contract ended early, numbered from 1; the later in the list wins where two come together."""
WITHDRAWN = 5.0
"""The number of the end by a fund's payment-for-success policy, which no contract brings about by itself."""


class Commitment(Sourced):
    """How much investors undertake to put in: pounds, or a multiple of the plan case's peak need."""

    amount: Pounds | None = None
    peak_need: Annotated[float, Field(gt=0, le=10)] | None = None
    """1.2 is the plan case's largest cumulative deficit plus a contingency of 20%"""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.amount is None) == (self.peak_need is None):
            raise ValueError("give either amount or peak_need")
        return self


class AboveCap(Model):
    """Who gets what is left above the cap. Shares sum to one."""

    payers: Share = 1.0
    provider: Share = 0.0
    investor: Share = 0.0
    """a share here turns the cap into a hurdle"""

    @model_validator(mode="after")
    def _sum(self) -> Self:
        if abs(self.payers + self.provider + self.investor - 1.0) > 1e-9:
            raise ValueError("shares must sum to 1")
        return self


def ended_by(number: int) -> Callable[[Any], Any]:
    """Reads from a structure's last state whether its contract ended early by this cause."""

    def read(state: Any) -> Any:
        return where(state.vehicle.exits.cause == number, 1.0, 0.0)

    return read


class PerformanceTest(Sourced):
    """Claims of the last quarters against plan; the payer may end the contract when they fall short."""

    first_quarter: Annotated[int, Field(ge=1)]
    every: Annotated[int, Field(ge=1)] = 2
    """quarters between tests"""
    window: Annotated[int, Field(ge=1)] = 4
    """quarters of claims looked at"""
    below: Share
    """share of plan under which the test is failed"""
    strikes: Annotated[int, Field(ge=1)] = 2
    """tests in a row that must fail"""
    basis: Literal["re-based", "plan"] = "re-based"
    """re-based: the plan is scaled by people who really started, so a slow start alone does not trip it"""


class Hazard(Sourced):
    """A chance a year that the contract is ended, while anything is planned to be delivered or claimed."""

    annual_probability: Share = 0.0
    from_quarter: Annotated[int, Field(ge=1)] = 1


class PolicyHazard(Hazard):
    """Ended because policy changes."""

    at_quarter: Annotated[int, Field(ge=1)] | None = None
    """ended for certain at this quarter (a replay, a stress)"""


class Insolvency(Hazard):
    """Provider or vehicle fails."""

    arrears_quarters: Annotated[int, Field(ge=1)] = 3
    """quarters in a row with unpaid cost after which delivery stops"""


class Compensation(Sourced):
    """What payers owe investors after an early end: share of capital outstanding at settlement, by cause."""

    performance: Share = 0.0
    voluntary: Share = 1.0
    policy: Share = 1.0
    insolvency: Share = 0.0


class ExitTerms(Sourced):
    """Early ends, compensation and wind-down."""

    performance_test: PerformanceTest | None = None
    voluntary: Hazard = Field(default_factory=Hazard)
    policy: PolicyHazard = Field(default_factory=PolicyHazard)
    insolvency: Insolvency = Field(default_factory=Insolvency)
    compensation: Compensation = Field(default_factory=Compensation)
    wind_down_quarters: Quarters = 1
    """quarters for which fixed delivery cost goes on"""


class ReviewTerms(Sourced):
    """What is changed at a review when claims are short of plan. Reported as 'with variation'."""

    quarters: tuple[Annotated[int, Field(ge=1)], ...]
    """review dates"""
    below: Share
    """claims so far over plan so far under which terms are changed"""
    pause_quarters: Quarters = 0
    """new starts pause for this long"""
    pause_cost: Share = 0.5
    """share of fixed cost that goes on in a pause"""
    price: Annotated[float, Field(ge=0.5, le=2)] = 1.0
    """re-based prices over the old"""
    performance: Annotated[float, Field(ge=0.5, le=3)] = 1.0
    """outcome probabilities after a change of provider over those before"""
    times: Annotated[int, Field(ge=1)] = 1
    """most changes over the contract"""


class ExitNumbers(NamedTuple):
    """Lowered exit terms."""

    below: float
    strikes: float
    rebased: float
    arrears_quarters: float
    performance: float
    voluntary: float
    policy: float
    insolvency: float


class ExitRow(NamedTuple):
    """Exit schedule of one row: a test or not, the plan it is held against, hazards a quarter."""

    test: float
    planned_window: float
    planned_starts: float
    voluntary: float
    policy: float
    policy_now: float
    insolvency: float
    can_fail: float
    """1 while anything is planned: only then do arrears end the contract"""


class ExitState(NamedTuple):
    """``since``: quarters since the early end, -1 while running; ``cause``: 0, or its number."""

    since: Any
    cause: Any
    window: Any
    strikes: Any
    starts: Any
    arrears_for: Any


def exits(
    terms: ExitNumbers,
    state: ExitState,
    row: ExitRow,
    draws: Any,
    activity: Activity,
    claimed: Any,
    leaving: Any,
    unpaid: Any,
    room: Any,
    withdrawn: Any = 0.0,
) -> tuple[ExitState, Any, Any]:
    """Whether the contract ends in this row: ``(state, ended now, share of capital compensated)``.

    Failed = claims of the window are more than half a penny short of below x expected, where expected = plan
    of the window (x starts / planned starts if re-based), at most claims of the window + room under the caps.
    Where the fund withdraws it ends whatever else happens, and nothing is compensated.
    """
    running = state.since < 0.0
    starts = state.starts + activity.starts
    window = state.window + claimed - leaving
    strikes = state.strikes
    if row.test > 0.0:
        scaled = where(terms.rebased > 0.0, ratio(starts, row.planned_starts, 1.0), 1.0 + starts * 0.0)
        expected = least(row.planned_window * scaled, window + room)
        failed = window + HALF_A_PENNY < terms.below * expected
        strikes = where(failed, state.strikes + 1.0, 0.0)
    arrears_for = where(unpaid > HALF_A_PENNY, state.arrears_for + 1.0, unpaid * 0.0)
    cause = where(strikes >= terms.strikes, 1.0, 0.0)
    cause = where(draws.voluntary < row.voluntary, 2.0, cause)
    cause = where(either(draws.policy < row.policy, row.policy_now > 0.0), 3.0, cause)
    in_arrears = both(arrears_for >= terms.arrears_quarters, row.can_fail > 0.0)
    insolvent = either(draws.insolvency < row.insolvency, in_arrears)
    cause = where(withdrawn > 0.0, WITHDRAWN, where(insolvent, 4.0, cause))
    ended = both(running, cause > 0.0)
    share = where(cause > 3.5, terms.insolvency, where(cause > 2.5, terms.policy, terms.voluntary))
    share = where(cause < 1.5, terms.performance, share)
    share = where(withdrawn > 0.0, 0.0, share)
    since = where(running, where(ended, 0.0, -1.0), state.since + 1.0)
    after = ExitState(since, where(ended, cause, state.cause), window, strikes, starts, arrears_for)
    return after, ended, where(ended, share, 0.0)


class ReviewNumbers(NamedTuple):
    """Lowered review terms; ``wind_down`` belongs to the exit terms but shapes the same orders."""

    below: float
    pause: float
    pause_cost: float
    price: float
    performance: float
    support: float
    wind_down: float
    watched: float
    """share of plan under which a review would change terms, whether or not it may; -1: no review"""
    supported: float
    """1 where support would be paid in a common shock, whether or not it is"""


class ReviewState(NamedTuple):
    """``pause``: quarters of pause left; ``price``, ``performance``: multipliers; ``left``: changes left."""

    pause: Any
    price: Any
    performance: Any
    left: Any


def review(
    terms: ReviewNumbers, state: ReviewState, reviewed: Any, since: Any, progress: Any
) -> tuple[ReviewState, Orders]:
    """Change terms where a review finds claims short of plan, and order next quarter's delivery."""
    running = since < 0.0
    winding_down = where(since < terms.wind_down, 1.0, 0.0)
    if terms.below < 0.0:
        delivery = where(running, 1.0, winding_down)
        return state, Orders(where(running, 1.0, 0.0), delivery, state.performance, 1.0)
    short = both(progress < terms.below, state.left > 0.0)
    changed = both(both(reviewed > 0.0, short), running)
    pause = where(changed, terms.pause, most(0.0, state.pause - 1.0))
    after = ReviewState(
        pause,
        where(changed, state.price * terms.price, state.price),
        where(changed, state.performance * terms.performance, state.performance),
        where(changed, state.left - 1.0, state.left),
    )
    paused = pause > 0.0
    scale = where(running, where(paused, 0.0, 1.0), 0.0)
    delivery = where(running, where(paused, terms.pause_cost, 1.0), winding_down)
    return after, Orders(scale, delivery, after.performance, 1.0)


def lower_exits(terms: ExitTerms) -> ExitNumbers:
    """Exit terms as floats."""
    test, owed = terms.performance_test, terms.compensation
    return ExitNumbers(
        below=test.below if test else -1.0,
        strikes=float(test.strikes) if test else float("inf"),
        rebased=float(test is not None and test.basis == "re-based"),
        arrears_quarters=float(terms.insolvency.arrears_quarters),
        performance=owed.performance,
        voluntary=owed.voluntary,
        policy=owed.policy,
        insolvency=owed.insolvency,
    )


def exit_row(
    terms: ExitTerms, row: int, planned: tuple[float, ...], starts: tuple[float, ...], last: int
) -> ExitRow:
    """Exit schedule of a row, from planned claims and planned starts by row (cumulative).

    After ``last``, the last row with anything planned, nothing ends it: there is no contract to end.
    """
    test = terms.performance_test
    tested, window = 0.0, 0.0
    if test is not None and row >= test.first_quarter and (row - test.first_quarter) % test.every == 0:
        tested = 1.0
        window = planned[row] - (planned[row - test.window] if row >= test.window else 0.0)
    return ExitRow(
        tested,
        window,
        starts[row],
        _hazard(terms.voluntary, row, last),
        _hazard(terms.policy, row, last),
        float(terms.policy.at_quarter == row),
        _hazard(terms.insolvency, row, last),
        float(row <= last),
    )


def _hazard(terms: Hazard, row: int, last: int) -> float:
    """A chance a quarter: 1 - (1 - p)^(1/4)."""
    if not terms.from_quarter <= row <= last:
        return 0.0
    return float(1.0 - (1.0 - terms.annual_probability) ** 0.25)


def lower_review(
    terms: ReviewTerms | None, with_variation: bool, support: float, wind_down: int
) -> tuple[ReviewNumbers, ReviewState]:
    """Review terms as floats; without variation nothing is ever changed and no support is paid."""
    active = terms is not None and with_variation
    return (
        ReviewNumbers(
            below=terms.below if terms and active else -1.0,
            pause=float(terms.pause_quarters) if terms and active else 0.0,
            pause_cost=terms.pause_cost if terms and active else 1.0,
            price=terms.price if terms and active else 1.0,
            performance=terms.performance if terms and active else 1.0,
            support=support if with_variation else 0.0,
            wind_down=float(wind_down),
            watched=terms.below if terms else -1.0,
            supported=float(support > 0.0),
        ),
        ReviewState(0.0, 1.0, 1.0, float(terms.times) if terms and active else 0.0),
    )
