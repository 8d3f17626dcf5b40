"""What a tape books, against additions one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from socialfinance.kernels.tape import CHUNK, NOTHING, WHOLE, Call, Tape, Target

pytest.importorskip("numba")
LINES = (3, 2, 2)
"""of each table; in the last nothing is booked but nil"""
NOTED = [(0, 1, 1.0), (1, 0, -1.0)]
Booked = tuple[Any, tuple[float, float, float], Sequence[Target]]


def bookings(a: np.ndarray, b: np.ndarray, nil: np.ndarray) -> list[list[Booked]]:
    """Two rows. On one line of the first, eleven amounts; on another, one; on a third, nil."""
    first: list[Booked] = [(x, WHOLE, NOTED) for x in (a, b, 2.5, a, nil)]
    first += [(b, (0.7, side, share), NOTED) for side in (1.0, -1.0) for share in (1.0, 0.4)]
    first += [(-3.0, (1.0, side, 0.5), NOTED) for side in (1.0, -1.0)]
    first += [
        (a, (0.25, 0.0, 1.0), [(0, 0, 1.0)]),
        (nil, WHOLE, [(0, 2, 1.0), (2, 0, 1.0)]),
    ]
    second: list[Booked] = [(b, WHOLE, [*NOTED, (1, 1, -1.0)]), (0.0, WHOLE, [(2, 1, 1.0)])]
    return [first, second]


def one_by_one(rows: list[list[Booked]], paths: int) -> list[np.ndarray]:
    """Amount x share; where there is a side, what of it is on that side; x the part of it; line by line."""
    tables = [np.zeros((lines, paths)) for lines in LINES]
    for amount, (share, side, part), targets in (one for row in rows for one in row):
        x = np.broadcast_to(amount, (paths,)) * share
        if side != 0.0:
            x = np.maximum(x * side, 0.0)
        for table, line, sign in targets:
            tables[table][line] = tables[table][line] + sign * (x * part)
    return tables


@pytest.mark.parametrize("paths", [8, CHUNK // 2, CHUNK + 13, 3 * CHUNK + 300])
def test_what_is_booked_at_once_is_what_is_booked_one_by_one(paths: int) -> None:
    """Bit for bit, whatever stood in the tables; and it is said in which of them anything is."""
    rng = np.random.default_rng(paths)
    a, b, nil = rng.normal(size=paths), rng.normal(size=paths) * 1e6, np.zeros(paths)
    rows = bookings(a, b, nil)
    tape = Tape()
    for array in (a, b, nil):
        tape.hand_in(array)
    for lines in LINES:
        tape.table(lines)
    for row in rows:
        for booked in row:
            tape.add_booking(*booked)
        tape.calls.append(Call(NOTHING, (), (), ()))  # what comes next is not booked at once with these
    found = [np.full((lines, paths), np.nan) for lines in LINES]
    _, moved = tape.finish([]).play([a, b, nil], [], found, np.arange(paths, dtype=np.uint64))
    for mine, theirs in zip(found, one_by_one(rows, paths), strict=True):
        assert mine.tobytes() == theirs.tobytes()
    assert moved.tolist() == [True, True, False]
