"""Draws by blocks, and a tape's way through its calls, compiled by Numba: the bits of NumPy, no fast-math.

Numba keeps a kernel on disk by the date of its file, so kernels and the parts that they call stand in one.
Import this module only inside a function: it imports Numba (optional, a quarter of a second).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import numba
import numpy as np
from llvmlite import binding as llvm
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
_EIGHT, _TOGETHER, _IN_CACHE = 8, 32, 1024
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


class _Wide:
    """Words of eight paths side by side, written for LLVM: the arithmetic of ``luck._multiply``."""

    def __init__(self, builder: Any) -> None:
        self.builder, self.word = builder, ir.IntType(64)
        self.vector = ir.VectorType(self.word, _EIGHT)

    def each(self, x: int) -> Any:
        return ir.Constant(self.vector, [x] * _EIGHT)

    def spread(self, x: Any) -> Any:
        place = ir.IntType(32)
        one = self.builder.insert_element(ir.Constant(self.vector, ir.Undefined), x, ir.Constant(place, 0))
        return self.builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(place, _EIGHT), [0] * _EIGHT))

    def _at(self, address: Any, place: int) -> Any:
        there = self.builder.add(address, ir.Constant(self.word, 8 * _EIGHT * place))
        return self.builder.inttoptr(there, self.vector.as_pointer())

    def load(self, address: Any, place: int = 0) -> Any:
        loaded = self.builder.load(self._at(address, place))
        loaded.align = 8
        return loaded

    def store(self, value: Any, address: Any, place: int = 0) -> None:
        self.builder.store(value, self._at(address, place)).align = 8

    def product(self, a: int, b: Any) -> tuple[Any, Any]:
        do, half, low = self.builder, self.each(32), self.each(0xFFFFFFFF)
        a1, a0 = self.each(a >> 32), self.each(a & 0xFFFFFFFF)
        b1, b0 = do.lshr(b, half), do.and_(b, low)
        least = do.mul(a0, b0)
        middle = do.add(do.mul(a1, b0), do.lshr(least, half))
        other = do.add(do.mul(a0, b1), do.and_(middle, low))
        high = do.add(do.add(do.mul(a1, b1), do.lshr(middle, half)), do.lshr(other, half))
        return high, do.or_(do.shl(other, half), do.and_(least, low))

    def words(self, paths: Any, keys: Sequence[Any], counter: Sequence[Any]) -> list[Any]:
        """``luck.words`` of the counters ``[path + 1, *counter]``."""
        do = self.builder
        x = [do.add(paths, self.each(1)), *(self.spread(c) for c in counter)]
        keys = [self.spread(key) for key in keys]
        for _ in range(luck.ROUNDS):
            (high0, low0), (high1, low1) = (self.product(luck.MULTIPLIERS[i], x[2 * i]) for i in (0, 1))
            x = [do.xor(do.xor(high1, x[1]), keys[0]), low1, do.xor(do.xor(high0, x[3]), keys[1]), low0]
            keys = [do.add(key, self.each(weyl)) for key, weyl in zip(keys, luck.WEYL, strict=True)]
        return x


@_intrinsic
def _uniforms_of_eight(
    typing: Any, paths: Any, key0: Any, key1: Any, period: Any, into: Any, row: Any
) -> Any:
    """Four rows of uniforms for the eight paths at an address; ``row`` is how many bytes lie between rows."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        wide, none = _Wide(builder), ir.Constant(ir.IntType(64), 0)
        real = ir.VectorType(ir.DoubleType(), _EIGHT)
        half, scale = (ir.Constant(real, [x] * _EIGHT) for x in (0.5, 2.0**-52))
        at = args[4]
        for word in wide.words(wide.load(args[0]), args[1:3], (args[3], none, none)):
            unit = builder.uitofp(builder.lshr(word, wide.each(12)), real)
            unit = builder.fmul(builder.fadd(unit, half), scale)
            builder.store(unit, builder.inttoptr(at, real.as_pointer())).align = 8
            at = builder.add(at, args[5])
        return context.get_dummy_value()

    u = types.uint64
    return types.void(u, u, u, u, u, u), emit


