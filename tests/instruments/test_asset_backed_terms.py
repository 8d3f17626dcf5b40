"""Terms of asset-backed deals that meet each other, each in a case small enough to do by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from socialfinance.cli import main
from socialfinance.core.ledger import Ledger
from socialfinance.engine.cases import run_case
from socialfinance.engine.deal import Outcome, run
from socialfinance.engine.ready import PLAN, futures_of, prepare, price_level
from socialfinance.funds.portfolio import Case
from socialfinance.instruments.asset_backed import CAUSES, LoanRepayment, shares_due
from socialfinance.io.files import load_data
from socialfinance.io.shipped import shipped
from socialfinance.io.yaml import dump, parse, plain
from socialfinance.kernels.returns import npv
from socialfinance.markets import pwlb
from socialfinance.scenarios.sources import Certain
from tests.developments import file_of, merged, one_development

Json = dict[str, Any]
SIMPLE: Json = {"sales": {"flats": {"presold": 0.0, "per_quarter": 4.0}}, "last_quarter": 6}
"""Works of 400,000 in quarters 1 and 2; then four flats a quarter at 100,000; four let at 2,000 a quarter."""
SHORT: Json = {
    "loan": {"repayment": {"first_quarter": 6, "last_quarter": 6}, "reserve_quarters": 0},
    "enforcement": {"delay": 2},
}


def ran(development: Json, deal: Json, case: Case = PLAN, quarters: int = 16, **more: Any) -> Outcome:
    ready = prepare(load_data(file_of(development, deal, quarters, **more)).portfolio)
    return run_case(ready, ready.deals[0], case, "deals.deal.cases.x.set", journal=True)


def by_row(
    outcome: Outcome, reason: str, payer: str | None = None, payee: str | None = None
) -> dict[int, float]:
    found: dict[int, float] = {}
    for entry in outcome.ledger.journal or []:
        if entry.reason == reason and payer in (None, entry.payer) and payee in (None, entry.payee):
            found[entry.row] = found.get(entry.row, 0.0) + entry.amount
    return found


def figure(outcome: Outcome, name: str) -> float:
    return float(next(f for f in outcome.lowered.figures if f.measure == name).read(outcome.state))


def progress(outcome: Outcome) -> list[float]:
    return [float(done.progress) for done in outcome.activity]


# --- the development ------------------------------------------------------------------------------------


def test_a_delay_is_a_slower_pace() -> None:
    """Two quarters take three: a third of the works in each of rows 1 to 3, and hand-over in row 3."""
    outcome = ran(SIMPLE, SHORT, Case(set={"build.delay": 1.5}))
    assert progress(outcome)[:5] == pytest.approx([0.0, 1 / 3, 2 / 3, 1.0, 1.0])
    assert by_row(outcome, "delivery cost")[1] == pytest.approx(800_000 / 3)
    assert min(by_row(outcome, "sale receipt")) == 3


def test_a_late_decision_moves_the_works() -> None:
    """The decision is planned for quarter 2; half as late again, it falls in row 3, and works begin in 4."""
    planning = {"planning": {"quarters": 2, "gain": 0.5}}
    outcome = ran({**SIMPLE, **planning}, SHORT, Case(set={"planning.delay": 1.5}))
    assert progress(outcome)[:6] == pytest.approx([0.0, 0.0, 0.0, 0.0, 0.5, 1.0])
    land = [float(done.land) for done in outcome.activity]
    assert land[:4] == pytest.approx([200_000, 200_000, 200_000, 300_000])


def test_the_decision_looks_no_further_than_its_row() -> None:
    """A pace that changes from quarter to quarter is added up as it comes: 1/2 + 1/4 + 1/4."""
    outcome = ran(
        {**SIMPLE, "planning": {"quarters": 1}}, SHORT, Case(set={"planning.delay": (2.0, 4.0, 4.0)})
    )
    assert progress(outcome)[:6] == pytest.approx([0.0, 0.0, 0.0, 0.0, 0.5, 1.0])


def test_cost_follows_the_curve() -> None:
    """3p^2 - 2p^3 over four quarters: 5/32, 11/32, 11/32, 5/32 of the cost."""
    outcome = ran({**SIMPLE, "build": {"quarters": 4, "s_curve": 1.0}}, merged(SHORT, {"loan": {
        "commitment": {"amount": 900_000.0}}}))  # fmt: skip
    spent = [by_row(outcome, "delivery cost").get(t, 0.0) for t in range(1, 5)]
    assert spent == pytest.approx([800_000 * share / 32 for share in (5, 11, 11, 5)])


def test_phases_are_handed_over_and_valued_as_they_come() -> None:
    """Four quarters in two phases: in row 1 a quarter of the first half's value is in, in row 2 it stands."""
    what = {**SIMPLE, "build": {"quarters": 4, "phases": 2}}
    outcome = ran(what, merged(SHORT, {"loan": {"commitment": {"amount": 900_000.0}}}))
    assert [float(done.handed) for done in outcome.activity[:5]] == [0.0, 0.0, 7.0, 0.0, 7.0]
    value = [float(done.value) for done in outcome.activity]
    complete = 1_400_000.0
    assert value[1] == pytest.approx(0.75 * 200_000 + 0.25 * complete)
    # row 2: half is there, of which four flats were sold; the other half of the site is land
    assert value[2] == pytest.approx(0.5 * complete - 4 * 100_000 + 0.5 * 200_000)
    # row 3: one flat was left to sell; half of the rest's cost is spent
    assert value[3] == pytest.approx(2 * 100_000 + 0.5 * (0.5 * 200_000 + 0.5 * complete))


