"""docs/performance.md: what `make bench` measured, as a page."""

from __future__ import annotations

import os
import platform
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
HEAD = """# Performance

Written by `make bench`. Read the ratios: both sides of each were timed in turn in the same run, and the
median is shown. Seconds belong to the machine: {machine}.

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
        parts = [HEAD.format(machine=machine)]
        for title, (words, head, rows) in self.tables.items():
            lines = [f"| {' | '.join(cells)} |" for cells in (head, ("---",) * len(head), *rows)]
            parts.append("\n".join([f"## {title}", "", words, "", *lines]) + "\n")
        PAGE.write_text("\n".join(parts), encoding="utf-8")
