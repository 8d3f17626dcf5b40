"""Every payment of a council has a column, by a rule, and the columns are its net cash."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from socialfinance.core.errors import InputError
from socialfinance.core.ledger import MEMO, REASONS, Leg
from socialfinance.core.parties import OUTSIDE, Party
from socialfinance.council.treatment import (
    BY_DRAWDOWN,
    CAPITAL_PART,
    COLUMNS,
    RULES,
    SPLIT,
    by_column,
    capital_part,
    kind_of,
    treatment,
)
from socialfinance.instruments.base import flat
from tests.council.shipped import Played, councils, played

USUAL = settings(deadline=None)
KINDS = ("council", "lender", "investor", "intermediary", "provider", "nhs", "outside")
PARTIES = {
    "us": Party(kind="council"), "our reserve": Party(kind="council"),
    **{kind: Party(kind=kind) for kind in KINDS},
}  # fmt: skip


def part_of(one: Played) -> dict[Any, Any] | None:
    """What of its payments is capital, where the structure itself does not say."""
    kind = kind_of(one.terms)
    if kind not in CAPITAL_PART or kind in BY_DRAWDOWN:
        return None
    lines = one.terms.lines if one.terms.kind == "pwlb-loan" else None
    whole = {leg: 0.0 * amounts for leg, amounts in one.outcome.ledger.by_year.items() if leg[2] == SPLIT}
    return {**whole, **capital_part(one.deal, spent_on(one), lines)}


def spent_on(one: Played) -> dict[str, Any]:
    """By cost line that the structure bears, what was spent by year and path."""
    year_of_row, found = one.deal.calendar.year_of_row, {}
    for j, name in enumerate(one.deal.deal.programme.costs):
        if one.structure.lowered.uses[j]:
            total = np.zeros((max(year_of_row) + 1, one.outcome.ledger.paths))
            for row, done in enumerate(one.outcome.activity):
                total[year_of_row[row]] += done.costs[j]
            found[name] = total
    return found


def net_of(legs: dict[Any, Any], own: set[str]) -> Any:
    """Received less paid, without memo."""
    total: Any = 0.0
    for (payer, payee, why), amounts in legs.items():
        if why not in MEMO:
            total = total + (payee in own) * amounts - (payer in own) * amounts
    return total


# --- by hand ---------------------------------------------------------------------------------------------


def test_a_council_that_builds_for_itself_by_hand() -> None:
    """£1.0m is paid in year 1, of it £0.9m for works; £0.9m less £0.2m of grant is borrowed."""
    legs = {
        ("us", "provider", SPLIT): np.array([[1_000_000.0], [30_000.0]]),
        ("lender", "us", "drawdown"): np.array([[700_000.0], [0.0]]),
        ("us", "lender", "principal"): np.array([[0.0], [35_000.0]]),
        ("us", "lender", "interest"): np.array([[0.0], [40_000.0]]),
        ("outside", "us", "rent"): np.array([[0.0], [80_000.0]]),
        ("outside", "us", "sale receipt"): np.array([[0.0], [250_000.0]]),
        ("nhs", "us", "grant"): np.array([[200_000.0], [0.0]]),
        ("us", "nhs", "property in kind"): np.array([[5.0], [5.0]]),
        ("nhs", "lender", "interest"): np.array([[7.0], [7.0]]),
    }
    works = {("us", "provider", SPLIT): np.array([[900_000.0], [0.0]])}
    found = by_column("council-build", legs, "us", PARTIES, works)
    shown = {key: amounts[:, 0].tolist() for key, amounts in found.items()}
    assert shown == {
        ("capital", "works and other capital cost"): [-900_000.0, 0.0],
        ("revenue", "cost of the service"): [-100_000.0, -30_000.0],
        ("balance sheet", "loans drawn"): [700_000.0, 0.0],
        ("balance sheet", "loans repaid"): [0.0, -35_000.0],
        ("revenue", "interest"): [0.0, -40_000.0],
        ("revenue", "rent"): [0.0, 80_000.0],
        ("capital receipt", "sales of land and buildings"): [0.0, 250_000.0],
        ("capital", "capital grant received"): [200_000.0, 0.0],
    }


def test_flexible_receipts_by_hand() -> None:
    """Of £100,000 of service £60,000 is met by receipts: £60,000 is capital, financed by receipts."""
    legs = {
        ("us", "provider", SPLIT): np.array([75_000.0]),
        ("us", "intermediary", SPLIT): np.array([25_000.0]),
        ("our reserve", "us", "drawdown"): np.array([60_000.0]),
    }
    found = by_column("fee-for-service: flexible capital receipts", legs, ("us", "our reserve"), PARTIES)
    shown = {key: float(amounts[0]) for key, amounts in found.items()}
    assert shown == pytest.approx(
        {
            ("capital", "spending under the flexible receipts direction"): -60_000.0,
            ("capital", "financed by capital receipts"): 60_000.0,
            ("capital receipt", "capital receipts used"): -60_000.0,
            ("revenue", "cost of the service"): -40_000.0,
        }
    )


def test_principal_never_reaches_revenue_and_a_call_does() -> None:
    assert treatment("council-build", "principal", True, "lender").column == "balance sheet"
    assert treatment("guaranteed-debt", "guarantee call", True, "investor").column == "revenue"
    assert treatment("guaranteed-debt", "principal", True, "investor").column == "revenue"
    assert treatment("asset-backed", "land payment", False, "intermediary").column == "capital receipt"
    assert treatment("income-strip", "head rent", True, "investor").column == "revenue"


# --- whatever the numbers --------------------------------------------------------------------------------


@st.composite
def cases(draw: Any) -> tuple[str, dict[Any, Any], dict[Any, Any] | None]:
    """A structure, and legs that it has rules for, in whole pounds so that sums are exact."""
    kind = draw(st.sampled_from(sorted(RULES)))
    amounts = st.lists(st.integers(0, 10**6), min_size=6, max_size=6)
    legs: dict[Any, Any] = {}
    ways = draw(st.lists(st.sampled_from(sorted(RULES[kind])), min_size=1, max_size=8, unique=True))
    for why, pays in ways:
        other = draw(st.sampled_from(sorted(PARTIES)))
        leg = ("us", other, why) if pays else (other, "us", why)
        both_ways = {(why, True), (why, False)} <= set(RULES[kind])
        if other == "us" or (other == "our reserve" and not both_ways):
            continue
        legs[leg] = np.array(draw(amounts), dtype=float).reshape(2, 3)
    legs["outside", "us", "non-cashable saving"] = np.ones((2, 3))
    part = {leg: np.floor(amounts / 2) for leg, amounts in legs.items() if leg[2] == SPLIT}
    return kind, legs, part


@USUAL
@given(cases())
def test_columns_are_the_net_to_the_pound(case: tuple[str, dict[Any, Any], dict[Any, Any] | None]) -> None:
    kind, legs, part = case
    for own in ({"us"}, {"us", "our reserve"}):
        found = by_column(kind, legs, own, PARTIES, part)
        total = sum(found.values()) if found else 0.0
        assert np.array_equal(np.broadcast_to(total, (2, 3)), np.broadcast_to(net_of(legs, own), (2, 3)))
        assert {column for column, _ in found} <= set(COLUMNS)


# --- what is shipped -------------------------------------------------------------------------------------


def test_columns_of_every_shipped_deal_are_the_net_of_its_council() -> None:
    """Own structure, with variation, and all that it is held against."""
    seen = set()
    for one in played():
        ledger, kind = one.outcome.ledger, kind_of(one.terms)
        mine = councils(one.ready, one.deal)
        for own in [{name} for name in mine] + ([set(mine)] if mine else []):
            found = by_column(kind, {**ledger.by_year, **ledger.memo_by_year}, own, one.ready.parties,
                              part_of(one))  # fmt: skip
            cash = sum(float(ledger.net[party].sum()) for party in own if party in ledger.net)
            assert sum(float(amounts.sum()) for amounts in found.values()) == pytest.approx(cash, abs=1e-2)
            assert np.allclose(sum(found.values(), 0.0), net_of(ledger.by_year, own), atol=1e-4)
            seen |= {(kind, column) for column, _ in found}
    # nothing shipped has a council pay or be paid under these
    unseen = {"grant", "loan-pool", "do-nothing", "pwlb-loan: capital"}
    assert {kind for kind, _ in seen} == set(RULES) - unseen
    assert {column for _, column in seen} == set(COLUMNS)


def test_every_leg_that_a_council_could_stand_on_has_a_rule() -> None:
    """Whichever role it fills, if it is not the model's own: beside what happened on a few paths."""
    apart = {
        "vehicle",
        OUTSIDE,
        "pwlb",
        "hmrc",
    }  # a leg from a role to itself stands for one that is not there
    checked = 0
    for one in played():
        kind = kind_of(one.terms)
        for leg in flat(one.structure.lowered.legs):
            for role, other, pays in ((leg.payer, leg.payee, True), (leg.payee, leg.payer, False)):
                if role in apart or leg.reason in MEMO or not _is_there(kind, leg):
                    continue
                side = {"vehicle": "intermediary", OUTSIDE: "outside", "pwlb": "lender"}.get(other, "nhs")
                assert treatment(kind, leg.reason, pays, side, capital=True).rule
                checked += 1
    assert checked > 1000


