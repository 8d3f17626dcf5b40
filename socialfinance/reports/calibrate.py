"""What was fitted to a table of projects, as text: estimates, and how well they are known."""

from __future__ import annotations

import math

from socialfinance.core.text import visible
from socialfinance.evidence.calibrate import FEWEST_SHOWN, Calibration, Funnel
from socialfinance.evidence.effects import Effect
from socialfinance.evidence.mixture import LEVEL, Interval, RatioTest
from socialfinance.evidence.panel import Panel
from socialfinance.reports.numbers import NOTHING
from socialfinance.reports.page import Page


def calibration_page(found: Calibration) -> str:
    """The page of ``calibrate``."""
    page = Page()
    page.heading("Calibration: paid over plan")
    _table_read(page, found.panel)
    for flag in found.panel.flags:
        page.say(f"- {flag}")
    _regimes(page, found)
    _against_single(page, found)
    _shock(page, found)
    _sectors(page, found)
    if found.funnel:
        _funnel(page, found.funnel)
    return page.text


def _table_read(page: Page, panel: Panel) -> None:
    """What was read."""
    kind = " Illustrative: the table says that it is made up." if panel.illustrative else ""
    page.say(
        f"{len(panel.projects)} projects of {visible(panel.file)}, sha256 {panel.sha256[:16]}.{kind}",
        "Ratios weigh every project alike.",
    )


def interval(one: Interval, digits: int = 3) -> tuple[str, str, str]:
    """Estimate, ends and width of an interval, as cells."""
    ends = f"{one.low:.{digits}f} to {one.high:.{digits}f}"
    return f"{one.value:.{digits}f}", ends, f"{one.width:.{digits}f}"


def _regimes(page: Page, found: Calibration) -> None:
    one = found.fit.regimes
    rows = [(name, *interval(each)) for name, each in found.intervals.items()]
    head = ("Regime mixture", "Estimate", f"{LEVEL:.0%} interval", "Width")
    page.table("", head, rows)
    page.say(
        f"Delivery fails with the failure probability: then paid / plan is uniform from {one.low:g} to",
        f"{one.high:g} (stated, not fitted). Else it is lognormal, the spike:",
        f"mean {one.spike_mean:.3f}, sd {one.spike_sd:.3f}. Mean of both: {one.mean:.3f}.",
        "Intervals: profile likelihood; one that begins at 0 holds more often than it says.",
    )


def _against_single(page: Page, found: Calibration) -> None:
    page.gap()
    if found.single is None or found.test is None:
        page.say(
            f"Paid nothing: {found.left_out}. One lognormal has no place for that, so it is not compared."
        )
        return
    page.say(
        f"Against one lognormal for all (median {found.single.regimes.median:.3f}, sd of logs",
        f"{found.single.regimes.sd_log:.3f}): twice the gain of log likelihood {found.test.statistic:.1f},",
        f"p {_p(found.test)}.",
    )


def _p(test: RatioTest) -> str:
    if test.p_bootstrap is None:
        return f"{test.p_asymptotic:.3f}"
    return (
        f"{test.p_bootstrap:.3f} by {test.draws} panels drawn from that lognormal "
        f"({test.p_asymptotic:.2g} for many projects)"
    )


def _shock(page: Page, found: Calibration) -> None:
    if found.claims and found.claims.projects < FEWEST_SHOWN:
        page.say(f"Emergency claims: fewer than {FEWEST_SHOWN} projects, not shown.")
    elif found.claims:
        page.say(
            f"Emergency claims: {found.claims.projects} projects, £{found.claims.total:,.0f},",
            f"{found.claims.share:.1%} of what they were paid; part of paid above, taken off below.",
        )
    shock = found.shock
    if shock is None:
        page.say(
            "Common shock: not fitted; it needs start and end of every project, and projects that differ."
        )
        return
    cost = shock.intervals["cost of a bad year"]
    rows = [(name, *interval(each)) for name, each in shock.intervals.items()]
    title = f"With exposure to {shock.year}{', claims off' if found.claims else ''}"
    head = (title, "Estimate", f"{LEVEL:.0%} interval", "Width")
    page.table("", head, rows)
    page.say(
        f"Cost: fall of ln(paid / plan) per whole life in {shock.year}; the mean project spent",
        f"{shock.mean_exposure:.0%} of its months there. No cost: p {_p(shock.test)}.",
        "These projects cannot tell it from nothing." if cost.low <= 0.0 <= cost.high else "",
    )


def _sectors(page: Page, found: Calibration) -> None:
    one = found.sectors
    if one is None:
        page.gap()
        page.say(
            "Sectors: not fitted; it needs two of them, one with two projects that were paid and differ."
        )
        return
    rows = [
        (each.group, str(each.n), f"{math.exp(each.mean):.2f}", f"{each.weight:.2f}",
         f"{math.exp(each.shrunk):.2f}",
         _around(each))
        if each.n >= FEWEST_SHOWN
        else (each.group, str(each.n), NOTHING, f"{each.weight:.2f}", NOTHING, NOTHING)
        for each in one.effects
    ]  # fmt: skip
    head = ("Sector", "Projects", "Own mean", "Weight", "Shrunk mean", f"{LEVEL:.0%} interval")
    page.table("Geometric means of paid / plan by sector, shrunk to all projects", head, rows)
    page.say(
        f"All: {math.exp(one.mean):.2f}; sd of logs {math.sqrt(one.between):.2f} between sectors,",
        f"{math.sqrt(one.within):.2f} within (REML). Share between {one.correlation:.2f}; by analysis of",
        f"variance {one.by_f.value:.2f}, {LEVEL:.0%} interval {one.by_f.low:.2f} to {one.by_f.high:.2f}.",
        f"Figures of sectors of fewer than {FEWEST_SHOWN} projects are not shown.",
        "The intervals take the spread between sectors as known, which it is not.",
        f"Left out here as paid nothing: {found.left_out}." if found.left_out else "",
    )


def _around(one: Effect) -> str:
    """The interval of a shrunk mean: exp(mean ± z × error)."""
    from scipy.special import ndtri

    reach = float(ndtri(0.5 + LEVEL / 2.0)) * one.error
    return f"{math.exp(one.shrunk - reach):.2f} to {math.exp(one.shrunk + reach):.2f}"


def _funnel(page: Page, funnel: Funnel) -> None:
    rows = [
        (one.stage, str(one.projects), str(one.metrics), f"{one.mean:.2f}", f"{one.sd:.2f}",
         f"{one.sd_beyond_luck:.2f}")
        if one.projects >= FEWEST_SHOWN
        else (one.stage, str(one.projects), str(one.metrics), NOTHING, NOTHING, NOTHING)
        for one in funnel.stages
    ]  # fmt: skip
    title = (
        f"Achieved / target by stage, {len(funnel.metrics.rows)} metrics of {visible(funnel.metrics.file)}"
    )
    page.table(title, ("Stage", "Projects", "Metrics", "Mean", "Sd", "Sd beyond luck"), rows)
    one = funnel.within
    page.say(
        f"Engagement left out: within-project variance {one.within:.3f}, between {one.between:.3f} (REML;",
        f"{funnel.by_ml.between:.3f} by ML, {one.between_anova:.3f} by analysis of variance).",
        f"Intra-project correlation {one.correlation:.2f}; by analysis of variance {one.by_f.value:.2f},",
        f"{LEVEL:.0%} interval {one.by_f.low:.2f} to {one.by_f.high:.2f} by the F distribution,",
        f"{funnel.bootstrap[0]:.2f} to {funnel.bootstrap[1]:.2f} by drawing projects anew.",
    )
