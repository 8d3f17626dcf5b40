"""Whoever runs the blocks, they are the same, each comes once, and an error of one is the run's."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from socialfinance.engine.accumulate import Block
from socialfinance.engine.executors import (
    InProcess,
    Paths,
    Work,
    differences,
    elsewhere,
    installed,
    on_this_machine,
)
from socialfinance.engine.ready import prepare
from socialfinance.engine.workers import Processes
from tests.fixtures import one_deal

BLOCKS = [Paths(first, 256) for first in range(0, 1024, 256)]


def work(seed: int = 1) -> Work:
    return Work(prepare(one_deal(prices={"outcome": 1.0})), seed, False)


def same(one: Block, other: Block) -> bool:
    return all(
        list(mine) == list(theirs) and all(np.array_equal(mine[key], theirs[key]) for key in mine)
        for mine, theirs in ((one.figures, other.figures), (one.flows, other.flows), (one.rows, other.rows))
    )


def test_work_travels_and_is_made_ready_where_it_arrives() -> None:
    sent = work()
    arrived = pickle.loads(pickle.dumps(sent))
    assert arrived.ready is not sent.ready
    assert same(arrived.block(256, 256), sent.block(256, 256))
    assert not same(work(seed=2).block(256, 256), sent.block(256, 256))


def test_one_worker_is_the_process_itself_and_more_are_processes() -> None:
    assert isinstance(on_this_machine(1), InProcess)
    assert isinstance(on_this_machine(2), Processes)
    with elsewhere(None, 2) as executor:
        assert executor is None


@pytest.mark.parametrize("workers", [1, 2])
def test_every_block_comes_once_and_is_what_it_is(workers: int) -> None:
    back: dict[int, Block] = {}

    def done(block: Block) -> None:
        assert block.first not in back
        back[block.first] = block

    on_this_machine(workers).run(work(), BLOCKS, done)
    assert sorted(back) == [one.first for one in BLOCKS]
    assert all(same(back[one.first], work().block(one.first, one.count)) for one in BLOCKS)


class Stopped(Exception):
    """Raised by whoever takes the blocks."""


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_raised_on_taking_a_block_ends_the_run(workers: int) -> None:
    taken = []

    def done(block: Block) -> None:
        taken.append(block)
        raise Stopped

    with pytest.raises(Stopped):
        on_this_machine(workers).run(work(), BLOCKS, done)
    assert len(taken) == 1


def test_another_installation_is_told_apart() -> None:
    assert differences(installed()) == ""
    older = {**installed(), "socialfinance": "0.0.9"}
    assert differences(older) == f"socialfinance 0.0.9 where here it is {installed()['socialfinance']}"
    assert "numpy unknown where here it is" in differences({})
