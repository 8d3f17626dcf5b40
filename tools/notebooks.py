"""Run the notebooks in docs/notebooks/ from top to bottom, and store what they print.

``python tools/notebooks.py [FILE...]`` runs them again and writes them; ``--check`` writes nothing, shows
where what is printed differs and exits with 1. Only text counts: pictures differ by a font from machine to
machine. What goes to standard error is left out, and so is what a kernel adds of itself (times, versions),
so that a notebook that was run twice is the same file.
"""

from __future__ import annotations

import argparse
import difflib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "notebooks"
LONGEST = 300
"""Seconds that one cell may take."""


def notebooks() -> list[Path]:
    """Every notebook of the documentation."""
    return sorted(FOLDER.glob("*.ipynb"))


def read(file: Path) -> Any:
    """A notebook, checked against its format."""
    from nbformat import reads

    return reads(file.read_text(encoding="utf-8"), as_version=4)  # type: ignore[no-untyped-call]


def written(book: Any) -> str:
    """The text of a notebook's file."""
    from nbformat import writes

    return str(writes(book)) + "\n"  # type: ignore[no-untyped-call]


def executed(file: Path) -> Any:
    """The notebook, run in a new kernel at the top of the repository, tidied."""
    from nbclient import NotebookClient

    book = read(file)
    client = NotebookClient(
        book, timeout=LONGEST, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}
    )
    client.execute()
    return tidied(book)


def tidied(book: Any) -> Any:
    """Cells numbered in order, nothing of the kernel or the machine."""
    book.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    number = 0
    for i, cell in enumerate(book.cells):
        cell.id, cell.metadata = f"cell-{i}", {}
        if cell.cell_type == "code":
            number += 1
            cell.execution_count = number
            cell.outputs = [_tidied(output, number) for output in cell.outputs if _counts(output)]
    return book


def _counts(output: Any) -> bool:
    return bool(output.get("name") != "stderr")


def _tidied(output: Any, number: int) -> Any:
    if "metadata" in output:
        output["metadata"] = {}
    if output["output_type"] == "execute_result":
        output["execution_count"] = number
    return output


def said(book: Any) -> list[str]:
    """What the code cells print, as lines, each under the number of its cell."""
    lines = []
    for cell in book["cells"]:
        if cell["cell_type"] != "code":
            continue
        lines.append(f"[{cell['execution_count']}]")
        for output in cell["outputs"]:
            lines += text_of(output).splitlines()
    return lines


def text_of(output: Any) -> str:
    """The text of one output; of an error, its last line."""
    if output["output_type"] == "error":
        return f"{output['ename']}: {output['evalue']}"
    text = output.get("text", output.get("data", {}).get("text/plain", ""))
    return text if isinstance(text, str) else "".join(text)


def main(arguments: list[str] | None = None) -> int:
    """Write or check the named notebooks; 1 where a check found a difference."""
    parser = argparse.ArgumentParser(description="Run the notebooks of the documentation.")
    parser.add_argument("files", nargs="*", type=Path, default=notebooks(), metavar="FILE")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where the text differs")
    options = parser.parse_args(arguments)
    stale = False
    for file in options.files:
        old, new = read(file), executed(file)
        if options.check:
            names = (f"{file} as it stands", f"{file} as it would be")
            difference = list(difflib.unified_diff(said(old), said(new), *names, lineterm=""))
            print("\n".join(difference), end="\n" if difference else "")
            stale = stale or bool(difference)
        else:
            file.write_text(written(new), encoding="utf-8")
    return int(stale)


if __name__ == "__main__":
    raise SystemExit(main())
