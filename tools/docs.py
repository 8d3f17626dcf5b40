"""Put what a command prints where the documentation shows it.

A block looks like this; the fence between the two marks is replaced::

    <!-- output: socialfinance replay peterborough -->
    ```text
    whatever it printed last time
    ```
    <!-- /output -->

Only what goes to standard output is shown: progress and timings go to standard error. After the command
may stand

``| until: HEADING``
    show what comes before the line that says just that,
``| slow``
    takes more than a few seconds: the quick tests leave it out, ``make slow`` checks it.

``<!-- output: the Python above -->`` shows what the nearest ``python`` fence above it prints.

``python tools/docs.py [FILE...]`` writes the files anew (README.md and all of docs/ unless named);
``--check`` writes nothing, shows the difference and exits with 1 where there is one.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
OPEN, CLOSE = "<!-- output:", "<!-- /output -->"
BLOCK = re.compile(
    rf"^{OPEN} (?P<command>[^|\n]+?)(?P<options>(?: \| [^|\n]+?)*) -->\n(?P<shown>.*?)^{CLOSE}$",
    re.DOTALL | re.MULTILINE,
)
PYTHON = re.compile(r"^```python\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE)
PYTHON_ABOVE = "the Python above"


class Shown(NamedTuple):
    """One block: what is run, how much of it is shown, and what stands there now."""

    command: str
    until: str
    """The line before which the block stops; empty: it shows everything."""
    slow: bool
    code: str
    """The Python that stands above, where that is what is run."""
    lines: list[str]


def blocks(text: str) -> Iterator[Shown]:
    """Every block of a page. Raises ValueError where one is malformed."""
    found = list(BLOCK.finditer(text))
    if text.count(OPEN) != len(found) or any(OPEN in block["shown"] for block in found):
        raise ValueError(f"a block is never closed with {CLOSE}, or its marks are not on lines of their own")
    for block in found:
        yield _shown(block, text)


def _shown(block: re.Match[str], text: str) -> Shown:
    command, until, slow, code = block["command"], "", False, ""
    for option in block["options"].split(" | ")[1:]:
        if option == "slow":
            slow = True
        elif option.startswith("until: "):
            until = option.removeprefix("until: ")
        else:
            raise ValueError(f"the block of '{command}' has an unknown option '{option}'")
    if command == PYTHON_ABOVE:
        fences = [fence["code"] for fence in PYTHON.finditer(text, 0, block.start())]
        if not fences:
            raise ValueError("no Python stands above the block that shows what it prints")
        code = fences[-1]
    return Shown(command, until, slow, code, block["shown"].splitlines()[1:-1])


def wanted(block: Shown, run: Callable[[Shown], str]) -> list[str]:
    """The lines that the block should show. Raises ValueError where the line to stop before is missing."""
    lines = [line.rstrip() for line in run(block).strip("\n").splitlines()]
    if not block.until:
        return lines
    if block.until not in lines:
        raise ValueError(f"'{block.command}' never prints the line '{block.until}'")
    return "\n".join(lines[: lines.index(block.until)]).rstrip("\n").splitlines()


def replace_outputs(text: str, run: Callable[[Shown], str]) -> str:
    """The text with every block's fence replaced by what ``run`` returns for it."""
    new = iter([wanted(block, run) for block in blocks(text)])

    def replaced(match: re.Match[str]) -> str:
        opening = match[0].split("\n", 1)[0]
        return "\n".join([opening, "```text", *next(new), "```", CLOSE])

    return BLOCK.sub(replaced, text)


def output_of(block: Shown) -> str:
    """What the block's command prints, run at the top of the repository, this Python's scripts first."""
    if block.code:
        return _printed(sys.executable, "-c", block.code)
    return _printed(*shlex.split(block.command))


@cache
def _printed(*command: str) -> str:
    scripts = str(Path(sys.executable).parent)
    path = os.pathsep.join([scripts, os.environ.get("PATH", "")])
    plain = {"PATH": path, "COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **plain},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"'{' '.join(command)}' ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def pages() -> list[Path]:
    """Every page that may show what a command prints."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def main(arguments: list[str] | None = None) -> int:
    """Write or check the named files; 1 where a check found a difference."""
    parser = argparse.ArgumentParser(description="Put what commands print into the documentation.")
    parser.add_argument("files", nargs="*", type=Path, default=pages(), metavar="FILE")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where the text differs")
    options = parser.parse_args(arguments)
    stale = False
    for file in options.files:
        old = file.read_text(encoding="utf-8")
        new = replace_outputs(old, output_of)
        if options.check:
            names = (f"{file} as it stands", f"{file} as it would be")
            difference = difflib.unified_diff(old.splitlines(), new.splitlines(), *names, lineterm="")
            print("\n".join(difference), end="\n" if old != new else "")
            stale = stale or old != new
        elif old != new:
            file.write_text(new, encoding="utf-8")
    return int(stale)


if __name__ == "__main__":
    raise SystemExit(main())
