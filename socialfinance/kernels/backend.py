"""What runs the blocks: kernels compiled by Numba where it is there and wanted, else NumPy."""

from __future__ import annotations

import os
from functools import cache
from types import ModuleType


def backend() -> str:
    """What runs the blocks: ``numpy``, ``numba`` (draws are compiled) or ``compiled`` (steps too)."""
    return "numpy" if loaded_compiled() is None else "compiled" if steps_compiled() else "numba"


def steps_compiled() -> bool:
    """Whether steps are compiled at all, and not draws alone."""
    return os.environ.get("SOCIALFINANCE_BACKEND") != "numba" and loaded_compiled() is not None


def loaded_compiled() -> ModuleType | None:
    """The compiled kernels, or None where Numba is missing or not wanted."""
    return None if os.environ.get("SOCIALFINANCE_BACKEND") == "numpy" else _load_compiled()


@cache
def _load_compiled() -> ModuleType | None:
    try:
        from socialfinance.kernels import compiled
    except ImportError:
        return None
    return compiled
