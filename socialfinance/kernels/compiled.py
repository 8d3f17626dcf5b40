"""Draws by blocks, compiled by Numba: the bits of the float versions, no fast-math.

Import this module only inside a function: it imports Numba (optional, a quarter of a second).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from socialfinance.kernels import lanes, luck, quantiles

F = TypeVar("F", bound=Callable[..., Any])
Words = NDArray[np.uint64]
U = np.uint64

_M0, _M1 = (U(m) for m in luck.MULTIPLIERS)
_W0, _W1 = (U(w) for w in luck.WEYL)
_ROUNDS, _BATCHES, _LARGEST = luck.ROUNDS, luck.BATCHES, quantiles.LARGEST
_ADDED_UP, _MOST_ADDED_UP = quantiles.LARGEST_ADDED_UP, quantiles.MOST_ADDED_UP
_NEAR_FROM = quantiles.NEAR_FROM
_SCALE, _SPARE = 2.0**luck.PERSON_BITS, U(64 - luck.PERSON_BITS)
_ALL = U(0xFFFFFFFFFFFFFFFF)
_DATA, _LANES = U(lanes.DATA), lanes.LANES
_0, _1, _4, _12, _63, _64 = U(0), U(1), U(4), U(12), U(63), U(64)


def part(function: F) -> F:
    """Compile a part that other compiled functions call."""
    return cast("F", numba.njit(nogil=True, error_model="numpy")(function))


def kernel(function: F) -> F:
    """Compile a kernel that Python calls, and keep it on disk."""
    return cast("F", numba.njit(nogil=True, error_model="numpy", cache=True)(function))


def _intrinsic(function: Callable[..., Any]) -> Callable[..., Any]:
    return cast("Callable[..., Any]", intrinsic(function))


@_intrinsic
def _product(typing: Any, a: Any, b: Any) -> Any:
    """High and low words of a 64 by 64 bit product: one machine instruction for both."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        wide, word = ir.IntType(128), ir.IntType(64)
        product = builder.mul(builder.zext(args[0], wide), builder.zext(args[1], wide))
        high = builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), word)
        return context.make_tuple(builder, signature.return_type, (high, builder.trunc(product, word)))

    two: Any = types.UniTuple
    return two(types.uint64, 2)(types.uint64, types.uint64), emit


@_intrinsic
def _ones(typing: Any, a: Any) -> Any:
    """The number of bits set in a word."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return types.uint64(types.uint64), emit


@_intrinsic
def _word_at(typing: Any, address: Any, place: Any) -> Any:
    """The word that many bytes behind an address."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        word = ir.IntType(64)
        return builder.load(builder.inttoptr(builder.add(args[0], args[1]), word.as_pointer()))

    return types.uint64(types.uint64, types.uint64), emit


@_intrinsic
def _get(typing: Any, address: Any, place: Any) -> Any:
    """The number in a place of the array that begins at an address."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        start = builder.inttoptr(args[0], ir.DoubleType().as_pointer())
        return builder.load(builder.gep(start, [args[1]]))

    return types.float64(types.uint64, types.int64), emit


@_intrinsic
def _put(typing: Any, address: Any, place: Any, value: Any) -> Any:
    """Put a number into a place of the array that begins at an address."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        start = builder.inttoptr(args[0], ir.DoubleType().as_pointer())
        builder.store(args[2], builder.gep(start, [args[1]]))
        return context.get_dummy_value()

    return types.void(types.uint64, types.int64, types.float64), emit


