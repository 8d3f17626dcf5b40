"""Figures by path and their statistics, on flows small enough to do by hand."""

from __future__ import annotations

import numpy as np
import pytest

from socialfinance.kernels.returns import OK, TOTAL_LOSS
from socialfinance.measures.figure import ByPath
from socialfinance.measures.paths import Key, investor_figures, life, payer_figures
from socialfinance.measures.sample import quantile
from socialfinance.measures.statistics import back_by_half_life, expected_flow_irr, irr_rows, rows_of

FLOWS = np.array([[-100.0, -100.0, -100.0, 0.0], [0.0, 0.0, 0.0, 0.0], [0.0, 60.0, 0.0, 0.0],
                  [0.0, 0.0, 0.0, 0.0], [121.0, 20.0, 0.0, 0.0]])  # fmt: skip
IN, BACK = np.maximum(-FLOWS, 0.0), np.maximum(FLOWS, 0.0)
KEY = Key("deal", "d", "fund", "investor", "", "irr", "fraction a year")


def test_investor_figures() -> None:
    figures = investor_figures(IN, BACK, 0.1)
    assert figures["drawn"][1].tolist() == [100.0, 100.0, 100.0, 0.0]
    assert figures["received"][1].tolist() == [121.0, 80.0, 0.0, 0.0]
    assert figures["loss"][1].tolist() == [0.0, 20.0, 100.0, 0.0]
    assert figures["irr"][1][0] == pytest.approx(0.21)
    assert figures["npv"][1][0] == pytest.approx(121 / 1.1 - 100)
    assert figures["multiple"][1][:3].tolist() == [1.21, 0.8, 0.0]
    assert np.isnan(figures["multiple"][1][3])
    assert figures["life"][1][0] == pytest.approx(1.0)
    assert figures["irr_status"][1].tolist() == [0.0, 0.0, 1.0, 2.0]


def test_payer_figures() -> None:
    """Pays 100 now and 20 in a year, when 50 is saved; at 10% the year's figures are worth a tenth less."""
    net, saved = np.zeros((5, 1)), np.zeros((5, 1))
    net[0], net[4], saved[4] = -100.0, 30.0, 50.0
    figures = payer_figures(life(net, saved, 0.1))
    assert figures["net_cost"][1].tolist() == [70.0]
    assert figures["saving"][1].tolist() == [50.0]
    assert figures["paid"][1].tolist() == [120.0]
    assert figures["net_cost_pv"][1][0] == pytest.approx(100.0 - 30.0 / 1.1)
    assert figures["paid_pv"][1][0] == pytest.approx(100.0 + 20.0 / 1.1)


def test_a_total_loss_ranks_below_every_rate_and_is_never_in_the_mean() -> None:
    figures = investor_figures(IN, BACK, 0.1)
    by_path = [ByPath(figures[name][1]) for name in ("irr", "irr_status")]
    found = {row.statistic: row for row in irr_rows(KEY, *by_path)}
    assert found["share_total_loss"].value == 0.25
    assert found["share_none"].value == 0.25
    assert found["p5"].value == -1.0
    assert found["mean"].share_of_paths == 0.5
    assert found["mean"].value == pytest.approx(np.mean(figures["irr"][1][:2]))


def test_headline_is_the_irr_of_mean_flows() -> None:
    row = expected_flow_irr(KEY, FLOWS[:, :1].T * 3)
    assert row.value == pytest.approx(0.21)
    assert row.standard_error is None
    lost = expected_flow_irr(KEY, FLOWS[:, 2:3].T)
    assert lost.value is None
    assert "total_loss" in lost.status


def test_peak_is_the_most_that_is_out_of_pocket_at_any_time() -> None:
    net = np.array([[-100.0, 50.0], [30.0, -20.0], [-50.0, 0.0], [200.0, 0.0]])
    figures = investor_figures(np.maximum(-net, 0.0), np.maximum(net, 0.0), 0.0)
    assert figures["peak"][1].tolist() == [120.0, 0.0]


def test_what_is_paid_in_and_comes_back_in_one_row_counts_on_both_sides() -> None:
    figures = investor_figures(np.array([[100.0], [50.0]]), np.array([[0.0], [70.0]]), 0.0)
    assert figures["drawn"][1].tolist() == [150.0]
    assert figures["received"][1].tolist() == [70.0]
    assert figures["loss"][1].tolist() == [80.0]


