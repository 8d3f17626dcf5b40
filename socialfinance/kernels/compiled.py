"""Draws by blocks, and a tape's way through its calls, compiled by Numba: the bits of NumPy, no fast-math.

Numba keeps a kernel on disk by the date of its file, so kernels and the parts that they call stand in one.
Import this module only inside a function: it imports Numba (optional, a quarter of a second).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
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
_EIGHT, _WAITING, _TOGETHER, _IN_CACHE = 8, 256, 32, 1024
_DATA, _LANES = U(lanes.DATA), lanes.LANES
_0, _1, _4, _8, _12, _16, _63 = U(0), U(1), U(4), U(8), U(12), U(16), U(63)
_GROUP, _FIRST = U(luck.GROUP), U(0xFF)


def part(function: F) -> F:
    """Compile a part that other compiled functions call."""
    return cast("F", numba.njit(nogil=True, error_model="numpy")(function))


def kernel(function: F) -> F:
    """Compile a kernel that Python calls, and keep it on disk; in this process alone where none takes it."""
    try:
        return cast("F", numba.njit(nogil=True, error_model="numpy", cache=True)(function))
    except RuntimeError:  # Numba found no directory to write to
        return part(function)


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


@_intrinsic
def _of(typing: Any, function: Any, x: Any) -> Any:
    """Call one of SciPy's functions, of a tuple of numbers, by its address."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        given = [builder.extract_value(args[1], i) for i in range(x.count)]
        skip = ir.IntType(32)  # Cython hands a last number to what Python may override; nobody reads it
        form = ir.FunctionType(ir.DoubleType(), [*[ir.DoubleType()] * x.count, skip])
        return builder.call(builder.inttoptr(args[0], form.as_pointer()), [*given, ir.Constant(skip, 0)])

    return types.float64(types.uint64, x), emit


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
        self.reals = ir.VectorType(ir.DoubleType(), _EIGHT)

    def each(self, x: int) -> Any:
        return ir.Constant(self.vector, [x] * _EIGHT)

    def spread(self, x: Any) -> Any:
        place = ir.IntType(32)
        one = self.builder.insert_element(ir.Constant(self.vector, ir.Undefined), x, ir.Constant(place, 0))
        return self.builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(place, _EIGHT), [0] * _EIGHT))

    def spread_real(self, x: Any) -> Any:
        return self.builder.bitcast(self.spread(self.builder.bitcast(x, self.word)), self.reals)

    def real(self, x: float) -> Any:
        return ir.Constant(self.reals, [x] * _EIGHT)

    def load(self, address: Any) -> Any:
        return self._load(address, self.vector)

    def numbers(self, address: Any) -> Any:
        return self._load(address, self.reals)

    def _load(self, address: Any, kind: Any) -> Any:
        loaded = self.builder.load(self.builder.inttoptr(address, kind.as_pointer()))
        loaded.align = 8
        return loaded

    def store(self, value: Any, address: Any) -> None:
        there = self.builder.inttoptr(address, value.type.as_pointer())
        self.builder.store(value, there).align = 8

    def store_close(self, value: Any, mask: Any, address: Any) -> None:
        """Those of a mask, one behind the other."""
        there = self.builder.inttoptr(address, self.word.as_pointer())
        form = ir.FunctionType(ir.VoidType(), [value.type, there.type, mask.type])
        self._call("llvm.masked.compressstore.v8i64", form, value, there, mask)

    def one_by_one(self, name: str, x: Any) -> Any:
        """A function of LLVM of each of the eight."""
        return self._call(name, ir.FunctionType(x.type, [x.type]), x)

    def ones(self, x: Any) -> Any:
        """The number of bits set in each, as numbers."""
        return self.builder.uitofp(self.one_by_one("llvm.ctpop.v8i64", x), self.reals)

    def _call(self, name: str, form: Any, *given: Any) -> Any:
        module = self.builder.module
        return self.builder.call(module.globals.get(name) or ir.Function(module, form, name), given)

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
        x = [do.add(paths, self.each(1)), *counter]
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
        wide = _Wide(builder)
        none = wide.each(0)
        at = args[4]
        for word in wide.words(wide.load(args[0]), args[1:3], (wide.spread(args[3]), none, none)):
            unit = builder.uitofp(builder.lshr(word, wide.each(12)), wide.reals)
            wide.store(builder.fmul(builder.fadd(unit, wide.real(0.5)), wide.real(2.0**-52)), at)
            at = builder.add(at, args[5])
        return context.get_dummy_value()

    u = types.uint64
    return types.void(u, u, u, u, u, u), emit


