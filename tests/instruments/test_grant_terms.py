"""Terms of the grant that meet each other, each in a case small enough to do by hand."""

from __future__ import annotations

from typing import Any

import pytest

from socialfinance import simulate
from socialfinance.core.errors import InputError
from socialfinance.engine.ready import prepare
from socialfinance.funds.portfolio import Portfolio
from socialfinance.reports.console import report
from tests.fixtures import one_deal
from tests.worked import changed, without_tariff, worked

GRANT: dict[str, Any] = {"kind": "grant", "amount": 40_000.0, "instalments": {"first": {"share": 1.0}}}
PARTIES: dict[str, Any] = {"commissioner": "anytown", "investor": "fund", "provider": "charity"}
VEHICLE, FUNDER, CHARITY, COUNCIL = "deal vehicle", "fund", "charity", "anytown"
Paid = dict[tuple[int, str, str, str], float]


def bond(**programme: Any) -> Portfolio:
    """Ten people in quarters 1 and 2, half of whom settle a quarter later; 10,000 in quarters 1 to 3."""
    what = {
        "referrals": {"schedule": (10.0, 10.0), "arrival": "as planned"},
        "outcomes": {"outcome": {"probability": 0.5, "lag": 1}},
        "costs": {"delivery": {"per_quarter": 10_000.0, "first_quarter": 1, "last_quarter": 3}},
        **programme,
    }
    return one_deal(prices={"outcome": 4_000.0}, programme=what)


def given(terms: dict[str, Any], parties: dict[str, Any] | None = None, **programme: Any) -> Portfolio:
    """A grant on it, without a tariff."""
    return without_tariff(
        bond(**programme), instrument={**GRANT, **terms}, parties={**PARTIES, **(parties or {})}
    )


def by_row(paid: Paid, *leg: str) -> dict[int, float]:
    """One leg by row."""
    return {t: amount for (t, *found), amount in paid.items() if tuple(found) == leg and amount}


def test_a_milestone_that_is_late_is_paid_when_it_is_reached() -> None:
    """Five settle in each of rows 2 and 3, as planned: a milestone of 1.5 times the plan is never reached."""
    parts = {
        "at once": {"share": 0.2},
        "reached": {"share": 0.4, "from_quarter": 1, "milestone": {"line": "outcome", "of_plan": 1.0}},
        "never": {"share": 0.4, "from_quarter": 1, "milestone": {"line": "outcome", "of_plan": 1.5}},
    }
    outcome, paid = worked(given({"instalments": parts}))
    # in row 1 nothing is planned yet, which counts as 1
    assert by_row(paid, FUNDER, VEHICLE, "grant") == {0: 8_000.0, 1: 16_000.0}
    parts["never"]["from_quarter"] = parts["reached"]["from_quarter"] = 2
    _, paid = worked(given({"instalments": parts}))
    assert by_row(paid, FUNDER, VEHICLE, "grant") == {0: 8_000.0, 2: 16_000.0}
    assert outcome.state.granted == 24_000.0


def test_several_grantees_have_their_shares_of_everything() -> None:
    three = ({"party": "charity", "share": 0.5}, {"party": "b", "share": 0.3}, {"party": "c", "share": 0.2})
    data = given({"overheads": 0.1, "amount": 20_000.0}).model_dump(exclude_unset=True)
    data["parties"] |= {"b": {"kind": "provider"}, "c": {"kind": "provider"}}
    data["deals"]["deal"]["parties"]["provider"] = three
    outcome, paid = worked(Portfolio.model_validate(data))
    for party, share in (("charity", 0.5), ("b", 0.3), ("c", 0.2)):
        assert by_row(paid, VEHICLE, party, "grant") == {0: pytest.approx(2_000.0 * share)}
        service = by_row(paid, VEHICLE, party, "service payment")
        assert sum(service.values()) == pytest.approx(18_000.0 * share)
        net = outcome.ledger.net[party].sum()
        assert net == pytest.approx(-12_000.0 * share)  # their own contribution
    assert outcome.state.carried == pytest.approx(12_000.0)


