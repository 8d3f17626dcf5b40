"""Builds the page: pictures, tables and words of a result, put into the template."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from socialfinance.core.errors import InputError, field_path
from socialfinance.core.text import visible
from socialfinance.engine.ready import prepare
from socialfinance.pages.answer import headlines, sentences
from socialfinance.pictures.investors import guarantors
from socialfinance.pictures.plots import Plots
from socialfinance.pictures.style import Picture
from socialfinance.pictures.terms import MOST_PATHS
from socialfinance.reports.console import day, limits
from socialfinance.reports.inputs import changed_line, count_sources, numbers_of
from socialfinance.results.result import Result

try:
    import jinja2
    from markupsafe import Markup, escape
except ModuleNotFoundError as missing:
    if missing.name not in ("jinja2", "markupsafe"):
        raise
    raise InputError(
        "needs Jinja2, which is not installed: pip install 'socialfinance[page]'", field="html"
    ) from None

if TYPE_CHECKING:
    from socialfinance.engine.ready import ReadyPortfolio
    from socialfinance.pricing.compare import Comparison
    from socialfinance.pricing.sensitivity import Tornado

HERE = Path(__file__).parent
MOST_FANS = 12
"""Public bodies with a fan chart of their own; the rest are counted."""
MOST_DEALS = 12
HEADING = 160
"""Letters of a title that stand in a heading; the whole of it follows."""


class Chart(NamedTuple):
    """A picture as the page has it."""

    key: str
    heading: str
    svg: Markup
    picture: Picture


class Section(NamedTuple):
    """A part of the page."""

    key: str
    heading: str
    intro: str
    charts: list[Chart]


class Number(NamedTuple):
    """A number of the file and where it comes from."""

    place: str
    value: float
    origin: str
    source: str
    unverified: bool


def page(
    result: Result, command: str = "", tornado: Tornado | None = None, comparison: Comparison | None = None
) -> str:
    """The whole page as text: everything inline, nothing fetched, all that files say escaped.

    InputError where matplotlib or Jinja2 is missing.
    """
    ready, plots = prepare(result.portfolio), Plots(result)
    counted = count_sources(result.portfolio)
    script = (HERE / "page.js").read_text("utf-8")
    template = _environment().get_template("page.html")
    title = visible(result.portfolio.title or result.portfolio.name)
    return template.render(
        title=title, heading=_cut(title, HEADING), cut=len(title) > HEADING, result=result,
        command=visible(command), about=_about(result, ready), sentences=sentences(plots.known, counted),
        headlines=headlines(plots.known), counted=counted,
        sections=list(_sections(plots, tornado, comparison)), numbers=list(_numbers(result)),
        provenance=_provenance(result), limits=limits(result.portfolio),
        css=Markup((HERE / "page.css").read_text("utf-8")), script=Markup(script), hash=_hash(script),
    )  # fmt: skip


def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.filters["name"] = _name
    return made


def _name(words: object) -> Markup:
    """What a file says: escaped, acting characters written out, and its direction kept to itself."""
    return Markup('<bdi dir="auto">') + escape(visible(str(words))) + Markup("</bdi>")


def _hash(script: str) -> str:
    """By which the page's own rules let its one script run, and no other."""
    return base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")


def _cut(words: str, most: int) -> str:
    return words if len(words) <= most else words[: most - 1] + "…"


def _about(result: Result, ready: ReadyPortfolio) -> str:
    deals, calendar = len(ready.deals), ready.calendar
    return (
        f"{deals} deal{'s' * (deals != 1)} over {calendar.quarters} quarters from {day(calendar.start)} to "
        f"{day(calendar.row_date(calendar.quarters))}; {result.paths:,} simulated futures, "
        f"seed {result.seed}."
    )


def _sections(plots: Plots, tornado: Tornado | None, comparison: Comparison | None) -> Iterator[Section]:
    yield Section("councils", "Council by council", _fans_say(plots), list(_fans(plots)))
    yield Section("returns", "What investors get", "", list(_invested(plots)))
    yield Section("guarantees", "Guarantee calls", _calls_say(plots), list(_calls(plots)))
    yield Section("risk", "Who bears the risk", _risk_says(plots, comparison),
                  _if_any("sharing", lambda: plots.sharing(comparison)))  # fmt: skip
    yield Section("savings", "Savings by agency and year", "", _if_any("savings", plots.savings))
    yield Section("tornado", "What it hangs on", _tornado_says(tornado),
                  [] if tornado is None else [_chart("tornado", plots.tornado(tornado))])  # fmt: skip


