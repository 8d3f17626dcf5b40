"""Classes of real projects: the shipped table, its shrinkage against SciPy, and the tool that makes it."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from scipy import integrate, stats

from socialfinance.scenarios.distributions import Uncertain, UncertainShare
from socialfinance.scenarios.pedigree import ReferenceClass, held_moments
from socialfinance.scenarios.reference_classes import BY_PROJECT, SCOPES, facts, ratio, shrinkage, table
from tests.io.small import write
from tools import reference_classes as tool

UNCERTAIN: TypeAdapter[Any] = TypeAdapter(Uncertain)
SHARE: TypeAdapter[Any] = TypeAdapter(UncertainShare)


def test_every_row_is_an_aggregate_with_its_source() -> None:
    rows = table()
    assert len(rows) > 50
    for row in rows:
        assert row.source, row
        assert (row.projects or row.n) >= 3, row
        if row.projects is not None and row.projects < 5:
            assert {row.p10, row.p25, row.median, row.p75, row.p90} == {None}, row
    assert {row.measure for row in rows if row.projects} == set(tool.KEPT)


def test_published_aggregates_are_frozen() -> None:
    """GO Lab (University of Oxford), INDIGO Impact Bond Dataset, May 2025 vintage; computed."""
    by_key = {(row.measure, row.scope, row.sector, row.stage): (row.n, row.mean, row.sd) for row in table()}
    uk, lcf = SCOPES["achieved", False], SCOPES["paid", False]
    assert by_key["achieved / target", uk, "all", "outcome"] == (49, 0.76, 0.42)
    assert by_key["achieved / target", uk, "employment and training", "sustained outcome"] == (15, 0.88, 0.57)
    assert by_key["paid / original plan, whole life", lcf, "child and family welfare", "all"] == (
        8,
        0.68,
        0.31,
    )
    assert facts("planned cumulative payment")["4/8"].median == 0.41


@pytest.mark.parametrize("measure", ["achieved", "paid"])
def test_the_shrinkage_is_that_of_an_analysis_of_variance(measure: Any) -> None:
    """Samples with exactly the sectors' means and sds, through SciPy: k = n0 / (F - 1)."""
    cells = [row for row in table() if row.measure == BY_PROJECT[measure]
             and row.scope == SCOPES[measure, False] and row.sector != "all"]  # fmt: skip
    samples = []
    for cell in cells:
        raw = np.arange(cell.n, dtype=float)
        samples.append(cell.mean + cell.sd * (raw - raw.mean()) / raw.std(ddof=1))
    sizes = np.array([cell.n for cell in cells])
    n0 = (sizes.sum() - (sizes**2).sum() / sizes.sum()) / (len(sizes) - 1)
    f = stats.f_oneway(*samples).statistic
    assert shrinkage(measure) == pytest.approx(n0 / (f - 1), rel=1e-9)


def test_a_class_is_drawn_towards_all_sectors() -> None:
    one, k = ratio("achieved", "child and family welfare", "outcome", False), shrinkage("achieved")
    w = 5 / (5 + k)
    assert one.weight == pytest.approx(w)
    assert one.mean == pytest.approx(w * 0.55 + (1 - w) * 0.76)
    assert one.sd == pytest.approx(math.sqrt((w * 0.3**2 + (1 - w) * 0.42**2) * (1 + 1 / (5 + k))))
    assert (one.whole_mean, one.whole_sd) == pytest.approx((0.76, 0.42 * math.sqrt(1 + 1 / 20)))
    assert not one.fell_back


@pytest.mark.parametrize(
    ("sector", "stage", "measure"),
    [
        ("criminal justice", "all", "achieved"),
        ("homelessness", "outcome", "achieved"),
        ("child and family welfare", "sustained outcome", "achieved"),
        ("homelessness", "all", "paid"),
    ],
)
def test_a_class_that_is_too_small_is_all_sectors_and_says_so(sector: Any, stage: Any, measure: Any) -> None:
    one = ReferenceClass(of=1.0, sector=sector, stage=stage, measure=measure)
    whole = ReferenceClass(of=1.0, sector="all", stage=stage, measure=measure)
    assert one.ratio.fell_back
    assert one.ratio.sector == "all"
    assert (one.mean, one.sd) == (whole.mean, whole.sd)
    assert (one.weight, whole.weight) == (0.0, 1.0)
    assert not whole.ratio.fell_back


