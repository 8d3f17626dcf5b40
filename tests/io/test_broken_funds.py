"""Fund files broken in many ways: each gives one clear line with its place, what was given and allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from socialfinance.engine.ready import prepare
from socialfinance.io.files import load
from tests.io.small import write
from tests.io.test_broken_alternatives import refused

BROKEN: dict[str, tuple[str, str, str]] = {
    "no party": ("party: null", "fund", "needs the name of the party"),
    "unknown party": ("party: nobody", "fund.party", "is not among the parties"),
    "a party that holds nothing": ("party: guarantee trust", "fund.party", "investor's role in no deal"),
    "no notes": ("notes: null", "fund.party", "belongs to a fund that has notes"),
    "unknown field": ("seniority: 1", "fund.seniority", "is not a known field"),
    "unknown holder": ("notes: {senior: {holder: nobody}}", "fund.notes.senior.holder", "is not among"),
    "held by itself": (
        "notes: {senior: {holder: social investors}}", "fund.notes.senior.holder", "is the fund itself",
    ),
    "holders that are not all of it": (
        "notes: {senior: {holder: [{party: pension fund, share: 0.6}]}}",
        "fund.notes.senior.holder", "shares must sum to 1",
    ),
    "a commitment of nothing": (
        "notes: {senior: {commitment: 0.0}}", "fund.notes.senior.commitment", "must be above 0",
    ),
    "a commitment below nothing": (
        "notes: {senior: {commitment: -1.0}}", "fund.notes.senior.commitment", "must be above 0",
    ),
    "a rank of nought": ("notes: {senior: {rank: 0}}", "fund.notes.senior.rank", "1"),
    "a rate of per cents": (
        "notes: {senior: {rate: {basis: fixed, annual: 4.5}}}", "fund.notes.senior.rate.annual", "at most 1",
    ),
    "a basis nobody knows": (
        "notes: {senior: {rate: {basis: floating, annual: 0.04}}}",
        "fund.notes.senior.rate.basis", "not a known basis",
    ),
    "a performance that falls": (
        "notes: {mezzanine: {rate: {nothing_at: 1.2}}}", "fund.notes.mezzanine.rate.all_at", "must be above",
    ),
    "interest that must be paid behind what may wait": (
        "notes: {retail: {rank: 4}}", "fund.notes.retail.rank", "must rank ahead",
    ),
    "a residual ahead of what is repaid": (
        "notes: {junior: {rank: 2}}", "fund.notes.junior.rank", "must rank after",
    ),
    "a residual with interest put off": (
        "notes: {junior: {deferrable: true}}", "fund.notes.junior.deferrable", "has no interest",
    ),
    "a grant with a fee": (
        "notes: {first loss: {undrawn_fee: 0.01}}", "fund.notes.first loss.undrawn_fee", "earns none",
    ),
    "a grant to be repaid": (
        "notes: {first loss: {repay_by: 2030-01-01}}", "fund.notes.first loss.repay_by", "is not repaid",
    ),
    "repaid after the end": (
        "notes: {senior: {repay_by: 2044-01-01}}", "fund.notes.senior.repay_by", "outside the fund's horizon",
    ),
    "a surplus for nobody": ("surplus_to: null", "fund", "surplus_to: no note takes all that is left"),
    "a surplus for a stranger": ("surplus_to: nobody", "fund.surplus_to", "is not among the parties"),
    "carry on nothing": (
        "notes: {junior: null}\n  carry: {to: fund manager}", "fund.carry", "there is none",
    ),
    "carry on a capped note": (
        "carry: {to: fund manager}", "fund.carry", "share no profit with a manager",
    ),
    "carry to nobody": (
        "notes: {junior: {rate: {cap: null}}}\n  carry: {to: nobody}",
        "fund.carry.to", "is not among the parties",
    ),
    "a trigger that protects all": (
        "waterfall: {trigger: {protects: 9}}", "fund.waterfall.trigger.protects", "every note is protected",
    ),
    "a trigger without tests": (
        "waterfall: {trigger: {tests: {interest cover: null, asset cover: null}}}",
        "fund.waterfall.trigger.tests", "must have 1 or more",
    ),
    "a test of nothing": (
        "waterfall: {trigger: {tests: {asset cover: {at_least: 0.0}}}}",
        "fund.waterfall.trigger.tests.asset cover.at_least", "must be above 0",
    ),
    "notice of years": ("calls: {notice_quarters: 9}", "fund.calls.notice_quarters", "4"),
    "costs on an index nobody has": (
        "costs: {index: rpi}", "fund.costs.index", "index the portfolio does not",
    ),
    "costs after the end": (
        "costs: {until_quarter: 60}", "fund.costs.until_quarter", "after the last quarter",
    ),
    "an investment period without end": (
        "recycling: {until_quarter: 90}", "fund.recycling.until_quarter", "after the last quarter",
    ),
    "a pool without guarantor": ("pool: {guarantor: nobody}", "fund.pool.guarantor", "is not among"),
    "a pool over a stranger": (
        "pool: {deals: {elsewhere: {cover: 0.5}}}", "fund.pool.deals.elsewhere", "not a deal the fund holds",
    ),
    "a pool that covers nothing": ("pool: {cover: 0.0}", "fund.pool", "covers nothing"),
    "more a year than in all": ("pool: {annual_limit: 9000000.0}", "fund.pool.annual_limit", "above the cap"),
    "more put back than there is": (
        "pool: {replenished: 9000000.0}", "fund.pool.replenished", "above the cap",
    ),
    "a cut of more than all": ("policy: {cut: 1.5}", "fund.policy.cut", "1"),
    "a policy on a stranger": ("policy: {deals: [elsewhere]}", "fund.policy.deals[0]", "not a deal the fund"),
    "a first review after the end": (
        "policy: {first_review: 90}", "fund.policy.first_review", "after the last",
    ),
    "growth below what there is": ("policy: {growth: {most: 0.5}}", "fund.policy.growth.most", "1"),
    "a benchmark without years": (
        "benchmark: {title: gilts, annual: [], illustrative: true}",
        "fund.benchmark.annual", "must have 1 or more",
    ),
}  # fmt: skip


BASE = """
based_on: edge-of-care
name: base
parties:
  pension fund: {kind: investor}
  donors: {kind: community}
  fund manager: {kind: intermediary}
  guarantee trust: {kind: guarantor}
