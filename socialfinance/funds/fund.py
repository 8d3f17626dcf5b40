"""A fund: who it is, the notes over its deals, its costs, its guarantee, and its policy."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from socialfinance.core.terms import Name, Share, Sourced
from socialfinance.funds.notes import (
    Benchmark,
    Calls,
    Carry,
    Coupon,
    Granted,
    Note,
    Recycling,
    Reserve,
    Residual,
    RunningCosts,
    Waterfall,
)
from socialfinance.funds.policy import Policy
from socialfinance.funds.pool import Pool

ALWAYS = {"title", "remote", "notes", "note", "source", "illustrative", "unverified", "unsourced"}
"""What a fund without notes may say."""


class Fund(Sourced):
    """The fund that holds the deals. Without notes it is only the sum of its deals.

    The fund is the party ``party``: its position in a deal is the share of the investor's role that this
    party fills. What deals ask for is called from the notes; what deals pay back runs down the waterfall:

    running costs and the pool's fee; interest on notes that may not defer, in rank order; redemptions; the
    reserve; interest on notes that may, in rank order; what is kept to put into deals again; principal;
    residual notes; and what is then left is kept behind the notes until the end, when it goes to
    ``surplus_to``.
    """

    title: str | None = None
    remote: Share = 0.05
    """probability under which an exposure is called remote"""
    party: Name | None = None
    """the party that is the fund: it fills the investor's role, or a share of it, in the deals it holds"""
    notes: dict[Name, Note] = Field(default_factory=dict)
    waterfall: Waterfall = Field(default_factory=Waterfall)
    calls: Calls = Field(default_factory=Calls)
    recycling: Recycling = Field(default_factory=Recycling)
    reserve: Reserve = Field(default_factory=Reserve)
    costs: RunningCosts = Field(default_factory=RunningCosts)
    cash_yield: Coupon = 0.0
    """earned on idle cash, annual effective"""
    late: Annotated[int, Field(ge=0, le=40)] = 4
    """quarters that a deal may be behind its plan before its value is written down"""
    carry: Carry | None = None
    surplus_to: Name | None = None
    """the party that has what is left at the end"""
    pool: Pool | None = None
    policy: Policy | None = None
    benchmark: Benchmark | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not self.notes:
            given = [name for name in type(self).model_fields if name in self.model_fields_set - ALWAYS]
            if given:
                raise ValueError(f"{given[0]}: belongs to a fund that has notes: give some under notes")
            return self
        if self.party is None:
            raise ValueError("party: a fund with notes needs the name of the party that it is")
        self._check_ranks()
        if all(isinstance(note.rate, Granted) for note in self.notes.values()):
            raise ValueError("notes: at least one note must be other than a grant")
        uncapped = any(isinstance(n.rate, Residual) and n.rate.cap is None for n in self.notes.values())
        if self.surplus_to is None and not uncapped:
            raise ValueError(
                "surplus_to: no note takes all that is left: name the party that has it at the end"
            )
        residual = [note.rate for note in self.notes.values() if isinstance(note.rate, Residual)]
        if self.carry is not None and not residual:
            raise ValueError("carry: is a share of what residual notes have, and there is none")
        if self.carry is not None and any(rate.cap is not None for rate in residual):
            raise ValueError(
                "carry: residual notes with a cap share no profit with a manager: take the cap away"
            )
        return self

    def _check_ranks(self) -> None:
        """Cash interest before interest that may be put off; residual notes after what is repaid."""
        paid = {name: note for name, note in self.notes.items() if note.repayable}
        first = min((n.rank for n in paid.values() if n.deferrable), default=None)
        for name, note in paid.items():
            if first is not None and not note.deferrable and note.rank > first:
                raise ValueError(
                    f"notes.{name}.rank: interest that may not be put off must rank ahead of interest that "
                    f"may (rank {first})"
                )
        last = max((n.rank for n in paid.values()), default=0)
        for name, note in self.notes.items():
            if isinstance(note.rate, Residual) and note.rank <= last:
                raise ValueError(
                    f"notes.{name}.rank: a residual note must rank after all that are repaid (rank {last})"
                )
        trigger = self.waterfall.trigger
        if trigger is not None and not any(n.rank <= trigger.protects for n in paid.values()):
            raise ValueError("waterfall.trigger.protects: no note that is repaid has a rank that high")
        if trigger is not None and all(n.rank <= trigger.protects for n in self.notes.values()):
            raise ValueError("waterfall.trigger.protects: every note is protected: there is none to lock up")
