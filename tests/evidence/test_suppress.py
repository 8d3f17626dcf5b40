"""Suppression held against brute force: every table that fits what is published is written down.

The attackers here are written anew, in plain enumeration; the library's is a set of integer constraints.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from socialfinance.evidence.open_data.suppress import Counts, Gap, Rule, Suppressed, suppress, table
from tests.examples import examples

MOST = 10
"""Largest count that the enumeration tries; leaving larger ones out only makes an attacker stronger."""


def published_alike(
    counts: Sequence[Sequence[int]], follows: Sequence[int | None], made: Counts, hidden: frozenset[int],
    rule: Rule, told: bool,
) -> np.ndarray:  # fmt: skip
    """Every table (rows of cells, then totals as in ``made``) that shows the same.

    ``told``: the attacker also knows which hidden counts are under the threshold.
    """
    rows, columns = len(counts), len(counts[0])
    true = made.values
    choices = []
    for i in range(rows * columns):
        if i not in hidden:
            choices.append([true[i]])
        elif told:
            small = true[i] < rule.threshold
            choices.append(list(range(rule.threshold)) if small else list(range(rule.threshold, MOST + 1)))
        else:
            choices.append(list(range(MOST + 1)))
    grids = np.meshgrid(*[np.array(one, dtype=np.int16) for one in choices], indexing="ij")
    cells = np.stack([grid.ravel() for grid in grids], axis=1).reshape(-1, rows, columns)
    for row, before in enumerate(follows):
        if before is not None:
            ordered = np.cumsum(cells[:, row], axis=1) <= np.cumsum(cells[:, before], axis=1)
            cells = cells[ordered.all(axis=1)]
    whole = cells.reshape(-1, rows * columns)
    found = whole
    for one in made.sums[: len(true) - rows * columns]:  # each adds its total; a grand total adds totals up
        assert one.total == found.shape[1]
        total = found[:, list(one.parts)].sum(axis=1, dtype=np.int16)
        found = np.concatenate([found, total[:, None]], axis=1)
    # nils are shown: no hidden count is one, as far as anybody can see
    nils_shown = rule.nil_published and all(true[i] > 0 for i in hidden) and not told
    for i, value in enumerate(true):
        if i not in hidden:
            found = found[found[:, i] == value]
        elif nils_shown:
            found = found[found[:, i] > 0]
        elif told and i >= rows * columns:
            small = value < rule.threshold
            found = found[(found[:, i] < rule.threshold) == small]
    return found


def narrowest(
    counts: Sequence[Sequence[int]], follows: Sequence[int | None], rule: Rule, hidden: frozenset[int],
    columns_too: bool, told: bool,
) -> int:  # fmt: skip
    """The fewest values that any hidden count, or small difference, can take."""
    made = table(counts, follows, column_totals=columns_too)
    fits = published_alike(counts, follows, made, hidden, rule, told)
    assert (fits == np.array(made.values)).all(axis=1).any(), "the true table fits what is published"
    sizes = [len(np.unique(fits[:, i])) for i in hidden]
    for gap in made.gaps:
        if rule.is_small(made.gap(gap)):
            fell_out = fits[:, list(gap.above)].sum(axis=1) - fits[:, list(gap.below)].sum(axis=1)
            sizes.append(len(np.unique(fell_out)))
    return min(sizes, default=MOST)


SHAPES = st.sampled_from([(1, 2), (1, 4), (2, 2), (3, 1), (2, 3), (3, 2)])


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[list[int]], list[int | None]]:
    """Small tables with many small counts, some of them funnels."""
    rows, columns = draw(SHAPES)
    counts = [draw(st.lists(st.integers(0, 6), min_size=columns, max_size=columns)) for _ in range(rows)]
    follows: list[int | None] = [None] * rows
    if draw(st.booleans()):
        for row in range(1, rows):
            before = draw(st.integers(0, row - 1))
            follows[row], room = before, 0
            for column in range(columns):
                room += counts[before][column]
                counts[row][column] = min(counts[row][column], room)
                room -= counts[row][column]
    return counts, follows


@settings(max_examples=examples(25, 60))
@given(tables(), st.booleans(), st.booleans(), st.sampled_from([(5, 3), (5, 4), (4, 2)]))
def test_no_hidden_count_can_be_recovered_or_narrowed(made, nil_shown, told, strict):
    (counts, follows), rule = made, Rule(*strict, nil_published=nil_shown)
    found = suppress(table(counts, follows), rule)

    assert narrowest(counts, follows, rule, found.hidden, False, told and found.told) >= rule.least


@settings(max_examples=examples(15, 40))
@given(tables(), st.booleans())
def test_nor_in_tables_with_totals_both_ways(made, told):
    counts, _ = made
    follows, rule = [None] * len(counts), Rule()
    whole = table(counts, follows, column_totals=True)
    found = suppress(whole, rule)

    assert found.hidden >= {i for i, value in enumerate(whole.values) if rule.is_small(value)}
    assert narrowest(counts, follows, rule, found.hidden, True, told and found.told) >= rule.least


@settings(max_examples=examples(25, 60))
@given(tables())
def test_what_is_hidden_is_small_or_needed(made):
    counts, follows = made
    whole, rule = table(counts, follows), Rule()
    found = suppress(whole, rule)
    small = {i for i, value in enumerate(whole.values) if rule.is_small(value)}

    assert small <= found.hidden
    if not small and not any(rule.is_small(whole.gap(gap)) for gap in whole.gaps):
        assert found == Suppressed(frozenset(), False, True)


def test_hiding_the_small_counts_alone_is_not_enough():
    """The brute force sees what it is for: 2 of [2, 9], total 11, is 11 - 9."""
    assert narrowest([[2, 9]], [None], Rule(), frozenset({0}), False, False) == 1


def test_a_small_count_takes_the_next_smallest_with_it():
    # cells 0 to 3, total 4: of 9, 30, 8 and the total 49 the 8 tells least
    assert suppress(table([[2, 9, 30, 8]])).hidden == {0, 3}


def test_two_small_counts_hide_each_other_if_they_leave_room():
    assert suppress(table([[2, 3, 30]])).hidden == {0, 1}
    # 4 + 4 = 8 with each at most 4 is known: a third must go
    assert len(suppress(table([[4, 4, 30]])).hidden) == 3


def test_few_failures_are_not_to_be_had_by_subtraction():
    """20 started, 18 achieved: 2 did not. One of the two numbers goes."""
    found = suppress(table([[20], [18]], [None, 0], row_totals=False))
    assert found.hidden == {1}

    shown = suppress(table([[20], [15]], [None, 0], row_totals=False))
    assert shown.hidden == frozenset()


def test_failures_so_far_count_at_every_date():
    """By the second quarter 30 started and 28 achieved, though more start later."""
    whole = table([[30, 0, 40], [0, 28, 10]], [None, 0])
    found = suppress(whole)
    fell_out = whole.gaps[1]
    assert whole.gap(fell_out) == 2
    assert found.hidden & set(fell_out.above + fell_out.below)


def test_nobody_failing_is_a_nil_and_hidden_only_with_nils():
    whole = table([[20], [20]], [None, 0], row_totals=False)
    assert suppress(whole).hidden == frozenset()
    assert suppress(whole, Rule(nil_published=False)).hidden


def test_nil_is_shown_or_hidden_as_asked():
    whole = table([[0, 9, 30]])
    assert suppress(whole).hidden == frozenset()
    assert suppress(whole, Rule(nil_published=False)).hidden == {0, 1}


def test_nils_go_where_showing_them_says_too_much():
    """1 + 1 + 1 + 1 = 4, which is small: with nils shown, each can be nothing but 1."""
    found = suppress(table([[1, 1, 1, 1, 0]]))
    assert found.hidden == {0, 1, 2, 3, 4, 5}


def test_a_small_count_among_millions_is_hidden_exactly():
    found = suppress(table([[2, 40_000_000, 900_000_000], [1, 30_000_000, 800_000_000]], [None, 0]))
    assert {0, 3} <= found.hidden
    assert not found.withheld


def test_the_total_of_small_counts_goes_too():
    found = suppress(table([[3]]))
    assert found.hidden == {0, 1}


@pytest.mark.parametrize("least", [1, 5, 6])
def test_a_rule_that_cannot_be_kept_is_refused(least):
    with pytest.raises(ValueError, match="at most threshold - 1"):
        suppress(table([[3, 9]]), Rule(5, least))


@pytest.mark.parametrize(
    ("counts", "follows", "says"),
    [([[-1, 3]], [None], "must be from 0"), ([[2, 3], [3, 0]], [None, 0], "more people at a line")],
)
def test_tables_that_cannot_be_are_refused(counts, follows, says):
    with pytest.raises(ValueError, match=says):
        table(counts, follows)


def test_totals_that_are_no_sums_are_refused():
    from socialfinance.evidence.open_data.suppress import Sum

    with pytest.raises(ValueError, match="not the sum"):
        Counts((2, 3, 6), (Sum(2, (0, 1)),))


def test_withheld_where_nothing_else_does():
    """A difference that no cell enters on its own cannot be hidden by hiding some cells only."""
    counts = Counts((3, 3), gaps=(Gap((0,), (1,)), Gap((1,), (0,))))
    found = suppress(counts, Rule(nil_published=False))
    assert found == Suppressed(frozenset({0, 1}), True, False)


def test_a_long_table_of_a_real_size_is_quick_and_keeps_most():
    """Eight quarters, six lines, about nine starts a quarter: regression only, for what is hidden."""
    rng = np.random.default_rng(7)
    starts = rng.poisson(9, 8)
    rows = [starts]
    for chance in (0.9, 0.8, 0.9, 0.7, 0.8):
        rows.append(np.concatenate([[0], rng.binomial(rows[-1][:-1], chance)]))
    whole = table([[int(v) for v in row] for row in rows], [None, 0, 1, 2, 3, 4])
    found = suppress(whole)
    small = sum(Rule().is_small(value) for value in whole.values)

    assert not found.withheld
    assert small <= len(found.hidden) <= small + 8
    assert len(found.hidden) < len(whole.values) / 2


def test_every_way_of_two_small_numbers_beside_a_total():
    """All rows of two counts up to 9 with their total, checked one by one."""
    rule = Rule()
    for one, two in itertools.product(range(10), repeat=2):
        found = suppress(table([[one, two]]), rule)
        assert narrowest([[one, two]], [None], rule, found.hidden, False, False) >= 3, (one, two)
