"""``socialfinance observe``: what returns teach, and what everything looks like then."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from socialfinance.cli.shared import (
    OK,
    PORTFOLIO,
    check_writable,
    day,
    deal_named,
    json_option,
    prepared,
    provenance,
    say,
    sentence,
    set_option,
    show,
)
from socialfinance.core.errors import InputError

if TYPE_CHECKING:
    from socialfinance.engine.ready import ReadyPortfolio


def observe_options(commands: Any) -> None:
    """``observe`` and its options."""
    text = "condition a portfolio on quarterly returns and forecast it again"
    one = commands.add_parser("observe", help=text, description=sentence(text))
    one.add_argument("name", metavar="NAME_OR_PATH", help=PORTFOLIO)
    one.add_argument("--returns", type=Path, metavar="FILE",
                     help="quarterly returns: CSV, or a workbook with a sheet called returns")  # fmt: skip
    one.add_argument("--as-of", type=day, metavar="DAY",
                     help="take what had been returned by this day (default: the last there is)")  # fmt: skip
    one.add_argument("--template", type=Path, metavar="FILE",
                     help="write a blank return instead: .csv, or .xlsx")  # fmt: skip
    one.add_argument("--quarters", type=int, default=4, metavar="N",
                     help="quarters of the portfolio in the blank return (default 4)")  # fmt: skip
    one.add_argument("--deal", nargs="+", action="extend", default=[], metavar="NAME",
                     help="show these deals line by line, beside those that are flagged")  # fmt: skip
    one.add_argument("--paths", type=int, default=6_144, metavar="N",
                     help="futures, 6,144 or more, in whole sets (default 6144)")  # fmt: skip
    one.add_argument("--cost-noise", type=float, default=0.10, metavar="SD",
                     help="how far a quarter's cost lies about budget and overrun, in logs "
                          "(default 0.10, illustrative)")  # fmt: skip
    one.add_argument("--saving-noise", type=float, default=0.25, metavar="SD",
                     help="the same of a quarter's savings (default 0.25, illustrative)")  # fmt: skip
    one.add_argument("--seed", type=int, default=1, metavar="N", help="same seed, same figures (default 1)")
    one.add_argument("--workers", type=int, metavar="N", help="processes for the forecasts")
    set_option(one)
    json_option(one)
    one.set_defaults(command=observe_command)


def observe_command(options: argparse.Namespace) -> int:
    """Read, learn, forecast; write the file, print the page."""
    from socialfinance.evidence.observe import observe
    from socialfinance.io.write import write_json
    from socialfinance.reports.observe import observe_page

    began = time.monotonic()
    check_writable(options.json)
    check_writable(options.template, "--template")
    loaded, ready = prepared(options.name, options.json, options.set)
    for deal in options.deal:
        deal_named(ready, deal)
    if options.template is not None:
        return _template(ready, options.template, options.quarters)
    for field, given in (("--cost-noise", options.cost_noise), ("--saving-noise", options.saving_noise)):
        if not 0.001 <= given <= 10.0:
            raise InputError("is out of range", field=field, given=given, allowed="0.001 to 10")
    if options.returns is None:
        raise InputError("is missing", field="--returns", allowed="a file of returns, or --template FILE")
    inputs = {name: {"path": str(file.path), "sha256": file.sha256} for name, file in loaded.inputs.items()}
    found = observe(
        loaded.portfolio,
        options.returns,
        options.as_of,
        options.paths,
        options.seed,
        options.workers,
        inputs,
        (options.cost_noise, options.saving_noise),
    )
    if options.json:
        asked = {"returns": str(options.returns), "seed": options.seed, "paths": options.paths}
        write_json(options.json, {"provenance": provenance(loaded, **asked), **found.to_dict()})
    show(observe_page(found, loaded.portfolio.title or loaded.portfolio.name, options.deal))
    say(f"Took {time.monotonic() - began:,.1f} s.")
    return OK


def _template(ready: ReadyPortfolio, path: Path, quarters: int) -> int:
    from socialfinance.evidence.returns import COLUMNS, OPTIONAL, template
    from socialfinance.io.sheets import write_table

    if not 1 <= quarters <= ready.calendar.quarters:
        raise InputError("is out of range", field="--quarters", given=quarters,
                         allowed=f"1 to {ready.calendar.quarters}")  # fmt: skip
    rows = template(ready, quarters)
    write_table(path, "returns", (*COLUMNS, *OPTIONAL), rows)
    print(
        f"{path}: {len(rows):,} rows to fill in; a blank value is one that is not known yet", file=sys.stdout
    )
    return OK
