"""Who bears the risk: shares against the linear-Gaussian answer, and what must always hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from socialfinance.core.errors import InputError
from socialfinance.measures.sample import worst_paths
from socialfinance.pricing.sharing import risk_shares

PATHS = 200_000


def test_shares_of_a_linear_gaussian_case() -> None:
    """X = a Z + own noise: shares are cov / var, of the variance and, as Gaussian, of every tail.

    V has variance (4 + 1)^2 + 9 + 1 = 35; council (4 x 5 + 9) / 35, investor (1 x 5 + 1) / 35. Four standard
    errors: of a covariance share about 4 sqrt(2 / n), of a tail share 4 sqrt(2 / (0.05 n)) and so on.
    """
    rng = np.random.default_rng(3)
    z, own, other = rng.standard_normal((3, PATHS))
    found = risk_shares({"council": 4.0 * z + 3.0 * own, "investor": z + other})
    exact = {"council": 29.0 / 35.0, "investor": 6.0 / 35.0}
    assert found.variance is not None
    for party, share in exact.items():
        assert found.variance[party] == pytest.approx(share, abs=4 * np.sqrt(2 / PATHS))
        for level, tail in found.tail.items():
            assert tail is not None
            assert tail[party] == pytest.approx(share, abs=4 * np.sqrt(2 / ((1 - level) * PATHS)))
    assert found.sd == pytest.approx(np.sqrt(35.0), rel=4 / np.sqrt(2 * PATHS))
    shortfall = np.sqrt(35.0) * 2.062713  # phi(1.644854) / 0.05
    assert found.shortfall[0.95] == pytest.approx(shortfall, rel=4 / np.sqrt(0.05 * PATHS))


def test_a_tail_by_hand() -> None:
    """Of 20 paths the worst one: V = -10 there and 0.526 on average of the others, mean 0."""
    council = np.array([-8.0] + [8.0 / 19.0] * 19)
    investor = np.array([-2.0] + [2.0 / 19.0] * 19)
    found = risk_shares({"council": council, "investor": investor})
    assert found.shortfall[0.95] == pytest.approx(10.0)
    assert found.tail[0.95] == pytest.approx({"council": 0.8, "investor": 0.2})
    assert found.own_shortfall == pytest.approx({"council": 8.0, "investor": 2.0})


def test_who_is_better_off_where_the_programme_is_worse_has_a_negative_share() -> None:
    x = np.arange(100.0)
    found = risk_shares({"investor": 2.0 * x, "payer": -x})
    assert found.variance == pytest.approx({"investor": 2.0, "payer": -1.0})
    assert found.tail[0.99] == pytest.approx({"investor": 2.0, "payer": -1.0})


amounts = arrays(float, 60, elements=st.integers(-10_000_000, 10_000_000).map(lambda x: x / 100))


@settings(max_examples=100, deadline=None)
@given(one=amounts, two=amounts, three=amounts)
def test_shares_add_up_to_one(one: np.ndarray, two: np.ndarray, three: np.ndarray) -> None:
    found = risk_shares({"a": one, "b": two, "c": three})
    whole = one + two + three
    if found.variance is not None:
        assert sum(found.variance.values()) == pytest.approx(1.0, abs=1e-12 * max(1.0, _size(found.variance)))
    for tail in found.tail.values():
        if tail is not None:
            assert sum(tail.values()) == pytest.approx(1.0, abs=1e-12 * max(1.0, _size(tail)))
    assert found.sd == pytest.approx(whole.std(ddof=1), rel=1e-9, abs=1e-6)


def _size(shares: dict[str, float]) -> float:
    """Of the largest share: where they cancel, what is left over is measured against it."""
    return sum(abs(share) for share in shares.values())


@settings(max_examples=30, deadline=None)
@given(one=amounts, two=amounts, scale=st.floats(0.5, 4.0), shift=st.floats(-1e4, 1e4))
def test_shares_do_not_depend_on_the_unit_or_on_what_is_certain(
    one: np.ndarray, two: np.ndarray, scale: float, shift: float
) -> None:
    plain = risk_shares({"a": one, "b": two})
    moved = risk_shares({"a": scale * one + shift, "b": scale * two})
    if plain.variance is not None and moved.variance is not None:
        assert moved.variance == pytest.approx(plain.variance, rel=1e-6, abs=1e-6)


def test_without_risk_there_is_nothing_to_share() -> None:
    found = risk_shares({"a": np.full(50, 3.0), "b": np.full(50, -1.0)})
    assert found.variance is None
    assert found.tail[0.95] is None


def test_the_worst_paths() -> None:
    value = np.array([5.0, 1.0, 4.0, 1.0, 3.0])
    assert worst_paths(value, 0.6).tolist() == [1, 3]
    assert worst_paths(value, 0.99).tolist() == [1]


@pytest.mark.parametrize(
    ("value", "tails", "field"),
    [({}, (0.95,), "value"), ({"a": np.zeros(3), "b": np.zeros(4)}, (0.95,), "value"),
     ({"a": np.zeros(3)}, (1.0,), "tails")],
)  # fmt: skip
def test_bad_input(value: dict[str, np.ndarray], tails: tuple[float, ...], field: str) -> None:
    with pytest.raises(InputError, match=field):
        risk_shares(value, tails)
