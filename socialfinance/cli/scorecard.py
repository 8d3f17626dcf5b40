"""``socialfinance scorecard``, ``league`` and ``design``: what is achieved, and how well that is known."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from socialfinance.cli.shared import (
    OK,
    PORTFOLIO,
    changed,
    check_writable,
    deal_named,
    json_option,
    prepared,
    provenance,
    run_size_options,
    sentence,
    set_option,
    show,
)
from socialfinance.core.currency import CURRENCIES
from socialfinance.core.errors import InputError

if TYPE_CHECKING:
    from socialfinance.engine.ready import ReadyDeal, ReadyPortfolio


def scorecard_options(commands: Any) -> None:
    """``scorecard``, ``league`` and ``design``, and their options."""
    _scorecard_options(commands)
    _league_options(commands)
    _design_options(commands)


def _scorecard_options(commands: Any) -> None:
    text = "needs, strengths, outcomes and economics by programme, provider or fund"
    one = commands.add_parser("scorecard", help=text, description=sentence(text))
    one.add_argument("name", metavar="NAME_OR_PATH", help=PORTFOLIO)
    one.add_argument("--by", choices=("programme", "provider", "fund"), default="programme",
                     help="what each scorecard is of (default programme)")  # fmt: skip
    one.add_argument("--codes", type=Path, metavar="FILE",
                     help="what outcome lines stand for, a CSV: programme, line, code, kind")  # fmt: skip
    run_size_options(one)
    set_option(one)
    json_option(one)
    one.set_defaults(command=scorecard_command)


def _league_options(commands: Any) -> None:
    text = "a league table that says what it does not know, and when ranks mean nothing"
    one = commands.add_parser("league", help=text, description=sentence(text))
    one.add_argument("table", type=Path, metavar="TABLE.csv",
                     help="columns provider, users, successes and, optional, programme, sector")  # fmt: skip
    one.add_argument("--by", choices=("provider", "programme"), default="provider",
                     help="whom to rank (default provider)")  # fmt: skip
    one.add_argument("--seed", type=int, default=1, metavar="N", help="of the draws behind ranks (default 1)")
    json_option(one)
    one.set_defaults(command=league_command)


def _design_options(commands: Any) -> None:
    text = "what an evaluation can tell, and what a bigger control group is worth to whom"
    one = commands.add_parser("design", help=text, description=sentence(text))
    one.add_argument("name", metavar="NAME_OR_PATH", help=PORTFOLIO)
    one.add_argument("--deal", default="", metavar="NAME", help="the deal with a measured effect, of several")
    one.add_argument("--controls", nargs="+", type=float, default=[], metavar="N",
                     help="controls of all cohorts together (default: 0.25 to 20 a person)")  # fmt: skip
    one.add_argument("--matching-bias", type=float, default=0.0, metavar="SD",
                     help="sd of what matching leaves, in per cent of events (default 0)")  # fmt: skip
    one.add_argument("--cost-per-control", type=float, metavar="POUNDS", help="what one more control costs")
    one.add_argument("--power", type=float, default=80.0, metavar="PER_CENT", help="default 80")
    one.add_argument("--alpha", type=float, default=5.0, metavar="PER_CENT",
                     help="level of the two-sided test, in per cent (default 5)")  # fmt: skip
    run_size_options(one)
    set_option(one)
    json_option(one)
    one.set_defaults(command=design_command)


def scorecard_command(options: argparse.Namespace) -> int:
    """Run it, write the file, print the page."""
    from socialfinance.evidence.outcomes_map import read_codes
    from socialfinance.evidence.scorecard import scorecard
    from socialfinance.io.write import write_json
    from socialfinance.reports.scorecard import scorecard_page

    check_writable(options.json)
    codes = read_codes(_text(options.codes, options.json), str(options.codes)) if options.codes else {}
    loaded, ready = prepared(options.name, options.json, options.set)
    try:
        card = scorecard(ready, options.by, options.paths, options.seed, codes)
    except InputError as error:
        raise loaded.place(error) from None
    if options.json:
        asked = {"by": options.by, "seed": options.seed, "paths": options.paths, "left_out": card.left_out}
        rows = [figure._asdict() for figure in card.figures]
        write_json(options.json, {"provenance": provenance(loaded, **asked), "rows": rows})
    title = loaded.portfolio.title or loaded.portfolio.name
    symbol = CURRENCIES[loaded.portfolio.currency].symbol
    show(changed(loaded) + scorecard_page(card, title, symbol))
    return OK


def league_command(options: argparse.Namespace) -> int:
    """Read the table, write the file, print the page."""
    import hashlib

    from socialfinance import __version__
    from socialfinance.evidence.league import DRAWS, league, read_league
    from socialfinance.io.write import write_json
    from socialfinance.reports.league import league_page

    check_writable(options.json)
    if options.seed < 0:
        raise InputError("must not be below 0", field="--seed", given=options.seed)
    text = _text(options.table, options.json)
    sectors = league(read_league(text, str(options.table), options.by), seed=options.seed)
    if options.json:
        sha256 = hashlib.sha256(text.encode("utf-8")).hexdigest()
        told = {"package": "socialfinance", "version": __version__, "by": options.by, "seed": options.seed,
                "draws": DRAWS, "inputs": {options.table.name: {"sha256": sha256}}}  # fmt: skip
        rows = [row for one in sectors for row in one.to_rows()]
        write_json(options.json, {"provenance": told, "rows": rows})
    show(league_page(sectors, options.by))
    return OK


def design_command(options: argparse.Namespace) -> int:
    """Run it, write the file, print the page."""
    from dataclasses import asdict

    from socialfinance.evidence.design_runs import study
    from socialfinance.io.write import write_json
    from socialfinance.reports.design import design_page

    check_writable(options.json)
    _check_design(options)
    power, alpha, bias = options.power / 100.0, options.alpha / 100.0, options.matching_bias / 100.0
    loaded, ready = prepared(options.name, options.json, options.set)
    deal = _evaluated(ready, options.deal)
    try:
        found = study(
            ready, deal, options.controls, options.paths, options.seed, bias, options.cost_per_control
        )
    except InputError as error:
        raise loaded.place(error) from None
    if options.json:
        asked = {
            "deal": deal.name,
            "seed": options.seed,
            "paths": options.paths,
            "power": power,
            "alpha": alpha,
            "matching_bias": bias,
            "cost_per_control": options.cost_per_control,
        }
        tables = {
            name: [asdict(one) for one in getattr(found, name)] for name in ("risks", "engine", "worth")
        }
        write_json(options.json, {"provenance": provenance(loaded, **asked), **tables})
    title = f"{loaded.portfolio.title or loaded.portfolio.name}, {deal.name}"
    symbol = CURRENCIES[loaded.portfolio.currency].symbol
    show(changed(loaded) + design_page(found, title, symbol, power, alpha))
    return OK


def _check_design(options: argparse.Namespace) -> None:
    """Refuse numbers that no design has, before anything is loaded."""
    import math

    limits = (
        ("--power", [options.power], 0.0, 100.0, "above 0 and below 100, in per cent"),
        ("--alpha", [options.alpha], 0.0, 100.0, "above 0 and below 100, in per cent"),
        ("--controls", options.controls, 0.0, 1e9, "above 0, at most 1,000,000,000"),
    )
    for field, values, low, high, allowed in limits:
        for value in values:
            if not low < value < high:
                raise InputError("is out of range", field=field, given=value, allowed=allowed)
    for field, value, high in (
        ("--matching-bias", options.matching_bias, 100.0),
        ("--cost-per-control", options.cost_per_control, 1e9),
    ):
        if value is not None and not (0.0 <= value <= high and math.isfinite(value)):
            raise InputError("is out of range", field=field, given=value, allowed=f"0 to {high:,.0f}")


def _evaluated(ready: ReadyPortfolio, name: str) -> ReadyDeal:
    """The deal whose measured effect is meant: the one that is named, or the only one that has one."""
    if name:
        return deal_named(ready, name)
    some = [
        deal for deal in ready.deals
        if getattr(deal.deal.programme, "effect", None) and deal.deal.tariff and deal.deal.tariff.effect
    ]  # fmt: skip
    if not some:
        raise InputError("has no deal that is paid for a measured effect", file=ready.portfolio.name)
    if len(some) > 1:
        names = ", ".join(deal.name for deal in some)
        raise InputError(
            "is needed: several deals are paid for a measured effect", field="--deal", allowed=names
        )
    return some[0]


def _text(path: Path, output: Path | None) -> str:
    """A table's text; InputError where it cannot be read, is not UTF-8, or would be written over."""
    from socialfinance.io.write import refuse_to_replace
    from socialfinance.io.yaml import read_bytes

    refuse_to_replace(output, path)
    content = read_bytes(path, str(path))
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InputError("is not text in UTF-8", file=str(path), line=line) from None
