"""The answer in three sentences and six figures: what a committee reads first."""

from __future__ import annotations

from typing import NamedTuple

from socialfinance.core.text import visible
from socialfinance.measures.statistics import Row
from socialfinance.pictures.investors import guarantors
from socialfinance.pictures.lookup import Known
from socialfinance.pictures.style import short
from socialfinance.reports.inputs import Sources
from socialfinance.reports.numbers import PEOPLE, PERCENT, TIE, Scale, with_error

NAMES = 60
"""Letters of a name in a sentence."""
HELD = {
    "pwlb, same costs": "Paid for itself at the PWLB's cost of money, at the same costs",
    "council builds, PWLB loans": "Building itself with PWLB loans",
}
"""What the dearest council's net cost is set against in the second sentence."""
MOST = 6


class Headline(NamedTuple):
    """One of the six figures."""

    says: str
    written: str
    value: float
    about: str
    note: str


class Investors(NamedTuple):
    """Whose return is the headline: scope, deal, party and role of its rows, and who they are in words."""

    scope: str
    deal: str
    party: str
    role: str
    says: str


def investors(known: Known) -> Investors | None:
    """Of a fund with notes its note holders, after costs; else investors in all deals; None without any."""
    rows = known.result.measures_rows
    for role, says in (("net", "Note holders"), ("investor", "Investors")):
        for row in rows:
            if (row.scope, row.role, row.measure) == ("fund", role, "drawn"):
                return Investors("fund", "", row.party, role, says)
    return None


def sentences(known: Known, counted: Sources) -> tuple[str, str, str]:
    """What investors can expect, what the dearest public body pays, and how far to trust it."""
    return _invested(known), _paid(known), _trust(counted)


def _invested(known: Known) -> str:
    who = investors(known)
    if who is None:
        return "Nobody invests in this: public bodies pay for it as they go."
    at = who[:4]
    drawn, gain, loss = (known.row(*at, measure) for measure in ("drawn", "gain", "loss"))
    rate, chance = known.row(*at, "irr", "of_mean_flows"), known.row(*at, "loss", "probability")
    given = known.row(*at, "loss", "given_loss")
    assert drawn is not None
    assert gain is not None
    assert loss is not None
    more = "more" if (gain.value or 0.0) >= 0.0 else "less"
    said = (
        f"{who.says} put in {_money(known, drawn)} on average and can expect "
        f"{known.money(abs(gain.value or 0.0), gain.standard_error)} {more} than that back"
    )
    if rate is not None and rate.value is not None:
        said += f", {_written(rate, PERCENT)} a year on the expected flows"
    if chance is None or not chance.value:
        return f"{said}; no future that was simulated has them lose money."
    said += f"; they lose money in {_written(chance, PERCENT)} of futures"
    if given is not None and given.value is not None:
        said += f", {_money(known, given)} on average when they do"
    return f"{said}."


def _paid(known: Known) -> str:
    bodies = known.councils() or known.public()
    if not bodies:
        return "No public body pays for anything."
    who, kind = bodies[0], known.kind(bodies[0])
    cost, high = (known.row("council", "", who, kind, "net_cost", at) for at in ("mean", "p95"))
    assert cost is not None
    assert high is not None
    said = (
        f"{_name(known, who)}, the {'council' if kind == 'council' else 'body'} that pays most, is expected "
        f"to bear {_money(known, cost)} net of its cashable savings, and more than "
        f"{known.money(high.value)} in one future in twenty"
    )
    for name, says in HELD.items():
        points = known.curve(("council", "", who, name, "net_cost"), "year")
        if points:
            total = sum(point.value or 0.0 for point in points)
            return f"{said}. {says}, it would expect to bear {known.money(total)}."
    return f"{said}."


def _trust(counted: Sources) -> str:
    said = (
        f"Of the {counted.total:,} numbers in the file {counted.sourced:,} have a source and "
        f"{counted.illustrative:,} are illustrative (invented)"
    )
    if counted.unverified:
        said += f", and {sum(count for _, count in counted.unverified):,} are [unverified]"
    return (
        f"{said}: the ± is the noise of simulating a limited number of futures, and says nothing of how well "
        "the inputs are known, which is the larger doubt."
    )


def headlines(known: Known) -> list[Headline]:
    """Up to six figures, each a row of the measures."""
    found: list[Headline] = []
    who = investors(known)
    if who is not None:
        at, whom = who[:4], who.says.lower()
        found += _one(known, f"Gain of {whom}, expected", known.row(*at, "gain"), None)
        found += _one(known, f"Return of {whom}", known.row(*at, "irr", "of_mean_flows"), PERCENT,
                      "a year, on the expected flows")  # fmt: skip
        found += _one(known, f"Chance that {whom} lose", known.row(*at, "loss", "probability"), PERCENT)
    bodies = known.councils() or known.public()
    if bodies:
        about = ("council", "", bodies[0], known.kind(bodies[0]))
        name = _name(known, bodies[0])
        found += _one(known, "Net cost, expected", known.row(*about, "net_cost"), None, name)
        found += _one(known, "Net cost, one future in twenty is dearer", known.row(*about, "net_cost", "p95"),
                      None, name)  # fmt: skip
    for guarantor in guarantors(known)[:1]:
        name = _name(known, guarantor[2])
        found += _one(known, "Chance that the guarantor is called",
                      known.row(*guarantor[:4], "called", "probability"), PERCENT, name)  # fmt: skip
    if bodies:
        more = known.row(*about, "never_pays_for_itself", "probability")
        name = _name(known, bodies[0])
        found += _one(known, "Chance it saves less than it pays", more, PERCENT, name)
        found += _one(known, "Cashable saving, expected", known.row(*about, "saving"), None, name)
        found += _one(known, "Paid, expected", known.row(*about, "paid"), None, name)
    if who is not None:
        found += _one(
            known, f"Gain of {whom}, one future in twenty is worse", known.row(*at, "gain", "p5"), None
        )
        found += _one(known, f"Paid in by {whom}, expected", known.row(*at, "drawn"), None)
    for deal in known.result.portfolio.deals:
        found += _one(known, "People who start, expected",
                      known.row("deal", deal, "", "programme", "people started"), PEOPLE, deal)  # fmt: skip
    return found[:MOST]


def _one(known: Known, says: str, row: Row | None, scale: Scale | None, note: str = "") -> list[Headline]:
    """A figure that exists."""
    if row is None or row.value is None:
        return []
    written = _money(known, row) if scale is None else _written(row, scale)
    return [Headline(says, written, row.value, "|".join(row[:7]), note)]


def _name(known: Known, party: str) -> str:
    return short(known.title(party), NAMES)


def _money(known: Known, row: Row) -> str:
    return known.money(row.value, row.standard_error)


def _written(row: Row, scale: Scale) -> str:
    return visible(with_error(row.value, row.standard_error, scale).replace(TIE, " "))
