"""What a run keeps by path: every figure, or no more than is needed and named."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from socialfinance.core.errors import InputError
from socialfinance.engine.accumulate import UNIT, Block
from socialfinance.engine.fund_rows import needs_all_paths
from socialfinance.engine.reduced import reduced
from socialfinance.measures.paths import Key

FORM = "[DEAL:]WHO.MEASURE"
ALLOWED = f"all, sums, or figures as {FORM}"


class Name(NamedTuple):
    """A figure as a reader names it."""

    text: str
    deal: str
    who: str
    """party or role"""
    measure: str

    def means(self, key: Key) -> bool:
        """Whether a figure has this name: in any year, with or without variation. An IRR needs its status."""
        measures = (self.measure, "irr_status") if self.measure == "irr" else (self.measure,)
        return key.deal == self.deal and self.who in (key.party, key.role) and key.measure in measures

    def among(self, keys: Iterable[Key], field: str) -> list[Key]:
        """The keys that it means, in order. InputError where there is none."""
        known = sorted(keys)
        mine = [key for key in known if self.means(key)]
        if not mine:
            theirs = sorted({f"{k.party or k.role}.{k.measure}" for k in known if k.deal == self.deal})
            raise InputError(
                "names no figure by path", field=field, given=self.text,
                allowed=", ".join(theirs[:40]) or FORM,
            )  # fmt: skip
        return mine


class Keep(NamedTuple):
    """Whether all figures are kept by path; if not, which beside those that rows over all paths need."""

    everything: bool = True
    names: tuple[Name, ...] = ()

    def by_path(self, key: Key) -> bool:
        """Whether a figure is kept by path; if not, its moments and a sketch of it are."""
        return self.everything or needs_all_paths(key) or any(name.means(key) for name in self.names)

    def reduce(self, block: Block) -> Block:
        """The block with what is not kept by path reduced."""
        dropped = tuple(key for key in block.figures if not self.by_path(key))
        if dropped:
            block.reduced = reduced(block.figures, dropped, UNIT)
            block.figures = {key: values for key, values in block.figures.items() if self.by_path(key)}
        return block

    def check(self, keys: Iterable[Key]) -> None:
        """InputError where a name is that of no figure."""
        known = list(keys)
        for name in self.names:
            name.among(known, "keep")

    def told(self) -> dict[str, Any]:
        """What a reader of the result should know of it."""
        return {} if self.everything else {"keep": ["sums", *(name.text for name in self.names)]}


ALL = Keep()
"""Every figure by path."""


def what_to_keep(keep: str | Sequence[str]) -> Keep:
    """Read ``"all"``, ``"sums"`` or names of figures that are kept by path beside sums."""
    words = (keep,) if isinstance(keep, str) else tuple(keep)
    if not words:
        raise InputError("says nothing", field="keep", given="", allowed=ALLOWED)
    if "all" in words:
        if len(words) > 1:
            raise InputError("keeps all anyway", field="keep", given=" ".join(words), allowed=ALLOWED)
        return ALL
    return Keep(False, tuple(named(word, "keep", ALLOWED) for word in words if word != "sums"))


def named(text: str, field: str, allowed: str = FORM) -> Name:
    """Read ``[deal:]who.measure``; InputError where it is not such."""
    deal, _, rest = text.rpartition(":")
    who, _, measure = rest.strip().rpartition(".")
    if not (who and measure):
        raise InputError("names no figure", field=field, given=text, allowed=allowed)
    return Name(text, deal.strip(), who, measure)
