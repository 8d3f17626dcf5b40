"""Sheets of pay-as-you-save broken in many ways: each gives one clear line."""

from __future__ import annotations

from pathlib import Path

import pytest

from socialfinance.engine.ready import prepare
from socialfinance.io.files import load
from tests.io.small import line_of, write
from tests.io.test_broken_alternatives import refused

SHEET = """\
name: small
start: 2026-04-01
quarters: 24
discount: {rate: 0.05}
parties:
  borough: {kind: council}
  health: {kind: nhs}
  fund: {kind: investor}
  trust: {kind: guarantor}
  charity: {kind: provider}
deals:
  mst:
    programme:
      title: Therapy at home
      illustrative: true
      referrals: {per_quarter: 10, quarters: 8}
      outcomes:
        stayed home: {probability: 0.6, lag: 2}
      costs:
        team: {per_quarter: 20000, last_quarter: 12}
      savings:
        care: {on: stayed home, agency: commissioner, unit_value: 5000.0, duration: 6, cashable: 0.9}
        beds: {on: stayed home, agency: nhs, unit_value: 2000.0, cashable: 0.5}
    instrument:
      kind: pay-as-you-save
      commitment: {peak_need: 1.2}
      availability_quarters: 12
      rate: {reference: fixed, value: 0.05, basis: annual effective}
      commitment_fee: 0.005
      floor: {by: foundation, share: 0.5}
      floor_quarter: 18
      long_stop_quarter: 20
      unpaid: written off
      surplus: {agencies: 0.5, reinvest: 0.5}
      reinvest: {most_scale: 2.0, stop_below: 0.9}
    tariff:
      payers: {commissioner: {share: 1.0}}
      savings:
        verification_lag: 2
        agencies:
          commissioner:
            share: 1.0
            baseline: {per_quarter: 300000.0, first_quarter: 1, last_quarter: 18}
          nhs: {share: 0.8}
    parties: {commissioner: borough, nhs: health, investor: fund, foundation: trust, provider: charity}
"""
AT = "deals.mst.instrument"
AGENCIES = "deals.mst.tariff.savings.agencies"

