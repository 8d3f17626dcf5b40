"""Rent reviews by an index: how much a rent rises from one review to the next."""

from __future__ import annotations

from typing import Any

from socialfinance.kernels.elementwise import least, most


def rise(index_now: Any, index_then: Any, above: Any, smallest: Any, largest: Any) -> Any:
    """New rent over old at a review: index now / index then + above, held between smallest and largest.

    Pure: it serves a step as well as arrays over paths. An upward-only review has a smallest of 1.
    """
    return most(smallest, least(largest, index_now / index_then + above))
