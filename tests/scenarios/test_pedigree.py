"""Priors with a pedigree: a record against Bayes and simulation, grades."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from scipy import stats

from socialfinance import gmca
from socialfinance.markets import optimism_bias
from socialfinance.scenarios.distributions import Uncertain, UncertainShare, is_certain, mean_of, plan_of
from socialfinance.scenarios.pedigree import (
    CORRELATION,
    Graded,
    Learned,
    PastProgramme,
    ReferenceClass,
    SectorRates,
    TrackRecord,
    held_moments,
    learn,
)
from socialfinance.scenarios.reference_classes import facts, ratio

UNCERTAIN: TypeAdapter[Any] = TypeAdapter(Uncertain)
SHARE: TypeAdapter[Any] = TypeAdapter(UncertainShare)
EVENLY = (np.arange(400_000) + 0.5) / 400_000
PAGE = Path(__file__).parents[2] / "docs" / "evidence" / "priors.md"


def record(*programmes: tuple[int, int]) -> dict[str, PastProgramme]:
    return {f"programme {i}": PastProgramme(users=n, successes=x) for i, (n, x) in enumerate(programmes)}


TRACK = TrackRecord(record=record((40, 30), (10, 9)), sector=SectorRates(mean=0.6, sd=0.15), correlation=0.4)
BY_CLASS = TrackRecord(record=record((40, 30)), reference="health", of=0.5, stage="outcome")
VOLUME = ReferenceClass(of=1.0, sector="child and family welfare", stage="engagement")
CHANCE = ReferenceClass(of=0.9, sector="employment and training", share=True)
SAVING = Graded(value=12770.0, grade=4, side="benefit", spread=1500.0)
GRADED_CHANCE = Graded(value=0.95, grade=1, side="benefit", spread=0.1, share=True)
EVERY = [TRACK, BY_CLASS, VOLUME, CHANCE, SAVING, GRADED_CHANCE,
         ReferenceClass(of=2e6, sector="all", measure="paid", finished=True)]  # fmt: skip


def centre(found: Learned) -> float:
    return found.a / (found.a + found.b)


# --- distributions like any other -----------------------------------------------------------------


@pytest.mark.parametrize("one", EVERY, ids=lambda one: one.distribution)
def test_quantiles_have_the_stated_mean_and_sd(one: Any) -> None:
    values = one.quantile(EVENLY)
    assert values.mean() == pytest.approx(one.mean, rel=2e-4)
    assert values.std() == pytest.approx(one.sd, rel=2e-3)
    assert (np.diff(values) >= 0).all()
    assert np.isfinite(one.quantile(np.array([2.0**-53, 1 - 2.0**-53]))).all()


@pytest.mark.parametrize("one", EVERY, ids=lambda one: one.distribution)
def test_each_comes_back_from_its_file_form(one: Any) -> None:
    assert UNCERTAIN.validate_python(one.model_dump()) == one
    assert (
        UNCERTAIN.validate_python(one.model_dump(exclude_unset=True) | {"distribution": one.distribution})
        == one
    )
    assert not is_certain(one)
    assert mean_of(one) == one.mean


def test_the_plan_is_the_plans_own_figure() -> None:
    assert plan_of(VOLUME) == 1.0
    assert plan_of(SAVING) == 12770.0
    assert plan_of(BY_CLASS) == 0.5
    assert plan_of(TRACK) == TRACK.mean
    for one in EVERY:
        assert plan_of(one.model_copy(update={"plan": 0.7})) == 0.7


def test_there_is_a_schema() -> None:
    text = str(UNCERTAIN.json_schema())
    assert all(word in text for word in ("track-record", "reference-class", "graded", "overdispersion"))


# --- a record -------------------------------------------------------------------------------------

RATES = st.floats(0.05, 0.95)
SPREADS = st.floats(0.05, 0.9)
"""sd over the largest that is possible"""
PROGRAMMES = st.lists(st.tuples(st.integers(1, 400), st.floats(0, 1)), min_size=1, max_size=5)


def counted(programmes: list[tuple[int, float]]) -> list[tuple[int, int]]:
    return [(n, round(share * n)) for n, share in programmes]


@given(PROGRAMMES, RATES, SPREADS)
def test_where_all_is_the_providers_it_is_the_beta_binomial(
    programmes: list[tuple[int, float]], mean: float, spread: float
) -> None:
    """r = 1, d = 0: the textbook posterior, a0 + Σ x and b0 + Σ (n - x)."""
    sd, known = spread * math.sqrt(mean * (1 - mean)), counted(programmes)
    total = mean * (1 - mean) / sd**2 - 1
    found = learn(known, mean, sd, 1.0, 0.0)
    assert found.a == pytest.approx(total * mean + sum(x for _, x in known), rel=1e-9)
    assert found.b == pytest.approx(total * (1 - mean) + sum(n - x for n, x in known), rel=1e-9)
    assert found.effective_people == pytest.approx(sum(n for n, _ in known))


@given(PROGRAMMES, RATES, SPREADS, st.floats(0.01, 1), st.floats(0, 1))
def test_a_record_moves_the_mean_by_its_weight_and_never_past_it(
    programmes: list[tuple[int, float]], mean: float, spread: float, r: float, d: float
) -> None:
    sd, known = spread * math.sqrt(mean * (1 - mean)), counted(programmes)
    found = learn(known, mean, sd, r, d)
    assert 0 < found.weight < 1
    assert len(known) - 1e-9 <= found.effective_people <= sum(n for n, _ in known) + 1e-9
    assert centre(found) == pytest.approx((1 - found.weight) * mean + found.weight * found.share, abs=1e-9)
    if len(known) == 1:
        assert found.weight <= r + 1e-9  # one programme says what one programme did
    better = learn([(n, n) for n, _ in known], mean, sd, r, d)
    assert centre(better) >= centre(found) - 1e-12


@given(st.integers(2, 200), st.integers(2, 8), RATES, SPREADS, st.floats(0.05, 0.95))
def test_the_same_people_in_more_programmes_say_more(
    n: int, parts: int, mean: float, spread: float, r: float
) -> None:
    sd = spread * math.sqrt(mean * (1 - mean))
    whole, split = learn([(n * parts, n)], mean, sd, r, 0.0), learn([(n, 1)] * parts, mean, sd, r, 0.0)
    assert split.weight > whole.weight
    assert learn([(n * parts, n)], mean, sd, r, 0.2).weight < whole.weight


@given(st.floats(0.1, 0.75), st.floats(0.02, 0.2))
def test_five_of_five_do_not_beat_180_of_200(mean: float, sd: float) -> None:
    assume(sd < 0.99 * math.sqrt(mean * (1 - mean)))
    few, many = (learn([one], mean, sd, CORRELATION, 0.0) for one in ((5, 5), (200, 180)))
    assert centre(few) < centre(many)


def test_where_five_of_five_can_beat_them() -> None:
    """As the page says: a sector as good as they are, or so wide that 200 people are a few."""
    for mean, sd in ((0.9, 0.1), (0.5, 0.45)):
        few, many = (learn([one], mean, sd, CORRELATION, 0.0) for one in ((5, 5), (200, 180)))
        assert centre(few) > centre(many)


def test_a_simulated_sector_is_forecast_without_bias_and_with_the_stated_error() -> None:
    """Providers, programmes, teams and people drawn level by level; 4 standard errors each.

    The error of the forecast of the next programme's rate has mean nil, is uncorrelated with each past share
    (so nothing linear is left to learn), and its square is M (1 - M) F on average.
    """
    rng, providers = np.random.default_rng(12), 20_000
    mean, sd, r, d = 0.7, 0.15, 0.37, 0.05
    spread = sd**2 / (mean * (1 - mean))
    between = r * spread
    own = (spread - between) / (1 - between)

    def beta(m: Any, rho: float) -> Any:
        total = 1 / rho - 1
        return rng.beta(m * total, (1 - m) * total)

    p = beta(np.full(providers, mean), between)
    sizes = (8, 150)
    shares = np.array([
        rng.binomial(n, np.clip(beta(np.clip(beta(p, own), 1e-9, 1 - 1e-9), d), 0, 1)) / n for n in sizes
    ])  # fmt: skip
    following = beta(p, own)
    found = [learn([(n, round(s * n)) for n, s in zip(sizes, one, strict=True)], mean, sd, r, d)
             for one in shares.T]  # fmt: skip
    forecast = np.array([centre(one) for one in found])
    variance = forecast * (1 - forecast) / (1 + np.array([one.a + one.b for one in found]))
    error = following - forecast
    for what in (error, *(error * (share - mean) for share in shares), error**2 - variance):
        assert abs(what.mean()) < 4 * what.std() / math.sqrt(providers)
    assert variance.mean() * 1.1 < ((following - mean) ** 2).mean()  # the record did teach something
    low, high = (stats.beta.ppf(q, [one.a for one in found], [one.b for one in found]) for q in (0.05, 0.95))
    inside = ((low <= following) & (following <= high)).mean()
    assert inside == pytest.approx(0.9, abs=0.02)  # the shape is by moments: near, not exact


def test_the_worked_example_of_the_page() -> None:
    part = PAGE.read_text(encoding="utf-8").split("### A worked example")[1].split("###")[0]
    said = {
        key: float(value) for key, value in re.findall(r"^\| ([^|]+?) \| ([0-9.]+) \|$", part, re.MULTILINE)
    }
    assert len(said) == 11
    f = 0.15**2 / (0.6 * 0.4)
    f1 = 0.4 * f
    f2 = (f - f1) / (1 - f1)
    first, second = 40 / (1 + 39 * f2), 10 / (1 + 9 * f2)
    k, e = 1 / f1 - 1, first + second
    m = (0.6 * k + first * 30 / 40 + second * 9 / 10) / (k + e)
    f3 = 1 / (k + e + 1)
    total = 1 / (f3 + f2 * (1 - f3)) - 1
    by_hand = {"f": f, "f1": f1, "f2": f2, "K": k, "e of the first": first, "e of the second": second,
               "w": e / (k + e), "M": m, "F": 1 / (total + 1), "a": m * total,
               "b": (1 - m) * total}  # fmt: skip
    assert said == pytest.approx(by_hand, rel=1e-5)
    assert TRACK.shape == pytest.approx((said["a"], said["b"]), rel=1e-5)
    assert (TRACK.weight, TRACK.mean) == pytest.approx((said["w"], said["M"]), rel=1e-5)


def test_the_files_of_the_page_are_valid_and_its_record_is_the_example() -> None:
    from socialfinance.io.yaml import parse, plain

    parts = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    read = [
        UNCERTAIN.validate_python(next(iter(plain(parse(part.encode(), "page")).values()))) for part in parts
    ]
    assert [one.distribution for one in read] == ["track-record", "reference-class", "graded"]
    assert read[0].shape == TRACK.shape


def test_what_the_page_says_of_correlations() -> None:
    """0.37 between people would make 200 worth 2.7; the Fair Chance Fund's rates give 0.02 at most."""
    assert pytest.approx(2.7, abs=0.05) == 200 / (1 + 199 * CORRELATION)
    rate = facts("home at 18 months over assessed")["all"]
    assert rate.mean is not None
    assert rate.sd is not None
    assert rate.sd**2 / (rate.mean * (1 - rate.mean)) == pytest.approx(0.02, abs=5e-4)


