"""One programme on several structures: shares add up, figures are those of runs, draws are common."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import socialfinance as sf
from socialfinance.cli import main
from socialfinance.core.errors import InputError
from socialfinance.core.parties import OUTSIDE
from socialfinance.engine.books import keep_books
from socialfinance.engine.ready import prepare
from socialfinance.io.files import load_part
from socialfinance.pricing.compare import Comparison, Variant, compare, over_all
from socialfinance.pricing.structures import STANDARD, instruments
from socialfinance.reports.compare import comparison_page

PATHS, SEED = 2_000, 7


def variants(kind: str, *names: str) -> dict[str, Variant]:
    def sheet(name: str) -> object:
        part = load_part(name)
        assert part is not None
        return part.terms

    return {name: Variant(*one) for name, one in instruments(kind, names or ("all",), sheet).items()}


@cache
def found(portfolio: str = "collective-impact-fund", deal: str = "family-therapy") -> Comparison:
    ready = prepare(sf.load(portfolio).portfolio)
    kind = ready.portfolio.deals[deal].programme.kind
    return compare(ready, deal, variants(kind), PATHS, SEED)


CASES = [("collective-impact-fund", "family-therapy"), ("collective-impact-fund", "rebalance-me"),
         ("demo-asset-backed", "park homes")]  # fmt: skip


@pytest.mark.parametrize(("portfolio", "deal"), CASES)
def test_shares_of_every_structure_add_up(portfolio: str, deal: str) -> None:
    table = found(portfolio, deal).sharing
    for name, rows in table.groupby("structure"):
        for column in ("variance", "tail_95", "tail_99"):
            values = rows[column].dropna()
            if len(values):
                assert abs(values.sum() - 1.0) <= 1e-12 * max(1.0, values.abs().sum()), (name, column)


@pytest.mark.parametrize(("portfolio", "deal"), CASES)
def test_value_of_all_parties_is_minus_that_of_the_world_outside(portfolio: str, deal: str) -> None:
    for kept in found(portfolio, deal).structures.values():
        whole = np.sum([value for party, value in kept.value.items() if party != OUTSIDE], axis=0)
        gross = np.sum([np.abs(value) for value in kept.value.values()], axis=0)
        assert np.all(np.abs(whole + kept.value.get(OUTSIDE, 0.0)) <= 1e-9 * gross + 1e-6)


def test_figures_are_those_of_a_run_of_the_deal() -> None:
    """The bond among nine structures is the shipped deal itself, whose terms are the same sheet."""
    table = found("edge-of-care", "edge-of-care").table.set_index("structure")
    result = sf.simulate("edge-of-care", paths=PATHS, seed=SEED, compare=False)
    irr = result.figure("irr", "of_mean_flows", who="investor", deal="edge-of-care")
    loss = result.figure("loss", "probability", who="investor", deal="edge-of-care")
    cost = result.figure("net_cost_pv", who="eastmere", deal="edge-of-care")
    assert table.loc["bond", "investor_irr"] == pytest.approx(irr.value, rel=1e-9)
    assert table.loc["bond", "loss_probability"] == pytest.approx(loss.value)
    assert table.loc["bond", "net_cost"] == pytest.approx(cost.value, rel=1e-9)


def test_paired_errors_are_those_of_the_differences() -> None:
    """Cover of 80% against all of it, on the same futures: the error is a fraction of that of two runs."""
    one = found()
    row = one.differences.set_index(["structure", "less"]).loc["debt-all", "debt-80"]
    more = one.cost("debt-all") - one.cost("debt-80")
    assert row["difference"] == pytest.approx(more.mean())
    assert row["error"] == pytest.approx(more.std(ddof=1) / np.sqrt(PATHS))
    assert row["ratio"] < 0.4
    assert np.all(more >= -0.01)  # more cover never costs the council less on any future


def test_more_cover_moves_risk_back_to_the_council() -> None:
    table = found().transfer.set_index("structure")["borne"]
    assert table["debt-alone"] < table["debt-first-loss"] < table["debt-80"] < table["debt-all"]
    assert table["debt-all"] > 0.75  # covered in full, the council holds nearly all risk


def test_what_is_moved_is_what_the_council_does_not_bear_and_its_price_is_for_that() -> None:
    one = found()
    for row in one.transfer.itertuples():
        assert row.moved == pytest.approx(1.0 - row.borne)
        assert row.price == pytest.approx(float((one.cost(row.structure) - one.cost(one.house)).mean()))
        assert row.per_pound == pytest.approx(row.price / (row.moved * row.programme_shortfall))


def test_in_house_the_council_bears_it_all() -> None:
    table = found().sharing
    house = table[(table["structure"] == "in house, same costs")].set_index("party")
    assert house.loc["commissioning council", "variance"] == pytest.approx(1.0)


def test_a_structure_that_does_not_fit_is_left_out_with_the_reason() -> None:
    ready = prepare(sf.load("collective-impact-fund").portfolio)
    some = {**variants("people-programme", "bond"), **variants("people-programme", "income-strip")}
    one = compare(ready, "family-therapy", some, 50, 1)
    assert list(one.accounts.deals) == ["bond"]
    assert "does not finance a people-programme" in one.left_out["income-strip"]


def test_standard_structures_are_known_by_what_they_finance() -> None:
    assert set(variants("people-programme")) | set(variants("development")) | set(
        variants("loan-book")
    ) == set(STANDARD)


def test_an_unknown_deal() -> None:
    with pytest.raises(InputError, match="is not a deal of this portfolio"):
        compare(prepare(sf.load("edge-of-care").portfolio), "nothing", {}, 10, 1)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "rows.json"
    assert main(["compare", "family-therapy", "--paths", "300", "--seed", "7", "--json", str(file)]) == 0
    said = capsys.readouterr().out
    assert all(len(line) <= 110 for line in said.splitlines())
    assert "Who bears the risk" in said
    data = json.loads(file.read_text(), parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    rows = data["deals"]["family-therapy"]
    assert len(rows["table"]) == 14
    assert {row["structure"] for row in rows["sharing"]} >= {"bond", "debt-80", "bank-line"}


def test_several_programmes_together_are_the_sum_of_each() -> None:
    """Two of a fund's programmes: amounts of a future add up, and one alone is what it is."""
    one, two = found(), found("collective-impact-fund", "rebalance-me")
    both = over_all({"a": one, "b": two}).set_index("structure")
    alone = over_all({"a": one}).set_index("structure")
    for name in ("bond", "debt-80", "in house, same costs"):
        cost = one.cost(name) + two.cost(name)
        assert both.loc[name, "net_cost"] == pytest.approx(cost.mean())
        assert both.loc[name, "net_cost_p95"] == pytest.approx(np.sort(cost)[int(np.ceil(0.95 * PATHS)) - 1])
        public = sum(c.public_cost(name) - c.public_cost("in house, same costs") for c in (one, two))
        assert both.loc[name, "less_in_house"] == pytest.approx(public.mean(), abs=1e-6)
        own = one.table.set_index("structure").loc[name]
        assert alone.loc[name, "net_cost"] == pytest.approx(own["net_cost"])
        if own["investor_irr"] is not None and own["investor_irr"] == own["investor_irr"]:
            assert alone.loc[name, "investor_irr"] == pytest.approx(own["investor_irr"])
            gain = one.structures[name].investor["gain"] + two.structures[name].investor["gain"]
            assert both.loc[name, "gain"] == pytest.approx(gain.mean())


