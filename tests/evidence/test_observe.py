"""Observed portfolios: what is over is as it was returned, cash ties, and the page says what moved."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from socialfinance.cli import main, parser
from socialfinance.core.ledger import Ledger
from socialfinance.engine.deal import Outcome, own_draws, run
from socialfinance.engine.executors import Work
from socialfinance.engine.observed import Past, cash_lines, observed
from socialfinance.engine.ready import ReadyPortfolio, drawn, futures_of, prepare, price_level
from socialfinance.evidence.likelihood import COST_NOISE, SAVING_NOISE
from socialfinance.evidence.observe import observe
from socialfinance.evidence.returns import Returned
from socialfinance.funds.fund import Fund
from socialfinance.funds.portfolio import Portfolio
from socialfinance.instruments.base import flat
from socialfinance.io.files import load
from socialfinance.io.shipped import library
from socialfinance.programmes.known import Quarter
from socialfinance.reports.numbers import text
from socialfinance.reports.observe import SCALES

RETURNS = library() / "portfolios" / "returns" / "collective-impact-fund.csv"
PATHS = np.arange(32, dtype=np.uint64)


def shipped(name: str) -> ReadyPortfolio:
    return prepare(load(name).portfolio)


def as_planned(ready: ReadyPortfolio, quarters: int) -> Past:
    """The plan's counts, whole people, and no cash."""
    deal = ready.deals[0]
    plan: Any = deal.plan
    rows, before = [], [0.0] * len(deal.programme.nodes)
    for row in range(1, quarters + 1):
        outcomes = {}
        for k, node in enumerate(deal.programme.nodes):
            total = float(sum(plan[r].achieved[k] for r in range(row + 1)))
            outcomes[node.line] = outcomes.get(node.line, 0.0) + float(int(total) - int(before[k]))
            before[k] = total
        rows.append(
            Quarter(float(int(plan[row].referred) + 1), float(int(plan[row].starts)) + 1.0, outcomes, {}, {})
        )
    return Past(tuple(rows), ({},) * quarters, {})


def ran(ready: ReadyPortfolio) -> Outcome:
    deal = ready.deals[0]
    common = ready.common(3, PATHS)
    futures = futures_of(deal, drawn(deal, common, 3, PATHS), common)
    ledger = Ledger(deal.calendar.year_of_row, len(PATHS), journal=True)
    return run(deal, (deal.own,), futures, price_level(deal, common), (ledger,))[0]


def with_cash(ready: ReadyPortfolio, past: Past, factor: float) -> Past:
    """Cash and costs of every quarter as the terms make of the counts, cash in and cost times ``factor``."""
    outcome = ran(observed(ready, {ready.deals[0].name: past}).ready)
    deal, journal = ready.deals[0], outcome.ledger.journal
    assert journal is not None
    quarters, cash = [], []
    reasons = {"paid": "outcome payment", "savings paid": "savings payment", "drawn": "drawdown"}
    back = {"repaid": ("capital returned", "principal"), "return": ("investor return", "interest")}
    for row, quarter in enumerate(past.quarters, start=1):
        costs = {
            name: factor * float(np.ravel(outcome.activity[row].costs[j])[0])
            for j, name in enumerate(deal.programme.programme.costs)
        }
        quarters.append(quarter._replace(costs=costs))
        found = {}
        for item, payers in cash_lines(deal).items():
            whys = back.get(item, (reasons.get(item, ""),))
            for payer in payers:
                amount = sum(
                    float(np.ravel(entry.amount)[0])
                    for entry in journal
                    if entry.row == row and entry.reason in whys
                    and (not payer or entry.payer == dict(deal.roles[payer]).popitem()[0])
                )  # fmt: skip
                found[item, payer] = factor * amount
        cash.append(found)
    return Past(tuple(quarters), tuple(cash), {})


STRUCTURES = ("edge-of-care", "demo-guaranteed-debt", "demo-pay-as-you-save")


