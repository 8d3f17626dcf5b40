"""The library of term sheets, programmes and portfolios that comes with the package."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Literal

Kind = Literal["instruments", "programmes", "portfolios"]

FOLDERS: dict[Kind, str] = {
    "portfolios": "portfolios",
    "programmes": "portfolios/programmes",
    "instruments": "instruments",
}
"""Where each kind of file lies in the library; a name that two kinds have stands for the first."""

PACKAGE = Path(__file__).resolve().parents[1]


def library(package: Path = PACKAGE) -> Path:
    """The folder that holds ``instruments`` and ``portfolios``.

    In a checkout the two stand beside the package; in an installed package, below it in ``_shipped``.
    """
    beside = package.parent
    checkout = (beside / "pyproject.toml").is_file() and (beside / "portfolios").is_dir()
    return beside if checkout else package / "_shipped"


def shipped(kind: Kind) -> dict[str, Path]:
    """The shipped files of one kind, by name."""
    return {path.stem: path for path in sorted((library() / FOLDERS[kind]).glob("*.yaml"))}


def near(name: str, names: list[str]) -> str | None:
    """The names like this one; all of them where none is."""
    return ", ".join(get_close_matches(name, names, n=3, cutoff=0.75) or names) or None
