"""A two-page draft for a cabinet: every figure is read from a council's view, none is typed in."""

from __future__ import annotations

from socialfinance.core.currency import CURRENCIES
from socialfinance.council.view import View
from socialfinance.papers.assumptions import UNVERIFIED, assumptions, still_to_do
from socialfinance.papers.finances import finances
from socialfinance.papers.options import options, purpose
from socialfinance.papers.parts import Fields, Paper, named, settled, texts
from socialfinance.papers.risk import liabilities, risk

TO_FILL = "[to be filled in]"
STATUS = (
    "DRAFT made from a simulation. Not a decision, not advice, not audited. A person must check it, "
    "complete it and put their name to it: see the last section."
)


def council_paper(view: View, about: str, changed: str = "") -> Paper:
    """The paper of a council's view.

    ``about`` says at its foot where it comes from; ``changed`` what was changed in the file for this run.
    """
    ready = view.ready
    title = named(ready.portfolio.title or ready.portfolio.name)
    opening = Fields(
        (
            ("Report of", named(ready.parties[view.party].title or view.party)),
            ("To", f"Cabinet, {TO_FILL}"),
            ("Author", TO_FILL),
            *((("Changed", changed),) if changed else ()),
        )
    )
    sections = (
        purpose(view), options(view), finances(view), risk(view), liabilities(view), assumptions(view),
    )  # fmt: skip
    marks = sum(words.count(UNVERIFIED) for one in sections for part in one.parts for words in texts(part))
    paper = Paper(title, STATUS, opening, (*sections, still_to_do(view, marks)), about)
    return settled(paper, CURRENCIES[ready.portfolio.currency].symbol)