# what is replaced, by what, words of the line that must be named, the field, words of the message
BROKEN = {
    "no commitment": (
        "      commitment: {peak_need: 1.2}\n", "", "    instrument:", f"{AT}.commitment", "is missing",
    ),
    "a commitment in two ways": (
        "{peak_need: 1.2}", "{peak_need: 1.2, amount: 400000.0}", "commitment: {", f"{AT}.commitment",
        "give either amount or peak_need",
    ),
    "a rate without its basis": (
        "value: 0.05, basis: annual effective", "value: 0.05", "rate: {", f"{AT}.rate",
        "basis: a fixed reference needs it",
    ),
    "a fee in per cent": (
        "commitment_fee: 0.005", "commitment_fee: 0.5", "commitment_fee", f"{AT}.commitment_fee",
        "at most 0.25",
    ),
    "money that is available after the long stop": (
        "availability_quarters: 12", "availability_quarters: 21", "availability_quarters",
        f"{AT}.availability_quarters", "is after the long stop, quarter 20 (given 21; allowed: at most 20)",
    ),
    "a long stop before the programme has been paid for": (
        "      floor_quarter: 18\n      long_stop_quarter: 20\n", "      long_stop_quarter: 11\n",
        "long_stop_quarter", f"{AT}.long_stop_quarter",
        "comes before the programme has been paid for (given 11; allowed: at least 12",
    ),
    "a long stop after the file": (
        "long_stop_quarter: 20", "long_stop_quarter: 25", "long_stop_quarter", f"{AT}.long_stop_quarter",
        "is after the last quarter of the file, quarter 24 (given 25; allowed: at most 24)",
    ),
    "a floor with a share and pounds": (
        "{by: foundation, share: 0.5}", "{by: foundation, share: 0.5, amount: 9000.0}", "floor: {",
        f"{AT}.floor", "give either share or amount",
    ),
    "a floor with neither": (
        "{by: foundation, share: 0.5}", "{by: foundation}", "floor: {", f"{AT}.floor",
        "give either share or amount",
    ),
    "a floor of more than all": (
        "foundation, share: 0.5", "foundation, share: 1.5", "floor: {", f"{AT}.floor.share", "at most 1",
    ),
    "a floor that nobody gives": (
        ", foundation: trust", "", "    parties: {commissioner", "deals.mst.parties.foundation",
        "is a role that no party fills",
    ),
    "a floor tested after the long stop": (
        "floor_quarter: 18", "floor_quarter: 21", "floor_quarter", f"{AT}.floor_quarter",
        "must not be after the long stop, quarter 20",
    ),
    "nothing to test": (
        "      floor: {by: foundation, share: 0.5}\n", "", "floor_quarter", f"{AT}.floor_quarter",
        "there is neither floor nor layer to test",
    ),
    "a floor that is paid after the file": (
        "foundation, share: 0.5}", "foundation, share: 0.5, claim_lag: 7}", "floor: {",
        f"{AT}.floor.claim_lag", "is paid after the last quarter of the file",
    ),
    "a layer for payments that are missed": (
        "      unpaid: written off", "      layers: [{guarantor: foundation, when: missed payment}]",
        "layers", f"{AT}.layers[0].when", "nothing falls due before the test, so none is missed",
    ),
    "a balance that nobody could mean": (
        "unpaid: written off", "unpaid: forgiven", "unpaid", f"{AT}.unpaid",
        "written off, paid by agencies, paid by the commissioner",
    ),
    "a surplus that is not the whole": (
        "{agencies: 0.5, reinvest: 0.5}", "{agencies: 0.5, reinvest: 0.4}", "surplus: {", f"{AT}.surplus",
        "shares must sum to 1, they sum to 0.9",
    ),
    "more to be bought with nothing": (
        "{agencies: 0.5, reinvest: 0.5}", "{agencies: 1.0}", "reinvest: {", f"{AT}.reinvest",
        "the surplus gives it nothing (surplus.reinvest)",
    ),
    "fewer starts than planned": (
        "most_scale: 2.0", "most_scale: 0.5", "reinvest: {", f"{AT}.reinvest.most_scale", "at least 1",
    ),
    "a stop rule on nothing known": (
        "stop_below: 0.9}", "stop_below: 0.9, stop_measure: happiness}", "reinvest: {",
        f"{AT}.reinvest.stop_measure", "verified over plan, verified per pound of cost",
    ),
    "an agency that saves nothing": (
        "nhs: {share: 0.8}", "police: {share: 0.8}", "          police", f"{AGENCIES}.police",
        "saves nothing in this programme, so has nothing to pay from (given 'police'; allowed: commissioner",
    ),
    "an agency that pays more than it saves": (
        "nhs: {share: 0.8}", "nhs: {share: 1.8}", "          nhs", f"{AGENCIES}.nhs.share", "at most 1",
    ),
    "a baseline below what is planned to be saved": (
        "per_quarter: 300000.0", "per_quarter: 3000.0", "baseline: {",
        f"{AGENCIES}.commissioner.baseline.per_quarter", "is less than the plan saves in quarter 3",
    ),
    "a baseline that ends before it begins": (
        "first_quarter: 1, last_quarter: 18", "first_quarter: 19, last_quarter: 18", "baseline: {",
        f"{AGENCIES}.commissioner.baseline.last_quarter", "is before first_quarter",
    ),
    "a verification that takes less than no time": (
        "verification_lag: 2", "verification_lag: -1", "verification_lag",
        "deals.mst.tariff.savings.verification_lag", "at least 0",
    ),
}  # fmt: skip


def test_the_sheet_is_valid(tmp_path: Path) -> None:
    assert prepare(load(write(tmp_path, "small.yaml", SHEET)).portfolio).deals


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_sheet_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    old, new, at, field, words = BROKEN[name]
    assert SHEET.count(old) == 1, f"{old!r} stands there {SHEET.count(old)} times"
    text = SHEET.replace(old, new)
    error = refused(write(tmp_path, "small.yaml", text))
    assert error.field == field
    assert "\n" not in str(error)
    assert words in str(error)
    assert error.line == line_of(text, at)


def test_a_programme_that_saves_nobody_any_cash_is_refused(tmp_path: Path) -> None:
    """Without payment for outcomes nothing could ever repay the funder."""
    start, end = SHEET.index("      savings:\n        verification_lag"), SHEET.index("    parties: {comm")
    prices = "      prices: {stayed home: 9000}\n"
    text = (
        (SHEET[:start] + prices + SHEET[end:]).replace(", cashable: 0.9", "").replace(", cashable: 0.5", "")
    )
    error = refused(write(tmp_path, "small.yaml", text))
    assert "nothing would ever repay the funder" in str(error)
    assert "outcome_payments: true" in str(error)
    assert error.field == "deals.mst.programme.savings"
    assert error.line == line_of(text, "      savings:")
