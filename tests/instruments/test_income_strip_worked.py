"""The income strip of its page, and the council that builds for itself, row by row."""

from __future__ import annotations

from typing import Any

import pytest

from socialfinance.core.ledger import MEMO
from socialfinance.engine.deal import Outcome
from tests.developments import merged, one_development
from tests.worked import Table, tables, worked

Json = dict[str, Any]
Paid = dict[tuple[int, str, str, str], float]
DEVELOPMENT: Json = {"sales": {"flats": {"presold": 0.0, "per_quarter": 4.0}}, "last_quarter": 6}
STRIP: Json = {
    "kind": "income-strip",
    "capital_sum": 900_000.0,
    "paid": "as works proceed",
    "rent": 48_000.0,
    "starts": 2,
    "quarters": 4,
    "indexation": {"index": "prices", "every": 2, "rises": [0.0, 0.02]},
}
COUNCIL: Json = {
    "kind": "council-build", "funded_from": "pwlb loans", "method": "eip", "term_years": 2, "rate": 0.05,
}  # fmt: skip
SHARED = {
    "receipts": ("outside", "anytown", "sale receipt"),
    "rent": ("outside", "anytown", "rent"),
    "agents": ("anytown", "agents", "service payment"),
}
OF_STRIP = SHARED | {
    "capital sum": ("pension fund", "anytown", "drawdown"),
    "head rent": ("anytown", "pension fund", "head rent"),
    "option": ("anytown", "pension fund", "option price"),
    "property (memo)": ("pension fund", "anytown", "property in kind"),
}
OF_COUNCIL = SHARED | {
    "advance": ("pwlb", "anytown", "drawdown"),
    "principal": ("anytown", "pwlb", "principal"),
    "interest": ("anytown", "pwlb", "interest"),
}


def strip(indexation: Json | None = None, quarters: int = 6, **change: Any) -> Any:
    """The strip of the page, with changes; the development goes on to the end of the file."""
    terms = {**STRIP, "indexation": {**STRIP["indexation"], **(indexation or {})}, **change}
    index = {"indices": {"prices": {"annual": 0.0816}}} if terms["indexation"]["index"] else {}
    what = merged(DEVELOPMENT, {"last_quarter": quarters})
    return worked(one_development(what, terms, quarters=quarters, roles={"partner": None}, **index))


def council(**change: Any) -> Any:
    """The council's own scheme of the page."""
    roles = {"partner": None, "investor": None}
    return worked(one_development(DEVELOPMENT, COUNCIL | change, quarters=6, roles=roles))


def on_the_page(table: Table, paid: Paid, legs: dict[str, tuple[str, str, str]]) -> None:
    """Every payment is in the table, and nothing else was paid but what builder and agents spend."""
    left = dict(paid)
    for row in table:
        t = int(row["row"])
        builder = left.pop((t, "anytown", "builder", "service payment"), 0.0)
        assert builder == pytest.approx(row["works"] + row["management"]), t
        for heading, leg in legs.items():
            found = left.pop((t, *leg), 0.0)
            assert found == pytest.approx(row[heading], abs=0.0051), (t, heading)
    assert {leg[1] for leg, amount in left.items() if amount} <= {"builder", "agents"}


def net(outcome: Outcome, party: str) -> list[float]:
    """What a party has had by row, pounds."""
    return [float(x) for x in outcome.ledger.net[party][:, 0]]


def test_every_payment_of_the_income_strip_is_on_the_page() -> None:
    table = tables("income-strip")[0]
    outcome, paid = strip()
    on_the_page(table, paid, OF_STRIP)
    figures = {f.measure: float(f.read(outcome.state)) for f in outcome.lowered.figures}
    short = sum(max(0.0, row["head rent"] + row["management"] - row["rent"]) for row in table)
    assert figures["short_of_head_rent"] == pytest.approx(short, abs=0.02)
    assert figures["quarters_short_of_head_rent"] == 4.0
    assert figures["property_at_end"] == pytest.approx(400_000.0)
    assert figures["option_lapsed"] == 0.0


