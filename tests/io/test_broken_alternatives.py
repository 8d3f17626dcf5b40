"""Sheets in house, of a credit line and of a grant broken in many ways: each gives one clear line."""

from __future__ import annotations

from pathlib import Path

import pytest

from socialfinance.core.errors import InputError
from socialfinance.engine.ready import prepare
from socialfinance.io.files import load
from tests.io.small import line_of, write

HEAD = """\
name: small
start: 2026-04-01
quarters: 24
discount: {rate: 0.05}
parties:
  borough: {kind: council}
  bank: {kind: investor}
  pot: {kind: council}
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
        care: {on: stayed home, agency: commissioner, unit_value: 3000.0, cashable: 1.0}
    instrument:
"""
IN_HOUSE = """\
      kind: fee-for-service
      funded_from: invest-to-save reserve
      reserve:
        interest_forgone: 0.04
        repaid_by: commissioner
    parties: {commissioner: borough, provider: charity, reserve: pot}
"""
LOAN = """\
      kind: pwlb-loan
      purpose: capital
      lines: [team]
      method: eip
      term_years: 10
    parties: {commissioner: borough, provider: charity}
"""
CREDIT = """\
      kind: credit-line
      limit: {peak_need: 1.5}
      rate: {reference: fixed, value: 0.04, basis: nominal quarterly, margin: 0.035}
      buffer: 50000.0
      recovery: 0.6
      step_in: {after_quarters: 2, cost: 5000.0}
    tariff:
      prices: {stayed home: 9000}
      payers: {commissioner: {share: 1.0}}
    parties: {commissioner: borough, investor: bank, provider: charity}
"""
GRANT = """\
      kind: grant
      amount: 90000.0
      instalments:
        first: {share: 0.6}
        second: {share: 0.4, from_quarter: 2, milestone: {line: stayed home, of_plan: 0.8}}
      monitoring: {per_quarter: 500.0, first_quarter: 1, last_quarter: 8}
      impact: {line: stayed home, share: 0.3}
    parties: {commissioner: borough, investor: bank, provider: charity}
"""
SHEETS = {"in house": IN_HOUSE, "loan": LOAN, "credit": CREDIT, "grant": GRANT}
AT = "deals.mst.instrument"

