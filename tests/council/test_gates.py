"""Every structure answers at every gate, by its kind and terms; the page's table is what the code says."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pytest

from socialfinance.core.errors import InputError
from socialfinance.council.gates import CITED, GATES, KNOWN, UNSEEN, Gate, all_gates, gates
from socialfinance.engine.ready import ReadyDeal, ReadyPortfolio, prepare
from socialfinance.instruments.asset_backed import LandPayment
from socialfinance.instruments.catalogue import Instrument
from socialfinance.instruments.comparators import Comparison, against
from socialfinance.instruments.in_house import PwlbLoan
from socialfinance.programmes.catalogue import KINDS
from tests.council.shipped import councils, deals, portfolios
from tests.pools import one_pool

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "council" / "gates.md"
MARKS = {"✓": "pass", "✗": "fail", "?": "query"}
SHORT = {
    "power": "power", "funding": "funding source", "revenue/capital": "revenue or capital",
    "credit": "credit arrangement", "subsidy": "subsidy control", "procurement": "procurement",
    "land": "best consideration", "yield": "yield assets", "IFRS 10": "consolidation",
    "conflict": "conflict of interest",
}  # fmt: skip
FILES = {"social-impact-bond": "edge-of-care", "reserve": "demo-reserve-funded"}
"""Portfolio of a kind, where it is not demo-KIND."""


def shipped(name: str) -> tuple[ReadyDeal, ReadyPortfolio, str]:
    """The one deal of a shipped portfolio, and its council."""
    ready = next(one for one in portfolios() if one.portfolio.name == name)
    (deal,) = ready.deals
    return deal, ready, councils(ready, deal)[0]


def pooled(**pool: Any) -> tuple[ReadyDeal, ReadyPortfolio, str]:
    """A loan pool of which the borough guarantees all losses, for nothing."""
    layer = {"guarantor": "guarantor", **pool}
    ready = prepare(one_pool(pool={"layers": (layer,)}, parties={"guarantor": "borough"}))
    return ready.deals[0], ready, "borough"


def of(kind: str) -> tuple[ReadyDeal, ReadyPortfolio, str]:
    """A deal of this kind in which a council has a part."""
    return pooled() if kind == "loan-pool" else shipped(FILES.get(kind, f"demo-{kind}"))


def by_gate(found: tuple[Gate, ...]) -> dict[str, Gate]:
    return {one.gate: one for one in found}


def changed(deal: ReadyDeal, **terms: Any) -> Any:
    return deal.deal.instrument.model_copy(update=terms)


def catalogue() -> list[str]:
    """Every kind of structure that there is."""
    union, _ = get_args(Instrument)
    return [get_args(model.model_fields["kind"].annotation)[0] for model in get_args(union)]


# --- every structure --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", catalogue())
def test_every_kind_of_the_catalogue_answers_at_every_gate(kind: str) -> None:
    assert kind in KNOWN, f"{kind} has no gates: council/gates.py"
    deal, ready, council = of("asset-backed" if kind == "council-build" else kind)
    terms = deal.deal.instrument
    if kind == "council-build":
        terms = next(one for _, one in against("development", Comparison()) if one.kind == kind)  # type: ignore[attr-defined]
    assert terms.kind == kind
    found = gates(deal, terms, ready, council)
    assert [one.gate for one in found] == list(GATES)
    for one in found:
        assert one.verdict in ("pass", "fail", "query")
        assert one.reason not in ("", UNSEEN)
        assert one.citation == CITED[one.gate]


@pytest.mark.parametrize("kind", KINDS)
def test_every_comparator_is_known(kind: str) -> None:
    assert {terms.kind for _, terms in against(kind, Comparison())} <= KNOWN  # type: ignore[attr-defined]


def test_every_shipped_council_has_an_answer_for_all_of_its_structures() -> None:
    count = 0
    for ready, deal in deals():
        for council in councils(ready, deal):
            for found in all_gates(deal, ready, council).values():
                assert [one.gate for one in found] == list(GATES)
                assert UNSEEN not in {one.reason for one in found}
                count += 1
    assert count > 150


def test_a_structure_that_nobody_has_looked_at_is_a_query_everywhere() -> None:
    deal, ready, council = shipped("edge-of-care")
    found = gates(deal, SimpleNamespace(kind="new-bond"), ready, council)
    assert {one.verdict for one in found} == {"query"}
    assert {one.reason for one in found} == {UNSEEN}
    assert len(found) == len(GATES)


# --- what the rules say -----------------------------------------------------------------------------------


def test_the_pwlb_for_a_peoples_programme_fails() -> None:
    deal, ready, council = shipped("edge-of-care")
    found = {name: by_gate(one) for name, one in all_gates(deal, ready, council).items()}
    for name in ("pwlb, own costs", "pwlb, same costs"):
        assert found[name]["funding source"].verdict == "fail"
        assert "notional cost of money only" in found[name]["funding source"].reason
    assert found["in house, own costs"]["funding source"].verdict == "pass"
    real = PwlbLoan(kind="pwlb-loan", purpose="capital", lines=("set-up",))
    assert by_gate(gates(deal, real, ready, council))["funding source"].verdict == "query"


def test_the_pwlb_for_a_development_passes_unless_its_purpose_is_yield() -> None:
    deal, ready, council = shipped("demo-asset-backed")
    builds = next(one for name, one in against("development", Comparison()) if "PWLB" in name)
    found = by_gate(gates(deal, builds, ready, council))
    assert found["funding source"].verdict == found["yield assets"].verdict == "pass"
    programme = deal.deal.programme.model_copy(update={"purpose": "yield"})
    bought = replace(deal, deal=deal.deal.model_copy(update={"programme": programme}))
    assert by_gate(gates(bought, builds, ready, council))["yield assets"].verdict == "fail"
    assert by_gate(gates(bought, deal.deal.instrument, ready, council))["yield assets"].verdict == "query"


def test_flexible_receipts_end_with_2029_30_and_a_direction_is_a_query() -> None:
    deal, ready, council = shipped("demo-flexible-capital-receipts")
    assert by_gate(gates(deal, deal.deal.instrument, ready, council))["funding source"].verdict == "pass"
    receipts = deal.deal.instrument.receipts
    late = changed(deal, receipts=receipts.model_copy(update={"until": date(2030, 4, 1)}))
    assert by_gate(gates(deal, late, ready, council))["funding source"].verdict == "fail"
    deal, ready, council = shipped("demo-capitalisation-direction")
    assert by_gate(gates(deal, deal.deal.instrument, ready, council))["funding source"].verdict == "query"


def test_a_guarantee_rests_on_what_its_layer_states() -> None:
    stated = {"power": "Localism Act 2011", "decision": "Cabinet, 3 March 2026", "certificate": True}
    for enforceability, verdict, said in (
        ({}, "query", "no power, decision, certificate"),
        (stated, "pass", "stated"),
        ({**stated, "void": 0.02}, "query", "void with a chance of 2.0%"),
    ):
        found = by_gate(gates_of(pooled(enforceability=enforceability)))
        assert found["power"].verdict == verdict
        assert said in found["power"].reason


def gates_of(one: tuple[ReadyDeal, ReadyPortfolio, str], **told: float) -> tuple[Gate, ...]:
    deal, ready, council = one
    return gates(deal, deal.deal.instrument, ready, council, **told)


def test_full_cover_is_credit_and_part_of_it_is_not() -> None:
    assert by_gate(gates_of(pooled()))["credit arrangement"].verdict == "query"
    assert "[unverified]" in by_gate(gates_of(pooled()))["credit arrangement"].reason
    assert by_gate(gates_of(pooled(cover=0.8)))["credit arrangement"].verdict == "pass"
    assert by_gate(gates_of(pooled(detach=20_000.0)))["credit arrangement"].verdict == "pass"
    whole = pooled(detach=1.0, unit="share of commitment")
    assert by_gate(gates_of(whole))["credit arrangement"].verdict == "query"


@pytest.mark.parametrize(
    ("layers", "verdict"),
    [
        (({"detach": 20_000.0}, {}), "query"),  # the second pays what the first leaves
        (({"detach": 20_000.0}, {"cover": 0.9}), "pass"),
        (({"cap": 1e9},), "query"),
        (({"cap": 50_000.0},), "pass"),
        (({"cover": 0.5}, {"cover": 0.5, "of": "the whole loss"}), "query"),
        (({"cover": 0.5}, {"cover": 0.5}), "pass"),
    ],
)
def test_layers_that_together_pay_all_of_a_loss_are_credit(
    layers: tuple[dict[str, Any], ...], verdict: str
) -> None:
    mine = tuple({"guarantor": "guarantor", **one} for one in layers)
    ready = prepare(one_pool(pool={"layers": mine}, parties={"guarantor": "borough"}))
    found = by_gate(gates_of((ready.deals[0], ready, "borough")))["credit arrangement"]
    assert found.verdict == verdict, found.reason


def test_cover_of_four_fifths_stands_behind_four_fifths() -> None:
    """What a promise can cost grows with interest; the part of the money that it stands behind does not."""
    reason = by_gate(gates_of(shipped("demo-guaranteed-debt")))["consolidation"].reason
    assert "up to 80% of the vehicle's funding" in reason


def test_a_council_that_owns_half_of_a_vehicle_may_have_to_consolidate_it() -> None:
    deal, ready, council = shipped("demo-asset-backed")
    capital = deal.deal.instrument.capital
    mine = {name: capital[name] for name in ("council loan note", "council", "local investors")}
    terms = changed(deal, layers=(), capital=mine)
    alone = replace(deal, deal=deal.deal.model_copy(update={"instrument": terms}))
    alone = replace(alone, own=replace(deal.own, lowered=deal.own.lowered._replace(guaranteed={})))
    found = by_gate(gates(alone, terms, ready, council))["consolidation"]
    assert found.verdict == "query"
    assert "of the vehicle's capital" in found.reason


def test_a_fee_is_held_against_expected_loss() -> None:
    assert "no fee" in by_gate(gates_of(pooled()))["subsidy control"].reason
    priced = pooled(fee={"running": 0.02})
    assert by_gate(gates_of(priced))["subsidy control"].verdict == "query"
    below = by_gate(gates_of(priced, called=500.0, earned=400.0))["subsidy control"]
    assert below.verdict == "query"
    assert "£400 are below the expected loss of £500" in below.reason
    assert by_gate(gates_of(priced, called=400.0, earned=500.0))["subsidy control"].verdict == "pass"


def test_floors_pegs_and_protection_are_credit() -> None:
    ready = next(one for one in portfolios() if one.portfolio.name == "edge-of-care-structures")
    found = {deal.name: by_gate(gates(deal, deal.deal.instrument, ready, "eastmere")) for deal in ready.deals}
    for name in ("bond-half-protected", "savings-half-floor", "debt-all"):
        assert found[name]["credit arrangement"].verdict == "query", name
        assert found[name]["subsidy control"].verdict == "query", name
        assert found[name]["consolidation"].verdict == "query", name
    for name in ("bond", "debt-alone", "bank-line"):
        assert found[name]["credit arrangement"].verdict == "pass", name
        assert found[name]["power"].verdict == "pass", name
    assert found["debt-first-loss"]["consolidation"].verdict == "pass"


def test_an_income_strip_is_on_the_balance_sheet() -> None:
    found = by_gate(gates_of(shipped("demo-income-strip")))["credit arrangement"]
    assert found.verdict == "query"
    assert "inside the authorised limit" in found.reason
    assert "[unverified]" in found.reason
    power = by_gate(gates_of(shipped("demo-income-strip")))["power"]
    assert power.verdict == "query"
    assert "no power and no decision" in power.reason


def test_land_below_its_value_is_a_query() -> None:
    deal, ready, council = shipped("demo-asset-backed")
    land = deal.deal.programme.land.value
    for agreed in (land, land - 1_000_000.0):
        terms = changed(deal, land=deal.deal.instrument.land.model_copy(update={"agreed": agreed}))
        found = by_gate(gates(deal, terms, ready, council))
        assert found["best consideration"].verdict == "query"
        for gate in ("best consideration", "subsidy control"):
            assert ("below its market value" in found[gate].reason) == (agreed < land)


@pytest.mark.parametrize(("quarter", "verdict"), [(0, "pass"), (4, "pass"), (5, "query")])
def test_land_at_its_value_is_paid_for_within_a_year(quarter: int, verdict: str) -> None:
    """Left in as a loan note, or paid for years later without interest, it is worth less than its price."""
    deal, ready, council = shipped("demo-asset-backed")
    terms = deal.deal.instrument
    others = {name: one for name, one in terms.capital.items() if one.land == 0.0}
    payment = LandPayment(quarter=quarter, share=1.0)
    paid = changed(deal, capital=others, land=terms.land.model_copy(update={"payments": (payment,)}))
    assert by_gate(gates(deal, paid, ready, council))["best consideration"].verdict == verdict
    left_in = by_gate(gates(deal, terms, ready, council))["best consideration"]
    assert "left in as capital" in left_in.reason


def test_a_pension_fund_is_a_conflict_and_dollars_are_not_england() -> None:
    assert by_gate(gates_of(shipped("demo-asset-backed")))["conflict of interest"].verdict == "query"
    assert by_gate(gates_of(shipped("edge-of-care")))["conflict of interest"].verdict == "pass"
    found = gates_of(shipped("rikers-able"))
    assert {one.verdict for one in found} == {"fail"}
    assert "USD" in found[0].reason


def test_a_small_contract_is_below_the_threshold() -> None:
    deal, ready, council = shipped("edge-of-care")
    for value, verdict in ((550_000.0, "pass"), (600_000.0, "query")):  # £720,000 with VAT is above it
        own = deal.own.lowered._replace(contract_value={"commissioner": value})
        small = replace(deal, own=replace(deal.own, lowered=own), planned_payments=500_000.0)
        found = by_gate(gates(small, deal.deal.instrument, ready, council))["procurement"]
        assert found.verdict == verdict
        assert ("if VAT falls on it" in found.reason) == (verdict == "query")
    assert by_gate(gates_of(shipped("edge-of-care")))["procurement"].verdict == "query"


# --- the page ---------------------------------------------------------------------------------------------


def table() -> dict[str, dict[str, str]]:
    """The page's table: by structure, the verdict at each gate."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    head = next(i for i, line in enumerate(lines) if line.startswith("| structure |"))
    names = [cell.strip() for cell in lines[head].strip("|").split("|")][1:]
    found = {}
    for line in lines[head + 2 :]:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) != len(names) + 1 or not set(cells[1:]) <= set(MARKS):
            break
        found[cells[0]] = {SHORT[name]: MARKS[cell] for name, cell in zip(names, cells[1:], strict=True)}
    return found