def _is_there(kind: str, leg: Leg) -> bool:
    """In house, legs of a loan or a reserve that there is not stand in their place: nothing moves on them."""
    borrows = not kind.startswith("fee-for-service") or kind.endswith("direction")
    given_back = "capital receipts" in leg[:2] and leg.reason != "drawdown"
    return leg.payer != leg.payee and (borrows or "pwlb" not in leg[:2]) and not given_back


def test_rules_name_reasons_that_there_are_and_say_where_they_come_from() -> None:
    for kind, rules in RULES.items():
        for (reason, pays), rule in rules.items():
            assert reason in REASONS - MEMO, (kind, reason)
            assert rule.column in COLUMNS
            assert rule.source
            again = treatment(kind, reason, pays, "investor", capital=False)
            assert again == rule


# --- what is refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: treatment("new bond", "interest", True, "lender"), "kind"),
        (lambda: treatment("fee-for-service", "interest", True, "lender"), "kind"),
        (lambda: treatment("grant", "head rent", True, "investor"), "reason"),
        (lambda: treatment("social-impact-bond", "outcome payment", False, "provider"), "reason"),
        (lambda: treatment("council-build", "non-cashable saving", False, "outside"), "reason"),
        (lambda: treatment("council-build", "interest", True, "bank"), "other"),
        (lambda: treatment("council-build", SPLIT, True, "provider"), "capital"),
        (lambda: by_column("council-build", {("us", "provider", SPLIT): np.ones(1)}, "us", PARTIES),
         "capital"),
        (lambda: by_column("council-build", {("us", "provider", SPLIT): np.ones(1)}, "us", PARTIES,
                           {("us", "provider", SPLIT): np.full(1, 2.0)}), "capital"),
        (lambda: by_column("council-build", {("us", "provider", SPLIT): np.ones(1)}, "us", PARTIES,
                           {("us", "provider", SPLIT): np.full(1, -1.0)}), "capital"),
        (lambda: by_column("council-build", {("us", "nobody", "interest"): np.ones(1)}, "us", PARTIES),
         "parties"),
        (lambda: by_column("fee-for-service: capitalisation direction",
                           {("lender", "us", "drawdown"): np.ones(1)}, "us", PARTIES), "drawdown"),
    ],
)  # fmt: skip
def test_what_has_no_rule_is_refused(call: Any, field: str) -> None:
    with pytest.raises(InputError) as caught:
        call()
    assert caught.value.field == field
