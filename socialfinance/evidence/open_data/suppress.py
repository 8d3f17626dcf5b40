"""Small numbers suppressed, and with them the complements that would reveal them.

A count under the threshold is hidden (primary suppression), and so many others (secondary suppression) that
nobody can work it out. Whether that holds is not argued but audited: an attacker is written down as integer
constraints, and each hidden count must still be able to take at least ``least`` values.

The attacker knows every published count, that a total is the sum of its parts, that nobody is counted
below nil, that at no date more people have achieved a line than have reached the line before it, and the
threshold rule: a hidden count is not nil where nils are shown. Wherever it can be had, the same holds against
one who is told which hidden counts are small and which only stand beside them, as might be guessed from why
they are hidden. He knows no other publication, and nothing about single people.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from socialfinance.core.errors import RunError

Whole = NDArray[np.int64]

THRESHOLD, LEAST = 5, 3
"""Counts under the first are hidden; each can then take at least so many values."""
LARGEST_COUNT = 10**9
"""People. More is a slip of the hand, and near where a solver's whole numbers end."""
TRIED = 8
"""Published counts that are tried for secondary suppression before the cheapest is taken untried."""


class Rule(NamedTuple):
    """What is hidden, and how well."""

    threshold: int = THRESHOLD
    """counts under it are hidden"""
    least: int = LEAST
    """values that every hidden count must still be able to take; at most ``threshold`` - 1"""
    nil_published: bool = True
    """whether a count of nil is shown, so that a hidden count is known to be 1 or more; where that says too
    much, all nils under the same totals are hidden too"""

    def is_small(self, value: int) -> bool:
        """Whether a count must be hidden."""
        return value < self.threshold and not (value == 0 and self.nil_published)


DEFAULT = Rule()


class Sum(NamedTuple):
    """A cell that is the sum of others, by position."""

    total: int
    parts: tuple[int, ...]


class Gap(NamedTuple):
    """Sum of ``above`` less sum of ``below``, by position: people who fell out, never below nil."""

    above: tuple[int, ...]
    below: tuple[int, ...]


@dataclass(frozen=True)
class Counts:
    """Counts that are published together, and how they hang together."""

    values: tuple[int, ...]
    sums: tuple[Sum, ...] = ()
    gaps: tuple[Gap, ...] = ()

    def __post_init__(self) -> None:
        if any(not 0 <= value <= LARGEST_COUNT for value in self.values):
            raise ValueError(f"counts must be from 0 to {LARGEST_COUNT:,}")
        for one in self.sums:
            if self.values[one.total] != sum(self.values[i] for i in one.parts):
                raise ValueError(f"cell {one.total} is not the sum of its parts")
        if any(self.gap(one) < 0 for one in self.gaps):
            raise ValueError("more people at a line than at the line before it")

    def gap(self, one: Gap) -> int:
        """How many people fell out."""
        return sum(self.values[i] for i in one.above) - sum(self.values[i] for i in one.below)


class Suppressed(NamedTuple):
    """What is hidden."""

    hidden: frozenset[int]
    """cells, by position"""
    withheld: bool
    """true where nothing but hiding everything would do"""
    told: bool
    """whether it holds even against who is told which hidden counts are small"""


def table(
    counts: Sequence[Sequence[int]],
    follows: Sequence[int | None] = (),
    row_totals: bool = True,
    column_totals: bool = False,
) -> Counts:
    """A table of counts, ``counts[row][column]``, rows being lines and columns periods in order.

    Cells stand row by row; then the total of each row, of each column, and of all (where both are asked
    for). ``follows[row]`` is the row that a line follows (None: none): at each column's end, and so in the
    totals, those of a row so far are at most those of the row it follows. Raises ValueError where
    they are more, or a count is below nil.
    """
    rows, columns = len(counts), len(counts[0]) if counts else 0
    values = [int(value) for row in counts for value in row]
    at = [[row * columns + column for column in range(columns)] for row in range(rows)]
    sums: list[Sum] = []

    def total(parts: Iterable[int]) -> int:
        parts = tuple(parts)
        sums.append(Sum(len(values), parts))
        values.append(sum(values[i] for i in parts))
        return len(values) - 1

    by_row = [total(at[row]) for row in range(rows)] if row_totals else []
    downwards = range(columns) if column_totals else ()
    by_column = [total(at[row][column] for row in range(rows)) for column in downwards]
    if by_row and by_column:
        grand = total(by_row)
        sums.append(Sum(grand, tuple(by_column)))
    gaps = tuple(
        Gap(tuple(at[before][: column + 1]), tuple(at[row][: column + 1]))
        for row, before in enumerate(follows) if before is not None for column in range(columns)
    )  # fmt: skip
    return Counts(tuple(values), tuple(sums), gaps)