def said() -> dict[str, tuple[Gate, ...]]:
    """What the code says of each row of the table."""
    rows = {f"`{kind}`": gates_of(of(kind)) for kind in catalogue() if kind != "council-build"}
    for name in ("demo-reserve-funded", "demo-flexible-capital-receipts", "demo-capitalisation-direction"):
        rows[name.removeprefix("demo-")] = gates_of(shipped(name))
    for name in ("edge-of-care", "demo-asset-backed"):
        held = all_gates(*shipped(name)[:2], shipped(name)[2])
        rows.update({label: found for label, found in held.items() if label != "own"})
    return rows


def test_the_table_of_the_page() -> None:
    shown = table()
    assert list(shown) == list(said())
    for row, found in said().items():
        assert shown[row] == {one.gate: one.verdict for one in found if one.gate != "England"}, row


def test_the_page_names_every_gate() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert set(re.findall(r"^\| \*\*(.+?)\*\* \|", text, re.MULTILINE)) == set(GATES)


# --- what is refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize("council", ["nobody", "fund", "osborne", "ashdale"])
def test_who_is_no_council_of_the_deal_is_refused(council: str) -> None:
    deal, ready, _ = shipped("edge-of-care")
    with pytest.raises(InputError) as caught:
        gates(deal, deal.deal.instrument, ready, council)
    assert caught.value.field == "council"


def test_a_council_without_a_part_is_refused() -> None:
    ready = prepare(one_pool())
    with pytest.raises(InputError) as caught:
        gates(ready.deals[0], ready.deals[0].deal.instrument, ready, "borough")
    assert "no part" in caught.value.problem
