"""What all commands use: exit statuses, what is printed where, a portfolio made ready."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from socialfinance.core.errors import InputError
from socialfinance.core.text import visible

if TYPE_CHECKING:
    from socialfinance.engine.ready import ReadyDeal, ReadyPortfolio
    from socialfinance.io.files import Loaded
    from socialfinance.io.yaml import Node

OK, NO_ANSWER, BAD_INPUT, INTERRUPTED, TERMINATED = 0, 1, 2, 130, 143
PORTFOLIO = "a shipped portfolio (see `socialfinance list`), or a path to a .yaml or .xlsx file"


def show(text: str) -> None:
    """On standard output, which commands write to in no other way."""
    print(visible(text, keep="\n"), end="")


def say(words: str) -> None:
    """One line on standard error, where there is one."""
    if sys.stderr is None:
        return
    try:
        print(visible(words), file=sys.stderr, flush=True)
    except OSError:
        let_go(sys.stderr)


def let_go(stream: TextIO) -> None:
    """Write no more there, so that it does not fail again when Python closes it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def sentence(text: str) -> str:
    """Words with a capital and a full stop."""
    return f"{text[0].upper()}{text[1:]}."


def run_size_options(command: argparse.ArgumentParser) -> None:
    """``--paths N`` and ``--seed N``."""
    command.add_argument(
        "--paths", type=int, default=10_000, metavar="N", help="simulated futures (default 10000)"
    )
    command.add_argument(
        "--seed", type=int, default=1, metavar="N", help="same seed, same figures (default 1)"
    )


def json_option(command: argparse.ArgumentParser) -> None:
    """``--json FILE``."""
    command.add_argument("--json", type=Path, metavar="FILE", help="also write the rows to a file, as JSON")


def set_option(command: argparse.ArgumentParser) -> None:
    """``--set PATH=VALUE``, as often as wanted."""
    command.add_argument("--set", action="append", default=[], metavar="PATH=VALUE",
                         help="run with another value at a path of the file, such as "
                              "fund.notes.senior.rate.annual=0.05; can be given again")  # fmt: skip


def given_changes(written: Sequence[str]) -> dict[str, Node]:
    """What ``--set`` changes, by path."""
    from socialfinance.io.yaml import parse_value

    found: dict[str, Node] = {}
    for one in written:
        path, equals, value = (part.strip() for part in one.partition("="))
        if not equals or not path:
            raise InputError("is no change", file="--set", given=one, allowed="PATH=VALUE")
        if path in found:
            raise InputError("is set twice", file="--set", field=path)
        found[path] = parse_value(value, "--set", path)
    return found


def changed(loaded: Loaded) -> str:
    """What the page says first where anything was changed for this run."""
    from socialfinance.reports.inputs import changed_page

    return changed_page(loaded.set)


def check_writable(path: Path | None, field: str = "--json") -> None:
    """Refuse a file that could not be written before anything is run."""
    if path is None:
        return
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        pass  # a new file, or a folder that is missing: said below
    except OSError as error:  # a name that is too long
        problem = f"cannot be written: {error.strerror}"
        raise InputError(problem, file=str(path), field=field) from None
    if os.path.isdir(path):
        raise InputError("is a folder: give a file name", file=str(path), field=field)
    if not os.path.isdir(path.parent):
        raise InputError("its folder does not exist", file=str(path), field=field)
    if not os.access(path.parent, os.W_OK):
        raise InputError("no permission to write there", file=str(path), field=field)


def prepared(name: str, output: Path | None, changes: Sequence[str] = ()) -> tuple[Loaded, ReadyPortfolio]:
    """A portfolio loaded and made ready; an error says where in the file. ``output`` must not be read.

    ``changes`` are those of ``--set``, as they were written.
    """
    from socialfinance.engine.ready import prepare
    from socialfinance.io.files import load

    loaded = load(name, output, given_changes(changes))
    try:
        return loaded, prepare(loaded.portfolio)
    except InputError as error:
        raise loaded.place(error) from None


def day(written: str) -> date:
    """A day on the command line: 2027-03-31."""
    try:
        return date.fromisoformat(written)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{written!r} is no day: write 2027-03-31") from None


def deal_named(ready: ReadyPortfolio, name: str) -> ReadyDeal:
    """A deal of the portfolio by its name."""
    for deal in ready.deals:
        if deal.name == name:
            return deal
    names = ", ".join(deal.name for deal in ready.deals)
    raise InputError("is not a deal of this portfolio", field="--deal", given=name, allowed=names)


def deals_and_quarters(ready: ReadyPortfolio) -> str:
    """How many deals over how many quarters."""
    return f"{len(ready.deals)} deal{'s' * (len(ready.deals) != 1)} over {ready.calendar.quarters} quarters"


def provenance(loaded: Loaded, **more: object) -> dict[str, object]:
    """What a JSON file says about where its rows come from."""
    from socialfinance import __version__

    return {
        "package": "socialfinance",
        "version": __version__,
        "portfolio": loaded.portfolio.name,
        "currency": loaded.portfolio.currency,
        **more,
        "inputs": {
            name: {"path": file.path, "sha256": file.sha256, "text": file.text}
            for name, file in loaded.inputs.items()
        },
        "set": dict(loaded.set),
        "resolved": loaded.portfolio.model_dump(mode="json"),
    }