@_intrinsic
def _first_bits_of_eight(
    typing: Any, paths: Any, key0: Any, key1: Any, period: Any, threshold: Any, undecided: Any, below: Any
) -> Any:
    """Two batches of everybody's luck in the first group held to the threshold, eight paths side by side.

    Addresses of eight words each: paths, thresholds, and, changed in place, who is undecided and below.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        wide, do = _Wide(builder), builder
        paths, left, undecided, below = (wide.load(args[i]) for i in (0, 4, 5, 6))
        for batch in range(2):
            counter = (args[3], *(ir.Constant(ir.IntType(64), x) for x in (1, batch)))
            for word in wide.words(paths, args[1:3], counter):
                bit = do.sub(wide.each(0), do.lshr(left, wide.each(63)))
                below = do.or_(below, do.and_(undecided, do.and_(bit, do.not_(word))))
                undecided = do.and_(undecided, do.not_(do.xor(word, bit)))
                left = do.shl(left, wide.each(1))
        wide.store(undecided, args[5])
        wide.store(below, args[6])
        return context.get_dummy_value()

    u = types.uint64
    return types.void(u, u, u, u, u, u, u), emit


@part
def _unit(word: Any) -> Any:
    return (np.float64(word >> _12) + 0.5) * 2.0**-52


@part
def _below(
    group: Any,
    batch: Any,
    undecided: Any,
    below: Any,
    threshold: Any,
    key0: Any,
    key1: Any,
    period: Any,
    path: Any,
) -> Any:
    while batch < _BATCHES and undecided != _0:
        for word in _words(key0, key1, path + _1, period, _1 + group, U(batch)):
            bit = _0 - (threshold >> _63)
            below |= undecided & bit & ~word
            undecided &= ~(word ^ bit)
            threshold <<= _1
        batch += 1
    return _ones(below)


@part
def _mean(n: Any, p: Any) -> Any:
    return (0.0 if n < 0.0 else n) * (0.0 if p < 0.0 else 1.0 if p > 1.0 else p)


_WIDE = bool(llvm.get_host_cpu_features().get("avx512f"))
"""Words side by side pay where a vector holds eight of them; the bits are the same either way."""


@part
def _first_bits(
    path: Words,
    key0: Any,
    key1: Any,
    period: Any,
    threshold: Words,
    undecided: Words,
    below: Words,
    wide: bool,
) -> None:  # fmt: skip
    """Two batches of luck of a first group of people held to a threshold, for eight paths, in place."""
    if wide:
        _first_bits_of_eight(
            U(path.ctypes.data), key0, key1, period, U(threshold.ctypes.data), U(undecided.ctypes.data),
            U(below.ctypes.data),
        )  # fmt: skip
        return
    for j in range(_EIGHT):
        left = threshold[j]
        for batch in range(2):
            for word in _words(key0, key1, path[j] + _1, period, _1, U(batch)):
                bit = _0 - (left >> _63)
                below[j] |= undecided[j] & bit & ~word
                undecided[j] &= ~(word ^ bit)
                left <<= _1


@part
def _people(n: Any, p: Any) -> Any:
    """People whose luck decides: none where it is plain how many succeed."""
    if n <= 0.0 or p <= 0.0 or not n < _LARGEST or p != p or p >= 1.0:
        return _0
    return U(np.floor(n + 0.5))


@part
def _without_luck(n: Any, p: Any) -> Any:
    """How many succeed where ``_people`` says none."""
    if n <= 0.0 or p <= 0.0:
        return 0.0
    if not n < _LARGEST or p != p:
        return np.nan
    return np.floor(n + 0.5) if p >= 1.0 else 0.0


@part
def _count_between(
    n: Any, step_n: Any, p: Any, step_p: Any, key: Any, paths: Any, into: Any, first: Any, last: Any
) -> None:
    """``luck.count`` of the paths from ``first`` to before ``last``; ``n``, ``p`` and ``into`` are addresses.

    Eight paths side by side: two batches of words for all of their first groups, then one by one for whoever
    is undecided still, and for further groups.
    """
    key0, key1, period = key
    if key0 == _0 and key1 == _0:
        for i in range(first, last):
            _put(into, i, _mean(_get(n, i * step_n), _get(p, i * step_p)))
        return
    eight = np.zeros((5, _EIGHT), dtype=np.uint64)
    path, people, threshold, undecided, below = eight
    for start in range(first, last, _EIGHT):
        size, anybody = min(_EIGHT, last - start), _0
        for j in range(size):
            at_n, at_p = _get(n, (start + j) * step_n), _get(p, (start + j) * step_p)
            path[j], people[j], below[j] = paths[start + j], _people(at_n, at_p), _0
            anybody |= people[j]
            if people[j] == _0:
                _put(into, start + j, _without_luck(at_n, at_p))
            threshold[j] = U(at_p * _SCALE) << _SPARE if people[j] > _0 else _0
            undecided[j] = _ALL >> (_64 - min(people[j], _64)) if people[j] > _0 else _0
        if anybody == _0:
            continue
        _first_bits(path, key0, key1, period, threshold, undecided, below, _WIDE)
        for j in range(size):
            if people[j] > _0:
                left = threshold[j] << U(8)
                total = _below(_0, 2, undecided[j], below[j], left, key0, key1, period, path[j])
                more, group = people[j], _1
                while more > _64:
                    more -= _64
                    everybody = _ALL >> (_64 - min(more, _64))
                    total += _below(group, 0, everybody, _0, threshold[j], key0, key1, period, path[j])
                    group += _1
                _put(into, start + j, np.float64(total))


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
    _count_between(
        U(n.ctypes.data), int(n.size > 1), U(p.ctypes.data), int(p.size > 1), (key0, key1, period),
        paths, U(counts.ctypes.data), 0, paths.size,
    )  # fmt: skip


@part
def _four_rows(
    key0: Any, key1: Any, four: Any, paths: Words, block: NDArray[np.float64], row: Any, wide: bool
) -> None:
    first, step = 0, U(8 * block.shape[1])
    if wide:
        while first + _EIGHT <= paths.size:
            into = U(block.ctypes.data) + U(row) * step + U(8 * first)
            _uniforms_of_eight(U(paths.ctypes.data) + U(8 * first), key0, key1, four, into, step)
            first += _EIGHT
    for i in range(first, paths.size):
        drawn = _words(key0, key1, paths[i] + _1, four, _0, _0)
        block[row, i], block[row + 1, i] = _unit(drawn[0]), _unit(drawn[1])
        block[row + 2, i], block[row + 3, i] = _unit(drawn[2]), _unit(drawn[3])


@kernel
def uniform_rows(
    key0: np.uint64, key1: np.uint64, first: np.uint64, paths: Words, block: NDArray[np.float64]
) -> None:
    """``luck.uniform`` for the periods from ``first`` on, into the rows of ``block``; both contiguous."""
    row, rows = 0, len(block)
    while row < rows:
        four, skip = (first + U(row)) // _4, int((first + U(row)) % _4)
        take = min(4 - skip, rows - row)
        if take == 4:
            _four_rows(key0, key1, four, paths, block, row, _WIDE)
        else:
            for i in range(paths.size):
                drawn = _words(key0, key1, paths[i] + _1, four, _0, _0)
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
    """Gamma–Poisson counts by adding p(k) up to u: ``distributions.counts`` for every path.

    ``_TOGETHER`` paths at a time, until the last of them is there; a count no longer moves once it is.
    """
    p, total, share, sought, k_of = np.zeros((5, _TOGETHER))
    for first in range(0, u.size, _TOGETHER):
        size = min(_TOGETHER, u.size - first)
        for j in range(size):
            i = first + j
            p[j], total[j], k_of[j] = start[i], start[i], 0.0
            share[j] = mean[i] / (1.0 + dispersion * mean[i])
            sought[j] = u[i] if where[i] else -1.0
        k, going = 0.0, True
        while going and k < 1e6:
            step, going = (1.0 + k * dispersion) / (k + 1.0), False
            for j in range(size):
                on = (total[j] < sought[j]) & (p[j] > 0.0)
                k_of[j] += 1.0 if on else 0.0
                going |= on
                p[j] = p[j] * (step * share[j])
                total[j] = total[j] + p[j]
            k += 1.0
        for j in range(size):
            if where[first + j]:
                found[first + j] = k_of[j]


@kernel
def sums_and_present(
    flows: NDArray[np.float64],
    factors: NDArray[np.float64],
    total: NDArray[np.float64],
    present: NDArray[np.float64],
) -> None:
    """Sums over rows in their order, plain and each row by its factor, in one pass over memory."""
    for first in range(0, total.size, _IN_CACHE):
        last = min(first + _IN_CACHE, total.size)
        for row in range(len(flows)):
            for i in range(first, last):
                total[i] = total[i] + flows[row, i]
                present[i] = present[i] + flows[row, i] * factors[row]


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
def _from_cumulants(n: Any, p: Any, z: Any) -> Any:
    square, skew, spread = z * z, 1.0 - 2.0 * p, n * p * (1.0 - p)
    density = spread - 1.0 / 12.0
    s, a = np.sqrt(density), spread * skew / density
    b = (spread * (1.0 - 6.0 * p * (1.0 - p)) + 1.0 / 120.0) / density
    bend = b * (square - 3.0) / 24.0 - a * a * (2.0 * square - 5.0) / 36.0
    k = np.floor(n * p + s * z + a * (square - 1.0) / 6.0 + z * bend / s + 0.5)
    return min(max(k, 0.0), n)


@part
def _quantile_between(
    n: Any, step_n: Any, p: Any, step_p: Any, u: Any, score: Any, into: Any, first: Any, last: Any
) -> Any:
    """``quantiles.binomial``, near where there is a ``score``; False where a count is to be searched for."""
    for i in range(first, last):
        at_n, at_p = _get(n, i * step_n), _get(p, i * step_p)
        counted = _binomial(at_n, at_p, _get(u, i), score != _0)
        if counted < 0.0:
            if score == _0:
                return False
            people, z = np.floor(at_n + 0.5), _get(score, i)
            if at_p > 0.5:
                counted = people - _from_cumulants(people, 1.0 - at_p, -z)
            else:
                counted = _from_cumulants(people, at_p, z)
        _put(into, i, counted)
    return True


@part
def _amount(x: Any, share: Any, side: Any, portion: Any) -> Any:
    x = x * share
    if side != 0.0:
        x = x * side
        x = 0.0 if x < 0.0 else x
    return x * portion


@part
def _anything(source: Any, share: Any, side: Any, portion: Any, first: Any, last: Any) -> Any:
    """Whether any path has something to book: most amounts of most rows are nil."""
    some = False
    for i in range(first, last):
        some |= _amount(_get(source, i), share, side, portion) != 0.0
    return some


@part
def _book_between(
    call: Any,
    numbers: Any,
    targets: Any,
    data: Any,
    tables: Any,
    moved: Any,
    paths: Any,
    first: Any,
    last: Any,
) -> None:
    """An amount of the paths from ``first`` to before ``last``, added to its lines."""
    at = call[4]
    share, side, portion = numbers[at + 1], numbers[at + 2], numbers[at + 3]
    source = data[call[1]] if call[1] >= 0 else _0
    fixed = _amount(numbers[at], share, side, portion)
    if source == _0 and fixed == 0.0:
        return
    if source != _0 and not _anything(source, share, side, portion, first, last):
        return
    for k in range(call[2], call[2] + call[3]):
        table, line, sign = targets[k, 0], targets[k, 1], np.float64(targets[k, 2])
        into = data[tables + table] + U(8 * line * paths)
        moved[table] = True
        if source == _0:
            for i in range(first, last):
                _put(into, i, _get(into, i) + sign * fixed)
        elif side == 0.0 and share == 1.0 and portion == 1.0:
            for i in range(first, last):
                _put(into, i, _get(into, i) + sign * _get(source, i))
        else:
            for i in range(first, last):
                _put(into, i, _get(into, i) + sign * _amount(_get(source, i), share, side, portion))


@kernel
def play_tape(
    calls: NDArray[np.int64],
    numbers: NDArray[np.float64],
    targets: NDArray[np.int64],
    objects: NDArray[np.uintp],
    wide: NDArray[np.uintp],
    kept: NDArray[np.uintp],
    keys: Words,
    uniforms: Words,
    scores: Words,
    paths: Words,
    tables: int,
    moved: NDArray[np.bool_],
    out: NDArray[np.float64],
    chunk: int,
) -> bool:
    """All calls of a ``tape``, ``chunk`` paths at a time; a rest of under half a chunk goes along.

    ``uniforms`` has, by luck, the address of those whose quantile counts people, nought where people have
    keys, and ``scores`` that of their normal scores where counts may be near. False where a count is to be
    searched for: what was written so far is then of no use.
    """
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
                n = data[call[1]] if call[1] >= 0 else at_numbers + U(8 * call[5])
                p = data[call[2]] if call[2] >= 0 else at_numbers + U(8 * call[5] + 8)
                key = keys[call[3], 0], keys[call[3], 1], keys[call[3], 2]
                steps = int(call[1] >= 0), int(call[2] >= 0)
                if uniforms[call[3]] == _0:
                    _count_between(n, steps[0], p, steps[1], key, paths, data[call[4]], first, last)
                elif not _quantile_between(
                    n, steps[0], p, steps[1], uniforms[call[3]], scores[call[3]], data[call[4]], first, last
                ):
                    return False
            else:
                _book_between(call, numbers, targets, data, tables, moved, paths.size, first, last)
        first = last
    return True
