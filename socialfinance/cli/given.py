"""Amounts, rates and days as they are typed, and rows as files: for commands that work on no portfolio."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from socialfinance.cli.shared import check_writable, json_option
from socialfinance.core.errors import InputError

if TYPE_CHECKING:
    from datetime import date
    from decimal import Decimal

    import pandas as pd


def output_options(command: argparse.ArgumentParser) -> None:
    """``--csv FILE`` and ``--json FILE``."""
    command.add_argument("--csv", type=Path, metavar="FILE", help="also write the rows as CSV")
    json_option(command)


def check_outputs(options: argparse.Namespace, *inputs: Path | None) -> None:
    """Refuse files that could not be written, or that would replace an input or one another."""
    from socialfinance.io.write import refuse_to_replace

    for output, field in ((options.csv, "--csv"), (options.json, "--json")):
        check_writable(output, field)
        for given in inputs:
            if given is not None:
                refuse_to_replace(output, given)
    both = options.csv is not None and options.json is not None
    if both and options.csv.resolve() == options.json.resolve():
        raise InputError(
            "is the file of --csv too: give another name", file=str(options.json), field="--json"
        )


def given_day(field: str, written: str | None) -> date | None:
    """A date written YYYY-MM-DD; None where none is given."""
    from datetime import date

    try:
        return None if written is None else date.fromisoformat(written)
    except ValueError:
        raise InputError("is not a date", field=field, given=written, allowed="YYYY-MM-DD") from None


def given_per_cent(field: str, written: str) -> float:
    """A rate written in per cent, as a fraction."""
    number = given_number(field, written, "0 to 100, in per cent")
    if not 0 <= number <= 100:
        raise InputError("is out of range", field=field, given=written, allowed="0 to 100, in per cent")
    return float(number / 100)


def given_pounds(field: str, written: str) -> Decimal:
    """An amount above nil; commas between thousands are passed over."""
    number = given_number(field, written, "pounds, above 0")
    if number <= 0:
        raise InputError("is out of range", field=field, given=written, allowed="pounds, above 0")
    return number


def given_number(field: str, written: str, allowed: str) -> Decimal:
    """A number, or an error that says what is allowed."""
    from decimal import Decimal, InvalidOperation

    try:
        number = Decimal(written.replace(",", ""))
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite():
        raise InputError("is not a number", field=field, given=written, allowed=allowed)
    return number


def rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """A frame's rows, by column name."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def write_rows(options: argparse.Namespace, rows: list[dict[str, Any]], **more: object) -> None:
    """The rows as CSV and JSON, where asked for."""
    from socialfinance import __version__
    from socialfinance.io.write import write_json, write_text

    if options.csv:
        import csv
        import io

        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_text(options.csv, text.getvalue())
    if options.json:
        provenance = {"package": "socialfinance", "version": __version__, **more}
        write_json(options.json, {"provenance": provenance, "rows": rows})
