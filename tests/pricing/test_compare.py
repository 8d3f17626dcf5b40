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
from socialfinance.engine.ready import prepare
from socialfinance.io.files import load_part
from socialfinance.pricing.compare import Comparison, Variant, compare, over_all
from socialfinance.pricing.structures import STANDARD, instruments

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
