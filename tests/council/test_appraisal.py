"""Real and nominal apart, three views of one deal, unit costs at their own price year."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from socialfinance.core.errors import InputError
from socialfinance.council import gmca, greenbook
from socialfinance.council.appraisal import appraise, payback_year, present, real, streams, yearly_table
from socialfinance.council.prices import Nominal, deflate, read_deflator, steady

YEARS = ("2026/27", "2027/28", "2028/29")
LEGS = {
    ("council", "vehicle", "outcome payment"): np.array([[0.0], [103.0], [0.0]]),
    ("vehicle", "outside", "delivery cost"): np.array([[90.0], [0.0], [0.0]]),
    ("outside", "council", "saving"): np.array([[0.0], [0.0], [106.09]]),
    ("outside", "nhs", "non-cashable saving"): np.array([[0.0], [0.0], [53.045]]),
    ("vehicle", "hmrc", "irrecoverable vat"): np.array([[5.0], [0.0], [0.0]]),
}
PUBLIC = ("council", "nhs", "hmrc")


def test_three_views_by_hand() -> None:
    """3% inflation: 103 is 100 and 106.09 is 100 in prices of the first year; then 3.5% a year.

    Cost 100 / 1.035 less VAT 5; cashable 100 / 1.035^2; other 50 / 1.035^2; resources 90.
    """
    worth = appraise(streams(LEGS, PUBLIC, YEARS, (3, 1)), steady(YEARS, 0.03))
    cost, saved = 100.0 / 1.035 - 5.0, 100.0 / 1.035**2
    assert worth.public_cost.item() == pytest.approx(cost)
    assert worth.cashable.item() == pytest.approx(saved)
    assert worth.net_present_budget_impact.item() == pytest.approx(cost - saved)
    assert worth.net_present_public_value.item() == pytest.approx(1.5 * saved - cost)
    assert worth.npsv.item() == pytest.approx(1.5 * saved - 90.0)
    assert worth.bcr == pytest.approx(1.5 * saved / cost)
    assert worth.fiscal_ratio == pytest.approx(saved / cost)


def test_the_same_by_the_green_book_functions() -> None:
    flows = streams(LEGS, PUBLIC, YEARS, (3, 1))
    deflator = steady(YEARS, 0.03)
    costs = real(flows.public_cost, deflator).amounts[:, 0]
    benefits = (real(flows.cashable, deflator).amounts + real(flows.other, deflator).amounts)[:, 0]
    worth = appraise(flows, deflator)
    assert worth.net_present_public_value.item() == pytest.approx(greenbook.npsv(benefits, costs))


def test_optimism_bias_adds_to_costs_and_takes_from_benefits() -> None:
    flows, deflator = streams(LEGS, PUBLIC, YEARS, (3, 1)), steady(YEARS, 0.03)
    plain, biased = appraise(flows, deflator), appraise(flows, deflator, bias_costs=0.1, bias_benefits=0.25)
    assert biased.public_cost.item() == pytest.approx(1.1 * plain.public_cost.item())
    assert biased.cashable.item() == pytest.approx(0.75 * plain.cashable.item())


def test_the_health_schedule_is_lower() -> None:
    flows, deflator = streams(LEGS, PUBLIC, YEARS, (3, 1)), steady(YEARS, 0.03)
    assert appraise(flows, deflator, "health").cashable.item() == pytest.approx(100.0 / 1.015**2)


def test_payback_is_not_before_anything_is_paid() -> None:
    legs = {
        ("council", "vehicle", "outcome payment"): np.array([[0.0], [10.0], [0.0]]),
        ("outside", "council", "saving"): np.array([[0.0], [20.0], [0.0]]),
    }
    assert payback_year(streams(legs, ("council",), YEARS, (3, 1)), steady(YEARS, 0.0)) == "2027/28"
    assert payback_year(streams(LEGS, PUBLIC, YEARS, (3, 1)), steady(YEARS, 0.03)) == "2028/29"
    never = {("council", "vehicle", "outcome payment"): np.array([[0.0], [10.0], [0.0]])}
    assert payback_year(streams(never, ("council",), YEARS, (3, 1)), steady(YEARS, 0.0)) is None


def test_the_table_by_year_adds_up_to_the_present_value() -> None:
    flows, deflator = streams(LEGS, PUBLIC, YEARS, (3, 1)), steady(YEARS, 0.03)
    table = yearly_table(flows, deflator)
    assert table["cashable_pv"].sum() == pytest.approx(appraise(flows, deflator).cashable.item())
    assert table["deflator"].tolist() == pytest.approx([1.0, 1.03, 1.0609])


def test_nominal_flows_cannot_be_discounted_as_real() -> None:
    with pytest.raises(InputError, match="not deflated"):
        present(Nominal(np.ones(3), YEARS))  # type: ignore[arg-type]


def test_growth_by_year_goes_on_as_the_last_named() -> None:
    level = steady(("2026/27", "2027/28", "2028/29", "2029/30"), {"2027/28": 0.03, "2028/29": 0.02}).level
    assert list(level.values()) == pytest.approx([1.0, 1.03, 1.03 * 1.02, 1.03 * 1.02**2])


def test_a_deflator_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "deflator.csv"
    file.write_text("financial_year,index\n2025/26,80\n2026/27,100\n2027/28,105\n")
    found = read_deflator(file)
    cash = Nominal(np.array([100.0, 105.0]), ("2026/27", "2027/28"))
    assert deflate(cash, found, "2025/26").amounts.tolist() == pytest.approx([80.0, 80.0])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "another heading"),
        ("year,index\n2026/27,1\n", ":1: .*another heading"),
        ("financial_year,index\n", "has no year"),
        ("financial_year,index\n2026/27,1\n2028/29,1\n", ":3: .*2028/29.*2027/28"),
        ("financial_year,index\n2026/28,1\n", ":2: .*no financial year"),
        ("financial_year,index\n2026/27,nan\n", ":2: .*no number above nil"),
        ("financial_year,index\n2026/27,-1\n", ":2: .*no number above nil"),
        ("financial_year,index\n2026/27\n", ":2: .*no number above nil"),
    ],
)
def test_a_broken_deflator(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "deflator.csv"
    file.write_text(text)
    with pytest.raises(InputError, match=f"(?s){said}"):
        read_deflator(file)


def test_a_deflator_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_deflator(tmp_path / "none.csv")


def test_a_year_the_deflator_does_not_have() -> None:
    with pytest.raises(InputError, match=r"does not have.*2013/14"):
        steady(YEARS, 0.02).between("2013/14", "2026/27")


def test_a_unit_cost_stays_at_its_price_year_without_a_deflator() -> None:
    """Residential care for a child, £2,995 a week at 2013/14 prices (GMCA v1.4)."""
    found = gmca.unit_cost("SS3.0")
    assert (found.pounds, found.price_year, found.agency) == (2995.0, "2013/14", "local authority")
    with pytest.raises(InputError, match="needs a deflator"):
        gmca.unit_cost("SS3.0", price_year="2026/27")


def test_the_councils_own_cost_comes_first() -> None:
    own = gmca.UnitCost(
        "SS3.0", "our homes", "week", 6100.0, "2025/26", "local authority", "fiscal", "our ledger"
    )
    assert gmca.unit_cost("SS3.0", {"SS3.0": own}) == own


def test_a_unit_cost_moved_by_a_deflator() -> None:
    moved = gmca.unit_cost("SS3.0", price_year="2014/15", deflator=steady(("2013/14", "2014/15"), 0.1))
    assert moved.pounds == pytest.approx(3294.5)
    assert "2013/14 to 2014/15" in moved.source


def test_an_unknown_unit_cost() -> None:
    with pytest.raises(InputError, match="is no unit cost"):
        gmca.unit_cost("XX9")


def test_what_the_world_outside_pays_is_taken_off_resources() -> None:
    """Works of 90 and homes sold for 40: 50 of resources used, and no saving of anybody's budget."""
    legs = {
        ("vehicle", "outside", "delivery cost"): np.array([[90.0], [0.0], [0.0]]),
        ("outside", "vehicle", "sale receipt"): np.array([[40.0], [0.0], [0.0]]),
    }
    worth = appraise(streams(legs, PUBLIC, YEARS, (3, 1)), steady(YEARS, 0.03))
    assert worth.resources.item() == pytest.approx(50.0)
    assert worth.cashable.item() == 0.0
