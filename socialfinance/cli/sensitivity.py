"""``socialfinance tornado``, ``stress`` and ``frontier``: what a figure hangs on."""

from __future__ import annotations

import argparse
import math
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
    sentence,
    set_option,
    show,
)
from socialfinance.core.errors import InputError

FIGURE = "[deal:]party-or-role.measure.statistic, such as investor.irr.expected"


def sensitivity_options(commands: Any) -> None:
    """``tornado``, ``stress`` and ``frontier``, and their options."""
    _tornado_options(commands)
    _stress_options(commands)
    _frontier_options(commands)


def _command(commands: Any, name: str, text: str) -> argparse.ArgumentParser:
    """What all three take."""
    one: argparse.ArgumentParser = commands.add_parser(name, help=text, description=sentence(text))
    one.add_argument("name", metavar="NAME_OR_PATH", help=PORTFOLIO)
    one.add_argument(
        "--deal", default="", metavar="NAME", help="the deal whose figures, and inputs, are meant"
    )
    run_size_options(one)
    set_option(one)
    json_option(one)
    return one


def _tornado_options(commands: Any) -> None:
    one = _command(commands, "tornado", "which inputs move a figure most, each alone")
    one.add_argument("--target", required=True, metavar="FIGURE", help=FIGURE)
    one.add_argument(
        "--count", type=int, default=12, metavar="N", help="inputs run on all futures (default 12)"
    )
    one.add_argument(
        "--effects", action="store_true", help="shares of variance by driver instead of a tornado"
    )
    one.set_defaults(command=tornado_command)


def _stress_options(commands: Any) -> None:
    one = _command(commands, "stress", "figures under named stresses, and the likeliest way past a limit")
    one.add_argument(
        "--target", action="append", default=[], metavar="FIGURE", help=f"{FIGURE}; can be given again"
    )
    one.add_argument("--only", nargs="+", metavar="STRESS", help="these stresses by name (default: all)")
    one.add_argument("--grid", nargs=2, metavar="STRESS", help="two stresses together, at none, half and all")
    one.add_argument(
        "--reverse", metavar="LIMIT", help='a measure and its limit, such as "investor.loss <= 200000"'
    )
    one.set_defaults(command=stress_command)


def _frontier_options(commands: Any) -> None:
    one = _command(commands, "frontier", "figures over a grid of terms, and which of them nothing beats")
    one.add_argument(
        "--axis", action="append", required=True, metavar="PATH=V1,V2,...", help="a term and its values"
    )
    one.add_argument(
        "--measure", action="append", required=True, metavar="[min|max] FIGURE",
        help=f"{FIGURE}; with min or max it is what points are judged by",
    )  # fmt: skip
    one.set_defaults(command=frontier_command)


def tornado_command(options: argparse.Namespace) -> int:
    """Every input alone, or with ``--effects`` every driver's share of variance."""
    from socialfinance.pricing.effects import first_and_total
    from socialfinance.pricing.sensitivity import tornado
    from socialfinance.reports.inputs import begin
    from socialfinance.reports.sensitivity import effects_page, tornado_page
    from socialfinance.results.frames import rows_of

    check_writable(options.json)
    loaded, _ = prepared(options.name, options.json, options.set)
    portfolio, page = loaded.portfolio, begin(loaded.portfolio, loaded.set, "What it hangs on")
    try:
        if options.effects:
            shares = first_and_total(portfolio, options.target, options.paths, options.seed, options.deal)
            parts = {"rows": rows_of(shares.table), "figure": _about(shares, ("figure", "mean", "variance"))}
            text = effects_page(shares, page)
        else:
            found = tornado(
                portfolio, options.target, options.paths, options.seed, options.deal or None, options.count
            )
            parts = {"rows": rows_of(found.table),
                     "figure": _about(found, ("figure", "unit", "value", "standard_error")),
                     "left_out": [{"path": path, "why": why} for path, why in found.left_out]}  # fmt: skip
            text = tornado_page(found, page)
    except InputError as error:
        raise loaded.place(error) from None
    asked = {"target": options.target, "count": options.count, "effects": options.effects}
    _write(options, loaded, asked, parts)
    show(text)
    return OK


