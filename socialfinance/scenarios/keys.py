"""The key of a random stream: a hash of the seed and the names that the stream belongs to."""

from __future__ import annotations

from hashlib import blake2b
from operator import index


def key(seed: int, *names: str | int) -> tuple[int, int]:
    """The first two 64-bit words of BLAKE2b over the seed and the names, never (0, 0).

    Each part goes in with its kind and its length, so that no two lists of parts read alike:
    ``key(1, "ab")``, ``key(1, "a", "b")`` and ``key(1, "a", 2)`` have nothing in common.
    (0, 0) is kept for "no luck": see :class:`socialfinance.kernels.luck.Luck`.
    """
    digest = blake2b(b"".join(_encoded(part) for part in (seed, *names))).digest()
    words = int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:16], "little")
    return words if any(words) else (0, 1)


def _encoded(part: str | int) -> bytes:
    text = part if isinstance(part, str) else str(index(part))
    data = text.encode()
    return (b"s" if isinstance(part, str) else b"i") + len(data).to_bytes(8, "little") + data
