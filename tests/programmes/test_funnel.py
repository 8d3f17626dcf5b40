"""The funnel's nodes, and the cap per person against a person-by-person count."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from socialfinance.core.errors import InputError
from socialfinance.programmes.funnel import (
    MOST_NODES,
    Line,
    capped_prices,
    class_nodes,
    plain_nodes,
    quarters_to,
)

NESTED = {"moved": Line(None, 1), "m3": Line("moved", 1), "m6": Line("m3", 1), "m12": Line("m6", 2)}
PARALLEL = {**NESTED, "job": Line(None, 2), "job26": Line("job", 2)}


def test_a_nested_chain_needs_no_classes() -> None:
    assert class_nodes(NESTED) == plain_nodes(NESTED)
    assert [node.label(NESTED) for node in class_nodes(NESTED)] == [""] * 4
    assert quarters_to(NESTED, "m12") == 5


def test_capped_prices_on_a_nested_chain() -> None:
    prices = {"moved": 500.0, "m3": 1500.0, "m6": 1500.0, "m12": 1500.0}
    assert capped_prices(plain_nodes(NESTED), prices, 3000.0) == (500.0, 1500.0, 1000.0, 0.0)
    assert sum(capped_prices(plain_nodes(NESTED), prices, float("inf"))) == 5000.0


def test_a_cap_per_person_is_exact_over_parallel_chains() -> None:
    """Expected capped pay by nodes = by going through all 2^6 fates of one person."""
    prices = {"moved": 500.0, "m3": 900.0, "m6": 1200.0, "m12": 1500.0, "job": 2000.0, "job26": 1800.0}
    chance = {"moved": 0.9, "m3": 0.8, "m6": 0.7, "m12": 0.6, "job": 0.5, "job26": 0.4}
    cap = 4000.0
    nodes = class_nodes(PARALLEL)
    worth = capped_prices(nodes, prices, cap)
    here = np.zeros(len(nodes))
    for k, node in enumerate(nodes):
        eligible = 1.0
        if node.parent >= 0:
            done = here[node.parent] * chance[nodes[node.parent].line]
            eligible = done if node.on_success else here[node.parent] - done
        here[k] = eligible
    by_nodes = sum(n * chance[node.line] * pay for n, node, pay in zip(here, nodes, worth, strict=True))

    names = list(PARALLEL)
    by_hand = 0.0
    for fate in itertools.product((False, True), repeat=len(names)):
        lucky = dict(zip(names, fate, strict=True))
        odds, reached = 1.0, {}
        for name in names:
            odds *= chance[name] if lucky[name] else 1 - chance[name]
            of = PARALLEL[name].of
            reached[name] = lucky[name] and (of is None or reached[of])
        by_hand += odds * min(cap, sum(prices[name] for name in names if reached[name]))
    assert by_nodes == pytest.approx(by_hand, rel=1e-12)


def test_too_many_classes_are_refused_with_advice() -> None:
    many = {f"line{i}": Line(None, i) for i in range(8)}
    with pytest.raises(InputError, match=f"at most {MOST_NODES}"):
        class_nodes(many)


def test_a_circle_is_refused() -> None:
    with pytest.raises(InputError, match="circle"):
        quarters_to({"a": Line("b", 1), "b": Line("a", 1)}, "a")