def suppress(counts: Counts, rule: Rule = DEFAULT) -> Suppressed:
    """The cells to hide so that every hidden count, and every small difference, keeps ``least`` values.

    Small counts first; then, while the audit finds one that is known too well, the cheapest published
    count that helps (the fewest people hidden), or the nils beside it; at the end, whatever turns out not to
    be needed is shown again, the largest first. Where nothing does, all counts are withheld. Raises
    ValueError for a rule that cannot be kept.
    """
    if not 2 <= rule.least <= rule.threshold - 1:
        raise ValueError("a hidden count can take at most threshold - 1 values, and must take 2 or more")
    for told in (True, False):
        audit = Audit(counts, rule, told)
        hidden = _closed(audit)
        if hidden is not None:
            return Suppressed(frozenset(_reopened(audit, hidden)), False, told)
    return Suppressed(frozenset(range(len(counts.values))), True, False)


def _closed(audit: Audit) -> set[int] | None:
    """Small counts and as many others as it takes; None where all of them do not."""
    hidden = set(audit.small)
    while (known := audit.known_too_well(hidden)) is not None:
        near = sorted(audit.near(hidden, known), key=lambda i: (audit.counts.values[i], i))
        helps = _helpful(audit, hidden, known, near[:TRIED])
        if helps is not None:
            hidden.add(helps)
        elif audit.show_nil(known):
            hidden -= set(known.above)
        elif audit.hide_nils(known):
            hidden |= audit.small
        elif near:
            hidden.add(near[0])
        else:
            return None
    return hidden


def _helpful(audit: Audit, hidden: set[int], target: Target, cells: Sequence[int]) -> int | None:
    """The first cell that does when hidden, else the first that helps at all."""
    before, helps = len(audit.possible(hidden, target)), None
    for one in cells:
        found = len(audit.possible(hidden | {one}, target))
        if found >= audit.rule.least:
            return one
        if helps is None and found > before:
            helps = one
    return helps


def _reopened(audit: Audit, hidden: set[int]) -> set[int]:
    """The same without what need not be hidden."""
    extra = sorted(hidden - audit.small, key=lambda i: (-audit.counts.values[i], i))
    for one in extra:
        if audit.known_too_well(hidden - {one}) is None:
            hidden = hidden - {one}
    return hidden


# --- the attacker -----------------------------------------------------------------------------------


class Target(NamedTuple):
    """What must not be known too well: a hidden cell, or a small difference."""

    above: tuple[int, ...]
    below: tuple[int, ...] = ()


