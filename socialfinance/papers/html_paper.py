"""A paper as one HTML file: nothing is fetched, and it prints on A4."""

from __future__ import annotations

from importlib.resources import files
from importlib.util import find_spec

from socialfinance.core.errors import InputError
from socialfinance.papers.parts import Fields, Paper, Points, Table

TEMPLATE = "paper.html.j2"


def check_jinja() -> None:
    """InputError where the package that pages need is not installed."""
    if find_spec("jinja2") is None:
        raise InputError(
            "an HTML paper needs Jinja2", field="--to", allowed="pip install 'socialfinance[paper]'"
        )


def html_paper(paper: Paper) -> str:
    """The file's text; every text is escaped."""
    check_jinja()
    from jinja2 import Environment, StrictUndefined

    place = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    place.tests["table"] = lambda part: isinstance(part, Table)
    place.tests["points"] = lambda part: isinstance(part, Points)
    place.tests["fields"] = lambda part: isinstance(part, Fields)
    template = place.from_string((files(__package__) / TEMPLATE).read_text(encoding="utf-8"))
    return template.render(paper=paper) + "\n"
