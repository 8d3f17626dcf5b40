"""The development and the asset-backed deal of their pages, row by row."""

from __future__ import annotations

from typing import Any

import pytest

from socialfinance.engine.cases import run_case
from socialfinance.engine.deal import Outcome
from socialfinance.engine.ready import PLAN, prepare
from socialfinance.funds.portfolio import Case
from tests.developments import file_of, one_development
from tests.worked import tables

Json = dict[str, Any]
DEVELOPMENT: Json = {"sales": {"flats": {"presold": 0.0, "per_quarter": 4.0}}, "last_quarter": 6}
DEAL: Json = {
    "loan": {"repayment": {"first_quarter": 4, "last_quarter": 4}, "reserve_quarters": 0},
    "covenants": {"loan_to_value": {"most": 0.8, "first_quarter": 4}, "waiver_quarters": 0},
    "enforcement": {"delay": 2, "discount": 0.2},
    "layers": [{"guarantor": "commissioner", "cover": 0.5}],
    "overage": {"share": 0.5, "above": 900_000.0},
    "exit": {"quarter": 6},
}
FALLEN = Case(set={"sales.flats.market": 0.2, "sales.flats.demand": 0.0})
REASONS: dict[str, tuple[str, ...]] = {
    "receipts": ("sale receipt",),
    "rent": ("rent",),
    "bill": ("service payment",),
    "interest": ("interest",),
    "principal": ("principal",),
    "sold": ("property sale",),
    "overage": ("overage",),
    "land payment": ("land payment",),
    "capital returned": ("capital returned",),
    "surplus": ("surplus share",),
    "guarantee call": ("guarantee call",),
}
OUTSIDE = {"delivery cost"}
"""What builder and agents spend; the agents' own cost has the reason of the cost of a sale."""


def ran(file: Json, case: Case = PLAN) -> Outcome:
    from socialfinance.io.files import load_data

    ready = prepare(load_data(file).portfolio)
    return run_case(ready, ready.deals[0], case, "deals.deal.cases.x.set", journal=True)


def by_row(outcome: Outcome) -> dict[tuple[int, str], float]:
    """The journal by row and heading; what several headings share is told apart by payer or payee."""
    found: dict[tuple[int, str], float] = {}
    for entry in outcome.ledger.journal or []:
        name = entry.reason
        if name == "drawdown":
            name = "partner" if entry.payer == "developer" else "loan"
        elif name == "other cost":
            name = "sale cost" if entry.payer == "deal vehicle" else "spent"
        found[entry.row, name] = found.get((entry.row, name), 0.0) + entry.amount
    return found


@pytest.mark.parametrize(("place", "case"), [(0, PLAN), (1, FALLEN)], ids=["as planned", "called in"])
def test_every_payment_of_the_asset_backed_deal_is_on_the_page(place: int, case: Case) -> None:
    outcome = ran(file_of(DEVELOPMENT, DEAL, quarters=9), case)
    paid = by_row(outcome)
    own = {"partner": "partner", "loan": "loan", "sale cost": "sale cost"}
    outstanding = 0.0
    for row in tables("asset-backed")[place]:
        t = int(row["row"])
        for heading, shown in row.items():
            if heading in ("row", "outstanding"):
                continue
            name = own.get(heading) or REASONS[heading][0]
            assert paid.pop((t, name), 0.0) == pytest.approx(shown, abs=0.0051), (t, heading)
        outstanding += row["loan"] - row["principal"]
        owed = 0.0 if t >= 6 else outstanding
        assert row["outstanding"] == pytest.approx(owed, abs=0.0051)
    rest = {name for (_, name), amount in paid.items() if amount}
    assert rest <= {"delivery cost", "spent", "property in kind"}
    assert paid[0, "property in kind"] == 200_000.0


def test_what_is_left_after_the_guarantee_is_written_off() -> None:
    outcome = ran(file_of(DEVELOPMENT, DEAL, quarters=9), FALLEN)
    figures = {f.measure: f.read(outcome.state) for f in outcome.lowered.figures}
    assert figures["loss_before_guarantees"] == pytest.approx(154_537.77, abs=0.01)
    assert figures["loss_covered"] == pytest.approx(77_268.88, abs=0.01)
    assert figures["loss_uncovered"] == pytest.approx(77_268.88, abs=0.01)
    assert figures["ended_covenant"] == 1.0


def test_every_row_of_the_development_is_on_the_page() -> None:
    done = prepare(one_development(DEVELOPMENT, DEAL, quarters=9)).deals[0].plan
    for row in tables("development")[0]:
        one = done[int(row["row"])]
        works, agents, management = one.costs
        shown = (
            one.progress, works, one.sold[0], one.receipts[0], agents, one.let[0], one.rents[0], management,
            one.value,
        )  # fmt: skip
        names = ("progress", "works", "sold", "receipts", "agents", "let", "rent", "management", "value")
        assert [float(x) for x in shown] == pytest.approx([row[name] for name in names])
