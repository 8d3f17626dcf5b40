"""A fund that meets the deals of a world in several mixes: futures as good as those that were drawn."""

from __future__ import annotations

import pickle
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

import socialfinance as sf
from socialfinance.core.ledger import Ledger
from socialfinance.engine import sampling
from socialfinance.engine.accumulate import Kept
from socialfinance.engine.block import run_block
from socialfinance.engine.deal import run
from socialfinance.engine.fund import _live
from socialfinance.engine.fund_figures import life_figures
from socialfinance.engine.ready import ReadyPortfolio, drawn, futures_of, prepare, price_level
from socialfinance.engine.sampling import (
    SETS,
    SMALLEST,
    Spread,
    _can_be_mixed,
    _world,
    by_owner,
    spread,
    streams,
)
from socialfinance.funds.portfolio import Portfolio
from socialfinance.measures.paths import Key, fund_investors, life, payer_figures, saved_of
from socialfinance.results.result import Result
from socialfinance.scenarios.points import COMMON, EDGES, Names, Points, Tilt

LEAST = SETS * SMALLEST
TAIL = "all investors.loss"
PATHS = np.arange(1024, dtype=np.uint64)
BAD = Tilt(tuple(3.0 if high <= 0.1 else 0.7 / 0.9 for high in EDGES[1:]))
GROUPS: dict[str, list[Names]] = {
    COMMON: [("factors", "economy")],
    "a": [("a", "failure"), ("factors", "provider", "of a")],
    "b": [("b", "failure")],
}


@cache
def fund(name: str = "community-fund", commitment: float | None = None) -> Portfolio:
    """A shipped fund; with one note's commitment cut, it cannot grant all that is asked."""
    portfolio = sf.load(name).portfolio
    if commitment is None:
        return portfolio
    changed = portfolio.fund.model_dump(exclude_unset=True)
    changed["notes"]["savers"]["commitment"] = commitment
    return portfolio.model_copy(update={"fund": type(portfolio.fund).model_validate(changed)})


def in_mixes(ready: ReadyPortfolio, size: int = 512) -> ReadyPortfolio:
    return replace(ready, points=Points(7, size, by_owner(ready, streams(ready)), None, 8, 4))


@cache
def ran(tail: str | None) -> Result:
    how: dict[str, Any] = {} if tail is None else {"sampling": "auto", "tail": tail}
    return sf.simulate(fund(), 2 * LEAST, 7, workers=1, compare=False, **how)