def test_where_others_pay_all_public_bodies_are_shown_together() -> None:
    one = found("collective-impact-fund", "rebalance-me")  # health and police pay half
    assert one.others_pay
    assert not found().others_pay
    row = one.differences.set_index(["structure", "less"]).loc["bond", "in house, same costs"]
    more = one.public_cost("bond") - one.public_cost("in house, same costs")
    assert row["public_difference"] == pytest.approx(more.mean())
    assert row["public_difference"] > row["difference"]  # the council alone looks cheaper than it is for all


def test_the_command_for_every_programme(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "edge-of-care", "--deal", "all", "--paths", "100"]) == 0
    assert "All of them together" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing-known"], "nothing-known"),
        (["family-therapy", "--structures", "no-such"], "no-such"),
        (["collective-impact-fund", "--deal", "none"], "--deal"),
        (["family-therapy", "--paths", "0"], "paths"),
        (["family-therapy", "--structures", "family-therapy"], "is no term sheet"),
    ],
)
def test_bad_input(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err
    assert captured.err.count("\n") == 1


# --- roles, limits and words ------------------------------------------------------------------------


def test_a_word_that_is_also_the_name_of_a_role_keeps_no_structure_out() -> None:
    """The programme is called as its insurer is, whom a bond does not need."""
    fund = sf.load("demo-guaranteed-debt").portfolio
    (deal,) = fund.deals
    assert "insurer" in fund.deals[deal].parties
    ready = prepare(sf.with_terms(fund, {f"deals.{deal}.programme.title": "insurer"}))
    one = compare(ready, deal, variants("people-programme", "bond"), 50, 1)
    assert list(one.accounts.deals) == ["bond"]


@pytest.mark.parametrize("portfolio", ["demo-reserve-funded", "demo-flexible-capital-receipts"])
def test_a_role_that_the_terms_name_in_other_words_is_kept(portfolio: str) -> None:
    """``invest-to-save reserve`` is paid by the role ``reserve``."""
    ready = prepare(sf.load(portfolio).portfolio)
    (own,) = ready.deals
    one = compare(ready, own.name, {"own": Variant(own.deal.instrument, "")}, 200, 3)
    books = keep_books(ready, (own,), 3, 200, yearly=False).deals[own.name].own
    assert set(one.council) == set(own.council)
    for party, worth in books.worth.items():
        assert np.array_equal(worth["net_cost_pv"], one.structures["own"].worth[party]["net_cost_pv"])


def test_what_has_no_limit_is_not_the_same_as_nothing() -> None:
    table = found("edge-of-care", "edge-of-care").table.set_index("structure")
    assert np.isfinite(table.loc["bond", "maximum"])
    assert table.loc["savings", "maximum"] == np.inf
    assert np.isnan(table.loc["in house, same costs", "maximum"])
    ready = prepare(sf.load("edge-of-care").portfolio)
    house = compare(ready, "edge-of-care", variants("people-programme", "fee-for-service"), 50, 1)
    assert house.table["maximum"].isna().all()  # in house no contract says what is the most: it is not nil
    row = next(line for line in comparison_page(found("edge-of-care", "edge-of-care")).splitlines()
               if line.startswith("savings  "))  # fmt: skip
    assert "no limit" in row


def test_who_pays_the_same_in_house_is_no_other_payer() -> None:
    """The homes agency gives its grant to the council as well, where the council builds."""
    one = found("demo-asset-backed", "park homes")
    paid = {name: float(one.structures[name].worth["homes agency"]["paid_pv"].mean())
            for name in ("asset-backed", "council builds, from reserves")}  # fmt: skip
    assert 0.0 < paid["asset-backed"] <= paid["council builds, from reserves"]
    assert not one.others_pay


def test_a_programme_that_no_council_commissions(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "demo-loan-pool", "--paths", "100"]) == 0
    said = capsys.readouterr().out
    assert "on 1 structure\n" in said
    assert "which no public body commissions. 100" in " ".join(said.split())
    row = next(line for line in said.splitlines() if line.startswith("loan-pool  "))
    assert row.split()[-7:-2] == ["-"] * 5  # cost, P95, P99, most, as guarantor