def stress_command(options: argparse.Namespace) -> int:
    """Stresses, a grid of two, or a reverse stress."""
    from socialfinance.pricing.stress import grid, reverse, stress
    from socialfinance.reports.inputs import begin
    from socialfinance.reports.sensitivity import grid_page, reverse_page, stress_page
    from socialfinance.results.frames import rows_of

    check_writable(options.json)
    if not options.target and not options.reverse:
        raise InputError("give a --target, or a limit with --reverse", field="--target")
    if options.grid and not options.target:
        raise InputError("needs a --target", field="--grid")
    if options.only and (options.grid or not options.target):
        raise InputError("chooses among the stresses of a --target, without --grid", field="--only")
    loaded, _ = prepared(options.name, options.json, options.set)
    portfolio, parts, text = loaded.portfolio, {}, ""
    try:
        if options.target and not options.grid:
            found = stress(portfolio, options.target, options.only, options.paths, options.seed, options.deal)
            parts["stresses"] = rows_of(found.table)
            text += stress_page(found, begin(loaded.portfolio, loaded.set, "Stresses"))
        first, second = options.grid or ("", "")
        for target in options.target if options.grid else ():
            both = grid(
                portfolio, target, first, second, paths=options.paths, seed=options.seed, deal=options.deal
            )
            parts[f"grid: {target}"] = rows_of(both)
            text += grid_page(both, target, begin(loaded.portfolio, loaded.set, "Two stresses together"))
        if options.reverse:
            way = reverse(portfolio, options.reverse, options.paths, options.seed, options.deal)
            parts["reverse"] = rows_of(way.table)
            parts["likeliest"] = [
                {"path": way.path, "value": way.value, "probability": way.probability,
                 "standard_error": way.standard_error, "distance": way.distance, "missing": way.missing}
            ]  # fmt: skip
            text += ("\n" if text else "") + reverse_page(
                way, begin(loaded.portfolio, loaded.set, "Past a limit")
            )
    except InputError as error:
        raise loaded.place(error) from None
    asked = {"target": options.target, "only": options.only, "grid": options.grid, "reverse": options.reverse}
    _write(options, loaded, asked, parts)
    show(text)
    return OK


def frontier_command(options: argparse.Namespace) -> int:
    """Figures over a grid of terms."""
    from socialfinance.pricing.frontier import frontier
    from socialfinance.reports.inputs import begin
    from socialfinance.reports.sensitivity import frontier_page
    from socialfinance.results.frames import rows_of

    check_writable(options.json)
    axes, measures = _axes(options.axis), _measures(options.measure)
    loaded, _ = prepared(options.name, options.json, options.set)
    try:
        found = frontier(loaded.portfolio, axes, measures, options.paths, options.seed, options.deal)
    except InputError as error:
        raise loaded.place(error) from None
    _write(
        options, loaded, {"axis": options.axis, "measure": options.measure}, {"points": rows_of(found.table)}
    )
    show(frontier_page(found, begin(loaded.portfolio, loaded.set, "Terms and figures")))
    return OK


def _about(found: Any, names: Sequence[str]) -> dict[str, Any]:
    """What the rows are of."""
    return {name: getattr(found, name) for name in names}


def _write(options: argparse.Namespace, loaded: Any, asked: dict[str, Any], parts: dict[str, Any]) -> None:
    from socialfinance.io.write import write_json

    if options.json:
        about = provenance(loaded, deal=options.deal, seed=options.seed, paths=options.paths, **asked)
        write_json(options.json, {"provenance": about, **parts})


def _axes(given: Sequence[str]) -> dict[str, list[float]]:
    """Each term and its values."""
    found: dict[str, list[float]] = {}
    for one in given:
        path, equals, values = one.rpartition("=")
        if not equals or not path.strip():
            raise InputError("is no axis", file="--axis", given=one, allowed="PATH=V1,V2,...")
        if path.strip() in found:
            raise InputError("is given twice", file="--axis", field=path.strip())
        found[path.strip()] = [_number(path.strip(), value) for value in values.split(",")]
    return found


def _number(path: str, written: str) -> float:
    try:
        return int(written)
    except ValueError:
        pass
    try:
        value = float(written)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError("is not a number", file="--axis", field=path, given=written.strip())
    return value


def _measures(given: Sequence[str]) -> dict[str, Any]:
    """Each measure, and which way is better where that is said."""
    found: dict[str, Any] = {}
    for one in given:
        way, _, figure = one.strip().partition(" ")
        judged = way in ("min", "max") and bool(figure)
        found[figure.strip() if judged else one.strip()] = way if judged else None
    return found
