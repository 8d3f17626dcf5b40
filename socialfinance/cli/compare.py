"""``socialfinance compare``: one programme on several structures, on the same futures."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
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
    from socialfinance.pricing.compare import by_kind, over_all
    from socialfinance.reports.compare import comparison_page, fund_page
    from socialfinance.results.frames import rows_of

    check_writable(options.json)
    loaded, ready, deal = _which(options)
    deals = tuple(loaded.portfolio.deals) if deal == ALL else (deal,)
    found, without = _all_compared(loaded, ready, deals, options)
    if options.json:
        about = provenance(
            loaded, deals=list(deals), structures=options.structures, seed=options.seed, paths=options.paths
        )
        rows: dict[str, Any] = {}
        for one, comparison in found.items():
            tables = {name: rows_of(getattr(comparison, name)) for name in TABLES}
            rows[one] = {
                **tables, "left_out": dict(comparison.left_out), "instruments": _terms_of(comparison),
            }  # fmt: skip
        whole: dict[str, Any] = {}
        if deal == ALL:
            kinds = by_kind(found)
            together = {kind: rows_of(over_all(those)) for kind, those in kinds.items()}
            whole = {"together": together, "left_out": without}
        write_json(options.json, {"provenance": about, "deals": rows, **whole})
    page = fund_page(found, without) if deal == ALL else comparison_page(found[deal])
    show(changed(loaded) + page)
    return OK


def _all_compared(
    loaded: Loaded, ready: ReadyPortfolio, deals: tuple[str, ...], options: argparse.Namespace
) -> tuple[dict[str, Comparison], dict[str, str]]:
    """Every deal on its structures; of several, those that none fits are left out, with the reason."""
    from socialfinance.pricing.compare import NoStructure

    found, without = {}, {}
    refused: NoStructure | None = None
    for one in deals:
        try:
            found[one] = _compared(loaded, ready, one, options)
        except NoStructure as error:
            refused = refused or error
            without[one] = error.problem
    if refused is not None and not found:
        raise loaded.place(refused) from None
    return found, without


def _terms_of(comparison: Comparison) -> dict[str, Any]:
    """The terms of every structure as they were run, defaults included."""
    deals = comparison.ready.portfolio.deals
    return {name: deals[name].instrument.model_dump(mode="json") for name in comparison.accounts.deals}


def _compared(loaded: Loaded, ready: ReadyPortfolio, deal: str, options: argparse.Namespace) -> Comparison:
    """One deal's programme on the structures asked for."""
    from socialfinance.io.files import term_sheet
    from socialfinance.pricing.compare import NoStructure, Variant, compare
    from socialfinance.pricing.structures import instruments

    kind = _deal(loaded, deal).programme.kind
    _check_known(options.structures)
    some = instruments(kind, tuple(options.structures), term_sheet)
    variants = {name: Variant(*one) for name, one in some.items()}
    try:
        return compare(ready, deal, variants, options.paths, options.seed)
    except NoStructure:
        raise
    except InputError as error:
        raise loaded.place(error) from None


def _check_known(names: Sequence[str]) -> None:
    """Refuse a word that is neither a standard structure, nor a shipped term sheet, nor a path."""
    from socialfinance.io.shipped import shipped
    from socialfinance.pricing.structures import STANDARD

    known = {
        *STANDARD,
        *(name for kind in ("instruments", "programmes", "portfolios") for name in shipped(kind)),
    }
    for name in names:
        if name not in known and name != ALL and not any(mark in name for mark in "./\\"):
            raise InputError("is no structure", field="--structures", given=name,
                             allowed=f"{', '.join(STANDARD)}; a term sheet by name or path")  # fmt: skip


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