def test_the_default_correlation_is_the_tables() -> None:
    measure = "achieved / target, engagement left out"
    assert facts(f"{measure}: correlation of two metrics of one project")["all"].mean == CORRELATION
    between, within = (
        facts(f"{measure}: variance {where}")["all"].mean
        for where in ("between projects", "within a project")
    )
    assert between is not None
    assert within is not None
    assert round(between / (between + within), 2) == CORRELATION
    assert TrackRecord.model_fields["correlation"].default == CORRELATION


def test_a_class_may_stand_for_the_sector() -> None:
    found = ratio("achieved", "health", "outcome", False)
    assert BY_CLASS.prior == held_moments(0.5 * found.mean, 0.5 * found.sd)
    given_ = TrackRecord(
        record=BY_CLASS.record, sector=SectorRates(mean=BY_CLASS.prior[0], sd=BY_CLASS.prior[1])
    )
    assert given_.shape == pytest.approx(BY_CLASS.shape)


def test_a_sector_without_spread_is_its_mean() -> None:
    one = TrackRecord(record=record((40, 30)), sector=SectorRates(mean=0.6, sd=1e-6))
    assert one.quantile(EVENLY[::1000]) == pytest.approx(0.6, abs=1e-5)


# --- grades ---------------------------------------------------------------------------------------


def test_a_claim_is_corrected_by_its_grade() -> None:
    """HM Treasury and others, April 2014 [unverified]: benefits down, costs up."""
    for grade, c in ((1, 0.0), (2, 0.05), (3, 0.10), (4, 0.15), (5, 0.25), (6, 0.40)):
        benefit, cost = (
            Graded(value=200.0, grade=grade, side=side, spread=10.0) for side in ("benefit", "cost")
        )
        assert (benefit.mean, cost.mean) == pytest.approx((200 * (1 - c), 200 * (1 + c)))
        assert benefit.sd == pytest.approx(10.0)
        assert plan_of(benefit) == 200.0


def test_there_is_one_table_of_corrections() -> None:
    assert gmca.CORRECTION is optimism_bias.CORRECTION
    assert "[unverified]" in optimism_bias.SOURCE
