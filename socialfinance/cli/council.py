"""``socialfinance council``: one public body's page."""

from __future__ import annotations

import argparse
from typing import Any

from socialfinance.cli.shared import (
    OK,
    PORTFOLIO,
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


def council_options(commands: Any) -> None:
    """``council`` and its options."""
    text = "one council's books: ten figures, budget, promises, shared purse, borrowing"
    one = commands.add_parser("council", help=text, description=sentence(text))
    one.add_argument("name", metavar="NAME_OR_PATH", help=PORTFOLIO)
    one.add_argument(
        "--council", required=True, metavar="NAME", help="a council, or another public body of the file"
    )
    run_size_options(one)
    set_option(one)
    json_option(one)
    one.set_defaults(command=council_command)


def council_command(options: argparse.Namespace) -> int:
    """Run the deals in which it has a part, write the file, print the page."""
    from socialfinance.council.tables import as_rows
    from socialfinance.council.view import view
    from socialfinance.io.write import write_json
    from socialfinance.reports.council import council_page

    check_writable(options.json)
    loaded, ready = prepared(options.name, options.json, options.set)
    try:
        found = view(ready, options.council, options.seed, options.paths)
        page = council_page(found)
    except InputError as error:
        raise loaded.place(error) from None
    if options.json:
        about = provenance(loaded, council=options.council, seed=options.seed, paths=options.paths)
        write_json(options.json, {"provenance": about, **as_rows(found)})
    show(changed(loaded) + page)
    return OK