@pytest.fixture
def short_pilots(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MIXED_PILOTS", "TAIL_PILOTS"):
        monkeypatch.setattr(sampling, name, (2048, 2048))
    monkeypatch.setattr(sampling, "PILOT", 1024)


# --- which path a deal is met on -------------------------------------------------------------------


def test_in_every_mix_each_deal_of_a_world_is_met_once() -> None:
    points = Points(7, 256, GROUPS, None, 8, 5)
    for whose in ("a", "b"):
        met = points.mixed(whose, PATHS)
        assert np.array_equal(met[0], PATHS)
        for mix in met:
            assert np.array_equal(mix // 8, PATHS // 8)
            assert np.array_equal(np.sort(mix), PATHS)
    assert not np.array_equal(points.mixed("a", PATHS), points.mixed("b", PATHS))
    assert np.array_equal(points.mixed(COMMON, PATHS), np.repeat(PATHS[None], 5, axis=0))


def test_every_meeting_is_as_likely_as_any_other() -> None:
    """Two deals' places in a world, mix after the first: 64 meetings, chi-squared within 5 sd of its mean."""
    paths = np.arange(65_536, dtype=np.uint64)
    points = Points(3, 4096, GROUPS, None, 8, 4)
    first, second = (points.mixed(whose, paths)[1:].ravel() % np.uint64(8) for whose in ("a", "b"))
    counts = np.bincount((first * 8 + second).astype(int), minlength=64)
    expected = counts.sum() / 64
    assert abs(np.sum((counts - expected) ** 2 / expected) - 49.0) < 5.0 * np.sqrt(98.0)


def test_paths_of_a_world_share_what_is_common_and_nothing_else() -> None:
    points = Points(7, 256, GROUPS, None, 8, 4)
    common, own = points.uniforms(("factors", "economy"), PATHS), points.uniforms(GROUPS["a"][1], PATHS)
    assert common is not None
    assert own is not None
    assert np.all(np.ptp(common.reshape(-1, 8), axis=1) == 0.0)
    assert len(np.unique(common)) == len(PATHS) // 8
    assert len(np.unique(own)) == len(PATHS)
    assert np.array_equal(points.common(PATHS), PATHS // 8 * 8)


def test_weights_are_those_of_the_draws_that_meet() -> None:
    """2 / (1 + g), with g multiplied out future by future."""
    tilts = {GROUPS[COMMON][0]: BAD, GROUPS["a"][1]: BAD, GROUPS["b"][0]: BAD}
    points = Points(7, 256, GROUPS, tilts, 8, 4)
    found = points.mixed_weights(PATHS)
    for mix in range(4):
        density = np.ones(len(PATHS))
        for names in tilts:
            u = points.uniforms(names, points.mixed(points.whose[names], PATHS)[mix])
            assert u is not None
            density *= np.where(u <= 0.1, 3.0, 0.7 / 0.9)
        assert found[mix] == pytest.approx(2.0 / (1.0 + density), rel=1e-12)
    assert np.array_equal(points.weights(PATHS), found[0])
    assert np.ptp(found.mean(axis=1)) < 0.05
    assert np.any(found[1] != found[0])


def test_what_moves_one_deal_alone_is_its_own() -> None:
    """A provider's score follows the deal to the path on which it is met; a theme's stays with the world."""
    ready, paths = in_mixes(prepare(fund())), PATHS[:64]
    deal = next(one for one in ready.deals if one.name == "edge-of-care")
    assert deal.own_factors == {"project": "family service"}
    common = ready.common(7, paths)
    found = drawn(deal, common, 7, paths).scores
    spread_out = {name: np.ptp(score.reshape(-1, 8), axis=1) for name, score in found.items()}
    assert np.all(spread_out["project"] > 0.0)
    assert not any(spread_out[name].any() for name in ("economy", "theme"))
    elsewhere = drawn(deal, common, 7, paths[::-1]).scores
    assert np.array_equal(elsewhere["project"], found["project"][::-1])
    assert np.array_equal(elsewhere["theme"], found["theme"])


def test_streams_are_their_owners() -> None:
    """What several deals load on is common; what one does is its own; and of one deal all is its own."""
    ready = prepare(fund())
    owned = by_owner(ready, streams(ready))
    assert ("factors", "theme", "child and family") in owned[COMMON]
    assert ("indices", "cpi", "course 1") in owned[COMMON]
    assert ("factors", "theme", "social enterprise") in owned["community-loans"]
    assert ("factors", "project", "foster match") in owned["foster-families"]
    single = prepare(sf.load("demo-guaranteed-debt").portfolio)
    assert not by_owner(single, streams(single))[COMMON]


# --- what a fund makes of it -----------------------------------------------------------------------


def from_the_start(ready: ReadyPortfolio, seed: int, paths: np.ndarray, mix: int) -> dict[Key, np.ndarray]:
    """The same futures with every deal drawn and run on the path on which it is met, side by side."""
    assert ready.points is not None
    common = ready.common(seed, paths)
    own = {deal.draws: ready.points.mixed(deal.draws, paths)[mix] for deal in ready.deals}
    paid_in, back = (np.zeros((ready.calendar.quarters + 1, len(paths))) for _ in range(2))
    public: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for deal in ready.deals:
        futures = futures_of(deal, drawn(deal, common, seed, own[deal.draws]), common)
        ledger = Ledger(deal.calendar.year_of_row, len(paths))
        run(deal, (deal.own,), futures, price_level(deal, common), (ledger,))
        for total, flows in zip((paid_in, back), ledger.of_role("investor"), strict=True):
            total[deal.first_row : deal.first_row + len(flows)] += flows
        for party in ledger.net.keys() & {"eastmere"}:
            tables = public.setdefault(party, (np.zeros(paid_in.shape), np.zeros(paid_in.shape)))
            for total, flows in zip(tables, (ledger.net[party], saved_of(ledger, (party,))), strict=True):
                total[deal.first_row : deal.first_row + len(flows)] += flows
    found = fund_investors(paid_in, back, ready.discount)
    for party, (net, saved) in public.items():
        for measure, (unit, values) in payer_figures(life(net, saved, ready.discount)).items():
            found[Key("council", "", party, ready.parties[party].kind, "", measure, unit)] = values
    found.update(life_figures(ready, _live(ready, seed, paths, False, own), "fund"))
    return found


@pytest.mark.parametrize("commitment", [None, 300_000.0])
def test_a_mix_is_what_its_deals_drawn_and_run_there_give(commitment: float | None) -> None:
    """Every figure of every mix, future by future; also where the fund cannot grant all, and rations."""
    ready, paths = in_mixes(prepare(fund(commitment=commitment))), np.arange(512, dtype=np.uint64)
    block = run_block(ready, 7, 0, len(paths), compare=False)
    rationed = Key("fund", "", "community fund", "fund", "", "rationed", "share of paths")
    assert block.figures[rationed].any() == (commitment is not None)
    for mix in range(4):
        expected = from_the_start(ready, 7, paths, mix)
        assert len(expected) > 50
        for key, values in expected.items():
            found = block.figures[key]
            assert found.shape == (4, len(paths))
            assert found[mix] == pytest.approx(values, rel=1e-9, abs=1e-6, nan_ok=True), key


def test_mixes_meet_the_same_deals_so_that_their_sums_are_the_same() -> None:
    """What all deals draw and pay, summed over paths: every mix has each deal of each path once."""
    block = run_block(in_mixes(prepare(fund())), 7, 0, 512, compare=False)
    for measure in ("drawn", "received", "gain"):
        sums = block.figures[Key("fund", "", "all investors", "investor", "", measure, "pounds")].sum(axis=1)
        assert sums == pytest.approx(np.full(4, sums[0]), rel=1e-9)
    loss = block.figures[Key("fund", "", "all investors", "investor", "", "loss", "pounds")]
    assert np.any(loss[1] != loss[0])


def test_deals_with_the_same_draws_stay_together() -> None:
    ready = in_mixes(prepare(fund()))
    name = ready.deals[1].draws
    twins = replace(ready.deals[0], deal=ready.deals[0].deal.model_copy(update={"draws": name}))
    assert ready.points is not None
    assert np.array_equal(ready.points.mixed(twins.draws, PATHS), ready.points.mixed(name, PATHS))


# --- a run -----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.usefixtures("short_pilots")
def test_mixed_or_plain_the_figures_are_the_same() -> None:
    """Every figure of the fund within 4.5 standard errors of a plain run's."""
    plain = {row[:7]: row for row in ran(None).measures_rows if row.scope == "fund"}
    apart = []
    for row in ran(TAIL).measures_rows:
        other = plain.get(row[:7])
        if other is None or not row.standard_error or not other.standard_error or row.role == "case":
            continue
        error = float(np.hypot(row.standard_error, other.standard_error))
        if error < 1e-4 * abs(row.value):  # type: ignore[arg-type]
            continue  # the same on nearly every path: an error says little of how far the others are
        apart.append((abs(row.value - other.value) / error, row))  # type: ignore[operator]
    assert len(apart) > 150
    settled = ("mean", "probability", "of_mean_flows", "of_means", "mean_of_worst", "es99", "given_loss")
    assert not [one for one in apart if one[0] > 4.5 and one[1].statistic in settled]
    assert np.mean([one[0] > 2.0 for one in apart]) < 0.15


@pytest.mark.usefixtures("short_pilots")
def test_the_run_says_so() -> None:
    told = ran(TAIL).provenance
    assert told["paths_in_a_world"] in (2, 4, 8)
    assert told["mixes"] == 8
    assert spread(prepare(fund()), 7, LEAST).points.mixes == 4
    assert "mixes" not in ran(None).provenance


def test_narrow_blocks_and_other_processes_give_the_same_bits() -> None:
    ready = in_mixes(prepare(fund()))
    whole = run_block(ready, 7, 0, 1024, compare=False)
    elsewhere = replace(ready, points=pickle.loads(pickle.dumps(ready.points)))
    narrow = [run_block(elsewhere, 7, first, 256, compare=False) for first in range(0, 1024, 256)]
    for key, values in whole.figures.items():
        found = np.concatenate([block.figures[key] for block in narrow], axis=-1)
        assert np.array_equal(found, values, equal_nan=True), key


def test_a_run_that_goes_on_has_room_for_every_mix() -> None:
    ready = in_mixes(prepare(fund()), 256)
    assert isinstance(ready.points, Points)
    plan = Spread(ready.points, 512, TAIL, 0)
    longer, once = (Kept(paths, *plan.samples(paths)) for paths in (512, 1024))
    for first in range(0, 1024, 256):
        block = run_block(ready, 7, first, 256, compare=False)
        once.add(block)
        if first == 512:
            longer.grow(1024, *plan.samples(1024))
        longer.add(block)
    for key in once.keys:
        assert np.array_equal(once.figures[key], longer.figures[key], equal_nan=True)
        assert once.figure(key).mean() == longer.figure(key).mean()


@pytest.mark.usefixtures("short_pilots")
def test_what_has_nothing_to_mix_is_not_mixed() -> None:
    """A deal's own figure, one deal alone, and a fund under a policy, which runs its deals again."""
    assert spread(prepare(fund()), 7, LEAST, "edge-of-care: eastmere.net_cost").points.mixes == 1
    assert _can_be_mixed(prepare(fund()))
    assert not _can_be_mixed(prepare(sf.load("demo-guaranteed-debt").portfolio))
    assert not _can_be_mixed(prepare(sf.load("collective-impact-fund").portfolio))


@pytest.mark.usefixtures("short_pilots")
def test_a_council_s_bad_times_are_mixed_where_it_is_in_several_deals() -> None:
    points = spread(prepare(fund()), 7, LEAST, "eastmere.net_cost").points
    block = run_block(replace(prepare(fund()), points=points), 7, 0, 256, compare=False)
    shapes = {
        key.party: values.shape
        for key, values in block.figures.items()
        if key.scope == "council" and key.measure == "net_cost" and not key.financial_year
    }
    assert shapes["eastmere"] == (8, 256)
    assert (256,) in shapes.values()


@pytest.mark.parametrize(("weight", "world"), [(0.0, 8), (0.5, 4), (0.8, 2), (3.0, 1)])
def test_less_is_shared_the_more_hangs_on_what_is_common(weight: float, world: int) -> None:
    """Of a variance of 1 + weight^2 the second part is common: 0, 20, 39 and 90%."""
    rng = np.random.default_rng(1)
    own, common = rng.normal(size=(4, 4096)), np.repeat(rng.normal(size=512), 8)[None]
    assert _world(own + weight * common, 8) == world


def test_a_tail_is_surer() -> None:
    """The expected shortfall's variance is a third less at least than of the same points unmixed."""
    made, key = prepare(fund()), Key("fund", "", "all investors", "investor", "", "loss", "pounds")
    mixed = in_mixes(made, SMALLEST).points
    assert isinstance(mixed, Points)

    def squared(points: Points) -> float:
        plan = Spread(points, LEAST, "", 0)
        kept = Kept(LEAST, *plan.samples(LEAST))
        kept.add(run_block(replace(made, points=points), 7, 0, LEAST, compare=False))
        error = kept.by_path(key).shortfall(0.99)[1]
        assert error is not None
        return error**2

    assert squared(mixed) < 0.67 * squared(Points(7, SMALLEST, mixed.groups))
