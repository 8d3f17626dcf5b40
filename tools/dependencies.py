"""Print what has to be installed to work on the project, one requirement a line, from pyproject.toml.

``python tools/dependencies.py docs`` prints what an extra asks for instead.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import Any


def requirements(pyproject: dict[str, Any]) -> list[str]:
    """What the library needs, what its developers need, and what builds it."""
    project = pyproject["project"]
    return [
        *project["dependencies"],
        *project["optional-dependencies"]["dev"],
        *pyproject["build-system"]["requires"],
    ]


def extra(pyproject: dict[str, Any], name: str) -> list[str]:
    """What one extra needs."""
    return list(pyproject["project"]["optional-dependencies"][name])


if __name__ == "__main__":
    file = Path(__file__).resolve().parent.parent / "pyproject.toml"
    read = tomllib.loads(file.read_text(encoding="utf-8"))
    print("\n".join(extra(read, sys.argv[1]) if sys.argv[1:] else requirements(read)))
