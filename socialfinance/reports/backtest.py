"""Forecasts held against what was paid, as text: coverage, PIT, CRPS, and what so few projects can show."""

from __future__ import annotations

from collections import Counter

from socialfinance.core.text import visible
from socialfinance.evidence.backtest import FITTED, GIVEN, JUDGED, REST_OF_PLAN, Backtest, Scored
from socialfinance.evidence.mixture import LEVEL
from socialfinance.evidence.scores import BANDS, BINS, Skill, binomial_interval
from socialfinance.reports.numbers import NOTHING
from socialfinance.reports.page import Page

FITTED_HERE = "it was fitted to this very table and knows every result: its scores are no test"
FITTED_ELSEWHERE = "fitted to another table; where that has projects of this one, its scores are no test"
FEWEST_FOR_A_TABLE = 10
"""Projects below which the page says that a table like this shows next to nothing."""


def backtest_page(found: Backtest, same_table: bool = False) -> str:
    """The page of ``backtest``: figures over all projects, and none of a single one.

    ``same_table``: whether the prior file says that it was fitted to this very table.
    """
    page, panel = Page(), found.panel
    page.heading("Backtest: paid over plan")
    kind = " Illustrative: the table says that it is made up." if panel.illustrative else ""
    flagged = f" {len(panel.flags)} things to look at: see calibrate." if panel.flags else ""
    page.say(
        f"{len(panel.projects)} projects of {visible(panel.file)}, sha256 {panel.sha256[:16]}.",
        f"{kind}{flagged}",
        "Every project is forecast without its own result.",
    )
    page.say(
        f"- {FITTED}: the regime mixture of calibrate, failure {found.failure[0]:g} to {found.failure[1]:g}"
    )
    page.say(
        f"- {JUDGED}: 0.9 lognormal (ln ratio -0.04, sd 0.13; 0.3 in child and family welfare and health),",
        "0.1 uniform 0.2 to 0.4. It was written down by people who knew figures of Life Chances Fund",
        "projects: on those it is no forecast made beforehand",
    )
    if any(one.forecast == GIVEN for one in found.scored):
        page.say(f"- {GIVEN}: {FITTED_HERE if same_table else FITTED_ELSEWHERE}")
    _coverage(page, "At the start", found.scored)
    _scores(page, found)
    _years(page, found)
    _what_it_cannot_show(page, found)
    return page.text


def _coverage(page: Page, title: str, scored: tuple[Scored, ...]) -> None:
    head = ("Forecast", "n", *(f"In {band:.0%} band" for band in BANDS), "Width 50%", "Width 80%",
            f"PIT in {BINS} bins", "KS p")  # fmt: skip
    rows = [
        (one.forecast, str(len(one.pit)), *(f"{each.held} ({each.share:.0%})" for each in one.covered),
         f"{one.width_50:.2f}", f"{one.width_80:.2f}", " ".join(map(str, one.histogram)), f"{one.p:.2f}")
        for one in scored
    ]  # fmt: skip
    page.table(title, head, rows)


def _scores(page: Page, found: Backtest) -> None:
    head = ("At the start", "Mean CRPS", *(f"Skill against {name}" for name in found.benchmarks))
    rows = [
        (one.forecast, f"{one.mean_crps:.3f}", *(_skill(one.skills[name]) for name in found.benchmarks))
        for one in found.scored
    ]
    blank = ("",) * len(found.benchmarks)
    rows += [(f"benchmark: {name}", f"{value:.3f}", *blank) for name, value in found.benchmarks.items()]
    page.table("", head, rows)
    page.say(
        "CRPS is in units of paid / plan, and less is better. Skill is 1 - CRPS / CRPS of the benchmark;",
        f"in brackets its {LEVEL:.0%} interval by drawing projects anew.",
    )


def _skill(one: Skill | None) -> str:
    return (
        NOTHING if one is None else f"{one.value:.2f} ({one.low:.2f} to {one.high:.2f})".replace(" to ", "..")
    )


def _years(page: Page, found: Backtest) -> None:
    if not found.years:
        page.gap()
        page.say("No updates after each year: too few projects have yearly columns.")
        return
    _coverage(
        page, "Updated on what was paid so far, projects with plan still to go", tuple(found.years.values())
    )
    head = (
        "",
        "n",
        "Mean CRPS",
        "Forecast at the start",
        "Paid so far + rest of plan",
        "Skill against the last",
    )
    rows = [
        (one.forecast, str(len(one.pit)), f"{one.mean_crps:.3f}", f"{found.year_benchmarks[year][1]:.3f}",
         f"{found.year_benchmarks[year][0]:.3f}", _skill(one.skills[REST_OF_PLAN]))
        for year, one in found.years.items()
    ]  # fmt: skip
    page.table("", head, rows)


def _what_it_cannot_show(page: Page, found: Backtest) -> None:
    """The width of coverage, and the power of the test, at this number of projects."""
    n = len(found.panel.projects)
    page.heading(f"What {n} projects cannot show")
    likely = round(0.8 * n)
    low, high = binomial_interval(likely, n)
    page.say(
        f"If {likely} of {n} fall into a band, its true coverage may be anything from {low:.0%} to",
        f"{high:.0%} ({LEVEL:.0%} interval).",
        "The Kolmogorov-Smirnov test at 5% would find a normal forecast wrong this often:",
    )
    rows = [(one.error, f"{one.power:.0%}") for one in found.powers]
    page.table("", ("What is wrong", "Found"), rows)
    page.say(
        "A high p is therefore weak evidence. Projects may also share funder, years and shocks, and each fit",
        "shares all but one of its projects with the next: PIT values are not independent, and p is rough.",
        "The fitted mixture is used as if its parameters were known: its bands are somewhat too narrow.",
        f"No sector is scored by itself: the largest has {_largest(found)} projects.",
        f"Below {FEWEST_FOR_A_TABLE} projects the table shows next to nothing."
        if n < FEWEST_FOR_A_TABLE
        else "",
    )


def _largest(found: Backtest) -> int:
    """Projects of the largest sector."""
    return max(Counter(one.sector for one in found.panel.projects).values())
