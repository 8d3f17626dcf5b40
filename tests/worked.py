"""Worked examples: the tables of a page as numbers, and what a case pays by row and reason."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from socialfinance.engine.cases import run_case
from socialfinance.engine.deal import Outcome
from socialfinance.engine.ready import PLAN, prepare
from socialfinance.funds.portfolio import Case, Portfolio

DOCS = Path(__file__).parents[1] / "docs" / "structures"
Table = list[dict[str, float]]


def tables(page: str) -> list[Table]:
    """The tables under the heading of the worked example: a row as numbers by heading."""
    found: list[Table] = []
    heading: list[str] = []
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    for line in text.split("## A worked example")[1].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| row |"):
            heading = cells
            found.append([])
        elif line.startswith("| "):
            numbers = [float(cell.replace(",", "")) for cell in cells]
            found[-1].append(dict(zip(heading, numbers, strict=True)))
    return found


def worked(portfolio: Portfolio, case: Case = PLAN) -> tuple[Outcome, dict[tuple[int, str, str, str], float]]:
    """A case of the only deal, and what was paid: by row, payer, payee and reason."""
    ready = prepare(portfolio)
    outcome = run_case(ready, ready.deals[0], case, "", journal=True)
    paid: dict[tuple[int, str, str, str], float] = defaultdict(float)
    for one in outcome.ledger.journal or []:
        paid[one.row, one.payer, one.payee, one.reason] += one.amount
    return outcome, paid


def changed(portfolio: Portfolio, deal: dict[str, Any], **whole: Any) -> Portfolio:
    """The portfolio with parts of its only deal, and of itself, replaced."""
    data = portfolio.model_dump(exclude_unset=True)
    data["deals"]["deal"].update(deal)
    data.update(whole)
    return Portfolio.model_validate(data)


def without_tariff(portfolio: Portfolio, **deal: Any) -> Portfolio:
    """The portfolio with no tariff in its only deal, and other parts of it replaced."""
    data = portfolio.model_dump(exclude_unset=True)
    del data["deals"]["deal"]["tariff"]
    data["deals"]["deal"].update(deal)
    return Portfolio.model_validate(data)