def test_a_grant_beside_outcome_payments_gives_back_what_is_unspent_and_no_more() -> None:
    """40,000 granted and 40,000 earned for a cost of 30,000: 40,000 goes back, 10,000 stays."""
    portfolio = changed(bond(), {"instrument": GRANT, "parties": {**PARTIES, "council": "anytown"}})
    _, paid = worked(portfolio)
    assert sum(by_row(paid, COUNCIL, VEHICLE, "outcome payment").values()) == pytest.approx(40_000.0)
    assert by_row(paid, VEHICLE, FUNDER, "clawback") == {4: pytest.approx(40_000.0)}
    assert by_row(paid, VEHICLE, CHARITY, "surplus share") == {4: pytest.approx(10_000.0)}


def test_what_is_not_clawed_back_stays_with_the_grantee() -> None:
    _, paid = worked(given({"clawback": 0.25}))
    assert by_row(paid, VEHICLE, FUNDER, "clawback") == {3: pytest.approx(2_500.0)}
    assert by_row(paid, VEHICLE, CHARITY, "surplus share") == {3: pytest.approx(7_500.0)}


def test_an_early_end_stops_instalments_and_returns_what_is_left() -> None:
    """Ended by policy in row 1: no second instalment, delivery stops, 10,000 goes back at once."""
    parts = {"first": {"share": 0.5}, "second": {"share": 0.5, "from_quarter": 2}}
    ends = {"policy": {"at_quarter": 1}, "wind_down_quarters": 0}
    followed = {"per_quarter": 100.0, "last_quarter": 8}
    _, paid = worked(given({"instalments": parts, "termination": ends, "monitoring": followed}))
    assert by_row(paid, FUNDER, VEHICLE, "grant") == {0: 20_000.0}
    assert by_row(paid, VEHICLE, CHARITY, "service payment") == {1: 10_000.0}
    assert by_row(paid, VEHICLE, FUNDER, "clawback") == {1: pytest.approx(10_000.0)}
    assert by_row(paid, FUNDER, "outside", "other cost") == {1: 100.0}


def test_cost_outside_a_cap_is_the_grant_s_where_there_is_no_tariff() -> None:
    costs = {
        "delivery": {"per_quarter": 10_000.0, "first_quarter": 1, "last_quarter": 3, "inside_cap": False},
        "vehicle": {"paid_to": "intermediary", "per_quarter": 900.0, "basis": "vehicle"},
    }
    outcome, paid = worked(given({}, costs=costs))
    assert not by_row(paid, COUNCIL, VEHICLE, "reimbursed cost")
    assert sum(by_row(paid, VEHICLE, CHARITY, "service payment").values()) == pytest.approx(30_000.0)
    assert "intermediary" not in outcome.ledger.net


def test_a_shared_impact_counts_the_grant_s_share() -> None:
    outcome, _ = worked(given({"impact": {"line": "outcome", "share": 0.3}}))
    figures = {one.measure: float(one.read(outcome.state)) for one in outcome.lowered.figures}
    assert figures["contributed: outcome"] == pytest.approx(3.0)


@pytest.mark.parametrize("terms", [
    {"impact": {"line": "other", "share": 0.3}},
    {"instalments": {"first": {"share": 1.0, "milestone": {"line": "other", "of_plan": 0.5}}}},
])  # fmt: skip
def test_a_line_that_is_not_there_is_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="is not an outcome line of the programme") as caught:
        prepare(given(terms))
    assert caught.value.field is not None
    assert caught.value.field.endswith("line")


def test_the_page_shows_a_grant_as_money_that_does_not_come_back() -> None:
    text = report(simulate(given({"impact": {"line": "outcome", "share": 0.3}}), paths=64, workers=1))
    assert "GRANTS" in text
    assert "nothing is to come back but what is unspent" in text
    for word in ("INVESTMENT COMMITTEE", "gain, investors", "IRR"):
        assert word not in text