def _held(wide: Any, words: Sequence[Any], left: Any, undecided: Any) -> tuple[Any, Any, Any]:
    """Who is below after a batch of words, what is left of the threshold, and who is undecided still."""
    do, below = wide.builder, wide.each(0)
    for word in words:
        for half in (word, do.lshr(word, wide.each(luck.GROUP))):
            bit = do.sub(wide.each(0), do.lshr(left, wide.each(63)))
            below = do.or_(below, do.and_(undecided, do.and_(bit, do.not_(half))))
            undecided = do.and_(undecided, do.not_(do.xor(half, bit)))
            left = do.shl(left, wide.each(1))
    return below, left, undecided


@_intrinsic
def _group_of_eight(
    typing: Any, key0: Any, key1: Any, period: Any, group: Any, paths: Any, n: Any, p: Any, found: Any,
    at: Any, waiting: Any,
) -> Any:  # fmt: skip
    """People of a group below after a batch of words, added to what was ``found``, eight paths side by side.

    ``paths``, ``n``, ``p``, ``found``, ``waiting``: addresses. Paths with somebody undecided are put, one
    behind the other, into the rows of ``waiting``: their place (the first is ``at``), path, group, what is
    left of the threshold, and who. Comes back with a bit by path, from the lowest: somebody is undecided;
    there are further groups; the count is not by luck (``_without_luck``, and not nil).
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        key0, key1, period, group, paths, n, p, found, at, waiting = args
        wide, do, word = _Wide(builder), builder, ir.IntType(64)
        n, p, path = wide.numbers(n), wide.numbers(p), wide.load(paths)
        nil = do.or_(do.fcmp_ordered("<=", n, wide.real(0.0)), do.fcmp_ordered("<=", p, wide.real(0.0)))
        small = do.and_(
            do.fcmp_ordered("<", n, wide.real(float(_LARGEST))), do.fcmp_ordered("<", p, wide.real(1.0))
        )
        by_luck = do.and_(small, do.not_(nil))
        whole = wide.one_by_one("llvm.floor.v8f64", do.fadd(n, wide.real(0.5)))
        people = do.fptoui(do.select(by_luck, whole, wide.real(0.0)), wide.vector)
        chance = do.fmul(do.select(by_luck, p, wide.real(0.0)), wide.real(_SCALE))
        threshold = do.shl(do.fptoui(chance, wide.vector), wide.each(64 - luck.PERSON_BITS))
        before = wide.spread(do.mul(group, ir.Constant(word, luck.GROUP)))
        more = do.select(do.icmp_unsigned(">", people, before), do.sub(people, before), wide.each(0))
        further = do.icmp_unsigned(">", more, wide.each(luck.GROUP))
        here = do.select(further, wide.each(luck.GROUP), more)
        counter = period, do.add(group, ir.Constant(word, 1)), ir.Constant(word, 0)
        below, left, undecided = _held(
            wide, wide.words(path, (key0, key1), [wide.spread(c) for c in counter]), threshold,
            do.sub(do.shl(wide.each(1), here), wide.each(1)),
        )  # fmt: skip
        wide.store(do.fadd(wide.numbers(found), wide.ones(below)), found)
        open_ = do.icmp_unsigned("!=", undecided, wide.each(0))
        place = do.add(wide.spread(at), ir.Constant(wide.vector, list(range(_EIGHT))))
        for i, x in enumerate((place, path, wide.spread(group), left, undecided)):
            wide.store_close(x, open_, do.add(waiting, ir.Constant(word, 8 * _WAITING * i)))
        flags = ir.Constant(word, 0)
        for i, mask in enumerate((open_, further, do.not_(do.or_(by_luck, nil)))):
            bits = do.zext(do.bitcast(mask, ir.IntType(8)), word)
            flags = do.or_(flags, do.shl(bits, ir.Constant(word, _EIGHT * i)))
        return flags

    u = types.uint64
    return u(u, u, u, u, u, u, u, u, u, u), emit


@_intrinsic
def _second_batch_of_eight(typing: Any, key0: Any, key1: Any, period: Any, waiting: Any) -> Any:
    """A batch of words more for eight that are ``waiting``.

    In place: of the threshold, how many were below; and who is undecided still.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        key0, key1, period, waiting = args
        wide, do, word = _Wide(builder), builder, ir.IntType(64)
        rows = [do.add(waiting, ir.Constant(word, 8 * _WAITING * i)) for i in range(5)]
        path, group, left, undecided = (wide.load(row) for row in rows[1:])
        counter = wide.spread(period), do.add(group, wide.each(1)), wide.each(1)
        below, _, undecided = _held(wide, wide.words(path, (key0, key1), counter), left, undecided)
        wide.store(wide.one_by_one("llvm.ctpop.v8i64", below), rows[3])
        wide.store(undecided, rows[4])
        return context.get_dummy_value()

    u = types.uint64
    return types.void(u, u, u, u), emit


