"""One source, three forms: a step on floats, on NumPy blocks and compiled gives the same bits."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from socialfinance.kernels.elementwise import both, either, least, most, negate, put, ratio, where, whole
from socialfinance.kernels.luck import Luck, count
from tests.compiled import Compiled

pytest.importorskip("numba")

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


def by_floats(inputs: Any) -> np.ndarray:
    out = []
    for people, chance, path in zip(*inputs, strict=True):
        state = opening(0.0)
        for period in range(3):
            luck = Luck(*KEY, period, int(path))
            state = step(TERMS, state, Now(float(people), float(chance), luck))
        out.append(flat(state))
    return np.array(out).T


def by_block(run: Any, inputs: Any) -> np.ndarray:
    people, chance, paths = inputs
    state = opening(np.zeros(len(paths)))
    for period in range(3):
        state = run(TERMS, state, Now(people, chance, Luck(*KEY, period, paths)))
    return np.array(flat(state))


def test_floats_blocks_and_compiled_agree_to_the_bit(inputs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    floats = by_floats(inputs)
    assert np.ptp(floats[-1]) > 0
    assert floats.tobytes() == by_block(step, inputs).tobytes()
    form = Compiled(step, len(inputs[2]))
    assert floats.tobytes() == by_block(form, inputs).tobytes()
    assert form.programs
    monkeypatch.setenv("SOCIALFINANCE_BACKEND", "numpy")
    assert floats.tobytes() == by_block(step, inputs).tobytes()