def test_grant_comes_in_two_parts_and_a_saving_while_somebody_lives_there() -> None:
    what = {
        **SIMPLE,
        "grant": {"by": "agency", "amount": 100_000.0, "at_start": 0.4},
        "savings": {
            "beds": {"on": "rented", "agency": "commissioner", "unit_value": 500.0, "cashable": 0.25},
        },
    }
    roles = {"roles": {"agency": "homes"}, "parties": {"homes": {"kind": "housing"}}}
    outcome = ran(what, SHORT, **roles)
    assert by_row(outcome, "grant") == {1: 40_000.0, 2: 60_000.0}
    assert by_row(outcome, "saving") == dict.fromkeys(range(3, 7), 4 * 500.0 * 0.25)
    assert by_row(outcome, "non-cashable saving") == dict.fromkeys(range(3, 7), 4 * 500.0 * 0.75)


def test_rents_rise_once_a_year_within_the_collar() -> None:
    """An index of 10% a year and a point on top, held at 8%: 2,000, 2,160 from row 4, 2,332.80 from row 8."""
    what = {
        "lettings": {"rented": {"index": "prices", "above_index": 0.01, "collar": [0.0, 0.08]}},
        "last_quarter": 12,
    }
    outcome = ran({**SIMPLE, **what}, SHORT, indices={"prices": {"annual": 0.10}})
    rent = by_row(outcome, "rent")
    assert [rent[t] / 4 for t in (3, 4, 7, 8, 12)] == pytest.approx([2_000, 2_160, 2_160, 2_332.8, 2_519.424])


def test_works_that_cost_more_and_flats_that_bring_less() -> None:
    """A quarter more for the works; a tenth less rent, a flat in four empty, 5% never collected.

    Three are let: 3 x 2,000 x 0.9 x 0.95 = 5,130. In quarter 3 two flats are left to sell, and four to let
    are worth 8,000 x 0.9 x 0.75 / 0.08 = 67,500 each.
    """
    case = {
        "costs.works.overrun": 1.25, "lettings.rented.market": 0.9, "lettings.rented.void": 0.25,
    }  # fmt: skip
    deal = merged(SHORT, {"loan": {"commitment": {"amount": 900_000.0}}})
    outcome = ran({**SIMPLE, "lettings": {"rented": {"unpaid": 0.05}}}, deal, Case(set=case))
    assert by_row(outcome, "service payment", payee="builder")[1] == pytest.approx(500_000.0)
    assert by_row(outcome, "rent")[3] == pytest.approx(5_130.0)
    assert float(outcome.activity[3].value) == pytest.approx(2 * 100_000 + 4 * 67_500)


# --- land and capital ------------------------------------------------------------------------------------


def test_land_is_paid_for_later_counts_as_a_note_or_is_given() -> None:
    """200,000 of land: a quarter bought in quarter 3, half a note at 2% a quarter, and a quarter given."""
    deal = {
        **SHORT,
        "land": {"payments": [{"quarter": 3, "share": 0.25}]},
        "capital": {"land": {"land": 0.5, "rate": 1.02**4 - 1}},
    }
    outcome = ran(SIMPLE, deal)
    assert by_row(outcome, "property in kind", payer="anytown") == {0: 150_000.0}
    bought = by_row(outcome, "land payment", payee="anytown")
    assert bought[3] >= 50_000.0
    assert sum(bought.values()) == pytest.approx(50_000 + 100_000)
    returned = by_row(outcome, "investor return", payee="anytown")
    assert returned[3] == pytest.approx(100_000 * (1.02**3 - 1))
    notes = " ".join(outcome.lowered.notes)
    assert "£50,000 of the council's land is put in for nothing" in notes
    assert "below its market value" not in notes


