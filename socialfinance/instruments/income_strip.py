"""Income strip: an institution pays a capital sum, the council an indexed head rent for decades."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import Field

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.core.errors import InputError
from socialfinance.core.ledger import Leg
from socialfinance.core.terms import Pounds, Quarters, Sourced
from socialfinance.instruments.base import INFINITE, Brief, Figure, Lowered, Now
from socialfinance.instruments.in_house import no_wish
from socialfinance.instruments.property import DEVELOPMENT, LONGEST, RECIPIENTS, Indexation, of_purpose
from socialfinance.kernels.elementwise import both, most, part, put, where
from socialfinance.kernels.reviews import rise
from socialfinance.markets import pwlb
from socialfinance.programmes.base import Orders
from socialfinance.programmes.development import Development

Tuple = tuple[Any, ...]
HEAD_LEASE = (
    "the council owes the head rent whatever its tenants pay: a lease liability on its balance sheet and in "
    "its capital financing requirement, inside its borrowing limits, measured anew at each review; minimum "
    "revenue provision is what the liability is written down by (IFRS 16, for councils from 1 April 2024, "
    "[unverified])"
)


class IncomeStrip(Sourced):
    """Terms of an income strip: the council builds with the institution's money, and lets to tenants."""

    finances: ClassVar[frozenset[str]] = DEVELOPMENT
    kind: Literal["income-strip"]
    capital_sum: Annotated[float, Field(gt=0, le=1e12)]
    """pounds that the institution pays"""
    paid: Literal["at close", "as works proceed"] = "at close"
    """as works proceed: in proportion to what is done"""
    rent: Pounds
    """head rent a year from the start of the lease, paid quarterly in arrears, in proportion to the capital
    sum that has been paid"""
    starts: Quarters = 0
    """quarter at whose end the lease begins; the first rent is paid a quarter later"""
    quarters: Annotated[int, Field(ge=1, le=400)]
    """quarters of the lease"""
    indexation: Indexation
    """of the head rent, reviewed every so many quarters from the start of the lease"""
    option: Pounds = 1.0
    """price at which the council may take the property in the last quarter of the lease; it does where the
    property is worth as much"""

    def lower(self, brief: Brief) -> Lowered:
        """The strip as floats and pure functions for this deal."""
        if self.starts + self.quarters > brief.rows - 1:
            raise InputError(
                "goes on after the last quarter of the file", field="instrument.quarters",
                given=self.quarters, allowed=f"at most {brief.rows - 1 - self.starts}",
            )  # fmt: skip
        return _lower(self, brief)


class Terms(NamedTuple):
    """Lowered terms: floats only."""

    recipient: Tuple
    """by cost line"""
    used: Tuple
    running: Tuple
    """by cost line: 1 where it is a running cost"""
    capital_sum: float
    at_close: float
    """1 where it is paid at close, 0 where it follows the works"""
    rent: float
    """a quarter"""
    above: float
    smallest: float
    largest: float
    option: float
    no_recipients: Tuple


class State(NamedTuple):
    """Carried from row to row; pounds unless said."""

    drawn: Any
    progress: Any
    """share of the works done"""
    rent_level: Any
    index_then: Any
    """index at the last review"""
    rent_paid: Any
    quarters_short: Any
    """quarters in which rent less running cost was below the head rent"""
    short: Any
    """by how much, in all"""
    net: Any
    """the council's cash from the scheme so far"""
    worst: Any
    """the most it was out of pocket"""
    value: Any
    """of what the council holds"""
    kept: Any
    """1, or 0 once the option has lapsed"""


class Row(NamedTuple):
    """What the schedule says about this row."""

    close: float
    starts: float
    runs: float
    """1 where a head rent is paid"""
    review: float
    option: float
    """1 in the last row of the lease"""
    owned: float
    """1 from then on"""


class Payments(NamedTuple):
    """One amount for each leg."""

    capital: Any
    sales: Any
    rents: Any
    grant: Any
    service: Tuple
    head_rent: Any
    option: Any
    property_passed: Any


def step(terms: Terms, state: State, now: Now) -> tuple[State, Payments, Orders, Tuple]:
    """One row: the capital sum, receipts, cost, head rent, option.

    head rent = rent x level x capital paid so far / capital sum; level' = level x rise at a review, paid from
    the row after. An option on what is worth less lapses: the council has nothing of it from the row after.
    """
    row, done = now.plan, now.activity
    worked = most(0.0, done.progress - state.progress)
    follows = part(terms.capital_sum, 1.0 - terms.at_close)
    drawn = worked * follows + row.close * (terms.capital_sum * terms.at_close)
    paid_in = state.drawn + drawn

    sales = done.receipts[0]
    for k in range(1, len(done.receipts)):
        sales = sales + done.receipts[k]
    rents = done.rents[0]
    for k in range(1, len(done.rents)):
        rents = rents + done.rents[k]
    service = terms.no_recipients
    running = sales * 0.0
    cost = sales * 0.0
    for j in range(len(terms.used)):
        one = part(done.costs[j], terms.used[j])
        to = int(terms.recipient[j])
        service = put(service, to, service[to] + one)
        cost = cost + one
        running = running + part(one, terms.running[j])
    head_rent = state.rent_level * (paid_in / terms.capital_sum) * (terms.rent * row.runs)
    short = most(0.0, head_rent - (rents - running))
    rent_level = state.rent_level
    index_then = state.index_then
    if row.starts > 0.0:
        index_then = now.level
    if row.review > 0.0:
        rent_level = rent_level * rise(now.level, index_then, terms.above, terms.smallest, terms.largest)
        index_then = now.level
    takes = where(done.value >= terms.option, row.option, 0.0)
    kept = where(both(row.option > 0.0, takes <= 0.0), 0.0, state.kept)
    option = part(takes, terms.option)
    net = state.net + drawn + sales + rents + done.grant - cost - head_rent - option
    after = State(
        drawn=paid_in,
        progress=done.progress,
        rent_level=rent_level,
        index_then=index_then,
        rent_paid=state.rent_paid + head_rent,
        quarters_short=state.quarters_short + where(short > HALF_A_PENNY, 1.0, 0.0),
        short=state.short + short,
        net=net,
        worst=most(state.worst, -net),
        value=done.value * kept * row.owned,
        kept=kept,
    )
    payments = Payments(
        capital=drawn,
        sales=sales,
        rents=rents,
        grant=done.grant,
        service=service,
        head_rent=head_rent,
        option=option,
        property_passed=done.value * takes,
    )
    return after, payments, Orders(kept, kept, kept), ()