@part
def _unit(word: Any) -> Any:
    return (np.float64(word >> _12) + 0.5) * 2.0**-52


@part
def _below(
    group: Any,
    batch: Any,
    undecided: Any,
    threshold: Any,
    key0: Any,
    key1: Any,
    period: Any,
    path: Any,
) -> Any:
    """People of a group below the threshold, by their words from a batch on."""
    below = _0
    while batch < _BATCHES and undecided != _0:
        for word in _words(key0, key1, path + _1, period, _1 + group, U(batch)):
            for half in (word, word >> _GROUP):
                bit = _0 - (threshold >> _63)
                below |= undecided & bit & ~half
                undecided &= ~(half ^ bit)
                threshold <<= _1
        batch += 1
    return _ones(below)


@part
def _mean(n: Any, p: Any) -> Any:
    return (0.0 if n < 0.0 else n) * (0.0 if p < 0.0 else 1.0 if p > 1.0 else p)


_WIDE = bool(llvm.get_host_cpu_features().get("avx512f"))
"""Words side by side pay where a vector holds eight of them; the bits are the same either way."""


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
def _count(n: Any, p: Any, key0: Any, key1: Any, period: Any, path: Any) -> Any:
    people = _people(n, p)
    if people == _0:
        return _without_luck(n, p)
    threshold, found, group = U(p * _SCALE) << _SPARE, _0, _0
    while people > _0:
        here = min(people, _GROUP)
        found += _below(group, 0, (_1 << here) - _1, threshold, key0, key1, period, path)
        people -= here
        group += _1
    return np.float64(found)


@part
def _nobody(n: Any, step_n: Any, first: Any, last: Any) -> Any:
    some = False
    for i in range(first, last):
        some |= not _get(n, i * step_n) <= 0.0
    return not some


@part
def _count_waiting(
    p: Any, step_p: Any, key0: Any, key1: Any, period: Any, into: Any, waiting: Any, size: Any
) -> None:
    """The undecided of some paths: a batch more side by side, whoever is left then one by one."""
    for start in range(0, size, _EIGHT):
        _second_batch_of_eight(key0, key1, period, U(waiting.ctypes.data) + U(8 * start))
    for k in range(size):
        at, path, group, more, undecided = waiting[:, k]
        if undecided != _0:
            left = U(_get(p, int(at) * step_p) * _SCALE) << (_SPARE + _16)
            more += _below(group, 2, undecided, left, key0, key1, period, path)
        _put(into, int(at), _get(into, int(at)) + np.float64(more))