def test_land_in_kind_is_in_no_sum() -> None:
    outcome = ran(SIMPLE, SHORT)
    assert "property in kind" not in {why for _, _, why in outcome.ledger.by_year}
    assert outcome.ledger.net["anytown"][0, 0] == 0.0
    total = sum(flows.sum() for flows in outcome.ledger.net.values())
    assert abs(total) < 1e-6


def test_who_is_paid_last_puts_in_first_and_standby_after_the_loan() -> None:
    """Of 400,000 in quarter 1: the partner's 200,000, members' 50,000, and 150,000 of the loan."""
    deal = merged(SHORT, {
        "capital": {"land": None, "partner": None, "members": {"by": "local investors", "amount": 50_000.0},
                    "owner": {"by": "partner", "amount": 200_000.0, "surplus": 1.0},
                    "overruns": {"by": "partner", "amount": 90_000.0, "standby": True}},
        "loan": {"commitment": {"amount": 500_000.0}},
    })  # fmt: skip
    case = Case(set={"sales.flats.demand": 0.0})
    roles = {"roles": {"local investors": "members"}, "parties": {"members": {"kind": "community"}}}
    outcome = ran(SIMPLE, deal, case, **roles)
    drawn = [by_row(outcome, "drawdown", payer=who) for who in ("developer", "members", "pension fund")]
    assert drawn[0][1] == pytest.approx(200_000.0)
    assert drawn[1] == {1: pytest.approx(50_000.0)}
    # quarter 2: 400,000 and interest of 3,000; the loan has 350,000 left, standby brings 53,000
    assert drawn[2] == {1: pytest.approx(150_000.0), 2: pytest.approx(350_000.0)}
    assert drawn[0][2] == pytest.approx(53_000.0)


def test_local_investors_have_their_capped_return_and_no_more() -> None:
    """50,000 at 1% a quarter from quarter 1: 51,005 in quarter 3, whatever is left for others."""
    deal = merged(SHORT, {
        "capital": {"land": None, "partner": None,
                    "members": {"by": "local investors", "amount": 50_000.0, "rate": 1.01**4 - 1},
                    "owner": {"by": "partner", "surplus": 1.0}},
        "loan": {"commitment": {"amount": 900_000.0}},
    })  # fmt: skip
    roles = {"roles": {"local investors": "members"}, "parties": {"members": {"kind": "community"}}}
    outcome = ran(SIMPLE, deal, **roles)
    net = outcome.ledger.net["members"][:, 0]
    assert net[1] == pytest.approx(-50_000.0)
    assert npv(net[:, None], 1.01**4 - 1)[0] == pytest.approx(0.0, abs=1e-6)
    assert sum(by_row(outcome, "surplus share").values()) > 0.0


def test_overage_on_planning_waits_for_the_rest_to_be_paid() -> None:
    """Half of what consent adds to 200,000 of land: owed in quarter 1, paid once the works are done."""
    deal = {**SHORT, "overage": {"share": 0.5, "above": 200_000.0, "on": "planning"}}
    what = {**SIMPLE, "planning": {"quarters": 1, "gain": 0.6}}
    outcome = ran(what, deal)
    assert sum(by_row(outcome, "overage").values()) == pytest.approx(0.5 * 120_000.0)
    assert min(by_row(outcome, "overage")) == 4


def test_ground_rent_is_reviewed_and_paid_with_the_bills() -> None:
    """1,600 a year, an index of 10% held at 4%: 400 a quarter, 416 from the quarter after quarter 4."""
    deal = merged(SHORT, {
        "land": {"ground_rent": 1_600.0},
        "indexation": {"index": "prices", "every": 4, "rises": [0.01, 0.04]},
    })  # fmt: skip
    outcome = ran({**SIMPLE, "last_quarter": 12}, deal, indices={"prices": {"annual": 0.10}})
    paid = by_row(outcome, "ground rent", payee="anytown")
    assert paid[1] == pytest.approx(400.0)
    assert paid[4] == pytest.approx(400.0)
    assert paid[5] == pytest.approx(416.0)
    assert paid[9] == pytest.approx(432.64)


def test_what_is_held_at_the_end_passes_by_the_shares_of_the_surplus() -> None:
    deal = merged(SHORT, {"capital": {"partner": {"surplus": 0.25},
                                      "council": {"by": "commissioner", "surplus": 0.75}}})  # fmt: skip
    outcome = ran(SIMPLE, deal)
    assert by_row(outcome, "property in kind", payee="developer") == {16: pytest.approx(100_000.0)}
    assert by_row(outcome, "property in kind", payee="anytown") == {16: pytest.approx(300_000.0)}
    assert figure(outcome, "property_at_end") == pytest.approx(400_000.0)
    assert figure(outcome, "council_property_at_end") == pytest.approx(300_000.0)


