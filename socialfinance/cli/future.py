"""``socialfinance explain | replay``: one future line by line, and a real deal beside what was published."""

from __future__ import annotations

import argparse
from collections.abc import Callable
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
    sentence,
    set_option,
    show,
)
from socialfinance.core.currency import CURRENCIES
from socialfinance.core.errors import InputError

if TYPE_CHECKING:
    from socialfinance.engine.ready import ReadyPortfolio


def explain_options(commands: Any) -> None:
    """``explain`` and its options."""
    text = "one future: every payment, the people, the inputs"
    one = commands.add_parser("explain", help=text, description=sentence(text))
    one.add_argument("name", metavar="NAME_OR_PATH", help=PORTFOLIO)
    which = one.add_mutually_exclusive_group(required=True)
    which.add_argument("--path", type=int, metavar="N", help="a simulated future by number, from 0")
    which.add_argument("--case", metavar="NAME", help="plan, low, actual, or another case of the deal")
    one.add_argument("--deal", metavar="NAME", help="one deal (default: all of them)")
    one.add_argument("--seed", type=int, default=1, metavar="N", help="seed of the run (default 1)")
    one.add_argument("--with-variation", action="store_true", help="with reviews and emergency support")
    set_option(one)
    json_option(one)
    one.set_defaults(command=explain_command)


def explain_command(options: argparse.Namespace) -> int:
    """One future, line by line."""
    from socialfinance.engine.explain import explain_case, explain_path
    from socialfinance.engine.explain_fund import explain_fund
    from socialfinance.io.write import write_json
    from socialfinance.reports.future import explanation, fund_explanation, fund_rows, rows

    check_writable(options.json)
    loaded, ready = prepared(options.name, options.json, options.set)
    deals = (deal_named(ready, options.deal),) if options.deal else ready.deals
    try:
        found = []
        for deal in deals:
            varied = options.with_variation and (deal.varied is not None or len(deals) == 1)
            if options.case is not None:
                found.append(explain_case(ready, deal, options.case, varied))
            else:
                found.append(explain_path(ready, deal, options.path, options.seed, varied))
    except InputError as error:
        raise loaded.place(error) from None
    whole = options.case is None and not options.deal
    fund = explain_fund(ready, options.path, options.seed) if whole else None
    if options.json:
        which = {"case": options.case} if options.case else {"path": options.path, "seed": options.seed}
        found_rows = {**rows(found), **fund_rows(fund)}
        write_json(options.json, {"provenance": provenance(loaded, **which), **found_rows})
    symbol = CURRENCIES[loaded.portfolio.currency].symbol
    show(changed(loaded) + explanation(found, _titles(ready), symbol) + fund_explanation(fund, symbol))
    return OK


def _titles(ready: ReadyPortfolio) -> Callable[[str], str]:
    return lambda party: ready.parties[party].title or party


def replay_options(commands: Any) -> None:
    """``replay`` and its options."""
    text = "a real deal with what really happened"
    one = commands.add_parser("replay", help=text, description=sentence(text))
    one.add_argument("name", metavar="NAME_OR_PATH", help=PORTFOLIO)
    set_option(one)
    json_option(one)
    one.set_defaults(command=replay_command)


def replay_command(options: argparse.Namespace) -> int:
    """The model beside what was published."""
    from socialfinance.engine.replay import replay
    from socialfinance.io.write import write_json
    from socialfinance.reports.comparison import replayed

    check_writable(options.json)
    loaded, ready = prepared(options.name, options.json, options.set)
    try:
        found = replay(ready)
    except InputError as error:
        raise loaded.place(error) from None
    if options.json:
        rows = [row._asdict() for row in found]
        write_json(options.json, {"provenance": provenance(loaded), "replay": rows})
    show(changed(loaded) + replayed(loaded.portfolio.title or loaded.portfolio.name, found))
    return OK
