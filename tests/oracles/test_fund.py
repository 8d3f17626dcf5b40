"""XIRR, IRR edge cases, fund multiples and carried interest against computed values."""

import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from socialfinance.kernels.carry import european
from socialfinance.kernels.returns import STATUS_NAMES, fund_multiples, irr_with_status, multiple, xirr
from tests.models.fund_strategies import steps

VECTORS = {v["id"]: v for v in json.loads(Path(__file__).with_name("vectors.json").read_text())["vectors"]}


def series(vector):
    days, flows = zip(*vector["inputs"]["flows"], strict=True)
    return [date.fromisoformat(day) for day in days], flows


@pytest.mark.parametrize("name", ["fund.xirr_leap", "fund.multiples"])
def test_xirr(name):
    result = xirr(*series(VECTORS[name]))
    assert STATUS_NAMES[result.status] == "ok"
    assert result.rate == pytest.approx(float(VECTORS[name]["expected"]["xirr"]), abs=1e-12)


def test_multiples():
    vector = VECTORS["fund.multiples"]
    _, flows = series(vector)
    paid_in, received = -sum(f for f in flows if f < 0), sum(f for f in flows if f > 0)
    found = fund_multiples(paid_in, received, vector["inputs"]["nav_at_end"], vector["inputs"]["commitment"])
    for name in ("dpi", "rvpi", "tvpi", "pic"):
        assert getattr(found, name) == pytest.approx(float(vector["expected"][name]), abs=1e-12)


def test_multiple_without_money_paid_in_does_not_exist():
    assert np.isnan(multiple([0.0], [5.0])[0])


def test_irr_edges():
    total_loss, nil, two_roots = VECTORS["fund.irr_edge"]["inputs"]["cases"]
    for flows, expected in ((total_loss, "total_loss"), (nil, "none"), (two_roots, "many")):
        result = irr_with_status(flows, 1)
        assert STATUS_NAMES[result.status] == expected
        assert np.isnan(result.rate)


CATCH_UPS = ["waterfall.european_full_catchup", "waterfall.european_no_catchup"]


@pytest.mark.parametrize("as_array", [False, True], ids=["float", "array"])
@pytest.mark.parametrize("name", CATCH_UPS)
def test_european_carry(name, as_array):
    """Capital and preferred return, catch-up, split, and what the manager has, tier by tier."""
    given, expected = VECTORS[name]["inputs"], VECTORS[name]["expected"]
    paid_in, cash = float(given["contributed"]), float(given["distribution"])
    owed = paid_in * (1 + given["pref"]) ** given["at_year"]
    amounts = [np.array([x]) if as_array else x for x in (cash, owed, -paid_in, 0.0)]
    tiers = european(*amounts, given["carry"], given["catch_up"])
    first = float(expected["return_of_capital"]) + float(expected["pref"])
    assert tiers.preferred == pytest.approx(first, abs=1e-12)
    assert tiers.catch_up == pytest.approx(float(expected["catch_up_tier"]), abs=1e-12)
    assert tiers.split == pytest.approx(float(expected["residual"]), abs=1e-12)
    assert tiers.manager == pytest.approx(float(expected["gp_carry"]), abs=1e-12)
    assert cash - tiers.manager == pytest.approx(float(expected["lp_total"]), abs=1e-12)


def fund_with_carry(deals, last, **carry):
    """A fund of one residual note whose deals draw at close and pay back in some rows; all as planned."""
    commitment = sum(paid_in for paid_in, _ in deals)
    plans = [
        {"draws": [paid_in] + [0.0] * last, "back": [back.get(t, 0.0) for t in range(last + 1)]}
        for paid_in, back in deals
    ]
    rows = [
        {
            "level": 1.0, "fee": 0.0, "wishes": [plan["draws"][t] for plan in plans],
            "back": [plan["back"][t] for plan in plans], "pool": [0.0] * len(plans),
        }
        for t in range(last + 1)
    ]  # fmt: skip
    note = {"holder": "investor", "commitment": commitment, "rank": 1, "rate": {"basis": "residual"}}
    fund = {"party": "fund", "notes": {"note": note}, "carry": carry}
    return steps({"fund": fund, "last": last, "plans": plans, "rows": rows})


@pytest.mark.parametrize("style", ["european", "american"])
@pytest.mark.parametrize("name", CATCH_UPS)
def test_carry_of_a_whole_fund(name, style):
    """One note, one deal: by either style the fund comes to the same split, quarter by quarter."""
    given, expected = VECTORS[name]["inputs"], VECTORS[name]["expected"]
    last = 4 * given["at_year"]
    done = fund_with_carry(
        [(float(given["contributed"]), {last: float(given["distribution"])})], last,
        style=style, preferred=given["pref"], share=given["carry"], catch_up=given["catch_up"],
    )  # fmt: skip
    assert done[0].called.calls == (100.0,)
    assert done[-1].paid.carry == pytest.approx(float(expected["gp_carry"]), abs=1e-11)
    assert done[-1].state.received[0] == pytest.approx(float(expected["lp_total"]), abs=1e-11)
    assert done[-1].paid.principal[0] == pytest.approx(float(expected["return_of_capital"]))
    assert done[-1].paid.surplus == done[-1].paid.clawback == 0.0


def test_clawback_brings_the_manager_to_the_european_amount():
    """Two deals of 50, one pays 130 after two years, the other 10 after five.

    Deal by deal the manager has 20% of 130 - 50 in year two: 16. Of the whole fund it is owed 20% of
    140 - 100: 8, as all capital and 8% are back in year two. So it pays 8 back, and investors have 132.
    """
    deals = [(50.0, {8: 130.0}), (50.0, {20: 10.0})]
    american = fund_with_carry(deals, 20, style="american", preferred=0.08, share=0.2, catch_up=1.0)
    european = fund_with_carry(deals, 20, style="european", preferred=0.08, share=0.2, catch_up=1.0)
    assert american[8].paid.carry == pytest.approx(16.0)
    assert european[8].paid.carry == pytest.approx(6.0)
    assert european[20].paid.carry == pytest.approx(2.0)
    assert american[20].paid.clawback == pytest.approx(8.0)
    for done in (american, european):
        assert done[-1].state.managers == pytest.approx(8.0)
        assert done[-1].state.received[0] == pytest.approx(132.0)
