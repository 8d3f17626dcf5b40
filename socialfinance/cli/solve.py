"""``socialfinance solve``: a term of a portfolio, so that a figure is what it is to be."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from socialfinance.cli.shared import (
    OK,
    PORTFOLIO,
    check_writable,
    json_option,
    prepared,
    provenance,
    run_size_options,
    say,
    sentence,
    set_option,
    show,
)
from socialfinance.core.errors import InputError

FIGURE = 'such as "senior.loss.probability <= 0.01" or "DEAL:investor.irr.expected == pwlb + 0.0125"'


def solve_options(commands: Any) -> None:
    """``solve`` and its options."""
    text = "which term makes a figure what it is to be"
    one = commands.add_parser("solve", help=text, description=sentence(text))
    one.add_argument("name", metavar="NAME_OR_PATH", help=PORTFOLIO)
    one.add_argument("--vary", nargs="+", action="append", required=True, metavar="PATH [LOW HIGH]",
                     help="a number of the file, by path, and its range; twice for two terms")  # fmt: skip
    one.add_argument("--target", action="append", required=True, metavar="TARGET",
                     help=f"one for each term, {FIGURE}")  # fmt: skip
    run_size_options(one)
    set_option(one)
    json_option(one)
    one.set_defaults(command=solve_command)


def solve_command(options: argparse.Namespace) -> int:
    """Solve, write the file, print the page."""
    from socialfinance.io.write import write_json
    from socialfinance.pricing import solve
    from socialfinance.reports.inputs import begin
    from socialfinance.reports.solution import solution_page

    check_writable(options.json)
    vary = _ranges(options.vary)
    loaded, _ = prepared(options.name, options.json, options.set)
    try:
        found = solve(loaded.portfolio, vary, options.target, options.paths, options.seed)
    except InputError as error:
        raise loaded.place(error) from None
    if options.json:
        asked = {"vary": vary, "target": options.target, "seed": options.seed, "paths": options.paths}
        write_json(options.json, {"provenance": provenance(loaded, **asked), "solution": found.to_dict()})
    show(solution_page(found, begin(loaded.portfolio, loaded.set, "Solved")))
    say(f"Took {found.seconds:,.1f} s, {found.times_one_run:,.1f} times one run.")
    return OK


def _ranges(given: Sequence[Sequence[str]]) -> dict[str, tuple[float, float] | None]:
    """Each term and its range, where one was given."""
    found: dict[str, tuple[float, float] | None] = {}
    for path, *ends in given:
        if path in found:
            raise InputError("is varied twice", file="--vary", field=path)
        if len(ends) not in (0, 2):
            raise InputError("takes a path alone, or with two numbers", file="--vary", field=path,
                             given=" ".join(ends), allowed="PATH, or PATH LOW HIGH")  # fmt: skip
        found[path] = (_number(path, ends[0]), _number(path, ends[1])) if ends else None
    return found


def _number(path: str, written: str) -> float:
    import math

    try:
        value = float(written.replace(",", ""))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError("is not a number", file="--vary", field=path, given=written)
    return value
