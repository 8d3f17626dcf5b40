"""The base of everything that is read from a file: frozen, strict, and honest about its sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from socialfinance.core.errors import field_path
from socialfinance.core.origins import BY_NAME, SAYING, Heard, Place, UnknownName, names

LARGEST_AMOUNT = 1e12
"""More is a slip of the hand, and would make sums that no computer holds."""
Pounds = Annotated[float, Field(ge=0, le=LARGEST_AMOUNT, description="pounds, or the file's currency")]
Share = Annotated[float, Field(ge=0, le=1, description="a fraction of one")]
AnnualRate = Annotated[float, Field(gt=-1, le=10, description="fraction a year, annual effective")]
Quarters = Annotated[int, Field(ge=0, le=400, description="quarters")]
Name = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[a-z0-9][a-z0-9 _.+-]*$")]


class Terms(BaseModel):
    """Agreed terms are data: frozen, no unknown key, no silent conversion, no infinity or NaN."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )


class Sourced(Terms):
    """A block of numbers and where they come from.

    ``source`` covers every number in the block, down to the next block that has a source or says
    ``illustrative: true``. What it does not cover is named: ``illustrative: [sd, prices.moved in]``. A name
    is written as error messages write a field: a dot before a field or entry, ``steps[0]`` for the first of
    a list, spaces and dots of its own as they are. It stands for all below it, and the longer name wins.
    Without a source, what is not named is as the block around says.
    """

    source: str | None = None
    """who published the numbers of this block, where, and for what date"""
    illustrative: bool | tuple[str, ...] = False
    """true: every number of this block is invented; a list: these fields are"""
    unverified: bool | tuple[str, ...] = False
    """true: every number of this block still has to be confirmed; a list: these fields"""
    unsourced: tuple[str, ...] = ()
    """fields whose number nobody gave a source for; filled in where a file changes a number of the file it
    is based on and says nothing of it"""
    note: str | None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if self.source and self.illustrative is True:
            raise ValueError(
                "illustrative: beside a source, name the invented fields instead, such as [sd, lag]"
            )
        for name in set(names(self.illustrative)) & set(self.unsourced):
            raise ValueError(f"unsourced[{self.unsourced.index(name)}]: is called illustrative as well")
        if any(names(getattr(self, field)) for field in BY_NAME):
            self._names_what_it_gives()
        return self

    def _names_what_it_gives(self) -> None:
        """Refuse a name of what is not given here, or of what says itself where it comes from."""
        ours = {field_path(place): _is_ours(heard) for place, _, heard in said_of(self) if place}
        for field in BY_NAME:
            for i, name in enumerate(names(getattr(self, field))):
                if name not in ours:
                    raise UnknownName(f"{field}[{i}]: names nothing that is given here", list(ours))
                # unsourced is filled in before a file that is referred to is known, and may have its own
                if not ours[name] and field != "unsourced":
                    raise ValueError(f"{field}[{i}]: has a block that says itself where it comes from")


def _is_ours(heard: Heard) -> bool:
    """Whether what the outermost block names is still heard: a block with its own say puts it aside."""
    return any(block == () for block, _, _ in heard.names)


def said_of(value: Any, place: Place = (), around: Heard | None = None) -> Iterator[tuple[Place, Any, Heard]]:
    """Every place that was given (no defaults), what stands there, and what is said of it."""
    heard = around or Heard()
    if isinstance(value, Sourced):
        heard = heard.inside(place, {field: getattr(value, field) for field in SAYING})
    yield place, value, heard
    for key, part in _given(value):
        here = (*place, key)
        yield from said_of(part, here, heard.at(here))


def _given(value: Any) -> list[tuple[str | int, Any]]:
    """What a model, mapping or list holds; of a model, what was given and is not said about it."""
    if isinstance(value, BaseModel):
        apart = (*SAYING, "note") if isinstance(value, Sourced) else ()
        given = [name for name in type(value).model_fields if name in value.model_fields_set]
        return [(name, getattr(value, name)) for name in given if name not in apart]
    if isinstance(value, Mapping):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, tuple) else []
