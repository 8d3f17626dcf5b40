"""The files that are shipped: they load, every number says where it comes from, and the fund is a fund."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel, TypeAdapter

from socialfinance.core.errors import field_path
from socialfinance.core.parties import shares_of
from socialfinance.core.terms import said_of
from socialfinance.engine.block import deal_figures
from socialfinance.engine.cases import run_case
from socialfinance.engine.ready import PLAN, ReadyDeal, ReadyPortfolio, prepare
from socialfinance.engine.replay import replay
from socialfinance.funds.portfolio import Portfolio
from socialfinance.instruments.catalogue import Instrument
from socialfinance.io.files import load
from socialfinance.io.shipped import shipped
from socialfinance.io.yaml import parse, plain
from socialfinance.programmes.catalogue import Financed
from socialfinance.programmes.people import Programme
from socialfinance.reports.inputs import count_sources

FUND = "collective-impact-fund"
REPLAYS = ("educate-girls", "essex-mst", "fair-chance", "newpin", "peterborough")
UNSAID = "a number of which neither its block nor a block around it says where it comes from"


def read(path: Path) -> Any:
    return plain(parse(path.read_bytes(), path.name))


@pytest.fixture(scope="module")
def portfolios() -> dict[str, Portfolio]:
    return {name: load(name).portfolio for name in shipped("portfolios")}


@pytest.fixture(scope="module")
def fund(portfolios) -> ReadyPortfolio:
    return prepare(portfolios[FUND])


def figure(ready: ReadyPortfolio, deal: ReadyDeal, role: str, measure: str) -> float:
    figures = deal_figures(ready, deal, run_case(ready, deal, PLAN, ""), "deal")
    return next(float(v[0]) for key, v in figures.items() if (key.role, key.measure) == (role, measure))


# --- every file loads -----------------------------------------------------------------------------


def test_everything_that_is_asked_for_is_shipped():
    assert set(shipped("portfolios")) >= {FUND, "edge-of-care", *REPLAYS}
    assert set(shipped("instruments")) >= {
        "social-impact-bond", "fee-for-service", "pwlb-loan", "do-nothing",
    }  # fmt: skip
    assert "family-therapy" in shipped("programmes")


@pytest.mark.parametrize("name", sorted(shipped("instruments")))
def test_a_term_sheet_is_a_structure_of_its_own_name(name):
    instrument = TypeAdapter(Instrument).validate_python(read(shipped("instruments")[name]))

    assert instrument.kind in shipped("instruments")  # its own name, or a real deal's or scheme's terms
    assert not unsaid(instrument), UNSAID


@pytest.mark.parametrize("name", sorted(shipped("programmes")))
def test_a_programme_stands_alone_and_says_where_its_numbers_come_from(name):
    programme = TypeAdapter(Financed).validate_python(read(shipped("programmes")[name]))

    assert not unsaid(programme), UNSAID


@pytest.mark.parametrize("name", sorted(shipped("portfolios")))
def test_a_portfolio_runs_in_every_case(name, portfolios):
    ready = prepare(portfolios[name])
    for deal in ready.deals:
        cases = {"plan": PLAN, "actual": deal.deal.actuals or PLAN, **deal.deal.cases}
        for case, terms in cases.items():
            net = run_case(ready, deal, terms, f"{deal.name}, {case}").ledger.net
            total = sum(flows.sum() for flows in net.values())
            assert abs(total) < 1e-3, f"{deal.name}, {case}"


FILES = [path for kind in ("instruments", "programmes", "portfolios") for path in shipped(kind).values()]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_file_is_named_and_written_as_the_others(path):
    text = path.read_text(encoding="utf-8")

    assert path.stem == path.stem.lower()
    assert set(path.stem) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert text.startswith("# "), "says what it is in its first line"
    for word in ("facts.md", "practice.md", "rules.md", "/work", "lcf_projects"):
        assert word not in text


# --- every number has its source ------------------------------------------------------------------


def unsaid(block: BaseModel | Mapping[str, BaseModel] | None) -> list[str]:
    """The numbers written in a file of which nobody says where they come from."""
    return [
        field_path(place)
        for place, value, heard in said_of(block)
        if isinstance(value, int | float) and not isinstance(value, bool) and heard.origin in (None, "unsaid")
    ]


@pytest.mark.parametrize("name", sorted(shipped("portfolios")))
def test_of_every_number_of_a_portfolio_it_is_said_where_it_comes_from(name, portfolios):
    portfolio = portfolios[name]
    found = [unsaid(getattr(portfolio, field)) for field in ("discount", "indices", "factors")]
    for deal in portfolio.deals.values():
        # a source of the whole deal is too vague for these
        found += [unsaid(part) for part in (deal.programme, deal.instrument, deal.tariff, deal.published)]
        found.append([field for field in unsaid(deal) if not field.startswith("published")])

    assert not any(found), UNSAID
    assert count_sources(portfolio).unsaid == 0


def test_an_unmarked_number_is_found():
    block = Programme.model_validate(
        {
            "title": "x",
            "referrals": {"schedule": (1.0,), "illustrative": True},
            "outcomes": {"done": {"probability": 0.5, "lag": 2, "illustrative": ("lag",)}},
            "costs": {"staff": {"per_user": 1.0, "source": "somebody"}},
        }
    )

    assert unsaid(block) == ["outcomes.done.probability"]


def test_rate_cards_and_counts_of_the_fund_have_their_source(portfolios):
    said = {field_path(place): heard for place, _, heard in said_of(portfolios[FUND])}

    for field, source in {
        "deals.homelessness-prevention.tariff.prices.home 18 months": "Fair Chance Fund rate card",
        "deals.homelessness-prevention.programme.outcomes.job.probability.mean": "624 job entries of 1,855",
        "deals.rough-sleeping.programme.savings.rough sleeping services.unit_value": "7,900 a year",
        "deals.youth-reoffending.instrument.cap.irr": "11.4%",
    }.items():
        assert source in (said[field].source or ""), field
    for field in (
        "deals.homelessness-prevention.tariff.cap",
        "deals.homelessness-prevention.programme.outcomes.job.probability.sd",
        "deals.rough-sleeping.programme.savings.rough sleeping services.cashable",
        "deals.family-therapy.programme.referrals.per_quarter",
        "deals.rebalance-me.instrument.cap.irr",
    ):
        assert said[field].origin == "illustrative", field


# --- the fund -------------------------------------------------------------------------------------


def test_the_fund_is_spread(fund):
    deals = fund.portfolio.deals
    councils = {
        party
        for deal in deals.values()
        for filled in deal.parties.values()
        for party, _ in shares_of(filled)
        if fund.portfolio.parties[party].kind == "council"
    }

    assert len(deals) >= 10
    assert len(councils) >= 6
    assert len({deal.theme for deal in deals.values()}) >= 5
    assert len({deal.start for deal in deals.values()}) >= 4
    assert (fund.portfolio.start.month, fund.portfolio.start.day) != (4, 1)


def test_the_fund_has_the_size_of_the_market(fund):
    commitments = [sum(deal.own.lowered.terms.tranche) for deal in fund.deals]

    assert 15e6 <= sum(commitments) <= 40e6
    assert max(commitments) <= 5e6  # the largest on record in the United Kingdom


def test_every_plan_gives_investors_a_return_that_a_fund_would_take(fund):
    for deal in fund.deals:
        assert 0.06 <= figure(fund, deal, "investor", "irr") <= 0.16, deal.name
        assert figure(fund, deal, "structure", "unpaid_cost_at_worst") == 0.0, deal.name


def test_little_is_paid_early_and_capital_is_used_again(fund):
    for deal in fund.deals:
        if deal.deal.tariff.effect is not None:
            continue  # paid once or twice, so capital carries the whole cost
        planned = np.array([row.vehicle.planned_so_far for row in deal.own.lowered.schedule])
        life = int(np.flatnonzero(np.diff(planned) > 1.0)[-1]) + 1
        assert 0.02 <= planned[life // 4] / planned[-1] <= 0.17, deal.name
        peak = figure(fund, deal, "investor", "peak")
        assert 0.1 <= peak / planned[-1] <= 0.4, deal.name


def test_no_central_top_up_is_on_offer(fund):
    assert not [party for party in fund.portfolio.parties.values() if party.kind == "central"]


# --- replays --------------------------------------------------------------------------------------

TOLERANCE = {"fraction a year": 0.001, "fraction": 1e-4, "times": 0.005, "people": 0.5, "payments": 0.0}
"""By unit; money within 0.2%, the rounding of what was published."""


@pytest.mark.parametrize("name", REPLAYS)
def test_what_is_reproduced_or_calibrated_comes_out(name, portfolios):
    rows = replay(prepare(portfolios[name]))

    assert rows
    for row in rows:
        if row.kind == "context":
            continue
        assert row.model is not None, row.name
        allowed = TOLERANCE.get(row.unit, 0.002 * row.published)
        assert abs(row.model - row.published) <= allowed + 1e-9, row.name