@pytest.mark.parametrize("name", STRUCTURES)
def test_cash_that_is_what_the_terms_make_of_it_changes_nothing(name: str) -> None:
    """Returned cash equal to the model's on a path: every later payment on it is the same."""
    ready = shipped(name)
    past = as_planned(ready, 5)
    deal = ready.deals[0].name
    cash = with_cash(ready, past, 1.0)
    without = Past(cash.quarters, ({},) * 5, {})
    one, other = (ran(observed(ready, {deal: given}).ready) for given in (without, cash))
    for party, net in one.ledger.net.items():
        assert np.allclose(net[:, 0], other.ledger.net[party][:, 0], rtol=1e-9, atol=1e-3), party


@pytest.mark.parametrize("name", STRUCTURES)
def test_returned_cash_is_in_the_ledger_and_parties_sum_to_nil(name: str) -> None:
    """Ten per cent more of everything: the ledger has it, on every path, and still sums to nothing."""
    ready = shipped(name)
    deal = ready.deals[0]
    past = with_cash(ready, as_planned(ready, 5), 1.1)
    some_back = {**past.cash[-1], ("repaid", ""): 3_000.0, ("return", ""): 200.0}
    past = past._replace(cash=(*past.cash[:-1], some_back))
    outcome = ran(observed(ready, {deal.name: past}).ready)
    assert np.allclose(np.sum(list(outcome.ledger.net.values()), axis=0), 0.0, atol=1e-6)
    journal = outcome.ledger.journal
    assert journal is not None
    for row, cash in enumerate(past.cash, start=1):
        booked = [e.amount for e in journal if e.row == row and e.reason == "drawdown"]
        assert np.allclose(sum(booked) if booked else 0.0, cash["drawn", ""])
    vehicle = outcome.ledger.net[f"{deal.name} vehicle"]
    state: Any = outcome.history[5]
    assert np.allclose(np.sum(vehicle[:6], axis=0), state.vehicle.cash, atol=1e-3)
    investor = deal.own.lowered.legs.drawdown.payer
    paid, back = (np.sum(flows[:6], axis=0) for flows in outcome.ledger.of_role(investor))
    assert np.allclose(state.drawn, paid, atol=1e-3)
    if name != "demo-guaranteed-debt":
        assert np.allclose(state.received, back, atol=1e-3)


@pytest.mark.parametrize("name", STRUCTURES[1:])
def test_what_is_owed_follows_what_was_drawn(name: str) -> None:
    """A tenth more of everything in the first quarter: as much more is owed as more was drawn, less paid."""
    ready = shipped(name)
    deal = ready.deals[0]
    owed, put_in = [], []
    for factor, back in ((1.0, 0.0), (1.1, 700.0)):
        past = with_cash(ready, as_planned(ready, 1), factor)
        cash = {**past.cash[0], ("repaid", ""): 5 * back, ("return", ""): back}
        state: Any = ran(observed(ready, {deal.name: past._replace(cash=(cash,))}).ready).history[1]
        owed.append(state.balance)
        of_interest = back if name == "demo-pay-as-you-save" else 0.0  # a loan has it apart
        put_in.append(cash["drawn", ""] - 5 * back - of_interest)
    assert put_in[1] - put_in[0] > 1_000.0
    assert np.allclose(owed[1] - owed[0], put_in[1] - put_in[0], atol=1e-3)


def test_an_end_for_certain_that_did_not_come_is_none() -> None:
    """Policy was to end the contract in the third quarter; returns for five show that it runs."""
    given = load("edge-of-care", set={"deals.edge-of-care.instrument.termination.policy.at_quarter": 3})
    ready = prepare(given.portfolio)
    found = observed(ready, {"edge-of-care": as_planned(ready, 5)})
    state: Any = ran(found.ready).history[5]
    assert np.all(state.vehicle.exits.since < 0.0)


@pytest.mark.parametrize("name", STRUCTURES)
def test_what_the_vehicle_lacks_was_drawn(name: str) -> None:
    """Nothing paid in five quarters, and costs twice the plan's: what was not earned was drawn."""
    ready = shipped(name)
    deal = ready.deals[0]
    past = with_cash(ready, as_planned(ready, 5), 2.0)
    unpaid = tuple({key: 0.0 for key in cash if key[0] in ("paid", "savings paid")} for cash in past.cash)
    outcome = ran(observed(ready, {deal.name: past._replace(cash=unpaid)}).ready)
    investor = deal.own.lowered.legs.drawdown.payer
    paid, _ = outcome.ledger.of_role(investor)
    state: Any = outcome.history[5]
    assert np.allclose(state.drawn, np.sum(paid[:6], axis=0), atol=1e-3)
    assert np.all(state.vehicle.cash >= -1e-6)
    vehicle = outcome.ledger.net[f"{deal.name} vehicle"]
    assert np.allclose(np.sum(vehicle[:6], axis=0), state.vehicle.cash, atol=1e-3)


