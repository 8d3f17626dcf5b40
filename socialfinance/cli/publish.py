"""``socialfinance publish``: a fund's plan and returns as open data, and open data checked."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from socialfinance.cli.shared import (
    BAD_INPUT,
    OK,
    PORTFOLIO,
    check_writable,
    day,
    json_option,
    prepared,
    say,
    sentence,
    set_option,
    show,
)
from socialfinance.core.errors import InputError

if TYPE_CHECKING:
    from socialfinance.evidence.open_data.suppress import Rule
    from socialfinance.io.files import Loaded


def publish_options(commands: Any) -> None:
    """``publish`` and its own commands."""
    text = "outcomes and payments as open data: exported with small numbers suppressed, or checked"
    publish = commands.add_parser("publish", help=text, description=sentence(text))
    kinds = publish.add_subparsers(title="what", metavar="WHAT", required=True)
    _export_options(kinds)
    _check_options(kinds)


def _export_options(kinds: Any) -> None:
    text = "a fund's plan, and its returns so far, for publication"
    one = kinds.add_parser("export", help=text, description=sentence(text))
    one.add_argument("name", metavar="NAME_OR_PATH", help=PORTFOLIO)
    one.add_argument("--to", type=Path, required=True, metavar="FOLDER",
                     help="a folder for CSV tables, or a file that ends in .json")  # fmt: skip
    one.add_argument("--returns", type=Path, metavar="FILE", help="what was returned so far, as for observe")
    one.add_argument("--as-of", type=day, metavar="DAY",
                     help="publish what had been returned by this day (default: the last)")  # fmt: skip
    one.add_argument("--by", choices=("quarter", "year"), default="quarter",
                     help="length of a period; years are financial years (default quarter)")  # fmt: skip
    one.add_argument("--threshold", type=int, default=5, metavar="N",
                     help="counts under it are suppressed (default 5)")  # fmt: skip
    one.add_argument("--least", type=int, default=3, metavar="N",
                     help="numbers that each suppressed count could still be (default 3)")  # fmt: skip
    one.add_argument("--hide-nil", action="store_true", help="suppress counts of nil too")
    set_option(one)
    json_option(one)
    one.set_defaults(command=export_command)


def _check_options(kinds: Any) -> None:
    text = "what is wrong with a publication"
    one = kinds.add_parser("check", help=text, description=sentence(text))
    one.add_argument("path", type=Path, metavar="FOLDER", help="a folder of CSV tables, or a JSON file")
    one.add_argument("--threshold", type=int, metavar="N", help="warn of counts under it that are shown")
    json_option(one)
    one.set_defaults(command=check_command)


def export_command(options: argparse.Namespace) -> int:
    """Put plan and returns together, write the tables, print what is suppressed."""
    import json

    from socialfinance.evidence.open_data.publish import publish
    from socialfinance.evidence.open_data.write import ABOUT, as_json, check_folder, write_folder
    from socialfinance.evidence.returns import Returned
    from socialfinance.io.write import refuse_to_replace, write_json, write_text
    from socialfinance.reports.open_data import published_page

    rule = _rule(options)
    check_writable(options.json)
    one_file = options.to.suffix == ".json"
    if one_file:
        check_writable(options.to, "--to")
    else:
        check_folder(options.to)
    for output in (options.json, options.to) if options.returns else ():
        refuse_to_replace(output, options.returns)
    loaded, ready = prepared(options.name, options.json, options.set)
    returned = Returned(options.returns, ready) if options.returns else None
    returns = returned.on(options.as_of or returned.days[-1]) if returned else None
    made = publish(ready, returns, options.by, rule)
    about = _about(loaded, rule, options.by)
    if one_file:
        write_text(options.to, as_json(made.data, about))
    else:
        write_folder(made.data, options.to, {ABOUT: json.dumps(about, indent=1) + "\n"})
    if options.json:
        rows = [one._asdict() for one in made.hidden]
        write_json(options.json, {"about": about, "suppressed": rows})
    title = loaded.portfolio.title or loaded.portfolio.name
    show(published_page(made, title, rule))
    say(f"Written to {options.to}.")
    return OK


def _rule(options: argparse.Namespace) -> Rule:
    from socialfinance.evidence.open_data.suppress import Rule

    if not 3 <= options.threshold <= 100:
        raise InputError("is out of range", field="--threshold", given=options.threshold, allowed="3 to 100")
    if not 2 <= options.least < options.threshold:
        raise InputError("is out of range", field="--least", given=options.least,
                         allowed=f"2 to {options.threshold - 1}, less than the threshold")  # fmt: skip
    return Rule(options.threshold, options.least, not options.hide_nil)


def _about(loaded: Loaded, rule: Rule, by: str) -> dict[str, object]:
    """What is said beside the tables: how they came about, and nothing of what is suppressed."""
    from socialfinance import __version__

    return {
        "package": "socialfinance", "version": __version__, "portfolio": loaded.portfolio.name,
        "currency": loaded.portfolio.currency, "period": by, "counts_under_are_suppressed": rule.threshold,
        "numbers_a_suppressed_count_could_be": rule.least, "nil_is_suppressed": not rule.nil_published,
        "plan": "expected numbers of the plan case, in which nobody is counted",
    }  # fmt: skip


def check_command(options: argparse.Namespace) -> int:
    """Print what is wrong; 2 if anything is an error."""
    from socialfinance.evidence.open_data.check import check
    from socialfinance.io.write import write_json
    from socialfinance.reports.open_data import findings_page

    if options.threshold is not None and not 1 <= options.threshold <= 100:
        raise InputError("is out of range", field="--threshold", given=options.threshold, allowed="1 to 100")
    check_writable(options.json)
    findings = check(options.path, options.threshold)
    if options.json:
        write_json(
            options.json, {"findings": [{**one._asdict(), "text": str(one.error)} for one in findings]}
        )
    for finding in findings:
        if not finding.warning:
            say(str(finding))
    show(findings_page(findings))
    return BAD_INPUT if any(not finding.warning for finding in findings) else OK