# sheet, what is replaced, by what, words of the line that must be named, the field, words of the message
BROKEN = {
    "unknown way of funding": (
        "in house", "invest-to-save reserve", "savings account", "funded_from", f"{AT}.funded_from",
        "not one of the allowed",
    ),
    "a reserve without its terms": (
        "in house", "      reserve:\n        interest_forgone: 0.04\n        repaid_by: commissioner\n", "",
        "    instrument:", AT, "reserve: funding from the invest-to-save reserve needs it",
    ),
    "a reserve that the budget does not need": (
        "in house", "invest-to-save reserve", "revenue budget", "      reserve:", f"{AT}.reserve",
        "belongs to funding from the invest-to-save reserve; leave it out",
    ),
    "interest below nil": (
        "in house", "interest_forgone: 0.04", "interest_forgone: -0.04", "interest_forgone",
        f"{AT}.reserve.interest_forgone", "at least 0",
    ),
    "no interest stated": (
        "in house", "        interest_forgone: 0.04\n", "", "      reserve:",
        f"{AT}.reserve.interest_forgone", "is missing",
    ),
    "a reserve that nobody is": (
        "in house", ", reserve: pot", "", "    parties: {commissioner", "deals.mst.parties.reserve",
        "is a role that no party fills",
    ),
    "a reserve that nothing gives back to": (
        "in house", "repaid_by: commissioner", "repaid_by: provider", "repaid_by",
        f"{AT}.reserve.repaid_by", "would never be repaid (given 'provider'; allowed: commissioner)",
    ),
    "receipts without a last day": (
        "in house", "      funded_from: invest-to-save reserve\n      reserve:\n"
        "        interest_forgone: 0.04\n        repaid_by: commissioner\n",
        "      funded_from: flexible capital receipts\n      receipts: {available: 9000.0}\n", "receipts: {",
        f"{AT}.receipts.until", "is missing",
    ),
    "capital spending that is not named": (
        "loan", "      lines: [team]\n", "", "    instrument:", AT,
        "lines: capital spending needs the cost lines that are capital",
    ),
    "a cost line that is not there": (
        "loan", "[team]", "[teem]", "lines", f"{AT}.lines[0]",
        "is not a cost line of the programme (given 'teem'; allowed: team)",
    ),
    "a loan shorter than the shortest": (
        "loan", "term_years: 10", "term_years: 1", "term_years", f"{AT}.term_years",
        "the shortest eip loan is for 2 years",
    ),
    "a method that there is not": (
        "loan", "method: eip", "method: bullet", "method", f"{AT}.method", "maturity, eip, annuity",
    ),
    "a rate in per cent": (
        "loan", "term_years: 10", "rate: 5.87", "rate: 5.87", f"{AT}.rate", "at most 1",
    ),
    "a line without a limit": (
        "credit", "{peak_need: 1.5}", "{}", "limit", f"{AT}.limit", "give either amount or peak_need",
    ),
    "a buffer that is owed": (
        "credit", "buffer: 50000.0", "buffer: -50000.0", "buffer", f"{AT}.buffer", "at least 0",
    ),
    "no buffer stated": (
        "credit", "      buffer: 50000.0\n", "", "    instrument:", f"{AT}.buffer", "is missing",
    ),
    "more than the whole recovered": (
        "credit", "recovery: 0.6", "recovery: 1.6", "recovery", f"{AT}.recovery", "at most 1",
    ),
    "a rate without its basis": (
        "credit", "value: 0.04, basis: nominal quarterly", "value: 0.04", "rate: {", f"{AT}.rate",
        "basis: a fixed reference needs it",
    ),
    "a step in at once": (
        "credit", "after_quarters: 2", "after_quarters: 0", "after_quarters", f"{AT}.step_in.after_quarters",
        "at least 1",
    ),
    "nobody pays by results": (
        "credit",
        "    tariff:\n      prices: {stayed home: 9000}\n      payers: {commissioner: {share: 1.0}}\n",
        "", "  mst:", "deals.mst.tariff", "a credit line needs a tariff",
    ),
    "instalments that are not the whole": (
        "grant", "share: 0.4,", "share: 0.3,", "      instalments:", f"{AT}.instalments",
        "shares must sum to 1, they sum to 0.9",
    ),
    "no instalment": (
        "grant", "        first: {share: 0.6}\n        second: {share: 0.4, from_quarter: 2, milestone: "
        "{line: stayed home, of_plan: 0.8}}\n", "        {}\n", "      instalments:", f"{AT}.instalments",
        "must have 1 or more entries",
    ),
    "a milestone on no line": (
        "grant", "{line: stayed home, of_plan", "{line: left home, of_plan", "second",
        f"{AT}.instalments.second.milestone.line", "is not an outcome line of the programme",
    ),
    "an impact on no line": (
        "grant", "impact: {line: stayed home", "impact: {line: left home", "impact", f"{AT}.impact.line",
        "given 'left home'; allowed: stayed home",
    ),
    "following it that ends before it begins": (
        "grant", "first_quarter: 1, last_quarter: 8", "first_quarter: 9, last_quarter: 8", "monitoring",
        f"{AT}.monitoring.last_quarter", "is before first_quarter",
    ),
    "a role that nothing needs": (
        "grant", "investor: bank,", "investor: bank, reserve: pot,", "    parties: {commissioner",
        "deals.mst.parties.reserve", "is a role that nothing in this deal needs",
    ),
}  # fmt: skip


def refused(path: Path) -> InputError:
    """The one line with which a file is refused."""
    try:
        loaded = load(path)
    except InputError as error:
        return error
    with pytest.raises(InputError) as caught:
        prepare(loaded.portfolio)
    return loaded.place(caught.value)


@pytest.mark.parametrize("name", SHEETS)
def test_the_sheets_are_valid(tmp_path: Path, name: str) -> None:
    assert prepare(load(write(tmp_path, "small.yaml", HEAD + SHEETS[name])).portfolio).deals


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_sheet_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    sheet, old, new, at, field, words = BROKEN[name]
    whole = HEAD + SHEETS[sheet]
    assert whole.count(old) == 1, f"{old!r} stands there {whole.count(old)} times"
    text = whole.replace(old, new)
    error = refused(write(tmp_path, "small.yaml", text))
    assert error.field == field
    assert "\n" not in str(error)
    assert words in str(error)
    assert error.line == line_of(text, at)
