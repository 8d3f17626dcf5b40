"""``socialfinance evidence``: where every uncertain input comes from."""

from __future__ import annotations

import argparse
from typing import Any

from socialfinance.cli.shared import (
    OK,
    PORTFOLIO,
    check_writable,
    deal_named,
    json_option,
    prepared,
    provenance,
    sentence,
    set_option,
    show,
)
from socialfinance.core.currency import CURRENCIES


def evidence_options(commands: Any) -> None:
    """``evidence`` and its options."""
    text = "where every uncertain input comes from: prior, data, posterior, weight, source"
    one = commands.add_parser("evidence", help=text, description=sentence(text))
    one.add_argument("name", metavar="NAME_OR_PATH", help=PORTFOLIO)
    one.add_argument("--deal", metavar="NAME", help="one deal only")
    set_option(one)
    json_option(one)
    one.set_defaults(command=evidence_command)


def evidence_command(options: argparse.Namespace) -> int:
    """List the inputs, write the file, print the page."""
    from dataclasses import asdict

    from socialfinance.evidence.pedigrees import count_bases, pedigrees
    from socialfinance.io.write import write_json
    from socialfinance.reports.evidence import evidence_page

    check_writable(options.json)
    loaded, ready = prepared(options.name, options.json, options.set)
    portfolio = loaded.portfolio
    chosen = (deal_named(ready, options.deal).name,) if options.deal is not None else ()
    rows = pedigrees(portfolio, chosen)
    if options.json:
        inputs = [asdict(row) for row in rows]
        write_json(
            options.json,
            {"provenance": provenance(loaded), "inputs": inputs, "rest_on": count_bases(rows)},
        )
    titles = {name: deal.title or name for name, deal in portfolio.deals.items()}
    title = portfolio.title or portfolio.name
    show(evidence_page(rows, title, titles, loaded.set, CURRENCIES[portfolio.currency].symbol))
    return OK