@part
def _count_eights(
    n: Any, step_n: Any, p: Any, step_p: Any, key: Any, paths: Any, into: Any, first: Any, last: Any
) -> Any:
    """``luck.count`` for as many eights as there are, side by side; where the rest begins."""
    key0, key1, period = key
    waiting, same, size = np.zeros((5, _WAITING), dtype=np.uint64), np.empty((2, _EIGHT)), 0
    same[0], same[1] = _get(n, first * step_n), _get(p, first * step_p)
    while first + _EIGHT <= last:
        at_n = n + U(8 * first) if step_n else U(same[0].ctypes.data)
        at_p = p + U(8 * first) if step_p else U(same[1].ctypes.data)
        here, found, group, going = U(paths.ctypes.data) + U(8 * first), into + U(8 * first), _0, True
        while going:
            flags = _group_of_eight(
                key0, key1, period, group, here, at_n, at_p, found, U(first),
                U(waiting.ctypes.data) + U(8 * size),
            )  # fmt: skip
            size += int(_ones(flags & _FIRST))
            if size > _WAITING - _EIGHT:
                _count_waiting(p, step_p, key0, key1, period, into, waiting, size)
                size = 0
            if flags >> _16 != _0:
                for j in range(_EIGHT):
                    if (flags >> U(16 + j)) & _1:
                        _put(found, j, _without_luck(_get(at_n, j), _get(at_p, j)))
            going = (flags >> _8) & _FIRST != _0
            group += _1
        first += _EIGHT
    _count_waiting(p, step_p, key0, key1, period, into, waiting, size)
    return first


@part
def _count_between(
    n: Any, step_n: Any, p: Any, step_p: Any, key: Any, paths: Any, into: Any, first: Any, last: Any,
    wide: bool,
) -> None:  # fmt: skip
    """``luck.count`` of the paths from ``first`` to before ``last``; arrays are addresses."""
    key0, key1, period = key
    if key0 == _0 and key1 == _0:
        for i in range(first, last):
            _put(into, i, _mean(_get(n, i * step_n), _get(p, i * step_p)))
        return
    for i in range(first, last):
        _put(into, i, 0.0)
    if _nobody(n, step_n, first, last):
        return
    if wide:
        first = _count_eights(n, step_n, p, step_p, key, paths, into, first, last)
    for i in range(first, last):
        at_n, at_p = _get(n, i * step_n), _get(p, i * step_p)
        _put(into, i, _count(at_n, at_p, key0, key1, period, paths[i]))


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
        paths, U(counts.ctypes.data), 0, paths.size, _WIDE,
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
    room = np.empty((4, paths.size if rows % 4 or first % _4 else 0))
    while row < rows:
        four, skip = (first + U(row)) // _4, int((first + U(row)) % _4)
        take = min(4 - skip, rows - row)
        if take == 4:
            _four_rows(key0, key1, four, paths, block, row, _WIDE)
        else:
            _four_rows(key0, key1, four, paths, room, 0, _WIDE)
            for k in range(take):  # not by slices: those take a second longer to compile
                for i in range(paths.size):
                    block[row + k, i] = room[skip + k, i]
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
def weighted_sums(
    flows: NDArray[np.float64], weights: NDArray[np.float64], found: NDArray[np.float64]
) -> None:
    """``returns.weighted_sums`` in one pass over memory."""
    paths = found.shape[1]
    for first in range(0, paths, _IN_CACHE):
        last = min(first + _IN_CACHE, paths)
        for row in range(len(flows)):
            here = flows[row, first:last]
            for k in range(len(weights)):
                total, weight = found[k, first:last], weights[k, row]
                for i in range(here.size):  # over slices: LLVM sees that this can go side by side
                    total[i] = total[i] + here[i] * weight


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
def _reached(k: Any, n: Any, p: Any, betainc: Any) -> Any:
    """F(k) = I_(1 - p)(n - k, k + 1)."""
    if k < 0.0:
        return 0.0
    return 1.0 if k >= n else _of(betainc, (n - k, k + 1.0, 1.0 - p))


