"""How many examples a property is held to: a few in the quick run, more where they are drawn anew."""

from __future__ import annotations

from hypothesis import settings


def examples(quick: int, more: int) -> int:
    """So many in ``make test``, and so many under another profile than that of ``tests/conftest.py``."""
    return quick if settings().derandomize else more