fund:
  party: social investors
  illustrative: true
  surplus_to: donors
  notes:
    senior: {holder: pension fund, commitment: 400000.0, rank: 1, rate: {basis: fixed, annual: 0.04}}
    retail: {holder: donors, commitment: 100000.0, rank: 2, rate: {basis: fixed, annual: 0.04}}
    mezzanine:
      holder: pension fund
      commitment: 300000.0
      rank: 3
      rate: {basis: performance, annual: 0.02, extra: 0.02, all_at: 1.0}
      deferrable: true
    junior: {holder: donors, commitment: 300000.0, rank: 4, rate: {basis: residual, cap: 0.06}}
    first loss: {holder: donors, commitment: 100000.0, rank: 5, rate: {basis: grant}}
  waterfall:
    trigger:
      protects: 2
      tests:
        interest cover: {kind: interest, at_least: 1.5}
        asset cover: {kind: assets, at_least: 1.2}
  costs: {per_year: 20000.0, paid_to: fund manager}
  pool: {guarantor: guarantee trust, cap: 100000.0, cover: 0.5}
  policy: {cut: 0.1}
"""


def test_the_base_is_a_fund(tmp_path: Path) -> None:
    assert prepare(load(write(tmp_path, "small.yaml", BASE)).portfolio).fund is not None


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_fund_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    change, field, words = BROKEN[name]
    write(tmp_path, "base.yaml", BASE)
    text = f"based_on: base.yaml\nname: broken\nfund:\n  {change}\n"
    error = refused(write(tmp_path, "small.yaml", text))
    assert error.field == field, str(error)
    assert words in str(error), str(error)
    assert "\n" not in str(error)
    assert error.line is not None


def test_a_pool_whose_guarantor_pays_a_vehicle_is_refused(tmp_path: Path) -> None:
    text = """based_on: demo-loan-pool
name: broken
fund:
  party: local investors
  notes: {all: {holder: foundation, commitment: 9000000.0, rank: 1, rate: {basis: residual}}}
  pool: {guarantor: insurer, cap: 100000.0}
"""
    error = refused(write(tmp_path, "small.yaml", text))
    assert error.field == "fund.pool.guarantor"
    assert "paid to its vehicle" in str(error)


def test_a_policy_on_what_has_no_price_is_refused(tmp_path: Path) -> None:
    text = "based_on: collective-impact-fund\nname: broken\nfund:\n  policy: {deals: [resettlement]}\n"
    error = refused(write(tmp_path, "small.yaml", text))
    assert error.field == "fund.policy.deals[0]"
    assert "cannot be judged" in str(error)
