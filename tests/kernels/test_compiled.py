"""One source, three forms: a step on floats, on NumPy blocks and compiled gives the same bits."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from socialfinance.kernels.elementwise import both, either, least, most, negate, put, ratio, where, whole
from socialfinance.kernels.luck import Luck, count, uniform

numba = pytest.importorskip("numba")

EIGHT, THREE = 8, 3


class Prices(NamedTuple):
    price: tuple[float, ...]
    grid: tuple[tuple[float, ...], ...]
    cap: float


class State(NamedTuple):
    paid: tuple[Any, ...]
    held: tuple[tuple[Any, ...], ...]
    total: Any
    ratio: Any


class Now(NamedTuple):
    people: Any
    chance: Any
    luck: Luck


def step(terms: Prices, state: State, now: Now) -> State:
    """A toy that uses every word."""
    paid, held, total = state.paid, state.held, state.total
    reached = count(now.people, now.chance, now.luck)
    for i in range(len(terms.price)):
        due = least(terms.price[i] * reached, most(terms.cap - total, 0.0))
        due = where(either(due > 900.0, both(reached > 3.0, negate(total > 2000.0))), due, 0.25 * due)
        paid = put(paid, i, paid[i] + due)
        total = total + due
    for i in range(len(terms.grid)):
        for j in range(len(terms.grid[i])):
            row = put(held[i], j, held[i][j] + terms.grid[i][j] * whole(0.3 * reached))
            held = put(held, i, row)
    return State(paid, held, total, ratio(total, now.people - 5.0, -1.0))


TERMS = Prices(
    tuple(100.1 + 17.3 * i for i in range(EIGHT)),
    tuple(tuple(0.1 * i + 0.7 * j for j in range(EIGHT)) for i in range(THREE)),
    9000.0,
)
KEY = (2**63 + 12345, 987654321)


def opening(zero: Any) -> State:
    return State((zero,) * EIGHT, ((zero,) * EIGHT,) * THREE, zero, zero)


def flat(state: State) -> list[Any]:
    return [*state.paid, *(x for row in state.held for x in row), state.total, state.ratio]


@pytest.fixture(scope="module")
def inputs() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(5)
    paths = np.arange(300, dtype=np.uint64)
    return np.floor(generator.uniform(0, 90, 300)), generator.uniform(-0.1, 1.1, 300), paths


def by_floats(run: Any, inputs: Any, word: Any = int) -> np.ndarray:
    out = []
    for people, chance, path in zip(*inputs, strict=True):
        state = opening(0.0)
        for period in range(3):
            luck = Luck(word(KEY[0]), word(KEY[1]), word(period), word(path))
            state = run(TERMS, state, Now(float(people), float(chance), luck))
        out.append(flat(state))
    return np.array(out).T


def by_block(inputs: Any) -> np.ndarray:
    people, chance, paths = inputs
    state = opening(np.zeros(len(paths)))
    for period in range(3):
        state = step(TERMS, state, Now(people, chance, Luck(*KEY, period, paths)))
    return np.array(flat(state))


def compile_step(function: Any) -> Any:
    from socialfinance.kernels.compiled import register

    register()
    register()
    return numba.njit(function)


def test_floats_blocks_and_compiled_agree_to_the_bit(inputs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    floats = by_floats(step, inputs)
    assert np.ptp(floats[-1]) > 0
    assert floats.tobytes() == by_block(inputs).tobytes()
    assert floats.tobytes() == by_floats(compile_step(step), inputs, np.uint64).tobytes()
    monkeypatch.setenv("SOCIALFINANCE_BACKEND", "numpy")
    assert floats.tobytes() == by_block(inputs).tobytes()


def mixed(a: float, b: float, whole_number: int) -> tuple[float, ...]:
    """Numbers of several kinds, as people write them."""
    return (
        least(a, 0),
        most(0, b),
        where(a > b, a, 0),
        where(True, 1.5, b),
        ratio(a, whole_number, 0),
        ratio(a, b, 0.0),
        ratio(whole_number, b, a),
        whole(a),
        whole(b),
        least(whole_number, b),
        where(negate(both(a > 0, b > 0)), a, b),
    )


@pytest.mark.parametrize("a", [-2.5, -0.5, 0.0, 0.49999999999999994, 3.7, 1e17])
@pytest.mark.parametrize("b", [-1.0, 0.0, 0.1, 2.0])
@pytest.mark.parametrize("n", [0, 3])
def test_mixed_numbers(a: float, b: float, n: int) -> None:
    assert np.array(mixed(a, b, n), dtype=float).tolist() == np.array(compile_step(mixed)(a, b, n)).tolist()


def test_ties_and_nan_follow_the_floats() -> None:
    nan = float("nan")

    def pair(a: float, b: float) -> tuple[float, float]:
        return least(a, b), most(a, b)

    fast = compile_step(pair)
    for a, b in ((nan, 1.0), (1.0, nan), (0.0, -0.0), (-0.0, 0.0)):
        assert np.array(fast(a, b)).tobytes() == np.array(pair(a, b)).tobytes()


def test_put_at_an_index_known_only_when_run() -> None:
    def shift(entries: tuple[float, ...], start: int) -> tuple[float, ...]:
        for i in range(start, len(entries)):
            entries = put(entries, i, entries[i - 1] + i)
        return entries

    assert compile_step(shift)((1.0, 2.0, 3.0, 4.0), 2) == shift((1.0, 2.0, 3.0, 4.0), 2)


def test_put_refuses_what_does_not_fit() -> None:
    def wrong(entries: tuple[float, ...]) -> tuple[float, ...]:
        return put(entries, 0, (1.0, 2.0))

    with pytest.raises(numba.core.errors.TypingError, match="put needs a value like the entries"):
        compile_step(wrong)((1.0, 2.0))
    with pytest.raises(numba.core.errors.TypingError, match="all of one type"):
        compile_step(wrong)((1, 2.0))


def test_draws_in_compiled_code() -> None:
    def draw(key0: int, key1: int, path: int) -> tuple[float, float]:
        return uniform(key0, key1, 6, path), count(70, 0.4, Luck(key0, key1, 6, path))

    words = tuple(np.uint64(x) for x in (*KEY, 17))
    assert compile_step(draw)(*words) == draw(*KEY, 17)
    assert compile_step(draw)(5, 6, 17) == draw(5, 6, 17)
