"""``socialfinance template``: a file to fill in, as a workbook or as YAML, and from one form to the other."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from socialfinance.cli.shared import OK, PORTFOLIO, check_writable, sentence, show
from socialfinance.core.errors import InputError
from socialfinance.core.text import visible

EXAMPLE = "edge-of-care"
"""The shipped portfolio that a new template holds: one deal, every kind of cost, outcome and saving."""
ENDINGS = (".xlsx", ".yaml", ".yml")


def template_options(commands: Any) -> None:
    """``template`` and its options."""
    text = "write a file to fill in: a workbook (.xlsx), or YAML; from a portfolio in either form"
    one = commands.add_parser("template", help=text, description=sentence(text))
    one.add_argument("file", type=Path, metavar="FILE", help="file to write, .xlsx or .yaml")
    one.add_argument("--from", dest="source", default=EXAMPLE, metavar="NAME_OR_PATH",
                     help=f"what it holds: {PORTFOLIO} (default {EXAMPLE})")  # fmt: skip
    one.set_defaults(command=template_command)


def template_command(options: argparse.Namespace) -> int:
    """Read and check a portfolio, and write it in the form that the file's ending asks for."""
    from socialfinance.io.files import as_given
    from socialfinance.io.write import write_bytes

    check_new(options.file)
    data = as_given(options.source, options.file)
    write_bytes(options.file, _content(options.file, data))
    show(f"{visible(str(options.file))}: {visible(str(data['name']))}, {len(data['deals'])} deal"
         f"{'s' * (len(data['deals']) != 1)}, from {visible(options.source)}. "
         "What it refers to is written out; comments are not kept.\n")  # fmt: skip
    return OK


def check_new(file: Path) -> None:
    """Refuse another ending, and a file that is there already: what was filled in would be lost."""
    if file.suffix.lower() not in ENDINGS:
        raise InputError("has no ending that is known", file=str(file), allowed=", ".join(ENDINGS))
    check_writable(file, "FILE")
    if file.exists():
        raise InputError("is there already, and would be written over: give another name", file=str(file))


def _content(file: Path, data: dict[str, Any]) -> bytes:
    if file.suffix.lower() != ".xlsx":
        from socialfinance.io.yaml import dump

        return dump(data).encode()
    from socialfinance.workbooks.cells import check_openpyxl

    check_openpyxl(str(file))
    from socialfinance.io.workbook_write import write_workbook

    return write_workbook(data)
