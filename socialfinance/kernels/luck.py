"""Draws that are fixed numbers: keyed, counter-based, the same bits on floats, NumPy blocks and compiled.

The generator is Philox4x64-10, the one behind ``numpy.random.Philox``: a key of two words and a counter
of four give four random words, so any draw can be made alone, in any order, by any worker.

    uniform of (key, period, path)     counter [path + 1, period // 4, 0, 0], word period % 4
    bit j of persons 32 g … 32 g + 31  counter [path + 1, period, 1 + g, j // 8], half j % 8

Halves of the four words count from the first word's lower 32 bits; person i's is bit i % 32 of the half.

Blocks run compiled when Numba is installed. Set the environment variable
``SOCIALFINANCE_BACKEND=numpy`` to run them on NumPy alone: slower, the same bits.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from socialfinance.kernels.backend import loaded_compiled
from socialfinance.kernels.quantiles import LARGEST, binomial

Number = Any
"""A float, or a float64 array over paths."""
Words = NDArray[np.uint64]

MULTIPLIERS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
WEYL = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)
ROUNDS = 10
PERSON_BITS = 53
"""Bits of a person's luck that are compared with a probability."""
GROUP = 32
"""People whose bits stand in the same half words."""
BATCHES = 7
"""Batches of eight half words that hold those bits."""

_WORD = 0xFFFFFFFFFFFFFFFF
_ONE = np.uint64(1)


class Luck(NamedTuple):
    """What fixes a draw: the two words of a key, the period, and the path.

    ``path`` is a number, or a contiguous uint64 array of path numbers for a block. A key of two noughts means
    no luck: counts are their expected value.
    """

    key0: int
    key1: int
    period: int
    path: int | Words

    def on(self, chosen: NDArray[np.bool_]) -> Luck:
        """On some of the paths only."""
        return self._replace(path=self.path[chosen]) if isinstance(self.path, np.ndarray) else self


class Quantile(NamedTuple):
    """What fixes a draw in place of luck: how good it is among all that could be, ``(path,)`` in (0, 1).

    ``near`` allows large counts to be near that quantile.
    """

    u: NDArray[np.float64]
    near: bool = False

    def on(self, chosen: NDArray[np.bool_]) -> Quantile:
        """On some of the paths only."""
        return self._replace(u=self.u[chosen])


LUCK = (Luck, Quantile)
"""The kinds of luck that a count can be handed."""


