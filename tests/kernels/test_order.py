"""Values at places in order: those of a sort, however values lie."""

from __future__ import annotations

import numpy as np
import pytest

from socialfinance.kernels import order
from socialfinance.kernels.order import WORTH_COUNTING, in_order

COUNT = WORTH_COUNTING + 37
PLACES = [0, 1, 819, 820, COUNT // 2, COUNT // 2 + 64, COUNT - 200, COUNT - 1]
LUCK = np.random.default_rng(20261128)
NORMAL = LUCK.normal(size=COUNT)


@pytest.mark.parametrize(
    "values",
    [
        NORMAL,
        np.exp(4.0 * NORMAL),
        np.maximum(NORMAL - 1.5, 0.0),
        np.minimum(NORMAL, 0.0),
        np.round(3.0 * NORMAL),
        np.full(COUNT, 7.25),
        np.where(NORMAL > 0.0, 1.0, np.nextafter(1.0, 2.0)),
        np.where(NORMAL > 0.0, 5e-324, 0.0),
        np.where(NORMAL > 1.0, 1e6, np.where(NORMAL > 0.0, 5e-324, 0.0)),
        NORMAL * 3e307,
        np.where(NORMAL > 3.0, np.inf, NORMAL),
    ],
    ids=[
        "normal", "long-tailed", "nil or more", "nil or less", "steps", "alike", "neighbours", "least",
        "tiny", "huge", "infinite",
    ],
)  # fmt: skip
@pytest.mark.parametrize("backend", ["numpy", "compiled"])
def test_places_have_what_a_sort_has(
    values: np.ndarray, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOCIALFINANCE_BACKEND", backend)
    np.testing.assert_array_equal(in_order(values, PLACES), np.sort(values)[PLACES])


def test_few_values_of_those_that_are_many_are_put_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else counting them wins nothing."""
    pytest.importorskip("numba")
    sizes, parted = [], order._parted

    def noted(values: np.ndarray, places: np.ndarray) -> np.ndarray:
        sizes.append(len(values))
        return parted(values, places)

    monkeypatch.setattr(order, "_parted", noted)
    for values in (NORMAL, np.maximum(NORMAL - 1.5, 0.0)):
        in_order(values, [COUNT // 20, COUNT // 2])
    assert max(sizes) < COUNT / 50