# --- the loan, its tests, and what follows ---------------------------------------------------------------

UNSOLD = {"sales.flats.demand": 0.0}
"""No flat finds a buyer: 604,000 is owed after quarter 2."""
TESTED: Json = merged(SHORT, {
    "loan": {"availability_quarters": 6, "repayment": {"first_quarter": 9, "last_quarter": 9}},
    "covenants": {"loan_to_value": {"most": 0.8, "first_quarter": 4}, "waiver_quarters": 0},
})  # fmt: skip
WAITING: Json = {**SIMPLE, "last_quarter": 12}


def test_a_breach_is_cured_to_where_the_test_holds() -> None:
    """Prices fall to 30%: 614,261.60 is owed against 80% of 700,000 in quarter 4, so 54,261.60 is put in."""
    deal = merged(TESTED, {"covenants": {"cure": {"by": "commissioner", "limit": 60_000.0, "times": 2}}})
    outcome = ran(WAITING, deal, Case(set={**UNSOLD, "sales.flats.market": 0.3}))
    assert by_row(outcome, "cure payment")[4] == pytest.approx(54_261.60)
    assert by_row(outcome, "principal")[4] == pytest.approx(54_261.60)
    assert figure(outcome, "covenant_cured") == 1.0
    # in quarter 5 the loan has grown by 4,200 of interest that rent does not pay: within the limit again
    assert by_row(outcome, "cure payment")[5] == pytest.approx(0.02 * 560_000 - 7_000)


def test_a_cure_beyond_its_limit_is_none_at_all() -> None:
    deal = merged(TESTED, {"covenants": {"cure": {"by": "commissioner", "limit": 54_000.0, "times": 2}}})
    outcome = ran(WAITING, deal, Case(set={**UNSOLD, "sales.flats.market": 0.3}))
    assert by_row(outcome, "cure payment") == {}
    assert figure(outcome, "ended_covenant") == 1.0
    # called in after quarter 4, sold two quarters later at 20% below 700,000 and a cost of 2%
    assert by_row(outcome, "property sale") == {6: pytest.approx(560_000.0)}
    assert by_row(outcome, "other cost", payer="deal vehicle") == {6: pytest.approx(11_200.0)}


@pytest.mark.parametrize(("waiver", "sold"), [(0, 6), (1, 7), (3, 9)])
def test_a_waiver_tolerates_a_breach_for_so_many_quarters(waiver: int, sold: int) -> None:
    deal = merged(TESTED, {"covenants": {"waiver_quarters": waiver}})
    outcome = ran(WAITING, deal, Case(set={**UNSOLD, "sales.flats.market": 0.3}))
    assert list(by_row(outcome, "property sale")) == [sold]


def test_a_lock_up_holds_back_what_a_breach_would_call_in() -> None:
    """Four flats sold and no more buyers: 212,000 is owed on 1m. Above a lock-up of 0.2 nobody is paid.

    Without it rent less cost and interest, 2,760 a quarter, goes to the council's note from quarter 3. With
    it the loan, unpaid at maturity in quarter 9, is repaid by the sale in quarter 12 before anybody else.
    """
    deal = merged(TESTED, {"covenants": {"loan_to_value": {"lock_up": 0.2, "first_quarter": 3}}})
    what = merged(WAITING, {"sales": {"flats": {"presold": 0.4}}})
    locked, free = ran(what, deal, Case(set=UNSOLD)), ran(what, TESTED, Case(set=UNSOLD))
    assert (figure(locked, "locked_up"), figure(free, "locked_up")) == (1.0, 0.0)
    assert by_row(free, "land payment")[3] == pytest.approx(2_760.0)
    assert list(by_row(locked, "land payment")) == [12]
    assert figure(locked, "covenant_breached") == 0.0
    # seven times 2,760 (quarters 3 to 9) were kept, and go to the lender in quarter 9
    assert by_row(locked, "principal")[9] == pytest.approx(7 * 2_760.0)


def test_a_reserve_is_kept_before_anybody_is_paid() -> None:
    """Two quarters' interest on 212,000 is 8,480; 2,760 comes in a quarter from quarter 3 on: 11,040 by 6."""
    deal = merged(TESTED, {"loan": {"reserve_quarters": 2}})
    what = merged(WAITING, {"sales": {"flats": {"presold": 0.4}}})
    paid = by_row(ran(what, deal, Case(set=UNSOLD)), "land payment")
    assert min(paid) == 6
    assert paid[6] == pytest.approx(4 * 2_760.0 - 8_480.0)