def test_the_most_the_council_owes_is_every_review_at_the_most_agreed() -> None:
    """The index rises faster than 2% a year, so the plan pays exactly the most that the terms allow."""
    outcome, paid = strip()
    owed = sum(amount for (*_, why), amount in paid.items() if why in ("head rent", "option price"))
    assert outcome.lowered.maximum["commissioner"] == pytest.approx(owed)


@pytest.mark.parametrize(
    ("change", "levels"),
    [
        ({"rises": [0.0, 0.02]}, (1.0, 1.02**0.5)),
        ({"rises": None}, (1.0, 1.0816**0.5)),
        ({"rises": None, "above": 0.0201}, (1.0, 1.0816**0.5 + 1.0201**0.5 - 1.0)),
        ({"rises": [0.1025, 0.21]}, (1.0, 1.05)),
        ({"rises": None, "index": None}, (1.0, 1.0)),
        ({"rises": [0.0, 0.02], "every": 1}, (1.0, 1.02**0.25, 1.02**0.5, 1.02**0.75)),
    ],
    ids=["held down", "no collar", "on top", "held up", "no index", "every quarter"],
)
def test_the_head_rent_follows_the_index_within_its_collar(change: Json, levels: tuple[float, ...]) -> None:
    _, paid = strip(change)
    rents = [amount for (*_, why), amount in sorted(paid.items()) if why == "head rent"]
    each = len(rents) // len(levels)
    assert rents == pytest.approx([12_000.0 * level for level in levels for _ in range(each)])


def test_head_rent_is_owed_on_what_has_been_paid_of_the_capital_sum() -> None:
    """A lease from close: half of 900,000 is there in quarter 1, all of it from quarter 2 on."""
    _, paid = strip({"rises": [0.0, 0.0]}, starts=0)
    rents = [amount for (*_, why), amount in sorted(paid.items()) if why == "head rent"]
    assert rents == pytest.approx([6_000.0, 12_000.0, 12_000.0, 12_000.0])


def test_a_lease_whose_option_is_dearer_than_the_property_ends_with_nothing() -> None:
    """The property is worth 400,000: for 400,000 the council takes it, for a penny more it does not."""
    for price, taken in ((400_000.0, True), (400_000.01, False)):
        outcome, paid = strip(quarters=9, option=price)
        assert ((6, "anytown", "pension fund", "option price") in paid) == taken
        assert ((6, "pension fund", "anytown", "property in kind") in paid) == taken
        assert (sum(net(outcome, "anytown")[7:]) > 0.0) == taken
        figures = {f.measure: float(f.read(outcome.state)) for f in outcome.lowered.figures}
        assert figures["option_lapsed"] == float(not taken)
        assert figures["property_at_end"] == (400_000.0 if taken else 0.0)


def test_the_report_says_what_a_head_lease_and_the_money_mean() -> None:
    said = " ".join(strip()[0].lowered.notes)
    assert "IFRS 16" in said
    assert "minimum revenue provision" in said
    assert "an annuity loan of the PWLB over 2 years costs" in said


def test_every_payment_of_the_council_that_builds_is_on_the_page() -> None:
    outcome, paid = council()
    on_the_page(tables("development")[1], paid, OF_COUNCIL)
    figures = {f.measure: float(f.read(outcome.state)) for f in outcome.lowered.figures}
    assert figures == pytest.approx({
        "loan_owed_at_end": 400_000.0, "property_at_end": 400_000.0, "council_property_at_end": 400_000.0,
    })  # fmt: skip


def test_from_reserves_the_same_without_a_lender() -> None:
    outcome, _ = council(funded_from="reserves")
    table = tables("development")[1]
    alone = [
        row["receipts"] + row["rent"] - row["works"] - row["management"] - row["agents"] for row in table
    ]
    assert net(outcome, "anytown") == pytest.approx(alone)
    assert "pwlb" not in outcome.ledger.net


def test_property_is_no_cash() -> None:
    assert "property in kind" in MEMO
    outcome, _ = strip()
    assert sum(sum(net(outcome, party)) for party in outcome.ledger.net) == pytest.approx(0.0, abs=1e-6)