def test_chance_is_over_in_rows_that_are() -> None:
    """What a structure draws by chance is 1 in rows that are over: nothing has happened by it."""
    ready = shipped("demo-guaranteed-debt")
    deal = ready.deals[0]
    common = ready.common(3, PATHS)
    source = drawn(deal, common, 3, PATHS)
    rows = own_draws(deal.own.lowered, source, deal.calendar.quarters + 1, over=4)
    chances = [one.given is None for one in flat(deal.own.lowered.draws)]
    assert any(chances)
    for row, values in enumerate(rows):
        for value, chance in zip(flat(values), chances, strict=True):
            if chance:
                assert np.all(np.asarray(value) == 1.0) == (1 <= row <= 4)


def test_a_past_travels_with_the_work() -> None:
    """What a worker makes ready again has the same past and gives the same bits."""
    import pickle

    ready = shipped("edge-of-care")
    placed = observed(ready, {"edge-of-care": as_planned(ready, 3)}).ready
    work = Work(placed, 5, compare=False)
    one, other = work.block(0, 256), pickle.loads(pickle.dumps(work)).block(0, 256)
    for key, values in one.figures.items():
        assert np.array_equal(values, other.figures[key], equal_nan=True), key


def test_a_failed_test_that_nobody_acted_on_is_waived() -> None:
    """Nothing achieved for twelve quarters: by its terms the contract could have ended, and it is said."""
    ready = shipped("edge-of-care")
    rows = tuple(
        Quarter(9.0, 8.0, dict.fromkeys(ready.deals[0].programme.lines, 0.0), {}, {}) for _ in range(12)
    )
    found = observed(ready, {"edge-of-care": Past(rows, ({},) * 12, {})})
    assert len(found.remarks) == 1
    assert "its performance test was failed on" in found.remarks[0]
    state: Any = ran(found.ready).history[12]
    assert np.all(state.vehicle.exits.since < 0.0)


def followed(*deals: str) -> Portfolio:
    """Some deals of the shipped fund, without the fund."""
    whole = load("collective-impact-fund").portfolio
    some = {name: whole.deals[name] for name in deals}
    return whole.model_copy(update={"fund": Fund(), "deals": some, "books": {}})


def returned(folder: Path, *deals: str) -> Path:
    """Their shipped returns."""
    head, *rows = RETURNS.read_text().splitlines()
    path = folder / "returns.csv"
    path.write_text("\n".join([head, *(row for row in rows if row.split(",")[0] in deals)]) + "\n")
    return path


def test_one_good_one_failing_one_late(tmp_path: Path) -> None:
    """Three deals of the shipped fund: what moves moves by far more than the noise of simulation."""
    three = ("homelessness-prevention", "neet-employment", "rough-sleeping")
    found = observe(followed(*three), returned(tmp_path, *three), seed=7, workers=1)
    assert found.now.returns is not None
    assert found.now.returns.late == {"neet-employment": (date(2027, 9, 30),)}
    assert [flag.deal for flag in found.flags] == ["rough-sleeping"]
    frame = found.frame().set_index(["deal", "what"])
    for deal, sign in (("rough-sleeping", -1), ("homelessness-prevention", 1)):
        row = frame.loc[deal, "paid over plan"]
        assert sign * (row["now"] - row["original"]) > 8 * np.hypot(row["now_error"], row["original_error"])
        assert row["now_p95"] - row["now_p5"] < row["original_p95"] - row["original_p5"]
    assert frame.loc[("rough-sleeping", "moved in"), "to_date"] == 28.0