def test_interest_cover_looks_at_four_quarters_together() -> None:
    """Rent less management is 7,000 a quarter from quarter 3; interest 4,000 in quarter 2 and 12,080 after.

    Quarter 4: 14,000 over 4,000 + 12,080 + 12,181.60 = 0.495, below 0.5: called in. With 0.49 it holds then.
    """
    for least, called in ((0.5, 1.0), (0.49, 0.0)):
        covenant = {"interest_cover": {"least": least, "first_quarter": 4}, "loan_to_value": None}
        deal = merged(TESTED, {"covenants": covenant})
        ready = prepare(load_data(file_of(WAITING, deal, 16)).portfolio)
        one = ready.deals[0]
        states = []
        lowered = one.own.lowered

        def watched(terms: Any, state: Any, now: Any, lowered: Any = lowered, states: Any = states) -> Any:
            found = lowered.step(terms, state, now)
            states.append(found[0])
            return found

        from dataclasses import replace

        own = replace(one.own, lowered=lowered._replace(step=watched))
        common = ready.common(0, None)
        futures = futures_of(one, Certain({}, None, UNSOLD), common)
        run(one, (own,), futures, price_level(one, common), (Ledger(one.calendar.year_of_row, 1),))
        assert states[4].ever_called == called


def test_no_interest_in_four_quarters_is_no_breach_of_cover() -> None:
    """Repaid in quarter 3, drawn again in quarter 10: nothing was charged in 7 to 10, so it is not short.

    What the interest of quarters 2 and 3 leaves when it is taken off again is a rounding error, and no test.
    """
    what = {
        **SIMPLE, "last_quarter": 12, "lettings": None,
        "costs": {"management": None, "roof": {"one_off": 50_000.0, "first_quarter": 10}},
    }  # fmt: skip
    deal = merged(SHORT, {
        "covenants": {"interest_cover": {"least": 1.0, "first_quarter": 10}},
        "loan": {"availability_quarters": 10, "rate": {"value": 0.07},
                 "repayment": {"first_quarter": 10, "last_quarter": 10}},
        "capital": {"partner": {"amount": 150_000.37}},
    })  # fmt: skip
    outcome = ran(what, deal)
    assert by_row(outcome, "drawdown", payer="pension fund")[10] == pytest.approx(50_000.0)
    assert figure(outcome, "payment_missed") == 1.0
    assert figure(outcome, "covenant_breached") == 0.0


def test_a_missed_payment_calls_the_loan_in_and_the_guarantee_follows_the_sale() -> None:
    """From quarter 5 rent of 7,000 meets interest of 12,285: missed twice, called in after 6, sold in 8."""
    deal = merged(TESTED, {
        "covenants": {"loan_to_value": None}, "loan": {"availability_quarters": 4},
        "layers": [{"guarantor": "commissioner", "cover": 0.5, "claim_lag": 2}],
    })  # fmt: skip
    outcome = ran(WAITING, deal, Case(set={**UNSOLD, "sales.flats.market": 0.1}))
    assert figure(outcome, "ended_missed payment") == 1.0
    assert list(by_row(outcome, "property sale")) == [8]
    called = by_row(outcome, "guarantee call")
    assert list(called) == [10]
    # owed: 614,261.60; interest left of 5,285.23, and then 2% on all of it less 7,000, three times over
    interest = 0.0
    for _ in range(4):
        interest += 0.02 * (614_261.60 + interest) - 7_000.0
    brought = 0.98 * 0.8 * 500_000.0
    assert called[10] == pytest.approx(0.5 * (614_261.60 - (brought - interest)), rel=1e-9)


def test_a_missed_payment_guarantor_pays_each_instalment_and_is_owed_back() -> None:
    deal = merged(TESTED, {
        "covenants": {"loan_to_value": None}, "loan": {"availability_quarters": 4},
        "layers": [{"guarantor": "commissioner", "cover": 1.0, "when": "missed payment", "interest": True,
                    "claim_lag": 0, "recoveries": "guarantor first"}],
    })  # fmt: skip
    outcome = ran(WAITING, deal, Case(set=UNSOLD))
    called = by_row(outcome, "guarantee call")
    assert called[5] == pytest.approx(0.02 * 614_261.60 - 7_000.0)
    assert called[6] == pytest.approx(called[5])  # the lender is owed no more than before
    # sold in quarter 8 at 80% of 1.4m less 2%: the lender is paid in full, and the guarantor has it back
    assert sum(by_row(outcome, "recovery").values()) == pytest.approx(sum(called.values()))
    assert figure(outcome, "loss_before_guarantees") == pytest.approx(0.0, abs=1e-6)