def test_a_deal_that_closes_later_is_worth_less_today() -> None:
    now = investor_figures(IN, BACK, 0.1)["npv"][1]
    assert investor_figures(IN, BACK, 0.1, first_row=8)["npv"][1] == pytest.approx(now / 1.21)
    flows = np.array([[-100.0], [30.0]])
    paid = payer_figures(life(flows, np.zeros((2, 1)), 0.1))["net_cost_pv"][1]
    later = payer_figures(life(flows, np.zeros((2, 1)), 0.1, 4))["net_cost_pv"][1]
    assert later == pytest.approx(paid / 1.1)


def test_back_by_half_life() -> None:
    """Out 100 in row 1, 30 back in row 3, 90 in row 6, a pound later: half way is row 3, with 30 back."""
    row = back_by_half_life(KEY, np.array([[0.0, -100.0, 0.0, 30.0, 0.0, 0.0, 90.0, 0.0, 0.0, 0.0, 1.0]]))
    assert (row.measure, row.value) == ("back_by_half_life", 0.3)
    assert back_by_half_life(KEY, np.zeros((1, 4))).value is None


def test_who_saves_less_than_he_pays() -> None:
    figures = payer_figures(life(np.array([[-100.0, -100.0], [30.0, 120.0]]), np.zeros((2, 2)), 0.0))
    assert figures["never_pays_for_itself"][1].tolist() == [1.0, 0.0]


def test_error_of_the_headline_by_hand() -> None:
    """Eight units end with 121 or 99 for 100: at 10% worth 10 and -10; the slope is 880 / 1.21.

    Of two units alone nothing is said: their spread is no error.
    """
    units = np.array([[-100.0, 0.0, 0.0, 0.0, 121.0], [-100.0, 0.0, 0.0, 0.0, 99.0]])
    row = expected_flow_irr(KEY, np.tile(units, (4, 1)))
    assert row.value == pytest.approx(0.1)
    assert row.standard_error == pytest.approx(np.sqrt(8.0 / 7.0 * 800.0) / (880.0 / 1.21))
    assert expected_flow_irr(KEY, units).standard_error is None


def test_loss_rows() -> None:
    key = KEY._replace(measure="loss", unit="pounds")
    found = {row.statistic: row.value for row in rows_of(key, ByPath(np.array([0.0, 20.0, 100.0, 0.0])))}
    assert found["probability"] == 0.5
    assert found["given_loss"] == 60.0
    assert found["mean"] == 30.0


@pytest.mark.parametrize(("q", "value"), [(0.05, 1.0), (0.5, 5.0), (0.51, 6.0), (0.95, 10.0), (0.1, 1.0)])
def test_quantile_is_a_value_that_occurred(q: float, value: float) -> None:
    ordered = np.arange(1.0, 11.0)
    assert quantile(ordered, q)[0] == value == np.quantile(ordered, q, method="inverted_cdf")


def test_quantile_error_covers() -> None:
    """The P95 of 2,000 uniforms against 0.95: within 4 stated errors in each of 50 samples, seed 1."""
    rng = np.random.default_rng(1)
    for _ in range(50):
        value, error = quantile(np.sort(rng.random(2000)), 0.95)
        assert value is not None
        assert error is not None
        assert abs(value - 0.95) < 4 * error


def test_what_rounding_leaves_in_a_vehicle_is_nothing_back() -> None:
    """£100 lost but for 1e-10: a total loss, as where nothing came back; half a penny more is a return."""
    paid_in, back = np.zeros((2, 9, 4))
    paid_in[0], back[8] = 100.0, (0.0, 1e-10, 0.006, 50.0)
    figures = {name: values for name, (_, values) in investor_figures(paid_in, back, 0.035).items()}
    assert figures["irr_status"].tolist() == [TOTAL_LOSS, TOTAL_LOSS, OK, OK]
    assert figures["irr"][3] == pytest.approx(0.5 ** (1 / 2) - 1.0)
    assert figures["received"].tolist() == [0.0, 0.0, 0.006, 50.0]
    assert figures["loss"][:2].tolist() == [100.0, 100.0]
    for name, values in figures.items():
        assert np.array_equal(values[:1], values[1:2], equal_nan=True), name
    figures = {name: values for name, (_, values) in investor_figures(back, paid_in, 0.035).items()}
    assert figures["drawn"].tolist() == [0.0, 0.0, 0.006, 50.0]
