"""The browser that end-to-end tests drive: Debian's chromium, or what CHROMIUM names."""

from __future__ import annotations

import os
import shutil
import sys

CHROMIUM = "CHROMIUM"
"""Environment variable: the path of another Chromium or Chrome."""


def executable() -> str | None:
    """Where the browser is; None where there is none."""
    given = os.environ.get(CHROMIUM)
    if given:
        return given if shutil.which(given) else None
    return next((path for name in ("chromium", "chromium-browser", "google-chrome")
                 if (path := shutil.which(name))), None)  # fmt: skip


def missing() -> str:
    """What is not there, in one line; empty where nothing is missing."""
    try:
        import axe_playwright_python  # noqa: F401
        import playwright  # noqa: F401
    except ModuleNotFoundError as error:
        return (
            f"{error.name} is not installed: .venv/bin/python -m pip install -c constraints.txt -e '.[e2e]'"
        )
    if executable() is None:
        return f"no Chromium: apt-get install chromium, or {CHROMIUM}=PATH"
    return ""


if __name__ == "__main__":
    said = missing()
    print(said, file=sys.stderr, end="\n" if said else "")
    sys.exit(1 if said else 0)
