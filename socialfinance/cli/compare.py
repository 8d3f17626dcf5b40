"""``socialfinance compare``: one programme on several structures, on the same futures."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from socialfinance.cli.shared import (
    OK,
    changed,
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

if TYPE_CHECKING:
    from socialfinance.engine.ready import ReadyPortfolio
    from socialfinance.io.files import Loaded
    from socialfinance.pricing.compare import Comparison

ALL = "all"
TABLES = ("table", "differences", "sharing", "transfer")
"""Frames of a comparison that are written."""
WHAT = "a shipped programme or portfolio (see `socialfinance list`), or a path to a portfolio"


def compare_options(commands: Any) -> None:
    """``compare`` and its options."""
    text = "one programme on several structures, on the same futures"
    one = commands.add_parser("compare", help=text, description=sentence(text))
    one.add_argument("name", metavar="NAME_OR_PATH", help=WHAT)
    one.add_argument(
        "--deal", metavar="NAME", help="whose programme, tariff and parties (default: the first)"
    )
    one.add_argument(
        "--structures", nargs="+", default=["all"], metavar="NAME",
        help="all that fit (default), or standard structures and term sheets by name",
    )  # fmt: skip
    run_size_options(one)
    set_option(one)
    json_option(one)
    one.set_defaults(command=compare_command)


def compare_command(options: argparse.Namespace) -> int:
    """Run every structure, write the file, print the page."""
    from socialfinance.io.write import write_json
    from socialfinance.pricing.compare import over_all
    from socialfinance.reports.compare import comparison_page, fund_page
    from socialfinance.results.frames import rows_of

    check_writable(options.json)
    loaded, ready, deal = _which(options)
    deals = tuple(loaded.portfolio.deals) if deal == ALL else (deal,)
    found = {one: _compared(loaded, ready, one, options) for one in deals}
    if options.json:
        about = provenance(loaded, deals=list(deals), seed=options.seed, paths=options.paths)
        rows: dict[str, Any] = {}
        for one, comparison in found.items():
            tables = {name: rows_of(getattr(comparison, name)) for name in TABLES}
            rows[one] = {**tables, "left_out": dict(comparison.left_out)}
        whole = {"together": rows_of(over_all(found))} if deal == ALL else {}
        write_json(options.json, {"provenance": about, "deals": rows, **whole})
    page = fund_page(found) if deal == ALL else comparison_page(found[deal])
    show(changed(loaded) + page)
    return OK


def _compared(loaded: Loaded, ready: ReadyPortfolio, deal: str, options: argparse.Namespace) -> Comparison:
    """One deal's programme on the structures asked for."""
    from socialfinance.io.files import term_sheet
    from socialfinance.pricing.compare import Variant, compare
    from socialfinance.pricing.structures import instruments

    kind = _deal(loaded, deal).programme.kind
    some = instruments(kind, tuple(options.structures), term_sheet)
    variants = {name: Variant(*one) for name, one in some.items()}
    try:
        return compare(ready, deal, variants, options.paths, options.seed)
    except InputError as error:
        raise loaded.place(error) from None


def _which(options: argparse.Namespace) -> tuple[Loaded, ReadyPortfolio, str]:
    """Portfolio and deal: of a programme's name, the first shipped portfolio with a deal so called."""
    from socialfinance.io.shipped import shipped

    name, deal = options.name, options.deal
    if name in shipped("programmes") and name not in shipped("portfolios"):
        for portfolio in ("collective-impact-fund", *shipped("portfolios")):
            loaded, ready = prepared(portfolio, options.json, options.set)
            if name in loaded.portfolio.deals:
                return loaded, ready, deal or name
        raise InputError(
            "is a programme that no shipped deal is called after: give a portfolio and --deal", given=name
        )
    loaded, ready = prepared(name, options.json, options.set)
    return loaded, ready, deal or next(iter(loaded.portfolio.deals))


def _deal(loaded: Loaded, name: str) -> Any:
    deals = loaded.portfolio.deals
    if name not in deals:
        raise InputError(
            "is not a deal of this portfolio", field="--deal", given=name, allowed=", ".join(deals)
        )
    return deals[name]
