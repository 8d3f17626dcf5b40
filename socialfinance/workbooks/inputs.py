"""Every number that went in, where it comes from, and what a reader needs to run it again."""

from __future__ import annotations

import json
from collections.abc import Iterator

from socialfinance.core.errors import field_path
from socialfinance.core.terms import said_of
from socialfinance.results.result import Result
from socialfinance.workbooks.cells import PLAIN
from socialfinance.workbooks.page import Column, Page

WORDS = {"sourced": "source", "illustrative": "illustrative (invented)", "unsaid": "no source given"}


def inputs(page: Page, result: Result) -> None:
    """Every number of the file, one a row, by what is said of it."""
    page.say(
        "Every number that the file gives; the model's defaults are not listed. [unverified] still has to be "
        "confirmed; illustrative numbers are invented."
    )
    columns = (
        Column("Where", width=64),
        Column("Value", "#,##0.######", 18),
        Column("Comes from", width=24),
        Column("Mark", width=14),
        Column("Source", width=80),
    )
    rows = list(_numbers(result))
    block = page.table(columns, rows, freeze=1)
    page.sheet.auto_filter.ref = f"A{block.head}:E{max(block.last, block.head)}"
    page.finish()


def _numbers(result: Result) -> Iterator[tuple[object, ...]]:
    for place, number, heard in said_of(result.portfolio):
        if isinstance(number, int | float) and not isinstance(number, bool):
            mark = "[unverified]" if heard.unverified is not None else ""
            yield field_path(place), number, WORDS[heard.origin or "unsaid"], mark, heard.source or ""


def provenance(page: Page, result: Result) -> None:
    """Version, seed, discount, the files that were read and what was changed after it."""
    told = result.provenance
    plain = {name: told[name] for name in told if name not in ("inputs", "set", "resolved")}
    page.table(
        (Column("What", width=40), Column("Said", PLAIN, 90)),
        [(name.replace("_", " "), _shown(said)) for name, said in plain.items()],
    )
    page.part("Files that were read")
    if result.inputs:
        page.table(
            (Column("File"), Column("Where it was read, and the SHA-256 of its content")),
            [(name, f"{file['path']} {file['sha256']}") for name, file in result.inputs.items()],
        )
    else:
        page.say("None: the portfolio was made in Python.")
    if result.set:
        page.part("Changed for this run")
        page.table(
            (Column("Where"), Column("Value")), [(path, _shown(one)) for path, one in result.set.items()]
        )
    page.say("The texts of the files, and every figure of the run, are in the file that --json writes.")
    page.finish()


def _shown(said: object) -> object:
    if isinstance(said, str | int | float) or said is None:
        return said
    return json.dumps(said, default=str, ensure_ascii=False)