@pytest.mark.slow
def test_the_shipped_fund_after_four_quarters() -> None:
    """One good, one failing, one late: what moves moves by far more than the noise of simulation."""
    found = observe(load("collective-impact-fund").portfolio, RETURNS, seed=7)
    assert found.now.returns is not None
    assert found.now.returns.late == {"neet-employment": (date(2027, 9, 30),)}
    assert [flag.deal for flag in found.flags] == ["rough-sleeping"]
    assert any("payment for success would cut it" in reason for reason in found.flags[0].reasons)
    frame = found.frame().set_index(["deal", "what"])
    for deal, sign in (("rough-sleeping", -1), ("homelessness-prevention", 1)):
        row = frame.loc[deal, "paid over plan"]
        assert sign * (row["now"] - row["original"]) > 8 * np.hypot(row["now_error"], row["original_error"])
        assert row["now_p95"] - row["now_p5"] < row["original_p95"] - row["original_p5"]
    assert frame.loc[("rough-sleeping", "moved in"), "to_date"] == 28.0
    later = frame.loc["care-leavers", "paid over plan"]  # starts in 2028: only what is common can move it
    assert abs(later["now"] - later["original"]) < 4 * np.hypot(later["now_error"], later["original_error"])
    before, now = (
        one.figure("calls", "mean", who="guarantor", scope="fund") for one in (found.original, found.now)
    )
    assert before is not None
    assert now is not None
    assert now.value - before.value > 4 * np.hypot(now.standard_error, before.standard_error)


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The page and the file say the same."""
    out = tmp_path / "o.json"
    told = ["observe", "edge-of-care", "--returns", str(_returns(tmp_path)), "--json", str(out)]
    assert main(told) == 0
    page, data = capsys.readouterr().out, json.loads(out.read_text())
    assert data["as_of"] == "2027-04-20"
    paid = next(row for row in data["then_and_now"] if row["what"] == "paid over plan")
    assert text(paid["now"], paid["now_error"], SCALES["fraction"]) in page
    assert data["quality"]["particles"] == 6144


def test_command_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["observe", "edge-of-care"]) == 2
    noisy = ["--returns", str(_returns(tmp_path)), "--cost-noise", "nan"]
    assert main(["observe", "edge-of-care", *noisy]) == 2
    assert main(["observe", "edge-of-care", "--returns", str(tmp_path / "none.csv")]) == 2
    assert (
        main(["observe", "edge-of-care", "--returns", str(_returns(tmp_path)), "--as-of", "2026-01-01"]) == 2
    )
    assert main(["observe", "edge-of-care", "--template", str(tmp_path / "t.csv"), "--quarters", "99"]) == 2
    said = capsys.readouterr().err.strip().split("\n")
    assert len(said) == 5
    assert "--cost-noise: is out of range" in said[1]
    assert "nothing had been returned by then" in said[3]
    assert not (tmp_path / "t.csv").exists()


def test_the_command_takes_what_the_library_takes() -> None:
    """The noises that its help names are those of the likelihood."""
    options = parser().parse_args(["observe", "edge-of-care"])
    assert (options.cost_noise, options.saving_noise) == (COST_NOISE, SAVING_NOISE)


def test_template_then_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A blank return, filled in, is a return."""
    blank = tmp_path / "t.csv"
    assert main(["observe", "edge-of-care", "--template", str(blank), "--quarters", "1"]) == 0
    assert "rows to fill in" in capsys.readouterr().out
    lines = blank.read_text().split("\n")
    counted = (",outcome,", ",referrals,", ",starts,")
    filled = [
        line.replace(",,2026-12-31,", ",0,2027-01-20,") if any(item in line for item in counted) else line
        for line in lines
    ]
    blank.write_text("\n".join(filled))
    found = Returned(blank, shipped("edge-of-care"))
    assert len(found.said) == 7


def _returns(folder: Path) -> Path:
    """Two quarters of edge-of-care."""
    lines = ("started", "completed", "out of care 6 months", "out of care 12 months", "out of care 18 months")
    rows = ["deal,quarter_end,item,line,value,as_of"]
    for end, referred, started in (("2026-12-31", 5, 4), ("2027-03-31", 9, 8)):
        rows += [f"edge-of-care,{end},referrals,,{referred},2027-04-20"]
        rows += [f"edge-of-care,{end},starts,,{started},2027-04-20"]
        for line in lines:
            rows.append(f"edge-of-care,{end},outcome,{line},{started if line == 'started' else 0},2027-04-20")
    path = folder / "returns.csv"
    path.write_text("\n".join(rows) + "\n")
    return path
