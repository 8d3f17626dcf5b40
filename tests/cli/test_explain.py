"""One future made alone is the same future as in a run of many, and its parties sum to nil."""

from __future__ import annotations

import json

import numpy as np
import pytest

from socialfinance.cli import main
from socialfinance.core.ledger import MEMO, Ledger
from socialfinance.engine.deal import run
from socialfinance.engine.explain import explain_case, explain_path
from socialfinance.engine.ready import drawn, futures_of, prepare, price_level
from socialfinance.funds.portfolio import Portfolio
from socialfinance.io.yaml import parse, plain
from tests.cli.small import REPLAY, SMALL


def ready_of(text):
    return prepare(Portfolio.model_validate(plain(parse(text.encode(), "small"))))


@pytest.fixture(scope="module")
def ready():
    return ready_of(SMALL)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("explain") / "small.yaml"
    path.write_text(REPLAY, encoding="utf-8")
    return path


@pytest.mark.parametrize("varied", [False, True])
@pytest.mark.parametrize("path", [0, 5, 37])
def test_a_path_alone_is_that_path_in_a_block(ready, path, varied):
    (deal,) = ready.deals
    paths = np.arange(40, dtype=np.uint64)
    common = ready.common(3, paths)
    futures = futures_of(deal, drawn(deal, common, 3, paths), common)
    block = Ledger(deal.calendar.year_of_row, 40)
    structure = deal.varied if varied else deal.own
    run(deal, (structure,), futures, price_level(deal, common), (block,))

    totals = np.zeros((len(block.by_year), block.years))
    legs = list(block.by_year)
    years = deal.calendar.financial_years
    for one in explain_path(ready, deal, path, 3, varied).payments:
        if not one.memo:
            leg = legs.index((one.payer, one.payee, one.reason))
            totals[leg, years.index(one.financial_year)] += one.amount

    expected = np.array([block.by_year[leg][:, path] for leg in legs])
    assert totals == pytest.approx(expected, rel=1e-12, abs=1e-9)


@pytest.mark.parametrize("path", range(8))
def test_parties_sum_to_nil_and_agree_with_the_payments(ready, path):
    found = explain_path(ready, ready.deals[0], path, 1)

    assert sum(found.sums.values()) == pytest.approx(0.0, abs=1e-6)
    for party, net in found.sums.items():
        paid = sum(one.amount for one in found.payments if one.payer == party and not one.memo)
        had = sum(one.amount for one in found.payments if one.payee == party and not one.memo)
        assert had - paid == pytest.approx(net, abs=1e-6)


def test_the_vehicle_never_pays_what_it_does_not_have(ready):
    for path in range(8):
        payments = explain_path(ready, ready.deals[0], path, 1).payments
        assert min(one.vehicle_cash for one in payments) > -1e-6
        assert payments[-1].vehicle_cash == pytest.approx(0.0, abs=1e-6)


def test_payments_come_in_order_of_time(ready):
    dates = [one.date for one in explain_path(ready, ready.deals[0], 2, 1).payments]
    assert dates == sorted(dates)


def test_what_is_no_cash_is_marked(ready):
    payments = explain_case(ready, ready.deals[0], "plan").payments
    assert {one.reason for one in payments if one.memo} == {"non-cashable saving"} < MEMO


def test_the_inputs_of_a_future_are_told(ready):
    found = {one.name: one for one in explain_path(ready, ready.deals[0], 2, 1).inputs}
    assert found["engagement"].plan == 0.85
    assert found["engagement"].uncertain
    assert 0.6 < found["engagement"].value < 1.0
    assert not found["outcomes.home a year.probability"].uncertain


def test_the_plan_is_the_plan(ready):
    found = explain_case(ready, ready.deals[0], "plan")
    assert all(one.value == one.plan for one in found.inputs)
    assert sum(one.figures["people started"] for one in found.happened) == pytest.approx(6 * 20 * 0.85)


def test_an_early_end_is_told_with_its_date(ready):
    ends = [explain_path(ready, ready.deals[0], path, 1).ended for path in range(40)]
    assert any(end is None for end in ends)
    assert any(end is not None and end.startswith("voluntary, on 20") for end in ends)


@pytest.mark.parametrize(
    "which", [["--path", "7"], ["--case", "actual"], ["--case", "low", "--with-variation"]]
)
def test_explain_prints_and_writes_one_future(file, tmp_path, capsys, which):
    assert main(["explain", str(file), *which, "--json", str(tmp_path / "one.json")]) == 0

    out = capsys.readouterr().out
    assert "Every payment, in order" in out
    assert "drawdown" in out
    data = json.loads((tmp_path / "one.json").read_text(encoding="utf-8"))
    assert {"provenance", "payments", "happened", "inputs", "sums"} <= set(data)
    assert sum(row["net"] for row in data["sums"]) == pytest.approx(0.0, abs=1e-6)
    assert {"date", "payer", "payee", "reason", "amount"} <= set(data["payments"][0])


def test_variation_that_a_deal_does_not_have_is_refused(tmp_path, capsys):
    file = tmp_path / "plain.yaml"
    file.write_text("\n".join(line for line in SMALL.splitlines() if "review:" not in line), encoding="utf-8")

    assert main(["explain", str(file), "--path", "1", "--with-variation"]) == 2
    assert "no variation" in capsys.readouterr().err


@pytest.mark.parametrize("path", [3, 36])
def test_balances_follow_from_the_payments(path, capsys, tmp_path):
    """The bank's line after a quarter: what it was, and what was drawn, less what was repaid."""
    out = tmp_path / "future.json"
    arguments = ["explain", "demo-credit-line", "--path", str(path), "--seed", "7", "--json", str(out)]
    assert main(arguments) == 0
    assert "Balances after each quarter (£)" in capsys.readouterr().out
    found = json.loads(out.read_text(encoding="utf-8"))
    line = {one["quarter"]: one["value"] for one in found["balances"] if one["owed"] == "line"}
    lost = {one["quarter"]: one["value"] for one in found["balances"] if one["owed"] == "lost by the bank"}

    def paid(quarter, why, bank="high street bank"):
        mine = [p for p in found["payments"] if bank in (p["payer"], p["payee"])]
        return sum(p["amount"] for p in mine if (p["quarter"], p["reason"]) == (quarter, why))

    assert max(line.values()) > 0.0
    for quarter in sorted(line)[1:]:
        moved = paid(quarter, "drawdown") - paid(quarter, "principal") - paid(quarter, "recovery")
        expected = line[quarter - 1] + moved
        if lost[quarter] == lost[quarter - 1]:
            assert line[quarter] == pytest.approx(expected, abs=1e-6), quarter
