"""``socialfinance paper``: the draft of a paper for a council's cabinet, to be taken on by a person."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from socialfinance.cli.shared import (
    OK,
    PORTFOLIO,
    check_writable,
    prepared,
    run_size_options,
    sentence,
    set_option,
    show,
)
from socialfinance.core.errors import InputError
from socialfinance.core.text import visible

if TYPE_CHECKING:
    from socialfinance.io.files import Loaded

ENDINGS = (".docx", ".html", ".htm")


def paper_options(commands: Any) -> None:
    """``paper`` and its options."""
    text = "the two-page draft of a paper for a council's cabinet, as a Word document or a page"
    one = commands.add_parser("paper", help=text, description=sentence(text))
    one.add_argument("name", metavar="NAME_OR_PATH", help=PORTFOLIO)
    one.add_argument(
        "--council", required=True, metavar="NAME", help="a council, or another public body of the file"
    )
    one.add_argument("--to", required=True, type=Path, metavar="FILE", help="file to write: .docx or .html")
    run_size_options(one)
    set_option(one)
    one.set_defaults(command=paper_command)


def paper_command(options: argparse.Namespace) -> int:
    """Run the deals in which the body has a part, and write the paper whole or not at all."""
    from socialfinance.council.view import view
    from socialfinance.io.write import OutputIsInput, write_bytes
    from socialfinance.papers.council_paper import council_paper
    from socialfinance.reports.inputs import changed_line

    _check_ending(options.to)
    check_writable(options.to, "--to")
    try:
        loaded, ready = prepared(options.name, options.to, options.set)
    except OutputIsInput as error:
        raise InputError(error.problem, file=error.file, field="--to") from None
    try:
        found = view(ready, options.council, options.seed, options.paths)
        about = _about(loaded, options)
        content = _content(options.to, council_paper(found, about, changed_line(loaded.set)))
    except InputError as error:
        raise loaded.place(error) from None
    write_bytes(options.to, content)
    show(f"{visible(str(options.to))}: a draft of {options.paths:,} futures, seed {options.seed}. "
         "A person must check and complete it.\n")  # fmt: skip
    return OK


def _check_ending(file: Path) -> None:
    """Refuse what cannot be written, by ending and by what is installed, before anything is run."""
    from socialfinance.papers.docx_paper import check_docx
    from socialfinance.papers.html_paper import check_jinja

    ending = file.suffix.lower()
    if ending not in ENDINGS:
        raise InputError("has no ending that is known", file=str(file), field="--to", allowed=".docx, .html")
    check_docx() if ending == ".docx" else check_jinja()


def _content(file: Path, paper: Any) -> bytes:
    from socialfinance.papers.docx_paper import docx_paper
    from socialfinance.papers.html_paper import html_paper

    return docx_paper(paper) if file.suffix.lower() == ".docx" else html_paper(paper).encode()


def _about(loaded: Loaded, options: argparse.Namespace) -> str:
    """What it takes to make the same figures again: package, file and its check sum, paths and seed."""
    from socialfinance import __version__
    from socialfinance.papers.parts import named

    root = next(iter(loaded.inputs.values()))
    return (
        f"socialfinance {__version__}; {named(Path(root.path).name)}, SHA-256 {root.sha256[:16]}; council "
        f"{named(options.council)}; {options.paths:,} futures, seed {options.seed}. Figures are those of "
        "`socialfinance council` with the same arguments."
    )
