"""The capital side by year: by hand, what holds whatever the numbers, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from socialfinance.core.errors import InputError
from socialfinance.council import mrp
from socialfinance.council.capital import (
    COLUMNS,
    Finances,
    Spending,
    by_year,
    lease,
    lease_by_year,
    provision,
    spending_of,
)
from socialfinance.council.treatment import by_column, kind_of
from tests.council.shipped import played
from tests.council.test_treatment import PARTIES, part_of

USUAL = settings(deadline=None)
PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "council" / "capital.md"
POUNDS = st.integers(0, 10**7).map(float)


def years(n: int) -> list[str]:
    return [f"{2026 + i}/{27 + i:02d}" for i in range(n)]


# --- by hand ---------------------------------------------------------------------------------------------


def test_ten_million_over_forty_years() -> None:
    """Spent in year 0, charged from year 1: £250,000, or £93,431.47 rising to £520,030.11."""
    spent = [10_000_000.0] + [0.0] * 40
    equal = by_year(years(41), Spending(spent), Finances(mrp="equal instalments")).columns
    assert equal["mrp"][0] == 0.0
    assert equal["mrp"][1:] == pytest.approx(np.full(40, 250_000.0))
    assert equal["cfr_close"][[0, 1, 40]] == pytest.approx([10_000_000.0, 9_750_000.0, 0.0], abs=0.01)
    level = by_year(years(41), Spending(spent), Finances(loan_rate=0.045)).columns
    assert level["mrp"][[1, 40]] == pytest.approx([93_431.47, 520_030.11], abs=0.006)
    assert level["interest"][[0, 1, 2]] == pytest.approx([0.0, 450_000.0, 445_795.58], abs=0.01)
    assert (level["interest"] + level["mrp"])[1:] == pytest.approx(np.full(40, 543_431.47), abs=0.01)


def test_a_scheme_by_hand() -> None:
    """£4.0m in two years; £1.0m grant, £0.5m receipts, £0.1m revenue; £2.4m charged over 4 years.

    Year 1: spend 2.0m, revenue 0.1m, grant 1.0m, receipts 0.2m of 0.2m: unfinanced 0.7m. Year 2: spend 2.0m,
    receipts 0.3m: 1.7m. MRP: year 2 0.175m, year 3 0.175m + 0.425m. Interest 5% of 0.7m, then of 0.7m +
    1.7m - 0.175m = 2.225m.
    """
    found = by_year(
        years(3),
        Spending([2e6, 2e6, 0.0], receipts=[2e5, 3e5, 1e5], grants=[1e6, 0.0, 0.0], revenue=[1e5, 0.0, 0.0]),
        Finances(
            opening_cfr=1e7, loans=8e6, loans_repaid=[0.0, 5e5, 0.0], mrp_on_opening=2e5, loan_rate=0.05,
            asset_life=4, mrp="equal instalments", net_revenue_stream=1e7, resources=3e6, liquidity=5e5,
            operational_boundary=1.2e7, authorised_limit=1.5e7, investment_income=5e4,
        ),
    ).columns  # fmt: skip
    assert found["unfinanced"] == pytest.approx([0.7e6, 1.7e6, 0.0])
    assert found["unapplied"] == pytest.approx([0.0, 0.0, 0.1e6])
    assert found["mrp"] == pytest.approx([0.2e6, 0.375e6, 0.8e6])
    assert found["cfr_open"] == pytest.approx([10.0e6, 10.5e6, 11.825e6])
    assert found["cfr_close"] == pytest.approx([10.5e6, 11.825e6, 11.025e6])
    assert found["loans"] == pytest.approx([8.7e6, 7.5e6 + 2.225e6, 7.5e6 + 1.625e6])
    assert found["interest"] == pytest.approx([0.4e6, 0.435e6, 0.375e6 + 0.11125e6])
    assert found["financing_cost"] == pytest.approx([0.55e6, 0.76e6, 1.23625e6])
    assert found["ratio"] == pytest.approx([0.055, 0.076, 0.123625])
    assert found["ratio_gross"] == pytest.approx([0.06, 0.081, 0.128625])
    assert found["headroom_boundary"] == pytest.approx([3.3e6, 2.275e6, 2.875e6])
    assert found["headroom_limit"] == pytest.approx([6.3e6, 5.275e6, 5.875e6])
    assert found["liability_benchmark"] == pytest.approx([8.0e6, 9.325e6, 8.425e6])
    assert found["to_borrow"] == pytest.approx([-0.7e6, -0.4e6, -0.7e6])


def test_a_direction_a_capital_loan_and_what_waits_until_it_is_in_use() -> None:
    """Directed: £1m over 20 years. Loan: MRP is the rise of expected loss; what comes back is set aside."""
    own = Finances(mrp="equal instalments", asset_life=10)
    directed = by_year(years(22), Spending(directed=[1e6] + [0.0] * 21), own).columns
    assert directed["mrp"] == pytest.approx([0.0] + [50_000.0] * 20 + [0.0])
    lent = by_year(
        years(4),
        Spending(capital_loans=[1e6, 0, 0, 0], loss_allowance=[1e4, 3e4, 2e4, 2e4], set_aside=[0, 0, 4e5, 0]),
        own,
    ).columns
    assert lent["mrp"] == pytest.approx([1e4, 2e4, 0.0, 0.0])
    assert lent["cfr_close"] == pytest.approx([9.9e5, 9.7e5, 5.7e5, 5.7e5])
    late = by_year(years(5), Spending([1e6, 1e6, 0, 0, 0], operational=2), own).columns
    assert late["mrp"] == pytest.approx([0.0, 0.0, 0.0, 2e5, 2e5])


def test_a_lease_by_hand() -> None:
    """£100 for 3 years at 10%, £110 from year 2: 248.69; + 10 x 1.735537 = 17.36; nothing is left."""
    found = lease([100.0, 110.0, 110.0], 0.10)
    assert found.additions == pytest.approx([248.685, 17.355, 0.0], abs=0.001)
    assert found.interest == pytest.approx([24.869, 19.091, 10.0], abs=0.001)
    assert found.written_down == pytest.approx([75.131, 90.909, 100.0], abs=0.001)
    assert found.liability == pytest.approx([173.554, 100.0, 0.0], abs=0.001)
    side = by_year(
        years(3),
        Spending(lease_additions=found.additions, lease_interest=found.interest,
                 lease_written_down=found.written_down),
        Finances(authorised_limit=300.0),
    ).columns  # fmt: skip
    assert side["mrp"] == pytest.approx(found.written_down)
    assert side["cfr_close"] == pytest.approx(found.liability, abs=1e-9)
    assert side["financing_cost"] == pytest.approx([100.0, 110.0, 110.0])
    assert side["headroom_limit"] == pytest.approx(300.0 - found.liability)
    assert np.all(np.isnan(side["headroom_boundary"]))


def test_a_lease_by_quarter_is_summed_by_financial_year() -> None:
    """£25 a quarter for two years from row 1; rows 0 to 2 lie in the first financial year."""
    rent = [0.0] + [25.0] * 8
    found = lease_by_year(rent, 0.0, [0, 0, 0, 1, 1, 1, 1, 2, 2])
    assert found.additions == pytest.approx([200.0, 0.0, 0.0])
    assert found.written_down == pytest.approx([50.0, 100.0, 50.0])
    assert found.liability == pytest.approx([150.0, 50.0, 0.0])
    half_way = lease_by_year(rent, 0.04, [0, 0, 0, 1, 1, 1, 1, 2, 2], periods=12)
    assert half_way.liability[-1] == pytest.approx(25.0 * (1 - 1.04**-1) / (1.04**0.25 - 1))


# --- whatever the numbers --------------------------------------------------------------------------------


@USUAL
@given(
    st.lists(st.lists(POUNDS, min_size=3, max_size=3), min_size=2, max_size=12), st.integers(1, 50),
    st.floats(0.0, 0.15), st.sampled_from(["equal instalments", "annuity"]), st.integers(0, 4),
)  # fmt: skip
def test_paths_are_single_runs_side_by_side_and_roll_as_the_rule_does(
    spent: list[list[float]], life: int, rate: float, method: Any, operational: int
) -> None:
    flows = np.array(spent)
    n = len(flows)
    own = Finances(opening_cfr=5e7, asset_life=life, mrp=method, loan_rate=rate)
    more: Any = {"grants": flows[::-1] / 3, "revenue": 1e4, "operational": operational}
    both = by_year(years(n), Spending(flows, receipts=flows / 4, **more), own).columns
    for path in range(3):
        more["grants"] = flows[::-1, path] / 3
        one = by_year(years(n), Spending(flows[:, path], receipts=flows[:, path] / 4, **more), own).columns
        for name in COLUMNS:
            assert both[name][:, path] == pytest.approx(one[name], rel=1e-12, abs=1e-6, nan_ok=True), name
        roll = mrp.cfr_roll(
            5e7, one["capital_spend"], one["by_grants"], one["by_receipts"], one["by_revenue"], one["mrp"]
        )
        assert roll.close_cfr == pytest.approx(one["cfr_close"])
        assert roll.net_financing_need == pytest.approx(one["unfinanced"], abs=1e-6)


@USUAL
@given(POUNDS, st.integers(1, 50), st.floats(0.0, 0.15), st.sampled_from(["equal instalments", "annuity"]))
def test_all_that_is_unfinanced_is_charged_in_the_end_as_the_rule_says(
    amount: float, life: int, rate: float, method: str
) -> None:
    charged = provision(np.array([amount] + [0.0] * life), life, method, rate)
    rule = mrp.annuity(amount, life, rate) if method == "annuity" else mrp.equal_instalments(amount, life)
    assert charged.sum() == pytest.approx(amount)
    assert charged[1:] == pytest.approx(rule, abs=0.011)


@USUAL
@given(st.lists(st.lists(POUNDS, min_size=2, max_size=2), min_size=1, max_size=20), st.floats(0.0, 0.2))
def test_a_lease_is_written_down_to_nil_and_rent_is_interest_and_principal(
    rents: list[list[float]], rate: float
) -> None:
    """Additions less what is written down is the liability; at the end nothing; rent is all there is."""
    rent = np.array(rents)
    found = lease(rent, rate)
    assert found.interest + found.written_down == pytest.approx(rent)
    left = np.cumsum(found.additions - found.written_down, axis=0)
    assert left == pytest.approx(found.liability, abs=1e-3, rel=1e-9)
    assert found.liability[-1] == pytest.approx(0.0, abs=1e-6)
    assert np.all(found.written_down >= -1e-6)


def test_expected_loss_on_every_path_is_the_rule() -> None:
    losses = np.array([[1.0, 5.0], [4.0, 2.0], [3.0, 9.0]])
    found = by_year(years(3), Spending(loss_allowance=losses)).columns["mrp"]
    for path in range(2):
        assert found[:, path] == pytest.approx(mrp.expected_loss(losses[:, path]))


# --- what a deal's payments make of it -------------------------------------------------------------------


def test_payments_of_a_scheme_become_its_spending_by_hand() -> None:
    """Works £900,000 less grant £200,000: £700,000 unfinanced, and the loan that was drawn is £700,000."""
    legs = {
        ("us", "provider", "service payment"): np.array([900_000.0, 30_000.0]),
        ("lender", "us", "drawdown"): np.array([700_000.0, 0.0]),
        ("us", "lender", "principal"): np.array([0.0, 35_000.0]),
        ("us", "lender", "interest"): np.array([0.0, 40_000.0]),
        ("nhs", "us", "grant"): np.array([200_000.0, 0.0]),
        ("outside", "us", "sale receipt"): np.array([0.0, 50_000.0]),
    }
    works = {("us", "provider", "service payment"): np.array([900_000.0, 0.0])}
    spending = spending_of(by_column("council-build", legs, "us", PARTIES, works))
    found = by_year(years(2), spending, Finances(mrp="equal instalments", asset_life=35)).columns
    assert found["unfinanced"] == pytest.approx([700_000.0, 0.0])
    assert found["loans"] == pytest.approx([700_000.0, 665_000.0])
    assert found["interest"] == pytest.approx([0.0, 40_000.0])
    assert found["mrp"] == pytest.approx([0.0, 20_000.0])
    assert found["unapplied"] == pytest.approx([0.0, 50_000.0])


def test_what_a_capital_sum_pays_for_enters_once_as_the_lease() -> None:
    """£250 of works out of £260: the requirement is the lease liability, and £10 is kept."""
    legs = {
        ("us", "provider", "service payment"): np.array([250.0, 0.0, 0.0]),
        ("investor", "us", "drawdown"): np.array([260.0, 0.0, 0.0]),
        ("us", "investor", "head rent"): np.array([100.0, 110.0, 110.0]),
    }
    works = {("us", "provider", "service payment"): legs["us", "provider", "service payment"]}
    strip = lease(legs["us", "investor", "head rent"], 0.10)
    spending = spending_of(
        by_column("income-strip", legs, "us", PARTIES, works), lease_additions=strip.additions,
        lease_interest=strip.interest, lease_written_down=strip.written_down,
    )  # fmt: skip
    found = by_year(years(3), spending).columns
    assert found["by_lease_sum"] == pytest.approx([250.0, 0.0, 0.0])
    assert found["unapplied"] == pytest.approx([10.0, 10.0, 10.0])
    assert found["cfr_close"] == pytest.approx(strip.liability, abs=1e-9)
    assert found["loans"] == pytest.approx([0.0, 0.0, 0.0])


def test_a_lease_sum_that_comes_late_pays_for_earlier_spending() -> None:
    """£100 is spent, £40 of the sum has come; the other £60 comes a year later, when £6 has been charged.

    £54 is left of the £60 then, and all of it is paid: no more is charged, and £6 is kept. Of £30 alone £24
    stays, and each later charge is 24 / 54 of £6.
    """
    told = Finances(mrp="equal instalments", asset_life=10)
    found = by_year(years(4), Spending([100.0, 0, 0, 0], lease_sum=[40.0, 60, 0, 0]), told).columns
    assert found["unfinanced"] == pytest.approx([60.0, -54.0, 0.0, 0.0])
    assert found["mrp"] == pytest.approx([0.0, 6.0, 0.0, 0.0])
    assert found["cfr_close"] == pytest.approx([60.0, 0.0, 0.0, 0.0])
    assert found["loans"] == pytest.approx([60.0, 0.0, 0.0, 0.0])
    assert found["unapplied"] == pytest.approx([0.0, 6.0, 6.0, 6.0])
    part = by_year(years(4), Spending([100.0, 0, 0, 0], lease_sum=[40.0, 30, 0, 0]), told).columns
    assert part["mrp"] == pytest.approx([0.0, 6.0, 24.0 / 9, 24.0 / 9])
    assert part["cfr_close"] == pytest.approx([60.0, 24.0, 24.0 * 8 / 9, 24.0 * 7 / 9])
    later = by_year(years(3), Spending([100.0, 0, 60], lease_sum=[40.0, 60, 0]), told).columns
    assert later["unfinanced"] == pytest.approx([60.0, 0.0, 0.0])  # it waits for the spending to come


@pytest.mark.slow
def test_every_shipped_deal_goes_through() -> None:
    """Whatever its council pays: nothing is refused, no number is missing, the roll holds."""
    built = 0
    for one in played():
        mine = set(one.deal.council)
        if not mine or any(one.ready.parties[party].kind != "council" for party in mine):
            continue
        columns = by_column(
            kind_of(one.terms), one.outcome.ledger.by_year, mine, one.ready.parties, part_of(one)
        )
        spending = spending_of(columns)
        n = one.outcome.ledger.years
        found = by_year(years(n), spending, Finances(loan_rate=0.05)).columns
        assert not np.any(np.isnan(found["cfr_close"]))
        built += bool(np.any(found["capital_spend"] > 0.0))
    assert built >= 10


def test_the_frame_is_the_mean_and_says_what_was_not_given() -> None:
    side = by_year(years(2), Spending([[1.0, 3.0], [0.0, 0.0]]), Finances(opening_cfr=5.0))
    frame = side.frame()
    assert list(frame.columns) == ["year", *COLUMNS]
    assert frame.year.tolist() == ["2026/27", "2027/28"]
    assert frame.capital_spend.tolist() == [2.0, 0.0]
    assert frame.ratio.isna().all()
    assert "loans" in side.not_given
    assert "opening_cfr" not in side.not_given


# --- the page --------------------------------------------------------------------------------------------


def test_the_worked_example_of_the_page() -> None:
    """Its table, line by line: £2m over 10 years by equal instalments, £0.5m of it grant."""
    text = PAGE.read_text(encoding="utf-8")
    lines = re.findall(r"^\| (20\d\d/\d\d) \|(.+)\|$", text, re.MULTILINE)
    shown = {year: [float(cell.replace(",", "")) for cell in cells.split("|")] for year, cells in lines}
    assert len(shown) == 3
    spending = Spending([1_200_000.0, 800_000.0, 0.0], grants=[500_000.0, 0.0, 0.0])
    own = Finances(mrp="equal instalments", asset_life=10, loan_rate=0.05)
    found = by_year(list(shown), spending, own).columns
    for i, cells in enumerate(shown.values()):
        names = ("capital_spend", "by_grants", "unfinanced", "mrp", "cfr_open", "cfr_close", "interest")
        assert cells == pytest.approx([found[name][i] for name in names])


# --- what is refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: by_year(years(2), Spending([1.0, 2.0, 3.0])), "assets"),
        (lambda: by_year(years(2), Spending([1.0, -2.0])), "assets"),
        (lambda: by_year(years(2), Spending([1.0, float("nan")])), "assets"),
        (lambda: by_year(years(2), Spending(np.ones((2, 3)), grants=np.ones((2, 4)))), "spending"),
        (lambda: by_year(years(2), Spending(1.0), Finances(mrp="cfr 4%")), "mrp"),  # type: ignore[arg-type]
        (lambda: by_year(years(2), Spending(1.0), Finances(mrp="regulatory")), "mrp"),  # type: ignore[arg-type]
        (lambda: by_year(years(2), Spending(1.0), Finances(mrp="by hand")), "mrp"),  # type: ignore[arg-type]
        (lambda: by_year(years(2), Spending(1.0), Finances(asset_life=51)), "life"),
        (lambda: by_year(years(2), Spending(1.0), Finances(loan_rate=5.0)), "rate"),
        (lambda: by_year(years(2), Spending(), Finances(loan_rate=5.0, mrp_rate=0.05)), "loan_rate"),
        (lambda: by_year(years(2), Spending(), Finances(loans=1.0, loans_repaid=1.0)), "loans_repaid"),
        (lambda: by_year(years(2), Spending(), Finances(net_revenue_stream=0.0)), "net_revenue_stream"),
        (lambda: by_year(years(2), Spending(), Finances(operational_boundary=2.0, authorised_limit=1.0)),
         "authorised_limit"),
        (lambda: by_year(years(2), Spending(operational=-1)), "operational"),
        (lambda: lease([1.0, 2.0], 4.5), "rate"),
        (lambda: lease([1.0, 2.0], 0.05, periods=1), "periods"),
        (lambda: lease([-1.0], 0.05), "rent"),
        (lambda: lease_by_year([1.0, 2.0], 0.05, [0]), "year_of_row"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(call: Any, field: str) -> None:
    with pytest.raises(InputError) as caught:
        call()
    assert caught.value.field == field