@part
def _searched(n: Any, p: Any, u: Any, z: Any, betainc: Any) -> Any:
    """``quantiles._searched`` of one path, step by step as there; ``z`` is the score of ``u``."""
    guess = np.ceil(n * p + np.sqrt(n * p * (1.0 - p)) * z + (1.0 - 2.0 * p) * (z * z - 1.0) / 6.0 - 0.5)
    high = min(max(guess, 0.0), n)
    low, reach = high - 1.0, 1.0
    while _reached(high, n, p, betainc) < u:
        low, high, reach = high, high + reach, reach * 2.0
    reach = 1.0
    while low >= 0.0 and _reached(low, n, p, betainc) >= u:
        low, high, reach = max(low - reach, -1.0), low, reach * 2.0
    while high - low > 1.0:
        middle = np.floor((low + high) / 2.0)
        if _reached(middle, n, p, betainc) >= u:
            high = middle
        else:
            low = middle
    return high


@part
def _quantile_between(
    n: Any, step_n: Any, p: Any, step_p: Any, u: Any, near: Any, scipy: Any, into: Any, first: Any, last: Any
) -> None:
    """``quantiles.binomial``; ``scipy`` has the addresses of Phi^-1 and of the incomplete beta function."""
    ndtri, betainc = scipy
    for i in range(first, last):
        at_n, at_p, share = _get(n, i * step_n), _get(p, i * step_p), _get(u, i)
        counted = _binomial(at_n, at_p, share, near)
        if counted < 0.0:
            people, failing = np.floor(at_n + 0.5), at_p > 0.5
            chance = 1.0 - at_p if failing else at_p
            if near:
                z = _of(ndtri, (share,))
                counted = _from_cumulants(people, chance, -z if failing else z)
            else:
                share = 1.0 - share if failing else share
                counted = _searched(people, chance, share, _of(ndtri, (share,)), betainc)
            counted = people - counted if failing else counted
        _put(into, i, counted)


@part
def _amount(x: Any, share: Any, side: Any, portion: Any) -> Any:
    x = x * share
    if side != 0.0:
        x = x * side
        x = 0.0 if x < 0.0 else x
    return x * portion


@part
def _anything(source: Any, first: Any, last: Any) -> Any:
    """Whether any path has something to book: most amounts of most rows are nil."""
    some = False
    for i in range(first, last):
        some |= _get(source, i) != 0.0
    return some


@part
def _part_of(source: Any, factors: Any, into: Any, first: Any, last: Any) -> Any:
    """The part of an amount that is booked; whether any path has one."""
    share, side, portion = factors
    some = False
    for i in range(first, last):
        amount = _amount(_get(source, i), share, side, portion)
        some |= amount != 0.0
        _put(into, i, amount)
    return some