def test_fees_of_lender_and_guarantor_are_bills() -> None:
    """700,000 of loan, half of it guaranteed: 1% of each at the start, and 1% a quarter.

    Close: 3,500 to the guarantor, from the partner. Quarter 1: 196,500 of the partner's and 203,500 + 7,000
    of the loan. Quarter 2: 1% of half of 210,500, and 1% of the 489,500 that may still be drawn.
    """
    yearly = 1.01**4 - 1
    deal = merged(TESTED, {
        "loan": {"arrangement_fee": 0.01, "commitment_fee": yearly},
        "layers": [{"guarantor": "commissioner", "cover": 0.5, "fee": {"upfront": 0.01, "running": yearly}}],
    })  # fmt: skip
    outcome = ran(WAITING, deal, Case(set=UNSOLD))
    assert by_row(outcome, "drawdown", payer="developer") == {0: 3_500.0, 1: pytest.approx(196_500.0)}
    assert by_row(outcome, "arrangement fee") == {1: pytest.approx(7_000.0)}
    assert by_row(outcome, "drawdown", payer="pension fund")[1] == pytest.approx(210_500.0)
    assert by_row(outcome, "commitment fee")[2] == pytest.approx(4_895.0)
    fees = by_row(outcome, "guarantee fee", payer="deal vehicle", payee="anytown")
    assert (fees[0], fees[2]) == (pytest.approx(3_500.0), pytest.approx(1_052.5))


def test_the_sweep_takes_its_share_of_sales_and_grant() -> None:
    """In quarter 2 sales of 400,000 and grant of 100,000 come in, and a tenth of both repays the loan."""
    what = {**WAITING, "grant": {"by": "agency", "amount": 100_000.0, "at_start": 0.0}}
    deal = merged(TESTED, {"loan": {"sweep": 0.1}})
    roles = {"roles": {"agency": "homes"}, "parties": {"homes": {"kind": "housing"}}}
    assert by_row(ran(what, deal, **roles), "principal")[2] == pytest.approx(50_000.0)


def test_a_guarantee_ends_at_its_cap() -> None:
    case = Case(set={**UNSOLD, "sales.flats.market": 0.1})
    layer = {"guarantor": "commissioner", "cover": 0.5}
    free = ran(WAITING, merged(TESTED, {"layers": [layer]}), case)
    capped = ran(WAITING, merged(TESTED, {"layers": [{**layer, "cap": 40_000.0}]}), case)
    assert sum(by_row(free, "guarantee call").values()) > 40_000.0
    assert sum(by_row(capped, "guarantee call").values()) == pytest.approx(40_000.0)
    assert figure(capped, "loss_uncovered") == pytest.approx(
        figure(free, "loss_before_guarantees") - 40_000.0
    )


def test_from_half_of_the_loan_on_the_report_asks_who_consolidates_the_vehicle() -> None:
    for cover, asked in ((0.5, True), (0.49, False)):
        layers = {"layers": [{"guarantor": "commissioner", "cover": cover}]}
        said = " ".join(ran(WAITING, merged(TESTED, layers)).lowered.notes)
        assert ("consolidates the vehicle (IFRS 10)" in said) == asked


def test_a_void_guarantee_pays_nothing() -> None:
    layer = {"guarantor": "commissioner", "cover": 0.5, "enforceability": {"void": 0.4}}
    deal = merged(TESTED, {"layers": [layer]})
    case = {**UNSOLD, "sales.flats.market": 0.1}
    name = "instrument.guarantee 1 commissioner.void"
    held = ran(WAITING, deal, Case(set={**case, name: 0.9}))
    void = ran(WAITING, deal, Case(set={**case, name: 0.1}))
    assert sum(by_row(held, "guarantee call").values()) > 0.0
    assert by_row(void, "guarantee call") == {}
    assert figure(void, "loss_uncovered") == pytest.approx(figure(held, "loss_before_guarantees"))


def test_works_stop_while_a_bill_is_unpaid() -> None:
    """A loan of 150,000 for works of 800,000: after quarter 1 the builder is owed 50,000 and stops."""
    deal = merged(SHORT, {"loan": {"commitment": {"amount": 150_000.0}}})
    outcome = ran(SIMPLE, deal)
    assert progress(outcome)[:4] == pytest.approx([0.0, 0.5, 0.5, 0.5])
    # interest is missed from quarter 2 and bills are unpaid from quarter 1: both call it in after quarter 3
    assert figure(outcome, "ended_unpaid bills") == 1.0
    # sold in quarter 5: half of land and half of what is complete, at 80%; that pays the lender, then bills
    assert by_row(outcome, "property sale") == {5: pytest.approx(0.8 * 800_000.0)}
    assert by_row(outcome, "service payment")[5] == pytest.approx(50_000.0)
    assert figure(outcome, "unpaid_at_end") == 0.0


