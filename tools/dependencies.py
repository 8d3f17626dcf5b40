"""Print what has to be installed to work on the project, one requirement a line, from pyproject.toml."""

from __future__ import annotations

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


if __name__ == "__main__":
    file = Path(__file__).resolve().parent.parent / "pyproject.toml"
    print("\n".join(requirements(tomllib.loads(file.read_text(encoding="utf-8")))))
