"""The same bits whatever the chunk, the workers, the neighbours; and what must scale, scales."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest

from socialfinance.core.errors import InputError
from socialfinance.engine.ready import prepare
from socialfinance.engine.run import check_memory, estimate, simulate
from socialfinance.funds.portfolio import Portfolio

FACTORS = {
    "economy": {"kind": "gaussian"},
    "bad-years": {"kind": "common-shock", "annual_probability": 0.1, "duration": 4, "depth": 0.6},
}


def several(names: tuple[str, ...] = ("a", "b", "c"), scale: float = 1.0) -> Portfolio:
    """A few random deals that share factors, one of them starting later."""
    data: dict[str, Any] = {
        "name": "several", "start": date(2026, 7, 1), "quarters": 16, "factors": FACTORS,
        "indices": {"pay": {"annual": {"distribution": "mean-reverting", "start": 0.03, "mean": 0.02,
                                       "reversion": 0.5, "volatility": 0.01}}},
        "parties": {"anytown": {"kind": "council"}, "fund": {"kind": "investor"},
                    "charity": {"kind": "provider"}},
        "deals": {},
    }  # fmt: skip
    for i, name in enumerate(names):
        data["deals"][name] = {
            "start": date(2027, 1, 1) if name == "b" else None,
            "programme": {
                "title": name,
                "referrals": {"per_quarter": 12.0 + i, "quarters": 6, "dispersion": 0.1,
                              "volume": {"distribution": "lognormal", "mean": 1.0, "sd": 0.2,
                                         "loadings": {"economy": 0.3}}},
                "outcomes": {"home": {"probability": {"distribution": "beta", "mean": 0.6, "sd": 0.1},
                                      "lag": 1, "verification_lag": 1}},
                "costs": {"delivery": {"per_quarter": 20_000.0 * scale, "index": "pay", "elasticity": 0.5}},
                "savings": {"care": {"on": "home", "agency": "commissioner", "unit_value": 900.0 * scale,
                                     "duration": 5, "cashable": 0.5}},
            },
            "instrument": {"kind": "social-impact-bond", "commitment": {"peak_need": 1.2},
                           "cap": {"irr": 0.1}, "termination": {"voluntary": {"annual_probability": 0.05}},
                           "review": {"quarters": (4,), "below": 0.8, "price": 1.1}},
            "tariff": {"prices": {"home": 4_000.0 * scale}, "cap": 240_000.0 * scale,
                       "payers": {"council": {"share": 1.0}}, "emergency_support": 0.5},
            "parties": {"council": "anytown", "investor": "fund", "provider": "charity"},
        }  # fmt: skip
    return Portfolio.model_validate(data)


def rows(portfolio: Portfolio, **how: Any) -> tuple[Any, Any]:
    """Everything a run gives back."""
    result = simulate(portfolio, paths=1300, seed=7, **{"workers": 1, **how})
    return result.measures_rows, result.flow_rows


def test_same_bits_whatever_chunk_and_workers() -> None:
    once = rows(several())
    assert rows(several()) == once
    assert rows(several(), chunk=512) == once
    assert rows(several(), chunk=1000, workers=2) == once
    assert rows(several(), chunk=256, workers=2) == once


def test_another_seed_gives_other_figures() -> None:
    first = simulate(several(("a",)), paths=500, seed=1, workers=1).figure("gain", who="fund", deal="a")
    second = simulate(several(("a",)), paths=500, seed=2, workers=1).figure("gain", who="fund", deal="a")
    assert first.value != second.value


def test_removing_a_deal_changes_no_row_of_the_others() -> None:
    with_c = [row for row in rows(several())[0] if row.scope.startswith("deal") and row.deal != "c"]
    without = [row for row in rows(several(("a", "b")))[0] if row.scope.startswith("deal")]
    assert with_c == without


def test_order_of_deals_in_the_file_changes_nothing() -> None:
    assert rows(several(("a", "b")))[1] == rows(_turned(several(("a", "b"))))[1]


def _turned(portfolio: Portfolio) -> Portfolio:
    return portfolio.model_copy(update={"deals": dict(reversed(portfolio.deals.items()))})


def test_doubling_every_pound_doubles_every_flow() -> None:
    once, twice = rows(several(("a",)))[1], rows(several(("a",), scale=2.0))[1]
    assert len(once) == len(twice)
    for one, two in zip(once, twice, strict=True):
        assert two.value == pytest.approx(2 * one.value, rel=1e-12)


def test_paths_beyond_memory_are_refused_before_anything_runs() -> None:
    ready = prepare(several())
    with pytest.raises(InputError, match="GiB of memory") as caught:
        check_memory(estimate(ready, 1_000_000_000))
    assert caught.value.field == "paths"


@pytest.mark.parametrize(("field", "how"), [("paths", {"paths": 0}), ("workers", {"workers": 0}),
                                            ("chunk", {"chunk": 0})])  # fmt: skip
def test_nonsense_sizes_are_refused(field: str, how: dict[str, int]) -> None:
    with pytest.raises(InputError) as caught:
        simulate(several(), **{"paths": 10, **how})
    assert caught.value.field == field


def test_bridge_steps_add_up_to_the_expected_value() -> None:
    """Plan + steps = expected, and expected = the mean when all paths are walked."""
    result = simulate(several(), paths=600, seed=7, workers=1)
    for deal in ("a", "b", "c"):
        for who, measure in (("fund", "gain"), ("anytown", "net_cost")):
            steps = [
                row for row in result.measures_rows
                if row.deal == deal and row.party == who and row.measure == f"bridge: {measure}"
            ]  # fmt: skip
            *parts, end = [row.value for row in steps]
            assert steps[0].statistic == "plan"
            assert sum(parts) == pytest.approx(end, abs=1e-6)
            assert end == pytest.approx(result.figure(measure, who=who, deal=deal).value, abs=1e-6)


def test_a_stage_of_the_bridge_is_what_the_portfolio_would_be_without_it() -> None:
    """Without a shock and without early ends there is only the first step; both then move pounds."""

    def bridge(portfolio: Portfolio) -> dict[str, float]:
        found = simulate(portfolio, paths=300, seed=7, workers=1, compare=False).measures_rows
        mine = [row for row in found if row.measure == "bridge: net_cost" and row.deal == "a"]
        return {row.statistic: row.value for row in mine if row.value is not None}

    whole, calm = several(("a",)), several(("a",))
    shocks = {name for name, one in calm.factors.items() if one.kind == "common-shock"}
    calm = calm.model_copy(
        update={"factors": {name: one for name, one in calm.factors.items() if name not in shocks}}
    )
    terms = calm.deals["a"].instrument.model_dump(exclude_unset=True)
    never = calm.model_dump(exclude_unset=True)
    del terms["termination"]
    never["deals"]["a"]["instrument"] = terms
    quiet = bridge(Portfolio.model_validate(never))
    steps = bridge(whole)
    assert quiet["common shock"] == quiet["early end by chance"] == quiet["delivery failure"] == 0.0
    assert steps["uncertain inputs and caps"] == pytest.approx(quiet["uncertain inputs and caps"], abs=1e-6)
    assert bridge(calm)["early end by chance"] != 0.0
    assert steps["common shock"] != 0.0
    assert steps["delivery failure"] == 0.0


def test_standard_errors_cover() -> None:
    """Twenty runs of 1,000 paths: the mean gain lies within 4 standard errors of the long run's."""
    long = simulate(several(("a",)), paths=10_000, seed=99, workers=1, compare=False).figure(
        "gain", who="fund", deal="a"
    )
    for seed in range(20):
        short = simulate(several(("a",)), paths=1000, seed=seed, workers=1, compare=False).figure(
            "gain", who="fund", deal="a"
        )
        assert None not in (short.value, short.standard_error, long.value, long.standard_error)
        spread = np.hypot(short.standard_error, long.standard_error)  # type: ignore[arg-type]
        assert abs(short.value - long.value) < 4 * spread  # type: ignore[operator]