def test_a_refusal_sells_the_site_as_it_stands() -> None:
    what = merged(SIMPLE, {
        "planning": {"quarters": 2, "chance": 0.7, "gain": 2.0},
        "costs": {"early": {"paid_to": "intermediary", "reason": "set-up cost", "per_quarter": 10_000.0}},
    })  # fmt: skip
    outcome = ran(what, SHORT, Case(set={"planning.granted": 0.0}))
    assert figure(outcome, "ended_planning refused") == 1.0
    assert by_row(outcome, "property sale") == {2: pytest.approx(200_000.0)}
    assert by_row(outcome, "land payment") == {2: pytest.approx(186_000.0)}  # less 2%, and 10,000 of bills
    assert by_row(outcome, "drawdown") == {1: pytest.approx(10_000.0)}
    assert by_row(outcome, "set-up cost") == {1: 10_000.0, 2: 10_000.0}


def test_what_is_paid_in_full_is_called_in_no_longer() -> None:
    """A bill of 11,000 meets rent of 8,000 in quarter 3: called in. Quarter 4 pays the rest.

    So in quarter 5 it is called in no longer, and sales, which stood still in 4 and 5, go on in quarter 6.
    """
    what = merged(SIMPLE, {
        "last_quarter": 12, "costs": {"repair": {"one_off": 10_000.0, "first_quarter": 3}},
    })  # fmt: skip
    deal = merged(SHORT, {
        "capital": {"partner": {"amount": 800_000.0}}, "enforcement": {"arrears_quarters": 1, "delay": 4},
        "loan": {"availability_quarters": 2},
    })  # fmt: skip
    outcome = ran(what, deal, Case(set={"sales.flats.demand": (0.0, 0.0, 0.0, 9.0)}))
    assert by_row(outcome, "service payment", payee="builder")[3] == pytest.approx(8_000.0)
    assert by_row(outcome, "service payment", payee="builder")[4] == pytest.approx(4_000.0)
    assert figure(outcome, "called_in") == 1.0
    assert min(by_row(outcome, "sale receipt")) == 6
    assert by_row(outcome, "property sale") == {}
    assert [figure(outcome, f"ended_{cause}") for cause in CAUSES] == [0.0] * 4
    assert min(by_row(outcome, "land payment")) == 5


def test_annuity_instalments_are_level_and_a_balloon_is_left() -> None:
    rate, rows = 0.02, 21
    for balloon in (0.0, 0.4):
        terms = LoanRepayment(profile="annuity", first_quarter=1, last_quarter=20, balloon=balloon)
        shares = shares_due(terms, rate, rows)
        owed, paid = 1.0, []
        for t in range(1, 21):
            paid.append(owed * (rate + shares[t]))
            owed *= 1.0 - shares[t]
        level = (1.0 - balloon) * rate / (1.0 - 1.02**-20) + balloon * rate
        assert paid[:-1] == pytest.approx([level] * 19)
        assert paid[-1] == pytest.approx(level + balloon)
        assert owed == 0.0


def test_equal_instalments_every_other_quarter() -> None:
    terms = LoanRepayment(profile="eip", first_quarter=2, last_quarter=9, every=2)
    shares = shares_due(terms, 0.02, 12)
    assert [t for t, share in enumerate(shares) if share] == [3, 5, 7, 9]
    assert [shares[t] for t in (3, 5, 7, 9)] == pytest.approx([1 / 4, 1 / 3, 1 / 2, 1.0])


