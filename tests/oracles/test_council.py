"""Rules in numbers against computed vectors, through the names that other tools call."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from socialfinance import gmca, greenbook, ias37, ifrs9, mrp, prudential, sroi

VECTORS = {v["id"]: v for v in json.loads(Path(__file__).with_name("vectors.json").read_text())["vectors"]}


def vector(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is given and what is expected."""
    return VECTORS[name]["inputs"], VECTORS[name]["expected"]


def test_mrp_by_annuity() -> None:
    given, expected = vector("mrp.asset_life_annuity_40y_4.5")
    found = mrp.annuity(float(given["capex"]), given["life_years"], float(given["annual_rate"]))
    for year in (1, 2, 10, 20, 39, 40):
        assert found[year - 1] == pytest.approx(float(expected[f"year_{year}"]), abs=0.0101)
    assert f"{found.sum():.2f}" == expected["sum"]
    assert found[0] + 0.045 * 10_000_000 == pytest.approx(float(expected["annuity_payment"]), abs=0.01)


def test_mrp_in_equal_instalments() -> None:
    given, expected = vector("mrp.asset_life_equal_40y")
    found = mrp.equal_instalments(float(given["capex"]), given["life_years"])
    assert len(found) == expected["years"]
    assert set(found) == {float(expected["each_year"])}


def test_mrp_by_depreciation() -> None:
    given, expected = vector("mrp.depreciation_SL")
    cost, residual = float(given["cost"]), float(given["residual"])
    found = mrp.depreciation(cost, residual, given["life"])
    assert set(found) == {float(expected["each_year"])}
    assert len(found) == given["life"]
    until_charged = mrp.depreciation(cost, residual, given["life"], financed=cost)
    assert set(until_charged[:-1]) == {300_000.0}
    assert until_charged.sum() == cost
    assert len(until_charged) == 34


def test_the_capital_financing_requirement_rolls() -> None:
    given, expected = vector("prudential.cfr_roll")
    found = mrp.cfr_roll(**given)
    assert found.close_cfr[0] == pytest.approx(expected["close_cfr"], abs=1e-9)
    assert found.net_financing_need[0] == pytest.approx(expected["net_financing_need"], abs=1e-9)


def test_financing_cost_over_revenue() -> None:
    given, expected = vector("prudential.ratio")
    found = prudential.ratio(**given)
    assert 100 * float(found.net_of_income) == pytest.approx(expected["ratio_pct"], abs=1e-12)
    assert 100 * float(found.gross_of_income) == pytest.approx(
        expected["ratio_pct_gross_of_income"], abs=1e-12
    )


def test_default_over_a_term() -> None:
    given, expected = vector("ifrs9.pd_term")
    found = ifrs9.pd_term(**given)
    assert found.lifetime_pd == pytest.approx(float(expected["lifetime_pd"]), abs=1e-10)
    assert found.survival == pytest.approx(float(expected["survival"]), abs=1e-10)
    assert found.flat_hazard == pytest.approx(float(expected["flat_hazard"]), abs=1e-12)


def test_provision_disclosure_or_nothing() -> None:
    given, expected = vector("ias37.classify")
    assert ias37.classify(**given) == expected["treatment"]


@pytest.mark.parametrize("schedule", ["standard", "health"])
def test_green_book_factors(schedule: str) -> None:
    given, expected = vector(f"greenbook.df_{schedule}")
    found = greenbook.discount_factors(given["years"], given["schedule"])
    assert found == pytest.approx([float(df) for df in expected["df"]], rel=1e-13)
    assert greenbook.discount_factors(500, schedule)[given["years"]] == pytest.approx(found, rel=0)


def test_real_and_nominal_rates() -> None:
    given, expected = vector("greenbook.real_nominal")
    found = greenbook.real_to_nominal(given["real"], given["inflation"])
    assert found == pytest.approx(float(expected["nominal_equiv"]), abs=1e-15)


def test_the_benefit_chain() -> None:
    given, expected = vector("gmca.cba_chain")
    names = ("population", "engagement", "impact", "deadweight", "unit_cost", "optimism_bias_correction")
    found = gmca.chain(**{name: given[name] for name in names})
    assert found == pytest.approx([float(expected[name]) for name in found._fields], rel=1e-9)


def test_social_return() -> None:
    given, expected = vector("sroi.two_year")
    found = sroi.ratio(**{name: value for name, value in given.items() if name != "convention"})
    assert found.value[0] == pytest.approx(float(expected["year1"]), rel=1e-12)
    assert found.present_value[1] == pytest.approx(float(expected["year2_pv"]), rel=1e-12)
    assert found.ratio == pytest.approx(float(expected["ratio"]), rel=1e-12)


# --- closed forms ---------------------------------------------------------------------------------


def test_ias37_paragraph_39() -> None:
    """75% nothing, 20% £1m, 5% £4m: 400,000."""
    assert ias37.expected_value([0.75, 0.2, 0.05], [0.0, 1_000_000.0, 4_000_000.0]) == pytest.approx(
        400_000.0
    )


def test_an_additional_pound() -> None:
    """Published worked figure: deadweight 0.2, displacement 0.25, leakage 0.1 leave 0.54."""
    assert greenbook.additionality(1.0, 0.2, 0.25, 0.1) == pytest.approx(0.54, abs=1e-15)


def test_the_other_convention_of_social_return() -> None:
    """Year 1 discounted too: 1.388, against 1.436."""
    found = sroi.ratio(60, 8_500, 0.4, 0.3, 0.3, 0.035, 250_000, first_year="discounted")
    assert found.ratio == pytest.approx(1.388, abs=5e-4)


def test_the_cfr_method_never_ends() -> None:
    """4% of £100m: 4.00, 3.84, 3.6864; £36.04m is left after 25 years."""
    from datetime import date

    found = mrp.cfr_four_per_cent(100.0, 25, date(2007, 6, 1))
    assert found[:3] == pytest.approx([4.0, 3.84, 3.6864])
    assert 100.0 - found.sum() == pytest.approx(36.04, abs=0.005)


def test_lifetime_loss_of_a_level_guarantee() -> None:
    """No discount: exposure x lgd x lifetime chance of default."""
    table = ifrs9.financial_guarantee(0.0, np.full(5, 1_000.0), 0.03, lgd=0.4, significant_increase=True)
    assert table.ecl_lifetime[0] == pytest.approx(400.0 * ifrs9.pd_term(0.03, 5).lifetime_pd, rel=1e-12)
    assert table.ecl_12m[0] == pytest.approx(400.0 * 0.03, rel=1e-12)