def _chart(key: str, picture: Picture) -> Chart:
    """A picture with its title and words inside the SVG, where screen readers find them."""
    svg = picture.svg(titled=False, prefix=f"{key}-")
    opening, rest = svg.split(">", 1)
    said = Markup('<title id="{0}-title">{1}</title><desc id="{0}-words">{2}</desc>').format(
        key, visible(picture.heading), visible(picture.alt)
    )
    role = f' role="img" aria-labelledby="{key}-title {key}-words"'
    return Chart(key, visible(picture.heading), Markup(opening + role + ">") + said + Markup(rest), picture)


def _if_any(key: str, make: Callable[[], Picture]) -> list[Chart]:
    """A picture, or none where the result has nothing of the kind."""
    try:
        return [_chart(key, make())]
    except InputError:
        return []


def _fans(plots: Plots) -> Iterator[Chart]:
    for i, council in enumerate(_with_fans(plots)):
        yield _chart(f"fan-{i}", plots.fan(council))


def _with_fans(plots: Plots) -> list[str]:
    return (plots.known.councils() or plots.known.public())[:MOST_FANS]


def _fans_say(plots: Plots) -> str:
    known = plots.known
    if not known.public():
        return "No public body has a part in this."
    said = (
        "Net cost: what a body pays less what comes back to it and its cashable savings, in cash of the day, "
        "under the deals as contracted."
    )
    if any(point.role.startswith("pwlb") for point in known.result.curve_rows):
        said += (
            " Under the PWLB's cost of money the same programme is paid for by a loan at that rate, whose "
            "drawing counts as money in: a yardstick, as councils may not borrow for services such as these."
        )
    left = len(known.councils() or known.public()) - MOST_FANS
    if not known.result.compared:
        said += " This run compared nothing with in house or the PWLB."
    return f"{said} {left} more bodies are in the JSON of the run." if left > 0 else said


def _invested(plots: Plots) -> Iterator[Chart]:
    yield from _if_any("returns", plots.returns)
    yield from _if_any("j-curve", plots.j_curve)
    yield from _if_any("waterfall", plots.waterfall)


def _calls(plots: Plots) -> Iterator[Chart]:
    for i, about in enumerate(guarantors(plots.known)[:MOST_DEALS]):
        yield _chart(f"calls-{i}", plots.exceedance(about[2], about[1]))


def _calls_say(plots: Plots) -> str:
    return "" if guarantors(plots.known) else "Nobody guarantees anything here."


def _risk_says(plots: Plots, comparison: Comparison | None) -> str:
    paths = min(MOST_PATHS, plots.result.paths) if comparison is None else comparison.accounts.paths
    what = "each deal as contracted" if comparison is None else "each structure"
    return (
        f"Of {what}: how much of what the programme falls short by in its worst twentieth of futures each "
        f"party bears. That is {max(1, -(-paths // 20)):,} of {paths:,} futures, so small differences are "
        "noise, which is not shown. Shares add up to 100%; below nil a party gains when the programme does "
        "worst."
    )


def _tornado_says(tornado: Tornado | None) -> str:
    if tornado is None:
        return (
            "Which inputs move a figure most was not asked for: it takes a run for each input. "
            "The command run has the option tornado for it."
        )
    return (
        f"{tornado.figure}: each input alone at the ends of its range, over {tornado.paths:,} futures. "
        "Ranges marked default are 20% either way and say nothing of how far an input may really be off."
    )


def _numbers(result: Result) -> Iterator[Number]:
    for place, value, heard in numbers_of(result.portfolio):
        yield Number(
            visible(field_path(place)), value, heard.origin or "unsaid", visible(heard.source or ""),
            heard.unverified is not None,
        )  # fmt: skip


def _provenance(result: Result) -> list[tuple[str, str]]:
    told = result.provenance
    found = [
        ("Package", f"{told['package']} {told['version']}"),
        ("Futures", f"{result.paths:,}"),
        ("Seed", f"{result.seed}"),
        ("Discount rate", f"{result.discount:.3%} a year, annual effective: {result.discount_basis}"),
        ("Currency", result.portfolio.currency),
    ]
    if result.set:
        found.append(("Changed for this run", changed_line(result.set)))
    found += [("Input", f"{file['path']}, SHA-256 {file['sha256']}") for file in result.inputs.values()]
    found += [
        (str(key).replace("_", " ").capitalize(), str(value))
        for key, value in result.extra.items()
        if key != "proposed"
    ]
    return [(visible(name), visible(value)) for name, value in found]
