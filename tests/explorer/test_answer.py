"""The figures of the page: those of a plain run on the same futures, and their differences paired."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import socialfinance as sf
from socialfinance.explorer import runs as explorer_runs
from socialfinance.explorer.asked import Asked, Source, terms_of
from socialfinance.explorer.runs import Runs

SEED = 3
DEAL = "edge-of-care"
DEBT = Asked(DEAL, ((DEAL, "debt-80"),), ((f"deals.{DEAL}.instrument.layers[0].cover", 0.6),))
DEARER = Asked(DEAL, (), ((f"deals.{DEAL}.prices", 1.1),))


@cache
def portfolio(name):
    return sf.load(name).portfolio


@cache
def shown(name, asked, paths):
    held = Runs(Source(portfolio(name), name), SEED)
    while (found := held.advance(asked, paths)) is None:
        pass
    return found


def figure(answer, name):
    return next(one for one in answer.figures if one.name == name)


@cache
def plain(name, asked, paths):
    terms = terms_of(portfolio(name), asked).portfolio
    return sf.simulate(terms, paths=paths, seed=SEED, compare=False, workers=1)


PLACES = {
    "irr": ("irr", "of_mean_flows", "investor"),
    "loss": ("loss", "probability", "investor"),
    "gain": ("gain", "p5", "investor"),
    "net_cost": ("net_cost", "mean", "eastmere"),
    "net_cost_p95": ("net_cost", "p95", "eastmere"),
    "paid": ("paid_over_plan", "mean", "structure"),
    "calls": ("calls", "mean", "guarantor"),
}


@pytest.mark.parametrize("asked", [Asked(DEAL), DEARER, DEBT], ids=["file", "prices", "structure"])
def test_figures_are_those_of_a_plain_run(asked):
    found, result = shown(DEAL, asked, 512), plain(DEAL, asked, 512)

    assert len(found.figures) == 6
    for one in found.figures:
        measure, statistic, who = PLACES[one.name]
        row = result.figure(measure, statistic, who=who, deal=DEAL)
        assert one.value == row.value
        assert one.standard_error == row.standard_error


def test_differences_are_those_of_two_plain_runs_and_their_errors_smaller():
    found = shown(DEAL, DEARER, 1024)

    for one in found.figures:
        measure, statistic, who = PLACES[one.name]
        here, there = (
            plain(DEAL, asked, 1024).figure(measure, statistic, who=who, deal=DEAL)
            for asked in (DEARER, DEARER.untouched())
        )
        assert one.change == pytest.approx(here.value - there.value, rel=1e-9, abs=1e-12)
        alone = np.hypot(here.standard_error, there.standard_error)
        assert one.change_error < alone, f"{one.name}: pairing takes noise away"


def test_the_file_itself_differs_by_nothing():
    for one in shown(DEAL, Asked(DEAL), 512).figures:
        assert (one.change, one.change_text, one.better) == (0.0, "as in the file", None)


def test_dearer_outcomes_are_good_for_investors_and_bad_for_the_council():
    found = shown(DEAL, DEARER, 512)

    assert figure(found, "irr").better is True
    assert figure(found, "irr").change > 0.0
    assert figure(found, "net_cost").better is False
    assert figure(found, "net_cost").change > 0.0


def test_a_figure_that_the_file_has_not_is_said_so():
    found = figure(shown(DEAL, DEBT, 512), "calls")

    assert (found.change, found.change_text) == (None, "the file has none")


def test_a_fund_is_shown_by_its_notes_and_all_public_bodies():
    found, result = shown("community-fund", Asked(""), 64), plain("community-fund", Asked(""), 64)
    party = result.portfolio.fund.party

    for name, measure, statistic in (("irr", "irr", "of_mean_flows"), ("gain", "gain", "p5")):
        row = next(
            row for row in result.measures_rows
            if (row.scope, row.role, row.party, row.measure, row.statistic)
            == ("fund", "net", party, measure, statistic)
        )  # fmt: skip
        assert figure(found, name).value == row.value
    costs = [
        row.value for row in result.measures_rows
        if (row.scope, row.measure, row.statistic, row.financial_year) == ("council", "net_cost", "mean", "")
    ]  # fmt: skip
    assert len(costs) > 1
    assert figure(found, "net_cost").value == pytest.approx(sum(costs), rel=1e-9)


def test_blocks_do_not_change_a_figure(monkeypatch):
    once = shown(DEAL, DEBT, 512)
    monkeypatch.setattr(explorer_runs, "BLOCK", 256)
    held = Runs(Source(portfolio(DEAL), DEAL), SEED)
    steps = 1
    while (found := held.advance(DEBT, 512)) is None:
        steps += 1

    assert steps == 4, "two blocks of the file's terms, two of those asked for"
    assert [one.value for one in found.figures] == [one.value for one in once.figures]
    assert [one.change_error for one in found.figures] == [one.change_error for one in once.figures]


def test_what_was_run_is_kept_and_the_oldest_let_go(monkeypatch):
    monkeypatch.setattr(explorer_runs, "HELD", 3)
    held = Runs(Source(portfolio(DEAL), DEAL), SEED)
    for multiple in (1.0, 0.9, 0.95, 1.05):
        asked = Asked(DEAL, (), ((f"deals.{DEAL}.prices", multiple),))
        while held.advance(asked, 32) is None:
            pass

    assert len(held.held) == 3
    assert (Asked(DEAL), 32) in held.held, "the file's own terms are asked for each time"
    first = held.held[Asked(DEAL), 32].done
    assert held.advance(asked, 32) is not None
    assert held.held[Asked(DEAL), 32].done == first


def test_no_more_is_kept_of_a_run_than_the_page_shows():
    held = Runs(Source(portfolio(DEAL), DEAL), SEED)
    while held.advance(Asked(DEAL), 32) is None:
        pass
    measures = {key.measure for key in held.held[Asked(DEAL), 32].kept.figures}

    assert measures == {"irr", "irr_status", "loss", "gain", "net_cost", "paid_over_plan"}
