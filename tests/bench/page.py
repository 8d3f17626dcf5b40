"""docs/performance.md: what `make bench` measured, as a page.

A table that was measured replaces the one of its title; others stay: the sides of a ratio are in one table.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
HEAD = """# Performance

Written by `make bench`. Read the ratios: all sides of a table were timed in the same run, where they are
short in turn, and the median is shown. Seconds belong to the machine: {machine}.

**The floor** is the time NumPy takes, on as many threads as there are workers, to fill one SFC64 normal for
each random number that the run uses (a count of people by individual luck counts as one). It is what plain
simulation would cost if everything but drawing the numbers were free.
"""


class PerformancePage:
    """Collects tables; ``write`` puts them on the page."""

    def __init__(self) -> None:
        self.tables: dict[str, tuple[str, tuple[str, ...], list[tuple[str, ...]]]] = {}

    def table(self, title: str, words: str, head: tuple[str, ...]) -> None:
        """Begin a table; a second call with the same title does nothing."""
        self.tables.setdefault(title, (words, head, []))

    def row(self, title: str, *cells: str) -> None:
        """Add a row, and print it."""
        self.tables[title][2].append(cells)
        print(f"\n{title}: {', '.join(cells)}")

    def write(self) -> None:
        """Write the page."""
        processor = platform.processor() or platform.machine()
        machine = (
            f"{os.cpu_count()} cores ({processor}), {platform.system()}, Python {platform.python_version()}"
        )
        sections = _sections(PAGE.read_text(encoding="utf-8") if PAGE.exists() else "")
        for title, (words, head, rows) in self.tables.items():
            lines = [f"| {' | '.join(cells)} |" for cells in (head, ("---",) * len(head), *rows)]
            sections[title] = "\n".join([f"## {title}", "", words, "", *lines]) + "\n"
        PAGE.write_text("\n".join([HEAD.format(machine=machine), *sections.values()]), encoding="utf-8")


def _sections(page: str) -> dict[str, str]:
    """The tables that stand on the page, by title."""
    _, *parts = page.split("\n## ")
    return {part.partition("\n")[0]: f"## {part.rstrip()}\n" for part in parts}
