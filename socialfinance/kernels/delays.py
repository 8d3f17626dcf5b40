"""Delay lines: what enters now leaves a fixed number of periods later."""

from __future__ import annotations

from collections import deque
from typing import Any


class Delays:
    """Delay lines in the shape of nested tuples. A lag of nil gives back 0.0: its user passes it through.

    ``due()`` is what leaves in this period and must be read before ``enter`` puts this period's amounts in.
    """

    def __init__(self, lags: Any) -> None:
        self.lags = lags
        self.lines = [deque([0.0] * lag) for lag in _leaves(lags)]

    def due(self) -> Any:
        """What leaves now, in the shape of the lags."""
        heads = iter([line[0] if line else 0.0 for line in self.lines])
        return _shaped(self.lags, heads)

    def enter(self, amounts: Any) -> None:
        """Move every line on by one period and put this period's amounts at its end."""
        for line, amount in zip(self.lines, _leaves(amounts), strict=True):
            if line:
                line.popleft()
                line.append(amount)


def _leaves(shape: Any) -> list[Any]:
    if isinstance(shape, tuple):
        return [leaf for part in shape for leaf in _leaves(part)]
    return [shape]


def _shaped(shape: Any, leaves: Any) -> Any:
    if isinstance(shape, tuple):
        parts = [_shaped(part, leaves) for part in shape]
        return type(shape)(*parts) if hasattr(shape, "_fields") else tuple(parts)
    return next(leaves)