def test_every_class_that_can_be_asked_for_is_found() -> None:
    for finished in (False, True):
        for sector in ReferenceClass.model_fields["sector"].annotation.__args__:  # type: ignore[union-attr]
            for stage in ("all", "engagement", "outcome", "sustained outcome"):
                one = ReferenceClass(of=1.0, sector=sector, stage=stage, finished=finished)  # type: ignore[arg-type]
                assert 0.4 < one.mean < 1.3
            assert 0.6 < ReferenceClass(of=1.0, sector=sector, measure="paid", finished=finished).mean < 1.1


@settings(max_examples=25)
@given(st.floats(0.05, 3.0), st.floats(0.02, 2.0))
def test_a_share_is_held_at_one_and_so_are_its_moments(mean: float, sd: float) -> None:
    law = stats.lognorm(*_lognormal(mean, sd))
    upto = law.cdf(1.0)
    first = integrate.quad(lambda u: min(law.ppf(u), 1.0), 0, upto, epsabs=1e-10, limit=200)[0] + 1 - upto
    second = (
        integrate.quad(lambda u: min(law.ppf(u), 1.0) ** 2, 0, upto, epsabs=1e-10, limit=200)[0] + 1 - upto
    )
    found = held_moments(mean, sd)
    assert found[0] == pytest.approx(first, abs=1e-6)
    assert found[1] ** 2 == pytest.approx(second - first**2, abs=1e-6)


def _lognormal(mean: float, sd: float) -> tuple[float, float, float]:
    s = math.sqrt(math.log1p((sd / mean) ** 2))
    return s, 0.0, mean * math.exp(-(s**2) / 2)


def test_a_share_is_known_where_one_is_asked_for() -> None:
    terms = {"distribution": "reference-class", "of": 0.95, "sector": "homelessness"}
    free, held = UNCERTAIN.validate_python(terms), SHARE.validate_python(terms)
    u = np.array([0.999])
    assert (free.share, held.share) == (False, True)
    assert free.quantile(u)[0] > 1.0 == held.quantile(u)[0]
    assert held.mean < free.mean
    assert held.prior[0] < free.prior[0]


# --- the tool that makes the table ----------------------------------------------------------------

HEAD = "measure,unit,scope,sector,stage,projects,n,n_counts,mean,sd,p10,p25,median,p75,p90,source\n"
ROWS = (
    "achieved / target,ratio,UK,Health,all,6,20,metrics,0.5,0.2,0.1,0.2,0.3,0.4,0.5,A survey\n"
    "achieved / target,ratio,UK,Education,all,4,9,metrics,0.7,0.3,0.1,0.2,0.3,0.4,0.5,A survey\n"
    "achieved / target,ratio,UK,Crime,all,2,9,metrics,0.7,0.3,0.1,0.2,0.3,0.4,0.5,A survey\n"
    "paid / latest plan,ratio,UK,Health,all,9,9,projects,0.9,0.1,,,0.9,,,A survey\n"
)


def test_the_table_is_made_from_aggregates(tmp_path: Path) -> None:
    summary, out = write(tmp_path, "summary.csv", HEAD + ROWS), tmp_path / "classes.csv"
    assert tool.main([str(summary), "--to", str(out)]) == 0
    lines = out.read_text(encoding="utf-8").splitlines()
    assert hashlib.sha256(summary.read_bytes()).hexdigest() in "".join(lines[:5])
    rows = [line for line in lines if "A survey" in line]
    assert rows == [
        "achieved / target,UK,health,all,6,20,metrics,0.5,0.2,0.1,0.2,0.3,0.4,0.5,A survey",
        "achieved / target,UK,education,all,4,9,metrics,0.7,0.3,,,,,,A survey",
    ]
    assert len(lines) == lines.index(rows[-1]) + 1 + len(tool.FACTS)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEAD.replace("scope,", ""), "summary.csv:1: scope: has no such column"),
        (HEAD + ROWS.replace(",0.5,0.2,", ",half,0.2,"), "summary.csv:2: is no number"),
        (HEAD + ROWS.replace("A survey", "", 1), "summary.csv:2: source: is missing"),
    ],
)
def test_a_bad_summary_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, words: str
) -> None:
    out = tmp_path / "classes.csv"
    assert tool.main([str(write(tmp_path, "summary.csv", text)), "--to", str(out)]) == 2
    assert words in capsys.readouterr().err
    assert not out.exists()


def test_the_shipped_facts_are_the_tools() -> None:
    for fact in tool.FACTS:
        cell = facts(fact.measure)[fact.stage]
        for name in ("n", "median", "p25"):
            assert getattr(cell, name) == getattr(fact, name)
        assert cell.mean == (None if fact.mean is None else pytest.approx(fact.mean, rel=1e-3))
