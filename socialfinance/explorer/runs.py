"""Runs of what was asked for, a block of futures at a time, so that none of them keeps others waiting.

Path n is the same future under any terms: draws are keyed by deal and path. A file's own terms are run on the
same paths, and differences are taken path by path.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, field, replace

from socialfinance.engine.accumulate import Kept
from socialfinance.engine.block import run_block
from socialfinance.engine.ready import ReadyPortfolio, prepare
from socialfinance.explorer.answer import Answer, answer, needed
from socialfinance.explorer.asked import Asked, Source, structures, terms_of
from socialfinance.explorer.controls import WHOLE

BLOCK = 1024
"""Futures run before others have their turn: whole units, so that figures are those of one long run."""
HELD = 24
"""Runs that are kept, those that were asked for last: a slider moved back answers at once."""


@dataclass
class Run:
    """One portfolio on the first paths of a seed."""

    ready: ReadyPortfolio
    kept: Kept
    view: str
    done: int = 0
    seconds: float = 0.0
    """that its blocks took"""

    def advance(self, seed: int) -> None:
        """Run the next block."""
        began = time.perf_counter()
        block = run_block(self.ready, seed, self.done, self.next, compare=False)
        block.figures = {key: one for key, one in block.figures.items() if needed(key, self.view)}
        block.flows = {}
        self.kept.add(block)
        self.done += block.count
        self.seconds += time.perf_counter() - began

    @property
    def next(self) -> int:
        """Paths of the next block."""
        return min(BLOCK, self.kept.paths - self.done)


@dataclass
class Runs:
    """The last runs of a file. One process has one of these."""

    source: Source
    seed: int
    held: OrderedDict[tuple[Asked, int], Run] = field(default_factory=OrderedDict)
    fits: dict[str, dict[str, str]] = field(default_factory=dict)

    def fitting(self, view: str) -> dict[str, str]:
        """The structures that a deal can be run on, looked for once; none in the view of the whole."""
        if view not in self.fits:
            self.fits[view] = {} if view == WHOLE else structures(self.source.portfolio, view)
        return self.fits[view]

    def advance(self, asked: Asked, paths: int) -> Answer | None:
        """One block more of what was asked for; its figures once all paths are run, until then None.

        The file's own terms are run first where they have not been. InputError where terms are refused.
        """
        for one in (asked.untouched(), asked):
            run = self._run(one, paths)
            if run.next:
                run.advance(self.seed)
                if one != asked or run.next:
                    return None
        base = self._run(asked.untouched(), paths)
        return answer(self.source.portfolio, asked, self._run(asked, paths), base)

    def _run(self, asked: Asked, paths: int) -> Run:
        key = (asked, paths)
        if key not in self.held:
            ready = as_contracted(
                prepare(terms_of(self.source.portfolio, asked).portfolio, asked.view or None)
            )
            self.held[key] = Run(ready, Kept(paths, groups=None), asked.view)
        self.held.move_to_end(key)
        while len(self.held) > HELD:
            self.held.popitem(last=False)
        return self.held[key]


def as_contracted(ready: ReadyPortfolio) -> ReadyPortfolio:
    """Without the second run of each deal, with variation, which the page does not show."""
    return replace(ready, deals=tuple(replace(deal, varied=None) for deal in ready.deals))