# --- purposes, the PWLB, and the council by itself ---------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"purpose": "yield"}, "the PWLB lends to it for nothing"),
        ({"purpose": "regeneration"}, "its declared purpose is regeneration, for which the PWLB lends"),
        (
            {"purpose": "regeneration", "sales": {"flats": {"units": 1.0}},
             "lettings": {"rented": {"market_rent": True}}},
            "80% of the completed value is let at market rent",
        ),
    ],
    ids=["yield", "declared", "queried"],
)  # fmt: skip
def test_what_a_purpose_means_is_said_by_every_command(
    change: Json, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "scheme.yaml"
    file.write_text(dump(file_of(merged(SIMPLE, change), SHORT)), encoding="utf-8")
    assert main(["validate", str(file)]) == 0
    assert said in " ".join(capsys.readouterr().out.split())
    assert main(["run", str(file), "--paths", "20", "--quiet"]) == 0
    assert said in " ".join(capsys.readouterr().out.split())


def test_croydons_shape_takes_a_large_scheme() -> None:
    """The shipped sheet on a scheme of £450m over 28 years: it runs, and the council's note ranks first."""
    path = shipped("instruments")["croydon-style-vehicle"]
    sheet = plain(parse(path.read_bytes(), path.name))
    development = merged(SIMPLE, {
        "land": {"value": 40e6}, "build": {"quarters": 60, "phases": 10, "s_curve": 1.0},
        "sales": {"flats": {"units": 1200.0, "price": 330_000.0, "per_quarter": 25.0, "presold": 0.3}},
        "lettings": {"rented": {"units": 300.0, "rent": 4_500.0, "per_quarter": 40.0, "gross_yield": 0.06}},
        "costs": {"works": {"works": 310e6}}, "last_quarter": 116,
    })  # fmt: skip
    file = file_of(development, None, 118)
    file["deals"]["deal"]["instrument"] = sheet
    ready = prepare(load_data(file).portfolio)
    outcome = run_case(ready, ready.deals[0], PLAN, "", journal=True)
    assert abs(sum(flows.sum() for flows in outcome.ledger.net.values())) < 1e-3
    assert figure(outcome, "called_in") == 0.0
    assert figure(outcome, "capital received: council loan note") > 40e6
    shares = [figure(outcome, f"capital received: {who} shares") for who in ("council", "partner")]
    assert shares[0] == pytest.approx(shares[1])
    assert shares[0] > 0.0


def comparators(development: Json, **more: Any) -> dict[str, Outcome]:
    ready = prepare(one_development(development, SHORT, **more))
    deal = ready.deals[0]
    common = ready.common(0, None)
    futures = futures_of(deal, Certain({}), common)
    books = [Ledger(deal.calendar.year_of_row, 1, journal=True) for _ in deal.comparators]
    outcomes = run(deal, deal.comparators, futures, price_level(deal, common), books)
    return {one.name: outcome for one, outcome in zip(deal.comparators, outcomes, strict=True)}


def test_the_council_builds_from_reserves_or_borrows_for_what_is_capital() -> None:
    """Loans of 400,000 less grant in quarters 1 and 2, maturity over two years, fair at their own rate."""
    what = {**SIMPLE, "grant": {"by": "agency", "amount": 100_000.0, "at_start": 1.0}}
    found = comparators(what, roles={"agency": "homes"}, parties={"homes": {"kind": "housing"}})
    assert list(found) == ["council builds, from reserves", "council builds, PWLB loans", "do nothing"]
    alone = found["council builds, from reserves"].ledger.net["anytown"][:, 0]
    assert alone[:4].tolist() == pytest.approx([0.0, -300_000.0, -8_000.0, 399_000.0])
    assert found["do nothing"].ledger.net == {}
    loans = found["council builds, PWLB loans"]
    lender = loans.ledger.net["pwlb"][:, 0]
    assert lender[1:3].tolist() == pytest.approx([-300_000.0, -400_000.0])
    rate = pwlb.rate(2, "maturity", "certainty")
    assert npv(lender[:, None], (1 + rate / 2) ** 2 - 1)[0] == pytest.approx(0.0, abs=1e-6)
    for one in (found["council builds, from reserves"], loans):
        assert figure(one, "council_property_at_end") == pytest.approx(400_000.0)
    assert np.sum(loans.ledger.net["anytown"]) == pytest.approx(np.sum(alone) - np.sum(lender))


def test_property_that_passes_is_no_money_of_the_institution() -> None:
    strip = {
        "kind": "income-strip", "capital_sum": 900_000.0, "rent": 60_000.0, "starts": 0, "quarters": 12,
        "indexation": {},
    }  # fmt: skip
    outcome = ran(SIMPLE, strip, roles={"partner": None})
    paid_in, back = outcome.ledger.of_role("investor")
    assert paid_in.sum() == pytest.approx(900_000.0)
    assert back.sum() == pytest.approx(12 * 15_000.0 + 1.0)
    assert by_row(outcome, "property in kind") == {12: pytest.approx(400_000.0)}
    assert not math.isfinite(outcome.lowered.maximum["commissioner"])
    collared = ran(SIMPLE, {**strip, "indexation": {"rises": [0.0, 0.05]}}, roles={"partner": None})
    assert collared.lowered.maximum["commissioner"] == pytest.approx(60_000 * (1 + 1.05 + 1.05**2) + 1.0)
