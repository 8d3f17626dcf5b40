"""The look of all pictures: colours that colour-blind readers tell apart, words beside them, and SVG."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any, NamedTuple, ParamSpec

from socialfinance.core.errors import InputError
from socialfinance.core.text import visible

try:
    import matplotlib
    from matplotlib.figure import Figure
except ModuleNotFoundError as missing:
    if missing.name != "matplotlib":
        raise
    raise InputError(
        "needs matplotlib, which is not installed: pip install 'socialfinance[plots]' "
        "(for pages 'socialfinance[page]')",
        field="plot",
    ) from None

INK, FAINT, GRID = "#1b1b20", "#5b5b66", "#d5d5dc"
BLUE, ORANGE, GREEN, RED = "#0072b2", "#e69f00", "#009e73", "#d55e00"
SKY, PINK, YELLOW = "#56b4e9", "#cc79a7", "#f0e442"
"""Okabe, M. and Ito, K. (2008), "Color universal design"."""
VARIABLES = {
    INK: "ink", FAINT: "faint", GRID: "grid", BLUE: "blue", ORANGE: "orange", GREEN: "green", RED: "red",
    SKY: "sky", PINK: "pink", YELLOW: "yellow",
}  # fmt: skip
"""The name of each colour on a page, which has its own for light and for dark."""
SERIES = (BLUE, ORANGE, GREEN, PINK, SKY, RED, YELLOW, FAINT)
HATCHES = ("", "//", "..", "\\\\", "xx", "--", "++", "||")
"""Beside the colours, so that none is needed to tell series apart."""
MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")
WIDTH, HEIGHT = 4.5, 3.3
"""Inches: about as wide as a telephone's page in points, so that words can be read there."""
MOST_LETTERS = 23
MOST_YEARS = 7
RC: dict[Any, Any] = {
    "font.size": 9.0,
    "font.family": ["DejaVu Sans"], "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": FAINT,
    "xtick.color": FAINT, "ytick.color": FAINT, "xtick.labelcolor": INK, "ytick.labelcolor": INK,
    "axes.grid": True, "grid.color": GRID, "grid.linewidth": 0.6, "axes.axisbelow": True,
    "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False, "legend.fontsize": 8.5,
    "legend.handlelength": 2.6, "lines.linewidth": 1.6, "lines.markersize": 4.5, "hatch.linewidth": 0.7,
    "text.parse_math": False, "svg.fonttype": "none", "svg.hashsalt": "socialfinance",
    "axes.unicode_minus": True, "figure.dpi": 110.0,
}  # fmt: skip
P = ParamSpec("P")


class Cell(NamedTuple):
    """A number behind a picture: as it is written, and what it is."""

    text: str
    value: float | None = None
    about: str = ""
    """the columns of the row it was taken from, with bars between"""


class Data(NamedTuple):
    """The table behind a picture; the first cell of a row names it."""

    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


class Picture(Figure):
    """A matplotlib figure that also says in words and numbers what it shows."""

    heading: str = ""
    alt: str = ""
    """a sentence or more, with the numbers that matter"""
    data: Data = Data((), ())
    heading_text: Any = None
    """the title as it stands in the figure"""

    def draw(self, renderer: Any) -> None:
        """Draw in the style it was made in."""
        with style():
            super().draw(renderer)

    def svg(self, titled: bool = True, prefix: str = "") -> str:
        """As SVG to stand in a page: colours are its variables, words in its letters; nothing is fetched.

        ``prefix`` goes before every id, so that those of several pictures differ.
        """
        buffer, shown = io.StringIO(), self.heading_text
        shown.set_visible(titled)
        try:
            with style():
                self.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
        finally:
            shown.set_visible(True)
        return _for_a_page(buffer.getvalue(), prefix)

    def _repr_html_(self) -> str:
        """For notebooks: the picture, and its words for those who do not see it."""
        import base64
        from html import escape

        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=150)
        coded = base64.b64encode(buffer.getvalue()).decode("ascii")
        return f'<img src="data:image/png;base64,{coded}" alt="{escape(self.alt)}" style="max-width:44rem">'


@contextmanager
def style() -> Iterator[None]:
    """The settings under which pictures are made and drawn.

    A letter that the font lacks is no matter: on a page the reader's own fonts have it.
    """
    with matplotlib.rc_context(RC), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*[Gg]lyph .* missing from")
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support")
        yield


def styled(make: Callable[P, Picture]) -> Callable[P, Picture]:
    """A function that makes a picture, in the style of all."""

    @wraps(make)
    def made(*args: P.args, **kwargs: P.kwargs) -> Picture:
        with style():
            return make(*args, **kwargs)

    return made


def blank(heading: str, height: float = HEIGHT) -> tuple[Picture, Any]:
    """A picture with one pair of axes, and its title."""
    picture = Picture(figsize=(WIDTH, height), layout="constrained")
    picture.heading = heading
    axes = picture.subplots()
    picture.heading_text = picture.suptitle(
        short(heading, 64), x=0.01, ha="left", fontsize=10.0, fontweight="bold"
    )
    return picture, axes


def legend_below(picture: Picture, axes: Any, columns: int = 2) -> None:
    """The legend under the axes, where it hides nothing."""
    handles, labels = axes.get_legend_handles_labels()
    picture.legend(handles, labels, loc="outside lower left", ncols=columns)


def by_year(axes: Any, years: Sequence[str]) -> None:
    """Financial years along the foot, so many as there is room for."""
    step = 1 if len(years) <= MOST_YEARS else 2
    axes.set_xticks(range(0, len(years), step), [year[2:] for year in years[::step]])


def short(words: str, most: int = MOST_LETTERS) -> str:
    """A name that fits beside a picture: acting characters written out, the rest cut off."""
    seen = visible(words[: 4 * most])
    return seen if len(seen) <= most else seen[: most - 1].rstrip() + "…"


class Money(NamedTuple):
    """What an axis of money counts in."""

    unit: float
    label: str


def money(values: Sequence[float], symbol: str) -> Money:
    """Pounds, thousands or millions, by the largest."""
    size = max((abs(value) for value in values), default=0.0)
    if size >= 2e6:
        return Money(1e6, f"{symbol}m")
    return Money(1e3, f"{symbol}000") if size >= 2e3 else Money(1.0, symbol)


def _for_a_page(svg: str, prefix: str) -> str:
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*|<style .*?</style>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\1{prefix}", svg)
    svg = re.sub(r"(?<=[ \n\"(])(-?\d+\.\d\d)\d+", r"\1", svg)
    svg = re.sub(r'\s(?:xmlns(?::xlink)?|version|width|height)="[^"]*"', "", svg, count=5)
    svg = svg.replace("xlink:href=", "href=")
    for colour, name in VARIABLES.items():
        svg = svg.replace(f'fill="{colour}"', f'style="fill: var(--{name})"')
        svg = svg.replace(colour, f"var(--{name})")
    svg = re.sub(r"font-family: [^;\"]*;? ?", "", svg)
    return svg.strip()