# --- lowering ------------------------------------------------------------------------------------------


def _lower(strip: IncomeStrip, brief: Brief) -> Lowered:
    development: Development = brief.programme
    lines = tuple(brief.costs.values())
    above, smallest, largest = strip.indexation.limits()
    return Lowered(
        terms=Terms(
            recipient=tuple(float(RECIPIENTS.index(line.paid_to)) for line in lines),
            used=tuple(float(line.basis != "in house") for line in lines),
            running=tuple(float(line.running) for line in lines),
            capital_sum=strip.capital_sum,
            at_close=float(strip.paid == "at close"),
            rent=strip.rent / 4.0,
            above=above,
            smallest=smallest,
            largest=largest,
            option=strip.option,
            no_recipients=tuple(0.0 for _ in RECIPIENTS),
        ),
        opening=State(0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0),
        lags=(),
        legs=_legs(development),
        schedule=_rows(strip, brief.rows),
        ask=no_wish,
        step=step,
        figures=FIGURES,
        contract_value={},
        maximum={"commissioner": _most_rent(strip)},
        uses=tuple(line.basis != "in house" for line in lines),
        commitment=strip.capital_sum,
        notes=(*of_purpose(development), HEAD_LEASE, _cost_of_money(strip)),
    )


def _cost_of_money(strip: IncomeStrip) -> str:
    """What a PWLB loan as long as the lease costs: what the investors' return is to be held against."""
    years = min(max(round(strip.quarters / 4), pwlb.SHORTEST["annuity"]), LONGEST)
    cost = pwlb.effective_rate(pwlb.rate(years, "annuity"))
    published = pwlb.table().published
    return (
        "the investors' return is what the money costs the council: an annuity loan of the PWLB over "
        f"{years} years costs {cost:.2%} a year, annual effective (certainty rate, {published.day} "
        f"{published:%B %Y})"
    )


def _rows(strip: IncomeStrip, rows: int) -> tuple[Row, ...]:
    ends = strip.starts + strip.quarters
    return tuple(
        Row(
            close=float(row == 0),
            starts=float(row == strip.starts),
            runs=float(strip.starts < row <= ends),
            review=float(strip.starts < row < ends and (row - strip.starts) % strip.indexation.every == 0),
            option=float(row == ends),
            owned=float(row >= ends),
        )
        for row in range(rows)
    )


def _most_rent(strip: IncomeStrip) -> float:
    """All head rent if it always rises by the most agreed, and the option; infinite without a collar."""
    if strip.indexation.rises is None:
        return INFINITE
    _, _, largest = strip.indexation.limits()
    every, level, paid = strip.indexation.every, 1.0, 0.0
    for quarter in range(1, strip.quarters + 1):
        paid += strip.rent / 4.0 * level
        level *= largest if quarter % every == 0 else 1.0
    return paid + strip.option


def _legs(development: Development) -> Payments:
    grant_by = development.grant.by if development.grant else "outside"
    return Payments(
        capital=Leg("investor", "commissioner", "drawdown"),
        sales=Leg("outside", "commissioner", "sale receipt"),
        rents=Leg("outside", "commissioner", "rent"),
        grant=Leg(grant_by, "commissioner", "grant"),
        service=tuple(Leg("commissioner", role, "service payment") for role in RECIPIENTS),
        head_rent=Leg("commissioner", "investor", "head rent"),
        option=Leg("commissioner", "investor", "option price"),
        property_passed=Leg("investor", "commissioner", "property in kind"),
    )


FIGURES = (
    Figure("head_rent", "pounds", lambda s: s.rent_paid),
    Figure("quarters_short_of_head_rent", "quarters", lambda s: s.quarters_short),
    Figure("short_of_head_rent", "pounds", lambda s: s.short),
    Figure("option_lapsed", "share of paths", lambda s: 1.0 - s.kept),
    Figure("worst_out_of_pocket", "pounds", lambda s: s.worst),
    Figure("property_at_end", "pounds", lambda s: s.value),
    Figure("council_property_at_end", "pounds", lambda s: s.value),
)