def words(key0: int, key1: int, counter: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """The four random words of one counter (Philox4x64-10)."""
    c0, c1, c2, c3 = counter
    for _ in range(ROUNDS):
        first, second = MULTIPLIERS[0] * c0, MULTIPLIERS[1] * c2
        c0, c1, c2, c3 = (second >> 64) ^ c1 ^ key0, second & _WORD, (first >> 64) ^ c3 ^ key1, first & _WORD
        key0, key1 = (key0 + WEYL[0]) & _WORD, (key1 + WEYL[1]) & _WORD
    return c0, c1, c2, c3


def unit(word: int) -> float:
    """A word as a number in (0, 1): ((word >> 12) + 1/2) / 2^52, exact, never 0 or 1."""
    return ((word >> 12) + 0.5) * 2.0**-52


def uniform(key0: int, key1: int, period: int, path: int) -> float:
    """One uniform draw in (0, 1)."""
    return unit(words(key0, key1, (path + 1, period // 4, 0, 0))[period % 4])


def uniform_block(key0: int, key1: int, periods: range, paths: Words) -> NDArray[np.float64]:
    """Uniform draws ``(period, path)`` for consecutive periods: four periods a call of the generator."""
    if periods.step != 1:
        raise ValueError("periods must be consecutive")
    paths = np.ascontiguousarray(paths, dtype=np.uint64)
    block = np.empty((len(periods), len(paths)))
    fast = loaded_compiled()
    if fast is not None:
        fast.uniform_rows(np.uint64(key0), np.uint64(key1), np.uint64(periods.start), paths, block)
        return block
    for four in range(periods.start // 4, -(-periods.stop // 4)):
        drawn = words_block(key0, key1, paths, (four, 0, 0))
        for period in range(max(4 * four, periods.start), min(4 * four + 4, periods.stop)):
            word = drawn[:, period % 4]
            block[period - periods.start] = ((word >> np.uint64(12)) + 0.5) * 2.0**-52
    return block


def count(n: Number, p: Number, luck: Luck | Quantile) -> Number:
    """How many of ``n`` people succeed with probability ``p``, each with their own luck: #{i < n: u_i < p}.

    Exactly binomial, never falling in ``p``, and more people leave the others' luck alone. The bits of
    u_i, most significant first, are bit i % 32 of the half words of group i // 32; they are compared with
    floor(p 2^53) for 32 people at once, and drawn only until nobody is undecided.

    Parameters
    ----------
    n
        People: one number, or one per path, taken to the nearest whole (halves up) where there is luck.
        Nought or less counts nobody.
    p
        Probability: one, or one per path. 1 or more counts everybody, 0 or less nobody.
    luck
        Key, period and path. Without luck (a key of noughts) the answer is the mean n p. Given a ``Quantile``
        the count is that quantile of the binomial law (:func:`socialfinance.kernels.quantiles.binomial`).

    Returns
    -------
    A float, or an array like ``luck.path`` where that is an array.
    """
    if isinstance(luck, Quantile):
        return binomial(n, p, luck.u, luck.near)
    if isinstance(luck.path, np.ndarray):
        return _count_block(n, p, luck, np.ascontiguousarray(luck.path, dtype=np.uint64))
    return _count_one(float(n), float(p), luck, luck.path)


# One path, on Python numbers.


def _count_one(n: float, p: float, luck: Luck, path: int) -> float:
    if luck.key0 == 0 and luck.key1 == 0:
        return (0.0 if n < 0.0 else n) * (0.0 if p < 0.0 else 1.0 if p > 1.0 else p)
    if n <= 0.0 or p <= 0.0:
        return 0.0
    if not n < LARGEST or p != p:
        return float("nan")
    people = math.floor(n + 0.5)
    if p >= 1.0:
        return float(people)
    threshold = int(p * 2.0**PERSON_BITS)
    groups = range((people + GROUP - 1) // GROUP)
    return float(sum(_below(g, min(people - GROUP * g, GROUP), threshold, luck, path) for g in groups))


def _below(group: int, people: int, threshold: int, luck: Luck, path: int) -> int:
    undecided, below = (1 << people) - 1, 0
    threshold <<= 64 - PERSON_BITS
    for batch in range(BATCHES):
        if undecided == 0:
            break
        for word in words(luck.key0, luck.key1, (path + 1, luck.period, 1 + group, batch)):
            for half in (word, word >> 32):
                bit = _WORD if threshold >> 63 else 0
                below |= undecided & bit & ~half
                undecided &= ~(half ^ bit)
                threshold = (threshold << 1) & _WORD
    return below.bit_count()


# Blocks of paths.


def _count_block(n: Number, p: Number, luck: Luck, paths: Words) -> NDArray[np.float64]:
    people, chance = _entries(n, paths), _entries(p, paths)
    if luck.key0 == 0 and luck.key1 == 0:
        chance = np.where(chance < 0.0, 0.0, np.where(chance > 1.0, 1.0, chance))
        return np.broadcast_to(np.where(people < 0.0, 0.0, people) * chance, paths.shape).copy()
    if people[0] == 0.0 and not people.any():
        return np.zeros(paths.shape)
    fast = loaded_compiled()
    if fast is not None:
        counts = np.empty(paths.shape)
        key0, key1, period = (np.uint64(part) for part in (luck.key0, luck.key1, luck.period))
        fast.count_paths(people, chance, key0, key1, period, paths, counts)
        return counts
    n, p = np.broadcast_to(people, paths.shape), np.broadcast_to(chance, paths.shape)
    return _count_numpy(n, p, luck, paths)


def _entries(x: Number, paths: Words) -> NDArray[np.float64]:
    """One entry, or one per path, contiguous."""
    entries = np.ascontiguousarray(np.atleast_1d(x), dtype=np.float64)
    if entries.shape not in ((1,), paths.shape):
        raise ValueError(f"one entry or one per path: {entries.shape} for paths {paths.shape}")
    return entries


def _count_numpy(
    n: NDArray[np.float64], p: NDArray[np.float64], luck: Luck, paths: Words
) -> NDArray[np.float64]:
    counts = np.zeros(paths.shape)
    some = ~(n <= 0.0) & ~(p <= 0.0)
    counts[some & (~(n < LARGEST) | (p != p))] = np.nan
    some &= n < LARGEST
    everybody = some & (p >= 1.0)
    counts[everybody] = np.floor(n[everybody] + 0.5)
    at = np.flatnonzero(some & (p < 1.0))
    people = np.floor(n[at] + 0.5).astype(np.int64)
    threshold = (p[at] * 2.0**PERSON_BITS).astype(np.uint64) << np.uint64(64 - PERSON_BITS)
    for group in range((int(people.max(initial=0)) + GROUP - 1) // GROUP):
        more = people > GROUP * group
        at, people, threshold = at[more], people[more], threshold[more]
        size = np.minimum(people - GROUP * group, GROUP)
        counts[at] += _below_numpy(group, size, threshold, luck, paths[at])
    return counts


def _below_numpy(
    group: int, people: NDArray[np.int64], threshold: Words, luck: Luck, paths: Words
) -> NDArray[np.uint8]:
    undecided = np.uint64(_WORD) >> (64 - people).astype(np.uint64)
    below = np.zeros_like(undecided)
    for batch in range(BATCHES):
        live = np.flatnonzero(undecided)
        if live.size == 0:
            break
        drawn = words_block(luck.key0, luck.key1, paths[live], (luck.period, 1 + group, batch))
        open_, under = undecided[live], below[live]
        for j in range(8):
            half = drawn[:, j // 2] >> np.uint64(32 * (j % 2))
            bit = np.uint64(0) - ((threshold[live] >> np.uint64(63 - 8 * batch - j)) & _ONE)
            under |= open_ & bit & ~half
            open_ &= ~(half ^ bit)
        undecided[live], below[live] = open_, under
    return np.bitwise_count(below)


def words_block(key0: int, key1: int, paths: Words, rest: tuple[int, int, int]) -> Words:
    """The four words of the counters ``[path + 1, *rest]``, as ``(path, 4)``.

    NumPy's own generator where the paths lie close together, else the same arithmetic on arrays.
    """
    if paths.size == 0:
        return np.empty((0, 4), dtype=np.uint64)
    first = int(paths.min())
    span = int(paths.max()) - first + 1
    if span > 8 * paths.size:
        return _words_scattered(key0, key1, paths, rest)
    counter = np.array([first, *rest], dtype=np.uint64)  # NumPy adds one before it draws
    generator = np.random.Philox(key=np.array([key0, key1], dtype=np.uint64), counter=counter)
    drawn = generator.random_raw(4 * span).reshape(span, 4)
    in_order = span == paths.size and bool(np.all(paths[1:] > paths[:-1]))
    return drawn if in_order else drawn[(paths - np.uint64(first)).astype(np.intp)]


def _words_scattered(key0: int, key1: int, paths: Words, rest: tuple[int, int, int]) -> Words:
    c0 = paths + _ONE
    c1, c2, c3 = (np.full(paths.shape, part, dtype=np.uint64) for part in rest)
    for _ in range(ROUNDS):
        high0, low0 = _multiply(MULTIPLIERS[0], c0)
        high1, low1 = _multiply(MULTIPLIERS[1], c2)
        c0, c1, c2, c3 = high1 ^ c1 ^ np.uint64(key0), low1, high0 ^ c3 ^ np.uint64(key1), low0
        key0, key1 = (key0 + WEYL[0]) & _WORD, (key1 + WEYL[1]) & _WORD
    return np.stack((c0, c1, c2, c3), axis=1)


def _multiply(a: int, b: Words) -> tuple[Words, Words]:
    """High and low words of a 64 by 64 bit product, by halves of 32 bits."""
    half, low = np.uint64(32), np.uint64(0xFFFFFFFF)
    a1, a0 = np.uint64(a >> 32), np.uint64(a & 0xFFFFFFFF)
    b1, b0 = b >> half, b & low
    middle = a1 * b0 + (a0 * b0 >> half)
    other = a0 * b1 + (middle & low)
    return a1 * b1 + (middle >> half) + (other >> half), np.uint64(a) * b