def test_irr_of_mean_flows_error_is_honest() -> None:
    """The jackknife error of the headline IRR against its spread over 30 seeds, within a factor of 1.6."""
    values, errors = [], []
    for seed in range(30):
        row = simulate(several(("a",)), paths=2560, seed=seed, workers=1, compare=False).figure(
            "irr", "of_mean_flows", who="fund", deal="a"
        )
        values.append(row.value)
        errors.append(row.standard_error)
    spread, stated = np.std(values, ddof=1), np.mean(errors)
    assert stated / 1.6 < spread < stated * 1.6


def test_variation_run_only_where_it_changes_anything_is_variation() -> None:
    """Figures with variation, path by path, against running every path again."""
    from socialfinance.engine.block import VARIED, _run_one, deal_figures, run_block
    from socialfinance.engine.ready import drawn, futures_of, price_level

    ready, paths = prepare(several()), np.arange(600, dtype=np.uint64)
    block = run_block(ready, 7, 0, 600, compare=False)
    common = ready.common(7, paths)
    for deal in ready.deals:
        assert deal.varied is not None
        futures = futures_of(deal, drawn(deal, common, 7, paths), common)
        every = _run_one(deal, deal.varied, futures, price_level(deal, common), 600, long=False)
        for key, values in deal_figures(ready, deal, every, VARIED).items():
            assert np.array_equal(block.figures[key], values, equal_nan=True), key
        gain = [key for key in block.figures if key.deal == deal.name and key.measure == "gain"]
        assert len(gain) == 2
        assert not np.array_equal(*(block.figures[key] for key in gain))