def test_what_rounds_to_nothing_has_no_sign() -> None:
    assert "-0" not in comparison_page(found("demo-asset-backed", "park homes")).replace("-0.", "")


def test_all_programmes_of_a_fund_of_several_kinds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Loans and people's programmes have no structure in common; grants are paid for by none at all."""
    file = tmp_path / "rows.json"
    assert main(["compare", "community-fund", "--deal", "all", "--paths", "60", "--json", str(file)]) == 0
    said = capsys.readouterr().out
    assert all(len(line) <= 110 for line in said.splitlines())
    assert "Every loan book together" in said
    assert "Every people's programme together" in said
    assert "Left out: good-company: no structure fits" in said
    data = json.loads(file.read_text())
    assert set(data["together"]) == {"loan-book", "people-programme"}
    assert set(data["left_out"]) == {"good-company", "repair-shed"}
    assert data["provenance"]["structures"] == ["all"]
    assert data["deals"]["edge-of-care"]["instruments"]["debt-all"]["layers"][0]["cover"] == 1.0


@pytest.mark.slow
def test_all_programmes_together_are_what_a_run_has_of_all_investors() -> None:
    """Deals that close later count from their own day: the fund's own structures, by two ways."""
    ready = prepare(sf.load("collective-impact-fund").portfolio)
    assert len({one.first_row for one in ready.deals}) > 2
    some = {
        one.name: compare(ready, one.name, {"own": Variant(one.deal.instrument, "")}, 256, 2)
        for one in ready.deals
    }
    row = over_all(some).set_index("structure").loc["own"]
    result = sf.simulate("collective-impact-fund", paths=256, seed=2, compare=False)
    irr = result.figure("irr", "of_mean_flows", who="all investors", deal="")
    assert row["investor_irr"] == pytest.approx(irr.value, rel=1e-9)
    assert row["investor_irr_error"] == pytest.approx(irr.standard_error, rel=1e-6)


def test_an_unknown_structure_is_told_which_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "edge-of-care", "--structures", "no-such"]) == 2
    said = capsys.readouterr().err
    assert "--structures: is no structure (given 'no-such'; allowed: bond, " in said
    assert "portfolios" not in said