class Audit:
    """What an attacker can conclude. Every table found that he cannot tell from the true one is kept."""

    def __init__(self, counts: Counts, rule: Rule, told: bool) -> None:
        self.counts, self.rule, self.told = counts, rule, told
        self.true: Whole = np.array(counts.values, dtype=np.int64)
        self.small = {i for i, value in enumerate(counts.values) if rule.is_small(value)}
        self._nils: set[int] = set()
        self._follow: set[int] = set()
        self._without_nils: list[set[int]] = []
        self._relations = self._matrix()
        self._most = np.array([0] * len(counts.sums) + [np.inf] * len(counts.gaps))
        self._tables: Whole = self.true[None]
        """by table and cell: whole numbers that fit all that is known where the differing cells are hidden"""
        self._set_bounds()

    def _matrix(self) -> Whole:
        """By relation and cell: parts less total, which come to nil; above less below, never below it."""
        rows = np.zeros((len(self.counts.sums) + len(self.counts.gaps), len(self.true)), dtype=np.int64)
        for row, one in zip(rows, self.counts.sums, strict=False):
            row[list(one.parts)], row[one.total] = 1, -1
        for row, gap in zip(rows[len(self.counts.sums) :], self.counts.gaps, strict=True):
            row[:] = self._line(Target(*gap))
        return rows

    def _line(self, target: Target) -> Whole:
        """The target as coefficients by cell."""
        line = np.zeros(len(self.true), dtype=np.int64)
        line[list(target.above)] += 1
        line[list(target.below)] -= 1
        return line

    def targets(self, hidden: set[int]) -> list[Target]:
        """All that must not be known too well."""
        small = [gap for gap in self.counts.gaps if self.rule.is_small(self.counts.gap(gap))]
        return [Target((i,)) for i in sorted(hidden)] + [Target(*gap) for gap in small]

    def known_too_well(self, hidden: set[int]) -> Target | None:
        """The first target with fewer possible values than the rule wants; None where there is none."""
        for target in self.targets(hidden):
            if len(self.possible(hidden, target)) < self.rule.least:
                return target
        return None

    def possible(self, hidden: set[int], target: Target) -> set[int]:
        """Values that the target can take as far as the attacker knows: all of them, or ``least`` or more."""
        line = self._line(target)
        fits = self._fitting(hidden)
        found = set(np.unique(fits @ line).tolist())
        if len(found) >= self.rule.least or not any(line[i] for i in hidden):
            return found
        ends = [int(self._extreme(hidden, line, sign) @ line) for sign in (1, -1)]
        found |= set(ends)
        for value in range(ends[0] + 1, ends[1]):
            if len(found) >= self.rule.least:
                break
            if value not in found and self._solve(hidden, line, 0, value) is not None:
                found.add(value)
        return found

    def hide_nils(self, target: Target) -> bool:
        """Hide the nils under a total of the target, so that counts there can be nil; False where none is."""
        cells = {*target.above, *target.below}
        for one in self.counts.sums:
            under = {one.total, *one.parts}
            nils = {i for i in under if self.true[i] == 0} - self.small - self._follow
            if not cells.isdisjoint(under) and nils:
                self.small |= nils
                self._nils |= nils
                self._without_nils.append(under)
                self._set_bounds()
                return True
        return False

    def show_nil(self, target: Target) -> bool:
        """Show a nil again that was hidden, and follows from what is shown; whether it is one."""
        cell = target.above[0]
        if target.below or cell not in self._nils:
            return False
        self.small.discard(cell)
        self._nils.discard(cell)
        self._follow.add(cell)
        self._set_bounds()
        return True

    def _set_bounds(self) -> None:
        """Least and largest value by cell, if hidden; a hidden count can be nil only where nils are."""
        least, most, reach = int(self.rule.nil_published), self.rule.threshold - 1, 10 * self.rule.threshold
        nil = {i for under in self._without_nils if under & self._nils for i in under}
        self._low = np.array([0 if i in nil else least for i in range(len(self.true))])
        self._high = self.true + reach  # far enough for every small change; to think it less does no harm
        if self.told:
            small = np.isin(np.arange(len(self.true)), list(self.small))
            self._low = np.where(small, self._low, most + 1)
            self._high = np.where(small, most, self._high)
        self._high[list(self._nils)] = most
        differs = self._tables != self.true
        fits = (self._low <= self._tables) & (self._tables <= self._high)
        self._tables = self._tables[(fits | ~differs).all(axis=1)]

    def _fitting(self, hidden: set[int]) -> Whole:
        """The tables found so far that show the same as the true one."""
        shown = np.ones(len(self.true), dtype=bool)
        shown[list(hidden)] = False
        fits: Whole = self._tables[(self._tables[:, shown] == self.true[shown]).all(axis=1)]
        return fits

    def _extreme(self, hidden: set[int], line: Whole, sign: int) -> Whole:
        """A table with the least (sign 1) or largest (-1) value of the target."""
        found = self._solve(hidden, line, sign)
        if found is None:
            raise RunError("the audit of suppressed counts failed: not even the true table fits")
        return found

    def _solve(self, hidden: set[int], line: Whole, sign: int, at: int | None = None) -> Whole | None:
        """A table that fits, with the target least or largest, or at a value; None where none does."""
        from scipy.optimize import Bounds, LinearConstraint, milp
        from scipy.sparse import csr_array

        cells = sorted(hidden)
        matrix, least, most = self._relations, np.zeros(len(self._relations)), self._most
        if at is not None:
            matrix = np.vstack([matrix, line])
            least, most = np.append(least, at), np.append(most, at)
        used = matrix[:, cells].any(axis=1)
        shown = self.true.copy()
        shown[cells] = 0
        fixed = matrix[used] @ shown
        constraint = LinearConstraint(
            csr_array(matrix[used][:, cells].astype(float)), least[used] - fixed, most[used] - fixed
        )
        answer = milp(
            sign * line[cells].astype(float), integrality=np.ones(len(cells), dtype=np.int64),
            bounds=Bounds(self._low[cells].astype(float), self._high[cells].astype(float)),
            constraints=[constraint] if used.any() else [],
        )  # fmt: skip
        if answer.status == 2:  # none fits
            return None
        if answer.x is None:
            raise RunError(f"the audit of suppressed counts failed: {answer.message}")
        found = self.true.copy()
        found[cells] = np.rint(answer.x).astype(np.int64)
        sums = self._relations @ found
        if (sums < 0).any() or (sums > self._most).any():  # it must fit exactly, not within a tolerance
            raise RunError("the audit of suppressed counts failed: a table does not add up")
        self._tables = np.vstack([self._tables, found])
        return found

    def near(self, hidden: set[int], target: Target) -> set[int]:
        """Published counts that stand in a relation with the target, or with hidden cells that lead there.

        A published nil is no help: hidden, it would be taken for a count.
        """
        reached = edge = set(target.above + target.below)
        while edge:
            touched = self._relations[self._relations[:, sorted(edge)].any(axis=1)].any(axis=0)
            found = set(np.flatnonzero(touched).tolist()) | edge
            useful = {i for i in found - hidden if self.true[i] > 0}
            if useful:
                return useful
            edge = (found & hidden) - reached
            reached = reached | edge
        return set()