@_intrinsic
def _add_eight(typing: Any, into: Any, begun: Any, at: Any, sources: Any, signs: Any) -> Any:
    """Of eight paths: 0 or, where begun, what stands there, + sign x amount, source by source."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        wide, (into, begun, at, sources, signs) = _Wide(builder), args
        offset = builder.shl(at, ir.Constant(wide.word, 3))
        there = builder.add(into, offset)
        total = builder.select(begun, wide.numbers(there), wide.real(0.0))
        for k in range(signature.args[3].count):
            amount = wide.numbers(builder.add(builder.extract_value(sources, k), offset))
            sign = wide.spread_real(builder.extract_value(signs, k))
            total = builder.fadd(total, builder.fmul(sign, amount))
        wide.store(total, there)
        return context.get_dummy_value()

    return types.void(into, begun, at, sources, signs), emit


@part
def _add_up(into: Any, begun: Any, sources: Any, signs: Any, first: Any, last: Any) -> None:
    """Add sources to a line, or begin it with them."""
    eights = last - (last - first) % _EIGHT
    for i in range(first, eights, _EIGHT):
        _add_eight(into, begun, i, sources, signs)
    for i in range(eights, last):
        total = _get(into, i) if begun else 0.0
        for k in range(len(sources)):
            total = total + signs[k] * _get(sources[k], i)
        _put(into, i, total)


@part
def _add_some(into: Any, begun: Any, x: Any, signs: Any, size: Any, first: Any, last: Any) -> None:
    """Up to four sources."""
    if size == 0 and not begun:
        for i in range(first, last):
            _put(into, i, 0.0)
    elif size == 1:
        _add_up(into, begun, (x[0],), (signs[0],), first, last)
    elif size == 2:
        _add_up(into, begun, (x[0], x[1]), (signs[0], signs[1]), first, last)
    elif size == 3:
        _add_up(into, begun, (x[0], x[1], x[2]), (signs[0], signs[1], signs[2]), first, last)
    elif size == 4:
        _add_up(into, begun, (x[0], x[1], x[2], x[3]), (signs[0], signs[1], signs[2], signs[3]), first, last)


@part
def _book_between(
    call: Any, sheet: Any, data: Any, tables: Any, moved: Any, paths: Any, work: Any, first: Any, last: Any
) -> None:
    """What is booked at once, for the paths from ``first`` to before ``last``."""
    amounts, factors, lines, terms, signs = sheet
    booked = np.empty(call[2] - call[1], dtype=np.uint64)
    for k in range(booked.size):
        source, (share, side, portion) = data[amounts[call[1] + k]], factors[call[1] + k]
        if share == 1.0 and side == 0.0 and portion == 1.0:
            some = _anything(source, first, last)
        else:
            into = U(work[k].ctypes.data) - U(8 * first)
            some = _part_of(source, (share, side, portion), into, first, last)
            source = into
        booked[k] = source if some else _0
    sources, with_sign = np.empty(4, dtype=np.uint64), np.empty(4)
    for k in range(call[3], call[4]):
        table, line, begun = lines[k, 0], lines[k, 1], lines[k, 2] != 0
        into = data[tables + table] + U(8 * line * paths)
        size = 0
        for term in range(lines[k, 3], lines[k, 4]):
            if booked[terms[term]] != _0:
                moved[table] = True
                sources[size], with_sign[size] = booked[terms[term]], signs[term]
                size += 1
                if size == 4:
                    _add_some(into, begun, sources, with_sign, size, first, last)
                    begun, size = True, 0
        _add_some(into, begun, sources, with_sign, size, first, last)


@kernel
def play_tape(
    calls: NDArray[np.int64],
    numbers: NDArray[np.float64],
    sheet: Any,
    objects: NDArray[np.uintp],
    wide: NDArray[np.uintp],
    kept: NDArray[np.uintp],
    keys: Words,
    uniforms: Words,
    near: NDArray[np.bool_],
    scipy: tuple[np.uint64, np.uint64],
    paths: Words,
    tables: int,
    moved: NDArray[np.bool_],
    out: NDArray[np.float64],
    work: NDArray[np.float64],
    chunk: int,
) -> None:
    """All calls of a ``tape``, ``chunk`` paths at a time; a rest of under half a chunk goes along.

    ``uniforms`` has, by luck, the address of those whose quantile counts people, nought where people have
    keys; ``near`` says where these may be near.
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
                    _count_between(n, steps[0], p, steps[1], key, paths, data[call[4]], first, last, _WIDE)
                else:
                    u, about = uniforms[call[3]], near[call[3]]
                    into = data[call[4]]
                    _quantile_between(n, steps[0], p, steps[1], u, about, scipy, into, first, last)
            else:
                _book_between(call, sheet, data, tables, moved, paths.size, work, first, last)
        first = last


def kept_in() -> Path | None:
    """The directory in which Numba keeps these kernels; None where nothing can be written."""
    path = cast("Any", count_paths).stats.cache_path
    return None if path is None else Path(path)