@_intrinsic
def _call(
    typing: Any, function: Any, wide: Any, kept: Any, narrow: Any, out: Any, first: Any, last: Any
) -> Any:
    """Call the machine code of a stage (see ``lanes``)."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        form = ir.FunctionType(ir.VoidType(), [ir.IntType(64)] * 6)
        builder.call(builder.inttoptr(args[0], form.as_pointer()), args[1:])
        return context.get_dummy_value()

    word, number = types.uint64, types.int64
    return types.void(word, word, word, word, word, number, number), emit


@part
def _words(key0: Any, key1: Any, c0: Any, c1: Any, c2: Any, c3: Any) -> Any:
    for _ in range(_ROUNDS):
        (high0, low0), (high1, low1) = _product(_M0, c0), _product(_M1, c2)
        c0, c1, c2, c3 = high1 ^ c1 ^ key0, low1, high0 ^ c3 ^ key1, low0
        key0 += _W0
        key1 += _W1
    return c0, c1, c2, c3


@part
def _unit(word: Any) -> Any:
    return (np.float64(word >> _12) + 0.5) * 2.0**-52


@part
def _below(group: Any, people: Any, threshold: Any, key0: Any, key1: Any, period: Any, path: Any) -> Any:
    undecided, below = _ALL >> (_64 - people), _0
    for batch in range(_BATCHES):
        for word in _words(key0, key1, path + _1, period, _1 + group, U(batch)):
            bit = _0 - (threshold >> _63)
            below |= undecided & bit & ~word
            undecided &= ~(word ^ bit)
            threshold <<= _1
        if undecided == _0:
            break
    return _ones(below)


@part
def _mean(n: Any, p: Any) -> Any:
    return (0.0 if n < 0.0 else n) * (0.0 if p < 0.0 else 1.0 if p > 1.0 else p)


@part
def _count(n: Any, p: Any, key0: Any, key1: Any, period: Any, path: Any) -> Any:
    if key0 == _0 and key1 == _0:
        return _mean(n, p)
    if n <= 0.0 or p <= 0.0:
        return 0.0
    if not n < _LARGEST or p != p:
        return np.nan
    people = U(np.floor(n + 0.5))
    if p >= 1.0:
        return np.float64(people)
    threshold = U(p * _SCALE) << _SPARE
    total, group = _0, _0
    while people > _64:
        total += _below(group, _64, threshold, key0, key1, period, path)
        people -= _64
        group += _1
    if people > _0:
        total += _below(group, people, threshold, key0, key1, period, path)
    return np.float64(total)


@kernel
def count_paths(
    n: NDArray[np.float64],
    p: NDArray[np.float64],
    key0: np.uint64,
    key1: np.uint64,
    period: np.uint64,
    paths: Words,
    counts: NDArray[np.float64],
) -> None:
    """``luck.count`` for every path; ``n`` and ``p`` hold one entry, or one per path."""
    step_n, step_p = int(n.size > 1), int(p.size > 1)
    for i in range(paths.size):
        counts[i] = _count(n[i * step_n], p[i * step_p], key0, key1, period, paths[i])


@kernel
def uniform_rows(
    key0: np.uint64, key1: np.uint64, first: np.uint64, paths: Words, block: NDArray[np.float64]
) -> None:
    """``luck.uniform`` for the periods from ``first`` on, into the rows of ``block``."""
    row, rows = 0, len(block)
    while row < rows:
        four, skip = (first + U(row)) // _4, int((first + U(row)) % _4)
        take = min(4 - skip, rows - row)
        for i in range(paths.size):
            drawn = _words(key0, key1, paths[i] + _1, four, _0, _0)
            if take == 4:
                block[row, i] = _unit(drawn[0])
                block[row + 1, i] = _unit(drawn[1])
                block[row + 2, i] = _unit(drawn[2])
                block[row + 3, i] = _unit(drawn[3])
            else:
                for k in range(take):
                    block[row + k, i] = _unit(drawn[skip + k])
        row += take


@kernel
def counts_added_up(
    start: NDArray[np.float64],
    mean: NDArray[np.float64],
    dispersion: float,
    u: NDArray[np.float64],
    where: NDArray[np.bool_],
    found: NDArray[np.float64],
) -> None:
    """Gamma–Poisson counts by adding p(k) up to u: ``distributions.counts`` for every path."""
    for i in range(u.size):
        if where[i]:
            p, total, k = start[i], start[i], 0.0
            share = mean[i] / (1.0 + dispersion * mean[i])
            while total < u[i] and p > 0.0 and k < 1e6:
                p = p * (((1.0 + k * dispersion) / (k + 1.0)) * share)
                total = total + p
                k += 1.0
            found[i] = k


@part
def _power(x: Any, n: Any) -> Any:
    power, square = 1.0, x
    while n > 0:
        if n & 1:
            power = power * square
        square = square * square
        n >>= 1
    return power


@part
def _binomial(n: Any, p: Any, u: Any, near: Any) -> Any:
    if n <= 0.0 or p <= 0.0:
        return 0.0
    if not n < _LARGEST or p != p:
        return np.nan
    people = np.floor(n + 0.5)
    if p >= 1.0:
        return people
    failing = p > 0.5
    chance, share = (1.0 - p, 1.0 - u) if failing else (p, u)
    mean = people * chance
    if near:
        if mean * (1.0 - chance) >= _NEAR_FROM:
            return -1.0
    elif mean > _ADDED_UP or people > _MOST_ADDED_UP:
        return -1.0
    here = _power(1.0 - chance, np.int64(people))
    odds, total, k = chance / (1.0 - chance), here, 0.0
    while total < share and k < people:
        here = here * (((people - k) / (k + 1.0)) * odds)
        total = total + here
        k += 1.0
    return people - k if failing else k


@kernel
def binomial_added_up(
    n: NDArray[np.float64],
    p: NDArray[np.float64],
    u: NDArray[np.float64],
    near: bool,
    found: NDArray[np.float64],
) -> None:
    """Binomial counts by adding p(k) up to u: ``quantiles.binomial`` for every path."""
    for i in range(u.size):
        found[i] = _binomial(n[i], p[i], u[i], near)


@part
def _count_between(call: Any, numbers: Any, data: Any, keys: Any, paths: Any, first: Any, last: Any) -> None:
    n, p = numbers[call[5]], numbers[call[5] + 1]
    n_at = data[call[1]] if call[1] >= 0 else _0
    p_at = data[call[2]] if call[2] >= 0 else _0
    key0, key1, period = keys[call[3], 0], keys[call[3], 1], keys[call[3], 2]
    into = data[call[4]]
    for i in range(first, last):
        if n_at != _0:
            n = _get(n_at, i)
        if p_at != _0:
            p = _get(p_at, i)
        _put(into, i, _count(n, p, key0, key1, period, paths[i]))


@part
def _amount(x: Any, share: Any, side: Any, part: Any) -> Any:
    x = x * share
    if side != 0.0:
        x = x * side
        x = 0.0 if x < 0.0 else x
    return x * part


@part
def _anything(source: Any, share: Any, side: Any, part: Any, first: Any, last: Any) -> Any:
    """Whether any path has something to book: most amounts of most rows are nil."""
    some = False
    for i in range(first, last):
        some |= _amount(_get(source, i), share, side, part) != 0.0
    return some


@part
def _book_between(
    call: Any, numbers: Any, targets: Any, data: Any, tables: Any, moved: Any, paths: Any, first: Any, last: Any
) -> None:
    at = call[4]
    share, side, part = numbers[at + 1], numbers[at + 2], numbers[at + 3]
    source = data[call[1]] if call[1] >= 0 else _0
    fixed = _amount(numbers[at], share, side, part)
    if source == _0 and fixed == 0.0:
        return
    if source != _0 and not _anything(source, share, side, part, first, last):
        return
    for k in range(call[2], call[2] + call[3]):
        table, sign = targets[k, 0], np.float64(targets[k, 2])
        into = data[tables + table] + U(8 * targets[k, 1] * paths)
        moved[table] = True
        if source == _0:
            for i in range(first, last):
                _put(into, i, _get(into, i) + sign * fixed)
        elif side == 0.0 and share == 1.0 and part == 1.0:
            for i in range(first, last):
                _put(into, i, _get(into, i) + sign * _get(source, i))
        else:
            for i in range(first, last):
                _put(into, i, _get(into, i) + sign * _amount(_get(source, i), share, side, part))


@kernel
def play_tape(
    calls: NDArray[np.int64],
    numbers: NDArray[np.float64],
    targets: NDArray[np.int64],
    objects: NDArray[np.uintp],
    wide: NDArray[np.uintp],
    kept: NDArray[np.uintp],
    keys: Words,
    paths: Words,
    tables: int,
    moved: NDArray[np.bool_],
    out: NDArray[np.float64],
    chunk: int,
) -> None:
    """All calls of a ``tape`` for ``chunk`` paths after the other; a rest of under half a chunk goes along."""
    data = np.empty(objects.size, dtype=np.uint64)
    for i in range(objects.size):
        data[i] = _word_at(U(objects[i]), _DATA)
    at_wide, at_kept, at_numbers = U(wide.ctypes.data), U(kept.ctypes.data), U(numbers.ctypes.data)
    first = 0
    while first < paths.size:
        last = first + chunk
        if paths.size - last < chunk // 2:
            last = paths.size
        for j in range(len(calls)):
            call = calls[j]
            if call[0] == 0:
                _call(
                    U(call[1]),
                    at_wide + U(8 * call[2]),
                    at_kept + U(8 * call[3]),
                    at_numbers + U(8 * call[4]),
                    U(out.ctypes.data),
                    first,
                    last - _LANES,
                )
            elif call[0] == 1:
                _count_between(call, numbers, data, keys, paths, first, last)
            else:
                _book_between(call, numbers, targets, data, tables, moved, paths.size, first, last)
        first = last
